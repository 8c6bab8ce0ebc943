//! Excel Destination: adds rows to a sheet or a named range of a workbook.
//!
//! ```text
//! Excel Destination   AccessMode = 0   OpenRowset = Orders$        (connection: an EXCEL manager)
//!   Inputs[0].Columns[Total]  →  the column Total of the sheet's first row
//! ```
//!
//! Rows go behind those that the table has; the rest of the workbook stays as it is (`append`). They are kept aside until
//! the last one has come: when the flow fails, the workbook is as it was. Workbooks are .xlsx and .xlsm files (`xlsx`) or
//! .xls files (`xls`); .xlsb is refused by name, and so are workbooks that are signed or protected by a password.

mod append;
mod biff;
#[cfg(test)]
mod tests;
mod xls;
mod xlsx;

use crate::connections::excel::{ExcelConnection, bind_excel};
use crate::shared::excel::TableName;
use crate::shared::stream::{Emitted, Stream, Streaming};
use crate::shared::{inputs, report_column};
use append::Problem;
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Field, Float64Type, Schema, SchemaRef};
use dtsx_engine::batch::{Batch, Fault, Faults};
use dtsx_engine::diag::{Code, Diagnostic, Error, Owner, Result, codes};
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite, RowFaults};
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, InputColumnSpec, Layout, OpenCx, RowRule, Slot};
use dtsx_engine::memory::SpillWriter;
use dtsx_engine::props::{PropertyDef, PropertyType, property as p};
use dtsx_engine::types::convert::{CastOptions, FaultCodes, can_cast, cast_array};
use dtsx_engine::types::{DataType, Value};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Characters of a cell.
const MAX_TEXT: usize = 32_767;

/// `Microsoft.ExcelDestination`.
pub struct ExcelDestination;

const PROPERTIES: &[PropertyDef] = {
    use PropertyType::{Bool, Int, Text, VariableName};
    &[
        p(
            "AccessMode",
            Int,
            "0",
            "What is written to: OpenRowset 0, OpenRowset from variable 1, a query 2 (refused); 3 and 4 as 0 and 1.",
        ),
        p("OpenRowset", Text, "", "The sheet (`Sheet1$`) or named range."),
        p("OpenRowsetVariable", VariableName, "", "The variable that holds what OpenRowset would."),
        p("SqlCommand", Text, "", "The query whose rowset takes the rows; refused."),
        p("CommandTimeout", Int, "0", "Seconds after which a command ends; not applied, as no server is asked."),
        p("FastLoadKeepIdentity", Bool, "false", "Not applied: workbooks have no identity columns."),
        p("FastLoadKeepNulls", Bool, "false", "Not applied: workbooks have no column defaults."),
        p("FastLoadOptions", Text, "", "Not applied: workbooks have no fast load."),
        p("FastLoadMaxInsertCommitSize", Int, "2147483647", "Not applied: all rows are written at once."),
    ]
};

impl ComponentKind for ExcelDestination {
    fn kind(&self) -> &'static str {
        "Microsoft.ExcelDestination"
    }

    fn title(&self) -> &'static str {
        "Excel Destination"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        PROPERTIES
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let [input] = inputs(spec, cx)?;
        let before = cx.diagnostics.len();
        let connection = bind_excel(spec, cx);
        if let Some(connection) = &connection
            && let Err(why) = writable(&connection.path)
        {
            cx.unsupported(spec, why);
        }
        let table = bind_table(spec, cx);
        let mut columns = Vec::new();
        for column in &input.columns {
            columns.extend(bind_column(spec, cx, column));
        }
        let site = FaultSite::input(spec, 0);
        let errors = ErrorOutput::bind(spec, cx, [&site]);
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) || columns.len() < input.columns.len() {
            return None;
        }
        let options = CastOptions::data_flow(spec.locale);
        let fields: Vec<Field> = columns.iter().map(|c| Field::new(&c.name, c.kind.stored().arrow(), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let (connection, table) = (connection?, table?);
        let (name, outputs) = (spec.name.clone(), spec.outputs.len());
        let plan = Plan { name, outputs, connection, table, columns, schema, site, errors, options };
        Some(Bound::Stage(Box::new(Streaming::new(plan, RowRule::Other("the rows that were not written")))))
    }
}

/// Whether a workbook of that name can be written.
fn writable(path: &str) -> Result<(), String> {
    let extension =
        path.rsplit(['\\', '/']).next().and_then(|name| name.rsplit_once('.')).map(|(_, e)| e.to_ascii_lowercase());
    match extension.as_deref() {
        Some("xlsx" | "xlsm" | "xls") | None => Ok(()),
        Some(other) => Err(format!("Writing workbooks of type .{other} is not supported; .xlsx, .xlsm and .xls are")),
    }
}

enum TableOf {
    Name(TableName),
    Variable(String),
}

fn bind_table(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<TableOf> {
    let p = &spec.properties;
    match p.int("AccessMode").unwrap_or(0) {
        0 | 3 => {
            let table = TableName::parse(p.str("OpenRowset")).map(TableOf::Name);
            if table.is_none() {
                let code = codes::DTS_E_CANNOTGETIROWSET;
                cx.error(spec, code, code.message(&[&p.str("OpenRowset")]));
            }
            table
        }
        1 | 4 => {
            let text = p.str("OpenRowsetVariable").trim();
            let name = cx.variables.name_of_id(text).unwrap_or_else(|| text.to_owned());
            match cx.variables.read(&name) {
                Ok(_) => Some(TableOf::Variable(name)),
                Err(error) => {
                    let code = error.code().unwrap_or(codes::DTS_E_VARIABLENOTFOUND);
                    cx.error(spec, code, error.message());
                    None
                }
            }
        }
        2 => {
            cx.unsupported(spec, "An Excel Destination that writes to the rowset of a query is not supported");
            None
        }
        other => {
            let code = codes::DTS_E_RAWINVALIDACCESSMODE;
            cx.error(spec, code, code.message(&[&other]));
            None
        }
    }
}

/// What the cells of a column hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CellKind {
    Number,
    Bool,
    DateTime,
    Date,
    Time,
    Text,
}

impl CellKind {
    /// The built-in formats of dates with a time, of dates, and of times.
    pub(super) const FORMATS: [u32; 3] = [22, 14, 21];

    /// The place in [`CellKind::FORMATS`] of the format of its cells.
    pub(super) fn format(self) -> Option<u64> {
        match self {
            CellKind::DateTime => Some(0),
            CellKind::Date => Some(1),
            CellKind::Time => Some(2),
            _ => None,
        }
    }

    fn of(data_type: &DataType) -> CellKind {
        match data_type {
            DataType::Bool => CellKind::Bool,
            DataType::DbDate => CellKind::Date,
            DataType::DbTime | DataType::DbTime2 { .. } => CellKind::Time,
            other if other.is_date_time() => CellKind::DateTime,
            other if other.is_numeric() => CellKind::Number,
            _ => CellKind::Text,
        }
    }

    /// The type of its values on their way.
    fn stored(self) -> DataType {
        match self {
            CellKind::Bool => DataType::Bool,
            CellKind::Text => DataType::NText,
            _ => DataType::R8,
        }
    }
}

/// A column of the table.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: CellKind,
    slot: Slot,
    /// The types that its values pass through.
    steps: Vec<DataType>,
}

fn bind_column(spec: &ComponentSpec, cx: &mut BindCx<'_>, column: &InputColumnSpec) -> Option<Column> {
    let input = &spec.inputs[0];
    let external = column.external.and_then(|i| input.external.get(i));
    // A lineage that the path does not bring is reported for every component alike.
    let slot = cx.inputs[0].slot(column.lineage)?;
    let given = cx.inputs[0].column(slot).data_type;
    let declared = external.map_or(given, |e| e.data_type);
    let name = external.map_or(&column.name, |e| &e.name).clone();
    let kind = CellKind::of(&declared);
    let mut steps = vec![given, declared];
    match kind {
        // A text column of the provider has 255 characters at most, a memo more.
        CellKind::Text if !matches!(declared, DataType::WStr { .. } | DataType::NText) => {
            steps.push(DataType::WStr { len: dtsx_engine::types::MAX_WSTR_UNITS });
        }
        CellKind::DateTime | CellKind::Date => steps.push(DataType::Date),
        CellKind::Time => {}
        _ => {}
    }
    steps.push(kind.stored());
    steps.dedup();
    let cast = |pair: &[DataType]| pair[0] == DataType::DbTime || is_time2(&pair[0]) || can_cast(&pair[0], &pair[1]);
    if let Some(pair) = steps.windows(2).find(|pair| !cast(pair)) {
        let code = codes::DTS_E_CANNOTCONVERTTYPES;
        report_column(spec, cx, column, code, code.message(&[&pair[0], &pair[1]]));
        return None;
    }
    Some(Column { name, kind, slot, steps })
}

fn is_time2(data_type: &DataType) -> bool {
    matches!(data_type, DataType::DbTime2 { .. })
}

struct Plan {
    name: String,
    outputs: usize,
    connection: ExcelConnection,
    table: TableOf,
    columns: Vec<Column>,
    schema: SchemaRef,
    site: FaultSite,
    errors: ErrorOutput,
    options: CastOptions,
}

/// What is open during an execution.
struct Writing {
    table: TableName,
    /// The rows that there is still room for.
    room: u64,
    /// The rows, aside until the last one has come.
    rows: Option<SpillWriter>,
}

impl Stream for Plan {
    type Piece = Batch;
    type Lane = ();
    type State = Writing;

    fn lane(&self, _cx: &OpenCx, _input: &Layout) -> Result<()> {
        Ok(())
    }

    fn state(&self, cx: &OpenCx, _input: &Layout) -> Result<Writing> {
        let table = match &self.table {
            TableOf::Name(name) => name.clone(),
            TableOf::Variable(variable) => {
                let text = match cx.variables.read(variable)?.1 {
                    Value::Text(text) => text.to_string(),
                    _ => String::new(),
                };
                TableName::parse(&text).ok_or_else(|| no_table(self, &text))?
            }
        };
        writable(&self.connection.path).map_err(|why| Error::new(Owner::Unsupported, None, why))?;
        // What cannot be opened is said before the first row.
        let path = cx.services.paths.resolve(&self.connection.path);
        std::fs::File::open(&path).map_err(|e| cannot(self, &path, &e))?;
        let place = append::place(&path, &table, self.connection.header, &self.columns);
        let room = place.map_err(|problem| self.problem(&path, &table, problem))?.room;
        Ok(Writing { table, room, rows: Some(cx.services.spill.batches(&self.schema)?) })
    }

    fn prepare(&self, (): &mut (), batch: Batch) -> Result<Batch> {
        Ok(batch)
    }

    fn step(&self, state: &mut Writing, batch: Batch, out: &mut Emitted) -> Result<Option<Batch>> {
        let mut rows = RowFaults::new(&batch);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let given = &batch.columns[column.slot.0];
            let (array, faults) = column.cells(given, &self.options)?;
            rows.column(&self.site, &faults, &|row| crate::shared::shown(given, row));
            arrays.push(array);
        }
        state.room = state.room.saturating_sub(full(&mut rows, &batch, &self.site, state.room));
        let (selection, rejects) = rows.settle(&self.name)?;
        out.ports(self.outputs, |out| self.errors.send(&batch, &rejects, out))?;
        let kept = Batch { selection, ..Batch::new(batch.seq, batch.rows, arrays) }.compact()?;
        if let (Some(rows), true) = (&mut state.rows, kept.rows > 0 && !kept.columns.is_empty()) {
            rows.write(&RecordBatch::try_new(self.schema.clone(), kept.columns)?)?;
        }
        Ok(None)
    }

    fn end(&self, state: &mut Writing, cx: &OpenCx, _out: &mut Emitted) -> Result<()> {
        self.errors.report_lost(cx);
        let Some(rows) = state.rows.take() else { return Ok(()) };
        let rows = rows.finish()?;
        if rows.rows() == 0 {
            return Ok(());
        }
        let path = cx.services.paths.resolve(&self.connection.path);
        // Several destinations may write to one workbook: one after the other.
        let turn = cx.services.shared.get::<Mutex<()>>(&format!("workbook {}", path.display()));
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let written = append::append(&path, &state.table, self.connection.header, &self.columns, rows.read()?);
        written.map_err(|problem| self.problem(&path, &state.table, problem))
    }
}

impl Plan {
    fn problem(&self, path: &Path, table: &TableName, problem: Problem) -> Error {
        match problem {
            Problem::NoTable => no_table(self, &shown(table)),
            Problem::NoColumn(name) => {
                let code = codes::DTS_E_COLUMNNOTFOUND;
                Error::new(Owner::Connection, code, code.message(&[&name]))
            }
            Problem::Other(cause) => cannot(self, path, &cause),
            Problem::Rows(error) => error,
        }
    }
}

fn no_table(plan: &Plan, name: &str) -> Error {
    let code = codes::DTS_E_CANNOTGETIROWSET;
    let text = format!("{} Workbook \"{}\".", code.message(&[&name]), plan.connection.path);
    Error::new(Owner::Connection, code, text)
}

fn cannot(plan: &Plan, path: &Path, cause: &dyn std::fmt::Display) -> Error {
    let code = codes::DTS_E_CANNOTACQUIRECONNECTIONFROMCONNECTIONMANAGER;
    let text = format!("The workbook \"{}\" ({}): {cause}", plan.connection.path, path.display());
    Error::new(Owner::Connection, code, text)
}

/// Reports the rows of a batch that a sheet with `room` rows left has no place for; how many rows take a place.
fn full(rows: &mut RowFaults, batch: &Batch, site: &FaultSite, room: u64) -> u64 {
    let selected: Vec<u32> = match &batch.selection {
        Some(selection) => selection.to_vec(),
        None => (0..batch.rows as u32).collect(),
    };
    let kept = selected.into_iter().filter(|row| !rows.is_rejected(*row));
    let (mut placed, mut faults) = (0, Faults::new());
    for row in kept {
        if placed < room {
            placed += 1;
        } else {
            let code = codes::DTS_E_OLEDBDESTINATIONADAPTERSTATIC_UNAVAILABLE;
            faults.push(Fault { row, code, truncation: false });
        }
    }
    rows.column(site, &faults, &|_| Some("the sheet has no room for more rows".into()));
    placed
}

fn shown(table: &TableName) -> String {
    match table {
        TableName::Sheet(sheet, _) => format!("{sheet}$"),
        TableName::Named(name) => name.clone(),
    }
}

impl Column {
    /// Values as cells hold them, with what they cannot hold as faults.
    fn cells(&self, given: &ArrayRef, options: &CastOptions) -> Result<(ArrayRef, Faults)> {
        let mut array = given.clone();
        let mut faults = Faults::new();
        for pair in self.steps.windows(2) {
            let more;
            (array, more) = if pair[0] == DataType::DbTime || is_time2(&pair[0]) {
                (days(&array), Faults::new())
            } else {
                cast_array(&array, &pair[0], &pair[1], options)?
            };
            faults.extend(more);
        }
        if self.kind == CellKind::Text
            && let Some(text) = array.as_string_view_opt()
        {
            let long = |(row, value): (usize, Option<&str>)| {
                let long = value.is_some_and(|v| v.len() > MAX_TEXT && v.encode_utf16().nth(MAX_TEXT).is_some());
                let code = FaultCodes::DATA_CONVERSION.overflow;
                long.then_some(Fault { row: row as u32, code, truncation: false })
            };
            faults.extend(text.iter().enumerate().filter_map(long));
        }
        if let Some(numbers) = array.as_primitive_opt::<Float64Type>() {
            let code = FaultCodes::DATA_CONVERSION.overflow;
            let none = |(row, value): (usize, Option<f64>)| {
                value.is_some_and(|v| !v.is_finite()).then_some(Fault { row: row as u32, code, truncation: false })
            };
            faults.extend(numbers.iter().enumerate().filter_map(none));
        }
        faults.sort_by_key(|fault| (fault.row, fault.truncation));
        faults.dedup_by_key(|fault| fault.row);
        for fault in &mut faults {
            // Errors of a destination are those of its input, which has no disposition for truncation.
            *fault = Fault { code: destination_code(fault.code), truncation: false, ..*fault };
        }
        Ok((array, faults))
    }
}

/// Times as parts of a day.
fn days(array: &ArrayRef) -> ArrayRef {
    use arrow::array::Float64Array;
    use arrow::datatypes::{Time32SecondType, Time64NanosecondType};
    if let Some(times) = array.as_primitive_opt::<Time32SecondType>() {
        return Arc::new(times.iter().map(|t| t.map(|t| f64::from(t) / 86_400.0)).collect::<Float64Array>());
    }
    match array.as_primitive_opt::<Time64NanosecondType>() {
        Some(times) => Arc::new(times.iter().map(|t| t.map(|t| t as f64 / 86_400e9)).collect::<Float64Array>()),
        None => arrow::array::new_null_array(&DataType::R8.arrow(), array.len()),
    }
}

/// What a database destination says where a conversion says `code`.
fn destination_code(code: Code) -> Code {
    let (from, to) = (FaultCodes::DATA_CONVERSION, FaultCodes::DATABASE_DESTINATION);
    from.translate(&to, code).unwrap_or(code)
}
