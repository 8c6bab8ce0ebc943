//! Connection managers of databases: `OLEDB`, `ADO.NET:…`, `ODBC`. What they mean is [`crate::db`]'s business; here
//! stands what components and tasks say when a connection cannot be had.

use crate::db::{Database, DbError, ErrorKind};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::{Diagnostic, Error, Owner, codes};
use dtsx_engine::flow::{BindCx, ComponentSpec};

/// Whether a connection manager of that kind stands for a database.
pub fn is_database(kind: &str) -> bool {
    let stem = kind.split(':').next().unwrap_or(kind);
    ["OLEDB", "ADO.NET", "ODBC", "ADO"].iter().any(|k| stem.eq_ignore_ascii_case(k))
}

/// The database of a component's (first) connection. None at a check that must not ask servers.
///
/// # Errors
/// A diagnostic that says what is wrong: no connection, one of another kind, a connection string that leads nowhere.
pub fn bind(spec: &ComponentSpec, cx: &BindCx<'_>) -> Result<Option<Database>, Diagnostic> {
    let connection = cx.connection(spec, None).map_err(|error| {
        let code = error.code().unwrap_or(codes::DTS_E_CONNECTIONNOTFOUND);
        Diagnostic::error(code, &spec.path, error.message())
    })?;
    check_kind(&connection, &spec.path)?;
    if !cx.online {
        return Ok(None);
    }
    let database = Database::of(&connection, cx.services);
    database.map(Some).map_err(|error| {
        let error = not_acquired(&connection.name, &error);
        let code = error.code().unwrap_or(codes::DTS_E_CANNOTACQUIRECONNECTIONFROMCONNECTIONMANAGER);
        Diagnostic::error(code, &spec.path, error.message())
    })
}

/// The same for a component that only reads: see [`Database::for_reading`].
///
/// # Errors
/// As [`bind`].
pub fn bind_for_reading(spec: &ComponentSpec, cx: &BindCx<'_>) -> Result<Option<Database>, Diagnostic> {
    bind(spec, cx).map(|database| database.map(Database::for_reading))
}

/// Refuses what is no database, and what is one that this build does not speak to.
///
/// # Errors
/// A diagnostic for the object at `path`.
pub fn check_kind(connection: &ConnectionSpec, path: &str) -> Result<(), Diagnostic> {
    if connection.kind.to_ascii_uppercase().starts_with("MSOLAP") {
        let message = format!("Analysis Services ({}) is not supported by this build", connection.kind);
        return Err(Diagnostic::unsupported(path, message));
    }
    if !is_database(&connection.kind) {
        let code = codes::DTS_E_INCORRECTCONNECTIONMANAGERTYPE;
        return Err(Diagnostic::error(code, path, code.message(&[&connection.name])));
    }
    Ok(())
}

/// DTS_E_CANNOTACQUIRECONNECTIONFROMCONNECTIONMANAGER, and why.
pub fn not_acquired(name: &str, error: &DbError) -> Error {
    if error.kind == ErrorKind::Cancelled {
        return Error::cancelled();
    }
    let code = codes::DTS_E_CANNOTACQUIRECONNECTIONFROMCONNECTIONMANAGER;
    let inner = format!("{:08X}", codes::DTS_E_OLEDBERROR.0);
    let owner = match error.owner() {
        owner @ (Owner::Environment | Owner::Unsupported) => owner,
        _ => Owner::Connection,
    };
    Error::new(owner, code, format!("{} {error}", code.message(&[&name, &inner])))
}
