//! Transformations that take their rows one batch after the other: what they do outside the flow has an order.
//!
//! Files are appended to in the order of the rows, whichever lane brought them. Such a component is a stage: its input
//! commits batches in sequence and does the work there, and hands what leaves its outputs over through a short queue. A
//! batch whose work is large (files of any size) is worked off in parts.

use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::flow::{
    Block, Commit, Committed, Decode, Encode, Fetch, Layout, Morsel, OpenCx, Ports, Sink, Source, Stage, StageEnds,
    Step, Waker,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What one step left, by output port; few, as each may be large.
const QUEUE: usize = 4;

/// A component that works on its rows in order.
pub(crate) trait Ordered: Send + Sync {
    /// Begins an execution.
    ///
    /// # Errors
    /// What cannot be opened.
    fn open(&self, cx: &OpenCx, input: &Layout) -> Result<Box<dyn OrderedRun>>;
}

/// One execution of an [`Ordered`] component.
pub(crate) trait OrderedRun: Send {
    /// Works on the first rows of a batch without selection, and puts what leaves; gives the rows back that it did not
    /// get to.
    ///
    /// # Errors
    /// A row that fails the component.
    fn apply(&mut self, batch: Batch, out: &mut Ports) -> Result<Option<Batch>>;

    /// Called once after the last row.
    ///
    /// # Errors
    /// What cannot be ended in order.
    fn finish(&mut self) -> Result<()>;
}

/// Makes a stage of an ordered component with `outputs` output ports.
pub(crate) struct OrderedStage<T> {
    component: Arc<T>,
    outputs: usize,
}

impl<T: Ordered + 'static> OrderedStage<T> {
    pub(crate) fn new(component: T, outputs: usize) -> OrderedStage<T> {
        OrderedStage { component: Arc::new(component), outputs }
    }
}

impl<T: Ordered + 'static> Stage for OrderedStage<T> {
    fn open(&self, _cx: &OpenCx, _inputs: &[Layout]) -> Result<StageEnds> {
        let queue = Arc::new(Queue::default());
        let inlet = Inlet { queue: queue.clone(), component: self.component.clone(), outputs: self.outputs };
        Ok((vec![Arc::new(inlet)], Arc::new(Outlet { queue })))
    }

    fn blocks(&self) -> bool {
        false
    }
}

/// What stands between input and outputs.
#[derive(Default)]
struct Queue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    /// By step, what each port got.
    steps: VecDeque<Vec<Option<Batch>>>,
    ended: bool,
    outlet: Option<Waker>,
    inlet: Option<Waker>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is room; if not, `waker` is called when there is.
    fn has_room(&self, waker: &Waker) -> bool {
        let mut waiting = self.lock();
        let room = waiting.steps.len() < QUEUE;
        if !room {
            waiting.inlet = Some(waker.clone());
        }
        room
    }

    fn put(&self, change: impl FnOnce(&mut Waiting)) {
        let outlet = {
            let mut waiting = self.lock();
            change(&mut waiting);
            waiting.outlet.take()
        };
        if let Some(outlet) = outlet {
            outlet.wake();
        }
    }
}

struct Inlet<T> {
    queue: Arc<Queue>,
    component: Arc<T>,
    outputs: usize,
}

impl<T: Ordered> Sink for Inlet<T> {
    fn open(&self, cx: &OpenCx, input: &Layout) -> Result<Box<dyn Commit>> {
        let run = self.component.open(cx, input)?;
        Ok(Box::new(InletEnd { queue: self.queue.clone(), run, outputs: self.outputs }))
    }

    fn encoder(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(Pass))
    }
}

/// Batches come compact, as the sink accepts no selection.
struct Pass;

impl Encode for Pass {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        Ok(Box::new(batch))
    }
}

struct InletEnd {
    queue: Arc<Queue>,
    run: Box<dyn OrderedRun>,
    outputs: usize,
}

impl Commit for InletEnd {
    fn commit(&mut self, block: Block, waker: &Waker) -> Result<Committed> {
        let mut batch = match block.downcast::<Batch>() {
            Ok(batch) => *batch,
            Err(_) => return Err(Error::internal("a block of another component")),
        };
        loop {
            if !self.queue.has_room(waker) {
                return Ok(Committed::Parked(Box::new(batch)));
            }
            let mut ports = Ports::new(self.outputs);
            let rest = self.run.apply(batch, &mut ports)?;
            let step: Vec<Option<Batch>> = (0..self.outputs).map(|port| ports.take(port)).collect();
            if step.iter().flatten().any(|batch| batch.selected() > 0) {
                self.queue.put(|waiting| waiting.steps.push_back(step));
            }
            match rest {
                Some(rest) => batch = rest,
                None => return Ok(Committed::Taken),
            }
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.run.finish()?;
        self.queue.put(|waiting| waiting.ended = true);
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
        let (step, inlet) = {
            let mut waiting = self.queue.lock();
            let Some(step) = waiting.steps.pop_front() else {
                if waiting.ended {
                    return Ok(Step::Done);
                }
                waiting.outlet = Some(waker.clone());
                return Ok(Step::Parked);
            };
            (step, waiting.inlet.take())
        };
        if let Some(inlet) = inlet {
            inlet.wake();
        }
        Ok(Step::More(Box::new(step)))
    }
}

struct Renumber;

impl Decode for Renumber {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let Ok(step) = morsel.downcast::<Vec<Option<Batch>>>() else {
            return Err(Error::internal("a morsel of another component"));
        };
        for (port, batch) in step.into_iter().enumerate() {
            if let Some(batch) = batch {
                out.put(port, Batch { seq, ..batch });
            }
        }
        Ok(())
    }
}
