//! The clipboard of the screens: by OSC 52 where the terminal is known to take it, else by a program that owns a
//! clipboard, else in a file.
//!
//! In: a text, and what the environment says of the terminal. Out: the sequence for the terminal, and a message for the
//! status line where the text is not simply on the clipboard. Nobody answers to OSC 52, so where it is not known whether
//! the terminal takes it, the text is written to a file as well.
//!
//! The file is created by `tempfile`: with a name that cannot be foreseen, only if there is nothing of that name
//! (`O_EXCL`, so no link is followed), readable by its owner alone. One run of the program has one such file.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::clipboard_helper::Helper;
use crate::base::base64::base64;

/// The maximum text length that terminals accept by OSC 52, before base64: xterm's limit.
const MAX_OSC_52: usize = 74_994;
/// How long a program may take to accept the text; one that cannot reach its display waits longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is asked whether it has.
const PACE: Duration = Duration::from_millis(10);

/// Whether the terminal takes OSC 52.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Osc52 {
    /// It is known to.
    Taken,
    /// Nothing is known.
    Unknown,
    /// It is known not to.
    Ignored,
}

/// A program that puts its standard input on a clipboard, with its arguments.
pub(super) type Program = &'static [&'static str];

/// Puts texts on the clipboard.
pub(super) struct Clipboard {
    osc_52: Osc52,
    giver: Giver,
    /// Where a file may be, the best place first.
    folders: Vec<PathBuf>,
    file: Option<(File, PathBuf)>,
    /// The text that a program is being given, and whether one took it.
    under_way: Option<(String, Receiver<bool>)>,
}

/// Who gives a text to programs.
#[derive(Clone)]
enum Giver {
    /// There is no program.
    Nobody,
    /// This process.
    Own(Vec<Program>),
    /// The helper beside the sandbox.
    Aside(Arc<Mutex<Helper>>),
}

impl Giver {
    /// Whether a program took the text.
    fn give(&self, text: &str) -> bool {
        match self {
            Self::Nobody => false,
            Self::Own(programs) => give_to_any(programs, text),
            Self::Aside(helper) => {
                let mut helper = helper.lock().unwrap_or_else(PoisonError::into_inner);
                helper.give(text).unwrap_or(false)
            }
        }
    }
}

/// What the user must know.
pub(super) type Notice = Option<Result<String, String>>;

impl Clipboard {
    /// Chooses by the environment. Before the sandbox, which lets nobody start a program.
    pub(super) fn new() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let folders = variable("XDG_RUNTIME_DIR").map(PathBuf::from);
        let folders = folders.filter(|it| it.is_absolute()).into_iter();
        // In the sandbox, only the working directory can be written to.
        let programs = programs(&variable);
        let giver = match programs.is_empty() {
            true => Giver::Nobody,
            false if cfg!(all(feature = "sandbox", target_os = "linux")) => {
                let helper = Helper::begin();
                helper.map_or(Giver::Nobody, |it| Giver::Aside(Arc::new(Mutex::new(it))))
            }
            false => Giver::Own(programs),
        };
        let last = [std::env::temp_dir(), PathBuf::from(".")];
        Self {
            osc_52: osc_52(&variable),
            giver,
            folders: folders.chain(last).collect(),
            file: None,
            under_way: None,
        }
    }

    /// Puts a text on the clipboard; `out` is the terminal. Where a program is given the text, [`Self::news`] has the
    /// result later.
    pub(super) fn copy(&mut self, text: String, out: &mut dyn Write) -> Notice {
        self.under_way = None;
        if self.osc_52 == Osc52::Taken && text.len() <= MAX_OSC_52 {
            return write_osc_52(&text, out).err().map(Err);
        }
        if matches!(self.giver, Giver::Nobody) {
            return self.without_programs(&text, out);
        }
        let (send, result) = channel();
        let (giver, given) = (self.giver.clone(), text.clone());
        thread::spawn(move || {
            let taken = giver.give(&given);
            // The receiver is gone if another text was copied meanwhile.
            let _ = send.send(taken);
        });
        self.under_way = Some((text, result));
        None
    }

    /// Whether a program is being given a text.
    pub(super) fn is_busy(&self) -> bool {
        self.under_way.is_some()
    }

    /// What became of the text that a program was given.
    pub(super) fn news(&mut self, out: &mut dyn Write) -> Notice {
        let (_, result) = self.under_way.as_ref()?;
        let taken = match result.try_recv() {
            Err(TryRecvError::Empty) => return None,
            Ok(taken) => taken,
            Err(TryRecvError::Disconnected) => false,
        };
        let (text, _) = self.under_way.take()?;
        if taken {
            return None;
        }
        self.without_programs(&text, out)
    }

    /// Where no program took it: the terminal may, and a file has it in any case.
    fn without_programs(&mut self, text: &str, out: &mut dyn Write) -> Notice {
        let sent = self.osc_52 == Osc52::Unknown
            && text.len() <= MAX_OSC_52
            && write_osc_52(text, out).is_ok();
        let written = self.write_file(text);
        Some(match (sent, written) {
            (true, Ok(path)) => Ok(format!(
                "sent to the terminal's clipboard; it is also in {}",
                path.display()
            )),
            (true, Err(_)) => Ok("sent to the terminal's clipboard".to_owned()),
            (false, Ok(path)) => Err(format!(
                "no clipboard can be reached: it is in {}",
                path.display()
            )),
            (false, Err(error)) => Err(format!(
                "no clipboard can be reached, and no file can be made: {error}"
            )),
        })
    }

    /// Writes the text to the file of this run, which is made for the first one.
    fn write_file(&mut self, text: &str) -> io::Result<PathBuf> {
        if self.file.is_none() {
            self.file = Some(self.new_file()?);
        }
        let Some((file, path)) = &mut self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        // By the handle, not by the name: another file may have the name by now.
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())?;
        Ok(path.clone())
    }

    fn new_file(&self) -> io::Result<(File, PathBuf)> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("hangup-").suffix(".txt");
        let mut error = io::ErrorKind::NotFound.into();
        for folder in &self.folders {
            match builder.tempfile_in(folder) {
                Ok(file) => return file.keep().map_err(|it| it.error),
                Err(it) => error = it,
            }
        }
        Err(error)
    }
}

/// Whether the terminal takes OSC 52. GNU screen does not pass it on; tmux ignores it unless `set-clipboard` is `on`.
fn osc_52(variable: &dyn Fn(&str) -> Option<String>) -> Osc52 {
    let term = variable("TERM").unwrap_or_default();
    let program = variable("TERM_PROGRAM").unwrap_or_default();
    let within = ["TMUX", "STY"].iter().any(|it| variable(it).is_some());
    let deaf = ["linux", "dumb", "vt", "screen", "tmux"];
    if within || deaf.iter().any(|it| term.starts_with(it)) || program == "Apple_Terminal" {
        return Osc52::Ignored;
    }
    let names = ["kitty", "alacritty", "foot", "ghostty", "wezterm"];
    let known = names.iter().any(|it| term.contains(it))
        || ["WezTerm", "ghostty"].contains(&program.as_str())
        || variable("WT_SESSION").is_some();
    match known {
        true => Osc52::Taken,
        false => Osc52::Unknown,
    }
}

/// The programs that may own a clipboard here; whether they are installed shows when they are run.
fn programs(variable: &dyn Fn(&str) -> Option<String>) -> Vec<Program> {
    let wayland: Program = &["wl-copy"];
    let mut programs = Vec::new();
    if cfg!(target_os = "macos") {
        programs.push(&["pbcopy"] as Program);
    }
    if variable("WAYLAND_DISPLAY").is_some() {
        programs.push(wayland);
    }
    if variable("DISPLAY").is_some() {
        programs.push(&["xclip", "-selection", "clipboard"]);
        programs.push(&["xsel", "--clipboard", "--input"]);
    }
    if variable("TMUX").is_some() {
        // Into tmux's own buffer, and with `-w` to the clipboard of the terminal around it.
        programs.push(&["tmux", "load-buffer", "-w", "-"]);
    }
    programs
}

/// The programs that may own a clipboard, by the environment.
pub(super) fn programs_here() -> Vec<Program> {
    programs(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// Gives the text to the first program that takes it, and returns whether one did.
pub(super) fn give_to_any(programs: &[Program], text: &str) -> bool {
    programs.iter().any(|it| give(it, text).unwrap_or(false))
}

/// Gives a program the text, and returns whether it took it.
fn give(program: Program, text: &str) -> io::Result<bool> {
    let Some((name, arguments)) = program.split_first() else {
        return Ok(false);
    };
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        let text = text.to_owned();
        // On a thread, as a program that does not read would block it; the pipe breaks when the program ends.
        thread::spawn(move || pipe.write_all(text.as_bytes()));
    }
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        thread::sleep(PACE);
    }
    child.kill()?;
    child.wait()?;
    Ok(false)
}

/// OSC 52 reaches the user's own machine even over ssh.
fn write_osc_52(text: &str, out: &mut dyn Write) -> Result<(), String> {
    let put = write!(out, "\x1b]52;c;{}\x07", base64(text.as_bytes()));
    put.and_then(|()| out.flush())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(text: &str) -> impl Fn(&str) -> Option<String> {
        let pairs = text.split_whitespace().filter_map(|it| it.split_once('='));
        let pairs: Vec<_> = pairs.map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        move |name| {
            let found = pairs.iter().find(|(it, _)| it == name);
            found.map(|(_, value)| value.clone())
        }
    }

    #[test]
    fn what_is_used_depends_on_the_terminal() {
        for (variables, osc, names) in [
            ("TERM=xterm-kitty", Osc52::Taken, ""),
            ("TERM=xterm-256color TERM_PROGRAM=WezTerm", Osc52::Taken, ""),
            ("TERM=linux", Osc52::Ignored, ""),
            ("TERM=screen.xterm-256color STY=1.pts", Osc52::Ignored, ""),
            ("TERM=xterm-256color SSH_TTY=/dev/pts/1", Osc52::Unknown, ""),
            (
                "TERM=tmux-256color TMUX=/tmp/tmux-0/default,1,0 DISPLAY=:0",
                Osc52::Ignored,
                "xclip xsel tmux",
            ),
            (
                "TERM=xterm-256color WAYLAND_DISPLAY=wayland-0 DISPLAY=:0",
                Osc52::Unknown,
                "wl-copy xclip xsel",
            ),
        ] {
            let variable = environment(variables);
            assert_eq!(osc_52(&variable), osc, "{variables}");
            let programs = programs(&variable);
            let found: Vec<_> = programs.iter().map(|it| it[0]).collect();
            let found: Vec<_> = found.into_iter().filter(|it| *it != "pbcopy").collect();
            assert_eq!(found.join(" "), names, "{variables}");
        }
    }

    fn clipboard(osc_52: Osc52, programs: Vec<Program>, folder: &std::path::Path) -> Clipboard {
        Clipboard {
            osc_52,
            giver: match programs.is_empty() {
                true => Giver::Nobody,
                false => Giver::Own(programs),
            },
            folders: vec![folder.join("is not there"), folder.to_owned()],
            file: None,
            under_way: None,
        }
    }

    #[test]
    fn a_file_is_for_its_owner_alone_and_there_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut clipboard = clipboard(Osc52::Ignored, Vec::new(), folder.path());
        let mut terminal = Vec::new();
        for text in ["first and long", "second"] {
            let told = clipboard.copy(text.to_owned(), &mut terminal);
            assert!(matches!(told, Some(Err(_))), "{told:?}");
        }
        assert!(terminal.is_empty());
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        let [Ok(file)] = &files[..] else {
            panic!("{files:?}")
        };
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "second");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = file.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_terminal_that_is_not_known_gets_it_and_a_file_too() {
        let folder = tempfile::tempdir().unwrap();
        let mut clipboard = clipboard(Osc52::Unknown, Vec::new(), folder.path());
        let mut terminal = Vec::new();
        let told = clipboard.copy("foo".to_owned(), &mut terminal);
        assert!(matches!(told, Some(Ok(_))), "{told:?}");
        assert_eq!(terminal, b"\x1b]52;c;Zm9v\x07");
        // Longer than terminals take: the file has it.
        terminal.clear();
        let told = clipboard.copy("x".repeat(MAX_OSC_52 + 1), &mut terminal);
        assert!(matches!(told, Some(Err(_))) && terminal.is_empty());
    }

    #[test]
    fn the_next_program_is_tried_if_one_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        for (programs, taken) in [
            (
                vec![&["hangup-no-such-program"] as Program, &["true"]],
                true,
            ),
            (vec![&["false"] as Program], false),
        ] {
            let mut clipboard = clipboard(Osc52::Ignored, programs, folder.path());
            let mut terminal = Vec::new();
            assert_eq!(clipboard.copy("text".to_owned(), &mut terminal), None);
            let mut told = None;
            while clipboard.is_busy() {
                told = clipboard.news(&mut terminal);
            }
            assert_eq!(told.is_none(), taken, "{told:?}");
        }
    }
}
