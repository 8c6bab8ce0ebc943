//! Calls of procedures, as packages write them: `EXEC ? = [dbo].[p] ?, 'x', ? OUTPUT`, `{? = CALL p(?, ?)}`, `CALL p(?)`.

/// A statement that is the call of one procedure, and nothing else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Call<'s> {
    /// Whether it is written with EXEC.
    pub(crate) executes: bool,
    /// Whether a parameter takes the return value: it is the first.
    pub(crate) returns: bool,
    /// The procedure's name as it is written.
    pub(crate) name: &'s str,
    pub(crate) arguments: Vec<Argument<'s>>,
}

/// An argument of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Argument<'s> {
    /// `@name`, if it goes by name.
    pub(crate) name: Option<&'s str>,
    /// `?` or a constant.
    pub(crate) value: &'s str,
    /// Whether OUTPUT follows.
    pub(crate) output: bool,
}

/// The word that begins a text, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn is_word(found: &str, expected: &str) -> bool {
    found.eq_ignore_ascii_case(expected)
}

/// Where something in quotes or brackets that begins `text` ends.
fn quoted(text: &str) -> Option<usize> {
    let close = match text.chars().next()? {
        '[' => ']',
        c @ ('\'' | '"' | '`') => c,
        _ => return None,
    };
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == close && chars.next_if(|(_, next)| *next == close).is_none() {
            return Some(at + 1);
        }
    }
    None
}

/// How long the text is up to one of `stops` or a blank, what is in quotes aside. None: a quote is not closed.
fn extent(text: &str, stops: &[char]) -> Option<usize> {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if stops.contains(&c) || c.is_whitespace() {
            break;
        }
        at += match c {
            '[' | '\'' | '"' | '`' => quoted(&text[at..])?,
            _ => c.len_utf8(),
        };
    }
    Some(at)
}

impl<'s> Call<'s> {
    /// Reads a statement; None if it is anything but one call with simple arguments.
    pub(crate) fn parse(sql: &'s str) -> Option<Call<'s>> {
        let sql = sql.trim().trim_end_matches(';').trim_end();
        let (braces, inner) = match sql.strip_prefix('{') {
            Some(rest) => (true, rest.strip_suffix('}')?.trim()),
            None => (false, sql),
        };
        let returned = |text: &'s str| text.strip_prefix('?').and_then(|t| t.trim_start().strip_prefix('='));
        let (first, rest) = word(inner);
        let (executes, returns, rest) = if !braces && (is_word(first, "EXEC") || is_word(first, "EXECUTE")) {
            match returned(rest) {
                Some(rest) => (true, true, rest.trim_start()),
                None => (true, false, rest),
            }
        } else {
            let (returns, rest) = match returned(inner) {
                Some(rest) => (true, rest.trim_start()),
                None => (false, inner),
            };
            let (call, rest) = word(rest);
            if !is_word(call, "CALL") {
                return None;
            }
            (false, returns, rest)
        };
        let end = extent(rest, &['(', ',', '=', '?', ';'])?;
        let (name, rest) = (&rest[..end], rest[end..].trim());
        if name.is_empty() || name.starts_with(['@', '\'']) {
            return None;
        }
        let list = match (executes, rest.strip_prefix('(')) {
            (true, None) => rest,
            (false, None) if rest.is_empty() => rest,
            (false, Some(list)) => list.strip_suffix(')')?,
            _ => return None,
        };
        Some(Call { executes, returns, name, arguments: arguments(list)? })
    }

    /// Whether its arguments go by their places and are constants or parameters.
    pub(crate) fn by_place(&self) -> bool {
        self.arguments.iter().all(|a| a.name.is_none() && !a.value.starts_with('@'))
    }

    /// In ODBC's words.
    pub(crate) fn escape(&self) -> String {
        let arguments: Vec<&str> = self.arguments.iter().map(|a| a.value).collect();
        format!("{{{}CALL {}({})}}", if self.returns { "? = " } else { "" }, self.name, arguments.join(", "))
    }

    /// How many question marks it has, that of the return value among them.
    #[cfg(test)]
    fn markers(&self) -> usize {
        usize::from(self.returns) + self.arguments.iter().filter(|a| a.value == "?").count()
    }
}

fn arguments(list: &str) -> Option<Vec<Argument<'_>>> {
    let (mut rest, mut out) = (list.trim(), Vec::new());
    while !rest.is_empty() {
        let mut name = None;
        if rest.starts_with('@') {
            let (_, after) = word(&rest[1..]);
            if let Some(value) = after.strip_prefix('=') {
                name = Some(rest[..rest.len() - after.len()].trim_end());
                rest = value.trim_start();
            }
        }
        let end = extent(rest, &[',', '(', ')', '=', ';'])?;
        let value = &rest[..end];
        rest = rest[end..].trim_start();
        let (option, after) = word(rest);
        let output = is_word(option, "OUTPUT") || is_word(option, "OUT");
        if output {
            rest = after;
        }
        match rest.strip_prefix(',') {
            Some(after) if !after.trim().is_empty() => rest = after.trim_start(),
            None if rest.is_empty() => {}
            // Something follows that is no argument: another statement, an expression.
            _ => return None,
        }
        if value.is_empty() {
            return None;
        }
        out.push(Argument { name, value, output });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_in_every_spelling() {
        for (sql, escape, markers) in [
            ("EXEC p", "{CALL p()}", 0),
            ("exec ? = [dbo].[p x] ?, 'a, b', ? OUTPUT;", "{? = CALL [dbo].[p x](?, 'a, b', ?)}", 3),
            ("EXECUTE dbo.p ?,? out", "{CALL dbo.p(?, ?)}", 2),
            ("{? = call p(?, ?)}", "{? = CALL p(?, ?)}", 3),
            ("{ CALL p }", "{CALL p()}", 0),
            ("? = CALL p(-1, NULL)", "{? = CALL p(-1, NULL)}", 1),
            ("EXEC p N'it''s', ?", "{CALL p(N'it''s', ?)}", 1),
        ] {
            let call = Call::parse(sql).unwrap_or_else(|| panic!("{sql}"));
            assert_eq!((call.escape().as_str(), call.markers(), call.by_place()), (escape, markers, true), "{sql}");
        }
        let named = Call::parse("EXEC p @a = ?, @b=? OUTPUT").unwrap();
        assert_eq!(named.arguments[1], Argument { name: Some("@b"), value: "?", output: true });
        assert!(!named.by_place() && !Call::parse("EXEC p @x").unwrap().by_place());
    }

    #[test]
    fn what_is_more_than_a_call_is_none() {
        for sql in [
            "EXEC p ? SELECT 1",
            "EXEC p ?; SELECT 1",
            "EXEC ('select 1')",
            "select 1",
            "EXEC p ? + 1",
            "EXEC p 'open",
            "EXEC @name ?",
            "{call p(?, ?}",
            "EXEC p ?,",
            "",
        ] {
            assert_eq!(Call::parse(sql), None, "{sql}");
        }
    }
}
