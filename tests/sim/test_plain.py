"""A whole simulation as plain Python, which is how a kernel is debugged, gives what the compiled one gives."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.compiled import JIT_DISABLED
from sim.execute import execute
from sim.scenario import parse, variant

ROOT = Path(__file__).parents[2]
SCENARIO = """# two senders, one behind a rough link, through a router of two cores to a slow line with a short queue
duration: 2ms
observe: router
nodes:
  a: {nics: {eth0: {}}}
  b: {nics: {eth0: {gro: on, lro: on, lro-engine: lro-driver}}}
  router:
    kind: router
    profile: 2008-xeon-10g
    cores: 2
    nics: {x: {rx-ring: 8}, y: {core: 1, tso: off}, z: {}}
  c: {nics: {eth0: {rx-usecs: 20us}}}
links:
  - {ends: [a.eth0, router.x], rate: 10Gbps, delay: 20us, jitter: 30us, loss: 0.01}
  - {ends: [b.eth0, router.y], rate: 10Gbps, delay: 20us}
  - {ends: [router.z, c.eth0], rate: 2Gbps, delay: 20us, queue: 6}
flows:
  - {name: six, from: a, to: c, bytes: 40001, ip: 6}
  - {name: four, from: b, to: c, bytes: 40001}
variants:
  none: {}
  gro: {nodes.router.nics.x.gro: on, nodes.router.nics.y.gro: on, nodes.c.nics.eth0.gro: on}
  lro-driver: {nodes.router.nics.y: {lro: on, lro-engine: lro-driver}}
  lro-hardware: {nodes.c.nics.eth0.lro: on}
  freebsd-lro: {nodes.c.nics.eth0: {lro: on, lro-engine: freebsd-lro}}
"""
VARIANTS = ("none", "gro", "lro-driver", "lro-hardware", "freebsd-lro")
PRINT = """
import json, sys
from tests.sim.test_plain import told
print(json.dumps(told(sys.argv[1])))
"""


def told(name):
    """Metrics and the timeline of a poll."""
    result = execute(variant(parse(SCENARIO), name), variant=name)
    return json.loads(json.dumps({"metrics": result.as_json(), "timeline": result.poll_timeline}))


@pytest.mark.skipif(JIT_DISABLED, reason="there is no other way to compare with")
@pytest.mark.parametrize("name", VARIANTS)
def test_plain_python_gives_the_same(name):
    plain = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", PRINT, name],  # of integers that overflow
        cwd=ROOT,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert plain.returncode == 0, plain.stderr
    compiled = told(name)
    assert json.loads(plain.stdout) == compiled
    assert compiled["metrics"]["goodput_bps"] and compiled["timeline"]["frames"]
