//! Values in messages; values of variables; how types of any length are cast.

use arrow::array::{Array, ArrayRef};
use dtsx_engine::batch::Faults;
use dtsx_engine::diag::{Result, codes};
use dtsx_engine::flow::{BindCx, ComponentSpec};
use dtsx_engine::types::convert::{CastOptions, cast_array};
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

/// Values that came from elsewhere as `came`, in the type `to`. Texts and bytes are measured though both types are the
/// same: a database that counts characters has texts that are longer in UTF-16 units than their type says.
///
/// # Errors
/// Values of the one type are none of the other.
pub(crate) fn taken(
    array: &ArrayRef,
    came: DataType,
    to: &DataType,
    options: &CastOptions,
) -> Result<(ArrayRef, Faults)> {
    match came {
        came if came == *to && (came.is_blob() || of_any_length(came) == came) => Ok((array.clone(), Faults::new())),
        came => cast_array(array, &of_any_length(castable(came)), to, options),
    }
}

/// The type without a limit of length.
fn of_any_length(data_type: DataType) -> DataType {
    match data_type {
        DataType::WStr { .. } => DataType::WStr { len: u32::MAX },
        DataType::Str { code_page, .. } => DataType::Str { len: u32::MAX, code_page },
        DataType::Bytes { .. } => DataType::Bytes { len: u32::MAX },
        other => other,
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

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringViewArray;
    use std::sync::Arc;

    #[test]
    fn texts_longer_than_their_own_type_are_faults() {
        let (room, ansi) = (DataType::WStr { len: 3 }, DataType::Str { len: 3, code_page: 1252 });
        for (came, to, texts, faults) in [
            (room, room, ["abc", "äöü", ""], vec![]),
            (room, room, ["abc", "😀😀", "abcd"], vec![1, 2]),
            (room, DataType::WStr { len: 4 }, ["abc", "😀😀", "😀😀😀"], vec![2]),
            (ansi, ansi, ["abc", "äöü", "äöüä"], vec![2]),
            (DataType::NText, DataType::NText, ["abc", "😀😀", "abcd"], vec![]),
            (DataType::NText, room, ["abc", "😀😀", "abcd"], vec![1, 2]),
        ] {
            let array: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
            let (_, found) = taken(&array, came, &to, &CastOptions::data_flow(1033)).unwrap();
            assert_eq!(found.iter().map(|f| f.row).collect::<Vec<_>>(), faults, "{came} {to}");
            assert!(found.iter().all(|f| f.truncation));
        }
    }
}
