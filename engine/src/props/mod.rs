//! Properties: what a package says about an object, with the origin of each value; and neutral data trees.

use crate::diag::Span;
use indexmap::IndexMap;

/// Where a property's value came from; a later origin overrides an earlier one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Origin {
    /// The kind's own default.
    Default,
    /// The package file.
    #[default]
    Package,
    /// A configuration.
    Configuration,
    /// `--set`, `/Set`, the API.
    Override,
    /// A property expression, which overrides all others.
    Expression,
}

/// A property's value as a package stores it: text that the owner of the property reads as its type.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum PropValue {
    /// `System.Null`, or no value.
    #[default]
    Null,
    /// Any scalar, in the package's invariant text form.
    Text(String),
    /// An array of text.
    List(Vec<String>),
}

/// One property.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Property {
    /// Its value.
    pub value: PropValue,
    /// Where that came from.
    pub origin: Origin,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

/// The properties of an object by name. Look-ups ignore letter case, as SSIS does.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PropertyBag {
    entries: IndexMap<String, (String, Property)>,
}

impl PropertyBag {
    /// Sets a property; a value of lower origin does not replace one of a higher.
    pub fn set(&mut self, name: &str, property: Property) {
        let key = name.to_ascii_lowercase();
        if self.entries.get(&key).is_none_or(|(_, old)| old.origin <= property.origin) {
            self.entries.insert(key, (name.to_owned(), property));
        }
    }

    /// Sets a text value.
    pub fn set_text(&mut self, name: &str, value: impl Into<String>, origin: Origin) {
        self.set(name, Property { value: PropValue::Text(value.into()), origin, span: None });
    }

    /// The property of that name.
    pub fn get(&self, name: &str) -> Option<&Property> {
        self.entries.get(&name.to_ascii_lowercase()).map(|(_, p)| p)
    }

    /// Its text, if it has some (None: absent, null or a list).
    pub fn text(&self, name: &str) -> Option<&str> {
        match &self.get(name)?.value {
            PropValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Its text, "" if it has none.
    pub fn str(&self, name: &str) -> &str {
        self.text(name).unwrap_or("")
    }

    /// Its value as a Boolean (`True`, `-1`, `1`, `False`, `0`; case ignored).
    pub fn bool(&self, name: &str) -> Option<bool> {
        parse_bool(self.text(name)?)
    }

    /// Its value as an integer (a Boolean text counts as -1 or 0).
    pub fn int(&self, name: &str) -> Option<i64> {
        let text = self.text(name)?.trim();
        text.parse().ok().or_else(|| parse_bool(text).map(|b| -i64::from(b)))
    }

    /// Its value as a floating-point number.
    pub fn float(&self, name: &str) -> Option<f64> {
        self.text(name)?.trim().parse().ok()
    }

    /// Its items, empty if it is no list.
    pub fn list(&self, name: &str) -> &[String] {
        match self.get(name).map(|p| &p.value) {
            Some(PropValue::List(items)) => items,
            _ => &[],
        }
    }

    /// Names and properties, in the order in which they were first set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Property)> {
        self.entries.values().map(|(n, p)| (n.as_str(), p))
    }
}

/// The Boolean spellings of package files: `True`, `-1`, `1`, `False`, `0`, in any letter case.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text.trim() {
        "1" | "-1" => Some(true),
        "0" => Some(false),
        t if t.eq_ignore_ascii_case("true") => Some(true),
        t if t.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// One property of a kind: its name, type, default and meaning. The table of a kind drives validation and the reference.
#[derive(Clone, Copy, Debug)]
pub struct PropertyDef {
    /// The SSIS name.
    pub name: &'static str,
    /// Its type.
    pub ty: PropertyType,
    /// The default, in text form.
    pub default: &'static str,
    /// One sentence.
    pub doc: &'static str,
}

/// A row of a kind's table.
pub const fn property(name: &'static str, ty: PropertyType, default: &'static str, doc: &'static str) -> PropertyDef {
    PropertyDef { name, ty, default, doc }
}

/// The types of properties.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum PropertyType {
    Bool,
    Int,
    Float,
    Text,
    TextList,
    Expression,
    VariableName,
    Lineage,
}

/// A neutral tree of named nodes with attributes: what a task, an enumerator or a connection manager stores in a package
/// (its ObjectData), free of the file's syntax. Look-ups ignore name prefixes (already removed) and letter case.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DataNode {
    /// Local name.
    pub name: String,
    /// Attributes: local name and value.
    pub attributes: Vec<(String, String)>,
    /// Child nodes in order.
    pub children: Vec<DataNode>,
    /// Concatenated text content.
    pub text: String,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

impl DataNode {
    /// The value of an attribute.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&DataNode> {
        self.children.iter().find(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// All children of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a DataNode> {
        self.children.iter().filter(move |c| c.name.eq_ignore_ascii_case(name))
    }
}
