# AMQP: RabbitMQ, started anew only when a scenario needs other settings.

rabbit_on() { # LINE...
    local d=$WORK/rabbit
    rm -rf "$d" && mkdir -p "$d"
    printf '%s\n' "listeners.tcp.1 = $S:5672" 'loopback_users = none' 'log.console = true' 'log.console.level = info' 'log.file = false' "$@" >"$d/rabbitmq.conf"
    export RABBITMQ_CONFIG_FILE=$d/rabbitmq RABBITMQ_MNESIA_BASE=$d/mnesia RABBITMQ_LOG_BASE=$d RABBITMQ_NODENAME=rabbit@localhost \
        RABBITMQ_ENABLED_PLUGINS_FILE=$d/plugins HOME=$d RABBITMQ_PID_FILE=$d/pid
    serve 5672 /usr/lib/rabbitmq/bin/rabbitmq-server
    for _ in $(seq 100); do grep -q 'Server startup complete' "$RUN/server.txt" && break; sleep 0.1; done
}
AMQPLIB="const a=require('amqplib'); const c=await a.connect('amqp://guest:guest@'+H+'/?heartbeat=2'); c.on('error',tell); c.on('close',(e)=>console.log('close',e&&e.message))"

amqp-orderly() {
    begin amqp rabbitmq; rabbit_on; watch
    py pika "c=pika(); h=c.channel(); h.queue_declare('q'); h.basic_publish('','q',b'hello'); print(h.basic_get('q',auto_ack=True)[2]); c.close()"
    expect both fin 'after goodbye' fine "The client closed the connection in order (200)."
    finish 'closing AMQP'
}
amqp-no-goodbye() {
    begin amqp rabbitmq; rabbit_on; watch
    py pika "c=pika(); h=c.channel(); leave()"
    expect client fin idle unknown "The client closed without Connection.Close."
    finish 'unexpectedly|closed'
}
amqp-wrong-password() {
    begin amqp rabbitmq; rabbit_on; watch
    py pika "import pika as p; pika(credentials=p.PlainCredentials('guest','wrong'))"
    expect unknown fin connecting failed "The server refused the login (403 ACCESS_REFUSED)."
    js amqplib "await require('amqplib').connect('amqp://guest:wrong@'+H)"
    expect unknown fin connecting failed "The server refused the login (403 ACCESS_REFUSED)."
    py pika "pika(virtual_host='missing')"
    expect unknown fin connecting failed "The server has no virtual host of that name (530 NOT_ALLOWED)."
    js amqplib "await require('amqplib').connect('amqp://guest:guest@'+H+'/missing')"
    expect unknown fin connecting failed "The server has no virtual host of that name (530 NOT_ALLOWED)."
    finish 'PLAIN login refused|refused:'
}
amqp-channel-exception() {
    begin amqp rabbitmq; rabbit_on; watch
    py pika "c=pika(); h=c.channel(); h.queue_declare('missing',passive=True)"
    expect client fin idle failed "The server closed the channel: there is no such queue (404 NOT_FOUND)."
    js amqplib "$AMQPLIB; const h=await c.createChannel(); h.on('error',tell); await h.assertQueue('q',{durable:true}); const g=await c.createChannel(); g.on('error',tell); await g.assertQueue('q',{durable:false})"
    expect client fin idle failed "The server closed the channel: the queue exists with other properties (406 PRECONDITION_FAILED)."
    py pika "c=pika(); h=c.channel(); h.queue_declare('q2'); h.basic_publish('','q2',b'x'); m=h.basic_get('q2'); h.basic_ack(99); h.queue_declare('q2')"
    expect client fin idle failed "The server closed the channel: it does not know the delivery that was acknowledged (406 PRECONDITION_FAILED)."
    finish 'operation .* caused a channel exception'
}
amqp-missed-heartbeat() {
    begin amqp rabbitmq; rabbit_on; watch
    py pika "c=pika(heartbeat=2); h=c.channel(); wait(8); h.queue_declare('q')"
    expect server fin idle failed "The client sent no heartbeat (every 2 s was agreed), and the server closed after 4 to 6 s."
    finish 'missed heartbeats'
}
amqp-frame-too-large() {
    begin amqp rabbitmq; rabbit_on 'frame_max = 4096'; watch
    py socket "raw(5672, 'AMQP\0\0\x09\x01', b'\x01\x00\x00\x00\x00\x30\x00'+b'x'*12000)"
    expect server unknown connecting failed "The client sent a frame larger than allowed; the server closed."
    finish 'frame_too_large|frame_error|handshake_error|handshake'
}
amqp-wrong-protocol() {
    begin amqp rabbitmq; rabbit_on; watch
    py socket "raw(5672, 'AMQP\x00\x01\x00\x00')"
    expect server fin connecting failed "The server speaks another version of AMQP: it answers with its own protocol header and closes."
    client curl curl -sS -m 5 --http0.9 -o - http://$S:5672/
    expect server fin 'waiting for an answer' failed "An HTTP request was sent to an AMQP server, which answers with its protocol header."
    js amqplib "await require('amqplib').connect('amqps://'+H+':5672',{rejectUnauthorized:false})"
    expect server fin connecting failed "TLS was spoken to the port of AMQP in plain text."
    finish 'bad_header|bad_version|handshake'
}
amqp-handshake-timeout() {
    begin amqp rabbitmq; rabbit_on 'handshake_timeout = 2000'; watch
    py socket "raw(5672, seconds=9)"
    expect server fin 'before first word' failed "The client sent no protocol header within 2 s, and the server closed."
    finish 'handshake_timeout'
}
amqp-too-many() {
    begin amqp rabbitmq; rabbit_on
    in_s /usr/lib/rabbitmq/bin/rabbitmqctl -n rabbit@localhost set_vhost_limits -p / '{"max-connections": 1}' >/dev/null; watch
    py pika "c=pika(); d=pika()"
    expect client fin idle unknown "The client closed without Connection.Close."
    expect server fin connecting failed "The server refused the connection: it has as many as it takes."
    finish 'connection limit|limit .*reached'
}
amqp-killed() {
    begin amqp rabbitmq; rabbit_on; watch
    after 1.5 signal_server KILL
    py pika "c=pika(); h=c.channel(); h.queue_declare('q'); h.basic_consume('q',lambda *a:0); h.start_consuming()"
    expect server fin idle failed "The server ended without Connection.Close."
    finish
}
amqp-shutdown() {
    begin amqp rabbitmq; rabbit_on; watch
    after 2 signal_server TERM
    js amqplib "$AMQPLIB; const h=await c.createChannel(); h.on('error',tell); await h.assertQueue('q'); await h.consume('q',()=>0); await wait(9000)"
    expect server fin idle failed "The server said that it shuts down (320 CONNECTION_FORCED)."
    finish 'connection_forced'
}
amqp-stopped() {
    begin amqp rabbitmq; rabbit_on; watch
    after 1.5 signal_server STOP
    js amqplib "$AMQPLIB; await wait(8000)"
    expect client fin idle failed "The server's kernel acknowledged the heartbeats, but the server sent none; the client closed."
    finish
}
amqp-forgotten() {
    begin amqp rabbitmq; rabbit_on; watch
    after 1.5 forget drop 5672
    py pika "c=pika(heartbeat=2); h=c.channel(); c.process_data_events(time_limit=12)"
    expect middlebox silence idle failed "From about 1.5 s on nothing passed in either direction."
    finish
}
