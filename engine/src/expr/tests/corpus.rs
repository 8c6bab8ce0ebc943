//! Expressions of published packages, where a checkout has them beside it: all of them must parse.

use crate::diag::codes;
use crate::expr::{Ast, ExprError, parse, parse_assignment};
use std::path::{Path, PathBuf};

/// `../shared/corpus` beside the checkout, or `$DTSX_SHARED/corpus`.
fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|p| p.join("shared"));
    let found = std::env::var_os("DTSX_SHARED").map(PathBuf::from).into_iter().chain(beside);
    found.map(|p| p.join("corpus")).find(|p| p.is_dir())
}

fn packages(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            packages(&entry, found);
        } else if entry.extension().is_some_and(|e| e.eq_ignore_ascii_case("dtsx")) {
            found.push(entry);
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Of a data flow, a property, a variable, a constraint.
    Value,
    /// May be an assignment.
    Assignment,
}

/// What stands between `open` (up to the next `>`, for elements) and `close`.
const PLACES: &[(&str, bool, &str, Kind)] = &[
    ("name=\"Expression\"", true, "</property>", Kind::Value),
    ("name=\"FriendlyExpression\"", true, "</property>", Kind::Value),
    ("<DTS:PropertyExpression ", true, "</DTS:PropertyExpression>", Kind::Value),
    ("DTS:Name=\"Expression\"", true, "</DTS:Property>", Kind::Value),
    ("DTS:Name=\"EvalExpression\"", true, "</DTS:Property>", Kind::Value),
    ("DTS:Name=\"AssignExpression\"", true, "</DTS:Property>", Kind::Assignment),
    ("DTS:Name=\"InitExpression\"", true, "</DTS:Property>", Kind::Assignment),
    (" DTS:Expression=\"", false, "\"", Kind::Value),
    (" DTS:EvalExpression=\"", false, "\"", Kind::Value),
    (" DTS:AssignExpression=\"", false, "\"", Kind::Assignment),
    (" DTS:InitExpression=\"", false, "\"", Kind::Assignment),
    (" Expression=\"", false, "\"", Kind::Assignment),
];

fn expressions(package: &str) -> Vec<(String, Kind)> {
    let mut found = Vec::new();
    for (open, element, close, kind) in PLACES {
        let mut rest = package;
        while let Some(at) = rest.find(open) {
            rest = &rest[at + open.len()..];
            if *element {
                let Some(end) = rest.find('>') else { break };
                let empty = rest[..end].ends_with('/');
                rest = &rest[end + 1..];
                if empty {
                    continue;
                }
            }
            let Some(end) = rest.find(close) else { break };
            // An element with elements inside is something else of the same name.
            if !rest[..end].contains('<') {
                found.push((plain(&rest[..end]), *kind));
            }
            rest = &rest[end..];
        }
    }
    found
}

/// Text without the escapes of XML.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let end = rest[at..].find(';').map_or(rest.len() - 1, |n| at + n);
        let entity = &rest[at + 1..end];
        let number = entity.strip_prefix("#x").map(|h| u32::from_str_radix(h, 16));
        let number = number.or_else(|| entity.strip_prefix('#').map(str::parse));
        out.push(match (entity, number) {
            ("lt", _) => '<',
            ("gt", _) => '>',
            ("amp", _) => '&',
            ("quot", _) => '"',
            ("apos", _) => '\'',
            (_, Some(Ok(n))) => char::from_u32(n).unwrap(),
            other => panic!("{other:?} in {text}"),
        });
        rest = &rest[end + 1..];
    }
    out + rest
}

fn read(text: &str, kind: Kind) -> Result<Ast, ExprError> {
    match kind {
        Kind::Value => parse(text),
        Kind::Assignment => parse_assignment(text),
    }
}

#[test]
fn expressions_of_packages_parse_and_print() {
    let Some(corpus) = corpus() else {
        eprintln!("skipped: there is no corpus beside this checkout");
        return;
    };
    let mut files = Vec::new();
    packages(&corpus, &mut files);
    let (mut count, mut wrong) = (0, Vec::new());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        for (text, kind) in expressions(&String::from_utf8_lossy(&bytes)) {
            count += 1;
            match read(&text, kind) {
                Ok(ast) => {
                    let printed = ast.to_string();
                    assert_eq!(read(&printed, kind).as_ref(), Ok(&ast), "{text}\n{printed}");
                }
                Err(e) if text.trim().is_empty() => assert_eq!(e.code, codes::DTS_E_EXPREVALEXPRESSIONEMPTY),
                // Words for operators, in one package that was never run.
                Err(e) if text.contains(" AND ") => assert_eq!(e.code, codes::DTS_E_EXPREVALFAILEDTOPARSEEXPRESSION),
                Err(e) => wrong.push(format!("{}: {e}", file.display())),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}\n{}", wrong.len(), wrong.join("\n"));
    eprintln!("{count} expressions");
}
