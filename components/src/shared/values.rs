//! Values in messages; values of variables; how types of any length are cast.

use arrow::array::{Array, ArrayRef};
use dtsx_engine::diag::codes;
use dtsx_engine::flow::{BindCx, ComponentSpec};
use dtsx_engine::types::{DataType, Value, format};

/// A value as messages show it; None for NULL.
pub(crate) fn shown(array: &ArrayRef, row: u32) -> Option<String> {
    let row = row as usize;
    if array.is_null(row) {
        return None;
    }
    arrow::util::display::array_value_to_string(array, row).ok()
}

/// Whether values of an input column stand in an output column as they are: the same type, or text or bytes of the same
/// kind in a column at least as long. Text is Unicode in batches, so code pages do not matter.
pub(crate) fn fits(input: &DataType, output: &DataType) -> bool {
    match (input, output) {
        (DataType::Str { len, .. }, DataType::Str { len: room, .. })
        | (DataType::WStr { len }, DataType::WStr { len: room })
        | (DataType::Bytes { len }, DataType::Bytes { len: room }) => len <= room,
        (DataType::Text { .. }, DataType::Text { .. }) => true,
        _ => input == output,
    }
}

/// The type by whose rules values are cast: texts and bytes of any length cast as those of a length do, which say what
/// they mean and not only how long they are.
pub(crate) fn castable(data_type: DataType) -> DataType {
    match data_type {
        DataType::NText => DataType::WStr { len: u32::MAX },
        DataType::Text { code_page } => DataType::Str { len: u32::MAX, code_page },
        DataType::Image => DataType::Bytes { len: u32::MAX },
        other => other,
    }
}

/// The text that a variable holds now; what is wrong with it is reported.
pub(crate) fn variable_text(spec: &ComponentSpec, cx: &mut BindCx<'_>, name: &str) -> Option<String> {
    match cx.variables.read(name) {
        Ok((_, Value::Text(text))) => Some(text.to_string()),
        Ok((data_type, value)) => Some(format::format_value(&value, &data_type, spec.locale)),
        Err(error) => {
            let code = error.code().unwrap_or(codes::DTS_E_VARIABLENOTFOUND);
            cx.error(spec, code, error.message());
            None
        }
    }
}
