//! Queries over a workbook: its tables go into an SQLite database in memory, which answers them.
//!
//! Jet's dialect has much that SQLite reads as something else or not at all. What would be read as something else, and
//! functions that the two do not share, are refused by name before the query runs.

use crate::connections::excel::ExcelConnection;
use crate::shared::excel::{Table, TableName, Workbook};
use calamine::{Cell, Data, Range};
use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

/// Functions that mean the same in both.
const FUNCTIONS: &[&str] = &["count", "sum", "avg", "min", "max", "iif", "abs"];
/// Words in front of a parenthesis that are no functions.
const WORDS: &[&str] = &[
    "in", "as", "and", "or", "not", "where", "on", "from", "select", "exists", "having", "by", "join", "union", "all",
    "when", "then", "else", "between", "like", "values", "distinct", "any", "some",
];

/// One part of a query.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    /// A word, or a number.
    Word(String),
    /// A quoted name: in brackets, back quotes.
    Name(String),
    /// A literal text.
    Text,
    Sign(char),
}

fn tokens(sql: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        let close = match c {
            '[' => ']',
            '`' | '\'' | '"' => c,
            c if c.is_alphanumeric() || c == '_' || c == '$' => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '.')) {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
                continue;
            }
            c if c.is_whitespace() => continue,
            c => {
                tokens.push(Token::Sign(c));
                continue;
            }
        };
        let mut inner = String::new();
        loop {
            match chars.next() {
                Some(c) if c == close => match close != ']' && chars.next_if_eq(&close).is_some() {
                    true => inner.push(close),
                    false => break,
                },
                Some(c) => inner.push(c),
                None => return Err(format!("The query has {c} without its end")),
            }
        }
        tokens.push(match c {
            '[' | '`' => Token::Name(inner),
            _ => Token::Text,
        });
    }
    Ok(tokens)
}

/// Whether the query is one that SQLite reads as Jet does.
///
/// # Errors
/// What of it is not supported.
pub(super) fn check(sql: &str) -> Result<(), String> {
    let tokens = tokens(sql)?;
    let refuse = |what: &str| Err(format!("A query over a workbook with {what} is not supported"));
    match tokens.first() {
        Some(Token::Word(word)) if word.eq_ignore_ascii_case("select") => {}
        Some(_) => return refuse("another statement than SELECT"),
        None => return Err("The query is empty".into()),
    }
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign(c @ ('&' | '+' | '\\' | '^' | '#' | '?' | '@' | '%' | '|' | '!')) => {
                return refuse(&format!("the sign \"{c}\""));
            }
            Token::Sign(';') if at + 1 < tokens.len() => return refuse("several statements"),
            Token::Word(word) => {
                let lower = word.to_ascii_lowercase();
                match lower.as_str() {
                    "top" | "transform" | "pivot" | "parameters" | "true" | "false" | "mod" | "into" | "limit"
                    | "distinctrow" | "with" | "xor" | "eqv" | "imp" | "collate" | "glob" | "cast" => {
                        return refuse(&word.to_ascii_uppercase());
                    }
                    _ => {}
                }
                let called = tokens.get(at + 1) == Some(&Token::Sign('('));
                if called && !FUNCTIONS.contains(&lower.as_str()) && !WORDS.contains(&lower.as_str()) {
                    return refuse(&format!("the function {word}"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Runs a query. The result is a table with the names of its columns in its first row.
///
/// # Errors
/// What is wrong with it, or with the workbook.
pub(super) fn run(workbook: &mut Workbook, sql: &str, connection: &ExcelConnection) -> Result<Table, String> {
    let db = Connection::open_in_memory().map_err(|e| e.to_string())?;
    let mut loaded: Vec<String> = Vec::new();
    for token in tokens(sql)? {
        let (Token::Name(name) | Token::Word(name)) = token else { continue };
        if loaded.iter().any(|l| l.eq_ignore_ascii_case(&name)) {
            continue;
        }
        // A word may be anything; only what names a table is one.
        let Some(parsed) = TableName::parse(&name) else { continue };
        if let Some(table) = Table::open(workbook, &parsed).map_err(|e| e.to_string())? {
            load(&db, &name, &table, connection).map_err(|e| format!("{name}: {e}"))?;
            loaded.push(name);
        }
    }
    result(&db, sql.trim().trim_end_matches(';')).map_err(|e| e.to_string())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Texts compare without regard to letter case, as Jet has it.
fn load(db: &Connection, name: &str, table: &Table, connection: &ExcelConnection) -> rusqlite::Result<()> {
    let names = table.names(connection.header);
    let columns: Vec<String> = names.iter().map(|n| format!("{} COLLATE NOCASE", quoted(n))).collect();
    db.execute_batch(&format!("CREATE TABLE {} ({})", quoted(name), columns.join(", ")))?;
    let places = vec!["?"; names.len()].join(", ");
    db.execute_batch("BEGIN")?;
    let mut insert = db.prepare(&format!("INSERT INTO {} VALUES ({places})", quoted(name)))?;
    for row in usize::from(connection.header)..table.height() {
        let values = (0..names.len()).map(|column| stored(table.value(row, column)));
        insert.execute(rusqlite::params_from_iter(values))?;
    }
    drop(insert);
    db.execute_batch("COMMIT")
}

fn stored(value: &Data) -> Value {
    match value {
        Data::Empty | Data::Error(_) => Value::Null,
        Data::Int(n) => Value::Real(*n as f64),
        Data::Float(n) => Value::Real(*n),
        Data::DateTime(at) => Value::Real(at.as_f64()),
        // True is -1 in Jet.
        Data::Bool(on) => Value::Integer(if *on { -1 } else { 0 }),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => Value::Text(text.clone()),
    }
}

fn result(db: &Connection, sql: &str) -> rusqlite::Result<Table> {
    let mut statement = db.prepare(sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let width = names.len();
    let mut cells: Vec<Cell<Data>> = Vec::new();
    for (column, name) in names.into_iter().enumerate() {
        cells.push(Cell::new((0, column as u32), Data::String(name)));
    }
    let mut rows = statement.query([])?;
    let mut height = 1;
    while let Some(row) = rows.next()? {
        for column in 0..width {
            let value = match row.get_ref(column)? {
                ValueRef::Null | ValueRef::Blob(_) => continue,
                ValueRef::Integer(n) => Data::Float(n as f64),
                ValueRef::Real(n) => Data::Float(n),
                ValueRef::Text(text) => Data::String(String::from_utf8_lossy(text).into_owned()),
            };
            cells.push(Cell::new((height, column as u32), value));
        }
        height += 1;
    }
    let end = (height - 1, (width.max(1) - 1) as u32);
    Ok(Table { sheet: String::new(), cells: Range::from_sparse(cells), start: (0, 0), end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jet_reads_otherwise_is_refused_by_name() {
        for (sql, part) in [
            ("SELECT a & b FROM [S$]", "the sign \"&\""),
            ("SELECT a FROM [S$] WHERE d = #1/1/2020#", "the sign \"#\""),
            ("SELECT TOP 5 * FROM [S$]", "TOP"),
            ("SELECT Format(a) FROM [S$]", "the function Format"),
            ("SELECT * FROM [S$] WHERE a = ?", "the sign \"?\""),
            ("SELECT * FROM [S$] WHERE b = TRUE", "TRUE"),
            ("UPDATE [S$] SET a = 1", "another statement"),
            ("SELECT * FROM [S$]; DELETE FROM [S$]", "several statements"),
            ("SELECT * FROM [S$", "without its end"),
            ("", "empty"),
        ] {
            assert!(check(sql).unwrap_err().contains(part), "{sql}: {:?}", check(sql));
        }
        for sql in [
            "SELECT * FROM [Sheet1$]",
            "select [A b], c from `My sheet$A1:D20` where c in (1, 2) and d like 'x%' order by c desc;",
            "SELECT a, COUNT(*) AS n FROM [S$] WHERE note = 'it''s #1 & more' GROUP BY a HAVING (SUM(b) > 3)",
        ] {
            assert_eq!(check(sql), Ok(()), "{sql}");
        }
    }
}
