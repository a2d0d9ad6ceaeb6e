# BGP: BIRD on both sides.

bird_conf() { # FILE OWN PEER ASN PEER-ASN LINES
    cat >"$1" <<END
log "$RUN/$(basename "$1").log" all;
router id $2;
debug protocols { states, events };
protocol device {}
protocol static { ipv4; route 192.0.2.0/24 blackhole; }
protocol bgp peer {
  local $2 as $4;
  neighbor $3 as $5;
  multihop;
  connect delay time 1;
  connect retry time 3;
  error wait time 2, 4;
  hold time 6;
  keepalive time 2;
  $6
  ipv4 { import all; export all; };
}
END
}
birds() { # CLIENT-LINES SERVER-LINES [CLIENT'S IDEA OF THE SERVER'S AS]: the server's side is passive
    bird_conf "$WORK/client" $C $S 64502 "${3:-64501}" "$1"
    bird_conf "$WORK/server" $S $C 64501 64502 "$2"
    in_s bird -f -c "$WORK/server" -s "$WORK/bird-s" -P "$WORK/bird-s.pid" >>"$RUN/server.out" 2>&1 &
    sleep 0.5
}
bird_client() { # SECONDS
    CLIENT=bird
    ip netns exec "$NAME-c" timeout -s KILL "$1" bird -f -c "$WORK/client" -s "$WORK/bird-c" -P "$WORK/bird-c.pid" >/dev/null 2>&1
    TEXT=$(grep -aE "${1:+$BGP_ERRORS}" "$RUN/client.log" | grep -a -m2 RMT | paste -sd'~' | sed 's/~/ ~ /g')
    [ -n "$TEXT" ] || TEXT=$(grep -aE 'Connection (lost|closed)|session closed' "$RUN/client.log" | head -1)
    printf '%s\t%s\n' bird "$TEXT" >>"$RUN/texts"
    cat "$RUN/client.log" >>"$RUN/client.txt"
    cat "$RUN/server.log" >>"$RUN/server.txt"
}
BGP_ERRORS='<RMT>|peer: .*(Error|error|Received|closed|lost|expired|Invalid|shutdown|collision)'
bgp-shutdown() {
    begin bgp bird; birds '' 'passive;'; watch
    after 4 in_s birdc -s "$WORK/bird-s" disable peer '"maintenance"'
    bird_client 5.2
    expect server fin idle fine "The server ended the session for administration: NOTIFICATION Cease, Administrative Shutdown."
    finish "$BGP_ERRORS"
}
bgp-wrong-as() {
    begin bgp bird; birds '' 'passive;' 64599; watch
    bird_client 4
    expect client fin connecting failed "NOTIFICATION OPEN Message Error, Bad Peer AS: the neighbour has another AS number than is configured."
    finish "$BGP_ERRORS"
}
bgp-hold-timer() {
    begin bgp bird; birds '' 'passive;'; watch
    after 4 forget drop 179
    bird_client 12
    expect middlebox silence idle failed "Nothing passed any more; after the hold time of 6 s without a message each side gave the session up."
    finish "$BGP_ERRORS"
}
bgp-peer-stopped() {
    begin bgp bird; birds '' 'passive;'; watch
    after 4 signal_server STOP
    bird_client 12
    expect client fin idle failed "The server sent no KEEPALIVE for the hold time of 6 s: NOTIFICATION Hold Timer Expired from the client."
    finish "$BGP_ERRORS"
}
bgp-killed() {
    begin bgp bird; birds '' 'passive;'; watch
    after 4 signal_server KILL
    bird_client 5
    expect server fin idle failed "The server's end closed the session without NOTIFICATION."
    finish "$BGP_ERRORS"
}
bgp-client-killed() {
    begin bgp bird; birds '' ''; watch
    bird_client 6
    expect client fin idle failed "The client's end closed the session without NOTIFICATION."
    finish "$BGP_ERRORS"
}
bgp-refused() {
    begin bgp -; bird_conf "$WORK/client" $C $S 64502 64501 ''; : >"$RUN/server.log"; watch
    bird_client 3
    expect server refused connecting failed "Nothing listens on port 179."
    finish
}
bgp-second-connection() { # two connections of one neighbour, spoken by hand
    begin bgp bird; birds '' 'passive;'; watch
    py socket "o=b'\xff'*16+bytes.fromhex('001d0104fbf600060a4f000200'); a=socket.create_connection((H,179),5); a.sendall(o); print(a.recv(99).hex()); b=socket.create_connection((H,179),5); b.sendall(o); print(b.recv(99).hex()); print(b.recv(99).hex())"
    expect unknown unknown unknown unknown "The first connection of this neighbour."
    expect unknown unknown unknown failed "The neighbour has a connection already, and the second was refused."
    cat "$RUN/server.log" >>"$RUN/server.txt"
    finish 'collision|rejected'
}
