"""The two syntaxes of `designer.Package`: attributes and refIds (formats 6, 8), properties and numbers (2, 3)."""

from designer import (CLASSES, DESCRIPTIONS, ENUMERATOR, EXECUTABLES, FORMATS, PIPELINE_CONTACT, PRODUCT, Component,
                      Connection, Container, DataFlow, Element, Input, InputColumn, Output, Package, Property, Task,
                      Variable, delimiter, guid)

DTS = "www.microsoft.com/SqlServer/Dts"


def write(package: Package) -> str:
    out = []
    if package.fmt >= 6:
        out.append('<?xml version="1.0"?>\n')
        modern_executable(package, package).write_2012(out, 0)
    else:
        out.append('<?xml version="1.0"?>')
        old_executable(package, package).write_2005(out)
    return "".join(out)


def value_of(value, fmt: int):
    return value(fmt) if callable(value) else value


def ordered(attributes: dict, fmt: int, first: tuple = ("refId", "DTS:refId")) -> dict:
    """Format 8 sorts attributes behind the refId; format 6 keeps the order in which they are given."""
    if fmt < 8:
        return attributes
    lead = {key: value for key, value in attributes.items() if key in first}
    rest = sorted((item for item in attributes.items() if item[0] not in first),
                  key=lambda item: item[0].replace("DTS:", "").lower())
    return {**lead, **dict(rest)}


# ------------------------------------------------------------------------------------------------------ formats 6 and 8

def modern_executable(node, package: Package) -> Element:
    fmt = package.fmt
    index = FORMATS.index(fmt)
    root = node.kind == "Package"
    event = node.kind == "EventHandler"
    attributes = {"DTS:refId": node.ref_id()}
    if root:
        attributes |= {"DTS:CreationDate": "3/14/2024 9:26:53 AM", "DTS:CreationName": EXECUTABLES["Package"][index],
                       "DTS:CreatorComputerName": "", "DTS:CreatorName": "",
                       "DTS:LastModifiedProductVersion": PRODUCT[fmt], "DTS:PackageType": "5",
                       "DTS:VersionBuild": "1", "DTS:VersionGUID": guid(package.name, "version")}
    if event:
        attributes |= {"DTS:CreationName": node.name, "DTS:EventID": "0", "DTS:EventName": node.name}
    else:
        attributes |= {"DTS:CreationName": EXECUTABLES[node.kind][index],
                       "DTS:Description": DESCRIPTIONS.get(node.kind),
                       "DTS:ExecutableType": EXECUTABLES[node.kind][index], "DTS:ObjectName": node.name}
    attributes |= {"DTS:DTSID": guid(package.name, node.ref_id()), "DTS:LocaleID": "1033" if root else "-1",
                   "DTS:DelayValidation": "True" if node.delayed else None,
                   "DTS:Disabled": "True" if node.disabled else None}
    if node.kind == "Pipeline":
        attributes["DTS:TaskContact"] = PIPELINE_CONTACT
    if isinstance(node, Task):
        attributes["DTS:ThreadHint"] = "0"
    if node.kind == "ForLoop":
        attributes |= {"DTS:InitExpression": node.more.get("init"), "DTS:EvalExpression": node.more["evaluate"],
                       "DTS:AssignExpression": node.more.get("assign"), "DTS:MaxConcurrent": "1"}
    if root:
        made = Element(f'DTS:Executable xmlns:DTS="{DTS}"', ordered(attributes, fmt))
        made.add(Element("DTS:Property", {"DTS:Name": "PackageFormatVersion"}, text=str(fmt)))
        if package.connections:
            made.add(Element("DTS:ConnectionManagers", children=[modern_connection(item, fmt)
                                                                 for item in package.connections]))
    else:
        made = Element("DTS:EventHandler" if event else "DTS:Executable", ordered(attributes, fmt))
    for name, text in node.expressions.items():
        made.add(Element("DTS:PropertyExpression", {"DTS:Name": name}, text=text))
    if node.kind in ENUMERATOR:
        made.add(modern_enumerator(node, package))
    made.add(Element("DTS:Variables", children=[modern_variable(item, node, package) for item in node.variables]))
    if node.children:
        made.add(Element("DTS:Executables", children=[modern_executable(child, package) for child in node.children]))
    if node.constraints:
        made.add(Element("DTS:PrecedenceConstraints", children=[modern_constraint(item, node, package)
                                                                for item in node.constraints]))
    if node.kind in ENUMERATOR:
        made.add(Element("DTS:ForEachVariableMappings", children=modern_mappings(node, package)))
    if node.handlers:
        made.add(Element("DTS:EventHandlers", children=[modern_executable(item, package) for item in node.handlers]))
    if node.kind == "Pipeline":
        made.add(Element("DTS:ObjectData", children=[modern_pipeline(node, fmt)]))
    if isinstance(node, Task):
        made.add(Element("DTS:ObjectData", children=[node.data]))
    return made


def modern_variable(item: Variable, node, package: Package) -> Element:
    attributes = {"DTS:CreationName": "", "DTS:DTSID": guid(package.name, node.ref_id(), item.name),
                  "DTS:IncludeInDebugDump": "2345" if item.data_type == 8 else "6789",
                  "DTS:Namespace": item.namespace, "DTS:ObjectName": item.name}
    if item.namespace == "System":
        attributes["DTS:Description"] = "The propagate property of the event"
    if item.expression:
        attributes |= {"DTS:EvaluateAsExpression": "True", "DTS:Expression": item.expression}
    value = {"DTS:DataType": str(item.data_type)}
    if item.data_type == 8 and item.value == "":
        value["xml:space"] = "preserve"
    return Element("DTS:Variable", ordered(attributes, package.fmt)).add(
        Element("DTS:VariableValue", value, text=item.value))


def modern_constraint(item: tuple, node, package: Package) -> Element:
    name, first, second, value, operation, expression, both = item
    ref = f"{node.ref_id()}.PrecedenceConstraints[{name}]"
    return Element("DTS:PrecedenceConstraint", ordered({
        "DTS:refId": ref, "DTS:From": first.ref_id(), "DTS:To": second.ref_id(),
        "DTS:Value": str(value) if value else None, "DTS:EvalOp": str(operation) if operation != 2 else None,
        "DTS:Expression": expression or None, "DTS:LogicalAnd": "True" if both else None,
        "DTS:ObjectName": name, "DTS:DTSID": guid(package.name, ref), "DTS:CreationName": ""}, package.fmt))


def modern_enumerator(node: Container, package: Package) -> Element:
    name = guid(package.name, node.ref_id(), "enumerator")
    made = Element("DTS:ForEachEnumerator", ordered({
        "DTS:CreationName": ENUMERATOR[node.kind][package.fmt], "DTS:DTSID": name, "DTS:ObjectName": name}, package.fmt))
    for key, text in node.more.get("enumerator_expressions", {}).items():
        made.add(Element("DTS:PropertyExpression", {"DTS:Name": key}, text=text))
    return made.add(Element("DTS:ObjectData", children=[enumerator_data(node)]))


def enumerator_data(node: Container) -> Element:
    return file_enumerator(node) if node.kind == "ForEachFile" else schema_enumerator(node)


def schema_enumerator(node: Container) -> Element:
    """The form is unconfirmed: the reader takes others, too."""
    more = node.more
    return Element("FEESchemaRowset", {"Connection": more["connection"], "SchemaRowset": more["schema"]}).add(
        *[Element("Restriction", {"Value": value}) for value in more.get("restrictions", [])])


def file_enumerator(node: Container) -> Element:
    more = node.more
    return Element("ForEachFileEnumeratorProperties").add(
        Element("FEFEProperty", {"Folder": more["folder"]}), Element("FEFEProperty", {"FileSpec": more["spec"]}),
        Element("FEFEProperty", {"FileNameRetrievalType": str(more.get("retrieval", 0))}),
        Element("FEFEProperty", {"Recurse": "-1" if more.get("recurse") else "0"}))


def mapped(node: Container) -> list:
    """Variable and index of each mapping."""
    return node.more.get("variables") or [(node.more["variable"], 0)]


def modern_mappings(node: Container, package: Package) -> list:
    made = []
    for variable, index in mapped(node):
        name = guid(package.name, node.ref_id(), "mapping", *([str(index)] if index else []))
        made.append(Element("DTS:ForEachVariableMapping", ordered({
            "DTS:CreationName": "", "DTS:DTSID": name, "DTS:ObjectName": name, "DTS:ValueIndex": str(index),
            "DTS:VariableName": variable}, package.fmt)))
    return made


def modern_connection(item: Connection, fmt: int) -> Element:
    made = Element("DTS:ConnectionManager", ordered({
        "DTS:refId": f"Package.ConnectionManagers[{item.name}]", "DTS:CreationName": item.kind,
        "DTS:DTSID": item.guid(), "DTS:ObjectName": item.name}, fmt))
    for name, text in item.expressions.items():
        made.add(Element("DTS:PropertyExpression", {"DTS:Name": name}, text=text))
    if item.kind == "FILE":
        inner = Element("DTS:ConnectionManager", {
            "DTS:FileUsageType": str(item.usage) if item.usage else None, "DTS:ConnectionString": item.path})
        return made.add(Element("DTS:ObjectData", children=[inner]))
    if item.kind == "OLEDB" or item.kind.startswith("ADO.NET:"):
        inner = Element("DTS:ConnectionManager", {"DTS:ConnectionString": item.path})
        return made.add(Element("DTS:ObjectData", children=[inner]))
    if item.kind == "CACHE":
        inner = Element("DTS:ConnectionManager", {
            "DTS:UseFile": "True" if item.path else None, "DTS:ConnectionString": item.path or None})
        columns = Element("DTS:CacheColumns")
        for column in item.columns:
            position = str(item.keys.index(column.name) + 1) if column.name in item.keys else None
            columns.add(Element("DTS:CacheColumn", {
                "DTS:DataType": str(column.type.number),
                "DTS:Length": str(column.type.length) if column.type.length else None,
                "DTS:Precision": str(column.type.precision) if column.type.precision else None,
                "DTS:Scale": str(column.type.scale) if column.type.scale else None,
                "DTS:CodePage": str(column.type.code_page) if column.type.code_page else None,
                "DTS:IndexPosition": position, "DTS:ObjectName": column.name,
                "DTS:DTSID": guid(item.package, item.name, column.name), "DTS:CreationName": ""}))
        return made.add(Element("DTS:ObjectData", children=[inner.add(columns)]))
    inner = Element("DTS:ConnectionManager", {
        "DTS:Format": "Delimited", "DTS:LocaleID": "1033", "DTS:HeaderRowDelimiter": delimiter(item.row_end),
        "DTS:ColumnNamesInFirstDataRow": "True" if item.header else None, "DTS:RowDelimiter": "",
        "DTS:TextQualifier": delimiter(item.qualifier or "<") + ("" if item.qualifier else "none" + delimiter(">")),
        "DTS:CodePage": str(item.code_page), "DTS:ConnectionString": item.path})
    columns = Element("DTS:FlatFileColumns")
    for n, column in enumerate(item.columns):
        last = n + 1 == len(item.columns)
        columns.add(Element("DTS:FlatFileColumn", {
            "DTS:ColumnType": "Delimited",
            "DTS:ColumnDelimiter": delimiter(item.row_end if last else item.separator),
            "DTS:MaximumWidth": str(column.type.length) if column.type.length else None,
            "DTS:DataType": str(column.type.number),
            "DTS:DataPrecision": str(column.type.precision) if column.type.precision else None,
            "DTS:DataScale": str(column.type.scale) if column.type.scale else None,
            "DTS:TextQualified": "True" if column.qualified else None,
            "DTS:ObjectName": column.name, "DTS:DTSID": guid(item.package, item.name, column.name),
            "DTS:CreationName": ""}))
    return made.add(Element("DTS:ObjectData", children=[inner.add(columns)]))


def modern_pipeline(flow: DataFlow, fmt: int) -> Element:
    components = sorted(flow.components, key=lambda item: item.name) if fmt == 8 else flow.components
    paths = sorted(flow.paths, key=lambda item: item[0]) if fmt == 8 else flow.paths
    return Element("pipeline", {"version": "1"}).add(
        Element("components", children=[modern_component(item, fmt) for item in components]),
        Element("paths", children=[Element("path", ordered({
            "refId": f"{flow.ref_id()}.Paths[{name}]", "name": name, "startId": source.ref_id(),
            "endId": target.ref_id()}, fmt)) for name, source, target, _ in paths]))


def modern_component(item: Component, fmt: int) -> Element:
    made = Element("component", ordered({
        "refId": item.ref_id(), "name": item.name, "componentClassID": CLASSES[item.kind][FORMATS.index(fmt)],
        "contactInfo": item.contact(), "description": item.description,
        "localeId": str(item.locale) if item.locale != -1 else None,
        "usesDispositions": "true" if item.dispositions else None,
        "version": str(item.version) if item.version else None}, fmt))
    if item.properties:
        made.add(modern_properties(item.properties, fmt))
    if item.connection:
        ref = f"Package.ConnectionManagers[{item.connection.name}]"
        names = {"CACHE": "CacheConnection", "OLEDB": "OleDbConnection"}
        name = names.get(item.connection.kind, "FlatFileConnection")
        made.add(Element("connections", children=[Element("connection", ordered({
            "refId": f"{item.ref_id()}.Connections[{name}]", "connectionManagerID": ref,
            "connectionManagerRefId": ref, "name": name}, fmt))]))
    if item.inputs:
        made.add(Element("inputs", children=[modern_input(port, fmt) for port in item.inputs]))
    if item.outputs:
        made.add(Element("outputs", children=[modern_output(port, fmt) for port in item.outputs]))
    return made


def modern_properties(properties: list, fmt: int) -> Element:
    made = Element("properties")
    for item in properties:
        made.add(Element("property", ordered({
            "name": item.name, "dataType": item.data_type, "description": item.description or None,
            "containsID": "true" if item.contains_id else None, "expressionType": "Notify" if item.notify else None,
            "typeConverter": item.type_converter or None}, fmt), text=value_of(item.value, fmt)))
    return made


def dispositions(item) -> dict:
    return {"errorOrTruncationOperation": item.operation or None,
            "errorRowDisposition": item.error if item.error != "NotUsed" else None,
            "truncationRowDisposition": item.truncation if item.truncation != "NotUsed" else None}


def described(kind, cached: bool = False) -> dict:
    names = ("cachedCodepage", "cachedDataType", "cachedLength", "cachedPrecision", "cachedScale") if cached else \
        ("codePage", "dataType", "length", "precision", "scale")
    numbers = (kind.code_page, kind.name, kind.length, kind.precision, kind.scale)
    return {name: str(number) if number else None for name, number in zip(names, numbers)}


def modern_external(owner: str, columns: list, fmt: int) -> Element:
    made = Element("externalMetadataColumns", {"isUsed": "True"} if columns else {})
    for name, kind in columns:
        made.add(Element("externalMetadataColumn", ordered({
            "refId": f"{owner}.ExternalColumns[{name}]", **described(kind), "name": name}, fmt)))
    return made


def modern_input(port: Input, fmt: int) -> Element:
    made = Element("input", ordered({
        "refId": port.ref_id(), "description": port.description or None, **dispositions(port),
        "hasSideEffects": "true" if port.side_effects else None, "name": port.name}, fmt))
    columns = Element("inputColumns")
    for item in port.columns:
        column = Element("inputColumn", ordered({
            "refId": f"{port.ref_id()}.Columns[{item.source.name}]", **described(item.source.type, True),
            "cachedName": item.source.name, **dispositions(item),
            "externalMetadataColumnId": f"{port.ref_id()}.ExternalColumns[{item.external}]" if item.external else None,
            "lineageId": item.source.ref_id(), "usageType": "readWrite" if item.read_write else None}, fmt))
        if item.properties:
            column.add(modern_properties(item.properties, fmt))
        columns.add(column)
    if port.columns:
        made.add(columns)
    return made.add(modern_external(port.ref_id(), [(item.external, item.external_type) for item in port.columns
                                                    if item.external], fmt))


def modern_output(port: Output, fmt: int) -> Element:
    made = Element("output", ordered({
        "refId": port.ref_id(), "deleteOutputOnPathDetached": "true" if port.delete_on_detach else None,
        "description": port.description or None, **dispositions(port),
        "exclusionGroup": str(port.exclusion) if port.exclusion else None,
        "isErrorOut": "true" if port.is_error else None,
        "isSorted": "true" if port.is_sorted else None, "name": port.name,
        "synchronousInputId": port.synchronous.ref_id() if port.synchronous else None}, fmt))
    if port.properties:
        made.add(modern_properties(port.properties, fmt))
    columns = Element("outputColumns")
    for item in port.columns:
        column = Element("outputColumn", ordered({
            "refId": item.ref_id(), **described(item.type), "description": item.description or None,
            **dispositions(item),
            "externalMetadataColumnId": f"{port.ref_id()}.ExternalColumns[{item.name}]" if item.external else None,
            "lineageId": item.ref_id(), "name": item.name,
            "sortKeyPosition": str(item.sort_key) if item.sort_key else None,
            "specialFlags": str(item.special) if item.special else None}, fmt))
        if item.properties:
            column.add(modern_properties(item.properties, fmt))
        columns.add(column)
    if port.columns:
        made.add(columns)
    external = [(item.name, item.type) for item in port.columns if item.external]
    return made.add(modern_external(port.ref_id(), external, fmt))


# ------------------------------------------------------------------------------------------------------ formats 2 and 3

def prop(name: str, text: str, data_type: int = 0, preserve: bool = False) -> Element:
    attributes = {"DTS:Name": name}
    if data_type:
        attributes["DTS:DataType"] = str(data_type)
    if preserve:
        attributes["xml:space"] = "preserve"
    return Element("DTS:Property", attributes, text=text)


def old_executable(node, package: Package) -> Element:
    fmt = package.fmt
    index = FORMATS.index(fmt)
    root, event = node.kind == "Package", node.kind == "EventHandler"
    kind = None if event else EXECUTABLES[node.kind][index]
    made = Element("DTS:EventHandler") if event else Element(
        "DTS:Executable", {"xmlns:DTS": DTS if root else None, "DTS:ExecutableType": kind})
    if root:
        made.add(prop("PackageFormatVersion", str(fmt)), prop("VersionComments", ""), prop("CreatorName", ""),
                 prop("CreatorComputerName", ""), prop("CreationDate", "5/11/2010 7:50:47 PM", 7),
                 prop("PackageType", "5"), prop("ProtectionLevel", "1"), prop("MaxConcurrentExecutables", "-1"),
                 prop("PackagePriorityClass", "0"), prop("VersionMajor", "1"), prop("VersionMinor", "0"),
                 prop("VersionBuild", "1"), prop("VersionGUID", guid(package.name, "version")),
                 prop("EnableConfig", "0"), prop("CheckpointFileName", ""), prop("SaveCheckpoints", "0"),
                 prop("CheckpointUsage", "0"), prop("SuppressConfigurationWarnings", "0"))
        made.add(*[old_connection(item) for item in package.connections])
        if PRODUCT[fmt]:
            made.add(prop("LastModifiedProductVersion", PRODUCT[fmt]))
    if event:
        made.add(prop("EventID", "0"), prop("EventName", node.name))
    if node.kind == "ForLoop":
        made.add(prop("InitExpression", node.more.get("init", "")), prop("EvalExpression", node.more["evaluate"]),
                 prop("AssignExpression", node.more.get("assign", "")), prop("MaxConcurrent", "1"))
    if node.kind in ENUMERATOR:
        made.add(old_enumerator(node, package), prop("MaxConcurrent", "1"))
    if node.kind == "Sequence" and fmt == 3:
        made.add(prop("LockName", ""))
    if node.kind == "Pipeline" or isinstance(node, Task):
        made.add(prop("ExecutionLocation", "0"), prop("ExecutionAddress", ""),
                 prop("TaskContact", PIPELINE_CONTACT if node.kind == "Pipeline" else ""))
    made.add(prop("ForceExecValue", "0"), prop("ExecValue", "0", 3), prop("ForceExecutionResult", "-1"),
             prop("Disabled", "-1" if node.disabled else "0"), prop("FailPackageOnFailure", "0"),
             prop("FailParentOnFailure", "0"), prop("MaxErrorCount", "1"), prop("ISOLevel", "1048576"),
             prop("LocaleID", "1033" if root else "-1"), prop("TransactionOption", "1"),
             prop("DelayValidation", "-1" if node.delayed else "0"))
    made.add(*[old_variable(item, node, package) for item in node.variables])
    made.add(Element("DTS:LoggingOptions").add(prop("LoggingMode", "0"), prop("FilterKind", "1"),
                                               prop("EventFilter", "", 8)))
    for name, text in node.expressions.items():
        made.add(Element("DTS:PropertyExpression", {"DTS:Name": name}, text=text))
    made.add(*[old_executable(child, package) for child in node.children])
    made.add(*[old_constraint(item, node, package) for item in node.constraints])
    if node.kind in ENUMERATOR:
        for variable, index in mapped(node):
            name = guid(package.name, node.ref_id(), "mapping", *([str(index)] if index else []))
            made.add(Element("DTS:ForEachVariableMapping").add(
                prop("VariableName", variable), prop("ValueIndex", str(index)), prop("ObjectName", name),
                prop("DTSID", name), prop("Description", ""), prop("CreationName", "")))
    if not event:
        made.add(prop("ObjectName", node.name))
    made.add(prop("DTSID", guid(package.name, node.ref_id())),
             prop("Description", DESCRIPTIONS.get(node.kind, "")), prop("CreationName", kind or node.name),
             prop("DisableEventHandlers", "0"))
    made.add(*[old_executable(item, package) for item in node.handlers])
    if node.kind == "Pipeline":
        made.add(Element("DTS:ObjectData", children=[old_pipeline(node, package)]))
    if isinstance(node, Task):
        made.add(Element("DTS:ObjectData", children=[old_task_data(node)]))
    return made


def old_task_data(node: Task) -> Element:
    """Before 2012 a File System task wrote all its attributes."""
    if node.kind != "FileSystem":
        raise ValueError(f"formats 2 and 3 have no {node.kind} task")
    given = {key: value for key, value in node.data.attributes.items() if value is not None}
    return Element("FileSystemData", {"TaskOperationType": "CopyFile", "OperationName": "",
                                      "TaskOverwriteDestFile": "False", "TaskSourcePath": "",
                                      "TaskIsSourceVariable": "False", "TaskDestinationPath": "",
                                      "TaskIsDestinationVariable": "False", "TaskFileAttributes": "Normal", **given})


def old_variable(item: Variable, node, package: Package) -> Element:
    return Element("DTS:Variable").add(
        prop("Expression", item.expression), prop("EvaluateAsExpression", "-1" if item.expression else "0"),
        prop("Namespace", item.namespace), prop("ReadOnly", "0"), prop("RaiseChangedEvent", "0"),
        prop("IncludeInDebugDump", "6789"),
        Element("DTS:VariableValue", {"DTS:DataType": str(item.data_type)}, text=item.value),
        prop("ObjectName", item.name), prop("DTSID", guid(package.name, node.ref_id(), item.name)),
        prop("Description", "The propagate property of the event" if item.namespace == "System" else ""),
        prop("CreationName", ""))


def old_constraint(item: tuple, node, package: Package) -> Element:
    name, first, second, value, operation, expression, both = item
    return Element("DTS:PrecedenceConstraint").add(
        prop("Value", str(value)), prop("EvalOp", str(operation)), prop("LogicalAnd", "-1" if both else "0"),
        prop("Expression", expression),
        Element("DTS:Executable", {"IDREF": guid(package.name, first.ref_id()), "DTS:IsFrom": "-1"}),
        Element("DTS:Executable", {"IDREF": guid(package.name, second.ref_id()), "DTS:IsFrom": "0"}),
        prop("ObjectName", name), prop("DTSID", guid(package.name, node.ref_id(), name)), prop("Description", ""),
        prop("CreationName", ""))


def old_enumerator(node: Container, package: Package) -> Element:
    name = guid(package.name, node.ref_id(), "enumerator")
    made = Element("DTS:ForEachEnumerator")
    for key, text in node.more.get("enumerator_expressions", {}).items():
        made.add(Element("DTS:PropertyExpression", {"DTS:Name": key}, text=text))
    return made.add(prop("ObjectName", name), prop("DTSID", name), prop("Description", ""),
                    prop("CreationName", ENUMERATOR[node.kind][package.fmt]),
                    Element("DTS:ObjectData", children=[enumerator_data(node)]))


def old_connection(item: Connection) -> Element:
    made = Element("DTS:ConnectionManager").add(
        prop("DelayValidation", "0"), prop("ObjectName", item.name), prop("DTSID", item.guid()),
        prop("Description", ""), prop("CreationName", item.kind))
    for name, text in item.expressions.items():
        made.add(Element("DTS:PropertyExpression", {"DTS:Name": name}, text=text))
    inner = Element("DTS:ConnectionManager").add(prop("FileUsageType", str(item.usage)))
    if item.kind == "FLATFILE":
        inner.add(prop("Format", "Delimited"), prop("LocaleID", "1033"), prop("Unicode", "0"),
                  prop("HeaderRowsToSkip", "0"), prop("HeaderRowDelimiter", delimiter(item.row_end), preserve=True),
                  prop("ColumnNamesInFirstDataRow", "-1" if item.header else "0"),
                  prop("RowDelimiter", "", preserve=True), prop("DataRowsToSkip", "0"),
                  prop("TextQualifier", delimiter(item.qualifier) if item.qualifier else "<none>"),
                  prop("CodePage", str(item.code_page)))
        for n, column in enumerate(item.columns):
            last = n + 1 == len(item.columns)
            inner.add(Element("DTS:FlatFileColumn").add(
                prop("ColumnType", "Delimited"),
                prop("ColumnDelimiter", delimiter(item.row_end if last else item.separator), preserve=True),
                prop("ColumnWidth", "0"), prop("MaximumWidth", str(column.type.length)),
                prop("DataType", str(column.type.number)), prop("DataPrecision", str(column.type.precision)),
                prop("DataScale", str(column.type.scale)), prop("TextQualified", "-1" if column.qualified else "0"),
                prop("ObjectName", column.name), prop("DTSID", guid(item.package, item.name, column.name)),
                prop("Description", ""), prop("CreationName", "")))
    inner.add(prop("ConnectionString", item.path))
    return made.add(Element("DTS:ObjectData", children=[inner]))


def old_pipeline(flow: DataFlow, package: Package) -> Element:
    made = Element("pipeline", {
        "id": "0", "name": "pipelineXml", "description": "pipelineXml", "defaultBufferMaxRows": "10000",
        "engineThreads": "10" if package.fmt == 3 else "5", "defaultBufferSize": "10485760",
        "BLOBTempStoragePath": "", "bufferTempStoragePath": "", "runInOptimizedMode": "true"})
    return made.add(
        Element("components", children=[old_component(item, flow, package.fmt) for item in flow.components]),
        Element("paths", children=[Element("path", {
            "id": str(number), "name": name, "description": "", "startId": str(source.id), "endId": str(target.id)})
            for name, source, target, number in flow.paths]))


def old_component(item: Component, flow: DataFlow, fmt: int) -> Element:
    made = Element("component", {
        "id": str(item.id), "name": item.name, "componentClassID": CLASSES[item.kind][FORMATS.index(fmt)],
        "description": item.description, "localeId": str(item.locale),
        "usesDispositions": "true" if item.dispositions else "false", "validateExternalMetadata": "True",
        "version": str(item.version if item.kind == "FlatFileSource" else 0), "pipelineVersion": "0",
        "contactInfo": item.contact()})
    properties = [prop_ for prop_ in item.properties if prop_.name != "EscapeQualifier"]
    if properties:
        made.add(old_properties(properties, flow, fmt))
    if item.connection:
        made.add(Element("connections", children=[Element("connection", {
            "id": str(flow.take_id()), "name": "FlatFileConnection", "description": "",
            "connectionManagerID": item.connection.guid()})]))
    if item.inputs:
        made.add(Element("inputs", children=[old_input(port, flow, fmt) for port in item.inputs]))
    if item.outputs:
        made.add(Element("outputs", children=[old_output(port, flow, fmt) for port in item.outputs]))
    return made


def old_properties(properties: list, flow: DataFlow, fmt: int) -> Element:
    made = Element("properties")
    for item in properties:
        made.add(Element("property", {
            "id": str(flow.take_id()), "name": item.name, "dataType": item.data_type, "state": "default",
            "isArray": "false", "description": item.description, "typeConverter": item.type_converter,
            "UITypeEditor": "", "containsID": "true" if item.contains_id else "false",
            "expressionType": "Notify" if item.notify else "None"}, text=value_of(item.value, fmt)))
    return made


def old_dispositions(item) -> dict:
    return {"errorOrTruncationOperation": item.operation, "errorRowDisposition": item.error,
            "truncationRowDisposition": item.truncation}


def old_types(kind) -> dict:
    return {"precision": str(kind.precision), "scale": str(kind.scale), "length": str(kind.length),
            "dataType": kind.name, "codePage": str(kind.code_page)}


def old_external(columns: list) -> Element:
    made = Element("externalMetadataColumns", {"isUsed": "True" if columns else "False"})
    for number, name, kind in columns:
        made.add(Element("externalMetadataColumn", {"id": str(number), "name": name, "description": "",
                                                    **old_types(kind), "mappedColumnId": "0"}))
    return made


def old_input(port: Input, flow: DataFlow, fmt: int) -> Element:
    made = Element("input", {
        "id": str(port.id), "name": port.name, "description": port.description,
        "hasSideEffects": "true" if port.side_effects else "false", "dangling": "false",
        "errorOrTruncationOperation": "", "errorRowDisposition": "NotUsed", "truncationRowDisposition": "NotUsed"})
    columns = Element("inputColumns")
    for item in port.columns:
        column = Element("inputColumn", {
            "id": str(item.id), "name": "", "description": "", "lineageId": str(item.source.id),
            "usageType": "readWrite" if item.read_write else "readOnly", **old_dispositions(item),
            "externalMetadataColumnId": str(item.external_id), "mappedColumnId": "0"})
        if item.properties:
            column.add(old_properties(item.properties, flow, fmt))
        columns.add(column)
    if port.columns:
        made.add(columns)
    return made.add(old_external([(item.external_id, item.external, item.external_type) for item in port.columns
                                  if item.external]))


def old_output(port: Output, flow: DataFlow, fmt: int) -> Element:
    made = Element("output", {
        "id": str(port.id), "name": port.name, "description": port.description,
        "exclusionGroup": str(port.exclusion),
        "synchronousInputId": str(port.synchronous.id) if port.synchronous else "0",
        "deleteOutputOnPathDetached": "true" if port.delete_on_detach else "false", "hasSideEffects": "false",
        "dangling": "false", "isErrorOut": "true" if port.is_error else "false", 
        "isSorted": "true" if port.is_sorted else "false",
        **old_dispositions(port)})
    if port.properties:
        made.add(old_properties(port.properties, flow, fmt))
    columns = Element("outputColumns")
    for item in port.columns:
        column = Element("outputColumn", {
            "id": str(item.id), "name": item.name, "description": item.description, "lineageId": str(item.id),
            **old_types(item.type), "sortKeyPosition": str(item.sort_key), "comparisonFlags": "0",
            "specialFlags": str(item.special), **old_dispositions(item),
            "externalMetadataColumnId": str(item.external_id), "mappedColumnId": "0"})
        if item.properties:
            column.add(old_properties(item.properties, flow, fmt))
        columns.add(column)
    if port.columns:
        made.add(columns)
    return made.add(old_external([(item.external_id, item.name, item.type) for item in port.columns
                                  if item.external]))
