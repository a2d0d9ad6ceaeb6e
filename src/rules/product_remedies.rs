//! Adapts remedies to the products in the capture: settings of identified products come first, those of excluded
//! products are left out.
//!
//! In: the findings and the records of their connections. Out: the same findings. If exactly one product is identified
//! on a side, its own setting comes first, and the examples in brackets lose those of other products for that side. A
//! product that no header names changes nothing. Headers do not name programs inside a server.

use std::sync::Arc;

use hashbrown::HashMap;

use super::named_products::{client, server};
use super::needed::put_numbers;
use super::remedy::{Remedy, SHOWN, standing_first};
use super::waiting::client_gave_up_waiting;
use super::{Finding, RuleInput};
use crate::analysis::connection::{Author, Connection, author};
use crate::base::net::Endpoint;
use crate::knowledge::{LogSide, Product, REMEDY_WORDS, settings, without_defaults};

/// Adapts the remedies of all findings to the products in the capture.
pub(super) fn tailor(findings: &mut [Finding], facts: &RuleInput<'_>) {
    let by_server = by_server(facts.connections);
    let mut elsewhere = ByServer::default();
    for finding in findings {
        let own = facts.records(&finding.connections);
        let client = the_one(own.iter().filter_map(|it| opener(it, facts)));
        let server = the_one(own.iter().filter_map(|it| server(it)));
        // A server that sent no header here may have done so on another connection.
        let server = server.or_else(|| {
            let at = finding.server?;
            *elsewhere.entry(at).or_insert_with(|| {
                let same = by_server.get(&at).into_iter().flatten();
                the_one(same.filter_map(|it| super::named_products::server(it)))
            })
        });
        fit(finding, &NamedProducts { client, server }, &own);
        if client_gave_up_waiting::needs_no_timeout(finding.rule, &own) {
            finding.remedies.retain(|it| !it.contains("aise "));
        }
        put_numbers(finding.rule, &mut finding.remedies, &own);
        finding.remedies.truncate(SHOWN);
        if let Some(first) = finding.remedies.first_mut() {
            *first = standing_first(first);
        }
    }
}

/// The product that opened a connection: a proxy hands on the name of its own client.
fn opener(connection: &Connection, facts: &RuleInput<'_>) -> Option<&'static Product> {
    match facts.legs.before_all(connection.id).first() {
        Some(leg) => {
            let served = facts.record(leg.client.connection)?;
            let own = served.exchanges.iter().find_map(|it| match author(it) {
                Author::Gateway(product, _) | Author::Presumed(Some(product)) => Some(product),
                Author::Presumed(None) | Author::Unknown => None,
            });
            own.or_else(|| server(served))
        }
        None => client(connection),
    }
}

/// The product on each side.
struct NamedProducts {
    client: Option<&'static Product>,
    server: Option<&'static Product>,
}

fn fit(finding: &mut Finding, named: &NamedProducts, own: &[&Connection]) {
    for remedy in &mut finding.remedies {
        if let Some(trimmed) = without_others(remedy, named) {
            *remedy = trimmed;
        }
    }
    let mut first = Vec::new();
    for (side, product) in [
        (LogSide::Server, named.server),
        (LogSide::Client, named.client),
    ] {
        let fitting = product.into_iter();
        let fitting = fitting.flat_map(|it| settings(finding.rule, side, it));
        let fitting = fitting.map(|it| Remedy::from_table(&it.remedy));
        let fitting =
            fitting.filter(|it| !it.is_conditional() || own.iter().any(|case| it.fits(case)));
        // What was measured shows which time or size is set; where it is the default, the finding says so.
        first.extend(fitting.map(|it| without_defaults(it.text())));
    }
    finding.remedies.retain(|it| !says_the_same(it, &first));
    finding.remedies.splice(0..0, first);
}

/// How general advice on a client's timeout begins.
const RAISE_TIMEOUT: &str = "Raise the client's timeout ";

/// Whether a remedy names two settings, or no others, that one of the product's own remedies names: it would say the same
/// again.
fn says_the_same(remedy: &str, own: &[String]) -> bool {
    fn settings(text: &str) -> impl Iterator<Item = &str> {
        let code = text.split('`').skip(1).step_by(2);
        code.filter_map(|it| it.split(' ').next())
    }
    own.iter().any(|own| {
        let all = settings(remedy).count();
        let shared = settings(remedy).filter(|it| settings(own).any(|other| other == *it));
        let shared = shared.count();
        // A timeout that a product's remedy names has no name in general advice.
        let both_raise = remedy.starts_with(RAISE_TIMEOUT) && own.contains(": raise ");
        both_raise || shared >= 2 || shared > 0 && shared == all
    })
}

/// The product, if all items are the same.
fn the_one(mut products: impl Iterator<Item = &'static Product>) -> Option<&'static Product> {
    let first = products.next()?;
    products.all(|it| it.name == first.name).then_some(first)
}

/// Something of each server.
type ByServer<T> = HashMap<Endpoint, T, foldhash::fast::FixedState>;

/// The connections of each server.
fn by_server(connections: &[Arc<Connection>]) -> ByServer<Vec<&Connection>> {
    let mut all = ByServer::<Vec<&Connection>>::default();
    for connection in connections {
        let connection: &Connection = connection;
        all.entry(connection.server).or_default().push(connection);
    }
    all
}

/// The remedy without examples for products that are excluded; `None` if nothing changes.
fn without_others(remedy: &str, named: &NamedProducts) -> Option<String> {
    let open = remedy.find(" (")?;
    let inside = remedy.get(open + 2..)?;
    let close = inside.find(')')?;
    let (examples, rest) = (inside.get(..close)?, inside.get(close + 1..)?);
    let separator = if examples.contains("; ") { "; " } else { ", " };
    let mut word = None;
    let mut dropped = false;
    // The products whose settings are kept, and whether any example names none.
    let mut of: Vec<&[&str]> = Vec::new();
    let mut others = false;
    let mut kept: Vec<&str> = Vec::new();
    for item in examples.split(separator) {
        let found = REMEDY_WORDS
            .iter()
            .filter_map(|it| Some((item.find(it.0)?, it)));
        word = match found.min_by_key(|(at, _)| *at) {
            Some((_, word)) => Some(word),
            // Another setting of the preceding product, or its default.
            None if item.starts_with(|it: char| it == '`' || it.is_ascii_digit()) => word,
            None => None,
        };
        let other = word.is_some_and(|(_, side, names)| {
            let is_known = match side {
                LogSide::Client => named.client.is_some(),
                LogSide::Server => named.server.is_some(),
            };
            is_known && !names_one(names, *side, named)
        });
        match other {
            true => dropped = true,
            false => {
                kept.push(item);
                match word {
                    Some((_, side, names)) if !names_one(names, *side, named) => of.push(names),
                    _ => others = true,
                }
            }
        }
    }
    of.dedup();
    // The setting of one product alone is no example if nothing names the product.
    if of.len() == 1 && !others {
        kept.clear();
    } else if !dropped {
        return None;
    }
    let before = remedy.get(..open)?;
    Some(match kept.is_empty() {
        true => format!("{before}{rest}"),
        false => format!("{before} ({}){rest}", kept.join(separator)),
    })
}

/// Whether the capture names one of these products on this side.
fn names_one(names: &[&str], side: LogSide, named: &NamedProducts) -> bool {
    let product = match side {
        LogSide::Client => named.client,
        LogSide::Server => named.server,
    };
    product.is_some_and(|it| names.contains(&it.name))
}

#[cfg(test)]
mod tests {
    use super::super::ladder_check;
    use super::*;
    use crate::knowledge::product;
    use crate::knowledge::setting::SETTINGS;
    use crate::rules::{CATALOGUE, rule};

    fn named(client: &str, server: &str) -> NamedProducts {
        NamedProducts {
            client: product(client),
            server: product(server),
        }
    }

    #[track_caller]
    fn check(remedy: &str, client: &str, server: &str, expected: &str) {
        let told = without_others(remedy, &named(client, server));
        assert_eq!(told.as_deref().unwrap_or(remedy), expected);
    }

    #[test]
    fn examples_for_others_are_left_out() {
        let one = "Let it read on (nginx `lingering_close on`, Tomcat `maxSwallowSize`, `other`), or not.";
        check(one, "", "", one);
        check(one, "curl", "", one);
        check(
            one,
            "",
            "nginx",
            "Let it read on (nginx `lingering_close on`), or not.",
        );
        check(
            one,
            "",
            "tomcat",
            "Let it read on (Tomcat `maxSwallowSize`, `other`), or not.",
        );
        check(one, "", "puma", "Let it read on, or not.");
        let two = "Shorter (.NET `a` or `b`, the pool's `c`, nginx's upstream `d`).";
        check(two, "go", "nginx", "Shorter (the pool's `c`).");
        check(two, "", "gunicorn", two);
        check(
            "None (30 s by default).",
            "go",
            "nginx",
            "None (30 s by default).",
        );
        let defaults = "Compare (gunicorn `--timeout`, 30 s by default).";
        check(defaults, "", "nginx", "Compare.");
        check(defaults, "", "gunicorn", defaults);
        let both = "Longer (Node `server.a` behind an AWS ALB).";
        check(both, "", "aws-alb", "Longer.");
        check("Broken (nginx `a`", "go", "puma", "Broken (nginx `a`");
    }

    #[test]
    fn every_setting_helps_a_rule() {
        for setting in SETTINGS.iter() {
            for name in &setting.rules {
                assert!(rule(name).is_some(), "{name}");
            }
        }
        for (_, _, names) in REMEDY_WORDS {
            assert!(names.iter().all(|it| product(it).is_some()), "{names:?}");
        }
    }

    #[test]
    fn the_settings_of_named_products_come_first() {
        let race = |agent: &str, name: &str| {
            let ladder = format!(
                "SYN -->\n<-- SYN\nACK -->\nGET / [user-agent={agent}] -->\n<-- 200 \"one\" [server={name}]\nACK -->\n\
                 +5s <-- FIN\nGET /2 [user-agent={agent}] -->\n<-- RST [noack]"
            );
            let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
            let found = proof.findings.into_iter();
            let mut found = found.filter(|it| it.rule == "keep-alive-race");
            found.next().expect("a race").remedies
        };
        let plain = race("x", "y");
        let told = race("Go-http-client/1.1", "nginx/1.24.0");
        assert!(
            told[0].starts_with("nginx: set `keepalive_timeout`"),
            "{told:?}"
        );
        assert!(told[1].starts_with("Go: set `http.Transport"), "{told:?}");
        assert_eq!(told.len(), SHOWN, "{told:?}");
        assert!(plain.iter().any(|it| it.contains("gunicorn")));
        assert!(
            !told
                .iter()
                .any(|it| it.contains("gunicorn") || it.contains(".NET")),
            "{told:?}"
        );
    }

    #[test]
    fn some_remedies_have_examples_to_choose_from() {
        let chosen = CATALOGUE.iter().flat_map(|it| it.remedies());
        let chosen =
            chosen.filter(|it| without_others(it.text(), &named("okhttp", "puma")).is_some());
        assert!(chosen.count() > 10);
    }
}
