//! The neutral tree: what the model keeps of parts that it does not interpret.
//!
//! Object data of tasks, designer layout, elements of third-party extensions: they are kept as they were, and looked at
//! through the helpers of [`Element`]. Nothing here knows how the tree is spelled in a file.

use std::fmt;

/// A range of bytes in the decoded text of the file that an object came from; empty for objects made in code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// The span of `start..end`; offsets beyond 4 GB (which the size cap of the reader excludes) saturate.
    pub fn new(start: usize, end: usize) -> Span {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span { start: clamp(start), end: clamp(end) }
    }

    /// True for the span of an object that was made in code.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// The namespaces that matter to a package.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// No namespace: pipelines, most task data, unprefixed attributes.
    #[default]
    None,
    /// `www.microsoft.com/SqlServer/Dts`.
    Dts,
    /// The `xml:` prefix (`xml:space`).
    Xml,
    /// A namespace declaration (`xmlns`, `xmlns:DTS`).
    Declaration,
    /// Any other namespace, told apart by the prefix and its declaration only.
    Other,
}

/// The prefix under which this project writes the DTS namespace.
pub const DTS_PREFIX: &str = "DTS";

/// A name as it was spelled (`DTS:ObjectName`), with the namespace that its prefix stood for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name {
    text: Box<str>,
    local_at: u32,
    namespace: Namespace,
}

impl Name {
    /// A name from its spelling and the namespace that the reader found for it.
    pub fn new(spelling: &str, namespace: Namespace) -> Name {
        let local_at = spelling.find(':').map_or(0, |colon| colon + 1);
        Name { text: spelling.into(), local_at: u32::try_from(local_at).unwrap_or(0), namespace }
    }

    /// A name without prefix and namespace; a colon in it is part of the name.
    pub fn plain(name: &str) -> Name {
        Name { text: name.into(), local_at: 0, namespace: Namespace::None }
    }

    /// A name in the DTS namespace, spelled with the usual prefix.
    pub fn dts(local: &str) -> Name {
        Name {
            text: format!("{DTS_PREFIX}:{local}").into(),
            local_at: DTS_PREFIX.len() as u32 + 1,
            namespace: Namespace::Dts,
        }
    }

    /// The whole spelling, prefix included.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part behind the prefix.
    pub fn local(&self) -> &str {
        &self.text[self.local_at as usize..]
    }

    /// The prefix, empty if there is none.
    pub fn prefix(&self) -> &str {
        &self.text[..(self.local_at as usize).saturating_sub(1)]
    }

    /// The namespace of the name.
    pub fn namespace(&self) -> Namespace {
        self.namespace
    }

    /// True if this is `local` in the DTS namespace or in none: how every name of the format is looked up.
    pub fn is(&self, local: &str) -> bool {
        matches!(self.namespace, Namespace::None | Namespace::Dts) && self.local() == local
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: Name,
    /// Its value, unescaped.
    pub value: String,
    /// Where the value stands.
    pub span: Span,
}

/// What an element can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A child element.
    Element(Element),
    /// Character data, unescaped.
    Text(String),
    /// A CDATA section, word for word.
    CData(String),
    /// A comment, word for word.
    Comment(String),
    /// A processing instruction, word for word without its brackets.
    Instruction(String),
}

impl Node {
    /// The element, if the node is one.
    pub fn as_element(&self) -> Option<&Element> {
        match self {
            Node::Element(element) => Some(element),
            _ => None,
        }
    }

    /// The characters of a text or CDATA node.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Node::Text(text) | Node::CData(text) => Some(text),
            _ => None,
        }
    }
}

/// An element with everything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: Name,
    /// Its attributes, namespace declarations included, in the order of the file.
    pub attributes: Vec<Attribute>,
    /// Its content. White space between child elements is not kept, unless `xml:space="preserve"` asks for it.
    pub children: Vec<Node>,
    /// From the first to the last byte of the element.
    pub span: Span,
}

impl Element {
    /// An empty element without namespace.
    pub fn new(name: &str) -> Element {
        Element::named(Name::plain(name))
    }

    /// An empty element in the DTS namespace.
    pub fn dts(local: &str) -> Element {
        Element::named(Name::dts(local))
    }

    /// An empty element.
    pub fn named(name: Name) -> Element {
        Element { name, attributes: Vec::new(), children: Vec::new(), span: Span::default() }
    }

    /// The element with one more attribute without namespace.
    #[must_use]
    pub fn with_attr(mut self, name: &str, value: &str) -> Element {
        self.set_attr(name, value);
        self
    }

    /// The element with one more child element.
    #[must_use]
    pub fn with_child(mut self, child: Element) -> Element {
        self.children.push(Node::Element(child));
        self
    }

    /// The element with one more piece of text.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Element {
        self.children.push(Node::Text(text.to_owned()));
        self
    }

    /// The value of the attribute with this local name, whatever its prefix and its case; namespace declarations do
    /// not count.
    pub fn attr(&self, local: &str) -> Option<&str> {
        self.attribute(local).map(|attribute| attribute.value.as_str())
    }

    /// The attribute with this local name, whatever its prefix and its case.
    pub fn attribute(&self, local: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| {
            attribute.name.namespace() != Namespace::Declaration && attribute.name.local().eq_ignore_ascii_case(local)
        })
    }

    /// Sets an attribute; a new one is spelled as `name`, with the prefix and namespace of the element if `name` has none
    /// of its own and the element's other attributes carry the element's prefix.
    pub fn set_attr(&mut self, name: &str, value: &str) {
        let local = name.rsplit(':').next().unwrap_or(name);
        let found = self.attributes.iter_mut().find(|attribute| {
            attribute.name.namespace() != Namespace::Declaration && attribute.name.local().eq_ignore_ascii_case(local)
        });
        match found {
            Some(attribute) => value.clone_into(&mut attribute.value),
            None => {
                let name = match name.split_once(':') {
                    Some((DTS_PREFIX, local)) => Name::dts(local),
                    Some(("xml", _)) => Name::new(name, Namespace::Xml),
                    Some(("xmlns", _)) => Name::new(name, Namespace::Declaration),
                    Some(_) => Name::new(name, Namespace::Other),
                    None if name == "xmlns" => Name::new(name, Namespace::Declaration),
                    None => Name::plain(name),
                };
                self.attributes.push(Attribute { name, value: value.to_owned(), span: Span::default() });
            }
        }
    }

    /// Removes the attribute with this local name.
    pub fn remove_attr(&mut self, local: &str) {
        self.attributes.retain(|attribute| {
            attribute.name.namespace() == Namespace::Declaration || !attribute.name.local().eq_ignore_ascii_case(local)
        });
    }

    /// The child elements.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(Node::as_element)
    }

    /// The first child element with this local name, whatever its prefix and its case.
    pub fn child(&self, local: &str) -> Option<&Element> {
        self.elements().find(|child| child.name.local().eq_ignore_ascii_case(local))
    }

    /// The first child element with this local name, to change it.
    pub fn child_mut(&mut self, local: &str) -> Option<&mut Element> {
        self.children.iter_mut().find_map(|node| match node {
            Node::Element(child) if child.name.local().eq_ignore_ascii_case(local) => Some(child),
            _ => None,
        })
    }

    /// All child elements with this local name.
    pub fn children_named<'a>(&'a self, local: &'a str) -> impl Iterator<Item = &'a Element> {
        self.elements().filter(move |child| child.name.local().eq_ignore_ascii_case(local))
    }

    /// The text of the child element with this local name, if there is one.
    pub fn child_text(&self, local: &str) -> Option<String> {
        self.child(local).map(Element::text)
    }

    /// The element's own text and CDATA, put together.
    pub fn text(&self) -> String {
        let mut pieces = self.children.iter().filter_map(Node::as_text);
        let first = pieces.next().unwrap_or_default();
        pieces.fold(first.to_owned(), |mut text, piece| {
            text.push_str(piece);
            text
        })
    }

    /// Replaces the content with this text.
    pub fn set_text(&mut self, text: &str) {
        self.children.clear();
        if !text.is_empty() {
            self.children.push(Node::Text(text.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_split_at_the_prefix() {
        let table = [("DTS:ObjectName", "DTS", "ObjectName"), ("name", "", "name"), ("a:b:c", "a", "b:c")];
        for (spelling, prefix, local) in table {
            let name = Name::new(spelling, Namespace::Other);
            assert_eq!((name.prefix(), name.local()), (prefix, local), "{spelling}");
        }
        assert_eq!(Name::plain("a:b").local(), "a:b");
        assert_eq!(Name::dts("Name").as_str(), "DTS:Name");
    }

    #[test]
    fn lookups_ignore_prefix_and_case_but_not_declarations() {
        let element = Element::new("SQLTask:SqlTaskData")
            .with_attr("xmlns:SqlStatementSource", "urn:x")
            .with_attr("SQLTask:SqlStatementSource", "SELECT 1")
            .with_child(Element::new("ResultBinding").with_text("a").with_text("b"));
        assert_eq!(element.attr("sqlstatementsource"), Some("SELECT 1"));
        assert_eq!(element.child_text("resultbinding").as_deref(), Some("ab"));
        assert_eq!(element.attr("missing"), None);
    }
}
