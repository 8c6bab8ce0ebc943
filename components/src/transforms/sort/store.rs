//! What a sort holds between its input and its output.

use super::rows::{RowBlock, RowLayout};
use super::runs::{self, Run};
use crate::shared::sort_keys::{KEY, KeyColumn, Keys, Tails};
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::flow::Waker;
use dtsx_engine::memory::{Reservation, SpillManager};
use dtsx_engine::run::Services;
use std::cmp::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bits of an entry that say which row of its block it is.
const ROW_BITS: u32 = 14;
/// Rows that a block may hold.
pub(super) const BLOCK_ROWS: usize = 1 << ROW_BITS;
/// Blocks that entries can tell apart.
const BLOCKS: usize = 1 << (u32::BITS - ROW_BITS);
/// Blocks with fewer rows are put together.
const SMALL: usize = BLOCK_ROWS / 8;

/// What a sort does, decided when it was bound.
pub(super) struct Plan {
    pub(super) keys: Vec<KeyColumn>,
    pub(super) rows: RowLayout,
    pub(super) distinct: bool,
    pub(super) output: usize,
}

/// Rows with their keys. The entries are in the order in which the rows came.
#[derive(Default)]
pub(super) struct Chunk {
    pub(super) keys: Keys,
    pub(super) block: RowBlock,
}

impl Chunk {
    pub(super) fn rows(&self) -> usize {
        self.keys.prefix.len()
    }

    /// Bytes, with room to rearrange the entries.
    pub(super) fn memory(&self) -> usize {
        self.block.memory() + 2 * size_of_val(&self.keys.prefix[..]) + self.keys.tails.as_ref().map_or(0, Tails::memory)
    }
}

/// A row of the blocks in memory: the beginning of its key, and where it is.
pub(super) type Entry = u128;

pub(super) fn entry(prefix: u128, block: usize, row: usize) -> Entry {
    prefix | (block << ROW_BITS | row) as u128
}

/// The block and the row of an entry.
pub(super) fn place(entry: Entry) -> (u32, u32) {
    let id = entry as u32;
    (id >> ROW_BITS, id & (BLOCK_ROWS as u32 - 1))
}

/// Blocks in memory, and what of their keys the entries do not hold.
#[derive(Default)]
pub(super) struct Blocks {
    pub(super) blocks: Vec<RowBlock>,
    pub(super) tails: Vec<Option<Tails>>,
    /// Whether any row has a tail.
    pub(super) tailed: bool,
}

impl Blocks {
    /// Takes chunks apart: blocks, and the entries of their rows.
    pub(super) fn of(chunks: Vec<Chunk>) -> (Blocks, Vec<Vec<Entry>>) {
        let mut blocks = Blocks::default();
        let mut entries = Vec::with_capacity(chunks.len());
        for (index, chunk) in chunks.into_iter().enumerate() {
            let Chunk { keys: Keys { mut prefix, tails }, block } = chunk;
            prefix.iter_mut().enumerate().for_each(|(row, e)| *e = entry(*e, index, row));
            entries.push(prefix);
            blocks.tailed |= tails.is_some();
            blocks.tails.push(tails);
            blocks.blocks.push(block);
        }
        (blocks, entries)
    }

    pub(super) fn tail(&self, entry: Entry) -> &[u8] {
        let (block, row) = place(entry);
        self.tails[block as usize].as_ref().map_or(&[], |tails| tails.of(row as usize))
    }

    /// The order of two rows by their keys alone.
    pub(super) fn compare_keys(&self, a: Entry, b: Entry) -> Ordering {
        let order = (a & KEY).cmp(&(b & KEY));
        if self.tailed { order.then_with(|| self.tail(a).cmp(self.tail(b))) } else { order }
    }

    /// Sorts entries; equal keys by the order in which the rows came.
    pub(super) fn sort(&self, entries: &mut [Entry]) {
        if self.tailed {
            entries.sort_unstable_by(|a, b| self.compare_keys(*a, *b).then(a.cmp(b)));
        } else {
            entries.sort_unstable();
        }
    }

    /// Keeps the first of the entries with equal keys.
    pub(super) fn distinct(&self, entries: &mut Vec<Entry>) {
        entries.dedup_by(|later, first| self.compare_keys(*later, *first) == Ordering::Equal);
    }
}

/// What stands between input and output.
pub(super) struct Store {
    pub(super) plan: Arc<Plan>,
    pub(super) spill: Arc<SpillManager>,
    limit: Option<usize>,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) chunks: Vec<Chunk>,
    pub(super) runs: Vec<Run>,
    pub(super) memory: Reservation,
    /// Inputs that were opened and have not ended.
    pub(super) open: usize,
    /// The output, waiting for the end of the input.
    pub(super) output: Option<Waker>,
}

impl Store {
    pub(super) fn new(plan: Arc<Plan>, services: &Services) -> Store {
        let state = State {
            chunks: Vec::new(),
            runs: Vec::new(),
            memory: services.memory.reservation(),
            open: 0,
            output: None,
        };
        Store { plan, spill: services.spill.clone(), limit: services.memory.limit(), state: Mutex::new(state) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the rows that came next, and writes the oldest ones away when there is no room.
    pub(super) fn take(&self, chunk: Chunk) -> Result<()> {
        let mut state = self.lock();
        let needed = chunk.memory();
        if !state.memory.try_grow(needed) {
            self.spill(&mut state, needed)?;
            if !state.memory.try_grow(needed) {
                // Others hold the budget; without this block there is no going on.
                state.memory.force(needed);
            }
        }
        match state.chunks.last_mut() {
            Some(last) if chunk.rows() < SMALL && last.rows() + chunk.rows() <= BLOCK_ROWS && last.joins(&chunk) => {
                let before = last.memory();
                last.append(&chunk, &self.plan.rows);
                let after = last.memory();
                state.memory.shrink((before + needed).saturating_sub(after));
                state.memory.force(after.saturating_sub(before + needed));
            }
            _ => {
                state.chunks.push(chunk);
                if state.chunks.len() == BLOCKS {
                    self.spill(&mut state, usize::MAX)?;
                }
            }
        }
        Ok(())
    }

    /// Writes the oldest chunks away as a sorted run: enough for `needed` bytes, and not too few, as every run costs when
    /// they are merged.
    fn spill(&self, state: &mut State, needed: usize) -> Result<()> {
        let aim = needed.max(self.limit.unwrap_or(0) / 4);
        let mut freed = 0;
        let mut count = 0;
        while count < state.chunks.len() && freed < aim {
            freed += state.chunks[count].memory();
            count += 1;
        }
        if count == 0 {
            return Ok(());
        }
        let rest = state.chunks.split_off(count);
        let chunks = std::mem::replace(&mut state.chunks, rest);
        state.runs.push(runs::write(&self.plan, &self.spill, chunks)?);
        state.memory.shrink(freed);
        Ok(())
    }

    /// Ends one input.
    pub(super) fn close(&self) {
        let output = {
            let mut state = self.lock();
            state.open -= 1;
            state.output.take()
        };
        if let Some(output) = output {
            output.wake();
        }
    }

    /// Lets go of everything.
    pub(super) fn clear(&self) {
        let mut state = self.lock();
        state.chunks = Vec::new();
        state.runs = Vec::new();
        let held = state.memory.bytes();
        state.memory.shrink(held);
    }
}

impl Chunk {
    /// Whether the heaps together are small enough to be one.
    fn joins(&self, other: &Chunk) -> bool {
        self.block.heap.len() + other.block.heap.len() < 1 << 24
    }

    fn append(&mut self, other: &Chunk, layout: &RowLayout) {
        if self.keys.tails.is_some() || other.keys.tails.is_some() {
            let rows = self.rows();
            let tails = self.keys.tails.get_or_insert_with(|| Tails { ends: vec![0; rows], bytes: Vec::new() });
            (0..other.rows()).for_each(|row| tails.push(other.keys.tail(row)));
        }
        self.keys.prefix.extend_from_slice(&other.keys.prefix);
        (0..other.rows()).for_each(|row| layout.copy(&other.block, row, &mut self.block));
    }
}

/// The error of a block or morsel that another component made.
pub(super) fn foreign() -> Error {
    Error::internal("a block of another component")
}
