//! Merge: the rows of two sorted inputs in one sorted output. Of equal rows, those of the first input come first.

use super::{fits, one_output, report_column};
use crate::shared::inputs;
use crate::shared::sorted_inputs::{At, Head, Pair, Rows, Sides, sorted_input};
use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute::interleave;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Diagnostic, Error, Result, codes};
use dtsx_engine::flow::{
    BindCx, Bound, ComponentKind, ComponentSpec, Decode, Fetch, Layout, Morsel, OpenCx, Ports, RowRule, Source, Stage,
    StageEnds, Step, Waker,
};
use dtsx_engine::types::DataType;
use std::cmp::Ordering;
use std::sync::Arc;

/// Rows of an output batch.
const BATCH_ROWS: usize = 8192;

/// `Microsoft.Merge`.
pub struct Merge;

impl ComponentKind for Merge {
    fn kind(&self) -> &'static str {
        "Microsoft.Merge"
    }

    fn title(&self) -> &'static str {
        "Merge"
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        inputs::<2>(spec, cx)?;
        let output = one_output(spec, cx)?;
        let sorted = [0, 1].map(|input| sorted_input(spec, cx, input, usize::MAX));
        if sorted.iter().all(|i| !i.keys.is_empty()) && sorted[0].keys.len() != sorted[1].keys.len() {
            let code = codes::DTS_E_TXMERGESORTKEYPOSMISMATCH;
            cx.error(spec, code, code.message(&[]));
        }
        let pair = Pair::bind(spec, cx, [0, 1], sorted);
        let columns = [0, 1].map(|input| mapping(spec, cx, input, output));
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let [first, second] = columns;
        let data_type = |column: usize| spec.outputs[output].columns[column].data_type;
        let columns = first.into_iter().zip(second).enumerate().map(|(i, (a, b))| ([a, b], data_type(i))).collect();
        Some(Bound::Stage(Box::new(MergeStage { pair, plan: Arc::new(Plan { columns, output }) })))
    }
}

/// For each column of the output, where an input has it.
fn mapping(spec: &ComponentSpec, cx: &mut BindCx<'_>, input: usize, output: usize) -> Vec<Option<usize>> {
    let columns = &spec.outputs[output].columns;
    let mut mapping: Vec<Option<usize>> = vec![None; columns.len()];
    for column in &spec.inputs[input].columns {
        let target = cx
            .lineage(column.properties.str("OutputColumnLineageID"))
            .and_then(|lineage| columns.iter().position(|c| c.lineage == lineage));
        let found = cx.inputs[input].slot(column.lineage).map(|slot| (slot, cx.inputs[input].column(slot).clone()));
        // A lineage that the path does not bring is reported for every component alike.
        let Some((slot, source)) = found else { continue };
        let code = match target {
            None => codes::DTS_E_UNMAPPEDINPUTCOLUMN,
            Some(target) if mapping[target].is_some() => codes::DTS_E_MULTIPLYMAPPEDOUTCOL,
            Some(target) if !fits(&source.data_type, &columns[target].data_type) => {
                codes::DTS_E_METADATAMISMATCHWITHOUTPUTCOLUMN
            }
            Some(target) if columns[target].sort_key != 0 && source.sort_key != columns[target].sort_key => {
                codes::DTS_E_TXMERGESORTKEYPOSMISMATCH
            }
            Some(target) => {
                mapping[target] = Some(slot.0);
                continue;
            }
        };
        let object = format!("{}.Inputs[{}].Columns[{}]", spec.name, spec.inputs[input].name, column.name);
        report_column(spec, cx, column, code, code.message(&[&object]));
    }
    mapping
}

struct Plan {
    /// By column of the output, where each input has it.
    columns: Vec<([Option<usize>; 2], DataType)>,
    output: usize,
}

struct MergeStage {
    pair: Pair,
    plan: Arc<Plan>,
}

impl Stage for MergeStage {
    fn open(&self, cx: &OpenCx, _inputs: &[Layout]) -> Result<StageEnds> {
        let (sides, inlets) = self.pair.open(cx);
        Ok((inlets, Arc::new(Outlet { plan: self.plan.clone(), sides })))
    }

    fn blocks(&self) -> bool {
        false
    }

    fn row_rule(&self) -> RowRule {
        RowRule::Once
    }
}

struct Outlet {
    plan: Arc<Plan>,
    sides: Arc<Sides>,
}

impl Source for Outlet {
    fn open(&self, _cx: &OpenCx) -> Result<Box<dyn Fetch>> {
        let heads = [Head::new(0), Head::new(1)];
        Ok(Box::new(Merging { sides: self.sides.clone(), heads, out: Merged::default() }))
    }

    fn decoder(&self, _cx: &OpenCx, _outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Lane { plan: self.plan.clone() }))
    }
}

/// Rows in the order of the output: batches with the side that they are of, and which row of which of them.
#[derive(Default)]
struct Merged {
    batches: Vec<(usize, Arc<Rows>)>,
    rows: Vec<(usize, usize)>,
    /// The batch that a side stands in.
    known: [Option<usize>; 2],
}

struct Merging {
    sides: Arc<Sides>,
    heads: [Head; 2],
    out: Merged,
}

impl Fetch for Merging {
    fn fetch(&mut self, waker: &Waker) -> Result<Step<Morsel>> {
        loop {
            if self.out.rows.len() >= BATCH_ROWS {
                return Ok(Step::More(Box::new(std::mem::take(&mut self.out))));
            }
            let at = [self.settle(0, waker)?, self.settle(1, waker)?];
            match at {
                [At::Later, _] | [_, At::Later] => return Ok(Step::Parked),
                [At::End, At::End] if self.out.rows.is_empty() => return Ok(Step::Done),
                [At::End, At::End] => return Ok(Step::More(Box::new(std::mem::take(&mut self.out)))),
                [At::Row, At::End] => self.pass(0),
                [At::End, At::Row] => self.pass(1),
                [At::Row, At::Row] => self.merge(),
            }
        }
    }
}

impl Merging {
    fn settle(&mut self, side: usize, waker: &Waker) -> Result<At> {
        let before = self.heads[side].rows.as_ref().map(Arc::as_ptr);
        let at = self.heads[side].settle(&self.sides, waker)?;
        if before != self.heads[side].rows.as_ref().map(Arc::as_ptr) {
            self.out.known[side] = None;
        }
        Ok(at)
    }

    /// The batch of a side among those of the output batch.
    fn batch(&mut self, side: usize) -> usize {
        if let Some(known) = self.out.known[side] {
            return known;
        }
        if let Some(rows) = &self.heads[side].rows {
            self.out.batches.push((side, rows.clone()));
        }
        let batch = self.out.batches.len() - 1;
        self.out.known[side] = Some(batch);
        batch
    }

    /// Passes the rows of a side.
    fn pass(&mut self, side: usize) {
        let batch = self.batch(side);
        let head = &mut self.heads[side];
        let rows = head.rows.as_ref().map_or(0, |rows| rows.batch.rows);
        while head.row < rows && self.out.rows.len() < BATCH_ROWS {
            self.out.rows.push((batch, head.row));
            head.row += 1;
        }
    }

    /// Passes rows of both sides until one has no more.
    fn merge(&mut self) {
        let batches = [self.batch(0), self.batch(1)];
        let [Head { rows: Some(first), row: a, .. }, Head { rows: Some(second), row: b, .. }] = &mut self.heads else {
            return;
        };
        while *a < first.batch.rows && *b < second.batch.rows && self.out.rows.len() < BATCH_ROWS {
            if first.keys.compare(*a, &second.keys, *b) == Ordering::Greater {
                self.out.rows.push((batches[1], *b));
                *b += 1;
            } else {
                self.out.rows.push((batches[0], *a));
                *a += 1;
            }
        }
    }
}

struct Lane {
    plan: Arc<Plan>,
}

impl Decode for Lane {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let merged = morsel.downcast::<Merged>().map_err(|_| Error::internal("a morsel of another component"))?;
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.plan.columns.len());
        for (slots, data_type) in &self.plan.columns {
            let arrays = merged.batches.iter().map(|(side, rows)| match slots[*side] {
                Some(slot) => rows.batch.columns[slot].clone(),
                None => new_null_array(&data_type.arrow(), rows.batch.rows),
            });
            let arrays: Vec<ArrayRef> = arrays.collect();
            let arrays: Vec<&dyn Array> = arrays.iter().map(|a| a.as_ref()).collect();
            columns.push(interleave(&arrays, &merged.rows)?);
        }
        out.put(self.plan.output, Batch::new(seq, merged.rows.len(), columns));
        Ok(())
    }
}
