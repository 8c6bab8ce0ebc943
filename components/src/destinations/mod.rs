//! Components where rows leave the flow.

pub mod data_reader;
pub mod database;
pub mod excel;
pub mod flat_file;
pub mod raw_file;
pub mod recordset;
