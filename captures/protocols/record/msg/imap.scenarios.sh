# IMAP and POP3: dovecot.

dovecot_on() { # LINE...
    local d=$WORK/dovecot
    rm -rf "$d" && mkdir -p "$d/mail/user" && chmod 755 "$d"
    cat >"$d/conf" <<END
base_dir = $d/run
state_dir = $d/state
protocols = imap pop3
listen = $S
log_path = $RUN/server.txt
ssl = yes
ssl_cert = <$WORK/server.pem
ssl_key = <$WORK/server.key
disable_plaintext_auth = no
mail_location = maildir:$d/mail/%u
passdb {
  driver = static
  args = password=right
}
userdb {
  driver = static
  args = uid=mail gid=mail home=$d/mail/%u
}
first_valid_uid = 1
END
    printf '%s\n' "$@" >>"$d/conf"
    mkdir -p "$d/mail/user/new" "$d/mail/user/cur" "$d/mail/user/tmp"
    { printf 'From: a@example.org\nSubject: long\n\n'; seq 1 1500; } >"$d/mail/user/new/1.long"
    chown -R mail:mail "$d/mail"
    serve 143 dovecot -F -c "$d/conf"
}
imap-orderly() {
    begin imap dovecot; dovecot_on; watch
    py imaplib "m=imaplib.IMAP4(H,timeout=5); m.login('user','right'); m.select(); m.fetch('1','(FLAGS)'); print(m.logout())"
    expect both fin 'after goodbye' fine "The client said LOGOUT and both sides closed."
    finish 'Logged out'
}
imap-no-goodbye() {
    begin imap dovecot; dovecot_on; watch
    py imaplib "m=imaplib.IMAP4(H,timeout=5); m.login('user','right'); m.select(); leave()"
    expect client fin idle unknown "The client closed without LOGOUT."
    finish 'Disconnected|Connection closed'
}
imap-wrong-password() {
    begin imap dovecot; dovecot_on; watch
    py imaplib "m=imaplib.IMAP4(H,timeout=9); m.login('user','wrong')"
    expect client fin idle failed "The server refused the user name or the password."
    client curl curl -sS imap://user:wrong@$S/
    expect unknown fin 'after goodbye' failed "The server refused the user name or the password."
    finish 'auth failed'
}
imap-too-many() {
    begin imap dovecot; dovecot_on 'mail_max_userip_connections = 1'; watch
    py imaplib "m=imaplib.IMAP4(H,timeout=5); m.login('user','right'); n=imaplib.IMAP4(H,timeout=5); n.login('user','right'); n.select()"
    expect client fin idle unknown "The client closed without LOGOUT."
    expect server fin idle failed "The server refused the second connection of this user: too many."
    finish 'Maximum|mail_max'
}
imap-kicked() {
    begin imap dovecot; dovecot_on; watch
    after 1.5 in_s doveadm -c "$WORK/dovecot/conf" kick user
    py imaplib "m=imaplib.IMAP4(H,timeout=5); m.login('user','right'); m.select(); wait(2.8); m.noop()"
    expect server fin idle failed "The server ended the idle session (BYE), and the client's next command came too late."
    finish 'Disconnected|Connection closed'
}
imap-server-killed() {
    begin imap dovecot; dovecot_on; watch
    after 1.8 signal_server KILL
    py imaplib "m=imaplib.IMAP4(H,timeout=8); m.login('user','right'); m.select(); m.send(b'x1 IDLE\r\n'); print(m.readline()); print(m.readline()); m.noop()"
    expect server fin idle failed "The server ended without BYE."
    finish
}
imap-server-stopped() {
    begin imap dovecot; dovecot_on; watch
    after 1.2 signal_server STOP
    py imaplib "m=imaplib.IMAP4(H,timeout=3); m.login('user','right'); m.select(); wait(1.5); m.noop()"
    expect client fin 'waiting for an answer' failed "The server's kernel acknowledged the command but the server never answered; the client gave up after 3 s."
    finish
}
imap-forgotten() {
    begin imap dovecot; dovecot_on; watch
    after 1.5 forget drop 143
    py imaplib "m=imaplib.IMAP4(H,timeout=4); m.login('user','right'); m.select(); wait(2); m.noop()"
    expect middlebox silence 'waiting for an answer' failed "After a pause of 2 s nothing passed any more."
    finish
}
imap-tls() {
    begin imap dovecot; dovecot_on; watch
    py imaplib "m=imaplib.IMAP4(H,timeout=5); m.starttls(TLS); m.login('user','right'); m.logout()"
    expect unknown fin 'after goodbye' unknown "The session went over to TLS; it closed in order."
    py imaplib "m=imaplib.IMAP4_SSL(H,143,timeout=5,ssl_context=TLS)"
    expect client fin connecting failed "TLS was spoken to the port where IMAP begins in plain text."
    py imaplib "m=imaplib.IMAP4(H,993,timeout=3)"
    expect client fin 'before first word' failed "The client waits for a greeting in plain text on a port that expects TLS at once."
    finish 'TLS|SSL'
}
pop3-orderly() {
    begin pop3 dovecot; dovecot_on; watch
    py poplib "p=poplib.POP3(H,timeout=5); p.user('user'); p.pass_('right'); print(p.stat()); print(p.quit())"
    expect both fin 'after goodbye' fine "The client said QUIT and both sides closed."
    finish 'Logged out'
}
pop3-wrong-password() {
    begin pop3 dovecot; dovecot_on; watch
    py poplib "p=poplib.POP3(H,timeout=9); p.user('user'); p.pass_('wrong')"
    expect client fin idle failed "The server refused the user name or the password (-ERR)."
    client curl curl -sS pop3://user:wrong@$S/
    expect unknown fin 'after goodbye' failed "The server refused the user name or the password (-ERR)."
    finish 'auth failed'
}
pop3-client-left() {
    begin pop3 dovecot; dovecot_on; watch
    py poplib "p=poplib.POP3(H,timeout=9); p.user('user'); p.pass_('right'); p._putcmd('RETR 1'); print(p._getline()); reset(p.sock); leave()"
    expect client rst mid-answer failed "The client reset the connection in the middle of a message."
    finish 'Disconnected|Connection'
}
pop3-server-killed() {
    begin pop3 dovecot; dovecot_on; watch
    after 4 signal_server KILL
    py poplib "p=poplib.POP3(H,timeout=9); p.user('user'); p.pass_('right'); wait(5); p.stat()"
    expect server fin idle failed "The server ended while the session was idle; the client's next command came too late."
    finish
}
