"""Sequence numbers: 32 bits on the wire, without end inside.

Models: the comparison modulo 2**32, as the choice of the one number nearest to a known one.
Leaves out: nothing known.
Sources: RFC 9293 section 3.4.
Checked by: tests/models/tcp/test_sequence.py.
"""

from models.offload.kernel import njit

WIRE_MASK = 0xFFFFFFFF
_HALF = 1 << 31


def on_wire(number: int) -> int:
    """The 32 bits of `number` that a header carries."""
    return number & WIRE_MASK


@njit
def unwrapped(wire: int, near: int) -> int:
    """The number with the low 32 bits `wire` in [near - 2**31, near + 2**31)."""
    return near + ((wire - near + _HALF) & WIRE_MASK) - _HALF
