# SMTP: postfix, and aiosmtpd where the session must be held up.

postfix_on() { # SETTING=VALUE...
    local d=$WORK/postfix
    rm -rf "$d" && mkdir -p "$d/etc" "$d/queue" "$d/data" && chown postfix "$d/data"
    cp /usr/share/postfix/master.cf.dist "$d/etc/master.cf"
    sed -i -E 's/^([a-z]+ +(inet|unix|unix-dgram|fifo) +[-yn]+ +[-yn]+ +)y/\1n/' "$d/etc/master.cf"
    echo 'smtps inet n - n - - smtpd -o smtpd_tls_wrappermode=yes' >>"$d/etc/master.cf"
    cat >"$d/etc/main.cf" <<END
compatibility_level=3.6
myhostname=mail.example.net
mydestination=example.net
local_recipient_maps=
local_transport=discard:
default_transport=discard:
inet_interfaces=$S
inet_protocols=ipv4
queue_directory=$d/queue
data_directory=$d/data
maillog_file=$RUN/server.txt
maillog_file_prefixes=/var
smtpd_peername_lookup=no
smtpd_tls_security_level=may
smtpd_tls_cert_file=$WORK/server.pem
smtpd_tls_key_file=$WORK/server.key
alias_maps=
alias_database=
END
    printf '%s\n' "$@" >>"$d/etc/main.cf"
    in_s postfix -c "$d/etc" set-permissions >/dev/null 2>&1
    serve 25 postfix -c "$d/etc" start
}
MAIL="From: a@example.org\nTo: b@example.net\nSubject: hello\n\nA line of the message.\n"

smtp-orderly() {
    begin smtp postfix; postfix_on; watch
    py smtplib "s=smtplib.SMTP(H,timeout=5); s.sendmail('a@example.org',['b@example.net'],'$MAIL'); print(s.quit())"
    expect both fin 'after goodbye' fine "The message was accepted and the client said QUIT."
    client swaks swaks --server $S --from a@example.org --to b@example.net --helo client.example.org
    expect both fin 'after goodbye' fine "The message was accepted and the client said QUIT."
    finish 'disconnect from'
}
smtp-no-goodbye() {
    begin smtp postfix; postfix_on; watch
    py smtplib "s=smtplib.SMTP(H,timeout=5); s.sendmail('a@example.org',['b@example.net'],'$MAIL'); leave()"
    expect client fin idle fine "The message was accepted; the client closed without QUIT."
    py smtplib "s=smtplib.SMTP(H,timeout=5); s.ehlo(); s.mail('a@example.org'); s.rcpt('b@example.net'); s.putcmd('data'); s.getreply(); s.send('Subject: half a message\r\n'); leave()"
    expect client fin 'while sending' failed "The client closed in the middle of the message, which is not delivered."
    finish 'lost connection'
}
smtp-idle-timeout() {
    begin smtp postfix; postfix_on smtpd_timeout=2s; watch
    py smtplib "s=smtplib.SMTP(H,timeout=5); s.ehlo(); wait(4); print(s.mail('a@example.org')); print(s.noop())"
    expect server fin idle failed "The server closed after 2 s without a command (421); the client's next command came too late."
    js nodemailer "const t=require('nodemailer').createTransport({host:H,port:25,pool:true,maxConnections:1,ignoreTLS:true}); const m={from:'a@example.org',to:'b@example.net',subject:'x',text:'y'}; console.log((await t.sendMail(m)).response); await wait(3500); console.log((await t.sendMail(m)).response)"
    expect server fin idle fine "The server closed the pooled connection after 2 s of silence (421); the client opened another."
    expect client fin idle fine "The second message was accepted on a new connection."
    finish 'timeout after'
}
smtp-too-large() {
    begin smtp postfix; postfix_on message_size_limit=2000; watch
    py smtplib "s=smtplib.SMTP(H,timeout=5); s.sendmail('a@example.org',['b@example.net'],'$MAIL'+'x'*70*1+'\n'*1+('y'*70+'\n')*50)"
    expect client fin idle failed "The server refused the message: larger than its limit (552)."
    client curl curl -sS --url smtp://$S --mail-from a@example.org --mail-rcpt b@example.net -T /etc/services
    expect both fin 'after goodbye' failed "The server refused the announced size of the message (552)."
    finish 'NOQUEUE|size|disconnect from'
}
smtp-too-many() {
    begin smtp postfix; postfix_on smtpd_client_connection_count_limit=1 smtpd_client_event_limit_exceptions=; watch
    py smtplib "s=smtplib.SMTP(H,timeout=5); s.ehlo(); wait(0.3); t=smtplib.SMTP(H,timeout=5)"
    expect client fin idle fine "The client closed without QUIT."
    expect server fin 'before first word' failed "The server refused the second connection of this client: too many connections (421)."
    finish 'Connection concurrency|too many'
}
smtp-relay-denied() {
    begin smtp postfix; postfix_on; watch
    client swaks swaks --server $S --from a@example.org --to c@example.com --helo client.example.org
    expect both fin 'after goodbye' failed "The server refused the recipient: relay access denied (454 or 554)."
    js nodemailer "const t=require('nodemailer').createTransport({host:H,port:25,ignoreTLS:true}); console.log((await t.sendMail({from:'a@example.org',to:'c@example.com',text:'y'})).response)"
    expect both fin 'after goodbye' failed "The server refused the recipient: relay access denied (454 or 554)."
    finish 'NOQUEUE: reject'
}
smtp-starttls() {
    begin smtp postfix; postfix_on; watch
    py smtplib "s=smtplib.SMTP(H,timeout=5); s.starttls(context=TLS); s.sendmail('a@example.org',['b@example.net'],'$MAIL'); print(s.quit())"
    expect both fin 'after goodbye' unknown "The session went over to TLS; it closed in order."
    py smtplib "s=smtplib.SMTP(H,timeout=5); s.starttls(context=ssl.create_default_context())"
    expect client fin connecting failed "The client refused the server's certificate (self-signed) and closed."
    finish 'SSL_accept|alert'
}
smtp-starttls-refused() {
    begin smtp postfix; postfix_on smtpd_tls_security_level=none; watch
    py smtplib "s=smtplib.SMTP(H,timeout=5); s.starttls(context=TLS)"
    expect client fin idle failed "The server does not offer STARTTLS, which the client asks for."
    client curl curl -sS --ssl-reqd --url smtp://$S --mail-from a@example.org --mail-rcpt b@example.net -T /etc/hostname
    expect client fin idle failed "The server does not offer STARTTLS, which the client asks for."
    js nodemailer "const t=require('nodemailer').createTransport({host:H,port:25,requireTLS:true}); await t.sendMail({from:'a@example.org',to:'b@example.net',text:'y'})"
    expect client fin 'waiting for an answer' failed "The server refused STARTTLS, which the client asks for."
    finish 'lost connection|disconnect from'
}
smtp-tls-to-plain() {
    begin smtp postfix; postfix_on; watch
    py smtplib "smtplib.SMTP_SSL(H,25,timeout=5,context=TLS)"
    expect client fin connecting failed "The client spoke TLS to the port where SMTP begins in plain text (the server's greeting came instead)."
    js nodemailer "const t=require('nodemailer').createTransport({host:H,port:25,secure:true,tls:{rejectUnauthorized:false}}); await t.sendMail({from:'a@example.org',to:'b@example.net',text:'y'})"
    expect client fin connecting failed "The client spoke TLS to the port where SMTP begins in plain text."
    finish 'non-SMTP|lost connection|disconnect from'
}
smtp-plain-to-tls() {
    begin smtp postfix; postfix_on; watch
    py smtplib "smtplib.SMTP(H,465,timeout=3)"
    expect client fin 'before first word' failed "The client waited for a greeting in plain text on a port that expects TLS at once; neither said a word."
    py socket "raw(465,'EHLO client.example.org\r\n')"
    expect server fin connecting failed "The client spoke SMTP in plain text to a port that expects TLS."
    finish 'SSL_accept|lost connection|TLS library'
}
smtp-http-sent() {
    begin smtp postfix; postfix_on; watch
    client curl curl -sS -m 5 --http0.9 http://$S:25/
    expect server fin 'waiting for an answer' failed "An HTTP request was sent to an SMTP server, which refused it (221 I can break rules too)."
    finish 'non-SMTP|GET'
}
smtp-server-killed() {
    begin smtp aiosmtpd
    serve 25 /usr/bin/python3 "$HERE/msg/smtp_server.py" slow; watch
    after 1.5 signal_server KILL
    py smtplib "s=smtplib.SMTP(H,timeout=9); s.sendmail('a@example.org',['b@example.net'],'$MAIL')"
    expect server fin 'waiting for an answer' failed "The server ended before it answered the end of the message: it is not known whether the message was accepted."
    finish
}
smtp-wrong-password() {
    begin smtp aiosmtpd
    serve 25 /usr/bin/python3 "$HERE/msg/smtp_server.py" auth; watch
    py smtplib "s=smtplib.SMTP(H,timeout=5); s.login('user','wrong')"
    expect client fin idle failed "The server refused the user name or the password (535)."
    client curl curl -sS --url smtp://$S --user user:wrong --mail-from a@example.org --mail-rcpt b@example.net -T /etc/hostname
    expect client fin idle failed "The server refused the user name or the password (535)."
    finish
}
smtp-refused() {
    begin smtp -; watch
    py smtplib "smtplib.SMTP(H,timeout=5)"
    expect server refused connecting failed "Nothing listens on port 25."
    client swaks swaks --server $S --from a@example.org --to b@example.net
    expect server refused connecting failed "Nothing listens on port 25."
    js nodemailer "await require('nodemailer').createTransport({host:H,port:25}).sendMail({from:'a@example.org',to:'b@example.net',text:'y'})"
    expect server refused connecting failed "Nothing listens on port 25."
    finish
}
smtp-server-stopped() {
    begin smtp aiosmtpd
    serve 25 /usr/bin/python3 "$HERE/msg/smtp_server.py" plain; signal_server STOP; watch
    py smtplib "smtplib.SMTP(H,timeout=2)"
    expect client fin 'before first word' failed "The server's kernel accepted the connection, but the server never sent its greeting."
    js nodemailer "await require('nodemailer').createTransport({host:H,port:25,greetingTimeout:2000}).sendMail({from:'a@example.org',to:'b@example.net',text:'y'})"
    expect client fin 'before first word' failed "The server's kernel accepted the connection, but the server never sent its greeting."
    finish
}
smtp-forgotten() {
    begin smtp postfix; postfix_on; watch
    after 1.5 forget drop 25
    py smtplib "s=smtplib.SMTP(H,timeout=4); s.ehlo(); wait(2.5); s.mail('a@example.org')"
    expect middlebox silence 'waiting for an answer' failed "After 2.5 s of silence nothing passed any more: the command was repeated and never acknowledged."
    finish
}
smtp-forgotten-rst() {
    begin smtp postfix; postfix_on; watch
    after 1.5 forget rst 25
    py smtplib "s=smtplib.SMTP(H,timeout=4); s.ehlo(); wait(2.5); s.mail('a@example.org')"
    expect middlebox rst 'waiting for an answer' failed "The command after a pause of 2.5 s was answered with a reset."
    finish
}
