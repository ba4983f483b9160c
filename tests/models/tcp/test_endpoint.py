"""The table of connections: room for whatever a call brings, and growth that loses nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.tcp.config import TcpConfig
from models.tcp.connection import UNLIMITED, Connection
from models.tcp.endpoint import FIELDS, Endpoints
from models.tcp.segment import ACK, FIN, PSH, RST, SYN, Segment
from models.tcp.transfer import has_room, most_packets

MS = 10**9


def test_no_field_is_hidden_by_what_a_record_has_anyway():
    assert not set(FIELDS) & set(dir(np.record))


def established(config, table, *, window_scale=7):
    """Connection 0 of `table`, at time 0, with a peer whose numbers begin at 0 and whose window is 65535."""
    made = Connection(config, active=False, table=table)
    made.open(0)
    made.receive(Segment(0, 0, SYN, 65535, mss=1460, window_scale=window_scale, sack_permitted=True), 0)
    made.receive(Segment(1, config.initial_sequence + 1, ACK, 65535 >> window_scale), 0)
    assert made.established
    made.take_outgoing()
    return made


configs = st.builds(
    TcpConfig,
    mss_bytes=st.sampled_from([1, 100, 1448]),
    tso_bytes=st.sampled_from([1, 5000, 65160]),
    initial_cwnd=st.sampled_from([1, 10, 300]),
    congestion=st.sampled_from(["reno", "cubic"]),
    nagle=st.booleans(),
    tso_defer=st.booleans(),
)
packets = st.tuples(
    st.sampled_from([0, 0, 1, 200, -200, 5000]),  # how far from what is expected it starts,
    st.sampled_from([0, 1, 100, 3000]),  # how long it is,
    st.sampled_from([0, 0, 0.1, 0.5, 1, 2]),  # how much of what is in flight it acknowledges,
    st.sampled_from([0, 3, 500, 65535]),  # the window it tells
    st.sampled_from([ACK, ACK, ACK, ACK | PSH, ACK | FIN, SYN, RST, RST | ACK]),
)
calls = st.one_of(packets, packets, packets, st.sampled_from(["timer", "read", "write", "pump", "close"]))


@given(configs, st.lists(calls, max_size=100), st.sampled_from([1, 5000, UNLIMITED]))
def test_a_call_writes_no_more_than_there_is_room_for(config, wanted, written):
    table = Endpoints(2, capacity=1)
    connection = established(config, table)
    c, now_ps, closed = connection.record, 0, False
    for call in ["write", "pump", *wanted]:
        most, sent, held = int(most_packets(c)), int(c.sent_count), int(c.held_count)
        now_ps += 10 * MS
        if call == "timer":
            now_ps = max(now_ps, connection.next_timer_ps or 0)
            connection.timer(now_ps)
        elif call == "read":
            connection.read(connection.readable_bytes, now_ps)
        elif call == "pump":
            connection.pump(now_ps)
        elif call == "close":
            connection.close(now_ps)
            closed = True
        elif call == "write":
            if not closed:
                connection.write(written)
        else:
            ahead, n_bytes, acknowledged, window, flags = call
            ack = int(c.una) + int((c.snd_max - c.una) * acknowledged)
            start = int(c.rcv_next) + ahead
            seq = start & 0xFFFFFFFF
            connection.receive(Segment(seq, ack & 0xFFFFFFFF, flags, window, n_bytes, payload_start=start), now_ps)
        assert len(connection.take_outgoing()) <= most
        assert c.sent_count <= min(sent + most, table.sent.shape[1])
        assert c.held_count <= min(held + 1, table.held.shape[1])
        assert not table.sent[1].any() and not table.held[1].any()  # where row 0 would run into


def test_growth_keeps_what_is_there_and_makes_room():
    table = Endpoints(2, capacity=8)
    config = TcpConfig(initial_cwnd=100, tso_bytes=1448)
    table.begin(1, config)
    c = table.records[0]
    other = table.records[1]
    established(config, table)
    rows = [[n, n + 1, n + 2] for n in range(5)]
    for k, row in enumerate(rows):
        table.sent[1, (6 + k) % 8] = row
    table.held[1, :2] = [[10, 20], [30, 40]]
    other.sent_first, other.sent_count, other.held_count = 6, 5, 2
    c.data_end = UNLIMITED
    assert not has_room(c, table.sent[0], table.held[0], table.out)
    generation = table.generation
    table.grow(0)
    assert table.generation > generation
    assert has_room(c, table.sent[0], table.held[0], table.out)
    assert [table.sent[1, (other.sent_first + k) % table.sent.shape[1]].tolist() for k in range(5)] == rows
    assert table.held[1, :2].tolist() == [[10, 20], [30, 40]]
