//! Text to tree: event by event, with an explicit stack, caps, and no way for a file to make the reader expand anything.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::LoadOptions;
use crate::error::{Fault, LoadError, Result};
use crate::model::{Attribute, Element, Name, Namespace, Node, SourceText, Span};

/// The namespace of packages.
pub(super) const DTS_NAMESPACE: &str = "www.microsoft.com/SqlServer/Dts";
/// Attributes that one element may have: a bound for the check that no two have the same name.
const MAX_ATTRIBUTES: usize = 4096;

/// A parsed file.
pub(crate) struct Document {
    pub(crate) prolog: Vec<Node>,
    pub(crate) root: Element,
    pub(crate) epilog: Vec<Node>,
}

/// Parses a text. Faults are `DTS_E_LOADPACKAGEXML` or, of a file, `DTS_E_LOADPACKAGEXMLFILE`, with their place.
pub(crate) fn parse(source: &SourceText, options: &LoadOptions) -> Result<Document> {
    Parser { source, options, open: Vec::new(), bindings: Vec::new(), text: String::new(), has_text: false }.run()
}

struct Parser<'s> {
    source: &'s SourceText,
    options: &'s LoadOptions,
    open: Vec<Open>,
    /// Prefixes in scope, innermost last.
    bindings: Vec<(Box<str>, Namespace)>,
    /// Character data since the last other node; references come as events of their own.
    text: String,
    has_text: bool,
}

/// An element whose end has not come yet.
struct Open {
    element: Element,
    bindings_before: usize,
    preserve_space: bool,
}

impl Parser<'_> {
    fn run(mut self) -> Result<Document> {
        let text = self.source.text.as_str();
        if has_forbidden_bytes(text)
            && let Some(at) = text.find(|c: char| !is_xml_char(c))
        {
            return Err(self.fault(at, at + 1, "an invalid character was found"));
        }
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_end_names = true;
        let mut document: (Vec<Node>, Option<Element>, Vec<Node>) = (Vec::new(), None, Vec::new());
        loop {
            let start = position(reader.buffer_position());
            let event = reader.read_event();
            let end = position(reader.buffer_position());
            let event = match event {
                Ok(event) => event,
                Err(error) => return Err(self.fault(position(reader.error_position()), end, &error.to_string())),
            };
            match event {
                Event::Start(tag) => {
                    self.flush_text();
                    if document.1.is_some() && self.open.is_empty() {
                        return Err(self.fault(start, end, "only one top-level element is allowed"));
                    }
                    self.start(&tag, start, end)?;
                }
                Event::Empty(tag) => {
                    self.flush_text();
                    if document.1.is_some() && self.open.is_empty() {
                        return Err(self.fault(start, end, "only one top-level element is allowed"));
                    }
                    self.start(&tag, start, end)?;
                    self.end(end, &mut document.1);
                }
                Event::End(_) => {
                    self.flush_text();
                    self.end(end, &mut document.1);
                }
                Event::Text(text) => self.add_text(&normalize_line_ends(&text), start, end)?,
                Event::GeneralRef(reference) => {
                    let expanded = self.reference(&reference, start, end)?;
                    if self.open.is_empty() {
                        return Err(self.fault(start, end, "text is not allowed outside the top-level element"));
                    }
                    self.text.push(expanded);
                    self.has_text = true;
                }
                Event::CData(data) => {
                    self.flush_text();
                    if self.open.is_empty() {
                        return Err(self.fault(start, end, "text is not allowed outside the top-level element"));
                    }
                    let data = normalize_line_ends(&data).into_owned();
                    self.push(Node::CData(data), &mut document);
                }
                Event::Comment(comment) => {
                    self.flush_text();
                    let comment = normalize_line_ends(&comment).into_owned();
                    self.push(Node::Comment(comment), &mut document);
                }
                Event::PI(instruction) => {
                    self.flush_text();
                    let instruction = normalize_line_ends(&instruction).into_owned();
                    self.push(Node::Instruction(instruction), &mut document);
                }
                Event::Decl(_) if start == 0 => {}
                Event::Decl(_) => return Err(self.fault(start, end, "the XML declaration must come first")),
                Event::DocType(_) => {
                    return Err(self.fault(start, end, "a document type declaration (DOCTYPE) is not allowed"));
                }
                Event::Eof => break,
            }
        }
        if let Some(open) = self.open.last() {
            let message = format!("the element <{}> is not closed", open.element.name.as_str());
            let at = open.element.span.start as usize;
            return Err(self.fault(at, at + 1, &message));
        }
        match document {
            (prolog, Some(root), epilog) => Ok(Document { prolog, root, epilog }),
            _ => Err(self.fault(0, 0, "the document has no top-level element")),
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>, start: usize, end: usize) -> Result<()> {
        if self.open.len() >= self.options.max_depth {
            let message = format!("elements are nested deeper than {} levels", self.options.max_depth);
            return Err(self.fault(start, end, &message));
        }
        let bindings_before = self.bindings.len();
        let mut raw: Vec<(&str, String, Span)> = Vec::new();
        for attribute in tag.attributes().with_checks(true) {
            let attribute = attribute.map_err(|error| self.fault(start, end, &error.to_string()))?;
            if raw.len() == MAX_ATTRIBUTES {
                return Err(self.fault(start, end, &format!("an element has more than {MAX_ATTRIBUTES} attributes")));
            }
            let key = attribute.key.0;
            self.check_name(key, start, end)?;
            let span = match &attribute.value {
                Cow::Borrowed(value) => self.span_of(value),
                Cow::Owned(_) => Span::new(start, end),
            };
            let value = self.attribute_value(&attribute.value, span)?;
            let declared = match key.split_once(':') {
                Some(("xmlns", prefix)) => Some(prefix),
                None if key == "xmlns" => Some(""),
                _ => None,
            };
            if let Some(prefix) = declared {
                let namespace = match value.as_str() {
                    DTS_NAMESPACE => Namespace::Dts,
                    "" => Namespace::None,
                    _ => Namespace::Other,
                };
                self.bindings.push((prefix.into(), namespace));
            }
            raw.push((key, value, span));
        }
        let mut attributes: Vec<Attribute> = Vec::with_capacity(raw.len());
        for (key, value, span) in raw {
            let namespace = match key.split_once(':') {
                Some(("xmlns", _)) => Namespace::Declaration,
                Some((prefix, _)) => self.namespace(prefix, span)?,
                None if key == "xmlns" => Namespace::Declaration,
                None => Namespace::None,
            };
            attributes.push(Attribute { name: Name::new(key, namespace), value, span });
        }
        let name = tag.name().0;
        self.check_name(name, start, end)?;
        let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
        let namespace = self.namespace(prefix, Span::new(start, end))?;
        let space = attributes.iter().find(|attribute| attribute.name.as_str() == "xml:space");
        let preserve_space = match space {
            Some(attribute) => attribute.value == "preserve",
            None => self.open.last().is_some_and(|parent| parent.preserve_space),
        };
        let element =
            Element { name: Name::new(name, namespace), attributes, children: Vec::new(), span: Span::new(start, end) };
        self.open.push(Open { element, bindings_before, preserve_space });
        Ok(())
    }

    fn end(&mut self, end: usize, root: &mut Option<Element>) {
        let Some(Open { mut element, bindings_before, preserve_space }) = self.open.pop() else { return };
        self.bindings.truncate(bindings_before);
        element.span.end = Span::new(0, end).end;
        let has_markup = element.children.iter().any(|node| node.as_text().is_none());
        if has_markup && !preserve_space {
            element.children.retain(|node| !matches!(node, Node::Text(text) if is_white(text)));
        }
        element.children.shrink_to_fit();
        match self.open.last_mut() {
            Some(parent) => parent.element.children.push(Node::Element(element)),
            None => *root = Some(element),
        }
    }

    fn push(&mut self, node: Node, document: &mut (Vec<Node>, Option<Element>, Vec<Node>)) {
        match self.open.last_mut() {
            Some(parent) => parent.element.children.push(node),
            None if document.1.is_none() => document.0.push(node),
            None => document.2.push(node),
        }
    }

    fn add_text(&mut self, text: &str, start: usize, end: usize) -> Result<()> {
        if self.open.is_empty() {
            return match is_white(text) {
                true => Ok(()),
                false => Err(self.fault(start, end, "text is not allowed outside the top-level element")),
            };
        }
        self.text.push_str(text);
        self.has_text = true;
        Ok(())
    }

    fn flush_text(&mut self) {
        if std::mem::take(&mut self.has_text) {
            let text = std::mem::take(&mut self.text);
            if let Some(parent) = self.open.last_mut() {
                parent.element.children.push(Node::Text(text));
            }
        }
    }

    /// What a reference stands for: one of the five predefined entities or a character; there are no others.
    fn reference(&self, reference: &str, start: usize, end: usize) -> Result<char> {
        let number = match reference {
            "lt" => return Ok('<'),
            "gt" => return Ok('>'),
            "amp" => return Ok('&'),
            "apos" => return Ok('\''),
            "quot" => return Ok('"'),
            _ => match reference.strip_prefix("#x") {
                Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                    u32::from_str_radix(digits, 16).ok()
                }
                Some(_) => None,
                None => reference
                    .strip_prefix('#')
                    .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
                    .and_then(|digits| digits.parse().ok()),
            },
        };
        number.and_then(char::from_u32).filter(|c| is_xml_char(*c)).ok_or_else(|| {
            let message = match reference.starts_with('#') {
                true => format!("&{reference}; is not a character"),
                false => format!("the entity &{reference}; is not defined"),
            };
            self.fault(start, end, &message)
        })
    }

    /// The value of an attribute: white space becomes spaces, references what they stand for.
    fn attribute_value(&self, raw: &str, span: Span) -> Result<String> {
        if raw.contains('<') {
            return Err(self.fault_in(span, "the character '<' is not allowed in an attribute value"));
        }
        if !raw.contains(['&', '\t', '\n', '\r']) {
            return Ok(raw.to_owned());
        }
        let raw = normalize_line_ends(raw);
        let mut value = String::with_capacity(raw.len());
        let mut rest = &*raw;
        while let Some(at) = rest.find(['&', '\t', '\n']) {
            value.push_str(&rest[..at]);
            if rest.as_bytes()[at] != b'&' {
                value.push(' ');
                rest = &rest[at + 1..];
                continue;
            }
            let Some((reference, tail)) = rest[at + 1..].split_once(';') else {
                return Err(self.fault_in(span, "a reference in an attribute value is not closed"));
            };
            value.push(self.reference(reference, span.start as usize, span.end as usize)?);
            rest = tail;
        }
        value.push_str(rest);
        Ok(value)
    }

    fn namespace(&self, prefix: &str, span: Span) -> Result<Namespace> {
        match self.bindings.iter().rev().find(|(bound, _)| &**bound == prefix) {
            Some((_, namespace)) => Ok(*namespace),
            None if prefix.is_empty() => Ok(Namespace::None),
            None if prefix == "xml" => Ok(Namespace::Xml),
            None => Err(self.fault_in(span, &format!("the namespace prefix '{prefix}' is not declared"))),
        }
    }

    fn check_name(&self, name: &str, start: usize, end: usize) -> Result<()> {
        let is_start = |c: char| c.is_alphabetic() || c == '_' || (c as u32) > 0x7F;
        let valid_part = |part: &str| {
            part.starts_with(is_start)
                && part.chars().all(|c| is_start(c) || c.is_ascii_digit() || matches!(c, '-' | '.'))
        };
        let mut parts = name.split(':');
        let valid =
            parts.next().is_some_and(valid_part) && parts.next().is_none_or(valid_part) && parts.next().is_none();
        match valid {
            true => Ok(()),
            false => Err(self.fault(start, end, &format!("'{name}' is not a valid name"))),
        }
    }

    /// The place of a slice of the source.
    fn span_of(&self, slice: &str) -> Span {
        let start = (slice.as_ptr() as usize).wrapping_sub(self.source.text.as_ptr() as usize);
        match start <= self.source.text.len() {
            true => Span::new(start, start + slice.len()),
            false => Span::default(),
        }
    }

    fn fault_in(&self, span: Span, message: &str) -> Box<LoadError> {
        self.fault(span.start as usize, span.end as usize, message)
    }

    fn fault(&self, start: usize, end: usize, message: &str) -> Box<LoadError> {
        let fault = match self.source.path {
            Some(_) => Fault::LoadPackageXmlFile,
            None => Fault::LoadPackageXml,
        };
        LoadError::new(fault, message).at(self.source, Span::new(start, end.max(start)))
    }
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

pub(super) fn is_white(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

/// The characters that XML 1.0 allows.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// True if a text may hold characters that XML does not allow: a quick look before the exact one.
fn has_forbidden_bytes(text: &str) -> bool {
    let is_control = |byte: u8| (byte < b' ') & (byte != b'\t') & (byte != b'\n') & (byte != b'\r');
    text.bytes().fold(false, |found, byte| found | is_control(byte)) || text.contains(['\u{FFFE}', '\u{FFFF}'])
}

fn normalize_line_ends(text: &str) -> Cow<'_, str> {
    match text.contains('\r') {
        true => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Document> {
        parse(&SourceText { path: None, text: text.to_owned() }, &LoadOptions::default())
    }

    #[test]
    fn references_and_line_ends_become_characters() {
        let root = parsed("<a b='&lt;&#x41;&#66;&#xA;x\r\ny\tz'>1\r\n2&amp;<![CDATA[<&\r\n>]]></a>").unwrap().root;
        assert_eq!(root.attr("b"), Some("<AB\nx y z"));
        assert_eq!(root.children, vec![Node::Text("1\n2&".to_owned()), Node::CData("<&\n>".to_owned())]);
    }

    #[test]
    fn white_space_counts_only_where_it_can() {
        let root = parsed("<a> <b> </b> <c xml:space='preserve'> <d/> </c> </a>").unwrap().root;
        assert_eq!(root.children.len(), 2);
        assert_eq!(root.child("b").unwrap().text(), " ");
        assert_eq!(root.child("c").unwrap().text(), "  ");
    }

    #[test]
    fn namespaces_are_found_by_what_the_prefix_is_bound_to() {
        let text = "<x:a xmlns:x='www.microsoft.com/SqlServer/Dts' x:n='1' n2='2'><b xmlns='urn:o'/><b/></x:a>";
        let root = parsed(text).unwrap().root;
        assert_eq!(root.name.namespace(), Namespace::Dts);
        let namespaces: Vec<_> = root.attributes.iter().map(|a| a.name.namespace()).collect();
        assert_eq!(namespaces, [Namespace::Declaration, Namespace::Dts, Namespace::None]);
        let children: Vec<_> = root.elements().map(|e| e.name.namespace()).collect();
        assert_eq!(children, [Namespace::Other, Namespace::None]);
    }

    #[test]
    fn faults_have_a_place() {
        let deep = "<a>".repeat(300);
        let table: [(&str, &str, (usize, usize)); 15] = [
            ("", "no top-level element", (1, 1)),
            ("<a>\n <b>\n</a>", "", (3, 1)),
            ("<a>\n  <b", "", (2, 3)),
            ("<a></a><b/>", "only one top-level", (1, 8)),
            ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "DOCTYPE", (1, 1)),
            ("<a>&x;</a>", "not defined", (1, 4)),
            ("<a b='&x;'/>", "not defined", (1, 7)),
            ("<a>&#1;</a>", "not a character", (1, 4)),
            ("<a b='1' b='2'/>", "", (1, 1)),
            ("<p:a/>", "prefix 'p' is not declared", (1, 1)),
            ("<a\n b='<'/>", "'<' is not allowed", (2, 5)),
            ("<a>\u{1}</a>", "invalid character", (1, 4)),
            ("text<a/>", "outside the top-level", (1, 1)),
            ("<a>", "not closed", (1, 1)),
            (&deep, "deeper than 256", (1, 769)),
        ];
        for (text, message, place) in table {
            let error = parsed(text).map(|_| ()).unwrap_err();
            assert!(error.message.contains(message), "{text}: {}", error.message);
            assert_eq!((error.line, error.column), place, "{text}: {}", error.message);
            assert_eq!(error.name, "DTS_E_LOADPACKAGEXML");
        }
    }
}
