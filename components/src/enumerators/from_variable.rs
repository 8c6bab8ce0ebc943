//! Foreach From Variable Enumerator: the elements of what a variable holds.
//!
//! An Object variable may hold a [`Rowset`] (each row of its first table is an item, its columns by index) or a list
//! (`Vec<Value>`); a String is walked character by character. The value is taken once, when the loop begins.

use super::variable;
use dtsx_engine::control::plan::EnumeratorSpec;
use dtsx_engine::control::{Enumerator, EnumeratorKind, Items, Rowset, TaskBindCx, TaskCx};
use dtsx_engine::diag::{Error, Owner, Result};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::types::Value;
use dtsx_engine::variables::VariableAccess;

/// `Microsoft.ForEachFromVarEnumerator`.
pub struct FromVariableEnumeratorKind;

struct FromVariableEnumerator {
    variable: String,
}

impl EnumeratorKind for FromVariableEnumeratorKind {
    fn kind(&self) -> &'static str {
        "Microsoft.ForEachFromVarEnumerator"
    }

    fn title(&self) -> &'static str {
        "Foreach From Variable Enumerator"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        &[PropertyDef {
            name: "VariableName",
            ty: PropertyType::VariableName,
            default: "",
            doc: "The variable whose elements are enumerated.",
        }]
    }

    fn bind(&self, spec: &EnumeratorSpec, cx: &mut TaskBindCx<'_>) -> Option<Box<dyn Enumerator>> {
        let variable = variable(spec, cx, "VariableName", "VariableName")?;
        Some(Box::new(FromVariableEnumerator { variable }))
    }
}

impl Enumerator for FromVariableEnumerator {
    fn open(&self, cx: &TaskCx) -> Result<Items> {
        let value = cx.variables.read(&self.variable)?.1;
        Ok(Box::new(self.elements(&value)?.into_iter().map(Ok)))
    }
}

impl FromVariableEnumerator {
    fn elements(&self, value: &Value) -> Result<Vec<Vec<Value>>> {
        if let Value::Text(text) = value {
            return Ok(text.chars().map(|c| vec![Value::text(c.to_string())]).collect());
        }
        if let Some(rowset) = Rowset::of(value) {
            return Ok(rowset.tables.first().map(|t| t.rows.clone()).unwrap_or_default());
        }
        if let Value::Object(object) = value
            && let Some(list) = object.downcast_ref::<Vec<Value>>()
        {
            return Ok(list.iter().map(|v| vec![v.clone()]).collect());
        }
        let message = format!("The variable \"{}\" holds nothing that can be enumerated.", self.variable);
        Err(Error::new(Owner::Package, None, message))
    }
}

#[cfg(test)]
mod tests {
    use crate::tasks::kit::Loop;
    use dtsx_engine::control::{Rowset, RowsetTable};
    use dtsx_engine::types::Value;
    use std::sync::Arc;

    fn run(value: Value, columns: &[&str]) -> crate::tasks::kit::Ran {
        Loop::new("Microsoft.ForEachFromVarEnumerator", "FEEFVE")
            .attribute("VariableName", "User::Source")
            .source(value)
            .columns(columns)
            .run(|_| {})
    }

    #[test]
    fn elements_of_texts_lists_and_rowsets() {
        assert_eq!(run(Value::text("aß"), &["String"]).items(), "a ß");
        let list = vec![Value::I4(1), Value::I4(2)];
        assert_eq!(run(Value::Object(Arc::new(list)), &["Int32"]).items(), "1 2");
        let rows = vec![vec![Value::I4(1), Value::text("one")], vec![Value::I4(2), Value::text("two")]];
        let rowset = Rowset { tables: vec![RowsetTable { columns: vec!["n".into(), "t".into()], rows }] };
        assert_eq!(run(Value::Object(Arc::new(rowset)), &["Int32", "String"]).items(), "1,one 2,two");
    }

    #[test]
    fn nothing_to_enumerate_is_an_error() {
        let ran = run(Value::Null, &["String"]);
        assert!(!ran.succeeded());
        assert!(ran.texts("OnError")[0].contains("User::Source"));
    }
}
