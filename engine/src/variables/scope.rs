//! The variables as they are seen from inside a container.

use super::store::{Place, VariableStore, not_found, split};
use super::{VariableAccess, VariableType};
use crate::control::plan::{ExecutableIndex, PACKAGE};
use crate::diag::{Error, Owner, Result, codes};
use crate::types::{DataType, Value};
use std::sync::Arc;

/// What a scope asks of the running containers around it.
pub trait Surroundings: Send + Sync {
    /// Type and value of a system variable (`StartTime`, without `System::`).
    fn system(&self, name: &str) -> Option<(VariableType, Value)>;

    /// Sets a system variable that may be set (`Propagate`, `Cancel` inside an event handler). False: it may not.
    fn set_system(&self, name: &str, value: &Value) -> bool;

    /// A variable with RaiseChangedEvent has a new value; `owner` defines it.
    fn changed(&self, owner: ExecutableIndex, variable: usize);

    /// The variables around the package: those of the parent package's container, for a child package.
    fn outer(&self) -> Option<&dyn VariableAccess> {
        None
    }
}

/// A container's view of the variables.
#[derive(Clone)]
pub struct Scope {
    store: Arc<VariableStore>,
    container: ExecutableIndex,
    surroundings: Arc<dyn Surroundings>,
    evaluating: Option<Arc<Evaluating>>,
}

/// The variables whose expressions are being evaluated: one that is met again refers to itself.
struct Evaluating {
    place: Place,
    outer: Option<Arc<Evaluating>>,
}

impl Scope {
    /// The view from inside `container`.
    pub fn new(store: Arc<VariableStore>, container: ExecutableIndex, surroundings: Arc<dyn Surroundings>) -> Scope {
        Scope { store, container, surroundings, evaluating: None }
    }

    /// Evaluates an expression here.
    ///
    /// # Errors
    /// The evaluator's.
    pub fn evaluate(&self, text: &str) -> Result<(DataType, Value)> {
        self.store.evaluator().evaluate(text, self)
    }

    /// Evaluates an assignment and carries it out as one step: no other assignment comes between.
    ///
    /// # Errors
    /// The evaluator's; DTS_E_EXPREVALASSIGNMENTTYPEMISMATCH, DTS_E_EXPREVALASSIGNMENTTOREADONLYVARIABLE,
    /// DTS_E_EXPREVALASSIGNMENTVARIABLELOCKFORWRITEFAILED.
    pub fn assign(&self, text: &str) -> Result<()> {
        let changed = {
            let _one_at_a_time = self.store.lock_assignments();
            let (name, _, value) = self.store.evaluator().assignment(text, self)?;
            self.store_value(&name, value).map_err(|e| assignment_error(&e, text, &name))?
        };
        self.notify(changed);
        Ok(())
    }

    /// Whether an assignment would compile, and its variable can be written.
    ///
    /// # Errors
    /// As [`Scope::assign`], as far as it can be told without evaluating.
    pub fn check_assignment(&self, text: &str) -> Result<()> {
        let name = self.store.evaluator().check_assignment(text, self)?;
        self.check_writable(&name).map_err(|e| assignment_error(&e, text, &name))
    }

    fn check_writable(&self, name: &str) -> Result<()> {
        let (namespace, bare) = split(name);
        if let Some(place) = self.find(name)? {
            let variable = self.store.variable(place);
            return if variable.read_only || variable.expression.is_some() { Err(read_only(name)) } else { Ok(()) };
        }
        if namespace.is_some_and(|n| self.store.parameter(n, bare).is_some()) {
            return Err(read_only(name));
        }
        // A system variable says when it is assigned whether it may be.
        if self.type_of(name).is_some() { Ok(()) } else { Err(not_found(name)) }
    }

    /// The variables of the package container with their values, system variables left out: qualified name, type, value.
    /// A variable whose expression fails has NULL.
    pub fn snapshot(&self) -> Vec<(String, VariableType, Value)> {
        let Some(package) = self.store.plan().executables.get(PACKAGE) else { return Vec::new() };
        let values = package.variables.iter().enumerate().map(|(index, variable)| {
            let value = self.value_at(Place { owner: PACKAGE, index }).unwrap_or_default();
            (format!("{}::{}", variable.namespace, variable.name), variable.data_type, value)
        });
        values.collect()
    }

    fn find(&self, name: &str) -> Result<Option<Place>> {
        let (namespace, bare) = split(name);
        self.store.find(self.container, namespace, bare)
    }

    /// The present value of a variable, its expression evaluated in the scope of its owner.
    fn value_at(&self, place: Place) -> Result<Value> {
        let variable = self.store.variable(place);
        let Some(expression) = &variable.expression else { return Ok(self.store.value(place)) };
        let name = format!("{}::{}", variable.namespace, variable.name);
        let failed = |why: &str| {
            let code = codes::DTS_E_VARIABLEEXPRESSIONERROR;
            Error::new(Owner::Package, code, format!("{} {why}", code.message(&[&name])))
        };
        // A variable whose expression names the variable itself reads the value stored in the package: a run of
        // SQL Server's own shows it (real-output, `Expressions.dtsx`). A longer way round is an error.
        if self.evaluating.as_ref().is_some_and(|innermost| innermost.place == place) {
            return Ok(self.store.value(place));
        }
        let mut active = self.evaluating.as_deref();
        while let Some(evaluating) = active {
            if evaluating.place == place {
                return Err(failed("It refers to itself."));
            }
            active = evaluating.outer.as_deref();
        }
        let inside = Scope {
            container: place.owner,
            evaluating: Some(Arc::new(Evaluating { place, outer: self.evaluating.clone() })),
            ..self.clone()
        };
        let (_, value) = inside.evaluate(expression).map_err(|e| failed(e.message()))?;
        variable.data_type.coerce(value, &name)
    }

    /// Writes; the place of the variable if its change is to be told.
    fn store_value(&self, name: &str, value: Value) -> Result<Option<Place>> {
        let (namespace, bare) = split(name);
        if let Some(place) = self.find(name)? {
            let variable = self.store.variable(place);
            if variable.read_only || variable.expression.is_some() {
                return Err(read_only(name));
            }
            let value = variable.data_type.coerce(value, name)?;
            let changed = self.store.set_value(place, value);
            return Ok((changed && variable.raise_changed_event).then_some(place));
        }
        if namespace.is_none_or(|n| n == "System") && self.surroundings.system(bare).is_some() {
            return if self.surroundings.set_system(bare, &value) { Ok(None) } else { Err(read_only(name)) };
        }
        if namespace.is_some_and(|n| self.store.parameter(n, bare).is_some()) {
            return Err(read_only(name));
        }
        match self.surroundings.outer() {
            Some(outer) => outer.write(name, value).map(|()| None),
            None => Err(not_found(name)),
        }
    }

    fn notify(&self, changed: Option<Place>) {
        if let Some(place) = changed {
            self.surroundings.changed(place.owner, place.index);
        }
    }
}

impl VariableAccess for Scope {
    fn read(&self, name: &str) -> Result<(DataType, Value)> {
        let (namespace, bare) = split(name);
        if let Some(place) = self.find(name)? {
            let value = self.value_at(place)?;
            return Ok((self.store.variable(place).data_type.data_type(&value), value));
        }
        if let Some((parameter, value)) = namespace.and_then(|n| self.store.parameter(n, bare)) {
            return Ok((parameter.data_type.data_type(value), value.clone()));
        }
        if namespace.is_none_or(|n| n == "System")
            && let Some((ty, value)) = self.surroundings.system(bare)
        {
            return Ok((ty.data_type(&value), value));
        }
        match self.surroundings.outer() {
            Some(outer) => outer.read(name),
            None => Err(not_found(name)),
        }
    }

    fn write(&self, name: &str, value: Value) -> Result<()> {
        let changed = self.store_value(name, value)?;
        self.notify(changed);
        Ok(())
    }

    fn name_of_id(&self, id: &str) -> Option<String> {
        self.store.name_of_id(id)
    }

    fn type_of(&self, name: &str) -> Option<VariableType> {
        let (namespace, bare) = split(name);
        if let Ok(Some(place)) = self.find(name) {
            return Some(self.store.variable(place).data_type);
        }
        if let Some((parameter, _)) = namespace.and_then(|n| self.store.parameter(n, bare)) {
            return Some(parameter.data_type);
        }
        let system = namespace.is_none_or(|n| n == "System").then(|| self.surroundings.system(bare)).flatten();
        system.map(|(ty, _)| ty).or_else(|| self.surroundings.outer()?.type_of(name))
    }
}

fn read_only(name: &str) -> Error {
    let code = codes::DTS_E_VARIABLEREADONLY;
    Error::new(Owner::Package, code, code.message(&[&name]))
}

/// What an assignment in an expression says of a write that failed.
fn assignment_error(error: &Error, text: &str, name: &str) -> Error {
    let (code, message) = match error.code() {
        Some(codes::DTS_E_RUNTIMEVARIABLETYPECHANGE) => {
            let code = codes::DTS_E_EXPREVALASSIGNMENTTYPEMISMATCH;
            (code, code.message(&[&text]))
        }
        Some(codes::DTS_E_VARIABLEREADONLY) => {
            let code = codes::DTS_E_EXPREVALASSIGNMENTTOREADONLYVARIABLE;
            (code, code.message(&[&name]))
        }
        Some(codes::DTS_E_VARIABLENOTFOUNDINCOLL) => {
            let code = codes::DTS_E_EXPREVALASSIGNMENTVARIABLELOCKFORWRITEFAILED;
            (code, code.message(&[&text, &name]))
        }
        _ => return error.clone(),
    };
    Error::new(Owner::Package, code, message)
}
