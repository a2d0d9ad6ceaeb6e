#!/usr/bin/env python3
"""A stand-in for a MongoDB server, with MongoDB's own mockupdb: mongodb-stand-in.py PORT

It speaks as a standalone server of wire version 21. A command on the collection `slow` has no answer, one on `broken`
is answered by an error, `cut` has half of its answer (then the process ends), all others have an answer at once.
"""

import os
import sys
import time

import bson
from mockupdb import MockupDB

server = MockupDB(request_timeout=3600)
# It would listen on the loopback interface only.
server._address = ("10.78.0.1", int(sys.argv[1]))
server.run()
HELLO = {
    "ok": 1, "helloOk": True, "ismaster": True, "isWritablePrimary": True, "minWireVersion": 0, "maxWireVersion": 21,
    "maxBsonObjectSize": 16777216, "maxMessageSizeBytes": 48000000, "maxWriteBatchSize": 100000, "readOnly": False,
}


def answer(request):
    command = next(iter(request.doc))
    target = request.doc[command]
    if command.lower() in ("ismaster", "hello"):
        return request.ok(HELLO)
    if target == "slow":
        return None
    if target == "broken":
        return request.command_err(11600, "interrupted at shutdown", codeName="InterruptedAtShutdown")
    if target == "cut":
        body = bson.BSON.encode({"ok": 1, "text": "x" * 4000})
        head = (16 + 5 + len(body)).to_bytes(4, "little") + (7).to_bytes(4, "little")
        head += request.request_id.to_bytes(4, "little") + (2013).to_bytes(4, "little")
        request._client.sendall(head + bytes(5) + body[:2000])
        time.sleep(0.2)
        os._exit(1)
    if command == "find":
        return request.ok(cursor={"id": bson.Int64(0), "ns": "app.a", "firstBatch": [{"_id": 1}]})
    if command == "insert":
        return request.ok(n=1)
    return request.ok()


while True:
    request = server.receives(timeout=3600)
    answer(request)
