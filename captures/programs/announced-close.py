#!/usr/bin/env python3
"""A server that announces the close of every connection, and the client that calls it.

    announced-close.py server ADDRESS PORT once     `Connection: close` once; the server closes, with the response
    announced-close.py server ADDRESS PORT twice    `Connection: close` on two lines; the server leaves the close to the client
    announced-close.py client ADDRESS PORT CALLS    one call after another, each on a new connection; asks for keep-alive

The client is the same for both: it closes when it has the whole response. The server that closes first sends its FIN in the
segment of the response, so that no client can be earlier.
"""

import socket
import sys

BODY = b"<done/>"
CALL = b"<call/>"


def receive(connection):
    """Reads a message with a Content-Length; None if the other side has closed instead."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(4096)
        if not part:
            return None
        data += part
    head, body = data.split(b"\r\n\r\n", 1)
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(4096)
    return body


def serve(address, port, times):
    lines = {"once": b"Connection: close\r\n", "twice": b"Connection: close\r\n" * 2}[times]
    name = {"once": b"Example/7.5", "twice": b"Example/6.0"}[times]
    response = (b"HTTP/1.1 200 OK\r\nServer: " + name + b"\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n" % len(BODY)
                + lines + b"\r\n" + BODY)
    listener = socket.create_server((address, port))
    while True:
        connection, _ = listener.accept()
        with connection:
            if receive(connection) is None:
                continue
            if times == "once":
                connection.send(response, socket.MSG_MORE)
                connection.shutdown(socket.SHUT_WR)
            else:
                connection.sendall(response)
            connection.recv(1)


def call(address, port, calls):
    request = (b"POST /Service.svc HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: example-client/1.0\r\nContent-Type: text/xml\r\n"
               b"Content-Length: %d\r\nConnection: keep-alive\r\n\r\n" % len(CALL)) + CALL
    for _ in range(calls):
        with socket.create_connection((address, port)) as connection:
            connection.sendall(request)
            receive(connection)


if __name__ == "__main__":
    role, address, port, how = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    if role == "server":
        serve(address, port, how)
    else:
        call(address, port, int(how))
