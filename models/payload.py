"""Payload bytes that are pointed at, never copied: a capture's, or a synthetic stream's.

Models: streams of bytes, one per flow and direction, and the 16-bit sum of any stretch of one.
Leaves out: flipped bytes (corruption comes with the lossy paths).
Sources: own; sums as RFC 1071 wants them.
Checked by: tests/models/test_payload.py against sums over the bytes themselves.

Synthetic streams are one pattern of random bytes, repeated; each stream enters it somewhere else. The period is a
prime number of 16-bit words above 65,536, so no two segments of a packet look alike. Prefix sums of the bytes at even
and at odd places, not reduced, make the sum of a stretch of any length and either alignment O(1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.compiled import njit
from models.train import CAPTURED

PERIOD_WORDS = 65_537
PERIOD_BYTES = 2 * PERIOD_WORDS
_STREAM_STEP_BYTES = 2 * 24_593  # even, so alignment is the stream offset's; coprime to the period in words
_PATTERN_SEED = 20081215  # fixed: payload bytes are part of the golden results


class Payloads(NamedTuple):
    """Where payload bytes come from; handed to every kernel that looks at one.

    `captured` uint8[file size]; `pattern` uint8[PERIOD_BYTES]; `prefix` int64[PERIOD_BYTES + 1, 2], the sums of the
    pattern's bytes at even and at odd places before each place."""

    captured: NDArray[np.uint8]
    pattern: NDArray[np.uint8]
    prefix: NDArray[np.int64]


def _synthetic() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    words = np.random.Generator(np.random.PCG64(_PATTERN_SEED)).integers(0, 256, PERIOD_BYTES, np.int64)
    prefix = np.zeros((PERIOD_BYTES + 1, 2), np.int64)
    for parity in (0, 1):
        mine = words.copy()
        mine[1 - parity :: 2] = 0
        prefix[1:, parity] = np.cumsum(mine)
    return words.astype(np.uint8), prefix


_PATTERN, _PREFIX = _synthetic()
SYNTHETIC = Payloads(np.zeros(0, np.uint8), _PATTERN, _PREFIX)


def for_capture(captured: NDArray[np.uint8]) -> Payloads:
    """Payloads whose source CAPTURED is the array given, uint8[file size]."""
    return Payloads(captured, _PATTERN, _PREFIX)


@njit(_nrt=False)
def octets_sum(octets, start, stop):
    """Sum of the big-endian 16-bit words in bytes [start, stop), an odd last byte padded with zero.

    Folded: congruent to the sum modulo 0xFFFF, and 0 only if that is. For long stretches: it reads eight bytes at once
    in the byte order of the machine, which is little endian wherever numba runs (RFC 1071 section 2 (B))."""
    if start >= stop:
        return np.int64(0)
    behind = start + (stop - start) // 8 * 8
    eights = octets[start:behind].view(np.int64)
    total = np.int64(0)
    for k in range(len(eights)):  # not by halves: a 16-bit word widened to 64 bits leaves three quarters of it empty
        total += (eights[k] & 0xFFFFFFFF) + ((eights[k] >> 32) & 0xFFFFFFFF)
    for at in range(behind, stop - 1, 2):
        total += np.int64(octets[at]) | np.int64(octets[at + 1]) << 8
    if stop - start & 1:
        total += np.int64(octets[stop - 1])
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return (total & 0xFF) << 8 | total >> 8


@njit(_nrt=False)
def payload_sum(payloads, source, start, n_bytes):
    """Sum of the big-endian 16-bit words of a stretch, an odd last byte padded with zero; not folded."""
    high = low = np.int64(0)
    if source == CAPTURED:
        return octets_sum(payloads.captured, start, min(start + n_bytes, len(payloads.captured)))
    prefix = payloads.prefix
    begin = (start + source * _STREAM_STEP_BYTES) % PERIOD_BYTES
    whole, rest = divmod(n_bytes, PERIOD_BYTES)
    parity = begin & 1
    end = begin + rest
    if end <= PERIOD_BYTES:
        high = prefix[end, parity] - prefix[begin, parity]
        low = prefix[end, 1 - parity] - prefix[begin, 1 - parity]
    else:
        whole += 1
        end -= PERIOD_BYTES
        high = prefix[end, parity] - prefix[begin, parity]
        low = prefix[end, 1 - parity] - prefix[begin, 1 - parity]
    high += whole * prefix[PERIOD_BYTES, parity]
    low += whole * prefix[PERIOD_BYTES, 1 - parity]
    return (high << 8) + low


@njit
def payload_word(payloads, source, start, n_bytes, at):
    """The 32-bit word at byte `at` of a stretch of `n_bytes`; zeros behind its end."""
    high = payload_sum(payloads, source, start + at, max(0, min(2, n_bytes - at)))
    low = payload_sum(payloads, source, start + at + 2, max(0, min(2, n_bytes - at - 2)))
    return high << 16 | low


@njit(_nrt=False)
def copy_octets(octets, start, n_bytes, out, at):
    """Copy a stretch of `octets` uint8[...], another array than `out`, into `out` from byte `at` on."""
    source, target = octets[start : start + n_bytes], out[at : at + n_bytes]
    for k in range(len(source)):  # from 0, so that the compiler makes it a block copy
        target[k] = source[k]


@njit(_nrt=False)
def copy_payload(payloads, source, start, n_bytes, out, at):
    """Write a stretch into `out` uint8[...] from byte `at`; bytes a capture does not hold become zero."""
    if source == CAPTURED:
        have = max(0, min(n_bytes, len(payloads.captured) - start))
        copy_octets(payloads.captured, start, have, out, at)
        for k in range(have, n_bytes):
            out[at + k] = 0
        return
    place = (start + source * _STREAM_STEP_BYTES) % PERIOD_BYTES
    for k in range(n_bytes):
        out[at + k] = payloads.pattern[place]
        place += 1
        if place == PERIOD_BYTES:
            place = 0
