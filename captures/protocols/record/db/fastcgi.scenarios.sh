# FastCGI: nginx is the client of php-fpm; curl asks nginx on the client's own loopback, which is not captured.

fastcgi_begin() { # NAME [POOL-SETTINGS] [NGINX-SETTINGS]
    local data=$WORK/fastcgi
    SERVER_LOG=$WORK/php-fpm.log
    rm -rf "$data" && mkdir -p "$data/www" && chmod 755 "$data" "$data/www"
    echo '<?php echo "hello\n";' >"$data/www/hello.php"
    echo '<?php sleep((int) ($_GET["s"] ?? 20)); echo "slept\n";' >"$data/www/sleep.php"
    echo '<?php for ($i = 0; $i < 100; $i++) { echo str_repeat("row ", 40), "\n"; flush(); usleep(50000); }' >"$data/www/rows.php"
    echo '<?php posix_kill(posix_getpid(), 11);' >"$data/www/crash.php"
    echo '<?php error_log("oops"); none();' >"$data/www/error.php"
    cat >"$data/fpm.conf" <<CONFIGURATION
[global]
error_log = $SERVER_LOG
daemonize = no
[www]
listen = $SERVER:9000
user = www-data
group = www-data
pm = static
pm.max_children = 1
catch_workers_output = yes
${2:-}
CONFIGURATION
    cat >"$data/nginx.conf" <<CONFIGURATION
daemon off;
worker_processes 1;
pid $data/nginx.pid;
error_log $data/nginx.log info;
events {}
http {
    access_log off;
    upstream fpm { server $SERVER:9000; keepalive 4; }
    server {
        listen 127.0.0.1:8080;
        location / {
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME $data/www\$uri;
            fastcgi_pass ${FASTCGI_PASS:-$SERVER:9000};
            fastcgi_next_upstream off;
            fastcgi_buffering off;
            ${3:-}
        }
    }
}
CONFIGURATION
    : >"$SERVER_LOG"
    [ -n "${NO_FPM:-}" ] || { in_s php-fpm8.2 -R -y "$data/fpm.conf" >/dev/null 2>&1 & listening 9000; }
    ip netns exec "$NAME-c" nginx -c "$data/nginx.conf" >/dev/null 2>&1 &
    NGINX=$!
    sleep 0.5
    begin "$1" FastCGI 9000 "php-fpm 8.2.36"
    echo "nginx 1.22.1" >"$RUN/program"
    NGINX_LOG=$data/nginx.log
    : >"$NGINX_LOG"
}
fastcgi_get() { in_c curl -sS -o /dev/null --max-time "${MAX:-30}" "http://127.0.0.1:8080$1" >/dev/null 2>&1; }
fastcgi_finish() {
    sleep 0.3
    cp "$NGINX_LOG" "$RUN/client.txt"
    finish
    ip netns pids "$NAME-c" | xargs -r kill -9 2>/dev/null
    wait $NGINX
}

fastcgi-orderly() {
    fastcgi_begin fastcgi-orderly
    fastcgi_get /hello.php
    fastcgi_finish
    expect server fin "after goodbye" fine "The answer ended (END_REQUEST) and the server closed, as the client asked (no FCGI_KEEP_CONN)."
}
fastcgi-keepalive() {
    FASTCGI_PASS=fpm fastcgi_begin fastcgi-keepalive "" "fastcgi_keep_conn on;"
    fastcgi_get /hello.php
    fastcgi_get /hello.php
    kill -TERM $NGINX
    sleep 0.5
    fastcgi_finish
    expect client fin idle fine "Two requests on one connection; the client closed it idle."
}
fastcgi-error() {
    fastcgi_begin fastcgi-error
    fastcgi_get /error.php
    fastcgi_finish
    expect server fin "after goodbye" fine "The script failed (status 500); the connection is well."
}
fastcgi-worker-killed() {
    fastcgi_begin fastcgi-worker-killed
    fastcgi_get /sleep.php & local c=$!
    sleep 1
    kill -9 "$(ip netns pids "$NAME-s" | sort -n | tail -1)"
    wait $c
    fastcgi_finish
    expect server fin "waiting for an answer" failed "The server's worker was killed before it answered the request; it closed without a word."
}
fastcgi-worker-crashed() {
    fastcgi_begin fastcgi-worker-crashed
    fastcgi_get /crash.php
    fastcgi_finish
    expect server fin "waiting for an answer" failed "The server's worker crashed before it answered the request; it closed without a word."
}
fastcgi-killed-mid-answer() {
    fastcgi_begin fastcgi-killed-mid-answer
    fastcgi_get /rows.php & local c=$!
    sleep 2
    signal_server KILL
    wait $c
    fastcgi_finish
    expect server fin mid-answer failed "The server closed before the end of its answer (no END_REQUEST)."
}
fastcgi-terminate-timeout() {
    fastcgi_begin fastcgi-terminate-timeout "request_terminate_timeout = 2"
    fastcgi_get /sleep.php
    fastcgi_finish
    expect server fin "waiting for an answer" failed "The server ended its worker after request_terminate_timeout; it closed without a word."
}
fastcgi-read-timeout() {
    fastcgi_begin fastcgi-read-timeout "" "fastcgi_read_timeout 2;"
    fastcgi_get /sleep.php
    fastcgi_finish
    expect client fin "waiting for an answer" failed "The client (nginx) gave up after 2 s without an answer (fastcgi_read_timeout) and closed."
}
fastcgi-visitor-left() {
    fastcgi_begin fastcgi-visitor-left
    MAX=1.5 fastcgi_get /sleep.php
    sleep 0.5
    fastcgi_finish
    expect client fin "waiting for an answer" failed "The client (nginx) closed while it waited for the answer: its own visitor had left."
}
fastcgi-refused() {
    NO_FPM=1 fastcgi_begin fastcgi-refused
    fastcgi_get /hello.php
    fastcgi_finish
    expect server refused connecting failed "Nothing listens on port 9000."
}
fastcgi-not-allowed() {
    fastcgi_begin fastcgi-not-allowed "listen.allowed_clients = 10.78.0.3"
    fastcgi_get /hello.php
    fastcgi_finish
    expect server "${2:-rst}" "waiting for an answer" failed "The server does not allow this client (listen.allowed_clients) and closed without an answer."
}
fastcgi-busy() {
    fastcgi_begin fastcgi-busy "" "fastcgi_read_timeout 2;"
    fastcgi_get /sleep.php &
    sleep 0.5
    fastcgi_get /hello.php
    fastcgi_finish
    expect client fin "waiting for an answer" failed "The client (nginx) gave up after 2 s without an answer (fastcgi_read_timeout) and closed."
    expect client fin "waiting for an answer" failed "The server's only worker was busy; the client (nginx) gave up after 2 s."
}
fastcgi-stopped() {
    fastcgi_begin fastcgi-stopped "" "fastcgi_read_timeout 2;"
    signal_server STOP
    fastcgi_get /hello.php
    fastcgi_finish
    expect client fin "waiting for an answer" failed "The server's host took the request and the server never answered; the client (nginx) gave up after 2 s."
}
fastcgi-unreachable() {
    fastcgi_begin fastcgi-unreachable "" "fastcgi_connect_timeout 2;"
    forget drop 9000
    fastcgi_get /hello.php
    fastcgi_finish
    expect nobody silence connecting failed "No answer came to the SYNs; the client (nginx) gave up after 2 s."
}
fastcgi-keepalive-restart() {
    FASTCGI_PASS=fpm fastcgi_begin fastcgi-keepalive-restart "" "fastcgi_keep_conn on;"
    fastcgi_get /hello.php
    sleep 0.5
    signal_server TERM
    sleep 1
    fastcgi_finish
    expect server fin idle fine "The server was stopped and closed the idle connection; nobody used it again."
}
fastcgi-unknown-script() {
    fastcgi_begin fastcgi-unknown-script
    fastcgi_get /none.php
    fastcgi_finish
    expect server fin "after goodbye" fine "The script does not exist (Primary script unknown, status 404); the connection is well."
}
