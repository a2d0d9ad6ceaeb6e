//! The events that the engine emits while it reads, and the sink that receives them.

use crate::analysis::connection::{Connection, ConnectionSummary};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::packet::decode::Segment;
use crate::protocol::tcp::Standing;

/// What the engine reports.
#[derive(Debug)]
pub enum Event<'a> {
    /// A segment was processed. Only for sinks whose [`Sink::wants_segments`] is true.
    Segment {
        /// The first segment of its connection.
        first: FrameRef,
        /// The sender.
        from: FlowEnd,
        /// The segment.
        segment: &'a Segment<'a>,
        /// Both ends' states after it, presumed, in the order of [`FlowEnd`].
        standings: [Standing; 2],
    },
    /// A connection is settled: nothing more can come of it.
    Settled(Box<Connection>),
}

/// The receiver of events.
pub trait Sink {
    /// Receives an event.
    fn event(&mut self, event: Event<'_>);

    /// Receives a settled connection; the default passes it on as a boxed event. Override it in sinks that receive many
    /// connections and keep few.
    fn settled(&mut self, connection: Connection) {
        self.event(Event::Settled(Box::new(connection)));
    }

    /// How many segments of a plain connection are noted, after the first two, before it is tracked. The default is 0:
    /// the sink wants the record of every connection.
    fn plain_segments(&self) -> usize {
        0
    }

    /// Receives a connection that was plain to its end; `record` makes its record.
    fn settled_plainly(&mut self, _summary: ConnectionSummary, record: &dyn Fn() -> Connection) {
        self.settled(record());
    }

    /// Whether the sink wants [`Event::Segment`]. The default is `false`, because most sinks do not, and the events
    /// cost time.
    fn wants_segments(&self) -> bool {
        false
    }
}

/// Collects the settled connections only.
impl Sink for Vec<Connection> {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Settled(connection) = event {
            self.push(*connection);
        }
    }
}
