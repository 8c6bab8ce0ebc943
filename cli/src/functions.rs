//! `dtsx functions`: the reference of the functions of expressions, from their table.

use crate::args::{FunctionsArgs, ReportFormat};
use crate::json::{Object, array};
use crate::output::{CommandResult, Failure, Look, Out};
use dtsx::ExitCode;
use dtsx::expressions::{Example, FunctionDef, Names, NullRule, evaluate, functions, similar_functions};
use std::io::{self, Write};

/// Prints one function, or all.
///
/// # Errors
/// A function that there is not; standard output.
pub fn run(args: &FunctionsArgs, out: &mut Out) -> CommandResult {
    let wanted = |f: &&FunctionDef| args.name.as_ref().is_none_or(|name| f.name.eq_ignore_ascii_case(name));
    let found: Vec<&FunctionDef> = functions().iter().filter(wanted).collect();
    if let (Some(name), []) = (&args.name, &found[..]) {
        return Err(Failure::Usage(no_function(name)));
    }
    let look = Look::of(&io::stdout());
    for (n, function) in found.into_iter().enumerate() {
        match args.format {
            ReportFormat::Json => writeln!(out, "{}", json(function))?,
            ReportFormat::Text => {
                let gap = if n == 0 { "" } else { "\n" };
                write!(out, "{gap}{}", text(function, look))?;
            }
        }
    }
    Ok(ExitCode::Success)
}

/// With the names that are like it, or else all.
fn no_function(name: &str) -> String {
    let similar = similar_functions(name);
    if similar.is_empty() {
        let all: Vec<&str> = functions().iter().map(|f| f.name).collect();
        return format!("there is no function \"{name}\"; there are {}", all.join(", "));
    }
    format!("there is no function \"{name}\"; did you mean {}?", similar.join(", "))
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
    let mut typed: Vec<String> = function.arguments().map(|(name, takes)| format!("{name}: {takes}")).collect();
    typed.push(format!("result: {}", function.types.gives));
    for line in typed.iter().flat_map(|line| folded(line, 100)) {
        out.push_str(&format!("    {line}\n"));
    }
    let width = function.examples.iter().map(|e| e.text.chars().count()).max().unwrap_or(0).min(60);
    for example in function.examples {
        let result = if example.result.is_empty() { "(empty)" } else { example.result };
        let of = result_type(example).map_or(String::new(), |name| format!("{name}  "));
        out.push_str(&format!("    {:<width$}  ->  {of}{}\n", example.text, result.replace('\t', "\\t")));
    }
    out
}

/// The type of an example; none of one that is wrong or fails.
fn result_type(example: &Example) -> Option<String> {
    evaluate(example.text, &Names::new()).ok().map(|it| it.data_type.to_string())
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
    let arguments = function
        .arguments()
        .map(|(name, takes)| Object::new().text("name", name).text("type", &takes.to_string()).end());
    let examples = function.examples.iter().map(|example| {
        let object = Object::new().text("expression", example.text).text("result", example.result);
        object.optional("type", result_type(example)).end()
    });
    Object::new()
        .text("name", function.name)
        .text("syntax", function.syntax)
        .raw("arity", function.arity)
        .raw("arguments", array(arguments))
        .text("result_type", &function.types.gives.to_string())
        .text("doc", function.doc)
        .raw("volatile", function.volatile)
        .raw("null_if_an_argument_is", function.nulls == NullRule::Propagate)
        .raw("examples", array(examples))
        .end()
}
