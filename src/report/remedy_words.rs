//! A remedy in about two lines: without most of its examples, then without what follows its first sentences. The rule's page
//! has all of it.

use crate::base::net::Endpoint;

/// Characters of a remedy in a report from which on it is shortened.
pub(super) const LONG: usize = 150;

/// A remedy, shortened if it has more characters than this.
pub(super) fn short(remedy: &str, most: usize) -> String {
    let fits = |text: &str| text.chars().count() <= most;
    if fits(remedy) {
        return remedy.to_owned();
    }
    let mut text = fewer_examples(remedy, 2);
    // One example alone would look like advice about a product that nothing names.
    if !fits(&text) {
        text = fewer_examples(remedy, 0);
    }
    while !fits(&text) {
        let Some(end) = last_sentence(&text).or_else(|| last_clause(&text)) else {
            break;
        };
        text.truncate(end);
        if !text.ends_with('.') {
            text.push('.');
        }
    }
    text
}

/// What advice to look into a log calls the moment.
const AT_THE_TIME: &str = " at the time of the ";

/// A remedy with the time behind the words that mean it: "at the time of the RST (17:30:02.096 UTC)".
pub(super) fn timed(remedy: String, time: &str) -> String {
    let Some(at) = end_of_moment(&remedy).filter(|_| !time.is_empty()) else {
        return remedy;
    };
    let mut timed = remedy;
    timed.insert_str(at, &format!(" ({time})"));
    timed
}

/// A remedy with this server in its commands, and the name that the client called it.
pub(super) fn addressed(remedy: &str, server: Endpoint, name: Option<&str>) -> String {
    let plain = |it: &&str| {
        it.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
    };
    let named = match name.filter(plain) {
        Some(name) => format!(" -servername {name}"),
        None => String::new(),
    };
    remedy
        .replace(" -servername NAME", &named)
        .replace("HOST:PORT", &server.to_string())
}

/// The end of the words for the moment: `the RST`, `the first RST`.
fn end_of_moment(remedy: &str) -> Option<usize> {
    let from = remedy.find(AT_THE_TIME)? + AT_THE_TIME.len();
    let rest = remedy.get(from..)?;
    let order = ["first ", "last "]
        .into_iter()
        .find(|it| rest.starts_with(it));
    let order = order.map_or(0, str::len);
    let word = rest.get(order..)?;
    let length = word.find(|it: char| !it.is_ascii_alphabetic());
    Some(from + order + length.unwrap_or(word.len()))
}

/// The end of the sentence before the last one.
fn last_sentence(text: &str) -> Option<usize> {
    let mut ends = text.rmatch_indices(". ").map(|(at, _)| at);
    let end = ends.find(|at| {
        let next = text.get(at + 2..).and_then(|it| it.chars().next());
        next.is_some_and(char::is_uppercase) && is_outside(text, *at)
    });
    end.map(|at| at + 1)
}

/// The end of the clause before the last one.
fn last_clause(text: &str) -> Option<usize> {
    let mut ends = text.rmatch_indices("; ").map(|(at, _)| at);
    ends.find(|at| is_outside(text, *at))
}

/// Whether a place is outside brackets.
fn is_outside(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    before.matches('(').count() == before.matches(')').count()
}

/// At most so many examples in the first brackets.
fn fewer_examples(text: &str, most: usize) -> String {
    let fewer = || {
        let (before, rest) = text.split_once(" (")?;
        let (examples, after) = rest.split_once(')')?;
        let all: Vec<&str> = examples.split(", ").collect();
        let kept = all.get(..most)?.join(", ");
        let told = match most {
            0 => format!("{before}{after}"),
            _ => format!("{before} ({kept}, …){after}"),
        };
        (all.len() > most.max(1)).then_some(told)
    };
    fewer().unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn examples_go_first_then_the_last_sentences() {
        let words = "word ".repeat(23);
        for (remedy, told) in [
            ("Raise `a`.".to_owned(), "Raise `a`.".to_owned()),
            (
                format!("Raise it (one, two, three, four). {words}end."),
                format!("Raise it (one, two, …). {words}end."),
            ),
            (
                format!("Raise it. Or not. Some {words}{words}end."),
                "Raise it. Or not.".to_owned(),
            ),
            (
                format!("{}it; {words}end.", "Raise ".repeat(6)),
                format!("{}it.", "Raise ".repeat(6)),
            ),
        ] {
            assert_eq!(short(&remedy, LONG), told);
        }
        let one = format!("{words}{words}end.");
        assert_eq!(short(&one, LONG), one);
    }

    #[test]
    fn the_time_stands_behind_the_words_for_it() {
        let time = "17:30:02.096 UTC";
        for (remedy, told) in [
            (
                "Look at the time of the RST for a crash.",
                "Look at the time of the RST (17:30:02.096 UTC) for a crash.",
            ),
            (
                "Look at the time of the first RST: a crash.",
                "Look at the time of the first RST (17:30:02.096 UTC): a crash.",
            ),
            ("Raise `a`.", "Raise `a`."),
        ] {
            assert_eq!(timed(remedy.to_owned(), time), told);
        }
        assert_eq!(
            timed("Look at the time of the RST.".to_owned(), ""),
            "Look at the time of the RST."
        );
    }

    #[test]
    fn a_command_names_the_server_that_was_called() {
        let server = Endpoint {
            ip: Ipv4Addr::new(10, 0, 0, 2).into(),
            port: 443,
        };
        let remedy = "Look (`openssl s_client -connect HOST:PORT -servername NAME`).";
        for (name, told) in [
            (
                Some("www.example"),
                "Look (`openssl s_client -connect 10.0.0.2:443 -servername www.example`).",
            ),
            // What a packet says does not reach a shell.
            (
                Some("a;reboot"),
                "Look (`openssl s_client -connect 10.0.0.2:443`).",
            ),
            (None, "Look (`openssl s_client -connect 10.0.0.2:443`)."),
        ] {
            assert_eq!(addressed(remedy, server, name), told);
        }
    }
}
