//! Passwords that stand in texts: a connection string that an expression puts together.

/// What is in front of a password in a connection string.
const KEYS: [&str; 2] = ["password", "pwd"];

/// `text` with an asterisk for every character of a password: of what follows `Password=` or `Pwd=` up to a semicolon, a
/// quote or the end of the line. Everything else stays where it is.
pub fn without_passwords(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(begin) = next(&lower, at) {
        out.push_str(&text[at..begin]);
        let rest = &text[begin..];
        let end = rest.find([';', '"', '\n', '\r']).unwrap_or(rest.len());
        out.extend(rest[..end].chars().map(|_| '*'));
        at = begin + end;
    }
    out.push_str(&text[at..]);
    out
}

/// Where the next password begins.
fn next(lower: &str, from: usize) -> Option<usize> {
    let value = |(at, key): (usize, &str)| {
        let rest = &lower[at + key.len()..];
        let after = rest.trim_start_matches(' ').strip_prefix('=')?.trim_start_matches(' ');
        // A quote that the expression escapes belongs to the string.
        let after = after.strip_prefix("\\\"").unwrap_or(after);
        Some(lower.len() - after.len())
    };
    let of = |key: &'static str| lower[from..].match_indices(key).map(move |(at, _)| (from + at, key));
    KEYS.iter().flat_map(|key| of(key)).filter_map(value).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_starred_in_place() {
        for (text, expected) in [
            ("\"Server=x;Pwd=abc;Uid=y\" + @[User::A]", "\"Server=x;Pwd=***;Uid=y\" + @[User::A]"),
            ("PASSWORD = abc", "PASSWORD = ***"),
            ("Password=é;pwd=a\nb", "Password=*;pwd=*\nb"),
            ("\"Pwd=\" + @[User::Pw]", "\"Pwd=\" + @[User::Pw]"),
            ("Password=\\\"a b\\\";x", "Password=\\\"****\";x"),
            ("the password is asked for", "the password is asked for"),
            ("", ""),
        ] {
            assert_eq!(without_passwords(text), expected);
        }
    }
}
