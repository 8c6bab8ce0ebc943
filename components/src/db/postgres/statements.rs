//! Statements: run at once, run for each row, or run for the rows that they yield.

use super::types::{self, Column, Form};
use super::{PostgresSession, binary, failure};
use crate::db::cells::{self, Cell, Cells};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::reading::Reading;
use crate::db::rows::{RowBlock, Rows};
use crate::db::session::{ColumnInfo, Cursor, Direction, Executed, Param, RowFailure, Session, StatementOptions};
use crate::db::table_name::TableName;
use bytes::{BufMut, BytesMut};
use dtsx_engine::types::{DataType, Value};
use postgres_protocol::IsNull;
use postgres_protocol::message::frontend;
use ring::rand::SecureRandom;
use std::io;
use std::sync::Arc;

/// Rows whose statements are sent before an answer is read.
const PIPELINE: usize = 256;
/// Rows of a block for which no memory is taken beforehand.
const FEW: usize = 16;

/// The names under which a session prepares statements. Behind somebody who deals out connections (PgBouncer), what is
/// prepared on one may be asked for on another: that must not know the name, so that it says so.
pub(super) struct Names {
    of: u64,
    last: u64,
    /// It was so once: nothing is prepared by name any more.
    dealt: bool,
}

impl Names {
    pub(super) fn new() -> Outcome<Names> {
        let mut of = [0; 8];
        let random = ring::rand::SystemRandom::new().fill(&mut of);
        random.map_err(|_| DbError::new(ErrorKind::Other, "the operating system gives no random numbers"))?;
        Ok(Names { of: u64::from_le_bytes(of), last: 0, dealt: false })
    }

    fn next(&mut self) -> Arc<str> {
        self.last += 1;
        format!("dtsx_{:016x}_{}", self.of, self.last).into()
    }
}

fn unsent(error: &io::Error) -> DbError {
    DbError::new(ErrorKind::Statement, format!("the statement cannot be sent: {error}"))
}

/// A value in the text form that the server reads as whatever type stands in the place; None: NULL.
pub(super) fn text_of(cell: &Cell<'_>, out: &mut Vec<u8>) -> Option<()> {
    match cell {
        Cell::Null => return None,
        Cell::Bool(v) => out.push(if *v { b't' } else { b'f' }),
        Cell::Int(v) => out.extend_from_slice(itoa::Buffer::new().format(*v).as_bytes()),
        Cell::UInt(v) => out.extend_from_slice(itoa::Buffer::new().format(*v).as_bytes()),
        Cell::Real(v) if v.is_finite() => out.extend_from_slice(ryu::Buffer::new().format_finite(*v).as_bytes()),
        Cell::Real(v) => out.extend_from_slice(if v.is_nan() {
            b"NaN"
        } else if *v > 0.0 {
            b"Infinity"
        } else {
            b"-Infinity"
        }),
        Cell::Decimal(v, scale) => {
            let mut text = String::new();
            cells::decimal_text(*v, *scale, &mut text);
            out.extend_from_slice(text.as_bytes());
        }
        Cell::Text(text) => out.extend_from_slice(binary::up_to_nul(text).as_bytes()),
        Cell::Bytes(bytes) => {
            out.extend_from_slice(b"\\x");
            bytes.iter().for_each(|b| out.extend_from_slice(&[hex(b >> 4), hex(b & 15)]));
        }
        other => out.extend_from_slice(cells::iso_text(other).unwrap_or_default().as_bytes()),
    }
    Some(())
}

fn hex(digit: u8) -> u8 {
    b"0123456789abcdef"[usize::from(digit & 15)]
}

/// `?` and `@name` as `$1`, `$2` …, and which parameter stands for each number. Literals, comments and quoted names are
/// left alone; a statement that has `$1` already is, too.
pub(super) fn numbered(sql: &str, params: &[Param]) -> (String, Vec<usize>) {
    let names: Vec<&str> = params.iter().map(|p| p.name.as_deref().unwrap_or("").trim_start_matches('@')).collect();
    let (mut out, mut order, mut rest, mut places) = (String::with_capacity(sql.len() + 8), Vec::new(), sql, 0);
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            '\'' | '"' => length = rest[1..].find(c).map_or(rest.len(), |at| at + 2),
            '-' if rest.starts_with("--") => length = rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => length = rest.find("*/").map_or(rest.len(), |at| at + 2),
            '?' => {
                order.push(places);
                places += 1;
                out.push_str(&format!("${}", order.len()));
                rest = &rest[1..];
                continue;
            }
            '@' => {
                let end = rest[1..].find(|c: char| !c.is_alphanumeric() && c != '_').map_or(rest.len(), |at| at + 1);
                let name = &rest[1..end];
                if let Some(at) = names.iter().position(|n| !n.is_empty() && n.eq_ignore_ascii_case(name)) {
                    let number = order.iter().position(|known| *known == at).unwrap_or_else(|| {
                        order.push(at);
                        order.len() - 1
                    });
                    out.push_str(&format!("${}", number + 1));
                    rest = &rest[end..];
                    continue;
                }
            }
            _ => {}
        }
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    if order.is_empty() {
        order = (0..params.len()).collect();
    }
    (out, order)
}

/// The columns of a RowDescription.
fn described(body: &[u8]) -> Columns {
    let count = body.get(..2).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
    let (mut at, mut columns) = (2, Vec::with_capacity(count.into()));
    for _ in 0..count {
        let Some(end) = body.get(at..).and_then(|rest| rest.iter().position(|b| *b == 0)) else { break };
        let name = String::from_utf8_lossy(&body[at..at + end]).into_owned();
        let Some(rest) = body.get(at + end + 1..at + end + 19) else { break };
        let oid = u32::from_be_bytes([rest[6], rest[7], rest[8], rest[9]]);
        let modifier = i32::from_be_bytes([rest[12], rest[13], rest[14], rest[15]]);
        let column = types::column(oid, modifier);
        let native = if column.binary { String::new() } else { format!("type {oid}") };
        columns.push((ColumnInfo { native, ..ColumnInfo::new(name, column.data_type) }, column));
        at += end + 19;
    }
    columns
}

/// The rows that a CommandComplete tells of: the last number of its tag.
fn affected(body: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(body);
    text.trim_end_matches('\0').rsplit(' ').next()?.parse().ok()
}

fn outputs(params: &[Param]) -> Outcome<()> {
    match params.iter().find(|p| p.direction != Direction::Input) {
        Some(param) => {
            let name = param.name.as_deref().unwrap_or("?");
            Err(DbError::unsupported(format!("the parameter {name} is an output, which PostgreSQL gives as a row")))
        }
        None => Ok(()),
    }
}

/// Writes a Bind with values in text form.
fn bind(out: &mut BytesMut, statement: &str, cells: &[Cell<'_>], formats: &[i16]) -> Outcome<()> {
    let mut scratch = Vec::new();
    let write = |cell: &Cell<'_>, buffer: &mut BytesMut| {
        scratch.clear();
        Ok(match text_of(cell, &mut scratch) {
            Some(()) => {
                buffer.put_slice(&scratch);
                IsNull::No
            }
            None => IsNull::Yes,
        })
    };
    let bound = frontend::bind("", statement, Vec::<i16>::new(), cells, write, formats.iter().copied(), out);
    bound.map_err(|error| match error {
        frontend::BindError::Serialization(e) => unsent(&e),
        frontend::BindError::Conversion(e) => DbError::new(ErrorKind::Statement, e.to_string()),
    })
}

impl PostgresSession {
    /// Runs statements without parameters; rows affected by all of them.
    pub(super) fn simple(&mut self, sql: &str) -> Outcome<Option<u64>> {
        frontend::query(sql, &mut self.wire.out).map_err(|e| unsent(&e))?;
        self.wire.send()?;
        self.ended()
    }

    /// Reads answers up to ReadyForQuery: the sum of the rows affected, or the first error.
    pub(super) fn ended(&mut self) -> Outcome<Option<u64>> {
        let (mut rows, mut error) = (None, None);
        loop {
            let message = self.wire.receive()?;
            match message.tag {
                b'C' => {
                    let selected = message.body.starts_with(b"SELECT");
                    if let Some(count) = affected(&message.body).filter(|_| !selected) {
                        *rows.get_or_insert(0) += count;
                    }
                }
                b'E' => {
                    error.get_or_insert(failure(&message.body));
                }
                b'G' => frontend::copy_fail("no data", &mut self.wire.out).map_err(|e| unsent(&e))?,
                b'Z' => break,
                _ => {}
            }
            if !self.wire.out.is_empty() {
                self.wire.send()?;
            }
        }
        error.map_or(Ok(rows), Err)
    }

    /// Runs a statement to its end.
    pub(super) fn run(&mut self, sql: &str, params: &[Param]) -> Outcome<Executed> {
        outputs(params)?;
        if params.is_empty() {
            return Ok(Executed { rows: self.simple(sql)?, outputs: Vec::new() });
        }
        let (sql, order) = numbered(sql, params);
        let columns = order.iter().filter_map(|at| params.get(*at));
        let columns =
            columns.map(|p| Ok((cells::one(&p.value, &p.data_type)?, p.data_type))).collect::<Outcome<Vec<_>>>()?;
        let cells = columns.iter().map(|(c, t)| Ok(Cells::of(c, t)?.get(0))).collect::<Outcome<Vec<_>>>()?;
        let out = &mut self.wire.out;
        frontend::parse("", &sql, [], out).map_err(|e| unsent(&e))?;
        bind(out, "", &cells, &[])?;
        frontend::execute("", 0, out).map_err(|e| unsent(&e))?;
        frontend::sync(out);
        self.wire.send()?;
        Ok(Executed { rows: self.ended()?, outputs: params.iter().map(|_| Value::Null).collect() })
    }

    /// Runs a statement for each row: many at a time, and one by one where one of them fails.
    pub(super) fn run_rows(&mut self, sql: &str, rows: &Rows, types: &[DataType]) -> Outcome<Vec<RowFailure>> {
        let (sql, _) = numbered(sql, &[]);
        if self.checked.as_deref() != Some(sql.as_str()) {
            self.parsed("", &sql)?;
        }
        let columns = rows.columns.iter().zip(types).map(|(c, t)| Cells::of(c, t)).collect::<Outcome<Vec<_>>>()?;
        let (mut failures, mut from) = (Vec::new(), 0);
        while from < rows.len {
            let to = (from + PIPELINE).min(rows.len);
            match self.run_together(&sql, &columns, from, to) {
                Ok(()) => {}
                Err(error) if fatal(&error) => return Err(error),
                Err(error) if to - from == 1 => failures.push(RowFailure { row: from, error }),
                Err(_) => {
                    for row in from..to {
                        match self.run_together(&sql, &columns, row, row + 1) {
                            Ok(()) => {}
                            Err(error) if fatal(&error) => return Err(error),
                            Err(error) => failures.push(RowFailure { row, error }),
                        }
                    }
                }
            }
            from = to;
        }
        self.checked = Some(sql);
        Ok(failures)
    }

    /// Runs a statement for some rows: all of them or, if one fails, none. It is parsed with them, and not prepared once:
    /// somebody who deals out connections may give another one each time.
    fn run_together(&mut self, sql: &str, columns: &[Cells<'_>], from: usize, to: usize) -> Outcome<()> {
        let inside = self.in_transaction();
        if inside {
            self.simple("SAVEPOINT dtsx_rows")?;
        }
        frontend::parse("", sql, [], &mut self.wire.out).map_err(|e| unsent(&e))?;
        for row in from..to {
            let cells: Vec<Cell<'_>> = columns.iter().map(|c| c.get(row)).collect();
            let out = &mut self.wire.out;
            bind(out, "", &cells, &[])?;
            frontend::execute("", 0, out).map_err(|e| unsent(&e))?;
        }
        // What stands before a Sync is one transaction, outside of one.
        frontend::sync(&mut self.wire.out);
        self.wire.send()?;
        let done = self.ended().map(drop);
        self.leave(inside, "dtsx_rows", done)
    }

    /// Ends the savepoint around what was done: forgotten if it went well, gone back to if not.
    pub(super) fn leave(&mut self, inside: bool, savepoint: &str, done: Outcome<()>) -> Outcome<()> {
        if inside && done.as_ref().err().is_none_or(|e| !fatal(e)) {
            let back = if done.is_err() { format!("ROLLBACK TO SAVEPOINT {savepoint}; ") } else { String::new() };
            let left = self.simple(&format!("{back}RELEASE SAVEPOINT {savepoint}"));
            left.map_err(|e| e.of_transaction(done.as_ref().err()))?;
        }
        done
    }

    /// Parses a statement and learns the columns of its result.
    fn parsed(&mut self, name: &str, sql: &str) -> Outcome<Columns> {
        let out = &mut self.wire.out;
        frontend::parse(name, sql, [], out).map_err(|e| unsent(&e))?;
        frontend::describe(b'S', name, out).map_err(|e| unsent(&e))?;
        frontend::sync(out);
        self.wire.send()?;
        let (mut columns, mut error) = (Vec::new(), None);
        loop {
            let message = self.wire.receive()?;
            match message.tag {
                b'T' => columns = described(&message.body),
                b'E' => error = Some(failure(&message.body)),
                b'Z' => break,
                _ => {}
            }
        }
        error.map_or(Ok(columns), Err)
    }

    pub(super) fn describe_query(&mut self, sql: &str) -> Outcome<Vec<ColumnInfo>> {
        let (sql, _) = numbered(sql, &[]);
        Ok(self.parsed("", &sql)?.into_iter().map(|(info, _)| info).collect())
    }

    /// The columns of a table, and what the catalog knows of them; from memory while nothing was run that could have
    /// changed them.
    pub(super) fn describe_table(&mut self, table: &TableName) -> Outcome<Described> {
        let spelled = self.dialect.table(table);
        if let Some((_, columns)) = self.described.as_ref().filter(|(known, _)| *known == spelled) {
            return Ok(columns.clone());
        }
        let columns: Described = self.ask_for_table(table)?.into();
        self.described = Some((spelled, columns.clone()));
        Ok(columns)
    }

    fn ask_for_table(&mut self, table: &TableName) -> Outcome<Columns> {
        let mut columns = self.parsed("", &self.dialect.select_all(table))?;
        let name = self.dialect.table(table).replace('\'', "''");
        let sql = format!(
            "SELECT a.attname::text, a.attnotnull, a.attidentity <> '' OR a.attgenerated <> '' OR \
             coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%', false), pg_get_expr(d.adbin, d.adrelid), \
             format_type(a.atttypid, a.atttypmod) FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid \
             AND d.adnum = a.attnum WHERE a.attrelid = to_regclass('{name}') AND a.attnum > 0 AND NOT a.attisdropped"
        );
        let options = StatementOptions::default();
        let parts = self.begin_query(&sql, &[])?;
        let mut cursor = PostgresCursor::new(self, parts, &options);
        while let Some(rows) = cursor.next()? {
            let cells = rows.columns.iter().zip([
                DataType::NText,
                DataType::Bool,
                DataType::Bool,
                DataType::NText,
                DataType::NText,
            ]);
            let cells = cells.map(|(c, t)| Cells::of(c, &t)).collect::<Outcome<Vec<_>>>()?;
            for row in 0..rows.len {
                let text = |at: usize| match cells[at].get(row) {
                    Cell::Text(text) => Some(text.to_owned()),
                    _ => None,
                };
                let yes = |at: usize| cells[at].get(row) == Cell::Bool(true);
                if let Some((column, _)) = columns.iter_mut().find(|(c, _)| Some(&c.name) == text(0).as_ref()) {
                    column.nullable = Some(!yes(1));
                    column.generated = yes(2);
                    column.default = text(3);
                    column.native = text(4).unwrap_or_default();
                }
            }
        }
        Ok(columns)
    }

    /// How many decimal places amounts of money have now: lc_monetary says so, which anybody may change.
    fn money_places(&mut self) -> Outcome<u8> {
        let out = &mut self.wire.out;
        frontend::parse("", "SELECT 1::money", [], out).map_err(|e| unsent(&e))?;
        bind(out, "", &[], &[1])?;
        frontend::execute("", 0, out).map_err(|e| unsent(&e))?;
        frontend::sync(out);
        self.wire.send()?;
        let (mut one, mut error) = (None, None);
        loop {
            let message = self.wire.receive()?;
            match message.tag {
                // One column: its length, its value.
                b'D' => one = message.body.get(6..14).and_then(|b| b.try_into().ok()).map(i64::from_be_bytes),
                b'E' => error = Some(failure(&message.body)),
                b'Z' => break,
                _ => {}
            }
        }
        match (error, one) {
            (Some(error), _) => Err(error),
            (None, Some(one @ 1..)) => Ok(one.ilog10() as u8),
            (None, _) => Err(DbError::new(ErrorKind::Value, "the server does not say what its money is")),
        }
    }

    /// Begins a statement that yields rows; its columns. The rows come when they are asked for.
    pub(super) fn begin_query(&mut self, sql: &str, params: &[Param]) -> Outcome<Begun> {
        outputs(params)?;
        let (sql, order) = numbered(sql, params);
        let (mut columns, name) = if params.is_empty() { (self.parsed("", &sql)?, None) } else { self.ask(&sql)? };
        if columns.iter().any(|(_, column)| matches!(column.form, Form::Money { .. })) {
            let places = self.money_places()?;
            for (_, column) in &mut columns {
                if let Form::Money { digits } = &mut column.form {
                    *digits = places;
                }
            }
        }
        let params: Vec<Param> = order.iter().filter_map(|at| params.get(*at)).cloned().collect();
        Ok(Begun { sql, name, columns, params })
    }

    /// The columns of a query with parameters, and the statement that it is. The second time it is prepared, so that each
    /// further time costs the server no more than the rows that it finds.
    fn ask(&mut self, sql: &str) -> Outcome<(Columns, Option<Arc<str>>)> {
        match &self.asked {
            Some(Asked { sql: known, prepared: Some((name, columns)) }) if known == sql => {
                Ok((columns.clone(), Some(name.clone())))
            }
            Some(Asked { sql: known, prepared: None }) if known == sql && !self.names.dealt => {
                let name = self.names.next();
                let columns = self.parsed(&name, sql)?;
                self.asked = Some(Asked { sql: sql.to_owned(), prepared: Some((name.clone(), columns.clone())) });
                Ok((columns, Some(name)))
            }
            _ => {
                self.forget_asked()?;
                self.asked = Some(Asked { sql: sql.to_owned(), prepared: None });
                Ok((self.parsed("", sql)?, None))
            }
        }
    }

    /// Forgets the query that was asked; the server hears of it with the next statement.
    pub(super) fn forget_asked(&mut self) -> Outcome<()> {
        match self.asked.take() {
            Some(Asked { prepared: Some((name, _)), .. }) => {
                frontend::close(b'S', &name, &mut self.wire.out).map_err(|e| unsent(&e))
            }
            _ => Ok(()),
        }
    }
}

/// The columns of a result.
type Columns = Vec<(ColumnInfo, Column)>;

/// The columns of a table.
pub(super) type Described = Arc<[(ColumnInfo, Column)]>;

/// What ends a run of many rows, and is not the fault of one of them: a deadlock is nobody's, and what cannot be put in
/// order with other transactions (40001) now cannot be later in this one.
pub(super) fn fatal(error: &DbError) -> bool {
    use ErrorKind as K;
    matches!(error.kind, K::Lost | K::Cancelled | K::NoTable | K::Connect | K::Undone)
        || matches!(error.state.as_str(), "40001" | "40P01")
}

/// A query with parameters that was asked.
pub(super) struct Asked {
    sql: String,
    /// Its name and the columns of its result, once it is prepared.
    prepared: Option<(Arc<str>, Columns)>,
}

/// A statement that is parsed and not run.
pub(super) struct Begun {
    sql: String,
    /// The name under which it is prepared, if it is.
    name: Option<Arc<str>>,
    columns: Columns,
    params: Vec<Param>,
}

/// The rows of the statement that is parsed.
pub(super) struct PostgresCursor<'s> {
    session: &'s mut PostgresSession,
    sql: String,
    name: Option<Arc<str>>,
    infos: Vec<ColumnInfo>,
    reading: Reading<Column>,
    params: Vec<Param>,
    running: bool,
    done: bool,
    affected: Option<u64>,
    block_rows: usize,
    block_bytes: usize,
    /// Rows after which the server stops; 0: it gives all.
    most_rows: i32,
}

impl<'s> PostgresCursor<'s> {
    pub(super) fn new(
        session: &'s mut PostgresSession,
        begun: Begun,
        options: &StatementOptions,
    ) -> PostgresCursor<'s> {
        let (infos, columns): (Vec<ColumnInfo>, Vec<Column>) = begun.columns.into_iter().unzip();
        PostgresCursor {
            session,
            sql: begun.sql,
            name: begun.name,
            infos,
            reading: Reading::all(columns),
            params: begun.params,
            running: false,
            done: false,
            affected: None,
            block_rows: options.block_rows.max(1),
            block_bytes: options.block_bytes.max(1),
            most_rows: options.most_rows.and_then(|n| n.try_into().ok()).unwrap_or(0),
        }
    }

    fn run(&mut self) -> Outcome<()> {
        let columns = self.params.iter().map(|p| Ok((cells::one(&p.value, &p.data_type)?, p.data_type)));
        let columns = columns.collect::<Outcome<Vec<_>>>()?;
        let cells = columns.iter().map(|(c, t)| Ok(Cells::of(c, t)?.get(0))).collect::<Outcome<Vec<_>>>()?;
        let formats: Vec<i16> = self.reading.columns.iter().map(|c| c.binary.into()).collect();
        let out = &mut self.session.wire.out;
        if self.name.is_none() {
            // Once more: between the two, somebody who deals out connections may have given us another one.
            frontend::parse("", &self.sql, [], out).map_err(|e| unsent(&e))?;
        }
        bind(out, self.name.as_deref().unwrap_or(""), &cells, &formats)?;
        frontend::execute("", self.most_rows, out).map_err(|e| unsent(&e))?;
        frontend::sync(out);
        self.session.wire.send()?;
        self.running = true;
        Ok(())
    }

    fn next_rows(&mut self) -> Outcome<Option<Block>> {
        if !self.running {
            self.run()?;
        }
        // Memory for a block that is full of rows; a few find theirs.
        let room = if self.block_rows < FEW { 0 } else { self.block_bytes + (64 << 10) };
        loop {
            let wire = &mut self.session.wire;
            let mut bytes = Vec::with_capacity(room);
            let rows = wire.rows(b'D', &mut bytes, self.block_bytes, self.block_rows)?;
            if rows > 0 {
                return Ok(Some(Block { bytes, rows, reading: self.reading.clone() }));
            }
            let message = wire.receive()?;
            match message.tag {
                b'C' => self.affected = affected(&message.body),
                b'E' => {
                    let error = failure(&message.body);
                    if self.name.is_some() {
                        // Somebody who deals out connections gave us another one, which has not heard of it.
                        if error.state == "26000" {
                            self.session.names.dealt = true;
                            self.session.asked = None;
                            if wire.status == b'I' {
                                wire.settle()?;
                                self.name = None;
                                self.run()?;
                                continue;
                            }
                        }
                        self.session.forget_asked()?;
                    }
                    let wire = &mut self.session.wire;
                    self.done = true;
                    // An administrator's end of the connection is followed by nothing.
                    if error.kind != ErrorKind::Lost {
                        wire.settle()?;
                    }
                    return Err(error);
                }
                b'Z' => {
                    self.done = true;
                    return Ok(None);
                }
                _ => {}
            }
        }
    }
}

impl Cursor for PostgresCursor<'_> {
    fn columns(&self) -> &[ColumnInfo] {
        &self.infos
    }

    fn wish(&mut self, wishes: &[Option<DataType>]) -> Outcome<()> {
        self.reading.wish(wishes, &mut self.infos);
        Ok(())
    }

    fn next_block(&mut self) -> Outcome<Option<Box<dyn RowBlock>>> {
        if self.done {
            return Ok(None);
        }
        match self.next_rows() {
            Ok(block) => Ok(block.map(|b| Box::new(b) as Box<dyn RowBlock>)),
            Err(error) => {
                self.done = true;
                Err(self.session.told(error))
            }
        }
    }

    fn finish(mut self: Box<Self>) -> Outcome<Executed> {
        while self.next_block()?.is_some() {}
        Ok(Executed { rows: self.affected, outputs: self.params.iter().map(|_| Value::Null).collect() })
    }
}

impl Drop for PostgresCursor<'_> {
    fn drop(&mut self) {
        if !self.running || self.done {
            return;
        }
        // Mostly what nobody wants any more is little, and has come already. If not, the server is asked to stop, and what
        // is under way is read; but a statement that is stopped takes the transaction around it along.
        let wire = &mut self.session.wire;
        if matches!(wire.settle_soon(), Ok(false)) {
            if wire.status == b'I' {
                wire.interrupter.interrupt();
            }
            let _ = wire.settle();
        }
    }
}

/// Rows as the server sent them.
struct Block {
    bytes: Vec<u8>,
    rows: usize,
    reading: Reading<Column>,
}

impl RowBlock for Block {
    fn rows(&self) -> usize {
        self.rows
    }

    fn decode(self: Box<Self>) -> Outcome<Rows> {
        let Block { bytes, rows, reading } = *self;
        types::decode(bytes, rows, &reading.columns, &reading.wanted, reading.strictness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_names_become_numbers() {
        let named = |name: &str| Param { name: Some(name.into()), ..Param::input(DataType::I4, Value::I4(1)) };
        for (sql, params, expected, order) in [
            ("select ?, '?' -- ?\n, ?", vec![], "select $1, '?' -- ?\n, $2", vec![0, 1]),
            ("select @b, @a, @b, @c", vec![named("@a"), named("@b")], "select $1, $2, $1, @c", vec![1, 0]),
            ("select $1", vec![named("x")], "select $1", vec![0]),
        ] {
            assert_eq!(numbered(sql, &params), (expected.to_owned(), order), "{sql}");
        }
    }
}
