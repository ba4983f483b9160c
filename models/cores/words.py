"""The words of a core, and those of all together.

Models: nothing.
Leaves out: nothing known.
Sources: as models/cores/core.py.
Checked by: tests/models/cores/.
"""

# `cores` int64[cores, CORE_WORDS]
(
    NOW,  # where the core is [ps]
    LIMIT,  # all that happens up to here is known [ps]; nothing is done later
    MEASURED_FROM,  # [ps]
    MEASURED_TO,
    BUSY,  # [ps] within
    FIRST_CARD,  # its cards are rows of `cards` from here on,
    CARDS,  # so many
    HOST,  # row of `hosts` whose timers and readers run here, or ABSENT
    PHASE,
    POLLS,  # the card that is, or was last, polled; ABSENT: none wants to be
    WANTS_MORE,  # that poll used its budget up
    BEGAN,  # the softirq began then [ps]
    READER,  # the connection whose reader runs, or ABSENT
    READER_ENDS,  # when its call returns, if nothing comes between [ps]
    OWED,  # work after a call, done before the next [1/10,000 cycle]
    PREEMPTIONS,
    TIMERS_IN_POLLS,
    TICKETS,  # given to cards so far
    CORE_WORDS,
) = range(19)

IDLE, INTERRUPTS, POLLING, TIMERS, POLLED, READERS, RETURNING, NEXT_READER = range(8)  # phases, in this order

# `world` int64[WORLD_WORDS]
(
    CLOCK,  # [ps]
    UNTIL,  # somebody else acts then [ps]; what is before is this kernel's alone
    ONE_BY_ONE,  # no core runs ahead of the others
    RUNS,  # the core that goes on when the kernel is called again, or ABSENT
    DUE,  # after REST: when a core is due next [ps]
    SHORT_PORT,  # after NO_ROOM: a port of several inputs whose words say where; ABSENT: the card's word `at_port` does
    WORLD_WORDS,
) = range(7)

# why the kernel stops, besides what a poll wants (models/nic/words.py)
REST, RING_TIMERS, RETURN, RECORDED = range(100, 104)
