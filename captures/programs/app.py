#!/usr/bin/env python3
"""An application server whose paths end badly on purpose.

    app.py ADDRESS PORT [CERTIFICATE KEY]

Python's own http.server, HTTP/1.1, one thread per connection. Every path is one story; what it does is
the method's doc comment. With a certificate it speaks TLS; Python sends no close_notify unless it is told to.
"""

import socket
import ssl
import struct
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SLOW_SECONDS = 3.0


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        {"/hello": self.hello, "/cut-short": self.cut_short, "/cut-short-with-notice": self.cut_short_with_notice,
         "/open-ended": self.open_ended, "/open-ended-with-notice": self.open_ended_with_notice, "/slow": self.slow,
         "/reset": self.reset, "/reset-midway": self.reset_midway,
         "/cut-short-then-waits": self.cut_short_then_waits}[self.path]()

    def do_POST(self):
        {"/streamed": self.streamed}[self.path]()

    def hello(self):
        """Answers at once and keeps the connection."""
        self.answer(b"hello\n")

    def cut_short(self):
        """Promises 1000 bytes, sends 300 and closes."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 300)
        self.close_connection = True

    def cut_short_with_notice(self):
        """The same over TLS, with a close_notify before the FIN; does not wait for the client's."""
        self.cut_short()
        self.connection.setblocking(False)
        try:
            self.connection.unwrap()
        except ssl.SSLWantReadError:
            pass

    def cut_short_then_waits(self):
        """The same, but leaves the FIN to the client, who has read the close_notify."""
        self.cut_short_with_notice()
        time.sleep(0.3)

    def open_ended(self):
        """Announces no length, sends 300 bytes and closes: the end of the connection is the end of the body."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"x" * 300)

    def open_ended_with_notice(self):
        """The same over TLS, with a close_notify behind the body; waits for the client's, so that the client closes first."""
        self.open_ended()
        self.connection.unwrap()

    def slow(self):
        """Thinks for three seconds, then answers, whether or not anybody still waits."""
        time.sleep(SLOW_SECONDS)
        self.answer(b"at last\n")

    def reset(self):
        """Reads the request and aborts the connection: SO_LINGER with a time of zero turns close() into a RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def reset_midway(self):
        """Promises 1000 bytes, sends 300, and a moment later aborts the connection."""
        self.cut_short()
        time.sleep(0.3)
        self.reset()

    def streamed(self):
        """Takes a chunked upload, answers with `Connection: close` twice, and lets the client close first."""
        size = 0
        while (chunk := int(self.rfile.readline(), 16)) > 0:
            size += len(self.rfile.read(chunk))
            self.rfile.readline()
        self.rfile.readline()
        self.answer(b"received %d\n" % size, closes=2)
        self.rfile.read()

    def answer(self, body, closes=0):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        for _ in range(closes):
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128

    def finish_request(self, request, address):
        if TLS is not None:
            request = TLS.wrap_socket(request, server_side=True)
        super().finish_request(request, address)
        request.close()

    def shutdown_request(self, request):
        """The base class calls shutdown() before close(); a plain close() is what most servers do."""
        self.close_request(request)

    def handle_error(self, *_):
        """A client that left or a socket closed on purpose is the story here, not an error."""


TLS = None
if len(sys.argv) > 3:
    TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    TLS.load_cert_chain(sys.argv[3], sys.argv[4])
Server((sys.argv[1], int(sys.argv[2])), App).serve_forever()
