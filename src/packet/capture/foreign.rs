//! Recognises files that are not supported captures, and says what to do about them.

use super::input::Compression;

/// Formats that users try to open, by their first bytes, with what to do instead.
const FOREIGN: &[(&[u8], &str)] = &[
    (
        b"snoop\0\0\0",
        "this is a Solaris snoop capture; convert it: editcap -F pcapng IN OUT",
    ),
    (
        b"GMBU",
        "this is a Microsoft Network Monitor capture; convert it: editcap -F pcapng IN OUT",
    ),
    (
        b"RTSS",
        "this is a Microsoft Network Monitor capture; convert it: editcap -F pcapng IN OUT",
    ),
    (
        b"btsnoop\0",
        "this is a Bluetooth HCI log, which holds no TCP",
    ),
    (
        b"TRSNIFF data",
        "this is a Sniffer capture; convert it: editcap -F pcapng IN OUT",
    ),
    (
        b"XCP\0",
        "this is a Sniffer capture; convert it: editcap -F pcapng IN OUT",
    ),
    (
        b"ERF",
        "this is an ERF capture; convert it: editcap -F pcapng IN OUT",
    ),
    (
        b"\xfd7zXZ\0",
        "this is compressed with xz; unpack it into a pipe: xz -dc FILE | hangup report -",
    ),
    (
        b"BZh",
        "this is compressed with bzip2; unpack it into a pipe: bzip2 -dc FILE | hangup report -",
    ),
    (
        b"\x1f\x9d",
        "this is compressed with compress; unpack it into a pipe: zcat FILE | hangup report -",
    ),
    (
        b"PK\x03\x04",
        "this is a zip archive; unpack it: unzip -p FILE | hangup report -",
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        "this is a 7z archive; unpack it first",
    ),
    (b"\x7fELF", "this is a program"),
];

/// Why these first bytes are not a capture, and what to do about it.
pub(crate) fn reason(start: &[u8], compression: Compression) -> String {
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
    if let Some((_, reason)) = FOREIGN.iter().find(|(magic, _)| start.starts_with(magic)) {
        return (*reason).to_owned();
    }
    let textual =
        |&byte: &u8| byte >= 0x80 || (b' '..0x7f).contains(&byte) || b"\t\r\n".contains(&byte);
    if start.iter().all(textual) {
        let shown = String::from_utf8_lossy(start).escape_default().to_string();
        return format!(
            "it is text, beginning \"{shown}\"; what is wanted is the capture itself (tcpdump -w FILE), not its listing"
        );
    }
    let shown: Vec<String> = start
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        "it begins {}; {READ}; editcap -F pcapng IN OUT converts what Wireshark can read",
        shown.join(" ")
    )
}
