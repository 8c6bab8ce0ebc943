//! The one place where the client meets the loader, the components and the engine.

use crate::counts::RowCounts;
use crate::error::{Error, Result};
use crate::event::{Event, EventKind, Listener, Message, Source};
use crate::execution::{MemoryUse, Outcome, RunResult, Variable};
use crate::listen::Forward;
use crate::package::{OpenOptions, PackageInfo};
use crate::reader::Channel;
use crate::report::{CheckReport, ConnectionReport, ExpressionTally, Finding, Place, Tally};
use crate::settings::Settings;
use crate::tap::{Tap, TapSink};
use dtsx_components::catalog::{self, Catalog};
use dtsx_components::db;
use dtsx_components::db::{Estate, inspect};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::control::plan::{ExecutableKind, PackagePlan};
use dtsx_engine::control::{self, ExecResult, Pipelines, Registry, RunRequest, TapRequest};
use dtsx_engine::diag::{self, Code, Diagnostic, Severity, Span, codes};
use dtsx_engine::flow::FlowSpec;
use dtsx_engine::run::{CancelToken, Expressions, PathMap, ReaderSink, RunOptions, Services};
use dtsx_loader::compile::{self, CompileOptions, Compiled, ConfigurationTables, ExpressionFinding, Report, Support};
use dtsx_loader::configuration::ConfigurationEntry;
use dtsx_loader::dtsx::{self, LoadOptions};
use dtsx_loader::model::{FormatVersion, Package};
use dtsx_loader::project::Project;
use dtsx_loader::{Fault, LoadError};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The canonical kind of the destination whose rows a client reads.
const DATA_READER: &str = "Microsoft.DataReaderDestinationAdapter";

/// What is said of parts that neither SSIS nor this build has.
const NOT_REGISTERED: [Code; 3] =
    [codes::DTS_E_ERRORCOMPONENT, codes::DTS_E_TASKISEMPTY, codes::DTS_E_UNKNOWNCONNECTIONMANAGERTYPE];

/// A package that was read, and its project.
pub(crate) struct Loaded {
    package: Package,
    project: Option<Project>,
}

/// Reads a package and its project.
pub(crate) fn load(options: &OpenOptions) -> Result<Loaded> {
    let limits = LoadOptions::default();
    let Some(file) = &options.project else {
        let package = load_package(&options.path, &limits)?;
        let project = Project::beside(&options.path, &limits).map_err(|e| not_loaded(&options.path, *e))?;
        return Ok(Loaded { package, project });
    };
    exists(file)?;
    let project = Project::open(file, &limits).map_err(|e| not_loaded(file, *e))?;
    // A package may be named as the project names it.
    let name = options.path.to_string_lossy();
    let listed = |p: &&dtsx_loader::project::ProjectPackage| p.name.eq_ignore_ascii_case(&name);
    let path = match project.packages.iter().find(listed) {
        Some(package) if !options.path.exists() => package.path.clone(),
        _ => options.path.clone(),
    };
    Ok(Loaded { package: load_package(&path, &limits)?, project: Some(project) })
}

fn exists(path: &Path) -> Result<()> {
    match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::NotFound { path: path.to_owned(), reason: e.to_string() })
        }
        _ => Ok(()),
    }
}

fn load_package(path: &Path, limits: &LoadOptions) -> Result<Package> {
    exists(path)?;
    dtsx::load(path, limits).map_err(|e| not_loaded(path, *e))
}

/// A load error as a finding in the file that it names.
fn not_loaded(path: &Path, error: LoadError) -> Error {
    let path = error.file.clone().unwrap_or_else(|| path.to_owned());
    let span = Span { start: error.span.start, end: error.span.end };
    let place = (error.line != 0).then_some(Place { line: error.line, column: error.column, span });
    let diagnostic = Diagnostic::error(Code(error.code), error.object.unwrap_or_default(), error.message);
    let finding = Finding { place, ..Finding::new(diagnostic, "") };
    Error::NotLoaded { path, findings: vec![finding] }
}

pub(crate) fn info(loaded: &Loaded) -> PackageInfo {
    let (package, root) = (&loaded.package, &loaded.package.root);
    PackageInfo {
        name: package.name().to_owned(),
        id: root.dtsid().to_owned(),
        format_version: package.format.0,
        version: (root.version_major().into(), root.version_minor().into(), root.version_build().into()),
        version_guid: root.version_guid().to_owned(),
    }
}

pub(crate) fn path(loaded: &Loaded) -> &Path {
    let source = loaded.package.origin.as_ref().and_then(|origin| origin.source.path.as_deref());
    source.unwrap_or(Path::new("package"))
}

pub(crate) fn text(loaded: &Loaded) -> &str {
    loaded.package.origin.as_ref().map_or("", |origin| origin.source.text.as_str())
}

fn compile(loaded: &Loaded, settings: &Settings, tables: Option<Arc<dyn ConfigurationTables>>) -> Compiled {
    let options = CompileOptions {
        tables,
        connects: settings.connects.clone(),
        sets: settings.sets.clone(),
        params: settings.params.clone(),
        configurations: settings.configurations.clone(),
        paths: paths(settings),
    };
    compile::compile(&loaded.package, loaded.project.as_ref(), &options)
}

fn paths(settings: &Settings) -> PathMap {
    let mut map = PathMap::default();
    for (from, to) in &settings.maps {
        map.add(from, to);
    }
    map
}

/// Reads configurations that are kept in tables, before the execution has services of its own.
#[derive(Debug)]
struct SettingsTables {
    paths: PathMap,
}

impl ConfigurationTables for SettingsTables {
    fn read(
        &self,
        connection: &ConnectionSpec,
        table: &str,
        filter: &str,
    ) -> std::result::Result<Vec<ConfigurationEntry>, String> {
        let options = RunOptions { threads: 1, ..RunOptions::default() };
        let services = Services::new(options).map_err(|e| e.to_string())?;
        let services = Services { paths: Arc::new(self.paths.clone()), ..services };
        let rows = db::configuration_rows(connection, table, filter, &services).map_err(|e| e.to_string())?;
        let entry = |row: db::ConfigurationRow| ConfigurationEntry {
            path: row.path,
            value_type: row.value_type,
            value: row.value,
            span: Default::default(),
        };
        Ok(rows.into_iter().map(entry).collect())
    }
}

/// What an execution is given: the kinds of this build, the counters, the taps.
fn request(plan: &PackagePlan, services: Services, taps: &[Tap], counts: &RowCounts) -> RunRequest {
    let taps = taps.iter().map(|tap| TapRequest {
        task: tap.task.clone(),
        path_id: tap.path_id.clone(),
        sink: Arc::new(TapSink::new(tap.file.clone())),
    });
    let flows = Pipelines::new(Arc::new(Catalog)).with_taps(taps.collect()).with_observer(Arc::new(counts.clone()));
    let locale = plan.executables.first().and_then(|package| package.properties.int("LocaleID"));
    let lcid = locale.and_then(|lcid| u32::try_from(lcid).ok()).unwrap_or_default();
    let registry = Registry::new(Arc::new(flows), Arc::new(Expressions { lcid }))
        .with_tasks(catalog::TASKS.iter().copied())
        .with_enumerators(catalog::ENUMERATORS.iter().copied())
        .with_log_providers(catalog::LOG_PROVIDERS.iter().copied())
        .enlisting(db::enlists)
        .refusing(|path, kind| catalog::unsupported(path, kind, diag::codes::DTS_E_TASKISEMPTY));
    RunRequest::new(services, Arc::new(registry))
}

/// Services for looking only: no lanes are needed.
fn offline(settings: &Settings) -> diag::Result<Services> {
    let services = Services::new(RunOptions { threads: 1, ..RunOptions::default() })?;
    Ok(Services { paths: Arc::new(paths(settings)), ..services })
}

/// What this build has, by canonical kind.
struct ThisBuild;

impl Support for ThisBuild {
    fn component(&self, kind: &str) -> bool {
        catalog::find_component(kind).is_some()
    }

    fn task(&self, kind: &str) -> bool {
        catalog::find_stock(kind).is_some_and(|stock| stock.supported())
    }

    fn connection(&self, kind: &str) -> bool {
        catalog::find_stock(kind.split_once(':').map_or(kind, |(family, _)| family))
            .is_some_and(|stock| stock.supported())
    }
}

pub(crate) fn check(loaded: &Loaded, settings: &Settings) -> CheckReport {
    let compiled = compile(loaded, settings, None);
    let report = offline(settings).and_then(|services| {
        let request = request(&compiled.plan, services, &[], &RowCounts::default());
        compile::report(&compiled, &request, &ThisBuild)
    });
    let text = text(loaded);
    let format_version = loaded.package.format.0;
    match report {
        Ok(report) => checked(report, format_version, text),
        Err(error) => {
            let mut findings = found(compiled.diagnostics, text);
            findings.push(Finding::error(error.to_string()));
            CheckReport { format_version, findings, ..CheckReport::default() }
        }
    }
}

fn found(diagnostics: Vec<Diagnostic>, text: &str) -> Vec<Finding> {
    diagnostics.into_iter().map(|diagnostic| Finding::new(diagnostic, text)).collect()
}

fn checked(report: Report, format_version: u32, text: &str) -> CheckReport {
    let alien = |d: &Diagnostic| d.is_error() && d.code.is_some_and(|code| NOT_REGISTERED.contains(&code));
    let runnable = report.runnable && !report.diagnostics.iter().any(alien);
    let mut findings = found(report.diagnostics, text);
    for expression in report.expression_findings {
        if let Some(finding) = of_expression(expression, text)
            && !findings.iter().any(|known| known.is_error() && known.object == finding.object)
        {
            findings.push(finding);
        }
    }
    let tally = |it: compile::Tally| Tally {
        total: it.total,
        supported: it.supported,
        unsupported: it.unsupported.into_iter().collect(),
    };
    CheckReport {
        format_version,
        runnable,
        tasks: tally(report.tasks),
        components: tally(report.components),
        connections: tally(report.connections),
        expressions: ExpressionTally {
            total: report.expressions.total,
            compiled: report.expressions.compiled,
            declared: report.expressions.declared,
            typed_as_declared: report.expressions.typed_as_declared,
        },
        findings,
    }
}

/// An expression that does not compile (perhaps of something disabled), or is typed otherwise than the package says.
fn of_expression(it: ExpressionFinding, text: &str) -> Option<Finding> {
    let message = match (it.error, it.types) {
        (Some(error), _) => format!("the expression of \"{}\" does not compile: {error}", it.part),
        (None, Some((declared, inferred))) => {
            format!("the expression of \"{}\" is {inferred} here; the package declares {declared}", it.part)
        }
        (None, None) => return None,
    };
    Some(Finding {
        severity: Severity::Information,
        object: it.object,
        place: it.span.and_then(|span| Place::find(span, text)),
        ..Finding::error(message)
    })
}

pub(crate) fn explain(loaded: &Loaded, settings: &Settings) -> Result<String> {
    let compiled = compile(loaded, settings, None);
    let request = request(&compiled.plan, offline(settings)?, &[], &RowCounts::default());
    Ok(compile::explain(&compiled.plan, &request, &Catalog)?)
}

/// Puts the estate of the package into the services.
fn install_estate(loaded: &Loaded, settings: &Settings, services: &Services) -> Result<()> {
    let file = settings.connections_file.as_deref();
    if let Some(estate) = Estate::find_file(file, path(loaded)).map_err(Error::Setting)? {
        estate.install(services);
    }
    Ok(())
}

/// What stands behind the connection managers.
pub(crate) fn connections(loaded: &Loaded, settings: &Settings, test: bool) -> Result<Vec<ConnectionReport>> {
    let compiled = compile(loaded, settings, None);
    let services = offline(settings)?;
    install_estate(loaded, settings, &services)?;
    let request = request(&compiled.plan, services.clone(), &[], &RowCounts::default());
    let mut reports = Vec::new();
    let (mut failed, mut seen) = (None, false);
    control::visit_scopes(&compiled.plan, &request, &mut |_, _, cx| {
        // The first is the package, in whose scope the expressions of connection managers are.
        if std::mem::replace(&mut seen, true) {
            return;
        }
        for connection in &compiled.plan.connections {
            let spec = &connection.spec;
            match cx.connections.get(if spec.id.is_empty() { &spec.name } else { &spec.id }) {
                Ok(spec) => reports.push(reported(&spec, &services, test)),
                Err(error) => failed = Some(error),
            }
        }
    })?;
    failed.map_or(Ok(reports), |error| Err(error.into()))
}

fn reported(spec: &ConnectionSpec, services: &Services, test: bool) -> ConnectionReport {
    let found = inspect(spec, services, test);
    ConnectionReport {
        name: spec.name.clone(),
        kind: spec.kind.clone(),
        driver: found.driver,
        target: found.target,
        problem: found.problem,
        tested: found.tested,
    }
}

/// Writes a package as it is, or upgraded.
pub(crate) fn save(loaded: &Loaded, path: &Path, format_version: Option<u32>) -> Result<()> {
    let format = loaded.package.format;
    let saved = match format_version.map(FormatVersion) {
        None => dtsx::save(&loaded.package, path),
        Some(version) if version == format => dtsx::save(&loaded.package, path),
        Some(FormatVersion::CURRENT) => {
            let mut package = loaded.package.clone();
            dtsx::upgrade(&mut package);
            dtsx::save(&package, path)
        }
        Some(version) => {
            let current = FormatVersion::CURRENT;
            return Err(Error::Setting(format!(
                "a package of format {format} can be saved in its own format or in format {current}, not in {version}"
            )));
        }
    };
    saved.map_err(|e| match e.fault {
        Fault::SavePackageFile => Error::Io { path: path.to_owned(), reason: e.message },
        _ => not_loaded(path, *e),
    })
}

/// Ready to run.
pub(crate) struct Prepared {
    plan: Arc<PackagePlan>,
    /// What was said of configurations as they were applied.
    warnings: Vec<Message>,
    request: RunRequest,
    counts: RowCounts,
}

/// Compiles and looks up everything that the settings name.
pub(crate) fn prepare(
    loaded: &Loaded,
    settings: &Settings,
    options: RunOptions,
    readers: &[(String, Arc<Channel>)],
) -> Result<Prepared> {
    let compiled = compile(loaded, settings, Some(Arc::new(SettingsTables { paths: paths(settings) })));
    if !compiled.is_runnable() {
        return Err(refusal(loaded, settings, compiled.diagnostics));
    }
    let warnings = compiled.diagnostics.iter().filter(|d| d.object.starts_with(r"\Package.Configurations"));
    let warnings = warnings.map(|d| Message {
        code: d.code.unwrap_or(codes::DTS_W_FAILEDCONFIGLOAD),
        sub_component: String::new(),
        text: d.message.clone(),
    });
    let warnings = warnings.collect();
    let plan = compiled.plan;
    for tap in &settings.taps {
        check_tap(&plan, tap)?;
    }
    for (name, _) in readers {
        let is_it = |flow: &FlowSpec| flow.components.iter().any(|c| c.name == *name && c.kind == DATA_READER);
        if !flows(&plan).any(is_it) {
            return Err(Error::Setting(format!("the package has no DataReader destination named \"{name}\"")));
        }
    }
    let sinks = readers.iter().map(|(name, channel)| (name.clone(), channel.clone() as Arc<dyn ReaderSink>));
    let services = Services {
        paths: Arc::new(paths(settings)),
        readers: Arc::new(sinks.collect::<HashMap<_, _>>()),
        ..Services::new(options)?
    };
    install_estate(loaded, settings, &services)?;
    let counts = RowCounts::default();
    let request = request(&plan, services, &settings.taps, &counts);
    Ok(Prepared { plan, warnings, request, counts })
}

/// Why a package with errors does not run: because of what was set about it, if it compiles without; else because of
/// itself.
fn refusal(loaded: &Loaded, settings: &Settings, diagnostics: Vec<Diagnostic>) -> Error {
    let bare = compile(loaded, &Settings { maps: settings.maps.clone(), ..Settings::default() }, None);
    match diagnostics.iter().find(|d| d.is_error() && !bare.diagnostics.contains(d)) {
        Some(refused) => Error::Setting(refused.message.clone()),
        None => Error::Invalid { findings: found(diagnostics, text(loaded)) },
    }
}

fn flows(plan: &PackagePlan) -> impl Iterator<Item = &FlowSpec> {
    plan.executables.iter().filter_map(|executable| match &executable.kind {
        ExecutableKind::Task(task) => task.flow.as_deref(),
        _ => None,
    })
}

fn check_tap(plan: &PackagePlan, tap: &Tap) -> Result<()> {
    let Some(flow) = flows(plan).find(|flow| flow.path.eq_ignore_ascii_case(&tap.task)) else {
        return Err(Error::Setting(format!("the package has no data flow task {} to tap", tap.task)));
    };
    match control::find_output(flow, &tap.path_id) {
        Some(_) => Ok(()),
        None => Err(Error::Setting(format!("{} has no path {} to tap", tap.task, tap.path_id))),
    }
}

impl Prepared {
    pub(crate) fn cancel(&self) -> CancelToken {
        self.request.services.cancel.clone()
    }

    pub(crate) fn row_counts(&self) -> RowCounts {
        self.counts.clone()
    }

    /// Runs to the end on this thread.
    pub(crate) fn run(self, listener: Arc<dyn Listener>) -> Result<Outcome> {
        self.with(listener, control::run)
    }

    /// Validates only.
    pub(crate) fn validate(self, listener: Arc<dyn Listener>) -> Result<Outcome> {
        self.with(listener, control::validate_only)
    }

    fn with(
        mut self,
        listener: Arc<dyn Listener>,
        work: impl FnOnce(&Arc<PackagePlan>, &RunRequest) -> diag::Result<control::Outcome>,
    ) -> Result<Outcome> {
        let root = self.plan.executables.first();
        let source = Source {
            name: root.map(|root| root.name.clone()).unwrap_or_default(),
            path: root.map(|root| root.path.clone()).unwrap_or_default(),
            id: root.map(|root| root.id.clone()).unwrap_or_default(),
        };
        for warning in std::mem::take(&mut self.warnings) {
            let kind = EventKind::Warning(warning);
            listener.event(&Event { time: SystemTime::now(), source: source.clone(), kind });
        }
        self.request.listeners.push(Arc::new(Forward { listener, counts: self.counts.clone() }));
        let outcome = work(&self.plan, &self.request)?;
        Ok(Outcome {
            result: match outcome.result {
                ExecResult::Success | ExecResult::Completion => RunResult::Success,
                ExecResult::Failure => RunResult::Failure,
                ExecResult::Canceled => RunResult::Cancelled,
            },
            variables: outcome.variables.into_iter().map(|(name, _, value)| Variable { name, value }).collect(),
            rows: self.counts.snapshot(),
            components: self.counts.components(),
            memory: MemoryUse {
                peak: self.request.services.memory.peak() as u64,
                spilled: self.request.services.spill.written(),
            },
            elapsed: (outcome.finished - outcome.started).to_std().unwrap_or(Duration::ZERO),
        })
    }
}
