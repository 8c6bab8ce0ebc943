//! The sessions of an execution: opened when they are needed, given back when a lease ends, closed with the execution.
//!
//! A manager with RetainSameConnection has one session that its users share one after the other, temporary tables and
//! transactions included. While it is in use, another user gets a session of its own, as the OLE DB providers do
//! (DBPROP_MULTIPLECONNECTIONS), unless a transaction is open on it: then it has to wait.
//!
//! So a session with an open transaction is shared ([`Database::is_shared`]), be the transaction a container's or one that
//! the package began on a retained connection. Whoever uses it holds it for as long as a statement takes, and waits for
//! nobody meanwhile: a source reads everything before it hands rows on, a destination and a lookup take the session anew
//! for every batch. So nobody waits for ever, and waiting has no limit but the run's end. A transaction that ended before
//! its container did (a statement that commits on its own, a database that undid it) is nobody's to write in: see
//! [`super::pen`].

use super::error::{DbError, ErrorKind, Outcome};
use super::estate::Estate;
use super::resolve::Target;
use super::secret::scrub;
use super::session::{Canceller, Session, StatementOptions};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::{Error, Owner, Result, codes};
use dtsx_engine::run::{CancelHook, CancelToken, Participant, Services, Transaction, Waited};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The database behind a connection manager, in one execution.
#[derive(Clone)]
pub struct Database {
    target: Arc<Target>,
    /// The name of the connection manager, for messages.
    name: Arc<str>,
    pool: Arc<Pool>,
    cancel: CancelToken,
    /// The transaction that the user of the database works in.
    transaction: Option<Arc<Transaction>>,
    /// What tells this database from others in a transaction.
    key: Arc<str>,
}

/// Whether what is behind a connection manager takes part in the transactions of containers: ODBC connections do not.
pub fn enlists(spec: &ConnectionSpec) -> bool {
    let family = spec.kind.split(':').next().unwrap_or("");
    ["OLEDB", "ADO.NET", "ADO"].iter().any(|kind| family.eq_ignore_ascii_case(kind))
}

/// A session in a transaction that a container began, which those who work in the transaction use one after the other.
struct Enlisted {
    name: Arc<str>,
    session: Mutex<Option<Box<dyn Session>>>,
    returned: Condvar,
    /// Where the session lives on when the transaction has ended: it is the one that its manager retains.
    home: Option<Arc<Pool>>,
}

impl Enlisted {
    fn lock(&self) -> MutexGuard<'_, Option<Box<dyn Session>>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, cancel: &CancelToken) -> Outcome<Box<dyn Session>> {
        let mut session = self.lock();
        loop {
            if let Some(session) = session.take() {
                return Ok(session);
            }
            if cancel.is_cancelled() {
                return Err(DbError::new(ErrorKind::Cancelled, "the execution was cancelled"));
            }
            let waited = self.returned.wait_timeout(session, Duration::from_millis(100));
            session = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn give_back(&self, session: Box<dyn Session>) {
        *self.lock() = Some(session);
        self.returned.notify_one();
    }

    fn end(&self, end: impl FnOnce(&mut dyn Session) -> Outcome<()>) -> Result<()> {
        let failed = |message| Err(Error::new(Owner::Connection, codes::DTS_E_OLEDBERROR, message));
        let taken = self.lock().take();
        let (session, ended) = match taken {
            Some(session) if !session.in_transaction() => {
                let message = format!(
                    "the transaction of the connection \"{}\" ended before its container did: a statement committed what \
                     was done in it, or the database undid that",
                    self.name
                );
                (Some(session), failed(message))
            }
            Some(mut session) => match end(session.as_mut()) {
                Ok(()) => (Some(session), Ok(())),
                Err(error) => (None, Err(error.into_error(codes::DTS_E_OLEDBERROR))),
            },
            // Its user found it broken and closed it: then the database has undone everything.
            None => {
                let message = format!("the connection \"{}\" broke in its transaction, which is undone", self.name);
                (None, failed(message))
            }
        };
        if let Some(home) = &self.home {
            home.back(session);
        }
        ended
    }
}

impl Participant for Enlisted {
    fn commit(&self) -> Result<()> {
        self.end(|session| session.commit())
    }

    fn rollback(&self) -> Result<()> {
        self.end(|session| session.rollback())
    }
}

/// How long connecting may take where nothing else is said, as with the OLE DB providers and ADO.NET.
const CONNECT: Duration = Duration::from_secs(15);
/// How much longer than that a driver is waited for, which has the same timeout and says more.
const GRACE: Duration = Duration::from_secs(5);
/// How many idle sessions of one target are kept.
const MOST_IDLE: usize = 4;

/// The sessions of one target (and, with RetainSameConnection, of one manager).
#[derive(Default)]
struct Pool {
    state: Mutex<PoolState>,
    returned: Condvar,
}

#[derive(Default)]
struct PoolState {
    retain: bool,
    idle: Vec<Box<dyn Session>>,
    /// Whether the retained session is out, and whether it has a transaction open.
    out: bool,
    out_in_transaction: bool,
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The retained session is not out any more: it is this one, or the next that is opened.
    fn back(&self, session: Option<Box<dyn Session>>) {
        let mut state = self.state();
        (state.out, state.out_in_transaction) = (false, false);
        state.idle.extend(session);
        drop(state);
        self.returned.notify_one();
    }
}

/// Begins a container's transaction.
fn begin(session: &mut dyn Session, isolation: i64) -> Outcome<()> {
    if session.in_transaction() {
        let message = "its session is in a transaction that a statement began and none has ended";
        return Err(DbError::new(ErrorKind::Statement, message));
    }
    let (before, after) = session.dialect().isolation(isolation);
    let options = StatementOptions::default();
    before.map_or(Ok(()), |sql| session.execute(&sql, &[], &options).map(drop))?;
    session.begin()?;
    let set = after.map_or(Ok(()), |sql| session.execute(&sql, &[], &options).map(drop));
    if set.is_err() {
        session.rollback()?;
    }
    set
}

impl Database {
    /// The database of a connection manager. Nothing is opened yet.
    ///
    /// # Errors
    /// There is no driver for it, or something is missing from its connection string.
    pub fn of(spec: &ConnectionSpec, services: &Services) -> Outcome<Database> {
        let estate = Estate::of(services);
        let target = Target::of(spec, &estate, &services.paths)?;
        let retain = spec.properties.bool("RetainSameConnection").unwrap_or(false);
        let owner = if retain { spec.id.as_str() } else { "" };
        let key = format!("{}\n{owner}\n{}\n{}", target.driver.name(), target.address.reveal(), target.init.join("\n"));
        let pool = services.shared.get::<Pool>(&key);
        pool.state().retain = retain;
        let cancel = services.cancel.clone();
        let transaction = services.transaction.clone().filter(|_| enlists(spec));
        let (name, key) = (Arc::from(spec.name.as_str()), Arc::from(key));
        Ok(Database { target: Arc::new(target), name, pool, cancel, transaction, key })
    }

    /// The same for somebody who only reads: it works in the transaction around it if the database takes part in that
    /// already, so that it sees what was changed, but does not make it take part.
    #[must_use]
    pub fn for_reading(mut self) -> Database {
        self.transaction = self.transaction.filter(|t| t.participant::<Enlisted>(&self.key).is_some());
        self
    }

    /// Whether its sessions are those of a container's transaction, which their users share.
    pub(crate) fn is_enlisted(&self) -> bool {
        self.transaction.is_some()
    }

    /// Whether a transaction is open that the users of this database work in together: see the head of this file.
    pub(crate) fn is_shared(&self) -> bool {
        let retained = || {
            let state = self.pool.state();
            state.retain && (state.out_in_transaction || state.idle.iter().any(|session| session.in_transaction()))
        };
        self.is_enlisted() || retained()
    }

    /// What tells this database from others.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// What it resolves to.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The name of the connection manager.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A session, for as long as the lease lives; the run's cancelling interrupts it. This waits.
    ///
    /// # Errors
    /// The database cannot be reached; the run was cancelled.
    pub fn lease(&self) -> Outcome<Lease> {
        let enlisted = self.enlisted()?;
        let (session, retained) = match &enlisted {
            Some(enlisted) => (enlisted.take(&self.cancel)?, false),
            None => self.session()?,
        };
        let lent = Arc::<Mutex<Lent>>::default();
        let canceller = canceller(session.as_ref(), &lent);
        let hook = self.cancel.on_cancel_apart(move || canceller.cancel());
        let database = self.clone();
        Ok(Lease { session: Some(session), database, retained, enlisted, broken: false, lent, _hook: hook })
    }

    /// This database's part in the transaction that its user works in; begun now, if it is the first to work in it.
    fn enlisted(&self) -> Outcome<Option<Arc<Enlisted>>> {
        let Some(transaction) = &self.transaction else { return Ok(None) };
        let cannot = |error: DbError| error.into_error(codes::DTS_E_OLEDBTRANSACTIONENLIST);
        let begun = || {
            let (mut session, retained) = self.session().map_err(cannot)?;
            let home = retained.then(|| self.pool.clone());
            let (name, own) = (self.name.clone(), session.in_transaction());
            if let Err(error) = begin(session.as_mut(), transaction.isolation()) {
                if let Some(home) = home {
                    // As it was, or not at all.
                    let same = error.kind != ErrorKind::Lost && session.in_transaction() == own;
                    home.back(Some(session).filter(|_| same));
                }
                return Err(cannot(error));
            }
            Ok(Enlisted { name, session: Mutex::new(Some(session)), returned: Condvar::new(), home })
        };
        let enlisted = transaction.enlist(&self.key, &self.name, begun);
        enlisted.map(Some).map_err(|e| DbError::new(ErrorKind::Connect, e.message()))
    }

    fn session(&self) -> Outcome<(Box<dyn Session>, bool)> {
        if self.cancel.is_cancelled() {
            return Err(DbError::new(ErrorKind::Cancelled, "the execution was cancelled"));
        }
        let mut state = self.pool.state();
        while state.retain && state.out && state.out_in_transaction {
            if self.cancel.is_cancelled() {
                return Err(DbError::new(ErrorKind::Cancelled, "the execution was cancelled"));
            }
            let waited = self.pool.returned.wait_timeout(state, Duration::from_millis(100));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let retained = state.retain && !state.out;
        state.out |= retained;
        // Only the retained session may be taken by those who retain; others are as good as each other.
        let idle = if state.retain && !retained { None } else { state.idle.pop() };
        if retained {
            state.out_in_transaction = idle.as_ref().is_some_and(|session| session.in_transaction());
        }
        drop(state);
        if let Some(session) = idle {
            return Ok((session, retained));
        }
        let opened = self.open();
        if opened.is_err() && retained {
            self.pool.back(None);
        }
        opened.map(|session| (session, retained))
    }

    /// Opens a session. Nothing interrupts a driver that waits for a server which says nothing: it is left behind when the
    /// timeout of the connection is over.
    fn reach(&self) -> Outcome<Box<dyn Session>> {
        let target = self.target.clone();
        if target.driver.one_writer() {
            return target.driver.open(&target);
        }
        let limit = target.connect_timeout.unwrap_or(CONNECT) + GRACE;
        match self.cancel.wait_for("connect", limit, move || target.driver.open(&target)) {
            Ok(Waited::Done(opened)) => opened,
            Ok(Waited::Late) => {
                let message = "the server does not answer within the timeout of the connection";
                Err(DbError::new(ErrorKind::Connect, message))
            }
            Ok(Waited::Cancelled) => Err(DbError::new(ErrorKind::Cancelled, "the execution was cancelled")),
            Err(error) => Err(DbError::new(ErrorKind::Other, error.message())),
        }
    }

    fn open(&self) -> Outcome<Box<dyn Session>> {
        let mut session = self.reach().map_err(|e| self.scrubbed(e))?;
        self.initialise(session.as_mut())?;
        Ok(session)
    }

    /// Runs the statements that every session begins with.
    fn initialise(&self, session: &mut dyn Session) -> Outcome<()> {
        for statement in &self.target.init {
            let done = session.execute(statement, &[], &StatementOptions::default());
            done.map_err(|e| self.scrubbed(e))?;
        }
        Ok(())
    }

    fn scrubbed(&self, error: DbError) -> DbError {
        DbError { message: scrub(&error.message, &self.target.secrets), ..error }
    }
}

/// What becomes of a session while it is on loan.
#[derive(Default)]
struct Lent {
    interrupted: bool,
    over: bool,
}

fn locked(lent: &Mutex<Lent>) -> MutexGuard<'_, Lent> {
    lent.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Interrupts a session for as long as it is on loan. The lock is held meanwhile: who comes too late must not hit the next
/// one who uses it.
fn canceller(session: &dyn Session, lent: &Arc<Mutex<Lent>>) -> Canceller {
    let (canceller, lent) = (session.canceller(), lent.clone());
    Canceller::new(move || {
        let mut lent = locked(&lent);
        if !lent.over {
            lent.interrupted = true;
            canceller.cancel();
        }
    })
}

/// A session that is on loan. Dropping it gives the session back to the pool.
pub struct Lease {
    session: Option<Box<dyn Session>>,
    database: Database,
    retained: bool,
    /// The session is one of a container's transaction, which ends it.
    enlisted: Option<Arc<Enlisted>>,
    broken: bool,
    lent: Arc<Mutex<Lent>>,
    _hook: CancelHook,
}

impl Lease {
    /// Interrupts what is done in this lease, from any thread; once it is over, nothing.
    pub fn canceller(&self) -> Canceller {
        canceller(&**self, &self.lent)
    }

    /// Says that the session is of no more use: it is closed when the lease ends.
    pub fn discard(&mut self) {
        self.broken = true;
    }

    /// Tells the pool that a transaction of several steps begins or ended: nobody may work beside a retained session with
    /// an open transaction.
    pub fn note_transaction(&mut self) {
        if self.retained {
            let open = self.session.as_ref().is_some_and(|s| s.in_transaction());
            self.database.pool.state().out_in_transaction = open;
        }
    }

    /// Whether the session is in a transaction that a container ends: whoever leased it begins and ends none.
    pub fn is_enlisted(&self) -> bool {
        self.enlisted.is_some()
    }

    /// The database that the session belongs to.
    pub fn database(&self) -> &Database {
        &self.database
    }
}

impl Deref for Lease {
    type Target = dyn Session;

    fn deref(&self) -> &(dyn Session + 'static) {
        match &self.session {
            Some(session) => session.as_ref(),
            None => unreachable!("a lease has its session until it is dropped"),
        }
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut (dyn Session + 'static) {
        match &mut self.session {
            Some(session) => session.as_mut(),
            None => unreachable!("a lease has its session until it is dropped"),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut session) = self.session.take() else { return };
        let interrupted = {
            let mut lent = locked(&self.lent);
            lent.over = true;
            lent.interrupted
        };
        let cancelled = self.database.cancel.is_cancelled();
        if interrupted && !cancelled {
            // A component interrupted itself, and not the run: what was begun in the session is somebody else's, too.
            session.resume();
        }
        if let Some(enlisted) = &self.enlisted {
            // After a cancelling, too: the container has yet to undo what was done.
            if !self.broken {
                enlisted.give_back(session);
            }
            return;
        }
        let pool = self.database.pool.clone();
        let usable = !self.broken && !cancelled;
        let kept = if self.retained {
            // What was begun on a retained session stays open until its package ends it.
            usable
        } else {
            let clean = !session.in_transaction() || session.rollback().is_ok();
            let asked = usable && clean && !interrupted && !pool.state().retain;
            // As good as new: with what a new one begins with.
            asked && session.reset() && self.database.initialise(session.as_mut()).is_ok()
        };
        if self.retained {
            return pool.back(Some(session).filter(|_| kept));
        }
        let mut state = pool.state();
        if kept && state.idle.len() < MOST_IDLE {
            state.idle.push(session);
        }
        drop(state);
        pool.returned.notify_one();
    }
}

#[cfg(test)]
mod tests;
