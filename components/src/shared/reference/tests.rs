use super::*;
use arrow::array::{AsArray, Decimal128Array, Int32Array, Int64Array, StringViewArray};
use arrow::datatypes::Int32Type;
use dtsx_engine::memory::{Budget, SpillManager};
use std::collections::HashMap;

fn spec(keys: &[DataType]) -> Arc<ReferenceSpec> {
    let mut columns: Vec<ReferenceColumn> =
        keys.iter().enumerate().map(|(i, t)| ReferenceColumn { name: format!("k{i}"), data_type: *t }).collect();
    columns.push(ReferenceColumn { name: "n".into(), data_type: DataType::I4 });
    columns.push(ReferenceColumn { name: "text".into(), data_type: DataType::WStr { len: 40 } });
    Arc::new(ReferenceSpec { columns, keys: (0..keys.len()).collect() })
}

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// A key as text, None for NULL.
type Key = Vec<Option<String>>;

fn array(data_type: &DataType, values: &[Option<String>]) -> ArrayRef {
    match data_type {
        DataType::I4 => {
            Arc::new(values.iter().map(|v| v.as_ref().map(|v| v.parse::<i32>().unwrap())).collect::<Int32Array>())
        }
        DataType::I8 => Arc::new(
            // Far apart, so that no array by value serves.
            values.iter().map(|v| v.as_ref().map(|v| v.parse::<i64>().unwrap() << 40)).collect::<Int64Array>(),
        ),
        DataType::Numeric { precision, scale } => Arc::new(
            values
                .iter()
                .map(|v| v.as_ref().map(|v| v.parse::<i128>().unwrap()))
                .collect::<Decimal128Array>()
                .with_precision_and_scale(*precision, *scale as i8)
                .unwrap(),
        ),
        _ => Arc::new(
            values.iter().map(|v| v.as_deref().map(|v| format!("{v} and so on, {v}"))).collect::<StringViewArray>(),
        ),
    }
}

fn roll_key(types: &[DataType], dice: &mut Dice, spread: u64) -> Key {
    types.iter().map(|_| (dice.roll(20) > 0).then(|| dice.roll(spread).to_string())).collect()
}

fn columns(types: &[DataType], keys: &[Key]) -> Vec<ArrayRef> {
    let column = |(i, t): (usize, &DataType)| array(t, &keys.iter().map(|k| k[i].clone()).collect::<Vec<_>>());
    types.iter().enumerate().map(column).collect()
}

/// Builds a table of `keys` in chunks that arrive in the wrong order; the payload is the place of the row.
fn build(types: &[DataType], keys: &[Key], budget: &Arc<Budget>) -> Arc<Table> {
    let builder = Builder::with(spec(types), budget, &Arc::new(SpillManager::new(None)));
    let chunks: Vec<(usize, &[Key])> = keys.chunks(37).enumerate().collect();
    for (chunk, keys) in chunks.iter().rev() {
        let mut all = columns(types, keys);
        let first = (chunk * 37) as i32;
        all.push(Arc::new(Int32Array::from_iter_values(first..first + keys.len() as i32)));
        let text = (0..keys.len()).map(|i| Some(format!("the text of row {}", first as usize + i)));
        all.push(Arc::new(text.collect::<StringViewArray>()));
        builder.add(((chunk / 2) as u64, (chunk % 2) as u32), &all).unwrap();
    }
    Arc::new(builder.finish().unwrap())
}

fn places(table: &Arc<Table>, types: &[DataType], keys: &[Key]) -> Vec<Option<i32>> {
    let wanted = vec![types.len(), types.len() + 1];
    let mut prober = table.prober(wanted).unwrap();
    let mut places = Vec::new();
    for keys in keys.chunks(50) {
        let found = prober.find(&columns(types, keys), keys.len()).unwrap();
        let fetched = prober.fetch(&found).unwrap();
        let (numbers, texts) = (fetched[0].as_primitive::<Int32Type>(), fetched[1].as_string_view());
        for row in 0..keys.len() {
            assert_eq!(found.rows[row] == NONE, numbers.is_null(row));
            let place = numbers.is_valid(row).then(|| numbers.value(row));
            assert_eq!(
                place.map(|p| format!("the text of row {p}")).as_deref(),
                texts.is_valid(row).then(|| texts.value(row))
            );
            places.push(place);
        }
    }
    places
}

#[test]
fn every_kind_of_key_finds_its_first_row_in_memory_and_on_disk() {
    let numeric = DataType::Numeric { precision: 20, scale: 3 };
    let text = DataType::WStr { len: 40 };
    let kinds: &[&[DataType]] = &[
        &[DataType::I4],
        &[DataType::I8],
        &[numeric],
        &[text],
        &[DataType::I4, DataType::I8],
        &[text, DataType::I4, numeric],
    ];
    let mut dice = Dice(7);
    for types in kinds {
        for (rows, spread) in [(0, 5), (1, 2), (400, 50), (3000, 2000), (200_000 / (1 + types.len() * 20), 100_000)] {
            let keys: Vec<Key> = (0..rows).map(|_| roll_key(types, &mut dice, spread)).collect();
            let probes: Vec<Key> = (0..500).map(|_| roll_key(types, &mut dice, spread * 2)).collect();
            let mut first = HashMap::new();
            for (place, key) in keys.iter().enumerate() {
                first.entry(key.clone()).or_insert(place as i32);
            }
            let expected: Vec<Option<i32>> = probes.iter().map(|key| first.get(key).copied()).collect();
            let free = Arc::new(Budget::new(None));
            let table = build(types, &keys, &free);
            assert_eq!(places(&table, types, &probes), expected, "{types:?} {rows}");
            assert_eq!((table.rows(), table.duplicates()), (first.len() as u64, (rows - first.len()) as u64));
            let peak = free.peak();
            for tenths in [20, 5, 3, 1] {
                let budget = Arc::new(Budget::new(Some(peak * tenths / 10)));
                let table = build(types, &keys, &budget);
                assert_eq!(table.is_paged(), tenths < 10 && rows > 0, "{types:?} {rows} {tenths}");
                assert_eq!(places(&table, types, &probes), expected, "{types:?} {rows} {tenths}");
                assert_eq!((table.rows(), table.duplicates()), (first.len() as u64, (rows - first.len()) as u64));
                // Whatever the limit is, one part of 64 has to be held whole; the rows of a key are in one part.
                assert!(budget.peak() <= (peak * tenths / 10).max(peak / 2));
                drop(table);
                assert_eq!(budget.used(), 0);
            }
        }
    }
}

#[test]
fn rows_on_disk_that_have_to_be_held_together_are_counted() {
    let types = [DataType::I4];
    let keys: Vec<Key> = (0..1000).map(|_| vec![Some("7".to_owned())]).collect();
    let budget = Arc::new(Budget::new(Some(10_000)));
    let table = build(&types, &keys, &budget);
    assert_eq!((table.rows(), table.duplicates()), (1, 999));
    // Their bytes, of each a number, a number and a text, and where they are.
    assert!(budget.peak() > 1000 * (5 + 5 + 17 + 48), "{} bytes", budget.peak());
    drop(table);
    assert_eq!(budget.used(), 0);
}

#[test]
fn each_row_that_can_be_found_is_handed_out_once() {
    let types = [DataType::I4];
    let keys: Vec<Key> = [3, 1, 3, 2, 1].iter().map(|k| vec![Some(k.to_string())]).collect();
    for limit in [None, Some(10)] {
        let table = build(&types, &keys, &Arc::new(Budget::new(limit)));
        assert_eq!(table.is_paged(), limit.is_some());
        let mut places = Vec::new();
        table
            .each(|columns| {
                places.extend(columns[1].as_primitive::<Int32Type>().values().iter().copied());
                Ok(())
            })
            .unwrap();
        places.sort_unstable();
        assert_eq!(places, [0, 1, 3]);
    }
}

#[test]
fn text_compares_exactly() {
    let types = [DataType::WStr { len: 40 }];
    let spec = spec(&types);
    let builder = Builder::with(spec, &Arc::new(Budget::new(None)), &Arc::new(SpillManager::new(None)));
    let keys = ["a", "A", "a ", "á", ""];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(keys.iter().map(|k| Some(*k)).chain([None]).collect::<StringViewArray>()),
        Arc::new(Int32Array::from_iter_values(0..6)),
        Arc::new(StringViewArray::new_null(6)),
    ];
    builder.add((0, 0), &columns).unwrap();
    let table = Arc::new(builder.finish().unwrap());
    let mut prober = table.prober(vec![]).unwrap();
    let probe: ArrayRef = Arc::new(
        [Some(""), Some("á"), Some("a\u{301}"), Some("a "), Some("a  "), Some("A"), Some("a"), None]
            .into_iter()
            .collect::<StringViewArray>(),
    );
    assert_eq!(prober.find(&[probe], 8).unwrap().rows, [4, 3, NONE, 2, NONE, 1, 0, 5]);
}
