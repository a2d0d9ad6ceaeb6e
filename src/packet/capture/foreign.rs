//! Recognises files that are not supported captures, by their bytes, and says what to do about them.
//!
//! A format that Wireshark reads is sent to its `editcap`; what Wireshark does not read everywhere (Windows' event traces,
//! TSH) to the program that does. The magic numbers are those of libmagic and of Wireshark's wiretap.

use std::path::Path;

use super::input::Compression;
use crate::base::shell::shell_word;

/// The way out of a format; `IN` and `OUT` stand for the names of the file and of a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WayOut {
    /// Wireshark's converter reads it.
    Editcap,
    /// Another command, after a few words.
    Command(&'static str),
    /// There is none: it holds no packets.
    Nothing(&'static str),
}

use WayOut::{Command, Editcap, Nothing};

/// Formats that users try to open, by their first bytes.
const FOREIGN: &[(&[u8], &str, WayOut)] = &[
    (b"snoop\0\0\0", "a Solaris snoop capture", Editcap),
    (b"GMBU", "a Microsoft Network Monitor capture", Editcap),
    (b"RTSS", "a Microsoft Network Monitor capture", Editcap),
    (b"TRSNIFF data", "a Sniffer capture", Editcap),
    (b"XCP\0", "a NetXray or Sniffer capture", Editcap),
    (b"\x7fver", "an OmniPeek or EtherPeek capture", Editcap),
    (b"iptrace 1.0", "an AIX iptrace capture", Editcap),
    (b"iptrace 2.0", "an AIX iptrace capture", Editcap),
    (b"ObserverPktBuffe", "an Observer capture", Editcap),
    (b"\x05VNF", "a Visual Networks capture", Editcap),
    (b"\x01\x10\x4c\x00", "a LANalyzer capture", Editcap),
    (b"\xaa\xaa\xaa\xaa\x20\0\0\0", "a 5View capture", Editcap),
    (b"TR\0d\0", "an HP-UX nettl trace", Editcap),
    (
        b"btsnoop\0",
        "a Bluetooth HCI log",
        Nothing("it holds no TCP"),
    ),
    (
        b"\xfd7zXZ\0",
        "compressed with xz",
        Command("unpack it into a pipe: xz -dc IN | hangup report -"),
    ),
    (
        b"BZh",
        "compressed with bzip2",
        Command("unpack it into a pipe: bzip2 -dc IN | hangup report -"),
    ),
    (
        b"\x1f\x9d",
        "compressed with compress",
        Command("unpack it into a pipe: zcat IN | hangup report -"),
    ),
    (
        b"]\0\0",
        "compressed with lzma",
        Command("unpack it into a pipe: xz --format=lzma -dc IN | hangup report -"),
    ),
    (
        b"\x89LZO",
        "compressed with lzop",
        Command("unpack it into a pipe: lzop -dc IN | hangup report -"),
    ),
    (
        b"PK\x03\x04",
        "a zip archive",
        Command("unpack it into a pipe: unzip -p IN | hangup report -"),
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        "a 7z archive",
        Command("unpack it into a pipe: 7z x -so IN | hangup report -"),
    ),
    (
        b"Rar!\x1a\x07",
        "a RAR archive",
        Command("unpack it into a pipe: unrar p -inul IN | hangup report -"),
    ),
    (
        b"MSCF",
        "a cabinet archive, as netsh trace writes one beside its .etl file",
        Command("convert the .etl file: etl2pcapng FILE.etl FILE.pcapng"),
    ),
    (
        b"ElfFile\0",
        "a Windows event log",
        Nothing("it holds no packets"),
    ),
    (
        b"SQLite format 3\0",
        "an SQLite database",
        Nothing("it holds no packets"),
    ),
    (b"%PDF", "a PDF file", Nothing("it holds no packets")),
    (b"\x7fELF", "a program", Nothing("it holds no packets")),
];

/// The number of bytes that are looked at, where there are so many: formats without a magic number show themselves by their
/// second record.
pub(crate) const LOOKED_AT: usize = 4096;

/// Why a file that begins with these bytes is not a capture, and what to do about it.
pub(crate) fn reason(start: &[u8], compression: Compression, path: &Path) -> String {
    const READ: &str = match cfg!(feature = "compressed") {
        true => "pcap and pcapng are read, plain or packed with gzip, zstd or lz4",
        false => "pcap and pcapng are read, plain or packed with gzip",
    };
    if start.is_empty() {
        return match compression {
            Compression::None => {
                "it is empty: nothing was captured to it, or not yet (tcpdump -U writes at once); \
                                  leave it out"
                    .to_owned()
            }
            _ => "it unpacks to nothing: nothing was captured to it; leave it out".to_owned(),
        };
    }
    let packed = match compression {
        Compression::None => "",
        _ => "unpacked, ",
    };
    if let Some((what, way_out)) = known(start) {
        return format!(
            "{packed}this is {what}; {}",
            way_out.told(path, compression)
        );
    }
    if let Some(told) = text(start) {
        return format!("{packed}{told}");
    }
    let shown: Vec<String> = start
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        "{packed}it begins {}; {READ}; if Wireshark opens it, {}",
        shown.join(" "),
        Editcap.told(path, compression)
    )
}

impl WayOut {
    fn told(self, path: &Path, compression: Compression) -> String {
        let (before, command) = match self {
            Editcap => ("convert it: ", "editcap -F pcapng IN OUT"),
            Command(told) => ("", told),
            Nothing(why) => return why.to_owned(),
        };
        // A pipe has no name. Of packed files Wireshark reads what is inside, and other programs do not.
        let is_inside = compression != Compression::None && self != Editcap;
        if path == Path::new("-") || is_inside {
            let command = match command.contains("hangup report -") {
                true => command.replace(" IN |", " FILE |"),
                false => command
                    .replace(" IN ", " FILE ")
                    .replace(":IN", ":FILE")
                    .replace("OUT", "FILE.pcapng"),
            };
            return format!("{before}{command}");
        }
        let mut converted = path.with_extension("pcapng");
        if converted == path {
            converted = path.with_extension("converted.pcapng");
        }
        let command = command
            .replace("tsh:IN", &format!("tsh:{}", shell_word(path)))
            .replace(" IN ", &format!(" {} ", shell_word(path)))
            .replace("OUT", &shell_word(converted));
        format!("{before}{command}")
    }
}

/// The format that these bytes are, if it is not text.
fn known(start: &[u8]) -> Option<(&'static str, WayOut)> {
    let found = FOREIGN.iter().find(|(magic, ..)| start.starts_with(magic));
    if let Some((_, what, way_out)) = found {
        return Some((what, *way_out));
    }
    let head = &start[..start.len().min(64)];
    if memchr::memmem::find(head, b"Performance Data").is_some() {
        return Some(("a NetScaler trace (nstrace)", Editcap));
    }
    if start.get(257..262) == Some(b"ustar") {
        return Some((
            "a tar archive",
            Command("unpack it into a pipe: tar -xOf IN | hangup report -"),
        ));
    }
    if is_etl(start) {
        return Some((
            "a Windows event trace (.etl)",
            Command(
                "convert it on Windows: pktmon etl2pcap IN --out OUT, or, from netsh trace: etl2pcapng IN OUT",
            ),
        ));
    }
    if is_erf(start) {
        return Some(("an ERF capture", Editcap));
    }
    is_tsh(start).then_some((
        "a TSH trace, which Wireshark does not read",
        Command("convert it with libtrace: traceconvert tsh:IN pcapfile:OUT"),
    ))
}

/// Whether an event trace begins here: a buffer header of 72 bytes with the buffer's size first, then the header of a trace
/// event (version, kind 1 or 2, flags 0xc0).
fn is_etl(start: &[u8]) -> bool {
    let size = start.first_chunk().map(|it| u32::from_le_bytes(*it));
    let is_size = size.is_some_and(|it| it >= 1024 && it.is_multiple_of(1024));
    is_size && matches!(start.get(0x49..0x4c), Some([0, 1..=2, 0xc0]))
}

/// Whether two ERF records follow each other here. A record has a time (little-endian fixed point, seconds above), a type,
/// flags, and its length in big-endian order.
fn is_erf(start: &[u8]) -> bool {
    let record = |at: usize| -> Option<(u64, usize)> {
        let header = start.get(at..at + 16)?;
        let time = u64::from_le_bytes(*header.first_chunk()?);
        let length = usize::from(u16::from_be_bytes([header[10], header[11]]));
        let is_known = (1..=48).contains(&(header[8] & 0x7f)) && length >= 16;
        // After 1990: ERF is younger.
        (is_known && time >> 32 > 631_152_000).then_some((time, at + length))
    };
    let Some((first, next)) = record(0) else {
        return false;
    };
    let second = record(next);
    second.is_some_and(|(time, _)| time >= first && (time - first) >> 32 < 24 * 60 * 60)
}

/// Whether two TSH records follow each other here: 44 bytes with a time, an interface, an IPv4 header, and 16 bytes of TCP.
fn is_tsh(start: &[u8]) -> bool {
    let record = |at: usize| -> Option<u32> {
        let record = start.get(at..at + 44)?;
        let seconds = u32::from_be_bytes(*record.first_chunk()?);
        let micros = u32::from_be_bytes([0, record[5], record[6], record[7]]);
        let is_ip = record[8] == 0x45 && [1, 6, 17].contains(&record[17]);
        (is_ip && micros < 1_000_000 && seconds > 631_152_000).then_some(seconds)
    };
    record(0)
        .zip(record(44))
        .is_some_and(|(first, second)| second >= first && second - first < 24 * 60 * 60)
}

/// What a text is that was taken for a capture; `None` if it is no text.
fn text(start: &[u8]) -> Option<String> {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let textual =
        |&byte: &u8| byte >= 0x80 || (b' '..0x7f).contains(&byte) || b"\t\r\n".contains(&byte);
    if !start.iter().all(textual) {
        return None;
    }
    let text = String::from_utf8_lossy(start);
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let begun = text.trim_start();
    const KEY_LOG: [&str; 4] = [
        "CLIENT_RANDOM ",
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET ",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET ",
        "CLIENT_TRAFFIC_SECRET_0 ",
    ];
    if has(&KEY_LOG) {
        return Some(
            "this is a TLS key log; give it beside the capture: hangup CAPTURE --keylog FILE"
                .to_owned(),
        );
    }
    if begun.starts_with(['{', '[']) {
        let is_har = begun.starts_with('{')
            && has(&["\"log\""])
            && has(&["\"version\"", "\"creator\"", "\"entries\""]);
        return Some(match is_har {
            true => "this is a HAR file: requests as a browser saw them, and no packets; capture the packets: sudo \
                     tcpdump -i any -w FILE.pcap 'tcp port 443'"
                .to_owned(),
            false => "this is JSON, and no packets; what is wanted is the capture itself (tcpdump -w FILE, tshark -w FILE)"
                .to_owned(),
        });
    }
    let first = begun.lines().next().unwrap_or_default();
    if first.contains(" > ") && has(&["Flags [", " IP ", " IP6 ", "length "]) {
        return Some(
            "this is what tcpdump printed, and not the packets; record them: tcpdump -w FILE"
                .to_owned(),
        );
    }
    if first.contains(" \u{2192} ") || first.contains(" -> ") && has(&["TCP", "HTTP", "TLS"]) {
        return Some(
            "this is what tshark printed, and not the packets; record them: tshark -w FILE"
                .to_owned(),
        );
    }
    let is_dump =
        first.starts_with("0000 ") || first.starts_with("000000 ") || first.starts_with("0x0000:");
    if is_dump {
        return Some(
            "this is a dump in hexadecimal digits; Wireshark's text2pcap makes a capture of it: text2pcap FILE FILE.pcap"
                .to_owned(),
        );
    }
    let shown: String = text.chars().take(24).collect();
    Some(format!(
        "it is text, beginning \"{}\"; what is wanted is the capture itself (tcpdump -w FILE), not its listing",
        shown.escape_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erf() -> Vec<u8> {
        let mut file = Vec::new();
        for second in [0x5f00_0000_u32, 0x5f00_0001] {
            file.extend([0; 4]);
            file.extend(second.to_le_bytes());
            file.extend([2, 4, 0, 34, 0, 0, 0, 16]);
            file.extend([0; 18]);
        }
        file
    }

    fn tsh() -> Vec<u8> {
        let mut file = Vec::new();
        for second in [0x3f00_0000_u32, 0x3f00_0001] {
            let mut record = [0; 44];
            record[..4].copy_from_slice(&second.to_be_bytes());
            record[8] = 0x45;
            record[17] = 6;
            file.extend(record);
        }
        file
    }

    fn etl() -> Vec<u8> {
        let mut file = vec![0; 200];
        file[..4].copy_from_slice(&0x10000_u32.to_le_bytes());
        file[0x48..0x4c].copy_from_slice(&[2, 0, 2, 0xc0]);
        file
    }

    fn tar() -> Vec<u8> {
        let mut file = b"x.pcap".to_vec();
        file.resize(257, 0);
        file.extend(b"ustar\0");
        file
    }

    #[test]
    fn each_format_is_named_with_its_way_out() {
        for (start, words) in [
            (
                &b"snoop\0\0\0\0\0\0\x02"[..],
                &["snoop", "editcap -F pcapng 'a b.cap' 'a b.pcapng'"][..],
            ),
            (b"GMBU\0\x02", &["Network Monitor", "editcap"]),
            (b"\x7fver\0", &["OmniPeek", "editcap"]),
            (b"\x05VNF", &["Visual", "editcap"]),
            (
                b"\0\0NetScaler V20 Performance Data\0",
                &["nstrace", "editcap"],
            ),
            (b"\xfd7zXZ\0", &["xz -dc 'a b.cap' | hangup report -"]),
            (
                b"7z\xbc\xaf\x27\x1c",
                &["7z x -so 'a b.cap' | hangup report -"],
            ),
            (b"PK\x03\x04\x14", &["unzip -p 'a b.cap'"]),
            (b"BZh91AY", &["bzip2 -dc"]),
            (b"btsnoop\0", &["no TCP"]),
            (
                &etl(),
                &[
                    "pktmon etl2pcap 'a b.cap' --out 'a b.pcapng'",
                    "etl2pcapng 'a b.cap' 'a b.pcapng'",
                ],
            ),
            (&erf(), &["ERF", "editcap"]),
            (&tsh(), &["TSH", "traceconvert tsh:"]),
            (&tar(), &["tar -xOf 'a b.cap'"]),
            (
                b"\xef\xbb\xbf{\n  \"log\": {\n    \"version\": \"1.2\",",
                &["HAR", "tcpdump -i any -w"],
            ),
            (b"[{\"_index\": \"packets-2026\"", &["JSON", "tshark -w"]),
            (
                b"# SSL/TLS secrets\nCLIENT_RANDOM 00 11\n",
                &["key log", "--keylog"],
            ),
            (
                b"12:00:00.1 IP 10.0.0.1.80 > 10.0.0.2.81: Flags [S], seq 1",
                &["tcpdump printed", "tcpdump -w"],
            ),
            (
                "    1 0.000000 10.0.0.1 \u{2192} 10.0.0.2 TCP 74".as_bytes(),
                &["tshark printed", "tshark -w"],
            ),
            (b"0000  45 00 00 3c", &["text2pcap"]),
            (b"hello", &["it is text", "tcpdump -w"]),
            (
                b"\x01\x02\x03\x04",
                &[
                    "begins 01 02 03 04",
                    "pcapng are read",
                    "if Wireshark opens it",
                ],
            ),
            (b"", &["empty", "leave it out"]),
        ] {
            let told = reason(start, Compression::None, Path::new("a b.cap"));
            for word in words {
                assert!(told.contains(word), "{word} in {told}");
            }
            assert!(!told.contains(" IN ") && !told.contains("OUT"), "{told}");
        }
    }

    #[test]
    fn what_is_inside_another_file_or_a_pipe_has_no_name() {
        let told = reason(b"snoop\0\0\0", Compression::Gzip, Path::new("a.gz"));
        assert_eq!(
            told,
            "unpacked, this is a Solaris snoop capture; convert it: editcap -F pcapng a.gz a.pcapng"
        );
        let told = reason(b"\xfd7zXZ\0", Compression::None, Path::new("-"));
        assert!(told.ends_with("xz -dc FILE | hangup report -"), "{told}");
    }

    #[test]
    fn no_bytes_make_it_panic() {
        for bytes in [erf(), tsh(), etl(), tar()] {
            for end in 0..bytes.len() {
                let _ = reason(&bytes[..end], Compression::None, Path::new("x"));
            }
        }
        assert!(!is_erf(&tsh()) && !is_tsh(&erf()) && !is_etl(&erf()));
    }
}
