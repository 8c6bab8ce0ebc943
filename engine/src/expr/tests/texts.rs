//! Functions of text over columns whose texts lie about what a view and a chunk hold, in several scripts.

use super::{Names, cx};
use crate::expr::compile;
use crate::types::DataType;
use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use std::sync::Arc;

/// Every length around what a view holds and what is copied at once, with spaces and other scripts in every place.
fn column() -> Vec<Option<String>> {
    let mut texts = vec![None, Some(String::new()), Some(" ".into())];
    for len in [1, 2, 3, 7, 11, 12, 13, 15, 16, 17, 19, 31, 32, 33, 40] {
        let plain: String = ('a'..='z').cycle().take(len).collect();
        texts.push(Some(" ".repeat(len)));
        texts.push(None);
        for at in 0..=len {
            for part in [" ", "é", "😀", "ß"] {
                texts.push(Some(format!("{}{part}{}", &plain[..at], &plain[at..])));
                texts.push(Some(format!("  {}{part}{} ", &plain[..at], &plain[at..])));
            }
        }
        texts.push(Some(plain));
    }
    texts
}

/// What an expression makes of the column `t`, beside what it should.
fn check(expression: &str, texts: &[Option<String>], expected: impl Fn(&str) -> String) {
    let array: ArrayRef = Arc::new(StringViewArray::from_iter(texts.iter().map(Option::as_deref)));
    let names = Names { columns: vec![("t", DataType::WStr { len: 100 }, Some(array.clone()))], ..Names::default() };
    let program = compile(expression, &names).unwrap_or_else(|e| panic!("{e}"));
    // The rows from the middle on, too, whose nulls begin inside a byte.
    for from in [0, (texts.len() / 2 + 3).min(texts.len())] {
        let rows = texts.len() - from;
        let (got, faults) = program.eval(&[array.slice(from, rows)], rows, &cx()).unwrap();
        assert!(faults.is_empty(), "{expression}: {faults:?}");
        for (row, text) in texts[from..].iter().enumerate() {
            let got = got.is_valid(row).then(|| got.as_string_view().value(row).to_owned());
            assert_eq!(got, text.as_deref().map(&expected), "{expression} of {text:?}");
        }
    }
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

#[test]
fn parts_are_those_of_utf16() {
    let texts = column();
    for count in [0, 1, 3, 8, 11, 12, 13, 20] {
        for from in [0, 1, 4, 11, 12, 13, 30] {
            check(&format!("SUBSTRING(t,{},{count})", from + 1), &texts, |text| {
                let wide: Vec<u16> = wide(text).into_iter().skip(from).take(count).collect();
                String::from_utf16_lossy(&wide)
            });
        }
        check(&format!("LEFT(t,{count})"), &texts, |text| {
            let wide = wide(text);
            String::from_utf16_lossy(&wide[..count.min(wide.len())])
        });
        // The same for each row, by a number that is no constant.
        for expression in [format!("RIGHT(t,{count})"), format!("RIGHT(t,LEN(t)*0+{count})")] {
            check(&expression, &texts, |text| {
                let wide = wide(text);
                String::from_utf16_lossy(&wide[wide.len().saturating_sub(count)..])
            });
        }
    }
}

#[test]
fn only_spaces_at_the_ends_are_trimmed() {
    let texts = column();
    check("TRIM(t)", &texts, |text| text.trim_matches(' ').to_owned());
    check("LTRIM(t)", &texts, |text| text.trim_start_matches(' ').to_owned());
    check("RTRIM(t)", &texts, |text| text.trim_end_matches(' ').to_owned());
    // No row has any.
    let trimmed: Vec<_> = texts.iter().map(|text| text.as_ref().map(|text| text.trim().to_owned())).collect();
    check("TRIM(t)", &trimmed, str::to_owned);
}

#[test]
fn each_character_has_its_case() {
    let texts = column();
    // ß has no other case of one character.
    check("UPPER(t)", &texts, |text| text.split('ß').map(str::to_uppercase).collect::<Vec<_>>().join("ß"));
    check("LOWER(UPPER(t))", &texts, str::to_owned);
    let ascii: Vec<_> = texts.into_iter().filter(|text| text.as_ref().is_none_or(|text| text.is_ascii())).collect();
    check("UPPER(t)", &ascii, str::to_uppercase);
    check("LOWER(UPPER(t))", &ascii, str::to_owned);
    let edges = [Some("@AZ[`az{".to_owned()), None, Some("[`{@ in a text of more than twelve".to_owned())];
    check("UPPER(t)", &edges, str::to_uppercase);
    check("LOWER(t)", &edges, str::to_lowercase);
}
