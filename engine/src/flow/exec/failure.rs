//! Failing: the row that comes first in its source's order decides, whichever lane meets it.

use crate::diag::{Error, RowError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The earliest failure of a pipeline, and the rows of each morsel to number it by.
#[derive(Default)]
pub(super) struct Failure {
    failed: AtomicBool,
    first: Mutex<Option<(u64, Error)>>,
    rows: Mutex<Vec<u32>>,
}

impl Failure {
    /// Records the rows of the morsel `seq`.
    pub fn count(&self, seq: u64, rows: u32) {
        let mut counts = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = seq as usize;
        if counts.len() <= seq {
            counts.resize(seq + 1, 0);
        }
        counts[seq] = rows;
    }

    /// The morsel that the row of a failure is of, if the failure tells: a sink that writes on a thread of its own says
    /// later what was wrong earlier.
    pub fn place(error: &Error) -> Option<u64> {
        error.row().and_then(|row| row.batch).map(|(seq, _)| seq)
    }

    /// Records that morsel `seq` failed; the lowest sequence number wins.
    pub fn fail(&self, seq: u64, error: Error) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|(s, _)| seq < *s) {
            *first = Some((seq, error));
        }
        self.failed.store(true, Ordering::SeqCst);
    }

    /// Whether something failed.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// The sequence number that failed first in the source's order.
    pub fn seq(&self) -> Option<u64> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(seq, _)| *seq)
    }

    /// The failure, its row numbered from 1 in the order of the source. Call it when all lanes have ended: then every
    /// earlier morsel has been counted.
    pub fn error(&self) -> Option<Error> {
        let (_, error) = self.first.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let Some(row) = error.row().cloned() else { return Some(error) };
        let Some((seq, in_batch)) = row.batch.filter(|_| row.number.is_none()) else { return Some(error) };
        let counts = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let before: u64 = counts.iter().take(seq as usize).map(|n| u64::from(*n)).sum();
        Some(error.with_row(RowError { number: Some(before + u64::from(in_batch) + 1), ..row }))
    }
}
