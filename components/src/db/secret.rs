//! Text that must not be seen.

use std::fmt;

/// A password, or a connection string that may hold one. It can be used, but neither shown nor logged: `Debug` and
/// `Display` give asterisks.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Secret(String);

/// What stands for a secret.
pub const MASK: &str = "********";

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for whoever opens a connection with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// `text` with every secret in it masked. Secrets of less than three characters are left, as masking them would only
/// garble the text.
pub(crate) fn scrub(text: &str, secrets: &[Secret]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|s| s.0.chars().count() >= 3) {
        text = text.replace(&secret.0, MASK);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_neither_shown_nor_left_in_texts() {
        let secret = Secret::new("hunter2");
        assert!(!format!("{secret} {secret:?} {:?}", Some(&secret)).contains("hunter2"));
        assert_eq!(scrub("login hunter2 failed", &[secret]), "login ******** failed");
        assert_eq!(scrub("login a failed", &[Secret::new("a")]), "login a failed");
    }
}
