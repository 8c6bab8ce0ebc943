//! Flat File connection manager (`FLATFILE`, `MULTIFLATFILE`): what a text file looks like.
//!
//! ```text
//! Format=Delimited  CodePage=1252  TextQualifier="  ColumnNamesInFirstDataRow=True
//!   id    i4   ends with ,
//!   name  str  ends with CR LF          (the last column's delimiter ends the row)
//! ```
//!
//! [`FlatFileFormat::from_spec`] reads the properties once; source and destination work with the typed form.

use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::{Diagnostic, codes};
use dtsx_engine::flow::{BindCx, ComponentSpec};
use dtsx_engine::props::DataNode;
use dtsx_engine::types::DataType;

/// How rows and columns are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Every column ends with its delimiter; that of the last column ends the row.
    Delimited,
    /// Every column has a width; rows follow each other without a delimiter.
    FixedWidth,
    /// Every column but the last has a width; the last ends with the row delimiter.
    RaggedRight,
    /// Columns of either type, as each says.
    Mixed,
}

/// How text is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// UTF-16, little endian, with a byte order mark (`Unicode` = True).
    Utf16,
    /// A code page; 65001 is UTF-8.
    CodePage(u32),
}

/// How a column ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ColumnEnd {
    /// With this text.
    Delimiter(String),
    /// After this many bytes (Unicode: UTF-16 code units).
    Width(u32),
}

/// One column of a file.
#[derive(Clone, PartialEq, Debug)]
pub struct FlatFileColumn {
    /// Its name.
    pub name: String,
    /// How it ends.
    pub end: ColumnEnd,
    /// Its type.
    pub data_type: DataType,
    /// Whether text qualifiers may (source) or will (destination) stand around its values.
    pub text_qualified: bool,
    /// OutputColumnWidth: what a destination pads fixed-width values to. 0: none is given.
    pub maximum_width: u32,
}

/// The typed form of a Flat File connection manager.
#[derive(Clone, PartialEq, Debug)]
pub struct FlatFileFormat {
    /// How rows and columns are told apart.
    pub shape: Shape,
    /// How text is stored.
    pub encoding: Encoding,
    /// Windows LCID for numbers and dates.
    pub locale: u32,
    /// HeaderRowsToSkip.
    pub header_rows: usize,
    /// DataRowsToSkip.
    pub data_rows_to_skip: usize,
    /// ColumnNamesInFirstDataRow.
    pub names_in_first_row: bool,
    /// HeaderRowDelimiter.
    pub header_row_delimiter: String,
    /// What ends a row; "" if nothing does (all columns have a width).
    pub row_delimiter: String,
    /// TextQualifier; "" for none.
    pub qualifier: String,
    /// AlwaysCheckForRowDelimiters: a row delimiter ends a row even if columns are missing.
    pub always_check: bool,
    /// The columns, in file order.
    pub columns: Vec<FlatFileColumn>,
    /// ConnectionString: a path, or for MULTIFLATFILE paths joined by `|`, with wildcards.
    pub path: String,
    /// Whether the path may name several files.
    pub multi: bool,
}

/// The code page of a manager that names none.
const DEFAULT_CODE_PAGE: u32 = 1252;
/// The locale of a manager that names none.
const DEFAULT_LOCALE: u32 = 1033;

impl FlatFileFormat {
    /// Reads a connection manager.
    ///
    /// # Errors
    /// Everything that is wrong with it: an unknown format (DTS_E_FLATFILEFORMATNOTSUPPORTED), an unknown column type
    /// (DTS_E_INVALIDFLATFILECOLUMNTYPE), a column without type, delimiter or width.
    pub fn from_spec(spec: &ConnectionSpec) -> Result<FlatFileFormat, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let p = &spec.properties;
        let shape = match p.str("Format").to_ascii_lowercase().as_str() {
            "" | "delimited" => Shape::Delimited,
            "fixedwidth" => Shape::FixedWidth,
            "raggedright" => Shape::RaggedRight,
            "mixed" => Shape::Mixed,
            _ => {
                let code = codes::DTS_E_FLATFILEFORMATNOTSUPPORTED;
                problems.push(Diagnostic::error(code, &spec.path, code.message(&[&p.str("Format")])));
                Shape::Delimited
            }
        };
        let count = |name: &str| p.int(name).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let code_page = match count("CodePage") {
            0 => DEFAULT_CODE_PAGE,
            n => n,
        };
        let encoding = if p.bool("Unicode") == Some(true) { Encoding::Utf16 } else { Encoding::CodePage(code_page) };
        let mut row_delimiter = p.str("RowDelimiter").to_owned();
        let nodes: Vec<&DataNode> = spec.data.all("FlatFileColumn").collect();
        let mut columns = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let last = index + 1 == nodes.len();
            match read_column(node, shape, last, &row_delimiter, code_page, &spec.path) {
                Ok(column) => columns.push(column),
                Err(problem) => problems.push(problem.with_span(node.span)),
            }
        }
        if let Some(FlatFileColumn { end: ColumnEnd::Delimiter(text), .. }) = columns.last() {
            row_delimiter.clone_from(text);
        } else if shape == Shape::FixedWidth {
            row_delimiter.clear();
        }
        if columns.is_empty() && problems.is_empty() {
            let code = codes::DTS_E_UNABLETORETRIEVECOLUMNINFOFROMFLATFILECONNECTIONMANAGER;
            problems.push(Diagnostic::error(code, &spec.path, code.message(&[])));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let qualifier = match p.str("TextQualifier") {
            text if text.eq_ignore_ascii_case("<none>") => "",
            text => text,
        };
        let header_row_delimiter = match p.str("HeaderRowDelimiter") {
            "" => row_delimiter.as_str(),
            text => text,
        };
        Ok(FlatFileFormat {
            shape,
            encoding,
            locale: match count("LocaleID") {
                0 => DEFAULT_LOCALE,
                n => n,
            },
            header_rows: count("HeaderRowsToSkip") as usize,
            data_rows_to_skip: count("DataRowsToSkip") as usize,
            names_in_first_row: p.bool("ColumnNamesInFirstDataRow").unwrap_or(false),
            header_row_delimiter: header_row_delimiter.to_owned(),
            qualifier: qualifier.to_owned(),
            always_check: p.bool("AlwaysCheckForRowDelimiters").unwrap_or(true),
            row_delimiter,
            columns,
            path: spec.connection_string().to_owned(),
            multi: spec.kind.eq_ignore_ascii_case("MULTIFLATFILE"),
        })
    }

    /// The file's code page; 1200 for UTF-16.
    pub fn code_page(&self) -> u32 {
        match self.encoding {
            Encoding::Utf16 => 1200,
            Encoding::CodePage(n) => n,
        }
    }

    /// Whether every column ends with a delimiter.
    pub fn is_delimited(&self) -> bool {
        self.columns.iter().all(|c| matches!(c.end, ColumnEnd::Delimiter(_)))
    }
}

/// The format of a component's Flat File connection; what is wrong with it is reported as the component's.
pub(crate) fn bind_format(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<FlatFileFormat> {
    let connection = match cx.connection(spec, None) {
        Ok(connection) => connection,
        Err(error) => {
            let code = error.code().unwrap_or(codes::DTS_E_CONNECTIONNOTFOUND);
            cx.error(spec, code, error.message());
            return None;
        }
    };
    match FlatFileFormat::from_spec(&connection) {
        Ok(format) => Some(format),
        Err(problems) => {
            cx.diagnostics.extend(problems);
            let code = codes::DTS_E_FAILEDTOINITIALIZEFLATFILEPARSER;
            cx.error(spec, code, code.message(&[]));
            None
        }
    }
}

fn read_column(
    node: &DataNode,
    shape: Shape,
    last: bool,
    row_delimiter: &str,
    code_page: u32,
    path: &str,
) -> Result<FlatFileColumn, Diagnostic> {
    let name = node.attr("ObjectName").unwrap_or("").to_owned();
    let number = |attr: &str| node.attr(attr).and_then(|t| t.trim().parse::<i64>().ok()).unwrap_or(0);
    let size = |attr: &str| u32::try_from(number(attr)).unwrap_or(0);
    let wrong = |code: dtsx_engine::diag::Code, text: String| Diagnostic::error(code, path, text).with_column(&name);
    let kind = node.attr("ColumnType").unwrap_or("");
    let delimited = match kind.to_ascii_lowercase().as_str() {
        "delimited" => true,
        "fixedwidth" => false,
        "" => match shape {
            Shape::Delimited => true,
            Shape::FixedWidth => false,
            Shape::RaggedRight => last,
            Shape::Mixed => node.attr("ColumnDelimiter").is_some_and(|d| !d.is_empty()),
        },
        _ => {
            let code = codes::DTS_E_INVALIDFLATFILECOLUMNTYPE;
            return Err(wrong(code, code.message(&[&name, &kind, &"Delimited", &"FixedWidth"])));
        }
    };
    let end = if delimited {
        let own = node.attr("ColumnDelimiter").unwrap_or("");
        let text = if own.is_empty() && last { row_delimiter } else { own };
        if text.is_empty() {
            let code = codes::DTS_E_COLUMNDELIMITERNOTFOUND;
            return Err(wrong(code, format!("The column \"{name}\" has no column delimiter.")));
        }
        ColumnEnd::Delimiter(text.to_owned())
    } else {
        match size("ColumnWidth") {
            0 => {
                let code = codes::DTS_E_INCORRECTSTOCKPROPERTY;
                return Err(wrong(code, code.message(&[&"ColumnWidth", &name])));
            }
            width => ColumnEnd::Width(width),
        }
    };
    // 255 stands for "unset" in the scale of some packages.
    let scale = match size("DataScale") {
        n @ 0..=38 => n as u8,
        _ => 0,
    };
    let precision = u8::try_from(size("DataPrecision")).unwrap_or(0);
    let maximum_width = size("MaximumWidth");
    let code = i32::try_from(number("DataType")).unwrap_or(-1);
    let Some(data_type) = DataType::from_code(code, maximum_width, precision, scale, code_page) else {
        let code = codes::DTS_E_INCORRECTSTOCKPROPERTY;
        return Err(wrong(code, code.message(&[&"DataType", &name])));
    };
    let text_qualified = node.attr("TextQualified").and_then(dtsx_engine::props::parse_bool).unwrap_or(false);
    Ok(FlatFileColumn { name, end, data_type, text_qualified, maximum_width })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtsx_engine::props::Origin;

    fn column(attributes: &[(&str, &str)]) -> DataNode {
        DataNode {
            name: "FlatFileColumn".into(),
            attributes: attributes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            ..DataNode::default()
        }
    }

    fn spec(properties: &[(&str, &str)], columns: Vec<DataNode>) -> ConnectionSpec {
        let mut spec = ConnectionSpec { kind: "FLATFILE".into(), ..ConnectionSpec::default() };
        for (name, value) in properties {
            spec.properties.set_text(name, *value, Origin::Package);
        }
        spec.data.children = columns;
        spec
    }

    #[test]
    fn the_last_columns_delimiter_ends_the_row() {
        let columns = vec![
            column(&[("ObjectName", "id"), ("ColumnType", "Delimited"), ("ColumnDelimiter", ","), ("DataType", "3")]),
            column(&[
                ("ObjectName", "name"),
                ("ColumnType", "Delimited"),
                ("ColumnDelimiter", "\r\n"),
                ("DataType", "129"),
                ("MaximumWidth", "50"),
                ("TextQualified", "-1"),
            ]),
        ];
        let properties = [("Format", "Delimited"), ("TextQualifier", "<none>"), ("CodePage", "1251")];
        let format = FlatFileFormat::from_spec(&spec(&properties, columns)).unwrap();
        assert_eq!(format.row_delimiter, "\r\n");
        assert_eq!(format.qualifier, "");
        assert!(format.always_check && format.columns[1].text_qualified && !format.columns[0].text_qualified);
        assert_eq!(format.columns[1].data_type, DataType::Str { len: 50, code_page: 1251 });
    }

    #[test]
    fn everything_wrong_is_reported() {
        let columns = vec![
            column(&[("ObjectName", "a"), ("ColumnType", "FixedWidth"), ("DataType", "3")]),
            column(&[("ObjectName", "b"), ("ColumnType", "Delimited"), ("DataType", "3")]),
            column(&[("ObjectName", "c"), ("ColumnType", "Banana"), ("DataType", "3")]),
            column(&[("ObjectName", "d"), ("ColumnType", "FixedWidth"), ("ColumnWidth", "3"), ("DataType", "999")]),
        ];
        let problems = FlatFileFormat::from_spec(&spec(&[("Format", "Sideways")], columns)).unwrap_err();
        let named: Vec<_> = problems.iter().map(|p| p.column.as_deref().unwrap_or("-")).collect();
        assert_eq!(named, ["-", "a", "b", "c", "d"]);
    }
}
