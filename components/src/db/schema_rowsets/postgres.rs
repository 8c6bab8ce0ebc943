//! What PostgreSQL says, from its catalog: its INFORMATION_SCHEMA has neither indexes nor comments, and shows some things to
//! owners only.

use super::Query;

const CATALOG: &str = "current_database()::text";

static CATALOGS: Query = Query {
    columns: &[("CATALOG_NAME", "d.datname::text"), ("DESCRIPTION", "shobj_description(d.oid, 'pg_database')")],
    from: "pg_database d WHERE NOT d.datistemplate",
    home: None,
};

static SCHEMATA: Query = Query {
    columns: &[
        ("CATALOG_NAME", CATALOG),
        ("SCHEMA_NAME", "n.nspname::text"),
        ("SCHEMA_OWNER", "pg_get_userbyid(n.nspowner)::text"),
    ],
    from: "pg_namespace n WHERE left(n.nspname, 7) NOT IN ('pg_toas', 'pg_temp')",
    home: None,
};

static TABLES: Query = Query {
    columns: &[
        ("TABLE_CATALOG", CATALOG),
        ("TABLE_SCHEMA", "n.nspname::text"),
        ("TABLE_NAME", "c.relname::text"),
        (
            "TABLE_TYPE",
            "CASE WHEN c.relpersistence = 't' THEN 'LOCAL TEMPORARY' \
                  WHEN n.nspname NOT IN ('pg_catalog', 'information_schema') \
                  THEN CASE WHEN c.relkind IN ('v', 'm') THEN 'VIEW' ELSE 'TABLE' END \
                  WHEN c.relkind IN ('v', 'm') THEN 'SYSTEM VIEW' ELSE 'SYSTEM TABLE' END",
        ),
        ("DESCRIPTION", "obj_description(c.oid, 'pg_class')"),
    ],
    from: "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') \
           AND left(n.nspname, 8) <> 'pg_toast' AND NOT pg_is_other_temp_schema(n.oid) \
           AND (has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') \
                OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))",
    home: None,
};

static VIEWS: Query = Query {
    columns: &[
        ("TABLE_CATALOG", CATALOG),
        ("TABLE_SCHEMA", "v.table_schema::text"),
        ("TABLE_NAME", "v.table_name::text"),
        ("VIEW_DEFINITION", "v.view_definition::text"),
        ("CHECK_OPTION", "CASE WHEN v.check_option IN ('LOCAL', 'CASCADED') THEN 1 ELSE 0 END"),
        ("IS_UPDATABLE", "CASE WHEN v.is_updatable = 'YES' THEN 1 ELSE 0 END"),
    ],
    from: "information_schema.views v WHERE v.table_schema NOT IN ('pg_catalog', 'information_schema')",
    home: None,
};

static PROCEDURES: Query = Query {
    columns: &[
        ("PROCEDURE_CATALOG", CATALOG),
        ("PROCEDURE_SCHEMA", "n.nspname::text"),
        ("PROCEDURE_NAME", "p.proname::text"),
        ("PROCEDURE_TYPE", "CASE WHEN p.prokind = 'p' THEN 2 ELSE 3 END"),
        ("PROCEDURE_DEFINITION", "p.prosrc"),
        ("DESCRIPTION", "obj_description(p.oid, 'pg_proc')"),
    ],
    from: "pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prokind IN ('f', 'p') \
           AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'",
    home: None,
};

static INDEXES: Query = Query {
    columns: &[
        ("TABLE_CATALOG", CATALOG),
        ("TABLE_SCHEMA", "n.nspname::text"),
        ("TABLE_NAME", "t.relname::text"),
        ("INDEX_CATALOG", CATALOG),
        ("INDEX_SCHEMA", "n.nspname::text"),
        ("INDEX_NAME", "c.relname::text"),
        ("PRIMARY_KEY", "CASE WHEN i.indisprimary THEN 1 ELSE 0 END"),
        ("UNIQUE", "CASE WHEN i.indisunique THEN 1 ELSE 0 END"),
        ("CLUSTERED", "CASE WHEN i.indisclustered THEN 1 ELSE 0 END"),
        ("TYPE", "CASE a.amname WHEN 'btree' THEN 1 WHEN 'hash' THEN 2 ELSE 4 END"),
        ("NULLS", "0"),
        ("AUTO_UPDATE", "1"),
        ("ORDINAL_POSITION", "k.n"),
        ("COLUMN_NAME", "f.attname::text"),
        ("COLLATION", "CASE WHEN i.indoption[k.n - 1] & 1 = 1 THEN 2 ELSE 1 END"),
        ("CARDINALITY", "CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END"),
        ("PAGES", "c.relpages"),
        ("FILTER_CONDITION", "pg_get_expr(i.indpred, i.indrelid)"),
    ],
    from: "pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid \
           JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_am a ON a.oid = c.relam \
           CROSS JOIN LATERAL generate_series(1, i.indnkeyatts::int) k(n) \
           LEFT JOIN pg_attribute f ON f.attrelid = t.oid AND f.attnum = i.indkey[k.n - 1] AND f.attnum <> 0 \
           WHERE left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'",
    home: None,
};

static PRIMARY_KEYS: Query = Query {
    columns: &[
        ("TABLE_CATALOG", CATALOG),
        ("TABLE_SCHEMA", "n.nspname::text"),
        ("TABLE_NAME", "t.relname::text"),
        ("COLUMN_NAME", "a.attname::text"),
        ("ORDINAL", "k.n"),
        ("PK_NAME", "o.conname::text"),
    ],
    from: "pg_constraint o JOIN pg_class t ON t.oid = o.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace \
           CROSS JOIN LATERAL unnest(o.conkey) WITH ORDINALITY k(column_number, n) \
           JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.column_number WHERE o.contype = 'p'",
    home: None,
};

static FOREIGN_KEYS: Query = Query {
    columns: &[
        ("PK_TABLE_CATALOG", CATALOG),
        ("PK_TABLE_SCHEMA", "pn.nspname::text"),
        ("PK_TABLE_NAME", "pt.relname::text"),
        ("PK_COLUMN_NAME", "pa.attname::text"),
        ("FK_TABLE_CATALOG", CATALOG),
        ("FK_TABLE_SCHEMA", "fn.nspname::text"),
        ("FK_TABLE_NAME", "ft.relname::text"),
        ("FK_COLUMN_NAME", "fa.attname::text"),
        ("ORDINAL", "k.n"),
        (
            "UPDATE_RULE",
            "CASE o.confupdtype WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' \
             WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END",
        ),
        (
            "DELETE_RULE",
            "CASE o.confdeltype WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' \
             WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END",
        ),
        ("PK_NAME", "u.relname::text"),
        ("FK_NAME", "o.conname::text"),
        ("DEFERRABILITY", "CASE WHEN NOT o.condeferrable THEN 3 WHEN o.condeferred THEN 1 ELSE 2 END"),
    ],
    from: "pg_constraint o JOIN pg_class ft ON ft.oid = o.conrelid JOIN pg_namespace fn ON fn.oid = ft.relnamespace \
           JOIN pg_class pt ON pt.oid = o.confrelid JOIN pg_namespace pn ON pn.oid = pt.relnamespace \
           LEFT JOIN pg_class u ON u.oid = o.conindid \
           CROSS JOIN LATERAL unnest(o.conkey, o.confkey) WITH ORDINALITY k(f, p, n) \
           JOIN pg_attribute fa ON fa.attrelid = ft.oid AND fa.attnum = k.f \
           JOIN pg_attribute pa ON pa.attrelid = pt.oid AND pa.attnum = k.p WHERE o.contype = 'f'",
    home: None,
};

static TABLE_CONSTRAINTS: Query = Query {
    columns: &[
        ("CONSTRAINT_CATALOG", CATALOG),
        ("CONSTRAINT_SCHEMA", "n.nspname::text"),
        ("CONSTRAINT_NAME", "o.conname::text"),
        ("TABLE_CATALOG", CATALOG),
        ("TABLE_SCHEMA", "n.nspname::text"),
        ("TABLE_NAME", "t.relname::text"),
        (
            "CONSTRAINT_TYPE",
            "CASE o.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' WHEN 'f' THEN 'FOREIGN KEY' \
             ELSE 'CHECK' END",
        ),
        ("IS_DEFERRABLE", "CASE WHEN o.condeferrable THEN 1 ELSE 0 END"),
        ("INITIALLY_DEFERRED", "CASE WHEN o.condeferred THEN 1 ELSE 0 END"),
        ("DESCRIPTION", "obj_description(o.oid, 'pg_constraint')"),
    ],
    from: "pg_constraint o JOIN pg_class t ON t.oid = o.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace \
           WHERE o.contype IN ('p', 'u', 'f', 'c') AND left(n.nspname, 3) <> 'pg_' \
           AND n.nspname <> 'information_schema'",
    home: None,
};

static KEY_COLUMN_USAGE: Query = Query {
    columns: &[
        ("CONSTRAINT_CATALOG", CATALOG),
        ("CONSTRAINT_SCHEMA", "n.nspname::text"),
        ("CONSTRAINT_NAME", "o.conname::text"),
        ("TABLE_CATALOG", CATALOG),
        ("TABLE_SCHEMA", "n.nspname::text"),
        ("TABLE_NAME", "t.relname::text"),
        ("COLUMN_NAME", "a.attname::text"),
        ("ORDINAL_POSITION", "k.n"),
    ],
    from: "pg_constraint o JOIN pg_class t ON t.oid = o.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace \
           CROSS JOIN LATERAL unnest(o.conkey) WITH ORDINALITY k(column_number, n) \
           JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.column_number \
           WHERE o.contype IN ('p', 'u', 'f') AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'",
    home: None,
};

static CHECK_CONSTRAINTS: Query = Query {
    columns: &[
        ("CONSTRAINT_CATALOG", CATALOG),
        ("CONSTRAINT_SCHEMA", "n.nspname::text"),
        ("CONSTRAINT_NAME", "o.conname::text"),
        ("CHECK_CLAUSE", "pg_get_expr(o.conbin, o.conrelid)"),
        ("DESCRIPTION", "obj_description(o.oid, 'pg_constraint')"),
    ],
    from: "pg_constraint o JOIN pg_namespace n ON n.oid = o.connamespace WHERE o.contype = 'c' AND o.conrelid <> 0 \
           AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'",
    home: None,
};

static REFERENTIAL_CONSTRAINTS: Query = Query {
    columns: &[
        ("CONSTRAINT_CATALOG", CATALOG),
        ("CONSTRAINT_SCHEMA", "r.constraint_schema::text"),
        ("CONSTRAINT_NAME", "r.constraint_name::text"),
        ("UNIQUE_CONSTRAINT_CATALOG", "r.unique_constraint_catalog::text"),
        ("UNIQUE_CONSTRAINT_SCHEMA", "r.unique_constraint_schema::text"),
        ("UNIQUE_CONSTRAINT_NAME", "r.unique_constraint_name::text"),
        ("MATCH_OPTION", "r.match_option::text"),
        ("UPDATE_RULE", "r.update_rule::text"),
        ("DELETE_RULE", "r.delete_rule::text"),
    ],
    from: "information_schema.referential_constraints r WHERE 1 = 1",
    home: None,
};

static TABLE_PRIVILEGES: Query = Query {
    columns: &[
        ("GRANTOR", "p.grantor::text"),
        ("GRANTEE", "p.grantee::text"),
        ("TABLE_CATALOG", CATALOG),
        ("TABLE_SCHEMA", "p.table_schema::text"),
        ("TABLE_NAME", "p.table_name::text"),
        ("PRIVILEGE_TYPE", "p.privilege_type::text"),
        ("IS_GRANTABLE", "CASE WHEN p.is_grantable = 'YES' THEN 1 ELSE 0 END"),
    ],
    from: "information_schema.table_privileges p WHERE 1 = 1",
    home: None,
};

static COLUMN_PRIVILEGES: Query = Query {
    columns: &[
        ("GRANTOR", "p.grantor::text"),
        ("GRANTEE", "p.grantee::text"),
        ("TABLE_CATALOG", CATALOG),
        ("TABLE_SCHEMA", "p.table_schema::text"),
        ("TABLE_NAME", "p.table_name::text"),
        ("COLUMN_NAME", "p.column_name::text"),
        ("PRIVILEGE_TYPE", "p.privilege_type::text"),
        ("IS_GRANTABLE", "CASE WHEN p.is_grantable = 'YES' THEN 1 ELSE 0 END"),
    ],
    from: "information_schema.column_privileges p WHERE 1 = 1",
    home: None,
};

static CONSTRAINT_COLUMN_USAGE: Query = Query {
    columns: &[
        ("TABLE_CATALOG", CATALOG),
        ("TABLE_SCHEMA", "u.table_schema::text"),
        ("TABLE_NAME", "u.table_name::text"),
        ("COLUMN_NAME", "u.column_name::text"),
        ("CONSTRAINT_CATALOG", CATALOG),
        ("CONSTRAINT_SCHEMA", "u.constraint_schema::text"),
        ("CONSTRAINT_NAME", "u.constraint_name::text"),
    ],
    from: "information_schema.constraint_column_usage u WHERE 1 = 1",
    home: None,
};

static CONSTRAINT_TABLE_USAGE: Query = Query {
    columns: &[
        ("TABLE_CATALOG", CATALOG),
        ("TABLE_SCHEMA", "u.table_schema::text"),
        ("TABLE_NAME", "u.table_name::text"),
        ("CONSTRAINT_CATALOG", CATALOG),
        ("CONSTRAINT_SCHEMA", "u.constraint_schema::text"),
        ("CONSTRAINT_NAME", "u.constraint_name::text"),
    ],
    from: "information_schema.constraint_table_usage u WHERE 1 = 1",
    home: None,
};

static VIEW_TABLE_USAGE: Query = Query {
    columns: &[
        ("VIEW_CATALOG", CATALOG),
        ("VIEW_SCHEMA", "u.view_schema::text"),
        ("VIEW_NAME", "u.view_name::text"),
        ("TABLE_CATALOG", CATALOG),
        ("TABLE_SCHEMA", "u.table_schema::text"),
        ("TABLE_NAME", "u.table_name::text"),
    ],
    from: "information_schema.view_table_usage u WHERE 1 = 1",
    home: None,
};

static VIEW_COLUMN_USAGE: Query = Query {
    columns: &[
        ("VIEW_CATALOG", CATALOG),
        ("VIEW_SCHEMA", "u.view_schema::text"),
        ("VIEW_NAME", "u.view_name::text"),
        ("TABLE_CATALOG", CATALOG),
        ("TABLE_SCHEMA", "u.table_schema::text"),
        ("TABLE_NAME", "u.table_name::text"),
        ("COLUMN_NAME", "u.column_name::text"),
    ],
    from: "information_schema.view_column_usage u WHERE 1 = 1",
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
        "Check_Constraints" => &CHECK_CONSTRAINTS,
        "Referential_Constraints" => &REFERENTIAL_CONSTRAINTS,
        "Table_Privileges" => &TABLE_PRIVILEGES,
        "Column_Privileges" => &COLUMN_PRIVILEGES,
        "Constraint_Column_Usage" => &CONSTRAINT_COLUMN_USAGE,
        "Constraint_Table_Usage" => &CONSTRAINT_TABLE_USAGE,
        "View_Table_Usage" => &VIEW_TABLE_USAGE,
        "View_Column_Usage" => &VIEW_COLUMN_USAGE,
        _ => return None,
    })
}
