//! Transactions that containers begin, and who takes part in them.
//!
//! The original leaves them to a distributed coordinator. Here a transaction is one transaction of one database: the
//! first database that enlists is the one, and a second is refused, because nobody could end both as one.

use crate::diag::{Error, Owner, Result, codes};
use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A database's part in a transaction.
pub trait Participant: Any + Send + Sync {
    /// Keeps what was done.
    ///
    /// # Errors
    /// It cannot be kept: then it was undone.
    fn commit(&self) -> Result<()>;

    /// Undoes what was done.
    ///
    /// # Errors
    /// What the database says; it is undone at the latest when the connection ends.
    fn rollback(&self) -> Result<()>;
}

/// A transaction that a container began.
pub struct Transaction {
    isolation: i64,
    member: Mutex<Option<Member>>,
}

struct Member {
    key: String,
    name: String,
    participant: Arc<dyn Participant>,
}

impl Transaction {
    /// A transaction in which nobody takes part yet, with an IsolationLevel (1048576 Serializable, 65536 RepeatableRead,
    /// 4096 ReadCommitted, 256 ReadUncommitted, 16777216 Snapshot; others: as the database likes).
    pub fn new(isolation: i64) -> Transaction {
        Transaction { isolation, member: Mutex::new(None) }
    }

    /// IsolationLevel.
    pub fn isolation(&self) -> i64 {
        self.isolation
    }

    fn member(&self) -> MutexGuard<'_, Option<Member>> {
        self.member.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The part of the database with that key, if it takes part.
    pub fn participant<T: Participant>(&self, key: &str) -> Option<Arc<T>> {
        let member = self.member();
        let participant: Arc<dyn Any + Send + Sync> = member.as_ref().filter(|m| m.key == key)?.participant.clone();
        participant.downcast().ok()
    }

    /// Lets the database with that key take part; `name` is its connection's, `begin` begins its transaction.
    ///
    /// # Errors
    /// DTS_E_OLEDBTRANSACTIONENLIST if another database takes part; what `begin` says.
    pub fn enlist<T: Participant>(&self, key: &str, name: &str, begin: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        if let Some(found) = self.participant(key) {
            return Ok(found);
        }
        let mut member = self.member();
        if let Some(other) = member.as_ref() {
            let code = codes::DTS_E_OLEDBTRANSACTIONENLIST;
            let why = format!(
                "the transaction is one of the connection \"{}\"; \"{name}\" would need a distributed transaction, and \
                 there is no coordinator for one",
                other.name
            );
            return Err(Error::new(Owner::Unsupported, code, code.message(&[&"80004005", &why])));
        }
        let participant = Arc::new(begin()?);
        *member = Some(Member { key: key.to_owned(), name: name.to_owned(), participant: participant.clone() });
        Ok(participant)
    }

    /// Ends it: keeps what was done, or undoes it.
    ///
    /// # Errors
    /// What the database says.
    pub fn end(&self, keep: bool) -> Result<()> {
        match self.member().take() {
            None => Ok(()),
            Some(member) if keep => member.participant.commit(),
            Some(member) => member.participant.rollback(),
        }
    }
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Transaction({})", self.isolation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI32, Ordering};

    #[derive(Clone, Default)]
    struct Ledger(Arc<AtomicI32>);

    impl Participant for Ledger {
        fn commit(&self) -> Result<()> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
        fn rollback(&self) -> Result<()> {
            self.0.fetch_add(100, Ordering::SeqCst);
            Ok(())
        }
    }

    #[test]
    fn one_database_takes_part_and_is_ended_once() {
        for (keep, expected) in [(true, 1), (false, 100)] {
            let ledger = Ledger::default();
            let transaction = Transaction::new(4096);
            assert!(transaction.participant::<Ledger>("a").is_none());
            transaction.enlist("a", "A", || Ok(ledger.clone())).unwrap();
            transaction.enlist("a", "A", || -> Result<Ledger> { panic!("it takes part already") }).unwrap();
            assert!(transaction.participant::<Ledger>("a").is_some());
            let refused = transaction.enlist("b", "B", || Ok(Ledger::default())).err().unwrap();
            assert_eq!(refused.code(), Some(codes::DTS_E_OLEDBTRANSACTIONENLIST));
            transaction.end(keep).unwrap();
            transaction.end(keep).unwrap();
            assert_eq!(ledger.0.load(Ordering::SeqCst), expected);
        }
    }

    #[test]
    fn what_cannot_begin_takes_no_part() {
        let transaction = Transaction::new(0);
        let error = || -> Result<Ledger> { Err(Error::internal("no")) };
        assert!(transaction.enlist("a", "A", error).is_err());
        transaction.enlist("b", "B", || Ok(Ledger::default())).unwrap();
    }
}
