//! The output of the rules: a finding, its severity, and the frames that prove it.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use super::headline::Headline;
use super::members::{NAMED, without_lead};
use super::message::Message;
use super::proxy_role::ProxyRole;
use crate::base::certainty::Certainty;
use crate::base::format::ranges;
use crate::base::frame_names::FrameNames;
use crate::base::frame_ref::FrameRef;
use crate::base::net::Endpoint;

/// The severity, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Recognised as harmless: shown and counted, but never a problem.
    Benign,
    /// Worth knowing.
    Note,
    /// Something will be lost, or is wrong.
    Warning,
    /// A request, connection or byte was lost.
    Error,
}

impl Severity {
    /// The word used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One piece of evidence: a frame and what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The frame.
    pub frame_ref: FrameRef,
    /// What it shows.
    pub note: String,
}

/// A finding, on one connection or on many with equal cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its number, from 1, worst first.
    pub id: u32,
    /// The rule's name.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// How far the capture proves it.
    pub certainty: Certainty,
    /// The connections, by number, in order.
    pub connections: Vec<u32>,
    /// The connection on which the evidence was captured.
    pub(crate) example: Option<u32>,
    /// Further connections, whose details are given up: they are counted and have no number here.
    pub gone: u64,
    /// How often it happened: once for each connection, unless several connections make one event.
    pub times: u64,
    /// The client, if there is exactly one.
    pub client: Option<IpAddr>,
    /// The server, if there is exactly one.
    pub server: Option<Endpoint>,
    /// Which side of its connections is a proxy.
    pub proxy: ProxyRole,
    /// The finding that this one follows from, if any; reports show both as one sequence of events.
    pub caused_by: Option<u32>,
    /// The headline, for one case and for many.
    pub summary: Headline,
    /// What happened here, and what it means.
    pub message: Message,
    /// The frames that prove it, of the case that is shown.
    pub evidence: Vec<Evidence>,
    /// What to change.
    pub remedies: Vec<String>,
}

impl Finding {
    /// The headline over all cases: "7 requests were reset before the response".
    #[must_use]
    pub fn headline(&self) -> String {
        self.summary.over(self.times)
    }

    /// The text that holds for this finding and for others that differ from it in their hosts.
    #[must_use]
    pub fn message_of_all<'a>(
        &'a self,
        others: impl IntoIterator<Item = &'a Self>,
        frames: &FrameNames,
    ) -> Cow<'a, Message> {
        let mut others = others.into_iter().peekable();
        match others.peek() {
            None => Cow::Borrowed(&self.message),
            Some(_) => {
                let others = others.map(|it| (&it.message, it.certainty));
                Cow::Owned(self.message.joined(self.certainty, others, frames))
            }
        }
    }

    /// What to change for this finding and for those others: first what fits all of them.
    #[must_use]
    pub fn remedies_of_all<'a>(
        &'a self,
        others: impl IntoIterator<Item = &'a Self>,
    ) -> Vec<Cow<'a, str>> {
        let others: Vec<&Self> = others.into_iter().collect();
        // Examples in brackets are those of the products at hand: the most are left where a capture names none.
        let key = |it: &str| it.split(" (").next().map(str::to_owned);
        let alike = |other: &'a Self, it: &str| {
            let mut all = other.remedies.iter();
            all.find(|other| key(other) == key(it))
        };
        let fits = |it: &&String| others.iter().all(|other| alike(other, it).is_some());
        let (all, some): (Vec<_>, Vec<_>) = self.remedies.iter().partition(fits);
        let all = all.into_iter().map(|it| {
            let same = others.iter().filter_map(|other| alike(other, it));
            let longest = same.chain([it]).max_by_key(|it| it.len());
            Cow::Borrowed(longest.unwrap_or(it).as_str())
        });
        let some = some.into_iter().map(|it| {
            // What holds for some of this finding's own cases names them already.
            if without_lead(it).is_some() {
                return Cow::Borrowed(it.as_str());
            }
            let same = others.iter().filter(|other| alike(other, it).is_some());
            let same = same.chain([&self]).flat_map(|it| &it.connections);
            let mut same: Vec<u32> = same.copied().collect();
            same.sort_unstable();
            let text = match same.is_empty() {
                true => format!("In some cases: {it}"),
                false => format!("{}: {it}", ranges(&same, NAMED, 0)),
            };
            Cow::Owned(text)
        });
        all.chain(some).collect()
    }

    /// The connection that is shown as the example, by number: the worst of them.
    #[must_use]
    pub fn example(&self) -> Option<u32> {
        self.example.or_else(|| self.connections.first().copied())
    }

    /// Connections in all, with those whose details are given up.
    #[must_use]
    pub fn in_all(&self) -> u64 {
        (self.connections.len() as u64).saturating_add(self.gone)
    }
}
