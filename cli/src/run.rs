//! `dtsx run`.

use crate::args::{EventFormat, RunArgs};
use crate::json::Object;
use crate::output::{CommandResult, Failure, Out};
use crate::progress::{Display, Json, Lines, Live};
use crate::signals::cancel_on_interrupt;
use dtsx::{ExitCode, Outcome, Package, RunOptions, RunResult, Value};
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a display is told how many rows have passed.
const TICK: Duration = Duration::from_millis(100);

/// Runs the package, shows what happens, writes the variables.
///
/// # Errors
/// A package that cannot be opened or begun; standard output.
pub fn run(args: &RunArgs, out: &mut Out) -> CommandResult {
    let mut package = args.settings.open(&args.package)?;
    for tap in &args.tap {
        package = package.tap(tap.clone());
    }
    let mut display: Box<dyn Display + '_> = match args.format {
        EventFormat::Json => Box::new(Json::new(out)),
        EventFormat::Text if std::io::stderr().is_terminal() => Box::new(Live::new(args.verbose)),
        EventFormat::Text => Box::new(Lines::new(args.verbose)),
    };
    let outcome = pump(package, args.resources.clone().into(), display.as_mut())?;
    display.end(&outcome)?;
    if let Some(path) = &args.dump_variables {
        dump(&outcome, path)?;
    }
    Ok(exit_code(outcome.result))
}

/// Runs a package and lets a display see it.
///
/// # Errors
/// A package that cannot be begun, an engine that gives up; what the display says.
pub fn pump(package: Package, options: RunOptions, display: &mut dyn Display) -> Result<Outcome, Failure> {
    let copy = package.clone();
    let in_package = |error: dtsx::Error| Failure::InPackage(error, Box::new(copy.clone()));
    let execution = package.execute(options).map_err(in_package)?;
    let cancel = execution.cancel_token();
    cancel_on_interrupt(cancel.clone());
    let events = execution.events().clone();
    let mut next_tick = Instant::now() + TICK;
    loop {
        let mut shown = match events.recv_deadline(next_tick) {
            Ok(event) => display.event(&event),
            Err(e) if e.is_timeout() => Ok(()),
            Err(_) => break,
        };
        // However many events there are, rows are shown in between.
        if Instant::now() >= next_tick {
            shown = shown.and_then(|()| display.tick(&execution.rows()));
            next_tick = Instant::now() + TICK;
        }
        if let Err(e) = shown {
            // Nobody sees what happens any more: as a pipeline does, stop.
            cancel.cancel();
            let _ = execution.wait();
            return Err(e.into());
        }
    }
    execution.wait().map_err(in_package)
}

/// The exit code of a result.
pub fn exit_code(result: RunResult) -> ExitCode {
    match result {
        RunResult::Success => ExitCode::Success,
        RunResult::Failure => ExitCode::Failed,
        RunResult::Cancelled => ExitCode::Cancelled,
    }
}

/// Writes the variables of the package container as a JSON object.
fn dump(outcome: &Outcome, path: &Path) -> Result<(), Failure> {
    let mut object = Object::new();
    for variable in &outcome.variables {
        let text = variable.text();
        object = match &variable.value {
            Value::Bool(v) => object.raw(&variable.name, v),
            value if is_number(value) => object.raw(&variable.name, text.as_deref().unwrap_or("null")),
            _ => object.optional(&variable.name, text),
        };
    }
    std::fs::write(path, object.end() + "\n")
        .map_err(|e| dtsx::Error::Io { path: path.to_owned(), reason: e.to_string() }.into())
}

/// Whether the text of a value is a JSON number.
fn is_number(value: &Value) -> bool {
    match value {
        Value::R4(v) => v.is_finite(),
        Value::R8(v) => v.is_finite(),
        Value::I1(_) | Value::I2(_) | Value::I4(_) | Value::I8(_) => true,
        Value::UI1(_) | Value::UI2(_) | Value::UI4(_) | Value::UI8(_) | Value::Decimal(..) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtsx::Variable;

    #[test]
    fn variables_are_dumped_by_type() {
        let variable = |name: &str, value| Variable { name: name.to_owned(), value };
        let outcome = Outcome {
            result: RunResult::Success,
            variables: vec![
                variable("User::Count", Value::I4(42)),
                variable("User::On", Value::Bool(true)),
                variable("User::Rate", Value::Decimal(-5, 2)),
                variable("User::Ratio", Value::R8(f64::NAN)),
                variable("User::Text", Value::text("a\"b")),
                variable("User::Rows", Value::Null),
            ],
            rows: Vec::new(),
            components: Vec::new(),
            elapsed: Duration::ZERO,
            memory: dtsx::MemoryUse::default(),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.json");
        dump(&outcome, &path).unwrap();
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            "{\"User::Count\":42,\"User::On\":true,\"User::Rate\":-0.05,\"User::Ratio\":\"NaN\",\
             \"User::Text\":\"a\\\"b\",\"User::Rows\":null}\n"
        );
    }
}
