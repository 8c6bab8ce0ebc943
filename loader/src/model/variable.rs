//! Variables, package parameters and the designer's package variables.

use super::object::{Base, object};
use super::properties::{Form, Property};
use super::tree::Name;

/// A variable of a container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variable {
    /// The common part.
    pub base: Base,
    /// The `DTS:VariableValue` element: the design-time value, with its VARTYPE as [`Property::data_type`].
    pub value: Option<Property>,
}

object!(dts Variable {
    /// The name, without namespace.
    text name set_name "ObjectName";
    /// The namespace; `User` if it was left out.
    option namespace_property set_namespace "Namespace";
    /// The GUID of the variable.
    text dtsid set_dtsid "DTSID";
    /// What the designer's user wrote about it.
    text description set_description "Description";
    /// The expression; used only while [`Variable::evaluate_as_expression`] is on.
    option expression set_expression "Expression";
    /// The value is the result of the expression, computed whenever it is read.
    flag evaluate_as_expression set_evaluate_as_expression "EvaluateAsExpression" = false;
    /// Nothing may write it at run time.
    flag read_only set_read_only "ReadOnly" = false;
    /// A write raises OnVariableValueChanged on the container.
    flag raise_changed_event set_raise_changed_event "RaiseChangedEvent" = false;
    /// 2345 leaves the variable out of a debug dump, 6789 takes it in.
    int include_in_debug_dump set_include_in_debug_dump "IncludeInDebugDump" = 2345;
});

impl Variable {
    /// A variable with a value; `data_type` is a VARTYPE number (8 String, 3 Int32, 11 Boolean, 7 DateTime, 13 Object …).
    pub fn new(namespace: &str, name: &str, data_type: u16, value: &str) -> Variable {
        let mut variable = Variable::default();
        variable.set_namespace(namespace);
        variable.set_name(name);
        variable.set_value(data_type, value);
        variable
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        self.namespace_property().unwrap_or("User")
    }

    /// `Namespace::Name`.
    pub fn qualified_name(&self) -> String {
        format!("{}::{}", self.namespace(), self.name())
    }

    /// The VARTYPE number of the value; 0 (Empty) without one.
    pub fn data_type(&self) -> u16 {
        self.value.as_ref().and_then(Property::data_type).unwrap_or(0)
    }

    /// The text of the design-time value. White space alone counts only where the file says that it is to be kept.
    pub fn value_text(&self) -> &str {
        self.value.as_ref().map_or("", kept_text)
    }

    /// True for an Object variable whose value is a serialized .NET object, which reads as Nothing.
    pub fn is_managed_object(&self) -> bool {
        self.value.as_ref().is_some_and(|value| value.attr("DataSubType") == Some("ManagedSerializable"))
    }

    /// Sets type and value.
    pub fn set_value(&mut self, data_type: u16, value: &str) {
        let property = self.value.get_or_insert_with(|| Property::element("VariableValue", "", None));
        property.set_attr("DataType", &data_type.to_string());
        property.set_value(value);
    }
}

/// The text of an element as the original's XML reader sees it: white space alone is dropped unless it is marked.
///
/// (unconfirmed: follows from the reader's documented default, and from the marks which the designer writes)
fn kept_text(property: &Property) -> &str {
    let text = property.value();
    match text.trim().is_empty() && !property.preserves_space() {
        true => "",
        false => text,
    }
}

/// A parameter of a package.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameter {
    /// The common part; the value is the property `ParameterValue`.
    pub base: Base,
}

object!(dts Parameter {
    /// The name.
    text name set_name "ObjectName";
    /// The GUID.
    text dtsid set_dtsid "DTSID";
    /// What the designer's user wrote about it.
    text description set_description "Description";
    /// The type: a VARTYPE number.
    int data_type set_data_type "DataType" = 8;
    /// A value must be given for the execution.
    flag required set_required "Required" = false;
    /// The value is a secret.
    flag sensitive set_sensitive "Sensitive" = false;
});

impl Parameter {
    /// A parameter with a design-time value.
    pub fn new(name: &str, data_type: u16, value: &str) -> Parameter {
        let mut parameter = Parameter::default();
        parameter.set_name(name);
        parameter.set_data_type(i32::from(data_type));
        parameter.set_value(value);
        parameter
    }

    /// The design-time value, if there is one that can be read.
    pub fn value(&self) -> Option<&str> {
        let property = self.base.properties.find("ParameterValue")?;
        (!property.encrypted()).then(|| kept_text(property))
    }

    /// True if the value is encrypted.
    pub fn value_is_encrypted(&self) -> bool {
        self.base.properties.find("ParameterValue").is_some_and(Property::encrypted)
    }

    /// Sets the design-time value.
    pub fn set_value(&mut self, value: &str) {
        let data_type = u16::try_from(self.data_type()).ok();
        match self.base.properties.find_mut("ParameterValue") {
            Some(property) => property.set_value(value),
            None => self.base.properties.push(Property::element("ParameterValue", value, data_type)),
        }
    }
}

/// A `DTS:PackageVariable`: data of a designer or of an add-in, kept under a namespace and a name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PackageVariable {
    /// The common part; the value is the property `PackageVariableValue`.
    pub base: Base,
}

object!(dts PackageVariable {
    /// The name.
    text name set_name "ObjectName";
    /// The namespace, such as `dts-designer-1.0`.
    text namespace set_namespace "Namespace";
    /// The GUID.
    text dtsid set_dtsid "DTSID";
    /// The value.
    text value set_value "PackageVariableValue";
});

/// The value of one property, computed: an expression on a property of a package, a container, a task, a connection …
pub type PropertyExpression = Property;

/// A property expression: `target` names the property (`ConnectionString`, `[Component].[Property]`).
pub fn property_expression(target: &str, expression: &str) -> PropertyExpression {
    Property::from_parts(
        Name::plain(target),
        expression.to_owned(),
        Form::Element(Box::default()),
        super::tree::Span::default(),
    )
}
