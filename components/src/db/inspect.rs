//! What stands behind a connection manager, told to people.

use super::estate::Estate;
use super::pool::Database;
use super::resolve::Target;
use crate::connections::database::is_database;
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::run::Services;

/// What came of looking at a connection manager. No text in it holds a secret.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Inspection {
    /// Who would open it: `SQLite`, `ODBC`, `PostgreSQL`; "" for what is no database.
    pub driver: String,
    /// What would be opened, secrets masked.
    pub target: String,
    /// Why it cannot be opened, as far as that shows without asking anybody; "" if nothing is wrong.
    pub problem: String,
    /// What the server said of itself, or why it could not be reached; None if it was not asked.
    pub tested: Option<Result<String, String>>,
}

/// Looks at a connection manager; `test` opens it, too.
pub fn inspect(spec: &ConnectionSpec, services: &Services, test: bool) -> Inspection {
    if !is_database(&spec.kind) {
        return file(spec, services, test);
    }
    let target = match Target::of(spec, &Estate::of(services), &services.paths) {
        Ok(target) => target,
        Err(error) => {
            let target = super::connection_string::Pairs::parse(spec.connection_string()).masked();
            return Inspection { target, problem: error.to_string(), ..Inspection::default() };
        }
    };
    let tested = test.then(|| {
        let mut session = Database::of(spec, services).and_then(|d| d.lease()).map_err(|e| e.to_string())?;
        Ok(session.server())
    });
    Inspection {
        driver: target.driver.name().to_owned(),
        target: target.shown.clone(),
        tested,
        ..Inspection::default()
    }
}

/// A connection manager of a file is tested by looking whether the file is there; others are only shown.
fn file(spec: &ConnectionSpec, services: &Services, test: bool) -> Inspection {
    let text = spec.connection_string();
    let is_file = ["FILE", "FLATFILE"].iter().any(|kind| spec.kind.eq_ignore_ascii_case(kind));
    if !is_file {
        let pairs = super::connection_string::Pairs::parse(text);
        let target = if pairs.is_empty() { text.to_owned() } else { pairs.masked() };
        return Inspection { target, ..Inspection::default() };
    }
    let path = services.paths.resolve(text);
    let tested = test.then(|| match std::fs::metadata(&path) {
        Ok(found) if found.is_dir() => Ok("a folder".to_owned()),
        Ok(found) => Ok(format!("{} bytes", found.len())),
        Err(error) => Err(error.to_string()),
    });
    Inspection { target: path.display().to_string(), tested, ..Inspection::default() }
}
