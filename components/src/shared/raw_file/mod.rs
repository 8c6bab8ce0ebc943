//! Raw files: rows between packages, as Raw File Destination writes and Raw File Source reads them.
//!
//! What we write is an Arrow IPC stream: a schema message, record batches, the end mark; no dictionaries, no compression.
//! Each field has the column's `DT_*` identity in its metadata (`dtsx.type`, `dtsx.length` … as everywhere), and, where
//! it is a key of the rows' order, `dtsx.sortKey` (±n) and `dtsx.comparisonFlags`; the schema says `dtsx.format` =
//! `raw`. So every Arrow reader reads a raw file, and rows are appended by writing over the end mark.
//!
//! What SQL Server wrote has another layout, which [`foreign`] reads as far as it is known.

pub(crate) mod foreign;
pub(crate) mod stream;
#[cfg(test)]
mod tests;

use arrow::datatypes::{Field, Schema, SchemaRef};
use dtsx_engine::diag::{Code, Error, Owner, Result, codes};
use dtsx_engine::flow::{BindCx, ComponentSpec, Layout, Slot};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::types::{DataType, Value, field_for};
use dtsx_engine::variables::VariableAccess;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The key of the schema's metadata that says what the file is, and its value.
const FORMAT: (&str, &str) = ("dtsx.format", "raw");
const SORT_KEY: &str = "dtsx.sortKey";
const COMPARISON_FLAGS: &str = "dtsx.comparisonFlags";

/// A column of a raw file.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct RawColumn {
    /// Its name.
    pub(crate) name: String,
    /// Its type.
    pub(crate) data_type: DataType,
    /// 0, or ±n for the n-th key of the order of the rows.
    pub(crate) sort_key: i32,
    /// Comparison flags of a key.
    pub(crate) comparison_flags: u32,
}

impl RawColumn {
    /// The column of a layout under the name that it has in the file.
    pub(crate) fn of(name: &str, layout: &Layout, slot: Slot) -> RawColumn {
        let column = layout.column(slot);
        RawColumn {
            name: name.to_owned(),
            data_type: column.data_type,
            sort_key: column.sort_key,
            comparison_flags: column.comparison_flags,
        }
    }

    fn field(&self) -> Field {
        let field = field_for(&self.name, &self.data_type);
        if self.sort_key == 0 {
            return field;
        }
        let mut metadata = field.metadata().clone();
        metadata.insert(SORT_KEY, self.sort_key.to_string());
        metadata.insert(COMPARISON_FLAGS, self.comparison_flags.to_string());
        field.with_metadata(metadata)
    }

    /// None: the field is not one that we write.
    fn from_field(field: &Field) -> Option<RawColumn> {
        let metadata = field.metadata();
        let number = |key: &str| metadata.get(key).map_or(Some(0), |text| text.parse::<i64>().ok());
        let size = |key: &str| number(key).and_then(|n| u32::try_from(n).ok());
        let small = |key: &str| number(key).and_then(|n| u8::try_from(n).ok());
        let data_type = DataType::from_name(
            metadata.get("dtsx.type")?,
            size("dtsx.length")?,
            small("dtsx.precision")?,
            small("dtsx.scale")?,
            size("dtsx.codePage")?,
        )?;
        let fits = *field.data_type() == data_type.arrow();
        fits.then_some(RawColumn {
            name: field.name().clone(),
            data_type,
            sort_key: i32::try_from(number(SORT_KEY)?).ok()?,
            comparison_flags: size(COMPARISON_FLAGS)?,
        })
    }
}

/// The schema of a file with these columns.
pub(crate) fn schema_of(columns: &[RawColumn]) -> SchemaRef {
    let metadata = HashMap::from([(FORMAT.0.to_owned(), FORMAT.1.to_owned())]);
    Arc::new(Schema::new(columns.iter().map(RawColumn::field).collect::<Vec<_>>()).with_metadata(metadata))
}

/// The columns that a schema says; None for one that is not ours.
pub(crate) fn columns_of(schema: &Schema) -> Option<Vec<RawColumn>> {
    if schema.metadata().get(FORMAT.0).map(String::as_str) != Some(FORMAT.1) {
        return None;
    }
    schema.fields().iter().map(|field| RawColumn::from_field(field)).collect()
}

/// The properties of a raw file component that say which file.
pub(crate) const FILE_PROPERTIES: [PropertyDef; 3] = [
    PropertyDef {
        name: "AccessMode",
        ty: PropertyType::Int,
        default: "0",
        doc: "Where the file's name stands: FileName 0, FileNameVariable 1.",
    },
    PropertyDef { name: "FileName", ty: PropertyType::Text, default: "", doc: "The path of the file." },
    PropertyDef {
        name: "FileNameVariable",
        ty: PropertyType::VariableName,
        default: "",
        doc: "The variable that holds the path of the file.",
    },
];

/// Why the file that the package calls `name` cannot be opened.
pub(crate) fn cannot(code: Code, name: &str, path: &Path, cause: &std::io::Error) -> Error {
    let opened = path.display().to_string();
    let place = if opened == name { String::new() } else { format!(" ({opened})") };
    Error::new(Owner::Connection, code, format!("{}{place}: {cause}", code.message(&[&name])))
}

/// The file name of a source or destination: FileName, or the text in FileNameVariable, as AccessMode says.
#[derive(Clone, Debug)]
pub(crate) enum FileName {
    /// As it stands.
    Text(String),
    /// In a variable, read when the flow begins.
    Variable(String),
}

impl FileName {
    /// Reads the properties of a raw file component, reporting what is wrong with them.
    pub(crate) fn bind(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<FileName> {
        let mode = spec.properties.int("AccessMode").unwrap_or(0);
        let (code, message) = match mode {
            0 => match spec.properties.str("FileName").trim() {
                "" => (codes::DTS_E_RAWFILENAMEREQUIRED, codes::DTS_E_RAWFILENAMEREQUIRED.message(&[])),
                name => return Some(FileName::Text(name.to_owned())),
            },
            1 => {
                let text = spec.properties.str("FileNameVariable").trim();
                let variable = cx.variables.name_of_id(text).unwrap_or_else(|| text.to_owned());
                match cx.variables.read(&variable) {
                    Ok(_) => return Some(FileName::Variable(variable)),
                    Err(cause) => {
                        let code = codes::DTS_E_RAWFILENAMEREQUIRED;
                        (code, format!("{} {}", code.message(&[]), cause.message()))
                    }
                }
            }
            other => (codes::DTS_E_RAWINVALIDACCESSMODE, codes::DTS_E_RAWINVALIDACCESSMODE.message(&[&other])),
        };
        cx.error(spec, code, message);
        None
    }

    /// The name as it is now.
    ///
    /// # Errors
    /// DTS_E_RAWFILENAMEREQUIRED for a variable without text.
    pub(crate) fn now(&self, variables: &dyn VariableAccess) -> Result<String> {
        let variable = match self {
            FileName::Text(name) => return Ok(name.clone()),
            FileName::Variable(variable) => variable,
        };
        match variables.read(variable)?.1 {
            Value::Text(name) if !name.trim().is_empty() => Ok(name.to_string()),
            _ => {
                let code = codes::DTS_E_RAWFILENAMEREQUIRED;
                let text = format!("{} The variable \"{variable}\" holds no file name.", code.message(&[]));
                Err(Error::new(Owner::Package, code, text))
            }
        }
    }
}

/// An error about the content of file `name`.
pub(crate) fn damaged(code: Code, name: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Owner::Data, code, format!("{} File \"{name}\": {why}.", code.template()))
}

#[cfg(test)]
mod schema_tests {
    use super::*;

    #[test]
    fn columns_come_back_out_of_a_schema() {
        let column = |name: &str, data_type, sort_key| RawColumn {
            name: name.into(),
            data_type,
            sort_key,
            comparison_flags: if sort_key == 0 { 0 } else { 1 },
        };
        let columns = [
            column("a", DataType::I4, 1),
            column("b", DataType::Numeric { precision: 38, scale: 9 }, -2),
            column("c", DataType::Str { len: 50, code_page: 1251 }, 0),
            column("d", DataType::WStr { len: 4000 }, 0),
            column("e", DataType::DbTimeStampOffset { scale: 7 }, 0),
            column("f", DataType::Bytes { len: 16 }, 0),
            column("g", DataType::Guid, 0),
            column("h", DataType::Date, 0),
            column("h", DataType::DbTimeStamp, 0),
            column("i", DataType::FileTime, 0),
        ];
        assert_eq!(columns_of(&schema_of(&columns)).unwrap(), columns);
        assert!(columns_of(&Schema::empty()).is_none());
    }
}
