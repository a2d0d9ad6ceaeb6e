//! Revises the kind of RSTs by what comes after them: a host that has reset a connection does not go on, and a RST after which its
//! receiver goes on had no effect.
//!
//! In: a RST and the one from the other side, or a later segment. Out: the [`ResetKind`] and the signs in both peers.

use std::time::Duration;

use super::fingerprint::{MOST_HOPS, hops};
use super::peer::{CloseEvent, Peer};
use super::reset::{self, ResetKind, ResetSigns};
use super::state::{Standing, State, StateInput};
use crate::base::net::Flags;
use crate::base::passage::Passage;
use crate::packet::decode::Segment;

/// Two RSTs within this time were sent at once. Two hosts would have to abort within it by chance.
const AT_ONCE: Duration = Duration::from_micros(100);

/// Two RSTs, one in each name, at the same moment: no host answers a RST with a RST, and a device that cuts a connection sends
/// one to each side.
pub(super) fn both(sender: &mut Peer, receiver: &mut Peer, segment: &Segment<'_>) {
    let (Some(this), Some(other)) = (&mut sender.reset, &mut receiver.reset) else {
        return;
    };
    let aborts =
        |event: &CloseEvent| matches!(event.kind, Some(ResetKind::Abort | ResetKind::Foreign));
    // The first has ended the connection, so that the second has nothing left to end.
    let second = segment.flags.has(Flags::ACK)
        && matches!(
            this.kind,
            Some(ResetKind::Stale | ResetKind::Abort | ResetKind::Foreign)
        );
    let apart = this.frame_ref.time.since(other.frame_ref.time);
    let latest = this.frame_ref.frame == segment.frame;
    let known = [&*this, &*other]
        .map(|it| it.passage)
        .contains(&Passage::Sent);
    let device = !known && !reset::is_within_host(segment);
    if !latest || !second || !aborts(other) || apart > AT_ONCE || !device {
        return;
    }
    this.signs.add(ResetSigns::PAIRED, true);
    other.signs.add(ResetSigns::PAIRED, true);
    if this.signs.show_another_sender() || other.signs.show_another_sender() {
        this.kind = Some(ResetKind::Foreign);
        other.kind = Some(ResetKind::Foreign);
        if other.signs.has(ResetSigns::UNSENT) {
            sender.stream.forget_unsent();
        }
    }
}

/// Revises the kind of earlier RSTs. A RST ends a connection. If its sender continues regardless, the RST was not
/// its own; if its receiver continues and the sender answers that, it had no effect. Both are recognised by numbers
/// beyond those of the RST, so that a segment overtaken by the RST proves nothing.
pub(super) fn resets(sender: &mut Peer, receiver: &mut Peer, segment: &Segment<'_>) {
    let start = sender.stream.offset(segment.payload_seq());
    // Within one host no device sends RSTs, and an operating system knows its own: one after which its sender goes on was
    // another socket's.
    let sent = |it: &CloseEvent| it.passage == Passage::Sent;
    let not_own = match reset::is_within_host(segment) || sender.reset.as_ref().is_some_and(sent) {
        true => ResetKind::Stale,
        false => ResetKind::Foreign,
    };
    let acks = segment.flags.has(Flags::ACK) && receiver.stream.is_anchored();
    let had = acks.then(|| receiver.stream.offset(segment.ack));
    // What stands behind the RST in the capture may have been sent before it.
    if let Some(event) = &mut sender.reset
        && start >= i64::try_from(event.sent).unwrap_or(i64::MAX)
        && !segment.flags.has(Flags::SYN)
        && segment.time >= event.frame_ref.time
    {
        event.signs.add(ResetSigns::GOES_ON, true);
        // An acknowledgement of what came after the RST, or with the timestamps that the RST lacks: it was sent later
        // than the RST, and a host that has reset acknowledges nothing.
        let later = had.is_some_and(|had| {
            had > i64::try_from(event.received).unwrap_or(i64::MAX)
                && had <= receiver.stream.send_next()
        });
        let stamped = event.signs.has(ResetSigns::OPTIONS) && segment.options.timestamps.is_some();
        // A host's own system would be as far away as the program that opens connections beside it.
        let apart = hops(event.ttl).abs_diff(hops(segment.ttl)) > MOST_HOPS;
        if event
            .signs
            .has(ResetSigns::OWN_STACK.with(ResetSigns::DISTANCE))
            && apart
            && acks
        {
            event.signs.remove(ResetSigns::OWN_STACK);
            disown(sender, receiver, not_own);
            return;
        }
        if is_own(event) && event.kind != Some(ResetKind::Refusal) && (later || stamped) {
            disown(sender, receiver, not_own);
        }
    }
    if let Some(event) = &sender.reset
        && is_own(event)
        && segment.length > 0
        && start >= i64::try_from(event.sent).unwrap_or(i64::MAX)
        && start >= sender.stream.top()
    {
        disown(sender, receiver, not_own);
    }
    if let Some(event) = &mut receiver.reset
        && event.kind != Some(ResetKind::Stale)
        && segment.flags.has(Flags::ACK)
        && receiver.stream.is_anchored()
        && receiver.stream.offset(segment.ack)
            > i64::try_from(event.sent)
                .unwrap_or(i64::MAX)
                .saturating_add(1)
        && receiver.stream.top() > i64::try_from(event.sent).unwrap_or(i64::MAX)
    {
        event.kind = Some(ResetKind::Stale);
        sender.inbox.take_back(StateInput::ReceiveRst);
        for peer in [sender, receiver] {
            if peer.proven == Standing::In(State::Closed) {
                peer.proven = Standing::In(State::Established);
            }
        }
    }
}

/// A device that cuts a connection resets both hosts: the one whose name a RST bore has no socket within this time.
const TOLD_AT_ONCE: Duration = Duration::from_secs(1);

/// Whether `next`, a host's answer to what met no socket of it, confirms that a device cut the connection: a RST in the host's name,
/// from elsewhere, came just before. Its receiver ignored it, but the host itself was told by another one, which was not captured.
/// Then that RST is marked as what ended the connection.
pub(super) fn confirms(sender: &mut Peer, next: &CloseEvent) -> bool {
    let Some(event) = &mut sender.reset else {
        return false;
    };
    let confirmed = event.signs.has(ResetSigns::DISTANCE)
        && event.signs.show_another_sender()
        && next.kind == Some(ResetKind::NoSocket)
        && !next.signs.has(ResetSigns::DISTANCE)
        && next.frame_ref.time.since(event.frame_ref.time) <= TOLD_AT_ONCE;
    if confirmed {
        event.kind = Some(ResetKind::Foreign);
    }
    confirmed
}

/// Takes a RST away from the host whose address it carries: that is still there.
fn disown(sender: &mut Peer, receiver: &mut Peer, kind: ResetKind) {
    if let Some(event) = &mut sender.reset {
        event.kind = Some(kind);
    }
    if kind == ResetKind::Stale {
        receiver.inbox.take_back(StateInput::ReceiveRst);
    }
    if sender.proven == Standing::In(State::Closed) {
        sender.proven = Standing::In(State::Established);
    }
}

/// Whether a RST is attributed to the host whose address it carries.
const fn is_own(event: &CloseEvent) -> bool {
    !event.signs.has(ResetSigns::OWN_STACK)
        && matches!(
            event.kind,
            Some(ResetKind::Abort | ResetKind::NoSocket | ResetKind::Refusal)
        )
}
