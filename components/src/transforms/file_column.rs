//! What Import Column and Export Column share: references between columns, the paths that a column holds, and what a value
//! is in its file.

use super::report_column;
use arrow::array::{Array, ArrayRef, AsArray};
use dtsx_engine::diag::{Code, Error, Result};
use dtsx_engine::flow::{BindCx, ComponentSpec, InputColumnSpec};
use dtsx_engine::run::PathMap;
use dtsx_engine::types::DataType;
use dtsx_engine::types::code_page::CodePage;
use std::path::PathBuf;

/// What FileDataColumnID says.
pub(super) enum Reference<'a> {
    /// Nothing: `0`, or what the designer writes for it (`…\0:invalid`).
    None,
    /// The id of a column, without ornaments.
    To(&'a str),
}

/// Reads FileDataColumnID: a number, or `#{…}` around an id.
pub(super) fn reference(text: &str) -> Reference<'_> {
    let text = text.trim().trim_start_matches('#');
    let text = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
    if text.is_empty() || text == "0" || text.ends_with(":invalid") { Reference::None } else { Reference::To(text) }
}

/// By row, the file that a column of text names; None for NULL and for no text.
pub(super) fn path_sources(column: &ArrayRef, paths: &PathMap) -> Result<Vec<Option<PathBuf>>> {
    let Some(names) = column.as_string_view_opt() else {
        return Err(Error::internal(format!("paths come as {}", column.data_type())));
    };
    Ok(names.iter().map(|name| name.filter(|n| !n.is_empty()).map(|n| paths.resolve(n))).collect())
}

/// What a value is in its file.
pub(super) enum Form {
    /// The bytes of DT_IMAGE.
    Bytes,
    /// The text of DT_TEXT in its code page.
    Text(CodePage),
    /// The text of DT_NTEXT in UTF-16.
    Unicode,
}

/// The form of values of a type. Of another type than those, `not_long` is reported of the column of paths.
pub(super) fn form(
    spec: &ComponentSpec,
    cx: &mut BindCx<'_>,
    column: &InputColumnSpec,
    data_type: DataType,
    not_long: (Code, String),
) -> Option<Form> {
    match data_type {
        DataType::Image => Some(Form::Bytes),
        DataType::NText => Some(Form::Unicode),
        DataType::Text { code_page } => match CodePage::require(code_page) {
            Ok(page) => Some(Form::Text(page)),
            Err(error) => {
                cx.unsupported(spec, error.message());
                None
            }
        },
        _ => {
            report_column(spec, cx, column, not_long.0, not_long.1);
            None
        }
    }
}
