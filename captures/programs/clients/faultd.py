"""A server with a fault on every port. A fault is what it says, piece by piece, and how it ends.

    faultd.py                  listens on 8000 + n for the n-th fault of FAULTS; on the same port + 1000 inside TLS 1.3,
                               + 2000 inside TLS 1.2
    faultd.py --list           the faults, one per line: name, port

Endings: `fin` closes, `rst` resets, `keep` waits until the client has closed.
"""

import gzip
import os
import socket
import ssl
import struct
import sys
import threading
import time
import zlib

BODY = b"0123456789abcdef" * 25
TEXT = b"Server: faultd\r\nContent-Type: text/plain\r\n"
OK = b"HTTP/1.1 200 OK\r\n" + TEXT
PLAIN = b"hello, hello, hello, hello, hello, hello world\n"
ZIPPED = gzip.compress(PLAIN, mtime=0)


def length(body, n=None, status=b"200 OK", more=b"", version=b"HTTP/1.1"):
    n = len(body) if n is None else n
    return version + b" " + status + b"\r\n" + TEXT + more + b"Content-Length: %d\r\n\r\n" % n + body


def line(field, body=BODY[:200]):
    """A response with a strange field, and a good length."""
    return OK + field + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def lengths(*fields, body=BODY[:200]):
    """A response whose length these fields tell."""
    return OK + b"".join(it + b"\r\n" for it in fields) + b"\r\n" + body


def chunks(rest, more=b""):
    return OK + b"Transfer-Encoding: chunked\r\n" + more + b"\r\n" + rest


def chunk(body):
    return b"%x\r\n" % len(body) + body + b"\r\n"


def coded(body, n=None, coding=b"gzip"):
    return OK + b"Content-Encoding: " + coding + b"\r\nContent-Length: %d\r\n\r\n" % (len(body) if n is None else n) + body


HALF = BODY[:200]
GOOD = length(HALF)
CLOSED = length(HALF, more=b"Connection: close\r\n")
LAST = b"0\r\n\r\n"
C200 = chunk(HALF)
FAULTS = {}


def fault(name, say=b"", end="keep", **options):
    FAULTS[name] = dict(options, say=say, end=end)


# The server ends too soon.
fault("accept-fin", end="fin", read=False)
fault("accept-rst", end="rst", read=False)
fault("read-fin", end="fin")
fault("read-rst", end="rst")
fault("unread-close", end="fin", read=False, pause=0.2)
fault("stall", end="keep")
fault("stall-fin", end="fin", pause=0.8)
fault("stall-rst", end="rst", pause=0.8)
for end in "fin", "rst":
    fault(f"status-half-{end}", b"HTTP/1.1 20", end)
    fault(f"status-only-{end}", b"HTTP/1.1 200 OK\r\n", end)
    fault(f"halfhead-{end}", b"HTTP/1.1 200 OK\r\nServer: faultd\r\nContent", end)
    fault(f"headonly-{end}", length(b"", 200), end)
    fault(f"halfbody-{end}", length(HALF, 400), end)
    fault(f"chunk-head-{end}", chunks(b""), end)
    fault(f"chunk-trunc-{end}", chunks(b"c8\r\n" + HALF[:100]), end)
    fault(f"chunk-size-{end}", chunks(C200 + b"c8"), end)
    fault(f"chunk-noterm-{end}", chunks(C200), end)
    fault(f"chunk-nolf-{end}", chunks(C200 + b"0\r\n"), end)
    fault(f"http10-{end}", b"HTTP/1.0 200 OK\r\n" + TEXT + b"\r\n" + HALF, end)
    fault(f"closedelim-{end}", OK + b"Connection: close\r\n\r\n" + HALF, end)
    fault(f"big-halfbody-{end}", length(BODY * 100, 80000), end)
    fault(f"full-then-{end}", GOOD, end, times=1)
    fault(f"interim-{end}", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", end)
fault("headonly-stall", length(b"", 200))
fault("stall-body", length(BODY * 5, 4000))
fault("stall-head", b"HTTP/1.1 200 OK\r\nServer: faultd\r\nContent")
fault("stall-chunk", chunks(C200))
fault("stall-closedelim", OK + b"Connection: close\r\n\r\n" + HALF)
fault("interim-stall", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")

# The grammar of the status line and of fields.
fault("bad-status", length(HALF, status=b"2x0 OK"))
fault("status-word", length(HALF, status=b"OK"))
fault("status-short", length(HALF, status=b"20 OK"))
fault("status-long", length(HALF, status=b"2000 OK"))
fault("status-none", b"HTTP/1.1\r\n" + TEXT + b"Content-Length: 200\r\n\r\n" + HALF)
fault("status-no-reason", length(HALF, status=b"200"))
fault("status-000", length(HALF, status=b"000 Zero"))
fault("status-999", length(HALF, status=b"999 Odd"))
fault("bad-version", length(HALF, version=b"HTTP/9.9"))
fault("version-2", length(HALF, version=b"HTTP/2.0"))
fault("version-2-short", length(HALF, version=b"HTTP/2"))
fault("version-lower", length(HALF, version=b"http/1.1"))
fault("version-icy", length(HALF, version=b"ICY"))
fault("version-word", length(HALF, version=b"HTTP/x.y"))
fault("garbage", b"this is not http at all\r\nfoo bar\r\n\r\n")
fault("garbage-fin", b"this is not http at all\r\nfoo bar\r\n\r\n", "fin")
fault("garbage-line", b"this is not http at all\r\n")
fault("garbage-line-fin", b"this is not http at all\r\n", "fin")
fault("garbage-word", b"hello")
fault("garbage-word-fin", b"hello", "fin")
fault("garbage-bin", bytes(range(128, 256)) + b"\0\1\2\3")
fault("garbage-bin-fin", bytes(range(128, 256)) + b"\0\1\2\3", "fin")
fault("html", b"<html><body>hello</body></html>\n")
fault("html-fin", b"<html><body>hello</body></html>\n", "fin")
fault("ssh-banner", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
fault("smtp-banner", b"220 mail.example ESMTP\r\n", read=False)
fault("no-colon", line(b"ThisIsNotAHeader"))
fault("no-colon-first", b"HTTP/1.1 200 OK\r\nThisIsNotAHeader\r\nContent-Length: 200\r\n\r\n" + HALF)
fault("empty-name", line(b": value"))
fault("space-colon", OK + b"Content-Length : 200\r\n\r\n" + HALF)
fault("space-name", line(b"X Bad: a"))
fault("nul-header", line(b"X-Bad: a\0b"))
fault("nul-name", line(b"X-B\0ad: a"))
fault("ctl-header", line(b"X-Bad: a\x01b"))
fault("cr-header", line(b"X-Bad: a\rb"))
fault("latin1-header", line(b"X-Bad: caf\xe9"))
fault("obs-fold", line(b"X-Long: a\r\n folded continuation"))
fault("obs-fold-first", b"HTTP/1.1 200 OK\r\n folded\r\nContent-Length: 200\r\n\r\n" + HALF)
fault("bare-lf", GOOD.replace(b"\r\n", b"\n"))
fault("bare-cr", GOOD.replace(b"\r\n", b"\r"))
fault("big-header", line(b"X-Big: " + b"a" * 70000))
fault("huge-header", line(b"X-Big: " + b"a" * 400000))
fault("mid-header", line(b"X-Big: " + b"a" * 20000))
fault("many-headers", line(b"\r\n".join(b"X-%d: v" % n for n in range(150))))
fault("many-headers-1200", line(b"\r\n".join(b"X-%d: v" % n for n in range(1200))))
fault("long-status", b"HTTP/1.1 200 " + b"O" * 70000 + b"\r\n" + TEXT + b"Content-Length: 200\r\n\r\n" + HALF)

# Lengths.
fault("dup-cl", lengths(b"Content-Length: 200", b"Content-Length: 207", body=HALF + b"abcdefg"))
fault("dup-cl-short", lengths(b"Content-Length: 200", b"Content-Length: 207"))
fault("dup-cl-same", lengths(b"Content-Length: 200", b"Content-Length: 200"))
fault("cl-list", lengths(b"Content-Length: 200, 200"))
fault("cl-list-differs", lengths(b"Content-Length: 200, 207"))
fault("neg-cl", lengths(b"Content-Length: -5"))
fault("nonnum-cl", lengths(b"Content-Length: 20 bytes"))
fault("word-cl", lengths(b"Content-Length: abc"))
fault("plus-cl", lengths(b"Content-Length: +200"))
fault("hex-cl", lengths(b"Content-Length: 0xc8"))
fault("float-cl", lengths(b"Content-Length: 200.0"))
fault("empty-cl", lengths(b"Content-Length:"))
fault("huge-cl", lengths(b"Content-Length: 99999999999999999999"))
fault("big-cl", lengths(b"Content-Length: 9999999999999"))
fault("cl-te", chunks(C200 + LAST, b"Content-Length: 200\r\n"))
fault("cl-te-first", lengths(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=C200 + LAST))
fault("dup-te", chunks(C200 + LAST, b"Transfer-Encoding: chunked\r\n"))
fault("te-list", lengths(b"Transfer-Encoding: chunked, chunked", body=C200 + LAST))
fault("bad-te", lengths(b"Transfer-Encoding: foobar", body=HALF))
fault("bad-te-chunked", lengths(b"Transfer-Encoding: xchunked", body=C200 + LAST))
fault("bad-te-fin", lengths(b"Transfer-Encoding: foobar", body=HALF), "fin")
fault("te-identity", lengths(b"Transfer-Encoding: identity", b"Content-Length: 200"))
fault("te-gzip", lengths(b"Transfer-Encoding: gzip, chunked", body=chunk(ZIPPED) + LAST))
fault("te-not-last", lengths(b"Transfer-Encoding: chunked, gzip", body=C200 + LAST))
fault("te-http10", b"HTTP/1.0 200 OK\r\n" + TEXT + b"Transfer-Encoding: chunked\r\n\r\n" + C200 + LAST, "fin")
fault("extra-body", length(HALF + b"extra bytes after the body", 200))
fault("extra-response", GOOD + GOOD)
fault("unsolicited", GOOD, read=False)
fault("unsolicited-fin", GOOD, "fin", read=False)
fault("204-body", length(HALF, status=b"204 No Content"))
fault("304-body", length(HALF, status=b"304 Not Modified"))
fault("205-body", length(HALF, status=b"205 Reset Content"))
fault("101-unasked", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n" + HALF)
fault("100-endless", b"HTTP/1.1 100 Continue\r\n\r\n" * 20)

# Chunks.
fault("bad-chunk", chunks(b"zz\r\n" + HALF + b"\r\n" + LAST))
fault("bad-chunk-second", chunks(C200 + b"zz\r\n" + HALF + b"\r\n" + LAST))
fault("chunk-negative", chunks(b"-5\r\n" + HALF + b"\r\n" + LAST))
fault("chunk-empty", chunks(b"\r\n" + HALF + b"\r\n" + LAST))
fault("chunk-huge", chunks(b"fffffffffffffffff\r\n" + HALF + b"\r\n" + LAST))
fault("chunk-0x", chunks(b"0xc8\r\n" + HALF + b"\r\n" + LAST))
fault("chunk-space", chunks(b"c8 \r\n" + HALF + b"\r\n" + LAST))
fault("chunk-bad-end", chunks(b"c8\r\n" + HALF + b"XX" + LAST))
fault("chunk-short", chunks(b"c8\r\n" + HALF[:190] + b"\r\n" + LAST))
fault("chunk-long", chunks(b"c8\r\n" + BODY[:210] + b"\r\n" + LAST))
fault("chunk-bare-lf", chunks(b"c8\n" + HALF + b"\n0\n\n"))
fault("chunk-ext", chunks(b"c8;a=b\r\n" + HALF + b"\r\n" + LAST))
fault("chunk-ext-long", chunks(b"c8;" + b"a" * 20000 + b"\r\n" + HALF + b"\r\n" + LAST))
fault("chunk-trailer", chunks(C200 + b"0\r\nX-Trailer: yes\r\n\r\n", b"Trailer: X-Trailer\r\n"))
fault("chunk-bad-trailer", chunks(C200 + b"0\r\nnonsense\r\n\r\n"))
fault("chunk-plain-body", chunks(b"plain text, not chunked at all\r\n"))

# Codings.
DAMAGED = bytearray(ZIPPED)
DAMAGED[12:18] = b"\xff\0\xfe\1\xff\0"
CHECK = ZIPPED[:-8] + struct.pack("<I", 1) + ZIPPED[-4:]
fault("gzip-corrupt", coded(bytes(DAMAGED)))
fault("gzip-short", coded(ZIPPED[:len(ZIPPED) // 2]))
fault("gzip-trunc", coded(ZIPPED[:len(ZIPPED) // 2], len(ZIPPED)), "fin")
fault("gzip-trunc-rst", coded(ZIPPED[:len(ZIPPED) // 2], len(ZIPPED)), "rst")
fault("gzip-plain", coded(PLAIN))
fault("gzip-crc", coded(CHECK))
fault("gzip-no-trailer", coded(ZIPPED[:-8]))
fault("gzip-extra", coded(ZIPPED + b"extra"))
fault("gzip-empty", coded(b""))
fault("gzip-chunk-trunc", chunks(chunk(ZIPPED[:20]), b"Content-Encoding: gzip\r\n"), "fin")
fault("deflate-raw", coded(zlib.compress(PLAIN)[2:-4], coding=b"deflate"))
fault("deflate-plain", coded(PLAIN, coding=b"deflate"))
fault("br-plain", coded(PLAIN, coding=b"br"))
fault("coding-unknown", coded(PLAIN, coding=b"foo"))

# Statuses.
for code, reason in ((304, "Not Modified"), (400, "Bad Request"), (401, "Unauthorized"), (403, "Forbidden"), (404, "Not Found"), (407, "Proxy Authentication Required"),
                     (408, "Request Timeout"), (413, "Content Too Large"), (417, "Expectation Failed"), (426, "Upgrade Required"), (429, "Too Many Requests"),
                     (431, "Request Header Fields Too Large"), (500, "Internal Server Error"), (501, "Not Implemented"), (502, "Bad Gateway"), (503, "Service Unavailable"), (504, "Gateway Timeout"),
                     (505, "HTTP Version Not Supported")):
    fault(f"status-{code}", length(b"" if code == 304 else b"sorry\n", status=f"{code} {reason}".encode()), times=9)
fault("status-408-close", length(b"sorry\n", status=b"408 Request Timeout", more=b"Connection: close\r\n"), "fin")
fault("status-503-close", length(b"sorry\n", status=b"503 Service Unavailable", more=b"Connection: close\r\n"), "fin")
fault("redirect-loop", length(b"", status=b"302 Found", more=b"Location: /x\r\n"), times=99)
fault("redirect-loop-close", length(b"", status=b"302 Found", more=b"Location: /x\r\nConnection: close\r\n"), "fin")
fault("redirect-nowhere", length(b"", status=b"302 Found"), times=9)
fault("redirect-bad", length(b"", status=b"302 Found", more=b"Location: http://:bad:/\r\n"), times=9)
fault("redirect-refused", length(b"", status=b"302 Found", more=b"Location: http://HOST:7999/x\r\n"), times=9)

# Reused connections; the client asks again after a pause.
fault("ka-ok", GOOD, times=9)
fault("ka-idle", GOOD, "fin", times=1, pause_after=0.4)
fault("ka-idle-rst", GOOD, "rst", times=1, pause_after=0.4)
fault("ka-race", GOOD, "rst", times=1, swallow=True, once=True)
fault("ka-race-fin", GOOD, "fin", times=1, swallow=True, once=True)
fault("ka-race-always", GOOD, "rst", times=1, swallow=True)
fault("ka-second-half", GOOD, "fin", times=1, swallow=True, then=length(HALF, 400))
fault("ka-second-rst", GOOD, "rst", times=1, swallow=True, then=length(HALF, 400))
fault("ka-second-stall", GOOD, times=1, swallow=True)
fault("connclose", CLOSED, "fin")
fault("connclose-lies", CLOSED, "keep", times=9)
fault("dup-connclose", length(HALF, more=b"Connection: close\r\nConnection: close\r\n"), "fin")
fault("connclose-clientfirst", CLOSED, "keep")

# Uploads: the server answers, or does not, while the client still sends.
fault("early-resp", length(b"too large\n", status=b"413 Content Too Large", more=b"Connection: close\r\n"), "fin", upload=20000)
fault("early-resp-rst", length(b"too large\n", status=b"413 Content Too Large", more=b"Connection: close\r\n"), "rst", upload=20000)
fault("early-resp-linger", length(b"too large\n", status=b"413 Content Too Large", more=b"Connection: close\r\n"), "linger", upload=20000)
fault("early-resp-open", length(b"too large\n", status=b"413 Content Too Large"), "keep", upload=20000)
fault("upload-rst", end="rst", upload=20000)
fault("upload-fin", end="fin", upload=20000)
fault("upload-stall", end="keep", upload=20000, deaf=True)
fault("upload-read-rst", end="rst", upload=10 ** 9)
fault("upload-read-fin", end="fin", upload=10 ** 9)
fault("upload-ok", GOOD, upload=10 ** 9)
fault("upload-401", length(b"who?\n", status=b"401 Unauthorized"), upload=10 ** 9)
fault("expect-417", length(b"no\n", status=b"417 Expectation Failed", more=b"Connection: close\r\n"), "fin", upload=0)
fault("expect-rst", end="rst", upload=0)

# Bytes of TLS.


def alert(code, level=2):
    return bytes([21, 3, 3, 0, 2, level, code])


ALERTS = dict(close_notify=0, unexpected_message=10, bad_record_mac=20, record_overflow=22, handshake_failure=40, bad_certificate=42, unsupported_certificate=43,
              certificate_revoked=44, certificate_expired=45, certificate_unknown=46, illegal_parameter=47, unknown_ca=48, access_denied=49,
              decode_error=50, decrypt_error=51, protocol_version=70, insufficient_security=71, internal_error=80, inappropriate_fallback=86,
              user_canceled=90, missing_extension=109, unsupported_extension=110, unrecognized_name=112, bad_certificate_status_response=113,
              unknown_psk_identity=115, certificate_required=116, no_application_protocol=120)
for name, code in ALERTS.items():
    fault(f"hello-alert-{name}", alert(code, 1 if code in (0, 90) else 2), "fin", tls="hello")
fault("hello-alert-warning-112", alert(112, 1), "fin", tls="hello")
fault("hello-fin", end="fin", tls="hello")
fault("hello-rst", end="rst", tls="hello")
fault("hello-stall", end="keep", tls="hello")
fault("hello-garbage", b"garbage that is no TLS at all\r\n", tls="hello")
fault("hello-http", b"HTTP/1.1 400 Bad Request\r\nServer: faultd\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "fin", tls="hello")
fault("hello-http-open", b"HTTP/1.1 400 Bad Request\r\nServer: faultd\r\nContent-Length: 0\r\n\r\n", tls="hello")
fault("hello-accept-rst", end="rst", tls="hello", read=False)
fault("hello-accept-fin", end="fin", tls="hello", read=False)
CERTIFICATES = ["selfsigned", "expired", "notyet", "wronghost", "untrusted", "nochain", "selfsigned-expired", "weak", "clientauth"]
for name in CERTIFICATES:
    fault(f"cert-{name}", GOOD, certificate=name)
fault("client-cert-required", GOOD, client_certificate=True)
fault("tls-notify-before", end="notify")
fault("tls-notify-halfbody", length(HALF, 400), "notify")
fault("tls-notify-closedelim", OK + b"Connection: close\r\n\r\n" + HALF, "notify")
fault("tls-notify-chunk", chunks(C200), "notify")
fault("tls-alert-later", end="alert")

PORTS = {name: 8000 + n for n, name in enumerate(FAULTS)}


def head_and_body(peer, want):
    """Reads a request: its head, and of its body what is wanted. None at the end of the stream."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = peer.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    size = 0
    for field in head.split(b"\r\n"):
        if field.lower().startswith(b"content-length:"):
            size = int(field.split(b":")[1])
    if b"chunked" in head.lower():
        while not body.endswith(LAST) and len(body) < want:
            body += peer.recv(65536) or LAST
        return head
    expects = b"100-continue" in head.lower()
    if expects and want:
        peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    while len(body) < min(size, want):
        more = peer.recv(min(65536, max(min(size, want) - len(body), 1)))
        if not more:
            return None
        body += more
    return head


def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw_close(peer)


def raw_close(peer):
    """Closes without a word of TLS."""
    fd = peer.detach()
    if fd >= 0:
        os.close(fd)


def wait_for_close(peer, limit=6.0):
    peer.settimeout(limit)
    try:
        while peer.recv(65536):
            pass
    except OSError:
        pass


def play(name, peer, tls):
    it = FAULTS[name]
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    host = peer.getsockname()[0].encode()
    peer.settimeout(8)
    say = it["say"].replace(b"HOST", host)
    reads = it.get("read", True)
    if it.get("tls") == "hello" and reads:
        peer.recv(65536)
        reads = False
    head = None
    turns = it.get("times", 1)
    for turn in range(turns):
        if reads:
            head = head_and_body(peer, it.get("upload", 10 ** 9))
            if head is None:
                return raw_close(peer)
        if it.get("pause"):
            time.sleep(it["pause"])
        if say:
            peer.sendall(say)
    if it.get("swallow"):
        again = head_and_body(peer, 10 ** 9)
        if again is None:
            return raw_close(peer)
        if it.get("once") and (name, host) in SEEN:
            peer.sendall(say)
            wait_for_close(peer)
            return raw_close(peer)
        SEEN.add((name, host))
        threading.Timer(1.5, SEEN.discard, [(name, host)]).start()
        if it.get("then"):
            peer.sendall(it["then"])
    if it.get("pause_after"):
        time.sleep(it["pause_after"])
    end = it["end"]
    if say and end == "rst":
        time.sleep(0.05)  # what was said arrives, and is read, before the reset
    if end == "keep":
        if it.get("deaf"):
            time.sleep(4)
        wait_for_close(peer)
    elif end == "linger":
        socket.socket.shutdown(peer, socket.SHUT_WR)
        wait_for_close(peer)
    elif end == "notify" and tls:
        try:
            peer.unwrap()
        except OSError:
            pass
    elif end == "rst":
        return reset(peer)
    raw_close(peer)


SEEN = set()


def serve(name, peer, context):
    try:
        if context and FAULTS[name].get("tls") != "hello":
            peer.settimeout(8)
            peer = context.wrap_socket(peer, server_side=True, suppress_ragged_eofs=True)
            play(name, peer, True)
        else:
            if FAULTS[name]["end"] == "rst" and not FAULTS[name].get("read", True):
                return reset(peer)
            play(name, peer, False)
    except (OSError, ValueError) as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
    finally:
        peer.close()


def listen(name, port, context=None):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("0.0.0.0", port))
    server.listen(64)
    while True:
        peer, _ = server.accept()
        threading.Thread(target=serve, args=(name, peer, context), daemon=True).start()


def context(directory, name, version):
    it = FAULTS[name]
    kind = it.get("certificate", "good")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(f"{directory}/{kind}.pem", f"{directory}/{kind}.key")
    made.minimum_version = made.maximum_version = version
    if it.get("client_certificate"):
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(f"{directory}/ca.pem")
    return made


def main():
    if sys.argv[1:] == ["--list"]:
        for name, port in PORTS.items():
            print(name, port)
        return
    threading.stack_size(256 << 10)
    directory = sys.argv[1]
    for name, port in PORTS.items():
        threading.Thread(target=listen, args=(name, port), daemon=True).start()
        for add, version in (1000, ssl.TLSVersion.TLSv1_3), (2000, ssl.TLSVersion.TLSv1_2):
            made = context(directory, name, version)
            threading.Thread(target=listen, args=(name, port + add, made), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
