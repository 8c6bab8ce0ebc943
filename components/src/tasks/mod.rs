//! Tasks: what a step of the control flow does.
//!
//! Each file is one task: doc with its SSIS name, property table, `bind`, runtime, tests. Values come from the task's
//! data in the package and, before that, from what expressions, configurations and overrides say (`setting`).

mod bulk_insert;
mod execute_sql;
mod expression;
mod file_system;
mod xml;

pub use bulk_insert::BulkInsertTaskKind;
pub use execute_sql::ExecuteSqlTaskKind;
pub use expression::ExpressionTaskKind;
pub use file_system::FileSystemTaskKind;
pub use xml::XmlTaskKind;

use dtsx_engine::control::TaskKind;
use dtsx_engine::control::plan::TaskSpec;

/// Every task of this build, in the order of the documentation.
pub const ALL: &[&dyn TaskKind] =
    &[&ExecuteSqlTaskKind, &BulkInsertTaskKind, &FileSystemTaskKind, &ExpressionTaskKind, &XmlTaskKind];

/// The value of a property: what an expression, a configuration or an override says, else the attribute of the data.
fn setting<'a>(spec: &'a TaskSpec, property: &str, attribute: &str) -> Option<&'a str> {
    spec.properties.text(property).or_else(|| spec.data.attr(attribute))
}

/// The same for a Boolean that is False when nobody says otherwise.
fn flag(spec: &TaskSpec, property: &str, attribute: &str) -> bool {
    setting(spec, property, attribute).and_then(dtsx_engine::props::parse_bool).unwrap_or(false)
}

#[cfg(test)]
pub(crate) mod kit;
