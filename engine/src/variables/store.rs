//! The variables of one execution.

use super::{Evaluator, VariableType};
use crate::control::plan::{ExecutableIndex, PACKAGE, PackagePlan, ParameterPlan, VariablePlan};
use crate::diag::{Error, Owner, Result, codes};
use crate::types::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// The variables and parameters of a package while it runs. A variable lives as long as the execution: those of a
/// container inside a loop keep their values from one pass to the next.
pub struct VariableStore {
    plan: Arc<PackagePlan>,
    values: Vec<Vec<RwLock<Value>>>,
    parameters: Vec<Value>,
    evaluator: Arc<dyn Evaluator>,
    assignments: Mutex<()>,
}

/// Where a variable is: the executable that defines it, and its place there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) owner: ExecutableIndex,
    pub(super) index: usize,
}

impl VariableStore {
    /// The variables as the plan starts them, with `overrides` (qualified name → value) applied to the variables of the
    /// package container and to parameters.
    ///
    /// # Errors
    /// An override that names no variable or parameter of the package, or has a value of another type.
    pub fn new(
        plan: Arc<PackagePlan>,
        overrides: &[(String, Value)],
        evaluator: Arc<dyn Evaluator>,
    ) -> Result<VariableStore> {
        let mut values: Vec<Vec<Value>> =
            plan.executables.iter().map(|e| e.variables.iter().map(start_value).collect()).collect();
        let mut parameters: Vec<Value> = plan.parameters.iter().map(|p| p.value.clone()).collect();
        for (name, value) in overrides {
            let (namespace, bare) = split(name);
            let matches = |ns: &str, n: &str| n == bare && namespace.is_none_or(|wanted| wanted == ns);
            let parameter = plan.parameters.iter().position(|p| matches(&p.namespace, &p.name));
            let package = plan.executables.get(PACKAGE).map_or(&[][..], |e| &e.variables);
            if let Some(i) = parameter {
                parameters[i] = plan.parameters[i].data_type.coerce(value.clone(), name)?;
            } else if let Some(i) = package.iter().position(|v| matches(&v.namespace, &v.name)) {
                values[PACKAGE][i] = package[i].data_type.coerce(value.clone(), name)?;
            } else {
                return Err(not_found(name));
            }
        }
        let values = values.into_iter().map(|v| v.into_iter().map(RwLock::new).collect()).collect();
        Ok(VariableStore { plan, values, parameters, evaluator, assignments: Mutex::new(()) })
    }

    /// The plan whose variables these are.
    pub fn plan(&self) -> &Arc<PackagePlan> {
        &self.plan
    }

    /// Evaluates expressions.
    pub fn evaluator(&self) -> &dyn Evaluator {
        &*self.evaluator
    }

    /// A shared handle on the evaluator.
    pub fn shared_evaluator(&self) -> Arc<dyn Evaluator> {
        self.evaluator.clone()
    }

    pub(super) fn variable(&self, place: Place) -> &VariablePlan {
        &self.plan.executables[place.owner].variables[place.index]
    }

    pub(super) fn value(&self, place: Place) -> Value {
        self.values[place.owner][place.index].read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces a value; says whether it changed.
    pub(super) fn set_value(&self, place: Place, value: Value) -> bool {
        let mut slot = self.values[place.owner][place.index].write().unwrap_or_else(PoisonError::into_inner);
        let changed = *slot != value;
        *slot = value;
        changed
    }

    /// Held from the evaluation of an assignment to its write, so that `@X = @X + 1` of two threads counts twice, as the
    /// original's write locks have it.
    pub(super) fn lock_assignments(&self) -> MutexGuard<'_, ()> {
        self.assignments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn parameter(&self, namespace: &str, name: &str) -> Option<(&ParameterPlan, &Value)> {
        let i = self.plan.parameters.iter().position(|p| p.namespace == namespace && p.name == name)?;
        Some((&self.plan.parameters[i], &self.parameters[i]))
    }

    /// The variable of that name that is visible in a container: the innermost definition.
    ///
    /// Err: the innermost container that defines the unqualified name defines it in several namespaces.
    pub(super) fn find(&self, from: ExecutableIndex, namespace: Option<&str>, name: &str) -> Result<Option<Place>> {
        let mut at = Some(from);
        while let Some(owner) = at {
            let executable = &self.plan.executables[owner];
            let mut found = executable
                .variables
                .iter()
                .enumerate()
                .filter(|(_, v)| v.name == name && namespace.is_none_or(|wanted| v.namespace == wanted));
            if let Some((index, _)) = found.next() {
                if found.next().is_some() {
                    let code = codes::DTS_E_AMBIGUOUSVARIABLENAME;
                    return Err(Error::new(Owner::Package, code, format!("{} ({name})", code.template())));
                }
                return Ok(Some(Place { owner, index }));
            }
            at = executable.parent;
        }
        Ok(None)
    }

    /// The qualified name of the variable or parameter with a DTSID.
    pub fn name_of_id(&self, id: &str) -> Option<String> {
        let variables = self.plan.executables.iter().flat_map(|e| &e.variables);
        let mut names = variables.map(|v| (&v.id, &v.namespace, &v.name));
        let parameters = || self.plan.parameters.iter().map(|p| (&p.id, &p.namespace, &p.name));
        names
            .find(|(other, ..)| other.eq_ignore_ascii_case(id))
            .or_else(|| parameters().find(|(other, ..)| other.eq_ignore_ascii_case(id)))
            .map(|(_, namespace, name)| format!("{namespace}::{name}"))
    }
}

fn start_value(variable: &VariablePlan) -> Value {
    match &variable.value {
        Value::Null if variable.data_type != VariableType::Object => variable.data_type.default_value(),
        value => value.clone(),
    }
}

/// `NS::Name` → (Some(NS), Name); an unqualified name has no namespace.
pub(super) fn split(name: &str) -> (Option<&str>, &str) {
    match name.split_once("::") {
        Some((namespace, bare)) => (Some(namespace), bare),
        None => (None, name),
    }
}

pub(super) fn not_found(name: &str) -> Error {
    let code = codes::DTS_E_VARIABLENOTFOUNDINCOLL;
    Error::new(Owner::Package, code, code.message(&[&name]))
}
