//! Foreach NodeList Enumerator: nodes of an XML document that an XPath 1.0 expression selects.
//!
//! ```text
//! SourceType       FileConnection, Variable, DirectInput      SourceDocument   Orders.xml
//! EnumerationType  NodeText: one column, the text of each node of the outer expression
//!                  ElementCollection: the inner expression gives the columns of each node of the outer one
//! ```
//! Navigator and Node yield .NET objects and are refused by name.

use super::setting;
use crate::shared::xpath;
use dtsx_engine::control::plan::EnumeratorSpec;
use dtsx_engine::control::{Enumerator, EnumeratorKind, Items, TaskBindCx, TaskCx};
use dtsx_engine::diag::{Error, Owner, Result, codes};
use dtsx_engine::props::{PropertyDef, PropertyType, property as p};
use dtsx_engine::types::Value;
use dtsx_engine::variables::VariableAccess;

/// `Microsoft.ForEachNodeListEnumerator`.
pub struct NodeListEnumeratorKind;

/// Where a text comes from.
#[derive(Clone, Debug)]
enum TextSource {
    /// The file of a connection manager.
    File(String),
    /// A variable.
    Variable(String),
    /// The package.
    Direct(String),
}

struct NodeListEnumerator {
    document: TextSource,
    outer: TextSource,
    /// The inner expression of an ElementCollection.
    inner: Option<TextSource>,
}

impl EnumeratorKind for NodeListEnumeratorKind {
    fn kind(&self) -> &'static str {
        "Microsoft.ForEachNodeListEnumerator"
    }

    fn title(&self) -> &'static str {
        "Foreach NodeList Enumerator"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        use PropertyType::{Int, Text};
        const TABLE: &[PropertyDef] = &[
            p("SourceType", Int, "0", "Of the document: FileConnection 0, Variable 1, DirectInput 2."),
            p("SourceDocument", Text, "", "A File connection manager, a variable, or the document."),
            p("EnumerationType", Int, "0", "Navigator 0, Node 1, NodeText 2, ElementCollection 3."),
            p("OuterXPathSourceType", Int, "2", "Of the outer expression, as SourceType."),
            p("OuterXPathString", Text, "", "Selects the items."),
            p("InnerElementType", Int, "0", "Navigator 0, Node 1, NodeText 2."),
            p("InnerXPathSourceType", Int, "2", "Of the inner expression, as SourceType."),
            p("InnerXPathString", Text, "", "Selects the columns of each item."),
        ];
        TABLE
    }

    fn bind(&self, spec: &EnumeratorSpec, cx: &mut TaskBindCx<'_>) -> Option<Box<dyn Enumerator>> {
        let text = |name: &str| setting(spec, name, name).unwrap_or("").trim().to_owned();
        let enumeration = text("EnumerationType");
        let collection = match enumeration.as_str() {
            "2" | "NodeText" => false,
            "3" | "ElementCollection" => true,
            _ => {
                refuse_objects(spec, cx, "EnumerationType", &enumeration);
                return None;
            }
        };
        let inner_type = text("InnerElementType");
        if collection && !matches!(inner_type.as_str(), "2" | "NodeText") {
            refuse_objects(spec, cx, "InnerElementType", &inner_type);
            return None;
        }
        let document = source(spec, cx, "SourceType", "SourceDocument")?;
        let outer = source(spec, cx, "OuterXPathSourceType", "OuterXPathString")?;
        let inner = if collection { Some(source(spec, cx, "InnerXPathSourceType", "InnerXPathString")?) } else { None };
        for expression in [Some(&outer), inner.as_ref()].into_iter().flatten() {
            if let TextSource::Direct(expression) = expression
                && let Err(why) = xpath::check(expression)
            {
                let message = format!("The XPath expression \"{expression}\" is not valid: {why}");
                cx.error(&spec.path, spec.span, codes::DTS_E_GENERICERROR, message);
            }
        }
        (!cx.failed()).then(|| Box::new(NodeListEnumerator { document, outer, inner }) as Box<dyn Enumerator>)
    }
}

fn refuse_objects(spec: &EnumeratorSpec, cx: &mut TaskBindCx<'_>, property: &str, value: &str) {
    let value = match value {
        "" | "0" => "Navigator",
        "1" => "Node",
        other => other,
    };
    let message =
        format!("{property} {value} yields .NET objects, which this build does not have. NodeText yields text.");
    cx.unsupported(&spec.path, spec.span, message);
}

/// Checks where a text comes from; None if it cannot be used.
fn source(spec: &EnumeratorSpec, cx: &mut TaskBindCx<'_>, type_name: &str, name: &str) -> Option<TextSource> {
    // Without a type the document is a file, and an expression stands in the package.
    let default = if type_name == "SourceType" { "FileConnection" } else { "DirectInput" };
    let ty = setting(spec, type_name, type_name).map(str::trim).filter(|t| !t.is_empty()).unwrap_or(default);
    let text = setting(spec, name, name).unwrap_or("").to_owned();
    match ty {
        "0" | "FileConnection" => match cx.connection(&text) {
            Ok(_) => Some(TextSource::File(text)),
            Err(error) => {
                let code = error.code().unwrap_or(codes::DTS_E_CONNECTIONNOTFOUND);
                cx.error(&spec.path, spec.span, code, error.message());
                None
            }
        },
        "1" | "Variable" => Some(TextSource::Variable(super::variable(spec, cx, name, name)?)),
        "2" | "DirectInput" => Some(TextSource::Direct(text)),
        other => {
            let message = format!("{type_name} \"{other}\" is none of FileConnection, Variable, DirectInput.");
            cx.error(&spec.path, spec.span, codes::DTS_E_GENERICERROR, message);
            None
        }
    }
}

impl TextSource {
    fn read(&self, cx: &TaskCx) -> Result<String> {
        match self {
            TextSource::Direct(text) => Ok(text.clone()),
            TextSource::Variable(name) => match cx.variables.read(name)?.1 {
                Value::Text(text) => Ok(text.to_string()),
                _ => Err(Error::new(Owner::Package, None, format!("The variable \"{name}\" holds no text."))),
            },
            TextSource::File(connection) => {
                let connection = cx.connections.get(connection)?;
                let path = connection.connection_string();
                let bytes = std::fs::read(cx.services.paths.resolve(path))
                    .map_err(|e| Error::new(Owner::Environment, None, format!("Cannot read \"{path}\": {e}")))?;
                Ok(xpath::decode(&bytes))
            }
        }
    }
}

impl Enumerator for NodeListEnumerator {
    fn open(&self, cx: &TaskCx) -> Result<Items> {
        let document = self.document.read(cx)?;
        let outer = self.outer.read(cx)?;
        let inner = self.inner.as_ref().map(|i| i.read(cx)).transpose()?;
        let items = xpath::select(&document, outer.trim(), inner.as_deref().map(str::trim))
            .map_err(|why| Error::new(Owner::Data, None, why))?;
        let item = |columns: Vec<String>| Ok(columns.into_iter().map(Value::text).collect());
        Ok(Box::new(items.into_iter().map(item)))
    }
}

#[cfg(test)]
mod tests {
    use crate::tasks::kit::Loop;

    const ORDERS: &str =
        "<o><c n='1'><name>A &amp; B</name><p>x</p><p>y</p></c><c n='2'><name>C</name><p>z</p><p/></c></o>";

    fn list(enumeration: &str) -> Loop {
        Loop::new("Microsoft.ForEachNodeListEnumerator", "FEENODELIST")
            .attribute("EnumerationType", enumeration)
            .attribute("SourceType", "DirectInput")
            .attribute("SourceDocument", ORDERS)
            .attribute("OuterXPathSourceType", "DirectInput")
            .attribute("InnerElementType", "NodeText")
            .attribute("InnerXPathSourceType", "DirectInput")
    }

    #[test]
    fn node_text_takes_one_column() {
        for (xpath, expected) in [
            ("/o/c/name", "A_&_B C"),
            ("//c[@n='2']/name", "C"),
            ("//c/@n", "1 2"),
            ("/o/c[1]/p/text()", "x y"),
            ("/none", ""),
        ] {
            let ran = list("NodeText").attribute("OuterXPathString", xpath).run(|_| {});
            assert_eq!(ran.items(), expected, "{xpath}");
        }
    }

    #[test]
    fn element_collections_have_a_column_for_each_inner_node() {
        let ran = list("3")
            .attribute("OuterXPathString", "/o/c")
            .attribute("InnerXPathString", "name | p")
            .columns(&["String", "String", "String"])
            .run(|_| {});
        assert_eq!(ran.items(), "A_&_B,x,y C,z,");
    }

    #[test]
    fn documents_come_from_variables_and_files() {
        let ran = list("NodeText")
            .attribute("SourceType", "Variable")
            .attribute("SourceDocument", "User::Source")
            .attribute("OuterXPathString", "/a/b")
            .source(dtsx_engine::types::Value::text("<a><b>1</b><b>2</b></a>"))
            .run(|_| {});
        assert_eq!(ran.items(), "1 2");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"<?xml version='1.0' encoding='windows-1252'?><a><b>caf\xe9</b></a>").unwrap();
        let ran = list("NodeText")
            .attribute("SourceType", "FileConnection")
            .attribute("SourceDocument", "Doc")
            .attribute("OuterXPathString", "/a/b")
            .connection("Doc", "FILE", file.path().to_str().unwrap())
            .run(|_| {});
        assert_eq!(ran.items(), "café");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let ran = list("Navigator").attribute("OuterXPathString", "/o").run(|_| {});
        assert!(ran.texts("OnError")[0].contains("Navigator"));
        let ran = list("NodeText").attribute("OuterXPathString", "/o[").run(|_| {});
        assert!(ran.texts("OnError")[0].contains("not valid"));
        let ran = list("NodeText").attribute("SourceDocument", "<a>").attribute("OuterXPathString", "/a").run(|_| {});
        assert!(!ran.succeeded());
        let ran = list("NodeText").attribute("OuterXPathString", "count(/o)").run(|_| {});
        assert!(ran.texts("OnError")[0].contains("no nodes"));
    }
}
