#!/usr/bin/env python3
"""Says that it has nothing more to send, and listens: half-closer.py ADDRESS PORT PATH"""

import socket
import sys

address, port, path = sys.argv[1:]
connection = socket.create_connection((address, int(port)))
connection.sendall(f"GET {path} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: half-closer\r\n\r\n".encode())
connection.shutdown(socket.SHUT_WR)
while piece := connection.recv(65536):
    print(piece.decode(), end="")
