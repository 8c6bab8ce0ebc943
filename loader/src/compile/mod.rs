//! Compiling a package: the model becomes a plan, and everything wrong on the way a diagnostic.
//!
//! Passes: connection managers → executables, variables, flows → parameters → configurations → overrides →
//! configurations again. Each pass pushes diagnostics and goes on. Nothing here runs anything.

mod configuration;
mod connection;
mod control;
mod data;
mod explain;
mod flow;
mod overrides;
mod report;

pub use explain::explain;
pub use report::{ExpressionFinding, ExpressionTally, Report, Support, Tally, report};

use crate::configuration::ConfigurationEntry;
use crate::model::Package;
use crate::project::Project;
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::control::plan::{ExecutableKind, PackagePlan};
use dtsx_engine::diag::{Diagnostic, Severity};
use dtsx_engine::props::Origin;
use dtsx_engine::run::PathMap;
use std::sync::Arc;

/// What is changed before a run.
#[derive(Clone, Debug, Default)]
pub struct CompileOptions {
    /// Connection manager (name or DTSID) and its new connection string.
    pub connects: Vec<(String, String)>,
    /// Property path and value.
    pub sets: Vec<(String, String)>,
    /// `$Package::X` or `$Project::X` (a bare name means `$Package::`) and value.
    pub params: Vec<(String, String)>,
    /// Extra XML configuration files.
    pub configurations: Vec<std::path::PathBuf>,
    /// Path prefix rules; configuration files are found through them.
    pub paths: PathMap,
    /// Reads configurations that are kept in tables of databases; None: nobody may touch a server now, and they are
    /// passed over.
    pub tables: Option<Arc<dyn ConfigurationTables>>,
}

/// Reads configurations that are kept in tables of databases, for a loader that knows no database.
pub trait ConfigurationTables: std::fmt::Debug + Send + Sync {
    /// The entries of a table under a filter.
    ///
    /// # Errors
    /// Why they cannot be read.
    fn read(
        &self,
        connection: &ConnectionSpec,
        table: &str,
        filter: &str,
    ) -> std::result::Result<Vec<ConfigurationEntry>, String>;
}

/// A compiled package.
pub struct Compiled {
    /// The plan. It is there even when there are errors, so that all of it can be shown; it runs only without.
    pub plan: Arc<PackagePlan>,
    /// What was found.
    pub diagnostics: Vec<Diagnostic>,
}

impl Compiled {
    /// Whether there are no errors.
    pub fn is_runnable(&self) -> bool {
        !self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// Compiles a package with the connection managers and parameters of its project.
pub fn compile(package: &Package, project: Option<&Project>, options: &CompileOptions) -> Compiled {
    let mut diagnostics = Vec::new();
    let root = &package.root;
    let own = root.connection_managers.iter().map(|m| (m, "\\Package"));
    let of_project = project.iter().flat_map(|p| &p.connection_managers).map(|m| (m, "\\Project"));
    let connections: Vec<_> = own
        .chain(of_project)
        .map(|(m, owner)| connection::compile(m, package.format, format!("{owner}.Connections[{}]", m.name())))
        .collect();
    let mut compiler = control::Compiler::new(package, &connections);
    compiler.run();
    diagnostics.append(&mut compiler.diagnostics);
    let executables = std::mem::take(&mut compiler.executables);
    let mut parameters = control::parameters(&root.parameters, &mut diagnostics);
    parameters.extend(project.iter().flat_map(|p| control::project_parameters(&p.parameters, &mut diagnostics)));
    let mut plan = PackagePlan {
        name: root.name().to_owned(),
        id: root.dtsid().to_owned(),
        version: (root.version_major(), root.version_minor(), root.version_build()),
        version_guid: root.version_guid().to_owned(),
        version_comments: root.version_comments().to_owned(),
        creator_name: root.creator_name().to_owned(),
        creator_computer: root.creator_computer_name().to_owned(),
        creation_date: creation_date(root.creation_date()),
        executables,
        connections,
        parameters,
        log_providers: control::log_providers(root),
        failed_configurations: Vec::new(),
    };
    reconfigure(&mut plan, root, options, &mut diagnostics);
    Compiled { plan: Arc::new(plan), diagnostics }
}

/// Applies configurations and overrides in the order of dtexec: design-time configurations, the caller's, and the
/// design-time ones again, so that a redirected configuration is read from its new place, and wins.
fn reconfigure(
    plan: &mut PackagePlan,
    root: &crate::model::Executable,
    options: &CompileOptions,
    diagnostics: &mut Vec<Diagnostic>,
) {
    configuration::apply(plan, root, options, Origin::Configuration, &mut Vec::new());
    for file in &options.configurations {
        configuration::apply_file(plan, file, Origin::Configuration, diagnostics);
    }
    let runs_packages = runs_packages(plan);
    for (name, string) in &options.connects {
        let found = |c: &&mut dtsx_engine::control::plan::ConnectionPlan| {
            c.spec.name == *name || c.spec.id.eq_ignore_ascii_case(name)
        };
        match plan.connections.iter_mut().find(found) {
            Some(connection) => {
                connection.spec.properties.set_text("ConnectionString", string, Origin::Override);
                // What the caller gives is meant: an expression of the package does not replace it.
                connection.expressions.retain(|e| !e.property.eq_ignore_ascii_case("ConnectionString"));
            }
            // It may be meant for a package that this one runs.
            None if runs_packages => diagnostics.push(Diagnostic::warning(
                dtsx_engine::diag::codes::DTS_E_CONNECTIONNOTFOUND,
                "\\Package",
                format!("a connection string is given for \"{name}\", which this package does not have"),
            )),
            None => diagnostics.push(Diagnostic::error(
                dtsx_engine::diag::codes::DTS_E_CONNECTIONNOTFOUND,
                "\\Package",
                format!("--connect names a connection manager \"{name}\", which the package does not have"),
            )),
        }
    }
    for (path, value) in &options.sets {
        if let Err(refused) = overrides::set(plan, path, value, Origin::Override) {
            diagnostics.push(Diagnostic::error(refused.code, "\\Package", refused.message));
        }
    }
    for (name, value) in &options.params {
        let qualified = if name.starts_with('$') { name.clone() } else { format!("$Package::{name}") };
        let path = format!("\\Package.Variables[{qualified}].Value");
        if let Err(refused) = overrides::set(plan, &path, value, Origin::Override) {
            diagnostics.push(Diagnostic::error(refused.code, "\\Package", refused.message));
        }
    }
    configuration::apply(plan, root, options, Origin::Override, diagnostics);
}

/// Whether a package runs others.
fn runs_packages(plan: &PackagePlan) -> bool {
    let runs =
        |kind: &ExecutableKind| matches!(kind, ExecutableKind::Task(t) if t.kind == "Microsoft.ExecutePackageTask");
    plan.executables.iter().any(|e| runs(&e.kind))
}

/// CreationDate, text in the locale of the machine that made the package; NULL if it cannot be read.
fn creation_date(text: &str) -> dtsx_engine::types::Value {
    dtsx_engine::variables::VariableType::DateTime.parse(text).unwrap_or(dtsx_engine::types::Value::Null)
}
