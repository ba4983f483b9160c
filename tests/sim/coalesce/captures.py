"""Captures made for the tests: TCP segments with right checksums, and the file they come in."""

import struct
from pathlib import Path

from sim.capture_records import CaptureFile

SHARED = Path(__file__).parents[3] / "../shared/data/captures"
FILES = sorted([*SHARED.glob("*.pcap*"), *(Path(__file__).parents[2] / "data/captures").glob("*.pcap*")])


def rfc1071(octets):
    octets += bytes(len(octets) % 2)
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">H", 0xFFFF - total)


def segment(
    seq, payload=bytes(100), *, ip_id=None, ttl=64, tos=0, ack=1, flags=0x10, window=500, tsval=None, back=False
):
    """An Ethernet frame from 10.0.0.1:1 to 10.0.0.2:2, or `back`."""
    options = b"" if tsval is None else b"\1\1\x08\x0a" + struct.pack(">II", tsval, 7)
    ends, ports = (b"\n\0\0\2\n\0\0\1", (2, 1)) if back else (b"\n\0\0\1\n\0\0\2", (1, 2))
    head_bytes = 20 + len(options)
    ident = seq & 0xFFFF if ip_id is None else ip_id
    ip = struct.pack(">BBHHHBBH8s", 0x45, tos, 20 + head_bytes + len(payload), ident, 0x4000, ttl, 6, 0, ends)
    tcp = struct.pack(">HHIIBBHHH", *ports, seq, ack, head_bytes << 2, flags, window, 0, 0) + options
    pseudo = ip[12:20] + struct.pack(">HH", 6, head_bytes + len(payload))
    ip = ip[:10] + rfc1071(ip) + ip[12:]
    tcp = tcp[:16] + rfc1071(pseudo + tcp + payload) + tcp[18:]
    macs = bytes(5) + b"\2" + bytes(5) + b"\1" if back else bytes(5) + b"\1" + bytes(5) + b"\2"
    return macs + b"\x08\0" + ip + tcp + payload


def pcap(frames, times_us=None, *, link_type=1, snap=1 << 18):
    out = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, snap, link_type)
    for frame, at in zip(frames, times_us or [0] * len(frames)):
        out += struct.pack("<IIII", 1000 + at // 10**6, at % 10**6, len(frame[:snap]), len(frame)) + frame[:snap]
    return out


def frames_of(path):
    """The bytes of every frame in the capture at `path`."""
    with CaptureFile.open(path) as file:
        return [file.data[row[0] :][: row[1]].tobytes() for records in file.records() for row in records.tolist()]
