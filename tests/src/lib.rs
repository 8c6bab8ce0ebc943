//! What the tests across the rooms share: where things are, source text without its comments, the comparison of rows,
//! servers of databases, and packages that are made in code.
//!
//! Nothing outside `tests/` depends on this crate. The tests are in `tests/tests/`: `packages` runs packages through the
//! client, `layers` and `metadata` hold the house to its rules.

pub mod compare;
pub mod designer;
pub mod servers;
pub mod source;

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.to_path_buf(), Path::to_path_buf)
}
