//! Values in messages.

use arrow::array::{Array, ArrayRef};

/// A value as messages show it; None for NULL.
pub(crate) fn shown(array: &ArrayRef, row: u32) -> Option<String> {
    let row = row as usize;
    if array.is_null(row) {
        return None;
    }
    arrow::util::display::array_value_to_string(array, row).ok()
}
