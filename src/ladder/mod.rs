//! The ladder, a text notation for the segments of a connection as a time-sequence diagram.
//!
//! ```text
//!         client                  server
//!  0.000  SYN                -->                     :: SYN-SENT    | SYN-RECEIVED
//!  0.010                     <--  SYN                :: ESTABLISHED | SYN-RECEIVED
//!  0.020  GET /              -->
//!  0.040                     <--  200 "hello"
//!  0.041                     <--  FIN                :: CLOSE-WAIT  | FIN-WAIT-1
//!  0.050  FIN                -->                     :: LAST-ACK    | TIME-WAIT
//!  0.060                     <--  ACK                :: CLOSED      | TIME-WAIT
//!  => teardown server fin after
//! ```
//!
//! [`parse`](fn@parse) reads it, [`Ladder`]'s `Display` writes it, [`frames`](fn@frames) turns it into real Ethernet frames, [`to_pcap`]
//! writes these to a file for Wireshark, and a [`Recorder`] draws a ladder from a captured connection.
//!
//! # The notation
//!
//! ```text
//! line   = title | packet | "=>" expectation | "#" comment | blank
//! packet = [time] [cell] arrow [cell] ["::" state "|" state] ["#" remark]
//! ```
//!
//! **Time** is `0.040` (seconds since the beginning; the dot is required) or `+10ms` after the line above (`us`, `ms`,
//! `s`, `min`, `h`). The default is 1 ms after the line above. Time must not run backwards.
//!
//! **Arrows** are `-->` and `<--`; segments with `~~>` and `<~~` were sent and arrived, but are missing from the
//! capture. The sender's cell is on its own side: the client's left of the arrow, the server's right of it.
//!
//! **Cells** state what is sent:
//!
//! | words | meaning |
//! |---|---|
//! | `SYN` `FIN` `RST` `ACK` | control bits; they combine with each other and with what follows |
//! | `GET /path`, `POST /path "body"` | an HTTP/1.1 request (any of nine methods), complete with `Host` and length |
//! | `200 "body"`, `200 data 1000` | a response, complete with its length; the body as text or as filler |
//! | `data 1000` | this many bytes of filler |
//! | `"raw\r\n\x00"` | these bytes |
//! | `ClientHello [sni=a]` | TLS 1.3 by default, or `version=1.2` (`ssl3`, `1.0`, `1.1`); `alpn=h2,http/1.1` |
//! | `ServerHello [version=1.3]` | TLS 1.2 by default |
//! | `Certificate [name=a expired]` | in the clear: one with `name=`, `expired`, `early`, `self-signed` or `broken`, or `none` |
//! | `CertificateRequest` `ServerHelloDone` `KeyExchange` | the other handshake messages in the clear |
//! | `Finished [version=1.3]` | ChangeCipherSpec and encrypted Finished, TLS 1.2 by default; both sides' end the handshake |
//! | `alert 46` | an alert in the clear, by its code |
//! | `close_notify [version=1.3]` | an encrypted `close_notify`, TLS 1.2 by default |
//! | `app 500` | a record of encrypted application data |
//! | `h2 preface`, `h2 SETTINGS max=100`, `h2 HEADERS 1 GET /x END`, `h2 HEADERS 1 200`, `h2 DATA 1 500 END`, `h2 RST_STREAM 1 CANCEL`, `h2 GOAWAY 1 NO_ERROR "why"`, `h2 PING ACK`, `h2 WINDOW_UPDATE 0 9` | HTTP/2 frames (RFC 9113 §6); `END` ends the stream |
//! | `ws text 5`, `ws ping`, `ws pong`, `ws close 1001 "bye"` | WebSocket frames (RFC 6455 §5) |
//! | `again` | a retransmission of the sender's last segment that occupied sequence numbers |
//! | `probe` | a keep-alive probe: no payload, one before the next sequence number (RFC 9293 §3.8.4) |
//! | `lookup shop.example` | a DNS query over UDP for an IPv4 address; followed by `aaaa`, for an IPv6 address |
//! | `address 10.0.0.2`, `nxdomain`, `servfail`, `refused`, `no-data` | the server's answer to it |
//! | `who-has 10.0.0.9`, `is-at 10.0.0.9` | an ARP question for an address, and its answer |
//! | `[…]` | deviations, see below; several are separated by spaces |
//!
//! Sequence and acknowledgement numbers advance by themselves. Each side acknowledges everything that was sent to it on
//! the lines above, captured or `~~>`. Every segment carries ACK except the SYN that opens. A server's `SYN` is
//! therefore a SYN-ACK; for a simultaneous open write `SYN [noack]`, then `SYN ACK`. A `SYN` on a connection that was
//! open before begins the next one on the same ports, with new numbers (RFC 6191); for a side that has not answered it
//! with a SYN, the old numbers stay valid. `RST` is RST and ACK at the sender's next number (an abort), or, when it
//! answers a SYN, with sequence number 0 (a refusal). `RST [noack]` is what a closed socket sends: no ACK, and the
//! sequence number that the last segment from the other side acknowledged (RFC 9293 §3.10.7.1).
//!
//! **Deviations** of the segment: `seq=N` and `ack=N`, relative as in Wireshark (the SYN is 0, the first byte 1, may be
//! negative); `noack`; `ttl=N`; `win=N`; `id=N` (IPv4 identification); `isn=N` (the initial sequence number, of a SYN);
//! `cut=N` (only N bytes of the payload were captured); `lost` (it was captured but never arrived); `damaged`
//! (it was captured with a wrong TCP checksum, and dropped); `crossed` (it
//! crossed the last segment from the other side, and does not acknowledge that yet); `unreachable=N` (instead of the
//! segment, an ICMP error with this code about the other side's last one: 3 from the host itself, others from a
//! router).
//!
//! Deviations of the message before it: `close`, `keep-alive`, `chunked` (with a body: one chunk and the last chunk),
//! `length=N` (announced, whatever follows), `no-length`, `http=1.0`, `head=N` (the head is padded to N bytes with a
//! field), and any field as `name=value` or `name="value"`: `[connection=close connection=close]`.
//!
//! **Titles** name the two sides, `client 10.0.0.1:40001 server 10.0.0.2:80` or shorter (`client :40001 server`), and
//! state which connection the lines below belong to; the same addresses continue the same connection. An address may be
//! followed by settings for all its segments: `[ttl=57 win=0 isn=4294967290]`; the client's also by
//! `[times=1000 every=5ms]`: this many copies of the whole connection, at this interval, each from the next port.
//!
//! **State columns** assert the presumed states of client and server after that line. **Expectations**:
//! `=> teardown BY HOW PHASE` (`server fin after`, `client reset abort waiting`, `nobody open`),
//! `=> opening handshake`, `=> time-wait server`, `=> states TIME-WAIT | CLOSED`, `=> exchanges 2`,
//! `=> outcome 1 complete` (of an exchange), `=> outcome failed no-response` (of the connection), `=> orderly yes`,
//! `=> certainty likely`, `=> protocol http/1`, `=> sent client missing 100`, `=> findings none`,
//! `=> findings rule-a rule-b`, `=> connections 2`. Where the capture holds several connections, `=> 2: teardown …` states
//! which one, by order of first frame.
//!
//! Not supported: IP fragments, and TCP options except the maximum segment size. A ladder drawn from a capture shows
//! TLS and HTTP/2 as bytes, because the words would expand to another number of bytes. Their content follows as a
//! **remark** (`# GET /x`), which has no effect.

mod arp;
mod cell;
mod describe;
mod dns;
mod escape;
mod expectation;
mod fill;
mod frames;
mod h2_ws;
mod message;
mod notation;
mod parse;
mod recorder;
mod remarks;
mod render;
mod sequence;
mod source;
mod tls;
mod tokens;

pub use arp::Arp;
pub use dns::Dns;
pub use expectation::{Claim, Expectation, RecordedFact, SentCounter};
pub use frames::{OwnedFrame, frames, to_pcap};
pub use h2_ws::{H2Cell, H2HeadersKind, WsCell, WsKind};
pub use message::{BodyPiece, FieldPiece, Piece};
pub use notation::{Cell, Deviations, Ladder, LadderLine, LadderSegment, Sends, Title, TitleSide};
pub use parse::{ParseError, parse};
pub use recorder::{Recorder, RecorderNotes, Redaction};
pub use source::LadderSource;
pub use tls::{TlsCell, TlsWord};
