//! Running a statement once: its parameters by place and by name, and what comes out of them.

use super::ffi::{Buffer, Statement};
use super::habits::{Habits, Outputs};
use super::types::{self, Form, Slot};
use crate::db::cells::{self, Cells};
use crate::db::dialect::Dialect;
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::session::{Direction, Executed, Param};
use dtsx_engine::types::convert::{CastOptions, cast_value};
use dtsx_engine::types::{DataType, Value, scalar};
use odbc_sys::{NULL_DATA, ParamType};
use std::borrow::Cow;

/// Units of UTF-16 or bytes that an output parameter has room for: as many as SQL Server's types of a length have.
fn longest_output(data_type: &DataType) -> usize {
    if matches!(data_type, DataType::Bytes { .. } | DataType::Image) { 8000 } else { 4000 }
}

/// Windows LCID of the invariant locale.
const INVARIANT: u32 = 127;

/// How statements are run with this driver on this database.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    pub(super) habits: Habits,
    pub(super) dialect: Dialect,
}

/// A statement that runs: where its parameters were put.
pub(super) struct Running {
    /// By place in the statement: which parameter.
    order: Vec<usize>,
    params: Vec<Param>,
    manner: Manner,
}

impl Manner {
    /// Binds the parameters `order` of `params`.
    fn bind(self, statement: &mut Statement, params: &[Param], order: &[usize]) -> Outcome<()> {
        let text = self.habits.text;
        let mut bounds = Vec::with_capacity(order.len());
        for param in order.iter().filter_map(|at| params.get(*at)) {
            let column = cells::one(&param.value, &param.data_type)?;
            let cell = Cells::of(&column, &param.data_type)?.get(0);
            let (longest, room) = (types::length(&cell, text), longest_output(&param.data_type));
            let (direction, longest) = match param.direction {
                Direction::Input => (ParamType::Input, longest),
                // What such a driver is not told of, it gives as a row.
                _ if self.habits.outputs == Outputs::LastRow => (ParamType::Input, longest),
                Direction::InputOutput => (ParamType::InputOutput, longest.max(room)),
                Direction::Output | Direction::ReturnValue => (ParamType::Output, room),
            };
            let (mut bound, slot) = types::bound(param.data_type, longest, 1, direction, text);
            types::write(&slot, &mut bound.buffer, 0, &cell);
            bounds.push(bound);
        }
        if bounds.is_empty() { Ok(()) } else { statement.bind_parameters(bounds, 1) }
    }

    /// Runs a statement with parameters up to its first result.
    pub(super) fn run(self, statement: &mut Statement, sql: &str, params: &[Param]) -> Outcome<Running> {
        let output = params.iter().find(|p| p.direction != Direction::Input);
        if let Some(output) = output {
            self.dialect.gives_outputs(output.direction, output.name.as_deref())?;
        }
        let (sql, order) = placed(sql, params);
        self.bind(statement, params, &order)?;
        // A call that ODBC knows as one: its return value has a way out.
        let escaped = output.and_then(|_| self.dialect.call_escape(&sql));
        statement.execute_direct(escaped.as_deref().unwrap_or(&sql))?;
        Ok(Running { order, params: params.to_vec(), manner: self })
    }

    /// Runs a statement to its end.
    pub(super) fn execute(self, statement: &mut Statement, sql: &str, params: &[Param]) -> Outcome<Executed> {
        let mut running = self.run(statement, sql, params)?;
        let (mut rows, mut last) = (None, None);
        loop {
            match statement.width()? {
                0 => {
                    if let Some(count) = statement.row_count() {
                        *rows.get_or_insert(0) += count;
                    }
                }
                width => running.note(statement, width, &mut last)?,
            }
            if !statement.more_results()? {
                break;
            }
        }
        Ok(Executed { rows, outputs: running.outputs(statement, last)? })
    }
}

/// Values with their types.
pub(super) type Row = Vec<(Value, DataType)>;

impl Running {
    /// What the driver does.
    pub(super) fn habits(&self) -> Habits {
        self.manner.habits
    }

    /// The parameters that something comes out of.
    fn expected(&self) -> usize {
        self.params.iter().filter(|p| p.direction != Direction::Input).count()
    }

    /// Reads a result that may be the row of outputs: it is the last one that has as many columns as there are outputs.
    pub(super) fn note(&mut self, statement: &mut Statement, width: u16, last: &mut Option<Row>) -> Outcome<()> {
        if self.manner.habits.outputs == Outputs::LastRow && usize::from(width) == self.expected() {
            *last = super::reader::first_row(statement, self.manner.habits)?;
        }
        Ok(())
    }

    /// What came out of the parameters, after the last result.
    pub(super) fn outputs(&self, statement: &Statement, last: Option<Row>) -> Outcome<Vec<Value>> {
        let mut outputs = vec![Value::Null; self.params.len()];
        if self.expected() == 0 {
            return Ok(outputs);
        }
        if self.manner.habits.outputs == Outputs::LastRow {
            let Some(last) = last else {
                return Err(DbError::new(ErrorKind::Statement, "the call gave no row with its output parameters"));
            };
            let places = self.order.iter().filter(|at| self.params[**at].direction != Direction::Input);
            for (at, (value, from)) in places.zip(last) {
                outputs[*at] = converted(value, from, self.params[*at].data_type)?;
            }
            return Ok(outputs);
        }
        for (at, bound) in self.order.iter().zip(statement.parameters()) {
            let param = &self.params[*at];
            if param.direction != Direction::Input {
                let room = longest_output(&param.data_type);
                let (slot, ..) = types::parameter(param.data_type, room, self.manner.habits.text);
                let slot = Slot { data_type: natural(&slot), ..slot };
                if cut(&slot, &bound.buffer, room) {
                    let name = param.name.as_deref().unwrap_or("?");
                    let message = format!(
                        "what came out of {name} has {room} characters or bytes, or more, of which no more are taken"
                    );
                    return Err(DbError::new(ErrorKind::Value, message));
                }
                let array = types::decode(&slot, &bound.buffer, 1)?;
                let value = scalar::value_at(&array, &slot.data_type, 0);
                let value = value.map_err(|e| DbError::new(ErrorKind::Other, e.message()))?;
                outputs[*at] = converted(value, slot.data_type, param.data_type)?;
            }
        }
        Ok(outputs)
    }
}

/// Whether a text or bytes filled all the room that they had: what is longer is cut, by the driver or already by the server,
/// and not all of them say so.
fn cut(slot: &Slot, buffer: &Buffer, room: usize) -> bool {
    let unit = match slot.form {
        Form::Text => 2,
        Form::Utf8 | Form::Binary => 1,
        _ => return false,
    };
    if !types::varies(&slot.data_type) {
        return false;
    }
    match buffer.indicators.first() {
        Some(&NULL_DATA) | None => false,
        // SQL_NO_TOTAL: more than there is room for, and nobody knows how much.
        Some(length) => usize::try_from(*length).map_or(true, |bytes| bytes >= room * unit),
    }
}

/// The type in which a value of that form is decoded: parameters are bound in wider forms than their types.
fn natural(slot: &Slot) -> DataType {
    match (slot.form, slot.data_type) {
        (Form::I2, _) => DataType::I2,
        (Form::I4, _) => DataType::I4,
        (Form::I8, _) => DataType::I8,
        (Form::Ascii, DataType::UI8) => DataType::Numeric { precision: 20, scale: 0 },
        (Form::Timestamp, DataType::DbTimeStamp2 { scale }) => DataType::DbTimeStamp2 { scale },
        (Form::Timestamp, _) => DataType::DbTimeStamp,
        (Form::Text | Form::Utf8, _) => DataType::WStr { len: u32::MAX },
        (_, data_type) => data_type,
    }
}

/// What came out of a parameter, as its type.
pub(in crate::db) fn converted(value: Value, from: DataType, to: DataType) -> Outcome<Value> {
    use DataType as T;
    let is_text = |t: &DataType| matches!(t, T::Str { .. } | T::WStr { .. } | T::Text { .. } | T::NText);
    let is_bytes = |t: &DataType| matches!(t, T::Bytes { .. } | T::Image);
    match &value {
        Value::Null => return Ok(Value::Null),
        Value::Text(_) if is_text(&to) => return Ok(value),
        Value::Bytes(_) if is_bytes(&to) => return Ok(value),
        _ => {}
    }
    // DT_NTEXT and DT_IMAGE cast to little; as strings of any length their values cast as they mean.
    let from = match from {
        t if is_text(&t) => T::WStr { len: u32::MAX },
        t => t,
    };
    let target = if matches!(to, T::NText | T::Text { .. }) { T::WStr { len: 4000 } } else { to };
    cast_value(&value, &from, &target, &CastOptions::data_flow(INVARIANT)).map_err(|code| {
        DbError::new(ErrorKind::Value, format!("an output parameter is no {to}: {}", code.message(&[])))
    })
}

/// A statement with parameters by name, with question marks in their places; and which parameter stands in each place. In
/// the list of a procedure's arguments, `@name = value`, the first name is the procedure's own.
pub(in crate::db) fn placed<'a>(sql: &'a str, params: &[Param]) -> (Cow<'a, str>, Vec<usize>) {
    if params.iter().all(|p| p.name.is_none()) {
        return (Cow::Borrowed(sql), (0..params.len()).collect());
    }
    let names: Vec<&str> = params.iter().map(|p| p.name.as_deref().unwrap_or("").trim_start_matches('@')).collect();
    let (mut out, mut order, mut rest) = (String::with_capacity(sql.len()), Vec::new(), sql);
    let first = sql.split_whitespace().next().unwrap_or("");
    let calls = ["exec", "execute"].iter().any(|word| first.eq_ignore_ascii_case(word));
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        if c == '\'' || c == '"' {
            length = rest[1..].find(c).map_or(rest.len(), |at| at + 2);
        } else if c == '[' {
            length = rest.find(']').map_or(rest.len(), |at| at + 1);
        } else if c == '@' && !rest.starts_with("@@") {
            let end = rest[1..].find(|c: char| !c.is_alphanumeric() && c != '_').map_or(rest.len(), |at| at + 1);
            // `EXEC @returned = procedure` is the one place where a name before `=` is a parameter of ours.
            let own = calls && rest[end..].trim_start().starts_with('=') && out.trim() != first;
            let known = names.iter().position(|n| n.eq_ignore_ascii_case(&rest[1..end]));
            if let Some(at) = known.filter(|_| !own) {
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
    use super::super::habits::Text;
    use super::*;

    #[test]
    fn names_become_places() {
        let param = |name: &str| Param { name: Some(name.into()), ..Param::input(DataType::I4, Value::I4(1)) };
        let params = [param("@a"), param("@b")];
        let (sql, order) = placed("select @b, '@a', [@a], @@rowcount from t where x = @A and y = @B", &params);
        assert_eq!(sql, "select ?, '@a', [@a], @@rowcount from t where x = ? and y = ?");
        assert_eq!(order, [1, 0, 1]);
        assert_eq!(placed("select ?, ?", &params), (Cow::Borrowed("select ?, ?"), vec![0, 1]));
        let (sql, order) = placed("EXEC @b = p @a = @a, @x = 1", &params);
        assert_eq!((sql.as_ref(), order), ("EXEC ? = p @a = ?, @x = 1", vec![1, 0]));
    }

    #[test]
    fn outputs_get_the_types_of_their_parameters() {
        let text = |t: &str| Value::text(t);
        for (value, from, to, expected) in [
            (Value::I2(200), DataType::I2, DataType::UI1, Value::UI1(200)),
            (text("12"), DataType::WStr { len: 5 }, DataType::I4, Value::I4(12)),
            (text("12.50"), DataType::NText, DataType::Numeric { precision: 9, scale: 2 }, Value::Decimal(1250, 2)),
            (Value::I8(7), DataType::I8, DataType::NText, text("7")),
            (text("x"), DataType::NText, DataType::WStr { len: 1 }, text("x")),
            (Value::Null, DataType::I8, DataType::I4, Value::Null),
        ] {
            assert_eq!(converted(value, from, to).unwrap(), expected, "{from} {to}");
        }
        assert_eq!(converted(text("x"), DataType::NText, DataType::I4).unwrap_err().kind, ErrorKind::Value);
    }

    #[test]
    fn outputs_that_fill_their_room_are_not_whole() {
        let whole = |data_type: DataType, length: isize| {
            let room = longest_output(&data_type);
            let (mut bound, _) = types::bound(data_type, room, 1, ParamType::Output, Text::Wide);
            bound.buffer.indicators[0] = length;
            let (slot, ..) = types::parameter(data_type, room, Text::Wide);
            !cut(&Slot { data_type: natural(&slot), ..slot }, &bound.buffer, room)
        };
        const NO_TOTAL: isize = -4;
        for (data_type, length, expected) in [
            (DataType::NText, 7998, true),
            (DataType::NText, 8000, false),
            (DataType::NText, 20_000, false),
            (DataType::NText, NO_TOTAL, false),
            (DataType::NText, NULL_DATA, true),
            (DataType::Image, 7999, true),
            (DataType::Bytes { len: 4000 }, 4000, true),
            (DataType::Image, 8000, false),
            (DataType::I4, 4, true),
        ] {
            assert_eq!(whole(data_type, length), expected, "{data_type} {length}");
        }
    }
}
