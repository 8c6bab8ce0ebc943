//! Control flow: plans, containers, precedence, loops, event handlers, the task contract.
//!
//! [`plan::PackagePlan`] is what the loader makes of a package; [`run`] executes it. A container that runs is a *frame*:
//! it evaluates property expressions, counts errors, and lets events bubble to the frame around it. Tasks run on threads
//! that may wait, never on the pool; at most MaxConcurrentExecutables of them at once.
//!
//! What a task, an enumerator or a log provider does is its kind's business ([`TaskKind`], [`EnumeratorKind`],
//! [`LogProviderKind`]); this module knows none.

mod bubble;
mod connections;
mod constraints;
mod data_flow;
mod execution;
mod expressions;
mod frame;
mod lifecycle;
mod logging;
mod loops;
mod permits;
mod pipelines;
pub mod plan;
mod registry;
mod schedule;
mod system;
mod task;
mod transactions;
mod validate;

pub use data_flow::{BoundFlow, FlowCx, FlowRunner, FlowSummary};
pub use execution::{Outcome, RunRequest, check, run, validate_only, visit_scopes};
pub use logging::{LogEntry, LogProviderCx, LogProviderKind, LogWriter};
pub use pipelines::{Pipelines, TapRequest, find_output};
pub use registry::{Refusal, Registry};
pub use task::{
    Enumerator, EnumeratorKind, ExecResult, Items, Rowset, RowsetTable, Task, TaskBindCx, TaskCx, TaskKind, TaskOutcome,
};

#[cfg(test)]
mod tests;
