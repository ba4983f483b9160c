"""When the receiver acknowledges and which window it offers: offload-rules.md section 8.2."""

import numpy as np
import pytest

from models.tcp.config import TcpConfig
from models.tcp.receiver import (
    NEVER,
    accept,
    advertise,
    consume,
    in_order_bytes,
    initial_window_field,
    readable_bytes,
    scale_by,
    synchronise,
    window,
)
from tests.models.tcp.endpoints import endpoint

MS = 10**9
MSS = 1448
HELD = np.zeros((64, 2), np.int64)


def receiver(*, quick=0, **config):
    """One that has seen full segments and has no quick ACKs left."""
    made = endpoint(TcpConfig(**config))
    initial_window_field(made)
    synchronise(made, -1)
    scale_by(made, 7)
    advertise(made)
    made.peer_mss = MSS
    made.ato_ps = 40 * MS
    made.quick_acks = quick
    return made


def arrive(made, seq, n_bytes, *, segment_bytes=0, now_ps=MS, fin=False, push=False):
    """Does the packet cause an ACK at once?"""
    accept(made, seq, n_bytes, int(fin), int(push), seq, segment_bytes or min(n_bytes, MSS), now_ps, 200 * MS, HELD)
    due = bool(made.ack_due)
    if due:
        advertise(made)
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
        consume(made, readable_bytes(made))
    assert got == acks


def test_a_single_segment_waits_40_ms():
    made = receiver()
    arrive(made, 0, MSS, now_ps=5 * MS)
    assert made.delayed_at == 45 * MS


@pytest.mark.parametrize(
    ("n_bytes", "push", "read", "acks"),
    [
        (MSS, True, MSS, True),  # the end of what the peer had to say; Linux 6.7
        (MSS, False, MSS, False),
        (MSS, True, MSS - 1, False),  # the reader left something
        (100, False, 100, True),  # shorter than a segment
        (100, False, 99, False),
    ],
)
def test_a_reader_who_empties_the_socket_after_a_push_acknowledges(n_bytes, push, read, acks):
    made = receiver()
    assert not arrive(made, 0, n_bytes, push=push)
    consume(made, read)
    assert made.ack_due == acks
    advertise(made)
    arrive(made, n_bytes, MSS)
    consume(made, readable_bytes(made))
    assert not made.ack_due  # that push has been answered


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
    assert made.fin_received and in_order_bytes(made) == 100


def test_the_segment_size_comes_from_what_the_merge_remembers():
    made = receiver()
    arrive(made, 0, 10 * 1448, segment_bytes=1448)
    assert made.peer_mss == 1448
    arrive(made, 14480, 10 * 1448, segment_bytes=14480)  # LRO that forgets: capped at the advertised MSS
    assert made.peer_mss == 1460


def test_an_ack_waits_for_the_reader_when_it_would_shrink_the_window():
    made = receiver(receive_buffer_bytes=40 * MSS, receive_memory_bytes=40 * MSS)
    assert not arrive(made, 0, 10 * MSS)
    consume(made, 10 * MSS)
    assert made.ack_due


def test_out_of_order_stretches_join_newest_first():
    made = receiver()
    for start in (10, 30, 50, 20):
        accept(made, start, 10, 0, 0, start, 10, 0, MS, HELD)
    assert HELD[: made.held_count].tolist() == [[10, 40], [50, 60]]
    accept(made, 0, 10, 0, 0, 0, 10, 0, MS, HELD)
    assert made.rcv_next == 40 and HELD[: made.held_count].tolist() == [[50, 60]]


@pytest.mark.parametrize(
    ("buffer", "scale", "whole"),
    [(45 * MSS, 7, 65280), (4 << 20, 7, 4 << 20), (10 * MSS, 3, 14480), (1 << 30, 7, 65535 << 7)],
)
def test_the_window_is_the_whole_buffer_rounded_up(buffer, scale, whole):
    made = endpoint(TcpConfig(receive_buffer_bytes=buffer))
    scale_by(made, scale)
    assert window(made) == whole
    assert advertise(made) == whole >> scale


def test_without_scaling_the_window_is_whole_segments():
    made = endpoint(TcpConfig(receive_buffer_bytes=30_000))
    made.peer_mss = MSS
    assert window(made) == 20 * MSS


def test_the_right_edge_stays_when_nothing_is_read():
    made = receiver(receive_buffer_bytes=1 << 20, receive_memory_bytes=1 << 20)
    edge = made.right_edge
    for n in range(20):
        arrive(made, n * 45 * MSS, 45 * MSS)
        advertise(made)
        assert edge <= made.right_edge <= (1 << 20) + 128
        assert made.rcv_next <= made.right_edge
    assert advertise(made) == 0


def test_a_window_update_when_the_window_has_doubled():
    made = receiver(receive_buffer_bytes=64 << 10, receive_memory_bytes=64 << 10)
    arrive(made, 0, 60_000)
    advertise(made)
    consume(made, 1000)
    assert not made.ack_due
    consume(made, 30_000)
    assert made.ack_due


def test_payload_at_the_wrong_place_is_counted():
    made = receiver()
    accept(made, 0, MSS, 0, 0, MSS, MSS, 0, MS, HELD)
    assert made.payload_errors == 1


def test_no_delayed_ack_is_left_after_an_ack():
    made = receiver()
    arrive(made, 0, MSS)
    arrive(made, MSS, MSS)
    assert made.delayed_at == NEVER
