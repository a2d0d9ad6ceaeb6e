//! A remedy in about two lines: without most of its examples, then without what follows its first sentences. The rule's page
//! has all of it.

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
}
