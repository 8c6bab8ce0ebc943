//! Holds `Cargo.lock` to its rules: licences, one Arrow, nothing that the house does without.

#![expect(clippy::expect_used, reason = "everything here is a test")]

use dtsx_tests::root;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Licences under which this project takes code in. None of them asks anything of the project's own code.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates under another licence, each with the page that says why.
const EXCEPTIONS: &[(&str, &str)] = &[
    // LGPL, linked statically: docs/decisions/0016-unixodbc-comes-along.md.
    ("unix-odbc", "LGPL-2.1-or-later"),
];

/// Crates that the house decided to do without (`docs/decisions`).
/// Tokio and OpenSSL come with the protocol of SQL Server: 0021-sql-server-by-its-own-protocol.md.
const UNWANTED: &[&str] = &["async-std", "datafusion", "rust_decimal"];

const ARROW_MAJOR: &str = "60";

fn packages() -> Vec<Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

fn text<'a>(package: &'a Value, key: &str) -> &'a str {
    package[key].as_str().unwrap_or_default()
}

/// Whether an SPDX expression can be met with the allowed licences. `OR` binds weaker than `AND`; parentheses group.
fn allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let words = tokens(&expression);
    let (value, rest) = alternatives(&words);
    value && rest.is_empty()
}

fn tokens(expression: &str) -> Vec<String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    let mut words: Vec<String> = Vec::new();
    let mut exception = false;
    for word in spaced.split_whitespace() {
        match words.last_mut() {
            Some(last) if word == "WITH" || exception => {
                *last = format!("{last} {word}");
                exception = word == "WITH";
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

fn alternatives(words: &[String]) -> (bool, &[String]) {
    let (mut value, mut rest) = conjunction(words);
    while rest.first().is_some_and(|word| word == "OR") {
        let (next, after) = conjunction(&rest[1..]);
        (value, rest) = (value | next, after);
    }
    (value, rest)
}

fn conjunction(words: &[String]) -> (bool, &[String]) {
    let (mut value, mut rest) = licence(words);
    while rest.first().is_some_and(|word| word == "AND") {
        let (next, after) = licence(&rest[1..]);
        (value, rest) = (value & next, after);
    }
    (value, rest)
}

fn licence(words: &[String]) -> (bool, &[String]) {
    match words.split_first() {
        Some((word, rest)) if word == "(" => {
            let (value, rest) = alternatives(rest);
            (value, rest.get(1..).unwrap_or_default())
        }
        Some((word, rest)) => (LICENCES.contains(&word.as_str()), rest),
        None => (false, words),
    }
}

#[test]
fn expressions_of_licences_are_understood() {
    for (expression, ok) in [
        ("MIT", true),
        ("MIT OR GPL-3.0", true),
        ("GPL-3.0", false),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("Apache-2.0 WITH LLVM-exception OR GPL-2.0", true),
        ("MIT/Apache-2.0", true),
        ("", false),
    ] {
        assert_eq!(allowed(expression), ok, "{expression}");
    }
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let refused: Vec<String> = packages()
        .iter()
        .filter(|package| !allowed(text(package, "license")))
        .filter(|package| !EXCEPTIONS.contains(&(text(package, "name"), text(package, "license"))))
        .map(|package| {
            format!("{} {}: {:?}", text(package, "name"), text(package, "version"), text(package, "license"))
        })
        .collect();
    assert!(refused.is_empty(), "\n{}\n", refused.join("\n"));
}

#[test]
fn there_is_one_arrow() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        let name = text(&package, "name");
        if name == "arrow" || name.starts_with("arrow-") && name != "arrow-odbc" {
            versions.entry(name.to_owned()).or_default().insert(text(&package, "version").to_owned());
        }
    }
    assert!(versions.contains_key("arrow"));
    for (name, versions) in versions {
        let majors: Vec<&str> = versions.iter().filter_map(|version| version.split('.').next()).collect();
        assert_eq!(majors, [ARROW_MAJOR], "{name}");
    }
}

#[test]
fn unwanted_crates_are_not_in_the_lock() {
    let names: BTreeSet<String> = packages().iter().map(|package| text(package, "name").to_owned()).collect();
    let found: Vec<&&str> = UNWANTED.iter().filter(|name| names.contains(**name)).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn everything_comes_from_the_registry_or_from_here() {
    for package in packages() {
        let source = text(&package, "source");
        assert!(source.is_empty() || source.starts_with("registry+"), "{}: {source}", text(&package, "name"));
    }
}
