//! Ctrl-C and SIGTERM: the first cancels, the second ends the process.

use crate::output::note;
use dtsx::{CancelToken, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a cancelled run may take to end by itself. A driver of a database that does not come back must not keep the
/// user waiting: what it left open is rolled back by its server.
const GRACE: Duration = Duration::from_millis(900);

/// Cancels with `token` on Ctrl-C or SIGTERM.
pub fn cancel_on_interrupt(token: CancelToken) {
    let asked = AtomicBool::new(false);
    let handler = move || {
        if asked.swap(true, Ordering::SeqCst) {
            std::process::exit(ExitCode::Cancelled as i32);
        }
        // The watch is wound up first, as cancelling may itself wait for what it interrupts.
        let watch = std::thread::Builder::new().name("dtsx-grace".to_owned()).spawn(|| {
            std::thread::sleep(GRACE);
            note("dtsx: cancelled; something did not stop in time");
            std::process::exit(ExitCode::Cancelled as i32);
        });
        token.cancel();
        drop(watch);
    };
    if let Err(e) = ctrlc::set_handler(handler) {
        note(format_args!("dtsx: Ctrl-C will not be handled: {e}"));
    }
}
