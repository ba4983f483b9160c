"""Results of no run, shaped like those of scenarios/host.yaml."""

from sim.results import RunResult, no_losses

FRAMES = 640_000
WORK = {  # cycles a frame by kind
    "none": {"irq": 250, "poll": 63, "drv": 1800, "skb": 1700, "stack": 3000, "ack": 1300, "wake": 91, "copy": 1303},
    "lro-hardware": {"irq": 65, "poll": 16, "drv": 112, "frag": 500, "skb": 106, "stack": 188, "ack": 163,
                     "copy": 1303},
    "lro-driver": {
        "irq": 250, "poll": 63, "drv": 1800, "lro_inspect": 400, "frag": 500, "skb": 106, "stack": 188,
        "ack": 163, "wake": 125, "copy": 1303,
    },
    "gro": {
        "irq": 250, "poll": 63, "drv": 1800, "gro_inspect": 300, "gro_merge": 300, "skb": 1700, "stack": 188,
        "ack": 163, "wake": 125, "copy": 1303,
    },
}  # fmt: skip
GOODPUT_BPS = {"none": 3.66e9, "lro-hardware": 9.4148e9, "lro-driver": 7.1e9, "gro": 5.61e9}
SIZES = {
    "none": {1: 640_000},
    "lro-hardware": {1: 300, 16: 31_000, 24: 4000, 32: 1500},
    "lro-driver": {1: 500, 7: 300, 16: 30_000, 30: 4100, 45: 100},
    "gro": {1: 800, 2: 500, 8: 9000, 16: 27_000, 21: 3000, 45: 1200},
}


def poll(variant: str) -> dict[str, object]:
    """32 frames at line rate's pace of work, a merge broken once."""
    start_ps = 41_000_000
    frames: list[dict[str, object]] = []
    packets: list[dict[str, object]] = []
    for i in range(32):
        time_ps = start_ps + 700_000 * i
        alone = variant == "none" or i == 20
        fate = "passed" if alone else "started" if i in (0, 21) else "joined"
        frames.append(
            {
                "time_ps": time_ps,
                "frame": i,
                "fate": fate,
                "reason": "none" if fate == "joined" else "off" if variant == "none" else "flags" if alone else "first",
            }
        )
        if variant == "none":
            packets.append({"time_ps": time_ps, "segments": 1, "close": None})
    end_ps = start_ps + 700_000 * 33
    if variant != "none":
        packets += [
            {"time_ps": start_ps + 14_000_000, "segments": 20, "close": "flags"},
            {"time_ps": start_ps + 14_000_000, "segments": 1, "close": None},
            {"time_ps": end_ps, "segments": 11, "close": "poll-end"},
        ]
    return {"start_ps": start_ps, "end_ps": end_ps, "frames": frames, "packets": packets}


def result(shape: str = "none", scenario: str = "host", **changes: object) -> RunResult:
    """What a run might have given, in the shape of a variant of scenarios/host.yaml."""
    packets = sum(SIZES[shape].values())
    values: dict[str, object] = {
        "scenario": scenario,
        "variant": shape,
        "seed": 1,
        "goodput_bps": GOODPUT_BPS[shape],
        "wire_frames": FRAMES,
        "stack_packets": packets,
        "segments_per_packet": FRAMES / packets,
        "acks_sent": packets,
        "cpu": {
            "receiver": {
                "busy_fraction": 0.7 if shape == "lro-hardware" else 1.0,
                "cycles_per_frame": float(sum(WORK[shape].values())),
                "breakdown": {kind: cycles * FRAMES for kind, cycles in WORK[shape].items()},
            }
        },
        "drops": {"ring-full": 12} if shape == "none" else {},
        "fates": {"joined": FRAMES - packets, "started": packets - 300, "passed": 300},
        "reasons": {"first": packets - 300, "flags": 300},
        "closes": {"poll-end": packets - 300},
        "flows": [{"name": "bulk", "goodput_bps": GOODPUT_BPS[shape], "retransmitted_segments": 3}],
        "correctness": no_losses(),
        "merge_sizes": SIZES[shape],
        "poll_timeline": poll(shape),
    }
    return RunResult(**(values | changes))  # type: ignore[arg-type]
