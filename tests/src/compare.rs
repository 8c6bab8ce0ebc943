//! Compares delimited text as rows of values: `7.5` is `7.50`, but an empty field is only an empty field.

/// How the rows of two files have to agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Row by row.
    Kept,
    /// As bags of rows, as behind a Union All.
    Any,
}

/// What differs between `found` and `expected`, in words; `None` if nothing does. Line ends are CRLF or LF.
pub fn difference(found: &str, expected: &str, order: Order) -> Option<String> {
    let (mut found, mut expected) = (rows(found), rows(expected));
    if order == Order::Any {
        found.sort();
        expected.sort();
    }
    for (n, (left, right)) in found.iter().zip(&expected).enumerate() {
        if left != right {
            return Some(format!("row {}: found {}, expected {}", n + 1, left.join("|"), right.join("|")));
        }
    }
    (found.len() != expected.len()).then(|| format!("found {} rows, expected {}", found.len(), expected.len()))
}

fn rows(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| fields(line).iter().map(|field| plain(field)).collect()).collect()
}

/// The fields of a line of comma-separated values; quotes stay, so that `""` is not an empty field.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for character in line.trim_end_matches('\r').chars() {
        if character == '"' {
            quoted = !quoted;
        }
        match fields.last_mut() {
            Some(field) if character != ',' || quoted => field.push(character),
            _ => fields.push(String::new()),
        }
    }
    fields
}

/// A decimal number without what does not change it: `-0.50` is `-0.5`, `.00` is `0`. Text without a decimal point stays
/// as it is, for `007` may be a name.
fn plain(field: &str) -> String {
    let (sign, digits) = field.strip_prefix('-').map_or(("", field), |rest| ("-", rest));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((whole, fraction)) = digits.split_once('.') else { return field.to_owned() };
    if !is_digits(whole) || !is_digits(fraction) || fraction.is_empty() {
        return field.to_owned();
    }
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    match (whole, fraction) {
        ("0", "") => "0".to_owned(),
        (_, "") => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers_and_text_as_text() {
        for (found, expected, same) in [
            ("1.50\r\n", "1.5\n", true),
            (".04", "0.04", true),
            ("-20.50", "-20.5", true),
            ("100.00", "100", true),
            ("a,1", "a, 1", false),
            ("\"\"", "", false),
            ("\"a,b\",2", "\"a,b\",2.0", true),
            ("007", "7", false),
            ("1.2.3", "1.2.30", false),
        ] {
            assert_eq!(difference(found, expected, Order::Kept).is_none(), same, "{found} and {expected}");
        }
    }

    #[test]
    fn order_counts_unless_told_otherwise() {
        assert!(difference("a\nb", "b\na", Order::Kept).is_some());
        assert_eq!(difference("a\nb", "b\na", Order::Any), None);
        assert_eq!(difference("a", "a\nb", Order::Any).as_deref(), Some("found 1 rows, expected 2"));
    }
}
