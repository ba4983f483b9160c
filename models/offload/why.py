"""The named reasons: why a frame was not joined, and why a held packet was completed.

Models: one vocabulary for every engine; names are few and stable, and listed in docs/reasons.md.
Leaves out: which engine may say which; the rule books know.
Sources: own names for the rules of the sources each rule book cites.
Checked by: tests/models/offload/test_engine.py.

Two groups of one enum, because a frame that does not fit says with one word why it did not join and why the packet it
did not fit was completed.
"""

from __future__ import annotations

from enum import IntEnum


class Fate(IntEnum):
    """What became of a frame; every frame has exactly one."""

    JOINED = 0  # it is in a packet that another frame started
    STARTED = 1  # it became a held packet
    PASSED = 2  # it was handed on at once, as it was


class Why(IntEnum):
    """NONE, the reasons of a frame that did not join, then those only a completed packet has."""

    NONE = 0
    FIRST = 1  # no held packet of its flow
    NOT_IP = 2
    NOT_TCP = 3  # nor UDP that the engine was asked to merge
    IP_OPTIONS = 4
    FRAGMENT = 5
    MALFORMED = 6  # a header that contradicts itself or is cut short
    CHECKSUM = 7  # wrong, of any header; or not known to be right, or absent, where the engine wants that
    PADDING = 8  # the frame is longer or shorter than its IP packet says
    ALREADY_MERGED = 9  # by a card or another engine that does not say how
    NO_PAYLOAD = 10
    FLAGS = 11  # TCP flags that differ, or that no packet with them may be merged
    CWR = 12
    WINDOW = 13
    ACK = 14
    OPTIONS = 15  # TCP options differ, timestamps among them
    TTL = 16  # or hop limit
    TOS = 17  # DSCP, or the rest of the traffic class
    ECN = 18
    DF = 19  # the flags of the IPv4 fragment word
    IP_ID = 20
    SIZE = 21  # payload longer than the segment size of the packet, or another segment size
    GAP = 22  # the sequence number is not the next one
    VLAN = 23
    PUSH = 24
    FIN = 25
    LIMIT = 26  # the packet is as large as the engine makes them
    TABLE_FULL = 27
    OFF = 28  # no engine looked at it
    TUNNEL = 29  # one that the engine does not look into, or a second one
    # only of completed packets
    SHORT = 30  # the last segment is shorter than the others
    EVICTED = 31  # the oldest, by a new flow
    POLL_END = 32  # flushed at the end of a poll
    TIMER = 33  # flushed by a timer, or for its age

    @property
    def label(self) -> str:
        """The name in JSON and tables: lower case, hyphens."""
        return self.name.lower().replace("_", "-")
