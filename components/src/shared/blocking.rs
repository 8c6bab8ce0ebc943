//! The seam for stages that take everything before they give anything: Aggregate, Pivot, samplings, …
//!
//! A [`Blocking`] stage says what a lane keeps of the batches that it meets, what is taken in the order of the rows,
//! and which parts come out once every input has ended; [`ends`] makes the sinks and the source of it:
//!
//! ```text
//! lanes of an input          that input, in order        once all ended          lanes of the output
//! take(lane, batch) → item   keep(kept, item)            seal(…) → parts         emit(seq, part, out)
//! ```
//!
//! What does not depend on the order of rows stays in the lane (`Item = ()`) and is never shared before the end; what
//! does goes through `keep`, one item at a time and in the order of the source, whatever the number of lanes. Nothing
//! waits: the output is parked until the last input has ended and is woken by it. An input without a path is never
//! opened and is not waited for; one that fails or is cancelled never ends, so that half of the rows are not taken for all.

use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::flow::{
    Block, Commit, Committed, Decode, Encode, Fetch, Layout, Morsel, OpenCx, Ports, Sink, Source, StageEnds, Step,
    Waker,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Rows of a batch that leaves a blocking stage: what sources make as well, so that what follows stays in the cache.
pub(crate) const BATCH_ROWS: usize = 8192;

/// What comes out of a sealed stage, in the order in which it leaves.
pub(crate) type Parts<P> = Box<dyn Iterator<Item = Result<P>> + Send>;

/// One execution of a stage that gives nothing before it has everything.
pub(crate) trait Blocking: Send + Sync + 'static {
    /// What one lane of an input holds.
    type Lane: Send + 'static;
    /// What `take` makes of a batch for `keep`; `()` if the order of rows does not matter.
    type Item: Send + 'static;
    /// What an input gathered in the order of its rows.
    type Kept: Default + Send + 'static;
    /// What a lane of the output turns into batches.
    type Part: Send + 'static;

    /// Whether `take` honours a selection; if not, it is given compact batches.
    fn accepts_selection(&self) -> bool {
        false
    }

    /// An empty lane of an input.
    ///
    /// # Errors
    /// What cannot be opened.
    fn lane(&self, input: usize) -> Result<Self::Lane>;

    /// A batch met a lane. On any thread; batches of a lane come in the order of the rows, but not all of them.
    ///
    /// # Errors
    /// A row that fails the component; memory that cannot be had.
    fn take(&self, lane: &mut Self::Lane, batch: Batch) -> Result<Self::Item>;

    /// Takes what became of a batch, in the order of the input's rows, one at a time.
    ///
    /// # Errors
    /// As `take`.
    fn keep(&self, _kept: &mut Self::Kept, _item: Self::Item) -> Result<()> {
        Ok(())
    }

    /// Every input has ended. Called once, by a thread of the pool; `inputs` has an entry for every input of the
    /// component, those without a path with no lanes. What takes long should be left to the parts' `emit`, which runs on
    /// every lane, or use `services.pool`.
    ///
    /// # Errors
    /// As `take`.
    fn seal(&self, inputs: Vec<Sealed<Self::Lane, Self::Kept>>) -> Result<Parts<Self::Part>>;

    /// Turns a part into one batch an output at most, with `seq` as its sequence number. On any thread.
    ///
    /// # Errors
    /// As `take`.
    fn emit(&self, seq: u64, part: Self::Part, out: &mut Ports) -> Result<()>;
}

/// What an input came to.
pub(crate) struct Sealed<L, K> {
    /// What its lanes held, in no order that means anything.
    pub(crate) lanes: Vec<L>,
    /// What was gathered in order.
    pub(crate) kept: K,
}

/// The sinks of `inputs` inputs and the source of one execution of `stage`.
pub(crate) fn ends<B: Blocking>(stage: B, inputs: usize) -> StageEnds {
    let inputs_state = (0..inputs).map(|_| InputState { lanes: Vec::new(), kept: None }).collect();
    let state = State { open: 0, inputs: inputs_state, output: None };
    let shared = Arc::new(Shared { stage, state: Mutex::new(state) });
    let sink = |input| -> Arc<dyn Sink> { Arc::new(Inlet { shared: shared.clone(), input }) };
    let sinks = (0..inputs).map(sink).collect();
    (sinks, Arc::new(Outlet { shared }))
}

struct Shared<B: Blocking> {
    stage: B,
    state: Mutex<State<B>>,
}

struct State<B: Blocking> {
    /// Inputs that were opened and have not ended.
    open: usize,
    inputs: Vec<InputState<B>>,
    /// The output, parked until all inputs have ended.
    output: Option<Waker>,
}

struct InputState<B: Blocking> {
    /// Shared with the lane that fills it, which is the only one to lock it before the end.
    lanes: Vec<Arc<Mutex<Option<B::Lane>>>>,
    kept: Option<B::Kept>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An input.
struct Inlet<B: Blocking> {
    shared: Arc<Shared<B>>,
    input: usize,
}

impl<B: Blocking> Sink for Inlet<B> {
    fn accepts_selection(&self) -> bool {
        self.shared.stage.accepts_selection()
    }

    // Every input that has a path is opened before the first row flows, so that the count is right from the start.
    fn open(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Commit>> {
        lock(&self.shared.state).open += 1;
        Ok(Box::new(InletEnd { shared: self.shared.clone(), input: self.input, kept: B::Kept::default() }))
    }

    fn encoder(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Encode>> {
        let lane = Arc::new(Mutex::new(Some(self.shared.stage.lane(self.input)?)));
        lock(&self.shared.state).inputs[self.input].lanes.push(lane.clone());
        Ok(Box::new(Lane { shared: self.shared.clone(), lane }))
    }
}

struct Lane<B: Blocking> {
    shared: Arc<Shared<B>>,
    lane: Arc<Mutex<Option<B::Lane>>>,
}

impl<B: Blocking> Encode for Lane<B> {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        let mut lane = lock(&self.lane);
        let lane = lane.as_mut().ok_or_else(|| Error::internal("a batch after the end of its input"))?;
        Ok(Box::new(self.shared.stage.take(lane, batch)?))
    }
}

struct InletEnd<B: Blocking> {
    shared: Arc<Shared<B>>,
    input: usize,
    kept: B::Kept,
}

impl<B: Blocking> Commit for InletEnd<B> {
    fn commit(&mut self, block: Block, _waker: &Waker) -> Result<Committed> {
        let item = block.downcast::<B::Item>().map_err(|_| Error::internal("a block of another component"))?;
        self.shared.stage.keep(&mut self.kept, *item)?;
        Ok(Committed::Taken)
    }

    // After an abort the input never ends: the output must not take the failure of an input for its end.
    fn finish(&mut self) -> Result<()> {
        let output = {
            let mut state = lock(&self.shared.state);
            state.inputs[self.input].kept = Some(std::mem::take(&mut self.kept));
            state.open -= 1;
            if state.open == 0 { state.output.take() } else { None }
        };
        if let Some(output) = output {
            output.wake();
        }
        Ok(())
    }

    // What was gathered is of no use any more: it is given back now, not when the plan of the run is dropped.
    fn abort(&mut self) {
        self.kept = B::Kept::default();
        let lanes = std::mem::take(&mut lock(&self.shared.state).inputs[self.input].lanes);
        for lane in lanes {
            // A lane that is at work drops its own.
            if let Ok(mut lane) = lane.try_lock() {
                *lane = None;
            }
        }
    }
}

/// The outputs.
struct Outlet<B: Blocking> {
    shared: Arc<Shared<B>>,
}

impl<B: Blocking> Source for Outlet<B> {
    fn open(&self, _cx: &OpenCx) -> Result<Box<dyn Fetch>> {
        Ok(Box::new(OutletEnd { shared: self.shared.clone(), parts: None }))
    }

    fn decoder(&self, _cx: &OpenCx, _outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Emit { shared: self.shared.clone() }))
    }
}

struct OutletEnd<B: Blocking> {
    shared: Arc<Shared<B>>,
    parts: Option<Parts<B::Part>>,
}

impl<B: Blocking> OutletEnd<B> {
    /// What the inputs came to, once all have ended; keeps the waker until then.
    fn sealed(&self, waker: &Waker) -> Option<Vec<Sealed<B::Lane, B::Kept>>> {
        let mut state = lock(&self.shared.state);
        if state.open > 0 {
            state.output = Some(waker.clone());
            return None;
        }
        let take = |input: &mut InputState<B>| Sealed {
            lanes: std::mem::take(&mut input.lanes).iter().filter_map(|lane| lock(lane).take()).collect(),
            kept: input.kept.take().unwrap_or_default(),
        };
        Some(state.inputs.iter_mut().map(take).collect())
    }
}

impl<B: Blocking> Fetch for OutletEnd<B> {
    fn fetch(&mut self, waker: &Waker) -> Result<Step<Morsel>> {
        let parts = match &mut self.parts {
            Some(parts) => parts,
            None => {
                let Some(inputs) = self.sealed(waker) else { return Ok(Step::Parked) };
                self.parts.insert(self.shared.stage.seal(inputs)?)
            }
        };
        Ok(match parts.next().transpose()? {
            Some(part) => Step::More(Box::new(part)),
            None => Step::Done,
        })
    }

    fn finish(&mut self) -> Result<()> {
        self.parts = None;
        Ok(())
    }
}

struct Emit<B: Blocking> {
    shared: Arc<Shared<B>>,
}

impl<B: Blocking> Decode for Emit<B> {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let part = morsel.downcast::<B::Part>().map_err(|_| Error::internal("a morsel of another component"))?;
        self.shared.stage.emit(seq, *part, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::testing::{Recorder, open_cx, shown};
    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// The rows of `batch` in slices that [`emit_slice`] sends through `port`.
    fn slices(port: usize, batch: Batch) -> impl Iterator<Item = Result<Slice>> + Send {
        let rows = batch.rows;
        (0..rows)
            .step_by(BATCH_ROWS)
            .map(move |offset| Ok(Slice { port, batch: batch.slice(offset, BATCH_ROWS.min(rows - offset)) }))
    }

    /// Some finished rows on their way out.
    struct Slice {
        port: usize,
        batch: Batch,
    }

    /// `emit` for a stage whose parts are finished rows.
    fn emit_slice(seq: u64, slice: Slice, out: &mut Ports) {
        let rows = slice.batch.rows;
        out.put(slice.port, Batch::new(seq, rows, slice.batch.columns));
    }

    /// Adds up in the lanes, keeps the values in order; gives the values, then the sum.
    struct Listing;

    impl Blocking for Listing {
        type Lane = i64;
        type Item = Vec<i64>;
        type Kept = Vec<i64>;
        type Part = Slice;

        fn lane(&self, _input: usize) -> Result<i64> {
            Ok(0)
        }

        fn take(&self, lane: &mut i64, batch: Batch) -> Result<Vec<i64>> {
            let values = batch.columns[0].as_primitive::<Int64Type>().values().to_vec();
            *lane += values.iter().sum::<i64>();
            Ok(values)
        }

        fn keep(&self, kept: &mut Vec<i64>, item: Vec<i64>) -> Result<()> {
            kept.extend(item);
            Ok(())
        }

        fn seal(&self, inputs: Vec<Sealed<i64, Vec<i64>>>) -> Result<Parts<Slice>> {
            let sum: i64 = inputs.iter().flat_map(|i| &i.lanes).sum();
            let kept = inputs.into_iter().flat_map(|i| i.kept).chain([sum]);
            Ok(Box::new(slices(0, batch(kept.collect()))))
        }

        fn emit(&self, seq: u64, part: Slice, out: &mut Ports) -> Result<()> {
            emit_slice(seq, part, out);
            Ok(())
        }
    }

    fn batch(values: Vec<i64>) -> Batch {
        let column: ArrayRef = Arc::new(Int64Array::from(values));
        Batch::new(0, column.len(), vec![column])
    }

    struct Stage {
        sinks: Vec<Arc<dyn Sink>>,
        source: Arc<dyn Source>,
        cx: OpenCx,
        woken: Arc<AtomicUsize>,
        waker: Waker,
    }

    fn stage(inputs: usize) -> Stage {
        let (sinks, source) = ends(Listing, inputs);
        let woken = Arc::new(AtomicUsize::new(0));
        let count = woken.clone();
        let waker = Waker::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        });
        Stage { sinks, source, cx: open_cx(&Arc::new(Recorder::default())), woken, waker }
    }

    impl Stage {
        fn open(&self, input: usize) -> (Box<dyn Commit>, Box<dyn Encode>) {
            let sink = &self.sinks[input];
            let layout = Layout::default();
            (sink.open(&self.cx, &layout).unwrap(), sink.encoder(&self.cx, &layout).unwrap())
        }

        fn rest(&self, fetch: &mut dyn Fetch) -> Vec<Vec<String>> {
            let mut decode = self.source.decoder(&self.cx, &[]).unwrap();
            let mut all = Vec::new();
            while let Step::More(part) = fetch.fetch(&self.waker).unwrap() {
                let mut ports = Ports::new(1);
                decode.decode(all.len() as u64, part, &mut ports).unwrap();
                all.push(shown(ports.take(0).unwrap()));
            }
            all
        }
    }

    #[test]
    fn nothing_leaves_before_the_last_input_has_ended_which_wakes_the_output() {
        let stage = stage(3);
        let (mut a, mut lane) = stage.open(0);
        let mut other = stage.sinks[0].encoder(&stage.cx, &Layout::default()).unwrap();
        // Input 1 has no path.
        let (mut c, _) = stage.open(2);
        let mut fetch = stage.source.open(&stage.cx).unwrap();
        let second = other.encode(batch(vec![3, 4])).unwrap();
        let first = lane.encode(batch(vec![1, 2])).unwrap();
        for block in [first, second] {
            assert!(matches!(a.commit(block, &stage.waker).unwrap(), Committed::Taken));
        }
        assert!(matches!(fetch.fetch(&stage.waker).unwrap(), Step::Parked));
        a.finish().unwrap();
        assert_eq!(stage.woken.load(Ordering::SeqCst), 0);
        assert!(matches!(fetch.fetch(&stage.waker).unwrap(), Step::Parked));
        c.finish().unwrap();
        assert_eq!(stage.woken.load(Ordering::SeqCst), 1);
        assert_eq!(stage.rest(fetch.as_mut()), [["1", "2", "3", "4", "10"]]);
    }

    #[test]
    fn an_input_that_failed_never_ends() {
        let stage = stage(1);
        let (mut a, mut lane) = stage.open(0);
        let block = lane.encode(batch(vec![1])).unwrap();
        a.commit(block, &stage.waker).unwrap();
        a.abort();
        let mut fetch = stage.source.open(&stage.cx).unwrap();
        assert!(matches!(fetch.fetch(&stage.waker).unwrap(), Step::Parked));
        assert!(lane.encode(batch(vec![2])).is_err());
    }

    #[test]
    fn inputs_without_paths_are_not_waited_for() {
        let stage = stage(2);
        let mut fetch = stage.source.open(&stage.cx).unwrap();
        assert_eq!(stage.rest(fetch.as_mut()), [["0"]]);
    }

    #[test]
    fn many_rows_leave_in_batches() {
        let stage = stage(1);
        let (mut a, mut lane) = stage.open(0);
        let block = lane.encode(batch((0..20_000).collect())).unwrap();
        a.commit(block, &stage.waker).unwrap();
        a.finish().unwrap();
        let mut fetch = stage.source.open(&stage.cx).unwrap();
        let sizes: Vec<usize> = stage.rest(fetch.as_mut()).iter().map(Vec::len).collect();
        assert_eq!(sizes, [BATCH_ROWS, BATCH_ROWS, 20_001 - 2 * BATCH_ROWS]);
    }
}
