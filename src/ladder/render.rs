//! Renders a [`Ladder`] as text, which [`super::parse`] reads back unchanged.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::escape::{BareWord, Quoted};
use super::expectation::RecordedFact;
use super::message::{BodyPiece, FieldPiece, Piece};
use super::notation::{
    Cell, Deviations, Ladder, LadderLine, LadderSegment, Sends, Title, TitleSide,
};
use crate::analysis::connection::Who;

/// The widest column that cells are aligned in; wider cells push what follows to the right.
const WIDEST_COLUMN: usize = 36;
/// The narrowest column.
const NARROWEST_COLUMN: usize = 16;
/// The narrowest time column.
const TIME: usize = 6;

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = [NARROWEST_COLUMN; 2];
        let mut clock = TimeColumn::default();
        for line in &self.lines {
            if let LadderLine::Packet(packet) = line {
                let width = packet.cell.to_string().chars().count().min(WIDEST_COLUMN);
                clock.fit(packet.time);
                let column = &mut widths[packet.from as usize];
                *column = (*column).max(width);
            }
        }
        for line in &self.lines {
            match line {
                LadderLine::Blank => {}
                LadderLine::Comment(text) => write!(f, "# {text}")?,
                LadderLine::Title(title) => write_title(title, clock.width, widths[0], f)?,
                LadderLine::Packet(packet) => write_packet(packet, clock, widths, f)?,
                LadderLine::Expect(expectation) => write!(f, " {expectation}")?,
            }
            f.write_char('\n')?;
        }
        Ok(())
    }
}

fn write_title(
    title: &Title,
    clock: usize,
    width: usize,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let mut text = String::new();
    for (who, side) in Who::BOTH.into_iter().zip(&title.sides) {
        if who == Who::Server {
            let gap = (width + 7).saturating_sub(text.chars().count()).max(2);
            write!(text, "{:gap$}", "")?;
        }
        write_side(who, side, title, &mut text)?;
    }
    write!(f, "{:clock$}  {text}", "")
}

fn write_side(who: Who, side: &TitleSide, title: &Title, text: &mut String) -> fmt::Result {
    text.write_str(who.word())?;
    if side.endpoint != TitleSide::usual(who).endpoint {
        write!(text, " {}", side.endpoint)?;
    }
    let mut options = Vec::new();
    options.extend(side.ttl.map(|ttl| format!("ttl={ttl}")));
    options.extend(side.window.map(|window| format!("win={window}")));
    options.extend(side.isn.map(|isn| format!("isn={isn}")));
    let usual = Title::default();
    if who == Who::Client && (title.times, title.every) != (usual.times, usual.every) {
        options.push(format!(
            "times={} every={}s",
            title.times,
            DecimalSeconds(title.every)
        ));
    }
    if options.is_empty() {
        return Ok(());
    }
    write!(text, " [{}]", options.join(" "))
}

fn write_packet(
    packet: &LadderSegment,
    clock: TimeColumn,
    widths: [usize; 2],
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let cell = packet.cell.to_string();
    let time = clock.show(packet.time);
    let (arrow, left, right) = match (packet.from, packet.seen) {
        (Who::Client, true) => ("-->", cell.as_str(), ""),
        (Who::Client, false) => ("~~>", cell.as_str(), ""),
        (Who::Server, true) => ("<--", "", cell.as_str()),
        (Who::Server, false) => ("<~~", "", cell.as_str()),
    };
    let mut line = format!(
        "{time:>clock$}  {left:<width$}  {arrow}  ",
        clock = clock.width,
        width = widths[0]
    );
    match packet.states {
        None => line.push_str(right),
        Some([client, server]) => {
            write!(
                line,
                "{right:<width$}  :: {client:<12} | {server}",
                width = widths[1]
            )?;
        }
    }
    f.write_str(line.trim_end())?;
    match &packet.frame_note {
        Some(text) => write!(f, "  # {text}"),
        None => Ok(()),
    }
}

/// The alignment of times: all have as many decimal places as the most precise one.
#[derive(Clone, Copy)]
struct TimeColumn {
    width: usize,
    places: usize,
}

impl Default for TimeColumn {
    fn default() -> Self {
        Self {
            width: TIME,
            places: 3,
        }
    }
}

impl TimeColumn {
    fn fit(&mut self, time: Duration) {
        let nanos = time.subsec_nanos();
        let places = match (nanos % 1_000_000, nanos % 1000) {
            (0, _) => 3,
            (_, 0) => 6,
            _ => 9,
        };
        self.places = self.places.max(places);
        self.width = self.width.max(self.show(time).len());
    }

    fn show(self, time: Duration) -> String {
        let mut text = format!("{}.{:09}", time.as_secs(), time.subsec_nanos());
        text.truncate(text.len() - (9 - self.places));
        text
    }
}

/// Decimal seconds with three to nine decimal places.
struct DecimalSeconds(Duration);

impl fmt::Display for DecimalSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:09}", self.0.as_secs(), self.0.subsec_nanos());
        let least = text.len() - 6;
        f.pad(&text[..text.trim_end_matches('0').len().max(least)])
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(lookup) = &self.lookup {
            return lookup.fmt(f);
        }
        if let Some(arp) = &self.arp {
            return arp.fmt(f);
        }
        let mut words: Vec<String> = Vec::new();
        match self.sends {
            Sends::Again => words.push("again".to_owned()),
            Sends::Probe => words.push("probe".to_owned()),
            Sends::New => {}
        }
        if self.syn {
            words.push("SYN".to_owned());
        }
        // After an HTTP/2 frame, `ACK` would be read as the flag of SETTINGS or PING.
        let ack_first = self.ack && matches!(self.payload.last(), Some(Piece::H2(_)));
        if ack_first {
            words.push("ACK".to_owned());
        }
        words.extend(self.payload.iter().map(Piece::to_string));
        for (set, name) in [
            (self.fin, "FIN"),
            (self.rst, "RST"),
            (self.ack && !ack_first, "ACK"),
        ] {
            if set {
                words.push(name.to_owned());
            }
        }
        let deviations = self.deviations.to_string();
        if !deviations.is_empty() {
            words.push(format!("[{deviations}]"));
        }
        f.write_str(&words.join(" "))
    }
}

impl fmt::Display for Deviations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        words.extend(self.seq.map(|seq| format!("seq={seq}")));
        words.extend(self.ack.map(|ack| format!("ack={ack}")));
        words.extend(self.no_ack.then(|| "noack".to_owned()));
        words.extend(self.ttl.map(|ttl| format!("ttl={ttl}")));
        words.extend(self.unreachable.map(|code| format!("unreachable={code}")));
        words.extend(self.window.map(|window| format!("win={window}")));
        words.extend(self.id.map(|id| format!("id={id}")));
        words.extend(self.isn.map(|isn| format!("isn={isn}")));
        words.extend(self.cut.map(|cut| format!("cut={cut}")));
        words.extend(self.lost.then(|| "lost".to_owned()));
        words.extend(self.damaged.then(|| "damaged".to_owned()));
        words.extend(self.crossed.then(|| "crossed".to_owned()));
        f.write_str(&words.join(" "))
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (body, fields) = match self {
            Self::Data(count) => return write!(f, "data {count}"),
            Self::Raw(bytes) => return Quoted(bytes).fmt(f),
            Self::Tls(secure) => {
                write!(f, "{}", secure.word)?;
                if secure.items.is_empty() {
                    return Ok(());
                }
                let items = secure.items.iter().map(|(name, value)| match value {
                    Some(value) => format!("{name}={}", BareWord(value)),
                    None => name.clone(),
                });
                return write!(f, " [{}]", items.collect::<Vec<_>>().join(" "));
            }
            Self::H2(frame) => return frame.fmt(f),
            Self::Ws(frame) => return frame.fmt(f),
            Self::Request {
                method,
                target,
                body,
                fields,
            } => {
                write!(f, "{method} {}", BareWord(target))?;
                (body, fields)
            }
            Self::Response {
                status,
                body,
                fields,
            } => {
                write!(f, "{status}")?;
                (body, fields)
            }
        };
        match body {
            BodyPiece::None => {}
            BodyPiece::Bytes(bytes) => write!(f, " {}", Quoted(bytes))?,
            BodyPiece::Filler(count) => write!(f, " data {count}")?,
        }
        if fields.is_empty() {
            return Ok(());
        }
        let fields: Vec<_> = fields.iter().map(FieldPiece::to_string).collect();
        write!(f, " [{}]", fields.join(" "))
    }
}

impl fmt::Display for FieldPiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Close => f.write_str("close"),
            Self::KeepAlive => f.write_str("keep-alive"),
            Self::Chunked => f.write_str("chunked"),
            Self::NoLength => f.write_str("no-length"),
            Self::Length(count) => write!(f, "length={count}"),
            Self::Head(size) => write!(f, "head={size}"),
            Self::Version(major, minor) => write!(f, "http={major}.{minor}"),
            Self::Line(name, value) => write!(f, "{name}={}", BareWord(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::connection::{Standing, State};
    use crate::ladder::dns::Dns;
    use crate::ladder::fill::METHODS;
    use crate::ladder::parse;

    #[test]
    fn the_picture_of_the_notation_reads_well() {
        let text = concat!(
            "client 10.0.0.1:40001 [ttl=57 times=9 every=5ms] server\n",
            "0.0 SYN --> :: SYN-SENT | SYN-RECEIVED\n",
            "<-- SYN [win=0]\n",
            "\n",
            "# a word\n",
            "+20ms GET /x [connection=close host=\"a b\"] -->\n",
            "~~> POST /x [length=100]\n",
            "<-- 200 \"hello\" FIN [ack=1]\n",
            "=> 1: teardown server fin after\n",
            "=> findings a-rule another\n",
        );
        let text = text.replace("~~> POST /x [length=100]", "POST /x [length=100] ~~>");
        let ladder = parse(&text).unwrap();
        insta::assert_snapshot!(ladder.to_string().trim_end());
        assert_eq!(parse(&ladder.to_string()).unwrap(), ladder);
    }

    /// After an HTTP/2 frame, `ACK` would be a flag of that frame.
    #[test]
    fn acknowledgements_and_flags_of_frames_are_told_apart() {
        for text in [
            "SYN ACK h2 SETTINGS -->",
            "ACK h2 PING -->",
            "h2 SETTINGS ACK -->",
            "ACK h2 HEADERS 1 GET / END h2 SETTINGS FIN -->",
        ] {
            let ladder = parse(text).unwrap();
            let written = ladder.to_string();
            assert_eq!(parse(&written).unwrap(), ladder, "{written}");
        }
    }

    fn field() -> impl Strategy<Value = FieldPiece> {
        prop_oneof![
            Just(FieldPiece::Close),
            Just(FieldPiece::KeepAlive),
            Just(FieldPiece::Chunked),
            Just(FieldPiece::NoLength),
            any::<u64>().prop_map(FieldPiece::Length),
            any::<u32>().prop_map(|size| FieldPiece::Head(size % 2000)),
            Just(FieldPiece::Version(1, 0)),
            ("x-[a-z]{1,5}", any::<Vec<u8>>())
                .prop_map(|(name, value)| FieldPiece::Line(name, value)),
        ]
    }

    fn body() -> impl Strategy<Value = BodyPiece> {
        prop_oneof![
            any::<Vec<u8>>().prop_map(BodyPiece::Bytes),
            (0..3000u32).prop_map(BodyPiece::Filler),
        ]
    }

    /// A message without a body only as the last piece: what follows it would be read as its body.
    fn pieces() -> impl Strategy<Value = Vec<Piece>> {
        let fields = || proptest::collection::vec(field(), 0..4);
        let request = (0..9usize, any::<Vec<u8>>(), body(), fields()).prop_map(
            |(method, target, body, fields)| Piece::Request {
                method: METHODS[method],
                target,
                body,
                fields,
            },
        );
        let response =
            (100..1000u16, body(), fields()).prop_map(|(status, body, fields)| Piece::Response {
                status,
                body,
                fields,
            });
        let piece = prop_oneof![
            request,
            response,
            (0..3000u32).prop_map(Piece::Data),
            any::<Vec<u8>>().prop_map(Piece::Raw),
        ];
        (proptest::collection::vec(piece, 0..3), any::<bool>()).prop_map(|(mut pieces, bare)| {
            if let (true, Some(Piece::Request { body, .. } | Piece::Response { body, .. })) =
                (bare, pieces.last_mut())
            {
                *body = BodyPiece::None;
            }
            pieces
        })
    }

    fn cell() -> impl Strategy<Value = Cell> {
        let deviations = (
            any::<(Option<i64>, Option<i64>, bool, Option<u8>, Option<u16>)>(),
            any::<(Option<u16>, Option<u32>, Option<u32>, [bool; 3])>(),
            any::<Option<u8>>(),
        )
            .prop_map(
                |(
                    (seq, ack, no_ack, ttl, window),
                    (id, isn, cut, [lost, damaged, crossed]),
                    unreachable,
                )| {
                    Deviations {
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
                    }
                },
            );
        let own = (any::<[bool; 4]>(), pieces(), deviations.clone())
            .prop_filter("says something", |(bits, payload, _)| {
                !payload.is_empty() || bits.contains(&true)
            })
            .prop_map(|([syn, fin, rst, ack], payload, deviations)| Cell {
                sends: Sends::New,
                syn,
                fin,
                rst,
                ack,
                payload,
                lookup: None,
                arp: None,
                deviations,
            });
        let other = (any::<bool>(), deviations).prop_map(|(again, deviations)| Cell {
            sends: if again { Sends::Again } else { Sends::Probe },
            deviations,
            ..Cell::default()
        });
        let ask = ("[a-z]{1,9}(\\.[a-z]{1,9})?", any::<bool>())
            .prop_map(|(name, six)| Dns::Ask { name, six });
        let answer = prop_oneof![
            Just((0, None)),
            Just((3, None)),
            any::<std::net::IpAddr>().prop_map(|address| (0, Some(address))),
        ]
        .prop_map(|(code, address)| Dns::Answer { code, address });
        let lookup = prop_oneof![ask, answer].prop_map(|lookup| Cell {
            lookup: Some(lookup),
            ..Cell::default()
        });
        prop_oneof![3 => own, 1 => other, 1 => lookup]
    }

    fn line() -> impl Strategy<Value = LadderLine> {
        let standing = prop_oneof![
            Just(Standing::Unseen),
            Just(Standing::Midstream),
            (0..11usize).prop_map(|index| Standing::In(State::ALL[index])),
        ];
        let states = proptest::option::of([standing.clone(), standing]);
        let frame_note = proptest::option::of("[a-z#\"\\[>|-][a-z\"\\[ =:#>|-]{0,9}[a-z#\"\\[>|-]");
        let parts = (
            any::<u32>(),
            any::<bool>(),
            any::<bool>(),
            cell(),
            states,
            frame_note,
        );
        let packet = parts.prop_map(|(time, client, seen, cell, states, frame_note)| {
            LadderLine::Packet(LadderSegment {
                time: Duration::from_nanos(u64::from(time)),
                from: if client { Who::Client } else { Who::Server },
                seen,
                cell,
                states: states.filter(|_| seen),
                frame_note,
            })
        });
        let side = any::<(u16, Option<u8>, Option<u16>, Option<u32>)>();
        let title = (side.clone(), side, 1..9u16, any::<u32>()).prop_map(
            |(client, server, times, every)| {
                let mut title = Title {
                    times,
                    every: Duration::from_nanos(every.into()),
                    ..Title::default()
                };
                for (side, (port, ttl, window, isn)) in title.sides.iter_mut().zip([client, server])
                {
                    side.endpoint.port = port / 2;
                    (side.ttl, side.window, side.isn) = (ttl, window, isn);
                }
                LadderLine::Title(title)
            },
        );
        prop_oneof![
            5 => packet,
            1 => title,
            1 => Just(LadderLine::Blank),
            1 => "[a-z]{0,3}".prop_map(LadderLine::Comment),
        ]
    }

    proptest! {
        #[test]
        fn what_is_rendered_reads_back_the_same(mut lines in proptest::collection::vec(line(), 0..12)) {
            let mut clock = Duration::ZERO;
            for line in &mut lines {
                if let LadderLine::Packet(packet) = line {
                    clock += packet.time;
                    packet.time = clock;
                }
            }
            let ladder = Ladder { lines };
            let text = ladder.to_string();
            let back = parse(&text);
            prop_assert_eq!(back, Ok(ladder), "{}", text);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[ -~\\n\"\\[\\]=\\\\é]{0,80}") {
            let _ = parse(&text);
        }
    }
}
