//! The schema rowsets of OLE DB (OleDbSchemaGuid): identities, columns in their order, restrictions.

use super::Ty::{self, Bool, Guid, I2, I4, Moment, Text, U2, U4, U8};

/// A schema rowset.
#[derive(Debug)]
pub(crate) struct SchemaRowset {
    /// Its name in .NET's OleDbSchemaGuid.
    pub(crate) name: &'static str,
    /// How its GUID begins: the rest is [`TAIL`].
    id: u32,
    /// Its columns.
    pub(crate) columns: &'static [(&'static str, Ty)],
    /// The columns that restrictions go to, by their places.
    pub(crate) restrictions: &'static [usize],
    /// The columns that it is sorted by.
    pub(super) order: &'static [usize],
}

/// What the GUIDs of all schema rowsets end with.
const TAIL: &str = "-5cf3-11ce-ade5-00aa0044773d";

/// The rowset whose rows come from descriptions of tables.
pub(super) const COLUMNS: &str = "Columns";

const fn rowset(
    name: &'static str,
    id: u32,
    columns: &'static [(&'static str, Ty)],
    restrictions: &'static [usize],
    order: &'static [usize],
) -> SchemaRowset {
    SchemaRowset { name, id, columns, restrictions, order }
}

const CONSTRAINT: [(&str, Ty); 3] =
    [("CONSTRAINT_CATALOG", Text), ("CONSTRAINT_SCHEMA", Text), ("CONSTRAINT_NAME", Text)];
const TABLE: [(&str, Ty); 3] = [("TABLE_CATALOG", Text), ("TABLE_SCHEMA", Text), ("TABLE_NAME", Text)];

static ALL: &[SchemaRowset] = &[
    rowset("Catalogs", 0xc8b5_2211, &[("CATALOG_NAME", Text), ("DESCRIPTION", Text)], &[0], &[0]),
    rowset(
        "Check_Constraints",
        0xc8b5_2215,
        &[CONSTRAINT[0], CONSTRAINT[1], CONSTRAINT[2], ("CHECK_CLAUSE", Text), ("DESCRIPTION", Text)],
        &[0, 1, 2],
        &[0, 1, 2],
    ),
    rowset(
        "Column_Privileges",
        0xc8b5_2221,
        &[
            ("GRANTOR", Text),
            ("GRANTEE", Text),
            TABLE[0],
            TABLE[1],
            TABLE[2],
            ("COLUMN_NAME", Text),
            ("COLUMN_GUID", Guid),
            ("COLUMN_PROPID", U4),
            ("PRIVILEGE_TYPE", Text),
            ("IS_GRANTABLE", Bool),
        ],
        &[2, 3, 4, 5, 0, 1],
        &[2, 3, 4, 5, 8],
    ),
    rowset(
        COLUMNS,
        0xc8b5_2214,
        &[
            TABLE[0],
            TABLE[1],
            TABLE[2],
            ("COLUMN_NAME", Text),
            ("COLUMN_GUID", Guid),
            ("COLUMN_PROPID", U4),
            ("ORDINAL_POSITION", U4),
            ("COLUMN_HASDEFAULT", Bool),
            ("COLUMN_DEFAULT", Text),
            ("COLUMN_FLAGS", U4),
            ("IS_NULLABLE", Bool),
            ("DATA_TYPE", U2),
            ("TYPE_GUID", Guid),
            ("CHARACTER_MAXIMUM_LENGTH", U4),
            ("CHARACTER_OCTET_LENGTH", U4),
            ("NUMERIC_PRECISION", U2),
            ("NUMERIC_SCALE", I2),
            ("DATETIME_PRECISION", U4),
            ("CHARACTER_SET_CATALOG", Text),
            ("CHARACTER_SET_SCHEMA", Text),
            ("CHARACTER_SET_NAME", Text),
            ("COLLATION_CATALOG", Text),
            ("COLLATION_SCHEMA", Text),
            ("COLLATION_NAME", Text),
            ("DOMAIN_CATALOG", Text),
            ("DOMAIN_SCHEMA", Text),
            ("DOMAIN_NAME", Text),
            ("DESCRIPTION", Text),
        ],
        &[0, 1, 2, 3],
        &[0, 1, 2, 6],
    ),
    rowset(
        "Constraint_Column_Usage",
        0xc8b5_2216,
        &[
            TABLE[0],
            TABLE[1],
            TABLE[2],
            ("COLUMN_NAME", Text),
            ("COLUMN_GUID", Guid),
            ("COLUMN_PROPID", U4),
            CONSTRAINT[0],
            CONSTRAINT[1],
            CONSTRAINT[2],
        ],
        &[0, 1, 2, 3],
        &[0, 1, 2, 3],
    ),
    rowset(
        "Constraint_Table_Usage",
        0xc8b5_2217,
        &[TABLE[0], TABLE[1], TABLE[2], CONSTRAINT[0], CONSTRAINT[1], CONSTRAINT[2]],
        &[0, 1, 2],
        &[0, 1, 2],
    ),
    rowset(
        "Foreign_Keys",
        0xc8b5_22c4,
        &[
            ("PK_TABLE_CATALOG", Text),
            ("PK_TABLE_SCHEMA", Text),
            ("PK_TABLE_NAME", Text),
            ("PK_COLUMN_NAME", Text),
            ("PK_COLUMN_GUID", Guid),
            ("PK_COLUMN_PROPID", U4),
            ("FK_TABLE_CATALOG", Text),
            ("FK_TABLE_SCHEMA", Text),
            ("FK_TABLE_NAME", Text),
            ("FK_COLUMN_NAME", Text),
            ("FK_COLUMN_GUID", Guid),
            ("FK_COLUMN_PROPID", U4),
            ("ORDINAL", U4),
            ("UPDATE_RULE", Text),
            ("DELETE_RULE", Text),
            ("PK_NAME", Text),
            ("FK_NAME", Text),
            ("DEFERRABILITY", I2),
        ],
        &[0, 1, 2, 6, 7, 8],
        &[6, 7, 8, 16, 12],
    ),
    rowset(
        "Indexes",
        0xc8b5_221e,
        &[
            TABLE[0],
            TABLE[1],
            TABLE[2],
            ("INDEX_CATALOG", Text),
            ("INDEX_SCHEMA", Text),
            ("INDEX_NAME", Text),
            ("PRIMARY_KEY", Bool),
            ("UNIQUE", Bool),
            ("CLUSTERED", Bool),
            ("TYPE", U2),
            ("FILL_FACTOR", I4),
            ("INITIAL_SIZE", I4),
            ("NULLS", I4),
            ("SORT_BOOKMARKS", Bool),
            ("AUTO_UPDATE", Bool),
            ("NULL_COLLATION", I4),
            ("ORDINAL_POSITION", U4),
            ("COLUMN_NAME", Text),
            ("COLUMN_GUID", Guid),
            ("COLUMN_PROPID", U4),
            ("COLLATION", I2),
            ("CARDINALITY", U8),
            ("PAGES", I4),
            ("FILTER_CONDITION", Text),
            ("INTEGRATED", Bool),
        ],
        &[0, 1, 5, 9, 2],
        &[7, 9, 3, 4, 5, 16],
    ),
    rowset(
        "Key_Column_Usage",
        0xc8b5_2218,
        &[
            CONSTRAINT[0],
            CONSTRAINT[1],
            CONSTRAINT[2],
            TABLE[0],
            TABLE[1],
            TABLE[2],
            ("COLUMN_NAME", Text),
            ("COLUMN_GUID", Guid),
            ("COLUMN_PROPID", U4),
            ("ORDINAL_POSITION", U4),
        ],
        &[0, 1, 2, 3, 4, 5, 6],
        &[0, 1, 2, 3, 4, 5, 9],
    ),
    rowset(
        "Primary_Keys",
        0xc8b5_22c5,
        &[
            TABLE[0],
            TABLE[1],
            TABLE[2],
            ("COLUMN_NAME", Text),
            ("COLUMN_GUID", Guid),
            ("COLUMN_PROPID", U4),
            ("ORDINAL", U4),
            ("PK_NAME", Text),
        ],
        &[0, 1, 2],
        &[0, 1, 2, 6],
    ),
    rowset(
        "Procedures",
        0xc8b5_2224,
        &[
            ("PROCEDURE_CATALOG", Text),
            ("PROCEDURE_SCHEMA", Text),
            ("PROCEDURE_NAME", Text),
            ("PROCEDURE_TYPE", I2),
            ("PROCEDURE_DEFINITION", Text),
            ("DESCRIPTION", Text),
            ("DATE_CREATED", Moment),
            ("DATE_MODIFIED", Moment),
        ],
        &[0, 1, 2, 3],
        &[0, 1, 2],
    ),
    rowset(
        "Referential_Constraints",
        0xc8b5_2219,
        &[
            CONSTRAINT[0],
            CONSTRAINT[1],
            CONSTRAINT[2],
            ("UNIQUE_CONSTRAINT_CATALOG", Text),
            ("UNIQUE_CONSTRAINT_SCHEMA", Text),
            ("UNIQUE_CONSTRAINT_NAME", Text),
            ("MATCH_OPTION", Text),
            ("UPDATE_RULE", Text),
            ("DELETE_RULE", Text),
            ("DESCRIPTION", Text),
        ],
        &[0, 1, 2],
        &[0, 1, 2],
    ),
    rowset(
        "Schemata",
        0xc8b5_2225,
        &[
            ("CATALOG_NAME", Text),
            ("SCHEMA_NAME", Text),
            ("SCHEMA_OWNER", Text),
            ("DEFAULT_CHARACTER_SET_CATALOG", Text),
            ("DEFAULT_CHARACTER_SET_SCHEMA", Text),
            ("DEFAULT_CHARACTER_SET_NAME", Text),
        ],
        &[0, 1, 2],
        &[0, 1, 2],
    ),
    rowset(
        "Table_Constraints",
        0xc8b5_221a,
        &[
            CONSTRAINT[0],
            CONSTRAINT[1],
            CONSTRAINT[2],
            TABLE[0],
            TABLE[1],
            TABLE[2],
            ("CONSTRAINT_TYPE", Text),
            ("IS_DEFERRABLE", Bool),
            ("INITIALLY_DEFERRED", Bool),
            ("DESCRIPTION", Text),
        ],
        &[0, 1, 2, 3, 4, 5, 6],
        &[0, 1, 2, 3, 4, 5],
    ),
    rowset(
        "Table_Privileges",
        0xc8b5_2222,
        &[
            ("GRANTOR", Text),
            ("GRANTEE", Text),
            TABLE[0],
            TABLE[1],
            TABLE[2],
            ("PRIVILEGE_TYPE", Text),
            ("IS_GRANTABLE", Bool),
        ],
        &[2, 3, 4, 0, 1],
        &[2, 3, 4, 5],
    ),
    rowset(
        "Tables",
        0xc8b5_2229,
        &[
            TABLE[0],
            TABLE[1],
            TABLE[2],
            ("TABLE_TYPE", Text),
            ("TABLE_GUID", Guid),
            ("DESCRIPTION", Text),
            ("TABLE_PROPID", U4),
            ("DATE_CREATED", Moment),
            ("DATE_MODIFIED", Moment),
        ],
        &[0, 1, 2, 3],
        &[3, 0, 1, 2],
    ),
    rowset(
        "View_Column_Usage",
        0xc8b5_222e,
        &[
            ("VIEW_CATALOG", Text),
            ("VIEW_SCHEMA", Text),
            ("VIEW_NAME", Text),
            TABLE[0],
            TABLE[1],
            TABLE[2],
            ("COLUMN_NAME", Text),
            ("COLUMN_GUID", Guid),
            ("COLUMN_PROPID", U4),
        ],
        &[0, 1, 2],
        &[0, 1, 2],
    ),
    rowset(
        "View_Table_Usage",
        0xc8b5_222f,
        &[("VIEW_CATALOG", Text), ("VIEW_SCHEMA", Text), ("VIEW_NAME", Text), TABLE[0], TABLE[1], TABLE[2]],
        &[0, 1, 2],
        &[0, 1, 2],
    ),
    rowset(
        "Views",
        0xc8b5_222d,
        &[
            TABLE[0],
            TABLE[1],
            TABLE[2],
            ("VIEW_DEFINITION", Text),
            ("CHECK_OPTION", Bool),
            ("IS_UPDATABLE", Bool),
            ("DESCRIPTION", Text),
            ("DATE_CREATED", Moment),
            ("DATE_MODIFIED", Moment),
        ],
        &[0, 1, 2],
        &[0, 1, 2],
    ),
];

/// The rowsets of OleDbSchemaGuid that nothing here answers, so that they can be refused by name.
static UNANSWERED: &[(&str, u32)] = &[
    ("Assertions", 0xc8b5_2210),
    ("Character_Sets", 0xc8b5_2212),
    ("Check_Constraints_By_Table", 0xc8b5_2301),
    ("Collations", 0xc8b5_2213),
    ("Column_Domain_Usage", 0xc8b5_221b),
    ("Procedure_Columns", 0xc8b5_22c9),
    ("Procedure_Parameters", 0xc8b5_22b8),
    ("Provider_Types", 0xc8b5_222c),
    ("Sql_Languages", 0xc8b5_2226),
    ("Statistics", 0xc8b5_2227),
    ("Table_Statistics", 0xc8b5_22ff),
    ("Tables_Info", 0xc8b5_22e0),
    ("Translations", 0xc8b5_222a),
    ("Trustee", 0xc8b5_22ef),
    ("Usage_Privileges", 0xc8b5_2223),
];

/// The rowset of that GUID (braces do not matter) or name (spaces and underscores do not, `DBSCHEMA_` neither).
pub(crate) fn find(text: &str) -> Option<&'static SchemaRowset> {
    ALL.iter().find(|rowset| same(text, rowset.name, rowset.id))
}

/// What a rowset that is not found is called.
pub(crate) fn name_of(text: &str) -> &str {
    UNANSWERED.iter().find(|(name, id)| same(text, name, *id)).map_or(text, |(name, _)| name)
}

/// The names of all that is answered, by some database.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|rowset| rowset.name)
}

fn same(text: &str, name: &str, id: u32) -> bool {
    let text = text.trim().trim_start_matches('{').trim_end_matches('}');
    let bare = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let (given, known) = (bare(text), bare(name));
    given == known || given.strip_prefix("dbschema") == Some(&known) || text.to_lowercase() == format!("{id:08x}{TAIL}")
}
