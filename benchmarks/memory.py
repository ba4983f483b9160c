"""Largest resident set of a run of 1 s and of one of 10 s of simulated time: `host-fast.yaml`, GRO, 1 Gb/s.

python benchmarks/memory.py
Prints MiB for both, each of a process of its own, and their ratio.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CODE = """
import sys
from sim.execute import execute
from sim.scenario import load, variant
overrides = ["links[0].rate=1Gbps", f"duration={sys.argv[1]}"]
execute(variant(load("scenarios/host-fast.yaml", overrides), "gro"))
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak_mib(simulated: str) -> float:
    """Largest resident set [MiB] of a process that simulates so long; kernels are in the cache."""
    command = [sys.executable, "-c", CODE, simulated]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(re.findall(r"\d+", done.stdout)[-1]) / 1024


def main() -> None:
    peak_mib("100ms")  # compiles
    short, long = peak_mib("1s"), peak_mib("10s")
    print(f"1 s simulated: {short:.0f} MiB, 10 s: {long:.0f} MiB, {long / short:.2f} times")


if __name__ == "__main__":
    main()
