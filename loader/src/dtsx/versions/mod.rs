//! Old formats to the newest: what the original does in memory when it loads an older package.
//!
//! After [`upgrade`] a package has one shape, whatever it was: attributes instead of property elements, wrapped collections,
//! canonical class names, refIds instead of numbers and GUIDs. Spans still point into the file that it came from. What
//! individual tasks and components changed in their own data between versions is left as it was.

mod pipeline;

use super::schema::designer_rank;
use super::table::{self, Kind, Row};
use crate::ids;
use crate::model::{
    Attribute, Base, ConnectionData, ConnectionManager, Element, Executable, Form, FormatVersion, LoggingOptions, Name,
    Namespace, Node, Object, Package, PrecedenceConstraint, Property, Slot, Sort, Step,
};

/// Brings a package to the newest format.
pub fn upgrade(package: &mut Package) {
    if package.format == FormatVersion::CURRENT {
        return;
    }
    let from_elements = !package.format.uses_attributes();
    let walked: Vec<(Vec<Step>, String)> =
        package.walk().into_iter().map(|(path, _)| (path.clone(), package.ref_id_of(&path))).collect();
    // References are by GUID: they are resolved before anything changes.
    let index = package.index();
    let ref_id_of = |reference: &str| index.resolve(reference).map(|path| package.ref_id_of(path));
    let mut ends: Vec<Vec<(Option<String>, Option<String>)>> = Vec::new();
    for (path, _) in &walked {
        let constraints = package.executable(path).map_or(&[][..], |executable| &executable.precedence_constraints);
        ends.push(constraints.iter().map(|c| (ref_id_of(c.from()), ref_id_of(c.to()))).collect());
    }
    let managers: Vec<(String, String)> = package
        .root
        .connection_managers
        .iter()
        .map(|manager| {
            (manager.dtsid().to_ascii_uppercase(), format!("Package.ConnectionManagers[{}]", manager.name()))
        })
        .collect();

    for ((path, ref_id), ends) in walked.iter().zip(ends) {
        let Some(executable) = package.executable_mut(path) else { continue };
        if from_elements {
            executable_to_attributes(executable, ref_id);
            for (constraint, (from, to)) in executable.precedence_constraints.iter_mut().zip(ends) {
                constraint_to_attributes(constraint, ref_id, from, to);
            }
        }
        canonical_classes(executable);
        if let Some(pipeline) = executable.pipeline_mut() {
            if from_elements {
                pipeline::numbers_to_ref_ids(pipeline, ref_id, &managers);
            }
            pipeline::canonical_classes(pipeline);
        }
    }
    package.format = FormatVersion::CURRENT;
    let version = FormatVersion::CURRENT.to_string();
    match package.root.base.properties.find_mut("PackageFormatVersion") {
        Some(property) => property.set_value(version),
        None => package.root.base.properties.push(Property::element("PackageFormatVersion", version, None)),
    }
}

/// Class names to the short names of the newest format.
fn canonical_classes(executable: &mut Executable) {
    if executable.sort() != Sort::EventHandler
        && let Some(kind) =
            ids::executable(executable.executable_type()).or(ids::executable(executable.creation_name()))
    {
        executable.set_executable_type(kind);
        executable.set_creation_name(kind);
    }
    if let Some(enumerator) = &mut executable.enumerator
        && let Some(kind) = ids::enumerator(enumerator.creation_name())
    {
        enumerator.set_creation_name(kind);
    }
    for provider in &mut executable.log_providers {
        if let Some(kind) = ids::log_provider(provider.creation_name()) {
            provider.set_creation_name(kind);
        }
    }
}

/// Properties that stay elements in all formats.
const STAY_ELEMENTS: &[&str] = &[
    "PackageFormatVersion",
    "ExecValueVariable",
    "EventFilter",
    "ColumnFilter",
    "ParameterValue",
    "PackageVariableValue",
];

/// Whether text files of formats 2 and 3 start a new row at a row delimiter before the last column: the runtimes of 2005
/// and 2008 had no such property and did not. (unconfirmed: what the original writes when it upgrades)
const OLD_FILES_CHECK_FOR_ROW_DELIMITERS: &str = "False";

fn executable_to_attributes(executable: &mut Executable, ref_id: &str) {
    if !executable.force_exec_value() {
        executable.base.properties.remove("ExecValue");
    }
    to_attributes(&mut executable.base, table::EXECUTABLE);
    set_ref_id(&mut executable.base, ref_id);
    for manager in &mut executable.connection_managers {
        connection_to_attributes(manager, ref_id);
    }
    for provider in &mut executable.log_providers {
        to_attributes(&mut provider.base, table::HOSTED);
    }
    executable.configurations.iter_mut().for_each(|object| to_attributes(&mut object.base, table::CONFIGURATION));
    executable.parameters.iter_mut().for_each(|object| to_attributes(&mut object.base, table::PARAMETER));
    executable.variables.iter_mut().for_each(|object| to_attributes(&mut object.base, table::VARIABLE));
    executable.variable_mappings.iter_mut().for_each(|object| to_attributes(&mut object.base, table::MAPPING));
    executable.package_variables.iter_mut().for_each(|object| to_attributes(&mut object.base, table::MAPPING));
    executable.enumerator.iter_mut().for_each(|object| to_attributes(&mut object.base, table::MAPPING));
    if let Some(logging) = &mut executable.logging {
        logging_to_attributes(logging);
    }
}

fn logging_to_attributes(logging: &mut LoggingOptions) {
    to_attributes(&mut logging.base, table::LOGGING);
    logging.providers.iter_mut().for_each(|object| to_attributes(&mut object.base, &[]));
}

fn connection_to_attributes(manager: &mut ConnectionManager, owner: &str) {
    to_attributes(&mut manager.base, table::HOSTED);
    let ref_id = format!("{owner}.ConnectionManagers[{}]", manager.name());
    set_ref_id(&mut manager.base, &ref_id);
    let is_text_file = matches!(manager.kind(), "FLATFILE" | "MULTIFLATFILE");
    let Some(data) = manager.data_mut() else { return };
    to_attributes(&mut data.base, table::CONNECTION);
    data.columns.iter_mut().for_each(|object| to_attributes(&mut object.base, table::FLAT_FILE_COLUMN));
    data.cache_columns.iter_mut().for_each(|object| to_attributes(&mut object.base, table::CACHE_COLUMN));
    inner_elements_to_attributes(data);
    if is_text_file && data.property("AlwaysCheckForRowDelimiters").is_none() {
        let name = Name::dts("AlwaysCheckForRowDelimiters");
        data.base.properties.set(name, OLD_FILES_CHECK_FOR_ROW_DELIMITERS);
    }
}

/// `FtpConnection` and `HttpConnection` inside a connection manager.
fn inner_elements_to_attributes(data: &mut ConnectionData) {
    for slot in &mut data.base.layout.slots {
        let Slot::Node(Node::Element(element)) = slot else { continue };
        if element.name.namespace() != Namespace::Dts {
            continue;
        }
        let mut attributes = Vec::new();
        element.children.retain(|node| match node {
            Node::Element(child) => match simple_property(child) {
                Some((name, value)) => {
                    let (value, is_default) = in_words(table::CONNECTION, &name, &value);
                    if !is_default && !value.is_empty() {
                        attributes.push(Attribute { name: Name::dts(&name), value, span: child.span });
                    }
                    false
                }
                None => true,
            },
            _ => true,
        });
        element.attributes.extend(attributes);
    }
}

/// Name and value of a `DTS:Property` that carries nothing else but a data type.
fn simple_property(element: &Element) -> Option<(String, String)> {
    let is_property = element.name.namespace() == Namespace::Dts && element.name.local() == "Property";
    let is_simple = element.attributes.iter().all(|a| matches!(a.name.local(), "Name" | "DataType"))
        && element.children.iter().all(|node| node.as_text().is_some());
    match is_property && is_simple {
        true => Some((element.attr("Name")?.to_owned(), element.text())),
        false => None,
    }
}

fn constraint_to_attributes(
    constraint: &mut PrecedenceConstraint,
    owner: &str,
    from: Option<String>,
    to: Option<String>,
) {
    to_attributes(&mut constraint.base, table::CONSTRAINT);
    let ref_id = format!("{owner}.PrecedenceConstraints[{}]", constraint.name());
    set_ref_id(&mut constraint.base, &ref_id);
    // A reference that leads nowhere stays, to be told by whoever resolves it.
    let from = from.unwrap_or_else(|| constraint.from().to_owned());
    let to = to.unwrap_or_else(|| constraint.to().to_owned());
    constraint.set_ends(&from, &to);
    designer_order(&mut constraint.base);
}

fn set_ref_id(base: &mut Base, ref_id: &str) {
    base.properties.set(Name::dts("refId"), ref_id);
    designer_order(base);
}

/// Attributes in the order in which the designer writes them.
fn designer_order(base: &mut Base) {
    base.properties.sort_by(|property| match property.form() {
        // Elements keep their order.
        Form::Element(_) => None,
        Form::Attribute | Form::Unset => Some(designer_rank(property.qualified_name())),
    });
}

/// Property elements to attributes: words for booleans, nothing for defaults, and the order of the newest format.
fn to_attributes(base: &mut Base, rows: &'static [Row]) {
    base.properties.retain(|property| {
        if !matches!(property.form(), Form::Element(_)) {
            return true;
        }
        let is_default = in_words(rows, property.name(), property.value()).1 && property.content().is_empty();
        !is_default && !table::RETIRED.contains(&property.name())
    });
    for property in base.properties.iter_mut() {
        let stays = property.sensitive() || property.encrypted() || !property.content().is_empty();
        if !matches!(property.form(), Form::Element(_)) || stays || STAY_ELEMENTS.contains(&property.name()) {
            continue;
        }
        if property.name() == "ExecValue" {
            continue;
        }
        let value = in_words(rows, property.name(), property.value()).0;
        let mut attribute = Property::from_parts(Name::dts(property.name()), value, Form::Attribute, property.span);
        std::mem::swap(property, &mut attribute);
    }
    base.layout.forget_order();
    // The columns of files have an order of their own, which is the same in all formats.
    if !std::ptr::eq(rows, table::FLAT_FILE_COLUMN) && !std::ptr::eq(rows, table::CONNECTION) {
        designer_order(base);
    }
}

/// A value as attributes have it, and whether it is the default.
fn in_words(rows: &'static [Row], name: &str, value: &str) -> (String, bool) {
    let Some((_, kind, default)) = table::find(rows, name) else { return (value.to_owned(), false) };
    let value = match kind {
        Kind::Bool => match value.trim() {
            "" => String::new(),
            text if text.eq_ignore_ascii_case("false") || text == "0" => "False".to_owned(),
            _ => "True".to_owned(),
        },
        Kind::Int | Kind::Text => value.to_owned(),
    };
    let is_default = match default {
        Some(default) => value == *default || (value.is_empty() && *kind != Kind::Text),
        None => value.is_empty() && *kind != Kind::Text,
    };
    (value, is_default)
}
