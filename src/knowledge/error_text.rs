//! The error text each program prints for each wire event, and the events that a program does not report.
//!
//! `error_texts.tsv` has one row per text of a product: the events it stands for, the versions in which it was read or
//! seen, and its source; `error_texts_clients.tsv` goes on with what `captures/clients` shows, and
//! `error_texts_protocols.tsv` has those of programs that speak other protocols than HTTP. Variable
//! parts are `…`. A row without a text is a program that swallows the fault.

use std::sync::{LazyLock, OnceLock};

use hashbrown::HashMap;

use super::basis::Basis;
use super::met::Met;
use super::parsers::Readings;
use super::product::{NamedProduct, PRODUCTS, Product, Role, product};
use super::table::{self, field};
use super::tls_alert::Refusal;
use super::tls_client::TlsClient;
use super::wire_event::{LogSide, WireEvent};

/// One text of one product.
#[derive(Debug)]
pub struct ErrorText {
    /// The side in whose log the text appears.
    pub side: LogSide,
    /// The program that prints it.
    pub product: &'static Product,
    /// The versions for which it is known.
    pub versions: &'static str,
    /// The wire events it stands for.
    pub events: Vec<WireEvent>,
    /// The exception type, or the kind of log.
    pub kind: Option<&'static str>,
    /// The text; `None` where the fault is swallowed.
    pub text: Option<&'static str>,
    /// The error code printed with it.
    pub code: Option<&'static str>,
    /// The innermost cause printed with it.
    pub cause: Option<&'static str>,
    /// A further remark.
    pub note: Option<&'static str>,
    /// The source of this row.
    pub source: &'static str,
    /// How good that source is.
    pub basis: Basis,
    /// Only old versions print this: another text is known for later ones.
    pub superseded: bool,
}

static SOURCES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    table::rows(include_str!("sources.tsv"))
        .map(|[_, source]| source)
        .collect()
});

/// The source with this number, as listed in the tables.
pub(super) fn source(number: &str) -> &'static str {
    let index = number
        .parse::<usize>()
        .ok()
        .and_then(|it| it.checked_sub(1));
    index.and_then(|it| SOURCES.get(it)).copied().unwrap_or("")
}

const FILES: [&str; 5] = [
    include_str!("error_texts.tsv"),
    include_str!("error_texts_more.tsv"),
    include_str!("error_texts_faults.tsv"),
    include_str!("error_texts_clients.tsv"),
    include_str!("error_texts_protocols.tsv"),
];

/// All texts, in the order of the tables.
pub(crate) static FACTS: LazyLock<Vec<ErrorText>> = LazyLock::new(|| facts(lines()));

/// The lines of all tables, without their header lines.
fn lines() -> impl Iterator<Item = &'static str> {
    FILES.into_iter().flat_map(table::lines)
}

/// The texts of these lines, which must be all lines of their products.
fn facts(lines: impl Iterator<Item = &'static str>) -> Vec<ErrorText> {
    let mut facts: Vec<ErrorText> = lines.filter_map(table::row).filter_map(fact).collect();
    let mut newest: HashMap<&'static str, u32> = HashMap::new();
    for fact in &facts {
        let from = leading_number(fact.versions).unwrap_or(0);
        let newest = newest.entry(fact.product.name).or_default();
        *newest = from.max(*newest);
    }
    for fact in &mut facts {
        let last = fact
            .versions
            .split_once('-')
            .and_then(|(_, to)| leading_number(to));
        let newest = newest.get(fact.product.name).copied();
        fact.superseded = last.is_some_and(|last| newest.is_some_and(|newest| newest > last));
    }
    facts
}

/// The texts of one product. They are read when they are first wanted: a report is about a few of the products.
#[derive(Default)]
struct ProductTexts {
    lines: Vec<&'static str>,
    facts: OnceLock<Vec<ErrorText>>,
    by_event: OnceLock<ErrorTextIndex>,
}

/// The texts for an event, best evidence first.
type ErrorTextIndex = HashMap<(LogSide, WireEvent), Vec<&'static ErrorText>>;

static TEXTS: LazyLock<HashMap<&'static str, ProductTexts>> = LazyLock::new(|| {
    let mut texts: HashMap<&'static str, ProductTexts> = HashMap::new();
    let mut lines = lines().peekable();
    while let Some(line) = lines.next() {
        let mut tabs = memchr::memchr_iter(b'\t', line.as_bytes());
        let Some((side, end)) = tabs.next().zip(tabs.next()) else {
            continue;
        };
        let start = side + 1;
        let Some(name) = line.get(start..end) else {
            continue;
        };
        let own = &mut texts.entry(name).or_default().lines;
        own.push(line);
        // Most rows of a product stand together.
        let same = |it: &&str| {
            let after = it.get(start..).and_then(|it| it.strip_prefix(name));
            after.is_some_and(|it| it.starts_with('\t'))
        };
        while let Some(next) = lines.next_if(same) {
            own.push(next);
        }
    }
    texts
});

/// All rows of a product.
pub(super) fn rows_of(product: &str) -> &'static [ErrorText] {
    TEXTS.get(product).map_or(&[], ProductTexts::facts)
}

impl ProductTexts {
    fn facts(&'static self) -> &'static [ErrorText] {
        self.facts.get_or_init(|| facts(self.lines.iter().copied()))
    }

    fn of(&'static self, side: LogSide, event: WireEvent) -> Option<&'static [&'static ErrorText]> {
        let by_event = self.by_event.get_or_init(|| {
            let facts = self.facts();
            let mut index = ErrorTextIndex::new();
            for fact in facts {
                for event in &fact.events {
                    index.entry((fact.side, *event)).or_default().push(fact);
                }
            }
            for facts in index.values_mut() {
                facts.sort_by_key(|fact| (fact.superseded, fact.basis));
            }
            index
        });
        by_event.get(&(side, event)).map(Vec::as_slice)
    }
}

fn fact(row: [&'static str; 11]) -> Option<ErrorText> {
    let [
        side,
        name,
        versions,
        events,
        kind,
        text,
        code,
        cause,
        note,
        number,
        basis,
    ] = row;
    Some(ErrorText {
        side: if side == "client" {
            LogSide::Client
        } else {
            LogSide::Server
        },
        product: product(name)?,
        versions,
        events: events.split(' ').filter_map(WireEvent::named).collect(),
        kind: field(kind),
        text: field(text),
        code: field(code),
        cause: field(cause),
        note: field(note),
        source: source(number),
        basis: Basis::named(basis),
        superseded: false,
    })
}

/// What a request has in its head besides the request line, `Host` and `Content-Length`. Programs that do not name themselves
/// differ in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeadShape {
    /// Nothing.
    Bare,
    /// `Connection: keep-alive`.
    KeepAlive,
    /// `Connection: close`.
    Close,
    /// `Accept: */*`.
    Accept,
    /// `Accept-Encoding: identity`.
    Identity,
    /// `Expect: 100-continue` and `Connection: keep-alive`.
    Expects,
}

impl HeadShape {
    /// The products whose requests have this shape unless their user adds fields.
    const fn products(self) -> &'static [&'static str] {
        match self {
            Self::Bare => &["dotnet-httpclient", "mono-httpclient"],
            Self::KeepAlive => &[
                "node-http",
                "dotnet-framework",
                "dotnet-webrequest",
                "mono-webrequest",
            ],
            Self::Close => &["php-stream", "node-http"],
            Self::Accept => &["reqwest"],
            Self::Identity => &["python-http.client"],
            Self::Expects => &["dotnet-framework", "mono-webrequest"],
        }
    }
}

/// What the capture shows of the program on one side.
#[derive(Clone, Copy, Debug)]
pub enum KnownProgram<'a> {
    /// A header names it.
    Known(&'a NamedProduct),
    /// Its messages were captured and carry no such header. The shape of their heads, if few programs share it.
    Nameless(Option<HeadShape>),
    /// The same, and they are SOAP calls.
    Soap,
    /// It speaks TLS, and its ClientHello is that of a few programs.
    Tls(&'static TlsClient),
    /// None of its messages could be parsed, or the header names no known product.
    Unknown,
    /// It speaks this protocol, a word of `service.rs`, and what it said of itself is not known.
    Speaks(&'static str),
    /// The same, and it said nothing of itself: those that name themselves are not it.
    Unnamed(&'static str),
    /// It introduced itself as one of these products does.
    Among(&'static [&'static str]),
    /// A header names a product that the tables do not have. Those that name themselves are not it.
    Other,
    /// It is none of the products of the tables: what it logs is not known.
    Stranger,
}

impl<'a> From<Option<&'a NamedProduct>> for KnownProgram<'a> {
    fn from(stack: Option<&'a NamedProduct>) -> Self {
        stack.map_or(Self::Unknown, Self::Known)
    }
}

/// The text that one program prints for an event.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The program.
    pub product: &'static Product,
    /// Other programs with the same text; only for suspects.
    pub also: Vec<&'static Product>,
    /// The exception type, or the kind of log.
    pub kind: Option<&'static str>,
    /// The text, variable parts as `…`; `None` where the program swallows the fault.
    pub text: Option<&'static str>,
    /// The cause printed with the text.
    pub cause: Option<&'static str>,
    /// A further remark; always present when there is no text.
    pub note: Option<&'static str>,
    /// A header named the program.
    pub identified: bool,
    /// The source of this row.
    pub source: &'static str,
}

/// Upper bound of suspects where no header names the program. More would be guessing.
const SUSPECTS: usize = 8;

/// The texts in the log of `side` after `event`: a known program's own texts, otherwise those of the usual suspects,
/// likeliest first, eight at most.
#[must_use]
pub fn texts<'a>(
    event: WireEvent,
    side: LogSide,
    program: impl Into<KnownProgram<'a>>,
) -> Vec<Prediction> {
    texts_of(&[event], None, side, program, None)
}

/// The same for a connection that met several events, in their order: a program that does not report the first reports
/// the next. (Some clients do not notice a response with a bad length and run into their time limit instead.) `readings`:
/// what the parsers of clients make of a malformed response, if its bytes are known. A program whose library would have
/// refused a certificate in another way than `refusal` has not met the event.
#[must_use]
pub(crate) fn texts_of<'a>(
    events: &[WireEvent],
    readings: Option<&Readings>,
    side: LogSide,
    program: impl Into<KnownProgram<'a>>,
    refusal: Option<Refusal>,
) -> Vec<Prediction> {
    let program = program.into();
    let sent = |it: &Product| {
        refusal.is_none_or(|how| events.iter().all(|event| how.fits(it.name, *event)))
    };
    let suspects = |events, side, fits: &dyn Fn(&Product) -> bool, order| {
        suspects(events, side, |it| fits(it) && sent(it), order)
    };
    let events = Met { events, readings };
    match program {
        KnownProgram::Known(stack) if !sent(stack.product) => Vec::new(),
        KnownProgram::Known(stack) => known(events, side, stack),
        KnownProgram::Nameless(shape) => {
            let first = shape.map_or(&[][..], HeadShape::products);
            let order = (SoapSuspects::Last, first);
            suspects(events, side, &|it| speaks_http(it) && !it.named, order)
        }
        KnownProgram::Soap => {
            let order = (SoapSuspects::First, &[][..]);
            suspects(events, side, &|it| speaks_http(it) && !it.named, order)
        }
        KnownProgram::Tls(client) => {
            let order = (SoapSuspects::AsCommon, &client.products[..]);
            let known = |it: &Product| client.products.contains(&it.name);
            suspects(events, side, &known, order)
        }
        KnownProgram::Unknown => {
            let order = (SoapSuspects::AsCommon, &[][..]);
            suspects(events, side, &speaks_http, order)
        }
        KnownProgram::Other => {
            let order = (SoapSuspects::Last, &[][..]);
            suspects(events, side, &|it| speaks_http(it) && !it.named, order)
        }
        KnownProgram::Stranger => Vec::new(),
        KnownProgram::Speaks(protocol) => {
            let order = (SoapSuspects::AsCommon, &[][..]);
            suspects(events, side, &|it| it.speaks(protocol), order)
        }
        KnownProgram::Unnamed(protocol) => {
            let order = (SoapSuspects::AsCommon, &[][..]);
            suspects(events, side, &|it| it.speaks(protocol) && !it.named, order)
        }
        KnownProgram::Among(names) => {
            let order = (SoapSuspects::AsCommon, names);
            suspects(events, side, &|it| names.contains(&it.name), order)
        }
    }
}

fn speaks_http(product: &Product) -> bool {
    product.speaks("http")
}

fn known(events: Met<'_>, side: LogSide, stack: &NamedProduct) -> Vec<Prediction> {
    // The number in `Go-http-client/1.1` is that of HTTP.
    let own = |_: &&str| stack.product.name != "go";
    let version = stack.version.as_deref().filter(own);
    let mut told: Vec<Prediction> = Vec::new();
    for fact in events.facts(side, stack.product, version) {
        let same = |it: &Prediction| it.text == fact.text && it.cause == fact.cause;
        if !told.iter().any(same) {
            told.push(prediction(fact, true));
        }
    }
    told
}

/// So many suspects are few.
const FEW: usize = 3;

/// Products whose calls carry `SOAPAction` and no `User-Agent`, the likeliest first.
const SOAP: [&str; 2] = ["wcf", "mono-wcf"];

/// Where the SOAP products are placed among the suspects.
#[derive(Clone, Copy)]
enum SoapSuspects {
    First,
    AsCommon,
    Last,
}

impl SoapSuspects {
    fn place(self, product: &Product) -> usize {
        let at = SOAP.iter().position(|name| *name == product.name);
        match self {
            Self::First => at.unwrap_or(SOAP.len()),
            Self::AsCommon => 0,
            Self::Last => at.map_or(0, |at| at + 1),
        }
    }
}

fn suspects(
    events: Met<'_>,
    side: LogSide,
    fits: impl Fn(&Product) -> bool,
    (soap, first): (SoapSuspects, &[&'static str]),
) -> Vec<Prediction> {
    let role = match side {
        LogSide::Client => Role::Client,
        LogSide::Server => Role::Server,
    };
    let mut products: Vec<_> = PRODUCTS
        .iter()
        .filter(|it| {
            let both = side == LogSide::Server || !speaks_http(it);
            fits(it) && (it.role == role || both && it.role == Role::Proxy)
        })
        .collect();
    let place = |it: &Product| {
        let at = first.iter().position(|name| *name == it.name);
        at.unwrap_or(first.len())
    };
    products.sort_by_key(|it| (soap.place(it), place(it), it.rank));
    let mut told: Vec<Prediction> = Vec::new();
    let mut known: Vec<_> = products
        .into_iter()
        .map(|product| (product, events.facts(side, product, None)))
        .collect();
    known.retain(|(_, facts)| facts.iter().any(|it| it.text.is_some()));
    // Of few suspects all texts are shown, as those of a known program are. Those that speak HTTP have many for one event.
    let few = known.len() <= FEW && !known.iter().any(|(product, _)| speaks_http(product));
    if few || known.len() == 1 {
        for fact in known.iter().flat_map(|(_, facts)| facts) {
            let same = |it: &&mut Prediction| it.text == fact.text;
            match told.iter_mut().find(same) {
                Some(same) if same.product != fact.product => same.also.push(fact.product),
                Some(_) => {}
                None if fact.text.is_some() => told.push(prediction(fact, false)),
                None => {}
            }
        }
        told.truncate(SUSPECTS);
        return told;
    }
    for (product, facts) in known {
        // One text per product: one that was seen, or the one with the best evidence.
        let Some((fact, text)) = facts.iter().find_map(|it| Some((*it, it.text?))) else {
            continue;
        };
        // Short words around another program's text say nothing of their own.
        let brief = text.split(' ').count() < BRIEF_WORDS;
        let inner = fact.cause.and_then(|it| it.split_once(": ")).map(|it| it.1);
        let wraps = |told: &str| {
            let same = |it: &str| it == told || holds(it, told);
            brief && inner.is_some_and(same)
        };
        let alike = |it: &&mut Prediction| {
            it.text
                .is_some_and(|told| holds(told, text) || holds(text, told) || wraps(told))
        };
        match told.iter_mut().find(alike) {
            Some(same) => {
                let wraps = same.text.is_some_and(wraps);
                same.also.push(product);
                if !wraps && same.text.is_some_and(|told| text.len() < told.len()) {
                    same.text = Some(text);
                }
            }
            None => told.push(prediction(fact, false)),
        }
    }
    // Shortening can make a text equal to another's.
    let mut apart: Vec<Prediction> = Vec::with_capacity(told.len());
    for one in told {
        match apart.iter_mut().find(|it| it.text == one.text) {
            Some(same) => {
                same.also.push(one.product);
                same.also.extend(one.also);
            }
            None => apart.push(one),
        }
    }
    apart.truncate(SUSPECTS);
    apart
}

/// A text stands for a longer one that contains it if it has this many words; fewer would be too unspecific.
const MIN_WORDS: usize = 5;
/// A text with fewer words is shown by its cause, where another program prints that alone: `fetch failed`.
const BRIEF_WORDS: usize = 7;
/// `strerror` texts: with few words around them they say as much as the whole text.
const SYSTEM_WORDS: [&str; 7] = [
    "Broken pipe",
    "Connection refused",
    "Connection reset by peer",
    "Connection timed out",
    "Network is unreachable",
    "No route to host",
    "timed out",
];
/// Number of extra words up to which `failed: Connection refused.` counts as the same text as `Connection refused`.
const SPARE_WORDS: usize = 3;

fn holds(long: &str, short: &str) -> bool {
    let (long, short) = (&*long.to_ascii_lowercase(), &*short.to_ascii_lowercase());
    let words = |text: &str| text.split(' ').count();
    let tells = || match words(short) {
        MIN_WORDS.. => true,
        few => {
            let mut system = SYSTEM_WORDS.iter();
            system.any(|it| it.eq_ignore_ascii_case(short))
                && (words(long) <= few + SPARE_WORDS || long.ends_with(short))
        }
    };
    long == short || long.contains(short) && tells()
}

/// The remark on a fault that a program does not notice: it takes the message for a complete one.
const ACCEPTS: &str = "takes the response for complete";

/// The rows of a product for the first of the events that it reports, including those of events [like](WireEvent::like)
/// it. If it reports none of them: the rows saying that it swallows the last.
pub(super) fn facts_of(
    events: &[WireEvent],
    side: LogSide,
    product: &'static Product,
    version: Option<&str>,
) -> Vec<&'static ErrorText> {
    let mut swallowed = Vec::new();
    // A client that gave up waiting never met the end of the stream and does not report one.
    let waited = events.contains(&WireEvent::BodyStalled);
    // A client that was content with the response did not wait.
    let mut content = false;
    for event in events {
        let facts = facts_of_one(*event, side, product, version);
        if waited && *event != WireEvent::BodyStalled && of_an_end(&facts, side, product, version) {
            continue;
        }
        if content && event.is_wait() {
            continue;
        }
        if facts.iter().any(|it| it.text.is_some()) {
            return facts;
        }
        content |= facts.iter().any(|it| it.note == Some(ACCEPTS));
        if !facts.is_empty() {
            swallowed = facts;
        }
    }
    swallowed
}

/// Whether these are the texts for a body that a FIN cut short: a program that overlooks a fault prints them once the
/// FIN arrives.
fn of_an_end(
    facts: &[&ErrorText],
    side: LogSide,
    product: &'static Product,
    version: Option<&str>,
) -> bool {
    let ends = [WireEvent::FinInBodyLength, WireEvent::FinInChunk]
        .map(|it| facts_of_one(it, side, product, version));
    let mut texts = facts.iter().filter_map(|it| it.text).peekable();
    texts.peek().is_some()
        && texts.all(|text| ends.iter().flatten().any(|it| it.text == Some(text)))
}

pub(super) fn facts_of_one(
    event: WireEvent,
    side: LogSide,
    product: &'static Product,
    version: Option<&str>,
) -> Vec<&'static ErrorText> {
    let Some(texts) = TEXTS.get(product.name) else {
        return Vec::new();
    };
    let mut at = Some(event);
    while let Some(event) = at {
        if let Some(known) = texts.of(side, event) {
            let fit = |it: &&&'static ErrorText| covers(it.versions, version);
            let fitting: Vec<_> = known.iter().filter(fit).copied().collect();
            // A text outlives the versions in which it was read, and no version has one of its successors.
            let older = |it: &&&'static ErrorText| !begins_after(it.versions, version);
            return if fitting.is_empty() {
                known.iter().filter(older).copied().collect()
            } else {
                fitting
            };
        }
        at = event.like();
    }
    Vec::new()
}

fn prediction(fact: &ErrorText, identified: bool) -> Prediction {
    let note = match (fact.text, fact.note) {
        (None, None) => Some("reports no error"),
        (_, note) => note,
    };
    Prediction {
        product: fact.product,
        also: Vec::new(),
        kind: fact.kind,
        text: fact.text,
        cause: fact.cause,
        note,
        identified,
        source: fact.source,
    }
}

/// Whether a version range (`8.x`, `5+`, `7.83+`, `2.0-4.8`, `7.x-8.x`) admits `version`. A list of versions in which a text
/// was seen excludes nothing: the text probably predates them and survives them.
pub(super) fn covers(versions: &str, version: Option<&str>) -> bool {
    let Some(major) = version.and_then(leading_number) else {
        return true;
    };
    if versions.contains(' ') {
        return true;
    }
    if begins_after(versions, version) {
        return false;
    }
    if versions.ends_with('+') {
        return true;
    }
    if let Some((_, to)) = versions.split_once('-') {
        return leading_number(to).is_none_or(|to| major <= to);
    }
    match versions.strip_suffix(".x") {
        Some(only) => leading_number(only).is_none_or(|only| only == major),
        None => true,
    }
}

/// Whether a range begins after `version`, as far as both have numbers: `7.83+` begins after 7.64.1, and not after 7 or 8.
pub(super) fn begins_after(versions: &str, version: Option<&str>) -> bool {
    let from = match (versions.strip_suffix('+'), versions.split_once('-')) {
        _ if versions.contains(' ') => return false,
        (Some(from), _) | (None, Some((from, _))) => from,
        (None, None) => match versions.strip_suffix(".x") {
            Some(only) => only,
            None => return false,
        },
    };
    let numbers = |text: &str| -> Vec<u32> {
        text.split('.')
            .map_while(|part| leading_number(part).filter(|_| part.len() < 10))
            .collect()
    };
    let (from, own) = (numbers(from), numbers(version.unwrap_or_default()));
    from.iter()
        .zip(&own)
        .find(|(from, own)| from != own)
        .is_some_and(|(from, own)| from > own)
}

fn leading_number(text: &str) -> Option<u32> {
    let end = text
        .find(|it: char| !it.is_ascii_digit())
        .unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::product::identify;
    use super::*;

    #[test]
    fn the_tables_are_well_formed_and_every_fact_has_a_source() {
        let mut rows = 0;
        for file in FILES {
            table::well_formed::<11>(file);
            rows += file.lines().count() - 1;
        }
        table::well_formed::<2>(include_str!("sources.tsv"));
        assert_eq!(FACTS.len(), rows);
        for row in FILES.into_iter().flat_map(table::rows::<11>) {
            for event in row[3].split(' ') {
                assert!(WireEvent::named(event).is_some(), "{row:?}");
            }
        }
        for fact in FACTS.iter() {
            assert!(!fact.source.is_empty(), "{fact:?}");
        }
    }

    #[test]
    fn a_version_has_no_texts_of_later_ones() {
        for (versions, version, covered) in [
            ("7.83+", "7.64.1", false),
            ("7.83+", "7.83.0", true),
            ("7.83+", "8.0.1", true),
            ("7.83+", "7", true),
            ("3.0+", "3.1.23", true),
            ("3.0+", "2.9", false),
            ("2.0-4.8", "4.8.1", true),
            ("2.0-4.8", "5.0", false),
            ("2.0-4.8", "1.1", false),
            ("8.x", "8.9", true),
            ("8.x", "7.9", false),
            ("curl 7.88.1 (OpenSSL 3)", "7.1", true),
            ("all", "1", true),
        ] {
            assert_eq!(
                covers(versions, Some(version)),
                covered,
                "{versions} {version}"
            );
        }
        let told = |agent: &str| {
            let named = identify(Some(agent), None, None, LogSide::Client);
            texts(WireEvent::NulInHeader, LogSide::Client, named.as_ref()).len()
        };
        assert_eq!((told("curl/7.64.1"), told("curl/7.88.1")), (0, 1));
    }

    /// What stands between two quotation marks and is no word of the program: a number, or a header line with one.
    fn quoted_numbers(text: &str) -> Vec<&str> {
        let parts = ['"', '\''].into_iter().flat_map(|mark| text.split(mark));
        let value = |part: &str| {
            part.rsplit_once(": ")
                .map_or(part, |it| it.1)
                .trim()
                .to_owned()
        };
        parts
            .filter(|it| {
                let value = value(it);
                !value.is_empty() && *it != text && value.bytes().all(|byte| byte.is_ascii_digit())
            })
            .collect()
    }

    #[test]
    fn what_varies_on_the_wire_is_no_part_of_a_text() {
        assert_eq!(
            quoted_numbers("got [\"2\" \"3\"]; \"Content-Length: 2\", 'no', (20)"),
            ["2", "3", "Content-Length: 2"]
        );
        for fact in FACTS.iter() {
            // The event itself is that status.
            if fact.events.iter().all(|it| it.name().starts_with("proxy-")) {
                continue;
            }
            for text in [fact.text, fact.cause].into_iter().flatten() {
                assert_eq!(quoted_numbers(text), [""; 0], "{fact:?}");
            }
        }
    }

    #[track_caller]
    fn says(event: WireEvent, user_agent: &str, text: Option<&str>) {
        let stack = identify(Some(user_agent), None, None, LogSide::Client).expect("a known agent");
        let told = texts(event, LogSide::Client, Some(&stack));
        assert!(
            told.iter().any(|it| it.identified && it.text == text),
            "{event} {user_agent}: {told:?}"
        );
    }

    #[test]
    fn a_known_program_says_its_own_words() {
        use WireEvent as E;
        says(
            E::FinBeforeResponse,
            "curl/7.88.1",
            Some("curl: (52) Empty reply from server"),
        );
        says(
            E::FinBeforeResponse,
            "Java/17.0.15",
            Some("Unexpected end of file from server"),
        );
        says(
            E::RstBeforeResponse,
            "python-requests/2.34.2",
            Some("('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))"),
        );
        says(E::RstBeforeResponse, "node", Some("fetch failed"));
        says(E::RaceFin, "Go-http-client/1.1", None);
        says(E::RaceFin, "Apache-HttpClient/5.2.1 (Java/17)", None);
        says(
            E::RaceFin,
            "python-httpx/0.28.1",
            Some("Server disconnected without sending a response."),
        );
    }

    #[test]
    fn who_swallows_the_fault_has_a_note() {
        for event in WireEvent::ALL {
            for product in PRODUCTS.iter() {
                for fact in facts_of(&[*event], event.side(), product, None) {
                    let told = prediction(fact, true);
                    assert!(
                        told.text.is_some() || told.note.is_some(),
                        "{event} {told:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn suspects_are_eight_at_most_and_differ() {
        for event in WireEvent::ALL {
            for program in [KnownProgram::Unknown, KnownProgram::Nameless(None)] {
                let told = texts(*event, event.side(), program);
                assert!(told.len() <= SUSPECTS);
                for (index, one) in told.iter().enumerate() {
                    assert!(one.text.is_some() && !one.identified);
                    assert!(!told[..index].iter().any(|it| it.text == one.text));
                }
            }
        }
        let nameless = texts(
            WireEvent::FinBeforeResponse,
            LogSide::Client,
            KnownProgram::Nameless(None),
        );
        assert_eq!(nameless[0].text, Some("socket hang up"));
        assert!(nameless.iter().all(|it| !it.product.named));
    }

    #[test]
    fn versions_are_told_apart() {
        assert!(covers("8.x", Some("8.5.0")));
        assert!(!covers("8.x", Some("7.88.1")));
        assert!(covers("5+", Some("17")));
        assert!(!covers("5+", Some("3.1")));
        assert!(covers("2.0-4.8", Some("4.0")));
        assert!(!covers("1.0-1.1", Some("4.0")));
        assert!(covers("7.x-8.x", Some("8.1")));
        assert!(covers("curl 7.88.1 (OpenSSL 3)", Some("8.1")));
        assert!(covers("8.x", None));
        assert!(covers("all", Some("8.1")));
    }
}
