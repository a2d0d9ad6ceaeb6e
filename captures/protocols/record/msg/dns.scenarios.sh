# DNS over TCP: named of BIND.

named_on() { # LINE of the options...
    local d=$WORK/named
    rm -rf "$d" && mkdir -p "$d"
    printf '$TTL 60\n@ SOA ns.example.net. root.example.net. 1 60 60 60 60\n@ NS ns.example.net.\nns A 10.79.0.1\n' >"$d/zone"
    for i in $(seq 40); do echo "host$i TXT \"a text of host $i\""; done >>"$d/zone"
    printf '%s\n' 'options {' "directory \"$d\"; listen-on { $S; }; listen-on-v6 { none; }; recursion no; pid-file \"$d/pid\"; session-keyfile \"$d/key\";" \
        "managed-keys-directory \"$d\";" "$@" '};' 'controls { };' "zone example.net { type primary; file \"$d/zone\"; };" >"$d/conf"
    serve 53 named -g -c "$d/conf"
}
dns-orderly() {
    begin dns named; named_on 'allow-transfer { any; };'; watch
    client dig dig +tcp +short @$S ns.example.net A
    expect client fin 'after goodbye' fine "The query was answered and the client closed."
    LINES_KEPT=1 client dig dig +tcp +onesoa +nocookie @$S example.net AXFR
    expect client fin 'after goodbye' fine "The zone was transferred whole and the client closed."
    finish 'AXFR ended'
}
dns-transfer-refused() {
    begin dns named; named_on 'allow-transfer { none; };'; watch
    client dig dig @$S example.net AXFR
    expect client fin 'after goodbye' failed "The server refused the transfer of the zone (REFUSED)."
    finish 'denied'
}
dns-idle-timeout() {
    begin dns named; named_on 'tcp-idle-timeout 20; tcp-initial-timeout 25;'; watch
    py socket "q=bytes.fromhex('001dabcd010000010000000000000265780000010001')[:0]; m=b'\xab\xcd\x01\0\0\1\0\0\0\0\0\0\2ns\7example\3net\0\0\1\0\1'; q=struct.pack('>H',len(m))+m; s=socket.create_connection((H,53),5); s.sendall(q); print(s.recv(500)[:12]); wait(3.5); s.sendall(q); print(s.recv(500)); s.sendall(q); print(s.recv(500))"
    expect server fin idle failed "The server closed the idle connection after 2 s; the client's next query was lost."
    finish
}
dns-server-stopped() {
    begin dns named; named_on; signal_server STOP; watch
    client dig dig +tcp +time=2 +tries=1 @$S ns.example.net
    expect client fin 'waiting for an answer' failed "The server's kernel took the query but the server never answered."
    finish
}
dns-refused() {
    begin dns -; watch
    client dig dig +tcp +time=2 +tries=1 @$S ns.example.net
    expect server refused connecting failed "Nothing listens on port 53 of TCP."
    finish
}
dns-filtered() {
    begin dns named; named_on; forget drop 53; watch
    client dig dig +tcp +time=2 +tries=1 @$S ns.example.net
    expect middlebox silence connecting failed "A filter drops DNS over TCP."
    finish
}
dns-malformed() {
    begin dns named; named_on; watch
    py socket "s=socket.create_connection((H,53),5); s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n'); s.settimeout(3); print(s.recv(500))"
    expect unknown fin 'waiting for an answer' failed "An HTTP request was sent to a DNS server, which waits for more."
    finish
}
