"""What leaves, in which pieces: offload-rules.md section 8.1; and repair by RFC 6582 and RFC 6298."""

import pytest

from models.tcp.config import TcpConfig
from models.tcp.receiver import NEVER
from models.tcp.segment import FIN, PSH
from models.tcp.sender import UNLIMITED, Sender

MS = 10**9
MSS = 1448


class Sent(list):
    """What a sender emitted, as (start, segments, flags, again)."""

    def __call__(self, number, n_bytes, flags, again, now_ps):
        self.append((number, n_bytes / MSS, flags, again))


def sender(*, data=UNLIMITED, window=1 << 30, cwnd=10, **config):
    sent = Sent()
    made = Sender(TcpConfig(initial_cwnd=cwnd, initial_sequence=-1, **config), sent)
    made.acknowledge(0, 0, window, carries_data=True, echo_ticks=-1, now_ps=0)
    made.data_end = data
    return made, sent


def ack(made, segments, *, now_ps=MS, window=1 << 30):
    made.acknowledge(0, segments * MSS, window, carries_data=False, echo_ticks=-1, now_ps=now_ps)
    made.pump(now_ps)


@pytest.mark.parametrize(
    ("kind", "limits", "pieces"),
    [
        ("cwnd", {"cwnd": 10}, [10]),
        ("TSO limit", {"cwnd": 100}, [45, 45, 10]),
        ("window", {"cwnd": 100, "window": 5 * MSS + 100}, [5]),
        ("small TSO", {"cwnd": 10, "tso_bytes": 4 * MSS + 5}, [4, 4, 2]),
        ("data", {"cwnd": 10, "data": 3 * MSS}, [3]),
        ("tail", {"cwnd": 10, "data": 3 * MSS + MSS // 2}, [3.5]),
        ("tail beyond cwnd", {"cwnd": 3, "data": 3 * MSS + MSS // 2}, [3]),
    ],
)
def test_pieces(kind, limits, pieces):
    made, sent = sender(**limits)
    made.rtt.sample(MS)  # as the handshake would: nothing is deferred at the start
    made.pump(0)
    assert [piece for _, piece, _, _ in sent] == pieces, kind


@pytest.mark.parametrize(
    ("limits", "flags"),
    [
        ({"cwnd": 10}, PSH),  # more than one segment
        ({"cwnd": 1}, 0),  # one segment, more data behind it
        ({"cwnd": 10, "data": MSS}, PSH),  # the last data written
        ({"cwnd": 10, "data": 100}, PSH),
    ],
)
def test_push(limits, flags):
    made, sent = sender(**limits)
    made.pump(0)
    assert sent[0][2] == flags


def test_the_fin_rides_on_the_last_data():
    made, sent = sender(data=2 * MSS)
    made.fin_queued = True
    made.pump(0)
    assert sent == [(0, 2, PSH | FIN, False)]
    assert made.max == 2 * MSS + 1


def test_a_small_tail_waits_for_an_earlier_small_tail():
    made, sent = sender(data=100)
    made.pump(0)
    made.data_end = 200
    made.pump(0)
    assert len(sent) == 1  # Nagle, Minshall's form
    made.acknowledge(0, 100, 1 << 30, carries_data=False, echo_ticks=-1, now_ps=MS)
    made.pump(MS)
    assert len(sent) == 2


def test_a_packet_that_is_not_full_waits_for_more_acks():
    made, sent = sender(cwnd=30)
    made.congestion.ssthresh = 30
    made.pump(0)
    ack(made, 2, now_ps=MS)
    assert len(sent) == 1
    ack(made, 10)
    assert [piece for _, piece, _, _ in sent] == [30, 10]


def test_three_duplicates_repeat_the_first_segment_and_halve():
    made, sent = sender(congestion="reno", tso_defer=False)
    made.pump(0)
    sent.clear()
    for _ in range(2):
        ack(made, 0)
    assert [again for _, _, _, again in sent] == [False, False]  # limited transmit, RFC 3042
    sent.clear()
    ack(made, 0)
    assert sent[0] == (0, 1, 0, True)
    assert (made.congestion.cwnd, made.in_recovery, made.fast_retransmits) == (5, True, 1)
    sent.clear()
    ack(made, 3, now_ps=2 * MS)  # partial: the next hole
    assert sent[0] == (3 * MSS, 1, 0, True)
    ack(made, made.recover // MSS, now_ps=3 * MS)
    assert not made.in_recovery


@pytest.mark.parametrize("change", ["payload", "window", "newer"])
def test_what_is_not_a_duplicate(change):
    made, _ = sender()
    made.pump(0)
    for n in range(1, 5):
        made.acknowledge(n if change == "newer" else 0, 0, (1 << 30) + n * (change == "window"),
                         carries_data=change == "payload", echo_ticks=-1, now_ps=MS)  # fmt: skip
    assert made.duplicates == 0


def test_a_timeout_goes_back_and_starts_slowly():
    made, sent = sender(cwnd=8, congestion="reno")
    made.pump(0)
    assert made.rto_at == 1000 * MS
    sent.clear()
    made.on_rto(1000 * MS)
    assert sent == [(0, 1, 0, True)]
    assert made.rto_at == 3000 * MS  # doubled
    sent.clear()
    ack(made, 1, now_ps=1001 * MS)
    assert sent == [(MSS, 2, PSH, True)]
    assert (made.congestion.cwnd, made.congestion.ssthresh) == (2, 4)


def test_the_timer_stops_when_all_is_acknowledged():
    made, _ = sender(data=3 * MSS)
    made.pump(0)
    ack(made, 3)
    assert made.rto_at == NEVER


def test_a_closed_window_is_probed_with_growing_pauses():
    made, sent = sender(window=0)
    made.pump(0)
    assert sent == [] and made.persist_at == 1000 * MS
    waits, now_ps = [], made.persist_at
    for _ in range(3):
        made.on_persist(now_ps)
        waits.append((made.persist_at - now_ps) // MS)
        now_ps = made.persist_at
    assert waits == [2000, 4000, 8000]
    assert [number for number, *_ in sent] == [-1, -1, -1]
    ack(made, 0, now_ps=now_ps)
    assert sent[-1][1] == 10 and made.persist_at == NEVER


def test_cwnd_does_not_grow_while_the_window_limits():
    made, _ = sender(window=5 * MSS, cwnd=20)
    made.pump(0)
    for n in range(1, 50):
        ack(made, n, window=5 * MSS)
    assert made.congestion.cwnd == 20


def test_a_round_trip_is_measured_only_on_what_was_sent_once_and_outside_recovery():
    made, sent = sender(cwnd=10, congestion="reno", tso_defer=False)
    made.pump(0)
    for _ in range(10):
        ack(made, 0, now_ps=50 * MS)
    recover, sent_in_recovery = made.recover // MSS, made.max // MSS
    assert sent_in_recovery > recover
    ack(made, recover, now_ps=60 * MS)  # new data leaves again
    ack(made, sent_in_recovery, now_ps=61 * MS)
    assert made.rtt.srtt_ps == 0
    ack(made, sent_in_recovery + 1, now_ps=67 * MS)
    assert made.rtt.srtt_ps == 7 * MS
