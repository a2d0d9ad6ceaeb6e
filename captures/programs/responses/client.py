"""Asks for every response of responses.py with one of Python's libraries, or with a command: client.py LIBRARY BASE COUNT."""

import asyncio
import http.client
import json
import subprocess
import sys
import urllib.parse
import urllib.request
import warnings

warnings.simplefilter("ignore")
LIBRARY, BASE, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])
COMMANDS = {
    "curl": ["curl", "-sS", "--max-time", "4", "-o", "/dev/null", "-w", "%{http_code} %{size_download}"],
    "wget": ["wget", "-nv", "--tries=1", "--timeout=4", "-O", "/dev/null"],
}


def told(error):
    lines, seen = [], set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        lines.append(f"{type(error).__module__}.{type(error).__qualname__}: {error}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return lines


def write(i, ok, lines):
    print(json.dumps({"i": i, "ok": ok, "lines": lines}), flush=True)


def via_httpclient(url):
    at = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(at.hostname, at.port, timeout=4)
    connection.request("GET", at.path)
    it = connection.getresponse()
    return [it.status, len(it.read())]


def via_urllib(url):
    with urllib.request.urlopen(url, timeout=4) as it:
        return [it.status, len(it.read())]


def via_requests(url):
    import requests
    with requests.Session() as session:
        session.trust_env = False
        it = session.get(url, timeout=4)
        return [it.status_code, len(it.content)]


def via_urllib3(url):
    import urllib3
    with urllib3.PoolManager(timeout=4, retries=False) as pool:
        it = pool.request("GET", url, redirect=False)
        return [it.status, len(it.data)]


def via_httpx(url):
    import httpx
    with httpx.Client(timeout=4, trust_env=False) as client:
        it = client.get(url)
        return [it.status_code, len(it.content)]


async def via_aiohttp(url):
    import aiohttp
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=4)) as session:
        async with session.get(url) as it:
            return [it.status, len(await it.read())]


def via_command(i):
    run = subprocess.run([*COMMANDS[LIBRARY], BASE + str(i)], capture_output=True)
    lines = run.stderr.decode("latin1").strip().split("\n") if run.returncode else []
    write(i, None if run.returncode else run.stdout.decode("latin1").split(), lines)


ONCE = {"http.client": via_httpclient, "urllib": via_urllib, "requests": via_requests, "urllib3": via_urllib3, "httpx": via_httpx}
for i in range(COUNT):
    if LIBRARY in COMMANDS:
        via_command(i)
        continue
    try:
        url = BASE + str(i)
        write(i, asyncio.run(via_aiohttp(url)) if LIBRARY == "aiohttp" else ONCE[LIBRARY](url), [])
    except Exception as error:
        write(i, None, told(error))
