//! The sessions of an execution: opened when they are needed, given back when a lease ends, closed with the execution.
//!
//! A manager with RetainSameConnection has one session that its users share one after the other, temporary tables and
//! transactions included. While it is in use, another user gets a session of its own, as the OLE DB providers do
//! (DBPROP_MULTIPLECONNECTIONS), unless a transaction is open on it: then it has to wait.

use super::error::{DbError, ErrorKind, Outcome};
use super::resolve::Target;
use super::secret::scrub;
use super::session::{Session, StatementOptions};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::run::{CancelHook, CancelToken, Services};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The database behind a connection manager, in one execution.
#[derive(Clone)]
pub struct Database {
    target: Arc<Target>,
    /// The name of the connection manager, for messages.
    name: Arc<str>,
    pool: Arc<Pool>,
    cancel: CancelToken,
}

/// How many idle sessions of one target are kept.
const MOST_IDLE: usize = 4;
/// How long somebody waits for a retained session with an open transaction.
const RETAINED_WAIT: Duration = Duration::from_secs(60);

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
}

impl Database {
    /// The database of a connection manager. Nothing is opened yet.
    ///
    /// # Errors
    /// There is no driver for it, or something is missing from its connection string.
    pub fn of(spec: &ConnectionSpec, services: &Services) -> Outcome<Database> {
        let target = Target::of(spec, &services.paths)?;
        let retain = spec.properties.bool("RetainSameConnection").unwrap_or(false);
        let owner = if retain { spec.id.as_str() } else { "" };
        let key = format!("{}\n{owner}\n{}\n{}", target.driver.name(), target.address.reveal(), target.init.join("\n"));
        let pool = services.shared.get::<Pool>(&key);
        pool.state().retain = retain;
        let cancel = services.cancel.clone();
        Ok(Database { target: Arc::new(target), name: Arc::from(spec.name.as_str()), pool, cancel })
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
        let (session, retained) = self.session()?;
        let canceller = session.canceller();
        let hook = self.cancel.on_cancel(move || canceller.cancel());
        Ok(Lease { session: Some(session), database: self.clone(), retained, broken: false, _hook: hook })
    }

    fn session(&self) -> Outcome<(Box<dyn Session>, bool)> {
        if self.cancel.is_cancelled() {
            return Err(DbError::new(ErrorKind::Cancelled, "the execution was cancelled"));
        }
        let mut state = self.pool.state();
        let until = Instant::now() + RETAINED_WAIT;
        while state.retain && state.out && state.out_in_transaction {
            if self.cancel.is_cancelled() {
                return Err(DbError::new(ErrorKind::Cancelled, "the execution was cancelled"));
            }
            if Instant::now() > until {
                let message = format!("the connection \"{}\" is in use by a transaction that does not end", self.name);
                return Err(DbError::new(ErrorKind::Busy, message));
            }
            let waited = self.pool.returned.wait_timeout(state, Duration::from_millis(100));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let retained = state.retain && !state.out;
        state.out |= retained;
        // Only the retained session may be taken by those who retain; others are as good as each other.
        let idle = if state.retain && !retained { None } else { state.idle.pop() };
        drop(state);
        if let Some(session) = idle {
            return Ok((session, retained));
        }
        let opened = self.open();
        if opened.is_err() && retained {
            self.pool.state().out = false;
        }
        opened.map(|session| (session, retained))
    }

    fn open(&self) -> Outcome<Box<dyn Session>> {
        let mut session = self.target.driver.open(&self.target).map_err(|e| self.scrubbed(e))?;
        for statement in &self.target.init {
            let done = session.execute(statement, &[], &StatementOptions::default());
            done.map_err(|e| self.scrubbed(e))?;
        }
        Ok(session)
    }

    fn scrubbed(&self, error: DbError) -> DbError {
        DbError { message: scrub(&error.message, &self.target.secrets), ..error }
    }
}

/// A session that is on loan. Dropping it gives the session back to the pool.
pub struct Lease {
    session: Option<Box<dyn Session>>,
    database: Database,
    retained: bool,
    broken: bool,
    _hook: CancelHook,
}

impl Lease {
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
        let pool = self.database.pool.clone();
        let usable = !self.broken && !self.database.cancel.is_cancelled();
        let kept = if self.retained {
            // What was begun on a retained session stays open until its package ends it.
            usable
        } else {
            let clean = !session.in_transaction() || session.rollback().is_ok();
            usable && clean && !pool.state().retain && session.reset()
        };
        let mut state = pool.state();
        if self.retained {
            state.out = false;
            state.out_in_transaction = false;
        }
        if kept && (self.retained || state.idle.len() < MOST_IDLE) {
            state.idle.push(session);
        }
        drop(state);
        pool.returned.notify_one();
    }
}
