//! What several kinds have in common.

pub(crate) mod ashore;
pub(crate) mod blocking;
pub(crate) mod decoding;
pub(crate) mod excel;
pub(crate) mod external;
pub(crate) mod files;
pub(crate) mod fuzzy;
pub(crate) mod outgoing;
pub(crate) mod properties;
pub(crate) mod raw_file;
pub(crate) mod reference;
mod shape;
pub(crate) mod sort_keys;
pub(crate) mod sorted_inputs;
pub(crate) mod stream;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod text;
mod values;
pub(crate) mod xpath;

pub(crate) use shape::{inputs, one_output, report_column};
pub(crate) use values::{castable, fits, shown, taken, variable_text};
