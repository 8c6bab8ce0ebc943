//! Databases: what stands behind the connection managers OLEDB, ADO.NET and ODBC.
//!
//! ```text
//! ConnectionSpec ──Database::of──▶ Database (a Target: which driver, which string, which dialect)
//!                                     │ lease
//!                                     ▼
//!                                  Lease: a Session from the execution's pool, given back when dropped
//!                                     │ query            │ execute, describe      │ loader
//!                                     ▼                  ▼                        ▼
//!                                  Cursor: blocks     rows affected,           Loader: takes columns of
//!                                  of rows, decoded   output parameters        rows, fast
//!                                  on any lane
//! ```
//!
//! Everything here waits, so it belongs on a thread that may: a task's own, or one from
//! [`Services::own_thread`](dtsx_engine::run::Services::own_thread). Rows are Arrow arrays in the physical form of
//! [`DataType`](dtsx_engine::types::DataType) both ways. A [`Session`] is used from one thread at a time; its
//! [`Canceller`] interrupts it from any other, and the run's cancelling does so by itself while a lease is out.
//!
//! Start reading at [`session`], the contract of drivers; [`sqlite`] is the shortest of them.

mod call;
mod cells;
mod configuration;
pub mod connection_string;
mod dialect;
mod error;
mod estate;
mod inspect;
mod intake;
pub mod mysql;
pub mod odbc;
mod pen;
mod pool;
pub mod postgres;
mod providers;
mod reading;
mod resolve;
mod rows;
pub(crate) mod schema_rowsets;
mod secret;
pub mod session;
mod socket;
mod sql_server;
pub mod sqlite;
mod table_name;
mod tls;
mod translate;

pub(crate) use call::Call;
pub use configuration::{ConfigurationRow, configuration_rows};
pub use dialect::{Dialect, Family};
pub use error::{DbError, ErrorKind, Outcome};
pub use estate::Estate;
pub use inspect::{Inspection, inspect};
pub(crate) use intake::source_code;
pub(crate) use pen::{Durable, Pen};
pub use pool::{Database, Lease, enlists};
pub use resolve::Target;
pub use rows::{RowBlock, Rows};
pub use secret::Secret;
pub use session::{
    Canceller, ColumnInfo, Cursor, Direction, Driver, Executed, LoadColumn, LoadOptions, Loader, Param, Relation,
    RowFailure, Session, StatementOptions,
};
pub use table_name::TableName;
pub(crate) use translate::{Word, words};
