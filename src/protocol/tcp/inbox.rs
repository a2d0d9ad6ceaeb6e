//! What has been sent to an endpoint and is not yet proven to have arrived.
//!
//! A captured FIN was *sent*. That it arrived is proven when its receiver acknowledges it, and only then may the
//! receiver's state change because of it; otherwise two sides that close simultaneously cannot be distinguished from
//! one closing after the other. Until then the arrival waits here. To show a state, a copy is drained: the presumed
//! state.

use super::state::{Standing, StateInput};

/// Arrivals that can be outstanding at once: SYN, acknowledgement of the SYN, of the FIN, FIN and RST, and one spare.
const ROOM: usize = 6;

/// Arrivals in the order in which they were sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inbox {
    arrivals: [Option<StateInput>; ROOM],
    /// The segment that is being processed is known not to reach the endpoint.
    unreached: bool,
}

impl Inbox {
    /// Whether nothing is outstanding.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.arrivals[0].is_none()
    }

    /// Whether the next segment to this endpoint is known not to reach it: then nothing of it is queued.
    pub(crate) const fn set_unreached(&mut self, unreached: bool) {
        self.unreached = unreached;
    }

    /// Queues what was sent to this endpoint, unless the same input is already queued.
    pub fn push(&mut self, input: StateInput) {
        if self.unreached || self.arrivals.contains(&Some(input)) {
            return;
        }
        if let Some(place) = self.arrivals.iter_mut().find(|place| place.is_none()) {
            *place = Some(input);
        }
    }

    /// The endpoint acknowledges the peer's stream up to offset `ack`; the peer's FIN is at offset `fin`. What this
    /// proves, and everything sent before it, has arrived. Any acknowledgement proves the SYN; one beyond the FIN
    /// proves the FIN; an input that takes no sequence number is proven by the proof of a later one. Returns the new
    /// standing.
    pub(crate) fn prove(&mut self, standing: Standing, ack: i64, fin: Option<i64>) -> Standing {
        self.take_through(standing, |input| match input {
            StateInput::ReceiveSyn | StateInput::ReceiveSynAck => ack >= 0,
            StateInput::ReceiveFin => fin.is_some_and(|fin| ack > fin),
            _ => false,
        })
    }

    /// The endpoint did something that it can only do after `act` reached it. Returns the new standing.
    pub(crate) fn prove_by_act(&mut self, standing: Standing, act: StateInput) -> Standing {
        self.take_through(standing, |input| input == act)
    }

    /// Removes an input that did not reach the endpoint after all.
    pub(crate) fn take_back(&mut self, input: StateInput) {
        if let Some(place) = self.arrivals.iter().position(|it| *it == Some(input)) {
            self.arrivals[place..].rotate_left(1);
            self.arrivals[ROOM - 1] = None;
        }
    }

    fn take_through(
        &mut self,
        mut standing: Standing,
        proves: impl Fn(StateInput) -> bool,
    ) -> Standing {
        let Some(last) = self
            .arrivals
            .iter()
            .rposition(|place| place.is_some_and(&proves))
        else {
            return standing;
        };
        for place in &mut self.arrivals[..=last] {
            if let Some(input) = place.take() {
                standing = standing.after(input);
            }
        }
        self.arrivals.rotate_left(last + 1);
        standing
    }

    /// The standing if everything sent has arrived.
    #[must_use]
    pub(crate) fn presume(&self, mut standing: Standing) -> Standing {
        for input in self.arrivals.iter().flatten() {
            standing = standing.after(*input);
        }
        standing
    }
}
