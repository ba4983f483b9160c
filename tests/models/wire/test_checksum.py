"""Checksums against the sum of RFC 1071 over all the bytes, written out."""

import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.payload import for_capture
from models.train import CAPTURED, COLUMNS, PIECE_COLUMNS
from models.wire import checksum

RANDOM = np.random.default_rng(7).integers(0, 256, 4096, np.uint8)
PAYLOADS = for_capture(RANDOM)
U8, U16 = st.integers(0, 255), st.integers(0, 65535)
ADDRESSES = {4: 4, 6: 16}


def internet(octets):
    """The checksum of RFC 1071 section 1: the complement of the sum, its carries added in; an odd byte is padded."""
    octets += b"\0" * (len(octets) & 1)
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF ^ total


@st.composite
def packets(draw, protocol):
    """(head row, meta cells, pieces, what is summed: pseudo-header and segment with a checksum field of 0)."""
    version = draw(st.sampled_from([4, 6]))
    address = st.binary(min_size=ADDRESSES[version], max_size=ADDRESSES[version])
    source, destination = draw(address), draw(address)
    options = draw(st.binary(max_size=40).map(lambda b: b[: len(b) // 4 * 4])) if protocol == 6 else b""
    ports, written = draw(st.binary(min_size=4, max_size=4)), draw(U16)
    stretches = draw(st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 700)), min_size=1, max_size=4))
    payload = b"".join(RANDOM[start : start + size].tobytes() for start, size in stretches)
    if protocol == 6:
        offset = (5 + len(options) // 4) << 4
        front, back = ports + draw(st.binary(min_size=8, max_size=8)) + bytes([offset, 24, 1, 2]), b"\3\4" + options
    else:
        front, back = ports + struct.pack("!H", (8 + len(payload)) & 0xFFFF), b""
    segment = front + b"\0\0" + back + payload
    length = len(segment)
    if version == 4:
        network = b"\x45\0" + struct.pack("!HHHBBH", 20 + length, 1, 0, 64, protocol, 0) + source + destination
        pseudo = source + destination + struct.pack("!BBH", 0, protocol, length)  # RFC 9293 section 3.1
    else:
        network = struct.pack("!IHBB", 6 << 28, length, protocol, 64) + source + destination
        pseudo = source + destination + struct.pack("!I3xB", length, protocol)  # RFC 8200 section 8.1
    head = (
        bytes(12) + (b"\x08\0" if version == 4 else b"\x86\xdd") + network + front + struct.pack("!H", written) + back
    )
    row = np.zeros(160, np.uint8)
    row[: len(head)] = np.frombuffer(head, np.uint8)
    l4 = 14 + len(network)
    cells = dict.fromkeys(COLUMNS, 0) | {
        "head_bytes": len(head), "l3": 14, "l4": l4, "inner_l3": -1, "inner_l4": -1, "protocol": protocol,
        "inner_protocol": -1, "payload_bytes": len(payload), "source": CAPTURED, "start": stretches[0][0],
        "piece_count": len(stretches), "gso_segments": 1, "frame_count": 1,
    }  # fmt: skip
    pieces = np.array([[CAPTURED, start, size, 0, 1] for start, size in stretches]).reshape(-1, len(PIECE_COLUMNS))
    return row, np.array([cells[name] for name in COLUMNS]), pieces, pseudo + segment, written


@given(made=packets(6))
def test_tcp(made):
    row, cells, pieces, summed, written = made
    expected = internet(summed)
    assert checksum.transport(PAYLOADS, pieces, row, cells) == expected
    right = written == expected or {written, expected} == {0, 0xFFFF}  # two forms of zero
    assert checksum.transport_is_right(PAYLOADS, pieces, row, cells) == right
    row[checksum.field(cells) : checksum.field(cells) + 2] = expected >> 8, expected & 0xFF
    assert checksum.transport_is_right(PAYLOADS, pieces, row, cells)


@given(made=packets(17))
def test_udp_sends_no_zero_and_takes_it_for_none(made):
    row, cells, pieces, summed, _ = made
    expected = internet(summed) or 0xFFFF  # RFC 768
    assert checksum.transport(PAYLOADS, pieces, row, cells) == expected
    at = checksum.field(cells)
    for value, right in ((expected, True), (0, True), (expected ^ 0x0100, False)):
        row[at : at + 2] = value >> 8, value & 0xFF
        assert checksum.transport_is_right(PAYLOADS, pieces, row, cells) == right


@given(octets=st.binary(min_size=20, max_size=60).map(lambda b: b[: len(b) // 4 * 4]), at=st.integers(0, 20))
def test_ipv4_header(octets, at):
    header = bytearray(bytes([0x40 | len(octets) // 4]) + octets[1:])
    row = np.full(120, 0xAA, np.uint8)
    row[at : at + len(header)] = header
    expected = internet(bytes(header[:10]) + b"\0\0" + bytes(header[12:]))
    assert checksum.ipv4_header(row, at) == expected
    row[at + 10 : at + 12] = expected >> 8, expected & 0xFF
    assert checksum.ipv4_header_is_right(row, at)
    row[at + 10] ^= 1
    assert not checksum.ipv4_header_is_right(row, at)


@given(octets=st.binary(max_size=90), start=st.integers(0, 9))
def test_words_of_a_stretch_of_any_length(octets, start):
    row = np.full(120, 0xAA, np.uint8)
    row[start : start + len(octets)] = np.frombuffer(octets, np.uint8)
    assert 0xFFFF ^ checksum.fold(checksum.words(row, start, start + len(octets))) == internet(octets)
