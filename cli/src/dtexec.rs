//! `dtexec`: the command line of SQL Server's package utility, and its way of writing to the console.

use crate::options::{self, Plain};
use crate::output::{Failure, Out, note};
use crate::progress::Display;
use crate::run::{exit_code, pump};
use chrono::{DateTime, Local, Timelike};
use dtsx::{
    Error, Event, EventKind, ExitCode, Finding, OpenOptions, Outcome, Package, PathRows, RunOptions, RunResult,
    Severity,
};
use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

/// All of dtexec: arguments (without the program's name) to exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = arguments.into_iter().map(|a| a.to_string_lossy().into_owned());
    let plain = match options::parse(arguments, &|path| std::fs::read_to_string(path)) {
        Ok(plain) => plain,
        Err(reason) => return usage(&reason),
    };
    let mut out = Out::new();
    let result = match &plain.help {
        Some(about) => out.write_all(options::help(about).as_bytes()).map(|()| ExitCode::Success),
        None => execute(&plain, &mut out),
    };
    match result.and_then(|code| out.finish().map(|()| code)) {
        Ok(code) => code,
        Err(e) => crate::output::complain(&Failure::Output(e)),
    }
}

fn usage(reason: &str) -> ExitCode {
    note(reason);
    note("The command line parameters are invalid. For help: dtexec /?");
    ExitCode::Usage
}

/// Everything after the command line was read. `Err` means that standard output is gone.
fn execute(plain: &Plain, out: &mut Out) -> io::Result<ExitCode> {
    let target = match plain.resolve() {
        Ok(target) => target,
        Err(reason) => return Ok(usage(&reason)),
    };
    let (started, clock) = (Local::now(), Instant::now());
    writeln!(out, "dtsx Execute Package Utility")?;
    writeln!(out, "Version {} for {}-bit\n", env!("CARGO_PKG_VERSION"), usize::BITS)?;
    writeln!(out, "Started:  {}", started.format("%H:%M:%S"))?;
    out.flush()?;

    let mut options = OpenOptions::new(&target.package);
    if let Some(project) = target.project {
        options = options.project(project);
    }
    if let Some(password) = &plain.password {
        options = options.password(password);
    }
    let code = match options.open() {
        Ok(package) => {
            let result = match verify(plain, &package) {
                Ok(()) => run(plain, plain.apply(package), out)?,
                Err(reason) => {
                    writeln!(out, "{reason}")?;
                    Ok(RunResult::Failure)
                }
            };
            match result {
                Ok(result) => {
                    writeln!(out, "{}", verdict(result))?;
                    exit_code(result)
                }
                Err(code) => code,
            }
        }
        Err(error) => {
            let code =
                error.findings().first().and_then(|finding| finding.code).map_or(String::new(), |c| format!(" {c}"));
            writeln!(out, "Could not load package \"{}\" because of error{code}.", target.package.display())?;
            writeln!(out, "Description: {error}")?;
            error.exit_code()
        }
    };
    writeln!(out, "Started:  {}", started.format("%H:%M:%S"))?;
    writeln!(out, "Finished: {}", Local::now().format("%H:%M:%S"))?;
    writeln!(out, "Elapsed:  {:.3} seconds", clock.elapsed().as_secs_f64())?;
    Ok(code)
}

/// DTSExecResult in the words of dtexec.
fn verdict(result: RunResult) -> String {
    let (name, number) = match result {
        RunResult::Success => ("SUCCESS", 0),
        RunResult::Failure => ("FAILURE", 1),
        RunResult::Cancelled => ("CANCELED", 3),
    };
    format!("DTExec: The package execution returned DTSER_{name} ({number}).")
}

/// Whether the package is the one that is meant.
fn verify(plain: &Plain, package: &Package) -> Result<(), String> {
    let info = package.info();
    let (major, minor, build) = info.version;
    let differs = plain.verify_build.iter().zip([major, minor, build]).any(|(wanted, is)| *wanted != is);
    if differs {
        return Err(format!("The version of the package, {major}.{minor}.{build}, is not the one to verify."));
    }
    for (wanted, is, what) in
        [(&plain.verify_package_id, &info.id, "id"), (&plain.verify_version_id, &info.version_guid, "version id")]
    {
        if wanted.as_ref().is_some_and(|wanted| !wanted.eq_ignore_ascii_case(is)) {
            return Err(format!("The {what} of the package, {is}, is not the one to verify."));
        }
    }
    Ok(())
}

/// Validates and runs. The inner `Err` is the exit code of a package that did not come to run at all.
fn run(plain: &Plain, package: Package, out: &mut Out) -> io::Result<Result<RunResult, ExitCode>> {
    let name = package.info().name;
    let done = if plain.validate || plain.warn_as_error { validated(plain, &package, out)? } else { Ok(None) };
    let done = match done {
        Ok(Some(result)) => return Ok(Ok(result)),
        Ok(None) => pump(package, RunOptions::default(), &mut Console { plain, out }),
        Err(error) => Err(Failure::Client(error)),
    };
    match done {
        Ok(outcome) => {
            if plain.sum {
                for rows in &outcome.rows {
                    writeln!(out, "   {} {}: {} rows", rows.task, rows.path, rows.rows)?;
                }
            }
            Ok(Ok(outcome.result))
        }
        Err(Failure::Output(e)) => Err(e),
        Err(Failure::Client(error) | Failure::InPackage(error, _)) => {
            if let Error::Invalid { findings } = &error {
                report(plain, findings, &name, out)?;
                return Ok(Ok(RunResult::Failure));
            }
            writeln!(out, "{error}")?;
            Ok(Err(error.exit_code()))
        }
        Err(Failure::Usage(reason)) => Ok(Err(usage(&reason))),
    }
}

/// Validates only, for `/Validate` and `/WarnAsError`: the result, or `None` if there is nothing against running it.
fn validated(plain: &Plain, package: &Package, out: &mut Out) -> io::Result<dtsx::Result<Option<RunResult>>> {
    let events = Arc::new(Mutex::new(Vec::new()));
    let keep = {
        let events = events.clone();
        move |event: &Event| events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone())
    };
    let outcome = match package.validate(&[Arc::new(keep)]) {
        Ok(outcome) => outcome,
        Err(error) => return Ok(Err(error)),
    };
    let events = events.lock().unwrap_or_else(PoisonError::into_inner);
    let warned = events.iter().any(|event| matches!(event.kind, EventKind::Warning(_)));
    let result = match outcome.result {
        RunResult::Success if plain.warn_as_error && warned => RunResult::Failure,
        result => result,
    };
    if result == RunResult::Success && !plain.validate {
        return Ok(Ok(None));
    }
    let mut console = Console { plain, out };
    for event in events.iter() {
        console.event(event)?;
    }
    Ok(Ok(Some(result)))
}

/// Findings, as if they were events.
fn report(plain: &Plain, findings: &[Finding], package: &str, out: &mut Out) -> io::Result<()> {
    for finding in findings {
        let (label, letter) = match finding.severity {
            Severity::Error => ("Error", 'E'),
            Severity::Warning => ("Warning", 'W'),
            Severity::Information => ("Info", 'I'),
        };
        if plain.reporting.shows_letter(letter) {
            let source = finding.object.rsplit('\\').next().filter(|s| !s.is_empty()).unwrap_or(package);
            let code = finding.code.map_or_else(|| "0x00000000".to_owned(), |code| code.to_string());
            block(
                out,
                label,
                SystemTime::now(),
                &[("Code", &code), ("Source", source), ("Description", &finding.message)],
            )?;
        }
    }
    Ok(())
}

/// `Error: 2024-01-31 13:05:00.12`, indented lines, `End Error`.
fn block(out: &mut Out, label: &str, time: SystemTime, lines: &[(&str, &str)]) -> io::Result<()> {
    let time = DateTime::<Local>::from(time);
    writeln!(out, "{label}: {}.{:02}", time.format("%Y-%m-%d %H:%M:%S"), time.nanosecond() / 10_000_000 % 100)?;
    for (key, value) in lines {
        writeln!(out, "   {key}: {}", value.trim_end())?;
    }
    writeln!(out, "End {label}")
}

/// Events as dtexec writes them.
struct Console<'a> {
    plain: &'a Plain,
    out: &'a mut Out,
}

impl Display for Console<'_> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if !self.plain.reporting.shows(event) {
            return Ok(());
        }
        let source = |part: &str| format!("{} {part}", event.source.name).trim_end().to_owned();
        let label = match &event.kind {
            EventKind::Error(_) => "Error",
            EventKind::Warning(_) => "Warning",
            EventKind::Information(_) => "Info",
            EventKind::Progress { description, percent, sub_component } => {
                let progress = format!("{percent}% complete");
                let lines = [("Source", source(sub_component)), (description.trim_end(), progress)];
                let lines = lines.each_ref().map(|(key, value)| (*key, value.as_str()));
                block(self.out, "Progress", event.time, &lines)?;
                return self.out.flush();
            }
            EventKind::Custom { name, text } => {
                block(
                    self.out,
                    "Custom",
                    event.time,
                    &[("Name", name), ("Source", &source("")), ("Description", text)],
                )?;
                return self.out.flush();
            }
            _ => return Ok(()),
        };
        if let Some(message) = event.kind.message() {
            let (code, source) = (message.code.to_string(), source(&message.sub_component));
            block(
                self.out,
                label,
                event.time,
                &[("Code", &code), ("Source", &source), ("Description", &message.text)],
            )?;
        }
        self.out.flush()
    }

    fn tick(&mut self, _rows: &[PathRows]) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _outcome: &Outcome) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_those_of_dtexec() {
        assert_eq!(verdict(RunResult::Success), "DTExec: The package execution returned DTSER_SUCCESS (0).");
        assert_eq!(verdict(RunResult::Cancelled), "DTExec: The package execution returned DTSER_CANCELED (3).");
    }
}
