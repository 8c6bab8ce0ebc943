//! What is set from outside before a package runs.

use crate::tap::Tap;
use std::path::PathBuf;

/// Everything that a caller says beside the package itself, in the order in which it was said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// The `connections.toml` to use instead of the one that is found.
    pub connections_file: Option<PathBuf>,
    /// Connection manager name and connection string.
    pub connects: Vec<(String, String)>,
    /// Property path and value.
    pub sets: Vec<(String, String)>,
    /// `$Package::X`, `$Project::X` and value.
    pub params: Vec<(String, String)>,
    /// File path prefixes in the package and here.
    pub maps: Vec<(String, String)>,
    /// Further XML configurations.
    pub configurations: Vec<PathBuf>,
    /// Data taps.
    pub taps: Vec<Tap>,
    /// DataReader destinations whose rows somebody takes.
    pub readers: Vec<String>,
}
