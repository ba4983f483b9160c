"""Applications that read: a receive call of everything there is, one reader after the other.

Models: the wake-up and the copy, both work of the core; a call takes effect when it returns; the window update that
    the peer may get.
Leaves out: applications that do anything with the bytes, or that wait for a certain number of them.
Sources: Linux net/ipv4/tcp.c, tcp_recvmsg(), for the order.
Checked by: tests/models/cores/test_core.py.
"""

from __future__ import annotations

from models.compiled import njit
from models.cores.time import book
from models.cores.words import MEASURED_FROM, NOW, OWED, READER, READER_ENDS, REST, RETURN
from models.cpu.costs import Kind, work_ps_compiled
from models.host.sockets import (
    ASLEEP,
    PORT,
    READING,
    SEND_COST,
    SENDING,
    WOKEN,
    end_call,
    next_reader,
    queue_reader,
)
from models.host.transmit import begin_to_send, is_plain, transmit
from models.nic import words as nic
from models.nic.desk import host_of
from models.payload import Payloads
from models.tcp.receiver import readable_bytes
from models.tcp.transfer import has_room, read
from models.train import ABSENT

_WAKE, _COPY = int(Kind.WAKE), int(Kind.COPY)


@njit
def start_reader(core, desk):
    """The next reader's call begins; the first after a sleep pays for the wake-up."""
    host = host_of(desk)
    number = next_reader(host)
    mine = host.sockets[number]
    n_bytes, woken = readable_bytes(host.endpoints[number]), mine[WOKEN]
    counts = desk.counts if core[NOW] >= core[MEASURED_FROM] else desk.scrap
    counts[_WAKE] += woken
    counts[_COPY] += n_bytes
    cost = core[OWED] + woken * desk.prices[_WAKE] + n_bytes * desk.prices[_COPY]
    mine[WOKEN], mine[READING] = 0, n_bytes
    core[OWED] = 0
    core[READER], core[READER_ENDS] = number, core[NOW] + work_ps_compiled(cost, desk.work[nic.HZ])
    book(core, core[NOW], core[READER_ENDS])


@njit
def go_on_returning(core, desk):
    """The call returns: REST when that is done, else what is wanted first; RETURN: the host's own code, which reads."""
    host, number = host_of(desk), core[READER]
    mine, endpoint = host.sockets[number], host.endpoints[number]
    if mine[READING] != ABSENT:
        if not is_plain(endpoint):
            return RETURN
        if not has_room(endpoint, host.sent[number], host.stretches[number], host.out):
            desk.work[nic.AT_PORT] = number
            return nic.GROW_SOCKETS
        read(endpoint, mine[READING], core[NOW], host.stretches[number], host.out)
        end_call(mine)
        begin_to_send(host, number, core[NOW])
    if host.words[SENDING] != ABSENT:
        counts = desk.counts if core[NOW] >= core[MEASURED_FROM] else desk.scrap
        status = transmit(
            host, desk.work[nic.HZ], desk.prices, counts, Payloads(desk.captured, desk.pattern, desk.prefix),
            desk.ports, desk.departures, desk.state, desk.meta, desk.head, desk.pieces, desk.row, desk.rank,
        )  # fmt: skip
        if status != nic.FLUSHED:
            desk.work[nic.AT_PORT] = host.words[PORT]
            return status
        core[OWED] += host.words[SEND_COST]
    core[READER] = ABSENT
    if readable_bytes(endpoint) > 0:
        queue_reader(host, number)
    else:
        mine[ASLEEP] = 1
    return REST
