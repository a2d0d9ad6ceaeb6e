//! The order of findings on the page: a finding and its effects form one section, cause first; equal sections of other
//! hosts are merged into it.

use std::borrow::Cow;

use hashbrown::HashMap;

use crate::base::frame_names::FrameNames;
use crate::rules::{Finding, Headline, Message, ProxyRole, Severity};

/// One section of the page.
pub(super) struct FindingSection<'a> {
    /// The cause first, then its effects, each after the one it follows from.
    pub(super) parts: Vec<&'a Finding>,
    /// The same findings between other hosts.
    pub(super) elsewhere: Vec<Vec<&'a Finding>>,
}

/// What makes two sections equal.
type SectionKey<'a> = Vec<(&'a str, Severity, ProxyRole, &'a Headline)>;

/// The sections, in the order of their worst findings. `findings` are numbered from 1, worst first.
pub(super) fn sections(findings: &[Finding]) -> Vec<FindingSection<'_>> {
    let mut stories: Vec<Vec<&Finding>> = Vec::new();
    let mut effects = Effects::default();
    for finding in findings {
        if let Some(cause) = finding.caused_by {
            effects.entry(cause).or_default().push(finding);
        }
    }
    for finding in findings {
        if cause_of(finding, findings).is_none() {
            let mut parts = Vec::new();
            follow(finding, &effects, &mut parts);
            stories.push(parts);
        }
    }
    let place = |parts: &[&Finding]| parts.iter().map(|it| it.id).min();
    stories.sort_by_key(|parts| place(parts));
    let mut told: Vec<FindingSection<'_>> = Vec::new();
    let mut known: HashMap<SectionKey<'_>, usize, foldhash::fast::FixedState> = HashMap::default();
    for parts in stories {
        let own = parts.first().map(|it| it.rule);
        let key = parts
            .iter()
            .enumerate()
            .filter(|(nth, it)| *nth == 0 || Some(it.rule) != own)
            .map(|(_, it)| (it.rule, it.severity, it.proxy, &it.summary));
        match known.entry(key.collect()) {
            hashbrown::hash_map::Entry::Occupied(at) => {
                if let Some(section) = told.get_mut(*at.get()) {
                    section.elsewhere.push(parts);
                }
            }
            hashbrown::hash_map::Entry::Vacant(free) => {
                free.insert(told.len());
                told.push(FindingSection {
                    parts,
                    elsewhere: Vec::new(),
                });
            }
        }
    }
    told
}

/// What a report says of each section's cause.
#[cfg(test)]
pub(crate) fn told_by_section(findings: &[Finding]) -> Vec<String> {
    let sections = sections(findings);
    let told = sections.iter();
    told.map(|it| it.message(0, &FrameNames::default()).to_string())
        .collect()
}

/// The finding that this one follows from, if present. A cause is never its own effect.
fn cause_of<'a>(finding: &Finding, findings: &'a [Finding]) -> Option<&'a Finding> {
    let id = finding.caused_by.filter(|id| *id != finding.id)?;
    findings.get((id as usize).checked_sub(1)?)
}

/// What follows from each finding.
type Effects<'a> = HashMap<u32, Vec<&'a Finding>, foldhash::fast::FixedState>;

fn follow<'a>(cause: &'a Finding, effects: &Effects<'a>, parts: &mut Vec<&'a Finding>) {
    parts.push(cause);
    for effect in effects.get(&cause.id).into_iter().flatten() {
        if !parts.iter().any(|it| it.id == effect.id) {
            follow(effect, effects, parts);
        }
    }
}

/// Rules on the status with which a proxy reports what happened behind it: the cause says that the proxy responded with it.
const GATEWAYS: [&str; 2] = ["gateway-error", "gateway-timeout"];

/// Whether a cause is about these connections, or names each of them.
fn names_all(cause: &Finding, connections: &[u32]) -> bool {
    let told = cause.message.happened();
    let named = |id: &u32| {
        let name = format!("#{id}");
        let mut after = told.split(&name).skip(1);
        after.any(|rest| !rest.starts_with(|it: char| it.is_ascii_digit()))
    };
    told.contains(" responded with 50")
        && (cause.connections == connections || connections.iter().all(named))
}

impl<'a> FindingSection<'a> {
    /// The cause, or the only finding.
    pub(super) fn cause(&self) -> &'a Finding {
        self.parts[0]
    }

    /// The same part between other hosts.
    fn others(&self, nth: usize) -> impl Iterator<Item = &'a Finding> {
        let elsewhere = self.elsewhere.iter();
        elsewhere.filter_map(move |it| it.get(nth).copied())
    }

    /// What is said of the part, here and between other hosts.
    pub(super) fn message(&self, nth: usize, frames: &FrameNames) -> Cow<'a, Message> {
        match self.parts.get(nth) {
            Some(part) => part.message_of_all(self.others(nth), frames),
            None => Cow::default(),
        }
    }

    /// What to change about the part, here and between other hosts.
    pub(super) fn remedies(&self, nth: usize) -> Vec<Cow<'a, str>> {
        let part = self.parts.get(nth);
        part.map_or_else(Vec::new, |it| it.remedies_of_all(self.others(nth)))
    }

    /// What follows from the cause and says more than it does: not what its text tells of the other leg of a proxy, which has
    /// a finding of the same rule, and no guess about connections of which something as severe is certain.
    pub(super) fn effects(&self) -> impl Iterator<Item = &'a Finding> {
        let cause = self.cause();
        let is_guess = move |effect: &Finding, before: &[&Finding]| {
            let told = |id: &u32| {
                let mut sure = before
                    .iter()
                    .filter(|it| it.certainty < effect.certainty && it.severity >= effect.severity);
                sure.any(|it| it.connections.binary_search(id).is_ok())
            };
            !effect.connections.is_empty() && effect.connections.iter().all(told)
        };
        let parts = self.parts.iter().enumerate().skip(1);
        let parts = parts.filter(move |(nth, it)| {
            it.rule != cause.rule && !is_guess(it, self.parts.get(..*nth).unwrap_or_default())
        });
        // "6 attempts got no answer" beside "6 attempts got no answer while others did"; the status that a proxy passed on.
        let headline = cause.headline();
        let is_told = move |effect: &Finding| {
            headline.starts_with(&effect.headline())
                || GATEWAYS.contains(&effect.rule) && names_all(cause, &effect.connections)
        };
        parts.map(|(_, it)| *it).filter(move |it| !is_told(it))
    }

    /// The severity of the cause.
    pub(super) fn severity(&self) -> Severity {
        let severities = self.parts.iter().map(|it| it.severity);
        severities.max().unwrap_or(Severity::Benign)
    }

    /// The cause, here and between other hosts.
    pub(super) fn causes(&self) -> impl Iterator<Item = &'a Finding> {
        let elsewhere = self.elsewhere.iter().filter_map(|it| it.first().copied());
        self.parts.first().copied().into_iter().chain(elsewhere)
    }

    /// The cause between the hosts where a case of it is worst: one that must not be retried, else the first.
    pub(super) fn shown(&self) -> &'a Finding {
        let mut causes = self.causes();
        let worst = causes.find(|it| it.message.forbids_retry());
        worst.unwrap_or_else(|| self.cause())
    }

    /// How often the cause happened, here and between other hosts.
    pub(super) fn times(&self) -> u64 {
        let each = self.causes().map(|it| it.times);
        each.fold(0, u64::saturating_add)
    }

    /// Connections of the cause whose details are gone.
    pub(super) fn gone(&self) -> u64 {
        self.causes().map(|it| it.gone).sum()
    }

    /// The connections of the cause, here and between other hosts, ascending.
    pub(super) fn connections(&self) -> Vec<u32> {
        let mut all: Vec<u32> = self
            .causes()
            .flat_map(|it| it.connections.iter().copied())
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::certainty::Certainty;

    fn finding(id: u32, rule: &'static str, caused_by: Option<u32>) -> Finding {
        Finding {
            id,
            example: None,
            rule,
            severity: Severity::Warning,
            certainty: Certainty::Certain,
            connections: vec![id],
            gone: 0,
            times: 1,
            client: None,
            server: None,
            proxy: Default::default(),
            caused_by,
            summary: rule.into(),
            message: Default::default(),
            evidence: Vec::new(),
            remedies: Vec::new(),
        }
    }

    #[track_caller]
    fn told(findings: &[Finding], expected: &[&[u32]]) {
        let told: Vec<Vec<u32>> = sections(findings)
            .iter()
            .map(|it| it.parts.iter().map(|it| it.id).collect())
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_cause_is_told_before_what_follows_from_it() {
        told(
            &[
                finding(1, "exhausted", Some(3)),
                finding(2, "other", None),
                finding(3, "time-wait", Some(4)),
                finding(4, "twice", None),
            ],
            &[&[4, 3, 1], &[2]],
        );
    }

    #[test]
    fn the_same_story_elsewhere_is_the_same_chapter() {
        let findings = [
            finding(1, "a", None),
            finding(2, "a", None),
            finding(3, "b", Some(2)),
        ];
        told(&findings, &[&[1], &[2, 3]]);
        let findings = [finding(1, "a", None), finding(2, "a", None)];
        told(&findings, &[&[1]]);
        assert_eq!(sections(&findings)[0].connections(), [1, 2]);
    }

    #[test]
    fn a_circle_ends() {
        told(&[finding(1, "a", Some(1))], &[&[1]]);
        assert!(sections(&[finding(1, "a", Some(2)), finding(2, "b", Some(1))]).is_empty());
        told(&[finding(1, "a", Some(7))], &[&[1]]);
    }
}
