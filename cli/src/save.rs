//! `dtsx save`: reads a package and writes it again.

use crate::args::SaveArgs;
use crate::output::CommandResult;
use dtsx::{ExitCode, OpenOptions};

/// Saves.
///
/// # Errors
/// A package that cannot be read, a file that cannot be written.
pub fn run(args: &SaveArgs) -> CommandResult {
    let mut options = OpenOptions::new(&args.input);
    if let Some(password) = &args.password {
        options = options.password(password);
    }
    options.open()?.save(&args.output, args.format_version)?;
    Ok(ExitCode::Success)
}
