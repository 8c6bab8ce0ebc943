//! The queues between two sorted inputs and an output.

use super::Overflow;
use crate::shared::reference::compacted;
use crate::shared::sort_keys::{KeyColumn, KeyEncoder, Keys};
use arrow::array::Array;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Owner, Result, RowError, codes};
use dtsx_engine::flow::{Block, Commit, Committed, Encode, Layout, OpenCx, Sink, Waker};
use dtsx_engine::memory::Reservation;
use dtsx_engine::run::Services;
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Batches that wait in a queue: one that is read, and enough behind it to keep both sides busy.
const QUEUE: usize = 4;

/// Rows of an input with their keys.
pub(crate) struct Rows {
    pub(crate) batch: Batch,
    pub(crate) keys: Keys,
    /// Rows of whose key a column is NULL, if any is.
    pub(crate) nulls: Option<Vec<bool>>,
}

impl Rows {
    /// Some of the rows, on their own: nothing else is kept in memory for them.
    pub(crate) fn part(&self, range: Range<usize>) -> Rows {
        let batch = self.batch.slice(range.start, range.len());
        let columns = batch.columns.iter().map(compacted).collect();
        let nulls = self.nulls.as_ref().map(|nulls| nulls[range.clone()].to_vec());
        Rows { batch: Batch { columns, ..batch }, keys: self.keys.part(range), nulls }
    }

    /// Bytes that they take, if they are on their own.
    pub(crate) fn memory(&self) -> usize {
        self.batch.bytes() + self.keys.memory() + self.nulls.as_ref().map_or(0, Vec::len)
    }
}

/// The queues between two inputs and an output.
pub(crate) struct Sides {
    state: Mutex<State>,
    /// Rows of both come from one place.
    shared: bool,
}

struct State {
    sides: [Side; 2],
    /// The output, parked.
    output: Option<Waker>,
    /// The sides that the output waits for.
    starving: [bool; 2],
}

struct Side {
    /// Rows, and the bytes that are reserved for them, because the queue has grown.
    queue: VecDeque<(Rows, usize)>,
    grown: Reservation,
    /// What follows the queue and has no room in memory.
    overflow: Overflow,
    /// Whether it was opened and has not ended.
    open: bool,
    /// The input, parked on a full queue.
    input: Option<Waker>,
}

/// What a side has.
pub(crate) enum Next {
    Rows(Rows),
    /// Nothing now; the waker is kept.
    Later,
    /// Nothing any more.
    End,
}

impl Side {
    fn pop(&mut self) -> Result<Option<Rows>> {
        match self.queue.pop_front() {
            Some((rows, reserved)) => {
                self.grown.shrink(reserved);
                Ok(Some(rows))
            }
            None => self.overflow.pop(),
        }
    }

    fn is_full(&self) -> bool {
        self.queue.len() >= QUEUE || !self.overflow.is_empty()
    }

    /// Takes rows that there is no room for, as nobody will make some.
    fn grow(&mut self, rows: &Rows) -> Result<()> {
        let rows = rows.part(0..rows.batch.rows);
        let bytes = rows.memory();
        if !self.overflow.is_empty() || !self.grown.try_grow(bytes) {
            return self.overflow.push(&rows);
        }
        self.queue.push_back((rows, bytes));
        Ok(())
    }
}

impl Sides {
    pub(crate) fn new(shared: bool, services: &Services) -> Sides {
        let side = || Side {
            queue: VecDeque::new(),
            grown: services.memory.reservation(),
            overflow: Overflow::new(&services.spill),
            open: false,
            input: None,
        };
        Sides { state: Mutex::new(State { sides: [side(), side()], output: None, starving: [false; 2] }), shared }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next rows of a side, for the output.
    fn next(&self, side: usize, waker: &Waker) -> Result<Next> {
        let mut state = self.lock();
        let this = &mut state.sides[side];
        let (next, input) = match this.pop()? {
            Some(rows) => {
                let input = this.input.take();
                state.starving[side] = false;
                (Next::Rows(rows), input)
            }
            None if !this.open => {
                state.starving[side] = false;
                return Ok(Next::End);
            }
            None => {
                state.output = Some(waker.clone());
                state.starving[side] = true;
                // Whoever is parked on the other side may hold up this one.
                (Next::Later, state.sides[1 - side].input.take())
            }
        };
        drop(state);
        if let Some(input) = input {
            input.wake();
        }
        Ok(next)
    }

    /// Offers rows; gives them back when there is no room.
    fn offer(&self, side: usize, rows: Rows, waker: &Waker) -> Result<Option<Rows>> {
        let mut state = self.lock();
        let held_up = self.shared && state.starving[1 - side];
        let this = &mut state.sides[side];
        if !this.is_full() {
            this.queue.push_back((rows, 0));
        } else if held_up {
            this.grow(&rows)?;
        } else {
            this.input = Some(waker.clone());
            return Ok(Some(rows));
        }
        self.unblock(state, side);
        Ok(None)
    }

    /// Wakes the output, if it waits for this side.
    fn unblock(&self, mut state: MutexGuard<'_, State>, side: usize) {
        let waits = std::mem::take(&mut state.starving[side]);
        let output = if waits { state.output.take() } else { None };
        drop(state);
        if let Some(output) = output {
            output.wake();
        }
    }

    fn close(&self, side: usize) {
        let mut state = self.lock();
        state.sides[side].open = false;
        self.unblock(state, side);
    }

    fn clear(&self, side: usize) {
        let mut state = self.lock();
        let this = &mut state.sides[side];
        this.queue.clear();
        this.overflow.clear();
        let grown = this.grown.bytes();
        this.grown.shrink(grown);
    }
}

/// An input.
pub(crate) struct SortedInlet {
    pub(crate) sides: Arc<Sides>,
    pub(crate) side: usize,
    pub(crate) keys: Vec<KeyColumn>,
    /// The input's name, for messages.
    pub(crate) name: String,
}

impl Sink for SortedInlet {
    // Every input that has a path is opened before the first row flows, so that the count is right from the start.
    fn open(&self, cx: &OpenCx, input: &Layout) -> Result<Box<dyn Commit>> {
        self.sides.lock().sides[self.side].open = true;
        let order = (!cx.services.options.trust_sorted).then(|| self.order(input));
        Ok(Box::new(End { sides: self.sides.clone(), side: self.side, order, last: None }))
    }

    fn encoder(&self, cx: &OpenCx, input: &Layout) -> Result<Box<dyn Encode>> {
        let order = (!cx.services.options.trust_sorted).then(|| self.order(input));
        let slots = self.keys.iter().map(|k| k.slot).collect();
        Ok(Box::new(Lane { keys: KeyEncoder::new(self.keys.clone()), slots, order }))
    }
}

impl SortedInlet {
    fn order(&self, input: &Layout) -> Order {
        let columns = self.keys.iter().map(|k| input.columns[k.slot].name.clone()).collect();
        Order { name: self.name.clone(), columns }
    }
}

/// Names an input and its keys when a row is out of order.
struct Order {
    name: String,
    columns: Vec<String>,
}

impl Order {
    fn broken(&self, batch: &Batch, row: usize) -> Error {
        let code = codes::DTS_E_INPUTMUSTBESORTED;
        let keys = self.columns.join("\", \"");
        let text = format!("{} A row comes after one that \"{keys}\" puts behind it.", code.message(&[&self.name]));
        let place = batch.origin.of(row as u32);
        Error::new(Owner::Data, code, text).with_row(RowError {
            batch: Some((batch.seq, place)),
            number: None,
            column: self.columns.first().cloned(),
            value: None,
        })
    }
}

struct Lane {
    keys: KeyEncoder,
    slots: Vec<usize>,
    order: Option<Order>,
}

impl Encode for Lane {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        let keys = self.keys.encode(&batch.columns, batch.rows)?;
        if let Some(order) = &self.order {
            let behind = |row: &usize| keys.compare(row - 1, &keys, *row) == Ordering::Greater;
            if let Some(row) = (1..batch.rows).find(behind) {
                return Err(order.broken(&batch, row));
            }
        }
        let mut nulls: Option<Vec<bool>> = None;
        for column in self.slots.iter().map(|slot| &batch.columns[*slot]).filter(|c| c.logical_null_count() > 0) {
            let nulls = nulls.get_or_insert_with(|| vec![false; batch.rows]);
            if let Some(valid) = column.logical_nulls() {
                nulls.iter_mut().enumerate().for_each(|(row, null)| *null |= valid.is_null(row));
            }
        }
        Ok(Box::new(Rows { batch, keys, nulls }))
    }
}

struct End {
    sides: Arc<Sides>,
    side: usize,
    order: Option<Order>,
    /// The key of the last row.
    last: Option<Keys>,
}

impl Commit for End {
    fn commit(&mut self, block: Block, waker: &Waker) -> Result<Committed> {
        let rows = block.downcast::<Rows>().map_err(|_| Error::internal("a block of another component"))?;
        if let (Some(order), Some(end)) = (&self.order, rows.batch.rows.checked_sub(1)) {
            if self.last.as_ref().is_some_and(|last| last.compare(0, &rows.keys, 0) == Ordering::Greater) {
                return Err(order.broken(&rows.batch, 0));
            }
            let last = rows.keys.part(end..end + 1);
            return self.offer(*rows, waker, Some(last));
        }
        self.offer(*rows, waker, None)
    }

    fn finish(&mut self) -> Result<()> {
        self.sides.close(self.side);
        Ok(())
    }

    // After an abort the input never ends: the output must not take the failure of the input for its end.
    fn abort(&mut self) {
        self.sides.clear(self.side);
    }
}

impl End {
    fn offer(&mut self, rows: Rows, waker: &Waker, last: Option<Keys>) -> Result<Committed> {
        if rows.batch.rows == 0 {
            return Ok(Committed::Taken);
        }
        Ok(match self.sides.offer(self.side, rows, waker)? {
            Some(rows) => Committed::Parked(Box::new(rows)),
            None => {
                self.last = last;
                Committed::Taken
            }
        })
    }
}

/// Where a side is being read.
pub(crate) struct Head {
    side: usize,
    pub(crate) rows: Option<Arc<Rows>>,
    pub(crate) row: usize,
    ended: bool,
}

/// What a head stands at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum At {
    Row,
    /// The side has nothing now.
    Later,
    End,
}

impl Head {
    pub(crate) fn new(side: usize) -> Head {
        Head { side, rows: None, row: 0, ended: false }
    }

    /// Makes sure that there is a row, if there will be one.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub(crate) fn settle(&mut self, sides: &Sides, waker: &Waker) -> Result<At> {
        if self.ended {
            return Ok(At::End);
        }
        if self.rows.as_ref().is_some_and(|rows| self.row < rows.batch.rows) {
            return Ok(At::Row);
        }
        self.rows = None;
        Ok(match sides.next(self.side, waker)? {
            Next::Rows(rows) => {
                self.rows = Some(Arc::new(rows));
                self.row = 0;
                At::Row
            }
            Next::Later => At::Later,
            Next::End => {
                self.ended = true;
                At::End
            }
        })
    }
}
