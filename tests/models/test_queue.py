import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.queue import ACCEPTED, DROPPED, fifo, serve
from models.train import PAYLOAD_BYTES, TIME_PS, FrameTrain
from models.wire import ethernet

RATE_BPS = 10**10  # 800 ps a byte


def frames_of(arrivals, line_bytes):
    meta = FrameTrain.blank(len(arrivals)).meta
    meta[:, TIME_PS] = arrivals
    meta[:, PAYLOAD_BYTES] = np.asarray(line_bytes) - ethernet.LINE_OVERHEAD_BYTES
    return meta


def slow(arrivals, sizes, limit):
    """One frame at a time, with the queue as a list of departures."""
    out, inside, last = [], [], 0
    for at, size in zip(arrivals, sizes, strict=True):
        inside = [departure for departure in inside if departure > at]
        if limit is not None and len(inside) >= limit:
            out.append(DROPPED)
            continue
        last = max(at, last) + size * 800
        inside.append(last)
        out.append(last)
    return out


@given(
    frames=st.lists(st.tuples(st.integers(0, 4), st.integers(84, 90)), min_size=1, max_size=60),
    limit=st.sampled_from([None, 1, 2, 5]),
    cut=st.integers(1, 7),
)
def test_against_single_frames_however_cut(frames, limit, cut):
    arrivals = np.cumsum([gap * 16_800 for gap, _ in frames])
    sizes = np.array([size for _, size in frames])
    queue, out, meta = fifo(limit), np.empty(len(frames), np.int64), frames_of(arrivals, sizes)
    drops = sum(serve(queue, RATE_BPS, meta[k : k + cut], out[k : k + cut]) for k in range(0, len(frames), cut))
    assert out.tolist() == slow(arrivals.tolist(), sizes.tolist(), limit)
    assert queue.state[ACCEPTED] + drops == len(frames)


def test_a_departure_frees_its_place_before_an_arrival_at_the_same_time():
    queue, out = fifo(1), np.empty(2, np.int64)
    assert serve(queue, RATE_BPS, frames_of([0, 84 * 800], [84, 84]), out) == 0


def test_line_rate_of_full_frames():
    queue, out = fifo(None), np.empty(1000, np.int64)
    serve(queue, RATE_BPS, frames_of(np.zeros(1000), np.full(1000, 1538)), out)
    assert out[-1] == 1000 * 1_230_400  # 812,743.8 frames a second
