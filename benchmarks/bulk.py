"""Data segments per second of wall time: event loop only, warm cache, one core.

python benchmarks/bulk.py [--simulated 200ms] [--no-single]
    (a) one 10 Gb/s flow over two 20 us links with a router between
    (b) 1 us links, two senders into one router port
Prints `... segments/s` per case, then the ratio to `max_train_frames: 1` measured in the same run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models.units import PS_PER_S, parse_time_ps
from sim.execute import execute
from sim.scenario import parse, variant

CPU = "2021-xeon-100g-samecore"
ONE_FLOW = f"""# one flow through a router
duration: DURATION
observe: receiver
nodes:
  sender: {{profile: {CPU}, nics: {{eth0: {{gro: on}}}}}}
  router: {{kind: router, profile: {CPU}, nics: {{eth0: {{gro: on}}, eth1: {{gro: on}}}}}}
  receiver: {{profile: {CPU}, nics: {{eth0: {{gro: on}}}}}}
links:
  - {{ends: [sender.eth0, router.eth0], rate: 10Gbps, delay: 20us}}
  - {{ends: [router.eth1, receiver.eth0], rate: 10Gbps, delay: 20us}}
flows:
  - {{name: bulk, from: sender, to: receiver, window: 2MiB}}
variants: {{gro: {{}}}}
"""
TWO_SENDERS = f"""# two senders into one router port
duration: DURATION
observe: receiver
nodes:
  left: {{profile: {CPU}, nics: {{eth0: {{gro: on}}}}}}
  right: {{profile: {CPU}, nics: {{eth0: {{gro: on}}}}}}
  router:
    {{kind: router, profile: {CPU}, cores: 2,
     nics: {{eth0: {{gro: on}}, eth1: {{gro: on, core: 1}}, eth2: {{gro: on}}}}}}
  receiver: {{profile: {CPU}, nics: {{eth0: {{gro: on}}}}}}
links:
  - {{ends: [left.eth0, router.eth0], rate: 10Gbps, delay: 1us}}
  - {{ends: [right.eth0, router.eth1], rate: 10Gbps, delay: 1us}}
  - {{ends: [router.eth2, receiver.eth0], rate: 10Gbps, delay: 1us}}
flows:
  - {{name: left, from: left, to: receiver, window: 512KiB}}
  - {{name: right, from: right, to: receiver, window: 512KiB}}
variants: {{gro: {{}}}}
"""


def rate(text: str, duration: str, max_train_frames: int | None = None) -> tuple[float, float, int]:
    """(data segments per second of wall time, wall time per simulated second, SimPy events)."""
    overrides = [f"max_train_frames={'null' if max_train_frames is None else max_train_frames}"]
    scenario = variant(parse(text.replace("DURATION", duration), overrides=overrides), "gro")
    result = execute(scenario, variant="gro")
    return result.wire_frames / result.wall_s, result.wall_s * PS_PER_S / scenario.duration_ps, result.events


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulated", default="200ms", help="simulated time (default 200ms)")
    parser.add_argument("--no-single", action="store_true", help="leave out the runs with max_train_frames: 1")
    arguments = parser.parse_args()
    parse_time_ps(arguments.simulated)
    for name, text in (("(a) one flow, 20 us links, router", ONE_FLOW), ("(b) two senders, 1 us links", TWO_SENDERS)):
        rate(text, "2ms")  # compiles
        segments_per_s, slowdown, events = rate(text, arguments.simulated)
        print(f"{name}: {segments_per_s:,.0f} segments/s, {slowdown:.2f} s per simulated second, {events} events")
        if not arguments.no_single:
            single, _, _ = rate(text, "20ms", max_train_frames=1)
            print(f"{name}: {segments_per_s / single:.1f} times max_train_frames=1 ({single:,.0f} per second)")


if __name__ == "__main__":
    main()
