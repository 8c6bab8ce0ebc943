//! When two trees are the same file: attribute order and insignificant white space do not count, everything else does.

use std::fmt::Write as _;

use super::parse::is_white;
use crate::model::{Attribute, Element, Name, Namespace, Node};

/// The first difference between two trees, as a path and a sentence; nothing if they are canonically identical.
pub(crate) fn difference(left: &Element, right: &Element) -> Option<String> {
    let mut work: Vec<(String, &Element, &Element)> = vec![(String::new(), left, right)];
    while let Some((path, left, right)) = work.pop() {
        let path = format!("{path}/{}", left.name.as_str());
        if !same_name(&left.name, &right.name) {
            return Some(format!("{path}: the other element is <{}>", right.name.as_str()));
        }
        if let Some(text) = attribute_difference(left, right) {
            return Some(format!("{path}: {text}"));
        }
        let (ours, theirs) = (significant(left), significant(right));
        for (at, (a, b)) in ours.iter().zip(&theirs).enumerate() {
            match (a, b) {
                (Node::Element(a), Node::Element(b)) => work.push((format!("{path}[{at}]"), a, b)),
                (Node::Text(_), Node::Text(_)) | (Node::CData(_), Node::CData(_)) if a.as_text() == b.as_text() => {}
                (Node::Comment(a), Node::Comment(b)) | (Node::Instruction(a), Node::Instruction(b)) if a == b => {}
                (a, b) => return Some(format!("{path}: {} is not {}", shown(a), shown(b))),
            }
        }
        if ours.len() != theirs.len() {
            let extra = if ours.len() > theirs.len() { ours[theirs.len()] } else { theirs[ours.len()] };
            return Some(format!("{path}: {} nodes are not {}: {}", ours.len(), theirs.len(), shown(extra)));
        }
    }
    None
}

fn same_name(left: &Name, right: &Name) -> bool {
    let spelled_alike = || left.as_str() == right.as_str();
    let is_dts = |name: &Name| name.namespace() == Namespace::Dts;
    if is_dts(left) || is_dts(right) {
        return is_dts(left) && is_dts(right) && left.local() == right.local();
    }
    spelled_alike()
}

fn attribute_difference(left: &Element, right: &Element) -> Option<String> {
    // A declaration of the prefix for the DTS namespace may be added by the writer.
    let counts = |attribute: &&Attribute| attribute.value != super::parse::DTS_NAMESPACE;
    for (one, other) in [(left, right), (right, left)] {
        for attribute in one.attributes.iter().filter(counts) {
            match other.attributes.iter().find(|candidate| same_name(&candidate.name, &attribute.name)) {
                None => return Some(format!("attribute {} is missing on one side", attribute.name.as_str())),
                Some(found) if found.value != attribute.value => {
                    return Some(format!(
                        "attribute {}: {:?} is not {:?}",
                        attribute.name.as_str(),
                        attribute.value,
                        found.value
                    ));
                }
                Some(_) => {}
            }
        }
    }
    None
}

/// The nodes that count: white space alone does not, except in an element that holds nothing else and can have a value.
fn significant(element: &Element) -> Vec<&Node> {
    let holds_value = element.children.iter().all(|node| node.as_text().is_some()) && can_hold_value(element);
    element.children.iter().filter(|node| holds_value || !matches!(node, Node::Text(text) if is_white(text))).collect()
}

/// Elements whose text is a value. The others have a structure, in which white space is layout.
fn can_hold_value(element: &Element) -> bool {
    match element.name.namespace() {
        Namespace::Dts => {
            ["Property", "PropertyExpression", "VariableValue", "Password"].contains(&element.name.local())
        }
        _ => !PIPELINE_STRUCTURES.contains(&element.name.as_str()),
    }
}

const PIPELINE_STRUCTURES: &[&str] = &[
    "pipeline",
    "components",
    "component",
    "paths",
    "path",
    "properties",
    "connections",
    "connection",
    "inputs",
    "input",
    "outputs",
    "output",
    "inputColumns",
    "inputColumn",
    "outputColumns",
    "outputColumn",
    "externalMetadataColumns",
    "externalMetadataColumn",
];

fn shown(node: &Node) -> String {
    let mut text = match node {
        Node::Element(element) => format!("<{}>", element.name.as_str()),
        other => format!("{other:?}"),
    };
    if text.len() > 200 {
        let end = text.char_indices().map(|(at, _)| at).find(|at| *at >= 200).unwrap_or(text.len());
        text.truncate(end);
        let _ = write!(text, "…");
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::dtsx::difference;

    #[test]
    fn only_layout_does_not_count() {
        let alike = [
            ("<a b='1' c='2'><d/></a>", "<a c='2' b='1'>\n  <d></d>\n</a>"),
            ("<a>&lt;&#65;</a>", "<a>&lt;A</a>"),
            ("<components> </components>", "<components/>"),
            (
                "<x:a xmlns:x='www.microsoft.com/SqlServer/Dts' x:b=''/>",
                "<DTS:a xmlns:DTS='www.microsoft.com/SqlServer/Dts' DTS:b=''/>",
            ),
        ];
        for (left, right) in alike {
            assert_eq!(difference(left, right).unwrap(), None, "{left} {right}");
        }
        let different = [
            ("<a b='1'/>", "<a b='2'/>"),
            ("<a b='1'/>", "<a/>"),
            ("<a/>", "<a b=''/>"),
            ("<a/>", "<b/>"),
            ("<a><b/><c/></a>", "<a><c/><b/></a>"),
            ("<a><b/></a>", "<a><b/><b/></a>"),
            ("<a>x</a>", "<a>x </a>"),
            ("<a> </a>", "<a/>"),
            ("<a>x</a>", "<a><![CDATA[x]]></a>"),
            ("<a><!--x--></a>", "<a/>"),
            ("<p:a xmlns:p='urn:1'/>", "<p:a xmlns:p='urn:2'/>"),
            ("<a xmlns:p='urn:1' p:b=''/>", "<a xmlns:p='urn:1' b=''/>"),
        ];
        for (left, right) in different {
            assert!(difference(left, right).unwrap().is_some(), "{left} {right}");
            assert!(difference(right, left).unwrap().is_some(), "{right} {left}");
        }
    }
}
