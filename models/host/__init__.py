"""A host above its cards, compiled: packets to connections, segments to the line.

Models: see the files; `sockets.py` has the tables.
Leaves out: see the files.
Sources: those named in each file.
Checked by: tests/models/host/.
"""
