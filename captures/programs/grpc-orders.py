#!/usr/bin/env python3
"""gRPC, both sides, without generated code: messages are plain bytes. Debian's python3-grpcio.

    grpc-orders.py serve ADDRESS PORT      answers the method Find of shop.Orders
    grpc-orders.py ask ADDRESS PORT        finds one order, misses another, waits in vain for a third

An order called "missing" is not there: the call fails with the status NOT_FOUND, in trailers. One called "slow" takes three
seconds, and the client waits for one (`grpc-timeout`).
"""

import sys
import time
from concurrent import futures

import grpc

METHOD = "/shop.Orders/Find"


def find(order, call):
    if order == b"missing":
        call.abort(grpc.StatusCode.NOT_FOUND, "no such order")
    if order == b"slow":
        time.sleep(3)
    return b"order " + order


class Orders(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(find) if details.method == METHOD else None


def serve(where):
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((Orders(),))
    server.add_insecure_port(where)
    server.start()
    server.wait_for_termination()


def ask(where):
    with grpc.insecure_channel(where) as channel:
        for order in b"1001", b"missing", b"slow":
            try:
                print(channel.unary_unary(METHOD)(order, timeout=1))
            except grpc.RpcError as error:
                print(error.code(), error.details())


what, address, port = sys.argv[1:]
{"serve": serve, "ask": ask}[what](f"{address}:{port}")
