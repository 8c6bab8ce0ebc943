//! Many rows of parameters for one statement: in arrays where the driver is good at them, else row by row; loads by arrays,
//! or by INSERTs of several rows.
//!
//! What a driver says of an array decides nothing by itself. An array is run within a savepoint: if anything is amiss, all of
//! it is undone and its rows are run again in smaller pieces, down to single ones, so that each row is there once or told,
//! and those before and after it are as they would be alone. What the driver said only tells where to cut. Without a
//! transaction around, rows are run one by one.

use super::OdbcSession;
use super::ffi::{Statement, UNTOUCHED};
use super::habits::{Arrays, Text};
use super::reader::OdbcCursor;
use super::types;
use crate::db::cells::{Cell, Cells};
use crate::db::dialect::Family;
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::rows::Rows;
use crate::db::session::{Cursor, LoadColumn, LoadOptions, Loader, RowFailure, Session, StatementOptions};
use crate::db::table_name::TableName;
use dtsx_engine::types::{DataType, Value};
use odbc_sys::ParamType;

/// How many rows an INSERT has at most: SQL Server allows no more.
const MOST_ROWS: usize = 1000;
/// How many rows an array has at most.
const LONGEST_ARRAY: usize = 8192;
/// Bytes of an array's buffers, about.
const ARRAY_BYTES: usize = 4 << 20;
/// Pieces of so many rows are run one by one.
const FEW: usize = 8;
/// Results of one statement that are waited for.
const MOST_RESULTS: usize = 10_000;
/// The savepoint before what may fail.
const BEFORE: &str = "dtsx_row";

/// SQL_PARAM_SUCCESS, SQL_PARAM_ERROR, SQL_PARAM_SUCCESS_WITH_INFO.
const SUCCESS: u16 = 0;
const ERROR: u16 = 5;
const SUCCESS_WITH_INFO: u16 = 6;

/// What ends a run of many rows, and is not the fault of one of them. What may have undone the rows before it is, too: a
/// deadlock ends the whole transaction.
fn fatal(error: &DbError) -> bool {
    use ErrorKind as K;
    matches!(error.kind, K::Lost | K::Cancelled | K::Timeout | K::Busy | K::Undone | K::NoTable | K::Connect)
}

/// A statement and the rows of its parameters.
struct Batch<'b> {
    /// For one row of parameters.
    sql: &'b str,
    cells: Vec<Cells<'b>>,
    types: &'b [DataType],
    options: &'b StatementOptions,
    /// Whether each row of parameters makes one row of a table, so that counting them is a check.
    inserts: bool,
}

impl<'b> Batch<'b> {
    fn of(
        sql: &'b str,
        rows: &'b Rows,
        types: &'b [DataType],
        options: &'b StatementOptions,
        inserts: bool,
    ) -> Outcome<Batch<'b>> {
        let cells = rows.columns.iter().zip(types).map(|(c, t)| Cells::of(c, t)).collect::<Outcome<Vec<_>>>()?;
        Ok(Batch { sql, cells, types, options, inserts })
    }

    /// The longest value of each column in some rows.
    fn lengths(&self, text: Text, from: usize, to: usize) -> Vec<usize> {
        let longest = |(column, data_type): (&Cells<'_>, &DataType)| match types::varies(data_type) {
            true => (from..to).map(|row| types::length(&column.get(row), text)).max().unwrap_or(0),
            false => 0,
        };
        self.cells.iter().zip(self.types).map(longest).collect()
    }

    /// How many rows from `at` make an array of a good size, and how long their values are.
    fn array(&self, text: Text, most_bytes: usize, at: usize, to: usize) -> (usize, Vec<usize>) {
        let mut count = (to - at).min(LONGEST_ARRAY);
        loop {
            let lengths = self.lengths(text, at, at + count);
            let width =
                |(data_type, longest): (&DataType, &usize)| types::parameter(*data_type, *longest, text).0.width;
            let bytes: usize = self.types.iter().zip(&lengths).map(width).sum::<usize>() + 8 * self.types.len();
            let fits = (most_bytes / bytes.max(1)).max(1);
            if count <= fits {
                return (count, lengths);
            }
            count = fits;
        }
    }

    /// Binds rows as an array, a buffer a column.
    fn bind_array(
        &self,
        statement: &mut Statement,
        text: Text,
        lengths: &[usize],
        (from, to): (usize, usize),
    ) -> Outcome<()> {
        let mut bounds = Vec::with_capacity(self.cells.len());
        for ((column, data_type), longest) in self.cells.iter().zip(self.types).zip(lengths) {
            let (mut bound, slot) = types::bound(*data_type, *longest, to - from, ParamType::Input, text);
            for row in from..to {
                types::write(&slot, &mut bound.buffer, row - from, &column.get(row));
            }
            bounds.push(bound);
        }
        statement.bind_parameters(bounds, to - from)?;
        statement.forget_statuses();
        Ok(())
    }

    /// Binds rows as one row of parameters: their values one row after the other.
    fn bind_flat(&self, statement: &mut Statement, text: Text, (from, to): (usize, usize)) -> Outcome<()> {
        let mut bounds = Vec::with_capacity(self.cells.len() * (to - from));
        for row in from..to {
            for (column, data_type) in self.cells.iter().zip(self.types) {
                let cell: Cell<'_> = column.get(row);
                let (mut bound, slot) = types::bound(*data_type, types::length(&cell, text), 1, ParamType::Input, text);
                types::write(&slot, &mut bound.buffer, 0, &cell);
                bounds.push(bound);
            }
        }
        statement.bind_parameters(bounds, 1)
    }
}

/// What came of an array.
enum Came {
    /// Every row was run.
    Whole,
    /// None was: what happened is undone. These rows failed, as the driver says.
    Undone(Vec<usize>),
}

/// Runs all rows of a batch; tells those that failed, in order.
fn run(session: &mut OdbcSession, batch: &Batch<'_>, rows: usize) -> Outcome<Vec<RowFailure>> {
    let mut failures = Vec::new();
    piece(session, batch, (0, rows), &mut failures)?;
    Ok(failures)
}

fn piece(
    session: &mut OdbcSession,
    batch: &Batch<'_>,
    (mut from, to): (usize, usize),
    failures: &mut Vec<RowFailure>,
) -> Outcome<()> {
    while from < to {
        if to - from == 1 || !session.runs_arrays(batch.sql) {
            single(session, batch, from, failures)?;
            from += 1;
            continue;
        }
        let most_bytes = session.array_bytes();
        let (count, lengths) = batch.array(session.habits.text, most_bytes, from, to);
        if count > 1
            && let Came::Undone(failed) = array(session, batch, &lengths, (from, from + count))?
        {
            apart(session, batch, (from, from + count), &failed, failures)?;
        } else if count == 1 {
            single(session, batch, from, failures)?;
        }
        from += count;
    }
    Ok(())
}

/// Runs rows again that failed together.
fn apart(
    session: &mut OdbcSession,
    batch: &Batch<'_>,
    (from, to): (usize, usize),
    failed: &[usize],
    failures: &mut Vec<RowFailure>,
) -> Outcome<()> {
    if to - from <= FEW {
        return (from..to).try_for_each(|row| single(session, batch, row, failures));
    }
    if failed.is_empty() || failed.len() > (to - from) / 2 {
        let middle = from + (to - from) / 2;
        piece(session, batch, (from, middle), failures)?;
        return piece(session, batch, (middle, to), failures);
    }
    let mut at = from;
    for row in failed {
        piece(session, batch, (at, *row), failures)?;
        single(session, batch, *row, failures)?;
        at = row + 1;
    }
    piece(session, batch, (at, to), failures)
}

fn array(session: &mut OdbcSession, batch: &Batch<'_>, lengths: &[usize], (from, to): (usize, usize)) -> Outcome<Came> {
    session.savepoint(BEFORE).map_err(|e| e.of_transaction(None))?;
    let habits = session.habits;
    let statement = session.prepare(batch.sql, batch.options)?;
    let done = batch.bind_array(statement, habits.text, lengths, (from, to)).and_then(|()| drain(statement, to - from));
    statement.close();
    let (statuses, processed) = (statement.statuses().to_vec(), statement.processed());
    let told = statuses.iter().all(|s| matches!(*s, SUCCESS | SUCCESS_WITH_INFO)) && processed == to - from;
    match &done {
        Err(error) if fatal(error) => return Err(error.clone()),
        Ok(count) if told && (!batch.inserts || count.is_none_or(|n| n == (to - from) as u64)) => {
            session.release(BEFORE).map_err(|e| e.of_transaction(None))?;
            return Ok(Came::Whole);
        }
        Ok(_) if statuses.contains(&UNTOUCHED) => {
            // It says that all is well, and nothing of the rows: it does not know arrays.
            session.habits.arrays = Arrays::No;
        }
        _ => {}
    }
    session.rollback_to(BEFORE).map_err(|e| e.of_transaction(done.as_ref().err()))?;
    let failed = match habits.arrays {
        Arrays::Told => (from..to).zip(&statuses).filter(|(_, s)| **s == ERROR).map(|(row, _)| row).collect(),
        _ => Vec::new(),
    };
    Ok(Came::Undone(failed))
}

/// Runs what is bound, through all results: servers run the rows of an array while their results are read. How many rows of
/// tables were touched, where the driver says; the first failure, if there was one.
fn drain(statement: &mut Statement, rows: usize) -> Outcome<Option<u64>> {
    let (mut count, mut failure) = (None, None);
    let mut note = |statement: &mut Statement, result: Outcome<bool>| match result {
        Ok(_) => {
            if let Some(more) = statement.row_count() {
                *count.get_or_insert(0) += more;
            }
            Ok(())
        }
        Err(error) if fatal(&error) => Err(error),
        Err(error) => {
            failure.get_or_insert(error);
            Ok(())
        }
    };
    let result = statement.execute();
    note(statement, result)?;
    // A driver that never comes to an end is left after as many results as there can be.
    for _ in 0..MOST_RESULTS.max(2 * rows) {
        match statement.more_results() {
            Ok(false) => break,
            result => note(statement, result)?,
        }
    }
    match failure {
        None => Ok(count),
        Some(error) => Err(error),
    }
}

fn single(session: &mut OdbcSession, batch: &Batch<'_>, row: usize, failures: &mut Vec<RowFailure>) -> Outcome<()> {
    match flat(session, batch, batch.sql, (row, row + 1)) {
        Ok(()) => {}
        Err(error) if fatal(&error) => return Err(error),
        Err(error) => failures.push(RowFailure { row, error }),
    }
    Ok(())
}

/// Runs a statement whose parameters are the values of all these rows.
fn flat(session: &mut OdbcSession, batch: &Batch<'_>, sql: &str, rows: (usize, usize)) -> Outcome<()> {
    // In a transaction, what a statement did before it failed has to be undone; PostgreSQL's driver does that itself, and
    // gets confused if others do. A single row of other databases fails without a trace.
    let guarded = session.in_transaction()
        && session.dialect.family != Family::Postgres
        && (rows.1 - rows.0 > 1 || !batch.inserts);
    if guarded {
        session.savepoint(BEFORE).map_err(|e| e.of_transaction(None))?;
    }
    let text = session.habits.text;
    let statement = session.prepare(sql, batch.options)?;
    let done = batch.bind_flat(statement, text, rows).and_then(|()| drain(statement, rows.1 - rows.0));
    statement.close();
    match done {
        Ok(_) if guarded => session.release(BEFORE).map_err(|e| e.of_transaction(None)),
        Ok(_) => Ok(()),
        Err(error) if fatal(&error) => Err(error),
        Err(error) if guarded => {
            session.rollback_to(BEFORE).map_err(|e| e.of_transaction(Some(&error)))?;
            Err(error)
        }
        Err(error) if session.lost_its_transaction() => {
            let message = format!("{}; the server ended the transaction, and undid what was done in it", error.message);
            Err(DbError { kind: ErrorKind::Undone, message, ..error })
        }
        Err(error) => Err(error),
    }
}

impl OdbcSession {
    /// Whether rows for that statement go in arrays now.
    fn runs_arrays(&self, sql: &str) -> bool {
        // Other statements than these are refused by MariaDB's bulk execution.
        let first = sql.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
        let known = ["INSERT", "UPDATE", "DELETE", "REPLACE"].iter().any(|word| first.eq_ignore_ascii_case(word));
        self.in_transaction
            && match self.habits.arrays {
                Arrays::No => false,
                Arrays::Whole => known,
                Arrays::Told => true,
            }
    }
}

/// Runs a statement once for each row.
pub(super) fn execute_rows(
    session: &mut OdbcSession,
    sql: &str,
    rows: &Rows,
    types: &[DataType],
    options: &StatementOptions,
) -> Outcome<Vec<RowFailure>> {
    run(session, &Batch::of(sql, rows, types, options, false)?, rows.len)
}

/// Loads rows.
pub(super) struct OdbcLoader<'s> {
    session: &'s mut OdbcSession,
    table: TableName,
    names: Vec<String>,
    types: Vec<DataType>,
    /// Rows of one INSERT; None: arrays of one row's INSERT.
    rows: Option<usize>,
    table_lock: bool,
    keep_identity: bool,
    options: StatementOptions,
}

impl<'s> OdbcLoader<'s> {
    pub(super) fn open(
        session: &'s mut OdbcSession,
        table: &TableName,
        columns: &[LoadColumn],
        options: &LoadOptions,
    ) -> Outcome<OdbcLoader<'s>> {
        let dialect = session.dialect;
        let arrays = session.habits.arrays != Arrays::No && session.in_transaction;
        let rows = match (arrays, dialect.multi_row_insert && session.undoes(table)?) {
            (_, false) if dialect.multi_row_insert => Some(1),
            (true, _) => None,
            (false, true) => Some(MOST_ROWS.min(dialect.max_parameters / columns.len().max(1)).max(1)),
            (false, false) => Some(1),
        };
        Ok(OdbcLoader {
            session,
            table: table.clone(),
            names: columns.iter().map(|c| c.name.clone()).collect(),
            types: columns.iter().map(|c| c.data_type).collect(),
            rows,
            table_lock: options.table_lock,
            keep_identity: options.keep_identity,
            options: StatementOptions { timeout: options.timeout, ..StatementOptions::default() },
        })
    }

    fn insert(&self, rows: usize) -> String {
        let dialect = &self.session.dialect;
        let sql = dialect.insert(&self.table, self.names.iter().map(String::as_str), rows);
        let (name, hint) = (dialect.table(&self.table), dialect.load_hint(self.table_lock));
        if hint.is_empty() { sql } else { sql.replacen(&name, &format!("{name}{hint}"), 1) }
    }

    /// Says whether values of identity columns are given from now on.
    fn identity(&mut self, on: bool) -> Outcome<()> {
        match self.session.dialect.identity_insert(&self.table, on).filter(|_| self.keep_identity) {
            Some(sql) => self.session.execute(&sql, &[], &self.options).map(drop),
            None => Ok(()),
        }
    }

    fn load(&mut self, rows: &Rows) -> Outcome<Vec<RowFailure>> {
        let (types, one, options) = (self.types.clone(), self.insert(1), self.options.clone());
        let batch = Batch::of(&one, rows, &types, &options, true)?;
        let Some(most) = self.rows else { return run(self.session, &batch, rows.len) };
        let (full, mut failures, mut from) = (self.insert(most), Vec::new(), 0);
        while from < rows.len {
            let to = (from + most).min(rows.len);
            let last = if to - from == most { full.clone() } else { self.insert(to - from) };
            match flat(self.session, &batch, &last, (from, to)) {
                Ok(()) => {}
                Err(error) if fatal(&error) => return Err(error),
                Err(error) if to - from == 1 => failures.push(RowFailure { row: from, error }),
                // One by one, to find out which.
                Err(_) => (from..to).try_for_each(|row| single(self.session, &batch, row, &mut failures))?,
            }
            from = to;
        }
        Ok(failures)
    }
}

impl OdbcSession {
    /// Whether a statement that failed took its transaction along, as some failures and triggers do on SQL Server: what
    /// runs afterwards would begin another one.
    fn lost_its_transaction(&mut self) -> bool {
        if !self.in_transaction || self.dialect.family != Family::SqlServer {
            return false;
        }
        self.number("SELECT CAST(XACT_STATE() AS int)").ok().flatten().is_some_and(|state| state != 1)
    }

    /// How many bytes the buffers of an array may have. What MariaDB's driver makes of them, about as much, has to fit into
    /// a packet: a longer one ends the connection.
    fn array_bytes(&mut self) -> usize {
        if self.dialect.family != Family::MySql {
            return ARRAY_BYTES;
        }
        if let Some(known) = self.array_bytes {
            return known;
        }
        let packet = self.number("SELECT CAST(@@max_allowed_packet AS SIGNED)").ok().flatten();
        let bytes = packet.and_then(|n| usize::try_from(n).ok()).map_or(ARRAY_BYTES, |n| ARRAY_BYTES.min(n / 4 * 3));
        *self.array_bytes.insert(bytes)
    }

    /// The number that a query gives, if it gives one.
    pub(super) fn number(&self, sql: &str) -> Outcome<Option<i64>> {
        let options = StatementOptions::default();
        let mut statement = self.statement(&options)?;
        let running = self.told(self.manner().run(&mut statement, sql, &[]))?;
        let mut cursor = self.told(OdbcCursor::open(statement, running, &options, self.cancelled.clone()))?;
        let rows = cursor.next()?;
        let data_type = cursor.columns().first().map_or(DataType::I8, |c| c.data_type);
        let value = rows
            .filter(|rows| rows.len > 0)
            .and_then(|rows| dtsx_engine::types::scalar::value_at(rows.columns.first()?.as_ref(), &data_type, 0).ok());
        Ok(match value {
            Some(Value::I8(n)) => Some(n),
            Some(Value::I4(n)) => Some(n.into()),
            _ => None,
        })
    }

    /// Whether a statement that fails leaves nothing in a table. Those of MySQL's engines without transactions keep the
    /// rows before the one that failed, and no savepoint takes them away: their rows have to come one by one.
    fn undoes(&mut self, table: &TableName) -> Outcome<bool> {
        if self.dialect.family != Family::MySql {
            return Ok(true);
        }
        let name = self.dialect.table(table);
        if let Some((_, undoes)) = self.engine.as_ref().filter(|(known, _)| *known == name) {
            return Ok(*undoes);
        }
        let text = |name: &str| format!("'{}'", name.replace('\\', "\\\\").replace('\'', "''"));
        let schema = table.schema().filter(|s| !s.is_empty() && !s.eq_ignore_ascii_case("dbo"));
        let schema = schema.map_or_else(|| "DATABASE()".to_owned(), text);
        // A view has no engine: it is not known what is behind it.
        let sql = format!(
            "SELECT COUNT(*) FROM information_schema.TABLES t JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
             WHERE e.TRANSACTIONS = 'YES' AND t.TABLE_SCHEMA = {schema} AND t.TABLE_NAME = {}",
            text(table.table())
        );
        let undoes = self.number(&sql)?.is_some_and(|tables| tables > 0);
        self.engine = Some((name, undoes));
        Ok(undoes)
    }
}

impl Loader for OdbcLoader<'_> {
    fn write(&mut self, rows: &Rows) -> Outcome<Vec<RowFailure>> {
        self.identity(true)?;
        let failures = self.load(rows);
        // One table at a time may be given such values; after a connection that broke, nothing matters any more.
        let ended = self.identity(false);
        failures.and_then(|failures| ended.map(|()| failures))
    }

    fn finish(self: Box<Self>) -> Outcome<()> {
        Ok(())
    }
}
