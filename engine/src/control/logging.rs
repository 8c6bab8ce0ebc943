//! Log providers: who writes down which events.
//!
//! Each container says in its LoggingOptions whether it logs, which events, and with which of the package's providers;
//! one that says nothing does as its parent does. PackageStart and PackageEnd are written whenever a package logs.

use super::connections::PackageConnections;
use super::frame::Frame;
use super::plan::{ExecutableIndex, LogProviderPlan, LoggingMode, LoggingPlan, PACKAGE, PackagePlan};
use super::registry::Registry;
use crate::connections::{ConnectionSpec, Connections};
use crate::diag::{Diagnostic, Error, Owner, Result, codes};
use crate::events::{Event, EventBody, EventKind, ExecutionInfo};
use crate::run::Services;
use chrono::{DateTime, Local};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A log provider class. One static for each, in the catalog.
pub trait LogProviderKind: Sync {
    /// The canonical kind: `Microsoft.LogProviderTextFile`.
    fn kind(&self) -> &'static str;

    /// The name in the designer: `SSIS log provider for Text files`.
    fn title(&self) -> &'static str;

    /// Whether it can write to a connection of that kind (`FILE`, `OLEDB`, `ADO.NET:SQL`).
    fn accepts(&self, connection_kind: &str) -> bool;

    /// Opens a log for one execution.
    ///
    /// # Errors
    /// The log cannot be opened.
    fn open(&self, cx: &LogProviderCx) -> Result<Box<dyn LogWriter>>;
}

/// What a log provider may use.
pub struct LogProviderCx {
    /// The run's services.
    pub services: Services,
    /// Where it writes: the connection manager that its ConfigString names, expressions evaluated.
    pub connection: ConnectionSpec,
    /// The execution.
    pub execution: ExecutionInfo,
}

/// An open log. Dropping it closes it.
pub trait LogWriter: Send {
    /// Writes an entry.
    ///
    /// # Errors
    /// It cannot be written.
    fn write(&mut self, entry: &LogEntry<'_>) -> Result<()>;

    /// Writes what was held back, and what a log ends with.
    ///
    /// # Errors
    /// It cannot be written.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// An entry of a log. What LoggingOptions switch off for an event is "".
#[derive(Clone, Debug)]
pub struct LogEntry<'a> {
    /// The event.
    pub event: &'a str,
    /// Whether it is an event of a task's own.
    pub custom: bool,
    /// Where the package runs.
    pub computer: &'a str,
    /// On whose behalf.
    pub operator: &'a str,
    /// The name of the container or task.
    pub source: &'a str,
    /// Its id, `{GUID}`.
    pub source_id: &'a str,
    /// The execution's id, `{GUID}`.
    pub execution_id: &'a str,
    /// When: start and end are the same.
    pub time: DateTime<Local>,
    /// The code of a message, the percentage of progress, the result of PackageEnd.
    pub data_code: i32,
    /// The text.
    pub message: &'a str,
}

/// E_FAIL.
const GENERIC_FAILURE: u32 = 0x8000_4005;

/// The message of an event as logs have it: those of errors, warnings, information, and of the beginning and the end of a
/// package end with a line break, as logs of the original show.
fn message(event: &Event) -> Cow<'_, str> {
    let text = event.message();
    let ends = matches!(&*event.body, EventBody::Message(_))
        || matches!(event.kind, EventKind::PackageStart | EventKind::PackageEnd);
    if ends { Cow::Owned(format!("{text}\r\n")) } else { Cow::Borrowed(text) }
}

/// The logs of one running package.
#[derive(Default)]
pub(super) struct Logs {
    open: Vec<OpenLog>,
}

struct OpenLog {
    provider: LogProviderPlan,
    state: Mutex<LogState>,
}

struct LogState {
    writer: Box<dyn LogWriter>,
    /// Why nothing is written any more.
    broken: Option<Error>,
}

impl OpenLog {
    fn state(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is wrong with the log providers of a package: kinds that this build lacks, connections that are missing. Without
/// one of its logs a package still does what it should, and the file or server of a log is often left behind on the machine
/// that the package comes from: that is worth a warning, where the original fails.
pub(super) fn check(frame: &Arc<Frame>, diagnostics: &mut Vec<Diagnostic>) {
    let plan = &frame.run.plan;
    let connections = PackageConnections(frame.clone());
    for provider in used(plan) {
        let path = format!("\\Package.LogProviders[{}]", provider.name);
        match resolve(&frame.run.registry, &connections, provider) {
            Ok(_) => {}
            Err(Unusable::Kind) => {
                let found = frame.run.registry.refusal(&path, &provider.kind).with_span(provider.span);
                diagnostics.push(Diagnostic { severity: crate::diag::Severity::Warning, ..found });
            }
            Err(Unusable::Connection(error)) => {
                let code = error.code().unwrap_or(codes::DTS_E_LOGPROVIDERVALIDATIONFAILED);
                diagnostics.push(Diagnostic::warning(code, path, error.message()).with_span(provider.span));
            }
        }
    }
}

enum Unusable {
    Kind,
    Connection(Error),
}

type Resolved = (&'static dyn LogProviderKind, ConnectionSpec);

fn resolve(
    registry: &Registry,
    connections: &dyn Connections,
    provider: &LogProviderPlan,
) -> std::result::Result<Resolved, Unusable> {
    let kind = registry.log_provider(&provider.kind).ok_or(Unusable::Kind)?;
    let connection = connections.get(&provider.config_string).map_err(Unusable::Connection)?;
    if !kind.accepts(&connection.kind) {
        let code = codes::DTS_E_LOGPROVIDERVALIDATIONFAILED;
        let message = format!(
            "{} The log provider \"{}\" cannot write to the connection \"{}\", which is of type {}.",
            code.message(&[]),
            provider.name,
            connection.name,
            connection.kind,
        );
        return Err(Unusable::Connection(Error::new(Owner::Package, code, message)));
    }
    Ok((kind, connection))
}

/// The providers that some container logs to.
fn used(plan: &PackagePlan) -> impl Iterator<Item = &LogProviderPlan> {
    plan.log_providers.iter().filter(|provider| {
        (0..plan.executables.len()).any(|i| effective(plan, i).is_some_and(|l| selects(l, provider)))
    })
}

/// What a container logs: its own options, or those of the nearest container around it that has some; None: nothing.
fn effective(plan: &PackagePlan, index: ExecutableIndex) -> Option<&LoggingPlan> {
    let mut at = Some(index);
    while let Some(index) = at {
        let executable = plan.executables.get(index)?;
        match executable.logging.mode {
            LoggingMode::Enabled => return Some(&executable.logging),
            LoggingMode::Disabled => return None,
            LoggingMode::UseParentSetting => at = executable.parent,
        }
    }
    None
}

fn selects(logging: &LoggingPlan, provider: &LogProviderPlan) -> bool {
    logging.providers.iter().any(|p| p.eq_ignore_ascii_case(&provider.id) || *p == provider.name)
}

impl Logs {
    /// Opens the logs that a package writes, and why some cannot be opened.
    pub(super) fn open(frame: &Arc<Frame>) -> (Logs, Vec<Error>) {
        let run = &frame.run;
        let connections = PackageConnections(frame.clone());
        let (mut open, mut failed) = (Vec::new(), Vec::new());
        for provider in used(&run.plan) {
            // What is unusable is said at validation.
            let Ok((kind, connection)) = resolve(&run.registry, &connections, provider) else { continue };
            // What is logged stays when what is done is undone.
            let services = Services { transaction: None, ..run.services.clone() };
            let cx = LogProviderCx { services, connection, execution: run.info.clone() };
            match kind.open(&cx) {
                Ok(writer) => {
                    let state = Mutex::new(LogState { writer, broken: None });
                    open.push(OpenLog { provider: provider.clone(), state });
                }
                Err(error) => {
                    let code = codes::DTS_E_OPENLOGFAILED;
                    let number = error.code().map_or(GENERIC_FAILURE, |c| c.0);
                    let text = code.message(&[&format!("{number:08X}")]);
                    let message = format!("{text} The log provider \"{}\": {}", provider.name, error.message());
                    failed.push(Error::new(error.owner(), code, message));
                }
            }
        }
        (Logs { open }, failed)
    }

    /// Writes an event that has reached a container of the package down, where the container's options say so.
    pub(super) fn write(&self, plan: &PackagePlan, at: ExecutableIndex, info: &ExecutionInfo, event: &Event) {
        if self.open.is_empty() {
            return;
        }
        let always = at == PACKAGE && matches!(event.kind, EventKind::PackageStart | EventKind::PackageEnd);
        let Some(logging) = effective(plan, at) else { return };
        let name = event.kind.name();
        let listed = logging.events.iter().any(|e| e.eq_ignore_ascii_case(name));
        if !always && listed == logging.exclude {
            return;
        }
        let hidden = logging.hidden_columns.iter().find(|(e, _)| e.eq_ignore_ascii_case(name));
        let shown = |column: &str| hidden.is_none_or(|(_, columns)| !columns.iter().any(|c| c == column));
        let or_empty = |column: &str, text| if shown(column) { text } else { "" };
        let text = message(event);
        let entry = LogEntry {
            event: name,
            custom: matches!(event.kind, EventKind::Custom(_)),
            computer: or_empty("Computer", &info.machine),
            operator: or_empty("Operator", &info.user),
            source: or_empty("SourceName", &event.at.name),
            source_id: or_empty("SourceID", &event.at.id),
            execution_id: or_empty("ExecutionID", &info.execution_id),
            time: event.time,
            data_code: event.data_code(),
            message: or_empty("MessageText", &text),
        };
        for log in self.open.iter().filter(|log| selects(logging, &log.provider)) {
            let mut state = log.state();
            // A log that breaks in the middle of a run does not stop the run: the end of the run tells.
            if state.broken.is_none() {
                state.broken = state.writer.write(&entry).err();
            }
        }
    }

    /// Ends the logs; what could not be written at the end.
    pub(super) fn close(&self) -> Vec<Error> {
        let close = |log: &OpenLog| {
            let mut state = log.state();
            let error = state.broken.take().or_else(|| state.writer.close().err())?;
            let code = codes::DTS_E_LOGPROVIDERFAILED;
            let number = error.code().map_or(GENERIC_FAILURE, |c| c.0);
            let message = code.message(&[&log.provider.name, &format!("{number:08X}"), &error.message()]);
            Some(Error::new(error.owner(), code, message))
        };
        self.open.iter().filter_map(close).collect()
    }
}
