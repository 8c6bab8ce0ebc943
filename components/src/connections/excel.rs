//! Excel connection manager (`EXCEL`): which workbook, and how its tables are read.
//!
//! ```text
//! Provider=Microsoft.ACE.OLEDB.12.0;Data Source=C:\Data\Orders.xlsx;Extended Properties="EXCEL 12.0 XML;HDR=YES;IMEX=1"
//! ```
//!
//! The property ExcelFilePath, set by an expression, a configuration or an override, takes the place of the path.

use crate::db::connection_string::Pairs;
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::codes;
use dtsx_engine::flow::{BindCx, ComponentSpec};
use dtsx_engine::props::Origin;

/// Rows that are looked at to tell the type of a column, unless the connection says otherwise: TypeGuessRows.
const TYPE_GUESS_ROWS: usize = 8;

/// The typed form of an Excel connection manager.
#[derive(Clone, PartialEq, Debug)]
pub struct ExcelConnection {
    /// The workbook, as the package spells its path.
    pub path: String,
    /// HDR: whether the first row of a table holds the names of its columns.
    pub header: bool,
    /// IMEX=1: whether a column of values of several types is one of text.
    pub mixed_as_text: bool,
    /// Rows to look at for the type of a column; 0: all.
    pub guess_rows: usize,
}

impl ExcelConnection {
    /// Reads a connection manager.
    ///
    /// # Errors
    /// Why it names no workbook.
    pub fn from_spec(spec: &ConnectionSpec) -> Result<ExcelConnection, String> {
        let pairs = Pairs::parse(spec.connection_string());
        let extended = pairs.get(&["Extended Properties"]).unwrap_or("");
        // What the string does not hold as a pair of its own stands within the Extended Properties.
        let inner = Pairs::parse(extended);
        let said = |keys: &[&str]| inner.filled(keys).or_else(|| pairs.filled(keys)).map(str::to_owned);
        let set = |name: &str| spec.properties.get(name).filter(|p| p.origin > Origin::Package);
        let changed = |name: &str| set(name).and_then(|_| spec.properties.text(name)).filter(|t| !t.trim().is_empty());
        let path = match changed("ExcelFilePath") {
            Some(path) => path.trim().to_owned(),
            None => pairs.filled(&["Data Source", "DataSource", "DBQ"]).unwrap_or("").trim().to_owned(),
        };
        if path.is_empty() {
            return Err("The connection string names no workbook (Data Source).".into());
        }
        let header = set("FirstRowHasColumnName").and_then(|_| spec.properties.bool("FirstRowHasColumnName"));
        let header = header.unwrap_or_else(|| !said(&["HDR"]).is_some_and(|t| t.trim().eq_ignore_ascii_case("no")));
        let mixed_as_text = said(&["IMEX"]).is_some_and(|t| t.trim() == "1");
        let guess_rows = said(&["TypeGuessRows", "MaxScanRows"]).and_then(|t| t.trim().parse().ok());
        Ok(ExcelConnection { path, header, mixed_as_text, guess_rows: guess_rows.unwrap_or(TYPE_GUESS_ROWS) })
    }
}

/// The Excel connection of a component; what is wrong with it is reported as the component's.
pub(crate) fn bind_excel(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<ExcelConnection> {
    let (code, message) = match cx.connection(spec, None) {
        Ok(connection) => match ExcelConnection::from_spec(&connection) {
            Ok(connection) => return Some(connection),
            Err(why) => {
                let code = codes::DTS_E_CANNOTACQUIRECONNECTIONFROMCONNECTIONMANAGER;
                (code, why)
            }
        },
        Err(error) => (error.code().unwrap_or(codes::DTS_E_CONNECTIONNOTFOUND), error.message().to_owned()),
    };
    cx.error(spec, code, message);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, set: &[(&str, &str)]) -> Result<ExcelConnection, String> {
        let mut spec = ConnectionSpec { kind: "EXCEL".into(), ..ConnectionSpec::default() };
        spec.properties.set_text("ConnectionString", text, Origin::Package);
        for (name, value) in set {
            spec.properties.set_text(name, *value, Origin::Expression);
        }
        ExcelConnection::from_spec(&spec)
    }

    #[test]
    fn strings_of_jet_and_ace() {
        let shown = |text: &str| {
            let c = read(text, &[]).unwrap();
            format!("{} {} {} {}", c.path, c.header, c.mixed_as_text, c.guess_rows)
        };
        for (text, expected) in [
            (
                r#"Provider=Microsoft.Jet.OLEDB.4.0;Data Source=C:\a b\x.xls;Extended Properties="EXCEL 8.0;HDR=YES";"#,
                r"C:\a b\x.xls true false 8",
            ),
            (
                r#"Provider=Microsoft.ACE.OLEDB.12.0;Data Source=x.xlsx;Extended Properties="EXCEL 12.0 XML;HDR=NO;IMEX=1;TypeGuessRows=0""#,
                "x.xlsx false true 0",
            ),
            (
                "Provider=Microsoft.ACE.OLEDB.12.0;Data Source=x.xlsb;Extended Properties=Excel 12.0;",
                "x.xlsb true false 8",
            ),
            (
                "Data Source=x.xls;Extended Properties=\"Excel 8.0;HDR=No;IMEX=2;MAXSCANROWS=16\"",
                "x.xls false false 16",
            ),
        ] {
            assert_eq!(shown(text), expected);
        }
        assert!(read("Provider=Microsoft.Jet.OLEDB.4.0;", &[]).unwrap_err().contains("no workbook"));
    }

    #[test]
    fn what_an_expression_sets_comes_first() {
        let text = "Data Source=old.xls;Extended Properties=\"Excel 8.0;HDR=YES\"";
        let changed = read(text, &[("ExcelFilePath", "new.xls"), ("FirstRowHasColumnName", "False")]).unwrap();
        assert_eq!((changed.path.as_str(), changed.header), ("new.xls", false));
    }
}
