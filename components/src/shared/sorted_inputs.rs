//! Two inputs that are sorted, read side by side: what Merge and Merge Join have in common.
//!
//! Lanes make the keys of a batch and check that its rows are in order; batches then wait in a short queue a side.
//! The output reads both queues and parks on the one that is empty. A full queue parks its input, with one exception: rows
//! of both inputs may come from the same upstream (a Multicast, or a Multicast and a Sort), which hands them out in step.
//! If such an input were parked while the output waits for the other one, none of the three would ever go on; so the
//! queue grows until the other side has rows.

use super::sort_keys::{KEY, KeyColumn, KeyEncoder, Keys};
use arrow::array::Array;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Diagnostic, Error, Owner, Result, RowError, codes};
use dtsx_engine::flow::{
    BindCx, Block, ColumnRef, Commit, Committed, ComponentSpec, Encode, FlowSpec, Layout, OpenCx, Sink, Waker,
};
use dtsx_engine::memory::{Budget, Reservation};
use dtsx_engine::types::collation::Collation;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Batches that wait in a queue: one that is read, and enough behind it to keep both sides busy.
const QUEUE: usize = 4;

/// The sort key columns of an input, by position.
pub(crate) struct SortedInput {
    /// Keys, in order.
    pub(crate) keys: Vec<KeyColumn>,
    /// The same columns as the path brings them.
    pub(crate) columns: Vec<ColumnRef>,
}

/// The sort key of an input, as its path promises it; reports DTS_E_INPUTMUSTBESORTED if there is none, and what is wrong
/// with it otherwise. `limit` columns at most are looked at.
pub(crate) fn sorted_input(spec: &ComponentSpec, cx: &mut BindCx<'_>, input: usize, limit: usize) -> SortedInput {
    let layout = cx.inputs[input].clone();
    let name = &spec.inputs[input].name;
    let mut columns: Vec<(usize, ColumnRef)> =
        layout.columns.iter().cloned().enumerate().filter(|(_, c)| c.sort_key != 0).collect();
    columns.sort_by_key(|(_, column)| column.sort_key.unsigned_abs());
    columns.truncate(limit);
    if columns.is_empty() && !layout.columns.is_empty() {
        let code = codes::DTS_E_INPUTMUSTBESORTED;
        cx.error(spec, code, code.message(&[&format!("{}.Inputs[{name}]", spec.name)]));
    }
    let mut keys = Vec::with_capacity(columns.len());
    for (position, (slot, column)) in columns.iter().enumerate() {
        if column.sort_key.unsigned_abs() as usize != position + 1 {
            let code = codes::DTS_E_TXMERGEJOININVALIDSORTKEYPOS;
            cx.error(spec, code, code.message(&[&column.sort_key, &(position + 1)]));
        }
        let data_type = column.data_type;
        if !data_type.is_string() && column.comparison_flags != 0 {
            let code = codes::DTS_E_TXMERGEJOINNONSTRINGCOMPARISONFLAGSNOTZERO;
            cx.diagnostics.push(
                Diagnostic::error(code, &spec.path, code.message(&[])).with_column(&column.name).with_span(spec.span),
            );
        }
        let collation = if data_type.is_string() {
            match Collation::new(spec.locale, column.comparison_flags) {
                Ok(collation) => Some(collation),
                Err(error) => {
                    let code = error.code().unwrap_or(codes::DTS_E_INVALIDCOMPARISONFLAGS);
                    cx.diagnostics.push(
                        Diagnostic::error(code, &spec.path, error.message())
                            .with_column(&column.name)
                            .with_span(spec.span),
                    );
                    None
                }
            }
        } else {
            None
        };
        keys.push(KeyColumn { slot: *slot, data_type, descending: column.sort_key < 0, collation });
    }
    SortedInput { keys, columns: columns.into_iter().map(|(_, column)| column).collect() }
}

/// Reports where the keys of two inputs do not go together: types, directions, comparison flags.
pub(crate) fn check_pair(spec: &ComponentSpec, cx: &mut BindCx<'_>, left: &SortedInput, right: &SortedInput) {
    for (position, (a, b)) in left.columns.iter().zip(&right.columns).enumerate() {
        let code = if !comparable(a, b) {
            codes::DTS_E_TXMERGEJOINDATATYPEMISMATCH
        } else if (a.sort_key < 0) != (b.sort_key < 0) {
            codes::DTS_E_TXMERGEJOINSORTDIRECTIONMISMATCH
        } else if a.comparison_flags != b.comparison_flags {
            codes::DTS_E_TXMERGEJOINCOMPARISONFLAGSMISMATCH
        } else {
            continue;
        };
        let text = format!(
            "{} (\"{}\" {} and \"{}\" {})",
            code.message(&[&(position + 1)]),
            a.name,
            a.data_type,
            b.name,
            b.data_type
        );
        cx.diagnostics.push(Diagnostic::error(code, &spec.path, text).with_column(&a.name).with_span(spec.span));
    }
}

/// Whether keys of both columns can be compared: of one type, whatever the lengths. Text of a code page goes with Unicode
/// text: packages in production join the two, and it is the same text (unconfirmed: the documentation asks for matching
/// metadata and names numbers beside text as what does not match).
fn comparable(a: &ColumnRef, b: &ColumnRef) -> bool {
    use dtsx_engine::types::DataType;
    match (&a.data_type, &b.data_type) {
        (DataType::Str { .. } | DataType::WStr { .. }, DataType::Str { .. } | DataType::WStr { .. })
        | (DataType::Bytes { .. }, DataType::Bytes { .. }) => true,
        (DataType::Numeric { scale: x, .. }, DataType::Numeric { scale: y, .. }) => x == y,
        (a, b) => a == b,
    }
}

/// Whether rows of some component reach both inputs.
pub(crate) fn share_an_ancestor(spec: &ComponentSpec, flow: &FlowSpec) -> bool {
    let Some(this) = flow.components.iter().position(|c| c.path == spec.path) else { return false };
    let ancestors = |input: usize| {
        let mut found: HashSet<usize> = HashSet::new();
        let mut open: Vec<usize> = flow.paths.iter().filter(|p| p.to == (this, input)).map(|p| p.from.0).collect();
        while let Some(component) = open.pop() {
            if found.insert(component) {
                open.extend(flow.paths.iter().filter(|p| p.to.0 == component).map(|p| p.from.0));
            }
        }
        found
    };
    !ancestors(0).is_disjoint(&ancestors(1))
}

/// Rows of an input with their keys.
pub(crate) struct Rows {
    pub(crate) batch: Batch,
    pub(crate) keys: Keys,
    /// Rows of whose key a column is NULL, if any is.
    pub(crate) nulls: Option<Vec<bool>>,
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
    queue: VecDeque<Rows>,
    /// Whether it was opened and has not ended.
    open: bool,
    /// The input, parked on a full queue.
    input: Option<Waker>,
    /// Bytes of a queue that has grown.
    grown: Reservation,
}

/// What a side has.
pub(crate) enum Next {
    Rows(Rows),
    /// Nothing now; the waker is kept.
    Later,
    /// Nothing any more.
    End,
}

impl Sides {
    pub(crate) fn new(shared: bool, memory: &Arc<Budget>) -> Sides {
        let side = || Side { queue: VecDeque::new(), open: false, input: None, grown: memory.reservation() };
        Sides { state: Mutex::new(State { sides: [side(), side()], output: None, starving: [false; 2] }), shared }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next rows of a side, for the output.
    pub(crate) fn next(&self, side: usize, waker: &Waker) -> Next {
        let mut state = self.lock();
        let this = &mut state.sides[side];
        let next = match this.queue.pop_front() {
            Some(rows) => {
                if this.queue.len() < QUEUE {
                    let grown = this.grown.bytes();
                    this.grown.shrink(grown);
                }
                Next::Rows(rows)
            }
            None if !this.open => Next::End,
            None => {
                state.output = Some(waker.clone());
                state.starving[side] = true;
                // Whoever is parked on the other side may hold up this one.
                let other = state.sides[1 - side].input.take();
                drop(state);
                if let Some(other) = other {
                    other.wake();
                }
                return Next::Later;
            }
        };
        state.starving[side] = false;
        let input = state.sides[side].input.take();
        drop(state);
        if let Some(input) = input {
            input.wake();
        }
        next
    }

    /// Offers rows; gives them back when there is no room.
    fn offer(&self, side: usize, rows: Rows, waker: &Waker) -> Option<Rows> {
        let mut state = self.lock();
        let held_up = self.shared && state.starving[1 - side];
        let this = &mut state.sides[side];
        if this.queue.len() >= QUEUE {
            if !held_up {
                this.input = Some(waker.clone());
                return Some(rows);
            }
            this.grown.force(rows.batch.bytes());
        }
        this.queue.push_back(rows);
        let output = self.unblock(&mut state, side);
        drop(state);
        if let Some(output) = output {
            output.wake();
        }
        None
    }

    fn unblock(&self, state: &mut State, side: usize) -> Option<Waker> {
        if std::mem::take(&mut state.starving[side]) { state.output.take() } else { None }
    }

    fn close(&self, side: usize) {
        let mut state = self.lock();
        state.sides[side].open = false;
        let output = self.unblock(&mut state, side);
        drop(state);
        if let Some(output) = output {
            output.wake();
        }
    }

    fn clear(&self, side: usize) {
        let mut state = self.lock();
        let this = &mut state.sides[side];
        this.queue.clear();
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
            let behind = |row: &usize| keys.compare(row - 1, &keys, *row) == std::cmp::Ordering::Greater;
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
    last: Option<(u128, Vec<u8>)>,
}

impl Commit for End {
    fn commit(&mut self, block: Block, waker: &Waker) -> Result<Committed> {
        let rows = block.downcast::<Rows>().map_err(|_| Error::internal("a block of another component"))?;
        if let (Some(order), Some(end)) = (&self.order, rows.batch.rows.checked_sub(1)) {
            let first = (rows.keys.prefix[0] & KEY, rows.keys.tail(0));
            if self.last.as_ref().is_some_and(|(prefix, tail)| (*prefix, &tail[..]) > first) {
                return Err(order.broken(&rows.batch, 0));
            }
            let last = (rows.keys.prefix[end] & KEY, rows.keys.tail(end).to_vec());
            return Ok(self.offer(*rows, waker, Some(last)));
        }
        Ok(self.offer(*rows, waker, None))
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
    fn offer(&mut self, rows: Rows, waker: &Waker, last: Option<(u128, Vec<u8>)>) -> Committed {
        if rows.batch.rows == 0 {
            return Committed::Taken;
        }
        match self.sides.offer(self.side, rows, waker) {
            Some(rows) => Committed::Parked(Box::new(rows)),
            None => {
                self.last = last;
                Committed::Taken
            }
        }
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
    pub(crate) fn settle(&mut self, sides: &Sides, waker: &Waker) -> At {
        if self.ended {
            return At::End;
        }
        if self.rows.as_ref().is_some_and(|rows| self.row < rows.batch.rows) {
            return At::Row;
        }
        self.rows = None;
        match sides.next(self.side, waker) {
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
        }
    }
}
