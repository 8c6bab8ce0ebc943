//! Sort: all rows, in the order of some columns.
//!
//! Rows become bytes as they come (`rows`), their keys numbers whose order is that of the rows
//! (`crate::shared::sort_keys`), on any lane. When all are there, the keys are cut into ranges by a sample; a lane sorts
//! a range and gathers its rows into a batch. What memory has no room for leaves it sorted, as runs on disk, which are merged
//! (`runs`); the output is the same. Rows with equal keys stay in the order in which they came.

mod inlet;
mod outlet;
mod rows;
mod runs;
mod store;

use super::{one_input, one_output};
use crate::shared::sort_keys::{KeyColumn, can_be_key};
use dtsx_engine::diag::{Diagnostic, Result, codes};
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, Layout, OpenCx, RowRule, Stage, StageEnds};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::types::DataType;
use dtsx_engine::types::collation::Collation;
use rows::RowLayout;
use std::sync::Arc;
use store::{Plan, Store};

/// `Microsoft.Sort`.
pub struct Sort;

const PROPERTIES: &[PropertyDef] = &[
    PropertyDef {
        name: "EliminateDuplicates",
        ty: PropertyType::Bool,
        default: "False",
        doc: "Whether only the first of the rows with equal keys leaves.",
    },
    PropertyDef {
        name: "MaximumThreads",
        ty: PropertyType::Int,
        default: "-1",
        doc: "Threads that may sort, -1 for one a processor; the threads of the run serve all components here.",
    },
];

impl ComponentKind for Sort {
    fn kind(&self) -> &'static str {
        "Microsoft.Sort"
    }

    fn title(&self) -> &'static str {
        "Sort"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        PROPERTIES
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        let input = one_input(spec, cx);
        let output = one_output(spec, cx);
        let (_, output) = (input?, output?);
        check_threads(spec, cx);
        let keys = keys(spec, cx);
        let columns = columns(spec, cx, output);
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let distinct = spec.properties.bool("EliminateDuplicates").unwrap_or(false);
        let plan = Plan { keys, rows: RowLayout::new(&columns), distinct, output };
        Some(Bound::Stage(Box::new(SortStage { plan: Arc::new(plan) })))
    }
}

/// Older packages have 0 for "as many as there are processors", too (unconfirmed).
fn check_threads(spec: &ComponentSpec, cx: &mut BindCx<'_>) {
    let threads = spec.properties.int("MaximumThreads").unwrap_or(-1);
    if threads < -1 {
        let code = codes::DTS_E_SORTBADTHREADCOUNT;
        cx.error(spec, code, code.message(&[&threads, &i32::MAX]));
    }
}

/// The key columns, in the order of their positions.
fn keys(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Vec<KeyColumn> {
    let layout = cx.inputs[0].clone();
    let mut keys: Vec<(i64, usize, KeyColumn)> = Vec::new();
    for (index, column) in spec.inputs[0].columns.iter().enumerate() {
        let position = column.properties.int("NewSortKeyPosition").unwrap_or(0);
        if position == 0 {
            continue;
        }
        // A lineage that the path does not bring is reported for every component alike.
        let Some(slot) = layout.slot(column.lineage) else { continue };
        let data_type = layout.column(slot).data_type;
        let place = |d: Diagnostic| d.with_column(&column.name).with_span(column.span.or(spec.span));
        let object = format!("{}.Inputs[{}].Columns[{}]", spec.name, spec.inputs[0].name, column.name);
        if let Some((_, other, _)) = keys.iter().find(|(p, ..)| p.abs() == position.abs()) {
            let code = codes::DTS_E_SORTDUPLICATEKEYWEIGHT;
            let first = &spec.inputs[0].columns[*other];
            let text = code.message(&[&first.name, &first.id, &column.name, &column.id, &position.abs()]);
            cx.diagnostics.push(place(Diagnostic::error(code, &spec.path, text)));
        }
        if !can_be_key(&data_type) {
            let code = codes::DTS_E_INVALIDDATATYPE;
            let text = format!("{} ({data_type} cannot be a sort key)", code.message(&[&object, &data_type.code()]));
            cx.diagnostics.push(place(Diagnostic::error(code, &spec.path, text)));
            continue;
        }
        let flags = column.properties.int("NewComparisonFlags").unwrap_or(0);
        let collation = collation(spec.locale, &data_type, flags, &object).unwrap_or_else(|error| {
            cx.diagnostics.push(place(Diagnostic { object: spec.path.clone(), ..error }));
            None
        });
        keys.push((position, index, KeyColumn { slot: slot.0, data_type, descending: position < 0, collation }));
    }
    if keys.is_empty() && !layout.columns.is_empty() {
        let code = codes::DTS_E_SORTNEEDSONEKEY;
        cx.error(spec, code, code.message(&[]));
    }
    keys.sort_by_key(|(position, ..)| position.abs());
    keys.into_iter().map(|(.., key)| key).collect()
}

/// The order of a key column: that of the locale for text; other types have no flags.
fn collation(lcid: u32, data_type: &DataType, flags: i64, object: &str) -> Result<Option<Collation>, Diagnostic> {
    let flags = u32::try_from(flags & 0xFFFF_FFFF).unwrap_or_default();
    if !data_type.is_string() {
        if flags != 0 {
            let code = codes::DTS_E_NONSTRINGCOMPARISONFLAGSNOTZERO;
            return Err(Diagnostic::error(code, "", code.message(&[&object])));
        }
        return Ok(None);
    }
    Collation::new(lcid, flags).map(Some).map_err(|e| {
        let code = e.code().unwrap_or(codes::DTS_E_INVALIDCOMPARISONFLAGS);
        Diagnostic::error(code, "", code.message(&[&object, &flags]))
    })
}

/// For each output column, where its values come from and their type.
fn columns(spec: &ComponentSpec, cx: &mut BindCx<'_>, output: usize) -> Vec<(usize, DataType)> {
    let layout = cx.inputs[0].clone();
    let mut columns = Vec::new();
    for column in &spec.outputs[output].columns {
        let source = column.properties.str("SortColumnId");
        let taken = cx.lineage(source).filter(|l| spec.inputs[0].columns.iter().any(|c| c.lineage == *l));
        let diagnostic = match taken.and_then(|lineage| layout.slot(lineage)) {
            _ if layout.columns.is_empty() => continue,
            None => {
                let code = codes::DTS_E_OUTPUTCOLUMNNOTININPUT;
                Diagnostic::error(code, &spec.path, code.message(&[&column.name, &column.lineage.0, &source]))
            }
            Some(slot) if !fits(&layout.column(slot).data_type, &column.data_type) => {
                let code = codes::DTS_E_METADATAMISMATCHWITHOUTPUTCOLUMN;
                let object = format!("{}.Outputs[{}].Columns[{}]", spec.name, spec.outputs[output].name, column.name);
                let text = format!(
                    "{} ({} into {})",
                    code.message(&[&object]),
                    layout.column(slot).data_type,
                    column.data_type
                );
                Diagnostic::error(code, &spec.path, text)
            }
            Some(slot) => {
                columns.push((slot.0, column.data_type));
                continue;
            }
        };
        cx.diagnostics.push(diagnostic.with_column(&column.name).with_span(column.span.or(spec.span)));
    }
    columns
}

/// Whether values stand in a column as they are: the same type; lengths and code pages of text do not matter here.
fn fits(input: &DataType, output: &DataType) -> bool {
    match (input, output) {
        (DataType::Str { .. }, DataType::Str { .. })
        | (DataType::WStr { .. }, DataType::WStr { .. })
        | (DataType::Bytes { .. }, DataType::Bytes { .. })
        | (DataType::Text { .. }, DataType::Text { .. }) => true,
        _ => input == output,
    }
}

struct SortStage {
    plan: Arc<Plan>,
}

impl Stage for SortStage {
    fn open(&self, cx: &OpenCx, _inputs: &[Layout]) -> Result<StageEnds> {
        let store = Arc::new(Store::new(self.plan.clone(), &cx.services));
        Ok((vec![Arc::new(inlet::Inlet { store: store.clone() })], Arc::new(outlet::Outlet { store })))
    }

    fn blocks(&self) -> bool {
        true
    }

    fn row_rule(&self) -> RowRule {
        if self.plan.distinct { RowRule::Other("a row for each key") } else { RowRule::Once }
    }
}
