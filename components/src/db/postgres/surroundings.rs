//! What the surroundings of a program say of a login, where its connection string says nothing: the variables of libpq and
//! its password file.
//!
//! ```text
//! PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD, PGSSLMODE, PGSSLROOTCERT, PGAPPNAME
//! PGPASSFILE, else ~/.pgpass (%APPDATA%\postgresql\pgpass.conf), line by line: host:port:database:user:password
//! ```

use crate::db::connection_string::Pairs;
use std::path::PathBuf;

/// The variables of a process.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Variables of libpq, the keys that come before them, and the key that they stand for.
const VARIABLES: [(&str, &[&str]); 7] = [
    ("PGHOST", &["Server", "Servername", "Host"]),
    ("PGPORT", &["Port"]),
    ("PGDATABASE", &["Database", "Dbname"]),
    ("PGUSER", &["UID", "User", "Username", "User ID"]),
    ("PGSSLMODE", &["SSLmode"]),
    ("PGSSLROOTCERT", &["SSLrootcert", "Root Certificate"]),
    ("PGAPPNAME", &["Application Name"]),
];

/// The variables of this process.
pub(super) fn of_process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What a connection string says, and what variables say where it says nothing.
pub(super) fn with_variables(pairs: &Pairs, variables: Variables<'_>) -> Pairs {
    let mut pairs = pairs.clone();
    for (variable, keys) in VARIABLES {
        if let Some(value) = variables(variable).filter(|v| !v.trim().is_empty() && pairs.filled(keys).is_none()) {
            pairs.set(keys[0], value);
        }
    }
    pairs
}

/// Who logs in where, as lines of the password file name it.
pub(super) struct Login<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// What the surroundings know of a password.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Found {
    pub(super) password: Option<String>,
    /// Why a password file was not read.
    pub(super) passed_over: Option<String>,
}

/// Looks for the password of a login.
pub(super) fn password(login: &Login<'_>, variables: Variables<'_>) -> Found {
    if let Some(password) = variables("PGPASSWORD").filter(|p| !p.is_empty()) {
        return Found { password: Some(password), passed_over: None };
    }
    let Some(path) = file(variables) else { return Found::default() };
    let Ok(about) = std::fs::metadata(&path) else { return Found::default() };
    let passed_over =
        |why: &str| Found { password: None, passed_over: Some(format!("the password file {} {why}", path.display())) };
    if !about.is_file() {
        return passed_over("is no plain file");
    }
    if is_open_to_others(&about) {
        return passed_over("is open to its group or to everybody and was not read; its mode should be 0600");
    }
    match std::fs::read(&path) {
        Ok(bytes) => Found { password: in_file(&String::from_utf8_lossy(&bytes), login), passed_over: None },
        Err(error) => passed_over(&format!("cannot be read: {error}")),
    }
}

fn file(variables: Variables<'_>) -> Option<PathBuf> {
    let given = |name: &str| variables(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    given("PGPASSFILE").or_else(|| match cfg!(windows) {
        true => given("APPDATA").map(|folder| folder.join("postgresql").join("pgpass.conf")),
        false => given("HOME").map(|folder| folder.join(".pgpass")),
    })
}

#[cfg(unix)]
fn is_open_to_others(about: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_about: &std::fs::Metadata) -> bool {
    false
}

/// The folders in which servers of this machine have their sockets: the password file calls them `localhost`.
const SOCKETS: [&str; 3] = ["/tmp", "/var/run/postgresql", "/run/postgresql"];

/// The password of the first line that fits.
fn in_file(text: &str, login: &Login<'_>) -> Option<String> {
    let host = if SOCKETS.contains(&login.host.trim_end_matches('/')) { "localhost" } else { login.host };
    let port = login.port.to_string();
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line;
        for wanted in [host, &port, login.database, login.user] {
            let (field, any, after) = field(rest)?;
            if !any && field != wanted {
                return None;
            }
            rest = after?;
        }
        field(rest).map(|(password, ..)| password).filter(|p| !p.is_empty())
    })
}

/// A field up to its colon, what `\:` and `\\` stand for put in; whether it stands for all values; what follows, if
/// anything does.
fn field(text: &str) -> Option<(String, bool, Option<&str>)> {
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            ':' => return Some((value, &text[..at] == "*", Some(&text[at + 1..]))),
            c => value.push(c),
        }
    }
    Some((value, text == "*", None))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: Login<'static> = Login { host: "db.example", port: 5433, database: "stage", user: "me" };

    #[test]
    fn lines_of_the_password_file() {
        for (text, expected) in [
            ("db.example:5433:stage:me:secret", Some("secret")),
            ("db.example:5433:stage:me:secret\r\n", Some("secret")),
            ("*:*:*:*:all", Some("all")),
            ("other:5433:stage:me:no\n*:*:stage:me:second\n*:*:*:*:third", Some("second")),
            ("# db.example:5433:stage:me:no\n*:*:*:me:yes", Some("yes")),
            (r"*:*:*:me:a\:b\\c", Some(r"a:b\c")),
            ("*:*:*:me:a:b", Some("a")),
            ("db.example:5432:stage:me:other port", None),
            ("db.example:5433:STAGE:me:other case", None),
            (r"\*:*:*:*:a star is its name", None),
            ("db.example:5433:stage:me", None),
            ("db.example:5433:stage:me:", None),
            ("", None),
        ] {
            assert_eq!(in_file(text, &LOGIN).as_deref(), expected, "{text}");
        }
        let strange = Login { host: "::1", database: r"a\b", ..LOGIN };
        assert_eq!(in_file(r"\:\:1:5433:a\\b:me:yes", &strange).as_deref(), Some("yes"));
        for (host, expected) in
            [("/var/run/postgresql", Some("here")), ("/srv/sockets", None), ("localhost", Some("here"))]
        {
            let login = Login { host, ..LOGIN };
            assert_eq!(in_file("localhost:*:*:*:here", &login).as_deref(), expected, "{host}");
        }
        let socket = Login { host: "/srv/sockets", ..LOGIN };
        assert_eq!(in_file("/srv/sockets:*:*:*:here", &socket).as_deref(), Some("here"));
    }

    /// A password file of that mode in a home folder, and what is found with further variables.
    #[cfg(unix)]
    fn found(mode: u32, more: &[(&str, &str)]) -> (Found, tempfile::TempDir) {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        for (name, text) in [(".pgpass", "*:*:*:me:of home"), ("other", "*:*:*:*:of another file")] {
            let path = home.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let folder = home.path().to_string_lossy().into_owned();
        let variables = |name: &str| match more.iter().find(|(n, _)| *n == name) {
            Some((_, value)) => Some(value.replace("~", &folder)),
            None => (name == "HOME").then(|| folder.clone()),
        };
        (password(&LOGIN, &variables), home)
    }

    #[test]
    #[cfg(unix)]
    fn where_a_password_comes_from() {
        for (mode, more, expected) in [
            (0o600, &[][..], Some("of home")),
            (0o400, &[], Some("of home")),
            (0o600, &[("PGPASSWORD", "of the variable")], Some("of the variable")),
            (0o600, &[("PGPASSWORD", "")], Some("of home")),
            (0o600, &[("PGPASSFILE", "~/other")], Some("of another file")),
            (0o600, &[("PGPASSFILE", "~/none")], None),
            (0o644, &[("PGPASSWORD", "of the variable")], Some("of the variable")),
        ] {
            let (found, _home) = found(mode, more);
            assert_eq!((found.password.as_deref(), found.passed_over), (expected, None), "{mode:o} {more:?}");
        }
        for mode in [0o640, 0o604, 0o660] {
            let (found, home) = found(mode, &[]);
            let why = format!("{}/.pgpass is open to its group or to everybody", home.path().display());
            assert!(found.password.is_none() && found.passed_over.is_some_and(|w| w.contains(&why)), "{mode:o}");
        }
        let (found, _home) = found(0o600, &[("PGPASSFILE", "~")]);
        assert!(found.passed_over.is_some_and(|w| w.ends_with("is no plain file")));
    }

    #[test]
    fn variables_stand_in_for_what_a_string_leaves_out() {
        let variables = |name: &str| match name {
            "PGHOST" => Some("of-variable".to_owned()),
            "PGPORT" => Some("6000".to_owned()),
            "PGUSER" => Some("somebody".to_owned()),
            "PGDATABASE" => Some(" ".to_owned()),
            _ => None,
        };
        let with = |text: &str| with_variables(&Pairs::parse(text), &variables);
        let pairs = with("Driver=PostgreSQL Unicode;Host=db;Username=me");
        assert_eq!((pairs.get(&["Host"]), pairs.get(&["Server"])), (Some("db"), None));
        assert_eq!((pairs.get(&["Port"]), pairs.get(&["UID"]), pairs.get(&["Database"])), (Some("6000"), None, None));
        assert_eq!(with("Driver=PostgreSQL Unicode;Port=5432").get(&["Server"]), Some("of-variable"));
    }
}
