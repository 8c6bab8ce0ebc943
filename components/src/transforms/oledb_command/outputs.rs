//! Statements with output parameters: row by row, as what comes out belongs to a row.

use super::{Direction, Parameter, Plan};
use crate::db::{DbError, ErrorKind, Outcome, Param, RowFailure, Rows, Session};
use crate::shared::castable;
use crate::shared::outgoing::Block;
use arrow::array::{Array, ArrayRef};
use dtsx_engine::diag::Result;
use dtsx_engine::types::convert::{CastOptions, cast_value};
use dtsx_engine::types::{DataType, Value, scalar};

/// What is no row's failure. A deadlock undoes the whole transaction, and the rows before with it.
fn ends(kind: ErrorKind) -> bool {
    use ErrorKind as K;
    matches!(kind, K::Lost | K::Cancelled | K::Unsupported | K::Busy | K::Undone)
}

/// The savepoint before a row's statement.
const SAVEPOINT: &str = "dtsx_call";

/// What came out of the parameters that are outputs.
pub(super) struct Came {
    /// The places of these parameters.
    places: Vec<usize>,
    /// By row of the block: a value for each of them; None where the statement failed.
    rows: Vec<Option<Vec<Value>>>,
}

impl Came {
    pub(super) fn of(params: &[Parameter]) -> Came {
        let places = params.iter().enumerate().filter(|(_, p)| p.direction != Direction::Input).map(|(at, _)| at);
        Came { places: places.collect(), rows: Vec::new() }
    }

    /// Whether there are such parameters.
    pub(super) fn expects(&self) -> bool {
        !self.places.is_empty()
    }

    /// Runs the statement for each row, from the first on.
    pub(super) fn run(
        &mut self,
        session: &mut dyn Session,
        sql: &str,
        rows: &Rows,
        plan: &Plan,
    ) -> Outcome<Vec<RowFailure>> {
        self.rows.clear();
        let mut failures = Vec::new();
        for row in 0..rows.len {
            let mut params = Vec::with_capacity(plan.params.len());
            for param in &plan.params {
                let value = match param.goes_in {
                    Some(column) => scalar::value_at(rows.columns[column].as_ref(), &param.data_type, row)
                        .map_err(|e| DbError::new(ErrorKind::Other, e.message()))?,
                    None => Value::Null,
                };
                params.push(Param { name: None, direction: param.direction, data_type: param.data_type, value });
            }
            session.savepoint(SAVEPOINT).map_err(|e| e.of_transaction(None))?;
            let done = session.execute(sql, &params, &plan.options).and_then(|executed| {
                let one = |at: &usize| {
                    let value = executed.outputs.get(*at).cloned().unwrap_or(Value::Null);
                    converted(value, &plan.params[*at], plan.out.locale)
                };
                self.places.iter().map(one).collect::<Outcome<Vec<Value>>>()
            });
            match done {
                Ok(values) => {
                    session.release(SAVEPOINT).map_err(|e| e.of_transaction(None))?;
                    self.rows.push(Some(values));
                }
                Err(error) if ends(error.kind) => return Err(error),
                Err(error) => {
                    session.rollback_to(SAVEPOINT).map_err(|e| e.of_transaction(Some(&error)))?;
                    failures.push(RowFailure { row, error });
                    self.rows.push(None);
                }
            }
        }
        Ok(failures)
    }

    /// Writes what came out into the columns of the block.
    pub(super) fn put(&self, params: &[Parameter], block: &mut Block) -> Result<()> {
        let mut outcome: Vec<Option<&Vec<Value>>> = vec![None; block.batch.rows];
        for (row, values) in self.rows.iter().enumerate() {
            outcome[block.place(row) as usize] = values.as_ref();
        }
        for (number, place) in self.places.iter().enumerate() {
            let param = &params[*place];
            let before = block.batch.columns[param.slot].clone();
            let mut cells: Vec<ArrayRef> = Vec::with_capacity(block.batch.rows);
            for (row, values) in outcome.iter().enumerate() {
                cells.push(match values {
                    Some(values) => scalar::array_of(&values[number], &param.column, 1)?,
                    None => before.slice(row, 1),
                });
            }
            let cells: Vec<&dyn Array> = cells.iter().map(AsRef::as_ref).collect();
            if !cells.is_empty() {
                block.batch.columns[param.slot] = arrow::compute::concat(&cells)?;
            }
        }
        Ok(())
    }
}

/// A value in the type of the column that it is written into. Text and bytes that are too long for it are an overflow.
fn converted(value: Value, param: &Parameter, locale: u32) -> Outcome<Value> {
    let wrong = |why: String| {
        DbError::new(ErrorKind::Value, format!("what came out of \"{}\" is no {}: {why}", param.external, param.column))
    };
    let too_long = match (&value, param.column) {
        (Value::Text(text), DataType::WStr { len }) => text.encode_utf16().count() > len as usize,
        (Value::Text(text), DataType::Str { len, .. }) => text.chars().count() > len as usize,
        (Value::Bytes(bytes), DataType::Bytes { len }) => bytes.len() > len as usize,
        _ => false,
    };
    if too_long {
        return Err(DbError { state: "22001".into(), ..wrong("it is too long".into()) });
    }
    if value.is_null() || param.data_type == param.column {
        return Ok(value);
    }
    let cast = cast_value(&value, &castable(param.data_type), &param.column, &CastOptions::data_flow(locale));
    cast.map_err(|code| wrong(code.message(&[])))
}
