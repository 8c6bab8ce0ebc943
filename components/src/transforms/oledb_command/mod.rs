//! OLE DB Command: a statement for each row.
//!
//! ```text
//! OLE DB Command  SqlCommand = UPDATE [dbo].[T] SET [Name] = ? WHERE [Id] = ?
//!   Inputs[0]   Name → Param_0 wstr(50), Id → Param_1 i4        errors: fail, ignore or redirect
//!   Outputs[0]  the rows whose statement succeeded              Outputs[1]  the others
//! ```
//!
//! The n-th external column is the n-th parameter. A parameter that is an output (DBParamInfoFlags of its external column)
//! writes what comes out of it into the column that is mapped to it. Lanes convert the parameters; a thread of the
//! component's own runs the statement for row after row, batch by batch in a transaction: each row is as if committed for
//! itself, so that what came before a row that fails the component stays.

mod outputs;
#[cfg(test)]
mod tests;

use super::{one_input, report_column};
use crate::db::{
    Call, Database, DbError, Direction, ErrorKind, Outcome, Pen, RowFailure, Rows, Session, StatementOptions,
};
use crate::shared::ashore::{self, Outbox, Work};
use crate::shared::castable;
use crate::shared::outgoing::{Block, Column, Outgoing};
use crate::shared::properties::DEFAULT_CODE_PAGE;
use arrow::array::Array;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Code, Diagnostic, Error, Result, Severity, codes};
use dtsx_engine::events::Message;
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite, Reject};
use dtsx_engine::flow::{
    BindCx, Bound, ComponentKind, ComponentSpec, Disposition, ExternalColumnSpec, Layout, LineageId, OpenCx, Ports,
    RowRule, Stage, StageEnds,
};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::{FaultCodes, can_cast};
use std::sync::Arc;

/// `Microsoft.OLEDBCommand`.
#[derive(Debug)]
pub struct OleDbCommand;

const PROPERTIES: &[PropertyDef] = &[
    PropertyDef {
        name: "SqlCommand",
        ty: PropertyType::Text,
        default: "",
        doc: "The statement, with a question mark for each parameter.",
    },
    PropertyDef {
        name: "CommandTimeout",
        ty: PropertyType::Int,
        default: "0",
        doc: "Seconds that the statement may take; 0 for any.",
    },
    DEFAULT_CODE_PAGE,
];

/// DBPARAMFLAGS_ISINPUT and DBPARAMFLAGS_ISOUTPUT in DBParamInfoFlags.
const IS_INPUT: i64 = 1;
const IS_OUTPUT: i64 = 2;

/// What conversions of parameters are called.
const CODES: FaultCodes = FaultCodes {
    cannot_convert: codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_CANTCONVERTVALUE,
    truncated: codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_TRUNCATED,
    sign_mismatch: codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_SIGNMISMATCH,
    overflow: codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_DATAOVERFLOW,
};

/// What ErrorCode holds for a row whose statement failed; `blamed`: a parameter is known to be at fault. As with the
/// destinations, a row that a key, a foreign key or a check forbids has no status: no parameter tells it.
fn row_code(error: &DbError, blamed: bool) -> Code {
    match (error.kind, error.state.as_str()) {
        (_, "22001") => codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_TRUNCATED,
        (_, "22003") => codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_DATAOVERFLOW,
        (ErrorKind::Constraint, _) if blamed => codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_INTEGRITYVIOLATION,
        (ErrorKind::Value, _) => codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_CANTCONVERTVALUE,
        _ => codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_UNAVAILABLE,
    }
}

/// The parameter that made a statement fail, by its place, as far as the row tells: the only one whose value can be meant.
/// What a parameter goes into is the database's business, so that two that can be meant cannot be told apart.
fn blame(error: &DbError, rows: &Rows, row: usize, types: &[DataType]) -> Option<usize> {
    let is_null = |at: usize| rows.columns[at].is_null(row);
    let text = |at: usize| types[at].is_string() || types[at].is_blob() || matches!(types[at], DataType::Bytes { .. });
    let all = |meant: &dyn Fn(usize) -> bool| (0..types.len()).filter(|at| meant(*at)).collect::<Vec<usize>>();
    let meant = match (error.kind, error.state.as_str()) {
        _ if error.refuses_null() => all(&is_null),
        (ErrorKind::Value, "22001") => all(&|at| !is_null(at) && text(at)),
        (ErrorKind::Value, "22003") => all(&|at| !is_null(at) && types[at].is_numeric()),
        (ErrorKind::Value, _) => all(&|at| !is_null(at)),
        _ => return None,
    };
    (meant.len() == 1).then(|| meant[0])
}

impl ComponentKind for OleDbCommand {
    fn kind(&self) -> &'static str {
        "Microsoft.OLEDBCommand"
    }

    fn title(&self) -> &'static str {
        "OLE DB Command"
    }

    fn writes(&self) -> bool {
        true
    }

    fn properties(&self) -> &'static [PropertyDef] {
        PROPERTIES
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        one_input(spec, cx)?;
        let before = cx.diagnostics.len();
        let sql = spec.properties.str("SqlCommand").to_owned();
        if sql.trim().is_empty() {
            let code = codes::DTS_E_MISSINGSQLCOMMAND;
            cx.error(spec, code, code.message(&[]));
        }
        let mut site = FaultSite::input(spec, 0);
        site.dispositions.truncation = site.dispositions.error;
        let returns = Call::parse(&sql).is_some_and(|call| call.returns);
        let (columns, params) = parameters(spec, cx, &site, returns);
        refuse_outputs(spec, cx);
        let errors = ErrorOutput::bind(spec, cx, [&site]);
        let database = match crate::connections::database::bind(spec, cx) {
            Ok(database) => database,
            Err(diagnostic) => {
                cx.diagnostics.push(diagnostic.with_span(spec.span));
                None
            }
        };
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let port = spec.outputs.iter().position(|o| !o.is_error);
        let plan = Plan {
            database,
            sql,
            types: columns.iter().map(|c| c.to).collect(),
            params,
            options: StatementOptions::default()
                .with_timeout_seconds(spec.properties.int("CommandTimeout").unwrap_or(0)),
            out: Outgoing { name: spec.name.clone(), columns, site, codes: CODES, locale: spec.locale },
            port: port.filter(|p| cx.attached.get(*p).copied().unwrap_or(false)),
            errors,
            outputs: spec.outputs.len(),
        };
        Some(Bound::Stage(Box::new(Command { plan: Arc::new(plan) })))
    }
}

/// The external columns in the order of the parameters: by the number in `Param_0`, `Param_1`, … if all are called so, else
/// (parameters of a procedure by their names) as they stand.
fn order(external: &[ExternalColumnSpec]) -> Vec<usize> {
    let number = |e: &ExternalColumnSpec| e.name.strip_prefix("Param_").and_then(|n| n.parse::<usize>().ok());
    let numbers: Option<Vec<usize>> = external.iter().map(number).collect();
    let mut order: Vec<usize> = (0..external.len()).collect();
    if let Some(numbers) = numbers {
        order.sort_by_key(|place| numbers[*place]);
    }
    order
}

/// A parameter of a statement some of whose parameters are outputs.
struct Parameter {
    direction: Direction,
    /// Its place among the columns that are converted, if something goes in.
    goes_in: Option<usize>,
    /// The place of the column in the input, and its type there.
    slot: usize,
    column: DataType,
    /// The type of the parameter.
    data_type: DataType,
    /// The name of its external column.
    external: String,
}

/// What goes in, in order, each with the input column that is mapped to it; and all parameters. `returns`: the first is the
/// return value of a procedure.
fn parameters(
    spec: &ComponentSpec,
    cx: &mut BindCx<'_>,
    site: &FaultSite,
    returns: bool,
) -> (Vec<Column>, Vec<Parameter>) {
    let input = &spec.inputs[0];
    let (mut columns, mut params) = (Vec::new(), Vec::new());
    for (at, column) in input.columns.iter().enumerate() {
        if column.external.is_none_or(|e| e >= input.external.len()) {
            let code = codes::DTS_E_COLUMNNOTMAPPEDTOEXTERNALMETADATACOLUMN;
            let object = FaultSite::input_column(spec, 0, at).object;
            report_column(spec, cx, column, code, code.message(&[&object]));
        }
    }
    for place in order(&input.external) {
        let external = &input.external[place];
        let flags = external.properties.int("DBParamInfoFlags").unwrap_or(IS_INPUT);
        let direction = match (flags & IS_OUTPUT != 0, flags & IS_INPUT != 0) {
            (false, _) => Direction::Input,
            (true, _) if returns && params.is_empty() => Direction::ReturnValue,
            (true, true) => Direction::InputOutput,
            (true, false) => Direction::Output,
        };
        let mut mapped = input.columns.iter().enumerate().filter(|(_, c)| c.external == Some(place));
        let Some((at, column)) = mapped.next() else {
            let code = codes::DTS_E_CMDDESTNOPARAMS;
            let message = format!("{} No input column is mapped to \"{}\".", code.message(&[]), external.name);
            cx.diagnostics.push(Diagnostic::error(code, &spec.path, message).with_column(&external.name));
            continue;
        };
        let own = FaultSite::input_column(spec, 0, at);
        if mapped.next().is_some() {
            let code = codes::DTS_E_COLUMNMAPPEDTOALREADYMAPPEDEXTERNALMETADATACOLUMN;
            report_column(spec, cx, column, code, code.message(&[&own.object, &external.id]));
            continue;
        }
        // A lineage that the path does not bring is reported for every component alike.
        let Some(slot) = cx.inputs[0].slot(column.lineage) else { continue };
        let (from, to) = (cx.inputs[0].column(slot).data_type, external.data_type);
        let back = direction == Direction::Input || from == to || can_cast(&castable(to), &from);
        if (from != to && !can_cast(&castable(from), &to)) || !back {
            let code = codes::DTS_E_CANTINSERTCOLUMNTYPE;
            report_column(spec, cx, column, code, code.message(&[&external.name, &from, &to]));
            continue;
        }
        let goes_in = matches!(direction, Direction::Input | Direction::InputOutput).then_some(columns.len());
        let name = external.name.clone();
        params.push(Parameter { direction, goes_in, slot: slot.0, column: from, data_type: to, external: name });
        if goes_in.is_some() {
            let site = FaultSite { dispositions: site.dispositions, object: site.object.clone(), ..own };
            columns.push(Column { slot: slot.0, from, to, external: external.name.clone(), site });
        }
    }
    (columns, params)
}

/// What comes back from a statement goes into the columns that are there.
fn refuse_outputs(spec: &ComponentSpec, cx: &mut BindCx<'_>) {
    for column in spec.outputs.iter().filter(|o| !o.is_error).flat_map(|o| &o.columns) {
        cx.unsupported(spec, format!("output columns of a command (\"{}\")", column.name));
    }
}

struct Plan {
    /// None at a check that asks no server.
    database: Option<Database>,
    sql: String,
    types: Vec<DataType>,
    params: Vec<Parameter>,
    options: StatementOptions,
    out: Outgoing,
    /// The output, if somebody takes its rows.
    port: Option<usize>,
    errors: ErrorOutput,
    outputs: usize,
}

struct Command {
    plan: Arc<Plan>,
}

/// Rows that leave: those of a batch but for the rejected ones.
struct Done {
    batch: Batch,
    rejects: Vec<Reject>,
}

impl Stage for Command {
    fn open(&self, cx: &OpenCx, _inputs: &[Layout]) -> Result<StageEnds> {
        let plan = self.plan.clone();
        let Some(database) = &plan.database else {
            return Err(Error::internal("a command that was not bound to a server is run"));
        };
        let not_acquired = |e| crate::connections::database::not_acquired(database.name(), &e);
        let mut pen = Pen::new(database, cx).map_err(not_acquired)?;
        let dialect = *pen.session().map_err(not_acquired)?.dialect();
        let sql = dialect.translate(&plan.sql).into_owned();
        for param in &plan.params {
            let refused = dialect.gives_outputs(param.direction, Some(&param.external));
            refused.map_err(|e| e.into_error(codes::DTS_E_OLEDBERROR))?;
        }
        let work = Runner { plan: plan.clone(), cx: cx.clone(), pen, sql };
        let (preparing, emitting) = (plan.clone(), plan);
        Ok(ashore::ends(
            Arc::new(move |batch| preparing.out.prepare(batch)),
            work,
            Arc::new(move |seq, part: Done, out: &mut Ports| emit(&emitting, seq, part, out)),
        ))
    }

    fn blocks(&self) -> bool {
        false
    }

    fn row_rule(&self) -> RowRule {
        RowRule::Each
    }
}

fn emit(plan: &Plan, seq: u64, part: Done, out: &mut Ports) -> Result<()> {
    let batch = Batch { seq, origin: dtsx_engine::batch::RowOrigin::default(), ..part.batch };
    match plan.errors.attached() {
        true => plan.errors.send(&batch, &part.rejects, out)?,
        false => out.leave_out(part.rejects.len() as u64),
    }
    let Some(port) = plan.port else { return Ok(()) };
    let selection = match part.rejects.as_slice() {
        [] => None,
        rejects => {
            let mut leaving = rejects.iter().map(|r| r.row).peekable();
            let stays = |row: &u32| leaving.next_if_eq(row).is_none();
            Some(Arc::new((0..batch.rows as u32).filter(stays).collect::<Vec<u32>>()))
        }
    };
    out.put(port, Batch { selection, ..batch });
    Ok(())
}

/// The savepoint that a batch is run within.
const SAVEPOINT: &str = "dtsx_command";

impl Plan {
    /// What ErrorCode and ErrorColumn hold for a row whose statement failed.
    fn blame(&self, rows: &Rows, failure: &RowFailure) -> (Code, LineageId) {
        let place = blame(&failure.error, rows, failure.row, &self.types);
        let lineage = place.map_or(self.out.site.lineage, |place| self.out.columns[place].site.lineage);
        (row_code(&failure.error, place.is_some()), lineage)
    }

    /// A failure of the database that is no row's.
    fn failure(&self, error: DbError) -> Error {
        error.of_connection(self.database.as_ref().map_or("", |d| d.name())).into_oledb_error()
    }
}

/// The thread half.
struct Runner {
    plan: Arc<Plan>,
    cx: OpenCx,
    pen: Pen,
    sql: String,
}

impl Runner {
    /// Runs the statement for each row; tells those that failed. If a row fails the component, those before it are run.
    /// What comes out of parameters is added to `came`.
    fn run(&mut self, rows: &Rows, came: &mut outputs::Came) -> Result<Vec<RowFailure>> {
        let failed = |e: DbError| self.plan.failure(e);
        let fails = self.plan.out.fails();
        let mut session = self.pen.write().map_err(failed)?;
        let guarded = fails && session.savepoints_last();
        if guarded {
            session.savepoint(SAVEPOINT).map_err(failed)?;
        }
        let mut rows_of = |session: &mut dyn Session, rows: &Rows| -> Outcome<Vec<RowFailure>> {
            if rows.len == 0 {
                return Ok(Vec::new());
            }
            if came.expects() {
                return came.run(session, &self.sql, rows, &self.plan);
            }
            session.execute_rows(&self.sql, rows, &self.plan.types, &self.plan.options)
        };
        if fails && !guarded {
            // Nothing can be undone: the first row that fails has to be the last one that is run.
            for row in 0..rows.len {
                let one = Rows::new(1, rows.columns.iter().map(|c| c.slice(row, 1)).collect());
                if let Some(failure) = rows_of(&mut *session, &one).map_err(failed)?.into_iter().next() {
                    return Ok(vec![RowFailure { row, ..failure }]);
                }
            }
            return Ok(Vec::new());
        }
        let failures = rows_of(&mut *session, rows);
        let failures = failures.map_err(failed)?;
        if !fails {
            return Ok(failures);
        }
        if let Some(first) = failures.first() {
            session.rollback_to(SAVEPOINT).map_err(|e| failed(e.of_transaction(Some(&first.error))))?;
            let before = Rows::new(first.row, rows.columns.iter().map(|c| c.slice(0, first.row)).collect());
            if let Some(again) = rows_of(&mut *session, &before).map_err(failed)?.into_iter().next() {
                return Err(failed(again.error.again()));
            }
        }
        session.release(SAVEPOINT).map_err(failed)?;
        Ok(failures)
    }

    /// A row whose statement failed fails the component: what the database said is told first.
    fn failed(&self, block: &Block, failure: &RowFailure) -> Error {
        let told = self.plan.failure(failure.error.clone());
        let (code, _) = self.plan.blame(&block.rows, failure);
        self.cx.events.fire(Message {
            severity: Severity::Error,
            code: told.code().unwrap_or(code),
            sub_component: self.plan.out.name.clone(),
            text: told.message().to_owned(),
        });
        self.plan.out.failed(block, failure.row, code)
    }
}

impl Work<Block, Done> for Runner {
    fn take(&mut self, mut block: Block, out: &Outbox<Done>) -> Result<()> {
        let plan = self.plan.clone();
        let failed = |e: DbError| plan.failure(e);
        let mut rejects = std::mem::take(&mut block.rejects);
        if block.rows.len > 0 {
            let mut came = outputs::Came::of(&self.plan.params);
            let failures = self.run(&block.rows, &mut came)?;
            let fails = self.plan.out.fails() && !failures.is_empty();
            self.pen.commit(fails).map_err(failed)?;
            if fails {
                return Err(self.failed(&block, &failures[0]));
            }
            came.put(&self.plan.params, &mut block)?;
            if self.plan.out.disposition() == Disposition::Redirect {
                let reject = |f: &RowFailure| {
                    let (code, column) = plan.blame(&block.rows, f);
                    Reject { row: block.place(f.row), code, column }
                };
                rejects.extend(failures.iter().map(reject));
            }
        }
        if let Some(failure) = block.failure.take() {
            return Err(failure);
        }
        rejects.sort_by_key(|r| r.row);
        let errors = &self.plan.errors;
        if !errors.attached() {
            // Nobody takes them: they are counted.
            errors.send(&block.batch, &rejects, &mut Ports::new(self.plan.outputs))?;
        }
        out.send(Done { batch: block.batch, rejects })
    }

    fn finish(&mut self, _out: &Outbox<Done>) -> Result<()> {
        self.pen.commit(true).map_err(|e| self.plan.failure(e))?;
        self.plan.errors.report_lost(&self.cx);
        Ok(())
    }

    fn abort(&mut self) {
        self.pen.rollback();
    }
}
