//! Reference rows in a database: all of them before the first row, or one query a key.

use super::{Builder, ReferenceSpec, Table, duplicates};
use crate::connections::database::not_acquired;
use crate::db::{Cursor, Database, DbError, ErrorKind, Lease, Param, RowBlock, StatementOptions, source_code};
use crate::shared::{shown, taken};
use arrow::array::ArrayRef;
use dtsx_engine::diag::{Code, Error, Owner, Result, codes};
use dtsx_engine::flow::OpenCx;
use dtsx_engine::run::Services;
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::CastOptions;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Blocks that may be on their way from the database to the table.
const BLOCKS: usize = 4;

/// A query for reference rows.
pub(crate) struct ReferenceQuery {
    /// None at a check that asks no server.
    pub database: Option<Database>,
    /// The columns that are needed, and which of them are keys.
    pub spec: Arc<ReferenceSpec>,
    /// SqlCommand.
    pub command: String,
    pub options: StatementOptions,
    pub fail_duplicates: bool,
    pub locale: u32,
}

/// How the needed columns come: place in the cursor, type there.
pub(crate) type Delivered = Vec<(usize, DataType)>;

impl ReferenceQuery {
    /// A query for the columns of `spec`.
    pub(crate) fn new(
        database: Option<Database>,
        spec: Arc<ReferenceSpec>,
        command: String,
        locale: u32,
    ) -> ReferenceQuery {
        let options = StatementOptions::default();
        ReferenceQuery { database, spec, command, options, fail_duplicates: false, locale }
    }

    /// A failure of the database while `code` says what was being done.
    fn failed(&self, code: Code, error: DbError) -> Error {
        if error.kind == ErrorKind::Cancelled {
            return Error::cancelled();
        }
        let told = error.of_connection(self.database.as_ref().map_or("", |d| d.name())).into_oledb_error();
        Error::new(told.owner(), code, format!("{} {}", code.message(&[]), told.message()))
    }

    /// What the rows are.
    pub(crate) fn spec(&self) -> &ReferenceSpec {
        &self.spec
    }

    /// Hands every row to `take` as it comes, block by block. This waits.
    ///
    /// # Errors
    /// As [`ReferenceQuery::load`], and those of `take`.
    pub(crate) fn each(&self, services: &Services, mut take: impl FnMut(Vec<ArrayRef>) -> Result<()>) -> Result<()> {
        let mut session = self.lease()?;
        let sql = session.dialect().translate(&self.command).into_owned();
        let query = codes::DTS_E_TXLOOKUP_OLEDBERR_GETIROWSET;
        let mut cursor = session.query(&sql, &[], &self.options).map_err(|e| self.failed(query, e))?;
        let delivered = self.deliver(cursor.as_mut())?;
        let fetch = codes::DTS_E_TXLOOKUP_OLEDBERR_FILLBUFFER;
        while let Some(block) = cursor.next_block().map_err(|e| self.failed(fetch, e))? {
            services.cancel.check()?;
            take(self.columns(block, &delivered)?)?;
        }
        Ok(())
    }

    /// A session. This waits.
    ///
    /// # Errors
    /// DTS_E_CANNOTACQUIRECONNECTIONFROMCONNECTIONMANAGER.
    pub(crate) fn lease(&self) -> Result<Lease> {
        let database = self.database.as_ref();
        let database = database.ok_or_else(|| Error::internal("a lookup that was not bound to a server is run"))?;
        database.lease().map_err(|e| not_acquired(database.name(), &e))
    }

    /// Reads every reference row. This waits.
    ///
    /// # Errors
    /// What the database says; a value that is not of the type that the package tells; duplicate keys, if they are errors.
    pub(crate) fn load(self: &Arc<Self>, cx: &OpenCx) -> Result<Table> {
        let mut session = self.lease()?;
        let sql = session.dialect().translate(&self.command).into_owned();
        let query = codes::DTS_E_TXLOOKUP_OLEDBERR_GETIROWSET;
        let mut cursor = session.query(&sql, &[], &self.options).map_err(|e| self.failed(query, e))?;
        let delivered = self.deliver(cursor.as_mut())?;
        let builder = Builder::new(self.spec.clone(), &cx.services);
        self.fill(cursor.as_mut(), &delivered, &builder, &cx.services)?;
        drop(cursor);
        let table = cx.services.pool.install(|| builder.finish())?;
        duplicates(cx, table.duplicates(), self.fail_duplicates)?;
        Ok(table)
    }

    /// Fetches blocks on this thread, which waits, while the pool decodes them.
    fn fill(
        &self,
        cursor: &mut dyn Cursor,
        delivered: &Delivered,
        builder: &Builder,
        services: &Services,
    ) -> Result<()> {
        let fetch = codes::DTS_E_TXLOOKUP_OLEDBERR_FILLBUFFER;
        let failure: Mutex<Option<Error>> = Mutex::new(None);
        let (under_way, changed) = (Mutex::new(0usize), Condvar::new());
        let taken = || failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        let fetched = services.pool.in_place_scope(|scope| -> Result<()> {
            let mut order = 0;
            while let Some(block) = cursor.next_block().map_err(|e| self.failed(fetch, e))? {
                services.cancel.check()?;
                let mut count = under_way.lock().unwrap_or_else(PoisonError::into_inner);
                while *count >= BLOCKS {
                    count = changed.wait(count).unwrap_or_else(PoisonError::into_inner);
                }
                *count += 1;
                drop(count);
                if let Some(error) = taken() {
                    return Err(error);
                }
                let (failure, under_way, changed) = (&failure, &under_way, &changed);
                scope.spawn(move |_| {
                    let added = self.columns(block, delivered).and_then(|columns| builder.add((order, 0), &columns));
                    if let Err(error) = added {
                        failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    }
                    *under_way.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
                    changed.notify_all();
                });
                order += 1;
            }
            Ok(())
        });
        fetched?;
        taken().map_or(Ok(()), Err)
    }

    /// Finds the needed columns in the cursor, by name, and says which types they should have.
    pub(crate) fn deliver(&self, cursor: &mut dyn Cursor) -> Result<Delivered> {
        let there = cursor.columns();
        let find = |name: &str| {
            let exact = there.iter().position(|c| c.name == name);
            exact.or_else(|| there.iter().position(|c| c.name.to_lowercase() == name.to_lowercase()))
        };
        let mut places = Vec::with_capacity(self.spec.columns.len());
        for column in &self.spec.columns {
            places.push(find(&column.name).ok_or_else(|| {
                let code = codes::DTS_E_TXLOOKUP_UNABLETOLOCATEREFCOLUMN;
                let names: Vec<&str> = there.iter().map(|c| c.name.as_str()).collect();
                let message = format!("{} The query yields {}.", code.message(&[&column.name]), names.join(", "));
                Error::new(Owner::Package, code, message)
            })?);
        }
        let mut wishes: Vec<Option<DataType>> = vec![None; there.len()];
        for (place, column) in places.iter().zip(&self.spec.columns) {
            wishes[*place].get_or_insert(column.data_type);
        }
        cursor.wish(&wishes).map_err(|e| self.failed(codes::DTS_E_TXLOOKUP_OLEDBERR_CREATEBINDING, e))?;
        Ok(places.into_iter().map(|place| (place, cursor.columns()[place].data_type)).collect())
    }

    /// The needed columns of a block, in their types.
    ///
    /// # Errors
    /// DTS_E_TXLOOKUP_OLEDBERR_FILLBUFFER: a value that is not of its column's type.
    pub(crate) fn columns(&self, block: Box<dyn RowBlock>, delivered: &Delivered) -> Result<Vec<ArrayRef>> {
        let code = codes::DTS_E_TXLOOKUP_OLEDBERR_FILLBUFFER;
        let rows = block.decode().map_err(|e| self.failed(code, e))?;
        let options = CastOptions::data_flow(self.locale);
        let mut columns = Vec::with_capacity(delivered.len());
        for (column, (place, came)) in self.spec.columns.iter().zip(delivered) {
            let source = &rows.columns[*place];
            let known = rows.faults_of(*place).first().map(|f| (f.row, f.code));
            let (array, faults) = taken(source, *came, &column.data_type, &options)?;
            let fault = known.or_else(|| faults.first().map(|f| (f.row, source_code(f.code))));
            if let Some((row, why)) = fault {
                // A driver that could not read the value has none to show.
                let value = shown(source, row).map(|v| format!(" \"{v}\"")).unwrap_or_default();
                let message = format!(
                    "{} A value{value} of the reference column \"{}\" is no {}: {why}.",
                    code.message(&[]),
                    column.name,
                    column.data_type
                );
                return Err(Error::new(Owner::Data, code, message));
            }
            columns.push(array);
        }
        Ok(columns)
    }

    /// The needed columns of the first row that a statement with parameters yields; None: it yields none. This waits.
    ///
    /// # Errors
    /// What the database says, and as [`ReferenceQuery::columns`].
    pub(crate) fn first(&self, session: &mut Lease, sql: &str, params: &[Param]) -> Result<Option<Vec<ArrayRef>>> {
        let query = codes::DTS_E_TXLOOKUP_OLEDBERR_GETPARAMIROWSET;
        let mut cursor = session.query(sql, params, &self.options).map_err(|e| self.failed(query, e))?;
        let delivered = self.deliver(cursor.as_mut())?;
        let row = codes::DTS_E_TXLOOKUP_OLEDBERR_GETPARAMSINGLEROW;
        while let Some(block) = cursor.next_block().map_err(|e| self.failed(row, e))? {
            if block.rows() > 0 {
                let columns = self.columns(block, &delivered)?;
                return Ok(Some(columns.iter().map(|c| c.slice(0, 1)).collect()));
            }
        }
        Ok(None)
    }
}
