//! Statements: run as they are, or with parameters; their results one after the other.

use super::taking::{Taker, returned};
use super::types::{self, Column, Described};
use super::{Patience, SOURCE, SqlServerSession, failure, rewriting, values};
use crate::db::cells::{Cell, Cells};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::odbc::converted;
use crate::db::reading::Reading;
use crate::db::rows::{RowBlock, Rows};
use crate::db::session::{ColumnInfo, Cursor, Direction, Executed, Param, StatementOptions};
use crate::db::table_name::TableName;
use dtsx_engine::types::{DataType, Value};
use mssql_tds::connection::tds_client::{ResultSet, StatementResult};
use mssql_tds::datatypes::sqldatatypes::TdsDataType as Kind;
use std::time::Duration;

/// Rows that are read to their end rather than left, as interrupting the server takes a round trip.
const FEW: usize = 1000;
/// How long they are waited for.
const SOON: Duration = Duration::from_millis(100);
/// Seconds that the server has to say that it stopped.
const STOPPING: u32 = 5;

/// Asks for the columns of a query, of a text and the declarations of its parameters.
const DESCRIBING: &str = "SELECT name, is_nullable, CAST(system_type_id AS int), CAST(max_length AS int), \
     CAST(precision AS int), CAST(scale AS int), CAST(COLLATIONPROPERTY(collation_name, 'CodePage') AS int), \
     is_identity_column, is_computed_column, CAST(error_number AS int) \
     FROM sys.dm_exec_describe_first_result_set(?, ?, 0) WHERE ISNULL(is_hidden, 0) = 0 ORDER BY column_ordinal";
/// The number of rowversion among the types of the catalog; the others have those of the protocol.
const ROWVERSION: i64 = 189;
/// Tells the server to send columns and no rows, and ends that.
const FORMAT_ONLY: &str = "SET FMTONLY ON";
const FORMAT_AND_ROWS: &str = "SET FMTONLY OFF";

/// A column that the server found in a query, as [`DESCRIBING`] gives it; None: it found none, and says why.
fn found(row: &[Cell<'_>]) -> Option<ColumnInfo> {
    let number = |at: usize| match row.get(at) {
        Some(Cell::Int(n)) => Some(*n),
        _ => None,
    };
    let flag = |at: usize| matches!(row.get(at), Some(Cell::Bool(true)));
    let (kind, length) = (number(2)?, number(3)?);
    if number(9).is_some() {
        return None;
    }
    let rowversion = kind == ROWVERSION;
    let described = Described {
        kind: if rowversion { Kind::BigBinary } else { Kind::try_from(u8::try_from(kind).ok()?).ok()? },
        // -1 is (max).
        length: usize::try_from(length).unwrap_or(types::MAX),
        precision: u8::try_from(number(4).unwrap_or(0)).ok()?,
        scale: number(5).and_then(|scale| u8::try_from(scale).ok()),
        page: number(6).and_then(|page| u32::try_from(page).ok()).map(types::page_of),
        rowversion,
    };
    let name = match row.first() {
        Some(Cell::Text(name)) => *name,
        _ => "",
    };
    Some(ColumnInfo {
        nullable: Some(flag(1)),
        generated: flag(7) || flag(8) || rowversion,
        native: described.native(),
        ..ColumnInfo::new(name, described.column().data_type)
    })
}

/// A table's name as the functions of the catalog take it, in a literal; temporary ones are in a database of their own.
fn literal(spelled: &str, table: &TableName) -> String {
    let home = if table.table().starts_with('#') && table.database().is_none() { "tempdb.." } else { "" };
    let name = if home.is_empty() { spelled } else { spelled.rsplit("].").next().unwrap_or(spelled) };
    format!("N'{}'", format!("{home}{name}").replace('\'', "''"))
}

impl SqlServerSession {
    /// Runs statements that nobody wants rows of.
    pub(super) fn simple(&mut self, sql: &str) -> Outcome<()> {
        let cursor = SqlServerCursor::open(self, sql, &[], &StatementOptions::default())?;
        Box::new(cursor).finish().map(drop)
    }

    /// The rows of a query of texts.
    fn texts(&mut self, sql: &str) -> Outcome<Vec<Vec<Option<String>>>> {
        let mut cursor = SqlServerCursor::open(self, sql, &[], &StatementOptions::default())?;
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

    /// The columns of the first result of a query, which is not run: as the server finds them by looking at it, and as it
    /// sends them when it is told to send no rows where it cannot (temporary tables, several ways through a procedure).
    pub(super) fn describe_query(&mut self, sql: &str) -> Outcome<Vec<ColumnInfo>> {
        match self.looked_at(sql) {
            Ok(Some(columns)) => Ok(columns),
            Err(error) if matches!(error.kind, ErrorKind::Lost | ErrorKind::Cancelled | ErrorKind::Timeout) => {
                Err(error)
            }
            _ => self.without_rows(sql),
        }
    }

    /// What the server finds; None: it cannot tell.
    fn looked_at(&mut self, sql: &str) -> Outcome<Option<Vec<ColumnInfo>>> {
        let sql = rewriting::plain(sql);
        let name = |place: usize| format!("@P{}", place + 1);
        // What is given for the parameters is not known; text becomes what it has to.
        let places = (0..rewriting::markers(&sql).len()).map(|place| format!("{} nvarchar(4000)", name(place)));
        let declared = places.collect::<Vec<_>>().join(", ");
        let text = |value: String| Param::input(DataType::NText, Value::text(&value));
        let none = Param::input(DataType::NText, Value::Null);
        let params = [text(rewriting::replaced(&sql, name)), if declared.is_empty() { none } else { text(declared) }];
        let mut cursor = SqlServerCursor::open(self, DESCRIBING, &params, &StatementOptions::default())?;
        let mut columns = Vec::new();
        while let Some(rows) = cursor.next()? {
            let types = cursor.columns().iter().map(|c| c.data_type);
            let cells = rows.columns.iter().zip(types).map(|(c, t)| Cells::of(c, &t)).collect::<Outcome<Vec<_>>>()?;
            for row in 0..rows.len {
                let row: Vec<Cell<'_>> = cells.iter().map(|c| c.get(row)).collect();
                match found(&row) {
                    Some(column) => columns.push(column),
                    None => return Ok(None),
                }
            }
        }
        Ok(Some(columns))
    }

    /// What the server sends. What stands in the places of parameters is NULL here.
    fn without_rows(&mut self, sql: &str) -> Outcome<Vec<ColumnInfo>> {
        let sql = rewriting::replaced(&rewriting::plain(sql), |_| "NULL".to_owned());
        self.simple(FORMAT_ONLY)?;
        let described = SqlServerCursor::open(self, &sql, &[], &StatementOptions::default());
        let described = described.map(|cursor| cursor.infos.clone());
        // What fails leaves the session as it was, too.
        let ended = self.with_rows();
        described.and_then(|columns| ended.map(|()| columns))
    }

    /// Ends the describing. A session in which it did not end would do nothing from now on, and say nothing.
    pub(super) fn with_rows(&mut self) -> Outcome<()> {
        let ended = self.simple(FORMAT_AND_ROWS);
        if ended.is_err() {
            self.link.client.mark_connection_dead();
        }
        ended
    }

    pub(super) fn describe_table(&mut self, table: &TableName) -> Outcome<Vec<ColumnInfo>> {
        let spelled = self.dialect.table(table);
        let sql = format!("{} WHERE 1 = 0", self.dialect.select_all(table));
        let cursor = SqlServerCursor::open(self, &sql, &[], &StatementOptions::default())?;
        let mut columns = cursor.infos.clone();
        drop(cursor);
        // Of a table of another server nothing is asked; then a NULL is a NULL.
        if table.parts.len() < 4 {
            let defaults = self.defaults(&spelled, table).unwrap_or_default();
            for column in &mut columns {
                let default = defaults.iter().find(|(name, _)| *name == column.name);
                column.default = default.map(|(_, default)| default.clone());
            }
        }
        Ok(columns)
    }

    /// The catalog that a table is in, and its name there.
    fn catalog(&self, spelled: &str, table: &TableName) -> (String, String) {
        let of_session = table.table().starts_with('#').then_some("tempdb");
        let database = table.database().or(of_session).map(|name| format!("{}.", self.dialect.quote(name)));
        (database.unwrap_or_default(), literal(spelled, table))
    }

    /// Whether a table has triggers that an INSERT fires.
    pub(super) fn has_triggers(&mut self, table: &TableName) -> Outcome<bool> {
        let (database, literal) = self.catalog(&self.dialect.table(table), table);
        let sql = format!(
            "SELECT TOP 1 CAST(t.name AS nvarchar(128)) FROM {database}sys.triggers t \
             JOIN {database}sys.trigger_events e ON e.object_id = t.object_id \
             WHERE t.parent_id = OBJECT_ID({literal}) AND t.is_disabled = 0 AND e.type_desc = 'INSERT'"
        );
        Ok(!self.texts(&sql)?.is_empty())
    }

    /// Columns of a table with what the server fills in for them.
    fn defaults(&mut self, spelled: &str, table: &TableName) -> Outcome<Vec<(String, String)>> {
        let (database, literal) = self.catalog(spelled, table);
        let sql = format!(
            "SELECT CAST(c.name AS nvarchar(128)), CAST(d.definition AS nvarchar(4000)) FROM {database}sys.columns c \
             JOIN {database}sys.default_constraints d ON d.object_id = c.default_object_id \
             WHERE c.object_id = OBJECT_ID({literal})"
        );
        let rows = self.texts(&sql)?;
        Ok(rows
            .into_iter()
            .filter_map(|row| <[_; 2]>::try_from(row).ok())
            .filter_map(|[n, d]| Some((n?, d?)))
            .collect())
    }
}

/// How far a statement came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Rows are there to be read.
    Rows,
    /// Another result may follow.
    Between,
    /// It has ended.
    Ended,
}

/// The results of statements.
pub(super) struct SqlServerCursor<'s> {
    session: &'s mut SqlServerSession,
    params: Vec<Param>,
    /// What stands before the numbers in the names of the parameters.
    prefix: &'static str,
    stage: Stage,
    infos: Vec<ColumnInfo>,
    reading: Reading<Column>,
    patience: Patience,
    affected: Option<u64>,
    block_rows: usize,
    block_bytes: usize,
}

impl<'s> SqlServerCursor<'s> {
    /// Runs statements up to the first result that has columns.
    pub(super) fn open(
        session: &'s mut SqlServerSession,
        sql: &str,
        params: &[Param],
        options: &StatementOptions,
    ) -> Outcome<SqlServerCursor<'s>> {
        let patience = session.patience(options.timeout);
        let mut cursor = SqlServerCursor {
            session,
            patience,
            params: params.to_vec(),
            prefix: "",
            stage: Stage::Between,
            infos: Vec::new(),
            reading: Reading::all(Vec::new()),
            affected: None,
            block_rows: options.block_rows.max(1),
            block_bytes: options.block_bytes.max(1),
        };
        let begun = cursor.start(sql).and_then(|result| cursor.settle(result));
        begun.map_err(|e| cursor.failed(e))?;
        Ok(cursor)
    }

    fn start(&mut self, sql: &str) -> Outcome<StatementResult> {
        let (link, patience) = (&mut self.session.link, &self.patience);
        if self.params.is_empty() {
            let sql = rewriting::plain(sql).into_owned();
            return link.wait(|c| patience.wait_once(c.execute(sql, patience.options()))).map_err(failure);
        }
        let rewritten = rewriting::with_parameters(sql, &self.params)?;
        self.prefix = rewritten.prefix;
        let named = |at: &usize| values::parameter(format!("{}{}", rewritten.prefix, at + 1), &self.params[*at]);
        let params = rewritten.sent.iter().map(named).collect::<Outcome<Vec<_>>>()?;
        let run = link.wait(|c| patience.wait_once(c.execute_sp_executesql(rewritten.sql, params, patience.options())));
        run.map_err(failure)
    }

    /// An error ends the statements.
    fn failed(&mut self, error: DbError) -> DbError {
        self.stage = Stage::Ended;
        self.session.told(error)
    }

    /// Goes on to a result that has columns, from the one that is there.
    fn settle(&mut self, mut result: StatementResult) -> Outcome<bool> {
        loop {
            match result {
                StatementResult::Rows => {
                    let metadata = self.session.link.client.get_metadata();
                    let columns: Vec<Column> = metadata.iter().map(types::column).collect();
                    self.infos = metadata.iter().zip(&columns).map(|(m, c)| types::info(m, c)).collect();
                    self.reading = Reading::all(columns);
                    self.stage = Stage::Rows;
                    return Ok(true);
                }
                StatementResult::NoRows { rows_affected } => {
                    if let Some(rows) = rows_affected {
                        *self.affected.get_or_insert(0) += rows;
                    }
                }
                StatementResult::End => {
                    self.stage = Stage::Ended;
                    return Ok(false);
                }
            }
            result = self.next_answer()?;
        }
    }

    /// Goes to the next result that has columns.
    fn advance(&mut self) -> Outcome<bool> {
        if self.stage == Stage::Ended {
            return Ok(false);
        }
        self.stage = Stage::Between;
        let result = self.next_answer()?;
        self.settle(result)
    }

    fn next_answer(&mut self) -> Outcome<StatementResult> {
        let patience = &self.patience;
        self.session.link.wait(|c| patience.wait_once(c.advance())).map_err(failure)
    }

    /// Reads rows until a block is full or there are no more.
    fn take(&mut self, mut taker: Taker) -> Outcome<Taker> {
        let (rows, bytes, patience) = (self.block_rows, self.block_bytes, &self.patience);
        let read = self.session.link.wait(|client| async move {
            let come = std::cell::Cell::new(0);
            let reading = async {
                let mut more = true;
                while more && taker.rows < rows && taker.bytes < bytes {
                    more = client.next_row_into(&mut taker).await?;
                    come.set(taker.rows);
                }
                Ok((more, taker))
            };
            patience.wait(&come, reading).await
        });
        let (more, taker) = read.map_err(failure)?;
        if !more {
            self.stage = Stage::Between;
        }
        Ok(taker)
    }

    fn next_rows(&mut self) -> Outcome<Option<Rows>> {
        if self.stage != Stage::Rows {
            return Ok(None);
        }
        let taker = Taker::new(&self.reading.columns, &self.reading.wanted, self.block_rows.min(FEW));
        let taker = self.take(taker)?;
        if taker.rows == 0 {
            return Ok(None);
        }
        taker.finish().map(Some)
    }

    /// What came out of the parameters.
    fn outputs(&self) -> Outcome<Vec<Value>> {
        let mut outputs = vec![Value::Null; self.params.len()];
        if self.params.iter().all(|p| p.direction == Direction::Input) {
            return Ok(outputs);
        }
        for came in self.session.link.client.get_return_values() {
            // They come by their names (unconfirmed: that no server leaves these out).
            let number = came.param_name.strip_prefix(self.prefix).and_then(|n| n.parse::<usize>().ok());
            let Some((at, param)) = number.and_then(|n| Some((n.checked_sub(1)?, self.params.get(n.checked_sub(1)?)?)))
            else {
                continue;
            };
            let (value, from) = returned(&came.column_metadata, &came.value)?;
            outputs[at] = converted(value, from, param.data_type)?;
        }
        Ok(outputs)
    }
}

impl Cursor for SqlServerCursor<'_> {
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
            Ok(rows) => Ok(rows.map(|r| Box::new(r) as Box<dyn RowBlock>)),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn next_result(&mut self) -> Outcome<bool> {
        let found = self.advance();
        found.map_err(|e| self.failed(e))
    }

    fn finish(mut self: Box<Self>) -> Outcome<Executed> {
        while self.next_result()? {}
        let outputs = self.outputs().map_err(|error| DbError { source: SOURCE.into(), ..error })?;
        Ok(Executed { rows: self.affected, outputs })
    }
}

impl Drop for SqlServerCursor<'_> {
    fn drop(&mut self) {
        if !self.session.interrupter.is_cancelled() {
            // Mostly what nobody wants any more is little, and has come already; and behind the rows comes the end alone.
            (self.block_rows, self.block_bytes, self.patience.limit) = (FEW, usize::MAX, Some(SOON));
            if self.stage == Stage::Rows && self.take(Taker::nothing(self.reading.columns.len())).is_err() {
                self.stage = Stage::Ended;
            }
            if self.stage == Stage::Between {
                let _ = self.advance();
            }
        }
        if self.session.link.client.has_open_batch() {
            // The server is asked to stop. What is wrong with the connection after that, the next statement finds.
            let _ = self.session.link.wait(|c| c.cancel_query(STOPPING));
        }
        // Parameters that came back are of no more use.
        let _ = self.session.link.wait(|c| c.close_query());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::dialect::{Dialect, Family};

    #[test]
    fn columns_that_the_server_found() {
        let row = |kind, length, precision, scale, page: Option<i64>| {
            let int = |n: Option<i64>| n.map_or(Cell::Null, Cell::Int);
            [
                Cell::Text("c"),
                Cell::Bool(true),
                Cell::Int(kind),
                Cell::Int(length),
                Cell::Int(precision),
                Cell::Int(scale),
                int(page),
                Cell::Bool(false),
                Cell::Bool(false),
                Cell::Null,
            ]
        };
        use DataType as T;
        for (row, expected, native) in [
            (row(56, 4, 10, 0, None), T::I4, "int"),
            (row(48, 1, 3, 0, None), T::UI1, "tinyint"),
            (row(127, 8, 19, 0, None), T::I8, "bigint"),
            (row(104, 1, 1, 0, None), T::Bool, "bit"),
            (row(106, 9, 18, 2, None), T::Numeric { precision: 18, scale: 2 }, "decimal(18,2)"),
            (row(60, 8, 19, 4, None), T::Cy, "money"),
            (row(122, 4, 10, 4, None), T::Cy, "smallmoney"),
            (row(61, 8, 23, 3, None), T::DbTimeStamp, "datetime"),
            (row(58, 4, 16, 0, None), T::DbTimeStamp, "smalldatetime"),
            (row(42, 8, 27, 7, None), T::DbTimeStamp2 { scale: 7 }, "datetime2(7)"),
            (row(41, 5, 16, 7, None), T::DbTime2 { scale: 7 }, "time(7)"),
            (row(43, 10, 34, 7, None), T::DbTimeStampOffset { scale: 7 }, "datetimeoffset(7)"),
            (row(40, 3, 10, 0, None), T::DbDate, "date"),
            (row(231, 100, 0, 0, Some(1252)), T::WStr { len: 50 }, "nvarchar(50)"),
            (row(231, -1, 0, 0, Some(1252)), T::NText, "nvarchar(max)"),
            (row(167, 20, 0, 0, Some(1250)), T::Str { len: 20, code_page: 1250 }, "varchar(20)"),
            (row(167, -1, 0, 0, Some(65_001)), T::Text { code_page: 65_001 }, "varchar(max)"),
            (row(35, 16, 0, 0, Some(1252)), T::Text { code_page: 1252 }, "text"),
            (row(165, -1, 0, 0, None), T::Image, "varbinary(max)"),
            (row(189, 8, 0, 0, None), T::Bytes { len: 8 }, "rowversion"),
            (row(36, 16, 0, 0, None), T::Guid, "uniqueidentifier"),
            (row(98, 8016, 0, 0, None), T::WStr { len: 4000 }, "sql_variant"),
            (row(241, -1, 0, 0, None), T::NText, "xml"),
            (row(240, -1, 0, 0, None), T::Image, "udt"),
        ] {
            let column = found(&row).unwrap();
            assert_eq!((column.data_type, column.native.as_str()), (expected, native));
            assert_eq!((column.nullable, column.generated), (Some(true), native == "rowversion"));
        }
        let mut failed = row(56, 4, 10, 0, None);
        failed[9] = Cell::Int(11_526);
        assert_eq!(found(&failed), None);
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn tables_as_the_catalog_is_asked_for_them() {
        let dialect = Dialect::of(Family::SqlServer);
        for (name, expected) in [
            ("dbo.[It's]", "N'[dbo].[It''s]'"),
            ("T", "N'[T]'"),
            ("Stage..T", "N'[Stage]..[T]'"),
            ("#t", "N'tempdb..[#t]'"),
            ("dbo.#t", "N'tempdb..[#t]'"),
            ("tempdb..#t", "N'[tempdb]..[#t]'"),
        ] {
            let table = TableName::parse(name);
            assert_eq!(literal(&dialect.table(&table), &table), expected, "{name}");
        }
    }
}
