//! Control flow: plans, containers, precedence, loops, event handlers, the task contract.

pub mod plan;
