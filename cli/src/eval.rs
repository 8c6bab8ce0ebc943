//! `dtsx eval`: type and value of an expression.

use crate::args::{EvalArgs, ReportFormat};
use crate::json::{Object, array, quoted};
use crate::output::{CommandResult, Failure, Look, Out, expression_error, note, shown as finding_shown};
use dtsx::expressions::{
    Assigned, DataType, Evaluated, ExprError, Names, Value, assign, evaluate, is_assignment, quoted as literal,
};
use dtsx::{ExitCode, Finding};
use std::io::{self, Write};

/// What came out.
struct Came {
    /// Of an assignment the variable, its type, and that of the expression.
    variable: Option<(String, &'static str, DataType)>,
    it: Evaluated,
}

/// Evaluates the expression or assignment. The exit code is 0; 1 if the expression is wrong or cannot be computed.
///
/// # Errors
/// Variables and columns that are no values of their types; standard output.
pub fn run(args: &EvalArgs, out: &mut Out) -> CommandResult {
    let names = names(args).map_err(|e| Failure::Usage(e.to_string()))?;
    match (came_to(&args.expression, &names), args.format) {
        (Ok(Came { variable, it }), ReportFormat::Text) => {
            let look = Look::of(&io::stderr());
            it.warnings.iter().for_each(|warning| note(finding_shown(warning, "expression", "", look).trim_end()));
            let mut other = String::new();
            if let Some((name, data_type, expression_type)) = variable {
                writeln!(out, "sets   {name} ({data_type})")?;
                if expression_type != it.data_type {
                    other = format!(", of an expression of {expression_type}");
                }
            }
            writeln!(out, "type   {}{other}\nvalue  {}", it.data_type, shown(&it))?;
            Ok(ExitCode::Success)
        }
        (Ok(came), ReportFormat::Json) => {
            writeln!(out, "{}", json(&came))?;
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

fn came_to(text: &str, names: &Names) -> Result<Came, ExprError> {
    if is_assignment(text) {
        let Assigned { variable, variable_type, expression_type, result } = assign(text, names)?;
        return Ok(Came { variable: Some((variable, variable_type, expression_type)), it: result });
    }
    Ok(Came { variable: None, it: evaluate(text, names)? })
}

fn names(args: &EvalArgs) -> dtsx::Result<Names> {
    let mut names = Names::new();
    names.set_locale(args.locale)?;
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
        // The language has no escape for this one, and a terminal no sign.
        Value::Text(text) => literal(text).to_string().replace('\0', "\\x0000"),
        _ => it.text.clone(),
    }
}

fn json(Came { variable, it }: &Came) -> String {
    let mut object = Object::new();
    if let Some((name, data_type, expression_type)) = variable {
        object = object.text("variable", name).text("variable_type", data_type);
        object = object.text("expression_type", &expression_type.to_string());
    }
    object = object.text("type", it.data_type.name());
    for (key, number) in parameters(&it.data_type) {
        object = object.raw(key, number);
    }
    object = match &it.value {
        Value::Null => object.raw("value", "null"),
        Value::Bool(value) => object.raw("value", value),
        _ => object.text("value", &it.text),
    };
    object.raw("warnings", array(it.warnings.iter().map(warning_json))).end()
}

fn warning_json(warning: &Finding) -> String {
    let object = Object::new().optional("code", warning.code.map(|code| code.to_string()));
    let symbol = warning.code.map_or("", |code| code.name());
    object.text_if("symbol", symbol).text("message", &warning.message).end()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sign_reaches_the_terminal_as_it_is() {
        let it = |text: &str| Evaluated {
            data_type: DataType::NText,
            value: Value::text(text),
            text: text.to_owned(),
            warnings: Vec::new(),
        };
        assert_eq!(shown(&it("a\0b\n\u{1b}")), "\"a\\x0000b\\n\\x001B\"");
    }
}
