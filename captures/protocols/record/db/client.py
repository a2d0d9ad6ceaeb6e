#!/usr/bin/env python3
"""One session of a Python client with a server, step by step.

    client.py DRIVER STEP...

A step is a query in the protocol's own words, `@sleep SECONDS`, `@close` (an orderly goodbye) or `@leave` (the
process ends without one). HOST, PORT, USER, PASSWORD, TIMEOUT (seconds) and TLS (a mode) are read from the environment.
The first error ends the session; it is printed as an application would log it.
"""

import os
import ssl
import sys
import time

HOST = os.environ.get("HOST", "10.78.0.1")
PORT = int(os.environ.get("PORT", "0"))
USER = os.environ.get("DBUSER", "app")
PASSWORD = os.environ.get("PASSWORD", "secret")
TIMEOUT = float(os.environ["TIMEOUT"]) if os.environ.get("TIMEOUT") else None
TLS = os.environ.get("TLS", "")
CA = os.environ.get("CA", "")


class Psycopg2:
    def __init__(self):
        import psycopg2

        options = {"connect_timeout": int(TIMEOUT)} if TIMEOUT else {}
        if os.environ.get("USER_TIMEOUT"):
            options["tcp_user_timeout"] = int(os.environ["USER_TIMEOUT"])
        self.connection = psycopg2.connect(
            host=HOST, port=PORT or 5432, user=USER, password=PASSWORD, dbname="app", sslmode=TLS or "disable", **options
        )
        self.connection.autocommit = True

    def query(self, text):
        cursor = self.connection.cursor()
        cursor.execute(text)
        return len(cursor.fetchall()) if cursor.description else 0

    def close(self):
        self.connection.close()


class Psycopg3(Psycopg2):
    def __init__(self):
        import psycopg

        options = {"connect_timeout": int(TIMEOUT)} if TIMEOUT else {}
        self.connection = psycopg.connect(
            host=HOST, port=PORT or 5432, user=USER, password=PASSWORD, dbname="app", sslmode=TLS or "disable",
            autocommit=True, **options
        )


class Asyncpg:
    def __init__(self):
        import asyncio

        import asyncpg

        self.loop = asyncio.new_event_loop()
        self.connection = self.loop.run_until_complete(
            asyncpg.connect(
                host=HOST, port=PORT or 5432, user=USER, password=PASSWORD, database="app", ssl=TLS or False,
                timeout=TIMEOUT or 60, command_timeout=TIMEOUT,
            )
        )

    def query(self, text):
        return len(self.loop.run_until_complete(self.connection.fetch(text)))

    def close(self):
        self.loop.run_until_complete(self.connection.close())


class Pymysql(Psycopg2):
    def __init__(self):
        import pymysql

        options = {"read_timeout": TIMEOUT, "connect_timeout": TIMEOUT} if TIMEOUT else {}
        if TLS:
            options["ssl"] = {"ca": CA} if CA else {"check_hostname": False, "verify_mode": "none"}
        self.connection = pymysql.connect(
            host=HOST, port=PORT or 3306, user=USER, password=PASSWORD, database="app", autocommit=True, **options
        )


class Mysqlclient(Psycopg2):
    def __init__(self):
        import MySQLdb

        options = {"read_timeout": int(TIMEOUT), "connect_timeout": int(TIMEOUT)} if TIMEOUT else {}
        self.connection = MySQLdb.connect(
            host=HOST, port=PORT or 3306, user=USER, password=PASSWORD, database="app", autocommit=True, **options
        )


class MysqlConnector(Psycopg2):
    def __init__(self):
        import mysql.connector

        options = {"read_timeout": int(TIMEOUT), "connection_timeout": int(TIMEOUT)} if TIMEOUT else {}
        self.connection = mysql.connector.connect(
            host=HOST, port=PORT or 3306, user=USER, password=PASSWORD, database="app", autocommit=True,
            ssl_disabled=not TLS, use_pure=True, charset="utf8mb4", collation="utf8mb4_general_ci", **options
        )


class RedisPy:
    def __init__(self):
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self.client = redis.Redis(
            host=HOST, port=PORT or 6379, password=os.environ.get("PASSWORD") or None, socket_timeout=TIMEOUT,
            ssl=bool(TLS), ssl_cert_reqs="none" if TLS == "require" else "required", ssl_ca_certs=CA or None,
            single_connection_client=True, retry=Retry(NoBackoff(), 0), protocol=2,
        )

    def query(self, text):
        words = [os.environ["VALUE"] if word == "$VALUE" else word for word in text.split()]
        return self.client.execute_command(*words)

    def close(self):
        self.client.close()


class Pymemcache:
    def __init__(self):
        from pymemcache.client.base import Client

        self.client = Client((HOST, PORT or 11211), timeout=TIMEOUT, connect_timeout=TIMEOUT or 5)

    def query(self, text):
        words = text.split()
        if words[0] == "set":
            return self.client.set(words[1], os.environ["VALUE"] if words[2] == "$VALUE" else words[2], noreply=False)
        return self.client.get(words[1])

    def close(self):
        self.client.quit() if os.environ.get("QUIT") else self.client.close()


class Ldap3:
    def __init__(self):
        import ldap3

        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=CA or None) if TLS else None
        server = ldap3.Server(HOST, port=PORT or (636 if TLS == "ldaps" else 389), use_ssl=TLS == "ldaps", tls=tls, get_info="NO_INFO", connect_timeout=TIMEOUT)
        self.connection = ldap3.Connection(
            server, "cn=admin,dc=example,dc=net", PASSWORD, raise_exceptions=True, receive_timeout=TIMEOUT and int(TIMEOUT)
        )
        self.connection.open()
        if TLS == "starttls":
            self.connection.start_tls()
        self.connection.bind()

    def query(self, text):
        self.connection.search("dc=example,dc=net", text)
        return len(self.connection.entries)

    def close(self):
        self.connection.unbind()


class KafkaPython:
    def __init__(self):
        from kafka import KafkaProducer

        wait = int((TIMEOUT or 5) * 1000)
        self.producer = KafkaProducer(
            bootstrap_servers=f"{HOST}:{PORT or 9092}", request_timeout_ms=wait, max_block_ms=wait, retries=0,
            delivery_timeout_ms=wait + 1000, linger_ms=0,
        )

    def query(self, text):
        return self.producer.send("orders", text.encode()).get(timeout=TIMEOUT or 5)

    def close(self):
        self.producer.close(timeout=1)


class Kazoo:
    """A query is the path of a node, which is created and read."""

    def __init__(self):
        from kazoo.client import KazooClient
        from kazoo.retry import KazooRetry

        once = KazooRetry(max_tries=0)
        self.client = KazooClient(f"{HOST}:{PORT or 2181}", timeout=TIMEOUT or 4, connection_retry=once, command_retry=once)
        self.client.start(timeout=TIMEOUT or 5)

    def query(self, text):
        self.client.create(text, b"1")
        return self.client.get(text)[0]

    def close(self):
        self.client.stop()
        self.client.close()


class PyMongo:
    """A query is `COMMAND COLLECTION`."""

    def __init__(self):
        import pymongo

        wait = TIMEOUT and int(TIMEOUT * 1000)
        self.client = pymongo.MongoClient(
            HOST, PORT or 27017, directConnection=True, retryReads=False, retryWrites=False, socketTimeoutMS=wait,
            serverSelectionTimeoutMS=wait or 3000,
        )

    def query(self, text):
        command, collection = text.split()
        more = {"documents": [{"_id": 1}]} if command == "insert" else {}
        return self.client.app.command(command, collection, **more)["ok"]

    def close(self):
        self.client.close()


class Requests:
    def __init__(self):
        import requests

        self.session = requests.Session()
        self.session.verify = CA or TLS != "insecure"
        if os.environ.get("CERT"):
            self.session.cert = tuple(os.environ["CERT"].split(","))
        self.scheme = os.environ.get("SCHEME", "https")

    def query(self, text):
        return self.session.get(f"{self.scheme}://{HOST}:{PORT or 443}{text}", timeout=TIMEOUT, verify=self.session.verify).status_code

    def close(self):
        self.session.close()


class Httpx(Requests):
    def __init__(self):
        import httpx

        verify = ssl.create_default_context(cafile=CA) if CA else TLS != "insecure"
        self.client = httpx.Client(verify=verify, timeout=TIMEOUT)
        self.scheme = os.environ.get("SCHEME", "https")

    def query(self, text):
        return self.client.get(f"{self.scheme}://{HOST}:{PORT or 443}{text}").status_code

    def close(self):
        self.client.close()


class Grpc:
    """A query is `METHOD TEXT`; the methods are those of grpc-server.py."""

    def __init__(self):
        import grpc

        target = f"{HOST}:{PORT or 50051}"
        options = [("grpc.enable_retries", 0)]
        if os.environ.get("KEEPALIVE"):
            options += [("grpc.keepalive_time_ms", 1000), ("grpc.keepalive_timeout_ms", 1500), ("grpc.keepalive_permit_without_calls", 1)]
        if TLS == "off":
            self.channel = grpc.insecure_channel(target, options)
        else:
            roots = open(CA, "rb").read() if CA else None
            self.channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(roots), options)

    def query(self, text):
        method, _, words = text.partition(" ")
        call = self.channel.unary_stream(f"/shop.Orders/{method}")
        return b" ".join(call(words.encode(), timeout=TIMEOUT))

    def close(self):
        self.channel.close()


DRIVERS = {
    "psycopg2": Psycopg2, "psycopg3": Psycopg3, "asyncpg": Asyncpg,
    "pymysql": Pymysql, "mysqlclient": Mysqlclient, "mysql-connector": MysqlConnector,
    "redis-py": RedisPy, "pymemcache": Pymemcache, "ldap3": Ldap3, "kafka-python": KafkaPython, "kazoo": Kazoo, "pymongo": PyMongo,
    "requests": Requests, "httpx": Httpx, "grpc-python": Grpc,
}


def main():
    session = None
    try:
        session = DRIVERS[sys.argv[1]]()
        for step in sys.argv[2:]:
            if step.startswith("@sleep"):
                time.sleep(float(step.split()[1]))
            elif step == "@close":
                session.close()
            elif step == "@leave":
                sys.stdout.flush()
                os._exit(0)
            else:
                print("answer:", session.query(step), flush=True)
    except Exception as error:
        kind = f"{type(error).__module__}.{type(error).__name__}".removeprefix("builtins.")
        print(f"error: {kind}: {error}", flush=True)
        sys.stdout.flush()
        os._exit(1)


main()
