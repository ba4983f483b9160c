"""What a scenario file may say: every key, its unit, its default.

Keys are written as in YAML (the alias: `rx-usecs`), fields as in the simulator (the name: `rx_usecs_ps`); values
with units become integers in the unit of the field's name. Models are frozen and refuse unknown keys. What one value
alone can show to be wrong is refused here; what needs two places of the file is in `references`.
"""

import io
from collections.abc import Callable
from ipaddress import ip_interface
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from models.offload.names import GRO_ENGINES, LRO_ENGINES
from models.units import (
    BYTES_PER_MIB,
    PS_PER_MS,
    PS_PER_US,
    format_rate,
    format_size,
    format_time,
    parse_rate_bps,
    parse_size_bytes,
    parse_time_ps,
)

KINDS = ("host", "router")
FREE = "free"  # the profile on which every piece of work takes no time
PROFILES = (
    FREE,
    "2008-xeon-10g",
    "2021-xeon-100g-samecore",
    "2021-xeon-100g-crosscore",
    "generic-samecore",
    "generic-crosscore",
)
CONGESTION = ("reno", "cubic")
OTHER_NAMES = {"2021-xeon-100g": "2021-xeon-100g-samecore", "inet_lro": "lro-driver"}


class LinkEnd(NamedTuple):
    """One end of a link, written `node.nic`."""

    node: str
    nic: str

    def __str__(self) -> str:
        return f"{self.node}.{self.nic}"


def refusal(wanted: str, *choices: str) -> PydanticCustomError:
    """The error of a value that is not `wanted`; a found value near one of `choices` is asked about."""
    return PydanticCustomError("refused", "wanted", {"wanted": wanted, "choices": choices})


def alternatives(choices: tuple[str, ...]) -> str:
    """`reno, cubic or bbr`."""
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"


def _quantity(parse: Callable[[str], int], wanted: str, minimum: int = 0) -> BeforeValidator:
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise refusal(wanted)
        try:
            number = parse(str(value))
        except ValueError:
            raise refusal(wanted) from None
        if number < minimum:
            raise refusal(wanted)
        return number

    return BeforeValidator(check)


def _whole(minimum: int, maximum: int) -> BeforeValidator:
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise refusal(f"a whole number from {minimum} to {maximum}")
        return value

    return BeforeValidator(check)


def _word(*choices: str) -> BeforeValidator:
    def check(value: object) -> str:
        word = OTHER_NAMES.get(value, value) if isinstance(value, str) else value
        if not isinstance(word, str) or word not in choices:
            raise refusal(alternatives(choices), *choices)
        return word

    return BeforeValidator(check)


def _name(value: object) -> str:
    if not isinstance(value, str) or not value or not value.replace("-", "").replace("_", "").isalnum():
        raise refusal("a name of letters, digits, - and _")
    return value


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value not in ("on", "off"):
        raise refusal("on or off", "on", "off")
    return value == "on"


def _probability(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise refusal("a share of frames from 0 to below 1, such as 0.001")
    return float(value)


def _ip_version(value: object) -> int:
    if value not in (4, 6) or not isinstance(value, int):
        raise refusal("4 or 6")
    return value


def _address(value: object) -> str | None:
    if value is None:
        return None
    try:
        if not isinstance(value, str) or "/" not in value:
            raise ValueError(value)
        return str(ip_interface(value))
    except ValueError:
        raise refusal("an address with its prefix such as 10.0.0.1/24") from None


def _link_end(value: object) -> LinkEnd:
    if not isinstance(value, str) or value.count(".") != 1 or not all(value.split(".")):
        raise refusal("a node and its NIC such as sender.eth0")
    return LinkEnd(*value.split("."))


def _ends(value: object) -> object:
    if not isinstance(value, list) or len(value) != 2:
        raise refusal("two ends such as [sender.eth0, receiver.eth0]")
    return value


def _or_null(check: BeforeValidator) -> BeforeValidator:
    inner: Any = check.func
    return BeforeValidator(lambda value: None if value is None else inner(value))


_TIME = _quantity(parse_time_ps, "a time such as 20us")
_SOME_TIME = _quantity(parse_time_ps, "a time of at least 1ps such as 20us", 1)
_SIZE = _quantity(parse_size_bytes, "a size such as 1500 or 1MiB", 1)
_SIZE_TEXT = PlainSerializer(format_size)
_END_LIST = BeforeValidator(_ends)

Time = Annotated[int, _TIME, PlainSerializer(format_time)]
PositiveTime = Annotated[int, _SOME_TIME, PlainSerializer(format_time)]
Rate = Annotated[int, _quantity(parse_rate_bps, "a rate such as 10Gbps", 1), PlainSerializer(format_rate)]
Size = Annotated[int, _SIZE, PlainSerializer(format_size)]
Switch = Annotated[bool, BeforeValidator(_switch), PlainSerializer(lambda on: "on" if on else "off", return_type=str)]
Name = Annotated[str, BeforeValidator(_name)]
Core = Annotated[int, _whole(0, 1023)]
End = Annotated[LinkEnd, BeforeValidator(_link_end), PlainSerializer(str, return_type=str)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Nic(_Part):
    """A network interface, switched as `ethtool` switches it."""

    address: Annotated[str | None, BeforeValidator(_address)] = None  # with its prefix; None: build assigns one
    mtu_bytes: Annotated[int, _whole(68, 65535)] = Field(1500, alias="mtu")  # 68: RFC 791 section 3.2
    rx_ring_frames: Annotated[int, _whole(1, 65536)] = Field(1024, alias="rx-ring")
    rx_usecs_ps: Time = Field(20 * PS_PER_US, alias="rx-usecs")
    rx_frames: Annotated[int, _whole(1, 65536)] = Field(32, alias="rx-frames")
    gro: Switch = False
    gro_engine: Annotated[str, _word(*GRO_ENGINES)] = Field("gro", alias="gro-engine")
    gro_flush_timeout_ps: Time = Field(0, alias="gro-flush-timeout")  # a poll keeps what it holds for the next one
    napi_defer_hard_irqs: Annotated[int, _whole(0, 2**31 - 1)] = Field(0, alias="napi-defer-hard-irqs")
    gro_max_bytes: Annotated[int, _quantity(parse_size_bytes, "a size of at least 1500", 1500), _SIZE_TEXT] = Field(
        65_536, alias="gro-max-size"
    )
    rx_gro_list: Switch = Field(False, alias="rx-gro-list")
    rx_udp_gro_forwarding: Switch = Field(False, alias="rx-udp-gro-forwarding")
    lro: Switch = False
    lro_engine: Annotated[str, _word(*LRO_ENGINES)] = Field("merge-everything", alias="lro-engine")
    tso: Switch = True
    core: Core = 0  # where interrupts and polls of this NIC run
    rx_checksum: Switch = Field(True, alias="rx-checksum")


class Node(_Part):
    """A machine: cores and NICs, and what it does with a frame that arrived."""

    kind: Annotated[str, _word(*KINDS)] = "host"
    profile: Annotated[str, _word(*PROFILES)] = FREE
    cores: Annotated[int, _whole(1, 1024)] = 1
    hz: Annotated[int, _whole(1, 10_000)] = 250  # ticks of the kernel per second
    nics: dict[Name, Nic]


class Link(_Part):
    """A full-duplex cable, with an egress queue in front of it at either end."""

    ends: Annotated[tuple[End, End], _END_LIST]
    rate_bps: Rate = Field(alias="rate")
    delay_ps: PositiveTime = Field(PS_PER_US, alias="delay")
    queue_frames: Annotated[int, _whole(1, 1_000_000)] = Field(1000, alias="queue")  # with the frame in service
    loss: Annotated[float, BeforeValidator(_probability)] = 0.0
    jitter_ps: Time = Field(0, alias="jitter")  # each frame is late by 0 to jitter, so frames overtake


class Flow(_Part):
    """`count` equal TCP connections from one host to another."""

    name: Name
    sender: Name = Field(alias="from")
    receiver: Name = Field(alias="to")
    count: Annotated[int, _whole(1, 100_000)] = 1
    congestion: Annotated[str, _word(*CONGESTION)] = "cubic"
    window_bytes: Size = Field(BYTES_PER_MIB, alias="window")  # the receiver's buffer
    total_bytes: Annotated[int | None, _or_null(_SIZE), PlainSerializer(lambda n: n and format_size(n))] = Field(
        None, alias="bytes"
    )  # None: as long as the run lasts
    start_ps: Time = Field(0, alias="start")
    timestamps: Switch = True
    ip: Annotated[Literal[4, 6], BeforeValidator(_ip_version)] = 4


class Scenario(_Part):
    """A whole scenario. `variants` maps a name to overrides (YAML path to value); empty once resolved."""

    name: Name
    seed: Annotated[int, _whole(0, 2**63 - 1)] = 1
    duration_ps: PositiveTime = Field(100 * PS_PER_MS, alias="duration")
    warmup_ps: Time = Field(0, alias="warmup")
    observe: Name
    max_train_frames: Annotated[int | None, _or_null(_whole(1, 2**31 - 1))] = None  # None: unlimited
    nodes: dict[Name, Node]
    links: tuple[Link, ...] = ()
    flows: tuple[Flow, ...] = ()
    variants: dict[Name, dict[str, Any]] = {}

    def as_yaml_data(self) -> dict[str, Any]:
        """Plain data with the keys and units of a scenario file; reading it back gives an equal scenario."""
        return self.model_dump(by_alias=True, mode="json")

    def resolved_yaml(self) -> str:
        """The scenario as a file that leaves nothing to defaults."""
        from ruamel.yaml import YAML  # only who writes waits for it

        text = io.StringIO()
        yaml = YAML()
        yaml.dump(self.as_yaml_data(), text)
        return text.getvalue()
