"""Segments for the tests: a frame as keywords, a train as a list of them, and a train as bytes again."""

from __future__ import annotations

import struct

import numpy as np

from models.payload import SYNTHETIC, copy_payload
from models.train import (
    CSUM_STATE,
    CSUM_VERIFIED,
    FRAME_ID,
    HEAD_BYTES,
    L3,
    L4,
    PAYLOAD_BYTES,
    PIECE_BYTES,
    PIECE_SOURCE,
    PIECE_START,
    RX_HASH,
    SOURCE,
    START,
    TIME_PS,
    VLAN_STRIPPED,
    FrameTrain,
)
from models.wire import checksum
from models.wire.dissect import dissect
from models.wire.octets import put16

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
TS = b"\x01\x01\x08\x0a"


def timestamps(tsval=10, tsecr=5):
    return TS + struct.pack(">II", tsval, tsecr)


def segment(**change):
    """A segment's description; sequence numbers count from 0, and are the payload's place in the stream."""
    fields = {
        "version": 4, "sport": 1500, "dport": 8000, "seq": 0, "ack": 100, "flags": ACK, "window": 65535, "urgent": 0,
        "reserved": 0, "options": b"", "payload": 100, "ttl": 8, "tos": 0, "df": 1, "ip_id": 0, "ip_options": b"",
        "fragment": 0, "label": 0, "exthdr": b"", "source": 1, "src": 1, "dst": 2, "mac": 1, "tag": b"", "tail": 0,
        "vlan_stripped": 0, "rx_hash": 0, "csum_state": CSUM_VERIFIED, "csum_error": 0, "ip_csum_error": 0,
        "protocol": 6, "ethertype": None, "isn": 0x1000, "time_ps": None, "frame_id": None,
    }  # fmt: skip
    if unknown := set(change) - set(fields):
        raise ValueError(unknown)
    return fields | change


def tcp_header(f):
    options = f["options"] + bytes(-len(f["options"]) % 4)
    offset = 5 + len(options) // 4
    return (
        struct.pack(">HHIIBBHHH", f["sport"], f["dport"], (f["isn"] + f["seq"]) & 0xFFFFFFFF, f["ack"],
                    offset << 4 | f["reserved"], f["flags"], f["window"], 0, f["urgent"]) + options
    )  # fmt: skip


def headers(f):
    l4 = tcp_header(f)
    length = len(l4) + f["payload"]
    if f["version"] == 4:
        ip_options = f["ip_options"]
        word = (0x4000 if f["df"] else 0) | f["fragment"]
        l3 = struct.pack(">BBHHHBBH4s4s", 0x45 + len(ip_options) // 4, f["tos"], 20 + len(ip_options) + length,
                         f["ip_id"] & 0xFFFF, word, f["ttl"], f["protocol"], 0,
                         bytes([10, 0, 0, f["src"]]), bytes([10, 0, 0, f["dst"]])) + ip_options  # fmt: skip
    else:
        first = 6 << 28 | f["tos"] << 20 | f["label"]
        kind = 60 if f["exthdr"] else f["protocol"]
        l3 = struct.pack(">IHBB16s16s", first, len(f["exthdr"]) + length, kind, f["ttl"],
                         bytes(15) + bytes([f["src"]]), bytes(15) + bytes([f["dst"]])) + f["exthdr"]  # fmt: skip
    kind = f["ethertype"] or (0x0800 if f["version"] == 4 else 0x86DD)
    mac = bytes([2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, f["mac"]])
    return mac + f["tag"] + struct.pack(">H", kind), l3, l4


def train(segments, payloads=SYNTHETIC, *, width=128):
    """The described frames, 1 ns apart, with right checksums but where a description says otherwise."""
    made = FrameTrain.blank(len(segments), width)
    for i, f in enumerate(segments):
        cells, row = made.meta[i], made.head[i]
        octets = b"".join(headers(f))
        row[: len(octets)] = np.frombuffer(octets, np.uint8)
        total = len(octets) + f["payload"] + f["tail"]
        dissect(row, min(total, len(octets)), total, cells)
        cells[TIME_PS] = (i + 1) * 1000 if f["time_ps"] is None else f["time_ps"]
        cells[FRAME_ID] = i if f["frame_id"] is None else f["frame_id"]
        cells[SOURCE], cells[START] = f["source"], f["seq"]
        cells[CSUM_STATE], cells[VLAN_STRIPPED], cells[RX_HASH] = f["csum_state"], f["vlan_stripped"], f["rx_hash"]
        if cells[L3] >= 0 and f["version"] == 4:
            put16(row, cells[L3] + 10, checksum.ipv4_header(row, cells[L3]) ^ f["ip_csum_error"])
        if cells[L4] >= 0:
            put16(row, checksum.field(cells), checksum.transport(payloads, made.pieces, row, cells) ^ f["csum_error"])
    return made


def payload_bytes(packets, row, payloads=SYNTHETIC):
    out = np.zeros(int(packets.meta[row, PAYLOAD_BYTES]), np.uint8)
    at = 0
    for piece in packets.payload_of(row):
        copy_payload(payloads, piece[PIECE_SOURCE], piece[PIECE_START], piece[PIECE_BYTES], out, at)
        at += int(piece[PIECE_BYTES])
    assert at == len(out)
    return out.tobytes()


def octets(packets, payloads=SYNTHETIC):
    """Every row as the bytes on the wire, tail as zeros."""
    return [
        packets.head[i, : packets.meta[i, HEAD_BYTES]].tobytes() + payload_bytes(packets, i, payloads)
        for i in range(len(packets))
    ]


def by_flow(packets, payloads=SYNTHETIC):
    """Frames in order within each flow: the key is everything up to the ports that no engine rewrites."""
    flows: dict[bytes, list[bytes]] = {}
    for i, frame in enumerate(octets(packets, payloads)):
        l3, l4 = packets.meta[i, L3], packets.meta[i, L4]
        if l4 < 0:
            key = frame[:14]
        else:
            source = 12 if frame[l3] >> 4 == 4 else 8
            key = frame[l3 + source : l3 + source + (8 if source == 12 else 32)] + frame[l4 : l4 + 4]
        flows.setdefault(key, []).append(frame)
    return flows
