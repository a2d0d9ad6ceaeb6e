#!/usr/bin/env python3
"""A gRPC server: grpc-server.py ADDRESS PORT [CERTIFICATE KEY] [OPTION=VALUE...]. SIGTERM stops it with 1 s of grace."""

import signal
import sys
import time
from concurrent import futures

import grpc


def get(request, context):
    yield b"order " + request


def slow(request, context):
    time.sleep(float(request or b"20"))
    yield b"late"


def rows(request, context):
    for number in range(60):
        time.sleep(0.05)
        yield b"row %d " % number * 10


def missing(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no such order")
    yield b""


def main():
    address, port, *rest = sys.argv[1:]
    options = [(name, int(value)) for name, _, value in (word.partition("=") for word in rest if "=" in word)]
    files = [word for word in rest if "=" not in word]
    server = grpc.server(futures.ThreadPoolExecutor(4), options=options)
    methods = {"Get": get, "Slow": slow, "Rows": rows, "Missing": missing}
    handlers = {name: grpc.unary_stream_rpc_method_handler(method) for name, method in methods.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Orders", handlers),))
    if files:
        certificate, key = (open(name, "rb").read() for name in files)
        server.add_secure_port(f"{address}:{port}", grpc.ssl_server_credentials([(key, certificate)]))
    else:
        server.add_insecure_port(f"{address}:{port}")
    signal.signal(signal.SIGTERM, lambda *_: server.stop(1))
    server.start()
    print("serving", flush=True)
    server.wait_for_termination()


main()
