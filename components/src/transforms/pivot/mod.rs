//! Pivot: the rows of a set become one row, with a column for each value of the pivot key.
//!
//! ```text
//! Month   Day     Spent          Month   Monday  Friday
//! Jan     Monday  10        →    Jan     10      20
//! Jan     Friday  20             Feb     NULL    5
//! Feb     Friday  5
//! ```
//!
//! A set is a run of rows with the same set key: the rows must come together, and a key that comes back begins another
//! row. Of a column that is passed through, the first row of the set decides. Every PivotKeyValue is read as the type of
//! the pivot key column once. A pivot key that no output column has, or that a set has twice, meets the input's
//! disposition; with PassThroughUnmatchedPivotKeys unknown keys are left out and told at the end.

mod run;

use super::{one_input, one_output, report_column};
use crate::shared::stream::Streaming;
use arrow::array::{ArrayRef, StringViewArray};
use arrow::row::{RowConverter, SortField};
use dtsx_engine::diag::{Diagnostic, codes};
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite};
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, Disposition, InputColumnSpec, RowRule, Slot};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::{CastOptions, can_cast, cast_array};
use hashbrown::HashMap;
use std::sync::Arc;

/// `Microsoft.Pivot`.
pub struct Pivot;

impl ComponentKind for Pivot {
    fn kind(&self) -> &'static str {
        "Microsoft.Pivot"
    }

    fn title(&self) -> &'static str {
        "Pivot"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        &[PropertyDef {
            name: "PassThroughUnmatchedPivotKeys",
            ty: PropertyType::Bool,
            default: "False",
            doc: "Whether rows whose pivot key has no output column are left out, and their keys told at the end.",
        }]
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        one_input(spec, cx)?;
        let output = one_output(spec, cx)?;
        let pass_unmatched = spec.properties.bool("PassThroughUnmatchedPivotKeys").unwrap_or(false);
        let inputs: Vec<Source> = (0..spec.inputs[0].columns.len()).filter_map(|c| source(spec, cx, c)).collect();
        let pivot_keys: Vec<&Source> = inputs.iter().filter(|s| s.usage == PivotUsage::PivotKey).collect();
        let code = match pivot_keys.len() {
            0 => codes::DTS_E_TXPIVOTNOPIVOTKEY,
            1 => {
                let plan = plan(spec, cx, output, &inputs, pass_unmatched);
                if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
                    return None;
                }
                let rule = RowRule::Other("a row for each run of the set key");
                return plan.map(|plan| Bound::Stage(Box::new(Streaming::new(plan, rule))));
            }
            _ => codes::DTS_E_TXPIVOTTOOMANYPIVOTKEYS,
        };
        cx.error(spec, code, code.message(&[]));
        None
    }
}

/// What an input column is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PivotUsage {
    /// 0: the first value of the set passes.
    Pass,
    /// 1: part of the key of the set.
    SetKey,
    /// 2: says into which column a value goes.
    PivotKey,
    /// 3: a value that goes into a column.
    Value,
}

/// A column of the input.
struct Source<'a> {
    column: &'a InputColumnSpec,
    usage: PivotUsage,
    slot: Slot,
    data_type: DataType,
}

fn source<'a>(spec: &'a ComponentSpec, cx: &mut BindCx<'_>, column: usize) -> Option<Source<'a>> {
    let column = &spec.inputs[0].columns[column];
    let usage = match column.properties.int("PivotUsage") {
        None | Some(0) => PivotUsage::Pass,
        Some(1) => PivotUsage::SetKey,
        Some(2) => PivotUsage::PivotKey,
        Some(3) => PivotUsage::Value,
        Some(_) => {
            let code = codes::DTS_E_TXPIVOTBADUSAGE;
            report_column(spec, cx, column, code, code.message(&[&column.name, &column.lineage.0]));
            return None;
        }
    };
    // A lineage that the path does not bring is reported for every component alike.
    let slot = cx.inputs[0].slot(column.lineage)?;
    let data_type = cx.inputs[0].column(slot).data_type;
    if data_type.is_blob() && usage != PivotUsage::Pass {
        let code = codes::DTS_E_TXPIVOTNOBLOB;
        report_column(spec, cx, column, code, code.message(&[&column.name, &column.lineage.0]));
        return None;
    }
    Some(Source { column, usage, slot, data_type })
}

/// Where a column of the output gets its value.
#[derive(Clone, Debug)]
enum Feed {
    /// Nowhere: it stays NULL.
    Nothing(DataType),
    /// The first row of the set.
    First(Slot),
    /// The row of the set whose pivot key is the `key`-th.
    Value { slot: Slot, key: usize },
}

/// What runs; see [`run`].
struct Plan {
    name: String,
    output: usize,
    feeds: Vec<Feed>,
    set: Vec<(Slot, DataType)>,
    key: (Slot, DataType),
    /// The place of each pivot key, by its row form.
    places: HashMap<Box<[u8]>, u32>,
    pass_unmatched: bool,
    site: FaultSite,
    errors: ErrorOutput,
}

fn plan(
    spec: &ComponentSpec,
    cx: &mut BindCx<'_>,
    output: usize,
    inputs: &[Source<'_>],
    pass_unmatched: bool,
) -> Option<Plan> {
    let key = inputs.iter().find(|s| s.usage == PivotUsage::PivotKey)?;
    let mut keys = Keys { data_type: key.data_type, places: HashMap::new() };
    let mut feeds = Vec::new();
    let mut taken: Vec<(usize, Option<usize>)> = Vec::new();
    for column in 0..spec.outputs[output].columns.len() {
        feeds.push(feed(spec, cx, (output, column), inputs, &mut keys, &mut taken));
    }
    let feeds: Option<Vec<Feed>> = feeds.into_iter().collect();
    // While the designer gathers the keys, nothing is mapped yet.
    if !pass_unmatched {
        for (place, input) in inputs.iter().enumerate() {
            if input.usage != PivotUsage::PivotKey && !taken.iter().any(|(p, _)| *p == place) {
                let code = codes::DTS_E_TXPIVOTOUTPUTNOTMAPPED;
                let message = code.message(&[&input.column.name, &input.column.lineage.0]);
                report_column(spec, cx, input.column, code, message);
            }
        }
    }
    let site = site(spec, output, key);
    let errors = ErrorOutput::bind(spec, cx, [&site]);
    let set = inputs.iter().filter(|s| s.usage == PivotUsage::SetKey).map(|s| (s.slot, s.data_type)).collect();
    Some(Plan {
        name: spec.name.clone(),
        output,
        feeds: feeds?,
        set,
        key: (key.slot, key.data_type),
        places: keys.places,
        pass_unmatched,
        site,
        errors,
    })
}

/// Where the dispositions of a row stand: on the input, or on the output if the input says nothing; the pivot key column
/// is what ErrorColumn names (all three unconfirmed: real packages leave them at their default, which fails).
fn site(spec: &ComponentSpec, output: usize, key: &Source<'_>) -> FaultSite {
    let mut site = FaultSite::input(spec, 0);
    if site.dispositions.error == Disposition::NotUsed {
        site.dispositions = spec.outputs[output].dispositions;
    }
    site.lineage = key.column.lineage;
    site.column = Some(key.column.name.clone());
    site
}

/// The pivot keys of the output columns.
struct Keys {
    data_type: DataType,
    places: HashMap<Box<[u8]>, u32>,
}

impl Keys {
    /// The place of a key, a new one for a new key; None if the text is no value of the pivot key's type.
    fn place(&mut self, text: &str, lcid: u32) -> Option<usize> {
        let from = DataType::WStr { len: 4000 };
        if !can_cast(&from, &self.data_type) {
            return None;
        }
        let array: ArrayRef = Arc::new(StringViewArray::from_iter_values([text]));
        let (array, faults) = cast_array(&array, &from, &self.data_type, &CastOptions::data_flow(lcid)).ok()?;
        if !faults.is_empty() {
            return None;
        }
        let converter = RowConverter::new(vec![SortField::new(self.data_type.arrow())]).ok()?;
        let rows = converter.convert_columns(&[array]).ok()?;
        let next = self.places.len() as u32;
        Some(*self.places.entry(Box::from(rows.row(0).as_ref())).or_insert(next) as usize)
    }
}

/// Where a column of the output gets its value; reports what is wrong with it. `taken`: the inputs that are mapped
/// already, pivoted values with their key.
fn feed(
    spec: &ComponentSpec,
    cx: &mut BindCx<'_>,
    (output, column): (usize, usize),
    inputs: &[Source<'_>],
    keys: &mut Keys,
    taken: &mut Vec<(usize, Option<usize>)>,
) -> Option<Feed> {
    let column = &spec.outputs[output].columns[column];
    let text = column.properties.str("SourceColumn").trim();
    if matches!(text, "" | "-1") {
        return Some(Feed::Nothing(column.data_type));
    }
    let own: [&dyn std::fmt::Display; 2] = [&column.name, &column.lineage.0];
    let source = cx.lineage(text).and_then(|lineage| inputs.iter().position(|s| s.column.lineage == lineage));
    let Some(place) = source else {
        let code = codes::DTS_E_TXPIVOTCANTMAPPINGNOTFOUND;
        report_column(spec, cx, column, code, code.message(&[own[0], own[1], &text]));
        return None;
    };
    let input = &inputs[place];
    let value = column.properties.text("PivotKeyValue");
    let (code, feed) = match (input.usage, value) {
        (PivotUsage::PivotKey, _) => (codes::DTS_E_TXPIVOTCANTMAPPIVOTKEY, None),
        (PivotUsage::Value, None) => (codes::DTS_E_TXPIVOTEMPTYPIVOTKEYVALUE, None),
        (PivotUsage::Value, Some(value)) => {
            let Some(key) = keys.place(value, spec.locale) else {
                let code = codes::DTS_E_TXPIVOTBADPIVOTKEYCONVERT;
                report_column(spec, cx, column, code, code.message(&[&value]));
                return None;
            };
            let free = !taken.contains(&(place, Some(key)));
            taken.push((place, Some(key)));
            (codes::DTS_E_TXPIVOTDUPLICATEPIVOTKEYVALUE, free.then_some(Feed::Value { slot: input.slot, key }))
        }
        (PivotUsage::Pass | PivotUsage::SetKey, _) => {
            if taken.contains(&(place, None)) {
                let code = codes::DTS_E_TXPIVOTINPUTALREADYMAPPED;
                let message = code.message(&[own[0], own[1], &input.column.name, &input.column.lineage.0]);
                report_column(spec, cx, column, code, message);
                return None;
            }
            taken.push((place, None));
            (codes::DTS_E_TXPIVOTBADOUTPUTTYPE, Some(Feed::First(input.slot)))
        }
    };
    let (code, feed) = match feed {
        Some(_) if column.data_type != input.data_type => (codes::DTS_E_TXPIVOTBADOUTPUTTYPE, None),
        feed => (code, feed),
    };
    if feed.is_none() {
        report_column(spec, cx, column, code, code.message(&own));
    }
    feed
}
