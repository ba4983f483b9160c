"""What can be set on one TCP endpoint.

Models: the socket options and sysctls that shape what a receive merger sees.
Leaves out: autotuning of buffers, pacing, keepalive, ECN.
Sources: Linux Documentation/networking/ip-sysctl.rst; defaults as there, where not said otherwise.
Checked by: tests/models/tcp/test_receiver.py, test_sender.py.
"""

from dataclasses import dataclass

from models.tcp.congestion import ALGORITHMS

_MS = 10**9
_S = 10**12
MAX_IP_BYTES = 65535
HEADER_BYTES = 20 + 32  # IPv4 and TCP with timestamps


@dataclass(frozen=True, slots=True)
class TcpConfig:
    """`mss_bytes` is the payload of a full segment, the timestamps option already taken off."""

    mss_bytes: int = 1448
    advertised_mss: int = 1460
    receive_buffer_bytes: int = 4 << 20  # the largest window offered
    receive_memory_bytes: int = 0  # unread bytes plus window stay below; 0: twice the buffer, as SO_RCVBUF doubles
    window_scale: int = 7  # -1: no option
    timestamps: bool = True
    sack: bool = True  # the receiver reports; the sender does not use it yet
    congestion: str = "cubic"
    initial_cwnd: int = 10
    tso_bytes: int = MAX_IP_BYTES - HEADER_BYTES  # 45 segments of 1448: 65160
    tso_defer: bool = True
    nagle: bool = True
    delayed_ack_ps: int = 40 * _MS
    min_rto_ps: int = 200 * _MS
    initial_rto_ps: int = 1 * _S
    time_wait_ps: int = 60 * _S
    initial_sequence: int = 0
    tsval_offset: int = 0

    def __post_init__(self) -> None:
        if self.congestion not in ALGORITHMS:
            raise ValueError(f"congestion: found {self.congestion!r}, wanted {', '.join(sorted(ALGORITHMS))}")
        if self.mss_bytes < 1 or self.receive_buffer_bytes < 1 or self.initial_cwnd < 1:
            raise ValueError("mss_bytes, receive_buffer_bytes and initial_cwnd: wanted at least 1")
        if not -1 <= self.window_scale <= 14:
            raise ValueError(f"window_scale: found {self.window_scale}, wanted -1 to 14")  # RFC 7323 section 2.3

    @property
    def memory_bytes(self) -> int:
        return self.receive_memory_bytes or 2 * self.receive_buffer_bytes
