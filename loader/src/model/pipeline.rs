//! Data flows: components, their ports and columns, and the paths between them.
//!
//! Ids are text in all formats: numbers in 2 and 3, refId paths in 6 and 8. [`Pipeline::index`] finds objects by them, so
//! that later steps see one shape.

use std::borrow::Cow;
use std::collections::HashMap;

use super::object::{Base, object};
use super::tree::{Element, Node};
use crate::ids;

/// A data flow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pipeline {
    /// The common part.
    pub base: Base,
    /// The components.
    pub components: Vec<Component>,
    /// The paths from outputs to inputs.
    pub paths: Vec<Path>,
}

object!(plain Pipeline {
    /// Rows a buffer holds at most.
    int default_buffer_max_rows set_default_buffer_max_rows "defaultBufferMaxRows" = 10_000;
    /// Bytes a buffer holds at most.
    long default_buffer_size set_default_buffer_size "defaultBufferSize" = 10_485_760;
    /// Threads that the engine is advised to use.
    int engine_threads set_engine_threads "engineThreads" = 10;
    /// Buffers grow to hold [`Pipeline::default_buffer_max_rows`] (2016 and later).
    flag auto_adjust_buffer_size set_auto_adjust_buffer_size "autoAdjustBufferSize" = false;
    /// Unused columns and components are left out.
    flag run_in_optimized_mode set_run_in_optimized_mode "runInOptimizedMode" = true;
    /// Where large values are kept while they do not fit into memory.
    text blob_temp_storage_path set_blob_temp_storage_path "BLOBTempStoragePath";
    /// Where buffers are kept while they do not fit into memory.
    text buffer_temp_storage_path set_buffer_temp_storage_path "bufferTempStoragePath";
});

/// A component of a data flow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Component {
    /// The common part.
    pub base: Base,
    /// Custom properties.
    pub properties: Vec<CustomProperty>,
    /// Connections by role.
    pub connections: Vec<Connection>,
    /// Inputs.
    pub inputs: Vec<Input>,
    /// Outputs, error outputs included.
    pub outputs: Vec<Output>,
}

object!(plain Component {
    /// The name.
    text name set_name "name";
    /// The class as written; [`Component::kind`] is the canonical name.
    text class_id set_class_id "componentClassID";
    /// What the designer's user wrote about it.
    text description set_description "description";
    /// Name and version of its maker, as text.
    text contact_info set_contact_info "contactInfo";
    /// The locale; -1 if absent.
    int locale_id set_locale_id "localeId" = -1;
    /// Its columns and ports have dispositions.
    flag uses_dispositions set_uses_dispositions "usesDispositions" = false;
    /// External metadata is compared with the outside world at validation.
    flag validate_external_metadata set_validate_external_metadata "validateExternalMetadata" = true;
    /// The version of its data.
    int version set_version "version" = 0;
});

impl Component {
    /// A component of a kind, such as `Microsoft.FlatFileSource`. Managed kinds are put into their host.
    pub fn new(kind: &str, name: &str) -> Component {
        let mut component = Component::default();
        if ids::is_managed_component(kind) {
            component.set_class_id(ids::MANAGED_HOST);
            component.properties.push(CustomProperty::text(ids::USER_COMPONENT_TYPE_NAME, "System.String", kind));
        } else {
            component.set_class_id(kind);
        }
        component.set_name(name);
        component
    }

    /// Its class, resolved: the canonical name for everything that this project knows (CLSIDs, ProgIDs and .NET classes of
    /// all versions; for managed components what runs in the host), else the text as written.
    pub fn kind(&self) -> Cow<'_, str> {
        let class = ids::component(self.class_id());
        if class != Some(ids::MANAGED_HOST) {
            return Cow::Borrowed(class.unwrap_or(self.class_id()));
        }
        match self.value(ids::USER_COMPONENT_TYPE_NAME) {
            Some(Cow::Borrowed(written)) => Cow::Borrowed(ids::managed_component(written).unwrap_or(written)),
            Some(Cow::Owned(written)) => match ids::managed_component(&written) {
                Some(kind) => Cow::Borrowed(kind),
                None => Cow::Owned(written),
            },
            None => Cow::Borrowed(ids::MANAGED_HOST),
        }
    }

    /// True if the kind is one that this project knows by name.
    pub fn is_known(&self) -> bool {
        let kind = self.kind();
        ids::component(&kind).is_some() || ids::managed_component(&kind).is_some()
    }

    /// A custom property by name.
    pub fn custom(&self, name: &str) -> Option<&CustomProperty> {
        find_custom(&self.properties, name)
    }

    /// The text of a custom property.
    pub fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.custom(name).map(CustomProperty::value)
    }

    /// Sets a custom property; a new one gets the type (`System.String`).
    pub fn set_value(&mut self, name: &str, data_type: &str, value: &str) {
        set_custom(&mut self.properties, name, data_type, value);
    }

    /// The id of the connection manager for a role (`OleDbConnection`), or of the only one if `role` is empty.
    pub fn connection(&self, role: &str) -> Option<&Connection> {
        self.connections.iter().find(|connection| role.is_empty() || connection.name().eq_ignore_ascii_case(role))
    }
}

fn find_custom<'a>(properties: &'a [CustomProperty], name: &str) -> Option<&'a CustomProperty> {
    properties.iter().find(|property| property.name().eq_ignore_ascii_case(name))
}

fn set_custom(properties: &mut Vec<CustomProperty>, name: &str, data_type: &str, value: &str) {
    match properties.iter_mut().find(|property| property.name().eq_ignore_ascii_case(name)) {
        Some(property) => property.set_value(value),
        None => properties.push(CustomProperty::text(name, data_type, value)),
    }
}

/// A custom property of a component, port or column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CustomProperty {
    /// The common part.
    pub base: Base,
    /// What it holds, word for word: text, CDATA, or one `arrayElements` element.
    pub content: Vec<Node>,
}

object!(plain CustomProperty {
    /// The name.
    text name set_name "name";
    /// The .NET type of the value: `System.Int32`, `System.String`, `System.Boolean`, `System.Null` …
    text data_type set_data_type "dataType";
    /// The value holds lineage ids.
    flag contains_id set_contains_id "containsID" = false;
    /// `Notify` if the property may be set by an expression of the task.
    text expression_type set_expression_type "expressionType";
});

impl CustomProperty {
    /// A property with a text.
    pub fn text(name: &str, data_type: &str, value: &str) -> CustomProperty {
        let mut property = CustomProperty::default();
        property.set_data_type(data_type);
        property.set_name(name);
        property.set_value(value);
        property
    }

    /// The text; empty for an array.
    pub fn value(&self) -> Cow<'_, str> {
        let mut pieces = self.content.iter().filter_map(Node::as_text);
        match (pieces.next(), pieces.next()) {
            (None, _) => Cow::Borrowed(""),
            (Some(only), None) => Cow::Borrowed(only),
            (Some(first), Some(second)) => {
                let mut text = format!("{first}{second}");
                pieces.for_each(|piece| text.push_str(piece));
                Cow::Owned(text)
            }
        }
    }

    /// True if the value is null: the type is `System.Null`.
    pub fn is_null(&self) -> bool {
        self.data_type().eq_ignore_ascii_case("System.Null")
    }

    /// Replaces the text.
    pub fn set_value(&mut self, value: &str) {
        self.content.clear();
        if !value.is_empty() {
            self.content.push(Node::Text(value.to_owned()));
        }
    }

    /// The elements of an array, if the value is one.
    pub fn array(&self) -> Option<Vec<String>> {
        let elements = self.content.iter().filter_map(Node::as_element).find(|e| e.name.is("arrayElements"))?;
        Some(elements.children_named("arrayElement").map(Element::text).collect())
    }

    /// Makes the value an array of strings.
    pub fn set_array(&mut self, items: &[&str]) {
        let data_type = match self.data_type() {
            "" => "System.String".to_owned(),
            data_type => data_type.to_owned(),
        };
        let mut elements = Element::new("arrayElements").with_attr("arrayElementCount", &items.len().to_string());
        for item in items {
            let element = Element::new("arrayElement").with_attr("dataType", &data_type).with_text(item);
            elements.children.push(Node::Element(element));
        }
        self.base.properties.set(super::tree::Name::plain("isArray"), "true");
        self.content = vec![Node::Element(elements)];
    }
}

/// A connection of a component: a role, and the connection manager that plays it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Connection {
    /// The common part.
    pub base: Base,
}

object!(plain Connection {
    /// The role, such as `OleDbConnection`.
    text name set_name "name";
    /// The GUID of the connection manager; `{GUID}:external` for one of the project, a refId in some files.
    text manager_id set_manager_id "connectionManagerID";
    /// The refId of the connection manager.
    option manager_ref_id set_manager_ref_id "connectionManagerRefId";
});

impl Connection {
    /// A connection by role to a manager of the package, by its GUID or refId.
    pub fn new(role: &str, manager: &str) -> Connection {
        let mut connection = Connection::default();
        connection.set_manager_id(manager);
        connection.set_name(role);
        connection
    }
}

/// What a component does with a row that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disposition {
    /// The port or column has none.
    #[default]
    NotUsed,
    /// The component fails.
    FailComponent,
    /// The row goes to the error output.
    RedirectRow,
    /// The value becomes null.
    IgnoreFailure,
}

impl Disposition {
    /// From the name in the file, in any case; anything else is `NotUsed`.
    pub fn from_name(name: &str) -> Disposition {
        match name {
            _ if name.eq_ignore_ascii_case("FailComponent") => Disposition::FailComponent,
            _ if name.eq_ignore_ascii_case("RedirectRow") => Disposition::RedirectRow,
            _ if name.eq_ignore_ascii_case("IgnoreFailure") => Disposition::IgnoreFailure,
            _ => Disposition::NotUsed,
        }
    }

    /// The name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Disposition::NotUsed => "NotUsed",
            Disposition::FailComponent => "FailComponent",
            Disposition::RedirectRow => "RedirectRow",
            Disposition::IgnoreFailure => "IgnoreFailure",
        }
    }
}

/// How a component uses an input column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Usage {
    /// It reads the column.
    #[default]
    ReadOnly,
    /// It reads and changes the column.
    ReadWrite,
    /// It does not use the column.
    Ignored,
}

/// Ids and dispositions, the same for ports and columns.
macro_rules! identified {
    ($($type:ty),*) => {
        $(impl $type {
            /// Its id: the refId, or the number of formats 2 and 3.
            pub fn id(&self) -> &str {
                self.base.properties.get("refId").or_else(|| self.base.properties.get("id")).unwrap_or_default()
            }

            /// Sets the refId.
            pub fn set_ref_id(&mut self, id: &str) {
                self.base.properties.set(crate::model::tree::Name::plain("refId"), id);
            }
        })*
    };
}
identified!(Component, Connection, Input, Output, InputColumn, OutputColumn, ExternalColumn, Path);

macro_rules! disposed {
    ($($type:ty),*) => {
        $(impl $type {
            /// What happens to a row that fails here.
            pub fn error_disposition(&self) -> Disposition {
                Disposition::from_name(self.base.properties.get("errorRowDisposition").unwrap_or_default())
            }

            /// What happens to a row whose value would be cut here.
            pub fn truncation_disposition(&self) -> Disposition {
                Disposition::from_name(self.base.properties.get("truncationRowDisposition").unwrap_or_default())
            }

            /// Sets what happens to a row that fails here.
            pub fn set_error_disposition(&mut self, disposition: Disposition) {
                let name = crate::model::tree::Name::plain("errorRowDisposition");
                self.base.properties.set(name, disposition.name());
            }

            /// Sets what happens to a row whose value would be cut here.
            pub fn set_truncation_disposition(&mut self, disposition: Disposition) {
                let name = crate::model::tree::Name::plain("truncationRowDisposition");
                self.base.properties.set(name, disposition.name());
            }

            /// The operation that can fail, as text for people.
            pub fn error_or_truncation_operation(&self) -> &str {
                self.base.properties.get("errorOrTruncationOperation").unwrap_or_default()
            }
        })*
    };
}
disposed!(Input, Output, InputColumn, OutputColumn);

macro_rules! customized {
    ($($type:ty),*) => {
        $(impl $type {
            /// A custom property by name.
            pub fn custom(&self, name: &str) -> Option<&CustomProperty> {
                find_custom(&self.properties, name)
            }

            /// The text of a custom property.
            pub fn value(&self, name: &str) -> Option<Cow<'_, str>> {
                self.custom(name).map(CustomProperty::value)
            }

            /// Sets a custom property; a new one gets the type (`System.String`).
            pub fn set_value(&mut self, name: &str, data_type: &str, value: &str) {
                set_custom(&mut self.properties, name, data_type, value);
            }
        })*
    };
}
customized!(Input, Output, InputColumn, OutputColumn, ExternalColumn);

/// External metadata of a port.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExternalMetadata {
    /// The common part.
    pub base: Base,
    /// The columns of the outside world.
    pub columns: Vec<ExternalColumn>,
}

object!(plain ExternalMetadata {
    /// The component uses external metadata on this port.
    flag is_used set_is_used "isUsed" = false;
});

/// An input of a component.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Input {
    /// The common part.
    pub base: Base,
    /// Custom properties.
    pub properties: Vec<CustomProperty>,
    /// The columns that the component uses.
    pub columns: Vec<InputColumn>,
    /// External metadata.
    pub external: Option<ExternalMetadata>,
}

object!(plain Input {
    /// The name.
    text name set_name "name";
    /// The component does something with rows of this input beyond its outputs.
    flag has_side_effects set_has_side_effects "hasSideEffects" = false;
    /// It may be left without a path.
    flag dangling set_dangling "dangling" = false;
});

impl Input {
    /// An input.
    pub fn new(name: &str) -> Input {
        let mut input = Input::default();
        input.set_name(name);
        input
    }

    /// The external columns.
    pub fn external_columns(&self) -> &[ExternalColumn] {
        self.external.as_ref().map_or(&[], |external| &external.columns)
    }
}

/// An output of a component.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// The common part.
    pub base: Base,
    /// Custom properties.
    pub properties: Vec<CustomProperty>,
    /// The columns that the component adds (all columns, of an asynchronous output).
    pub columns: Vec<OutputColumn>,
    /// External metadata.
    pub external: Option<ExternalMetadata>,
}

object!(plain Output {
    /// The name.
    text name set_name "name";
    /// Rows that go to one output of a group go to no other of it; 0 is no group.
    int exclusion_group set_exclusion_group "exclusionGroup" = 0;
    /// This is the error output.
    flag is_error_output set_is_error_output "isErrorOut" = false;
    /// The rows are sorted, see the sort key positions of the columns.
    flag is_sorted set_is_sorted "isSorted" = false;
    /// The component does something with rows of this output beyond its outputs.
    flag has_side_effects set_has_side_effects "hasSideEffects" = false;
    /// It may be left without a path.
    flag dangling set_dangling "dangling" = false;
    /// The output goes away with its path.
    flag delete_on_path_detached set_delete_on_path_detached "deleteOutputOnPathDetached" = false;
});

impl Output {
    /// An output.
    pub fn new(name: &str) -> Output {
        let mut output = Output::default();
        output.set_name(name);
        output
    }

    /// The id of the input whose rows it passes on; nothing for an asynchronous output.
    pub fn synchronous_input(&self) -> Option<&str> {
        self.base.properties.get("synchronousInputId").filter(|id| !matches!(id.trim(), "" | "0"))
    }

    /// Makes it synchronous to an input.
    pub fn set_synchronous_input(&mut self, id: &str) {
        self.base.properties.set(super::tree::Name::plain("synchronousInputId"), id);
    }

    /// The external columns.
    pub fn external_columns(&self) -> &[ExternalColumn] {
        self.external.as_ref().map_or(&[], |external| &external.columns)
    }
}

/// A column that a component takes from its input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InputColumn {
    /// The common part.
    pub base: Base,
    /// Custom properties.
    pub properties: Vec<CustomProperty>,
}

object!(plain InputColumn {
    /// The id of the output column that it comes from.
    text lineage_id set_lineage_id "lineageId";
    /// The id of the external column that it is mapped to.
    option external_column_id set_external_column_id "externalMetadataColumnId";
    /// The type when the package was saved, as a name (`wstr`); absent in formats 2 and 3.
    option cached_data_type set_cached_data_type "cachedDataType";
    /// The length when the package was saved.
    int cached_length set_cached_length "cachedLength" = 0;
    /// The precision when the package was saved.
    int cached_precision set_cached_precision "cachedPrecision" = 0;
    /// The scale when the package was saved.
    int cached_scale set_cached_scale "cachedScale" = 0;
    /// The code page when the package was saved.
    int cached_code_page set_cached_code_page "cachedCodepage" = 0;
    /// The sort key position when the package was saved.
    int cached_sort_key_position set_cached_sort_key_position "cachedSortKeyPosition" = 0;
});

impl InputColumn {
    /// A column of the input that comes from a lineage.
    pub fn new(name: &str, lineage_id: &str) -> InputColumn {
        let mut column = InputColumn::default();
        column.base.properties.set(super::tree::Name::plain("cachedName"), name);
        column.set_lineage_id(lineage_id);
        column
    }

    /// The name as far as the file has it (formats 2 and 3 mostly leave it to the lineage).
    pub fn name(&self) -> &str {
        self.base.properties.get("cachedName").or_else(|| self.base.properties.get("name")).unwrap_or_default()
    }

    /// How the component uses the column.
    pub fn usage(&self) -> Usage {
        match self.base.properties.get("usageType") {
            Some(usage) if usage.eq_ignore_ascii_case("readWrite") => Usage::ReadWrite,
            Some(usage) if usage.eq_ignore_ascii_case("ignored") => Usage::Ignored,
            _ => Usage::ReadOnly,
        }
    }

    /// Sets how the component uses the column.
    pub fn set_usage(&mut self, usage: Usage) {
        let text = match usage {
            Usage::ReadOnly => "readOnly",
            Usage::ReadWrite => "readWrite",
            Usage::Ignored => "ignored",
        };
        self.base.properties.set(super::tree::Name::plain("usageType"), text);
    }
}

/// A column that a component puts out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutputColumn {
    /// The common part.
    pub base: Base,
    /// Custom properties.
    pub properties: Vec<CustomProperty>,
}

object!(plain OutputColumn {
    /// The name.
    text name set_name "name";
    /// The type as a name: `i4`, `wstr`, `dbTimeStamp` …
    text data_type set_data_type "dataType";
    /// The length in characters or bytes.
    int length set_length "length" = 0;
    /// The precision of a numeric.
    int precision set_precision "precision" = 0;
    /// The scale of a numeric, decimal or timestamp.
    int scale set_scale "scale" = 0;
    /// The code page of a DT_STR or DT_TEXT.
    int code_page set_code_page "codePage" = 0;
    /// Its place in the sort key; negative for descending, 0 for none.
    int sort_key_position set_sort_key_position "sortKeyPosition" = 0;
    /// How its text is compared.
    int comparison_flags set_comparison_flags "comparisonFlags" = 0;
    /// 1 for ErrorCode, 2 for ErrorColumn.
    int special_flags set_special_flags "specialFlags" = 0;
    /// The id of the external column that it is mapped to.
    option external_column_id set_external_column_id "externalMetadataColumnId";
});

impl OutputColumn {
    /// A column of a type.
    pub fn new(name: &str, data_type: &str, length: i32) -> OutputColumn {
        let mut column = OutputColumn::default();
        column.set_data_type(data_type);
        if length != 0 {
            column.set_length(length);
        }
        column.set_name(name);
        column
    }

    /// The id by which later components refer to it: its lineage id, or its own id if it has none.
    pub fn lineage_id(&self) -> &str {
        match self.base.properties.get("lineageId") {
            None | Some("") => self.id(),
            Some(lineage) => lineage,
        }
    }

    /// Sets the lineage id.
    pub fn set_lineage_id(&mut self, id: &str) {
        self.base.properties.set(super::tree::Name::plain("lineageId"), id);
    }
}

/// A column of the outside world: of a table, a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExternalColumn {
    /// The common part.
    pub base: Base,
    /// Custom properties.
    pub properties: Vec<CustomProperty>,
}

object!(plain ExternalColumn {
    /// The name.
    text name set_name "name";
    /// The type as a name.
    text data_type set_data_type "dataType";
    /// The length.
    int length set_length "length" = 0;
    /// The precision.
    int precision set_precision "precision" = 0;
    /// The scale.
    int scale set_scale "scale" = 0;
    /// The code page.
    int code_page set_code_page "codePage" = 0;
});

impl ExternalColumn {
    /// A column of a type.
    pub fn new(name: &str, data_type: &str, length: i32) -> ExternalColumn {
        let mut column = ExternalColumn::default();
        column.set_data_type(data_type);
        if length != 0 {
            column.set_length(length);
        }
        column.set_name(name);
        column
    }
}

/// A path from an output to an input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Path {
    /// The common part.
    pub base: Base,
}

object!(plain Path {
    /// The name.
    text name set_name "name";
    /// The id of the output.
    text start_id set_start_id "startId";
    /// The id of the input.
    text end_id set_end_id "endId";
});

impl Path {
    /// A path between an output and an input, by their ids.
    pub fn new(name: &str, start: &str, end: &str) -> Path {
        let mut path = Path::default();
        path.set_end_id(end);
        path.set_name(name);
        path.set_start_id(start);
        path
    }
}

/// Where a port or a column is: the component, the port, the column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Index of the component.
    pub component: usize,
    /// Index of the input or output in it.
    pub port: usize,
    /// Index of the column in that; 0 for the port itself.
    pub column: usize,
}

/// Objects of a pipeline by their ids.
#[derive(Clone, Debug, Default)]
pub struct PipelineIndex<'a> {
    /// Components.
    pub components: HashMap<&'a str, usize>,
    /// Inputs.
    pub inputs: HashMap<&'a str, Place>,
    /// Outputs.
    pub outputs: HashMap<&'a str, Place>,
    /// Output columns by lineage id.
    pub lineages: HashMap<&'a str, Place>,
    /// Output columns by their own id, which some properties of formats 2 and 3 use.
    pub output_columns: HashMap<&'a str, Place>,
    /// Input columns by their own id.
    pub input_columns: HashMap<&'a str, Place>,
    /// External columns of inputs by id.
    pub input_externals: HashMap<&'a str, Place>,
    /// External columns of outputs by id.
    pub output_externals: HashMap<&'a str, Place>,
}

impl Pipeline {
    /// Finds all objects by id. Of two with the same id the first one counts.
    pub fn index(&self) -> PipelineIndex<'_> {
        let mut index = PipelineIndex::default();
        for (at, component) in self.components.iter().enumerate() {
            index.components.entry(component.id()).or_insert(at);
            for (port, input) in component.inputs.iter().enumerate() {
                let place = |column| Place { component: at, port, column };
                index.inputs.entry(input.id()).or_insert(place(0));
                for (column, found) in input.columns.iter().enumerate() {
                    index.input_columns.entry(found.id()).or_insert(place(column));
                }
                for (column, found) in input.external_columns().iter().enumerate() {
                    index.input_externals.entry(found.id()).or_insert(place(column));
                }
            }
            for (port, output) in component.outputs.iter().enumerate() {
                let place = |column| Place { component: at, port, column };
                index.outputs.entry(output.id()).or_insert(place(0));
                for (column, found) in output.columns.iter().enumerate() {
                    index.output_columns.entry(found.id()).or_insert(place(column));
                    index.lineages.entry(found.lineage_id()).or_insert(place(column));
                }
                for (column, found) in output.external_columns().iter().enumerate() {
                    index.output_externals.entry(found.id()).or_insert(place(column));
                }
            }
        }
        index
    }

    /// The component of this name.
    pub fn component(&self, name: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.name() == name)
    }

    /// The output column at a place.
    pub fn output_column(&self, place: Place) -> Option<&OutputColumn> {
        self.components.get(place.component)?.outputs.get(place.port)?.columns.get(place.column)
    }
}
