# MongoDB. Debian has no server of it: mongodb-stand-in.py answers, with the library of MongoDB's own driver tests.
# The drivers are real. Each opens a connection to watch the server, then one for commands.

mongodb_begin() { # NAME
    SERVER_LOG=$WORK/mongodb.log
    : >"$SERVER_LOG"
    in_s "$ENVIRONMENT/mock/bin/python" "$HERE/db/mongodb-stand-in.py" 27017 >"$SERVER_LOG" 2>&1 &
    listening 27017
    begin "$1" MongoDB 27017 "mockupdb 1.8.1 (stand-in)"
}
MONITOR="The driver's connection to watch the server; the driver closed it."
GONE="The driver's connection to watch the server, idle; the server's process ended and its system closed it."
mongodb-orderly() {
    mongodb_begin mongodb-orderly-$1
    session $1 "insert a" "find a" @close
    finish
    expect client fin idle fine "$MONITOR"
    expect client fin idle fine "The client closed between two commands, as drivers do."
}
mongodb-killed-idle() {
    mongodb_begin mongodb-killed-idle-$1
    session $1 "find a" "@sleep 2.5" "find a" @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin idle fine "$GONE"
    expect server fin idle fine "The server closed the idle connection (its process ended)."
    expect server refused connecting failed "Nothing listens on port 27017 any more."
}
mongodb-killed-in-command() {
    mongodb_begin mongodb-killed-in-command-$1
    session $1 "find a" "find slow" @close & local c=$!
    answered
    signal_server KILL
    wait $c
    finish
    expect server fin idle fine "$GONE"
    expect server fin "waiting for an answer" failed "The server closed while the client waited for the answer of find: its process ended."
}
mongodb-cut() {
    mongodb_begin mongodb-cut-$1
    session $1 "find a" "find cut" @close
    finish
    expect server fin idle fine "$GONE"
    expect server fin "mid-answer" failed "The server sent half of the answer, then its process ended."
}
mongodb-error() {
    mongodb_begin mongodb-error-$1
    session $1 "find a" "find broken" @close
    finish
    expect client fin idle fine "$MONITOR"
    expect client fin "after an error" fine "The server answered the command with the error 11600; the client closed later."
}
mongodb-silent() {
    mongodb_begin mongodb-silent-$1
    TIMEOUT=1.5 session $1 "find a" "find slow" @close
    finish
    expect client fin idle fine "$MONITOR"
    expect client fin "waiting for an answer" failed "The client gave up after 1.5 s without an answer and closed."
}
mongodb-forgotten-rst() {
    mongodb_begin mongodb-forgotten-rst-$1
    session $1 "find a" "@sleep 2.5" "find a" @close & local c=$!
    answered
    forget rst 27017
    wait $c
    finish
    expect client fin idle fine "$MONITOR"
    expect middlebox rst "next command" failed "A device between had forgotten the idle connection and answered the next command with a reset."
}
mongodb-refused() {
    SERVER_LOG=
    begin mongodb-refused-$1 MongoDB 27017 none
    TIMEOUT=1.5 session $1 "find a" @close
    finish
    expect server refused connecting failed "Nothing listens on port 27017."
}
