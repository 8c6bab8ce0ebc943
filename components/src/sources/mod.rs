//! Components where rows enter the flow.

pub mod database;
pub mod flat_file;
pub mod raw_file;
