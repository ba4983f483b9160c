"""Handshake, options, checks on arrival, and the fields of what is sent."""

import pytest

from models.tcp.config import TcpConfig
from models.tcp.connection import UNLIMITED, Connection
from models.tcp.segment import ACK, FIN, PSH, SYN, Segment
from models.tcp.states import ProtocolError, State

MS = 10**9


def take(connection):
    return connection.take_outgoing()


def joined(config_a=None, config_b=None, now_ps=5 * MS):
    a = Connection(config_a or TcpConfig(initial_sequence=1000, tsval_offset=77), active=True)
    b = Connection(config_b or TcpConfig(initial_sequence=0xFFFFFFFF), active=False)
    b.open(0)
    a.open(now_ps)
    for sender, receiver in ((a, b), (b, a), (a, b)):
        for segment in take(sender):
            receiver.receive(segment, now_ps)
    return a, b


def test_the_syn_carries_every_option():
    a = Connection(TcpConfig(initial_sequence=1000, tsval_offset=77), active=True)
    a.open(5 * MS)
    (syn,) = take(a)
    assert (syn.seq, syn.flags, syn.mss, syn.window_scale, syn.sack_permitted) == (1000, SYN, 1460, 7, True)
    assert (syn.timestamps, syn.tsval, syn.tsecr, syn.window) == (True, 82, 0, 65535)


def test_three_segments_establish_both():
    a, b = joined()
    assert a.state is b.state is State.ESTABLISHED
    assert a.established and b.established
    assert a.next_timer_ps is None and b.next_timer_ps is None


@pytest.mark.parametrize(
    ("without", "look"),
    [
        ({"timestamps": False}, lambda a: a.record.timestamps),
        ({"window_scale": -1}, lambda a: a.record.window_shift > 0 or a.record.scale > 0),
        ({"sack": False}, lambda a: a.record.sack),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_an_option_needs_both(without, look, swapped):
    assert all(look(end) for end in joined())
    configs = (TcpConfig(), TcpConfig(**without))
    ends = joined(*(configs[::-1] if swapped else configs))
    assert not any(look(end) for end in ends)


def test_the_smaller_mss_counts():
    a, _ = joined(TcpConfig(mss_bytes=8948, advertised_mss=8960), TcpConfig(mss_bytes=1448, advertised_mss=1460))
    a.write(UNLIMITED)
    a.pump(5 * MS)
    assert {segment.gso_bytes for segment in take(a)} == {1448}


def test_the_first_flight():
    a, _ = joined()
    a.write(UNLIMITED)
    a.pump(7 * MS)
    (segment,) = take(a)
    assert (segment.seq, segment.ack, segment.flags) == (1001, 0, ACK | PSH)  # b's first number is 2**32 - 1
    assert (segment.payload_bytes, segment.payload_start) == (14480, 0)
    assert (segment.gso_bytes, segment.gso_segments) == (1448, 10)
    assert (segment.tsval, segment.tsecr) == (84, 5)


def test_a_merged_packet_is_answered_once():
    a, b = joined()
    a.write(UNLIMITED)
    a.pump(7 * MS)
    b.receive(take(a)[0], 8 * MS)
    (answer,) = take(b)
    assert (answer.ack, answer.payload_bytes, answer.tsecr) == (1001 + 14480, 0, 84)
    assert b.acks_sent == 1 and b.readable_bytes == b.bytes_received_in_order == 14480


def test_an_old_timestamp_is_refused():
    a, b = joined()
    segment = Segment(seq=1001, ack=0, flags=ACK, window=100, payload_bytes=10, timestamps=True, tsval=81, tsecr=5)
    b.receive(segment, 6 * MS)
    assert (b.paws_dropped, b.bytes_received_in_order) == (1, 0)
    assert len(take(b)) == 1


def test_a_hole_is_reported():
    _, b = joined()
    segment = Segment(seq=1101, ack=0, flags=ACK, window=100, payload_bytes=10, payload_start=100, timestamps=True,
                      tsval=90, tsecr=5)  # fmt: skip
    b.receive(segment, 6 * MS)
    (answer,) = take(b)
    assert (answer.ack, answer.sack, answer.tsecr) == (1001, ((1101, 1111),), 82)  # not from beyond the hole


@pytest.mark.parametrize("segment", [
    Segment(seq=900, ack=0, flags=ACK, window=9),
    Segment(seq=1001 + (1 << 30), ack=0, flags=ACK, window=9),
    Segment(seq=1001, ack=5, flags=ACK, window=9),
    Segment(seq=1000, ack=0, flags=SYN | ACK, window=9),
])  # fmt: skip
def test_the_unacceptable_is_answered_and_dropped(segment):
    _, b = joined()
    b.receive(segment, 6 * MS)
    assert b.unacceptable == 1 and len(take(b)) == 1


def test_a_lost_syn_is_repeated_after_a_second_then_two():
    a = Connection(TcpConfig(), active=True)
    a.open(0)
    times = []
    for _ in range(3):
        times.append(a.next_timer_ps // MS)
        a.timer(a.next_timer_ps)
    assert times == [1000, 3000, 7000]
    assert [segment.retransmission for segment in take(a)] == [False, True, True, True]


def test_both_open_at_once():
    a, b = Connection(TcpConfig(initial_sequence=5), active=True), Connection(TcpConfig(), active=True)
    a.open(0)
    b.open(0)
    for _ in range(3):
        from_a, from_b = take(a), take(b)
        for segment in from_a:
            b.receive(segment, MS)
        for segment in from_b:
            a.receive(segment, MS)
    assert a.state is b.state is State.ESTABLISHED


def test_close_before_the_handshake_ends_waits_for_it():
    a = Connection(TcpConfig(), active=True)
    b = Connection(TcpConfig(), active=False)
    b.open(0)
    a.open(0)
    a.write(10)
    a.close(0)
    b.receive(take(a)[0], MS)
    a.receive(take(b)[0], MS)
    (last,) = take(a)
    assert (last.payload_bytes, last.flags) == (10, ACK | PSH | FIN)
    assert a.state is State.FIN_WAIT_1


def test_opening_twice_and_writing_late():
    a, _ = joined()
    with pytest.raises(ProtocolError):
        a.open(0)
    a.close(0)
    with pytest.raises(ValueError):
        a.write(1)


def test_reading_more_than_there_is():
    _, b = joined()
    with pytest.raises(ValueError):
        b.read(1, 5 * MS)
