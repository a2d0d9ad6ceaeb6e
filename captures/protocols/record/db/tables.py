#!/usr/bin/env python3
"""Writes the tables of what was recorded: tables.py RUNS FOLDER

Copies the captures of RUNS to FOLDER and writes expected-db.tsv and error-texts-db.tsv there. What the scenarios
declare is compared with the segments of the capture (who sent the first FIN or RST); differences are printed, and
the segments decide.
Rows of scenarios that are not in RUNS are kept.
"""

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

VERSIONS = {
    "psql": "15.18", "psycopg2": "2.9.13", "psycopg3": "3.3.9", "asyncpg": "0.32.0", "pgjdbc": "42.5.5", "pgx": "4.15.0",
    "go-pq": "1.10.7", "pg": "8.23.1", "mysql": "MariaDB 10.11.19", "pymysql": "1.2.4", "mysqlclient": "2.3.2",
    "mysql-connector": "26.10.0", "mysql2": "3.24.6", "mariadb-jdbc": "2.7.6", "go-mysql": "1.5.0", "redis-cli": "7.0.15",
    "redis-py": "8.1.0", "redis": "6.3.1", "ioredis": "6.0.0", "pymemcache": "4.0.0", "ldapsearch": "OpenLDAP 2.5.13",
    "ldap3": "2.9.1", "curl": "7.88.1", "requests": "2.34.2", "httpx": "0.28.1", "https": "Node 20.20.2",
    "fetch": "Node 20.20.2", "java": "17.0.15", "go": "1.19.8", "grpc-python": "1.85.3", "grpc-js": "1.14.7",
    "kafka-python": "3.0.12", "kazoo": "2.11.0", "pymongo": "4.20.1", "mongodb": "7.9.0", "kcat": "1.7.1", "bash": "5.2", "nc": "bash 5.2",
}
NAMES = {
    "psycopg3": "psycopg 3", "pg": "node-postgres (pg)", "mysql": "mariadb (command line)", "pymysql": "PyMySQL", "redis": "node-redis",
    "mysql-connector": "mysql-connector-python", "mariadb-jdbc": "MariaDB Connector/J", "go-mysql": "go-sql-driver/mysql",
    "go-pq": "lib/pq", "https": "Node https", "fetch": "Node fetch", "java": "java.net.http", "go": "Go net/http",
    "nc": "bash", "grpc-python": "grpcio", "grpc-js": "@grpc/grpc-js", "pgjdbc": "PgJDBC", "pymongo": "PyMongo", "mongodb": "MongoDB Node.js driver",
}
# Lines of servers' logs that do not speak of the connection.
NOISE = re.compile(
    r"^\s*$|database system|checkpoint|starting PostgreSQL|listening on|redo |logical replication|background worker|reinitializ"
    r"|InnoDB|Plugin|mariadbd: ready|^Version:|PAUSE|Server socket|Starting MariaDB|Master_info|Recovering|Crash|DEBUG|"
    r"Ready to accept|oO0|Running mode|monotonic|Configuration loaded|clients connected|slapd starting|WARNING Memory|WARNING: |"
    r"NOTICE: (fpm is|ready|using|reloading)|getrlimit|epoll|nginx/|built by|OS: |start worker|exiting|gracefully|signal process|"
    r"Warning: using insecure|Port: 6379|PID: |^\s*[`.'_-]|@\(#\)|slapd shutdown|slapd stopped|MY-|using the|Buffer pool|serving|^\s+\S{0,2}$"
)


def text(path, noise=None):
    """The lines of a log in one, as they are."""
    if not path.exists():
        return ""
    lines = path.read_text(errors="replace").replace("\t", " ").splitlines()
    kept = []
    for line in lines:
        line = line.strip()
        if not line or line.startswith("answer: ") or (noise and noise.search(line)) or line in kept:
            continue
        kept.append(line.removeprefix("error: "))
    return " | ".join(kept)


def flat(words, limit=600):
    words = words.strip()
    return words if len(words) <= limit else words[: limit - 1] + "…"


def connections(capture):
    """For each connection: the client's port, and (who, how) of the first FIN or RST."""
    found = {}
    listing = subprocess.run(["tcpdump", "-nr", capture, "tcp"], capture_output=True, text=True).stdout
    for line in listing.splitlines():
        segment = re.search(r"IP (\S+)\.(\d+) > \S+\.(\d+): Flags \[(\S+)\]", line)
        if not segment:
            continue
        source, sport, dport, flags = segment.groups()
        client = source == "10.78.0.2"
        port = sport if client else dport
        record = found.setdefault(port, {"port": port, "end": None, "accepted": False})
        if "S" in flags and not client:
            record["accepted"] = True
        if record["end"] is None and ("F" in flags or "R" in flags):
            how = "rst" if "R" in flags else "fin"
            if not client and how == "rst" and not record["accepted"]:
                how = "refused"
            record["end"] = ("client" if client else "server", how)
    return list(found.values())


def main():
    runs, folder = Path(sys.argv[1]), Path(sys.argv[2])
    expected_rows, text_rows = {}, {}
    for name, rows, key in (("expected-db.tsv", expected_rows, 0), ("error-texts-db.tsv", text_rows, None)):
        path = folder / name
        if path.exists():
            for line in path.read_text().splitlines()[1:]:
                cells = line.split("\t")
                owner = cells[0].removesuffix(".pcap") if key == 0 else cells[-1]
                rows.setdefault(owner, []).append(cells)
    folders = sorted(runs.iterdir())
    with ThreadPoolExecutor(3) as workers:
        all_seen = list(workers.map(lambda run: connections(str(run / "capture.pcap")), folders))
    for run, seen in zip(folders, all_seen):
        if not (run / "expect").exists() or not (run / "about").exists():
            continue
        name, protocol, port, server, point = (run / "about").read_text().rstrip("\n").split("\t")
        program = (run / "program").read_text().strip() if (run / "program").exists() else ""
        client = NAMES.get(program, program)
        version = VERSIONS.get(program, "")
        client_text, server_text = text(run / "client.txt"), text(run / "server.txt", NOISE)
        truths = [line.split("\t") for line in (run / "expect").read_text().splitlines()]
        if len(seen) != len(truths):
            print(f"{name}: {len(seen)} connections, {len(truths)} declared: {[(s['port'], s['end']) for s in seen]}")
        truths += truths[-1:] * (len(seen) - len(truths))
        rows = []
        for record, truth in zip(seen, truths):
            who, how, where, outcome, sentence = truth
            end = record["end"]
            if not record["accepted"] and how != "refused":
                box = who == "middlebox"
                who, where, outcome = ("middlebox" if box else "server" if end else "nobody"), "connecting", "failed"
                how, sentence = ("refused", "A device between refused the new connection." if box else "Nothing listens on this port any more.") if end else ("silence", "No answer came to the SYNs.")
            declared = ("server", how) if who == "middlebox" else (None if how in ("silence", "open") else (who, how))
            if end != declared and not (declared is None and end and end[0] == "client"):
                # Which side's FIN or RST is the first depends on the client program; the segments decide.
                print(f"{name}: declared {who} {how}, the capture shows {end}")
                if end and who != "middlebox":
                    who, how = end
            rows.append([f"{name}.pcap", record["port"], protocol, who, how, where, outcome, sentence,
                         f"{client} {version}".strip(), flat(client_text), server, flat(server_text), "client" if point == "c" else "server"])
        expected_rows[name] = rows
        fault = name.removesuffix(f"-{program}")
        texts = []
        if client_text:
            texts.append(["client", client, version, protocol, fault, flat(client_text, 1200), name])
        if server_text:
            words = server.rsplit(" ", 1)
            texts.append(["server", words[0], words[-1] if len(words) > 1 else "", protocol, fault, flat(server_text, 1200), name])
        text_rows[name] = texts
        shutil.copyfile(run / "capture.pcap", folder / f"{name}.pcap")
    write(folder / "expected-db.tsv", "file connection protocol who how where outcome sentence client_program client_text server_program server_text capture_point", expected_rows)
    write(folder / "error-texts-db.tsv", "side program version protocol fault text capture", text_rows)


def write(path, head, rows):
    lines = ["\t".join(head.split())] + ["\t".join(cells) for name in sorted(rows) for cells in rows[name]]
    path.write_text("\n".join(lines) + "\n")


main()
