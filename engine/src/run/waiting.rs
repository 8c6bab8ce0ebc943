//! Threads that may wait, and where they meet the drivers, which never do.
//!
//! ```text
//! a source that waits:   own thread ── send ──▶ Handover ── poll_receive ──▶ Fetch::fetch on the pool
//! a sink that waits:     Commit::commit on the pool ── offer ──▶ Handover ── receive ──▶ own thread
//! ```

use super::services::{CancelHook, CancelToken, Services};
use crate::diag::{Error, Owner, Result};
use crate::flow::{Step, Waker};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A thread of a component's own. Dropping it does not wait for the thread; [`OwnThread::join`] does.
#[derive(Debug)]
pub struct OwnThread(JoinHandle<Result<()>>);

impl OwnThread {
    /// Waits until the thread ended.
    ///
    /// # Errors
    /// What its work said; an internal error if it panicked.
    pub fn join(self) -> Result<()> {
        self.0.join().unwrap_or_else(|_| Err(Error::internal("a thread ended in a panic")))
    }

    /// Whether the thread ended.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl Services {
    /// Runs `work` on a thread of its own, which may wait, and hands what it came to to `tell`, on that thread: a panic is
    /// told as an internal error, so that whoever waits for the thread hears of its end, however it ends. `tell` must not
    /// panic: nobody would be told then. `work` is expected to end when the run is cancelled: it reads the token, or
    /// [`CancelToken::on_cancel`] interrupts what it waits for.
    ///
    /// # Errors
    /// When the operating system gives no thread; nothing is told then.
    pub fn own_thread(
        &self,
        name: &str,
        work: impl FnOnce() -> Result<()> + Send + 'static,
        tell: impl FnOnce(&Result<()>) + Send + 'static,
    ) -> Result<OwnThread> {
        let guarded = move || {
            let done = catch_unwind(AssertUnwindSafe(work));
            let done = done.unwrap_or_else(|_| Err(Error::internal("a thread that waits for others panicked")));
            tell(&done);
            done
        };
        // Names of threads are cut to 15 bytes by some systems.
        let handle = std::thread::Builder::new().name(format!("dtsx-{name}")).spawn(guarded);
        let cannot = |e| Error::new(Owner::Environment, None, format!("cannot start a thread: {e}"));
        handle.map(OwnThread).map_err(cannot)
    }
}

/// What became of work that somebody waited for.
#[derive(Debug, PartialEq, Eq)]
pub enum Waited<T> {
    /// What it came to.
    Done(T),
    /// It took longer than it may.
    Late,
    /// The run was cancelled.
    Cancelled,
}

/// How often somebody who waits for work looks whether the run was cancelled.
const PULSE: Duration = Duration::from_millis(50);

impl CancelToken {
    /// Runs `work`, which nothing can interrupt, on a thread of its own and waits for it: until it is done, until `limit`
    /// is over, or until the run is cancelled. In the last two cases the thread is left behind, and what its work comes to
    /// is dropped there.
    ///
    /// # Errors
    /// When the operating system gives no thread; an internal error if the work panicked.
    pub fn wait_for<T: Send + 'static>(
        &self,
        name: &str,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Waited<T>> {
        let (sender, done) = mpsc::channel();
        let sent = move || {
            // Whoever waited may have gone.
            let _ = sender.send(work());
        };
        let spawned = std::thread::Builder::new().name(format!("dtsx-{name}")).spawn(sent);
        spawned.map_err(|e| Error::new(Owner::Environment, None, format!("cannot start a thread: {e}")))?;
        let begun = Instant::now();
        loop {
            let left = limit.saturating_sub(begun.elapsed());
            // With nothing left, it takes what came meanwhile.
            match done.recv_timeout(PULSE.min(left)) {
                Ok(result) => return Ok(Waited::Done(result)),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::internal("a thread that somebody waits for panicked"));
                }
                Err(RecvTimeoutError::Timeout) if self.is_cancelled() => return Ok(Waited::Cancelled),
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return Ok(Waited::Late),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// Does `work`, which only `interrupt` ends before its time, and interrupts it from another thread when it takes longer than
/// `limit`. Whether it was interrupted; without a thread to be had, it is not.
pub fn watched<T>(limit: Duration, interrupt: impl FnOnce() + Send, work: impl FnOnce() -> T) -> (T, bool) {
    std::thread::scope(|scope| {
        let (done, wait) = mpsc::channel::<()>();
        let watch = move || {
            let late = wait.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
            if late {
                interrupt();
            }
            late
        };
        let watching = std::thread::Builder::new().name("dtsx-watch".to_owned()).spawn_scoped(scope, watch);
        let result = work();
        drop(done);
        (result, watching.is_ok_and(|thread| thread.join().unwrap_or(false)))
    })
}

/// A bounded queue between a thread that waits and a driver that does not. Each side closes it when it goes away; a
/// failure of one side reaches the other as its error.
pub struct Handover<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    capacity: usize,
}

struct State<T> {
    items: VecDeque<T>,
    /// No more items come.
    ended: bool,
    /// Nobody takes items any more.
    abandoned: bool,
    failure: Option<Error>,
    /// The driver to wake when items, room or the end come.
    waker: Option<Waker>,
}

impl<T> Clone for Handover<T> {
    fn clone(&self) -> Self {
        Handover { shared: self.shared.clone() }
    }
}

impl<T: Send + 'static> Handover<T> {
    /// A queue of at most `capacity` items (at least one).
    pub fn new(capacity: usize) -> Handover<T> {
        let state = State { items: VecDeque::new(), ended: false, abandoned: false, failure: None, waker: None };
        Handover {
            shared: Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), capacity: capacity.max(1) }),
        }
    }

    /// Ends the waiting of either side when the run is cancelled, for as long as the guard lives.
    pub fn cancelled_by(&self, cancel: &CancelToken) -> CancelHook {
        let other = self.clone();
        cancel.on_cancel(move || other.fail(Error::cancelled()))
    }

    /// Puts an item in, waiting for room. For threads that may wait.
    ///
    /// # Errors
    /// What the other side failed with; cancelled, if nobody takes items any more.
    pub fn send(&self, item: T) -> Result<()> {
        let mut state = self.state();
        while state.items.len() >= self.shared.capacity && !state.abandoned && state.failure.is_none() {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        if state.abandoned {
            return Err(Error::cancelled());
        }
        state.items.push_back(item);
        self.tell(state);
        Ok(())
    }

    /// Takes the next item, waiting for one; None at the end. For threads that may wait.
    ///
    /// # Errors
    /// What the other side failed with.
    pub fn receive(&self) -> Result<Option<T>> {
        let mut state = self.state();
        loop {
            if let Some(failure) = &state.failure {
                return Err(failure.clone());
            }
            if let Some(item) = state.items.pop_front() {
                self.tell(state);
                return Ok(Some(item));
            }
            if state.ended {
                return Ok(None);
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes the next item, if there is one. For drivers. A queue that was abandoned has no end: what was in it is lost.
    ///
    /// # Errors
    /// What the other side failed with.
    pub fn poll_receive(&self, waker: &Waker) -> Result<Step<T>> {
        let mut state = self.state();
        if let Some(item) = state.items.pop_front() {
            self.tell(state);
            return Ok(Step::More(item));
        }
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        if state.ended && !state.abandoned {
            return Ok(Step::Done);
        }
        state.waker = Some(waker.clone());
        Ok(Step::Parked)
    }

    /// Puts an item in, if there is room; else gives it back, to be offered again when the waker was called. For drivers.
    ///
    /// # Errors
    /// What the other side failed with.
    pub fn offer(&self, item: T, waker: &Waker) -> Result<Option<T>> {
        let mut state = self.state();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        if state.abandoned {
            return Err(Error::cancelled());
        }
        if state.items.len() >= self.shared.capacity {
            state.waker = Some(waker.clone());
            return Ok(Some(item));
        }
        state.items.push_back(item);
        self.tell(state);
        Ok(None)
    }

    /// Says that no more items come.
    pub fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        self.tell(state);
    }

    /// Says that nobody takes items any more; what is in the queue is dropped.
    pub fn abandon(&self) {
        let mut state = self.state();
        state.abandoned = true;
        let dropped = std::mem::take(&mut state.items);
        self.tell(state);
        drop(dropped);
    }

    /// Says that one side failed: the other is told. The first failure counts.
    pub fn fail(&self, error: Error) {
        let mut state = self.state();
        state.failure.get_or_insert(error);
        self.tell(state);
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells both sides that something changed.
    fn tell(&self, mut state: MutexGuard<'_, State<T>>) {
        let waker = state.waker.take();
        drop(state);
        self.shared.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunOptions;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn services() -> Services {
        Services::new(RunOptions { threads: 1, ..RunOptions::default() }).unwrap()
    }

    #[test]
    fn what_is_watched_is_interrupted_when_its_time_is_over() {
        let interrupted = AtomicUsize::new(0);
        let count = || {
            interrupted.fetch_add(1, Ordering::SeqCst);
        };
        assert_eq!(watched(Duration::from_secs(1000), count, || 7), (7, false));
        assert_eq!(interrupted.load(Ordering::SeqCst), 0);
        let endless = || {
            while interrupted.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            8
        };
        assert_eq!(watched(Duration::from_millis(1), count, endless), (8, true));
        assert_eq!(interrupted.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn items_pass_in_order_and_the_end_follows() {
        let queue = Handover::new(2);
        let sender = queue.clone();
        let ending = queue.clone();
        let thread = services().own_thread(
            "t",
            move || (0..100).try_for_each(|n| sender.send(n)),
            move |done| {
                assert!(done.is_ok());
                ending.end();
            },
        );
        let mut taken = Vec::new();
        let waker = Waker::new(|| {});
        loop {
            match queue.poll_receive(&waker).unwrap() {
                Step::More(n) => taken.push(n),
                Step::Parked => std::thread::yield_now(),
                Step::Done => break,
            }
        }
        assert_eq!(taken, (0..100).collect::<Vec<_>>());
        thread.unwrap().join().unwrap();
    }

    #[test]
    fn a_full_queue_gives_the_item_back_and_wakes_when_there_is_room() {
        let queue = Handover::new(1);
        let woken = Arc::new(AtomicUsize::new(0));
        let count = woken.clone();
        let waker = Waker::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(queue.offer(1, &waker).unwrap(), None);
        assert_eq!(queue.offer(2, &waker).unwrap(), Some(2));
        assert_eq!(queue.receive().unwrap(), Some(1));
        assert_eq!(woken.load(Ordering::SeqCst), 1);
        assert_eq!(queue.offer(2, &waker).unwrap(), None);
        queue.end();
        assert_eq!((queue.receive().unwrap(), queue.receive().unwrap()), (Some(2), None));
    }

    #[test]
    fn failures_panics_and_cancelling_reach_the_other_side() {
        let queue: Handover<i32> = Handover::new(1);
        queue.fail(Error::internal("broken"));
        assert_eq!(queue.send(1).unwrap_err().message(), "broken");
        let services = services();
        let told: Handover<i32> = Handover::new(1);
        let telling = told.clone();
        let work = || {
            let nothing: Option<i32> = None;
            nothing.map(|_| ()).unwrap();
            Ok(())
        };
        let tell = move |done: &Result<()>| telling.fail(done.clone().unwrap_err());
        let thread = services.own_thread("t", work, tell);
        assert_eq!(told.receive().unwrap_err().owner(), Owner::Internal);
        assert_eq!(thread.unwrap().join().unwrap_err().owner(), Owner::Internal);
        let waiting: Handover<i32> = Handover::new(1);
        let _guard = waiting.cancelled_by(&services.cancel);
        let receiver = waiting.clone();
        let thread = services.own_thread("t", move || receiver.receive().map(|_| ()), |_| {}).unwrap();
        services.cancel.cancel();
        assert_eq!(thread.join().unwrap_err().owner(), Owner::Cancelled);
    }

    #[test]
    fn a_sender_without_receiver_ends() {
        let queue = Handover::new(1);
        queue.send(1).unwrap();
        queue.abandon();
        assert_eq!(queue.send(2).unwrap_err().owner(), Owner::Cancelled);
    }

    #[test]
    fn a_queue_whose_items_were_dropped_has_no_end() {
        let waker = Waker::new(|| {});
        for ended_first in [false, true] {
            let queue = Handover::new(1);
            queue.send(1).unwrap();
            if ended_first {
                queue.end();
            }
            queue.abandon();
            queue.end();
            assert!(matches!(queue.poll_receive(&waker).unwrap(), Step::Parked));
        }
    }

    #[test]
    fn work_that_does_not_end_is_left_behind() {
        let (cancel, hour) = (CancelToken::default(), Duration::from_secs(3600));
        assert_eq!(cancel.wait_for("quick", hour, || 7).unwrap(), Waited::Done(7));
        let stuck = move || std::thread::sleep(hour);
        assert_eq!(cancel.wait_for("stuck", Duration::from_millis(1), stuck).unwrap(), Waited::Late);
        let panics = cancel.wait_for("panics", hour, || panic!("on purpose"));
        assert_eq!(panics.map(|_: Waited<()>| ()).unwrap_err().owner(), Owner::Internal);
        cancel.cancel();
        assert_eq!(cancel.wait_for("stuck", hour, stuck).unwrap(), Waited::Cancelled);
    }
}
