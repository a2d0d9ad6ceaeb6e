#!/usr/bin/env python3
"""A WebSocket server that sends back what it gets, and never pings.

    websocket-echo.py ADDRESS PORT

Debian's python3-websockets. To the message "leave" it answers with a Close frame, 1001 (going away).
"""

import asyncio
import sys

import websockets


async def echo(socket, _path):
    try:
        async for message in socket:
            if message == "leave":
                await socket.close(1001, "restart")
                return
            await socket.send(message)
    except websockets.ConnectionClosedError:
        """No Close frame came."""


async def main():
    async with websockets.serve(echo, sys.argv[1], int(sys.argv[2]), ping_interval=None):
        await asyncio.Future()


asyncio.run(main())
