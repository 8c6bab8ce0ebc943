//! Expressions outside data flows: property expressions, constraints, loops, variables.

use crate::diag::{Error, Owner, Result, codes, without_passwords};
use crate::expr::{self, Environment, EvalContext, ExprError, Reference};
use crate::types::{DataType, Value};
use crate::variables::{Evaluator, VariableAccess, VariableType};

/// Evaluates with [`crate::expr`], in the locale of the container (System::LocaleID).
#[derive(Clone, Copy, Debug, Default)]
pub struct Expressions {
    /// Windows LCID where the container has none, 0 for the invariant locale.
    pub lcid: u32,
}

struct Variables<'a> {
    variables: &'a dyn VariableAccess,
    lcid: u32,
}

impl Environment for Variables<'_> {
    fn column(&self, _reference: &Reference<'_>) -> Option<(usize, DataType)> {
        None
    }

    fn variable(&self, name: &str) -> Result<(DataType, Value), Error> {
        let (data_type, value) = self.variables.read(name)?;
        if matches!(value, Value::Object(_)) || self.variables.type_of(name) == Some(VariableType::Object) {
            let code = codes::DTS_E_EXPREVALVARIABLETYPENOTSUPPORTED;
            return Err(Error::new(Owner::Package, code, code.message(&[&name])));
        }
        Ok((data_type, value))
    }

    fn lcid(&self) -> u32 {
        self.lcid
    }

    fn has_columns(&self) -> bool {
        false
    }
}

fn said(error: &ExprError) -> Error {
    Error::new(Owner::Package, error.code, without_passwords(&error.to_string()))
}

impl Expressions {
    fn names<'a>(&self, variables: &'a dyn VariableAccess) -> Variables<'a> {
        let lcid = match variables.read("System::LocaleID") {
            Ok((_, Value::I4(lcid))) => lcid.try_into().unwrap_or(self.lcid),
            _ => self.lcid,
        };
        Variables { variables, lcid }
    }
}

fn value(program: &expr::Program, lcid: u32) -> Result<(DataType, Value)> {
    let value = program.eval_row(&EvalContext::new(lcid)).map_err(|e| said(&e))?;
    Ok((program.data_type(), value))
}

impl Evaluator for Expressions {
    fn evaluate(&self, text: &str, variables: &dyn VariableAccess) -> Result<(DataType, Value)> {
        let names = self.names(variables);
        value(&expr::compile(text, &names).map_err(|e| said(&e))?, names.lcid)
    }

    fn assignment(&self, text: &str, variables: &dyn VariableAccess) -> Result<(String, DataType, Value)> {
        let names = self.names(variables);
        let (name, program) = expr::compile_assignment(text, &names).map_err(|e| said(&e))?;
        let (data_type, value) = value(&program, names.lcid)?;
        Ok((name, data_type, value))
    }

    fn check(&self, text: &str, variables: &dyn VariableAccess) -> Result<DataType> {
        Ok(expr::compile(text, &self.names(variables)).map_err(|e| said(&e))?.data_type())
    }

    fn check_assignment(&self, text: &str, variables: &dyn VariableAccess) -> Result<String> {
        Ok(expr::compile_assignment(text, &self.names(variables)).map_err(|e| said(&e))?.0)
    }
}
