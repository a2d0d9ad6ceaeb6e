#!/usr/bin/env python3
"""A box in the cable: carries frames between two interfaces, late, not all, or not as they came.

    box.py NEAR FAR [--delay S] [--loss P --seed N] [--drop FROM WHAT COUNT] [--mute FROM WHAT] [--hold FROM WHAT SECONDS]
           [--double FROM WHAT COUNT] [--forge TO WHAT TTL] [--swallow] [--sequence]

NEAR leads to the client, FAR to the server. FROM and TO are `client`, `server` or `both`. WHAT is `syn`, `fin`, `rst`, `data`,
`any`, or `text:WORD` for a segment that carries the word; COUNT is a number or `all`.

`--drop` loses so many such segments. `--mute` loses the first such segment of a connection and all that follow in it, both ways.
`--hold` delays one segment. `--double` carries a segment twice. `--forge` answers such a segment with a RST in the other host's
name, with this TTL, or with `right` for one as that host would send it; with `--swallow` the segment goes no further.
`--sequence` gives both sides other initial sequence numbers, as some firewalls do.

Everything that is not plain carrying is written to the output, one JSON object per line. Rules hold for TCP over IPv4 alone.
"""

import argparse
import heapq
import json
import random
import select
import socket
import struct
import time

ETH_P_ALL = 3
PACKET_OUTGOING = 4
FIN, SYN, RST, ACK = 1, 2, 4, 16
WRONG_IP_ID = 0x5A01
NAMES = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (8, "PSH"), (ACK, "ACK"))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Segment:
    """A frame with TCP over IPv4 in it."""

    def __init__(self, frame):
        self.frame = frame
        length = (frame[14] & 15) * 4
        self.ip_end = 14 + length
        self.end = 14 + struct.unpack("!H", frame[16:18])[0]
        self.source, self.target, self.ttl = frame[26:30], frame[30:34], frame[22]
        self.sport, self.dport, self.seq, self.ack = struct.unpack("!HHII", frame[self.ip_end:self.ip_end + 12])
        self.tcp_length = (frame[self.ip_end + 12] >> 4) * 4
        self.flags = frame[self.ip_end + 13]
        self.payload = frame[self.ip_end + self.tcp_length:self.end]

    def is_a(self, what):
        if what.startswith("text:"):
            return what[5:].encode() in self.payload
        return {"syn": self.flags & SYN, "fin": self.flags & FIN, "rst": self.flags & RST, "data": self.payload, "any": True}[what]

    def key(self):
        return frozenset([(self.source, self.sport), (self.target, self.dport)])

    def renumbered(self, seq, ack):
        """The frame with other numbers added to its sequence number and to all that it acknowledges."""
        tcp = bytearray(self.frame[self.ip_end:self.end])
        struct.pack_into("!I", tcp, 4, (self.seq + seq) & 0xFFFFFFFF)
        if self.flags & ACK:
            struct.pack_into("!I", tcp, 8, (self.ack + ack) & 0xFFFFFFFF)
        at = 20
        while at < self.tcp_length and tcp[at] != 0:
            if tcp[at] == 1:
                at += 1
                continue
            if tcp[at] == 5:
                for edge in range(at + 2, at + tcp[at + 1], 4):
                    struct.pack_into("!I", tcp, edge, (struct.unpack_from("!I", tcp, edge)[0] + ack) & 0xFFFFFFFF)
            at += tcp[at + 1]
        return self.frame[:self.ip_end] + summed(self.source, self.target, tcp)


def summed(source, target, tcp):
    struct.pack_into("!H", tcp, 16, 0)
    pseudo = source + target + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(tcp))
    struct.pack_into("!H", tcp, 16, checksum(pseudo + bytes(tcp)))
    return bytes(tcp)


def forged(macs, source, target, ports, seq, ack, ttl, ip_id):
    tcp = bytearray(ports + struct.pack("!IIBBHHH", seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 5 << 4, RST | ACK, 0, 0, 0))
    flags = 0x4000 if ip_id == 0 else 0
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, ip_id, flags, ttl, socket.IPPROTO_TCP, 0) + source + target
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return macs + b"\x08\x00" + ip + summed(source, target, tcp)


def is_tcp(frame):
    return frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_TCP


def is_tcp6(frame):
    return frame[12:14] == b"\x86\xdd" and frame[20] == socket.IPPROTO_TCP


def open_interface(name):
    interface = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    interface.bind((name, 0))
    return interface


class Box:
    def __init__(self, args):
        self.args = args
        self.near, self.far = open_interface(args.near), open_interface(args.far)
        self.dice = random.Random(args.seed)
        self.drops = [[side, what, count] for side, what, count in args.drop]
        self.doubles = [[side, what, count] for side, what, count in args.double]
        self.holds = [[side, what, float(seconds)] for side, what, seconds in args.hold]
        self.muted, self.ttls, self.shifts = set(), {}, {}
        self.underway, self.number = [], 0

    def note(self, action, side, segment, **more):
        names = "|".join(name for bit, name in NAMES if segment.flags & bit)
        source, target = (socket.inet_ntoa(address) for address in (segment.source, segment.target))
        print(json.dumps(dict(time=time.time(), action=action, **{"from": side}, source=f"{source}:{segment.sport}",
                              target=f"{target}:{segment.dport}", flags=names, seq=segment.seq, ack=segment.ack,
                              length=len(segment.payload), ttl=segment.ttl, **more)), flush=True)

    def send(self, frame, side, delay):
        """Sends a frame that comes from this side."""
        self.number += 1
        heapq.heappush(self.underway, (time.monotonic() + delay, self.number, frame, self.far if side == "client" else self.near))

    def counted(self, rules, side, segment):
        """Whether a rule with a count has one left for this segment."""
        for rule in rules:
            if rule[0] in (side, "both") and segment.is_a(rule[1]) and rule[2] != 0:
                rule[2] -= 1
                return True
        return False

    def carry(self, frame, side):
        if not is_tcp(frame):
            if not (is_tcp6(frame) and self.dice.random() < self.args.loss):
                self.send(frame, side, self.args.delay)
            return
        segment = Segment(frame)
        self.ttls[(segment.key(), side)] = segment.ttl
        if self.counted(self.drops, side, segment) or self.dice.random() < self.args.loss:
            return self.note("dropped", side, segment)
        for mute_side, what in self.args.mute:
            if mute_side in (side, "both") and segment.is_a(what):
                self.muted.add(segment.key())
        if segment.key() in self.muted:
            return self.note("dropped", side, segment)
        for to, what, ttl in self.args.forge:
            if not segment.flags & RST and segment.is_a(what):
                self.forge(to, ttl, side, segment)
                if self.args.swallow:
                    return self.note("dropped", side, segment)
        if self.args.sequence:
            frame = self.with_other_numbers(segment, side)
        delay = self.args.delay
        for rule in self.holds:
            if rule[0] == side and rule[2] > 0 and segment.is_a(rule[1]):
                delay += rule[2]
                rule[2] = 0
                self.note("held", side, segment, seconds=delay)
        self.send(frame, side, delay)
        if self.counted(self.doubles, side, segment):
            self.note("doubled", side, segment)
            self.send(frame, side, delay + 0.001)

    def with_other_numbers(self, segment, side):
        shift = self.shifts.setdefault(segment.key(), {"client": self.dice.getrandbits(32), "server": self.dice.getrandbits(32)})
        other = "server" if side == "client" else "client"
        if segment.flags & SYN:
            self.note("renumbered", side, segment, added=shift[side])
        return segment.renumbered(shift[side], -shift[other])

    def forge(self, to, ttl, side, segment):
        """Resets one host or both, in the name of the other; `side` sent the segment that provokes it."""
        macs, ports = segment.frame[:12], segment.frame[segment.ip_end:segment.ip_end + 4]
        for receiver in ("client", "server") if to == "both" else (to,):
            named = "server" if receiver == "client" else "client"
            right = ttl == "right"
            hops = self.ttls.get((segment.key(), named), 64) if right else int(ttl)
            ip_id = 0 if right else WRONG_IP_ID
            if receiver == side:
                frame = forged(macs[6:] + macs[:6], segment.target, segment.source, ports[2:] + ports[:2], segment.ack,
                               segment.seq + len(segment.payload), hops, ip_id)
            else:
                frame = forged(macs, segment.source, segment.target, ports, segment.seq, segment.ack, hops, ip_id)
            self.note("forged", named, Segment(frame))
            self.send(frame, named, self.args.delay)

    def run(self):
        while True:
            timeout = max(0.0, self.underway[0][0] - time.monotonic()) if self.underway else None
            for arrived_at in select.select([self.near, self.far], [], [], timeout)[0]:
                frame, address = arrived_at.recvfrom(65535)
                if address[2] != PACKET_OUTGOING:
                    self.carry(frame, "client" if arrived_at is self.near else "server")
            while self.underway and self.underway[0][0] <= time.monotonic():
                _, _, frame, interface = heapq.heappop(self.underway)
                interface.send(frame)


def main():
    def count(text):
        return -1 if text == "all" else int(text)
    args = argparse.ArgumentParser()
    args.add_argument("near")
    args.add_argument("far")
    args.add_argument("--delay", type=float, default=0.0, help="seconds, each way")
    args.add_argument("--loss", type=float, default=0.0, help="share of TCP frames dropped")
    args.add_argument("--seed", type=int, default=1)
    for option, names in (("--drop", 3), ("--double", 3), ("--hold", 3), ("--mute", 2), ("--forge", 3)):
        args.add_argument(option, nargs=names, action="append", default=[])
    args.add_argument("--swallow", action="store_true")
    args.add_argument("--sequence", action="store_true")
    args = args.parse_args()
    for rules in args.drop, args.double:
        for rule in rules:
            rule[2] = count(rule[2])
    Box(args).run()


main()
