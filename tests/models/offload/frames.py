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
    MISSING_BYTES,
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
from models.wire import checksum, gre, innermost, udp
from models.wire.dissect import dissect
from models.wire.octets import put16

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
TS = b"\x01\x01\x08\x0a"


def timestamps(tsval=10, tsecr=5):
    return TS + struct.pack(">II", tsval, tsecr)


TUNNELS = ("vxlan", "geneve", "geneve-options", "geneve-ip", "gre", "gre-key", "gre-csum", "gretap", "ipip")

GRE_FLAGS = {"key": 0x2000, "csum": 0x8000, "seq": 0x1000}


def segment(**change):
    """A segment's description; sequence numbers count from 0, and are the payload's place in the stream.

    `tunnel` puts it into one; what starts with `outer_` is of the header in front of that."""
    fields = {
        "version": 4, "sport": 1500, "dport": 8000, "seq": 0, "ack": 100, "flags": ACK, "window": 65535, "urgent": 0,
        "reserved": 0, "options": b"", "payload": 100, "ttl": 8, "tos": 0, "df": 1, "ip_id": 0, "ip_options": b"",
        "fragment": 0, "label": 0, "exthdr": b"", "exthdr_kind": 60, "source": 1, "src": 1, "dst": 2, "mac": 1,
        "tag": b"", "tail": 0,
        "vlan_stripped": 0, "rx_hash": 0, "csum_state": CSUM_VERIFIED, "csum_error": 0, "ip_csum_error": 0,
        "short": 0, "protocol": 6, "ethertype": None, "isn": 0x1000, "time_ps": None, "frame_id": None, "no_csum": 0,
        "tunnel": None, "outer_version": 4, "outer_ttl": 64, "outer_tos": 0, "outer_df": 1, "outer_id": 0,
        "outer_fragment": 0, "outer_label": 0, "outer_sport": 40000, "outer_csum": 0, "outer_csum_error": 0,
        "outer_ip_csum_error": 0, "outer_ip_options": b"", "outer_src": 11, "vni": 5, "tunnel_flags": None,
        "inner_mac": 3,
    }  # fmt: skip
    if unknown := set(change) - set(fields):
        raise ValueError(unknown)
    return fields | change


def datagram(**change):
    """A UDP datagram's description, of the same fields."""
    return segment(**({"protocol": 17} | change))


def tcp_header(f):
    options = f["options"] + bytes(-len(f["options"]) % 4)
    offset = 5 + len(options) // 4
    return (
        struct.pack(">HHIIBBHHH", f["sport"], f["dport"], (f["isn"] + f["seq"]) & 0xFFFFFFFF, f["ack"],
                    offset << 4 | f["reserved"], f["flags"], f["window"], 0, f["urgent"]) + options
    )  # fmt: skip


def udp_header(f):
    return struct.pack(">HHHH", f["sport"], f["dport"], 8 + f["payload"], 0)


def ip_header(f, protocol, length, *, exthdr=b"", csum_error=0):
    """The network header of `f` in front of `length` bytes, with its checksum."""
    if f["version"] == 6:
        first, kind = 6 << 28 | f["tos"] << 20 | f["label"], f["exthdr_kind"] if exthdr else protocol
        return struct.pack(">IHBB16s16s", first, len(exthdr) + length, kind, f["ttl"],
                           bytes(15) + bytes([f["src"]]), bytes(15) + bytes([f["dst"]])) + exthdr  # fmt: skip
    ip_options = f["ip_options"]
    made = bytearray(
        struct.pack(">BBHHHBBH4s4s", 0x45 + len(ip_options) // 4, f["tos"], 20 + len(ip_options) + length,
                    f["ip_id"] & 0xFFFF, (0x4000 if f["df"] else 0) | f["fragment"], f["ttl"], protocol, 0,
                    bytes([10, 0, 0, f["src"]]), bytes([10, 0, 0, f["dst"]])) + ip_options
    )  # fmt: skip
    struct.pack_into(">H", made, 10, checksum.ipv4_header(np.frombuffer(made, np.uint8), 0) ^ csum_error)
    return bytes(made)


def mac_header(f, kind, mac, tag=b""):
    return bytes([2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, mac]) + tag + struct.pack(">H", kind)


def ethertype(version):
    return 0x0800 if version == 4 else 0x86DD


def tunnel_header(f, inner):
    """(IP protocol, what is between the outer network header and the inner one), `inner` the bytes from there on."""
    kind, frame = f["tunnel"], mac_header(f, ethertype(f["version"]), f["inner_mac"])
    flags = f["tunnel_flags"]
    if kind == "ipip":
        return 4 if f["version"] == 4 else 41, b""
    if kind.startswith("gre"):
        word = sum(bit for name, bit in GRE_FLAGS.items() if name in kind)
        carried = 0x6558 if kind == "gretap" else ethertype(f["version"])
        header = struct.pack(">HH", word if flags is None else flags, carried)
        header += bytes(4) * ("csum" in kind) + struct.pack(">I", f["vni"]) * (("key" in kind) + ("seq" in kind))
        return 47, header + (frame if kind == "gretap" else b"")
    if kind == "vxlan":
        port, header = 4789, struct.pack(">II", 0x08000000 if flags is None else flags, f["vni"] << 8) + frame
    else:
        options = b"\x01\x02\x03\x01\xaa\xbb\xcc\xdd" if kind == "geneve-options" else b""
        carried = ethertype(f["version"]) if kind == "geneve-ip" else 0x6558
        first = len(options) // 4 << 8 if flags is None else flags
        header = struct.pack(">HHI", first, carried, f["vni"] << 8) + options + (b"" if kind == "geneve-ip" else frame)
        port = 6081
    length = 8 + len(header) + inner
    return 17, struct.pack(">HHHH", f["outer_sport"], port, length, 1 if f["outer_csum"] else 0) + header


def headers(f):
    """All header bytes, Ethernet first; transport checksums are still to be written."""
    l4 = {6: tcp_header, 17: udp_header}.get(f["protocol"], tcp_header)(f)
    length = len(l4) + f["payload"]
    l3 = ip_header(f, f["protocol"], length - f["short"], exthdr=f["exthdr"], csum_error=f["ip_csum_error"])
    version = f["version"]
    if f["tunnel"]:
        protocol, between = tunnel_header(f, len(l3) + len(l4) + f["payload"])
        version = f["outer_version"]
        outer = {name.removeprefix("outer_"): value for name, value in f.items() if name.startswith("outer_")}
        outer |= {"ip_id": f["outer_id"], "dst": 12}
        length = len(between) + len(l3) + len(l4) + f["payload"]
        l3 = ip_header(outer, protocol, length, csum_error=f["outer_ip_csum_error"]) + between + l3
    return mac_header(f, f["ethertype"] or ethertype(version), f["mac"], f["tag"]) + l3 + l4


def train(segments, payloads=SYNTHETIC, *, width=None):
    """The described frames, 1 ns apart, with right checksums but where a description says otherwise."""
    heads = [headers(f) for f in segments]
    made = FrameTrain.blank(len(segments), width or max([128, *(-(-len(head) // 8) * 8 for head in heads)]))
    for i, (f, octets) in enumerate(zip(segments, heads)):
        cells, row = made.meta[i], made.head[i]
        row[: len(octets)] = np.frombuffer(octets, np.uint8)
        total = len(octets) + f["payload"] + f["tail"]
        dissect(row, min(total, len(octets)), total, cells)
        cells[MISSING_BYTES] = 0  # a synthetic payload is all there
        cells[TIME_PS] = (i + 1) * 1000 if f["time_ps"] is None else f["time_ps"]
        cells[FRAME_ID] = i if f["frame_id"] is None else f["frame_id"]
        cells[SOURCE], cells[START] = f["source"], f["seq"]
        cells[CSUM_STATE], cells[VLAN_STRIPPED], cells[RX_HASH] = f["csum_state"], f["vlan_stripped"], f["rx_hash"]
        if innermost.transport(cells) >= 0 and innermost.protocol(cells) in (6, 17) and not f["no_csum"]:
            put16(row, checksum.field(cells), checksum.transport(payloads, made.pieces, row, cells) ^ f["csum_error"])
        if innermost.has_outer_udp(cells) and f["outer_csum"]:
            l4 = int(cells[L4])
            udp.set_checksum(row, l4, checksum.outer_udp(payloads, made.pieces, row, cells) ^ f["outer_csum_error"])
        if innermost.is_tunnelled(cells) and f["tunnel"] in ("gre-csum", "gre-key-csum"):
            value = checksum.outer_gre(payloads, made.pieces, row, cells)
            put16(row, int(cells[L4]) + gre.OPTIONAL, value ^ f["outer_csum_error"])
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
