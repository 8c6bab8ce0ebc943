//! Tree to text, laid out as the designer does: two spaces a level, every attribute on its own line.

use crate::model::{Attribute, Element, Namespace, Node};

/// Prints elements into one string. The depth of a tree is bounded by the reader's cap, or by the program that built it.
pub(crate) fn print(prolog: &[Node], root: &Element, epilog: &[Node], declaration: &str) -> String {
    let mut printer = Printer { out: String::with_capacity(64 * 1024) };
    printer.out.push_str(declaration);
    for node in prolog {
        printer.newline(0);
        printer.node(node, 0);
    }
    printer.newline(0);
    printer.element(root, 0);
    for node in epilog {
        printer.newline(0);
        printer.node(node, 0);
    }
    printer.out
}

struct Printer {
    out: String,
}

enum Work<'a> {
    Node(&'a Node, usize, bool),
    Close(&'a Element, usize, bool),
}

impl Printer {
    fn newline(&mut self, level: usize) {
        self.out.push('\n');
        for _ in 0..level {
            self.out.push_str("  ");
        }
    }

    fn element(&mut self, root: &Element, level: usize) {
        let mut work: Vec<Work<'_>> = Vec::new();
        self.open(root, level, &mut work);
        while let Some(item) = work.pop() {
            match item {
                Work::Node(node, level, on_own_line) => {
                    if on_own_line {
                        self.newline(level);
                    }
                    match node {
                        Node::Element(element) => self.open(element, level, &mut work),
                        other => self.node(other, level),
                    }
                }
                Work::Close(element, level, on_own_line) => {
                    if on_own_line {
                        self.newline(level);
                    }
                    self.out.push_str("</");
                    self.out.push_str(element.name.as_str());
                    self.out.push('>');
                }
            }
        }
    }

    /// Writes the start of an element and puts its content on the stack.
    fn open<'a>(&mut self, element: &'a Element, level: usize, work: &mut Vec<Work<'a>>) {
        self.out.push('<');
        self.out.push_str(element.name.as_str());
        for attribute in &element.attributes {
            self.attribute(attribute, level);
        }
        if element.children.is_empty() {
            self.out.push_str(" />");
            return;
        }
        self.out.push('>');
        // White space may be added only where there is no text that it would become part of.
        let preserve = element.attributes.iter().any(|a| a.name.as_str() == "xml:space" && a.value == "preserve");
        let spaced = !preserve && element.children.iter().all(|node| node.as_text().is_none());
        work.push(Work::Close(element, level, spaced));
        work.extend(element.children.iter().rev().map(|node| Work::Node(node, level + 1, spaced)));
    }

    fn attribute(&mut self, attribute: &Attribute, level: usize) {
        match attribute.name.namespace() {
            Namespace::Declaration => self.out.push(' '),
            _ => self.newline(level + 1),
        }
        self.out.push_str(attribute.name.as_str());
        self.out.push_str("=\"");
        self.escaped(&attribute.value, &['&', '<', '>', '"', '\t', '\n', '\r']);
        self.out.push('"');
    }

    /// Writes text with references for the special characters.
    fn escaped(&mut self, text: &str, special: &[char]) {
        let mut rest = text;
        while let Some(at) = rest.find(special) {
            self.out.push_str(&rest[..at]);
            self.out.push_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                b'\t' => "&#x9;",
                b'\n' => "&#xA;",
                _ => "&#xD;",
            });
            rest = &rest[at + 1..];
        }
        self.out.push_str(rest);
    }

    fn node(&mut self, node: &Node, level: usize) {
        match node {
            Node::Element(element) => self.element(element, level),
            Node::Text(text) => self.escaped(text, &['&', '<', '>', '\r']),
            Node::CData(text) => {
                // The end mark cannot stand in a section: it is cut in two.
                self.out.push_str("<![CDATA[");
                self.out.push_str(&text.replace("]]>", "]]]]><![CDATA[>"));
                self.out.push_str("]]>");
            }
            Node::Comment(text) => {
                self.out.push_str("<!--");
                self.out.push_str(text);
                self.out.push_str("-->");
            }
            Node::Instruction(text) => {
                self.out.push_str("<?");
                self.out.push_str(text);
                self.out.push_str("?>");
            }
        }
    }
}
