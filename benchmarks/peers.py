"""The other side of the speed comparison: one 10 Gb/s TCP flow over two 20 us links with a router between.

    python benchmarks/peers.py

Runs the same flow in ns-3 (C++, from Debian's libns3-dev, with g++) and in ns.py (Python and SimPy, `pip install
ns.py`) where they are installed, and this simulator's case (a) from bulk.py. Prints data segments per second of wall
time, event loop only, on one core, and the ratio. The peers do less for each segment: neither has GRO or a CPU model,
and ns.py has no header bytes.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
NS3_MODULES = ("core", "network", "internet", "point-to-point", "applications")
SIMULATED_MS = 200
NS_PY_SIMULATED_MS = 50  # it is slow enough for this to take as long

NS_PY = """
import sys, time
import simpy
from ns.flow.cc import TCPReno
from ns.flow.flow import Flow
from ns.packet.tcp_generator import TCPPacketGenerator
from ns.packet.tcp_sink import TCPSink
from ns.port.port import Port
from ns.port.wire import Wire

seconds, mss, line_bps, delay_s = float(sys.argv[1]) / 1000, 1448, 10e9, 20e-6
payload_bps = line_bps * mss / 1538  # its packets have no headers: the same segments per second
env = simpy.Environment()
flow = Flow(fid=0, src="sender", dst="receiver", finish_time=seconds)
sender = TCPPacketGenerator(env, flow=flow, cc=TCPReno(mss=mss, cwnd=200 * mss, ssthresh=200 * mss))
sender.mss = mss
sink = TCPSink(env, rec_arrivals=False, rec_waits=False)

def path(start, end, rate_bps):
    for _ in range(2):  # into the router, out of the router
        port, wire = Port(env, rate=rate_bps), Wire(env, delay_dist=lambda: delay_s)
        start.out = port
        port.out = wire
        start = wire
    start.out = end

path(sender, sink, payload_bps)
path(sink, sender, line_bps)
begin = time.perf_counter()
env.run(until=seconds)
print(sink.next_seq_expected // mss, time.perf_counter() - begin)
"""


def run(command: list[str]) -> float | str:
    """Segments per second that `command` prints as `segments seconds`, or what went wrong."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        return (result.stderr.strip().splitlines() or ["no message"])[-1]
    segments, wall_s = result.stdout.split()
    return int(segments) / float(wall_s)


def ns3() -> float | str:
    """ns-3 through its C++ interface."""
    if not shutil.which("g++"):
        return "g++ not installed"
    libraries = [f"-lns3-{module}" for module in NS3_MODULES]  # pkg-config would ask for far more than is used
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "peer_ns3")
        build = ["g++", "-std=c++17", "-O2", "-o", program, str(HERE / "peer_ns3.cc"), *libraries]
        built = subprocess.run(build, capture_output=True, text=True, check=False)
        if "core-module.h: No such file" in built.stderr:
            return "not installed (Debian: libns3-dev)"
        if built.returncode:
            return (built.stderr.strip().splitlines() or ["does not build"])[-1]
        return run([program, str(SIMULATED_MS)])


def ns_py() -> float | str:
    """ns.py; its import name `ns` is also that of ns-3's Python wheel and of an unrelated package."""
    found = subprocess.run([sys.executable, "-c", "import ns.packet.tcp_sink"], capture_output=True, check=False)
    if found.returncode:
        return "not installed (pip install ns.py)"
    return run([sys.executable, "-c", NS_PY, str(NS_PY_SIMULATED_MS)])


def ours() -> float | str:
    """Case (a) of bulk.py: the first figure it prints."""
    result = subprocess.run([sys.executable, str(HERE / "bulk.py")], capture_output=True, text=True, check=False)
    figure = re.search(r"([\d_,.]+) segments/s", result.stdout)
    if result.returncode or not figure:
        return (result.stderr.strip().splitlines() or ["bulk.py printed no segments/s"])[-1]
    return float(re.sub(r"[_,]", "", figure[1]))


def main() -> None:
    own = ours()
    for name, speed in (("this simulator, GRO and CPU model on", own), ("ns-3 (C++)", ns3()), ("ns.py", ns_py())):
        if isinstance(speed, str):
            print(f"{name}: skipped, {speed}")
        else:
            ratio = f", this simulator is {own / speed:.1f} times as fast" if isinstance(own, float) else ""
            print(f"{name}: {speed:,.0f} segments/s{ratio if speed is not own else ''}", flush=True)


if __name__ == "__main__":
    main()
