//! Merge Join: rows of two inputs whose keys are equal, in the order of the keys.
//!
//! Both inputs are sorted, so one pass over both does it, and no more is held than a few batches and the rows of one key of
//! the right side (`group`), on disk if there are more than the memory budget has room for. The serial half only compares
//! keys and says which rows belong together (`joining`); lanes gather the columns (`gather`).

mod gather;
mod group;
mod joining;

use super::one_output;
use crate::shared::sorted_inputs::{Pair, sorted_input};
use crate::shared::{fits, inputs};
use dtsx_engine::diag::{Diagnostic, Result, codes};
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, Layout, OpenCx, RowRule, Stage, StageEnds};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::types::DataType;
use joining::Outlet;
use std::sync::Arc;

/// `Microsoft.MergeJoin`.
pub struct MergeJoin;

const PROPERTIES: &[PropertyDef] = &[
    PropertyDef {
        name: "JoinType",
        ty: PropertyType::Int,
        default: "2",
        doc: "0 full outer, 1 left outer, 2 inner join.",
    },
    PropertyDef {
        name: "NumKeyColumns",
        ty: PropertyType::Int,
        default: "1",
        doc: "How many of the sort key columns are compared.",
    },
    PropertyDef {
        name: "TreatNullsAsEqual",
        ty: PropertyType::Bool,
        default: "True",
        doc: "Whether NULL keys match each other; else they match nothing.",
    },
    PropertyDef {
        name: "MaxBuffersPerInput",
        ty: PropertyType::Int,
        default: "5",
        doc: "Buffers an input may be ahead; obsolete in the original, and of no effect here.",
    },
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum JoinType {
    Full,
    Left,
    Inner,
}

impl ComponentKind for MergeJoin {
    fn kind(&self) -> &'static str {
        "Microsoft.MergeJoin"
    }

    fn title(&self) -> &'static str {
        "Merge Join"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        PROPERTIES
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        inputs::<2>(spec, cx)?;
        let output = one_output(spec, cx)?;
        let join = join_type(spec, cx);
        let count = spec.properties.int("NumKeyColumns").unwrap_or(1);
        if count < 1 {
            let code = codes::DTS_E_TXMERGEJOININVALIDNUMKEYCOLS;
            cx.error(spec, code, code.message(&[]));
            return None;
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let order = sides(spec);
        let sorted = order.map(|input| sorted_input(spec, cx, input, count));
        for (input, sorted) in order.iter().zip(&sorted) {
            if !sorted.keys.is_empty() && sorted.keys.len() < count {
                let code = codes::DTS_E_TXMERGEJOINNOTENOUGHKEYCOLS;
                let object = format!("{}.Inputs[{}]", spec.name, spec.inputs[*input].name);
                cx.error(spec, code, code.message(&[&object, &count]));
            }
        }
        let pair = Pair::bind(spec, cx, order, sorted);
        let columns = columns(spec, cx, output, order);
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let plan = Plan {
            columns,
            output,
            join: join?,
            nulls_match: spec.properties.bool("TreatNullsAsEqual").unwrap_or(true),
        };
        Some(Bound::Stage(Box::new(JoinStage { pair, plan: Arc::new(plan) })))
    }
}

fn join_type(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<JoinType> {
    match spec.properties.int("JoinType").unwrap_or(2) {
        0 => Some(JoinType::Full),
        1 => Some(JoinType::Left),
        2 => Some(JoinType::Inner),
        other => {
            let code = codes::DTS_E_TXMERGEJOININVALIDJOINTYPE;
            cx.error(spec, code, code.message(&[&spec.name, &other]));
            None
        }
    }
}

/// The inputs that are left and right. The left one is the first in the file, except where the designer's "Swap Inputs"
/// has put the input that it named right before the one that it named left: there the names are believed (unconfirmed).
fn sides(spec: &ComponentSpec) -> [usize; 2] {
    let named = |input: usize, name: &str| spec.inputs[input].name == name;
    if named(0, "Merge Join Right Input") && named(1, "Merge Join Left Input") { [1, 0] } else { [0, 1] }
}

/// Where a column of the output comes from.
#[derive(Clone, Copy, Debug)]
struct ColumnOf {
    side: usize,
    slot: usize,
    data_type: DataType,
}

fn columns(spec: &ComponentSpec, cx: &mut BindCx<'_>, output: usize, order: [usize; 2]) -> Vec<ColumnOf> {
    let plain = |id: &str| -> String {
        let id = id.trim().trim_start_matches('#');
        id.strip_prefix('{').and_then(|id| id.strip_suffix('}')).unwrap_or(id).to_owned()
    };
    let mut columns = Vec::new();
    for column in &spec.outputs[output].columns {
        let wanted = plain(column.properties.str("InputColumnID"));
        let found = order.iter().enumerate().find_map(|(side, input)| {
            let taken = spec.inputs[*input].columns.iter().find(|c| plain(&c.id) == wanted)?;
            Some((side, *input, taken))
        });
        let object = || format!("{}.Outputs[{}].Columns[{}]", spec.name, spec.outputs[output].name, column.name);
        let diagnostic = match found {
            None => {
                let code = codes::DTS_E_TXMERGEJOINOUTPUTCOLMUSTHAVEASSOCIATEDINPUTCOL;
                Diagnostic::error(code, &spec.path, code.message(&[&object()]))
            }
            Some((side, input, taken)) => match cx.inputs[input].slot(taken.lineage) {
                // An input without a path brings no rows; a column that a path does not bring is reported elsewhere.
                None if cx.inputs[input].columns.is_empty() => {
                    columns.push(ColumnOf { side, slot: 0, data_type: column.data_type });
                    continue;
                }
                None => continue,
                Some(slot) => {
                    let data_type = cx.inputs[input].column(slot).data_type;
                    if fits(&data_type, &column.data_type) {
                        columns.push(ColumnOf { side, slot: slot.0, data_type: column.data_type });
                        continue;
                    }
                    let code = codes::DTS_E_METADATAMISMATCHWITHOUTPUTCOLUMN;
                    let text = format!("{} ({data_type} into {})", code.message(&[&object()]), column.data_type);
                    Diagnostic::error(code, &spec.path, text)
                }
            },
        };
        cx.diagnostics.push(diagnostic.with_column(&column.name).with_span(column.span.or(spec.span)));
    }
    columns
}

struct Plan {
    columns: Vec<ColumnOf>,
    output: usize,
    join: JoinType,
    nulls_match: bool,
}

struct JoinStage {
    pair: Pair,
    plan: Arc<Plan>,
}

impl Stage for JoinStage {
    fn open(&self, cx: &OpenCx, _inputs: &[Layout]) -> Result<StageEnds> {
        let (sides, inlets) = self.pair.open(cx);
        Ok((inlets, Arc::new(Outlet { plan: self.plan.clone(), sides })))
    }

    fn blocks(&self) -> bool {
        false
    }

    fn row_rule(&self) -> RowRule {
        RowRule::Other("a row for each pair that matches")
    }
}
