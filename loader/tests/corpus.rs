//! Every package of the corpus of public projects loads, and comes back canonically identical. Skipped without the corpus.

use std::path::{Path, PathBuf};

use dtsx_loader::dtsx::{self, LoadOptions};
use dtsx_loader::model::FormatVersion;

fn corpus() -> Option<PathBuf> {
    let shared = match std::env::var_os("DTSX_SHARED") {
        Some(shared) => PathBuf::from(shared),
        None => {
            Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|at| at.join("../shared")).find(|at| at.is_dir())?
        }
    };
    Some(shared.join("corpus")).filter(|corpus| corpus.is_dir())
}

/// All files under a folder with one of the extensions, in order.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_package_loads_and_comes_back() {
    let Some(corpus) = corpus() else {
        eprintln!("skipped: there is no corpus beside the checkout");
        return;
    };
    let mut faults = Vec::new();
    let mut loaded = 0;
    for path in files(&corpus, "dtsx") {
        let name = path.strip_prefix(&corpus).unwrap().display().to_string();
        let package = match dtsx::load(&path, &LoadOptions::default()) {
            Ok(package) => package,
            // A package that is encrypted as a whole needs its password.
            Err(error) if error.name == "DTS_E_PACKAGEUNPROTECT" => continue,
            Err(error) => {
                faults.push(format!("{name}: {error}"));
                continue;
            }
        };
        loaded += 1;
        let known = [FormatVersion(2), FormatVersion(3), FormatVersion(6), FormatVersion(8)];
        assert!(known.contains(&package.format), "{name}: format {}", package.format);
        let source = &package.origin.as_ref().unwrap().source.text;
        match dtsx::difference(source, &dtsx::to_string(&package)) {
            Ok(None) => {}
            Ok(Some(difference)) => faults.push(format!("{name}: {difference}")),
            Err(error) => faults.push(format!("{name}: {error}")),
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(loaded > 800, "only {loaded} packages");
}
