//! The one place where the client meets the loader and the engine.

use crate::counts::RowCounts;
use crate::error::{Error, Result};
use crate::event::Listener;
use crate::execution::Outcome;
use crate::package::{OpenOptions, PackageInfo};
use crate::reader::Channel;
use crate::report::{CheckReport, Finding};
use crate::settings::Settings;
use dtsx_engine::diag::{Code, Diagnostic, Owner, Span};
use dtsx_engine::run::{CancelToken, RunOptions};
use dtsx_loader::dtsx::{self, LoadOptions};
use dtsx_loader::model::{FormatVersion, Package};
use dtsx_loader::{Fault, LoadError};
use std::path::Path;
use std::sync::Arc;

fn missing() -> Error {
    Error::Engine(dtsx_engine::diag::Error::new(Owner::Unsupported, None, "this build cannot compile packages yet"))
}

/// A package that was read.
pub(crate) struct Loaded {
    package: Package,
}

/// Reads a package and its project.
pub(crate) fn load(options: &OpenOptions) -> Result<Loaded> {
    let path = &options.path;
    if let Err(e) = std::fs::metadata(path)
        && e.kind() == std::io::ErrorKind::NotFound
    {
        return Err(Error::NotFound { path: path.clone(), reason: e.to_string() });
    }
    let package = dtsx::load(path, &LoadOptions::default()).map_err(|e| not_loaded(path, *e))?;
    Ok(Loaded { package })
}

/// A load error as a finding in the file that it names.
fn not_loaded(path: &Path, error: LoadError) -> Error {
    let path = error.file.clone().unwrap_or_else(|| path.to_owned());
    let place = (error.line != 0).then_some(crate::report::Place {
        line: error.line,
        column: error.column,
        span: Span { start: error.span.start, end: error.span.end },
    });
    let diagnostic = Diagnostic::error(Code(error.code), error.object.unwrap_or_default(), error.message);
    let finding = Finding { place, ..Finding::new(diagnostic, "") };
    Error::NotLoaded { path, findings: vec![finding] }
}

pub(crate) fn info(loaded: &Loaded) -> PackageInfo {
    let (package, root) = (&loaded.package, &loaded.package.root);
    PackageInfo {
        name: package.name().to_owned(),
        id: root.dtsid().to_owned(),
        format_version: package.format.0,
        version: (root.version_major().into(), root.version_minor().into(), root.version_build().into()),
        version_guid: root.version_guid().to_owned(),
    }
}

pub(crate) fn path(loaded: &Loaded) -> &Path {
    let source = loaded.package.origin.as_ref().and_then(|origin| origin.source.path.as_deref());
    source.unwrap_or(Path::new("package"))
}

pub(crate) fn text(loaded: &Loaded) -> &str {
    loaded.package.origin.as_ref().map_or("", |origin| origin.source.text.as_str())
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

/// Writes a package as it is, or upgraded.
pub(crate) fn save(loaded: &Loaded, path: &Path, format_version: Option<u32>) -> Result<()> {
    let format = loaded.package.format;
    let saved = match format_version.map(FormatVersion) {
        None => dtsx::save(&loaded.package, path),
        Some(version) if version == format => dtsx::save(&loaded.package, path),
        Some(FormatVersion::CURRENT) => {
            let mut package = loaded.package.clone();
            dtsx::upgrade(&mut package);
            dtsx::save(&package, path)
        }
        Some(version) => {
            let current = FormatVersion::CURRENT;
            return Err(Error::Setting(format!(
                "a package of format {format} can be saved in its own format or in format {current}, not in {version}"
            )));
        }
    };
    saved.map_err(|e| match e.fault {
        Fault::SavePackageFile => Error::Io { path: path.to_owned(), reason: e.message },
        _ => not_loaded(path, *e),
    })
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
        RowCounts::default()
    }

    pub(crate) fn run(self, _listener: Arc<dyn Listener>) -> Result<Outcome> {
        Err(missing())
    }
}
