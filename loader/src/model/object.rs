//! What all objects of a package have in common: properties, a place in the file, and what the model does not know.

use super::properties::{Property, PropertyList};
use super::tree::{Attribute, Name, Node, Span};

/// The common part of every object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Base {
    /// The object's properties; see the typed accessors of the object.
    pub properties: PropertyList,
    /// Where the object's element stands in the file.
    pub span: Span,
    /// The order of what the element held, and the unknown parts of it.
    pub(crate) layout: Layout,
}

/// The order in which an element held its properties, its collections and the parts that the model does not know.
///
/// A collection is named by the local name of its items (`"Executable"`). Items beyond the counted ones, of objects that
/// grew in code, follow the last ones that were counted; a collection which is not mentioned at all has its usual place.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Layout {
    pub(crate) slots: Vec<Slot>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Slot {
    /// So many of the properties that are elements.
    Properties(usize),
    /// So many items of a collection.
    Items(&'static str, usize),
    /// The element around a collection, with its own attributes and order.
    Wrapper(&'static str, Box<Wrapper>),
    /// An unknown part, word for word.
    Node(Node),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wrapper {
    pub(crate) name: Name,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) slots: Vec<Slot>,
}

impl Layout {
    /// Notes one more property that is an element.
    pub(crate) fn push_property(&mut self) {
        match self.slots.last_mut() {
            Some(Slot::Properties(count)) => *count += 1,
            _ => self.slots.push(Slot::Properties(1)),
        }
    }

    /// Notes one more item of a collection.
    pub(crate) fn push_item(slots: &mut Vec<Slot>, item: &'static str) {
        match slots.last_mut() {
            Some(Slot::Items(last, count)) if *last == item => *count += 1,
            _ => slots.push(Slot::Items(item, 1)),
        }
    }

    /// Forgets the order, keeps the unknown parts.
    pub(crate) fn forget_order(&mut self) {
        self.slots.retain(|slot| matches!(slot, Slot::Node(_)));
    }

    /// The unknown parts.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = &Node> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Node(node) => Some(node),
            _ => None,
        })
    }
}

/// Access to the common part; implemented by every object of the model.
pub trait Object {
    /// The common part.
    fn base(&self) -> &Base;

    /// The common part, to change it.
    fn base_mut(&mut self) -> &mut Base;

    /// The text of a property by its XML name, typed accessor or not.
    fn property(&self, name: &str) -> Option<&str> {
        self.base().properties.get(name)
    }

    /// A property with its data type, marks and place.
    fn property_object(&self, name: &str) -> Option<&Property> {
        self.base().properties.find(name)
    }

    /// Where the object stands in the file; empty for objects made in code.
    fn span(&self) -> Span {
        self.base().span
    }

    /// Where the value of a property stands, or else the object.
    fn property_span(&self, name: &str) -> Span {
        self.base().properties.find(name).map_or(self.base().span, |property| property.span)
    }

    /// The parts of the object that the model does not know.
    fn unknown_parts(&self) -> Vec<&Node> {
        self.base().layout.unknown().collect()
    }

    /// Adds a part that the model does not know; the writer puts it behind everything else.
    fn push_unknown(&mut self, node: Node) {
        self.base_mut().layout.slots.push(Slot::Node(node));
    }
}

/// Implements [`Object`] for structs with a `base` field, and typed accessors over their properties.
///
/// `dts` objects name new properties with the DTS prefix, `plain` ones (pipelines) without. Kinds of accessors:
/// `text` (empty if absent), `option` (text or nothing), `flag`, `int` (i32) and `long` (i64), with their defaults.
macro_rules! object {
    ($style:ident $type:ty { $($(#[$doc:meta])* $kind:ident $get:ident $set:ident $xml:literal $(= $default:expr)?;)* }) => {
        impl $crate::model::Object for $type {
            fn base(&self) -> &$crate::model::Base {
                &self.base
            }

            fn base_mut(&mut self) -> &mut $crate::model::Base {
                &mut self.base
            }
        }

        impl $type {
            $($crate::model::object::object!(@$kind $style $(#[$doc])* $get $set $xml $(, $default)?);)*
        }
    };

    (@text $style:ident $(#[$doc:meta])* $get:ident $set:ident $xml:literal) => {
        $(#[$doc])*
        pub fn $get(&self) -> &str {
            self.base.properties.get($xml).unwrap_or_default()
        }

        #[doc = concat!("Sets `", $xml, "`.")]
        pub fn $set(&mut self, value: &str) {
            self.base.properties.set($crate::model::tree::Name::$style($xml), value);
        }
    };

    (@option $style:ident $(#[$doc:meta])* $get:ident $set:ident $xml:literal) => {
        $(#[$doc])*
        pub fn $get(&self) -> Option<&str> {
            self.base.properties.get($xml)
        }

        #[doc = concat!("Sets `", $xml, "`.")]
        pub fn $set(&mut self, value: &str) {
            self.base.properties.set($crate::model::tree::Name::$style($xml), value);
        }
    };

    (@flag $style:ident $(#[$doc:meta])* $get:ident $set:ident $xml:literal, $default:expr) => {
        $(#[$doc])*
        pub fn $get(&self) -> bool {
            self.base.properties.flag($xml, $default)
        }

        #[doc = concat!("Sets `", $xml, "`.")]
        pub fn $set(&mut self, value: bool) {
            self.base.properties.set_flag($crate::model::tree::Name::$style($xml), value);
        }
    };

    (@int $style:ident $(#[$doc:meta])* $get:ident $set:ident $xml:literal, $default:expr) => {
        $(#[$doc])*
        pub fn $get(&self) -> i32 {
            self.base.properties.number($xml, $default)
        }

        #[doc = concat!("Sets `", $xml, "`.")]
        pub fn $set(&mut self, value: i32) {
            self.base.properties.set($crate::model::tree::Name::$style($xml), value.to_string());
        }
    };

    (@long $style:ident $(#[$doc:meta])* $get:ident $set:ident $xml:literal, $default:expr) => {
        $(#[$doc])*
        pub fn $get(&self) -> i64 {
            self.base.properties.number($xml, $default)
        }

        #[doc = concat!("Sets `", $xml, "`.")]
        pub fn $set(&mut self, value: i64) {
            self.base.properties.set($crate::model::tree::Name::$style($xml), value.to_string());
        }
    };
}
pub(crate) use object;
