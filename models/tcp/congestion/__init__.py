"""Congestion controls by name, one file each.

Models: the choice that Linux's sysctl tcp_congestion_control makes.
Leaves out: BBR and DCTCP, which come later.
Sources: see each file.
Checked by: tests/models/tcp/test_congestion.py.
"""

from models.tcp.congestion.algorithm import CongestionControl
from models.tcp.congestion.cubic import Cubic
from models.tcp.congestion.reno import Reno

ALGORITHMS: dict[str, type[CongestionControl]] = {"reno": Reno, "cubic": Cubic}

__all__ = ["ALGORITHMS", "CongestionControl", "Cubic", "Reno"]
