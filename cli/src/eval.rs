//! `dtsx eval`: type and value of an expression.

use crate::args::{EvalArgs, ReportFormat};
use crate::json::{Object, array, quoted};
use crate::output::{CommandResult, Failure, Look, Out, expression_error, note};
use dtsx::ExitCode;
use dtsx::expressions::{DataType, Evaluated, ExprError, Names, Value, evaluate};
use std::io::{self, Write};

/// Evaluates the expression. The exit code is 0; 1 if the expression is wrong or cannot be computed.
///
/// # Errors
/// Variables and columns that are no values of their types; standard output.
pub fn run(args: &EvalArgs, out: &mut Out) -> CommandResult {
    let names = names(args).map_err(|e| Failure::Usage(e.to_string()))?;
    match (evaluate(&args.expression, &names), args.format) {
        (Ok(it), ReportFormat::Text) => {
            it.warnings.iter().for_each(|warning| note(format_args!("warning: {warning}")));
            writeln!(out, "type   {}\nvalue  {}", it.data_type, shown(&it))?;
            Ok(ExitCode::Success)
        }
        (Ok(it), ReportFormat::Json) => {
            writeln!(out, "{}", json(&it))?;
            Ok(ExitCode::Success)
        }
        (Err(error), ReportFormat::Text) => {
            note(expression_error(&error, Look::of(&io::stderr())).trim_end());
            Ok(ExitCode::Failed)
        }
        (Err(error), ReportFormat::Json) => {
            writeln!(out, "{}", error_json(&error))?;
            Ok(ExitCode::Failed)
        }
    }
}

fn names(args: &EvalArgs) -> dtsx::Result<Names> {
    let mut names = Names::new();
    names.set_locale(args.locale);
    for it in &args.var {
        names.add_variable(&it.name, &it.data_type, it.value.as_deref().unwrap_or_default())?;
    }
    for it in &args.column {
        names.add_column(&it.name, &it.data_type, it.value.as_deref())?;
    }
    Ok(names)
}

/// Texts as the language writes them, so that blanks and ends of lines are seen.
fn shown(it: &Evaluated) -> String {
    match &it.value {
        Value::Null => "NULL".to_owned(),
        Value::Text(text) => format!("\"{}\"", text.escape_debug().to_string().replace("\\'", "'")),
        _ => it.text.clone(),
    }
}

fn json(it: &Evaluated) -> String {
    let mut object = Object::new().text("type", it.data_type.name());
    for (key, number) in parameters(&it.data_type) {
        object = object.raw(key, number);
    }
    object = match &it.value {
        Value::Null => object.raw("value", "null"),
        Value::Bool(value) => object.raw("value", value),
        _ => object.text("value", &it.text),
    };
    object.raw("warnings", array(it.warnings.iter().map(|warning| quoted(warning)))).end()
}

/// What a type says besides its name.
fn parameters(data_type: &DataType) -> Vec<(&'static str, u32)> {
    match data_type {
        DataType::Str { len, code_page } => vec![("length", *len), ("code_page", *code_page)],
        DataType::WStr { len } | DataType::Bytes { len } => vec![("length", *len)],
        DataType::Text { code_page } => vec![("code_page", *code_page)],
        DataType::Numeric { precision, scale } => vec![("precision", (*precision).into()), ("scale", (*scale).into())],
        DataType::Decimal { scale }
        | DataType::DbTime2 { scale }
        | DataType::DbTimeStamp2 { scale }
        | DataType::DbTimeStampOffset { scale } => vec![("scale", (*scale).into())],
        _ => Vec::new(),
    }
}

fn error_json(error: &ExprError) -> String {
    let (line, column) = error.position();
    let object = Object::new()
        .text("code", &error.code.to_string())
        .text_if("symbol", error.code.name())
        .text("message", &error.message)
        .raw("line", line)
        .raw("column", column)
        .text("text", error.text.get(error.span.clone()).unwrap_or_default())
        .raw("expected", array(error.expected.iter().map(|what| quoted(what))));
    Object::new().raw("error", object.end()).end()
}
