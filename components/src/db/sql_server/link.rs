//! The connection: who drives it, who waits for it and how long, and who ends the waiting.

use mssql_tds::connection::tds_client::{ExecuteOptions, TdsClient};
use mssql_tds::core::CancelHandle;
use mssql_tds::error::{BulkCopyError, Error, TimeoutErrorType};
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long saying goodbye may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The connection, and the runtime that drives it.
pub(super) struct Link {
    pub(super) client: TdsClient,
    /// There until the session ends.
    runtime: Option<Runtime>,
    /// What comes next is not the answer to what is asked next.
    broken: bool,
}

/// Whether a failure leaves nobody knowing what of an answer is yet to come: the crate gives some up half way, and takes the
/// rest for the answer to the next statement.
fn leaves_a_rest(error: &Error) -> bool {
    use Error as E;
    let known = matches!(error, E::SqlServerError { .. } | E::OperationCancelledError(_) | E::TimeoutError(_));
    // Refused before anything was sent.
    let unsent =
        matches!(error, E::TypeConversionError(_) | E::EncodedValueTooLong { .. } | E::UnsupportedEncoding { .. });
    !known && !unsent && !matches!(error, E::BulkCopyError(BulkCopyError::Timeout(_)) | E::UnimplementedFeature { .. })
}

impl Link {
    pub(super) fn new(client: TdsClient, runtime: Runtime) -> Link {
        Link { client, runtime: Some(runtime), broken: false }
    }

    /// Whether the connection is of no more use.
    pub(super) fn is_dead(&self) -> bool {
        self.broken || self.client.is_connection_dead()
    }

    /// Waits for what is done with the connection.
    pub(super) fn wait<'l, T, F>(&'l mut self, work: impl FnOnce(&'l mut TdsClient) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let runtime = match &self.runtime {
            Some(runtime) if !self.broken => runtime,
            _ => return Err(Error::ConnectionClosed("the connection broke".to_owned())),
        };
        let done = runtime.block_on(work(&mut self.client));
        self.broken = done.as_ref().is_err_and(leaves_a_rest);
        done
    }

    /// The same, no longer than that; then the connection is of no more use.
    pub(super) fn wait_for<'l, T, F>(
        &'l mut self,
        limit: Duration,
        work: impl FnOnce(&'l mut TdsClient) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.wait(|client| {
            let done = tokio::time::timeout(limit, work(client));
            async {
                done.await.unwrap_or_else(|_| Err(Error::ConnectionClosed("the server does not answer".to_owned())))
            }
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A server that does not listen is left without a farewell.
            let client = &mut self.client;
            let _ = runtime.block_on(async { tokio::time::timeout(FAREWELL, client.close_connection()).await });
            // A name that is being looked up is not waited for.
            runtime.shutdown_background();
        }
    }
}

/// Ends what a session does, from any thread.
#[derive(Default)]
pub(super) struct Interrupter {
    pub(super) cancelled: AtomicBool,
    handle: Mutex<CancelHandle>,
}

impl Interrupter {
    /// What a statement that begins now listens to.
    pub(super) fn handle(&self) -> CancelHandle {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner).child_handle()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(super) fn interrupt(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.handle.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }

    pub(super) fn resume(&self) {
        *self.handle.lock().unwrap_or_else(PoisonError::into_inner) = CancelHandle::new();
        self.cancelled.store(false, Ordering::Relaxed);
    }
}

/// A timeout in the seconds of the protocol's crate; it has no smaller ones.
pub(super) fn seconds(timeout: Duration) -> u32 {
    u32::try_from(timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0)).unwrap_or(u32::MAX).max(1)
}

/// How long each part of an answer is waited for, and how the waiting is ended.
pub(super) struct Patience {
    pub(super) limit: Option<Duration>,
    /// Of one statement alone; the session's ends it, too.
    pub(super) cancel: CancelHandle,
}

impl Patience {
    /// The options of the statement. Its time is kept here: the crate's counts what is read, too.
    pub(super) fn options(&self) -> ExecuteOptions<'_> {
        ExecuteOptions { cancel: Some(&self.cancel), ..ExecuteOptions::default() }
    }

    /// Waits for a part of the answer. `come` counts what has come of it: while that grows, nobody loses patience.
    pub(super) async fn wait<T>(
        &self,
        come: &Cell<usize>,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Some(limit) = self.limit else { return work.await };
        let mut work = pin!(work);
        loop {
            let before = come.get();
            match tokio::time::timeout(limit, work.as_mut()).await {
                Ok(done) => return done,
                Err(_) if come.get() != before => {}
                Err(_) => break,
            }
        }
        // The server is asked to stop, and what is under way is read.
        self.cancel.cancel();
        match work.await {
            Ok(_) | Err(Error::OperationCancelledError(_)) => {
                Err(Error::TimeoutError(TimeoutErrorType::String("the server was asked to stop".to_owned())))
            }
            Err(error) => Err(error),
        }
    }

    /// The same for what comes in one piece.
    pub(super) async fn wait_once<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.wait(&Cell::new(0), work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::error::ErrorKind;
    use crate::db::sql_server::failures::failure;
    use std::rc::Rc;

    #[test]
    fn timeouts_are_whole_seconds_and_never_none() {
        for (millis, expected) in [(1, 1), (1000, 1), (1001, 2), (0, 1), (u64::MAX, u32::MAX)] {
            assert_eq!(seconds(Duration::from_millis(millis)), expected, "{millis}");
        }
    }

    #[test]
    fn patience_lasts_while_something_comes() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.unwrap();
        let sleep = |millis| tokio::time::sleep(Duration::from_millis(millis));
        let patience =
            |limit: Option<u64>| Patience { limit: limit.map(Duration::from_millis), cancel: CancelHandle::new() };
        runtime.block_on(async {
            let slow = |come: Rc<Cell<usize>>, step: usize| async move {
                for _ in 0..5 {
                    sleep(20).await;
                    come.set(come.get() + step);
                }
                Ok(come.get())
            };
            for (limit, step, fine) in
                [(None, 0, true), (Some(30), 1, true), (Some(30), 0, false), (Some(60_000), 0, true)]
            {
                let come = Rc::new(Cell::new(0));
                let done = patience(limit).wait(&come.clone(), slow(come, step)).await;
                match done {
                    Ok(rows) => assert!(fine && rows == step * 5, "{limit:?} {step}"),
                    Err(error) => assert!(!fine && failure(error).kind == ErrorKind::Timeout, "{limit:?} {step}"),
                }
            }
            let broken = async {
                sleep(100).await;
                Err::<(), _>(Error::ConnectionClosed("gone".into()))
            };
            let told = patience(Some(20)).wait_once(broken).await;
            assert_eq!(told.map_err(|e| failure(e).kind), Err(ErrorKind::Lost));
        });
    }

    #[test]
    fn answers_that_were_given_up_end_the_connection() {
        for (error, rest) in [
            (Error::UsageError("Too many Done tokens".into()), true),
            (Error::ProtocolError("no sense".into()), true),
            (Error::ConnectionClosed("gone".into()), true),
            (Error::OperationCancelledError("x".into()), false),
            (Error::from_sql_errors(Vec::new()), false),
            (Error::TypeConversionError("x".into()), false),
        ] {
            assert_eq!(leaves_a_rest(&error), rest, "{error}");
        }
    }

    #[test]
    fn an_interruption_holds_until_somebody_goes_on() {
        let interrupter = Interrupter::default();
        assert!(!interrupter.is_cancelled());
        interrupter.interrupt();
        assert!(interrupter.is_cancelled());
        interrupter.resume();
        assert!(!interrupter.is_cancelled());
    }
}
