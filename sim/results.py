"""What a run leaves behind: plain records, and the files under `results/`.

A scenario's folder is replaced whole when a variant ends: written beside its place, then renamed, so a reader never
sees half of it and a crash loses nothing finished. All of it is the same bytes for the same file and seed, but for
`wall-clock.json`, which holds what only this machine and this moment know.
"""

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sim.whole_file import WholeFile

if TYPE_CHECKING:
    from sim.scenario import Scenario

LOST = (
    "ce", "ack", "window", "tsval", "tsecr", "psh", "urgent", "tos", "ttl", "ip_id", "vlan", "options", "boundary",
)  # fmt: skip
FATES = ("joined", "started", "passed")
LIBRARIES = ("numpy", "numba", "simpy", "pydantic", "ruamel.yaml", "matplotlib")


def no_losses() -> dict[str, Any]:
    """The `correctness` of a run in which nothing was checked; every `lost` key is there."""
    return {"payload_errors": 0, "frames_checked": 0, "frames_altered": 0, "lost": dict.fromkeys(LOST, 0)}


@dataclass(frozen=True, slots=True)
class RunResult:
    """One variant of one scenario, counted at the observed node."""

    scenario: str
    variant: str
    seed: int
    goodput_bps: float  # payload read by applications after the warm-up, per second
    wire_frames: int  # data frames that reached the observed NIC, before drops
    stack_packets: int  # data packets handed to IP
    segments_per_packet: float  # data segments over data packets handed to IP
    acks_sent: int  # pure ACKs of the observed node
    cpu: Mapping[str, Mapping[str, Any]]  # node -> busy_fraction, cycles_per_frame, breakdown (kind -> cycles)
    drops: Mapping[str, int]
    fates: Mapping[str, int]  # joined, started, passed: sum to the frames looked at
    reasons: Mapping[str, int]  # why a started or passed frame did not join: sum to those
    closes: Mapping[str, int]  # why each started packet was completed: sum to those
    flows: Sequence[Mapping[str, Any]]  # name, goodput_bps, retransmitted_segments
    correctness: Mapping[str, Any] = field(default_factory=no_losses)
    merge_sizes: Mapping[int, int] = field(default_factory=dict)  # segments in a packet -> packets
    poll_timeline: Mapping[str, Any] = field(default_factory=dict)  # one NAPI poll: start_ps, end_ps, frames, packets
    captures: Mapping[str, Mapping[str, int]] = field(
        default_factory=dict
    )  # file -> frames, wrong_ipv4, wrong_transport
    events: int = field(default=0, compare=False)  # SimPy events; a matter of train length, not of the result
    wall_s: float = field(default=0.0, compare=False)  # of the event loop [s]

    def as_json(self) -> dict[str, Any]:
        """The stable keys of `--json`, one entry of its `variants`; `captures` only where `--pcap` wrote some."""
        captures = {"captures": {name: dict(self.captures[name]) for name in sorted(self.captures)}}
        return {
            "name": self.variant,
            "goodput_bps": self.goodput_bps,
            "wire_frames": self.wire_frames,
            "stack_packets": self.stack_packets,
            "segments_per_packet": self.segments_per_packet,
            "acks_sent": self.acks_sent,
            "cpu": {
                node: {
                    "busy_fraction": use["busy_fraction"],
                    "cycles_per_frame": use["cycles_per_frame"],
                    "breakdown": {kind: use["breakdown"][kind] for kind in sorted(use["breakdown"])},
                }
                for node, use in sorted(self.cpu.items())
            },
            "drops": _sorted(self.drops),
            "fates": {fate: self.fates.get(fate, 0) for fate in FATES},
            "reasons": _sorted(self.reasons),
            "closes": _sorted(self.closes),
            "flows": [dict(flow) for flow in self.flows],
            "correctness": dict(self.correctness)
            | {"lost": {name: self.correctness.get("lost", {}).get(name, 0) for name in LOST}},
        } | (captures if self.captures else {})


class Finished(NamedTuple):
    """A variant that has run, with its resolved scenario."""

    scenario: "Scenario"
    result: RunResult


def report(results: Sequence[RunResult]) -> dict[str, Any]:
    """What `--json` writes for the variants of one scenario. ValueError without any result."""
    if not results:
        raise ValueError("no result to report")
    return {
        "scenario": results[0].scenario,
        "seed": results[0].seed,
        "variants": [result.as_json() for result in results],
    }


def saved(finished: Finished) -> dict[str, Any]:
    """A variant as `metrics.json` holds it: `as_json` and what the figures need besides."""
    scenario, result = finished
    return result.as_json() | {
        "observe": scenario.observe,
        "merge_sizes": {str(size): result.merge_sizes[size] for size in sorted(result.merge_sizes)},
        "poll_timeline": _plain(result.poll_timeline),
    }


def dump(data: object) -> str:
    """JSON as all files under `results/` have it. ValueError for a NaN or an infinity."""
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def write(
    out: Path,
    finished: Sequence[Finished],
    *,
    figures: Callable[[Path], object] | None = None,
    captures: Path | None = None,
) -> Path:
    """Replaces the folder `out/<scenario>` by one of the `finished` variants; returns it.

    `figures` draws from the folder it is given into it; `captures` is a folder taken over as `pcap`. Raises OSError
    when `out` cannot be written, ValueError when nothing has finished; the old folder is then as it was.
    """
    results = [each.result for each in finished]
    metrics = report(results) | {"variants": [saved(each) for each in finished]}
    place = out / results[0].scenario
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=out) as folder:
        new = Path(folder) / place.name
        new.mkdir()
        for scenario, result in finished:
            (new / f"{result.variant}.yaml").write_text(scenario.resolved_yaml(), encoding="utf-8")
        (new / "metrics.json").write_text(dump(metrics), encoding="utf-8")
        (new / "versions.json").write_text(dump(versions()), encoding="utf-8")
        wall_clock = {result.variant: {"wall_s": result.wall_s, "events": result.events} for result in results}
        (new / "wall-clock.json").write_text(dump(wall_clock), encoding="utf-8")
        if figures:
            figures(new)
        if captures:
            shutil.copytree(captures, new / "pcap", copy_function=_link)
        if place.exists():
            os.rename(place, Path(folder) / "old")
        os.rename(new, place)
    return place


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all. Raises OSError."""
    with WholeFile(path) as file:
        file.write(text.encode())


def read(folder: Path) -> dict[str, Any]:
    """The metrics saved in a scenario's folder. Raises OSError or ValueError."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    if not isinstance(metrics, dict) or not isinstance(metrics.get("variants"), list):
        raise ValueError(f"{folder / 'metrics.json'}: not the metrics of a run")
    return metrics


def versions() -> dict[str, str]:
    """Python and the libraries that decide a result or draw it."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def _link(old: str, new: str) -> None:
    """A capture may be large: a second name for it where the file system has such, else a copy."""
    try:
        os.link(old, new)
    except OSError:
        shutil.copy2(old, new)


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return {str(name): counts[name] for name in sorted(counts)}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
