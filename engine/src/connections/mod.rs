//! Connection managers as the engine sees them: a resolved description; what it means is its kind's business.

use crate::props::{DataNode, PropertyBag};

/// A connection manager, its expressions evaluated and its overrides applied.
#[derive(Clone, Debug, Default)]
pub struct ConnectionSpec {
    /// DTSID, `{GUID}`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The path in the package: `\Package.Connections[Name]`.
    pub path: String,
    /// The canonical kind: `FLATFILE`, `FILE`, `OLEDB`, `ADO.NET:SQL` …
    pub kind: String,
    /// ConnectionString and every other property, by the names of the object model.
    pub properties: PropertyBag,
    /// What the package stores for it: for `FLATFILE` a node with one `FlatFileColumn` child a column (attributes
    /// `ObjectName`, `ColumnType`, `ColumnDelimiter` decoded, `ColumnWidth`, `MaximumWidth`, `DataType`,
    /// `DataPrecision`, `DataScale`, `TextQualified`).
    pub data: DataNode,
}

impl ConnectionSpec {
    /// The ConnectionString property, "" if it has none.
    pub fn connection_string(&self) -> &str {
        self.properties.str("ConnectionString")
    }
}

/// The connection managers of a running package.
pub trait Connections: Send + Sync {
    /// The connection manager with that DTSID or name, its property expressions evaluated now.
    ///
    /// # Errors
    /// DTS_E_CONNECTIONNOTFOUND, or a property expression that fails.
    fn get(&self, id_or_name: &str) -> crate::diag::Result<ConnectionSpec>;
}
