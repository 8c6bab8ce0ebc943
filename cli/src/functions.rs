//! `dtsx functions`: the reference of the functions of expressions, from their table.

use crate::args::{EventFormat, FunctionsArgs};
use crate::json::{Object, array};
use crate::output::{CommandResult, Failure, Look, Out};
use dtsx::ExitCode;
use dtsx::expressions::{FunctionDef, NullRule, functions};
use std::io::{self, Write};

/// Prints one function, or all.
///
/// # Errors
/// A function that there is not; standard output.
pub fn run(args: &FunctionsArgs, out: &mut Out) -> CommandResult {
    let wanted = |f: &&FunctionDef| args.name.as_ref().is_none_or(|name| f.name.eq_ignore_ascii_case(name));
    let found: Vec<&FunctionDef> = functions().iter().filter(wanted).collect();
    if found.is_empty() {
        let name = args.name.as_deref().unwrap_or_default();
        let all: Vec<&str> = functions().iter().map(|f| f.name).collect();
        return Err(Failure::Usage(format!("there is no function {name}; there are {}", all.join(", "))));
    }
    let look = Look::of(&io::stdout());
    for (n, function) in found.into_iter().enumerate() {
        match args.format {
            EventFormat::Json => writeln!(out, "{}", json(function))?,
            EventFormat::Text => {
                let gap = if n == 0 { "" } else { "\n" };
                write!(out, "{gap}{}", text(function, look))?;
            }
        }
    }
    Ok(ExitCode::Success)
}

/// What a reader needs to know of NULL, where the function's own words do not say it.
fn null_rule(function: &FunctionDef) -> &'static str {
    if function.nulls == NullRule::Propagate && function.arity > 0 { "NULL if an argument is NULL." } else { "" }
}

fn text(function: &FunctionDef, look: Look) -> String {
    let mut out = format!("{}\n", look.paint("1", function.syntax));
    for line in folded(&format!("{} {}", function.doc, null_rule(function)), 100) {
        out.push_str(&format!("    {line}\n"));
    }
    let width = function.examples.iter().map(|e| e.text.chars().count()).max().unwrap_or(0).min(60);
    for example in function.examples {
        let result = if example.result.is_empty() { "(empty)" } else { example.result };
        out.push_str(&format!("    {:<width$}  ->  {}\n", example.text, result.replace('\t', "\\t")));
    }
    out
}

/// Words in lines of at most `width` characters.
fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn json(function: &FunctionDef) -> String {
    let examples = function
        .examples
        .iter()
        .map(|example| Object::new().text("expression", example.text).text("result", example.result).end());
    Object::new()
        .text("name", function.name)
        .text("syntax", function.syntax)
        .raw("arity", function.arity)
        .text("doc", function.doc)
        .raw("null_if_an_argument_is", function.nulls == NullRule::Propagate)
        .raw("examples", array(examples))
        .end()
}
