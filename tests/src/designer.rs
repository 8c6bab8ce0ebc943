//! Makes packages for tests out of the loader's model, as a designer's user would: connection managers, a data flow, a
//! source, a destination, what the error output feeds.
//!
//! Types are spelled as SSIS documentation does in lower case: `i4`, `wstr(50)`, `str(50)`, `numeric(18,2)`, `dbDate`.

use dtsx_loader::model::{
    Component, Configuration, Connection, ConnectionManager, Disposition, Element, Executable, ExternalColumn,
    ExternalMetadata, FlatFileColumn, Input, InputColumn, LogProvider, LoggingOptions, Output, OutputColumn, Package,
    Path, Pipeline, SelectedLogProvider,
};
use std::path::Path as FilePath;

/// A column: its name and its type.
pub type Typed<'a> = (&'a str, &'a str);

/// An output that somebody may take: its id, and what its rows consist of.
#[derive(Clone, Debug)]
pub struct Port {
    id: String,
    columns: Vec<Flowing>,
}

/// A column that flows: name, lineage, type.
#[derive(Clone, Debug)]
struct Flowing {
    name: String,
    lineage: String,
    data_type: String,
}

/// A data flow in the making.
#[derive(Clone, Debug)]
pub struct Flow {
    task: String,
    name: String,
    pipeline: Pipeline,
}

/// What a component of the database is: its class, the role of its connection, its manager.
#[derive(Clone, Copy, Debug)]
pub struct Class<'a> {
    /// `Microsoft.OLEDBDestination` …
    pub class: &'a str,
    /// `OleDbConnection`, `IDbConnection`, `OdbcConnection`.
    pub role: &'a str,
    /// The connection manager.
    pub manager: &'a str,
    /// Properties: name, value. The type is told by the value.
    pub properties: &'a [(&'a str, &'a str)],
}

/// Name, length, precision and scale of a type.
fn parts(data_type: &str) -> (&str, i32, i32, i32) {
    let (name, rest) = data_type.split_once('(').unwrap_or((data_type, ""));
    let numbers: Vec<i32> = rest.trim_end_matches(')').split(',').filter_map(|n| n.trim().parse().ok()).collect();
    match (name, numbers.as_slice()) {
        ("numeric", [precision, scale]) => (name, 0, *precision, *scale),
        (_, [length]) => (name, *length, 0, 0),
        _ => (name, 0, 0, 0),
    }
}

/// The DT_ number of a type, as flat files have it.
fn number(name: &str) -> i32 {
    match name {
        "i2" => 2,
        "i4" => 3,
        "r8" => 5,
        "bool" => 11,
        "i8" => 20,
        "str" => 129,
        "wstr" => 130,
        "numeric" => 131,
        "dbDate" => 133,
        "dbTimeStamp" => 135,
        other => unreachable!("no number is known of {other}"),
    }
}

fn output_column(name: &str, data_type: &str) -> OutputColumn {
    let (kind, length, precision, scale) = parts(data_type);
    let mut column = OutputColumn::new(name, kind, length);
    if precision > 0 {
        column.set_precision(precision);
        column.set_scale(scale);
    }
    if kind == "str" {
        column.set_code_page(1252);
    }
    column
}

fn external_column(name: &str, data_type: &str, id: &str) -> ExternalColumn {
    let (kind, length, precision, scale) = parts(data_type);
    let mut column = ExternalColumn::new(name, kind, length);
    if precision > 0 {
        column.set_precision(precision);
        column.set_scale(scale);
    }
    if kind == "str" {
        column.set_code_page(1252);
    }
    column.set_ref_id(id);
    column
}

/// A value by its looks: a number, a Boolean, or text.
fn set(component: &mut Component, name: &str, value: &str) {
    let data_type = match value {
        "true" | "false" => "System.Boolean",
        _ if !value.is_empty() && value.parse::<i32>().is_ok() => "System.Int32",
        _ => "System.String",
    };
    component.set_value(name, data_type, value);
}

impl Flow {
    /// An empty data flow task in the container at `parent` (`Package`, `Package\Sequence`).
    pub fn new(parent: &str, name: &str) -> Flow {
        Flow { task: format!("{parent}\\{name}"), name: name.to_owned(), pipeline: Pipeline::default() }
    }

    /// The task.
    pub fn task(self) -> Executable {
        Executable::data_flow(&self.name, self.pipeline)
    }

    fn connect(component: &mut Component, role: &str, manager: &str) {
        component.connections.push(Connection::new(role, &format!("Package.ConnectionManagers[{manager}]")));
    }

    /// A source with the columns; `disposition` is that of all of them. Its rows, and its error rows.
    pub fn source(
        &mut self,
        name: &str,
        class: Class<'_>,
        columns: &[Typed<'_>],
        disposition: Disposition,
    ) -> (Port, Port) {
        let mut component = Component::new(class.class, name);
        Flow::connect(&mut component, class.role, class.manager);
        class.properties.iter().for_each(|(name, value)| set(&mut component, name, value));
        let prefix = format!("{}\\{name}.Outputs[Output]", self.task);
        let mut output = Output::new("Output");
        let mut external = ExternalMetadata::default();
        external.set_is_used(true);
        let mut errors = Output::new("Error Output");
        errors.set_is_error_output(true);
        for (name, data_type) in columns {
            let id = format!("{prefix}.ExternalColumns[{name}]");
            external.columns.push(external_column(name, data_type, &id));
            let mut column = output_column(name, data_type);
            column.set_external_column_id(&id);
            column.set_error_disposition(disposition);
            column.set_truncation_disposition(disposition);
            output.columns.push(column);
            if class.class != "Microsoft.FlatFileSource" {
                errors.columns.push(output_column(name, data_type));
            }
        }
        if class.class == "Microsoft.FlatFileSource" {
            errors.columns.push(output_column("Flat File Source Error Output Column", "text"));
        }
        error_columns(&mut errors);
        output.external = Some(external);
        component.outputs = vec![output, errors];
        let added = self.pipeline.add(&self.task, component);
        (port(added, 0, &[]), port(added, 1, &[]))
    }

    /// A flat file source: every column of the file, empty fields as NULL.
    pub fn flat_file_source(&mut self, name: &str, manager: &str, columns: &[Typed<'_>]) -> Port {
        let class = Class {
            class: "Microsoft.FlatFileSource",
            role: "FlatFileConnection",
            manager,
            properties: &[("RetainNulls", "true")],
        };
        self.source(name, class, columns, Disposition::FailComponent).0
    }

    /// A destination that takes columns of `from` under the same names; `columns` have the types of the outside world.
    /// Its error rows: those of `from`, and ErrorCode and ErrorColumn.
    pub fn destination(
        &mut self,
        name: &str,
        class: Class<'_>,
        from: &Port,
        columns: &[Typed<'_>],
        disposition: Disposition,
    ) -> Port {
        let mut component = Component::new(class.class, name);
        Flow::connect(&mut component, class.role, class.manager);
        class.properties.iter().for_each(|(name, value)| set(&mut component, name, value));
        let input_id = format!("{}\\{name}.Inputs[Input]", self.task);
        let mut input = Input::new("Input");
        input.set_has_side_effects(true);
        input.set_error_disposition(disposition);
        let mut external = ExternalMetadata::default();
        external.set_is_used(true);
        for (name, data_type) in columns {
            let id = format!("{input_id}.ExternalColumns[{name}]");
            external.columns.push(external_column(name, data_type, &id));
            let mut column = InputColumn::new(name, from.lineage(name));
            column.set_external_column_id(&id);
            input.columns.push(column);
        }
        input.external = Some(external);
        input.set_ref_id(&input_id);
        component.inputs.push(input);
        let is_file = class.class == "Microsoft.FlatFileDestination";
        if !is_file && class.class != "Microsoft.SQLServerDestination" {
            let mut errors = Output::new("Error Output");
            errors.set_is_error_output(true);
            errors.set_exclusion_group(1);
            errors.set_synchronous_input(&input_id);
            error_columns(&mut errors);
            component.outputs.push(errors);
        }
        let added = self.pipeline.add(&self.task, component);
        let errors = if added.outputs.is_empty() {
            Port { id: String::new(), columns: Vec::new() }
        } else {
            port(added, 0, &from.columns)
        };
        let path = Path::new(&format!("To {name}"), &from.id, &input_id);
        self.pipeline.paths.push(path);
        errors
    }

    /// A flat file destination.
    pub fn flat_file_destination(&mut self, name: &str, manager: &str, from: &Port, columns: &[Typed<'_>]) {
        let class = Class {
            class: "Microsoft.FlatFileDestination",
            role: "FlatFileConnection",
            manager,
            properties: &[("Overwrite", "true")],
        };
        self.destination(name, class, from, columns, Disposition::NotUsed);
    }

    /// A component with one input and one output that passes the rows on: Row Count, Lookup … `edit` completes it. The
    /// columns that its first output adds are part of what is given back.
    pub fn transform(
        &mut self,
        name: &str,
        class: &str,
        from: &Port,
        columns: &[&str],
        edit: impl FnOnce(&mut Component),
    ) -> Port {
        let mut component = Component::new(class, name);
        let input_id = format!("{}\\{name}.Inputs[Input]", self.task);
        let mut input = Input::new("Input");
        input.set_ref_id(&input_id);
        input.columns = columns.iter().map(|name| InputColumn::new(name, from.lineage(name))).collect();
        component.inputs.push(input);
        let mut output = Output::new("Output");
        output.set_synchronous_input(&input_id);
        component.outputs.push(output);
        edit(&mut component);
        let added = self.pipeline.add(&self.task, component);
        let port = port(added, 0, &from.columns);
        self.pipeline.paths.push(Path::new(&format!("To {name}"), &from.id, &input_id));
        port
    }
}

/// ErrorCode and ErrorColumn.
fn error_columns(errors: &mut Output) {
    for (name, flags) in [("ErrorCode", 1), ("ErrorColumn", 2)] {
        let mut column = output_column(name, "i4");
        column.set_special_flags(flags);
        errors.columns.push(column);
    }
}

fn port(component: &Component, output: usize, passed: &[Flowing]) -> Port {
    let output = &component.outputs[output];
    let own = output.columns.iter().map(|column| Flowing {
        name: column.name().to_owned(),
        lineage: column.lineage_id().to_owned(),
        data_type: column.data_type().to_owned(),
    });
    Port { id: output.id().to_owned(), columns: passed.iter().cloned().chain(own).collect() }
}

impl Port {
    fn lineage(&self, name: &str) -> &str {
        let found = self.columns.iter().find(|c| c.name == name);
        found.map_or_else(|| unreachable!("no column {name} in {}", self.id), |c| c.lineage.as_str())
    }

    /// Its columns: name and name of type.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.columns.iter().map(|c| (c.name.as_str(), c.data_type.as_str()))
    }
}

/// A flat file connection manager with commas between the columns and without a header.
pub fn file(name: &str, path: &FilePath, columns: &[Typed<'_>]) -> ConnectionManager {
    let last = columns.len() - 1;
    let column = |(at, (name, data_type)): (usize, &Typed<'_>)| {
        let (kind, length, precision, scale) = parts(data_type);
        let mut column = FlatFileColumn::delimited(name, number(kind), length, if at == last { "\r\n" } else { "," });
        if precision > 0 {
            column.set_precision(precision);
            column.set_scale(scale);
        }
        column
    };
    ConnectionManager::flat_file(name, &path.to_string_lossy(), columns.iter().enumerate().map(column).collect())
}

/// A connection manager of a database.
pub fn database(kind: &str, name: &str, connection_string: &str) -> ConnectionManager {
    let kind = match kind {
        "ADO.NET" => {
            "ADO.NET:System.Data.SqlClient.SqlConnection, System.Data, Version=4.0.0.0, Culture=neutral, \
             PublicKeyToken=b77a5c561934e089"
        }
        other => other,
    };
    let mut manager = ConnectionManager::new(kind, name, connection_string);
    let number = name.bytes().fold(0_u64, |n, byte| n.wrapping_mul(131).wrapping_add(byte.into()));
    manager.set_dtsid(&format!("{{00000000-0000-4000-8000-{:012X}}}", number & 0xFFFF_FFFF_FFFF));
    manager
}

/// An Execute SQL task with a statement; `results` are result set columns and the variables that take them.
pub fn execute_sql(name: &str, manager: &ConnectionManager, statement: &str, results: &[(&str, &str)]) -> Executable {
    let space = "www.microsoft.com/sqlserver/dts/tasks/sqltask";
    let result_type = if results.is_empty() { "ResultSetType_None" } else { "ResultSetType_SingleRow" };
    let mut data = Element::new("SQLTask:SqlTaskData")
        .with_attr("xmlns:SQLTask", space)
        .with_attr("SQLTask:Connection", manager.dtsid())
        .with_attr("SQLTask:SqlStatementSource", statement)
        .with_attr("SQLTask:ResultType", result_type);
    for (column, variable) in results {
        let binding = Element::new("SQLTask:ResultBinding")
            .with_attr("SQLTask:ResultName", column)
            .with_attr("SQLTask:DtsVariableName", variable);
        data.children.push(dtsx_loader::model::Node::Element(binding));
    }
    Executable::task("Microsoft.ExecuteSQLTask", name, data)
}

/// Logs every event of a package by a provider (`Microsoft.LogProviderTextFile` …) through a connection manager.
pub fn log(package: &mut Package, kind: &str, manager: &ConnectionManager) {
    let mut provider = LogProvider::default();
    provider.set_creation_name(kind);
    provider.set_name(kind);
    let id = format!("{{00000000-0000-4000-9000-{:012X}}}", package.root.log_providers.len() + 1);
    provider.set_dtsid(&id);
    provider.set_config_string(manager.dtsid());
    package.root.log_providers.push(provider);
    let logging = package.root.logging.get_or_insert_with(LoggingOptions::default);
    logging.set_logging_mode(1);
    let mut selected = SelectedLogProvider::default();
    selected.set_instance_id(&id);
    logging.providers.push(selected);
}

/// A configuration of a package; the types are those of [`Configuration`].
pub fn configuration(package: &mut Package, kind: i32, text: &str) {
    let mut configuration = Configuration::default();
    configuration.set_name(&format!("Configuration {}", package.root.configurations.len() + 1));
    configuration.set_configuration_type(kind);
    configuration.set_configuration_string(text);
    package.root.configurations.push(configuration);
    package.root.set_enable_configurations(true);
}
