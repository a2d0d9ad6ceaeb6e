//! What the user wants in the report and what not: the error to look for, and the ignore list.
//!
//! A `.hangupignore` in the working directory is used automatically, as is usual for such files; the report counts
//! whatever it leaves out. It is short, so it is read whole.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
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
    let (path, must_exist) = match &options.ignore {
        IgnoreFile::None => return Ok(None),
        IgnoreFile::InWorkingDirectory => (Path::new(USUAL_LIST), false),
        IgnoreFile::At(path) => (path.as_path(), true),
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if !must_exist && error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            let path = path.to_owned();
            return Err(AnalysisError::IgnoreFile { path, source });
        }
    };
    let list = IgnoreList::parse(&path.display().to_string(), &text);
    let list = list.map_err(|source| AnalysisError::IgnoreLine {
        path: path.to_owned(),
        source,
    })?;
    Ok(Some(Arc::new(list)))
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
