//! Databases behind ODBC: what is installed on this machine, by the driver manager that this program carries.
//!
//! `ffi` holds handles and memory, `types` the forms of values, `reader` fetches blocks of rows, `writer` runs a statement
//! once, `batches` runs it for many rows; `habits` says what each driver is good at.

mod batches;
mod ffi;
mod habits;
mod ini;
pub(super) mod installed;
mod kinds;
mod reader;
mod types;
mod writer;

use super::connection_string::Pairs;
use super::dialect::{Dialect, Family, touches_transactions, transaction_after};
use super::error::{DbError, ErrorKind, Outcome};
use super::resolve::Target;
use super::rows::Rows;
use super::session::{
    Canceller, ColumnInfo, Cursor, Driver, Executed, LoadColumn, LoadOptions, Loader, Param, Relation, RowFailure,
    Session, StatementOptions,
};
use super::table_name::TableName;
use dtsx_engine::run::watched;
use dtsx_engine::types::DataType;
use ffi::{Connection, Statement, Working};
use habits::Habits;
use installed::Library;
use odbc_sys::InfoType;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use writer::Manner;

pub(super) use kinds::of as kind_of;
pub(super) use writer::{converted, placed};

/// Opens databases through ODBC drivers.
pub struct OdbcDriver;

impl Driver for OdbcDriver {
    fn name(&self) -> &'static str {
        "ODBC"
    }

    fn open(&self, target: &Target) -> Outcome<Box<dyn Session>> {
        let environment = ffi::environment()?;
        // The driver by its library, where odbcinst.ini does not say in which folder that is.
        let mut pairs = Pairs::parse(target.address.reveal());
        match pairs.get(&["Driver"]).map(installed::library) {
            Some(Library::There(path)) => pairs.set_in_place("Driver", path),
            Some(Library::Missing(why)) => return Err(DbError::new(ErrorKind::NoDriver, why)),
            Some(Library::Unlisted) | None => {}
        }
        let string = connection_string(&pairs)?;
        let connection = Connection::open(environment, &string, &target.secrets, target.connect_timeout)?;
        let server = connection.info_text(InfoType::DbmsName).unwrap_or_default();
        let family = match Dialect::family_of(&server) {
            Family::Other => target.family,
            known => known,
        };
        let mut dialect = Dialect::of(family);
        if family == Family::Other
            && let Some(quote) = connection.info_text(InfoType::IdentifierQuoteChar).and_then(|q| q.chars().next())
            && quote != ' '
        {
            dialect.quotes = (quote, quote);
        }
        let driver = connection.info_text(InfoType::DriverName).unwrap_or_default();
        let habits = Habits::of(&driver, family, connection.info_number(InfoType::ParamArrayRowCounts));
        Ok(Box::new(OdbcSession {
            connection,
            habits,
            engine: None,
            array_bytes: None,
            working: Working::default(),
            dialect,
            in_transaction: false,
            begun: Cell::new(false),
            unsure: Cell::new(false),
            cancelled: Arc::new(AtomicBool::new(false)),
            prepared: None,
        }))
    }
}

/// The string as the driver reads it.
fn connection_string(pairs: &Pairs) -> Outcome<String> {
    let driver = pairs.get(&["Driver"]).unwrap_or("").to_ascii_lowercase();
    let end = match driver {
        d if d.contains("tdsodbc") || d.contains("freetds") => "};",
        d if d.contains("maodbc") || d.contains("mariadb") => "}",
        // The last brace is found before a semicolon alone, by some.
        _ => return Ok(format!("{};", pairs.odbc())),
    };
    pairs.odbc_unescaped(end).map_err(|key| {
        let message = format!(
            "the driver cannot be told the value of {key}: it has a semicolon and a closing brace, or blanks around it"
        );
        DbError::new(ErrorKind::Connect, message)
    })
}

struct OdbcSession {
    connection: Arc<Connection>,
    working: Working,
    dialect: Dialect,
    habits: Habits,
    /// The table that was last asked for its engine (MySQL), and whether that undoes statements that fail.
    engine: Option<(String, bool)>,
    /// Bytes that an array of parameters may have, once somebody asked (MySQL).
    array_bytes: Option<usize>,
    in_transaction: bool,
    /// A statement of the package began a transaction.
    begun: Cell<bool>,
    /// Statements ran of which the server alone knows whether they did.
    unsure: Cell<bool>,
    cancelled: Arc<AtomicBool>,
    /// The statement that was prepared last, and its text: statements that run once for each row are prepared once.
    prepared: Option<(String, Statement)>,
}

impl OdbcSession {
    fn alive(&self) -> Outcome<()> {
        match self.cancelled.load(Ordering::Relaxed) {
            true => Err(DbError::new(ErrorKind::Cancelled, "interrupted")),
            false => Ok(()),
        }
    }

    /// What a failure is: one that comes because of an interruption is that.
    fn told<T>(&self, result: Outcome<T>) -> Outcome<T> {
        told(&self.cancelled, result)
    }

    fn manner(&self) -> Manner {
        Manner { habits: self.habits, dialect: self.dialect }
    }

    /// The limit of a query whose driver would count the time in which its rows are read, as MariaDB's does: it is kept
    /// here then.
    fn limit(&self, options: &StatementOptions) -> Option<Duration> {
        options.timeout.filter(|_| self.dialect.family == Family::MySql)
    }

    fn statement(&self, options: &StatementOptions) -> Outcome<Statement> {
        self.alive()?;
        let statement = Statement::new(&self.connection, &self.working)?;
        statement.set_timeout(options.timeout);
        Ok(statement)
    }

    /// The statement of that text, prepared; the one of last time if it is the same.
    fn prepare(&mut self, sql: &str, options: &StatementOptions) -> Outcome<&mut Statement> {
        self.alive()?;
        if self.prepared.as_ref().is_none_or(|(known, _)| known != sql) {
            self.prepared = None;
            let mut statement = self.statement(options)?;
            statement.prepare(sql)?;
            self.prepared = Some((sql.to_owned(), statement));
        }
        match &mut self.prepared {
            Some((_, statement)) => {
                statement.working();
                Ok(statement)
            }
            None => Err(DbError::new(ErrorKind::Other, "no statement was prepared")),
        }
    }
}

/// Whether a transaction is open that statements began.
impl OdbcSession {
    /// Statements ran, or failed.
    fn note(&self, sql: &str, ran: bool) {
        if matches!(self.dialect.family, Family::SqlServer | Family::Sybase) {
            // Its batches need no semicolons, have conditions, and go on after statements that fail.
            self.unsure.set(self.unsure.get() || touches_transactions(sql));
        } else if ran {
            self.begun.set(transaction_after(sql, self.begun.get()));
        }
    }

    fn is_begun(&self) -> bool {
        if self.unsure.get()
            && let Ok(Some(open)) = self.number("SELECT CAST(@@TRANCOUNT AS int)")
        {
            self.begun.set(open > 0);
            self.unsure.set(false);
        }
        self.begun.get()
    }
}

/// Does what asks a server, and cancels that when it takes longer than `limit`.
fn within<T>(limit: Option<Duration>, working: &Working, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let Some(limit) = limit else { return work() };
    match watched(limit, || working.cancel(), work) {
        (_, true) => {
            let seconds = limit.as_secs_f32();
            let message = format!("the server does not answer within the timeout of the statement, {seconds} s");
            Err(DbError { source: "ODBC".into(), ..DbError::new(ErrorKind::Timeout, message) })
        }
        (done, false) => done,
    }
}

fn told<T>(cancelled: &AtomicBool, result: Outcome<T>) -> Outcome<T> {
    result.map_err(|error| match cancelled.load(Ordering::Relaxed) {
        true => DbError { kind: ErrorKind::Cancelled, ..error },
        false => error,
    })
}

impl Session for OdbcSession {
    fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    fn server(&mut self) -> String {
        let name = self.connection.info_text(InfoType::DbmsName).unwrap_or_default();
        let version = self.connection.info_text(InfoType::DbmsVer).unwrap_or_default();
        let driver = self.connection.info_text(InfoType::DriverName).unwrap_or_default();
        format!("{name} {version} ({driver})")
    }

    fn execute(&mut self, sql: &str, params: &[Param], options: &StatementOptions) -> Outcome<Executed> {
        let mut statement = self.statement(options)?;
        let done = self.manner().execute(&mut statement, sql, params);
        self.note(sql, done.is_ok());
        self.told(done)
    }

    fn execute_rows(
        &mut self,
        sql: &str,
        rows: &Rows,
        types: &[DataType],
        options: &StatementOptions,
    ) -> Outcome<Vec<RowFailure>> {
        let done = batches::execute_rows(self, sql, rows, types, options);
        self.told(done)
    }

    fn query<'s>(
        &'s mut self,
        sql: &str,
        params: &[Param],
        options: &StatementOptions,
    ) -> Outcome<Box<dyn Cursor + 's>> {
        let limit = self.limit(options);
        let drivers = StatementOptions { timeout: options.timeout.filter(|_| limit.is_none()), ..options.clone() };
        let mut statement = self.statement(&drivers)?;
        let run = within(limit, &self.working, || self.manner().run(&mut statement, sql, params));
        self.note(sql, run.is_ok());
        let running = self.told(run)?;
        // Some servers end an interrupted statement as if it had come to its end.
        self.alive()?;
        let cursor = reader::OdbcCursor::open(statement, running, options, self.cancelled.clone());
        Ok(Box::new(self.told(cursor)?))
    }

    fn describe(&mut self, relation: &Relation<'_>) -> Outcome<Vec<ColumnInfo>> {
        let mut statement = self.statement(&StatementOptions::default())?;
        let described = match relation {
            Relation::Table(table) => {
                let sql = format!("{} WHERE 1 = 0", self.dialect.select_all(table));
                statement.execute_direct(&sql).and_then(|_| reader::describe(&mut statement, self.habits))
            }
            Relation::Query(sql) => statement.prepare(sql).and_then(|()| reader::describe(&mut statement, self.habits)),
        };
        let mut described = self.told(described)?;
        if let Relation::Table(table) = relation {
            drop(statement);
            let mut statement = self.statement(&StatementOptions::default())?;
            // What a driver does not tell of defaults is not missed: then a NULL is a NULL.
            let defaults = reader::defaults(&mut statement, &self.dialect, table).unwrap_or_default();
            for column in &mut described {
                let default = defaults.iter().find(|(name, _)| *name == column.name);
                column.default = default.map(|(_, default)| default.clone());
            }
        }
        Ok(described)
    }

    fn loader<'s>(
        &'s mut self,
        table: &TableName,
        columns: &[LoadColumn],
        options: &LoadOptions,
    ) -> Outcome<Box<dyn Loader + 's>> {
        self.alive()?;
        Ok(Box::new(batches::OdbcLoader::open(self, table, columns, options)?))
    }

    fn isolates_rows(&self) -> bool {
        true
    }

    fn savepoints_last(&self) -> bool {
        // PostgreSQL's driver sets one before each statement, and goes back to it, or forgets it, with all that came after.
        self.dialect.family != Family::Postgres
    }

    fn begin(&mut self) -> Outcome<()> {
        self.alive()?;
        self.connection.set_autocommit(false)?;
        self.in_transaction = true;
        Ok(())
    }

    fn commit(&mut self) -> Outcome<()> {
        self.prepared = None;
        self.connection.end(true)?;
        // PostgreSQL's driver says so of a commit that the server never answered, too.
        if self.connection.is_dead() {
            return Err(DbError::new(ErrorKind::Lost, "the connection broke while the transaction was committed"));
        }
        self.in_transaction = false;
        self.connection.set_autocommit(true)
    }

    fn rollback(&mut self) -> Outcome<()> {
        self.prepared = None;
        self.connection.end(false)?;
        self.in_transaction = false;
        self.connection.set_autocommit(true)
    }

    fn in_transaction(&self) -> bool {
        self.in_transaction || self.is_begun()
    }

    fn canceller(&self) -> Canceller {
        let (working, cancelled) = (self.working.clone(), self.cancelled.clone());
        Canceller::new(move || {
            cancelled.store(true, Ordering::Relaxed);
            working.cancel();
        })
    }

    fn resume(&mut self) {
        self.cancelled.store(false, Ordering::Relaxed);
    }

    fn reset(&mut self) -> bool {
        self.prepared = None;
        !self.in_transaction() && self.dialect.family == Family::SqlServer && self.connection.reset()
    }
}
