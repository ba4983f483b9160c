import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.payload import PERIOD_BYTES, SYNTHETIC, copy_payload, for_capture, payload_sum
from models.train import CAPTURED


def slow_sum(octets: np.ndarray) -> int:
    padded = np.append(octets, 0) if len(octets) % 2 else octets
    return int((padded[0::2].astype(np.int64) * 256 + padded[1::2]).sum())


def folded(total: int) -> int:
    """What a checksum is made of: the sum modulo 0xFFFF, where 0 is only the sum of zeros."""
    return (total - 1) % 0xFFFF + 1 if total else 0


@given(source=st.integers(1, 10**6), start=st.integers(0, 2**40), n_bytes=st.integers(0, 3000))
def test_sum_of_any_stretch_is_the_sum_of_its_bytes(source, start, n_bytes):
    out = np.zeros(n_bytes, np.uint8)
    copy_payload(SYNTHETIC, source, start, n_bytes, out, 0)
    assert payload_sum(SYNTHETIC, source, start, n_bytes) == slow_sum(out)


@pytest.mark.parametrize("n_bytes", [PERIOD_BYTES - 1, PERIOD_BYTES, PERIOD_BYTES + 1, 5 * PERIOD_BYTES + 7])
def test_sum_over_whole_periods(n_bytes):
    out = np.zeros(n_bytes, np.uint8)
    copy_payload(SYNTHETIC, 3, 12_345, n_bytes, out, 0)
    assert payload_sum(SYNTHETIC, 3, 12_345, n_bytes) == slow_sum(out)


@given(st.binary(min_size=1, max_size=99), st.data())
def test_captured_stretch(octets, data):
    start = data.draw(st.integers(0, len(octets)))
    n_bytes = data.draw(st.integers(0, len(octets) - start))
    payloads = for_capture(np.frombuffer(octets, np.uint8))
    assert folded(payload_sum(payloads, CAPTURED, start, n_bytes)) == folded(
        slow_sum(payloads.captured[start : start + n_bytes])
    )


@pytest.mark.parametrize("start", [0, 1, 2, 3])
@pytest.mark.parametrize("n_bytes", [1447, 1448, 200_001])
def test_long_captured_stretch(start, n_bytes):
    octets = np.random.default_rng(1).integers(0, 256, start + n_bytes).astype(np.uint8)
    octets[start:][:600] = 255  # many carries
    assert folded(payload_sum(for_capture(octets), CAPTURED, start, n_bytes)) == folded(slow_sum(octets[start:]))


def test_what_a_capture_does_not_hold_reads_as_zero():
    out = np.full(4, 9, np.uint8)
    copy_payload(for_capture(np.array([1, 2], np.uint8)), CAPTURED, 1, 4, out, 0)
    assert out.tolist() == [2, 0, 0, 0]
