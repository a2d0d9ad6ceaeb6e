#!/usr/bin/env python3
"""Uploads 20 kB in 20 pieces over two seconds, and listens only afterwards: slow-uploader.py ADDRESS PORT PATH"""

import http.client
import sys
import time

PIECES, PIECE = 20, b"x" * 1000


def slowly():
    for _ in range(PIECES):
        time.sleep(0.1)
        yield PIECE


address, port, path = sys.argv[1:]
connection = http.client.HTTPConnection(address, int(port))
try:
    connection.request("PUT", path, body=slowly(), headers={"Content-Length": str(PIECES * len(PIECE))})
    print(f"answered {connection.getresponse().status}")
except OSError as error:
    print(f"{type(error).__name__}: {error}")
connection.close()
