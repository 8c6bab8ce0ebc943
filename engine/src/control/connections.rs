//! The connection managers of a running package.

use super::expressions::property_value;
use super::frame::Frame;
use crate::connections::{ConnectionSpec, Connections};
use crate::diag::{Error, Owner, Result, codes};
use crate::props::Origin;
use std::sync::Arc;

/// Connection managers whose expressions are evaluated, in the scope of the package, each time they are asked for.
pub(super) struct PackageConnections(pub(super) Arc<Frame>);

impl Connections for PackageConnections {
    fn get(&self, id_or_name: &str) -> Result<ConnectionSpec> {
        let connections = &self.0.run.plan.connections;
        let id = id_or_name.trim().trim_end_matches(":external");
        let name = name_in_reference(id_or_name);
        let found = connections
            .iter()
            .find(|c| !c.spec.id.is_empty() && c.spec.id.eq_ignore_ascii_case(id))
            .or_else(|| connections.iter().find(|c| c.spec.name == name))
            .or_else(|| connections.iter().find(|c| c.spec.name.eq_ignore_ascii_case(name)));
        let Some(connection) = found else {
            let code = codes::DTS_E_CONNECTIONNOTFOUND;
            return Err(Error::new(Owner::Package, code, code.message(&[&id_or_name])));
        };
        let mut spec = connection.spec.clone();
        let scope = self.0.root().scope();
        for expression in &connection.expressions {
            let value = property_value(expression, &scope).map_err(|e| e.at(&spec.path))?;
            spec.properties.set_text(&expression.property, value, Origin::Expression);
        }
        Ok(spec)
    }
}

/// The name in `Package.ConnectionManagers[Name]`, `Project.ConnectionManagers[Name]`.
fn name_in_reference(reference: &str) -> &str {
    let bracketed = reference.split_once(".ConnectionManagers[").and_then(|(_, rest)| rest.strip_suffix(']'));
    bracketed.unwrap_or(reference)
}
