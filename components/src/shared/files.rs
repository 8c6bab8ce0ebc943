//! The files that a connection string names.

use dtsx_engine::diag::{Error, Owner, Result, codes};
use dtsx_engine::run::PathMap;
use globset::GlobBuilder;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file to read: the path to open, and the path as the package spells it, for messages and the file name column.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct InputFile {
    /// What to open.
    pub(crate) path: PathBuf,
    /// What the package calls it.
    pub(crate) name: Arc<str>,
}

/// The files that `connection` names: one path, or with `multi` paths joined by `|`, in which `*` and `?` may stand in
/// the last part; what they match comes in the order of names.
///
/// # Errors
/// DTS_E_CANNOTOPENDATAFILE for no path, or a pattern that matches nothing.
pub(crate) fn inputs(connection: &str, multi: bool, paths: &PathMap) -> Result<Vec<InputFile>> {
    let mut files = Vec::new();
    let parts: Vec<&str> = if multi { connection.split('|').map(str::trim).collect() } else { vec![connection] };
    for part in parts.iter().filter(|p| !p.is_empty()) {
        if multi && part.contains(['*', '?']) {
            let found = matching(part, paths)?;
            if found.is_empty() {
                return Err(cannot_open(part, "no file matches"));
            }
            files.extend(found);
        } else {
            files.push(InputFile { path: paths.resolve(part), name: Arc::from(*part) });
        }
    }
    if files.is_empty() { Err(cannot_open(connection, "no file is named")) } else { Ok(files) }
}

fn cannot_open(name: &str, cause: impl std::fmt::Display) -> Error {
    let code = codes::DTS_E_CANNOTOPENDATAFILE;
    Error::new(Owner::Connection, code, format!("{} {cause}", code.message(&[&name])))
}

fn matching(pattern: &str, paths: &PathMap) -> Result<Vec<InputFile>> {
    let cut = pattern.rfind(['\\', '/']).map_or(0, |at| at + 1);
    let (folder_name, file_pattern) = pattern.split_at(cut);
    let folder = if folder_name.is_empty() { PathBuf::from(".") } else { paths.resolve(folder_name) };
    // Only `*` and `?` are wild in Windows patterns.
    let escaped: String = file_pattern
        .chars()
        .map(|c| if matches!(c, '[' | ']' | '{' | '}' | '!') { format!("[{c}]") } else { c.to_string() })
        .collect();
    let glob = GlobBuilder::new(&escaped)
        .case_insensitive(true)
        .build()
        .map_err(|e| cannot_open(pattern, e))?
        .compile_matcher();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(|e| cannot_open(pattern, e))? {
        let entry = entry.map_err(|e| cannot_open(pattern, e))?;
        let name = entry.file_name();
        if glob.is_match(Path::new(&name)) && entry.path().is_file() {
            names.push(name);
        }
    }
    names.sort();
    let file = |name: std::ffi::OsString| InputFile {
        name: Arc::from(format!("{folder_name}{}", name.to_string_lossy())),
        path: folder.join(name),
    };
    Ok(names.into_iter().map(file).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_patterns() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b1.csv", "a1.CSV", "a1.txt", "c[1].csv"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let mut paths = PathMap::default();
        paths.add(r"D:\in", &folder.path().to_string_lossy());
        let names = |connection: &str| -> Vec<String> {
            inputs(connection, true, &paths).unwrap().iter().map(|f| f.name.to_string()).collect()
        };
        assert_eq!(names(r"D:\in\*.csv"), [r"D:\in\a1.CSV", r"D:\in\b1.csv", r"D:\in\c[1].csv"]);
        assert_eq!(names(r"D:\in\b1.csv|D:\in\?1.txt"), [r"D:\in\b1.csv", r"D:\in\a1.txt"]);
        assert_eq!(names(r"D:\in\c[1].*"), [r"D:\in\c[1].csv"]);
        assert!(inputs(r"D:\in\*.none", true, &paths).unwrap_err().message().contains("*.none"));
        assert!(inputs("", false, &paths).is_err());
    }
}
