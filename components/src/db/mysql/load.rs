//! What is run for many rows: in one bulk execution where the server has that (MariaDB), by INSERTs of several rows, or row
//! by row.
//!
//! A bulk execution costs about what LOAD DATA does, and unlike that it refuses what it cannot take. What fails is undone, by
//! a savepoint before it, and its rows are run again in smaller pieces, down to single ones, so that each row is there once
//! or told. Rows of tables whose engine undoes nothing go in one by one.

use super::wire::{COM_STMT_BULK_EXECUTE, Reply};
use super::{MySqlSession, fatal, values};
use crate::db::cells::{Cell, Cells};
use crate::db::error::{DbError, Outcome};
use crate::db::rows::Rows;
use crate::db::session::{LoadColumn, LoadOptions, Loader, RowFailure, Session};
use crate::db::table_name::TableName;
use dtsx_engine::types::DataType;

/// Rows that go together at most.
const MOST_ROWS: usize = 8192;
/// Rows of one INSERT at most.
const MOST_INSERTED: usize = 1000;
/// Bytes that go together, about.
const MOST_BYTES: usize = 4 << 20;
/// Pieces of so many rows are run one by one.
const FEW: usize = 8;
/// The savepoint before what may fail.
const BEFORE: &str = "dtsx_row";
/// The types of the parameters are sent along.
const WITH_TYPES: u16 = 128;

/// A statement and the rows of its parameters.
struct Batch<'b> {
    sql: &'b str,
    cells: Vec<Cells<'b>>,
    kinds: Vec<[u8; 2]>,
    /// Whether each row of parameters makes one row of a table, so that counting them is a check.
    inserts: bool,
}

impl<'b> Batch<'b> {
    fn of(sql: &'b str, rows: &'b Rows, types: &[DataType], inserts: bool) -> Outcome<Batch<'b>> {
        let cells = rows.columns.iter().zip(types).map(|(c, t)| Cells::of(c, t)).collect::<Outcome<Vec<_>>>()?;
        Ok(Batch { sql, cells, kinds: types.iter().map(values::kind).collect(), inserts })
    }

    fn row(&self, row: usize) -> impl Iterator<Item = Cell<'b>> {
        self.cells.iter().map(move |c| c.get(row))
    }
}

/// Runs a statement once for each row.
pub(super) fn execute_rows(
    session: &mut MySqlSession,
    sql: &str,
    rows: &Rows,
    types: &[DataType],
) -> Outcome<Vec<RowFailure>> {
    let batch = Batch::of(sql, rows, types, false)?;
    session.prepare(sql, batch.kinds.len())?;
    let first = sql.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
    // Other statements than these have no bulk execution.
    let known = ["INSERT", "UPDATE", "DELETE", "REPLACE"].iter().any(|word| first.eq_ignore_ascii_case(word));
    let bulk = known && session.wire.bulk && session.in_transaction();
    let mut failures = Vec::new();
    if bulk {
        piece(session, &batch, (0, rows.len), &mut failures)?;
    } else {
        (0..rows.len).try_for_each(|row| single(session, &batch, row, !known, &mut failures))?;
    }
    Ok(failures)
}

/// Runs rows together; in parts, where they cannot be.
fn piece(
    session: &mut MySqlSession,
    batch: &Batch<'_>,
    (mut from, to): (usize, usize),
    failures: &mut Vec<RowFailure>,
) -> Outcome<()> {
    while from < to {
        let (payload, end) = bulk(session, batch, (from, to))?;
        if end - from < 2 {
            single(session, batch, from, false, failures)?;
            from += 1;
            continue;
        }
        session.savepoint(BEFORE).map_err(|e| e.of_transaction(None))?;
        match together(session, &payload) {
            Ok(count) if !batch.inserts || count == (end - from) as u64 => {
                session.release(BEFORE).map_err(|e| e.of_transaction(None))?;
            }
            Err(error) if fatal(&error) => return Err(error),
            done => {
                drop(payload);
                session.rollback_to(BEFORE).map_err(|e| e.of_transaction(done.as_ref().err()))?;
                apart(session, batch, (from, end), failures)?;
            }
        }
        from = end;
    }
    Ok(())
}

/// Runs rows again that failed together.
fn apart(
    session: &mut MySqlSession,
    batch: &Batch<'_>,
    (from, to): (usize, usize),
    failures: &mut Vec<RowFailure>,
) -> Outcome<()> {
    if to - from <= FEW {
        return (from..to).try_for_each(|row| single(session, batch, row, false, failures));
    }
    let middle = from + (to - from) / 2;
    piece(session, batch, (from, middle), failures)?;
    piece(session, batch, (middle, to), failures)
}

/// A bulk execution of rows from the first of them on, and behind which row it ends.
fn bulk(session: &mut MySqlSession, batch: &Batch<'_>, (from, to): (usize, usize)) -> Outcome<(Vec<u8>, usize)> {
    let longest = session.limits()?.0;
    let id = session.prepare(batch.sql, batch.kinds.len())?;
    let mut payload = Vec::with_capacity(MOST_BYTES.min(longest) / 4);
    payload.push(COM_STMT_BULK_EXECUTE);
    payload.extend_from_slice(&id.to_le_bytes());
    payload.extend_from_slice(&WITH_TYPES.to_le_bytes());
    batch.kinds.iter().for_each(|kind| payload.extend_from_slice(kind));
    let (mut scratch, mut end, room) = (String::new(), from, MOST_BYTES.min(longest));
    while end < to && end - from < MOST_ROWS {
        let before = payload.len();
        for (kind, cell) in batch.kinds.iter().zip(batch.row(end)) {
            values::write_marked(*kind, &cell, &mut scratch, &mut payload);
        }
        if payload.len() > room {
            payload.truncate(before);
            break;
        }
        end += 1;
    }
    Ok((payload, end))
}

/// Sends an execution, and reads what came of it: rows affected.
fn together(session: &mut MySqlSession, payload: &[u8]) -> Outcome<u64> {
    session.wire.send(&[payload])?;
    ended(session)
}

/// Reads an answer to its end; rows affected.
fn ended(session: &mut MySqlSession) -> Outcome<u64> {
    let mut count = 0;
    loop {
        match session.wire.reply()? {
            Reply::Done(rows) => count = rows.saturating_add(count),
            Reply::Rows { .. } => session.wire.skip_rows()?,
        }
        if !session.wire.has_more() {
            return Ok(count);
        }
    }
}

/// Runs one row. `guarded`: what the statement did before it failed is undone.
fn single(
    session: &mut MySqlSession,
    batch: &Batch<'_>,
    row: usize,
    guarded: bool,
    failures: &mut Vec<RowFailure>,
) -> Outcome<()> {
    match flat(session, batch, batch.sql, (row, row + 1), guarded) {
        Ok(()) => {}
        Err(error) if fatal(&error) => return Err(error),
        Err(error) => {
            let error = session.told(error);
            failures.push(RowFailure { row, error });
        }
    }
    Ok(())
}

/// Runs a statement whose parameters are the values of all these rows.
fn flat(
    session: &mut MySqlSession,
    batch: &Batch<'_>,
    sql: &str,
    (from, to): (usize, usize),
    guarded: bool,
) -> Outcome<()> {
    let id = session.prepare(sql, batch.kinds.len() * (to - from))?;
    let cells: Vec<Cell<'_>> = (from..to).flat_map(|row| batch.row(row)).collect();
    let guarded = guarded && session.in_transaction();
    if guarded {
        session.savepoint(BEFORE).map_err(|e| e.of_transaction(None))?;
    }
    let done = session.execute_prepared(id, &batch.kinds, &cells).and_then(|()| ended(session));
    match done {
        Ok(_) if guarded => session.release(BEFORE).map_err(|e| e.of_transaction(None)),
        Ok(_) => Ok(()),
        Err(error) => {
            if guarded && !fatal(&error) {
                session.rollback_to(BEFORE).map_err(|e| e.of_transaction(Some(&error)))?;
            }
            Err(error)
        }
    }
}

/// How the rows of a table are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Manner {
    Bulk,
    /// INSERTs of several rows.
    Several,
    OneByOne,
}

impl Manner {
    pub(super) fn of(session: &mut MySqlSession, table: &TableName) -> Outcome<Manner> {
        Ok(match session.undoes(table)? {
            false => Manner::OneByOne,
            true if session.wire.bulk && session.in_transaction() => Manner::Bulk,
            true => Manner::Several,
        })
    }
}

impl MySqlSession {
    /// Whether a statement that fails leaves nothing in a table. Engines without transactions keep the rows before the one
    /// that failed, and no savepoint takes them away.
    fn undoes(&mut self, table: &TableName) -> Outcome<bool> {
        let spelled = self.dialect.table(table);
        if let Some((_, undoes)) = self.known.engine.as_ref().filter(|(known, _)| *known == spelled) {
            return Ok(*undoes);
        }
        let (schema, name) = self.in_catalog(table);
        // A view has no engine: it is not known what is behind it.
        let sql = format!(
            "SELECT 'yes' FROM information_schema.TABLES t JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
             WHERE e.TRANSACTIONS = 'YES' AND t.TABLE_SCHEMA = {schema} AND t.TABLE_NAME = {name}"
        );
        let undoes = !self.texts(&sql)?.is_empty();
        self.known.engine = Some((spelled, undoes));
        Ok(undoes)
    }
}

/// Loads rows.
pub(super) struct MySqlLoader<'s> {
    session: &'s mut MySqlSession,
    table: TableName,
    names: Vec<String>,
    types: Vec<DataType>,
    manner: Manner,
    /// The INSERT of one row.
    one: String,
    /// The sql_mode to go back to, where the server's changes values that do not fit instead of refusing them.
    mode: Option<String>,
}

impl<'s> MySqlLoader<'s> {
    pub(super) fn open(
        session: &'s mut MySqlSession,
        table: &TableName,
        columns: &[LoadColumn],
        options: &LoadOptions,
        manner: Manner,
    ) -> Outcome<MySqlLoader<'s>> {
        session.set_timeout(options.timeout)?;
        let mode = session.limits()?.1.clone();
        let strict = mode.split(',').any(|m| matches!(m, "STRICT_ALL_TABLES" | "STRICT_TRANS_TABLES" | "TRADITIONAL"));
        let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
        let one = session.dialect.insert(table, names.iter().map(String::as_str), 1);
        if !strict {
            session.simple("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')")?;
        }
        Ok(MySqlLoader {
            session,
            table: table.clone(),
            names,
            types: columns.iter().map(|c| c.data_type).collect(),
            manner,
            one,
            mode: (!strict).then_some(mode),
        })
    }

    /// INSERTs of several rows; one by one where one of them fails, to find out which.
    fn several(&mut self, batch: &Batch<'_>, rows: usize, failures: &mut Vec<RowFailure>) -> Outcome<()> {
        let most = (self.session.dialect.max_parameters / self.names.len().max(1)).clamp(1, MOST_INSERTED);
        let longest = self.session.limits()?.0;
        let mut from = 0;
        while from < rows {
            let to = self.fitting(batch, from, rows.min(from + most), longest);
            let sql = self.session.dialect.insert(&self.table, self.names.iter().map(String::as_str), to - from);
            match flat(self.session, batch, &sql, (from, to), to - from > 1) {
                Ok(()) => {}
                Err(error) if fatal(&error) => return Err(error),
                Err(error) if to - from == 1 => failures.push(RowFailure { row: from, error }),
                Err(_) => (from..to).try_for_each(|row| single(self.session, batch, row, false, failures))?,
            }
            from = to;
        }
        Ok(())
    }

    /// How many rows from `from` on fit into a packet.
    fn fitting(&self, batch: &Batch<'_>, from: usize, to: usize, longest: usize) -> usize {
        let length = |cell: Cell<'_>| match cell {
            Cell::Text(text) => text.len() + 9,
            Cell::Bytes(bytes) => bytes.len() + 9,
            _ => 48,
        };
        let mut bytes = 1024;
        for row in from..to {
            bytes += batch.row(row).map(length).sum::<usize>() + 3 * batch.kinds.len();
            if bytes > longest.min(MOST_BYTES) {
                return row.max(from + 1);
            }
        }
        to
    }

    fn load(&mut self, rows: &Rows) -> Outcome<Vec<RowFailure>> {
        let (one, types) = (self.one.clone(), self.types.clone());
        let batch = Batch::of(&one, rows, &types, true)?;
        let mut failures = Vec::new();
        match self.manner {
            Manner::Bulk if self.session.in_transaction() => {
                piece(self.session, &batch, (0, rows.len), &mut failures)?;
            }
            Manner::Bulk | Manner::Several => self.several(&batch, rows.len, &mut failures)?,
            Manner::OneByOne => {
                (0..rows.len).try_for_each(|row| single(self.session, &batch, row, false, &mut failures))?;
            }
        }
        Ok(failures)
    }
}

impl Loader for MySqlLoader<'_> {
    fn write(&mut self, rows: &Rows) -> Outcome<Vec<RowFailure>> {
        self.session.alive()?;
        self.load(rows).map_err(|e: DbError| self.session.told(e))
    }

    fn finish(self: Box<Self>) -> Outcome<()> {
        Ok(())
    }
}

impl Drop for MySqlLoader<'_> {
    fn drop(&mut self) {
        if let Some(mode) = self.mode.take() {
            // A connection that broke has no mode any more.
            let _ = self.session.simple(&format!("SET SESSION sql_mode = '{mode}'"));
        }
    }
}
