//! Expressions outside data flows: property expressions, constraints, loops, variables.

use crate::diag::{Error, Owner, Result};
use crate::expr::{self, Environment, EvalContext, ExprError, Reference};
use crate::types::{DataType, Value};
use crate::variables::{Evaluator, VariableAccess};

/// Evaluates with [`crate::expr`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Expressions {
    /// Windows LCID, 0 for the invariant locale.
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
        self.variables.read(name)
    }

    fn lcid(&self) -> u32 {
        self.lcid
    }

    fn has_columns(&self) -> bool {
        false
    }
}

fn said(error: &ExprError) -> Error {
    Error::new(Owner::Package, error.code, error.to_string())
}

impl Expressions {
    fn names<'a>(&self, variables: &'a dyn VariableAccess) -> Variables<'a> {
        Variables { variables, lcid: self.lcid }
    }

    fn value(&self, program: &expr::Program) -> Result<(DataType, Value)> {
        let value = program.eval_row(&EvalContext::new(self.lcid)).map_err(|e| said(&e))?;
        Ok((program.data_type(), value))
    }
}

impl Evaluator for Expressions {
    fn evaluate(&self, text: &str, variables: &dyn VariableAccess) -> Result<(DataType, Value)> {
        let program = expr::compile(text, &self.names(variables)).map_err(|e| said(&e))?;
        self.value(&program)
    }

    fn assignment(&self, text: &str, variables: &dyn VariableAccess) -> Result<(String, DataType, Value)> {
        let (name, program) = expr::compile_assignment(text, &self.names(variables)).map_err(|e| said(&e))?;
        let (data_type, value) = self.value(&program)?;
        Ok((name, data_type, value))
    }

    fn check(&self, text: &str, variables: &dyn VariableAccess) -> Result<DataType> {
        Ok(expr::compile(text, &self.names(variables)).map_err(|e| said(&e))?.data_type())
    }

    fn check_assignment(&self, text: &str, variables: &dyn VariableAccess) -> Result<String> {
        Ok(expr::compile_assignment(text, &self.names(variables)).map_err(|e| said(&e))?.0)
    }
}
