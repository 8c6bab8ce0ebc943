use super::*;
use std::collections::HashSet;

#[test]
fn rowsets_by_guid_and_by_name() {
    for (text, name) in [
        ("{C8B52229-5CF3-11CE-ADE5-00AA0044773D}", Some("Tables")),
        ("c8b52214-5cf3-11ce-ade5-00aa0044773d", Some("Columns")),
        (" Primary_Keys ", Some("Primary_Keys")),
        ("Primary Keys", Some("Primary_Keys")),
        ("DBSCHEMA_FOREIGN_KEYS", Some("Foreign_Keys")),
        ("{C8B52229-5CF3-11CE-ADE5-00AA0044773E}", None),
        ("Provider_Types", None),
        ("", None),
    ] {
        assert_eq!(find(text).map(|r| r.name), name, "{text}");
    }
    assert_eq!(known::name_of("{c8b5222c-5cf3-11ce-ade5-00aa0044773d}"), "Provider_Types");
    assert_eq!(known::name_of("x"), "x");
}

#[test]
fn queries_name_columns_of_their_rowsets() {
    for rowset in known::names().filter_map(find) {
        let names: Vec<&str> = rowset.columns.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{}", rowset.name);
        for place in rowset.restrictions.iter().chain(rowset.order) {
            assert!(*place < names.len(), "{}", rowset.name);
        }
        for family in [Family::Postgres, Family::MySql, Family::Sqlite, Family::SqlServer] {
            for (name, _) in query(family, rowset).map_or(&[][..], |q| q.columns) {
                assert!(names.contains(name), "{family:?} {}: {name}", rowset.name);
            }
        }
    }
}

#[test]
fn restrictions_become_conditions() {
    let given =
        |values: &[&str]| values.iter().map(|v| Some((*v).to_owned()).filter(|v| !v.is_empty())).collect::<Vec<_>>();
    let tables = find("Tables").unwrap();
    let sql = |family: Family, numbered: bool, values: &[&str]| {
        let dialect = Dialect { numbered_parameters: numbered, ..Dialect::of(family) };
        let (sql, params) = statement(&dialect, query(family, tables).unwrap(), tables, &given(values));
        (sql, params.len())
    };
    let (text, count) = sql(Family::Postgres, true, &["", "s", "t"]);
    assert!(text.ends_with(" AND n.nspname::text = $1 AND c.relname::text = $2"), "{text}");
    assert_eq!(count, 2);
    let (text, count) = sql(Family::SqlServer, false, &["It's", "dbo"]);
    assert!(text.contains("SELECT N'It''s' AS [TABLE_CATALOG]"), "{text}");
    assert!(text.contains("FROM [It's].sys.all_objects o JOIN [It's].sys.schemas"), "{text}");
    assert!(text.ends_with(" AND s.name = ?") && count == 1, "{text}");
    let (text, count) = sql(Family::SqlServer, false, &[]);
    assert!(text.contains("SELECT DB_NAME() AS") && text.contains("FROM sys.all_objects") && count == 0, "{text}");
    // The schema of SQL Server that is always there is the database of the connection.
    for values in [&["", "dbo", "t"][..], &["", "", "t"]] {
        let (text, count) = sql(Family::MySql, false, values);
        assert!(text.ends_with(" AND t.table_name = ? AND t.table_schema = DATABASE()") && count == 1, "{text}");
    }
    assert!(sql(Family::MySql, false, &["", "other"]).0.ends_with(" AND t.table_schema = ?"));
    assert!(supports(Family::Sqlite, find("Procedures").unwrap()).is_err_and(|e| e.message.contains("SQLite")));
    assert!(supports(Family::Oracle, tables).is_err_and(|e| e.message.contains("Oracle")));
    assert!(supports(Family::Postgres, find("Columns").unwrap()).is_ok());
}
