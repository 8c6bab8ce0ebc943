//! The seam to data flows. The Data Flow task is the one task that the engine has itself: it binds its flow at
//! validation and at each execution.

use crate::connections::Connections;
use crate::diag::{Diagnostic, Result};
use crate::events::Events;
use crate::flow::FlowSpec;
use crate::run::Services;
use crate::variables::VariableAccess;
use std::sync::Arc;

/// Makes data flows runnable.
pub trait FlowRunner: Send + Sync {
    /// Binds the flow, reporting everything that is wrong; None if there were errors. Progress of the phase goes to
    /// `cx.events`.
    fn bind(&self, spec: &FlowSpec, cx: &FlowCx) -> (Option<Box<dyn BoundFlow>>, Vec<Diagnostic>);

    /// The connection managers whose databases the flow changes.
    fn written(&self, _spec: &FlowSpec) -> Vec<String> {
        Vec::new()
    }
}

/// A data flow that is ready to run.
pub trait BoundFlow: Send {
    /// Runs the flow to its end on the pool; the calling thread waits.
    ///
    /// # Errors
    /// What failed first; or that the run was cancelled.
    fn run(&self, cx: &FlowCx) -> Result<FlowSummary>;
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
    /// Messages and progress of the task and its components. While the flow runs, firing never waits: handlers run on a
    /// thread of the control flow, not on the pool.
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
