"""Writes SSIS packages the way the designer does, in its formats 2 (2005), 3 (2008), 6 (2012) and 8 (2014 and later).

The packages of the tests, the benchmarks and the examples are made with it (`make.py` beside this file, and
`benches/workloads/make.py`), so that one description yields all four formats. It knows only the components that these
packages use; it is no general writer (that is `dtsx-loader`) and the project's own programs never call it.

Everything is deterministic: GUIDs are derived from names, dates are constants.
"""

import re
import uuid
from dataclasses import dataclass, field
from typing import Callable, Optional, Union

Text = Union[str, Callable[[int], str]]


# ---------------------------------------------------------------------------------------------------------- XML text

def escape(text: str, attribute: bool = False) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if attribute:
        text = text.replace('"', "&quot;").replace("\n", "&#xA;").replace("\t", "&#x9;")
    return text


@dataclass
class Element:
    """An element; `text` and `children` exclude each other. `None` attributes are left out."""

    tag: str
    attributes: dict = field(default_factory=dict)
    children: list = field(default_factory=list)
    text: Optional[str] = None

    def add(self, *children: Optional["Element"]) -> "Element":
        self.children.extend(child for child in children if child is not None)
        return self

    def write_2012(self, out: list, depth: int) -> None:
        """One attribute a line: formats 6 and 8."""
        indent = "  " * depth
        shown = {key: value for key, value in self.attributes.items() if value is not None}
        out.append(f"{indent}<{self.tag}")
        for key, value in shown.items():
            out.append(f'\n{indent}  {key}="{escape(value, True)}"')
        if self.text is not None:
            out.append(f">{escape(self.text)}</{self.tag.split()[0]}>\n")
        elif self.children:
            out.append(">\n")
            for child in self.children:
                child.write_2012(out, depth + 1)
            out.append(f"{indent}</{self.tag.split()[0]}>\n")
        else:
            out.append(" />\n")

    def write_2005(self, out: list) -> None:
        """All attributes on one line, no indentation: formats 2 and 3."""
        attributes = "".join(f' {key}="{escape(value, True)}"' for key, value in self.attributes.items()
                             if value is not None)
        if self.text is not None:
            out.append(f"<{self.tag}{attributes}>{escape(self.text)}</{self.tag}>\n")
        elif self.children:
            out.append(f"<{self.tag}{attributes}>")
            out.append("\n")
            for child in self.children:
                child.write_2005(out)
            out.append(f"</{self.tag}>\n")
        else:
            out.append(f"<{self.tag}{attributes}/>\n")


def guid(*parts: str) -> str:
    return "{" + str(uuid.uuid5(uuid.NAMESPACE_URL, "dtsx-packages/" + "/".join(parts))).upper() + "}"


def delimiter(text: str) -> str:
    """`,` as `_x002C_`: how delimiters and qualifiers are stored."""
    return "".join(f"_x{ord(char):04X}_" for char in text)


# -------------------------------------------------------------------------------------------------------------- types

@dataclass(frozen=True)
class Type:
    """A column type by its name in pipeline XML, with the number that connection managers use."""

    name: str
    number: int
    length: int = 0
    precision: int = 0
    scale: int = 0
    code_page: int = 0


I2, I4, I8 = Type("i2", 2), Type("i4", 3), Type("i8", 20)
UI8 = Type("ui8", 21)
R8, CY, BOOL = Type("r8", 5), Type("cy", 6), Type("bool", 11)
DBDATE, DBTIMESTAMP = Type("dbDate", 133), Type("dbTimeStamp", 135)


def STR(length: int, code_page: int = 1252) -> Type:
    return Type("str", 129, length=length, code_page=code_page)


def WSTR(length: int) -> Type:
    return Type("wstr", 130, length=length)


def NUMERIC(precision: int, scale: int) -> Type:
    return Type("numeric", 131, precision=precision, scale=scale)


def TEXT(code_page: int = 1252) -> Type:
    return Type("text", 303, code_page=code_page)


# -------------------------------------------------------------------------------------------------- pipeline elements

@dataclass
class Property:
    name: str
    data_type: str
    value: Optional[Text]
    description: str = ""
    contains_id: bool = False
    notify: bool = False
    type_converter: str = ""


@dataclass
class Column:
    """An output column; its lineage is itself."""

    name: str
    type: Type
    owner: "Output" = None
    external: bool = False
    properties: list = field(default_factory=list)
    operation: str = ""
    error: str = "NotUsed"
    truncation: str = "NotUsed"
    special: int = 0
    description: str = ""
    sort_key: int = 0
    id: int = 0
    external_id: int = 0

    def ref_id(self) -> str:
        return f"{self.owner.ref_id()}.Columns[{self.name}]"

    def token(self, fmt: int, marked: bool = True) -> str:
        """The lineage reference of expressions (`#{…}` or `#12`) and of properties (`#{…}` or `12`)."""
        if fmt >= 6:
            return f"#{{{self.ref_id()}}}"
        return f"#{self.id}" if marked else str(self.id)


@dataclass
class InputColumn:
    source: Column
    external: Optional[str] = None
    external_type: Optional[Type] = None
    read_write: bool = False
    properties: list = field(default_factory=list)
    operation: str = ""
    error: str = "NotUsed"
    truncation: str = "NotUsed"
    id: int = 0
    external_id: int = 0


@dataclass
class Input:
    name: str
    component: "Component" = None
    description: str = ""
    columns: list = field(default_factory=list)
    external: bool = False
    side_effects: bool = False
    operation: str = ""
    error: str = "NotUsed"
    truncation: str = "NotUsed"
    id: int = 0

    def ref_id(self) -> str:
        return f"{self.component.ref_id()}.Inputs[{self.name}]"


@dataclass
class Output:
    name: str
    component: "Component" = None
    description: str = ""
    columns: list = field(default_factory=list)
    synchronous: Optional[Input] = None
    exclusion: int = 0
    is_error: bool = False
    delete_on_detach: bool = False
    external: bool = False
    is_sorted: bool = False
    properties: list = field(default_factory=list)
    operation: str = ""
    error: str = "NotUsed"
    truncation: str = "NotUsed"
    upstream: list = field(default_factory=list)
    id: int = 0

    def ref_id(self) -> str:
        return f"{self.component.ref_id()}.Outputs[{self.name}]"

    def rows(self) -> list:
        """The columns that flow out of here: what came in, and what this output adds."""
        return self.upstream + self.columns

    def column(self, name: str) -> Column:
        for column in reversed(self.rows()):
            if column.name == name:
                return column
        raise KeyError(f"{self.ref_id()} has no column {name}")


# class names by format: 8, 6, 3, 2
CLASSES = {
    "FlatFileSource": ("Microsoft.FlatFileSource", "{D23FD76B-F51D-420F-BBCB-19CBF6AC1AB4}",
                       "{5ACD952A-F16A-41D8-A681-713640837664}", "{90C7770B-DE7C-435E-880E-E718C92C0573}"),
    "FlatFileDestination": ("Microsoft.FlatFileDestination", "{8DA75FED-1B7C-407D-B2AD-2B24209CCCA4}",
                            "{D658C424-8CF0-441C-B3C4-955E183B7FBA}", "{A1DF9F6D-8EE4-4EF0-BB2E-D526130D7A7B}"),
    "DerivedColumn": ("Microsoft.DerivedColumn", "{49928E82-9C4E-49F0-AABE-3812B82707EC}",
                      "{2932025B-AB99-40F6-B5B8-783A73F80E24}", "{9CF90BF0-5BCC-4C63-B91D-1F322DC12C26}"),
    "ConditionalSplit": ("Microsoft.ConditionalSplit", "{7F88F654-4E20-4D14-84F4-AF9C925D3087}",
                         "{3AE878C6-0D6C-4F48-8128-40E00E9C1B7D}", "{53A228EE-EBFA-48D6-A1AC-5269E5824A2C}"),
    "DataConvert": ("Microsoft.DataConvert", "{62B1106C-7DB8-4EC8-ADD6-4C664DFFC54A}",
                    "{BD06A22E-BC69-4AF7-A69B-C44C2EF684BB}", "{C3BF62C8-7C5C-4F85-83C3-E0B6F6BE267C}"),
    "Multicast": ("Microsoft.Multicast", "{EC139FBC-694E-490B-8EA7-35690FB0F445}",
                  "{1ACA4459-ACE0-496F-814A-8611F9C27E23}", "{F1CEE4CE-066D-4FBE-9DC4-4C697A617264}"),
    "UnionAll": ("Microsoft.UnionAll", "{B594E9A8-4351-4939-891C-CFE1AB93E925}",
                 "{4D9F9B7C-84D9-4335-ADB0-2542A7E35422}", "{C5E47A29-265C-4F93-82CA-D8462EE23278}"),
    "Lookup": ("Microsoft.Lookup", "{671046B0-AA63-4C9F-90E4-C06E0B710CE3}", "{27648839-180F-45E6-838D-AFF53DF682D2}",
               "{0FB4AABB-C027-4440-809A-1198049BF117}"),
    "Cache": ("Microsoft.Cache", "{BF818E79-2C1C-410D-ADEA-B2D1A04FED01}", "{A236DD44-4409-433E-A1CE-283DA18F4E0F}",
              None),
    "Sort": ("Microsoft.Sort", "{5B1A3FF5-D366-4D75-AD1F-F19A36FCBEDB}",
             "{07127A7C-164B-422A-AD1F-24BE39B4DB38}", "{F1CEE4CE-066D-4FBE-9DC4-CD97202F3450}"),
    "MergeJoin": ("Microsoft.MergeJoin", "{14D43A4F-D7BD-489D-829E-6DE35750CFE4}",
                  "{A18A4D58-7C7A-4448-8B98-AE2CEFE81B4C}", "{0D598A60-0A32-4B1B-A72C-5030B64E3A20}"),
    "OLEDBSource": ("Microsoft.OLEDBSource", "{165A526D-D5DE-47FF-96A6-F8274C19826B}",
                    "{BCEFE59B-6819-47F7-A125-63753B33ABB7}", "{2C0A8BE5-1EDC-4353-A0EF-B778599C65A0}"),
    "OLEDBDestination": ("Microsoft.OLEDBDestination", "{4ADA7EAA-136C-4215-8098-D7A7C27FC0D1}",
                         "{5A0B62E8-D91D-49F5-94A5-7BE58DE508F0}", "{E2568105-9550-4F71-A638-B7FE42E66922}"),
    "RowCount": ("Microsoft.RowCount", "{E2697D8C-70DA-42B2-8208-A19CE3A9FE41}",
                 "{150E6007-7C6A-4CC3-8FF3-FC73783A972E}", "{DE50D3C7-41AF-4804-9247-CF1DEB147971}"),
    "Aggregate": ("Microsoft.Aggregate", "{5B201335-B360-485C-BB93-75C34E09B3D3}",
                  "{9ABE8DF3-0052-42DB-8B18-2089E1D1D1B7}", "{F40CF2A6-384A-4C57-B99C-ADAF31E51EBC}"),
    "Managed": ("Microsoft.ManagedComponentHost", "{874F7595-FB5F-40FF-96AF-FBFF8250E3EF}",
                "{2E42D45B-F83C-400F-8D77-61DDE6A7DF29}", "{BF01D463-7089-41EE-8F05-0A6DC17CE633}"),
}
FORMATS = (8, 6, 3, 2)

FRIENDLY_NAMES = {"FlatFileSource": "Flat File Source", "FlatFileDestination": "Flat File Destination",
                  "DerivedColumn": "Derived Column", "ConditionalSplit": "Conditional Split",
                  "DataConvert": "Data Conversion", "Multicast": "Multicast", "UnionAll": "Union All",
                  "Lookup": "Lookup", "Cache": "Cache Transform", "RowCount": "Row Count", "Sort": "Sort",
                  "MergeJoin": "Merge Join", "Aggregate": "Aggregate", "OLEDBDestination": "OLE DB Destination",
                  "OLEDBSource": "OLE DB Source"}


@dataclass
class Component:
    kind: str
    name: str
    flow: "DataFlow" = None
    description: str = ""
    version: int = 0
    locale: int = -1
    dispositions: bool = False
    properties: list = field(default_factory=list)
    connection: Optional["Connection"] = None
    inputs: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    id: int = 0

    def ref_id(self) -> str:
        return f"{self.flow.ref_id()}\\{self.name}"

    def contact(self) -> str:
        if self.kind == "Managed":
            return self.description + ";Microsoft Corporation;Microsoft SQL Server; Microsoft Corporation; " \
                   "All Rights Reserved; http://www.microsoft.com/sql/support;" + str(self.version)
        return f"{FRIENDLY_NAMES[self.kind]};Microsoft Corporation; Microsoft SQL Server; (C) Microsoft Corporation; " \
               f"All Rights Reserved; http://www.microsoft.com/sql/support;{self.version}"


def machine_expression(friendly: str, scope: Output) -> Callable[[int], str]:
    """The stored form of an expression: columns as lineage references, function names in brackets."""
    pattern = re.compile(r'"(?:\\.|[^"\\])*"|@\[[^\]]*\]|@\w+|\(DT_[^)]*\)|NULL\s*\(DT_[^)]*\)|\[[^\]]*\]|[A-Za-z_]\w*'
                         r'|\d[\w.]*')

    def render(fmt: int) -> str:
        out, at = [], 0
        for match in pattern.finditer(friendly):
            token = match.group(0)
            out.append(friendly[at:match.start()])
            at = match.end()
            if token[0] in '"@(' or token[0].isdigit() or token.startswith("NULL") or token in ("TRUE", "FALSE"):
                out.append(token)
            elif friendly[at:at + 1] == "(":
                out.append(f"[{token}]")
            else:
                out.append(scope.column(token.strip("[]")).token(fmt))
        return "".join(out) + friendly[at:]

    return render


FAST_PARSE = "Indicates whether the column uses the faster, locale-neutral parsing routines."
EXPRESSION = "Specifies the expression. This expression version uses lineage identifiers instead of column names."
FRIENDLY = "Specifies the friendly version of the expression. This expression version uses column names."


def ole_db(table: str, mode: str, statement: list = ()) -> list:
    """The properties that the OLE DB source and destination both have; `statement` stands in their midst."""
    return [
        Property("CommandTimeout", "System.Int32", "0", "The number of seconds before a command times out.  "
                 "A value of 0 indicates an infinite time-out."),
        Property("OpenRowset", "System.String", table,
                 "Specifies the name of the database object used to open a rowset."),
        Property("OpenRowsetVariable", "System.String", "", "Specifies the variable that contains the name of "
                 "the database object used to open a rowset."),
        *statement,
        Property("DefaultCodePage", "System.Int32", "1252", "Specifies the column code page to use when code "
                 "page information is unavailable from the data source."),
        Property("AlwaysUseDefaultCodePage", "System.Boolean", "false", "Forces the use of the "
                 "DefaultCodePage property value when describing character data."),
        Property("AccessMode", "System.Int32", mode, "Specifies the mode used to access the database.",
                 type_converter="AccessMode")]


class DataFlow:
    """A Data Flow task. Methods add a component and return it; its outputs are what the next one takes."""

    kind = "Pipeline"

    def __init__(self, name: str):
        self.name, self.components, self.paths = name, [], []
        self.parent, self.next_id, self.expressions, self.handlers = None, 1, {}, []
        self.variables, self.disabled, self.delayed, self.constraints, self.children = [], False, False, [], []

    def ref_id(self) -> str:
        return f"{self.parent.ref_id()}\\{self.name}"

    def take_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def _add(self, component: Component) -> Component:
        component.flow = self
        component.id = self.take_id()
        for port in component.inputs + component.outputs:
            port.component = component
            port.id = self.take_id()
        for port in component.outputs:
            for column in port.columns:
                self._own(port, column)
        self.components.append(component)
        return component

    def _own(self, output: Output, column: Column) -> Column:
        column.owner, column.id = output, self.take_id()
        column.external_id = self.take_id() if column.external else 0
        return column

    def _connect(self, source: Output, target: Input) -> None:
        taken = {path[0] for path in self.paths}
        name, n = source.name, 1
        while name in taken:
            name, n = f"{source.name}{n}", n + 1
        self.paths.append((name, source, target, self.take_id()))

    def _error_output(self, name: str, target: Optional[Input], source: Output = None, description: str = "") -> Output:
        return Output(name, description=description, synchronous=target, exclusion=1 if target else 0, is_error=True,
                      upstream=source.rows() if source else [],
                      columns=[Column("ErrorCode", I4, special=1), Column("ErrorColumn", I4, special=2)])

    def _use(self, target: Input, column: Column, **more) -> InputColumn:
        for used in target.columns:
            if used.source is column and not more:
                return used
        used = InputColumn(column, **more)
        used.id = self.take_id()
        used.external_id = self.take_id() if used.external else 0
        target.columns.append(used)
        return used

    def _use_all(self, target: Input, source: Output, friendly: str) -> None:
        """Marks the columns that an expression reads as used."""
        names = set(re.findall(r"[A-Za-z_]\w*", re.sub(r'"(?:\\.|[^"\\])*"', "", friendly)))
        names |= set(re.findall(r"\[([^\]]+)\]", friendly))
        for column in source.rows():
            if column.name in names:
                self._use(target, column)

    def flat_file_source(self, name: str, connection: "Connection", retain_nulls: bool = False, error="FailComponent",
                         truncation="FailComponent", fast_parse=False) -> Component:
        columns = [Column(column.name, column.type, external=True, operation="Conversion", error=error,
                          truncation=truncation, properties=[
                              Property("FastParse", "System.Boolean", str(fast_parse).lower(), FAST_PARSE),
                              Property("UseBinaryFormat", "System.Boolean", "false",
                                       "Indicates whether the data is in binary format.")])
                   for column in connection.columns]
        raw = "Flat File Source Error Output Column"
        bad = self._error_output("Flat File Source Error Output", None)
        bad.columns.insert(0, Column(raw, TEXT(connection.code_page), description=raw))
        return self._add(Component(
            "FlatFileSource", name, description="Flat File Source", version=1, locale=1033, dispositions=True,
            connection=connection, properties=[
                Property("RetainNulls", "System.Boolean", str(retain_nulls).lower(),
                         "Specifies whether zero-length columns are treated as null."),
                Property("FileNameColumnName", "System.String", "",
                         "Specifies the name of an output column containing the file name. If no name is specified, "
                         "no output column containing the file name will be generated.")],
            outputs=[Output("Flat File Source Output", columns=columns, external=True), bad]))

    def flat_file_destination(self, name: str, source: Output, connection: "Connection", overwrite: bool = True,
                              escape_qualifier: bool = False, mapping: Optional[dict] = None) -> Component:
        """Maps file columns to columns of the same name; `mapping` is file column → data flow column."""
        target = Input("Flat File Destination Input", external=True, side_effects=True)
        component = self._add(Component(
            "FlatFileDestination", name, description="Flat File Destination", version=1, locale=1033,
            connection=connection, inputs=[target], properties=[
                Property("Overwrite", "System.Boolean", str(overwrite).lower(),
                         "Specifies whether the data will overwrite or append to the destination file."),
                Property("Header", "System.Null", None,
                         "Specifies the text to write to the destination file before any data is written.",
                         notify=True),
                Property("EscapeQualifier", "System.Boolean", str(escape_qualifier).lower(),
                         "When text qualifier is enabled, specifies whether the text qualifier in the data written to "
                         "the destination file will be escaped or not.")]))
        for column in connection.columns:
            self._use(target, source.column((mapping or {}).get(column.name, column.name)),
                      external=column.name, external_type=column.type)
        self._connect(source, target)
        return component

    def oledb_source(self, name: str, connection: "Connection", table: str, columns: list,
                     error="FailComponent", truncation="FailComponent") -> Component:
        """All of a table. `columns`: (column of the table and of the data flow, its type)."""
        columns = [Column(column, kind, external=True, operation="Conversion", error=error, truncation=truncation)
                   for column, kind in columns]
        bad = self._error_output("OLE DB Source Error Output", None)
        bad.columns[:0] = [Column(column.name, column.type) for column in columns]
        return self._add(Component(
            "OLEDBSource", name, description="OLE DB Source", version=7, dispositions=True, connection=connection,
            properties=[
                *ole_db(table, "0", [
                    Property("SqlCommand", "System.String", "", "The SQL command to be executed."),
                    Property("SqlCommandVariable", "System.String", "",
                             "The variable that contains the SQL command to be executed.")]),
                Property("ParameterMapping", "System.String", "",
                         "The mappings between the parameters in the SQL command and variables.")],
            outputs=[Output("OLE DB Source Output", columns=columns, external=True), bad]))

    def oledb_destination(self, name: str, source: Output, connection: "Connection", table: str,
                          columns: list, error: str = "FailComponent") -> Component:
        """Fast load. `columns`: (column of the table and of the data flow, its type in the table)."""
        target = Input("OLE DB Destination Input", external=True, side_effects=True, operation="Insert", error=error)
        component = self._add(Component(
            "OLEDBDestination", name, description="OLE DB Destination", version=4, dispositions=True,
            connection=connection, inputs=[target],
            outputs=[self._error_output("OLE DB Destination Error Output", target, source)],
            properties=[
                *ole_db(table, "3"),
                Property("FastLoadKeepIdentity", "System.Boolean", "false", "Indicates whether the values supplied "
                         "for identity columns will be copied to the destination."),
                Property("FastLoadKeepNulls", "System.Boolean", "false", "Indicates whether the columns containing "
                         "null will have null inserted in the destination."),
                Property("FastLoadOptions", "System.String", "TABLOCK,CHECK_CONSTRAINTS",
                         "Specifies options to be used with fast load.  Applies only if fast load is turned on."),
                Property("FastLoadMaxInsertCommitSize", "System.Int32", "2147483647",
                         "Specifies when commits are issued during data insertion.")]))
        for column, kind in columns:
            self._use(target, source.column(column), external=column, external_type=kind)
        self._connect(source, target)
        return component

    def derived_column(self, name: str, source: Output, new: list = (), replace: dict = None,
                       error: str = "FailComponent", truncation: str = "FailComponent") -> Component:
        """`new`: (name, type, expression) for columns to add; `replace`: column → expression."""
        target = Input("Derived Column Input", description="Input to the Derived Column Transformation")
        output = Output("Derived Column Output", description="Default Output of the Derived Column Transformation",
                        synchronous=target, exclusion=1, upstream=source.rows())
        bad = self._error_output("Derived Column Error Output", target, source,
                                 "Error Output of the Derived Column Transformation")
        component = self._add(Component(
            "DerivedColumn", name, dispositions=True, inputs=[target], outputs=[output, bad],
            description="Creates new column values by applying expressions to transformation input columns."))

        def properties(friendly: str) -> list:
            return [Property("Expression", "System.String", machine_expression(friendly, source),
                             "Derived Column Expression", contains_id=True),
                    Property("FriendlyExpression", "System.String", friendly, "Derived Column Friendly Expression",
                             contains_id=True, notify=True)]

        for column, friendly in (replace or {}).items():
            self._use(target, source.column(column), read_write=True, properties=properties(friendly),
                      operation="Computation", error=error, truncation=truncation)
            self._use_all(target, source, friendly)
        for column, kind, friendly in new:
            output.columns.append(self._own(output, Column(
                column, kind, properties=properties(friendly), operation="Computation", error=error,
                truncation=truncation)))
            self._use_all(target, source, friendly)
        self._connect(source, target)
        return component

    def conditional_split(self, name: str, source: Output, cases: list, default: str) -> Component:
        """`cases`: (output name, expression), in order."""
        target = Input("Conditional Split Input", description="Input to the Conditional Split Transformation")
        outputs = []
        for order, (case, friendly) in enumerate(cases):
            outputs.append(Output(
                case, description=f"Output {order + 1} of the Conditional Split Transformation", synchronous=target,
                exclusion=1, operation="Computation", error="FailComponent", truncation="FailComponent",
                upstream=source.rows(), properties=[
                    Property("Expression", "System.String", machine_expression(friendly, source), EXPRESSION,
                             contains_id=True),
                    Property("FriendlyExpression", "System.String", friendly, FRIENDLY, contains_id=True, notify=True),
                    Property("EvaluationOrder", "System.Int32", str(order),
                             "Specifies the position of the condition in the list of conditions that the "
                             "transformation evaluates. The evaluation order is from the lowest to the highest "
                             "value.")]))
        outputs.append(Output(default, description="Default Output of the Conditional Split Transformation",
                              synchronous=target, exclusion=1, upstream=source.rows(),
                              properties=[Property("IsDefaultOut", "System.Boolean", "true")]))
        outputs.append(self._error_output("Conditional Split Error Output", target, source,
                                          "Error Output of the Conditional Split Transformation"))
        component = self._add(Component(
            "ConditionalSplit", name, dispositions=True, inputs=[target], outputs=outputs,
            description="Routes data rows to different outputs depending on the content of the data."))
        for _, friendly in cases:
            self._use_all(target, source, friendly)
        self._connect(source, target)
        return component

    def data_conversion(self, name: str, source: Output, columns: list, error: str = "FailComponent",
                        truncation: str = "FailComponent") -> Component:
        """`columns`: (input column, output alias, type)."""
        target = Input("Data Conversion Input")
        output = Output("Data Conversion Output", synchronous=target, exclusion=1, upstream=source.rows())
        component = self._add(Component(
            "DataConvert", name, dispositions=True, inputs=[target],
            outputs=[output, self._error_output("Data Conversion Error Output", target, source)],
            description="Converts data from one data type to another, or adds column copies to the dataset."))
        for column, alias, kind in columns:
            read = source.column(column)
            self._use(target, read)
            output.columns.append(self._own(output, Column(
                alias, kind, operation="Conversion", error=error, truncation=truncation, properties=[
                    Property("SourceInputColumnLineageID", "System.Int32",
                             lambda fmt, read=read: read.token(fmt, False),
                             "Specifies the input column used as the source of data for the conversion.",
                             contains_id=True),
                    Property("FastParse", "System.Boolean", "false", FAST_PARSE)])))
        self._connect(source, target)
        return component

    def multicast(self, name: str, source: Output, n_outputs: int) -> Component:
        target = Input("Multicast Input 1")
        component = self._add(Component(
            "Multicast", name, inputs=[target],
            outputs=[Output(f"Multicast Output {n + 1}", synchronous=target, delete_on_detach=True,
                            upstream=source.rows()) for n in range(n_outputs)],
            description="Distributes every input row to every row in one or more outputs."))
        self._connect(source, target)
        return component

    def cache_transform(self, name: str, source: Output, connection: "Connection") -> Component:
        """Columns go to the columns of the cache of the same name."""
        target = Input("Cache Input", side_effects=True)
        component = self._add(Component(
            "Cache", name, version=1, inputs=[target], connection=connection,
            outputs=[Output("Cache Output", synchronous=target, upstream=source.rows())],
            properties=[Property("TreatDuplicateKeysAsError", "System.Boolean", "false",
                                 "Determines whether duplicate keys in the reference data should be treated as errors "
                                 "when full cache mode is used.")],
            description="Writes data to a cache (a .caw file) with the Cache Connection Manager."))
        for column in connection.columns:
            self._use(target, source.column(column.name), properties=[
                Property("CacheColumnName", "System.String", column.name,
                         "The cache column associated with the input column.")])
        self._connect(source, target)
        return component

    def lookup(self, name: str, source: Output, connection: "Connection", joins: dict, copies: list,
               no_match: bool = False, error: str = "FailComponent") -> Component:
        """In a cache. `joins`: input column → reference column; `copies`: reference columns."""
        target = Input("Lookup Input")
        output = Output("Lookup Match Output", synchronous=target, exclusion=1, operation="Lookup",
                        error="NotUsed" if no_match else error, upstream=source.rows())
        misses = Output("Lookup No Match Output", synchronous=target, exclusion=1, upstream=source.rows())
        metadata = "".join(
            f'<referenceColumn name="{column.name}" dataType="DT_{column.type.name.upper()}" '
            f'length="{column.type.length}" precision="{column.type.precision}" scale="{column.type.scale}" '
            f'codePage="{column.type.code_page}"/>' for column in connection.columns)
        keys = [source.column(column) for column in joins]
        component = self._add(Component(
            "Lookup", name, version=6, dispositions=True, inputs=[target], connection=connection,
            outputs=[output, misses, self._error_output("Lookup Error Output", target, source)],
            properties=[
                Property("SqlCommand", "System.String", "", "Specifies the SQL statement that generates the lookup "
                         "table.", notify=True),
                Property("SqlCommandParam", "System.String", "", "Specifies a SQL statement that uses parameters to "
                         "generate the lookup table.", notify=True),
                Property("ConnectionType", "System.Int32", "1",
                         "Specifies the type of connection used to access the reference dataset.",
                         type_converter="LookupConnectionType"),
                Property("CacheType", "System.Int32", "0", "Specifies the cache type of the lookup table.",
                         type_converter="CacheType"),
                Property("NoMatchBehavior", "System.Int32", "1" if no_match else "0",
                         "Specifies how the Lookup transformation handles rows without matching entries in the "
                         "reference data set.", type_converter="LookupNoMatchBehavior"),
                Property("NoMatchCachePercentage", "System.Int32", "0",
                         "Specifies the percentage of the cache that is allocated for rows with no matching entries "
                         "in the reference dataset."),
                Property("MaxMemoryUsage", "System.Int32", "25",
                         "Maximum Memory Usage for Reference Cache on a 32 bit platform."),
                Property("MaxMemoryUsage64", "System.Int64", "25",
                         "Maximum Memory Usage for Reference Cache on a 64 bit platform."),
                Property("ReferenceMetadataXml", "System.String", "<referenceMetadata><referenceColumns>" + metadata +
                         "</referenceColumns></referenceMetadata>",
                         "Indicates whether to reference metadata in an XML format."),
                Property("ParameterMap", "System.String",
                         lambda fmt: "".join(key.token(fmt) + ";" for key in keys),
                         "Specifies the list of lineage identifiers that map to the parameters that the SQL statement "
                         "in the SQLCommand property uses. Entries in the list are separated by semicolons.",
                         contains_id=True),
                Property("DefaultCodePage", "System.Int32", "1252", "Specifies the column code page to use when code "
                         "page information is unavailable from the data source."),
                Property("TreatDuplicateKeysAsError", "System.Boolean", "false",
                         "Determines whether duplicate keys in the reference data should be treated as errors when "
                         "full cache mode is used.")],
            description="Joins additional columns to the data flow by looking up values in a table."))
        for key, reference in zip(keys, joins.values()):
            self._use(target, key, properties=[
                Property("JoinToReferenceColumn", "System.String", reference,
                         "Specifies the column in the reference table that a column joins."),
                Property("CopyFromReferenceColumn", "System.Null", None,
                         "Specifies the column in the reference table from which a column is copied.")])
        types = {column.name: column.type for column in connection.columns}
        for column in copies:
            output.columns.append(self._own(output, Column(
                column, types[column], operation="Copy Column", truncation="FailComponent", properties=[
                    Property("CopyFromReferenceColumn", "System.String", column,
                             "Specifies the column in the reference table from which a column is copied.")])))
        self._connect(source, target)
        return component

    def row_count(self, name: str, source: Output, variable: str) -> Component:
        target = Input("Row Count Input 1", side_effects=True)
        component = self._add(Component(
            "RowCount", name, inputs=[target],
            outputs=[Output("Row Count Output 1", synchronous=target, upstream=source.rows())],
            properties=[Property("VariableName", "System.String", variable,
                                 "Specifies the variable to hold the row count.")],
            description="Counts rows as they pass through a data flow."))
        self._connect(source, target)
        return component

    def union_all(self, name: str, sources: list, columns: list) -> Component:
        """`columns`: (output name, type, [column of input 1, column of input 2, …])."""
        inputs = [Input(f"Union All Input {n + 1}", side_effects=n > 0) for n in range(len(sources))]
        output = Output("Union All Output 1", columns=[Column(column, kind) for column, kind, _ in columns])
        component = self._add(Component(
            "UnionAll", name, version=1, inputs=inputs, outputs=[output],
            description="Combines rows from multiple data flows without sorting."))
        for (alias, _, parts), column in zip(columns, output.columns):
            for target, source, part in zip(inputs, sources, parts):
                self._use(target, source.column(part), properties=[
                    Property("OutputColumnLineageID", "System.Int32",
                             lambda fmt, column=column: column.token(fmt, False), "Output column lineage ID",
                             contains_id=True)])
        for target, source in zip(inputs, sources):
            self._connect(source, target)
        return component

    def sort(self, name: str, source: Output, keys: list, eliminate_duplicates: bool = False) -> Component:
        """`keys`: names, the most significant first; one that begins with a minus is descending. All columns pass."""
        target = Input("Sort Input")
        positions = {key.lstrip("-"): -n if key.startswith("-") else n for n, key in enumerate(keys, 1)}
        output = Output("Sort Output", is_sorted=True, columns=[
            Column(column.name, column.type, sort_key=positions.get(column.name, 0), properties=[
                Property("SortColumnId", "System.Int32", lambda fmt, column=column: column.token(fmt, False), "",
                         contains_id=True)]) for column in source.rows()])
        component = self._add(Component(
            "Sort", name, inputs=[target], outputs=[output],
            description="Sorts data in ascending or descending order.", properties=[
                Property("EliminateDuplicates", "System.Boolean", str(eliminate_duplicates).lower(),
                         "Specifies whether rows with duplicate sort values are removed from the data set."),
                Property("MaximumThreads", "System.Int32", "-1",
                         "Specifies the maximum number of concurrent threads that can be used for sorting.")]))
        for column in source.rows():
            self._use(target, column, properties=[
                Property("NewComparisonFlags", "System.Int32", "0"),
                Property("NewSortKeyPosition", "System.Int32", str(positions.get(column.name, 0)))])
        self._connect(source, target)
        return component

    def merge_join(self, name: str, left: Output, right: Output, columns: list, join_type: int = 2,
                   n_keys: int = 1) -> Component:
        """`columns`: (side, name), side 0 is the left input; sort keys come from those of the inputs' columns."""
        inputs = [Input("Merge Join Left Input", side_effects=True), Input("Merge Join Right Input", side_effects=True)]
        sources = [left, right]
        component = self._add(Component(
            "MergeJoin", name, inputs=inputs, outputs=[Output("Merge Join Output", is_sorted=True)],
            description="Combines two sorted data flows into one using the MERGE JOIN.", properties=[
                Property("JoinType", "System.Int32", str(join_type), "Specifies the type of join to perform.",
                         type_converter="JoinType"),
                Property("NumKeyColumns", "System.Int32", str(n_keys),
                         "Specifies the number of columns in the ordering key."),
                Property("TreatNullsAsEqual", "System.Boolean", "true",
                         "Indicates whether the null values are treated as equal values."),
                Property("MaxBuffersPerInput", "System.Int32", "5",
                         "Indicates the requested maximum buffers per input before blocking.")]))
        for target, source in zip(inputs, sources):
            for column in source.rows():
                if 1 <= abs(column.sort_key) <= n_keys:
                    self._use(target, column)
        for side, column in columns:
            used = self._use(inputs[side], sources[side].column(column))
            made = Column(column, used.source.type, sort_key=used.source.sort_key if side == 0 else 0, properties=[
                Property("InputColumnID", "System.Int32",
                         lambda fmt, ref=inputs[side], used=used: f"#{{{ref.ref_id()}.Columns[{used.source.name}]}}"
                         if fmt >= 6 else str(used.id), "", contains_id=True)])
            component.outputs[0].columns.append(self._own(component.outputs[0], made))
        for target, source in zip(inputs, sources):
            self._connect(source, target)
        return component

    def aggregate(self, name: str, source: Output, columns: list) -> Component:
        """`columns`: (output name, type, operation, column of the input; none for "count all")."""
        operations = ("group by", "count", "count all", "count distinct", "sum", "average", "minimum", "maximum")
        target = Input("Aggregate Input 1")
        output = Output("Aggregate Output 1", columns=[Column(alias, kind) for alias, kind, _, _ in columns], properties=[
            Property("Keys", "System.Null", None, "Specifies the exact number of keys that the aggregation can write."),
            Property("KeyScale", "System.Int32", "0", "Specifies the approximate number of keys that the aggregation "
                     "can write.")])
        component = self._add(Component(
            "Aggregate", name, inputs=[target], outputs=[output], properties=[
                Property("Keys", "System.Null", None, "Indicates the exact number of keys that the aggregation "
                         "can write."),
                Property("KeyScale", "System.Int32", "0", "Indicates the approximate number of keys that the "
                         "aggregation can write."),
                Property("CountDistinctKeys", "System.Null", None, "Specifies the exact number of count distinct keys "
                         "that the aggregation can write."),
                Property("CountDistinctScale", "System.Int32", "0", "Specifies the approximate number of distinct "
                         "values in a column that the aggregation can count."),
                Property("AutoExtendFactor", "System.Int32", "25", "Specifies the percentage by which memory can be "
                         "extended during the aggregation.")],
            description="Aggregates data with functions such as average, sum, and count, and copies the results to "
                        "the transformation output."))
        for (_, _, operation, column), made in zip(columns, output.columns):
            used = source.column(column) if column else None
            if used:
                self._use(target, used)
            number = operations.index(operation)
            made.properties = [
                Property("AggregationColumnId", "System.Int32",
                         lambda fmt, used=used: used.token(fmt, False) if used else "0",
                         "Specifies the column ID of the input column that the output column is created from.",
                         contains_id=True),
                Property("AggregationType", "System.Int32", str(number), "Specifies the aggregation operation."),
                Property("IsBig", "System.Int32", "1", "Specifies whether the column contains a value larger than "
                         "4 billion or a value with more precision than a 4-byte number.")]
            if operation in ("group by", "count distinct"):
                made.properties.append(Property("AggregationComparisonFlags", "System.Int32", "0",
                                                "Specifies how the aggregation compares string data in a column."))
        self._connect(source, target)
        return component

    def data_reader(self, name: str, source: Output, columns: list) -> Component:
        target = Input("DataReader Destination Input", side_effects=True)
        component = self._add(Component(
            "Managed", name, inputs=[target],
            description="Exposes data in a data flow to other applications by using the ADO.NET DataReader interface.",
            properties=[
                Property("DataReader", "System.Null", None, "Specifies the name of the DataReader."),
                Property("ReadTimeout", "System.Int32", "30000",
                         "Indicates the number of milliseconds before a time-out occurs."),
                Property("FailOnTimeout", "System.Boolean", "false",
                         "Indicates whether the component fails when a read time-out occurs."),
                Property("UserComponentTypeName", "System.String", lambda fmt: "Microsoft.DataReaderDestinationAdapter"
                         if fmt == 8 else "Microsoft.SqlServer.Dts.Pipeline.DataReaderDestinationAdapter, "
                         "Microsoft.SqlServer.DataReaderDest, Version=" + {6: "11.0.0.0", 3: "10.0.0.0",
                                                                           2: "9.0.242.0"}[fmt]
                         + ", Culture=neutral, PublicKeyToken=89845dcd8080cc91")]))
        for column in columns:
            self._use(target, source.column(column))
        self._connect(source, target)
        return component


# ----------------------------------------------------------------------------------------------------- connections etc.

@dataclass
class FileColumn:
    name: str
    type: Type
    qualified: bool = True


@dataclass
class Connection:
    """A connection manager: FLATFILE with its columns, CACHE with its columns (`keys` are the index), OLEDB or FILE."""

    name: str
    path: str
    kind: str = "FLATFILE"
    columns: list = field(default_factory=list)
    separator: str = ","
    row_end: str = "\r\n"
    qualifier: str = ""
    header: bool = True
    code_page: int = 1252
    usage: int = 0
    keys: list = field(default_factory=list)
    expressions: dict = field(default_factory=dict)
    package: str = ""

    def guid(self) -> str:
        return guid(self.package, "connection", self.name)


@dataclass
class Variable:
    name: str
    data_type: int
    value: str
    expression: str = ""
    namespace: str = "User"


class Container:
    """The package, a Sequence, a For Loop, a Foreach Loop over files or a schema rowset, or an event handler."""

    def __init__(self, kind: str, name: str, **more):
        self.kind, self.name, self.more = kind, name, more
        self.parent, self.children, self.constraints = None, [], []
        self.variables, self.handlers, self.expressions, self.disabled, self.delayed = [], [], {}, False, False

    def ref_id(self) -> str:
        if self.kind == "Package":
            return "Package"
        if self.kind == "EventHandler":
            return f"{self.parent.ref_id()}.EventHandlers[{self.name}]"
        return f"{self.parent.ref_id()}\\{self.name}"

    def add(self, child):
        child.parent = self
        self.children.append(child)
        return child

    def then(self, first, second, value: int = 0, expression: str = "", both: bool = True, op: int = None) -> None:
        """A precedence constraint. `value`: 0 success, 1 failure, 2 completion. `both` = LogicalAnd."""
        name = "Constraint" if not self.constraints else f"Constraint {len(self.constraints)}"
        operation = op if op is not None else (3 if expression else 2)
        self.constraints.append((name, first, second, value, operation, expression, both))

    def handler(self, event: str) -> "Container":
        return handler(self, event)


def handler(owner, event: str) -> Container:
    """An event handler of a package, container or task."""
    made = Container("EventHandler", event)
    made.parent = owner
    made.variables.append(Variable("Propagate", 11, "-1", namespace="System"))
    owner.handlers.append(made)
    return made


class Task:
    """A task with one element as its data."""

    def __init__(self, kind: str, name: str, data: Element):
        self.kind, self.name, self.data = kind, name, data
        self.parent, self.children, self.constraints = None, [], []
        self.variables, self.handlers, self.expressions, self.disabled, self.delayed = [], [], {}, False, False

    def ref_id(self) -> str:
        return f"{self.parent.ref_id()}\\{self.name}"


def expression_task(name: str, expression: str) -> Task:
    return Task("Expression", name, Element("ExpressionTask", {"Expression": expression}))


def file_system_task(name: str, operation: str, source: str, destination: str = None, overwrite: bool = False,
                     source_variable: bool = False, destination_variable: bool = False) -> Task:
    """`source` and `destination` are connection GUIDs, or variables where marked so."""
    attributes = {"TaskOperationType": None if operation == "CopyFile" else operation, "TaskSourcePath": source,
                  "TaskIsSourceVariable": "True" if source_variable else None,
                  "TaskDestinationPath": destination,
                  "TaskIsDestinationVariable": "True" if destination_variable else None,
                  "TaskOverwriteDestFile": "True" if overwrite else None}
    return Task("FileSystem", name, Element("FileSystemData", attributes))


def execute_sql_task(name: str, connection: str, statement: str, results: dict = None) -> Task:
    """`connection` is a GUID; `results`, of a single row: column → variable."""
    prefix = "SQLTask:"
    attributes = {prefix + "Connection": connection, prefix + "SqlStatementSource": statement,
                  prefix + "ResultType": "ResultSetType_SingleRow" if results else None}
    data = Element(f'{prefix}SqlTaskData xmlns:SQLTask="www.microsoft.com/sqlserver/dts/tasks/sqltask"', attributes)
    for column, variable in (results or {}).items():
        data.add(Element(prefix + "ResultBinding", {prefix + "ResultName": column, prefix + "DtsVariableName": variable}))
    return Task("ExecuteSQL", name, data)


# executable types by format: 8, 6, 3, 2
def _managed(stem: str, assembly: str) -> tuple:
    def full(version: str) -> str:
        return f"Microsoft.SqlServer.Dts.Tasks.{stem}, Microsoft.SqlServer.{assembly}, Version={version}, " \
               "Culture=neutral, PublicKeyToken=89845dcd8080cc91"
    return full("11.0.0.0"), full("10.0.0.0"), full("9.0.242.0")


EXECUTABLES = {
    "Package": ("Microsoft.Package", "SSIS.Package.3", "SSIS.Package.2", "MSDTS.Package.1"),
    "Pipeline": ("Microsoft.Pipeline", "SSIS.Pipeline.3", "SSIS.Pipeline.2", "DTS.Pipeline.1"),
    "Sequence": ("STOCK:SEQUENCE",) * 4,
    "ForLoop": ("STOCK:FORLOOP",) * 4,
    "ForEachFile": ("STOCK:FOREACHLOOP",) * 4,
    "ForEachSchema": ("STOCK:FOREACHLOOP",) * 4,
    "FileSystem": ("Microsoft.FileSystemTask", *_managed("FileSystemTask.FileSystemTask", "FileSystemTask")),
    "ExecuteSQL": ("Microsoft.ExecuteSQLTask", *_managed("ExecuteSQLTask.ExecuteSQLTask", "SQLTask")),
    "Expression": ("Microsoft.ExpressionTask", *_managed("ExpressionTask.ExpressionTask", "ExpressionTask")),
}
DESCRIPTIONS = {"Pipeline": "Data Flow Task", "Sequence": "Sequence Container", "ForLoop": "For Loop Container",
                "ForEachFile": "Foreach Loop Container", "ForEachSchema": "Foreach Loop Container",
                "FileSystem": "File System Task",
                "Expression": "Expression Task", "ExecuteSQL": "Execute SQL Task"}
PRODUCT = {8: "16.0.5270.0", 6: "11.0.2100.60", 3: "10.50.1600.1", 2: None}
SCHEMA_ENUMERATOR = "Microsoft.SqlServer.Dts.Runtime.Enumerators.ADO.ForEachSchemaRowsetEnumerator, " \
                    "Microsoft.SqlServer.ForEachADOEnumerator, Version={}, Culture=neutral, " \
                    "PublicKeyToken=89845dcd8080cc91"
ENUMERATOR = {
    "ForEachFile": {8: "Microsoft.ForEachFileEnumerator", 6: "DTS.ForEachFileEnumerator.3",
                    3: "DTS.ForEachFileEnumerator.2", 2: "DTS.ForEachFileEnumerator.1"},
    "ForEachSchema": {8: "Microsoft.ForEachSchemaRowsetEnumerator", 6: SCHEMA_ENUMERATOR.format("11.0.0.0"),
                      3: SCHEMA_ENUMERATOR.format("10.0.0.0"), 2: SCHEMA_ENUMERATOR.format("9.0.242.0")},
}
PIPELINE_CONTACT = ("Performs high-performance data extraction, transformation and loading;Microsoft Corporation; "
                    "Microsoft SQL Server; (C) Microsoft Corporation; All Rights Reserved;"
                    "http://www.microsoft.com/sql/support/default.asp;1")


class Package(Container):
    def __init__(self, name: str, fmt: int = 8):
        super().__init__("Package", name)
        self.fmt, self.connections = fmt, []

    def flat_file(self, name: str, path: str, columns: list, **more) -> Connection:
        made = Connection(name, path, columns=columns, package=self.name, **more)
        self.connections.append(made)
        return made

    def cache(self, name: str, columns: list, keys: list, path: str = "") -> Connection:
        """`keys` are the names of the index columns, in order; `path` is a .caw file, if one is used."""
        made = Connection(name, path, kind="CACHE", columns=columns, keys=keys, package=self.name)
        self.connections.append(made)
        return made

    def file(self, name: str, path: str, usage: int = 0) -> Connection:
        made = Connection(name, path, kind="FILE", usage=usage, package=self.name)
        self.connections.append(made)
        return made

    def oledb(self, name: str, text: str) -> Connection:
        """`text` is the connection string."""
        made = Connection(name, text, kind="OLEDB", package=self.name)
        self.connections.append(made)
        return made

    def ado_net(self, name: str, text: str) -> Connection:
        """`text` is a connection string of OLE DB."""
        kind = "ADO.NET:System.Data.OleDb.OleDbConnection, System.Data, Version=4.0.0.0, Culture=neutral, " \
               "PublicKeyToken=b77a5c561934e089"
        made = Connection(name, text, kind=kind, package=self.name)
        self.connections.append(made)
        return made

    def variable(self, name: str, data_type: int, value: str, expression: str = "") -> None:
        self.variables.append(Variable(name, data_type, value, expression))

    def text(self) -> str:
        import writers
        return writers.write(self)

    def save(self, path: str) -> None:
        newline = "\r\n"
        bom = "\ufeff" if self.fmt >= 6 else ""
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(bom + self.text().replace("\n", newline))
