//! The text form of a flow test: one component, its rows, and what must come out.
//!
//! ```text
//! # A comment.
//! [component]
//! kind = Microsoft.DataConvert
//! [input In]
//! id i4, amount wstr(10)
//! 1,12
//! 2,
//! [output Out]
//! [column Out.number i4]
//! SourceInputColumnLineageID = #{In.amount}
//! error = RedirectRow
//! [output Errors]
//! is_error = true
//! [expect Out]
//! id,number
//! 1,12
//! 2,
//! ```
//!
//! Rows are CSV as data taps write it: an empty field is NULL, `""` an empty text. Every input column is used read-only
//! unless `[use In.column]` says otherwise; `sort = -2` there makes it the second key of the input's order, descending; an output is synchronous to the first input unless it says `sync = none`.
//! Dispositions are FailComponent unless `error` or `truncation` says otherwise. An error output has ErrorCode and
//! ErrorColumn after the columns that it lists. Columns are referred to as `#{In.name}` and `#{Out.name}`; in what is
//! expected, ErrorCode may be hexadecimal and ErrorColumn a reference without `#{}`. Other sections: `[variables]` (`User::N i4 = 1`), `[fails]`
//! (code, row, column, value, message), `[refused]` and `[warns]` (a code and a part of the message, a line each),
//! `[input NAME fails]` (the source fails after its last row), `[expect OUT unordered]`, `[expect variables]`, and `[expect reader]`: what the client of a DataReader destination gets.
//!
//! Components that touch files find them in the folder `D:\T` of their own run: `[file NAME]` makes one of the lines that
//! follow (`[file NAME hex]`: of bytes; `[file NAME.db]`: an SQLite database, of statements), `[expect file NAME]` and `[expect file NAME hex]` say what must be in one
//! afterwards, `[expect no file NAME]` that there is none; `[expect query NAME.db SELECT …]` what rows a database holds then. `[connection NAME KIND]` gives the component a connection
//! manager with these properties. `[port NAME]` gives an input as a whole its dispositions. No file has empty lines, or
//! lines that begin with `#` or look like a section: those are written as bytes. `external = NAME` or `external = NAME type` maps a column to an external one (`param_flags`: its DBParamInfoFlags), `sort` and
//! `is_sorted` say an order. `[use In.column]` with `usage = none` leaves a column out of the component's input. `[cache NAME]`
//! is a Cache connection manager: properties, then columns with their places in the index (`code wstr(5) @1, name wstr(9)`),
//! and rows that a Cache Transform writes before the flow runs; with `[cache NAME empty]` none does. A variable of type `object` starts empty; `[expect rowset User::X]` is the rowset in it.

use dtsx_engine::flow::{Disposition, Dispositions};
use dtsx_engine::types::DataType;

/// A field of a row: None is NULL.
pub type Cell = Option<String>;

/// Names and values in order.
pub type Pairs = Vec<(String, String)>;

#[derive(Default, Debug)]
pub struct FlowTest {
    pub kind: String,
    pub properties: Pairs,
    pub variables: Vec<(String, DataType, String)>,
    pub inputs: Vec<Input>,
    pub outputs: Vec<Output>,
    pub expected: Vec<Expected>,
    pub expected_variables: Pairs,
    pub fails: Option<Pairs>,
    pub refused: Pairs,
    pub warns: Pairs,
    pub files: Vec<TestFile>,
    pub expected_files: Vec<TestFile>,
    /// Files that must not be there afterwards.
    pub absent_files: Vec<String>,
    pub connections: Vec<Connection>,
    pub caches: Vec<Cache>,
    /// Queries of databases afterwards: the file and the statement are the `output`.
    pub queries: Vec<Expected>,
}

/// A Cache connection manager, and what is in it.
#[derive(Default, Debug)]
pub struct Cache {
    pub name: String,
    /// Whether a Cache Transform writes the rows before the flow runs.
    pub filled: bool,
    pub properties: Pairs,
    /// Name, type, position in the index.
    pub columns: Vec<(String, DataType, u32)>,
    pub rows: Vec<Vec<Cell>>,
}

/// A file of a test, as text or as bytes.
#[derive(Default, Debug)]
pub struct TestFile {
    pub name: String,
    pub hex: bool,
    pub bytes: Vec<u8>,
}

impl TestFile {
    fn new(head: &str) -> TestFile {
        let (name, hex) = head.strip_suffix(" hex").map_or((head, false), |name| (name, true));
        TestFile { name: name.into(), hex, bytes: Vec::new() }
    }

    fn add(&mut self, line: &str) {
        if self.hex {
            let digits: Vec<u8> = line.bytes().filter(u8::is_ascii_hexdigit).collect();
            let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            self.bytes.extend(digits.chunks(2).map(byte));
        } else {
            self.bytes.extend_from_slice(line.as_bytes());
            self.bytes.push(b'\n');
        }
    }
}

/// A connection manager of the component.
#[derive(Default, Debug)]
pub struct Connection {
    pub name: String,
    pub kind: String,
    pub properties: Pairs,
}

#[derive(Default, Debug)]
pub struct Input {
    pub name: String,
    pub columns: Vec<(String, DataType)>,
    pub rows: Vec<Vec<Cell>>,
    pub uses: Vec<Column>,
    /// What `[port NAME]` says of the input as a whole.
    pub keys: Pairs,
    /// Whether the source fails after its last row.
    pub fails: bool,
}

#[derive(Default, Debug)]
pub struct Output {
    pub name: String,
    pub keys: Pairs,
    pub columns: Vec<Column>,
}

#[derive(Debug)]
pub struct Column {
    pub name: String,
    pub data_type: DataType,
    pub keys: Pairs,
}

impl Column {
    /// One of which nothing more is said.
    pub fn of((name, data_type): &(String, DataType)) -> Column {
        Column { name: name.clone(), data_type: *data_type, keys: Pairs::new() }
    }
}

#[derive(Default, Debug)]
pub struct Expected {
    pub output: String,
    pub unordered: bool,
    pub header: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

/// The value of a key.
pub fn key<'a>(keys: &'a Pairs, name: &str) -> Option<&'a str> {
    keys.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
}

/// The dispositions that keys say; FailComponent where they say nothing.
pub fn dispositions(keys: &Pairs) -> Dispositions {
    let named = |name| {
        let text = key(keys, name).unwrap_or("FailComponent");
        Disposition::from_name(text).unwrap_or_else(|| panic!("no disposition: {text}"))
    };
    Dispositions { error: named("error"), truncation: named("truncation") }
}

/// What a section's lines go into.
enum At {
    Nothing,
    Component,
    Input,
    Use,
    Cache,
    Port,
    Output,
    Column,
    Expected,
    Variables,
    ExpectedVariables,
    Fails,
    Refused,
    Warns,
    File,
    ExpectedFile,
    Connection,
    Query,
}

pub fn parse(text: &str) -> FlowTest {
    let mut test = FlowTest::default();
    let mut at = At::Nothing;
    for line in text.lines() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(head) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            at = section(head, &mut test);
            continue;
        }
        match at {
            At::Nothing => panic!("before the first section: {line}"),
            At::Component => {
                let (name, value) = pair(line);
                match name.as_str() {
                    "kind" => test.kind = value,
                    _ => test.properties.push((name, value)),
                }
            }
            At::Input => {
                let input = last(&mut test.inputs);
                if input.columns.is_empty() {
                    input.columns = split_outside(line).iter().map(|c| typed(c)).collect();
                } else {
                    input.rows.push(csv(line).remove(0));
                    assert_eq!(last(&mut input.rows).len(), input.columns.len(), "{line}");
                }
            }
            At::Cache => {
                let cache = last(&mut test.caches);
                if !cache.columns.is_empty() {
                    cache.rows.push(csv(line).remove(0));
                    assert_eq!(last(&mut cache.rows).len(), cache.columns.len(), "{line}");
                } else if line.contains('=') {
                    cache.properties.push(pair(line));
                } else {
                    cache.columns = split_outside(line).iter().map(|c| indexed(c)).collect();
                }
            }
            At::Use => last(&mut last(&mut test.inputs).uses).keys.push(pair(line)),
            At::Port => last(&mut test.inputs).keys.push(pair(line)),
            At::Output => last(&mut test.outputs).keys.push(pair(line)),
            At::Column => last(&mut last(&mut test.outputs).columns).keys.push(pair(line)),
            At::Expected | At::Query => {
                let expected = match at {
                    At::Query => last(&mut test.queries),
                    _ => last(&mut test.expected),
                };
                if expected.header.is_empty() {
                    expected.header = csv(line).remove(0).into_iter().map(Option::unwrap_or_default).collect();
                } else {
                    expected.rows.push(csv(line).remove(0));
                    assert_eq!(last(&mut expected.rows).len(), expected.header.len(), "{line}");
                }
            }
            At::Variables => {
                let (head, value) = match line.strip_suffix(" object") {
                    Some(name) => (format!("{name} null"), String::new()),
                    None => pair(line),
                };
                let (name, data_type) = typed(&head);
                test.variables.push((name, data_type, value));
            }
            At::ExpectedVariables => test.expected_variables.push(pair(line)),
            At::Fails => last_or_new(&mut test.fails).push(pair(line)),
            At::Refused => test.refused.push(code_and_text(line)),
            At::Warns => test.warns.push(code_and_text(line)),
            At::File => last(&mut test.files).add(line),
            At::ExpectedFile => last(&mut test.expected_files).add(line),
            At::Connection => last(&mut test.connections).properties.push(pair(line)),
        }
    }
    test
}

fn section(head: &str, test: &mut FlowTest) -> At {
    let (word, rest) = head.split_once(' ').unwrap_or((head, ""));
    let of_port = || rest.split_once('.').unwrap_or_else(|| panic!("[{head}]: no port"));
    match word {
        "component" => At::Component,
        "cache" => {
            let (name, filled) = rest.strip_suffix(" empty").map_or((rest, true), |name| (name, false));
            test.caches.push(Cache { name: name.into(), filled, ..Cache::default() });
            At::Cache
        }
        "input" => {
            let (name, fails) = rest.strip_suffix(" fails").map_or((rest, false), |name| (name, true));
            test.inputs.push(Input { name: name.into(), fails, ..Input::default() });
            At::Input
        }
        "use" => {
            let (port, name) = of_port();
            let input = test.inputs.iter_mut().find(|i| i.name == port).unwrap_or_else(|| panic!("[{head}]"));
            let data_type = input.columns.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("[{head}]")).1;
            assert!(std::ptr::eq(input, test.inputs.last().unwrap()), "[{head}] must follow its input");
            last(&mut test.inputs).uses.push(Column { name: name.into(), data_type, keys: Pairs::new() });
            At::Use
        }
        "port" => {
            assert_eq!(last(&mut test.inputs).name, rest, "[{head}] must follow its input");
            At::Port
        }
        "output" => {
            test.outputs.push(Output { name: rest.into(), ..Output::default() });
            At::Output
        }
        "column" => {
            let (port, column) = of_port();
            let (name, data_type) = typed(column);
            let output = last(&mut test.outputs);
            assert_eq!(output.name, port, "[{head}] must follow its output");
            output.columns.push(Column { name, data_type, keys: Pairs::new() });
            At::Column
        }
        "expect" if rest == "variables" => At::ExpectedVariables,
        "expect" if rest.starts_with("file ") => {
            test.expected_files.push(TestFile::new(&rest["file ".len()..]));
            At::ExpectedFile
        }
        "expect" if rest.starts_with("no file ") => {
            test.absent_files.push(rest["no file ".len()..].into());
            At::Nothing
        }
        "expect" if rest.starts_with("query ") => {
            test.queries.push(Expected { output: rest["query ".len()..].into(), ..Expected::default() });
            At::Query
        }
        "file" => {
            test.files.push(TestFile::new(rest));
            At::File
        }
        "connection" => {
            let (name, kind) = rest.rsplit_once(' ').unwrap_or_else(|| panic!("[{head}]: no kind"));
            test.connections.push(Connection { name: name.into(), kind: kind.into(), properties: Pairs::new() });
            At::Connection
        }
        "expect" => {
            let (output, unordered) = match rest.strip_suffix(" unordered") {
                Some(output) => (output, true),
                None => (rest, false),
            };
            test.expected.push(Expected { output: output.into(), unordered, ..Expected::default() });
            At::Expected
        }
        "variables" => At::Variables,
        "fails" => {
            test.fails = Some(Pairs::new());
            At::Fails
        }
        "refused" => At::Refused,
        "warns" => At::Warns,
        _ => panic!("no such section: [{head}]"),
    }
}

fn last<T>(items: &mut [T]) -> &mut T {
    items.last_mut().expect("a section that belongs to an earlier one")
}

fn last_or_new(pairs: &mut Option<Pairs>) -> &mut Pairs {
    pairs.get_or_insert_default()
}

fn pair(line: &str) -> (String, String) {
    let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("no `name = value`: {line}"));
    (name.trim().into(), value.trim().into())
}

fn code_and_text(line: &str) -> (String, String) {
    let (code, text) = line.split_once(' ').unwrap_or((line, ""));
    (code.into(), text.trim().into())
}

/// `amount numeric(10,2) @1`.
fn indexed(text: &str) -> (String, DataType, u32) {
    let (column, position) = text.rsplit_once('@').unwrap_or((text, "0"));
    let (name, data_type) = typed(column);
    (name, data_type, position.trim().parse().unwrap())
}

/// `amount numeric(10,2)`.
pub fn typed(text: &str) -> (String, DataType) {
    let (name, data_type) = text.trim().rsplit_once(' ').unwrap_or_else(|| panic!("no `name type`: {text}"));
    (name.trim().into(), data_type_of(data_type))
}

fn data_type_of(text: &str) -> DataType {
    let (name, rest) = text.split_once('(').unwrap_or((text, ""));
    let numbers: Vec<u32> = rest.trim_end_matches(')').split(',').filter_map(|n| n.trim().parse().ok()).collect();
    let number = |i: usize| numbers.get(i).copied().unwrap_or(0);
    let small = |i: usize| u8::try_from(number(i)).unwrap();
    let (length, precision, scale, code_page) = match name.to_ascii_lowercase().as_str() {
        "numeric" => (0, small(0), small(1), 0),
        "decimal" | "dbtime2" | "dbtimestamp2" | "dbtimestampoffset" => (0, 0, small(0), 0),
        "text" => (0, 0, 0, number(0)),
        _ => (number(0), 0, 0, number(1)),
    };
    DataType::from_name(name, length, precision, scale, code_page).unwrap_or_else(|| panic!("no type: {text}"))
}

/// Splits at commas that are not in parentheses.
fn split_outside(line: &str) -> Vec<String> {
    let mut depth = 0;
    let mut parts = vec![String::new()];
    for c in line.chars() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        match c {
            ',' if depth == 0 => parts.push(String::new()),
            c => last(&mut parts).push(c),
        }
    }
    parts
}

/// The rows of CSV text.
pub fn csv(text: &str) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut cell: Cell = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if cell.is_none() => {
                let mut quoted = String::new();
                while let Some(c) = chars.next() {
                    if c != '"' {
                        quoted.push(c);
                    } else if chars.next_if_eq(&'"').is_some() {
                        quoted.push('"');
                    } else {
                        break;
                    }
                }
                cell = Some(quoted);
            }
            ',' => row.push(cell.take()),
            '\n' => {
                row.push(cell.take());
                rows.push(std::mem::take(&mut row));
            }
            c => cell.get_or_insert_default().push(c),
        }
    }
    if !text.ends_with('\n') {
        row.push(cell);
        rows.push(row);
    }
    rows
}

#[test]
fn csv_tells_null_from_empty() {
    let cell = |text: &str| Some(text.to_owned());
    assert_eq!(csv("a,,\"\"\n\"x,\"\"y\",\n"), [vec![cell("a"), None, cell("")], vec![cell("x,\"y"), None]]);
    assert_eq!(csv(",b"), [vec![None, cell("b")]]);
}
