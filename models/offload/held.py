"""What an engine remembers of the packets it holds: columns, for the rule books to read and the flow table to keep.

Models: struct napi_gro_cb, struct net_lro_desc, a card's context: whatever a merge must know.
Leaves out: any rule.
Sources: own.
Checked by: tests/models/offload/test_engine.py.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.train import COLUMNS, PIECE_COLUMNS

STATE_COLUMNS = (
    "next_seq",
    "ip_bytes",  # length from the IP header on
    "segments",  # frames in it, as far as this engine knows
    "mss",  # payload of the first segment, or of the longest where the engine says so
    "fixed_id",  # not 0: every segment has the first one's IP ID; bits where there are two IP headers
    "chained",  # 1: frames are chained as they came (rx-gro-list)
    "tsval",  # of the first segment, where the engine keeps it; else 0
    "saw_timestamps",
    "data_sum",  # of the payload's 16-bit words, where the engine adds up what the segments' checksums claim
    "counted",  # what the engine counts towards a limit where that is not frames: pages, segments with data
    "noted",  # a number the engine notes: the newest IP ID (DPDK), the first ack (FreeBSD)
    "marks",  # PUSHED, WRONG_CHECKSUM: of a batch's packet
    "done",  # in a batch: 0 open, else the Why of its completion, or PASSED_ON
    "age",  # the jiffy in which it was first held
    "first_piece",  # in `pieces`, ABSENT while the payload is one piece
    "last_piece",
    "first_member",  # in `members`
    "last_member",
)
(
    NEXT_SEQ,
    IP_BYTES,
    SEGMENTS,
    MSS,
    FIXED_ID,
    CHAINED,
    TSVAL,
    SAW_TIMESTAMPS,
    DATA_SUM,
    COUNTED,
    NOTED,
    MARKS,
    DONE,
    AGE,
    FIRST_PIECE_SLOT,
    LAST_PIECE_SLOT,
    FIRST_MEMBER,
    LAST_MEMBER,
) = range(len(STATE_COLUMNS))

PUSHED, WRONG_CHECKSUM = 1, 2  # a frame with PSH is in it, whatever the header says; its only frame's checksum is wrong
PASSED_ON = -1  # a frame that waits in a batch for its turn, not a packet

NEXT_PIECE = len(PIECE_COLUMNS)  # in both arenas the last column links a packet's own, or the free ones
NEXT_MEMBER = len(COLUMNS)

# `setup` int64[...]: what the engine is and its limits; `jiffy` is set anew by every call
(
    ENGINE,
    BUCKETS,
    PER_BUCKET,
    MAX_BYTES,
    MAX_SEGMENTS,
    MTU_BYTES,
    AUDIT,
    JIFFY,
    PAGE_BYTES,  # 0: the driver hands whole skbs
    BATCH,  # frames of a batch; 0: the engine works on one frame at a time
    UDP,  # whether wireguard-go may merge UDP
    EDITION,  # this and the next four: of Linux GRO
    UDP_FORWARDING,
    FRAGLIST,
    UDP_SOCKET,
    TCP_SOCKET,
    SETUP_WORDS,
) = range(17)
GRO, LRO_DRIVER, GRO_FIRST, LRO_HARDWARE, FREEBSD_LRO, GVISOR, DPDK_GRO, WIREGUARD_GO = range(8)

# what is lost when a merged packet is cut again, in the order of the audit's totals
LOST = ("ce", "ack", "window", "tsval", "tsecr", "psh", "urgent", "tos", "ttl", "ip_id", "vlan", "options", "boundary")

# `book` int64[...]: running totals and free lists
(
    OUT_PACKETS,
    OUT_PIECES,
    FREE_PIECE,
    FREE_MEMBER,
    HELD_PACKETS,
    HELD_FRAMES,
    HELD_PAYLOAD_BYTES,
    HELD_PIECES,
    HELD_MEMBERS,
    LAST_TIME_PS,
    BATCHED,  # frames taken in since the last flush
    FRAMES_CHECKED,
    FRAMES_ALTERED,
    LOST_FIRST,
) = range(14)
BOOK_WORDS = LOST_FIRST + len(LOST)

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


class Held(NamedTuple):
    """`cells`, `head`, `state`: one row a slot. `order` int64[buckets, 1 + slots of a bucket]: how many are used, then
    the bucket's slots, the used ones oldest first. `pieces`, `members`, `member_head`: arenas of linked rows."""

    cells: Ints
    head: Bytes
    state: Ints
    order: Ints
    pieces: Ints
    members: Ints
    member_head: Bytes


class Delivered(NamedTuple):
    """Scratch for what a call delivers; `marks` int64[2, k]: closed by which row, and why. `scratch`
    uint8[width] is for one header."""

    cells: Ints
    head: Bytes
    pieces: Ints
    marks: Ints
    scratch: Bytes
