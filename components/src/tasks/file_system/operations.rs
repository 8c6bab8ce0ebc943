//! What the File System Task does to files and folders.

use super::{Attributes, Operation, PathSource};
use dtsx_engine::control::{Task, TaskCx, TaskOutcome};
use dtsx_engine::diag::{Code, Error, Owner, Result, Severity, codes};
use dtsx_engine::events::Message;
use dtsx_engine::run::PathMap;
use dtsx_engine::types::Value;
use dtsx_engine::variables::VariableAccess;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The task, bound.
pub(super) struct FileSystemTask {
    pub(super) operation: Operation,
    pub(super) source: PathSource,
    pub(super) destination: Option<PathSource>,
    /// OverwriteDestinationFile; UseDirectoryIfExists for CreateDirectory.
    pub(super) overwrite: bool,
    pub(super) attributes: Attributes,
}

/// Who speaks in the task's messages.
const SUB_COMPONENT: &str = "File System Task";

/// A path as the package has it, and the one to open.
struct Place {
    shown: String,
    real: PathBuf,
}

impl Place {
    fn new(shown: String, paths: &PathMap) -> Place {
        let real = paths.resolve(&shown);
        Place { shown, real }
    }

    /// The name of the file or folder.
    fn name(&self) -> &str {
        let trimmed = self.shown.trim_end_matches(['\\', '/']);
        trimmed.rsplit(['\\', '/']).next().unwrap_or(trimmed)
    }

    /// What is called `name` inside this folder.
    fn join(&self, name: &str, paths: &PathMap) -> Place {
        let separator = if self.shown.contains('/') && !self.shown.contains('\\') { '/' } else { '\\' };
        Place::new(format!("{}{separator}{name}", self.shown.trim_end_matches(['\\', '/'])), paths)
    }

    fn is_same(&self, other: &Place) -> bool {
        match (self.real.canonicalize(), other.real.canonicalize()) {
            (Ok(a), Ok(b)) => a == b,
            _ => self.real == other.real,
        }
    }
}

impl Task for FileSystemTask {
    fn execute(&self, cx: &TaskCx) -> Result<TaskOutcome> {
        let source = place(&self.source, cx)?;
        let destination = self.destination.as_ref().map(|d| place(d, cx)).transpose()?;
        let shown = destination.as_ref().map_or(String::new(), |d| format!(" to \"{}\"", d.shown));
        cx.events.custom("FileSystemOperation", &format!("{} \"{}\"{shown}", self.operation.name(), source.shown));
        match self.operate(cx, &source, destination.as_ref()) {
            Ok(()) => Ok(TaskOutcome::success()),
            Err(failure) => {
                cx.events.fire(Message {
                    severity: Severity::Error,
                    code: failure.code,
                    sub_component: SUB_COMPONENT.to_owned(),
                    text: failure.text,
                });
                Ok(TaskOutcome::failure())
            }
        }
    }
}

/// The path that a connection or a variable holds now.
fn place(source: &PathSource, cx: &TaskCx) -> Result<Place> {
    let shown = match source {
        PathSource::Connection(name) => cx.connections.get(name)?.connection_string().to_owned(),
        PathSource::Variable(name) => match cx.variables.read(name)?.1 {
            Value::Text(text) => text.to_string(),
            _ => {
                let code = codes::DTS_E_FSTASK_VARIABLENOTASTRING;
                return Err(Error::new(Owner::Package, code, code.message(&[name])));
            }
        },
    };
    Ok(Place::new(shown, &cx.services.paths))
}

/// Why an operation failed.
struct Failure {
    code: Code,
    text: String,
}

impl Failure {
    fn new(code: Code, args: &[&dyn std::fmt::Display]) -> Failure {
        Failure { code, text: code.message(args) }
    }

    /// What the operating system or a rule of the operation says, in the form that the task gives to all of it.
    fn said(text: &str) -> Failure {
        Failure::new(codes::DTS_E_ERROROCCURREDWITHFOLLOWINGMESSAGE, &[&text])
    }

    fn exists(place: &Place) -> Failure {
        Failure::said(&format!("The file '{}' already exists.", place.shown))
    }
}

/// An error of the operating system about a path.
fn failed(error: &io::Error, place: &Place) -> Failure {
    let shown = &place.shown;
    Failure::said(&match error.kind() {
        io::ErrorKind::NotFound if place.real.parent().is_some_and(Path::exists) => {
            format!("Could not find file '{shown}'.")
        }
        io::ErrorKind::NotFound => format!("Could not find a part of the path '{shown}'."),
        io::ErrorKind::PermissionDenied => format!("Access to the path '{shown}' is denied."),
        io::ErrorKind::AlreadyExists => format!("The file '{shown}' already exists."),
        _ => format!("{error}: '{shown}'"),
    })
}

impl FileSystemTask {
    fn operate(&self, cx: &TaskCx, source: &Place, destination: Option<&Place>) -> Result<(), Failure> {
        let nowhere = || Failure::new(codes::DTS_E_FSTASK_DESTINATIONISEMPTY, &[]);
        let destination = || destination.filter(|d| !d.shown.is_empty()).ok_or_else(nowhere);
        if source.shown.is_empty() {
            return Err(Failure::new(codes::DTS_E_FSTASK_SOURCEISEMPTY, &[]));
        }
        let paths = &cx.services.paths;
        match self.operation {
            Operation::CopyFile => self.copy_file(source, &inside(destination()?, source, paths)),
            Operation::MoveFile => self.move_file(source, &inside(destination()?, source, paths)),
            Operation::RenameFile => {
                let destination = destination()?;
                if destination.real.is_dir() {
                    return Err(Failure::new(codes::DTS_E_FSTASK_INVALIDDESTPATH, &[]));
                }
                self.move_file(source, destination)
            }
            Operation::DeleteFile => {
                fs::remove_file(&source.real).map_err(|e| failed(&e, source))?;
                deleted(cx, codes::DTS_E_FSTASK_FILEDELETED, source);
                Ok(())
            }
            Operation::SetAttributes => self.set_attributes(cx, source),
            Operation::CreateDirectory => {
                if source.real.is_dir() && !self.overwrite {
                    return Err(Failure::new(codes::DTS_E_FSTASK_CANTCREATEDIR, &[]));
                }
                fs::create_dir_all(&source.real).map_err(|e| failed(&e, source))
            }
            Operation::CopyDirectory => {
                let target = self.directory_target(source, destination()?, paths)?;
                copy_directory(cx, &source.real, &target.real).map_err(|e| ended(e, &target))
            }
            Operation::MoveDirectory => {
                let target = self.directory_target(source, destination()?, paths)?;
                if let Some(parent) = target.real.parent() {
                    fs::create_dir_all(parent).map_err(|e| failed(&e, &target))?;
                }
                if !target.real.exists() && fs::rename(&source.real, &target.real).is_ok() {
                    return Ok(());
                }
                // Another file system, or a folder to merge into.
                copy_directory(cx, &source.real, &target.real).map_err(|e| ended(e, &target))?;
                fs::remove_dir_all(&source.real).map_err(|e| failed(&e, source))
            }
            Operation::DeleteDirectory => {
                fs::remove_dir_all(&source.real).map_err(|e| failed(&e, source))?;
                deleted(cx, codes::DTS_E_FSTASK_DIRECTORYDELETED, source);
                Ok(())
            }
            Operation::DeleteDirectoryContent => delete_content(cx, source),
        }
    }

    fn copy_file(&self, source: &Place, target: &Place) -> Result<(), Failure> {
        must_be_file(source)?;
        if target.real.exists() {
            if !self.overwrite {
                return Err(Failure::exists(target));
            }
            if source.is_same(target) {
                return Err(in_use(target));
            }
        }
        fs::copy(&source.real, &target.real).map_err(|e| failed(&e, target)).map(drop)
    }

    fn move_file(&self, source: &Place, target: &Place) -> Result<(), Failure> {
        must_be_file(source)?;
        if target.real.exists() && !source.is_same(target) {
            if !self.overwrite {
                return Err(Failure::exists(target));
            }
            if !target.real.is_file() {
                return Err(Failure::new(codes::DTS_E_FSTASK_INVALIDDESTPATH, &[]));
            }
        }
        match fs::rename(&source.real, &target.real) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                fs::copy(&source.real, &target.real).map_err(|e| failed(&e, target))?;
                fs::remove_file(&source.real).map_err(|e| failed(&e, source))
            }
            moved => moved.map_err(|e| failed(&e, target)),
        }
    }

    /// The folder that CopyDirectory and MoveDirectory make: the source's name inside the destination.
    fn directory_target(&self, source: &Place, destination: &Place, paths: &PathMap) -> Result<Place, Failure> {
        if !source.real.is_dir() {
            return Err(missing_directory(source));
        }
        let target = destination.join(source.name(), paths);
        if target.real.exists() && !self.overwrite {
            return Err(Failure::new(codes::DTS_E_FSTASK_DIRECTORYEXISTS, &[]));
        }
        let (Ok(from), Ok(into)) = (source.real.canonicalize(), existing(&target.real).canonicalize()) else {
            return Ok(target);
        };
        if into.starts_with(&from) {
            return Err(Failure::said(&format!("The folder '{}' lies inside '{}'.", target.shown, source.shown)));
        }
        Ok(target)
    }

    fn set_attributes(&self, cx: &TaskCx, source: &Place) -> Result<(), Failure> {
        let metadata = fs::metadata(&source.real).map_err(|e| failed(&e, source))?;
        let mut permissions = metadata.permissions();
        permissions.set_readonly(self.attributes.read_only);
        fs::set_permissions(&source.real, permissions).map_err(|e| failed(&e, source))?;
        let lost = [("Hidden", self.attributes.hidden), ("Archive", self.attributes.archive)];
        let lost = lost.into_iter().chain([("System", self.attributes.system)]);
        let names: Vec<_> = lost.filter(|(_, set)| *set).map(|(name, _)| name).collect();
        if !names.is_empty() {
            let text = format!("Attributes that are not set here: {} of \"{}\".", names.join(", "), source.shown);
            cx.events.fire(Message {
                severity: Severity::Warning,
                code: codes::DTS_W_FSTASK_OPERATIONFAILURE,
                sub_component: SUB_COMPONENT.to_owned(),
                text,
            });
        }
        Ok(())
    }
}

/// The file that a copy or move makes: in a folder that exists it keeps its name.
fn inside(destination: &Place, source: &Place, paths: &PathMap) -> Place {
    if destination.real.is_dir() || destination.shown.ends_with(['\\', '/']) {
        destination.join(source.name(), paths)
    } else {
        Place::new(destination.shown.clone(), paths)
    }
}

fn must_be_file(source: &Place) -> Result<(), Failure> {
    if source.real.is_dir() {
        return Err(Failure::said(&format!("Access to the path '{}' is denied.", source.shown)));
    }
    fs::metadata(&source.real).map(drop).map_err(|e| failed(&e, source))
}

fn missing_directory(place: &Place) -> Failure {
    Failure::said(&format!("Could not find a part of the path '{}'.", place.shown))
}

fn in_use(place: &Place) -> Failure {
    let text = "The process cannot access the file because it is being used by another process.";
    Failure::said(&format!("{text} '{}'", place.shown))
}

/// The nearest folder of a path that exists.
fn existing(path: &Path) -> &Path {
    path.ancestors().find(|p| p.exists()).unwrap_or(path)
}

/// Why copying a tree ended.
enum Ended {
    Io(io::Error),
    Cancelled,
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Ended {
        Ended::Io(error)
    }
}

fn ended(why: Ended, place: &Place) -> Failure {
    match why {
        Ended::Io(error) => failed(&error, place),
        Ended::Cancelled => Failure::said("The operation was cancelled."),
    }
}

/// Copies a tree; files that are there are replaced, others stay.
fn copy_directory(cx: &TaskCx, from: &Path, to: &Path) -> Result<(), Ended> {
    let mut waiting = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = waiting.pop() {
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(&from)? {
            if cx.services.cancel.is_cancelled() {
                return Err(Ended::Cancelled);
            }
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                waiting.push((entry.path(), target));
            } else {
                fs::copy(entry.path(), target)?;
            }
        }
    }
    Ok(())
}

fn delete_content(cx: &TaskCx, source: &Place) -> Result<(), Failure> {
    if !source.real.is_dir() {
        return Err(missing_directory(source));
    }
    for entry in fs::read_dir(&source.real).map_err(|e| failed(&e, source))? {
        let entry = entry.map_err(|e| failed(&e, source))?;
        let place = source.join(&entry.file_name().to_string_lossy(), &cx.services.paths);
        let is_directory = entry.file_type().map_err(|e| failed(&e, &place))?.is_dir();
        if is_directory {
            fs::remove_dir_all(entry.path()).map_err(|e| failed(&e, &place))?;
            deleted(cx, codes::DTS_E_FSTASK_DIRECTORYDELETED, &place);
        } else {
            fs::remove_file(entry.path()).map_err(|e| failed(&e, &place))?;
            deleted(cx, codes::DTS_E_FSTASK_FILEDELETED, &place);
        }
    }
    Ok(())
}

/// The original fires these as information, though their numbers are those of errors.
fn deleted(cx: &TaskCx, code: Code, place: &Place) {
    cx.events.fire(Message {
        severity: Severity::Information,
        code,
        sub_component: SUB_COMPONENT.to_owned(),
        text: code.message(&[&place.shown]),
    });
}
