# LDAP: OpenLDAP's slapd.

ldap_begin() { # NAME [DIRECTIVES]
    local data=$WORK/ldap
    SERVER_LOG=$WORK/slapd.log
    rm -rf "$data" && mkdir -p "$data/db"
    cat >"$data/slapd.conf" <<CONFIGURATION
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile $WORK/tls/server.pem
TLSCertificateKeyFile $WORK/tls/server.key
${2:-}
database mdb
maxsize 10485760
suffix dc=example,dc=net
rootdn cn=admin,dc=example,dc=net
rootpw secret
directory $data/db
CONFIGURATION
    for i in 0 1 2 3 4 5; do
        [ $i = 0 ] && printf 'dn: dc=example,dc=net\nobjectClass: dcObject\nobjectClass: organization\no: Example\n\n'
        [ $i = 0 ] || printf 'dn: cn=user%s,dc=example,dc=net\nobjectClass: person\nsn: User\n\n' $i
    done >"$data/data.ldif"
    slapadd -q -f "$data/slapd.conf" -l "$data/data.ldif" >/dev/null 2>&1
    in_s slapd -d 256 -f "$data/slapd.conf" -h "${LISTEN:-ldap://$SERVER/ ldaps://$SERVER/}" >"$SERVER_LOG" 2>&1 &
    listening "${3:-389}"
    begin "$1" LDAP "${3:-389}" "OpenLDAP slapd 2.5.13"
}
ldap-orderly() {
    ldap_begin ldap-orderly-$1
    session $1 "(objectClass=person)" @close
    finish
    expect client fin "after goodbye" fine "The client said goodbye (unbind) and closed."
}
ldap-left() {
    ldap_begin ldap-left-$1
    session $1 "(objectClass=person)" @leave
    finish
    expect client fin idle fine "The client closed without unbind."
}
ldap-killed-idle() {
    ldap_begin ldap-killed-idle-$1
    session $1 "(cn=user1)" "@sleep 2.5" "(cn=user2)" @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin idle failed "The server closed the idle connection without a word (its process ended); the client's next search met the closed connection."
}
ldap-killed-in-search() {
    ldap_begin ldap-killed-in-search-$1
    session $1 "(cn=user1)" "@sleep 1.5" "(cn=user2)" @close & local c=$!
    answered 0.5
    signal_server STOP
    sleep 2
    signal_server KILL
    wait $c
    finish
    expect server rst "waiting for an answer" failed "The server's process ended before it read the search; its host reset the connection."
}
ldap-idle-timeout() {
    ldap_begin ldap-idle-timeout-$1 "idletimeout 2"
    session $1 "(cn=user1)" "@sleep 6" "(cn=user2)" @close
    finish
    expect server fin idle failed "The server's idletimeout closed the connection; the client used it once more."
}
ldap-shutdown() {
    ldap_begin ldap-shutdown-$1
    session $1 "(cn=user1)" "@sleep 2" "(cn=user2)" @close & local c=$!
    answered
    signal_server TERM
    wait $c
    finish
    expect server fin idle failed "The server was shut down; the client used the closed connection once more."
}
ldap-wrong-password() {
    ldap_begin ldap-wrong-password-$1
    PASSWORD=wrong session $1 "(cn=user1)" @close
    finish
    expect client fin "after goodbye" failed "The server refused the bind: invalid credentials (49)."
}
ldap-size-limit() {
    ldap_begin ldap-size-limit-$1 "sizelimit 2"
    OPTIONS="-z 2" session $1 "(objectClass=person)" @close
    finish
    expect client fin "after goodbye" failed "The search had more entries than the limit (sizeLimitExceeded, 4); the connection is well."
}
ldap-stopped() {
    ldap_begin ldap-stopped-$1
    TIMEOUT=3 session $1 "(cn=user1)" "@sleep 1.5" "(cn=user2)" @close & local c=$!
    answered 0.5
    signal_server STOP
    wait $c
    finish
    expect client fin "waiting for an answer" failed "The server's host acknowledged the search and the server never answered; the client gave up after 3 s."
}
ldap-stopped-connect() {
    ldap_begin ldap-stopped-connect-$1
    signal_server STOP
    TIMEOUT=3 OPTIONS="-o nettimeout=3" session $1 "(cn=user1)" @close
    finish
    expect client fin "waiting for an answer" failed "The server's host accepted the connection and the server never answered the bind; the client gave up."
}
ldap-refused() {
    SERVER_LOG=
    begin ldap-refused-$1 LDAP 389 none
    session $1 "(cn=user1)" @close
    finish
    expect server refused connecting failed "Nothing listens on port 389."
}
ldap-tls-orderly() {
    ldap_begin ldap-tls-orderly-$1 "" 636
    TLS=ldaps URL=ldaps://$SERVER CA=$WORK/tls/server.pem session $1 "(cn=user1)" @close
    finish
    expect client fin "after goodbye" fine "An orderly session inside TLS."
}
ldap-tls-untrusted() {
    ldap_begin ldap-tls-untrusted-$1 "" 636
    TLS=ldaps URL=ldaps://$SERVER CA=$WORK/tls/other.pem session $1 "(cn=user1)" @close
    finish
    expect client fin "before first word" failed "The client did not accept the server's certificate."
}
ldap-starttls() {
    ldap_begin ldap-starttls-$1
    TLS=starttls OPTIONS=-ZZ CA=$WORK/tls/server.pem session $1 "(cn=user1)" @close
    finish
    expect client fin "after goodbye" fine "An orderly session that went to TLS by StartTLS."
}
ldap-starttls-unsupported() {
    ldap_begin ldap-starttls-unsupported-$1 "disallow tls_2_anon"
    sed -i '/^TLSCert/d' "$WORK/ldap/slapd.conf"
    signal_server KILL
    sleep 0.3
    in_s slapd -d 256 -f "$WORK/ldap/slapd.conf" -h "ldap://$SERVER/" >"$SERVER_LOG" 2>&1 &
    listening 389
    TLS=starttls OPTIONS=-ZZ CA=$WORK/tls/server.pem session $1 "(cn=user1)" @close
    finish
    expect client fin "after goodbye" failed "The client asked for StartTLS and the server does not offer it."
}
ldap-forgotten-drop() {
    ldap_begin ldap-forgotten-drop-$1
    session $1 "(cn=user1)" "@sleep 2" "(cn=user2)" @close & local c=$!
    answered 0.5
    forget drop 389
    wait $c
    finish
    expect nobody silence "waiting for an answer" failed "The search was sent again and again and never acknowledged: the path or the server dropped the idle connection in silence."
}
ldap-forgotten-rst() {
    ldap_begin ldap-forgotten-rst-$1
    session $1 "(cn=user1)" "@sleep 2" "(cn=user2)" @close & local c=$!
    answered 0.5
    forget rst 389
    wait $c
    finish
    expect middlebox rst "waiting for an answer" failed "A device between reset the idle connection when the client used it again."
}
