//! What the criterion suites share. The suites are in `benches/benches/`, whole packages beside other engines in
//! `benches/run`; nothing outside `benches/` depends on this crate.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.to_path_buf(), Path::to_path_buf)
}
