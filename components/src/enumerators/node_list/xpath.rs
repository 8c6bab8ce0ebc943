//! XPath 1.0 over a document: the tree comes from one library, the expressions are evaluated by another.

use sxd_document::{Package, dom};
use sxd_xpath::nodeset::{Node, Nodeset};
use sxd_xpath::{Context, Factory, Value, XPath};

/// The text of a document by its byte order mark or its declaration; UTF-8 without either.
pub(super) fn decode(bytes: &[u8]) -> String {
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
pub(super) fn check(expression: &str) -> Result<(), String> {
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
pub(super) fn select(document: &str, outer: &str, inner: Option<&str>) -> Result<Vec<Vec<String>>, String> {
    let package = parse(document)?;
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

/// The document as the tree that expressions are evaluated over.
fn parse(text: &str) -> Result<Package, String> {
    let text = text.trim_start_matches('\u{feff}');
    let options = roxmltree::ParsingOptions { allow_dtd: true, nodes_limit: u32::MAX, ..Default::default() };
    let source = roxmltree::Document::parse_with_options(text, options)
        .map_err(|e| format!("The document is not well-formed XML: {e}"))?;
    let package = Package::new();
    let document = package.as_document();
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
                roxmltree::NodeType::PI | roxmltree::NodeType::Root => {}
            }
        }
        waiting.extend(inside);
    }
    Ok(package)
}

fn name<'a>(name: roxmltree::ExpandedName<'a, 'a>) -> sxd_document::QName<'a> {
    sxd_document::QName::with_namespace_uri(name.namespace(), name.name())
}
