//! Sessions that are used one after the other: what the next one finds.

use crate::sessions::{all, run, services};
use crate::stage::{Stage, Way};
use dtsx_components::db::{Database, Estate, StatementOptions};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::props::Origin;
use dtsx_engine::types::Value;

#[test]
fn a_session_that_is_used_again_begins_as_a_new_one_does() {
    for way in [Way::Postgres, Way::MariaDb] {
        let Some(stage) = Stage::new(way) else { continue };
        let (set, asked) = match way {
            Way::Postgres => ("SET application_name = 'planted'", "select current_setting('application_name')"),
            _ => ("SET @planted = 'planted'", "select @planted"),
        };
        let file = stage
            .write("connections.toml", &format!("[connections.Db]\nconnect = '{}'\ninit = [\"{set}\"]", stage.string));
        let services = services();
        Estate::read(&file).unwrap().install(&services);
        let mut spec = ConnectionSpec { name: "Db".into(), kind: "OLEDB".into(), ..ConnectionSpec::default() };
        spec.properties.set_text("ConnectionString", "Data Source=elsewhere", Origin::Package);
        let database = Database::of(&spec, &services).unwrap();
        for round in 0..3 {
            let mut lease = database.lease().unwrap();
            assert_eq!(all(&mut *lease, asked), [[Value::text("planted")]], "{way:?} {round}");
        }
    }
}

#[test]
fn an_interruption_is_for_the_lease_that_it_was_meant_for() {
    for way in [Way::Sqlite, Way::Postgres, Way::PostgresOdbc, Way::MariaDb, Way::MariaDbOdbc] {
        let Some(stage) = Stage::new(way) else { continue };
        for retain in [false, true] {
            let services = services();
            let mut spec = ConnectionSpec { name: "Db".into(), kind: "OLEDB".into(), ..ConnectionSpec::default() };
            spec.properties.set_text("ConnectionString", &stage.string, Origin::Override);
            if retain {
                spec.properties.set_text("RetainSameConnection", "True", Origin::Override);
            }
            let database = Database::of(&spec, &services).unwrap();
            let mut lease = database.lease().unwrap();
            run(&mut *lease, "create table t(id int)");
            let canceller = lease.canceller();
            canceller.cancel();
            let refused = lease.query("select id from t", &[], &StatementOptions::default());
            assert!(refused.is_err(), "{way:?} {retain}");
            drop(refused);
            drop(lease);
            let mut lease = database.lease().unwrap();
            run(&mut *lease, "insert into t values (1)");
            canceller.cancel();
            assert_eq!(
                all(&mut *lease, "select id from t").len(),
                1,
                "{way:?} {retain}: too late to hit somebody else"
            );
            run(&mut *lease, "drop table t");
        }
    }
}
