//! `dtsx connections`: what stands behind the connection managers of a package.

use crate::args::{ConnectionsArgs, ReportFormat};
use crate::json::{Object, array};
use crate::output::{CommandResult, Out};
use dtsx::{ConnectionReport, ExitCode};
use std::io::Write;

/// Lists the managers, and tests them if that is asked for. The exit code is 1 if one cannot be opened.
///
/// # Errors
/// A package that cannot be opened; standard output.
pub fn run(args: &ConnectionsArgs, out: &mut Out) -> CommandResult {
    let package = args.settings.open(&args.package)?;
    let reports = package.connections(args.test)?;
    match args.format {
        ReportFormat::Json => {
            let list = reports.iter().map(json);
            writeln!(out, "{}", array(list))?;
        }
        ReportFormat::Text => {
            for report in &reports {
                writeln!(out, "{}", text(report))?;
            }
            if reports.is_empty() {
                writeln!(out, "the package has no connection managers")?;
            }
        }
    }
    let bad = reports.iter().any(|r| !r.problem.is_empty() || matches!(r.tested, Some(Err(_))));
    Ok(if bad { ExitCode::Failed } else { ExitCode::Success })
}

fn json(report: &ConnectionReport) -> String {
    let object = Object::new()
        .text("name", &report.name)
        .text("kind", &report.kind)
        .text_if("driver", &report.driver)
        .text("target", &report.target)
        .text_if("problem", &report.problem);
    match &report.tested {
        None => object.end(),
        Some(Ok(server)) => object.raw("reachable", true).text("server", server).end(),
        Some(Err(error)) => object.raw("reachable", false).text("error", error).end(),
    }
}

fn text(report: &ConnectionReport) -> String {
    let by = if report.driver.is_empty() { String::new() } else { format!("{}  ", report.driver) };
    let mut text = format!("{}  {}\n    {by}{}", report.name, report.kind, report.target);
    if !report.problem.is_empty() {
        text.push_str(&format!("\n    cannot be opened: {}", report.problem));
    }
    match &report.tested {
        Some(Ok(server)) => text.push_str(&format!("\n    works: {server}")),
        Some(Err(error)) => text.push_str(&format!("\n    does not work: {error}")),
        None => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn managers_as_text_and_json() {
        let report = ConnectionReport {
            name: "Stage".into(),
            kind: "OLEDB".into(),
            driver: "SQLite".into(),
            target: "sqlite:/a.db".into(),
            problem: String::new(),
            tested: Some(Ok("SQLite 3".into())),
        };
        assert_eq!(text(&report), "Stage  OLEDB\n    SQLite  sqlite:/a.db\n    works: SQLite 3");
        let json: serde_json::Value = serde_json::from_str(&json(&report)).unwrap();
        assert_eq!((&json["driver"], &json["reachable"]), (&"SQLite".into(), &true.into()));
        let broken = ConnectionReport { tested: Some(Err("no route".into())), ..report };
        assert!(text(&broken).ends_with("does not work: no route"));
    }
}
