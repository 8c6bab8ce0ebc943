//! One connection of the peer.

mod bulk;

use super::sql::{self, Known, Token};
use super::types::{COLLATION, Type};
use super::wire::{self, Answer, Bytes, Message};
use super::{PASSWORD, Shared};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::collections::HashMap;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A failure in SQL Server's words: number, class, text.
struct Complaint(i32, u8, String);

/// Why a request ends early.
enum Stop {
    Refused(Complaint),
    /// The client wants nothing more of it.
    Attention,
    Gone,
}

type Served = Result<(), Stop>;

impl From<std::io::Error> for Stop {
    fn from(_: std::io::Error) -> Stop {
        Stop::Gone
    }
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Stop {
        Stop::Refused(complaint(&error.to_string()))
    }
}

fn refused<T>(number: i32, class: u8, text: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Refused(Complaint(number, class, text.into())))
}

/// What SQLite says, as SQL Server would.
fn complaint(said: &str) -> Complaint {
    let behind = |words: &str| said.split_once(words).map(|(_, rest)| rest.trim().to_owned());
    let column = |rest: &str| rest.split('.').next_back().unwrap_or(rest).to_owned();
    let table = |rest: &str| rest.split('.').next().unwrap_or(rest).to_owned();
    if let Some(rest) = behind("UNIQUE constraint failed:") {
        let t = table(&rest);
        return Complaint(
            2627,
            14,
            format!("Violation of PRIMARY KEY constraint 'PK_{t}'. Cannot insert duplicate key in object 'dbo.{t}'."),
        );
    }
    if let Some(rest) = behind("NOT NULL constraint failed:") {
        let (c, t) = (column(&rest), table(&rest));
        return Complaint(
            515,
            16,
            format!(
                "Cannot insert the value NULL into column '{c}', table 'peer.dbo.{t}'; column does not allow nulls. \
                 INSERT fails."
            ),
        );
    }
    if let Some(rest) = behind("CHECK constraint failed: long ") {
        return Complaint(2628, 16, format!("String or binary data would be truncated in column '{rest}'."));
    }
    if behind("CHECK constraint failed: range ").is_some() {
        return Complaint(8115, 16, "Arithmetic overflow error converting expression to data type numeric.".to_owned());
    }
    if let Some(rest) = behind("CHECK constraint failed:") {
        return Complaint(547, 16, format!("The INSERT statement conflicted with the CHECK constraint \"{rest}\"."));
    }
    if said.contains("FOREIGN KEY constraint failed") {
        return Complaint(
            547,
            16,
            "The INSERT statement conflicted with the FOREIGN KEY constraint \"FK\".".to_owned(),
        );
    }
    if let Some(rest) = behind("no such table:") {
        return Complaint(208, 16, format!("Invalid object name '{}'.", rest.split(" in ").next().unwrap_or("")));
    }
    if let Some(rest) = behind("no such column:").or_else(|| behind("has no column named")) {
        return Complaint(207, 16, format!("Invalid column name '{}'.", rest.split(" in ").next().unwrap_or("")));
    }
    if said.contains("already exists") {
        return Complaint(2714, 16, format!("There is already an object of that name in the database ({said})."));
    }
    if said.contains("locked") {
        return Complaint(1222, 16, "Lock request time out period exceeded.".to_owned());
    }
    if said.contains("syntax error") || said.contains("incomplete input") {
        return Complaint(102, 15, format!("Incorrect syntax: {said}"));
    }
    Complaint(50_000, 16, said.to_owned())
}

pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    connection.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = off; pragma foreign_keys = on;
         create table if not exists peer_identities(t text, c text)",
    )?;
    Ok(connection)
}

/// Keeps which columns of a CREATE TABLE the server makes the values of.
pub fn note_identities(connection: &Connection, statement: &[Token]) {
    if !statement.first().is_some_and(|t| t.is("create")) {
        return;
    }
    let (table, _) = sql::table(statement, 2);
    for at in statement.iter().enumerate().filter(|(_, t)| t.is("identity")).map(|(at, _)| at) {
        let column = statement[at - 2].name();
        connection.execute("insert into peer_identities values (?, ?)", [&table, &column]).unwrap();
    }
}

struct Serving<'s> {
    shared: &'s Shared,
    connection: Connection,
    answer: Answer,
    /// Attentions that came, and those that were answered.
    asked: Arc<AtomicUsize>,
    answered: usize,
    transactions: u32,
    transaction: u64,
    rows: u64,
    format_only: bool,
    prepared: HashMap<i32, (String, String)>,
    /// What SET made of parameters.
    variables: Vec<(String, Value)>,
    /// The table and the columns that rows are to come for.
    bulk: Option<(String, Vec<String>)>,
}

/// Serves a client until one of the two goes.
pub fn serve(stream: TcpStream, shared: &Shared) {
    let asked = Arc::new(AtomicUsize::new(0));
    let (sender, messages) = channel();
    let mut reading = stream.try_clone().unwrap();
    let heard = asked.clone();
    std::thread::spawn(move || {
        while let Ok(message) = wire::receive(&mut reading) {
            if message.kind == wire::ATTENTION {
                heard.fetch_add(1, Ordering::SeqCst);
            }
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    let mut serving = Serving {
        shared,
        connection: open(&shared.path).unwrap(),
        answer: Answer::new(stream),
        asked,
        answered: 0,
        transactions: 0,
        transaction: 0,
        rows: 0,
        format_only: false,
        prepared: HashMap::new(),
        variables: Vec::new(),
        bulk: None,
    };
    let _ = serving.run(&messages);
}

impl Serving<'_> {
    fn run(&mut self, messages: &Receiver<Message>) -> std::io::Result<()> {
        for message in messages {
            if message.reset {
                self.reset();
            }
            let served = match message.kind {
                wire::PRELOGIN => {
                    self.answer.before_login(wire::NOT_ENCRYPTED)?;
                    continue;
                }
                wire::ATTENTION => {
                    self.answered += 1;
                    self.answer.done(0xFD, wire::ATTENDED, 0, 0);
                    self.answer.end()?;
                    continue;
                }
                _ if message.ignored => {
                    self.answer.done(0xFD, 0, 0, 0);
                    self.answer.end()?;
                    continue;
                }
                wire::LOGIN => self.login(&message.body),
                wire::SQL_BATCH => {
                    let mut bytes = Bytes(&message.body);
                    bytes.headers();
                    let text = wire::utf16(bytes.0);
                    self.batch(&text, &[], false)
                }
                wire::RPC => self.call(&message.body),
                wire::TRANSACTION => self.transaction(&message.body),
                wire::BULK => self.load(&message.body),
                other => refused(50_000, 16, format!("the peer knows no message of kind {other}")),
            };
            match served {
                Ok(()) => {}
                Err(Stop::Refused(Complaint(number, class, text))) => {
                    self.answer.says(number, class, &text);
                    if (11..=16).contains(&class) && number != 18_456 {
                        self.answer.says(3621, 0, "The statement has been terminated.");
                    }
                    self.answer.done(0xFD, wire::ERROR, 0, 0);
                    if number == 18_456 {
                        return self.answer.end();
                    }
                }
                // The attention itself is the next message; what is there so far goes with its answer.
                Err(Stop::Attention) => continue,
                Err(Stop::Gone) => return Ok(()),
            }
            self.answer.end()?;
        }
        Ok(())
    }

    fn reset(&mut self) {
        let _ = self.connection.execute_batch("rollback");
        (self.transactions, self.format_only, self.bulk) = (0, false, None);
        self.prepared.clear();
        self.answer.changed_bytes(18, &[], &[]);
    }

    fn attended(&self) -> Served {
        if self.asked.load(Ordering::SeqCst) > self.answered { Err(Stop::Attention) } else { Ok(()) }
    }

    fn login(&mut self, message: &[u8]) -> Served {
        let login = wire::login(message);
        self.shared.logins.lock().unwrap().push(login.clone());
        let [user, password, _, _, database] = login;
        if password != PASSWORD {
            return refused(18_456, 14, format!("Login failed for user '{user}'."));
        }
        if !database.is_empty() && database != "peer" {
            self.answer.says(
                4060,
                11,
                &format!("Cannot open database \"{database}\" requested by the login. The login failed."),
            );
            return refused(18_456, 14, format!("Login failed for user '{user}'."));
        }
        self.answer.changed(1, "peer", "master");
        self.answer.says(5701, 10, "Changed database context to 'peer'.");
        self.answer.changed_bytes(7, &COLLATION, &[]);
        self.answer.changed(2, "us_english", "");
        self.answer.logged_in();
        self.answer.changed(4, "4096", "4096");
        self.answer.done(0xFD, 0, 0, 0);
        Ok(())
    }

    /// Statements, with the values of their parameters; `within` a procedure.
    fn batch(&mut self, text: &str, params: &[(String, Value)], within: bool) -> Served {
        self.shared.heard.lock().unwrap().push(text.to_owned());
        let done = if within { 0xFF } else { 0xFD };
        if text.contains("sp_tablecollations_100") {
            return self.table_for_bulk(text);
        }
        let statements = sql::statements(text);
        if statements.is_empty() {
            self.answer.done(done, u16::from(within) * wire::MORE, 0, 0);
        }
        for (at, statement) in statements.iter().enumerate() {
            self.attended()?;
            let more = if within || at + 1 < statements.len() { wire::MORE } else { 0 };
            let (command, count) = self.statement(statement, params)?;
            let counted = if count.is_some() { wire::COUNT } else { 0 };
            self.rows = count.unwrap_or(0);
            self.answer.done(done, more | counted, command, self.rows);
            self.answer.flow()?;
        }
        Ok(())
    }

    /// Runs a statement: its command, and rows that it touched.
    fn statement(&mut self, tokens: &[Token], params: &[(String, Value)]) -> Result<(u16, Option<u64>), Stop> {
        let word = |at: usize| tokens.get(at).map(|t| t.text.to_ascii_lowercase()).unwrap_or_default();
        let (first, second) = (word(0), word(1));
        match (first.as_str(), second.as_str()) {
            ("set", "fmtonly") => {
                self.format_only = word(2) == "on";
                return Ok((0, None));
            }
            ("set", name) if name.starts_with('@') => {
                let known = Known { transactions: self.transactions, rows: self.rows, identity: 0 };
                let (expression, _) = sql::translated(&tokens[3..], &known);
                let mut prepared = self.connection.prepare(&format!("select {expression}"))?;
                for (name, value) in params {
                    if let Some(at) = prepared.parameter_index(name)? {
                        prepared.raw_bind_parameter(at, value)?;
                    }
                }
                let value = prepared.raw_query().next()?.map(|row| row.get(0)).transpose()?.unwrap_or(Value::Null);
                self.variables.push((name.to_owned(), value));
                return Ok((0, None));
            }
            ("set" | "if" | "use" | "declare", _) => return Ok((0, None)),
            ("begin", "tran" | "transaction") => return self.begin().map(|()| (0, None)),
            ("commit", _) => return self.commit().map(|()| (0, None)),
            ("rollback", _) => return self.rollback(tokens.get(2).map(Token::name)).map(|()| (0, None)),
            ("save", _) => return self.save(&tokens[2].name()).map(|()| (0, None)),
            ("print", _) => {
                self.answer.says(0, 0, &tokens[1].name());
                return Ok((0, None));
            }
            ("raiserror", _) => {
                let number = |at: usize| word(at).parse().unwrap_or(16);
                return refused(50_000, number(4), tokens[2].name());
            }
            ("waitfor", _) => {
                let text = tokens[2].name();
                let seconds = text.split(':').fold(0.0, |all, n| all * 60.0 + n.parse::<f64>().unwrap_or(0.0));
                let until = Instant::now() + Duration::from_secs_f64(seconds);
                while Instant::now() < until {
                    self.attended()?;
                    std::thread::sleep(Duration::from_millis(5));
                }
                return Ok((0, None));
            }
            ("insert", "bulk") => {
                let (table, open) = sql::table(tokens, 2);
                self.columns_of(&table)?;
                let mut columns = Vec::new();
                let (mut depth, mut begins) = (0, false);
                for token in &tokens[open..=sql::closing(tokens, open)] {
                    match token.text.as_str() {
                        "(" => {
                            depth += 1;
                            begins = depth == 1;
                        }
                        ")" => depth -= 1,
                        "," if depth == 1 => begins = true,
                        _ if begins => {
                            columns.push(token.name());
                            begins = false;
                        }
                        _ => {}
                    }
                }
                self.bulk = Some((table, columns));
                return Ok((0, None));
            }
            _ => {}
        }
        let text = sql::text(tokens);
        if text.contains("dm_exec_describe_first_result_set") {
            return self.describe(params);
        }
        if text.contains("sys.triggers") {
            return self.triggers(tokens);
        }
        if text.contains("sys.default_constraints") {
            return self.defaults(tokens);
        }
        let identity = self.connection.last_insert_rowid();
        let known = Known { transactions: self.transactions, rows: self.rows, identity };
        let (translated, casts) = sql::translated(tokens, &known);
        let command = match first.as_str() {
            "select" | "with" => 0xC1,
            "insert" => 0xC3,
            "delete" | "truncate" => 0xC4,
            "update" => 0xC5,
            _ => 0,
        };
        let from = tokens.iter().position(|t| t.is("from")).map(|at| sql::table(tokens, at + 1).0);
        let described = match from.filter(|_| command == 0xC1) {
            Some(table) => self.columns_of(&table).unwrap_or_default(),
            None => Vec::new(),
        };
        let mut prepared = self.connection.prepare(&translated)?;
        for (name, value) in params {
            if let Some(at) = prepared.parameter_index(name)? {
                prepared.raw_bind_parameter(at, value)?;
            }
        }
        if prepared.column_count() == 0 {
            if self.format_only {
                return Ok((command, None));
            }
            let rows = prepared.raw_execute()?;
            drop(prepared);
            note_identities(&self.connection, tokens);
            return Ok((command, (command != 0).then_some(rows as u64)));
        }
        let names: Vec<String> = prepared.column_names().map(str::to_owned).collect();
        let declared: Vec<Option<Type>> = prepared.columns().map(|c| c.decl_type().and_then(Type::parse)).collect();
        let mut rows = prepared.raw_query();
        let mut row = if self.format_only { None } else { rows.next()? };
        let mut columns = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let first = row.map(|r| r.get::<_, Value>(at)).transpose()?.unwrap_or(Value::Null);
            let kind = declared[at].or_else(|| casts.get(at).copied().flatten()).unwrap_or_else(|| Type::of(&first));
            let place = described.iter().find(|c| c.name == *name);
            let flags = place.map_or(9, |c| u16::from(c.nullable) | 8 | u16::from(c.identity) << 4);
            columns.push((shown(name, place.is_some()), kind, flags));
        }
        self.answer.out.extend(head(&columns));
        let mut count = 0;
        while let Some(here) = row {
            count += 1;
            self.answer.out.push(0xD1);
            for (at, (_, kind, _)) in columns.iter().enumerate() {
                kind.write(&here.get(at)?, &mut self.answer.out);
            }
            self.answer.flow()?;
            if self.asked.load(Ordering::SeqCst) > self.answered {
                return Err(Stop::Attention);
            }
            row = rows.next()?;
        }
        Ok((command, Some(count)))
    }

    /// The columns of the query that the first parameter holds.
    fn describe(&mut self, params: &[(String, Value)]) -> Result<(u16, Option<u64>), Stop> {
        let Some((_, Value::Text(query))) = params.first() else {
            return refused(50_000, 16, "what is to be described?");
        };
        let columns: Vec<(String, Type, u16)> = ["name", "is_nullable", "type", "length", "precision", "scale", "page"]
            .into_iter()
            .chain(["is_identity_column", "is_computed_column", "error_number"])
            .map(|name| match name {
                "name" => (name.to_owned(), Type::Wide(false, 128), 9),
                _ if name.starts_with("is_") => (name.to_owned(), Type::Bit, 9),
                _ => (name.to_owned(), Type::Int(4), 9),
            })
            .collect();
        let rows = self.described(query).unwrap_or_else(|_| {
            let mut row = vec![Value::Null; 10];
            row[9] = Value::Integer(208);
            vec![row]
        });
        self.answer.out.extend(head(&columns));
        for row in &rows {
            self.answer.out.push(0xD1);
            columns.iter().zip(row).for_each(|((_, kind, _), value)| kind.write(value, &mut self.answer.out));
        }
        Ok((0xC1, Some(rows.len() as u64)))
    }

    fn described(&self, query: &str) -> Result<Vec<Vec<Value>>, Stop> {
        let tokens = sql::statements(query).into_iter().next().unwrap_or_default();
        let known = Known { transactions: self.transactions, rows: 0, identity: 0 };
        let (translated, casts) = sql::translated(&tokens, &known);
        let prepared = self.connection.prepare(&translated)?;
        let from = tokens.iter().position(|t| t.is("from")).map(|at| sql::table(&tokens, at + 1).0);
        let there = from.map_or(Ok(Vec::new()), |table| self.columns_of(&table))?;
        let number = |n: i64| Value::Integer(n);
        let of = |(at, column): (usize, rusqlite::Column<'_>)| {
            let place = there.iter().find(|c| c.name == column.name());
            let declared = column.decl_type().and_then(Type::parse).or_else(|| casts.get(at).copied().flatten());
            let [kind, length, precision, scale] = declared.unwrap_or(Type::Int(4)).catalogued();
            let flag = |set: bool| number(i64::from(set));
            vec![
                Value::Text(shown(column.name(), place.is_some())),
                flag(place.is_none_or(|c| c.nullable)),
                number(kind),
                number(length),
                number(precision),
                number(scale),
                number(1252),
                flag(place.is_some_and(|c| c.identity)),
                flag(false),
                Value::Null,
            ]
        };
        Ok(prepared.columns().enumerate().map(of).collect())
    }

    /// Rows of a result of texts.
    fn texts(&mut self, names: &[&str], rows: &[Vec<Value>]) -> Result<(u16, Option<u64>), Stop> {
        let columns: Vec<_> = names.iter().map(|n| ((*n).to_owned(), Type::Wide(false, 4000), 9)).collect();
        self.answer.out.extend(head(&columns));
        for row in rows {
            self.answer.out.push(0xD1);
            row.iter().for_each(|value| Type::Wide(false, 4000).write(value, &mut self.answer.out));
        }
        Ok((0xC1, Some(rows.len() as u64)))
    }

    /// The triggers of the table in `OBJECT_ID(N'…')`.
    fn triggers(&mut self, tokens: &[Token]) -> Result<(u16, Option<u64>), Stop> {
        let rows: Vec<Vec<Value>> = {
            let sql = "select name from sqlite_master where type = 'trigger' and tbl_name = ? collate nocase";
            let mut found = self.connection.prepare(sql)?;
            found.query_map([object(tokens)], |row| Ok(vec![row.get(0)?]))?.collect::<Result<_, _>>()?
        };
        self.texts(&["name"], &rows)
    }

    /// What the server fills in for columns of the table in `OBJECT_ID(N'…')`.
    fn defaults(&mut self, tokens: &[Token]) -> Result<(u16, Option<u64>), Stop> {
        let table = object(tokens);
        let found = self.columns_of(&table).unwrap_or_default();
        let text = |text: &str| Value::Text(text.to_owned());
        let rows: Vec<Vec<Value>> = found
            .iter()
            .filter_map(|c| Some(vec![text(&c.name), text(&format!("({})", c.default.as_ref()?))]))
            .collect();
        self.texts(&["name", "definition"], &rows)
    }

    fn columns_of(&self, table: &str) -> Result<Vec<ColumnOf>, Stop> {
        let mut prepared =
            self.connection.prepare("select name, type, \"notnull\", dflt_value, pk from pragma_table_info(?)")?;
        let identities: Vec<String> = {
            let mut found = self.connection.prepare("select c from peer_identities where t = ? collate nocase")?;
            found.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        let found = prepared.query_map([table], |row| {
            let name: String = row.get(0)?;
            let nullable = row.get::<_, i64>(2)? == 0 && row.get::<_, i64>(4)? == 0;
            let identity = identities.contains(&name);
            let kind = Type::parse(&row.get::<_, String>(1)?).unwrap_or(Type::Int(4));
            Ok(ColumnOf { name, kind, nullable, default: row.get(3)?, identity })
        })?;
        let found: Vec<ColumnOf> = found.collect::<Result<_, _>>()?;
        if found.is_empty() { refused(208, 16, format!("Invalid object name '{table}'.")) } else { Ok(found) }
    }

    /// Calls of procedures.
    fn call(&mut self, message: &[u8]) -> Served {
        let mut bytes = Bytes(message);
        bytes.headers();
        let name = match bytes.short() {
            0xFFFF => match bytes.short() {
                10 => "sp_executesql".to_owned(),
                11 => "sp_prepare".to_owned(),
                12 => "sp_execute".to_owned(),
                13 => "sp_prepexec".to_owned(),
                15 => "sp_unprepare".to_owned(),
                other => return refused(2812, 16, format!("the peer knows no procedure of number {other}")),
            },
            units => bytes.text(usize::from(units)),
        };
        bytes.short();
        let (mut params, mut kinds, mut comes_out) = (Vec::new(), Vec::new(), Vec::new());
        // Another call may follow, behind a mark; the tests' clients send one.
        while !bytes.0.is_empty() && !matches!(bytes.0[0], 0xFF | 0x80) {
            let units = usize::from(bytes.byte());
            let name = bytes.text(units);
            let status = bytes.byte();
            let kind = Type::described(&mut bytes, false);
            let value = kind.read(&mut bytes);
            comes_out.push(status & 1 != 0);
            kinds.push(kind);
            params.push((name, value));
        }
        let text = |at: usize| match params.get(at) {
            Some((_, Value::Text(text))) => text.clone(),
            _ => String::new(),
        };
        let number = |at: usize| match params.get(at) {
            Some((_, Value::Integer(n))) => *n as i32,
            _ => 0,
        };
        // Values take the names that were declared for them.
        let named = |declared: &str, from: usize| {
            let names = sql::declared(declared);
            let of = |(at, (name, value)): (usize, &(String, Value))| {
                let name = if name.is_empty() { names.get(at).cloned().unwrap_or_default() } else { name.clone() };
                (name, value.clone())
            };
            params.iter().skip(from).enumerate().map(of).collect::<Vec<_>>()
        };
        let (mut handle, mut outputs) = (None, Vec::new());
        self.variables.clear();
        let served = match name.to_ascii_lowercase().as_str() {
            "sp_executesql" => self.batch(&text(0), &named(&text(1), 2), true),
            "sp_prepare" | "sp_prepexec" => {
                let given = self.prepared.len() as i32 + 1;
                handle = Some(given);
                self.prepared.insert(given, (text(1), text(2)));
                match name.ends_with("exec") {
                    true => self.batch(&text(2), &named(&text(1), 3), true),
                    false => Ok(()),
                }
            }
            "sp_execute" => match self.prepared.get(&number(0)).cloned() {
                Some((declared, sql)) => self.batch(&sql, &named(&declared, 1), true),
                None => refused(8179, 16, format!("Could not find prepared statement with handle {}.", number(0))),
            },
            "sp_unprepare" => {
                self.prepared.remove(&number(0));
                Ok(())
            }
            other => refused(2812, 16, format!("Could not find stored procedure '{other}'.")),
        };
        match served {
            Err(Stop::Refused(Complaint(number, class, text))) => {
                self.answer.says(number, class, &text);
                self.answer.says(3621, 0, "The statement has been terminated.");
                self.answer.done(0xFF, wire::MORE | wire::ERROR, 0, 0);
                // The handle is given nevertheless.
                self.returned(handle);
                self.answer.out.push(0x79);
                self.answer.out.extend_from_slice(&number.to_le_bytes());
                self.answer.done(0xFE, wire::ERROR, 0, 0);
                return Ok(());
            }
            other => other?,
        }
        if name.eq_ignore_ascii_case("sp_executesql") {
            for (at, (name, value)) in named(&text(1), 2).into_iter().enumerate().filter(|(at, _)| comes_out[at + 2]) {
                let set = self.variables.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(&name));
                outputs.push((name.clone(), kinds[at + 2], set.map_or(value, |(_, value)| value.clone())));
            }
        }
        for (name, kind, value) in outputs {
            let out = &mut self.answer.out;
            out.extend_from_slice(&[0xAC, 0, 0]);
            wire::short_text(out, &name);
            out.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0]);
            kind.describe(out);
            kind.write(&value, out);
        }
        self.returned(handle);
        self.answer.out.extend_from_slice(&[0x79, 0, 0, 0, 0]);
        self.answer.done(0xFE, 0, 0, 0);
        Ok(())
    }

    /// The handle of a statement, as the value of the first parameter.
    fn returned(&mut self, handle: Option<i32>) {
        let Some(handle) = handle else { return };
        let out = &mut self.answer.out;
        out.extend_from_slice(&[0xAC, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        Type::Int(4).describe(out);
        Type::Int(4).write(&Value::Integer(handle.into()), out);
    }

    fn begin(&mut self) -> Served {
        if self.transactions == 0 {
            self.connection.execute_batch("begin")?;
            self.transaction += 1;
            self.answer.changed_bytes(8, &self.transaction.to_le_bytes(), &[]);
        }
        self.transactions += 1;
        Ok(())
    }

    fn commit(&mut self) -> Served {
        match self.transactions {
            0 => return refused(3902, 16, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION."),
            1 => {
                self.connection.execute_batch("commit")?;
                self.answer.changed_bytes(9, &[], &self.transaction.to_le_bytes());
            }
            _ => {}
        }
        self.transactions -= 1;
        Ok(())
    }

    fn rollback(&mut self, savepoint: Option<String>) -> Served {
        if self.transactions == 0 {
            return refused(3903, 16, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.");
        }
        if let Some(name) = savepoint.filter(|n| !n.is_empty()) {
            return match self.connection.execute_batch(&format!("rollback to \"{name}\"")) {
                Ok(()) => Ok(()),
                Err(_) => refused(
                    6401,
                    16,
                    format!("Cannot roll back {name}. No transaction or savepoint of that name was found."),
                ),
            };
        }
        self.connection.execute_batch("rollback")?;
        self.transactions = 0;
        self.answer.changed_bytes(10, &[], &self.transaction.to_le_bytes());
        Ok(())
    }

    fn save(&mut self, name: &str) -> Served {
        if self.transactions == 0 {
            return refused(628, 16, "Cannot issue SAVE TRANSACTION when there is no active transaction.");
        }
        Ok(self.connection.execute_batch(&format!("savepoint \"{name}\""))?)
    }

    /// Requests of the transaction manager.
    fn transaction(&mut self, message: &[u8]) -> Served {
        let mut bytes = Bytes(message);
        bytes.headers();
        let kind = bytes.short();
        let name = |bytes: &mut Bytes<'_>| {
            let length = usize::from(bytes.byte());
            bytes.text(length / 2)
        };
        match kind {
            5 => self.begin()?,
            7 => self.commit()?,
            8 => {
                let name = name(&mut bytes);
                self.rollback(Some(name))?;
            }
            9 => {
                let name = name(&mut bytes);
                self.save(&name)?;
            }
            other => return refused(50_000, 16, format!("the peer knows no request {other} of transactions")),
        }
        self.answer.done(0xFD, 0, 0, 0);
        Ok(())
    }
}

#[derive(Clone)]
struct ColumnOf {
    name: String,
    kind: Type,
    nullable: bool,
    default: Option<String>,
    identity: bool,
}

/// The name of a column; that of an expression is empty.
fn shown(name: &str, is_there: bool) -> String {
    if name.contains(['(', ' ', '\'', '@']) && !is_there { String::new() } else { name.to_owned() }
}

/// The table in `OBJECT_ID(N'…')`.
fn object(tokens: &[Token]) -> String {
    let at = tokens.windows(2).position(|w| w[0].is("object_id") && w[1].text == "(").unwrap_or(0);
    let named = tokens.get(at + 2).map(Token::name).unwrap_or_default();
    let parts = sql::statements(&named).into_iter().next().unwrap_or_default();
    sql::table(&parts, 0).0
}

/// COLMETADATA: names, types, flags.
fn head(columns: &[(String, Type, u16)]) -> Vec<u8> {
    let mut out = vec![0x81];
    out.extend_from_slice(&(columns.len() as u16).to_le_bytes());
    for (name, kind, flags) in columns {
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&flags.to_le_bytes());
        kind.describe(&mut out);
        wire::short_text(&mut out, name);
    }
    out
}
