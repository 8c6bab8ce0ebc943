//! Foreach ADO Enumerator: the rows, or the tables, of the rowset in an Object variable.
//!
//! ```text
//! Type   EnumerateTables 0, EnumerateAllRows 1, EnumerateRowsInFirstTable 2
//! ```
//! A row's columns are mapped by ordinal; an enumerated table is itself a rowset of one table, for an Object variable.

use super::{setting, variable};
use dtsx_engine::control::plan::EnumeratorSpec;
use dtsx_engine::control::{Enumerator, EnumeratorKind, Items, Rowset, TaskBindCx, TaskCx};
use dtsx_engine::diag::{Error, Owner, Result, codes};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::types::Value;
use dtsx_engine::variables::VariableAccess;
use std::sync::Arc;

/// `Microsoft.ForEachADOEnumerator`.
pub struct AdoEnumeratorKind;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Enumerate {
    Tables,
    AllRows,
    RowsInFirstTable,
}

struct AdoEnumerator {
    variable: String,
    enumerate: Enumerate,
}

impl EnumeratorKind for AdoEnumeratorKind {
    fn kind(&self) -> &'static str {
        "Microsoft.ForEachADOEnumerator"
    }

    fn title(&self) -> &'static str {
        "Foreach ADO Enumerator"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        &[
            PropertyDef {
                name: "DataObjectVariable",
                ty: PropertyType::VariableName,
                default: "",
                doc: "The Object variable that holds the rowset.",
            },
            PropertyDef {
                name: "Type",
                ty: PropertyType::Int,
                default: "2",
                doc: "EnumerateTables 0, EnumerateAllRows 1, EnumerateRowsInFirstTable 2.",
            },
        ]
    }

    fn bind(&self, spec: &EnumeratorSpec, cx: &mut TaskBindCx<'_>) -> Option<Box<dyn Enumerator>> {
        let enumerate = match setting(spec, "Type", "EnumType").unwrap_or("EnumerateRowsInFirstTable").trim() {
            "0" | "EnumerateTables" => Enumerate::Tables,
            "1" | "EnumerateAllRows" => Enumerate::AllRows,
            "2" | "EnumerateRowsInFirstTable" => Enumerate::RowsInFirstTable,
            other => {
                let message = format!("There is no way \"{other}\" to enumerate a rowset.");
                cx.error(&spec.path, spec.span, codes::DTS_E_GENERICERROR, message);
                return None;
            }
        };
        let variable = variable(spec, cx, "DataObjectVariable", "VarName")?;
        Some(Box::new(AdoEnumerator { variable, enumerate }))
    }
}

impl Enumerator for AdoEnumerator {
    fn open(&self, cx: &TaskCx) -> Result<Items> {
        let value = cx.variables.read(&self.variable)?.1;
        let Some(rowset) = Rowset::of(&value) else {
            let message = format!("Variable \"{}\" does not contain a valid data object.", self.variable);
            return Err(Error::new(Owner::Package, None, message));
        };
        let tables = match self.enumerate {
            Enumerate::RowsInFirstTable => &rowset.tables[..rowset.tables.len().min(1)],
            _ => &rowset.tables[..],
        };
        let items: Vec<Vec<Value>> = match self.enumerate {
            Enumerate::Tables => {
                let one = |table: &_| Rowset { tables: vec![Clone::clone(table)] };
                tables.iter().map(|table| vec![Value::Object(Arc::new(one(table)))]).collect()
            }
            _ => tables.iter().flat_map(|table| table.rows.iter().cloned()).collect(),
        };
        Ok(Box::new(items.into_iter().map(Ok)))
    }
}

#[cfg(test)]
mod tests {
    use crate::tasks::kit::{Loop, Ran};
    use dtsx_engine::control::{Rowset, RowsetTable};
    use dtsx_engine::types::Value;
    use std::sync::Arc;

    fn run(enumerate: &str, value: Value, columns: &[&str]) -> Ran {
        Loop::new("Microsoft.ForEachADOEnumerator", "FEEADO")
            .attribute("EnumType", enumerate)
            .attribute("VarName", "User::Source")
            .source(value)
            .columns(columns)
            .run(|_| {})
    }

    fn rowset() -> Value {
        let table = |numbers: &[i32]| RowsetTable {
            columns: vec!["n".into()],
            rows: numbers.iter().map(|n| vec![Value::I4(*n)]).collect(),
        };
        Value::Object(Arc::new(Rowset { tables: vec![table(&[1, 2]), table(&[3])] }))
    }

    #[test]
    fn rows_of_one_table_or_of_all() {
        assert_eq!(run("EnumerateRowsInFirstTable", rowset(), &["Int32"]).items(), "1 2");
        assert_eq!(run("EnumerateAllRows", rowset(), &["Int32"]).items(), "1 2 3");
        assert_eq!(run("EnumerateTables", rowset(), &["Object"]).passes(), 2);
    }

    #[test]
    fn a_variable_without_a_rowset_is_an_error() {
        let ran = run("2", Value::text("no"), &["Int32"]);
        assert!(ran.texts("OnError")[0].contains("does not contain a valid data object"));
    }
}
