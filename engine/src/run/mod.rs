//! What every execution shares: the thread pool, cancellation, path mapping, readers,
//! a store, threads that may wait, switches for tests.

mod evaluator;
mod parallel;
mod paths;
mod services;
mod shared;
mod transaction;
mod waiting;

pub use evaluator::Expressions;
pub use parallel::on_pool;
pub use paths::PathMap;
pub use services::{CancelHook, CancelToken, ChaosOptions, ReaderSink, RunOptions, Services, apart};
pub use shared::Shared;
pub use transaction::{Participant, Transaction};
pub use waiting::{Handover, OwnThread, Waited, watched};
