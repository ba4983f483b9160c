"""`njit` for the kernels of this folder: without numba's reference counts.

Models: nothing.
Leaves out: allocation: a kernel made here only looks at arrays it is handed; one that allocates does not compile.
Sources: measured: counting references of row views, two atomic instructions each, took four fifths of a frame's time
    (64 frames of 8 flows: 109 us with, 33 us without). Questions asked of every frame are inlined in numba's own
    code, not left to LLVM, because a call hands over seven words per row: 300 ns a frame without, 70 ns with.
Checked by: tests/models/offload/test_engine.py runs every kernel compiled and as plain Python.

Every array outlives the call, because the caller in Python holds it.
"""

from functools import partial

from models import compiled

njit = partial(compiled.njit, _nrt=False)
