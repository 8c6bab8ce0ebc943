//! The arguments of `dtsx`.

use crate::output::{Failure, Out, complain};
use crate::{check, connections, eval, explain, functions, read, run, save};
use clap::{Args, Parser, Subcommand, ValueEnum};
use dtsx::{ExitCode, OpenOptions, Package, RunOptions, Tap};
use std::ffi::OsString;
use std::path::PathBuf;

/// Runs SQL Server Integration Services packages, without SQL Server.
///
/// Exit codes are those of dtexec: 0 success, 1 the package failed, 3 cancelled, 4 not found, 5 not loaded,
/// 6 usage or internal error.
#[derive(Debug, Parser)]
#[command(name = "dtsx", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a package
    Run(RunArgs),
    /// Say whether packages load, and whether this build can run them; touches nothing but the packages
    Check(CheckArgs),
    /// List the connection managers of a package and what they lead to; test them with --test
    Connections(ConnectionsArgs),
    /// Print the plan of a package: containers, tasks, pipelines
    Explain(ExplainArgs),
    /// Run a package and print the rows of a DataReader destination
    Read(ReadArgs),
    /// Read a package and write it again, in the format that it has or a newer one
    Save(SaveArgs),
    /// Evaluate an expression over values given here; print its type and value
    Eval(EvalArgs),
    /// The reference of the functions of expressions
    Functions(FunctionsArgs),
}

/// What is set about a package from outside.
#[derive(Debug, Args)]
pub struct Settings {
    /// Project of the package: a .dtproj or .ispac file
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<PathBuf>,
    /// Connection string of the connection managers of that name
    #[arg(long, value_name = "NAME=STRING", value_parser = assignment)]
    pub connect: Vec<(String, String)>,
    /// What stands behind connection managers and servers [default: $DTSX_CONNECTIONS, or connections.toml beside the
    /// package or here]
    #[arg(long, value_name = "FILE")]
    pub connections: Option<PathBuf>,
    /// Property, variable or parameter by its path, as /Set of dtexec
    #[arg(long, value_name = "PROPERTY_PATH=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// Parameter: $Package::X, $Project::X
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub param: Vec<(String, String)>,
    /// Open files whose path begins with FROM below TO instead
    #[arg(long, value_name = "FROM=TO", value_parser = assignment)]
    pub map: Vec<(String, String)>,
    /// Further XML configuration (.dtsConfig)
    #[arg(long, value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// Password of an encrypted package
    #[arg(long, value_name = "PASSWORD")]
    pub password: Option<String>,
}

impl Settings {
    /// Opens the package with everything set.
    ///
    /// # Errors
    /// As [`OpenOptions::open`].
    pub fn open(&self, path: &PathBuf) -> dtsx::Result<Package> {
        let mut options = OpenOptions::new(path);
        if let Some(project) = &self.project {
            options = options.project(project);
        }
        if let Some(password) = &self.password {
            options = options.password(password);
        }
        let mut package = options.open()?;
        for (name, string) in &self.connect {
            package = package.connect(name, string);
        }
        if let Some(file) = &self.connections {
            package = package.connections_file(file);
        }
        for (path, value) in &self.set {
            package = package.set(path, value);
        }
        for (name, value) in &self.param {
            package = package.param(name, value);
        }
        for (from, to) in &self.map {
            package = package.map(from, to);
        }
        for path in &self.config {
            package = package.configuration(path);
        }
        Ok(package)
    }
}

/// How to run.
#[derive(Clone, Debug, Args)]
pub struct Resources {
    /// Threads of data flows [default: one a core]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub threads: usize,
    /// Memory that sorts, aggregates, lookups may take before they use the disk: 512M, 2G [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<usize>,
    /// Folder for rows that do not fit into memory [default: $DTSX_TEMP, or the system's]
    #[arg(long, value_name = "FOLDER")]
    pub temp: Option<PathBuf>,
    /// Believe inputs that are said to be sorted: do not check their rows
    #[arg(long)]
    pub no_sort_check: bool,
}

impl From<Resources> for RunOptions {
    fn from(it: Resources) -> RunOptions {
        RunOptions {
            threads: it.threads,
            memory: it.memory,
            temp: it.temp,
            trust_sorted: it.no_sort_check,
            ..RunOptions::default()
        }
    }
}

/// `dtsx run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The package
    pub package: PathBuf,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a group of options")]
    pub settings: Settings,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a group of options")]
    pub resources: Resources,
    /// Also write the rows of a data path to a CSV file: '\Package\Task;Paths[component.output]=FILE'
    #[arg(long, value_name = "TASK PATH;PATH ID=FILE", value_parser = tap)]
    pub tap: Vec<Tap>,
    /// Write the package's variables to a JSON file at the end
    #[arg(long, value_name = "FILE")]
    pub dump_variables: Option<PathBuf>,
    /// How to show what happens: text for people, json one event a line on standard output
    #[arg(long, value_enum, default_value_t)]
    pub format: EventFormat,
    /// Show information events, too
    #[arg(long, short)]
    pub verbose: bool,
}

/// How events are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum EventFormat {
    /// Live on a terminal, lines elsewhere.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How a report is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// `dtsx check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The packages
    #[arg(required = true)]
    pub packages: Vec<PathBuf>,
    /// Project of the packages: a .dtproj or .ispac file
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<PathBuf>,
    /// Password of encrypted packages
    #[arg(long, value_name = "PASSWORD")]
    pub password: Option<String>,
    /// text for people, json one object a package and line
    #[arg(long, value_enum, default_value_t)]
    pub format: ReportFormat,
}

/// `dtsx explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The package
    pub package: PathBuf,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a group of options")]
    pub settings: Settings,
}

/// `dtsx connections`.
#[derive(Debug, Args)]
pub struct ConnectionsArgs {
    /// The package
    pub package: PathBuf,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a group of options")]
    pub settings: Settings,
    /// Open each of them, and say what answers
    #[arg(long)]
    pub test: bool,
    /// text for people, json one array
    #[arg(long, value_enum, default_value_t)]
    pub format: ReportFormat,
}

/// `dtsx read`.
#[derive(Debug, Args)]
pub struct ReadArgs {
    /// The package
    pub package: PathBuf,
    /// The name of the DataReader destination
    pub destination: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a group of options")]
    pub settings: Settings,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a group of options")]
    pub resources: Resources,
    /// csv; json, one object a row and line; arrow, an IPC stream
    #[arg(long, value_enum, default_value_t)]
    pub format: ReadFormat,
}

/// How rows are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum ReadFormat {
    /// With a header line; NULL is an empty field, an empty string is "".
    #[default]
    Csv,
    /// One object a line.
    Json,
    /// An Arrow IPC stream.
    Arrow,
}

/// `dtsx save`.
#[derive(Debug, Args)]
pub struct SaveArgs {
    /// The package to read
    pub input: PathBuf,
    /// The file to write
    pub output: PathBuf,
    /// Upgrade to this package format (8: SQL Server 2014 and later)
    #[arg(long, value_name = "VERSION")]
    pub format_version: Option<u32>,
    /// Password of an encrypted package
    #[arg(long, value_name = "PASSWORD")]
    pub password: Option<String>,
}

/// `dtsx eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// The expression, such as `UPPER([Name]) + @[User::Suffix]`; or an assignment, `@[User::I] = @[User::I] + 1`, of which
    /// is said what the variable gets
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    pub expression: String,
    /// A variable: User::X=abc is a String, User::X:Int32=5 has the type said; X is short for User::X; types are those of
    /// packages (Int32, Double, Boolean, DateTime …)
    #[arg(long, value_name = "NAME[:TYPE]=VALUE", value_parser = variable)]
    pub var: Vec<NamedValue>,
    /// A column: Name:DT_WSTR(20)=Ann, Price:numeric(10,2)=19.90; named as an expression names it, also
    /// `[Source].[Price]`, `#12` and `#{Package\Task\Source.Outputs[Out].Columns[Price]}`; without =VALUE it is NULL, with
    /// the = alone an empty text; DT_BYTES and DT_IMAGE in hexadecimal digits
    #[arg(long, value_name = "NAME:TYPE[=VALUE]", value_parser = column)]
    pub column: Vec<NamedValue>,
    /// Locale of texts, by its Windows LCID
    #[arg(long, value_name = "LCID", default_value_t = 1033)]
    pub locale: u32,
    /// text for people, json one object
    #[arg(long, value_enum, default_value_t)]
    pub format: ReportFormat,
}

/// A name with a type and a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedValue {
    /// The name.
    pub name: String,
    /// Its type, as written.
    pub data_type: String,
    /// Its value, as written; None: NULL.
    pub value: Option<String>,
}

/// `dtsx functions`.
#[derive(Debug, Args)]
pub struct FunctionsArgs {
    /// The function [default: all]
    pub name: Option<String>,
    /// text for people, json one object a function and line
    #[arg(long, value_enum, default_value_t)]
    pub format: ReportFormat,
}

/// All of `dtsx`: arguments (the program's name first) to exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version are no errors and go to standard output; there is nobody to tell if that fails.
            let _ = e.print();
            return if e.use_stderr() { ExitCode::Usage } else { ExitCode::Success };
        }
    };
    let mut out = Out::new();
    let result = match &cli.command {
        Command::Run(args) => run::run(args, &mut out),
        Command::Check(args) => check::run(args, &mut out),
        Command::Connections(args) => connections::run(args, &mut out),
        Command::Explain(args) => explain::run(args, &mut out),
        Command::Read(args) => read::run(args, &mut out),
        Command::Save(args) => save::run(args),
        Command::Eval(args) => eval::run(args, &mut out),
        Command::Functions(args) => functions::run(args, &mut out),
    };
    let result = result.and_then(|code| out.finish().map(|()| code).map_err(Failure::from));
    result.unwrap_or_else(|failure| complain(&failure))
}

/// `NAME=VALUE`, cut at the first `=` outside brackets, as names in brackets may have one.
fn assignment(text: &str) -> Result<(String, String), String> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '=' if depth == 0 && at > 0 => return Ok((text[..at].to_owned(), text[at + 1..].to_owned())),
            _ => {}
        }
    }
    // Brackets that do not match: the first `=` after all.
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// `User::X:Int32=5`, `@[User::X]=abc`. Without a type it is a String.
fn variable(text: &str) -> Result<NamedValue, String> {
    let (left, value) = assignment(text).map_err(|_| "expected NAME=VALUE or NAME:TYPE=VALUE".to_owned())?;
    // A single colon after the last double one is that of the type.
    let namespace = left.rfind("::").map_or(0, |at| at + 2);
    let (name, data_type) = match left[namespace..].find(':') {
        Some(at) => (&left[..namespace + at], &left[namespace + at + 1..]),
        None => (left.as_str(), "String"),
    };
    let name = name.strip_prefix('@').unwrap_or(name);
    let name = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    if name.is_empty() || name.ends_with("::") {
        return Err("expected a name before the type or value: NAME=VALUE or NAME:TYPE=VALUE".to_owned());
    }
    Ok(NamedValue { name: name.to_owned(), data_type: data_type.to_owned(), value: Some(value) })
}

/// `Name:DT_WSTR(20)=Ann`, `[My Name]:i4`, `#{Package\…}:DT_I4`. The type begins after the first colon outside brackets.
fn column(text: &str) -> Result<NamedValue, String> {
    let expected = "expected NAME:TYPE=VALUE, as in Name:DT_WSTR(20)=Ann; without =VALUE it is NULL";
    let at = name_end(text).filter(|at| text[*at..].starts_with(':')).ok_or(expected)?;
    let (name, rest) = (&text[..at], &text[at + 1..]);
    let (data_type, value) = match rest.split_once('=') {
        Some((data_type, value)) => (data_type, Some(value.to_owned())),
        None => (rest, None),
    };
    if name.is_empty() {
        return Err(expected.to_owned());
    }
    Ok(NamedValue { name: name.to_owned(), data_type: data_type.to_owned(), value })
}

/// Where the name of a column ends: a path, as an expression reads it, or what stands before the first `:` or `=` outside
/// brackets.
fn name_end(text: &str) -> Option<usize> {
    if text.starts_with("#{") {
        return text.find("]}").map(|at| at + 2).or_else(|| text.find('}').map(|at| at + 1));
    }
    let mut depth = 0usize;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ':' | '=' if depth == 0 => return Some(at),
            _ => {}
        }
        None
    })
}

/// `TASK PATH;Paths[component.output]=FILE`.
fn tap(text: &str) -> Result<Tap, String> {
    let parse = || {
        let start = text.find(";Paths[").or_else(|| text.find(";paths["))?;
        let (task, rest) = (&text[..start], &text[start + 1..]);
        let end = rest.find("]=")?;
        let file = &rest[end + 2..];
        (!task.is_empty() && !file.is_empty()).then(|| Tap {
            task: task.to_owned(),
            path_id: rest[..=end].to_owned(),
            file: file.into(),
        })
    };
    parse().ok_or_else(|| r"expected \Package\Task;Paths[component.output]=FILE".to_owned())
}

/// A number of bytes with an optional unit: `1500`, `512M`, `1.5GiB`. Units are powers of 1024.
fn size(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let shift = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(format!("unknown unit \"{unit}\": use K, M, G, T")),
    };
    let number: f64 = number.parse().map_err(|_| "expected a number of bytes such as 512M".to_owned())?;
    let bytes = number * (1u64 << shift) as f64;
    if bytes < 1.0 || bytes > usize::MAX as f64 {
        return Err("out of range".to_owned());
    }
    Ok(bytes as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_argument_table_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn assignments_are_cut_outside_brackets() {
        for (text, name, value) in [
            ("Source=/in/a.csv", "Source", "/in/a.csv"),
            ("Db=Driver=SQLite3;Database=x", "Db", "Driver=SQLite3;Database=x"),
            (r"\Package.Variables[User::a=b].Value=1=2", r"\Package.Variables[User::a=b].Value", "1=2"),
            ("odd[name=v", "odd[name", "v"),
            ("Empty=", "Empty", ""),
        ] {
            assert_eq!(assignment(text), Ok((name.to_owned(), value.to_owned())), "{text}");
        }
        for text in ["", "=x", "name"] {
            assert!(assignment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn taps_name_task_path_and_file() {
        let parsed = tap(r"\Package\A=B;C;Paths[Multicast.Output 1]=/tmp/a=b.csv").unwrap();
        assert_eq!(parsed.task, r"\Package\A=B;C");
        assert_eq!(parsed.path_id, "Paths[Multicast.Output 1]");
        assert_eq!(parsed.file, PathBuf::from("/tmp/a=b.csv"));
        for text in ["", "x=y", r"\Package\T;Paths[a.b]", r"\Package\T;Paths[a.b]=", ";Paths[a.b]=f"] {
            assert!(tap(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_have_a_name_a_type_and_perhaps_a_value() {
        let named = |name: &str, data_type: &str, value: Option<&str>| {
            Ok(NamedValue { name: name.into(), data_type: data_type.into(), value: value.map(str::to_owned) })
        };
        for (text, expected) in [
            ("User::X=a=b", named("User::X", "String", Some("a=b"))),
            ("User::X:Int32=5", named("User::X", "Int32", Some("5"))),
            ("X:DateTime=2024-01-31 10:00", named("X", "DateTime", Some("2024-01-31 10:00"))),
            ("@[$Package::P]=", named("$Package::P", "String", Some(""))),
        ] {
            assert_eq!(variable(text), expected, "{text}");
        }
        for (text, expected) in [
            ("Name:DT_WSTR(20)=Ann", named("Name", "DT_WSTR(20)", Some("Ann"))),
            ("[My: Name]:dt_numeric(10,2)=-1.5", named("[My: Name]", "dt_numeric(10,2)", Some("-1.5"))),
            ("Name:DT_I4", named("Name", "DT_I4", None)),
            ("Name:DT_WSTR(5)=", named("Name", "DT_WSTR(5)", Some(""))),
            ("c:i4=5", named("c", "i4", Some("5"))),
            ("[Src].[c:1=2]:DT_I4=a:b=c", named("[Src].[c:1=2]", "DT_I4", Some("a:b=c"))),
            (
                r"#{P\T:1\S.Outputs[O].Columns[C]}:DT_I4=1",
                named(r"#{P\T:1\S.Outputs[O].Columns[C]}", "DT_I4", Some("1")),
            ),
        ] {
            assert_eq!(column(text), expected, "{text}");
        }
        for text in ["", "User::X", "=5", ":Int32=5", "User::=5", "@[]=5"] {
            assert!(variable(text).is_err(), "{text}");
        }
        for text in ["", "Name=5", "Name=a:DT_I4", ":DT_I4=5", "#{P=5", "[Name"] {
            assert!(column(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("1500", 1500), ("4k", 4096), ("512M", 512 << 20), ("1.5GiB", 3 << 29), ("2 GB", 2 << 30)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "-1", "5 parsecs", "0"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
