//! CDC Splitter: changed rows go to the output for inserts, updates or deletes by `__$operation`.
//!
//! An output's OutputType says what it takes. A row whose operation is none of them meets the input's disposition:
//! *ignore* leaves it out (unconfirmed).

use super::compute::{self, Compute};
use super::{one_input, shown};
use arrow::array::{Array, AsArray};
use arrow::datatypes::Int32Type;
use dtsx_engine::batch::{Batch, Fault};
use dtsx_engine::diag::{Code, Diagnostic, Error, Result, codes};
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite, RowFaults};
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, Ports, Slot};
use dtsx_engine::types::DataType;
use std::sync::Arc;

/// The column that says what was done to a row.
const OPERATION: &str = "__$operation";

/// ErrorCode of rows with another operation: what the CDC components always write (unconfirmed for this one).
const NO_OPERATION: Code = Code(u32::MAX);

/// Outputs by OutputType: insert, update, delete (3 is the error output).
const OUTPUT_TYPES: usize = 3;

/// `Attunity.CdcSplitterComponent`.
pub struct CdcSplitter;

impl ComponentKind for CdcSplitter {
    fn kind(&self) -> &'static str {
        "Attunity.CdcSplitterComponent"
    }

    fn title(&self) -> &'static str {
        "CDC Splitter"
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        one_input(spec, cx)?;
        let operation = spec.inputs[0].columns.iter().find(|c| c.name.eq_ignore_ascii_case(OPERATION));
        let slot = operation.and_then(|column| cx.inputs[0].slot(column.lineage));
        if slot.is_none_or(|slot| cx.inputs[0].column(slot).data_type != DataType::I4) {
            let code = codes::DTS_E_COLUMNNOTFOUND;
            let message = format!("{} The input needs it, of type DT_I4.", code.message(&[&OPERATION]));
            cx.error(spec, code, message);
        }
        let mut ports = [None; OUTPUT_TYPES];
        for (port, output) in spec.outputs.iter().enumerate().filter(|(_, output)| !output.is_error) {
            let place = output.properties.int("OutputType").and_then(|n| ports.get_mut(usize::try_from(n).ok()?));
            match place {
                Some(place @ None) => *place = Some(port),
                _ => {
                    let code = codes::DTS_E_INCORRECTCUSTOMPROPERTYVALUE;
                    cx.error(spec, code, code.message(&[&"OutputType"]));
                }
            }
        }
        let site = FaultSite { column: Some(OPERATION.into()), ..FaultSite::input(spec, 0) };
        let errors = ErrorOutput::bind(spec, cx, [&site]);
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let plan = Plan { name: spec.name.clone(), operation: slot?, ports, site, errors };
        Some(compute::bound(plan))
    }
}

struct Plan {
    name: String,
    operation: Slot,
    /// By OutputType.
    ports: [Option<usize>; OUTPUT_TYPES],
    site: FaultSite,
    errors: ErrorOutput,
}

impl Compute for Plan {
    fn errors(&self) -> &ErrorOutput {
        &self.errors
    }

    fn apply(&self, batch: Batch, out: &mut Ports) -> Result<()> {
        let column = &batch.columns[self.operation.0];
        let operations = column.as_primitive_opt::<Int32Type>().ok_or_else(|| Error::internal("no DT_I4"))?;
        let mut taken: [Vec<u32>; OUTPUT_TYPES] = Default::default();
        let mut faults = Vec::new();
        let mut row = |row: u32| {
            let at = row as usize;
            match operations.is_valid(at).then(|| operations.value(at)).and_then(output_type) {
                Some(kind) => taken[kind].push(row),
                None => faults.push(Fault { row, code: NO_OPERATION, truncation: false }),
            }
        };
        match &batch.selection {
            Some(selection) => selection.iter().copied().for_each(&mut row),
            None => (0..batch.rows as u32).for_each(&mut row),
        }
        let mut rows = RowFaults::new(&batch);
        rows.column(&self.site, &faults, &|row| shown(column, row));
        out.leave_out(rows.ignored());
        let (_, rejects) = rows.settle(&self.name)?;
        self.errors.send(&batch, &rejects, out)?;
        for (rows, port) in taken.into_iter().zip(self.ports) {
            if rows.is_empty() {
                continue;
            }
            let Some(port) = port else {
                out.leave_out(rows.len() as u64);
                continue;
            };
            let selection = (rows.len() < batch.rows).then(|| Arc::new(rows));
            out.put(port, Batch { selection, ..batch.clone() });
        }
        Ok(())
    }
}

/// The OutputType that takes an operation: 1 delete, 2 insert, 3 and 4 update (before and after), 5 merge.
fn output_type(operation: i32) -> Option<usize> {
    match operation {
        2 => Some(0),
        3..=5 => Some(1),
        1 => Some(2),
        _ => None,
    }
}
