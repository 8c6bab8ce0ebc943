//! What a package is: the object model, the reader and writer of `.dtsx`, projects, configurations.
//!
//! Start at [`model::Package`], and at [`dtsx::load`] and [`dtsx::save`] for files. Nothing in here runs anything or talks
//! to the network: a package is a value.

#![warn(missing_docs)]

pub mod compile;
pub mod configuration;
pub mod dtsx;
mod error;
pub mod ids;
pub mod model;
pub mod project;

pub use error::{Fault, LoadError, Result};
