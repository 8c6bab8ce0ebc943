//! Identifiers of executables, components, enumerators and log providers, across the versions.
//!
//! Every table maps what files of formats 2 to 8 write (short names, ProgIDs with version suffixes, CLSIDs, .NET class names
//! with assembly and version) to one canonical name, which is the short name of format 8. Names for people, which are
//! translated, never count.

/// A package.
pub const PACKAGE: &str = "Microsoft.Package";
/// The Data Flow task.
pub const PIPELINE: &str = "Microsoft.Pipeline";
/// The Sequence container.
pub const SEQUENCE: &str = "STOCK:SEQUENCE";
/// The For Loop container.
pub const FOR_LOOP: &str = "STOCK:FORLOOP";
/// The Foreach Loop container.
pub const FOR_EACH_LOOP: &str = "STOCK:FOREACHLOOP";
/// The component that hosts managed components; [`USER_COMPONENT_TYPE_NAME`] says which.
pub const MANAGED_HOST: &str = "Microsoft.ManagedComponentHost";
/// The custom property of the host that names the managed component.
pub const USER_COMPONENT_TYPE_NAME: &str = "UserComponentTypeName";

struct Row {
    kind: &'static str,
    /// ProgID without version suffix; empty if there is none.
    prog_id: &'static str,
    /// .NET class without assembly; empty if there is none.
    class: &'static str,
    /// Other spellings and CLSIDs.
    aliases: &'static [&'static str],
}

const fn row(kind: &'static str, prog_id: &'static str, class: &'static str, aliases: &'static [&'static str]) -> Row {
    Row { kind, prog_id, class, aliases }
}

// Transfer, maintenance and retired tasks are named by analogy (unconfirmed): only some of them were seen in format 8.
const EXECUTABLES: &[Row] = &[
    row(PACKAGE, "SSIS.Package", "", &["MSDTS.Package", "MSDTS.Package.1"]),
    row(
        PIPELINE,
        "SSIS.Pipeline",
        "",
        &[
            "DTS.Pipeline",
            "DTS.Pipeline.1",
            "{5918251B-2970-45A4-AB5F-01C3C588FE5A}",
            "{E3CFBEA8-1F48-40D8-91E1-2DEDC1EDDD56}",
        ],
    ),
    row(SEQUENCE, "", "", &[]),
    row(FOR_LOOP, "", "", &[]),
    row(FOR_EACH_LOOP, "", "", &[]),
    row(
        "Microsoft.ExecutePackageTask",
        "SSIS.ExecutePackageTask",
        "",
        &["DTS.ExecutePackageTask", "DTS.ExecutePackageTask.1"],
    ),
    row("SSIS.ReplacementTask", "", "", &[]),
    row("Microsoft.ExecuteSQLTask", "", "Microsoft.SqlServer.Dts.Tasks.ExecuteSQLTask.ExecuteSQLTask", &[]),
    row("Microsoft.ScriptTask", "", "Microsoft.SqlServer.Dts.Tasks.ScriptTask.ScriptTask", &[]),
    row("Microsoft.ExecuteProcess", "", "Microsoft.SqlServer.Dts.Tasks.ExecuteProcess.ExecuteProcess", &[]),
    row("Microsoft.FileSystemTask", "", "Microsoft.SqlServer.Dts.Tasks.FileSystemTask.FileSystemTask", &[]),
    row("Microsoft.FtpTask", "", "Microsoft.SqlServer.Dts.Tasks.FtpTask.FtpTask", &[]),
    row("Microsoft.SendMailTask", "", "Microsoft.SqlServer.Dts.Tasks.SendMailTask.SendMailTask", &[]),
    row("Microsoft.ExpressionTask", "", "Microsoft.SqlServer.Dts.Tasks.ExpressionTask.ExpressionTask", &[]),
    row("Microsoft.BulkInsertTask", "", "Microsoft.SqlServer.Dts.Tasks.BulkInsertTask.BulkInsertTask", &[]),
    row("Microsoft.XMLTask", "", "Microsoft.SqlServer.Dts.Tasks.XMLTask.XMLTask", &[]),
    row("Microsoft.WebServiceTask", "", "Microsoft.SqlServer.Dts.Tasks.WebServiceTask.WebServiceTask", &[]),
    row("Microsoft.WmiDataReaderTask", "", "Microsoft.SqlServer.Dts.Tasks.WmiDataReaderTask.WmiDataReaderTask", &[]),
    row(
        "Microsoft.WmiEventWatcherTask",
        "",
        "Microsoft.SqlServer.Dts.Tasks.WmiEventWatcherTask.WmiEventWatcherTask",
        &[],
    ),
    row("Microsoft.MessageQueueTask", "", "Microsoft.SqlServer.Dts.Tasks.MessageQueueTask.MessageQueueTask", &[]),
    row("Microsoft.DataProfilingTask", "", "Microsoft.SqlServer.Dts.Tasks.DataProfilingTask.DataProfilingTask", &[]),
    row(
        "Microsoft.TransferDatabaseTask",
        "",
        "Microsoft.SqlServer.Dts.Tasks.TransferDatabaseTask.TransferDatabaseTask",
        &[],
    ),
    row("Microsoft.TransferJobsTask", "", "Microsoft.SqlServer.Dts.Tasks.TransferJobsTask.TransferJobsTask", &[]),
    row("Microsoft.TransferLoginsTask", "", "Microsoft.SqlServer.Dts.Tasks.TransferLoginsTask.TransferLoginsTask", &[]),
    row(
        "Microsoft.TransferErrorMessagesTask",
        "",
        "Microsoft.SqlServer.Dts.Tasks.TransferErrorMessagesTask.TransferErrorMessagesTask",
        &[],
    ),
    row(
        "Microsoft.TransferStoredProceduresTask",
        "",
        "Microsoft.SqlServer.Dts.Tasks.TransferStoredProceduresTask.TransferStoredProceduresTask",
        &[],
    ),
    row(
        "Microsoft.TransferSqlServerObjectsTask",
        "",
        "Microsoft.SqlServer.Dts.Tasks.TransferSqlServerObjectsTask.TransferSqlServerObjectsTask",
        &[],
    ),
    row("Microsoft.ActiveXScriptTask", "", "Microsoft.SqlServer.Dts.Tasks.ActiveXScriptTask.ActiveXScriptTask", &[]),
    row("Microsoft.Exec80PackageTask", "", "Microsoft.SqlServer.Dts.Tasks.Exec80PackageTask.Exec80PackageTask", &[]),
    row("Microsoft.DMQueryTask", "", "Microsoft.SqlServer.Dts.Tasks.DMQueryTask.DMQueryTask", &[]),
    row(
        "Microsoft.ASExecuteDDLTask",
        "",
        "Microsoft.DataTransformationServices.Tasks.DTSProcessingTask.ASExecuteDDLTask",
        &[],
    ),
    row(
        "Microsoft.DTSProcessingTask",
        "",
        "Microsoft.DataTransformationServices.Tasks.DTSProcessingTask.DTSProcessingTask",
        &[],
    ),
    row(
        "Microsoft.DbMaintenanceTSQLExecuteTask",
        "",
        "Microsoft.SqlServer.Management.DatabaseMaintenance.DbMaintenanceTSQLExecuteTask",
        &[],
    ),
    row(
        "Microsoft.DbMaintenanceBackupTask",
        "",
        "Microsoft.SqlServer.Management.DatabaseMaintenance.DbMaintenanceBackupTask",
        &[],
    ),
    row(
        "Microsoft.DbMaintenanceCheckIntegrityTask",
        "",
        "Microsoft.SqlServer.Management.DatabaseMaintenance.DbMaintenanceCheckIntegrityTask",
        &[],
    ),
    row(
        "Microsoft.DbMaintenanceDefragmentIndexTask",
        "",
        "Microsoft.SqlServer.Management.DatabaseMaintenance.DbMaintenanceDefragmentIndexTask",
        &[],
    ),
    row(
        "Microsoft.DbMaintenanceReindexTask",
        "",
        "Microsoft.SqlServer.Management.DatabaseMaintenance.DbMaintenanceReindexTask",
        &[],
    ),
    row(
        "Microsoft.DbMaintenanceShrinkTask",
        "",
        "Microsoft.SqlServer.Management.DatabaseMaintenance.DbMaintenanceShrinkTask",
        &[],
    ),
    row(
        "Microsoft.DbMaintenanceUpdateStatisticsTask",
        "",
        "Microsoft.SqlServer.Management.DatabaseMaintenance.DbMaintenanceUpdateStatisticsTask",
        &[],
    ),
    row(
        "Microsoft.DbMaintenanceHistoryCleanupTask",
        "",
        "Microsoft.SqlServer.Management.DatabaseMaintenance.DbMaintenanceHistoryCleanupTask",
        &[],
    ),
    row(
        "Microsoft.DbMaintenanceFileCleanupTask",
        "",
        "Microsoft.SqlServer.Management.DatabaseMaintenance.DbMaintenanceFileCleanupTask",
        &[],
    ),
    row(
        "Microsoft.DbMaintenanceExecuteAgentJobTask",
        "",
        "Microsoft.SqlServer.Management.DatabaseMaintenance.DbMaintenanceExecuteAgentJobTask",
        &[],
    ),
    row(
        "Microsoft.DbMaintenanceNotifyOperatorTask",
        "",
        "Microsoft.SqlServer.Management.DatabaseMaintenance.DbMaintenanceNotifyOperatorTask",
        &[],
    ),
    row("Attunity.CdcControlTask", "", "Attunity.SqlServer.CDCControlTask.CdcControlTask", &[]),
];

// The names of the three processing destinations of Analysis Services are unconfirmed.
const COMPONENTS: &[Row] = &[
    row(
        "Microsoft.OLEDBSource",
        "DTSAdapter.OLEDBSource",
        "",
        &[
            "{2C0A8BE5-1EDC-4353-A0EF-B778599C65A0}",
            "{BCEFE59B-6819-47F7-A125-63753B33ABB7}",
            "{165A526D-D5DE-47FF-96A6-F8274C19826B}",
            "{C8D886B3-1825-4FCC-94DE-C3F108986E21}",
        ],
    ),
    row(
        "Microsoft.OLEDBDestination",
        "DTSAdapter.OLEDBDestination",
        "",
        &[
            "{E2568105-9550-4F71-A638-B7FE42E66922}",
            "{5A0B62E8-D91D-49F5-94A5-7BE58DE508F0}",
            "{4ADA7EAA-136C-4215-8098-D7A7C27FC0D1}",
        ],
    ),
    row(
        "Microsoft.FlatFileSource",
        "DTSAdapter.FlatFileSource",
        "",
        &[
            "{90C7770B-DE7C-435E-880E-E718C92C0573}",
            "{5ACD952A-F16A-41D8-A681-713640837664}",
            "{D23FD76B-F51D-420F-BBCB-19CBF6AC1AB4}",
            "{C4D48377-EFD6-4C95-9A0B-049219453431}",
        ],
    ),
    row(
        "Microsoft.FlatFileDestination",
        "DTSAdapter.FlatFileDestination",
        "",
        &[
            "{A1DF9F6D-8EE4-4EF0-BB2E-D526130D7A7B}",
            "{D658C424-8CF0-441C-B3C4-955E183B7FBA}",
            "{8DA75FED-1B7C-407D-B2AD-2B24209CCCA4}",
            "{FD4FFB90-EECF-4B5A-A3A7-DE2E1FA8052C}",
        ],
    ),
    row(
        "Microsoft.ExcelSource",
        "DTSAdapter.ExcelSource",
        "",
        &[
            "{B551FCA8-23BD-4719-896F-D8F352A5283C}",
            "{A4B1E1C8-17F3-46C8-AAD0-34F0C6FE42DE}",
            "{8C084929-27D1-479F-9641-ABB7CDADF1AC}",
            "{9F5C585F-2F02-4622-B273-F75D52419D4A}",
        ],
    ),
    row(
        "Microsoft.ExcelDestination",
        "DTSAdapter.ExcelDestination",
        "",
        &[
            "{C9269E28-EBDE-4DED-91EB-0BF42842F9F4}",
            "{1F5D5712-2FBA-4CB9-A95A-86C1F336E1DA}",
            "{90E2E609-1207-4CB0-A8CE-CC7B8CFE2510}",
        ],
    ),
    row(
        "Microsoft.RawSource",
        "DTSAdapter.RawSource",
        "",
        &[
            "{E2568105-9550-4F71-A638-B7FE42E66930}",
            "{51DC0B24-7421-45C3-B4AB-9481A683D91D}",
            "{480C7D5A-CE63-405C-B338-3C7F26560EE3}",
        ],
    ),
    row(
        "Microsoft.RawDestination",
        "DTSAdapter.RawDestination",
        "",
        &[
            "{E2568105-9550-4F71-A638-B7FE42E66933}",
            "{485E7329-8754-42B4-AA5B-29C5DA09CAD5}",
            "{04762BB6-892F-4EE6-AD46-9CEB0A7EC7A2}",
        ],
    ),
    row(
        "Microsoft.RecordsetDestination",
        "DTSAdapter.RecordsetDestination",
        "",
        &[
            "{FFF3C376-C5BF-45BC-A3A3-C8C9DEDD2CF5}",
            "{167AF7E9-BA81-425F-B73D-E30C2DCC0F09}",
            "{C457FD7E-CE98-4C4B-AEFE-F3AE0044F181}",
        ],
    ),
    row(
        "Microsoft.SQLServerDestination",
        "DTSAdapter.SQLServerDestination",
        "",
        &[
            "{5244B484-7C76-4026-9A01-00928EA81550}",
            "{E4B61516-847B-4BDF-9CC6-1968A2D43E73}",
            "{F452EAF3-5EF0-43F1-8067-09DDF0BC6316}",
        ],
    ),
    row(
        "Microsoft.DerivedColumn",
        "DTSTransform.DerivedColumn",
        "",
        &[
            "{9CF90BF0-5BCC-4C63-B91D-1F322DC12C26}",
            "{2932025B-AB99-40F6-B5B8-783A73F80E24}",
            "{49928E82-9C4E-49F0-AABE-3812B82707EC}",
            "{18E9A11B-7393-47C5-9D47-687BE04A6B09}",
        ],
    ),
    row(
        "Microsoft.ConditionalSplit",
        "DTSTransform.ConditionalSplit",
        "",
        &[
            "{53A228EE-EBFA-48D6-A1AC-5269E5824A2C}",
            "{3AE878C6-0D6C-4F48-8128-40E00E9C1B7D}",
            "{7F88F654-4E20-4D14-84F4-AF9C925D3087}",
        ],
    ),
    row(
        "Microsoft.DataConvert",
        "DTSTransform.DataConvert",
        "",
        &[
            "{C3BF62C8-7C5C-4F85-83C3-E0B6F6BE267C}",
            "{BD06A22E-BC69-4AF7-A69B-C44C2EF684BB}",
            "{62B1106C-7DB8-4EC8-ADD6-4C664DFFC54A}",
        ],
    ),
    row(
        "Microsoft.Lookup",
        "DTSTransform.Lookup",
        "",
        &[
            "{0FB4AABB-C027-4440-809A-1198049BF117}",
            "{27648839-180F-45E6-838D-AFF53DF682D2}",
            "{671046B0-AA63-4C9F-90E4-C06E0B710CE3}",
            "{9345248B-9709-4C04-90C1-0853F8B68EE8}",
        ],
    ),
    row(
        "Microsoft.Multicast",
        "DTSTransform.Multicast",
        "",
        &[
            "{F1CEE4CE-066D-4FBE-9DC4-4C697A617264}",
            "{1ACA4459-ACE0-496F-814A-8611F9C27E23}",
            "{EC139FBC-694E-490B-8EA7-35690FB0F445}",
        ],
    ),
    row(
        "Microsoft.UnionAll",
        "DTSTransform.UnionAll",
        "",
        &[
            "{C5E47A29-265C-4F93-82CA-D8462EE23278}",
            "{4D9F9B7C-84D9-4335-ADB0-2542A7E35422}",
            "{B594E9A8-4351-4939-891C-CFE1AB93E925}",
        ],
    ),
    row("Microsoft.Merge", "DTSTransform.Merge", "", &["{08AE886A-4124-499C-B332-16E3299D225A}"]),
    row(
        "Microsoft.MergeJoin",
        "DTSTransform.MergeJoin",
        "",
        &[
            "{0D598A60-0A32-4B1B-A72C-5030B64E3A20}",
            "{A18A4D58-7C7A-4448-8B98-AE2CEFE81B4C}",
            "{14D43A4F-D7BD-489D-829E-6DE35750CFE4}",
        ],
    ),
    row(
        "Microsoft.Sort",
        "DTSTransform.Sort",
        "",
        &[
            "{F1CEE4CE-066D-4FBE-9DC4-CD97202F3450}",
            "{07127A7C-164B-422A-AD1F-24BE39B4DB38}",
            "{5B1A3FF5-D366-4D75-AD1F-F19A36FCBEDB}",
        ],
    ),
    row(
        "Microsoft.Aggregate",
        "DTSTransform.Aggregate",
        "",
        &[
            "{F40CF2A6-384A-4C57-B99C-ADAF31E51EBC}",
            "{9ABE8DF3-0052-42DB-8B18-2089E1D1D1B7}",
            "{5B201335-B360-485C-BB93-75C34E09B3D3}",
        ],
    ),
    row(
        "Microsoft.RowCount",
        "DTSTransform.RowCount",
        "",
        &[
            "{DE50D3C7-41AF-4804-9247-CF1DEB147971}",
            "{150E6007-7C6A-4CC3-8FF3-FC73783A972E}",
            "{E2697D8C-70DA-42B2-8208-A19CE3A9FE41}",
        ],
    ),
    row(
        "Microsoft.OLEDBCommand",
        "DTSTransform.OLEDBCommand",
        "",
        &[
            "{C60ACAD1-9BE8-46B3-87DA-70E59EADEA46}",
            "{8E61C8F6-C91D-43B6-97EB-3423C06571CC}",
            "{93FFEC66-CBC8-4C7F-9C6A-CB1C17A7567D}",
        ],
    ),
    row(
        "Microsoft.Lineage",
        "DTSTransform.Lineage",
        "",
        &[
            "{18C6AD8E-96E0-4C94-885B-B5FD43A8A101}",
            "{32711D35-7D9D-44E5-B57E-A17D33D5C38C}",
            "{4FCE8297-9C65-40A9-9D60-00C5CC6BC283}",
        ],
    ),
    row(
        "Microsoft.CharacterMap",
        "DTSTransform.CharacterMap",
        "",
        &[
            "{2D9FDEDD-085F-4294-ABBA-818E2CCD0733}",
            "{DEC33219-BA68-4FEB-AC98-9C1B1E577A8D}",
            "{C86C867A-7D40-486A-8734-F0B6943A9DD4}",
        ],
    ),
    row("Microsoft.CopyMap", "DTSTransform.CopyMap", "", &[]),
    row(
        "Microsoft.Inserter",
        "DTSTransform.Inserter",
        "",
        &[
            "{B0779BAF-39EA-44A1-B7EA-C2FAF97E0AB8}",
            "{C8AEEE54-67A0-41A8-821D-D1C8BED62C68}",
            "{9053CAE0-140B-48E4-AEEC-4E6A26E9E436}",
        ],
    ),
    row(
        "Microsoft.Extractor",
        "DTSTransform.Extractor",
        "",
        &[
            "{DE059577-B5F1-4883-A22B-CB0A40E16D7B}",
            "{86151302-DCDB-49FB-92FE-772EC02712B6}",
            "{A9823821-0085-4483-952F-36277F63FFC5}",
        ],
    ),
    row(
        "Microsoft.Pivot",
        "DTSTransform.Pivot",
        "",
        &["{49EB1DDB-8127-47C6-8B28-B97F7685DD59}", "{AEB2AFAE-2201-48B1-B290-42BB8C9149DD}"],
    ),
    row(
        "Microsoft.UnPivot",
        "DTSTransform.UnPivot",
        "",
        &["{CDEA2A77-9235-47FC-9D9E-B32EC6F8ACE9}", "{B8B094A9-8809-4E06-8874-5C55606A9FDF}"],
    ),
    row("Microsoft.SCD", "DTSTransform.SCD", "", &["{25BBB0C5-369B-4303-B3DF-D0DC741DEE58}"]),
    row(
        "Microsoft.FuzzyLookup",
        "DTSTransform.BestMatch",
        "",
        &[
            "{9F4EB4D4-AD71-496D-B70B-31ECE1139884}",
            "{5056651F-F227-4978-94DF-53CDF9E8CCB6}",
            "{E4A5F949-EC93-45AB-8B36-B52936257EC2}",
            "{AD9B9B83-DB60-4188-B57D-93C5155DFACC}",
        ],
    ),
    row(
        "Microsoft.FuzzyGrouping",
        "DTSTransform.GroupDups",
        "",
        &[
            "{30575856-AD5B-483D-92C5-5A36D11F0F75}",
            "{0A1BDBA0-9C6E-4AD7-97B1-E0E79E462629}",
            "{836E0D0B-0358-45B4-B888-4ADCE9356D4E}",
        ],
    ),
    row(
        "Microsoft.RowSampling",
        "DTSTransform.RowSampling",
        "",
        &[
            "{19FBD9D1-7707-49F8-8EB2-BD7C6DA183C2}",
            "{A44C46A3-0A3F-454B-B3BD-0BC23D4BCE94}",
            "{284A868A-7C3D-498C-ABBF-028CEF6AB288}",
        ],
    ),
    row("Microsoft.PctSampling", "DTSTransform.PctSampling", "", &[]),
    row("Microsoft.TermExtraction", "DTSTransform.TermExtraction", "", &["{056F53D1-8081-4D07-8134-1D4DAC244BB2}"]),
    row("Microsoft.TermLookup", "DTSTransform.TermLookup", "", &["{ACCC729A-823D-49A7-B16D-F1999AEB1D4C}"]),
    row(
        "Microsoft.Cache",
        "DTSTransform.Cache",
        "",
        &["{A236DD44-4409-433E-A1CE-283DA18F4E0F}", "{BF818E79-2C1C-410D-ADEA-B2D1A04FED01}"],
    ),
    row("Microsoft.BDD", "", "", &[]),
    row("Microsoft.PXPipelineDMQuery", "MSMDPP.PXPipelineDMQuery", "", &[]),
    row("Microsoft.SSISODBCSrc", "", "", &["Attunity.SSISODBCSrc", "{A77F5655-A006-443A-9B7E-90B6BD55CB84}"]),
    row("Microsoft.SSISODBCDst", "", "", &["Attunity.SSISODBCDst", "{074B8736-CD73-40A5-822E-888215AF57DA}"]),
    row("Microsoft.SSISOracleSrc", "", "", &[]),
    row(
        "Microsoft.PXPipelineProcessMining",
        "MSMDPP.PXPipelineProcessMining",
        "",
        &["{3D9FFAE9-B89B-43D9-80C8-B97D2740C746}"],
    ),
    row(
        "Microsoft.PXPipelineProcessDimension",
        "MSMDPP.PXPipelineProcessDimension",
        "",
        &["{2C2F0891-3AAA-4865-A676-D7476FE4CE90}"],
    ),
    row(
        "Microsoft.PXPipelineProcessPartition",
        "MSMDPP.PXPipelineProcessPartition",
        "",
        &["{DA510FB7-E3A8-4D96-9F59-55E15E67FE3D}"],
    ),
    row(
        MANAGED_HOST,
        "DTS.ManagedComponentWrapper",
        "",
        &[
            "{BF01D463-7089-41EE-8F05-0A6DC17CE633}",
            "{2E42D45B-F83C-400F-8D77-61DDE6A7DF29}",
            "{874F7595-FB5F-40FF-96AF-FBFF8250E3EF}",
            "{33D831DE-5DCF-48F0-B431-4D327B9E785D}",
        ],
    ),
];

const MANAGED_COMPONENTS: &[Row] = &[
    row("Microsoft.ScriptComponentHost", "", "Microsoft.SqlServer.Dts.Pipeline.ScriptComponentHost", &[]),
    row("Microsoft.DataReaderSourceAdapter", "", "Microsoft.SqlServer.Dts.Pipeline.DataReaderSourceAdapter", &[]),
    row("Microsoft.ADONETDestination", "", "Microsoft.SqlServer.Dts.Pipeline.ADONETDestination", &[]),
    row("Microsoft.XmlSourceAdapter", "", "Microsoft.SqlServer.Dts.Pipeline.XmlSourceAdapter", &[]),
    row(
        "Microsoft.DataReaderDestinationAdapter",
        "",
        "Microsoft.SqlServer.Dts.Pipeline.DataReaderDestinationAdapter",
        &[],
    ),
    row("Microsoft.DataStreamingDestinationAdapter", "", "", &[]),
    row("Attunity.CdcSourceComponent", "", "Attunity.SqlServer.CDCSrc.CdcSourceComponent", &[]),
    row("Attunity.CdcSplitterComponent", "", "Attunity.SqlServer.CDCSplit.CdcSplitterComponent", &[]),
    row("Microsoft.OData", "", "", &[]),
    row(
        "Microsoft.DataCorrectionComponent",
        "",
        "Microsoft.Ssdqs.Component.DataCorrection.Logic.DataCorrectionComponent",
        &[],
    ),
    row("AzBlobSrc", "", "", &[]),
    row("AzBlobDest", "", "", &[]),
    row("AdlsSource", "", "", &[]),
    row("AdlsDest", "", "", &[]),
    row("HdfsSource", "", "", &[]),
    row("HdfsDest", "", "", &[]),
];

const ENUMERATORS: &[Row] = &[
    row("Microsoft.ForEachFileEnumerator", "DTS.ForEachFileEnumerator", "", &[]),
    row("Microsoft.ForEachItemEnumerator", "DTS.ForEachItemEnumerator", "", &[]),
    row(
        "Microsoft.ForEachADOEnumerator",
        "",
        "Microsoft.SqlServer.Dts.Runtime.Enumerators.ADO.ForEachADOEnumerator",
        &[],
    ),
    row(
        "Microsoft.ForEachFromVarEnumerator",
        "",
        "Microsoft.SqlServer.Dts.Runtime.Enumerators.FromVar.ForEachFromVarEnumerator",
        &[],
    ),
    row(
        "Microsoft.ForEachNodeListEnumerator",
        "",
        "Microsoft.SqlServer.Dts.Runtime.Enumerators.NodeList.ForEachNodeListEnumerator",
        &[],
    ),
    row(
        "Microsoft.ForEachSMOEnumerator",
        "",
        "Microsoft.SqlServer.Dts.Runtime.Enumerators.SMO.ForEachSMOEnumerator",
        &[],
    ),
    row(
        "Microsoft.ForEachSchemaRowsetEnumerator",
        "",
        "Microsoft.SqlServer.Dts.Runtime.Enumerators.ADO.ForEachSchemaRowsetEnumerator",
        &[],
    ),
];

const LOG_PROVIDERS: &[Row] = &[
    row(
        "Microsoft.LogProviderTextFile",
        "DTS.LogProviderTextFile",
        "",
        &["{59B2C6A5-663F-4C20-8863-C83F9B72E2EB}", "{0A039101-ACC1-4E06-943F-279948323883}"],
    ),
    row(
        "Microsoft.LogProviderSQLProfiler",
        "DTS.LogProviderSQLProfiler",
        "",
        &["{5C0B8D21-E9AA-462E-BA34-30FF5F7A42A1}", "{E93F6300-AE0C-4916-A7BF-A8D0CE12C77A}"],
    ),
    row(
        "Microsoft.LogProviderSQLServer",
        "DTS.LogProviderSQLServer",
        "",
        &["{6AA833A1-E4B2-4431-831B-DE695049DC61}", "{94150B25-6AEB-4C0D-996D-D37D1C4FDEDA}"],
    ),
    row(
        "Microsoft.LogProviderEventLog",
        "DTS.LogProviderEventLog",
        "",
        &["{97634F75-1DC7-4F1F-8A4C-DAF0E13AAA22}", "{071CC8EB-C343-4CFF-8D58-564B92FCA3CF}"],
    ),
    row(
        "Microsoft.LogProviderXMLFile",
        "DTS.LogProviderXMLFile",
        "",
        &["{AFED6884-619C-484F-9A09-F42D56E1A7EA}", "{440945A4-2A22-4F19-B577-EAF5FDDC5F7A}"],
    ),
];

const CONNECTIONS: &[&str] = &[
    "ADO",
    "ADO.NET",
    "CACHE",
    "DQS",
    "EXCEL",
    "FILE",
    "FLATFILE",
    "FTP",
    "HTTP",
    "MSMQ",
    "MSOLAP100",
    "MULTIFILE",
    "MULTIFLATFILE",
    "ODATA",
    "ODBC",
    "OLEDB",
    "ORACLE",
    "SMOServer",
    "SMTP",
    "SQLMOBILE",
    "WMI",
];

/// The canonical class of a container, task or package; nothing for an unknown one.
pub fn executable(written: &str) -> Option<&'static str> {
    find(EXECUTABLES, written)
}

/// The canonical class of a data flow component, [`MANAGED_HOST`] for everything hosted; nothing for an unknown one.
pub fn component(written: &str) -> Option<&'static str> {
    find(COMPONENTS, written)
}

/// The canonical class of a component in the managed host, from its `UserComponentTypeName`; nothing for an unknown one.
pub fn managed_component(written: &str) -> Option<&'static str> {
    find(MANAGED_COMPONENTS, written)
}

/// True if components of this canonical class run in the managed host.
pub fn is_managed_component(kind: &str) -> bool {
    MANAGED_COMPONENTS.iter().any(|row| row.kind.eq_ignore_ascii_case(kind))
}

/// The canonical class of an enumerator; nothing for an unknown one.
pub fn enumerator(written: &str) -> Option<&'static str> {
    find(ENUMERATORS, written)
}

/// The canonical class of a log provider; nothing for an unknown one.
pub fn log_provider(written: &str) -> Option<&'static str> {
    find(LOG_PROVIDERS, written)
}

/// The canonical type of a connection manager: the type without what follows a colon (`ADO.NET:SQL` is `ADO.NET`); an
/// unknown one as written.
pub fn connection(written: &str) -> &str {
    let written = written.trim();
    let stem = written.split(':').next().unwrap_or(written);
    CONNECTIONS.iter().find(|kind| kind.eq_ignore_ascii_case(stem)).copied().unwrap_or(written)
}

fn find(table: &'static [Row], written: &str) -> Option<&'static str> {
    let written = written.trim();
    // A .NET class is followed by its assembly; the version of that says nothing.
    let class = written.split_once(',').map(|(class, _assembly)| class.trim_end());
    let stem = without_version(written);
    let same = |row: &Row| match class {
        Some(class) => !row.class.is_empty() && row.class.eq_ignore_ascii_case(class),
        None => {
            row.kind.eq_ignore_ascii_case(written)
                || (!row.prog_id.is_empty() && row.prog_id.eq_ignore_ascii_case(stem))
                || row.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(written))
                || (!row.class.is_empty() && row.class.eq_ignore_ascii_case(written))
        }
    };
    table.iter().find(|row| same(row)).map(|row| row.kind)
}

/// A ProgID without its version suffix (`DTSAdapter.OLEDBSource.3`).
fn without_version(prog_id: &str) -> &str {
    match prog_id.rsplit_once('.') {
        Some((stem, digits)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => stem,
        _ => prog_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_spelling_resolves_to_the_short_name() {
        let token = "Culture=neutral, PublicKeyToken=89845dcd8080cc91";
        let table = [
            ("MSDTS.Package.1", executable as fn(&str) -> _, Some(PACKAGE)),
            ("SSIS.Package.2", executable, Some(PACKAGE)),
            ("SSIS.Package.3", executable, Some(PACKAGE)),
            ("DTS.Pipeline", executable, Some(PIPELINE)),
            ("SSIS.Pipeline.3", executable, Some(PIPELINE)),
            ("{e3cfbea8-1f48-40d8-91e1-2dedc1eddd56}", executable, Some(PIPELINE)),
            ("STOCK:FORLOOP", executable, Some(FOR_LOOP)),
            (
                &format!(
                    "Microsoft.SqlServer.Dts.Tasks.ExecuteSQLTask.ExecuteSQLTask, Microsoft.SqlServer.SQLTask, Version=9.0.242.0, {token}"
                ),
                executable,
                Some("Microsoft.ExecuteSQLTask"),
            ),
            ("Acme.ExecuteSQLTask.ExecuteSQLTask, Acme.Tasks, Version=1.0.0.0", executable, None),
            ("DTSAdapter.FlatFileSource", component, Some("Microsoft.FlatFileSource")),
            ("DTSAdapter.FlatFileSource.1", component, Some("Microsoft.FlatFileSource")),
            ("DTSTransform.BestMatch.3", component, Some("Microsoft.FuzzyLookup")),
            ("{bcefe59b-6819-47f7-a125-63753b33abb7}", component, Some("Microsoft.OLEDBSource")),
            ("Attunity.SSISODBCSrc", component, Some("Microsoft.SSISODBCSrc")),
            ("{2E42D45B-F83C-400F-8D77-61DDE6A7DF29}", component, Some(MANAGED_HOST)),
            ("{00000000-0000-0000-0000-000000000000}", component, None),
            (
                &format!(
                    "Microsoft.SqlServer.Dts.Pipeline.ScriptComponentHost, Microsoft.SqlServer.TxScript, Version=10.0.0.0, {token}"
                ),
                managed_component,
                Some("Microsoft.ScriptComponentHost"),
            ),
            ("DTS.ForEachFileEnumerator.2", enumerator, Some("Microsoft.ForEachFileEnumerator")),
            (
                "Microsoft.SqlServer.Dts.Runtime.Enumerators.ADO.ForEachADOEnumerator, Microsoft.SqlServer.ForEachADOEnumerator, Version=11.0.0.0",
                enumerator,
                Some("Microsoft.ForEachADOEnumerator"),
            ),
            ("DTS.LogProviderTextFile.3", log_provider, Some("Microsoft.LogProviderTextFile")),
        ];
        for (written, find, kind) in table {
            assert_eq!(find(written), kind, "{written}");
        }
        assert_eq!(connection("ADO.NET:SQL"), "ADO.NET");
        assert_eq!(connection("OleDb"), "OLEDB");
        assert_eq!(connection("DevartSalesforce"), "DevartSalesforce");
    }

    #[test]
    fn no_identifier_is_claimed_twice() {
        for table in [EXECUTABLES, COMPONENTS, MANAGED_COMPONENTS, ENUMERATORS, LOG_PROVIDERS] {
            let mut seen = HashSet::new();
            for row in table {
                for id in [row.kind, row.prog_id, row.class].iter().chain(row.aliases).filter(|id| !id.is_empty()) {
                    assert!(seen.insert(id.to_ascii_lowercase()), "{id}");
                }
            }
        }
    }
}
