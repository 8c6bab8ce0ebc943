//! The command line: `dtsx`, the modern face, and `dtexec`, the face that scripts of SQL Server know.
//!
//! Both turn arguments into a [`dtsx::Package`] with settings and show what comes of it; neither knows the engine. All
//! syntax ends here: `dtsx` is clap ([`args`]), `dtexec` has its own table of options ([`options`]).

pub mod args;
pub mod check;
pub mod connections;
pub mod dtexec;
pub mod eval;
pub mod explain;
pub mod functions;
pub mod json;
pub mod options;
pub mod output;
pub mod progress;
pub mod read;
pub mod run;
pub mod save;
pub mod signals;
