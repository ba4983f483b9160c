"""Cards that merge, one row each: what they compare, where they stop, what they write, and how that is known.

Models: LRO engines whose algorithm is the same - one packet a flow, frames joined behind it - and whose rules differ.
Leaves out: the rules' code (`lro_hardware.py` reads a row); engines that work another way have files of their own.
Sources: in each cell; collected in the project's fact sheet, section 4. Windows: "Rules for Coalescing TCP/IP
    Segments", "Exception Conditions that Terminate Coalescing" and "Updating the IP Headers for Coalesced Segments",
    Windows driver documentation.
Checked by: tests/models/offload/test_lro_table.py and test_lro_hardware.py; docs/engines.md prints the table, which a
    test compares.

Most firmware is not published. Where nothing is known the cell is `assumed`: it says what the Windows contract says,
since the same cards are sold under it, and where that is silent what forgets least. An assumed cell, and one that
differs between drivers, is a keyword of `engine.make`: `make("lro-82599", psh="closes")`.
"""

from __future__ import annotations

from models.offload.held import MAX_BYTES, MAX_SEGMENTS, MTU_BYTES, PER_BUCKET
from models.offload.lro_columns import (
    ASSUMED,
    COLUMNS,
    FIRST_WORD,
    MAX_BYTES_IN_MTUS,
    MAX_FRAME_BYTES,
    NO_LIMIT,
    Checksum,
    Ecn,
    Fallback,
    Full,
    GsoSize,
    Kept,
    Layout,
    Lone,
    Match,
    Options,
    Push,
    Row,
    Said,
    Size,
    Versions,
    assumed,
    known,
    varies,
    wording,
)
from models.wire import tcp

ETHERNET_MTU_BYTES = 1500
_ACK, _PSH = tcp.ACK_FLAG, tcp.PSH
_ECN_FLAGS = tcp.ECE | tcp.CWR

# where firmware is silent: what the Windows contract asks of the same cards, or what forgets least
_MILDEST: dict[str, int] = {
    "versions": Versions.BOTH,
    "ip_options": Match.EQUAL,
    "flags": _ACK | _PSH,
    "needs_ack": 1,
    "psh": Push.JOINS,
    "ecn": Ecn.EQUAL,
    "dscp": Match.EQUAL,
    "ttl": Match.ANY,
    "df": Match.EQUAL,
    "mac": Match.EQUAL,
    "vlan": Match.EQUAL,
    "ack": Match.NOT_OLDER,
    "window": Match.ANY,
    "options": Options.ALIGNED,
    "layout": Layout.EQUAL,
    "tsval": Match.NOT_OLDER,
    "zero_tsecr": Match.ANY,
    "size": Size.ANY,
    "misfit": Fallback.STARTS,
    "full": Full.ALONE,
    "ack_and_window": Kept.LAST,
    "ttl_written": Kept.MINIMUM,
    "tsval_written": Kept.LAST,
    "tsecr_written": Kept.LAST,
    "psh_written": Kept.ORED,
    "lone": Lone.KEPT,
    "checksum": Checksum.VALID,
    "gso_size": GsoSize.NONE,
    "gso_type": Said.UNSET,
    "gso_segs": Said.UNSET,
    "contexts": 32,
    "max_bytes": 65535,
    "max_frame_bytes": 0,
    "max_segments": 0,
    "max_bytes_in_mtus": 0,
    "timer_ps": 0,
}
_ASSUMED = {column: assumed(value) for column, value in _MILDEST.items()}

_CARICATURE: dict[str, int] = {
    "ip_options": Match.ANY,
    "flags": ~(tcp.URG | tcp.RST | tcp.SYN | tcp.FIN) & 0xFF,  # or no connection would survive the card
    "needs_ack": 0,
    "ecn": Ecn.ANY,
    "dscp": Match.ANY,
    "df": Match.ANY,
    "mac": Match.ANY,
    "vlan": Match.ANY,
    "ack": Match.ANY,
    "options": Options.ANY,
    "layout": Layout.ANY,
    "tsval": Match.ANY,
    "full": Full.EVICTS,
    "ttl_written": Kept.FIRST,
    "psh_written": Kept.FIRST,
    "gso_size": GsoSize.LARGEST,
    "gso_segs": Said.SET,
}

ROWS: dict[str, Row] = {
    # Neterion Xframe: drivers/net/s2io.c, Linux 2.6.24 and 2.6.29; the card only classifies
    "lro-s2io": Row(
        versions=known(Versions.V4, "check_L2_lro_capable"),
        ip_options=known(Match.EQUAL, "verify_l3_l4_lro_capable"),
        flags=known(_ACK, "verify_l3_l4_lro_capable: with PSH, too, it stays alone"),
        needs_ack=known(1, "verify_l3_l4_lro_capable"),
        psh=known(Push.JOINS, "verify_l3_l4_lro_capable: never asked"),
        ecn=known(Ecn.NOT_CE, "verify_l3_l4_lro_capable"),
        dscp=known(Match.ANY, "check_for_socket_match"),
        ttl=known(Match.ANY, "check_for_socket_match"),
        df=known(Match.ANY, "check_for_socket_match"),
        mac=known(Match.ANY, "check_for_socket_match"),
        vlan=known(Match.ANY, "check_for_socket_match"),
        ack=known(Match.ANY, "aggregate_new_rx"),
        window=known(Match.ANY, "aggregate_new_rx"),
        options=known(Options.AFTER_NOPS, "verify_l3_l4_lro_capable"),
        layout=known(Layout.BLIND, "aggregate_new_rx"),
        tsval=known(Match.NOT_SMALLER, "verify_l3_l4_lro_capable: no wrap"),
        zero_tsecr=known(Match.EQUAL, "verify_l3_l4_lro_capable"),
        size=known(Size.ANY, "aggregate_new_rx"),
        misfit=known(Fallback.ALONE, "s2io_club_tcp_session"),
        full=known(Full.ALONE, "s2io_club_tcp_session"),
        ack_and_window=known(Kept.LAST, "update_L3L4_header"),
        ttl_written=known(Kept.FIRST, "update_L3L4_header"),
        tsval_written=known(Kept.FIRST, "update_L3L4_header"),
        tsecr_written=known(Kept.LAST, "update_L3L4_header"),
        psh_written=known(Kept.FIRST, "update_L3L4_header"),
        lone=known(Lone.ZERO_WINDOW, "initiate_new_session, update_L3L4_header"),
        checksum=known(Checksum.STALE, "update_L3L4_header"),
        gso_size=known(GsoSize.NONE, "lro_append_pkt"),
        gso_type=known(Said.UNSET, "lro_append_pkt"),
        gso_segs=known(Said.UNSET, "lro_append_pkt"),
        contexts=known(32, "s2io.h: MAX_LRO_SESSIONS, of one ring"),
        max_bytes=known(0, "bounded by the segments"),
        max_frame_bytes=known(0, "bounded by the segments"),
        max_segments=varies(0, "s2io_init_nic: module parameter lro_max_pkts"),
        max_bytes_in_mtus=known(65535, "s2io_init_nic: without that, 65535 / MTU"),
        timer_ps=known(0, "rx_intr_handler: the end of a poll"),
    ),
    # Broadcom NetXtreme II: transparent packet aggregation (TPA) in firmware
    "lro-bnx2x": Row(
        **_ASSUMED
        | {
            "versions": known(Versions.BOTH, "bnx2x_set_lro_mss"),
            "ip_options": known(Match.EQUAL, "bnx2x_set_lro_mss"),
            "options": known(Options.ALIGNED, "bnx2x_set_lro_mss"),
            "checksum": known(Checksum.VALID, "bnx2x_fill_frag_skb: marked so; the firmware rewrites"),
            "gso_size": known(GsoSize.FIRST, "bnx2x_set_lro_mss: first frame less fixed headers"),
            "gso_type": varies(Said.UNSET, "bnx2x_main.c of 2.6.29; later set"),
            "gso_segs": varies(Said.UNSET, "bnx2x_main.c of 2.6.29; set in GRO mode"),
            "contexts": varies(64, "bnx2x_fw_defs.h: 32 (E1) or 64 a queue"),
            "max_bytes": known(32768, "bnx2x.h: min(8, MAX_SKB_FRAGS) pages"),
        }
    ),
    # Intel 82599 and X540: receive side coalescing (RSC)
    "lro-82599": Row(
        **_ASSUMED
        | {
            "versions": known(Versions.V4, "ixgbe: RSC is typed TCP over IPv4 only"),
            "gso_size": known(GsoSize.AVERAGE, "ixgbe_set_rsc_gso_size"),
            "gso_type": varies(Said.SET, "ixgbe_set_rsc_gso_size: TCPV4; older drivers none"),
            "gso_segs": known(Said.UNSET, "ixgbe_set_rsc_gso_size"),
            "max_bytes": known(65535, "ixgbe_configure_rscctl: in all at most 64 KiB"),
            "max_frame_bytes": varies(16 * 2048, "ixgbe_configure_rscctl: 16 descriptors, here of 2 KiB"),
            "timer_ps": known(0, "ixgbe: RSC wants interrupt moderation, which ends it"),
        }
    ),
    # what a card must do to be called RSC-capable by Windows
    "lro-windows": Row(
        **_ASSUMED
        | {
            "versions": known(Versions.BOTH, "Updating the IP Headers"),
            "ip_options": known(Match.EQUAL, "Exceptions, 5"),
            "flags": known(_ACK | _PSH | _ECN_FLAGS, "Exceptions, 3 and 8"),
            "psh": known(Push.JOINS, "Rules"),
            "ecn": known(Ecn.EQUAL, "Exceptions, 8"),
            "dscp": known(Match.EQUAL, "Updating the IP Headers"),
            "ttl": known(Match.ANY, "Updating the IP Headers"),
            "df": known(Match.EQUAL, "Updating the IP Headers"),
            "ack": known(Match.NOT_OLDER, "Rules: data, or a piggy-backed ACK"),
            "window": known(Match.ANY, "Rules"),
            "options": known(Options.TIMESTAMPS, "Exceptions, 4"),
            "tsval": known(Match.NOT_OLDER, "Rules: modulo 2^32"),
            "zero_tsecr": known(Match.ANY, "Rules"),
            "size": known(Size.ANY, "Rules"),
            "misfit": known(Fallback.STARTS, "Exceptions: a separate unit"),
            "full": known(Full.ALONE, "Exceptions, 1"),
            "ack_and_window": known(Kept.LAST, "Rules"),
            "ttl_written": known(Kept.MINIMUM, "Updating the IP Headers"),
            "tsval_written": known(Kept.LAST, "Rules"),
            "tsecr_written": known(Kept.LAST, "Rules"),
            "psh_written": known(Kept.ORED, "Rules"),
            "lone": known(Lone.KEPT, "Indicating Coalesced Segments"),
            "checksum": varies(Checksum.VALID, "Indicating Coalesced Segments: or left, and said so"),
            "gso_size": known(GsoSize.NONE, "NDIS_RSC_NBL_INFO has none"),
            "gso_type": known(Said.UNSET, "NDIS_RSC_NBL_INFO has none"),
            "gso_segs": known(Said.SET, "NDIS_RSC_NBL_INFO: CoalescedSegCount"),
            "max_bytes": known(65535, "Exceptions, 7"),
            "max_frame_bytes": known(0, "Exceptions, 7"),
        }
    ),
    # VMware's virtual card: the hypervisor merges
    "lro-vmxnet3": Row(
        **_ASSUMED
        | {
            "versions": known(Versions.BOTH, "vmxnet3_rq_rx_complete"),
            "gso_size": varies(GsoSize.FIRST, "vmxnet3_rq_rx_complete: mss reported, or length / segCnt"),
            "gso_type": known(Said.SET, "vmxnet3_rq_rx_complete"),
            "gso_segs": known(Said.SET, "vmxnet3_rq_rx_complete: segCnt"),
        }
    ),
    # no product: the card the literature warns of, kept so that the effects are seen at their plainest
    "merge-everything": Row(**_ASSUMED | {column: assumed(value) for column, value in _CARICATURE.items()}),
}


def setup(row: Row) -> dict[int, int]:
    """The words of an engine's setup that say the row; a limit of 0 is none."""
    words = {FIRST_WORD + k: getattr(row, column).value for k, column in enumerate(COLUMNS)}
    limits = {
        MAX_BYTES: row.max_bytes,
        MAX_FRAME_BYTES: row.max_frame_bytes,
        MAX_SEGMENTS: row.max_segments,
        MAX_BYTES_IN_MTUS: row.max_bytes_in_mtus,
    }
    words |= {word: cell.value or NO_LIMIT for word, cell in limits.items()}
    return words | {PER_BUCKET: row.contexts.value, MTU_BYTES: ETHERNET_MTU_BYTES}


def free(row: Row) -> dict[str, int]:
    """Which columns may be given another value, and the word of the setup each has."""
    word = {"contexts": PER_BUCKET, "max_bytes": MAX_BYTES, "max_segments": MAX_SEGMENTS}
    return {column: word.get(column, FIRST_WORD + k) for k, column in enumerate(COLUMNS) if getattr(row, column).free}


def overview() -> list[list[str]]:
    """The table in words: a line a column, an entry an engine, assumed ones in italics (docs/engines.md)."""
    lines = []
    for column in COLUMNS:
        cells = [getattr(row, column) for row in ROWS.values()]
        words = [wording(column, cell.value) for cell in cells]
        lines.append([column, *(f"*{word}*" if cell.source == ASSUMED else word for word, cell in zip(words, cells))])
    return lines


def sources(row: Row) -> dict[str, list[str]]:
    """Each source of a row, and which of its columns are from there."""
    found: dict[str, list[str]] = {}
    for column in COLUMNS:
        found.setdefault(getattr(row, column).source, []).append(column)
    return found
