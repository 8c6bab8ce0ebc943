//! A package: its root executable, its format, and the file that it came from.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::executable::Executable;
use super::properties::Property;
use super::tree::{Name, Node, Span};
use crate::ids;

/// The format of a package file (`PackageFormatVersion`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FormatVersion(pub u32);

impl FormatVersion {
    /// SQL Server 2005.
    pub const SQL_2005: FormatVersion = FormatVersion(2);
    /// SQL Server 2008 and 2008 R2.
    pub const SQL_2008: FormatVersion = FormatVersion(3);
    /// SQL Server 2012.
    pub const SQL_2012: FormatVersion = FormatVersion(6);
    /// SQL Server 2014 and everything since: the newest.
    pub const CURRENT: FormatVersion = FormatVersion(8);

    /// True if simple properties are attributes (6 and later), false if they are elements.
    pub fn uses_attributes(self) -> bool {
        self >= FormatVersion::SQL_2012
    }
}

impl fmt::Display for FormatVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How the bytes of a file stand for characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    #[default]
    Utf8,
    /// UTF-8 with a byte order mark.
    Utf8Mark,
    /// UTF-16, low byte first, with a byte order mark.
    Utf16LittleMark,
    /// UTF-16, high byte first, with a byte order mark.
    Utf16BigMark,
}

/// The text of a file, decoded: what spans point into.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceText {
    /// Where it came from; nothing for text given in memory.
    pub path: Option<PathBuf>,
    /// The text.
    pub text: String,
}

impl SourceText {
    /// Line and column of a byte offset, both from 1; columns count characters.
    pub fn line_column(&self, offset: u32) -> (usize, usize) {
        let mut offset = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.bytes().filter(|byte| *byte == b'\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The line that holds a byte offset, without its end.
    pub fn line(&self, offset: u32) -> &str {
        let offset = (offset as usize).min(self.text.len());
        let bytes = self.text.as_bytes();
        let start = bytes[..offset].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let end =
            bytes[offset..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |newline| offset + newline);
        self.text[start..end].trim_end_matches('\r')
    }

    /// The text of a span.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }
}

/// Where a package came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub source: Arc<SourceText>,
    /// Its encoding, in which the writer gives it back.
    pub encoding: Encoding,
}

/// A package.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    /// The package as an executable: everything in it.
    pub root: Executable,
    /// The format that it was read in or is to be saved in.
    pub format: FormatVersion,
    /// Where it came from; nothing for a package made in code.
    pub origin: Option<Origin>,
    /// Comments and processing instructions before the root element.
    pub prolog: Vec<Node>,
    /// Comments and processing instructions behind the root element.
    pub epilog: Vec<Node>,
}

/// A step from an executable to one inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A child by index.
    Child(usize),
    /// An event handler by index.
    Handler(usize),
}

/// The way from the root to an executable; empty for the root.
pub type ExecutablePath = Vec<Step>;

/// Executables of a package by what refers to them.
#[derive(Clone, Debug, Default)]
pub struct PackageIndex {
    by_ref: HashMap<String, ExecutablePath>,
    by_id: HashMap<String, ExecutablePath>,
}

impl PackageIndex {
    /// Finds what a reference means: a refId path (`Package\Seq\Task`) or a GUID in any case.
    pub fn resolve(&self, reference: &str) -> Option<&ExecutablePath> {
        self.by_ref.get(reference).or_else(|| self.by_id.get(&reference.to_ascii_uppercase()))
    }
}

impl Default for Package {
    fn default() -> Package {
        Package::new("Package")
    }
}

impl Package {
    /// An empty package of the newest format.
    pub fn new(name: &str) -> Package {
        let mut root = Executable::new(ids::PACKAGE, name);
        root.set_ref_id("Package");
        root.base.properties.push(Property::element("PackageFormatVersion", FormatVersion::CURRENT.to_string(), None));
        root.base.properties.set(Name::dts("LocaleID"), "1033");
        root.base.properties.set(Name::dts("PackageType"), "5");
        root.base.properties.set(Name::dts("ProtectionLevel"), "0");
        Package { root, format: FormatVersion::CURRENT, origin: None, prolog: Vec::new(), epilog: Vec::new() }
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.root.name()
    }

    /// The executable at a path.
    pub fn executable(&self, path: &[Step]) -> Option<&Executable> {
        path.iter().try_fold(&self.root, |at, step| match *step {
            Step::Child(index) => at.executables.get(index),
            Step::Handler(index) => at.event_handlers.get(index),
        })
    }

    /// The executable at a path, to change it.
    pub fn executable_mut(&mut self, path: &[Step]) -> Option<&mut Executable> {
        path.iter().try_fold(&mut self.root, |at, step| match *step {
            Step::Child(index) => at.executables.get_mut(index),
            Step::Handler(index) => at.event_handlers.get_mut(index),
        })
    }

    /// Every executable with its path, parents before children, the root first.
    pub fn walk(&self) -> Vec<(ExecutablePath, &Executable)> {
        let mut found: Vec<(ExecutablePath, &Executable)> = Vec::new();
        let mut waiting: Vec<(ExecutablePath, &Executable)> = vec![(Vec::new(), &self.root)];
        while let Some((path, executable)) = waiting.pop() {
            let step = |step: Step| [path.as_slice(), &[step]].concat();
            let handlers = executable.event_handlers.iter().enumerate().map(|(i, e)| (step(Step::Handler(i)), e));
            let children = executable.executables.iter().enumerate().map(|(i, e)| (step(Step::Child(i)), e));
            // The stack gives back the last first.
            waiting.extend(handlers.collect::<Vec<_>>().into_iter().rev());
            waiting.extend(children.collect::<Vec<_>>().into_iter().rev());
            found.push((path, executable));
        }
        found
    }

    /// Executables by refId (as written, and as it follows from the names) and by GUID.
    pub fn index(&self) -> PackageIndex {
        let mut index = PackageIndex::default();
        let executables = self.walk();
        for (path, executable) in &executables {
            if !executable.ref_id().is_empty() {
                index.by_ref.entry(executable.ref_id().to_owned()).or_insert_with(|| path.clone());
            }
            if !executable.dtsid().is_empty() {
                index.by_id.entry(executable.dtsid().to_ascii_uppercase()).or_insert_with(|| path.clone());
            }
        }
        for (path, _) in &executables {
            index.by_ref.entry(self.ref_id_of(path)).or_insert_with(|| path.clone());
        }
        index
    }

    /// Finds what a reference means; for many references take [`Package::index`].
    pub fn resolve(&self, reference: &str) -> Option<ExecutablePath> {
        self.index().resolve(reference).cloned()
    }

    /// The refId that follows from the names: `Package\Seq\Task`, `Package.EventHandlers[OnError]\Task`.
    pub fn ref_id_of(&self, path: &[Step]) -> String {
        let mut text = "Package".to_owned();
        self.each_on(path, |step, executable| match step {
            Step::Child(_) => {
                text.push('\\');
                text.push_str(executable.name());
            }
            Step::Handler(_) => {
                text.push_str(".EventHandlers[");
                text.push_str(executable.event_name());
                text.push(']');
            }
        });
        text
    }

    /// The path that the original shows in messages: `\Package\Seq\Task`. The root is always `\Package`.
    pub fn object_path(&self, path: &[Step]) -> String {
        format!("\\{}", self.ref_id_of(path))
    }

    fn each_on(&self, path: &[Step], mut visit: impl FnMut(Step, &Executable)) {
        for length in 1..=path.len() {
            if let Some(executable) = self.executable(&path[..length]) {
                visit(path[length - 1], executable);
            }
        }
    }

    /// Line and column of a span, both from 1, if the package came from a file.
    pub fn line_column(&self, span: Span) -> Option<(usize, usize)> {
        let origin = self.origin.as_ref()?;
        (!span.is_empty()).then(|| origin.source.line_column(span.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let source = SourceText { path: None, text: "ab\r\ncé\nx".to_owned() };
        for (offset, expected) in
            [(0, (1, 1)), (2, (1, 3)), (4, (2, 1)), (5, (2, 2)), (6, (2, 2)), (7, (2, 3)), (99, (3, 2))]
        {
            assert_eq!(source.line_column(offset), expected, "offset {offset}");
        }
        assert_eq!(source.line(1), "ab");
        assert_eq!(source.line(6), "cé");
        assert_eq!(source.line(8), "x");
    }

    #[test]
    fn references_resolve_by_path_and_by_guid() {
        let mut package = Package::new("P");
        let mut sequence = Executable::sequence("Seq");
        let mut task = Executable::new("Microsoft.ExpressionTask", "T");
        task.set_dtsid("{ABCDEF00-0000-0000-0000-000000000001}");
        sequence.executables.push(task);
        package.root.executables.push(sequence);
        let mut handler = Executable::event_handler("OnError");
        handler.executables.push(Executable::new("Microsoft.ExpressionTask", "H"));
        package.root.event_handlers.push(handler);

        let task = vec![Step::Child(0), Step::Child(0)];
        assert_eq!(package.resolve("Package\\Seq\\T"), Some(task.clone()));
        assert_eq!(package.resolve("{abcdef00-0000-0000-0000-000000000001}"), Some(task.clone()));
        assert_eq!(package.resolve("Package"), Some(vec![]));
        assert_eq!(package.resolve("Package\\Nowhere"), None);
        assert_eq!(package.object_path(&task), "\\Package\\Seq\\T");
        assert_eq!(package.ref_id_of(&[Step::Handler(0), Step::Child(0)]), "Package.EventHandlers[OnError]\\H");
        assert_eq!(package.walk().len(), 5);
    }
}
