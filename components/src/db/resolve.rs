//! From a connection manager to what is opened: a [`Target`].
//!
//! A connection string may come in any of these forms, whatever the manager's kind says:
//!
//! | form | opened by |
//! |---|---|
//! | `sqlite:PATH`, `Driver=SQLite3;Database=PATH` | the SQLite inside this program |
//! | `postgres://user:password@host:port/database?option=value`, `host=… dbname=…` | the PostgreSQL protocol |
//! | `mariadb://user:password@host:port/database?option=value`, `mysql://…` | the protocol of MariaDB and MySQL |
//! | `sqlserver://user:password@host:port/database?option=value`, `mssql://…` | the protocol of SQL Server |
//! | `Driver=…;…`, `DSN=…;…`, `Dsn=…` | ODBC, as it is; the own protocol of SQL Server, PostgreSQL, MariaDB and MySQL where it can do the same |
//! | `Provider=SQLNCLI11;Data Source=…;…` (OLE DB) | the protocol of SQL Server; if it has options that only a driver knows, ODBC, translated for the driver that is installed (`providers`) |
//! | `Data Source=…;Initial Catalog=…;…` (ADO.NET) | the same |
//!
//! What a `connections.toml` says of the manager or of its server comes first (`estate`), and an override by
//! `--connect` before that.

use super::connection_string::Pairs;
use super::dialect::{Dialect, Family};
use super::error::{DbError, ErrorKind, Outcome};
use super::estate::Estate;
use super::providers;
use super::secret::{MASK, Secret};
use super::session::Driver;
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::props::Origin;
use dtsx_engine::run::PathMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What is opened: a driver, and what it needs.
#[derive(Clone)]
pub struct Target {
    /// Who opens it.
    pub driver: &'static dyn Driver,
    /// The family of the database, as far as the string tells.
    pub family: Family,
    /// What the driver opens: a path for SQLite, an ODBC connection string, a URL. It may hold secrets.
    pub address: Secret,
    /// The same for people.
    pub shown: String,
    /// What must not be seen in messages.
    pub secrets: Vec<Secret>,
    /// How long connecting may take.
    pub connect_timeout: Option<Duration>,
    /// Statements that every new session begins with.
    pub init: Vec<String>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.driver.name(), self.shown)
    }
}

/// Keys that an ODBC string of SQLite's driver may have for the embedded SQLite to do the same.
const SQLITE_KEYS: [&str; 8] =
    ["Driver", "Database", "Timeout", "SyncPragma", "JournalMode", "NoTXN", "StepAPI", "LongNames"];

impl Target {
    /// The dialect that the string promises; a session knows better.
    pub fn dialect(&self) -> Dialect {
        Dialect::of(self.family)
    }

    fn new(driver: &'static dyn Driver, family: Family, address: Secret, shown: String) -> Target {
        Target { driver, family, address, shown, secrets: Vec::new(), connect_timeout: None, init: Vec::new() }
    }

    /// An SQLite database file.
    pub fn sqlite(path: PathBuf) -> Target {
        let shown = format!("sqlite:{}", path.display());
        Target::new(&super::sqlite::SqliteDriver, Family::Sqlite, Secret::new(path.to_string_lossy()), shown)
    }

    /// What the protocol of PostgreSQL opens.
    pub(super) fn postgres(pairs: &Pairs) -> Target {
        let address = Secret::new(pairs.odbc());
        let target = Target::new(&super::postgres::PostgresDriver, Family::Postgres, address, pairs.masked());
        Target { secrets: pairs.secrets(), ..target }
    }

    /// What the protocol of MariaDB and MySQL opens.
    pub(super) fn mysql(pairs: &Pairs) -> Target {
        let address = Secret::new(pairs.odbc());
        let target = Target::new(&super::mysql::MySqlDriver, Family::MySql, address, pairs.masked());
        Target { secrets: pairs.secrets(), ..target }
    }

    /// What the protocol of SQL Server opens.
    pub(super) fn sql_server(pairs: &Pairs) -> Target {
        let address = Secret::new(pairs.odbc());
        let target = Target::new(&super::sql_server::SqlServerDriver, Family::SqlServer, address, pairs.masked());
        let connect_timeout = connect_timeout(pairs).or(Some(providers::CONNECT_TIMEOUT));
        Target { secrets: pairs.secrets(), connect_timeout, ..target }
    }

    /// What an ODBC driver opens.
    pub(super) fn odbc(pairs: &Pairs, family: Family) -> Target {
        let address = Secret::new(pairs.odbc());
        let target = Target::new(&super::odbc::OdbcDriver, family, address, pairs.masked());
        Target { secrets: pairs.secrets(), ..target }
    }

    /// What a connection manager asks for.
    ///
    /// # Errors
    /// There is no driver for it, or something is missing from its connection string.
    pub fn of(spec: &ConnectionSpec, estate: &Estate, paths: &PathMap) -> Outcome<Target> {
        let string = spec.properties.get("ConnectionString");
        let overridden = string.is_some_and(|p| p.origin == Origin::Override);
        let text = spec.connection_string().trim();
        let entry = if overridden { None } else { estate.find(&spec.name, &Pairs::parse(text)) };
        let (text, entry) = match &entry {
            Some(entry) => (entry.connection_string(text), Some(entry)),
            None => (text.to_owned(), None),
        };
        let password = spec.properties.text("Password").filter(|p| !p.is_empty());
        let mut target = Target::parse(&with_provider(text, &spec.kind), &spec.name, password, paths)?;
        if let Some(entry) = entry {
            target.init.extend(entry.init.iter().cloned());
            target.connect_timeout = entry.connect_timeout.or(target.connect_timeout);
            target.secrets.extend(entry.secrets());
        }
        Ok(target)
    }

    /// What a connection string stands for. `password` is what the package stores beside it; `name` is the manager's.
    ///
    /// # Errors
    /// As [`Target::of`].
    pub fn parse(text: &str, name: &str, password: Option<&str>, paths: &PathMap) -> Outcome<Target> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return Ok(Target::sqlite(sqlite_path(path, paths)));
        }
        if let Some(target) = url(text)? {
            return Ok(target);
        }
        if let Some(mut pairs) = super::postgres::conninfo(text) {
            pairs.set("Driver", "PostgreSQL Unicode");
            return postgres_target(pairs);
        }
        let mut pairs = Pairs::parse(text);
        if pairs.is_empty() {
            let what = if text.is_empty() {
                "has no connection string".to_owned()
            } else {
                "has a connection string that is none".to_owned()
            };
            let advice = format!("give one with --connect '{name}=…' or in connections.toml");
            return Err(DbError::new(ErrorKind::Connect, format!("the connection \"{name}\" {what}: {advice}")));
        }
        if let Some(password) = password.filter(|_| pairs.filled(&["Password", "PWD"]).is_none()) {
            pairs.set("Password", password);
        }
        let driver = pairs.filled(&["Driver"]).map(Dialect::family_of);
        if driver == Some(Family::Sqlite)
            && let Some(path) = pairs.filled(&["Database"])
            && pairs.iter().all(|(key, _)| SQLITE_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key)))
        {
            return Ok(Target::sqlite(sqlite_path(path, paths)));
        }
        let timeout = connect_timeout(&pairs);
        let mut target = providers::target(&pairs, name, paths)?;
        target.connect_timeout = timeout.or(target.connect_timeout);
        Ok(target)
    }
}

/// A string of ADO.NET, with the provider that the manager's kind names (`ADO.NET:MySql.Data.MySqlClient.…`): MySQL's has
/// the keys of SQL Server's.
fn with_provider(text: String, kind: &str) -> String {
    let mysql = kind.split_once(':').is_some_and(|(_, class)| class.trim().to_ascii_lowercase().starts_with("mysql"));
    let pairs = Pairs::parse(&text);
    let said = pairs.is_empty() || pairs.filled(&["Driver", "DSN", "FILEDSN", "Provider"]).is_some();
    if mysql && !said && !text.contains("://") && !text.starts_with("sqlite:") {
        format!("Provider=MySQL;{text}")
    } else {
        text
    }
}

/// How long a string lets connecting take.
fn connect_timeout(pairs: &Pairs) -> Option<Duration> {
    // Of ODBC drivers, `Timeout` is something else.
    let net = || pairs.filled(&["Timeout"]).filter(|_| pairs.filled(&["Driver", "DSN", "FILEDSN"]).is_none());
    let timeout = pairs.filled(&["Connect Timeout", "Connection Timeout", "Login Timeout"]).or_else(net)?;
    timeout.trim().parse().ok().and_then(connect_seconds)
}

/// So many seconds for connecting, 0 for what is usual; no more than the providers know.
pub(super) fn connect_seconds(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds.min(i32::MAX as u64)))
}

/// What the words of libpq stand for.
fn postgres_target(pairs: Pairs) -> Outcome<Target> {
    let connect_timeout = connect_timeout(&pairs);
    Ok(Target { connect_timeout, ..providers::odbc(pairs)? })
}

fn sqlite_path(path: &str, paths: &PathMap) -> PathBuf {
    if path == ":memory:" { PathBuf::from(path) } else { paths.resolve(path) }
}

/// The parts of `scheme://user:password@host:port/database?key=value&…`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Url {
    pub(super) user: String,
    pub(super) password: Secret,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) database: String,
    pub(super) options: Vec<(String, String)>,
}

impl Url {
    /// Reads what follows `scheme://`.
    pub(super) fn parse(rest: &str) -> Option<Url> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') => (host, Some(port.parse().ok()?)),
            _ => (place, None),
        };
        let options = query.split('&').filter(|o| !o.is_empty()).map(|o| {
            let (key, value) = o.split_once('=').unwrap_or((o, ""));
            (decoded(key), decoded(value))
        });
        Some(Url {
            user: decoded(user),
            password: Secret::new(decoded(password)),
            host: decoded(host.trim_start_matches('[').trim_end_matches(']')),
            port,
            database: decoded(database),
            options: options.collect(),
        })
    }

    fn shown(&self, scheme: &str) -> String {
        let login = match (self.user.as_str(), self.password.reveal()) {
            ("", _) => String::new(),
            (user, "") => format!("{user}@"),
            (user, _) => format!("{user}:{MASK}@"),
        };
        let port = self.port.map(|p| format!(":{p}")).unwrap_or_default();
        format!("{scheme}://{login}{}{port}/{}", self.host, self.database)
    }
}

/// `%41` → `A`.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
        match hex.filter(|_| byte == b'%') {
            Some(value) => {
                out.push(value);
                rest = &tail[2..];
            }
            None => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What a URL stands for; None if the text is none.
fn url(text: &str) -> Outcome<Option<Target>> {
    let Some((scheme, rest)) = text.split_once("://") else { return Ok(None) };
    let scheme = scheme.to_ascii_lowercase();
    let url = || Url::parse(rest).ok_or_else(|| DbError::new(ErrorKind::Connect, "the port of the URL is no number"));
    let target = match scheme.as_str() {
        "postgres" | "postgresql" => {
            let url = url()?;
            let mut pairs = Pairs::default();
            pairs.set("Driver", "PostgreSQL Unicode");
            for (key, value) in [("Server", &url.host), ("Database", &url.database), ("Uid", &url.user)] {
                if !value.is_empty() {
                    pairs.set(key, value.as_str());
                }
            }
            if let Some(port) = url.port {
                pairs.set("Port", port.to_string());
            }
            if !url.password.reveal().is_empty() {
                pairs.set("Pwd", url.password.reveal());
            }
            for (key, value) in &url.options {
                pairs.set(key, value.as_str());
            }
            Target { shown: url.shown("postgres"), ..postgres_target(pairs)? }
        }
        "mysql" | "mariadb" => {
            let url = url()?;
            let mut pairs = Pairs::default();
            pairs.set("Driver", "MariaDB Unicode");
            pairs.set("Server", if url.host.is_empty() { "localhost" } else { url.host.as_str() });
            pairs.set("Port", url.port.unwrap_or(3306).to_string());
            pairs.set("Database", url.database.as_str());
            pairs.set("Uid", url.user.as_str());
            pairs.set("Pwd", url.password.reveal());
            for (key, value) in &url.options {
                pairs.set(key, value.as_str());
            }
            let connect_timeout = connect_timeout(&pairs);
            Target { shown: url.shown("mariadb"), connect_timeout, ..providers::odbc(pairs)? }
        }
        "sqlserver" | "mssql" => {
            let url = url()?;
            let mut pairs = Pairs::default();
            pairs.set("Server", if url.host.is_empty() { "localhost" } else { url.host.as_str() });
            for (key, value) in [("Database", url.database.as_str()), ("User ID", &url.user)] {
                if !value.is_empty() {
                    pairs.set(key, value);
                }
            }
            if let Some(port) = url.port {
                pairs.set("Port", port.to_string());
            }
            if !url.password.reveal().is_empty() {
                pairs.set("Password", url.password.reveal());
            }
            for (key, value) in &url.options {
                pairs.set(key, value.as_str());
            }
            let target = providers::sql_server_of(&pairs, "sqlserver://")?;
            Target { shown: url.shown("sqlserver"), ..target }
        }
        _ => return Ok(None),
    };
    Ok(Some(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = Url::parse("me:p%40ss@db.example:5433/stage?sslmode=require").unwrap();
        assert_eq!((url.user.as_str(), url.password.reveal(), url.host.as_str()), ("me", "p@ss", "db.example"));
        assert_eq!((url.port, url.database.as_str()), (Some(5433), "stage"));
        assert_eq!(url.options, [("sslmode".to_owned(), "require".to_owned())]);
        assert_eq!(url.shown("postgres"), format!("postgres://me:{MASK}@db.example:5433/stage"));
        assert!(Url::parse("host:x/db").is_none());
        assert_eq!(Url::parse("/tmp").unwrap().database, "tmp");
    }

    #[test]
    fn sqlite_needs_no_driver() {
        let paths = PathMap::default();
        for text in [
            "sqlite:/a/b.db",
            "sqlite:///a/b.db",
            "Driver=SQLite3;Database=/a/b.db",
            "driver={SQLite};database=/a/b.db;Timeout=5",
        ] {
            let target = Target::parse(text, "Db", None, &paths).unwrap();
            assert_eq!((target.driver.name(), target.address.reveal()), ("SQLite", "/a/b.db"), "{text}");
        }
    }

    #[test]
    fn mariadb_and_mysql_need_no_driver() {
        let paths = PathMap::default();
        for text in [
            "mariadb://me:p%3Bw@db:3307/stage?ssl-mode=REQUIRED",
            "mysql://db/stage",
            "Driver=MariaDB Unicode;Server=db;Database=stage;Uid=me;Pwd={p;w}",
            "Driver={MySQL ODBC 8.0 Unicode Driver};Server=db;Uid=me;Pwd=x",
            "Server=db;Port=3306;Database=stage;User Id=me;Password=x;SslMode=Preferred;ConnectionTimeout=5",
            "Provider=MySQLProv;Data Source=db;User ID=me;Password=x;Initial Catalog=stage",
        ] {
            let target = Target::parse(text, "Db", None, &paths).unwrap();
            assert_eq!((target.driver.name(), target.family), ("MariaDB/MySQL", Family::MySql), "{text}");
            assert!(!target.shown.contains("p;w") && !format!("{target:?}").contains("p;w"), "{target:?}");
        }
        // What the manager's kind says of a string that would be SQL Server's.
        let kind = "ADO.NET:MySql.Data.MySqlClient.MySqlConnection, MySql.Data, Version=8.0.33.0";
        let text = "server=db;user id=me;password=x;database=stage;persistsecurityinfo=True";
        assert_eq!(with_provider(text.into(), kind), format!("Provider=MySQL;{text}"));
        let target = Target::parse(&with_provider(text.into(), kind), "Db", None, &paths).unwrap();
        assert_eq!(target.driver.name(), "MariaDB/MySQL");
        for (text, kind) in [
            (text, "ADO.NET:System.Data.SqlClient.SqlConnection"),
            (text, "OLEDB"),
            ("mariadb://db/x?a=b", kind),
            ("Driver=SQLite3;Database=x", kind),
            ("", kind),
        ] {
            assert_eq!(with_provider(text.into(), kind), text, "{kind}");
        }
    }

    #[test]
    fn connecting_takes_no_longer_than_a_clock_can_tell() {
        for (text, expected) in [
            ("Connect Timeout=18446744073709551615", Some(2_147_483_647)),
            ("Connection Timeout=30", Some(30)),
            ("Connect Timeout=0", None),
            ("Connect Timeout=soon", None),
            ("Host=db;Timeout=7", Some(7)),
            ("Driver=SQLite3;Timeout=100000", None),
        ] {
            assert_eq!(connect_timeout(&Pairs::parse(text)), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn sql_server_needs_no_driver() {
        let paths = PathMap::default();
        for text in [
            "sqlserver://me:p%3Bw@db:1434/stage?encrypt=true&TrustServerCertificate=true",
            "mssql://me:p%3Bw@db/stage",
            "Provider=SQLNCLI11.1;Data Source=.\\SQL2019;Initial Catalog=Stage;User ID=me;Password=\"p;w\";Auto Translate=False;",
            "Provider=MSOLEDBSQL19.1;Server=db;Database=stage;User ID=me;Password=\"p;w\"",
            "Data Source=db,1433;Initial Catalog=stage;User ID=me;Password='p;w';MultipleActiveResultSets=True",
            "Driver={ODBC Driver 17 for SQL Server};Server=db;Database=stage;UID=me;PWD={p;w}",
            "Driver={SQL Server Native Client 11.0};Server=db;Database=stage;UID=me;PWD={p;w}",
            "Driver={SQL Server};Server=db;UID=me;PWD={p;w}",
            "Driver=FreeTDS;Server=db;Port=1433;UID=me;PWD={p;w};TDS_Version=7.3",
            "Provider=MSDASQL.1;Extended Properties=\"Driver={SQL Server};Server=db\";User ID=me;Password=\"p;w\"",
        ] {
            let target = Target::parse(text, "Db", None, &paths).unwrap();
            assert_eq!((target.driver.name(), target.family), ("SQL Server", Family::SqlServer), "{text}");
            assert!(!target.shown.contains("p;w") && !format!("{target:?}").contains("p;w"), "{target:?}");
            let pairs = Pairs::parse(target.address.reveal());
            assert_eq!(pairs.get(&["Password", "PWD"]), Some("p;w"), "{text}");
            assert_eq!(target.connect_timeout, Some(Duration::from_secs(15)), "{text}");
        }
        let target = Target::parse("Server=db;UID=me;Connect Timeout=4", "Db", Some("beside"), &paths).unwrap();
        assert_eq!(Pairs::parse(target.address.reveal()).get(&["Password"]), Some("beside"));
        assert_eq!((target.driver.name(), target.connect_timeout), ("SQL Server", Some(Duration::from_secs(4))));
        // What only a driver knows goes to one, if there is any.
        for text in [
            "Data Source=db;User ID=me;Password=x;Failover Partner=other",
            "Driver={ODBC Driver 18 for SQL Server};Server=db;Authentication=ActiveDirectoryMsi",
        ] {
            match Target::parse(text, "Db", None, &paths) {
                Ok(target) => assert_eq!(target.driver.name(), "ODBC", "{text}"),
                Err(error) => {
                    assert!(error.kind == ErrorKind::NoDriver && error.message.contains("sqlserver://"), "{error}")
                }
            }
        }
        let refused = |text: &str| Target::parse(text, "Db", None, &paths).unwrap_err().message;
        assert!(refused("sqlserver://db/x?AttachDbFilename=y.mdf").contains("AttachDbFilename"));
        assert!(refused("Server=(localdb)\\x;UID=me;PWD=p").contains("LocalDB"));
        assert!(refused("sqlserver://me@db/x").contains("no password"));
    }

    #[test]
    fn an_empty_string_says_what_to_give() {
        let error = Target::parse("", "Stage", None, &PathMap::default()).unwrap_err();
        assert!(error.message.contains("--connect 'Stage=…'"), "{error}");
    }
}
