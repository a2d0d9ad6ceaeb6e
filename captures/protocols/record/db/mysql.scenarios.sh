# MariaDB, which speaks the MySQL protocol.

mysql_start() { # OPTION...
    local data=$WORK/mysql
    SERVER_LOG=$WORK/mysql.log
    if [ ! -d "$data" ]; then
        mkdir -p "$data" "$WORK/socket" && chown mysql "$data" && chmod 777 "$WORK/socket"
        mariadb-install-db --no-defaults --datadir="$data" --user=mysql --auth-root-authentication-method=normal --skip-test-db >/dev/null
        touch "$SERVER_LOG" && chown mysql "$SERVER_LOG"
        mysql_start
        mysql_admin "create database app; create user app@'10.78.0.2' identified by 'secret'; grant all on app.* to app@'10.78.0.2'"
        signal_server TERM
        sleep 2
    fi
    in_s mariadbd --no-defaults --datadir="$data" --user=mysql --socket="$WORK/socket/mysql" --bind-address=$SERVER --skip-name-resolve \
        --innodb-buffer-pool-size=8M --innodb-log-file-size=8M --innodb-flush-log-at-trx-commit=0 --log-warnings=4 --pid-file="$data/pid" "$@" >>"$SERVER_LOG" 2>&1 &
    for _ in $(seq 150); do
        mysql_admin 'select 1' >/dev/null 2>&1 && break
        sleep 0.1
    done
}
mysql_admin() { in_s mariadb --no-defaults -Nn -u root -S "$WORK/socket/mysql" -e "$1"; }
mysql_begin() { # NAME OPTION...
    local name=$1
    shift
    mysql_start "$@"
    begin "$name" MySQL 3306 "MariaDB 10.11.19"
}
mysql_thread() { mysql_admin "select id from information_schema.processlist where user = 'app'"; }

mysql-orderly() {
    mysql_begin mysql-orderly-$1
    session $1 "select 1;" "select seq from seq_1_to_5;" @close
    finish
    expect client fin "after goodbye" fine "The client said goodbye (COM_QUIT) and closed."
}
mysql-left() {
    mysql_begin mysql-left-$1
    session $1 "select 1" @leave
    finish
    expect client fin idle unknown "The client closed without the goodbye (COM_QUIT); the server counts and logs an aborted connection."
}
mysql-killed-idle() {
    mysql_begin mysql-killed-idle-$1
    session $1 "select 1;" "@sleep 2.5" "select 2;" @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin idle failed "The server closed the idle session without a word (its process ended); the client's next query met the closed connection."
}
mysql-killed-in-query() {
    mysql_begin mysql-killed-in-query-$1
    session $1 "select 1;" "select sleep(20);" @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin "waiting for an answer" failed "The server closed without a word while the query was running: its process was killed or crashed."
}
mysql-killed-mid-answer() {
    mysql_begin mysql-killed-mid-answer-$1 --net-buffer-length=1024
    session $1 "select 1;" "select seq, repeat('row ', 40), sleep(0.02) from seq_1_to_500;" @close & local c=$!
    answered 2.5
    signal_server KILL
    wait $c
    finish
    expect server fin mid-answer failed "The server closed in the middle of the rows of an answer: its process was killed or crashed."
}
mysql-kill-idle() {
    mysql_begin mysql-kill-idle-$1
    session $1 "select 1;" "@sleep 2.5" "select 2;" @close & local c=$!
    answered
    mysql_admin "kill $(mysql_thread)"
    wait $c
    finish
    expect server fin idle failed "The server ended the idle session (KILL); the client used it once more."
}
mysql-kill-in-query() {
    mysql_begin mysql-kill-in-query-$1
    session $1 "select 1;" "select sleep(20) from seq_1_to_3;" @close & local c=$!
    answered
    mysql_admin "kill $(mysql_thread)"
    wait $c
    finish
    expect server fin "waiting for an answer" failed "The server ended the session in the middle of its query (KILL)."
}
mysql-wait-timeout() {
    mysql_begin mysql-wait-timeout-$1 --wait-timeout=1 --interactive-timeout=1
    session $1 "select 1;" "@sleep 3.5" "select 2;" @close
    finish
    expect server fin idle failed "The server's wait_timeout closed the idle session; the client used it once more."
}
mysql-forgotten-drop() {
    mysql_begin mysql-forgotten-drop-$1
    session $1 "select 1;" "@sleep 2" "select 2;" @close & local c=$!
    answered 0.5
    forget drop 3306
    wait $c
    finish
    expect nobody silence "waiting for an answer" failed "The query was sent again and again and never acknowledged: the path or the server dropped the idle connection in silence."
}
mysql-forgotten-rst() {
    mysql_begin mysql-forgotten-rst-$1
    session $1 "select 1;" "@sleep 2" "select 2;" @close & local c=$!
    answered 0.5
    forget rst 3306
    wait $c
    finish
    expect middlebox rst "waiting for an answer" failed "A device between reset the idle connection when the client used it again."
}
mysql-max-packet() {
    mysql_begin mysql-max-packet-$1 --max-allowed-packet=4096 --net-buffer-length=4096
    session $1 "select 1;" "select '$(printf '%012000d' 7)';" @close
    finish
    expect server "${2:-rst}" "waiting for an answer" failed "The server closed on a query larger than its max_allowed_packet (1153)."
}
mysql-too-many() {
    mysql_begin mysql-too-many-$1 --max-connections=10
    for _ in $(seq 11); do in_s mariadb --no-defaults -u root -S "$WORK/socket/mysql" -e 'do sleep(30)' >/dev/null 2>&1 & done
    sleep 1
    session $1 "select 1;" @close
    finish
    expect server fin "before first word" failed "The server refused the session: too many connections (1040)."
}
mysql-wrong-password() {
    mysql_begin mysql-wrong-password-$1
    PASSWORD=wrong session $1 "select 1;" @close
    finish
    expect server fin "before first word" failed "The server refused the password (1045)."
}
mysql-host-not-allowed() {
    mysql_begin mysql-host-not-allowed-$1
    mysql_admin "rename user app@'10.78.0.2' to app@'10.78.0.3'"
    session $1 "select 1;" @close
    mysql_admin "rename user app@'10.78.0.3' to app@'10.78.0.2'"
    finish
    expect server fin "before first word" failed "The server allows no user from this host (1130)."
}
mysql-handshake-timeout() {
    mysql_begin mysql-handshake-timeout-$1 --connect-timeout=2
    echo nc >"$RUN/program"
    in_c timeout 6 bash -c "exec 3<>/dev/tcp/$SERVER/3306; head -c 20 <&3 >/dev/null; cat <&3 | tail -c 100 | tr -cd '[:print:]'" >>"$RUN/client.txt" 2>&1
    finish
    expect server "${2:-fin}" "before first word" failed "The client did not answer the server's greeting within connect_timeout; the server closed."
}
mysql-shutdown() {
    mysql_begin mysql-shutdown-$1
    session $1 "select 1;" "select sleep(20) from seq_1_to_3;" @close & local c=$!
    answered
    signal_server TERM
    wait $c
    finish
    expect server fin "waiting for an answer" failed "The server was shut down while the query ran."
}
mysql-client-killed() {
    mysql_begin mysql-client-killed-$1
    session $1 "select 1;" "select sleep(2);" "select 2;" @close & local c=$!
    answered
    kill -9 $(ip netns pids "$NAME-c" | grep -vx "$TCPDUMP")
    wait $c 2>/dev/null
    sleep 2.5
    finish
    expect client fin "waiting for an answer" failed "The client closed without waiting for the answer of its query."
}
mysql-client-timeout() {
    mysql_begin mysql-client-timeout-$1
    TIMEOUT=2 OPTIONS="${2:-}" session $1 "select 1;" "select sleep(4);" @close
    sleep 2
    finish
    expect client fin "waiting for an answer" failed "The client gave up after 2 s without an answer and closed."
}
mysql-refused() {
    SERVER_LOG=
    begin mysql-refused-$1 MySQL 3306 none
    session $1 "select 1;" @close
    finish
    expect server refused connecting failed "Nothing listens on port 3306."
}
mysql_tls=(--ssl-cert=/dev/null)
mysql_tls_begin() {
    mysql_tls=(--ssl-cert="$WORK/tls/server.pem" --ssl-key="$WORK/tls/server.key" --ssl-ca="$WORK/tls/server.pem")
    mysql_begin "$1" "${mysql_tls[@]}" "${@:2}"
}
mysql-tls-orderly() {
    mysql_tls_begin mysql-tls-orderly-$1
    TLS=require OPTIONS="${2:-}" session $1 "select 1;" @close
    finish
    expect client fin "after goodbye" fine "An orderly session inside TLS."
}
mysql-tls-unsupported() {
    mysql_begin mysql-tls-unsupported-$1
    TLS=require OPTIONS="${*:2}" session $1 "select 1;" @close
    finish
    expect client fin "before first word" failed "The client wants TLS and the server's greeting offers none."
}
mysql-tls-untrusted() {
    mysql_tls_begin mysql-tls-untrusted-$1
    TLS=verify CA=$WORK/tls/other.pem OPTIONS="${2:-}" session $1 "select 1;" @close
    finish
    expect client fin "before first word" failed "The client did not accept the server's certificate."
}
mysql-tls-required() {
    mysql_tls_begin mysql-tls-required-$1 --require-secure-transport=on
    session $1 "select 1;" @close
    finish
    expect server fin "before first word" failed "The server refused the login (1045): it accepts only sessions inside TLS (require_secure_transport)."
}
mysql-tls-killed() {
    mysql_tls_begin mysql-tls-killed-$1
    TLS=require OPTIONS="${2:-}" session $1 "select 1;" "select sleep(20);" @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin "waiting for an answer" failed "The server closed without a TLS close_notify while the client waited."
}
mysql-stopped() {
    mysql_begin mysql-stopped-$1
    TIMEOUT=3 OPTIONS="${2:-}" session $1 "select 1;" "@sleep 1.5" "select 2;" @close & local c=$!
    answered 0.5
    signal_server STOP
    wait $c
    finish
    expect client fin "waiting for an answer" failed "The server's host acknowledged the query and the server never answered; the client gave up after 3 s."
}
mysql-stopped-connect() {
    mysql_begin mysql-stopped-connect-$1
    signal_server STOP
    TIMEOUT=3 OPTIONS="${2:-}" session $1 "select 1;" @close
    finish
    expect client fin "before first word" failed "The server's host accepted the connection and the server never said a word; the client gave up."
}
