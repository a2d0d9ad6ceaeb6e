#!/usr/bin/env python3
"""An application behind proxies: one path for each way to fail, and a log of what arrived.

    leg-app.py ADDRESS PORT LOG [IDLE [well]]

HTTP/1.1, one thread per connection; a connection is closed after IDLE seconds without a request, 60 if not given. The first part
of a path says what happens: `/hello/1`, `/slow/1` (3 s), `/late/1` (0.3 s), `/reset/1` (RST instead of a response), `/midway/1`
(RST in the middle of the body), `/close/1` (FIN instead of a response), `/short/1` (FIN in the middle of the body), `/missing/1`
(404), `/broken/1` (500), `/fresh/1` (may be cached). Each request is a JSON line in the log when it arrives, and each response
another: `peer` and `nth` say on which connection, and which request of it. `request_id` is the header X-Request-Id. With `well` all paths are `/hello`.
"""

import datetime
import json
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ADDRESS, PORT, LOG = sys.argv[1], int(sys.argv[2]), open(sys.argv[3], "a", buffering=1)
IDLE = float(sys.argv[4]) if len(sys.argv) > 4 else 60.0
WELL = "well" in sys.argv[5:]
WRITING = threading.Lock()


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE
    wbufsize = -1  # headers and body in one segment
    nth = 0

    def do_GET(self):
        self.nth += 1
        self.write("request", method=self.command, path=self.path)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        getattr(self, "hello" if WELL else self.path.split("/")[1].split("?")[0], self.missing)()

    do_POST = do_HEAD = do_GET

    def hello(self):
        self.answer(200)

    def slow(self):
        time.sleep(3)
        self.answer(200)

    def late(self):
        time.sleep(0.3)
        self.answer(200)

    def fresh(self):
        self.answer(200, {"Cache-Control": "max-age=60"})

    def missing(self):
        self.answer(404)

    def broken(self):
        self.answer(500)

    def reset(self):
        self.abort()

    def midway(self):
        self.part()
        time.sleep(0.2)
        self.abort()

    def close(self):
        self.close_connection = True

    def short(self):
        self.part()
        self.close_connection = True

    def part(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 300)
        self.wfile.flush()
        self.write("response", status=200, bytes=300)

    def abort(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
        self.write("aborted")

    def answer(self, status, more=()):
        body = b"hello\n" if status == 200 else b"no\n"
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        for name, value in dict(more).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")
        self.write("response", status=status, bytes=len(body))

    def write(self, message, **more):
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
        line = dict(time=now, level="info", msg=message, peer="%s:%d" % self.client_address, nth=self.nth,
                    request_id=self.headers.get("X-Request-Id"), **more)
        with WRITING:
            LOG.write(json.dumps({key: value for key, value in line.items() if value is not None}) + "\n")

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128

    def shutdown_request(self, request):
        """A plain close(), as most servers do."""
        self.close_request(request)

    def handle_error(self, *_):
        pass


Server((ADDRESS, PORT), App).serve_forever()
