//! Bulk loads: what is asked before them, and their rows.

use super::super::sql;
use super::super::types::{COLLATION, COLLATION_NAME, Type};
use super::super::wire::{self, Bytes};
use super::{ColumnOf, Served, Serving, head, refused};
use rusqlite::types::Value;
use std::sync::atomic::Ordering;

impl Serving<'_> {
    /// What the protocol's crate asks for before a bulk copy: whether a transaction is open, the columns, and the names of
    /// their collations.
    pub(super) fn table_for_bulk(&mut self, text: &str) -> Served {
        let quoted = text.rsplit_once("sp_tablecollations_100 N'").and_then(|(_, rest)| rest.split_once("';"));
        let parts = sql::statements(quoted.map_or("", |(name, _)| name)).into_iter().next().unwrap_or_default();
        // An omitted schema is a point in front.
        let from = parts.iter().position(|t| t.text != ".").unwrap_or(0);
        let (table, _) = sql::table(&parts, from);
        self.answer.out.extend(head(&[(String::new(), Type::Int(4), 9)]));
        self.answer.out.push(0xD1);
        Type::Int(4).write(&Value::Integer(self.transactions.into()), &mut self.answer.out);
        self.answer.done(0xFD, wire::MORE | wire::COUNT, 0xC1, 1);
        let found = self.columns_of(&table)?;
        let flags = |c: &ColumnOf| u16::from(c.nullable) | 8 | u16::from(c.identity) << 4;
        let columns: Vec<_> = found.iter().map(|c| (c.name.clone(), c.kind, flags(c))).collect();
        self.answer.out.extend(head(&columns));
        self.answer.done(0xFD, wire::MORE | wire::COUNT, 0xC1, 0);
        let collated = |c: &ColumnOf| matches!(c.kind, Type::Narrow(..) | Type::Wide(..) | Type::Text | Type::NText);
        let columns = [
            ("colid".to_owned(), Type::Int(4), 9),
            ("name".to_owned(), Type::Wide(false, 128), 9),
            ("tds_collation".to_owned(), Type::Binary(true, 5), 9),
            ("collation".to_owned(), Type::Wide(false, 128), 9),
        ];
        self.answer.out.extend(head(&columns));
        for (at, column) in found.iter().enumerate() {
            let told = collated(column);
            let or_null = |value: Value| if told { value } else { Value::Null };
            let row = [
                Value::Integer(at as i64 + 1),
                Value::Text(column.name.clone()),
                or_null(Value::Blob(COLLATION.to_vec())),
                or_null(Value::Text(COLLATION_NAME.to_owned())),
            ];
            self.answer.out.push(0xD1);
            columns.iter().zip(&row).for_each(|((_, kind, _), value)| kind.write(value, &mut self.answer.out));
        }
        self.answer.done(0xFF, wire::MORE | wire::COUNT, 0xC1, found.len() as u64);
        self.answer.out.extend_from_slice(&[0x79, 0, 0, 0, 0]);
        self.answer.done(0xFE, 0, 0, 0);
        Ok(())
    }

    /// The rows of a bulk load: all of them, or none.
    pub(super) fn load(&mut self, message: &[u8]) -> Served {
        let Some((table, names)) = self.bulk.take() else {
            return refused(4804, 16, "rows come, and no INSERT BULK was before them");
        };
        let mut bytes = Bytes(message);
        assert_eq!(bytes.byte(), 0x81, "rows begin with their columns");
        let count = usize::from(bytes.short());
        let mut kinds = Vec::new();
        for _ in 0..count {
            bytes.int();
            bytes.short();
            kinds.push(Type::described(&mut bytes, true));
            let units = usize::from(bytes.byte());
            bytes.text(units);
        }
        assert_eq!(count, names.len(), "INSERT BULK names other columns than its rows have");
        let there = self.columns_of(&table)?;
        let mut rows = Vec::new();
        // FreeTDS says nothing behind the last row.
        while !bytes.0.is_empty() {
            match bytes.byte() {
                0xD1 => rows.push(kinds.iter().map(|kind| kind.read(&mut bytes)).collect::<Vec<Value>>()),
                0xFD => break,
                other => panic!("{other:#x} where a row is to begin"),
            }
        }
        self.shared.bulk.fetch_add(rows.len(), Ordering::Relaxed);
        for (at, name) in names.iter().enumerate() {
            let column = there.iter().find(|c| c.name.eq_ignore_ascii_case(name));
            let Some(column) = column else { return refused(207, 16, format!("Invalid column name '{name}'.")) };
            if rows.iter().any(|row| column.kind.too_long(&row[at])) {
                return refused(
                    4815,
                    16,
                    format!("Received an invalid column length from the bcp client for colid {}.", at + 1),
                );
            }
        }
        self.connection.execute_batch("savepoint peer_bulk")?;
        let inserted = self.insert(&table, &names, &there, &rows);
        self.connection.execute_batch(if inserted.is_ok() {
            "release peer_bulk"
        } else {
            "rollback to peer_bulk; release peer_bulk"
        })?;
        inserted?;
        self.answer.done(0xFD, wire::COUNT, 0xC3, rows.len() as u64);
        Ok(())
    }

    fn insert(&self, table: &str, names: &[String], there: &[ColumnOf], rows: &[Vec<Value>]) -> Served {
        let keeps = self
            .shared
            .heard
            .lock()
            .unwrap()
            .iter()
            .rev()
            .find(|s| s.starts_with("INSERT BULK"))
            .is_some_and(|s| s.contains("KEEP_NULLS"));
        for row in rows {
            self.attended()?;
            let has_default =
                |name: &String| there.iter().any(|c| c.name.eq_ignore_ascii_case(name) && c.default.is_some());
            let kept: Vec<usize> =
                (0..names.len()).filter(|at| keeps || row[*at] != Value::Null || !has_default(&names[*at])).collect();
            let columns: Vec<String> = kept.iter().map(|at| format!("\"{}\"", names[*at])).collect();
            let places = vec!["?"; kept.len()].join(", ");
            let sql = match kept.is_empty() {
                true => format!("insert into \"{table}\" default values"),
                false => format!("insert into \"{table}\" ({}) values ({places})", columns.join(", ")),
            };
            let mut prepared = self.connection.prepare_cached(&sql)?;
            prepared.execute(rusqlite::params_from_iter(kept.iter().map(|at| &row[*at])))?;
        }
        Ok(())
    }
}
