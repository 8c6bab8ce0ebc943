//! Executables: the package itself, containers, tasks and event handlers.

use super::connection::ConnectionManager;
use super::control::{
    Configuration, ForEachEnumerator, LogProvider, LoggingOptions, PrecedenceConstraint, VariableMapping,
};
use super::data::ObjectData;
use super::object::{Base, object};
use super::pipeline::Pipeline;
use super::properties::Property;
use super::tree::Element;
use super::variable::{PackageVariable, Parameter, Variable};
use crate::ids;

/// A package, container, task or event handler.
///
/// One type for all, as in the file: a kind has the collections that it uses, the others stay empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Executable {
    /// The common part.
    pub base: Base,
    /// Connection managers (package).
    pub connection_managers: Vec<ConnectionManager>,
    /// Configurations (package).
    pub configurations: Vec<Configuration>,
    /// Log providers (package).
    pub log_providers: Vec<LogProvider>,
    /// Parameters (package).
    pub parameters: Vec<Parameter>,
    /// Variables that belong to this container.
    pub variables: Vec<Variable>,
    /// What is logged.
    pub logging: Option<LoggingOptions>,
    /// Property expressions: the name of each is the property it sets.
    pub expressions: Vec<Property>,
    /// Children, in the order of the file.
    pub executables: Vec<Executable>,
    /// Constraints between the children.
    pub precedence_constraints: Vec<PrecedenceConstraint>,
    /// The enumerator (Foreach Loop).
    pub enumerator: Option<ForEachEnumerator>,
    /// Which variables take the columns of the enumerator's item (Foreach Loop).
    pub variable_mappings: Vec<VariableMapping>,
    /// Event handlers; each is a container itself, with [`Executable::event_name`].
    pub event_handlers: Vec<Executable>,
    /// The data of the task.
    pub object_data: Option<ObjectData>,
    /// Data of designers and add-ins.
    pub package_variables: Vec<PackageVariable>,
}

/// What sort of executable this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A package.
    Package,
    /// A Sequence container.
    Sequence,
    /// A For Loop container.
    ForLoop,
    /// A Foreach Loop container.
    ForEachLoop,
    /// An event handler.
    EventHandler,
    /// A task; [`Executable::kind`] says which.
    Task,
}

object!(dts Executable {
    /// The name, unique among its siblings.
    text name set_name "ObjectName";
    /// The GUID.
    text dtsid set_dtsid "DTSID";
    /// The path by which formats 6 and 8 refer to it; empty in formats 2 and 3.
    text ref_id set_ref_id "refId";
    /// What the designer's user wrote about it.
    text description set_description "Description";
    /// The class as written; [`Executable::kind`] is the canonical name.
    text executable_type set_executable_type "ExecutableType";
    /// The class as written a second time.
    text creation_name set_creation_name "CreationName";
    /// It is neither validated nor executed.
    flag disabled set_disabled "Disabled" = false;
    /// It is validated only when it is about to run.
    flag delay_validation set_delay_validation "DelayValidation" = false;
    /// Its own event handlers do not run.
    flag disable_event_handlers set_disable_event_handlers "DisableEventHandlers" = false;
    /// Its failure fails the package.
    flag fail_package_on_failure set_fail_package_on_failure "FailPackageOnFailure" = false;
    /// Its failure fails the parent container.
    flag fail_parent_on_failure set_fail_parent_on_failure "FailParentOnFailure" = false;
    /// Errors that it takes before its result is Failure; 0 is unlimited.
    int max_error_count set_max_error_count "MaxErrorCount" = 1;
    /// -1 none, 0 success, 1 failure, 2 completion.
    int force_execution_result set_force_execution_result "ForceExecutionResult" = -1;
    /// The execution value is replaced by the property `ExecValue`.
    flag force_exec_value set_force_exec_value "ForceExecValue" = false;
    /// 0 NotSupported, 1 Supported, 2 Required.
    int transaction_option set_transaction_option "TransactionOption" = 1;
    /// The isolation level of a transaction that it starts: 1048576 Serializable, 4096 ReadCommitted …
    int isolation_level set_isolation_level "ISOLevel" = 1_048_576;
    /// The locale; -1 inherits.
    int locale_id set_locale_id "LocaleID" = -1;
    /// For Loop: runs once before the loop.
    option init_expression set_init_expression "InitExpression";
    /// For Loop: the condition of each pass.
    option eval_expression set_eval_expression "EvalExpression";
    /// For Loop: runs after each pass.
    option assign_expression set_assign_expression "AssignExpression";
    /// Event handler: the event, such as `OnError`.
    text event_name set_event_name "EventName";
    /// Package: how many executables run at once; -1 is the number of processors and two.
    int max_concurrent_executables set_max_concurrent_executables "MaxConcurrentExecutables" = -1;
    /// Package: how secrets are protected, 0 to 5.
    int protection_level set_protection_level "ProtectionLevel" = 1;
    /// Package: configurations are applied.
    flag enable_configurations set_enable_configurations "EnableConfig" = false;
    /// Package: failing configurations do not warn.
    flag suppress_configuration_warnings set_suppress_configuration_warnings "SuppressConfigurationWarnings" = false;
    /// Package: checkpoints are written.
    flag save_checkpoints set_save_checkpoints "SaveCheckpoints" = false;
    /// Package: where.
    text checkpoint_file_name set_checkpoint_file_name "CheckpointFileName";
    /// Package: 0 never, 1 if the file exists, 2 always.
    int checkpoint_usage set_checkpoint_usage "CheckpointUsage" = 0;
    /// Package: who made it.
    text creator_name set_creator_name "CreatorName";
    /// Package: on which machine.
    text creator_computer_name set_creator_computer_name "CreatorComputerName";
    /// Package: when, as en-US text.
    text creation_date set_creation_date "CreationDate";
    /// Package: major version.
    int version_major set_version_major "VersionMajor" = 1;
    /// Package: minor version.
    int version_minor set_version_minor "VersionMinor" = 0;
    /// Package: build, counted up by the designer.
    int version_build set_version_build "VersionBuild" = 0;
    /// Package: the GUID of this version.
    text version_guid set_version_guid "VersionGUID";
    /// Package: comments on this version.
    text version_comments set_version_comments "VersionComments";
});

impl Executable {
    /// A container or task of a kind: `STOCK:SEQUENCE`, `Microsoft.FileSystemTask` …
    pub fn new(kind: &str, name: &str) -> Executable {
        let mut executable = Executable::default();
        executable.set_creation_name(kind);
        executable.set_executable_type(kind);
        executable.set_name(name);
        executable
    }

    /// A Sequence container.
    pub fn sequence(name: &str) -> Executable {
        Executable::new(ids::SEQUENCE, name)
    }

    /// A For Loop; the two assignments may be empty.
    pub fn for_loop(name: &str, init: &str, eval: &str, assign: &str) -> Executable {
        let mut executable = Executable::new(ids::FOR_LOOP, name);
        if !init.is_empty() {
            executable.set_init_expression(init);
        }
        executable.set_eval_expression(eval);
        if !assign.is_empty() {
            executable.set_assign_expression(assign);
        }
        executable
    }

    /// A Foreach Loop.
    pub fn for_each_loop(name: &str, enumerator: ForEachEnumerator) -> Executable {
        Executable { enumerator: Some(enumerator), ..Executable::new(ids::FOR_EACH_LOOP, name) }
    }

    /// A task with its data.
    pub fn task(kind: &str, name: &str, data: Element) -> Executable {
        Executable { object_data: Some(ObjectData::from_element(data)), ..Executable::new(kind, name) }
    }

    /// A Data Flow task.
    pub fn data_flow(name: &str, pipeline: Pipeline) -> Executable {
        Executable { object_data: Some(ObjectData::from_pipeline(pipeline)), ..Executable::new(ids::PIPELINE, name) }
    }

    /// An event handler.
    pub fn event_handler(event: &str) -> Executable {
        let mut executable = Executable::default();
        executable.set_creation_name(event);
        executable.set_event_name(event);
        executable
    }

    /// The canonical class, whatever version the file is of: `Microsoft.Pipeline`, `STOCK:FORLOOP`; unknown classes as
    /// written.
    pub fn kind(&self) -> &str {
        let written = match self.executable_type() {
            "" => self.creation_name(),
            written => written,
        };
        ids::executable(written).unwrap_or(written)
    }

    /// What sort of executable this is.
    pub fn sort(&self) -> Sort {
        match self.kind() {
            ids::PACKAGE => Sort::Package,
            ids::SEQUENCE => Sort::Sequence,
            ids::FOR_LOOP => Sort::ForLoop,
            ids::FOR_EACH_LOOP => Sort::ForEachLoop,
            _ if !self.event_name().is_empty() => Sort::EventHandler,
            _ => Sort::Task,
        }
    }

    /// The name in paths: its own, or the event of a handler (which has no other).
    pub fn path_name(&self) -> &str {
        match self.name() {
            "" => self.event_name(),
            name => name,
        }
    }

    /// The data flow of a Data Flow task.
    pub fn pipeline(&self) -> Option<&Pipeline> {
        self.object_data.as_ref()?.pipeline()
    }

    /// The data flow, to change it.
    pub fn pipeline_mut(&mut self) -> Option<&mut Pipeline> {
        self.object_data.as_mut()?.pipeline_mut()
    }

    /// The data of a task that is not a data flow, as a neutral tree.
    pub fn task_data(&self) -> Option<&Element> {
        self.object_data.as_ref()?.element()
    }

    /// The property expression on a property, if there is one.
    pub fn expression(&self, target: &str) -> Option<&str> {
        self.expressions.iter().find(|e| e.name().eq_ignore_ascii_case(target)).map(Property::value)
    }

    /// A variable of this container, by `Name` or `Namespace::Name`.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| match name.split_once("::") {
            Some((namespace, name)) => variable.namespace() == namespace && variable.name() == name,
            None => variable.name() == name,
        })
    }

    /// A connection manager of this package by name or GUID; names as written, GUIDs in any case.
    pub fn connection_manager(&self, reference: &str) -> Option<&ConnectionManager> {
        self.connection_managers
            .iter()
            .find(|manager| manager.name() == reference || manager.dtsid().eq_ignore_ascii_case(reference))
    }
}
