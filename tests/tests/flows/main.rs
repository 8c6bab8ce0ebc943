//! Runs every `tests/flows/<component>/*.flow` with pools of 1, 2 and 4 threads, with and without chaos, with tiny and
//! with ordinary batches. The form of the files is described in `text.rs`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "everything here is a test")]

mod holders;
mod lookup_oracle;
mod oracle;
mod pivots;
mod procedures;
mod run;
mod text;

use dtsx_engine::diag::{Diagnostic, Severity};
use run::{Bench, READER, ROWSET, Ran, Way, ways};
use std::path::{Path, PathBuf};
use text::{Cell, Expected, FlowTest, Pairs};

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows");
    let mut files = Vec::new();
    for folder in std::fs::read_dir(root).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|e| e == "flow") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[test]
fn every_flow_does_what_its_file_says() {
    let only = std::env::var("FLOW").unwrap_or_default();
    let files: Vec<PathBuf> = files().into_iter().filter(|f| f.to_string_lossy().contains(&only)).collect();
    assert!(!files.is_empty());
    let mut wrong = Vec::new();
    for file in &files {
        let name = format!(
            "{}/{}",
            file.parent().unwrap().file_name().unwrap().display(),
            file.file_name().unwrap().display()
        );
        let text = std::fs::read_to_string(file).unwrap();
        let outcome = std::panic::catch_unwind(|| check(&text::parse(&text)));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => wrong.push(format!("{name}: {problem}")),
            Err(_) => wrong.push(format!("{name}: panicked, see above")),
        }
    }
    assert!(wrong.is_empty(), "{} of {} flows:\n{}", wrong.len(), files.len(), wrong.join("\n"));
}

fn check(test: &FlowTest) -> Result<(), String> {
    check_ways(test, &ways())
}

fn check_ways(test: &FlowTest, ways: &[Way]) -> Result<(), String> {
    let bench = Bench::new(test);
    let tapped: Vec<String> =
        test.expected.iter().map(|e| e.output.clone()).filter(|o| o != READER && !o.starts_with(ROWSET)).collect();
    let (plan, diagnostics) = bench.bind(&tapped);
    said(&diagnostics, Severity::Warning, &test.warns)?;
    said(&diagnostics, Severity::Error, &test.refused)?;
    if !test.refused.is_empty() {
        return Ok(());
    }
    let plan = plan.ok_or("no plan")?;
    for way in ways {
        let ran = bench.run(&plan, &tapped, *way);
        judge(test, &bench, &ran).map_err(|problem| format!("{problem} [{way:?}]"))?;
    }
    Ok(())
}

/// Every diagnostic of a severity was expected, and the other way round.
fn said(diagnostics: &[Diagnostic], severity: Severity, expected: &Pairs) -> Result<(), String> {
    let shown = |d: &Diagnostic| {
        format!(
            "{} {} {}",
            d.code.map(|c| c.to_string()).unwrap_or_default(),
            d.message,
            d.column.as_deref().unwrap_or("")
        )
    };
    let mut found: Vec<String> = diagnostics.iter().filter(|d| d.severity == severity).map(shown).collect();
    for (code, text) in expected {
        let place = found.iter().position(|f| f.starts_with(code.as_str()) && f.contains(text.as_str()));
        let place = place.ok_or_else(|| format!("nobody said {code} {text}; but {found:#?}"))?;
        found.remove(place);
    }
    if found.is_empty() { Ok(()) } else { Err(format!("unexpected {severity:?}: {found:#?}")) }
}

fn judge(test: &FlowTest, bench: &Bench, ran: &Ran) -> Result<(), String> {
    match (&test.fails, &ran.outcome) {
        (None, Ok(())) => {}
        (None, Err(e)) => return Err(format!("failed: {e}")),
        (Some(_), Ok(())) => return Err("did not fail".into()),
        (Some(expected), Err(error)) => {
            let row = error.row().cloned().unwrap_or_default();
            for (name, value) in expected {
                let actual = match name.as_str() {
                    "code" => error.code().map(|c| c.to_string()),
                    "row" => row.number.map(|n| n.to_string()),
                    "column" => row.column.clone(),
                    "value" => row.value.clone(),
                    "message" => {
                        Some(error.to_string()).map(|m| if m.contains(value.as_str()) { value.clone() } else { m })
                    }
                    other => panic!("[fails] {other}"),
                };
                if actual.as_ref() != Some(value) {
                    return Err(format!("failed with {name} {actual:?} and not {value}: {error}"));
                }
            }
            let ended: Vec<&String> = ran.outputs.keys().collect();
            files_are(test, ran)?;
            return if ended.is_empty() { Ok(()) } else { Err(format!("ended in order after a failure: {ended:?}")) };
        }
    }
    for expected in &test.expected {
        let (header, rows) =
            ran.outputs.get(&expected.output).ok_or_else(|| format!("{} never ended", expected.output))?;
        compare(bench, expected, header, rows).map_err(|p| format!("{}: {p}", expected.output))?;
    }
    files_are(test, ran)?;
    let variables = ran.variables.0.lock().unwrap();
    for (name, value) in &test.expected_variables {
        let actual = format!("{:?}", variables[name].1);
        if actual != format!("I8({value})") {
            return Err(format!("{name} is {actual}, not {value}"));
        }
    }
    Ok(())
}

/// The files are as expected.
fn files_are(test: &FlowTest, ran: &Ran) -> Result<(), String> {
    for expected in &test.expected_files {
        let bytes = std::fs::read(ran.folder.path().join(&expected.name))
            .map_err(|e| format!("file {}: {e}", expected.name))?;
        if bytes != expected.bytes {
            let shown = |bytes: &[u8]| match std::str::from_utf8(bytes) {
                Ok(text) if !expected.hex => format!("{text:?}"),
                _ => format!("{bytes:02x?}"),
            };
            return Err(format!("file {}: {}\n  and not {}", expected.name, shown(&bytes), shown(&expected.bytes)));
        }
    }
    for expected in &test.queries {
        let (header, rows) = run::query(ran.folder.path(), &expected.output);
        if header != expected.header || rows != expected.rows {
            return Err(format!("{}: {header:?} {rows:?}\n  and not {:?}", expected.output, expected.rows));
        }
    }
    match test.absent_files.iter().find(|name| ran.folder.path().join(name).exists()) {
        Some(name) => Err(format!("file {name} exists")),
        None => Ok(()),
    }
}

fn compare(bench: &Bench, expected: &Expected, header: &[String], rows: &[Vec<Cell>]) -> Result<(), String> {
    let place =
        |name: &String| header.iter().position(|h| h == name).ok_or_else(|| format!("no column {name} in {header:?}"));
    let places = expected.header.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let mut actual: Vec<Vec<Cell>> = rows.iter().map(|row| places.iter().map(|p| row[*p].clone()).collect()).collect();
    let mut wanted: Vec<Vec<Cell>> = expected.rows.clone();
    for (place, name) in expected.header.iter().enumerate() {
        for cell in wanted.iter_mut().filter_map(|row| row[place].as_mut()) {
            match name.as_str() {
                "ErrorCode" => {
                    if let Some(hex) = cell.strip_prefix("0x") {
                        *cell = (u32::from_str_radix(hex, 16).unwrap() as i32).to_string();
                    }
                }
                "ErrorColumn" => {
                    if let Some(lineage) = bench.lineage(cell) {
                        *cell = lineage.to_string();
                    }
                }
                _ => {}
            }
        }
    }
    if expected.unordered {
        actual.sort();
        wanted.sort();
    }
    if actual == wanted { Ok(()) } else { Err(format!("rows {actual:?}\n  and not {wanted:?}")) }
}

#[test]
fn every_transform_has_a_flow() {
    let texts: Vec<FlowTest> = files().iter().map(|f| text::parse(&std::fs::read_to_string(f).unwrap())).collect();
    for kind in dtsx_components::catalog::TRANSFORMS {
        assert!(texts.iter().any(|t| t.kind == kind.kind()), "{} has no flow test", kind.kind());
    }
}

#[test]
fn a_wrong_expectation_is_noticed() {
    let test = |expectation: &str| {
        let text = format!("[component]\nkind = Microsoft.Multicast\n[input In]\na i4\n1\n[output A]\n{expectation}");
        check(&text::parse(&text))
    };
    assert_eq!(test("[expect A]\na\n1"), Ok(()));
    assert!(test("[expect A]\na\n2").unwrap_err().contains("and not"));
    assert!(test("[fails]\ncode = 0xC0209029").unwrap_err().contains("did not fail"));
    assert!(test("[refused]\n0xC0209029").unwrap_err().contains("nobody said"));
}
