//! Excel Source: the rows of a sheet, a range or a query of a workbook.
//!
//! ```text
//! Excel Source   AccessMode = 0   OpenRowset = Orders$        (connection: an EXCEL manager)
//!   Outputs[0]  OrderID r8, Customer wstr(255) …      errors: fail, ignore or redirect, column by column
//! ```
//!
//! As the providers of Excel do, a column gets the type that most of its first rows have (`cells`), and a value of
//! another type is NULL, unless the connection says IMEX=1 and the types are mixed: then everything is text. What the
//! provider yields is converted to the type of the external column, then to that of the output.
//!
//! The workbook is read when the flow begins; its rows are converted on any lane.

mod cells;
mod sql;
#[cfg(test)]
mod tests;

use crate::connections::excel::{ExcelConnection, bind_excel};
use crate::shared::excel::{Table, TableName, text_of};
use crate::shared::report_column;
use arrow::array::{ArrayRef, NullArray, UInt32Array, new_null_array};
use cells::Column;
use dtsx_engine::batch::{Batch, Faults};
use dtsx_engine::diag::{Code, Diagnostic, Error, Owner, Result, codes};
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite, RowFaults};
use dtsx_engine::flow::{
    BindCx, Bound, ComponentKind, ComponentSpec, Decode, Fetch, Layout, Morsel, OpenCx, Ports, Source, Step, Waker,
};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::types::convert::{CastOptions, FaultCodes, can_cast, cast_array};
use dtsx_engine::types::{DataType, Value};
use std::path::PathBuf;
use std::sync::Arc;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

const fn text(name: &'static str, doc: &'static str) -> PropertyDef {
    PropertyDef { name, ty: PropertyType::Text, default: "", doc }
}

const fn variable(name: &'static str, doc: &'static str) -> PropertyDef {
    PropertyDef { name, ty: PropertyType::VariableName, default: "", doc }
}

const PROPERTIES: &[PropertyDef] = &[
    PropertyDef {
        name: "AccessMode",
        ty: PropertyType::Int,
        default: "0",
        doc: "What is read: OpenRowset 0, OpenRowset from variable 1, SQL command 2, SQL command from variable 3.",
    },
    text("OpenRowset", "The sheet (`Sheet1$`), range (`Sheet1$A1:D20`) or named range."),
    variable("OpenRowsetVariable", "The variable that holds what OpenRowset would."),
    text("SqlCommand", "The query over sheets and ranges."),
    variable("SqlCommandVariable", "The variable that holds the query."),
    text("ParameterMapping", "The variables of the query's parameters; refused unless it is empty."),
    PropertyDef {
        name: "CommandTimeout",
        ty: PropertyType::Int,
        default: "0",
        doc: "Seconds after which a query ends; not applied, as no server is asked.",
    },
];

/// `Microsoft.ExcelSource`.
pub struct ExcelSource;

impl ComponentKind for ExcelSource {
    fn kind(&self) -> &'static str {
        "Microsoft.ExcelSource"
    }

    fn title(&self) -> &'static str {
        "Excel Source"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        PROPERTIES
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        let connection = bind_excel(spec, cx);
        let what = bind_what(spec, cx);
        let Some(port) = spec.outputs.iter().position(|o| !o.is_error) else {
            let code = codes::DTS_E_INCORRECTMINIMUMNUMBEROFOUTPUTS;
            cx.error(spec, code, code.message(&[&1]));
            return None;
        };
        let output = &spec.outputs[port];
        let mut columns = Vec::with_capacity(output.columns.len());
        for (index, column) in output.columns.iter().enumerate() {
            let external = column.external.and_then(|i| output.external.get(i));
            let (name, declared) = external.map_or((&column.name, column.data_type), |e| (&e.name, e.data_type));
            if !can_cast(&declared, &column.data_type) {
                let code = codes::DTS_E_CANNOTCONVERTTYPES;
                report_column(spec, cx, column, code, code.message(&[&declared, &column.data_type]));
            }
            let site = FaultSite::output_column(spec, port, index);
            columns.push(OutColumn { name: name.clone(), declared, data_type: column.data_type, site });
        }
        let errors = ErrorOutput::bind(spec, cx, columns.iter().map(|c| &c.site));
        // What the columns of the error output show, by their names.
        let shown = errors.port().map_or_else(Vec::new, |p| {
            let place = |name: &str| output.columns.iter().position(|c| c.name == name);
            spec.outputs[p].columns.iter().map(|c| place(&c.name)).collect()
        });
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let options = CastOptions::data_flow(spec.locale);
        let plan = Plan { connection: connection?, what: what?, port, columns, errors, shown, options };
        Some(Bound::Source(Box::new(Excel { plan: Arc::new(plan) })))
    }
}

/// What is read.
enum What {
    Table(TableName),
    TableOf(String),
    Query(String),
    QueryOf(String),
}

fn bind_what(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<What> {
    let p = &spec.properties;
    if !p.str("ParameterMapping").trim().is_empty() {
        cx.unsupported(spec, "Parameters of a query over a workbook are not supported");
        return None;
    }
    let variable = |cx: &mut BindCx<'_>, property: &str| {
        let text = p.str(property).trim();
        let name = cx.variables.name_of_id(text).unwrap_or_else(|| text.to_owned());
        match cx.variables.read(&name) {
            Ok(_) => Some(name),
            Err(error) => {
                let code = error.code().unwrap_or(codes::DTS_E_VARIABLENOTFOUND);
                cx.error(spec, code, error.message());
                None
            }
        }
    };
    match p.int("AccessMode").unwrap_or(0) {
        0 => match TableName::parse(p.str("OpenRowset")) {
            Some(table) => Some(What::Table(table)),
            None => {
                let code = codes::DTS_E_CANNOTGETIROWSET;
                cx.error(spec, code, code.message(&[&p.str("OpenRowset")]));
                None
            }
        },
        1 => variable(cx, "OpenRowsetVariable").map(What::TableOf),
        2 => match sql::check(p.str("SqlCommand")) {
            Ok(()) => Some(What::Query(p.str("SqlCommand").to_owned())),
            Err(why) => {
                cx.unsupported(spec, why);
                None
            }
        },
        3 => variable(cx, "SqlCommandVariable").map(What::QueryOf),
        other => {
            let code = codes::DTS_E_RAWINVALIDACCESSMODE;
            cx.error(spec, code, code.message(&[&other]));
            None
        }
    }
}

/// A column of the output.
struct OutColumn {
    /// Its name in the workbook.
    name: String,
    /// The type of the external column.
    declared: DataType,
    data_type: DataType,
    site: FaultSite,
}

struct Plan {
    connection: ExcelConnection,
    what: What,
    port: usize,
    columns: Vec<OutColumn>,
    errors: ErrorOutput,
    /// By column of the error output, the output's column of that name.
    shown: Vec<Option<usize>>,
    options: CastOptions,
}

struct Excel {
    plan: Arc<Plan>,
}

impl Source for Excel {
    fn open(&self, cx: &OpenCx) -> Result<Box<dyn Fetch>> {
        let text = |variable: &String| match cx.variables.read(variable)?.1 {
            Value::Text(text) => Ok(text.to_string()),
            _ => Err(Error::new(Owner::Package, None, format!("The variable \"{variable}\" holds no text."))),
        };
        let what = match &self.plan.what {
            What::Table(table) => Now::Table(table.clone()),
            What::TableOf(variable) => {
                let name = text(variable)?;
                let table = TableName::parse(&name).ok_or_else(|| no_table(&self.plan, &name))?;
                Now::Table(table)
            }
            What::Query(query) => Now::Query(query.clone()),
            What::QueryOf(variable) => {
                let query = text(variable)?;
                sql::check(&query).map_err(|why| Error::new(Owner::Unsupported, None, why))?;
                Now::Query(query)
            }
        };
        let path = cx.services.paths.resolve(&self.plan.connection.path);
        Ok(Box::new(Reading { plan: self.plan.clone(), cx: cx.clone(), path, what: Some(what), rows: None, next: 0 }))
    }

    fn decoder(&self, cx: &OpenCx, outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        let used = match outputs.get(self.plan.port) {
            Some(layout) => layout.columns.iter().map(|c| c.used).collect(),
            None => vec![true; self.plan.columns.len()],
        };
        Ok(Box::new(Converting { plan: self.plan.clone(), cx: cx.clone(), used }))
    }
}

fn no_table(plan: &Plan, name: &str) -> Error {
    let code = codes::DTS_E_CANNOTGETIROWSET;
    let text = format!("{} Workbook \"{}\".", code.message(&[&name]), plan.connection.path);
    Error::new(Owner::Connection, code, text)
}

/// What is read in this execution.
enum Now {
    Table(TableName),
    Query(String),
}

/// Rows of a workbook in memory.
pub(super) struct Cells {
    table: Table,
    /// Rows in front of the first one of data.
    header: usize,
    /// By output column, where it stands and what kind it is.
    columns: Vec<Column>,
}

struct Reading {
    plan: Arc<Plan>,
    cx: OpenCx,
    path: PathBuf,
    what: Option<Now>,
    rows: Option<Arc<Cells>>,
    next: usize,
}

impl Reading {
    /// Reads the workbook.
    fn read(&self, what: &Now) -> Result<Cells> {
        let connection = &self.plan.connection;
        let cannot = |cause: String| {
            let code = codes::DTS_E_CANNOTACQUIRECONNECTIONFROMCONNECTIONMANAGER;
            let opened = self.path.display().to_string();
            let place = if opened == connection.path { String::new() } else { format!(" ({opened})") };
            Error::new(Owner::Connection, code, format!("The workbook \"{}\"{place}: {cause}", connection.path))
        };
        // The reader of workbooks says less about a file that is not there.
        std::fs::File::open(&self.path).map_err(|e| cannot(e.to_string()))?;
        let mut workbook = calamine::open_workbook_auto(&self.path).map_err(|e| cannot(e.to_string()))?;
        self.cx.services.cancel.check()?;
        let (table, header) = match what {
            Now::Table(name) => {
                let found = Table::open(&mut workbook, name).map_err(|e| cannot(e.to_string()))?;
                let shown = match name {
                    TableName::Sheet(sheet, _) => format!("{sheet}$"),
                    TableName::Named(name) => name.clone(),
                };
                (found.ok_or_else(|| no_table(&self.plan, &shown))?, connection.header)
            }
            // The result of a query has the names of its columns in its first row.
            Now::Query(query) => (sql::run(&mut workbook, query, connection).map_err(cannot)?, true),
        };
        let names = table.names(header);
        let header = usize::from(header);
        let place = |column: &OutColumn| {
            let found = names.iter().position(|n| n.eq_ignore_ascii_case(&column.name));
            let place = found.ok_or_else(|| {
                let code = codes::DTS_E_COLUMNNOTFOUND;
                Error::new(Owner::Connection, code, code.message(&[&column.name])).at(&self.cx.path)
            })?;
            let kind = cells::guess(&table, header, place, connection, &column.declared);
            let from = kind.data_type();
            if !can_cast(&from, &column.declared) {
                let code = codes::DTS_E_CANNOTCONVERTTYPES;
                return Err(Error::new(Owner::Data, code, code.message(&[&from, &column.declared])));
            }
            Ok(Column { place, kind })
        };
        let columns = self.plan.columns.iter().map(place).collect::<Result<Vec<_>>>()?;
        Ok(Cells { table, header, columns })
    }
}

/// Rows `first..first + rows` of the data.
struct Block {
    cells: Arc<Cells>,
    first: usize,
    rows: usize,
}

impl Fetch for Reading {
    fn fetch(&mut self, _waker: &Waker) -> Result<Step<Morsel>> {
        let cells = match (&self.rows, self.what.take()) {
            (Some(cells), _) => cells.clone(),
            (None, Some(what)) => {
                let cells = Arc::new(self.read(&what)?);
                self.rows = Some(cells.clone());
                cells
            }
            (None, None) => return Ok(Step::Done),
        };
        let left = (cells.table.height() - cells.header).saturating_sub(self.next);
        if left == 0 {
            return Ok(Step::Done);
        }
        let rows = left.min(BATCH_ROWS);
        let block = Block { cells, first: self.next, rows };
        self.next += rows;
        Ok(Step::More(Box::new(block)))
    }

    fn finish(&mut self) -> Result<()> {
        self.plan.errors.report_lost(&self.cx);
        Ok(())
    }
}

struct Converting {
    plan: Arc<Plan>,
    cx: OpenCx,
    used: Vec<bool>,
}

impl Decode for Converting {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let Ok(block) = morsel.downcast::<Block>() else {
            return Err(Error::internal("a morsel of another source"));
        };
        let plan = &*self.plan;
        let Cells { table, header, columns } = &*block.cells;
        let mut rows = RowFaults::of_rows(seq, block.rows);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
        for ((column, planned), used) in columns.iter().zip(&plan.columns).zip(&self.used) {
            // A column that nobody reads is converted all the same: its dispositions count.
            let first = header + block.first;
            let given = column.read(table, first, block.rows, plan.options.lcid)?;
            let from = column.kind.data_type();
            let (array, faults) = converted(&given, &from, planned, &plan.options)?;
            let value = |row: u32| Some(text_of(table.value(first + row as usize, column.place)));
            rows.column(&planned.site, &faults, &value);
            arrays.push(if *used { array } else { Arc::new(NullArray::new(block.rows)) });
        }
        let (selection, rejects) = rows.settle(&self.cx.name)?;
        if !rejects.is_empty() {
            let indices = UInt32Array::from_iter_values(rejects.iter().map(|r| r.row));
            let gathered = |place: usize, data_type: &DataType| -> ArrayRef {
                let source = plan.shown.get(place).copied().flatten().map(|column| &arrays[column]);
                let taken = source.and_then(|array| arrow::compute::take(array, &indices, None).ok());
                taken
                    .filter(|array| array.data_type() == &data_type.arrow())
                    .unwrap_or_else(|| new_null_array(&data_type.arrow(), rejects.len()))
            };
            plan.errors.send_own(seq, &rejects, gathered, out);
        }
        out.set_rows_read(block.rows as u32);
        out.put(plan.port, Batch { selection, ..Batch::new(seq, block.rows, arrays) });
        Ok(())
    }
}

/// Values of the provider in the type of the output, with the codes of the source.
fn converted(
    array: &ArrayRef,
    from: &DataType,
    column: &OutColumn,
    options: &CastOptions,
) -> Result<(ArrayRef, Faults)> {
    let (array, mut faults) = cast_array(array, from, &column.declared, options)?;
    let (array, more) = cast_array(&array, &column.declared, &column.data_type, options)?;
    if !more.is_empty() {
        faults.extend(more);
        faults.sort_by_key(|fault| (fault.row, fault.truncation));
        faults.dedup_by_key(|fault| fault.row);
    }
    for fault in &mut faults {
        fault.code = source_code(fault.code);
    }
    Ok((array, faults))
}

/// What a database source says where a conversion says `code`.
fn source_code(code: Code) -> Code {
    let (from, to) = (FaultCodes::DATA_CONVERSION, FaultCodes::DATABASE_SOURCE);
    from.translate(&to, code).unwrap_or(code)
}
