//! What Import Column and Export Column share: references between columns, and the paths that a column holds.

use arrow::array::{Array, ArrayRef, AsArray};
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::run::PathMap;
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
