//! Counters of a running flow: rows by output, time by component.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters of one flow execution; read at any time, from any thread.
#[derive(Debug, Default)]
pub struct FlowMetrics {
    rows: Vec<Vec<AtomicU64>>,
    received: Vec<AtomicU64>,
    left_out: Vec<AtomicU64>,
    busy: Vec<AtomicU64>,
}

/// What passed over one path.
#[derive(Clone, Debug, PartialEq)]
pub struct PathMetrics {
    /// Component and output that it starts at.
    pub from: (usize, usize),
    /// Rows that passed so far.
    pub rows: u64,
}

impl FlowMetrics {
    pub(super) fn new(outputs: impl Iterator<Item = usize>) -> FlowMetrics {
        let rows: Vec<Vec<AtomicU64>> = outputs.map(|n| (0..n).map(|_| AtomicU64::new(0)).collect()).collect();
        let counters = || rows.iter().map(|_| AtomicU64::new(0)).collect();
        FlowMetrics { received: counters(), left_out: counters(), busy: counters(), rows }
    }

    pub(super) fn sent(&self, node: usize, output: usize, rows: usize) {
        self.rows[node][output].fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(super) fn received(&self, node: usize, rows: usize) {
        self.received[node].fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(super) fn left_out(&self, node: usize, rows: u64) {
        if rows > 0 {
            self.left_out[node].fetch_add(rows, Ordering::Relaxed);
        }
    }

    pub(super) fn worked(&self, node: usize, time: Duration) {
        self.busy[node].fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Rows that left an output so far.
    pub fn rows_sent(&self, node: usize, output: usize) -> u64 {
        self.rows[node][output].load(Ordering::Relaxed)
    }

    /// Rows that a component received over all its inputs so far.
    pub fn rows_received(&self, node: usize) -> u64 {
        self.received[node].load(Ordering::Relaxed)
    }

    /// Rows that a component left out so far: see [`super::super::Ports::leave_out`].
    pub fn rows_left_out(&self, node: usize) -> u64 {
        self.left_out[node].load(Ordering::Relaxed)
    }

    /// Time that lanes spent inside a component so far, added up over the lanes.
    pub fn busy(&self, node: usize) -> Duration {
        Duration::from_nanos(self.busy[node].load(Ordering::Relaxed))
    }

    /// What passed over every output so far.
    pub fn paths(&self) -> Vec<PathMetrics> {
        let outputs = self.rows.iter().enumerate().flat_map(|(n, o)| (0..o.len()).map(move |p| (n, p)));
        outputs.map(|from| PathMetrics { from, rows: self.rows_sent(from.0, from.1) }).collect()
    }
}
