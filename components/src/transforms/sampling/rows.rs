//! Row Sampling: so many rows are taken, every set of them as likely as any other.
//!
//! Each row has a random number, and the rows with the lowest are the sample: a row that is not among the lowest so far
//! leaves at once, one that is displaced leaves then. So only the sample is held, whatever the number of rows.

use super::{Outputs, SAMPLING_SEED, chance, outputs, seed};
use crate::shared::stream::{Emitted, Stream, Streaming};
use crate::transforms::{fits, one_input, report_column};
use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{interleave, take};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Diagnostic, Error, Owner, Result, codes};
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, Layout, OpenCx, RowRule, Slot};
use dtsx_engine::memory::Reservation;
use dtsx_engine::props::{PropertyDef, PropertyType};
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Rows in a batch of the sample.
const BATCH_ROWS: usize = 8192;

/// Rows that the store may hold beside twice the sample before it is gathered.
const SLACK: usize = 1 << 15;

/// `Microsoft.RowSampling`.
pub struct RowSampling;

impl ComponentKind for RowSampling {
    fn kind(&self) -> &'static str {
        "Microsoft.RowSampling"
    }

    fn title(&self) -> &'static str {
        "Row Sampling"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        &[
            PropertyDef { name: "SamplingValue", ty: PropertyType::Int, default: "10", doc: "How many rows to take." },
            SAMPLING_SEED,
        ]
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        one_input(spec, cx)?;
        let outputs = outputs(spec, cx)?;
        let value = spec.properties.int("SamplingValue").unwrap_or(10);
        let size = usize::try_from(value).ok().filter(|size| *size > 0);
        if size.is_none() {
            let code = codes::DTS_E_TXSAMPLINGINVALIDROWS;
            cx.error(spec, code, code.message(&[&"SamplingValue", &value]));
        }
        let selected = columns(spec, cx, outputs.selected);
        let unselected = columns(spec, cx, outputs.unselected);
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let seed = spec.properties.int("SamplingSeed").unwrap_or(0) as u64;
        let wanted = cx.attached[outputs.unselected];
        let plan = Plan { outputs, wanted, selected, unselected, size: size?, seed };
        Some(Bound::Stage(Box::new(Streaming::new(plan, RowRule::Once))))
    }
}

/// The input columns of an output's columns.
fn columns(spec: &ComponentSpec, cx: &mut BindCx<'_>, output: usize) -> Vec<Slot> {
    let mut slots = Vec::new();
    for column in &spec.outputs[output].columns {
        let lineage = cx.lineage(column.properties.str("InputColumnLineageID"));
        let taken = lineage.filter(|lineage| spec.inputs[0].columns.iter().any(|c| c.lineage == *lineage));
        let slot = taken.and_then(|lineage| cx.inputs[0].slot(lineage));
        match slot {
            Some(slot) if fits(&cx.inputs[0].column(slot).data_type, &column.data_type) => slots.push(slot),
            Some(slot) => {
                let code = codes::DTS_E_METADATAMISMATCHWITHOUTPUTCOLUMN;
                let name = cx.inputs[0].column(slot).name.clone();
                report_column(spec, cx, column, code, code.message(&[&name]));
            }
            None => {
                let code = codes::DTS_E_INCORRECTCUSTOMPROPERTYVALUE;
                report_column(spec, cx, column, code, code.message(&[&"InputColumnLineageID"]));
            }
        }
    }
    slots
}

struct Plan {
    outputs: Outputs,
    /// Whether somebody takes the rows that are not in the sample.
    wanted: bool,
    selected: Vec<Slot>,
    unselected: Vec<Slot>,
    size: usize,
    seed: u64,
}

/// A row of the sample. The greatest leaves first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Taken {
    chance: u64,
    /// Its number among all rows.
    number: u64,
    /// Where it is in the store.
    place: (u32, u32),
}

struct State {
    seed: u64,
    /// Rows so far.
    number: u64,
    sample: BinaryHeap<Taken>,
    /// The columns of the input, gathered.
    store: Vec<Vec<ArrayRef>>,
    stored: usize,
    bytes: usize,
    reservation: Reservation,
}

impl Stream for Plan {
    type Piece = Batch;
    type Lane = ();
    type State = State;

    fn lane(&self, _cx: &OpenCx, _input: &Layout) -> Result<()> {
        Ok(())
    }

    fn state(&self, cx: &OpenCx, _input: &Layout) -> Result<State> {
        Ok(State {
            seed: seed(self.seed),
            number: 0,
            sample: BinaryHeap::new(),
            store: Vec::new(),
            stored: 0,
            bytes: 0,
            reservation: cx.services.memory.reservation(),
        })
    }

    fn prepare(&self, (): &mut (), batch: Batch) -> Result<Batch> {
        Ok(batch)
    }

    fn step(&self, state: &mut State, batch: Batch, out: &mut Emitted) -> Result<Option<Batch>> {
        let piece = state.store.len() as u32;
        let (mut kept, mut passed) = (Vec::new(), Vec::new());
        let mut displaced: Vec<(u32, u32)> = Vec::new();
        for row in 0..batch.rows as u32 {
            let number = state.number + u64::from(row);
            let chance = chance(state.seed, number);
            if state.sample.len() >= self.size {
                if state.sample.peek().is_some_and(|greatest| (chance, number) > (greatest.chance, greatest.number)) {
                    passed.push(row);
                    continue;
                }
                displaced.extend(state.sample.pop().map(|taken| taken.place));
            }
            state.sample.push(Taken { chance, number, place: (piece, kept.len() as u32) });
            kept.push(row);
        }
        state.number += batch.rows as u64;
        if !kept.is_empty() {
            let rows = UInt32Array::from(kept);
            let gathered: Vec<ArrayRef> =
                batch.columns.iter().map(|column| Ok(own(take(column, &rows, None)?))).collect::<Result<_>>()?;
            state.stored += rows.len();
            state.bytes += bytes(&gathered);
            state.store.push(gathered);
        }
        if self.wanted {
            if !passed.is_empty() {
                let rows = UInt32Array::from(passed);
                let gather = |slot: &Slot| Ok(take(&batch.columns[slot.0], &rows, None)?);
                let columns = self.unselected.iter().map(gather).collect::<Result<Vec<_>>>()?;
                out.put(self.outputs.unselected, Batch::new(0, rows.len(), columns));
            }
            if !displaced.is_empty() {
                let columns = self.unselected.iter().map(|slot| state.gather(*slot, &displaced));
                let columns = columns.collect::<Result<Vec<_>>>()?;
                out.put(self.outputs.unselected, Batch::new(0, displaced.len(), columns));
            }
        }
        state.tidy(self.size, batch.columns.len())?;
        Ok(None)
    }

    fn end(&self, state: &mut State, _cx: &OpenCx, out: &mut Emitted) -> Result<()> {
        let mut sample = std::mem::take(&mut state.sample).into_vec();
        sample.sort_unstable_by_key(|taken| taken.number);
        for rows in sample.chunks(BATCH_ROWS) {
            let places: Vec<(u32, u32)> = rows.iter().map(|taken| taken.place).collect();
            let columns = self.selected.iter().map(|slot| state.gather(*slot, &places)).collect::<Result<Vec<_>>>()?;
            out.put(self.outputs.selected, Batch::new(0, places.len(), columns));
        }
        state.store.clear();
        state.reservation.shrink(state.reservation.bytes());
        Ok(())
    }
}

impl State {
    /// Rows of the store, of one column.
    fn gather(&self, slot: Slot, places: &[(u32, u32)]) -> Result<ArrayRef> {
        let pieces: Vec<&dyn Array> = self.store.iter().map(|piece| piece[slot.0].as_ref()).collect();
        let places: Vec<(usize, usize)> = places.iter().map(|(p, r)| (*p as usize, *r as usize)).collect();
        Ok(interleave(&pieces, &places)?)
    }

    /// Gathers the store when most of it is no longer in the sample, and reserves what it takes.
    fn tidy(&mut self, size: usize, columns: usize) -> Result<()> {
        if self.stored > 2 * size + SLACK || self.store.len() > BATCH_ROWS {
            let mut sample = std::mem::take(&mut self.sample).into_vec();
            sample.sort_unstable_by_key(|taken| taken.number);
            let places: Vec<(u32, u32)> = sample.iter().map(|taken| taken.place).collect();
            let gathered = (0..columns).map(|column| Ok(own(self.gather(Slot(column), &places)?)));
            let gathered = gathered.collect::<Result<Vec<_>>>()?;
            self.bytes = bytes(&gathered);
            self.store = vec![gathered];
            self.stored = places.len();
            let place = |(row, taken): (usize, Taken)| Taken { place: (0, row as u32), ..taken };
            self.sample = sample.into_iter().enumerate().map(place).collect();
        }
        let held = self.reservation.bytes();
        if self.bytes < held {
            self.reservation.shrink(held - self.bytes);
        } else if !self.reservation.try_grow(self.bytes - held) {
            let message = format!("a sample of {size} rows does not fit the memory that this run may use");
            return Err(Error::new(Owner::Environment, None, message));
        }
        Ok(())
    }
}

/// The same values without the rest of the buffers that views were cut from.
fn own(array: ArrayRef) -> ArrayRef {
    if let Some(text) = array.as_string_view_opt() {
        return Arc::new(text.gc());
    }
    if let Some(bytes) = array.as_binary_view_opt() {
        return Arc::new(bytes.gc());
    }
    array
}

fn bytes(columns: &[ArrayRef]) -> usize {
    columns.iter().map(|column| column.get_array_memory_size()).sum()
}
