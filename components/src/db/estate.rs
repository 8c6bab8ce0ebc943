//! `connections.toml`: what stands behind the connection managers of a whole estate of packages.
//!
//! ```toml
//! [connections."Stage"]                    # a connection manager, by its name in packages
//! connect = "sqlite:/data/stage.db"
//!
//! [servers."PROD\\SQL2019"]                # a server, by the Data Source of connection strings
//! connect = "Driver={ODBC Driver 18 for SQL Server};Server=sql.example;Database={database};Encrypt=yes"
//! user = "etl"
//! password_env = "ETL_PASSWORD"            # or password = "…"
//! init = ["SET LOCK_TIMEOUT 10000"]
//! connect_timeout = 15                     # seconds; 0: as if it were not there
//! ```
//!
//! `{database}`, `{server}`, `{user}` and `{name}` stand for what the package's own string says, and for the name of the
//! manager. Without `connect`, the package's string is kept and only what is given beside it is set. The file is looked
//! for by `--connections FILE`, in `$DTSX_CONNECTIONS`, beside the package, in the working directory.

use super::connection_string::Pairs;
use super::resolve::connect_seconds;
use super::secret::Secret;
use dtsx_engine::run::Services;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The name of the file.
pub const FILE: &str = "connections.toml";
/// The environment variable that names another.
pub const VARIABLE: &str = "DTSX_CONNECTIONS";

/// What is said of one manager or server.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// The connection string, with placeholders.
    pub connect: Option<String>,
    /// The login.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// Statements that every new session begins with.
    pub init: Vec<String>,
    /// How long connecting may take.
    pub connect_timeout: Option<Duration>,
    name: String,
}

/// The content of a `connections.toml`.
#[derive(Clone, Debug, Default)]
pub struct Estate {
    /// The file that it came from.
    pub path: Option<PathBuf>,
    connections: Vec<(String, Entry)>,
    servers: Vec<(String, Entry)>,
}

/// The keys of an OLE DB, ADO.NET or ODBC string that name the server, and the database.
pub(super) const SERVER: [&str; 6] = ["Data Source", "Server", "Address", "Addr", "Network Address", "Servername"];
pub(super) const DATABASE: [&str; 3] = ["Initial Catalog", "Database", "DBQ"];
pub(super) const USER: [&str; 4] = ["User ID", "UID", "Username", "User"];
pub(super) const PASSWORD: [&str; 2] = ["Password", "PWD"];

impl Entry {
    /// The connection string for a manager whose own is `own`.
    pub(super) fn connection_string(&self, own: &str) -> String {
        let pairs = Pairs::parse(own);
        let Some(connect) = &self.connect else {
            let mut pairs = pairs;
            if self.user.is_some() || self.password.is_some() {
                pairs.remove(&["Integrated Security", "Trusted_Connection"]);
            }
            self.set_login(&mut pairs, "User ID", "Password");
            return pairs.odbc();
        };
        let mut text = connect.clone();
        let user = self.user.as_deref().or_else(|| pairs.filled(&USER));
        for (placeholder, value) in [
            ("{database}", pairs.filled(&DATABASE)),
            ("{server}", pairs.filled(&SERVER)),
            ("{user}", user),
            ("{name}", Some(self.name.as_str())),
        ] {
            text = text.replace(placeholder, value.unwrap_or(""));
        }
        if text.contains("://") || text.starts_with("sqlite:") || (self.user.is_none() && self.password.is_none()) {
            return text;
        }
        let mut pairs = Pairs::parse(&text);
        self.set_login(&mut pairs, "UID", "PWD");
        pairs.odbc()
    }

    fn set_login(&self, pairs: &mut Pairs, user_key: &str, password_key: &str) {
        if let Some(user) = &self.user {
            pairs.remove(&USER);
            pairs.set(user_key, user.as_str());
        }
        if let Some(password) = &self.password {
            pairs.remove(&PASSWORD);
            pairs.set(password_key, password.reveal());
        }
    }

    pub(super) fn secrets(&self) -> Vec<Secret> {
        self.password.iter().cloned().collect()
    }
}

/// The estate of an execution.
#[derive(Default)]
struct Slot(Mutex<Arc<Estate>>);

impl Estate {
    /// Makes this the estate of an execution, before it begins.
    pub fn install(self, services: &Services) {
        *services.shared.get::<Slot>(FILE).0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(self);
    }

    /// The estate of an execution; an empty one, if none was installed.
    pub fn of(services: &Services) -> Arc<Estate> {
        services.shared.get::<Slot>(FILE).0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// A text that says where it is wrong.
    pub fn read(path: &Path) -> Result<Estate, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let environment = |name: &str| std::env::var(name).ok();
        let estate = Estate::parse(&text, &environment).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Estate { path: Some(path.to_owned()), ..estate })
    }

    /// Finds the file: `given`, `$DTSX_CONNECTIONS`, beside the package, in the working directory. None: there is none.
    ///
    /// # Errors
    /// One that was named is not there, or is wrong.
    pub fn find_file(given: Option<&Path>, package: &Path) -> Result<Option<Estate>, String> {
        let named = given.map(Path::to_owned).or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
        if let Some(path) = named.filter(|p| !p.as_os_str().is_empty()) {
            return Estate::read(&path).map(Some);
        }
        let beside = package.parent().map(|folder| folder.join(FILE));
        let found = beside.into_iter().chain([PathBuf::from(FILE)]).find(|p| p.is_file());
        found.map(|path| Estate::read(&path)).transpose()
    }

    fn parse(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Estate, String> {
        // The message of the parser would show the line, which may hold a password.
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
            let line = e.span().map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            format!("line {line}: {}", e.message())
        })?;
        let mut estate = Estate::default();
        for (section, value) in &table {
            let into = match section.as_str() {
                "connections" => &mut estate.connections,
                "servers" => &mut estate.servers,
                other => return Err(format!("there is no section [{other}]; it has [connections] and [servers]")),
            };
            let entries = value.as_table().ok_or_else(|| format!("[{section}] is no table"))?;
            for (name, value) in entries {
                into.push((
                    name.clone(),
                    entry(name, value, environment).map_err(|e| format!("[{section}.\"{name}\"]: {e}"))?,
                ));
            }
        }
        Ok(estate)
    }

    /// What is said of the manager called `name`, whose string has `pairs`: of itself, or of its server.
    pub(super) fn find(&self, name: &str, pairs: &Pairs) -> Option<Entry> {
        let of = |list: &[(String, Entry)], name: &str| {
            list.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, e)| e.clone())
        };
        let server = || pairs.filled(&SERVER).and_then(|server| of(&self.servers, server.trim()));
        let found = of(&self.connections, name).or_else(server)?;
        Some(Entry { name: name.to_owned(), ..found })
    }
}

fn entry(name: &str, value: &toml::Value, environment: &dyn Fn(&str) -> Option<String>) -> Result<Entry, String> {
    let mut entry = Entry { name: name.to_owned(), ..Entry::default() };
    if let Some(text) = value.as_str() {
        entry.connect = Some(text.to_owned());
        return Ok(entry);
    }
    let table = value.as_table().ok_or("it is neither a connection string nor a table")?;
    for (key, value) in table {
        let text = || value.as_str().map(str::to_owned).ok_or_else(|| format!("{key} is no text"));
        match key.as_str() {
            "connect" => entry.connect = Some(text()?),
            "user" => entry.user = Some(text()?),
            "password" => entry.password = Some(Secret::new(text()?)),
            "password_env" => {
                let variable = text()?;
                let found = environment(&variable);
                entry.password = Some(Secret::new(found.ok_or_else(|| format!("${variable} is not set"))?));
            }
            "init" => {
                let list = value.as_array().ok_or("init is no list of statements")?;
                let statements: Option<Vec<String>> = list.iter().map(|v| v.as_str().map(str::to_owned)).collect();
                entry.init = statements.ok_or("init is no list of statements")?;
            }
            "connect_timeout" => {
                let seconds = value.as_integer().and_then(|n| u64::try_from(n).ok());
                entry.connect_timeout = connect_seconds(seconds.ok_or("connect_timeout is no number of seconds")?);
            }
            other => return Err(format!("there is no key {other}")),
        }
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estate(text: &str) -> Result<Estate, String> {
        Estate::parse(text, &|name| (name == "PW").then(|| "from-env".to_owned()))
    }

    #[test]
    fn managers_come_before_servers() {
        let estate = estate(
            "[connections]\nStage = 'sqlite:/stage.db'\n[servers.'PROD\\SQL']\nconnect = 'Driver=x;Server=y;Database={database}'\nuser='etl'\npassword_env='PW'\ninit=['SET X']\nconnect_timeout=5",
        )
        .unwrap();
        let own = "Data Source=PROD\\SQL;Initial Catalog=Sales;Provider=SQLNCLI11;Integrated Security=SSPI";
        let pairs = Pairs::parse(own);
        assert_eq!(estate.find("stage", &pairs).unwrap().connection_string(own), "sqlite:/stage.db");
        let entry = estate.find("Other", &pairs).unwrap();
        assert_eq!(entry.connection_string(own), "Driver=x;Server=y;Database=Sales;UID=etl;PWD=from-env");
        assert_eq!((entry.init.len(), entry.connect_timeout), (1, Some(Duration::from_secs(5))));
        assert!(estate.find("Other", &Pairs::parse("Data Source=elsewhere")).is_none());
        for (given, expected) in [(0, None), (3, Some(3)), (i64::MAX, Some(2_147_483_647))] {
            let estate = self::estate(&format!("[servers.a]\nconnect_timeout={given}")).unwrap();
            let entry = estate.find("X", &Pairs::parse("Server=a")).unwrap();
            assert_eq!(entry.connect_timeout, expected.map(Duration::from_secs), "{given}");
        }
        assert!(!format!("{estate:?}").contains("from-env"));
    }

    #[test]
    fn a_login_alone_completes_the_packages_string() {
        let estate = estate("[servers.srv]\nuser='u'\npassword='p w'").unwrap();
        let own = "Data Source=srv;Initial Catalog=A;Provider=SQLNCLI11;Integrated Security=SSPI";
        let text = estate.find("X", &Pairs::parse(own)).unwrap().connection_string(own);
        let pairs = Pairs::parse(&text);
        assert_eq!((pairs.get(&["User ID"]), pairs.get(&["Password"])), (Some("u"), Some("p w")));
        assert_eq!(pairs.get(&["Integrated Security"]), None);
    }

    #[test]
    fn what_is_wrong_is_told_without_its_line() {
        for (text, part) in [
            ("[x]\n", "no section [x]"),
            ("[servers.a]\npasswort='hunter2'", "no key passwort"),
            ("[servers.a]\npassword_env='NOPE'", "$NOPE is not set"),
            ("[servers.a]\npassword='hunter2", "line 2"),
            ("[servers.a]\ninit='x'", "init is no list"),
        ] {
            let error = estate(text).unwrap_err();
            assert!(error.contains(part) && !error.contains("hunter2"), "{error}");
        }
    }
}
