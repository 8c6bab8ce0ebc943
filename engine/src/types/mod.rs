//! The data types of SSIS and their Arrow form, scalar values, conversions.
//!
//! Conversions between text and numbers, dates, decimals, booleans and GUIDs are written once, here, and shared by cast
//! operators, Data Conversion and the flat file components: [`parse`] reads text, [`mod@format`] writes it, [`convert`] casts
//! columns and single values, [`locale`] and [`code_page`] say what text looks like, [`collation`] how
//! it is ordered.

pub mod calendar;
pub mod code_page;
pub mod collation;
pub mod convert;
mod data_type;
pub mod decimal;
pub mod format;
pub mod locale;
pub mod parse;
pub mod scalar;
mod value;

pub use data_type::{DataType, MAX_STR_BYTES, MAX_WSTR_UNITS, field_for};
pub use value::Value;
