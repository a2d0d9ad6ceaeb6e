"""Hosts in network namespaces, recorders at several of them, and what their kernels say about every connection.

The recorders of `captures/places` and `captures/legs` build on this. A host has one interface, `eth0`, and a router that
all hosts share; a box in user space (`box.py`) may stand in the cable of one of them.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PROGRAMS = pathlib.Path(__file__).resolve().parent
TRACING = pathlib.Path("/sys/kernel/tracing")
EVENTS = ("sock/inet_sock_set_state", "sock/inet_sk_error_report", "tcp/tcp_send_reset", "tcp/tcp_receive_reset",
          "tcp/tcp_retransmit_skb", "tcp/tcp_retransmit_synack")
CLOSES = {"FIN_WAIT1", "LAST_ACK"}  # the states that a socket enters when it sends its FIN


class Network:
    """Namespaces that are gone, with all their processes, when the block ends."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hangup-", dir="/var/tmp"))
        self.directory.chmod(0o755)
        self.processes, self.hosts, self.addresses = [], {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for namespace in self.hosts.values():
            subprocess.run(["ip", "netns", "del", namespace], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.directory, ignore_errors=True)

    # Hosts and cables.

    def router(self):
        self.namespace("router")
        self.output("router", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    def namespace(self, name):
        self.hosts[name] = f"hangup-{name}-{os.getpid()}"
        ip("netns", "add", self.hosts[name])
        ip("-n", self.hosts[name], "link", "set", "lo", "up")

    def host(self, name, net, last, box=None):
        """A host with the address 10.NET.LAST, joined to the router, which is 10.NET.1 there."""
        self.namespace(name)
        number = [int(part) for part in net.split(".")]
        address, gateway = f"10.{net}.{last}", f"10.{net}.1"
        address6, gateway6 = (f"fd81:{number[0]}:{number[1]}::{end}" for end in (last, 1))
        self.addresses[name] = address
        if box is None:
            self.cable((name, "eth0"), ("router", f"to-{name}"))
        else:
            self.namespace("wire")
            self.cable((name, "eth0"), ("wire", "near"))
            self.cable(("wire", "far"), ("router", f"to-{name}"))
        for at, interface, end, end6 in (name, "eth0", address, address6), ("router", f"to-{name}", gateway, gateway6):
            self.ip_at(at, "address", "add", f"{end}/24", "dev", interface)
            self.ip_at(at, "address", "add", f"{end6}/64", "dev", interface, "nodad")
        self.ip_at(name, "route", "add", "default", "via", gateway)
        self.ip_at(name, "-6", "route", "add", "default", "via", gateway6)
        if box is not None:
            log = (self.directory / "box.jsonl").open("w")
            self.start("wire", sys.executable, PROGRAMS / "box.py", "near", "far", *box, stdout=log)
            wait_until(lambda: len(self.output("wire", "ss", "-H0").splitlines()) == 2, "the box")

    def cable(self, one, other):
        """A veth pair whose ends send what a wire would carry: finished checksums, no segment above 1500 bytes."""
        (here, interface), (there, peer) = ((self.hosts[host], name) for host, name in (one, other))
        ip("link", "add", interface, "netns", here, "type", "veth", "peer", "name", peer, "netns", there)
        for namespace, name in (here, interface), (there, peer):
            subprocess.run(["ip", "netns", "exec", namespace, "ethtool", "-K", name, *"tx off tso off gso off gro off".split()],
                           check=True, stdout=subprocess.DEVNULL)
            ip("-n", namespace, "link", "set", name, "up")

    def ip_at(self, host, *arguments):
        ip("-n", self.hosts[host], *arguments)

    def nft(self, host, rules):
        subprocess.run(self.command(host, "nft", "-f", "-"), input=rules, check=True, text=True)

    # Programs.

    def command(self, host, *arguments):
        return ["ip", "netns", "exec", self.hosts[host], *map(str, arguments)]

    def output(self, host, *arguments):
        return subprocess.run(self.command(host, *arguments), check=True, stdout=subprocess.PIPE, text=True).stdout

    def start(self, host, *arguments, ready=None, cwd=None, **options):
        """Starts a program and, where a port is given, waits until it listens there."""
        process = subprocess.Popen(self.command(host, *arguments), start_new_session=True, cwd=cwd or self.directory, **options)
        self.processes.append(process)
        if ready is not None:
            wait_until(lambda: self.output(host, "ss", "-Hltn", f"sport = :{ready}") != "", f"{arguments[0]} to listen on {ready}")
        return process

    def kill(self, process, sig=signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sig)

    def file(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return path

    # Recorders: `places` has (host, interface, raw file, further options of tcpdump, and words of a filter).

    @contextlib.contextmanager
    def recording(self, *places):
        recorders = [self.recorder(*place) for place in places]
        time.sleep(0.3)
        yield
        time.sleep(0.7)
        for recorder in recorders:
            self.stop_recorder(*recorder)

    def recorder(self, host, interface, raw, *further):
        log = raw.with_suffix(".log")
        kind = ["-y", "LINUX_SLL2"] if interface == "any" else []
        options = [word for word in further if word.startswith("-") or word.isdigit() or word in ("in", "out")]
        filters = [word for word in further if word not in options]
        process = self.start(host, "tcpdump", "--immediate-mode", "-U", "-B", "65536", "-Z", "root", "-i", interface, *kind,
                             *options, "-w", raw, "tcp", *(["and", *filters] if filters else []), stderr=log.open("w"))
        wait_until(lambda: "listening on" in log.read_text(), "the recorder")
        return process, log

    def stop_recorder(self, process, log):
        process.send_signal(signal.SIGINT)
        process.wait()
        if lost := sum(map(int, re.findall(r"(\d+) packets dropped by kernel", log.read_text()))):
            sys.exit(f"the recorder lost {lost} packets: try again on a quieter machine")


class Kernel:
    """What the kernels of the hosts say about their sockets: the trace points in `EVENTS`, in a trace of its own."""

    def __init__(self):
        self.at = TRACING / "instances" / f"hangup-{os.getpid()}"
        self.events = []

    def __enter__(self):
        if not (TRACING / "instances").is_dir():
            subprocess.run(["mount", "-t", "tracefs", "tracefs", TRACING], check=True)
        self.at.mkdir()
        (self.at / "trace_clock").write_text("mono")
        for event in EVENTS:
            (self.at / "events" / event / "enable").write_text("1")
        return self

    def __exit__(self, *_):
        (self.at / "events/enable").write_text("0")
        ahead = time.time() - time.monotonic()
        text = (self.at / "trace").read_text()
        self.at.rmdir()
        for line in text.splitlines():
            found = re.match(r".*\s(\d+\.\d+): (\w+): (.*)", line)
            if found and (event := parsed(found[2], dict(re.findall(r"(\w+)=(\S+)", found[3])))):
                self.events.append((float(found[1]) + ahead, *event))

    def sockets(self, address):
        """The sockets of a host that had a peer, in the order in which they began."""
        sockets, current, opened = [], {}, {}
        for when, local, remote, what, detail in self.events:
            if host_of(local) != address or remote.endswith(":0"):
                continue
            if local.endswith(":0"):  # the kernel chooses the port after it has set the state
                opened.setdefault(remote, []).append(when)
                continue
            socket = current.get((local, remote))
            again = detail in ("SYN_SENT", "SYN_RECV") or (detail == "ESTABLISHED" and socket and socket.has("ESTABLISHED"))
            if socket is None and not begins(what, detail) and not opened.get(remote):
                continue  # left over from hosts that are gone
            if socket is None or (what == "state" and again and not socket.opens()):
                begun = opened[remote].pop(0) if opened.get(remote) else when
                socket = current[(local, remote)] = Socket(local, remote, begun)
                sockets.append(socket)
            socket.events.append((when, what, detail))
        return sorted(sockets, key=lambda it: it.begun)


class Socket:
    def __init__(self, local, remote, begun):
        self.local, self.remote, self.begun, self.events = local, remote, begun, []

    def has(self, state):
        return any(what == "state" and detail == state for _, what, detail in self.events)

    def opens(self):
        """Whether only SYN-ACKs were retransmitted so far; the kernel makes a socket of it with the handshake's last segment."""
        return all(detail == "SYN-ACK" for _, _, detail in self.events)

    def closed_unasked(self):
        """Whether it sent a FIN before the other's arrived."""
        return self.has("FIN_WAIT1")

    def first_close(self):
        """When it first closed, and how: (time, fin | reset), or None."""
        for when, what, detail in self.events:
            if what == "state" and detail in CLOSES:
                return when, "fin"
            if what == "reset sent":
                return when, "reset"
        return None

    def story(self, start):
        """All in one cell: `ESTABLISHED 0.004 > CLOSE_WAIT 0.210 > …`, seconds from `start`."""
        words = []
        for when, what, detail in self.events:
            word = detail if what == "state" else f"{what} {detail}".strip()
            words.append(f"{word} {when - start:.6f}")
        return " > ".join(words) or "-"


def begins(what, detail):
    """Whether a socket's first event may be this one."""
    return what == "reset sent" or (what != "error" and detail in ("SYN_SENT", "SYN_RECV", "ESTABLISHED", "SYN-ACK"))


def host_of(end):
    return end.rsplit(":", 1)[0]


def parsed(event, fields):
    """(local end, remote end, what, detail) of a trace line."""
    def ends():
        six = fields.get("family") == "AF_INET6"
        sides = []
        for side in "sd":
            address = fields.get(f"{side}addrv6" if six else f"{side}addr", "")
            mapped = address.removeprefix("::ffff:")
            sides.append(f"[{address}]:{fields[f'{side}port']}" if six and "." not in mapped else f"{mapped}:{fields[f'{side}port']}")
        return sides
    if event == "inet_sock_set_state":
        if fields.get("protocol") != "IPPROTO_TCP" or fields["newstate"] == "TCP_LISTEN":
            return None
        return (*ends(), "state", fields["newstate"].removeprefix("TCP_"))
    if event == "inet_sk_error_report":
        return (*ends(), "error", fields["error"])
    if event == "tcp_send_reset":
        return fields["src"], fields["dest"], "reset sent", fields.get("reason", "").removeprefix("SK_RST_REASON_")
    if event == "tcp_receive_reset":
        return (*ends(), "reset received", "")
    return (*ends(), "retransmitted", "SYN-ACK" if event == "tcp_retransmit_synack" else fields.get("state", "").removeprefix("TCP_"))


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def wait_until(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"no sign of {what} after {seconds} s")
        time.sleep(0.02)


def cell(text):
    """A text that fits into a cell of a table."""
    return " | ".join(line.strip() for line in str(text).replace("\t", " ").splitlines() if line.strip())[:600] or "-"


def rewrite(table, columns, name, rows):
    """Replaces the rows of one recording in a table, which is sorted by its first column."""
    kept = []
    if table.exists():
        kept = [line for line in table.read_text().splitlines()[1:] if line.split("\t")[0] != name]
    kept += ["\t".join(cell(row.get(column, "-")) for column in columns) for row in rows]
    kept.sort(key=lambda line: line.split("\t")[0])
    table.write_text("\n".join(["\t".join(columns), *kept]) + "\n")
