//! One lane of one pipeline.

use super::super::contract::{Apply, Block, Decode, Encode, Morsel, Ports, Step, Waker};
use super::failure::Failure;
use super::leaf::{Drained, Leaf};
use super::run::{FlowShared, PipelineRun, RunTarget};
use crate::batch::Batch;
use crate::diag::{Error, Result};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Morsels after which a driver goes to the back of the pool's queue, so that every pipeline gets its turn.
const TURN: usize = 16;

/// A lane: its own halves of the source, the inline components and the sinks of its pipeline.
pub(super) struct Driver {
    pub pipeline: Arc<PipelineRun>,
    pub decoder: Box<dyn Decode>,
    pub applies: Vec<Box<dyn Apply>>,
    pub encoders: Vec<Box<dyn Encode>>,
    /// Reused output ports: of the source, then of each inline component.
    pub ports: Vec<Ports>,
    /// Blocks made from the current morsel, by leaf.
    pub blocks: Vec<VecDeque<Block>>,
}

enum Next {
    Work(u64, Morsel),
    /// Another lane is at the source, and wakes one of the parked when it leaves.
    Busy,
    Park,
    End,
}

impl Driver {
    /// Runs until there is nothing to do.
    pub fn run(mut self) {
        let pipeline = self.pipeline.clone();
        let chaos = pipeline.flow.services.options.chaos.park;
        for turn in 0.. {
            if turn == TURN || (chaos && turn % 3 == 2) {
                pipeline.flow.services.pool.spawn_fifo(move || self.run());
                return;
            }
            match pipeline.next() {
                Next::Work(seq, morsel) => self.work(seq, morsel),
                Next::Park | Next::Busy => match pipeline.park(self) {
                    Some(driver) => self = driver,
                    None => return,
                },
                Next::End => {
                    drop(self);
                    pipeline.retire();
                    return;
                }
            }
        }
    }

    fn work(&mut self, seq: u64, morsel: Morsel) {
        let pipeline = self.pipeline.clone();
        let outcome = catch_unwind(AssertUnwindSafe(|| self.process(seq, morsel)));
        let outcome = outcome.unwrap_or_else(|panic| Err(panic_error(panic.as_ref())));
        match outcome {
            Ok(()) => {
                for (leaf, blocks) in pipeline.leaves.iter().zip(&mut self.blocks) {
                    leaf.deliver(seq, std::mem::take(blocks));
                }
                pipeline.decoded(seq);
                for index in 0..pipeline.leaves.len() {
                    if pipeline.flow.services.options.chaos.park && (seq + index as u64) % 2 == 1 {
                        let pipeline = pipeline.clone();
                        pipeline.flow.clone().services.pool.spawn_fifo(move || pipeline.drain(index));
                    } else {
                        pipeline.drain(index);
                    }
                }
            }
            Err(error) => {
                self.blocks.iter_mut().for_each(VecDeque::clear);
                pipeline.failure.fail(seq, error);
                pipeline.wake_all();
            }
        }
    }

    fn process(&mut self, seq: u64, morsel: Morsel) -> Result<()> {
        let pipeline = self.pipeline.clone();
        let flow = &pipeline.flow;
        let root = pipeline.root;
        let started = Instant::now();
        let mut ports = std::mem::take(&mut self.ports[0]);
        let decoded = self.decoder.decode(seq, morsel, &mut ports);
        flow.metrics.worked(root, started.elapsed());
        flow.metrics.left_out(root, ports.take_left_out());
        let rows = ports.take_rows_read();
        pipeline.failure.count(seq, rows);
        decoded.map_err(|e| e.at(&flow.plan.nodes[root].spec.path))?;
        for (port, targets) in pipeline.targets.iter().enumerate() {
            if let Some(batch) = ports.take(port) {
                flow.metrics.sent(root, port, batch.selected());
                self.cut_and_send(batch, targets)?;
            }
        }
        self.ports[0] = ports;
        Ok(())
    }

    /// Sends a batch on, in pieces if the run asks for small ones.
    fn cut_and_send(&mut self, batch: Batch, targets: &[RunTarget]) -> Result<()> {
        match self.pipeline.flow.services.options.batch_rows {
            Some(limit) if batch.rows > limit.max(1) => {
                let batch = batch.compact()?;
                let limit = limit.max(1);
                for offset in (0..batch.rows).step_by(limit) {
                    self.send(batch.slice(offset, limit.min(batch.rows - offset)), targets)?;
                }
                Ok(())
            }
            _ => self.send(batch, targets),
        }
    }

    fn send(&mut self, batch: Batch, targets: &[RunTarget]) -> Result<()> {
        if batch.selected() == 0 {
            return Ok(());
        }
        let Some((last, others)) = targets.split_last() else { return Ok(()) };
        for target in others {
            self.deliver(batch.clone(), target)?;
        }
        self.deliver(batch, last)
    }

    // Recursive over the tree of fused components, whose depth the loader caps.
    fn deliver(&mut self, batch: Batch, target: &RunTarget) -> Result<()> {
        let pipeline = self.pipeline.clone();
        let flow = &pipeline.flow;
        match target {
            RunTarget::Leaf { leaf, selection, tap } => {
                let node = pipeline.leaves[*leaf].node;
                let batch = if *selection { batch } else { batch.compact()? };
                if !tap {
                    flow.metrics.received(node, batch.selected());
                }
                let started = Instant::now();
                let block = self.encoders[*leaf].encode(batch).map_err(|e| e.at(&flow.plan.nodes[node].spec.path))?;
                flow.metrics.worked(node, started.elapsed());
                self.blocks[*leaf].push_back(block);
                Ok(())
            }
            RunTarget::Inline { node, apply, selection, outputs } => {
                let batch = if *selection { batch } else { batch.compact()? };
                flow.metrics.received(*node, batch.selected());
                let mut ports = std::mem::take(&mut self.ports[apply + 1]);
                let started = Instant::now();
                self.applies[*apply].apply(batch, &mut ports).map_err(|e| e.at(&flow.plan.nodes[*node].spec.path))?;
                flow.metrics.worked(*node, started.elapsed());
                flow.metrics.left_out(*node, ports.take_left_out());
                for (port, targets) in outputs.iter().enumerate() {
                    if let Some(batch) = ports.take(port) {
                        flow.metrics.sent(*node, port, batch.selected());
                        self.send(batch, targets)?;
                    }
                }
                self.ports[apply + 1] = ports;
                Ok(())
            }
        }
    }
}

fn panic_error(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic".to_owned());
    Error::internal(format!("internal error: {text}"))
}

impl PipelineRun {
    /// What a driver does next. Never waits.
    fn next(self: &Arc<Self>) -> Next {
        let next = self.try_next();
        if matches!(next, Next::Busy) {
            return Next::Park;
        }
        // Whoever found the source busy parked, and a wake that was meant for the source may have met it: pass it on,
        // now that the source is free again.
        if self.contended.swap(false, Ordering::SeqCst) {
            self.wake();
        }
        next
    }

    fn try_next(self: &Arc<Self>) -> Next {
        if self.stopped() {
            return Next::End;
        }
        let half = self.fetch.try_lock().ok().or_else(|| {
            self.contended.store(true, Ordering::SeqCst);
            // It may have been freed before that was seen.
            self.fetch.try_lock().ok()
        });
        let Some(mut half) = half else { return Next::Busy };
        if half.done || self.stopped() {
            return Next::End;
        }
        if half.next - self.completed() >= super::window(self.lanes) {
            return Next::Park;
        }
        let waker = self.waker();
        let fetched = catch_unwind(AssertUnwindSafe(|| half.fetch.fetch(&waker)))
            .unwrap_or_else(|panic| Err(panic_error(panic.as_ref())));
        match fetched {
            Ok(Step::More(morsel)) => {
                let seq = half.next;
                half.next += 1;
                self.fetched.store(half.next, Ordering::SeqCst);
                drop(half);
                self.wake();
                Next::Work(seq, morsel)
            }
            Ok(Step::Parked) => Next::Park,
            Ok(Step::Done) => {
                half.done = true;
                drop(half);
                self.wake_all();
                Next::End
            }
            Err(error) => {
                let seq = half.next;
                half.done = true;
                drop(half);
                self.failure.fail(seq, error.at(&self.flow.plan.nodes[self.root].spec.path));
                self.wake_all();
                Next::End
            }
        }
    }

    /// Sequence numbers below this one are through with every leaf.
    fn completed(&self) -> u64 {
        self.leaves.iter().map(Leaf::committed).min().unwrap_or_else(|| self.decoded.load(Ordering::SeqCst))
    }

    /// Counts a morsel that was decoded; what bounds a pipeline without leaves.
    fn decoded(&self, _seq: u64) {
        self.decoded.fetch_add(1, Ordering::SeqCst);
        if self.leaves.is_empty() {
            self.wake();
        }
    }

    /// Commits what is in sequence at leaf `index`.
    pub fn drain(self: &Arc<Self>, index: usize) {
        let leaf = &self.leaves[index];
        let pipeline = Arc::downgrade(self);
        let waker = Waker::new(move || {
            if let Some(pipeline) = pipeline.upgrade() {
                let flow: Arc<FlowShared> = pipeline.flow.clone();
                flow.services.pool.spawn_fifo(move || pipeline.drain(index));
            }
        });
        if self.stopped() && self.flow.stopping() {
            return self.maybe_complete();
        }
        let drained = catch_unwind(AssertUnwindSafe(|| leaf.drain(&waker)))
            .unwrap_or_else(|panic| Err(panic_error(panic.as_ref())));
        match drained {
            Ok(Drained::Idle { advanced } | Drained::Parked { advanced }) => {
                if advanced {
                    self.wake();
                }
            }
            Err(error) => {
                let seq = Failure::place(&error).unwrap_or_else(|| leaf.committed());
                self.failure.fail(seq, error.at(&self.flow.plan.nodes[leaf.node].spec.path));
                self.wake_all();
            }
        }
        self.maybe_complete();
    }

    /// Whether this pipeline should fetch no more.
    pub fn stopped(&self) -> bool {
        self.failure.has_failed() || self.flow.stopping()
    }

    fn waker(self: &Arc<Self>) -> Waker {
        let pipeline = Arc::downgrade(self);
        Waker::new(move || {
            if let Some(pipeline) = pipeline.upgrade() {
                pipeline.wake();
            }
        })
    }

    /// Parks a driver, unless there was a wake since it last looked.
    fn park(self: &Arc<Self>, driver: Driver) -> Option<Driver> {
        let mut sched = self.sched();
        if std::mem::take(&mut sched.notified) || self.stopped() {
            return Some(driver);
        }
        sched.parked.push(driver);
        None
    }

    /// Wakes one parked driver; if none is parked, the next one that wants to park goes on instead.
    pub fn wake(&self) {
        let driver = {
            let mut sched = self.sched();
            let driver = sched.parked.pop();
            sched.notified = driver.is_none();
            driver
        };
        if let Some(driver) = driver {
            self.flow.services.pool.spawn_fifo(move || driver.run());
        }
    }

    /// Wakes every parked driver.
    pub fn wake_all(&self) {
        let drivers = {
            let mut sched = self.sched();
            sched.notified = true;
            std::mem::take(&mut sched.parked)
        };
        for driver in drivers {
            self.flow.services.pool.spawn_fifo(move || driver.run());
        }
    }

    fn retire(self: &Arc<Self>) {
        self.retired.fetch_add(1, Ordering::SeqCst);
        // The next one may be parked for want of a credit that will not come any more.
        self.wake_all();
        self.maybe_complete();
    }
}
