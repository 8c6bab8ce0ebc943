//! The properties of an object, in the order and the form in which they were found.
//!
//! This list is the storage; the typed accessors of every object read and write it. That keeps an explicit default apart
//! from an omitted one, and an unknown property next to the known ones.

use super::tree::{Attribute, Name, Namespace, Node, Span};

/// How a property is spelled in the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Form {
    /// Made in code: the writer spells it as the format wants it.
    #[default]
    Unset,
    /// An attribute of the object's element: formats 6 and 8, and pipelines of all formats.
    Attribute,
    /// A `DTS:Property` element (or another element of that shape) with its own attributes.
    Element(Box<ElementForm>),
}

/// What an element that carries a value has besides the value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ElementForm {
    /// Its attributes, without the one that names the property.
    pub attributes: Vec<Attribute>,
    /// Its content, if that is more than one piece of text: nested properties, an encrypted block, a SOAP envelope.
    pub content: Vec<Node>,
    /// True if the text was one CDATA section.
    pub cdata: bool,
}

/// One property: a name and its text, and how it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    name: Name,
    value: String,
    form: Form,
    /// Where the value (of an attribute) or the element stands.
    pub span: Span,
}

impl Property {
    /// A property made in code.
    pub fn new(name: Name, value: impl Into<String>) -> Property {
        Property { name, value: value.into(), form: Form::Unset, span: Span::default() }
    }

    /// A property as the reader found it.
    pub fn from_parts(name: Name, value: String, form: Form, span: Span) -> Property {
        Property { name, value, form, span }
    }

    /// A property that is always an element, with a data type (a VARTYPE number) if it has one.
    pub fn element(name: &str, value: impl Into<String>, data_type: Option<u16>) -> Property {
        let mut property = Property {
            name: Name::plain(name),
            value: value.into(),
            form: Form::Element(Box::default()),
            span: Span::default(),
        };
        if let Some(number) = data_type {
            property.set_attr("DataType", &number.to_string());
        }
        property
    }

    /// The name without prefix.
    pub fn name(&self) -> &str {
        self.name.local()
    }

    /// The name as it is spelled.
    pub fn qualified_name(&self) -> &Name {
        &self.name
    }

    /// The text.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Replaces the text; what else the element held (nested properties, an encrypted block) goes away with the old one.
    pub fn set_value(&mut self, value: impl Into<String>) {
        self.value = value.into();
        if let Form::Element(form) = &mut self.form {
            form.content.clear();
            form.cdata = false;
        }
    }

    /// How the property is spelled.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// Changes how the property is spelled: for steps that bring a package from one format to another.
    pub fn set_form(&mut self, form: Form) {
        self.form = form;
    }

    /// An attribute of the element form, whatever its prefix.
    pub fn attr(&self, local: &str) -> Option<&str> {
        let Form::Element(form) = &self.form else { return None };
        form.attributes.iter().find(|attribute| attribute.name.local() == local).map(|a| a.value.as_str())
    }

    /// Sets an attribute in the DTS namespace and makes the property an element.
    pub fn set_attr(&mut self, local: &str, value: &str) {
        if !matches!(self.form, Form::Element(_)) {
            self.form = Form::Element(Box::default());
        }
        let Form::Element(form) = &mut self.form else { return };
        match form.attributes.iter_mut().find(|attribute| attribute.name.local() == local) {
            Some(attribute) => value.clone_into(&mut attribute.value),
            None => form.attributes.push(Attribute {
                name: Name::dts(local),
                value: value.to_owned(),
                span: Span::default(),
            }),
        }
    }

    /// The VARTYPE number of the value, if the element has one.
    pub fn data_type(&self) -> Option<u16> {
        self.attr("DataType")?.trim().parse().ok()
    }

    /// True if the value is marked as sensitive.
    pub fn sensitive(&self) -> bool {
        self.attr("Sensitive").is_some_and(is_true)
    }

    /// True if the value is encrypted: marked so, or replaced by an encrypted block.
    pub fn encrypted(&self) -> bool {
        self.attr("Encrypted").is_some_and(is_true)
            || self.content().iter().filter_map(Node::as_element).any(|element| element.name.local() == "EncryptedData")
    }

    /// True for `xml:space="preserve"`.
    pub fn preserves_space(&self) -> bool {
        let Form::Element(form) = &self.form else { return false };
        form.attributes.iter().any(|a| a.name.namespace() == Namespace::Xml && a.value == "preserve")
    }

    /// What the element held besides text.
    pub fn content(&self) -> &[Node] {
        match &self.form {
            Form::Element(form) => &form.content,
            _ => &[],
        }
    }
}

/// Booleans as every format writes them: `True`, `-1`, `1`.
pub(crate) fn is_true(text: &str) -> bool {
    let text = text.trim();
    text.eq_ignore_ascii_case("true") || text == "-1" || text == "1"
}

/// The properties of one object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PropertyList {
    items: Vec<Property>,
}

impl PropertyList {
    /// The text of a property, if the object has it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name).map(Property::value)
    }

    /// A property with everything about it.
    pub fn find(&self, name: &str) -> Option<&Property> {
        self.items.iter().find(|property| property.name.is(name))
    }

    /// A property, to change it.
    pub fn find_mut(&mut self, name: &str) -> Option<&mut Property> {
        self.items.iter_mut().find(|property| property.name.is(name))
    }

    /// Sets a property. The spelling of an existing one stays; a new one gets `name`.
    pub fn set(&mut self, name: Name, value: impl Into<String>) {
        match self.find_mut(name.local()) {
            Some(property) => property.set_value(value),
            None => self.items.push(Property::new(name, value)),
        }
    }

    /// Adds a property behind the others.
    pub fn push(&mut self, property: Property) {
        self.items.push(property);
    }

    /// Removes every property of this name; true if there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.items.len();
        self.items.retain(|property| !property.name.is(name));
        self.items.len() != before
    }

    /// Keeps the properties that the test accepts.
    pub fn retain(&mut self, keep: impl FnMut(&Property) -> bool) {
        self.items.retain(keep);
    }

    /// Puts the properties into another order; those of the same rank keep theirs.
    pub(crate) fn sort_by<K: Ord>(&mut self, rank: impl Fn(&Property) -> K) {
        self.items.sort_by_cached_key(rank);
    }

    /// All properties in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Property> {
        self.items.iter()
    }

    /// All properties in order, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Property> {
        self.items.iter_mut()
    }

    /// The number of properties.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// A boolean; `default` if the property is absent or empty.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        match self.get(name) {
            Some(text) if !text.trim().is_empty() => is_true(text),
            _ => default,
        }
    }

    /// Sets a boolean: in the style of the text that it replaces (`-1` and `0` in formats 2 and 3), else `True`, `False`.
    pub fn set_flag(&mut self, name: Name, value: bool) {
        let style = self.get(name.local()).map(str::trim).unwrap_or_default();
        let text = match (style, value) {
            ("0" | "-1" | "1", true) => "-1",
            ("0" | "-1" | "1", false) => "0",
            ("true" | "false", true) => "true",
            ("true" | "false", false) => "false",
            (_, true) => "True",
            (_, false) => "False",
        };
        self.set(name, text);
    }

    /// A number; `default` if the property is absent or not a number of this type (the reader refuses the latter).
    pub fn number<N: std::str::FromStr>(&self, name: &str, default: N) -> N {
        self.get(name).and_then(|text| text.trim().parse().ok()).unwrap_or(default)
    }
}

impl FromIterator<Property> for PropertyList {
    fn from_iter<I: IntoIterator<Item = Property>>(properties: I) -> PropertyList {
        PropertyList { items: properties.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_keeps_the_style_of_the_file() {
        for (before, after) in [("0", "-1"), ("False", "True"), ("false", "true"), ("", "True")] {
            let mut list = PropertyList::default();
            list.set(Name::dts("Disabled"), before);
            list.set_flag(Name::dts("Disabled"), true);
            assert_eq!(list.get("Disabled"), Some(after), "was {before:?}");
            assert!(list.flag("Disabled", false));
        }
    }

    #[test]
    fn setting_a_value_drops_the_encrypted_block() {
        let block = super::super::tree::Element::new("EncryptedData");
        let form = ElementForm { content: vec![Node::Element(block)], ..ElementForm::default() };
        let mut property = Property::from_parts(
            Name::plain("ParameterValue"),
            String::new(),
            Form::Element(Box::new(form)),
            Span::default(),
        );
        assert!(property.encrypted());
        property.set_value("known");
        assert!(!property.encrypted());
        assert_eq!(property.value(), "known");
    }
}
