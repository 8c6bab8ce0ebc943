//! Which element holds what: one table per object, from which both reading and writing follow.
//!
//! A row names the element of an item, the wrapper that formats 6 and 8 put around the items (formats 2 and 3 have them
//! directly under their owner; the reader takes both in any format), and the field that keeps them. The order of the rows
//! is the order in which new objects are written.

use crate::model::{
    Attribute, Base, CacheColumn, Component, Configuration, Connection, ConnectionData, ConnectionManager,
    ConstraintEnd, CustomProperty, Element, ElementForm, Executable, ExternalColumn, ExternalMetadata, FlatFileColumn,
    ForEachEnumerator, Form, Input, InputColumn, Layout, LogProvider, LoggingOptions, Name, Namespace, Node, Object,
    ObjectData, Output, OutputColumn, PackageVariable, Parameter, Part, Path, Pipeline, PrecedenceConstraint, Property,
    PropertyList, SelectedLogProvider, Slot, Variable, VariableMapping, Wrapper,
};

/// What the writer needs to know of the format.
#[derive(Clone, Copy)]
pub(super) struct Style {
    /// Properties are attributes and collections have wrappers.
    pub(super) attributes: bool,
}

/// One kind of child.
pub(super) struct Row {
    /// The qualified name of an item.
    element: &'static str,
    /// The local name of the wrapper.
    wrapper: Option<&'static str>,
    /// The wrapper is there in all formats: pipelines.
    always_wrapped: bool,
}

impl Row {
    fn item(&self) -> &'static str {
        self.element.rsplit(':').next().unwrap_or(self.element)
    }

    fn is_dts(&self) -> bool {
        self.element.starts_with("DTS:")
    }

    fn name(&self, local: &str) -> Name {
        match self.is_dts() {
            true => Name::dts(local),
            false => Name::plain(local),
        }
    }

    fn matches(&self, element: &Element, local: &str) -> bool {
        let namespace = if self.is_dts() { Namespace::Dts } else { Namespace::None };
        element.name.namespace() == namespace && element.name.local() == local
    }
}

/// An object that stands in an element.
pub(super) trait Item: Sized {
    fn read(element: Element) -> Self;
    fn write(&self, name: Name, style: Style) -> Element;
}

/// An object with properties and collections.
pub(super) trait Persist: Object + Default {
    const ROWS: &'static [Row];
    /// Simple values may be `DTS:Property` elements.
    const DTS: bool;
    /// Stores an item of a row; gives it back if there is no room for a second one.
    fn take(&mut self, row: &Row, element: Element) -> Option<Element>;
    /// How many items of a row there are.
    fn count(&self, row: &Row) -> usize;
    /// Writes one item of a row, by its index.
    fn give(&self, row: &Row, place: (usize, Style)) -> Option<Element>;
}

macro_rules! persist {
    ($style:ident $type:ty { $($element:literal $(in $wrapper:literal)? => $shape:ident $field:ident: $item:ty;)* }) => {
        impl Persist for $type {
            const ROWS: &'static [Row] = &[$(Row {
                element: $element,
                wrapper: persist!(@wrapper $($wrapper)?),
                always_wrapped: persist!(@plain $style),
            }),*];
            const DTS: bool = !persist!(@plain $style);

            fn take(&mut self, row: &Row, element: Element) -> Option<Element> {
                match row.element {
                    $($element => persist!(@take $shape self.$field, element, $item),)*
                    _ => Some(element),
                }
            }

            fn count(&self, row: &Row) -> usize {
                match row.element {
                    $($element => persist!(@count $shape self.$field),)*
                    _ => 0,
                }
            }

            fn give(&self, row: &Row, place: (usize, Style)) -> Option<Element> {
                match (row.element, place) {
                    $(($element, (index, style)) => persist!(@give $shape self.$field, index, row, style),)*
                    _ => None,
                }
            }
        }
    };
    (@wrapper) => { None };
    (@wrapper $wrapper:literal) => { Some($wrapper) };
    (@plain dts) => { false };
    (@plain plain) => { true };
    (@take many $self:ident.$field:ident, $element:ident, $item:ty) => {{
        $self.$field.push(<$item as Item>::read($element));
        None
    }};
    (@take one $self:ident.$field:ident, $element:ident, $item:ty) => {
        match $self.$field {
            Some(_) => Some($element),
            None => {
                $self.$field = Some(<$item as Item>::read($element));
                None
            }
        }
    };
    (@count many $self:ident.$field:ident) => { $self.$field.len() };
    (@count one $self:ident.$field:ident) => { usize::from($self.$field.is_some()) };
    (@give many $self:ident.$field:ident, $index:ident, $row:ident, $style:ident) => {
        $self.$field.get($index).map(|item| Item::write(item, $row.name($row.item()), $style))
    };
    (@give one $self:ident.$field:ident, $index:ident, $row:ident, $style:ident) => {
        $self.$field.as_ref().filter(|_| $index == 0).map(|item| Item::write(item, $row.name($row.item()), $style))
    };
}

persist!(dts Executable {
    "DTS:ConnectionManager" in "ConnectionManagers" => many connection_managers: ConnectionManager;
    "DTS:Configuration" in "Configurations" => many configurations: Configuration;
    "DTS:LogProvider" in "LogProviders" => many log_providers: LogProvider;
    "DTS:PackageParameter" in "PackageParameters" => many parameters: Parameter;
    "DTS:Variable" in "Variables" => many variables: Variable;
    "DTS:LoggingOptions" => one logging: LoggingOptions;
    "DTS:PropertyExpression" => many expressions: Property;
    "DTS:Executable" in "Executables" => many executables: Executable;
    "DTS:PrecedenceConstraint" in "PrecedenceConstraints" => many precedence_constraints: PrecedenceConstraint;
    "DTS:ForEachEnumerator" => one enumerator: ForEachEnumerator;
    "DTS:ForEachVariableMapping" in "ForEachVariableMappings" => many variable_mappings: VariableMapping;
    "DTS:EventHandler" in "EventHandlers" => many event_handlers: Executable;
    "DTS:ObjectData" => one object_data: ObjectData;
    "DTS:PackageVariable" in "PackageVariables" => many package_variables: PackageVariable;
});
persist!(dts ConnectionManager {
    "DTS:PropertyExpression" => many expressions: Property;
    "DTS:ObjectData" => one object_data: ObjectData;
});
persist!(dts ConnectionData {
    "DTS:FlatFileColumn" in "FlatFileColumns" => many columns: FlatFileColumn;
    "DTS:CacheColumn" in "CacheColumns" => many cache_columns: CacheColumn;
});
persist!(dts FlatFileColumn {});
persist!(dts CacheColumn {});
persist!(dts Configuration {});
persist!(dts LogProvider {
    "DTS:PropertyExpression" => many expressions: Property;
    "DTS:ObjectData" => one object_data: ObjectData;
});
persist!(dts Parameter {});
persist!(dts Variable {
    "DTS:VariableValue" => one value: Property;
});
persist!(dts LoggingOptions {
    "DTS:SelectedLogProvider" in "SelectedLogProviders" => many providers: SelectedLogProvider;
});
persist!(dts SelectedLogProvider {});
persist!(dts PrecedenceConstraint {
    "DTS:Executable" => many ends: ConstraintEnd;
});
persist!(dts ConstraintEnd {});
persist!(dts ForEachEnumerator {
    "DTS:PropertyExpression" => many expressions: Property;
    "DTS:ObjectData" => one object_data: ObjectData;
});
persist!(dts VariableMapping {});
persist!(dts PackageVariable {});

persist!(plain Pipeline {
    "component" in "components" => many components: Component;
    "path" in "paths" => many paths: Path;
});
persist!(plain Component {
    "property" in "properties" => many properties: CustomProperty;
    "connection" in "connections" => many connections: Connection;
    "input" in "inputs" => many inputs: Input;
    "output" in "outputs" => many outputs: Output;
});
persist!(plain Connection {});
persist!(plain Input {
    "property" in "properties" => many properties: CustomProperty;
    "inputColumn" in "inputColumns" => many columns: InputColumn;
    "externalMetadataColumns" => one external: ExternalMetadata;
});
persist!(plain Output {
    "property" in "properties" => many properties: CustomProperty;
    "outputColumn" in "outputColumns" => many columns: OutputColumn;
    "externalMetadataColumns" => one external: ExternalMetadata;
});
persist!(plain ExternalMetadata {
    "externalMetadataColumn" => many columns: ExternalColumn;
});
persist!(plain InputColumn {
    "property" in "properties" => many properties: CustomProperty;
});
persist!(plain OutputColumn {
    "property" in "properties" => many properties: CustomProperty;
});
persist!(plain ExternalColumn {
    "property" in "properties" => many properties: CustomProperty;
});
persist!(plain Path {});

/// Object data holds parts of any kind in their own order.
impl Item for ObjectData {
    fn read(element: Element) -> ObjectData {
        let mut data = ObjectData { base: base_of(element.attributes, element.span), parts: Vec::new() };
        for node in element.children {
            data.parts.push(match node {
                Node::Element(child) if child.name.is("pipeline") && child.name.namespace() == Namespace::None => {
                    Part::Pipeline(Box::new(Pipeline::read(child)))
                }
                Node::Element(child)
                    if child.name.is("ConnectionManager") && child.name.namespace() == Namespace::Dts =>
                {
                    Part::Connection(Box::new(ConnectionData::read(child)))
                }
                Node::Text(text) if super::parse::is_white(&text) => continue,
                other => Part::Node(other),
            });
        }
        data
    }

    fn write(&self, name: Name, style: Style) -> Element {
        let mut element = Element::named(name);
        element.attributes = attributes(&self.base, true, style);
        for part in &self.parts {
            element.children.push(match part {
                Part::Pipeline(pipeline) => Node::Element(pipeline.write(Name::plain("pipeline"), style)),
                Part::Connection(data) => Node::Element(data.write(Name::dts("ConnectionManager"), style)),
                Part::Node(node) => node.clone(),
            });
        }
        element
    }
}

impl Item for CustomProperty {
    fn read(element: Element) -> CustomProperty {
        CustomProperty { base: base_of(element.attributes, element.span), content: element.children }
    }

    fn write(&self, name: Name, style: Style) -> Element {
        let mut element = Element::named(name);
        element.attributes = attributes(&self.base, false, style);
        element.children.clone_from(&self.content);
        element
    }
}

/// A property as an element: `DTS:Property`, `DTS:PropertyExpression`, `DTS:VariableValue`.
impl Item for Property {
    fn read(mut element: Element) -> Property {
        let is_name = |a: &Attribute| a.name.namespace() == Namespace::Dts && a.name.local() == "Name";
        let name = match element.attributes.iter().position(is_name) {
            Some(at) => Name::plain(&element.attributes.remove(at).value),
            None => element.name.clone(),
        };
        let mut form = ElementForm { attributes: element.attributes, ..ElementForm::default() };
        let value = match element.children.as_slice() {
            [] => String::new(),
            [Node::Text(text)] => text.clone(),
            [Node::CData(text)] => {
                form.cdata = true;
                text.clone()
            }
            nodes => {
                let pieces: Vec<&str> = nodes.iter().filter_map(Node::as_text).collect();
                let text = pieces.concat();
                form.content = element.children;
                text
            }
        };
        Property::from_parts(name, value, Form::Element(Box::new(form)), element.span)
    }

    fn write(&self, name: Name, _style: Style) -> Element {
        let mut element = Element::named(name);
        let is_named_by_attribute = self.qualified_name().namespace() == Namespace::None;
        if let Form::Element(form) = self.form() {
            element.attributes.clone_from(&form.attributes);
            element.children.clone_from(&form.content);
            if form.content.is_empty() && !self.value().is_empty() {
                let text = self.value().to_owned();
                element.children.push(if form.cdata { Node::CData(text) } else { Node::Text(text) });
            }
        } else if !self.value().is_empty() {
            element.children.push(Node::Text(self.value().to_owned()));
        }
        if is_named_by_attribute && element.name.local() != self.name() {
            // The designer writes attributes in the order of their names.
            let at =
                element.attributes.iter().position(|a| a.name.namespace() != Namespace::Dts || a.name.local() > "Name");
            let name = Attribute {
                name: Name::dts("Name"),
                value: self.qualified_name().as_str().to_owned(),
                span: self.span,
            };
            element.attributes.insert(at.unwrap_or(element.attributes.len()), name);
        }
        element
    }
}

impl<T: Persist> Item for T {
    fn read(element: Element) -> T {
        let mut object = T::default();
        *object.base_mut() = base_of(element.attributes, element.span);
        let mut slots = Layout::default();
        for node in element.children {
            let child = match node {
                Node::Element(child) => child,
                Node::Text(text) if super::parse::is_white(&text) => continue,
                other => {
                    slots.slots.push(Slot::Node(other));
                    continue;
                }
            };
            read_child(&mut object, child, &mut slots);
        }
        object.base_mut().layout = slots;
        object
    }

    fn write(&self, name: Name, style: Style) -> Element {
        let mut element = Element::named(name);
        element.attributes = attributes(self.base(), T::DTS, style);
        let mut writer = Writer::new(self, style);
        for slot in writer.plan() {
            writer.slot(&slot, &mut element.children);
        }
        element
    }
}

fn base_of(attributes: Vec<Attribute>, span: crate::model::Span) -> Base {
    let properties = attributes
        .into_iter()
        .map(|attribute| Property::from_parts(attribute.name, attribute.value, Form::Attribute, attribute.span))
        .collect();
    Base { properties, span, layout: Layout::default() }
}

/// Stores one child element of an object: a property, an item, a wrapper with items, or something unknown.
fn read_child<T: Persist>(object: &mut T, child: Element, layout: &mut Layout) {
    if T::DTS && child.name.namespace() == Namespace::Dts && child.name.local() == "Property" {
        let is_named =
            child.attributes.iter().any(|a| a.name.namespace() == Namespace::Dts && a.name.local() == "Name");
        if is_named {
            object.base_mut().properties.push(Property::read(child));
            layout.push_property();
        } else {
            layout.slots.push(Slot::Node(Node::Element(child)));
        }
        return;
    }
    for row in T::ROWS {
        if row.matches(&child, row.item()) && !(row.always_wrapped && row.wrapper.is_some()) {
            match object.take(row, child) {
                None => Layout::push_item(&mut layout.slots, row.item()),
                Some(rejected) => layout.slots.push(Slot::Node(Node::Element(rejected))),
            }
            return;
        }
        if let Some(wrapper) = row.wrapper.filter(|wrapper| row.matches(&child, wrapper)) {
            let wrapper = read_wrapper(object, row, wrapper, child);
            layout.slots.push(Slot::Wrapper(row.item(), Box::new(wrapper)));
            return;
        }
    }
    layout.slots.push(Slot::Node(Node::Element(child)));
}

fn read_wrapper<T: Persist>(object: &mut T, row: &Row, name: &str, element: Element) -> Wrapper {
    let mut wrapper = Wrapper { name: row.name(name), attributes: element.attributes, slots: Vec::new() };
    for node in element.children {
        match node {
            Node::Element(item) if row.matches(&item, row.item()) => match object.take(row, item) {
                None => Layout::push_item(&mut wrapper.slots, row.item()),
                Some(rejected) => wrapper.slots.push(Slot::Node(Node::Element(rejected))),
            },
            Node::Text(text) if super::parse::is_white(&text) => {}
            other => wrapper.slots.push(Slot::Node(other)),
        }
    }
    // Room for items that come later.
    if !wrapper.slots.iter().any(|slot| matches!(slot, Slot::Items(..))) {
        wrapper.slots.push(Slot::Items(row.item(), 0));
    }
    wrapper
}

/// Properties that are attributes even where formats 2 and 3 have elements.
const ALWAYS_ATTRIBUTES: &[&str] = &["ExecutableType", "ThreadHint", "IDREF", "IsFrom"];

fn is_attribute(property: &Property, is_dts: bool, style: Style) -> bool {
    match property.form() {
        Form::Attribute => true,
        Form::Element(_) => false,
        Form::Unset => !is_dts || style.attributes || ALWAYS_ATTRIBUTES.contains(&property.name()),
    }
}

fn attributes(base: &Base, is_dts: bool, style: Style) -> Vec<Attribute> {
    let mut attributes: Vec<Attribute> = base
        .properties
        .iter()
        .filter(|property| is_attribute(property, is_dts, style))
        .map(|property| Attribute {
            name: property.qualified_name().clone(),
            value: property.value().to_owned(),
            span: property.span,
        })
        .collect();
    if base.span.is_empty() {
        // Made in code: the designer's order.
        attributes.sort_by_cached_key(|attribute| designer_rank(&attribute.name));
    }
    attributes
}

/// The order in which the designer writes attributes: declarations, the refId, the others by name.
pub(super) fn designer_rank(name: &Name) -> (bool, bool, String) {
    let is_declaration = name.namespace() == Namespace::Declaration;
    (!is_declaration, name.local() != "refId", name.local().to_ascii_lowercase())
}

/// Writes the children of one object in the order of its layout.
struct Writer<'o, T> {
    object: &'o T,
    style: Style,
    /// Properties that are elements, and how many of them are written.
    properties: Vec<&'o Property>,
    written_properties: usize,
    property_slots_left: usize,
    /// For each row: items written, and slots for its items that are still to come.
    rows: Vec<(usize, usize)>,
}

impl<'o, T: Persist> Writer<'o, T> {
    fn new(object: &'o T, style: Style) -> Writer<'o, T> {
        let properties: &PropertyList = &object.base().properties;
        let properties = properties.iter().filter(|property| !is_attribute(property, T::DTS, style)).collect();
        Writer {
            object,
            style,
            properties,
            written_properties: 0,
            property_slots_left: 0,
            rows: vec![(0, 0); T::ROWS.len()],
        }
    }

    /// The layout of the object, with a place for everything that it does not mention.
    fn plan(&mut self) -> Vec<Slot> {
        let mut slots = self.object.base().layout.slots.clone();
        if !self.properties.is_empty() && !slots.iter().any(|slot| matches!(slot, Slot::Properties(_))) {
            slots.insert(0, Slot::Properties(0));
        }
        for (at, row) in T::ROWS.iter().enumerate() {
            let mentioned = slots.iter().any(|slot| match slot {
                Slot::Items(item, _) | Slot::Wrapper(item, _) => *item == row.item(),
                Slot::Properties(_) | Slot::Node(_) => false,
            });
            if mentioned || self.object.count(row) == 0 {
                continue;
            }
            let slot = match row.wrapper {
                Some(wrapper) if self.style.attributes || row.always_wrapped => {
                    let inner = vec![Slot::Items(row.item(), 0)];
                    let wrapper = Wrapper { name: row.name(wrapper), attributes: Vec::new(), slots: inner };
                    Slot::Wrapper(row.item(), Box::new(wrapper))
                }
                _ => Slot::Items(row.item(), 0),
            };
            // Behind what usually comes before it; unknown parts, whose place is unknown too, stay behind.
            let comes_before = |slot: &Slot| match slot {
                Slot::Properties(_) => true,
                slot => self.rank(slot).is_some_and(|rank| rank < at),
            };
            let place = slots.iter().rposition(comes_before).map_or(0, |before| before + 1);
            slots.insert(place, slot);
        }
        self.count_slots(&slots);
        slots
    }

    /// The row of a slot.
    fn rank(&self, slot: &Slot) -> Option<usize> {
        match slot {
            Slot::Items(item, _) | Slot::Wrapper(item, _) => T::ROWS.iter().position(|row| row.item() == *item),
            Slot::Properties(_) | Slot::Node(_) => None,
        }
    }

    fn count_slots(&mut self, slots: &[Slot]) {
        for slot in slots {
            match slot {
                Slot::Properties(_) => self.property_slots_left += 1,
                Slot::Items(..) => {
                    if let Some(at) = self.rank(slot) {
                        self.rows[at].1 += 1;
                    }
                }
                Slot::Wrapper(_, wrapper) => self.count_slots(&wrapper.slots),
                Slot::Node(_) => {}
            }
        }
    }

    fn slot(&mut self, slot: &Slot, out: &mut Vec<Node>) {
        match slot {
            Slot::Properties(count) => {
                self.property_slots_left -= 1;
                let left = self.properties.len() - self.written_properties;
                let count = if self.property_slots_left == 0 { left } else { left.min(*count) };
                for _ in 0..count {
                    let property = self.properties[self.written_properties];
                    out.push(Node::Element(property.write(Name::dts("Property"), self.style)));
                    self.written_properties += 1;
                }
            }
            Slot::Items(_, count) => {
                let Some(at) = self.rank(slot) else { return };
                let row = &T::ROWS[at];
                self.rows[at].1 -= 1;
                let (written, slots_left) = self.rows[at];
                let left = self.object.count(row) - written;
                let count = if slots_left == 0 { left } else { left.min(*count) };
                for index in written..written + count {
                    out.extend(self.object.give(row, (index, self.style)).map(Node::Element));
                }
                self.rows[at].0 += count;
            }
            Slot::Wrapper(_, wrapper) => {
                let mut element = Element::named(wrapper.name.clone());
                element.attributes.clone_from(&wrapper.attributes);
                for slot in &wrapper.slots {
                    self.slot(slot, &mut element.children);
                }
                out.push(Node::Element(element));
            }
            Slot::Node(node) => out.push(node.clone()),
        }
    }
}
