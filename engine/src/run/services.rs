//! Services that a run lends to components and tasks.

use super::PathMap;
use crate::batch::Batch;
use crate::diag::{Error, Result};
use crate::flow::Layout;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Says that a run should end; cheap to clone and to read. [`CancelToken::on_cancel`] hooks interrupt what waits.
#[derive(Clone, Default)]
pub struct CancelToken(Arc<CancelState>);

#[derive(Default)]
struct CancelState {
    cancelled: AtomicBool,
    hooks: Mutex<HashMap<u64, Hook>>,
    next: AtomicU64,
}

type Hook = Arc<dyn Fn() + Send + Sync>;

/// Does what may itself wait, as asking a server does, on a thread of its own that nobody waits for; here, if there is no
/// thread to be had.
pub fn apart(work: &Arc<dyn Fn() + Send + Sync>) {
    let own = work.clone();
    if std::thread::Builder::new().name("dtsx-apart".to_owned()).spawn(move || own()).is_err() {
        work();
    }
}

/// Keeps a hook of [`CancelToken::on_cancel`]; dropping it removes the hook.
#[must_use = "the hook is removed when this is dropped"]
pub struct CancelHook {
    token: CancelToken,
    id: u64,
}

impl Drop for CancelHook {
    fn drop(&mut self) {
        self.token.hooks().remove(&self.id);
    }
}

impl CancelToken {
    /// Asks for the end, and runs every hook once.
    pub fn cancel(&self) {
        if !self.0.cancelled.swap(true, Ordering::SeqCst) {
            let hooks: Vec<Hook> = self.hooks().values().cloned().collect();
            for hook in hooks {
                hook();
            }
        }
    }

    /// Whether the end was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    /// `Err(cancelled)` if the end was asked for.
    ///
    /// # Errors
    /// [`Error::cancelled`].
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// Runs `hook` when the end is asked for (at once if it was), until the guard is dropped.
    pub fn on_cancel(&self, hook: impl Fn() + Send + Sync + 'static) -> CancelHook {
        let hook: Hook = Arc::new(hook);
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.hooks().insert(id, hook.clone());
        if self.is_cancelled() {
            hook();
        }
        CancelHook { token: self.clone(), id }
    }

    /// The same for a hook that may itself wait, as one that asks a server does: it runs on a thread of its own, which
    /// nobody waits for, so that it holds up neither whoever cancels nor the other hooks.
    pub fn on_cancel_apart(&self, hook: impl Fn() + Send + Sync + 'static) -> CancelHook {
        let hook: Hook = Arc::new(hook);
        self.on_cancel(move || apart(&hook))
    }

    fn hooks(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Hook>> {
        self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Switches that make the unhappy paths of the scheduler common; for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChaosOptions {
    /// Park drivers every few steps and wake them later.
    pub park: bool,
}

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Threads of the pool; 0: one a core.
    pub threads: usize,
    /// Cut batches to at most this many rows; None: as large as their source makes them.
    pub batch_rows: Option<usize>,
    /// Make the unhappy paths common.
    pub chaos: ChaosOptions,
    /// Bytes that a run may hold rows in; None: no limit. Holders share what the blocks in flight leave of it.
    pub memory: Option<usize>,
    /// The folder for rows that do not fit; None: `$DTSX_TEMP`, or else the system's for temporary files.
    pub temp: Option<PathBuf>,
    /// Believe an input that says it is sorted, as the original does, instead of checking its rows.
    pub trust_sorted: bool,
}

/// Bytes that a lane of a flow needs beside what holders reserve: blocks between reading and writing.
const LANE: usize = 24 << 20;

/// What holders may reserve of `memory`, which bounds the whole process: not the blocks in flight, and not an eighth, for what
/// the allocator keeps of what was given back to it; but at least half.
fn for_holders(memory: usize, lanes: usize) -> usize {
    (memory - memory / 8).saturating_sub((lanes + 2).saturating_mul(LANE)).max(memory / 2)
}

/// Takes the rows of a DataReader destination, in order. It may block its caller's commit only by returning `false`
/// ("full, I will call the waker"); it never waits.
pub trait ReaderSink: Send + Sync {
    /// Says which columns will come; called once before the first batch.
    fn begin(&self, layout: &Layout);
    /// Offers a batch; gives it back if there is no room now, and then calls `wake` when there is.
    ///
    /// # Errors
    /// When the client has gone away: the run ends.
    fn offer(&self, batch: Batch, wake: &crate::flow::Waker) -> Result<Option<Batch>>;
    /// No more batches.
    fn finish(&self);
}

/// What a run lends to its components and tasks.
#[derive(Clone)]
pub struct Services {
    /// Path prefix rules.
    pub paths: Arc<PathMap>,
    /// Says when to end.
    pub cancel: CancelToken,
    /// How to run.
    pub options: RunOptions,
    /// The pool on which drivers run; nothing on it ever waits.
    pub pool: Arc<rayon::ThreadPool>,
    /// The clients of DataReader destinations, by the destination's name.
    pub readers: Arc<HashMap<String, Arc<dyn ReaderSink>>>,
    /// Bytes that the holders of rows share.
    pub memory: Arc<crate::memory::Budget>,
    /// What the data flows and tasks of this execution share.
    pub shared: Arc<super::Shared>,
    /// Where rows go that the budget has no room for.
    pub spill: Arc<crate::memory::SpillManager>,
    /// The transaction that what runs works in. Each task and each data flow has its own answer.
    pub transaction: Option<Arc<super::Transaction>>,
}

impl Services {
    /// Services with a pool of `options.threads` threads.
    ///
    /// # Errors
    /// When the operating system gives no threads.
    pub fn new(options: RunOptions) -> Result<Services> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads)
            .thread_name(|i| format!("dtsx-{i}"))
            .build()
            .map_err(|e| Error::new(crate::diag::Owner::Environment, None, format!("cannot start threads: {e}")))?;
        Ok(Services {
            paths: Arc::default(),
            cancel: CancelToken::default(),
            memory: Arc::new(crate::memory::Budget::new(
                options.memory.map(|memory| for_holders(memory, pool.current_num_threads())),
            )),
            spill: Arc::new(crate::memory::SpillManager::new(options.temp.clone())),
            options,
            pool: Arc::new(pool),
            readers: Arc::default(),
            shared: Arc::default(),
            transaction: None,
        })
    }
}
