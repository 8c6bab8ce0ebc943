//! Connection strings: `key=value` pairs, as OLE DB, ADO.NET and ODBC write them.
//!
//! ```text
//! Provider=SQLNCLI11;Data Source=.\SQL2019;Initial Catalog=Stage;Extended Properties="a=1;b=2";
//! Driver={ODBC Driver 18 for SQL Server};Server=db,1433;Pwd={p;w}}d}
//! ```

use super::secret::{MASK, Secret};
use std::fmt;

/// The pairs of a connection string, in order. Keys are compared without regard to letter case and to spaces.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Pairs(Vec<(String, String)>);

/// Keys whose values are secrets, without spaces and underscores, in lower case.
const SECRET_KEYS: [&str; 12] = [
    "password",
    "pwd",
    "pass",
    "passwd",
    "accesstoken",
    "jetoledb:databasepassword",
    "newpassword",
    "secret",
    "sslpassword",
    "passphrase",
    "accountkey",
    "clientsecret",
];

/// A key as it is compared.
pub(super) fn normal(key: &str) -> String {
    key.chars().filter(|c| !c.is_whitespace() && *c != '_').flat_map(char::to_lowercase).collect()
}

/// Whether the value of a key is a secret.
pub fn is_secret_key(key: &str) -> bool {
    SECRET_KEYS.contains(&normal(key).as_str())
}

impl Pairs {
    /// Reads a connection string. What is no pair is left out.
    pub fn parse(text: &str) -> Pairs {
        let mut pairs = Vec::new();
        let mut rest = text;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
            let Some(equals) = rest.find('=') else { break };
            if let Some(end) = rest[..equals].find(';') {
                // A word without a value.
                rest = &rest[end..];
                continue;
            }
            let key = rest[..equals].trim().to_owned();
            let (value, after) = value(rest[equals + 1..].trim_start());
            pairs.push((key, value));
            rest = after;
        }
        Pairs(pairs)
    }

    /// The value of the first of these keys that there is; of a key given twice the last, as OLE DB and ADO.NET have it.
    pub fn get(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| {
            let key = normal(key);
            self.0.iter().rev().find(|(k, _)| normal(k) == key).map(|(_, value)| value.as_str())
        })
    }

    /// As [`Pairs::get`], where an empty value counts as none.
    pub fn filled(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| self.get(&[key]).filter(|value| !value.trim().is_empty()))
    }

    /// Whether the value of one of these keys says yes.
    pub fn flag(&self, keys: &[&str]) -> Option<bool> {
        let value = self.filled(keys)?.trim().to_ascii_lowercase();
        Some(matches!(value.as_str(), "true" | "yes" | "1" | "-1" | "sspi" | "mandatory" | "strict" | "on"))
    }

    /// Sets a pair; an older one of that key goes.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.remove(&[key]);
        self.0.push((key.to_owned(), value.into()));
    }

    /// Changes the value of a key where it stands.
    pub(crate) fn set_in_place(&mut self, key: &str, value: String) {
        if let Some((_, old)) = self.0.iter_mut().find(|(k, _)| normal(k) == normal(key)) {
            *old = value;
        }
    }

    /// Removes the pairs of these keys.
    pub fn remove(&mut self, keys: &[&str]) {
        self.0.retain(|(k, _)| !keys.iter().any(|key| normal(key) == normal(k)));
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values that are secrets.
    pub fn secrets(&self) -> Vec<Secret> {
        let own = self.0.iter().filter(|(k, v)| is_secret_key(k) && !v.is_empty()).map(|(_, v)| Secret::new(v.clone()));
        let nested = self.0.iter().filter(|(k, _)| normal(k) == "extendedproperties");
        own.chain(nested.flat_map(|(_, v)| Pairs::parse(v).secrets())).collect()
    }

    /// As ODBC writes it: values in braces where they need them.
    pub fn odbc(&self) -> String {
        self.written(|_, value| {
            let plain = value.chars().all(|c| c.is_alphanumeric() || " ._-/\\:,()*$%<>&+~".contains(c))
                && value.trim() == value;
            if plain { value.to_owned() } else { format!("{{{}}}", value.replace('}', "}}")) }
        })
    }

    /// As ODBC writes it for drivers that take what is in braces as it stands, up to the first `end`: FreeTDS (`};`) and
    /// MariaDB's (`}`), which takes blanks away in there, too.
    ///
    /// # Errors
    /// The key of a value that cannot be written so.
    pub(crate) fn odbc_unescaped(&self, end: &str) -> Result<String, String> {
        let mut out = String::new();
        for (key, value) in &self.0 {
            let braces = value.contains(';') || value.starts_with('{') || value.trim() != value;
            let lost = end == "}" && value.trim() != value;
            if lost || (braces && format!("{value}}};").find(end) != Some(value.len())) {
                return Err(key.clone());
            }
            out.push_str(&if braces { format!("{key}={{{value}}};") } else { format!("{key}={value};") });
        }
        Ok(out)
    }

    /// As OLE DB and ADO.NET write it, with secrets masked; for people.
    pub fn masked(&self) -> String {
        self.written(|key, value| {
            if is_secret_key(key) {
                return MASK.to_owned();
            }
            if normal(key) == "extendedproperties" {
                return format!("\"{}\"", scrubbed(value, &Pairs::parse(value).secrets()));
            }
            if value.contains([';', '"', '=']) {
                format!("\"{}\"", value.replace('"', "\"\""))
            } else {
                value.to_owned()
            }
        })
    }

    fn written(&self, value: impl Fn(&str, &str) -> String) -> String {
        let pairs: Vec<String> = self.0.iter().map(|(k, v)| format!("{k}={}", value(k, v))).collect();
        pairs.join(";")
    }
}

fn scrubbed(text: &str, secrets: &[Secret]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.reveal(), MASK))
}

impl fmt::Debug for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// The value that begins `text`, and what follows it.
fn value(text: &str) -> (String, &str) {
    let close = match text.chars().next() {
        Some('{') => '}',
        Some(c @ ('"' | '\'')) => c,
        _ => {
            let end = text.find(';').unwrap_or(text.len());
            return (text[..end].trim_end().to_owned(), &text[end..]);
        }
    };
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c != close {
            out.push(c);
            continue;
        }
        let after = &text[at + 1..];
        if after.starts_with(close) {
            chars.next();
            out.push(close);
            continue;
        }
        let end = after.find(';').unwrap_or(after.len());
        return (out, &after[end..]);
    }
    // It is not closed: then the quote belongs to the value.
    let end = text.find(';').unwrap_or(text.len());
    (text[..end].trim_end().to_owned(), &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_three_worlds() {
        for (text, expected) in [
            (
                "Data Source=.;Initial Catalog=A;Provider=SQLNCLI11.1;",
                &[("Data Source", "."), ("Initial Catalog", "A"), ("Provider", "SQLNCLI11.1")][..],
            ),
            ("Driver={SQLite3};Database=/a b.db", &[("Driver", "SQLite3"), ("Database", "/a b.db")]),
            ("PWD={a;b}}c};UID=x", &[("PWD", "a;b}c"), ("UID", "x")]),
            (
                "Extended Properties=\"Excel 12.0;HDR=\"\"YES\"\"\";x=1",
                &[("Extended Properties", "Excel 12.0;HDR=\"YES\""), ("x", "1")],
            ),
            ("Password='it''s';User ID = me ", &[("Password", "it's"), ("User ID", "me")]),
            ("Password=a=b=c;x=1", &[("Password", "a=b=c"), ("x", "1")]),
            ("Password=;x=\"open", &[("Password", ""), ("x", "\"open")]),
            (";;novalue;a=1", &[("a", "1")]),
            ("", &[]),
        ] {
            assert_eq!(Pairs::parse(text).iter().collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn keys_are_found_in_any_spelling() {
        let pairs = Pairs::parse(
            "user id=a;Data Source=x;UserID=b;Trusted_Connection=Yes;Encrypt=;Use Encryption for Data=true",
        );
        assert_eq!(pairs.get(&["User ID"]), Some("b"));
        assert_eq!(pairs.filled(&["Encrypt", "data source"]), Some("x"));
        assert_eq!(pairs.flag(&["Trusted Connection"]), Some(true));
        assert_eq!(pairs.flag(&["Integrated Security"]), None);
    }

    #[test]
    fn odbc_strings_come_back_as_they_were() {
        for value in ["plain", "a;b", "x}y", " lead", "ä", "", "a=b", "{x}"] {
            let mut pairs = Pairs::default();
            pairs.set("Pwd", value);
            pairs.set("Z", "1");
            assert_eq!(Pairs::parse(&pairs.odbc()), pairs, "{}", pairs.odbc());
        }
    }

    #[test]
    fn drivers_that_know_no_escapes() {
        for (value, end, expected) in [
            ("plain", "}", Some("Pwd=plain;")),
            ("a}b", "}", Some("Pwd=a}b;")),
            ("a;b", "}", Some("Pwd={a;b};")),
            ("{x", "};", Some("Pwd={{x};")),
            ("a;}b", "};", Some("Pwd={a;}b};")),
            ("a;}b", "}", None),
            ("a};b", "};", None),
            (" a ", "};", Some("Pwd={ a };")),
            (" a ", "}", None),
        ] {
            let mut pairs = Pairs::default();
            pairs.set("Pwd", value);
            assert_eq!(pairs.odbc_unescaped(end).ok().as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn secrets_are_masked() {
        let text = "User ID=sa;Password=\"s3;cret\";Extended Properties=\"DSN=x;Pwd=inner1\";PWD=other2";
        let pairs = Pairs::parse(text);
        for shown in [pairs.masked(), format!("{pairs:?}")] {
            assert!(!shown.contains("s3;cret") && !shown.contains("inner1") && !shown.contains("other2"), "{shown}");
            assert!(shown.contains("User ID=sa"), "{shown}");
        }
        assert_eq!(pairs.secrets().len(), 3);
    }
}
