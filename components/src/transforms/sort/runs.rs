//! Sorted runs on disk, and merging them.

use super::rows::RowBlock;
use super::store::{Blocks, Chunk, Entry, Plan, foreign, place};
use crate::shared::sort_keys::{KEY, Tails};
use dtsx_engine::diag::Result;
use dtsx_engine::memory::{BlockFile, BlockReader, BlockWriter, SpillManager};
use std::cmp::Ordering;
use std::sync::Arc;

/// Bytes of rows in a block of a run, about: what is held of each run while they are merged.
const BLOCK: usize = 1 << 17;
/// Runs that are merged at once.
pub(super) const FAN_IN: usize = 48;

/// Rows on disk, sorted.
pub(super) struct Run {
    file: BlockFile,
}

/// Writes chunks away, sorted.
pub(super) fn write(plan: &Plan, spill: &SpillManager, chunks: Vec<Chunk>) -> Result<Run> {
    let (blocks, entries) = Blocks::of(chunks);
    let mut entries = entries.concat();
    blocks.sort(&mut entries);
    if plan.distinct {
        blocks.distinct(&mut entries);
    }
    let mut out = RunWriter::new(plan, spill.blocks()?);
    for entry in entries {
        let (block, row) = place(entry);
        out.push(entry & KEY, blocks.tail(entry), &blocks.blocks[block as usize], row as usize)?;
    }
    out.finish()
}

/// Merges runs that follow each other into one.
pub(super) fn join(plan: &Plan, spill: &SpillManager, runs: &[Run]) -> Result<Run> {
    let mut merger = Merger::new(plan, runs, None)?;
    let mut out = RunWriter::new(plan, spill.blocks()?);
    while let Some(at) = merger.next()? {
        let source = &merger.sources[at];
        out.push(source.prefix, source.tail(), source.block(), source.row())?;
        merger.advance(at)?;
    }
    out.finish()
}

struct RunWriter<'a> {
    plan: &'a Plan,
    out: BlockWriter,
    prefixes: Vec<u128>,
    tails: Tails,
    rows: RowBlock,
    bytes: Vec<u8>,
}

impl<'a> RunWriter<'a> {
    fn new(plan: &'a Plan, out: BlockWriter) -> RunWriter<'a> {
        let (rows, tails) = (RowBlock::default(), Tails::default());
        RunWriter { plan, out, prefixes: Vec::new(), tails, rows, bytes: Vec::new() }
    }

    fn push(&mut self, prefix: u128, tail: &[u8], block: &RowBlock, row: usize) -> Result<()> {
        self.prefixes.push(prefix);
        self.tails.push(tail);
        self.plan.rows.copy(block, row, &mut self.rows);
        if self.rows.fixed.len() + self.rows.heap.len() + self.tails.bytes.len() >= BLOCK {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let bytes = &mut self.bytes;
        bytes.clear();
        for number in [self.prefixes.len(), self.tails.bytes.len(), self.rows.fixed.len(), self.rows.heap.len()] {
            bytes.extend_from_slice(&(number as u64).to_le_bytes());
        }
        self.prefixes.iter().for_each(|prefix| bytes.extend_from_slice(&prefix.to_le_bytes()[4..]));
        if !self.tails.bytes.is_empty() {
            self.tails.ends.iter().for_each(|end| bytes.extend_from_slice(&end.to_le_bytes()));
            bytes.extend_from_slice(&self.tails.bytes);
        }
        bytes.extend_from_slice(&self.rows.fixed);
        bytes.extend_from_slice(&self.rows.heap);
        self.out.write(bytes)?;
        self.prefixes.clear();
        self.tails.ends.clear();
        self.tails.bytes.clear();
        self.rows.fixed.clear();
        self.rows.heap.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Run> {
        if !self.prefixes.is_empty() {
            self.flush()?;
        }
        Ok(Run { file: self.out.finish()? })
    }
}

/// A block of a run in memory.
#[derive(Default)]
struct Loaded {
    prefixes: Vec<u128>,
    tails: Option<Tails>,
    rows: Arc<RowBlock>,
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(bytes).ok_or_else(foreign)?;
        self.0 = rest;
        Ok(head)
    }

    fn number(&mut self) -> Result<usize> {
        let mut number = [0; 8];
        number.copy_from_slice(self.take(8)?);
        Ok(u64::from_le_bytes(number) as usize)
    }
}

fn parse(bytes: &[u8]) -> Result<Loaded> {
    let mut bytes = Cursor(bytes);
    let (rows, tails, fixed, heap) = (bytes.number()?, bytes.number()?, bytes.number()?, bytes.number()?);
    let prefix = |bytes: &[u8]| {
        let mut prefix = [0; 16];
        prefix[4..].copy_from_slice(bytes);
        u128::from_le_bytes(prefix)
    };
    let prefixes = bytes.take(12 * rows)?.chunks_exact(12).map(prefix).collect();
    let tails = if tails == 0 {
        None
    } else {
        let end = |bytes: &[u8]| bytes.iter().rev().fold(0u32, |end, byte| end << 8 | u32::from(*byte));
        let ends = bytes.take(4 * rows)?.chunks_exact(4).map(end).collect();
        Some(Tails { ends, bytes: bytes.take(tails)?.to_vec() })
    };
    let rows = RowBlock { fixed: bytes.take(fixed)?.to_vec(), heap: bytes.take(heap)?.to_vec() };
    Ok(Loaded { prefixes, tails, rows: Arc::new(rows) })
}

/// Rows in memory that are merged with runs.
pub(super) struct Remainder {
    pub(super) blocks: Blocks,
    pub(super) order: Vec<Entry>,
}

/// A sorted sequence, and where it stands.
pub(super) struct Source {
    from: From,
    at: usize,
    prefix: u128,
}

enum From {
    Disk { reader: BlockReader, buffer: Vec<u8>, loaded: Loaded },
    Memory(Arc<Remainder>),
}

impl Source {
    fn tail(&self) -> &[u8] {
        match &self.from {
            From::Disk { loaded, .. } => loaded.tails.as_ref().map_or(&[], |tails| tails.of(self.at)),
            From::Memory(rest) if rest.blocks.tailed => rest.blocks.tail(rest.order[self.at]),
            From::Memory(_) => &[],
        }
    }

    fn block(&self) -> &RowBlock {
        match &self.from {
            From::Disk { loaded, .. } => &loaded.rows,
            From::Memory(rest) => &rest.blocks.blocks[place(rest.order[self.at]).0 as usize],
        }
    }

    fn row(&self) -> usize {
        match &self.from {
            From::Disk { .. } => self.at,
            From::Memory(rest) => place(rest.order[self.at]).1 as usize,
        }
    }

    /// Makes the row at `at` the present one, reading on if need be; false at the end.
    fn settle(&mut self) -> Result<bool> {
        match &mut self.from {
            From::Disk { reader, buffer, loaded } => {
                if self.at == loaded.prefixes.len() {
                    if !reader.read(buffer)? {
                        return Ok(false);
                    }
                    *loaded = parse(buffer)?;
                    self.at = 0;
                }
                self.prefix = loaded.prefixes[self.at];
            }
            From::Memory(rest) => match rest.order.get(self.at) {
                Some(entry) => self.prefix = entry & KEY,
                None => return Ok(false),
            },
        }
        Ok(true)
    }
}

/// A row of the output of a merge.
pub(super) struct Merged {
    /// Blocks of runs that [`Merged::picks`] name.
    pub(super) blocks: Vec<Arc<RowBlock>>,
    /// Rows by block and place; a block with the top bit set is one in memory.
    pub(super) picks: Vec<(u32, u32)>,
}

/// In a pick: the block is one in memory.
pub(super) const IN_MEMORY: u32 = 1 << 31;

/// Merges sorted sequences. Of equal keys those of the earlier sequence come first, which keeps the order in which rows
/// came.
pub(super) struct Merger {
    sources: Vec<Source>,
    /// A heap of sources, the one with the least row on top.
    heap: Vec<usize>,
    distinct: Option<(u128, Vec<u8>, bool)>,
}

impl Merger {
    pub(super) fn new(plan: &Plan, runs: &[Run], rest: Option<Arc<Remainder>>) -> Result<Merger> {
        let mut sources = Vec::with_capacity(runs.len() + 1);
        for run in runs {
            let from = From::Disk { reader: run.file.read()?, buffer: Vec::new(), loaded: Loaded::default() };
            sources.push(Source { from, at: 0, prefix: 0 });
        }
        sources.extend(rest.map(|rest| Source { from: From::Memory(rest), at: 0, prefix: 0 }));
        let distinct = plan.distinct.then(|| (0, Vec::new(), false));
        let mut merger = Merger { heap: Vec::with_capacity(sources.len()), sources, distinct };
        for at in 0..merger.sources.len() {
            if merger.sources[at].settle()? {
                merger.heap.push(at);
            }
        }
        (0..merger.heap.len() / 2).rev().for_each(|at| merger.sift(at));
        Ok(merger)
    }

    fn less(&self, a: usize, b: usize) -> bool {
        let (x, y) = (&self.sources[a], &self.sources[b]);
        let order = x.prefix.cmp(&y.prefix).then_with(|| x.tail().cmp(y.tail()));
        order.then(a.cmp(&b)) == Ordering::Less
    }

    fn sift(&mut self, mut at: usize) {
        loop {
            let mut least = 2 * at + 1;
            if least >= self.heap.len() {
                return;
            }
            if least + 1 < self.heap.len() && self.less(self.heap[least + 1], self.heap[least]) {
                least += 1;
            }
            if !self.less(self.heap[least], self.heap[at]) {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }

    /// The source of the next row; call [`Merger::advance`] when it was taken.
    fn next(&mut self) -> Result<Option<usize>> {
        while let Some(at) = self.heap.first().copied() {
            let Some((prefix, tail, some)) = &mut self.distinct else { return Ok(Some(at)) };
            let source = &self.sources[at];
            if *some && *prefix == source.prefix && tail == source.tail() {
                self.advance(at)?;
                continue;
            }
            *prefix = source.prefix;
            tail.clear();
            tail.extend_from_slice(source.tail());
            *some = true;
            return Ok(Some(at));
        }
        Ok(None)
    }

    fn advance(&mut self, at: usize) -> Result<()> {
        self.sources[at].at += 1;
        if !self.sources[at].settle()? {
            self.heap.swap_remove(0);
        }
        self.sift(0);
        Ok(())
    }

    /// The next rows, at most `rows`; empty at the end.
    pub(super) fn take(&mut self, rows: usize) -> Result<Merged> {
        let mut merged = Merged { blocks: Vec::new(), picks: Vec::with_capacity(rows) };
        // By source, the number of the block among those of the batch from which its last row came.
        let mut known: Vec<Option<u32>> = vec![None; self.sources.len()];
        while merged.picks.len() < rows {
            let Some(at) = self.next()? else { break };
            let source = &self.sources[at];
            match &source.from {
                From::Memory(rest) => {
                    let (block, row) = place(rest.order[source.at]);
                    merged.picks.push((block | IN_MEMORY, row));
                }
                From::Disk { loaded, .. } => {
                    // The source may have gone on to another block since, with a row that left or was left out.
                    let here = |block: &u32| Arc::ptr_eq(&merged.blocks[*block as usize], &loaded.rows);
                    let block = known[at].filter(here).unwrap_or_else(|| {
                        merged.blocks.push(loaded.rows.clone());
                        merged.blocks.len() as u32 - 1
                    });
                    known[at] = Some(block);
                    merged.picks.push((block, source.at as u32));
                }
            }
            self.advance(at)?;
        }
        Ok(merged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::sort_keys::{KeyColumn, KeyEncoder};
    use crate::transforms::sort::rows::RowLayout;
    use arrow::array::{ArrayRef, AsArray, Int64Array, StringViewArray};
    use arrow::datatypes::Int64Type;
    use dtsx_engine::types::DataType;
    use foldhash::fast::FixedState;
    use std::collections::BTreeMap;
    use std::hash::BuildHasher;

    #[test]
    fn of_runs_that_share_keys_the_first_row_of_each_key_leaves() {
        let temp = tempfile::tempdir().unwrap();
        let spill = SpillManager::new(Some(temp.path().to_owned()));
        let columns = [(0, DataType::I8), (1, DataType::WStr { len: 4000 })];
        let key = KeyColumn { slot: 0, data_type: DataType::I8, descending: false, collation: None };
        let plan = Plan { keys: vec![key], rows: RowLayout::new(&columns), distinct: true, output: 0 };
        let mut encoder = KeyEncoder::new(plan.keys.clone());
        // A row takes so much room that a run has many blocks; each run has half of all keys.
        let text = |run: u64, key: i64| format!("{key} of run {run}{}", " ".repeat(900));
        let has = |run: u64, key: i64| FixedState::with_seed(run).hash_one(key).is_multiple_of(2);
        let mut expected: BTreeMap<i64, String> = BTreeMap::new();
        let mut chunk = |run: u64| {
            let keys: Vec<i64> = (0..1500).rev().filter(|key| has(run, *key)).collect();
            let rows = keys.len();
            for key in &keys {
                expected.entry(*key).or_insert_with(|| text(run, *key));
            }
            let texts = StringViewArray::from_iter_values(keys.iter().map(|key| text(run, *key)));
            let columns: [ArrayRef; 2] = [Arc::new(Int64Array::from(keys)), Arc::new(texts)];
            let block = plan.rows.write(&columns, 0, rows).unwrap();
            Chunk { keys: encoder.encode(&columns, rows).unwrap(), block }
        };
        let runs: Vec<Run> = (0..6).map(|run| write(&plan, &spill, vec![chunk(run)]).unwrap()).collect();
        let joined = [join(&plan, &spill, &runs[..3]).unwrap(), join(&plan, &spill, &runs[3..]).unwrap()];
        for batch in [1, 16, 8192] {
            for runs in [&runs[..], &joined] {
                let mut merger = Merger::new(&plan, runs, None).unwrap();
                let mut found = Vec::new();
                loop {
                    let merged = merger.take(batch).unwrap();
                    if merged.picks.is_empty() {
                        break;
                    }
                    let rows = plan.rows.gather(&merged.picks, |block| &*merged.blocks[block as usize]).unwrap();
                    let (keys, texts) = (rows[0].as_primitive::<Int64Type>(), rows[1].as_string_view());
                    found.extend((0..keys.len()).map(|row| (keys.value(row), texts.value(row).to_owned())));
                }
                assert!(found.iter().map(|(key, text)| (key, text)).eq(&expected), "batches of {batch}");
            }
        }
    }
}
