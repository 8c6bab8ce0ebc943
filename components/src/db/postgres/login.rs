//! Where a server is, who asks, and how the connection is protected: the pairs of a connection string, in the words of
//! libpq, of its ODBC driver and of Npgsql.

use super::surroundings::{self, Login, Variables};
use super::tls::Protection;
use crate::db::connection_string::{Pairs, normal};
use crate::db::error::{DbError, ErrorKind, Outcome};

/// Keys that the protocol here understands as the ODBC driver and Npgsql do. Letter case, spaces and underscores do not
/// count.
const KEYS: [&str; 35] = [
    "Driver",
    "Server",
    "Servername",
    "Host",
    "Port",
    "Database",
    "Dbname",
    "UID",
    "User",
    "Username",
    "User ID",
    "PWD",
    "Password",
    "SSLmode",
    "SSLrootcert",
    "Root Certificate",
    "SSLcert",
    "SSL Certificate",
    "SSLkey",
    "SSL Key",
    "Trust Server Certificate",
    "Channel Binding",
    "Application Name",
    "Options",
    "Search Path",
    "Connect Timeout",
    "Connection Timeout",
    "Timeout",
    // What Npgsql's pool does is the pool's here.
    "Pooling",
    "Minimum Pool Size",
    "Maximum Pool Size",
    "Connection Idle Lifetime",
    "Enlist",
    "Persist Security Info",
    "Include Error Detail",
];

/// Keys of libpq's `key=value key=value` form.
const LIBPQ: [&str; 16] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslpassword",
    "channel_binding",
    "application_name",
    "options",
    "connect_timeout",
    "client_encoding",
];

/// Whether everything that a string says can be done here; else the ODBC driver is asked.
pub(in crate::db) fn understands(pairs: &Pairs) -> bool {
    pairs.iter().all(|(key, _)| KEYS.iter().any(|known| normal(key) == normal(known)))
}

/// The pairs of libpq's own form, `host=db user=me password='a b'`. None: it is none.
pub(in crate::db) fn conninfo(text: &str) -> Option<Pairs> {
    let (mut pairs, mut rest) = (Pairs::default(), text.trim());
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let key = key.trim();
        if !LIBPQ.contains(&key) {
            return None;
        }
        let after = after.trim_start();
        let quoted = after.starts_with('\'');
        let (mut value, mut end, mut escaped, mut closed) = (String::new(), after.len(), false, !quoted);
        for (at, c) in after.char_indices().skip(usize::from(quoted)) {
            match c {
                _ if escaped => {
                    value.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '\'' if quoted => {
                    (end, closed) = (at + 1, true);
                    break;
                }
                c if !quoted && c.is_whitespace() => {
                    end = at;
                    break;
                }
                // The other forms have these between their pairs.
                ';' if !quoted => return None,
                c => value.push(c),
            }
        }
        if !closed {
            return None;
        }
        pairs.set(if key == "hostaddr" { "host" } else { key }, value);
        rest = after[end..].trim_start();
    }
    pairs.filled(&["host", "dbname"]).is_some().then_some(pairs)
}

/// Whether a login is bound to the encrypted connection that it goes through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Binding {
    Never,
    IfOffered,
    Required,
}

/// Where a server is, and who asks.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) password: String,
    /// Why a password file was not read that may hold the password.
    pub(super) passed_over: Option<String>,
    pub(super) protection: Protection,
    pub(super) binding: Binding,
    /// Settings that the session begins with.
    pub(super) settings: Vec<(&'static str, String)>,
}

impl Address {
    /// What a connection string says and, where it says nothing, the surroundings of this process.
    pub(super) fn of(pairs: &Pairs) -> Outcome<Address> {
        Address::within(pairs, &surroundings::of_process)
    }

    fn within(pairs: &Pairs, variables: Variables<'_>) -> Outcome<Address> {
        let pairs = &surroundings::with_variables(pairs, variables);
        let text = |keys: &[&str], default: &str| pairs.filled(keys).unwrap_or(default).trim().to_owned();
        let user = text(&["UID", "User", "Username", "User ID"], "postgres");
        let binding = match pairs.filled(&["channel_binding"]).unwrap_or("prefer").trim().to_ascii_lowercase().as_str()
        {
            "disable" => Binding::Never,
            "prefer" => Binding::IfOffered,
            "require" => Binding::Required,
            other => return Err(unknown("channel_binding", other, "disable, prefer and require")),
        };
        let port = match pairs.filled(&["Port"]) {
            Some(port) => port.trim().parse().map_err(|_| unknown("the port", port, "numbers up to 65535"))?,
            None => 5432,
        };
        let mut settings = vec![("application_name", text(&["application_name"], "dtsx"))];
        for (keys, setting) in [("Search Path", "search_path"), ("Options", "options")] {
            settings.extend(pairs.filled(&[keys]).map(|value| (setting, value.to_owned())));
        }
        let (host, database) =
            (text(&["Server", "Servername", "Host"], "localhost"), text(&["Database", "Dbname"], &user));
        let (password, passed_over) = match pairs.get(&["PWD", "Password"]).filter(|p| !p.is_empty()) {
            Some(password) => (password.to_owned(), None),
            None => {
                let login = Login { host: &host, port, database: &database, user: &user };
                let found = surroundings::password(&login, variables);
                (found.password.unwrap_or_default(), found.passed_over)
            }
        };
        Ok(Address {
            host,
            port,
            database,
            password,
            passed_over,
            user,
            protection: Protection::of(pairs)?,
            binding,
            settings,
        })
    }

    /// Whether the server is reached through a socket of this machine, which needs no protection.
    pub(super) fn is_local(&self) -> bool {
        self.host.starts_with('/')
    }
}

pub(super) fn unknown(what: &str, given: &str, known: &str) -> DbError {
    DbError::new(ErrorKind::Connect, format!("{what} is \"{given}\" in the connection string; there are {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_libpq() {
        let pairs =
            conninfo("host=db.example port=5433 dbname='my db' user = me password='a\\'b;c' sslmode=require").unwrap();
        let address = Address::of(&pairs).unwrap();
        assert_eq!((address.host.as_str(), address.port, address.database.as_str()), ("db.example", 5433, "my db"));
        assert_eq!((address.user.as_str(), address.password.as_str()), ("me", "a'b;c"));
        for other in ["Host=db;Username=me", "Data Source=x", "host=db;user=me", "user=me", "host='db", ""] {
            assert!(conninfo(other).is_none(), "{other}");
        }
    }

    #[test]
    fn what_the_string_says_comes_before_the_surroundings() {
        let variables = |name: &str| match name {
            "PGPASSWORD" => Some("around".to_owned()),
            "PGHOST" => Some("elsewhere".to_owned()),
            "PGUSER" => Some("somebody".to_owned()),
            _ => None,
        };
        for (text, host, user, password) in [
            ("Driver=PostgreSQL Unicode;Server=db;Uid=me;Pwd=own", "db", "me", "own"),
            ("Driver=PostgreSQL Unicode;Server=db;Uid=me;Pwd=", "db", "me", "around"),
            ("Driver=PostgreSQL Unicode;Database=x", "elsewhere", "somebody", "around"),
        ] {
            let address = Address::within(&Pairs::parse(text), &variables).unwrap();
            let found = (address.host.as_str(), address.user.as_str(), address.password.as_str());
            assert_eq!(found, (host, user, password), "{text}");
        }
    }

    #[test]
    fn what_is_understood() {
        for text in [
            "Driver=PostgreSQL Unicode;Server=db;Port=5432;Database=x;Uid=u;Pwd=p;SSLmode=verify-full;sslrootcert=/ca.pem",
            "Host=db;Username=u;Password=p;Database=x;SSL Mode=Require;Trust Server Certificate=true;Pooling=false",
        ] {
            assert!(understands(&Pairs::parse(text)), "{text}");
        }
        for text in
            ["Driver=PostgreSQL Unicode;Server=db;UseDeclareFetch=1", "Host=db;Krbsrvname=x", "Host=db;sslpassword=x"]
        {
            assert!(!understands(&Pairs::parse(text)), "{text}");
        }
        assert!(Address::of(&Pairs::parse("Host=db;Port=x")).is_err_and(|e| e.message.contains("port")));
    }
}
