//! What can go wrong from the outside, and the exit codes of dtexec.

use crate::report::Finding;
use dtsx_engine::diag::Owner;
use std::fmt;
use std::path::PathBuf;

/// The exit codes of dtexec, which `dtsx` shares.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum ExitCode {
    /// The package succeeded.
    Success = 0,
    /// The package failed.
    Failed = 1,
    /// The user cancelled the package.
    Cancelled = 3,
    /// There is no such package.
    NotFound = 4,
    /// The package could not be loaded.
    NotLoaded = 5,
    /// The command line is wrong, or this program is.
    Usage = 6,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code as u8)
    }
}

/// The client's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a package was not opened, set up, run or saved. A package that ran and failed is no error but an
/// [`Outcome`](crate::Outcome).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// There is no such package, project or configuration.
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// It is no package, it is encrypted, or its project cannot be read.
    NotLoaded {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; never empty.
        findings: Vec<Finding>,
    },
    /// It is loaded, but cannot run: what [`Package::check`](crate::Package::check) says.
    Invalid {
        /// Everything that was found, errors and warnings.
        findings: Vec<Finding>,
    },
    /// A setting that does not fit the package: an unknown connection manager, a property path that leads nowhere.
    Setting(String),
    /// A destination that the package does not have, or that did not run.
    NoReader(String),
    /// A file that could not be written.
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// The run could not begin, or the engine gave up.
    Engine(dtsx_engine::diag::Error),
}

impl Error {
    /// The exit code that stands for it.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Error::NotFound { .. } => ExitCode::NotFound,
            Error::NotLoaded { .. } => ExitCode::NotLoaded,
            Error::Invalid { .. } => ExitCode::Failed,
            Error::Setting(_) | Error::NoReader(_) | Error::Io { .. } => ExitCode::Usage,
            Error::Engine(error) => match error.owner() {
                Owner::Cancelled => ExitCode::Cancelled,
                Owner::Internal => ExitCode::Usage,
                _ => ExitCode::Failed,
            },
        }
    }

    /// What was found in the package, if that is the reason.
    pub fn findings(&self) -> &[Finding] {
        match self {
            Error::NotLoaded { findings, .. } | Error::Invalid { findings } => findings,
            _ => &[],
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotFound { path, reason } => write!(f, "{}: not found ({reason})", path.display()),
            Error::NotLoaded { path, findings } => {
                write!(f, "{}: cannot be loaded", path.display())?;
                findings.first().map_or(Ok(()), |first| write!(f, ": {}", first.message))
            }
            Error::Invalid { findings } => {
                f.write_str("the package cannot run")?;
                let first = findings.iter().find(|finding| finding.is_error());
                first.map_or(Ok(()), |first| write!(f, ": {}", first.message))
            }
            Error::Setting(message) => f.write_str(message),
            Error::NoReader(name) => write!(f, "no DataReader destination named \"{name}\" ran"),
            Error::Io { path, reason } => write!(f, "{}: {reason}", path.display()),
            Error::Engine(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<dtsx_engine::diag::Error> for Error {
    fn from(error: dtsx_engine::diag::Error) -> Error {
        Error::Engine(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_dtexec() {
        let engine = |owner| Error::Engine(dtsx_engine::diag::Error::new(owner, None, "x"));
        for (error, code) in [
            (Error::NotFound { path: "a".into(), reason: "x".into() }, 4),
            (Error::NotLoaded { path: "a".into(), findings: Vec::new() }, 5),
            (Error::Invalid { findings: Vec::new() }, 1),
            (Error::Setting("x".into()), 6),
            (engine(Owner::Data), 1),
            (engine(Owner::Unsupported), 1),
            (engine(Owner::Cancelled), 3),
            (engine(Owner::Internal), 6),
        ] {
            assert_eq!(error.exit_code() as u8, code, "{error}");
        }
    }
}
