//! The options of dtexec: a table, and the grammar that reads a command line by it.
//!
//! Three steps, each plain data to the next: [`parse()`] turns arguments into [`Plain`], [`Plain::resolve`] says which
//! package and which settings are meant, [`crate::dtexec`] opens and runs it. An option is one row of a table; its
//! order there is its order in `/Help`. An option that exists in dtexec but has no effect here is refused by name.

mod configure;
mod control;
mod general;
mod report;
mod source;
mod words;

pub use report::Reporting;
pub use words::{parts, unquote, words};

use dtsx::Package;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// One option of dtexec.
pub struct OptionDef {
    /// Its name in full: `CheckFile`.
    pub name: &'static str,
    /// How many letters at least have to be written.
    pub minimum: usize,
    /// What follows it.
    pub argument: Argument,
    /// What it is for, in a line.
    pub doc: &'static str,
    /// What it does.
    pub effect: Effect,
}

/// What follows an option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Argument {
    /// Nothing.
    None,
    /// A value, shown so in the help.
    Required(&'static str),
    /// Perhaps a value.
    Optional(&'static str),
}

/// What an option does.
#[derive(Clone, Copy)]
pub enum Effect {
    /// Changes the plain arguments; says why not.
    Apply(fn(&mut Plain, &str) -> Result<(), String>),
    /// Nothing, and that is right: a comment, an option of SQL Server Agent.
    Ignored,
    /// This build cannot do that.
    Refused,
    /// More options come from a file.
    CommandFile,
}

/// Something that is set about the package, in the order of the command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Setting {
    /// `/Set`.
    Property(String, String),
    /// `/Connection`.
    Connection(String, String),
    /// `/ConfigFile`.
    Configuration(String),
    /// `/Parameter`.
    Parameter(String, String),
}

/// A command line, read but not acted upon.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plain {
    /// `/File`.
    pub file: Option<String>,
    /// `/Project`.
    pub project: Option<String>,
    /// `/Package`.
    pub package: Option<String>,
    /// `/Decrypt`.
    pub password: Option<String>,
    /// What is set, in order.
    pub settings: Vec<Setting>,
    /// `/Reporting`.
    pub reporting: Reporting,
    /// `/Sum`.
    pub sum: bool,
    /// `/Validate`.
    pub validate: bool,
    /// `/WarnAsError`.
    pub warn_as_error: bool,
    /// `/VerifyBuild`: major, minor, build.
    pub verify_build: Vec<i64>,
    /// `/VerifyPackageID`.
    pub verify_package_id: Option<String>,
    /// `/VerifyVersionID`.
    pub verify_version_id: Option<String>,
    /// `/VerifySigned`.
    pub verify_signed: bool,
    /// `/Help`, perhaps about one option.
    pub help: Option<String>,
}

/// Which package a command line means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The package file, or its name in the project.
    pub package: PathBuf,
    /// The project.
    pub project: Option<PathBuf>,
}

/// All options, in the order of the help.
pub fn table() -> impl Iterator<Item = &'static OptionDef> {
    [source::OPTIONS, configure::OPTIONS, control::OPTIONS, report::OPTIONS, general::OPTIONS].into_iter().flatten()
}

/// The option that a word such as `/Conf` or `-f` means.
pub fn find(word: &str) -> Option<&'static OptionDef> {
    let name = word.strip_prefix(['/', '-'])?;
    let name = if name == "?" { "Help" } else { name };
    table().find(|option| {
        name.len() >= option.minimum
            && option.name.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
    })
}

/// Command files may name command files, but not for ever.
const MAX_COMMAND_FILES: usize = 100;

/// Reads a command line (without the program's name). `read` gives the text of a command file.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub fn parse(
    arguments: impl IntoIterator<Item = String>,
    read: &dyn Fn(&Path) -> std::io::Result<String>,
) -> Result<Plain, String> {
    let mut queue: VecDeque<String> = arguments.into_iter().collect();
    let mut plain = Plain::default();
    let mut files = 0;
    while let Some(word) = queue.pop_front() {
        if !word.starts_with(['/', '-']) {
            return Err(format!("\"{word}\" is no option: options begin with / or -"));
        }
        let option = find(&word).ok_or_else(|| format!("Option \"{}\" is not valid.", &word[1..]))?;
        let value = match option.argument {
            Argument::None => None,
            Argument::Required(_) | Argument::Optional(_) => queue.pop_front_if(|next| find(next).is_none()),
        };
        if let (Argument::Required(what), None) = (option.argument, &value) {
            return Err(format!("Option \"{}\" needs a value: {what}.", option.name));
        }
        let value = value.map(|v| unquote(&v)).unwrap_or_default();
        let failed = |reason: String| format!("Option \"{}\": {reason}", option.name);
        match option.effect {
            Effect::Apply(apply) => apply(&mut plain, &value).map_err(failed)?,
            Effect::Ignored => {}
            Effect::Refused => return Err(format!("Option \"{}\" is not supported by this build.", option.name)),
            Effect::CommandFile => {
                files += 1;
                if files > MAX_COMMAND_FILES {
                    return Err(failed("too many command files".to_owned()));
                }
                let text = read(Path::new(&value)).map_err(|e| failed(format!("{value}: {e}")))?;
                for word in words(text.trim_start_matches('\u{feff}')).into_iter().rev() {
                    queue.push_front(word);
                }
            }
        }
        if plain.help.is_some() {
            break;
        }
    }
    Ok(plain)
}

impl Plain {
    /// The package that is meant.
    ///
    /// # Errors
    /// No package, or more than one.
    pub fn resolve(&self) -> Result<Target, String> {
        match (&self.file, &self.project, &self.package) {
            (Some(_), _, Some(_)) | (Some(_), Some(_), _) => {
                Err("/File and /Project with /Package exclude each other.".to_owned())
            }
            (Some(file), None, None) => Ok(Target { package: file.into(), project: None }),
            (None, Some(project), Some(package)) => {
                Ok(Target { package: package.into(), project: Some(project.into()) })
            }
            (None, Some(_), None) => Err("/Project needs /Package.".to_owned()),
            (None, None, Some(_)) => Err("/Package needs /Project.".to_owned()),
            (None, None, None) => Err("No package is named: use /File, or /Project with /Package.".to_owned()),
        }
    }

    /// The package with everything set.
    pub fn apply(&self, mut package: Package) -> Package {
        for setting in &self.settings {
            package = match setting.clone() {
                Setting::Property(path, value) => package.set(path, value),
                Setting::Connection(name, string) => package.connect(name, string),
                Setting::Configuration(path) => package.configuration(path),
                Setting::Parameter(name, value) => package.param(name, value),
            };
        }
        package
    }
}

/// The help: all options, or the one that is asked about.
pub fn help(about: &str) -> String {
    let wanted = find(&format!("/{}", about.trim_start_matches(['/', '-'])));
    let mut out = String::new();
    if wanted.is_none() {
        out.push_str("Usage: dtexec /option [value] [/option [value]] ...\n\n");
        out.push_str("Options may be shortened to the letters before the bracket, and begin with / or -.\n\n");
    }
    for option in table().filter(|option| wanted.is_none_or(|w| w.name == option.name)) {
        let (short, rest) = option.name.split_at(option.minimum);
        let name = if rest.is_empty() { format!("/{short}") } else { format!("/{short}[{rest}]") };
        let argument = match option.argument {
            Argument::None => String::new(),
            Argument::Required(what) => format!(" {what}"),
            Argument::Optional(what) => format!(" [{what}]"),
        };
        let refused = if matches!(option.effect, Effect::Refused) { " (not supported by this build)" } else { "" };
        out.push_str(&format!("  {name}{argument}\n        {}{refused}\n", option.doc));
    }
    out
}

#[cfg(test)]
mod tests;
