//! What was typed by mistake or by habit, and what to type instead: options of other programs, files that are not there,
//! filters in another language.

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::error::{ContextKind, ContextValue};

use super::cli;
use super::cli_examples::WELCOME;
use super::options::AnalysisError;
use super::output::FAILED;
use crate::base::shell::shell_word;
use crate::packet::capture::CaptureError;
use crate::report::filter::{DisplayFilter, FilterKey};

/// Options of tcpdump, tshark and others, and what does the same here.
const HABITS: &[(&[&str], &str)] = &[
    (
        &["-Y", "--display-filter", "-R"],
        "is tshark's display filter; --filter takes a capture filter (BPF), such as 'tcp port 80', and the screens \
         filter connections (key f)",
    ),
    (
        &["-T", "-e", "--export-objects"],
        "is an option of tshark; a report is written with -f json, ndjson, csv, markdown or text",
    ),
    (
        &[
            "--csv",
            "--html",
            "--ndjson",
            "--markdown",
            "--md",
            "--text",
        ],
        "is no option; the format is named by -f: text, json, ndjson, markdown, html, csv",
    ),
    (
        &["--xml", "--yaml", "--pdf"],
        "is no format of hangup; -f takes text, json, ndjson, markdown, html, csv",
    ),
    (
        &["-D", "--list-interfaces"],
        "is an option of tcpdump; `hangup interfaces` lists them",
    ),
    (
        &["-i", "--interface"],
        "belongs to `hangup live`, which captures on an interface",
    ),
    (
        &["-c"],
        "is an option of tcpdump; `hangup live --packets N` stops after N packets",
    ),
    (
        &["-s"],
        "is an option of tcpdump; `hangup live --snaplen BYTES` cuts packets",
    ),
    (
        &["-W", "-C", "-G", "-b"],
        "is an option of tcpdump; `hangup live -w OUT` has --rotate-size, --rotate-time and --rotate-files",
    ),
    (
        &["-a"],
        "is an option of tshark; `hangup live --duration TIME` stops after that time",
    ),
    (
        &["-v", "-vv", "--verbose", "-A", "-X", "-x"],
        "is not needed: the report has all evidence, and `hangup ladder FILE` every packet of a connection",
    ),
    (
        &["-q", "--quiet"],
        "is not needed: `--connections none` leaves the list of connections out",
    ),
];

/// Answers `hangup` without a word.
pub(super) fn welcome() -> ExitCode {
    // If standard error is closed, the exit status is the only answer.
    let _ = write!(io::stderr(), "{WELCOME}");
    ExitCode::from(FAILED)
}

/// Answers a command line that does not parse, or a request for help.
pub(super) fn refuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // A closed pipe: the reader has seen enough.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument))
            if error.kind() == clap::error::ErrorKind::UnknownArgument =>
        {
            argument.as_str()
        }
        _ => "",
    };
    let habit = HABITS.iter().find(|(names, _)| names.contains(&unknown));
    let _ = match habit {
        Some((_, instead)) => writeln!(io::stderr(), "hangup: {unknown} {instead}"),
        None => error.print(),
    };
    ExitCode::from(FAILED)
}

/// What to type instead, for a failure that has such an answer.
pub(super) fn way_out(error: &anyhow::Error, bare: Option<&str>) -> Option<String> {
    #[cfg(feature = "live")]
    if let Some(CaptureError::NoLibpcap) = capture_error(error) {
        return Some(install_libpcap());
    }
    let (path, kind) = input_error(error)?;
    match kind {
        ErrorKind::NotFound => {
            let command = bare.and_then(command_alike);
            command
                .map(|it| format!("did you mean `hangup {it}`?"))
                .or_else(|| near_files(path))
        }
        ErrorKind::PermissionDenied if is_log(error) => Some(format!(
            "this user may not read it: sudo cat {} | hangup report CAPTURE --log -",
            shell_word(path)
        )),
        ErrorKind::PermissionDenied => Some(format!(
            "this user may not read it: sudo cat {} | hangup report -",
            shell_word(path)
        )),
        _ => None,
    }
}

fn is_log(error: &anyhow::Error) -> bool {
    let mut causes = error.chain();
    causes.any(|it| matches!(it.downcast_ref(), Some(AnalysisError::Log { .. })))
}

/// The error of a capture among the causes.
fn capture_error(error: &anyhow::Error) -> Option<&CaptureError> {
    error.chain().find_map(|it| {
        it.downcast_ref::<CaptureError>()
            .or_else(|| match it.downcast_ref::<AnalysisError>() {
                Some(AnalysisError::Capture(error)) => Some(error),
                _ => None,
            })
    })
}

/// The commands that install libpcap, by the word with which `/etc/os-release` names the system or its kin.
#[cfg(feature = "live")]
const INSTALLERS: &[(&[&str], &str)] = &[
    (&["debian", "ubuntu"], "sudo apt install libpcap0.8"),
    (&["fedora", "rhel", "centos"], "sudo dnf install libpcap"),
    (&["alpine"], "apk add libpcap"),
    (&["arch"], "sudo pacman -S libpcap"),
    (&["suse", "opensuse"], "sudo zypper install libpcap1"),
];

/// How to install libpcap on this system.
#[cfg(feature = "live")]
pub(super) fn install_libpcap() -> String {
    if cfg!(all(target_os = "linux", target_feature = "crt-static")) {
        return "this static build can open none: use the one with libpcap inside, or the dynamic build".to_owned();
    }
    if cfg!(windows) {
        return "install Npcap from https://npcap.com".to_owned();
    }
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    installer(&system).map_or_else(
        || "install the package libpcap".to_owned(),
        |command| format!("install it: {command}"),
    )
}

/// The command for the system that `/etc/os-release` describes.
#[cfg(feature = "live")]
fn installer(system: &str) -> Option<&'static str> {
    let named = |key| system.lines().find_map(|line| line.strip_prefix(key));
    let words = [named("ID="), named("ID_LIKE=")].into_iter().flatten();
    let mut words = words.flat_map(|it| it.trim_matches(['"', '\'']).split(' '));
    words.find_map(|word| {
        let mut all = INSTALLERS.iter();
        all.find(|(names, _)| names.contains(&word.split('-').next().unwrap_or(word)))
            .map(|(_, command)| *command)
    })
}

/// The input that could not be opened, and the kind of the error.
fn input_error(error: &anyhow::Error) -> Option<(&Path, ErrorKind)> {
    if let Some(CaptureError::Io { path, error }) = capture_error(error) {
        return Some((path, error.kind()));
    }
    match error.chain().find_map(|it| it.downcast_ref()) {
        Some(
            AnalysisError::Input { path, source }
            | AnalysisError::KeyLog { path, source }
            | AnalysisError::Log { path, source }
            | AnalysisError::IgnoreFile { path, source },
        ) => Some((path, source.kind())),
        _ => None,
    }
}

/// The command that a word probably means, if it is no file.
pub(super) fn command_alike(word: &str) -> Option<String> {
    if word.contains(['.', '/', '\\']) || Path::new(word).exists() {
        return None;
    }
    let commands = cli::command();
    let names = commands.get_subcommands().map(clap::Command::get_name);
    let near = names.map(|name| (strsim::osa_distance(name, word), name.to_owned()));
    let (distance, name) = near.min()?;
    (distance * 3 <= name.len()).then_some(name)
}

/// The most names of files that a message lists, and the most entries of a folder that are looked at.
const LISTED: usize = 3;
const LOOKED_AT: usize = 10_000;

/// Files beside `path` that were probably meant: nearly the same name, or else the captures that are there.
fn near_files(path: &Path) -> Option<String> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let own = path.file_name()?.to_string_lossy().to_lowercase();
    let shown = |name: &str| folder.join(name).display().to_string();
    let read = match folder == Path::new("") {
        true => std::fs::read_dir("."),
        false => std::fs::read_dir(folder),
    };
    let Ok(read) = read else {
        return Some(format!("there is no folder {}", folder.display()));
    };
    let entries = read.take(LOOKED_AT).flatten();
    let files = entries.filter(|it| it.file_type().is_ok_and(|it| !it.is_dir()));
    let names = files.filter_map(|it| it.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|it| !it.starts_with('.')).collect();
    names.sort_unstable();
    let stem = own.split('.').next().unwrap_or_default();
    let distance = |name: &String| {
        let name = name.to_lowercase();
        let same_stem = stem.len() > 1 && name.split('.').next() == Some(stem);
        match same_stem && is_capture(&name) {
            true => 1,
            false => strsim::osa_distance(&own, &name),
        }
    };
    let nearest = names.iter().min_by_key(|name| distance(name));
    if let Some(nearest) = nearest.filter(|it| distance(it) * 3 <= own.chars().count()) {
        return Some(format!("did you mean {}?", shown(nearest)));
    }
    let mut captures = names.iter().filter(|it| is_capture(&it.to_lowercase()));
    let listed: Vec<_> = captures.by_ref().take(LISTED).map(|it| shown(it)).collect();
    let more = match captures.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!listed.is_empty()).then(|| format!("the captures there are {}{more}", listed.join(", ")))
}

fn is_capture(name: &str) -> bool {
    let plain = [".gz", ".zst", ".lz4"];
    let name = plain
        .iter()
        .find_map(|it| name.strip_suffix(it))
        .unwrap_or(name);
    [".pcap", ".pcapng", ".cap", ".ntar", ".dmp"]
        .iter()
        .any(|it| name.ends_with(it))
}

/// The capture filter that was typed. A Wireshark display filter is translated where a capture filter can say the same,
/// and that is told; otherwise the message says what to do.
pub(super) fn capture_filter(typed: &str) -> Result<String> {
    const TAKES: &str =
        "a capture filter (BPF) is taken here, such as 'tcp port 80 and host 10.0.0.1'";
    if let Some(key) = typed.split([' ', '(']).find_map(FilterKey::of_word) {
        bail!(
            "{typed:?}: `{}:` belongs to the filter of the screens (key f), which selects connections; {TAKES}",
            key.name
        );
    }
    let display = DisplayFilter::recognise(typed);
    let Some(display) = display.or_else(|| DisplayFilter::of_protocol(typed)) else {
        return Ok(typed.to_owned());
    };
    match display.to_bpf() {
        Ok(bpf) => {
            // If standard error is closed, the note has no reader.
            let _ = writeln!(
                io::stderr(),
                "hangup: the Wireshark display filter {typed:?} was taken as the capture filter '{bpf}'"
            );
            Ok(bpf)
        }
        Err(reason) => {
            let screens = match (display.to_line(), display.caution()) {
                (Ok(line), None) => format!(". In the screens, press f and type: {line}"),
                (Ok(line), Some(caution)) => {
                    format!(". In the screens, press f and type: {line} ({caution})")
                }
                (Err(_), _) => String::new(),
            };
            bail!(
                "{typed:?} is a Wireshark display filter; {TAKES}. It cannot be translated: {reason}{screens}"
            )
        }
    }
}

/// Replaces a display filter by the capture filter that means the same.
pub(super) fn translate(filter: &mut Option<String>) -> Result<()> {
    if let Some(typed) = filter.take() {
        *filter = Some(capture_filter(&typed)?);
    }
    Ok(())
}

/// An error and its causes in one line.
pub(super) fn told(error: &anyhow::Error) -> String {
    let mut message = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Some errors already include their cause in their message.
        if !message.contains(&cause) {
            message += &format!(": {cause}");
        }
    }
    without_system_number(&message)
}

/// A message without the numbers of system errors, and without the names of files that are not complete.
fn without_system_number(message: &str) -> String {
    // "No such file or directory (os error 2)": the number says nothing more.
    let mut text = message.to_owned();
    while let Some(at) = text.find(" (os error ") {
        let Some(end) = text[at..].find(')') else {
            break;
        };
        text.replace_range(at..=at + end, "");
    }
    // Reports are written under another name first, which means nothing to the reader.
    while let Some(at) = text.find(" at path \"") {
        let rest = text.get(at + " at path \"".len()..).unwrap_or_default();
        let Some(end) = rest.find('"') else {
            break;
        };
        let end = at + " at path \"".len() + end;
        text.replace_range(at..=end, "");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_system_error_is_left_out() {
        assert_eq!(
            without_system_number("a: No such file (os error 2): b (os error 13)"),
            "a: No such file: b"
        );
        assert_eq!(without_system_number("x (os error"), "x (os error");
    }

    #[cfg(feature = "live")]
    #[test]
    fn libpcap_is_installed_as_the_system_does_it() {
        for (system, command) in [
            (
                "PRETTY_NAME=\"Debian\"\nID=debian\n",
                "sudo apt install libpcap0.8",
            ),
            (
                "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
                "sudo apt install libpcap0.8",
            ),
            (
                "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
                "sudo dnf install libpcap",
            ),
            ("ID=alpine\n", "apk add libpcap"),
            (
                "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n",
                "sudo zypper install libpcap1",
            ),
        ] {
            assert_eq!(installer(system), Some(command), "{system}");
        }
        assert_eq!(installer("ID=nixos\n"), None);
        assert_eq!(installer(""), None);
    }

    #[test]
    fn files_beside_a_misspelt_one_are_named() {
        let near = |path: &str| near_files(Path::new(path)).unwrap_or_default();
        assert_eq!(
            near("captures/reset-before-respone.pcap"),
            "did you mean captures/reset-before-response.pcap?"
        );
        assert_eq!(
            near("captures/keep-alive-race.pcap"),
            "did you mean captures/keep-alive-race.pcapng?"
        );
        assert!(
            near("captures/x")
                .starts_with("the captures there are captures/announced-close-once.pcapng, ")
        );
        assert_eq!(near("no/such/x"), "there is no folder no/such");
        assert_eq!(near("src/qqqqq.pcap"), "");
    }

    #[test]
    fn filters_of_other_languages_are_explained() {
        assert_eq!(capture_filter("tcp port 80").unwrap(), "tcp port 80");
        assert_eq!(
            capture_filter("ip.addr==10.0.0.1 && tcp.port==80").unwrap(),
            "host 10.0.0.1 and tcp port 80"
        );
        for (typed, words) in [
            ("http.response.code == 502", &["BPF", "status:502"][..]),
            (
                "tcp.stream eq 7",
                &["tshark -r FILE -Y 'tcp.stream == 7' -w OUT.pcapng"],
            ),
            ("how:reset", &["`how:`", "key f", "BPF"]),
        ] {
            let message = capture_filter(typed).unwrap_err().to_string();
            for word in words {
                assert!(message.contains(word), "{word} in {message}");
            }
        }
    }
}
