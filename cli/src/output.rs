//! Standard output and standard error: buffers, broken pipes, findings with their source lines.

use dtsx::expressions::ExprError;
use dtsx::{ExitCode, Finding, Place, Severity, Span};
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan,
    SpanContents,
};
use std::fmt;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// Why a command did not end as it should.
#[derive(Debug)]
pub enum Failure {
    /// The client says so.
    Client(dtsx::Error),
    /// The same, with the package that its findings are about.
    InPackage(dtsx::Error, Box<dtsx::Package>),
    /// The arguments are wrong.
    Usage(String),
    /// Standard output is gone or full.
    Output(io::Error),
}

impl From<dtsx::Error> for Failure {
    fn from(error: dtsx::Error) -> Failure {
        Failure::Client(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

/// The result of a command.
pub type CommandResult = Result<ExitCode, Failure>;

/// Standard output, locked and buffered.
pub struct Out {
    inner: BufWriter<StdoutLock<'static>>,
}

impl Out {
    /// Locks standard output.
    pub fn new() -> Out {
        Out { inner: BufWriter::with_capacity(1 << 16, io::stdout().lock()) }
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// What standard output says.
    pub fn finish(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Default for Out {
    fn default() -> Out {
        Out::new()
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A line on standard error; if nobody can read it, so be it.
pub fn note(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says on standard error what went wrong, and which exit code that is. A reader of standard output that has gone away
/// (`dtsx read … | head`) has what it wanted: that is no error.
pub fn complain(failure: &Failure) -> ExitCode {
    match failure {
        Failure::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::Success,
        Failure::Output(e) => {
            note(format_args!("dtsx: cannot write to standard output: {e}"));
            ExitCode::Usage
        }
        Failure::Usage(message) => {
            note(format_args!("dtsx: {message}"));
            ExitCode::Usage
        }
        Failure::Client(error) => complain_of(error, None),
        Failure::InPackage(error, package) => complain_of(error, Some(package)),
    }
}

fn complain_of(error: &dtsx::Error, package: Option<&dtsx::Package>) -> ExitCode {
    if error.findings().is_empty() {
        note(format_args!("dtsx: {error}"));
        return error.exit_code();
    }
    let (file, text) = match (error, package) {
        (dtsx::Error::NotLoaded { path, .. }, _) => {
            note(format_args!("dtsx: {}: cannot be loaded", path.display()));
            (path.display().to_string(), std::fs::read_to_string(path).unwrap_or_default())
        }
        (_, Some(package)) => {
            note("dtsx: the package cannot run");
            (package.path().display().to_string(), package.text().to_owned())
        }
        _ => Default::default(),
    };
    let look = Look::of(&io::stderr());
    for finding in error.findings() {
        // Nobody reads it, then nobody does.
        let _ = io::stderr().lock().write_all(shown(finding, &file, &text, look).as_bytes());
    }
    error.exit_code()
}

/// How reports look: on a terminal with colours and folded lines, elsewhere plain, one line a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    terminal: bool,
}

impl Look {
    /// The look for a stream. `NO_COLOR` is honoured.
    pub fn of(stream: &impl IsTerminal) -> Look {
        Look { terminal: stream.is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    /// The look without colours.
    pub fn plain() -> Look {
        Look { terminal: false }
    }

    /// `text` in an ANSI style (`1` bold, `32` green …), on a terminal.
    pub fn paint(self, style: &str, text: &str) -> String {
        if self.terminal { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// A finding with the line of the package that it is about.
pub fn shown(finding: &Finding, file: &str, text: &str, look: Look) -> String {
    let theme = if look.terminal { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let mut handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_context_lines(0);
    if !look.terminal {
        // Whoever searches the text finds a message in one piece.
        handler = handler.with_width(100_000);
    }
    let source = finding.place.and_then(|place| Excerpt::new(file, text, place));
    let report = Report { finding, source };
    let mut out = String::new();
    match handler.render_report(&mut out, &report) {
        Ok(()) => out,
        Err(_) => format!("{report}\n"),
    }
}

/// What is wrong with an expression: the line with the place marked, the code, what would be legal.
pub fn expression_error(error: &ExprError, look: Look) -> String {
    let finding = Finding {
        code: Some(error.code),
        message: error.message.clone(),
        place: Place::find(
            Span { start: error.span.start as u32, end: error.span.end.max(error.span.start) as u32 },
            &error.text,
        ),
        ..Finding::error("")
    };
    let mut out = shown(&finding, "expression", &error.text, look);
    if !error.expected.is_empty() {
        out.push_str(&format!("  expected: {}\n", error.expected.join(", ")));
    }
    out
}

#[derive(Debug)]
struct Report<'a> {
    finding: &'a Finding,
    source: Option<Excerpt<'a>>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.finding.object.is_empty() {
            write!(f, "{}: ", self.finding.object)?;
        }
        f.write_str(&self.finding.message)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let code = self.finding.code?;
        let name = code.name();
        Some(Box::new(if name.is_empty() { code.to_string() } else { format!("{code} {name}") }))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Information => miette::Severity::Advice,
        })
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let source = self.source.as_ref()?;
        let label = self.finding.data_column.as_ref().map(|column| format!("column \"{column}\""));
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(label, source.label))))
    }
}

/// The piece of a line that a finding is about. Package files have lines of any length: only a window is shown.
#[derive(Debug)]
struct Excerpt<'a> {
    file: &'a str,
    line: &'a str,
    /// Where the window begins in the file.
    start: usize,
    /// The place of the finding, in bytes of the file, cut to the window.
    label: SourceSpan,
    place: dtsx::Place,
}

/// Characters shown before and after the beginning of the place.
const WINDOW: (usize, usize) = (40, 120);

/// Attributes that tell which object a tag is about, the best first.
const NAMING: [&str; 3] = ["ObjectName=", " name=", "refId="];

impl<'a> Excerpt<'a> {
    fn new(file: &'a str, text: &'a str, place: dtsx::Place) -> Option<Excerpt<'a>> {
        let place = telling_line(text, place);
        let at = place.span.start as usize;
        let before = text.get(..at)?;
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        let line_end = text[at..].find(['\n', '\r']).map_or(text.len(), |n| at + n);
        let window = text[line_start..at].char_indices().rev().nth(WINDOW.0 - 1);
        let start = window.map_or(line_start, |(n, _)| line_start + n);
        let end = text[at..line_end].char_indices().nth(WINDOW.1).map_or(line_end, |(n, _)| at + n);
        let label_end = (place.span.end as usize).clamp(at, end);
        Some(Excerpt { file, line: &text[start..end], start, label: (at, label_end - at).into(), place })
    }
}

/// The designer puts each attribute on a line of its own: of a tag that covers several lines, the one with the name of the
/// object says more than the first.
fn telling_line(text: &str, place: dtsx::Place) -> dtsx::Place {
    let (start, end) = (place.span.start as usize, place.span.end as usize);
    let Some(tag) = text.get(start..end).filter(|tag| tag.contains('\n')) else { return place };
    let first_line = tag.find('\n').unwrap_or(tag.len());
    if NAMING.iter().any(|name| tag[..first_line].contains(name)) {
        return place;
    }
    let attribute = NAMING.iter().find_map(|name| tag.find(name));
    let line = attribute.map(|at| {
        let from = tag[..at].rfind('\n').map_or(0, |n| n + 1);
        let from = from + (tag[from..].len() - tag[from..].trim_start().len());
        let to = tag[at..].find(['\n', '\r']).map_or(tag.len(), |n| at + n);
        dtsx::Span { start: (start + from) as u32, end: (start + to) as u32 }
    });
    line.and_then(|span| dtsx::Place::find(span, text)).unwrap_or(place)
}

impl SourceCode for Excerpt<'_> {
    fn read_span<'b>(
        &'b self,
        _span: &SourceSpan,
        _before: usize,
        _after: usize,
    ) -> Result<Box<dyn SpanContents<'b> + 'b>, MietteError> {
        Ok(Box::new(MietteSpanContents::new_named(
            self.file.to_owned(),
            self.line.as_bytes(),
            (self.start, self.line.len()).into(),
            self.place.line - 1,
            self.place.column - 1,
            1,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtsx::Code;

    fn finding(text: &str, needle: &str) -> Finding {
        let start = text.find(needle).unwrap() as u32;
        Finding {
            code: Some(Code(0xC0209029)),
            severity: Severity::Error,
            message: "It does not work.".to_owned(),
            object: r"\Package\Task".to_owned(),
            data_column: Some("amount".to_owned()),
            unsupported: false,
            place: Place::find(Span { start, end: start + needle.len() as u32 }, text),
        }
    }

    #[test]
    fn findings_show_code_line_and_column() {
        let text = "<a>\n  <b name=\"x\"/>\n</a>\n";
        let shown = shown(&finding(text, "name=\"x\""), "p.dtsx", text, Look::plain());
        for part in [
            "0xC0209029",
            "DTS_E_INDUCEDTRANSFORMFAILUREONERROR",
            r"\Package\Task: It does not work.",
            "p.dtsx:2:6",
            "<b name=\"x\"/>",
            "column \"amount\"",
        ] {
            assert!(shown.contains(part), "no {part:?} in\n{shown}");
        }
    }

    #[test]
    fn a_tag_over_several_lines_is_shown_by_its_name() {
        let text = "<a>\n  <task\n    kind=\"k\"\n    DTS:ObjectName=\"Load\"\n    x=\"1\">\n</a>\n";
        let tag = &text[text.find("<task").unwrap()..text.find(">\n</a>").unwrap() + 1];
        let shown = shown(&finding(text, tag), "p.dtsx", text, Look::plain());
        assert!(shown.contains("p.dtsx:4:5") && shown.contains("DTS:ObjectName=\"Load\""), "{shown}");
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let text = format!("<a>\n{}<needle/>{}\n", "é".repeat(5000), "z".repeat(5000));
        let shown = shown(&finding(&text, "<needle/>"), "p.dtsx", &text, Look::plain());
        assert!(shown.contains("<needle/>") && shown.chars().count() < 1000, "{shown}");
        assert!(shown.contains("p.dtsx:2:5001"), "{shown}");
    }
}
