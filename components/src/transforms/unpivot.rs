//! Unpivot: a row becomes one row for each of its pivoted columns.
//!
//! ```text
//! Month  Monday  Friday         Month   Day     Spent
//! Jan    10      20        →    Jan     Monday  10
//! Feb    NULL    5              Jan     Friday  20
//!                               Feb     Friday  5
//! ```
//!
//! An input column with a PivotKeyValue is pivoted: its value goes into the output column that DestinationColumn names,
//! and the PivotKeyValue into the output column that is marked as PivotKey. Several destinations have the same
//! PivotKeyValues. An input column without one is passed through. A value that is NULL makes no row, unless all of a row
//! are; then one row stands for it.

use super::{fits, one_input, one_output, report_column};
use crate::shared::stream::{Emitted, Stream, Streaming};
use arrow::array::{Array, ArrayRef, StringViewArray, UInt32Array};
use arrow::compute::{interleave, take};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Diagnostic, Result, codes};
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, Layout, OpenCx, RowRule, Slot};
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::{CastOptions, can_cast, cast_array};
use std::sync::Arc;

/// Rows that a batch has at most: input is taken in slices that come to no more.
const ROWS: usize = 1 << 16;

/// `Microsoft.UnPivot`.
pub struct Unpivot;

impl ComponentKind for Unpivot {
    fn kind(&self) -> &'static str {
        "Microsoft.UnPivot"
    }

    fn title(&self) -> &'static str {
        "Unpivot"
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        one_input(spec, cx)?;
        let output = one_output(spec, cx)?;
        let plan = plan(spec, cx, output)?;
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let rule = RowRule::Other("a row for each value that is not NULL");
        Some(Bound::Stage(Box::new(Streaming::new(plan, rule))))
    }
}

/// Where a column of the output gets its value.
enum Feed {
    /// The pivot key.
    Key,
    /// A column of the input.
    Pass(Slot),
    /// By pivot key, a column of the input.
    Values(Vec<Slot>),
}

struct Plan {
    output: usize,
    feeds: Vec<Feed>,
    /// The pivot keys, in the order of the input columns.
    keys: ArrayRef,
}

/// What is mapped to a column of the output so far.
#[derive(Clone, Default)]
struct Mapped {
    pass: Option<Slot>,
    /// Pivot keys and columns, in the order of the input.
    values: Vec<(String, Slot)>,
}

fn plan(spec: &ComponentSpec, cx: &mut BindCx<'_>, output: usize) -> Option<Plan> {
    let columns = &spec.outputs[output].columns;
    let mut keyed = (0..columns.len()).filter(|c| columns[*c].properties.bool("PivotKey") == Some(true));
    let (key, code) = match (keyed.next(), keyed.next()) {
        (Some(key), None) => (Some(key), None),
        (None, _) => (None, Some(codes::DTS_E_TXUNPIVOTNOPIVOT)),
        (Some(_), Some(_)) => (None, Some(codes::DTS_E_TXUNPIVOTTOOMANYPIVOTKEYS)),
    };
    if let Some(code) = code {
        cx.error(spec, code, code.message(&[]));
    }
    let key = key?;
    let mut mapped = vec![Mapped::default(); columns.len()];
    for column in 0..spec.inputs[0].columns.len() {
        map(spec, cx, column, (output, key), &mut mapped);
    }
    for (place, (column, mapped)) in columns.iter().zip(&mapped).enumerate() {
        if place != key && mapped.pass.is_none() && mapped.values.is_empty() {
            let code = codes::DTS_E_TXUNPIVOTUNMAPPEDOUTPUT;
            report_column(spec, cx, column, code, code.message(&[&column.name, &column.lineage.0]));
        }
    }
    let Some(first) = mapped.iter().find(|m| !m.values.is_empty()) else {
        let code = codes::DTS_E_TXUNPIVOTNOUNPIVOTDESTINATION;
        cx.error(spec, code, code.message(&[]));
        return None;
    };
    let names: Vec<&str> = first.values.iter().map(|(key, _)| key.as_str()).collect();
    let keys = key_column(spec, cx, &columns[key].data_type, &names);
    let feed = |(place, mapped): (usize, &Mapped)| -> Option<Feed> {
        if place == key {
            return Some(Feed::Key);
        }
        if let (Some(slot), true) = (mapped.pass, mapped.values.is_empty()) {
            return Some(Feed::Pass(slot));
        }
        // Every destination has the same pivot keys, in whatever order.
        let slot = |name: &&str| mapped.values.iter().find(|(key, _)| key == name).map(|(_, slot)| *slot);
        let slots: Option<Vec<Slot>> = names.iter().map(slot).collect();
        slots.filter(|slots| slots.len() == mapped.values.len() && mapped.pass.is_none()).map(Feed::Values)
    };
    let feeds: Option<Vec<Feed>> = mapped.iter().enumerate().map(feed).collect();
    if feeds.is_none() && !cx.failed(&spec.path) {
        let code = codes::DTS_E_TXUNPIVOTBADKEYLIST;
        cx.error(spec, code, format!("{} Every destination column needs the same values.", code.message(&[])));
    }
    Some(Plan { output, feeds: feeds?, keys: keys? })
}

/// Maps an input column to a column of the output; reports what is wrong with it.
fn map(spec: &ComponentSpec, cx: &mut BindCx<'_>, column: usize, (output, key): (usize, usize), mapped: &mut [Mapped]) {
    let column = &spec.inputs[0].columns[column];
    let text = column.properties.str("DestinationColumn").trim();
    if matches!(text, "" | "-1") {
        return;
    }
    let columns = &spec.outputs[output].columns;
    let own: [&dyn std::fmt::Display; 2] = [&column.name, &column.lineage.0];
    let target = cx.lineage(text).and_then(|lineage| columns.iter().position(|c| c.lineage == lineage));
    let Some(target) = target.filter(|target| *target != key) else {
        let code = codes::DTS_E_TXUNPIVOTNOTINPUTMAP;
        return report_column(spec, cx, column, code, code.message(&own));
    };
    // A lineage that the path does not bring is reported for every component alike.
    let Some(slot) = cx.inputs[0].slot(column.lineage) else { return };
    let data_type = cx.inputs[0].column(slot).data_type;
    if !fits(&data_type, &columns[target].data_type) {
        let code = codes::DTS_E_TXUNPIVOTBADUNPIVOTMETADATA;
        let message = format!(
            "{} ({data_type} into \"{}\" {})",
            code.message(&[]),
            columns[target].name,
            columns[target].data_type
        );
        return report_column(spec, cx, column, code, message);
    }
    let mapped = &mut mapped[target];
    let code = match column.properties.text("PivotKeyValue").filter(|value| !value.is_empty()) {
        Some(value) if mapped.values.iter().any(|(key, _)| key == value) => {
            codes::DTS_E_TXUNPIVOTDUPLICATEPIVOTKEYVALUE
        }
        Some(value) => return mapped.values.push((value.to_owned(), slot)),
        None if mapped.pass.is_some() => codes::DTS_E_TXUNPIVOTDUPLICATEDESTINATION,
        None => {
            mapped.pass = Some(slot);
            return;
        }
    };
    report_column(spec, cx, column, code, code.message(&own));
}

/// The pivot keys as values of their column.
fn key_column(spec: &ComponentSpec, cx: &mut BindCx<'_>, data_type: &DataType, names: &[&str]) -> Option<ArrayRef> {
    let from = DataType::WStr { len: 4000 };
    let text: ArrayRef = Arc::new(StringViewArray::from_iter_values(names));
    let options = CastOptions::data_flow(spec.locale);
    let array = can_cast(&from, data_type).then(|| cast_array(&text, &from, data_type, &options).ok()).flatten();
    match array {
        Some((array, faults)) if faults.is_empty() => Some(array),
        other => {
            let name = other.and_then(|(_, faults)| names.get(faults.first()?.row as usize)).unwrap_or(&names[0]);
            let code = codes::DTS_E_TXUNPIVOTBADKEYLIST;
            cx.error(spec, code, format!("{} \"{name}\" is no {data_type}.", code.message(&[])));
            None
        }
    }
}

/// The pivot key of the row that stands for a row without any value: its first (unconfirmed).
const KEY_OF_NO_VALUE: usize = 0;

impl Stream for Plan {
    type Piece = Vec<Batch>;
    type Lane = ();
    type State = ();

    fn lane(&self, _cx: &OpenCx, _input: &Layout) -> Result<()> {
        Ok(())
    }

    fn state(&self, _cx: &OpenCx, _input: &Layout) -> Result<()> {
        Ok(())
    }

    fn prepare(&self, (): &mut (), batch: Batch) -> Result<Vec<Batch>> {
        let step = (ROWS / self.keys.len()).max(1);
        let starts = (0..batch.rows).step_by(step);
        starts.map(|start| self.unpivot(&batch.slice(start, step.min(batch.rows - start)))).collect()
    }

    fn step(&self, (): &mut (), piece: Vec<Batch>, out: &mut Emitted) -> Result<Option<Vec<Batch>>> {
        piece.into_iter().for_each(|batch| out.put(self.output, batch));
        Ok(None)
    }
}

impl Plan {
    fn unpivot(&self, batch: &Batch) -> Result<Batch> {
        let cells = self.cells(batch);
        let rows: UInt32Array = cells.iter().map(|(_, row)| *row as u32).collect::<Vec<_>>().into();
        let keys: UInt32Array = cells.iter().map(|(key, _)| *key as u32).collect::<Vec<_>>().into();
        let column = |feed: &Feed| -> Result<ArrayRef> {
            Ok(match feed {
                Feed::Key => take(&self.keys, &keys, None)?,
                Feed::Pass(slot) => take(&batch.columns[slot.0], &rows, None)?,
                Feed::Values(slots) => {
                    let columns: Vec<&dyn Array> = slots.iter().map(|slot| batch.columns[slot.0].as_ref()).collect();
                    interleave(&columns, &cells)?
                }
            })
        };
        let columns = self.feeds.iter().map(column).collect::<Result<Vec<_>>>()?;
        Ok(Batch::new(0, cells.len(), columns))
    }

    /// The pivot key and the row of every row of the output.
    fn cells(&self, batch: &Batch) -> Vec<(usize, usize)> {
        let width = self.keys.len();
        let values: Vec<&Vec<Slot>> =
            self.feeds.iter().filter_map(|f| if let Feed::Values(s) = f { Some(s) } else { None }).collect();
        let nullable = |slots: &&Vec<Slot>| slots.iter().any(|slot| batch.columns[slot.0].null_count() > 0);
        let mut cells = Vec::with_capacity(batch.rows * width);
        if !values.iter().all(nullable) {
            cells.extend((0..batch.rows).flat_map(|row| (0..width).map(move |key| (key, row))));
            return cells;
        }
        for row in 0..batch.rows {
            let before = cells.len();
            for key in 0..width {
                if values.iter().any(|slots| batch.columns[slots[key].0].is_valid(row)) {
                    cells.push((key, row));
                }
            }
            if cells.len() == before {
                cells.push((KEY_OF_NO_VALUE, row));
            }
        }
        cells
    }
}
