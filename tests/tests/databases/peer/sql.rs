//! Statements of SQL Server, as far as the tests use them, put into the words of SQLite.

use super::types::Type;

/// A piece of a statement: a word, a quoted thing, or a sign.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    pub text: String,
    /// Blanks were in front of it.
    pub apart: bool,
}

impl Token {
    pub fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    /// What it names, without quotes.
    pub fn name(&self) -> String {
        match self.text.chars().next() {
            Some('[') => self.text[1..self.text.len() - 1].replace("]]", "]"),
            Some('"') => self.text[1..self.text.len() - 1].replace("\"\"", "\""),
            Some('\'') => self.text[1..self.text.len() - 1].replace("''", "'"),
            _ => self.text.clone(),
        }
    }
}

/// The statements of a batch; semicolons part them.
pub fn statements(sql: &str) -> Vec<Vec<Token>> {
    let chars: Vec<char> = sql.chars().collect();
    let (mut all, mut statement, mut at, mut apart) = (Vec::new(), Vec::new(), 0, false);
    while at < chars.len() {
        let from = at;
        match chars[at] {
            c if c.is_whitespace() => {
                at += 1;
                apart = true;
                continue;
            }
            '-' if chars.get(at + 1) == Some(&'-') => {
                while at < chars.len() && chars[at] != '\n' {
                    at += 1;
                }
                continue;
            }
            '/' if chars.get(at + 1) == Some(&'*') => {
                at += 2;
                while at < chars.len() && !(chars[at - 1] == '*' && chars[at] == '/') {
                    at += 1;
                }
                at += 1;
                apart = true;
                continue;
            }
            ';' => {
                at += 1;
                if !statement.is_empty() {
                    all.push(std::mem::take(&mut statement));
                }
                continue;
            }
            'N' | 'n' if chars.get(at + 1) == Some(&'\'') => {
                at += 1;
                continue;
            }
            open @ ('\'' | '"' | '[') => {
                let close = if open == '[' { ']' } else { open };
                at += 1;
                while at < chars.len() {
                    if chars[at] == close {
                        if chars.get(at + 1) != Some(&close) {
                            break;
                        }
                        at += 1;
                    }
                    at += 1;
                }
                at += 1;
            }
            c if c.is_alphanumeric() || matches!(c, '_' | '@' | '#' | '$') => {
                while at < chars.len() && (chars[at].is_alphanumeric() || matches!(chars[at], '_' | '@' | '#' | '$')) {
                    at += 1;
                }
            }
            _ => at += 1,
        }
        let text: String = chars[from..at.min(chars.len())].iter().collect();
        statement.push(Token { text, apart: std::mem::take(&mut apart) });
    }
    if !statement.is_empty() {
        all.push(statement);
    }
    // FreeTDS leaves the semicolons out here.
    let mut parted = Vec::new();
    for mut statement in all {
        while let Some(at) = statement.windows(2).position(|w| w[0].is("set") && w[1].is("fmtonly")) {
            let rest = statement.split_off((at + 3).min(statement.len()));
            let switch = statement.split_off(at);
            parted.extend([statement, switch]);
            statement = rest;
        }
        parted.push(statement);
    }
    parted.retain(|statement| !statement.is_empty());
    parted
}

pub fn text(tokens: &[Token]) -> String {
    let spaced = |token: &Token| format!("{}{}", if token.apart { " " } else { "" }, token.text);
    tokens.iter().map(spaced).collect::<String>().trim().to_owned()
}

fn token(text: impl Into<String>) -> Token {
    Token { text: text.into(), apart: true }
}

/// Where the bracket ends that begins at `open`.
pub fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" => depth += 1,
            ")" if depth == 1 => return at,
            ")" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// The name of a table that begins at `at`, its last part, and where it ends.
pub fn table(tokens: &[Token], mut at: usize) -> (String, usize) {
    let mut name = tokens.get(at).map(Token::name).unwrap_or_default();
    while tokens.get(at + 1).is_some_and(|t| t.text == ".") {
        at += 1;
        while tokens.get(at + 1).is_some_and(|t| t.text == ".") {
            at += 1;
        }
        at += 1;
        name = tokens.get(at).map(Token::name).unwrap_or_default();
    }
    (name, at + 1)
}

/// What a session knows of itself.
pub struct Known {
    pub transactions: u32,
    pub rows: u64,
    pub identity: i64,
}

/// A statement in SQLite's words, and the types of its columns where it says CAST.
pub fn translated(tokens: &[Token], known: &Known) -> (String, Vec<Option<Type>>) {
    let create = tokens.first().is_some_and(|t| t.is("create")) && tokens.get(1).is_some_and(|t| t.is("table"));
    let types = selected(tokens);
    let mut out = Vec::new();
    let (mut at, mut limit) = (0, None);
    while at < tokens.len() {
        let here = &tokens[at];
        let next = tokens.get(at + 1);
        let follows = |word: &str| next.is_some_and(|t| t.is(word));
        // Schemas and databases.
        if follows(".")
            && (here.name().eq_ignore_ascii_case("dbo")
                || tokens.get(at + 2).is_some_and(|t| t.name() == "dbo" || t.text == "."))
        {
            at += if tokens.get(at + 2).is_some_and(|t| t.text == ".") { 3 } else { 2 };
            if let Some(first) = tokens.get(at) {
                out.push(Token { apart: true, ..first.clone() });
                if tokens.get(at + 1).is_some_and(|t| t.text == ".") && first.name().eq_ignore_ascii_case("dbo") {
                    out.pop();
                    continue;
                }
                at += 1;
            }
            continue;
        }
        let lower = here.text.to_ascii_lowercase();
        match lower.as_str() {
            "top" if !create => {
                let (from, to) = if follows("(") { (at + 2, closing(tokens, at + 1)) } else { (at + 1, at + 2) };
                limit = Some(text(&tokens[from..to]));
                at = if follows("(") { to + 1 } else { to };
                continue;
            }
            "with" if follows("(") && at > 0 => {
                at = closing(tokens, at + 1) + 1;
                continue;
            }
            // SQLite would give it the name of the one before.
            "check" if create && !(at > 1 && tokens[at - 2].is("constraint")) => {
                out.push(token("constraint \"CK\" check"));
            }
            "isnull" if follows("(") => out.push(token("ifnull")),
            "len" if follows("(") => out.push(token("length")),
            "@@version" => out.push(token("'Microsoft SQL Server 2022 (a peer of tests)'")),
            "@@trancount" => out.push(token(known.transactions.to_string())),
            "@@rowcount" => out.push(token(known.rows.to_string())),
            "@@identity" => out.push(token(known.identity.to_string())),
            "@@spid" => out.push(token("51")),
            "xact_state" | "scope_identity" | "db_name" | "getdate" if follows("(") => {
                out.push(token(match lower.as_str() {
                    "xact_state" => i32::from(known.transactions > 0).to_string(),
                    "scope_identity" => known.identity.to_string(),
                    "db_name" => "'peer'".to_owned(),
                    _ => "'2024-02-29 12:34:56.790'".to_owned(),
                }));
                at = closing(tokens, at + 1) + 1;
                continue;
            }
            "cast" if follows("(") => {
                let end = closing(tokens, at + 1);
                let by = (at..end).rev().find(|i| tokens[*i].is("as"));
                if let Some((by, kind)) = by.and_then(|by| Some((by, Type::parse(&text(&tokens[by + 1..end]))?))) {
                    let (inner, _) = translated(&tokens[at + 2..by], known);
                    out.push(token(format!("cast({inner} as {})", kind.storage())));
                    at = end + 1;
                    continue;
                }
                out.push(here.clone());
            }
            _ => {
                let name = at.checked_sub(1).map(|before| &tokens[before]);
                let words = if follows("(") { text(&tokens[at..=closing(tokens, at + 1)]) } else { here.text.clone() };
                let kind = Type::parse(&words)
                    .filter(|_| create && at > 3 && name.is_some_and(|n| n.text != "," && n.text != "("));
                match kind {
                    Some(kind) => {
                        at = if follows("(") { closing(tokens, at + 1) + 1 } else { at + 1 };
                        let name = name.map(|n| n.text.clone()).unwrap_or_default();
                        let identity = tokens.get(at).is_some_and(|t| t.is("identity"));
                        if identity {
                            at += 1;
                            if tokens.get(at).is_some_and(|t| t.text == "(") {
                                at = closing(tokens, at) + 1;
                            }
                        }
                        out.push(token(if identity { "integer".to_owned() } else { kind.declared(&words) }));
                        let plain = name.trim_matches(['[', ']', '"']);
                        let limit = match kind {
                            Type::Narrow(_, most) | Type::Wide(_, most) if most < 8001 => {
                                Some(("long", format!("length({name}) <= {most}")))
                            }
                            Type::Decimal(p, s) => {
                                let most = 10_f64.powi(i32::from(p - s));
                                Some(("range", format!("abs(cast({name} as real)) < {most:?}")))
                            }
                            Type::Int(n) if n < 8 && !identity => {
                                let most = 1_i64 << (8 * n - 1);
                                let (from, to) = if n == 1 { (0, 255) } else { (-most, most - 1) };
                                Some(("range", format!("{name} between {from} and {to}")))
                            }
                            _ => None,
                        };
                        if let Some((what, limit)) = limit {
                            out.push(token(format!("constraint \"{what} {plain}\" check ({limit})")));
                        }
                        continue;
                    }
                    None => out.push(here.clone()),
                }
            }
        }
        at += 1;
    }
    let mut sql = text(&out);
    if let Some(limit) = limit {
        sql.push_str(&format!(" limit {limit}"));
    }
    if tokens.first().is_some_and(|t| t.is("truncate")) {
        sql = format!("delete from {}", table(tokens, 2).0);
    }
    (sql, types)
}

/// By item of a SELECT's list: the type of a CAST.
fn selected(tokens: &[Token]) -> Vec<Option<Type>> {
    if !tokens.first().is_some_and(|t| t.is("select")) {
        return Vec::new();
    }
    let (mut items, mut depth, mut from) = (Vec::new(), 0, 1);
    let of = |item: &[Token]| {
        let begins = item.first().is_some_and(|t| t.is("cast")) && item.get(1).is_some_and(|t| t.text == "(");
        let end = if begins { closing(item, 1) } else { return None };
        let by = (0..end).rev().find(|i| item[*i].is("as"))?;
        Type::parse(&text(&item[by + 1..end]))
    };
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" => depth += 1,
            ")" => depth -= 1,
            "," if depth == 0 => {
                items.push(of(&tokens[from..at]));
                from = at + 1;
            }
            _ if depth == 0 && token.is("from") => {
                items.push(of(&tokens[from..at]));
                return items;
            }
            _ => {}
        }
    }
    items.push(of(&tokens[from.min(tokens.len())..]));
    items
}

/// The names of declared parameters: `@a int, @b nvarchar(10) OUTPUT`.
pub fn declared(words: &str) -> Vec<String> {
    let tokens = statements(words).into_iter().next().unwrap_or_default();
    let (mut names, mut depth, mut first) = (Vec::new(), 0, true);
    for token in tokens {
        match token.text.as_str() {
            "(" => depth += 1,
            ")" => depth -= 1,
            "," if depth == 0 => {
                first = true;
                continue;
            }
            _ => {}
        }
        if std::mem::take(&mut first) {
            names.push(token.text);
        }
    }
    names
}
