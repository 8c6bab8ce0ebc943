//! Runs SQL Server Integration Services packages (`.dtsx`) in this process, unchanged and without SQL Server.
//!
//! A [`Package`] is opened, told what is different here, and run; the rows of its DataReader destinations are Arrow
//! record batches.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let package = dtsx::Package::open("orders.dtsx")?.connect("Orders", "/data/orders.csv").map(r"D:\in", "/data");
//! for finding in package.check().findings {
//!     println!("{}", finding.message);
//! }
//! for batch in package.read("DataReaderDest")? {
//!     println!("{} rows", batch?.num_rows());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! This crate knows nothing of argument syntax, sockets or other languages, and it prints nothing. What a package *is*
//! belongs to `dtsx-loader`, what runs to `dtsx-engine`; here they meet, in one private module.
//!
//! Start reading at [`Package`], then [`Execution`]; [`expressions`] is for expressions on their own.

#![warn(missing_docs)]

mod backend;
mod counts;
mod error;
mod event;
mod execution;
pub mod expressions;
pub mod ffi;
mod listen;
mod package;
mod reader;
mod report;
pub mod rows;
mod settings;
mod tap;

pub use dtsx_engine::diag::{Code, Severity, Span};
pub use dtsx_engine::run::{CancelToken, RunOptions};
pub use dtsx_engine::types::Value;
pub use error::{Error, ExitCode, Result};
pub use event::{Event, EventKind, Listener, Message, Source};
pub use execution::{ComponentRows, Execution, MemoryUse, Outcome, PathRows, RunResult, Variable};
pub use package::{OpenOptions, Package, PackageInfo};
pub use reader::Reader;
pub use report::{CheckReport, ConnectionReport, ExpressionTally, Finding, Place, Tally};
pub use tap::Tap;
