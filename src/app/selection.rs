//! What the user wants in the report and what not: the error to look for, and the ignore list.
//!
//! A `.hangupignore` in the working directory is used automatically, as is usual for such files, if it is the user's own;
//! the report names it and counts what it leaves out.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::options::{AnalysisError, AnalysisOptions, IgnoreFile};
use crate::analysis::connection::{Connection, ConnectionSummary};
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Endpoint;
use crate::rules::Finding;
use crate::rules::ignore::{IgnoreList, Ignored};
use crate::rules::log_errors::ErrorSearch;

/// The ignore list that is used if the command line names none.
const USUAL_LIST: &str = ".hangupignore";
/// The longest list that is read, in bytes: some ten thousand lines.
const MAX_IGNORE_BYTES: u64 = 1 << 20;

/// The search for an error, if one is wanted.
pub(super) fn search(options: &AnalysisOptions) -> Result<Option<Arc<ErrorSearch>>, AnalysisError> {
    let Some(text) = &options.error else {
        return Ok(None);
    };
    match ErrorSearch::new(text) {
        Some(search) => Ok(Some(Arc::new(search))),
        None => Err(AnalysisError::UnknownError(text.clone())),
    }
}

/// The ignore list that applies, if any.
pub(super) fn ignore_list(
    options: &AnalysisOptions,
) -> Result<Option<Arc<IgnoreList>>, AnalysisError> {
    let Some(path) = &ignore_path(&options.ignore) else {
        return Ok(None);
    };
    let usual = options.ignore == IgnoreFile::InWorkingDirectory;
    let text = if usual { trusted(path) } else { Ok(()) };
    let text = text.and_then(|()| read_bounded(path));
    let text = text.map_err(|source| AnalysisError::IgnoreFile {
        path: path.clone(),
        source,
    })?;
    let list = IgnoreList::parse(&path.display().to_string(), &text);
    let list = list.map_err(|source| AnalysisError::IgnoreLine {
        path: path.to_owned(),
        source,
    })?;
    Ok(Some(Arc::new(list)))
}

/// The path of the list that applies; the usual one only if it is there.
pub(super) fn ignore_path(asked: &IgnoreFile) -> Option<PathBuf> {
    match asked {
        IgnoreFile::None => None,
        IgnoreFile::InWorkingDirectory => {
            let usual = PathBuf::from(USUAL_LIST);
            usual.symlink_metadata().is_ok().then_some(usual)
        }
        IgnoreFile::At(path) => Some(path.clone()),
    }
}

/// Fails if a list that nobody named is not the user's own: a folder from elsewhere must not silence findings. A pipe or a
/// device would not even end.
fn trusted(path: &Path) -> io::Result<()> {
    let it = fs::metadata(path)?;
    let refused = |reason: &str| {
        io::Error::other(format!(
            "{reason}; to use it nevertheless, name it with --ignore-file; to use none, --no-ignore-file"
        ))
    };
    match (it.is_file(), is_own(&it)) {
        (false, _) => Err(refused("it is no regular file")),
        (true, false) => Err(refused("it belongs to another user")),
        (true, true) => Ok(()),
    }
}

/// Whether a file belongs to this user, to root, or to who called `sudo`.
#[cfg(all(unix, feature = "cli"))]
fn is_own(it: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let own = rustix::process::geteuid().as_raw();
    let caller = std::env::var("SUDO_UID").ok();
    let caller = caller.and_then(|it| it.parse::<u32>().ok());
    it.uid() == 0 || it.uid() == own || caller == Some(it.uid())
}

/// Other systems: a file has no such owner. A program that uses the library asks for the list itself.
#[cfg(not(all(unix, feature = "cli")))]
fn is_own(_: &Metadata) -> bool {
    true
}

/// The text of a list, which is short.
fn read_bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    file.take(MAX_IGNORE_BYTES + 1).read_to_string(&mut text)?;
    match text.len() as u64 > MAX_IGNORE_BYTES {
        true => Err(io::Error::other(format!(
            "it is longer than {MAX_IGNORE_BYTES} bytes, so it is no such list"
        ))),
        false => Ok(text),
    }
}

/// A connection before it has a number: its first frame, its client and its server.
type UnnumberedConnection = (FrameNumber, Endpoint, Endpoint);

/// The connections an ignore list leaves out, collected while connections settle.
#[derive(Clone, Debug)]
pub(super) struct LeftOut {
    list: Option<Arc<IgnoreList>>,
    /// The connections left out, each with the index of its line in the list.
    places: Arc<Mutex<HashMap<UnnumberedConnection, usize>>>,
}

impl LeftOut {
    pub(super) fn by(list: Option<Arc<IgnoreList>>) -> Self {
        Self {
            list,
            places: Arc::default(),
        }
    }

    /// Whether there is no list.
    pub(super) const fn is_empty(&self) -> bool {
        self.list.is_none()
    }

    /// Whether the list leaves a connection out. Records the connection if so.
    pub(super) fn takes(&self, connection: &Connection) -> bool {
        let line = self.list.as_ref().and_then(|it| it.matches(connection));
        let Some(line) = line else {
            return false;
        };
        let place = (connection.first.frame, connection.client, connection.server);
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.insert(place, line);
        true
    }

    /// Once all connections are settled: removes those left out from the records and returns what was left out.
    /// `whole`: `connections` holds every record, so they have not been filtered yet.
    pub(super) fn settle(
        &self,
        whole: bool,
        summaries: &[ConnectionSummary],
        connections: &mut Vec<Arc<Connection>>,
    ) -> Ignored {
        let Some(list) = &self.list else {
            return Ignored::default();
        };
        let mut ignored = Ignored::by(list);
        if whole {
            connections.retain(|it| !self.takes(it));
        }
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        for summary in summaries {
            let place = (summary.first.frame, summary.client, summary.server);
            if let Some(line) = places.get(&place) {
                ignored.connections.push(summary.id);
                if let Some(tally) = ignored.lines.get_mut(*line) {
                    tally.connections += 1;
                }
            }
        }
        ignored
    }

    /// Removes the findings that lines of the list name, and those that concern only connections left out.
    pub(super) fn silence(&self, found: &mut Vec<Finding>, ignored: &mut Ignored) {
        let Some(list) = &self.list else {
            return;
        };
        found.retain(|finding| {
            if let Some(line) = list.matches_finding(finding) {
                ignored.findings += 1;
                if let Some(tally) = ignored.lines.get_mut(line) {
                    tally.findings += 1;
                }
                return false;
            }
            let ids = &finding.connections;
            ids.is_empty() || ids.iter().any(|id| !ignored.leaves_out(*id))
        });
    }
}
