//! Rewriting of file path prefixes (`--map FROM=TO`).

use std::path::PathBuf;

/// Prefix rules for the paths that a run opens or enumerates. The values of variables and data never change.
#[derive(Clone, Debug, Default)]
pub struct PathMap {
    rules: Vec<(String, String)>,
}

fn normal(c: char) -> char {
    if c == '\\' { '/' } else { c.to_lowercase().next().unwrap_or(c) }
}

impl PathMap {
    /// Adds a rule. The prefix is compared without regard to letter case and with `\` = `/`; a trailing separator does not matter.
    pub fn add(&mut self, from: &str, to: &str) {
        self.rules.push((from.trim_end_matches(['\\', '/']).to_owned(), to.to_owned()));
    }

    /// The path to open for `path`. The longest matching prefix wins; a prefix ends at a separator or at the end of the
    /// path; `\` in the remainder becomes `/`. Without a match, the path is unchanged on Windows; elsewhere `\` becomes
    /// `/` when the path has no `/` of its own, as a package's relative path means folders there, too.
    pub fn resolve(&self, path: &str) -> PathBuf {
        let best = self
            .rules
            .iter()
            .filter_map(|(from, to)| Some((match_prefix(path, from)?, from.chars().count(), to)))
            .max_by_key(|(_, length, _)| *length);
        if let Some((rest, _, to)) = best {
            let rest = rest.replace('\\', "/");
            let rest = rest.trim_start_matches('/');
            let to = to.trim_end_matches(['/', '\\']);
            return PathBuf::from(if rest.is_empty() { to.to_owned() } else { format!("{to}/{rest}") });
        }
        if cfg!(windows) || path.contains('/') { PathBuf::from(path) } else { PathBuf::from(path.replace('\\', "/")) }
    }
}

/// What follows `from` in `path`, if `path` begins with it at a boundary.
fn match_prefix<'a>(path: &'a str, from: &str) -> Option<&'a str> {
    let mut chars = path.char_indices();
    for expected in from.chars() {
        let (_, c) = chars.next()?;
        if normal(c) != normal(expected) {
            return None;
        }
    }
    let rest = chars.as_str();
    (rest.is_empty() || rest.starts_with(['\\', '/']) || from.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_prefix_wins_at_a_boundary() {
        let mut map = PathMap::default();
        map.add(r"D:\In\", "/tmp/in");
        map.add("d:/in/deep", "/tmp/deep/");
        map.add(r"\\Server\share", "/mnt/share");
        for (path, expected) in [
            (r"D:\in\x.csv", "/tmp/in/x.csv"),
            (r"d:/IN\a\b.csv", "/tmp/in/a/b.csv"),
            (r"D:\in\deep\b.csv", "/tmp/deep/b.csv"),
            (r"D:\in\deeper\b.csv", "/tmp/in/deeper/b.csv"),
            (r"D:\in", "/tmp/in"),
            (r"\\SERVER\Share\f", "/mnt/share/f"),
        ] {
            assert_eq!(map.resolve(path), PathBuf::from(expected), "{path}");
        }
        assert_eq!(map.resolve("/home/x"), PathBuf::from("/home/x"));
    }
}
