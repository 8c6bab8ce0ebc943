//! Foreach ADO.NET Schema Rowset Enumerator: what a database says of its tables, columns, keys, procedures.
//!
//! ```text
//! SchemaRowset  Tables: TABLE_CATALOG, TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE …    Restrictions  NULL, dbo, NULL, TABLE
//! ```
//! A row's columns are mapped by ordinal, in OLE DB's order. The rows are read once, when the loop begins. A workbook of
//! Excel has the rowset Tables: its sheets (`Sheet1$`) and its named ranges.

mod data;
mod workbook;

use crate::connections::database::{check_kind, is_database, not_acquired};
use crate::connections::excel::ExcelConnection;
use crate::db::schema_rowsets::{self, SchemaRowset};
use crate::db::{Database, DbError, ErrorKind, Estate, Family, Target};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::control::plan::EnumeratorSpec;
use dtsx_engine::control::{Enumerator, EnumeratorKind, Items, TaskBindCx, TaskCx};
use dtsx_engine::diag::{Diagnostic, Error, Result, codes};
use dtsx_engine::events::Message;
use dtsx_engine::props::{PropertyDef, PropertyType, property as p};

/// `Microsoft.ForEachSchemaRowsetEnumerator`.
pub struct SchemaRowsetEnumeratorKind;

struct SchemaRowsetEnumerator {
    connection: String,
    rowset: &'static SchemaRowset,
    restrictions: Vec<Option<String>>,
    path: String,
}

impl EnumeratorKind for SchemaRowsetEnumeratorKind {
    fn kind(&self) -> &'static str {
        "Microsoft.ForEachSchemaRowsetEnumerator"
    }

    fn title(&self) -> &'static str {
        "Foreach ADO.NET Schema Rowset Enumerator"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        const TABLE: &[PropertyDef] = &[
            p("Connection", PropertyType::Text, "", "The connection manager of the database, or of an Excel workbook."),
            p("SchemaRowset", PropertyType::Text, "", "The schema: a GUID of OleDbSchemaGuid, or its name there."),
        ];
        TABLE
    }

    fn bind(&self, spec: &EnumeratorSpec, cx: &mut TaskBindCx<'_>) -> Option<Box<dyn Enumerator>> {
        let asked = match data::read(&spec.data) {
            Ok(asked) => asked,
            Err(found) => {
                let message = format!("What the enumerator stores is not understood: {found}.");
                cx.unsupported(&spec.path, spec.span, message);
                return None;
            }
        };
        if spec.properties.text("Restrictions").is_some() {
            let message = "Restrictions is a list, which cannot be set from outside of the package.";
            cx.unsupported(&spec.path, spec.span, message);
            return None;
        }
        let set = |property: &str, own: &str| spec.properties.text(property).unwrap_or(own).trim().to_owned();
        let (connection, schema) = (set("Connection", &asked.connection), set("SchemaRowset", &asked.schema));
        let family = bind_connection(spec, &connection, cx);
        let rowset = bind_rowset(spec, &schema, cx)?;
        check_restrictions(spec, rowset, &asked.restrictions, cx);
        let refused = match family? {
            // What a driver of ODBC leads to shows when it is asked.
            Source::Database(Family::Other) => Ok(()),
            Source::Database(family) => schema_rowsets::supports(family, rowset),
            Source::Workbook => workbook::supports(rowset),
        };
        if let Err(error) = refused {
            cx.unsupported(&spec.path, spec.span, sentence(&error));
        }
        let path = spec.path.clone();
        (!cx.failed()).then(|| -> Box<dyn Enumerator> {
            Box::new(SchemaRowsetEnumerator { connection, rowset, restrictions: asked.restrictions, path })
        })
    }
}

/// An error's words as a sentence.
fn sentence(error: &DbError) -> String {
    let mut chars = error.message.chars();
    chars.next().map(|first| format!("{}{}.", first.to_uppercase(), chars.as_str())).unwrap_or_default()
}

/// What stands behind a connection manager.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    Database(Family),
    Workbook,
}

/// What stands behind the connection manager, as far as that shows without asking it. None: that was reported.
fn bind_connection(spec: &EnumeratorSpec, name: &str, cx: &mut TaskBindCx<'_>) -> Option<Source> {
    let connection = match cx.connection(name) {
        Ok(connection) => connection,
        Err(error) => {
            let code = error.code().unwrap_or(codes::DTS_E_CONNECTIONNOTFOUND);
            cx.error(&spec.path, spec.span, code, error.message().to_owned());
            return None;
        }
    };
    if workbook::is_workbook(&connection) {
        if let Err(why) = ExcelConnection::from_spec(&connection) {
            cx.error(&spec.path, spec.span, codes::DTS_E_GENERICERROR, why);
            return None;
        }
        return Some(Source::Workbook);
    }
    if let Err(diagnostic) = check_kind(&connection, &spec.path) {
        cx.diagnostics.push(diagnostic.with_span(spec.span));
        return None;
    }
    match Target::of(&connection, &Estate::of(cx.services), cx.paths) {
        Ok(target) => Some(Source::Database(target.family)),
        Err(_) if !cx.online => Some(Source::Database(Family::Other)),
        Err(error) => {
            let error = not_acquired(&connection.name, &error);
            let code = error.code().unwrap_or(codes::DTS_E_CANNOTACQUIRECONNECTIONFROMCONNECTIONMANAGER);
            cx.diagnostics.push(Diagnostic::error(code, &spec.path, error.message()).with_span(spec.span));
            None
        }
    }
}

fn bind_rowset(spec: &EnumeratorSpec, schema: &str, cx: &mut TaskBindCx<'_>) -> Option<&'static SchemaRowset> {
    let found = schema_rowsets::find(schema);
    if schema.is_empty() {
        let message = "No schema is specified.";
        cx.error(&spec.path, spec.span, codes::DTS_E_GENERICERROR, message);
    } else if found.is_none() {
        let known = schema_rowsets::names().collect::<Vec<_>>().join(", ");
        let name = schema_rowsets::name_of(schema);
        let message = format!("The schema rowset {name} is not supported by this build; there are {known}.");
        cx.unsupported(&spec.path, spec.span, message);
    }
    found
}

fn check_restrictions(
    spec: &EnumeratorSpec,
    rowset: &SchemaRowset,
    restrictions: &[Option<String>],
    cx: &mut TaskBindCx<'_>,
) {
    for (at, value) in restrictions.iter().enumerate().filter_map(|(at, v)| Some((at, v.as_deref()?))) {
        let name = rowset.name;
        let message = match rowset.restrictions.get(at).map(|column| rowset.columns[*column]) {
            None => format!(
                "The schema rowset {name} has {} restrictions; \"{value}\" is the {}. one.",
                rowset.restrictions.len(),
                at + 1
            ),
            Some((column, ty)) if ty != schema_rowsets::Ty::Text && value.trim().parse::<i64>().is_err() => {
                format!("The restriction of {name} to {column} is \"{value}\", which is no number.")
            }
            Some(_) => continue,
        };
        cx.error(&spec.path, spec.span, codes::DTS_E_GENERICERROR, message);
    }
}

impl Enumerator for SchemaRowsetEnumerator {
    fn open(&self, cx: &TaskCx) -> Result<Items> {
        let spec = cx.connections.get(&self.connection)?;
        let rows = if workbook::is_workbook(&spec) {
            workbook::tables(&spec, &cx.services, self.rowset, &self.restrictions)?
        } else {
            self.of_database(&spec, cx)?
        };
        Ok(Box::new(rows.into_iter().map(Ok)))
    }
}

impl SchemaRowsetEnumerator {
    fn of_database(&self, spec: &ConnectionSpec, cx: &TaskCx) -> Result<Vec<Vec<dtsx_engine::types::Value>>> {
        let leased = Database::of(spec, &cx.services).and_then(|database| database.for_reading().lease());
        let mut lease = leased.map_err(|error| not_acquired(&spec.name, &error).at(&self.path))?;
        let of = format!("The schema rowset {} of \"{}\"", self.rowset.name, spec.name);
        let mut left_out = Vec::new();
        let read = schema_rowsets::read(&mut *lease, self.rowset, &self.restrictions, &mut left_out);
        for what in left_out {
            cx.events.fire(Message::new(codes::DTS_W_GENERICWARNING, "", format!("{of}: {what}")));
        }
        read.map_err(|error| {
            if error.kind == ErrorKind::Cancelled {
                return Error::cancelled();
            }
            Error::new(error.owner(), codes::DTS_E_GETENUMERATOR, format!("{of}: {error}")).at(&self.path)
        })
    }
}

#[cfg(test)]
mod tests;
