//! Codes, diagnostics, errors.
//!
//! A [`Diagnostic`] is something found in a package before it runs; an [`Error`] ends something that runs. Both carry the
//! SSIS code where there is one, and the path of the object.

pub mod codes;
mod passwords;

pub use passwords::without_passwords;

use std::fmt;
use std::sync::Arc;

/// An SSIS message code: severity in the top nibble, facility, number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u32);

impl Code {
    fn entry(self) -> Option<&'static (u32, &'static str, &'static str)> {
        codes::TABLE.binary_search_by_key(&self.0, |e| e.0).ok().map(|i| &codes::TABLE[i])
    }

    /// The symbolic name (`DTS_E_…`), or "" for a code that the reference does not list.
    pub fn name(self) -> &'static str {
        self.entry().map_or("", |e| e.1)
    }

    /// The message template of the reference, or "".
    pub fn template(self) -> &'static str {
        self.entry().map_or("", |e| e.2)
    }

    /// The signed 32-bit form, as in ErrorCode columns and logs.
    pub fn signed(self) -> i32 {
        self.0 as i32
    }

    /// The severity that the top nibble says.
    pub fn severity(self) -> Severity {
        match self.0 >> 28 {
            0xC => Severity::Error,
            0x8 => Severity::Warning,
            _ => Severity::Information,
        }
    }

    /// The template with its insertions (`%1`, `%2!d!`, `%3!8.8X!` …) replaced by `args`, in order from 1.
    pub fn message(self, args: &[&dyn fmt::Display]) -> String {
        let template = self.template();
        let mut out = String::with_capacity(template.len() + 32);
        let mut rest = template;
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let Ok(n) = rest[..digits].parse::<usize>() else {
                out.push('%');
                continue;
            };
            rest = &rest[digits..];
            if let Some(tail) = rest.strip_prefix('!')
                && let Some(end) = tail.find('!')
                && end <= 8
            {
                rest = &tail[end + 1..];
            }
            match n.checked_sub(1).and_then(|i| args.get(i)) {
                Some(arg) => out.push_str(&arg.to_string()),
                None => {
                    out.push('%');
                    out.push_str(&n.to_string());
                }
            }
        }
        out.push_str(rest);
        out
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} {}", self.name())
    }
}

/// How bad a diagnostic or a message is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Worth knowing.
    Information,
    /// The package runs, perhaps not as meant.
    Warning,
    /// The package cannot run, or the run fails.
    Error,
}

/// A place in the package file: byte offsets into its text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// Something found in a package before it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// The SSIS code, where SSIS has one for this.
    pub code: Option<Code>,
    /// How bad.
    pub severity: Severity,
    /// What, in one sentence or two, in the words of the reference where it has some.
    pub message: String,
    /// The path of the object: `\Package\Data Flow Task\Derived Column`.
    pub object: String,
    /// The column concerned, if one is.
    pub column: Option<String>,
    /// Where in the file, if it came from one.
    pub span: Option<Span>,
    /// Whether the cause is that this build lacks something that SSIS has (and not that the package is wrong).
    pub unsupported: bool,
}

impl Diagnostic {
    /// An error with an SSIS code.
    pub fn error(code: Code, object: impl Into<String>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code: Some(code),
            severity: Severity::Error,
            message: message.into(),
            object: object.into(),
            column: None,
            span: None,
            unsupported: false,
        }
    }

    /// A warning with an SSIS code.
    pub fn warning(code: Code, object: impl Into<String>, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, object, message) }
    }

    /// An error: this build does not have what the package asks for.
    pub fn unsupported(object: impl Into<String>, message: impl Into<String>) -> Diagnostic {
        Diagnostic { code: None, unsupported: true, ..Diagnostic::error(Code(0), object, message) }
    }

    /// The same with a column.
    pub fn with_column(mut self, column: impl Into<String>) -> Diagnostic {
        self.column = Some(column.into());
        self
    }

    /// The same with a place in the file.
    pub fn with_span(mut self, span: Option<Span>) -> Diagnostic {
        self.span = span;
        self
    }

    /// Whether this keeps the package from running.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Whose fault an [`Error`] is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Owner {
    /// The package says something wrong.
    Package,
    /// The data is not as the package says.
    Data,
    /// A connection cannot be opened or broke.
    Connection,
    /// A file, the disk, memory, the operating system.
    Environment,
    /// This build does not have it.
    Unsupported,
    /// The run was cancelled.
    Cancelled,
    /// A defect of this program.
    Internal,
}

/// A row that failed: where in the input, which column, which value.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct RowError {
    /// The batch that the row was in (its sequence number) and its place there; the engine turns these into [`RowError::number`].
    pub batch: Option<(u64, u32)>,
    /// The row's number in its source's output, from 1.
    pub number: Option<u64>,
    /// The column's name.
    pub column: Option<String>,
    /// The offending value, shortened to something that fits a line.
    pub value: Option<String>,
}

/// What ended an execution. Cheap to clone; shown to the user as it is.
#[derive(Clone, Debug)]
pub struct Error(Arc<ErrorBody>);

#[derive(Clone, Debug)]
struct ErrorBody {
    owner: Owner,
    code: Option<Code>,
    message: String,
    object: String,
    row: Option<RowError>,
}

/// The engine's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `owner` with an SSIS code (None where SSIS has none) and a message.
    pub fn new(owner: Owner, code: impl Into<Option<Code>>, message: impl Into<String>) -> Error {
        Error(Arc::new(ErrorBody {
            owner,
            code: code.into(),
            message: message.into(),
            object: String::new(),
            row: None,
        }))
    }

    /// A defect of this program.
    pub fn internal(message: impl Into<String>) -> Error {
        Error::new(Owner::Internal, None, message)
    }

    /// The run was cancelled.
    pub fn cancelled() -> Error {
        Error::new(Owner::Cancelled, None, "the execution was cancelled")
    }

    /// The same, said of the object at `path`, if none is named yet.
    pub fn at(mut self, path: &str) -> Error {
        if self.0.object.is_empty() {
            Arc::make_mut(&mut self.0).object = path.to_owned();
        }
        self
    }

    /// The same with a row.
    pub fn with_row(mut self, row: RowError) -> Error {
        Arc::make_mut(&mut self.0).row = Some(row);
        self
    }

    /// Whose fault.
    pub fn owner(&self) -> Owner {
        self.0.owner
    }

    /// The SSIS code.
    pub fn code(&self) -> Option<Code> {
        self.0.code
    }

    /// The message without row and object.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The path of the object, or "".
    pub fn object(&self) -> &str {
        &self.0.object
    }

    /// The row that failed.
    pub fn row(&self) -> Option<&RowError> {
        self.0.row.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(row) = &self.0.row {
            let mut sep = " (";
            for (label, text) in [
                ("row", row.number.map(|n| n.to_string())),
                ("column", row.column.as_ref().map(|c| format!("\"{c}\""))),
                ("value", row.value.as_ref().map(|v| format!("\"{v}\""))),
            ] {
                if let Some(text) = text {
                    write!(f, "{sep}{label} {text}")?;
                    sep = ", ";
                }
            }
            if sep == ", " {
                f.write_str(")")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<arrow::error::ArrowError> for Error {
    fn from(e: arrow::error::ArrowError) -> Error {
        Error::internal(format!("arrow: {e}"))
    }
}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Error {
        Error::new(Owner::Environment, None, e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_found() {
        assert!(codes::TABLE.windows(2).all(|w| w[0].0 < w[1].0));
        assert_eq!(codes::DTS_E_INDUCEDTRANSFORMFAILUREONERROR.0, 0xC0209029);
        assert_eq!(Code(0xC0209029).name(), "DTS_E_INDUCEDTRANSFORMFAILUREONERROR");
        assert_eq!(Code(0xC0209029).signed(), -1071607767);
        assert_eq!(Code(0x80019002).severity(), Severity::Warning);
    }

    #[test]
    fn messages_take_insertions() {
        let text = Code(0x80019002).message(&[&2, &1]);
        assert!(text.contains('2') && text.contains('1') && !text.contains('%'), "{text}");
    }
}
