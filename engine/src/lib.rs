//! What runs: types, expressions, batches, pipelines, control flow, variables, events, memory.
//!
//! This crate knows nothing of XML, of any component by name, of ODBC, of async runtimes, and holds no global state.
//! A package reaches it as plain specifications ([`flow::ComponentSpec`], [`control`] plans); what a component or a task
//! *does* reaches it through the traits of [`flow`] and [`control`].
//!
//! Start reading at [`types::DataType`], then [`batch::Batch`], then the component contract in [`flow::contract`].

#![warn(missing_docs)]

pub mod batch;
pub mod connections;
pub mod control;
pub mod diag;
pub mod events;
pub mod expr;
pub mod flow;
pub mod memory;
pub mod props;
pub mod run;
pub mod types;
pub mod variables;
