//! Connection managers: the typed form of what a package says about the world outside.

pub(crate) mod cache;
pub(crate) mod cache_file;
pub mod database;
pub mod excel;
pub mod flat_file;
