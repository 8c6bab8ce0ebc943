//! The embedded SQLite: a database that needs no server and no driver.
//!
//! Values have types of their own there; a column's declared type is a promise that [`Cursor::wish`] holds them to.

mod cursor;
mod loader;
mod types;

use super::cells::{self, Cell, Cells};
use super::dialect::{Dialect, Family};
use super::error::{DbError, ErrorKind, Outcome};
use super::resolve::Target;
use super::rows::Rows;
use super::session::{
    Canceller, ColumnInfo, Cursor, Direction, Driver, Executed, LoadColumn, LoadOptions, Loader, Param, Relation,
    RowFailure, Session, StatementOptions,
};
use super::table_name::TableName;
use super::translate::words;
use dtsx_engine::types::{DataType, Value};
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Batch, Connection, ErrorCode, Statement};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a statement waits for a lock that another connection holds.
const BUSY: Duration = Duration::from_secs(30);
/// How many prepared statements are kept.
const STATEMENTS: usize = 32;
/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;

/// Opens files with the SQLite inside this program.
pub struct SqliteDriver;

impl Driver for SqliteDriver {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn open(&self, target: &Target) -> Outcome<Box<dyn Session>> {
        let mut connection = Connection::open(target.address.reveal()).map_err(|e| {
            let DbError { message, .. } = failure(&e);
            said(ErrorKind::Connect, format!("{message}: {}", target.shown))
        })?;
        let patience = target.connect_timeout.unwrap_or(BUSY);
        connection.busy_timeout(patience).map_err(|e| failure(&e))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let deadline =
            Arc::new(Deadline { epoch: Instant::now(), at: AtomicU64::new(0), late: AtomicBool::new(false) });
        let watched = deadline.clone();
        connection.progress_handler(STEPS, Some(move || watched.over())).map_err(|e| failure(&e))?;
        Ok(Box::new(SqliteSession {
            connection,
            dialect: Dialect::of(Family::Sqlite),
            cancelled: Arc::new(AtomicBool::new(false)),
            deadline,
            patience,
        }))
    }

    fn one_writer(&self) -> bool {
        true
    }
}

struct SqliteSession {
    connection: Connection,
    dialect: Dialect,
    cancelled: Arc<AtomicBool>,
    deadline: Arc<Deadline>,
    /// How long a statement waits for a lock.
    patience: Duration,
}

fn said(kind: ErrorKind, message: impl Into<String>) -> DbError {
    DbError { source: "SQLite".into(), ..DbError::new(kind, message) }
}

/// What went wrong, by SQLite's code.
fn failure(error: &rusqlite::Error) -> DbError {
    let rusqlite::Error::SqliteFailure(code, message) = error else {
        return said(ErrorKind::Statement, error.to_string());
    };
    let message = message.clone().unwrap_or_else(|| error.to_string());
    let kind = match code.code {
        ErrorCode::ConstraintViolation => ErrorKind::Constraint,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => ErrorKind::Busy,
        ErrorCode::OperationInterrupted => ErrorKind::Cancelled,
        ErrorCode::TypeMismatch | ErrorCode::TooBig => ErrorKind::Value,
        ErrorCode::CannotOpen | ErrorCode::NotADatabase | ErrorCode::PermissionDenied => ErrorKind::Connect,
        _ if message.starts_with("no such table") => ErrorKind::NoTable,
        ErrorCode::Unknown | ErrorCode::ApiMisuse => ErrorKind::Statement,
        _ => ErrorKind::Other,
    };
    DbError { native: code.extended_code, ..said(kind, message) }
}

/// When the statement in hand has to end: read by SQLite itself every few thousand steps.
struct Deadline {
    epoch: Instant,
    /// Milliseconds after the epoch; 0: never.
    at: AtomicU64,
    late: AtomicBool,
}

impl Deadline {
    fn over(&self) -> bool {
        let at = self.at.load(Ordering::Relaxed);
        let over = at != 0 && self.epoch.elapsed().as_millis() as u64 >= at;
        self.late.fetch_or(over, Ordering::Relaxed);
        over
    }
}

/// Ends the statement in hand when its time is over; dropping it lets the next one run as long as it needs.
struct Clock {
    deadline: Arc<Deadline>,
    timeout: Option<Duration>,
}

impl Clock {
    fn start(deadline: &Arc<Deadline>, timeout: Option<Duration>) -> Clock {
        let clock = Clock { deadline: deadline.clone(), timeout };
        clock.again();
        clock
    }

    /// Begins to count anew: what somebody did with the rows that came before takes nothing from the next.
    fn again(&self) {
        let end = |t: Duration| self.deadline.epoch.elapsed().saturating_add(t).as_millis().max(1) as u64;
        self.deadline.at.store(self.timeout.map_or(0, end), Ordering::Relaxed);
        self.deadline.late.store(false, Ordering::Relaxed);
    }

    fn failure(&self, error: &rusqlite::Error) -> DbError {
        let failure = failure(error);
        match failure.kind {
            ErrorKind::Cancelled if self.deadline.late.load(Ordering::Relaxed) => {
                said(ErrorKind::Timeout, "the statement took longer than its timeout allows")
            }
            _ => failure,
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.deadline.at.store(0, Ordering::Relaxed);
    }
}

/// Binds a cell in the form in which SQLite keeps it: dates and times as ISO text, decimals as numbers where a number of
/// 64 bits holds them exactly, else as text. `scratch` is for texts that are made here.
fn bind_cell(
    statement: &mut Statement<'_>,
    index: usize,
    cell: &Cell<'_>,
    scratch: &mut Vec<u8>,
) -> Result<(), rusqlite::Error> {
    let value = match cell {
        Cell::Null => ValueRef::Null,
        Cell::Bool(v) => ValueRef::Integer((*v).into()),
        Cell::Int(v) => ValueRef::Integer(*v),
        Cell::Real(v) => ValueRef::Real(*v),
        Cell::Text(v) => ValueRef::Text(v.as_bytes()),
        Cell::Bytes(v) => ValueRef::Blob(v),
        Cell::Decimal(v, scale) => decimal(*v, *scale, scratch),
        Cell::UInt(v) => match i64::try_from(*v) {
            Ok(v) => ValueRef::Integer(v),
            Err(_) => {
                scratch.clear();
                scratch.extend_from_slice(v.to_string().as_bytes());
                ValueRef::Text(scratch)
            }
        },
        Cell::Timestamp(ticks, _) => {
            // Whole seconds need no fraction, whatever the type could hold.
            let digits = match ticks.rem_euclid(10_000_000) {
                0 => 0,
                rest if rest % 10_000 == 0 => 3,
                rest if rest % 10 == 0 => 6,
                _ => 7,
            };
            scratch.clear();
            cells::write_iso(&Cell::Timestamp(*ticks, digits), scratch);
            ValueRef::Text(scratch)
        }
        other => {
            scratch.clear();
            cells::write_iso(other, scratch);
            ValueRef::Text(scratch)
        }
    };
    statement.raw_bind_parameter(index, ToSqlOutput::Borrowed(value))
}

/// The integers below this one are doubles, every one, and so is the quotient of one and a power of ten up to this: the
/// one nearest to the decimal.
const EXACT: i128 = 1_000_000_000_000_000;
/// Powers of ten that are doubles.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

fn decimal(value: i128, scale: u8, scratch: &mut Vec<u8>) -> ValueRef<'_> {
    let divisor = 10_i128.pow(u32::from(scale).min(38));
    match POWERS.get(usize::from(scale)) {
        // 64 bits divide faster than 128.
        Some(power) if value.abs() < EXACT => match i64::try_from(divisor) {
            Ok(divisor) if value as i64 % divisor == 0 => ValueRef::Integer(value as i64 / divisor),
            _ if value == 0 => ValueRef::Integer(0),
            _ => ValueRef::Real(value as i64 as f64 / power),
        },
        _ => match i64::try_from(value / divisor) {
            Ok(whole) if value % divisor == 0 => ValueRef::Integer(whole),
            _ => {
                let mut text = String::new();
                cells::decimal_text(value, scale, &mut text);
                scratch.clear();
                scratch.extend_from_slice(text.as_bytes());
                ValueRef::Text(scratch)
            }
        },
    }
}

/// The parameters of statements that are run one after the other.
struct Given {
    params: Vec<Param>,
    /// How many statements took by their places.
    taken: usize,
}

impl Given {
    fn new(params: &[Param]) -> Given {
        Given { params: params.to_vec(), taken: 0 }
    }

    /// Binds what a statement takes: by name where there are names; `?1` by its number; `?` the next that no statement
    /// before it took. `behind` is what is still to be run: behind the last statement no parameter is left.
    fn bind(&mut self, statement: &mut Statement<'_>, behind: &str) -> Outcome<()> {
        let params = &self.params;
        if let Some(output) = params.iter().find(|p| matches!(p.direction, Direction::Output | Direction::ReturnValue))
        {
            let name = output.name.as_deref().unwrap_or("?");
            return Err(DbError::unsupported(format!("SQLite has no procedures, so {name} cannot be an output")));
        }
        if params.is_empty() {
            return Ok(());
        }
        let expected = statement.parameter_count();
        let names: Vec<Option<String>> =
            (1..=expected).map(|index| statement.parameter_name(index).map(str::to_owned)).collect();
        let by_name = params.iter().any(|p| p.name.is_some());
        let numbered = names.iter().flatten().any(|name| name.starts_with('?'));
        let before = if numbered { 0 } else { self.taken };
        for (at, name) in names.iter().enumerate() {
            let named = name.as_deref().filter(|name| !name.starts_with('?'));
            let place = match named {
                Some(name) if by_name => params.iter().position(|p| p.name.as_deref().is_some_and(|n| same(n, name))),
                _ => Some(before + at),
            };
            match place.and_then(|place| params.get(place)) {
                Some(param) => {
                    let column = cells::one(&param.value, &param.data_type)?;
                    let cell = Cells::of(&column, &param.data_type)?.get(0);
                    bind_cell(statement, at + 1, &cell, &mut Vec::new()).map_err(|e| failure(&e))?;
                }
                // A name that nobody gives is NULL.
                None if by_name => {}
                None => {
                    let left = params.len().saturating_sub(before);
                    let message = format!("the statement has {expected} parameters, and {left} are given");
                    return Err(said(ErrorKind::Statement, message));
                }
            }
        }
        if !by_name || names.iter().any(Option::is_none) {
            self.taken = self.taken.max(before + expected);
        }
        // Every statement has a word.
        if !by_name && self.taken < params.len() && words(behind).is_empty() {
            let message = format!("{} parameters are given, and the statement has {}", params.len(), self.taken);
            return Err(said(ErrorKind::Statement, message));
        }
        Ok(())
    }
}

/// Whether a parameter and the one in a statement have the same name, whatever sign it has.
fn same(given: &str, in_statement: &str) -> bool {
    let bare = |name: &str| name.trim_start_matches(['@', ':', '$']).to_owned();
    bare(given) == bare(in_statement)
}

impl SqliteSession {
    fn alive(&self) -> Outcome<()> {
        match self.cancelled.load(Ordering::Relaxed) {
            true => Err(said(ErrorKind::Cancelled, "interrupted")),
            false => Ok(()),
        }
    }

    /// What the table's declaration says of its columns.
    fn describe_table(&self, table: &TableName) -> Outcome<Vec<ColumnInfo>> {
        let sql = format!(
            "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo({})",
            literal(table.table())
        );
        let mut statement = self.connection.prepare_cached(&sql).map_err(|e| failure(&e))?;
        let rows = statement.query_map([], |row| {
            let (name, native): (String, String) = (row.get(0)?, row.get(1)?);
            let (not_null, default, key, hidden): (bool, Option<String>, i64, i64) =
                (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
            let row_id = key == 1 && native.eq_ignore_ascii_case("integer");
            Ok(ColumnInfo {
                name,
                data_type: types::declared(&native).unwrap_or(DataType::NText),
                nullable: Some(!not_null && key == 0),
                native,
                generated: row_id || hidden != 0,
                default,
            })
        });
        let columns: Result<Vec<ColumnInfo>, rusqlite::Error> = rows.map_err(|e| failure(&e))?.collect();
        let columns = columns.map_err(|e| failure(&e))?;
        if columns.is_empty() {
            return Err(said(ErrorKind::NoTable, format!("no such table: {}", table.table())));
        }
        Ok(columns)
    }

    fn waits(&self, patience: Duration) -> Outcome<()> {
        self.connection.busy_timeout(patience).map_err(|e| failure(&e))
    }

    fn simple(&mut self, sql: &str) -> Outcome<()> {
        self.connection.execute_batch(sql).map_err(|e| failure(&e))
    }
}

/// A text literal.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Session for SqliteSession {
    fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    fn server(&mut self) -> String {
        format!("SQLite {}", rusqlite::version())
    }

    fn execute(&mut self, sql: &str, params: &[Param], options: &StatementOptions) -> Outcome<Executed> {
        self.alive()?;
        let clock = Clock::start(&self.deadline, options.timeout);
        let before = self.connection.total_changes();
        let mut changes = false;
        let (mut given, mut rest) = (Given::new(params), sql);
        while !rest.is_empty() {
            let (statement, behind) = cursor::first(&self.connection, rest).map_err(|e| clock.failure(&e))?;
            rest = behind;
            let Some(mut statement) = statement else { continue };
            changes |= !statement.readonly();
            given.bind(&mut statement, rest)?;
            let mut rows = statement.raw_query();
            while rows.next().map_err(|e| clock.failure(&e))?.is_some() {}
        }
        let rows = changes.then(|| self.connection.total_changes() - before);
        let outputs = params.iter().map(|_| Value::Null).collect();
        Ok(Executed { rows, outputs })
    }

    fn execute_rows(
        &mut self,
        sql: &str,
        rows: &Rows,
        types: &[DataType],
        options: &StatementOptions,
    ) -> Outcome<Vec<RowFailure>> {
        self.alive()?;
        let clock = Clock::start(&self.deadline, options.timeout);
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| clock.failure(&e))?;
        if statement.parameter_count() != rows.columns.len() {
            let (has, given) = (statement.parameter_count(), rows.columns.len());
            return Err(said(
                ErrorKind::Statement,
                format!("the statement has {has} parameters, and {given} are given"),
            ));
        }
        let cells = rows.columns.iter().zip(types).map(|(c, t)| Cells::of(c, t)).collect::<Outcome<Vec<_>>>()?;
        let (mut failures, mut scratch) = (Vec::new(), Vec::with_capacity(64));
        let open = self.in_transaction();
        for row in 0..rows.len {
            for (at, column) in cells.iter().enumerate() {
                let bound = bind_cell(&mut statement, at + 1, &column.get(row), &mut scratch);
                bound.map_err(|e| clock.failure(&e))?;
            }
            let mut results = statement.raw_query();
            let done = loop {
                match results.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(clock.failure(&error)),
                }
            };
            match done {
                Ok(()) => {}
                Err(error) if open && !self.in_transaction() => {
                    // ON CONFLICT ROLLBACK, RAISE(ROLLBACK), no room on the disk.
                    let message =
                        format!("{}; that ended the transaction, and undid what was done in it", error.message);
                    return Err(DbError { kind: ErrorKind::Undone, message, ..error });
                }
                Err(error) if matches!(error.kind, ErrorKind::Constraint | ErrorKind::Value | ErrorKind::Statement) => {
                    failures.push(RowFailure { row, error });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(failures)
    }

    fn query<'s>(
        &'s mut self,
        sql: &str,
        params: &[Param],
        options: &StatementOptions,
    ) -> Outcome<Box<dyn Cursor + 's>> {
        self.alive()?;
        let clock = Clock::start(&self.deadline, options.timeout);
        cursor::open(&self.connection, sql, params, options, clock, self.cancelled.clone())
    }

    fn describe(&mut self, relation: &Relation<'_>) -> Outcome<Vec<ColumnInfo>> {
        self.alive()?;
        match relation {
            Relation::Table(table) => self.describe_table(table),
            Relation::Query(sql) => {
                let mut batch = Batch::new(&self.connection, sql);
                let mut columns = Vec::new();
                // The first statement that yields rows is the one that is meant.
                while let Some(statement) = batch.next().map_err(|e| failure(&e))? {
                    columns = cursor::described(&statement);
                    if !columns.is_empty() {
                        break;
                    }
                }
                Ok(columns)
            }
        }
    }

    fn loader<'s>(
        &'s mut self,
        table: &TableName,
        columns: &[LoadColumn],
        options: &LoadOptions,
    ) -> Outcome<Box<dyn Loader + 's>> {
        self.alive()?;
        let known = self.describe_table(table)?;
        loader::open(self, table, columns, &known, options)
    }

    fn begin(&mut self) -> Outcome<()> {
        self.alive()?;
        self.simple("BEGIN IMMEDIATE")?;
        // Who writes needs no lock any more before the commit, but the one to write early what the cache has no room for:
        // if somebody is reading, that is not worth waiting for.
        self.waits(Duration::ZERO)
    }

    fn commit(&mut self) -> Outcome<()> {
        self.waits(self.patience)?;
        self.simple("COMMIT")
    }

    fn commit_soon(&mut self) -> Outcome<bool> {
        match self.simple("COMMIT") {
            Ok(()) => self.waits(self.patience).map(|()| true),
            // Somebody is reading: the transaction stays as it is.
            Err(error) if error.kind == ErrorKind::Busy && self.in_transaction() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn isolates_rows(&self) -> bool {
        true
    }

    fn sees_to_defaults(&self) -> bool {
        true
    }

    fn rollback(&mut self) -> Outcome<()> {
        self.waits(self.patience)?;
        self.simple("ROLLBACK")
    }

    fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    fn canceller(&self) -> Canceller {
        let (handle, cancelled) = (self.connection.get_interrupt_handle(), self.cancelled.clone());
        Canceller::new(move || {
            cancelled.store(true, Ordering::Relaxed);
            handle.interrupt();
        })
    }

    fn resume(&mut self) {
        self.cancelled.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
