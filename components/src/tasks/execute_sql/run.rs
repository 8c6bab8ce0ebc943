//! Running the statement.

use super::parameters::{Api, Binding};
use super::{ResultBinding, ResultSet, Statement, batches};
use crate::db::{Cursor, Database, DbError, Direction, Executed, Lease, Param, StatementOptions};
use dtsx_engine::control::{Rowset, RowsetTable, Task, TaskCx, TaskOutcome};
use dtsx_engine::diag::{Error, Owner, Result, codes};
use dtsx_engine::types::convert::{CastOptions, cast_value};
use dtsx_engine::types::{DataType, Value, code_page, scalar};
use dtsx_engine::variables::{VariableAccess, VariableType, natural_type};
use std::sync::Arc;

/// The task, ready to run.
pub(super) struct ExecuteSqlTask {
    pub connection: String,
    pub api: Api,
    pub statement: Statement,
    pub code_page: u32,
    pub result_set: ResultSet,
    pub results: Vec<ResultBinding>,
    pub parameters: Vec<Binding>,
    pub timeout: i64,
    pub procedure: bool,
    pub convert: bool,
}

/// How much of a statement messages quote (unconfirmed).
const QUOTED: usize = 100;

/// What follows the error of a database in the message of the task.
const REASONS: &str = "Possible failure reasons: Problems with the query, \"ResultSet\" property not set correctly, \
                       parameters not set correctly, or connection not established correctly.";

impl Task for ExecuteSqlTask {
    fn execute(&self, cx: &TaskCx) -> Result<TaskOutcome> {
        let text = self.text(cx)?;
        let spec = cx.connections.get(&self.connection)?;
        let acquired = Database::of(&spec, &cx.services).and_then(|database| database.lease());
        let mut lease = acquired.map_err(|error| {
            let code = codes::DTS_E_SQLTASK_FAILEDTOACQUIRECONNECTION;
            let message = format!("{} {error}", code.message(&[&spec.name]));
            if error.kind == crate::db::ErrorKind::Cancelled {
                return Error::cancelled();
            }
            Error::new(error.owner(), code, message)
        })?;
        let mut batches = batches::split(&text);
        if batches.is_empty() {
            let code = codes::DTS_E_SQLTASK_NOSTATEMENTSPECIFIED;
            return Err(Error::new(Owner::Package, code, code.message(&[])));
        }
        let call = self.procedure.then(|| self.call(batches[0].trim()));
        if let Some(call) = &call {
            batches = vec![call];
        }
        cx.events.progress(&format!("Executing query \"{}\".", quoted(text.trim())), 0, "");
        let mut affected = None;
        let mut parameters = self.parameters.as_slice();
        let last = batches.len() - 1;
        for (i, batch) in batches.iter().enumerate() {
            // Markers are counted through all batches; names are the same in each.
            let taken = match self.api {
                Api::AdoNet => parameters,
                _ if i == last => std::mem::take(&mut parameters),
                _ => {
                    let (taken, rest) = parameters.split_at(batches::markers(batch).min(parameters.len()));
                    parameters = rest;
                    taken
                }
            };
            let executed = self.batch(cx, &mut lease, batch, taken, i == last)?;
            affected = executed.rows.or(affected);
        }
        cx.events.progress(&format!("Executing query \"{}\".", quoted(text.trim())), 100, "");
        // Rows affected as the value of the execution is (unconfirmed).
        let value = affected.map(|rows| Value::I4(i32::try_from(rows).unwrap_or(i32::MAX)));
        Ok(TaskOutcome { value, ..TaskOutcome::success() })
    }
}

impl ExecuteSqlTask {
    /// The statement as it stands now.
    fn text(&self, cx: &TaskCx) -> Result<String> {
        match &self.statement {
            Statement::Direct(text) => Ok(text.clone()),
            Statement::Variable(name) => match cx.variables.read(name)?.1 {
                Value::Text(text) if !text.trim().is_empty() => Ok(text.to_string()),
                _ => {
                    let code = codes::DTS_E_SQLTASK_NOSTATEMENTSPECIFIED;
                    let message = format!("{} (The variable \"{name}\" is empty.)", code.message(&[]));
                    Err(Error::new(Owner::Package, code, message))
                }
            },
            Statement::File(connection) => {
                let spec = cx.connections.get(connection)?;
                let path = spec.connection_string();
                let bytes = std::fs::read(cx.services.paths.resolve(path)).map_err(|error| {
                    let code = codes::DTS_E_SQLTASK_FILEDOESNOTEXIST;
                    Error::new(Owner::Environment, code, format!("{} ({error})", code.message(&[&path])))
                })?;
                self.decode(&bytes)
            }
        }
    }

    /// The text of a statement file: as its byte order mark says, else UTF-8 if it is that, else in the task's code page.
    fn decode(&self, bytes: &[u8]) -> Result<String> {
        const ANSI: u32 = 1252;
        let (bytes, page) = match bytes {
            [0xEF, 0xBB, 0xBF, rest @ ..] => (rest, 65001),
            [0xFF, 0xFE, rest @ ..] => (rest, 1200),
            [0xFE, 0xFF, rest @ ..] => (rest, 1201),
            _ if std::str::from_utf8(bytes).is_ok() => (bytes, 65001),
            _ => (bytes, if self.code_page == 0 { ANSI } else { self.code_page }),
        };
        code_page::decode(bytes, page).map(std::borrow::Cow::into_owned)
    }

    /// The call of a procedure that the statement names, with every parameter by its name.
    fn call(&self, name: &str) -> String {
        if name.split_whitespace().next().is_some_and(|word| word.to_ascii_uppercase().starts_with("EXEC")) {
            return name.to_owned();
        }
        let returned = self.parameters.iter().find(|p| p.direction == Direction::ReturnValue);
        let mut call = match (returned, self.api) {
            (Some(binding), Api::AdoNet) => format!("EXEC {} = {name}", binding.name.as_deref().unwrap_or("?")),
            (Some(_), _) => format!("EXEC ? = {name}"),
            (None, _) => format!("EXEC {name}"),
        };
        let others = self.parameters.iter().filter(|p| p.direction != Direction::ReturnValue);
        for (i, parameter) in others.enumerate() {
            call.push_str(if i == 0 { " " } else { ", " });
            match (&parameter.name, self.api) {
                (Some(name), Api::AdoNet) => call.push_str(&format!("{name} = {name}")),
                _ => call.push('?'),
            }
            if parameter.direction != Direction::Input {
                call.push_str(" OUTPUT");
            }
        }
        call
    }

    /// Runs one batch; results are read from the last one that is `wanted`.
    fn batch(&self, cx: &TaskCx, lease: &mut Lease, sql: &str, bindings: &[Binding], wanted: bool) -> Result<Executed> {
        let params = bindings.iter().map(|b| self.param(cx, b)).collect::<Result<Vec<_>>>()?;
        let options = StatementOptions::default().with_timeout_seconds(self.timeout);
        let sql = lease.dialect().translate(sql).into_owned();
        let name = lease.database().name().to_owned();
        let failed = |error: DbError| failed(&sql, error.of_connection(&name));
        let executed = if self.result_set == ResultSet::None || !wanted {
            lease.execute(&sql, &params, &options).map_err(failed)?
        } else {
            let mut cursor = lease.query(&sql, &params, &options).map_err(failed)?;
            // Statements before the one that yields rows yield none.
            while cursor.columns().is_empty() {
                if !cursor.next_result().map_err(failed)? {
                    break;
                }
            }
            self.results(cx, cursor.as_mut(), &sql)?;
            cursor.finish().map_err(failed)?
        };
        lease.note_transaction();
        for (binding, value) in bindings.iter().zip(&executed.outputs) {
            if binding.direction != Direction::Input {
                self.assign(cx, &binding.variable, binding.variable_type, value.clone(), binding.data_type)?;
            }
        }
        Ok(executed)
    }

    /// A parameter with the present value of its variable.
    fn param(&self, cx: &TaskCx, binding: &Binding) -> Result<Param> {
        let (natural, value) = cx.variables.read(&binding.variable)?;
        let own = if natural == DataType::Null { natural_type(&value) } else { natural };
        let data_type = binding.data_type.unwrap_or(match own {
            DataType::Null | DataType::WStr { .. } => DataType::NText,
            DataType::Date => DataType::DbTimeStamp,
            other => other,
        });
        let value = if matches!(binding.direction, Direction::Output | Direction::ReturnValue) {
            Value::Null
        } else {
            self.converted(cx, value, own, data_type).map_err(|_| {
                let code = codes::DTS_E_SQLTASKCONN_ERR_PARAM_DATA_TYPE;
                let message = format!(
                    "Unsupported data type on parameter binding \"{}\": the variable's value is no {data_type}.",
                    binding.variable
                );
                Error::new(Owner::Package, code, message)
            })?
        };
        Ok(Param { name: binding.name.clone(), direction: binding.direction, data_type, value })
    }

    fn converted(&self, cx: &TaskCx, value: Value, from: DataType, to: DataType) -> Result<Value> {
        // Text without a limit is no part of the table of casts: text stays as it is, the rest goes by way of DT_WSTR.
        const TEXT: DataType = DataType::WStr { len: 4000 };
        if matches!(value, Value::Text(_)) && to == DataType::NText {
            return Ok(value);
        }
        let [from, to] = [from, to].map(|t| if t.is_string() || t == DataType::NText { TEXT } else { t });
        let options = CastOptions::data_flow(cx.locale);
        cast_value(&value, &from, &to, &options).map_err(|code| Error::new(Owner::Data, code, code.message(&[])))
    }

    /// Keeps what a result yields in the variables.
    fn results(&self, cx: &TaskCx, cursor: &mut dyn Cursor, sql: &str) -> Result<()> {
        match self.result_set {
            ResultSet::None => Ok(()),
            ResultSet::SingleRow => self.single_row(cx, cursor, sql),
            ResultSet::Full => {
                let rowset = Value::Object(Arc::new(rowset(cursor).map_err(|e| failed(sql, e))?));
                self.results.iter().try_for_each(|b| self.assign(cx, &b.variable, b.data_type, rowset.clone(), None))
            }
            ResultSet::Xml => {
                let text = xml(cursor).map_err(|e| failed(sql, e))?;
                self.results.iter().try_for_each(|b| {
                    let text = Value::text(text.as_str());
                    self.assign(cx, &b.variable, b.data_type, text, None)
                })
            }
        }
    }

    fn single_row(&self, cx: &TaskCx, cursor: &mut dyn Cursor, sql: &str) -> Result<()> {
        let rows = loop {
            match cursor.next().map_err(|e| failed(sql, e))? {
                Some(rows) if rows.len == 0 => {}
                Some(rows) => break rows,
                None => {
                    let code = codes::DTS_E_SQLTASKCONN_ERR_NO_ROWS;
                    return Err(Error::new(Owner::Data, code, code.message(&[])));
                }
            }
        };
        let columns = cursor.columns();
        for binding in &self.results {
            let by_name = columns.iter().position(|c| c.name.eq_ignore_ascii_case(&binding.name));
            let by_ordinal = || binding.name.parse::<usize>().ok().filter(|i| *i < columns.len());
            let Some(column) = by_name.or_else(by_ordinal) else {
                let (code, message) = match binding.name.parse::<i64>() {
                    Ok(index) => {
                        let code = codes::DTS_E_SQLTASKCONN_ERR_RESULT_COL_INDEX;
                        (code, format!("The result column index {index} is not valid."))
                    }
                    Err(_) => {
                        let code = codes::DTS_E_SQLTASKCONN_ERR_UNKNOWN_RESULT_COL;
                        (code, format!("Cannot find column \"{}\" in the result set.", binding.name))
                    }
                };
                return Err(Error::new(Owner::Package, code, message));
            };
            let data_type = columns[column].data_type;
            let value = scalar::value_at(rows.columns[column].as_ref(), &data_type, 0)?;
            self.assign(cx, &binding.variable, binding.data_type, value, Some(data_type))?;
        }
        Ok(())
    }

    /// Assigns a value that came from the database.
    fn assign(
        &self,
        cx: &TaskCx,
        variable: &str,
        variable_type: VariableType,
        value: Value,
        from: Option<DataType>,
    ) -> Result<()> {
        let refused = |why: &str| {
            let code = codes::DTS_E_SQLTASK_ERRORASSIGINGVALUETOVAR;
            Error::new(Owner::Package, code, code.message(&[&variable, &why]))
        };
        if value.is_null() && !takes_null(variable_type) {
            return Err(refused(&format!(
                "The type of the value (DBNull) being assigned to variable \"{variable}\" differs from the current \
                 variable type ({}).",
                variable_type.name()
            )));
        }
        let value = match variable_type.coerce(value.clone(), variable) {
            Ok(value) => value,
            Err(error) if !self.convert => return Err(refused(error.message())),
            Err(error) => {
                let from = from.unwrap_or_else(|| natural_type(&value));
                let to = match variable_type {
                    VariableType::String => DataType::NText,
                    VariableType::DateTime => DataType::DbTimeStamp,
                    other => other.data_type(&value),
                };
                let converted = self.converted(cx, value, from, to).and_then(|v| variable_type.coerce(v, variable));
                converted.map_err(|_| refused(error.message()))?
            }
        };
        cx.variables.write(variable, value).map_err(|error| refused(error.message()))
    }
}

/// Whether a NULL of a result may be assigned to a variable of that type. Variables of simple types hold no NULL; the
/// task fails (for String (unconfirmed)).
fn takes_null(variable_type: VariableType) -> bool {
    matches!(variable_type, VariableType::Object | VariableType::Empty | VariableType::DBNull)
}

fn quoted(sql: &str) -> String {
    match sql.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}...", &sql[..end]),
        None => sql.to_owned(),
    }
}

fn failed(sql: &str, error: DbError) -> Error {
    if error.kind == crate::db::ErrorKind::Cancelled {
        return Error::cancelled();
    }
    let code = codes::DTS_E_SQLTASK_ERROREXECUTINGTHEQUERY;
    let said = format!("{} {REASONS}", code.message(&[&quoted(sql.trim()), &error]));
    Error::new(error.owner(), code, said)
}

/// All rows of a result.
fn rowset(cursor: &mut dyn Cursor) -> std::result::Result<Rowset, DbError> {
    let mut table = RowsetTable::default();
    while let Some(rows) = cursor.next()? {
        let columns = cursor.columns();
        for row in 0..rows.len {
            let values =
                columns.iter().zip(&rows.columns).map(|(c, a)| scalar::value_at(a.as_ref(), &c.data_type, row));
            let values = values.collect::<Result<Vec<_>>>();
            table.rows.push(values.map_err(|e| DbError::new(crate::db::ErrorKind::Other, e.message()))?);
        }
    }
    table.columns = cursor.columns().iter().map(|c| c.name.clone()).collect();
    Ok(Rowset { tables: vec![table] })
}

/// The text of an XML result: what the rows hold, one after the other, in a root element of the task's own (unconfirmed).
fn xml(cursor: &mut dyn Cursor) -> std::result::Result<String, DbError> {
    let mut text = String::from("<ROOT>");
    while let Some(rows) = cursor.next()? {
        for row in 0..rows.len {
            if let (Some(column), Some(array)) = (cursor.columns().first(), rows.columns.first()) {
                let value = scalar::value_at(array.as_ref(), &column.data_type, row);
                match value.map_err(|e| DbError::new(crate::db::ErrorKind::Other, e.message()))? {
                    Value::Text(part) => text.push_str(&part),
                    Value::Null => {}
                    other => text.push_str(&dtsx_engine::variables::value_text(&other)),
                }
            }
        }
    }
    text.push_str("</ROOT>");
    Ok(text)
}
