//! Files and pipes as a [`Source`].

use std::path::Path;

use super::error::CaptureError;
use super::frame::{Batch, Fill, Loss, Source};
use super::input::Input;
use super::reader::FileReader;
use super::summary::FileSummary;

/// Bytes read at once from a single input, and so what a batch holds. Large enough that a system call is nothing beside
/// it, small enough that the frames are still in the cache when they are analysed.
const CHUNK: usize = 1 << 20;

/// How to read.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct OpenOptions {
    /// Only frames that this BPF expression matches are given out. They keep the numbers of the unfiltered input.
    pub filter: Option<String>,
}

/// Opens captures, one or several, `-` being standard input. Several are one timeline: the frames of all in the order
/// of their times, those of one file in the order of the file.
///
/// # Errors
/// When a path cannot be read or is no capture, or the filter does not compile. Each message names the way out.
pub fn open(
    paths: &[impl AsRef<Path>],
    options: &OpenOptions,
) -> Result<Box<dyn Source>, CaptureError> {
    let inputs = paths.iter().map(|path| Input::open(path.as_ref()));
    read(inputs.collect::<Result<_, _>>()?, options)
}

/// As [`open`], with inputs that need not be files.
///
/// # Errors
/// As [`open`].
pub fn read(inputs: Vec<Input>, options: &OpenOptions) -> Result<Box<dyn Source>, CaptureError> {
    let _ = options;
    let input = inputs.into_iter().next().expect("for now");
    Ok(Box::new(SingleFile::open(input, CHUNK)?))
}

/// One input, its batches handed on as they are.
pub(crate) struct SingleFile {
    reader: FileReader,
    summary: [FileSummary; 1],
    next_interface: u32,
    next_number: u64,
}

impl SingleFile {
    pub(crate) fn open(input: Input, chunk: usize) -> Result<Self, CaptureError> {
        let mut summary = FileSummary::default();
        let mut next_interface = 0;
        let reader = FileReader::open(input, chunk, &mut summary, &mut next_interface)?;
        Ok(Self {
            reader,
            summary: [summary],
            next_interface,
            next_number: 1,
        })
    }
}

impl Source for SingleFile {
    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, CaptureError> {
        let [summary] = &mut self.summary;
        self.reader.fill(batch, summary, &mut self.next_interface);
        batch.first = self.next_number;
        self.next_number += batch.len() as u64;
        Ok(if batch.is_empty() {
            Fill::End
        } else {
            Fill::Frames
        })
    }

    fn lost(&self) -> Loss {
        self.summary[0].lost
    }

    fn files(&self) -> &[FileSummary] {
        &self.summary
    }
}
