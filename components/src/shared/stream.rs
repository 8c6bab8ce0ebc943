//! Stages with one input that emit while they consume.
//!
//! A [`Stream`] works on a batch on any lane, puts the results in order, and hands them to its outputs through a short
//! queue: a full one parks the input, an empty one the outputs.

use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::flow::{
    Block, Commit, Committed, Decode, Encode, Fetch, Layout, Morsel, OpenCx, Ports, RowRule, Sink, Source, Stage,
    StageEnds, Step, Waker,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Pieces that may stand between the input and the outputs: enough to keep both sides busy, little memory.
const QUEUE: usize = 8;

/// The batches that a step makes, each with its output.
#[derive(Default)]
pub(crate) struct Emitted(Vec<(usize, Batch)>);

impl Emitted {
    /// Sends a batch to output `port`.
    pub(crate) fn put(&mut self, port: usize, batch: Batch) {
        if batch.selected() > 0 {
            self.0.push((port, batch));
        }
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

    /// What the stage owes for its rows.
    fn row_rule(&self) -> RowRule;

    /// What a lane begins with.
    fn lane(&self, cx: &OpenCx, input: &Layout) -> Result<Self::Lane>;

    /// What the serial half begins with.
    fn state(&self, cx: &OpenCx, input: &Layout) -> Result<Self::State>;

    /// Works on a batch, on any lane.
    fn prepare(&self, lane: &mut Self::Lane, batch: Batch) -> Result<Self::Piece>;

    /// Takes the pieces in order.
    fn step(&self, state: &mut Self::State, piece: Self::Piece, out: &mut Emitted) -> Result<()>;

    /// Called after the last piece.
    fn end(&self, _state: &mut Self::State, _cx: &OpenCx, _out: &mut Emitted) -> Result<()> {
        Ok(())
    }
}

/// Makes a stage of a [`Stream`].
pub(crate) struct Streaming<S>(pub(crate) Arc<S>);

impl<S: Stream> Stage for Streaming<S> {
    fn open(&self, _cx: &OpenCx, _inputs: &[Layout]) -> Result<StageEnds> {
        let queue = Arc::new(Queue::default());
        let inlet: Arc<dyn Sink> = Arc::new(Inlet { stream: self.0.clone(), queue: queue.clone() });
        Ok((vec![inlet], Arc::new(Outlet { queue })))
    }

    fn blocks(&self) -> bool {
        false
    }

    fn row_rule(&self) -> RowRule {
        self.0.row_rule()
    }
}

#[derive(Default)]
struct Queue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    batches: VecDeque<(usize, Batch)>,
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

    fn push(&self, emitted: Emitted, ends: bool) {
        let outlet = {
            let mut waiting = self.lock();
            waiting.batches.extend(emitted.0);
            waiting.open &= !ends;
            if waiting.batches.is_empty() && waiting.open { None } else { waiting.outlet.take() }
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
    fn commit(&mut self, block: Block, waker: &Waker) -> Result<Committed> {
        {
            let mut waiting = self.queue.lock();
            if waiting.batches.len() >= QUEUE {
                waiting.inlet = Some(waker.clone());
                return Ok(Committed::Parked(block));
            }
        }
        let piece = block.downcast::<S::Piece>().map_err(|_| Error::internal("a block of another component"))?;
        let mut emitted = Emitted::default();
        self.stream.step(&mut self.state, *piece, &mut emitted)?;
        self.queue.push(emitted, false);
        Ok(Committed::Taken)
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
        let (batch, inlet) = {
            let mut waiting = self.queue.lock();
            let Some(batch) = waiting.batches.pop_front() else {
                if !waiting.open {
                    return Ok(Step::Done);
                }
                waiting.outlet = Some(waker.clone());
                return Ok(Step::Parked);
            };
            (batch, waiting.inlet.take())
        };
        if let Some(inlet) = inlet {
            inlet.wake();
        }
        Ok(Step::More(Box::new(batch)))
    }
}

struct Renumber;

impl Decode for Renumber {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let morsel = morsel.downcast::<(usize, Batch)>();
        let (port, batch) = *morsel.map_err(|_| Error::internal("a morsel of another component"))?;
        out.put(port, Batch { seq, ..batch });
        Ok(())
    }
}
