//! From a connection manager to what is opened: a [`Target`].

use super::connection_string::Pairs;
use super::dialect::{Dialect, Family};
use super::error::{DbError, ErrorKind, Outcome};
use super::secret::Secret;
use super::session::Driver;
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::run::PathMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What is opened: a driver, and what it needs.
#[derive(Clone)]
pub struct Target {
    /// Who opens it.
    pub driver: &'static dyn Driver,
    /// The family of the database, as far as the string tells.
    pub family: Family,
    /// What the driver opens: a path for SQLite, an ODBC connection string, a URL. It may hold secrets.
    pub address: Secret,
    /// The same for people.
    pub shown: String,
    /// What must not be seen in messages.
    pub secrets: Vec<Secret>,
    /// How long connecting may take.
    pub connect_timeout: Option<Duration>,
    /// Statements that every new session begins with.
    pub init: Vec<String>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.driver.name(), self.shown)
    }
}

impl Target {
    /// The dialect that the string promises; a session knows better.
    pub fn dialect(&self) -> Dialect {
        Dialect::of(self.family)
    }

    /// An SQLite database file.
    pub fn sqlite(path: PathBuf) -> Target {
        let shown = format!("sqlite:{}", path.display());
        Target {
            driver: &super::sqlite::SqliteDriver,
            family: Family::Sqlite,
            address: Secret::new(path.to_string_lossy()),
            shown,
            secrets: Vec::new(),
            connect_timeout: None,
            init: Vec::new(),
        }
    }

    /// What a connection manager asks for.
    ///
    /// # Errors
    /// There is no driver for it, or something is missing from its connection string.
    pub fn of(spec: &ConnectionSpec, paths: &PathMap) -> Outcome<Target> {
        let text = spec.connection_string().trim();
        if let Some(path) = text.strip_prefix("sqlite:") {
            return Ok(Target::sqlite(sqlite_path(path, paths)));
        }
        let pairs = Pairs::parse(text);
        if pairs.filled(&["Driver"]).is_some_and(|d| Dialect::family_of(d) == Family::Sqlite)
            && let Some(path) = pairs.filled(&["Database"])
        {
            return Ok(Target::sqlite(sqlite_path(path, paths)));
        }
        Err(DbError::new(
            ErrorKind::NoDriver,
            format!("there is no driver for the connection \"{}\" ({})", spec.name, pairs.masked()),
        ))
    }
}

fn sqlite_path(path: &str, paths: &PathMap) -> PathBuf {
    if path == ":memory:" { PathBuf::from(path) } else { paths.resolve(path) }
}
