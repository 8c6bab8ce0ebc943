//! File name patterns as Windows matches them.

/// A pattern with `*` and `?`, compared without regard to letter case.
///
/// - `*.*` is every name, also one without a dot.
/// - `?` is one character. (That it is none, too, before a dot or at the end of a name, as `dir` has it, is (unconfirmed) for
///   this enumerator: [`NO_CHARACTER_AT_THE_END`].)
/// - A pattern with `*` whose extension has exactly three characters also matches longer extensions that begin with
///   them: `*.xls` finds `Book.xlsx`, as short (8.3) names have it.
#[derive(Clone, Debug)]
pub(super) struct Wildcard {
    pattern: Vec<char>,
    /// The dot of the three-character extension that stands for longer ones.
    short_extension: Option<usize>,
}

impl Wildcard {
    pub(super) fn new(pattern: &str) -> Wildcard {
        let pattern = pattern.trim();
        let pattern = if pattern.is_empty() || pattern == "*.*" { "*" } else { pattern };
        let chars: Vec<char> = fold(pattern);
        let dot = chars.iter().rposition(|c| *c == '.');
        let short_extension = dot.filter(|dot| {
            let extension = &chars[dot + 1..];
            let literal = extension.iter().all(|c| !matches!(c, '*' | '?'));
            extension.len() == 3 && literal && chars[..*dot].contains(&'*')
        });
        Wildcard { pattern: chars, short_extension }
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        let name = fold(name);
        if matches(&self.pattern, &name) {
            return true;
        }
        let Some(dot) = self.short_extension else { return false };
        let Some(name_dot) = name.iter().rposition(|c| *c == '.') else { return false };
        name[name_dot..].starts_with(&self.pattern[dot..]) && matches(&self.pattern[..dot], &name[..name_dot])
    }
}

/// Whether `?` before a dot or at the end of a name matches no character, too.
const NO_CHARACTER_AT_THE_END: bool = false;

/// Upper case character by character, as file systems compare names.
fn fold(text: &str) -> Vec<char> {
    text.chars().map(|c| c.to_uppercase().next().unwrap_or(c)).collect()
}

/// Pattern against name, with one place to come back to: the last `*`.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some('?') if NO_CHARACTER_AT_THE_END && matches!(name.get(n), None | Some('.')) => {
                p += 1;
                continue;
            }
            Some('?') if n < name.len() => {
                p += 1;
                n += 1;
                continue;
            }
            Some(c) if name.get(n) == Some(c) => {
                p += 1;
                n += 1;
                continue;
            }
            // The dot of `name.*` and `name.` may be missing at the end of the name.
            Some('.') if n == name.len() && pattern[p + 1..].iter().all(|c| matches!(c, '*' | '?')) => return true,
            None if n == name.len() => return true,
            _ => {}
        }
        match retry {
            Some((after_star, from)) if from < name.len() => {
                retry = Some((after_star, from + 1));
                (p, n) = (after_star, from + 1);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Wildcard;

    #[test]
    fn names_match_as_windows_matches_them() {
        for (pattern, name, expected) in [
            ("*.*", "anything", true),
            ("*", "a.b", true),
            ("", "a", true),
            ("*.csv", "A.CSV", true),
            ("*.csv", "a.csv.bak", false),
            ("*.csv", "a.b.csv", true),
            ("*.xls", "Book.xlsx", true),
            ("p*.xls", "prices.xlsx", true),
            ("p*.xls", "book.xlsx", false),
            ("*.xls", "Book.xl", false),
            ("*.xlsx", "Book.xls", false),
            ("*.xls?", "Book.xls", false),
            ("*.xls?", "Book.xlsx", true),
            ("*.txt", "a.txt2", true),
            ("*.tx", "a.txt", false),
            ("Book.xls", "Book.xlsx", false),
            ("Suppliers_????????.csv", "Suppliers_20200101.csv", true),
            ("Suppliers_????????.csv", "Suppliers_2020.csv", false),
            ("Suppliers_????.csv", "Suppliers_20200101.csv", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("name.*", "name", true),
            ("name.*", "names.txt", false),
            ("*_b*_c.txt", "a_b_b1_c.txt", true),
            ("*_b*_c.txt", "a_c.txt", false),
            ("ÄRZTE*.txt", "ärzte1.txt", true),
        ] {
            assert_eq!(Wildcard::new(pattern).matches(name), expected, "{pattern} {name}");
        }
    }
}
