//! Statements as the protocol takes them: `?` as `@P1`, calls of procedures as EXEC.

use crate::db::call::Call;
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::odbc::placed;
use crate::db::session::{Direction, Param};
use std::borrow::Cow;

/// A statement and the parameters that it has places for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Rewritten {
    pub(super) sql: String,
    /// Which parameters are sent, by their places; each once.
    pub(super) sent: Vec<usize>,
    /// What stands before their numbers in names.
    pub(super) prefix: &'static str,
}

/// The usual beginning of a parameter's name, and another for statements with variables of that name.
const PREFIXES: [&str; 2] = ["@P", "@dtsx_P"];

/// Where the question marks are that stand for parameters: those in literals, names and comments do not. Comments may
/// stand within each other.
pub(super) fn markers(sql: &str) -> Vec<usize> {
    let bytes = sql.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        at = match byte {
            b'\'' | b'"' | b'[' => {
                let close = if *byte == b'[' { b']' } else { *byte };
                // A doubled quote closes and opens again, which comes to the same; a bracket does not.
                let mut end = at + 1;
                loop {
                    match memchr::memchr(close, bytes.get(end..).unwrap_or(&[])) {
                        None => break bytes.len(),
                        Some(found) if close == b']' && bytes.get(end + found + 1) == Some(&b']') => end += found + 2,
                        Some(found) => break end + found + 1,
                    }
                }
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end + 1)
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                let (mut depth, mut end) = (1, at + 2);
                while depth > 0 && end < bytes.len() {
                    let step = match &bytes[end..bytes.len().min(end + 2)] {
                        b"*/" => -1,
                        b"/*" => 1,
                        _ => 0,
                    };
                    depth += step;
                    end += if step == 0 { 1 } else { 2 };
                }
                end
            }
            b'?' => {
                found.push(at);
                at + 1
            }
            _ => at + 1,
        };
    }
    found
}

/// A statement with something else in the places of its question marks.
pub(super) fn replaced(sql: &str, mut by: impl FnMut(usize) -> String) -> String {
    let mut out = String::with_capacity(sql.len() + 16);
    let mut from = 0;
    for (place, at) in markers(sql).into_iter().enumerate() {
        out.push_str(&sql[from..at]);
        out.push_str(&by(place));
        from = at + 1;
    }
    out.push_str(&sql[from..]);
    out
}

/// A call in the server's own words. `by` is what stands for each question mark, and whether something comes out of it.
fn exec(call: &Call<'_>, mut by: impl FnMut(usize) -> (String, bool)) -> String {
    let mut place = 0;
    let mut next = || {
        place += 1;
        by(place - 1)
    };
    let returned = if call.returns { format!("{} = ", next().0) } else { String::new() };
    let arguments: Vec<String> = call
        .arguments
        .iter()
        .map(|argument| {
            let (value, output) = if argument.value == "?" { next() } else { (argument.value.to_owned(), false) };
            let name = argument.name.map(|name| format!("{name} = ")).unwrap_or_default();
            format!("{name}{value}{}", if output || argument.output { " OUTPUT" } else { "" })
        })
        .collect();
    format!("EXEC {returned}{} {}", call.name, arguments.join(", ")).trim_end().to_owned()
}

/// A statement without parameters: a call in the words of ODBC is put into the server's.
pub(super) fn plain(sql: &str) -> Cow<'_, str> {
    match Call::parse(sql).filter(|call| !call.executes && !call.returns) {
        Some(call) => Cow::Owned(exec(&call, |_| ("?".to_owned(), false))),
        None => Cow::Borrowed(sql),
    }
}

/// What the names of the parameters of a statement begin with.
fn prefix_for(sql: &str) -> &'static str {
    PREFIXES[usize::from(sql.to_ascii_lowercase().contains("@p"))]
}

/// A statement whose places are input parameters in their order, and what their names begin with.
pub(super) fn in_order(sql: &str) -> (String, &'static str) {
    let prefix = prefix_for(sql);
    let name = |place: usize| format!("{prefix}{}", place + 1);
    let text = match Call::parse(sql) {
        Some(call) => exec(&call, |place| (name(place), false)),
        None => replaced(sql, name),
    };
    (text, prefix)
}

/// A statement with parameters.
///
/// # Errors
/// There are more question marks than parameters, or fewer.
pub(super) fn with_parameters(sql: &str, params: &[Param]) -> Outcome<Rewritten> {
    let (sql, order) = placed(sql, params);
    let call = Call::parse(&sql);
    let places = markers(&sql).len();
    if places != order.len() {
        let message = format!("the statement has {places} parameters, and {} are given", order.len());
        return Err(DbError { source: super::SOURCE.into(), ..DbError::new(ErrorKind::Statement, message) });
    }
    let prefix = prefix_for(&sql);
    let name = |place: usize| order.get(place).map(|at| format!("{prefix}{}", at + 1)).unwrap_or_default();
    let comes_out =
        |place: usize| order.get(place).and_then(|at| params.get(*at)).is_some_and(|p| p.direction != Direction::Input);
    let sql = match &call {
        Some(call) => exec(call, |place| (name(place), comes_out(place))),
        None => replaced(&sql, name),
    };
    let mut sent = order.clone();
    sent.sort_unstable();
    sent.dedup();
    Ok(Rewritten { sql, sent, prefix })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtsx_engine::types::{DataType, Value};

    fn params(directions: &[Direction]) -> Vec<Param> {
        let param = |d: &Direction| Param { direction: *d, ..Param::input(DataType::I4, Value::I4(1)) };
        directions.iter().map(param).collect()
    }

    #[test]
    fn question_marks_that_stand_for_parameters() {
        for (sql, count) in [
            ("select ?, ?", 2),
            ("select '?', \"?\", [?], ? -- ?\n, ?", 2),
            ("select 'it''s ?', [a]]?], ?", 1),
            ("/* ? /* ? */ ? */ select ? /* open ?", 1),
            ("select '?", 0),
            ("select [?", 0),
            ("select a-?, b/? from t", 2),
            ("select N'?ä' + ?", 1),
            ("-- ?", 0),
        ] {
            assert_eq!(markers(sql).len(), count, "{sql}");
        }
    }

    #[test]
    fn places_of_rows_become_names_in_their_order() {
        for (sql, expected) in [
            ("UPDATE t SET a = ? WHERE b = ?", "UPDATE t SET a = @P1 WHERE b = @P2"),
            ("DECLARE @p1 int = ?; EXEC p @p1", "DECLARE @p1 int = @dtsx_P1; EXEC p @p1"),
            ("{call dbo.q(?, ?)}", "EXEC dbo.q @P1, @P2"),
            ("{? = call q(?)}", "EXEC @P1 = q @P2"),
        ] {
            assert_eq!(in_order(sql).0, expected);
        }
    }

    #[test]
    fn places_become_names() {
        use Direction as D;
        for (sql, directions, expected, sent) in [
            ("select ?, '?', ?", &[D::Input, D::Input][..], "select @P1, '?', @P2", vec![0, 1]),
            ("select ? where x = @p1", &[D::Input], "select @dtsx_P1 where x = @p1", vec![0]),
            ("EXEC p ?, 'x'", &[D::Input], "EXEC p @P1, 'x'", vec![0]),
            (
                "EXEC ? = [dbo].[p] ?, ? OUTPUT;",
                &[D::ReturnValue, D::Input, D::Output],
                "EXEC @P1 = [dbo].[p] @P2, @P3 OUTPUT",
                vec![0, 1, 2],
            ),
            (
                "{? = call p(?, ?)}",
                &[D::ReturnValue, D::InputOutput, D::Input],
                "EXEC @P1 = p @P2 OUTPUT, @P3",
                vec![0, 1, 2],
            ),
            ("{call p(1, ?)}", &[D::Input], "EXEC p 1, @P1", vec![0]),
            ("EXEC p @a = ?, @b = ? OUTPUT", &[D::Input, D::Output], "EXEC p @a = @P1, @b = @P2 OUTPUT", vec![0, 1]),
            ("EXEC p ?; SELECT ?", &[D::Input, D::Input], "EXEC p @P1; SELECT @P2", vec![0, 1]),
        ] {
            let found = with_parameters(sql, &params(directions)).unwrap();
            assert_eq!((found.sql.as_str(), found.sent), (expected, sent), "{sql}");
        }
    }

    #[test]
    fn names_are_sent_once_and_those_that_are_not_there_never() {
        let named = |name: &str| Param { name: Some(name.into()), ..Param::input(DataType::I4, Value::I4(1)) };
        let found = with_parameters("select @b, @B, @c", &[named("@a"), named("@b")]).unwrap();
        assert_eq!((found.sql.as_str(), found.sent), ("select @P2, @P2, @c", vec![1]));
        let found = with_parameters("EXEC @r = p @a = @a", &[named("@r"), named("@a")]).unwrap();
        assert_eq!((found.sql.as_str(), found.sent), ("EXEC @P1 = p @a = @P2", vec![0, 1]));
    }

    #[test]
    fn places_and_parameters_have_to_agree() {
        for (sql, given) in [("select ?", 0), ("select ?", 2), ("select 1", 1)] {
            let told = with_parameters(sql, &params(&vec![Direction::Input; given]));
            assert_eq!(told.map_err(|e| e.kind), Err(ErrorKind::Statement), "{sql} {given}");
        }
        assert_eq!(plain("{call [dbo].[p]}"), "EXEC [dbo].[p]");
        assert_eq!(plain("{call p(1, 'a')}"), "EXEC p 1, 'a'");
        assert_eq!(plain("select {fn now()}"), "select {fn now()}");
    }
}
