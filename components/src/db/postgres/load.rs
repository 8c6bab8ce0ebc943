//! Bulk loads: COPY of each batch of rows, in binary form where the columns' types allow it; in text, and in halves down
//! to the rows that are at fault, where a batch is refused.
//!
//! All that a batch needs is sent before an answer is read: savepoint, COPY, rows, the savepoint's end. The server never
//! waits for the next statement, only for the next batch.

use super::binary::{self, Code};
use super::statements::{fatal, text_of};
use super::types::Column;
use super::{PostgresSession, failure};
use crate::db::cells::{Cell, Cells};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::rows::Rows;
use crate::db::session::{ColumnInfo, LoadColumn, LoadOptions, Loader, RowFailure, Session};
use crate::db::table_name::TableName;
use bytes::BufMut;
use dtsx_engine::types::DataType;
use postgres_protocol::message::frontend;

/// Bytes that are sent at a time.
const PIECE: usize = 128 * 1024;
/// The savepoint around a batch.
const SAVEPOINT: &str = "dtsx_copy";

pub(super) struct PostgresLoader<'s> {
    session: &'s mut PostgresSession,
    table: String,
    names: Vec<String>,
    types: Vec<DataType>,
    /// By column: the number of its type on the server; 0: not known.
    oids: Vec<u32>,
    /// By column: how its values go in binary form; None: they do not.
    codes: Vec<Option<Code>>,
    /// By column: whether a NULL stands for the column's default.
    defaults: Vec<bool>,
    timeout: Option<std::time::Duration>,
}

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Binary,
    Text,
}

/// What became of rows that were sent.
enum Sent {
    All,
    /// None of them: a value has no binary form.
    Unfit,
    /// None of them: the server refused them, and perhaps says at which it did.
    Refused(DbError, Option<usize>),
}

impl<'s> PostgresLoader<'s> {
    pub(super) fn open(
        session: &'s mut PostgresSession,
        table: &TableName,
        columns: &[LoadColumn],
        known: &[(ColumnInfo, Column)],
        options: &LoadOptions,
    ) -> PostgresLoader<'s> {
        let dialect = session.dialect;
        let of = |name: &str| known.iter().find(|(info, _)| info.name == name);
        let oid = |c: &LoadColumn| of(&c.name).map_or(0, |(_, column)| column.oid);
        let has_default = |name: &str| of(name).is_some_and(|(info, _)| info.default.is_some());
        PostgresLoader {
            table: dialect.table(table),
            names: columns.iter().map(|c| dialect.quote(&c.name)).collect(),
            types: columns.iter().map(|c| c.data_type).collect(),
            oids: columns.iter().map(oid).collect(),
            codes: columns.iter().map(|c| binary::code(&c.data_type, oid(c))).collect(),
            defaults: columns.iter().map(|c| !options.keep_nulls && has_default(&c.name)).collect(),
            timeout: options.timeout,
            session,
        }
    }

    /// Copies rows: all of them or none.
    fn copy(&mut self, form: Form, cells: &[Cells<'_>], rows: &[usize], left_out: &[bool]) -> Outcome<Sent> {
        let taken: Vec<usize> = (0..cells.len()).filter(|at| !left_out[*at]).collect();
        let names: Vec<&str> = taken.iter().map(|at| self.names[*at].as_str()).collect();
        let inside = self.session.in_transaction();
        if names.is_empty() {
            return match self.default_rows(inside, rows.len()) {
                Err(error) if !fatal(&error) => Ok(Sent::Refused(error, None)),
                done => done.map(|()| Sent::All),
            };
        }
        let how = if form == Form::Binary { " (FORMAT binary)" } else { "" };
        let sql = format!("COPY {} ({}) FROM STDIN{how}", self.table, names.join(", "));
        let out = &mut self.session.wire.out;
        if inside {
            frontend::query(&format!("SAVEPOINT {SAVEPOINT}"), out).map_err(|e| unsent(&e))?;
        }
        frontend::query(&sql, out).map_err(|e| unsent(&e))?;
        let whole = match form {
            Form::Binary => self.send_binary(cells, rows, &taken)?,
            Form::Text => self.send_text(cells, rows, &taken)?,
        };
        let out = &mut self.session.wire.out;
        if whole {
            frontend::copy_done(out);
        } else {
            frontend::copy_fail("a value has no binary form", out).map_err(|e| unsent(&e))?;
        }
        if inside {
            // Where the COPY fails, this does, too, and says only that again.
            frontend::query(&format!("RELEASE SAVEPOINT {SAVEPOINT}"), out).map_err(|e| unsent(&e))?;
        }
        self.session.wire.send()?;
        let (mut refused, statements) = (None, if inside { 3 } else { 1 });
        for _ in 0..statements {
            let answer = self.answer()?;
            refused = refused.or(answer);
        }
        match &refused {
            // A COPY that is given up is told as one that is cancelled.
            Some((error, _)) if whole && fatal(error) => return Err(error.clone()),
            Some((error, _)) if inside => {
                let back = format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}; RELEASE SAVEPOINT {SAVEPOINT}");
                self.session.simple(&back).map_err(|e| e.of_transaction(Some(error)))?;
            }
            _ => {}
        }
        Ok(match refused {
            None => Sent::All,
            Some(_) if !whole => Sent::Unfit,
            Some((error, row)) => Sent::Refused(error, row),
        })
    }

    /// Rows of which every column has its default.
    fn default_rows(&mut self, inside: bool, rows: usize) -> Outcome<()> {
        if inside {
            self.session.simple(&format!("SAVEPOINT {SAVEPOINT}"))?;
        }
        let one = format!("INSERT INTO {} DEFAULT VALUES", self.table);
        let mut done = Ok(());
        for _ in 0..rows {
            done = self.session.simple(&one).map(drop);
            if done.is_err() {
                break;
            }
        }
        self.session.leave(inside, SAVEPOINT, done)
    }

    /// What the server says to one statement, if it refuses it. What is no answer to it ends everything.
    fn answer(&mut self) -> Outcome<Option<(DbError, Option<usize>)>> {
        let mut refused = None;
        loop {
            let message = self.session.wire.receive()?;
            match message.tag {
                b'E' => {
                    let error = failure(&message.body);
                    // An administrator's end of the connection is followed by nothing.
                    if error.kind == ErrorKind::Lost {
                        return Err(error);
                    }
                    refused.get_or_insert((error, row_of(&message.body)));
                }
                b'Z' => return Ok(refused),
                _ => {}
            }
        }
    }

    /// Sends rows in binary form. False: a value has none, and what was sent is to be given up.
    fn send_binary(&mut self, cells: &[Cells<'_>], rows: &[usize], taken: &[usize]) -> Outcome<bool> {
        let columns: Option<Vec<(Code, &Cells<'_>)>> =
            taken.iter().map(|at| Some((self.codes[*at]?, &cells[*at]))).collect();
        let Some(columns) = columns else { return Ok(false) };
        let wire = &mut self.session.wire;
        let mut piece = Vec::with_capacity(PIECE + 4096);
        piece.extend_from_slice(binary::HEAD);
        for row in rows {
            piece.extend_from_slice(&(columns.len() as i16).to_be_bytes());
            for (code, cells) in &columns {
                if binary::write(*code, &cells.get(*row), &mut piece).is_none() {
                    return Ok(false);
                }
            }
            if piece.len() >= PIECE {
                send(wire, &mut piece)?;
            }
        }
        piece.extend_from_slice(binary::TAIL);
        send(wire, &mut piece)?;
        Ok(true)
    }

    fn send_text(&mut self, cells: &[Cells<'_>], rows: &[usize], taken: &[usize]) -> Outcome<bool> {
        let wire = &mut self.session.wire;
        let (mut piece, mut text) = (Vec::with_capacity(PIECE + 4096), Vec::new());
        for row in rows {
            for (place, at) in taken.iter().enumerate() {
                if place > 0 {
                    piece.push(b'\t');
                }
                let cell = rounded(cells[*at].get(*row), self.oids[*at]);
                text.clear();
                match (text_of(&cell, &mut text), &cell) {
                    (None, _) => piece.extend_from_slice(b"\\N"),
                    (Some(()), Cell::Text(_) | Cell::Bytes(_)) => escaped(&text, &mut piece),
                    (Some(()), _) => piece.extend_from_slice(&text),
                }
            }
            piece.push(b'\n');
            if piece.len() >= PIECE {
                send(wire, &mut piece)?;
            }
        }
        send(wire, &mut piece)?;
        Ok(true)
    }

    /// Rows whose NULLs stand for defaults go without those columns.
    fn groups(&self, cells: &[Cells<'_>], rows: usize) -> Vec<(Vec<bool>, Vec<usize>)> {
        let mut groups: Vec<(Vec<bool>, Vec<usize>)> = Vec::new();
        if !self.defaults.contains(&true) {
            return vec![(vec![false; cells.len()], (0..rows).collect())];
        }
        for row in 0..rows {
            let left: Vec<bool> =
                self.defaults.iter().zip(cells).map(|(d, c)| *d && c.get(row) == Cell::Null).collect();
            match groups.iter_mut().find(|(known, _)| *known == left) {
                Some((_, rows)) => rows.push(row),
                None => groups.push((left, vec![row])),
            }
        }
        groups
    }
}

/// The row at which a COPY failed, as far as the server tells: `COPY t, line 5, column a: "x"`. Keys that refer to other
/// tables are checked after the last row, and then nothing is told; nor is it where the server speaks another language.
fn row_of(body: &[u8]) -> Option<usize> {
    let context = body.split(|b| *b == 0).find_map(|field| field.strip_prefix(b"W"))?;
    let context = std::str::from_utf8(context).ok()?;
    let (_, behind) = context.strip_prefix("COPY ")?.split_once(", line ")?;
    let digits = behind.find(|c: char| !c.is_ascii_digit()).map_or(behind, |end| &behind[..end]);
    digits.parse::<usize>().ok()?.checked_sub(1)
}

fn unsent(error: &std::io::Error) -> DbError {
    DbError::new(ErrorKind::Statement, error.to_string())
}

fn send(wire: &mut super::wire::Wire, piece: &mut Vec<u8>) -> Outcome<()> {
    if !piece.is_empty() {
        wire.out.put_u8(b'd');
        wire.out.put_i32(piece.len() as i32 + 4);
        wire.out.put_slice(piece);
        piece.clear();
        wire.send()?;
    }
    Ok(())
}

/// The server rounds the digits that its times do not have; here as the binary form does, so that a row comes out the
/// same whichever form it takes.
fn rounded(cell: Cell<'_>, oid: u32) -> Cell<'_> {
    match (oid, cell) {
        (1114 | 1184, Cell::Timestamp(ticks, 7)) => Cell::Timestamp(binary::micros(ticks) * 10, 6),
        (1184, Cell::TimestampOffset(ticks, minutes, 7)) => {
            Cell::TimestampOffset(binary::micros(ticks) * 10, minutes, 6)
        }
        (1083, Cell::Time(nanos, 7)) => Cell::Time(binary::micros(nanos / 100) * 1000, 6),
        (_, cell) => cell,
    }
}

/// Appends a value as COPY's text form writes it.
fn escaped(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            other => out.push(*other),
        }
    }
}

impl Loader for PostgresLoader<'_> {
    fn write(&mut self, rows: &Rows) -> Outcome<Vec<RowFailure>> {
        self.session.alive()?;
        self.session.wire.set_timeout(self.timeout)?;
        let types = self.types.clone();
        let cells = rows.columns.iter().zip(&types).map(|(c, t)| Cells::of(c, t)).collect::<Outcome<Vec<_>>>()?;
        let mut failures = Vec::new();
        for (left_out, group) in self.groups(&cells, rows.len) {
            let mut waiting = vec![&group[..]];
            if self.codes.iter().zip(&left_out).all(|(code, left)| *left || code.is_some()) {
                match self.copy(Form::Binary, &cells, &group, &left_out).map_err(|e| self.session.told(e))? {
                    Sent::All => continue,
                    Sent::Unfit => {}
                    Sent::Refused(_, at) if group.len() > 1 => waiting = parts(&group, at),
                    Sent::Refused(..) => {}
                }
            }
            self.one_by_one(&cells, waiting, &left_out, &mut failures)?;
        }
        failures.sort_by_key(|f| f.row);
        Ok(failures)
    }

    fn finish(self: Box<Self>) -> Outcome<()> {
        Ok(())
    }
}

/// What is tried next of rows that were refused together: the last part is the first to be tried.
fn parts(rows: &[usize], refused: Option<usize>) -> Vec<&[usize]> {
    match refused.filter(|at| *at < rows.len()) {
        // Those before it, it alone (what it failed for may go with one of them), some behind it, the rest: where one
        // is bad, others are.
        Some(at) => {
            let (before, from) = rows.split_at(at);
            let (row, behind) = from.split_at(1);
            let (some, rest) = behind.split_at((2 * at).max(64).min(behind.len()));
            vec![rest, some, row, before]
        }
        None => {
            let (first, second) = rows.split_at(rows.len() / 2);
            vec![second, first]
        }
    }
}

impl PostgresLoader<'_> {
    /// Rows in text, which the server judges more clearly, in smaller and smaller parts down to those at fault.
    fn one_by_one(
        &mut self,
        cells: &[Cells<'_>],
        mut waiting: Vec<&[usize]>,
        left_out: &[bool],
        failures: &mut Vec<RowFailure>,
    ) -> Outcome<()> {
        while let Some(part) = waiting.pop() {
            if part.is_empty() {
                continue;
            }
            match self.copy(Form::Text, cells, part, left_out).map_err(|e| self.session.told(e))? {
                Sent::All | Sent::Unfit => {}
                Sent::Refused(error, _) if part.len() == 1 => failures.push(RowFailure { row: part[0], error }),
                Sent::Refused(_, at) => waiting.extend(parts(part, at)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_is_told_in_the_context() {
        for (context, expected) in [
            ("COPY t, line 5, column a: \"x\"", Some(4)),
            ("COPY t, line 12", Some(11)),
            ("SQL statement \"x\"", None),
            ("COPY t, Zeile 5", None),
        ] {
            let body = format!("SERROR\0C22001\0Mvalue too long\0W{context}\0\0");
            assert_eq!(row_of(body.as_bytes()), expected, "{context}");
        }
    }

    #[test]
    fn every_row_is_tried_again_in_order() {
        let rows: Vec<usize> = (0..500).collect();
        for refused in [None, Some(0), Some(7), Some(250), Some(499), Some(900)] {
            let mut again = parts(&rows, refused);
            again.reverse();
            assert_eq!(again.concat(), rows, "{refused:?}");
            assert!(again.iter().all(|part| part.len() < rows.len()));
        }
    }
}
