# HTTPS and gRPC inside TLS, without keys.

https_begin() { # NAME [SERVER-SETTINGS] [CERTIFICATE]
    local data=$WORK/https
    SERVER_LOG=$WORK/https.log
    rm -rf "$data" && mkdir -p "$data/www" && chmod 755 "$data" "$data/www"
    echo hello >"$data/www/hello"
    head -c 60000 /dev/zero | tr '\0' x >"$data/www/big"
    cat >"$data/nginx.conf" <<CONFIGURATION
daemon off;
worker_processes 1;
pid $data/nginx.pid;
error_log $SERVER_LOG info;
events {}
http {
    access_log off;
    server {
        listen $SERVER:443 ssl;
        ssl_certificate $WORK/tls/${3:-server}.pem;
        ssl_certificate_key $WORK/tls/${3:-server}.key;
        root $data/www;
        location /slow { proxy_pass http://127.0.0.1:8081; }
        location /big { limit_rate 4k; }
        ${2:-}
    }
    server { listen $SERVER:80; root $data/www; }
}
CONFIGURATION
    : >"$SERVER_LOG"
    in_s nginx -c "$data/nginx.conf" >/dev/null 2>&1 &
    in_s timeout 60 /usr/bin/python3 -c '
import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 8081)); s.listen(5); k = []
while True: k.append(s.accept())' &
    listening 443
    listening 8081
    begin "$1" HTTPS 443 "nginx 1.22.1"
}
curl_options() { OPTIONS="--http1.1 ${1:+--cacert $1} ${TIMEOUT:+--max-time $TIMEOUT}"; }
https_session() { # PROGRAM STEP...: with the server's certificate trusted, unless CA is set
    local CA=${CA-$WORK/tls/server.pem} OPTIONS=""
    if [ "$1" = curl ]; then
        curl_options "$CA"
        local last=${*: -1}
        [ "$last" = @close ] && last=${*: -2:1}
        CA=$CA session curl "${SCHEME:-https}://$SERVER:${PORT:-443}$last"
    else
        (export CA NODE_EXTRA_CA_CERTS=$CA && session "$@")
    fi
}

https-orderly() {
    https_begin https-orderly-$1
    https_session $1 /hello @close
    finish
    expect client fin idle unknown "Orderly TLS; the client closed after application data, whose meaning is not visible without keys."
}
https-untrusted() {
    https_begin https-untrusted-$1
    CA=$WORK/tls/other.pem https_session $1 /hello @close
    finish
    expect client "${2:-fin}" "before first word" failed "The client did not accept the server's certificate."
}
https-wrong-name() {
    https_begin https-wrong-name-$1 "" other
    CA=$WORK/tls/other.pem https_session $1 /hello @close
    finish
    expect client "${2:-fin}" "before first word" failed "The client did not accept the server's certificate (it names another host)."
}
https-killed-waiting() {
    https_begin https-killed-waiting-$1
    https_session $1 /slow @close & local c=$!
    sleep 2.5
    signal_server KILL
    wait $c
    finish
    expect server fin "waiting for an answer" failed "The server closed without a TLS close_notify while the client waited."
}
https-killed-mid-answer() {
    https_begin https-killed-mid-answer-$1
    https_session $1 /big @close & local c=$!
    sleep 3
    signal_server KILL
    wait $c
    finish
    expect server "${2:-fin}" mid-answer failed "The server closed without a TLS close_notify while it was sending."
}
https-keepalive-timeout() {
    https_begin https-keepalive-timeout-$1 "keepalive_timeout 1;"
    https_session $1 /hello "@sleep 3" /hello @close
    finish
    expect server fin idle fine "The server closed the idle connection (with close_notify); the client opened another one."
    expect client fin idle unknown "Orderly TLS; the client closed after application data."
}
https-client-timeout() {
    https_begin https-client-timeout-$1
    TIMEOUT=2 https_session $1 /slow @close
    finish
    expect client fin "waiting for an answer" failed "The client gave up after 2 s without an answer and closed."
}
https-to-plain() {
    https_begin https-to-plain-$1
    PORT=80 https_session $1 /hello @close
    finish
    expect "${2:-server}" "${3:-fin}" "before first word" failed "The client began TLS with a port that speaks plain HTTP."
}
https-plain-to-tls() {
    https_begin https-plain-to-tls-$1
    SCHEME=http https_session $1 /hello @close
    finish
    expect server fin "after goodbye" fine "The client spoke plain HTTP to a port of TLS; the server answered 400 and closed."
}
https-old-version() {
    https_begin https-old-version-$1 "ssl_protocols TLSv1.2;"
    OPTIONS="--tlsv1.3 --cacert $WORK/tls/server.pem" session curl https://$SERVER/hello
    finish
    expect client fin "before first word" failed "The client and the server have no version of TLS in common."
}
https-client-certificate() {
    https_begin https-client-certificate-$1 "ssl_verify_client on; ssl_client_certificate $WORK/tls/server.pem;"
    https_session $1 /hello @close
    finish
    expect server fin unknown unknown "Orderly TLS; without keys the answer (400, no client certificate) is not visible."
}
https-stopped() {
    https_begin https-stopped-$1
    signal_server STOP
    TIMEOUT=3 https_session $1 /hello @close
    finish
    expect client fin "before first word" failed "The server's host took the ClientHello and the server never answered; the client gave up after 3 s."
}
https-forgotten-rst() {
    https_begin https-forgotten-rst-$1
    https_session $1 /hello "@sleep 2" /hello @close & local c=$!
    answered 0.5
    forget rst 443
    wait $c
    finish
    expect middlebox rst "waiting for an answer" unknown "A device between reset the idle connection when the client used it again."
}
https-refused() {
    SERVER_LOG=
    begin https-refused-$1 HTTPS 443 none
    https_session $1 /hello @close
    finish
    expect server refused connecting failed "Nothing listens on port 443."
}

grpc_begin() { # NAME [OPTION=VALUE...]
    local name=$1
    shift
    SERVER_LOG=$WORK/grpc.log
    : >"$SERVER_LOG"
    in_s "$PYTHON" "$HERE/db/grpc-server.py" $SERVER 50051 ${PLAIN:-"$WORK/tls/server.pem" "$WORK/tls/server.key"} "$@" >"$SERVER_LOG" 2>&1 &
    listening 50051
    begin "$name" gRPC 50051 "grpcio 1.85.3"
}
grpc_session() { (export CA=${CA-$WORK/tls/server.pem} && session "$@"); }
grpc-orderly() {
    grpc_begin grpc-orderly-$1
    grpc_session $1 "Get 1" @close
    finish
    expect client fin idle unknown "Orderly TLS (HTTP/2 by ALPN); the client closed after application data."
}
grpc-missing() {
    grpc_begin grpc-missing-$1
    grpc_session $1 "Missing 1" @close
    finish
    expect client fin idle unknown "Orderly TLS (HTTP/2 by ALPN); the call failed with a status inside TLS, which is not visible without keys."
}
grpc-killed-in-call() {
    grpc_begin grpc-killed-in-call-$1
    grpc_session $1 "Get 1" "Slow 20" @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin "waiting for an answer" failed "The server closed without a TLS close_notify while the client waited."
}
grpc-killed-mid-answer() {
    grpc_begin grpc-killed-mid-answer-$1
    grpc_session $1 "Get 1" "Rows" @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin mid-answer failed "The server closed without a TLS close_notify while it was sending."
}
grpc-stopping() {
    grpc_begin grpc-stopping-$1
    grpc_session $1 "Get 1" "Slow 20" @close & local c=$!
    answered
    signal_server TERM
    wait $c
    finish
    expect server fin "waiting for an answer" failed "The server stopped while the client waited for an answer."
}
grpc-deadline() {
    grpc_begin grpc-deadline-$1
    TIMEOUT=2 grpc_session $1 "Slow 6" @close
    finish
    expect client fin idle unknown "The client's deadline passed and the client closed; the cancelled call is inside TLS."
}
grpc-max-age() {
    grpc_begin grpc-max-age-$1 grpc.max_connection_age_ms=1500 grpc.max_connection_age_grace_ms=1000
    grpc_session $1 "Get 1" "Slow 20" @close
    finish
    expect server fin "waiting for an answer" failed "The server's max_connection_age closed the connection while a call was running."
}
grpc-max-idle() {
    grpc_begin grpc-max-idle-$1 grpc.max_connection_idle_ms=1000
    grpc_session $1 "Get 1" "@sleep 3" "Get 2" @close
    finish
    expect server fin idle fine "The server closed the idle connection; the client opened another one."
    expect client fin idle unknown "Orderly TLS (HTTP/2 by ALPN); the client closed after application data."
}
grpc-untrusted() {
    grpc_begin grpc-untrusted-$1
    TIMEOUT=3 CA=$WORK/tls/other.pem grpc_session $1 "Get 1" @close
    finish
    expect client fin "before first word" failed "The client did not accept the server's certificate."
}
grpc-plain-to-tls() {
    grpc_begin grpc-plain-to-tls-$1
    TLS=off TIMEOUT=3 grpc_session $1 "Get 1" @close
    finish
    expect server "${2:-fin}" "before first word" failed "The client spoke HTTP/2 without TLS to a port of TLS."
}
grpc-stopped() {
    grpc_begin grpc-stopped-$1
    KEEPALIVE=1 grpc_session $1 "Get 1" "@sleep 1.5" "Get 2" @close & local c=$!
    answered 0.5
    signal_server STOP
    wait $c
    finish
    expect client fin "waiting for an answer" failed "The server's host acknowledged what the client sent and the server never answered (keepalive watchdog)."
}
grpc-refused() {
    SERVER_LOG=
    begin grpc-refused-$1 gRPC 50051 none
    TIMEOUT=3 grpc_session $1 "Get 1" @close
    finish
    expect server refused connecting failed "Nothing listens on port 50051."
}
