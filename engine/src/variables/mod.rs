//! Variables: scopes, namespaces, types, expression-valued and system variables, parameters.
//!
//! A [`VariableStore`] holds the variables of one execution; a [`Scope`] looks at it from inside a container. What the
//! store cannot know – system variables, who hears of a change, how expressions are evaluated – it asks of its
//! [`Surroundings`] and its [`Evaluator`].

mod scope;
mod store;
mod types;

pub use scope::{Scope, Surroundings};
pub use store::VariableStore;
pub use types::{VariableType, natural_type, value_text};

use crate::diag::{Error, Owner, Result, codes};
use crate::types::{DataType, Value};

/// What may be read and written by name from inside a container. Names are `Namespace::Name` or an unqualified name;
/// they are case-sensitive, as in SSIS.
pub trait VariableAccess: Send + Sync {
    /// Type and present value of a variable or parameter (`User::X`, `System::StartTime`, `$Package::P`). A variable
    /// with EvaluateAsExpression is evaluated by the read. A variable of type Object reads as DT_NULL with whatever it
    /// holds.
    ///
    /// # Errors
    /// DTS_E_VARIABLENOTFOUND, an ambiguous unqualified name, or a failing expression.
    fn read(&self, name: &str) -> Result<(DataType, Value)>;

    /// Assigns a value, converted to the variable's type.
    ///
    /// # Errors
    /// DTS_E_VARIABLENOTFOUND, DTS_E_VARIABLEREADONLY, DTS_E_RUNTIMEVARIABLETYPECHANGE.
    fn write(&self, name: &str, value: Value) -> Result<()>;

    /// The qualified name of a variable given by its DTSID, as some properties refer to variables.
    fn name_of_id(&self, id: &str) -> Option<String>;

    /// The type of a variable or parameter, as the package declares it. None: not known here.
    fn type_of(&self, _name: &str) -> Option<VariableType> {
        None
    }
}

/// There are no variables: for what runs on its own, outside a package.
#[derive(Clone, Copy, Default, Debug)]
pub struct NoVariables;

impl VariableAccess for NoVariables {
    fn read(&self, name: &str) -> Result<(DataType, Value)> {
        let code = codes::DTS_E_VARIABLENOTFOUND;
        Err(Error::new(Owner::Package, code, code.message(&[&name])))
    }

    fn write(&self, name: &str, _value: Value) -> Result<()> {
        self.read(name).map(drop)
    }

    fn name_of_id(&self, _id: &str) -> Option<String> {
        None
    }
}

/// Evaluates expressions over variables and parameters (there are no columns here).
pub trait Evaluator: Send + Sync {
    /// Type and value of an expression.
    ///
    /// # Errors
    /// The code of the expression evaluator: a syntax error, an unknown variable, a division by zero …
    fn evaluate(&self, text: &str, variables: &dyn VariableAccess) -> Result<(DataType, Value)>;

    /// The variable that an assignment (`@[User::X] = …`) sets, and type and value of its right side; nothing is assigned yet.
    ///
    /// # Errors
    /// As [`Evaluator::evaluate`]; or it is no assignment.
    fn assignment(&self, text: &str, variables: &dyn VariableAccess) -> Result<(String, DataType, Value)>;

    /// Whether the text compiles, and to which type; nothing is computed.
    ///
    /// # Errors
    /// As [`Evaluator::evaluate`].
    fn check(&self, text: &str, variables: &dyn VariableAccess) -> Result<DataType>;

    /// The same for an assignment: the variable that it sets.
    ///
    /// # Errors
    /// As [`Evaluator::assignment`].
    fn check_assignment(&self, text: &str, variables: &dyn VariableAccess) -> Result<String>;
}
