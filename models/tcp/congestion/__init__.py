"""Congestion controls by name and number, one file each.

Models: the choice that Linux's sysctl tcp_congestion_control makes.
Leaves out: BBR and DCTCP, which come later.
Sources: see each file.
Checked by: tests/models/tcp/test_congestion.py.
"""

ALGORITHMS = {"reno": 0, "cubic": 1}
