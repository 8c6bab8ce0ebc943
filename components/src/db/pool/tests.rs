use super::*;
use crate::db::Param;
use crate::shared::testing::open_cx;
use dtsx_engine::props::Origin;

/// A connection manager with RetainSameConnection on a database file, inside a container's transaction and beside it.
struct Scene {
    folder: tempfile::TempDir,
    transaction: Arc<Transaction>,
    inside: Database,
    beside: Database,
}

impl Scene {
    fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let mut spec = ConnectionSpec { name: "Db".into(), kind: "OLEDB".into(), ..ConnectionSpec::default() };
        let string = format!("sqlite:{}", folder.path().join("t.db").display());
        spec.properties.set_text("ConnectionString", &string, Origin::Override);
        spec.properties.set_text("RetainSameConnection", "True", Origin::Override);
        let services = open_cx(&Arc::default()).services;
        let transaction = Arc::new(Transaction::new(0));
        let beside = Database::of(&spec, &services).unwrap();
        let around = Services { transaction: Some(transaction.clone()), ..services };
        let inside = Database::of(&spec, &around).unwrap();
        Scene { folder, transaction, inside, beside }
    }

    /// How many rows everybody sees.
    fn committed(&self) -> i64 {
        let connection = rusqlite::Connection::open(self.folder.path().join("t.db")).unwrap();
        connection.query_row("select count(*) from t", [], |row| row.get(0)).unwrap()
    }
}

fn run(database: &Database, sql: &str) -> Outcome<()> {
    database.lease()?.execute(sql, &[] as &[Param], &StatementOptions::default()).map(drop)
}

#[test]
fn a_retained_session_outlives_the_transaction_of_a_container() {
    for keep in [true, false] {
        let scene = Scene::new();
        run(&scene.beside, "create table t(id int); create temp table own(id int)").unwrap();
        run(&scene.inside, "insert into t values (1); insert into own values (1)").unwrap();
        scene.transaction.end(keep).unwrap();
        assert_eq!(scene.committed(), i64::from(keep));
        run(&scene.beside, "insert into own values (2)").unwrap();
        assert_eq!(scene.beside.pool.state().idle.len(), 1);
    }
}

#[test]
fn a_retained_session_with_a_transaction_of_its_own_takes_part_in_no_other() {
    let scene = Scene::new();
    run(&scene.beside, "create table t(id int); begin; insert into t values (1)").unwrap();
    let error = run(&scene.inside, "insert into t values (2)").unwrap_err();
    assert!(error.message.contains("in a transaction that a statement began"), "{error}");
    scene.transaction.end(false).unwrap();
    // It is as it was.
    assert!(scene.beside.is_shared());
    run(&scene.beside, "insert into t values (3); commit").unwrap();
    assert_eq!(scene.committed(), 2);
}
