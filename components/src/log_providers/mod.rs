//! Log providers: what writes the events of a run down.
//!
//! Which events and columns are logged is the engine's business ([`dtsx_engine::control::LogProviderKind`]); a provider
//! knows one form of log. The Windows event log and SQL Server Profiler exist on Windows only and are refused by name.

mod sql_server;
mod text_file;
mod xml_file;

pub use sql_server::SqlServerLog;
pub use text_file::TextFileLog;
pub use xml_file::XmlFileLog;

use dtsx_engine::control::{LogProviderCx, LogProviderKind};
use dtsx_engine::diag::{Error, Owner, Result, codes};
use dtsx_engine::types::format;
use dtsx_engine::types::locale::Locale;
use std::path::PathBuf;

/// Every log provider of this build, in the order of the documentation.
pub const ALL: &[&dyn LogProviderKind] = &[&TextFileLog, &SqlServerLog, &XmlFileLog];

/// The file behind a File connection manager.
fn file(cx: &LogProviderCx) -> PathBuf {
    cx.services.paths.resolve(cx.connection.connection_string())
}

fn cannot(path: &std::path::Path, error: &std::io::Error) -> Error {
    Error::new(Owner::Environment, codes::DTS_E_OPENLOGFAILED, format!("{}: {error}", path.display()))
}

/// UTF-16, little endian: the encoding of log files.
fn utf16(text: &str, out: &mut Vec<u8>) {
    out.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
}

/// The byte order mark that a log file begins with.
const MARK: [u8; 2] = [0xFF, 0xFE];

/// A time as log files have it: `5/23/2021 8:41:45 PM`, whatever the locale (the samples are of en-US).
fn time(at: &chrono::DateTime<chrono::Local>) -> String {
    let mut out = Vec::new();
    // Local time, as on the clock of the computer.
    let micros = at.naive_local().and_utc().timestamp() * 1_000_000;
    format::date_of_locale(micros, Locale::of(1033), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// What stands for data bytes, which no entry has.
const NO_BYTES: &str = "0x";

/// Errors of a log that is being written.
fn broken(path: &std::path::Path, error: &std::io::Error) -> Result<()> {
    Err(Error::new(Owner::Environment, codes::DTS_E_LOGFAILED, format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests;
