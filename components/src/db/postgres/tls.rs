//! Encryption, as libpq defines it: `sslmode`, and whose certificates are believed.
//!
//! | mode | encrypted | the server's certificate |
//! |---|---|---|
//! | disable | never | |
//! | allow | if the server insists | not looked at |
//! | prefer (unless another is given) | if the server can | not looked at |
//! | require | always | not looked at; with a file of roots as verify-ca |
//! | verify-ca | always | signed by one of the roots |
//! | verify-full | always | and made out for the host |
//!
//! The roots are in `sslrootcert` (a file, or `system` for those of this machine), else in `~/.postgresql/root.crt`. Npgsql's
//! `VerifyCA` and `VerifyFull` take those of the machine where neither is there, as Npgsql does.

use super::login::unknown;
use crate::db::connection_string::Pairs;
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::tls::Roots;
use std::path::PathBuf;

pub(super) use crate::db::tls::{Mode, Protection};

/// The folder where libpq looks for files that a string does not name.
fn usual(name: &str) -> Option<PathBuf> {
    let path = std::env::home_dir()?.join(".postgresql").join(name);
    path.exists().then_some(path)
}

fn refused(message: String) -> DbError {
    DbError { source: "PostgreSQL".into(), ..DbError::new(ErrorKind::Connect, message) }
}

impl Protection {
    /// What a connection string says, in the words of libpq and Npgsql.
    pub(super) fn of(pairs: &Pairs) -> Outcome<Protection> {
        let file = |keys: &[&str], name: &str| {
            pairs.filled(keys).map(|path| PathBuf::from(path.trim())).or_else(|| usual(name))
        };
        let given = pairs.filled(&["sslmode"]).map(str::trim);
        let mut mode = match given.unwrap_or("prefer").to_ascii_lowercase().as_str() {
            "disable" => Mode::Disable,
            "allow" => Mode::Allow,
            "prefer" => Mode::Prefer,
            "require" => Mode::Require,
            "verify-ca" | "verifyca" => Mode::VerifyCa,
            "verify-full" | "verifyfull" => Mode::VerifyFull,
            other => {
                let known = "disable, allow, prefer, require, verify-ca and verify-full";
                return Err(unknown("sslmode", other, known));
            }
        };
        let named = pairs.filled(&["sslrootcert", "Root Certificate"]).map(str::trim);
        let roots = match file(&["sslrootcert", "Root Certificate"], "root.crt") {
            Some(_) if named.is_some_and(|name| name.eq_ignore_ascii_case("system")) => {
                if given.is_some() && mode < Mode::VerifyFull {
                    let message =
                        "sslrootcert=system wants sslmode=verify-full: anybody has a certificate that it believes";
                    return Err(refused(message.to_owned()));
                }
                mode = Mode::VerifyFull;
                Roots::System
            }
            Some(path) => {
                // A file of roots makes of `require` what it was before there was verify-ca.
                let trusts = pairs.flag(&["Trust Server Certificate"]) == Some(true);
                if mode == Mode::Require && !trusts {
                    mode = Mode::VerifyCa;
                }
                Roots::File(path)
            }
            None if mode < Mode::VerifyCa => Roots::Nobodys,
            None if given.is_some_and(|word| !word.contains('-')) => Roots::System,
            None => {
                return Err(refused(format!(
                    "sslmode={} needs certificates to believe: give a file with sslrootcert=… (or put it at \
                     ~/.postgresql/root.crt), or sslrootcert=system for those of this machine",
                    given.unwrap_or_default()
                )));
            }
        };
        let certificate = file(&["sslcert", "SSL Certificate"], "postgresql.crt");
        let key = file(&["sslkey", "SSL Key"], "postgresql.key");
        let own = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (Some(certificate), None) => {
                let message = format!("there is a client certificate ({}) and no sslkey", certificate.display());
                return Err(refused(message));
            }
            _ => None,
        };
        Ok(Protection { mode, roots, own, by: "PostgreSQL" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_and_roots() {
        for (text, expected) in [
            ("Host=db;sslmode=disable", Ok(Mode::Disable)),
            ("Host=db;SSL Mode=Require;Trust Server Certificate=true", Ok(Mode::Require)),
            ("Host=db;SslMode=VerifyFull", Ok(Mode::VerifyFull)),
            ("Host=db;SSLmode=require;sslrootcert=/ca.pem", Ok(Mode::VerifyCa)),
            ("Host=db;SSLmode=require;sslrootcert=/ca.pem;Trust Server Certificate=true", Ok(Mode::Require)),
            ("Host=db;sslrootcert=system", Ok(Mode::VerifyFull)),
            ("Host=db;sslmode=require;sslrootcert=system", Err("verify-full")),
            ("Host=db;sslmode=sometimes", Err("sometimes")),
            ("Host=db;sslmode=require;sslcert=/c.pem", Err("no sslkey")),
        ] {
            let found = Protection::of(&Pairs::parse(text));
            match expected {
                Ok(mode) => assert_eq!(found.map(|p| p.mode), Ok(mode), "{text}"),
                Err(word) => assert!(found.is_err_and(|e| e.message.contains(word)), "{text}"),
            }
        }
    }
}
