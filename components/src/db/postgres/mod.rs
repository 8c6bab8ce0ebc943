//! PostgreSQL by its own protocol: statements and rows in binary form, bulk loads by COPY.
//!
//! `login` is where the server is and who asks, `surroundings` what libpq reads of that from its variables and its password
//! file, `tls` the encryption, `wire` the connection; `types` reads the binary form and
//! `binary` writes it; `statements` is what a session runs, `load` the bulk load. A block of
//! rows is the messages as they came; a lane decodes them, and texts stay where they are, as views into the block.

mod binary;
mod load;
mod login;
mod statements;
mod surroundings;
mod tls;
mod types;
mod wire;

use super::connection_string::Pairs;
use super::dialect::{Dialect, Family};
use super::error::{DbError, ErrorKind, Outcome};
use super::resolve::Target;
use super::rows::Rows;
use super::session::{
    Canceller, ColumnInfo, Cursor, Driver, Executed, LoadColumn, LoadOptions, Loader, Param, Relation, RowFailure,
    Session, StatementOptions,
};
use super::table_name::TableName;
use dtsx_engine::types::DataType;
use login::Address;
use statements::Names;
use std::sync::atomic::Ordering;
use std::time::Duration;
use wire::Wire;

pub(super) use login::{conninfo, understands};

/// How long a server may take to make a session as good as new; a new one may be had sooner then.
const RESET: Duration = Duration::from_secs(5);

/// Whether a password is at hand for the login: its own, or one of its surroundings.
pub(super) fn has_password(target: &Target) -> bool {
    Address::of(&Pairs::parse(target.address.reveal())).is_ok_and(|address| !address.password.is_empty())
}

/// Opens PostgreSQL databases.
pub struct PostgresDriver;

impl Driver for PostgresDriver {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn open(&self, target: &Target) -> Outcome<Box<dyn Session>> {
        let wire = Wire::open(&Address::of(&Pairs::parse(target.address.reveal()))?, target.connect_timeout)?;
        let dialect = Dialect { numbered_parameters: true, ..Dialect::of(Family::Postgres) };
        Ok(Box::new(PostgresSession {
            wire,
            dialect,
            names: Names::new()?,
            checked: None,
            asked: None,
            described: None,
        }))
    }
}

struct PostgresSession {
    wire: Wire,
    dialect: Dialect,
    names: Names,
    /// The text of the statement that was run for each row last: it can be prepared.
    checked: Option<String>,
    /// The query with parameters that was asked last: those that are asked again and again are prepared.
    asked: Option<statements::Asked>,
    /// The table that was described last, as it is spelled: a bulk load asks with every batch.
    described: Option<(String, statements::Described)>,
}

/// What an ErrorResponse says.
fn failure(body: &[u8]) -> DbError {
    let (mut state, mut message, mut detail) = (String::new(), String::new(), String::new());
    for field in body.split(|b| *b == 0).filter(|f| !f.is_empty()) {
        let text = String::from_utf8_lossy(&field[1..]).into_owned();
        match field[0] {
            b'C' => state = text,
            b'M' => message = text,
            b'D' => detail = text,
            _ => {}
        }
    }
    if !detail.is_empty() {
        message = format!("{message} ({detail})");
    }
    let kind = match state.as_str() {
        "42P01" | "3F000" => ErrorKind::NoTable,
        "57014" => ErrorKind::Cancelled,
        "57P01" | "57P02" | "57P03" => ErrorKind::Lost,
        "40001" | "40P01" | "55P03" => ErrorKind::Busy,
        "0A000" => ErrorKind::Unsupported,
        "3D000" => ErrorKind::Connect,
        s if s.starts_with("08") => ErrorKind::Lost,
        s if s.starts_with("28") => ErrorKind::Connect,
        s if s.starts_with("23") => ErrorKind::Constraint,
        s if s.starts_with("22") => ErrorKind::Value,
        s if s.starts_with("42") => ErrorKind::Statement,
        _ => ErrorKind::Other,
    };
    DbError { state, source: "PostgreSQL".into(), ..DbError::new(kind, message) }
}

impl PostgresSession {
    fn alive(&self) -> Outcome<()> {
        match self.wire.interrupter.cancelled.load(Ordering::Relaxed) {
            true => Err(DbError::new(ErrorKind::Cancelled, "interrupted")),
            false => Ok(()),
        }
    }

    /// What a failure is: the server says the same of a timeout and of an interruption.
    fn told(&self, error: DbError) -> DbError {
        let cancelled = self.wire.interrupter.cancelled.load(Ordering::Relaxed);
        let kind = match error.kind {
            _ if cancelled => ErrorKind::Cancelled,
            ErrorKind::Cancelled => return self.wire.timed_out(error),
            kind => kind,
        };
        DbError { kind, ..error }
    }
}

impl Session for PostgresSession {
    fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    fn server(&mut self) -> String {
        format!("PostgreSQL {}", self.wire.version)
    }

    fn execute(&mut self, sql: &str, params: &[Param], options: &StatementOptions) -> Outcome<Executed> {
        self.alive()?;
        self.described = None;
        self.forget_asked()?;
        let done = self.wire.set_timeout(options.timeout).and_then(|()| self.run(sql, params));
        done.map_err(|e| self.told(e))
    }

    fn execute_rows(
        &mut self,
        sql: &str,
        rows: &Rows,
        types: &[DataType],
        options: &StatementOptions,
    ) -> Outcome<Vec<RowFailure>> {
        self.alive()?;
        self.described = None;
        let done = self.wire.set_timeout(options.timeout).and_then(|()| self.run_rows(sql, rows, types));
        done.map_err(|e| self.told(e))
    }

    fn query<'s>(
        &'s mut self,
        sql: &str,
        params: &[Param],
        options: &StatementOptions,
    ) -> Outcome<Box<dyn Cursor + 's>> {
        self.alive()?;
        self.described = None;
        match self.wire.set_timeout(options.timeout).and_then(|()| self.begin_query(sql, params)) {
            Ok(columns) => Ok(Box::new(statements::PostgresCursor::new(self, columns, options))),
            Err(error) => Err(self.told(error)),
        }
    }

    fn describe(&mut self, relation: &Relation<'_>) -> Outcome<Vec<ColumnInfo>> {
        self.alive()?;
        let described = match relation {
            Relation::Table(table) => {
                self.described = None;
                self.describe_table(table).map(|columns| columns.iter().map(|(info, _)| info.clone()).collect())
            }
            Relation::Query(sql) => self.describe_query(sql),
        };
        described.map_err(|e| self.told(e))
    }

    fn loader<'s>(
        &'s mut self,
        table: &TableName,
        columns: &[LoadColumn],
        options: &LoadOptions,
    ) -> Outcome<Box<dyn Loader + 's>> {
        self.alive()?;
        let known = self.describe_table(table).map_err(|e| self.told(e))?;
        Ok(Box::new(load::PostgresLoader::open(self, table, columns, &known, options)))
    }

    fn isolates_rows(&self) -> bool {
        true
    }

    fn sees_to_defaults(&self) -> bool {
        true
    }

    fn begin(&mut self) -> Outcome<()> {
        self.alive()?;
        self.simple("BEGIN").map(drop)
    }

    fn commit(&mut self) -> Outcome<()> {
        // A transaction that failed is rolled back by COMMIT, which says so and is no error there.
        let failed = self.wire.status == b'E';
        self.simple("COMMIT")?;
        match failed {
            true => Err(DbError::new(ErrorKind::Other, "the transaction had failed and was rolled back")),
            false => Ok(()),
        }
    }

    fn rollback(&mut self) -> Outcome<()> {
        // What was undone may be the table.
        self.described = None;
        self.forget_asked()?;
        self.simple("ROLLBACK").map(drop)
    }

    fn savepoint(&mut self, name: &str) -> Outcome<()> {
        self.simple(&self.dialect.savepoint(name)).map(drop)
    }

    fn rollback_to(&mut self, name: &str) -> Outcome<()> {
        self.simple(&self.dialect.rollback_to(name)).map(drop)
    }

    fn release(&mut self, name: &str) -> Outcome<()> {
        self.dialect.release(name).map_or(Ok(()), |sql| self.simple(&sql).map(drop))
    }

    fn in_transaction(&self) -> bool {
        self.wire.status != b'I'
    }

    fn canceller(&self) -> Canceller {
        let interrupter = self.wire.interrupter.clone();
        Canceller::new(move || {
            interrupter.cancelled.store(true, Ordering::Relaxed);
            interrupter.interrupt();
        })
    }

    fn resume(&mut self) {
        self.wire.interrupter.cancelled.store(false, Ordering::Relaxed);
    }

    fn reset(&mut self) -> bool {
        self.checked = None;
        self.asked = None;
        self.described = None;
        let again = |session: &mut PostgresSession| {
            session.wire.set_timeout(Some(RESET))?;
            session.simple("DISCARD ALL")?;
            session.wire.settings()?;
            session.wire.set_timeout(None)
        };
        let clean: Outcome<()> = again(self);
        clean.is_ok()
    }
}
