//! What a rule says about a case, so that the sentences of many cases can be joined into one text that holds for all of
//! them.
//!
//! A [`Statement`] is a list of sentences. A sentence is a template, which is the same for all cases, and the values that
//! stand in its places. When two cases are joined, sentences with the same template become one: durations, bytes and
//! counts become ranges, words become a list. A sentence that not all cases have says how many have it.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hash, Hasher};
use std::time::Duration;

use super::members::Members;
use super::message::{Message, within_a_sentence};
use super::proxy_role::ProxyRole;
use crate::base::certainty::Certainty;
use crate::base::format::{bytes, count, duration, exact_bytes, number};
use crate::base::frame_names::FrameNames;
use crate::base::frame_ref::{FrameNumber, FrameRef};

/// Different words listed in one place of a sentence; the rest are "others".
const LISTED: usize = 4;
/// Frames of which it is asked what several places show of them.
const LOOKED_AT: usize = 64;

/// The place of the number in a chosen form of a headline. Nothing that is shown holds this character: values are escaped.
pub(super) const NUMBER: char = '\u{1}';

/// A value in a sentence, or the values of many cases in the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// From the shortest to the longest.
    Duration(Duration, Duration),
    /// Bytes in powers of 1000, from the fewest to the most.
    Bytes(u64, u64),
    /// Bytes to the byte, from the fewest to the most.
    ExactBytes(u64, u64),
    /// A plain number, from the least to the greatest.
    Number(u64, u64),
    /// A count with its noun in singular and plural, from the least to the greatest.
    Count(u64, u64, &'static str, &'static str),
    /// A count with its noun in singular and plural, of all cases together.
    Total(u64, &'static str, &'static str),
    /// A frame of the case that is shown, and whether other cases have another.
    Frame(FrameNumber, bool),
    /// Words, each once, in order of appearance, and whether there are more.
    Words(Vec<Cow<'static, str>>, bool),
    /// Requests by their names, of which all are meant.
    Named(Vec<Cow<'static, str>>, bool),
    /// Places in the capture, one for each case, and whether there are more.
    Places(Vec<String>, bool),
    /// A request by its method, which is empty if it was not seen; the same of many.
    Requests(Vec<Cow<'static, str>>, bool),
    /// The two places of capture between which the segments in these frames were lost, or from between which they come.
    Between(Vec<FrameNumber>),
    /// Hop limits, each of a segment with the place of capture of a frame, as that place shows it.
    HopLimits(Vec<(u8, FrameNumber)>),
}

impl Value {
    /// Bytes in powers of 1000.
    pub(super) const fn bytes(count: u64) -> Self {
        Self::Bytes(count, count)
    }

    /// Bytes to the byte, where a reader compares them with a length that was announced.
    pub(super) const fn exact_bytes(count: u64) -> Self {
        Self::ExactBytes(count, count)
    }

    /// A request by its name.
    pub(super) fn named(name: String) -> Self {
        Self::Named(vec![name.into()], false)
    }

    /// Requests by their names.
    pub(super) fn named_all(names: impl Iterator<Item = String>) -> Self {
        let mut all = Self::Named(Vec::new(), false);
        for name in names {
            all.absorb(Self::named(name));
        }
        all
    }

    /// `1 request`, `3 requests`; of several cases `1 to 3 requests`.
    pub(super) const fn count(count: u64, one: &'static str, many: &'static str) -> Self {
        Self::Count(count, count, one, many)
    }

    /// The same where many cases are counted together: `1 attempt` and `2 attempts` are `3 attempts`.
    pub(super) const fn total(count: u64, one: &'static str, many: &'static str) -> Self {
        Self::Total(count, one, many)
    }

    /// The places of capture between which this segment was lost, or from between which it comes.
    pub(super) fn between(frame: FrameNumber) -> Self {
        Self::Between(vec![frame])
    }

    /// A hop limit at the place that has captured this frame.
    pub(super) fn hop_limit(ttl: u8, frame: FrameNumber) -> Self {
        Self::HopLimits(vec![(ttl, frame)])
    }

    /// Makes this hold for the other value as well.
    fn absorb(&mut self, other: Self) {
        match (self, other) {
            (Self::Duration(least, most), Self::Duration(low, high)) => {
                (*least, *most) = ((*least).min(low), (*most).max(high));
            }
            (Self::Bytes(least, most), Self::Bytes(low, high))
            | (Self::ExactBytes(least, most), Self::ExactBytes(low, high))
            | (Self::Number(least, most), Self::Number(low, high))
            | (Self::Count(least, most, ..), Self::Count(low, high, ..)) => {
                (*least, *most) = ((*least).min(low), (*most).max(high));
            }
            (Self::Total(count, ..), Self::Total(more, ..)) => *count = count.saturating_add(more),
            (Self::Frame(frame, more), Self::Frame(other, others)) => {
                *more |= others || *frame != other;
            }
            (Self::Words(words, more), Self::Words(others, further))
            | (Self::Named(words, more), Self::Named(others, further))
            | (Self::Requests(words, more), Self::Requests(others, further)) => {
                *more |= further;
                for word in others {
                    if words.contains(&word) {
                        continue;
                    }
                    match words.len() < LISTED {
                        true => words.push(word),
                        false => *more = true,
                    }
                }
            }
            (Self::Places(places, more), Self::Places(others, further)) => {
                let all = places.len() + others.len();
                *more |= further || all > LISTED;
                places.extend(others);
                places.truncate(LISTED);
            }
            (Self::Between(frames), Self::Between(others)) => {
                frames.extend(others);
                frames.truncate(LOOKED_AT);
            }
            (Self::HopLimits(all), Self::HopLimits(others)) => {
                all.extend(others);
                all.truncate(LOOKED_AT);
            }
            (value, other) => {
                debug_assert!(false, "{value:?} and {other:?} stand in the same place");
            }
        }
    }

    /// As [`Self::write`], where a time of `under 0.1 ms` fits the preposition before it.
    fn write_after(&self, text: &mut String, frames: &FrameNames, proxy: ProxyRole) {
        let at = text.len();
        self.write(text, frames, proxy);
        let (before, written) = text.split_at(at);
        let Some(time) = written.strip_prefix("under ") else {
            return;
        };
        let told = match before.rsplit(' ').nth(1) {
            Some("within" | "Within") => time.to_owned(),
            Some("after" | "After") => format!("less than {time}"),
            _ => return,
        };
        text.truncate(at);
        text.push_str(&told);
    }

    /// The words for a time that is too short to be a number before what follows it, and the rest of that: `at once` for
    /// `0 ms later`, `right after` for `0 ms after`.
    fn at_once<'t>(&self, next: &'t str) -> Option<(&'static str, &'t str)> {
        let Self::Duration(_, most) = self else {
            return None;
        };
        let is_short = *most < Duration::from_micros(50);
        let words = [(" later", "at once"), (" after ", "right after ")];
        let mut fitting = words.into_iter().filter(|_| is_short);
        fitting.find_map(|(joint, words)| Some((words, next.strip_prefix(joint)?)))
    }

    /// Whether it names several.
    fn is_plural(&self) -> bool {
        matches!(self, Self::Named(names, more) if names.len() > 1 || *more)
    }

    /// `proxy`: the side that is a proxy, which the program's own words name.
    fn write(&self, text: &mut String, frames: &FrameNames, proxy: ProxyRole) {
        let range = |low: String, high: String| {
            let unit = |text: &str| text.split_once(' ').map(|(_, unit)| unit.to_owned());
            match (low == high, unit(&low), unit(&high)) {
                (true, ..) => low,
                // `under 0.1 ms` and `0.1 ms` are about the same.
                _ if low.strip_prefix("under ") == Some(&high) => format!("at most {high}"),
                // `3.0 to 41.0 ms`, but `3 min 2 s to 4 min 2 s`.
                (false, Some(one), Some(other)) if one == other && !one.contains(' ') => {
                    format!("{} to {high}", low.trim_end_matches(&one).trim_end())
                }
                _ => format!("{low} to {high}"),
            }
        };
        *text += &match self {
            Self::Duration(least, most) => match (duration(*least), duration(*most)) {
                (low, high) if low.starts_with("under ") && low != high => format!("up to {high}"),
                (low, high) => range(low, high),
            },
            Self::Bytes(least, most) => range(bytes(*least), bytes(*most)),
            Self::ExactBytes(least, most) if least == most => exact_bytes(*least),
            Self::ExactBytes(least, most) => range(number(*least), exact_bytes(*most)),
            Self::Number(least, most) => range(number(*least), number(*most)),
            Self::Count(least, most, one, many) if least == most => count(*least, one, many),
            Self::Count(least, most, one, many) => range(number(*least), count(*most, one, many)),
            Self::Total(all, one, many) => count(*all, one, many),
            Self::Frame(frame, false) => frames.name(*frame),
            Self::Frame(frame, true) => format!("{}, for one", frames.name(*frame)),
            Self::Words(words, more) => {
                let words = words.iter().map(|it| match it {
                    Cow::Borrowed(own) => proxy.in_text(own),
                    Cow::Owned(other) => Cow::Borrowed(&**other),
                });
                listed(&words.collect::<Vec<_>>(), more.then_some("others"), "or")
            }
            Self::Named(names, more) => listed(names, more.then_some("others"), "and"),
            Self::Places(places, more) => {
                let rest = if *more { "; …" } else { "" };
                format!("{}{rest}", places.join("; "))
            }
            Self::Requests(methods, more) => requests(methods, *more),
            Self::Between(segments) => {
                let mut names: Vec<Cow<'_, str>> = Vec::new();
                for frame in segments {
                    let name = frames.between(*frame);
                    let name = name.map_or("the two places".into(), Cow::Owned);
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
                listed(&names, None, "or between")
            }
            Self::HopLimits(all) => {
                let own = all.iter().map(|(ttl, frame)| frames.own_ttl(*frame, *ttl));
                let (least, most) =
                    own.fold((u8::MAX, 0), |(low, high), it| (low.min(it), high.max(it)));
                range(least.to_string(), most.to_string())
            }
        };
    }
}

/// `a`, `a or b`, `a, b or c`, `a, b, c, d or others`; with another joint `a and b`.
fn listed(words: &[Cow<'_, str>], others: Option<&str>, joint: &str) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).chain(others).collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} {joint} {last}", before.join(", ")),
        None => String::new(),
    }
}

/// `request`, `GET request`, `GET or POST request`, `GET or other request`, `query`, `query or command`. Methods are in upper
/// case, and what other protocols call a request is not.
fn requests(names: &[Cow<'static, str>], more: bool) -> String {
    let is_noun = |name: &&Cow<'static, str>| name.bytes().any(|byte| byte.is_ascii_lowercase());
    let mut nouns: Vec<_> = names.iter().filter(is_noun).cloned().collect();
    let methods = names
        .iter()
        .filter(|name| !is_noun(name) && !name.is_empty());
    let methods: Vec<_> = methods.cloned().collect();
    let others = more || names.iter().any(|name| name.is_empty());
    let others = others.then_some("other");
    if nouns.is_empty() && methods.is_empty() {
        return "request".to_owned();
    }
    if nouns.is_empty() {
        return format!("{} request", listed(&methods, others, "or"));
    }
    if !methods.is_empty() {
        nouns.push(format!("{} request", listed(&methods, None, "or")).into());
    }
    listed(&nouns, others, "or")
}

impl From<Duration> for Value {
    fn from(time: Duration) -> Self {
        Self::Duration(time, time)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number, number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::from(u64::from(number))
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::from(u64::from(number))
    }
}

impl From<u8> for Value {
    fn from(number: u8) -> Self {
        Self::from(u64::from(number))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::from(number as u64)
    }
}

impl From<FrameNumber> for Value {
    fn from(frame: FrameNumber) -> Self {
        Self::Frame(frame, false)
    }
}

impl From<FrameRef> for Value {
    fn from(frame_ref: FrameRef) -> Self {
        Self::from(frame_ref.frame)
    }
}

impl From<&'static str> for Value {
    fn from(word: &'static str) -> Self {
        Self::Words(vec![Cow::Borrowed(word)], false)
    }
}

impl From<String> for Value {
    fn from(word: String) -> Self {
        Self::Words(vec![Cow::Owned(word)], false)
    }
}

impl From<&String> for Value {
    fn from(word: &String) -> Self {
        Self::from(word.clone())
    }
}

impl From<Cow<'_, str>> for Value {
    fn from(word: Cow<'_, str>) -> Self {
        Self::from(word.into_owned())
    }
}

impl From<std::net::IpAddr> for Value {
    fn from(address: std::net::IpAddr) -> Self {
        Self::from(address.to_string())
    }
}

impl From<crate::base::net::Endpoint> for Value {
    fn from(endpoint: crate::base::net::Endpoint) -> Self {
        Self::from(endpoint.to_string())
    }
}

/// A sentence, or part of one: a template whose `{}` are the places of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    template: &'static str,
    values: Vec<Value>,
    /// It is inferred: where the finding is not certain, this is what is not.
    presumed: bool,
    /// How far the capture proves this sentence, whatever is said of the finding.
    certainty: Certainty,
}

impl Sentence {
    /// A sentence; [`sentence!`] reads better.
    pub(super) fn new(template: &'static str, values: Vec<Value>) -> Self {
        debug_assert_eq!(
            template.matches("{}").count(),
            values.len(),
            "places and values of {template:?}"
        );
        Self {
            template,
            values,
            presumed: false,
            certainty: Certainty::Certain,
        }
    }

    /// The same as an inference that is likely in a finding that is certain.
    #[must_use]
    pub(super) fn likely(self) -> Self {
        Self {
            certainty: Certainty::Likely,
            ..self
        }
    }

    /// The same as an inference from what the other sentences say.
    #[must_use]
    pub(super) fn presumed(self) -> Self {
        Self {
            presumed: true,
            ..self
        }
    }

    /// The template: equal for cases that differ in values alone.
    pub(super) const fn template(&self) -> &'static str {
        self.template
    }

    /// Whether it advises against a retry.
    pub(super) fn forbids_retry(&self) -> bool {
        self.template.starts_with(DO_NOT_RETRY)
    }

    /// What keeps a headline apart from others of the same template: the words that the program chose. Words from packets
    /// would be too many.
    pub(super) fn variant(&self) -> u64 {
        let words = self.values.iter().filter_map(|it| match it {
            Value::Words(words, _) => match words.first() {
                Some(Cow::Borrowed(word)) => Some(*word),
                _ => None,
            },
            _ => None,
        });
        let mut hasher = foldhash::fast::FixedState::default().build_hasher();
        words.for_each(|it| it.hash(&mut hasher));
        hasher.finish()
    }

    /// Makes this hold for the other sentence as well, whose template must be the same.
    pub(super) fn absorb(&mut self, other: Self) {
        debug_assert_eq!(self.template, other.template);
        for (value, other) in self.values.iter_mut().zip(other.values) {
            value.absorb(other);
        }
    }

    /// The singular or the plural of a headline, `[one|many]`, with [`NUMBER`] in the place of `#`.
    pub(super) fn choice(&self, plural: bool, frames: &FrameNames, proxy: ProxyRole) -> String {
        let template = proxy.in_text(self.template);
        let mut text = String::new();
        let mut values = self.values.iter();
        // Outside of brackets, in the singular, or in the plural.
        let mut within = None;
        let mut rest = &*template;
        while let Some(next) = rest.chars().next() {
            let is_shown = within.is_none_or(|it| it == plural);
            let length = if rest.starts_with("{}") {
                2
            } else {
                next.len_utf8()
            };
            match next {
                '[' => within = Some(false),
                '|' if within == Some(false) => within = Some(true),
                ']' if within.is_some() => within = None,
                '{' if length == 2 => {
                    let after = rest.get(length..).unwrap_or_default();
                    if let Some(value) = values.next().filter(|_| is_shown) {
                        match value.at_once(after) {
                            Some((words, more)) => {
                                text += words;
                                rest = more;
                                continue;
                            }
                            None => value.write_after(&mut text, frames, proxy),
                        }
                    }
                }
                '#' if within == Some(true) && is_shown => text.push(NUMBER),
                other if is_shown => text.push(other),
                _ => {}
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        text
    }

    /// The sentence as text. One about named requests may have a form for one and a form for many, as a headline has.
    pub(super) fn text(&self, frames: &FrameNames, proxy: ProxyRole) -> String {
        let has_forms = self.values.iter().any(|it| matches!(it, Value::Named(..)));
        let mut text = match has_forms {
            true => self.choice(self.values.iter().any(Value::is_plural), frames, proxy),
            false => self.filled(frames, proxy),
        };
        // A value that begins a sentence may begin with an article; titles begin in lower case.
        if self.template.ends_with('.')
            && let Some(rest) = text.strip_prefix("the ")
        {
            text = format!("The {rest}");
        }
        text
    }

    /// The template with the values in their places.
    fn filled(&self, frames: &FrameNames, proxy: ProxyRole) -> String {
        let template = proxy.in_text(self.template);
        let mut text = String::new();
        let mut parts = template.split("{}");
        text += parts.next().unwrap_or_default();
        for (value, part) in self.values.iter().zip(parts) {
            match value.at_once(part) {
                Some((words, rest)) => {
                    text += words;
                    text += rest;
                }
                None => {
                    value.write_after(&mut text, frames, proxy);
                    text += part;
                }
            }
        }
        text
    }
}

/// A sentence without values. A text that was put together is none: what differs between cases is a value.
impl From<&'static str> for Sentence {
    fn from(template: &'static str) -> Self {
        Self::new(template, Vec::new())
    }
}

/// A sentence with values in its places: `sentence!("It came {} after {}.", waited, frame)`.
macro_rules! sentence {
    ($template:literal $(, $value:expr)* $(,)?) => {
        $crate::rules::statement::Sentence::new(
            $template,
            vec![$($crate::rules::statement::Value::from($value)),*],
        )
    };
}
pub(super) use sentence;

/// What a sentence has in it that says what to do about a retry.
const ABOUT_RETRY: [&str; 7] = [
    "retry",
    "Retry",
    "resend",
    "No request was",
    "had no effect",
    "was not executed",
    "nothing to retry",
];

/// How the sentence begins that advises against a retry.
const DO_NOT_RETRY: &str = "Do not retry ";

/// What is said about a case, or about many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// The cases that it is about.
    cases: Members,
    /// What happened: the sentences, each with the cases that have it.
    sentences: Vec<(Members, Sentence)>,
    /// What it means for the user: what is lost, whether a retry is safe, what is not known.
    meaning: Vec<(Members, Sentence)>,
    /// The side that is a proxy.
    proxy: ProxyRole,
}

impl Statement {
    /// Adds a sentence that holds for all cases so far.
    pub(super) fn say(&mut self, sentence: impl Into<Sentence>) {
        let sentence = sentence.into();
        self.sentences.push((self.cases.clone(), sentence));
    }

    /// Begins with these sentences, which hold for all cases so far. The hedge of a finding that is not certain stays before
    /// what it was about.
    pub(super) fn say_first(&mut self, sentences: Vec<Sentence>) {
        let mut all = self.sentences.iter().chain(&self.meaning);
        if all.all(|(_, it)| !it.presumed)
            && let Some((_, first)) = self.sentences.first_mut()
        {
            first.presumed = true;
        }
        let own = sentences.into_iter().map(|it| (self.cases.clone(), it));
        let own: Vec<_> = own.collect();
        self.sentences.splice(..0, own);
    }

    /// Adds a sentence that is inferred from the others: the hedge of a finding that is not certain stands before the first of
    /// these, and before the whole text if there is none.
    pub(super) fn presume(&mut self, sentence: impl Into<Sentence>) {
        self.say(sentence.into().presumed());
    }

    /// Adds a sentence on what it means for the user.
    pub(super) fn mean(&mut self, sentence: impl Into<Sentence>) {
        self.meaning.push((self.cases.clone(), sentence.into()));
    }

    /// Leaves out what it means with this template: something else shows it.
    pub(super) fn mean_no_more(&mut self, template: &str) {
        self.meaning.retain(|(_, it)| it.template() != template);
    }

    /// Says this in place of what it means with that template.
    pub(super) fn mean_instead(&mut self, template: &str, sentence: &'static str) {
        let mut meaning = self.meaning.iter_mut();
        if let Some((_, it)) = meaning.find(|(_, it)| it.template() == template) {
            *it = sentence.into();
        }
    }

    /// Leaves out what is inferred: something else explains it.
    pub(super) fn presume_no_more(&mut self) {
        self.sentences.retain(|(_, it)| !it.presumed);
    }

    /// What it means for the user is this alone.
    pub(super) fn mean_only(&mut self, sentence: impl Into<Sentence>) {
        self.meaning.clear();
        self.mean(sentence);
    }

    /// Adds a sentence on what it means for the user.
    #[must_use]
    pub(super) fn means(mut self, sentence: impl Into<Sentence>) -> Self {
        self.mean(sentence);
        self
    }

    /// Adds a sentence.
    #[must_use]
    pub(super) fn and(mut self, sentence: impl Into<Sentence>) -> Self {
        self.say(sentence);
        self
    }

    /// Adds a sentence that is inferred from the others.
    #[must_use]
    pub(super) fn presuming(mut self, sentence: impl Into<Sentence>) -> Self {
        self.presume(sentence);
        self
    }

    /// Lets it stand for these cases: what is said of a group holds for all in it.
    pub(super) fn weigh(&mut self, members: &Members) {
        self.cases.clone_from(members);
        let all = self.sentences.iter_mut().chain(&mut self.meaning);
        all.for_each(|(own, _)| own.clone_from(members));
    }

    /// Makes this hold for the other's cases as well.
    pub(super) fn absorb(&mut self, other: Self) {
        self.cases.absorb(&other.cases);
        absorb(&mut self.sentences, other.sentences);
        absorb(&mut self.meaning, other.meaning);
        if self.proxy != other.proxy {
            self.proxy = ProxyRole::None;
        }
    }

    /// Hedges each inference by itself, to stand beside cases that the capture proves to another degree.
    pub(super) fn hedge_each(&mut self, certainty: Certainty) {
        let all = self.sentences.iter_mut().chain(&mut self.meaning);
        let mut all: Vec<&mut Sentence> = all.map(|(_, it)| it).collect();
        if all.iter().all(|it| !it.presumed)
            && let Some(first) = all.first_mut()
        {
            first.presumed = true;
        }
        for it in all.into_iter().filter(|it| it.presumed) {
            it.presumed = false;
            it.certainty = it.certainty.max(certainty);
        }
    }

    /// Says which side is a proxy.
    pub(super) const fn set_proxy(&mut self, proxy: ProxyRole) {
        self.proxy = proxy;
    }

    /// Whether it says whether a retry is safe, or that nothing was sent that could be retried.
    pub(super) fn speaks_of_retry(&self) -> bool {
        let mut meaning = self.meaning.iter();
        meaning.any(|(_, it)| ABOUT_RETRY.iter().any(|words| it.template.contains(words)))
    }

    /// Leaves out what it says about a retry.
    pub(super) fn leave_out_retry(&mut self) {
        let is_about = |it: &Sentence| ABOUT_RETRY.iter().any(|words| it.template.contains(words));
        self.meaning.retain(|(_, it)| !is_about(it));
    }

    /// Whether it advises against a retry.
    pub(super) fn forbids_retry(&self) -> bool {
        let mut meaning = self.meaning.iter();
        meaning.any(|(_, it)| it.forbids_retry())
    }

    /// What stands before a text that holds for all cases, after one that holds for some of them.
    pub(super) const fn lead_of_all(&self) -> &'static str {
        self.cases.lead_of_all()
    }

    /// What happened. What only some cases have begins with their numbers.
    pub(super) fn happened(&self, frames: &FrameNames) -> Vec<Paragraph> {
        self.part(&self.sentences, frames)
    }

    /// What it means for the user.
    pub(super) fn meaning(&self, frames: &FrameNames) -> Vec<Paragraph> {
        self.part(&self.meaning, frames)
    }

    /// The text.
    #[must_use]
    pub(super) fn text(&self, frames: &FrameNames) -> Message {
        Message::of(self.clone(), frames)
    }

    /// The sentences that hold for the same cases stand together, in the order of the first of each: what holds for all of them
    /// comes first where it stands first, and else last.
    fn part(&self, sentences: &[(Members, Sentence)], frames: &FrameNames) -> Vec<Paragraph> {
        let all = self.cases.cases();
        let leads = sentences.iter().map(|(own, _)| own.lead(all));
        let leads: Vec<String> = leads.collect();
        let varies = leads.iter().position(|it| !it.is_empty());
        let mut paragraphs: Vec<Paragraph> = Vec::new();
        for (nth, ((_, sentence), lead)) in sentences.iter().zip(leads).enumerate() {
            let lead = match lead.is_empty() && varies.is_some_and(|it| it < nth) {
                true => self.cases.lead_of_all().to_owned(),
                false => lead,
            };
            let at = paragraphs.iter().position(|it| it.lead == lead);
            let at = at.unwrap_or_else(|| {
                paragraphs.push(Paragraph {
                    lead,
                    ..Paragraph::default()
                });
                paragraphs.len() - 1
            });
            if let Some(paragraph) = paragraphs.get_mut(at) {
                paragraph.add(sentence, frames, self.proxy);
            }
        }
        let is_last = |it: &Paragraph| it.lead == self.cases.lead_of_all();
        paragraphs.sort_by_key(is_last);
        paragraphs
    }
}

/// Sentences that hold for the same cases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Paragraph {
    /// Which cases, if not all: `#2, #5–#9: `.
    pub(super) lead: String,
    pub(super) text: String,
    /// Where the first sentence begins that is inferred, if there is one.
    pub(super) presumed: Option<usize>,
}

impl Paragraph {
    fn add(&mut self, sentence: &Sentence, frames: &FrameNames, proxy: ProxyRole) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        if sentence.presumed && self.presumed.is_none() {
            self.presumed = Some(self.text.len());
        }
        let text = sentence.text(frames, proxy);
        match sentence.certainty.hedge() {
            "" => self.text += &text,
            hedge => {
                self.text += hedge;
                self.text += &within_a_sentence(&text);
            }
        }
    }

    /// The same with a hedge before the sentence that begins here.
    pub(super) fn hedge(&mut self, at: usize, hedge: &str) {
        if let Some(rest) = self.text.get(at..) {
            let rest = within_a_sentence(rest).into_owned();
            self.text.truncate(at);
            self.text += hedge;
            self.text += &rest;
        }
    }
}

impl std::fmt::Display for Paragraph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.lead, self.text)
    }
}

/// Joins the sentences of other cases: those with the same template become one, and those that only the others have come
/// after one's own.
fn absorb(sentences: &mut Vec<(Members, Sentence)>, others: Vec<(Members, Sentence)>) {
    let mut end = sentences.len();
    for (members, sentence) in others.into_iter().rev() {
        let before = sentences.get_mut(..end).unwrap_or_default();
        let same = |(_, own): &(Members, Sentence)| {
            own.template == sentence.template && own.certainty == sentence.certainty
        };
        match before.iter().rposition(same) {
            Some(nth) => {
                if let Some((own, ours)) = before.get_mut(nth) {
                    own.absorb(&members);
                    ours.absorb(sentence);
                }
                end = nth;
            }
            None => sentences.insert(end, (members, sentence)),
        }
    }
}

/// A statement of one sentence.
impl<S: Into<Sentence>> From<S> for Statement {
    fn from(sentence: S) -> Self {
        Self::default().and(sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waited(method: &'static str, millis: u64, frame: u64) -> Statement {
        Statement::from(sentence!(
            "The server had the {} request for {} and reset it ({}).",
            method,
            Duration::from_millis(millis),
            FrameNumber(frame)
        ))
    }

    #[test]
    fn one_case_is_told_as_it_is() {
        assert_eq!(
            waited("GET", 41, 6).text(&FrameNames::default()),
            "The server had the GET request for 41.0 ms and reset it (frame 6)."
        );
    }

    #[test]
    fn what_differs_becomes_a_range_or_a_list() {
        let mut told = waited("GET", 41, 6);
        told.absorb(waited("POST", 3, 12));
        told.absorb(waited("GET", 8, 20));
        assert_eq!(
            told.text(&FrameNames::default()),
            "The server had the GET or POST request for 3.0 to 41.0 ms and reset it (frame 6, for one)."
        );
    }

    #[test]
    fn what_some_cases_have_names_them() {
        let safe = || sentence!("{} is safe to retry.", "GET /a");
        let unsafe_ = || sentence!("Do not retry {}.", "POST /order");
        let last = "Nothing else was lost.";
        let told = |ids: [&[u32]; 3]| {
            let mut cases = [
                waited("POST", 5, 6).means(unsafe_()).means(last),
                waited("GET", 5, 6).means(safe()).means(last),
                waited("GET", 5, 6).means(safe()).means(last),
            ];
            for (case, ids) in cases.iter_mut().zip(ids) {
                case.weigh(&Members::on(1, ids));
            }
            let joined = cases.into_iter().reduce(|mut told, it| {
                told.absorb(it);
                told
            });
            joined.map(|it| it.text(&FrameNames::default()).meaning().to_owned())
        };
        assert_eq!(
            told([&[5], &[2], &[9]]).as_deref(),
            Some(
                "#5: Do not retry POST /order. #2, #9: GET /a is safe to retry. All: Nothing else was lost."
            )
        );
        assert_eq!(
            told([&[]; 3]).as_deref(),
            Some(
                "In 1 of 3 cases: Do not retry POST /order. In 2 of 3 cases: GET /a is safe to retry. All: Nothing else \
                 was lost."
            )
        );
    }

    #[test]
    fn sentences_of_the_same_cases_stand_together() {
        let mut told = Statement::from("It was refused.").and("The name was a.");
        told.say("It said why.");
        told.weigh(&Members::on(1, &[1]));
        let mut other = Statement::from("It was reset.").and("The name was a.");
        other.presume("It was refused as well.");
        other.weigh(&Members::on(1, &[2]));
        told.absorb(other);
        let message = told.text(&FrameNames::default());
        let parts: Vec<String> = message
            .hedged(Certainty::Likely)
            .happened_in_parts()
            .collect();
        assert_eq!(
            parts,
            [
                "#1: It was refused. It said why.",
                "#2: It was reset. Likely: it was refused as well.",
                "Both: The name was a.",
            ]
        );
    }

    #[test]
    fn what_a_client_got_stands_before_why() {
        let mut told = Statement::from("The server reset it.");
        told.say_first(vec!["The proxy said 502.".into()]);
        let message = told.text(&FrameNames::default());
        assert_eq!(
            message.hedged(Certainty::Likely).happened(),
            "The proxy said 502. Likely: the server reset it."
        );
    }

    #[test]
    fn many_words_are_cut() {
        let words = ["a", "b", "c", "d", "e", "a", "f"];
        let mut told = Statement::from(sentence!("To {}.", "a"));
        for word in words {
            told.absorb(Statement::from(sentence!("To {}.", word)));
        }
        assert_eq!(
            told.text(&FrameNames::default()),
            "To a, b, c, d or others."
        );
    }

    #[test]
    fn counts_keep_their_nouns() {
        let retried = |times| {
            Statement::from(sentence!(
                "{}.",
                Value::count(times, "retransmission", "retransmissions")
            ))
        };
        assert_eq!(retried(1).text(&FrameNames::default()), "1 retransmission.");
        let mut told = retried(1);
        told.absorb(retried(15));
        assert_eq!(
            told.text(&FrameNames::default()),
            "1 to 15 retransmissions."
        );
    }

    #[test]
    fn what_takes_no_time_has_no_number() {
        for (micros, told) in [
            (
                20,
                "The RST came right after the SYN, and the close at once.",
            ),
            (
                60,
                "The RST came 0.1 ms after the SYN, and the close 0.1 ms later.",
            ),
        ] {
            let time = Duration::from_micros(micros);
            let sentence = sentence!(
                "The RST came {} after the SYN, and the close {} later.",
                time,
                time
            );
            let statement = Statement::from(sentence);
            assert_eq!(statement.text(&FrameNames::default()), told);
        }
        let short = Duration::from_micros(20);
        let sentence = sentence!("It came within {}, after {} of silence.", short, short);
        assert_eq!(
            Statement::from(sentence).text(&FrameNames::default()),
            "It came within 0.1 ms, after less than 0.1 ms of silence."
        );
    }

    #[test]
    fn braces_from_a_packet_are_no_places() {
        let told = Statement::from(sentence!("It was {}.", "GET /{} {}".to_owned()));
        assert_eq!(told.text(&FrameNames::default()), "It was GET /{} {}.");
    }

    #[test]
    fn requests_are_listed_by_method() {
        let had = |methods: &[&str]| {
            let each = methods.iter().map(|method| {
                let of = Value::Requests(vec![(*method).to_owned().into()], false);
                Statement::from(sentence!("The server had the whole {}.", of))
            });
            let joined = each.reduce(|mut told, it| {
                told.absorb(it);
                told
            });
            joined.expect("a case").text(&FrameNames::default())
        };
        for (methods, told) in [
            (&["GET"][..], "GET request"),
            (&[""], "request"),
            (&["", ""], "request"),
            (&["GET", "POST", "GET"], "GET or POST request"),
            (&["GET", ""], "GET or other request"),
            (&["A", "B", "C", "D", "E"], "A, B, C, D or other request"),
        ] {
            let wanted = format!("The server had the whole {told}.");
            assert_eq!(had(methods).to_string(), wanted, "{methods:?}");
        }
    }

    #[test]
    fn a_headline_has_a_singular_and_a_plural() {
        let frames = FrameNames::default();
        let of =
            |sentence: Sentence| crate::rules::Headline::of(&sentence, &frames, ProxyRole::None);
        let reset = of("[A request was|# requests were] reset".into());
        assert_eq!(reset.over(1), "A request was reset");
        assert_eq!(reset.over(1200), "1,200 requests were reset");
        let told = of(sentence!(
            "Server [sent {}|sent {} each] at port {}",
            "one",
            "two",
            80u16
        ));
        assert_eq!(told.over(2), "Server sent two each at port 80");
        let bare = of("The capture is not complete".into());
        assert_eq!(bare.over(3), "The capture is not complete");
    }

    #[test]
    fn what_happened_is_told_apart_from_what_it_means() {
        let case = || Statement::from("It was reset.").means("It may be retried.");
        let mut both = case().and("It was late.");
        both.absorb(case());
        let text = both.text(&FrameNames::default());
        assert_eq!(
            text.happened(),
            "It was reset. In 1 of 2 cases: It was late."
        );
        assert_eq!(text.meaning(), "It may be retried.");
        assert_eq!(
            text,
            "It was reset. In 1 of 2 cases: It was late. Both: It may be retried."
        );
    }

    #[test]
    fn joining_goes_in_any_grouping() {
        let cases = [
            waited("GET", 5, 6).and("First."),
            waited("PUT", 7, 6),
            waited("GET", 9, 9).and("First."),
        ];
        let one_by_one = cases.iter().skip(1).fold(cases[0].clone(), |mut told, it| {
            told.absorb(it.clone());
            told
        });
        let mut last = cases[1].clone();
        last.absorb(cases[2].clone());
        let mut grouped = cases[0].clone();
        grouped.absorb(last);
        assert_eq!(
            one_by_one.text(&FrameNames::default()),
            grouped.text(&FrameNames::default())
        );
    }
}
