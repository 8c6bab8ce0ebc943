//! What a lookup costs a row: keys that lie close together (an array by value), far apart (a hash table), and texts; in
//! memory and from disk. The time an element is the time a row that is looked up.
#![expect(clippy::expect_used, reason = "a benchmark whose flow fails has nothing to measure")]

use arrow::array::{ArrayRef, Int64Array, StringViewArray};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dtsx_components::catalog;
use dtsx_engine::batch::Batch;
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::events::{Events, Quiet};
use dtsx_engine::flow::{
    BindCx, BindEnv, Bound, ComponentKind, ComponentSpec, Decode, Disposition, Dispositions, Fetch, FlowPlan, FlowSpec,
    InputColumnSpec, InputSpec, Kinds, Layout, Morsel, OpenCx, OutputColumnSpec, OutputSpec, PathSpec, Ports, Source,
    Step, Waker, bind, execute,
};
use dtsx_engine::props::{DataNode, Origin, PropertyBag};
use dtsx_engine::run::{RunOptions, Services};
use dtsx_engine::types::DataType;
use dtsx_engine::variables::{NoVariables, VariableAccess};
use std::sync::Arc;

const REFERENCE: i64 = 1_000_000;
const ROWS: i64 = 1_000_000;
const BATCH: i64 = 8192;

/// How keys look.
#[derive(Clone, Copy, PartialEq)]
enum Keys {
    Close,
    Far,
    Text,
}

impl Keys {
    fn data_type(self) -> DataType {
        if self == Keys::Text { DataType::WStr { len: 40 } } else { DataType::I8 }
    }

    fn array(self, numbers: impl Iterator<Item = i64>) -> ArrayRef {
        match self {
            Keys::Close => Arc::new(Int64Array::from_iter_values(numbers)),
            Keys::Far => Arc::new(Int64Array::from_iter_values(
                numbers.map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64)),
            )),
            Keys::Text => Arc::new(StringViewArray::from_iter_values(numbers.map(|n| format!("customer number {n}")))),
        }
    }
}

/// Sends batches of two columns: a key and a number.
struct Rows(Arc<Vec<[ArrayRef; 2]>>);

impl Rows {
    /// `n` rows whose keys come in the order of `place`.
    fn new(keys: Keys, n: i64, place: impl Fn(i64) -> i64) -> Rows {
        let batch = |start: i64| {
            let numbers: Vec<i64> = (start..(start + BATCH).min(n)).map(&place).collect();
            [keys.array(numbers.iter().copied()), Arc::new(Int64Array::from(numbers)) as ArrayRef]
        };
        Rows(Arc::new((0..n).step_by(BATCH as usize).map(batch).collect()))
    }
}

impl ComponentKind for Rows {
    fn kind(&self) -> &'static str {
        "Bench.Rows"
    }
    fn title(&self) -> &'static str {
        "Rows"
    }
    fn bind(&self, _: &ComponentSpec, _: &mut BindCx<'_>) -> Option<Bound> {
        Some(Bound::Source(Box::new(Rows(self.0.clone()))))
    }
}

impl Source for Rows {
    fn open(&self, _: &OpenCx) -> Result<Box<dyn Fetch>> {
        Ok(Box::new(Cursor { rows: self.0.clone(), next: 0 }))
    }
    fn decoder(&self, _: &OpenCx, _: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Rows(self.0.clone())))
    }
}

impl Decode for Rows {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let columns = *morsel.downcast::<[ArrayRef; 2]>().map_err(|_| Error::internal("not mine"))?;
        out.put(0, Batch::new(seq, columns[0].len(), columns.to_vec()));
        Ok(())
    }
}

struct Cursor {
    rows: Arc<Vec<[ArrayRef; 2]>>,
    next: usize,
}

impl Fetch for Cursor {
    fn fetch(&mut self, _: &Waker) -> Result<Step<Morsel>> {
        self.next += 1;
        Ok(self.rows.get(self.next - 1).map_or(Step::Done, |columns| Step::More(Box::new(columns.clone()))))
    }
}

struct BenchKinds(&'static Rows);

impl Kinds for BenchKinds {
    fn component(&self, kind: &str) -> Option<&'static dyn ComponentKind> {
        if kind == "Bench.Rows" { Some(self.0) } else { catalog::find_component(kind) }
    }
    fn unknown_component(&self, spec: &ComponentSpec) -> dtsx_engine::diag::Diagnostic {
        catalog::unsupported_component(spec)
    }
}

fn bag(pairs: &[(&str, &str)]) -> PropertyBag {
    let mut bag = PropertyBag::default();
    pairs.iter().for_each(|(name, value)| bag.set_text(name, *value, Origin::Package));
    bag
}

fn output(lineage: u32, name: &str, data_type: DataType, properties: PropertyBag) -> OutputColumnSpec {
    OutputColumnSpec { properties, ..OutputColumnSpec::new(lineage, name, data_type) }
}

fn cache_manager(keys: Keys) -> ConnectionSpec {
    let column = |name: &str, data_type: DataType, position: &str| DataNode {
        name: "CacheColumn".into(),
        attributes: [
            ("ObjectName", name.to_owned()),
            ("DataType", data_type.code().to_string()),
            ("Length", data_type.length().to_string()),
            ("IndexPosition", position.to_owned()),
        ]
        .map(|(n, v)| (n.to_owned(), v))
        .to_vec(),
        ..DataNode::default()
    };
    ConnectionSpec {
        id: "Cache".into(),
        name: "Cache".into(),
        kind: "CACHE".into(),
        data: DataNode {
            children: vec![column("key", keys.data_type(), "1"), column("number", DataType::I8, "0")],
            ..DataNode::default()
        },
        ..ConnectionSpec::default()
    }
}

/// A flow of rows into a component of `kind`.
fn plan(services: &Services, keys: Keys, rows: Rows, kind: &str) -> Arc<FlowPlan> {
    let columns = vec![
        output(1, "key", keys.data_type(), PropertyBag::default()),
        output(2, "number", DataType::I8, PropertyBag::default()),
    ];
    let lookup = kind == "Microsoft.Lookup";
    let taken = |(c, properties): (&OutputColumnSpec, PropertyBag)| InputColumnSpec {
        id: c.id.clone(),
        lineage: c.lineage,
        name: c.name.clone(),
        properties,
        ..InputColumnSpec::default()
    };
    let inputs = if lookup {
        vec![taken((&columns[0], bag(&[("JoinToReferenceColumn", "key")])))]
    } else {
        vec![
            taken((&columns[0], bag(&[("CacheColumnName", "key")]))),
            taken((&columns[1], bag(&[("CacheColumnName", "number")]))),
        ]
    };
    let found = output(3, "found", DataType::I8, bag(&[("CopyFromReferenceColumn", "number")]));
    let component = ComponentSpec {
        name: "Component".into(),
        path: format!("\\Package\\{kind}"),
        kind: kind.into(),
        properties: bag(&[("ConnectionType", "1")]),
        connections: vec![("CacheConnection".into(), "Cache".into())],
        inputs: vec![InputSpec { columns: inputs, ..InputSpec::default() }],
        outputs: vec![OutputSpec {
            synchronous_input: Some(0),
            dispositions: Dispositions { error: Disposition::Ignore, truncation: Disposition::Fail },
            columns: if lookup { vec![found] } else { Vec::new() },
            ..OutputSpec::default()
        }],
        ..ComponentSpec::default()
    };
    let source = ComponentSpec {
        name: "Rows".into(),
        kind: "Bench.Rows".into(),
        outputs: vec![OutputSpec { columns, ..OutputSpec::default() }],
        ..ComponentSpec::default()
    };
    let flow = FlowSpec {
        components: vec![source, component],
        paths: vec![PathSpec { name: "Rows".into(), from: (0, 0), to: (1, 0) }],
        ..FlowSpec::default()
    };
    let env = BindEnv {
        kinds: &BenchKinds(Box::leak(Box::new(rows))),
        variables: &NoVariables,
        connections: &|_| Ok(cache_manager(keys)),
        services,
        online: true,
        tapped: &[],
    };
    let (plan, diagnostics) = bind(&flow, &env);
    Arc::new(plan.unwrap_or_else(|| unreachable!("{diagnostics:?}")))
}

fn lookup(c: &mut Criterion) {
    let variables: Arc<dyn VariableAccess> = Arc::new(NoVariables);
    let events: Arc<dyn Events> = Arc::new(Quiet);
    let mut group = c.benchmark_group("lookup");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(10);
    for (name, keys) in [("close", Keys::Close), ("far", Keys::Far), ("text", Keys::Text)] {
        for (place, memory) in [("memory", None), ("disk", Some(8 << 20))] {
            let options = RunOptions { threads: 2, memory, ..RunOptions::default() };
            let services = Services::new(options).expect("a pool");
            let fill = plan(&services, keys, Rows::new(keys, REFERENCE, |n| n), "Microsoft.Cache");
            execute(&fill, &services, &variables, &events, &[], None).expect("the cache is filled");
            // Every other key is known, in an order that no processor's cache can follow.
            let shuffled = |n: i64| (n * 7_654_321) % (2 * REFERENCE);
            let look = plan(&services, keys, Rows::new(keys, ROWS, shuffled), "Microsoft.Lookup");
            group.bench_function(BenchmarkId::new(name, place), |b| {
                b.iter(|| execute(&look, &services, &variables, &events, &[], None).expect("the flow runs"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, lookup);
criterion_main!(benches);
