# SSH: sshd of OpenSSH.

sshd_on() { # OPTION=VALUE...
    local options=() option
    mkdir -p /run/sshd
    for option in PermitRootLogin=yes StrictModes=no UsePAM=no UseDNS=no LogLevel=VERBOSE "AuthorizedKeysFile=$WORK/user.pub" "$@"; do
        options+=(-o "$option")
    done
    serve 22 /usr/sbin/sshd -D -e -f /dev/null -h "$WORK/host" "${options[@]}"
}
SSH="ssh -F /dev/null -i $WORK/user -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=INFO -o ConnectTimeout=4"
PARAMIKO="import paramiko; c=paramiko.SSHClient(); c.set_missing_host_key_policy(paramiko.AutoAddPolicy())"

ssh-orderly() {
    begin ssh sshd; sshd_on; watch
    client ssh $SSH root@$S echo done
    expect client fin 'after goodbye' unknown "The session went in order; SSH ended with the client's disconnect message."
    finish 'Disconnected|Closed'
}
ssh-wrong-password() {
    begin ssh sshd; sshd_on PasswordAuthentication=yes MaxAuthTries=1; watch
    client ssh sshpass -p wrong $SSH -o PreferredAuthentications=password root@$S true
    expect server fin idle unknown "The connection ended after the key exchange; the reason (the password) is encrypted."
    py paramiko "$PARAMIKO; c.connect(H,username='root',password='wrong',look_for_keys=False,allow_agent=False,timeout=4)"
    expect server fin idle unknown "The connection ended after the key exchange; the reason (the password) is encrypted."
    finish 'Failed|maximum|Disconnect'
}
ssh-host-key-refused() {
    begin ssh sshd; sshd_on; watch
    client ssh ssh -F /dev/null -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/dev/null root@$S true
    expect client fin connecting failed "The client closed during the key exchange, after the server's host key: it does not accept the key."
    py paramiko "import paramiko; c=paramiko.SSHClient(); c.connect(H,username='root',password='x',timeout=4)"
    expect client fin connecting failed "The client closed during the key exchange, after the server's host key: it does not accept the key."
    finish 'closed by|reset by'
}
ssh-max-startups() {
    begin ssh sshd; sshd_on MaxStartups=1:100:1; watch
    py socket "a=socket.create_connection((H,22)); wait(0.3); raw(22)"
    expect client fin idle unknown "The client left before the key exchange."
    expect server fin 'before first word' failed "The server closed the connection before its version line: too many connections that are not logged in."
    py socket "a=socket.create_connection((H,22)); wait(0.3); import subprocess; print(subprocess.run('''$SSH root@$S true''',shell=True,capture_output=True,text=True).stderr)"
    expect client fin idle unknown "The client left before the key exchange."
    expect server fin 'before first word' failed "The server refused the connection: too many connections that are not logged in."
    finish 'MaxStartups|drop'
}
ssh-banned() {
    begin ssh sshd; sshd_on
    in_s sh -c 'nft add table ip b; nft add chain ip b i "{ type filter hook input priority 0; }"; nft add rule ip b i tcp dport 22 reject with tcp reset'; watch
    client ssh $SSH root@$S true
    expect server refused connecting failed "The connection was refused with a reset."
    py paramiko "$PARAMIKO; c.connect(H,username='root',password='wrong',timeout=4)"
    expect server refused connecting failed "The connection was refused with a reset."
    in_s nft delete table ip b
    finish
}
ssh-nothing-in-common() {
    begin ssh sshd; sshd_on KexAlgorithms=curve25519-sha256; watch
    client ssh $SSH -o KexAlgorithms=diffie-hellman-group14-sha256 root@$S true
    expect both fin connecting failed "Client and server have no key exchange method in common."
    finish 'negotiate'
}
ssh-server-stopped() {
    begin ssh sshd; sshd_on; signal_server STOP; watch
    client ssh $SSH -o ConnectTimeout=2 root@$S true
    expect client fin connecting failed "The connection was accepted but the server never sent its version line."
    py paramiko "$PARAMIKO; c.connect(H,username='root',password='wrong',timeout=2,banner_timeout=2)"
    expect client fin connecting failed "The connection was accepted but the server never sent its version line."
    finish
}
ssh-silent-client() {
    begin ssh sshd; sshd_on LoginGraceTime=2; watch
    py socket "raw(22,seconds=6)"
    expect server fin 'before first word' failed "The client did not log in within 2 s (LoginGraceTime), and the server closed."
    finish 'Timeout'
}
ssh-server-killed() {
    begin ssh sshd; sshd_on; watch
    after 2 signal_server KILL
    client ssh $SSH root@$S 'while :; do date; sleep 0.4; done'
    expect server fin mid-answer unknown "The server's end closed the connection in the middle of the session, without a disconnect message of the client."
    finish
}
ssh-client-killed() {
    begin ssh sshd; sshd_on; watch
    client ssh timeout -s KILL 1.5 $SSH root@$S 'sleep 20'
    expect client fin idle unknown "The client's end closed the connection; whether in order is encrypted."
    finish 'closed by|reset|Disconnected'
}
ssh-forgotten() {
    begin ssh sshd; sshd_on; watch
    after 2 forget drop 22
    client ssh $SSH -o ServerAliveInterval=1 -o ServerAliveCountMax=3 root@$S 'sleep 20'
    expect middlebox silence idle failed "From 2 s on nothing passed: the client's keep-alive messages went unanswered."
    finish
}
ssh-forgotten-rst() {
    begin ssh sshd; sshd_on; watch
    after 2.5 forget rst 22
    client ssh $SSH -o ServerAliveInterval=4 root@$S 'sleep 20'
    expect middlebox rst idle failed "The first data after the pause was answered with a reset."
    finish
}
ssh-alive-missed() {
    begin ssh sshd; sshd_on ClientAliveInterval=1 ClientAliveCountMax=2; watch
    py socket "import subprocess,signal; p=subprocess.Popen('''exec $SSH root@$S 'sleep 14' ''',shell=True,stderr=subprocess.PIPE,text=True); wait(4); p.send_signal(signal.SIGSTOP); wait(6); p.send_signal(signal.SIGCONT); print(p.stderr.read())"
    CLIENT=ssh
    expect server fin idle failed "The client's program did not answer three keep-alive messages, and the server closed."
    finish 'Timeout'
}
ssh-http-sent() {
    begin ssh sshd; sshd_on; watch
    client curl curl -sS -m 5 --http0.9 http://$S:22/
    expect server fin 'waiting for an answer' failed "An HTTP request was sent to an SSH server."
    client curl curl -sS -m 5 -k https://$S:22/
    expect client fin connecting failed "TLS was spoken to an SSH server."
    finish 'banner|Bad|version'
}
ssh-to-other() { # an SSH client at a mail server's port
    begin smtp aiosmtpd
    serve 25 /usr/bin/python3 "$HERE/msg/smtp_server.py" plain; watch
    client ssh $SSH -p 25 root@$S true
    expect client fin connecting failed "An SSH client was pointed at an SMTP server."
    finish
}
