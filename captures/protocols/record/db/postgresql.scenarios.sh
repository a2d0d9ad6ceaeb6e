# PostgreSQL.

postgresql_start() { # SETTING...
    local data=$WORK/postgresql
    SERVER_LOG=$WORK/postgresql.log
    if [ ! -d "$data" ]; then
        mkdir -p "$data" "$WORK/socket" && chown postgres "$data" "$WORK/socket" && chmod 700 "$data"
        runuser -u postgres -- /usr/lib/postgresql/15/bin/initdb -D "$data" -A trust >/dev/null
        cat >>"$data/postgresql.conf" <<'SETTINGS'
listen_addresses = '10.78.0.1'
fsync = off
log_connections = off
log_line_prefix = ''
shared_buffers = 16MB
autovacuum = off
max_wal_senders = 0
superuser_reserved_connections = 1
SETTINGS
        cat >"$data/pg_hba.conf" <<'RULES'
local all all trust
host all stranger 10.78.0.2/32 reject
host app app 10.78.0.2/32 scram-sha-256
RULES
        install -o postgres -m 600 "$WORK/tls/server.key" "$data/server.key"
        install -o postgres -m 644 "$WORK/tls/server.pem" "$data/server.crt"
        touch "$SERVER_LOG" && chown postgres "$SERVER_LOG"
        postgresql_start
        postgresql_admin "create user app password 'secret'" "create database app owner app"
        signal_server QUIT
        sleep 0.5
    fi
    local settings=()
    for setting in "$@"; do settings+=(-c "$setting"); done
    rm -f "$data/postmaster.pid" "$WORK"/socket/.s.PGSQL*
    in_s runuser -u postgres -- /usr/lib/postgresql/15/bin/postgres -D "$data" -k "$WORK/socket" "${settings[@]}" >>"$SERVER_LOG" 2>&1 &
    for _ in $(seq 100); do
        in_s psql -h "$WORK/socket" -U postgres -Atc 'select 1' >/dev/null 2>&1 && break
        sleep 0.1
    done
}
postgresql_admin() { for sql in "$@"; do in_s psql -h "$WORK/socket" -U postgres -Atqc "$sql"; done; }
postgresql_begin() { # NAME SETTING...
    local name=$1
    shift
    postgresql_start "$@"
    begin "$name" PostgreSQL 5432 "PostgreSQL 15.18"
}
PG_APP="from pg_stat_activity where usename = 'app'"

postgresql-orderly() {
    postgresql_begin postgresql-orderly-$1
    session $1 "select 1;" "select generate_series(1, 5);" @close
    finish
    expect client fin "after goodbye" fine "The client said goodbye (Terminate) and closed."
}
postgresql-left() {
    postgresql_begin postgresql-left-$1
    session $1 "begin" "select 1" @leave
    finish
    expect client fin idle unknown "The client closed inside a transaction without the goodbye (Terminate); the server rolls the transaction back."
}
postgresql-killed-idle() {
    postgresql_begin postgresql-killed-idle-$1
    session $1 "select 1;" "@sleep 2.5" "select 2;" @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin idle failed "The server closed the idle session without a word (its process ended); the client's next query met the closed connection."
}
postgresql-killed-in-query() {
    postgresql_begin postgresql-killed-in-query-$1
    session $1 "select 1;" "select pg_sleep(20);" @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin "waiting for an answer" failed "The server closed without a word while the query was running: its process was killed or crashed."
}
postgresql-killed-mid-answer() {
    postgresql_begin postgresql-killed-mid-answer-$1
    session $1 "select 1;" "select g, repeat('row ', 40), pg_sleep(0.02) from generate_series(1, 500) g;" @close & local c=$!
    answered 2.5
    signal_server KILL
    wait $c
    finish
    expect server fin "mid-answer" failed "The server closed in the middle of the rows of an answer: its process was killed or crashed."
}
postgresql-terminated-idle() {
    postgresql_begin postgresql-terminated-idle-$1
    session $1 "select 1;" "@sleep 2.5" "select 2;" @close & local c=$!
    answered
    postgresql_admin "select pg_terminate_backend(pid) $PG_APP" >/dev/null
    wait $c
    finish
    expect server fin idle failed "An administrator's command ended the idle session (57P01); the client used it once more."
}
postgresql-terminated-in-query() {
    postgresql_begin postgresql-terminated-in-query-$1
    session $1 "select 1;" "select pg_sleep(20);" @close & local c=$!
    answered
    postgresql_admin "select pg_terminate_backend(pid) $PG_APP" >/dev/null
    wait $c
    finish
    expect server fin "waiting for an answer" failed "An administrator's command ended the session while its query ran (57P01)."
}
postgresql-cancelled() {
    postgresql_begin postgresql-cancelled-$1
    session $1 "select 1;" "select pg_sleep(20);" @close & local c=$!
    answered
    postgresql_admin "select pg_cancel_backend(pid) $PG_APP" >/dev/null
    wait $c
    finish
    expect client fin "after goodbye" fine "The query was cancelled (57014); the connection was closed orderly."
}
postgresql-backend-crashed() {
    postgresql_begin postgresql-backend-crashed-$1
    session $1 "select 1;" "select pg_sleep(20);" @close & local c=$!
    answered
    kill -9 "$(postgresql_admin "select pid $PG_APP")"
    wait $c
    finish
    expect server fin "waiting for an answer" failed "The server's process of this session died in the query; the server closed without a word."
}
postgresql-other-crashed() {
    postgresql_begin postgresql-other-crashed-$1
    session $1 "select 1;" "select pg_sleep(20);" @close & local c=$!
    answered
    session $1 "select 1;" "select pg_sleep(30);" @close & local d=$!
    sleep 1.5
    kill -9 "$(postgresql_admin "select pid $PG_APP and query like '%(20)%'")"
    wait $c $d
    finish
    expect server fin "waiting for an answer" failed "The server's process of this session died in the query; the server closed without a word."
    expect server fin "waiting for an answer" failed "The server ended this session because another server process crashed (57P02)."
}
postgresql-idle-timeout() {
    postgresql_begin postgresql-idle-timeout-$1 idle_session_timeout=1500
    session $1 "select 1;" "@sleep 3" "select 2;" @close
    finish
    expect server fin idle failed "The server's idle_session_timeout ended the session (57P05); the client used it once more."
}
postgresql-idle-in-transaction() {
    postgresql_begin postgresql-idle-in-transaction-$1 idle_in_transaction_session_timeout=1500
    session $1 "begin;" "select 1;" "@sleep 3" "select 2;" @close
    finish
    expect server fin idle failed "idle_in_transaction_session_timeout ended the session in an open transaction (25P03); the client used it once more."
}
postgresql-forgotten-drop() {
    postgresql_begin postgresql-forgotten-drop-$1
    session $1 "select 1;" "@sleep 2" "select 2;" @close & local c=$!
    answered 0.5
    forget drop 5432
    wait $c
    finish
    expect nobody silence "waiting for an answer" failed "The query was sent again and again and never acknowledged: the path or the server dropped the idle connection in silence."
}
postgresql-forgotten-rst() {
    postgresql_begin postgresql-forgotten-rst-$1
    session $1 "select 1;" "@sleep 2" "select 2;" @close & local c=$!
    answered 0.5
    forget rst 5432
    wait $c
    finish
    expect middlebox rst "waiting for an answer" failed "A device between reset the idle connection when the client used it again."
}
postgresql-too-many() {
    postgresql_begin postgresql-too-many-$1 max_connections=2 superuser_reserved_connections=1
    in_s psql -h "$WORK/socket" -U app -d app -c 'select pg_sleep(30)' >/dev/null 2>&1 &
    sleep 0.5
    session $1 "select 1;" @close
    finish
    expect server fin "before first word" failed "The server refused the session: too many clients (53300)."
}
postgresql-wrong-password() {
    postgresql_begin postgresql-wrong-password-$1
    PASSWORD=wrong session $1 "select 1;" @close
    finish
    expect server fin "before first word" failed "The server refused the password (28P01)."
}
postgresql-no-hba() {
    postgresql_begin postgresql-no-hba-$1
    DBUSER=nobody session $1 "select 1;" @close
    finish
    expect server fin "before first word" failed "No entry of pg_hba.conf allows this user, database and host (28000)."
}
postgresql-no-database() {
    postgresql_begin postgresql-no-database-$1
    postgresql_admin "alter database app rename to app2"
    session $1 "select 1;" @close
    postgresql_admin "alter database app2 rename to app"
    finish
    expect server fin "before first word" failed "The database does not exist (3D000)."
}
postgresql-fast-shutdown() {
    postgresql_begin postgresql-fast-shutdown-$1
    session $1 "select 1;" "select pg_sleep(20);" @close & local c=$!
    answered
    kill -INT "$(head -1 "$WORK/postgresql/postmaster.pid")"
    wait $c
    finish
    expect server fin "waiting for an answer" failed "The server was shut down while the query ran (57P01)."
}
postgresql-immediate-shutdown() {
    postgresql_begin postgresql-immediate-shutdown-$1
    session $1 "select 1;" "select pg_sleep(20);" @close & local c=$!
    answered
    kill -QUIT "$(head -1 "$WORK/postgresql/postmaster.pid")"
    wait $c
    finish
    expect server fin "waiting for an answer" failed "The server was shut down at once while the query ran (57P01)."
}
postgresql-shutting-down() {
    postgresql_begin postgresql-shutting-down-$1
    in_s psql -h "$WORK/socket" -U app -d app -c 'select pg_sleep(30)' >/dev/null 2>&1 &
    sleep 0.5
    kill -TERM "$(head -1 "$WORK/postgresql/postmaster.pid")"
    sleep 0.3
    session $1 "select 1;" @close
    finish
    expect server fin "before first word" failed "The server takes no new session: it is shutting down (57P03)."
}
postgresql-client-killed() {
    postgresql_begin postgresql-client-killed-$1
    session $1 "select 1;" "select pg_sleep(3);" "select 2;" @close & local c=$!
    answered
    kill -9 $(ip netns pids "$NAME-c" | grep -vx "$TCPDUMP")
    wait $c 2>/dev/null
    sleep 3
    finish
    expect client fin "waiting for an answer" failed "The client closed without waiting for the answer of its query."
}
postgresql-client-timeout() {
    postgresql_begin postgresql-client-timeout-$1
    TIMEOUT=2 OPTIONS="&socketTimeout=2" session $1 "select 1;" "select pg_sleep(6);" @close
    finish
    expect client fin "waiting for an answer" failed "The client gave up after 2 s without an answer and closed."
    [ $1 = asyncpg ] && expect client fin "after goodbye" fine "A cancel request; the server closes such a connection without an answer."
    return 0
}
postgresql-statement-timeout() {
    postgresql_begin postgresql-statement-timeout-$1 statement_timeout=1500
    session $1 "select 1;" "select pg_sleep(6);" @close
    finish
    expect client fin "after goodbye" fine "The server's statement_timeout cancelled the query (57014); the connection was closed orderly."
}
postgresql-query-cancel() {
    postgresql_begin postgresql-query-cancel-$1
    QUERY_TIMEOUT=1 session $1 "select 1;" "select pg_sleep(6);" @close
    finish
    expect client fin "waiting for an answer" failed "The client's query timeout cancelled the query by a second connection."
    expect server fin "after goodbye" fine "A cancel request; the server closes such a connection without an answer."
}
postgresql-refused() {
    SERVER_LOG=
    begin postgresql-refused-$1 PostgreSQL 5432 none
    session $1 "select 1;" @close
    finish
    expect server refused connecting failed "Nothing listens on port 5432."
}
postgresql-tls-orderly() {
    postgresql_begin postgresql-tls-orderly-$1 ssl=on
    TLS=require session $1 "select 1;" @close
    finish
    expect client fin "after goodbye" fine "An orderly session inside TLS."
}
postgresql-tls-unsupported() {
    postgresql_begin postgresql-tls-unsupported-$1
    TLS=require session $1 "select 1;" @close
    finish
    expect client fin "before first word" failed "The client asked for TLS and the server answered N: it has TLS switched off."
}
postgresql-tls-untrusted() {
    postgresql_begin postgresql-tls-untrusted-$1 ssl=on
    TLS=verify-full CA=$WORK/tls/other.pem session $1 "select 1;" @close
    finish
    expect client "${2:-fin}" "before first word" failed "The client did not accept the server's certificate."
}
postgresql-tls-killed() {
    postgresql_begin postgresql-tls-killed-$1 ssl=on
    TLS=require session $1 "select 1;" "select pg_sleep(20);" @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin "waiting for an answer" failed "The server closed without a TLS close_notify while the client waited."
}
postgresql-tls-terminated() {
    postgresql_begin postgresql-tls-terminated-$1 ssl=on
    TLS=require session $1 "select 1;" "select pg_sleep(20);" @close & local c=$!
    answered
    postgresql_admin "select pg_terminate_backend(pid) $PG_APP" >/dev/null
    wait $c
    finish
    expect server fin "waiting for an answer" unknown "The server answered inside TLS and closed while the client waited."
}
postgresql-stopped() {
    postgresql_begin postgresql-stopped-$1
    TIMEOUT=3 OPTIONS="&socketTimeout=3" session $1 "select 1;" "@sleep 1.5" "select 2;" @close & local c=$!
    answered 0.5
    signal_server STOP
    wait $c
    finish
    expect client fin "waiting for an answer" failed "The server's host acknowledged the query and the server never answered; the client gave up after 3 s."
}
postgresql-stopped-connect() {
    postgresql_begin postgresql-stopped-connect-$1
    signal_server STOP
    TIMEOUT=3 OPTIONS="&loginTimeout=3" session $1 "select 1;" @close
    finish
    expect client fin "before first word" failed "The server's host accepted the connection and the server never said a word; the client gave up."
}
postgresql-http-client() {
    postgresql_begin postgresql-http-client-$1
    session $1 http://$SERVER:5432/
    finish
    expect server fin "before first word" failed "An HTTP client spoke to a PostgreSQL server."
}
