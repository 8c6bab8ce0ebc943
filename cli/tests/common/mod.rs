//! Running the built binaries.
#![expect(clippy::unwrap_used, reason = "a helper of tests: what fails here is a failed test")]

use std::path::PathBuf;
use std::process::Command;

/// What a run of a binary came to.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a binary to its end.
pub fn ran(binary: &str, arguments: &[&str]) -> Ran {
    let output = Command::new(binary).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A package of the project's own tests.
pub fn package(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "tests", "packages", name].iter().collect();
    path.to_str().unwrap().to_owned()
}
