"""`--set PARAMETER=VALUE`: parameters of engines in the words of docs/engines.md, and what each can be.

Leaves out: `timer_ps`, how long a card itself holds a packet, since a capture is gone through without a clock.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.offload.dpdk_gro import BURST
from models.offload.engine import ENGINES, parameters
from models.offload.held import MAX_BYTES
from models.offload.lro_columns import FLAG_NAMES, NO_LIMIT, WORDING, number
from models.offload.lro_table import ROWS
from models.offload.names import LINUX_GRO
from models.offload.setups import SETUPS

SWITCHES = ("rx_udp_gro_forwarding", "rx_gro_list", "udp_socket", "tcp_socket", "udp")
HELD = 4096  # more than any card or kernel holds
IP_BYTES = 65535  # the longest packet IPv4 can say
LIMITS = {  # the least and the most of a whole number
    "per_bucket": (1, HELD),
    "contexts": (1, HELD),
    "batch": (1, BURST),
    "mtu_bytes": (68, IP_BYTES),  # what IPv4 asks of a link (RFC 791)
    "page_bytes": (0, IP_BYTES),
    "max_bytes": (1, IP_BYTES),
    "max_frame_bytes": (1, IP_BYTES),
    "max_bytes_in_mtus": (1, IP_BYTES),
    "max_segments": (1, IP_BYTES),
    "max_frags": (1, IP_BYTES),
}
MAY_BE_NONE = ("max_frame_bytes", "max_bytes_in_mtus", "max_segments", "max_frags")
GRO_MAX_BYTES = 8 * IP_BYTES  # what the kernel lets gro_max_size be
WORDS = {  # where not all of the vocabulary makes sense
    **dict.fromkeys(("ip_options", "dscp", "ttl", "df", "mac", "vlan", "window", "zero_tsecr"), ("any", "equal")),
    **dict.fromkeys(("ack_and_window", "tsval_written", "tsecr_written"), ("first", "last")),
    "ttl_written": ("first", "minimum"),
    "psh_written": ("first", "ored"),
}


def given(engines: Sequence[str], texts: Sequence[str]) -> dict[str, dict[str, int]]:
    """What each of `engines` is to be made with, of `texts` such as `psh=closes`. ValueError in one line."""
    found: dict[str, dict[str, int]] = {name: {} for name in engines}
    for text in texts:
        parameter, equals, value = text.partition("=")
        parameter = parameter.strip().replace("-", "_")
        if not equals:
            raise ValueError(f"--set: found {text!r}, wanted PARAMETER=VALUE such as psh=closes")
        takers = [name for name in engines if parameter in settable(name)]
        if not takers:
            _refuse(parameter, engines)
        for name in takers:
            found[name][parameter] = _number(name, parameter, value.strip())
    return found


def settable(engine: str) -> tuple[str, ...]:
    """The parameters of an engine, in the order of the documentation; of `none` there are none."""
    return tuple(name for name in parameters(engine) if name != "timer_ps") if engine in ENGINES else ()


def _refuse(parameter: str, engines: Sequence[str]) -> None:
    of_these = ", ".join(dict.fromkeys(each for name in engines for each in settable(name))) or "no --set"
    whose = ", ".join(name for name in ENGINES if parameter in settable(name))
    if whose:
        raise ValueError(f"--set: found {parameter}, which is of {whose}, wanted for {', '.join(engines)}: {of_these}")
    raise ValueError(f"--set: found parameter {parameter!r}, wanted for {', '.join(engines)}: {of_these}")


def _number(engine: str, parameter: str, value: str) -> int:
    """The word of the engine's setup that `value` means."""
    if parameter in SWITCHES or parameter == "needs_ack":
        words: Sequence[str] = ("no", "yes") if parameter == "needs_ack" else ("off", "on")
        if value in words:
            return words.index(value)
    elif parameter == "flags":
        words, names = (f"any of {' '.join(FLAG_NAMES)}, with spaces between",), value.split()
        if names and set(names) <= set(FLAG_NAMES):
            return sum(1 << FLAG_NAMES.index(name) for name in set(names))
    elif parameter in WORDING:
        words = WORDS.get(parameter) or [name.lower().replace("_", "-") for name in WORDING[parameter].__members__]
        if value in words:
            return number(parameter, value)
    else:
        least, most = LIMITS[parameter]
        if parameter == "max_bytes" and engine not in ROWS:  # a program's own limit can only be lowered
            most = GRO_MAX_BYTES if engine in LINUX_GRO else SETUPS[engine][MAX_BYTES]
        if value.isascii() and value.isdigit() and least <= int(value[:20]) <= most:
            return int(value)
        words = (f"a whole number from {least:,} to {most:,}", *(["none"] if parameter in MAY_BE_NONE else []))
        if value in words[1:]:
            return NO_LIMIT
    raise ValueError(f"--set {parameter}: found {value!r}, wanted {' or '.join(words)}")
