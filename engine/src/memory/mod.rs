//! The budget that holders of rows share, and the disk behind it. A holder reserves before it allocates, and spills when
//! it is refused.

mod spill;

pub use spill::{
    BlockFile, BlockReader, BlockWriter, ScratchFile, SpillFile, SpillManager, SpillReader, SpillWriter, TEMP_VARIABLE,
};

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A number of bytes to share, and how much of it is taken.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
}

impl Budget {
    /// A budget of `limit` bytes; None: no limit.
    pub fn new(limit: Option<usize>) -> Budget {
        Budget { limit: limit.unwrap_or(usize::MAX), used: AtomicUsize::new(0), peak: AtomicUsize::new(0) }
    }

    /// An empty reservation in the name of a holder.
    pub fn reservation(self: &Arc<Self>) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }

    /// Bytes that may be taken; None: no limit.
    pub fn limit(&self) -> Option<usize> {
        (self.limit != usize::MAX).then_some(self.limit)
    }

    /// Bytes taken now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The most bytes that were ever taken at once.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }
}

/// Bytes taken from a budget; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Reservation {
    /// Takes `more` bytes, or says that there are not so many left.
    #[must_use = "a refused holder has to spill"]
    pub fn try_grow(&mut self, more: usize) -> bool {
        let limit = self.budget.limit;
        let taken = self.budget.used.fetch_update(Ordering::SeqCst, Ordering::Relaxed, |used| {
            used.checked_add(more).filter(|total| *total <= limit)
        });
        match taken {
            Ok(before) => {
                self.budget.peak.fetch_max(before + more, Ordering::Relaxed);
                self.bytes += more;
                true
            }
            Err(_) => false,
        }
    }

    /// Takes `more` bytes whether or not they are left: for what has to be held to go on at all, a row or a buffer to
    /// read a file with. The peak tells of it.
    pub fn force(&mut self, more: usize) {
        let before = self.budget.used.fetch_add(more, Ordering::SeqCst);
        self.budget.peak.fetch_max(before + more, Ordering::Relaxed);
        self.bytes += more;
    }

    /// Gives `less` bytes back.
    pub fn shrink(&mut self, less: usize) {
        let less = less.min(self.bytes);
        self.bytes -= less;
        self.budget.used.fetch_sub(less, Ordering::SeqCst);
    }

    /// The budget that it takes from.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_is_refused_over_the_limit_and_returned_on_drop() {
        let budget = Arc::new(Budget::new(Some(100)));
        let mut a = budget.reservation();
        assert!(a.try_grow(60));
        let mut b = budget.reservation();
        assert!(!b.try_grow(41));
        assert!(b.try_grow(40));
        drop(a);
        assert_eq!((budget.used(), budget.peak()), (40, 100));
    }
}
