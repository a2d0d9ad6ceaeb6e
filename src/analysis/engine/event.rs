//! What the engine says of a capture while it reads, and where it says it.

use crate::analysis::connection::Connection;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::packet::decode::Segment;
use crate::protocol::tcp::Standing;

/// What the engine says.
#[derive(Debug)]
pub enum Event<'a> {
    /// A segment was taken. Only for sinks that ask for it.
    Segment {
        /// The first segment of its connection.
        first: FrameRef,
        /// Who sent it.
        from: FlowEnd,
        /// The segment.
        segment: &'a Segment<'a>,
        /// Both ends' states after it, presumed, in the order of [`FlowEnd`].
        standings: [Standing; 2],
    },
    /// Nothing more can come of a connection.
    Settled(Box<Connection>),
}

/// Where events go.
pub trait Sink {
    /// Takes an event.
    fn event(&mut self, event: Event<'_>);

    /// Takes a settled connection; by itself as an event. For sinks that take very many and keep few.
    fn settled(&mut self, connection: Connection) {
        self.event(Event::Settled(Box::new(connection)));
    }

    /// Whether it wants [`Event::Segment`]; most do not, and it costs.
    fn wants_segments(&self) -> bool {
        false
    }
}

/// Connections only.
impl Sink for Vec<Connection> {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Settled(connection) = event {
            self.push(*connection);
        }
    }
}
