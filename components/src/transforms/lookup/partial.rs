//! A Lookup that asks the database for each key that it does not know: partial cache, or none.
//!
//! ```text
//! lanes ── batches, in order ──▶ a thread of its own: cache, or a query a key ── found rows ──▶ lanes of the outputs
//! ```
//!
//! A query waits, so that the component is a stage: its input is a sink, its outputs a source. The database decides what
//! matches (its collation, its padding; `= NULL` matches nothing). The cache compares exactly, so that a key that differs
//! in letter case only is asked for again. The keys that are used least go first when the cache is full; keys without a
//! match have a part of it (NoMatchCachePercentage), and are not kept without.

use super::run::Plan;
use crate::db::{Canceller, Database, Lease, Param, StatementOptions};
use crate::shared::reference::NONE;
use crate::shared::reference::query::ReferenceQuery;
use arrow::array::{ArrayRef, UInt32Array, new_null_array};
use arrow::row::{RowConverter, SortField};
use dtsx_engine::batch::{Batch, RowOrigin};
use dtsx_engine::diag::{Error, Result, codes};
use dtsx_engine::events::Message;
use dtsx_engine::flow::{
    Block, Commit, Committed, Decode, Encode, Fetch, Layout, Morsel, OpenCx, Ports, RowRule, Sink, Slot, Source, Stage,
    StageEnds, Step, Waker,
};
use dtsx_engine::memory::Reservation;
use dtsx_engine::run::{CancelHook, Handover, OwnThread};
use dtsx_engine::types::{DataType, scalar};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Batches between the lanes and the thread, each way.
const QUEUE: usize = 4;
/// What an entry of the cache takes beside its key and row.
const ENTRY: usize = 128;

/// A Lookup without a full cache, ready to run any number of times.
pub(super) struct AskingLookup {
    pub plan: Arc<Plan>,
    pub ask: Arc<Ask>,
}

/// What the thread asks.
pub(super) struct Ask {
    pub reference: Arc<ReferenceQuery>,
    /// SqlCommandParam.
    pub command: String,
    /// The parameters: where the input has them, and their types.
    pub params: Vec<(Slot, DataType)>,
    /// Bytes for keys with a match; None: no cache, only the last match is kept.
    pub memory: Option<usize>,
    /// Bytes for keys without.
    pub no_match_memory: usize,
}

impl Stage for AskingLookup {
    fn open(&self, cx: &OpenCx, _inputs: &[Layout]) -> Result<StageEnds> {
        let (inbox, outbox) = (Handover::new(QUEUE), Handover::new(QUEUE));
        let sink: Arc<dyn Sink> = Arc::new(Inlet { inbox: inbox.clone() });
        let hooks = [inbox.cancelled_by(&cx.services.cancel), outbox.cancelled_by(&cx.services.cancel)];
        let outlet =
            Outlet { plan: self.plan.clone(), ask: self.ask.clone(), inbox, outbox, hooks: Mutex::new(Some(hooks)) };
        Ok((vec![sink], Arc::new(outlet)))
    }

    fn blocks(&self) -> bool {
        false
    }

    fn row_rule(&self) -> RowRule {
        RowRule::Once
    }
}

/// The input.
struct Inlet {
    inbox: Handover<Batch>,
}

impl Sink for Inlet {
    fn open(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Commit>> {
        Ok(Box::new(InletEnd { inbox: self.inbox.clone() }))
    }

    fn encoder(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(Pass))
    }
}

struct Pass;

impl Encode for Pass {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        Ok(Box::new(Batch { origin: RowOrigin::default(), ..batch }))
    }
}

struct InletEnd {
    inbox: Handover<Batch>,
}

impl Commit for InletEnd {
    fn commit(&mut self, block: Block, waker: &Waker) -> Result<Committed> {
        let batch = block.downcast::<Batch>().map_err(|_| Error::internal("a block of another component"))?;
        Ok(match self.inbox.offer(*batch, waker)? {
            Some(batch) => Committed::Parked(Box::new(batch)),
            None => Committed::Taken,
        })
    }

    fn finish(&mut self) -> Result<()> {
        self.inbox.end();
        Ok(())
    }

    fn abort(&mut self) {
        self.inbox.fail(Error::cancelled());
    }
}

/// A batch, and what was found for it.
struct Looked {
    batch: Batch,
    found: Vec<u32>,
    fetched: Vec<ArrayRef>,
}

/// What the thread did.
#[derive(Clone, Copy, Default)]
struct Counts {
    rows: u64,
    commands: u64,
    cached: u64,
}

/// What interrupts the thread, once it has a session.
type Interrupt = Arc<Mutex<Option<Canceller>>>;

/// The outputs.
struct Outlet {
    plan: Arc<Plan>,
    ask: Arc<Ask>,
    inbox: Handover<Batch>,
    outbox: Handover<Looked>,
    hooks: Mutex<Option<[CancelHook; 2]>>,
}

impl Source for Outlet {
    fn open(&self, cx: &OpenCx) -> Result<Box<dyn Fetch>> {
        let (inbox, outbox) = (self.inbox.clone(), self.outbox.clone());
        let (interrupt, counts) = (Interrupt::default(), Arc::new(Mutex::new(Counts::default())));
        let (shared, counted, ask, wanted) = (interrupt.clone(), counts.clone(), self.ask.clone(), self.plan.wanted());
        let memory = [cx.services.memory.reservation(), cx.services.memory.reservation()];
        let (from, to) = (inbox.clone(), outbox.clone());
        let work = move || Asker::new(ask, wanted, memory)?.run(&from, &to, &shared, &counted);
        let thread = cx.services.own_thread("lookup", work, move |done| {
            if let Err(error) = done {
                inbox.fail(error.clone());
                outbox.fail(error.clone());
            }
        })?;
        let hooks = self.hooks.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(Box::new(Taken {
            inbox: self.inbox.clone(),
            outbox: self.outbox.clone(),
            thread: Some(thread),
            interrupt,
            counts,
            plan: self.plan.clone(),
            cx: cx.clone(),
            _hooks: hooks,
        }))
    }

    fn decoder(&self, _cx: &OpenCx, _outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Lane { plan: self.plan.clone() }))
    }
}

struct Taken {
    inbox: Handover<Batch>,
    outbox: Handover<Looked>,
    thread: Option<OwnThread>,
    interrupt: Interrupt,
    counts: Arc<Mutex<Counts>>,
    plan: Arc<Plan>,
    cx: OpenCx,
    _hooks: Option<[CancelHook; 2]>,
}

impl Fetch for Taken {
    fn fetch(&mut self, waker: &Waker) -> Result<Step<Morsel>> {
        Ok(match self.outbox.poll_receive(waker)? {
            Step::More(looked) => Step::More(Box::new(looked)),
            Step::Parked => Step::Parked,
            Step::Done => Step::Done,
        })
    }

    fn finish(&mut self) -> Result<()> {
        self.plan.errors.report_lost(&self.cx);
        let Counts { rows, commands, cached } = *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let code = codes::DTS_I_TXLOOKUP_PARTIALPERF;
        let text = code.message(&[&self.cx.name, &rows, &commands, &cached]);
        let sub_component = self.cx.name.to_string();
        self.cx.events.fire(Message { severity: code.severity(), code, sub_component, text });
        self.thread.take().map_or(Ok(()), OwnThread::join)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.inbox.fail(Error::cancelled());
        self.outbox.abandon();
        let running = self.thread.as_ref().is_some_and(|t| !t.is_finished());
        let interrupt = self.interrupt.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(interrupt) = interrupt.filter(|_| running) {
            interrupt.cancel_apart();
        }
    }
}

struct Lane {
    plan: Arc<Plan>,
}

impl Decode for Lane {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let looked = morsel.downcast::<Looked>().map_err(|_| Error::internal("a morsel of another component"))?;
        let Looked { batch, found, fetched } = *looked;
        out.set_rows_read(batch.rows as u32);
        self.plan.send(Batch { seq, ..batch }, &found, fetched, out)
    }
}

/// The thread's work.
struct Asker {
    ask: Arc<Ask>,
    wanted: Vec<usize>,
    keys: RowConverter,
    rows: RowConverter,
    /// Keys with a match, and keys without.
    known: [Known; 2],
    counts: Counts,
}

impl Asker {
    fn new(ask: Arc<Ask>, wanted: Vec<usize>, memory: [Reservation; 2]) -> Result<Asker> {
        let field = |t: &DataType| SortField::new(t.arrow());
        let keys = RowConverter::new(ask.params.iter().map(|(_, t)| field(t)).collect())?;
        let columns = &ask.reference.spec.columns;
        let rows = RowConverter::new(columns.iter().map(|c| field(&c.data_type)).collect())?;
        let [matches, misses] = memory;
        let known = [Known::new(ask.memory, matches), Known::new(Some(ask.no_match_memory), misses)];
        Ok(Asker { ask, wanted, keys, rows, known, counts: Counts::default() })
    }

    fn run(
        &mut self,
        inbox: &Handover<Batch>,
        outbox: &Handover<Looked>,
        interrupt: &Interrupt,
        counts: &Mutex<Counts>,
    ) -> Result<()> {
        let interrupted_by = |canceller| *interrupt.lock().unwrap_or_else(PoisonError::into_inner) = canceller;
        // In a transaction, whose session others need as well, it is taken for each batch.
        let shared = self.ask.reference.database.as_ref().is_some_and(Database::is_shared);
        let mut held: Option<Lease> = None;
        loop {
            let batch = match inbox.receive() {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                // The input was aborted: the outputs do not end, and what failed stops them.
                Err(_) => return Ok(()),
            };
            let mut session = match held.take() {
                Some(session) => session,
                None => self.ask.reference.lease()?,
            };
            interrupted_by(Some(session.canceller()));
            let sql = session.dialect().translate(&self.ask.command).into_owned();
            let looked = self.look(&mut session, &sql, batch)?;
            if shared {
                interrupted_by(None);
                drop(session);
            } else {
                held = Some(session);
            }
            *counts.lock().unwrap_or_else(PoisonError::into_inner) = self.counts;
            outbox.send(looked)?;
        }
        drop(held);
        outbox.end();
        Ok(())
    }

    fn look(&mut self, session: &mut Lease, sql: &str, batch: Batch) -> Result<Looked> {
        let ask = self.ask.clone();
        let params: Vec<ArrayRef> = ask.params.iter().map(|(slot, _)| batch.columns[slot.0].clone()).collect();
        let keys = self.keys.convert_columns(&params)?;
        let mut found = vec![NONE; batch.rows];
        let mut rows: Vec<Arc<[u8]>> = Vec::new();
        for (row, place) in found.iter_mut().enumerate() {
            self.counts.rows += 1;
            let key = keys.row(row);
            let cached = self.known.iter_mut().find_map(|known| known.get(key.as_ref()));
            let answer = match cached {
                Some(answer) => {
                    self.counts.cached += 1;
                    answer
                }
                None => {
                    self.counts.commands += 1;
                    let value = |(array, (_, data_type)): (&ArrayRef, &(Slot, DataType))| {
                        Ok(Param::input(*data_type, scalar::value_at(array, data_type, row)?))
                    };
                    let values = params.iter().zip(&ask.params).map(value).collect::<Result<Vec<_>>>()?;
                    let answer: Option<Arc<[u8]>> = match ask.reference.first(session, sql, &values)? {
                        Some(columns) => Some(self.rows.convert_columns(&columns)?.row(0).as_ref().into()),
                        None => None,
                    };
                    self.known[usize::from(answer.is_none())].put(key.as_ref(), answer.clone());
                    answer
                }
            };
            if let Some(answer) = answer {
                *place = rows.len() as u32;
                rows.push(answer);
            }
        }
        let fetched = self.columns(&rows, &found)?;
        Ok(Looked { batch, found, fetched })
    }

    /// The wanted columns for `found`, row by row.
    fn columns(&self, rows: &[Arc<[u8]>], found: &[u32]) -> Result<Vec<ArrayRef>> {
        let columns = &self.ask.reference.spec.columns;
        if rows.is_empty() {
            let none = |c: &usize| new_null_array(&columns[*c].data_type.arrow(), found.len());
            return Ok(self.wanted.iter().map(none).collect());
        }
        let parser = self.rows.parser();
        let columns = self.rows.convert_rows(rows.iter().map(|row| parser.parse(row)))?;
        let indices: UInt32Array = found.iter().map(|row| (*row != NONE).then_some(*row)).collect();
        let column = |c: &usize| Ok(arrow::compute::take(&columns[*c], &indices, None)?);
        self.wanted.iter().map(column).collect()
    }
}

/// Keys and what they came to; the least used go first when there are too many.
struct Known {
    entries: HashMap<Arc<[u8]>, Entry>,
    /// By uses, then by age.
    order: BTreeMap<(u64, u64), Arc<[u8]>>,
    clock: u64,
    /// Bytes; None: one entry is kept, the last.
    limit: Option<usize>,
    memory: Reservation,
}

struct Entry {
    answer: Option<Arc<[u8]>>,
    place: (u64, u64),
}

impl Known {
    fn new(limit: Option<usize>, memory: Reservation) -> Known {
        Known { entries: HashMap::new(), order: BTreeMap::new(), clock: 0, limit, memory }
    }

    fn get(&mut self, key: &[u8]) -> Option<Option<Arc<[u8]>>> {
        let entry = self.entries.get_mut(key)?;
        if let Some(key) = self.order.remove(&entry.place) {
            entry.place.0 += 1;
            self.order.insert(entry.place, key);
        }
        Some(entry.answer.clone())
    }

    fn put(&mut self, key: &[u8], answer: Option<Arc<[u8]>>) {
        let bytes = cost(key, answer.as_deref());
        match self.limit {
            None => while self.evict() {},
            Some(limit) if bytes > limit => return,
            Some(limit) => while self.memory.bytes() + bytes > limit && self.evict() {},
        }
        while !self.memory.try_grow(bytes) {
            if !self.evict() {
                return;
            }
        }
        let key: Arc<[u8]> = key.into();
        self.clock += 1;
        let place = (1, self.clock);
        self.order.insert(place, key.clone());
        self.entries.insert(key, Entry { answer, place });
    }

    /// Forgets the least used key; false if there is none.
    fn evict(&mut self) -> bool {
        let Some((_, key)) = self.order.pop_first() else { return false };
        if let Some(entry) = self.entries.remove(&key) {
            self.memory.shrink(cost(&key, entry.answer.as_deref()));
        }
        true
    }
}

fn cost(key: &[u8], answer: Option<&[u8]>) -> usize {
    ENTRY + 2 * key.len() + answer.map_or(0, <[u8]>::len)
}

/// What a query for one key needs: its first row.
pub(super) fn options(options: &StatementOptions) -> StatementOptions {
    StatementOptions { block_rows: 1, most_rows: Some(1), ..options.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtsx_engine::memory::Budget;

    #[test]
    fn the_least_used_keys_go_first() {
        let budget = Arc::new(Budget::new(Some(10_000)));
        let one = cost(b"a", Some(b"x"));
        let mut known = Known::new(Some(2 * one), budget.reservation());
        let answer = || Some(Arc::from(&b"x"[..]));
        known.put(b"a", answer());
        known.put(b"b", answer());
        assert!(known.get(b"a").is_some());
        known.put(b"c", answer());
        assert_eq!(
            (known.get(b"a").is_some(), known.get(b"b").is_some(), known.get(b"c").is_some()),
            (true, false, true)
        );
        drop(known);
        assert_eq!(budget.used(), 0);
        let mut last = Known::new(None, budget.reservation());
        last.put(b"a", answer());
        last.put(b"b", None);
        assert_eq!((last.get(b"a").is_some(), last.get(b"b").is_some()), (false, true));
        let mut nothing = Known::new(Some(0), budget.reservation());
        nothing.put(b"a", None);
        assert!(nothing.get(b"a").is_none());
    }
}
