//! Parses the words of a cell into what one side sends.

use super::fill::METHODS;
use std::str::FromStr;

use super::arp::Arp;
use super::dns::Dns;
use super::h2_ws::{H2Cell, parse_h2, parse_ws};
use super::message::{BodyPiece, FieldPiece, Piece};
use super::notation::{Cell, Deviations, MAX_PAYLOAD, Sends};
use super::tls::{TlsCell, TlsWord};
use super::tokens::{BracketItem, Placed, Token, TokenFault};

/// Parses what one side sends; `end` is the offset to report if there is nothing.
pub(super) fn parse_cell(tokens: &[Placed<'_>], end: usize) -> Result<Cell, TokenFault> {
    let mut cell = Cell::default();
    let mut rest = tokens.iter();
    let Some((start, _)) = tokens.first() else {
        return Err((
            end,
            "nothing is sent; a bare acknowledgement is ACK".to_owned(),
        ));
    };
    while let Some((at, token)) = rest.next() {
        match token {
            Token::Word("SYN") => cell.syn = true,
            Token::Word("FIN") => cell.fin = true,
            Token::Word("RST") => cell.rst = true,
            Token::Word("ACK") => cell.ack = true,
            Token::Word("again") => cell.sends = Sends::Again,
            Token::Word("probe") => cell.sends = Sends::Probe,
            Token::Word("h2") => {
                let frame = parse_h2(&mut rest).map_err(|what| (*at, what))?;
                cell.payload.push(Piece::H2(frame));
            }
            Token::Word("ws") => {
                let frame = parse_ws(&mut rest).map_err(|what| (*at, what))?;
                cell.payload.push(Piece::Ws(frame));
            }
            Token::Word("data") => {
                let count = match rest.next() {
                    Some((_, Token::Word(word))) => {
                        word.parse().ok().filter(|count| *count <= MAX_PAYLOAD)
                    }
                    _ => None,
                };
                let count = count.ok_or_else(|| {
                    (
                        *at,
                        format!("data takes a count of at most {MAX_PAYLOAD} bytes"),
                    )
                })?;
                match unfilled(&mut cell) {
                    Some(body) => *body = BodyPiece::Filler(count),
                    None => cell.payload.push(Piece::Data(count)),
                }
            }
            Token::Remark(_) => return Err((*at, "a remark stands behind the segment".to_owned())),
            Token::Word(word) => match Dns::parse(word, &mut rest) {
                Some(dns) => cell.lookup = Some(dns.map_err(|what| (*at, what))?),
                None => match Arp::parse(word, &mut rest) {
                    Some(arp) => cell.arp = Some(arp.map_err(|what| (*at, what))?),
                    None => cell
                        .payload
                        .push(piece(word, &mut rest).map_err(|what| (*at, what))?),
                },
            },
            Token::String(bytes) => match unfilled(&mut cell) {
                Some(body) => *body = BodyPiece::Bytes(bytes.clone()),
                None => cell.payload.push(Piece::Raw(bytes.clone())),
            },
            Token::Bracket(items) => {
                for item in items {
                    deviation(item, &mut cell)?;
                }
            }
        }
    }
    if cell.lookup.is_some() || cell.arp.is_some() {
        let alone = Cell {
            lookup: cell.lookup.clone(),
            arp: cell.arp,
            ..Cell::default()
        };
        let what = "a lookup and its answer stand alone".to_owned();
        return if cell == alone {
            Ok(cell)
        } else {
            Err((*start, what))
        };
    }
    let own = cell.syn || cell.fin || cell.rst || cell.ack || !cell.payload.is_empty();
    if (cell.sends == Sends::New) != own {
        let what = if own {
            "again and probe stand alone"
        } else {
            "nothing is sent; a bare acknowledgement is ACK"
        };
        return Err((*start, what.to_owned()));
    }
    if cell.bytes().len() > MAX_PAYLOAD as usize {
        return Err((
            *start,
            format!("more than {MAX_PAYLOAD} bytes do not fit into a segment"),
        ));
    }
    Ok(cell)
}

/// The body of the last message, if it has none yet.
fn unfilled(cell: &mut Cell) -> Option<&mut BodyPiece> {
    match cell.payload.last_mut()? {
        Piece::Request { body, .. } | Piece::Response { body, .. } if *body == BodyPiece::None => {
            Some(body)
        }
        _ => None,
    }
}

fn piece<'a>(word: &str, rest: &mut impl Iterator<Item = &'a Placed<'a>>) -> Result<Piece, String> {
    let number = match TlsWord::takes_number(word).then(|| rest.next()).flatten() {
        Some((_, Token::Word(number))) => Some(*number),
        _ => None,
    };
    match TlsWord::of(word, number) {
        Some(found) => Ok(Piece::Tls(TlsCell {
            word: found?,
            items: Vec::new(),
        })),
        None => message(word, rest),
    }
}

fn message<'a>(
    word: &str,
    rest: &mut impl Iterator<Item = &'a Placed<'a>>,
) -> Result<Piece, String> {
    if let Some(method) = METHODS.into_iter().find(|method| *method == word) {
        let target = match rest.next() {
            Some((_, Token::Word(word))) => word.as_bytes().to_vec(),
            Some((_, Token::String(bytes))) => bytes.clone(),
            _ => return Err(format!("{method} takes a target, as in {method} /")),
        };
        return Ok(Piece::Request {
            method,
            target,
            body: BodyPiece::None,
            fields: Vec::new(),
        });
    }
    let status = word
        .parse()
        .ok()
        .filter(|status| (100..=999).contains(status) && word.len() == 3);
    let status = status.ok_or_else(|| {
        format!(
            "{word:?}: known are SYN FIN RST ACK, requests such as GET /, a status such as 200, data N, \"raw\", \
             again, probe, and of TLS ClientHello, ServerHello, Certificate, alert N, app N and their like"
        )
    })?;
    Ok(Piece::Response {
        status,
        body: BodyPiece::None,
        fields: Vec::new(),
    })
}

fn deviation(item: &BracketItem, cell: &mut Cell) -> Result<(), TokenFault> {
    let Deviations {
        seq,
        ack,
        no_ack,
        ttl,
        window,
        id,
        isn,
        cut,
        lost,
        damaged,
        crossed,
        unreachable,
    } = &mut cell.deviations;
    match (item.name.as_str(), &item.value) {
        ("seq", _) => *seq = Some(number(item)?),
        ("ack", _) => *ack = Some(number(item)?),
        ("noack", None) => *no_ack = true,
        ("ttl", _) => *ttl = Some(number(item)?),
        ("win", _) => *window = Some(number(item)?),
        ("id", _) => *id = Some(number(item)?),
        ("isn", _) => *isn = Some(number(item)?),
        ("cut", _) => *cut = Some(number(item)?),
        ("lost", None) => *lost = true,
        ("damaged", None) => *damaged = true,
        ("crossed", None) => *crossed = true,
        ("unreachable", _) => *unreachable = Some(number(item)?),
        _ => return http_field(item, cell),
    }
    Ok(())
}

fn http_field(item: &BracketItem, cell: &mut Cell) -> Result<(), TokenFault> {
    if let Some(Piece::Tls(secure)) = cell.payload.last_mut() {
        secure.items.push((item.name.clone(), item.value.clone()));
        return Ok(());
    }
    let field = match (item.name.as_str(), &item.value) {
        ("close", None) => FieldPiece::Close,
        ("keep-alive", None) => FieldPiece::KeepAlive,
        ("chunked", None) => FieldPiece::Chunked,
        ("no-length", None) => FieldPiece::NoLength,
        ("length", _) => FieldPiece::Length(number(item)?),
        ("head", _) => FieldPiece::Head(number(item)?),
        ("http", Some(value)) => match value.as_slice() {
            [major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] => {
                FieldPiece::Version(major - b'0', minor - b'0')
            }
            _ => {
                return Err((
                    item.at,
                    "a version is two digits, as in http=1.0".to_owned(),
                ));
            }
        },
        (name, Some(value)) => FieldPiece::Line(name.to_owned(), value.clone()),
        (name, None) => {
            return Err((
                item.at,
                format!(
                    "{name:?}: known are seq= ack= noack ttl= win= id= isn= cut= lost damaged crossed unreachable=, and of a message close, keep-alive, \
                 chunked, length=, no-length, head=, http=, name=value"
                ),
            ));
        }
    };
    match cell.payload.last_mut() {
        Some(Piece::Request { fields, .. } | Piece::Response { fields, .. }) => fields.push(field),
        Some(Piece::H2(H2Cell::Headers { fields, .. })) => match field {
            FieldPiece::Line(name, value) => fields.push((name, value)),
            _ => {
                return Err((
                    item.at,
                    format!("{:?}: of HEADERS there is only name=value", item.name),
                ));
            }
        },
        _ => {
            return Err((
                item.at,
                format!("{:?} must stand behind a request or a response", item.name),
            ));
        }
    }
    Ok(())
}

/// The value of an item, as text.
pub(super) fn text(item: &BracketItem) -> Result<&str, TokenFault> {
    let value = item
        .value
        .as_deref()
        .and_then(|value| std::str::from_utf8(value).ok());
    value.ok_or_else(|| (item.at, format!("{} takes a value", item.name)))
}

/// The value of an item, as a number.
pub(super) fn number<T: FromStr>(item: &BracketItem) -> Result<T, TokenFault> {
    text(item)?.parse().map_err(|_| {
        (
            item.at,
            format!("{} takes a number that fits it", item.name),
        )
    })
}
