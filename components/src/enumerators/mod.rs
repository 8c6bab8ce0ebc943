//! Foreach enumerators: what a Foreach loop walks over.
//!
//! Each file is one enumerator: doc with its SSIS name, property table, `bind`, runtime, tests. Values come from the
//! enumerator's data in the package and, before that, from what expressions, configurations and overrides say.

mod ado;
mod file;
mod from_variable;
mod item;
mod node_list;
mod schema_rowset;
mod wildcard;

pub use ado::AdoEnumeratorKind;
pub use file::FileEnumeratorKind;
pub use from_variable::FromVariableEnumeratorKind;
pub use item::ItemEnumeratorKind;
pub use node_list::NodeListEnumeratorKind;
pub use schema_rowset::SchemaRowsetEnumeratorKind;

use dtsx_engine::control::plan::EnumeratorSpec;
use dtsx_engine::control::{EnumeratorKind, TaskBindCx};
use dtsx_engine::diag::codes;
use dtsx_engine::variables::VariableAccess;

/// Every enumerator of this build, in the order of the documentation.
pub const ALL: &[&dyn EnumeratorKind] = &[
    &FileEnumeratorKind,
    &ItemEnumeratorKind,
    &AdoEnumeratorKind,
    &SchemaRowsetEnumeratorKind,
    &FromVariableEnumeratorKind,
    &NodeListEnumeratorKind,
];

/// The value of a property: what an expression, a configuration or an override says, else the attribute of the data.
fn setting<'a>(spec: &'a EnumeratorSpec, property: &str, attribute: &str) -> Option<&'a str> {
    spec.properties.text(property).or_else(|| spec.data.attr(attribute))
}

/// The qualified name of a variable that an enumerator names, or gives by its DTSID; an error if there is none.
fn variable(spec: &EnumeratorSpec, cx: &mut TaskBindCx<'_>, property: &str, attribute: &str) -> Option<String> {
    let text = setting(spec, property, attribute).unwrap_or("").trim().to_owned();
    let name = cx.variables.name_of_id(&text).unwrap_or(text);
    if cx.variables.type_of(&name).is_none() {
        let code = codes::DTS_E_VARIABLENOTFOUNDINCOLL;
        cx.error(&spec.path, spec.span, code, code.message(&[&name]));
        return None;
    }
    Some(name)
}
