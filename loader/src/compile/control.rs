//! Executables of the model become the executables of a plan.

use super::data;
use super::flow::{self, FlowInput};
use crate::ids;
use crate::model::{Connection, Executable, PackageIndex, Part, Sort, Step};
use dtsx_engine::control::plan::{
    ConnectionPlan, ConstraintPlan, ConstraintValue, EnumeratorSpec, EvalOp, ExecutableIndex, ExecutableKind,
    ExecutablePlan, ForLoopSpec, ForeachMapping, ForeachSpec, LoggingMode, LoggingPlan, ParameterPlan, TaskSpec,
    VariablePlan,
};
use dtsx_engine::diag::{Diagnostic, codes};
use dtsx_engine::props::{Origin, PropertyBag};
use dtsx_engine::types::Value;
use dtsx_engine::variables::VariableType;
use std::collections::HashMap;

/// The locale of a package that names none: en-US (unconfirmed: the original takes that of the machine).
const DEFAULT_LOCALE: u32 = 1033;

/// The object model's names of properties that the file spells otherwise.
const RENAMED: [(&str, &str); 5] = [
    ("Disabled", "Disable"),
    ("MaxErrorCount", "MaximumErrorCount"),
    ("ISOLevel", "IsolationLevel"),
    ("ForceExecValue", "ForceExecutionValue"),
    ("EnableConfig", "EnableConfigurations"),
];

/// Compiles executables, parents before children.
pub(super) struct Compiler<'a> {
    pub package: &'a crate::model::Package,
    pub index: PackageIndex,
    pub connections: &'a [ConnectionPlan],
    pub executables: Vec<ExecutablePlan>,
    pub diagnostics: Vec<Diagnostic>,
    /// Plan indices by model path.
    places: HashMap<Vec<Step>, ExecutableIndex>,
}

impl<'a> Compiler<'a> {
    pub fn new(package: &'a crate::model::Package, connections: &'a [ConnectionPlan]) -> Compiler<'a> {
        Compiler {
            package,
            index: package.index(),
            connections,
            executables: Vec::new(),
            diagnostics: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// Compiles the whole package.
    pub fn run(&mut self) {
        let package = self.package;
        let walk = package.walk();
        let mut locales: Vec<u32> = Vec::with_capacity(walk.len());
        for (at, (path, executable)) in walk.iter().enumerate() {
            let parent = path.split_last().and_then(|(_, parent)| self.places.get(parent)).copied();
            let own = executable.locale_id();
            let inherited = parent.map_or(DEFAULT_LOCALE, |p| locales[p]);
            locales.push(if own > 0 { own as u32 } else { inherited });
            self.places.insert(path.clone(), at);
            let object_path = package.object_path(path);
            let plan = self.executable(executable, object_path, parent, locales[at]);
            self.executables.push(plan);
            if let (Some(parent), Some(step)) = (parent, path.last()) {
                match step {
                    Step::Child(_) => self.executables[parent].children.push(at),
                    Step::Handler(_) => self.executables[parent].handlers.push(at),
                }
            }
        }
        for (at, (_, executable)) in walk.iter().enumerate() {
            let constraints = self.constraints(executable, at);
            self.executables[at].constraints = constraints;
        }
    }

    fn executable(
        &mut self,
        executable: &Executable,
        path: String,
        parent: Option<ExecutableIndex>,
        locale: u32,
    ) -> ExecutablePlan {
        let kind = match executable.sort() {
            Sort::Package => ExecutableKind::Package,
            Sort::Sequence => ExecutableKind::Sequence,
            Sort::ForLoop => ExecutableKind::ForLoop(ForLoopSpec {
                init: executable.init_expression().unwrap_or_default().to_owned(),
                eval: executable.eval_expression().unwrap_or_default().to_owned(),
                assign: executable.assign_expression().unwrap_or_default().to_owned(),
            }),
            Sort::ForEachLoop => ExecutableKind::ForeachLoop(Box::new(self.foreach(executable, &path))),
            Sort::EventHandler => ExecutableKind::EventHandler { event: executable.event_name().to_owned() },
            Sort::Task => ExecutableKind::Task(Box::new(self.task(executable, &path, locale))),
        };
        let name = match executable.sort() {
            Sort::EventHandler => executable.event_name(),
            _ => executable.name(),
        };
        ExecutablePlan {
            id: executable.dtsid().to_owned(),
            name: name.to_owned(),
            description: executable.description().to_owned(),
            creation_name: executable.creation_name().to_owned(),
            kind,
            properties: properties(&executable.base.properties),
            expressions: executable.expressions.iter().map(data::expression).collect(),
            variables: executable.variables.iter().map(|v| self.variable(v, &path)).collect(),
            children: Vec::new(),
            constraints: Vec::new(),
            handlers: Vec::new(),
            parent,
            logging: logging(executable),
            span: data::span(executable.base.span),
            path,
        }
    }

    fn task(&mut self, executable: &Executable, path: &str, locale: u32) -> TaskSpec {
        let connections = self.connections;
        let flow = executable.pipeline().map(|pipeline| {
            let connection = |c: &Connection| connection_id(c, connections);
            let input = FlowInput { path, locale, connection: &connection };
            Box::new(flow::compile(pipeline, &input, &mut self.diagnostics))
        });
        let data = executable.task_data().map(data::node);
        let data = data.or_else(|| {
            // A script project stands beside others in the object data of some files; it is opaque here.
            let parts = &executable.object_data.as_ref()?.parts;
            parts.iter().find_map(|part| match part {
                Part::Node(node) => node.as_element().map(data::node),
                _ => None,
            })
        });
        TaskSpec {
            kind: executable.kind().to_owned(),
            path: path.to_owned(),
            name: executable.name().to_owned(),
            data: data.unwrap_or_default(),
            properties: PropertyBag::default(),
            flow,
            span: data::span(executable.base.span),
        }
    }

    fn foreach(&mut self, executable: &Executable, path: &str) -> ForeachSpec {
        let mappings = executable
            .variable_mappings
            .iter()
            .map(|m| ForeachMapping {
                variable: m.variable_name().to_owned(),
                index: i64::from(m.value_index()),
                span: data::span(m.base.span),
            })
            .collect();
        let enumerator = executable.enumerator.as_ref().map(|e| EnumeratorSpec {
            kind: e.kind().to_owned(),
            name: e.name().to_owned(),
            path: format!("{path}.ForEachEnumerator"),
            data: e.data().map(data::node).unwrap_or_default(),
            properties: PropertyBag::default(),
            expressions: e.expressions.iter().map(data::expression).collect(),
            span: data::span(e.base.span),
        });
        ForeachSpec { enumerator: enumerator.unwrap_or_default(), mappings }
    }

    fn variable(&mut self, variable: &crate::model::Variable, owner: &str) -> VariablePlan {
        let data_type = VariableType::from_vartype(i32::from(variable.data_type())).unwrap_or_default();
        let text = variable.value_text();
        // The serialized .NET object of an Object variable reads as Nothing.
        let value = match variable.is_managed_object() {
            true => Value::Null,
            false => data_type.parse(text).unwrap_or_else(|error| {
                let message = format!("the value of variable \"{}\": {error}", variable.qualified_name());
                let object = format!("{owner}.Variables[{}]", variable.qualified_name());
                self.diagnostics.push(
                    Diagnostic::warning(codes::DTS_E_RUNTIMEVARIABLETYPECHANGE, object, message)
                        .with_span(data::span(variable.base.span)),
                );
                data_type.default_value()
            }),
        };
        VariablePlan {
            namespace: variable.namespace().to_owned(),
            name: variable.name().to_owned(),
            id: variable.dtsid().to_owned(),
            description: variable.description().to_owned(),
            data_type,
            value,
            expression: variable
                .evaluate_as_expression()
                .then(|| variable.expression().unwrap_or_default().to_owned())
                .filter(|e| !e.is_empty()),
            read_only: variable.read_only(),
            raise_changed_event: variable.raise_changed_event(),
            span: data::span(variable.base.span),
        }
    }

    /// The constraints between the children of executable `at`; an end that leads outside is reported.
    fn constraints(&mut self, executable: &Executable, at: ExecutableIndex) -> Vec<ConstraintPlan> {
        let mut plans = Vec::new();
        for constraint in &executable.precedence_constraints {
            let mut end = |reference: &str| {
                let found = self.index.resolve(reference).and_then(|path| self.places.get(path)).copied();
                let found = found.filter(|i| self.executables[at].children.contains(i));
                if found.is_none() {
                    let message = format!(
                        "the precedence constraint \"{}\" refers to \"{reference}\", which its container does not hold",
                        constraint.name()
                    );
                    let path = &self.executables[at].path;
                    self.diagnostics.push(
                        Diagnostic::error(codes::DTS_E_LOADFROMXML, path, message)
                            .with_span(data::span(constraint.base.span)),
                    );
                }
                found
            };
            let (from, to) = (end(constraint.from()), end(constraint.to()));
            if let (Some(from), Some(to)) = (from, to) {
                plans.push(ConstraintPlan {
                    name: constraint.name().to_owned(),
                    from,
                    to,
                    value: ConstraintValue::from_number(i64::from(constraint.value())).unwrap_or_default(),
                    eval_op: EvalOp::from_number(i64::from(constraint.eval_op())).unwrap_or_default(),
                    logical_and: constraint.logical_and(),
                    expression: constraint.expression().unwrap_or_default().to_owned(),
                    span: data::span(constraint.base.span),
                });
            }
        }
        plans
    }
}

/// Parameters of a package with their design values.
pub(super) fn parameters(
    parameters: &[crate::model::Parameter],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<ParameterPlan> {
    parameters
        .iter()
        .map(|p| {
            let data_type = VariableType::from_vartype(p.data_type()).unwrap_or_default();
            ParameterPlan {
                namespace: "$Package".to_owned(),
                name: p.name().to_owned(),
                id: p.dtsid().to_owned(),
                data_type,
                value: design_value("$Package", p.name(), data_type, p.value(), data::span(p.base.span), diagnostics),
                required: p.required(),
                sensitive: p.sensitive(),
                span: data::span(p.base.span),
            }
        })
        .collect()
}

/// Parameters of a project with their design values. Their spans point into another file, and are left out.
pub(super) fn project_parameters(
    parameters: &[crate::project::ProjectParameter],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<ParameterPlan> {
    parameters
        .iter()
        .map(|p| {
            let data_type = VariableType::from_vartype(i32::from(p.data_type)).unwrap_or_default();
            ParameterPlan {
                namespace: "$Project".to_owned(),
                name: p.name.clone(),
                id: String::new(),
                data_type,
                value: design_value("$Project", &p.name, data_type, p.value.as_deref(), None, diagnostics),
                required: p.required,
                sensitive: p.sensitive,
                span: None,
            }
        })
        .collect()
}

fn design_value(
    namespace: &str,
    name: &str,
    data_type: VariableType,
    text: Option<&str>,
    span: Option<dtsx_engine::diag::Span>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Value {
    data_type.parse(text.unwrap_or_default()).unwrap_or_else(|error| {
        let message = format!("the value of parameter \"{namespace}::{name}\": {error}");
        let object = format!("\\Package.Parameters[{namespace}::{name}]");
        let code = codes::DTS_E_RUNTIMEVARIABLETYPECHANGE;
        diagnostics.push(Diagnostic::warning(code, object, message).with_span(span));
        data_type.default_value()
    })
}

/// The DTSID of the manager that a component's connection means (formats 6 and 8 say it twice, projects add
/// `:external`); what is not found stays as it is written, and is reported when it is asked for.
fn connection_id(connection: &Connection, managers: &[ConnectionPlan]) -> String {
    let id = connection.manager_id();
    let id = id.strip_suffix(":external").unwrap_or(id);
    if let Some(found) = managers.iter().find(|m| m.spec.id.eq_ignore_ascii_case(id)) {
        return found.spec.id.clone();
    }
    let by_name = |reference: &str| {
        let (_, rest) = reference.split_once(".ConnectionManagers[")?;
        let name = rest.strip_suffix(']')?;
        managers.iter().find(|m| m.spec.name == name).map(|m| m.spec.id.clone())
    };
    let reference = connection.manager_ref_id().unwrap_or_default();
    by_name(reference).or_else(|| by_name(id)).unwrap_or_else(|| id.to_owned())
}

fn properties(list: &crate::model::PropertyList) -> PropertyBag {
    let mut bag = PropertyBag::default();
    for property in list.iter() {
        let name = property.name();
        let name = RENAMED.iter().find(|(file, _)| *file == name).map_or(name, |(_, model)| *model);
        let value = dtsx_engine::props::PropValue::Text(property.value().to_owned());
        let origin = Origin::Package;
        bag.set(name, dtsx_engine::props::Property { value, origin, span: data::span(property.span) });
    }
    bag
}

fn logging(executable: &Executable) -> LoggingPlan {
    let Some(options) = &executable.logging else { return LoggingPlan::default() };
    let hidden = options
        .base
        .properties
        .iter()
        .filter(|p| p.name() == "ColumnFilter")
        .filter_map(|p| p.attr("EventName").map(str::to_owned))
        .filter_map(|event| {
            let columns = options.column_filter(&event)?;
            Some((event, columns.into_iter().filter(|(_, on)| !on).map(|(name, _)| name).collect()))
        })
        .collect();
    LoggingPlan {
        mode: match options.logging_mode() {
            1 => LoggingMode::Enabled,
            2 => LoggingMode::Disabled,
            _ => LoggingMode::UseParentSetting,
        },
        exclude: options.filter_kind() == 1,
        events: options.events().into_iter().map(str::to_owned).collect(),
        hidden_columns: hidden,
        providers: options.providers.iter().map(|p| p.instance_id().to_owned()).collect(),
    }
}

/// Log providers of a package.
pub(super) fn log_providers(root: &Executable) -> Vec<dtsx_engine::control::plan::LogProviderPlan> {
    root.log_providers
        .iter()
        .map(|p| dtsx_engine::control::plan::LogProviderPlan {
            id: p.dtsid().to_owned(),
            name: p.name().to_owned(),
            kind: ids::log_provider(p.kind()).unwrap_or(p.kind()).to_owned(),
            config_string: p.config_string().to_owned(),
            expressions: p.expressions.iter().map(data::expression).collect(),
            span: data::span(p.base.span),
        })
        .collect()
}
