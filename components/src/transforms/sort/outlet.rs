//! The output of a sort: when every row is there, lanes sort ranges of keys and gather the rows.

use super::runs::{self, FAN_IN, IN_MEMORY, Merged, Merger, Remainder};
use super::store::{Blocks, Entry, Store, foreign, place};
use crate::shared::sort_keys::KEY;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::Result;
use dtsx_engine::flow::{Decode, Fetch, Layout, Morsel, OpenCx, Ports, Source, Step, Waker};
use std::sync::atomic::{AtomicUsize, Ordering as Atomic};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Rows of a batch of the output, and their bytes: what a lane gathers stays in its cache.
const BATCH_ROWS: usize = 8192;
const BATCH_BYTES: usize = 1 << 20;
/// Entries that are cut into ranges at a time.
const GROUP: usize = 1 << 18;
/// Entries that are looked at for each range to be cut.
const SAMPLE: usize = 32;

pub(super) struct Outlet {
    pub(super) store: Arc<Store>,
}

impl Source for Outlet {
    fn open(&self, _cx: &OpenCx) -> Result<Box<dyn Fetch>> {
        Ok(Box::new(Outflow { store: self.store.clone(), phase: Phase::Waiting }))
    }

    fn decoder(&self, _cx: &OpenCx, _outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Lane { store: self.store.clone() }))
    }
}

struct Outflow {
    store: Arc<Store>,
    phase: Phase,
}

enum Phase {
    /// For the last row of the input.
    Waiting,
    /// Keys are cut into ranges.
    Cutting { ranges: Arc<Ranges>, group: usize },
    /// Ranges are sorted.
    Sorting { ranges: Arc<Ranges>, range: usize },
    /// Runs are merged.
    Merging { merger: Merger, rest: Arc<Remainder>, rows: usize },
}

/// Work for a lane.
enum Work {
    Cut(Arc<Ranges>, usize),
    Sort(Arc<Ranges>, usize),
    Gather(Merged, Arc<Remainder>),
}

/// The entries of all rows, to be cut into ranges, each of them a batch.
struct Ranges {
    blocks: Blocks,
    /// Rows with equal keys meet in one range.
    distinct: bool,
    /// Entries of several blocks each.
    groups: Vec<Mutex<Vec<Vec<Entry>>>>,
    /// The first key of each range but the first.
    bounds: Vec<Entry>,
    /// By group, its entries by range, and where each range ends.
    cut: Vec<OnceLock<(Vec<Entry>, Vec<u32>)>>,
    left: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Ranges {
    fn new(blocks: Blocks, entries: Vec<Vec<Entry>>, rows: usize, distinct: bool) -> Ranges {
        let total: usize = entries.iter().map(Vec::len).sum();
        let bounds = bounds(&blocks, &entries, total, rows, distinct);
        let mut groups: Vec<Vec<Vec<Entry>>> = Vec::new();
        let mut room = 0;
        for part in entries {
            if part.len() > room {
                groups.push(Vec::new());
                room = GROUP;
            }
            room = room.saturating_sub(part.len());
            if let Some(group) = groups.last_mut() {
                group.push(part);
            }
        }
        Ranges {
            blocks,
            distinct,
            cut: groups.iter().map(|_| OnceLock::new()).collect(),
            left: AtomicUsize::new(groups.len()),
            groups: groups.into_iter().map(Mutex::new).collect(),
            bounds,
            waker: Mutex::new(None),
        }
    }

    fn count(&self) -> usize {
        self.bounds.len() + 1
    }

    /// Puts the entries of a group in the order of their ranges.
    fn cut(&self, group: usize) {
        let entries = std::mem::take(&mut *self.groups[group].lock().unwrap_or_else(PoisonError::into_inner));
        let cut = if self.bounds.is_empty() {
            let entries = entries.concat();
            let ends = vec![entries.len() as u32];
            (entries, ends)
        } else {
            let keyed = |bound: &Entry, entry: Entry| self.blocks.compare_keys(*bound, entry);
            let range = |entry: &Entry| -> u32 {
                let range = match (self.blocks.tailed, self.distinct) {
                    (false, _) => self.bounds.partition_point(|bound| *bound <= *entry),
                    (true, true) => self.bounds.partition_point(|bound| keyed(bound, *entry).is_le()),
                    (true, false) => {
                        self.bounds.partition_point(|bound| keyed(bound, *entry).then(bound.cmp(entry)).is_le())
                    }
                };
                range as u32
            };
            let ranges: Vec<u32> = entries.iter().flatten().map(range).collect();
            let mut ends = vec![0u32; self.count()];
            ranges.iter().for_each(|range| ends[*range as usize] += 1);
            let mut start = 0;
            for end in &mut ends {
                (start, *end) = (start + *end, start);
            }
            let mut sorted = vec![0; ranges.len()];
            for (entry, range) in entries.iter().flatten().zip(&ranges) {
                let at = &mut ends[*range as usize];
                sorted[*at as usize] = *entry;
                *at += 1;
            }
            (sorted, ends)
        };
        // Each group is cut once.
        let _ = self.cut[group].set(cut);
        if self.left.fetch_sub(1, Atomic::SeqCst) == 1
            && let Some(waker) = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            waker.wake();
        }
    }

    /// The entries of a range, sorted.
    fn range(&self, range: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (cut, ends) in self.cut.iter().filter_map(OnceLock::get) {
            let start = if range == 0 { 0 } else { ends[range - 1] as usize };
            entries.extend_from_slice(&cut[start..ends[range] as usize]);
        }
        self.blocks.sort(&mut entries);
        if self.distinct {
            self.blocks.distinct(&mut entries);
        }
        entries
    }
}

/// Keys that cut all rows into ranges of about `rows`, from a sample. Equal keys may be cut apart, unless they are to meet.
fn bounds(blocks: &Blocks, entries: &[Vec<Entry>], total: usize, rows: usize, distinct: bool) -> Vec<Entry> {
    let ranges = total.div_ceil(rows.max(1));
    if ranges < 2 {
        return Vec::new();
    }
    let step = (total / (ranges * SAMPLE)).max(1);
    let mut sample: Vec<Entry> = entries.iter().flatten().step_by(step).copied().collect();
    blocks.sort(&mut sample);
    let mut bounds: Vec<Entry> = (1..ranges).map(|range| sample[range * sample.len() / ranges]).collect();
    if distinct && !blocks.tailed {
        // A key without a row's number comes before all rows that have it.
        bounds.iter_mut().for_each(|bound| *bound &= KEY);
    }
    bounds.dedup();
    bounds
}

impl Fetch for Outflow {
    fn fetch(&mut self, waker: &Waker) -> Result<Step<Morsel>> {
        loop {
            match &mut self.phase {
                Phase::Waiting => {
                    let mut state = self.store.lock();
                    if state.open > 0 {
                        state.output = Some(waker.clone());
                        return Ok(Step::Parked);
                    }
                    drop(state);
                    self.begin()?;
                }
                Phase::Cutting { ranges, group } => {
                    if *group < ranges.groups.len() {
                        *group += 1;
                        return Ok(Step::More(Box::new(Work::Cut(ranges.clone(), *group - 1))));
                    }
                    *ranges.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
                    if ranges.left.load(Atomic::SeqCst) > 0 {
                        return Ok(Step::Parked);
                    }
                    self.phase = Phase::Sorting { ranges: ranges.clone(), range: 0 };
                }
                Phase::Sorting { ranges, range } => {
                    if *range == ranges.count() {
                        return Ok(Step::Done);
                    }
                    *range += 1;
                    return Ok(Step::More(Box::new(Work::Sort(ranges.clone(), *range - 1))));
                }
                Phase::Merging { merger, rest, rows } => {
                    let merged = merger.take(*rows)?;
                    if merged.picks.is_empty() {
                        return Ok(Step::Done);
                    }
                    return Ok(Step::More(Box::new(Work::Gather(merged, rest.clone()))));
                }
            }
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.store.clear();
        Ok(())
    }
}

impl Outflow {
    /// Takes what the input left.
    fn begin(&mut self) -> Result<()> {
        let plan = &self.store.plan;
        let (chunks, mut runs) = {
            let mut state = self.store.lock();
            (std::mem::take(&mut state.chunks), std::mem::take(&mut state.runs))
        };
        let rows: usize = chunks.iter().map(super::store::Chunk::rows).sum();
        let bytes: usize = chunks.iter().map(|c| c.block.fixed.len() + c.block.heap.len()).sum();
        let rows = (rows * BATCH_BYTES).checked_div(bytes).unwrap_or(BATCH_ROWS).clamp(16, BATCH_ROWS);
        let (blocks, entries) = Blocks::of(chunks);
        if runs.is_empty() {
            let ranges = Arc::new(Ranges::new(blocks, entries, rows, plan.distinct));
            self.phase = Phase::Cutting { ranges, group: 0 };
            return Ok(());
        }
        while runs.len() > FAN_IN {
            let later = runs.split_off(FAN_IN);
            let joined = runs::join(plan, &self.store.spill, &runs)?;
            runs = std::iter::once(joined).chain(later).collect();
        }
        let mut order = entries.concat();
        blocks.sort(&mut order);
        if plan.distinct {
            blocks.distinct(&mut order);
        }
        let rest = Arc::new(Remainder { blocks, order });
        let merger = Merger::new(plan, &runs, Some(rest.clone()))?;
        self.phase = Phase::Merging { merger, rest, rows };
        Ok(())
    }
}

struct Lane {
    store: Arc<Store>,
}

impl Decode for Lane {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let plan = &self.store.plan;
        let (rows, columns) = match *morsel.downcast::<Work>().map_err(|_| foreign())? {
            Work::Cut(ranges, group) => {
                ranges.cut(group);
                return Ok(());
            }
            Work::Sort(ranges, range) => {
                let entries = ranges.range(range);
                let picks: Vec<(u32, u32)> = entries.into_iter().map(place).collect();
                (picks.len(), plan.rows.gather(&picks, |block| &ranges.blocks.blocks[block as usize])?)
            }
            Work::Gather(merged, rest) => {
                let block = |block: u32| match block & IN_MEMORY {
                    0 => &*merged.blocks[block as usize],
                    _ => &rest.blocks.blocks[(block & !IN_MEMORY) as usize],
                };
                (merged.picks.len(), plan.rows.gather(&merged.picks, block)?)
            }
        };
        out.put(plan.output, Batch::new(seq, rows, columns));
        Ok(())
    }
}
