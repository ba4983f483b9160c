"""CUBIC: the window is a cubic function of the time since the last loss.

Models: W(t) = C (t - K)^3 + W_max with C = 0.4, beta = 717/1024, fast convergence, the Reno-friendly region, and
    Linux's bounds on the step: at most half a window per window, and at least a twentieth before the first loss.
Leaves out: HyStart; moving the epoch over an idle time; Linux's table for the cube root (this one is exact).
Sources: RFC 9438 section 4; Linux net/ipv4/tcp_cubic.c for the bounds, the clock of 1/1024 s and the cadence.
Checked by: tests/models/tcp/test_congestion.py (against the formula in real numbers).
"""

from models.offload.kernel import njit
from models.tcp.congestion.additive import add_one_per

_TICK_BITS = 10  # time in 1/1024 s
_TICK_PS = 10**12 >> _TICK_BITS  # without remainder
_CUBED = 1 << (3 * _TICK_BITS)
_FAR = 1 << 20  # 17 minutes from K the target is 400 million segments off, and no step follows it further
_BETA, _BETA_ONE = 717, 1024
_RENO_EIGHTHS = 8 * (_BETA_ONE + _BETA) // 3 // (_BETA_ONE - _BETA)  # acknowledged segments per Reno step, by 8 cwnd
_CADENCE = (1 << _TICK_BITS) // 32  # the target is reckoned anew when cwnd moved or this time passed
_ABOVE_ALL_ROOTS = 1 << 21


@njit
def cube_root(number):
    """The largest integer whose cube is not above `number`, for any int64 that is not negative."""
    if number <= 0:
        return 0
    root = _ABOVE_ALL_ROOTS
    while True:
        closer = (2 * root + number // (root * root)) // 3
        if closer >= root:
            return root
        root = closer


@njit
def target(c, since_epoch):
    """W(t) in segments; `since_epoch` in 1/1024 s."""
    offset = since_epoch - c.cubic_k
    distance = min(abs(offset), _FAR)
    delta = 2 * distance * distance * distance // (5 * _CUBED)
    return c.cubic_origin + delta if offset >= 0 else c.cubic_origin - delta


@njit
def begin_epoch(c, tick):
    """Congestion avoidance begins, at `tick` in 1/1024 s."""
    c.cubic_epoch = tick
    c.cubic_acked = 0
    c.cubic_reno_cwnd = c.cwnd
    if c.cwnd >= c.cubic_w_max:
        c.cubic_k = 0
        c.cubic_origin = c.cwnd
    else:
        c.cubic_k = cube_root(5 * _CUBED * (c.cubic_w_max - c.cwnd) // 2)
        c.cubic_origin = c.cubic_w_max


@njit
def avoid(c, segments, now_ps):
    """Grow the window in congestion avoidance by `segments` newly acknowledged."""
    c.cubic_acked += segments
    tick = now_ps // _TICK_PS
    if c.cubic_epoch < 0 or c.cubic_at_cwnd != c.cwnd or tick - c.cubic_at > _CADENCE:
        if c.cubic_epoch < 0:
            begin_epoch(c, tick)
            c.cubic_acked = segments
        c.cubic_at, c.cubic_at_cwnd = tick, c.cwnd
        c.cubic_step_after = reckon_step(c, tick + c.min_rtt_ps // _TICK_PS)
    add_one_per(c, c.cubic_step_after, segments)


@njit
def reckon_step(c, tick):
    """How many acknowledged segments cwnd + 1 takes."""
    cwnd = c.cwnd
    wanted = target(c, tick - c.cubic_epoch)
    step_after = cwnd // (wanted - cwnd) if wanted > cwnd else 100 * cwnd
    if c.cubic_w_max == 0:
        step_after = min(step_after, 20)
    reno_step = cwnd * _RENO_EIGHTHS >> 3
    if reno_step > 0 and c.cubic_acked > reno_step:
        c.cubic_reno_cwnd += c.cubic_acked // reno_step
        c.cubic_acked %= reno_step
    if c.cubic_reno_cwnd > cwnd:
        step_after = min(step_after, cwnd // (c.cubic_reno_cwnd - cwnd))
    return max(step_after, 2)


@njit
def reduced(c):
    """The slow-start threshold [segments] after a loss; the next epoch begins with the next growth."""
    cwnd = c.cwnd
    if cwnd < c.cubic_w_max:  # fast convergence: leave room for newcomers
        c.cubic_w_max = cwnd * (_BETA_ONE + _BETA) // (2 * _BETA_ONE)
    else:
        c.cubic_w_max = cwnd
    c.cubic_epoch = -1
    c.cubic_at = c.cubic_at_cwnd = c.cubic_k = c.cubic_origin = c.cubic_reno_cwnd = c.cubic_acked = 0
    c.cubic_step_after = 1
    return max(cwnd * _BETA // _BETA_ONE, 2)
