#!/usr/bin/env python3
"""A WebSocket client that never pings.

    websocket-client.py URL MESSAGE wait      says one thing, then waits until the connection ends
    websocket-client.py URL MESSAGE close     says one thing, reads one answer, closes with 1000

    websocket-client.py URL MESSAGE … ADDRESS CERTIFICATE      the same over TLS, at this address, trusting this authority

Debian's python3-websockets. Prints how it ended, as its library tells it.
"""

import asyncio
import os
import ssl
import sys

import websockets


async def main():
    url, message, what, *secure = sys.argv[1:]
    options = {}
    if secure:
        options = {"host": secure[0], "server_hostname": "shop.example", "ssl": ssl.create_default_context(cafile=secure[1])}
        options["ssl"].keylog_filename = os.environ["SSLKEYLOGFILE"]
    async with websockets.connect(url, ping_interval=None, compression=None, **options) as socket:
        await socket.send(message)
        try:
            print("received", repr(await socket.recv()))
            if what == "wait":
                await socket.recv()
        except websockets.ConnectionClosed:
            pass
    print("closed with", socket.close_code, repr(socket.close_reason))


asyncio.run(main())
