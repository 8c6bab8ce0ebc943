//! What MySQL and MariaDB say, from their INFORMATION_SCHEMA. Their databases are schemas here, as in names of tables; where
//! none is asked for, it is the one of the connection.

use super::Query;

static CATALOGS: Query = Query {
    columns: &[("CATALOG_NAME", "s.schema_name")],
    from: "information_schema.schemata s WHERE 1 = 1",
    home: None,
};

static SCHEMATA: Query = Query {
    columns: &[("SCHEMA_NAME", "s.schema_name"), ("DEFAULT_CHARACTER_SET_NAME", "s.default_character_set_name")],
    from: "information_schema.schemata s WHERE 1 = 1",
    home: None,
};

static TABLES: Query = Query {
    columns: &[
        ("TABLE_SCHEMA", "t.table_schema"),
        ("TABLE_NAME", "t.table_name"),
        (
            "TABLE_TYPE",
            "CASE WHEN t.table_type = 'VIEW' AND t.table_schema NOT IN ('mysql', 'sys', 'performance_schema', \
             'information_schema') THEN 'VIEW' WHEN t.table_type LIKE '%VIEW' THEN 'SYSTEM VIEW' \
             WHEN t.table_schema IN ('mysql', 'sys', 'performance_schema', 'information_schema') THEN 'SYSTEM TABLE' \
             WHEN t.table_type LIKE 'TEMPORARY%' THEN 'LOCAL TEMPORARY' ELSE 'TABLE' END",
        ),
        ("DESCRIPTION", "NULLIF(t.table_comment, '')"),
        ("DATE_CREATED", "t.create_time"),
        ("DATE_MODIFIED", "t.update_time"),
    ],
    from: "information_schema.tables t WHERE 1 = 1",
    home: Some("t.table_schema = DATABASE()"),
};

static VIEWS: Query = Query {
    columns: &[
        ("TABLE_SCHEMA", "v.table_schema"),
        ("TABLE_NAME", "v.table_name"),
        ("VIEW_DEFINITION", "v.view_definition"),
        ("CHECK_OPTION", "CASE WHEN v.check_option = 'NONE' THEN 0 ELSE 1 END"),
        ("IS_UPDATABLE", "CASE WHEN v.is_updatable = 'YES' THEN 1 ELSE 0 END"),
    ],
    from: "information_schema.views v WHERE 1 = 1",
    home: Some("v.table_schema = DATABASE()"),
};

static PROCEDURES: Query = Query {
    columns: &[
        ("PROCEDURE_SCHEMA", "r.routine_schema"),
        ("PROCEDURE_NAME", "r.routine_name"),
        ("PROCEDURE_TYPE", "CASE WHEN r.routine_type = 'PROCEDURE' THEN 2 ELSE 3 END"),
        ("PROCEDURE_DEFINITION", "r.routine_definition"),
        ("DESCRIPTION", "NULLIF(r.routine_comment, '')"),
        ("DATE_CREATED", "r.created"),
        ("DATE_MODIFIED", "r.last_altered"),
    ],
    from: "information_schema.routines r WHERE r.routine_type IN ('PROCEDURE', 'FUNCTION')",
    home: Some("r.routine_schema = DATABASE()"),
};

static INDEXES: Query = Query {
    columns: &[
        ("TABLE_SCHEMA", "s.table_schema"),
        ("TABLE_NAME", "s.table_name"),
        ("INDEX_SCHEMA", "s.index_schema"),
        ("INDEX_NAME", "s.index_name"),
        ("PRIMARY_KEY", "CASE WHEN s.index_name = 'PRIMARY' THEN 1 ELSE 0 END"),
        ("UNIQUE", "CASE WHEN s.non_unique = 0 THEN 1 ELSE 0 END"),
        ("TYPE", "CASE s.index_type WHEN 'BTREE' THEN 1 WHEN 'HASH' THEN 2 WHEN 'FULLTEXT' THEN 3 ELSE 4 END"),
        ("NULLS", "0"),
        ("AUTO_UPDATE", "1"),
        ("ORDINAL_POSITION", "s.seq_in_index"),
        ("COLUMN_NAME", "s.column_name"),
        ("COLLATION", "CASE s.collation WHEN 'A' THEN 1 WHEN 'D' THEN 2 END"),
        ("CARDINALITY", "s.cardinality"),
    ],
    from: "information_schema.statistics s WHERE 1 = 1",
    home: Some("s.table_schema = DATABASE()"),
};

static PRIMARY_KEYS: Query = Query {
    columns: &[
        ("TABLE_SCHEMA", "k.table_schema"),
        ("TABLE_NAME", "k.table_name"),
        ("COLUMN_NAME", "k.column_name"),
        ("ORDINAL", "k.ordinal_position"),
        ("PK_NAME", "k.constraint_name"),
    ],
    from: "information_schema.key_column_usage k WHERE k.constraint_name = 'PRIMARY'",
    home: Some("k.table_schema = DATABASE()"),
};

static FOREIGN_KEYS: Query = Query {
    columns: &[
        ("PK_TABLE_SCHEMA", "k.referenced_table_schema"),
        ("PK_TABLE_NAME", "k.referenced_table_name"),
        ("PK_COLUMN_NAME", "k.referenced_column_name"),
        ("FK_TABLE_SCHEMA", "k.table_schema"),
        ("FK_TABLE_NAME", "k.table_name"),
        ("FK_COLUMN_NAME", "k.column_name"),
        ("ORDINAL", "k.ordinal_position"),
        ("UPDATE_RULE", "r.update_rule"),
        ("DELETE_RULE", "r.delete_rule"),
        ("PK_NAME", "r.unique_constraint_name"),
        ("FK_NAME", "k.constraint_name"),
        ("DEFERRABILITY", "3"),
    ],
    from: "information_schema.key_column_usage k JOIN information_schema.referential_constraints r \
           ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name \
           AND r.table_name = k.table_name WHERE k.referenced_table_name IS NOT NULL",
    home: Some("k.table_schema = DATABASE()"),
};

static TABLE_CONSTRAINTS: Query = Query {
    columns: &[
        ("CONSTRAINT_SCHEMA", "c.constraint_schema"),
        ("CONSTRAINT_NAME", "c.constraint_name"),
        ("TABLE_SCHEMA", "c.table_schema"),
        ("TABLE_NAME", "c.table_name"),
        ("CONSTRAINT_TYPE", "c.constraint_type"),
        ("IS_DEFERRABLE", "0"),
        ("INITIALLY_DEFERRED", "0"),
    ],
    from: "information_schema.table_constraints c WHERE 1 = 1",
    home: Some("c.table_schema = DATABASE()"),
};

static KEY_COLUMN_USAGE: Query = Query {
    columns: &[
        ("CONSTRAINT_SCHEMA", "k.constraint_schema"),
        ("CONSTRAINT_NAME", "k.constraint_name"),
        ("TABLE_SCHEMA", "k.table_schema"),
        ("TABLE_NAME", "k.table_name"),
        ("COLUMN_NAME", "k.column_name"),
        ("ORDINAL_POSITION", "k.ordinal_position"),
    ],
    from: "information_schema.key_column_usage k WHERE 1 = 1",
    home: Some("k.table_schema = DATABASE()"),
};

static REFERENTIAL_CONSTRAINTS: Query = Query {
    columns: &[
        ("CONSTRAINT_SCHEMA", "r.constraint_schema"),
        ("CONSTRAINT_NAME", "r.constraint_name"),
        ("UNIQUE_CONSTRAINT_SCHEMA", "r.unique_constraint_schema"),
        ("UNIQUE_CONSTRAINT_NAME", "r.unique_constraint_name"),
        ("MATCH_OPTION", "r.match_option"),
        ("UPDATE_RULE", "r.update_rule"),
        ("DELETE_RULE", "r.delete_rule"),
    ],
    from: "information_schema.referential_constraints r WHERE 1 = 1",
    home: Some("r.constraint_schema = DATABASE()"),
};

static CHECK_CONSTRAINTS: Query = Query {
    columns: &[
        ("CONSTRAINT_SCHEMA", "c.constraint_schema"),
        ("CONSTRAINT_NAME", "c.constraint_name"),
        ("CHECK_CLAUSE", "c.check_clause"),
    ],
    from: "information_schema.check_constraints c WHERE 1 = 1",
    home: Some("c.constraint_schema = DATABASE()"),
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
        _ => return None,
    })
}
