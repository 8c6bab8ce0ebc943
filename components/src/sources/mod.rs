//! Components where rows enter the flow.

pub mod flat_file;
