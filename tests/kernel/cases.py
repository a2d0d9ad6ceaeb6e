#!/usr/bin/env python3
"""Resets with a known cause, on loopback, one server port each; prints the truth, a line of JSON for each.

It must run as root in a network namespace of its own: it sets sysctls. `tests/kernel.rs` compares what `hangup live`
says of the same connections.
"""

import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

FIRST_PORT = 7001
TCP_LINGER2, TCP_REPAIR, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT = 8, 19, 4, 5, 6
# Long enough for the other side to have done its part.
STEP = 0.15


def sysctl(name, value):
    with open(f"/proc/sys/net/ipv4/{name}", "w") as file:
        file.write(str(value))


def rename(name):
    with open("/proc/self/comm", "w") as file:
        file.write(name)


class Child:
    """A process that does one thing and ends, with a name of its own."""

    def __init__(self, name, work, linger=0.0):
        self.name = name
        self.pid = os.fork()
        if self.pid == 0:
            try:
                rename(name)
                work()
                time.sleep(linger)
            finally:
                os._exit(0)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def wait(self):
        os.waitpid(self.pid, 0)


def listen(port, host="127.0.0.1", backlog=5):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=backlog)


def zero_linger(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def vanish(connection):
    """Closes without a segment."""
    connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    connection.close()


def client(number, port, talk, host="127.0.0.1"):
    def work():
        try:
            connection = socket.create_connection((host, port), timeout=3)
            connection.settimeout(3)
            talk(connection)
        except OSError:
            pass

    return Child(f"cli-{number}", work)


def wait_for_end(connection):
    try:
        while connection.recv(4096):
            pass
    except OSError:
        pass
    time.sleep(STEP)


def serve(number, port, handle, host="127.0.0.1"):
    """A server of one connection; it listens when this returns."""
    listener = listen(port, host)

    def work():
        connection, _ = listener.accept()
        listener.close()
        handle(connection)

    child = Child(f"srv-{number}", work, linger=STEP)
    listener.close()
    return child


def both(number, port, handle, talk, host="127.0.0.1"):
    server = serve(number, port, handle, host)
    other = client(number, port, talk, host)
    other.wait()
    server.wait()
    return server, other


def send_and_wait(connection):
    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_for_end(connection)


def linger(number, port, host="127.0.0.1"):
    def handle(connection):
        connection.recv(100)
        zero_linger(connection)
        connection.close()

    server, _ = both(number, port, handle, send_and_wait, host)
    return "server", "TCP_STATE", "closed with `SO_LINGER` 0", server


def unread(number, port):
    def handle(connection):
        time.sleep(STEP)
        connection.close()

    server, _ = both(number, port, handle, send_and_wait)
    return "server", "TCP_ABORT_ON_CLOSE", "closed with unread data", server


def closed_port(number, port, host="127.0.0.1"):
    client(number, port, wait_for_end, host).wait()
    return "server", "NO_SOCKET", "no socket has these addresses and ports", None


def data_after_close(number, port):
    """With the usual timeout, a closed socket in FIN-WAIT-2 is one of TIME-WAIT."""

    def talk(connection):
        time.sleep(2 * STEP)
        connection.sendall(b"late")
        wait_for_end(connection)

    both(number, port, lambda it: it.close(), talk)
    return "server", "TCP_TIMEWAIT_SOCKET", "in TIME-WAIT", None


def data_after_close_held(number, port):
    sysctl("tcp_fin_timeout", 120)
    result = data_after_close(number, port)
    sysctl("tcp_fin_timeout", 60)
    return result[0], "TCP_ABORT_ON_DATA", "data arrived after the program had closed", None


def client_timeout(number, port):
    def talk(connection):
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.settimeout(2 * STEP)
        try:
            connection.recv(100)
        except TimeoutError:
            zero_linger(connection)
            connection.close()

    _, other = both(number, port, lambda it: wait_for_end(it), talk)
    return "client", "TCP_STATE", "closed with `SO_LINGER` 0", other


def killed(number, port):
    server = serve(number, port, lambda it: time.sleep(10))
    other = client(number, port, send_and_wait)
    time.sleep(1)
    server.kill()
    server.wait()
    other.wait()
    return "server", "TCP_ABORT_ON_CLOSE", "closed with unread data", server


def listener_closed(number, port):
    listener = listen(port)

    def work():
        time.sleep(2 * STEP)
        listener.close()

    server = Child(f"srv-{number}", work, linger=STEP)
    listener.close()
    other = client(number, port, send_and_wait)
    other.wait()
    server.wait()
    return "server", "TCP_STATE", "the listening socket was closed", server


def overflow(number, port):
    """The queue has room for one more, and two handshakes are completed by what the clients send."""
    sysctl("tcp_abort_on_overflow", 1)
    listener = listen(port, backlog=1)
    server = Child(f"srv-{number}", lambda: time.sleep(20 * STEP))
    listener.close()
    first = client(number, port, lambda it: time.sleep(20 * STEP))
    time.sleep(STEP)
    drop = ["INPUT", "-p", "tcp", "--dport", str(port), "!", "--syn", "-j", "DROP"]
    subprocess.run(["iptables", "-A", *drop], check=True)

    def talk(connection):
        time.sleep(4 * STEP)
        connection.sendall(b"hello")
        wait_for_end(connection)

    clients = [client(number, port, talk) for _ in range(2)]
    time.sleep(2 * STEP)
    subprocess.run(["iptables", "-D", *drop], check=True)
    time.sleep(6 * STEP)
    sysctl("tcp_abort_on_overflow", 0)
    for it in [first, *clients]:
        it.kill()
        it.wait()
    server.kill()
    server.wait()
    return "server", "INVALID_SYN", "the handshake could not be completed", None


def destroyed(number, port):
    server = serve(number, port, lambda it: wait_for_end(it))
    other = client(number, port, wait_for_end)
    time.sleep(1)
    killer = subprocess.Popen(
        ["ss", "-K", "src", "127.0.0.1", "sport", "=", str(port)], stdout=subprocess.DEVNULL
    )
    killer.wait()
    server.wait()
    other.wait()
    killer.name = "ss"
    return "server", "TCP_STATE", "the socket was destroyed from outside", killer


def keepalive(number, port):
    """What the client answers is dropped."""

    def handle(connection):
        for name, value in [(TCP_KEEPIDLE, 1), (TCP_KEEPINTVL, 1), (TCP_KEEPCNT, 1)]:
            connection.setsockopt(socket.IPPROTO_TCP, name, value)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        time.sleep(3)

    server = serve(number, port, handle)
    other = client(number, port, lambda it: time.sleep(4))
    time.sleep(STEP)
    drop = ["INPUT", "-p", "tcp", "--dport", str(port), "-j", "DROP"]
    subprocess.run(["iptables", "-A", *drop], check=True)
    server.wait()
    other.wait()
    return "server", "TCP_KEEPALIVE_TIMEOUT", "keep-alive probes were not answered", None


def negative_linger2(number, port):
    def handle(connection):
        connection.recv(100)
        connection.setsockopt(socket.IPPROTO_TCP, TCP_LINGER2, -1)
        connection.shutdown(socket.SHUT_WR)
        time.sleep(STEP)
        connection.close()

    def talk(connection):
        send_and_wait(connection)
        time.sleep(2 * STEP)

    server, _ = both(number, port, handle, talk)
    return "server", "TCP_ABORT_ON_LINGER", "closed with `TCP_LINGER2` below 0", server


def client_unread(number, port):
    def handle(connection):
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + b"x" * 50000)
        wait_for_end(connection)

    def talk(connection):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.recv(100)
        connection.close()

    _, other = both(number, port, handle, talk)
    return "client", "TCP_ABORT_ON_CLOSE", "closed with unread data", other


def thread(number, port):
    """A thread with a name of its own closes."""

    def handle(connection):
        def work():
            task = threading.get_native_id()
            with open(f"/proc/self/task/{task}/comm", "w") as file:
                file.write("worker-thread")
            time.sleep(STEP)
            connection.close()

        it = threading.Thread(target=work)
        it.start()
        it.join()

    server, _ = both(number, port, handle, send_and_wait)
    return "server", "TCP_ABORT_ON_CLOSE", "closed with unread data", server


def worker(number, port):
    """A process accepts, and another one, which it started, closes."""
    read, write = os.pipe()

    def handle(connection):
        def work():
            time.sleep(2 * STEP)
            connection.close()

        child = Child(f"wrk-{number}", work, linger=STEP)
        os.write(write, struct.pack("i", child.pid))
        connection.close()
        child.wait()

    server, _ = both(number, port, handle, send_and_wait)
    server.name = f"wrk-{number}"
    server.pid = struct.unpack("i", os.read(read, 4))[0]
    return "server", "TCP_ABORT_ON_CLOSE", "closed with unread data", server


def disconnect(number, port):
    def handle(connection):
        connection.recv(100)
        libc = ctypes.CDLL(None, use_errno=True)
        libc.connect(connection.fileno(), struct.pack("=H14x", socket.AF_UNSPEC), 16)

    server, _ = both(number, port, handle, send_and_wait)
    return "server", "TCP_STATE", "disconnected", server


def client_ends(number, port):
    def handle(connection):
        connection.sendall(b"hello")
        wait_for_end(connection)

    def talk(connection):
        time.sleep(STEP)
        os._exit(1)

    _, other = both(number, port, handle, talk)
    return "client", "TCP_ABORT_ON_CLOSE", "closed with unread data", other


def unknown_to_listener(number, port):
    listener = listen(port)

    def work():
        connection, _ = listener.accept()
        vanish(connection)
        time.sleep(6 * STEP)

    server = Child(f"srv-{number}", work)
    listener.close()

    def talk(connection):
        time.sleep(STEP)
        connection.sendall(b"hello")
        wait_for_end(connection)

    client(number, port, talk).wait()
    server.kill()
    server.wait()
    return "server", "TCP_FLAGS", "a segment reached the listening socket", None


def linger_v6(number, port):
    return linger(number, port, "::1")


def closed_port_v6(number, port):
    return closed_port(number, port, "::1")


CASES = [
    linger, unread, closed_port, data_after_close, data_after_close_held, client_timeout, killed,
    listener_closed, overflow, destroyed, negative_linger2, client_unread, thread, worker,
    disconnect, client_ends, unknown_to_listener, linger_v6, closed_port_v6, keepalive,
]  # fmt: skip


def main():
    for number, case in enumerate(CASES, 1):
        port = FIRST_PORT + number - 1
        side, reason, words, by = case(number, port)
        truth = {
            "case": case.__name__,
            "port": port,
            "side": side,
            "reason": reason,
            "words": words,
            "by": by and by.name,
            "pid": by and by.pid,
        }
        print(json.dumps(truth), flush=True)


if __name__ == "__main__":
    sys.exit(main())
