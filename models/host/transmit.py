"""What a connection puts out goes down to the host's port.

Models: the packets of a burst one after the other, each when the work before it is done; the work of cutting them if
    the card does not.
Leaves out: a queueing discipline above the port, pacing, byte queue limits.
Sources: nothing outside; what the work costs is models/cpu/profiles.py's.
Checked by: tests/models/host/test_transmit.py; tests/sim/test_exactness.py, in parts of 1 and 7 frames.
"""

from __future__ import annotations

import numpy as np

from models.cpu.costs import Kind, work_ps_compiled
from models.host.sockets import (
    ACKS_SENT,
    IDENT,
    PORT,
    RETRANSMITTED,
    SEND_AT_PS,
    SEND_COST,
    SEND_ROW,
    SENDING,
    TIMER_PS,
    TSO,
)
from models.nic.words import FLUSHED, NO_ROOM, TELL
from models.offload.kernel import njit
from models.packet import write
from models.queue import join_queue, served, takes
from models.tcp import segment as seg
from models.tcp.states import State
from models.tcp.transfer import in_transfer, next_timer_ps
from models.train import ABSENT

_ONLY_INPUT = np.int64(0)  # not a literal: numba would compile the queue anew for it
_CLOSE_WAIT = int(State.CLOSE_WAIT)
_ACK, _TX, _GSO_SEG = int(Kind.ACK), int(Kind.TX), int(Kind.GSO_SEG)


@njit
def is_plain(endpoint):
    """Whether a connection neither opens nor closes after its peer: then all that happens to it is compiled."""
    return in_transfer(endpoint) and endpoint.state != _CLOSE_WAIT


@njit
def begin_to_send(host, number, at_ps):
    """What connection `number` has put out goes down from `at_ps` on."""
    words = host.words
    words[SENDING], words[SEND_ROW], words[SEND_AT_PS], words[SEND_COST] = number, 0, at_ps, 0


@njit
def transmit(host, hz, prices, counts, payloads, ports, departures, state, meta, head, pieces, row, rank):
    """Go on sending; FLUSHED when all is on its way and SEND_COST is the whole work. TELL: the far end wants to hear of
    frames first; NO_ROOM: the port's words say where."""
    words = host.words
    number, port = words[SENDING], ports[words[PORT]]
    endpoint, mine = host.endpoints[number], host.sockets[number]
    packet, front = host.front_cells[number : number + 1], host.front_heads[number : number + 1]
    while True:
        if not served(port, departures, state, meta, head, pieces, row, rank):
            return TELL
        if words[SEND_ROW] == endpoint.out_rows:
            break
        segment = host.out[words[SEND_ROW]]
        frames = segment[seg.GSO_SEGMENTS]
        pure_ack = segment[seg.PAYLOAD_BYTES] == 0 and segment[seg.FLAGS] == seg.ACK
        kind = _ACK if pure_ack else _TX
        cost = words[SEND_COST] + prices[kind]
        at_ps = words[SEND_AT_PS] + work_ps_compiled(cost, hz)
        write(packet[0], front[0], segment, at_ps, mine[IDENT], host.frame_ids[0])
        if not takes(port, packet, state):
            return NO_ROOM
        join_queue(packet, front, pieces, payloads, _ONLY_INPUT, port, state, meta, head, pieces, row, rank)
        counts[kind] += 1
        words[ACKS_SENT] += pure_ack
        if frames > 1 and not words[TSO]:
            counts[_GSO_SEG] += frames
            cost += frames * prices[_GSO_SEG]
        mine[IDENT] = (mine[IDENT] + frames) & 0xFFFF
        host.frame_ids[0] += frames
        if segment[seg.RETRANSMISSION]:
            mine[RETRANSMITTED] += frames
        words[SEND_COST] = cost
        words[SEND_ROW] += 1
    endpoint.out_rows = 0
    words[SENDING] = ABSENT
    words[TIMER_PS] = min(words[TIMER_PS], next_timer_ps(endpoint))
    return FLUSHED
