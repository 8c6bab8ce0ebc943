//! Running a statement once: its parameters by place and by name, and what comes out of them.

use super::ffi::{Bound, Statement};
use super::habits::Text;
use super::types::{self, Slot};
use crate::db::cells::{self, Cells};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::session::{Direction, Executed, Param};
use dtsx_engine::types::{DataType, Value, scalar};
use odbc_sys::ParamType;
use std::borrow::Cow;

/// Bytes that an output parameter of a text type may have.
const LONGEST_OUTPUT: usize = 4000;

/// Binds `params` to a statement of one run.
fn bind(statement: &mut Statement, params: &[Param], text: Text) -> Outcome<()> {
    if params.is_empty() {
        return Ok(());
    }
    let mut bounds = Vec::with_capacity(params.len());
    for param in params {
        let column = cells::one(&param.value, &param.data_type)?;
        let cell = Cells::of(&column, &param.data_type)?.get(0);
        let (direction, longest) = match param.direction {
            Direction::Input => (ParamType::Input, types::length(&cell, text)),
            Direction::InputOutput => (ParamType::InputOutput, types::length(&cell, text).max(LONGEST_OUTPUT)),
            Direction::Output | Direction::ReturnValue => (ParamType::Output, LONGEST_OUTPUT),
        };
        let (mut bound, slot) = types::bound(param.data_type, longest, 1, direction, text);
        types::write(&slot, &mut bound.buffer, 0, &cell);
        bounds.push(bound);
    }
    statement.bind_parameters(bounds, 1)
}

/// What came out of the parameters.
pub(super) fn outputs(statement: &Statement, params: &[Param], text: Text) -> Outcome<Vec<Value>> {
    let bounds = statement.parameters();
    let output = |(param, bound): (&Param, &Bound)| {
        if param.direction == Direction::Input {
            return Ok(Value::Null);
        }
        let (slot, ..) = types::parameter(param.data_type, LONGEST_OUTPUT, text);
        let natural = DataType::WStr { len: u32::MAX };
        let is_text = matches!(slot.form, types::Form::Text | types::Form::Utf8);
        let slot = if is_text { Slot { data_type: natural, ..slot } } else { slot };
        let array = types::decode(&slot, &bound.buffer, 1)?;
        scalar::value_at(&array, &slot.data_type, 0).map_err(|e| DbError::new(ErrorKind::Other, e.message()))
    };
    params.iter().zip(bounds).map(output).collect()
}

/// Runs a statement with parameters up to its first result.
pub(super) fn run(statement: &mut Statement, sql: &str, params: &[Param], text: Text) -> Outcome<()> {
    let (sql, order) = placed(sql, params);
    let ordered: Vec<Param> = order.iter().filter_map(|at| params.get(*at)).cloned().collect();
    bind(statement, &ordered, text)?;
    statement.execute_direct(&sql).map(drop)
}

/// Runs a statement to its end.
pub(super) fn execute(statement: &mut Statement, sql: &str, params: &[Param], text: Text) -> Outcome<Executed> {
    run(statement, sql, params, text)?;
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
    Ok(Executed { rows, outputs: outputs(statement, params, text)? })
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
