//! Sources of rows in a database: OLE DB Source, ADO NET Source, ODBC Source.
//!
//! ```text
//! OLE DB Source  (connection: an OLEDB manager; a table, or a statement with parameters)
//!   Outputs[0]  id i4, name wstr(50) …      errors: fail, ignore or redirect, column by column
//!   Outputs[1]  the columns, ErrorCode, ErrorColumn
//! ```
//!
//! The three differ in names of properties only. A thread of the source's own runs the statement and fetches blocks of
//! rows (`fetch`); the lanes decode them and convert each column to the type that the package declares (`decode`).
//! Columns are found by the names of their external columns; those of the database that no output column takes are not
//! fetched, and when a server may be asked, the external columns are compared with what is there (`metadata`).
//!
//! In a transaction, whose one session the destinations of the flow work on as well, everything is read before the first
//! row goes on (`ahead`): the original fails there, unless the server takes several statements at a time (MARS).

mod ahead;
mod decode;
mod fetch;
mod kinds;
mod metadata;
mod parameters;
#[cfg(test)]
mod tests;

pub use kinds::{AdoNetSource, OdbcSource, OleDbSource};

use crate::db::{Database, Param, StatementOptions, TableName};
use dtsx_engine::diag::{Diagnostic, Result, codes};
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite};
use dtsx_engine::flow::{
    BindCx, Bound, ComponentSpec, Decode, Disposition, Fetch, Layout, OpenCx, OutputSpec, Source, SpecialColumn,
};
use dtsx_engine::types::DataType;
use std::sync::Arc;

/// What is read.
#[derive(Clone, PartialEq, Debug)]
enum Query {
    /// All of a table or view.
    Table(TableName),
    /// What a statement of the package yields.
    Statement(String),
}

/// What the kinds differ in.
struct Request {
    /// None: it was reported what is wrong.
    query: Option<Query>,
    params: Vec<Param>,
    /// Seconds; 0: as long as it takes.
    timeout: i64,
    code_page: u32,
    /// Whether failures are told in the words of OLE DB.
    ole_db: bool,
}

/// A column of the output.
struct OutColumn {
    /// The name of its external column.
    external: String,
    data_type: DataType,
    site: FaultSite,
}

/// Where the columns of the error output come from, besides ErrorCode and ErrorColumn: the output's column of that name.
type ErrorColumns = Vec<Option<usize>>;

struct Plan {
    name: String,
    /// None at a check that asks no server.
    database: Option<Database>,
    query: Query,
    params: Vec<Param>,
    options: StatementOptions,
    columns: Vec<OutColumn>,
    port: usize,
    errors: ErrorOutput,
    error_columns: ErrorColumns,
    locale: u32,
    ole_db: bool,
}

/// Binds a source.
fn bind(spec: &ComponentSpec, cx: &mut BindCx<'_>, request: Request) -> Option<Bound> {
    let before = cx.diagnostics.len();
    let Some(port) = spec.outputs.iter().position(|o| !o.is_error) else {
        let code = codes::DTS_E_INCORRECTMINIMUMNUMBEROFOUTPUTS;
        cx.error(spec, code, code.message(&[&1]));
        return None;
    };
    let output = &spec.outputs[port];
    let columns: Vec<OutColumn> = (0..output.columns.len()).map(|at| out_column(spec, port, at)).collect();
    let errors = ErrorOutput::bind(spec, cx, columns.iter().map(|c| &c.site));
    let database = database(spec, cx);
    let query = request.query?;
    let plan = Plan {
        name: spec.name.clone(),
        database,
        query,
        params: request.params,
        options: StatementOptions { code_page: request.code_page, ..StatementOptions::default() }
            .with_timeout_seconds(request.timeout),
        columns,
        port,
        error_columns: error_columns(output, errors.port().map(|p| &spec.outputs[p])),
        errors,
        locale: spec.locale,
        ole_db: request.ole_db,
    };
    if spec.validate_external_metadata && cx.online && plan.database.is_some() {
        metadata::validate(spec, cx, &plan, output);
    }
    if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
        return None;
    }
    Some(Bound::Source(Box::new(DatabaseSource { plan: Arc::new(plan) })))
}

/// The database behind the component's connection manager; what is wrong with that is reported if servers may be asked.
fn database(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Database> {
    match crate::connections::database::bind_for_reading(spec, cx) {
        Ok(database) => database,
        Err(diagnostic) => {
            cx.diagnostics.push(diagnostic.with_span(spec.span));
            None
        }
    }
}

fn out_column(spec: &ComponentSpec, port: usize, at: usize) -> OutColumn {
    let output = &spec.outputs[port];
    let column = &output.columns[at];
    let external = column.external.and_then(|e| output.external.get(e));
    let mut site = FaultSite::output_column(spec, port, at);
    // The ODBC Source has its dispositions at the output.
    let or = |own: Disposition, all: Disposition| if own == Disposition::NotUsed { all } else { own };
    site.dispositions.error = or(site.dispositions.error, output.dispositions.error);
    site.dispositions.truncation = or(site.dispositions.truncation, output.dispositions.truncation);
    let name = external.map_or(&column.name, |e| &e.name);
    OutColumn { external: name.clone(), data_type: column.data_type, site }
}

fn error_columns(output: &OutputSpec, errors: Option<&OutputSpec>) -> ErrorColumns {
    let of = |errors: &OutputSpec| {
        let place = |name: &str| output.columns.iter().position(|c| c.name == name);
        let column = |c: &dtsx_engine::flow::OutputColumnSpec| match c.special {
            SpecialColumn::None => place(&c.name),
            _ => None,
        };
        errors.columns.iter().map(column).collect()
    };
    errors.map(of).unwrap_or_default()
}

/// The request for a table; an empty name is reported.
fn table(spec: &ComponentSpec, cx: &mut BindCx<'_>, property: &str, name: Option<String>) -> Option<Query> {
    let name = name?;
    if name.trim().is_empty() {
        // A variable's value may come only when an earlier task has run.
        let code = codes::DTS_E_INCORRECTCUSTOMPROPERTYVALUE;
        cx.error(spec, code, code.message(&[&property, &spec.name]));
        return None;
    }
    Some(Query::Table(TableName::parse(&name)))
}

/// The request for a statement; an empty one is reported.
fn statement(spec: &ComponentSpec, cx: &mut BindCx<'_>, property: &str, text: Option<String>) -> Option<Query> {
    let text = text?;
    if text.trim().is_empty() {
        let code = codes::DTS_E_INCORRECTCUSTOMPROPERTYVALUE;
        cx.error(spec, code, code.message(&[&property, &spec.name]));
        return None;
    }
    Some(Query::Statement(text))
}

struct DatabaseSource {
    plan: Arc<Plan>,
}

impl Source for DatabaseSource {
    fn open(&self, cx: &OpenCx) -> Result<Box<dyn Fetch>> {
        fetch::open(&self.plan, cx)
    }

    fn decoder(&self, _cx: &OpenCx, outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(decode::Lane::new(&self.plan, outputs)))
    }
}
