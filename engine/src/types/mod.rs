//! The data types of SSIS and their Arrow form, scalar values, conversions.

mod data_type;
mod value;

pub use data_type::{DataType, MAX_STR_BYTES, MAX_WSTR_UNITS, field_for};
pub use value::Value;
