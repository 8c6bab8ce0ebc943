//! Databases, on real ones: the embedded SQLite, and PostgreSQL and MariaDB on servers of the tests' own.
//!
//! `drivers`, `mariadb`, `odbc`, `postgres` and `sql_server` test sessions, which `sessions` opens, against their contract;
//! the others run whole packages on a `stage`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "everything here is a test")]

mod bad_rows;
mod configurations;
mod deferred;
mod drivers;
mod frozen;
mod killed;
mod mariadb;
mod odbc;
mod peer;
mod pool;
mod postgres;
mod schema_rowsets;
mod sessions;
mod sql_server;
mod sql_server_loads;
mod sql_server_sessions;
mod stage;
mod transactions;
