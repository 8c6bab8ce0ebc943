//! Small objects of the control flow: constraints, enumerators, logging, configurations.

use super::data::ObjectData;
use super::object::{Base, Object, object};
use super::properties::{Property, is_true};
use super::tree::{Element, Node};
use crate::ids;

/// A precedence constraint between two children of one container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrecedenceConstraint {
    /// The common part.
    pub base: Base,
    /// The two ends as formats 2 and 3 write them; empty in formats 6 and 8.
    pub ends: Vec<ConstraintEnd>,
}

object!(dts PrecedenceConstraint {
    /// The name.
    text name set_name "ObjectName";
    /// The GUID.
    text dtsid set_dtsid "DTSID";
    /// The path by which formats 6 and 8 refer to it.
    text ref_id set_ref_id "refId";
    /// The result that it waits for: 0 success, 1 failure, 2 completion.
    int value set_value "Value" = 0;
    /// 1 expression, 2 constraint, 3 both, 4 either.
    int eval_op set_eval_op "EvalOp" = 2;
    /// The expression.
    option expression set_expression "Expression";
    /// True: all constraints into the same executable must hold; false: one of them.
    flag logical_and set_logical_and "LogicalAnd" = false;
});

impl PrecedenceConstraint {
    /// "On success" from one executable to another, as references: a refId path (`Package\A`) or a GUID.
    pub fn new(name: &str, from: &str, to: &str) -> PrecedenceConstraint {
        let mut constraint = PrecedenceConstraint::default();
        constraint.set_name(name);
        constraint.set_ends(from, to);
        constraint.set_logical_and(true);
        constraint
    }

    /// The reference to the executable that it leaves: a refId path, or a GUID in formats 2 and 3.
    pub fn from(&self) -> &str {
        self.property("From").unwrap_or_else(|| self.end(true))
    }

    /// The reference to the executable that it leads to.
    pub fn to(&self) -> &str {
        self.property("To").unwrap_or_else(|| self.end(false))
    }

    fn end(&self, from: bool) -> &str {
        self.ends.iter().find(|end| end.is_from() == from).map_or("", ConstraintEnd::reference)
    }

    /// Sets both references.
    pub fn set_ends(&mut self, from: &str, to: &str) {
        use super::tree::Name;
        self.ends.clear();
        self.base.properties.set(Name::dts("From"), from);
        self.base.properties.set(Name::dts("To"), to);
    }
}

/// One end of a constraint in formats 2 and 3.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConstraintEnd {
    /// The common part.
    pub base: Base,
}

object!(dts ConstraintEnd {
    /// The GUID of the executable.
    text reference set_reference "IDREF";
    /// True for the end that the constraint leaves.
    flag is_from set_is_from "IsFrom" = false;
});

/// The enumerator of a Foreach Loop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForEachEnumerator {
    /// The common part.
    pub base: Base,
    /// Property expressions, such as the one on `Directory`.
    pub expressions: Vec<Property>,
    /// The data of its kind.
    pub object_data: Option<ObjectData>,
}

object!(dts ForEachEnumerator {
    /// The class as written.
    text creation_name set_creation_name "CreationName";
    /// The name.
    text name set_name "ObjectName";
    /// The GUID.
    text dtsid set_dtsid "DTSID";
});

impl ForEachEnumerator {
    /// An enumerator with its data.
    pub fn new(kind: &str, data: Element) -> ForEachEnumerator {
        let mut enumerator = ForEachEnumerator::default();
        enumerator.set_creation_name(kind);
        enumerator.object_data = Some(ObjectData::from_element(data));
        enumerator
    }

    /// The canonical class (`Microsoft.ForEachFileEnumerator`); unknown classes as written.
    pub fn kind(&self) -> &str {
        ids::enumerator(self.creation_name()).unwrap_or(self.creation_name())
    }

    /// The data as a neutral tree.
    pub fn data(&self) -> Option<&Element> {
        self.object_data.as_ref()?.element()
    }
}

/// A variable takes a column of the enumerator's item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VariableMapping {
    /// The common part.
    pub base: Base,
}

object!(dts VariableMapping {
    /// The variable: `User::X`.
    text variable_name set_variable_name "VariableName";
    /// The column, from 0.
    int value_index set_value_index "ValueIndex" = 0;
});

impl VariableMapping {
    /// A mapping.
    pub fn new(variable: &str, index: i32) -> VariableMapping {
        let mut mapping = VariableMapping::default();
        mapping.set_variable_name(variable);
        mapping.set_value_index(index);
        mapping
    }
}

/// What a container logs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoggingOptions {
    /// The common part.
    pub base: Base,
    /// Which log providers it uses.
    pub providers: Vec<SelectedLogProvider>,
}

object!(dts LoggingOptions {
    /// 0 as the parent, 1 enabled, 2 disabled.
    int logging_mode set_logging_mode "LoggingMode" = 0;
    /// 0: the event filter names what is logged; 1: what is not.
    int filter_kind set_filter_kind "FilterKind" = 1;
    /// The event filter as written: a count, then length and name of each event.
    text event_filter set_event_filter "EventFilter";
});

impl LoggingOptions {
    /// The names in the event filter. A broken filter yields the names before the break.
    pub fn events(&self) -> Vec<&str> {
        length_prefixed_list(self.event_filter())
    }

    /// Which optional columns are logged for an event (`Computer`, `Operator`, `SourceName`, `SourceID`, `ExecutionID`,
    /// `MessageText`, `DataBytes`); nothing if the event has no filter of its own.
    pub fn column_filter(&self, event: &str) -> Option<Vec<(String, bool)>> {
        let filter = self
            .base
            .properties
            .iter()
            .find(|property| property.name() == "ColumnFilter" && property.attr("EventName") == Some(event))?;
        let columns = filter.content().iter().filter_map(Node::as_element).filter_map(|element| {
            let name = element.attr("Name")?;
            Some((name.to_owned(), is_true(&element.text())))
        });
        Some(columns.collect())
    }
}

/// Splits `count,length,text,length,text…`: how lists are kept in one string. Lengths count UTF-16 code units.
pub fn length_prefixed_list(text: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let Some((_count, mut rest)) = text.split_once(',') else { return items };
    while let Some((length, tail)) = rest.split_once(',') {
        let Ok(length) = length.trim().parse::<usize>() else { break };
        let mut units = 0;
        let end = tail.char_indices().find_map(|(at, c)| {
            if units >= length {
                return Some(at);
            }
            units += c.len_utf16();
            None
        });
        let end = end.unwrap_or(tail.len());
        items.push(&tail[..end]);
        rest = tail[end..].strip_prefix(',').unwrap_or("");
    }
    items
}

/// A reference from logging options to a log provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SelectedLogProvider {
    /// The common part.
    pub base: Base,
}

object!(dts SelectedLogProvider {
    /// The GUID of the log provider.
    text instance_id set_instance_id "InstanceID";
});

/// A log provider of a package.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogProvider {
    /// The common part.
    pub base: Base,
    /// Property expressions.
    pub expressions: Vec<Property>,
    /// The data of its kind; an empty element in practice.
    pub object_data: Option<ObjectData>,
}

object!(dts LogProvider {
    /// The class as written.
    text creation_name set_creation_name "CreationName";
    /// The name.
    text name set_name "ObjectName";
    /// The GUID.
    text dtsid set_dtsid "DTSID";
    /// What the designer says about it.
    text description set_description "Description";
    /// What it needs: the name of a connection manager, for most.
    text config_string set_config_string "ConfigString";
});

impl LogProvider {
    /// The canonical class (`Microsoft.LogProviderTextFile`); unknown classes as written.
    pub fn kind(&self) -> &str {
        ids::log_provider(self.creation_name()).unwrap_or(self.creation_name())
    }
}

/// A configuration of a package.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration {
    /// The common part.
    pub base: Base,
}

object!(dts Configuration {
    /// The name.
    text name set_name "ObjectName";
    /// The GUID.
    text dtsid set_dtsid "DTSID";
    /// 0 parent variable, 1 XML file, 2 environment variable, 3 registry, 4 to 6 the same by environment variable (parent
    /// variable, XML file, registry), 7 SQL Server, 9 SQL Server by environment variable.
    int configuration_type set_configuration_type "ConfigurationType" = 0;
    /// Where the value comes from.
    text configuration_string set_configuration_string "ConfigurationString";
    /// The path of the property that takes it, for types with one value.
    text configuration_variable set_configuration_variable "ConfigurationVariable";
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_prefixed_lists_may_hold_commas() {
        let table: [(&str, &[&str]); 6] = [
            ("2,7,OnError,9,OnWarning", &["OnError", "OnWarning"]),
            ("2,3,a,b,1,c", &["a,b", "c"]),
            ("0", &[]),
            ("", &[]),
            ("1,99,short", &["short"]),
            ("1,x,OnError", &[]),
        ];
        for (text, items) in table {
            assert_eq!(length_prefixed_list(text), items, "{text}");
        }
    }

    #[test]
    fn both_spellings_of_a_constraint_have_the_same_ends() {
        let new = PrecedenceConstraint::new("c", "Package\\A", "Package\\B");
        assert_eq!((new.from(), new.to()), ("Package\\A", "Package\\B"));
        let mut old = PrecedenceConstraint::default();
        for (reference, from) in [("{A}", true), ("{B}", false)] {
            let mut end = ConstraintEnd::default();
            end.set_reference(reference);
            end.set_is_from(from);
            old.ends.push(end);
        }
        assert_eq!((old.from(), old.to()), ("{A}", "{B}"));
    }
}
