//! What SQL Server says, from its catalog views. `{db}` is the database that is asked for, with its dot, `{catalog}` its name.

use super::Query;

static CATALOGS: Query = Query {
    columns: &[("CATALOG_NAME", "d.name")],
    from: "sys.databases d WHERE HAS_DBACCESS(d.name) = 1",
    home: None,
};

static SCHEMATA: Query = Query {
    columns: &[
        ("CATALOG_NAME", "{catalog}"),
        ("SCHEMA_NAME", "s.schema_name"),
        ("SCHEMA_OWNER", "s.schema_owner"),
        ("DEFAULT_CHARACTER_SET_CATALOG", "s.default_character_set_catalog"),
        ("DEFAULT_CHARACTER_SET_SCHEMA", "s.default_character_set_schema"),
        ("DEFAULT_CHARACTER_SET_NAME", "s.default_character_set_name"),
    ],
    from: "{db}INFORMATION_SCHEMA.SCHEMATA s WHERE 1 = 1",
    home: None,
};

static TABLES: Query = Query {
    columns: &[
        ("TABLE_CATALOG", "{catalog}"),
        ("TABLE_SCHEMA", "s.name"),
        ("TABLE_NAME", "o.name"),
        (
            "TABLE_TYPE",
            "CASE WHEN o.type = 'SN' THEN 'SYNONYM' WHEN o.type = 'V' AND o.is_ms_shipped = 0 THEN 'VIEW' \
             WHEN o.type = 'V' THEN 'SYSTEM VIEW' WHEN o.type = 'U' AND o.is_ms_shipped = 0 THEN 'TABLE' \
             ELSE 'SYSTEM TABLE' END",
        ),
        ("DATE_CREATED", "o.create_date"),
        ("DATE_MODIFIED", "o.modify_date"),
    ],
    from: "{db}sys.all_objects o JOIN {db}sys.schemas s ON s.schema_id = o.schema_id \
           WHERE o.type IN ('U', 'V', 'S', 'SN')",
    home: None,
};

static VIEWS: Query = Query {
    columns: &[
        ("TABLE_CATALOG", "v.table_catalog"),
        ("TABLE_SCHEMA", "v.table_schema"),
        ("TABLE_NAME", "v.table_name"),
        ("VIEW_DEFINITION", "v.view_definition"),
        ("CHECK_OPTION", "CASE WHEN v.check_option = 'NONE' THEN 0 ELSE 1 END"),
        ("IS_UPDATABLE", "CASE WHEN v.is_updatable = 'YES' THEN 1 ELSE 0 END"),
    ],
    from: "{db}INFORMATION_SCHEMA.VIEWS v WHERE 1 = 1",
    home: None,
};

// The providers write the number of a procedure behind its name, and call all of them functions: they return something.
static PROCEDURES: Query = Query {
    columns: &[
        ("PROCEDURE_CATALOG", "{catalog}"),
        ("PROCEDURE_SCHEMA", "s.name"),
        ("PROCEDURE_NAME", "o.name + ';' + CASE WHEN o.type IN ('P', 'PC') THEN '1' ELSE '0' END"),
        ("PROCEDURE_TYPE", "3"),
        ("PROCEDURE_DEFINITION", "m.definition"),
        ("DATE_CREATED", "o.create_date"),
        ("DATE_MODIFIED", "o.modify_date"),
    ],
    from: "{db}sys.objects o JOIN {db}sys.schemas s ON s.schema_id = o.schema_id \
           LEFT JOIN {db}sys.sql_modules m ON m.object_id = o.object_id \
           WHERE o.type IN ('P', 'PC', 'FN', 'TF', 'IF', 'FS', 'FT')",
    home: None,
};

static INDEXES: Query = Query {
    columns: &[
        ("TABLE_CATALOG", "{catalog}"),
        ("TABLE_SCHEMA", "s.name"),
        ("TABLE_NAME", "t.name"),
        ("INDEX_CATALOG", "{catalog}"),
        ("INDEX_SCHEMA", "s.name"),
        ("INDEX_NAME", "i.name"),
        ("PRIMARY_KEY", "CAST(i.is_primary_key AS int)"),
        ("UNIQUE", "CAST(i.is_unique AS int)"),
        ("CLUSTERED", "CASE WHEN i.type = 1 THEN 1 ELSE 0 END"),
        ("TYPE", "CASE WHEN i.type IN (1, 2) THEN 1 WHEN i.type = 7 THEN 2 ELSE 4 END"),
        ("FILL_FACTOR", "i.fill_factor"),
        ("NULLS", "0"),
        ("AUTO_UPDATE", "1"),
        ("ORDINAL_POSITION", "k.key_ordinal"),
        ("COLUMN_NAME", "c.name"),
        ("COLLATION", "CASE WHEN k.is_descending_key = 1 THEN 2 ELSE 1 END"),
        ("FILTER_CONDITION", "i.filter_definition"),
        ("INTEGRATED", "CASE WHEN i.type = 1 THEN 1 ELSE 0 END"),
    ],
    from: "{db}sys.indexes i JOIN {db}sys.tables t ON t.object_id = i.object_id \
           JOIN {db}sys.schemas s ON s.schema_id = t.schema_id \
           JOIN {db}sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id \
           JOIN {db}sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id \
           WHERE i.type > 0 AND k.key_ordinal > 0",
    home: None,
};

static PRIMARY_KEYS: Query = Query {
    columns: &[
        ("TABLE_CATALOG", "{catalog}"),
        ("TABLE_SCHEMA", "s.name"),
        ("TABLE_NAME", "t.name"),
        ("COLUMN_NAME", "c.name"),
        ("ORDINAL", "k.key_ordinal"),
        ("PK_NAME", "i.name"),
    ],
    from: "{db}sys.indexes i JOIN {db}sys.tables t ON t.object_id = i.object_id \
           JOIN {db}sys.schemas s ON s.schema_id = t.schema_id \
           JOIN {db}sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id \
           JOIN {db}sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id \
           WHERE i.is_primary_key = 1 AND k.key_ordinal > 0",
    home: None,
};

static FOREIGN_KEYS: Query = Query {
    columns: &[
        ("PK_TABLE_CATALOG", "{catalog}"),
        ("PK_TABLE_SCHEMA", "ps.name"),
        ("PK_TABLE_NAME", "pt.name"),
        ("PK_COLUMN_NAME", "pc.name"),
        ("FK_TABLE_CATALOG", "{catalog}"),
        ("FK_TABLE_SCHEMA", "fs.name"),
        ("FK_TABLE_NAME", "ft.name"),
        ("FK_COLUMN_NAME", "fc.name"),
        ("ORDINAL", "k.constraint_column_id"),
        ("UPDATE_RULE", "REPLACE(f.update_referential_action_desc, '_', ' ')"),
        ("DELETE_RULE", "REPLACE(f.delete_referential_action_desc, '_', ' ')"),
        ("PK_NAME", "i.name"),
        ("FK_NAME", "f.name"),
        ("DEFERRABILITY", "3"),
    ],
    from: "{db}sys.foreign_keys f JOIN {db}sys.foreign_key_columns k ON k.constraint_object_id = f.object_id \
           JOIN {db}sys.tables ft ON ft.object_id = f.parent_object_id \
           JOIN {db}sys.schemas fs ON fs.schema_id = ft.schema_id \
           JOIN {db}sys.columns fc ON fc.object_id = ft.object_id AND fc.column_id = k.parent_column_id \
           JOIN {db}sys.tables pt ON pt.object_id = f.referenced_object_id \
           JOIN {db}sys.schemas ps ON ps.schema_id = pt.schema_id \
           JOIN {db}sys.columns pc ON pc.object_id = pt.object_id AND pc.column_id = k.referenced_column_id \
           LEFT JOIN {db}sys.indexes i ON i.object_id = pt.object_id AND i.index_id = f.key_index_id WHERE 1 = 1",
    home: None,
};

static TABLE_CONSTRAINTS: Query = Query {
    columns: &[
        ("CONSTRAINT_CATALOG", "c.constraint_catalog"),
        ("CONSTRAINT_SCHEMA", "c.constraint_schema"),
        ("CONSTRAINT_NAME", "c.constraint_name"),
        ("TABLE_CATALOG", "c.table_catalog"),
        ("TABLE_SCHEMA", "c.table_schema"),
        ("TABLE_NAME", "c.table_name"),
        ("CONSTRAINT_TYPE", "c.constraint_type"),
        ("IS_DEFERRABLE", "CASE WHEN c.is_deferrable = 'YES' THEN 1 ELSE 0 END"),
        ("INITIALLY_DEFERRED", "CASE WHEN c.initially_deferred = 'YES' THEN 1 ELSE 0 END"),
    ],
    from: "{db}INFORMATION_SCHEMA.TABLE_CONSTRAINTS c WHERE 1 = 1",
    home: None,
};

static KEY_COLUMN_USAGE: Query = Query {
    columns: &[
        ("CONSTRAINT_CATALOG", "k.constraint_catalog"),
        ("CONSTRAINT_SCHEMA", "k.constraint_schema"),
        ("CONSTRAINT_NAME", "k.constraint_name"),
        ("TABLE_CATALOG", "k.table_catalog"),
        ("TABLE_SCHEMA", "k.table_schema"),
        ("TABLE_NAME", "k.table_name"),
        ("COLUMN_NAME", "k.column_name"),
        ("ORDINAL_POSITION", "k.ordinal_position"),
    ],
    from: "{db}INFORMATION_SCHEMA.KEY_COLUMN_USAGE k WHERE 1 = 1",
    home: None,
};

static REFERENTIAL_CONSTRAINTS: Query = Query {
    columns: &[
        ("CONSTRAINT_CATALOG", "r.constraint_catalog"),
        ("CONSTRAINT_SCHEMA", "r.constraint_schema"),
        ("CONSTRAINT_NAME", "r.constraint_name"),
        ("UNIQUE_CONSTRAINT_CATALOG", "r.unique_constraint_catalog"),
        ("UNIQUE_CONSTRAINT_SCHEMA", "r.unique_constraint_schema"),
        ("UNIQUE_CONSTRAINT_NAME", "r.unique_constraint_name"),
        ("MATCH_OPTION", "r.match_option"),
        ("UPDATE_RULE", "r.update_rule"),
        ("DELETE_RULE", "r.delete_rule"),
    ],
    from: "{db}INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS r WHERE 1 = 1",
    home: None,
};

static CHECK_CONSTRAINTS: Query = Query {
    columns: &[
        ("CONSTRAINT_CATALOG", "c.constraint_catalog"),
        ("CONSTRAINT_SCHEMA", "c.constraint_schema"),
        ("CONSTRAINT_NAME", "c.constraint_name"),
        ("CHECK_CLAUSE", "c.check_clause"),
    ],
    from: "{db}INFORMATION_SCHEMA.CHECK_CONSTRAINTS c WHERE 1 = 1",
    home: None,
};

static TABLE_PRIVILEGES: Query = Query {
    columns: &[
        ("GRANTOR", "p.grantor"),
        ("GRANTEE", "p.grantee"),
        ("TABLE_CATALOG", "p.table_catalog"),
        ("TABLE_SCHEMA", "p.table_schema"),
        ("TABLE_NAME", "p.table_name"),
        ("PRIVILEGE_TYPE", "p.privilege_type"),
        ("IS_GRANTABLE", "CASE WHEN p.is_grantable = 'YES' THEN 1 ELSE 0 END"),
    ],
    from: "{db}INFORMATION_SCHEMA.TABLE_PRIVILEGES p WHERE 1 = 1",
    home: None,
};

static COLUMN_PRIVILEGES: Query = Query {
    columns: &[
        ("GRANTOR", "p.grantor"),
        ("GRANTEE", "p.grantee"),
        ("TABLE_CATALOG", "p.table_catalog"),
        ("TABLE_SCHEMA", "p.table_schema"),
        ("TABLE_NAME", "p.table_name"),
        ("COLUMN_NAME", "p.column_name"),
        ("PRIVILEGE_TYPE", "p.privilege_type"),
        ("IS_GRANTABLE", "CASE WHEN p.is_grantable = 'YES' THEN 1 ELSE 0 END"),
    ],
    from: "{db}INFORMATION_SCHEMA.COLUMN_PRIVILEGES p WHERE 1 = 1",
    home: None,
};

static CONSTRAINT_COLUMN_USAGE: Query = Query {
    columns: &[
        ("TABLE_CATALOG", "u.table_catalog"),
        ("TABLE_SCHEMA", "u.table_schema"),
        ("TABLE_NAME", "u.table_name"),
        ("COLUMN_NAME", "u.column_name"),
        ("CONSTRAINT_CATALOG", "u.constraint_catalog"),
        ("CONSTRAINT_SCHEMA", "u.constraint_schema"),
        ("CONSTRAINT_NAME", "u.constraint_name"),
    ],
    from: "{db}INFORMATION_SCHEMA.CONSTRAINT_COLUMN_USAGE u WHERE 1 = 1",
    home: None,
};

static CONSTRAINT_TABLE_USAGE: Query = Query {
    columns: &[
        ("TABLE_CATALOG", "u.table_catalog"),
        ("TABLE_SCHEMA", "u.table_schema"),
        ("TABLE_NAME", "u.table_name"),
        ("CONSTRAINT_CATALOG", "u.constraint_catalog"),
        ("CONSTRAINT_SCHEMA", "u.constraint_schema"),
        ("CONSTRAINT_NAME", "u.constraint_name"),
    ],
    from: "{db}INFORMATION_SCHEMA.CONSTRAINT_TABLE_USAGE u WHERE 1 = 1",
    home: None,
};

static VIEW_TABLE_USAGE: Query = Query {
    columns: &[
        ("VIEW_CATALOG", "u.view_catalog"),
        ("VIEW_SCHEMA", "u.view_schema"),
        ("VIEW_NAME", "u.view_name"),
        ("TABLE_CATALOG", "u.table_catalog"),
        ("TABLE_SCHEMA", "u.table_schema"),
        ("TABLE_NAME", "u.table_name"),
    ],
    from: "{db}INFORMATION_SCHEMA.VIEW_TABLE_USAGE u WHERE 1 = 1",
    home: None,
};

static VIEW_COLUMN_USAGE: Query = Query {
    columns: &[
        ("VIEW_CATALOG", "u.view_catalog"),
        ("VIEW_SCHEMA", "u.view_schema"),
        ("VIEW_NAME", "u.view_name"),
        ("TABLE_CATALOG", "u.table_catalog"),
        ("TABLE_SCHEMA", "u.table_schema"),
        ("TABLE_NAME", "u.table_name"),
        ("COLUMN_NAME", "u.column_name"),
    ],
    from: "{db}INFORMATION_SCHEMA.VIEW_COLUMN_USAGE u WHERE 1 = 1",
    home: None,
};

pub(super) fn query(name: &str) -> Option<&'static Query> {
    Some(match name {
        "Catalogs" => &CATALOGS,
        "Schemata" => &SCHEMATA,
        "Tables" => &TABLES,
        "Views" => &VIEWS,
        "Procedures" => &PROCEDURES,
        "Indexes" => &INDEXES,
        "Primary_Keys" => &PRIMARY_KEYS,
        "Foreign_Keys" => &FOREIGN_KEYS,
        "Table_Constraints" => &TABLE_CONSTRAINTS,
        "Key_Column_Usage" => &KEY_COLUMN_USAGE,
        "Referential_Constraints" => &REFERENTIAL_CONSTRAINTS,
        "Check_Constraints" => &CHECK_CONSTRAINTS,
        "Table_Privileges" => &TABLE_PRIVILEGES,
        "Column_Privileges" => &COLUMN_PRIVILEGES,
        "Constraint_Column_Usage" => &CONSTRAINT_COLUMN_USAGE,
        "Constraint_Table_Usage" => &CONSTRAINT_TABLE_USAGE,
        "View_Table_Usage" => &VIEW_TABLE_USAGE,
        "View_Column_Usage" => &VIEW_COLUMN_USAGE,
        _ => return None,
    })
}
