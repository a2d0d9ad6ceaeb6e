#!/usr/bin/env python3
"""Asks a proxy twice on one connection, the second time a set time after the first response.

    crossing-client.py ADDRESS PATH METHOD SECOND_PATH SECONDS

Prints what curl would with `-w '%{json}'`, as far as the recorder of `captures/legs` reads it.
"""

import http.client
import json
import sys
import time


def ask(connection, method, path):
    connection.request(method, path, headers={"Host": "shop.example"}, body=b"order=1" if method == "POST" else None)
    response = connection.getresponse()
    response.read()
    address, port = connection.sock.getpeername()
    print(json.dumps({"url": f"http://shop.example{path}", "local_port": connection.sock.getsockname()[1], "remote_ip": address,
                      "remote_port": port, "http_code": response.status, "exitcode": 0}))


address, path, method, second_path, seconds = sys.argv[1:]
proxy = http.client.HTTPConnection(address, 80)
ask(proxy, "GET", path)
answered = time.monotonic()
time.sleep(answered + float(seconds) - time.monotonic())
ask(proxy, method, second_path)
proxy.close()
