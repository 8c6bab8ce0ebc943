//! Ids for what was made in code: GUIDs, and the refId paths of formats 6 and 8.

use std::collections::HashSet;

use super::executable::Executable;
use super::object::{Base, Object};
use super::package::Package;
use super::pipeline::{Component, Pipeline};
use super::tree::Name;

impl Package {
    /// Gives every object that was made in code the ids that it lacks: GUIDs to all, refIds to what is referred to by path.
    /// Objects that came from a file, and ids that are there, stay as they are.
    ///
    /// The writer does this on a copy; call it to know the ids before, or to keep the same ones over several saves.
    pub fn assign_ids(&mut self) {
        let root = &mut self.root;
        set_missing(&mut root.base, "refId", || "Package".to_owned());
        set_missing(&mut root.base, "VersionGUID", new_guid);
        identify(root, "Package");
    }

    /// True if [`Package::assign_ids`] would change something.
    pub fn lacks_ids(&self) -> bool {
        self.walk().iter().any(|(_, executable)| {
            is_made_in_code(&executable.base)
                || executable.variables.iter().any(|object| is_made_in_code(&object.base))
                || executable.parameters.iter().any(|object| is_made_in_code(&object.base))
                || executable.precedence_constraints.iter().any(|object| is_made_in_code(&object.base))
                || executable.connection_managers.iter().any(|object| {
                    is_made_in_code(&object.base)
                        || object.data().is_some_and(|data| data.columns.iter().any(|c| is_made_in_code(&c.base)))
                })
                || executable.log_providers.iter().any(|object| is_made_in_code(&object.base))
                || executable.configurations.iter().any(|object| is_made_in_code(&object.base))
                || executable.enumerator.iter().any(|object| is_made_in_code(&object.base))
                || executable.variable_mappings.iter().any(|object| is_made_in_code(&object.base))
                || executable.pipeline().is_some_and(|pipeline| !pipeline_is_complete(pipeline))
        })
    }
}

fn is_made_in_code(base: &Base) -> bool {
    base.span.is_empty() && base.properties.get("DTSID").is_none()
}

fn pipeline_is_complete(pipeline: &Pipeline) -> bool {
    let is_complete = |base: &Base| {
        !base.span.is_empty() || base.properties.get("refId").is_some() || base.properties.get("id").is_some()
    };
    pipeline.paths.iter().all(|path| is_complete(&path.base))
        && pipeline.components.iter().all(|component| {
            is_complete(&component.base)
                && component.connections.iter().all(|connection| is_complete(&connection.base))
                && component.inputs.iter().all(|input| {
                    is_complete(&input.base)
                        && input.columns.iter().all(|column| is_complete(&column.base))
                        && input.external_columns().iter().all(|column| is_complete(&column.base))
                })
                && component.outputs.iter().all(|output| {
                    is_complete(&output.base)
                        && output.columns.iter().all(|column| is_complete(&column.base))
                        && output.external_columns().iter().all(|column| is_complete(&column.base))
                })
        })
}

fn new_guid() -> String {
    uuid::Uuid::new_v4().braced().to_string().to_ascii_uppercase()
}

fn set_missing(base: &mut Base, name: &str, value: impl FnOnce() -> String) {
    if base.span.is_empty() && base.properties.get(name).is_none_or(str::is_empty) {
        base.properties.set(Name::dts(name), value());
    }
}

fn set_guid(object: &mut impl Object) {
    set_missing(object.base_mut(), "DTSID", new_guid);
}

/// Gives ids to an executable and everything in it. The depth is that of the package, which the reader bounds.
fn identify(executable: &mut Executable, ref_id: &str) {
    set_guid(executable);
    for manager in &mut executable.connection_managers {
        let name = manager.name().to_owned();
        set_missing(&mut manager.base, "refId", || format!("{ref_id}.ConnectionManagers[{name}]"));
        set_guid(manager);
        let Some(data) = manager.data_mut() else { continue };
        data.columns.iter_mut().for_each(set_guid);
        data.cache_columns.iter_mut().for_each(set_guid);
    }
    for constraint in &mut executable.precedence_constraints {
        let name = constraint.name().to_owned();
        set_missing(&mut constraint.base, "refId", || format!("{ref_id}.PrecedenceConstraints[{name}]"));
        set_guid(constraint);
    }
    executable.configurations.iter_mut().for_each(set_guid);
    executable.log_providers.iter_mut().for_each(set_guid);
    executable.parameters.iter_mut().for_each(set_guid);
    executable.variables.iter_mut().for_each(set_guid);
    executable.variable_mappings.iter_mut().for_each(|mapping| {
        set_guid(mapping);
        let guid = mapping.property("DTSID").unwrap_or_default().to_owned();
        set_missing(&mut mapping.base, "ObjectName", || guid);
    });
    if let Some(enumerator) = &mut executable.enumerator {
        set_guid(enumerator);
        let guid = enumerator.dtsid().to_owned();
        set_missing(&mut enumerator.base, "ObjectName", || guid);
    }
    if let Some(pipeline) = executable.pipeline_mut() {
        pipeline.assign_ref_ids(ref_id);
    }
    for child in &mut executable.executables {
        let path = format!("{ref_id}\\{}", child.name());
        set_missing(&mut child.base, "refId", || path.clone());
        identify(child, &path);
    }
    for handler in &mut executable.event_handlers {
        let path = format!("{ref_id}.EventHandlers[{}]", handler.event_name());
        set_missing(&mut handler.base, "refId", || path.clone());
        identify(handler, &path);
    }
}

/// Names that were given within one data flow.
#[derive(Default)]
struct Taken(HashSet<String>);

impl Taken {
    /// The wished id, or the next free one after it: objects of a file may share a name.
    fn free(&mut self, wish: String) -> String {
        let mut id = wish.clone();
        let mut number = 1;
        while !self.0.insert(id.clone()) {
            id = format!("{wish}:{number}");
            number += 1;
        }
        id
    }
}

impl Pipeline {
    /// Gives refIds (under the refId of the task) to objects that have no id yet, and a lineage id to output columns that
    /// have none. Columns that refer to each other by lineage must have their ids before: see
    /// [`Pipeline::component_ref_id`] for how they are made.
    pub fn assign_ref_ids(&mut self, task: &str) {
        let mut taken = Taken::default();
        self.each_identified(&mut |base| taken.0.extend(base.properties.get("refId").map(str::to_owned)));
        let has_id = |base: &Base| base.properties.get("refId").or(base.properties.get("id")).is_some();
        let mut give = |base: &mut Base, wish: String| {
            if !has_id(base) {
                base.properties.set(Name::plain("refId"), taken.free(wish));
            }
        };
        for component in &mut self.components {
            let id = Pipeline::component_ref_id(task, component.name());
            give(&mut component.base, id.clone());
            for connection in &mut component.connections {
                let wish = format!("{id}.Connections[{}]", connection.name());
                give(&mut connection.base, wish);
            }
            for input in &mut component.inputs {
                let port = format!("{id}.Inputs[{}]", input.name());
                give(&mut input.base, port.clone());
                for column in &mut input.columns {
                    let wish = format!("{port}.Columns[{}]", column.name());
                    give(&mut column.base, wish);
                }
                for column in input.external.iter_mut().flat_map(|external| &mut external.columns) {
                    let wish = format!("{port}.ExternalColumns[{}]", column.name());
                    give(&mut column.base, wish);
                }
            }
            for output in &mut component.outputs {
                let port = format!("{id}.Outputs[{}]", output.name());
                give(&mut output.base, port.clone());
                for column in &mut output.columns {
                    let wish = format!("{port}.Columns[{}]", column.name());
                    give(&mut column.base, wish);
                    if column.base.span.is_empty() && column.base.properties.get("lineageId").is_none() {
                        let lineage = column.id().to_owned();
                        column.set_lineage_id(&lineage);
                    }
                }
                for column in output.external.iter_mut().flat_map(|external| &mut external.columns) {
                    let wish = format!("{port}.ExternalColumns[{}]", column.name());
                    give(&mut column.base, wish);
                }
            }
        }
        for path in &mut self.paths {
            let wish = format!("{task}.Paths[{}]", path.name());
            give(&mut path.base, wish);
        }
    }

    /// Visits every object that has an id, always in the same order.
    pub(crate) fn each_identified(&mut self, visit: &mut impl FnMut(&mut Base)) {
        for component in &mut self.components {
            visit(&mut component.base);
            component.connections.iter_mut().for_each(|connection| visit(&mut connection.base));
            for input in &mut component.inputs {
                visit(&mut input.base);
                input.columns.iter_mut().for_each(|column| visit(&mut column.base));
                input.external.iter_mut().flat_map(|e| &mut e.columns).for_each(|column| visit(&mut column.base));
            }
            for output in &mut component.outputs {
                visit(&mut output.base);
                output.columns.iter_mut().for_each(|column| visit(&mut column.base));
                output.external.iter_mut().flat_map(|e| &mut e.columns).for_each(|column| visit(&mut column.base));
            }
        }
        self.paths.iter_mut().for_each(|path| visit(&mut path.base));
    }

    /// The refId of a component: the task's and the name. Its ports and columns follow with `.Outputs[O].Columns[C]`,
    /// `.Inputs[I].Columns[C]`, `.ExternalColumns[C]`.
    pub fn component_ref_id(task: &str, component: &str) -> String {
        format!("{task}\\{component}")
    }

    /// Adds a component and gives it its ids under a task, so that later components can refer to its columns.
    pub fn add(&mut self, task: &str, component: Component) -> &Component {
        self.components.push(component);
        self.assign_ref_ids(task);
        &self.components[self.components.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Output, OutputColumn, Variable};
    use super::*;

    #[test]
    fn ids_are_given_once_and_kept() {
        let mut package = Package::new("P");
        let mut source = Component::new("Microsoft.FlatFileSource", "Src");
        let mut output = Output::new("Out");
        output.columns = vec![OutputColumn::new("A", "i4", 0), OutputColumn::new("A", "i4", 0)];
        source.outputs.push(output);
        let mut pipeline = Pipeline::default();
        pipeline.add("Package\\Flow", source);
        package.root.executables.push(Executable::data_flow("Flow", pipeline));
        package.root.variables.push(Variable::new("User", "x", 3, "1"));
        assert!(package.lacks_ids());
        package.assign_ids();
        assert!(!package.lacks_ids());
        let flow = &package.root.executables[0];
        assert_eq!(flow.ref_id(), "Package\\Flow");
        let columns = &flow.pipeline().unwrap().components[0].outputs[0].columns;
        assert_eq!(columns[0].lineage_id(), "Package\\Flow\\Src.Outputs[Out].Columns[A]");
        assert_eq!(columns[1].lineage_id(), "Package\\Flow\\Src.Outputs[Out].Columns[A]:1");
        let before = package.clone();
        package.assign_ids();
        assert_eq!(package, before);
    }
}
