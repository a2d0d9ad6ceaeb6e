# MQTT: mosquitto.

mosquitto_on() { # LINE...
    printf '%s\n' "listener 1883 $S" 'log_dest stderr' 'log_type all' 'user root' "$@" >"$RUN/conf"
    grep -q allow_anonymous "$RUN/conf" || echo 'allow_anonymous true' >>"$RUN/conf"
    serve 1883 mosquitto -c "$RUN/conf"
}
MQTTJS="const c=require('mqtt').connect('mqtt://'+H,{reconnectPeriod:0,connectTimeout:3000,clientId:'sensor-1'"
TELL="c.on('error',tell); c.on('connect',()=>console.log('connected')); c.on('close',()=>console.log('close')); c.on('disconnect',(p)=>console.log('disconnect', p.reasonCode))"

mqtt-orderly() {
    begin mqtt mosquitto; mosquitto_on; watch
    client mosquitto_pub mosquitto_pub -h $S -t room/1 -m 21.5 -q 1 -i sensor-1
    expect both fin 'after goodbye' fine "The client published, sent DISCONNECT and closed."
    py paho "c=paho(); c.loop_start(); wait(0.4); c.publish('room/1','22',qos=2).wait_for_publish(); c.disconnect(); wait(0.3)"
    expect both fin 'after goodbye' fine "The client published, sent DISCONNECT and closed."
    finish 'disconnected'
}
mqtt-no-goodbye() {
    begin mqtt mosquitto; mosquitto_on; watch
    py paho "c=paho(); c.loop_start(); wait(0.6); leave()"
    expect client fin idle unknown "The client closed without DISCONNECT; the server publishes its will, if there is one."
    finish 'closed its connection'
}
mqtt-same-client-id() {
    begin mqtt mosquitto; mosquitto_on; watch
    py paho "c=paho(); c.loop_start(); wait(0.5); d=paho(); d.loop_start(); wait(1.4); d.disconnect(); wait(0.3)"
    expect server fin idle failed "The server closed this connection because another client connected with the same client identifier."
    expect server fin idle failed "Taken over in turn by the first client, which connected again with the same identifier."
    expect unknown fin idle unknown "One of the connections of two clients that share an identifier."
    js mqtt.js "$MQTTJS,protocolVersion:5}); $TELL; await wait(500); const d=require('mqtt').connect('mqtt://'+H,{reconnectPeriod:0,clientId:'sensor-1',protocolVersion:5}); await wait(700); d.end(); await wait(200)"
    expect server fin idle failed "The server sent DISCONNECT with reason 0x8e (session taken over)."
    expect both fin 'after goodbye' fine "The client that took the session over ended it in order."
    finish 'already connected|taken over'
}
mqtt-wrong-password() {
    begin mqtt mosquitto
    : >"$WORK/passwords" && mosquitto_passwd -b "$WORK/passwords" user right 2>/dev/null; chmod 644 "$WORK/passwords"
    mosquitto_on 'allow_anonymous false' "password_file $WORK/passwords"; watch
    client mosquitto_pub mosquitto_pub -h $S -t room/1 -m 21.5 -u user -P wrong
    expect server fin connecting failed "The server refused the connection: not authorised (CONNACK 5)."
    py paho "c=paho(); c.loop_start(); wait(0.8)"
    expect server fin connecting failed "The server refused the connection: not authorised (CONNACK 5)."
    js mqtt.js "$MQTTJS,username:'user',password:'wrong'}); $TELL; await wait(700)"
    expect server fin connecting failed "The server refused the connection: not authorised (CONNACK 5)."
    js mqtt.js "$MQTTJS,username:'user',password:'wrong',protocolVersion:5}); $TELL; await wait(700)"
    expect server fin connecting failed "The server refused the connection: not authorised (CONNACK 0x87)."
    finish 'not authorised|denied'
}
mqtt-version-refused() {
    begin mqtt mosquitto; mosquitto_on; watch
    py socket "raw(1883, b'\x10\x14\x00\x04MQTT\x09\x02\x00\x3c\x00\x08sensor-1')"
    expect server fin connecting failed "The server does not know this version of the protocol (9): CONNACK 1."
    finish 'version|Invalid'
}
mqtt-id-refused() {
    begin mqtt mosquitto; mosquitto_on 'allow_zero_length_clientid false'; watch
    py paho "c=paho(client_id=''); c.loop_start(); wait(0.8)"
    expect server fin connecting failed "The server refused the empty client identifier (CONNACK 2)."
    expect client fin idle fine "The client tried again with MQTT 3.1 and an identifier of its own making, and was accepted."
    finish 'disconnected|identifier|empty'
}
mqtt-keep-alive-missed() {
    begin mqtt mosquitto; mosquitto_on; watch
    py socket "s=socket.create_connection((H,1883)); s.sendall(b'\x10\x14\x00\x04MQTT\x04\x02\x00\x02\x00\x08sensor-1'); s.settimeout(9); print(s.recv(9)); print(s.recv(9)); print('end of stream')"
    expect server fin idle failed "The client promised a packet every 2 s and sent none; after one and a half times that the server closed."
    finish 'timeout'
}
mqtt-too-large() {
    begin mqtt mosquitto; mosquitto_on 'max_packet_size 2000'; watch
    client mosquitto_pub sh -c "head -c 3000 /dev/zero | tr '\0' x | mosquitto_pub -h $S -t room/1 -s -q 1"
    expect server fin 'while sending' failed "The server closed: the packet of the client is larger than it takes."
    js mqtt.js "$MQTTJS,protocolVersion:5}); $TELL; await wait(300); c.publish('room/1','x'.repeat(3000),{qos:1},(e)=>e&&tell(e)); await wait(900)"
    expect client fin 'after goodbye' failed "The packet is larger than the server said it takes."
    finish 'oversize|too large|error'
}
mqtt-too-many() {
    begin mqtt mosquitto; mosquitto_on 'max_connections 1'; watch
    py paho "c=paho(client_id='a'); c.loop_start(); wait(0.5); d=paho(client_id='b'); d.loop_start(); wait(0.8); c.disconnect(); leave()"
    expect client fin 'after goodbye' fine "The client ended the session in order."
    expect server fin connecting failed "The server closed the connection without an answer: it has as many as it takes."
    finish 'max_connections|exceeded|denied'
}
mqtt-server-killed() {
    begin mqtt mosquitto; mosquitto_on; watch
    after 4 signal_server KILL
    js mqtt.js "$MQTTJS}); $TELL; await wait(5000)"
    expect server fin idle failed "The server ended while the connection was idle, without DISCONNECT."
    finish
}
mqtt-server-stopped() {
    begin mqtt mosquitto; mosquitto_on; watch
    after 1 signal_server STOP
    py paho "c=paho(keepalive=2); c.loop_start(); wait(7); c.loop_stop(); leave()"
    expect client fin 'waiting for an answer' failed "The server's kernel acknowledged the PINGREQ but the server never answered it; the client closed."
    expect client fin connecting failed "The server's kernel accepted the connection but the server never answered CONNECT."
    js mqtt.js "$MQTTJS}); $TELL; await wait(3600)"
    expect client fin connecting failed "The server's kernel accepted the connection but the server never answered CONNECT."
    finish
}
mqtt-forgotten() {
    begin mqtt mosquitto; mosquitto_on; watch
    after 1.2 forget drop 1883
    py paho "c=paho(keepalive=3); c.loop_start(); wait(2); c.publish('room/1','22',qos=1); wait(5.5); leave()"
    expect middlebox silence 'waiting for an answer' failed "From about 1.2 s on nothing passed: neither the message nor the PINGREQ was acknowledged."
    expect middlebox silence connecting failed "The new connection is not answered either."
    finish
}
mqtt-forgotten-rst() {
    begin mqtt mosquitto; mosquitto_on; watch
    after 1.2 forget rst 1883
    js mqtt.js "$MQTTJS}); $TELL; await wait(2000); c.publish('room/1','22',{qos:1},(e)=>e&&tell(e)); await wait(700)"
    expect middlebox rst 'waiting for an answer' failed "The message after the pause was answered with a reset."
    finish
}
mqtt-tls-to-plain() {
    begin mqtt mosquitto; mosquitto_on; watch
    client mosquitto_pub mosquitto_pub -h $S -p 1883 --cafile "$WORK/server.pem" -t a -m b
    expect server fin connecting failed "TLS was spoken to the port of MQTT in plain text."
    js mqtt.js "const c=require('mqtt').connect('mqtts://'+H+':1883',{reconnectPeriod:0,rejectUnauthorized:false}); $TELL; await wait(900)"
    expect server fin connecting failed "TLS was spoken to the port of MQTT in plain text."
    client curl curl -sS -m 4 http://$S:1883/
    expect server fin 'waiting for an answer' failed "An HTTP request was sent to an MQTT server."
    finish 'protocol error|disconnected|Invalid'
}
mqtt-plain-to-tls() {
    begin mqtt mosquitto; mosquitto_on "certfile $WORK/server.pem" "keyfile $WORK/server.key"; watch
    client mosquitto_pub mosquitto_pub -h $S -p 1883 -t a -m b
    expect server fin connecting failed "MQTT in plain text was spoken to a port that expects TLS."
    py paho "c=paho(); c.loop_start(); wait(0.8); leave()"
    expect server fin connecting failed "MQTT in plain text was spoken to a port that expects TLS."
    finish 'SSL|OpenSSL|protocol error'
}
mqtt-refused() {
    begin mqtt -; watch
    client mosquitto_sub mosquitto_sub -h $S -t a
    expect server refused connecting failed "Nothing listens on port 1883."
    py paho "c=paho()"
    expect server refused connecting failed "Nothing listens on port 1883."
    js mqtt.js "$MQTTJS}); $TELL; await wait(700)"
    expect server refused connecting failed "Nothing listens on port 1883."
    finish
}
