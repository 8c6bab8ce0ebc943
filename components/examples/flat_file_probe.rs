//! Runs a typed round trip of a delimited file through the engine and says how long it took.
//!
//! ```text
//! flat_file_probe round|decode FILE THREADS [OUT]
//! ```
//!
//! The file has the 16 columns of the `lineitem` table: four integers, four decimals (15,2), two texts, three dates,
//! three texts; comma, line feed, a header, texts in quotes. `decode` drops the rows behind the source.

use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::{Diagnostic, Error, Result};
use dtsx_engine::events::{Events, Message};
use dtsx_engine::flow::{
    BindEnv, Block, Commit, Committed, ComponentKind, ComponentSpec, Encode, ExternalColumnSpec, FlowSpec,
    InputColumnSpec, InputSpec, Kinds, Layout, LineageId, OpenCx, OutputColumnSpec, OutputSpec, PathSpec, Sink, Tap,
    Waker, bind, execute,
};
use dtsx_engine::props::{DataNode, Origin, PropertyBag};
use dtsx_engine::run::{RunOptions, Services};
use dtsx_engine::types::DataType;
use dtsx_engine::variables::{NoVariables, VariableAccess};
use std::sync::Arc;
use std::time::Instant;

/// The allocator of the command line.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Aloud;

impl Events for Aloud {
    fn fire(&self, message: Message) {
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{}\n", message.text));
    }
    fn progress(&self, _: &str, _: u8, _: &str) {}
}

struct Catalog;

impl Kinds for Catalog {
    fn component(&self, kind: &str) -> Option<&'static dyn ComponentKind> {
        dtsx_components::catalog::find_component(kind)
    }
    fn unknown_component(&self, spec: &ComponentSpec) -> Diagnostic {
        dtsx_components::catalog::unsupported_component(spec)
    }
}

/// Takes batches and drops them.
struct Nowhere;

impl Sink for Nowhere {
    fn accepts_selection(&self) -> bool {
        true
    }
    fn open(&self, _: &OpenCx, _: &Layout) -> Result<Box<dyn Commit>> {
        Ok(Box::new(Nowhere))
    }
    fn encoder(&self, _: &OpenCx, _: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(Nowhere))
    }
}

impl Encode for Nowhere {
    fn encode(&mut self, batch: dtsx_engine::batch::Batch) -> Result<Block> {
        Ok(Box::new(batch.rows))
    }
}

impl Commit for Nowhere {
    fn commit(&mut self, _: Block, _: &Waker) -> Result<Committed> {
        Ok(Committed::Taken)
    }
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

fn columns() -> Vec<(String, DataType)> {
    let text = |len| DataType::Str { len, code_page: 65001 };
    let money = DataType::Numeric { precision: 15, scale: 2 };
    [
        ("l_orderkey", DataType::I8),
        ("l_partkey", DataType::I4),
        ("l_suppkey", DataType::I4),
        ("l_linenumber", DataType::I4),
        ("l_quantity", money),
        ("l_extendedprice", money),
        ("l_discount", money),
        ("l_tax", money),
        ("l_returnflag", text(1)),
        ("l_linestatus", text(1)),
        ("l_shipdate", DataType::DbDate),
        ("l_commitdate", DataType::DbDate),
        ("l_receiptdate", DataType::DbDate),
        ("l_shipinstruct", text(25)),
        ("l_shipmode", text(10)),
        ("l_comment", text(200)),
    ]
    .map(|(name, ty)| (name.to_owned(), ty))
    .to_vec()
}

fn connection(path: &str) -> ConnectionSpec {
    let mut spec = ConnectionSpec { kind: "FLATFILE".into(), name: path.into(), ..ConnectionSpec::default() };
    for (name, value) in [
        ("Format", "Delimited"),
        ("CodePage", "65001"),
        ("LocaleID", "1033"),
        ("ColumnNamesInFirstDataRow", "True"),
        ("HeaderRowDelimiter", "\n"),
        ("TextQualifier", "\""),
        ("ConnectionString", path),
    ] {
        spec.properties.set_text(name, value, Origin::Package);
    }
    let all = columns();
    for (i, (name, ty)) in all.iter().enumerate() {
        let number = |n: i64| n.to_string();
        let attributes = vec![
            ("ObjectName".to_owned(), name.clone()),
            ("ColumnType".to_owned(), "Delimited".to_owned()),
            ("ColumnDelimiter".to_owned(), if i + 1 == all.len() { "\n" } else { "," }.to_owned()),
            ("DataType".to_owned(), number(i64::from(ty.code()))),
            ("MaximumWidth".to_owned(), number(i64::from(ty.length()))),
            ("DataPrecision".to_owned(), number(i64::from(ty.precision()))),
            ("DataScale".to_owned(), number(i64::from(ty.scale()))),
            ("TextQualified".to_owned(), if ty.is_string() { "True" } else { "False" }.to_owned()),
        ];
        spec.data.children.push(DataNode { name: "FlatFileColumn".into(), attributes, ..DataNode::default() });
    }
    spec
}

fn flow(round: bool) -> FlowSpec {
    let external: Vec<ExternalColumnSpec> = columns()
        .into_iter()
        .map(|(name, data_type)| ExternalColumnSpec {
            id: name.clone(),
            name,
            data_type,
            properties: PropertyBag::default(),
        })
        .collect();
    let outputs = columns()
        .into_iter()
        .enumerate()
        .map(|(i, (name, data_type))| OutputColumnSpec {
            external: Some(i),
            ..OutputColumnSpec::new(i as u32 + 1, &name, data_type)
        })
        .collect();
    let source = ComponentSpec {
        name: "Source".into(),
        path: r"\Probe\Source".into(),
        kind: "Microsoft.FlatFileSource".into(),
        connections: vec![("FlatFileConnection".into(), "in".into())],
        locale: 1033,
        outputs: vec![OutputSpec {
            name: "Out".into(),
            columns: outputs,
            external: external.clone(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let inputs = columns()
        .into_iter()
        .enumerate()
        .map(|(i, (name, _))| InputColumnSpec {
            lineage: LineageId(i as u32 + 1),
            name,
            external: Some(i),
            ..Default::default()
        })
        .collect();
    let mut properties = PropertyBag::default();
    properties.set_text("EscapeQualifier", "True", Origin::Package);
    let destination = ComponentSpec {
        name: "Destination".into(),
        path: r"\Probe\Destination".into(),
        kind: "Microsoft.FlatFileDestination".into(),
        connections: vec![("FlatFileConnection".into(), "out".into())],
        properties,
        locale: 1033,
        inputs: vec![InputSpec { name: "In".into(), columns: inputs, external, ..Default::default() }],
        ..Default::default()
    };
    let mut flow = FlowSpec { path: r"\Probe".into(), components: vec![source], ..FlowSpec::default() };
    if round {
        flow.components.push(destination);
        flow.paths.push(PathSpec { name: "Path".into(), from: (0, 0), to: (1, 0) });
    }
    flow
}

fn run(mode: &str, file: &str, threads: usize, out: &str) -> Result<String> {
    let round = mode == "round";
    let flow = flow(round);
    let tapped: &[(usize, usize)] = if round { &[] } else { &[(0, 0)] };
    let connections = |id: &str| Ok(connection(if id == "in" { file } else { out }));
    let services = Services::new(RunOptions { threads, ..RunOptions::default() })?;
    let env = BindEnv {
        kinds: &Catalog,
        variables: &NoVariables,
        connections: &connections,
        services: &services,
        online: true,
        tapped,
    };
    let (plan, diagnostics) = bind(&flow, &env);
    let plan = plan.ok_or_else(|| Error::internal(format!("{diagnostics:?}")))?;
    let taps: Vec<Tap> = tapped
        .iter()
        .map(|(component, output)| Tap { component: *component, output: *output, sink: Arc::new(Nowhere) })
        .collect();
    let started = Instant::now();
    let variables: Arc<dyn VariableAccess> = Arc::new(NoVariables);
    let events: Arc<dyn Events> = Arc::new(Aloud);
    execute(&Arc::new(plan), &services, &variables, &events, &taps, None)?;
    Ok(format!("{mode} {threads} threads: {:.3} s", started.elapsed().as_secs_f64()))
}

fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let text = match args.as_slice() {
        [_, mode, file, threads, rest @ ..] => {
            let out = rest.first().map_or("/dev/null", String::as_str);
            run(mode, file, threads.parse().unwrap_or(1), out)
        }
        _ => Err(Error::internal("usage: flat_file_probe round|decode FILE THREADS [OUT]")),
    };
    let (text, status) = match text {
        Ok(text) => (text, 0),
        Err(error) => (error.to_string(), 1),
    };
    let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{text}\n"));
    status.into()
}
