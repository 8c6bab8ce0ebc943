//! How many tasks may run at once.

use crate::run::{CancelHook, CancelToken};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

/// The bound of MaxConcurrentExecutables. Only tasks take a permit: a container waits for its children without one, so
/// that a limit of 1 is enough for any nesting.
pub(super) struct Permits {
    free: Mutex<usize>,
    freed: Condvar,
    hook: OnceLock<CancelHook>,
}

impl Permits {
    /// `limit` permits; those who wait are woken by a cancellation.
    pub(super) fn new(limit: usize, cancel: &CancelToken) -> Arc<Permits> {
        let permits = Arc::new(Permits { free: Mutex::new(limit), freed: Condvar::new(), hook: OnceLock::new() });
        let weak = Arc::downgrade(&permits);
        let hook = cancel.on_cancel(move || {
            if let Some(permits) = weak.upgrade() {
                let _free = permits.free.lock().unwrap_or_else(PoisonError::into_inner);
                permits.freed.notify_all();
            }
        });
        let _ = permits.hook.set(hook);
        permits
    }

    /// Waits for a permit. None: the run was cancelled meanwhile.
    pub(super) fn take(self: &Arc<Permits>, cancel: &CancelToken) -> Option<Permit> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            if cancel.is_cancelled() {
                return None;
            }
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Some(Permit(self.clone()))
    }
}

/// Gives its permit back when it is dropped.
pub(super) struct Permit(Arc<Permits>);

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
