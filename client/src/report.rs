//! What a check finds, as plain data.

use dtsx_engine::diag::{Code, Diagnostic, Severity, Span};

/// One thing that was found in a package.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The SSIS code, where SSIS has one.
    pub code: Option<Code>,
    /// How bad.
    pub severity: Severity,
    /// What, in the words of the reference where it has some.
    pub message: String,
    /// The path of the object: `\Package\Data Flow Task\Derived Column`.
    pub object: String,
    /// The data column concerned, if one is.
    pub data_column: Option<String>,
    /// Whether the cause is that this build lacks something that SSIS has.
    pub unsupported: bool,
    /// Where it stands in the file.
    pub place: Option<Place>,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// The bytes.
    pub span: Span,
}

impl Finding {
    /// A finding with a place in `text`.
    pub fn new(diagnostic: Diagnostic, text: &str) -> Finding {
        let place = diagnostic.span.and_then(|span| Place::find(span, text));
        Finding {
            code: diagnostic.code,
            severity: diagnostic.severity,
            message: diagnostic.message,
            object: diagnostic.object,
            data_column: diagnostic.column,
            unsupported: diagnostic.unsupported,
            place,
        }
    }

    /// An error that has no place and no code.
    pub fn error(message: impl Into<String>) -> Finding {
        Finding {
            code: None,
            severity: Severity::Error,
            message: message.into(),
            object: String::new(),
            data_column: None,
            unsupported: false,
            place: None,
        }
    }

    /// Whether it keeps the package from running.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl Place {
    /// The line and column of a span of `text`.
    pub fn find(span: Span, text: &str) -> Option<Place> {
        let before = text.get(..span.start as usize)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Some(Place {
            line: before.bytes().filter(|b| *b == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span,
        })
    }
}

/// How many parts of a kind there are, and how many this build can execute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// All of them.
    pub total: usize,
    /// Those that this build has.
    pub supported: usize,
    /// The kinds of the others, each named once, in the order of their appearance.
    pub unsupported: Vec<String>,
}

/// What was found out about expressions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ExpressionTally {
    /// All expressions of the package.
    pub total: usize,
    /// Those that compile.
    pub compiled: usize,
    /// Those whose result type the package declares (a derived column, a variable).
    pub declared: usize,
    /// Those of them whose computed type is the declared one.
    pub typed_as_declared: usize,
}

/// The verdict of an offline check: nothing was opened but the package's own files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckReport {
    /// The file's format version: 2 (SQL Server 2005), 3 (2008), 6 (2012), 8 (2014 and later).
    pub format_version: u32,
    /// Whether everything that would execute is supported by this build and no error was found.
    pub runnable: bool,
    /// Tasks and containers.
    pub tasks: Tally,
    /// Data flow components.
    pub components: Tally,
    /// Connection managers.
    pub connections: Tally,
    /// Expressions.
    pub expressions: ExpressionTally,
    /// Everything that was found, in the order of the package.
    pub findings: Vec<Finding>,
}

/// What stands behind a connection manager. No text in it holds a secret.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConnectionReport {
    /// Its name.
    pub name: String,
    /// Its kind: `OLEDB`, `FLATFILE` …
    pub kind: String,
    /// Who opens it; "" for what is no database.
    pub driver: String,
    /// What is opened, secrets masked.
    pub target: String,
    /// Why it cannot be opened, as far as that shows without asking anybody; "" if nothing is wrong.
    pub problem: String,
    /// What the server said of itself, or why it cannot be reached; None if it was not asked.
    pub tested: Option<std::result::Result<String, String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters() {
        let text = "<a>\n  <é b=\"1\"/>\n</a>";
        let at = text.find("b=").unwrap() as u32;
        let place = Place::find(Span { start: at, end: at + 5 }, text).unwrap();
        assert_eq!((place.line, place.column), (2, 6));
        assert_eq!(Place::find(Span { start: 999, end: 1000 }, text), None);
    }
}
