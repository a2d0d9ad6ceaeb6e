//! The question that narrows an error with several causes, and which cause belongs to which answer: `questions.tsv`.
//!
//! A row is one answer. `first` limits the question to errors whose likeliest rule is one of these; `client` and `server` to
//! those that only this side logs, `both` to those that either may have logged; `*` is any.

use std::sync::LazyLock;

use super::table;
use super::wire_event::LogSide;

/// A question, with the answers that decide between the causes at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The question.
    pub text: &'static str,
    /// Each answer, and the rules that it leaves.
    pub answers: Vec<(&'static str, Vec<&'static str>)>,
}

struct Row {
    question: &'static str,
    first: Vec<&'static str>,
    answer: &'static str,
    rules: Vec<&'static str>,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    table::rows(include_str!("questions.tsv"))
        .map(|[question, first, answer, rules]| Row {
            question,
            first: first.split(' ').collect(),
            answer,
            rules: rules.split(' ').collect(),
        })
        .collect()
});

/// The question that decides between these rules, likeliest first: it separates the first two. `side` is the side whose
/// program logs the error, if it is one.
#[must_use]
pub(super) fn question_for(rules: &[&'static str], side: Option<LogSide>) -> Option<Question> {
    let first = rules.first()?;
    let side = side.map_or("both", LogSide::name);
    let mut questions: Vec<Question> = Vec::new();
    for row in ROWS.iter() {
        if !row.first.iter().any(|it| [*first, side, "*"].contains(it)) {
            continue;
        }
        let left = rules.iter().filter(|it| row.rules.contains(it));
        let left: Vec<_> = left.copied().collect();
        if left.is_empty() {
            continue;
        }
        match questions.iter_mut().find(|it| it.text == row.question) {
            Some(question) => question.answers.push((row.answer, left)),
            None => questions.push(Question {
                text: row.question,
                answers: vec![(row.answer, left)],
            }),
        }
    }
    let has = |question: &Question, rule: Option<&&str>| {
        let mut left = question.answers.iter().map(|it| &it.1);
        rule.and_then(|rule| left.position(|it| it.contains(rule)))
    };
    let separates = |it: &Question| {
        let [one, two] = [has(it, Some(first)), has(it, rules.get(1))];
        let asked_of_first = ROWS
            .iter()
            .any(|row| row.question == it.text && row.first.contains(first));
        it.answers.len() > 1 && (asked_of_first || one.is_some() && two.is_some() && one != two)
    };
    questions.into_iter().find(separates)
}

#[cfg(test)]
mod tests {
    use super::super::wire_event::WireEvent;
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        table::well_formed::<4>(include_str!("questions.tsv"));
        for row in ROWS.iter() {
            assert!(row.question.ends_with('?'), "{}", row.question);
            let words = ["*", "both", "client", "server"];
            let named = row.rules.iter().chain(&row.first);
            for rule in named.filter(|it| !words.contains(it)) {
                let known = WireEvent::ALL.iter().any(|it| it.rules().contains(rule));
                assert!(known, "{rule}: no event names it");
            }
        }
    }

    #[test]
    fn it_separates_the_first_two() {
        let client = Some(LogSide::Client);
        let asked = |rules: &[&'static str]| question_for(rules, client).map(|it| it.text);
        assert_eq!(
            asked(&["reset-before-response", "keep-alive-race"]),
            Some("Was the connection new, or had it carried a request before?")
        );
        assert_eq!(
            asked(&["response-cut-short", "closed-before-response"]),
            Some("Was the connection new, or had it carried a request before?")
        );
        assert_eq!(
            asked(&["client-gave-up-waiting", "client-left-mid-response"]),
            Some("Had a part of the response arrived?")
        );
        assert_eq!(
            question_for(&["client-gave-up-waiting", "keep-alive-race"], None).map(|it| it.text),
            Some("Who wrote this line: the server, or the client?")
        );
        assert_eq!(
            asked(&[
                "closed-before-response",
                "reset-before-response",
                "client-gave-up-waiting"
            ]),
            None
        );
        assert_eq!(asked(&["keep-alive-race"]), None);
        assert_eq!(asked(&["malformed-response", "body-overrun"]), None);
        assert_eq!(asked(&[]), None);
    }
}
