//! Small conversions from the model to the engine's neutral forms.

use crate::model::tree::{Element, Namespace, Node, Span};
use crate::model::{CustomProperty, Property};
use dtsx_engine::control::plan::PropertyExpression;
use dtsx_engine::props::{DataNode, Origin, PropValue, PropertyBag};

/// The engine's span; None for an object that was made in code.
pub(super) fn span(span: Span) -> Option<dtsx_engine::diag::Span> {
    (!span.is_empty()).then_some(dtsx_engine::diag::Span { start: span.start, end: span.end })
}

/// An element as a neutral node: local names, no namespace declarations. The reader caps the depth of elements.
pub(super) fn node(element: &Element) -> DataNode {
    DataNode {
        name: element.name.local().to_owned(),
        attributes: element
            .attributes
            .iter()
            .filter(|a| a.name.namespace() != Namespace::Declaration)
            .map(|a| (a.name.local().to_owned(), a.value.clone()))
            .collect(),
        children: element.children.iter().filter_map(Node::as_element).map(node).collect(),
        text: element.text(),
        span: span(element.span),
    }
}

/// A property expression.
pub(super) fn expression(property: &Property) -> PropertyExpression {
    PropertyExpression {
        property: property.name().to_owned(),
        text: property.value().to_owned(),
        span: span(property.span),
    }
}

/// The custom properties of a pipeline object.
pub(super) fn custom(properties: &[CustomProperty]) -> PropertyBag {
    let mut bag = PropertyBag::default();
    for property in properties {
        let value = match property.array() {
            Some(items) => PropValue::List(items),
            None if property.is_null() && property.value().is_empty() => PropValue::Null,
            None => PropValue::Text(property.value().into_owned()),
        };
        let property_span = span(property.base.span);
        bag.set(property.name(), dtsx_engine::props::Property { value, origin: Origin::Package, span: property_span });
    }
    bag
}
