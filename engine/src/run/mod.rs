//! What every execution shares: the thread pool, cancellation, path mapping, readers, switches for tests.

mod evaluator;
mod paths;
mod services;
mod shared;

pub use evaluator::Expressions;
pub use paths::PathMap;
pub use services::{CancelHook, CancelToken, ChaosOptions, ReaderSink, RunOptions, Services};
pub use shared::Shared;
