//! The ODBC drivers that are listed in odbcinst.ini.

use super::super::dialect::{Dialect, Family};
use std::path::Path;
use std::sync::OnceLock;

/// Names and libraries, as the driver manager lists them.
fn drivers() -> &'static [(String, String)] {
    static DRIVERS: OnceLock<Vec<(String, String)>> = OnceLock::new();
    DRIVERS.get_or_init(|| {
        let drivers = odbc_api::environment().and_then(|environment| environment.drivers());
        let library = |attributes: &std::collections::HashMap<String, String>| {
            let found = attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case("Driver"));
            found.map(|(_, library)| library.clone()).unwrap_or_default()
        };
        let pair = |d: odbc_api::DriverInfo| (d.description, library(&d.attributes));
        drivers.map(|list| list.into_iter().map(pair).collect()).unwrap_or_default()
    })
}

/// Their names.
pub(in crate::db) fn names() -> impl Iterator<Item = &'static str> {
    drivers().iter().map(|(name, _)| name.as_str())
}

/// Folders in which systems keep the libraries of drivers, where odbcinst.ini gives no path.
const FOLDERS: [&str; 9] = [
    "/usr/lib/x86_64-linux-gnu/odbc",
    "/usr/lib/aarch64-linux-gnu/odbc",
    "/usr/lib/odbc",
    "/usr/lib64",
    "/usr/lib64/odbc",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/local/lib",
    "/opt/homebrew/lib",
];

/// The library of the driver of that name, with its path: the driver manager inside this program knows no folders but the
/// linker's.
pub(in crate::db) fn library(name: &str) -> Option<String> {
    let name = bare(name);
    let (_, library) = drivers().iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    if library.contains('/') {
        return Some(library.clone());
    }
    let path = FOLDERS.iter().map(|folder| Path::new(folder).join(library)).find(|path| path.exists());
    path.map(|path| path.to_string_lossy().into_owned())
}

fn bare(name: &str) -> &str {
    name.trim().trim_start_matches('{').trim_end_matches('}')
}

/// Whether there is a driver of that name; a name in braces is the same.
pub(in crate::db) fn has(name: &str) -> bool {
    let name = bare(name);
    names().any(|known| known.eq_ignore_ascii_case(name))
}

/// The first driver whose name contains `part` (in lower case).
pub(in crate::db) fn named(part: &str) -> Option<String> {
    names().find(|known| known.to_ascii_lowercase().contains(part)).map(str::to_owned)
}

/// What is preferred among drivers of a family: the makers' own before others, newer before older, Unicode before not.
fn rank(name: &str) -> (bool, bool, String) {
    let lower = name.to_ascii_lowercase();
    (lower.starts_with("odbc driver"), !lower.contains("ansi"), lower)
}

/// The best driver for a family.
pub(in crate::db) fn for_family(family: Family) -> Option<String> {
    let speaks = |name: &&str| match family {
        Family::Sybase => Dialect::family_of(name) == family || name.to_ascii_lowercase().contains("freetds"),
        _ => Dialect::family_of(name) == family,
    };
    names().filter(speaks).max_by_key(|name| rank(name)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_makers_newest_comes_first() {
        let mut names = ["FreeTDS", "ODBC Driver 17 for SQL Server", "ODBC Driver 18 for SQL Server"];
        names.sort_by_key(|n| rank(n));
        assert_eq!(names[2], "ODBC Driver 18 for SQL Server");
        let mut names = ["PostgreSQL Unicode", "PostgreSQL ANSI"];
        names.sort_by_key(|n| rank(n));
        assert_eq!(names[1], "PostgreSQL Unicode");
    }
}
