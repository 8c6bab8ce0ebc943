//! `dtsx check`: an offline verdict on packages.

use crate::args::{CheckArgs, ReportFormat};
use crate::json::{Object, array, quoted};
use crate::output::{CommandResult, Look, Out, shown};
use dtsx::{CheckReport, ExitCode, Finding, OpenOptions, Severity, Tally};
use std::io::{self, Write};
use std::path::Path;

/// Checks every package. The exit code is 0 if all would run, else that of the worst: 4 not found, 5 not loaded, 1 not
/// runnable.
///
/// # Errors
/// Standard output.
pub fn run(args: &CheckArgs, out: &mut Out) -> CommandResult {
    let look = Look::of(&io::stdout());
    let mut worst = ExitCode::Success;
    for path in &args.packages {
        let verdict = Verdict::of(path, args);
        match args.format {
            ReportFormat::Json => {
                writeln!(out, "{}", verdict.json())?;
                out.flush()?;
            }
            ReportFormat::Text => out.write_all(verdict.text(look).as_bytes())?,
        }
        worst = worse(worst, verdict.code);
    }
    if args.format == ReportFormat::Text && args.packages.len() > 1 {
        let word = if worst == ExitCode::Success { "all of them would run" } else { "not all of them would run" };
        writeln!(out, "{} packages: {word}", args.packages.len())?;
    }
    Ok(worst)
}

fn worse(a: ExitCode, b: ExitCode) -> ExitCode {
    let rank = |code| match code {
        ExitCode::Success => 0,
        ExitCode::Failed | ExitCode::Cancelled => 1,
        ExitCode::NotLoaded => 2,
        ExitCode::NotFound => 3,
        ExitCode::Usage => 4,
    };
    if rank(b) > rank(a) { b } else { a }
}

/// What is said of one package.
struct Verdict<'a> {
    path: &'a Path,
    loaded: bool,
    report: CheckReport,
    /// The text of the file, for the findings.
    text: String,
    code: ExitCode,
}

impl<'a> Verdict<'a> {
    fn of(path: &'a Path, args: &CheckArgs) -> Verdict<'a> {
        let mut options = OpenOptions::new(path);
        if let Some(project) = &args.project {
            options = options.project(project);
        }
        if let Some(password) = &args.password {
            options = options.password(password);
        }
        match options.open() {
            Ok(package) => {
                let report = package.check();
                let code = if report.runnable { ExitCode::Success } else { ExitCode::Failed };
                Verdict { path, loaded: true, report, text: package.text().to_owned(), code }
            }
            Err(error) => {
                let findings = match error.findings() {
                    [] => vec![Finding::error(error.to_string())],
                    findings => findings.to_vec(),
                };
                let report = CheckReport { findings, ..CheckReport::default() };
                let text = std::fs::read_to_string(path).unwrap_or_default();
                Verdict { path, loaded: false, report, text, code: error.exit_code() }
            }
        }
    }

    fn json(&self) -> String {
        let report = &self.report;
        let expressions = Object::new()
            .raw("total", report.expressions.total)
            .raw("compiled", report.expressions.compiled)
            .raw("declared", report.expressions.declared)
            .raw("typed_as_declared", report.expressions.typed_as_declared);
        let version = if self.loaded { report.format_version.to_string() } else { "null".to_owned() };
        Object::new()
            .text("path", &self.path.to_string_lossy())
            .raw("loaded", self.loaded)
            .raw("format_version", version)
            .raw("runnable", report.runnable)
            .raw("tasks", tally_json(&report.tasks))
            .raw("components", tally_json(&report.components))
            .raw("connections", tally_json(&report.connections))
            .raw("expressions", expressions.end())
            .raw("diagnostics", array(report.findings.iter().map(finding_json)))
            .end()
    }

    fn text(&self, look: Look) -> String {
        let report = &self.report;
        let name = self.path.display().to_string();
        let verdict = match (self.loaded, report.runnable) {
            (false, _) => look.paint("1;31", "cannot be loaded"),
            (true, false) => look.paint("1;31", "would not run"),
            (true, true) => look.paint("1;32", "would run"),
        };
        let mut out = format!("{} {verdict}", look.paint("1", &name));
        if self.loaded {
            out.push_str(&format!(" (package format {})\n", report.format_version));
            for (label, tally) in
                [("tasks", &report.tasks), ("components", &report.components), ("connections", &report.connections)]
            {
                out.push_str(&tally_text(label, tally, look));
            }
            let e = report.expressions;
            if e.total > 0 {
                out.push_str(&format!("  {:<12} {} of {} compile", "expressions", e.compiled, e.total));
                if e.declared > 0 {
                    out.push_str(&format!(", {} of {} have the type declared", e.typed_as_declared, e.declared));
                }
                out.push('\n');
            }
        } else {
            out.push('\n');
        }
        for finding in &report.findings {
            out.push_str(&shown(finding, &name, &self.text, look));
        }
        out.push('\n');
        out
    }
}

fn tally_text(label: &str, tally: &Tally, look: Look) -> String {
    if tally.total == 0 {
        return String::new();
    }
    let mut line = format!("  {label:<12} {} of {} supported", tally.supported, tally.total);
    if !tally.unsupported.is_empty() {
        line.push_str(&look.paint("33", &format!("; not: {}", tally.unsupported.join(", "))));
    }
    line.push('\n');
    line
}

fn tally_json(tally: &Tally) -> String {
    Object::new()
        .raw("total", tally.total)
        .raw("supported", tally.supported)
        .raw("unsupported", array(tally.unsupported.iter().map(|name| quoted(name))))
        .end()
}

/// `code`, `severity`, `message`, `object`, `line`, `column`, and what else is known.
fn finding_json(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Information => "information",
    };
    let number = |n: Option<usize>| n.map_or("null".to_owned(), |n| n.to_string());
    Object::new()
        .optional("code", finding.code.map(|code| code.to_string()))
        .text_if("symbol", finding.code.map_or("", |code| code.name()))
        .text("severity", severity)
        .text("message", &finding.message)
        .text("object", &finding.object)
        .raw("line", number(finding.place.map(|p| p.line)))
        .raw("column", number(finding.place.map(|p| p.column)))
        .text_if("data_column", finding.data_column.as_deref().unwrap_or(""))
        .raw("unsupported", finding.unsupported)
        .end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(loaded: bool) -> Verdict<'static> {
        let mut report = CheckReport { format_version: 8, ..CheckReport::default() };
        report.components = Tally { total: 3, supported: 2, unsupported: vec!["Microsoft.FuzzyLookup".to_owned()] };
        report.findings.push(Finding::error("Fuzzy Lookup is not supported"));
        Verdict { path: Path::new("a.dtsx"), loaded, report, text: String::new(), code: ExitCode::Failed }
    }

    #[test]
    fn json_has_the_members_of_the_contract() {
        let json: serde_json::Value = serde_json::from_str(&verdict(true).json()).unwrap();
        assert_eq!(json["path"], "a.dtsx");
        assert_eq!(json["loaded"], true);
        assert_eq!(json["format_version"], 8);
        assert_eq!(json["runnable"], false);
        assert_eq!(json["components"]["total"], 3);
        assert_eq!(json["components"]["unsupported"][0], "Microsoft.FuzzyLookup");
        assert_eq!(json["expressions"]["typed_as_declared"], 0);
        assert_eq!(json["diagnostics"][0]["message"], "Fuzzy Lookup is not supported");
        assert_eq!(json["diagnostics"][0]["severity"], "error");
        assert!(json["diagnostics"][0]["line"].is_null());
        assert!(json["tasks"]["supported"].is_u64());
    }

    #[test]
    fn text_says_the_verdict_first() {
        let text = verdict(true).text(Look::plain());
        assert!(text.starts_with("a.dtsx would not run (package format 8)\n"), "{text}");
        assert!(text.contains("components   2 of 3 supported; not: Microsoft.FuzzyLookup"), "{text}");
        assert!(verdict(false).text(Look::plain()).starts_with("a.dtsx cannot be loaded\n"));
    }
}
