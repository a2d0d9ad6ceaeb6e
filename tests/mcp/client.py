"""A round trip of the Python client of the protocol: PROGRAM FOLDER. Prints what it saw, as one line of JSON."""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

RACE = "keep-alive-race.pcapng"


async def main(program: str, folder: str) -> None:
    server = StdioServerParameters(command=program, args=["mcp", folder])
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = await session.list_tools()
        seen = {"tools": sorted(tool.name for tool in tools.tools)}
        for name, arguments in [
            ("captures", {"containing": "race"}),
            ("report", {"files": [RACE]}),
            ("ladder", {"files": [RACE], "connections": [2]}),
            ("find_error", {"files": [RACE], "error": "socket hang up"}),
            ("explain", {"text": "socket hang up"}),
        ]:
            answer = await session.call_tool(name, arguments)
            seen[name] = "".join(part.text for part in answer.content)
        print(json.dumps(seen))


asyncio.run(main(*sys.argv[1:]))
