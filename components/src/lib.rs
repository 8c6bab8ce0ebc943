//! What does something: sources, transforms, destinations, tasks, connections, enumerators.
//!
//! Each kind is a folder or a file of one shape: doc with its SSIS name, property table, `bind`, runtime, tests. It knows
//! the contracts of the engine and nothing of the syntax of packages, of other kinds (what they have in common is in
//! `shared`), or of threads: what waits asks its context.
//!
//! Start reading at [`catalog`], which lists every kind, then [`transforms::multicast`], the shortest of them.

#![warn(missing_docs)]

pub mod catalog;
pub mod connections;
pub mod db;
pub mod destinations;
pub mod enumerators;
pub mod log_providers;
mod shared;
pub mod sources;
pub mod tasks;
pub mod transforms;
