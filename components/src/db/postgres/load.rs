//! Bulk loads: COPY of each batch of rows; one by one where a batch is refused, to find out which rows are at fault.

use super::statements::{fatal, text_of};
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
const PIECE: usize = 256 * 1024;

pub(super) struct PostgresLoader<'s> {
    session: &'s mut PostgresSession,
    table: String,
    names: Vec<String>,
    types: Vec<DataType>,
    /// By column: whether a NULL stands for the column's default.
    defaults: Vec<bool>,
    timeout: Option<std::time::Duration>,
}

impl<'s> PostgresLoader<'s> {
    pub(super) fn open(
        session: &'s mut PostgresSession,
        table: &TableName,
        columns: &[LoadColumn],
        known: &[ColumnInfo],
        options: &LoadOptions,
    ) -> PostgresLoader<'s> {
        let dialect = session.dialect;
        let has_default = |name: &str| known.iter().any(|k| k.name == name && k.default.is_some());
        PostgresLoader {
            table: dialect.table(table),
            names: columns.iter().map(|c| dialect.quote(&c.name)).collect(),
            types: columns.iter().map(|c| c.data_type).collect(),
            defaults: columns.iter().map(|c| !options.keep_nulls && has_default(&c.name)).collect(),
            timeout: options.timeout,
            session,
        }
    }

    /// Copies rows `from..to`: all of them or none.
    fn copy(&mut self, cells: &[Cells<'_>], rows: &[usize], left_out: &[bool]) -> Outcome<()> {
        let taken: Vec<usize> = (0..cells.len()).filter(|at| !left_out[*at]).collect();
        let names: Vec<&str> = taken.iter().map(|at| self.names[*at].as_str()).collect();
        if names.is_empty() {
            return self.session.simple(&format!("INSERT INTO {} DEFAULT VALUES", self.table)).map(drop);
        }
        let inside = self.session.in_transaction();
        if inside {
            self.session.simple("SAVEPOINT dtsx_copy")?;
        }
        let sql = format!("COPY {} ({}) FROM STDIN", self.table, names.join(", "));
        let done = self.copy_rows(&sql, cells, rows, &taken);
        self.session.leave(inside, "dtsx_copy", done)
    }

    fn copy_rows(&mut self, sql: &str, cells: &[Cells<'_>], rows: &[usize], taken: &[usize]) -> Outcome<()> {
        let wire = &mut self.session.wire;
        let unsent = |e: std::io::Error| DbError::new(ErrorKind::Statement, e.to_string());
        frontend::query(sql, &mut wire.out).map_err(unsent)?;
        wire.send()?;
        loop {
            let message = wire.receive()?;
            match message.tag {
                b'G' => break,
                b'E' => {
                    wire.settle()?;
                    return Err(failure(&message.body));
                }
                _ => {}
            }
        }
        let (mut piece, mut text) = (Vec::with_capacity(PIECE + 4096), Vec::new());
        for row in rows {
            for (place, at) in taken.iter().enumerate() {
                if place > 0 {
                    piece.push(b'\t');
                }
                let cell = cells[*at].get(*row);
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
        frontend::copy_done(&mut wire.out);
        wire.send()?;
        self.session.ended().map(drop)
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
        self.session.set_timeout(self.timeout)?;
        let types = self.types.clone();
        let cells = rows.columns.iter().zip(&types).map(|(c, t)| Cells::of(c, t)).collect::<Outcome<Vec<_>>>()?;
        let mut failures = Vec::new();
        for (left_out, group) in self.groups(&cells, rows.len) {
            match self.copy(&cells, &group, &left_out) {
                Ok(()) => {}
                Err(error) if fatal(&error) => return Err(self.session.told(error)),
                Err(error) if group.len() == 1 => failures.push(RowFailure { row: group[0], error }),
                Err(_) => self.halves(&cells, &group, &left_out, &mut failures)?,
            }
        }
        failures.sort_by_key(|f| f.row);
        Ok(failures)
    }

    fn finish(self: Box<Self>) -> Outcome<()> {
        Ok(())
    }
}

impl PostgresLoader<'_> {
    /// A group that was refused, in halves, down to the rows that are at fault.
    fn halves(
        &mut self,
        cells: &[Cells<'_>],
        group: &[usize],
        left_out: &[bool],
        failures: &mut Vec<RowFailure>,
    ) -> Outcome<()> {
        let mut waiting = vec![group.split_at(group.len() / 2).1, group.split_at(group.len() / 2).0];
        while let Some(part) = waiting.pop() {
            match self.copy(cells, part, left_out) {
                Ok(()) => {}
                Err(error) if fatal(&error) => return Err(self.session.told(error)),
                Err(error) if part.len() == 1 => failures.push(RowFailure { row: part[0], error }),
                Err(_) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    waiting.extend([second, first]);
                }
            }
        }
        Ok(())
    }
}
