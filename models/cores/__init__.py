"""The cores of all nodes, compiled: which one is next, how far it may go, and what it does until there.

Models: see the files; `schedule.py` is the door.
Leaves out: see the files.
Sources: those named in each file.
Checked by: tests/models/cores/, tests/sim/test_exactness.py.
"""
