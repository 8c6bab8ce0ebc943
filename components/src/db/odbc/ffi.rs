//! The only room of the databases with `unsafe` code: ODBC handles, and memory that a driver writes into.
//!
//! Safety rests on ownership. What is bound to a statement is owned by it for as long as it is bound, so that a driver
//! never holds a pointer to memory that is gone; a statement keeps its connection alive; handles are freed once.

#![expect(unsafe_code, reason = "ODBC is a C interface; every block says why it is sound")]

use super::super::error::{DbError, ErrorKind, Outcome};
use super::super::secret::{Secret, scrub};
use super::kinds;
use odbc_api::handles::{Environment, SqlResult};
use odbc_sys::*;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Characters of a message or a name that are asked for.
const TEXT: usize = 1024;

/// Types that any bytes are a value of, as drivers write them.
///
/// # Safety
/// Every bit pattern is a value, the alignment is at most that of `u64`.
pub(super) unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($t:ty),*) => {
        // SAFETY: integers, floats and structs of integers without padding that anybody reads.
        $(unsafe impl Plain for $t {})*
    };
}
plain!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, Date, Time, Timestamp);

/// The values of one column or parameter for a number of rows.
pub(super) struct Buffer {
    pub(super) c_type: CDataType,
    /// Bytes of one value.
    pub(super) width: usize,
    /// Aligned for every plain type.
    data: Vec<u64>,
    /// By row: the length in bytes, or SQL_NULL_DATA.
    pub(super) indicators: Vec<Len>,
}

impl Buffer {
    pub(super) fn new(c_type: CDataType, width: usize, rows: usize) -> Buffer {
        let width = width.max(1);
        Buffer { c_type, width, data: vec![0; (width * rows).div_ceil(8).max(1)], indicators: vec![0; rows.max(1)] }
    }

    fn pointer(&mut self) -> Pointer {
        self.data.as_mut_ptr().cast()
    }

    /// All bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the vector holds that many initialised bytes, and bytes have no alignment.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr().cast(), self.data.len() * 8) }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; the borrow is exclusive, and every byte pattern is a u64.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_mut_ptr().cast(), self.data.len() * 8) }
    }

    /// The first `rows` values.
    pub(super) fn values<T: Plain>(&self, rows: usize) -> &[T] {
        assert!(rows * size_of::<T>() <= self.data.len() * 8 && align_of::<T>() <= align_of::<u64>());
        // SAFETY: the bytes are there (asserted), aligned (asserted), and any bytes are a value of a plain type.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr().cast(), rows) }
    }

    pub(super) fn values_mut<T: Plain>(&mut self, rows: usize) -> &mut [T] {
        assert!(rows * size_of::<T>() <= self.data.len() * 8 && align_of::<T>() <= align_of::<u64>());
        // SAFETY: as in `values`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_mut_ptr().cast(), rows) }
    }
}

/// What a column of a result looks like.
#[derive(Clone, Debug)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) sql_type: i16,
    pub(super) size: usize,
    pub(super) digits: i16,
    pub(super) nullable: Option<bool>,
    pub(super) unsigned: bool,
    pub(super) auto: bool,
    pub(super) type_name: String,
}

/// One parameter: its buffer, and as what it is bound.
pub(super) struct Bound {
    pub(super) buffer: Buffer,
    pub(super) direction: ParamType,
    pub(super) sql_type: SqlDataType,
    pub(super) size: usize,
    pub(super) digits: i16,
}

/// A connection.
pub(super) struct Connection {
    handle: HDbc,
    secrets: Vec<Secret>,
    source: String,
}

// SAFETY: ODBC handles may be used from any thread; sessions see to it that it is one at a time, but for SQLCancel,
// which may be called at any time.
unsafe impl Send for Connection {}
// SAFETY: as above; no method hands out references to what a driver changes.
unsafe impl Sync for Connection {}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn narrow(units: &[u16]) -> String {
    let end = units.iter().position(|u| *u == 0).unwrap_or(units.len());
    String::from_utf16_lossy(&units[..end])
}

fn good(code: SqlReturn) -> bool {
    code == SqlReturn::SUCCESS || code == SqlReturn::SUCCESS_WITH_INFO
}

/// Everything that a driver says about the last call with a handle.
fn diagnose(kind: HandleType, handle: Handle) -> DbError {
    let (mut state, mut native, mut said) = (String::new(), 0, Vec::new());
    for record in 1..=8 {
        let (mut code, mut number, mut length) = ([0_u16; 6], 0_i32, 0_i16);
        let mut text = [0_u16; TEXT];
        // SAFETY: all pointers are to locals of the sizes that are told; the handle is alive in every caller.
        let result = unsafe {
            SQLGetDiagRecW(
                kind,
                handle,
                record,
                code.as_mut_ptr(),
                &mut number,
                text.as_mut_ptr(),
                TEXT as i16,
                &mut length,
            )
        };
        if !good(result) {
            break;
        }
        if record == 1 {
            (state, native) = (narrow(&code), number);
        }
        said.push(narrow(&text));
    }
    let message = if said.is_empty() { "the driver says nothing".to_owned() } else { said.join(" ") };
    let kind = kinds::of(&state, native, "", &message);
    DbError { state, native, ..DbError::new(kind, message) }
}

struct SharedEnvironment(Environment);
// SAFETY: an environment handle may be used from any thread; here, only its pointer is read.
unsafe impl Sync for SharedEnvironment {}
// SAFETY: as above.
unsafe impl Send for SharedEnvironment {}

/// The ODBC environment of this process.
pub(super) fn environment() -> Outcome<HEnv> {
    static ENVIRONMENT: OnceLock<Option<SharedEnvironment>> = OnceLock::new();
    let made = ENVIRONMENT.get_or_init(|| {
        let environment = Environment::new().success_or_info()?;
        environment.declare_version(AttrOdbcVersion::Odbc3_80).success_or_info()?;
        Some(SharedEnvironment(environment))
    });
    match made {
        Some(shared) => Ok(shared.0.as_raw()),
        None => Err(DbError::new(ErrorKind::NoDriver, "the ODBC driver manager cannot be started")),
    }
}

trait SuccessOrInfo<T> {
    fn success_or_info(self) -> Option<T>;
}

impl<T> SuccessOrInfo<T> for SqlResult<T> {
    fn success_or_info(self) -> Option<T> {
        match self {
            SqlResult::Success(value) | SqlResult::SuccessWithInfo(value) => Some(value),
            _ => None,
        }
    }
}

impl Connection {
    /// Connects.
    pub(super) fn open(
        environment: HEnv,
        string: &str,
        secrets: &[Secret],
        timeout: Option<Duration>,
    ) -> Outcome<Arc<Connection>> {
        let mut handle = Handle::null();
        // SAFETY: the environment lives as long as the process; the handle is written on success.
        let allocated = unsafe { SQLAllocHandle(HandleType::Dbc, environment.as_handle(), &mut handle) };
        if !good(allocated) {
            return Err(diagnose(HandleType::Env, environment.as_handle()));
        }
        // From here on, dropping frees the handle.
        let mut connection =
            Connection { handle: handle.as_hdbc(), secrets: secrets.to_vec(), source: "ODBC".to_owned() };
        if let Some(timeout) = timeout {
            let seconds = timeout.as_secs().max(1) as usize;
            // A driver that does not know the attribute connects without it.
            // SAFETY: the attribute takes an integer in the place of the pointer.
            let _ = unsafe {
                SQLSetConnectAttrW(connection.handle, ConnectionAttribute::LOGIN_TIMEOUT, seconds as Pointer, 0)
            };
        }
        let text = wide(string);
        let length = i16::try_from(text.len())
            .map_err(|_| DbError::new(ErrorKind::Connect, "the connection string is too long"))?;
        // SAFETY: the string has that many units; nothing is asked to be written.
        let code = unsafe {
            SQLDriverConnectW(
                connection.handle,
                null_mut(),
                text.as_ptr(),
                length,
                null_mut(),
                0,
                null_mut(),
                DriverConnectOption::NoPrompt,
            )
        };
        if !good(code) {
            let error = connection.diagnose();
            let kind = match error.kind {
                ErrorKind::NoDriver | ErrorKind::Timeout => error.kind,
                _ => ErrorKind::Connect,
            };
            return Err(DbError { kind, ..error });
        }
        connection.source = connection.info_text(InfoType::DriverName).unwrap_or_else(|| "ODBC".to_owned());
        Ok(Arc::new(connection))
    }

    fn diagnose(&self) -> DbError {
        self.dressed(diagnose(HandleType::Dbc, self.handle.as_handle()))
    }

    fn dressed(&self, error: DbError) -> DbError {
        let kind = kinds::of(&error.state, error.native, &self.source, &error.message);
        DbError { kind, message: scrub(&error.message, &self.secrets), source: self.source.clone(), ..error }
    }

    /// A text that the driver tells of itself or of its database.
    pub(super) fn info_text(&self, info: InfoType) -> Option<String> {
        let (mut text, mut length) = ([0_u16; 256], 0_i16);
        // SAFETY: the buffer has that many bytes.
        let code = unsafe { SQLGetInfoW(self.handle, info, text.as_mut_ptr().cast(), 512, &mut length) };
        good(code).then(|| narrow(&text))
    }

    /// A number that the driver tells of itself; None if it does not.
    pub(super) fn info_number(&self, info: InfoType) -> Option<u32> {
        let (mut number, mut length) = (0_u32, 0_i16);
        // SAFETY: these kinds of information are 32 bits long.
        let code = unsafe { SQLGetInfoW(self.handle, info, (&raw mut number).cast(), 4, &mut length) };
        good(code).then_some(number)
    }

    /// Whether each statement is a transaction of its own.
    pub(super) fn set_autocommit(&self, on: bool) -> Outcome<()> {
        // SAFETY: the attribute takes an integer in the place of the pointer.
        let code =
            unsafe { SQLSetConnectAttrW(self.handle, ConnectionAttribute::AUTOCOMMIT, usize::from(on) as Pointer, 0) };
        if good(code) { Ok(()) } else { Err(self.diagnose()) }
    }

    /// Whether the driver has seen that the connection is lost; it does not ask the server.
    pub(super) fn is_dead(&self) -> bool {
        let mut dead = 0_u32;
        // SAFETY: the attribute is 32 bits long.
        let code = unsafe {
            let value = (&raw mut dead).cast();
            SQLGetConnectAttrW(self.handle, ConnectionAttribute::CONNECTION_DEAD, value, 4, null_mut())
        };
        good(code) && dead == 1
    }

    /// Ends the transaction.
    pub(super) fn end(&self, commit: bool) -> Outcome<()> {
        let how = if commit { CompletionType::Commit } else { CompletionType::Rollback };
        // SAFETY: the handle is alive.
        let code = unsafe { SQLEndTran(HandleType::Dbc, self.handle.as_handle(), how) };
        if good(code) { Ok(()) } else { Err(self.diagnose()) }
    }

    /// Asks the driver for a session that is as good as new; only some can.
    pub(super) fn reset(&self) -> bool {
        // SAFETY: the attribute takes an integer in the place of the pointer.
        let code =
            unsafe { SQLSetConnectAttrW(self.handle, ConnectionAttribute::RESET_CONNECTION, 1_usize as Pointer, -5) };
        good(code)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: no statement is left, as each keeps its connection alive; the handle is freed once. What a driver says
        // of a connection that broke changes nothing.
        unsafe {
            let _ = SQLDisconnect(self.handle);
            let _ = SQLFreeHandle(HandleType::Dbc, self.handle.as_handle());
        }
    }
}

/// The statement that a session works on, for SQLCancel from other threads.
#[derive(Clone, Default)]
pub(super) struct Working(Arc<Mutex<Option<Running>>>);

struct Running(HStmt);
// SAFETY: SQLCancel may be called from any thread.
unsafe impl Send for Running {}

impl Working {
    /// Interrupts the statement, if there is one. The lock keeps it alive meanwhile.
    pub(super) fn cancel(&self) {
        if let Some(Running(handle)) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: the handle is alive, as it is taken out of here before it is freed.
            let _ = unsafe { SQLCancel(*handle) };
        }
    }
}

/// A statement, with what is bound to it.
pub(super) struct Statement {
    handle: HStmt,
    working: Working,
    columns: Vec<Buffer>,
    fetched: Box<ULen>,
    parameters: Vec<Bound>,
    /// Rows of parameters that the driver was told of last.
    paramset: usize,
    statuses: Vec<u16>,
    processed: Box<ULen>,
    connection: Arc<Connection>,
}

/// What a row of parameters says before anything happened to it: no driver says that.
pub(super) const UNTOUCHED: u16 = u16::MAX;

// SAFETY: as for connections.
unsafe impl Send for Statement {}

impl Statement {
    pub(super) fn new(connection: &Arc<Connection>, working: &Working) -> Outcome<Statement> {
        let mut handle = Handle::null();
        // SAFETY: the connection is alive; the handle is written on success.
        let code = unsafe { SQLAllocHandle(HandleType::Stmt, connection.handle.as_handle(), &mut handle) };
        if !good(code) {
            return Err(connection.diagnose());
        }
        let handle = handle.as_hstmt();
        *working.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Running(handle));
        Ok(Statement {
            handle,
            working: working.clone(),
            columns: Vec::new(),
            fetched: Box::new(0),
            parameters: Vec::new(),
            paramset: 1,
            statuses: Vec::new(),
            processed: Box::new(0),
            connection: connection.clone(),
        })
    }

    fn check(&self, code: SqlReturn) -> Outcome<bool> {
        match code {
            SqlReturn::SUCCESS | SqlReturn::SUCCESS_WITH_INFO => Ok(true),
            SqlReturn::NO_DATA => Ok(false),
            _ => Err(self.connection.dressed(diagnose(HandleType::Stmt, self.handle.as_handle()))),
        }
    }

    fn set(&self, attribute: StatementAttribute, value: usize) -> Outcome<()> {
        // SAFETY: the attributes that are set here take an integer in the place of the pointer.
        self.check(unsafe { SQLSetStmtAttrW(self.handle, attribute, value as Pointer, 0) }).map(drop)
    }

    /// How long it may run; a driver that cannot tell runs as long as it takes.
    pub(super) fn set_timeout(&self, timeout: Option<Duration>) {
        if let Some(timeout) = timeout {
            let _ = self.set(StatementAttribute::QueryTimeout, timeout.as_secs().max(1) as usize);
        }
    }

    pub(super) fn prepare(&mut self, sql: &str) -> Outcome<()> {
        let text = wide(sql);
        // SAFETY: the text has that many units.
        self.check(unsafe { SQLPrepareW(self.handle, text.as_ptr(), text.len() as i32) }).map(drop)
    }

    /// Runs a statement that was not prepared. False: it touched nothing.
    pub(super) fn execute_direct(&mut self, sql: &str) -> Outcome<bool> {
        let text = wide(sql);
        // SAFETY: the text has that many units; what is bound is owned by the statement.
        self.check(unsafe { SQLExecDirectW(self.handle, text.as_ptr(), text.len() as i32) })
    }

    /// Runs what was prepared. False: it touched nothing.
    pub(super) fn execute(&mut self) -> Outcome<bool> {
        // SAFETY: what is bound is owned by the statement.
        self.check(unsafe { SQLExecute(self.handle) })
    }

    /// How many columns the result has.
    pub(super) fn width(&mut self) -> Outcome<u16> {
        let mut count = 0;
        // SAFETY: the pointer is to a local.
        self.check(unsafe { SQLNumResultCols(self.handle, &mut count) })?;
        Ok(count.max(0) as u16)
    }

    /// Rows affected; None where the driver does not know.
    pub(super) fn row_count(&mut self) -> Option<u64> {
        let mut count: Len = -1;
        // SAFETY: the pointer is to a local.
        let code = unsafe { SQLRowCount(self.handle, &mut count) };
        if good(code) { u64::try_from(count).ok() } else { None }
    }

    fn attribute(&mut self, column: u16, what: Desc) -> Option<isize> {
        let mut value: Len = 0;
        // SAFETY: a numeric attribute is written to the last pointer, which is to a local.
        let code = unsafe { SQLColAttributeW(self.handle, column, what, null_mut(), 0, null_mut(), &mut value) };
        good(code).then_some(value)
    }

    fn attribute_text(&mut self, column: u16, what: Desc) -> String {
        let (mut text, mut length, mut number) = ([0_u16; 128], 0_i16, 0);
        // SAFETY: the buffer has that many bytes.
        let code = unsafe {
            SQLColAttributeW(self.handle, column, what, text.as_mut_ptr().cast(), 256, &mut length, &mut number)
        };
        if good(code) { narrow(&text) } else { String::new() }
    }

    /// Asks for the columns of a table (SQLColumns); they come as rows.
    pub(super) fn columns_of(&mut self, catalog: Option<&str>, schema: Option<&str>, table: &str) -> Outcome<()> {
        let [catalog, schema, table] = [catalog, schema, Some(table)].map(|name| name.map(wide));
        let part = |name: &Option<Vec<u16>>| {
            name.as_ref().map_or((null_mut::<u16>().cast_const(), 0), |units| (units.as_ptr(), units.len() as i16))
        };
        let (parts, none) = ([part(&catalog), part(&schema), part(&table)], null_mut::<u16>().cast_const());
        // SAFETY: the names have that many units and live until the call returns.
        self.check(unsafe {
            SQLColumnsW(self.handle, parts[0].0, parts[0].1, parts[1].0, parts[1].1, parts[2].0, parts[2].1, none, 0)
        })
        .map(drop)
    }

    /// Column `column`, from 1.
    pub(super) fn describe(&mut self, column: u16) -> Outcome<Described> {
        let (mut name, mut length) = ([0_u16; TEXT], 0_i16);
        let (mut kind, mut size, mut digits, mut nullable) = (SqlDataType(0), 0, 0_i16, Nullability::UNKNOWN);
        // SAFETY: all pointers are to locals of the sizes that are told.
        let code = unsafe {
            SQLDescribeColW(
                self.handle,
                column,
                name.as_mut_ptr(),
                TEXT as i16,
                &mut length,
                &mut kind,
                &mut size,
                &mut digits,
                &mut nullable,
            )
        };
        self.check(code)?;
        Ok(Described {
            name: narrow(&name),
            sql_type: kind.0,
            size,
            digits,
            nullable: match nullable {
                Nullability::NULLABLE => Some(true),
                Nullability::NO_NULLS => Some(false),
                _ => None,
            },
            unsigned: self.attribute(column, Desc::Unsigned) == Some(1),
            auto: self.attribute(column, Desc::AutoUniqueValue) == Some(1),
            type_name: self.attribute_text(column, Desc::TypeName),
        })
    }

    /// Binds buffers for `rows` rows to the first columns, and gives back those that were bound before.
    pub(super) fn bind_columns(&mut self, buffers: Vec<Buffer>, rows: usize) -> Outcome<Vec<Buffer>> {
        let before = self.unbind();
        debug_assert!(buffers.iter().all(|b| b.indicators.len() >= rows));
        self.columns = buffers;
        self.set(StatementAttribute::RowArraySize, rows)?;
        let fetched: *mut ULen = &mut *self.fetched;
        // SAFETY: the box lives as long as the statement.
        self.check(unsafe { SQLSetStmtAttrW(self.handle, StatementAttribute::RowsFetchedPtr, fetched.cast(), 0) })?;
        for at in 0..self.columns.len() {
            let buffer = &mut self.columns[at];
            let (kind, width) = (buffer.c_type, buffer.width as Len);
            let (data, indicators) = (buffer.pointer(), buffer.indicators.as_mut_ptr());
            // SAFETY: the buffer holds `rows` values of `width` bytes and as many indicators, its memory does not move
            // (vectors that nobody grows), and the statement owns it until it is unbound.
            let code = unsafe { SQLBindCol(self.handle, at as u16 + 1, kind, data, width, indicators) };
            self.check(code)?;
        }
        Ok(before)
    }

    /// Takes the buffers of columns back.
    pub(super) fn unbind(&mut self) -> Vec<Buffer> {
        if !self.columns.is_empty() {
            // SAFETY: the handle is alive; afterwards the driver knows no buffer any more.
            let _ = unsafe { SQLFreeStmt(self.handle, FreeStmtOption::Unbind) };
        }
        std::mem::take(&mut self.columns)
    }

    /// Fetches up to as many rows as buffers were bound for; 0: there are no more.
    pub(super) fn fetch(&mut self) -> Outcome<usize> {
        *self.fetched = 0;
        // SAFETY: what is bound is owned by the statement.
        let more = self.check(unsafe { SQLFetch(self.handle) })?;
        Ok(if more { *self.fetched } else { 0 })
    }

    /// Reads one value of the row that was fetched, in pieces, into `out`. False: it is NULL.
    pub(super) fn get_data(&mut self, column: u16, kind: CDataType, out: &mut Vec<u8>) -> Outcome<bool> {
        let mut piece = vec![0_u8; 16 * 1024];
        // Drivers end text with a NUL that is no part of it.
        let terminator = match kind {
            CDataType::WChar => 2,
            CDataType::Char => 1,
            _ => 0,
        };
        out.clear();
        loop {
            let mut indicator: Len = 0;
            // SAFETY: the piece has that many bytes; the indicator is a local.
            let code = unsafe {
                SQLGetData(self.handle, column, kind, piece.as_mut_ptr().cast(), piece.len() as Len, &mut indicator)
            };
            if !self.check(code)? {
                return Ok(true);
            }
            if indicator == NULL_DATA {
                return Ok(false);
            }
            let room = piece.len() - terminator;
            let whole = indicator >= 0 && indicator as usize <= room;
            let got = if whole { indicator as usize } else { room };
            out.extend_from_slice(&piece[..got]);
            if whole || (code == SqlReturn::SUCCESS && indicator != NO_TOTAL) {
                return Ok(true);
            }
            if indicator > 0 {
                let rest = (indicator as usize - got).min(1 << 24) + terminator;
                piece.resize(rest.next_multiple_of(2).max(piece.len()), 0);
            }
        }
    }

    /// Binds parameters for `rows` rows.
    pub(super) fn bind_parameters(&mut self, parameters: Vec<Bound>, rows: usize) -> Outcome<()> {
        // SAFETY: the handle is alive; afterwards the driver knows no parameter any more.
        let _ = unsafe { SQLFreeStmt(self.handle, FreeStmtOption::ResetParams) };
        self.parameters = parameters;
        if rows > 1 || self.paramset > 1 {
            self.set_paramset(rows)?;
        }
        for at in 0..self.parameters.len() {
            let Bound { buffer, direction, sql_type, size, digits } = &mut self.parameters[at];
            let (kind, width) = (buffer.c_type, buffer.width as Len);
            let (data, indicators) = (buffer.pointer(), buffer.indicators.as_mut_ptr());
            // SAFETY: as for columns.
            let code = unsafe {
                SQLBindParameter(
                    self.handle,
                    at as u16 + 1,
                    *direction,
                    kind,
                    *sql_type,
                    *size,
                    *digits,
                    data,
                    width,
                    indicators,
                )
            };
            self.check(code)?;
        }
        Ok(())
    }

    /// How many rows of parameters there are, and where the driver tells of each; of a single row it tells nothing.
    fn set_paramset(&mut self, rows: usize) -> Outcome<()> {
        let statuses = if rows > 1 { vec![UNTOUCHED; rows] } else { Vec::new() };
        let before = std::mem::replace(&mut self.statuses, statuses);
        let (pointer, processed): (Pointer, Pointer) = match rows {
            0 | 1 => (null_mut(), null_mut()),
            _ => (self.statuses.as_mut_ptr().cast(), (&raw mut *self.processed).cast()),
        };
        // SAFETY: vector and box are owned by the statement and do not move; the vector that the driver knew lives until
        // it knows the new one.
        let told = unsafe { SQLSetStmtAttrW(self.handle, StatementAttribute::ParamStatusPtr, pointer, 0) };
        if !good(told) {
            // The driver may still write into what it knows.
            std::mem::forget(before);
            return self.check(told).map(drop);
        }
        // SAFETY: as above.
        self.check(unsafe { SQLSetStmtAttrW(self.handle, StatementAttribute::ParamsProcessedPtr, processed, 0) })?;
        self.set(StatementAttribute::ParamsetSize, rows.max(1))?;
        self.paramset = rows.max(1);
        Ok(())
    }

    /// Before rows of parameters are run: nothing was said of any.
    pub(super) fn forget_statuses(&mut self) {
        self.statuses.fill(UNTOUCHED);
        *self.processed = 0;
    }

    /// What the driver says of each row of parameters.
    pub(super) fn statuses(&self) -> &[u16] {
        &self.statuses
    }

    /// How many rows of parameters the driver says that it went through.
    pub(super) fn processed(&self) -> usize {
        *self.processed
    }

    /// The parameters as they are after the statement ran.
    pub(super) fn parameters(&self) -> &[Bound] {
        &self.parameters
    }

    /// Goes to the next result. False: there is none.
    pub(super) fn more_results(&mut self) -> Outcome<bool> {
        // SAFETY: the handle is alive.
        self.check(unsafe { SQLMoreResults(self.handle) })
    }

    /// Ends the result, so that the statement can run again.
    pub(super) fn close(&mut self) {
        // SAFETY: the handle is alive; without an open cursor, this does nothing.
        let _ = unsafe { SQLFreeStmt(self.handle, FreeStmtOption::Close) };
    }

    /// Makes this the statement that is cancelled.
    pub(super) fn working(&self) {
        *self.working.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Running(self.handle));
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        let mut working = self.working.0.lock().unwrap_or_else(PoisonError::into_inner);
        if working.as_ref().is_some_and(|r| r.0 == self.handle) {
            *working = None;
        }
        drop(working);
        // SAFETY: the handle is freed once, before the buffers that are bound to it, and the connection is alive.
        let _ = unsafe { SQLFreeHandle(HandleType::Stmt, self.handle.as_handle()) };
    }
}
