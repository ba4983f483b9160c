"""`njit` for the kernels of this folder: without numba's reference counts.

Models: nothing.
Leaves out: allocation: a kernel made here can only look at arrays it is handed, and a compile error says so if it tries.
Sources: measured: counting references of row views, two atomic instructions each, took four fifths of a frame's time
    (64 frames of 8 flows: 109 us with, see benchmarks/engines.py for without).
Checked by: tests/models/offload/test_engine.py runs every kernel compiled and as plain Python.

Every array outlives the call, because the caller in Python holds it.
"""

from functools import partial

from models import compiled

njit = partial(compiled.njit, _nrt=False)
