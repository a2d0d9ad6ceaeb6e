//! How a row of a table is known.

/// How a row is known, best evidence first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// The program was run, and did or printed this.
    Seen,
    /// It is in the program's source code.
    Source,
    /// The vendor or project documents it.
    Documented,
    /// Users report it.
    Reported,
    /// Generally known, not checked.
    Presumed,
}

impl Basis {
    /// The basis that a table names.
    pub(super) fn named(name: &str) -> Self {
        match name {
            it if it.ends_with("seen") => Self::Seen,
            "measured" | "reproduced" => Self::Seen,
            "source-code" => Self::Source,
            "documented" => Self::Documented,
            "seen-in-thread" => Self::Reported,
            _ => Self::Presumed,
        }
    }

    /// Whether nobody has checked it: it is not told as a fact.
    #[must_use]
    pub const fn is_presumed(self) -> bool {
        matches!(self, Self::Presumed)
    }
}

/// A sentence with the remark that it is presumed, and without the defaults in brackets.
pub(super) fn hedged(sentence: &str) -> String {
    without_defaults(sentence) + PRESUMED
}

/// A sentence without the defaults in brackets: `(60 s by default; and more)` becomes `(and more)`.
#[must_use]
pub fn without_defaults(sentence: &str) -> String {
    let mut told = String::with_capacity(sentence.len() + PRESUMED.len());
    let mut rest = sentence;
    while let Some((before, bracket)) = rest.split_once(" (") {
        let Some((inside, after)) = bracket.split_once(')') else {
            break;
        };
        told += before;
        let others = inside.split("; ").filter(|it| !it.contains("by default"));
        let others: Vec<&str> = others.collect();
        if !others.is_empty() {
            told += &format!(" ({})", others.join("; "));
        }
        rest = after;
    }
    told + rest
}

/// Said after what is presumed.
const PRESUMED: &str = " This is presumed: compare it with the product's documentation.";

/// Checks the columns of a row that say how it is known: `presumed` has no version and every other basis has one.
#[cfg(test)]
pub(super) fn is_told(basis: &str, version: &str, source: &str) -> bool {
    match basis {
        "presumed" => version == "-",
        "documented" | "source-code" | "measured" => {
            !version.is_empty() && version != "-" && !source.contains("not checked")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_names_its_basis() {
        assert_eq!(Basis::named("measured"), Basis::Seen);
        assert_eq!(Basis::named("source-code"), Basis::Source);
        assert_eq!(Basis::named("documented"), Basis::Documented);
        assert!(Basis::named("presumed").is_presumed());
        assert!(Basis::named("unheard of").is_presumed());
        assert!(!Basis::named("seen-in-thread").is_presumed());
    }

    #[test]
    fn what_is_presumed_is_told_without_its_default() {
        assert_eq!(
            hedged("X: set `a` (5 s by default, 2 s before 7) above the limit (see `b`)."),
            "X: set `a` above the limit (see `b`). This is presumed: compare it with the product's documentation."
        );
        assert_eq!(
            without_defaults("X: set `a` (5 s by default; `b` too) above the limit."),
            "X: set `a` (`b` too) above the limit."
        );
        assert_eq!(
            hedged("X: set `a` (5 s."),
            format!("X: set `a` (5 s.{PRESUMED}")
        );
    }

    #[test]
    fn a_row_says_how_it_is_known() {
        assert!(is_told("source-code", "1.2", "a/b c.rs"));
        assert!(is_told("presumed", "-", "general knowledge, not checked"));
        assert!(!is_told("presumed", "1.2", "a/b c.rs"));
        assert!(!is_told("documented", "-", "a manual"));
        assert!(!is_told(
            "documented",
            "1",
            "general knowledge, not checked"
        ));
        assert!(!is_told("", "1", "a manual"));
    }
}
