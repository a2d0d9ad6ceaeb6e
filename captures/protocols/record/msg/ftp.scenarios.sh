# FTP: vsftpd.

vsftpd_on() { # SETTING=VALUE...
    local d=$WORK/ftp
    mkdir -p "$d/root/in" /var/run/vsftpd/empty && chmod 755 "$d" "$d/root" && chown ftp "$d/root/in"
    seq 1 8000 >"$d/root/file" && chmod 644 "$d/root/file"
    printf '%s\n' listen=YES listen_ipv6=NO background=NO anonymous_enable=YES local_enable=YES no_anon_password=NO anon_root=$d/root \
        write_enable=YES anon_upload_enable=YES seccomp_sandbox=NO isolate=NO isolate_network=NO xferlog_enable=YES xferlog_std_format=NO trans_chunk_size=4096 log_ftp_protocol=YES \
        vsftpd_log_file="$RUN/server.txt" pasv_address=$S connect_from_port_20=YES "$@" >"$d/conf"
    serve 21 vsftpd "$d/conf"
}
ftp-orderly() {
    begin ftp vsftpd; vsftpd_on; watch
    py ftplib "f=ftplib.FTP(H,timeout=5); f.login(); f.retrbinary('RETR file',lambda d:0,rest=36000); print(f.quit())"
    expect both fin 'after goodbye' fine "The control connection ended with QUIT."
    expect server fin 'after goodbye' fine "The data connection of a download, closed at its end by the server."
    finish QUIT
}
ftp-active() {
    begin ftp vsftpd; vsftpd_on; watch
    client curl curl -sS --ftp-port - --disable-eprt -r 36000- -o /dev/null ftp://$S/file
    expect both fin 'after goodbye' fine "The control connection ended with QUIT."
    expect server fin 'after goodbye' fine "The active data connection of a download, opened and closed by the server."
    finish QUIT
}
ftp-active-blocked() {
    begin ftp vsftpd; vsftpd_on connect_timeout=2
    in_c sh -c 'nft add table ip b; nft add chain ip b i "{ type filter hook input priority 0; }"; nft add rule ip b i tcp sport 20 drop'; watch
    py ftplib "f=ftplib.FTP(H,timeout=6); f.login(); f.set_pasv(False); f.retrbinary('RETR file',lambda d:0)"
    expect client fin idle failed "The server could not open the data connection to the client (425)."
    expect middlebox silence connecting failed "The server's data connection to the client is not answered: a filter drops active FTP."
    in_c nft delete table ip b
    finish '425|FAIL'
}
ftp-passive-blocked() {
    begin ftp vsftpd; vsftpd_on pasv_min_port=40000 pasv_max_port=40000
    forget drop 40000; watch
    client curl curl -sS --connect-timeout 3 --disable-epsv -o /dev/null ftp://$S/file
    expect client fin 'waiting for an answer' failed "The passive data connection could not be opened."
    expect middlebox silence connecting failed "The data connection to the server's passive port 40000 is not answered: a filter drops it."
    py ftplib "f=ftplib.FTP(H,timeout=3); f.login(); f.retrbinary('RETR file',lambda d:0)"
    expect client fin 'waiting for an answer' failed "The passive data connection could not be opened."
    expect middlebox silence connecting failed "The data connection to the server's passive port 40000 is not answered: a filter drops it."
    finish
}
ftp-wrong-password() {
    begin ftp vsftpd; vsftpd_on; watch
    py ftplib "f=ftplib.FTP(H,timeout=9); f.login('root','wrong')"
    expect client fin idle failed "The server refused the login (530)."
    client curl curl -sS ftp://user:wrong@$S/file
    expect client fin idle failed "The server refused the login (530)."
    client lftp lftp -e 'set net:max-retries 1; ls; exit' -u user,wrong $S
    expect client fin 'after goodbye' failed "The server refused the login (530)."
    finish 'FAIL|530'
}
ftp-idle-timeout() {
    begin ftp vsftpd; vsftpd_on idle_session_timeout=2; watch
    py ftplib "f=ftplib.FTP(H,timeout=5); f.login(); wait(3.5); f.pwd()"
    expect server fin idle failed "The server closed after 2 s without a command (421); the client's next command came too late."
    finish '421'
}
ftp-too-many() {
    begin ftp vsftpd; vsftpd_on max_clients=1; watch
    py ftplib "a=ftplib.FTP(H,timeout=5); b=ftplib.FTP(H,timeout=5)"
    expect client fin idle unknown "The client left before the login."
    expect server fin 'before first word' failed "The server refused the second client: too many connected (421)."
    finish '421'
}
ftp-not-found() {
    begin ftp vsftpd; vsftpd_on; watch
    client curl curl -sS ftp://$S/missing
    expect both fin 'after goodbye' failed "The server has no such file (550)."
    expect both fin idle failed "The data connection was closed without data: the file does not exist."
    client lftp lftp -e 'set net:max-retries 1; get missing; exit' $S
    expect both fin 'after goodbye' failed "The server has no such file (550)."
    finish '550'
}
ftp-killed-in-transfer() {
    begin ftp vsftpd; vsftpd_on anon_max_rate=4000; watch
    after 3.5 signal_server KILL
    py ftplib "f=ftplib.FTP(H,timeout=5); f.login(); f.retrbinary('RETR file',lambda d:0)"
    expect server fin 'waiting for an answer' failed "The server ended in the middle of the transfer, without a reply (226) to it."
    expect server fin mid-answer failed "The data connection ended in the middle of the file; the control connection never confirmed it."
    finish
}
ftp-client-left-in-transfer() {
    begin ftp vsftpd; vsftpd_on anon_max_rate=4000; watch
    client curl curl -sS -m 2 -o /dev/null ftp://$S/file
    expect client fin 'waiting for an answer' failed "The client gave up after 2 s in the middle of the transfer."
    expect client fin mid-answer failed "The client closed the data connection in the middle of the file."
    finish '426|FAIL'
}
ftp-tls-refused() {
    begin ftp vsftpd; vsftpd_on; watch
    client curl curl -sS --ssl-reqd ftp://$S/file
    expect both fin idle failed "The server does not offer TLS (530 to AUTH), which the client asks for."
    py ftplib "f=ftplib.FTP_TLS(H,timeout=5,context=TLS); f.login()"
    expect client fin idle failed "The server does not offer TLS (530 to AUTH), which the client asks for."
    finish 'AUTH|530'
}
