//! Every kind of this build, in the order of the documentation, and the names of everything that SSIS has in stock.
//!
//! Registration is these slices: no magic before `main`, a stable order, a place to jump to. [`STOCK`] names what
//! SSIS ships, built here or not, so that a package that asks for a part we lack is refused by that part's name.

use crate::destinations::{
    data_reader, database as database_destination, flat_file as flat_file_destination, recordset,
};
use crate::sources::{database, flat_file};
use crate::transforms::{
    aggregate, audit, balanced_data_distributor, cache_transform, cdc_splitter, character_map, conditional_split,
    copy_column, data_conversion, derived_column, export_column, import_column, lookup, merge, merge_join, multicast,
    oledb_command, pivot, row_count, sampling, slowly_changing_dimension, sort, terms, union_all, unpivot,
};
use dtsx_engine::control::{EnumeratorKind, LogProviderKind, TaskKind};
use dtsx_engine::diag::{Code, Diagnostic, codes};
use dtsx_engine::flow::{ComponentKind, ComponentSpec, Kinds};

/// Components without inputs.
pub const SOURCES: &[&dyn ComponentKind] = &[
    &flat_file::FlatFileSourceComponent,
    &database::OleDbSource,
    &database::AdoNetSource,
    &database::OdbcSource,
    &crate::sources::excel::ExcelSource,
    &crate::sources::raw_file::RawFileSource,
    &crate::sources::xml::XmlSource,
];

/// Components with inputs and outputs.
pub const TRANSFORMS: &[&dyn ComponentKind] = &[
    &derived_column::DerivedColumn,
    &data_conversion::DataConversion,
    &copy_column::CopyColumn,
    &character_map::CharacterMap,
    &row_count::RowCount,
    &conditional_split::ConditionalSplit,
    &multicast::Multicast,
    &oledb_command::OleDbCommand,
    &union_all::UnionAll,
    &aggregate::Aggregate,
    &merge::Merge,
    &merge_join::MergeJoin,
    &sort::Sort,
    &crate::transforms::fuzzy_lookup::FuzzyLookup,
    &crate::transforms::fuzzy_grouping::FuzzyGrouping,
    &import_column::ImportColumn,
    &export_column::ExportColumn,
    &pivot::Pivot,
    &unpivot::Unpivot,
    &audit::Audit,
    &sampling::PercentageSampling,
    &sampling::RowSampling,
    &balanced_data_distributor::BalancedDataDistributor,
    &cdc_splitter::CdcSplitter,
    &slowly_changing_dimension::SlowlyChangingDimension,
    &lookup::Lookup,
    &cache_transform::CacheTransform,
    &terms::TermExtraction,
    &terms::TermLookup,
];

/// Components without outputs, other than error outputs.
pub const DESTINATIONS: &[&dyn ComponentKind] = &[
    &database_destination::OleDbDestination,
    &database_destination::AdoNetDestination,
    &database_destination::OdbcDestination,
    &database_destination::SqlServerDestination,
    &data_reader::DataReaderDestination,
    &flat_file_destination::FlatFileDestinationComponent,
    &crate::destinations::excel::ExcelDestination,
    &crate::destinations::raw_file::RawFileDestination,
    &recordset::RecordsetDestination,
];

/// Tasks. Containers and the Data Flow Task are the engine's own.
pub const TASKS: &[&dyn TaskKind] = crate::tasks::ALL;

/// Foreach enumerators.
pub const ENUMERATORS: &[&dyn EnumeratorKind] = crate::enumerators::ALL;

/// Connection managers, by canonical name. `ADO.NET` stands for every `ADO.NET:…`.
pub const CONNECTIONS: &[&str] =
    &["FLATFILE", "MULTIFLATFILE", "FILE", "MULTIFILE", "EXCEL", "OLEDB", "ADO.NET", "ADO", "ODBC", "CACHE"];

/// Log providers.
pub const LOG_PROVIDERS: &[&dyn LogProviderKind] = crate::log_providers::ALL;

/// What the engine itself runs: containers and the task that holds data flows.
const OF_THE_ENGINE: &[&str] =
    &["Microsoft.Package", "Microsoft.Pipeline", "STOCK:SEQUENCE", "STOCK:FORLOOP", "STOCK:FOREACHLOOP"];

/// The families of the parts of a package.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Family {
    Source,
    Transform,
    Destination,
    Container,
    Task,
    Enumerator,
    Connection,
    LogProvider,
}

/// A part that SSIS ships.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stock {
    /// What it is.
    pub family: Family,
    /// Its canonical name: the one that format 8 writes.
    pub kind: &'static str,
    /// Its name in the designer.
    pub title: &'static str,
}

impl Stock {
    /// Whether this build has it.
    pub fn supported(&self) -> bool {
        let listed = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(self.kind));
        match self.family {
            Family::Source | Family::Transform | Family::Destination => find_component(self.kind).is_some(),
            Family::Container => listed(OF_THE_ENGINE),
            Family::Task => listed(OF_THE_ENGINE) || TASKS.iter().any(|k| k.kind().eq_ignore_ascii_case(self.kind)),
            Family::Enumerator => ENUMERATORS.iter().any(|k| k.kind().eq_ignore_ascii_case(self.kind)),
            Family::Connection => listed(CONNECTIONS),
            Family::LogProvider => LOG_PROVIDERS.iter().any(|k| k.kind().eq_ignore_ascii_case(self.kind)),
        }
    }
}

/// Every component kind of this build: sources, transforms, destinations.
pub fn components() -> impl Iterator<Item = &'static dyn ComponentKind> {
    SOURCES.iter().chain(TRANSFORMS).chain(DESTINATIONS).copied()
}

/// The component kind of that canonical name; letter case does not matter.
pub fn find_component(kind: &str) -> Option<&'static dyn ComponentKind> {
    components().find(|k| k.kind().eq_ignore_ascii_case(kind))
}

/// The part of that canonical name that SSIS ships, whatever its family.
pub fn find_stock(kind: &str) -> Option<&'static Stock> {
    STOCK.iter().find(|s| s.kind.eq_ignore_ascii_case(kind))
}

/// The designer's name of a part that SSIS ships: `Microsoft.DerivedColumn` → `Derived Column`.
pub fn stock_title(kind: &str) -> Option<&'static str> {
    find_stock(kind).map(|s| s.title)
}

/// This catalog, as the engine looks kinds up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Catalog;

impl Kinds for Catalog {
    fn component(&self, kind: &str) -> Option<&'static dyn ComponentKind> {
        find_component(kind)
    }

    fn unknown_component(&self, spec: &ComponentSpec) -> Diagnostic {
        unsupported_component(spec)
    }
}

/// What to say of a component that no kind of this build stands for: stock that is not built is *unsupported*, anything
/// else is DTS_E_ERRORCOMPONENT, "not registered".
pub fn unsupported_component(spec: &ComponentSpec) -> Diagnostic {
    unsupported(&spec.path, &spec.kind, codes::DTS_E_ERRORCOMPONENT).with_span(spec.span)
}

/// The same for any part: a task with DTS_E_TASKISEMPTY, a connection manager with DTS_E_UNKNOWNCONNECTIONMANAGERTYPE, …
/// as `code` where SSIS does not know the name.
pub fn unsupported(path: &str, kind: &str, code: Code) -> Diagnostic {
    match find_stock(kind) {
        Some(stock) => {
            Diagnostic::unsupported(path, format!("{} ({}) is not supported by this build", stock.title, stock.kind))
        }
        None => Diagnostic::error(code, path, format!("\"{kind}\" is not registered")),
    }
}

const fn stock(family: Family, kind: &'static str, title: &'static str) -> Stock {
    Stock { family, kind, title }
}

/// Everything that SSIS has in stock, feature packs that Microsoft ships beside it included.
pub const STOCK: &[Stock] = {
    use Family::*;
    &[
        stock(Source, "Microsoft.FlatFileSource", "Flat File Source"),
        stock(Source, "Microsoft.OLEDBSource", "OLE DB Source"),
        stock(Source, "Microsoft.DataReaderSourceAdapter", "ADO NET Source"),
        stock(Source, "Microsoft.SSISODBCSrc", "ODBC Source"),
        stock(Source, "Microsoft.ExcelSource", "Excel Source"),
        stock(Source, "Microsoft.RawSource", "Raw File Source"),
        stock(Source, "Microsoft.XmlSourceAdapter", "XML Source"),
        stock(Source, "Microsoft.OData", "OData Source"),
        stock(Source, "Microsoft.SSISOracleSrc", "Oracle Source"),
        stock(Source, "Attunity.CdcSourceComponent", "CDC Source"),
        stock(Source, "AzBlobSrc", "Azure Blob Source"),
        stock(Source, "AdlsSource", "Azure Data Lake Store Source"),
        stock(Source, "HdfsSource", "HDFS File Source"),
        stock(Transform, "Microsoft.DerivedColumn", "Derived Column"),
        stock(Transform, "Microsoft.DataConvert", "Data Conversion"),
        stock(Transform, "Microsoft.CopyMap", "Copy Column"),
        stock(Transform, "Microsoft.CharacterMap", "Character Map"),
        stock(Transform, "Microsoft.Lineage", "Audit"),
        stock(Transform, "Microsoft.RowCount", "Row Count"),
        stock(Transform, "Microsoft.ConditionalSplit", "Conditional Split"),
        stock(Transform, "Microsoft.Multicast", "Multicast"),
        stock(Transform, "Microsoft.BDD", "Balanced Data Distributor"),
        stock(Transform, "Microsoft.UnionAll", "Union All"),
        stock(Transform, "Microsoft.Merge", "Merge"),
        stock(Transform, "Microsoft.MergeJoin", "Merge Join"),
        stock(Transform, "Microsoft.Lookup", "Lookup"),
        stock(Transform, "Microsoft.Cache", "Cache Transform"),
        stock(Transform, "Microsoft.Sort", "Sort"),
        stock(Transform, "Microsoft.Aggregate", "Aggregate"),
        stock(Transform, "Microsoft.Pivot", "Pivot"),
        stock(Transform, "Microsoft.UnPivot", "Unpivot"),
        stock(Transform, "Microsoft.PctSampling", "Percentage Sampling"),
        stock(Transform, "Microsoft.RowSampling", "Row Sampling"),
        stock(Transform, "Microsoft.Inserter", "Import Column"),
        stock(Transform, "Microsoft.Extractor", "Export Column"),
        stock(Transform, "Microsoft.OLEDBCommand", "OLE DB Command"),
        stock(Transform, "Microsoft.SCD", "Slowly Changing Dimension"),
        stock(Transform, "Microsoft.ScriptComponentHost", "Script Component"),
        stock(Transform, "Microsoft.FuzzyLookup", "Fuzzy Lookup"),
        stock(Transform, "Microsoft.FuzzyGrouping", "Fuzzy Grouping"),
        stock(Transform, "Microsoft.TermExtraction", "Term Extraction"),
        stock(Transform, "Microsoft.TermLookup", "Term Lookup"),
        stock(Transform, "Microsoft.DataCorrectionComponent", "DQS Cleansing"),
        stock(Transform, "Microsoft.PXPipelineDMQuery", "Data Mining Query"),
        stock(Transform, "Attunity.CdcSplitterComponent", "CDC Splitter"),
        stock(Transform, "Microsoft.ManagedComponentHost", "Managed component host"),
        stock(Destination, "Microsoft.FlatFileDestination", "Flat File Destination"),
        stock(Destination, "Microsoft.OLEDBDestination", "OLE DB Destination"),
        stock(Destination, "Microsoft.ADONETDestination", "ADO NET Destination"),
        stock(Destination, "Microsoft.SSISODBCDst", "ODBC Destination"),
        stock(Destination, "Microsoft.SQLServerDestination", "SQL Server Destination"),
        stock(Destination, "Microsoft.ExcelDestination", "Excel Destination"),
        stock(Destination, "Microsoft.RawDestination", "Raw File Destination"),
        stock(Destination, "Microsoft.RecordsetDestination", "Recordset Destination"),
        stock(Destination, "Microsoft.DataReaderDestinationAdapter", "DataReader Destination"),
        stock(Destination, "Microsoft.DataStreamingDestinationAdapter", "Data Streaming Destination"),
        stock(Destination, "Microsoft.SSISOracleDst", "Oracle Destination"),
        stock(Destination, "Microsoft.DMProcessingDestination", "Data Mining Model Training"),
        stock(Destination, "Microsoft.DimensionProcessingDestination", "Dimension Processing"),
        stock(Destination, "Microsoft.PartitionProcessingDestination", "Partition Processing"),
        stock(Destination, "AzBlobDest", "Azure Blob Destination"),
        stock(Destination, "AdlsDest", "Azure Data Lake Store Destination"),
        stock(Destination, "HdfsDest", "HDFS File Destination"),
        stock(Container, "Microsoft.Package", "Package"),
        stock(Container, "STOCK:SEQUENCE", "Sequence Container"),
        stock(Container, "STOCK:FORLOOP", "For Loop Container"),
        stock(Container, "STOCK:FOREACHLOOP", "Foreach Loop Container"),
        stock(Task, "Microsoft.Pipeline", "Data Flow Task"),
        stock(Task, "Microsoft.ExecutePackageTask", "Execute Package Task"),
        stock(Task, "Microsoft.ExecuteSQLTask", "Execute SQL Task"),
        stock(Task, "Microsoft.ExecuteProcess", "Execute Process Task"),
        stock(Task, "Microsoft.ExpressionTask", "Expression Task"),
        stock(Task, "Microsoft.FileSystemTask", "File System Task"),
        stock(Task, "Microsoft.ScriptTask", "Script Task"),
        stock(Task, "Microsoft.SendMailTask", "Send Mail Task"),
        stock(Task, "Microsoft.FtpTask", "FTP Task"),
        stock(Task, "Microsoft.XMLTask", "XML Task"),
        stock(Task, "Microsoft.BulkInsertTask", "Bulk Insert Task"),
        stock(Task, "Microsoft.WebServiceTask", "Web Service Task"),
        stock(Task, "Microsoft.WmiDataReaderTask", "WMI Data Reader Task"),
        stock(Task, "Microsoft.WmiEventWatcherTask", "WMI Event Watcher Task"),
        stock(Task, "Microsoft.MessageQueueTask", "Message Queue Task"),
        stock(Task, "Microsoft.DataProfilingTask", "Data Profiling Task"),
        stock(Task, "Attunity.CdcControlTask", "CDC Control Task"),
        stock(Task, "Microsoft.ASExecuteDDLTask", "Analysis Services Execute DDL Task"),
        stock(Task, "Microsoft.DTSProcessingTask", "Analysis Services Processing Task"),
        stock(Task, "Microsoft.DMQueryTask", "Data Mining Query Task"),
        stock(Task, "Microsoft.TransferDatabaseTask", "Transfer Database Task"),
        stock(Task, "Microsoft.TransferErrorMessagesTask", "Transfer Error Messages Task"),
        stock(Task, "Microsoft.TransferJobsTask", "Transfer Jobs Task"),
        stock(Task, "Microsoft.TransferLoginsTask", "Transfer Logins Task"),
        stock(Task, "Microsoft.TransferStoredProceduresTask", "Transfer Master Stored Procedures Task"),
        stock(Task, "Microsoft.TransferSqlServerObjectsTask", "Transfer SQL Server Objects Task"),
        stock(Task, "Microsoft.DbMaintenanceBackupTask", "Back Up Database Task"),
        stock(Task, "Microsoft.DbMaintenanceCheckIntegrityTask", "Check Database Integrity Task"),
        stock(Task, "Microsoft.DbMaintenanceExecuteAgentJobTask", "Execute SQL Server Agent Job Task"),
        stock(Task, "Microsoft.DbMaintenanceTSQLExecuteTask", "Execute T-SQL Statement Task"),
        stock(Task, "Microsoft.DbMaintenanceHistoryCleanupTask", "History Cleanup Task"),
        stock(Task, "Microsoft.DbMaintenanceFileCleanupTask", "Maintenance Cleanup Task"),
        stock(Task, "Microsoft.DbMaintenanceNotifyOperatorTask", "Notify Operator Task"),
        stock(Task, "Microsoft.DbMaintenanceReindexTask", "Rebuild Index Task"),
        stock(Task, "Microsoft.DbMaintenanceDefragmentIndexTask", "Reorganize Index Task"),
        stock(Task, "Microsoft.DbMaintenanceShrinkTask", "Shrink Database Task"),
        stock(Task, "Microsoft.DbMaintenanceUpdateStatisticsTask", "Update Statistics Task"),
        stock(Task, "Microsoft.ActiveXScriptTask", "ActiveX Script Task"),
        stock(Task, "Microsoft.Exec80PackageTask", "Execute DTS 2000 Package Task"),
        stock(Task, "SSIS.ReplacementTask", "placeholder of a task that SSIS no longer has"),
        stock(Enumerator, "Microsoft.ForEachFileEnumerator", "Foreach File Enumerator"),
        stock(Enumerator, "Microsoft.ForEachItemEnumerator", "Foreach Item Enumerator"),
        stock(Enumerator, "Microsoft.ForEachADOEnumerator", "Foreach ADO Enumerator"),
        stock(Enumerator, "Microsoft.ForEachSchemaRowsetEnumerator", "Foreach ADO.NET Schema Rowset Enumerator"),
        stock(Enumerator, "Microsoft.ForEachFromVarEnumerator", "Foreach From Variable Enumerator"),
        stock(Enumerator, "Microsoft.ForEachNodeListEnumerator", "Foreach NodeList Enumerator"),
        stock(Enumerator, "Microsoft.ForEachSMOEnumerator", "Foreach SMO Enumerator"),
        stock(Connection, "FLATFILE", "Flat File connection manager"),
        stock(Connection, "MULTIFLATFILE", "Multiple Flat Files connection manager"),
        stock(Connection, "FILE", "File connection manager"),
        stock(Connection, "MULTIFILE", "Multiple Files connection manager"),
        stock(Connection, "OLEDB", "OLE DB connection manager"),
        stock(Connection, "ODBC", "ODBC connection manager"),
        stock(Connection, "ADO.NET", "ADO.NET connection manager"),
        stock(Connection, "ADO", "ADO connection manager"),
        stock(Connection, "EXCEL", "Excel connection manager"),
        stock(Connection, "CACHE", "Cache connection manager"),
        stock(Connection, "SMTP", "SMTP connection manager"),
        stock(Connection, "FTP", "FTP connection manager"),
        stock(Connection, "HTTP", "HTTP connection manager"),
        stock(Connection, "MSMQ", "MSMQ connection manager"),
        stock(Connection, "WMI", "WMI connection manager"),
        stock(Connection, "SMOServer", "SMO connection manager"),
        stock(Connection, "MSOLAP100", "Analysis Services connection manager"),
        stock(Connection, "SQLMOBILE", "SQL Server Compact Edition connection manager"),
        stock(Connection, "DQS", "DQS connection manager"),
        stock(Connection, "ORACLE", "Oracle connection manager"),
        stock(Connection, "ODATA", "OData connection manager"),
        stock(Connection, "AzureStorage", "Azure Storage connection manager"),
        stock(LogProvider, "Microsoft.LogProviderTextFile", "SSIS log provider for Text files"),
        stock(LogProvider, "Microsoft.LogProviderXMLFile", "SSIS log provider for XML files"),
        stock(LogProvider, "Microsoft.LogProviderSQLServer", "SSIS log provider for SQL Server"),
        stock(LogProvider, "Microsoft.LogProviderEventLog", "SSIS log provider for Windows Event Log"),
        stock(LogProvider, "Microsoft.LogProviderSQLProfiler", "SSIS log provider for SQL Server Profiler"),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_titled() {
        let mut seen = HashSet::new();
        for stock in STOCK {
            assert!(seen.insert(stock.kind.to_ascii_lowercase()), "{} twice", stock.kind);
            assert!(!stock.title.is_empty(), "{}", stock.kind);
        }
    }

    #[test]
    fn every_kind_is_unique_and_documented() {
        let mut seen = HashSet::new();
        let families =
            [(SOURCES, Family::Source), (TRANSFORMS, Family::Transform), (DESTINATIONS, Family::Destination)];
        for (kinds, family) in families {
            for kind in kinds {
                assert!(seen.insert(kind.kind().to_ascii_lowercase()), "{} twice", kind.kind());
                let stock = find_stock(kind.kind()).unwrap_or_else(|| panic!("{} is not in STOCK", kind.kind()));
                assert_eq!((stock.family, stock.title), (family, kind.title()), "{}", kind.kind());
                assert!(stock.supported());
                let mut properties = HashSet::new();
                for property in kind.properties() {
                    assert!(properties.insert(property.name.to_ascii_lowercase()), "{}.{}", kind.kind(), property.name);
                    assert!(property.doc.ends_with('.'), "{}.{}: one sentence", kind.kind(), property.name);
                }
            }
        }
    }

    #[test]
    fn everything_registered_is_stock() {
        for name in [CONNECTIONS, OF_THE_ENGINE].concat() {
            assert!(find_stock(name).is_some_and(Stock::supported), "{name}");
        }
    }

    #[test]
    fn tasks_and_enumerators_are_stock_under_their_titles() {
        let tasks = TASKS.iter().map(|k| (k.kind(), k.title(), k.properties()));
        let enumerators = ENUMERATORS.iter().map(|k| (k.kind(), k.title(), k.properties()));
        for (kind, title, properties) in tasks.chain(enumerators) {
            let stock = find_stock(kind).unwrap_or_else(|| panic!("{kind} is not in STOCK"));
            assert_eq!(stock.title, title);
            assert!(stock.supported());
            assert!(properties.iter().all(|p| p.doc.ends_with('.')), "{kind}: one sentence");
        }
    }

    #[test]
    fn what_is_not_built_is_refused_by_name() {
        let refusal = |kind: &str| {
            let spec = ComponentSpec { kind: kind.into(), path: r"\Package\DFT\C".into(), ..Default::default() };
            unsupported_component(&spec)
        };
        let stock = refusal("microsoft.fuzzylookup");
        assert_eq!(stock.message, "Fuzzy Lookup (Microsoft.FuzzyLookup) is not supported by this build");
        assert!(stock.unsupported && stock.is_error());
        let alien = refusal("Contoso.Widget");
        assert_eq!(alien.code, Some(codes::DTS_E_ERRORCOMPONENT));
        assert_eq!(alien.message, "\"Contoso.Widget\" is not registered");
        assert!(!alien.unsupported);
    }
}
