//! Partitions that do not fit into memory.
//!
//! A partition that is refused memory goes to disk: what its groups gathered so far, and from then on the blocks that it
//! would have taken, one by one. In the end they are taken in the same order, by a table that begins with what was
//! gathered: so the result is the same to the bit, floats included. What a partition came to goes to disk as well, if
//! there is no room for it, and all of them are merged by the places of the groups' first rows.

use super::accumulate::Aggregate;
use super::block::{Block, Scattered, Shape};
use super::codec::{In, Out};
use super::groups::{Groups, Keys};
use super::stage::{Grouping, Part, PartRows};
use super::table::Table;
use crate::shared::blocking::{BATCH_ROWS, Parts};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::compute::interleave;
use arrow::datatypes::{Field, Schema, UInt64Type};
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::flow::OpenCx;
use dtsx_engine::memory::{BlockFile, BlockWriter, Reservation, SpillManager, SpillReader};
use std::sync::Arc;

/// Groups of a finished partition that go to disk at a time.
const SLICE: usize = 1024;

/// Where a partition is.
pub(super) enum Store {
    /// In memory.
    Memory(Table),
    /// On disk.
    Disk(Spilled),
}

/// A partition on disk.
pub(super) struct Spilled {
    writer: BlockWriter,
    out: Out,
}

impl Spilled {
    /// Writes what a partition has so far.
    pub(super) fn new(manager: &SpillManager, table: &Table) -> Result<Spilled> {
        let mut out = Out::default();
        put_groups(&mut out, &table.groups);
        out.u64s(&table.first);
        table.states.iter().for_each(|s| s.write(&mut out));
        let mut writer = manager.blocks()?;
        writer.write(&out.bytes)?;
        // Blocks are small beside the groups: the room of these is given back.
        Ok(Spilled { writer, out: Out::default() })
    }

    /// Writes a block that the partition would take.
    pub(super) fn write(&mut self, number: u64, piece: &Block) -> Result<()> {
        let out = &mut self.out;
        out.bytes.clear();
        out.u64(number);
        piece.keys.write(out);
        out.u64s(&piece.hashes);
        match &piece.shape {
            Shape::Rows(stood) => {
                out.u64(0);
                out.u32s(stood.as_deref().unwrap_or_default());
            }
            Shape::Reduced { first, states, group_of } => {
                out.u64(1);
                out.u32s(first);
                out.u32s(group_of);
                states.iter().for_each(|s| out.option(s.as_ref(), |s, out| s.write(out)));
            }
        }
        piece.inputs.iter().for_each(|i| out.option(i.as_ref(), |i, out| i.write(out)));
        out.u64(piece.rows.as_ref().map_or(u64::MAX, |r| r.of(0).len() as u64));
        self.writer.write(&out.bytes)
    }

    fn finish(self) -> Result<BlockFile> {
        self.writer.finish()
    }
}

/// Writes keys and how they are found.
pub(super) fn put_groups(out: &mut Out, groups: &Groups) {
    groups.keys.write(out);
    out.u32s(&groups.heads());
}

/// Reads what [`put_groups`] wrote.
pub(super) fn take_groups(input: &mut In<'_>) -> Result<Groups> {
    let keys = Keys::read(input)?;
    let heads = input.u32s()?;
    Groups::restore(keys, &heads)
}

fn read_block(input: &mut In<'_>, aggregates: &[Aggregate]) -> Result<(u64, Block)> {
    let number = input.u64()?;
    let keys = Keys::read(input)?;
    let hashes = input.u64s()?;
    let shape = match input.u64()? {
        0 => Shape::Rows(Some(input.u32s()?)),
        _ => {
            let (first, group_of) = (input.u32s()?, input.u32s()?);
            let state = |a: &Aggregate, input: &mut In<'_>| {
                input.option(|input| {
                    let mut state = a.state();
                    state.read(input)?;
                    Ok(state)
                })
            };
            let states = aggregates.iter().map(|a| state(a, input)).collect::<Result<_>>()?;
            Shape::Reduced { first, states, group_of }
        }
    };
    let inputs = aggregates.iter().map(|_| input.option(super::accumulate::Input::read)).collect::<Result<_>>()?;
    let rows = Some(input.u64()?).filter(|n| *n != u64::MAX).map(|n| Scattered::all(n as usize));
    let entries = Scattered::all(keys.len());
    Ok((number, Block { keys, hashes, shape, inputs, entries, rows }))
}

/// Takes everything that was written, in its order. When memory is refused, `evict` finds some; when it has none, what
/// is needed is taken all the same: it is one partition's.
fn replay(
    file: &BlockFile,
    plan: &Grouping,
    reservation: &mut Reservation,
    evict: &mut dyn FnMut() -> Result<bool>,
) -> Result<(Table, bool)> {
    let mut reader = file.read()?;
    let mut bytes = Vec::new();
    let mut table = Table::new(&plan.keys, &plan.aggregates);
    let mut fits = true;
    let mut reserve = |needed: usize, reservation: &mut Reservation| -> Result<()> {
        let more = needed.saturating_sub(reservation.bytes());
        while more > 0 && !reservation.try_grow(more) {
            fits = false;
            if !evict()? {
                reservation.force(more);
                break;
            }
        }
        Ok(())
    };
    if reader.read(&mut bytes)? {
        reserve(2 * bytes.len(), reservation)?;
        let mut input = In::new(&bytes);
        table.groups = take_groups(&mut input)?;
        table.first = input.u64s()?;
        table.states.iter_mut().try_for_each(|s| s.read(&mut input))?;
    }
    while reader.read(&mut bytes)? {
        let (number, block) = read_block(&mut In::new(&bytes), &plan.aggregates)?;
        reserve(table.heap() + block.growth(0, &table), reservation)?;
        block.put(0, number, &mut table)?;
    }
    Ok((table, fits))
}

/// A finished partition, in the order of its groups.
enum Run {
    Memory { table: Table, at: usize, _reservation: Reservation },
    Disk { batches: SpillReader, current: Option<RecordBatch> },
}

impl Run {
    /// The next groups whose first rows stand before `bound`, as batches that begin with the places of those rows.
    fn before(&mut self, bound: u64, plan: &Grouping, out: &mut Vec<Vec<ArrayRef>>) -> Result<()> {
        match self {
            Run::Memory { table, at, .. } => {
                let to = *at + table.first[*at..].partition_point(|first| *first < bound);
                if to > *at {
                    out.push(rows_of(plan, table, *at, to)?);
                }
                *at = to;
                Ok(())
            }
            Run::Disk { batches, current } => loop {
                if current.is_none() {
                    *current = batches.next().transpose()?;
                }
                let Some(batch) = current.take() else { return Ok(()) };
                let first = batch.column(0).as_primitive::<UInt64Type>().values();
                let rows = first.partition_point(|first| *first < bound);
                if rows > 0 {
                    out.push(batch.columns().iter().map(|c| c.slice(0, rows)).collect());
                }
                if rows < batch.num_rows() {
                    *current = Some(batch.slice(rows, batch.num_rows() - rows));
                    return Ok(());
                }
            },
        }
    }
}

/// The groups `from..to` of a table: the places of their first rows, then the output's columns.
fn rows_of(plan: &Grouping, table: &Table, from: usize, to: usize) -> Result<Vec<ArrayRef>> {
    let order: Vec<(u32, u32)> = (from as u32..to as u32).map(|group| (0, group)).collect();
    let first: ArrayRef = Arc::new(UInt64Array::from(table.first[from..to].to_vec()));
    let columns = plan.columns(&[table], &order)?;
    Ok(std::iter::once(first).chain(columns).collect())
}

/// Writes a finished partition away.
fn store(plan: &Grouping, table: &Table, manager: &SpillManager) -> Result<Run> {
    let batch = |from: usize| -> Result<RecordBatch> {
        let columns = rows_of(plan, table, from, (from + SLICE).min(table.first.len()))?;
        let field = |(i, c): (usize, &ArrayRef)| Field::new(i.to_string(), c.data_type().clone(), true);
        let schema = Schema::new(columns.iter().enumerate().map(field).collect::<Vec<_>>());
        Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
    };
    let mut writer = manager.batches(&batch(0)?.schema())?;
    for from in (0..table.first.len()).step_by(SLICE) {
        writer.write(&batch(from)?)?;
    }
    Ok(Run::Disk { batches: writer.finish()?.read()?, current: None })
}

/// The parts of an output of which a partition at least is on disk.
pub(super) fn finished(
    groupings: Arc<Vec<Grouping>>,
    grouping: usize,
    stores: Vec<(Store, Reservation)>,
    cx: &OpenCx,
) -> Result<Parts<Part>> {
    let plan = &groupings[grouping];
    let mut runs: Vec<Run> = Vec::new();
    let (mut total, mut sample) = (0, Vec::new());
    // Those in memory first: they can make room for the others.
    let (memory, disk): (Vec<_>, Vec<_>) = stores.into_iter().partition(|(s, _)| matches!(s, Store::Memory(_)));
    for (partition, mut reservation) in memory.into_iter().chain(disk) {
        cx.services.cancel.check()?;
        let (table, fits) = match partition {
            Store::Memory(table) => (table, true),
            Store::Disk(spilled) => {
                let mut evict = || {
                    let Some(run) = runs.iter_mut().find(|r| matches!(r, Run::Memory { .. })) else { return Ok(false) };
                    if let Run::Memory { table, .. } = run {
                        *run = store(plan, table, &cx.services.spill)?;
                    }
                    Ok(true)
                };
                replay(&spilled.finish()?, plan, &mut reservation, &mut evict)?
            }
        };
        total += table.first.len();
        // Every partition is a fair sample of the order of all.
        let step = BATCH_ROWS / super::block::PARTITIONS;
        if table.first.len() > sample.len() * step {
            sample = table.first.iter().copied().skip(step).step_by(step).collect();
        }
        runs.push(match fits {
            true => Run::Memory { table, at: 0, _reservation: reservation },
            false => store(plan, &table, &cx.services.spill)?,
        });
    }
    if total <= BATCH_ROWS {
        sample.clear();
    }
    let bounds = sample.into_iter().chain([u64::MAX]);
    Ok(Box::new(bounds.filter_map(move |bound| merge(&groupings[grouping], grouping, &mut runs, bound).transpose())))
}

/// The groups before `bound`, in order.
fn merge(plan: &Grouping, grouping: usize, runs: &mut [Run], bound: u64) -> Result<Option<Part>> {
    let mut pieces = Vec::new();
    runs.iter_mut().try_for_each(|run| run.before(bound, plan, &mut pieces))?;
    let mut order: Vec<(u64, usize, usize)> = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let first = piece.first().ok_or_else(|| Error::internal("a piece without places"))?;
        let first = first.as_primitive::<UInt64Type>().values();
        order.extend(first.iter().enumerate().map(|(row, first)| (*first, index, row)));
    }
    if order.is_empty() {
        return Ok(None);
    }
    order.sort_unstable();
    let order: Vec<(usize, usize)> = order.into_iter().map(|(_, piece, row)| (piece, row)).collect();
    let column = |index: usize| -> Result<ArrayRef> {
        let arrays: Vec<&dyn Array> = pieces.iter().map(|p| p[index + 1].as_ref()).collect();
        Ok(interleave(&arrays, &order)?)
    };
    let columns = (0..plan.columns.len()).map(column).collect::<Result<Vec<_>>>()?;
    Ok(Some(Part { grouping, rows: PartRows::Columns(order.len(), columns) }))
}
