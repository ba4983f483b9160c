#!/usr/bin/env bash
# Records veth-iperf3.pcap: one short TCP transfer as a receiver without any offload would see it.
# Needs root, iproute2, ethtool, iperf3 and tcpdump. Makes two network namespaces and removes them again.
set -euo pipefail

out=${1:-$(dirname "$0")/veth-iperf3.pcap}
sender=record-sender-$$
receiver=record-receiver-$$

clean_up() {
    ip netns pids "$receiver" 2>/dev/null | xargs -r kill 2>/dev/null || true
    ip netns del "$sender" 2>/dev/null || true
    ip netns del "$receiver" 2>/dev/null || true
}
trap clean_up EXIT

ip netns add "$sender"
ip netns add "$receiver"
ip link add veth0 netns "$sender" address 02:00:00:00:00:01 type veth \
    peer name veth0 netns "$receiver" address 02:00:00:00:00:02

# Off: cutting in the sender's device, merging in the receiver's. generic-segmentation-offload must go too, or frames
# of up to 64 KB pass the veth and the capture. Checksums are computed, so that every frame in the file is right.
for side in "$sender" "$receiver"; do
    ip netns exec "$side" ethtool -K veth0 tso off gso off gro off rx off tx off sg off >/dev/null
    ip netns exec "$side" ip link set lo up
    ip netns exec "$side" ip link set veth0 mtu 1500 up
done
ip netns exec "$sender" ip address add 192.0.2.1/24 dev veth0
ip netns exec "$receiver" ip address add 192.0.2.2/24 dev veth0
ip netns exec "$sender" ip neighbour add 192.0.2.2 lladdr 02:00:00:00:00:02 dev veth0
ip netns exec "$receiver" ip neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev veth0

ip netns exec "$receiver" iperf3 --server --one-off >/dev/null &
ip netns exec "$receiver" tcpdump -i veth0 -s 0 --nano -U -Z root -w "$out" tcp 2>/dev/null &
capture=$!
sleep 1

ip netns exec "$sender" iperf3 --client 192.0.2.2 --bytes 600K >/dev/null

sleep 1
kill -INT "$capture"
wait "$capture" || true
