//! Programs by what they say of themselves when a session of another protocol than HTTP begins: parameters, attributes, a
//! version line, a greeting.
//!
//! `handshakes.tsv` has one row per sign. `by` says how it is compared: `name` is all of the name, in any case, `*` any name;
//! `word` stands somewhere in it; `shape` is which fields there are, and in which order: `*` at its end lets more follow, `~` at its
//! beginning lets them stand in any order, among others. A row that is not `sure` names programs that do so, of which others may be
//! one. `-` is a program without texts in the tables.

use std::sync::LazyLock;

use super::product::{NamedBy, NamedProduct, product};
use super::table;
use super::wire_event::LogSide;

/// What one side said of its program.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Introduction<'a> {
    /// Its name, or a text with it.
    pub(crate) name: &'a str,
    /// Its version, if it is told apart.
    pub(crate) version: &'a str,
    /// Which fields there were.
    pub(crate) shape: &'a str,
}

/// The program behind an introduction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Introduced {
    /// This one.
    Named(NamedProduct),
    /// One of these, likeliest first.
    Among(&'static [&'static str]),
    /// One that the tables do not have.
    Stranger,
    /// It said no name.
    Nameless,
}

struct Sign {
    protocol: &'static str,
    side: &'static str,
    by: &'static str,
    value: &'static str,
    products: Vec<&'static str>,
    sure: bool,
}

static SIGNS: LazyLock<Vec<Sign>> = LazyLock::new(|| {
    table::rows(include_str!("handshakes.tsv"))
        .map(|[protocol, side, by, value, products, sure, _]| Sign {
            protocol,
            side,
            by,
            value,
            products: products.split(' ').filter(|it| *it != "-").collect(),
            sure: sure == "yes",
        })
        .collect()
});

/// The words by which handshakes name programs.
#[cfg(feature = "anonymise")]
pub(crate) fn handshake_words() -> impl Iterator<Item = &'static str> {
    SIGNS.iter().map(|it| it.value)
}

/// The program that introduced itself so.
pub(crate) fn introduced(protocol: &str, side: LogSide, said: Introduction<'_>) -> Introduced {
    let own = |it: &&Sign| it.protocol == protocol && it.side == side.name();
    let Some(sign) = SIGNS.iter().filter(own).find(|it| it.fits(said)) else {
        return Introduced::Nameless;
    };
    let named = || {
        Some(NamedProduct {
            product: product(sign.products.first()?)?,
            version: match sign.by {
                // A greeting has it somewhere, if at all.
                "word" => None,
                _ => Some(said.version.to_owned()).filter(|it| !it.is_empty()),
            },
            by: NamedBy::Handshake,
        })
    };
    match &sign.products[..] {
        [] => Introduced::Stranger,
        [_] if sign.sure => named().map_or(Introduced::Stranger, Introduced::Named),
        several => Introduced::Among(several),
    }
}

impl Sign {
    fn fits(&self, said: Introduction<'_>) -> bool {
        match self.by {
            "name" if self.value == "*" => !said.name.is_empty(),
            "name" => said.name.eq_ignore_ascii_case(self.value),
            "word" => stands_in(said.name, self.value),
            _ => has_shape(said.shape, self.value),
        }
    }
}

/// Whether a word stands in a text, in any case.
fn stands_in(text: &str, word: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let ends = |it: Option<char>| it.is_none_or(|it| !it.is_ascii_alphanumeric());
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text.get(..at), text.get(at + word.len()..));
        ends(before.and_then(|it| it.chars().next_back()))
            && ends(after.and_then(|it| it.chars().next()))
    })
}

/// Whether fields are those of a pattern.
fn has_shape(shape: &str, pattern: &str) -> bool {
    let mut fields = shape.split(' ');
    if let Some(wanted) = pattern.strip_prefix("~ ") {
        return wanted
            .split(' ')
            .all(|it| fields.clone().any(|own| own == it));
    }
    match pattern.strip_suffix(" *") {
        Some(first) => first.split(' ').all(|it| fields.next() == Some(it)),
        None => shape == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed_and_names_products() {
        table::well_formed::<7>(include_str!("handshakes.tsv"));
        for it in SIGNS.iter() {
            assert!(["name", "word", "shape"].contains(&it.by), "{}", it.value);
            for name in &it.products {
                let product = product(name).expect("a product");
                assert!(product.speaks(it.protocol), "{name}");
            }
        }
    }

    #[test]
    fn a_program_is_named_by_what_it_says() {
        let (client, server) = (LogSide::Client, LogSide::Server);
        for (protocol, side, name, shape, expected) in [
            ("postgresql", client, "psql", "user database", "psql"),
            (
                "postgresql",
                client,
                "my program",
                "user database client_encoding=UTF8 DateStyle=ISO TimeZone extra_float_digits=2",
                "pgjdbc",
            ),
            (
                "postgresql",
                client,
                "",
                "extra_float_digits=2 user datestyle=ISO,_MDY",
                "lib-pq",
            ),
            (
                "postgresql",
                client,
                "",
                "user client_encoding=UTF8 database",
                "npgsql",
            ),
            (
                "postgresql",
                client,
                "",
                "user database",
                "psycopg2 psycopg pgx",
            ),
            (
                "postgresql",
                client,
                "",
                "user database options",
                "nameless",
            ),
            ("mysql", client, "PyMySQL", "login", "pymysql"),
            ("mysql", client, "libmariadb mysql", "login", "mysql-cli"),
            ("mysql", client, "libmariadb", "login", "mysqlclient"),
            ("mysql", client, "mysqlnd", "login", "stranger"),
            ("mysql", client, "", "login", "nameless"),
            ("mysql", server, "10.11.19-MariaDB-0+deb12u1", "", "mariadb"),
            ("mysql", server, "8.0.36", "", "mysql-server"),
            (
                "smtp",
                server,
                "mail.example ESMTP Postfix (Debian)",
                "",
                "postfix",
            ),
            ("smtp", server, "postfixed.example ESMTP", "", "nameless"),
            ("ssh", client, "OpenSSH", "", "ssh"),
            ("ssh", server, "dropbear", "", "stranger"),
        ] {
            let said = Introduction {
                name,
                version: "1.2",
                shape,
            };
            let found = match introduced(protocol, side, said) {
                Introduced::Named(it) => it.product.name.to_owned(),
                Introduced::Among(names) => names.join(" "),
                Introduced::Stranger => "stranger".to_owned(),
                Introduced::Nameless => "nameless".to_owned(),
            };
            assert_eq!(found, expected, "{protocol} {name} {shape}");
        }
    }
}
