//! Where a package finds its tables: a file of SQLite, or a database on a server, through one driver or another.

use crate::peer::Peer;
use dtsx::{Event, EventKind, Outcome, Package, RunOptions};
use dtsx_loader::model;
use dtsx_tests::servers;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// By what a database is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// The embedded SQLite.
    Sqlite,
    /// PostgreSQL by its own protocol.
    Postgres,
    /// PostgreSQL through its ODBC driver.
    PostgresOdbc,
    /// MariaDB by its own protocol.
    MariaDb,
    /// MariaDB through its ODBC driver.
    MariaDbOdbc,
    /// SQL Server by its own protocol, or what the tests have of it.
    SqlServer,
}

impl Way {
    /// Whether the server is MariaDB.
    pub fn is_maria(self) -> bool {
        matches!(self, Way::MariaDb | Way::MariaDbOdbc)
    }
}

/// A database of one test, and a folder.
pub struct Stage {
    pub way: Way,
    /// The connection string.
    pub string: String,
    pub server: Option<servers::Database>,
    pub peer: Option<Peer>,
    pub folder: tempfile::TempDir,
}

impl Stage {
    /// None: the server cannot be had here, which was said.
    pub fn new(way: Way) -> Option<Stage> {
        let server = match way {
            Way::Sqlite | Way::SqlServer => None,
            Way::Postgres | Way::PostgresOdbc => Some(servers::postgres()?),
            Way::MariaDb | Way::MariaDbOdbc => Some(servers::mariadb()?),
        };
        Some(Stage::on(way, server.map(|s| s.database().unwrap())))
    }

    /// On a database of a server that is at hand.
    pub fn on(way: Way, server: Option<servers::Database>) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let peer = (way == Way::SqlServer).then(Peer::start);
        let string = match (way, &server) {
            (Way::SqlServer, _) => peer.as_ref().map(Peer::string).unwrap_or_default(),
            (Way::Postgres | Way::MariaDb, Some(database)) => database.url(),
            (_, Some(database)) => database.odbc(),
            _ => format!("sqlite:{}", folder.path().join("t.db").display()),
        };
        Stage { way, string, server, peer, folder }
    }

    /// A file of the test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the test.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs statements beside everything that is tested: by the server's own client, or another SQLite. What they select
    /// comes as lines; queries have one column.
    pub fn sql(&self, sql: &str) -> Vec<String> {
        if let Some(peer) = &self.peer {
            return peer.sql(sql);
        }
        let text = match &self.server {
            Some(database) => database.sql(sql).unwrap_or_else(|e| panic!("{sql}: {e}")),
            None => {
                let connection = rusqlite::Connection::open(self.path("t.db")).unwrap();
                let mut lines = String::new();
                for statement in sql.split(';').filter(|s| !s.trim().is_empty()) {
                    let mut prepared = connection.prepare(statement).unwrap_or_else(|e| panic!("{statement}: {e}"));
                    let mut rows = prepared.query([]).unwrap();
                    while let Some(row) = rows.next().unwrap() {
                        let value: rusqlite::types::Value = row.get(0).unwrap();
                        lines.push_str(&match value {
                            rusqlite::types::Value::Integer(n) => n.to_string(),
                            rusqlite::types::Value::Text(text) => text,
                            other => format!("{other:?}"),
                        });
                        lines.push('\n');
                    }
                }
                lines
            }
        };
        text.lines().map(str::to_owned).collect()
    }

    /// Saves a package and opens it as a user would.
    pub fn package(&self, package: &model::Package) -> Package {
        let path = self.path("package.dtsx");
        dtsx_loader::dtsx::save(package, &path).unwrap();
        Package::open(&path).unwrap_or_else(|e| panic!("{e}"))
    }
}

/// What a run came to, and what it said.
pub struct Ran {
    pub outcome: Outcome,
    pub events: Vec<Event>,
}

impl Ran {
    /// The texts of the events of a kind (`OnError` …), with the part of the task that says them in front.
    pub fn said(&self, kind: &str) -> Vec<String> {
        let of = |e: &&Event| e.kind.name() == kind;
        let text = |e: &Event| e.kind.message().map(|m| format!("{}: {}", m.sub_component, m.text));
        self.events.iter().filter(of).filter_map(text).collect()
    }

    /// Received, redirected and left out, by the component of that name.
    pub fn rows(&self, component: &str) -> (u64, u64, u64) {
        let found = self.outcome.components.iter().find(|c| c.component == component);
        found.map_or((0, 0, 0), |c| (c.received, c.redirected, c.left_out))
    }
}

/// Runs a package to its end.
pub fn run(package: Package, options: RunOptions) -> Ran {
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = events.clone();
    let listener = move |event: &Event| {
        if !matches!(event.kind, EventKind::Progress { .. }) {
            heard.lock().unwrap().push(event.clone());
        }
    };
    let outcome = package.run(options, &[Arc::new(listener)]);
    let outcome = outcome.unwrap_or_else(|error| panic!("{error}: {:?}", error.findings()));
    let events = std::mem::take(&mut *events.lock().unwrap());
    Ran { outcome, events }
}

/// The lines of a file.
pub fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}
