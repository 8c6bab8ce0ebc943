//! Strings for SQL Server (SQLOLEDB, SQLNCLI*, MSOLEDBSQL*, SqlClient) in the words of Microsoft's ODBC drivers and of
//! FreeTDS: those with options that the protocol of SQL Server itself (`db/sql_server`) does not know here.
//!
//! | said | msodbcsql 17, 18 | FreeTDS |
//! |---|---|---|
//! | `Data Source=tcp:host\instance,port` | `Server=host,port` (a port is worth more than an instance's name) | `Server=host;Port=port` |
//! | `Initial Catalog` | `Database` | `Database` |
//! | `Encrypt`, `Use Encryption for Data` | `Encrypt=yes`, `no`, `strict` (18 only) | `Encryption=require`, or its own default, `request` |
//! | `TrustServerCertificate` | the same | checks no certificate unless freetds.conf names an authority |
//! | `HostNameInCertificate` | the same | – |
//! | `ApplicationIntent` | the same | the same |
//! | `MultiSubnetFailover` | `Yes`, `No` | tries every address in any case |
//! | `Failover Partner` | `Failover_Partner` | – |
//! | `Packet Size` | – (the driver's own) | `PacketSize` |
//! | `Application Name`, `Workstation ID`, `Current Language` | `APP`, `WSID`, `Language` | the same |
//! | `MultipleActiveResultSets` | `MARS_Connection` | – (a cursor has its connection) |
//! | `Authentication=Active Directory …` | `Authentication=ActiveDirectory…` | refused |
//! | `Column Encryption Setting=Enabled` | `ColumnEncryption=Enabled` | refused: values would come encrypted |
//! | `AttachDbFilename`, `User Instance`, LocalDB, named pipes | refused: they exist on Windows alone | |

use super::{Parts, local, refused};
use crate::db::connection_string::Pairs;
use crate::db::error::Outcome;
use std::time::Duration;

/// Seconds that OLE DB and ADO.NET wait for a connection, if they are told nothing else.
pub(in crate::db) const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Whether a driver is FreeTDS.
fn is_free_tds(driver: &str) -> bool {
    let driver = driver.to_ascii_lowercase();
    driver.contains("freetds") || driver.contains("tdsodbc")
}

/// A server's address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::db) struct Address {
    pub(in crate::db) host: String,
    pub(in crate::db) instance: Option<String>,
    pub(in crate::db) port: Option<String>,
}

impl Address {
    pub(in crate::db) fn of(server: &str, port: Option<&str>) -> Address {
        let lower = server.to_ascii_lowercase();
        // Shared memory and the dedicated connection are ways to a server that have no other name here.
        let prefix = ["tcp:", "lpc:", "admin:"].iter().find(|p| lower.starts_with(**p)).map_or(0, |p| p.len());
        let (name, given) = match server[prefix..].rsplit_once(',') {
            Some((name, port)) => (name, Some(port.trim())),
            None => (&server[prefix..], None),
        };
        let (host, instance) = name.split_once('\\').map_or((name, None), |(h, i)| (h, Some(i.trim())));
        let instance = instance.filter(|i| !i.is_empty() && !i.eq_ignore_ascii_case("MSSQLSERVER"));
        let port = port.or(given).filter(|p| !p.is_empty());
        let host = local(host).trim_start_matches('[').trim_end_matches(']');
        Address { host: host.to_owned(), instance: instance.map(str::to_owned), port: port.map(str::to_owned) }
    }
}

/// Refuses what is there on Windows alone, whatever driver is installed.
pub(super) fn refuse(pairs: &Pairs, server: &str, name: &str) -> Outcome<()> {
    let lower = server.to_ascii_lowercase();
    if pairs.filled(&["AttachDbFilename", "Initial File Name", "Extended Properties AttachDbFilename"]).is_some() {
        let why = "it attaches a file of SQL Server (AttachDbFilename): attach it on the server and name the database with \
                   Initial Catalog";
        return Err(refused(name, why));
    }
    if pairs.flag(&["User Instance"]) == Some(true) || lower.starts_with("(localdb)") {
        let why = format!(
            "LocalDB and user instances (\"{server}\") are there on Windows alone; say what stands for it with --connect '{name}=…'"
        );
        return Err(refused(name, &why));
    }
    if lower.starts_with("np:") || lower.starts_with(r"\\") {
        let why = format!(
            "\"{server}\" is a named pipe; give the server's TCP address with --connect '{name}=Data Source=HOST,PORT;…'"
        );
        return Err(refused(name, &why));
    }
    Ok(())
}

/// How connections are to be encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::db) enum Encryption {
    No,
    Yes,
    Strict,
}

pub(in crate::db) fn encryption(pairs: &Pairs) -> Encryption {
    let said =
        pairs.filled(&["Encrypt", "Use Encryption for Data", "Encryption"]).map(|v| v.trim().to_ascii_lowercase());
    let has = |key: &str, parts: &[&str]| {
        let name = pairs.filled(&[key]).unwrap_or("").trim().to_ascii_lowercase();
        parts.iter().any(|part| name.contains(part))
    };
    match said.as_deref() {
        Some("strict") => Encryption::Strict,
        Some("true" | "yes" | "1" | "-1" | "mandatory" | "require") => Encryption::Yes,
        Some(_) => Encryption::No,
        // Older providers and drivers encrypt only if they are told to; those of today always.
        None if has("Provider", &["msoledbsql19"]) => Encryption::Yes,
        // By their names, or those of their libraries.
        None if has("Driver", &["odbc driver 18", "odbc driver 19", "msodbcsql18", "msodbcsql-18"]) => Encryption::Yes,
        None => Encryption::No,
    }
}

/// Keys that both drivers know, by what they are called in packages.
const BOTH: [(&str, &[&str]); 4] = [
    ("APP", &["Application Name", "APP"]),
    ("WSID", &["Workstation ID", "WSID"]),
    ("Language", &["Current Language", "Language"]),
    ("ApplicationIntent", &["ApplicationIntent", "Application Intent"]),
];

/// Adds what a string says, in the words of `driver`.
pub(super) fn keys(pairs: &Pairs, parts: &Parts<'_>, driver: &str, name: &str, out: &mut Pairs) -> Outcome<()> {
    let address = Address::of(parts.server, parts.port);
    for (key, keys) in BOTH {
        if let Some(value) = pairs.filled(keys) {
            out.set(key, value.trim());
        }
    }
    if is_free_tds(driver) {
        free_tds(pairs, &address, name, out)
    } else {
        microsoft(pairs, &address, driver, name, out)
    }
}

fn free_tds(pairs: &Pairs, address: &Address, name: &str, out: &mut Pairs) -> Outcome<()> {
    match (&address.port, &address.instance) {
        (Some(port), _) => {
            out.set("Server", address.host.as_str());
            out.set("Port", port.as_str());
        }
        // The instance's port is asked for at UDP 1434.
        (None, Some(instance)) => out.set("Server", format!("{}\\{instance}", address.host)),
        (None, None) => {
            out.set("Server", address.host.as_str());
            out.set("Port", "1433");
        }
    }
    out.set("TDS_Version", "7.4");
    out.set("ClientCharset", "UTF-8");
    match encryption(pairs) {
        Encryption::No => {}
        Encryption::Yes => out.set("Encryption", "require"),
        Encryption::Strict => return Err(refused(name, "Encrypt=Strict needs Microsoft's driver (msodbcsql18)")),
    }
    if let Some(size) = pairs.filled(&["Packet Size", "PacketSize"]) {
        out.set("PacketSize", size.trim());
    }
    if let Some(how) = pairs.filled(&["Authentication"]).filter(|how| !how.eq_ignore_ascii_case("SqlPassword")) {
        return Err(refused(name, &format!("Authentication={how} needs Microsoft's driver (msodbcsql18)")));
    }
    if pairs.flag(&["Column Encryption Setting", "ColumnEncryption"]) == Some(true) || encrypts_columns(pairs) {
        return Err(refused(name, "Column Encryption Setting=Enabled needs Microsoft's driver (msodbcsql18)"));
    }
    Ok(())
}

fn encrypts_columns(pairs: &Pairs) -> bool {
    let said = pairs.filled(&["Column Encryption Setting", "ColumnEncryption"]);
    said.is_some_and(|value| value.trim().eq_ignore_ascii_case("enabled"))
}

fn microsoft(pairs: &Pairs, address: &Address, driver: &str, name: &str, out: &mut Pairs) -> Outcome<()> {
    out.set(
        "Server",
        match (&address.port, &address.instance) {
            (Some(port), _) => format!("{},{port}", address.host),
            (None, Some(instance)) => format!("{}\\{instance}", address.host),
            (None, None) => address.host.clone(),
        },
    );
    let strict = driver.contains("18") || driver.contains("19");
    out.set(
        "Encrypt",
        match encryption(pairs) {
            Encryption::No => "no",
            Encryption::Yes => "yes",
            Encryption::Strict if strict => "strict",
            Encryption::Strict => return Err(refused(name, "Encrypt=Strict needs ODBC Driver 18 for SQL Server")),
        },
    );
    if pairs.flag(&["TrustServerCertificate", "Trust Server Certificate"]) == Some(true) {
        out.set("TrustServerCertificate", "yes");
    }
    for (key, keys) in [
        ("HostNameInCertificate", &["HostNameInCertificate", "Host Name In Certificate"][..]),
        ("Failover_Partner", &["Failover Partner", "FailoverPartner", "Failover_Partner"]),
    ] {
        if let Some(value) = pairs.filled(keys) {
            out.set(key, value.trim());
        }
    }
    for (key, keys) in [
        ("MultiSubnetFailover", &["MultiSubnetFailover", "Multi Subnet Failover"][..]),
        ("MARS_Connection", &["MultipleActiveResultSets", "MARS Connection", "MARS_Connection"]),
    ] {
        if let Some(on) = pairs.flag(keys) {
            out.set(key, if on { "Yes" } else { "No" });
        }
    }
    if let Some(how) = pairs.filled(&["Authentication"]) {
        out.set("Authentication", how.replace(' ', ""));
    }
    if encrypts_columns(pairs) {
        out.set("ColumnEncryption", "Enabled");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The string for a driver.
    fn string(text: &str, driver: &str) -> Result<String, String> {
        let pairs = Pairs::parse(text);
        let mut out = Pairs::default();
        out.set("Driver", driver);
        let target = refuse(&pairs, super::super::server_of(&pairs), "C")
            .and_then(|()| super::super::words(&pairs, crate::db::Family::SqlServer, driver, "C", &mut out));
        target.map(|()| out.odbc()).map_err(|e| e.message)
    }

    const TDS: &str = "FreeTDS";
    const MS17: &str = "ODBC Driver 17 for SQL Server";
    const MS18: &str = "ODBC Driver 18 for SQL Server";
    const LOGIN: &str = "User ID=u;Password=p";

    #[test]
    fn servers_in_every_spelling() {
        for (server, microsoft, tds) in [
            ("srv", "Server=srv", "Server=srv;Port=1433"),
            (".", "Server=localhost", "Server=localhost;Port=1433"),
            ("(local)", "Server=localhost", "Server=localhost;Port=1433"),
            ("(LOCAL)\\SQL2019", "Server=localhost\\SQL2019", "Server=localhost\\SQL2019"),
            (".\\MSSQLSERVER", "Server=localhost", "Server=localhost;Port=1433"),
            ("srv\\inst", "Server=srv\\inst", "Server=srv\\inst"),
            ("srv,1434", "Server=srv,1434", "Server=srv;Port=1434"),
            ("tcp:srv.example,1433", "Server=srv.example,1433", "Server=srv.example;Port=1433"),
            ("TCP:srv\\inst, 1500", "Server=srv,1500", "Server=srv;Port=1500"),
            ("lpc:.", "Server=localhost", "Server=localhost;Port=1433"),
            ("::1,1433", "Server={::1,1433}", "Server={::1};Port=1433"),
            ("[fe80::2]", "Server={fe80::2}", "Server={fe80::2};Port=1433"),
        ] {
            for key in ["Data Source", "Server", "Address"] {
                let text = format!("{key}={server};{LOGIN}");
                let said = string(&text, MS18).unwrap();
                let expected = microsoft.replace(['{', '}'], "");
                assert!(
                    said.replace(['{', '}'], "").contains(&format!("Driver=ODBC Driver 18 for SQL Server;{expected};")),
                    "{said}"
                );
                let said = string(&text, TDS).unwrap();
                let expected = tds.replace(['{', '}'], "");
                assert!(
                    said.replace(['{', '}'], "").starts_with(&format!("Driver=FreeTDS;{expected};TDS_Version=7.4;")),
                    "{said}"
                );
            }
        }
    }

    #[test]
    fn options_in_the_words_of_each_driver() {
        for (said, driver, expected) in [
            ("", MS18, "Encrypt=no"),
            ("Provider=SQLNCLI11.1", MS17, "Encrypt=no"),
            ("Provider=MSOLEDBSQL19", MS18, "Encrypt=yes"),
            ("Encrypt=True;TrustServerCertificate=true", MS18, "Encrypt=yes;TrustServerCertificate=yes"),
            ("Use Encryption for Data=Mandatory", MS17, "Encrypt=yes"),
            ("Encrypt=Optional", MS18, "Encrypt=no"),
            (
                "Encrypt=Strict;Host Name In Certificate=c.example",
                MS18,
                "Encrypt=strict;HostNameInCertificate=c.example",
            ),
            ("ApplicationIntent=ReadOnly", MS18, "ApplicationIntent=ReadOnly;Server=s"),
            (
                "MultiSubnetFailover=True;Multiple Active Result Sets=False",
                MS18,
                "Encrypt=no;MultiSubnetFailover=Yes;MARS_Connection=No",
            ),
            ("Failover Partner=other", MS17, "Encrypt=no;Failover_Partner=other"),
            ("Authentication=Active Directory Password", MS18, "Encrypt=no;Authentication=ActiveDirectoryPassword"),
            ("Column Encryption Setting=Enabled", MS18, "Encrypt=no;ColumnEncryption=Enabled"),
            ("Application Name=My App;Workstation ID=ws", MS18, "APP=My App;WSID=ws;Server=s;Encrypt=no"),
            ("Encrypt=yes", TDS, "ClientCharset=UTF-8;Encryption=require"),
            ("Packet Size=8192;Application Intent=ReadOnly", TDS, "ApplicationIntent=ReadOnly;Server=s;Port=1433"),
            ("Packet Size=8192", TDS, "ClientCharset=UTF-8;PacketSize=8192"),
            ("Initial Catalog=Sales Db", TDS, "Database=Sales Db"),
            ("Database=x", MS18, "Encrypt=no;Database=x"),
        ] {
            let string = string(&format!("Server=s;{said};{LOGIN}"), driver).unwrap();
            assert!(string.contains(&format!(";{expected};")), "{said}: {string}");
        }
    }

    #[test]
    fn logins_with_special_characters() {
        for password in ["p;w", "p}w", "{p}", "p=w", " p ", "p'w\"", "}};;", "å🙂", "a}}b"] {
            let mut pairs = Pairs::parse("Data Source=s;User ID=u");
            pairs.set("Password", password);
            for driver in [TDS, MS18] {
                let string = string(&pairs.odbc(), driver).unwrap();
                let back = Pairs::parse(&string);
                assert_eq!((back.get(&["UID"]), back.get(&["PWD"])), (Some("u"), Some(password)), "{driver}");
                assert!(string.contains("UID=u;PWD="), "{driver}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (text, driver, part) in [
            ("Server=s;AttachDbFilename=C:\\x.mdf", MS18, "AttachDbFilename"),
            ("Server=(localdb)\\MSSQLLocalDB", MS18, "LocalDB"),
            ("Server=.\\SQLEXPRESS;User Instance=true", TDS, "user instances"),
            ("Server=np:\\\\s\\pipe\\sql\\query", TDS, "named pipe"),
            ("Server=s;Encrypt=strict", MS17, "Driver 18"),
            ("Server=s;Encrypt=strict", TDS, "msodbcsql18"),
            ("Server=s;Authentication=Active Directory Integrated", TDS, "Active Directory Integrated"),
            ("Server=s;Column Encryption Setting=enabled", TDS, "Column Encryption"),
        ] {
            let why = string(&format!("{text};{LOGIN}"), driver).unwrap_err();
            assert!(why.contains(part) && why.contains("\"C\""), "{why}");
        }
    }
}
