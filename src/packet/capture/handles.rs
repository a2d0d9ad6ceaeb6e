//! Regular files that are read in turn, of which only a few are open at once.
//!
//! Thousands of captures may overlap in time. One that has not been read for a while is closed, and opened again where
//! reading stopped. If another file has its name by then, reading ends with an error; the summary keeps it as damage.

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files open at once. Systems allow 256 or more, and opening one again takes a few microseconds.
const MAX_OPEN: usize = 64;

/// The files that are open, each with its reader's number, in the order in which they were last read.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileHandles(Arc<Mutex<OpenFiles>>);

#[derive(Debug, Default)]
struct OpenFiles {
    readers: u64,
    files: VecDeque<(u64, File)>,
}

/// A reader of one file.
#[derive(Debug)]
pub(crate) struct ReopenedFile {
    path: PathBuf,
    handles: FileHandles,
    number: u64,
    /// Bytes read so far.
    at: u64,
    metadata: Metadata,
    ended: bool,
}

impl FileHandles {
    /// Opens a file.
    pub(crate) fn open(&self, path: &Path) -> io::Result<ReopenedFile> {
        let file = self.file(path)?;
        let metadata = file.metadata()?;
        let mut all = self.all();
        all.readers += 1;
        let number = all.readers;
        all.keep(number, file);
        drop(all);
        Ok(ReopenedFile {
            path: path.to_owned(),
            handles: self.clone(),
            number,
            at: 0,
            metadata,
            ended: false,
        })
    }

    fn all(&self) -> MutexGuard<'_, OpenFiles> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, path: &Path) -> io::Result<File> {
        File::open(path).or_else(|error| {
            let mut all = self.all();
            if all.files.is_empty() {
                return Err(error);
            }
            // The system may allow fewer than are open here.
            all.files.clear();
            drop(all);
            File::open(path)
        })
    }
}

impl OpenFiles {
    fn take(&mut self, number: u64) -> Option<File> {
        let at = self.files.iter().rposition(|(of, _)| *of == number)?;
        self.files.remove(at).map(|(_, file)| file)
    }

    fn keep(&mut self, number: u64, file: File) {
        if self.files.len() >= MAX_OPEN {
            self.files.pop_front();
        }
        self.files.push_back((number, file));
    }
}

impl ReopenedFile {
    /// Its length when it was opened.
    pub(crate) fn length(&self) -> u64 {
        self.metadata.len()
    }

    fn again(&self) -> io::Result<File> {
        let mut file = self.handles.file(&self.path)?;
        if !is_same(&self.metadata, &file.metadata()?) {
            return Err(io::Error::other(
                "another file has taken its place while it was being read; to read that one, begin again",
            ));
        }
        file.seek(SeekFrom::Start(self.at))?;
        Ok(file)
    }
}

impl Read for ReopenedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        let open = self.handles.all().take(self.number);
        let mut file = match open {
            Some(file) => file,
            None => self.again()?,
        };
        let read = file.read(buffer)?;
        self.at += read as u64;
        match read {
            0 => self.ended = true,
            _ => self.handles.all().keep(self.number, file),
        }
        Ok(read)
    }
}

impl Drop for ReopenedFile {
    fn drop(&mut self) {
        drop(self.handles.all().take(self.number));
    }
}

/// Whether both are metadata of the same file.
#[cfg(unix)]
pub(crate) fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// On other systems an open file cannot be replaced, and a truncated one is recognised by its length.
#[cfg(not(unix))]
pub(crate) fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::super::tests::tempfile;
    use super::*;

    fn read(file: &mut ReopenedFile, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let read = file.read(&mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    #[test]
    fn files_are_read_on_where_they_were_left() {
        let handles = FileHandles::default();
        let path = Path::new("captures/reset-before-response.pcap");
        let whole = std::fs::read(path).expect("a capture");
        let mut files: Vec<_> = (0..MAX_OPEN * 2)
            .map(|_| handles.open(path).expect("a capture"))
            .collect();
        let mut read_so_far = vec![Vec::new(); files.len()];
        for _ in 0..=whole.len() / 100 {
            for (file, bytes) in files.iter_mut().zip(&mut read_so_far) {
                bytes.extend(read(file, 100).expect("it is there"));
                assert!(handles.all().files.len() <= MAX_OPEN);
            }
        }
        assert!(read_so_far.iter().all(|bytes| *bytes == whole));
        for file in &mut files {
            assert!(read(file, 100).expect("its end").is_empty());
        }
        assert_eq!(handles.all().files.len(), 0, "one at its end is closed");
    }

    #[cfg(unix)]
    #[test]
    fn another_file_in_its_place_is_not_read() {
        let folder = tempfile(&[b"first".to_vec(), b"other".to_vec()]);
        let path = folder.0.join("0");
        let handles = FileHandles::default();
        let mut file = handles.open(&path).expect("it is there");
        assert_eq!(read(&mut file, 2).expect("two bytes"), b"fi");
        std::fs::rename(folder.0.join("1"), &path).expect("the same directory");
        // As long as it is open, it is read on.
        assert_eq!(read(&mut file, 2).expect("two bytes"), b"rs");
        handles.all().files.clear();
        let error = read(&mut file, 2).expect_err("another file");
        assert!(error.to_string().contains("another file"), "{error}");
    }
}
