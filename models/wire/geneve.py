"""Geneve header, behind UDP: where each field is.

Models: version 0 with options as bytes.
Leaves out: the meaning of options.
Sources: RFC 8926 section 3.4.
Checked by: tests/models/wire/test_tunnels.py.
"""

from __future__ import annotations

import numpy as np

from models.compiled import njit
from models.wire.octets import be16

VERSION_AND_LENGTH, FLAGS, PROTOCOL_TYPE, VNI, MINIMUM_BYTES = 0, 1, 2, 4, 8
CONTROL = 0x80  # the O bit of FLAGS
PORT = 6081


@njit
def version(row, at):
    return np.int64(row[at]) >> 6


@njit
def header_bytes(row, at):
    """Length with options."""
    return MINIMUM_BYTES + 4 * (np.int64(row[at]) & 0x3F)


@njit
def protocol_type(row, at):
    return be16(row, at + PROTOCOL_TYPE)


@njit
def is_control(row, at):
    """Whether it is a control packet: data meant for the tunnel's end itself."""
    return np.int64(row[at + FLAGS]) & CONTROL != 0
