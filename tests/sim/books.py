"""What is where when a run ends: frames and payload bytes, counted at each place."""

import numpy as np

from models.train import FRAME_COUNT


def frames_and_bytes(train):
    return np.array([train.meta[:, FRAME_COUNT].sum(), train.payload_bytes.sum()])


def counted(counts, frames, payload):
    return np.array([counts[frames], counts[payload]])


def assert_ports_and_links_balance(world):
    """In = out + waiting + dropped at the ports of each node, and what all of them sent has arrived, is on its way or
    was lost on a link; returns what was lost."""
    at_cards = sent_by_all = np.zeros(2, np.int64)
    for name, node in world.nodes.items():
        counts = node.ledger.counts
        handed_over = counted(counts, "port/in", "port/in-bytes")
        sent_on = counted(counts, "port/out", "port/out-bytes")
        waiting = sum(frames_and_bytes(port.waiting) for port in node.model.ports)
        dropped = counted(counts, "drop/queue-full", "port/dropped-bytes")
        assert (handed_over == sent_on + waiting + dropped).all(), name
        sent_by_all = sent_by_all + sent_on
        coming = sum(frames_and_bytes(nic.on_the_way) for nic in node.nics.values())
        at_cards = at_cards + counted(counts, "nic/in", "nic/in-bytes") + coming
    in_cables = sum(frames_and_bytes(frame) for line in world.lines for _, _, frame in getattr(line, "_held", ()))
    lost = sum(counted(link.counts, "drop/link-loss", "link/lost-bytes") for link in world.links)
    assert (sent_by_all == at_cards + in_cables + lost).all()
    return lost
