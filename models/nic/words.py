"""The words of one card and its polls: what is set once, what is known between two calls of a kernel, and why it stops.

Models: nothing.
Leaves out: nothing known.
Sources: as models/nic/poll.py.
Checked by: tests/sim/nodes/test_napi.py.
"""

# `work` int64[len(WORDS)], a row of `cards` int64[cards, len(WORDS)]
WORDS = (
    "ring",  # which queue of the Memory is the card's ring
    "arriving",  # and which is what is on the way to it: the same, unless the card has an engine of its own
    "rx_wait",  # rx-usecs, or the time of the card's own engine [ps]
    "rx_frames",
    "line",  # number of the port at the other end of its line, or ABSENT
    "heard_late",  # somebody else holds what comes over the line, until it arrives at the latest
    "tapped",  # somebody wants to hear of every frame that is on its way
    "armed",  # it may interrupt,
    "interrupt_at",  # and will then, as far as is known [ps]
    "timer_at",  # a timer polls it then [ps] (gro_flush_timeout)
    "close_at",  # its own engine's timer rings then [ps]
    "ticket",  # its place among the cards that wait to be polled, the smallest first; 0: none
    "part",  # frames that are merged at once
    "settles",  # the ring settles itself: the card has no engine of its own
    "hz",  # of the core
    "ticks",  # of the kernel, per second
    "full_flush",  # what a poll that used its budget flushes: ALL, OLD (than this tick), NOTHING
    "flush_timeout",  # gro_flush_timeout [ps]; 0: none
    "defers",  # napi_defer_hard_irqs: so many polls without work leave interrupts masked
    "elsewhere",  # the engine is asked by the caller
    "merging",  # PLAIN, IN_GRO, IN_DRIVER_LRO
    "fragments",  # the card merges
    "forwards",  # packets go down to ports, not up to a host's stack
    "rank_in",  # by which input of a port
    "slots",  # of the ring
    "csum_state",  # what the card says of checksums
    "measured_from",  # [ps]
    "began_at",  # [ps]
    "begins",  # set to start a poll,
    "interrupted",  # and this if an interrupt did
    "watched",  # somebody wants to be shown the polls that begin from now on
    "shows",  # this one is: return SHOW after every part
    "now",  # [ps]
    "limit",  # all that happens up to here is known [ps]; nothing is done later
    "cost",  # [1/10,000 cycle] spent and not yet in `now`
    "settled",  # the card has settled what arrived before `now`
    "merged",  # the engine has been asked
    "shown",
    "left",  # of the budget
    "taking",  # rows of the current take not yet looked at
    "in_take",
    "part_first",  # rows looked at last, counted from the first row of the ring's share
    "part_rows",
    "packets",  # that go up,
    "gone_up",  # of which so many have
    "extra",  # work with them [1/10,000 cycle]
    "stack_cost",  # work with all that went up since `now` moved [1/10,000 cycle]
    "at_port",  # of a router: a port that has not served all, or has no room; ABSENT
    "extent",  # which of the packets held go up at the end: ALL, OLD, NOTHING
    "flushed",
    "defers_left",
    "timer",  # after FLUSHED: a timer polls again so long after `now` [ps]; 0: none was set
    "masked",  # after FLUSHED: interrupts stay masked, as that timer polls
)
(
    RING, ARRIVING, RX_WAIT, RX_FRAMES, LINE, HEARD_LATE, TAPPED, ARMED, INTERRUPT_AT, TIMER_AT, CLOSE_AT, TICKET,
    PART, SETTLES, HZ, TICKS, FULL_FLUSH, FLUSH_TIMEOUT, DEFERS, ELSEWHERE, MERGING, FRAGMENTS, FORWARDS, RANK_IN,
    SLOTS, CSUM, MEASURED_FROM, BEGAN_AT, BEGINS, INTERRUPTED, WATCHED, SHOWS, NOW, LIMIT, COST, SETTLED, MERGED,
    SHOWN, LEFT, TAKING, IN_TAKE, PART_FIRST, PART_ROWS, PACKETS, GONE_UP, EXTRA, STACK_COST, AT_PORT, EXTENT,
    FLUSHED_ALL, DEFERS_LEFT, TIMER, MASKED,
) = range(len(WORDS))  # fmt: skip

WAIT, LOOK, MERGE, FLUSH, SHOW, GO_UP, TELL, NO_ROOM, GROW, GROW_SOCKETS, FLUSHED = range(11)
ALL, OLD, NOTHING = range(3)
