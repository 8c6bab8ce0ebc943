//! Property expressions, and the expressions of constraints and loops.

use super::plan::PropertyExpression;
use crate::diag::{Code, Error, Owner, Result, codes, without_passwords};
use crate::types::Value;
use crate::variables::{Scope, value_text};

/// The value that a property expression gives to its property, as text.
///
/// # Errors
/// DTS_E_PROPERTYEXPRESSIONEVAL; DTS_E_PROPERTYEXPRESSIONSET for an object.
pub(super) fn property_value(expression: &PropertyExpression, scope: &Scope) -> Result<String> {
    let said = |code: Code, why: &str| {
        let text = format!("{} {why}", code.message(&[&expression.text, &expression.property]));
        // An expression may put a connection string together.
        Error::new(Owner::Package, code, without_passwords(text.trim_end()))
    };
    let (_, value) =
        scope.evaluate(&expression.text).map_err(|e| said(codes::DTS_E_PROPERTYEXPRESSIONEVAL, e.message()))?;
    match value {
        Value::Object(_) => Err(said(codes::DTS_E_PROPERTYEXPRESSIONSET, "")),
        value => Ok(value_text(&value)),
    }
}

/// The value of a Boolean expression; NULL is false.
///
/// # Errors
/// The evaluator's; DTS_E_EXPRESSIONNOTBOOLEAN.
pub(super) fn condition(text: &str, scope: &Scope) -> Result<bool> {
    match scope.evaluate(text)?.1 {
        Value::Bool(holds) => Ok(holds),
        Value::Null => Ok(false),
        _ => {
            let code = codes::DTS_E_EXPRESSIONNOTBOOLEAN;
            Err(Error::new(Owner::Package, code, code.message(&[&text])))
        }
    }
}
