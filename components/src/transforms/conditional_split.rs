//! Conditional Split: a row goes to the first output whose condition is true, or to the default output.
//!
//! An output has an Expression and an EvaluationOrder; one has IsDefaultOut. A condition that is NULL is an error of its
//! output: *ignore* takes it for false, *redirect* sends the row to the error output. Outputs share the batch's arrays and
//! differ in their selections.

use super::compute::{self, Compute};
use super::expression::{Formula, Owner};
use super::{dense, one_input};
use arrow::array::{Array, AsArray, BooleanArray};
use dtsx_engine::batch::{Batch, Fault, Faults};
use dtsx_engine::diag::{Diagnostic, Error, Result, codes};
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite, RowFaults};
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, Ports};
use dtsx_engine::types::DataType;
use std::sync::Arc;

/// `Microsoft.ConditionalSplit`.
pub struct ConditionalSplit;

impl ComponentKind for ConditionalSplit {
    fn kind(&self) -> &'static str {
        "Microsoft.ConditionalSplit"
    }

    fn title(&self) -> &'static str {
        "Conditional Split"
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        one_input(spec, cx)?;
        let is_default = |o: usize| spec.outputs[o].properties.bool("IsDefaultOut") == Some(true);
        let (defaults, conditions): (Vec<usize>, Vec<usize>) =
            (0..spec.outputs.len()).filter(|o| !spec.outputs[*o].is_error).partition(|o| is_default(*o));
        let [default] = defaults[..] else {
            let code = codes::DTS_E_INCORRECTCUSTOMPROPERTYVALUE;
            let message = format!("{} Exactly one output must have it.", code.message(&[&"IsDefaultOut"]));
            cx.error(spec, code, message);
            return None;
        };
        let mut cases: Vec<Case> = conditions.iter().filter_map(|output| case(spec, cx, *output)).collect();
        let errors = ErrorOutput::bind(spec, cx, cases.iter().map(|c| &c.site));
        cases.sort_by_key(|case| case.order);
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let plan = Plan { name: spec.name.clone(), default, cases, errors };
        Some(compute::bound(plan))
    }
}

/// A condition and its output.
struct Case {
    output: usize,
    order: i64,
    formula: Formula,
    site: FaultSite,
}

fn case(spec: &ComponentSpec, cx: &mut BindCx<'_>, output: usize) -> Option<Case> {
    let port = &spec.outputs[output];
    let site = FaultSite::output(spec, output);
    let owner = Owner { properties: &port.properties, object: &site.object, column: None, span: None };
    let order = port.properties.int("EvaluationOrder");
    if order.is_none() {
        let code = codes::DTS_E_MISSINGCUSTOMPROPERTY;
        owner.report(spec, cx, code, code.message(&[&site.object, &"EvaluationOrder"]));
    }
    let formula = owner.compile(spec, cx)?;
    if formula.data_type() != DataType::Bool {
        let code = codes::DTS_E_SPLITEXPRESSIONNOTBOOLEAN;
        owner.report(spec, cx, code, code.message(&[&owner.text()]));
        return None;
    }
    Some(Case { output, order: order?, formula, site })
}

struct Plan {
    name: String,
    default: usize,
    cases: Vec<Case>,
    errors: ErrorOutput,
}

impl Compute for Plan {
    fn errors(&self) -> &ErrorOutput {
        &self.errors
    }

    fn apply(&self, batch: Batch, out: &mut Ports) -> Result<()> {
        let batch = dense(batch)?;
        let mut rows = RowFaults::new(&batch);
        let mut pending: Vec<u32> = match &batch.selection {
            Some(selection) => selection.to_vec(),
            None => (0..batch.rows as u32).collect(),
        };
        for case in &self.cases {
            if pending.is_empty() {
                break;
            }
            let (array, faults) = case.formula.eval(&batch)?;
            let verdicts = array.as_boolean_opt().ok_or_else(|| Error::internal("a condition that is not Boolean"))?;
            let faults = of_pending(&pending, &faults, verdicts);
            rows.column(&case.site, &faults, &|row| case.formula.operands(&batch, row));
            let (mut taken, mut rest) = partition(&pending, verdicts);
            if rows.any_rejected() {
                taken.retain(|row| !rows.is_rejected(*row));
                rest.retain(|row| !rows.is_rejected(*row));
            }
            pending = rest;
            route(&batch, case.output, taken, out);
        }
        let (_, rejects) = rows.settle(&self.name)?;
        self.errors.send(&batch, &rejects, out)?;
        route(&batch, self.default, pending, out);
        Ok(())
    }
}

/// The faults of rows that are still pending: those of the evaluation, and a NULL without one is one as well.
fn of_pending(pending: &[u32], faults: &[Fault], verdicts: &BooleanArray) -> Faults {
    let mut found = Faults::new();
    if faults.is_empty() && verdicts.null_count() == 0 {
        return found;
    }
    let mut faults = faults.iter().peekable();
    for &row in pending {
        while faults.next_if(|f| f.row < row).is_some() {}
        match faults.peek() {
            Some(fault) if fault.row == row => found.push(**fault),
            _ if verdicts.is_null(row as usize) => {
                found.push(Fault { row, code: codes::DTS_E_TXSPLITEXPRESSIONEVALUATEDTONULL, truncation: false });
            }
            _ => {}
        }
    }
    found
}

/// The pending rows whose verdict is true, and the others. Without branches, as data rarely lets them be foreseen.
fn partition(pending: &[u32], verdicts: &BooleanArray) -> (Vec<u32>, Vec<u32>) {
    let truths = match verdicts.nulls() {
        Some(nulls) => verdicts.values() & nulls.inner(),
        None => verdicts.values().clone(),
    };
    let (mut taken, mut rest) = (vec![0; pending.len()], vec![0; pending.len()]);
    let mut count = 0;
    for (place, &row) in pending.iter().enumerate() {
        taken[count] = row;
        rest[place - count] = row;
        count += usize::from(truths.value(row as usize));
    }
    taken.truncate(count);
    rest.truncate(pending.len() - count);
    (taken, rest)
}

/// Sends rows of the batch to an output; the arrays are shared.
fn route(batch: &Batch, output: usize, rows: Vec<u32>, out: &mut Ports) {
    if !rows.is_empty() {
        let selection = (rows.len() < batch.rows).then(|| Arc::new(rows));
        out.put(output, Batch { selection, ..batch.clone() });
    }
}
