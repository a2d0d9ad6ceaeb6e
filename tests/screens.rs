//! The screens as a whole: captures are analysed, keys are pressed, and the screen is compared with a snapshot, at the
//! sizes of a small and of a large terminal.

#![cfg(all(feature = "decrypt", feature = "ui"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod recording;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use hangup::analysis::connection::{Connection, ConnectionSummary};
use hangup::analysis::transcript::ConnectionTranscript;
use hangup::app::cli::Cli;
use hangup::app::session;
use hangup::base::frame_ref::FrameNumber;
use hangup::protocol::tls::secrets::KeyStore;
use hangup::report::snapshot::{ReadProgress, ReadStage, Snapshot};
use hangup::report::wording::moment::Zone;
use hangup::tui::{
    App, Colours, Depth, Effect, Glyphs, Host, KeyTable, Look, ScreenSubject, Tasks, Theme,
    TimeStyle, ViewModel,
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

const TIME_WAIT: Duration = Duration::from_secs(60);
const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (160, 50);

/// Where the captures are that a name without a folder means.
const CAPTURES: &str = "captures";

/// Rereads captures, a path a line, with the key log that may lie next to them, and records what would be written. These tests touch
/// nothing else outside.
struct Reader(String, Mutex<Vec<PathBuf>>);

impl Host for Reader {
    fn write_frames(&self, _: &Snapshot, of: &[u32], to: &Path) -> Result<u64, String> {
        self.1.lock().unwrap().push(to.to_owned());
        Ok(of.len() as u64)
    }

    fn exists(&self, path: &Path) -> bool {
        path == Path::new("there.pcapng")
    }

    fn reread(
        &self,
        of: &ConnectionSummary,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<ConnectionTranscript, String> {
        let keys = KeyStore::default();
        if let Ok(log) = std::fs::read(Path::new(&self.0).with_extension("keylog")) {
            keys.read(&log, FrameNumber(0));
        }
        let options = hangup::packet::capture::OpenOptions::default();
        let paths: Vec<&str> = self.0.lines().collect();
        let source = hangup::packet::places::open(&paths, &options);
        let mut source = source.map_err(|error| error.to_string())?;
        ConnectionTranscript::read(&mut *source, of, Some(&keys), goes_on)
    }

    fn reread_all(
        &self,
        goes_on: &mut dyn FnMut(u64) -> bool,
        each: &mut dyn FnMut(&Connection),
    ) -> Result<(), String> {
        let options = hangup::packet::capture::OpenOptions::default();
        let source = hangup::packet::capture::open(&[&self.0], &options);
        let mut source = source.map_err(|error| error.to_string())?;
        let keys = KeyStore::default();
        let read = hangup::analysis::engine::reread_all(&mut *source, &keys, goes_on, each);
        read.map(drop).map_err(|error| error.to_string())
    }

    fn write_report(&self, _snapshot: &Snapshot, to: &Path) -> Result<(), String> {
        Err(format!("{}: not in this test", to.display()))
    }
}

/// The application on a test terminal.
struct Shown {
    app: App,
    host: Arc<Reader>,
    terminal: Terminal<TestBackend>,
}

impl Shown {
    fn nothing_yet(size: (u16, u16), glyphs: Glyphs) -> Self {
        Self::of("capture.pcap", size, glyphs)
    }

    fn of(name: &str, size: (u16, u16), glyphs: Glyphs) -> Self {
        let host = Arc::new(Reader(path_of(name), Mutex::default()));
        let session = ScreenSubject {
            name: name.to_owned(),
            zone: Zone::UTC,
            time_wait: TIME_WAIT,
            host: Arc::clone(&host) as Arc<dyn Host>,
            keys: KeyTable::default(),
            columns: None,
        };
        let look = Look {
            theme: Theme {
                depth: Depth::Indexed,
                light: false,
                colours: Colours::default(),
            },
            glyphs,
            times: TimeStyle::default(),
        };
        Self {
            app: App::new(session, look, Tasks::inline()),
            host,
            terminal: Terminal::new(TestBackend::new(size.0, size.1)).unwrap(),
        }
    }

    fn capture(name: &str, size: (u16, u16)) -> Self {
        let mut shown = Self::of(name, size, Glyphs::UNICODE);
        let snapshot = read(name);
        shown.take(snapshot, 1, ReadStage::Done);
        shown
    }

    fn take(&mut self, snapshot: Arc<Snapshot>, version: u64, stage: ReadStage) {
        let frames = snapshot.summary.frames;
        let model = ViewModel::new(snapshot, version, TIME_WAIT);
        self.app.report(ReadProgress {
            stage,
            frames,
            ..ReadProgress::default()
        });
        self.app.take(Arc::new(model));
    }

    /// Presses keys given by their names: `2 down enter`.
    fn press(&mut self, keys: &str) -> &mut Self {
        for name in keys.split_whitespace() {
            let code = match name {
                "enter" => KeyCode::Enter,
                "esc" => KeyCode::Esc,
                "tab" => KeyCode::Tab,
                "up" => KeyCode::Up,
                "down" => KeyCode::Down,
                "left" => KeyCode::Left,
                "right" => KeyCode::Right,
                "end" => KeyCode::End,
                "pgdn" => KeyCode::PageDown,
                "space" => KeyCode::Char(' '),
                "backspace" => KeyCode::Backspace,
                char => KeyCode::Char(char.chars().next().unwrap()),
            };
            // Draw between two keys, as in real use.
            self.screen();
            let event = KeyEvent::new(code, KeyModifiers::NONE);
            self.app.event(&Event::Key(event));
        }
        self
    }

    fn type_in(&mut self, text: &str) -> &mut Self {
        for char in text.chars() {
            let event = KeyEvent::new(KeyCode::Char(char), KeyModifiers::NONE);
            self.app.event(&Event::Key(event));
        }
        self
    }

    /// Whether a text stands on the screen in reverse or with a background of its own.
    fn app_style(&mut self, text: &str) -> bool {
        self.screen();
        let buffer = self.terminal.backend().buffer();
        let width = usize::from(buffer.area.width);
        let plain = |cell: &ratatui::buffer::Cell| {
            let style = cell.style();
            let none = matches!(style.bg, None | Some(ratatui::style::Color::Reset));
            none && style.add_modifier.is_empty()
        };
        buffer.content.chunks(width).any(|row| {
            let symbols: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
            symbols.match_indices(text).any(|(at, _)| {
                let column = symbols[..at].chars().count();
                row[column..column + text.chars().count()]
                    .iter()
                    .all(|it| !plain(it))
            })
        })
    }

    fn screen(&mut self) -> String {
        self.terminal.draw(|frame| self.app.draw(frame)).unwrap();
        let buffer = self.terminal.backend().buffer();
        let width = usize::from(buffer.area.width);
        let rows = buffer.content.chunks(width);
        let rows = rows.map(|row| {
            let row: String = row.iter().map(|cell| cell.symbol()).collect();
            row.trim_end().replace('\u{a0}', " ") + "\n"
        });
        rows.collect()
    }
}

/// The path of a capture of the repository, or of one that a test has made.
fn path_of(name: &str) -> String {
    match name.contains('/') {
        true => name.to_owned(),
        false => format!("{CAPTURES}/{name}"),
    }
}

fn read(name: &str) -> Arc<Snapshot> {
    analysed(name, true, &[])
}

fn read_with(name: &str, options: &[&str]) -> Arc<Snapshot> {
    analysed(name, true, options)
}

/// `search_requests`: the requests of all connections are kept, as they are for the screens.
fn analysed(name: &str, search_requests: bool, options: &[&str]) -> Arc<Snapshot> {
    let path = path_of(name);
    let log = Path::new(&path).with_extension("keylog");
    let log = log.exists().then(|| format!("--keylog={}", log.display()));
    let words = ["hangup".to_owned(), path].into_iter().chain(log);
    let words = words.chain(options.iter().map(|it| (*it).to_owned()));
    let cli = Cli::try_parse_from(words).unwrap();
    let mut options = cli.read.options(false);
    options.search_requests = search_requests;
    let reading = session::Session::of_files(cli.read.files(), &options).unwrap();
    let watch = reading.watch();
    reading.wait();
    watch.snapshot()
}

/// Compares a screen of a capture at both sizes.
#[track_caller]
fn check(name: &str, capture: &str, keys: &str) {
    for (size, of) in [(SMALL, "small"), (LARGE, "large")] {
        let mut shown = Shown::capture(capture, size);
        let screen = shown.press(keys).screen();
        insta::assert_snapshot!(format!("{name}-{of}"), screen);
    }
}

#[test]
fn the_overview_of_a_race() {
    check("overview-race", "keep-alive-race.pcapng", "");
}

#[test]
fn the_overview_of_ports_that_run_out() {
    check("overview-ports", "streamed-transfers.pcap.gz", "");
}

#[test]
fn the_overview_of_health() {
    check("overview-health", "clean-keepalive.pcapng", "");
}

#[test]
fn the_findings() {
    check("findings", "streamed-transfers.pcap.gz", "2 down");
}

/// With secrets, a ladder shows the decrypted data as it would unencrypted data: handshake, requests, streams, alerts.
#[test]
fn ladders_under_keys() {
    check("ladder-keyed", "tls13.pcap", "3 enter");
    check("ladder-keyed-h2", "h2-goaway-mid-stream.pcapng", "3 enter");
    check(
        "ladder-keyed-alert",
        "tls-client-certificate-missing.pcapng",
        "3 end enter",
    );
}

/// The other panes with secrets: TLS facts, streams as exchanges, and the decrypted bytes.
#[test]
fn panes_under_keys() {
    for (name, capture, keys) in [
        (
            "verdict-keyed",
            "tls-wrong-name.pcapng",
            "3 down enter tab end",
        ),
        (
            "exchanges-keyed",
            "h2-goaway-mid-stream.pcapng",
            "3 enter tab tab",
        ),
        ("bytes-keyed", "tls13.pcap", "3 enter tab tab tab"),
    ] {
        let mut shown = Shown::capture(capture, SMALL);
        insta::assert_snapshot!(name, shown.press(keys).screen());
    }
}

#[test]
fn a_story() {
    check("story", "keep-alive-race.pcapng", "enter");
    check("story-end", "keep-alive-race.pcapng", "2 enter tab end");
}

#[test]
fn a_story_with_consequences() {
    check("story-chain", "streamed-transfers.pcap.gz", "!");
}

#[test]
fn the_sockets() {
    check("sockets", "streamed-transfers.pcap.gz", "4");
}

#[test]
fn the_help() {
    check("help", "keep-alive-race.pcapng", "2 ?");
}

#[test]
fn the_page_of_a_rule() {
    check("rule", "keep-alive-race.pcapng", "enter w");
}

#[test]
fn before_anything_is_read() {
    let mut shown = Shown::nothing_yet(SMALL, Glyphs::UNICODE);
    shown.app.report(ReadProgress {
        stage: ReadStage::Reading,
        frames: 1_234_567,
        bytes: 450,
        of: Some(1000),
    });
    shown.app.tick(Duration::from_secs(9));
    insta::assert_snapshot!("loading", shown.screen());
    // Every key may be pressed before there is any data.
    shown.press("2 enter c w 3 enter 4 enter down pgdn end ? esc ! n N space 1 tab");
    shown.screen();
}

#[test]
fn ascii_is_ascii() {
    let mut shown = Shown::nothing_yet(SMALL, Glyphs::ASCII);
    shown.take(read("keep-alive-race.pcapng"), 1, ReadStage::Done);
    let screen = shown.screen();
    insta::assert_snapshot!("overview-ascii", screen);
    assert!(screen.is_ascii(), "{screen}");
    for keys in [
        "enter", "pgdn", "w", "?", "3", "s enter", "tab", "tab", "tab", "y", "esc 4", "/",
    ] {
        let screen = shown.press(keys).screen();
        assert!(screen.is_ascii(), "{keys}: {screen}");
    }
}

#[test]
fn back_goes_back_to_where_one_was() {
    let mut shown = Shown::capture("keep-alive-race.pcapng", SMALL);
    let overview = shown.screen();
    let findings = shown.press("2").screen();
    let story = shown.press("enter").screen();
    let help = shown.press("?").screen();
    assert!(help.contains("How to read this"), "{help}");
    assert_eq!(shown.press("esc").screen(), story);
    assert_eq!(shown.press("esc").screen(), findings);
    assert_eq!(shown.press("4 esc").screen(), findings);
    assert_eq!(shown.press("backspace").screen(), overview);
    // A tab that is already on the stack is returned to, so that the stack does not grow.
    assert_eq!(shown.press("2 4 1").screen(), overview);
    let start = shown.press("esc").screen();
    assert!(start.contains("q quits"), "{start}");
    shown.press("q");
    assert_eq!(shown.app.effects(), [Effect::Quit]);
}

#[test]
fn search_finds_and_says_when_it_does_not() {
    let mut shown = Shown::capture("keep-alive-race.pcapng", SMALL);
    shown.press("2 /").type_in("idle-timeout");
    let found = shown.press("enter").screen();
    let row = found.lines().find(|row| row.contains('▌')).unwrap();
    assert!(row.contains("note"), "{found}");
    let missed = shown.press("/").type_in("no such text").screen();
    assert!(missed.contains("text not found: no such text"), "{missed}");
    let missed = shown.press("enter").screen();
    assert!(missed.contains("text not found: no such text"), "{missed}");
    // `n` and `N` go around the end, and say so.
    let mut shown = Shown::capture("streamed-transfers.pcap.gz", SMALL);
    shown.press("3 /").type_in("client fin").press("enter");
    for (keys, wrapped) in [("n", false), ("N", false), ("N", true), ("n", true)] {
        let screen = shown.press(keys).screen();
        assert_eq!(
            screen.contains("search wrapped"),
            wrapped,
            "{keys}: {screen}"
        );
    }
    // Nothing typed is the text from before.
    let before = shown.screen();
    let next = shown.press("/ enter").screen();
    assert!(next != before && !next.contains("not found"), "{next}");
}

/// What can be read on a screen is found there, and marked; what cannot leads to the screen that searches further.
#[test]
fn what_is_in_sight_is_never_called_missing() {
    let found = |size, keys: &str, needle: &str| {
        let mut shown = Shown::capture("keep-alive-race.pcapng", size);
        let before = shown.press(keys).screen();
        assert!(before.contains(needle), "{needle}: {before}");
        let screen = shown.press("/").type_in(needle).press("enter").screen();
        assert!(!screen.contains("not found"), "{keys} {needle}: {screen}");
        let style = shown.app_style(needle);
        assert!(style, "{keys} {needle} is not marked: {screen}");
    };
    for size in [SMALL, (120, 40), LARGE] {
        for needle in ["MaxServicePointIdleTime", "captured", "opened", "1 error"] {
            found(size, "", needle);
        }
        if size != SMALL {
            found(size, "", "GET /hello");
        }
        found(size, "2", "A request crossed");
        found(size, "4", "TIME-WAIT");
        found(size, "3", "server FIN");
    }
    found(SMALL, "2", "Node");
    // What only the text below shows, of another finding: it is selected, and the text begins there.
    let mut shown = Shown::capture("keep-alive-race.pcapng", SMALL);
    let screen = shown
        .press("2 G /")
        .type_in("crossed")
        .press("enter")
        .screen();
    assert!(
        rows_with(&screen, "\u{258c}").concat().contains("crossed"),
        "{screen}"
    );
    for (keys, hint) in [
        ("1", "findings: press 2, then /; requests: press 3, then /"),
        ("2", "(requests: press 3, then /)"),
        ("4", "(requests: press 3, then /)"),
    ] {
        let screen = shown
            .press(keys)
            .press("/")
            .type_in("no such")
            .press("enter")
            .screen();
        assert!(screen.contains("text not found: no such"), "{screen}");
        assert!(screen.contains(hint), "{screen}");
    }
}

#[test]
fn any_size_can_be_drawn() {
    let snapshot = read("streamed-transfers.pcap.gz");
    for (width, height) in [
        (1, 1),
        (10, 3),
        (20, 5),
        (33, 7),
        (40, 9),
        (60, 12),
        (79, 14),
        (81, 26),
        (300, 100),
    ] {
        let mut shown = Shown::nothing_yet((width, height), Glyphs::UNICODE);
        shown.take(Arc::clone(&snapshot), 1, ReadStage::Done);
        for keys in [
            "",
            "2",
            "enter",
            "tab end",
            "w",
            "esc 4",
            "?",
            "1 down down",
        ] {
            shown.press(keys).screen();
        }
        shown.app.event(&Event::Mouse(MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column: width / 2,
            row: height / 2,
            modifiers: KeyModifiers::NONE,
        }));
        shown.screen();
    }
    // A window that is made smaller and larger again while the program runs.
    let mut shown = Shown::capture("keep-alive-race.pcapng", LARGE);
    let before = shown.press("2 enter").screen();
    for size in [(20, 5), (5, 2), LARGE] {
        shown.terminal.backend_mut().resize(size.0, size.1);
        shown.app.event(&Event::Resize(size.0, size.1));
        shown.screen();
    }
    assert_eq!(shown.screen(), before);
}

#[test]
fn what_is_live_is_announced_and_can_be_frozen() {
    let mut shown = Shown::nothing_yet(SMALL, Glyphs::UNICODE);
    let healthy = read("clean-keepalive.pcapng");
    shown.take(healthy, 1, ReadStage::Following);
    shown.press("space");
    let frozen = shown.screen();
    assert!(frozen.contains("FROZEN"), "{frozen}");
    shown.take(read("keep-alive-race.pcapng"), 2, ReadStage::Following);
    let told = shown.screen();
    assert!(
        told.contains("new: A request crossed the server's idle close"),
        "{told}"
    );
    assert!(
        told.contains("Nothing is wrong"),
        "what is frozen stays: {told}"
    );
    let followed = shown.press("space").screen();
    assert!(followed.contains("1 error"), "{followed}");
    // While packets arrive, a single `q` does not quit.
    shown.press("q");
    assert_eq!(shown.app.effects(), []);
    shown.press("q");
    assert_eq!(shown.app.effects(), [Effect::Quit]);
}

#[test]
fn what_is_selected_stays_selected_when_rows_come_before_it() {
    let mut shown = Shown::nothing_yet(SMALL, Glyphs::UNICODE);
    let all = read("keep-alive-race.pcapng");
    let mut mild = Snapshot::clone(&all);
    mild.findings.remove(0);
    mild.findings[0].id = 1;
    shown.take(Arc::new(mild), 1, ReadStage::Following);
    let row = |screen: &str| {
        let row = screen.lines().find(|row| row.contains('▌')).unwrap();
        row.to_owned()
    };
    let before = row(&shown.press("2").screen());
    shown.take(all, 2, ReadStage::Following);
    assert_eq!(row(&shown.screen()), before);
}

#[test]
fn the_connections() {
    check("connections", "streamed-transfers.pcap.gz", "3 down");
    check(
        "connections-sorted",
        "streamed-transfers.pcap.gz",
        "3 s g down down enter r",
    );
}

/// What the rows are sorted by is seen, with the direction, and the list of columns does not cover it.
#[test]
fn the_column_of_the_order_is_shown() {
    for size in [SMALL, (120, 40), (200, 50)] {
        let mut shown = Shown::capture("keep-alive-race.pcapng", size);
        let screen = shown.press("3 s G up enter").screen();
        assert!(screen.contains("bytes\u{25bc}"), "{screen}");
        assert!(!screen.contains("Columns:"), "{screen}");
        let again = shown.press("s enter").screen();
        assert!(again.contains("bytes\u{25b2}"), "{again}");
        assert!(shown.press("s g enter").screen().contains("#\u{25b2}"));
    }
}

/// Enter on a request that was found, by the search or by a filter, leads to its frame, and the screen names it.
#[test]
fn a_request_that_is_found_is_what_one_gets_to() {
    let capture = "healthy/chromium-many-tabs.pcap.gz";
    for (begin, needle) in [("3 /", "i10.s"), ("3 f", "path:/i10")] {
        for size in [SMALL, LARGE] {
            let mut shown = Shown::capture(&format!("captures/{capture}"), size);
            let listed = shown.press(begin).type_in(needle).press("enter").screen();
            assert!(listed.contains("Found: GET /i10.svg"), "{listed}");
            let ladder = shown.press("enter").screen();
            let row = rows_with(&ladder, "\u{258c}").concat();
            assert!(row.contains("GET /i10.svg"), "{ladder}");
            let tabs = if size == SMALL { "tab tab" } else { "tab" };
            let exchanges = shown.press(tabs).screen();
            let row = rows_with(&exchanges, "\u{258c}").concat();
            assert!(row.contains("/i10.svg"), "{exchanges}");
        }
    }
}

#[test]
fn columns_and_groups_are_chosen_from_lists() {
    let mut shown = Shown::capture("streamed-transfers.pcap.gz", SMALL);
    let list = shown.press("3 s").screen();
    insta::assert_snapshot!("columns-list", list);
    // The idle time is shown although there is little room, and sorted by.
    let screen = shown.press("end up up up space enter").screen();
    assert!(screen.contains("idle"), "{screen}");
    let screen = shown.press("s space esc").screen();
    assert!(!screen.contains("idle"), "{screen}");
    let mut shown = Shown::capture("streamed-transfers.pcap.gz", SMALL);
    let groups = shown.press("3 b down down down enter").screen();
    assert!(
        groups.contains("connections     failed   requests"),
        "{groups}"
    );
    let unfolded = shown.press("enter down").screen();
    insta::assert_snapshot!("grouped", unfolded);
    let folded = shown.press("up enter").screen();
    assert_eq!(folded, groups);
    assert!(!shown.press("esc").screen().contains("requests"));
}

#[test]
fn the_whole_width_of_a_terminal_is_used() {
    let wide = |columns| {
        let mut shown = Shown::capture("keep-alive-race.pcapng", (columns, 30));
        let screen = shown.press("3").screen();
        let longest = screen
            .lines()
            .skip(3)
            .take(3)
            .map(|row| row.chars().count());
        longest.max().unwrap_or(0)
    };
    for columns in [80, 120, 200] {
        let used = wide(columns);
        assert!(used > usize::from(columns) * 3 / 4, "{used} of {columns}");
    }
}

/// Writes a capture of `count` connections with a request each, of which one gets a 502.
fn many_requests(name: &str, count: u32, failed: u32) -> String {
    let mut shots = Vec::new();
    for client in 1..=count {
        let (target, status) = match client == failed {
            true => ("/checkout".to_owned(), "502 Bad Gateway"),
            false => (format!("/item/{client}"), "200 OK"),
        };
        let request = format!("GET {target} HTTP/1.1\r\nHost: shop.example\r\n\r\n");
        let response = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        let (asked, told) = (request.len() as u32, response.len() as u32);
        let segments = [
            (true, wire::SYN, 0, 0, ""),
            (false, wire::SYN | wire::ACK, 0, 1, ""),
            (true, wire::ACK, 1, 1, request.as_str()),
            (false, wire::ACK, 1, 1 + asked, response.as_str()),
            (true, wire::FIN | wire::ACK, 1 + asked, 1 + told, ""),
            (false, wire::FIN | wire::ACK, 1 + told, 2 + asked, ""),
            (true, wire::ACK, 2 + asked, 2 + told, ""),
        ];
        for (nth, (from_client, flags, seq, ack, payload)) in (0..).zip(segments) {
            let packet = wire::Packet {
                from_client,
                client,
                time: 1_000_000_000 + i64::from(client) * 1_000_000 + nth * 10_000,
                seq,
                ack,
                flags,
                id: 0,
                payload: payload.as_bytes().to_vec(),
            };
            shots.push(packet.shot());
        }
    }
    let path = format!("{}/{name}.pcap", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&path, wire::to_pcap(&shots)).unwrap();
    path
}

/// Requests are searched on every connection: those that were kept in short, and by reading again those that were not.
#[test]
fn every_request_is_searched() {
    let path = many_requests("many-requests", 3000, 2222);
    for kept in [true, false] {
        let mut shown = Shown::of(&path, SMALL, Glyphs::UNICODE);
        let snapshot = analysed(&path, kept, &[]);
        assert_eq!(snapshot.requests.iter().flatten().count() > 2000, kept);
        shown.take(snapshot, 1, ReadStage::Done);
        for (filter, found) in [
            ("path:/checkout status:502", "1 of 3,000 are"),
            ("path:/item status:502", "0 of 3,000 are"),
            ("path:/item/2", "1,110 of 3,000 are"),
            ("host:shop.example method:GET", "3,000 of 3,000 are"),
            ("--status 5xx", "1 of 3,000 are"),
            ("/checkout 502", "1 of 3,000 are"),
        ] {
            let screen = shown.press("3 f").type_in(filter).press("enter").screen();
            assert!(screen.contains(found), "{kept} {filter}: {screen}");
            assert!(
                !screen.contains("not searched"),
                "{kept} {filter}: {screen}"
            );
            shown.press("esc");
        }
        let screen = shown
            .press("/")
            .type_in("/item/2750")
            .press("enter")
            .screen();
        let row = screen.lines().find(|row| row.contains('▌')).unwrap();
        assert!(row.contains("2750"), "{kept}: {screen}");
        let missed = shown.press("/").type_in("/basket").press("enter").screen();
        assert!(
            missed.contains("text not found: /basket"),
            "{kept}: {missed}"
        );
        // By name instead of address.
        let named = shown.press("a").screen();
        assert_eq!(named.contains("shop.example:80"), kept, "{named}");
    }
}

/// While packets still arrive, nothing is read again: the screen says what was not searched.
#[test]
fn what_is_not_searched_is_told() {
    let path = many_requests("some-requests", 50, 7);
    let mut shown = Shown::of(&path, SMALL, Glyphs::UNICODE);
    let snapshot = analysed(&path, false, &[]);
    shown.take(Arc::clone(&snapshot), 1, ReadStage::Following);
    let screen = shown
        .press("3 f")
        .type_in("path:/item")
        .press("enter")
        .screen();
    assert!(screen.contains("not searched yet"), "{screen}");
    // A capture that is gone cannot be read again.
    let mut shown = Shown::of("no-such.pcap", SMALL, Glyphs::UNICODE);
    shown.take(snapshot, 1, ReadStage::Done);
    let screen = shown
        .press("3 f")
        .type_in("path:/item")
        .press("enter")
        .screen();
    assert!(screen.contains("no-such.pcap"), "{screen}");
    let screen = shown.press("down").screen();
    assert!(
        screen.contains("not searched: their packets are gone"),
        "{screen}"
    );
}

#[test]
fn a_wrong_filter_says_what_to_type_and_changes_nothing() {
    let mut shown = Shown::capture("streamed-transfers.pcap.gz", SMALL);
    let before = shown
        .press("3 f")
        .type_in("by:client")
        .press("enter")
        .screen();
    let typing = shown
        .press("f")
        .type_in(" took:>5parsecs")
        .press("enter")
        .screen();
    assert!(
        typing.contains("a time is expected, such as >5s"),
        "{typing}"
    );
    let rows = |screen: &str| {
        screen
            .lines()
            .skip(3)
            .take(10)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(rows(&typing), rows(&before));
    assert_eq!(shown.press("esc").screen(), before);
}

#[test]
fn one_connection() {
    check("ladder", "response-cut-short.pcap", "3 enter");
    check("verdict", "response-cut-short.pcap", "3 enter tab");
    check("ladder-race", "keep-alive-race.pcapng", "3 enter");
    check("bytes", "response-cut-short.pcap", "3 enter h h");
    check("segments", "lossy-but-healthy.pcap.gz", "3 enter h");
}

#[test]
fn a_long_connection_is_folded_and_unfolds() {
    check("ladder-lossy", "lossy-but-healthy.pcap.gz", "3 enter g");
    let mut shown = Shown::capture("lossy-but-healthy.pcap.gz", LARGE);
    let folded = shown.press("3 enter g").screen();
    assert!(folded.contains("segments, "), "{folded}");
    let whole = shown.press("enter").screen();
    assert!(!whole.contains(":: "), "{whole}");
    assert_ne!(whole, folded);
}

/// `docs/screens.svg`, which the README shows, is what the screens look like.
#[test]
fn the_recording_is_current() {
    const PATH: &str = "docs/screens.svg";
    let mut shown = Shown::capture("keep-alive-race.pcapng", (110, 30));
    let mut screens = Vec::new();
    for keys in ["", "2 enter", "esc 3 down", "enter", "esc 2 enter w"] {
        shown.press(keys).screen();
        screens.push(shown.terminal.backend().buffer().clone());
    }
    let made = recording::svg(
        &screens,
        "The screens of hangup: overview, finding, connections, ladder, rule",
    );
    assert!(made.len() < 300_000, "{} bytes", made.len());
    if std::env::var_os("HANGUP_REWRITE").is_some() {
        std::fs::write(PATH, &made).unwrap();
    }
    let kept = std::fs::read_to_string(PATH).unwrap_or_default();
    let command = "HANGUP_REWRITE=1 cargo test --test screens recording";
    assert!(
        kept == made,
        "{PATH} is out of step; rewrite it with: {command}"
    );
}

#[test]
fn a_wireshark_filter_is_applied_and_says_how_it_was_understood() {
    let mut shown = Shown::capture("streamed-transfers.pcap.gz", SMALL);
    shown.press("3 f").type_in("tcp.flags.reset == 1");
    let screen = shown.press("enter").screen();
    for part in ["Wireshark filter taken as how:", "of 60 are how:"] {
        assert!(screen.contains(part), "{part:?}: {screen}");
    }
}

#[test]
fn connections_are_narrowed_down_while_one_types() {
    let mut shown = Shown::capture("streamed-transfers.pcap.gz", SMALL);
    let all = shown.press("3").screen();
    let typing = shown.press("f").type_in("by:clie").screen();
    assert!(
        typing.contains("did you mean client? `by` takes client, server"),
        "{typing}"
    );
    insta::assert_snapshot!("filter-wrong", typing);
    let typed = shown.type_in("nt took:>43ms").screen();
    insta::assert_snapshot!("filter-typed", typed);
    shown.press("enter");
    let few = shown.screen();
    assert!(few.contains("of 60 are by:client took:>43ms"), "{few}");
    // `esc` first discards what was typed, then the filter.
    shown.press("f").type_in(" server");
    assert_eq!(shown.press("esc").screen(), few);
    assert_eq!(shown.press("esc").screen(), all);
}

#[test]
fn what_is_copied_is_chosen_from_a_menu() {
    let mut shown = Shown::capture("response-cut-short.pcap", SMALL);
    let menu = shown.press("3 enter y").screen();
    insta::assert_snapshot!("copy-menu", menu);
    let told = shown.press("enter").screen();
    assert!(told.contains("Wireshark filter is copied"), "{told}");
    assert!(
        matches!(&shown.app.effects()[..], [Effect::Copy(text)] if text.starts_with("ip.addr=="))
    );
    shown.press("y down enter");
    let ladder = shown.app.effects();
    let [Effect::Copy(ladder)] = &ladder[..] else {
        panic!("{ladder:?}")
    };
    insta::assert_snapshot!("copied-ladder", ladder);
    shown.press("y end enter");
    let finding = shown.app.effects();
    let [Effect::Copy(finding)] = &finding[..] else {
        panic!("{finding:?}")
    };
    insta::assert_snapshot!("copied-finding", finding);
    shown.press("y esc");
    assert_eq!(shown.app.effects(), []);
}

#[test]
fn a_connection_of_any_size_can_be_drawn() {
    for (width, height) in [
        (20, 5),
        (24, 6),
        (33, 7),
        (40, 9),
        (60, 12),
        (79, 14),
        (129, 30),
        (130, 30),
        (300, 100),
    ] {
        let mut shown = Shown::capture("lossy-but-healthy.pcap.gz", (width, height));
        for keys in [
            "3",
            "f x esc",
            "m s y esc",
            "enter",
            "g enter",
            "tab",
            "tab",
            "tab",
            "tab",
            "y",
            "esc",
            "c",
            "? esc",
        ] {
            shown.press(keys).screen();
        }
    }
}

#[test]
fn tab_completes_what_is_typed() {
    let mut shown = Shown::capture("streamed-transfers.pcap.gz", SMALL);
    let screen = shown.press("3 f").type_in("ph").press("tab").screen();
    assert!(screen.contains("filter: phase:"), "{screen}");
    let first = shown.press("tab").screen();
    let second = shown.press("tab").screen();
    let typed = |screen: &str| screen.lines().last().unwrap_or_default().to_owned();
    assert!(typed(&first).starts_with(" filter: phase:"), "{first}");
    assert_ne!(typed(&first), typed(&second));
}

#[test]
fn a_finding_is_copied_and_its_connections_are_listed() {
    let mut shown = Shown::capture("keep-alive-race.pcapng", SMALL);
    for keys in ["2 y", "enter y"] {
        shown.press(keys);
        let effects = shown.app.effects();
        assert!(
            matches!(&effects[..], [Effect::Copy(text)] if text.starts_with("## ")),
            "{keys}: {effects:?}"
        );
    }
    // Two findings of one rule, about different hosts, with different messages: list the first one's connections and
    // no others.
    let mut shown = Shown::nothing_yet(SMALL, Glyphs::UNICODE);
    let mut all = Snapshot::clone(&read("streamed-transfers.pcap.gz"));
    all.findings.truncate(1);
    all.findings[0].caused_by = None;
    let mut other = all.findings[0].clone();
    other.id = 2;
    other.summary = "something else".into();
    all.findings[0].connections.truncate(7);
    all.findings.push(other);
    shown.take(Arc::new(all), 1, ReadStage::Done);
    let listed = shown.press("2 g c").screen();
    assert!(listed.contains("7 of 60 are finding:1"), "{listed}");
}

#[test]
fn what_is_there_is_written_over_when_that_is_wanted() {
    for (answer, written) in [("n", false), ("y", true)] {
        for begin in ["3 e", "3 enter e", "2 e", "2 enter e"] {
            let mut shown = Shown::capture("response-cut-short.pcap", SMALL);
            shown.press(begin);
            let erase = KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL);
            shown.app.event(&Event::Key(erase));
            let asked = shown.type_in("there.pcapng").press("enter").screen();
            assert!(asked.contains("overwrite it?"), "{asked}");
            shown.type_in(answer).press("enter").screen();
            let to = shown.host.1.lock().unwrap().clone();
            let wanted: &[PathBuf] = &[PathBuf::from("there.pcapng")];
            assert_eq!(to, if written { wanted } else { &[] }, "{begin} {answer}");
        }
    }
}

/// On every screen the name is there, the ending decides, and what was written is said with its name.
#[test]
fn exports_are_alike_on_every_screen() {
    let erase = KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL);
    for (begin, name) in [
        ("e", "response-cut-short.pcapng"),
        ("3 e", "connections.pcapng"),
        ("3 enter e", "connection-1.pcapng"),
        ("2 e", "response-cut-short.pcapng"),
        ("2 enter e", "response-cut-short.pcapng"),
    ] {
        let mut shown = Shown::capture("response-cut-short.pcap", SMALL);
        let asked = shown.press(begin).screen();
        assert!(
            asked.contains(&format!("write to: {name}")),
            "{begin}: {asked}"
        );
        let written = shown.press("enter").screen();
        let told = format!("written to {name}");
        assert!(written.contains(&told), "{begin}: {written}");
        assert!(!shown.press("up").screen().contains(&told));
        // `y` alone answers, and any other key is no.
        for (answer, files) in [("n", 1), ("y", 2)] {
            shown.press("e");
            shown.app.event(&Event::Key(erase));
            let asked = shown.type_in("there.pcapng").press("enter").screen();
            assert!(
                asked.contains("there.pcapng exists; overwrite it?"),
                "{asked}"
            );
            let said = shown.type_in(answer).screen();
            let nothing = said.contains("nothing was written");
            assert_eq!(nothing, answer == "n", "{said}");
            assert_eq!(
                shown.host.1.lock().unwrap().len(),
                files,
                "{begin} {answer}"
            );
        }
        // What no format belongs to is not written as something else.
        for wrong in ["r.pdf", "r.xyz", "r"] {
            shown.press("e");
            shown.app.event(&Event::Key(erase));
            let refused = shown.type_in(wrong).press("enter").screen();
            assert!(
                refused.contains("end it in .pcapng .pcap for packets"),
                "{refused}"
            );
            shown.press("esc");
        }
        assert_eq!(shown.host.1.lock().unwrap().len(), 2, "{begin}");
        // An error is shown whole.
        shown.press("e");
        shown.app.event(&Event::Key(erase));
        let failed = shown.type_in("r.md").press("enter").screen();
        assert_eq!(
            rows_with(&failed, "r.md: not in this test").len(),
            1,
            "{failed}"
        );
    }
}

/// The footer offers what works, and nothing else.
#[test]
fn the_footer_offers_what_works() {
    let footer = |shown: &mut Shown| shown.screen().lines().last().unwrap().to_owned();
    let mut shown = Shown::capture("keep-alive-race.pcapng", SMALL);
    assert!(footer(shown.press("3")).contains("m mark"));
    assert!(!footer(shown.press("m")).contains("v compare"));
    assert!(footer(shown.press("m")).contains("v compare"));
    let mut shown = Shown::capture("streamed-transfers.pcap.gz", SMALL);
    let told = shown.press("3 m m m v").screen();
    assert!(
        told.contains("3 are marked, and two can be compared"),
        "{told}"
    );
    // The other side of a proxy, where there is one.
    for (capture, is_leg) in [
        ("bad-gateway.pcap", true),
        ("keep-alive-race.pcapng", false),
    ] {
        for size in [SMALL, (120, 40), LARGE] {
            let mut shown = Shown::capture(capture, size);
            let footer = footer(shown.press("3 enter"));
            assert_eq!(footer.contains("o other leg"), is_leg, "{footer}");
        }
    }
    // A capture without findings.
    let mut shown = Shown::capture("clean-keepalive.pcapng", SMALL);
    assert!(footer(&mut shown).contains("enter connections"));
    let nothing = footer(shown.press("2"));
    for dead in ["enter", "c connections", "w rule", "y copy", "e export"] {
        assert!(!nothing.contains(dead), "{nothing}");
    }
    let told = shown.press("!").screen();
    assert!(
        told.contains("nothing was found") && !told.contains("so far"),
        "{told}"
    );
    // What enter opens is said, as it may be out of sight.
    let mut shown = Shown::capture("bad-gateway.pcap", SMALL);
    assert!(footer(shown.press("enter")).contains("enter frame "));
    // A narrow terminal keeps the first key.
    for keys in ["3", "2", "enter"] {
        let mut shown = Shown::capture("keep-alive-race.pcapng", (40, 12));
        assert!(
            footer(shown.press(keys)).trim_start().starts_with("enter"),
            "{keys}"
        );
    }
}

/// The smallest terminals show a row and a figure of what they are about.
#[test]
fn a_small_terminal_shows_what_matters() {
    let mut shown = Shown::capture("keep-alive-race.pcapng", (40, 12));
    let screen = shown.press("3").screen();
    assert!(screen.contains("failed"), "{screen}");
    let screen = shown.press("m m v").screen();
    assert!(
        rows_with(&screen, "\u{258c}").concat().contains("FIN"),
        "{screen}"
    );
    assert!(
        screen.contains("#1") && screen.contains("elapsed"),
        "{screen}"
    );
    let other = shown.press("tab").screen();
    assert!(
        rows_with(&other, "\u{258c}").concat().contains("GET"),
        "{other}"
    );
    let screen = shown.press("4").screen();
    let row = rows_with(&screen, "10.77.0.2").concat();
    assert!(row.trim_end().ends_with("no"), "{screen}");
}

/// Rows stand under the heads that are theirs.
#[test]
fn an_unfolded_group_has_the_heads_of_its_rows() {
    let mut shown = Shown::capture("streamed-transfers.pcap.gz", SMALL);
    let folded = shown.press("3 b down enter").screen();
    assert!(
        folded.contains("connections     failed   requests"),
        "{folded}"
    );
    let unfolded = shown.press("enter").screen();
    assert!(unfolded.contains("ended by"), "{unfolded}");
    assert!(
        unfolded.contains("60 connections, 60 requests, "),
        "{unfolded}"
    );
    assert!(unfolded.contains("enter fold"), "{unfolded}");
    let told = shown.press("y").screen();
    assert!(told.contains("this is a group"), "{told}");
    let told = shown.press("r").screen();
    assert!(
        told.contains("each group is sorted by outcome, downwards"),
        "{told}"
    );
}

/// Where something is cut, it is said.
#[test]
fn what_is_cut_is_marked() {
    let mut shown = Shown::capture("response-cut-short.pcap", (60, 24));
    let screen = shown.press("3").screen();
    let detail: Vec<&str> = screen.lines().rev().skip(1).take(3).collect();
    assert!(detail[0].ends_with('\u{2026}'), "{screen}");
    let mut shown = Shown::capture("bad-gateway.pcap", (80, 20));
    let screen = shown.screen();
    assert!(screen.contains(" more below"), "{screen}");
    let screen = shown.press("G").screen();
    assert!(screen.contains(" more above"), "{screen}");
}

/// Columns stay where they are while one scrolls, also when wider cells come into sight.
#[test]
fn columns_do_not_move_while_one_scrolls() {
    let path = many_requests("many-columns", 120, 119);
    for size in [SMALL, (120, 24)] {
        let mut shown = Shown::capture(&path, size);
        let head = shown
            .press("3 s g enter")
            .screen()
            .lines()
            .nth(3)
            .unwrap()
            .to_owned();
        for keys in ["pgdn", "pgdn", "G", "g"] {
            let screen = shown.press(keys).screen();
            assert_eq!(screen.lines().nth(3).unwrap(), head, "{keys}: {screen}");
        }
    }
}

/// The place that is captured and its clock are told on the first screen.
#[test]
fn places_and_their_clocks_are_told_on_the_overview() {
    let folder = "captures/places";
    for size in [SMALL, (120, 40), LARGE] {
        let mut shown = Shown::nothing_yet(size, Glyphs::UNICODE);
        let (one, other) = ("clock-ahead.pcap", "clock-ahead@server.pcap");
        let other = format!("{folder}/{other}");
        let snapshot = read_with(&format!("{folder}/{one}"), &[&other]);
        shown.take(snapshot, 1, ReadStage::Done);
        let screen = shown.screen();
        assert!(screen.contains(" places "), "{screen}");
        assert!(screen.contains(" clock "), "{screen}");
    }
}

/// In a ladder, places have short names that keep their difference.
#[test]
fn places_in_a_ladder_have_short_names() {
    let folder = "captures/places";
    let of = |place: &str| format!("{folder}/lost-behind-router{place}.pcap");
    let host = [of(""), of("@router"), of("@server")];
    let mut shown = Shown::of(&host.join("\n"), SMALL, Glyphs::UNICODE);
    let snapshot = read_with(&host[0], &[&host[1], &host[2]]);
    shown.take(snapshot, 1, ReadStage::Done);
    let screen = shown.press("3 enter up up up up").screen();
    let told = screen.lines().rev().nth(1).unwrap();
    assert!(
        told.contains("\u{2026}@router and \u{2026}@server"),
        "{screen}"
    );
}

#[test]
fn a_key_that_changes_nothing_in_sight_says_so() {
    for keys in ["", "2", "2 enter"] {
        let mut shown = Shown::capture("keep-alive-race.pcapng", SMALL);
        let told = shown.press(keys).press("d").screen();
        assert!(told.contains("no ladder is in sight"), "{told}");
        let mut shown = Shown::capture("keep-alive-race.pcapng", LARGE);
        let told = shown.press(keys).press("d").screen();
        assert!(told.contains("times since the segment before"), "{told}");
    }
}

/// The rows that hold a text.
fn rows_with<'a>(screen: &'a str, text: &str) -> Vec<&'a str> {
    screen.lines().filter(|row| row.contains(text)).collect()
}

#[test]
fn the_ladder_of_the_selected_finding_stands_beside_or_below() {
    let mut shown = Shown::capture("keep-alive-race.pcapng", (200, 50));
    for keys in ["", "2", "enter"] {
        let screen = shown.press(keys).screen();
        let right: Vec<String> = screen
            .lines()
            .map(|row| row.chars().skip(100).collect())
            .collect();
        assert!(
            right.iter().any(|row| row.contains("client 10.")),
            "{keys}: {screen}"
        );
        assert!(
            right.iter().any(|row| row.contains('\u{2716}')),
            "{keys}: {screen}"
        );
    }
    insta::assert_snapshot!("story-beside", shown.screen());
    let mut shown = Shown::capture("keep-alive-race.pcapng", (120, 40));
    insta::assert_snapshot!("findings-below", shown.press("2").screen());
    // Too narrow for both.
    let mut shown = Shown::capture("keep-alive-race.pcapng", SMALL);
    let screen = shown.press("2").screen();
    assert!(rows_with(&screen, "elapsed").is_empty(), "{screen}");
}

#[test]
fn a_piece_of_evidence_leads_to_its_frame_and_back() {
    let mut shown = Shown::capture("keep-alive-race.pcapng", SMALL);
    let story = shown.press("enter tab").screen();
    let marked = rows_with(&story, "\u{258c}");
    let [marked] = marked[..] else {
        panic!("{story}")
    };
    let frame = marked.trim_start_matches([' ', '\u{258c}']);
    let frame = frame.split("  ").next().unwrap().to_owned();
    assert!(frame.starts_with("frame "), "{story}");
    let ladder = shown.press("enter").screen();
    let detail = rows_with(&ladder, &frame);
    assert!(!detail.is_empty(), "{frame}: {ladder}");
    assert_eq!(shown.press("esc").screen(), story);
}

/// A frame that is folded away is unfolded, and selected itself, not the first of its run.
#[test]
fn evidence_in_a_folded_run_is_what_one_gets_to() {
    for capture in ["h2-goaway-mid-stream.pcapng", "h2-killed-server.pcapng"] {
        // Away from its secrets, it says little that would keep a row of its own.
        let apart = format!("{}/apart-{capture}", env!("CARGO_TARGET_TMPDIR"));
        std::fs::copy(path_of(capture), &apart).unwrap();
        let mut shown = Shown::capture(&apart, SMALL);
        let mut story = shown.press("!").screen();
        if rows_with(&story, "\u{258c}").is_empty() {
            story = shown.press("tab").screen();
        }
        let cited = rows_with(&story, "\u{258c}").concat();
        let frame = cited.split_once("frame ").unwrap().1;
        let frame = format!("frame {}  ", frame.split(' ').next().unwrap());
        let note = cited
            .split(" s  ")
            .last()
            .unwrap()
            .trim_end_matches([' ', '\u{2502}', '\u{2503}']);
        let ladder = shown.press("enter").screen();
        let detail: String = ladder.lines().rev().skip(1).take(2).collect();
        assert!(
            detail.contains(&frame) && detail.contains(note),
            "{frame}{note}: {ladder}"
        );
        assert_eq!(shown.press("esc").screen(), story);
    }
}

/// Enter, Enter: from the list to the finding, and from there to its evidence, also where findings belong to it.
#[test]
fn evidence_is_the_first_link_of_a_finding() {
    for capture in ["bad-gateway.pcap", "streamed-transfers.pcap.gz"] {
        for size in [SMALL, LARGE] {
            let mut shown = Shown::capture(capture, size);
            let ladder = shown.press("enter enter").screen();
            assert!(ladder.contains(" Segments "), "{ladder}");
        }
    }
}

#[test]
fn times_are_shown_in_three_ways() {
    let mut shown = Shown::capture("response-cut-short.pcap", LARGE);
    let elapsed = shown.press("3 enter").screen();
    assert!(elapsed.contains("elapsed"), "{elapsed}");
    let delta = shown.press("d").screen();
    assert!(delta.contains("delta") && delta.contains("+0.0"), "{delta}");
    let clock = shown.press("d").screen();
    assert!(clock.contains("time of day"), "{clock}");
    let segments = shown.press("h").screen();
    assert!(segments.contains("time of day"), "{segments}");
    assert_eq!(shown.press("d l").screen(), elapsed);
}

#[test]
fn what_fits_an_error_can_be_lifted() {
    let mut shown = Shown::nothing_yet(LARGE, Glyphs::UNICODE);
    let options = ["--error", "Connection reset by peer"];
    shown.take(read_with("bad-gateway.pcap", &options), 1, ReadStage::Done);
    let narrow = shown.screen();
    let banner = rows_with(&narrow, "shows all  only ");
    insta::assert_snapshot!("banner", banner.join("\n"));
    let listed = |screen: &str| rows_with(screen, "10.").len();
    let few = shown.press("3").screen();
    let all = shown.press("E").screen();
    assert!(all.contains("everything is shown"), "{all}");
    assert!(listed(&few) < listed(&all), "{few}{all}");
    assert_eq!(shown.press("E").screen(), few);
    // On the first screen `esc` lifts it too.
    let lifted = shown.press("esc esc").screen();
    assert!(lifted.contains("everything is shown"), "{lifted}");
    // Nothing that fits is not the same as nothing that is wrong.
    let options = ["--error", "Connection refused"];
    shown.take(read_with("bad-gateway.pcap", &options), 2, ReadStage::Done);
    let nothing = shown.press("E").screen();
    assert!(
        nothing.contains("No connection fits the error"),
        "{nothing}"
    );
    assert!(!nothing.contains("Nothing is wrong"), "{nothing}");
}

#[test]
fn two_connections_are_compared() {
    for (size, name) in [(SMALL, "compare-small"), ((120, 30), "compare-large")] {
        let mut shown = Shown::capture("keep-alive-race.pcapng", size);
        let hint = shown.press("3 m v").screen();
        assert!(hint.contains("mark two connections"), "{hint}");
        let screen = shown.press("m v").screen();
        insta::assert_snapshot!(name, screen);
        let opened = shown.press("tab enter").screen();
        assert!(opened.contains("Segments"), "{opened}");
    }
}
