//! The end of a pipeline: blocks come in any order from the lanes and are committed in sequence order.

use super::super::contract::{Block, Commit, Committed, Ended, Waker};
use crate::diag::Result;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Reorders and commits.
pub(super) struct Leaf {
    /// The component behind it (of a tap: the tapped one), for messages.
    pub node: usize,
    state: Mutex<LeafState>,
    commit: Mutex<Box<dyn Commit>>,
    /// Sequence numbers below this one are committed.
    committed: AtomicU64,
}

struct LeafState {
    pending: BTreeMap<u64, VecDeque<Block>>,
    /// Somebody is committing and will look again before it leaves.
    busy: bool,
    /// Somebody else came while one was committing: perhaps the sink's waker, which is called only once.
    again: bool,
}

/// What draining came to.
pub(super) enum Drained {
    /// Everything in sequence was committed; `advanced` says whether anything was.
    Idle { advanced: bool },
    /// The sink has no room now, and will call the waker.
    Parked { advanced: bool },
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Leaf {
    pub fn new(node: usize, commit: Box<dyn Commit>) -> Leaf {
        Leaf {
            node,
            state: Mutex::new(LeafState { pending: BTreeMap::new(), busy: false, again: false }),
            commit: Mutex::new(commit),
            committed: AtomicU64::new(0),
        }
    }

    /// Sequence numbers below this one are committed.
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::SeqCst)
    }

    /// Takes all blocks of `seq` (perhaps none), to be committed when their turn comes.
    pub fn deliver(&self, seq: u64, blocks: VecDeque<Block>) {
        lock(&self.state).pending.insert(seq, blocks);
    }

    /// Commits all that is in sequence, unless somebody else is at it.
    pub fn drain(&self, waker: &Waker) -> Result<Drained> {
        let mut advanced = false;
        loop {
            let (next, mut blocks) = {
                let mut state = lock(&self.state);
                let next = self.committed();
                if state.busy {
                    state.again = true;
                    return Ok(Drained::Idle { advanced });
                }
                let Some(blocks) = state.pending.remove(&next) else { return Ok(Drained::Idle { advanced }) };
                state.busy = true;
                state.again = false;
                (next, blocks)
            };
            let outcome = self.commit_all(&mut blocks, waker);
            let mut state = lock(&self.state);
            state.busy = false;
            match outcome {
                Ok(true) => {
                    self.committed.store(next + 1, Ordering::SeqCst);
                    advanced = true;
                }
                Ok(false) => {
                    state.pending.insert(next, blocks);
                    if !state.again {
                        return Ok(Drained::Parked { advanced });
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Commits `blocks` from the front; false if the sink parked (the rest stays).
    fn commit_all(&self, blocks: &mut VecDeque<Block>, waker: &Waker) -> Result<bool> {
        let mut commit = lock(&self.commit);
        while let Some(block) = blocks.pop_front() {
            if let Committed::Parked(block) = commit.commit(block, waker)? {
                blocks.push_front(block);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Ends the sink in order.
    pub fn finish(&self) -> Result<()> {
        lock(&self.commit).finish()
    }

    /// Whether the sink has ended, after [`Leaf::finish`] or [`Leaf::abort`].
    pub fn ended(&self, waker: &Waker) -> Result<Ended> {
        lock(&self.commit).ended(waker)
    }

    /// Ends the sink after a failure; what waits is dropped.
    pub fn abort(&self) {
        lock(&self.state).pending.clear();
        lock(&self.commit).abort();
    }

    /// Lets go of the sink, which has ended, and of all that it holds.
    pub fn close(&self) {
        lock(&self.state).pending.clear();
        *lock(&self.commit) = Box::new(Closed);
    }
}

/// Stands for a sink that has ended.
struct Closed;

impl Commit for Closed {
    // A lane may still have had one in hand when the run was stopped.
    fn commit(&mut self, _block: Block, _waker: &Waker) -> Result<Committed> {
        Ok(Committed::Taken)
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
