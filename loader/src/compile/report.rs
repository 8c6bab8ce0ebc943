//! The offline verdict on a package: what it holds, what of that this build has, and how its expressions compile.

use super::Compiled;
use dtsx_engine::control::plan::{EvalOp, ExecutableKind, ExecutablePlan, PackagePlan};
use dtsx_engine::control::{self, RunRequest};
use dtsx_engine::diag::{Diagnostic, Error, Result, Span, without_passwords};
use dtsx_engine::expr::{self, Environment, Reference};
use dtsx_engine::flow::{ComponentSpec, FlowSpec, LineageId};
use dtsx_engine::types::{DataType, Value};
use dtsx_engine::variables::{Scope, VariableAccess, VariableType};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Some parts of a package, and how many of them this build supports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// All of them, disabled ones included.
    pub total: usize,
    /// Those whose kind this build has.
    pub supported: usize,
    /// The kinds that it has not, each once, in alphabetical order.
    pub unsupported: BTreeSet<String>,
}

impl Tally {
    fn count(&mut self, kind: &str, supported: bool) {
        self.total += 1;
        if supported {
            self.supported += 1;
        } else {
            self.unsupported.insert(if kind.is_empty() { "(none)".to_owned() } else { kind.to_owned() });
        }
    }
}

/// How the expressions of a package compile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExpressionTally {
    /// All: of components, properties, variables, constraints, loops and Expression tasks.
    pub total: usize,
    /// Those that compile.
    pub compiled: usize,
    /// Those beside which a package declares the type: of new columns, which the designer inferred, and of variables.
    pub declared: usize,
    /// Of those, the ones that this build types the same: for a column type, length, precision, scale and code page; for
    /// a variable its type, which has no more to it.
    pub typed_as_declared: usize,
    /// Of the declared, the new columns.
    pub declared_columns: usize,
    /// Of those, the ones that are typed the same.
    pub columns_typed_as_declared: usize,
}

/// An expression that does not compile, or is typed otherwise than the designer stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpressionFinding {
    /// The object that it belongs to.
    pub object: String,
    /// The property, column or output.
    pub part: String,
    /// The expression.
    pub text: String,
    /// Why it does not compile; or None, and then the types are here.
    pub error: Option<String>,
    /// What the designer stored, and what this build infers.
    pub types: Option<(DataType, DataType)>,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

/// The verdict.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Tasks.
    pub tasks: Tally,
    /// Data-flow components.
    pub components: Tally,
    /// Connection managers.
    pub connections: Tally,
    /// Expressions.
    pub expressions: ExpressionTally,
    /// The expressions behind the difference between the counts.
    pub expression_findings: Vec<ExpressionFinding>,
    /// Whether all that would execute is supported by this build.
    pub runnable: bool,
    /// Everything that was found.
    pub diagnostics: Vec<Diagnostic>,
}

/// What a build supports, by canonical kind.
pub trait Support {
    /// Whether it has that data-flow component.
    fn component(&self, kind: &str) -> bool;
    /// Whether it has that task.
    fn task(&self, kind: &str) -> bool;
    /// Whether it has that kind of connection manager.
    fn connection(&self, kind: &str) -> bool;
}

/// Judges a compiled package without touching files or servers.
///
/// # Errors
/// As [`control::check`].
pub fn report(compiled: &Compiled, request: &RunRequest, support: &dyn Support) -> Result<Report> {
    let plan = &compiled.plan;
    let mut report = Report { diagnostics: compiled.diagnostics.clone(), ..Report::default() };
    for executable in &plan.executables {
        if let ExecutableKind::Task(task) = &executable.kind {
            let kind = if task.kind.is_empty() { &executable.creation_name } else { &task.kind };
            report.tasks.count(kind, task.flow.is_some() || support.task(kind));
            for component in task.flow.iter().flat_map(|f| &f.components) {
                report.components.count(&component.kind, support.component(&component.kind));
            }
        }
    }
    for connection in &plan.connections {
        report.connections.count(&connection.spec.kind, support.connection(&connection.spec.kind));
    }
    report.diagnostics.extend(control::check(plan, request)?);
    report.runnable = !report.diagnostics.iter().any(|d| d.unsupported);
    let mut expressions = Expressions { plan, tally: ExpressionTally::default(), findings: Vec::new() };
    control::visit_scopes(plan, request, &mut |index, scope, _| {
        expressions.executable(&plan.executables[index], scope, index == 0);
    })?;
    report.expressions = expressions.tally;
    report.expression_findings = expressions.findings;
    Ok(report)
}

/// Columns by lineage, variables by scope.
struct Names<'a> {
    flow: Option<&'a FlowSpec>,
    types: &'a HashMap<LineageId, (usize, DataType)>,
    columns: Vec<(&'a str, LineageId)>,
    scope: &'a Scope,
    locale: u32,
}

impl Environment for Names<'_> {
    fn column(&self, reference: &Reference<'_>) -> Option<(usize, DataType)> {
        let lineage = match reference {
            Reference::Lineage(name) => self.flow?.lineage_names.get(*name).copied()?,
            Reference::Name { column, .. } => {
                self.columns.iter().find(|(name, _)| name.eq_ignore_ascii_case(column))?.1
            }
        };
        self.types.get(&lineage).copied()
    }

    fn variable(&self, name: &str) -> Result<(DataType, Value), Error> {
        self.scope.read(name)
    }

    fn lcid(&self) -> u32 {
        self.locale
    }

    fn has_columns(&self) -> bool {
        self.flow.is_some()
    }
}

struct Expressions<'a> {
    plan: &'a Arc<PackagePlan>,
    tally: ExpressionTally,
    findings: Vec<ExpressionFinding>,
}

/// Whether a variable that expressions see as `variable` is of the type that a result has: variables have one type for all
/// dates, one for all texts, and one for all decimals.
fn holds(variable: &DataType, result: &DataType) -> bool {
    let text = |t: &DataType| t.is_string() || matches!(t, DataType::Text { .. } | DataType::NText);
    let decimal = |t: &DataType| matches!(t, DataType::Decimal { .. } | DataType::Numeric { .. });
    variable.code() == result.code()
        || *variable == DataType::Date && result.is_date_time()
        || text(variable) && text(result)
        || decimal(variable) && decimal(result)
}

/// What an expression is expected to be.
enum Form {
    Value,
    Assignment,
    /// A value of a variable of that type.
    Variable(VariableType),
}

impl Expressions<'_> {
    fn executable(&mut self, executable: &ExecutablePlan, scope: &Scope, is_package: bool) {
        let path = executable.path.as_str();
        let mut outside = |part: &str, text: &str, form: Form, span: Option<Span>| {
            if !text.trim().is_empty() {
                self.outside(scope, path, part, text, &form, span);
            }
        };
        for expression in &executable.expressions {
            outside(&expression.property, &expression.text, Form::Value, expression.span);
        }
        for variable in &executable.variables {
            let form = Form::Variable(variable.data_type);
            outside(&variable.name, variable.expression.as_deref().unwrap_or(""), form, variable.span);
        }
        for constraint in executable.constraints.iter().filter(|c| c.eval_op != EvalOp::Constraint) {
            outside(&constraint.name, &constraint.expression, Form::Value, constraint.span);
        }
        match &executable.kind {
            ExecutableKind::ForLoop(spec) => {
                outside("InitExpression", &spec.init, Form::Assignment, executable.span);
                outside("EvalExpression", &spec.eval, Form::Value, executable.span);
                outside("AssignExpression", &spec.assign, Form::Assignment, executable.span);
            }
            ExecutableKind::ForeachLoop(spec) => {
                for expression in &spec.enumerator.expressions {
                    outside(&expression.property, &expression.text, Form::Value, expression.span);
                }
            }
            ExecutableKind::Task(task) if task.kind == "Microsoft.ExpressionTask" => {
                outside("Expression", task.data.attr("Expression").unwrap_or(""), Form::Assignment, task.span);
            }
            _ => {}
        }
        if is_package {
            for connection in &self.plan.connections.clone() {
                for expression in &connection.expressions {
                    let path = &connection.spec.path;
                    self.outside(scope, path, &expression.property, &expression.text, &Form::Value, expression.span);
                }
            }
        }
        if let ExecutableKind::Task(task) = &executable.kind
            && let Some(flow) = &task.flow
        {
            self.flow(flow, scope);
        }
    }

    fn outside(&mut self, scope: &Scope, path: &str, part: &str, text: &str, form: &Form, span: Option<Span>) {
        let none = HashMap::new();
        let names = Names { flow: None, types: &none, columns: Vec::new(), scope, locale: 0 };
        self.tally.total += 1;
        let compiled = match form {
            Form::Value | Form::Variable(_) => expr::compile(text, &names).map(|program| Some(program.data_type())),
            Form::Assignment => expr::compile_assignment(text, &names).map(|_| None),
        };
        // An Object takes anything, which declares nothing.
        let declared = match form {
            Form::Variable(data_type) if *data_type != VariableType::Object => Some(data_type.data_type(&Value::Null)),
            _ => None,
        };
        self.tally.declared += usize::from(declared.is_some());
        match compiled {
            Ok(inferred) => {
                self.tally.compiled += 1;
                match declared.zip(inferred) {
                    Some((declared, inferred)) if holds(&declared, &inferred) => {
                        self.tally.typed_as_declared += 1;
                    }
                    Some(types) => self.findings.push(ExpressionFinding {
                        object: path.to_owned(),
                        part: part.to_owned(),
                        text: text.to_owned(),
                        error: None,
                        types: Some(types),
                        span,
                    }),
                    None => {}
                }
            }
            Err(error) => self.findings.push(ExpressionFinding {
                object: path.to_owned(),
                part: part.to_owned(),
                text: text.to_owned(),
                error: Some(without_passwords(&error.to_string())),
                types: None,
                span,
            }),
        }
    }

    fn flow(&mut self, flow: &FlowSpec, scope: &Scope) {
        let columns = flow.components.iter().flat_map(|c| &c.outputs).flat_map(|o| &o.columns);
        let types = columns.enumerate().map(|(slot, c)| (c.lineage, (slot, c.data_type))).collect();
        for component in &flow.components {
            self.component(flow, component, scope, &types);
        }
    }

    fn component(
        &mut self,
        flow: &FlowSpec,
        component: &ComponentSpec,
        scope: &Scope,
        types: &HashMap<LineageId, (usize, DataType)>,
    ) {
        let inputs = || component.inputs.iter().flat_map(|i| &i.columns);
        let columns = inputs().map(|c| (c.name.as_str(), c.lineage)).collect();
        let names = Names { flow: Some(flow), types, columns, scope, locale: component.locale };
        let mut one = |part: &str, text: &str, declared: Option<DataType>, span: Option<Span>| {
            self.tally.total += 1;
            let finding = |error: Option<String>, types| ExpressionFinding {
                object: component.path.clone(),
                part: part.to_owned(),
                text: text.to_owned(),
                error,
                types,
                span,
            };
            self.tally.declared += usize::from(declared.is_some());
            self.tally.declared_columns += usize::from(declared.is_some());
            match expr::compile(text, &names) {
                Ok(program) => {
                    self.tally.compiled += 1;
                    let inferred = program.data_type();
                    match declared {
                        Some(declared) if declared == inferred => {
                            self.tally.typed_as_declared += 1;
                            self.tally.columns_typed_as_declared += 1;
                        }
                        Some(declared) => self.findings.push(finding(None, Some((declared, inferred)))),
                        None => {}
                    }
                }
                Err(error) => self.findings.push(finding(Some(without_passwords(&error.to_string())), None)),
            }
        };
        for column in inputs() {
            if let Some(text) = column.properties.text("Expression").filter(|t| !t.trim().is_empty()) {
                one(&column.name, text, None, column.span);
            }
        }
        for output in &component.outputs {
            if let Some(text) = output.properties.text("Expression").filter(|t| !t.trim().is_empty()) {
                one(&output.name, text, None, component.span);
            }
            for column in &output.columns {
                if let Some(text) = column.properties.text("Expression").filter(|t| !t.trim().is_empty()) {
                    one(&column.name, text, Some(column.data_type), column.span);
                }
            }
        }
    }
}
