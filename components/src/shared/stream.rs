//! Stages with one input that emit while they consume.
//!
//! A [`Stream`] works on a batch on any lane, takes the results in the order of the rows, and hands what leaves to its
//! outputs through a short queue: a full one parks the input, an empty one the outputs. What a component does outside the
//! flow (to files) it does in order; a step whose work is large is done in parts.

use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::flow::{
    Block, Commit, Committed, Decode, Encode, Fetch, Layout, Morsel, OpenCx, Ports, RowRule, Sink, Source, Stage,
    StageEnds, Step, Waker,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What may stand between the input and the outputs: enough to keep both sides busy, little memory.
const QUEUE: usize = 8;

/// What a step makes.
#[derive(Default)]
pub(crate) struct Emitted(Vec<Emission>);

/// A batch and its output, or how many rows leave by none.
enum Emission {
    Batch(usize, Batch),
    LeftOut(u64),
}

impl Emitted {
    /// Sends a batch to output `port`.
    pub(crate) fn put(&mut self, port: usize, batch: Batch) {
        if batch.selected() > 0 {
            self.0.push(Emission::Batch(port, batch));
        }
    }

    /// Sends what `fill` puts into the ports of `outputs` outputs.
    pub(crate) fn ports(&mut self, outputs: usize, fill: impl FnOnce(&mut Ports) -> Result<()>) -> Result<()> {
        let mut ports = Ports::new(outputs);
        fill(&mut ports)?;
        (0..outputs).for_each(|port| ports.take(port).into_iter().for_each(|batch| self.put(port, batch)));
        self.0.extend(Some(ports.take_left_out()).filter(|rows| *rows > 0).map(Emission::LeftOut));
        Ok(())
    }
}

/// A component with one input that emits while it consumes.
pub(crate) trait Stream: Send + Sync + 'static {
    /// What a lane makes of a batch.
    type Piece: Send + 'static;
    /// What a lane keeps.
    type Lane: Send;
    /// What the serial half keeps.
    type State: Send;

    /// Whether [`Stream::prepare`] honours a selection; if not, it is given compact batches.
    fn accepts_selection(&self) -> bool {
        false
    }

    /// What a lane begins with.
    ///
    /// # Errors
    /// What cannot be opened.
    fn lane(&self, cx: &OpenCx, input: &Layout) -> Result<Self::Lane>;

    /// What the serial half begins with; opened before the lanes.
    ///
    /// # Errors
    /// As `lane`.
    fn state(&self, cx: &OpenCx, input: &Layout) -> Result<Self::State>;

    /// Works on a batch, on any lane.
    ///
    /// # Errors
    /// A row that fails the component.
    fn prepare(&self, lane: &mut Self::Lane, batch: Batch) -> Result<Self::Piece>;

    /// Takes the pieces in order; gives back what of one it did not get to.
    ///
    /// # Errors
    /// As `prepare`.
    fn step(&self, state: &mut Self::State, piece: Self::Piece, out: &mut Emitted) -> Result<Option<Self::Piece>>;

    /// Called after the last piece.
    ///
    /// # Errors
    /// What cannot be ended in order.
    fn end(&self, _state: &mut Self::State, _cx: &OpenCx, _out: &mut Emitted) -> Result<()> {
        Ok(())
    }
}

/// A component with one input that does all of its work in the order of the rows.
pub(crate) trait InOrder: Send + Sync + 'static {
    /// Works on a batch; gives back what of it it did not get to.
    ///
    /// # Errors
    /// A row that fails the component.
    fn step(&self, cx: &OpenCx, batch: Batch, out: &mut Emitted) -> Result<Option<Batch>>;

    /// Called after the last batch.
    fn end(&self, cx: &OpenCx);
}

/// Such a component as a [`Stream`]: lanes pass batches on.
pub(crate) struct Serial<T>(pub(crate) T);

impl<T: InOrder> Stream for Serial<T> {
    type Piece = Batch;
    type Lane = ();
    type State = OpenCx;

    fn lane(&self, _cx: &OpenCx, _input: &Layout) -> Result<()> {
        Ok(())
    }

    fn state(&self, cx: &OpenCx, _input: &Layout) -> Result<OpenCx> {
        Ok(cx.clone())
    }

    fn prepare(&self, (): &mut (), batch: Batch) -> Result<Batch> {
        Ok(batch)
    }

    fn step(&self, cx: &mut OpenCx, batch: Batch, out: &mut Emitted) -> Result<Option<Batch>> {
        self.0.step(cx, batch, out)
    }

    fn end(&self, _state: &mut OpenCx, cx: &OpenCx, _out: &mut Emitted) -> Result<()> {
        self.0.end(cx);
        Ok(())
    }
}

/// Makes a stage of a [`Stream`] that runs any number of times.
pub(crate) struct Streaming<S> {
    stream: Arc<S>,
    rule: RowRule,
}

impl<S: Stream> Streaming<S> {
    /// `rule`: what the stage owes for its rows.
    pub(crate) fn new(stream: S, rule: RowRule) -> Streaming<S> {
        Streaming { stream: Arc::new(stream), rule }
    }
}

impl<S: Stream> Stage for Streaming<S> {
    fn open(&self, _cx: &OpenCx, _inputs: &[Layout]) -> Result<StageEnds> {
        Ok(ends(self.stream.clone()))
    }

    fn blocks(&self) -> bool {
        false
    }

    fn row_rule(&self) -> RowRule {
        self.rule
    }
}

/// The input and the outputs of one execution of `stream`.
pub(crate) fn ends<S: Stream>(stream: Arc<S>) -> StageEnds {
    let queue = Arc::new(Queue::default());
    (vec![Arc::new(Inlet { stream, queue: queue.clone() })], Arc::new(Outlet { queue }))
}

#[derive(Default)]
struct Queue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    emissions: VecDeque<Emission>,
    /// Whether the input was opened and has not ended.
    open: bool,
    /// The outputs, parked on an empty queue.
    outlet: Option<Waker>,
    /// The input, parked on a full one.
    inlet: Option<Waker>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is room; if not, `waker` is called when there is.
    fn has_room(&self, waker: &Waker) -> bool {
        let mut waiting = self.lock();
        let room = waiting.emissions.len() < QUEUE;
        if !room {
            waiting.inlet = Some(waker.clone());
        }
        room
    }

    fn push(&self, emitted: Emitted, ends: bool) {
        let outlet = {
            let mut waiting = self.lock();
            waiting.emissions.extend(emitted.0);
            waiting.open &= !ends;
            if waiting.emissions.is_empty() && waiting.open { None } else { waiting.outlet.take() }
        };
        if let Some(outlet) = outlet {
            outlet.wake();
        }
    }
}

struct Inlet<S> {
    stream: Arc<S>,
    queue: Arc<Queue>,
}

impl<S: Stream> Sink for Inlet<S> {
    fn accepts_selection(&self) -> bool {
        self.stream.accepts_selection()
    }

    // An input that has a path is opened before the first row flows, so that the outputs do not end too early.
    fn open(&self, cx: &OpenCx, input: &Layout) -> Result<Box<dyn Commit>> {
        let state = self.stream.state(cx, input)?;
        self.queue.lock().open = true;
        Ok(Box::new(InletEnd { stream: self.stream.clone(), queue: self.queue.clone(), state, cx: cx.clone() }))
    }

    fn encoder(&self, cx: &OpenCx, input: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(Prepare { stream: self.stream.clone(), lane: self.stream.lane(cx, input)? }))
    }
}

struct Prepare<S: Stream> {
    stream: Arc<S>,
    lane: S::Lane,
}

impl<S: Stream> Encode for Prepare<S> {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        Ok(Box::new(self.stream.prepare(&mut self.lane, batch)?))
    }
}

struct InletEnd<S: Stream> {
    stream: Arc<S>,
    queue: Arc<Queue>,
    state: S::State,
    cx: OpenCx,
}

impl<S: Stream> Commit for InletEnd<S> {
    fn commit(&mut self, mut block: Block, waker: &Waker) -> Result<Committed> {
        while self.queue.has_room(waker) {
            let piece = block.downcast::<S::Piece>().map_err(|_| Error::internal("a block of another component"))?;
            let mut emitted = Emitted::default();
            let rest = self.stream.step(&mut self.state, *piece, &mut emitted)?;
            self.queue.push(emitted, false);
            match rest {
                Some(rest) => block = Box::new(rest),
                None => return Ok(Committed::Taken),
            }
        }
        Ok(Committed::Parked(block))
    }

    // After an abort the input never ends: the outputs must not take its failure for its end.
    fn finish(&mut self) -> Result<()> {
        let mut emitted = Emitted::default();
        self.stream.end(&mut self.state, &self.cx, &mut emitted)?;
        self.queue.push(emitted, true);
        Ok(())
    }
}

struct Outlet {
    queue: Arc<Queue>,
}

impl Source for Outlet {
    fn open(&self, _cx: &OpenCx) -> Result<Box<dyn Fetch>> {
        Ok(Box::new(OutletEnd { queue: self.queue.clone() }))
    }

    fn decoder(&self, _cx: &OpenCx, _outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Renumber))
    }
}

struct OutletEnd {
    queue: Arc<Queue>,
}

impl Fetch for OutletEnd {
    fn fetch(&mut self, waker: &Waker) -> Result<Step<Morsel>> {
        let (emission, inlet) = {
            let mut waiting = self.queue.lock();
            let Some(emission) = waiting.emissions.pop_front() else {
                if !waiting.open {
                    return Ok(Step::Done);
                }
                waiting.outlet = Some(waker.clone());
                return Ok(Step::Parked);
            };
            (emission, waiting.inlet.take())
        };
        if let Some(inlet) = inlet {
            inlet.wake();
        }
        Ok(Step::More(Box::new(emission)))
    }
}

struct Renumber;

impl Decode for Renumber {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        match *morsel.downcast::<Emission>().map_err(|_| Error::internal("a morsel of another component"))? {
            Emission::Batch(port, batch) => out.put(port, Batch { seq, ..batch }),
            Emission::LeftOut(rows) => out.leave_out(rows),
        }
        Ok(())
    }
}
