//! Where a server is, who asks, and how the connection is protected: the pairs of a connection string, in the words of
//! MariaDB's and MySQL's ODBC drivers and of Connector/NET.

use crate::db::connection_string::{Pairs, normal};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::tls::{Mode, Protection, Roots};
use std::path::PathBuf;
use std::time::Duration;

const SERVER: [&str; 9] =
    ["Server", "Servername", "Host", "Data Source", "DataSource", "Address", "Addr", "Network Address", "TCPIP"];
const USER: [&str; 4] = ["UID", "User", "User ID", "Username"];
const PASSWORD: [&str; 2] = ["PWD", "Password"];
const DATABASE: [&str; 3] = ["Database", "Initial Catalog", "DB"];
const ROOTS: [&str; 3] = ["SSLCA", "ssl-ca", "CACertificateFile"];
const CERTIFICATE: [&str; 2] = ["SSLCERT", "ssl-cert"];
const KEY: [&str; 2] = ["SSLKEY", "ssl-key"];
const MODE: [&str; 2] = ["SSLMODE", "ssl-mode"];
const CHARSET: [&str; 3] = ["CHARSET", "Character Set", "Charset"];

/// The other keys that the protocol here understands as those who wrote them mean them. Letter case, spaces and underscores
/// do not count.
const KEYS: [&str; 33] = [
    "Driver",
    "Port",
    "Socket",
    "Unix Socket",
    "SSLVERIFY",
    "FORCETLS",
    "Connect Timeout",
    "Connection Timeout",
    "Login Timeout",
    "Timeout",
    "Use Affected Rows",
    "Allow Public Key Retrieval",
    "Default Command Timeout",
    "Keep Alive",
    // Nothing comes of these here: statements have variables and come several at a time anyway, parameters are the
    // package's, and which columns are booleans its metadata says.
    "Allow User Variables",
    "Allow Batch",
    "Use Procedure Bodies",
    "Check Parameters",
    "Ignore Prepare",
    "Treat Tiny As Boolean",
    // Not done: a string that asks for them goes to the ODBC driver.
    "Use Compression",
    "Allow Load Local Infile",
    // What Connector/NET and its pool do by these is the pool's here.
    "Auto Enlist",
    "Pooling",
    "Min Pool Size",
    "Minimum Pool Size",
    "Max Pool Size",
    "Maximum Pool Size",
    "Connection Life Time",
    "Connection Reset",
    "Persist Security Info",
    "Description",
    "No Prompt",
];

/// Whether everything that a string says can be done here; else the ODBC driver is asked.
pub(in crate::db) fn understands(pairs: &Pairs) -> bool {
    let groups: [&[&str]; 9] = [&SERVER, &USER, &PASSWORD, &DATABASE, &ROOTS, &CERTIFICATE, &KEY, &MODE, &CHARSET];
    let known =
        |key: &str| KEYS.iter().chain(groups.iter().flat_map(|g| g.iter())).any(|known| normal(key) == normal(known));
    // What would be another connection than this one if it were left out.
    let asks = |keys: &[&str]| pairs.flag(keys) == Some(true);
    let charset = pairs.filled(&CHARSET).unwrap_or("utf8mb4").trim().to_ascii_lowercase();
    pairs.iter().all(|(key, _)| known(key))
        && matches!(charset.as_str(), "utf8mb4" | "utf8" | "utf8mb3")
        && !asks(&["Use Compression"])
        && !asks(&["Allow Load Local Infile"])
}

/// Where a server is, and who asks.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    /// The socket of a server of this machine, which stands for host and port.
    pub(super) socket: Option<PathBuf>,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) protection: Protection,
    /// Whether rows that an UPDATE finds and leaves as they are count as affected.
    pub(super) found_rows: bool,
    /// Whether a server that nothing vouches for may be asked for the key that hides the password from others.
    pub(super) asks_for_key: bool,
    /// How long the answer to a statement is waited for whose component or task sets no limit.
    pub(super) command_timeout: Option<Duration>,
    /// After how long without a word it is asked whether the server is still there.
    pub(super) keep_alive: Option<Duration>,
}

impl Address {
    pub(super) fn of(pairs: &Pairs) -> Outcome<Address> {
        let text = |keys: &[&str], default: &str| pairs.filled(keys).unwrap_or(default).trim().to_owned();
        let port = match pairs.filled(&["Port"]) {
            Some(port) => port.trim().parse().map_err(|_| unknown("the port", port, "numbers up to 65535"))?,
            None => 3306,
        };
        let seconds = |key: &str| match pairs.filled(&[key]).map(|text| (text, text.trim().parse::<u32>())) {
            None | Some((_, Ok(0))) => Ok(None),
            Some((_, Ok(seconds))) => Ok(Some(Duration::from_secs(seconds.into()))),
            Some((text, Err(_))) => Err(unknown(key, text, "whole numbers of seconds")),
        };
        Ok(Address {
            host: text(&SERVER, "localhost"),
            port,
            socket: pairs.filled(&["Socket", "Unix Socket"]).map(|path| PathBuf::from(path.trim())),
            database: text(&DATABASE, ""),
            user: text(&USER, ""),
            password: pairs.get(&PASSWORD).unwrap_or("").to_owned(),
            protection: protection(pairs)?,
            found_rows: pairs.flag(&["Use Affected Rows"]) == Some(false),
            asks_for_key: pairs.flag(&["Allow Public Key Retrieval"]) != Some(false),
            command_timeout: seconds("Default Command Timeout")?,
            keep_alive: seconds("Keep Alive")?,
        })
    }

    /// Where it is, for people.
    pub(super) fn place(&self) -> String {
        match &self.socket {
            Some(path) => path.display().to_string(),
            None => format!("{}:{}", self.host, self.port),
        }
    }
}

/// | mode | encrypted | the server's certificate |
/// |---|---|---|
/// | disabled, none | never | |
/// | preferred (unless another is given) | if the server can | not looked at |
/// | required, FORCETLS=1 | always | not looked at |
/// | verify-ca, or a file of roots | always | signed by one of the roots |
/// | verify-identity, verify-full, SSLVERIFY=1 | always | and made out for the host |
///
/// Of several words the strictest counts. The roots are in the file that SSLCA names, or those of this machine.
fn protection(pairs: &Pairs) -> Outcome<Protection> {
    let file = |keys: &[&str]| pairs.filled(keys).map(|path| PathBuf::from(path.trim()));
    let roots = file(&ROOTS);
    let given = pairs.filled(&MODE).map(str::trim);
    let word: String = given.unwrap_or("").chars().filter(char::is_ascii_alphanumeric).collect();
    let mode = match word.to_ascii_lowercase().as_str() {
        "disabled" | "disable" | "none" => Mode::Disable,
        "preferred" | "prefer" => Mode::Prefer,
        "required" | "require" => Mode::Require,
        "verifyca" => Mode::VerifyCa,
        "verifyidentity" | "verifyfull" => Mode::VerifyFull,
        "" if roots.is_some() => Mode::VerifyCa,
        "" => Mode::Prefer,
        _ => {
            let known = "disabled, preferred, required, verify-ca and verify-full (or verify-identity)";
            return Err(unknown("SslMode", given.unwrap_or_default(), known));
        }
    };
    let flags = [("SSLVERIFY", Mode::VerifyFull), ("FORCETLS", Mode::Require)];
    let asked = flags.iter().find(|(key, _)| pairs.flag(&[key]) == Some(true));
    let mode = match asked {
        Some((key, _)) if mode == Mode::Disable => {
            let message = format!("the connection string has {key}=1 and an SslMode that encrypts nothing");
            return Err(DbError::new(ErrorKind::Connect, message));
        }
        Some((_, least)) if mode < *least => *least,
        _ => mode,
    };
    let own = match (file(&CERTIFICATE), file(&KEY)) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (Some(certificate), None) => {
            let message = format!("there is a client certificate ({}) and no SSLKEY", certificate.display());
            return Err(DbError::new(ErrorKind::Connect, message));
        }
        (None, Some(key)) => {
            let message = format!("there is a client's key ({}) and no SSLCERT", key.display());
            return Err(DbError::new(ErrorKind::Connect, message));
        }
        (None, None) => None,
    };
    let roots = match roots {
        Some(path) => Roots::File(path),
        None if mode >= Mode::VerifyCa => Roots::System,
        None => Roots::Nobodys,
    };
    Ok(Protection { mode, roots, own, by: super::SOURCE })
}

fn unknown(what: &str, given: &str, known: &str) -> DbError {
    DbError::new(ErrorKind::Connect, format!("{what} is \"{given}\" in the connection string; there are {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_understood() {
        for text in [
            "Driver=MariaDB Unicode;Server=db;Port=3307;Database=x;Uid=u;Pwd=p;CHARSET=utf8mb4",
            "Server=db;Database=x;User Id=u;Password=p;SslMode=Required;Pooling=false;AllowUserVariables=True",
            "Driver=MariaDB Unicode;Socket=/run/mysqld/mysqld.sock;Uid=root;ssl-mode=VERIFY_IDENTITY;ssl-ca=/ca.pem",
        ] {
            assert!(understands(&Pairs::parse(text)), "{text}");
        }
        for text in [
            "Driver=MariaDB Unicode;Server=db;NO_CACHE=1",
            "Driver=MySQL ODBC 8.0 Unicode Driver;Server=db;OPTION=3",
            "Server=db;Uid=u;Convert Zero Datetime=True",
            "Server=db;Uid=u;CharSet=latin1",
            "Server=db;Uid=u;Use Compression=true",
        ] {
            assert!(!understands(&Pairs::parse(text)), "{text}");
        }
    }

    #[test]
    fn who_asks_where() {
        let address =
            Address::of(&Pairs::parse("Data Source=db.example;Port=3307;User Id=me;Password={ p };Database=x"));
        let address = address.unwrap();
        assert_eq!((address.host.as_str(), address.port, address.database.as_str()), ("db.example", 3307, "x"));
        assert_eq!((address.user.as_str(), address.password.as_str(), address.socket), ("me", " p ", None));
        let local = Address::of(&Pairs::parse("Socket=/run/s;Uid=root")).unwrap();
        assert_eq!((local.place().as_str(), local.password.as_str()), ("/run/s", ""));
        assert!(Address::of(&Pairs::parse("Server=db;Port=x")).is_err_and(|e| e.message.contains("port")));
        for (text, command, keep_alive) in [
            ("Server=db;DefaultCommandTimeout=60;Keep Alive=30", Some(60), Some(30)),
            ("Default Command Timeout=0", None, None),
        ] {
            let address = Address::of(&Pairs::parse(text)).unwrap();
            let seconds = |n: u64| Duration::from_secs(n);
            assert_eq!(address.command_timeout, command.map(seconds), "{text}");
            assert_eq!(address.keep_alive, keep_alive.map(seconds), "{text}");
        }
        assert!(Address::of(&Pairs::parse("Keep Alive=yes")).is_err_and(|e| e.message.contains("Keep Alive")));
    }

    #[test]
    fn words_of_encryption() {
        let file = || Roots::File(PathBuf::from("/ca.pem"));
        for (text, mode, roots) in [
            ("Server=db", Mode::Prefer, Roots::Nobodys),
            ("Server=db;SslMode=None", Mode::Disable, Roots::Nobodys),
            ("Server=db;SslMode=Preferred", Mode::Prefer, Roots::Nobodys),
            ("Server=db;SSL Mode=Required", Mode::Require, Roots::Nobodys),
            ("Server=db;FORCETLS=1", Mode::Require, Roots::Nobodys),
            ("Server=db;SSLCA=/ca.pem", Mode::VerifyCa, file()),
            ("Server=db;SSLCA=/ca.pem;SSLVERIFY=1", Mode::VerifyFull, file()),
            ("Server=db;ssl-mode=VERIFY_IDENTITY", Mode::VerifyFull, Roots::System),
            ("Server=db;SslMode=VerifyFull;SslCa=/ca.pem", Mode::VerifyFull, file()),
            ("Server=db;SslMode=Required;SslCa=/ca.pem", Mode::Require, file()),
            ("Server=db;SslMode=Preferred;FORCETLS=1", Mode::Require, Roots::Nobodys),
            ("Server=db;SslMode=Required;SSLVERIFY=1;FORCETLS=1", Mode::VerifyFull, Roots::System),
            ("Server=db;SslMode=VerifyCA;SslCa=/ca.pem;FORCETLS=1", Mode::VerifyCa, file()),
            ("Server=db;SslMode=None;FORCETLS=0", Mode::Disable, Roots::Nobodys),
        ] {
            let found = protection(&Pairs::parse(text)).unwrap();
            assert_eq!((found.mode, found.roots), (mode, roots), "{text}");
        }
        for (text, word) in [
            ("SslMode=sometimes", "sometimes"),
            ("SSLCERT=/c.pem", "no SSLKEY"),
            ("SSLKEY=/k.pem", "no SSLCERT"),
            ("SslMode=None;FORCETLS=1", "FORCETLS=1"),
            ("SslMode=DISABLED;SSLVERIFY=1", "SSLVERIFY=1"),
        ] {
            let refused = protection(&Pairs::parse(text)).unwrap_err();
            assert!(refused.message.contains(word), "{text}: {refused}");
        }
    }
}
