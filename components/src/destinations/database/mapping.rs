//! Which input column goes into which external column, and whether it can.

use super::Request;
use crate::shared::castable;
use crate::shared::outgoing::Column;
use dtsx_engine::diag::{Code, Diagnostic, codes};
use dtsx_engine::flow::faults::FaultSite;
use dtsx_engine::flow::{BindCx, ComponentSpec, InputColumnSpec};
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::can_cast;

/// The columns that are written, in the order of the input; what is wrong with them is reported.
pub(super) fn columns(spec: &ComponentSpec, cx: &mut BindCx<'_>, site: &FaultSite, request: &Request) -> Vec<Column> {
    let input = &spec.inputs[0];
    if input.columns.is_empty() {
        let code = codes::DTS_E_CANNOTHAVEZEROINPUTCOLUMNS;
        cx.error(spec, code, code.message(&[&input.name]));
    }
    let mut taken: Vec<usize> = Vec::new();
    let mut columns = Vec::new();
    for (at, column) in input.columns.iter().enumerate() {
        let own = FaultSite::input_column(spec, 0, at);
        let Some(place) = column.external.filter(|e| *e < input.external.len()) else {
            let code = codes::DTS_E_COLUMNNOTMAPPEDTOEXTERNALMETADATACOLUMN;
            report(spec, cx, column, Diagnostic::error(code, &spec.path, code.message(&[&own.object])));
            continue;
        };
        let external = &input.external[place];
        if taken.contains(&place) {
            let code = codes::DTS_E_COLUMNMAPPEDTOALREADYMAPPEDEXTERNALMETADATACOLUMN;
            let message = code.message(&[&own.object, &external.id]);
            report(spec, cx, column, Diagnostic::error(code, &spec.path, message));
            continue;
        }
        taken.push(place);
        // A lineage that the path does not bring is reported for every component alike.
        let Some(slot) = cx.inputs[0].slot(column.lineage) else { continue };
        let (mut from, to) = (cx.inputs[0].column(slot).data_type, external.data_type);
        let pages = pages(&from, &to).filter(|(from, to)| from != to);
        let one_page = request.mixes_text || spec.properties.bool("AlwaysUseDefaultCodePage").unwrap_or(false);
        if let (Some((_, page)), DataType::Str { code_page, .. } | DataType::Text { code_page }, true) =
            (pages, &mut from, one_page)
        {
            // Text is Unicode on its way: only its last page matters.
            *code_page = page;
        }
        let problem: Option<(Code, String)> = if let (Some((from, to)), false) = (pages, one_page) {
            let code = codes::DTS_E_CANTPROCESSCOLUMNTYPECODEPAGE;
            Some((code, code.message(&[&column.name, &from, &to])))
        } else if !request.mixes_text && mixes(&from, &to) {
            let code = codes::DTS_E_CANNOTCONVERTBETWEENUNICODEANDNONUNICODESTRINGCOLUMNS;
            Some((code, code.message(&[&column.name, &external.name])))
        } else if from != to && !can_cast(&castable(from), &to) {
            let code = codes::DTS_E_CANTINSERTCOLUMNTYPE;
            Some((code, code.message(&[&external.name, &from, &to])))
        } else {
            None
        };
        if let Some((code, message)) = problem {
            report(spec, cx, column, Diagnostic::error(code, &spec.path, message));
            continue;
        }
        if let Some((long, room)) = cut(&from, &to) {
            let code = codes::DTS_W_POTENTIALTRUNCATIONFROMDATAINSERTION;
            let message = code.message(&[&column.name, &long, &external.name, &room]);
            report(spec, cx, column, Diagnostic::warning(code, &spec.path, message));
        }
        let site = FaultSite { dispositions: site.dispositions, object: site.object.clone(), ..own };
        columns.push(Column { slot: slot.0, from, to, external: external.name.clone(), site });
    }
    columns
}

fn report(spec: &ComponentSpec, cx: &mut BindCx<'_>, column: &InputColumnSpec, diagnostic: Diagnostic) {
    cx.diagnostics.push(diagnostic.with_column(&column.name).with_span(column.span.or(spec.span)));
}

/// Whether one is Unicode text and the other text of a code page.
fn mixes(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    matches!(
        (from, to),
        (T::WStr { .. } | T::NText, T::Str { .. } | T::Text { .. })
            | (T::Str { .. } | T::Text { .. }, T::WStr { .. } | T::NText)
    )
}

/// The code pages of two texts that have some.
fn pages(from: &DataType, to: &DataType) -> Option<(u32, u32)> {
    use DataType as T;
    match (from, to) {
        (
            T::Str { code_page: a, .. } | T::Text { code_page: a },
            T::Str { code_page: b, .. } | T::Text { code_page: b },
        ) => Some((*a, *b)),
        _ => None,
    }
}

/// The lengths, if the input column's is the greater one.
fn cut(from: &DataType, to: &DataType) -> Option<(u32, u32)> {
    use DataType as T;
    match (from, to) {
        (T::WStr { len } | T::Str { len, .. }, T::WStr { len: room } | T::Str { len: room, .. })
        | (T::Bytes { len }, T::Bytes { len: room })
            if len > room =>
        {
            Some((*len, *room))
        }
        _ => None,
    }
}
