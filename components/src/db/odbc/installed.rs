//! The ODBC drivers and data sources of this machine: those of odbcinst.ini and odbc.ini, on Windows those that the
//! system's driver manager lists.

use super::super::connection_string::Pairs;
use super::super::dialect::{Dialect, Family};
use super::ini::{self, Files, Section};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A driver, as it is listed.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Listed {
    name: String,
    /// Its library, with a path or without; "" where the system's driver manager finds it.
    library: String,
    /// The file that lists it.
    file: PathBuf,
}

/// What is listed.
#[derive(Clone, Debug, Default)]
struct Installed {
    drivers: Vec<Listed>,
    sources: Vec<(String, Pairs)>,
    files: Vec<PathBuf>,
}

/// Folders in which systems keep the libraries of drivers, where odbcinst.ini gives no path. A star stands for any name,
/// Debian's of machines above all (`x86_64-linux-gnu`).
const FOLDERS: [&str; 10] = [
    "/usr/lib/*/odbc",
    "/usr/lib/odbc",
    "/usr/lib64/odbc",
    "/usr/lib64",
    "/usr/lib/*",
    "/usr/lib",
    "/usr/local/lib/odbc",
    "/usr/local/lib",
    "/opt/homebrew/lib",
    "/opt/local/lib",
];

impl Installed {
    fn read(environment: &dyn Fn(&str) -> Option<String>) -> Installed {
        if cfg!(windows) {
            // Data sources are left to the system's driver manager.
            let drivers = odbc_api::environment().and_then(|environment| environment.drivers()).unwrap_or_default();
            let listed =
                |d: odbc_api::DriverInfo| Listed { name: d.description, library: String::new(), file: PathBuf::new() };
            return Installed { drivers: drivers.into_iter().map(listed).collect(), ..Installed::default() };
        }
        let files = Files::of(environment);
        let driver = |Section { name, entries, file }: Section| {
            let library = ini::value(&entries, "Driver64").or_else(|| ini::value(&entries, "Driver"))?.to_owned();
            Some(Listed { name, library, file })
        };
        let source = |Section { name, entries, .. }: Section| {
            let mut pairs = Pairs::default();
            for (key, value) in entries.into_iter().filter(|(key, value)| !key.is_empty() && !value.is_empty()) {
                pairs.set(&key, value);
            }
            // Sections about the driver manager itself, and lists of the others, name no driver.
            pairs.filled(&["Driver"]).is_some().then_some((name, pairs))
        };
        Installed {
            drivers: ini::read(&files.drivers).into_iter().filter_map(driver).collect(),
            sources: ini::read(&files.sources).into_iter().filter_map(source).collect(),
            files: files.drivers.into_iter().chain(files.sources).collect(),
        }
    }

    fn driver(&self, name: &str) -> Option<&Listed> {
        let name = bare(name);
        self.drivers.iter().find(|known| known.name.eq_ignore_ascii_case(name))
    }

    fn library(&self, name: &str) -> Library {
        let listed = match self.driver(name) {
            Some(listed) => listed.clone(),
            // A library itself, perhaps without its folder.
            None if !cfg!(windows) && bare(name).contains(".so") || bare(name).ends_with(".dylib") => {
                Listed { name: bare(name).to_owned(), library: bare(name).to_owned(), file: PathBuf::new() }
            }
            None => return Library::Unlisted,
        };
        if listed.library.is_empty() {
            return Library::Unlisted;
        }
        let found = match listed.library.contains('/') {
            true => Some(PathBuf::from(&listed.library)).filter(|path| path.exists()),
            false => folders().into_iter().map(|folder| folder.join(&listed.library)).find(|path| path.exists()),
        };
        match found {
            Some(path) => Library::There(path.to_string_lossy().into_owned()),
            None => Library::Missing(match listed.file.as_os_str().is_empty() {
                true => format!("the ODBC driver {} is not there", listed.library),
                false => format!(
                    "the ODBC driver \"{}\" is listed in {}, but its library {} is not there: install it again",
                    listed.name,
                    listed.file.display(),
                    listed.library
                ),
            }),
        }
    }
}

fn folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for folder in FOLDERS {
        match folder.split_once('*') {
            None => folders.push(PathBuf::from(folder)),
            Some((before, after)) => {
                let below = std::fs::read_dir(before).into_iter().flatten().flatten();
                // Only machines' names hold hyphens; other folders of /usr/lib are none of ours.
                let machines = below.filter(|entry| entry.file_name().to_string_lossy().contains("-linux-"));
                folders.extend(machines.map(|entry| entry.path().join(after.trim_start_matches('/'))));
            }
        }
    }
    folders
}

/// Where the library of a driver is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::db) enum Library {
    /// There, with its path.
    There(String),
    /// It is listed, and not there: why.
    Missing(String),
    /// Nobody here knows; the driver manager may.
    Unlisted,
}

fn installed() -> &'static Installed {
    static INSTALLED: OnceLock<Installed> = OnceLock::new();
    INSTALLED.get_or_init(|| Installed::read(&|name| std::env::var(name).ok()))
}

/// The names of the drivers.
pub(in crate::db) fn names() -> impl Iterator<Item = &'static str> {
    installed().drivers.iter().map(|listed| listed.name.as_str())
}

/// The library of the driver of that name, with its path.
pub(in crate::db) fn library(name: &str) -> Library {
    installed().library(name)
}

/// What odbc.ini says of a data source.
pub(in crate::db) fn source(name: &str) -> Option<&'static Pairs> {
    installed().sources.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim())).map(|(_, pairs)| pairs)
}

/// The names of the data sources.
pub(in crate::db) fn sources() -> impl Iterator<Item = &'static str> {
    installed().sources.iter().map(|(name, _)| name.as_str())
}

/// The files that were looked into and are there.
pub(in crate::db) fn files() -> Vec<String> {
    installed().files.iter().filter(|f| f.exists()).map(|f| f.display().to_string()).collect()
}

fn bare(name: &str) -> &str {
    name.trim().trim_start_matches('{').trim_end_matches('}')
}

/// Whether a text is the path of a library, and not a driver's name.
pub(in crate::db) fn is_path(name: &str) -> bool {
    Path::new(bare(name)).is_absolute()
}

/// Whether there is a driver of that name; a name in braces is the same.
pub(in crate::db) fn has(name: &str) -> bool {
    installed().driver(name).is_some()
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

    #[cfg(unix)]
    #[test]
    fn what_the_files_of_a_folder_list() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        std::fs::write(place("liba.so"), "").unwrap();
        let drivers =
            format!("[A]\nDriver={}\n[B]\nDriver=/nowhere/libb.so\n[Odd]\nSetup=x\n", place("liba.so").display());
        std::fs::write(place("odbcinst.ini"), drivers).unwrap();
        std::fs::write(place("odbc.ini"), "[ODBC Data Sources]\nStage=A\n[Stage]\nDriver=A\nServer=db\nPassword=pw\n")
            .unwrap();
        std::fs::write(place("own.ini"), "[stage2]\nDriver=B\n[STAGE]\nDriver=A\nServer=own\n").unwrap();
        let read = |own: bool| {
            Installed::read(&|name| match name {
                "ODBCSYSINI" => Some(folder.path().to_string_lossy().into_owned()),
                "ODBCINI" if own => Some(place("own.ini").to_string_lossy().into_owned()),
                _ => None,
            })
        };
        let system = read(false);
        assert_eq!(system.drivers.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(system.library("{a}"), Library::There(place("liba.so").to_string_lossy().into_owned()));
        let Library::Missing(why) = system.library("B") else { panic!("B is there") };
        assert!(why.contains("/nowhere/libb.so") && why.contains("odbcinst.ini"), "{why}");
        assert_eq!(system.library("C"), Library::Unlisted);
        assert!(matches!(system.library("libnowhere.so"), Library::Missing(_)));
        assert_eq!(system.sources.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(), ["Stage"]);
        // The user's own come before the system's.
        let own = read(true);
        let stage = own.sources.iter().find(|(n, _)| n.eq_ignore_ascii_case("stage")).unwrap();
        assert_eq!((own.sources.len(), stage.1.get(&["Server"])), (2, Some("own")));
    }
}
