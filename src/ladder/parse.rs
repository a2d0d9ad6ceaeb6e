//! Parses text into a [`Ladder`]. Errors state the place and what would be valid.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use super::cell::{number, parse_cell, text};
use super::expectation::{self, Expectation};
use super::message::Piece;
use super::notation::{Ladder, LadderLine, LadderSegment, Title, TitleSide};
use super::tokens::{ARROWS, BracketItem, Placed, Token, TokenFault, tokens};
use crate::analysis::connection::Who;

/// The time between two lines where none is given.
const TICK: Duration = Duration::from_millis(1);

/// The latest time, about thirty years, which every capture format can represent.
const LATEST: Duration = Duration::from_secs(999_999_999);

/// A syntax error in a ladder, and its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct ParseError {
    /// Line number, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be valid.
    pub what: String,
}

/// Parses a ladder.
///
/// # Errors
/// When a line does not follow the notation; the error states the place.
pub fn parse(text: &str) -> Result<Ladder, ParseError> {
    let mut lines = Vec::new();
    let mut clock = None;
    for (index, line) in text.lines().enumerate() {
        let parsed = parse_line(line, &mut clock).map_err(|(at, what)| ParseError {
            line: index + 1,
            column: line.get(..at).map_or(0, |before| before.chars().count()) + 1,
            what,
        })?;
        lines.push(parsed);
    }
    Ok(Ladder { lines })
}

impl FromStr for Ladder {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text)
    }
}

fn parse_line(line: &str, clock: &mut Option<Duration>) -> Result<LadderLine, TokenFault> {
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return Ok(LadderLine::Blank);
    }
    if let Some(comment) = trimmed.strip_prefix('#') {
        return Ok(LadderLine::Comment(comment.trim().to_owned()));
    }
    let indent = line.len() - line.trim_start().len();
    if let Some(claim) = trimmed.strip_prefix("=>") {
        return parse_expectation(claim, indent + 2).map(LadderLine::Expect);
    }
    let tokens = tokens(line)?;
    if matches!(tokens[0].1, Token::Word("client")) {
        return parse_title(&tokens, line.len()).map(LadderLine::Title);
    }
    parse_packet(&tokens, line.len(), clock).map(LadderLine::Packet)
}

fn parse_expectation(text: &str, at: usize) -> Result<Expectation, TokenFault> {
    let mut words = Vec::new();
    let mut places = Vec::new();
    let mut offset = 0;
    for word in text.split_whitespace() {
        let start = offset + text[offset..].find(word).unwrap_or(0);
        offset = start + word.len();
        words.push(word);
        places.push(at + start);
    }
    let number = words.first().and_then(|word| word.strip_suffix(':'));
    let connection = match number {
        None => None,
        Some(number) => {
            let number = number.parse().ok().filter(|number| *number > 0);
            Some(number.ok_or((places[0], "connections are numbered from 1".to_owned()))?)
        }
    };
    let skip = usize::from(connection.is_some());
    let claim = expectation::claim(&words[skip..]).map_err(|(index, what)| {
        let place = places.get(index + skip).copied();
        (place.unwrap_or(at + text.len()), what)
    })?;
    Ok(Expectation { connection, claim })
}

fn parse_title(tokens: &[Placed<'_>], end: usize) -> Result<Title, TokenFault> {
    let mut title = Title::default();
    let mut rest = tokens;
    for who in Who::BOTH {
        let name = expectation::RecordedFact::word(who);
        match rest.split_first() {
            Some(((_, Token::Word(word)), more)) if *word == name => rest = more,
            Some(((at, _), _)) => return Err((*at, format!("{name:?} must stand here"))),
            None => return Err((end, format!("{name:?} must follow"))),
        }
        if let Some(((at, Token::Word(word)), more)) = rest.split_first()
            && *word != "server"
        {
            let side = &mut title.sides[who as usize];
            side.endpoint = endpoint(word, side.endpoint).ok_or_else(|| {
                (
                    *at,
                    format!("{word:?} is no address: 10.0.0.1:80, [2001:db8::1]:80 or :80"),
                )
            })?;
            rest = more;
        }
        if let Some(((_, Token::Bracket(items)), more)) = rest.split_first() {
            for item in items {
                side_option(item, who, &mut title)?;
            }
            rest = more;
        }
    }
    if let Some((at, _)) = rest.first() {
        return Err((*at, "nothing may follow the server's address".to_owned()));
    }
    let [client, server] = &title.sides;
    if client.endpoint.ip.is_ipv4() != server.endpoint.ip.is_ipv4() {
        return Err((end, "both addresses must be of one family".to_owned()));
    }
    if client.endpoint.port.checked_add(title.times - 1).is_none() {
        return Err((end, "there are not that many ports".to_owned()));
    }
    Ok(title)
}

fn endpoint(word: &str, usual: crate::base::net::Endpoint) -> Option<crate::base::net::Endpoint> {
    let (ip, port) = match word.strip_prefix(':') {
        Some(port) => (usual.ip, port.parse().ok()?),
        None => match word.parse::<SocketAddr>() {
            Ok(address) => (address.ip(), address.port()),
            Err(_) => (word.parse::<IpAddr>().ok()?, usual.port),
        },
    };
    Some(crate::base::net::Endpoint { ip, port })
}

fn side_option(item: &BracketItem, who: Who, title: &mut Title) -> Result<(), TokenFault> {
    let side: &mut TitleSide = &mut title.sides[who as usize];
    match (item.name.as_str(), who) {
        ("ttl", _) => side.ttl = Some(number(item)?),
        ("win", _) => side.window = Some(number(item)?),
        ("isn", _) => side.isn = Some(number(item)?),
        ("times", Who::Client) => {
            title.times = number(item)?;
            if title.times == 0 {
                return Err((item.at, "at least once".to_owned()));
            }
        }
        ("every", Who::Client) => {
            title.every = span(text(item)?).ok_or_else(|| bad_span(item.at))?
        }
        _ => {
            return Err((
                item.at,
                format!(
                    "{:?}: known are ttl, win, isn; of the client times, every",
                    item.name
                ),
            ));
        }
    }
    Ok(())
}

fn parse_packet(
    tokens: &[Placed<'_>],
    end: usize,
    clock: &mut Option<Duration>,
) -> Result<LadderSegment, TokenFault> {
    let (frame_note, tokens) = match tokens {
        [before @ .., (_, Token::Remark(text))] if !before.is_empty() => {
            (Some((*text).to_owned()).filter(|it| !it.is_empty()), before)
        }
        all => (None, all),
    };
    let is_arrow =
        |token: &Placed<'_>| matches!(token.1, Token::Word(word) if ARROWS.contains(&word));
    let arrow = tokens.iter().position(is_arrow).ok_or_else(|| {
        (
            tokens[0].0,
            "no arrow in it, and it is no title, comment or expectation".to_owned(),
        )
    })?;
    let (mut left, right) = (&tokens[..arrow], &tokens[arrow + 1..]);
    let now = match left.split_first() {
        Some(((at, Token::Word(word)), rest)) if is_time(word) => {
            left = rest;
            time(word, *clock).map_err(|what| (*at, what))?
        }
        _ => clock.map_or(Duration::ZERO, |clock| clock + TICK),
    };
    if now > LATEST {
        return Err((tokens[0].0, "no capture is that long".to_owned()));
    }
    if clock.is_some_and(|clock| now < clock) {
        return Err((tokens[0].0, "time may not run backwards".to_owned()));
    }
    *clock = Some(now);
    let columns = right.iter().position(|token| token.1 == Token::Word("::"));
    let (right, columns) = right.split_at(columns.unwrap_or(right.len()));
    let Token::Word(word) = tokens[arrow].1 else {
        unreachable!("an arrow is a word")
    };
    let (from, cell, silent) = match word {
        "-->" | "~~>" => (Who::Client, left, right),
        _ => (Who::Server, right, left),
    };
    if let Some((at, _)) = silent.first() {
        return Err((
            *at,
            "the sender speaks on its own side: the client left of the arrow, the server right"
                .to_owned(),
        ));
    }
    let seen = matches!(word, "-->" | "<--");
    let states = match columns.first() {
        None => None,
        Some((at, _)) if !seen => {
            return Err((
                *at,
                "a segment that was not captured shows no states".to_owned(),
            ));
        }
        Some(_) => Some(parse_states(&columns[1..], end)?),
    };
    let mut cell = parse_cell(cell, tokens[arrow].0)?;
    for piece in &mut cell.payload {
        if let Piece::Ws(frame) = piece {
            frame.masked = from == Who::Client;
        }
    }
    Ok(LadderSegment {
        time: now,
        from,
        seen,
        cell,
        states,
        frame_note,
    })
}

fn parse_states(
    tokens: &[Placed<'_>],
    end: usize,
) -> Result<[crate::analysis::connection::Standing; 2], TokenFault> {
    let words: Vec<_> = tokens
        .iter()
        .map(|(_, token)| match token {
            Token::Word(word) => *word,
            _ => "",
        })
        .collect();
    if let Some((at, _)) = tokens.get(3) {
        return Err((*at, "nothing may follow the states".to_owned()));
    }
    expectation::states(&words, 0)
        .map_err(|(index, what)| (tokens.get(index).map_or(end, |token| token.0), what))
}

fn is_time(word: &str) -> bool {
    let begins = |text: &str| text.starts_with(|char: char| char.is_ascii_digit());
    word.strip_prefix('+').is_some_and(begins) || begins(word) && word.contains('.')
}

fn time(word: &str, clock: Option<Duration>) -> Result<Duration, String> {
    match word.strip_prefix('+') {
        Some(text) => {
            let span = span(text).ok_or_else(|| bad_span(0).1)?;
            clock
                .unwrap_or_default()
                .checked_add(span)
                .ok_or_else(|| "too late".to_owned())
        }
        None => seconds(word).ok_or_else(|| format!("{word:?} is no time: 0.040 or +40ms")),
    }
}

/// Parses decimal seconds with up to nine decimal places.
fn seconds(word: &str) -> Option<Duration> {
    let (whole, part) = word.split_once('.').unwrap_or((word, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || whole.is_empty() || whole.len() > 9 || part.len() > 9 {
        return None;
    }
    let nanos = format!("{part:0<9}").parse().ok()?;
    Some(Duration::new(whole.parse().ok()?, nanos))
}

/// Parses a duration with its unit.
pub(super) fn span(text: &str) -> Option<Duration> {
    let at = text.find(|char: char| char.is_ascii_alphabetic())?;
    let (count, unit) = text.split_at(at);
    let count = seconds(count)?;
    match unit {
        "us" => Some(count / 1_000_000),
        "ms" => Some(count / 1000),
        "s" => Some(count),
        "min" => Some(count * 60),
        "h" => Some(count * 3600),
        _ => None,
    }
}

fn bad_span(at: usize) -> TokenFault {
    (
        at,
        "a span is a number and one of us, ms, s, min, h".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, line: usize, column: usize, what: &str) {
        let error = parse(text).expect_err("must be refused");
        assert!(error.what.contains(what), "{error}");
        assert_eq!((error.line, error.column), (line, column), "{error}");
    }

    #[test]
    fn faults_are_named_with_their_place() {
        refused("\n SYN --> SYN", 2, 10, "own side");
        refused(" SYN ->", 1, 2, "no arrow");
        refused("client\nSYN -->", 1, 7, "\"server\" must follow");
        refused("client 10.0.0.1:1 server 10.0.0.2:x", 1, 26, "no address");
        refused("0.010 SYN -->\n0.009 <-- SYN", 2, 1, "backwards");
        refused("5 -->", 1, 1, "known are SYN");
        refused("GET -->", 1, 1, "takes a target");
        refused("-->", 1, 1, "nothing is sent");
        refused("[ack=1] -->", 1, 1, "nothing is sent");
        refused("again FIN -->", 1, 1, "stand alone");
        refused("ACK [close] -->", 1, 6, "behind a request");
        refused("ACK [seq=1 -->", 1, 15, "not closed");
        refused("ACK [sequ=1] -->", 1, 6, "behind a request");
        refused("ACK [ttl=256] -->", 1, 6, "fits");
        refused("data 70000 -->", 1, 1, "at most");
        refused("GET /é \"é\\x2 -->", 1, 10, "two hexadecimal");
        refused("FIN --> :: CLOSED", 1, 18, "parted by |");
        refused("FIN --> :: CLOSED | OPEN", 1, 21, "no state");
        refused("FIN ~~> :: CLOSED | CLOSED", 1, 9, "not captured");
        refused(
            " => teardown server fin later",
            1,
            25,
            "known are connecting",
        );
        refused(" => 0: orderly yes", 1, 5, "from 1");
        refused("=> orderly yes no", 1, 16, "may follow");
        refused("=> findings a none", 1, 15, "no rule");
    }

    #[test]
    fn times_are_absolute_or_relative_or_a_tick() {
        let text = "1.5 ACK -->\nACK -->\n+2s ACK -->\n+10us ACK -->\n+1.5min ACK -->\n";
        let times: Vec<_> = parse(text)
            .unwrap()
            .lines
            .into_iter()
            .map(|line| match line {
                LadderLine::Packet(packet) => packet.time.as_micros(),
                _ => 0,
            })
            .collect();
        assert_eq!(
            times,
            [1_500_000, 1_501_000, 3_501_000, 3_501_010, 93_501_010]
        );
    }
}
