//! The private database servers themselves.

use dtsx_tests::servers;

#[test]
fn postgres_answers() {
    let Some(server) = servers::postgres() else { return };
    let database = server.database().expect("a database");
    let rows =
        database.sql("create table t(a int); insert into t values (1), (2); select sum(a) from t").expect("rows");
    assert_eq!(rows.trim(), "3");
    database.sql("selekt").expect_err("an error of the server is told");
}

#[test]
fn mariadb_answers() {
    let Some(server) = servers::mariadb() else { return };
    let database = server.database().expect("a database");
    let rows =
        database.sql("create table t(a int); insert into t values (1), (2); select sum(a) from t").expect("rows");
    assert_eq!(rows.trim(), "3");
    database.sql("selekt").expect_err("an error of the server is told");
}
