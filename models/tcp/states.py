"""The states of a connection and what leads from one to the next.

Models: the figure of RFC 9293, with simultaneous open and close.
Leaves out: the user's SEND in LISTEN; RST is one row a state and drops the connection.
Sources: RFC 9293 section 3.3.2, figure 5.
Checked by: tests/models/tcp/test_states.py.
"""

from enum import IntEnum

import numpy as np


class _Worded(IntEnum):
    """Numbered in the order written, from 0 on; `words` is how the RFC says it."""

    words: str

    def __new__(cls, words: str):  # type: ignore[no-untyped-def]
        number = len(cls.__members__)
        member = int.__new__(cls, number)
        member._value_ = number
        member.words = words
        return member


class State(_Worded):
    CLOSED = "closed"
    LISTEN = "listen"
    SYN_SENT = "syn-sent"
    SYN_RECEIVED = "syn-received"
    ESTABLISHED = "established"  # from here
    FIN_WAIT_1 = "fin-wait-1"
    FIN_WAIT_2 = "fin-wait-2"
    CLOSE_WAIT = "close-wait"
    CLOSING = "closing"
    LAST_ACK = "last-ack"  # to here: the states of transfer
    TIME_WAIT = "time-wait"


class Event(_Worded):
    PASSIVE_OPEN = "passive open"
    ACTIVE_OPEN = "active open"
    CLOSE = "close"
    RCV_SYN = "SYN"
    RCV_SYN_ACK = "SYN and ACK of SYN"
    RCV_ACK_OF_SYN = "ACK of SYN"
    RCV_FIN = "FIN"
    RCV_ACK_OF_FIN = "ACK of FIN"
    RCV_RST = "RST"
    TIME_WAIT_OVER = "2 MSL over"


class ProtocolError(Exception):
    """An event that the figure has no arrow for."""


_S, _E = State, Event

ARROWS: dict[tuple[State, Event], State] = {
    (_S.CLOSED, _E.PASSIVE_OPEN): _S.LISTEN,
    (_S.CLOSED, _E.ACTIVE_OPEN): _S.SYN_SENT,
    (_S.LISTEN, _E.CLOSE): _S.CLOSED,
    (_S.LISTEN, _E.RCV_SYN): _S.SYN_RECEIVED,
    (_S.SYN_SENT, _E.CLOSE): _S.CLOSED,
    (_S.SYN_SENT, _E.RCV_SYN): _S.SYN_RECEIVED,  # simultaneous open
    (_S.SYN_SENT, _E.RCV_SYN_ACK): _S.ESTABLISHED,
    (_S.SYN_SENT, _E.RCV_RST): _S.CLOSED,
    (_S.SYN_RECEIVED, _E.CLOSE): _S.FIN_WAIT_1,
    (_S.SYN_RECEIVED, _E.RCV_ACK_OF_SYN): _S.ESTABLISHED,
    (_S.SYN_RECEIVED, _E.RCV_RST): _S.LISTEN,
    (_S.ESTABLISHED, _E.CLOSE): _S.FIN_WAIT_1,
    (_S.ESTABLISHED, _E.RCV_FIN): _S.CLOSE_WAIT,
    (_S.ESTABLISHED, _E.RCV_RST): _S.CLOSED,
    (_S.FIN_WAIT_1, _E.RCV_ACK_OF_FIN): _S.FIN_WAIT_2,
    (_S.FIN_WAIT_1, _E.RCV_FIN): _S.CLOSING,
    (_S.FIN_WAIT_1, _E.RCV_RST): _S.CLOSED,
    (_S.FIN_WAIT_2, _E.RCV_FIN): _S.TIME_WAIT,
    (_S.FIN_WAIT_2, _E.RCV_RST): _S.CLOSED,
    (_S.CLOSE_WAIT, _E.CLOSE): _S.LAST_ACK,
    (_S.CLOSE_WAIT, _E.RCV_RST): _S.CLOSED,
    (_S.CLOSING, _E.RCV_ACK_OF_FIN): _S.TIME_WAIT,
    (_S.CLOSING, _E.RCV_RST): _S.CLOSED,
    (_S.LAST_ACK, _E.RCV_ACK_OF_FIN): _S.CLOSED,
    (_S.LAST_ACK, _E.RCV_RST): _S.CLOSED,
    (_S.TIME_WAIT, _E.TIME_WAIT_OVER): _S.CLOSED,
    (_S.TIME_WAIT, _E.RCV_RST): _S.CLOSED,
}

TRANSITIONS = np.full((len(State), len(Event)), -1, np.int8)  # the same for compiled code; -1: no arrow
for (_state, _event), _next in ARROWS.items():
    TRANSITIONS[_state, _event] = _next


def after(state: State, event: Event) -> State:
    """Raises ProtocolError, naming both, where the figure has no arrow."""
    try:
        return ARROWS[state, event]
    except KeyError:
        raise ProtocolError(f"{event.words} in state {state.words}") from None
