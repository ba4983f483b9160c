"""Each mistake at its place, all of them at once."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.scenario import ScenarioErrors, load, parse, variant

GOOD = """\
# How much?
seed: 3
duration: 100ms
warmup: 20ms
observe: receiver
nodes:
  sender:
    nics:
      eth0: {address: 10.0.0.1/24}
  receiver:
    cores: 2
    profile: 2008-xeon-10g
    nics:
      eth0: {address: 10.0.0.2/24, rx-usecs: 20us}
links:
  - {ends: [sender.eth0, receiver.eth0], rate: 10Gbps, delay: 20us}
flows:
  - {name: bulk, from: sender, to: receiver, congestion: cubic}
variants:
  none: {}
  gro: {nodes.receiver.nics.eth0.gro: on}
"""
NIC_KEYS = (
    "address, mtu, rx-ring, rx-usecs, rx-frames, gro, gro-engine, gro-flush-timeout, napi-defer-hard-irqs, "
    "gro-max-size, rx-gro-list, rx-udp-gro-forwarding, lro, lro-engine, tso, core or rx-checksum"
)
TOP_KEYS = "name, seed, duration, warmup, observe, max_train_frames, nodes, links, flows or variants"


def mistakes(text, overrides=()):
    with pytest.raises(ScenarioErrors) as raised:
        parse(text, file="x.yaml", overrides=overrides)
    return raised.value.lines


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("seed: 3", "seed: -3", "x.yaml:2:7: seed: found -3, wanted a whole number from 0 to 9223372036854775807"),
        ("seed: 3", "seed: true", "x.yaml:2:7: seed: found true, wanted a whole number from 0 to 9223372036854775807"),
        ("seed: 3", "sed: 3", f"x.yaml:2:1: sed: found 'sed', wanted one of {TOP_KEYS} (did you mean seed?)"),
        ("seed: 3", "seed: 3\nseed: 4", "x.yaml:3:1: seed: found 'seed' again (first in line 2), wanted each key once"),
        ("100ms", "100", "x.yaml:3:11: duration: found 100, wanted a time of at least 1ps such as 20us"),
        ("20ms", "100ms", "x.yaml:4:9: warmup: found '100ms', wanted a time before the end at 100ms"),
        (
            "observe: receiver",
            "observe: recevier",
            "x.yaml:5:10: observe: found 'recevier', wanted a node: sender or receiver (did you mean receiver?)",
        ),
        ("observe: receiver\n", "", "x.yaml:2:1: observe: found nothing, wanted the name of the node to count at"),
        ("cores: 2", "cores: 0", "x.yaml:11:12: nodes.receiver.cores: found 0, wanted a whole number from 1 to 1024"),
        (
            "cores: 2",
            "kind: hsot",
            "x.yaml:11:11: nodes.receiver.kind: found 'hsot', wanted host or router (did you mean host?)",
        ),
        (
            "rx-usecs: 20us",
            "rx-usecs: fast",
            "x.yaml:14:46: nodes.receiver.nics.eth0.rx-usecs: found 'fast', wanted a time such as 20us",
        ),
        (
            "rx-usecs: 20us",
            "rx-usec: 20us",
            f"x.yaml:14:36: nodes.receiver.nics.eth0.rx-usec: found 'rx-usec', wanted one of {NIC_KEYS} "
            "(did you mean rx-usecs?)",
        ),
        (
            "rx-usecs: 20us",
            "core: 2",
            "x.yaml:14:42: nodes.receiver.nics.eth0.core: found 2, wanted a core from 0 to 1, as the node has 2",
        ),
        ("rx-usecs: 20us", "gro: yes", "x.yaml:14:41: nodes.receiver.nics.eth0.gro: found 'yes', wanted on or off"),
        (
            "rx-usecs: 20us",
            "lro-engine: inet-lro",
            "x.yaml:14:48: nodes.receiver.nics.eth0.lro-engine: found 'inet-lro', "
            "wanted lro-driver, lro-s2io, lro-bnx2x, lro-82599, lro-windows, gro-hw-mlx5, lro-vmxnet3, "
            "merge-everything or freebsd-lro",
        ),
        (
            "10.0.0.2/24",
            "10.0.0.256/24",
            "x.yaml:14:23: nodes.receiver.nics.eth0.address: found '10.0.0.256/24', "
            "wanted an address with its prefix such as 10.0.0.1/24",
        ),
        (
            "10.0.0.2/24",
            "10.0.0.1/24",
            "x.yaml:14:23: nodes.receiver.nics.eth0.address: found '10.0.0.1/24', "
            "wanted an address of its own, not that of sender.eth0",
        ),
        ("delay: 20us", "delay: 0",
         "x.yaml:16:63: links[0].delay: found 0, wanted a time of at least 1ps such as 20us"),
        ("delay: 20us", "loss: 1", "x.yaml:16:62: links[0].loss: found 1, wanted a share of frames from 0 to below 1, "
         "such as 0.001"),
        ("rate: 10Gbps, ", "", "x.yaml:16:5: links[0].rate: found nothing, wanted a rate such as 10Gbps"),
        ("rate: 10Gbps", "rate: 0bps", "x.yaml:16:48: links[0].rate: found '0bps', wanted a rate such as 10Gbps"),
        (
            "receiver.eth0]",
            "receiver.eth1]",
            "x.yaml:16:26: links[0].ends[1]: found 'receiver.eth1', wanted a NIC: sender.eth0 or receiver.eth0 "
            "(did you mean receiver.eth0?)",
        ),
        (
            "receiver.eth0]",
            "sender.eth0]",
            "x.yaml:16:26: links[0].ends[1]: found 'sender.eth0', wanted a NIC that is not in links[0] already",
        ),
        (
            "[sender.eth0, receiver.eth0]",
            "[sender.eth0]",
            "x.yaml:16:12: links[0].ends: found a list of 1, wanted two ends such as [sender.eth0, receiver.eth0]",
        ),
        (
            "from: sender",
            "from: sendr",
            "x.yaml:18:24: flows[0].from: found 'sendr', wanted a host: sender or receiver (did you mean sender?)",
        ),
        (
            "to: receiver",
            "to: sender",
            "x.yaml:18:36: flows[0].to: found 'sender', wanted another host than the one it comes from",
        ),
        (
            "congestion: cubic",
            "congestion: cubik",
            "x.yaml:18:58: flows[0].congestion: found 'cubik', wanted reno or cubic (did you mean cubic?)",
        ),
        ("congestion: cubic", "ip: 5", "x.yaml:18:50: flows[0].ip: found 5, wanted 4 or 6"),
        (
            "congestion: cubic",
            "start: 1s",
            "x.yaml:18:53: flows[0].start: found '1s', wanted a time before the end at 100ms",
        ),
        (
            "none: {}",
            "none: {seed: x}",
            "x.yaml:20:16: variants.none.seed: found 'x', wanted a whole number from 0 to 9223372036854775807",
        ),
        (
            "nics.eth0.gro: on",
            "nics.eth0.gor: on",
            f"x.yaml:21:9: variants.gro.nodes.receiver.nics.eth0.gor: found 'gor', wanted one of {NIC_KEYS} "
            "(did you mean gro?)",
        ),
        (
            "nics.eth0.gro: on",
            "nics.eth1.gro: on",
            "x.yaml:21:9: variants.gro.nodes.receiver.nics.eth1.gro: found 'eth1', wanted eth0 (did you mean eth0?)",
        ),
        (
            "none: {}",
            "none: {duration: 10ms}",
            "x.yaml:20:9: variants.none: found '20ms', wanted a time before the end at 10ms, at warmup",
        ),
    ],
)  # fmt: skip
def test_one_mistake_one_line(old, new, line):
    assert old in GOOD
    assert mistakes(GOOD.replace(old, new, 1)) == [line]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "x.yaml:1:1: found nothing, wanted a scenario: nodes, links, flows"),
        ("# only a question\n", "x.yaml:1:1: found nothing, wanted a scenario: nodes, links, flows"),
        ("[1, 2]", "x.yaml:1:1: found a list of 2, wanted a scenario: nodes, links, flows"),
        ("seed: [1\nduration: 2", "x.yaml:2:9: found expected ',' or ']', but got ':', wanted YAML 1.2"),
        ("a: *b", "x.yaml:1:4: found found undefined alias 'b', wanted YAML 1.2"),
        ("a: 1\n\tb: 2", "x.yaml:2:1: found found character '\\t' that cannot start any token, wanted YAML 1.2"),
        ("seed: \x01", "x.yaml:1:1: found unacceptable character #x0001: special characters are not allowed, "
         "wanted YAML 1.2"),
    ],
)  # fmt: skip
def test_what_is_no_scenario_is_one_line(text, line):
    assert mistakes(text) == [line]


def test_ten_mistakes_at_once():
    text = """\
seed: x
duration: soon
warmup: 20ms
observe: nobody
sedd: 1
nodes:
  sender: {kind: hots, nics: {eth0: {gro: maybe}}}
  receiver: {cores: 1, nics: {eth0: {core: 4}}}
links:
  - {ends: [sender.eth0, receiver.eth9], rate: fast}
flows:
  - {name: bulk, from: sender, to: receiver, congestion: cubik}
"""
    lines = mistakes(text)
    assert [line.split(": ")[1] for line in lines] == [
        "seed",
        "duration",
        "observe",
        "sedd",
        "nodes.sender.kind",
        "nodes.sender.nics.eth0.gro",
        "nodes.receiver.nics.eth0.core",
        "links[0].ends[1]",
        "links[0].rate",
        "flows[0].congestion",
    ]
    assert all(line.startswith("x.yaml:") and ": found " in line and ", wanted " in line for line in lines)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        (
            "nodes.receiver.nics.eth0.rx-usec=20us",
            f"override nodes.receiver.nics.eth0.rx-usec: found 'rx-usec', wanted one of {NIC_KEYS} "
            "(did you mean rx-usecs?)",
        ),
        (
            "nodes.reciever.cores=2",
            "override nodes.reciever: found 'reciever', wanted sender or receiver (did you mean receiver?)",
        ),
        ("flows[1].count=8", "override flows[1]: found [1], wanted a number below 1"),
        ("flows.count=8", "override flows.count: found 'count', wanted a number such as [0] below flows"),
        ("seed.x=1", "override seed.x: found 'x', wanted nothing more below seed"),
        (
            "flows[0].count=many",
            "override flows[0].count: found 'many', wanted a whole number from 1 to 100000",
        ),
        ("seed", "override seed: found 'seed', wanted path=value such as flows[0].count=8"),
        ("a..b=1", "override a..b: found 'a..b=1', wanted path=value such as flows[0].count=8"),
        ("=1", "override found '=1', wanted path=value such as flows[0].count=8"),
        ("seed=[", "override seed: found 'seed=[', wanted path=value such as flows[0].count=8"),
    ],
)
def test_a_bad_override_is_one_line(override, line):
    assert mistakes(GOOD, [override]) == [line]


def test_overrides_reach_any_field():
    scenario = parse(
        GOOD,
        overrides=[
            "nodes.receiver.nics.eth0.rx-usecs=30us",
            "flows[0].count=8",
            "duration=50ms",
            "max_train_frames=7",
            "links[0].loss=0.01",
            "nodes.sender.nics.eth0={tso: off, mtu: 9000}",
        ],
    )
    assert scenario.nodes["receiver"].nics["eth0"].rx_usecs_ps == 30_000_000
    assert scenario.flows[0].count == 8
    assert scenario.duration_ps == 50_000_000_000
    assert scenario.max_train_frames == 7
    assert scenario.links[0].loss == 0.01
    sender = scenario.nodes["sender"].nics["eth0"]
    assert (sender.tso, sender.mtu_bytes, sender.address) == (False, 9000, "10.0.0.1/24")  # laid over, not replaced


def test_a_variant_is_resolved_and_has_none_left():
    scenario = parse(GOOD)
    gro = variant(scenario, "gro")
    assert gro.nodes["receiver"].nics["eth0"].gro
    assert not scenario.nodes["receiver"].nics["eth0"].gro
    assert gro.variants == {}
    assert variant(scenario, "none") == scenario.model_copy(update={"variants": {}})


def test_an_unknown_variant_names_the_known():
    with pytest.raises(ScenarioErrors) as raised:
        variant(parse(GOOD), "grro")
    assert raised.value.lines == ["variant grro: found 'grro', wanted none or gro (did you mean gro?)"]


def test_without_variants_there_is_the_base():
    scenario = parse(GOOD[: GOOD.index("variants:")])
    assert variant(scenario, "base") == scenario


@pytest.mark.parametrize(("word", "value"), [("on", True), ("off", False), ("true", True), ("false", False)])
def test_switches(word, value):
    scenario = parse(GOOD, overrides=[f"nodes.sender.nics.eth0.gro={word}"])
    assert scenario.nodes["sender"].nics["eth0"].gro is value


def test_other_names_mean_the_same():
    scenario = parse(
        GOOD,
        overrides=["nodes.receiver.profile=2021-xeon-100g", "nodes.receiver.nics.eth0.lro-engine=inet_lro"],
    )
    assert scenario.nodes["receiver"].profile == "2021-xeon-100g-samecore"
    assert scenario.nodes["receiver"].nics["eth0"].lro_engine == "lro-driver"


def test_a_resolved_scenario_reads_back_equal():
    scenario = parse(GOOD)
    assert parse(scenario.resolved_yaml()) == scenario


@given(
    duration_ps=st.integers(2, 10**15),
    rate_bps=st.integers(1, 10**12),
    window_bytes=st.integers(1, 2**40),
    switches=st.lists(st.booleans(), min_size=4, max_size=4),
    loss=st.floats(0, 0.999),
)
def test_any_values_read_back_equal(duration_ps, rate_bps, window_bytes, switches, loss):
    keys = ("gro", "lro", "tso", "rx-checksum")
    nic = ", ".join(f"{key}: {'on' if on else 'off'}" for key, on in zip(keys, switches, strict=True))
    scenario = parse(
        GOOD,
        overrides=[
            "warmup=1ps",
            f"duration={duration_ps}ps",
            f"links[0].rate={rate_bps}bps",
            f"flows[0].window={window_bytes}",
            f"links[0].loss={loss!r}",
            f"nodes.sender.nics.eth0={{{nic}}}",
        ],
    )
    assert (scenario.duration_ps, scenario.links[0].rate_bps) == (duration_ps, rate_bps)
    assert parse(scenario.resolved_yaml()) == scenario


@given(st.text())
def test_no_text_makes_a_traceback(text):
    with contextlib.suppress(ScenarioErrors):
        parse(text)


@given(st.text(), st.text())
def test_no_override_makes_a_traceback(left, right):
    with contextlib.suppress(ScenarioErrors):
        parse(GOOD, overrides=[f"{left}={right}"])


def test_a_flow_needs_a_way():
    text = GOOD.replace("links:\n  - {ends: [sender.eth0, receiver.eth0], rate: 10Gbps, delay: 20us}\n", "")
    assert mistakes(text) == [
        "x.yaml:16:36: flows[0].to: found 'receiver', wanted a host that links lead to from sender"
    ]


def test_a_nic_has_one_cable():
    link = "  - {ends: [sender.eth0, receiver.eth0], rate: 10Gbps}\n"
    lines = mistakes(GOOD.replace("flows:\n", link + "flows:\n"))
    assert lines == [
        "x.yaml:17:13: links[1].ends[0]: found 'sender.eth0', wanted a NIC that is not in links[0] already",
        "x.yaml:17:26: links[1].ends[1]: found 'receiver.eth0', wanted a NIC that is not in links[0] already",
    ]


@pytest.mark.parametrize("kind", ["missing", "folder", "binary"])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, kind):
    path = tmp_path / "x.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(b"\xd4\xc3\xb2\xa1")
    with pytest.raises(ScenarioErrors) as raised:
        load(path)
    (line,) = raised.value.lines
    assert line.startswith(f"{path}: found ") and line.endswith("wanted a scenario file")


def test_a_scenario_that_is_good_on_paper_only():
    deep = "a: " + "[" * 2000
    assert len(mistakes(deep)) == 1
    assert len(mistakes("a: &a [*a]\n" + GOOD)) == 2  # an endless list, under a key that is none
