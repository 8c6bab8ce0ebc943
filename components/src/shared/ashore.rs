//! Stages whose work waits: for a database, mostly.
//!
//! ```text
//! lanes of the input          a thread of the component's own         lanes of the outputs
//! prepare(batch) → block ──▶  Work::take(block), in order  ── part ──▶  emit(seq, part, out)
//! ```
//!
//! Two short queues stand between the pool and the thread, which alone waits. The flow ends when the thread has ended:
//! after the last block it finishes; when the flow fails elsewhere it takes what it was handed, in order, and aborts, so
//! that what a run leaves behind depends on its rows and not on the speed of its lanes. Cancelling ends it at once.

use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::flow::{
    Block, Commit, Committed, Decode, Encode, Ended, Fetch, Layout, Morsel, OpenCx, Ports, Sink, Source, StageEnds,
    Step, Waker,
};
use dtsx_engine::run::Handover;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Blocks before the thread, and parts behind it: one is worked on, one waits, one is made.
const QUEUE: usize = 2;

/// Where a thread's parts leave.
pub(crate) type Outbox<P> = Handover<P>;

/// What is done on the thread.
pub(crate) trait Work<B, P>: Send {
    /// Takes the next block, and sends what leaves.
    ///
    /// # Errors
    /// A row that fails the component; what it waits for failed.
    fn take(&mut self, block: B, out: &Outbox<P>) -> Result<()>;

    /// Called once after the last block.
    ///
    /// # Errors
    /// As `take`.
    fn finish(&mut self, out: &Outbox<P>) -> Result<()>;

    /// Called instead of (or after) `finish` when something failed.
    fn abort(&mut self);
}

/// Makes a block of a batch without selection, on any lane.
pub(crate) type Prepare<B> = Arc<dyn Fn(Batch) -> Result<B> + Send + Sync>;
/// Puts a part where it leaves, with that sequence number; on any lane.
pub(crate) type Emit<P> = Arc<dyn Fn(u64, P, &mut Ports) -> Result<()> + Send + Sync>;

/// The ends of one execution of a stage with one input.
pub(crate) fn ends<B: Send + 'static, P: Send + 'static>(
    prepare: Prepare<B>,
    work: impl Work<B, P> + 'static,
    emit: Emit<P>,
) -> StageEnds {
    let shore = Arc::new(Shore {
        work: Mutex::new(Some(Box::new(work))),
        blocks: Handover::new(QUEUE),
        parts: Handover::new(QUEUE),
        prepare,
        emit,
    });
    (vec![Arc::new(Inlet(shore.clone()))], Arc::new(Outlet(shore)))
}

struct Shore<B, P> {
    /// Until the thread takes it.
    work: Mutex<Option<Box<dyn Work<B, P>>>>,
    blocks: Handover<B>,
    parts: Handover<P>,
    prepare: Prepare<B>,
    emit: Emit<P>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the thread came to, and who waits for it.
#[derive(Default)]
struct End(Mutex<(Option<Result<()>>, Option<Waker>)>);

impl End {
    fn tell(&self, outcome: Result<()>) {
        let waker = {
            let mut end = lock(&self.0);
            end.0.get_or_insert(outcome);
            end.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

struct Inlet<B, P>(Arc<Shore<B, P>>);

impl<B: Send + 'static, P: Send + 'static> Sink for Inlet<B, P> {
    fn open(&self, cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Commit>> {
        let shore = self.0.clone();
        let Some(work) = lock(&shore.work).take() else {
            return Err(Error::internal("an input is opened a second time"));
        };
        let end = Arc::new(End::default());
        let aborted = Arc::new(AtomicBool::new(false));
        let commit = Inbox { shore: shore.clone(), end: end.clone(), aborted: aborted.clone() };
        let cancel = cx.services.cancel.clone();
        let (thread, flag) = (shore.clone(), aborted.clone());
        let work = move || {
            let _hooks = (thread.blocks.cancelled_by(&cancel), thread.parts.cancelled_by(&cancel));
            thread.run(work, &flag)
        };
        cx.services.own_thread("writer", work, move |done| {
            match done {
                Ok(()) if !aborted.load(Ordering::SeqCst) => shore.parts.end(),
                // The outputs wait on: the flow stops by the failure of another.
                Ok(()) => {}
                // … or of the input.
                Err(error) => shore.blocks.fail(error.clone()),
            }
            end.tell(done.clone());
        })?;
        Ok(Box::new(commit))
    }

    fn encoder(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(Preparing(self.0.clone())))
    }
}

// What the thread does.
impl<B: Send + 'static, P: Send + 'static> Shore<B, P> {
    /// Does everything. The work is dropped at the end: what it holds is free before the flow goes on.
    fn run(&self, mut work: Box<dyn Work<B, P>>, aborted: &AtomicBool) -> Result<()> {
        let done = self.work(&mut *work, aborted);
        if done.is_err() || aborted.load(Ordering::SeqCst) {
            work.abort();
        }
        done
    }

    fn work(&self, work: &mut dyn Work<B, P>, aborted: &AtomicBool) -> Result<()> {
        while let Some(block) = self.blocks.receive()? {
            work.take(block, &self.parts)?;
        }
        if aborted.load(Ordering::SeqCst) { Ok(()) } else { work.finish(&self.parts) }
    }
}

struct Preparing<B, P>(Arc<Shore<B, P>>);

impl<B: Send + 'static, P: Send + 'static> Encode for Preparing<B, P> {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        Ok(Box::new((self.0.prepare)(batch)?))
    }
}

struct Inbox<B: Send + 'static, P: Send + 'static> {
    shore: Arc<Shore<B, P>>,
    end: Arc<End>,
    aborted: Arc<AtomicBool>,
}

impl<B: Send + 'static, P: Send + 'static> Commit for Inbox<B, P> {
    fn commit(&mut self, block: Block, waker: &Waker) -> Result<Committed> {
        let block = block.downcast::<B>().map_err(|_| Error::internal("a block of another component"))?;
        Ok(match self.shore.blocks.offer(*block, waker)? {
            None => Committed::Taken,
            Some(block) => Committed::Parked(Box::new(block)),
        })
    }

    fn finish(&mut self) -> Result<()> {
        self.shore.blocks.end();
        Ok(())
    }

    fn abort(&mut self) {
        self.aborted.store(true, Ordering::SeqCst);
        // Nobody takes the parts any more, perhaps; the thread must not wait for that. They are lost: their queue never
        // ends, so that nobody takes what came before for everything.
        self.shore.parts.abandon();
        self.shore.blocks.end();
    }

    fn ended(&mut self, waker: &Waker) -> Result<Ended> {
        let mut end = lock(&self.end.0);
        match end.0.take() {
            Some(outcome) => outcome.map(|()| Ended::Done),
            None => {
                end.1 = Some(waker.clone());
                Ok(Ended::Parked)
            }
        }
    }
}

struct Outlet<B, P>(Arc<Shore<B, P>>);

impl<B: Send + 'static, P: Send + 'static> Source for Outlet<B, P> {
    fn open(&self, _cx: &OpenCx) -> Result<Box<dyn Fetch>> {
        Ok(Box::new(Outgoing(self.0.clone())))
    }

    fn decoder(&self, _cx: &OpenCx, _outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Emitting(self.0.clone())))
    }
}

struct Outgoing<B, P>(Arc<Shore<B, P>>);

impl<B: Send + 'static, P: Send + 'static> Fetch for Outgoing<B, P> {
    fn fetch(&mut self, waker: &Waker) -> Result<Step<Morsel>> {
        Ok(match self.0.parts.poll_receive(waker)? {
            Step::More(part) => Step::More(Box::new(part)),
            Step::Parked => Step::Parked,
            Step::Done => Step::Done,
        })
    }
}

struct Emitting<B, P>(Arc<Shore<B, P>>);

impl<B: Send + 'static, P: Send + 'static> Decode for Emitting<B, P> {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let part = morsel.downcast::<P>().map_err(|_| Error::internal("a morsel of another component"))?;
        (self.0.emit)(seq, *part, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::testing::{Recorder, open_cx};

    /// Sends each block on, but for a block of that many rows, at which it panics.
    struct Passing {
        panics_at: usize,
    }

    impl Work<Batch, Batch> for Passing {
        fn take(&mut self, block: Batch, out: &Outbox<Batch>) -> Result<()> {
            assert!(block.rows != self.panics_at, "a bad block");
            out.send(block)
        }

        fn finish(&mut self, _out: &Outbox<Batch>) -> Result<()> {
            Ok(())
        }

        fn abort(&mut self) {}
    }

    /// The halves of a stage whose thread runs.
    fn opened(panics_at: usize) -> (Box<dyn Commit>, Box<dyn Fetch>) {
        let cx = open_cx(&Arc::new(Recorder::default()));
        let emit: Emit<Batch> = Arc::new(|_, _, _| Ok(()));
        let (sinks, source) = ends(Arc::new(Ok), Passing { panics_at }, emit);
        (sinks[0].open(&cx, &Layout::default()).unwrap(), source.open(&cx).unwrap())
    }

    /// Waits until the thread has ended.
    fn ended(commit: &mut dyn Commit) -> Result<()> {
        let (told, tells) = std::sync::mpsc::channel();
        let waker = Waker::new(move || told.send(()).unwrap());
        while commit.ended(&waker)? == Ended::Parked {
            tells.recv().unwrap();
        }
        Ok(())
    }

    fn offer(commit: &mut dyn Commit, rows: usize) {
        let block = Box::new(Batch::new(0, rows, Vec::new()));
        assert!(matches!(commit.commit(block, &Waker::new(|| {})).unwrap(), Committed::Taken));
    }

    #[test]
    fn an_input_that_was_aborted_is_no_complete_one() {
        // Before or after it was told to finish, if it had not ended.
        for finishes in [false, true] {
            let (mut commit, mut fetch) = opened(0);
            offer(&mut *commit, 1);
            if finishes {
                commit.finish().unwrap();
            }
            commit.abort();
            let _ = ended(&mut *commit);
            let next = loop {
                match fetch.fetch(&Waker::new(|| {})).unwrap() {
                    Step::More(_) => {}
                    step => break step,
                }
            };
            assert!(matches!(next, Step::Parked), "{finishes}: {next:?}");
        }
    }

    #[test]
    fn a_panic_of_the_thread_fails_the_input() {
        let (mut commit, mut fetch) = opened(2);
        offer(&mut *commit, 2);
        commit.finish().unwrap();
        assert_eq!(ended(&mut *commit).unwrap_err().owner(), dtsx_engine::diag::Owner::Internal);
        assert!(matches!(fetch.fetch(&Waker::new(|| {})).unwrap(), Step::Parked));
    }
}
