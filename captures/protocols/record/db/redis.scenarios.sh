# Redis and memcached.

redis_begin() { # NAME OPTION...
    local name=$1
    shift
    SERVER_LOG=$WORK/redis.log
    : >"$SERVER_LOG"
    in_s redis-server --bind $SERVER 127.0.0.1 --port 6379 --protected-mode no --save '' --appendonly no --dir "$WORK" --rename-command COMMAND '' --loglevel verbose "$@" >>"$SERVER_LOG" 2>&1 &
    listening 6379
    begin "$name" Redis 6379 "Redis 7.0.15"
}
redis_admin() { in_s redis-cli "$@" >/dev/null 2>&1; }
# The address of the client that is no administrator.
redis_client() { in_s redis-cli client list | grep -o ' addr=10.78.0.2:[0-9]*' | head -1 | cut -d= -f2; }

redis-orderly() {
    redis_begin redis-orderly-$1
    PASSWORD= session $1 "SET a 1" "GET a" @close
    finish
    expect client fin idle fine "The client closed between two commands, as Redis clients do."
}
redis-quit() {
    redis_begin redis-quit-$1
    PASSWORD= session $1 "SET a 1" "QUIT" @close
    finish
    expect server fin "after goodbye" fine "The client said QUIT, the server answered OK and closed."
}
redis-killed-idle() {
    redis_begin redis-killed-idle-$1
    PASSWORD= session $1 "GET a" "@sleep 2.5" "GET b" @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin idle failed "The server closed the idle connection (its process ended); the client's next command met the closed connection."
}
redis-killed-in-command() {
    redis_begin redis-killed-in-command-$1
    PASSWORD= session $1 "SET a 1" "BLPOP list 20" @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin "waiting for an answer" failed "The server closed without a word while the client waited for the answer of BLPOP: its process ended."
}
redis-client-kill-idle() {
    redis_begin redis-client-kill-idle-$1
    PASSWORD= session $1 "GET a" "@sleep 2.5" "GET b" @close & local c=$!
    answered
    redis_admin client kill "$(redis_client)"
    wait $c
    finish
    expect server fin idle failed "The server ended the idle connection (CLIENT KILL); the client used it once more."
}
redis-client-kill-in-command() {
    redis_begin redis-client-kill-in-command-$1
    PASSWORD= session $1 "SET a 1" "BLPOP list 20" @close & local c=$!
    answered
    redis_admin client kill "$(redis_client)"
    wait $c
    finish
    expect server fin "waiting for an answer" failed "The server ended the connection while the client waited for BLPOP (CLIENT KILL)."
}
redis-timeout() {
    redis_begin redis-timeout-$1 --timeout 1
    PASSWORD= session $1 "GET a" "@sleep 3.5" "GET b" @close
    finish
    expect server fin idle failed "The server's timeout closed the idle connection; the client used it once more."
}
redis-timeout-unused() {
    redis_begin redis-timeout-unused-$1 --timeout 1
    PASSWORD= session $1 "GET a" "@sleep 3.5" @leave
    finish
    expect server fin idle fine "The server's timeout closed an idle connection that nobody used again."
}
redis-output-buffer() {
    redis_begin redis-output-buffer-$1 --client-output-buffer-limit "pubsub 4kb 2kb 1"
    PASSWORD= session $1 "SUBSCRIBE news" "@sleep 4" @close & local c=$!
    answered
    kill -STOP $(ip netns pids "$NAME-c" | grep -vx "$TCPDUMP")
    in_c sysctl -qw net.ipv4.tcp_rmem='4096 4096 4096' 2>/dev/null
    redis_admin eval "for i = 1, 12 do redis.call('publish', 'news', string.rep('news ', 200)) end" 0
    sleep 2
    kill -CONT $(ip netns pids "$NAME-c" | grep -vx "$TCPDUMP")
    wait $c
    finish
    expect server "${2:-fin}" "mid-answer" failed "The server closed a subscriber that did not read fast enough (client-output-buffer-limit)."
}
redis-bulk-too-long() {
    redis_begin redis-bulk-too-long-$1 --proto-max-bulk-len 1mb
    echo bash >"$RUN/program"
    in_c timeout 5 bash -c "exec 3<>/dev/tcp/$SERVER/6379; printf '*3\r\n\$3\r\nSET\r\n\$1\r\na\r\n\$2000000\r\n' >&3; cat <&3" >>"$RUN/client.txt" 2>&1
    finish
    expect server fin "while sending" failed "The server refused a value longer than proto-max-bulk-len (Protocol error: invalid bulk length) and closed."
}
redis-maxclients() {
    redis_begin redis-maxclients-$1 --maxclients 1
    in_s redis-cli blpop none 30 >/dev/null 2>&1 &
    sleep 0.4
    PASSWORD= session $1 "GET a" @close
    finish
    expect server fin "before first word" failed "The server refused the connection: max number of clients reached."
}
redis-wrong-password() {
    redis_begin redis-wrong-password-$1 --requirepass secret
    PASSWORD=wrong OPTIONS="${2:-}" session $1 "GET a" @close
    finish
    expect client "${3:-fin}" "before first word" failed "The server refused the password (WRONGPASS); the client closed."
}
redis-no-password() {
    redis_begin redis-no-password-$1 --requirepass secret
    PASSWORD= session $1 "GET a" @close
    finish
    expect client fin idle failed "The server wants a password first (NOAUTH)."
}
redis-protected() {
    redis_begin redis-protected-$1 --protected-mode yes --bind "* -::*"
    PASSWORD= session $1 "GET a" @close
    finish
    expect server "${2:-fin}" "before first word" failed "The server is in protected mode and takes no client from another host (DENIED)."
}
redis-shutdown() {
    redis_begin redis-shutdown-$1
    PASSWORD= session $1 "SET a 1" "BLPOP list 20" @close & local c=$!
    answered
    signal_server TERM
    wait $c
    finish
    expect server fin "waiting for an answer" failed "The server was shut down while the client waited for BLPOP."
}
redis-client-killed() {
    redis_begin redis-client-killed-$1
    PASSWORD= session $1 "SET a 1" "BLPOP list 20" @close & local c=$!
    answered
    kill -9 $(ip netns pids "$NAME-c" | grep -vx "$TCPDUMP")
    wait $c 2>/dev/null
    finish
    expect client fin "waiting for an answer" failed "The client closed without waiting for the answer of BLPOP."
}
redis-client-timeout() {
    redis_begin redis-client-timeout-$1
    PASSWORD= TIMEOUT=2 session $1 "SET a 1" "BLPOP list 4" @close
    finish
    expect client fin "waiting for an answer" failed "The client gave up after 2 s without an answer and closed."
}
redis-refused() {
    SERVER_LOG=
    begin redis-refused-$1 Redis 6379 none
    PASSWORD= session $1 "GET a" @close
    finish
    expect server refused connecting failed "Nothing listens on port 6379."
}
redis_tls_begin() { redis_begin "$1" --port 0 --tls-port 6379 --tls-cert-file "$WORK/tls/server.pem" --tls-key-file "$WORK/tls/server.key" \
    --tls-ca-cert-file "$WORK/tls/server.pem" --tls-auth-clients "${2:-no}"; }
redis-tls-orderly() {
    redis_tls_begin redis-tls-orderly-$1
    PASSWORD= TLS=verify CA=$WORK/tls/server.pem OPTIONS="--tls --cacert $WORK/tls/server.pem" session $1 "SET a 1" @close
    finish
    expect client fin idle fine "An orderly session inside TLS."
}
redis-tls-untrusted() {
    redis_tls_begin redis-tls-untrusted-$1
    PASSWORD= TLS=verify CA=$WORK/tls/other.pem OPTIONS="--tls --cacert $WORK/tls/other.pem" session $1 "SET a 1" @close
    finish
    expect client fin "before first word" failed "The client did not accept the server's certificate."
}
redis-tls-no-client-certificate() {
    redis_tls_begin redis-tls-no-client-certificate-$1 yes
    PASSWORD= TLS=verify CA=$WORK/tls/server.pem OPTIONS="--tls --cacert $WORK/tls/server.pem" session $1 "SET a 1" @close
    finish
    expect server fin "before first word" failed "The server wants a certificate of the client and got none."
}
redis-tls-to-plain() {
    redis_begin redis-tls-to-plain-$1
    PASSWORD= TIMEOUT=4 TLS=verify CA=$WORK/tls/server.pem OPTIONS="--tls --cacert $WORK/tls/server.pem" session $1 "SET a 1" @close
    finish
    expect client fin "before first word" failed "The client began TLS with a server that speaks plain Redis on this port."
}
redis-plain-to-tls() {
    redis_tls_begin redis-plain-to-tls-$1
    PASSWORD= session $1 "SET a 1" @close
    finish
    expect server "${2:-fin}" "before first word" failed "The client spoke plain Redis to a port that wants TLS."
}
redis-tls-killed() {
    redis_tls_begin redis-tls-killed-$1
    PASSWORD= TLS=verify CA=$WORK/tls/server.pem OPTIONS="--tls --cacert $WORK/tls/server.pem" session $1 "SET a 1" "BLPOP list 20" @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin "waiting for an answer" failed "The server closed without a TLS close_notify while the client waited."
}
redis-stopped() {
    redis_begin redis-stopped-$1
    PASSWORD= TIMEOUT=3 session $1 "GET a" "@sleep 1.5" "GET b" @close & local c=$!
    answered 0.5
    signal_server STOP
    wait $c
    finish
    expect client fin "waiting for an answer" failed "The server's host acknowledged the command and the server never answered; the client gave up after 3 s."
}
redis-forgotten-drop() {
    redis_begin redis-forgotten-drop-$1
    PASSWORD= session $1 "GET a" "@sleep 2" "GET b" @close & local c=$!
    answered 0.5
    forget drop 6379
    wait $c
    finish
    expect nobody silence "waiting for an answer" failed "The command was sent again and again and never acknowledged: the path or the server dropped the idle connection in silence."
}
redis-forgotten-rst() {
    redis_begin redis-forgotten-rst-$1
    PASSWORD= session $1 "GET a" "@sleep 2" "GET b" @close & local c=$!
    answered 0.5
    forget rst 6379
    wait $c
    finish
    expect middlebox rst "waiting for an answer" failed "A device between reset the idle connection when the client used it again."
}
redis-http-client() {
    redis_begin redis-http-client-$1
    session $1 http://$SERVER:6379/
    finish
    expect server "${2:-fin}" "before first word" failed "An HTTP client spoke to a Redis server, which closes on words of HTTP."
}

memcached_begin() { # NAME OPTION...
    local name=$1
    shift
    SERVER_LOG=$WORK/memcached.log
    : >"$SERVER_LOG"
    in_s memcached -u nobody -l $SERVER -p 11211 -U 0 -v "$@" >>"$SERVER_LOG" 2>&1 &
    listening 11211
    begin "$name" memcached 11211 "memcached 1.6.18"
}
memcached-orderly() {
    memcached_begin memcached-orderly-$1
    QUIT=1 session $1 "set a 1" "get a" @close
    finish
    expect server fin "after goodbye" fine "The client said quit and the server closed."
}
memcached-left() {
    memcached_begin memcached-left-$1
    session $1 "set a 1" "get a" @leave
    finish
    expect client fin idle fine "The client closed between two commands without quit."
}
memcached-killed-idle() {
    memcached_begin memcached-killed-idle-$1
    session $1 "get a" "@sleep 2.5" "get b" @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin idle failed "The server closed the idle connection (its process ended); the client's next command met the closed connection."
}
memcached-killed-in-command() {
    memcached_begin memcached-killed-in-command-$1
    session $1 "get a" "@sleep 1.5" "get b" @close & local c=$!
    answered 0.5
    signal_server STOP
    sleep 2
    signal_server KILL
    wait $c
    finish
    expect server "${2:-rst}" "waiting for an answer" failed "The server's process ended before it read the command; its host reset the connection."
}
memcached-idle-timeout() {
    memcached_begin memcached-idle-timeout-$1 -o idle_timeout=1
    session $1 "get a" "@sleep 6" "get b" @close
    finish
    expect server fin idle failed "The server's idle_timeout closed the connection; the client used it once more."
}
memcached-too-many() {
    memcached_begin memcached-too-many-$1 -c 1 -o maxconns_fast
    in_s timeout 6 bash -c "exec 3<>/dev/tcp/$SERVER/11211; sleep 5" &
    sleep 0.4
    session $1 "get a" @close
    finish
    expect server fin "before first word" failed "The server refused the connection: too many open connections."
}
memcached-too-large() {
    memcached_begin memcached-too-large-$1 -I 2k
    VALUE=$(printf '%05000d' 7) session $1 'set a $VALUE' @close
    finish
    expect client fin idle failed "The server refused a value larger than its item size (SERVER_ERROR object too large for cache); the connection is well."
}
memcached-stopped() {
    memcached_begin memcached-stopped-$1
    TIMEOUT=3 session $1 "get a" "@sleep 1.5" "get b" @close & local c=$!
    answered 0.5
    signal_server STOP
    wait $c
    finish
    expect client fin "waiting for an answer" failed "The server's host acknowledged the command and the server never answered; the client gave up after 3 s."
}
memcached-refused() {
    SERVER_LOG=
    begin memcached-refused-$1 memcached 11211 none
    session $1 "get a" @close
    finish
    expect server refused connecting failed "Nothing listens on port 11211."
}
memcached-forgotten-drop() {
    memcached_begin memcached-forgotten-drop-$1
    session $1 "get a" "@sleep 2" "get b" @close & local c=$!
    answered 0.5
    forget drop 11211
    wait $c
    finish
    expect nobody silence "waiting for an answer" failed "The command was sent again and again and never acknowledged: the path or the server dropped the idle connection in silence."
}
