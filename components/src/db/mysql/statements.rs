//! Statements: run as they are, or prepared, with parameters; their results one after the other.

use super::types::{self, Column, Encoding};
use super::wire::{COM_QUERY, COM_STMT_EXECUTE, Reply};
use super::{MySqlSession, SOURCE, values};
use crate::db::cells::{self, Cell, Cells};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::odbc::{converted, placed};
use crate::db::reading::Reading;
use crate::db::rows::{RowBlock, Rows};
use crate::db::session::{ColumnInfo, Cursor, Direction, Executed, Param, StatementOptions};
use crate::db::table_name::TableName;
use dtsx_engine::types::{DataType, Value, scalar};
use mysql_common::constants::ColumnFlags;
use mysql_common::packets::Column as Definition;
use std::collections::VecDeque;

/// The number of an error: the statement cannot be prepared.
const UNPREPARED: i32 = 1295;

/// What a session asks its server once; forgotten where a statement may have changed it.
#[derive(Default)]
pub(super) struct Known {
    /// Bytes of the longest packet that the server takes, and its sql_mode.
    pub(super) limits: Option<(usize, String)>,
    /// The table that was asked for last, and whether its engine undoes statements that fail.
    pub(super) engine: Option<(String, bool)>,
}

/// One statement of those that were given together.
struct Piece {
    sql: String,
    /// Which parameter stands in each of its places.
    order: Vec<usize>,
    encoding: Encoding,
}

/// Statements that are to be run, one after the other.
pub(super) struct Begun {
    pieces: VecDeque<Piece>,
    params: Vec<Param>,
}

/// The statements in a text, each with the number of its places for parameters; comments, literals and quoted names are
/// left alone.
fn statements(sql: &str) -> Vec<(&str, usize)> {
    let (mut found, mut begin, mut at, mut places) = (Vec::new(), 0, 0, 0);
    let bytes = sql.as_bytes();
    let line = |at: usize| memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
    let space = |at: usize| bytes.get(at).is_none_or(u8::is_ascii_whitespace);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\'' | b'"' | b'`' => {
                at += 1;
                while bytes.get(at).is_some_and(|b| b != byte) {
                    // What follows a backslash is no end, but in names.
                    at += if bytes[at] == b'\\' && *byte != b'`' { 2 } else { 1 };
                }
            }
            b'#' => at = line(at),
            b'-' if bytes.get(at + 1) == Some(&b'-') && space(at + 2) => at = line(at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                at = sql[at + 2..].find("*/").map_or(bytes.len(), |end| at + 3 + end);
            }
            b'?' => places += 1,
            b';' => {
                found.push((&sql[begin..at], places));
                (begin, places) = (at + 1, 0);
            }
            _ => {}
        }
        at += 1;
    }
    found.push((&sql[begin..], places));
    found.retain(|(text, _)| !text.trim().is_empty());
    found
}

/// A call without the braces of ODBC, `{CALL p(?)}`.
fn unescaped(sql: &str) -> &str {
    let inside = sql.trim().strip_prefix('{').and_then(|s| s.strip_suffix('}')).map(str::trim);
    let calls = |s: &&str| s.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("call"));
    inside.filter(calls).unwrap_or(sql)
}

/// What is known of a column that is described.
fn info(definition: &Definition, column: &Column) -> ColumnInfo {
    let flags = definition.flags();
    ColumnInfo {
        nullable: Some(!flags.contains(ColumnFlags::NOT_NULL_FLAG)),
        generated: flags.contains(ColumnFlags::AUTO_INCREMENT_FLAG),
        native: format!("{:?}", definition.column_type()).trim_start_matches("MYSQL_TYPE_").to_ascii_lowercase(),
        ..ColumnInfo::new(definition.name_str(), column.data_type)
    }
}

impl MySqlSession {
    /// Runs a statement that has no parameters and no rows.
    pub(super) fn simple(&mut self, sql: &str) -> Outcome<()> {
        self.wire.send(&[&[COM_QUERY], sql.as_bytes()])?;
        self.wire.settle().map_err(|e| self.told(e))
    }

    /// Runs statements to their end.
    pub(super) fn run(&mut self, sql: &str, params: &[Param]) -> Outcome<Executed> {
        let begun = match params {
            [] => {
                self.forget_prepared()?;
                let piece = Piece { sql: unescaped(sql).to_owned(), order: Vec::new(), encoding: Encoding::Text };
                Begun { pieces: VecDeque::from([piece]), params: Vec::new() }
            }
            params => self.begin_query(sql, params)?,
        };
        let cursor = MySqlCursor::open(self, begun, &StatementOptions::default())?;
        Box::new(cursor).finish()
    }

    /// Takes statements apart that are to be run.
    pub(super) fn begin_query(&mut self, sql: &str, params: &[Param]) -> Outcome<Begun> {
        for param in params.iter().filter(|p| p.direction != Direction::Input) {
            self.dialect.gives_outputs(param.direction, param.name.as_deref())?;
        }
        let (sql, order) = placed(sql, params);
        let sql = unescaped(&sql);
        let found = statements(sql);
        let prepared = |sql: &str, order| Piece { sql: sql.to_owned(), order, encoding: Encoding::Binary };
        let pieces = match found.as_slice() {
            [] | [_] => VecDeque::from([prepared(sql, order)]),
            // A server prepares one at a time.
            _ if params.is_empty() => {
                self.forget_prepared()?;
                VecDeque::from([Piece { sql: sql.to_owned(), order, encoding: Encoding::Text }])
            }
            _ => {
                let mut rest = order.into_iter();
                found.iter().map(|(sql, places)| prepared(sql, rest.by_ref().take(*places).collect())).collect()
            }
        };
        Ok(Begun { pieces, params: params.to_vec() })
    }

    /// The number of a prepared statement of that text; the one of last time if it is the same.
    pub(super) fn prepare(&mut self, sql: &str, given: usize) -> Outcome<u32> {
        if self.prepared.as_ref().is_none_or(|(known, ..)| known != sql) {
            self.forget_prepared()?;
            let prepared = self.wire.prepare(sql)?;
            self.prepared = Some((sql.to_owned(), prepared.id, prepared.parameters));
        }
        match &self.prepared {
            Some((_, id, wanted)) if *wanted == given => Ok(*id),
            Some((_, _, wanted)) => {
                let message = format!("the statement has {wanted} parameters, and {given} are given");
                Err(DbError { source: SOURCE.into(), ..DbError::new(ErrorKind::Statement, message) })
            }
            None => Err(DbError::new(ErrorKind::Other, "no statement was prepared")),
        }
    }

    /// Forgets the statement that was prepared, before one is run that may change what its text means: its tables are
    /// those of the database that was in use when it was prepared.
    fn forget_prepared(&mut self) -> Outcome<()> {
        self.prepared.take().map_or(Ok(()), |(_, id, _)| self.wire.close(id))
    }

    /// Sends the execution of a statement that is prepared.
    pub(super) fn execute_prepared(&mut self, id: u32, kinds: &[[u8; 2]], cells: &[Cell<'_>]) -> Outcome<()> {
        let mut payload = Vec::with_capacity(16 + cells.len() * 16);
        payload.push(COM_STMT_EXECUTE);
        payload.extend_from_slice(&id.to_le_bytes());
        // No cursor, once.
        payload.extend_from_slice(&[0, 1, 0, 0, 0]);
        values::parameters(kinds, cells, &mut String::new(), &mut payload);
        let longest = self.longest_packet(payload.len())?;
        if payload.len() > longest {
            let message = format!(
                "the values have {} bytes together, and the server takes {longest} (max_allowed_packet)",
                payload.len()
            );
            return Err(DbError { source: SOURCE.into(), ..DbError::new(ErrorKind::Value, message) });
        }
        self.wire.send(&[&payload])
    }

    /// How many bytes a packet may have; the server is asked where that matters for one of `length`.
    fn longest_packet(&mut self, length: usize) -> Outcome<usize> {
        // The least that a server can be told to take is less than anybody would.
        if length <= 1024 { Ok(1024) } else { Ok(self.limits()?.0) }
    }

    /// The longest packet that the server takes, and its sql_mode.
    pub(super) fn limits(&mut self) -> Outcome<&(usize, String)> {
        if self.known.limits.is_none() {
            let rows = self.texts("SELECT CAST(@@max_allowed_packet AS CHAR), @@sql_mode")?;
            let row = rows.into_iter().next().unwrap_or_default();
            let packet = row.first().and_then(|n| n.as_deref()?.parse().ok()).unwrap_or(1 << 20);
            let mode = row.into_iter().nth(1).flatten().unwrap_or_default();
            self.known.limits = Some((packet, mode));
        }
        self.known.limits.as_ref().ok_or_else(|| DbError::new(ErrorKind::Other, "the server does not know its limits"))
    }

    /// The rows of a query of texts.
    pub(super) fn texts(&mut self, sql: &str) -> Outcome<Vec<Vec<Option<String>>>> {
        let piece = Piece { sql: sql.to_owned(), order: Vec::new(), encoding: Encoding::Text };
        let begun = Begun { pieces: VecDeque::from([piece]), params: Vec::new() };
        let mut cursor = MySqlCursor::open(self, begun, &StatementOptions::default())?;
        let mut out = Vec::new();
        while let Some(rows) = cursor.next()? {
            let cells = rows.columns.iter().map(|c| Cells::of(c, &DataType::NText)).collect::<Outcome<Vec<_>>>()?;
            let text = |cell: Cell<'_>| match cell {
                Cell::Text(text) => Some(text.to_owned()),
                _ => None,
            };
            out.extend((0..rows.len).map(|row| cells.iter().map(|c| text(c.get(row))).collect::<Vec<_>>()));
        }
        Ok(out)
    }

    pub(super) fn describe_query(&mut self, sql: &str) -> Outcome<Vec<ColumnInfo>> {
        // Of several, the first that yields rows is the one that a reader gets.
        for (sql, _) in statements(unescaped(sql)) {
            let prepared = self.wire.prepare(sql)?;
            self.wire.close(prepared.id)?;
            if !prepared.columns.is_empty() {
                return Ok(prepared.columns.iter().map(|d| info(d, &types::column(d))).collect());
            }
        }
        Ok(Vec::new())
    }

    pub(super) fn describe_table(&mut self, table: &TableName) -> Outcome<Vec<ColumnInfo>> {
        let mut columns = self.describe_query(&self.dialect.select_all(table))?;
        let (schema, name) = self.in_catalog(table);
        let sql = format!(
            "SELECT COLUMN_NAME, CAST(COLUMN_TYPE AS CHAR), CAST(COLUMN_DEFAULT AS CHAR), EXTRA FROM \
             information_schema.COLUMNS WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = {name}"
        );
        for row in self.texts(&sql)? {
            let mut row = row.into_iter();
            let (name, native, default, extra) = (row.next(), row.next(), row.next(), row.next());
            let Some(column) = columns.iter_mut().find(|c| Some(&c.name) == name.as_ref().and_then(Option::as_ref))
            else {
                continue;
            };
            let extra = extra.flatten().unwrap_or_default().to_ascii_uppercase();
            column.native = native.flatten().unwrap_or_default();
            column.generated |= extra.contains("GENERATED") && !extra.contains("DEFAULT_GENERATED");
            // MariaDB writes out that there is none.
            column.default = default.flatten().filter(|d| !d.is_empty() && !d.eq_ignore_ascii_case("null"));
        }
        Ok(columns)
    }

    /// Schema and name of a table as the catalog is asked for them.
    pub(super) fn in_catalog(&self, table: &TableName) -> (String, String) {
        let text = |name: &str| format!("'{}'", name.replace('\\', "\\\\").replace('\'', "''"));
        let schema = table.schema().filter(|s| !s.is_empty() && !s.eq_ignore_ascii_case("dbo"));
        (schema.map_or_else(|| "DATABASE()".to_owned(), text), text(table.table()))
    }
}

/// How far a statement came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Rows are there to be read.
    Rows,
    /// Another result follows.
    Between,
    /// It has ended.
    Ended,
}

/// The results of statements.
pub(super) struct MySqlCursor<'s> {
    session: &'s mut MySqlSession,
    /// Those that are yet to be run.
    pieces: VecDeque<Piece>,
    params: Vec<Param>,
    /// Of the statement in hand.
    order: Vec<usize>,
    encoding: Encoding,
    stage: Stage,
    infos: Vec<ColumnInfo>,
    reading: Reading<Column>,
    /// Rows with the output parameters of calls.
    outputs: Vec<Outputs>,
    affected: Option<u64>,
    block_rows: usize,
    block_bytes: usize,
}

impl<'s> MySqlCursor<'s> {
    /// Runs statements up to the first result that has columns.
    pub(super) fn open(
        session: &'s mut MySqlSession,
        begun: Begun,
        options: &StatementOptions,
    ) -> Outcome<MySqlCursor<'s>> {
        let mut cursor = MySqlCursor {
            session,
            pieces: begun.pieces,
            params: begun.params,
            order: Vec::new(),
            encoding: Encoding::Binary,
            stage: Stage::Ended,
            infos: Vec::new(),
            reading: Reading::all(Vec::new()),
            outputs: Vec::new(),
            affected: None,
            block_rows: options.block_rows.max(1),
            block_bytes: options.block_bytes.max(1),
        };
        cursor.advance().map_err(|e| cursor.failed(e))?;
        Ok(cursor)
    }

    /// An error of the server's, or of the connection, ends the statements: nothing of theirs is to come.
    fn failed(&mut self, error: DbError) -> DbError {
        self.stage = Stage::Ended;
        self.pieces.clear();
        self.session.told(error)
    }

    /// Goes to the next result that has columns, running what is yet to be run.
    fn advance(&mut self) -> Outcome<bool> {
        loop {
            if self.stage == Stage::Ended {
                match self.pieces.pop_front() {
                    Some(piece) => self.start(piece)?,
                    None => return Ok(false),
                }
            }
            match self.session.wire.reply()? {
                Reply::Done(rows) => {
                    self.affected = Some(self.affected.unwrap_or(0).saturating_add(rows));
                    self.rested();
                }
                Reply::Rows { columns, outputs } => {
                    let found: Vec<Column> = columns.iter().map(types::column).collect();
                    self.infos = columns.iter().zip(&found).map(|(d, c)| info(d, c)).collect();
                    self.reading = Reading::all(found);
                    self.stage = Stage::Rows;
                    if !outputs {
                        return Ok(true);
                    }
                    // They are looked at when the whole answer was read, whatever is wrong with them.
                    while let Some(block) = self.next_rows()? {
                        self.outputs.push(Outputs { block, infos: self.infos.clone(), order: self.order.clone() });
                    }
                }
            }
        }
    }

    /// Sends a statement.
    fn start(&mut self, piece: Piece) -> Outcome<()> {
        self.order = piece.order;
        self.encoding = piece.encoding;
        if self.encoding == Encoding::Binary {
            match self.session.prepare(&piece.sql, self.order.len()) {
                Ok(id) => {
                    let params: Vec<&Param> = self.order.iter().filter_map(|at| self.params.get(*at)).collect();
                    let columns =
                        params.iter().map(|p| cells::one(&p.value, &p.data_type)).collect::<Outcome<Vec<_>>>()?;
                    let cells = columns.iter().zip(&params).map(|(c, p)| Ok(Cells::of(c, &p.data_type)?.get(0)));
                    let cells = cells.collect::<Outcome<Vec<_>>>()?;
                    let kinds: Vec<[u8; 2]> = params.iter().map(|p| values::kind(&p.data_type)).collect();
                    self.session.execute_prepared(id, &kinds, &cells)?;
                    self.stage = Stage::Between;
                    return Ok(());
                }
                Err(error) if error.native == UNPREPARED && self.order.is_empty() => self.encoding = Encoding::Text,
                Err(error) => return Err(error),
            }
        }
        self.session.wire.send(&[&[COM_QUERY], piece.sql.as_bytes()])?;
        self.stage = Stage::Between;
        Ok(())
    }

    /// After a result: another one follows, or none.
    fn rested(&mut self) {
        self.stage = if self.session.wire.has_more() { Stage::Between } else { Stage::Ended };
    }

    /// The values of the parameters behind their calls: those that came out of one, NULL for the others.
    fn out_values(&mut self) -> Outcome<Vec<Value>> {
        let (mut values, outputs) = (vec![Value::Null; self.params.len()], std::mem::take(&mut self.outputs));
        let comes_out = |at: &usize| self.params[*at].direction != Direction::Input;
        if outputs.is_empty() && (0..values.len()).any(|at| comes_out(&at)) {
            return Err(DbError::new(ErrorKind::Statement, "the call gave no row with its output parameters"));
        }
        for Outputs { block, infos, order } in outputs {
            let rows = Box::new(block).decode()?;
            for ((at, column), info) in order.into_iter().filter(comes_out).zip(&rows.columns).zip(&infos) {
                let value = scalar::value_at(column.as_ref(), &info.data_type, 0);
                let value = value.map_err(|e| DbError::new(ErrorKind::Other, e.message()))?;
                values[at] = converted(value, info.data_type, self.params[at].data_type)?;
            }
        }
        Ok(values)
    }

    fn next_rows(&mut self) -> Outcome<Option<Block>> {
        if self.stage != Stage::Rows {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(self.block_bytes + (64 << 10));
        let (rows, last) = self.session.wire.rows(&mut bytes, self.block_bytes, self.block_rows)?;
        if last {
            self.rested();
        }
        if rows == 0 {
            return Ok(None);
        }
        Ok(Some(Block { bytes, rows, reading: self.reading.clone(), encoding: self.encoding }))
    }

    /// Leaves the rest of the result in hand.
    fn leave(&mut self) -> Outcome<()> {
        if self.stage == Stage::Rows {
            self.session.wire.skip_rows()?;
            self.rested();
        }
        Ok(())
    }
}

impl Cursor for MySqlCursor<'_> {
    fn columns(&self) -> &[ColumnInfo] {
        &self.infos
    }

    fn wish(&mut self, wishes: &[Option<DataType>]) -> Outcome<()> {
        self.reading.wish(wishes, &mut self.infos);
        Ok(())
    }

    fn next_block(&mut self) -> Outcome<Option<Box<dyn RowBlock>>> {
        self.session.alive()?;
        match self.next_rows() {
            Ok(None) => self.session.alive().map(|()| None),
            Ok(block) => Ok(block.map(|b| Box::new(b) as Box<dyn RowBlock>)),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn next_result(&mut self) -> Outcome<bool> {
        let found = self.leave().and_then(|()| self.advance());
        found.map_err(|e| self.failed(e))
    }

    fn finish(mut self: Box<Self>) -> Outcome<Executed> {
        while self.next_result()? {}
        Ok(Executed { rows: self.affected, outputs: self.out_values()? })
    }
}

impl Drop for MySqlCursor<'_> {
    fn drop(&mut self) {
        if self.stage == Stage::Ended {
            return;
        }
        let wire = &mut self.session.wire;
        let near = self.stage == Stage::Rows && wire.ends_here();
        if !near {
            // The server still sends: it is asked to stop, and what is under way is read.
            wire.interrupt();
        }
        let rest = match self.stage {
            Stage::Rows => wire.skip_rows(),
            _ => Ok(()),
        };
        let more = match self.stage {
            Stage::Rows => rest.is_ok() && wire.has_more(),
            _ => true,
        };
        if more {
            let _ = wire.settle();
        }
    }
}

/// The row with the output parameters of a call, the types of its columns, and which parameters stand in the call.
struct Outputs {
    block: Block,
    infos: Vec<ColumnInfo>,
    order: Vec<usize>,
}

/// Rows as the server sent them.
struct Block {
    bytes: Vec<u8>,
    rows: usize,
    reading: Reading<Column>,
    encoding: Encoding,
}

impl RowBlock for Block {
    fn rows(&self) -> usize {
        self.rows
    }

    fn decode(self: Box<Self>) -> Outcome<Rows> {
        let Block { bytes, rows, reading, encoding } = *self;
        types::decode(bytes, rows, &reading.columns, &reading.wanted, encoding, reading.strictness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_apart() {
        for (sql, expected) in [
            ("select 1", vec![("select 1", 0)]),
            ("select ?; select ?, ?;", vec![("select ?", 1), (" select ?, ?", 2)]),
            ("select ';?', \"a;\", `b;?` -- ; ?\n, ? # ;", vec![("select ';?', \"a;\", `b;?` -- ; ?\n, ? # ;", 1)]),
            (
                "select 'it''s; \\'; ?' ; /* ; ? */ select 5--?",
                vec![("select 'it''s; \\'; ?' ", 0), (" /* ; ? */ select 5--?", 1)],
            ),
            ("select 'open;", vec![("select 'open;", 0)]),
            (" ; ", vec![]),
        ] {
            assert_eq!(statements(sql), expected, "{sql}");
        }
        assert_eq!(unescaped(" {call p(?)} "), "call p(?)");
        assert_eq!(unescaped("{fn now()}"), "{fn now()}");
    }
}
