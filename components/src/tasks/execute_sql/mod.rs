//! Execute SQL Task: runs statements on a database, gives them values of variables, and keeps what they yield in variables.
//!
//! ```text
//! SqlStatementSourceType  DirectInput 1, FileConnection 2, Variable 3
//! ResultSetType           None 1, SingleRow 2, Rowset 3, XML 4
//! ParameterBindings       by ordinal from 0 (OLE DB), from 1 (ODBC), by name (ADO.NET)
//! ResultSetBindings       by column name or ordinal from 0; full results by "0"
//! ```
//! A line that holds nothing but `GO` ends a batch: batches run one after the other on the same session.

mod batches;
mod parameters;
mod run;

use super::{flag, setting};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::control::plan::TaskSpec;
use dtsx_engine::control::{Task, TaskBindCx, TaskKind};
use dtsx_engine::diag::{Code, codes};
use dtsx_engine::props::{PropertyDef, PropertyType, property as p};
use dtsx_engine::variables::{VariableAccess, VariableType};
use parameters::Api;
use run::ExecuteSqlTask;

/// `Microsoft.ExecuteSQLTask`.
pub struct ExecuteSqlTaskKind;

/// Where the statement is.
#[derive(Clone, PartialEq, Debug)]
enum Statement {
    /// In the package.
    Direct(String),
    /// In the file of a File connection manager.
    File(String),
    /// In a String variable.
    Variable(String),
}

/// What becomes of the rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ResultSet {
    None,
    SingleRow,
    Full,
    Xml,
}

impl ResultSet {
    /// From its name in packages, or its number in the object model.
    fn parse(text: &str) -> Option<ResultSet> {
        Some(match text.trim() {
            "1" | "ResultSetType_None" => ResultSet::None,
            "2" | "ResultSetType_SingleRow" => ResultSet::SingleRow,
            "3" | "ResultSetType_Rowset" => ResultSet::Full,
            "4" | "ResultSetType_XML" => ResultSet::Xml,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            ResultSet::None => "ResultSetType_None",
            ResultSet::SingleRow => "ResultSetType_SingleRow",
            ResultSet::Full => "ResultSetType_Rowset",
            ResultSet::Xml => "ResultSetType_XML",
        }
    }
}

/// A result and the variable that keeps it.
#[derive(Clone, PartialEq, Debug)]
struct ResultBinding {
    /// Column name or ordinal.
    name: String,
    variable: String,
    data_type: VariableType,
}

impl TaskKind for ExecuteSqlTaskKind {
    fn kind(&self) -> &'static str {
        "Microsoft.ExecuteSQLTask"
    }

    fn title(&self) -> &'static str {
        "Execute SQL Task"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        use PropertyType::{Bool, Int, Text};
        const TABLE: &[PropertyDef] = &[
            p("Connection", Text, "", "The connection manager of the database."),
            p(
                "SqlStatementSource",
                Text,
                "",
                "The statement, or the File connection manager or variable that holds it.",
            ),
            p("SqlStatementSourceType", Int, "1", "DirectInput 1, FileConnection 2, Variable 3."),
            p("ResultSetType", Int, "1", "None 1, SingleRow 2, Rowset 3, XML 4."),
            p("TimeOut", Int, "0", "Seconds that the statement may take; 0: no limit."),
            p("CodePage", Int, "0", "The code page of a statement file without byte order mark; 0: UTF-8."),
            p(
                "BypassPrepare",
                Bool,
                "True",
                "Statements are prepared only if they have parameters, whatever this says.",
            ),
            p(
                "IsStoredProcedure",
                Bool,
                "False",
                "Whether the statement is the name of a procedure (ADO and ADO.NET).",
            ),
            p("TypeConversionMode", Int, "1", "None 0, Allowed 1: values are converted to the types of variables."),
        ];
        TABLE
    }

    fn written(&self, spec: &TaskSpec) -> Vec<String> {
        setting(spec, "Connection", "Connection").map(|c| c.trim().to_owned()).into_iter().collect()
    }

    fn bind(&self, spec: &TaskSpec, cx: &mut TaskBindCx<'_>) -> Option<Box<dyn Task>> {
        let before = cx.diagnostics.iter().filter(|d| d.is_error()).count();
        if !spec.data.name.is_empty() && !spec.data.name.eq_ignore_ascii_case("SqlTaskData") {
            let code = codes::DTS_E_SQLTASK_NOSQLTASKDATAINXMLFRAGMENT;
            fail(spec, cx, code, code.message(&[]));
            return None;
        }
        let connection = bind_connection(spec, cx);
        let statement = bind_statement(spec, cx);
        let text = setting(spec, "ResultSetType", "ResultType").unwrap_or("ResultSetType_None");
        let result_set = ResultSet::parse(text);
        if result_set.is_none() {
            let message = format!("There is no result set type \"{text}\".");
            fail(spec, cx, codes::DTS_E_TASKVALIDATIONERROR, message);
        }
        let results = result_set.map(|kind| bind_results(spec, cx, kind));
        let api = connection.as_ref().map_or(Api::OleDb, |(_, api)| *api);
        let parameters = parameters::bind(spec, cx, api);
        let procedure = flag(spec, "IsStoredProcedure", "IsStoredProc");
        let after = cx.diagnostics.iter().filter(|d| d.is_error()).count();
        if after > before {
            return None;
        }
        let number = |property: &str, attribute: &str| {
            setting(spec, property, attribute).and_then(|t| t.trim().parse::<i64>().ok()).unwrap_or(0)
        };
        let conversion = setting(spec, "TypeConversionMode", "TypeConversionMode").unwrap_or("Allowed");
        Some(Box::new(ExecuteSqlTask {
            connection: connection?.0,
            api,
            statement: statement?,
            code_page: u32::try_from(number("CodePage", "CodePage")).unwrap_or(0),
            result_set: result_set?,
            results: results?,
            parameters,
            timeout: number("TimeOut", "TimeOut"),
            procedure: procedure && matches!(api, Api::AdoNet | Api::Ado),
            convert: !matches!(conversion.trim(), "0" | "None"),
        }))
    }
}

fn fail(spec: &TaskSpec, cx: &mut TaskBindCx<'_>, code: Code, message: String) {
    cx.error(&spec.path, spec.span, code, message);
}

/// The connection manager, and how its API binds parameters.
fn bind_connection(spec: &TaskSpec, cx: &mut TaskBindCx<'_>) -> Option<(String, Api)> {
    let text = setting(spec, "Connection", "Connection").unwrap_or("").trim().to_owned();
    if text.is_empty() {
        let code = codes::DTS_E_SQLTASK_NOCONNECTIONMANAGER;
        fail(spec, cx, code, code.message(&[]));
        return None;
    }
    let connection = match cx.connection(&text) {
        Ok(connection) => connection,
        Err(error) if error.code() == Some(codes::DTS_E_CONNECTIONNOTFOUND) => {
            let code = codes::DTS_E_SQLTASK_CANNOTLOCATECONNMANAGER;
            fail(spec, cx, code, code.message(&[&text]));
            return None;
        }
        Err(error) => {
            let code = error.code().unwrap_or(codes::DTS_E_SQLTASK_CANNOTLOCATECONNMANAGER);
            fail(spec, cx, code, error.message().to_owned());
            return None;
        }
    };
    match api_of(&connection) {
        Some(api) => Some((text, api)),
        None => {
            let code = codes::DTS_E_SQLTASK_NOHANDLERFORCONNECTION;
            let message = format!("{} (\"{}\" is of type {}.)", code.message(&[]), connection.name, connection.kind);
            fail(spec, cx, code, message);
            None
        }
    }
}

/// How connections of that kind bind parameters; None: the task has no handler for them.
fn api_of(connection: &ConnectionSpec) -> Option<Api> {
    let kind = connection.kind.to_ascii_uppercase();
    Some(match kind.split(':').next().unwrap_or("") {
        "OLEDB" | "EXCEL" => Api::OleDb,
        "ODBC" => Api::Odbc,
        "ADO" => Api::Ado,
        "ADO.NET" => Api::AdoNet,
        _ => return None,
    })
}

fn bind_statement(spec: &TaskSpec, cx: &mut TaskBindCx<'_>) -> Option<Statement> {
    let text = setting(spec, "SqlStatementSource", "SqlStatementSource").unwrap_or("");
    let source = setting(spec, "SqlStatementSourceType", "SqlStmtSourceType").unwrap_or("DirectInput").trim();
    if text.trim().is_empty() {
        let code = codes::DTS_E_SQLTASK_NOSTATEMENTSPECIFIED;
        fail(spec, cx, code, code.message(&[]));
        return None;
    }
    match source {
        "1" | "DirectInput" => Some(Statement::Direct(text.to_owned())),
        "2" | "FileConnection" => bind_file(spec, cx, text.trim()),
        "3" | "Variable" => {
            let name = cx.variables.name_of_id(text.trim()).unwrap_or_else(|| text.trim().to_owned());
            let code = match cx.variables.type_of(&name) {
                Some(VariableType::String) => return Some(Statement::Variable(name)),
                Some(_) => codes::DTS_E_SQLTASK_VARIABLETYPEISNOTSTRING,
                None => codes::DTS_E_SQLTASK_VARIABLENOTFOUND,
            };
            fail(spec, cx, code, code.message(&[&name]));
            None
        }
        other => {
            let message = format!("There is no source \"{other}\" of a statement.");
            fail(spec, cx, codes::DTS_E_TASKVALIDATIONERROR, message);
            None
        }
    }
}

fn bind_file(spec: &TaskSpec, cx: &mut TaskBindCx<'_>, text: &str) -> Option<Statement> {
    let Ok(connection) = cx.connection(text) else {
        let code = codes::DTS_E_SQLTASK_CANNOTLOCATECONNMANAGER;
        fail(spec, cx, code, code.message(&[&text]));
        return None;
    };
    if !connection.kind.eq_ignore_ascii_case("FILE") {
        let code = codes::DTS_E_SQLTASK_CONNECTIONTYPENOTFILE;
        fail(spec, cx, code, code.message(&[&connection.name]));
        return None;
    }
    let path = connection.connection_string();
    if cx.online && !cx.paths.resolve(path).is_file() {
        let code = codes::DTS_E_SQLTASK_FILEDOESNOTEXIST;
        fail(spec, cx, code, code.message(&[&path]));
        return None;
    }
    Some(Statement::File(text.to_owned()))
}

fn bind_results(spec: &TaskSpec, cx: &mut TaskBindCx<'_>, result_set: ResultSet) -> Vec<ResultBinding> {
    let mut bindings = Vec::new();
    if result_set == ResultSet::None {
        // What is left over from another result set type does nothing.
        return bindings;
    }
    for node in spec.data.all("ResultBinding") {
        let name = node.attr("ResultName").unwrap_or("").trim().to_owned();
        let variable = node.attr("DtsVariableName").unwrap_or("");
        let Some((variable, data_type)) = bind_variable(spec, cx, variable) else { continue };
        if !writable(&variable) {
            let code = codes::DTS_E_SQLTASK_READONLYVARIABLE;
            fail(spec, cx, code, code.message(&[&variable]));
            continue;
        }
        bindings.push(ResultBinding { name, variable, data_type });
    }
    let declared = spec.data.all("ResultBinding").count();
    let whole = matches!(result_set, ResultSet::Full | ResultSet::Xml);
    if declared == 0 || whole && declared != 1 {
        let code = codes::DTS_E_SQLTASK_INVALIDNUMOFRESULTBINDINGS;
        fail(spec, cx, code, code.message(&[&result_set.name()]));
    } else if whole && bindings.iter().any(|b| b.name != "0") {
        let code = codes::DTS_E_SQLTASK_RESULTBINDTYPEFORROWSETXML;
        fail(spec, cx, code, code.message(&[]));
    }
    bindings
}

/// A variable's qualified name and type; what does not exist is reported.
fn bind_variable(spec: &TaskSpec, cx: &mut TaskBindCx<'_>, text: &str) -> Option<(String, VariableType)> {
    let name = cx.variables.name_of_id(text.trim()).unwrap_or_else(|| text.trim().to_owned());
    let found = cx.variables.type_of(&name);
    if found.is_none() {
        let code = codes::DTS_E_SQLTASK_VARIABLENOTFOUND;
        fail(spec, cx, code, code.message(&[&name]));
    }
    found.map(|data_type| (name, data_type))
}

/// Whether a variable of that name may be assigned at all: system variables and parameters never are.
fn writable(name: &str) -> bool {
    !name.starts_with("System::") && !name.starts_with('$')
}

#[cfg(test)]
mod tests;
