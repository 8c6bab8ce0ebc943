//! Running a plan: drivers on the pool, ordered leaves, and a flow that ends as one.
//!
//! A *driver* is one lane of one pipeline: it takes the next morsel from the serial half of the source, decodes it, runs
//! the fused tree of inline components over it, encodes what reaches the leaves, and delivers the blocks. A *leaf* puts
//! blocks back into sequence order and commits them. A driver that has nothing to do parks; nothing waits.
//!
//! Memory is bounded by credits: a pipeline fetches only while fewer than [`window`] morsels are between fetch and commit.
//! The lane with the lowest sequence number never needs a credit to go on, so a pipeline always makes progress.

mod accounts;
mod driver;
mod failure;
mod leaf;
mod metrics;
mod run;

pub use accounts::RowAccount;
pub use metrics::{FlowMetrics, PathMetrics};
pub use run::{FlowEvents, FlowOutcome, execute};

/// Morsels that may be between fetch and commit, for a pool of `lanes` threads: enough that no lane waits for another's
/// commit, few enough that memory stays in the tens of megabytes.
pub(super) fn window(lanes: usize) -> u64 {
    2 * lanes as u64 + 2
}
