//! Package configurations: values from outside that are applied before a run.
//!
//! A configuration that fails is a warning, and the package goes on with its design values, as in SSIS; its name is kept
//! for System::FailedConfigurations.

use super::CompileOptions;
use super::overrides;
use crate::configuration::{ConfigurationFile, SqlServerConfiguration};
use crate::dtsx::LoadOptions;
use crate::model::{Configuration, Executable};
use dtsx_engine::control::plan::{ConnectionPlan, PackagePlan};
use dtsx_engine::diag::{Code, Diagnostic, codes};
use dtsx_engine::props::Origin;
use std::path::Path;

/// Applies the design-time configurations of a package, in order.
pub(super) fn apply(
    plan: &mut PackagePlan,
    root: &Executable,
    options: &CompileOptions,
    origin: Origin,
    diagnostics: &mut Vec<Diagnostic>,
) {
    plan.failed_configurations.clear();
    if !root.enable_configurations() {
        return;
    }
    for configuration in &root.configurations {
        let before = diagnostics.len();
        one(plan, configuration, options, origin, diagnostics);
        if diagnostics.len() > before {
            plan.failed_configurations.push(configuration.name().to_owned());
        }
    }
    if root.suppress_configuration_warnings() {
        diagnostics.retain(|d| d.is_error() || d.unsupported);
    }
}

fn warn(diagnostics: &mut Vec<Diagnostic>, name: &str, code: Code, message: String) {
    diagnostics.push(Diagnostic::warning(code, format!("\\Package.Configurations[{name}]"), message));
}

fn one(
    plan: &mut PackagePlan,
    configuration: &Configuration,
    options: &CompileOptions,
    origin: Origin,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let name = configuration.name();
    let text = configuration.configuration_string();
    let mut variable = |wanted: &str| match std::env::var(wanted) {
        Ok(value) => Some(value),
        Err(_) => {
            let code = codes::DTS_W_CONFIGENVVARNOTFOUND;
            let message = format!("{} The environment variable was: \"{wanted}\".", code.message(&[]));
            warn(diagnostics, name, code, message);
            None
        }
    };
    match configuration.configuration_type() {
        1 => apply_file(plan, &options.paths.resolve(text), origin, diagnostics),
        2 => {
            let Some(value) = variable(text) else { return };
            set(plan, name, configuration.configuration_variable(), &value, origin, diagnostics);
        }
        5 => {
            let Some(path) = variable(text) else { return };
            apply_file(plan, &options.paths.resolve(&path), origin, diagnostics);
        }
        // A parent package's variable. Nothing runs packages as children yet: there never is a parent.
        0 | 4 => {
            let indirect = configuration.configuration_type() == 4;
            let Some(parent) = (if indirect { variable(text) } else { Some(text.to_owned()) }) else { return };
            let code = codes::DTS_W_NOPARENTVARIABLES;
            warn(diagnostics, name, code, code.message(&[&parent]));
        }
        3 | 6 => {
            // There is no registry to find the key in; the original says the same of a key that is missing.
            let code = codes::DTS_W_CONFIGKEYNOTFOUND;
            warn(diagnostics, name, code, code.message(&[&text]));
        }
        7 => apply_table(plan, name, text, options, origin, diagnostics),
        9 => {
            let Some(text) = variable(text) else { return };
            apply_table(plan, name, &text, options, origin, diagnostics);
        }
        _ => {
            let code = codes::DTS_W_INVALIDCONFIGURATIONTYPE;
            warn(diagnostics, name, code, code.message(&[&name]));
        }
    }
}

/// Applies what a table of a database says: `"connection";"table";"filter";`.
fn apply_table(
    plan: &mut PackagePlan,
    name: &str,
    text: &str,
    options: &CompileOptions,
    origin: Origin,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let code = codes::DTS_W_SQLSERVERFAILEDIMPORT;
    let Some(place) = SqlServerConfiguration::parse(text) else {
        return warn(diagnostics, name, code, code.message(&[&text]));
    };
    let Some(tables) = &options.tables else { return };
    let named =
        |c: &&ConnectionPlan| c.spec.name == place.connection || c.spec.id.eq_ignore_ascii_case(&place.connection);
    let read = match plan.connections.iter().find(named) {
        Some(connection) => tables.read(&connection.spec, &place.table, &place.filter),
        None => Err(format!("there is no connection manager \"{}\"", place.connection)),
    };
    match read {
        Ok(entries) if entries.is_empty() => {
            let code = codes::DTS_W_NORECORDSFOUNDINTABLE;
            warn(diagnostics, name, code, code.message(&[&place.table]));
        }
        Ok(entries) => entries.iter().for_each(|e| set(plan, name, &e.path, &e.value, origin, diagnostics)),
        Err(why) => warn(diagnostics, name, code, code.message(&[&why])),
    }
}

fn set(plan: &mut PackagePlan, name: &str, path: &str, value: &str, origin: Origin, diagnostics: &mut Vec<Diagnostic>) {
    if let Err(refused) = overrides::set(plan, path, value, origin) {
        warn(diagnostics, name, refused.code, refused.message);
    }
}

/// Applies an XML configuration file.
pub(super) fn apply_file(plan: &mut PackagePlan, file: &Path, origin: Origin, diagnostics: &mut Vec<Diagnostic>) {
    let shown = file.display().to_string();
    if !file.exists() {
        let code = codes::DTS_W_CONFIGFILENOTFOUND;
        return warn(diagnostics, &shown, code, code.message(&[&shown]));
    }
    match ConfigurationFile::read(file, &LoadOptions::default()) {
        Ok(read) => {
            for entry in read.entries {
                set(plan, &shown, &entry.path, &entry.value, origin, diagnostics);
            }
        }
        Err(error) => {
            let code = codes::DTS_W_FAILEDCONFIGLOAD;
            warn(diagnostics, &shown, code, format!("{} {error}", code.message(&[])));
        }
    }
}
