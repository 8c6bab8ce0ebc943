//! Data flows: specifications, the component contract, the plan, and its execution.
//!
//! [`ComponentSpec`] is what a package says about a component; its kind turns it into something that runs
//! ([`contract::Bound`]); the [`FlowPlan`] is cut into pipelines, and drivers on the pool run them.

pub mod contract;
mod cut;
mod exec;
mod explain;
pub mod faults;
mod plan;
mod prune;

mod spec;
mod validate;

pub use exec::{FlowEvents, FlowMetrics, FlowOutcome, PathMetrics, RowAccount, execute};
pub use explain::explain;
pub use plan::{BindEnv, FlowPlan, Kinds, PlanNode, Tap, bind};

pub use contract::{
    Apply, BindCx, Block, Bound, Commit, Committed, ComponentKind, Decode, Encode, Ended, Fetch, Inline, Morsel,
    OpenCx, Ports, RowRule, Sink, Source, Stage, StageEnds, Step, Waker,
};
pub use spec::{
    ColumnRef, ComponentSpec, Disposition, Dispositions, ExternalColumnSpec, FlowSpec, InputColumnSpec, InputSpec,
    Layout, LineageId, OutputColumnSpec, OutputSpec, PathSpec, Slot, SpecialColumn, Usage,
};
