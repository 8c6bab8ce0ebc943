//! Destinations in a database: OLE DB Destination, ADO NET Destination, ODBC Destination, SQL Server Destination.
//!
//! ```text
//! OLE DB Destination  (connection: an OLEDB manager; a table)
//!   Inputs[0]   id → [Id] i4, name → [Name] wstr(50) …     errors: fail, ignore or redirect
//!   Outputs[0]  the input's columns, ErrorCode, ErrorColumn
//! ```
//!
//! The four differ in properties and in words (`kinds`). Lanes convert each column to the type of its external column; a
//! thread of the destination's own writes the rows in order and commits (`writer`). A row that the database
//! refuses is found exactly, and goes where the input's disposition says: the original lets the whole batch of a fast load
//! share its fate. When a server may be asked, the external columns are compared with what is there (`metadata`).
//!
//! When rows become durable:
//!
//! | mode | commit |
//! |---|---|
//! | fast load, insert commit size 0 or 2147483647 | once, after the last row |
//! | fast load, insert commit size n | after every n rows |
//! | row by row | each row for itself: what came before a failing row stays |

mod kinds;
mod mapping;
mod metadata;
#[cfg(test)]
mod tests;
mod words;
mod writer;

pub use kinds::{AdoNetDestination, OdbcDestination, OleDbDestination, SqlServerDestination};

use crate::db::{Database, LoadOptions, TableName};
use crate::shared::ashore;
use crate::shared::inputs;
use crate::shared::outgoing::Outgoing;
use dtsx_engine::batch::{Batch, RowOrigin};
use dtsx_engine::diag::{Diagnostic, Result};
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite};
use dtsx_engine::flow::{BindCx, Bound, ComponentSpec, Layout, OpenCx, Ports, RowRule, Stage, StageEnds};
use dtsx_engine::types::convert::FaultCodes;
use std::sync::Arc;
use words::Words;

/// When rows become durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Commits {
    /// Each row for itself.
    Rows,
    /// After so many rows.
    Every(usize),
    /// All at once.
    AtEnd,
}

/// What the kinds differ in.
struct Request {
    /// None: it was reported what is wrong.
    table: Option<TableName>,
    /// How the package spells it.
    spelled: String,
    commits: Commits,
    options: LoadOptions,
    words: Words,
    /// Whether Unicode text may go into a column that is none, and the other way round.
    mixes_text: bool,
}

struct Plan {
    /// None at a check that asks no server.
    database: Option<Database>,
    table: TableName,
    spelled: String,
    commits: Commits,
    options: LoadOptions,
    words: Words,
    out: Outgoing,
    errors: ErrorOutput,
    outputs: usize,
}

/// Binds a destination.
fn bind(spec: &ComponentSpec, cx: &mut BindCx<'_>, request: Request) -> Option<Bound> {
    let before = cx.diagnostics.len();
    let [input] = inputs(spec, cx)?;
    let mut site = FaultSite::input(spec, 0);
    site.dispositions.truncation = site.dispositions.error;
    let columns = mapping::columns(spec, cx, &site, &request);
    let errors = ErrorOutput::bind(spec, cx, [&site]);
    let database = match crate::connections::database::bind(spec, cx) {
        Ok(database) => database,
        Err(diagnostic) => {
            cx.diagnostics.push(diagnostic.with_span(spec.span));
            None
        }
    };
    let plan = Plan {
        database,
        table: request.table?,
        spelled: request.spelled,
        commits: request.commits,
        options: request.options,
        words: request.words,
        out: Outgoing {
            name: spec.name.clone(),
            columns,
            site,
            codes: FaultCodes::DATABASE_DESTINATION,
            locale: spec.locale,
        },
        errors,
        outputs: spec.outputs.len(),
    };
    if spec.validate_external_metadata && cx.online && plan.database.is_some() {
        metadata::validate(spec, cx, &plan, input);
    }
    if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
        return None;
    }
    Some(Bound::Stage(Box::new(DatabaseDestination { plan: Arc::new(plan) })))
}

struct DatabaseDestination {
    plan: Arc<Plan>,
}

impl Stage for DatabaseDestination {
    fn open(&self, cx: &OpenCx, _inputs: &[Layout]) -> Result<StageEnds> {
        let plan = self.plan.clone();
        let work = writer::Writer::open(plan.clone(), cx)?;
        let (preparing, emitting) = (plan.clone(), plan);
        Ok(ashore::ends(
            Arc::new(move |batch| preparing.out.prepare(batch)),
            work,
            Arc::new(move |seq, part: writer::Rejected, out: &mut Ports| {
                let batch = Batch { seq, origin: RowOrigin::default(), ..part.batch };
                out.leave_out(part.left_out);
                emitting.errors.send(&batch, &part.rejects, out)
            }),
        ))
    }

    fn blocks(&self) -> bool {
        false
    }

    fn row_rule(&self) -> RowRule {
        RowRule::Other("the rows that were not written")
    }
}
