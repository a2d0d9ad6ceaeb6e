//! What a measured time or number is compared with: defaults of products, which `knowledge` has, announced limits, and round numbers.
//! A match is a hint, never a proof.

use std::time::Duration;

use super::named_products::{client, server};
use super::statement::{Sentence, sentence};
use crate::analysis::connection::{Connection, Who};
use crate::base::format::{duration, whole_seconds};
use crate::knowledge::{Counted, Product, TimerPhase, default_limit, default_time, network_limit};

/// Timers that are looked at once in a while fire late, never early.
const LATE: Duration = Duration::from_millis(1050);
const EARLY: Duration = Duration::from_millis(50);

/// That it is a default to close an idle connection of this protocol from this side after this time. A number alone names
/// no product: the default of the product that the capture names is called its default, others a match, and a short time
/// is not compared.
pub(super) fn idle(connection: &Connection, time: Duration, who: Who) -> Option<Sentence> {
    let protocols = connection.carried();
    default(
        time,
        TimerPhase::Idle,
        who,
        &protocols,
        named(connection, who),
    )
}

/// That it is a default of this protocol to wait so long for the response, or for giving one.
pub(super) fn wait(connection: &Connection, time: Duration, who: Who) -> Option<Sentence> {
    let protocols = connection.carried();
    default(
        time,
        TimerPhase::Wait,
        who,
        &protocols,
        named(connection, who),
    )
}

/// That it is a default of this protocol to wait so long for the client's first message.
pub(super) fn first_request(connection: &Connection, time: Duration) -> Option<Sentence> {
    let (protocols, server) = (connection.carried(), named(connection, Who::Server));
    default(time, TimerPhase::Request, Who::Server, &protocols, server)
}

/// The same of HTTP and of the product that is known otherwise, if one is.
pub(super) fn wait_of(
    product: Option<&'static Product>,
    time: Duration,
    who: Who,
) -> Option<Sentence> {
    default(time, TimerPhase::Wait, who, &["http"], product)
}

fn named(connection: &Connection, who: Who) -> Option<&'static Product> {
    match who {
        Who::Client => client(connection),
        Who::Server => server(connection),
    }
}

fn default(
    time: Duration,
    running: TimerPhase,
    who: Who,
    protocols: &[&str],
    product: Option<&'static Product>,
) -> Option<Sentence> {
    let title = product.map(|it| it.title);
    let found = default_time(time, running, who.log_side(), protocols, title)?;
    let (seconds, products) = (found.seconds.to_string(), found.to_string());
    match product {
        Some(_) => Some(sentence!("{} s is the default of {}.", seconds, products)),
        None if !found.is_a_hint() => None,
        None if found.is_common() => Some(sentence!(
            "{} s is a common default ({}).",
            seconds,
            products
        )),
        None => Some(sentence!(
            "{} s matches the default of {}.",
            seconds,
            products
        )),
    }
}

/// The known idle limit of networks that this time has passed, as a sentence.
pub(super) fn forgotten(idle: Duration) -> Option<Sentence> {
    let limit = network_limit(idle)?;
    Some(sentence!(
        "The known idle limit of networks that comes nearest below is {} s ({}).",
        limit.seconds.to_string(),
        limit.to_string()
    ))
}

/// That so many are a default of products, as a sentence.
pub(super) fn default_count(count: u64, what: Counted) -> Option<Sentence> {
    let products = default_limit(count, what)?;
    Some(sentence!("That is a common default ({}).", products))
}

/// A round number of seconds is a setting; timers fire a little late. Round is what people set: few seconds, fives, tens,
/// minutes. Of any other number one second in seven is met by chance.
pub(super) fn is_round(time: Duration) -> Option<u64> {
    let seconds = (time + EARLY).as_secs();
    let off = (time + EARLY).subsec_millis();
    let set = match seconds {
        0..=1 => false,
        2..=5 => true,
        6..=100 => seconds.is_multiple_of(5),
        101..=600 => seconds.is_multiple_of(10),
        _ => seconds.is_multiple_of(60) || seconds.is_multiple_of(100),
    };
    (set && off <= 150).then_some(seconds)
}

/// The same as a clause: `30 s is a round number`.
pub(super) fn round(time: Duration) -> Option<String> {
    is_round(time).map(|seconds| format!("{} is a round number", whole_seconds(seconds)))
}

/// The same for multiples of 5 s, which a time without a timer seldom is.
pub(super) fn round_in_fives(time: Duration) -> Option<String> {
    is_round(time)
        .filter(|seconds| seconds % 5 == 0)
        .and(round(time))
}

/// The same for times of some tenths of a second, to within some milliseconds.
pub(super) fn round_in_short(time: Duration) -> Option<String> {
    let millis = time.as_millis();
    let round = (100..2000).contains(&millis) && millis % 100 <= 5;
    let round = round.then(|| Duration::from_millis((millis - millis % 100) as u64))?;
    let told = match round < Duration::from_secs(1) {
        true => format!("{} ms", round.as_millis()),
        false => duration(round),
    };
    Some(format!("{told} is a round number"))
}

/// Whether a timer of so many seconds would have fired after this time.
pub(super) fn fires(seconds: u64, time: Duration) -> bool {
    let limit = Duration::from_secs(seconds);
    time + EARLY >= limit && time <= limit + LATE.min(limit / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_late_but_not_early() {
        for (millis, fired) in [
            (5000, true),
            (6010, true),
            (4960, true),
            (4900, false),
            (7000, false),
        ] {
            assert_eq!(fires(5, Duration::from_millis(millis)), fired, "{millis}");
        }
    }

    #[test]
    fn round_numbers() {
        let round = |millis| is_round(Duration::from_millis(millis));
        assert_eq!(round(3001), Some(3));
        assert_eq!(round(2990), Some(3));
        assert_eq!(round(93_660), None);
        for (seconds, is) in [
            (4, true),
            (7, false),
            (11, false),
            (15, true),
            (18, false),
            (43, false),
            (65, true),
            (75, true),
            (110, true),
            (141, false),
            (270, true),
            (300, true),
            (605, false),
            (900, true),
            (1000, true),
        ] {
            assert_eq!(round(seconds * 1000).is_some(), is, "{seconds}");
        }
        assert_eq!(round(2500), None);
        assert_eq!(round(20), None);
        assert_eq!(round(1020), None);
        let short = |millis| round_in_short(Duration::from_millis(millis));
        assert_eq!(short(401).as_deref(), Some("400 ms is a round number"));
        assert!(short(1002).is_some());
        assert_eq!(short(1020), None);
        assert_eq!(short(50), None);
        assert_eq!(round(30_090), Some(30));
    }
}
