//! What holds rows beside a flow: databases in files, and caches.

use super::Table;
use super::ends::{TestKinds, TestSource};
use super::specs::{Lineages, bag, input_column};
use super::variables::TestVariables;
use crate::text::{Cache, Cell, Column};
use arrow::array::{Array, ArrayRef};
use dtsx_components::db::{Database, Lease, StatementOptions};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::flow::*;
use dtsx_engine::props::{DataNode, Origin};
use dtsx_engine::run::{RunOptions, Services};
use dtsx_engine::types::DataType;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The rows of a query, `NAME.db SELECT …`, in a database of the folder.
pub fn query(folder: &Path, text: &str) -> Table {
    let (file, sql) = text.split_once(' ').unwrap();
    let mut session = lease(&folder.join(file));
    let mut cursor = session.query(sql, &[], &StatementOptions::default()).unwrap();
    let header: Vec<String> = cursor.columns().iter().map(|c| c.name.clone()).collect();
    let mut rows = Vec::new();
    while let Some(block) = cursor.next().unwrap() {
        let cell = |column: &ArrayRef, row: usize| {
            (!column.is_null(row)).then(|| arrow::util::display::array_value_to_string(column, row).unwrap())
        };
        rows.extend((0..block.len).map(|row| block.columns.iter().map(|c| cell(c, row)).collect::<Vec<Cell>>()));
    }
    (header, rows)
}

/// A session with an SQLite database.
fn lease(path: &Path) -> Lease {
    let mut spec = ConnectionSpec { kind: "OLEDB".into(), ..ConnectionSpec::default() };
    spec.properties.set_text("ConnectionString", format!("sqlite:{}", path.display()), Origin::Package);
    let services = Services::new(RunOptions { threads: 1, ..RunOptions::default() }).unwrap();
    Database::of(&spec, &services).unwrap().lease().unwrap()
}

/// Makes an SQLite database by the statements in `sql`, one a line.
pub(super) fn database(path: &Path, sql: &str) {
    let mut session = lease(path);
    for statement in sql.lines() {
        session.execute(statement, &[], &StatementOptions::default()).unwrap();
    }
}

/// The connection manager of a cache.
pub(super) fn cache_manager(cache: &Cache) -> ConnectionSpec {
    let mut data = DataNode { name: "ConnectionManager".into(), ..DataNode::default() };
    for (name, data_type, position) in &cache.columns {
        let attributes = [
            ("ObjectName", name.clone()),
            ("DataType", data_type.code().to_string()),
            ("Length", data_type.length().to_string()),
            ("Precision", data_type.precision().to_string()),
            ("Scale", data_type.scale().to_string()),
            ("CodePage", data_type.code_page().to_string()),
            ("IndexPosition", position.to_string()),
        ];
        let attributes = attributes.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
        data.children.push(DataNode { name: "CacheColumn".into(), attributes, ..DataNode::default() });
    }
    ConnectionSpec {
        id: cache.name.clone(),
        name: cache.name.clone(),
        path: format!(r"\Package.Connections[{}]", cache.name),
        kind: "CACHE".into(),
        properties: bag(&cache.properties, &[]),
        data,
    }
}

/// The flow that writes the rows of a cache.
pub(super) fn fill(
    cache: &Cache,
    connections: &HashMap<String, ConnectionSpec>,
    variables: &Arc<TestVariables>,
) -> Arc<FlowPlan> {
    let columns: Vec<(String, DataType)> = cache.columns.iter().map(|(n, t, _)| (n.clone(), *t)).collect();
    let sources = HashMap::from([("Test.Source".to_owned(), TestSource::of(&columns, &cache.rows, false))]);
    let mut lineages = Lineages::default();
    let outputs: Vec<_> = columns.iter().map(|c| lineages.output_column("Rows", &Column::of(c))).collect();
    let mut input = InputSpec { id: "In".into(), name: "In".into(), ..InputSpec::default() };
    for column in &outputs {
        let mut taken = input_column(column, None, &mut Vec::new());
        taken.properties.set_text("CacheColumnName", column.name.clone(), Origin::Package);
        input.columns.push(taken);
    }
    let rows = ComponentSpec {
        name: "Rows".into(),
        path: r"\Package\Fill\Rows".into(),
        kind: "Test.Source".into(),
        outputs: vec![OutputSpec { name: "Out".into(), columns: outputs, ..OutputSpec::default() }],
        ..ComponentSpec::default()
    };
    let writer = ComponentSpec {
        name: "Writer".into(),
        path: r"\Package\Fill\Writer".into(),
        kind: "Microsoft.Cache".into(),
        connections: vec![("CacheConnection".into(), cache.name.clone())],
        inputs: vec![input],
        outputs: vec![OutputSpec { name: "Out".into(), synchronous_input: Some(0), ..OutputSpec::default() }],
        ..ComponentSpec::default()
    };
    let flow = FlowSpec {
        path: r"\Package\Fill".into(),
        components: vec![rows, writer],
        paths: vec![PathSpec { name: "Rows".into(), from: (0, 0), to: (1, 0) }],
        lineage_names: Arc::new(lineages.names),
        ..FlowSpec::default()
    };
    let env = BindEnv {
        kinds: &TestKinds { sources: &sources },
        variables: &**variables,
        connections: &|id: &str| Ok(connections[id].clone()),
        services: &Services::new(RunOptions { threads: 1, ..RunOptions::default() }).unwrap(),
        online: true,
        tapped: &[],
    };
    let (plan, diagnostics) = bind(&flow, &env);
    Arc::new(plan.unwrap_or_else(|| panic!("the cache {}: {diagnostics:#?}", cache.name)))
}
