//! Running the built binaries.

use std::path::PathBuf;
use std::process::{Command, Output};

/// What a run of a binary came to.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(it: Output) -> Ran {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: it.status.code().unwrap_or(-1), stdout: text(it.stdout), stderr: text(it.stderr) }
    }
}

#[allow(clippy::allow_attributes, dead_code, reason = "each test binary uses its own part")]
pub fn dtsx(arguments: &[&str]) -> Ran {
    Command::new(env!("CARGO_BIN_EXE_dtsx")).args(arguments).output().unwrap().into()
}

#[allow(clippy::allow_attributes, dead_code, reason = "each test binary uses its own part")]
pub fn dtexec(arguments: &[&str]) -> Ran {
    Command::new(env!("CARGO_BIN_EXE_dtexec")).args(arguments).output().unwrap().into()
}

/// A package of the project's own tests.
pub fn package(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "tests", "packages", name].iter().collect();
    path.to_str().unwrap().to_owned()
}
