//! The run: lanes make blocks of batches, blocks reach the partitions in the order of the input, groups leave in the
//! order in which they first came.

use super::accumulate::{Aggregate, State};
use super::block::{Block, Habit, PARTITIONS};
use super::encode::KeyPlan;
use super::groups::Keys;
use super::spill::{Spilled, Store};
use super::table::Table;
use crate::shared::blocking::{BATCH_ROWS, Blocking, Parts, Sealed};
use arrow::array::ArrayRef;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::Result;
use dtsx_engine::flow::{OpenCx, Ports};
use dtsx_engine::memory::Reservation;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Blocks that stand before the partitions until a lane looks after them.
const QUEUED: usize = 4;

/// An output, bound.
#[derive(Debug)]
pub(super) struct Grouping {
    /// Its place among the component's outputs.
    pub(super) port: usize,
    pub(super) keys: KeyPlan,
    pub(super) aggregates: Vec<Aggregate>,
    /// By column of the output.
    pub(super) columns: Vec<Source>,
}

/// What fills a column of an output.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// A column of the key.
    Key(usize),
    /// An aggregate.
    Aggregate(usize),
}

impl Grouping {
    /// The output's columns for the groups `order[i].1` of the table `order[i].0`.
    pub(super) fn columns(&self, tables: &[&Table], order: &[(u32, u32)]) -> Result<Vec<ArrayRef>> {
        let keys: Vec<&Keys> = tables.iter().map(|t| &t.groups.keys).collect();
        let keys = self.keys.columns(&keys, order)?;
        let finish = |(index, aggregate): (usize, &Aggregate)| {
            let states: Vec<&State> = tables.iter().map(|t| &t.states[index]).collect();
            aggregate.finish(&states, order)
        };
        let aggregates = self.aggregates.iter().enumerate().map(finish).collect::<Result<Vec<_>>>()?;
        let column = |source: &Source| match source {
            Source::Key(index) => keys[*index].clone(),
            Source::Aggregate(index) => aggregates[*index].clone(),
        };
        Ok(self.columns.iter().map(column).collect())
    }
}

/// One execution.
pub(super) struct Aggregation {
    groupings: Arc<Vec<Grouping>>,
    cx: OpenCx,
    /// By grouping, then by partition.
    partitions: Vec<Vec<Partition>>,
    /// Blocks that were queued and not looked after.
    queued: AtomicUsize,
    lanes: AtomicUsize,
}

/// Some of the groups of an output.
struct Partition {
    /// Blocks in the order of the input. Taken from the front by whoever has `state`.
    queue: Mutex<VecDeque<(u64, Arc<Block>)>>,
    state: Mutex<Held>,
}

struct Held {
    store: Store,
    reservation: Reservation,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Aggregation {
    pub(super) fn new(groupings: Arc<Vec<Grouping>>, cx: &OpenCx) -> Aggregation {
        let partition = |grouping: &Grouping| Partition {
            queue: Mutex::default(),
            state: Mutex::new(Held {
                store: Store::Memory(Table::new(&grouping.keys, &grouping.aggregates)),
                reservation: cx.services.memory.reservation(),
            }),
        };
        let partitions = groupings.iter().map(|g| (0..PARTITIONS).map(|_| partition(g)).collect()).collect();
        Aggregation { groupings, cx: cx.clone(), partitions, queued: AtomicUsize::new(0), lanes: AtomicUsize::new(0) }
    }

    /// Looks after the partitions from the one at `start` on, but for those that somebody else is at.
    fn look_after(&self, start: usize) -> Result<()> {
        for (grouping, partitions) in self.partitions.iter().enumerate() {
            for place in 0..PARTITIONS {
                let place = (start + place) % PARTITIONS;
                if let Ok(mut held) = partitions[place].state.try_lock() {
                    self.drain(grouping, place, &mut held)?;
                }
            }
        }
        Ok(())
    }

    /// Puts what is queued before a partition into it.
    fn drain(&self, grouping: usize, place: usize, held: &mut Held) -> Result<()> {
        let queue = &self.partitions[grouping][place].queue;
        loop {
            let Some((number, block)) = lock(queue).pop_front() else { return Ok(()) };
            self.put(place, number, &block, held)?;
        }
    }

    fn put(&self, place: usize, number: u64, block: &Block, held: &mut Held) -> Result<()> {
        if let Store::Memory(table) = &mut held.store {
            let needed = table.heap() + block.growth(place, table);
            let more = needed.saturating_sub(held.reservation.bytes());
            if more == 0 || held.reservation.try_grow(more) {
                return block.put(place, number, table);
            }
            let spilled = Spilled::new(&self.cx.services.spill, table)?;
            held.store = Store::Disk(spilled);
            held.reservation.shrink(usize::MAX);
        }
        match (&mut held.store, block.piece(place)) {
            (Store::Disk(spilled), Some(piece)) => spilled.write(number, &piece),
            _ => Ok(()),
        }
    }

    /// Everything has come: empties the queues, on every thread of the pool.
    fn settle(&self) -> Result<()> {
        let failure = Mutex::new(None);
        self.cx.services.pool.scope(|scope| {
            for (grouping, partitions) in self.partitions.iter().enumerate() {
                for (place, partition) in partitions.iter().enumerate() {
                    let failure = &failure;
                    if lock(&partition.queue).is_empty() {
                        continue;
                    }
                    scope.spawn(move |_| {
                        if let Err(error) = self.drain(grouping, place, &mut lock(&partition.state)) {
                            lock(failure).get_or_insert(error);
                        }
                    });
                }
            }
        });
        let failure = lock(&failure).take();
        failure.map_or(Ok(()), Err)
    }

    /// What an output has, ready to leave.
    fn finished(&self, grouping: usize) -> Result<Parts<Part>> {
        let plan = &self.groupings[grouping];
        let mut stores = Vec::new();
        for partition in &self.partitions[grouping] {
            let mut held = lock(&partition.state);
            let empty = Store::Memory(Table::new(&plan.keys, &plan.aggregates));
            let store = std::mem::replace(&mut held.store, empty);
            let reservation = std::mem::replace(&mut held.reservation, self.cx.services.memory.reservation());
            stores.push((store, reservation));
        }
        if plan.keys.is_empty()
            && ONE_ROW_OF_NOTHING
            && let Some((Store::Memory(table), _)) = stores.first_mut()
            && table.first.is_empty()
        {
            let nothing = Keys::Words { size: 0, rows: 1, words: Vec::new() };
            table.find(&nothing, &[0], &[0], |_| 0)?;
        }
        if stores.iter().any(|(store, _)| matches!(store, Store::Disk(_))) {
            return super::spill::finished(self.groupings.clone(), grouping, stores, &self.cx);
        }
        let tables: Vec<(Table, Reservation)> = stores
            .into_iter()
            .filter_map(|(store, reservation)| match store {
                Store::Memory(table) => Some((table, reservation)),
                Store::Disk(_) => None,
            })
            .collect();
        Ok(Box::new(in_order(grouping, Arc::new(tables)).map(Ok)))
    }
}

/// Without a "group by", no rows make one row: counts are 0, everything else is NULL (unconfirmed: as SQL has it).
const ONE_ROW_OF_NOTHING: bool = true;

/// Finished rows of an output.
pub(super) struct Part {
    pub(super) grouping: usize,
    pub(super) rows: PartRows,
}

/// Where the rows are.
pub(super) enum PartRows {
    /// Groups `from..to` of some tables, to be put in order.
    Tables(Arc<Vec<(Table, Reservation)>>, Vec<(u32, u32, u32)>),
    /// Columns, in order.
    Columns(usize, Vec<ArrayRef>),
}

/// Parts of about [`BATCH_ROWS`] groups, in the order in which the groups first came: each is a range of that order, which
/// is cut where the groups of the largest table, a fair sample of all, say.
fn in_order(grouping: usize, tables: Arc<Vec<(Table, Reservation)>>) -> impl Iterator<Item = Part> + Send {
    let total: usize = tables.iter().map(|(t, _)| t.first.len()).sum();
    let mut bounds = match tables.iter().map(|(t, _)| &t.first).max_by_key(|f| f.len()) {
        Some(sample) if total > BATCH_ROWS => {
            let step = (BATCH_ROWS * sample.len() / total).max(1);
            sample.iter().copied().skip(step).step_by(step).collect()
        }
        _ => Vec::new(),
    };
    bounds.push(u64::MAX);
    let mut from = vec![0u32; tables.len()];
    bounds.into_iter().filter_map(move |bound| {
        let mut ranges = Vec::new();
        for (index, ((table, _), from)) in tables.iter().zip(&mut from).enumerate() {
            let start = *from as usize;
            let to = (start + table.first[start..].partition_point(|first| *first < bound)) as u32;
            if to > *from {
                ranges.push((index as u32, *from, to));
                *from = to;
            }
        }
        let rows = PartRows::Tables(tables.clone(), ranges);
        if matches!(&rows, PartRows::Tables(_, ranges) if ranges.is_empty()) {
            None
        } else {
            Some(Part { grouping, rows })
        }
    })
}

/// What a lane of the input holds.
pub(super) struct Lane {
    habits: Vec<Habit>,
    /// The partition that it looks after first.
    start: usize,
}

impl Blocking for Aggregation {
    type Lane = Lane;
    type Item = Vec<Arc<Block>>;
    /// Blocks so far.
    type Kept = u64;
    type Part = Part;

    fn lane(&self, _input: usize) -> Result<Lane> {
        // Lanes begin far from each other.
        let start = self.lanes.fetch_add(1, Ordering::Relaxed).wrapping_mul(11) % PARTITIONS;
        Ok(Lane { habits: self.groupings.iter().map(|_| Habit::default()).collect(), start })
    }

    fn take(&self, lane: &mut Lane, batch: Batch) -> Result<Vec<Arc<Block>>> {
        if self.queued.load(Ordering::Relaxed) >= QUEUED {
            self.queued.store(0, Ordering::Relaxed);
            self.look_after(lane.start)?;
        }
        let blocks = self.groupings.iter().zip(&mut lane.habits);
        blocks.map(|(g, habit)| Block::new(&g.keys, &g.aggregates, &batch, habit).map(Arc::new)).collect()
    }

    fn keep(&self, blocks: &mut u64, item: Vec<Arc<Block>>) -> Result<()> {
        for (partitions, block) in self.partitions.iter().zip(item) {
            for (place, partition) in partitions.iter().enumerate() {
                if !block.entries.of(place).is_empty() {
                    lock(&partition.queue).push_back((*blocks, block.clone()));
                }
            }
        }
        *blocks += 1;
        self.queued.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn seal(&self, inputs: Vec<Sealed<Lane, u64>>) -> Result<Parts<Part>> {
        self.cx.services.cancel.check()?;
        let blocks: u64 = inputs.iter().map(|input| input.kept).sum();
        // What lanes keep between batches is given back before the tables are put in order.
        inputs.into_iter().for_each(|input| drop(input.lanes));
        if blocks > 0 {
            self.settle()?;
        }
        let parts = (0..self.groupings.len()).map(|g| self.finished(g)).collect::<Result<Vec<_>>>()?;
        Ok(Box::new(parts.into_iter().flatten()))
    }

    fn emit(&self, seq: u64, part: Part, out: &mut Ports) -> Result<()> {
        let grouping = &self.groupings[part.grouping];
        let (rows, columns) = match part.rows {
            PartRows::Columns(rows, columns) => (rows, columns),
            PartRows::Tables(tables, ranges) => {
                let tables: Vec<&Table> = tables.iter().map(|(t, _)| t).collect();
                let groups = ranges.iter().flat_map(|(table, from, to)| (*from..*to).map(|group| (*table, group)));
                let mut order: Vec<(u64, u32, u32)> =
                    groups.map(|(t, g)| (tables[t as usize].first[g as usize], t, g)).collect();
                order.sort_unstable();
                let order: Vec<(u32, u32)> = order.into_iter().map(|(_, table, group)| (table, group)).collect();
                (order.len(), grouping.columns(&tables, &order)?)
            }
        };
        out.put(grouping.port, Batch::new(seq, rows, columns));
        Ok(())
    }
}
