//! Components where rows enter the flow.

pub mod database;
pub mod excel;
pub mod flat_file;
pub mod raw_file;
pub mod xml;
