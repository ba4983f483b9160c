"""What leaves, in which pieces: offload-rules.md section 8.1; and repair by RFC 6582 and RFC 6298."""

import pytest

from models.tcp import rtt, sender
from models.tcp.config import TcpConfig
from models.tcp.endpoint import Endpoints
from models.tcp.segment import ACK, FIN, FLAGS, PAYLOAD_BYTES, PSH, RETRANSMISSION, SEQ
from models.tcp.sender import UNLIMITED
from models.tcp.sequence import unwrapped
from models.units import NEVER

MS = 10**9
MSS = 1448


class Sending:
    """A sender, and in `sent` what it emitted, as (start, segments, flags, again)."""

    def __init__(self, *, data=UNLIMITED, window=1 << 30, cwnd=10, **config):
        self.table = Endpoints(1)
        self.table.begin(0, TcpConfig(initial_cwnd=cwnd, initial_sequence=-1, **config))
        self.c = self.table.records[0]
        self.sent = []
        self.acknowledge(0, 0, window, carries_data=True, now_ps=0)
        self.c.data_end = data

    def call(self, function, *arguments):
        function(self.c, *arguments, self.table.sent[0], self.table.out)
        for row in self.table.out[: self.c.out_rows].tolist():
            number = unwrapped(row[SEQ], self.c.una)
            self.sent.append((number, row[PAYLOAD_BYTES] / MSS, row[FLAGS] & ~ACK, bool(row[RETRANSMISSION])))
        self.c.out_rows = 0

    def acknowledge(self, seq, number, window, *, carries_data=False, now_ps=MS):
        self.call(sender.acknowledge, seq, number, window, carries_data, -1, now_ps)

    def pump(self, now_ps):
        self.call(sender.pump, now_ps)

    def ack(self, segments, *, now_ps=MS, window=1 << 30):
        self.acknowledge(0, int(segments) * MSS, window, now_ps=now_ps)
        self.pump(now_ps)


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
    made = Sending(**limits)
    sent = made.sent
    rtt.sample(made.c, MS)  # as the handshake would: nothing is deferred at the start
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
    made = Sending(**limits)
    sent = made.sent
    made.pump(0)
    assert sent[0][2] == flags


def test_the_fin_rides_on_the_last_data():
    made = Sending(data=2 * MSS)
    sent = made.sent
    made.c.fin_queued = True
    made.pump(0)
    assert sent == [(0, 2, PSH | FIN, False)]
    assert made.c.snd_max == 2 * MSS + 1


def test_a_small_tail_waits_for_an_earlier_small_tail():
    made = Sending(data=100)
    sent = made.sent
    made.pump(0)
    made.c.data_end = 200
    made.pump(0)
    assert len(sent) == 1  # Nagle, Minshall's form
    made.acknowledge(0, 100, 1 << 30)
    made.pump(MS)
    assert len(sent) == 2


def test_a_packet_that_is_not_full_waits_for_more_acks():
    made = Sending(cwnd=30)
    sent = made.sent
    made.c.ssthresh = 30
    made.pump(0)
    made.ack(2, now_ps=MS)
    assert len(sent) == 1
    made.ack(10)
    assert [piece for _, piece, _, _ in sent] == [30, 10]


def test_three_duplicates_repeat_the_first_segment_and_halve():
    made = Sending(congestion="reno", tso_defer=False)
    sent = made.sent
    made.pump(0)
    sent.clear()
    for _ in range(2):
        made.ack(0)
    assert [again for _, _, _, again in sent] == [False, False]  # limited transmit, RFC 3042
    sent.clear()
    made.ack(0)
    assert sent[0] == (0, 1, 0, True)
    assert (made.c.cwnd, made.c.in_recovery, made.c.fast_retransmits) == (5, True, 1)
    sent.clear()
    made.ack(3, now_ps=2 * MS)  # partial: the next hole
    assert sent[0] == (3 * MSS, 1, 0, True)
    made.ack(made.c.recover // MSS, now_ps=3 * MS)
    assert not made.c.in_recovery


@pytest.mark.parametrize("change", ["payload", "window", "newer"])
def test_what_is_not_a_duplicate(change):
    made = Sending()
    made.pump(0)
    for n in range(1, 5):
        made.acknowledge(n if change == "newer" else 0, 0, (1 << 30) + n * (change == "window"),
                         carries_data=change == "payload")  # fmt: skip
    assert made.c.duplicates == 0


def test_a_timeout_goes_back_and_starts_slowly():
    made = Sending(cwnd=8, congestion="reno")
    sent = made.sent
    made.pump(0)
    assert made.c.rto_at == 1000 * MS
    sent.clear()
    made.call(sender.on_rto, 1000 * MS)
    assert sent == [(0, 1, 0, True)]
    assert made.c.rto_at == 3000 * MS  # doubled
    sent.clear()
    made.ack(1, now_ps=1001 * MS)
    assert sent == [(MSS, 2, PSH, True)]
    assert (made.c.cwnd, made.c.ssthresh) == (2, 4)


def test_the_timer_stops_when_all_is_acknowledged():
    made = Sending(data=3 * MSS)
    made.pump(0)
    made.ack(3)
    assert made.c.rto_at == NEVER


def test_a_closed_window_is_probed_with_growing_pauses():
    made = Sending(window=0)
    sent = made.sent
    made.pump(0)
    assert sent == [] and made.c.persist_at == 1000 * MS
    waits, now_ps = [], made.c.persist_at
    for _ in range(3):
        made.call(sender.on_persist, now_ps)
        waits.append((made.c.persist_at - now_ps) // MS)
        now_ps = made.c.persist_at
    assert waits == [2000, 4000, 8000]
    assert [number for number, *_ in sent] == [-1, -1, -1]
    made.ack(0, now_ps=now_ps)
    assert sent[-1][1] == 10 and made.c.persist_at == NEVER


def test_cwnd_does_not_grow_while_the_window_limits():
    made = Sending(window=5 * MSS, cwnd=20)
    made.pump(0)
    for n in range(1, 50):
        made.ack(n, window=5 * MSS)
    assert made.c.cwnd == 20


def test_a_round_trip_is_measured_only_on_what_was_sent_once_and_outside_recovery():
    made = Sending(cwnd=10, congestion="reno", tso_defer=False)
    made.pump(0)
    for _ in range(10):
        made.ack(0, now_ps=50 * MS)
    recover, sent_in_recovery = made.c.recover // MSS, made.c.snd_max // MSS
    assert sent_in_recovery > recover
    made.ack(recover, now_ps=60 * MS)  # new data leaves again
    made.ack(sent_in_recovery, now_ps=61 * MS)
    assert made.c.srtt8_ps >> 3 == 0
    made.ack(sent_in_recovery + 1, now_ps=67 * MS)
    assert made.c.srtt8_ps >> 3 == 7 * MS
