"""Runs a few statements of a client library and prints the error as the library tells it."""
import os, sys, time, socket, ssl, struct, threading, logging
import smtplib, imaplib, poplib, ftplib

H = "10.79.0.1"
TLS = ssl._create_unverified_context()


def wait(seconds):
    time.sleep(seconds)


def leave():
    "Ends the process: the kernel closes its sockets."
    sys.stdout.flush()
    os._exit(0)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(sock.detach())


def raw(port, *sent, seconds=4, tls=False):
    "Sends each text after something was received (None: without waiting), and prints what comes until the end."
    sock = socket.create_connection((H, port), seconds)
    if tls:
        sock = TLS.wrap_socket(sock)
    for text in sent:
        sock.sendall(text.encode("latin-1") if isinstance(text, str) else text)
        print(sock.recv(2000))
    while data := sock.recv(2000):
        print(data)
    print("end of stream")
    return sock


def paho(**options):
    import paho.mqtt.client as m
    version = options.pop("protocol", m.MQTTv311)
    c = m.Client(options.pop("client_id", "sensor-1"), protocol=version)
    c.on_connect = lambda c, u, f, rc, *p: print("connect:", m.connack_string(rc) if isinstance(rc, int) else rc)
    c.on_disconnect = lambda c, u, rc, *p: print("disconnect: rc=%s" % rc, m.error_string(rc) if isinstance(rc, int) else rc)
    c.connect(H, options.pop("port", 1883), **options)
    return c


def pika(**options):
    import pika as p
    c = p.BlockingConnection(p.ConnectionParameters(H, **options))
    return c


try:
    exec(sys.argv[1])
except BaseException as e:
    print("%s: %s" % (type(e).__name__, e if str(e) else repr(e)))
sys.stdout.flush()
os._exit(0)
