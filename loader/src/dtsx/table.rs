//! Simple properties of DTS objects: their type, and the value that formats 6 and 8 leave out.
//!
//! The reader checks values by this table; the step from property elements to attributes turns booleans into words and
//! drops defaults by it.

/// The type of a property, as far as the original refuses other text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int,
    Text,
}

use Kind::{Bool, Int, Text};

/// A property: name, type, and the value that is left out.
pub(super) type Row = (&'static str, Kind, Option<&'static str>);

/// Properties of packages, containers, tasks and event handlers.
pub(super) const EXECUTABLE: &[Row] = &[
    ("Disabled", Bool, Some("False")),
    ("DelayValidation", Bool, Some("False")),
    ("DisableEventHandlers", Bool, Some("False")),
    ("FailPackageOnFailure", Bool, Some("False")),
    ("FailParentOnFailure", Bool, Some("False")),
    ("MaxErrorCount", Int, Some("1")),
    ("ForceExecutionResult", Int, Some("-1")),
    ("ForceExecValue", Bool, Some("False")),
    ("TransactionOption", Int, Some("1")),
    ("ISOLevel", Int, Some("1048576")),
    ("LocaleID", Int, None),
    ("Description", Text, Some("")),
    ("TaskContact", Text, Some("")),
    ("LockName", Text, Some("")),
    ("InitExpression", Text, Some("")),
    ("AssignExpression", Text, Some("")),
    ("MaxConcurrent", Int, None),
    ("EventID", Int, None),
    ("PackageType", Int, None),
    ("ProtectionLevel", Int, Some("1")),
    ("MaxConcurrentExecutables", Int, Some("-1")),
    ("PackagePriorityClass", Int, Some("0")),
    ("VersionMajor", Int, Some("1")),
    ("VersionMinor", Int, Some("0")),
    ("VersionBuild", Int, None),
    ("VersionComments", Text, Some("")),
    ("EnableConfig", Bool, Some("False")),
    ("CheckpointFileName", Text, Some("")),
    ("SaveCheckpoints", Bool, Some("False")),
    ("CheckpointUsage", Int, Some("0")),
    ("SuppressConfigurationWarnings", Bool, Some("False")),
];

/// Properties of formats 2 and 3 that later formats do not have.
pub(super) const RETIRED: &[&str] = &["ExecutionLocation", "ExecutionAddress"];

/// Properties of connection managers and log providers.
pub(super) const HOSTED: &[Row] = &[("DelayValidation", Bool, Some("False")), ("Description", Text, Some(""))];

/// Properties of the inner connection manager.
pub(super) const CONNECTION: &[Row] = &[
    ("Retain", Bool, Some("False")),
    ("ConnectByProxy", Bool, Some("False")),
    ("FileUsageType", Int, Some("0")),
    ("LocaleID", Int, None),
    ("CodePage", Int, None),
    ("Unicode", Bool, Some("False")),
    ("HeaderRowsToSkip", Int, Some("0")),
    ("DataRowsToSkip", Int, Some("0")),
    ("ColumnNamesInFirstDataRow", Bool, Some("False")),
    ("AlwaysCheckForRowDelimiters", Bool, Some("True")),
    ("UseFile", Bool, Some("False")),
    // Of the inner elements for FTP and HTTP.
    ("ServerPort", Int, Some("21")),
    ("Retries", Int, Some("5")),
    ("UsePassiveMode", Bool, Some("False")),
    ("UseServerCredentials", Bool, Some("False")),
    ("UseSecureConnection", Bool, Some("False")),
    ("UseProxy", Bool, Some("False")),
    ("BypassProxyOnLocal", Bool, Some("False")),
    ("UseProxyCredentials", Bool, Some("False")),
];

/// Properties of columns of text files.
pub(super) const FLAT_FILE_COLUMN: &[Row] = &[
    ("ColumnWidth", Int, Some("0")),
    ("MaximumWidth", Int, Some("0")),
    ("DataType", Int, None),
    ("DataPrecision", Int, Some("0")),
    ("DataScale", Int, Some("0")),
    ("TextQualified", Bool, Some("False")),
    ("Description", Text, Some("")),
];

/// Properties of columns of caches.
pub(super) const CACHE_COLUMN: &[Row] = &[
    ("DataType", Int, None),
    ("Length", Int, Some("0")),
    ("Precision", Int, Some("0")),
    ("Scale", Int, Some("0")),
    ("CodePage", Int, Some("0")),
    ("IndexPosition", Int, Some("0")),
    ("Description", Text, Some("")),
];

/// Properties of variables.
pub(super) const VARIABLE: &[Row] = &[
    ("Expression", Text, Some("")),
    ("EvaluateAsExpression", Bool, Some("False")),
    ("ReadOnly", Bool, Some("False")),
    ("RaiseChangedEvent", Bool, Some("False")),
    ("IncludeInDebugDump", Int, None),
    ("Description", Text, Some("")),
];

/// Properties of parameters.
pub(super) const PARAMETER: &[Row] = &[
    ("DataType", Int, None),
    ("Required", Bool, Some("False")),
    ("Sensitive", Bool, Some("False")),
    ("Description", Text, Some("")),
];

/// Properties of precedence constraints.
pub(super) const CONSTRAINT: &[Row] = &[
    ("Value", Int, Some("0")),
    ("EvalOp", Int, Some("2")),
    ("Expression", Text, Some("")),
    ("LogicalAnd", Bool, Some("False")),
    ("Description", Text, Some("")),
];

/// Properties of configurations.
pub(super) const CONFIGURATION: &[Row] = &[
    ("ConfigurationType", Int, Some("0")),
    ("ConfigurationVariable", Text, Some("")),
    ("Description", Text, Some("")),
];

/// Properties of logging options.
pub(super) const LOGGING: &[Row] =
    &[("LoggingMode", Int, Some("0")), ("FilterKind", Int, Some("1")), ("EventFilter", Text, Some(""))];

/// Properties of variable mappings, enumerators and package variables.
pub(super) const MAPPING: &[Row] = &[("ValueIndex", Int, None), ("Description", Text, Some(""))];

/// Attributes of data flow objects of all kinds, by their (camel-case) names.
pub(super) const PIPELINE: &[Row] = &[
    ("defaultBufferMaxRows", Int, Some("10000")),
    ("defaultBufferSize", Int, Some("10485760")),
    ("engineThreads", Int, Some("10")),
    ("autoAdjustBufferSize", Bool, Some("false")),
    ("runInOptimizedMode", Bool, Some("true")),
    ("BLOBTempStoragePath", Text, Some("")),
    ("bufferTempStoragePath", Text, Some("")),
    ("localeId", Int, Some("-1")),
    ("usesDispositions", Bool, Some("false")),
    ("validateExternalMetadata", Bool, Some("True")),
    ("version", Int, Some("0")),
    ("description", Text, Some("")),
    ("contactInfo", Text, Some("")),
    ("hasSideEffects", Bool, Some("false")),
    ("dangling", Bool, Some("false")),
    ("errorOrTruncationOperation", Text, Some("")),
    ("errorRowDisposition", Text, Some("NotUsed")),
    ("truncationRowDisposition", Text, Some("NotUsed")),
    ("exclusionGroup", Int, Some("0")),
    ("synchronousInputId", Text, Some("0")),
    ("deleteOutputOnPathDetached", Bool, Some("false")),
    ("isErrorOut", Bool, Some("false")),
    ("isSorted", Bool, Some("false")),
    ("isUsed", Bool, Some("False")),
    ("usageType", Text, Some("readOnly")),
    ("externalMetadataColumnId", Text, Some("0")),
    ("length", Int, Some("0")),
    ("precision", Int, Some("0")),
    ("scale", Int, Some("0")),
    ("codePage", Int, Some("0")),
    ("sortKeyPosition", Int, Some("0")),
    ("comparisonFlags", Int, Some("0")),
    ("specialFlags", Int, Some("0")),
    ("cachedLength", Int, Some("0")),
    ("cachedPrecision", Int, Some("0")),
    ("cachedScale", Int, Some("0")),
    ("cachedCodepage", Int, Some("0")),
    ("cachedSortKeyPosition", Int, Some("0")),
    ("isArray", Bool, Some("false")),
    ("containsID", Bool, Some("false")),
    ("state", Text, Some("default")),
    ("typeConverter", Text, Some("")),
    ("UITypeEditor", Text, Some("")),
    ("expressionType", Text, Some("None")),
];

/// Attributes of data flow objects that later formats do not have.
pub(super) const PIPELINE_RETIRED: &[&str] = &["id", "pipelineVersion", "mappedColumnId"];

/// The row of a property.
pub(super) fn find(rows: &'static [Row], name: &str) -> Option<&'static Row> {
    rows.iter().find(|(candidate, ..)| *candidate == name)
}

/// True if the text is a value of this type. Nothing counts as the default.
pub(super) fn accepts(kind: Kind, text: &str) -> bool {
    let text = text.trim();
    match kind {
        Text => true,
        Int => text.is_empty() || text.parse::<i64>().is_ok(),
        Bool => {
            let is_word = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
            text.is_empty() || is_word || text.parse::<i64>().is_ok()
        }
    }
}
