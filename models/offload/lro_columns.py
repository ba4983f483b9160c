"""The vocabulary of a card's rules: the columns of `lro_table.py`, what a cell can say, and how it is known.

Models: what there is to decide in merging: which frames, which fields, how far, and what the result says.
Leaves out: any engine's answer.
Sources: own; the columns are those in which the sources of `lro_table.py` differ.
Checked by: tests/models/offload/test_lro_table.py.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum, IntFlag

from models.offload.held import SETUP_WORDS as FIRST_WORD


class Versions(IntFlag):
    V4 = 1
    V6 = 2
    BOTH = 3


class Match(IntEnum):
    """Of a field: whether it must be as in the packet's first frame."""

    ANY = 0
    EQUAL = 1
    NOT_OLDER = 2  # modulo 2**32: the same or a later one
    NOT_SMALLER = 3  # as a plain number


class Ecn(IntEnum):
    ANY = 0
    EQUAL = 1  # ECN field, ECE and CWR as in the frame before
    NOT_CE = 2  # a marked frame stays alone; otherwise any


class Options(IntEnum):
    """Which TCP options a frame may have; none is always allowed."""

    ANY = 0
    ALIGNED = 1  # NOP NOP timestamps
    AFTER_NOPS = 2  # 12 bytes, timestamps behind any number of NOPs
    TIMESTAMPS = 3  # timestamps and padding, in any order


class Layout(IntEnum):
    """What if a frame's options are laid out otherwise than the first frame's."""

    ANY = 0  # it joins, and its timestamps are not looked at
    EQUAL = 1  # it does not join
    BLIND = 2  # it joins, and its timestamps are read where they would be, if need be from the payload


class Push(IntEnum):
    JOINS = 0
    CLOSES = 1  # a frame with PSH joins and is the last


class Size(IntEnum):
    ANY = 0
    NOT_LONGER = 1  # than the first frame's payload; a shorter one is the last


class Fallback(IntEnum):
    """What becomes of a frame that does not fit the packet of its flow."""

    ALONE = 0
    STARTS = 1  # the next packet


class Full(IntEnum):
    """What becomes of a frame of a new flow while all contexts are in use."""

    ALONE = 0
    EVICTS = 1  # the oldest


class Kept(IntEnum):
    """Which frame's value the merged header has."""

    FIRST = 0
    LAST = 1
    MINIMUM = 2
    ORED = 3


class Lone(IntEnum):
    """What becomes of a header to which nothing was joined."""

    KEPT = 0
    ZERO_WINDOW = 1


class Checksum(IntEnum):
    STALE = 0  # the first frame's, marked as verified
    VALID = 1


class GsoSize(IntEnum):
    NONE = 0
    FIRST = 1
    LARGEST = 2
    AVERAGE = 3  # payload over frames, rounded up


class Said(IntEnum):
    """Whether the driver fills in a field of the packet's metadata."""

    UNSET = 0
    SET = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """A value, where it is from, and whether `make` may be given another."""

    value: int
    source: str
    free: bool


ASSUMED = "assumed"


def known(value: int, source: str) -> Cell:
    return Cell(value, source, free=False)


def assumed(value: int) -> Cell:
    return Cell(value, ASSUMED, free=True)


def varies(value: int, source: str) -> Cell:
    """Known, but not the same in all versions or settings."""
    return Cell(value, source, free=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One engine. Rules, then results, then metadata, then limits (0: none)."""

    versions: Cell
    ip_options: Cell  # and IPv6 extension headers: Match.ANY, or EQUAL to none
    flags: Cell  # those a frame may have
    needs_ack: Cell  # whether a frame must have ACK
    psh: Cell
    ecn: Cell
    dscp: Cell
    ttl: Cell
    df: Cell
    mac: Cell
    vlan: Cell
    ack: Cell
    window: Cell
    options: Cell
    layout: Cell
    tsval: Cell
    zero_tsecr: Cell  # Match.ANY: a frame whose TSecr is 0 may join
    size: Cell
    misfit: Cell
    full: Cell
    ack_and_window: Cell
    ttl_written: Cell
    tsval_written: Cell
    tsecr_written: Cell
    psh_written: Cell
    lone: Cell
    checksum: Cell
    gso_size: Cell
    gso_type: Cell
    gso_segs: Cell
    contexts: Cell
    max_bytes: Cell  # of the IP packet
    max_frame_bytes: Cell  # from the first MAC byte
    max_segments: Cell
    max_bytes_in_mtus: Cell  # as many segments as there are whole MTUs in it
    timer_ps: Cell


COLUMNS = tuple(field.name for field in fields(Row))
(
    VERSIONS,
    IP_OPTIONS,
    FLAGS,
    NEEDS_ACK,
    PSH,
    ECN,
    DSCP,
    TTL,
    DF,
    MAC,
    VLAN,
    ACK,
    WINDOW,
    OPTIONS,
    LAYOUT,
    TSVAL,
    ZERO_TSECR,
    SIZE,
    MISFIT,
    FULL,
    ACK_AND_WINDOW,
    TTL_WRITTEN,
    TSVAL_WRITTEN,
    TSECR_WRITTEN,
    PSH_WRITTEN,
    LONE,
    CHECKSUM,
    GSO_SIZE,
    GSO_TYPE,
    GSO_SEGS,
    _,  # contexts, max_bytes, max_segments: words that all engines have
    _,
    MAX_FRAME_BYTES,
    _,
    MAX_BYTES_IN_MTUS,
    TIMER_PS,
) = range(FIRST_WORD, FIRST_WORD + len(COLUMNS))  # words of an engine's setup, behind those all engines have
WORDS = FIRST_WORD + len(COLUMNS)
NO_LIMIT = 1 << 62

WORDING: dict[str, type[IntEnum] | type[IntFlag]] = {
    "versions": Versions,
    "ip_options": Match,
    "psh": Push,
    "ecn": Ecn,
    "dscp": Match,
    "ttl": Match,
    "df": Match,
    "mac": Match,
    "vlan": Match,
    "ack": Match,
    "window": Match,
    "options": Options,
    "layout": Layout,
    "tsval": Match,
    "zero_tsecr": Match,
    "size": Size,
    "misfit": Fallback,
    "full": Full,
    "ack_and_window": Kept,
    "ttl_written": Kept,
    "tsval_written": Kept,
    "tsecr_written": Kept,
    "psh_written": Kept,
    "lone": Lone,
    "checksum": Checksum,
    "gso_size": GsoSize,
    "gso_type": Said,
    "gso_segs": Said,
}
FLAG_NAMES = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr")  # bit 0 first


def number(column: str, value: int | str) -> int:
    """The value of a column given in words, or as it is; ValueError if the column has no such word."""
    if isinstance(value, int):
        return value
    words = WORDING.get(column)
    name = value.replace("-", "_").upper()
    if words is None or name not in words.__members__:
        wanted = " or ".join(words.__members__).lower().replace("_", "-") if words else "a whole number"
        raise ValueError(f"{column}: found {value!r}, wanted {wanted}")
    return int(words[name])


def wording(column: str, value: int) -> str:
    """The value of a column in the words of `number` and of docs/engines.md."""
    if column == "flags":
        return " ".join(name for bit, name in enumerate(FLAG_NAMES) if value >> bit & 1)
    if column == "needs_ack":
        return "yes" if value else "no"
    if column in WORDING:
        name = WORDING[column](value).name
        assert name is not None
        return name.lower().replace("_", "-")
    if column == "timer_ps":
        return "with the interrupt" if not value else f"{value // 1_000_000} us"
    return str(value) if value else "none"
