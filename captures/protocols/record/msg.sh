#!/bin/bash
# Records captures of mail, file transfer, remote login, messaging, name service and routing with real servers and clients.
#
#     msg.sh prepare            install the programs (Debian 12, as root)
#     msg.sh record [PATTERN]   record the scenarios whose name matches the pattern of the shell, then write the tables
#     msg.sh tables             write expected-msg.tsv and error-texts-msg.tsv from what was recorded
#
# Three network namespaces: the client 10.79.0.2, a router, and the server 10.79.0.1. The router forwards, until a scenario
# makes it forget a connection. Captures are taken on the client's side. Every server is started for its scenario alone
# and the texts that client and server print are kept in $WORK/runs. Scenarios are functions in msg/*.scenarios.sh,
# named protocol-what; msg/client.* run a few statements of a library and print the error as the library tells it.

set -u
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OUT=$(dirname "$HERE")
WORK=${WORK:-/var/tmp/record-msg}
NAME=${NAMESPACE:-recmsg}
MODULES=${MODULES:-$WORK/environment}
export NODE_PATH=$MODULES/node_modules
S=10.79.0.1
C=10.79.0.2

in_s() { ip netns exec "$NAME-s" "$@"; }
in_c() { ip netns exec "$NAME-c" timeout -k 1 25 "$@"; }
in_m() { ip netns exec "$NAME-m" "$@"; }

prepare() {
    apt-get install -y --no-install-recommends postfix dovecot-imapd dovecot-pop3d vsftpd openssh-server mosquitto \
        mosquitto-clients rabbitmq-server bind9 bind9-dnsutils bird2 xrdp samba smbclient rsync git swaks lftp curl sshpass \
        python3-paho-mqtt python3-pika python3-aiosmtpd python3-paramiko nodejs npm nftables tcpdump tshark ethtool openssl
    mkdir -p "$MODULES" && (cd "$MODULES" && npm install nodemailer mqtt amqplib)
}

certificate() {
    mkdir -p "$WORK/runs" && chmod 755 "$WORK"
    [ -e "$WORK/server.pem" ] && return
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=mail.example.net \
        -addext "subjectAltName=IP:$S" -keyout "$WORK/server.key" -out "$WORK/server.pem" 2>/dev/null
    chmod 644 "$WORK/server.key"
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/host"
    ssh-keygen -q -t ed25519 -N '' -f "$WORK/user"
}

network() {
    no_network
    for side in s m c; do
        ip netns add "$NAME-$side"
        ip -n "$NAME-$side" link set lo up
    done
    for side in s c; do
        ip -n "$NAME-m" link add "m$side" type veth peer name eth0 netns "$NAME-$side"
        address=$S
        [ $side = c ] && address=$C
        ip -n "$NAME-$side" address add $address/32 dev eth0
        ip -n "$NAME-$side" link set eth0 up
        ip -n "$NAME-m" address add 10.79.0.254/32 dev "m$side"
        ip -n "$NAME-m" link set "m$side" up
        ip -n "$NAME-m" route add $address dev "m$side"
        ip -n "$NAME-$side" route add 10.79.0.254 dev eth0 scope link
        ip -n "$NAME-$side" route add default via 10.79.0.254
        ip netns exec "$NAME-$side" ethtool -K eth0 tso off gso off gro off >/dev/null 2>&1
        ip netns exec "$NAME-$side" sysctl -qw net.ipv4.tcp_syn_retries=2 net.ipv4.tcp_retries2=4
    done
    in_m sysctl -qw net.ipv4.ip_forward=1
    mkdir -p "/etc/netns/$NAME-s" "/etc/netns/$NAME-c" # no names are looked up outside
    echo 'nameserver 127.0.0.1' | tee "/etc/netns/$NAME-s/resolv.conf" >"/etc/netns/$NAME-c/resolv.conf"
    printf '127.0.0.1 localhost %s\n10.79.0.1 server.example.net server\n10.79.0.2 client.example.net client\n' "$(hostname)" |
        tee "/etc/netns/$NAME-s/hosts" >"/etc/netns/$NAME-c/hosts"
}

no_network() {
    for side in s m c; do
        ip netns pids "$NAME-$side" 2>/dev/null | xargs -r kill -9 2>/dev/null
        ip netns del "$NAME-$side" 2>/dev/null
    done
    rm -rf "/etc/netns/$NAME-s" "/etc/netns/$NAME-c"
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

after() { # SECONDS COMMAND...: later, while the client runs
    local seconds=$1
    shift
    (sleep "$seconds" && "$@") &
}

serve() { # PORT COMMAND...: starts a server and waits until it listens; its output is the server's text
    local port=$1
    shift
    in_s "$@" >>"$RUN/server.txt" 2>&1 </dev/null &
    for _ in $(seq 300); do
        in_s ss -Htln "sport = :$port" | grep -q . && return
        sleep 0.1
    done
    echo "nothing listens on $port" >&2
}

begin() { # PROTOCOL SERVER-PROGRAM; the scenario's name is its function's
    SCENARIO=${FUNCNAME[1]} RUN=$WORK/runs/${FUNCNAME[1]} PROTOCOL=$1 PROGRAM=$2
    rm -rf "$RUN" && mkdir -p "$RUN" && chmod 777 "$RUN"
    : >"$RUN/server.txt" >"$RUN/expect" >"$RUN/texts"
}

watch() { # PORT: the capture begins, usually once the server is ready
    ip netns exec "$NAME-c" tcpdump -i eth0 -U --immediate-mode -Z root -w "$RUN/capture.pcap" "tcp or icmp" 2>"$RUN/tcpdump.txt" &
    TCPDUMP=$!
    until grep -q listening "$RUN/tcpdump.txt"; do sleep 0.05; done
}

client() { # PROGRAM COMMAND...
    CLIENT=$1
    shift
    in_c "$@" >"$RUN/client.out" 2>&1 </dev/null
    local code=$?
    [ "$CLIENT" = swaks ] && grep -aE '^(<\*\*|\*\*\*)' "$RUN/client.out" >"$RUN/errors" && mv "$RUN/errors" "$RUN/client.out"
    TEXT=$(grep -av '^[[:space:]]*$' "$RUN/client.out" | tail -${LINES_KEPT:-2} | LC_ALL=C tr -c '\n\40-\176' ' ' | paste -sd'~' | sed 's/ *~ */ ~ /g')
    [ $code = 0 ] || [ -n "$TEXT" ] || TEXT="(nothing; exit code $code)"
    printf '%s\t%s\n' "$CLIENT" "$TEXT" >>"$RUN/texts"
    cat "$RUN/client.out" >>"$RUN/client.txt"
}
py() { client "$1" /usr/bin/python3 "$HERE/msg/client.py" "$2"; }
js() { client "$1" node "$HERE/msg/client.js" "$2"; }

# What is true of the connections of a scenario, one call each in the order of their SYNs, after the client's run:
# who ended it first, how, where in the conversation, the outcome, and what a user must be told.
expect() { # WHO HOW WHERE OUTCOME SENTENCE
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$5" "$CLIENT" "${TEXT:--}" >>"$RUN/expect"
}

finish() { # [PATTERN of the line of the server's text that tells the fault]
    sleep 0.4
    kill "$TCPDUMP" && wait "$TCPDUMP"
    signal_server CONT
    signal_server KILL
    while [ -n "$(ip netns pids "$NAME-s")" ]; do sleep 0.05; done
    ip netns pids "$NAME-c" | xargs -r kill -9 2>/dev/null
    # What the client's kernel still repeats belongs to this scenario alone.
    for _ in $(seq 60); do
        in_c ss -Htn state fin-wait-1 state closing state last-ack | grep -q . || break
        sleep 0.2
    done
    remember
    local text
    text=$(grep -aE "${1:-^no such line$}" "$RUN/server.txt" | tail -1 | LC_ALL=C tr -c '\n\40-\176' ' ' | sed -E 's/ \[[0-9;]*m//g')
    printf '%s\t%s\t%s\t%s\n' "$SCENARIO" "$PROTOCOL" "$PROGRAM" "${text:--}" >"$RUN/about"
    echo "$SCENARIO: $(stat -c %s "$RUN/capture.pcap") bytes, $(tshark -r "$RUN/capture.pcap" -T fields -e tcp.stream 2>/dev/null | sort -u | grep -c .) connections, $(wc -l <"$RUN/expect") expected; ${TEXT:0:120}; server: ${text:0:120}"
}

tables() {
    local table=$OUT/expected-msg.tsv texts=$OUT/error-texts-msg.tsv run
    printf 'file\tconnection\tprotocol\twho\thow\twhere\toutcome\ttold\tclient program\tclient text\tserver program\tserver text\tcapture point\n' >"$table"
    printf 'side\tprogram\tversion\tprotocol\tfault\ttext\n' >"$texts"
    for run in "$WORK"/runs/*/; do
        [ -e "$run/about" ] || continue
        IFS=$'\t' read -r name protocol program text <"$run/about"
        cp "$run/capture.pcap" "$OUT/$name.pcap"
        python3 "$HERE/msg/tables.py" "$run" >>"$table"
        while IFS=$'\t' read -r client told; do
            [ -n "$told" ] && printf 'client\t%s\t%s\t%s\t%s\t%s\n' "$client" "$(version "$client")" "$protocol" "$name" "$told" >>"$texts"
        done <"$run/texts"
        [ "$text" = - ] || printf 'server\t%s\t%s\t%s\t%s\t%s\n' "$program" "$(version "$program")" "$protocol" "$name" "$text" >>"$texts"
    done
    LC_ALL=C tr -cd '\11\12\40-\176' <"$texts" >"$texts.new" && mv "$texts.new" "$texts"
}

version() {
    case $1 in
    smtplib | imaplib | poplib | ftplib | socket) echo "Python 3.11" ;;
    paramiko | paho | pika | aiosmtpd) dpkg-query -Wf '${Version}' "python3-$(echo "$1" | sed 's/paho/paho-mqtt/')" ;;
    nodemailer | mqtt.js | amqplib) grep -m1 -oP '"version": "\K[^"]+' "$NODE_PATH/$(echo "$1" | tr -d .| sed s/mqttjs/mqtt/)/package.json" ;;
    mosquitto_*) dpkg-query -Wf '${Version}' mosquitto-clients ;;
    ssh) dpkg-query -Wf '${Version}' openssh-client ;;
    sshd) dpkg-query -Wf '${Version}' openssh-server ;;
    dig) dpkg-query -Wf '${Version}' bind9-dnsutils ;;
    named) dpkg-query -Wf '${Version}' bind9 ;;
    dovecot) dpkg-query -Wf '${Version}' dovecot-core ;;
    rabbitmq) dpkg-query -Wf '${Version}' rabbitmq-server ;;
    bird) dpkg-query -Wf '${Version}' bird2 ;;
    smbd) dpkg-query -Wf '${Version}' samba ;;
    *) dpkg-query -Wf '${Version}' "$1" 2>/dev/null || echo - ;;
    esac
}

for file in "$HERE"/msg/*.scenarios.sh; do . "$file"; done
case ${1:-} in
prepare) prepare ;;
tables) tables ;;
record)
    certificate
    network
    trap no_network EXIT
    for scenario in $(declare -F | awk '{print $3}' | grep -E '^[a-z0-9]+-'); do
        # shellcheck disable=SC2053
        [[ $scenario == ${2:-*} ]] && "$scenario"
    done
    [ -n "${NO_TABLES:-}" ] || tables
    ;;
*) sed -n '2,7p' "$0" ;;
esac
