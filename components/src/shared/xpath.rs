//! XPath 1.0 over a document: the tree comes from one library, the expressions are evaluated by another.

use std::collections::HashMap;
use sxd_document::{Package, dom};
use sxd_xpath::nodeset::{Node, Nodeset};
use sxd_xpath::{Context, Factory, Value, XPath};

/// The text of a document by its byte order mark or its declaration; UTF-8 without either.
pub(crate) fn decode(bytes: &[u8]) -> String {
    let declared = || {
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        let (_, rest) = head.split_once("encoding=")?;
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        encoding_rs::Encoding::for_label(rest[1..].split(quote).next()?.as_bytes())
    };
    let encoding = match encoding_rs::Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None => declared().unwrap_or(encoding_rs::UTF_8),
    };
    encoding.decode(bytes).0.into_owned()
}

/// Whether the expression can be read.
pub(crate) fn check(expression: &str) -> Result<(), String> {
    build(expression.trim()).map(drop)
}

fn build(expression: &str) -> Result<XPath, String> {
    match Factory::new().build(expression) {
        Ok(Some(xpath)) => Ok(xpath),
        Ok(None) => Err("it is empty".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The nodes that `outer` selects, in document order: the text of each, or, with `inner`, the texts of the nodes that it
/// selects from each.
pub(crate) fn select(document: &str, outer: &str, inner: Option<&str>) -> Result<Vec<Vec<String>>, String> {
    for expression in [Some(outer), inner].into_iter().flatten() {
        known_prefixes(expression, |_| false)?;
    }
    let package = Package::new();
    copy(&read(document)?, &package);
    let outer = build(outer)?;
    let inner = inner.map(build).transpose()?;
    let root = package.as_document().root();
    let nodes = evaluate(&outer, Node::Root(root))?.document_order();
    let mut items = Vec::with_capacity(nodes.len());
    for node in nodes {
        items.push(match &inner {
            None => vec![node.string_value()],
            Some(inner) => evaluate(inner, node)?.document_order().iter().map(Node::string_value).collect(),
        });
    }
    Ok(items)
}

fn evaluate<'d>(xpath: &XPath, node: Node<'d>) -> Result<Nodeset<'d>, String> {
    match xpath.evaluate(&Context::new(), node) {
        Ok(Value::Nodeset(nodes)) => Ok(nodes),
        Ok(_) => Err("The XPath expression selects no nodes: it yields a value.".to_owned()),
        Err(error) => Err(format!("The XPath expression cannot be evaluated: {error}")),
    }
}

/// What an expression yields.
pub(crate) enum Found {
    /// Nodes, in document order.
    Nodes(Vec<FoundNode>),
    Boolean(bool),
    /// A number or a text.
    Text(String),
}

/// A node that an expression selects.
pub(crate) struct FoundNode {
    /// Its text.
    pub(crate) value: String,
    /// It as it stands in the document, with the namespaces that it needs.
    pub(crate) xml: String,
    pub(crate) is_element: bool,
    /// Where an element begins in the document.
    pub(crate) start: usize,
}

/// What `expression` yields over a document without a byte order mark. Prefixes are those of the document's root, and
/// `namespaces`.
#[expect(clippy::mutable_key_type, reason = "elements are compared and hashed by their address")]
pub(crate) fn find(document: &str, expression: &str, namespaces: &[(String, String)]) -> Result<Found, String> {
    let source = read(document)?;
    let package = Package::new();
    let elements = copy(&source, &package);
    let declared = |prefix: &str| {
        source.root_element().namespaces().any(|n| n.name() == Some(prefix))
            || namespaces.iter().any(|(p, _)| p == prefix)
    };
    known_prefixes(expression, declared)?;
    let expression = build(expression)?;
    let mut context = Context::new();
    for namespace in source.root_element().namespaces() {
        if let Some(prefix) = namespace.name() {
            context.set_namespace(prefix, namespace.uri());
        }
    }
    for (prefix, uri) in namespaces {
        context.set_namespace(prefix, uri);
    }
    let root = Node::Root(package.as_document().root());
    let found = expression.evaluate(&context, root);
    Ok(match found.map_err(|error| format!("The XPath expression cannot be evaluated: {error}"))? {
        Value::Boolean(value) => Found::Boolean(value),
        value @ (Value::Number(_) | Value::String(_)) => Found::Text(value.string()),
        Value::Nodeset(nodes) => {
            let node = |node: &Node<'_>| {
                let value = node.string_value();
                let (mut is_element, mut start) = (false, 0);
                let xml = match node {
                    Node::Element(element) => match elements.get(element).and_then(|id| source.get_node(*id)) {
                        Some(found) => {
                            is_element = true;
                            start = found.range().start;
                            outer(found)
                        }
                        None => value.clone(),
                    },
                    Node::Root(_) => document.to_owned(),
                    Node::Attribute(a) => format!("{}=\"{}\"", a.name().local_part(), escaped(&value)),
                    Node::Comment(_) => format!("<!--{value}-->"),
                    Node::ProcessingInstruction(pi) => format!("<?{} {value}?>", pi.target()),
                    Node::Text(_) | Node::Namespace(_) => escaped(&value),
                };
                FoundNode { value, xml, is_element, start }
            };
            Found::Nodes(nodes.document_order().iter().map(node).collect())
        }
    })
}

/// Where the root element of a document begins, and it as it stands there.
pub(crate) fn root_element(document: &str) -> Result<(usize, String), String> {
    let source = read(document)?;
    let root = source.root_element();
    Ok((root.range().start, document[root.range()].to_owned()))
}

/// Checks the prefixes of an expression: the library that evaluates it takes an unknown one for a defect.
fn known_prefixes(expression: &str, known: impl Fn(&str) -> bool) -> Result<(), String> {
    let mut quote = None;
    let mut name = 0..0;
    for (at, c) in expression.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') => {
                name = if name.end == at { name.start..at + c.len_utf8() } else { at..at + c.len_utf8() };
                continue;
            }
            None if c == ':' && name.end == at && !name.is_empty() && !expression[at + 1..].starts_with(':') => {
                let prefix = &expression[name.clone()];
                if prefix != "xml" && !known(prefix) {
                    return Err(format!("The namespace prefix \"{prefix}\" is not declared"));
                }
            }
            None => {}
        }
        name = 0..0;
    }
    Ok(())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// An element as it stands in its document, with the namespaces from around it that are used within.
fn outer(element: roxmltree::Node<'_, '_>) -> String {
    let text = &element.document().input_text()[element.range()];
    let around = element.parent_element();
    let mut declarations = String::new();
    for namespace in element.namespaces() {
        let inherited = around.is_some_and(|p| p.namespaces().any(|n| n == namespace));
        let used = |node: roxmltree::Node<'_, '_>| {
            node.tag_name().namespace() == Some(namespace.uri())
                || node.attributes().any(|a| a.namespace() == Some(namespace.uri()))
        };
        if inherited && namespace.name() != Some("xml") && element.descendants().any(used) {
            let prefix = namespace.name().map_or(String::new(), |name| format!(":{name}"));
            declarations.push_str(&format!(" xmlns{prefix}=\"{}\"", escaped(namespace.uri())));
        }
    }
    let name = text.find(|c: char| c.is_whitespace() || matches!(c, '/' | '>')).unwrap_or(text.len());
    format!("{}{declarations}{}", &text[..name], &text[name..])
}

fn read(text: &str) -> Result<roxmltree::Document<'_>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let options = roxmltree::ParsingOptions { allow_dtd: true, nodes_limit: u32::MAX, ..Default::default() };
    roxmltree::Document::parse_with_options(text, options)
        .map_err(|e| format!("The document is not well-formed XML: {e}"))
}

/// Copies a document into the tree that expressions are evaluated over; says which element is a copy of which.
#[expect(clippy::mutable_key_type, reason = "an element is hashed by its place in memory, whatever is in it")]
fn copy<'d>(source: &roxmltree::Document<'_>, package: &'d Package) -> HashMap<dom::Element<'d>, roxmltree::NodeId> {
    let document = package.as_document();
    let mut elements = HashMap::new();
    // Pairs of a source node and the element that its copy goes into; no recursion that a document could drive.
    let mut waiting: Vec<(roxmltree::Node<'_, '_>, Option<dom::Element<'_>>)> = vec![(source.root(), None)];
    while let Some((from, into)) = waiting.pop() {
        let mut inside = Vec::new();
        for child in from.children() {
            match child.node_type() {
                roxmltree::NodeType::Element => {
                    let element = document.create_element(name(child.tag_name()));
                    for attribute in child.attributes() {
                        let key = sxd_document::QName::with_namespace_uri(attribute.namespace(), attribute.name());
                        element.set_attribute_value(key, attribute.value());
                    }
                    match into {
                        Some(parent) => parent.append_child(element),
                        None => document.root().append_child(element),
                    }
                    elements.insert(element, child.id());
                    inside.push((child, Some(element)));
                }
                roxmltree::NodeType::Text => {
                    if let (Some(parent), Some(text)) = (into, child.text()) {
                        parent.append_child(document.create_text(text));
                    }
                }
                roxmltree::NodeType::Comment => {
                    let comment = document.create_comment(child.text().unwrap_or(""));
                    match into {
                        Some(parent) => parent.append_child(comment),
                        None => document.root().append_child(comment),
                    }
                }
                roxmltree::NodeType::PI => {
                    if let Some(pi) = child.pi() {
                        let instruction = document.create_processing_instruction(pi.target, pi.value);
                        match into {
                            Some(parent) => parent.append_child(instruction),
                            None => document.root().append_child(instruction),
                        }
                    }
                }
                roxmltree::NodeType::Root => {}
            }
        }
        waiting.extend(inside);
    }
    elements
}

fn name<'a>(name: roxmltree::ExpandedName<'a, 'a>) -> sxd_document::QName<'a> {
    sxd_document::QName::with_namespace_uri(name.namespace(), name.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_have_to_be_declared() {
        for (expression, unknown) in [
            ("/a/b", None),
            ("//x:a", Some("x")),
            ("//m:a[@x:b = 'y:z']", Some("x")),
            ("child::a/ancestor-or-self::m:b", None),
            ("//a[. = \"q:r\"]", None),
            ("m:a | été:b", Some("été")),
        ] {
            let found = known_prefixes(expression, |prefix| prefix == "m");
            match unknown {
                None => assert_eq!(found, Ok(()), "{expression}"),
                Some(prefix) => assert!(found.unwrap_err().contains(prefix), "{expression}"),
            }
        }
    }
}
