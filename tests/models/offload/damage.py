"""Where a frame that Linux joined and cut again may come back changed: the list is DAMAGE in test_lossless.py."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from frames import octets

from models.payload import SYNTHETIC
from models.train import FRAME_ID, INNER_L3, L3, L4, PROTOCOL
from models.wire import gre, innermost, tcp, udp


def unexplained(sent, back, payloads=SYNTHETIC):
    """The `frame_id` of every frame of `sent` that is not in `back`, or is with bytes changed that Linux would keep."""
    wrong = []
    order = {int(frame_id): k for k, frame_id in enumerate(back.meta[:, FRAME_ID])}
    returned = octets(back, payloads)
    for k, came in enumerate(octets(sent, payloads)):
        frame_id = int(sent.meta[k, FRAME_ID])
        now = returned[order[frame_id]] if frame_id in order else b""
        spans = excused(sent.meta[k], came) if came != now else []
        if without(came, spans) != without(now, spans):
            wrong.append(frame_id)
    return wrong + sorted(set(order) - set(np.unique(sent.meta[:, FRAME_ID]).tolist()))


def excused(cells, frame):
    """Byte ranges of a frame of this kind that damage may show in, sums over them included."""
    outer, l4 = int(cells[L4]), int(innermost.transport(cells))
    spans = []
    for l3 in {int(cells[L3]), int(innermost.network(cells))}:
        if l3 >= 0 and frame[l3] >> 4 == 4:
            spans += [(l3 + 4, l3 + 6), (l3 + 10, l3 + 12)]  # ID and checksum
    if l4 >= 0 and innermost.protocol(cells) == tcp.PROTOCOL:
        spans += [(l4 + tcp.CHECKSUM, l4 + tcp.URGENT + 2)]
    if innermost.has_outer_udp(cells):
        spans += [(outer + udp.CHECKSUM, outer + udp.HEADER_BYTES)]
    if cells[INNER_L3] >= 0 and cells[PROTOCOL] == gre.PROTOCOL:
        spans += [(outer + gre.OPTIONAL, outer + gre.OPTIONAL + 2)]
    return spans


def without(frame, spans):
    blank = bytearray(frame)
    for start, stop in spans:
        blank[start:stop] = bytes(stop - start)
    return bytes(blank)
