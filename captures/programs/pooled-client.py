#!/usr/bin/env python3
"""A client that keeps a connection in its pool and uses it again, too late.

    pooled-client.py ADDRESS PORT reuse SECONDS     waits so long after an answer, then asks again
    pooled-client.py ADDRESS PORT close SECONDS     waits so long after an answer, then closes
    pooled-client.py ADDRESS PORT race SECONDS      measures the server's idle timeout on a first connection,
                                                    then asks again on a second one so much before the FIN would arrive
"""

import http.client
import sys
import time


def ask(connection):
    connection.request("GET", "/hello")
    connection.getresponse().read()
    return time.monotonic()


def ask_again(connection):
    try:
        ask(connection)
        print("answered")
    except (OSError, http.client.HTTPException) as error:
        print(f"{type(error).__name__}: {error}")


def connect(address, port):
    connection = http.client.HTTPConnection(address, port)
    connection.auto_open = False
    connection.connect()
    return connection


def main():
    address, port, what, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
    connection = connect(address, port)
    answered = ask(connection)
    if what == "race":
        connection.sock.recv(1)
        idle = time.monotonic() - answered
        connection.close()
        print(f"the server closes after {idle:.3f} s")
        connection = connect(address, port)
        answered = ask(connection)
        seconds = idle - seconds
    time.sleep(max(0.0, answered + seconds - time.monotonic()))
    if what != "close":
        ask_again(connection)
    connection.close()


main()
