#!/usr/bin/env python3
"""Writes what programs send to a syslog socket as rsyslog does by default: syslog-lines.py SOCKET FILE HOST"""

import os
import re
import socket
import sys

at, file, host = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(at)
os.chmod(at, 0o777)
with open(file, "a", buffering=1) as out:
    while True:
        line = listener.recv(65535).decode("utf-8", "replace").rstrip("\n\0")
        out.write(re.sub(r"^<\d+>(\w{3} [ \d]\d [\d:]{8}) ", rf"\1 {host} ", line) + "\n")
