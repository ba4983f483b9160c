"""Every field is where its RFC has it: headers packed by `struct` are read back, and a write changes nothing else."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.wire import ethernet, ipv4, ipv6, tcp, udp, vlan

U8, U16, U32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
AT = st.integers(0, 40)  # where a header starts in its row


def row_with(header, at):
    row = np.full(160, 0xAA, np.uint8)
    row[at : at + len(header)] = np.frombuffer(header, np.uint8)
    return row


def changed(write, row, *arguments):
    """Which bytes a write changes, and to what."""
    before = row.copy()
    write(row, *arguments)
    return {int(k): int(row[k]) for k in np.flatnonzero(row != before)}


@given(at=AT, words=st.integers(5, 15), tos=U8, length=U16, ident=U16, fragment=U16, ttl=U8, protocol=U8, source=U32,
       destination=U32)  # fmt: skip
def test_ipv4(at, words, tos, length, ident, fragment, ttl, protocol, source, destination):
    """RFC 791 section 3.1."""
    header = struct.pack(
        "!BBHHHBBHII", 0x40 | words, tos, length, ident, fragment, ttl, protocol, 7, source, destination
    )
    row = row_with(header, at)
    assert ipv4.is_ipv4(row, at)
    assert ipv4.header_bytes(row, at) == 4 * words
    assert (ipv4.tos(row, at), ipv4.total_length(row, at), ipv4.ident(row, at)) == (tos, length, ident)
    assert (ipv4.fragment(row, at), ipv4.ttl(row, at), ipv4.protocol(row, at)) == (fragment, ttl, protocol)
    assert (ipv4.source(row, at), ipv4.destination(row, at)) == (source, destination)


@given(at=AT, traffic_class=U8, label=st.integers(0, 2**20 - 1), length=U16, kind=U8, hops=U8)
def test_ipv6(at, traffic_class, label, length, kind, hops):
    """RFC 8200 section 3."""
    first = 6 << 28 | traffic_class << 20 | label
    row = row_with(struct.pack("!IHBB32s", first, length, kind, hops, bytes(32)), at)
    assert not ipv4.is_ipv4(row, at)
    assert (ipv6.flow_word(row, at), ipv6.traffic_class(row, at)) == (first, traffic_class)
    assert (ipv6.payload_length(row, at), ipv6.next_header(row, at), ipv6.hop_limit(row, at)) == (length, kind, hops)
    assert ipv6.is_extension(kind) == (kind in (0, 43, 60))


@given(at=AT, ports=st.tuples(U16, U16), seq=U32, ack=U32, words=st.integers(5, 15), flags=U8, window=U16, check=U16,
       urgent=U16)  # fmt: skip
def test_tcp(at, ports, seq, ack, words, flags, window, check, urgent):
    """RFC 9293 section 3.1."""
    row = row_with(struct.pack("!HHIIBBHHH", *ports, seq, ack, words << 4, flags, window, check, urgent), at)
    assert tcp.ports(row, at) == ports[0] << 16 | ports[1]
    assert (tcp.seq(row, at), tcp.ack(row, at), tcp.header_bytes(row, at)) == (seq, ack, 4 * words)
    assert (tcp.flags(row, at), tcp.window(row, at)) == (flags, window)
    assert (tcp.checksum(row, at), tcp.urgent(row, at)) == (check, urgent)


@pytest.mark.parametrize(
    ("flag", "bit"),
    [(tcp.FIN, 1), (tcp.SYN, 2), (tcp.RST, 4), (tcp.PSH, 8), (tcp.ACK_FLAG, 16), (tcp.URG, 32), (tcp.ECE, 64),
     (tcp.CWR, 128)],
)  # fmt: skip
def test_tcp_flags(flag, bit):
    """RFC 9293 section 3.1, RFC 3168 section 6.1."""
    assert flag == bit


@given(at=AT, tsval=U32, tsecr=U32, options=st.sampled_from(["0101080a", "080a0101", "0101080b", "01010a08"]),
       more=st.booleans())  # fmt: skip
def test_aligned_timestamps_are_twelve_bytes_and_nothing_else(at, tsval, tsecr, options, more):
    words = 5 + 3 + more
    header = struct.pack("!HHIIBBHHH", 1, 2, 3, 4, words << 4, 16, 5, 6, 7)
    row = row_with(header + bytes.fromhex(options) + struct.pack("!II", tsval, tsecr) + b"\1\1\1\1", at)
    aligned = options == "0101080a" and not more
    assert tcp.has_aligned_timestamps(row, at) == aligned
    if aligned:
        assert (tcp.tsval(row, at), tcp.tsecr(row, at)) == (tsval, tsecr)


@given(at=AT, ports=st.tuples(U16, U16), length=U16, check=U16)
def test_udp(at, ports, length, check):
    """RFC 768."""
    row = row_with(struct.pack("!HHHH", *ports, length, check), at)
    assert udp.ports(row, at) == ports[0] << 16 | ports[1]
    assert (udp.destination_port(row, at), udp.length(row, at), udp.checksum(row, at)) == (ports[1], length, check)


@given(at=AT, value=st.integers(0, 2**33))
def test_a_write_changes_its_field_alone(at, value):
    """Numbers that count up wrap around in their field."""
    two, four = struct.pack("!H", value & 0xFFFF), struct.pack("!I", value & 0xFFFFFFFF)
    places = [
        (ipv4.set_ident, value, 4, two),
        (ipv4.set_total_length, value & 0xFFFF, 2, two),
        (ipv6.set_payload_length, value & 0xFFFF, 4, two),
        (tcp.set_seq, value, 4, four),
        (tcp.set_checksum, value & 0xFFFF, 16, two),
        (udp.set_length, value & 0xFFFF, 4, two),
        (udp.set_checksum, value & 0xFFFF, 6, two),
    ]
    for write, given_value, offset, octets in places:
        expected = {at + offset + k: octet for k, octet in enumerate(octets) if octet != 0xAA}
        assert changed(write, row_with(b"", 0), at, given_value) == expected, write.__name__


@given(kind=U16, tci=U16)
def test_mac_header_and_tags(kind, tci):
    """IEEE 802.3 clause 3.2.6; 802.1Q clause 9.6."""
    row = row_with(bytes(12) + struct.pack("!HHH", 0x8100, tci, kind), 0)
    assert ethernet.ethertype(row, ethernet.ETHERTYPE) == ethernet.VLAN
    assert vlan.tci(row, ethernet.HEADER_BYTES) == tci
    assert ethernet.ethertype(row, ethernet.HEADER_BYTES + vlan.INNER_ETHERTYPE) == kind
    assert vlan.is_tag(kind) == (kind in (0x8100, 0x88A8))


@pytest.mark.parametrize(("frame", "line"), [(1514, 1538), (60, 84), (14, 84), (61, 85), (9014, 9038)])
def test_a_frame_takes_its_bytes_on_the_line_and_24_more(frame, line):
    """FCS, preamble, gap; short frames are padded: IEEE 802.3 clauses 3.1.1, 3.2.8 and 4.4.2."""
    assert ethernet.line_bytes(frame) == line
