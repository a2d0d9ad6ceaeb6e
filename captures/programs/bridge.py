#!/usr/bin/env python3
"""A wire with a temper: carries frames between two interfaces, late, not always, or with a forged reset.

    bridge.py NEAR FAR [--delay S] [--loss P --seed N] [--reset-on WORD [--swallow]]

NEAR leads to the client, FAR to the server. It stands in for the kernel's netem, which not every machine
has, and for the box in the middle that resets connections it does not like. Only TCP frames are lost;
ARP and neighbour discovery always pass.
"""

import argparse
import heapq
import random
import select
import socket
import struct
import time

ETH_P_ALL = 3
PACKET_OUTGOING = 4
FORGED_TTL, FORGED_IP_ID = 47, 0x5A01  # neither host's own: Linux hosts here start at TTL 64


def checksum(data):
    """The Internet checksum, RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def tcp_of(frame):
    """IPv4 header, TCP header and payload of a frame, or None where it carries no TCP over IPv4."""
    if frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_TCP:
        return None
    ip_length = (frame[14] & 15) * 4
    packet = frame[14:14 + struct.unpack("!H", frame[16:18])[0]]
    tcp_length = (packet[ip_length + 12] >> 4) * 4
    return packet[:ip_length], packet[ip_length:ip_length + tcp_length], packet[ip_length + tcp_length:]


def is_tcp(frame):
    over_ipv6 = frame[12:14] == b"\x86\xdd" and frame[20] == socket.IPPROTO_TCP
    return over_ipv6 or tcp_of(frame) is not None


def forged_reset(macs, source, target, ports, seq, ack):
    """A RST in another host's name, with the forger's own TTL and IP identification."""
    tcp = ports + struct.pack("!IIBBHHH", seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 5 << 4, 0x14, 0, 0, 0)
    pseudo = source + target + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, FORGED_IP_ID, 0, FORGED_TTL, socket.IPPROTO_TCP, 0) + source + target
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return macs + b"\x08\x00" + ip + tcp


def resets_for(frame):
    """The two resets a disliked segment provokes: one to its sender, one to its receiver."""
    ip, tcp, payload = tcp_of(frame)
    seq, ack = struct.unpack("!II", tcp[4:12])
    to_sender = forged_reset(frame[6:12] + frame[:6], ip[16:20], ip[12:16], tcp[2:4] + tcp[:2], ack, seq + len(payload))
    to_receiver = forged_reset(frame[:12], ip[12:16], ip[16:20], tcp[:4], seq, ack)
    return to_sender, to_receiver


def open_interface(name):
    interface = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    interface.bind((name, 0))
    return interface


def main():
    args = argparse.ArgumentParser()
    args.add_argument("near")
    args.add_argument("far")
    args.add_argument("--delay", type=float, default=0.0, help="seconds, each way")
    args.add_argument("--loss", type=float, default=0.0, help="share of TCP frames dropped")
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--reset-on", default=None, help="reset the connection when the client sends this word")
    args.add_argument("--swallow", action="store_true", help="drop that segment and reset the server as well")
    args = args.parse_args()

    dice = random.Random(args.seed)
    near, far = open_interface(args.near), open_interface(args.far)
    across = {near: far, far: near}
    underway = []  # (due, number, frame, interface it leaves by)
    number = 0

    def send(frame, interface, delay):
        nonlocal number
        number += 1
        heapq.heappush(underway, (time.monotonic() + delay, number, frame, interface))

    while True:
        timeout = max(0.0, underway[0][0] - time.monotonic()) if underway else None
        for arrived_at in select.select([near, far], [], [], timeout)[0]:
            frame, address = arrived_at.recvfrom(65535)
            if address[2] == PACKET_OUTGOING:
                continue
            if is_tcp(frame) and dice.random() < args.loss:
                continue
            disliked = args.reset_on and arrived_at is near and args.reset_on.encode() in frame
            if disliked:
                to_client, to_server = resets_for(frame)
                send(to_client, near, 0.0)
                if args.swallow:
                    send(to_server, far, args.delay)
                    continue
            send(frame, across[arrived_at], args.delay)
        while underway and underway[0][0] <= time.monotonic():
            _, _, frame, interface = heapq.heappop(underway)
            interface.send(frame)


main()
