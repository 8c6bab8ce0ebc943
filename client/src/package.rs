//! A package from outside: open, set, check, run, save.

use crate::backend::{self, Loaded};
use crate::error::Result;
use crate::event::Listener;
use crate::execution::{Execution, Outcome};
use crate::reader::Reader;
use crate::report::{CheckReport, ConnectionReport};
use crate::settings::Settings;
use crate::tap::Tap;
use dtsx_engine::run::RunOptions;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A package file that was read, and what is set about it. Nothing runs and nothing else is opened until
/// [`Package::run`] or [`Package::execute`].
///
/// ```no_run
/// let outcome = dtsx::Package::open("load.dtsx")?
///     .connect("Source", "/data/in.csv")
///     .set(r"\Package.Variables[User::Day].Value", "2024-01-31")
///     .run(dtsx::RunOptions::default(), &[])?;
/// assert!(outcome.succeeded());
/// # Ok::<(), dtsx::Error>(())
/// ```
#[derive(Clone)]
pub struct Package {
    loaded: Arc<Loaded>,
    settings: Settings,
}

/// What a package says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageInfo {
    /// Its name.
    pub name: String,
    /// Its DTSID, `{GUID}`.
    pub id: String,
    /// The file's format version: 2, 3, 6, 8.
    pub format_version: u32,
    /// VersionMajor, VersionMinor, VersionBuild.
    pub version: (i64, i64, i64),
    /// VersionGUID.
    pub version_guid: String,
}

/// Where a package is, before it is opened.
///
/// ```no_run
/// let package = dtsx::OpenOptions::new("load.dtsx").project("etl.dtproj").password("secret").open()?;
/// # Ok::<(), dtsx::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    pub(crate) path: PathBuf,
    pub(crate) project: Option<PathBuf>,
    pub(crate) password: Option<String>,
}

impl OpenOptions {
    /// The package at `path`; or, with an `.ispac` as its project, the package of that name in it.
    pub fn new(path: impl Into<PathBuf>) -> OpenOptions {
        OpenOptions { path: path.into(), ..OpenOptions::default() }
    }

    /// Its project: a `.dtproj` or an `.ispac`. Without one, project connection managers and child packages are looked
    /// for in the folder of the package.
    pub fn project(mut self, path: impl Into<PathBuf>) -> OpenOptions {
        self.project = Some(path.into());
        self
    }

    /// The password of an encrypted package or project.
    pub fn password(mut self, password: impl Into<String>) -> OpenOptions {
        self.password = Some(password.into());
        self
    }

    /// Reads the package and its project.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound), [`Error::NotLoaded`](crate::Error::NotLoaded).
    pub fn open(self) -> Result<Package> {
        Ok(Package { loaded: Arc::new(backend::load(&self)?), settings: Settings::default() })
    }
}

impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Package").field("path", &self.path()).field("settings", &self.settings).finish()
    }
}

impl Package {
    /// Reads the package at `path`.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound), [`Error::NotLoaded`](crate::Error::NotLoaded).
    pub fn open(path: impl AsRef<Path>) -> Result<Package> {
        OpenOptions::new(path.as_ref()).open()
    }

    /// What the package says about itself.
    pub fn info(&self) -> PackageInfo {
        backend::info(&self.loaded)
    }

    /// The file that it came from.
    pub fn path(&self) -> &Path {
        backend::path(&self.loaded)
    }

    /// The text of the package file, in which the places of findings are.
    pub fn text(&self) -> &str {
        backend::text(&self.loaded)
    }

    /// Sets a property by its path (`\Package\Task.Properties[Disable]`, `\Package.Variables[User::X].Value`). Later
    /// ones win; property expressions win over all of them.
    pub fn set(mut self, path: impl Into<String>, value: impl Into<String>) -> Package {
        self.settings.sets.push((path.into(), value.into()));
        self
    }

    /// Sets the connection string of every connection manager of that name: in the package, in its project and in the
    /// packages that it runs.
    pub fn connect(mut self, name: impl Into<String>, connection_string: impl Into<String>) -> Package {
        self.settings.connects.push((name.into(), connection_string.into()));
        self
    }

    /// Reads what stands behind connection managers and servers from this file, and not from the one that is found in
    /// `$DTSX_CONNECTIONS`, beside the package or in the working directory.
    pub fn connections_file(mut self, path: impl Into<PathBuf>) -> Package {
        self.settings.connections_file = Some(path.into());
        self
    }

    /// Sets a parameter: `$Package::X`, `$Project::X`; a bare name is the package's.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Package {
        self.settings.params.push((name.into(), value.into()));
        self
    }

    /// Opens every file path that begins with `from` below `to` instead. Letter case does not matter, `\` is `/`, the
    /// longest prefix wins.
    pub fn map(mut self, from: impl Into<String>, to: impl Into<String>) -> Package {
        self.settings.maps.push((from.into(), to.into()));
        self
    }

    /// Applies a further XML configuration (`.dtsConfig`), as `/ConfigFile` of dtexec does.
    pub fn configuration(mut self, path: impl Into<PathBuf>) -> Package {
        self.settings.configurations.push(path.into());
        self
    }

    /// Writes the rows that pass over a data path to a file as well.
    pub fn tap(mut self, tap: Tap) -> Package {
        self.settings.taps.push(tap);
        self
    }

    /// Takes the rows of the DataReader destination of that name: [`Execution::reader`] hands them out, and *has to* be
    /// asked for them, as the data flow waits for its readers.
    pub fn reader(mut self, name: impl Into<String>) -> Package {
        self.settings.readers.push(name.into());
        self
    }

    /// What would happen, without touching anything but the package's own files.
    pub fn check(&self) -> CheckReport {
        backend::check(&self.loaded, &self.settings)
    }

    /// Validates as a run does before it begins: files and servers are touched, events are raised, nothing is executed.
    ///
    /// # Errors
    /// As [`Package::run`].
    pub fn validate(&self, listeners: &[Arc<dyn Listener>]) -> Result<Outcome> {
        let prepared = backend::prepare(&self.loaded, &self.settings, RunOptions::default(), &[])?;
        prepared.validate(Arc::new(listeners.to_vec()))
    }

    /// What stands behind the connection managers, their expressions evaluated; `test` opens each of them.
    ///
    /// # Errors
    /// A `connections.toml` that is wrong; an expression that cannot be evaluated.
    pub fn connections(&self, test: bool) -> Result<Vec<ConnectionReport>> {
        backend::connections(&self.loaded, &self.settings, test)
    }

    /// The plan, for people: containers, tasks, pipelines, columns.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid), if there is no plan.
    pub fn explain(&self) -> Result<String> {
        backend::explain(&self.loaded, &self.settings)
    }

    /// Runs to the end on this thread. Listeners are told of every event as it happens.
    ///
    /// # Errors
    /// When the run cannot begin; a package that ran and failed is an [`Outcome`].
    pub fn run(self, options: RunOptions, listeners: &[Arc<dyn Listener>]) -> Result<Outcome> {
        let mut execution = Execution::start(self.loaded, self.settings, options, listeners.to_vec())?;
        execution.ignore_events();
        execution.wait()
    }

    /// Begins to run, and returns at once.
    ///
    /// # Errors
    /// When the run cannot begin.
    ///
    /// ```no_run
    /// let execution = dtsx::Package::open("load.dtsx")?.execute(dtsx::RunOptions::default())?;
    /// for event in execution.events() {
    ///     println!("{} {}", event.source.name, event.kind.name());
    /// }
    /// println!("{:?}", execution.wait()?.result);
    /// # Ok::<(), dtsx::Error>(())
    /// ```
    pub fn execute(self, options: RunOptions) -> Result<Execution> {
        Execution::start(self.loaded, self.settings, options, Vec::new())
    }

    /// Begins to run, and gives the rows of the DataReader destination of that name. Dropping the reader cancels.
    ///
    /// ```no_run
    /// let reader = dtsx::Package::open("load.dtsx")?.read("DataReaderDest")?;
    /// for batch in reader {
    ///     println!("{} rows", batch?.num_rows());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the run cannot begin, [`Error::NoReader`](crate::Error::NoReader).
    pub fn read(self, name: &str) -> Result<Reader> {
        let mut execution = self.reader(name).execute(RunOptions::default())?;
        execution.ignore_events();
        execution.reader(name)
    }

    /// Writes the package to a file. It keeps the format version that it had, or is upgraded to `format_version` (8).
    /// What is set about the package is not written.
    ///
    /// # Errors
    /// A file that cannot be written; a version that cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, format_version: Option<u32>) -> Result<()> {
        backend::save(&self.loaded, path.as_ref(), format_version)
    }
}
