//! File System Task: copies, moves, renames, deletes files and folders, creates folders, sets attributes.
//!
//! ```text
//! Operation       CopyFile 0, MoveFile 1, DeleteFile 2, RenameFile 3, SetAttributes 4, CreateDirectory 5,
//!                 CopyDirectory 6, MoveDirectory 7, DeleteDirectory 8, DeleteDirectoryContent 9
//! Source          a File connection manager, or a variable that holds a path
//! Destination     likewise, where the operation has one
//! ```
//! Paths are those of the package until a file is touched: only then are path prefixes mapped.

mod operations;

use super::{flag, setting};
use dtsx_engine::control::plan::TaskSpec;
use dtsx_engine::control::{Task, TaskBindCx, TaskKind};
use dtsx_engine::diag::{Code, codes};
use dtsx_engine::props::{PropertyDef, PropertyType, property as p};
use dtsx_engine::variables::{VariableAccess, VariableType};
use operations::FileSystemTask;

/// `Microsoft.FileSystemTask`.
pub struct FileSystemTaskKind;

/// What the task does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    CopyFile,
    MoveFile,
    DeleteFile,
    RenameFile,
    SetAttributes,
    CreateDirectory,
    CopyDirectory,
    MoveDirectory,
    DeleteDirectory,
    DeleteDirectoryContent,
}

impl Operation {
    const ALL: [(&'static str, Operation); 10] = [
        ("CopyFile", Operation::CopyFile),
        ("MoveFile", Operation::MoveFile),
        ("DeleteFile", Operation::DeleteFile),
        ("RenameFile", Operation::RenameFile),
        ("SetAttributes", Operation::SetAttributes),
        ("CreateDirectory", Operation::CreateDirectory),
        ("CopyDirectory", Operation::CopyDirectory),
        ("MoveDirectory", Operation::MoveDirectory),
        ("DeleteDirectory", Operation::DeleteDirectory),
        ("DeleteDirectoryContent", Operation::DeleteDirectoryContent),
    ];

    /// From its name, or its number as expressions give it.
    fn parse(text: &str) -> Option<Operation> {
        let text = text.trim();
        let by_number = text.parse::<usize>().ok().and_then(|n| Operation::ALL.get(n));
        let by_name = || Operation::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        by_number.or_else(by_name).map(|(_, operation)| *operation)
    }

    fn name(self) -> &'static str {
        Operation::ALL.iter().find(|(_, o)| *o == self).map_or("", |(name, _)| name)
    }

    fn has_destination(self) -> bool {
        use Operation::*;
        matches!(self, CopyFile | MoveFile | RenameFile | CopyDirectory | MoveDirectory)
    }

    fn on_directories(self) -> bool {
        use Operation::*;
        matches!(self, CreateDirectory | CopyDirectory | MoveDirectory | DeleteDirectory | DeleteDirectoryContent)
    }
}

/// Where a path comes from.
#[derive(Clone, Debug)]
enum PathSource {
    /// A File connection manager, by DTSID or name.
    Connection(String),
    /// A variable.
    Variable(String),
}

/// The attributes that SetAttributes sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Attributes {
    read_only: bool,
    hidden: bool,
    archive: bool,
    system: bool,
}

impl Attributes {
    /// From names (`ReadOnly, Hidden`) or the sum of their numbers.
    fn parse(text: &str) -> Option<Attributes> {
        if let Ok(bits) = text.trim().parse::<u32>() {
            let bit = |b: u32| bits & b != 0;
            return (bits < 16).then(|| Attributes {
                archive: bit(1),
                hidden: bit(2),
                read_only: bit(4),
                system: bit(8),
            });
        }
        let mut attributes = Attributes::default();
        for name in text.split([',', ' ', '|']).filter(|n| !n.is_empty()) {
            match name.to_ascii_lowercase().as_str() {
                "normal" => {}
                "readonly" => attributes.read_only = true,
                "hidden" => attributes.hidden = true,
                "archive" => attributes.archive = true,
                "system" => attributes.system = true,
                _ => return None,
            }
        }
        Some(attributes)
    }
}

impl TaskKind for FileSystemTaskKind {
    fn kind(&self) -> &'static str {
        "Microsoft.FileSystemTask"
    }

    fn title(&self) -> &'static str {
        "File System Task"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        use PropertyType::{Bool, Int, Text};
        const TABLE: &[PropertyDef] = &[
            p("Operation", Int, "0", "What the task does: CopyFile 0 … DeleteDirectoryContent 9."),
            p("Source", Text, "", "The File connection manager of the source, or its variable."),
            p("IsSourcePathVariable", Bool, "False", "Whether Source names a variable."),
            p("Destination", Text, "", "The File connection manager of the destination, or its variable."),
            p("IsDestinationPathVariable", Bool, "False", "Whether Destination names a variable."),
            p("OverwriteDestinationFile", Bool, "False", "Whether an existing destination is replaced."),
            p("UseDirectoryIfExists", Bool, "False", "Whether CreateDirectory accepts a folder that exists."),
            p("Attributes", Int, "0", "Archive 1, Hidden 2, ReadOnly 4, System 8; 0 is Normal."),
        ];
        TABLE
    }

    fn bind(&self, spec: &TaskSpec, cx: &mut TaskBindCx<'_>) -> Option<Box<dyn Task>> {
        if !spec.data.name.is_empty() && !spec.data.name.eq_ignore_ascii_case("FileSystemData") {
            let code = codes::DTS_E_FSTASK_INVALIDDATA;
            fail(spec, cx, code, code.message(&[]));
            return None;
        }
        let text = setting(spec, "Operation", "TaskOperationType").unwrap_or("CopyFile");
        let Some(operation) = Operation::parse(text) else {
            let code = codes::DTS_E_FSTASK_INVALIDDATA;
            fail(spec, cx, code, format!("{} There is no operation \"{text}\".", code.message(&[])));
            return None;
        };
        let source_text = setting(spec, "Source", "TaskSourcePath").unwrap_or("");
        let source_is_variable = flag(spec, "IsSourcePathVariable", "TaskIsSourceVariable");
        let source = bind_path(spec, cx, operation, source_text, source_is_variable, Side::Source);
        let destination = operation.has_destination().then(|| {
            let text = setting(spec, "Destination", "TaskDestinationPath").unwrap_or("");
            let is_variable = flag(spec, "IsDestinationPathVariable", "TaskIsDestinationVariable");
            bind_path(spec, cx, operation, text, is_variable, Side::Destination)
        });
        let attributes_text = setting(spec, "Attributes", "TaskFileAttributes").unwrap_or("Normal");
        let attributes = Attributes::parse(attributes_text);
        if attributes.is_none() {
            let code = codes::DTS_E_FSTASK_INVALIDDATA;
            fail(spec, cx, code, format!("{} There are no attributes \"{attributes_text}\".", code.message(&[])));
        }
        if cx.failed() {
            return None;
        }
        // In the package one attribute serves both properties.
        let overwrite = match operation {
            Operation::CreateDirectory => flag(spec, "UseDirectoryIfExists", "TaskOverwriteDestFile"),
            _ => flag(spec, "OverwriteDestinationFile", "TaskOverwriteDestFile"),
        };
        Some(Box::new(FileSystemTask {
            operation,
            source: source?,
            destination: destination.flatten(),
            overwrite,
            attributes: attributes?,
        }))
    }
}

fn fail(spec: &TaskSpec, cx: &mut TaskBindCx<'_>, code: Code, message: String) {
    cx.error(&spec.path, spec.span, code, message);
}

/// Which path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Destination,
}

/// Checks where a path comes from; None if it cannot be used.
fn bind_path(
    spec: &TaskSpec,
    cx: &mut TaskBindCx<'_>,
    operation: Operation,
    text: &str,
    is_variable: bool,
    side: Side,
) -> Option<PathSource> {
    if text.trim().is_empty() {
        let code = match side {
            Side::Source => codes::DTS_E_FSTASK_SOURCENOTSET,
            Side::Destination => codes::DTS_E_FSTASK_DESTINATIONNOTSET,
        };
        fail(spec, cx, code, code.message(&[&operation.name()]));
        return None;
    }
    if !is_variable {
        return bind_connection(spec, cx, operation, text, side);
    }
    // A variable may be given by its DTSID.
    let name = cx.variables.name_of_id(text).unwrap_or_else(|| text.to_owned());
    let code = match cx.variables.type_of(&name) {
        None => codes::DTS_E_FSTASK_VARIABLEDOESNTEXIST,
        Some(VariableType::String) => match cx.text_variable(&name) {
            Some(path) if !path.trim().is_empty() => return Some(PathSource::Variable(name)),
            _ => codes::DTS_E_FSTASK_VARSRCORDESTISEMPTY,
        },
        Some(_) => codes::DTS_E_FSTASK_VARIABLENOTASTRING,
    };
    fail(spec, cx, code, code.message(&[&name]));
    None
}

/// FileUsageType: 0 existing file, 1 create file, 2 existing folder, 3 create folder.
fn usage_name(usage: i64) -> &'static str {
    match usage {
        0 => "FileExists",
        1 => "CreateFile",
        2 => "FolderExists",
        _ => "CreateFolder",
    }
}

fn bind_connection(
    spec: &TaskSpec,
    cx: &mut TaskBindCx<'_>,
    operation: Operation,
    text: &str,
    side: Side,
) -> Option<PathSource> {
    let connection = match cx.connection(text) {
        Ok(connection) => connection,
        Err(error) => {
            let code = error.code().unwrap_or(codes::DTS_E_CONNECTIONNOTFOUND);
            fail(spec, cx, code, error.message().to_owned());
            return None;
        }
    };
    if !connection.kind.eq_ignore_ascii_case("FILE") {
        let code = codes::DTS_E_FSTASK_CONNECTIONTYPENOTFILE;
        fail(spec, cx, code, code.message(&[&connection.name]));
        return None;
    }
    let usage = connection.properties.int("FileUsageType").unwrap_or(0);
    if !usage_fits(operation, side, usage >= 2) {
        let code = match side {
            Side::Source => codes::DTS_E_FSTASK_SRCCONNUSAGETYPEINVALID,
            Side::Destination => codes::DTS_E_FSTASK_DESTCONNUSAGETYPEINVALID,
        };
        fail(spec, cx, code, code.message(&[&connection.name, &usage_name(usage)]));
        return None;
    }
    let path = connection.connection_string();
    let must_exist = side == Side::Source && operation != Operation::CreateDirectory;
    if cx.online && must_exist && !path.is_empty() && !cx.paths.resolve(path).exists() {
        let code = codes::DTS_E_FSTASK_FILEDOESNOTEXIST;
        fail(spec, cx, code, code.message(&[&path, &connection.name]));
        return None;
    }
    Some(PathSource::Connection(text.to_owned()))
}

/// Whether a connection that stands for a file or a folder suits the operation (which exact usage types the original
/// accepts is unconfirmed: here files do for files, folders for folders, and what takes both takes both).
fn usage_fits(operation: Operation, side: Side, is_folder: bool) -> bool {
    match (operation, side) {
        (Operation::SetAttributes, _) => true,
        (Operation::CopyFile | Operation::MoveFile, Side::Destination) => true,
        (Operation::RenameFile, Side::Destination) => !is_folder,
        _ => operation.on_directories() == is_folder,
    }
}

#[cfg(test)]
mod tests;
