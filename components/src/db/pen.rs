//! Writing beside others: who writes into a database, and when that becomes durable.
//!
//! Most databases take any number of writers, and each has a session and a transaction of its own. One file of SQLite
//! takes one writer at a time, and a data flow may have several destinations in it: they share one session and one
//! transaction, which is committed when nobody has anything open in it. So do those who work in the transaction of a
//! container, which the container ends; they take its session for each piece of work anew, as others need it, too. If it is
//! not in that transaction any more, nobody may write: what comes now could not be undone with the rest.
//!
//! Data flows that run at the same time share a file, too. One that is through waits for the others' rows to be committed,
//! and its own with them: if they are undone, it fails as they do.

use super::error::{DbError, ErrorKind, Outcome};
use super::pool::{Database, Lease};
use super::session::Session;
use dtsx_engine::events::Events;
use dtsx_engine::flow::OpenCx;
use dtsx_engine::run::CancelToken;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A writer's place at a database.
pub(crate) struct Pen {
    place: Arc<Place>,
    database: Database,
    cancel: CancelToken,
    /// What the components of a data flow have in common: its address tells the flow, for as long as it is held.
    flow: Arc<dyn Events>,
    /// The transaction that this writer has something open in, by its number.
    open: Option<u64>,
}

/// A desk, and what tells those who wait at it.
#[derive(Default)]
struct Place {
    desk: Mutex<Desk>,
    /// Something was committed or undone.
    changed: Condvar,
}

/// What a data flow has at a desk.
#[derive(Default)]
struct Party {
    pens: usize,
    /// Pens with something open in the transaction.
    open: usize,
    /// The transaction that has rows whose commit was put off.
    owed: Option<u64>,
}

/// A session that one writer has, or several share.
#[derive(Default)]
struct Desk {
    lease: Option<Lease>,
    /// Writers that are here.
    pens: usize,
    /// Those with something open in the transaction.
    open: usize,
    /// By data flow: what it has here.
    parties: HashMap<usize, Party>,
    /// The number of the transaction in hand: one more with every transaction that was undone.
    number: u64,
    /// The session came with a transaction that somebody else ends.
    foreign: bool,
    /// The session is of no more use.
    broken: bool,
}

/// Whether what was written is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Durable {
    /// It is.
    Yes,
    /// Not before others that write or read here are through; going on is safe.
    Later,
}

fn lock(place: &Place) -> MutexGuard<'_, Desk> {
    place.desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The session, for as long as nobody else may use it.
pub(crate) struct Writing<'a>(MutexGuard<'a, Desk>);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if self.0.foreign {
            // A source or a lookup may want it before the next piece comes.
            self.0.lease = None;
        }
    }
}

impl Deref for Writing<'_> {
    type Target = dyn Session;

    fn deref(&self) -> &(dyn Session + 'static) {
        match &self.0.lease {
            Some(lease) => &**lease,
            None => unreachable!("a desk has its session while a pen is there"),
        }
    }
}

impl DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut (dyn Session + 'static) {
        match &mut self.0.lease {
            Some(lease) => &mut **lease,
            None => unreachable!("a desk has its session while a pen is there"),
        }
    }
}

impl Pen {
    /// A place at `database`. This waits.
    ///
    /// # Errors
    /// No session can be had.
    pub(crate) fn new(database: &Database, cx: &OpenCx) -> Outcome<Pen> {
        let (target, shared) = (database.target(), &cx.services.shared);
        let place = match (database.is_enlisted(), target.driver.one_writer()) {
            (true, _) => shared.get::<Place>(database.key()),
            (_, true) => shared.get::<Place>(target.address.reveal()),
            _ => Arc::default(),
        };
        let pen = Pen {
            place: place.clone(),
            database: database.clone(),
            cancel: cx.services.cancel.clone(),
            flow: cx.events.clone(),
            open: None,
        };
        let party = pen.party();
        let mut desk = lock(&place);
        // From here on, dropping the pen leaves the desk.
        desk.pens += 1;
        desk.parties.entry(party).or_default().pens += 1;
        if desk.lease.is_none() {
            let shared = database.is_shared();
            match database.lease() {
                Ok(lease) if database.is_enlisted() && !lease.in_transaction() => {
                    drop(desk);
                    return Err(ended());
                }
                Ok(lease) => {
                    desk.foreign = shared && lease.in_transaction();
                    desk.lease = Some(lease).filter(|_| !desk.foreign);
                }
                Err(error) => {
                    drop(desk);
                    return Err(error);
                }
            }
        }
        drop(desk);
        Ok(pen)
    }

    /// What tells the data flow of this pen from others.
    fn party(&self) -> usize {
        Arc::as_ptr(&self.flow).addr()
    }

    /// The session, with a transaction begun.
    ///
    /// # Errors
    /// It cannot be begun; what this writer had open in it was undone because another one failed.
    pub(crate) fn write(&mut self) -> Outcome<Writing<'_>> {
        let party = self.party();
        let mut writing = Writing(lock(&self.place));
        let desk = &mut *writing.0;
        if desk.broken {
            return Err(DbError::new(ErrorKind::Lost, "the connection broke"));
        }
        if desk.lease.is_none() {
            desk.lease = Some(self.database.lease()?);
        }
        let idle = desk.lease.as_ref().is_none_or(|lease| !lease.in_transaction());
        match self.open {
            Some(number) if number != desk.number => {
                self.open = None;
                return Err(undone());
            }
            None if desk.parties.get(&party).and_then(|p| p.owed).is_some_and(|owed| owed != desk.number) => {
                return Err(undone());
            }
            // Rows would be written outside of it from here on.
            _ if idle && self.database.is_enlisted() => return Err(ended()),
            // What was open in it is gone.
            Some(_) if idle && !desk.foreign => return Err(ended()),
            Some(_) => {}
            None => {
                // A commit that was put off left the transaction open.
                if let Some(lease) = desk.lease.as_mut().filter(|_| idle && !desk.foreign) {
                    lease.begin()?;
                }
                desk.open += 1;
                desk.parties.entry(party).or_default().open += 1;
                self.open = Some(desk.number);
            }
        }
        Ok(writing)
    }

    /// The session as it is.
    ///
    /// # Errors
    /// It cannot be had.
    pub(crate) fn session(&mut self) -> Outcome<Writing<'_>> {
        let mut desk = lock(&self.place);
        if desk.lease.is_none() {
            desk.lease = Some(self.database.lease()?);
        }
        Ok(Writing(desk))
    }

    /// What was written is meant to be durable now; with `last`, this writer waits for that as far as others of its data
    /// flow let it.
    ///
    /// # Errors
    /// It cannot be committed; it was undone because another writer failed.
    pub(crate) fn commit(&mut self, last: bool) -> Outcome<Durable> {
        let (party, wrote) = (self.party(), self.open);
        let mut desk = lock(&self.place);
        let number = desk.number;
        match self.open.take() {
            Some(open) if open != number => return Err(undone()),
            Some(_) => {
                desk.open -= 1;
                let party = desk.parties.entry(party).or_default();
                party.open -= 1;
                party.owed = Some(number);
            }
            None => {}
        }
        if desk.foreign {
            return Ok(Durable::Later);
        }
        let owed = |desk: &Desk| desk.parties.get(&party).and_then(|party| party.owed);
        let alone = |desk: &Desk| desk.parties.get(&party).is_none_or(|party| party.open == 0);
        let stale = |desk: &Desk| owed(desk).is_some_and(|owed| owed != desk.number);
        if last {
            // Other data flows have rows in the same transaction. Once another writer of this one has, too, they wait for
            // that one, which may not end before this one has.
            while desk.open > 0 && alone(&desk) && owed(&desk) == Some(desk.number) {
                if self.cancel.is_cancelled() {
                    return Err(DbError::new(ErrorKind::Cancelled, "the execution was cancelled"));
                }
                let waited = self.place.changed.wait_timeout(desk, Duration::from_millis(100));
                desk = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        if stale(&desk) {
            return Err(undone());
        }
        if desk.open > 0 {
            return Ok(if owed(&desk).is_none() { Durable::Yes } else { Durable::Later });
        }
        let Some(lease) = desk.lease.as_mut().filter(|l| l.in_transaction()) else {
            // Whoever committed for this flow has paid what it owed.
            return if wrote.is_some() && owed(&desk).is_some() { Err(ended()) } else { Ok(Durable::Yes) };
        };
        let durable = if last { lease.commit().map(|()| true) } else { lease.commit_soon() };
        match &durable {
            Ok(true) => desk.parties.values_mut().for_each(|party| party.owed = None),
            Ok(false) => {}
            Err(_) => desk.undo(),
        }
        drop(desk);
        self.place.changed.notify_all();
        Ok(if durable? { Durable::Yes } else { Durable::Later })
    }

    /// Undoes what this writer has open; with others at the same desk, what they have open, too.
    pub(crate) fn rollback(&mut self) {
        let party = self.party();
        let mut desk = lock(&self.place);
        if self.open.take().is_none_or(|number| number != desk.number) {
            return;
        }
        match desk.foreign {
            true => {
                desk.open -= 1;
                desk.parties.entry(party).or_default().open -= 1;
            }
            false => desk.undo(),
        }
        drop(desk);
        self.place.changed.notify_all();
    }
}

impl Desk {
    /// Undoes everything that is open.
    fn undo(&mut self) {
        self.open = 0;
        self.parties.values_mut().for_each(|party| party.open = 0);
        self.number += 1;
        if let Some(lease) = self.lease.as_mut().filter(|l| l.in_transaction())
            && lease.rollback().is_err()
        {
            lease.discard();
            self.broken = true;
        }
    }
}

fn undone() -> DbError {
    let message = "what was written here was undone, because another destination of the same database failed";
    DbError::new(ErrorKind::Undone, message)
}

fn ended() -> DbError {
    DbError::new(
        ErrorKind::Undone,
        "the transaction ended before it was to: a statement committed it, or the database undid it",
    )
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.rollback();
        let party = self.party();
        let mut desk = lock(&self.place);
        desk.pens -= 1;
        if let Some(here) = desk.parties.get_mut(&party) {
            here.pens -= 1;
            if here.pens == 0 {
                desk.parties.remove(&party);
            }
        }
        if desk.pens > 0 {
            return;
        }
        if let Some(mut lease) = desk.lease.take() {
            // What was put off and never came to its turn; a failure here undoes it.
            let put_off = !desk.foreign && !desk.broken && lease.in_transaction();
            if put_off && lease.commit().is_err() {
                let _ = lease.rollback();
            }
        }
        (desk.foreign, desk.broken) = (false, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Param, StatementOptions};
    use crate::shared::testing::open_cx;
    use dtsx_engine::connections::ConnectionSpec;
    use dtsx_engine::props::Origin;
    use dtsx_engine::run::Transaction;

    /// A database file with a table, and data flows of one execution.
    struct Scene {
        folder: tempfile::TempDir,
        spec: ConnectionSpec,
        database: Database,
        flows: [OpenCx; 2],
    }

    impl Scene {
        fn new() -> Scene {
            let folder = tempfile::tempdir().unwrap();
            let first = open_cx(&Arc::default());
            let second = OpenCx { events: Arc::<crate::shared::testing::Recorder>::default(), ..first.clone() };
            let mut spec = ConnectionSpec { name: "Db".into(), kind: "OLEDB".into(), ..ConnectionSpec::default() };
            let string = format!("sqlite:{}", folder.path().join("t.db").display());
            spec.properties.set_text("ConnectionString", &string, Origin::Override);
            let database = Database::of(&spec, &first.services).unwrap();
            run(&mut *database.lease().unwrap(), "create table t(id int)");
            Scene { folder, spec, database, flows: [first, second] }
        }

        fn pen(&self, flow: usize) -> Pen {
            Pen::new(&self.database, &self.flows[flow]).unwrap()
        }

        /// What is there for everybody.
        fn committed(&self) -> Vec<i64> {
            let connection = rusqlite::Connection::open(self.folder.path().join("t.db")).unwrap();
            let mut statement = connection.prepare("select id from t order by id").unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
        }
    }

    fn run(session: &mut dyn Session, sql: &str) {
        session.execute(sql, &[] as &[Param], &StatementOptions::default()).unwrap();
    }

    fn put(pen: &mut Pen, id: i32) {
        run(&mut *pen.write().unwrap(), &format!("insert into t values ({id})"));
    }

    #[test]
    fn a_data_flow_that_is_through_waits_for_those_that_share_its_transaction() {
        for fails in [false, true] {
            let scene = Scene::new();
            let (mut one, mut two) = (scene.pen(0), scene.pen(1));
            put(&mut one, 1);
            put(&mut two, 2);
            let ended = std::thread::scope(|scope| {
                let first = scope.spawn(|| one.commit(true).map_err(|e| e.kind));
                std::thread::sleep(Duration::from_millis(300));
                assert!(!first.is_finished(), "its rows are not committed yet");
                if fails {
                    two.rollback();
                } else {
                    assert_eq!(two.commit(false).unwrap(), Durable::Yes);
                    put(&mut two, 3);
                }
                first.join().unwrap()
            });
            assert_eq!(ended, if fails { Err(ErrorKind::Undone) } else { Ok(Durable::Yes) });
            drop((one, two));
            assert_eq!(scene.committed(), if fails { vec![] } else { vec![1, 2] });
        }
    }

    #[test]
    fn destinations_of_one_data_flow_do_not_wait_for_each_other() {
        let scene = Scene::new();
        let (mut one, mut two) = (scene.pen(0), scene.pen(0));
        put(&mut one, 1);
        put(&mut two, 2);
        assert_eq!(one.commit(true).unwrap(), Durable::Later);
        assert_eq!(scene.committed(), [] as [i64; 0]);
        assert_eq!(two.commit(true).unwrap(), Durable::Yes);
        assert_eq!(scene.committed(), [1, 2]);
    }

    #[test]
    fn a_writer_that_waits_for_another_data_flow_ends_when_one_of_its_own_begins() {
        let scene = Scene::new();
        let (mut command, mut destination, mut other) = (scene.pen(0), scene.pen(0), scene.pen(1));
        put(&mut command, 1);
        put(&mut other, 2);
        std::thread::scope(|scope| {
            let first = scope.spawn(|| command.commit(true));
            std::thread::sleep(Duration::from_millis(300));
            assert!(!first.is_finished(), "the other data flow has rows in the transaction");
            // What the command passed on before its end: its input does not end before the command has.
            put(&mut destination, 3);
            assert_eq!(first.join().unwrap().unwrap(), Durable::Later);
            let second = scope.spawn(|| other.commit(true));
            assert_eq!(destination.commit(true).unwrap(), Durable::Yes);
            assert_eq!(second.join().unwrap().unwrap(), Durable::Yes);
        });
        assert_eq!(scene.committed(), [1, 2, 3]);
    }

    #[test]
    fn nothing_is_written_in_a_transaction_of_a_container_that_has_ended() {
        for after_first in [false, true] {
            let mut scene = Scene::new();
            let transaction = Arc::new(Transaction::new(0));
            for flow in &mut scene.flows {
                flow.services.transaction = Some(transaction.clone());
            }
            scene.database = Database::of(&scene.spec, &scene.flows[0].services).unwrap();
            let (mut one, mut two) = (scene.pen(0), scene.pen(1));
            if after_first {
                put(&mut one, 1);
                assert_eq!(one.commit(true).unwrap(), Durable::Later);
            }
            run(&mut *scene.database.lease().unwrap(), "commit");
            for pen in [&mut one, &mut two] {
                assert_eq!(pen.write().err().map(|e| e.kind), Some(ErrorKind::Undone));
            }
            let third = Pen::new(&scene.database, &scene.flows[0]);
            assert_eq!(third.err().map(|e| e.kind), Some(ErrorKind::Undone));
            // Nobody kept the session.
            run(&mut *scene.database.lease().unwrap(), "select 1");
            let error = transaction.end(false).unwrap_err();
            assert!(error.message().contains("ended before its container did"), "{}", error.message());
            assert_eq!(scene.committed().len(), usize::from(after_first));
        }
    }

    #[test]
    fn a_transaction_that_the_database_ended_is_not_taken_for_committed() {
        let scene = Scene::new();
        let mut pen = scene.pen(0);
        put(&mut pen, 1);
        run(&mut *pen.write().unwrap(), "rollback");
        assert_eq!(pen.write().err().map(|e| e.kind), Some(ErrorKind::Undone));
        assert_eq!(pen.commit(true).map_err(|e| e.kind), Err(ErrorKind::Undone));
        assert_eq!(scene.committed(), [] as [i64; 0]);
    }
}
