//! Frames from a network interface, captured by libpcap.
//!
//! The source returns batches, each with the frames of a short period, and [`Fill::Idle`] while there are none. After a
//! stop, everything captured up to that moment is still returned, because the last segments of a connection are what
//! this program looks for. Frames that the kernel dropped for lack of buffer space are counted.
//!
//! An interface that disappears ends the capture like the end of a file, with a note in the summary.

use crate::base::net::Loss;
use std::thread;
use std::time::Duration;

use pcap::{Active, Capture, Device, Precision};

use super::error::CaptureError;
use super::filter;
use super::frame::{Batch, Fill, Frame, LinkType, Source};
use super::libpcap;
use super::summary::{FileSummary, Interface};
use crate::base::frame_ref::FrameNumber;
use crate::base::time::Timestamp;

/// How long the kernel may buffer frames before it delivers them.
const BUFFER_TIMEOUT: Duration = Duration::from_millis(100);
/// How long to sleep when there are no frames. On Linux, libpcap blocks indefinitely for the next frame whatever its
/// timeout, so it is polled in non-blocking mode; the kernel buffer holds what arrives meanwhile.
const WAIT: Duration = Duration::from_millis(5);
/// Number of sleeps before [`Fill::Idle`] is returned.
const WAITS: u32 = 10;
/// Maximum number of frames in a batch.
const FULL: usize = 2048;
/// Number of sleeps without a frame after [`Source::stop`] that prove that none is left: the kernel may have started a
/// buffer block just before the stop, and it delivers a block after at most twice [`BUFFER_TIMEOUT`].
const LAST_WAITS: u32 = 40;

/// What to capture, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LiveOptions {
    /// The interface's name; on Linux, `any` means all interfaces at once.
    pub interface: String,
    /// A BPF expression that frames must match; empty for all.
    pub filter: String,
    /// Snap length: bytes kept of each frame.
    pub snap_length: u32,
    /// Size of the kernel buffer in bytes.
    pub buffer: u32,
    /// Promiscuous mode: also capture frames that are not addressed to this host.
    pub promiscuous: bool,
    /// Immediate mode: deliver each frame at once. Lower latency at a higher cost.
    pub immediate: bool,
    /// Ends the capture after this many frames.
    pub packets: Option<u64>,
    /// Returns the wall-clock time.
    pub clock: fn() -> Timestamp,
}

impl LiveOptions {
    /// Options to capture everything on `interface`. `clock` returns the wall-clock time.
    #[must_use]
    pub fn new(interface: impl Into<String>, clock: fn() -> Timestamp) -> Self {
        Self {
            interface: interface.into(),
            filter: String::new(),
            snap_length: 262_144,
            buffer: 64 << 20,
            promiscuous: false,
            immediate: false,
            packets: None,
            clock,
        }
    }
}

/// An interface of this system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedInterface {
    /// The name to capture by.
    pub name: String,
    /// The system's description.
    pub description: Option<String>,
    /// Its addresses.
    pub addresses: Vec<std::net::IpAddr>,
    /// It is administratively up.
    pub is_up: bool,
    /// The system reports a carrier.
    pub is_running: bool,
    /// It is a loopback interface.
    pub is_loopback: bool,
}

/// The interfaces of this system, in libpcap's order of preference.
///
/// # Errors
/// If the system does not list them.
pub fn interfaces() -> Result<Vec<NamedInterface>, CaptureError> {
    libpcap::require()?;
    let devices = Device::list().map_err(|error| CaptureError::Live {
        interface: "interfaces".to_owned(),
        reason: error.to_string(),
    })?;
    let found = devices.into_iter().map(|device| NamedInterface {
        is_up: device.flags.is_up(),
        is_running: device.flags.is_running(),
        is_loopback: device.flags.is_loopback(),
        addresses: device.addresses.iter().map(|it| it.addr).collect(),
        description: device.desc,
        name: device.name,
    });
    Ok(found.collect())
}

/// The interface to capture on if none is named: the first that is up, has a carrier and an address and is no loopback;
/// otherwise `any`, or else the first of all.
#[must_use]
pub fn default_interface(interfaces: &[NamedInterface]) -> Option<&NamedInterface> {
    let mut elsewhere = interfaces
        .iter()
        .filter(|it| it.is_up && it.is_running && !it.is_loopback && !it.addresses.is_empty());
    let named = |name: &str| interfaces.iter().find(|it| it.name == name);
    elsewhere
        .next()
        .or_else(|| named("any"))
        .or(interfaces.first())
}

/// Starts to capture.
///
/// # Errors
/// If the interface does not exist, the program may not capture, or the filter does not compile.
pub fn live(options: &LiveOptions) -> Result<Box<dyn Source>, CaptureError> {
    libpcap::require()?;
    let name = &options.interface;
    let failed = |error: pcap::Error| refusal(name, &error);
    let size = |bytes: u32| i32::try_from(bytes).unwrap_or(i32::MAX);
    let gather = i32::try_from(BUFFER_TIMEOUT.as_millis()).unwrap_or(i32::MAX);
    let capture = Capture::from_device(name.as_str())
        .map_err(failed)?
        .snaplen(size(options.snap_length))
        .buffer_size(size(options.buffer))
        // The `any` interface cannot be promiscuous; libpcap would refuse.
        .promisc(options.promiscuous && name != "any")
        .immediate_mode(options.immediate)
        .timeout(gather)
        .precision(Precision::Nano);
    let mut capture = capture
        .open()
        .and_then(Capture::setnonblock)
        .map_err(failed)?;
    let link =
        LinkType(
            u16::try_from(capture.get_datalink().0).map_err(|_| CaptureError::Live {
                interface: name.clone(),
                reason: "its frames are of an unknown kind".to_owned(),
            })?,
        );
    let link = registered(link);
    if !options.filter.is_empty() {
        capture
            .filter(&options.filter, true)
            .map_err(|error| filter::filter_error(&options.filter, link, &error))?;
    }
    let summary = FileSummary {
        path: name.clone(),
        format: "live",
        interfaces: vec![Interface {
            number: 0,
            name: Some(name.clone()),
            link,
            fcs: None,
            snap_length: options.snap_length,
            resolution: 9,
        }],
        ..FileSummary::default()
    };
    Ok(Box::new(LiveSource {
        capture,
        link,
        clock: options.clock,
        summary: [summary],
        next: 1,
        last: options.packets.unwrap_or(u64::MAX),
        stopped: None,
        ended: false,
        polled: Timestamp::MIN,
    }))
}

struct LiveSource {
    capture: Capture<Active>,
    link: LinkType,
    clock: fn() -> Timestamp,
    summary: [FileSummary; 1],
    next: u64,
    /// The number of the last frame wanted.
    last: u64,
    /// When [`Source::stop`] was called.
    stopped: Option<Timestamp>,
    ended: bool,
    /// When the drop counters were last read.
    polled: Timestamp,
}

impl LiveSource {
    fn count(&mut self, now: Timestamp) {
        self.polled = now;
        if let Ok(counts) = self.capture.stats() {
            self.summary[0].lost = Loss {
                kernel: Some(u64::from(counts.dropped)),
                interface: Some(u64::from(counts.if_dropped)),
            };
        }
    }

    fn end(&mut self) {
        let now = (self.clock)();
        self.count(now);
        self.ended = true;
    }
}

impl Source for LiveSource {
    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, CaptureError> {
        batch.clear();
        if self.ended {
            return Ok(Fill::End);
        }
        let mut first = None;
        let mut waits = 0;
        while batch.len() < FULL {
            match self.capture.next_packet() {
                Ok(packet) => {
                    let stamp = packet.header.ts;
                    #[allow(
                        clippy::useless_conversion,
                        reason = "the field is shorter on some systems"
                    )]
                    let seconds = i64::from(stamp.tv_sec);
                    // With nanosecond precision, libpcap stores nanoseconds in the field for microseconds.
                    let nanos = u32::try_from(stamp.tv_usec).unwrap_or(0);
                    let time = Timestamp::new(seconds, nanos);
                    if self.stopped.is_some_and(|at| time > at) {
                        self.end();
                        break;
                    }
                    batch.push(Frame {
                        number: FrameNumber(self.next),
                        time,
                        link: self.link,
                        interface: 0,
                        length: packet.header.len,
                        passage: crate::base::passage::Passage::Unknown,
                        data: packet.data,
                    });
                    self.next += 1;
                    let is_last = self.next > self.last;
                    self.summary[0].bytes += u64::from(packet.header.caplen);
                    let first = *first.get_or_insert(time);
                    if is_last {
                        self.end();
                        break;
                    }
                    if time.since(first) > BUFFER_TIMEOUT {
                        break;
                    }
                }
                Err(pcap::Error::TimeoutExpired) => {
                    waits += 1;
                    let enough = match self.stopped {
                        Some(_) => LAST_WAITS,
                        None => WAITS,
                    };
                    if !batch.is_empty() || waits > enough {
                        break;
                    }
                    thread::sleep(WAIT);
                }
                Err(error) => {
                    let summary = &mut self.summary[0];
                    let bytes = summary.bytes;
                    summary.note_damage(bytes, format!("the capture ended: {error}"));
                    self.end();
                    break;
                }
            }
        }
        if batch.is_empty() && self.stopped.is_some() && !self.ended {
            self.end();
        }
        self.summary[0].packets += batch.len() as u64;
        let last = batch.slots.last().map(|slot| slot.time);
        let now = last.unwrap_or_else(self.clock);
        if now.since(self.polled) > BUFFER_TIMEOUT && !self.ended {
            self.count(now);
        }
        Ok(match (batch.is_empty(), self.ended) {
            (false, _) => Fill::Frames,
            (true, true) => Fill::End,
            (true, false) => Fill::Idle(now),
        })
    }

    fn stop(&mut self) {
        let now = (self.clock)();
        self.stopped.get_or_insert(now);
    }

    fn lost(&self) -> Loss {
        self.summary[0].lost
    }

    fn files(&self) -> &[FileSummary] {
        &self.summary
    }
}

/// The registered link type for one of libpcap's system-specific numbers (DLT).
fn registered(link: LinkType) -> LinkType {
    match link.0 {
        12 | 14 => LinkType(101), // raw IP
        _ => link,
    }
}

/// The error for an interface that cannot be opened. libpcap reports the reason only as text.
fn refusal(interface: &str, error: &pcap::Error) -> CaptureError {
    let interface = interface.to_owned();
    let said = error.to_string();
    let lower = said.to_lowercase();
    if lower.contains("permission") || lower.contains("not permitted") {
        return CaptureError::NotPermitted { interface };
    }
    let known = interfaces().unwrap_or_default();
    let named = known.iter().find(|it| it.name == interface);
    let reason = match named.filter(|_| !lower.contains("no such device")) {
        None => no_such_interface(&interface, &known),
        Some(it) if !it.is_up || lower.contains("not up") => {
            let up = match cfg!(target_os = "linux") {
                true => format!("ip link set {interface} up"),
                false => format!("ifconfig {interface} up"),
            };
            format!("the interface is down; bring it up: sudo {up}")
        }
        Some(_) => said,
    };
    CaptureError::Live { interface, reason }
}

/// What to say of an interface that does not exist: the one that was probably meant, and all there are.
fn no_such_interface(interface: &str, known: &[NamedInterface]) -> String {
    let names: Vec<&str> = known.iter().map(|it| it.name.as_str()).collect();
    let lower = interface.to_lowercase();
    let distance = |name: &&str| strsim::osa_distance(&lower, &name.to_lowercase());
    let near = names.iter().copied().min_by_key(distance);
    let near = near.filter(|it| distance(it) * 2 <= lower.chars().count());
    let near = near.map_or_else(String::new, |it| format!("did you mean {it}? "));
    format!(
        "there is no such interface; {near}there are: {}",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, is_up: bool, is_loopback: bool, address: bool) -> NamedInterface {
        NamedInterface {
            name: name.to_owned(),
            description: None,
            addresses: address
                .then(|| std::net::Ipv4Addr::LOCALHOST.into())
                .into_iter()
                .collect(),
            is_up,
            is_running: is_up,
            is_loopback,
        }
    }

    #[test]
    fn the_usual_interface_leads_elsewhere() {
        let all = [
            found("lo", true, true, true),
            found("wlan0", false, false, true),
            found("tun0", true, false, false),
            found("eth0", true, false, true),
            found("any", true, false, false),
        ];
        assert_eq!(default_interface(&all).map(|it| &*it.name), Some("eth0"));
        let meant = no_such_interface("eht0", &all);
        assert!(
            meant.contains("did you mean eth0? there are: lo, wlan0"),
            "{meant}"
        );
        assert!(!no_such_interface("Wi-Fi", &all).contains("did you mean"));
        let few = [all[0].clone(), all[4].clone()];
        assert_eq!(default_interface(&few).map(|it| &*it.name), Some("any"));
        assert_eq!(default_interface(&[]), None);
    }
}
