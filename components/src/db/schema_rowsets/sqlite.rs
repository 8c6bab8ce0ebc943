//! What SQLite says, from its own table and its pragmas. It has neither catalogs nor schemas nor procedures, and its
//! constraints have no names that it tells.

use super::Query;

static TABLES: Query = Query {
    columns: &[
        ("TABLE_NAME", "m.name COLLATE NOCASE"),
        (
            "TABLE_TYPE",
            "CASE WHEN m.type = 'view' THEN 'VIEW' WHEN substr(m.name, 1, 7) = 'sqlite_' THEN 'SYSTEM TABLE' \
             ELSE 'TABLE' END",
        ),
    ],
    from: "sqlite_master m WHERE m.type IN ('table', 'view')",
    home: None,
};

static VIEWS: Query = Query {
    columns: &[
        ("TABLE_NAME", "m.name COLLATE NOCASE"),
        ("VIEW_DEFINITION", "m.sql"),
        ("CHECK_OPTION", "0"),
        ("IS_UPDATABLE", "0"),
    ],
    from: "sqlite_master m WHERE m.type = 'view'",
    home: None,
};

static INDEXES: Query = Query {
    columns: &[
        ("TABLE_NAME", "m.name COLLATE NOCASE"),
        ("INDEX_NAME", "l.name COLLATE NOCASE"),
        ("PRIMARY_KEY", "CASE WHEN l.origin = 'pk' THEN 1 ELSE 0 END"),
        ("UNIQUE", "l.\"unique\""),
        ("CLUSTERED", "0"),
        ("TYPE", "1"),
        ("NULLS", "0"),
        ("AUTO_UPDATE", "1"),
        ("ORDINAL_POSITION", "x.seqno + 1"),
        ("COLUMN_NAME", "x.name"),
        ("COLLATION", "CASE WHEN x.desc = 1 THEN 2 ELSE 1 END"),
    ],
    from: "sqlite_master m JOIN pragma_index_list(m.name) l JOIN pragma_index_xinfo(l.name) x \
           WHERE m.type = 'table' AND x.key = 1",
    home: None,
};

static PRIMARY_KEYS: Query = Query {
    columns: &[("TABLE_NAME", "m.name COLLATE NOCASE"), ("COLUMN_NAME", "t.name"), ("ORDINAL", "t.pk")],
    from: "sqlite_master m JOIN pragma_table_info(m.name) t WHERE m.type = 'table' AND t.pk > 0",
    home: None,
};

static FOREIGN_KEYS: Query = Query {
    columns: &[
        ("PK_TABLE_NAME", "f.\"table\" COLLATE NOCASE"),
        // A reference without columns is one to the primary key.
        (
            "PK_COLUMN_NAME",
            "coalesce(f.\"to\", (SELECT t.name FROM pragma_table_info(f.\"table\") t WHERE t.pk = f.seq + 1))",
        ),
        ("FK_TABLE_NAME", "m.name COLLATE NOCASE"),
        ("FK_COLUMN_NAME", "f.\"from\""),
        ("ORDINAL", "f.seq + 1"),
        ("UPDATE_RULE", "f.on_update"),
        ("DELETE_RULE", "f.on_delete"),
    ],
    from: "sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
    home: None,
};

pub(super) fn query(name: &str) -> Option<&'static Query> {
    Some(match name {
        "Tables" => &TABLES,
        "Views" => &VIEWS,
        "Indexes" => &INDEXES,
        "Primary_Keys" => &PRIMARY_KEYS,
        "Foreign_Keys" => &FOREIGN_KEYS,
        _ => return None,
    })
}
