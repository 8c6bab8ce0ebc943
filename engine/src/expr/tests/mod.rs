//! What a user of expressions sees.

mod codes;
mod corpus;
mod examples;
mod properties;
mod rows;
mod texts;

use super::{Clock, Environment, EvalContext, Program, Reference, compile};
use crate::diag::{Error, Owner};
use crate::types::convert::{CastOptions, cast_value};
use crate::types::scalar::value_at;
use crate::types::{DataType, Value};
use arrow::array::ArrayRef;
use std::sync::Arc;

/// Columns and variables by name; a column has one row or many.
#[derive(Default)]
pub(super) struct Names {
    pub columns: Vec<(&'static str, DataType, Option<ArrayRef>)>,
    pub variables: Vec<(&'static str, DataType, Value)>,
    pub ambiguous: Vec<&'static str>,
    pub no_columns: bool,
}

impl Environment for Names {
    fn column(&self, reference: &Reference<'_>) -> Option<(usize, DataType)> {
        let wanted = match reference {
            Reference::Lineage(id) => format!("#{id}"),
            Reference::Name { component: Some(c), column } => format!("{c}.{column}"),
            Reference::Name { component: None, column } => (*column).to_owned(),
        };
        let slot = self.columns.iter().position(|(name, ..)| name.eq_ignore_ascii_case(&wanted))?;
        Some((slot, self.columns[slot].1))
    }

    fn variable(&self, name: &str) -> Result<(DataType, Value), Error> {
        if self.ambiguous.contains(&name) {
            return Err(Error::new(Owner::Package, crate::diag::codes::DTS_E_EXPREVALAMBIGUOUSVARIABLENNAME, "two"));
        }
        let found = self.variables.iter().find(|(n, ..)| *n == name);
        found
            .map(|(_, ty, value)| (*ty, value.clone()))
            .ok_or_else(|| Error::new(Owner::Package, crate::diag::codes::DTS_E_EXPREVALVARIABLENOTFOUND, "none"))
    }

    fn lcid(&self) -> u32 {
        1033
    }

    fn has_columns(&self) -> bool {
        !self.no_columns
    }

    fn is_ambiguous(&self, reference: &Reference<'_>) -> bool {
        matches!(reference, Reference::Name { column, .. } if self.ambiguous.contains(column))
    }
}

/// 2024-03-05 13:45:30.123 here, an hour earlier in UTC.
pub(super) fn cx() -> EvalContext {
    const LOCAL: i64 = 1_709_646_330_123_000;
    EvalContext { now: Clock::Fixed { local: LOCAL, utc: LOCAL - 3_600_000_000 }, lcid: 1033 }
}

pub(super) fn columns(program: &Program, names: &Names, rows: usize) -> Vec<ArrayRef> {
    let empty: ArrayRef = Arc::new(arrow::array::NullArray::new(rows));
    let _ = program;
    names.columns.iter().map(|(_, _, a)| a.clone().unwrap_or_else(|| empty.clone())).collect()
}

/// A value as text; floats in full.
pub(super) fn show(value: &Value, ty: &DataType) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Text(t) => t.to_string(),
        Value::R4(v) => v.to_string(),
        Value::R8(v) => v.to_string(),
        // The text of DT_CY and of DT_NUMERIC may leave digits out; what is tested is the value.
        Value::Decimal(v, 0) => v.to_string(),
        Value::Decimal(v, scale) => {
            let digits = format!("{:0width$}", v.unsigned_abs(), width = *scale as usize + 1);
            let (whole, fraction) = digits.split_at(digits.len() - *scale as usize);
            format!("{}{whole}.{fraction}", if *v < 0 { "-" } else { "" })
        }
        value => match cast_value(value, ty, &DataType::WStr { len: 100 }, &CastOptions::expression(1033)) {
            Ok(Value::Text(t)) => t.to_string(),
            other => format!("{value:?} {other:?}"),
        },
    }
}

/// The value of an expression over the first row, or `error 0x…`.
pub(super) fn result(text: &str, names: &Names) -> String {
    let program = match compile(text, names) {
        Ok(program) => program,
        Err(e) => return format!("error {}", e.code),
    };
    let (array, faults) = program.eval(&columns(&program, names, 1), 1, &cx()).unwrap();
    if let Some(fault) = faults.first() {
        return format!("error {}", fault.code);
    }
    assert_eq!(array.data_type(), &program.data_type().arrow(), "{text}");
    let value = value_at(&array, &program.data_type(), 0).unwrap();
    if program.slots().is_empty() {
        let once = program.eval_row(&cx()).unwrap();
        assert_eq!(once, value, "{text}");
    }
    show(&value, &program.data_type())
}

pub(super) fn type_of(text: &str, names: &Names) -> String {
    match compile(text, names) {
        Ok(program) => program.data_type().to_string(),
        Err(e) => format!("error {}", e.code),
    }
}
