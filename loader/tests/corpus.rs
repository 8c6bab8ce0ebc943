//! Every package of the corpus of public projects loads, and comes back canonically identical. Skipped without the corpus.

use std::path::{Path, PathBuf};

use dtsx_loader::configuration::ConfigurationFile;
use dtsx_loader::dtsx::{self, LoadOptions};
use dtsx_loader::model::{FormatVersion, Package};
use dtsx_loader::project::{Project, read_parameters};

fn corpus() -> Option<PathBuf> {
    let shared = match std::env::var_os("DTSX_SHARED") {
        Some(shared) => PathBuf::from(shared),
        None => {
            Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|at| at.join("../shared")).find(|at| at.is_dir())?
        }
    };
    Some(shared.join("corpus")).filter(|corpus| corpus.is_dir())
}

/// Without optimization large packages take minutes: then only those below this size are tried.
const LARGEST: u64 = if cfg!(debug_assertions) { 200_000 } else { u64::MAX };

/// The packages of the corpus.
fn packages(corpus: &Path) -> Vec<PathBuf> {
    let is_small = |path: &PathBuf| path.metadata().is_ok_and(|file| file.len() <= LARGEST);
    files(corpus, "dtsx").into_iter().filter(is_small).collect()
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
    for path in packages(&corpus) {
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
    assert!(loaded > 600, "only {loaded} packages");
}

/// What is wrong with a package that was brought to the newest format: references that lead nowhere, numbers left over.
fn leftovers(package: &Package) -> Vec<String> {
    let mut faults = Vec::new();
    let index = package.index();
    for (path, executable) in package.walk() {
        let at = package.object_path(&path);
        for constraint in &executable.precedence_constraints {
            for end in [constraint.from(), constraint.to()] {
                if !end.starts_with("Package") || index.resolve(end).is_none() {
                    faults.push(format!("{at}: constraint {} leads to {end:?}", constraint.name()));
                }
            }
        }
        let Some(pipeline) = executable.pipeline() else { continue };
        let ids = pipeline.index();
        for path in &pipeline.paths {
            if !ids.outputs.contains_key(path.start_id()) || !ids.inputs.contains_key(path.end_id()) {
                faults.push(format!("{at}: path {} from {:?} to {:?}", path.name(), path.start_id(), path.end_id()));
            }
        }
        for component in &pipeline.components {
            for column in component.inputs.iter().flat_map(|input| &input.columns) {
                if !ids.lineages.contains_key(column.lineage_id()) {
                    faults.push(format!("{at}: column {:?} of {}", column.lineage_id(), component.name()));
                }
            }
            for output in &component.outputs {
                if output.synchronous_input().is_some_and(|input| !ids.inputs.contains_key(input)) {
                    faults.push(format!("{at}: output {} is not synchronous to anything", output.name()));
                }
            }
        }
    }
    faults
}

#[test]
fn old_packages_become_new_ones() {
    let Some(corpus) = corpus() else {
        eprintln!("skipped: there is no corpus beside the checkout");
        return;
    };
    let mut faults = Vec::new();
    let mut upgraded = 0;
    for path in packages(&corpus) {
        let Ok(mut package) = dtsx::load(&path, &LoadOptions::default()) else { continue };
        if package.format == FormatVersion::CURRENT {
            continue;
        }
        upgraded += 1;
        let name = path.strip_prefix(&corpus).unwrap().display().to_string();
        let executables = package.walk().len();
        dtsx::upgrade(&mut package);
        let text = dtsx::to_string(&package);
        match dtsx::load_str(&text, &LoadOptions::default()) {
            Ok(again) => {
                assert_eq!(again.format, FormatVersion::CURRENT);
                assert_eq!(again.walk().len(), executables, "{name}");
                faults.extend(leftovers(&again).into_iter().map(|fault| format!("{name}: {fault}")));
                let difference = dtsx::difference(&text, &dtsx::to_string(&again)).unwrap();
                faults.extend(difference.map(|difference| format!("{name}: {difference}")));
            }
            Err(error) => faults.push(format!("{name}: {error}")),
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(upgraded > 100, "only {upgraded} packages");
}

#[test]
fn every_project_and_configuration_is_read() {
    let Some(corpus) = corpus() else {
        eprintln!("skipped: there is no corpus beside the checkout");
        return;
    };
    let options = LoadOptions::default();
    let mut faults = Vec::new();
    let mut counts = [0; 3];
    for path in files(&corpus, "dtproj") {
        match Project::open(&path, &options) {
            Ok(project) => {
                assert!(!project.name.is_empty(), "{}", path.display());
                counts[0] += 1;
            }
            // Some were committed in the middle of a merge.
            Err(_) if std::fs::read_to_string(&path).is_ok_and(|text| text.contains("\n<<<<<<< ")) => {}
            Err(error) => faults.push(error.to_string()),
        }
    }
    for path in files(&corpus, "params") {
        match read_parameters(&path, &options) {
            Ok(_) => counts[1] += 1,
            Err(error) => faults.push(error.to_string()),
        }
    }
    for path in files(&corpus, "dtsConfig") {
        match ConfigurationFile::read(&path, &options) {
            Ok(file) => {
                assert!(!file.entries.is_empty(), "{}", path.display());
                counts[2] += 1;
            }
            Err(error) => faults.push(error.to_string()),
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(counts.iter().all(|count| *count > 10), "read {counts:?}");
}
