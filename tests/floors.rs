//! Checks the code against the layers of `docs/architecture.md`.
//!
//! A room may use the rooms above it in the table, except those that its row forbids. If a row lists floors, each
//! folder of that room may use those named before it. In no folder may more than two files import each other in a
//! cycle. Paths are parsed from the text of `use` declarations and of the code; comments and test modules are ignored.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A program of its own, which builds the rooms.
const BUILD: &str = "src/build.rs";

/// A module's path from the root of the crate.
type Module = Vec<String>;

/// Which names each module uses from which other modules.
type Uses<'a> = BTreeMap<&'a [String], BTreeMap<Module, BTreeSet<String>>>;

/// One row of the table.
#[derive(Debug)]
struct Room {
    name: String,
    /// Its folders, lowest layer first; empty if they are not ordered.
    floors: Vec<String>,
    /// Rooms above it that it must not use nevertheless.
    never: Vec<String>,
}

/// The words in backticks in a cell.
fn names(cell: &str) -> Vec<String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

fn table() -> Vec<Room> {
    let page = fs::read_to_string("docs/architecture.md").unwrap();
    let rows = page
        .lines()
        .skip_while(|line| !line.starts_with("| room |"))
        .take_while(|line| line.starts_with('|'));
    let rooms = rows.filter_map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').collect();
        let [name, _, floors, never] = cells[..] else {
            panic!("four cells, please: {line}")
        };
        let name = names(name).pop()?;
        let (floors, never) = (names(floors), names(never));
        Some(Room {
            name,
            floors,
            never,
        })
    });
    rooms.collect()
}

/// Whether code in one module may use code in another.
fn allows(table: &[Room], user: &[String], used: &[String]) -> Result<(), String> {
    let place = |path: &[String]| {
        let room = path.first().map_or("", String::as_str);
        let place = table.iter().position(|it| it.name == room);
        place.ok_or(format!("{room:?} is not in the table"))
    };
    let (at, to) = (place(user)?, place(used)?);
    let (room, other) = (&table[at], &table[to].name);
    if to > at {
        return Err(format!("{} must not use {other}, below it", room.name));
    }
    if room.never.contains(other) {
        return Err(format!("{} must never use {other}", room.name));
    }
    // A room's own `mod.rs` re-exports what its folders define.
    let (Some(floor), Some(below)) = (user.get(1), used.get(1)) else {
        return Ok(());
    };
    if to < at || room.floors.is_empty() {
        return Ok(());
    }
    let height = |name: &String| {
        let height = room.floors.iter().position(|it| it == name);
        height.ok_or(format!("{name} is no floor of {}", room.name))
    };
    match height(below)? <= height(floor)? {
        true => Ok(()),
        false => Err(format!("{floor} must not use {below}, which stands on it")),
    }
}

struct Source {
    path: PathBuf,
    code: String,
    /// Re-exports (`pub use`): the name, and the path it comes from.
    handed_on: BTreeMap<String, Module>,
    /// Compiled for tests only.
    for_tests: bool,
}

/// The source files by module.
struct House {
    files: BTreeMap<Module, Source>,
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") && path != Path::new(BUILD) {
            found.push(path);
        }
    }
}

fn module_of(path: &Path) -> Module {
    let inner = path.strip_prefix("src").unwrap().with_extension("");
    let names = inner.iter().map(|it| it.to_str().unwrap().to_owned());
    let mut names: Module = names.collect();
    if names.last().is_some_and(|it| it == "mod") || names == ["lib"] {
        names.pop();
    }
    names
}

/// The path of a module's child.
fn below(module: &[String], name: &str) -> Module {
    let mut path = module.to_vec();
    path.push(name.to_owned());
    path
}

/// The code of a file without its test module and comments, and its modules that are compiled for tests only.
fn code(text: &str) -> (String, Vec<String>) {
    let mut code = String::new();
    let mut for_tests = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let item = lines.next().unwrap_or_default();
            if item.trim_end().ends_with("mod tests {") {
                break;
            }
            let name = item.trim().trim_end_matches(';').rsplit(' ').next();
            for_tests.push(name.unwrap_or_default().to_owned());
            continue;
        }
        code += line.split("//").next().unwrap_or_default();
        code.push('\n');
    }
    (code, for_tests)
}

/// The `use` declarations in a piece of code: whether each is a re-export, and its tree of names.
fn declarations(code: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let before = rest[..at].rsplit('\n').next().unwrap_or_default().trim();
        let after = &rest[at + "use ".len()..];
        let end = after.find(';').unwrap_or(after.len());
        if before.is_empty() || before.starts_with("pub") {
            found.push((before.starts_with("pub"), after[..end].to_owned()));
        }
        rest = &after[end..];
    }
    found
}

/// Expands a tree: `a::{b, c::{d, e}}` gives `a::b`, `a::c::d`, `a::c::e`.
fn paths_in(tree: &str) -> Vec<Module> {
    let split = |path: &str| -> Module {
        let names = path.split(" as ").next().unwrap_or_default().split("::");
        let names = names.map(|it| it.trim().to_owned());
        names.filter(|it| !it.is_empty()).collect()
    };
    let (mut depth, mut begin) = (0, 0);
    let mut parts = Vec::new();
    for (at, letter) in tree.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&tree[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tree[begin..]);
    let mut paths = Vec::new();
    for part in parts {
        let Some((stem, inner)) = part.split_once('{') else {
            paths.push(split(part));
            continue;
        };
        let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
        for tail in paths_in(inner) {
            let tail = tail.into_iter().filter(|it| it != "self");
            paths.push(split(stem).into_iter().chain(tail).collect());
        }
    }
    paths.retain(|path| !path.is_empty());
    paths
}

/// Paths in code that begin with `crate`, `super` or `self`, or with the name of a sibling module.
fn paths_in_code(code: &str, beside: impl Fn(&str) -> bool) -> Vec<Module> {
    let words = code.split(|it: char| !(it.is_alphanumeric() || "_:$".contains(it)));
    let paths = words.filter(|word| word.contains("::") && !word.contains('$'));
    let paths = paths.map(|word| -> Module {
        let names = word.split("::").map(|it| it.trim_matches(':').to_owned());
        names.filter(|it| !it.is_empty()).collect()
    });
    let leads_inside = |path: &Module| match path.first().map(String::as_str) {
        Some("crate" | "super" | "self") => true,
        Some(name) => beside(name),
        None => false,
    };
    paths.filter(leads_inside).collect()
}

impl House {
    fn read() -> Self {
        let mut paths = Vec::new();
        collect(Path::new("src"), &mut paths);
        let mut files = BTreeMap::new();
        let mut for_tests = BTreeSet::new();
        for path in paths.into_iter().filter(|it| !it.ends_with("main.rs")) {
            let module = module_of(&path);
            let (code, tests) = code(&fs::read_to_string(&path).unwrap());
            for_tests.extend(tests.iter().map(|name| below(&module, name)));
            let source = Source {
                path,
                code,
                handed_on: BTreeMap::new(),
                for_tests: false,
            };
            files.insert(module, source);
        }
        let mut house = Self { files };
        let modules: Vec<_> = house.files.keys().cloned().collect();
        for module in modules {
            let handed_on = declarations(&house.files[&module].code)
                .into_iter()
                .filter(|(hands_on, _)| *hands_on)
                .flat_map(|(_, tree)| paths_in(&tree))
                .filter_map(|path| house.absolute(&module, &path))
                .filter_map(|path| Some((path.last()?.clone(), path)))
                .collect();
            let source = house.files.get_mut(&module).unwrap();
            source.handed_on = handed_on;
            source.for_tests = for_tests.iter().any(|it| module.starts_with(it));
        }
        house
    }

    /// Resolves a path written in a module to a path from the root of the crate; `None` if it leads outside.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Module> {
        let up = path.iter().take_while(|it| *it == "super").count();
        match path[0].as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([module, &path[1..]].concat()),
            "super" => Some([&module[..module.len().checked_sub(up)?], &path[up..]].concat()),
            first => {
                let known = self.files.contains_key(&below(module, first));
                known.then(|| [module, path].concat())
            }
        }
    }

    /// The module that defines the item a path leads to.
    fn home(&self, path: &[String]) -> Option<Module> {
        let mut stems = (0..=path.len()).rev().map(|length| &path[..length]);
        let module = stems.find(|it| self.files.contains_key(*it))?;
        let rest = &path[module.len()..];
        let handed_on = rest
            .first()
            .and_then(|it| self.files[module].handed_on.get(it));
        match handed_on {
            Some(from) if from != path => self.home(&[from, &rest[1..]].concat()),
            _ => Some(module.to_vec()),
        }
    }

    /// Which names each module uses from which other modules; re-exports are not counted.
    fn uses(&self) -> Uses<'_> {
        let mut uses = Uses::new();
        for (module, source) in self.files.iter().filter(|(_, it)| !it.for_tests) {
            let mut code = source.code.clone();
            let mut paths = Vec::new();
            for (hands_on, tree) in declarations(&source.code) {
                code = code.replacen(&tree, "", 1);
                if !hands_on {
                    paths.extend(paths_in(&tree));
                }
            }
            let beside = |name: &str| self.files.contains_key(&below(module, name));
            paths.extend(paths_in_code(&code, beside));
            let mut of: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
            let paths = paths.iter().filter_map(|path| self.absolute(module, path));
            for path in paths {
                let home = self.home(&path).filter(|home| home != module);
                let Some(home) = home.filter(|home| !self.files[home].for_tests) else {
                    continue;
                };
                of.entry(home).or_default().extend(path.last().cloned());
            }
            uses.insert(module, of);
        }
        uses
    }
}

/// Groups of modules in which each reaches every other.
fn circles(uses: &Uses<'_>) -> BTreeSet<Vec<Module>> {
    let reached = |from: &[String]| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from.to_vec()];
        while let Some(module) = open.pop() {
            for next in uses.get(&module[..]).into_iter().flat_map(|it| it.keys()) {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let far: BTreeMap<_, _> = uses.keys().map(|it| (*it, reached(it))).collect();
    let circle = |module: &[String]| -> Vec<Module> {
        let back = |it: &&Module| far.get(&it[..]).is_some_and(|far| far.contains(module));
        far[module].iter().filter(back).cloned().collect()
    };
    let circles = uses.keys().map(|module| circle(module));
    circles.filter(|it| it.len() > 1).collect()
}

#[test]
fn a_room_uses_those_above_it() {
    let (table, house) = (table(), House::read());
    let mut wrong = Vec::new();
    let mut count = 0;
    for (module, of) in house.uses() {
        for (home, names) in of.into_iter().filter(|(it, _)| !it.is_empty()) {
            count += 1;
            if let Err(why) = allows(&table, module, &home) {
                let path = house.files[module].path.display();
                wrong.push(format!("{path}: {why}: {names:?}"));
            }
        }
    }
    assert!(count > 500, "only {count} uses were found");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_has_every_room_and_no_other() {
    let (table, house) = (table(), House::read());
    let rooms: BTreeSet<_> = house.files.keys().filter_map(|it| it.first()).collect();
    assert_eq!(rooms, table.iter().map(|it| &it.name).collect());
    for room in table.iter().filter(|it| !it.floors.is_empty()) {
        let inside = house
            .files
            .keys()
            .filter(|it| it[..].first() == Some(&room.name));
        let floors: BTreeSet<_> = inside.filter_map(|it| it.get(1)).collect();
        assert_eq!(floors, room.floors.iter().collect(), "{}", room.name);
    }
}

#[test]
fn no_more_than_two_files_import_each_other() {
    let house = House::read();
    let uses = house.uses();
    let mut large = String::new();
    for circle in circles(&uses).into_iter().filter(|it| it.len() > 2) {
        large += "\na circle:\n";
        for module in &circle {
            for (home, names) in uses[&module[..]]
                .iter()
                .filter(|(it, _)| circle.contains(it))
            {
                large += &format!(
                    "  {} -> {}: {names:?}\n",
                    module.join("::"),
                    home.join("::")
                );
            }
        }
    }
    assert!(large.is_empty(), "{large}");
}

#[test]
fn what_lies_below_is_refused() {
    let table = table();
    let path = |text: &str| -> Module { text.split("::").map(str::to_owned).collect() };
    for (user, used, allowed) in [
        ("protocol::tcp", "packet::decode", true),
        ("protocol::tcp", "protocol::tcp", true),
        ("protocol::tcp", "protocol::http", false),
        ("protocol::h2", "protocol::http", true),
        ("packet::decode", "protocol::tcp", false),
        ("packet::decode", "packet::flow", false),
        ("analysis::hosts", "analysis::connection", true),
        ("rules::tls", "analysis::engine", true),
        ("rules::tls", "packet::decode", false),
        ("report", "packet::capture", false),
        ("report", "app", false),
        ("app", "tui", true),
        ("protocol::tcp", "nowhere", false),
    ] {
        let allows = allows(&table, &path(user), &path(used));
        assert_eq!(allows.is_ok(), allowed, "{user} {used}");
    }
}

#[test]
fn paths_are_read() {
    let text = "use crate::a::{B, c::{self, D}}; // crate::no\npub use e::F;\n#[cfg(test)]\nmod sample;\n\
                fn f() { super::g::h(); $crate::no(); e::i() }\n#[cfg(test)]\nmod tests {\ncrate::no";
    let (code, for_tests) = code(text);
    assert_eq!(for_tests, ["sample"]);
    let declared = declarations(&code);
    let trees: Vec<_> = declared.iter().map(|(on, tree)| (*on, &tree[..])).collect();
    assert_eq!(
        trees,
        [(false, "crate::a::{B, c::{self, D}}"), (true, "e::F")]
    );
    let joined = |paths: Vec<Module>| -> Vec<String> {
        let paths = paths.iter();
        paths.map(|path| path.join("::")).collect()
    };
    assert_eq!(
        joined(paths_in(trees[0].1)),
        ["crate::a::B", "crate::a::c", "crate::a::c::D"]
    );
    let rest = code.split("fn f").nth(1).unwrap();
    let found = joined(paths_in_code(rest, |it| it == "e"));
    assert_eq!(found, ["super::g::h", "e::i"]);
}
