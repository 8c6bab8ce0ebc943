//! `.dtsx` files: reading them into the model, and writing the model back.
//!
//! Reading goes text → tree → model, writing goes back the same way; `schema` is the one table of what stands where.
//! Nothing here recurses deeper than [`LoadOptions::max_depth`], expands an entity, or panics on any input.

mod canonical;
mod check;
mod parse;
mod print;
mod read;
mod schema;
mod table;
mod text;
mod versions;
mod write;

pub use read::{load, load_bytes, load_str};
pub(crate) use read::{parse_document, read_connection_manager, read_file};
pub use versions::upgrade;
pub use write::{save, to_bytes, to_string};

use crate::model::Package;

/// What the reader accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// The largest file, in bytes.
    pub max_bytes: usize,
    /// The deepest nesting of elements. Objects that stand in each other are dropped, copied and compared by recursion,
    /// which this bounds: the default fits a stack of 2 MB, a larger one asks for a larger stack.
    pub max_depth: usize,
}

impl Default for LoadOptions {
    fn default() -> LoadOptions {
        LoadOptions { max_bytes: 512 * 1024 * 1024, max_depth: 256 }
    }
}

/// The first difference between a package and the text that it was loaded from, attribute order and insignificant white
/// space aside; nothing if it is canonically identical, or was made in code.
pub fn difference_from_source(package: &Package) -> Option<String> {
    let origin = package.origin.as_ref()?;
    let options = LoadOptions::default();
    match parse::parse(&origin.source, &options) {
        Ok(document) => canonical::difference(&document.root, &write::to_element(package)),
        Err(error) => Some(error.to_string()),
    }
}

/// The first difference between two texts of packages, attribute order and insignificant white space aside.
///
/// # Errors
/// If one of them is not well-formed.
pub fn difference(left: &str, right: &str) -> crate::Result<Option<String>> {
    let options = LoadOptions::default();
    let parsed = |text: &str| parse::parse(&crate::model::SourceText { path: None, text: text.to_owned() }, &options);
    Ok(canonical::difference(&parsed(left)?.root, &parsed(right)?.root))
}
