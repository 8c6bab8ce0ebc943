//! XML Task: evaluates XPath over a document, or merges two documents.
//!
//! ```text
//! OperationType   XPATH: XPathOperation Evaluation 0, Values 1, NodeList 2; SecondOperand is the expression
//!                 Merge: the root of the second document becomes the last child of the first's root, or of the element
//!                        that XPathStringSource selects
//! Source          a File connection manager, a variable, or the text itself; so is SecondOperand
//! Destination     a File connection manager, or a variable; only where SaveOperationResult is set
//! ```
//! Validate, XSLT, Diff and Patch are refused by name.

mod pretty;
#[cfg(test)]
mod tests;

use super::{flag, setting};
use crate::shared::xpath::{self, Found};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::control::plan::TaskSpec;
use dtsx_engine::control::{Task, TaskBindCx, TaskCx, TaskKind, TaskOutcome};
use dtsx_engine::diag::{Code, Error, Owner, Result, codes};
use dtsx_engine::props::{DataNode, PropertyDef, PropertyType, property as p};
use dtsx_engine::types::Value;
use dtsx_engine::variables::VariableAccess;
use pretty::{LINE_END, Pretty, escape};
use std::io::Write;

/// `Microsoft.XMLTask`.
pub struct XmlTaskKind;

const PROPERTIES: &[PropertyDef] = {
    use PropertyType::{Bool, Int, Text};
    &[
        p(
            "OperationType",
            Int,
            "0",
            "Validate 0, XSLT 1, XPATH 2, Merge 3, Diff 4, Patch 5; only XPATH and Merge are supported.",
        ),
        p("SourceType", Int, "0", "Of the document: FileConnection 0, Variable 1, DirectInput 2."),
        p("Source", Text, "", "A File connection manager, a variable, or the document."),
        p("SecondOperandType", Int, "2", "Of the second operand, as SourceType."),
        p("SecondOperand", Text, "", "The expression of XPATH, or the document to merge."),
        p("SaveOperationResult", Bool, "False", "Whether the result is saved."),
        p("DestinationType", Int, "0", "Of the destination: FileConnection 0, Variable 1."),
        p("Destination", Text, "", "The File connection manager or the variable that takes the result."),
        p("OverwriteDestination", Bool, "False", "Whether a destination that holds something is replaced."),
        p("XPathOperation", Int, "0", "Evaluation 0, Values 1, NodeList 2."),
        p("PutResultInOneNode", Bool, "False", "Whether the result stands in an element ResultRootNode."),
        p("XPathStringSourceType", Int, "2", "Of the place for a merged document, as SourceType."),
        p(
            "XPathStringSource",
            Text,
            "",
            "The XPath expression of the element that takes the merged document; else the root.",
        ),
        p(
            "FailOpOnValidationFail",
            Bool,
            "False",
            "Whether a document that is not valid fails the task; Validate is refused.",
        ),
        p("ValidationType", Int, "0", "DTD 0, XSD 1; Validate is refused."),
        p("ValidationDetails", Bool, "False", "Whether the result tells what is not valid; Validate is refused."),
        p("FailOpOnDifference", Bool, "False", "Whether documents that differ fail the task; Diff is refused."),
        p("SaveDiffGram", Bool, "False", "Whether the difference is saved; Diff is refused."),
        p("DiffGramDestinationType", Int, "0", "Of the difference: FileConnection 0, Variable 1; Diff is refused."),
        p("DiffGramDestination", Text, "", "What takes the difference; Diff is refused."),
        p("DiffOptions", Int, "0", "What a comparison does not look at; Diff is refused."),
        p("DiffAlgorithm", Int, "0", "Auto 0, Fast 1, Precise 2; Diff is refused."),
    ]
};

/// Where a text comes from.
#[derive(Clone, Debug)]
enum Operand {
    /// The file of a connection manager.
    File(String),
    Variable(String),
    /// The package.
    Direct(String),
}

/// Where the result goes.
#[derive(Clone, Debug)]
enum Destination {
    File { connection: String, overwrite: bool },
    Variable(String),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum XPathOperation {
    Evaluation,
    Values,
    NodeList,
}

enum Operation {
    XPath { operation: XPathOperation, in_one_node: bool, namespaces: Vec<(String, String)> },
    Merge { place: Option<Operand>, namespaces: Vec<(String, String)> },
}

struct XmlTask {
    operation: Operation,
    source: Operand,
    second: Operand,
    destination: Option<Destination>,
}

impl TaskKind for XmlTaskKind {
    fn kind(&self) -> &'static str {
        "Microsoft.XMLTask"
    }

    fn title(&self) -> &'static str {
        "XML Task"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        PROPERTIES
    }

    fn bind(&self, spec: &TaskSpec, cx: &mut TaskBindCx<'_>) -> Option<Box<dyn Task>> {
        let namespaces = namespaces(&spec.data);
        // What a package without the attribute means is unconfirmed.
        let operation = match named(spec, "OperationType", &["Validate", "XSLT", "XPATH", "Merge", "Diff", "Patch"], 0)
        {
            Some(2) => {
                let operation = match named(spec, "XPathOperation", &["Evaluation", "Values", "NodeList"], 0) {
                    Some(0) => XPathOperation::Evaluation,
                    Some(1) => XPathOperation::Values,
                    Some(2) => XPathOperation::NodeList,
                    _ => return undefined(spec, cx),
                };
                let in_one_node = flag(spec, "PutResultInOneNode", "PutResultInOneNode");
                Operation::XPath { operation, in_one_node, namespaces }
            }
            Some(3) => {
                let place = text(spec, "XPathStringSource");
                let place = if place.trim().is_empty() {
                    None
                } else {
                    Some(operand(spec, cx, "XPathStringSource", "XPathStringSourceType", 2, None)?)
                };
                Operation::Merge { place, namespaces }
            }
            Some(other) => {
                let name = ["Validate", "XSLT", "XPATH", "Merge", "Diff", "Patch"][other];
                cx.unsupported(&spec.path, spec.span, format!("The operation {name} of the XML Task is not supported"));
                return None;
            }
            None => return undefined(spec, cx),
        };
        let source = operand(spec, cx, "Source", "SourceType", 0, Some(codes::DTS_E_XMLTASK_MISSINGSOURCE));
        let missing = Some(codes::DTS_E_XMLTASK_MISSINGSECONDOPERAND);
        let second = operand(spec, cx, "SecondOperand", "SecondOperandType", 2, missing);
        if let (Operation::XPath { .. }, Some(Operand::Direct(expression))) = (&operation, &second)
            && let Err(why) = xpath::check(expression)
        {
            let message = format!("The XPath expression \"{expression}\" is not valid: {why}");
            cx.error(&spec.path, spec.span, codes::DTS_E_XMLTASK_XPATHNAVERROR, message);
        }
        let saved = flag(spec, "SaveOperationResult", "SaveOperationResult");
        let destination = if saved { Some(destination(spec, cx)?) } else { None };
        if cx.failed() {
            return None;
        }
        Some(Box::new(XmlTask { operation, source: source?, second: second?, destination }))
    }
}

fn undefined(spec: &TaskSpec, cx: &mut TaskBindCx<'_>) -> Option<Box<dyn Task>> {
    let code = codes::DTS_E_XMLTASK_UNDEFINEDOPERATION;
    cx.error(&spec.path, spec.span, code, code.message(&[]));
    None
}

fn text<'a>(spec: &'a TaskSpec, name: &str) -> &'a str {
    setting(spec, name, name).unwrap_or("")
}

/// The number of an enumeration's value, given by its name or its number; `default` where nothing is said.
fn named(spec: &TaskSpec, property: &str, names: &[&str], default: usize) -> Option<usize> {
    let text = text(spec, property).trim();
    if text.is_empty() {
        return Some(default);
    }
    let by_name = names.iter().position(|n| n.eq_ignore_ascii_case(text));
    by_name.or_else(|| text.parse().ok().filter(|n| *n < names.len()))
}

/// Prefixes that the task declares for its expressions. How a package stores them is unconfirmed: any element with a
/// prefix and a URI is one.
fn namespaces(data: &DataNode) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut waiting: Vec<&DataNode> = data.children.iter().collect();
    while let Some(node) = waiting.pop() {
        let uri = ["uri", "namespace", "namespaceuri"].iter().find_map(|name| node.attr(name));
        if let (Some(prefix), Some(uri)) = (node.attr("prefix"), uri) {
            found.push((prefix.to_owned(), uri.to_owned()));
        }
        waiting.extend(&node.children);
    }
    found
}

/// Checks where a text comes from. `missing` is what to say if there is none.
fn operand(
    spec: &TaskSpec,
    cx: &mut TaskBindCx<'_>,
    name: &str,
    type_name: &str,
    default: usize,
    missing: Option<Code>,
) -> Option<Operand> {
    let value = text(spec, name).to_owned();
    if let (true, Some(code)) = (value.trim().is_empty(), missing) {
        cx.error(&spec.path, spec.span, code, code.message(&[]));
        return None;
    }
    match named(spec, type_name, &["FileConnection", "Variable", "DirectInput"], default) {
        Some(0) => file(spec, cx, &value).map(|_| Operand::File(value)),
        Some(1) => variable(spec, cx, &value).map(Operand::Variable),
        Some(2) => Some(Operand::Direct(value)),
        _ => {
            let message =
                format!("{type_name} \"{}\" is none of FileConnection, Variable, DirectInput.", text(spec, type_name));
            cx.error(&spec.path, spec.span, codes::DTS_E_XMLTASK_INVALIDDATANODE, message);
            None
        }
    }
}

fn destination(spec: &TaskSpec, cx: &mut TaskBindCx<'_>) -> Option<Destination> {
    let value = text(spec, "Destination").to_owned();
    match named(spec, "DestinationType", &["FileConnection", "Variable"], 0) {
        Some(0) => {
            let overwrite = flag(spec, "OverwriteDestination", "OverwriteDestination");
            file(spec, cx, &value).map(|_| Destination::File { connection: value, overwrite })
        }
        Some(1) => variable(spec, cx, &value).map(Destination::Variable),
        _ => {
            let message =
                format!("DestinationType \"{}\" is none of FileConnection, Variable.", text(spec, "DestinationType"));
            cx.error(&spec.path, spec.span, codes::DTS_E_XMLTASK_INVALIDDATANODE, message);
            None
        }
    }
}

/// The File connection manager of that name or id.
fn file(spec: &TaskSpec, cx: &mut TaskBindCx<'_>, name: &str) -> Option<ConnectionSpec> {
    let (code, message) = match cx.connection(name) {
        Ok(connection) if connection.kind.eq_ignore_ascii_case("FILE") => return Some(connection),
        Ok(connection) => {
            let code = codes::DTS_E_XMLTASK_CONNECTIONTYPENOTFILE;
            (code, format!("{} \"{}\" is of type {}.", code.message(&[]), connection.name, connection.kind))
        }
        Err(error) => (error.code().unwrap_or(codes::DTS_E_CONNECTIONNOTFOUND), error.message().to_owned()),
    };
    cx.error(&spec.path, spec.span, code, message);
    None
}

fn variable(spec: &TaskSpec, cx: &mut TaskBindCx<'_>, text: &str) -> Option<String> {
    let name = cx.variables.name_of_id(text).unwrap_or_else(|| text.to_owned());
    match cx.variables.read(&name) {
        Ok(_) => Some(name),
        Err(error) => {
            let code = error.code().unwrap_or(codes::DTS_E_VARIABLENOTFOUND);
            cx.error(&spec.path, spec.span, code, error.message());
            None
        }
    }
}

impl Operand {
    /// The text; `name` is the property, for messages.
    fn read(&self, cx: &TaskCx, name: &str) -> Result<String> {
        let text = match self {
            Operand::Direct(text) => text.clone(),
            Operand::Variable(variable) => match cx.variables.read(variable)?.1 {
                Value::Text(text) => text.to_string(),
                _ => {
                    let code = codes::DTS_E_XMLTASK_VARIABLETYPEISNOTSTRING;
                    return Err(Error::new(Owner::Package, code, format!("{} \"{variable}\"", code.message(&[]))));
                }
            },
            Operand::File(connection) => {
                let connection = cx.connections.get(connection)?;
                let path = connection.connection_string();
                let bytes = std::fs::read(cx.services.paths.resolve(path)).map_err(|e| {
                    let code = codes::DTS_E_XMLTASK_FILEDOESNOTEXIST;
                    let text = format!("{} \"{path}\": {e}", code.message(&[&connection.name]));
                    Error::new(Owner::Environment, code, text)
                })?;
                xpath::decode(&bytes)
            }
        };
        if text.trim().is_empty() {
            let code = codes::DTS_E_XMLTASK_XMLTEXTEMPTY;
            return Err(Error::new(Owner::Data, code, code.message(&[&name])));
        }
        Ok(text.trim_start_matches('\u{feff}').to_owned())
    }
}

/// The element that holds a result.
const ROOT: (&str, &str) = ("<ResultRootNode>", "</ResultRootNode>");
/// What SSIS writes in front of a list of nodes.
const MARK: char = '\u{feff}';

impl Task for XmlTask {
    fn execute(&self, cx: &TaskCx) -> Result<TaskOutcome> {
        let source = self.source.read(cx, "Source")?;
        let second = self.second.read(cx, "SecondOperand")?;
        let to_file = matches!(self.destination, Some(Destination::File { .. }));
        let result = match &self.operation {
            Operation::XPath { operation, in_one_node, namespaces } => {
                let result = evaluate(&source, &second, *operation, namespaces, to_file)?;
                if *in_one_node { format!("{}{result}{}", ROOT.0, ROOT.1) } else { result }
            }
            Operation::Merge { place, namespaces } => {
                let place = place.as_ref().map(|p| p.read(cx, "XPathStringSource")).transpose()?;
                merge(&source, &second, place.as_deref(), namespaces)?
            }
        };
        if let Some(destination) = &self.destination {
            destination.save(cx, &result)?;
        }
        Ok(TaskOutcome { value: Some(Value::text(&result)), ..TaskOutcome::success() })
    }
}

fn data(code: Code, why: impl std::fmt::Display) -> Error {
    Error::new(Owner::Data, code, format!("{} {why}", code.message(&[])).trim().to_owned())
}

fn evaluate(
    source: &str,
    expression: &str,
    operation: XPathOperation,
    namespaces: &[(String, String)],
    to_file: bool,
) -> Result<String> {
    let found = xpath::find(source, expression.trim(), namespaces);
    let found = found.map_err(|why| data(codes::DTS_E_XMLTASK_XPATHNAVERROR, why))?;
    let nodes = match (operation, found) {
        // Booleans are written as .NET writes them (unconfirmed).
        (XPathOperation::Evaluation, Found::Boolean(value)) => return Ok(if value { "True" } else { "False" }.into()),
        (XPathOperation::Evaluation, Found::Text(text)) => {
            let mut escaped = String::new();
            escape(&text, false, &mut escaped);
            return Ok(escaped);
        }
        (XPathOperation::Evaluation, Found::Nodes(_)) => {
            let why = "The expression selects nodes; Evaluation takes one that yields a value.";
            return Err(data(codes::DTS_E_XMLTASK_XPATHNAVERROR, why));
        }
        (_, Found::Nodes(nodes)) if !nodes.is_empty() => nodes,
        (_, Found::Nodes(_)) => return Err(data(codes::DTS_E_XMLTASK_EMPTYNODELIST, "")),
        (_, _) => {
            let why = "The expression yields a value; Values and NodeList take one that selects nodes.";
            return Err(data(codes::DTS_E_XMLTASK_XPATHNAVERROR, why));
        }
    };
    let mut lines = Vec::with_capacity(nodes.len());
    for node in nodes {
        lines.push(match (operation, node.is_element) {
            (XPathOperation::NodeList, true) => {
                let mut pretty = Pretty::default();
                pretty.write(&node.xml, None).map_err(|why| data(codes::DTS_E_XMLTASK_XPATHNAVERROR, why))?;
                pretty.finish()
            }
            (XPathOperation::NodeList, false) => node.xml,
            _ => {
                let mut escaped = String::new();
                escape(&node.value, false, &mut escaped);
                escaped
            }
        });
    }
    let text = lines.join(LINE_END);
    // The mark has been seen in a file with a list of nodes; a variable would only suffer from it.
    Ok(if to_file && operation == XPathOperation::NodeList { format!("{MARK}{text}") } else { text })
}

fn merge(source: &str, second: &str, place: Option<&str>, namespaces: &[(String, String)]) -> Result<String> {
    let wrong = |code: Code| move |why: String| data(code, why);
    let inserted = xpath::root_element(second).map_err(wrong(codes::DTS_E_XMLTASK_CANTGETREADERFROMDEST))?;
    let at = match place {
        None => xpath::root_element(source).map_err(wrong(codes::DTS_E_XMLTASK_CANTGETREADERFROMSOURCE))?.0,
        Some(expression) => {
            let found = xpath::find(source, expression.trim(), namespaces);
            match found.map_err(wrong(codes::DTS_E_XMLTASK_XPATHNAVERROR))? {
                Found::Nodes(nodes) => match nodes.first() {
                    Some(node) if node.is_element => node.start,
                    _ => return Err(data(codes::DTS_E_XMLTASK_NOELEMENTFOUND, format!("\"{expression}\""))),
                },
                _ => return Err(data(codes::DTS_E_XMLTASK_NOELEMENTFOUND, format!("\"{expression}\""))),
            }
        }
    };
    let mut pretty = Pretty::default();
    pretty.write(source, Some((at, &inserted.1))).map_err(wrong(codes::DTS_E_XMLTASK_CANTGETREADERFROMSOURCE))?;
    Ok(pretty.finish())
}

impl Destination {
    fn save(&self, cx: &TaskCx, result: &str) -> Result<()> {
        let (connection, overwrite) = match self {
            Destination::Variable(name) => return cx.variables.write(name, Value::text(result)),
            Destination::File { connection, overwrite } => (cx.connections.get(connection)?, *overwrite),
        };
        let name = connection.connection_string();
        let path = cx.services.paths.resolve(name);
        let mut options = std::fs::OpenOptions::new();
        options.write(true);
        if overwrite {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        let saved = options.open(&path).and_then(|mut file| file.write_all(&encoded(result)));
        saved.map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => {
                let code = codes::DTS_E_XMLTASK_FILEALREADYEXISTS;
                Error::new(Owner::Environment, code, code.message(&[&name]))
            }
            _ => Error::new(Owner::Environment, None, format!("Cannot write \"{name}\" ({}): {e}", path.display())),
        })
    }
}

/// The bytes of a result: UTF-8, or UTF-16 where its declaration says so.
fn encoded(result: &str) -> Vec<u8> {
    let declaration = result.strip_prefix("<?xml").and_then(|r| r.split("?>").next()).unwrap_or("");
    if declaration.to_ascii_lowercase().contains("utf-16") {
        return std::iter::once(0xFEFF).chain(result.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    }
    result.as_bytes().to_vec()
}
