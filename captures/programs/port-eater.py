#!/usr/bin/env python3
"""Opens a connection for every call and closes it itself: port-eater.py ADDRESS PORT CALLS

Each close leaves the source port in TIME-WAIT here; once they all are, connect() fails before a packet is sent.
"""

import http.client
import sys

for call in range(1, int(sys.argv[3]) + 1):
    connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]))
    try:
        connection.request("GET", "/hello.txt")
        connection.getresponse().read()
    except OSError as error:
        print(f"call {call}: {error}")
    connection.close()
