//! Rust sources as the tidy tests see them: line by line, without comments, the contents of strings, or test modules.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A source file of a room.
#[derive(Debug)]
pub struct Source {
    /// Its path below the root of the repository, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// A line of code outside tests.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1.
    pub number: usize,
    /// Its text without comments; strings are empty.
    pub code: String,
    /// The strings on it, joined by spaces.
    pub strings: String,
}

/// All `.rs` files below a folder of the repository, by path; tests kept in files of their own are left out.
///
/// # Errors
/// What the file system says.
pub fn sources(root: &Path, folder: &str) -> io::Result<Vec<Source>> {
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test_file(&path) {
                found.push(Source { path: relative(root, &path), text: fs::read_to_string(&path)? });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn relative(root: &Path, path: &Path) -> String {
    let path: PathBuf = path.strip_prefix(root).unwrap_or(path).to_path_buf();
    path.to_string_lossy().replace('\\', "/")
}

fn is_test_file(path: &Path) -> bool {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let in_folder = path.components().any(|part| part.as_os_str() == "tests");
    in_folder || stem == "tests" || stem.ends_with("_tests") || stem.starts_with("test_")
}

impl Source {
    /// The lines of code outside test modules. A module or item under `#[cfg(test)]` is left out with its braces.
    pub fn code(&self) -> Vec<Line> {
        let mut lines = strip(&self.text);
        let mut n = 0;
        while n < lines.len() {
            if lines[n].code.trim_start().starts_with("#[cfg(test)]") {
                let end = end_of_item(&lines, n);
                lines.drain(n..end);
            } else {
                n += 1;
            }
        }
        lines
    }
}

/// The line behind the item that begins at or after `start`: behind its closing brace, or its semicolon.
fn end_of_item(lines: &[Line], start: usize) -> usize {
    let mut depth = 0_usize;
    for (n, line) in lines.iter().enumerate().skip(start) {
        for character in line.code.chars() {
            match character {
                '{' => depth += 1,
                '}' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return n + 1;
                    }
                }
                ';' if depth == 0 => return n + 1,
                _ => {}
            }
        }
    }
    lines.len()
}

/// What the characters at hand belong to.
#[derive(Clone, Copy, PartialEq)]
enum In {
    Code,
    Comment { depth: usize },
    Text,
    RawText { hashes: usize },
}

/// Takes comments out, and strings apart.
fn strip(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut state = In::Code;
    for (n, line) in text.lines().enumerate() {
        let (mut code, mut strings) = (String::new(), String::new());
        let characters: Vec<char> = line.chars().collect();
        let mut at = 0;
        while at < characters.len() {
            let rest = &characters[at..];
            let (step, next) = match state {
                In::Code => in_code(rest, &mut code),
                In::Comment { depth } => in_comment(rest, depth),
                In::Text => in_text(rest, &mut strings, &mut code),
                In::RawText { hashes } => in_raw_text(rest, hashes, &mut strings, &mut code),
            };
            at += step;
            state = next;
        }
        if matches!(state, In::Text | In::RawText { .. }) {
            strings.push(' ');
        }
        lines.push(Line { number: n + 1, code, strings });
    }
    lines
}

fn in_code(rest: &[char], code: &mut String) -> (usize, In) {
    match rest {
        ['/', '/', ..] => (rest.len(), In::Code),
        ['/', '*', ..] => (2, In::Comment { depth: 1 }),
        ['"', ..] => {
            code.push('"');
            (1, In::Text)
        }
        ['r', tail @ ..] if !code.ends_with(|c: char| c.is_alphanumeric() || c == '_') => {
            let hashes = tail.iter().take_while(|&&c| c == '#').count();
            if tail.get(hashes) == Some(&'"') {
                code.push('"');
                return (hashes + 2, In::RawText { hashes });
            }
            code.push('r');
            (1, In::Code)
        }
        // A quote that is a character, so that '"' opens no string; a lifetime has no closing quote.
        ['\'', '\\', _, '\'', ..] => (4, In::Code),
        ['\'', _, '\'', ..] => (3, In::Code),
        [character, ..] => {
            code.push(*character);
            (1, In::Code)
        }
        [] => (1, In::Code),
    }
}

fn in_comment(rest: &[char], depth: usize) -> (usize, In) {
    match rest {
        ['*', '/', ..] if depth == 1 => (2, In::Code),
        ['*', '/', ..] => (2, In::Comment { depth: depth - 1 }),
        ['/', '*', ..] => (2, In::Comment { depth: depth + 1 }),
        _ => (1, In::Comment { depth }),
    }
}

fn in_text(rest: &[char], strings: &mut String, code: &mut String) -> (usize, In) {
    match rest {
        ['\\', escaped, ..] => {
            strings.push(*escaped);
            (2, In::Text)
        }
        ['"', ..] => {
            code.push('"');
            strings.push(' ');
            (1, In::Code)
        }
        [character, ..] => {
            strings.push(*character);
            (1, In::Text)
        }
        [] => (1, In::Text),
    }
}

fn in_raw_text(rest: &[char], hashes: usize, strings: &mut String, code: &mut String) -> (usize, In) {
    if rest[0] == '"' && rest[1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes {
        code.push('"');
        strings.push(' ');
        return (1 + hashes, In::Code);
    }
    strings.push(rest[0]);
    (1, In::RawText { hashes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(text: &str) -> Vec<String> {
        let source = Source { path: String::new(), text: text.to_owned() };
        source.code().into_iter().map(|line| line.code.trim().to_owned()).collect()
    }

    #[test]
    fn comments_strings_and_tests_are_no_code() {
        assert_eq!(code_of("a; // unsafe\n/* b\n c */ d"), ["a;", "", "d"]);
        assert_eq!(code_of(r#"f("unsafe \" // x", '"', 'y') // z"#), [r#"f("", , )"#]);
        assert_eq!(code_of("let s = r#\"unsafe \" \"#; g"), ["let s = \"\"; g"]);
        assert_eq!(
            code_of("fn a<'x>() {}\n#[cfg(test)]\nmod tests {\n fn b() { {} }\n}\nfn c() {}"),
            ["fn a<'x>() {}", "fn c() {}"]
        );
        assert_eq!(code_of("#[cfg(test)]\nuse a::b;\nc"), ["c"]);
    }

    #[test]
    fn strings_are_kept_apart() {
        let source = Source { path: String::new(), text: "f(\"a\", r\"b\\c\"); // \"d\"".to_owned() };
        assert_eq!(source.code()[0].strings.split_whitespace().collect::<Vec<_>>(), ["a", "b\\c"]);
    }
}
