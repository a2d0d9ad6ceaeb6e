//! The text of the kernel's events `tcp:tcp_send_reset` and `sock:inet_sock_set_state`, a line each.
//!
//! In: lines of `trace_pipe`. Out: what they say of a socket. The program that runs is the one that acts only in its own
//! system call: not in an interrupt, and not while packets are received, which the first and the third flag of a line show.
//!
//! Layout of a line (`kernel/trace/trace_output.c`): the program's name in 16 columns, `-`, its number, the processor in
//! brackets, five flags, seconds with a colon, the event with a colon, its fields.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::knowledge::SocketThen;

/// Columns of the name.
const NAME: usize = 16;
/// What stands for a name that the kernel did not note.
const NO_NAME: &str = "<...>";
/// The reasons of RSTs that a system call sends.
const ACTIVE: [&str; 5] = [
    "TCP_ABORT_ON_CLOSE",
    "TCP_ABORT_ON_LINGER",
    "TCP_ABORT_ON_MEMORY",
    "TCP_DISCONNECT_WITH_DATA",
    "TCP_STATE",
];

/// Whose work it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Thread {
    /// The name of the thread; `None` if the kernel did not note it.
    pub(super) name: Option<String>,
    /// The number of the thread.
    pub(super) id: u32,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// This thread opened or closed the socket.
    Acted(Thread),
    /// A RST was sent.
    Reset {
        reason: String,
        socket: SocketThen,
        by: Option<Thread>,
    },
}

/// An event of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Nanoseconds on the clock of the trace.
    pub(super) at: i64,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) said: Said,
}

/// A line that is of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TraceLine {
    Event(Event),
    /// So many events were dropped.
    Lost(u64),
}

/// Reads a line; `None` if it says nothing that is of use.
pub(super) fn read(line: &[u8]) -> Option<TraceLine> {
    let text = String::from_utf8_lossy(line);
    if let Some(lost) = lost(&text) {
        return Some(TraceLine::Lost(lost));
    }
    let name = String::from_utf8_lossy(line.get(..NAME)?);
    let rest = line.get(NAME..)?.strip_prefix(b"-")?;
    let rest = std::str::from_utf8(rest).ok()?;
    let mut words = rest.split_ascii_whitespace();
    let id = words.next()?.parse().ok()?;
    let flags = words.find(|it| !it.starts_with('['))?.as_bytes();
    let at = nanos(words.next()?.strip_suffix(':')?)?;
    let name = name.trim_start();
    let context = Context {
        thread: Thread {
            name: (name != NO_NAME && !name.is_empty()).then(|| name.to_owned()),
            id,
        },
        calls: flags.get(2) == Some(&b'.'),
        undisturbed: flags.first() == Some(&b'.'),
        unscheduled: flags.first() == Some(&b'b'),
    };
    let event = words.next()?;
    let fields = Fields(rest);
    let (local, remote, said) = match event {
        "tcp_send_reset:" => context.reset(fields)?,
        "inet_sock_set_state:" => context.state(fields)?,
        _ => return None,
    };
    Some(TraceLine::Event(Event {
        at,
        local,
        remote,
        said,
    }))
}

/// `CPU:1 [LOST 34 EVENTS]`.
fn lost(text: &str) -> Option<u64> {
    let (_, rest) = text.strip_prefix("CPU:")?.split_once("[LOST ")?;
    rest.split(' ').next()?.parse().ok()
}

/// `62813.645221`.
fn nanos(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.')?;
    let digits = u32::try_from(fraction.len()).ok().filter(|it| *it <= 9)?;
    let fraction = fraction.parse::<i64>().ok()? * 10_i64.pow(9 - digits);
    let seconds: i64 = seconds.parse().ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(fraction)
}

/// The fields of an event.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    fn get(self, name: &str) -> Option<&'a str> {
        let mut words = self.0.split_ascii_whitespace();
        words.find_map(|it| it.strip_prefix(name)?.strip_prefix('='))
    }

    /// An end of `inet_sock_set_state`.
    fn end(self, ip: &str, port: &str) -> Option<SocketAddr> {
        let v6 = self.get("family") == Some("AF_INET6");
        let ip: IpAddr = match v6 {
            true => self.get(&format!("{ip}v6"))?.parse().ok()?,
            false => IpAddr::V4(self.get(ip)?.parse::<Ipv4Addr>().ok()?),
        };
        Some(SocketAddr::new(ip, self.get(port)?.parse().ok()?))
    }
}

/// In which work an event came about.
struct Context {
    thread: Thread,
    /// In a system call: no interrupt, hard or soft.
    calls: bool,
    /// Interrupts may come: so no packet is being received.
    undisturbed: bool,
    /// Soft interrupts are held off.
    unscheduled: bool,
}

impl Context {
    fn reset(self, fields: Fields<'_>) -> Option<(SocketAddr, SocketAddr, Said)> {
        let local = fields.get("src")?.parse().ok()?;
        let remote = fields.get("dest")?.parse().ok()?;
        let reason = fields.get("reason")?;
        let active = ACTIVE.contains(&reason);
        let socket = match fields.get("state")? {
            "TCP_LISTEN" => SocketThen::Listening,
            "TCP_CLOSE" if self.calls && active && self.unscheduled => SocketThen::Unaccepted,
            "TCP_CLOSE" if self.calls && active => SocketThen::Closed,
            "TCP_FIN_WAIT2" if !self.calls => SocketThen::FinWait2,
            _ if self.calls && reason == "TCP_STATE" => SocketThen::Destroyed,
            _ => SocketThen::Other,
        };
        let alone = matches!(socket, SocketThen::Unaccepted | SocketThen::Destroyed);
        let own = active && self.calls && (self.undisturbed || self.unscheduled && alone);
        let said = Said::Reset {
            reason: reason.to_owned(),
            socket,
            by: own.then_some(self.thread),
        };
        Some((local, remote, said))
    }

    fn state(self, fields: Fields<'_>) -> Option<(SocketAddr, SocketAddr, Said)> {
        let of_program = matches!(
            (fields.get("oldstate")?, fields.get("newstate")?),
            ("TCP_SYN_SENT", "TCP_ESTABLISHED")
                | (_, "TCP_FIN_WAIT1" | "TCP_LAST_ACK")
                | ("TCP_ESTABLISHED" | "TCP_CLOSE_WAIT", "TCP_CLOSE")
        );
        let local = fields.end("saddr", "sport")?;
        let remote = fields.end("daddr", "dport")?;
        let known = local.port() > 0 && remote.port() > 0;
        (of_program && known && self.calls && self.undisturbed).then_some((
            local,
            remote,
            Said::Acted(self.thread),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a line says, in a few words.
    fn told(line: &str) -> String {
        match read(line.as_bytes()) {
            None => "nothing".to_owned(),
            Some(TraceLine::Lost(events)) => format!("lost {events}"),
            Some(TraceLine::Event(it)) => {
                let thread = |it: Thread| format!("{}/{}", it.name.unwrap_or("?".into()), it.id);
                let said = match it.said {
                    Said::Acted(by) => format!("acted {}", thread(by)),
                    Said::Reset { reason, socket, by } => {
                        let by = by.map_or_else(|| "nobody".to_owned(), thread);
                        format!("{reason} {} {by}", socket.name())
                    }
                };
                format!("{} {} {} {said}", it.at, it.local, it.remote)
            }
        }
    }

    #[test]
    fn lines_of_linux_6_18_are_read() {
        let reset = "tcp_send_reset: skbaddr=0000000000000000 skaddr=00000000cdb69d18 ";
        let state = "inet_sock_set_state: family=AF_INET protocol=IPPROTO_TCP sport=80 dport=5000 saddr=10.0.0.2 \
                     daddr=10.0.0.1 saddrv6=::ffff:10.0.0.2 daddrv6=::ffff:10.0.0.1 ";
        let v6 = "inet_sock_set_state: family=AF_INET6 protocol=IPPROTO_TCP sport=80 dport=5000 saddr=0.0.0.0 \
                  daddr=0.0.0.0 saddrv6=::1 daddrv6=::2 ";
        for (line, said) in [
            (
                format!(
                    "        gunicorn-812     [000] ..... 62814.004104: {reset}src=10.0.0.2:80 dest=10.0.0.1:5000 \
                     state=TCP_CLOSE reason=TCP_ABORT_ON_CLOSE"
                ),
                "62814004104000 10.0.0.2:80 10.0.0.1:5000 TCP_ABORT_ON_CLOSE closed gunicorn/812",
            ),
            // A name with what separates fields, and one that was not noted.
            (
                format!(
                    "      a -1 [0] .-7       [000] ..... 1.5: {reset}src=[::1]:80 dest=[::2]:5000 state=TCP_CLOSE \
                     reason=TCP_STATE"
                ),
                "1500000000 [::1]:80 [::2]:5000 TCP_STATE closed a -1 [0] ./7",
            ),
            (
                format!(
                    "           <...>-7       [000] b..1. 1.5: {reset}src=[::1]:80 dest=[::2]:5000 state=TCP_CLOSE \
                     reason=TCP_STATE"
                ),
                "1500000000 [::1]:80 [::2]:5000 TCP_STATE listener ?/7",
            ),
            (
                format!(
                    "              ss-9       [000] b..1. 1.5: {reset}src=10.0.0.2:80 dest=10.0.0.1:5000 \
                     state=TCP_ESTABLISHED reason=TCP_STATE"
                ),
                "1500000000 10.0.0.2:80 10.0.0.1:5000 TCP_STATE destroyed ss/9",
            ),
            // A timer, and what a packet brings about: nobody's system call.
            (
                format!(
                    "          <idle>-0       [001] ..s1. 1.5: {reset}src=10.0.0.2:80 dest=10.0.0.1:5000 \
                     state=TCP_FIN_WAIT2 reason=TCP_STATE"
                ),
                "1500000000 10.0.0.2:80 10.0.0.1:5000 TCP_STATE fin-wait-2 nobody",
            ),
            (
                format!(
                    "        gunicorn-812     [000] ..s2. 1.5: {reset}src=10.0.0.2:80 dest=10.0.0.1:5000 \
                     state=UNKNOWN reason=NO_SOCKET"
                ),
                "1500000000 10.0.0.2:80 10.0.0.1:5000 NO_SOCKET any nobody",
            ),
            (
                format!(
                    "        gunicorn-812     [000] ..s2. 1.5: {reset}src=0.0.0.0:80 dest=0.0.0.0:0 \
                     state=TCP_LISTEN reason=INVALID_SYN"
                ),
                "1500000000 0.0.0.0:80 0.0.0.0:0 INVALID_SYN listening nobody",
            ),
            (
                format!(
                    "        gunicorn-812     [000] ..... 1.5: {state}oldstate=TCP_ESTABLISHED newstate=TCP_FIN_WAIT1"
                ),
                "1500000000 10.0.0.2:80 10.0.0.1:5000 acted gunicorn/812",
            ),
            (
                format!(
                    "            curl-9       [000] ..... 1.5: {v6}oldstate=TCP_SYN_SENT newstate=TCP_ESTABLISHED"
                ),
                "1500000000 [::1]:80 [::2]:5000 acted curl/9",
            ),
            // While a packet is received, some program runs, and it need not be the socket's.
            (
                format!(
                    "         openvpn-9       [000] b.... 1.5: {state}oldstate=TCP_CLOSE_WAIT newstate=TCP_CLOSE"
                ),
                "nothing",
            ),
            (
                format!(
                    "            curl-9       [000] ..s1. 1.5: {state}oldstate=TCP_CLOSE_WAIT newstate=TCP_LAST_ACK"
                ),
                "nothing",
            ),
            (
                format!(
                    "            curl-9       [000] ..... 1.5: {state}oldstate=TCP_CLOSE newstate=TCP_LISTEN"
                ),
                "nothing",
            ),
            ("CPU:1 [LOST 34 EVENTS]".to_owned(), "lost 34"),
            ("".to_owned(), "nothing"),
            ("            curl-9       [000]".to_owned(), "nothing"),
            (
                format!(
                    "            curl-9       [000] ..... 1.5: {reset}src=x dest=y state=TCP_CLOSE reason=TCP_STATE"
                ),
                "nothing",
            ),
        ] {
            assert_eq!(told(&line), said, "{line}");
        }
    }
}
