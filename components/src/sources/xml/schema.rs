//! The shape of a document: which elements are rows of which table, from an XML schema.
//!
//! Every element with attributes or elements of its own is a table, and so is one of text that may occur several times;
//! other elements and attributes are columns of the table around them. A table is called by its element, or, where several
//! elements have that name, by the names from the root on, joined by `__`. What a schema declares is found by name and
//! namespace, also in what it includes and imports; the names of a document are compared without their namespaces, as a
//! document for this source has one.

use roxmltree::{Document, Node as Xml};
use std::collections::HashMap;

/// Elements within each other, at most.
const MAX_DEPTH: usize = 100;
/// Elements of a shape, at most.
const MAX_NODES: usize = 100_000;
const XSD: &str = "http://www.w3.org/2001/XMLSchema";

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Lexical {
    /// As the type of its column is.
    #[default]
    Plain,
    Base64,
    Hex,
}

/// An element.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Its elements, by name.
    pub(super) children: HashMap<String, usize>,
    /// Its attributes, by name: columns of its table.
    pub(super) attributes: HashMap<String, usize>,
    /// The table that it is a row of.
    pub(super) table: Option<usize>,
    /// The column of the table around it.
    pub(super) column: Option<usize>,
    /// The column of its own table that takes its text.
    pub(super) text: Option<usize>,
}

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    /// The name of its element.
    pub(super) name: String,
    /// The names of the elements from the root on.
    path: Vec<String>,
    /// The table around it.
    pub(super) parent: Option<usize>,
    /// Names of its columns, and how their values are written.
    pub(super) columns: Vec<(String, Lexical)>,
    /// The column of its text.
    pub(super) text: Option<usize>,
}

/// A root element and everything in it.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) nodes: Vec<Node>,
    pub(super) tables: Vec<Table>,
}

impl Shape {
    /// The shape of documents whose root is `root`. `schemas` are the texts of the schema and of what it includes.
    ///
    /// # Errors
    /// The schema cannot be read, has no such element, or says what is not supported.
    pub(super) fn of(schemas: &[String], root: &str) -> Result<Shape, String> {
        let documents = schemas.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
        let globals = Globals::of(&documents);
        let Some(element) = globals.elements.first(root) else {
            return Err(format!("the schema has no element \"{root}\" for the document's root"));
        };
        let mut builder = Builder { globals: &globals, shape: Shape::default(), open: Vec::new() };
        builder.element(element, None, false, &mut Vec::new())?;
        Ok(builder.shape)
    }

    /// The shapes of documents with any of the elements that the schema itself, the first text, declares.
    ///
    /// # Errors
    /// The schema cannot be read. An element that is not supported has no shape.
    pub(super) fn all(schemas: &[String]) -> Result<Vec<Shape>, String> {
        let documents = schemas.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
        let globals = Globals::of(&documents);
        let mut shapes = Vec::new();
        for child in documents.first().into_iter().flat_map(|d| d.root_element().children()) {
            if child.has_tag_name((XSD, "element")) {
                let mut builder = Builder { globals: &globals, shape: Shape::default(), open: Vec::new() };
                if builder.element(child, None, false, &mut Vec::new()).is_ok() {
                    shapes.push(builder.shape);
                }
            }
        }
        Ok(shapes)
    }

    /// The table that a rowset's id names.
    pub(super) fn table(&self, id: &str) -> Option<usize> {
        let by_path = self.tables.iter().position(|t| t.path.len() > 1 && t.path.join("__") == id);
        by_path.or_else(|| self.tables.iter().position(|t| t.name == id))
    }

    /// Whether `name` is the key of table `table`.
    pub(super) fn is_key(&self, table: usize, name: &str) -> bool {
        let table = &self.tables[table];
        name.strip_suffix("_Id").is_some_and(|stem| stem == table.name || stem == table.path.join("__"))
    }
}

/// Names of the files that a schema includes or imports. What it imports from the network (the schema of `xml:lang`) is
/// not asked for: no row needs it.
///
/// # Errors
/// The schema cannot be read, or takes a part of itself from the network, or redefines another one.
pub(super) fn includes(text: &str) -> Result<Vec<String>, String> {
    let document = parse(text)?;
    let mut files = Vec::new();
    for child in document.root_element().children().filter(|c| c.tag_name().namespace() == Some(XSD)) {
        let location = child.attribute("schemaLocation");
        match (child.tag_name().name(), location) {
            ("import", Some(location)) if remote(location) => {}
            ("include", Some(location)) if remote(location) => {
                return Err(format!("the schema includes \"{location}\", which is not a file"));
            }
            ("include" | "import", Some(location)) => files.push(location.to_owned()),
            ("redefine" | "override", _) => {
                return Err("the schema redefines another one, which is not supported".into());
            }
            _ => {}
        }
    }
    Ok(files)
}

fn remote(location: &str) -> bool {
    location.split_once("://").is_some_and(|(scheme, _)| scheme.len() > 1 && !scheme.eq_ignore_ascii_case("file"))
}

fn parse(text: &str) -> Result<Document<'_>, String> {
    let document = Document::parse(text.trim_start_matches('\u{feff}'))
        .map_err(|e| format!("the schema is not well-formed XML: {e}"))?;
    match document.root_element().tag_name() {
        name if name.name() == "schema" && name.namespace() == Some(XSD) => Ok(document),
        name => Err(format!("the schema begins with the element \"{}\"", name.name())),
    }
}

/// Declarations of one kind, by name.
#[derive(Default)]
struct Declared<'a>(HashMap<&'a str, Vec<Xml<'a, 'a>>>);

impl<'a> Declared<'a> {
    /// What `at` means by a name: the declaration of that namespace. A schema without one takes that of whoever includes
    /// it: then the name alone tells.
    fn find(&self, at: Xml<'a, 'a>, name: &str) -> Option<Xml<'a, 'a>> {
        let found = self.0.get(local(name))?;
        let namespace = at.lookup_namespace_uri(name.split_once(':').map(|(prefix, _)| prefix));
        let own = found.iter().find(|declared| namespace_of(**declared) == namespace);
        own.or_else(|| found.first()).copied()
    }

    /// The first one of a name.
    fn first(&self, name: &str) -> Option<Xml<'a, 'a>> {
        self.0.get(name)?.first().copied()
    }
}

/// The namespace of what a schema declares.
fn namespace_of<'a>(declared: Xml<'a, 'a>) -> Option<&'a str> {
    declared.parent_element().and_then(|schema| schema.attribute("targetNamespace"))
}

/// What schemas declare by name.
#[derive(Default)]
struct Globals<'a> {
    elements: Declared<'a>,
    complex: Declared<'a>,
    simple: Declared<'a>,
    groups: Declared<'a>,
    attributes: Declared<'a>,
    attribute_groups: Declared<'a>,
}

impl<'a> Globals<'a> {
    fn of(documents: &'a [Document<'a>]) -> Globals<'a> {
        let mut globals = Globals::default();
        let children = documents.iter().flat_map(|document| document.root_element().children());
        for child in children.filter(|c| c.tag_name().namespace() == Some(XSD)) {
            let Some(name) = child.attribute("name") else { continue };
            let map = match child.tag_name().name() {
                "element" => &mut globals.elements,
                "complexType" => &mut globals.complex,
                "simpleType" => &mut globals.simple,
                "group" => &mut globals.groups,
                "attribute" => &mut globals.attributes,
                "attributeGroup" => &mut globals.attribute_groups,
                _ => continue,
            };
            map.0.entry(name).or_default().push(child);
        }
        globals
    }

    /// How values of a simple type are written.
    fn lexical(&self, owner: Xml<'a, 'a>) -> Lexical {
        let mut at = owner;
        for _ in 0..MAX_DEPTH {
            let named = at.attribute("type").or_else(|| at.attribute("base"));
            if let Some(named) = named {
                if is_builtin(at, named) {
                    return match local(named) {
                        "base64Binary" => Lexical::Base64,
                        "hexBinary" => Lexical::Hex,
                        _ => Lexical::Plain,
                    };
                }
                let Some(next) = self.simple.find(at, named).or_else(|| self.complex.find(at, named)) else {
                    break;
                };
                at = next;
                continue;
            }
            let steps = ["simpleType", "restriction", "simpleContent", "extension"];
            match at.children().find(|c| steps.contains(&c.tag_name().name())) {
                Some(next) => at = next,
                None => break,
            }
        }
        Lexical::Plain
    }
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// Whether a type's name is one of XML Schema's own.
fn is_builtin(at: Xml<'_, '_>, name: &str) -> bool {
    let prefix = name.split_once(':').map(|(prefix, _)| prefix);
    at.lookup_namespace_uri(prefix) == Some(XSD)
}

struct Builder<'g, 'a> {
    globals: &'g Globals<'a>,
    shape: Shape,
    /// Complex types that are being expanded.
    open: Vec<Xml<'a, 'a>>,
}

impl<'a> Builder<'_, 'a> {
    /// Adds an element within `parent`; returns its node.
    fn element(
        &mut self,
        declared: Xml<'a, 'a>,
        parent: Option<usize>,
        repeated: bool,
        path: &mut Vec<String>,
    ) -> Result<(), String> {
        let repeated = repeated || many(declared);
        let element = match declared.attribute("ref") {
            Some(name) => match self.globals.elements.find(declared, name) {
                Some(element) => element,
                None => return Err(format!("the schema refers to an element \"{name}\" that it does not declare")),
            },
            None => declared,
        };
        let Some(name) = element.attribute("name") else {
            return Err("the schema has an element without a name".into());
        };
        if path.len() >= MAX_DEPTH || self.shape.nodes.len() >= MAX_NODES {
            return Err("the schema has too many elements within each other".into());
        }
        // The same element may stand in several branches of a choice.
        if parent.is_some_and(|p| self.shape.nodes[p].children.contains_key(name)) {
            return Ok(());
        }
        let content = self.complex_type(element);
        let node = self.shape.nodes.len();
        self.shape.nodes.push(Node::default());
        let around = parent.and_then(|p| self.shape.nodes[p].table);
        if let Some(parent) = parent {
            self.shape.nodes[parent].children.insert(name.to_owned(), node);
        }
        if let (None, Some(table), false) = (content, around, repeated) {
            let lexical = self.globals.lexical(element);
            self.shape.nodes[node].column = Some(self.column(table, name, lexical));
            return Ok(());
        }
        let table = self.shape.tables.len();
        path.push(name.to_owned());
        let (name, columns) = (name.to_owned(), Vec::new());
        self.shape.tables.push(Table { name, path: path.clone(), parent: around, columns, text: None });
        self.shape.nodes[node].table = Some(table);
        match content {
            None => self.text(node, table, self.globals.lexical(element)),
            Some(content) => {
                if self.open.contains(&content) {
                    return Err(format!("the schema is recursive at \"{}\", which is not supported", path.join("/")));
                }
                self.open.push(content);
                self.content(content, node, table, path)?;
                self.open.pop();
            }
        }
        path.pop();
        Ok(())
    }

    fn complex_type(&self, element: Xml<'a, 'a>) -> Option<Xml<'a, 'a>> {
        match element.attribute("type") {
            Some(name) if is_builtin(element, name) => None,
            Some(name) => self.globals.complex.find(element, name),
            None => element.children().find(|c| c.tag_name().name() == "complexType"),
        }
    }

    fn column(&mut self, table: usize, name: &str, lexical: Lexical) -> usize {
        let columns = &mut self.shape.tables[table].columns;
        match columns.iter().position(|(n, _)| n == name) {
            Some(place) => place,
            None => {
                columns.push((name.to_owned(), lexical));
                columns.len() - 1
            }
        }
    }

    /// The element's own text is a column of its table. Its name is not known from a package: `bind` takes several.
    fn text(&mut self, node: usize, table: usize, lexical: Lexical) {
        let columns = &mut self.shape.tables[table].columns;
        columns.push((String::new(), lexical));
        let place = Some(columns.len() - 1);
        self.shape.nodes[node].text = place;
        self.shape.tables[table].text = place;
    }

    /// Adds what a complex type, or a part of one, holds. The depth is bounded by that of elements and by the nesting of
    /// the schema's own text, which its parser bounds.
    fn content(&mut self, part: Xml<'a, 'a>, node: usize, table: usize, path: &mut Vec<String>) -> Result<(), String> {
        let repeated = many(part);
        for child in part.children().filter(|c| c.tag_name().namespace() == Some(XSD)) {
            match child.tag_name().name() {
                "element" => {
                    let group = matches!(part.tag_name().name(), "sequence" | "choice" | "all") && repeated;
                    self.element(child, Some(node), group, path)?;
                }
                "sequence" | "choice" | "all" | "complexContent" => self.content(child, node, table, path)?,
                "simpleContent" => {
                    self.text(node, table, self.globals.lexical(child));
                    self.content(child, node, table, path)?;
                }
                "extension" => {
                    let base = child.attribute("base").filter(|name| !is_builtin(child, name));
                    if let Some(base) = base.and_then(|name| self.globals.complex.find(child, name)) {
                        if self.open.contains(&base) {
                            return Err("the schema has a type that extends itself".into());
                        }
                        self.open.push(base);
                        self.content(base, node, table, path)?;
                        self.open.pop();
                    }
                    self.content(child, node, table, path)?;
                }
                "restriction" => {
                    self.content(child, node, table, path)?;
                    self.inherited(child, node, table);
                }
                "group" => {
                    let named = child.attribute("ref").and_then(|name| self.globals.groups.find(child, name));
                    if let Some(group) = named {
                        if self.open.contains(&group) {
                            return Err("the schema has a group within itself".into());
                        }
                        self.open.push(group);
                        self.content(group, node, table, path)?;
                        self.open.pop();
                    }
                }
                "attribute" => self.attribute(child, node, table),
                "attributeGroup" => {
                    let named = child.attribute("ref").and_then(|name| self.globals.attribute_groups.find(child, name));
                    if let Some(group) = named {
                        if self.open.contains(&group) {
                            return Err("the schema has a group of attributes within itself".into());
                        }
                        self.open.push(group);
                        self.content(group, node, table, path)?;
                        self.open.pop();
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl<'a> Builder<'_, 'a> {
    /// Adds an attribute.
    fn attribute(&mut self, declared: Xml<'a, 'a>, node: usize, table: usize) {
        let named = declared.attribute("ref").and_then(|name| self.globals.attributes.find(declared, name));
        let attribute = named.unwrap_or(declared);
        let Some(name) = attribute.attribute("name").filter(|_| declared.attribute("use") != Some("prohibited")) else {
            return;
        };
        let lexical = self.globals.lexical(attribute);
        let column = self.column(table, name, lexical);
        self.shape.nodes[node].attributes.insert(name.to_owned(), column);
    }

    /// A type that restricts another one has the attributes of that one that it does not prohibit.
    fn inherited(&mut self, restriction: Xml<'a, 'a>, node: usize, table: usize) {
        let prohibited: Vec<&str> = restriction
            .children()
            .filter(|c| c.tag_name().name() == "attribute" && c.attribute("use") == Some("prohibited"))
            .filter_map(|c| c.attribute("name"))
            .collect();
        let mut at = restriction;
        for _ in 0..MAX_DEPTH {
            let base = at.attribute("base").filter(|name| !is_builtin(at, name));
            let Some(base) = base.and_then(|name| self.globals.complex.find(at, name)) else { return };
            // Its attributes, wherever its content has them, but none of elements within it.
            let mut open = vec![base];
            let mut next = None;
            while let Some(part) = open.pop() {
                for child in part.children() {
                    match child.tag_name().name() {
                        "attribute" if child.attribute("name").is_none_or(|name| !prohibited.contains(&name)) => {
                            self.attribute(child, node, table);
                        }
                        "attributeGroup" => {
                            open.extend(child.attribute("ref").and_then(|name| {
                                self.globals.attribute_groups.find(child, name).filter(|group| *group != part)
                            }));
                        }
                        "simpleContent" | "complexContent" => open.push(child),
                        "extension" | "restriction" => {
                            next = Some(child);
                            open.push(child);
                        }
                        _ => {}
                    }
                }
            }
            let Some(further) = next else { return };
            at = further;
        }
    }
}

/// Whether an element, or a group of them, may occur several times.
fn many(part: Xml<'_, '_>) -> bool {
    part.attribute("maxOccurs").is_some_and(|n| n == "unbounded" || n.parse::<u64>().is_ok_and(|n| n > 1))
}
