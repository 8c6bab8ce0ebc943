//! Loads: INSERTs of several rows.

use super::rows::{self, Batch};
use super::{SqlServerSession, fatal};
use crate::db::error::Outcome;
use crate::db::rows::Rows;
use crate::db::session::{LoadColumn, LoadOptions, Loader, RowFailure, Session, StatementOptions};
use crate::db::table_name::TableName;
use dtsx_engine::types::DataType;

/// How many rows an INSERT has at most: SQL Server allows no more.
const MOST_ROWS: usize = 1000;

/// Begins to load rows into a table.
pub(super) fn loader<'s>(
    session: &'s mut SqlServerSession,
    table: &TableName,
    columns: &[LoadColumn],
    options: &LoadOptions,
) -> Outcome<Box<dyn Loader + 's>> {
    Ok(Box::new(Inserter {
        most: MOST_ROWS.min(session.dialect.max_parameters / columns.len().max(1)).max(1),
        session,
        table: table.clone(),
        names: columns.iter().map(|c| c.name.clone()).collect(),
        types: columns.iter().map(|c| c.data_type).collect(),
        table_lock: options.table_lock,
        keep_identity: options.keep_identity,
        options: StatementOptions { timeout: options.timeout, ..StatementOptions::default() },
    }))
}

struct Inserter<'s> {
    session: &'s mut SqlServerSession,
    table: TableName,
    names: Vec<String>,
    types: Vec<DataType>,
    /// Rows of one INSERT.
    most: usize,
    table_lock: bool,
    keep_identity: bool,
    options: StatementOptions,
}

impl Inserter<'_> {
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
        let (one, full) = (self.insert(1), self.insert(self.most));
        let batch = Batch::of(&one, rows, &self.types, &self.options)?;
        let (mut failures, mut from) = (Vec::new(), 0);
        while from < rows.len {
            let to = (from + self.most).min(rows.len);
            let last = if to - from == self.most { full.clone() } else { self.insert(to - from) };
            match rows::together(self.session, &batch, &last, (from, to)) {
                Ok(()) => {}
                Err(error) if fatal(&error) => return Err(error),
                Err(error) if to - from == 1 => failures.push(RowFailure { row: from, error }),
                // One by one, to find out which.
                Err(_) => {
                    (from..to).try_for_each(|row| rows::single(self.session, &batch, row, false, &mut failures))?;
                }
            }
            from = to;
        }
        Ok(failures)
    }
}

impl Loader for Inserter<'_> {
    fn write(&mut self, rows: &Rows) -> Outcome<Vec<RowFailure>> {
        self.session.alive()?;
        self.identity(true)?;
        let failures = self.load(rows);
        // One table at a time may be given such values; after a connection that broke, nothing matters any more.
        let ended = self.identity(false);
        failures.and_then(|failures| ended.map(|()| failures)).map_err(|e| self.session.told(e))
    }

    fn finish(self: Box<Self>) -> Outcome<()> {
        Ok(())
    }
}
