#!/usr/bin/env python3
"""A server that accepts connections and never reads from them: deaf.py ADDRESS PORT

When it is killed, the kernel finds request bytes nobody read and sends RST, not FIN (RFC 2525, section 2.17).
"""

import socket
import sys

listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
connections = []
while True:
    connections.append(listener.accept())
