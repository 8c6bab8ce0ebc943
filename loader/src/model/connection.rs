//! Connection managers, and what their data says about files, columns and caches.

use super::data::ObjectData;
use super::object::{Base, Object, object};
use super::properties::Property;
use super::tree::{Element, Node};

/// A connection manager of a package or a project.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectionManager {
    /// The common part.
    pub base: Base,
    /// Property expressions, such as the one on `ConnectionString`.
    pub expressions: Vec<Property>,
    /// The data of its kind.
    pub object_data: Option<ObjectData>,
}

object!(dts ConnectionManager {
    /// The name.
    text name set_name "ObjectName";
    /// The path by which formats 6 and 8 refer to it; may be empty.
    text ref_id set_ref_id "refId";
    /// The GUID.
    text dtsid set_dtsid "DTSID";
    /// The type as written: `OLEDB`, `FLATFILE`, `ADO.NET:System.Data.SqlClient.SqlConnection, …`.
    text creation_name set_creation_name "CreationName";
    /// What the designer's user wrote about it.
    text description set_description "Description";
    /// It is validated only when it is used.
    flag delay_validation set_delay_validation "DelayValidation" = false;
});

impl ConnectionManager {
    /// A connection manager with the usual inner data: everything but SMTP, WMI, MSMQ, SMO and add-ins.
    pub fn new(creation_name: &str, name: &str, connection_string: &str) -> ConnectionManager {
        let mut data = ConnectionData::default();
        data.set_connection_string(connection_string);
        let mut manager = ConnectionManager::default();
        manager.set_creation_name(creation_name);
        manager.set_name(name);
        manager.object_data = Some(ObjectData::from_connection(data));
        manager
    }

    /// A connection manager of a delimited text file.
    pub fn flat_file(name: &str, path: &str, columns: Vec<FlatFileColumn>) -> ConnectionManager {
        let mut manager = ConnectionManager::new("FLATFILE", name, path);
        if let Some(data) = manager.data_mut() {
            data.set_format("Delimited");
            data.set_locale_id(1033);
            data.set_header_row_delimiter(&encode_delimiter("\r\n"));
            data.set_row_delimiter("");
            data.set_text_qualifier(&encode_delimiter("<none>"));
            data.set_code_page(1252);
            data.columns = columns;
        }
        manager
    }

    /// The inner data, if this kind of connection has it.
    pub fn data(&self) -> Option<&ConnectionData> {
        self.object_data.as_ref()?.connection()
    }

    /// The inner data, to change it.
    pub fn data_mut(&mut self) -> Option<&mut ConnectionData> {
        self.object_data.as_mut()?.connection_mut()
    }

    /// The canonical name of its kind, such as `FLATFILE`, `OLEDB`, `ADO.NET`; unknown types as written.
    pub fn kind(&self) -> &str {
        crate::ids::connection(self.creation_name())
    }

    /// The design-time connection string: of the inner data, or of the element that this kind uses instead of it.
    pub fn connection_string(&self) -> &str {
        match self.data() {
            Some(data) => data.connection_string(),
            None => self.element().and_then(|element| element.attr("ConnectionString")).unwrap_or_default(),
        }
    }

    /// Sets the design-time connection string.
    pub fn set_connection_string(&mut self, value: &str) {
        if let Some(data) = self.data_mut() {
            data.set_connection_string(value);
        } else if let Some(element) = self.object_data.as_mut().and_then(ObjectData::element_mut) {
            element.set_attr("ConnectionString", value);
        } else {
            let mut data = ConnectionData::default();
            data.set_connection_string(value);
            self.object_data = Some(ObjectData::from_connection(data));
        }
    }

    /// The element of kinds without the usual inner data (`SmtpConnectionManager` …).
    pub fn element(&self) -> Option<&Element> {
        self.object_data.as_ref()?.element()
    }

    /// A property of the connection itself, wherever this kind keeps it.
    pub fn connection_property(&self, name: &str) -> Option<&str> {
        match self.data() {
            Some(data) => data.property(name),
            None => self.element()?.attr(name),
        }
    }
}

/// The inner `DTS:ConnectionManager`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectionData {
    /// The common part.
    pub base: Base,
    /// Columns of a text file.
    pub columns: Vec<FlatFileColumn>,
    /// Columns of a cache.
    pub cache_columns: Vec<CacheColumn>,
}

object!(dts ConnectionData {
    /// The connection string; for files the path (several, separated by `|`, for multi-file kinds).
    text connection_string set_connection_string "ConnectionString";
    /// One physical connection is kept for the whole run (`RetainSameConnection`).
    flag retain_same_connection set_retain_same_connection "Retain" = false;
    /// Text file: `Delimited`, `FixedWidth`, `RaggedRight` or `Mixed`.
    text format set_format "Format";
    /// Text file: locale; -1 if absent.
    int locale_id set_locale_id "LocaleID" = -1;
    /// Text file: code page, unless [`ConnectionData::unicode`].
    int code_page set_code_page "CodePage" = 1252;
    /// Text file: UTF-16.
    flag unicode set_unicode "Unicode" = false;
    /// Text file: the first row after the skipped ones holds the column names.
    flag column_names_in_first_data_row set_column_names_in_first_data_row "ColumnNamesInFirstDataRow" = false;
    /// Text file: header rows to skip.
    long header_rows_to_skip set_header_rows_to_skip "HeaderRowsToSkip" = 0;
    /// Text file: data rows to skip.
    long data_rows_to_skip set_data_rows_to_skip "DataRowsToSkip" = 0;
    /// Text file: delimiter of header rows, escaped as in the file; see [`ConnectionData::decoded`].
    text header_row_delimiter set_header_row_delimiter "HeaderRowDelimiter";
    /// Text file: delimiter of data rows, escaped as in the file.
    text row_delimiter set_row_delimiter "RowDelimiter";
    /// Text file: text qualifier, escaped as in the file.
    text text_qualifier set_text_qualifier "TextQualifier";
    /// Text file: a row delimiter ends a row even before its last column. The designer of 2012 and later leaves `True`
    /// out; files of formats 2 and 3 have no such property, and the upgrade writes what they meant.
    flag always_check_for_row_delimiters set_always_check_for_row_delimiters "AlwaysCheckForRowDelimiters" = true;
    /// File: 0 existing file, 1 create file, 2 existing folder, 3 create folder.
    int file_usage_type set_file_usage_type "FileUsageType" = 0;
    /// Cache: the rows are kept in a file.
    flag use_file set_use_file "UseFile" = false;
});

impl ConnectionData {
    /// A property of a text file with its escapes undone; nothing for an absent or empty one, and for the qualifier
    /// `<none>`.
    pub fn decoded(&self, name: &str) -> Option<String> {
        let text = decode_delimiter(self.property(name)?);
        (!text.is_empty() && !text.eq_ignore_ascii_case("<none>")).then_some(text)
    }

    /// An inner element of the kind: `FtpConnection`, `HttpConnection`, `Password` and the like.
    pub fn child(&self, local: &str) -> Option<&Element> {
        self.base
            .layout
            .unknown()
            .filter_map(Node::as_element)
            .find(|element| element.name.local().eq_ignore_ascii_case(local))
    }

    /// A secret kept in the file (`DTS:Password` by name, such as `Password`): its text if it is in clear.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        let element = self
            .base
            .layout
            .unknown()
            .filter_map(Node::as_element)
            .find(|element| element.name.local() == "Password" && element.attr("Name") == Some(name))?;
        match element.attr("Encrypted").is_some_and(super::properties::is_true) {
            true => Some(Secret::Encrypted),
            false => Some(Secret::Clear(element.text())),
        }
    }
}

/// A secret in a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// Written in clear.
    Clear(String),
    /// Encrypted with a key that this file does not have.
    Encrypted,
}

/// A column of a text file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlatFileColumn {
    /// The common part.
    pub base: Base,
}

object!(dts FlatFileColumn {
    /// The name.
    text name set_name "ObjectName";
    /// The GUID.
    text dtsid set_dtsid "DTSID";
    /// `Delimited` or `FixedWidth`.
    text column_type set_column_type "ColumnType";
    /// The delimiter, escaped as in the file; the last column has the row delimiter.
    text column_delimiter set_column_delimiter "ColumnDelimiter";
    /// The width in the file, of fixed-width columns.
    int column_width set_column_width "ColumnWidth" = 0;
    /// The length of the output column.
    int maximum_width set_maximum_width "MaximumWidth" = 0;
    /// The type: a DT_ number (129 DT_STR, 130 DT_WSTR, 3 DT_I4 …).
    int data_type set_data_type "DataType" = 129;
    /// The precision of a numeric column.
    int precision set_precision "DataPrecision" = 0;
    /// The scale of a numeric or timestamp column.
    int scale set_scale "DataScale" = 0;
    /// The column may be enclosed in the text qualifier.
    flag text_qualified set_text_qualified "TextQualified" = false;
});

impl FlatFileColumn {
    /// A delimited column; `data_type` is a DT_ number, `delimiter` the plain text (`,`).
    pub fn delimited(name: &str, data_type: i32, width: i32, delimiter: &str) -> FlatFileColumn {
        let mut column = FlatFileColumn::default();
        column.set_column_type("Delimited");
        column.set_column_delimiter(&encode_delimiter(delimiter));
        if width != 0 {
            column.set_maximum_width(width);
        }
        column.set_data_type(data_type);
        column.set_text_qualified(true);
        column.set_name(name);
        column
    }

    /// The delimiter with its escapes undone.
    pub fn delimiter(&self) -> String {
        decode_delimiter(self.column_delimiter())
    }
}

/// A column of a cache.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CacheColumn {
    /// The common part.
    pub base: Base,
}

object!(dts CacheColumn {
    /// The name.
    text name set_name "ObjectName";
    /// The type: a DT_ number.
    int data_type set_data_type "DataType" = 130;
    /// The length.
    int length set_length "Length" = 0;
    /// The precision.
    int precision set_precision "Precision" = 0;
    /// The scale.
    int scale set_scale "Scale" = 0;
    /// The code page.
    int code_page set_code_page "CodePage" = 0;
    /// The place in the index from 1; 0 if the column is not part of it.
    int index_position set_index_position "IndexPosition" = 0;
});

/// Undoes `_xHHHH_` escapes (`_x002C_` is a comma). Surrogate pairs are two escapes; a lone one stays as it is.
pub fn decode_delimiter(text: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match escape_at(rest) {
            Some(unit) => {
                units.push(unit);
                rest = &rest[ESCAPE_LENGTH..];
            }
            None => {
                units.extend_from_slice(first.encode_utf16(&mut [0; 2]));
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    String::from_utf16_lossy(&units)
}

const ESCAPE_LENGTH: usize = "_x0000_".len();

fn escape_at(text: &str) -> Option<u16> {
    let escape = text.get(..ESCAPE_LENGTH)?;
    let digits = escape.strip_prefix("_x").or_else(|| escape.strip_prefix("_X"))?.strip_suffix('_')?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// Escapes delimiters and qualifiers as the designer does: everything but ASCII letters and digits.
pub fn encode_delimiter(text: &str) -> String {
    text.encode_utf16().fold(String::new(), |mut out, unit| {
        match u8::try_from(unit).ok().filter(u8::is_ascii_alphanumeric) {
            Some(byte) => out.push(byte as char),
            None => out.push_str(&format!("_x{unit:04X}_")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_decode_and_encode() {
        let table = [
            ("_x002C_", ","),
            ("_x000D__x000A_", "\r\n"),
            ("_x003C_none_x003E_", "<none>"),
            ("_x0009_", "\t"),
            ("", ""),
            ("_xD83D__xDE00_", "😀"),
        ];
        for (escaped, plain) in table {
            assert_eq!(decode_delimiter(escaped), plain);
            assert_eq!(encode_delimiter(plain), escaped);
        }
        for (text, plain) in [(",", ","), ("_x2C_", "_x2C_"), ("_x00é_", "_x00é_"), ("_x002c_|", ",|"), ("|", "|")] {
            assert_eq!(decode_delimiter(text), plain);
        }
    }

    #[test]
    fn the_qualifier_none_is_no_qualifier() {
        let manager =
            ConnectionManager::flat_file("f", "/tmp/a.csv", vec![FlatFileColumn::delimited("a", 130, 50, ",")]);
        let data = manager.data().unwrap();
        assert_eq!(data.decoded("TextQualifier"), None);
        assert_eq!(data.decoded("HeaderRowDelimiter").as_deref(), Some("\r\n"));
        assert_eq!(data.columns[0].delimiter(), ",");
        assert_eq!(manager.connection_string(), "/tmp/a.csv");
    }
}
