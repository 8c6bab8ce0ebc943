//! Where unixODBC keeps what is installed: odbcinst.ini and odbc.ini, the system's and the user's.
//!
//! They are read here and not by the driver manager, because the one inside this program was built for `/etc`, reads
//! `ODBCSYSINI` once for its whole life, and hands libraries without a path to the linker, which does not know the folders
//! where systems keep drivers. What it is given in the end is a library with its path.

use std::path::{Path, PathBuf};

/// Keys and values of a section, in order.
pub(super) type Entries = Vec<(String, String)>;

/// The sections of a file, in order: their name and their pairs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Ini(pub(super) Vec<(String, Entries)>);

/// A section, with the file that it stands in.
pub(super) struct Section {
    pub(super) name: String,
    pub(super) entries: Entries,
    pub(super) file: PathBuf,
}

impl Ini {
    pub(super) fn parse(text: &str) -> Ini {
        let mut sections: Vec<(String, Entries)> = Vec::new();
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with([';', '#'])) {
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.split(']').next()) {
                sections.push((name.trim().to_owned(), Vec::new()));
            } else if let (Some((_, pairs)), Some((key, value))) = (sections.last_mut(), line.split_once('=')) {
                pairs.push((key.trim().to_owned(), value.trim().to_owned()));
            }
        }
        Ini(sections)
    }
}

/// A value of a section.
pub(super) fn value<'p>(pairs: &'p [(String, String)], key: &str) -> Option<&'p str> {
    let found = pairs.iter().find(|(known, _)| known.eq_ignore_ascii_case(key));
    found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

/// The folders of the system's files, if ODBCSYSINI names no other.
const SYSTEM: &[&str] = if cfg!(target_os = "macos") {
    // Homebrew's, on both kinds of machines, and that of Microsoft's installer.
    &["/opt/homebrew/etc", "/usr/local/etc", "/etc", "/Library/ODBC"]
} else {
    &["/etc", "/etc/unixODBC", "/usr/local/etc"]
};

/// The files that there may be, the user's before the system's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Files {
    /// Of drivers.
    pub(super) drivers: Vec<PathBuf>,
    /// Of data sources.
    pub(super) sources: Vec<PathBuf>,
}

impl Files {
    /// By the variables of unixODBC.
    pub(super) fn of(environment: &dyn Fn(&str) -> Option<String>) -> Files {
        let filled = |name: &str| environment(name).filter(|v| !v.trim().is_empty()).map(PathBuf::from);
        let home = filled("HOME");
        let system: Vec<PathBuf> = match filled("ODBCSYSINI") {
            Some(folder) => vec![folder],
            None => SYSTEM.iter().map(PathBuf::from).collect(),
        };
        let below = |name: &Path| system.iter().map(|folder| folder.join(name)).collect::<Vec<_>>();
        // ODBCINSTINI is a name below the system's folder; with a path, it stands for itself (`join` sees to that).
        let instance = filled("ODBCINSTINI").unwrap_or_else(|| PathBuf::from("odbcinst.ini"));
        let own = |name: &str| home.as_ref().map(|home| home.join(name));
        Files {
            drivers: own(".odbcinst.ini").into_iter().chain(below(&instance)).collect(),
            sources: filled("ODBCINI")
                .or_else(|| own(".odbc.ini"))
                .into_iter()
                .chain(below(Path::new("odbc.ini")))
                .collect(),
        }
    }
}

/// The sections of those files that there are. The first of a name counts.
pub(super) fn read(files: &[PathBuf]) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for file in files {
        let Ok(bytes) = std::fs::read(file) else { continue };
        for (name, entries) in Ini::parse(&String::from_utf8_lossy(&bytes)).0 {
            if !sections.iter().any(|known| known.name.eq_ignore_ascii_case(&name)) {
                sections.push(Section { name, entries, file: file.clone() });
            }
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_sections() {
        let text = "; drivers\n[A b]\nDriver = liba.so\n# not this\nSetup=\n\n[c]\ndriver=/x/c.so\nstray\n";
        let ini = Ini::parse(text);
        assert_eq!(ini.0.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["A b", "c"]);
        assert_eq!((value(&ini.0[0].1, "DRIVER"), value(&ini.0[0].1, "Setup")), (Some("liba.so"), None));
        assert_eq!(value(&ini.0[1].1, "Driver"), Some("/x/c.so"));
        assert_eq!(Ini::parse("a=b\n"), Ini::default());
    }

    #[test]
    fn variables_move_the_files() {
        let files = |set: &'static [(&str, &str)]| {
            Files::of(&|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        let plain = files(&[("HOME", "/home/me")]);
        assert_eq!(plain.drivers[0], Path::new("/home/me/.odbcinst.ini"));
        assert!(plain.drivers.contains(&PathBuf::from("/etc/odbcinst.ini")));
        assert_eq!(plain.sources[0], Path::new("/home/me/.odbc.ini"));
        let moved = files(&[("HOME", "/h"), ("ODBCSYSINI", "/sys"), ("ODBCINI", "/my.ini")]);
        assert_eq!(moved.drivers, [PathBuf::from("/h/.odbcinst.ini"), PathBuf::from("/sys/odbcinst.ini")]);
        assert_eq!(moved.sources, [PathBuf::from("/my.ini"), PathBuf::from("/sys/odbc.ini")]);
        let named = files(&[("ODBCSYSINI", "/sys"), ("ODBCINSTINI", "other.ini")]);
        assert_eq!(named.drivers, [PathBuf::from("/sys/other.ini")]);
        assert_eq!(files(&[("ODBCINSTINI", "/x/other.ini")]).drivers[0], Path::new("/x/other.ini"));
    }
}
