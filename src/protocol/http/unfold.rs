//! Folded field lines (RFC 9112 §5.2): a line that begins with white space continues the value of the line before it.
//!
//! In: a complete head. Out: the same bytes with each fold replaced by spaces, and the folds as faults.

use memchr::memchr;

use super::fault::{Fault, FaultRule, MAX_FAULTS, MAX_QUOTE};
use super::head::name_of;
use super::text::SharedText;

/// A head whose folded lines are one line each: "replace each received obs-fold with one or more SP octets prior to
/// interpreting the field value" (§5.2). No byte changes its place.
#[derive(Debug)]
pub(super) struct Unfolded {
    bytes: Vec<u8>,
    faults: Vec<Fault>,
}

impl Unfolded {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

/// Unfolds a head that begins at `offset` of its direction.
pub(super) fn unfold(head: &[u8], offset: u64) -> Unfolded {
    let mut bytes = head.to_vec();
    let mut faults = Vec::new();
    // Where the field line that may continue begins, and where it ends so far: before its line end.
    let mut field: Option<(usize, usize)> = None;
    let mut at = 0;
    while let Some(rest) = head.get(at..).filter(|rest| !rest.is_empty()) {
        let end = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let whole = rest.get(..end).unwrap_or_default();
        let line = whole.strip_suffix(b"\n").unwrap_or(whole);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        match field {
            Some((start, stop)) if folded => {
                if faults.len() < MAX_FAULTS {
                    let name = name_of(head.get(start..stop).unwrap_or_default());
                    let name = SharedText::new(name.get(..MAX_QUOTE).unwrap_or(name));
                    let quoted = offset + start as u64;
                    let fault = |rule, at: usize| Fault {
                        rule,
                        offset: offset + at as u64,
                        bytes: name.clone(),
                        quoted,
                    };
                    // Its line end is none any more.
                    if at - stop == 1 {
                        faults.push(fault(FaultRule::BareLf, stop));
                    }
                    faults.push(fault(FaultRule::ObsFold, at));
                }
                if let Some(line_end) = bytes.get_mut(stop..at) {
                    line_end.fill(b' ');
                }
                field = Some((start, at + line.len()));
            }
            _ => {
                let continues = at > 0 && !folded && line.contains(&b':');
                field = continues.then_some((at, at + line.len()));
            }
        }
        at += end;
    }
    Unfolded { bytes, faults }
}
