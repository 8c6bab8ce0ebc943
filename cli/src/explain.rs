//! `dtsx explain`: the plan of a package.

use crate::args::ExplainArgs;
use crate::output::{CommandResult, Failure, Out};
use dtsx::ExitCode;
use std::io::Write;

/// Prints the plan.
///
/// # Errors
/// A package that has none; standard output.
pub fn run(args: &ExplainArgs, out: &mut Out) -> CommandResult {
    let package = args.settings.open(&args.package)?;
    let plan = package.explain().map_err(|e| Failure::InPackage(e, Box::new(package.clone())))?;
    out.write_all(plan.as_bytes())?;
    if !plan.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(ExitCode::Success)
}
