//! The shape of a document: which elements are rows of which table, from an XML schema.
//!
//! Every element with attributes or elements of its own is a table, and so is one of text that may occur several times;
//! other elements and attributes are columns of the table around them. A table is called by its element, or, where several
//! elements have that name, by the names from the root on, joined by `__`. Names are compared without their namespaces, as
//! a document for this source has one.

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
        let mut globals = Globals::default();
        for document in &documents {
            globals.add(document.root_element())?;
        }
        let Some(element) = globals.elements.get(root).copied() else {
            return Err(format!("the schema has no element \"{root}\" for the document's root"));
        };
        let mut builder = Builder { globals, shape: Shape::default(), open: Vec::new() };
        builder.element(element, None, false, &mut Vec::new())?;
        Ok(builder.shape)
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

/// Names of the files that a schema includes.
///
/// # Errors
/// The schema cannot be read, or imports another namespace from a file.
pub(super) fn includes(text: &str) -> Result<Vec<String>, String> {
    let document = parse(text)?;
    let mut files = Vec::new();
    for child in document.root_element().children().filter(|c| c.tag_name().namespace() == Some(XSD)) {
        let location = child.attribute("schemaLocation");
        match (child.tag_name().name(), location) {
            ("include", Some(location)) => files.push(location.to_owned()),
            ("redefine" | "override", _) => {
                return Err("the schema redefines another one, which is not supported".into());
            }
            ("import", Some(location)) => {
                return Err(format!(
                    "the schema imports another namespace from \"{location}\", which is not supported"
                ));
            }
            _ => {}
        }
    }
    Ok(files)
}

fn parse(text: &str) -> Result<Document<'_>, String> {
    let document = Document::parse(text.trim_start_matches('\u{feff}'))
        .map_err(|e| format!("the schema is not well-formed XML: {e}"))?;
    match document.root_element().tag_name() {
        name if name.name() == "schema" && name.namespace() == Some(XSD) => Ok(document),
        name => Err(format!("the schema begins with the element \"{}\"", name.name())),
    }
}

/// What a schema declares by name.
#[derive(Default)]
struct Globals<'a> {
    elements: HashMap<&'a str, Xml<'a, 'a>>,
    complex: HashMap<&'a str, Xml<'a, 'a>>,
    simple: HashMap<&'a str, Xml<'a, 'a>>,
    groups: HashMap<&'a str, Xml<'a, 'a>>,
    attributes: HashMap<&'a str, Xml<'a, 'a>>,
    attribute_groups: HashMap<&'a str, Xml<'a, 'a>>,
}

impl<'a> Globals<'a> {
    fn add(&mut self, schema: Xml<'a, 'a>) -> Result<(), String> {
        for child in schema.children().filter(|c| c.tag_name().namespace() == Some(XSD)) {
            let Some(name) = child.attribute("name") else { continue };
            let map = match child.tag_name().name() {
                "element" => &mut self.elements,
                "complexType" => &mut self.complex,
                "simpleType" => &mut self.simple,
                "group" => &mut self.groups,
                "attribute" => &mut self.attributes,
                "attributeGroup" => &mut self.attribute_groups,
                _ => continue,
            };
            map.entry(name).or_insert(child);
        }
        Ok(())
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
                let Some(next) = self.simple.get(local(named)).or_else(|| self.complex.get(local(named))) else {
                    break;
                };
                at = *next;
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

struct Builder<'a> {
    globals: Globals<'a>,
    shape: Shape,
    /// Complex types that are being expanded.
    open: Vec<roxmltree::NodeId>,
}

impl<'a> Builder<'a> {
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
            Some(name) => match self.globals.elements.get(local(name)) {
                Some(element) => *element,
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
                if self.open.contains(&content.id()) {
                    return Err(format!("the schema is recursive at \"{}\", which is not supported", path.join("/")));
                }
                self.open.push(content.id());
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
            Some(name) => self.globals.complex.get(local(name)).copied(),
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
                    if let Some(base) = base.and_then(|name| self.globals.complex.get(local(name)).copied()) {
                        if self.open.contains(&base.id()) {
                            return Err("the schema has a type that extends itself".into());
                        }
                        self.open.push(base.id());
                        self.content(base, node, table, path)?;
                        self.open.pop();
                    }
                    self.content(child, node, table, path)?;
                }
                "restriction" => self.content(child, node, table, path)?,
                "group" => {
                    let named = child.attribute("ref").and_then(|name| self.globals.groups.get(local(name)).copied());
                    if let Some(group) = named {
                        if self.open.contains(&group.id()) {
                            return Err("the schema has a group within itself".into());
                        }
                        self.open.push(group.id());
                        self.content(group, node, table, path)?;
                        self.open.pop();
                    }
                }
                "attribute" => {
                    let named = child.attribute("ref").and_then(|name| self.globals.attributes.get(local(name)));
                    let attribute = named.copied().unwrap_or(child);
                    if let Some(name) = attribute.attribute("name") {
                        let lexical = self.globals.lexical(attribute);
                        let column = self.column(table, name, lexical);
                        self.shape.nodes[node].attributes.insert(name.to_owned(), column);
                    }
                }
                "attributeGroup" => {
                    let named =
                        child.attribute("ref").and_then(|n| self.globals.attribute_groups.get(local(n)).copied());
                    if let Some(group) = named {
                        if self.open.contains(&group.id()) {
                            return Err("the schema has a group of attributes within itself".into());
                        }
                        self.open.push(group.id());
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

/// Whether an element, or a group of them, may occur several times.
fn many(part: Xml<'_, '_>) -> bool {
    part.attribute("maxOccurs").is_some_and(|n| n == "unbounded" || n.parse::<u64>().is_ok_and(|n| n > 1))
}
