"""Prints the rows of expected-msg.tsv for one run. Who ended a connection and how is read from the capture, unless a router or
nobody did; the rest is what the scenario states."""
import subprocess, sys

run, server_side = sys.argv[1], "10.79.0.1"
fields = ["tcp.stream", "ip.src", "tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.len"]
shown = subprocess.run(["tshark", "-r", run + "/capture.pcap", "-T", "fields"] + [x for f in fields for x in ("-e", f)],
                       capture_output=True, text=True).stdout
streams = {}
for line in shown.splitlines():
    row = line.split("\t")
    if row[0]:
        streams.setdefault(row[0], []).append(row)
name, protocol, program, text = open(run + "/about", errors="replace").read().rstrip("\n").split("\t")
expected = [line.rstrip("\n").split("\t") for line in open(run + "/expect", errors="replace")]
streams = [s for s in streams.values() if int(s[0][4], 16) & 2]
if len(streams) != len(expected):
    print(f"{name}: {len(streams)} connections, {len(expected)} expected", file=sys.stderr)
# A client that tries again in its own time: a refused attempt, or once more what came before.
while expected and len(expected) < len(streams):
    again = list(expected[-1])
    if not any(int(s[4], 16) & 0x12 == 0x12 for s in streams[len(expected)]):
        again[:5] = ["server", "refused", "connecting", "failed", "The client tried again; nothing listens on the port."]
    expected.append(again)
for segments, (who, how, where, outcome, told, client, client_text) in zip(streams, expected):
    port = segments[0][3] if segments[0][2] == "20" else segments[0][2]
    ends = [s for s in segments if int(s[4], 16) & 5]
    answered = any(int(s[4], 16) & 0x12 == 0x12 for s in segments)
    if who not in ("middlebox", "nobody"):
        if not ends:
            who, how = "nobody", "open"
        else:
            who = "server" if ends[0][1] == server_side else "client"
            how = "rst" if int(ends[0][4], 16) & 4 else "fin"
            if not answered:
                how = "refused"
    print("\t".join([name + ".pcap", port, protocol, who, how, where, outcome, told, client, client_text, program, text, "client"]).encode("ascii", "replace").decode())
