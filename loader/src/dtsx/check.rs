//! The checks on values that the original makes while it loads: numbers must be numbers, booleans booleans, and hosted
//! objects must have their data, and names be unique.

use std::collections::HashSet;

use super::table::{self, Row};
use crate::error::{Fault, LoadError, Result};
use crate::model::{Executable, Object, Package, Pipeline, Sort, Span};

/// Checks a package that was just read; the first fault is the error.
pub(super) fn check(package: &Package) -> Result<()> {
    for (path, executable) in package.walk() {
        let mut checker = Checker { fault: None };
        checker.executable(executable);
        if let Some((fault, message, span)) = checker.fault {
            let error = LoadError::new(fault, message).about(package.object_path(&path));
            return Err(match &package.origin {
                Some(origin) => error.at(&origin.source, span),
                None => error,
            });
        }
    }
    Ok(())
}

struct Checker {
    fault: Option<(Fault, String, Span)>,
}

impl Checker {
    fn executable(&mut self, executable: &Executable) {
        self.object(executable, "DTS:Executable", table::EXECUTABLE);
        for manager in &executable.connection_managers {
            self.object(manager, "DTS:ConnectionManager", table::HOSTED);
            self.has_data(manager.object_data.is_some(), manager, manager.name());
            let Some(data) = manager.data() else { continue };
            self.object(data, "DTS:ConnectionManager", table::CONNECTION);
            self.objects(&data.columns, "DTS:FlatFileColumn", table::FLAT_FILE_COLUMN);
            self.objects(&data.cache_columns, "DTS:CacheColumn", table::CACHE_COLUMN);
        }
        self.objects(&executable.configurations, "DTS:Configuration", table::CONFIGURATION);
        self.objects(&executable.log_providers, "DTS:LogProvider", table::HOSTED);
        self.objects(&executable.parameters, "DTS:PackageParameter", table::PARAMETER);
        self.objects(&executable.variables, "DTS:Variable", table::VARIABLE);
        self.objects(executable.logging.as_slice(), "DTS:LoggingOptions", table::LOGGING);
        self.objects(&executable.precedence_constraints, "DTS:PrecedenceConstraint", table::CONSTRAINT);
        self.objects(&executable.variable_mappings, "DTS:ForEachVariableMapping", table::MAPPING);
        for variable in &executable.variables {
            if let Some(value) = &variable.value
                && value.attr("DataType").is_some()
                && value.data_type().is_none()
            {
                self.value("DataType", value.attr("DataType").unwrap_or_default(), "DTS:VariableValue", value.span);
            }
        }
        self.unique(&executable.executables, |object| object.name().to_owned());
        self.unique(&executable.connection_managers, |object| object.name().to_owned());
        self.unique(&executable.variables, |object| object.qualified_name());
        self.unique(&executable.parameters, |object| object.name().to_owned());
        self.unique(&executable.event_handlers, |object| object.event_name().to_owned());
        if let Some(enumerator) = &executable.enumerator {
            self.has_data(enumerator.object_data.is_some(), enumerator, enumerator.creation_name());
        }
        if executable.sort() == Sort::Task {
            self.has_data(executable.object_data.is_some(), executable, executable.name());
        }
        if let Some(pipeline) = executable.pipeline() {
            self.pipeline(pipeline);
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline) {
        let rows = table::PIPELINE;
        self.object(pipeline, "pipeline", rows);
        for component in &pipeline.components {
            self.object(component, "component", rows);
            for input in &component.inputs {
                self.object(input, "input", rows);
                self.objects(&input.columns, "inputColumn", rows);
                self.objects(input.external_columns(), "externalMetadataColumn", rows);
            }
            for output in &component.outputs {
                self.object(output, "output", rows);
                self.objects(&output.columns, "outputColumn", rows);
                self.objects(output.external_columns(), "externalMetadataColumn", rows);
            }
        }
    }

    fn objects<T: Object>(&mut self, objects: &[T], node: &str, rows: &'static [Row]) {
        for object in objects {
            self.object(object, node, rows);
        }
    }

    fn object(&mut self, object: &impl Object, node: &str, rows: &'static [Row]) {
        if self.fault.is_some() {
            return;
        }
        for property in object.base().properties.iter() {
            let bad = table::find(rows, property.name()).filter(|row| !table::accepts(row.1, property.value()));
            if bad.is_some() {
                self.value(property.name(), property.value(), node, property.span);
                return;
            }
        }
    }

    /// Names are unique in a collection. They are compared as they are written; objects without a name have none.
    fn unique<T: Object>(&mut self, objects: &[T], name_of: impl Fn(&T) -> String) {
        if self.fault.is_some() {
            return;
        }
        let mut seen = HashSet::new();
        for object in objects {
            let name = name_of(object);
            if name.is_empty() || seen.insert(name.clone()) {
                continue;
            }
            let message = format!(
                "The object cannot be added because another object with the same name already exists in the collection: {name}"
            );
            self.fault.get_or_insert((Fault::NameAlreadyAdded, message, object.span()));
        }
    }

    fn value(&mut self, name: &str, value: &str, node: &str, span: Span) {
        let message = format!("Error loading value \"{value}\" from node \"{node}\": it is not a value of {name}");
        self.fault.get_or_insert((Fault::PersistenceError, message, span));
    }

    fn has_data(&mut self, has_data: bool, object: &impl Object, name: &str) {
        if !has_data {
            let message = format!("The ObjectData element is missing in the XML block of a hosted object: {name}");
            self.fault.get_or_insert((Fault::MissingObjectData, message, object.span()));
        }
    }
}
