"""Connections are found by their ports, and readers get their turn in the order in which they were woken."""

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.host.sockets import (
    ASLEEP,
    HOST_WORDS,
    IDENT,
    READY,
    WOKEN,
    Sockets,
    find,
    next_reader,
    place_of,
    queue_reader,
    wake_reader,
)
from models.packet import Route
from models.tcp.endpoint import Endpoints
from models.train import ABSENT

PORT = st.integers(0, 65535)
PORTS = st.tuples(PORT, PORT)  # own, the other end's


def route(own, other):
    return Route(
        source_mac=bytes(6), destination_mac=bytes(6), source=ip_address("10.0.0.1"),
        destination=ip_address("10.0.0.2"), source_port=own, destination_port=other, stream=1,
    )  # fmt: skip


def key(own, other):
    """As the packets have it that come to this connection."""
    return other << 16 | own


@given(mine=st.lists(PORTS, min_size=1, max_size=40, unique=True), others=st.lists(PORTS, max_size=40))
def test_each_connection_is_found_by_its_ports_and_nobody_else_is(mine, others):
    sockets = Sockets(Endpoints(len(mine)))
    for number, ports in enumerate(mine):
        assert sockets.number_of(key(*ports)) == ABSENT
        assert sockets.add(route(*ports), ident=7 + number) == number
    assert [sockets.number_of(key(*ports)) for ports in mine] == list(range(len(mine)))
    assert sockets.sockets[:, IDENT].tolist() == [7 + number for number in range(len(mine))]
    for ports in others:
        assert sockets.number_of(key(*ports)) == (mine.index(ports) if ports in mine else ABSENT)
    assert sockets.number_of(ABSENT) == ABSENT  # what is not TCP


@pytest.mark.parametrize("n", [1, 2, 7, 8, 31])
def test_a_full_table_of_connections_that_all_belong_in_one_place(n):
    by_ports = Sockets(Endpoints(n)).tables.by_ports
    last = len(by_ports) - 1
    crowd = [own for own in range(65536) if place_of(by_ports, key(own, 5001)) == last][: n + 1]
    assert len(crowd) == n + 1 < len(by_ports)
    sockets = Sockets(Endpoints(n))
    for own in crowd[:n]:
        sockets.add(route(own, 5001), ident=0)
    assert [sockets.number_of(key(own, 5001)) for own in crowd] == [*range(n), ABSENT]
    assert find(sockets.tables.by_ports, key(5001, crowd[0])) == ABSENT  # the other direction


def test_two_connections_with_the_same_ports_are_refused():
    sockets = Sockets(Endpoints(2))
    sockets.add(route(40_000, 5001), ident=0)
    with pytest.raises(ValueError, match="found two connections from port 40000 to 5001"):
        sockets.add(route(40_000, 5001), ident=0)
    assert sockets.add(route(5001, 40_000), ident=0) == 1  # swapped, they are others


def test_a_front_is_what_its_route_says():
    sockets, routes = Sockets(Endpoints(2)), [route(1, 2), route(3, 4)]
    for one in routes:
        sockets.add(one, ident=0)
    for number, one in enumerate(routes):
        front = one.front()
        assert (sockets.tables.front_cells[number] == front.meta[0]).all()
        assert (sockets.tables.front_heads[number] == front.head[0]).all()


READERS = 4
STEPS = st.lists(st.tuples(st.integers(0, READERS - 1), st.sampled_from(["wake", "sleep", "again"])), max_size=60)


@settings(max_examples=settings().max_examples // 2)
@given(steps=STEPS)
def test_readers_get_their_turn_in_the_order_in_which_they_were_woken_and_nobody_twice(steps):
    """`wake`: bytes came for that one. Else the next one's turn is over: it sleeps, or there is more to read."""
    host = Sockets(Endpoints(READERS)).tables
    assert len(host.words) == HOST_WORDS and host.sockets[:, ASLEEP].all()
    ready, asleep = [], set(range(READERS))
    for number, step in steps:
        if step == "wake":
            host.sockets[number, WOKEN] = 0
            wake_reader(host, number)
            assert host.sockets[number, WOKEN] == (number in asleep)  # who pays for a wake-up
            if number in asleep:
                ready.append(number)
                asleep.remove(number)
        elif ready:
            first = ready.pop(0)
            assert next_reader(host) == first
            if step == "sleep":
                host.sockets[first, ASLEEP] = 1
                asleep.add(first)
            else:
                queue_reader(host, first)
                ready.append(first)
        assert host.words[READY] == len(ready)
        assert set(host.sockets[:, ASLEEP].nonzero()[0].tolist()) == asleep
    assert [next_reader(host) for _ in list(ready)] == ready
