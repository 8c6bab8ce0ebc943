//! The variables of a test.

use super::specs::parsed;
use crate::text::FlowTest;
use dtsx_engine::diag::{Code, Error, Owner, Result};
use dtsx_engine::types::scalar::value_at;
use dtsx_engine::types::{DataType, Value};
use dtsx_engine::variables::{VariableAccess, VariableType};
use std::collections::HashMap;
use std::sync::Mutex;

/// The variables of a test.
pub struct TestVariables(pub Mutex<HashMap<String, (DataType, Value)>>);

impl TestVariables {
    /// As the test says them, with the values in front of a run.
    pub(super) fn of(test: &FlowTest) -> TestVariables {
        let values = test.variables.iter().map(|(name, data_type, text)| {
            let value = match data_type {
                DataType::I4 => Value::I4(text.parse().unwrap()),
                DataType::I8 => Value::I8(text.parse().unwrap()),
                DataType::WStr { .. } => Value::text(text),
                DataType::Null => Value::Null,
                other => value_at(&parsed(name, &[Some(text)], other), other, 0).unwrap(),
            };
            (name.clone(), (*data_type, value))
        });
        TestVariables(Mutex::new(values.collect()))
    }

    /// Empties Object variables, as each run finds them.
    pub(super) fn reset(&self) {
        for (data_type, value) in self.0.lock().unwrap().values_mut() {
            if *data_type == DataType::Null {
                *value = Value::Null;
            }
        }
    }
}

impl VariableAccess for TestVariables {
    fn read(&self, name: &str) -> Result<(DataType, Value)> {
        let found = self.0.lock().unwrap().get(name).cloned();
        found.ok_or_else(|| Error::new(Owner::Package, Code(0xC0010001), format!("no variable {name}")))
    }

    fn write(&self, name: &str, value: Value) -> Result<()> {
        self.read(name)?;
        self.0.lock().unwrap().entry(name.into()).and_modify(|(_, v)| *v = value);
        Ok(())
    }

    /// A variable's id is its name in braces.
    fn name_of_id(&self, id: &str) -> Option<String> {
        let name = id.strip_prefix('{')?.strip_suffix('}')?;
        self.read(name).ok().map(|_| name.to_owned())
    }

    fn type_of(&self, name: &str) -> Option<VariableType> {
        match self.read(name).ok()?.0 {
            DataType::Null => Some(VariableType::Object),
            DataType::I4 => Some(VariableType::Int32),
            DataType::I8 => Some(VariableType::Int64),
            _ => Some(VariableType::String),
        }
    }
}
