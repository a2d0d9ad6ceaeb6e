# SMB (samba), rsync, git and RDP (xrdp).

smbd_on() {
    local d=$WORK/samba
    rm -rf "$d" && mkdir -p "$d/share" "$d/private" "$d/lock" "$d/state" "$d/cache" "$d/ncalrpc"
    seq 1 500 >"$d/share/file" && chmod -R a+rX "$d/share"
    cat >"$d/conf" <<END
[global]
interfaces = $S
bind interfaces only = yes
private dir = $d/private
lock directory = $d/lock
state directory = $d/state
cache directory = $d/cache
pid directory = $d
ncalrpc dir = $d/ncalrpc
map to guest = never
log file = $RUN/server.txt
log level = 2
disable netbios = yes
smb ports = 445
$*
[share]
path = $d/share
guest ok = no
END
    printf 'right\nright\n' | smbpasswd -c "$d/conf" -s -a root >/dev/null 2>&1
    serve 445 smbd -F --no-process-group -s "$d/conf"
}
smb-orderly() {
    begin smb smbd; smbd_on; watch
    client smbclient smbclient -s /dev/null -U root%right //$S/share -c 'get file /dev/null'
    expect client fin 'after goodbye' fine "The file was read and the client closed."
    finish
}
smb-wrong-password() {
    begin smb smbd; smbd_on; watch
    client smbclient smbclient -s /dev/null -U root%wrong //$S/share -c ls
    expect client fin idle failed "The server refused the login (STATUS_LOGON_FAILURE)."
    client smbclient smbclient -s /dev/null -U root%right //$S/missing -c ls
    expect client fin idle failed "The server has no share of that name (STATUS_BAD_NETWORK_NAME)."
    client curl curl -sS -m 5 --http0.9 http://$S:445/
    expect server unknown 'waiting for an answer' failed "An HTTP request was sent to an SMB server."
    finish 'FAILED|WRONG|Invalid'
}
smb-old-version() {
    begin smb smbd; smbd_on 'server min protocol = SMB3'; watch
    client smbclient smbclient -s /dev/null -m NT1 --option='client min protocol=NT1' -U root%right //$S/share -c ls
    expect unknown unknown connecting failed "Client and server have no version of the protocol in common."
    finish 'protocol'
}
smb-killed() {
    begin smb smbd; smbd_on; watch
    after 1.5 signal_server KILL
    client smbclient sh -c "(sleep 2.2; echo ls) | smbclient -s /dev/null -U root%right //$S/share"
    expect server fin idle failed "The server ended while the session was idle; the client's next command failed."
    finish
}
rsyncd_on() {
    mkdir -p "$WORK/rsync/root" && seq 1 3000 >"$WORK/rsync/root/file"
    printf '%s\n' 'use chroot = no' "log file = $RUN/server.txt" "$@" '[files]' "path = $WORK/rsync/root" 'max connections = 1' "lock file = $WORK/rsync/lock" >"$WORK/rsync/conf"
    serve 873 rsync --daemon --no-detach --config "$WORK/rsync/conf" --address $S
}
rsync-orderly() {
    begin rsync rsync; rsyncd_on; watch
    client rsync rsync -q rsync://$S/files/file "$RUN/copy"
    expect client fin 'after goodbye' fine "The file was copied."
    client rsync rsync -q rsync://$S/missing/file "$RUN/copy"
    expect server fin 'waiting for an answer' failed "The server has no module of that name (@ERROR: Unknown module)."
    finish 'unknown module'
}
rsync-killed() {
    begin rsync rsync; rsyncd_on; watch
    after 1.5 signal_server KILL
    client rsync rsync -q --bwlimit=2 rsync://$S/files/file "$RUN/copy2"
    expect server unknown mid-answer failed "The server ended in the middle of the transfer."
    finish
}
git-refused() {
    begin git git-daemon
    mkdir -p "$WORK/git" && git init -q --bare "$WORK/git/a.git" 2>/dev/null
    serve 9418 git daemon --verbose --listen=$S --base-path="$WORK/git"; watch
    client git git ls-remote git://$S/a.git
    expect server fin 'waiting for an answer' failed "The server does not export the repository (access denied or repository not exported)."
    finish 'not exported|error'
}
rdp-protocols() { # the connection request of X.224 by hand, then TLS
    begin rdp xrdp
    local d=$WORK/xrdp
    rm -rf "$d" && mkdir -p "$d" && cp /etc/xrdp/* "$d/" 2>/dev/null
    sed -i -e "s|^port=3389|port=tcp://$S:3389|" -e 's|^security_layer=.*|security_layer=tls|' -e "s|^certificate=.*|certificate=$WORK/server.pem|" \
        -e "s|^key_file=.*|key_file=$WORK/server.key|" -e "s|^LogFile=.*|LogFile=$RUN/server.txt|" -e 's|^EnableSyslog=.*|EnableSyslog=false|' "$d/xrdp.ini"
    serve 3389 xrdp --nodaemon --config "$d/xrdp.ini"; watch
    py socket "s=socket.create_connection((H,3389),5); s.sendall(bytes.fromhex('030000130ee000000000000100080001000000')); print(s.recv(99).hex()); t=TLS.wrap_socket(s); print(t.version()); t.close()"
    expect client fin connecting unknown "Client and server agreed on TLS; the client closed after the handshake."
    py socket "raw(3389,bytes.fromhex('030000130ee000000000000100080000000000'))"
    expect server fin connecting failed "The server requires TLS, which the client did not offer (SSL_REQUIRED_BY_SERVER)."
    client curl curl -sS -m 4 --http0.9 http://$S:3389/
    expect server fin 'waiting for an answer' failed "An HTTP request was sent to an RDP server."
    finish 'ERROR|error|fail'
}
