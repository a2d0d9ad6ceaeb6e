"""A client on one of Python's libraries; see README.md for its arguments."""

import asyncio
import os
import ssl
import sys
import time
import warnings

warnings.simplefilter("ignore")
LIB, URL, METHOD, TIMEOUT, REPEAT, INTERVAL, SIZE, CA = sys.argv[1:9]
TIMEOUT, REPEAT, INTERVAL, SIZE = float(TIMEOUT) / 1000, int(REPEAT), float(INTERVAL) / 1000, int(SIZE)
CA = None if CA == "-" else CA
DATA = b"x" * SIZE if METHOD == "POST" else None


def flat(text):
    return " ".join(text.split("\n")) if "\n" not in text else text.replace("\n", "\\n")


def told(error):
    """The error and those that it came from, as a traceback would show them."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        kind = type(error)
        print(f"ERR {kind.__module__}.{kind.__qualname__}: {flat(str(error))} | {flat(repr(error))[:300]}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def context():
    made = ssl.create_default_context(cafile=CA)
    if os.environ.get("SSLKEYLOGFILE"):
        made.keylog_filename = os.environ["SSLKEYLOGFILE"]
    return made


def turns(once):
    for n in range(1, REPEAT + 1):
        if n > 1:
            time.sleep(INTERVAL)
        try:
            status, size = once()
            print(f"REQ {n} OK {status} {size}B")
        except Exception as error:
            told(error)
            print(f"REQ {n} FAILED")


async def async_turns(once):
    for n in range(1, REPEAT + 1):
        if n > 1:
            await asyncio.sleep(INTERVAL)
        try:
            status, size = await once()
            print(f"REQ {n} OK {status} {size}B")
        except Exception as error:
            told(error)
            print(f"REQ {n} FAILED")


def requests_():
    import requests
    with requests.Session() as session:
        session.trust_env = False

        def once():
            it = session.request(METHOD, URL, data=DATA, timeout=TIMEOUT, verify=CA or True)
            if LIB == "requests-raise":
                it.raise_for_status()
            return it.status_code, len(it.content)
        turns(once)


def niquests_():
    import niquests
    with niquests.Session() as session:
        session.trust_env = False

        def once():
            it = session.request(METHOD, URL, data=DATA, timeout=TIMEOUT, verify=CA or True)
            return it.status_code, len(it.content)
        turns(once)


def urllib3_():
    import urllib3
    with urllib3.PoolManager(timeout=TIMEOUT, ca_certs=CA, retries=False if LIB == "urllib3" else 1) as pool:
        def once():
            it = pool.request(METHOD, URL, body=DATA)
            return it.status, len(it.data)
        turns(once)


def httpclient():
    import http.client
    import urllib.parse
    at = urllib.parse.urlsplit(URL)
    if at.scheme == "https":
        connection = http.client.HTTPSConnection(at.hostname, at.port, timeout=TIMEOUT, context=context())
    else:
        connection = http.client.HTTPConnection(at.hostname, at.port, timeout=TIMEOUT)

    def once():
        connection.request(METHOD, at.path, body=DATA)
        it = connection.getresponse()
        return it.status, len(it.read())
    turns(once)
    connection.close()


def urllib_():
    import urllib.request

    def once():
        with urllib.request.urlopen(urllib.request.Request(URL, data=DATA, method=METHOD), timeout=TIMEOUT, context=context()) as it:
            return it.status, len(it.read())
    turns(once)


def httpx_():
    import httpx
    with httpx.Client(timeout=TIMEOUT, verify=context(), trust_env=False, http2=LIB == "httpx-h2", follow_redirects=True) as client:
        def once():
            it = client.request(METHOD, URL, content=DATA)
            if LIB == "httpx-raise":
                it.raise_for_status()
            return it.status_code, len(it.content)
        turns(once)


def aiohttp_():
    import aiohttp

    async def main():
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session:
            async def once():
                async with session.request(METHOD, URL, data=DATA, ssl=context() if CA else True, raise_for_status=LIB == "aiohttp-raise") as it:
                    return it.status, len(await it.read())
            await async_turns(once)
    asyncio.run(main())


def tornado_():
    from tornado.httpclient import AsyncHTTPClient

    async def main():
        client = AsyncHTTPClient()

        async def once():
            it = await client.fetch(URL, method=METHOD, body=DATA, request_timeout=TIMEOUT, connect_timeout=TIMEOUT, ca_certs=CA)
            return it.code, len(it.body)
        await async_turns(once)
    asyncio.run(main())


def pycurl_():
    import io
    import pycurl
    client = pycurl.Curl()

    def once():
        out = io.BytesIO()
        for option, value in ((pycurl.URL, URL), (pycurl.TIMEOUT_MS, int(TIMEOUT * 1000)), (pycurl.WRITEDATA, out), (pycurl.NOSIGNAL, 1)):
            client.setopt(option, value)
        if CA:
            client.setopt(pycurl.CAINFO, CA)
        if DATA is not None:
            client.setopt(pycurl.POSTFIELDS, DATA)
        client.perform()
        return client.getinfo(pycurl.RESPONSE_CODE), len(out.getvalue())
    turns(once)
    client.close()


def httplib2_():
    import httplib2
    client = httplib2.Http(timeout=TIMEOUT, ca_certs=CA)

    def once():
        it, body = client.request(URL, METHOD, body=DATA)
        return it.status, len(body)
    turns(once)
    client.close()


def treq_():
    import treq
    from twisted.internet import defer, task
    from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool
    from twisted.internet import ssl as tls

    async def main(reactor):
        policy = BrowserLikePolicyForHTTPS(tls.trustRootFromCertificates([tls.Certificate.loadPEM(open(CA).read())])) if CA else BrowserLikePolicyForHTTPS()
        pool = HTTPConnectionPool(reactor)
        client = treq.client.HTTPClient(Agent(reactor, policy, pool=pool))
        for n in range(1, REPEAT + 1):
            if n > 1:
                await task.deferLater(reactor, INTERVAL, lambda: None)
            try:
                it = await client.request(METHOD, URL, data=DATA, timeout=TIMEOUT)
                body = await defer.Deferred.fromCoroutine(it.content()) if asyncio.iscoroutine(it.content) else await it.content()
                print(f"REQ {n} OK {it.code} {len(body)}B")
            except Exception as error:
                told(error)
                for inner in getattr(error, "reasons", []) or []:
                    print(f"ERR   reason: {inner.value!r}")
                print(f"REQ {n} FAILED")
        await pool.closeCachedConnections()
    task.react(lambda reactor: defer.Deferred.fromCoroutine(main(reactor)))


def websockets_():
    from websockets.sync.client import connect

    def once():
        with connect(URL.replace("http", "ws", 1), open_timeout=TIMEOUT, ssl=context() if URL.startswith("https") else None, proxy=None) as it:
            return 101, len(it.recv(timeout=TIMEOUT))
    turns(once)


def websocket_client():
    import websocket

    def once():
        it = websocket.create_connection(URL.replace("http", "ws", 1), timeout=TIMEOUT, sslopt={"ca_certs": CA} if CA else None)
        return 101, len(it.recv())
    turns(once)


{"requests": requests_, "requests-raise": requests_, "niquests": niquests_, "urllib3": urllib3_, "urllib3-retries": urllib3_, "http.client": httpclient,
 "urllib": urllib_, "httpx": httpx_, "httpx-raise": httpx_, "httpx-h2": httpx_, "aiohttp": aiohttp_, "aiohttp-raise": aiohttp_, "tornado": tornado_,
 "pycurl": pycurl_, "httplib2": httplib2_, "treq": treq_, "websockets": websockets_, "websocket-client": websocket_client}[LIB]()
