//! What can go wrong while a file is loaded or saved.

use std::fmt;
use std::path::PathBuf;

use crate::model::{SourceText, Span};

/// The result of loading or saving.
pub type Result<T, E = Box<LoadError>> = std::result::Result<T, E>;

/// Which of the original's errors it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The file cannot be opened.
    OpenPackageFile,
    /// The text is not well-formed XML.
    LoadPackageXml,
    /// The file is not well-formed XML.
    LoadPackageXmlFile,
    /// The XML is not a package.
    FundamentalLoadingError,
    /// An element is not what its place asks for.
    CantLoadFromNode,
    /// A value is not what its property asks for.
    PersistenceError,
    /// A task, connection or enumerator has no data.
    MissingObjectData,
    /// Two objects of a collection have the same name.
    NameAlreadyAdded,
    /// The format is newer than this project, or no format at all.
    InvalidVersionNumber,
    /// The file is encrypted as a whole.
    PackageUnprotect,
    /// The file cannot be written.
    SavePackageFile,
}

impl Fault {
    const TABLE: [(Fault, u32, &'static str); 11] = [
        (Fault::OpenPackageFile, 0xC001_1002, "DTS_E_OPENPACKAGEFILE"),
        (Fault::LoadPackageXml, 0xC001_1003, "DTS_E_LOADPACKAGEXML"),
        (Fault::LoadPackageXmlFile, 0xC001_1004, "DTS_E_LOADPACKAGEXMLFILE"),
        (Fault::FundamentalLoadingError, 0xC001_1007, "DTS_E_FUNDAMENTALLOADINGERROR"),
        (Fault::CantLoadFromNode, 0xC001_1001, "DTS_E_CANTLOADFROMNODE"),
        (Fault::PersistenceError, 0xC001_0018, "DTS_E_PERSISTENCEERROR"),
        (Fault::MissingObjectData, 0xC001_0022, "DTS_E_MISSINGOBJECTDATA"),
        (Fault::NameAlreadyAdded, 0xC001_4100, "DTS_E_NAMEALREADYADDED"),
        (Fault::InvalidVersionNumber, 0xC001_700A, "DTS_E_INVALIDVERSIONNUMBER"),
        (Fault::PackageUnprotect, 0xC001_4036, "DTS_E_PACKAGEUNPROTECT"),
        (Fault::SavePackageFile, 0xC001_100F, "DTS_E_SAVEPACKAGEFILE"),
    ];

    fn row(self) -> (u32, &'static str) {
        let row = Fault::TABLE.iter().find(|(fault, ..)| *fault == self);
        row.map_or((0, ""), |(_, code, name)| (*code, *name))
    }

    /// The original's number.
    pub fn code(self) -> u32 {
        self.row().0
    }

    /// The original's symbol.
    pub fn name(self) -> &'static str {
        self.row().1
    }
}

/// A file that could not be loaded or saved, with the place of the fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct LoadError {
    /// The kind of fault.
    pub fault: Fault,
    /// The original's number.
    pub code: u32,
    /// The original's symbol.
    pub name: &'static str,
    /// What is wrong.
    pub message: String,
    /// In which file.
    pub file: Option<PathBuf>,
    /// In which line, from 1; 0 if the fault has no place in the text.
    pub line: usize,
    /// In which column, from 1.
    pub column: usize,
    /// The bytes of the text that are at fault.
    pub span: Span,
    /// The path of the object: `\Package\Seq\Task`.
    pub object: Option<String>,
}

impl LoadError {
    /// An error without a place.
    pub fn new(fault: Fault, message: impl Into<String>) -> Box<LoadError> {
        Box::new(LoadError {
            fault,
            code: fault.code(),
            name: fault.name(),
            message: message.into(),
            file: None,
            line: 0,
            column: 0,
            span: Span::default(),
            object: None,
        })
    }

    /// The error with the path of the object that it is about.
    #[must_use]
    pub fn about(mut self: Box<LoadError>, object: impl Into<String>) -> Box<LoadError> {
        self.object = Some(object.into());
        self
    }

    /// The error with its place in a text.
    #[must_use]
    pub fn at(mut self: Box<LoadError>, source: &SourceText, span: Span) -> Box<LoadError> {
        self.file.clone_from(&source.path);
        self.span = span;
        (self.line, self.column) = source.line_column(span.start);
        self
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", file.display())?;
        }
        if self.line != 0 {
            write!(f, "line {}, column {}: ", self.line, self.column)?;
        }
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        write!(f, "0x{:08X} {}: {}", self.code, self.name, self.message)
    }
}
