//! What a lane makes of a batch: its keys with what each gathers, sorted by the partition that has the key.
//!
//! A batch in which keys come again is *reduced*: a group of the batch stands for its rows. One in which they hardly do
//! keeps its rows. Both are taken by a [`Table`] in the order of the batches, so that nothing of this shows.

use super::accumulate::{Aggregate, Input, State};
use super::encode::KeyPlan;
use super::groups::{Groups, Keys};
use super::table::Table;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::Result;

/// Partitions of the groups of an output, by their keys' hashes: enough that the lanes find one that is free, and that
/// one of them is little.
pub(super) const PARTITIONS: usize = 32;

/// The partition of a key.
pub(super) fn partition(hash: u64) -> usize {
    (hash >> (64 - PARTITIONS.trailing_zeros())) as usize
}

/// Batches that are not reduced after one in which keys hardly came again.
const REST: u32 = 31;

/// What a lane knows of one output's rows.
#[derive(Default)]
pub(super) struct Habit {
    /// Batches to come that are not worth reducing.
    rest: u32,
    groups: Option<Groups>,
}

/// The rows of a batch, or of one partition of it.
pub(super) struct Block {
    /// By group of the batch, or by row.
    pub(super) keys: Keys,
    pub(super) hashes: Vec<u64>,
    pub(super) shape: Shape,
    /// By aggregate: the values of the rows, where they are needed.
    pub(super) inputs: Vec<Option<Input>>,
    /// The entries of `keys` of each partition.
    pub(super) entries: Scattered,
    /// The rows of each partition, where they are needed beside the entries.
    pub(super) rows: Option<Scattered>,
}

/// What the entries of a block stand for.
pub(super) enum Shape {
    /// Rows, in their order; where they stood in the batch, if some of its rows are not here.
    Rows(Option<Vec<u32>>),
    /// Groups: the first row of each, what each gathered (where that can be done in parts), and the group of each row
    /// (where rows are needed).
    Reduced { first: Vec<u32>, states: Vec<Option<State>>, group_of: Vec<u32> },
}

/// Numbers by partition.
pub(super) struct Scattered {
    places: Vec<u32>,
    ends: [u32; PARTITIONS],
}

impl Scattered {
    fn new(partitions: impl Iterator<Item = usize> + Clone) -> Scattered {
        let mut ends = [0u32; PARTITIONS];
        let mut rows = 0;
        for partition in partitions.clone() {
            ends[partition] += 1;
            rows += 1;
        }
        let mut at = 0;
        for end in &mut ends {
            (*end, at) = (at, at + *end);
        }
        let mut places = vec![0; rows];
        for (row, partition) in partitions.enumerate() {
            places[ends[partition] as usize] = row as u32;
            ends[partition] += 1;
        }
        Scattered { places, ends }
    }

    /// What belongs to a partition, ascending.
    pub(super) fn of(&self, partition: usize) -> &[u32] {
        let start = if partition == 0 { 0 } else { self.ends[partition - 1] };
        &self.places[start as usize..self.ends[partition] as usize]
    }
}

impl Block {
    /// Makes a block of a batch without selection.
    ///
    /// # Errors
    /// As the aggregates' inputs; too many keys.
    pub(super) fn new(keys: &KeyPlan, aggregates: &[Aggregate], batch: &Batch, habit: &mut Habit) -> Result<Block> {
        let keys = keys.encode(batch)?;
        let hashes = keys.hashes();
        let mut inputs = aggregates.iter().map(|a| a.input(batch).map(Some)).collect::<Result<Vec<_>>>()?;
        if habit.rest > 0 {
            habit.rest -= 1;
            return Ok(Block::of_rows(keys, hashes, inputs));
        }
        let all: Vec<u32> = (0..batch.rows as u32).collect();
        let groups = habit.groups.get_or_insert_with(|| Groups::new(&keys));
        let (mut group_of, mut first) = (Vec::new(), Vec::new());
        groups.find(&keys, &hashes, &all, &mut group_of, &mut first)?;
        let found = groups.take();
        if found.len() * 2 > batch.rows.max(16) {
            habit.rest = REST;
            return Ok(Block::of_rows(keys, hashes, inputs));
        }
        let mut states = Vec::with_capacity(aggregates.len());
        for (aggregate, input) in aggregates.iter().zip(&mut inputs) {
            if aggregate.needs_rows() {
                states.push(None);
            } else if let Some(input) = input.take() {
                let mut state = aggregate.state();
                state.resize(found.len());
                state.update(&group_of, &all, &input)?;
                states.push(Some(state));
            }
        }
        let group_hashes: Vec<u64> = first.iter().map(|row| hashes[*row as usize]).collect();
        let entries = Scattered::new(group_hashes.iter().map(|h| partition(*h)));
        let needs_rows = inputs.iter().any(Option::is_some);
        let rows = needs_rows.then(|| Scattered::new(hashes.iter().map(|h| partition(*h))));
        if !needs_rows {
            group_of = Vec::new();
        }
        let shape = Shape::Reduced { first, states, group_of };
        Ok(Block { keys: found, hashes: group_hashes, shape, inputs, entries, rows })
    }

    fn of_rows(keys: Keys, hashes: Vec<u64>, inputs: Vec<Option<Input>>) -> Block {
        let entries = Scattered::new(hashes.iter().map(|h| partition(*h)));
        Block { keys, hashes, shape: Shape::Rows(None), inputs, entries, rows: None }
    }

    /// The part of a partition on its own, if there is one: what is written to disk.
    pub(super) fn piece(&self, partition: usize) -> Option<Block> {
        let entries = self.entries.of(partition);
        if entries.is_empty() {
            return None;
        }
        let rows = self.rows.as_ref().map(|r| r.of(partition));
        let values_of = rows.unwrap_or(entries);
        let inputs = self.inputs.iter().map(|i| i.as_ref().map(|i| i.select(values_of))).collect();
        let shape = match &self.shape {
            Shape::Rows(_) => Shape::Rows(Some(entries.to_vec())),
            Shape::Reduced { first, states, group_of } => {
                let mut place = vec![0; self.keys.len()];
                entries.iter().enumerate().for_each(|(i, entry)| place[*entry as usize] = i as u32);
                Shape::Reduced {
                    first: entries.iter().map(|e| first[*e as usize]).collect(),
                    states: states.iter().map(|s| s.as_ref().map(|s| s.select(entries))).collect(),
                    group_of: rows.unwrap_or_default().iter().map(|r| place[group_of[*r as usize] as usize]).collect(),
                }
            }
        };
        Some(Block {
            keys: self.keys.select(entries),
            hashes: entries.iter().map(|e| self.hashes[*e as usize]).collect(),
            shape,
            inputs,
            entries: Scattered::all(entries.len()),
            rows: rows.map(|r| Scattered::all(r.len())),
        })
    }

    /// Puts what a partition has here into its table. `number` is the block's place in the order of the rows.
    ///
    /// # Errors
    /// Too many keys.
    pub(super) fn put(&self, partition: usize, number: u64, table: &mut Table) -> Result<()> {
        let entries = self.entries.of(partition);
        if entries.is_empty() {
            return Ok(());
        }
        let found = table.find(&self.keys, &self.hashes, entries, |entry| {
            let row = match &self.shape {
                Shape::Rows(None) => entry,
                Shape::Rows(Some(stood)) => stood[entry as usize],
                Shape::Reduced { first, .. } => first[entry as usize],
            };
            number << 32 | u64::from(row)
        })?;
        match &self.shape {
            Shape::Rows(_) => {
                for (state, input) in table.states.iter_mut().zip(&self.inputs) {
                    if let Some(input) = input {
                        state.update(&found, entries, input)?;
                    }
                }
            }
            Shape::Reduced { states, group_of, .. } => {
                for (state, reduced) in table.states.iter_mut().zip(states) {
                    if let Some(reduced) = reduced {
                        state.merge(&found, reduced, entries);
                    }
                }
                if let Some(rows) = &self.rows {
                    let mut number_of = vec![0; self.keys.len()];
                    entries.iter().zip(&found).for_each(|(entry, group)| number_of[*entry as usize] = *group);
                    let rows = rows.of(partition);
                    let groups: Vec<u32> = rows.iter().map(|r| number_of[group_of[*r as usize] as usize]).collect();
                    for (state, input) in table.states.iter_mut().zip(&self.inputs) {
                        if let Some(input) = input {
                            state.update(&groups, rows, input)?;
                        }
                    }
                }
            }
        }
        table.give_back(found);
        Ok(())
    }

    /// Bytes that a table may need more to take what a partition has here.
    pub(super) fn growth(&self, partition: usize, table: &Table) -> usize {
        let entries = self.entries.of(partition);
        let rows = self.rows.as_ref().map_or(entries, |r| r.of(partition));
        let values = table.states.iter().zip(&self.inputs).map(|(s, i)| s.growth(i.as_ref(), rows)).sum::<usize>();
        values + table.growth(&self.keys, entries)
    }
}

impl Scattered {
    /// So many entries, all in the first partition.
    pub(super) fn all(entries: usize) -> Scattered {
        Scattered { places: (0..entries as u32).collect(), ends: [entries as u32; PARTITIONS] }
    }
}
