//! What has been sent to an endpoint and is not yet proven to have arrived.
//!
//! A captured FIN was *sent*. That it arrived is proven when its receiver acknowledges it, and only then may the
//! receiver's state follow from it; otherwise two sides that close at once cannot be told from one closing after the
//! other. Until then the arrival waits here. Showing a state drains a copy: presumed.

use super::state::{Input, Standing};

/// Arrivals that can be outstanding at once: SYN, acknowledgement of the SYN, of the FIN, FIN and RST, and one over.
const ROOM: usize = 6;

/// One arrival: what it is, and which acknowledgement would prove it.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    input: Input,
    proof: Option<i64>,
}

/// Arrivals in the order in which they were sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inbox {
    arrivals: [Option<Arrival>; ROOM],
}

impl Inbox {
    /// Whether nothing is outstanding.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.arrivals[0].is_none()
    }

    /// Something was sent to this endpoint. `proof`: the acknowledgement (offset in the sender's stream) that only
    /// an endpoint which has it can send; `None` for what takes no sequence number, proven by whatever comes later.
    pub fn push(&mut self, input: Input, proof: Option<i64>) {
        if self
            .arrivals
            .iter()
            .flatten()
            .any(|arrival| arrival.input == input)
        {
            return;
        }
        if let Some(place) = self.arrivals.iter_mut().find(|place| place.is_none()) {
            *place = Some(Arrival { input, proof });
        }
    }

    /// The endpoint acknowledges up to `ack`: what that proves, and all before it, has arrived. Returns the standing
    /// after it.
    pub fn prove(&mut self, standing: Standing, ack: i64) -> Standing {
        self.take_through(standing, |arrival| {
            arrival.proof.is_some_and(|proof| ack >= proof)
        })
    }

    /// The endpoint did something that it can only do after `input` reached it.
    pub fn prove_by_act(&mut self, standing: Standing, input: Input) -> Standing {
        self.take_through(standing, |arrival| arrival.input == input)
    }

    fn take_through(
        &mut self,
        mut standing: Standing,
        proves: impl Fn(&Arrival) -> bool,
    ) -> Standing {
        let Some(last) = self
            .arrivals
            .iter()
            .rposition(|place| place.as_ref().is_some_and(&proves))
        else {
            return standing;
        };
        for place in &mut self.arrivals[..=last] {
            if let Some(arrival) = place.take() {
                standing = standing.after(arrival.input);
            }
        }
        self.arrivals.rotate_left(last + 1);
        standing
    }

    /// The standing if everything sent has arrived.
    #[must_use]
    pub fn presume(&self, mut standing: Standing) -> Standing {
        for arrival in self.arrivals.iter().flatten() {
            standing = standing.after(arrival.input);
        }
        standing
    }
}
