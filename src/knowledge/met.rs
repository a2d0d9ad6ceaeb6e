//! The rows of a product for what one side met: by its events, or by what the product's parser makes of the response.

use super::error_text::{ErrorText, begins_after, covers, facts_of, facts_of_one, rows_of};
use super::parsers::{Reading, Readings, STRICT_JAVA};
use super::product::Product;
use super::wire_event::{LogSide, WireEvent};

/// What one side met: its events, and what the parsers make of the response.
#[derive(Clone, Copy)]
pub(super) struct Met<'a> {
    pub(super) events: &'a [WireEvent],
    pub(super) readings: Option<&'a Readings>,
}

impl Met<'_> {
    /// The rows of a product for what it met.
    pub(super) fn facts(
        self,
        side: LogSide,
        product: &'static Product,
        version: Option<&str>,
    ) -> Vec<&'static ErrorText> {
        let reading = |it: &Readings| it.of_product(released(product.name, version));
        let read = self.readings.and_then(|it| Some((it, reading(it)?)));
        let Some((readings, reading)) = read.filter(|it| it.1 != Reading::Unknown) else {
            return facts_of(self.events, side, product, version);
        };
        if let Reading::Refuses(reason, in_body) = reading {
            return refusing(reason, in_body, side, product, version);
        }
        let told = facts_of(
            &readings.events(reading, self.events),
            side,
            product,
            version,
        );
        if !told.is_empty() || reading != Reading::Accepts {
            return told;
        }
        let mut each = self.events.iter();
        let quiet = |event: &WireEvent| {
            let mut rows = facts_of_one(*event, side, product, version);
            rows.retain(|it| it.text.is_none());
            (!rows.is_empty()).then_some(rows)
        };
        each.find_map(quiet).unwrap_or_default()
    }
}

/// The row of a product whose parser refuses a response for this reason.
fn refusing(
    reason: &str,
    in_body: bool,
    side: LogSide,
    product: &'static Product,
    version: Option<&str>,
) -> Vec<&'static ErrorText> {
    let facts = rows_of(product.name).iter().filter(|it| it.side == side);
    let says = |text: Option<&str>| text.is_some_and(|it| it.contains(reason));
    // `fetch` fails before the head is whole, and is cut off after.
    let in_time = |it: &&ErrorText| match it.text {
        Some("fetch failed") => !in_body,
        Some("terminated") => in_body,
        _ => true,
    };
    let own = facts
        .filter(|it| [it.text, it.cause, it.kind].into_iter().any(says) && in_time(it))
        .filter(|it| !begins_after(it.versions, version));
    let length = |it: &&ErrorText| {
        let mut each = [it.text, it.cause, it.kind].into_iter();
        let text = each.find(|it| says(*it)).flatten();
        (!covers(it.versions, version), text.map_or(0, str::len))
    };
    own.min_by_key(length).into_iter().collect()
}

/// The product as the parsers have it, where its releases differ.
fn released<'a>(product: &'a str, version: Option<&str>) -> &'a str {
    let strict = |it: &str| it.starts_with("17.") && !begins_after("17.0.21+", Some(it));
    match product == "java-httpclient" && version.is_some_and(strict) {
        true => STRICT_JAVA,
        false => product,
    }
}
