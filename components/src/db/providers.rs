//! Strings of OLE DB providers and of ADO.NET, in the words of the ODBC driver that is installed here.

mod sql_server;

use super::connection_string::Pairs;
use super::dialect::{Dialect, Family};
use super::error::{DbError, ErrorKind, Outcome};
use super::estate::{DATABASE, PASSWORD, SERVER, USER};
use super::odbc::installed::{self, Library};
use super::resolve::Target;
use dtsx_engine::run::PathMap;
pub(super) use sql_server::{Address as ServerAddress, CONNECT_TIMEOUT, Encryption, encryption};

/// What a provider's name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Provider {
    Database(Family),
    /// Microsoft's bridge to ODBC: an ODBC string inside.
    Bridge,
    /// Access databases and, by Extended Properties, workbooks and texts.
    Jet,
    Cubes,
    Unknown,
}

/// Beginnings of provider names, in lower case.
const PROVIDERS: [(&str, Provider); 17] = [
    ("sqlncli", Provider::Database(Family::SqlServer)),
    ("sqloledb", Provider::Database(Family::SqlServer)),
    ("msoledbsql", Provider::Database(Family::SqlServer)),
    ("sqlxmloledb", Provider::Database(Family::SqlServer)),
    ("msdasql", Provider::Bridge),
    ("oraoledb", Provider::Database(Family::Oracle)),
    ("msdaora", Provider::Database(Family::Oracle)),
    ("sybase", Provider::Database(Family::Sybase)),
    ("aseoledb", Provider::Database(Family::Sybase)),
    ("ibmda", Provider::Database(Family::Db2)),
    ("ibmoledb", Provider::Database(Family::Db2)),
    ("db2oledb", Provider::Database(Family::Db2)),
    ("microsoft.jet", Provider::Jet),
    ("microsoft.ace", Provider::Jet),
    ("msolap", Provider::Cubes),
    ("pgnp", Provider::Database(Family::Postgres)),
    ("mysql", Provider::Database(Family::MySql)),
];

fn provider(name: &str) -> Provider {
    let lower = name.trim().to_ascii_lowercase();
    let known = PROVIDERS.iter().find(|(start, _)| lower.starts_with(start));
    match known {
        Some((_, provider)) => *provider,
        None if lower.contains("postgres") => Provider::Database(Family::Postgres),
        None => Provider::Unknown,
    }
}

/// What pairs of any of these worlds stand for. `name` is the connection manager's, for messages.
pub(super) fn target(pairs: &Pairs, name: &str, paths: &PathMap) -> Outcome<Target> {
    if pairs.filled(&["Driver"]).is_some() || pairs.filled(&["DSN", "FILEDSN"]).is_some() {
        return odbc(pairs.clone());
    }
    let Some(given) = pairs.filled(&["Provider"]) else {
        // ADO.NET: SqlClient, unless the keys are another's.
        return translated(pairs, family_of_keys(pairs), name);
    };
    match provider(given) {
        Provider::Database(family) => translated(pairs, family, name),
        Provider::Bridge => match pairs.filled(&["Extended Properties"]).map(Pairs::parse) {
            Some(mut inner) if !inner.is_empty() => {
                for (keys, key) in [(&USER[..], "UID"), (&PASSWORD[..], "PWD")] {
                    if let Some(value) = pairs.filled(keys).filter(|_| inner.filled(keys).is_none()) {
                        inner.set(key, value);
                    }
                }
                odbc(inner)
            }
            _ => {
                let mut inner = Pairs::default();
                inner.set("DSN", pairs.filled(&SERVER).unwrap_or(""));
                for (keys, key) in [(&DATABASE[..], "Database"), (&USER[..], "UID"), (&PASSWORD[..], "PWD")] {
                    if let Some(value) = pairs.filled(keys) {
                        inner.set(key, value);
                    }
                }
                odbc(inner)
            }
        },
        Provider::Jet => jet(pairs, name, paths),
        Provider::Cubes => Err(refused(name, "Analysis Services (MSOLAP) is not supported by this build")),
        Provider::Unknown => {
            let advice = format!("say what stands for it with --connect '{name}=Driver=…' or in connections.toml");
            Err(refused(name, &format!("the OLE DB provider \"{given}\" is not known here; {advice}")))
        }
    }
}

fn refused(name: &str, why: &str) -> DbError {
    DbError::unsupported(format!("the connection \"{name}\": {why}"))
}

/// An ODBC string as it is, with what its driver needs to behave.
pub(super) fn odbc(pairs: Pairs) -> Outcome<Target> {
    let shown = pairs.masked();
    let source = pairs.filled(&["DSN"]).filter(|_| pairs.filled(&["Driver"]).is_none() && !cfg!(windows));
    match source {
        Some(name) => {
            let (name, known) = (name.to_owned(), installed::source(name));
            let known = known.ok_or_else(|| no_source(&name))?;
            Ok(Target { shown, ..driven(with_source(pairs, known))? })
        }
        None => driven(pairs),
    }
}

/// A string that names a data source, with what odbc.ini says of that in its place: the driver manager inside this program
/// would not find the library of a driver without a path, and what a source holds decides who opens it. What the string
/// says itself counts before that.
fn with_source(mut pairs: Pairs, source: &Pairs) -> Pairs {
    pairs.remove(&["DSN"]);
    let mut out = Pairs::default();
    for (key, value) in source.iter() {
        let group = [&SERVER[..], &DATABASE[..], &USER[..], &PASSWORD[..]];
        let group = group.into_iter().find(|keys| keys.iter().any(|k| k.eq_ignore_ascii_case(key)));
        let given = group.map_or_else(|| pairs.get(&[key]).is_some(), |keys| pairs.filled(keys).is_some());
        let for_people = ["Description", "Trace", "TraceFile"].iter().any(|k| k.eq_ignore_ascii_case(key));
        if !given && !for_people {
            out.set(key, value);
        }
    }
    for (key, value) in pairs.iter() {
        out.set(key, value);
    }
    out
}

fn no_source(name: &str) -> DbError {
    let there: Vec<&str> = installed::sources().collect();
    let there = if there.is_empty() { "none is".to_owned() } else { format!("{} are", there.join(", ")) };
    let files = installed::files();
    let files =
        if files.is_empty() { "there is no odbc.ini".to_owned() } else { format!("looked into {}", files.join(", ")) };
    let message = format!(
        "there is no ODBC data source \"{name}\" ({there} listed; {files}); add it to ~/.odbc.ini, or give a string \
         without one: Driver=…;Server=…;Database=…"
    );
    DbError::new(ErrorKind::NoDriver, message)
}

/// What a string with a driver opens.
fn driven(mut pairs: Pairs) -> Outcome<Target> {
    let driver = pairs.filled(&["Driver"]).unwrap_or("").to_owned();
    let family = Dialect::family_of(&driver);
    if family == Family::Postgres && super::postgres::understands(&pairs) {
        return Ok(Target::postgres(&pairs));
    }
    if family == Family::Postgres {
        for (key, value) in POSTGRES_OPTIONS {
            if pairs.get(&[key]).is_none() {
                pairs.set(key, *value);
            }
        }
        // By its two names. What stands behind the hyphen is no matter of taste.
        let version = pairs.filled(&PROTOCOL).and_then(|p| p.split('-').next()).unwrap_or("").trim().to_owned();
        pairs.remove(&PROTOCOL);
        let version = if version.is_empty() { "7.4" } else { version.as_str() };
        pairs.set("Protocol", format!("{version}-2"));
    }
    if family == Family::MySql && super::mysql::understands(&pairs) {
        return Ok(Target::mysql(&pairs));
    }
    if family == Family::MySql {
        for (key, value) in MARIADB_OPTIONS {
            if pairs.get(&[key]).is_none() {
                pairs.set(key, *value);
            }
        }
    }
    // Where there is nothing to log in with, the driver may know more.
    let at_hand = || !super::sql_server::asks_windows(&pairs) || super::sql_server::has_ticket();
    if family == Family::SqlServer && super::sql_server::understands(&pairs) && at_hand() {
        return Ok(Target::sql_server(&pairs));
    }
    let library = installed::library(&driver) != Library::Unlisted;
    if driver.is_empty() || library || installed::is_path(&driver) || installed::has(&driver) {
        return Ok(Target::odbc(&pairs, family));
    }
    // The name of the driver for Windows, where another is installed here.
    match installed::for_family(family) {
        Some(here) => {
            pairs.set("Driver", here);
            Ok(Target::odbc(&pairs, family))
        }
        None => Err(no_driver(&format!("the ODBC driver \"{driver}\""), family)),
    }
}

/// What PostgreSQL's ODBC driver is told unless the string says otherwise: a cursor, without which it keeps all rows in
/// memory, in pieces that stay in the processor's cache (10,000 rows of 16 columns take a quarter more of its time);
/// Booleans as such and not as text.
const POSTGRES_OPTIONS: &[(&str, &str)] = &[("UseDeclareFetch", "1"), ("Fetch", "3000"), ("BoolsAsChar", "0")];

/// What PostgreSQL's ODBC driver is told in any case, `7.4-2`: statements that fail leave their transaction as it was. With
/// `-1` they would take all of it along, with `-0` nothing could follow them.
const PROTOCOL: [&str; 2] = ["Protocol", "A1"];

/// What MariaDB's driver is told unless the string says otherwise: text goes over the wire as UTF-8; results come as they
/// are read, and do not wait in memory (by its two names; drivers before 3.2 know neither and keep whole results).
const MARIADB_OPTIONS: &[(&str, &str)] =
    &[("CHARSET", "utf8mb4"), ("FORWARDONLY", "1"), ("STREAMRS", "1"), ("NO_CACHE", "1")];

fn no_driver(what: &str, family: Family) -> DbError {
    // By system: Debian's package, Homebrew's, or where to get it.
    let package = |debian: &str, homebrew: &str, page: &str| match std::env::consts::OS {
        "macos" => format!("install it with `brew install {homebrew}`"),
        "windows" => format!("install it from {page}"),
        _ => format!("install it with `apt install {debian}`, or your system's package of that kind"),
    };
    let advice = match family {
        Family::SqlServer => format!(
            "{}; or Microsoft's own, msodbcsql18 (https://learn.microsoft.com/sql/connect/odbc); or leave out of the string \
             what only a driver knows, or give sqlserver://… as the connection string, which needs none",
            package("tdsodbc", "freetds", "https://learn.microsoft.com/sql/connect/odbc")
        ),
        Family::Postgres => format!(
            "{}; or give postgres://… as the connection string, which needs none",
            package("odbc-postgresql", "psqlodbc", "https://www.postgresql.org/ftp/odbc")
        ),
        Family::MySql => format!(
            "{}; or leave out of the string what only the driver knows, or give mariadb://… as the connection string",
            package("odbc-mariadb", "mariadb-connector-odbc", "https://mariadb.com/downloads/connectors")
        ),
        Family::Sybase => package("tdsodbc", "freetds", "https://www.freetds.org"),
        Family::Sqlite => format!(
            "{}; or give sqlite:FILE as the connection string, which needs none",
            package("libsqliteodbc", "sqliteodbc", "http://www.ch-werner.de/sqliteodbc")
        ),
        Family::Oracle => "install Oracle Instant Client with its ODBC package".to_owned(),
        Family::Db2 => "install the IBM Data Server Driver for ODBC".to_owned(),
        Family::Other => "install it and list it in odbcinst.ini".to_owned(),
    };
    let there: Vec<&str> = installed::names().collect();
    let there = if there.is_empty() { "none is".to_owned() } else { format!("{} are", there.join(", ")) };
    let files = installed::files();
    let files = if files.is_empty() { String::new() } else { format!("; looked into {}", files.join(", ")) };
    DbError::new(ErrorKind::NoDriver, format!("{what} is not installed here ({there}{files}); {advice}"))
}

/// The family that the keys of an ADO.NET string belong to.
fn family_of_keys(pairs: &Pairs) -> Family {
    let host = pairs.filled(&["Host"]).is_some();
    let port = pairs.filled(&["Port"]).and_then(|p| p.trim().parse::<u32>().ok());
    match port {
        Some(5432) => Family::Postgres,
        Some(3306) => Family::MySql,
        _ if host => Family::Postgres,
        _ if pairs.filled(&["SslMode", "CharSet", "AllowUserVariables"]).is_some() => Family::MySql,
        _ => Family::SqlServer,
    }
}

/// What OLE DB and ADO.NET call the server, the database, the login.
struct Parts<'p> {
    server: &'p str,
    port: Option<&'p str>,
    database: &'p str,
    user: &'p str,
    password: Option<&'p str>,
}

fn server_of(pairs: &Pairs) -> &str {
    pairs.filled(&SERVER).or_else(|| pairs.filled(&["Host", "Location"])).unwrap_or("").trim()
}

impl Parts<'_> {
    fn of(pairs: &Pairs) -> Parts<'_> {
        Parts {
            server: server_of(pairs),
            port: pairs.filled(&["Port"]),
            database: pairs.filled(&DATABASE).unwrap_or("").trim(),
            user: pairs.filled(&USER).unwrap_or("").trim(),
            // Blanks may be part of it.
            password: pairs.get(&PASSWORD).filter(|password| !password.is_empty()),
        }
    }
}

/// What a string says, in the words of a driver.
fn words(pairs: &Pairs, family: Family, driver: &str, name: &str, out: &mut Pairs) -> Outcome<()> {
    let parts = Parts::of(pairs);
    match family {
        Family::SqlServer => sql_server::keys(pairs, &parts, driver, name, out)?,
        Family::Sybase => {
            sybase(out, parts.server, parts.port);
            out.set("TDS_Version", "5.0");
            out.set("ClientCharset", "UTF-8");
        }
        Family::Oracle => {
            out.set("DBQ", parts.server);
        }
        Family::Db2 => {
            let (host, port) = parts.server.split_once(':').unwrap_or((parts.server, "50000"));
            out.set("Hostname", host);
            out.set("Port", parts.port.unwrap_or(port));
            out.set("Protocol", "TCPIP");
        }
        _ => {
            out.set("Server", local(parts.server));
            if let Some(port) = parts.port {
                out.set("Port", port);
            }
        }
    }
    if !parts.database.is_empty() && family != Family::Oracle {
        out.set("Database", parts.database);
    }
    if !parts.user.is_empty() {
        out.set("UID", parts.user);
        out.set("PWD", parts.password.unwrap_or(""));
    }
    Ok(())
}

/// A string of OLE DB or ADO.NET for the driver of a family that is installed here.
fn translated(pairs: &Pairs, family: Family, name: &str) -> Outcome<Target> {
    let parts = Parts::of(pairs);
    if family == Family::SqlServer {
        sql_server::refuse(pairs, parts.server, name)?;
    }
    let missing = missing_login(pairs, &parts, name);
    let at_hand = |target: &Target| match family {
        Family::Postgres => !parts.user.is_empty() && super::postgres::has_password(target),
        Family::SqlServer => super::sql_server::asks_windows(pairs) && super::sql_server::has_ticket(),
        _ => false,
    };
    if let Some(target) = own_protocol(pairs, family, &parts).filter(|t| missing.is_none() || at_hand(t)) {
        return Ok(target);
    }
    let Some(driver) = installed::for_family(family) else {
        // What is missing from the string is worth saying, too: the next question would be that.
        let shown = pairs.masked();
        let mut error =
            no_driver(&format!("an ODBC driver for {family:?} (the connection \"{name}\": {shown})"), family);
        if let Some(missing) = missing {
            error.message = format!("{}. {missing}", error.message);
        }
        error.message.push_str(&format!(
            ". Another database can stand for it: --connect '{name}=sqlite:FILE', '{name}=postgres://…', or connections.toml"
        ));
        return Err(error);
    };
    if let Some(missing) = missing {
        return Err(DbError::new(ErrorKind::Connect, missing));
    }
    let mut out = Pairs::default();
    out.set("Driver", driver.as_str());
    words(pairs, family, &driver, name, &mut out)?;
    if family == Family::SqlServer {
        // Not by its own protocol, which does not know what the string says; with the timeout of the providers.
        return Ok(Target { connect_timeout: Some(sql_server::CONNECT_TIMEOUT), ..Target::odbc(&out, family) });
    }
    Ok(Target { family, ..odbc(out)? })
}

/// A string of OLE DB or ADO.NET for a database that is spoken to by its own protocol, which needs no driver. None: it has
/// options that the protocol here does not know.
fn own_protocol(pairs: &Pairs, family: Family, parts: &Parts<'_>) -> Option<Target> {
    let driver = match family {
        Family::Postgres => "PostgreSQL Unicode",
        Family::MySql => "MariaDB Unicode",
        // Its words are these.
        Family::SqlServer => return super::sql_server::understands(pairs).then(|| Target::sql_server(pairs)),
        _ => return None,
    };
    let mut own = pairs.clone();
    for keys in
        [&SERVER[..], &DATABASE, &USER, &PASSWORD, &["Provider", "Host", "Location", "Port", "Integrated Security"]]
    {
        own.remove(keys);
    }
    own.set("Driver", driver);
    own.set("Server", local(parts.server));
    for (key, value) in [
        ("Port", parts.port.unwrap_or("")),
        ("Database", parts.database),
        ("UID", parts.user),
        ("PWD", parts.password.unwrap_or("")),
    ] {
        if !value.is_empty() {
            own.set(key, value);
        }
    }
    // What Connector/NET does unless it is told otherwise, and the ODBC drivers do not.
    let of_net = pairs.filled(&["Provider"]).is_none_or(|name| name.trim().eq_ignore_ascii_case("MySQL"));
    for key in ["Use Affected Rows", "Allow Public Key Retrieval"] {
        if family == Family::MySql && of_net && own.filled(&[key]).is_none() {
            own.set(key, "False");
        }
    }
    match family {
        Family::Postgres => super::postgres::understands(&own).then(|| Target::postgres(&own)),
        _ => super::mysql::understands(&own).then(|| Target::mysql(&own)),
    }
}

/// What a URL of SQL Server stands for.
pub(super) fn sql_server_of(pairs: &Pairs, name: &str) -> Outcome<Target> {
    translated(pairs, Family::SqlServer, name)
}

/// `.` and `(local)` are this machine.
fn local(server: &str) -> &str {
    match server.trim() {
        "." | "" => "localhost",
        s if s.eq_ignore_ascii_case("(local)") => "localhost",
        s => s,
    }
}

/// Sybase's servers are written `host:port` or `host,port`.
fn sybase(out: &mut Pairs, server: &str, port: Option<&str>) {
    let (host, given) = server.split_once([',', ':']).map_or((server, None), |(host, port)| (host, Some(port.trim())));
    out.set("Server", local(host));
    out.set("Port", port.or(given).unwrap_or("5000"));
}

/// What a login lacks: Windows authentication is none that this system has, and packages seldom hold passwords.
fn missing_login(pairs: &Pairs, parts: &Parts<'_>, name: &str) -> Option<String> {
    let integrated = pairs.flag(&["Integrated Security", "Trusted_Connection"]) == Some(true);
    let how = format!(
        "give a login: --connect '{name}=Data Source={};Initial Catalog={};User ID=…;Password=…', or user and \
         password_env in connections.toml",
        if parts.server.is_empty() { "…" } else { parts.server },
        if parts.database.is_empty() { "…" } else { parts.database },
    );
    if pairs.filled(&["Authentication"]).is_some() && parts.user.is_empty() {
        // Logins of Entra ID that need no user: the driver knows.
        return None;
    }
    if integrated && parts.user.is_empty() {
        return Some(format!(
            "the connection \"{name}\" asks for Windows authentication (Integrated Security), which is not there: {how}. \
             A ticket of Kerberos (kinit) does it, too, for SQL Server"
        ));
    }
    let wants = parts.password.is_none() && !parts.user.is_empty();
    wants.then(|| format!("the connection \"{name}\" has the user \"{}\" and no password: {how}", parts.user))
}

fn jet(pairs: &Pairs, name: &str, paths: &PathMap) -> Outcome<Target> {
    let extended = pairs.filled(&["Extended Properties"]).unwrap_or("").trim_matches('"').to_ascii_lowercase();
    if extended.starts_with("excel") {
        return Err(refused(name, "it is a workbook of Excel, which the Excel components read and write"));
    }
    if !extended.is_empty() && !extended.starts_with("ms access") {
        return Err(refused(name, &format!("Jet's \"{extended}\" is not supported by this build")));
    }
    let Some(driver) = installed::named("mdbtools") else {
        let what = "an ODBC driver for Access databases (MDBTools)";
        return Err(DbError::new(
            ErrorKind::NoDriver,
            format!("the connection \"{name}\": {what} is not installed here; install odbc-mdbtools"),
        ));
    };
    let mut out = Pairs::default();
    out.set("Driver", driver);
    out.set("DBQ", paths.resolve(pairs.filled(&SERVER).unwrap_or("")).to_string_lossy());
    odbc(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_by_name() {
        for (name, expected) in [
            ("SQLNCLI11.1", Provider::Database(Family::SqlServer)),
            ("SQLOLEDB.1", Provider::Database(Family::SqlServer)),
            ("MSOLEDBSQL19", Provider::Database(Family::SqlServer)),
            ("Sybase.ASEOLEDBProvider.2", Provider::Database(Family::Sybase)),
            ("MSDAORA.1", Provider::Database(Family::Oracle)),
            ("IBMOLEDB.DB2COPY1", Provider::Database(Family::Db2)),
            ("MSDASQL.1", Provider::Bridge),
            ("Microsoft.ACE.OLEDB.12.0", Provider::Jet),
            ("MSOLAP.8", Provider::Cubes),
            ("PostgreSQL OLE DB Provider", Provider::Database(Family::Postgres)),
            ("Other", Provider::Unknown),
        ] {
            assert_eq!(provider(name), expected, "{name}");
        }
    }

    #[test]
    fn statements_that_fail_leave_their_transaction_whatever_a_string_says() {
        for (given, expected) in [
            ("", "7.4-2"),
            ("Protocol=7.4-1;", "7.4-2"),
            ("Protocol=7.4-0;", "7.4-2"),
            ("A1=6.4;", "6.4-2"),
            ("PROTOCOL=7.4;", "7.4-2"),
        ] {
            // A key that the protocol here does not know.
            let text = format!("Driver=PostgreSQL Unicode;Server=s;Database=d;UID=u;PWD=p;{given}LFConversion=0");
            let Ok(target) = target(&Pairs::parse(&text), "C", &PathMap::default()) else { continue };
            let pairs = Pairs::parse(target.address.reveal());
            assert_eq!(pairs.get(&["Protocol"]), Some(expected), "{text}");
            assert_eq!(pairs.get(&["A1"]), None, "{text}");
        }
    }

    #[test]
    fn logins_that_lack_something() {
        let missing = |text: &str| {
            let pairs = Pairs::parse(text);
            let parts = Parts {
                server: pairs.filled(&SERVER).unwrap_or(""),
                port: None,
                database: "",
                user: pairs.filled(&USER).unwrap_or(""),
                password: pairs.filled(&PASSWORD),
            };
            missing_login(&pairs, &parts, "Stage")
        };
        let text = missing("Data Source=srv;Integrated Security=SSPI").unwrap();
        assert!(
            text.contains("--connect 'Stage=Data Source=srv;") && text.contains("Windows authentication"),
            "{text}"
        );
        assert!(missing("Data Source=srv;User ID=me").unwrap().contains("no password"));
        assert_eq!(missing("Data Source=srv;User ID=me;Password=x"), None);
        assert_eq!(missing("Data Source=srv"), None);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let refused = |text: &str| target(&Pairs::parse(text), "C", &PathMap::default()).unwrap_err().message;
        assert!(refused("Provider=MSOLAP.8;Data Source=x").contains("MSOLAP"));
        assert!(refused("Provider=Elsewhere.1;Data Source=x").contains("Elsewhere.1"));
        let excel =
            "Provider=Microsoft.ACE.OLEDB.12.0;Data Source=x.xlsx;Extended Properties=\"Excel 12.0 XML;HDR=YES\"";
        assert!(refused(excel).contains("Excel"));
    }
}
