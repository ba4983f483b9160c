"""TCP without a clock: one endpoint in super-segments.

Models: see the files; `connection.py` is the door.
Leaves out: SACK scoreboard, RACK, BBR, DCTCP, pacing (later parts).
Sources: RFC 9293 and those named in each file.
Checked by: tests/models/tcp/.
"""
