//! Connection managers of the model become connection plans.

use super::data;
use crate::model::{ConnectionManager, FlatFileColumn, FormatVersion, decode_delimiter};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::control::plan::ConnectionPlan;
use dtsx_engine::props::{DataNode, Origin, PropertyBag};

/// Properties that hold delimiters in the escaped form `_x002C_`.
const ESCAPED: [&str; 3] = ["HeaderRowDelimiter", "RowDelimiter", "TextQualifier"];

/// Compiles a connection manager of a package of format `format`; `path` is `\Package.Connections[Name]`.
pub(super) fn compile(manager: &ConnectionManager, format: FormatVersion, path: String) -> ConnectionPlan {
    let mut properties = PropertyBag::default();
    let mut node = DataNode::default();
    if let Some(inner) = manager.data() {
        for property in inner.base.properties.iter() {
            let name = if property.name() == "Retain" { "RetainSameConnection" } else { property.name() };
            let value = match ESCAPED.contains(&name) {
                true => decode_delimiter(property.value()),
                false => property.value().to_owned(),
            };
            properties.set_text(name, value, Origin::Package);
        }
        node = DataNode {
            name: "ConnectionManager".to_owned(),
            children: inner
                .columns
                .iter()
                .map(flat_file_column)
                .chain(inner.cache_columns.iter().map(|c| column("CacheColumn", &c.base.properties)))
                .collect(),
            span: data::span(inner.base.span),
            ..DataNode::default()
        };
    } else if let Some(element) = manager.element() {
        node = data::node(element);
    }
    // The property came with SQL Server 2012; what was made before reads rows without that check.
    const CHECK: &str = "AlwaysCheckForRowDelimiters";
    if !format.uses_attributes() && properties.get(CHECK).is_none() {
        properties.set_text(CHECK, "False", Origin::Package);
    }
    properties.set_text("ConnectionString", manager.connection_string(), Origin::Package);
    properties.set_text("Name", manager.name(), Origin::Package);
    properties.set_text("Description", manager.description(), Origin::Package);
    ConnectionPlan {
        spec: ConnectionSpec {
            id: manager.dtsid().to_owned(),
            name: manager.name().to_owned(),
            path,
            kind: manager.kind().to_owned(),
            properties,
            data: node,
        },
        expressions: manager.expressions.iter().map(data::expression).collect(),
        delay_validation: manager.delay_validation(),
        span: data::span(manager.base.span),
    }
}

fn flat_file_column(found: &FlatFileColumn) -> DataNode {
    let mut node = column("FlatFileColumn", &found.base.properties);
    let delimiter = node.attributes.iter_mut().find(|(name, _)| name == "ColumnDelimiter");
    match delimiter {
        Some((_, value)) => *value = found.delimiter(),
        None => node.attributes.push(("ColumnDelimiter".to_owned(), found.delimiter())),
    }
    node.span = data::span(found.base.span);
    node
}

fn column(name: &str, properties: &crate::model::PropertyList) -> DataNode {
    DataNode {
        name: name.to_owned(),
        attributes: properties.iter().map(|p| (p.name().to_owned(), p.value().to_owned())).collect(),
        ..DataNode::default()
    }
}
