//! Writing rows into SQLite: one prepared INSERT, run for each row within a savepoint.

use super::super::dialect::Dialect;
use super::super::error::Outcome;
use super::super::rows::Rows;
use super::super::session::{ColumnInfo, LoadColumn, LoadOptions, Loader, RowFailure, Session, StatementOptions};
use super::super::table_name::TableName;
use super::SqliteSession;
use dtsx_engine::types::DataType;

struct SqliteLoader<'s> {
    session: &'s mut SqliteSession,
    sql: String,
    types: Vec<DataType>,
    options: StatementOptions,
}

/// Begins to load. `known` are the table's columns.
pub(super) fn open<'s>(
    session: &'s mut SqliteSession,
    table: &TableName,
    columns: &[LoadColumn],
    known: &[ColumnInfo],
    options: &LoadOptions,
) -> Outcome<Box<dyn Loader + 's>> {
    let dialect: &Dialect = session.dialect();
    let mut sql = dialect.insert(table, columns.iter().map(|c| c.name.as_str()), 1);
    if !options.keep_nulls {
        sql = with_defaults(dialect, &sql, table, columns, known);
    }
    let types = columns.iter().map(|c| c.data_type).collect();
    let options = StatementOptions { timeout: options.timeout, ..StatementOptions::default() };
    Ok(Box::new(SqliteLoader { session, sql, types, options }))
}

/// A NULL for a column with a default becomes the default, whose own text stands in the statement.
fn with_defaults(
    dialect: &Dialect,
    sql: &str,
    table: &TableName,
    columns: &[LoadColumn],
    known: &[ColumnInfo],
) -> String {
    let known_of = |name: &str| known.iter().find(|k| k.name.eq_ignore_ascii_case(name));
    let default = |name: &str| known_of(name).and_then(|k| k.default.as_deref());
    if columns.iter().all(|c| default(&c.name).is_none()) {
        return sql.to_owned();
    }
    let values: Vec<String> = columns
        .iter()
        .map(|c| match default(&c.name) {
            Some(text) => format!("ifnull(?, {text})"),
            None => "?".to_owned(),
        })
        .collect();
    let names: Vec<String> = columns.iter().map(|c| dialect.quote(&c.name)).collect();
    format!("INSERT INTO {} ({}) VALUES ({})", dialect.table(table), names.join(", "), values.join(", "))
}

impl Loader for SqliteLoader<'_> {
    fn write(&mut self, rows: &Rows) -> Outcome<Vec<RowFailure>> {
        if self.session.in_transaction() {
            return self.session.execute_rows(&self.sql, rows, &self.types, &self.options);
        }
        self.session.begin()?;
        let done = self.session.execute_rows(&self.sql, rows, &self.types, &self.options);
        match done {
            Ok(failures) => self.session.commit().map(|()| failures),
            Err(error) => {
                // What was wrong first is what is told.
                let _ = self.session.rollback();
                Err(error)
            }
        }
    }

    fn finish(self: Box<Self>) -> Outcome<()> {
        Ok(())
    }
}
