"""Hardware GRO of Mellanox cards (SHAMPO, `ethtool -K rx-gro-hw`): Linux GRO's rules, followed by a card.

Models: the rules of `gro.py`, edition 6.18, with the card's contexts, its 64 KiB reservation and its timer. A segment
    with CWR ends the session and joins nothing, as the driver's authors say of the card: so it does in that edition.
Leaves out: UDP; header-data split; the page pool. Which of the rules the firmware really follows is not published.
Sources: mlx5e_shampo_update_hdr(), mlx5e_shampo_update_fin_psh_flags(), mlx5e_shampo_update_ipv4_tcp_hdr() and their
    kin in drivers/net/ethernet/mellanox/mlx5/core/en_rx.c; en.h and en/params.c for sizes and timer; as collected in
    the project's fact sheet, section 4.1.
Checked by: tests/models/offload/test_gro_hw_mlx5.py.

The driver says that IDs are fixed if the second segment has the first one's, as GRO does. That later segments are held
to it is assumed: the card reports nothing about them.
"""

CONTEXTS = 64  # assumed; a parameter
TIMER_PS = 1024 * 1_000_000  # MLX5E_DEFAULT_SHAMPO_TIMEOUT, en.h: the smallest period of the device not below 1024 us
MAX_PACKET_BYTES = 65536  # MLX5E_SHAMPO_WQ_RESRV_SIZE, en.h: 64 KiB; a packet stays below it, as in GRO
