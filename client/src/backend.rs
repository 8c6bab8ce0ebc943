//! The one place where the client meets the loader and the engine.

use crate::error::{Error, Result};
use crate::event::Listener;
use crate::execution::{Outcome, PathRows};
use crate::package::{OpenOptions, PackageInfo};
use crate::reader::Channel;
use crate::report::CheckReport;
use crate::settings::Settings;
use dtsx_engine::diag::Owner;
use dtsx_engine::run::{CancelToken, RunOptions};
use std::path::Path;
use std::sync::Arc;

fn missing() -> Error {
    Error::Engine(dtsx_engine::diag::Error::new(Owner::Unsupported, None, "this build cannot compile packages yet"))
}

/// A package that was read.
pub(crate) struct Loaded {
    text: String,
}

/// Reads a package and its project.
pub(crate) fn load(options: &OpenOptions) -> Result<Loaded> {
    let path = &options.path;
    let not_found = |e: std::io::Error| Error::NotFound { path: path.clone(), reason: e.to_string() };
    let text = std::fs::read_to_string(path).map_err(not_found)?;
    let _ = (&options.project, &options.password);
    Ok(Loaded { text })
}

pub(crate) fn info(_loaded: &Loaded) -> PackageInfo {
    PackageInfo::default()
}

pub(crate) fn text(loaded: &Loaded) -> &str {
    &loaded.text
}

pub(crate) fn check(_loaded: &Loaded, _settings: &Settings) -> CheckReport {
    CheckReport::default()
}

pub(crate) fn validate(_loaded: &Loaded, _settings: &Settings) -> CheckReport {
    CheckReport::default()
}

pub(crate) fn explain(_loaded: &Loaded, _settings: &Settings) -> Result<String> {
    Err(missing())
}

pub(crate) fn save(_loaded: &Loaded, _path: &Path, _format_version: Option<u32>) -> Result<()> {
    Err(missing())
}

/// Row counts of a run, live.
#[derive(Clone, Default)]
pub(crate) struct RowCounts;

impl RowCounts {
    pub(crate) fn snapshot(&self) -> Vec<PathRows> {
        Vec::new()
    }
}

/// Ready to run.
pub(crate) struct Prepared {
    cancel: CancelToken,
}

pub(crate) fn prepare(
    _loaded: &Loaded,
    _settings: &Settings,
    _options: RunOptions,
    _readers: &[(String, Arc<Channel>)],
) -> Result<Prepared> {
    Err(missing())
}

impl Prepared {
    pub(crate) fn cancel(&self) -> CancelToken {
        self.cancel.clone()
    }

    pub(crate) fn row_counts(&self) -> RowCounts {
        RowCounts
    }

    pub(crate) fn run(self, _listener: Arc<dyn Listener>) -> Result<Outcome> {
        Err(missing())
    }
}
