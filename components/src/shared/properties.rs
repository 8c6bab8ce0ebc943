//! Properties that several kinds have: a row of their tables stands once.

use dtsx_engine::props::PropertyType::{Int, Text, VariableName};
use dtsx_engine::props::{PropertyDef, property};

/// The table of the components for OLE DB.
pub(crate) const OPEN_ROWSET: PropertyDef = property("OpenRowset", Text, "", "The table or view.");

/// The same, by a variable.
pub(crate) const OPEN_ROWSET_VARIABLE: PropertyDef =
    property("OpenRowsetVariable", VariableName, "", "The variable that names the table or view.");

/// The table of the components for ADO.NET.
pub(crate) const TABLE_OR_VIEW_NAME: PropertyDef = property("TableOrViewName", Text, "", "The table or view.");

/// The table of the components for ODBC.
pub(crate) const TABLE_NAME: PropertyDef = property("TableName", Text, "", "The table or view.");

/// The code page of text.
pub(crate) const DEFAULT_CODE_PAGE: PropertyDef =
    property("DefaultCodePage", Int, "1252", "The code page of text whose code page the database does not tell.");
