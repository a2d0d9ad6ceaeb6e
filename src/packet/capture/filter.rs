//! `--filter`: frames that match a BPF expression, with the numbers they have in the whole input.
//!
//! libpcap compiles the expression once for each link type that occurs, because the resulting program depends on the
//! link type. Without the feature `live` there is no libpcap, and the result is an error that says what to do.
//!
//! One difference from tcpdump: `len`, `less` and `greater` compare the captured length, not the length on the wire.
//! The two differ only for frames cut by the snap length.

use super::error::CaptureError;
use super::frame::Source;

/// Without libpcap: always an error.
#[cfg(not(feature = "live"))]
pub(crate) fn filtered(
    inner: Box<dyn Source>,
    expression: &str,
    _: FilterPrograms,
) -> Result<Box<dyn Source>, CaptureError> {
    drop(inner);
    Err(unavailable(expression))
}

/// Without libpcap: always an error.
#[cfg(not(feature = "live"))]
pub(crate) fn compile_usual(expression: &str, _: &FilterPrograms) -> Result<(), CaptureError> {
    Err(unavailable(expression))
}

/// Without libpcap: none.
#[cfg(not(feature = "live"))]
#[derive(Clone, Debug, Default)]
pub(crate) struct FilterPrograms;

#[cfg(not(feature = "live"))]
fn unavailable(expression: &str) -> CaptureError {
    CaptureError::Filter {
        filter: expression.to_owned(),
        reason: "this build has no libpcap to compile it (feature \"live\"); \
                 filter the file first: tcpdump -r IN -w OUT EXPRESSION"
            .to_owned(),
    }
}

#[cfg(feature = "live")]
pub(crate) use bpf::{FilterPrograms, compile_usual, filter_error, filtered};

#[cfg(feature = "live")]
mod bpf {
    use std::fmt;
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

    use pcap::{BpfProgram, Capture, Linktype};

    use super::{CaptureError, Source};
    use crate::packet::capture::frame::{Batch, Fill, Frame, LinkType};
    use crate::packet::capture::libpcap;
    use crate::packet::capture::wrapped::{Wrap, wrapped};

    const ETHERNET: LinkType = LinkType(1);
    const RAW: LinkType = LinkType(101);
    /// The other link types that captures usually have: loopback, PPP, 802.11, Linux cooked, IPv4 and IPv6.
    const USUAL: [u16; 10] = [0, 9, 104, 105, 108, 113, 127, 228, 229, 276];

    /// The programs of one expression: one for each link type met so far, a handful at most.
    #[derive(Clone, Default)]
    pub(crate) struct FilterPrograms(Arc<Mutex<Vec<(LinkType, BpfProgram)>>>);

    impl FilterPrograms {
        fn lock(&self) -> MutexGuard<'_, Vec<(LinkType, BpfProgram)>> {
            // A poisoned lock is safe to use: each program is added in one step.
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl fmt::Debug for FilterPrograms {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("FilterPrograms")
        }
    }

    /// A filter applied to a source.
    struct Filtered {
        expression: String,
        programs: FilterPrograms,
    }

    /// Compiles an expression for the link types that captures usually have. Where it makes no sense on one of them, that
    /// is said when such a frame comes.
    pub(crate) fn compile_usual(
        expression: &str,
        programs: &FilterPrograms,
    ) -> Result<(), CaptureError> {
        libpcap::require()?;
        let (ethernet, raw) = (compile(expression, ETHERNET), compile(expression, RAW));
        let mut known = programs.lock();
        match (ethernet, raw) {
            // Most mistakes are mistakes on every link type and are best reported before anything is read.
            (Err(error), Err(_)) => return Err(error),
            (ethernet, raw) => {
                known.extend(ethernet.ok().map(|it| (ETHERNET, it)));
                known.extend(raw.ok().map(|it| (RAW, it)));
            }
        }
        let others = USUAL.map(LinkType).into_iter();
        known.extend(others.filter_map(|link| Some((link, compile(expression, link).ok()?))));
        Ok(())
    }

    /// A source that yields the frames of `inner` that match `expression`.
    pub(crate) fn filtered(
        inner: Box<dyn Source>,
        expression: &str,
        programs: FilterPrograms,
    ) -> Result<Box<dyn Source>, CaptureError> {
        if programs.lock().is_empty() {
            compile_usual(expression, &programs)?;
        }
        let filter = Filtered {
            expression: expression.to_owned(),
            programs,
        };
        Ok(wrapped(inner, filter))
    }

    impl Filtered {
        fn wants(&mut self, frame: &Frame<'_>) -> Result<bool, CaptureError> {
            let mut programs = self.programs.lock();
            let known = programs.iter().find(|(link, _)| *link == frame.link);
            if let Some((_, program)) = known {
                return Ok(program.filter(frame.data));
            }
            let program = compile(&self.expression, frame.link)?;
            let wanted = program.filter(frame.data);
            programs.push((frame.link, program));
            Ok(wanted)
        }
    }

    impl Wrap for Filtered {
        fn fill(
            &mut self,
            inner: &mut dyn Source,
            batch: &mut Batch,
        ) -> Result<Fill, CaptureError> {
            loop {
                let fill = inner.fill(batch)?;
                let mut failed = None;
                batch.retain(|frame| {
                    failed.is_none()
                        && self.wants(frame).unwrap_or_else(|error| {
                            failed = Some(error);
                            false
                        })
                });
                if let Some(error) = failed {
                    return Err(error);
                }
                if fill != Fill::Frames || !batch.is_empty() {
                    return Ok(fill);
                }
            }
        }
    }

    fn compile(expression: &str, link: LinkType) -> Result<BpfProgram, CaptureError> {
        let dead = Capture::dead(Linktype(dlt(link)));
        let program = dead.and_then(|dead| dead.compile(expression, true));
        program.map_err(|error| filter_error(expression, link, &error))
    }

    /// The error for an invalid expression, with the offending word if it can be determined.
    pub(crate) fn filter_error(
        expression: &str,
        link: LinkType,
        error: &pcap::Error,
    ) -> CaptureError {
        let said = error.to_string();
        let said = said.trim_start_matches("libpcap error: ");
        let place = match wrong_word(expression, link) {
            Some((number, word)) => format!("at word {number}, {word:?}"),
            None => "at its end, where something is missing".to_owned(),
        };
        CaptureError::Filter {
            filter: expression.to_owned(),
            reason: format!(
                "{place}: {said}; a capture filter is written like 'tcp port 80 and host 10.0.0.1'"
            ),
        }
    }

    /// The first word after which the expression cannot be completed. libpcap does not report where parsing failed, so
    /// this compiles ever longer prefixes, each with several possible completions.
    fn wrong_word(expression: &str, link: LinkType) -> Option<(usize, String)> {
        const COMPLETIONS: [&str; 9] = [
            "",
            "1",
            "tcp",
            "host 192.0.2.1",
            "192.0.2.1",
            "port 1",
            "192.0.2.0/24",
            "0 == 0",
            "02:00:00:00:00:01",
        ];
        let dead = Capture::dead(Linktype(dlt(link))).ok()?;
        let mut begun = String::new();
        for (number, word) in (1..).zip(expression.split_whitespace()) {
            begun.push_str(word);
            let open = |bracket| begun.matches(bracket).count();
            let close = ")".repeat(open('(').saturating_sub(open(')')));
            let goes_on = |way: &&str| {
                dead.compile(&format!("{begun} {way}{close}"), false)
                    .is_ok()
            };
            if !COMPLETIONS.iter().any(goes_on) {
                return Some((number, word.to_owned()));
            }
            begun.push(' ');
        }
        None
    }

    /// libpcap's number for a link type on this system (DLT). Numbers in files are the same everywhere; a few of
    /// libpcap's numbers were assigned earlier and differ between systems.
    fn dlt(link: LinkType) -> i32 {
        const DLT_RAW: i32 = if cfg!(target_os = "openbsd") { 14 } else { 12 };
        match link.0 {
            // Raw IP: the registered number, and those that systems wrote before it was registered.
            101 | 12 | 14 => DLT_RAW,
            100 => 11, // RFC 1483 ATM
            102 => {
                if cfg!(any(target_os = "freebsd", target_os = "netbsd")) {
                    13
                } else {
                    15
                }
            } // BSD/OS SLIP
            103 => {
                if cfg!(any(target_os = "freebsd", target_os = "netbsd")) {
                    14
                } else {
                    16
                }
            } // BSD/OS PPP
            106 => 19, // Linux classical IP over ATM
            108 if cfg!(target_os = "openbsd") => 12, // loopback
            109 if cfg!(target_os = "openbsd") => 13, // encapsulated IPsec
            other => i32::from(other),
        }
    }
}
