//! The expressions of real packages: how many compile, and how many are typed as the designer stored them.

use dtsx_components::catalog::Catalog;
use dtsx_engine::control::{Pipelines, Registry, RunRequest};
use dtsx_engine::run::{Expressions, RunOptions, Services};
use dtsx_loader::compile::{CompileOptions, Support, compile, report};
use dtsx_loader::dtsx::{LoadOptions, load};
use dtsx_loader::project::Project;
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct Everything;
impl Support for Everything {
    fn component(&self, _: &str) -> bool {
        true
    }
    fn task(&self, _: &str) -> bool {
        true
    }
    fn connection(&self, _: &str) -> bool {
        true
    }
}

fn packages(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            packages(&path, found);
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("dtsx")) {
            found.push(path);
        }
    }
}

/// The least shares of what is declared that this build types the same: of everything, and of the columns alone. Decision
/// 0012 explains every difference: types changed by hand after the designer had inferred them, which no inference can know.
const TYPED_AT_LEAST: (f64, f64) = (0.97, 0.967);

#[test]
fn expressions_of_real_packages_compile_and_have_the_stored_types() {
    let shared = std::env::var_os("DTSX_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    let mut files = Vec::new();
    packages(&shared.join("corpus"), &mut files);
    if files.is_empty() {
        eprintln!("skipped: there is no corpus of packages beside the checkout");
        return;
    }
    let services = Services::new(RunOptions { threads: 1, ..RunOptions::default() }).unwrap();
    let flows = Arc::new(Pipelines::new(Arc::new(Catalog)));
    let registry = Arc::new(Registry::new(flows, Arc::new(Expressions::default())));
    let request = RunRequest::new(services, registry);
    let (mut total, mut compiled, mut declared, mut typed, mut columns, mut typed_columns) = (0, 0, 0, 0, 0, 0);
    for file in &files {
        let Ok(package) = load(file, &LoadOptions::default()) else { continue };
        let project = Project::beside(file, &LoadOptions::default()).ok().flatten();
        let result = compile(&package, project.as_ref(), &CompileOptions::default());
        let report = report(&result, &request, &Everything).unwrap();
        total += report.expressions.total;
        compiled += report.expressions.compiled;
        declared += report.expressions.declared;
        typed += report.expressions.typed_as_declared;
        columns += report.expressions.declared_columns;
        typed_columns += report.expressions.columns_typed_as_declared;
        if std::env::var_os("DTSX_LIST").is_some() {
            for finding in &report.expression_findings {
                let name = file.strip_prefix(&shared).unwrap_or(file).display();
                match (&finding.error, &finding.types) {
                    (Some(error), _) => println!(
                        "ERROR\t{name}\t{}\t{}\t{}\t{error}",
                        finding.object,
                        finding.part,
                        finding.text.replace('\n', " ")
                    ),
                    (None, Some((d, i))) => println!(
                        "TYPE\t{name}\t{}\t{}\t{}\tdeclared {d}, inferred {i}",
                        finding.object,
                        finding.part,
                        finding.text.replace('\n', " ")
                    ),
                    _ => {}
                }
            }
        }
    }
    println!("{total} expressions, {compiled} compile; {declared} declared, {typed} typed so");
    println!("of these {columns} columns, {typed_columns} typed so");
    assert!(columns > 0 && declared > columns);
    assert!(typed as f64 >= TYPED_AT_LEAST.0 * declared as f64);
    assert!(typed_columns as f64 >= TYPED_AT_LEAST.1 * columns as f64);
}
