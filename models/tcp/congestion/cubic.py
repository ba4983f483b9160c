"""CUBIC: the window is a cubic function of the time since the last loss.

Models: W(t) = C (t - K)^3 + W_max with C = 0.4, beta = 717/1024, fast convergence, the Reno-friendly region, and
    Linux's bounds on the step: at most half a window per window, and at least a twentieth before the first loss.
Leaves out: HyStart; moving the epoch over an idle time; Linux's table for the cube root (this one is exact).
Sources: RFC 9438 section 4; Linux net/ipv4/tcp_cubic.c for the bounds, the clock of 1/1024 s and the cadence.
Checked by: tests/models/tcp/test_congestion.py (against the formula in real numbers).
"""

from models.tcp.congestion.algorithm import CongestionControl

_PS_PER_S = 10**12
_TICK_BITS = 10  # time in 1/1024 s
_CUBED = 1 << (3 * _TICK_BITS)
_BETA, _BETA_ONE = 717, 1024
_RENO_EIGHTHS = 8 * (_BETA_ONE + _BETA) // 3 // (_BETA_ONE - _BETA)  # acknowledged segments per Reno step, by 8 cwnd
_CADENCE = (1 << _TICK_BITS) // 32  # the target is reckoned anew when cwnd moved or this time passed


def cube_root(number: int) -> int:
    """The largest integer whose cube is not above `number`."""
    if number <= 0:
        return 0
    root = 1 << -(-number.bit_length() // 3)  # not below the root
    while True:
        closer = (2 * root + number // (root * root)) // 3
        if closer >= root:
            return root
        root = closer


class Cubic(CongestionControl):
    __slots__ = ("_acked", "_at", "_at_cwnd", "_epoch", "_k", "_origin", "_reno_cwnd", "_step_after", "_w_max")
    name = "cubic"

    def __init__(self, *, initial_cwnd: int) -> None:
        super().__init__(initial_cwnd=initial_cwnd)
        self._w_max = 0  # before the last reduction
        self._forget_epoch()

    def _forget_epoch(self) -> None:
        self._epoch = -1
        self._at = 0
        self._at_cwnd = 0
        self._step_after = 1
        self._k = 0
        self._origin = 0
        self._reno_cwnd = 0
        self._acked = 0

    def target(self, since_epoch: int) -> int:
        """W(t) in segments; `since_epoch` in 1/1024 s."""
        offset = since_epoch - self._k
        delta = 2 * abs(offset) ** 3 // (5 * _CUBED)
        return self._origin + delta if offset >= 0 else self._origin - delta

    def begin_epoch(self, tick: int) -> None:
        """Congestion avoidance begins, at `tick` in 1/1024 s."""
        self._epoch = tick
        self._acked = 0
        self._reno_cwnd = self.cwnd
        if self.cwnd >= self._w_max:
            self._k = 0
            self._origin = self.cwnd
        else:
            self._k = cube_root(5 * _CUBED * (self._w_max - self.cwnd) // 2)
            self._origin = self._w_max

    def _avoid(self, segments: int, *, now_ps: int, min_rtt_ps: int) -> None:
        self._acked += segments
        tick = (now_ps << _TICK_BITS) // _PS_PER_S
        if self._epoch < 0 or self._at_cwnd != self.cwnd or tick - self._at > _CADENCE:
            if self._epoch < 0:
                self.begin_epoch(tick)
                self._acked = segments
            self._at, self._at_cwnd = tick, self.cwnd
            self._step_after = self._reckon_step(tick + (min_rtt_ps << _TICK_BITS) // _PS_PER_S)
        self._add_one_per(self._step_after, segments)

    def _reckon_step(self, tick: int) -> int:
        """How many acknowledged segments cwnd + 1 takes."""
        cwnd = self.cwnd
        target = self.target(tick - self._epoch)
        step_after = cwnd // (target - cwnd) if target > cwnd else 100 * cwnd
        if not self._w_max:
            step_after = min(step_after, 20)
        reno_step = cwnd * _RENO_EIGHTHS >> 3
        if reno_step and self._acked > reno_step:
            steps, self._acked = divmod(self._acked, reno_step)
            self._reno_cwnd += steps
        if self._reno_cwnd > cwnd:
            step_after = min(step_after, cwnd // (self._reno_cwnd - cwnd))
        return max(step_after, 2)

    def _reduced(self) -> int:
        cwnd = self.cwnd
        if cwnd < self._w_max:  # fast convergence: leave room for newcomers
            self._w_max = cwnd * (_BETA_ONE + _BETA) // (2 * _BETA_ONE)
        else:
            self._w_max = cwnd
        self._forget_epoch()
        return max(cwnd * _BETA // _BETA_ONE, 2)
