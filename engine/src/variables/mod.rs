//! Variables: scopes, namespaces, types, expression-valued and system variables, parameters.

mod types;

pub use types::{VariableType, natural_type, value_text};

use crate::diag::Result;
use crate::types::{DataType, Value};

/// What may be read and written by name from inside a container. Names are `Namespace::Name` or an unqualified name;
/// they are case-sensitive, as in SSIS.
pub trait VariableAccess: Send + Sync {
    /// Type and present value of a variable or parameter (`User::X`, `System::StartTime`, `$Package::P`). A variable
    /// with EvaluateAsExpression is evaluated by the read.
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
}
