//! Cutting a statement text into batches.

/// Where a scan of SQL stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    /// Text or a quoted name that ends with this character; doubled, it stands for itself.
    Quoted(char),
    LineComment,
    /// `/* … */`, which nest in T-SQL.
    BlockComment(u32),
}

/// Walks over SQL text, telling for each character whether it is code.
struct Scan {
    inside: Inside,
    previous: char,
}

impl Scan {
    fn new() -> Scan {
        Scan { inside: Inside::Code, previous: '\0' }
    }

    /// Takes a character; says whether it is code: outside of text, quoted names and comments.
    fn code(&mut self, c: char) -> bool {
        let before = self.inside;
        let previous = std::mem::replace(&mut self.previous, c);
        self.inside = match (before, previous, c) {
            (Inside::Code, _, '\'' | '"') => Inside::Quoted(c),
            (Inside::Code, _, '[') => Inside::Quoted(']'),
            (Inside::Code, '-', '-') => Inside::LineComment,
            (Inside::Code, '/', '*') => {
                self.previous = '\0';
                Inside::BlockComment(1)
            }
            // A doubled quote ends the text and begins it again: to this scan that is the same.
            (Inside::Quoted(end), _, c) if c == end => Inside::Code,
            (Inside::LineComment, _, '\n') => Inside::Code,
            (Inside::BlockComment(depth), '*', '/') => {
                self.previous = '\0';
                if depth == 1 { Inside::Code } else { Inside::BlockComment(depth - 1) }
            }
            (Inside::BlockComment(depth), '/', '*') => {
                self.previous = '\0';
                Inside::BlockComment(depth + 1)
            }
            (inside, ..) => inside,
        };
        before == Inside::Code && self.inside == Inside::Code
    }
}

/// The batches of a statement text, without the lines that separate them (`GO`, perhaps with a number of times to run the
/// batch, which repeats it). Empty batches are left out. That the task honours GO is (unconfirmed) for all connection
/// types; none of them knows a statement of that name.
pub(super) fn split(sql: &str) -> Vec<&str> {
    let mut batches = Vec::new();
    let mut scan = Scan::new();
    let mut begin = 0;
    let mut at = 0;
    for line in sql.split_inclusive('\n') {
        let separator = if scan.inside == Inside::Code { separator(line) } else { None };
        if let Some(times) = separator {
            push(&mut batches, &sql[begin..at], times);
            begin = at + line.len();
        } else {
            line.chars().for_each(|c| {
                scan.code(c);
            });
        }
        at += line.len();
    }
    push(&mut batches, &sql[begin..], 1);
    batches
}

fn push<'a>(batches: &mut Vec<&'a str>, batch: &'a str, times: usize) {
    if !batch.trim().is_empty() {
        batches.extend(std::iter::repeat_n(batch, times));
    }
}

/// How often the batch before a line runs, if the line is a separator.
fn separator(line: &str) -> Option<usize> {
    let mut words = line.split("--").next().unwrap_or("").trim().trim_end_matches(';').split_whitespace();
    if !words.next()?.eq_ignore_ascii_case("GO") {
        return None;
    }
    match (words.next(), words.next()) {
        (None, _) => Some(1),
        (Some(times), None) => times.parse().ok(),
        _ => None,
    }
}

/// How many `?` a batch has outside of text, quoted names and comments.
pub(super) fn markers(sql: &str) -> usize {
    let mut scan = Scan::new();
    sql.chars().filter(|c| scan.code(*c) && *c == '?').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_on_a_line_of_its_own_ends_a_batch() {
        for (sql, expected) in [
            ("select 1", vec!["select 1"]),
            ("a\nGO\nb", vec!["a\n", "b"]),
            ("a\r\n go \r\nb\r\nGO\r\n", vec!["a\r\n", "b\r\n"]),
            ("a\nGO 2\nb", vec!["a\n", "a\n", "b"]),
            ("GO\nGO\na", vec!["a"]),
            ("a -- it's\nGO\nb", vec!["a -- it's\n", "b"]),
            ("select '\nGO\n'", vec!["select '\nGO\n'"]),
            ("/* x\nGO\n*/ a\ngo -- done\nb", vec!["/* x\nGO\n*/ a\n", "b"]),
            ("/* /* */\nGO\n*/ a", vec!["/* /* */\nGO\n*/ a"]),
            ("select go\nGOTO x", vec!["select go\nGOTO x"]),
            ("select [a\nGO\n]", vec!["select [a\nGO\n]"]),
            (" \n", vec![]),
        ] {
            assert_eq!(split(sql), expected, "{sql:?}");
        }
    }

    #[test]
    fn markers_are_those_outside_of_texts_and_comments() {
        for (sql, expected) in [
            ("insert into t values (?, ?)", 2),
            ("select '?', \"?\", [?], ? -- ?\n, ? /* ? */", 2),
            ("select 'it''s ?', ?", 1),
            ("select 4 / 2 * ? - -?", 2),
            ("", 0),
        ] {
            assert_eq!(markers(sql), expected, "{sql}");
        }
    }
}
