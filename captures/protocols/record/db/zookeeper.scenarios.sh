# ZooKeeper: one server, with short ticks so that a session expires after seconds.

zookeeper_begin() { # NAME
    SERVER_LOG=$WORK/zookeeper.log
    : >"$SERVER_LOG"
    rm -rf "$WORK/zookeeper"
    in_s java -Dzookeeper.admin.enableServer=false -cp /etc/zookeeper/conf:/usr/share/java/zookeeper.jar \
        org.apache.zookeeper.server.ZooKeeperServerMain \
        2181 "$WORK/zookeeper" 500 >"$SERVER_LOG" 2>&1 &
    listening 2181
    sleep 1
    begin "$1" ZooKeeper 2181 "ZooKeeper 3.8.0"
}
zookeeper-orderly() {
    zookeeper_begin zookeeper-orderly-$1
    session $1 /a /b @close
    finish
    expect client fin idle fine "An orderly session: the client closed its session, the server answered, and the client closed."
}
zookeeper-killed-idle() {
    zookeeper_begin zookeeper-killed-idle-$1
    session $1 /a "@sleep 2.5" /b @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin idle fine "The server closed the idle connection (its process ended)."
    expect server refused connecting failed "Nothing listens on port 2181 any more."
}
signal_client() { # SIGNAL: to the program, not to the recorder beside it
    for process in $(ip netns pids "$NAME-c"); do
        grep -q python "/proc/$process/comm" 2>/dev/null && kill "-$1" "$process"
    done
}
# The client is stopped, so that it sends no pings.
zookeeper-expired() {
    zookeeper_begin zookeeper-expired-$1
    TIMEOUT=2 session $1 /a "@sleep 5" @close & local c=$!
    answered
    signal_client STOP
    sleep 5
    signal_client CONT
    wait $c
    finish
    expect server fin idle failed "The client sent no ping for its session timeout; the server expired the session and closed."
}
zookeeper-refused() {
    SERVER_LOG=
    begin zookeeper-refused-$1 ZooKeeper 2181 none
    TIMEOUT=2 session $1 /a @close
    finish
    expect server refused connecting failed "Nothing listens on port 2181."
}
