//! Data connections of FTP: which command of which control connection each belongs to (RFC 959 §3.2, RFC 2428).
//!
//! In: the endpoints that control connections announce, and the summaries of all connections. Out: for a finding on a data
//! connection the command, for one on a control connection what became of its data connection. A connection that was closed
//! without a byte is no fault where the server confirmed the command: the file or the list was empty.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Finding;
use super::connecting::connect_unanswered::CHECK_ADDRESS;
use super::connecting::{connect_unanswered, connection_refused};
use super::facts::RuleInput;
use super::rule::Rule;
use super::statement::{Sentence, Value, sentence};
use crate::analysis::connection::{By, Connection, ConnectionSummary, How, Opening};
use crate::base::escape::shortened;
use crate::base::format;
use crate::base::frame_names::FrameNames;
use crate::base::net::{Context, Endpoint};
use crate::base::time::Timestamp;
use crate::protocol::dialogue::{AppProtocol, DataConnection};

/// Characters of a command that are quoted.
const QUOTED: usize = 80;

/// A data connection, and the command it was opened for.
#[derive(Debug)]
struct Transfer {
    control: u32,
    data: u32,
    /// As it is quoted; empty if there was none.
    command: String,
    succeeded: Option<bool>,
    /// The server refused the command itself.
    refused: bool,
    /// The FTP client opened it.
    passive: bool,
    end: String,
}

/// The data connections of a capture.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    all: Vec<Transfer>,
    /// Places in `all`, by data connection.
    by_data: BTreeMap<u32, usize>,
    /// The same by control connection, of commands that did not succeed.
    failed: BTreeMap<u32, Vec<usize>>,
}

/// What decides whether a connection is a data connection.
#[derive(Clone, Copy)]
struct Candidate {
    client: Endpoint,
    server: Endpoint,
    began: Timestamp,
    context: Context,
}

impl Candidate {
    const fn new(client: Endpoint, server: Endpoint, began: Timestamp, context: Context) -> Self {
        Self {
            client,
            server,
            began,
            context,
        }
    }
}

/// The connections that were accepted, or asked for, at the announced endpoints, in order.
type Accepted<'a, T> = HashMap<Endpoint, Vec<(Candidate, &'a T)>>;

/// Calls `found` with every data connection, its control connection, and what that announced.
fn pair<'a, T: 'a>(
    records: &'a [Arc<Connection>],
    all: impl Iterator<Item = (Candidate, &'a T)>,
    mut found: impl FnMut(&'a Connection, &'a DataConnection, &'a T),
) {
    let announce = |it: &'a Arc<Connection>| {
        let dialogue = it.dialogue.as_deref()?;
        let is_ftp = dialogue.protocol == Some(AppProtocol::Ftp);
        let announced = &dialogue.data_connections[..];
        (is_ftp && !announced.is_empty()).then_some((it.as_ref(), announced))
    };
    let controls: Vec<_> = records.iter().filter_map(announce).collect();
    if controls.is_empty() {
        return;
    }
    let mut accepted = Accepted::<T>::new();
    for (control, announced) in &controls {
        for it in *announced {
            for endpoint in endpoints(control, it) {
                accepted.entry(endpoint).or_default();
            }
        }
    }
    for one in all {
        if let Some(own) = accepted.get_mut(&one.0.server) {
            own.push(one);
        }
    }
    for (control, announced) in controls {
        for (nth, it) in announced.iter().enumerate() {
            let again = announced.get(nth + 1..).unwrap_or_default().iter();
            let until = again
                .filter(|next| next.port == it.port)
                .map(|next| next.at.time);
            if let Some(data) = of(control, it, until.min(), &accepted) {
                found(control, it, data);
            }
        }
    }
}

/// The data connections among these, by number, and whether the FTP client opened each.
pub(super) fn data_connections(records: &[Arc<Connection>]) -> impl Iterator<Item = (u32, bool)> {
    let mut all = Vec::new();
    let candidates = records.iter().map(|it| {
        let candidate = Candidate::new(it.client, it.server, it.first.time, it.context);
        (candidate, it.as_ref())
    });
    pair(records, candidates, |_, announced, data: &Connection| {
        all.push((data.id, announced.passive));
    });
    all.into_iter()
}

impl Transfers {
    /// Finds the data connections of the control connections whose records are kept.
    pub(super) fn new(facts: &RuleInput<'_>) -> Self {
        let mut found = Self::default();
        let candidates = facts.summaries.iter().map(|it| {
            let candidate = Candidate::new(it.client, it.server, it.first.time, it.context);
            (candidate, it)
        });
        pair(facts.connections, candidates, |control, announced, data| {
            found.add(control, announced, data);
        });
        found
    }

    fn add(&mut self, control: &Connection, announced: &DataConnection, data: &ConnectionSummary) {
        let place = self.all.len();
        if self.by_data.contains_key(&data.id) {
            return;
        }
        self.by_data.insert(data.id, place);
        if announced.succeeded != Some(true) {
            self.failed.entry(control.id).or_default().push(place);
        }
        let command = announced.command.as_ref();
        self.all.push(Transfer {
            control: control.id,
            data: data.id,
            command: command.map_or_else(String::new, |it| {
                shortened(it.as_bytes(), QUOTED).into_owned()
            }),
            succeeded: announced.succeeded,
            refused: announced.refused,
            passive: announced.passive,
            end: end(data, announced.passive),
        });
    }

    /// Whether this rule would take the end of an empty transfer for a fault, though the server confirmed it, or said on the
    /// control connection that there is none.
    pub(super) fn spares(&self, rule: &Rule, connection: &Connection) -> bool {
        const ON_EMPTY: [&str; 3] = [
            "closed-before-request",
            "preconnect-unused",
            "client-reset-handshake",
        ];
        let empty = connection.sent.iter().all(|it| it.bytes + it.missing == 0);
        let place = self.by_data.get(&connection.id);
        let replied = place.map(|at| &self.all[*at]);
        let on_empty = ON_EMPTY.contains(&rule.name);
        // What was refused leaves a server that has nothing to send, and its session shows how it ended.
        let on_refused = ["reset-after-handshake", "close-wait-leak"].contains(&rule.name);
        empty
            && replied.is_some_and(|it| match it.refused {
                true => on_empty || on_refused,
                false => on_empty && it.succeeded == Some(true),
            })
    }

    /// Adds to each finding which command its connections belong to, or what became of the data connection of its own.
    pub(super) fn name(&self, findings: &mut [Finding], frames: &FrameNames) {
        if self.all.is_empty() {
            return;
        }
        for finding in findings {
            let ids = finding.connections.iter();
            let own = ids.filter_map(|id| self.by_data.get(id));
            let own: Vec<&Transfer> = own.map(|at| &self.all[*at]).collect();
            if let Some(first) = own.first() {
                let plain = own.len() > 1 && own.iter().all(|it| it.command.is_empty());
                match plain {
                    true => finding.message.say(belong(&own), frames),
                    false => {
                        for transfer in own.iter().take(NAMED) {
                            finding.message.say(transfer.belongs(), frames);
                        }
                    }
                }
                let more = own.len().saturating_sub(NAMED);
                if more > 0 {
                    let more = Value::count(
                        more as u64,
                        "other connection is a data connection of FTP",
                        "other connections are data connections of FTP",
                    );
                    finding.message.say(sentence!("{} too.", more), frames);
                }
                first.tailor(finding, frames);
                continue;
            }
            let ids = finding.connections.iter();
            let mut failed = ids.filter_map(|id| self.failed.get(id)).flatten();
            if let Some(last) = failed.next_back() {
                finding.message.say(self.all[*last].told(), frames);
            }
        }
    }
}

/// A sentence for a finding on several data connections, each of which is named with its session.
fn belong(own: &[&Transfer]) -> Sentence {
    let named = own.iter().take(NAMED);
    let named = named.map(|it| format!("#{} of #{}", it.data, it.control));
    sentence!(
        "They are data connections of FTP sessions ({}).",
        named.collect::<Vec<_>>().join(", ")
    )
}

/// Data connections that a finding names one by one.
const NAMED: usize = 3;

impl Transfer {
    /// Makes a finding on connections that were not opened one about the transfer of files.
    fn tailor(&self, finding: &mut Finding, frames: &FrameNames) {
        let unopened = [connect_unanswered::RULE.name, connection_refused::RULE.name];
        if !unopened.contains(&finding.rule) {
            return;
        }
        finding.message.leave_out_retry();
        let told = "No file or list was transferred. A retry is safe, but fails in the same way until that port answers.";
        finding.message.mean(told.into(), frames);
        let port = finding.server.map(|it| it.port);
        if let Some(port) = port.filter(|_| self.passive) {
            let remedy = format!(
                "Open the FTP server's passive ports ({port} was used here) in the firewall in front of the server and on its host."
            );
            finding.remedies.insert(0, remedy);
            finding.remedies.retain(|it| !it.starts_with(CHECK_ADDRESS));
        }
    }

    /// A sentence for a finding on the data connection.
    fn belongs(&self) -> Sentence {
        let data = format!("#{}", self.data);
        let control = format!("#{}", self.control);
        match self.command.is_empty() {
            true => sentence!(
                "{} is a data connection of the FTP session on {}.",
                data,
                control
            ),
            false => sentence!(
                "{} is the data connection for \"{}\" of the FTP session on {}.",
                data,
                self.command.clone(),
                control
            ),
        }
    }

    /// A sentence for a finding on the control connection.
    fn told(&self) -> Sentence {
        let of = match self.command.is_empty() {
            true => String::new(),
            false => format!(" of \"{}\"", self.command),
        };
        let data = format!("{of} is #{}: {}", self.data, self.end);
        sentence!("The data connection{}.", data)
    }
}

/// Where a data connection may have been accepted: an address translator does not always change the address that was told.
fn endpoints(control: &Connection, announced: &DataConnection) -> impl Iterator<Item = Endpoint> {
    let own = match announced.passive {
        true => control.server.ip,
        false => control.client.ip,
    };
    let told = announced.address.filter(|it| *it != own);
    let port = announced.port;
    let addresses = [Some(own), told].into_iter().flatten();
    addresses.map(move |ip| Endpoint { ip, port })
}

/// The connection that was opened to an announced endpoint, before it was announced again at `until`.
fn of<'a, T>(
    control: &Connection,
    announced: &DataConnection,
    until: Option<Timestamp>,
    accepted: &Accepted<'a, T>,
) -> Option<&'a T> {
    let caller = match announced.passive {
        true => control.client.ip,
        false => control.server.ip,
    };
    let fits = |it: &Candidate| it.client.ip == caller && it.context == control.context;
    endpoints(control, announced).find_map(|endpoint| {
        let own = accepted.get(&endpoint)?;
        let from = own.partition_point(|(it, _)| it.began < announced.at.time);
        let later = own.get(from..)?.iter();
        let mut later = later.take_while(|(it, _)| until.is_none_or(|until| it.began < until));
        later.find(|(it, _)| fits(it)).map(|(_, data)| *data)
    })
}

/// How a data connection ended. `passive`: the FTP client opened it.
fn end(data: &ConnectionSummary, passive: bool) -> String {
    let (client, server) = match passive {
        true => ("client", "server"),
        false => ("server", "client"),
    };
    let bytes = format::count(data.bytes[0] + data.bytes[1], "byte", "bytes");
    let who = match data.by {
        By::Client => client,
        By::Server => server,
        By::Both => "client and server",
        By::Middlebox => "a device on the path",
        By::Nobody => "nobody",
    };
    match (data.opening, data.how) {
        (Opening::Refused, _) => format!("the {server} refused it"),
        (Opening::Unanswered, _) => format!("the {server} did not answer"),
        (Opening::Unreachable, _) => format!("the {server} was not reachable"),
        (_, How::Fin) => format!("the {who} closed it after {bytes}"),
        (_, How::Reset(_)) if data.by == By::Middlebox => format!("{who} reset it after {bytes}"),
        (_, How::Reset(_)) => format!("the {who} reset it after {bytes}"),
        (_, How::Silence) => format!("it went silent after {bytes}"),
        (_, How::Open) => format!("it was open when the capture ended, after {bytes}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    const CONTROL: &str = "client 10.0.0.1:40000 server 10.0.0.2:21\n";
    const LOGIN: &str = "SYN -->\n<-- SYN\nACK -->\n<-- \"220 (vsFTPd 3.0.3)\\r\\n\"\n\"USER a\\r\\n\" -->\n\
                         <-- \"230 in\\r\\n\"\n\"EPSV\\r\\n\" -->\n<-- \"229 Entering (|||5000|)\\r\\n\"\n";
    const DATA: &str = "client 10.0.0.1:40001 server 10.0.0.2:5000\n";
    const END: &str = "\"QUIT\\r\\n\" -->\n<-- \"221 bye\\r\\n\"\n<-- FIN\nFIN -->\n<-- ACK\n";

    /// What is found when a transfer goes so on the data connection, and the server replies this.
    fn told(data: &str, reply: &str) -> Vec<(&'static str, String)> {
        let text = format!(
            "{CONTROL}{LOGIN}\"RETR file\\r\\n\" -->\n{DATA}{data}{CONTROL}<-- \"{reply}\\r\\n\"\n{END}"
        );
        let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let told = findings
            .into_iter()
            .map(|it| (it.rule, it.message.to_string()));
        told.collect()
    }

    #[test]
    fn a_finding_on_a_data_connection_names_its_command() {
        let whose = "#2 is the data connection for \"RETR file\" of the FTP session on #1.";
        let told_of = |data: &str, rule: &str| {
            let all = told(data, "425 Failed to establish connection.");
            let own = all.iter().find(|it| it.0 == rule);
            own.map(|it| it.1.clone())
                .unwrap_or_else(|| format!("{all:?}"))
        };
        let refused = told_of("SYN -->\n<-- RST\n", "connection-refused");
        assert!(refused.contains(whose), "{refused}");
        let reset = told_of(
            "SYN -->\n<-- SYN\nACK -->\n<-- RST\n",
            "reset-after-handshake",
        );
        assert!(reset.contains(whose), "{reset}");
        let control = told_of("SYN -->\n<-- RST\n", "request-refused");
        assert!(
            control.contains("The data connection of \"RETR file\" is #2: the server refused it."),
            "{control}"
        );
    }

    #[test]
    fn transfers_that_the_server_confirms_raise_nothing() {
        let close = "<-- FIN\nFIN -->\n<-- ACK\n";
        for data in ["", "<-- \"a file\"\nACK -->\n", "+2s "] {
            let all = told(
                &format!("SYN -->\n<-- SYN\nACK -->\n{data}{close}"),
                "226 Transfer complete.",
            );
            assert!(all.is_empty(), "{data}: {all:?}");
        }
    }

    /// A server that refuses the command has no use for the data connection.
    #[test]
    fn a_refused_command_explains_an_unused_data_connection() {
        let rules = |reply: &str| {
            let all = told("SYN -->\n<-- SYN\nACK -->\n<-- RST\n", reply);
            all.iter().any(|it| it.0 == "reset-after-handshake")
        };
        assert!(!rules("550 none: No such file or directory"));
        assert!(rules("425 Failed to establish connection."));
    }

    #[test]
    fn an_endpoint_that_is_announced_again_belongs_to_the_later_command() {
        let text = format!(
            "{CONTROL}{LOGIN}\"LIST\\r\\n\" -->\n<-- \"425 no\\r\\n\"\n\"EPSV\\r\\n\" -->\n\
             <-- \"229 Entering (|||5000|)\\r\\n\"\n\"RETR b\\r\\n\" -->\n{DATA}SYN -->\n<-- RST\n{CONTROL}{END}"
        );
        let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let own = findings.iter().find(|it| it.rule == "connection-refused");
        let own = own.expect("a refusal");
        assert!(own.message.contains("\"RETR b\""), "{}", own.message);
    }
}
