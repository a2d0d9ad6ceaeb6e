//! A file that appears whole or not at all: it is written under a name of its own in the same folder, flushed to the disk,
//! and renamed. What had the name before stays as it is until then.
//!
//! A link is followed, and the permissions of a file that is replaced stay. What is no regular file, such as a pipe or
//! `/dev/stdout`, is written to directly, and so is a file in a folder where none can be created.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// A file that is being written.
#[derive(Debug)]
pub(super) enum NewFile {
    /// Under a name of its own, and the name it gets.
    Apart(NamedTempFile, PathBuf),
    /// Under its own name.
    InPlace(File),
}

impl NewFile {
    /// Begins the file.
    ///
    /// # Errors
    /// If it cannot be created.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        // A link to a file that is not there yet has no target to find.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let old = fs::symlink_metadata(&path).ok();
        if old.as_ref().is_some_and(|it| !it.is_file()) {
            return File::create(path).map(Self::InPlace);
        }
        let mut builder = Builder::new();
        builder.prefix(".hangup-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // As for any new file: the mask of the process is applied to it.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        match builder.tempfile_in(folder(&path)) {
            Ok(file) => {
                if let Some(old) = old {
                    file.as_file().set_permissions(old.permissions())?;
                }
                Ok(Self::Apart(file, path))
            }
            Err(error) if old.is_none() => Err(without_name(error)),
            Err(_) => File::create(path).map(Self::InPlace),
        }
    }

    /// The folder in which the file gets its name, unless it has it already.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Apart(_, path) => Some(folder(path)),
            Self::InPlace(_) => None,
        }
    }

    /// Gives the file its name, once it is on the disk.
    ///
    /// # Errors
    /// If that fails; then nothing has changed.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Apart(file, path) => {
                file.as_file().sync_all()?;
                file.persist(path).map(drop).map_err(|it| it.error)
            }
            Self::InPlace(mut file) => file.flush(),
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Apart(file, _) => file.write(bytes),
            Self::InPlace(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Apart(file, _) => file.flush(),
            Self::InPlace(file) => file.flush(),
        }
    }
}

/// The folder of a file.
pub(super) fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// The system's error without the name of the file that was to be replaced at the end, which nobody has chosen.
fn without_name(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.split_once(" at path ") {
        Some((told, _)) => io::Error::new(error.kind(), told.to_owned()),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_file_is_never_empty() {
        for (file, wanted) in [("a", "."), ("a/b", "a"), ("/a", "/"), ("../a", "..")] {
            assert_eq!(folder(Path::new(file)), Path::new(wanted), "{file}");
        }
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.txt");
        fs::write(&path, "before").expect("written");
        let begun = |text: &str| {
            let mut file = NewFile::create(&path).expect("begun");
            file.write_all(text.as_bytes()).expect("written");
            file
        };
        drop(begun("half"));
        assert_eq!(fs::read_to_string(&path).expect("there"), "before");
        begun("whole").finish().expect("named");
        assert_eq!(fs::read_to_string(&path).expect("there"), "whole");
        let left = fs::read_dir(folder.path()).expect("there").count();
        assert_eq!(left, 1, "no file of another name stays");
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("report"), folder.path().join("link"));
        fs::write(&path, "before").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        symlink(&path, &link).expect("linked");
        let mut file = NewFile::create(&link).expect("begun");
        file.write_all(b"after").expect("written");
        file.finish().expect("named");
        assert_eq!(fs::read_to_string(&path).expect("there"), "after");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        let mut sink = NewFile::create(Path::new("/dev/null")).expect("begun");
        sink.write_all(b"gone").expect("written");
        sink.finish().expect("flushed");
    }

    #[test]
    fn an_error_names_no_file_that_nobody_chose() {
        let error = NewFile::create(Path::new("/no/such/folder/a.md")).err();
        let text = error.map(|it| it.to_string()).unwrap_or_default();
        assert!(!text.is_empty() && !text.contains("hangup"), "{text}");
    }
}
