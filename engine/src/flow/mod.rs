//! Data flows: specifications, the component contract, the plan, and its execution.
//!
//! [`ComponentSpec`] is what a package says about a component; its kind turns it into something that runs
//! ([`contract::Bound`]); the [`FlowPlan`] is cut into pipelines, and drivers on the pool run them.

pub mod contract;
mod spec;

pub use contract::{
    Apply, BindCx, Block, Bound, Commit, ComponentKind, Decode, Encode, Fetch, Inline, Morsel, Ports, Sink, Source,
    Stage, Step, Waker,
};
pub use spec::{
    ColumnRef, ComponentSpec, Disposition, Dispositions, ExternalColumnSpec, FlowSpec, InputColumnSpec, InputSpec,
    Layout, LineageId, OutputColumnSpec, OutputSpec, PathSpec, Slot, SpecialColumn, Usage,
};
