"""Everything a poll works on, as one argument: each array handed to a kernel costs 0.1 us, a bundle of any size 1 us.

Models: nothing.
Leaves out: whose arrays these are (`sim/nodes/napi.py` lays the desk anew when one of them has become another).
Sources: numba's documentation of structref; measured: a call with 38 arrays took 4 us, a poll's own work 2 to 6.
Checked by: tests/sim/test_plain.py, as a kernel and as plain Python.
"""

from __future__ import annotations

from dataclasses import make_dataclass
from typing import Any

from models.compiled import JIT_DISABLED, StructRef, njit, structref
from models.host.sockets import Tables
from models.nic.poll import poll

FIELDS = (
    "work", "state", "meta", "head", "pieces", "row", "rank", "routes", "drops", "ports", "macs", "departures",
    "verdict", "after", "spent", "prices", "counts", "scrap", "sizes", "booked", "opened", "setup", "book",
    "held_cells", "held_head", "held_state", "order", "held_pieces", "members", "member_head", "out_cells", "out_head",
    "out_pieces", "marks", "scratch", "seen", "host_words", "by_ports", "sockets", "ready", "front_cells",
    "front_heads", "frame_ids", "endpoints", "sent", "stretches", "out", "captured", "pattern", "prefix",
)  # fmt: skip


@structref.register
class DeskType(StructRef):
    """numba's type of a Desk."""


class CompiledDesk(structref.StructRefProxy):
    """A Desk as compiled code reads it."""


structref.define_proxy(CompiledDesk, DeskType, FIELDS)
PlainDesk = make_dataclass("PlainDesk", FIELDS)
Desk: Any = PlainDesk if JIT_DISABLED else CompiledDesk  # made of arrays, in the order of poll's parameters


@njit(inline="always")  # LLVM optimises a function again with every one that calls it
def poll_at(d):
    """`poll` with all that lies on the desk `d`."""
    return poll(
        d.work, d.state, d.meta, d.head, d.pieces, d.row, d.rank, d.routes, d.drops, d.ports, d.macs, d.departures,
        d.verdict, d.after, d.spent, d.prices, d.counts, d.scrap, d.sizes, d.booked, d.opened, d.setup, d.book,
        d.held_cells, d.held_head, d.held_state, d.order, d.held_pieces, d.members, d.member_head, d.out_cells,
        d.out_head, d.out_pieces, d.marks, d.scratch, d.seen, host_of(d), d.captured, d.pattern, d.prefix,
    )  # fmt: skip


@njit
def host_of(d):
    """The tables of the host whose card this is; of a router they are empty."""
    return Tables(
        d.host_words, d.by_ports, d.sockets, d.ready, d.front_cells, d.front_heads, d.frame_ids, d.endpoints, d.sent,
        d.stretches, d.out,
    )  # fmt: skip
