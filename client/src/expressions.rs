//! Expressions on their own: what one is, of which type, and which functions there are.

use crate::error::{Error, Result};
use crate::report::Finding;
use dtsx_engine::diag::{self, Diagnostic, Owner, codes};
use dtsx_engine::expr::{self, Environment, EvalContext, NoNames, Reference};
use dtsx_engine::types::convert::{CastOptions, cast_value};
use dtsx_engine::types::format::format_value;
use dtsx_engine::types::locale::Locale;
use dtsx_engine::types::scalar::array_of;
use dtsx_engine::types::{MAX_STR_BYTES, MAX_WSTR_UNITS};
use dtsx_engine::variables::VariableType;

pub use dtsx_engine::expr::{
    Example, ExprError, FunctionDef, Gives, NullRule, Signature, Takes, functions, quoted, similar_functions,
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
    columns: Vec<(ColumnName, DataType, Value)>,
    variables: Vec<Variable>,
    lcid: u32,
}

/// A column's name.
#[derive(Clone, Debug)]
enum ColumnName {
    /// `#12` or `#{path}`, without the marks.
    Lineage(String),
    /// The column's name, and perhaps that of the component that it comes from.
    Named { component: Option<String>, column: String },
}

#[derive(Clone, Debug)]
struct Variable {
    /// Qualified: `User::X`.
    name: String,
    declared: VariableType,
    data_type: DataType,
    value: Value,
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
    ///
    /// # Errors
    /// There is no such locale.
    pub fn set_locale(&mut self, lcid: u32) -> Result<()> {
        if !Locale::is_known(lcid) {
            return Err(Error::Setting(format!(
                "no locale is known by the LCID {lcid}; 1033 is English (United States)"
            )));
        }
        self.lcid = lcid;
        Ok(())
    }

    /// Adds a variable, `User::X`, or a parameter, `$Package::X`; `X` is short for `User::X`. The type is one of packages:
    /// `Int32`, `String`, `DateTime` …; the value is written as in a package.
    ///
    /// # Errors
    /// A type that no variable has, a value that is none of the type, or a name that is empty or given before.
    pub fn add_variable(&mut self, name: &str, type_name: &str, value: &str) -> Result<()> {
        let wrong = |what: String| Err(Error::Setting(format!("variable {name}: {what}")));
        let Some(declared) = VariableType::from_name(type_name) else {
            return wrong(format!("variables have no type \"{type_name}\"; they have {}", variable_types()));
        };
        let qualified = if name.contains("::") { name.to_owned() } else { format!("User::{name}") };
        if qualified.ends_with("::") {
            return Err(Error::Setting(format!("a variable has no name: \"{name}\"")));
        }
        if self.variables.iter().any(|known| known.name == qualified) {
            return wrong("it is given twice".to_owned());
        }
        match declared.parse(value) {
            Ok(value) => {
                let data_type = declared.data_type(&value);
                self.variables.push(Variable { name: qualified, declared, data_type, value });
                Ok(())
            }
            Err(e) => wrong(e.message().to_owned()),
        }
    }

    /// Adds a column, named as an expression names it: `Price`, `[Unit Price]`, `[Source].[Price]`, `#12`, `#{Package\…}`.
    /// A column of a component may be named without it in expressions, if no other has its name.
    /// The type is written `DT_I4`, `DT_NUMERIC(10,2)`, `DT_STR(20,1252)`, or in the spelling of packages, `i4`,
    /// `numeric(10,2)`; the value as a cast from text reads it, that of a DT_BYTES or DT_IMAGE in hexadecimal digits;
    /// None is NULL.
    ///
    /// # Errors
    /// A type that there is not, a value that is none of the type or does not fit it, or a name that is given before.
    pub fn add_column(&mut self, name: &str, type_name: &str, value: Option<&str>) -> Result<()> {
        let wrong = |what: String| Error::Setting(format!("column {name}: {what}"));
        let data_type = data_type(type_name).map_err(wrong)?;
        let value = match value {
            Some(text) => self.read(text, &data_type).map_err(|what| {
                let null = text.trim().eq_ignore_ascii_case("null");
                wrong(if null { format!("{what}; for NULL leave out the = and the value") } else { what })
            })?,
            None => Value::Null,
        };
        let column = ColumnName::of(name);
        if self.columns.iter().any(|(known, ..)| known.is_same(&column)) {
            return Err(wrong("it is given twice".to_owned()));
        }
        self.columns.push((column, data_type, value));
        Ok(())
    }

    /// The value of a text, if it is one of the type, whole and without loss.
    fn read(&self, text: &str, data_type: &DataType) -> std::result::Result<Value, String> {
        let units = u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX);
        let (given, given_type) = (Value::text(text), DataType::WStr { len: units });
        let options = CastOptions::expression(self.lcid);
        let cast = |to: &DataType| cast_value(&given, &given_type, to, &options);
        // Hexadecimal digits, as of DT_BYTES, whatever a cast makes of a text.
        let read_as = if *data_type == DataType::Image { DataType::Bytes { len: units } } else { *data_type };
        let value = cast(&read_as).map_err(|code| format!("\"{text}\" is no {data_type} ({code} {})", code.name()))?;
        let again = |to: &DataType| cast_value(&value, &read_as, to, &options);
        // What the widest type of the kind makes of the text, beside what it makes of the value: casts cut and round.
        let whole = wider(data_type).iter().all(|wide| match (cast(wide), again(wide)) {
            (Ok(all), Ok(kept)) => same_but_days(&all, &kept),
            _ => true,
        });
        if whole { Ok(value) } else { Err(format!("\"{text}\" does not fit in {data_type}")) }
    }
}

/// Types that hold what a text of the kind may say beyond the type.
fn wider(data_type: &DataType) -> Vec<DataType> {
    use DataType::*;
    match data_type {
        t if t.is_integer() => (1..=18).map(|scale| Numeric { precision: 38, scale }).collect(),
        Numeric { scale, .. } | Decimal { scale } => {
            (scale + 1..=38).map(|scale| Numeric { precision: 38, scale }).collect()
        }
        Cy => (5..=18).map(|scale| Numeric { precision: 38, scale }).collect(),
        Date | DbDate | DbTimeStamp | DbTimeStamp2 { .. } | FileTime => vec![DbTimeStamp2 { scale: 7 }],
        DbTime | DbTime2 { .. } => vec![DbTime2 { scale: 7 }],
        DbTimeStampOffset { .. } => vec![DbTimeStampOffset { scale: 7 }],
        Str { .. } | WStr { .. } | Text { .. } => vec![NText],
        Bytes { .. } => vec![Bytes { len: MAX_STR_BYTES }],
        _ => Vec::new(),
    }
}

/// Whether two values are the same. A time without a date is of another day to DT_DATE than to DT_DBTIMESTAMP2: that is no
/// loss.
fn same_but_days(a: &Value, b: &Value) -> bool {
    const TICKS_OF_DAY: i64 = 864_000_000_000;
    match (a, b) {
        (Value::Ticks(a), Value::Ticks(b)) => (a - b) % TICKS_OF_DAY == 0,
        _ => a == b,
    }
}

impl ColumnName {
    /// The name that an expression has for it: `[My Name]`, `[Source].[Price]`, `#12`, `#{path}`.
    fn of(name: &str) -> ColumnName {
        let bare = |part: &str| -> String {
            let part = part.trim();
            part.strip_prefix('[').and_then(|p| p.strip_suffix(']')).unwrap_or(part).to_owned()
        };
        if let Some(id) = name.strip_prefix('#') {
            return ColumnName::Lineage(
                id.strip_prefix('{').and_then(|p| p.strip_suffix('}')).unwrap_or(id).to_owned(),
            );
        }
        // The point between component and column is the one outside brackets.
        let mut depth = 0usize;
        let point = name.char_indices().find(|(_, c)| {
            depth = match c {
                '[' => depth + 1,
                ']' => depth.saturating_sub(1),
                _ => depth,
            };
            *c == '.' && depth == 0
        });
        let (component, column) = match point {
            Some((at, _)) => (Some(bare(&name[..at])), bare(&name[at + 1..])),
            None => (None, bare(name)),
        };
        ColumnName::Named { component, column }
    }

    /// Whether a reference may mean the column. A name alone is that of a column of whatever component.
    fn is_meant_by(&self, reference: &Reference<'_>) -> bool {
        match (self, reference) {
            (ColumnName::Lineage(id), Reference::Lineage(wanted)) => id.eq_ignore_ascii_case(wanted),
            (ColumnName::Named { component, column }, Reference::Name { component: from, column: wanted }) => {
                let of_it = |from: &str| component.as_deref().is_some_and(|c| c.eq_ignore_ascii_case(from));
                column.eq_ignore_ascii_case(wanted) && from.is_none_or(of_it)
            }
            _ => false,
        }
    }

    fn is_same(&self, other: &ColumnName) -> bool {
        match (self, other) {
            (ColumnName::Lineage(a), ColumnName::Lineage(b)) => a.eq_ignore_ascii_case(b),
            (ColumnName::Named { component: a, column }, ColumnName::Named { component: b, column: other }) => {
                let folded = |name: &Option<String>| name.as_deref().map(str::to_ascii_lowercase);
                column.eq_ignore_ascii_case(other) && folded(a) == folded(b)
            }
            _ => false,
        }
    }
}

/// A type as [`DataType`] prints it, or in the spelling of packages.
fn data_type(text: &str) -> std::result::Result<DataType, String> {
    let (name, parameters) = match text.trim().strip_suffix(')').and_then(|open| open.split_once('(')) {
        Some((name, parameters)) => (name.trim(), format!(",{parameters}")),
        None => (text.trim(), String::new()),
    };
    // Anything but numbers is no part of a type.
    let plain = parameters.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | ' '));
    let known = DataType::from_name(name, 0, 0, 0, 0).filter(|it| *it != DataType::Null && plain);
    let Some(known) = known else {
        let all = (2..=304).filter_map(|code| DataType::from_code(code, 0, 0, 0, 0)).map(|it| it.name());
        return Err(format!("\"{text}\" is no type; there are {}", all.collect::<Vec<_>>().join(", ")));
    };
    // The language has its own form: NULL(DT_STR,20,1252).
    let program = expr::compile(&format!("NULL({}{parameters})", known.name()), &NoNames).map_err(|e| {
        let wanted = match e.expected.first().and_then(|wanted| wanted.split_once(',')) {
            Some((name, wanted)) => format!("{name}({wanted})"),
            None => known.name().to_owned(),
        };
        let what = if parameters.is_empty() { "needs its parameters" } else { "has other parameters" };
        format!("the type {text} {what}: {wanted}")
    })?;
    let data_type = program.data_type();
    let most = if matches!(data_type, DataType::WStr { .. }) { MAX_WSTR_UNITS } else { MAX_STR_BYTES };
    // A compiled DT_WSTR is no longer than a column; what is written may be.
    let length = parameters.trim_start_matches(',').split(',').next().and_then(|n| n.trim().parse::<u32>().ok());
    let has_length = data_type.is_string() || matches!(data_type, DataType::Bytes { .. });
    match length {
        Some(length) if has_length && length > most => Err(format!("a {} is no longer than {most}", known.name())),
        _ => Ok(data_type),
    }
}

/// The types that a variable of an expression may have.
fn variable_types() -> String {
    let all = (0..=21).filter_map(VariableType::from_vartype);
    let usable = all.filter(|it| it.data_type(&Value::Null) != DataType::Null);
    usable.map(VariableType::name).collect::<Vec<_>>().join(", ")
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
        self.find(name).map(|it| (it.data_type, it.value.clone()))
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
    fn find(&self, name: &str) -> std::result::Result<&Variable, diag::Error> {
        let qualified = name.contains("::");
        let bare = |full: &str| full.rsplit_once("::").map_or(full, |(_, bare)| bare) == name;
        let is_it = |full: &str| full == name || !qualified && bare(full);
        let mut found = self.variables.iter().filter(|it| is_it(&it.name));
        let code = match (found.next(), found.next()) {
            (Some(it), None) => return Ok(it),
            (None, _) => codes::DTS_E_EXPREVALVARIABLENOTFOUND,
            _ => codes::DTS_E_EXPREVALAMBIGUOUSVARIABLENNAME,
        };
        Err(diag::Error::new(Owner::Package, code, code.message(&[&name])))
    }

    /// The columns that a reference may mean.
    fn named(&self, reference: &Reference<'_>) -> impl Iterator<Item = usize> {
        self.columns.iter().enumerate().filter(|(_, (name, ..))| name.is_meant_by(reference)).map(|(n, _)| n)
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
    pub warnings: Vec<Finding>,
}

/// What an assignment, `@[User::X] = …`, came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Assigned {
    /// The variable, qualified.
    pub variable: String,
    /// Its type: `Int32`.
    pub variable_type: &'static str,
    /// The type of the right side.
    pub expression_type: DataType,
    /// What the variable holds then, and the type that it has in expressions.
    pub result: Evaluated,
}

/// Evaluates an expression over one row.
///
/// # Errors
/// What is wrong with it, or cannot be computed: the SSIS code, the place, and what would be legal there.
pub fn evaluate(text: &str, names: &Names) -> std::result::Result<Evaluated, ExprError> {
    evaluated(&expr::compile(text, names)?, text, names)
}

/// Whether a text is meant as an assignment, as For Loop containers and Expression tasks have it.
pub fn is_assignment(text: &str) -> bool {
    match expr::parse_assignment(text) {
        Ok(ast) => ast.target().is_some(),
        Err(_) => {
            let single_equal = codes::DTS_E_EXPREVALINVALIDTOKENSINGLEEQUAL;
            text.trim_start().starts_with('@') && expr::parse(text).is_err_and(|e| e.code == single_equal)
        }
    }
}

/// Evaluates an assignment; nothing is assigned.
///
/// ```
/// use dtsx::expressions::{Names, assign};
///
/// let mut names = Names::new();
/// names.add_variable("User::I", "Int32", "5")?;
/// let it = assign("@I = @I + 1", &names).map_err(|e| e.to_string()).unwrap();
/// assert_eq!((it.variable.as_str(), it.result.text.as_str()), ("User::I", "6"));
/// # Ok::<(), dtsx::Error>(())
/// ```
///
/// # Errors
/// As [`evaluate`]; a variable that there is not, or that does not hold what the expression gives.
pub fn assign(text: &str, names: &Names) -> std::result::Result<Assigned, ExprError> {
    let (target, program) = expr::compile_assignment(text, names)?;
    let wrong = |code: diag::Code, message: String| ExprError {
        code,
        message,
        span: 0..text.len(),
        expected: Vec::new(),
        text: text.into(),
    };
    let variable = names.find(&target).map_err(|e| {
        let code = e.code().unwrap_or(codes::DTS_E_EXPREVALVARIABLENOTFOUND);
        wrong(code, e.message().to_owned())
    })?;
    let mut result = evaluated(&program, text, names)?;
    let (name, declared, expression_type) = (&variable.name, variable.declared, result.data_type);
    let value = declared.coerce(result.value.clone(), name).map_err(|_| {
        let code = codes::DTS_E_EXPREVALASSIGNMENTTYPEMISMATCH;
        // A value of the kind that the variable has may be refused for what it is.
        let of_its_kind = variable.data_type.is_numeric() && expression_type.is_numeric();
        let message = if of_its_kind {
            format!("{} does not fit {}, the type of {name}.", result.text, declared.name())
        } else {
            format!("{} {name} is {}, the expression {expression_type}.", code.message(&[&text]), declared.name())
        };
        wrong(code, message)
    })?;
    let data_type = declared.data_type(&value);
    let shown = format_value(&value, &data_type, names.lcid);
    if result.value.is_null() && !value.is_null() {
        let shown = if matches!(value, Value::Text(_)) { quoted(&shown).to_string() } else { shown.clone() };
        let message =
            format!("the expression is NULL, which no variable of {} holds: {name} becomes {shown}", declared.name());
        result.warnings.push(Finding::new(Diagnostic::warning(codes::DTS_W_GENERICWARNING, "", message), text));
    }
    result = Evaluated { data_type, value, text: shown, ..result };
    Ok(Assigned { variable: name.clone(), variable_type: declared.name(), expression_type, result })
}

fn evaluated(program: &expr::Program, text: &str, names: &Names) -> std::result::Result<Evaluated, ExprError> {
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
        warnings: program.warnings().iter().map(|warning| Finding::new(warning.clone(), text)).collect(),
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
        names.add_variable("Given", "Int32", "7").unwrap();
        names.add_column("[A].[b]", "i4", None).unwrap();
        assert!(names.add_column("a.B", "i4", None).is_err());
        assert!(names.set_locale(9999).is_err() && names.set_locale(1031).is_ok() && names.set_locale(1033).is_ok());
        for (variable, ty, value) in [
            ("User::N", "Int32", "seven"),
            ("User::N", "Integer", "7"),
            ("User::Given", "Int32", "7"),
            ("", "Int32", "7"),
            ("User::", "Int32", "7"),
        ] {
            assert!(names.add_variable(variable, ty, value).is_err(), "{ty} {value}");
        }
        for (ty, value) in [
            ("DT_I4", "x"),
            ("DT_I1", "500"),
            ("DT_WSTR(2)", "abc"),
            ("DT_WSTR", "abc"),
            ("DT_WSTR(5000)", "abc"),
            ("DT_STR(9000,1252)", "abc"),
            ("DT_STR(5,1252)", "Ω"),
            ("DT_TEXT(1252)", "Ω"),
            ("DT_NUMERIC(10,2)", "19.909"),
            ("DT_NUMERIC(3,2)", "19.90"),
            ("DT_DECIMAL(1)", "0.25"),
            ("DT_CY", "1.00001"),
            ("DT_I4", "1.5"),
            ("DT_I4", "NULL"),
            ("DT_DBDATE", "2024-02-29 10:00:00"),
            ("DT_DBTIMESTAMP2(3)", "2024-02-29 10:00:00.1234"),
            ("DT_BYTES(1)", "0102"),
            ("DT_IMAGE", "0g"),
            ("DT_STR(2)", "ab"),
            ("DT_NUMERIC(39,2)", "1"),
            ("DT_FOO", "1"),
            ("I4) + LEN(\"\"", "1"),
        ] {
            assert!(names.add_column("c", ty, Some(value)).is_err(), "{ty} {value}");
        }
    }

    #[test]
    fn values_that_fit_are_taken() {
        for (ty, value, text) in [
            ("i4", "5", "5"),
            ("wstr(5)", "x", "x"),
            ("numeric(10,2)", "19.900", "19.90"),
            ("DT_CY", "1.5", "1.5"),
            ("DT_BYTES(4)", "A0b1", "A0B1"),
            ("DT_TEXT(1252)", "é", "é"),
            ("DT_DBDATE", "2024-02-29", "2024-02-29"),
            ("DT_DBTIMESTAMP2(3)", "2024-02-29 10:00:00.123", "2024-02-29 10:00:00.123"),
            ("DT_I8", "9223372036854775807", "9223372036854775807"),
        ] {
            let mut names = Names::new();
            names.add_column("c", ty, Some(value)).unwrap();
            assert_eq!(evaluate("c", &names).unwrap().text.trim_start_matches("0x"), text, "{ty} {value}");
        }
        let mut names = Names::new();
        names.add_column("c", "image", Some("0102ff")).unwrap();
        assert_eq!(evaluate("LEN(c)", &names).unwrap().text, "3");
    }

    #[test]
    fn columns_are_named_as_in_packages() {
        let path = r"#{Package\Data Flow Task\Src.Outputs[Out].Columns[Col]}";
        let mut names = Names::new();
        names.add_column(path, "i4", Some("1")).unwrap();
        names.add_column("#12", "i4", Some("2")).unwrap();
        names.add_column("[My Source].[c.d]", "i4", Some("3")).unwrap();
        assert_eq!(shown(&format!("{path} + #12 + [my source].[C.D]"), &names), "DT_I4 6");
        names.add_column("[a.b]", "i4", Some("4")).unwrap();
        names.add_column("[a].[b]", "i4", Some("5")).unwrap();
        names.add_column("[Other].[c.d]", "i4", Some("6")).unwrap();
        names.add_column("[#12]", "i4", Some("7")).unwrap();
        assert!(names.add_column("A.B", "i4", None).is_err() && names.add_column("[A.b]", "i4", None).is_err());
        for (text, expected) in [
            ("[a.b] * 100 + a.b * 10 + b", "DT_I4 455"),
            ("Other.[c.d]", "DT_I4 6"),
            ("[#12] * 10 + #12", "DT_I4 72"),
            // More than one component has it.
            ("[c.d]", "0xC00470DB at 0"),
            ("[Nowhere].[b]", "0xC00470DC at 0"),
        ] {
            assert_eq!(shown(text, &names), expected, "{text}");
        }
    }

    #[test]
    fn assignments_say_what_the_variable_gets() {
        let mut names = Names::new();
        names.add_variable("I", "Int32", "5").unwrap();
        names.add_variable("Ns::S", "String", "a").unwrap();
        names.add_variable("B", "Byte", "1").unwrap();
        let came = |text: &str| match assign(text, &names) {
            Ok(it) => {
                let result = &it.result;
                let types = format!("{} {} ({})", it.variable_type, result.data_type, it.expression_type);
                let warnings: Vec<&str> = result.warnings.iter().map(|w| w.message.as_str()).collect();
                format!("{} {types} {}{}", it.variable, result.text, warnings.concat())
            }
            Err(e) if e.message.contains("does not fit") => e.message,
            Err(e) => e.code.to_string(),
        };
        for (text, expected) in [
            ("@I = @I + 1", "User::I Int32 DT_I4 (DT_I4) 6"),
            ("@[User::I] = (DT_I8)7", "User::I Int32 DT_I4 (DT_I8) 7"),
            ("@S = @S + \"b\"", "Ns::S String DT_WSTR(2) (DT_WSTR(2)) ab"),
            ("@S = 1", "0xC001F186"),
            ("@I = \"1\"", "0xC001F186"),
            ("@B = 300", "300 does not fit Byte, the type of User::B."),
            (
                "@I = NULL(DT_I8)",
                "User::I Int32 DT_I4 (DT_I8) 0the expression is NULL, which no variable of Int32 holds: User::I becomes 0",
            ),
            ("@Nowhere = 1", "0xC00470A6"),
            ("@I = 1 / 0", "0xC004707B"),
        ] {
            assert!(is_assignment(text), "{text}");
            assert_eq!(came(text), expected, "{text}");
        }
        assert!(is_assignment("@I = "));
        for text in ["@I == 1", "1 = 1", "\"@x = 1\"", "@I + "] {
            assert!(!is_assignment(text), "{text}");
        }
    }
}
