//! XML configuration files (`.dtsConfig`): property paths and the values that they take.

use std::path::Path;

use crate::dtsx::{LoadOptions, parse_document, read_file};
use crate::error::{Fault, LoadError, Result};
use crate::model::{Encoding, SourceText, Span};

/// A configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigurationFile {
    /// The package that it was made from, if it says so.
    pub package_name: Option<String>,
    /// The GUID of that package.
    pub package_id: Option<String>,
    /// What it sets, in order.
    pub entries: Vec<ConfigurationEntry>,
}

/// One value of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigurationEntry {
    /// What is set: `\Package.Variables[User::X].Properties[Value]`.
    pub path: String,
    /// The type of the value by its .NET name: `String`, `Int32`, `Boolean` …
    pub value_type: String,
    /// The value.
    pub value: String,
    /// Where the entry stands in the file.
    pub span: Span,
}

impl ConfigurationFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If the file cannot be read or is not a configuration. A package that asks for it goes on with a warning.
    pub fn read(path: &Path, options: &LoadOptions) -> Result<ConfigurationFile> {
        let (source, _): (SourceText, Encoding) = read_file(path, options)?;
        ConfigurationFile::from_source(&source, options)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// If it is not a configuration.
    pub fn parse(text: &str, options: &LoadOptions) -> Result<ConfigurationFile> {
        ConfigurationFile::from_source(&SourceText { path: None, text: text.to_owned() }, options)
    }

    fn from_source(source: &SourceText, options: &LoadOptions) -> Result<ConfigurationFile> {
        let root = parse_document(source, options)?;
        if !root.name.local().eq_ignore_ascii_case("DTSConfiguration") {
            let message = format!("the top-level element is <{}>, not <DTSConfiguration>", root.name.as_str());
            return Err(LoadError::new(Fault::CantLoadFromNode, message).at(source, root.span));
        }
        let heading =
            root.child("DTSConfigurationHeading").and_then(|heading| heading.child("DTSConfigurationFileInfo"));
        let from_heading = |name: &str| heading.and_then(|info| info.attr(name)).map(str::to_owned);
        let mut file = ConfigurationFile {
            package_name: from_heading("GeneratedFromPackageName"),
            package_id: from_heading("GeneratedFromPackageID"),
            entries: Vec::new(),
        };
        for element in root.children_named("Configuration") {
            let Some(path) = element.attr("Path") else {
                let message = "a <Configuration> has no Path";
                return Err(LoadError::new(Fault::CantLoadFromNode, message).at(source, element.span));
            };
            file.entries.push(ConfigurationEntry {
                path: path.to_owned(),
                value_type: element.attr("ValueType").unwrap_or("String").to_owned(),
                value: element.child_text("ConfiguredValue").unwrap_or_default(),
                span: element.span,
            });
        }
        Ok(file)
    }
}

/// Where a SQL Server configuration is kept: the string of its `DTS:Configuration`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlServerConfiguration {
    /// The name of the connection manager.
    pub connection: String,
    /// The table.
    pub table: String,
    /// The filter: the value of the column `ConfigurationFilter`.
    pub filter: String,
}

impl SqlServerConfiguration {
    /// Takes `"connection";"table";"filter";` apart; a quote inside a part is doubled.
    pub fn parse(text: &str) -> Option<SqlServerConfiguration> {
        let mut parts = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (part, tail) = match rest.strip_prefix('"') {
                Some(quoted) => quoted_part(quoted)?,
                None => rest.split_once(';').map_or((rest.to_owned(), ""), |(part, tail)| (part.to_owned(), tail)),
            };
            parts.push(part);
            rest = tail.trim_start();
        }
        match parts.as_slice() {
            [connection, table, filter] => Some(SqlServerConfiguration {
                connection: connection.clone(),
                table: table.clone(),
                filter: filter.clone(),
            }),
            _ => None,
        }
    }
}

/// A part behind its opening quote, and what follows the part and its semicolon.
fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let (before, tail) = rest.split_once('"')?;
        part.push_str(before);
        match tail.strip_prefix('"') {
            Some(tail) => {
                part.push('"');
                rest = tail;
            }
            None => return Some((part, tail.trim_start().strip_prefix(';').unwrap_or(tail))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_in_order() {
        let text = r#"<?xml version="1.0"?><DTSConfiguration><DTSConfigurationHeading>
            <DTSConfigurationFileInfo GeneratedBy="x" GeneratedFromPackageName="Load" GeneratedFromPackageID="{1}"/>
            </DTSConfigurationHeading>
            <Configuration ConfiguredType="Property" Path="\Package.Variables[User::N].Properties[Value]" ValueType="Int32">
              <ConfiguredValue>42</ConfiguredValue></Configuration>
            <Configuration ConfiguredType="Property" Path="\Package.Connections[C].Properties[ConnectionString]"
              ValueType="String"><ConfiguredValue>a &amp; b</ConfiguredValue></Configuration></DTSConfiguration>"#;
        let file = ConfigurationFile::parse(text, &LoadOptions::default()).unwrap();
        assert_eq!(file.package_name.as_deref(), Some("Load"));
        let entries: Vec<_> =
            file.entries.iter().map(|e| (e.path.as_str(), e.value_type.as_str(), e.value.as_str())).collect();
        assert_eq!(
            entries,
            [
                ("\\Package.Variables[User::N].Properties[Value]", "Int32", "42"),
                ("\\Package.Connections[C].Properties[ConnectionString]", "String", "a & b"),
            ]
        );
    }

    #[test]
    fn broken_files_say_where() {
        for (text, place) in [("<a/>", (1, 1)), ("<DTSConfiguration>\n<Configuration/></DTSConfiguration>", (2, 1))] {
            let error = ConfigurationFile::parse(text, &LoadOptions::default()).unwrap_err();
            assert_eq!((error.line, error.column), place);
        }
    }

    #[test]
    fn sql_server_strings_come_apart() {
        let parsed =
            SqlServerConfiguration::parse("\"srv.DB\";\"[dbo].[SSIS Configurations]\";\"Load \"\"x\"\";y\";").unwrap();
        assert_eq!(parsed.connection, "srv.DB");
        assert_eq!(parsed.table, "[dbo].[SSIS Configurations]");
        assert_eq!(parsed.filter, "Load \"x\";y");
        for broken in ["", "\"a\"", "\"a\";\"b", "a;b;c;d"] {
            assert_eq!(SqlServerConfiguration::parse(broken), None, "{broken}");
        }
    }
}
