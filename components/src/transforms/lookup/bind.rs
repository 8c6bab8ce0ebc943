//! Validation: from what the package says to a [`Plan`].

use super::partial::{self, Ask, AskingLookup};
use super::run::{CachedLookup, Copied, Plan, Reference};
use crate::connections::cache;
use crate::db::StatementOptions;
use crate::shared::reference::query::ReferenceQuery;
use crate::shared::reference::{ReferenceColumn, ReferenceSpec, metadata};
use crate::transforms::{one_input, report_column};
use dtsx_engine::diag::{Code, Diagnostic, codes};
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite};
use dtsx_engine::flow::{BindCx, Bound, ComponentSpec, InputColumnSpec, OutputColumnSpec, Slot, Usage};
use dtsx_engine::types::convert::{CastOptions, can_cast};
use dtsx_engine::types::{DataType, MAX_STR_BYTES, MAX_WSTR_UNITS};
use std::sync::Arc;

const JOIN: &str = "JoinToReferenceColumn";
const COPY: &str = "CopyFromReferenceColumn";

pub(super) fn bind(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
    let before = cx.diagnostics.len();
    one_input(spec, cx)?;
    let (matched, no_match) = outputs(spec, cx)?;
    let choice = |name: &str, most: i64, cx: &mut BindCx<'_>| {
        let value = spec.properties.int(name).unwrap_or(0);
        if !(0..=most).contains(&value) {
            let code = codes::DTS_E_INCORRECTCUSTOMPROPERTYVALUE;
            cx.error(spec, code, code.message(&[&name]));
        }
        value
    };
    let cached = choice("ConnectionType", 1, cx) == 1;
    let cache_type = choice("CacheType", 2, cx);
    let to_no_match = choice("NoMatchBehavior", 1, cx) == 1;
    choice("NoMatchCachePercentage", 99, cx);
    if to_no_match && no_match.is_none() {
        let code = codes::DTS_E_INCORRECTEXACTNUMBEROFOUTPUTS;
        cx.error(spec, code, code.message(&[&2]));
    }
    if cached && cache_type != 0 {
        let code = codes::DTS_E_INCORRECTCUSTOMPROPERTYVALUE;
        cx.error(spec, code, format!("{} A Cache connection manager is a full cache.", code.message(&[&"CacheType"])));
    }
    let format = if cached { Some(cache::format(spec, cx)?) } else { None };
    let columns = match &format {
        Some(format) => format.spec.columns.clone(),
        None => described(spec, cx)?,
    };
    let mut joins = Vec::new();
    for column in &spec.inputs[0].columns {
        joins.extend(join(spec, cx, column, &columns));
    }
    let joined = |c: &InputColumnSpec| !c.properties.str(JOIN).is_empty();
    if !spec.inputs[0].columns.iter().any(joined) {
        let code = codes::DTS_E_TXLOOKUP_NOJOINS;
        cx.error(spec, code, code.message(&[]));
    }
    let copies = copies(spec, cx, matched, &columns);
    if let Some(format) = &format {
        joins = by_index(spec, cx, &format.spec, joins);
    }
    let miss = FaultSite::output(spec, matched);
    let sites = copies.iter().map(|c| &c.site).chain((!to_no_match).then_some(&miss));
    let errors = ErrorOutput::bind(spec, cx, sites);
    if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
        return None;
    }
    let (slots, keys): (Vec<Slot>, Vec<usize>) = joins.into_iter().unzip();
    let mut plan = Plan {
        name: spec.name.clone(),
        matched,
        no_match: no_match.filter(|_| to_no_match),
        key_names: slots.iter().map(|s| cx.inputs[0].column(*s).name.clone()).collect(),
        keys: slots,
        copies,
        errors,
        miss,
        options: CastOptions::data_flow(spec.locale),
    };
    if let Some(format) = format {
        let reference = Reference::Cache(Arc::new(format));
        return Some(Bound::Inline(Box::new(CachedLookup { plan: Arc::new(plan), reference })));
    }
    let reference = needed(&columns, &keys, &mut plan);
    let request = request(spec, cx, reference)?;
    if cache_type == 0 {
        let reference = Reference::Database(Arc::new(request));
        return Some(Bound::Inline(Box::new(CachedLookup { plan: Arc::new(plan), reference })));
    }
    let ask = ask(spec, cx, &plan, request, cache_type == 1)?;
    Some(Bound::Stage(Box::new(AskingLookup { plan: Arc::new(plan), ask: Arc::new(ask) })))
}

/// The reference columns that are joined or taken, and no others; the plan's columns become places among them.
fn needed(columns: &[ReferenceColumn], keys: &[usize], plan: &mut Plan) -> ReferenceSpec {
    let mut used: Vec<usize> = keys.iter().copied().chain(plan.wanted()).collect();
    used.sort_unstable();
    used.dedup();
    let place = |column: usize| used.iter().position(|u| *u == column).unwrap_or(0);
    for copied in &mut plan.copies {
        copied.column = place(copied.column);
    }
    ReferenceSpec {
        keys: keys.iter().map(|k| place(*k)).collect(),
        columns: used.iter().map(|u| columns[*u].clone()).collect(),
    }
}

/// The query for all reference rows.
fn request(spec: &ComponentSpec, cx: &mut BindCx<'_>, reference: ReferenceSpec) -> Option<ReferenceQuery> {
    let command = spec.properties.str("SqlCommand");
    if command.trim().is_empty() {
        let code = codes::DTS_E_PROPERTYISEMPTY;
        cx.error(spec, code, code.message(&[&"SqlCommand"]));
        return None;
    }
    let database = match crate::connections::database::bind_for_reading(spec, cx) {
        Ok(database) => database,
        Err(diagnostic) => {
            cx.diagnostics.push(diagnostic.with_span(spec.span));
            return None;
        }
    };
    let code_page = spec.properties.int("DefaultCodePage").and_then(|c| u32::try_from(c).ok()).unwrap_or(0);
    Some(ReferenceQuery {
        options: StatementOptions { code_page, ..StatementOptions::default() },
        fail_duplicates: spec.properties.bool("TreatDuplicateKeysAsError").unwrap_or(false),
        ..ReferenceQuery::new(database, Arc::new(reference), command.to_owned(), spec.locale)
    })
}

/// The query for one key, and the cache that it fills, if it fills one.
fn ask(
    spec: &ComponentSpec,
    cx: &mut BindCx<'_>,
    plan: &Plan,
    mut reference: ReferenceQuery,
    cached: bool,
) -> Option<Ask> {
    const MEGABYTE: i64 = 1 << 20;
    let mut command = spec.properties.str("SqlCommandParam").to_owned();
    if command.trim().is_empty() {
        // What the designer writes.
        let ReferenceSpec { columns, keys } = &*reference.spec;
        let key = |k: &usize| format!("[refTable].[{}] = ?", columns[*k].name.replace(']', "]]"));
        let keys: Vec<String> = keys.iter().map(key).collect();
        command = format!("select * from ({}) [refTable]\nwhere {}", reference.command, keys.join(" and "));
    }
    let mut params = Vec::new();
    for spelling in parameters(spec) {
        let slot = cx.lineage(spelling).and_then(|lineage| cx.inputs[0].slot(lineage));
        let Some(slot) = slot else {
            let code = codes::DTS_E_INCORRECTCUSTOMPROPERTYVALUE;
            cx.error(spec, code, format!("{} There is no column {spelling}.", code.message(&[&"ParameterMap"])));
            return None;
        };
        params.push(slot);
    }
    if params.is_empty() {
        params.clone_from(&plan.keys);
    }
    let megabytes =
        spec.properties.int("MaxMemoryUsage64").or_else(|| spec.properties.int("MaxMemoryUsage")).unwrap_or(25);
    let most = i64::MAX / MEGABYTE;
    if cached && !(1..=most).contains(&megabytes) {
        let code = codes::DTS_E_TXLOOKUP_INVALIDMAXMEMORYPROP;
        cx.error(spec, code, code.message(&[&"MaxMemoryUsage64", &1, &most]));
        return None;
    }
    let bytes = usize::try_from(megabytes.max(0) * MEGABYTE).unwrap_or(usize::MAX);
    let percent = spec.properties.int("NoMatchCachePercentage").unwrap_or(0).clamp(0, 99) as usize;
    let no_match_memory = if cached { bytes / 100 * percent } else { 0 };
    reference.options = partial::options(&reference.options);
    let params = params.into_iter().map(|slot| (slot, cx.inputs[0].column(slot).data_type)).collect();
    let memory = cached.then(|| bytes - no_match_memory);
    Some(Ask { reference: Arc::new(reference), command, params, memory, no_match_memory })
}

/// The match output and the no-match output: the first two that are no error outputs. Packages of SQL Server 2005 have
/// no second one.
fn outputs(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<(usize, Option<usize>)> {
    let regular: Vec<usize> = (0..spec.outputs.len()).filter(|o| !spec.outputs[*o].is_error).collect();
    match regular[..] {
        [matched] => Some((matched, None)),
        [matched, no_match] => Some((matched, Some(no_match))),
        _ => {
            let code = codes::DTS_E_INCORRECTEXACTNUMBEROFOUTPUTS;
            cx.error(spec, code, code.message(&[&2]));
            None
        }
    }
}

/// The reference columns as the package describes them. A package that describes none has those that it names, with the
/// types that it gives them.
fn described(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Vec<ReferenceColumn>> {
    let mut columns = match metadata::columns(spec.properties.str("ReferenceMetadataXml")) {
        Ok(columns) => columns,
        Err(problem) => {
            let code = codes::DTS_E_TXLOOKUP_METADATAXMLCACHEERR;
            cx.error(spec, code, format!("{} ReferenceMetadataXml: {problem}", code.message(&[])));
            return None;
        }
    };
    if columns.is_empty() {
        let mut add = |name: &str, data_type: DataType| {
            if !name.is_empty() && !columns.iter().any(|c| c.name == name) {
                // How long the texts are is not known: a shorter column cuts them, as its disposition says.
                let data_type = match data_type {
                    DataType::Str { code_page, .. } => DataType::Str { len: MAX_STR_BYTES, code_page },
                    DataType::WStr { .. } => DataType::WStr { len: MAX_WSTR_UNITS },
                    DataType::Bytes { .. } => DataType::Bytes { len: MAX_STR_BYTES },
                    other => other,
                };
                columns.push(ReferenceColumn { name: name.to_owned(), data_type });
            }
        };
        for column in &spec.inputs[0].columns {
            if let Some(slot) = cx.inputs[0].slot(column.lineage) {
                let data_type = cx.inputs[0].column(slot).data_type;
                add(column.properties.str(JOIN), data_type);
                add(column.properties.str(COPY), data_type);
            }
        }
        for column in spec.outputs.iter().flat_map(|o| &o.columns) {
            add(column.properties.str(COPY), column.data_type);
        }
    }
    Some(columns)
}

/// The reference column of that name: as it is written, or else without regard to letter case (unconfirmed).
fn find(columns: &[ReferenceColumn], name: &str) -> Option<usize> {
    let exact = columns.iter().position(|c| c.name == name);
    exact.or_else(|| columns.iter().position(|c| c.name.to_lowercase() == name.to_lowercase()))
}

/// The key that an input column is: where the input has it, and the reference column.
fn join(
    spec: &ComponentSpec,
    cx: &mut BindCx<'_>,
    column: &InputColumnSpec,
    columns: &[ReferenceColumn],
) -> Option<(Slot, usize)> {
    let object = format!("{}.Inputs[{}].Columns[{}]", spec.name, spec.inputs[0].name, column.name);
    // A lineage that the path does not bring is reported for every component alike.
    let slot = cx.inputs[0].slot(column.lineage)?;
    let name = column.properties.str(JOIN);
    if name.is_empty() {
        if column.properties.str(COPY).is_empty() && !is_parameter(spec, cx, column) {
            let code = codes::DTS_E_TXLOOKUP_UNUSEDINPUTCOLUMN;
            report_column(spec, cx, column, code, code.message(&[&object]));
        }
        return None;
    }
    let Some(place) = find(columns, name) else {
        let code = codes::DTS_E_TXLOOKUP_UNABLETOLOCATEREFCOLUMN;
        report_column(spec, cx, column, code, code.message(&[&name]));
        return None;
    };
    let (input, reference) = (cx.inputs[0].column(slot).data_type, columns[place].data_type);
    let code = if !is_key(&input) {
        codes::DTS_E_TXLOOKUP_INVALIDJOINTYPE
    } else if !comparable(&input, &reference) {
        codes::DTS_E_TXLOOKUP_INCOMPATIBLEDATATYPES
    } else {
        return Some((slot, place));
    };
    report_column(spec, cx, column, code, format!("{} ({input} and {reference})", code.message(&[&object, &name])));
    None
}

/// Whether ParameterMap names the column.
fn is_parameter(spec: &ComponentSpec, cx: &BindCx<'_>, column: &InputColumnSpec) -> bool {
    parameters(spec).any(|p| cx.lineage(p) == Some(column.lineage))
}

/// The columns of ParameterMap, as it spells them.
pub(super) fn parameters(spec: &ComponentSpec) -> impl Iterator<Item = &str> {
    spec.properties.str("ParameterMap").split(';').map(str::trim).filter(|p| !p.is_empty())
}

/// Whether values of the type can be keys: all but approximate numbers and BLOBs.
fn is_key(data_type: &DataType) -> bool {
    !data_type.is_blob() && !matches!(data_type, DataType::R4 | DataType::R8 | DataType::Null)
}

/// Whether values of two types of keys compare: the types are the same, lengths and precision aside.
fn comparable(a: &DataType, b: &DataType) -> bool {
    // Fractions of seconds stand for the same time, however many are kept.
    a.code() == b.code() && (a.scale() == b.scale() || a.is_date_time())
}

/// The columns that are taken: new ones of the match output, and columns of the input that are replaced.
fn copies(spec: &ComponentSpec, cx: &mut BindCx<'_>, matched: usize, columns: &[ReferenceColumn]) -> Vec<Copied> {
    let mut copies = Vec::new();
    for (i, column) in spec.inputs[0].columns.iter().enumerate() {
        let name = column.properties.str(COPY);
        let Some(slot) = cx.inputs[0].slot(column.lineage).filter(|_| !name.is_empty()) else { continue };
        if column.usage != Usage::ReadWrite {
            let code = codes::DTS_E_INVALIDUSAGETYPEFORCUSTOMPROPERTY;
            report_column(spec, cx, column, code, code.message(&[&column.name, &COPY]));
            continue;
        }
        let site = FaultSite::input_column(spec, 0, i);
        let to = cx.inputs[0].column(slot).data_type;
        copies.extend(copied(spec, cx, columns, name, to, Some(slot), site));
    }
    for (i, column) in spec.outputs[matched].columns.iter().enumerate() {
        let OutputColumnSpec { properties, data_type, .. } = column;
        let site = FaultSite::output_column(spec, matched, i);
        copies.extend(copied(spec, cx, columns, properties.str(COPY), *data_type, None, site));
    }
    copies
}

fn copied(
    spec: &ComponentSpec,
    cx: &mut BindCx<'_>,
    columns: &[ReferenceColumn],
    name: &str,
    to: DataType,
    place: Option<Slot>,
    site: FaultSite,
) -> Option<Copied> {
    let error = |cx: &mut BindCx<'_>, code: Code, message: String| {
        let mut diagnostic = Diagnostic::error(code, &spec.path, message).with_span(spec.span);
        diagnostic.column.clone_from(&site.column);
        cx.diagnostics.push(diagnostic);
    };
    let Some(column) = find(columns, name) else {
        let code = codes::DTS_E_TXLOOKUP_UNABLETOLOCATEREFCOLUMN;
        error(cx, code, format!("{} ({})", code.message(&[&name]), site.object));
        return None;
    };
    let from = columns[column].data_type;
    if !can_cast(&from, &to) {
        let code = codes::DTS_E_TXLOOKUP_INVALIDCOPYTYPE;
        error(cx, code, format!("{} ({from} into {to})", code.message(&[&site.object])));
        return None;
    }
    let as_it_is = match (from, to) {
        (DataType::WStr { len }, DataType::WStr { len: room }) => len <= room,
        (DataType::Str { len, code_page: a }, DataType::Str { len: room, code_page: b }) => len <= room && a == b,
        (DataType::Bytes { len }, DataType::Bytes { len: room }) => len <= room,
        _ => from == to,
    };
    Some(Copied { column, from, convert: (!as_it_is).then_some(to), place, site })
}

/// The keys in the order of the cache's index. All columns of the index have to be joined, each once, and no other.
fn by_index(
    spec: &ComponentSpec,
    cx: &mut BindCx<'_>,
    cache: &ReferenceSpec,
    joins: Vec<(Slot, usize)>,
) -> Vec<(Slot, usize)> {
    let mut ordered: Vec<Option<(Slot, usize)>> = vec![None; cache.keys.len()];
    for (slot, column) in joins {
        let name = &cache.columns[column].name;
        let input = cx.inputs[0].column(slot).name.clone();
        match cache.keys.iter().position(|k| *k == column) {
            None => {
                let code = codes::DTS_E_TXLOOKUP_REFCOLUMNISNOTINDEX;
                cx.error(spec, code, code.message(&[&input, name]));
            }
            Some(place) if ordered[place].is_some() => {
                let code = codes::DTS_E_TXLOOKUP_INDEXCOLUMNREUSED;
                cx.error(spec, code, code.message(&[name]));
            }
            Some(place) => ordered[place] = Some((slot, column)),
        }
    }
    if ordered.contains(&None) && !cx.failed(&spec.path) {
        let code = codes::DTS_E_TXLOOKUP_INDEXCOLUMNSMISMATCH;
        cx.error(spec, code, code.message(&[]));
    }
    ordered.into_iter().flatten().collect()
}
