//! Expressions on their own: what one is, of which type, and which functions there are.

use crate::error::{Error, Result};
use dtsx_engine::diag::{self, Owner, codes};
use dtsx_engine::expr::{self, Environment, EvalContext, NoNames, Reference};
use dtsx_engine::types::convert::{CastOptions, cast_value};
use dtsx_engine::types::format::format_value;
use dtsx_engine::types::scalar::array_of;
use dtsx_engine::variables::VariableType;

pub use dtsx_engine::expr::{
    Example, ExprError, FunctionDef, Gives, NullRule, Signature, Takes, functions, similar_functions,
};
pub use dtsx_engine::types::{DataType, Value};

/// The columns of a row and the variables that an expression may name.
///
/// ```
/// use dtsx::expressions::{Names, evaluate};
///
/// let mut names = Names::new();
/// names.add_variable("User::Limit", "Int32", "5")?;
/// names.add_column("Price", "DT_NUMERIC(10,2)", Some("19.90"))?;
/// let total = evaluate("Price * @[User::Limit]", &names).map_err(|e| e.to_string()).unwrap();
/// assert_eq!((total.data_type.to_string().as_str(), total.text.as_str()), ("DT_NUMERIC(21,2)", "99.50"));
/// # Ok::<(), dtsx::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Names {
    columns: Vec<(String, DataType, Value)>,
    variables: Vec<(String, DataType, Value)>,
    lcid: u32,
}

impl Default for Names {
    fn default() -> Names {
        Names::new()
    }
}

impl Names {
    /// No names; the locale is en-US (1033).
    pub fn new() -> Names {
        const EN_US: u32 = 1033;
        Names { columns: Vec::new(), variables: Vec::new(), lcid: EN_US }
    }

    /// Takes another locale, by its Windows LCID, for what follows and for the evaluation.
    pub fn set_locale(&mut self, lcid: u32) {
        self.lcid = lcid;
    }

    /// Adds a variable, `User::X`, or a parameter, `$Package::X`. The type is one of packages: `Int32`, `String`,
    /// `DateTime` …; the value is written as in a package.
    ///
    /// # Errors
    /// A type that no variable has, or a value that is none of the type.
    pub fn add_variable(&mut self, name: &str, type_name: &str, value: &str) -> Result<()> {
        let wrong = |what: String| Err(Error::Setting(format!("variable {name}: {what}")));
        let Some(variable_type) = VariableType::from_name(type_name) else {
            return wrong(format!("variables have no type {type_name}"));
        };
        match variable_type.parse(value) {
            Ok(value) => {
                self.variables.push((name.to_owned(), variable_type.data_type(&value), value));
                Ok(())
            }
            Err(e) => wrong(e.message().to_owned()),
        }
    }

    /// Adds a column. The type is written `DT_I4`, `DT_NUMERIC(10,2)`, `DT_STR(20,1252)`; the value as a cast from text
    /// reads it; None is NULL.
    ///
    /// # Errors
    /// A type that there is not, or a value that is none of the type or does not fit it.
    pub fn add_column(&mut self, name: &str, type_name: &str, value: Option<&str>) -> Result<()> {
        let wrong = |what: String| Error::Setting(format!("column {name}: {what}"));
        let data_type = data_type(type_name).map_err(|e| wrong(format!("{type_name} is no type: {}", e.message)))?;
        let value = match value {
            Some(text) => self.read(text, &data_type).map_err(wrong)?,
            None => Value::Null,
        };
        self.columns.push((name.to_owned(), data_type, value));
        Ok(())
    }

    fn read(&self, text: &str, data_type: &DataType) -> std::result::Result<Value, String> {
        let units = u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX);
        let given = Value::text(text);
        let value = cast_value(&given, &DataType::WStr { len: units }, data_type, &CastOptions::expression(self.lcid))
            .map_err(|code| format!("\"{text}\" is no {data_type} ({code} {})", code.name()))?;
        if data_type.is_string() && value != given {
            return Err(format!("\"{text}\" does not fit in {data_type}"));
        }
        Ok(value)
    }
}

/// A type as [`DataType`] prints it.
fn data_type(text: &str) -> std::result::Result<DataType, ExprError> {
    // The language has its own form: NULL(DT_STR,20,1252). Anything but names and numbers is no part of a type.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ',' | ' ');
    let written = match text.trim().strip_suffix(')').and_then(|open| open.split_once('(')) {
        Some((name, parameters)) => format!("{name},{parameters}"),
        None => text.trim().to_owned(),
    };
    let written = if written.chars().all(plain) { written } else { String::new() };
    expr::compile(&format!("NULL({written})"), &NoNames).map(|program| program.data_type())
}

impl Environment for Names {
    fn column(&self, reference: &Reference<'_>) -> Option<(usize, DataType)> {
        let named: Vec<usize> = self.named(reference).collect();
        match named[..] {
            [slot] => Some((slot, self.columns[slot].1)),
            _ => None,
        }
    }

    fn variable(&self, name: &str) -> std::result::Result<(DataType, Value), diag::Error> {
        let qualified = name.contains("::");
        let bare = |full: &str| full.rsplit_once("::").map_or(full, |(_, bare)| bare) == name;
        let is_it = |full: &str| full == name || !qualified && bare(full);
        let mut found = self.variables.iter().filter(|(full, ..)| is_it(full));
        let code = match (found.next(), found.next()) {
            (Some((_, data_type, value)), None) => return Ok((*data_type, value.clone())),
            (None, _) => codes::DTS_E_EXPREVALVARIABLENOTFOUND,
            _ => codes::DTS_E_EXPREVALAMBIGUOUSVARIABLENNAME,
        };
        Err(diag::Error::new(Owner::Package, code, code.message(&[&name])))
    }

    fn lcid(&self) -> u32 {
        self.lcid
    }

    fn has_columns(&self) -> bool {
        !self.columns.is_empty()
    }

    fn is_ambiguous(&self, reference: &Reference<'_>) -> bool {
        self.named(reference).count() > 1
    }
}

impl Names {
    /// The columns that a reference may mean. `Component.Column` and `#12` are names here like any other.
    fn named(&self, reference: &Reference<'_>) -> impl Iterator<Item = usize> {
        let wanted = match reference {
            Reference::Lineage(id) => format!("#{id}"),
            Reference::Name { component: Some(component), column } => format!("{component}.{column}"),
            Reference::Name { component: None, column } => (*column).to_owned(),
        };
        self.columns
            .iter()
            .enumerate()
            .filter(move |(_, (name, ..))| name.eq_ignore_ascii_case(&wanted))
            .map(|(n, _)| n)
    }
}

/// What an expression came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// The type, as the designer would store it for a column.
    pub data_type: DataType,
    /// The value.
    pub value: Value,
    /// The value as a cast to DT_WSTR makes it; empty for NULL.
    pub text: String,
    /// What is worth a warning.
    pub warnings: Vec<String>,
}

/// Evaluates an expression over one row.
///
/// # Errors
/// What is wrong with it, or cannot be computed: the SSIS code, the place, and what would be legal there.
pub fn evaluate(text: &str, names: &Names) -> std::result::Result<Evaluated, ExprError> {
    let program = expr::compile(text, names)?;
    let mut columns = Vec::with_capacity(names.columns.len());
    for (_, data_type, value) in &names.columns {
        columns.push(array_of(value, data_type, 1).map_err(|e| defect(text, &e))?);
    }
    let value = program.eval_one(&columns, &EvalContext::new(names.lcid))?;
    let data_type = program.data_type();
    Ok(Evaluated {
        data_type,
        text: format_value(&value, &data_type, names.lcid),
        value,
        warnings: program.warnings().iter().map(|warning| warning.message.clone()).collect(),
    })
}

/// A value that is not what its type says: no caller can bring that about.
fn defect(text: &str, error: &diag::Error) -> ExprError {
    ExprError {
        code: codes::DTS_E_EXPREVALCOMPUTEFAILED,
        message: error.to_string(),
        span: 0..text.len(),
        expected: Vec::new(),
        text: text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, names: &Names) -> String {
        match evaluate(text, names) {
            Ok(it) => format!("{} {}", it.data_type, if it.value.is_null() { "NULL" } else { &it.text }),
            Err(e) => format!("{} at {}", e.code, e.span.start),
        }
    }

    #[test]
    fn columns_and_variables_have_the_types_said() {
        let mut names = Names::new();
        names.add_variable("User::N", "Int32", "7").unwrap();
        names.add_variable("User::S", "String", "abc").unwrap();
        names.add_variable("Other::N", "Int64", "8").unwrap();
        names.add_column("Name", "DT_STR(20,1252)", Some("Zoë")).unwrap();
        names.add_column("My Price", "DT_NUMERIC(10,2)", None).unwrap();
        names.add_column("Src.Id", "dt_i4", Some("-3")).unwrap();
        names.add_column("Day", "DT_DBDATE", Some("2024-02-29")).unwrap();
        for (text, expected) in [
            ("@[User::N] + 1", "DT_I4 8"),
            ("@S + \"d\"", "DT_WSTR(4) abcd"),
            ("@N", "0xC00470DD at 0"),
            ("UPPER(name)", "DT_WSTR(20) ZOË"),
            ("ISNULL([My Price])", "DT_BOOL True"),
            ("[My Price] * 2", "DT_NUMERIC(21,2) NULL"),
            ("Src.Id / 2", "DT_I4 -1"),
            ("YEAR(Day)", "DT_I4 2024"),
            ("1 + Src.Id / (Src.Id + 3)", "0xC004707B at 4"),
            ("Nowhere", "0xC00470A2 at 0"),
        ] {
            assert_eq!(shown(text, &names), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_value_of_its_type_is_refused() {
        let mut names = Names::new();
        for (variable, ty, value) in [("User::N", "Int32", "seven"), ("User::N", "Integer", "7")] {
            assert!(names.add_variable(variable, ty, value).is_err(), "{ty} {value}");
        }
        for (ty, value) in [
            ("DT_I4", "x"),
            ("DT_I1", "500"),
            ("DT_WSTR(2)", "abc"),
            ("DT_STR(2)", "ab"),
            ("DT_NUMERIC(39,2)", "1"),
            ("DT_FOO", "1"),
            ("I4) + LEN(\"\"", "1"),
        ] {
            assert!(names.add_column("c", ty, Some(value)).is_err(), "{ty} {value}");
        }
    }
}
