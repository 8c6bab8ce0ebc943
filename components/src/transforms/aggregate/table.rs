//! The groups of one partition.

use super::accumulate::{Aggregate, State};
use super::encode::KeyPlan;
use super::groups::{Groups, Keys};
use dtsx_engine::diag::Result;

/// Some groups, in the order in which they first came, and what each gathered.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) groups: Groups,
    /// By group: where its first row stood in the input. Ascending.
    pub(super) first: Vec<u64>,
    /// By aggregate.
    pub(super) states: Vec<State>,
    fresh: Vec<u32>,
    numbers: Vec<u32>,
}

impl Table {
    /// A table without groups.
    pub(super) fn new(keys: &KeyPlan, aggregates: &[Aggregate]) -> Table {
        Table {
            groups: Groups::new(&keys.none()),
            first: Vec::new(),
            states: aggregates.iter().map(Aggregate::state).collect(),
            fresh: Vec::new(),
            numbers: Vec::new(),
        }
    }

    /// The numbers of the groups of `entries` of `keys`; new ones begin, at the place that `first` tells.
    ///
    /// # Errors
    /// Too many keys.
    pub(super) fn find(
        &mut self,
        keys: &Keys,
        hashes: &[u64],
        entries: &[u32],
        first: impl Fn(u32) -> u64,
    ) -> Result<Vec<u32>> {
        let mut numbers = std::mem::take(&mut self.numbers);
        numbers.clear();
        self.fresh.clear();
        self.groups.find(keys, hashes, entries, &mut numbers, &mut self.fresh)?;
        if !self.fresh.is_empty() {
            self.first.extend(self.fresh.iter().map(|entry| first(*entry)));
            let groups = self.groups.len();
            self.states.iter_mut().for_each(|s| s.resize(groups));
        }
        Ok(numbers)
    }

    /// Takes back what [`Table::find`] gave, for the next time.
    pub(super) fn give_back(&mut self, numbers: Vec<u32>) {
        self.numbers = numbers;
    }

    /// Bytes held, with the room that grows with doubling.
    pub(super) fn heap(&self) -> usize {
        let width = self.states.iter().map(State::width).sum::<usize>();
        let states = self.states.iter().map(State::heap).sum::<usize>();
        self.groups.heap() + states + width * self.first.len() + 8 * self.first.capacity()
    }

    /// Bytes needed more, if all of these keys are new; vectors that grow are held twice for a moment.
    pub(super) fn growth(&self, keys: &Keys, entries: &[u32]) -> usize {
        let width = self.states.iter().map(State::width).sum::<usize>();
        let room = self.first.capacity() - self.first.len();
        let first = if entries.len() > room { 16 * (self.first.len() + entries.len()) } else { 0 };
        let held = if entries.len() > room { self.groups.keys.heap() } else { 0 };
        self.groups.growth(entries.len()) + 2 * keys.size_of(entries) + held + first + width * entries.len()
    }
}
