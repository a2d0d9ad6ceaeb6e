//! Holds the code to the floors of `docs/architecture.md`: a module uses what its row of the table allows, and nothing
//! beside or above it. Reads the table and every path in `src/` that begins with `crate::`; comments and test modules
//! are left out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One row of the table.
struct Row {
    /// Tenths, so that ½ is a number; `None` for what stands beside the floors.
    floor: Option<u32>,
    may_use: String,
}

type Table = BTreeMap<String, Row>;

fn table() -> Table {
    let page = fs::read_to_string("docs/architecture.md").unwrap();
    let mut table = Table::new();
    for line in page.lines() {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [floor, name, _, may_use] = cells[..] else {
            continue;
        };
        let Some(name) = name.strip_prefix('`').and_then(|it| it.strip_suffix('`')) else {
            continue;
        };
        let row = Row {
            floor: tenths(floor),
            may_use: may_use.to_owned(),
        };
        assert!(
            table.insert(name.to_owned(), row).is_none(),
            "{name} stands twice"
        );
    }
    table
}

/// `5` is 50, `0½` is 5, `5¼` is 52, `5¾` is 57.
fn tenths(floor: &str) -> Option<u32> {
    let (whole, part) = match floor.strip_suffix(['¼', '½', '¾']) {
        Some(whole) if floor.ends_with('¼') => (whole, 2),
        Some(whole) if floor.ends_with('½') => (whole, 5),
        Some(whole) => (whole, 7),
        None => (floor, 0),
    };
    Some(whole.parse::<u32>().ok()? * 10 + part)
}

fn allows(table: &Table, user: &str, used: &str) -> Result<(), String> {
    let row = table
        .get(user)
        .ok_or(format!("{user} is not in the table"))?;
    let other = table
        .get(used)
        .ok_or(format!("{used} is not in the table"))?;
    if user == used || row.may_use == "all" {
        return Ok(());
    }
    let (Some(floor), Some(below)) = (row.floor, other.floor) else {
        return Err(format!(
            "{user} must not use {used}, which stands beside the floors"
        ));
    };
    if below >= floor {
        return Err(format!("{user} must not use {used}: it is not below"));
    }
    let named = row.may_use.split(',').map(str::trim).any(|item| {
        if let Some(name) = item.strip_prefix('`') {
            return name.trim_end_matches('`') == used;
        }
        let (first, last) = item.split_once('–').unwrap_or((item, item));
        match (tenths(first), tenths(last)) {
            (Some(first), Some(last)) => (first..=last).contains(&below),
            _ => false,
        }
    });
    match named {
        true => Ok(()),
        false => Err(format!(
            "{user} must not use {used}: its row names {}",
            row.may_use
        )),
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file without its test module and comments, and the modules that are compiled for tests only.
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
        let bare = line.split("//").next().unwrap_or_default();
        code += bare;
        code.push('\n');
    }
    (code, for_tests)
}

/// The modules that a piece of code names after `crate::`.
fn used(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with('$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let name: String = rest
            .chars()
            .take_while(|it| it.is_alphanumeric() || *it == '_')
            .collect();
        assert!(
            !name.is_empty(),
            "one line for each module, please: crate::{rest:.40}"
        );
        names.push(name);
    }
    names
}

#[test]
fn nothing_is_used_from_beside_or_above() {
    let table = table();
    assert!(table.len() > 10, "the table was not found");
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    let texts: Vec<_> = files
        .iter()
        .map(|path| (path, code(&fs::read_to_string(path).unwrap())))
        .collect();
    let for_tests: Vec<PathBuf> = texts
        .iter()
        .flat_map(|(path, (_, names))| {
            let folder = path.parent().unwrap();
            names
                .iter()
                .map(move |name| folder.join(format!("{name}.rs")))
        })
        .collect();
    let mut wrong = Vec::new();
    let mut uses = 0;
    for (path, (code, _)) in &texts {
        let inner = path.strip_prefix("src").unwrap();
        let module = inner.iter().next().unwrap().to_str().unwrap();
        let module = module.trim_end_matches(".rs");
        if ["lib", "main"].contains(&module) || for_tests.contains(path) {
            continue;
        }
        for name in used(code) {
            uses += 1;
            if let Err(why) = allows(&table, module, &name) {
                wrong.push(format!("{}: {why}", path.display()));
            }
        }
    }
    assert!(uses > 50, "only {uses} uses were found");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_has_every_module_and_no_other() {
    let library = fs::read_to_string("src/lib.rs").unwrap();
    let declared = library.lines().filter_map(|line| {
        let name = line.trim_start_matches("pub ").strip_prefix("mod ")?;
        Some(name.trim_end_matches(';').to_owned())
    });
    let mut declared: Vec<_> = declared.collect();
    declared.sort();
    let described: Vec<_> = table().into_keys().collect();
    assert_eq!(declared, described);
}

#[test]
fn what_lies_above_is_refused() {
    let table = table();
    for (user, used, allowed) in [
        ("tcp", "decode", true),
        ("tcp", "tcp", true),
        ("tcp", "flow", false),
        ("decode", "tcp", false),
        ("http", "decode", false),
        ("http", "mark", true),
        ("report", "engine", false),
        ("report", "run", false),
        ("run", "engine", true),
        ("cli", "report", false),
        ("tcp", "nowhere", false),
    ] {
        assert_eq!(allows(&table, user, used).is_ok(), allowed, "{user} {used}");
    }
    let (code, for_tests) = code(
        "use crate::a; // crate::b\n#[cfg(test)]\nmod sample;\n#[cfg(test)]\nmod tests {\ncrate::c",
    );
    assert_eq!(
        (used(&code), for_tests),
        (vec!["a".to_owned()], vec!["sample".to_owned()])
    );
}
