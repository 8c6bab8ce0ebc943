//! Words and quotes: how a command line or a command file is cut, and how a value is cut at its semicolons.

/// Cuts the text of a command file into words: at white space outside double quotes. Quotes stay, as they keep
/// semicolons together; see [`unquote`].
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for c in text.chars() {
        if c == '"' {
            quoted = !quoted;
        }
        if c.is_whitespace() && !quoted {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push(c);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Takes off the quotes of a text that is quoted as a whole; inside, `""` and `\"` stand for a quote. Any other text is
/// unchanged.
pub fn unquote(text: &str) -> String {
    match quoted_prefix(text) {
        Some((inner, "")) => inner,
        _ => text.to_owned(),
    }
}

/// The content of the quoted string that `text` begins with, and what follows it.
fn quoted_prefix(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut inner = String::new();
    loop {
        let at = rest.find('"')?;
        inner.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('"') {
            inner.push('"');
            rest = after;
        } else if inner.ends_with('\\') && !rest.is_empty() && !rest.starts_with(';') {
            // `\"`, as the runtime of C escapes a quote.
            inner.pop();
            inner.push('"');
        } else {
            return Some((inner, rest));
        }
    }
}

/// Cuts a value at the semicolons outside quotes, and takes the quotes off the parts. The second of each pair says
/// whether the part was quoted.
pub fn parts(text: &str) -> Vec<(String, bool)> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        match quoted_prefix(rest) {
            Some((inner, after)) if after.is_empty() || after.starts_with(';') => {
                parts.push((inner, true));
                match after.strip_prefix(';') {
                    Some(after) => rest = after,
                    None => return parts,
                }
            }
            _ => match rest.split_once(';') {
                Some((part, after)) => {
                    parts.push((part.to_owned(), false));
                    rest = after;
                }
                None => {
                    parts.push((rest.to_owned(), false));
                    return parts;
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_cut_at_white_space_outside_quotes() {
        let text = "/File \"C:\\a b.dtsx\"\r\n/Set \"\\P.V;x\";\"a b\"\t/De \"\"\n";
        assert_eq!(words(text), ["/File", "\"C:\\a b.dtsx\"", "/Set", "\"\\P.V;x\";\"a b\"", "/De", "\"\""]);
    }

    #[test]
    fn quotes_come_off_whole_strings_only() {
        for (text, plain) in [
            ("x", "x"),
            ("\"a b\"", "a b"),
            ("\"say \"\"hi\"\"\"", "say \"hi\""),
            ("\"a\";\"b\"", "\"a\";\"b\""),
            ("\"open", "\"open"),
            (r#""say \"hi\" to""#, "say \"hi\" to"),
            (r#""C:\folder\""#, r"C:\folder\"),
            ("\"\"", ""),
        ] {
            assert_eq!(unquote(text), plain, "{text}");
        }
    }

    #[test]
    fn parts_are_cut_at_semicolons_outside_quotes() {
        let plain = |text: &str| parts(text).into_iter().map(|(p, q)| format!("{p}{}", if q { "!" } else { "" }));
        for (text, expected) in [
            ("a;b", vec!["a", "b"]),
            ("\"a;b\";c", vec!["a;b!", "c"]),
            ("a;\"x=1;y=2\";b", vec!["a", "x=1;y=2!", "b"]),
            ("", vec![""]),
            ("a;", vec!["a", ""]),
        ] {
            assert_eq!(plain(text).collect::<Vec<_>>(), expected, "{text}");
        }
    }
}
