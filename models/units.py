"""Rates, times, sizes: the only file that knows powers of ten (and of two).

Models: bits per second, whole picoseconds and bytes, and the text people write for them: `10Gbps`, `20us`, `1MiB`.
Leaves out: rounding; a value that is no whole number of the base unit is refused.
Sources: IEC 80000-13 for the binary prefixes.
Checked by: tests/models/test_units.py.
"""

import re
from decimal import Decimal

PS_PER_NS = 10**3
PS_PER_US = 10**6
PS_PER_MS = 10**9
PS_PER_S = 10**12
NEVER = 1 << 62  # later than any time [ps]
BPS_PER_GBPS = 10**9
BYTES_PER_MIB = 2**20

_TIMES_PS = {"s": PS_PER_S, "ms": PS_PER_MS, "us": PS_PER_US, "ns": PS_PER_NS, "ps": 1}
_RATES_BPS = {"Gbps": 10**9, "Mbps": 10**6, "kbps": 10**3, "Tbps": 10**12, "bps": 1}
_SIZES_BYTES = {
    "GiB": 2**30,
    "MiB": 2**20,
    "KiB": 2**10,
    "GB": 10**9,
    "MB": 10**6,
    "kB": 10**3,
    "B": 1,
}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-zµ]+)?")


def serialization_ps(*, wire_bytes: int, rate_bps: int) -> int:
    """Time [ps] to clock `wire_bytes` [bytes] onto a line of `rate_bps` [bit/s], rounded up."""
    return -(-wire_bytes * 8 * PS_PER_S // rate_bps)


def parse_time_ps(text: str) -> int:
    """Time [ps] of `20us`, `1.5 ms`, `0`. ValueError when it is no time or no whole number of ps."""
    return _parse(text.replace("µs", "us"), _TIMES_PS, bare=None)


def parse_rate_bps(text: str) -> int:
    """Rate [bit/s] of `10Gbps`. ValueError when it is no rate or no whole number of bit/s."""
    return _parse(text, _RATES_BPS, bare=None)


def parse_size_bytes(text: str) -> int:
    """Size [bytes] of `1MiB`, `64kB`, `1500`. ValueError when it is no size or no whole number of bytes."""
    return _parse(text, _SIZES_BYTES, bare=1)


def format_time(time_ps: int) -> str:
    """The shortest exact text: 20000000 ps is `20us`, none is `0`."""
    return _format(time_ps, _TIMES_PS)


def format_rate(rate_bps: int) -> str:
    """The shortest exact text: 10**10 bit/s is `10Gbps`."""
    return _format(rate_bps, {unit: scale for unit, scale in _RATES_BPS.items() if unit != "Tbps"})


def format_size(size_bytes: int) -> str:
    """The shortest exact text in binary units: 1048576 bytes is `1MiB`, 1500 stays `1500B`."""
    binary = {unit: scale for unit, scale in _SIZES_BYTES.items() if unit.endswith("iB") or scale == 1}
    return _format(size_bytes, binary)


def _parse(text: str, units: dict[str, int], *, bare: int | None) -> int:
    """Exact value in the base unit; a number without unit counts `bare` (None: only zero may go without)."""
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    number = Decimal(match[1])
    scale = units.get(match[2]) if match[2] else (1 if number == 0 else bare)
    if scale is None:
        raise ValueError(text)
    value = number * scale
    if value != int(value):
        raise ValueError(text)
    return int(value)


def _format(value: int, units: dict[str, int]) -> str:
    for unit, scale in units.items():
        if value and value % scale == 0:
            return f"{value // scale}{unit}"
    return f"{value}{min(units, key=lambda unit: units[unit])}" if value else "0"
