//! Statements of packages in the words of other databases than SQL Server.
//!
//! What the designer of SSIS writes itself is translated, token by token, and nothing else:
//!
//! | in the package | here |
//! |---|---|
//! | `[name]` | the name in the quotes of the database |
//! | `[dbo].[T]`, `Sales.T`, `Db.dbo.T` where a table is named (after FROM, JOIN, INTO, UPDATE, TABLE …) | the parts that the database has: the table alone without schemas (SQLite), else schema and table |
//! | `[dbo].[T].[c]` elsewhere | the same for the table, then the column |
//! | `N'text'` | `'text'` |
//! | `EXEC [dbo].[p] ?, ? OUTPUT` | `CALL p(?, ?)`, where that is the word for it (MySQL, PostgreSQL) |
//! | `TRUNCATE TABLE t` | `DELETE FROM t` in SQLite, which has no such statement |
//!
//! String literals, comments and quoted names are left alone. `[` is a subscript, not a quote, where it directly follows a
//! name, a closing bracket or a closing parenthesis, as in `a[1]`, and where it holds no name, as in `array [1, 2]`.

use super::call::Call;
use super::dialect::{Dialect, Family};
use std::borrow::Cow;

/// Translates a statement.
pub(super) fn statement<'a>(dialect: &Dialect, sql: &'a str) -> Cow<'a, str> {
    if matches!(dialect.family, Family::SqlServer | Family::Sybase) {
        return Cow::Borrowed(sql);
    }
    let called = called(dialect, sql);
    let sql_or_call = called.as_deref().unwrap_or(sql);
    let tokens = tokens(sql_or_call);
    let out = Writer { dialect, tokens: &tokens, out: String::with_capacity(sql.len() + 16) }.write();
    if out == sql { Cow::Borrowed(sql) } else { Cow::Owned(out) }
}

/// SQL Server's EXEC as a CALL. Arguments by name are left to the database, which refuses them; so is a return value.
fn called(dialect: &Dialect, sql: &str) -> Option<String> {
    if !matches!(dialect.family, Family::MySql | Family::Postgres) {
        return None;
    }
    let call = Call::parse(sql).filter(|call| call.executes && call.by_place() && !call.returns)?;
    // A procedure is named as a table is.
    let update = format!("UPDATE {}", call.name);
    let name = statement(dialect, &update).strip_prefix("UPDATE ")?.to_owned();
    let arguments: Vec<&str> = call.arguments.iter().map(|a| a.value).collect();
    Some(format!("CALL {name}({})", arguments.join(", ")))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// A word: a keyword or a name without quotes.
    Word,
    /// `[name]`.
    Bracketed,
    /// `"name"` or `` `name` ``.
    Quoted,
    /// `N'text'`.
    National,
    Dot,
    Comma,
    Space,
    /// Anything else: literals, comments, operators.
    Other,
}

#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    kind: Kind,
    text: &'a str,
}

/// The length of a quoted text that begins `text`, its closing quote doubled inside; to the end if it is not closed.
fn quoted(text: &str, close: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == close {
            if chars.peek().is_some_and(|(_, next)| *next == close) {
                chars.next();
            } else {
                return at + c.len_utf8();
            }
        }
    }
    text.len()
}

/// The length of a literal of PostgreSQL between dollars, `$$text$$` or `$tag$text$tag$`, that begins `text`.
fn dollars(text: &str) -> Option<usize> {
    let tag = text.strip_prefix('$')?;
    let length = tag.find(|c: char| !c.is_alphanumeric() && c != '_').filter(|at| tag[*at..].starts_with('$'))? + 2;
    let end = text[length..].find(&text[..length])?;
    Some(end + 2 * length)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '#' | '@' | '$')
}

/// Whether what stands in brackets may be a name: not empty, and no number or list of values.
fn is_name(inside: &str) -> bool {
    let inside = inside.trim();
    let first = inside.chars().next();
    first.is_some_and(|c| !c.is_ascii_digit() && !matches!(c, '\'' | '-' | ':')) && !inside.contains(['\'', '\n'])
}

fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        let subscript = tokens.last().is_some_and(|t| {
            matches!(t.kind, Kind::Quoted | Kind::Word) || (t.kind == Kind::Other && t.text.ends_with([')', ']']))
        });
        let (kind, length) = if rest.starts_with("--") {
            (Kind::Other, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            (Kind::Other, rest.find("*/").map_or(rest.len(), |at| at + 2))
        } else if c == '\'' {
            (Kind::Other, quoted(rest, '\''))
        } else if let Some(length) = dollars(rest) {
            (Kind::Other, length)
        } else if c == '"' || c == '`' {
            (Kind::Quoted, quoted(rest, c))
        } else if c == '[' && !subscript && rest.find(']').is_some_and(|end| is_name(&rest[1..end])) {
            (Kind::Bracketed, quoted(rest, ']'))
        } else if rest.starts_with("N'") {
            (Kind::National, 1 + quoted(&rest[1..], '\''))
        } else if is_word(c) {
            (Kind::Word, rest.find(|c| !is_word(c)).unwrap_or(rest.len()))
        } else if c.is_whitespace() {
            (Kind::Space, rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len()))
        } else {
            let kind = match c {
                '.' => Kind::Dot,
                ',' => Kind::Comma,
                _ => Kind::Other,
            };
            (kind, c.len_utf8())
        };
        tokens.push(Token { kind, text: &rest[..length] });
        rest = &rest[length..];
    }
    tokens
}

/// A word of a statement: a keyword or a name, outside of literals, quoted names and comments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Word<'a> {
    /// Where it begins.
    pub(crate) at: usize,
    pub(crate) text: &'a str,
    /// What follows it, blanks and comments aside; "" at the end.
    pub(crate) next: &'a str,
    /// How many parentheses it stands in.
    pub(crate) depth: usize,
    /// It is a part of a name that has several.
    pub(crate) in_name: bool,
    /// How many semicolons stand before it.
    pub(crate) statement: usize,
}

impl Word<'_> {
    /// Whether it is one of these, in any case.
    pub(crate) fn is(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.text.eq_ignore_ascii_case(word))
    }
}

/// The words of a statement, or of several.
pub(crate) fn words(sql: &str) -> Vec<Word<'_>> {
    let tokens = tokens(sql);
    let empty = |t: &&Token<'_>| t.kind == Kind::Space || t.text.starts_with("--") || t.text.starts_with("/*");
    let (mut words, mut at, mut depth, mut statement, mut before) = (Vec::new(), 0, 0_usize, 0, "");
    for (n, token) in tokens.iter().enumerate() {
        if token.kind == Kind::Word {
            let next = tokens[n + 1..].iter().find(|t| !empty(t)).map_or("", |t| t.text);
            let in_name = before == "." || next == ".";
            words.push(Word { at, text: token.text, next, depth, in_name, statement });
        }
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            ";" => statement += 1,
            _ => {}
        }
        if !empty(&token) {
            before = token.text;
        }
        at += token.text.len();
    }
    words
}

/// After these words stands a table.
const BEFORE_TABLES: [&str; 8] = ["from", "join", "into", "update", "table", "truncate", "using", "apply"];
/// These words end a list of tables.
const AFTER_TABLES: [&str; 9] = ["where", "group", "order", "having", "set", "values", "select", "on", "union"];

struct Writer<'a> {
    dialect: &'a Dialect,
    tokens: &'a [Token<'a>],
    out: String,
}

impl Writer<'_> {
    fn write(mut self) -> String {
        let mut at = 0;
        // Whether a name here is a table's: right after a word that asks for one, or after a comma in its list.
        let (mut expects, mut listing) = (false, false);
        while let Some(token) = self.tokens.get(at) {
            match token.kind {
                Kind::Word | Kind::Bracketed | Kind::Quoted => {
                    let end = self.name_end(at);
                    let parts: Vec<Token<'_>> =
                        self.tokens[at..end].iter().copied().filter(|t| t.kind != Kind::Space).collect();
                    let keyword =
                        (parts.len() == 1 && token.kind == Kind::Word).then(|| token.text.to_ascii_lowercase());
                    match keyword.as_deref() {
                        Some("truncate")
                            if self.dialect.family == Family::Sqlite && self.table_follows(end).is_some() =>
                        {
                            self.out.push_str("DELETE FROM");
                            (expects, listing) = (true, false);
                            at = self.table_follows(end).unwrap_or(end);
                            continue;
                        }
                        Some(word) if BEFORE_TABLES.contains(&word) => {
                            self.out.push_str(token.text);
                            (expects, listing) = (true, word == "from");
                        }
                        Some(word) if AFTER_TABLES.contains(&word) => {
                            self.out.push_str(token.text);
                            (expects, listing) = (false, false);
                        }
                        _ => {
                            let called = self.next_is_parenthesis(end);
                            self.name(&parts, expects && !called);
                            expects = false;
                        }
                    }
                    at = end;
                    continue;
                }
                Kind::National if self.dialect.family != Family::Oracle => self.out.push_str(&token.text[1..]),
                Kind::Comma => {
                    self.out.push(',');
                    expects = listing;
                }
                Kind::Other if token.text == "(" => {
                    self.out.push('(');
                    expects = false;
                }
                _ => self.out.push_str(token.text),
            }
            at += 1;
        }
        self.out
    }

    /// The end of the name with dots that begins at token `at`.
    fn name_end(&self, at: usize) -> usize {
        let mut end = at + 1;
        loop {
            let mut next = self.skip_space(end);
            if self.kind(next) != Some(Kind::Dot) {
                return end;
            }
            // An omitted part: `db..t`.
            while self.kind(next) == Some(Kind::Dot) {
                next = self.skip_space(next + 1);
            }
            match self.kind(next) {
                Some(Kind::Word | Kind::Bracketed | Kind::Quoted) => end = next + 1,
                _ => return end,
            }
        }
    }

    /// Where the word TABLE ends, if that is what follows.
    fn table_follows(&self, at: usize) -> Option<usize> {
        let next = self.skip_space(at);
        let token = self.tokens.get(next).filter(|t| t.kind == Kind::Word)?;
        token.text.eq_ignore_ascii_case("table").then_some(next + 1)
    }

    fn skip_space(&self, mut at: usize) -> usize {
        while self.kind(at) == Some(Kind::Space) {
            at += 1;
        }
        at
    }

    fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|t| t.kind)
    }

    /// Whether `(` follows at once: a function, or the columns of an INSERT, which only a table precedes.
    fn next_is_parenthesis(&self, at: usize) -> bool {
        let inserting = self.tokens[..at].iter().any(|t| t.kind == Kind::Word && t.text.eq_ignore_ascii_case("into"));
        !inserting && self.tokens.get(at).is_some_and(|t| t.text == "(")
    }

    /// Writes a name; of a table (`is_table`) only the parts that the database has.
    fn name(&mut self, parts: &[Token<'_>], is_table: bool) {
        let names = parts.iter().filter(|t| t.kind != Kind::Dot).count();
        // Elsewhere than where tables are named, `s.t.c` is a column of a table with its schema.
        let kept_names = match (is_table, self.dialect.schemas) {
            (true, true) => 2,
            (true, false) => 1,
            (false, true) => 3,
            (false, false) => 2,
        };
        let bare = self.dialect.family == Family::MySql && is_table && names >= 2 && self.is_dbo(parts);
        let mut drop = names.saturating_sub(if bare { 1 } else { kept_names });
        let mut written = false;
        let mut after_dot = false;
        for part in parts {
            if part.kind == Kind::Dot {
                if written && !after_dot {
                    self.out.push('.');
                }
                after_dot = true;
                continue;
            }
            after_dot = false;
            if drop > 0 {
                drop -= 1;
                continue;
            }
            written = true;
            match part.kind {
                Kind::Bracketed => {
                    let inside = part.text.trim_start_matches('[');
                    let inside = inside.strip_suffix(']').unwrap_or(inside).replace("]]", "]");
                    self.out.push_str(&self.dialect.quote(&inside));
                }
                Kind::Quoted if self.dialect.family == Family::MySql && part.text.starts_with('"') => {
                    let inside = part.text.trim_matches('"').replace("\"\"", "\"");
                    self.out.push_str(&self.dialect.quote(&inside));
                }
                _ => self.out.push_str(part.text),
            }
        }
    }

    fn is_dbo(&self, parts: &[Token<'_>]) -> bool {
        let names: Vec<&str> = parts.iter().filter(|t| t.kind != Kind::Dot).map(|t| t.text).collect();
        let schema = names.len().checked_sub(2).and_then(|at| names.get(at)).unwrap_or(&"");
        schema.trim_matches(['[', ']', '"', '`']).eq_ignore_ascii_case("dbo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(family: Family, cases: &[(&str, &str)]) {
        for (sql, expected) in cases {
            assert_eq!(statement(&Dialect::of(family), sql), *expected, "{sql}");
        }
    }

    #[test]
    fn words_stand_outside_of_literals_names_and_comments() {
        let sql = "select [a b], 'c; d', \"e\" -- f\n/* g */ , h . i (j), $x$ k; $x$; l";
        let found: Vec<_> = words(sql).iter().map(|w| (w.text, w.next, w.depth, w.in_name, w.statement)).collect();
        let expected = [
            ("select", "[a b]", 0, false, 0),
            ("h", ".", 0, true, 0),
            ("i", "(", 0, true, 0),
            ("j", ")", 1, false, 0),
            ("l", "", 0, false, 1),
        ];
        assert_eq!(found, expected);
        assert!(words(sql).iter().all(|w| sql[w.at..].starts_with(w.text)));
        // No literals.
        for (sql, count) in [("$1 + $2", 2), ("a$$b", 1), ("$tag$", 1)] {
            assert_eq!(words(sql).len(), count, "{sql}");
        }
    }

    #[test]
    fn sqlite_has_no_schemas() {
        check(
            Family::Sqlite,
            &[
                ("select * from [dbo].[T]", "select * from \"T\""),
                ("UPDATE [dbo].[T] SET [c] = ? WHERE [k] = ?", "UPDATE \"T\" SET \"c\" = ? WHERE \"k\" = ?"),
                ("DELETE FROM Stage.DBO.Sales", "DELETE FROM Sales"),
                ("INSERT INTO dbo.T(a, b) VALUES (?, ?)", "INSERT INTO T(a, b) VALUES (?, ?)"),
                (
                    "select a.b, x.[c d] from s.t a, [s].[x] where a.b = 'x [y] z'",
                    "select a.b, x.\"c d\" from t a, \"x\" where a.b = 'x [y] z'",
                ),
                ("select [dbo].[T].[c] from [dbo].[T]", "select \"T\".\"c\" from \"T\""),
                ("select N'ä' -- from a.b\n from a . b", "select 'ä' -- from a.b\n from b"),
                (
                    "select * from (select * from [dbo].[C]) [r]\nwhere [r].[n] = ?",
                    "select * from (select * from \"C\") \"r\"\nwhere \"r\".\"n\" = ?",
                ),
                ("select * from a.t join b.u on t.x=u.x", "select * from t join u on t.x=u.x"),
                ("select * from db..t", "select * from t"),
                ("TRUNCATE TABLE [dbo].[Stage]; truncate\ttable x", "DELETE FROM \"Stage\"; DELETE FROM x"),
                ("select truncate from t", "select truncate from t"),
                ("select 1", "select 1"),
                ("[unclosed", "[unclosed"),
            ],
        );
    }

    #[test]
    fn postgres_has_schemas_and_subscripts() {
        check(
            Family::Postgres,
            &[
                ("select * from [dbo].[T]", "select * from \"dbo\".\"T\""),
                (
                    "select a[1], (b)[2], array[1,2], array ['x'], '{}'::int[] from t",
                    "select a[1], (b)[2], array[1,2], array ['x'], '{}'::int[] from t",
                ),
                ("select [a]]b] from [d].[s].[t]", "select \"a]b\" from \"s\".\"t\""),
                ("select d.s.t.c from d.s.t", "select s.t.c from s.t"),
                ("select \"A\".x from \"A\"", "select \"A\".x from \"A\""),
                ("do $x$ select [a] from d.s.t $x$", "do $x$ select [a] from d.s.t $x$"),
            ],
        );
    }

    #[test]
    fn mysql_takes_dbo_away() {
        check(
            Family::MySql,
            &[
                ("select [a] from [dbo].[T], [sales].[U]", "select `a` from `T`, `sales`.`U`"),
                ("select \"a\" from \"T\"", "select `a` from `T`"),
                ("EXEC [dbo].[p] ?, ? OUTPUT", "CALL `p`(?, ?)"),
                ("execute Stage.sales.p N'x', 1;", "CALL sales.p('x', 1)"),
                ("EXEC ? = p ?", "EXEC ? = p ?"),
                ("exec p @a = ?", "exec p @a = ?"),
            ],
        );
    }

    #[test]
    fn sql_server_is_left_alone() {
        check(
            Family::SqlServer,
            &[("select [a] from [dbo].[T] where N'x' = ?", "select [a] from [dbo].[T] where N'x' = ?")],
        );
    }
}
