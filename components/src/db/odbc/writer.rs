//! Running statements: parameters, statements for each row, loads by INSERTs of several rows.

use super::OdbcSession;
use super::ffi::{Bound, Statement};
use super::types::{self, Slot};
use crate::db::cells::{self, Cells};
use crate::db::dialect::Family;
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::rows::Rows;
use crate::db::session::{
    Direction, Executed, LoadColumn, LoadOptions, Loader, Param, RowFailure, Session, StatementOptions,
};
use crate::db::table_name::TableName;
use dtsx_engine::types::{DataType, Value, scalar};
use odbc_sys::ParamType;
use std::borrow::Cow;

/// Bytes that an output parameter of a text type may have.
const LONGEST_OUTPUT: usize = 4000;
/// How many rows an INSERT has at most: SQL Server allows no more.
const MOST_ROWS: usize = 1000;

/// Binds `params` to a statement of one run.
fn bind(statement: &mut Statement, params: &[Param]) -> Outcome<()> {
    if params.is_empty() {
        return Ok(());
    }
    let mut bounds = Vec::with_capacity(params.len());
    for param in params {
        let column = cells::one(&param.value, &param.data_type)?;
        let cell = Cells::of(&column, &param.data_type)?.get(0);
        let (direction, longest) = match param.direction {
            Direction::Input => (ParamType::Input, types::length(&cell)),
            Direction::InputOutput => (ParamType::InputOutput, types::length(&cell).max(LONGEST_OUTPUT)),
            Direction::Output | Direction::ReturnValue => (ParamType::Output, LONGEST_OUTPUT),
        };
        let (mut bound, slot) = types::bound(param.data_type, longest, 1, direction);
        types::write(&slot, &mut bound.buffer, 0, &cell);
        bounds.push(bound);
    }
    statement.bind_parameters(bounds, 1)
}

/// What came out of the parameters.
pub(super) fn outputs(statement: &Statement, params: &[Param]) -> Outcome<Vec<Value>> {
    let bounds = statement.parameters();
    let output = |(param, bound): (&Param, &Bound)| {
        if param.direction == Direction::Input {
            return Ok(Value::Null);
        }
        let (slot, ..) = types::parameter(param.data_type, LONGEST_OUTPUT);
        let natural = DataType::WStr { len: u32::MAX };
        let slot = if slot.form == types::Form::Text { Slot { data_type: natural, ..slot } } else { slot };
        let array = types::decode(&slot, &bound.buffer, 1)?;
        scalar::value_at(&array, &slot.data_type, 0).map_err(|e| DbError::new(ErrorKind::Other, e.message()))
    };
    params.iter().zip(bounds).map(output).collect()
}

/// Runs a statement with parameters up to its first result.
pub(super) fn run(statement: &mut Statement, sql: &str, params: &[Param]) -> Outcome<()> {
    let (sql, order) = placed(sql, params);
    let ordered: Vec<Param> = order.iter().filter_map(|at| params.get(*at)).cloned().collect();
    bind(statement, &ordered)?;
    statement.execute_direct(&sql).map(drop)
}

/// Runs a statement to its end.
pub(super) fn execute(statement: &mut Statement, sql: &str, params: &[Param]) -> Outcome<Executed> {
    run(statement, sql, params)?;
    let mut rows = None;
    loop {
        if statement.width()? == 0
            && let Some(count) = statement.row_count()
        {
            *rows.get_or_insert(0) += count;
        }
        if !statement.more_results()? {
            break;
        }
    }
    Ok(Executed { rows, outputs: outputs(statement, params)? })
}

/// A statement with parameters by name, with question marks in their places; and which parameter stands in each place.
fn placed<'a>(sql: &'a str, params: &[Param]) -> (Cow<'a, str>, Vec<usize>) {
    if params.iter().all(|p| p.name.is_none()) {
        return (Cow::Borrowed(sql), (0..params.len()).collect());
    }
    let names: Vec<&str> = params.iter().map(|p| p.name.as_deref().unwrap_or("").trim_start_matches('@')).collect();
    let (mut out, mut order, mut rest) = (String::with_capacity(sql.len()), Vec::new(), sql);
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        if c == '\'' || c == '"' {
            length = rest[1..].find(c).map_or(rest.len(), |at| at + 2);
        } else if c == '[' {
            length = rest.find(']').map_or(rest.len(), |at| at + 1);
        } else if c == '@' && !rest.starts_with("@@") {
            let end = rest[1..].find(|c: char| !c.is_alphanumeric() && c != '_').map_or(rest.len(), |at| at + 1);
            if let Some(at) = names.iter().position(|n| n.eq_ignore_ascii_case(&rest[1..end])) {
                out.push('?');
                order.push(at);
                rest = &rest[end..];
                continue;
            }
            length = end;
        } else if c == '@' {
            length = 2;
        }
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    if order.is_empty() {
        // It has question marks: then the places count.
        return (Cow::Borrowed(sql), (0..params.len()).collect());
    }
    (Cow::Owned(out), order)
}

/// What ends a run of many rows, and is not the fault of one of them.
fn fatal(error: &DbError) -> bool {
    matches!(
        error.kind,
        ErrorKind::Lost | ErrorKind::Cancelled | ErrorKind::Timeout | ErrorKind::NoTable | ErrorKind::Connect
    )
}

/// Binds rows `from..to` of the columns, one paramset: their values one row after the other.
fn bind_flat(
    statement: &mut Statement,
    cells: &[Cells<'_>],
    types: &[DataType],
    from: usize,
    to: usize,
) -> Outcome<()> {
    let mut bounds = Vec::with_capacity(cells.len() * (to - from));
    for row in from..to {
        for (column, data_type) in cells.iter().zip(types) {
            let cell = column.get(row);
            let (mut bound, slot) = types::bound(*data_type, types::length(&cell), 1, ParamType::Input);
            types::write(&slot, &mut bound.buffer, 0, &cell);
            bounds.push(bound);
        }
    }
    statement.bind_parameters(bounds, 1)
}

/// Runs a statement once for each row.
pub(super) fn execute_rows(
    session: &mut OdbcSession,
    sql: &str,
    rows: &Rows,
    types: &[DataType],
    options: &StatementOptions,
) -> Outcome<Vec<RowFailure>> {
    let cells = rows.columns.iter().zip(types).map(|(c, t)| Cells::of(c, t)).collect::<Outcome<Vec<_>>>()?;
    let mut failures = Vec::new();
    for row in 0..rows.len {
        match run_flat(session, sql, &cells, types, (row, row + 1), options, false) {
            Ok(()) => {}
            Err(error) if fatal(&error) => return Err(error),
            Err(error) => failures.push(RowFailure { row, error }),
        }
    }
    Ok(failures)
}

/// The savepoint before a statement that may fail.
const BEFORE: &str = "dtsx_row";

fn run_flat(
    session: &mut OdbcSession,
    sql: &str,
    cells: &[Cells<'_>],
    types: &[DataType],
    (from, to): (usize, usize),
    options: &StatementOptions,
    guarded: bool,
) -> Outcome<()> {
    if guarded {
        session.savepoint(BEFORE)?;
    }
    let statement = session.prepare(sql, options)?;
    let done = bind_flat(statement, cells, types, from, to).and_then(|()| statement.execute());
    statement.close();
    match done {
        Ok(_) if guarded => session.release(BEFORE),
        Ok(_) => Ok(()),
        Err(error) => {
            if guarded && !fatal(&error) {
                session.rollback_to(BEFORE)?;
            }
            Err(error)
        }
    }
}

/// Loads rows by INSERTs of several rows.
pub(super) struct OdbcLoader<'s> {
    session: &'s mut OdbcSession,
    table: TableName,
    names: Vec<String>,
    types: Vec<DataType>,
    /// Rows of one INSERT.
    rows: usize,
    options: StatementOptions,
}

impl<'s> OdbcLoader<'s> {
    pub(super) fn open(
        session: &'s mut OdbcSession,
        table: &TableName,
        columns: &[LoadColumn],
        options: &LoadOptions,
    ) -> OdbcLoader<'s> {
        let dialect = session.dialect;
        let most =
            if dialect.multi_row_insert { MOST_ROWS.min(dialect.max_parameters / columns.len().max(1)) } else { 1 };
        OdbcLoader {
            session,
            table: table.clone(),
            names: columns.iter().map(|c| c.name.clone()).collect(),
            types: columns.iter().map(|c| c.data_type).collect(),
            rows: most.max(1),
            options: StatementOptions { timeout: options.timeout, ..StatementOptions::default() },
        }
    }

    fn insert(&self, rows: usize) -> String {
        self.session.dialect.insert(&self.table, self.names.iter().map(String::as_str), rows)
    }
}

impl Loader for OdbcLoader<'_> {
    fn write(&mut self, rows: &Rows) -> Outcome<Vec<RowFailure>> {
        let types = self.types.clone();
        let cells = rows.columns.iter().zip(&types).map(|(c, t)| Cells::of(c, t)).collect::<Outcome<Vec<_>>>()?;
        // In a transaction, what an INSERT of many rows did before it failed has to be undone; PostgreSQL's driver does
        // that itself, and gets confused if others do.
        let guarded = self.session.in_transaction() && self.session.dialect.family != Family::Postgres;
        let (full, mut failures, mut from) = (self.insert(self.rows), Vec::new(), 0);
        while from < rows.len {
            let to = (from + self.rows).min(rows.len);
            let last = if to - from == self.rows { full.clone() } else { self.insert(to - from) };
            let done = run_flat(self.session, &last, &cells, &types, (from, to), &self.options, guarded);
            match done {
                Ok(()) => {}
                Err(error) if fatal(&error) => return Err(error),
                Err(error) if to - from == 1 => failures.push(RowFailure { row: from, error }),
                Err(_) => {
                    // One by one, to find out which.
                    let single = self.insert(1);
                    for row in from..to {
                        match run_flat(self.session, &single, &cells, &types, (row, row + 1), &self.options, guarded) {
                            Ok(()) => {}
                            Err(error) if fatal(&error) => return Err(error),
                            Err(error) => failures.push(RowFailure { row, error }),
                        }
                    }
                }
            }
            from = to;
        }
        Ok(failures)
    }

    fn finish(self: Box<Self>) -> Outcome<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_places() {
        let param = |name: &str| Param { name: Some(name.into()), ..Param::input(DataType::I4, Value::I4(1)) };
        let params = [param("@a"), param("@b")];
        let (sql, order) = placed("select @b, '@a', [@a], @@rowcount from t where x = @A and y = @B", &params);
        assert_eq!(sql, "select ?, '@a', [@a], @@rowcount from t where x = ? and y = ?");
        assert_eq!(order, [1, 0, 1]);
        assert_eq!(placed("select ?, ?", &params), (Cow::Borrowed("select ?, ?"), vec![0, 1]));
    }
}
