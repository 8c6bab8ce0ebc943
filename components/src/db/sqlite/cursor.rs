//! Reading rows of SQLite.

use super::super::error::{ErrorKind, Outcome};
use super::super::intake::{Intake, Stored};
use super::super::rows::{RowBlock, Rows};
use super::super::session::{ColumnInfo, Cursor, Executed, Param, StatementOptions};
use super::{Clock, Given, failure, said, types};
use dtsx_engine::types::{DataType, Value};
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::{Value as Owned, ValueRef};
use rusqlite::{Batch, CachedStatement, Connection, Row, Statement};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A statement that is kept for the next time, or one of a batch that is not.
enum Prepared<'c> {
    Kept(CachedStatement<'c>),
    Once(Statement<'c>),
}

impl<'c> Deref for Prepared<'c> {
    type Target = Statement<'c>;

    fn deref(&self) -> &Statement<'c> {
        match self {
            Prepared::Kept(statement) => statement,
            Prepared::Once(statement) => statement,
        }
    }
}

impl<'c> DerefMut for Prepared<'c> {
    fn deref_mut(&mut self) -> &mut Statement<'c> {
        match self {
            Prepared::Kept(statement) => statement,
            Prepared::Once(statement) => statement,
        }
    }
}

struct SqliteCursor<'c> {
    connection: &'c Connection,
    statement: Option<Prepared<'c>>,
    /// The statements behind it, and the parameters of all.
    rest: String,
    given: Given,
    columns: Vec<ColumnInfo>,
    /// What is asked for, by column; None in a place: nobody reads it. Empty: nobody has asked.
    wished: Vec<Option<DataType>>,
    /// The row that was stepped to before the types of its columns were known.
    first: Option<Vec<Owned>>,
    block_rows: usize,
    block_bytes: usize,
    done: bool,
    clock: Clock,
    cancelled: Arc<AtomicBool>,
}

/// The declared columns of a statement.
pub(super) fn described(statement: &Statement<'_>) -> Vec<ColumnInfo> {
    let column = |c: &rusqlite::Column<'_>| {
        let native = c.decl_type().unwrap_or("").to_owned();
        let data_type = types::declared(&native).unwrap_or(DataType::NText);
        ColumnInfo { native, ..ColumnInfo::new(c.name(), data_type) }
    };
    statement.columns().map(|c| column(&c)).collect()
}

/// Runs the statement up to its first row.
pub(super) fn open<'c>(
    connection: &'c Connection,
    sql: &str,
    params: &[Param],
    options: &StatementOptions,
    clock: Clock,
    cancelled: Arc<AtomicBool>,
) -> Outcome<Box<dyn Cursor + 'c>> {
    let mut given = Given::new(params);
    let (statement, rest) = prepare(connection, sql, &mut given, &clock)?;
    let mut cursor = SqliteCursor {
        connection,
        rest,
        given,
        columns: statement.as_ref().map(|s| described(s)).unwrap_or_default(),
        done: statement.is_none(),
        statement,
        wished: Vec::new(),
        first: None,
        block_rows: options.block_rows.max(1),
        block_bytes: options.block_bytes.max(1),
        clock,
        cancelled,
    };
    cursor.step_to_first()?;
    Ok(Box::new(cursor))
}

/// The statement of a batch that yields rows, bound, and the statements behind it; those before it are run.
fn prepare<'c>(
    connection: &'c Connection,
    sql: &str,
    given: &mut Given,
    clock: &Clock,
) -> Outcome<(Option<Prepared<'c>>, String)> {
    match connection.prepare_cached(sql) {
        Ok(mut statement) => {
            given.bind(&mut statement, "")?;
            Ok((Some(Prepared::Kept(statement)), String::new()))
        }
        Err(rusqlite::Error::MultipleStatement) => several(connection, sql, given, clock),
        Err(error) => Err(clock.failure(&error)),
    }
}

/// The same of several statements, or of none.
fn several<'c>(
    connection: &'c Connection,
    sql: &str,
    given: &mut Given,
    clock: &Clock,
) -> Outcome<(Option<Prepared<'c>>, String)> {
    let mut rest = sql;
    while !rest.is_empty() {
        let (statement, behind) = first(connection, rest).map_err(|e| clock.failure(&e))?;
        rest = behind;
        let Some(mut statement) = statement else { continue };
        given.bind(&mut statement, rest)?;
        if statement.column_count() > 0 {
            return Ok((Some(Prepared::Once(statement)), rest.to_owned()));
        }
        let mut rows = statement.raw_query();
        while rows.next().map_err(|e| clock.failure(&e))?.is_some() {}
    }
    Ok((None, String::new()))
}

/// The first statement of several, and what stands behind it. None: there is nothing but blanks and comments.
pub(super) fn first<'c, 's>(
    connection: &'c Connection,
    sql: &'s str,
) -> Result<(Option<Statement<'c>>, &'s str), rusqlite::Error> {
    let mut from = 0;
    while let Some(end) = semicolon(sql, from) {
        match Batch::new(connection, &sql[..end]).next() {
            // A trigger has semicolons of its own.
            Err(error) if error.to_string().contains("incomplete input") => from = end,
            prepared => return prepared.map(|statement| (statement, &sql[end..])),
        }
    }
    Batch::new(connection, sql).next().map(|statement| (statement, ""))
}

/// Behind the first semicolon from `from` on that stands in no literal, name or comment.
fn semicolon(sql: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = &sql[at..];
        let next = rest.find([';', '\'', '"', '`', '[', '-', '/'])?;
        let found = &rest[next..];
        let behind = |text: &str, skip: usize| found[skip..].find(text).map_or(found.len(), |e| skip + e + text.len());
        at += next;
        at += match found.as_bytes() {
            [b';', ..] => return Some(at + 1),
            [b'[', ..] => behind("]", 1),
            [b'-', b'-', ..] => behind("\n", 2),
            [b'/', b'*', ..] => behind("*/", 2),
            [quote @ (b'\'' | b'"' | b'`'), ..] => behind(char::from(*quote).encode_utf8(&mut [0; 4]), 1),
            _ => 1,
        };
    }
}

fn stored(value: ValueRef<'_>) -> Stored<'_> {
    match value {
        ValueRef::Null => Stored::Null,
        ValueRef::Integer(v) => Stored::Int(v),
        ValueRef::Real(v) => Stored::Real(v),
        ValueRef::Text(v) => Stored::Text(v),
        ValueRef::Blob(v) => Stored::Blob(v),
    }
}

fn owned(value: &Owned) -> Stored<'_> {
    match value {
        Owned::Null => Stored::Null,
        Owned::Integer(v) => Stored::Int(*v),
        Owned::Real(v) => Stored::Real(*v),
        Owned::Text(v) => Stored::Text(v.as_bytes()),
        Owned::Blob(v) => Stored::Blob(v),
    }
}

fn size(stored: &Stored<'_>) -> usize {
    match stored {
        Stored::Text(bytes) | Stored::Blob(bytes) => bytes.len() + 16,
        _ => 8,
    }
}

impl SqliteCursor<'_> {
    /// Goes to the first row, which says what columns without a declaration hold.
    fn step_to_first(&mut self) -> Outcome<()> {
        let Some(statement) = &mut self.statement else { return Ok(()) };
        let width = statement.column_count();
        let mut rows = statement.raw_query();
        let first = match rows.next() {
            Ok(Some(row)) => {
                let values: Result<Vec<Owned>, _> = (0..width).map(|at| row.get::<_, Owned>(at)).collect();
                Some(values.map_err(|e| failure(&e))?)
            }
            Ok(None) => None,
            Err(error) => return Err(self.clock.failure(&error)),
        };
        // Dropping it would begin the statement anew.
        std::mem::forget(rows);
        self.done = first.is_none();
        for (at, column) in self.columns.iter_mut().enumerate() {
            let declared = types::declared(&column.native);
            column.data_type = match (declared, first.as_ref().map(|row| &row[at])) {
                (Some(declared), _) => types::delivered(declared),
                (None, Some(Owned::Integer(_))) => DataType::I8,
                (None, Some(Owned::Real(_))) => DataType::R8,
                (None, Some(Owned::Blob(_))) => DataType::Image,
                (None, _) => DataType::NText,
            };
        }
        self.first = first;
        Ok(())
    }

    fn intakes(&self) -> Outcome<Vec<Intake>> {
        let column = |(at, column): (usize, &ColumnInfo)| match self.wished.get(at) {
            None => Intake::new(Some(column.data_type), true, self.block_rows),
            Some(wished) => Intake::new(*wished, false, self.block_rows),
        };
        self.columns.iter().enumerate().map(column).collect()
    }
}

fn take(intakes: &mut [Intake], row: &Row<'_>) -> Outcome<usize> {
    let mut bytes = 0;
    for (at, intake) in intakes.iter_mut().enumerate() {
        let value = stored(row.get_ref(at).map_err(|e| failure(&e))?);
        bytes += size(&value);
        intake.push(value)?;
    }
    Ok(bytes)
}

impl Cursor for SqliteCursor<'_> {
    fn columns(&self) -> &[ColumnInfo] {
        &self.columns
    }

    fn wish(&mut self, types: &[Option<DataType>]) -> Outcome<()> {
        self.wished = types.to_vec();
        for (column, wished) in self.columns.iter_mut().zip(types) {
            column.data_type = wished.unwrap_or(column.data_type);
        }
        Ok(())
    }

    fn next_block(&mut self) -> Outcome<Option<Box<dyn RowBlock>>> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(said(ErrorKind::Cancelled, "interrupted"));
        }
        if self.done && self.first.is_none() {
            return Ok(None);
        }
        self.clock.again();
        let mut intakes = self.intakes()?;
        let (mut len, mut bytes) = (0, 0);
        if let Some(first) = self.first.take() {
            for (intake, value) in intakes.iter_mut().zip(&first) {
                intake.push(owned(value))?;
            }
            len = 1;
        }
        if let Some(statement) = self.statement.as_mut().filter(|_| !self.done) {
            let mut rows = statement.raw_query();
            while len < self.block_rows && bytes < self.block_bytes {
                match rows.next() {
                    Ok(Some(row)) => bytes += take(&mut intakes, row)?,
                    Ok(None) => {
                        self.done = true;
                        break;
                    }
                    Err(error) => return Err(self.clock.failure(&error)),
                }
                len += 1;
            }
            // Dropping it would begin the statement anew.
            std::mem::forget(rows);
        }
        if len == 0 {
            return Ok(None);
        }
        let mut rows = Rows { len, ..Rows::default() };
        for intake in intakes {
            let (array, faults) = intake.finish()?;
            rows.columns.push(array);
            rows.faults.push(faults);
        }
        Ok(Some(Box::new(rows)))
    }

    fn next_result(&mut self) -> Outcome<bool> {
        if let Some(mut statement) = self.statement.take() {
            drop(statement.raw_query());
        }
        let rest = std::mem::take(&mut self.rest);
        self.clock.again();
        let (statement, rest) = several(self.connection, &rest, &mut self.given, &self.clock)?;
        (self.done, self.first) = (statement.is_none(), None);
        self.columns = statement.as_ref().map(|s| described(s)).unwrap_or_default();
        self.wished.clear();
        (self.statement, self.rest) = (statement, rest);
        self.step_to_first()?;
        Ok(self.statement.is_some())
    }

    fn finish(mut self: Box<Self>) -> Outcome<Executed> {
        while self.next_result()? {}
        Ok(Executed { rows: None, outputs: self.given.params.iter().map(|_| Value::Null).collect() })
    }
}

impl Drop for SqliteCursor<'_> {
    fn drop(&mut self) {
        // What was forgotten is made good: the statement lets go of its locks.
        if let Some(statement) = &mut self.statement {
            drop(statement.raw_query());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons_of_their_own() {
        for (sql, expected) in [
            ("select 1; select 2", Some(9)),
            ("select ';', \"a;\", [b;], `c;` -- ;\n /* ; */ ; x", Some(44)),
            ("select 1 - 2 / 3", None),
            ("select 'it''s;'", None),
            ("select '", None),
        ] {
            assert_eq!(semicolon(sql, 0), expected, "{sql}");
        }
    }
}
