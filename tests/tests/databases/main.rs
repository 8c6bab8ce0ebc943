//! Databases, on real ones: the embedded SQLite, and PostgreSQL and MariaDB on servers of the tests' own.
//!
//! `drivers` tests sessions against their contract; the others run whole packages.

#![expect(clippy::unwrap_used, clippy::panic, reason = "everything here is a test")]

mod bad_rows;
mod configurations;
mod drivers;
mod killed;
mod stage;
mod transactions;
