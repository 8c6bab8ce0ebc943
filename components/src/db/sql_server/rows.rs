//! What is run for many rows: a statement that is prepared once, and run for each of them.
//!
//! A row that the server refuses is told, and the others are run nevertheless. Some failures end the transaction around
//! (a value that cannot be converted, a trigger that rolls back); then what was done before is gone, nothing may follow, and
//! that is what is told.

use super::values::Form;
use super::{SOURCE, SqlServerSession, failure, fatal, rewriting};
use crate::db::cells::{Cell, Cells};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::rows::Rows;
use crate::db::session::{RowFailure, Session, StatementOptions};
use crate::db::translate::{Word, words};
use dtsx_engine::types::DataType;
use mssql_tds::connection::tds_client::{PreparedStatement, StatementId};
use mssql_tds::message::parameters::rpc_parameters::RpcParameter;
use std::time::Duration;

/// The savepoint before what may fail.
const BEFORE: &str = "dtsx_row";

/// A statement that was prepared: its text as it came, how its parameters are sent, and what the server knows it by.
pub(super) struct Prepared {
    sql: String,
    prefix: &'static str,
    forms: Vec<Form>,
    /// How often the database had been changed: names are looked up where a statement is prepared.
    database: u64,
    statement: PreparedStatement,
}

/// A statement and the rows of its parameters.
pub(super) struct Batch<'b> {
    sql: &'b str,
    cells: Vec<Cells<'b>>,
    forms: Vec<Form>,
    timeout: Option<Duration>,
}

impl<'b> Batch<'b> {
    pub(super) fn of(
        sql: &'b str,
        rows: &'b Rows,
        types: &[DataType],
        options: &StatementOptions,
    ) -> Outcome<Batch<'b>> {
        let cells = rows.columns.iter().zip(types).map(|(c, t)| Cells::of(c, t)).collect::<Outcome<Vec<_>>>()?;
        let forms = cells.iter().zip(types).map(|(c, t)| Form::of(*t, (0..rows.len).map(|row| c.get(row)))).collect();
        Ok(Batch { sql, cells, forms, timeout: options.timeout })
    }

    /// For a statement that stores the values in columns.
    pub(super) fn storing(mut self) -> Batch<'b> {
        self.forms.iter_mut().for_each(|form| *form = form.stored());
        self
    }

    /// The parameters of some rows, with names that begin so.
    fn parameters(&self, prefix: &str, (from, to): (usize, usize)) -> Outcome<Vec<RpcParameter>> {
        let values = (from..to).flat_map(|row| self.cells.iter().zip(&self.forms).map(move |(c, f)| (c.get(row), f)));
        values
            .enumerate()
            .map(|(place, (cell, form)): (usize, (Cell<'_>, &Form))| {
                form.parameter(format!("{prefix}{}", place + 1), &cell, false)
            })
            .collect()
    }
}

/// What statements begin with that change rows.
const CHANGES: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "MERGE"];

/// Whether a statement leaves nothing of what it did when it fails: one that changes rows, and nothing behind it.
fn is_whole(sql: &str) -> bool {
    let words = words(sql);
    let Some((first, more)) = words.split_first() else { return false };
    // A MERGE has others within it, and an end of its own. No other statement needs a semicolon before it.
    let another = |word: &Word<'_>| {
        word.is(&["EXEC", "EXECUTE"]) || !first.is(&["MERGE"]) && word.is(&CHANGES) || word.statement > 0
    };
    first.is(&CHANGES) && !more.iter().any(another)
}

/// Runs a statement once for each row.
pub(super) fn execute_rows(
    session: &mut SqlServerSession,
    sql: &str,
    rows: &Rows,
    types: &[DataType],
    options: &StatementOptions,
) -> Outcome<Vec<RowFailure>> {
    let batch = Batch::of(sql, rows, types, options)?;
    let guarded = !is_whole(sql);
    let mut failures = Vec::new();
    (0..rows.len).try_for_each(|row| single(session, &batch, row, guarded, &mut failures))?;
    Ok(failures)
}

/// Runs the statement for one row.
pub(super) fn single(
    session: &mut SqlServerSession,
    batch: &Batch<'_>,
    row: usize,
    guarded: bool,
    failures: &mut Vec<RowFailure>,
) -> Outcome<()> {
    session.alive()?;
    match guard(session, guarded, |session| prepared(session, batch, row)) {
        Ok(()) => {}
        Err(error) if fatal(&error) => return Err(error),
        Err(error) => failures.push(RowFailure { row, error }),
    }
    Ok(())
}

/// Runs one statement with the values of all these rows.
pub(super) fn together(
    session: &mut SqlServerSession,
    batch: &Batch<'_>,
    sql: &str,
    rows: (usize, usize),
) -> Outcome<()> {
    session.alive()?;
    // One statement leaves nothing behind when it fails.
    guard(session, false, |session| {
        let (sql, prefix) = rewriting::in_order(sql);
        let params = batch.parameters(prefix, rows)?;
        let patience = session.patience(batch.timeout);
        let run = session.link.wait(|client| {
            patience.wait_once(async {
                client.execute_sp_executesql(sql, params, patience.options()).await?;
                client.close_query().await
            })
        });
        run.map_err(failure)
    })
}

/// Runs something so that a failure leaves the transaction as it was before, or says that it is gone.
fn guard(
    session: &mut SqlServerSession,
    guarded: bool,
    run: impl FnOnce(&mut SqlServerSession) -> Outcome<()>,
) -> Outcome<()> {
    let within = session.in_transaction();
    if within && guarded {
        session.savepoint(BEFORE).map_err(|e| e.of_transaction(None))?;
    }
    let Err(error) = run(session) else { return Ok(()) };
    let error = session.told(error);
    if fatal(&error) || !within {
        return Err(error);
    }
    if !session.in_transaction() {
        let message = format!("{}; the server ended the transaction, and undid what was done in it", error.message);
        return Err(DbError { kind: ErrorKind::Undone, message, ..error });
    }
    if guarded {
        session.rollback_to(BEFORE).map_err(|e| e.of_transaction(Some(&error)))?;
    }
    Err(error)
}

/// Runs the statement of that text, prepared; the one of last time if it is the same.
fn prepared(session: &mut SqlServerSession, batch: &Batch<'_>, row: usize) -> Outcome<()> {
    let mut orphan: Option<StatementId> = None;
    let database = session.link.client.database_change_count();
    let same = |p: &Prepared| p.sql == batch.sql && p.forms == batch.forms && p.database == database;
    if !session.prepared.as_ref().is_some_and(same) {
        let places = rewriting::markers(batch.sql).len();
        if places != batch.forms.len() {
            let message = format!("the statement has {places} parameters, and {} are given", batch.forms.len());
            return Err(DbError { source: SOURCE.into(), ..DbError::new(ErrorKind::Statement, message) });
        }
        // What the server keeps of the one before is let go with the next request.
        orphan = session.prepared.take().and_then(|mut old| old.statement.take_id());
        let (text, prefix) = rewriting::in_order(batch.sql);
        let statement = PreparedStatement::new(text);
        let (sql, forms) = (batch.sql.to_owned(), batch.forms.clone());
        session.prepared = Some(Prepared { sql, prefix, forms, database, statement });
    }
    let prefix = session.prepared.as_ref().map_or("", |p| p.prefix);
    let params = batch.parameters(prefix, (row, row + 1))?;
    let patience = session.patience(batch.timeout);
    let SqlServerSession { link, prepared, .. } = session;
    let Some(Prepared { statement, .. }) = prepared else {
        return Err(DbError::new(ErrorKind::Other, "no statement was prepared"));
    };
    let run = link.wait(|client| {
        patience.wait_once(async {
            client.execute_prepared(statement, params, &mut orphan, patience.options()).await?;
            client.close_query().await
        })
    });
    run.map_err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_fail_without_a_trace() {
        for (sql, whole) in [
            ("INSERT INTO t VALUES (?)", true),
            (" update t set a = ?; ", true),
            ("UPDATE t SET a = ?; DELETE FROM u", false),
            ("UPDATE t SET a = ?\nDELETE u WHERE b = ?", false),
            ("INSERT t EXEC p ?", false),
            ("UPDATE [delete] SET a = 'x; delete' WHERE b = ? -- delete", true),
            ("EXEC p ?", false),
            ("MERGE t USING u ON 1 = 1 WHEN MATCHED THEN DELETE;", true),
        ] {
            assert_eq!(is_whole(sql), whole, "{sql}");
        }
    }
}
