"""RFC 9293 figure 5, walked along its usual ways."""

import pytest

from models.tcp.states import ARROWS, TRANSITIONS, Event, ProtocolError, State, after

S, E = State, Event


@pytest.mark.parametrize(
    ("events", "end"),
    [
        ([E.ACTIVE_OPEN, E.RCV_SYN_ACK, E.CLOSE, E.RCV_ACK_OF_FIN, E.RCV_FIN, E.TIME_WAIT_OVER], S.CLOSED),
        ([E.PASSIVE_OPEN, E.RCV_SYN, E.RCV_ACK_OF_SYN, E.RCV_FIN, E.CLOSE, E.RCV_ACK_OF_FIN], S.CLOSED),
        ([E.ACTIVE_OPEN, E.RCV_SYN, E.RCV_ACK_OF_SYN], S.ESTABLISHED),  # both open at once
        ([E.ACTIVE_OPEN, E.RCV_SYN_ACK, E.CLOSE, E.RCV_FIN, E.RCV_ACK_OF_FIN], S.TIME_WAIT),  # both close at once
        ([E.PASSIVE_OPEN, E.CLOSE], S.CLOSED),
        ([E.PASSIVE_OPEN, E.RCV_SYN, E.RCV_RST], S.LISTEN),
    ],
)
def test_ways_through_the_figure(events, end):
    state = S.CLOSED
    for event in events:
        state = after(state, event)
    assert state is end


def test_an_event_without_an_arrow_names_both():
    with pytest.raises(ProtocolError, match="FIN in state listen"):
        after(S.LISTEN, E.RCV_FIN)


def test_every_state_can_be_reached_and_left():
    assert {state for state, _ in ARROWS} == set(State) == set(ARROWS.values())


def test_compiled_code_has_the_same_arrows():
    for state in State:
        for event in Event:
            assert TRANSITIONS[state, event] == ARROWS.get((state, event), -1)
