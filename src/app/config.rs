//! The configuration file of the screens: theme, colours, the columns of the table of connections, and keys.
//!
//! In: a TOML file, by `--config` or at its usual place, which the crate `etcetera` knows for every system. Out: what the
//! screens are to use, or a message with file, line and what is allowed. A wrong entry is refused, not skipped: the user
//! would wonder why it has no effect. The command line comes first, then the environment (`NO_COLOR`), then this file.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use etcetera::BaseStrategy as _;
use ratatui::style::Color;
use serde::Deserialize;
use toml::Spanned;

use super::cli::{ScreenArgs, ThemeArg};
use crate::tui::{Colours, KeyPress, KeyTable, Scope, column_names};

/// The longest file that is read; more is not a configuration.
const MAX_BYTES: u64 = 1 << 20;

/// What the screens are to use.
#[derive(Clone, Debug, Default)]
pub(super) struct ScreenConfig {
    pub(super) theme: Option<ThemeArg>,
    pub(super) colours: Colours,
    /// The columns of the table of connections, by their names; `None`: those that fit.
    pub(super) columns: Option<Vec<&'static str>>,
    pub(super) keys: KeyTable,
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    theme: Option<Spanned<String>>,
    #[serde(default, alias = "colors")]
    colours: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    connections: WrittenTable,
    #[serde(default)]
    keys: BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Spanned<OneOrMany>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTable {
    columns: Option<Vec<Spanned<String>>>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a key such as \"c\", or a list such as [\"c\", \"^d\"]"
)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// A wrong entry: its place in the text, and what is wrong.
#[derive(Debug, PartialEq, Eq)]
struct WrongEntry {
    at: usize,
    message: String,
}

impl WrongEntry {
    fn new(at: &Spanned<impl fmt::Debug>, message: String) -> Self {
        Self {
            at: at.span().start,
            message,
        }
    }
}

/// Reads the file that the command line names, or the usual one if there is one.
pub(super) fn read(asked: &ScreenArgs) -> Result<ScreenConfig> {
    let (path, must_exist) = match (&asked.config, usual_path()) {
        (Some(path), _) => (path.clone(), true),
        (None, Some(path)) => (path, false),
        (None, None) => return Ok(ScreenConfig::default()),
    };
    let text = match read_text(&path) {
        Ok(text) => text,
        Err(error) if !must_exist && error.kind() == ErrorKind::NotFound => {
            return Ok(ScreenConfig::default());
        }
        Err(error) => {
            let path = path.display().to_string();
            return Err(error).with_context(|| format!("{path}: the configuration cannot be read"));
        }
    };
    parse(&text).map_err(|wrong| {
        let before = text.get(..wrong.at).unwrap_or(&text);
        let line = before.matches('\n').count() + 1;
        anyhow::anyhow!("{}, line {line}: {}", path.display(), wrong.message)
    })
}

/// `~/.config/hangup/config.toml` on Linux, and what corresponds to it elsewhere.
fn usual_path() -> Option<PathBuf> {
    let folders = etcetera::base_strategy::choose_native_strategy().ok()?;
    Some(folders.config_dir().join("hangup").join("config.toml"))
}

fn read_text(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = fs::File::open(path)?;
    file.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn parse(text: &str) -> Result<ScreenConfig, WrongEntry> {
    let written: Written = toml::from_str(text).map_err(|error| WrongEntry {
        at: error.span().map_or(0, |it| it.start),
        message: error.message().to_owned(),
    })?;
    Ok(ScreenConfig {
        theme: written.theme.as_ref().map(theme).transpose()?,
        colours: colours(&written.colours)?,
        columns: written.connections.columns.map(columns).transpose()?,
        keys: keys(&written.keys)?,
    })
}

fn theme(written: &Spanned<String>) -> Result<ThemeArg, WrongEntry> {
    let name = written.get_ref();
    ThemeArg::from_str(name, false).map_err(|_| {
        let all = ThemeArg::value_variants().iter();
        let all = all.filter_map(|it| Some(it.to_possible_value()?.get_name().to_owned()));
        let all = all.collect::<Vec<_>>().join(", ");
        WrongEntry::new(
            written,
            format!("no theme is called {name:?}; themes are {all}"),
        )
    })
}

fn colours(written: &BTreeMap<Spanned<String>, Spanned<String>>) -> Result<Colours, WrongEntry> {
    let mut colours = Colours::default();
    for (name, colour) in written {
        let value = Color::from_str(colour.get_ref()).map_err(|_| {
            let text = format!(
                "{:?} is no colour; write a name such as red or lightblue, a number from 0 to 255, or #rrggbb",
                colour.get_ref()
            );
            WrongEntry::new(colour, text)
        })?;
        if !colours.set(name.get_ref(), value) {
            let all = Colours::NAMES.map(|(name, _)| name).join(", ");
            let text = format!(
                "nothing is coloured as {:?}; what is: {all}",
                name.get_ref()
            );
            return Err(WrongEntry::new(name, text));
        }
    }
    Ok(colours)
}

fn columns(written: Vec<Spanned<String>>) -> Result<Vec<&'static str>, WrongEntry> {
    let mut columns = Vec::new();
    for name in &written {
        let known = column_names().find(|it| it == name.get_ref());
        let Some(known) = known else {
            let all = column_names().collect::<Vec<_>>().join(", ");
            let text = format!(
                "no column is called {:?}; columns are {all}",
                name.get_ref()
            );
            return Err(WrongEntry::new(name, text));
        };
        if columns.contains(&known) {
            let text = format!("the column {known:?} is there twice");
            return Err(WrongEntry::new(name, text));
        }
        columns.push(known);
    }
    Ok(columns)
}

type WrittenKeys = BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Spanned<OneOrMany>>>;

fn keys(written: &WrittenKeys) -> Result<KeyTable, WrongEntry> {
    let mut table = KeyTable::default();
    let mut last = None;
    for (place, actions) in written {
        let scope = Scope::ALL
            .into_iter()
            .find(|it| it.word() == place.get_ref());
        let Some(scope) = scope else {
            let all = Scope::ALL.map(Scope::word).join(", ");
            let text = format!("no place is called {:?}; places are {all}", place.get_ref());
            return Err(WrongEntry::new(place, text));
        };
        for (action, keys) in actions {
            let pressed = pressed(keys)?;
            if !table.rebind(scope, action.get_ref(), pressed) {
                let all = table.actions(scope).collect::<Vec<_>>().join(", ");
                let text = format!(
                    "nothing is called {:?} in {}; what is: {all}",
                    action.get_ref(),
                    scope.word()
                );
                return Err(WrongEntry::new(action, text));
            }
            last = last.max(Some((action.span().start, action)));
        }
    }
    match (table.clash(), last) {
        (Some((scope, key, one, two)), Some((_, last))) => {
            // Of the two actions, the one that the file names.
            let named = |name: &str| {
                let mut all = written.values().flat_map(BTreeMap::keys);
                all.find(|it| it.get_ref() == name)
            };
            let entry = named(two).or_else(|| named(one)).unwrap_or(last);
            let text = format!(
                "{key:?} is the key of {one} and of {two} in {}; give one of them another key",
                scope.word()
            );
            Err(WrongEntry::new(entry, text))
        }
        _ => Ok(table),
    }
}

fn pressed(written: &Spanned<OneOrMany>) -> Result<Vec<KeyPress>, WrongEntry> {
    let names = match written.get_ref() {
        OneOrMany::One(name) => std::slice::from_ref(name),
        OneOrMany::Many(names) => names,
    };
    let keys = names.iter().map(|name| {
        KeyPress::named(name).ok_or_else(|| {
            let text = format!(
                "{name:?} is no key; write a character, ^ and a letter for Ctrl, or one of {}",
                KeyPress::NAMES.map(|(name, _)| name).join(", ")
            );
            WrongEntry::new(written, text)
        })
    });
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    match keys.is_empty() {
        true => Err(WrongEntry::new(written, "there must be a key".to_owned())),
        false => Ok(keys),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::Action;

    #[test]
    fn a_file_is_read() {
        let text = "theme = \"light\"\n[colours]\nerror = \"#ff0000\"\nclient = \"lightblue\"\n\
                    [connections]\ncolumns = [\"server\", \"#\"]\n\
                    [keys.connections]\nmark = [\"space\", \"x\"]\n[keys.everywhere]\nquit = \"Q\"\n";
        let config = parse(text).unwrap();
        assert_eq!(config.theme, Some(ThemeArg::Light));
        assert_eq!(config.columns, Some(vec!["server", "#"]));
        let name = |scope, action| config.keys.name(scope, action);
        assert_eq!(
            name(Scope::Connections, Action::Mark).as_deref(),
            Some("space")
        );
        assert_eq!(name(Scope::Story, Action::Quit).as_deref(), Some("Q"));
        assert!(parse("").is_ok());
    }

    #[test]
    fn a_wrong_entry_is_refused_with_its_place_and_what_is_allowed() {
        for (text, at, words) in [
            ("theme = \"blue\"", "\"blue\"", "auto, dark, light, none"),
            ("thema = \"dark\"", "thema", "expected one of `theme`"),
            ("[colours]\nred = \"red\"", "red =", "error, warning"),
            ("[colours]\nerror = \"reddish\"", "\"reddish\"", "#rrggbb"),
            (
                "[connections]\ncolumns = [\"#\", \"size\"]",
                "\"size\"",
                "server",
            ),
            ("[connections]\ncolumns = [\"#\", \"#\"]", "\"#\"]", "twice"),
            ("[keys.table]\nmark = \"x\"", "table", "connections"),
            ("[keys.connections]\nmarc = \"x\"", "marc", "mark"),
            ("[keys.connections]\nmark = \"hyper\"", "\"hyper\"", "pgdn"),
            ("[keys.connections]\nmark = []", "[]", "a key"),
            ("[keys.connections]\nmark = 7", "7", "a key such as"),
            ("[keys.connections]\nmark = \"s\"", "mark", "columns"),
            ("theme = ", "", ""),
        ] {
            let wrong = parse(text).map(|_| ()).unwrap_err();
            assert!(wrong.message.contains(words), "{text}: {wrong:?}");
            assert!(text[wrong.at..].starts_with(at), "{text}: {wrong:?}");
        }
    }
}
