"""Where packets go that leave a poll: on a router down again to a port, on a host up to the connections.

Models: one packet after the other, however many segments it holds, each when the work before it is done. On a host the
    ACKs, and the data that ACKs let go, leave within the poll, before the next packet is looked at.
Leaves out: a socket that its application holds (backlog): both run on one core; Linux's gro_normal_batch of 8.
Sources: Linux net/ipv4/ip_input.c and tcp_ipv4.c, tcp_v4_rcv(), for the order.
Checked by: tests/sim/nodes/test_router.py and test_host.py against packets taken one by one;
    tests/sim/test_exactness.py.
"""

from __future__ import annotations

from models.cpu.costs import Kind, work_ps_compiled
from models.forwarding.router import forward
from models.host.sockets import COMES_AT_PS, PORT, SEND_COST, SENDING, find, wake_reader
from models.host.transmit import begin_to_send, is_plain, transmit
from models.nic.words import (
    AT_PORT,
    COST,
    EXTRA,
    FLUSHED,
    GO_UP,
    GONE_UP,
    GROW_SOCKETS,
    HZ,
    NO_ROOM,
    NOW,
    PACKETS,
    RANK_IN,
    STACK_COST,
    TELL,
)
from models.offload.kernel import njit
from models.packet import OTHERWISE, PORTS, look
from models.payload import Payloads
from models.queue import served
from models.tcp import segment as seg
from models.tcp.receiver import readable_bytes
from models.tcp.transfer import has_room, receive
from models.train import ABSENT

_STACK = int(Kind.STACK)
_ODD_FLAGS = seg.FIN | seg.SYN | seg.RST


@njit
def pass_on(
    work, packets, heads, their_pieces, spent, prices, counts, routes, drops, ports, macs, departures, captured,
    pattern, prefix, state, meta, head, pieces, row, rank,
):  # fmt: skip
    """Forward the packets that go up, one after the other; FLUSHED when all have gone, else TELL or NO_ROOM."""
    payloads = Payloads(captured, pattern, prefix)
    while True:
        if work[AT_PORT] != ABSENT:
            if not served(ports[work[AT_PORT]], departures, state, meta, head, pieces, row, rank):
                return TELL
            work[AT_PORT] = ABSENT
        k = work[GONE_UP]
        if k == work[PACKETS]:
            book_extra(work)
            return FLUSHED
        had_room, done, at_port = forward(
            packets[k : k + 1], heads[k : k + 1], their_pieces, work[NOW], work[HZ], spent[k] + work[EXTRA],
            work[RANK_IN], prices, counts, routes, drops, payloads, ports, macs, state, meta, head, pieces, row, rank,
        )  # fmt: skip
        work[AT_PORT] = at_port
        if not had_room:
            return NO_ROOM
        work[EXTRA] += done
        work[GONE_UP] = k + 1


@njit
def hand_up(
    work, host, packets, heads, spent, seen, prices, counts, captured, pattern, prefix, ports, departures, state,
    meta, head, pieces, row, rank,
):  # fmt: skip
    """Hand the packets to their connections, one after the other; FLUSHED when all have gone.

    Else TELL or NO_ROOM; GROW_SOCKETS: the tables of connection SENDING are too small; GO_UP: the last one is for the
    host's own code, as nobody here knows its ports, or it opens or closes something. `seen` int64[SEEN_WORDS]: what
    TCP reads of that packet."""
    words, payloads = host.words, Payloads(captured, pattern, prefix)
    while True:
        number = words[SENDING]
        if number != ABSENT:
            status = transmit(
                host, work[HZ], prices, counts, payloads, ports, departures, state, meta, head, pieces, row, rank
            )
            if status != FLUSHED:
                work[AT_PORT] = words[PORT]
                return status
            work[EXTRA] += words[SEND_COST]
            if readable_bytes(host.endpoints[number]) > 0:
                wake_reader(host, number)
        k = work[GONE_UP]
        if k == work[PACKETS]:
            book_extra(work)
            return FLUSHED
        look(packets[k], heads[k], seen)
        number = find(host.by_ports, seen[PORTS])
        is_ours = number != ABSENT and not seen[OTHERWISE] and not seen[seg.FLAGS] & _ODD_FLAGS
        if is_ours and is_plain(host.endpoints[number]):
            if not has_room(host.endpoints[number], host.sent[number], host.stretches[number], host.out):
                work[AT_PORT] = number
                return GROW_SOCKETS
        else:
            is_ours = False
        work[EXTRA] += prices[_STACK]
        counts[_STACK] += 1
        at_ps = work[NOW] + work_ps_compiled(spent[k] + work[EXTRA], work[HZ])
        work[GONE_UP] = k + 1
        if not is_ours:
            words[COMES_AT_PS] = at_ps
            return GO_UP
        receive(host.endpoints[number], seen, at_ps, host.sent[number], host.stretches[number], host.out)
        begin_to_send(host, number, at_ps)


@njit
def book_extra(work):
    """The work with the packets that went up is the poll's."""
    work[COST] += work[EXTRA]
    work[STACK_COST] += work[EXTRA]
    work[PACKETS] = work[GONE_UP] = work[EXTRA] = 0
