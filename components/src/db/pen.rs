//! Writing beside others: who writes into a database, and when that becomes durable.
//!
//! Most databases take any number of writers, and each has a session and a transaction of its own. One file of SQLite
//! takes one writer at a time, and a data flow may have several destinations in it: they share one session and one
//! transaction, which is committed when nobody has anything open in it. So do those who work in the transaction of a
//! container, which the container ends; they take its session for each piece of work anew, as others need it, too.

use super::error::{DbError, ErrorKind, Outcome};
use super::pool::{Database, Lease};
use super::session::Session;
use dtsx_engine::run::Services;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A writer's place at a database.
pub(crate) struct Pen {
    desk: Arc<Mutex<Desk>>,
    database: Database,
    /// The transaction that this writer has something open in, by its number.
    open: Option<u64>,
}

/// A session that one writer has, or several share.
#[derive(Default)]
struct Desk {
    lease: Option<Lease>,
    /// Writers that are here.
    pens: usize,
    /// Those with something open in the transaction.
    open: usize,
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

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub(crate) fn new(database: &Database, services: &Services) -> Outcome<Pen> {
        let target = database.target();
        let desk = match (database.is_enlisted(), target.driver.one_writer()) {
            (true, _) => services.shared.get::<Mutex<Desk>>(database.key()),
            (_, true) => services.shared.get::<Mutex<Desk>>(target.address.reveal()),
            _ => Arc::default(),
        };
        let mut place = lock(&desk);
        if place.lease.is_none() {
            let shared = database.is_shared();
            let lease = database.lease()?;
            place.foreign = shared && lease.in_transaction();
            if !place.foreign {
                place.lease = Some(lease);
            }
        }
        place.pens += 1;
        drop(place);
        Ok(Pen { desk, database: database.clone(), open: None })
    }

    /// The session, with a transaction begun.
    ///
    /// # Errors
    /// It cannot be begun; what this writer had open in it was undone because another one failed.
    pub(crate) fn write(&mut self) -> Outcome<Writing<'_>> {
        let mut place = lock(&self.desk);
        let desk = &mut *place;
        if desk.broken {
            return Err(DbError::new(ErrorKind::Lost, "the connection broke"));
        }
        if desk.lease.is_none() {
            desk.lease = Some(self.database.lease()?);
        }
        match self.open {
            Some(number) if number != desk.number => {
                self.open = None;
                return Err(undone());
            }
            Some(_) => {}
            None => {
                // A commit that was put off left the transaction open.
                if let Some(lease) = desk.lease.as_mut().filter(|l| !desk.foreign && !l.in_transaction()) {
                    lease.begin()?;
                }
                desk.open += 1;
                self.open = Some(desk.number);
            }
        }
        Ok(Writing(place))
    }

    /// The session as it is.
    ///
    /// # Errors
    /// It cannot be had.
    pub(crate) fn session(&mut self) -> Outcome<Writing<'_>> {
        let mut desk = lock(&self.desk);
        if desk.lease.is_none() {
            desk.lease = Some(self.database.lease()?);
        }
        Ok(Writing(desk))
    }

    /// What was written is meant to be durable now; with `last`, this writer waits for that as far as others let it.
    ///
    /// # Errors
    /// It cannot be committed; it was undone because another writer failed.
    pub(crate) fn commit(&mut self, last: bool) -> Outcome<Durable> {
        let mut place = lock(&self.desk);
        let desk = &mut *place;
        match self.open.take() {
            Some(number) if number != desk.number => return Err(undone()),
            Some(_) => desk.open -= 1,
            None => {}
        }
        if desk.foreign || desk.open > 0 {
            return Ok(Durable::Later);
        }
        let Some(lease) = desk.lease.as_mut().filter(|l| l.in_transaction()) else { return Ok(Durable::Yes) };
        let durable = if last { lease.commit().map(|()| true) } else { lease.commit_soon() };
        if durable.is_err() {
            desk.undo();
        }
        Ok(if durable? { Durable::Yes } else { Durable::Later })
    }

    /// Undoes what this writer has open; with others at the same desk, what they have open, too.
    pub(crate) fn rollback(&mut self) {
        let mut desk = lock(&self.desk);
        if self.open.take().is_none_or(|number| number != desk.number) {
            return;
        }
        match desk.foreign {
            true => desk.open -= 1,
            false => desk.undo(),
        }
    }
}

impl Desk {
    /// Undoes everything that is open.
    fn undo(&mut self) {
        self.open = 0;
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
    DbError::new(ErrorKind::Other, message)
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.rollback();
        let mut desk = lock(&self.desk);
        desk.pens -= 1;
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
