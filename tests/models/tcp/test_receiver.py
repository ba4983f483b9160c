"""When the receiver acknowledges and which window it offers: offload-rules.md section 8.2."""

import pytest

from models.tcp.config import TcpConfig
from models.tcp.receiver import NEVER, Receiver

MS = 10**9
MSS = 1448


def receiver(*, quick=0, **config):
    """One that has seen full segments and has no quick ACKs left."""
    made = Receiver(TcpConfig(**config))
    made.initial_window_field()
    made.synchronise(-1)
    made.scale_by(7)
    made.advertise()
    made.peer_mss = MSS
    made.ato_ps = 40 * MS
    made.quick_acks = quick
    return made


def arrive(made, seq, n_bytes, *, segment_bytes=0, now_ps=MS, fin=False):
    """Does the packet cause an ACK at once?"""
    made.accept(seq, n_bytes, fin=fin, stream_start=seq, segment_bytes=segment_bytes or min(n_bytes, MSS),
                now_ps=now_ps, rto_ps=200 * MS)  # fmt: skip
    due = made.ack_due
    if due:
        made.advertise()
    return due


@pytest.mark.parametrize(
    ("packets", "acks"),
    [
        ([1], [False]),
        ([1, 1], [False, True]),  # every second segment
        ([2], [True]),  # a merged packet: one ACK
        ([45], [True]),
        ([1, 45], [False, True]),
        ([45, 1, 1], [True, False, True]),
        ([3, 3, 3], [True, True, True]),
    ],
)
def test_one_decision_a_packet(packets, acks):
    made, seq, got = receiver(), 0, []
    for segments in packets:
        got.append(arrive(made, seq, segments * MSS))
        seq += segments * MSS
        made.read(made.readable_bytes)
    assert got == acks


def test_a_single_segment_waits_40_ms():
    made = receiver()
    arrive(made, 0, MSS, now_ps=5 * MS)
    assert made.delayed_at == 45 * MS


def test_quick_acks_are_used_up():
    made = receiver(quick=3)
    assert [arrive(made, n * MSS, MSS) for n in range(6)] == [True, True, True, False, True, False]


def test_the_first_data_starts_quick_acks():
    made = receiver()
    made.ato_ps = 0
    arrive(made, 0, MSS)
    assert made.quick_acks == 15  # min(window / (2 mss), 16), one spent


@pytest.mark.parametrize(
    ("seq", "n_bytes", "why"), [(MSS, MSS, "a hole before it"), (-MSS, MSS, "old"), (0, MSS, "fills the hole")]
)
def test_disorder_is_told_at_once(seq, n_bytes, why):
    made = receiver()
    if why == "fills the hole":
        arrive(made, MSS, MSS)
    assert arrive(made, seq, n_bytes), why


def test_a_fin_is_acknowledged_at_once():
    made = receiver()
    assert arrive(made, 0, 100, fin=True)
    assert made.fin_received and made.in_order_bytes == 100


def test_the_segment_size_comes_from_what_the_merge_remembers():
    made = receiver()
    arrive(made, 0, 10 * 1448, segment_bytes=1448)
    assert made.peer_mss == 1448
    arrive(made, 14480, 10 * 1448, segment_bytes=14480)  # LRO that forgets: capped at the advertised MSS
    assert made.peer_mss == 1460


def test_an_ack_waits_for_the_reader_when_it_would_shrink_the_window():
    made = receiver(receive_buffer_bytes=40 * MSS, receive_memory_bytes=40 * MSS)
    assert not arrive(made, 0, 10 * MSS)
    made.read(10 * MSS)
    assert made.ack_due


def test_out_of_order_stretches_join_newest_first():
    made = receiver()
    for start in (10, 30, 50, 20):
        made.accept(start, 10, fin=False, stream_start=start, segment_bytes=10, now_ps=0, rto_ps=MS)
    assert made.sack_blocks(3) == ((10, 40), (50, 60))
    made.accept(0, 10, fin=False, stream_start=0, segment_bytes=10, now_ps=0, rto_ps=MS)
    assert made.next == 40 and made.sack_blocks(3) == ((50, 60),)


@pytest.mark.parametrize(
    ("buffer", "scale", "window"),
    [(45 * MSS, 7, 65280), (4 << 20, 7, 4 << 20), (10 * MSS, 3, 14480), (1 << 30, 7, 65535 << 7)],
)
def test_the_window_is_the_whole_buffer_rounded_up(buffer, scale, window):
    made = Receiver(TcpConfig(receive_buffer_bytes=buffer))
    made.scale_by(scale)
    assert made.window() == window
    assert made.advertise() == window >> scale


def test_without_scaling_the_window_is_whole_segments():
    made = Receiver(TcpConfig(receive_buffer_bytes=30_000))
    made.peer_mss = MSS
    assert made.window() == 20 * MSS


def test_the_right_edge_stays_when_nothing_is_read():
    made = receiver(receive_buffer_bytes=1 << 20, receive_memory_bytes=1 << 20)
    edge = made.right_edge
    for n in range(20):
        arrive(made, n * 45 * MSS, 45 * MSS)
        made.advertise()
        assert edge <= made.right_edge <= (1 << 20) + 128
        assert made.next <= made.right_edge
    assert made.advertise() == 0


def test_a_window_update_when_the_window_has_doubled():
    made = receiver(receive_buffer_bytes=64 << 10, receive_memory_bytes=64 << 10)
    arrive(made, 0, 60_000)
    made.advertise()
    made.read(1000)
    assert not made.ack_due
    made.read(30_000)
    assert made.ack_due


def test_payload_at_the_wrong_place_is_counted():
    made = receiver()
    made.accept(0, MSS, fin=False, stream_start=MSS, segment_bytes=MSS, now_ps=0, rto_ps=MS)
    assert made.payload_errors == 1


def test_reading_more_than_there_is():
    made = receiver()
    with pytest.raises(ValueError):
        made.read(1)


def test_no_delayed_ack_is_left_after_an_ack():
    made = receiver()
    arrive(made, 0, MSS)
    arrive(made, MSS, MSS)
    assert made.delayed_at == NEVER
