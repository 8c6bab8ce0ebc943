//! The Data Flow task: the one task that the engine has itself. It binds its flow at validation and at each execution.

use crate::connections::Connections;
use crate::diag::{Diagnostic, Result};
use crate::events::Events;
use crate::flow::FlowSpec;
use crate::run::Services;
use crate::variables::VariableAccess;
use std::sync::Arc;

/// Validates and runs data flows.
pub trait FlowRunner: Send + Sync {
    /// Binds the flow and throws the result away; everything that was found. Progress of the phase goes to `cx.events`.
    fn validate(&self, spec: &FlowSpec, cx: &FlowCx) -> Vec<Diagnostic>;

    /// Binds the flow and runs it to its end on the pool; the calling thread waits.
    ///
    /// # Errors
    /// What failed first. Binding errors come as the first of them; the others were fired to `cx.events`.
    fn run(&self, spec: &FlowSpec, cx: &FlowCx) -> Result<FlowSummary>;
}

/// What a data flow may use.
#[derive(Clone)]
pub struct FlowCx {
    /// The run's services.
    pub services: Services,
    /// The variables that the task sees.
    pub variables: Arc<dyn VariableAccess>,
    /// Connection managers, their expressions evaluated when they are asked for.
    pub connections: Arc<dyn Connections>,
    /// Messages and progress of the task and its components. Firing never waits: handlers run on a thread of the control
    /// flow, not on the pool.
    pub events: Arc<dyn Events>,
    /// Whether files and servers may be touched (a run) or not (an offline check).
    pub online: bool,
}

/// What a data flow did.
#[derive(Clone, Copy, Debug, Default)]
pub struct FlowSummary {
    /// Rows that reached destinations.
    pub rows: u64,
}
