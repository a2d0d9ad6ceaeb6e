//! A capture again, anonymised: from a source to pcapng.
//!
//! Of what the capture says of itself only what its frames mean is written: link types, snap lengths, check sequences, and
//! what was lost. Comments, names of interfaces and hosts, the program that wrote it and TLS secrets are left out.

use std::io::{self, Write};

use super::{Anonymiser, Key, Totals};
use crate::packet::capture::{Batch, CaptureError, Fill, Interface, PcapngWriter, Source};

/// Why a capture was not copied to its end.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] CaptureError),
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// Copies a capture, and says what was replaced. `at` is told how many frames were read.
///
/// # Errors
/// If reading or writing fails.
pub fn copy<W: Write>(
    source: &mut dyn Source,
    key: Key,
    to: W,
    at: &mut dyn FnMut(u64),
) -> Result<(Totals, W), CopyError> {
    let mut writer = PcapngWriter::new(to)?;
    let mut anonymiser = Anonymiser::new(key);
    let mut batch = Batch::default();
    let mut read = 0;
    while source.fill(&mut batch)? != Fill::End {
        for frame in batch.frames() {
            read += 1;
            anonymiser.frame(&frame, |frame| {
                if !writer.describes(frame) {
                    let interfaces = source.files().iter().flat_map(|it| &it.interfaces);
                    let own = interfaces
                        .clone()
                        .find(|it| it.number == frame.interface && it.link == frame.link);
                    if let Some(own) = own {
                        writer.describe(&Interface {
                            name: None,
                            ..own.clone()
                        })?;
                    }
                }
                writer.frame(frame)
            })?;
        }
        at(read);
        batch.clear();
    }
    let totals = anonymiser.finish(|frame| writer.frame(frame))?;
    for file in source.files() {
        let own: Vec<u32> = file.interfaces.iter().map(|it| it.number).collect();
        writer.lost_on(&own, file.lost)?;
    }
    Ok((totals, writer.finish()?))
}
