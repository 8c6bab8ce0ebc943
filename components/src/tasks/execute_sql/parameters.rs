//! Parameter bindings: which variable stands for which marker, in which type.

use super::{bind_variable, fail, writable};
use crate::db::Direction;
use dtsx_engine::control::TaskBindCx;
use dtsx_engine::control::plan::TaskSpec;
use dtsx_engine::diag::codes;
use dtsx_engine::types::DataType;
use dtsx_engine::variables::VariableType;

/// The API of a connection manager, which decides how parameters are named and typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Api {
    OleDb,
    Odbc,
    Ado,
    AdoNet,
}

/// A parameter and its variable.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Binding {
    /// The name with its `@`, where parameters go by name; None: its place counts.
    pub name: Option<String>,
    pub direction: Direction,
    pub variable: String,
    pub variable_type: VariableType,
    /// The type that the package gives the parameter; None: that of the variable.
    pub data_type: Option<DataType>,
}

/// The parameters of a task, in the order of the markers.
pub(super) fn bind(spec: &TaskSpec, cx: &mut TaskBindCx<'_>, api: Api) -> Vec<Binding> {
    let mut named = Vec::new();
    for node in spec.data.all("ParameterBinding") {
        let name = node.attr("ParameterName").unwrap_or("").trim();
        if name.is_empty() {
            let code = codes::DTS_E_SQLTASK_NULLPARAMETERNAME;
            fail(spec, cx, code, code.message(&[]));
            continue;
        }
        let Some((variable, variable_type)) = bind_variable(spec, cx, node.attr("DtsVariableName").unwrap_or(""))
        else {
            continue;
        };
        let direction = match node.attr("ParameterDirection").unwrap_or("Input").trim() {
            "Input" | "1" => Direction::Input,
            "Output" | "2" => Direction::Output,
            "InputOutput" | "3" => Direction::InputOutput,
            "ReturnValue" | "6" => Direction::ReturnValue,
            _ => {
                let code = codes::DTS_E_SQLTASK_INVALIDEPARAMDIRECTIONFALG;
                fail(spec, cx, code, code.message(&[]));
                continue;
            }
        };
        if direction != Direction::Input && !writable(&variable) {
            let code = codes::DTS_E_SQLTASK_ROVARINOUTPARAMETER;
            fail(spec, cx, code, code.message(&[&variable]));
            continue;
        }
        let size = node.attr("ParameterSize").and_then(|s| s.trim().parse::<i64>().ok()).unwrap_or(-1);
        if size < -1 {
            let code = codes::DTS_E_SQLTASK_PARAMSIZEERROR;
            fail(spec, cx, code, code.message(&[&name]));
            continue;
        }
        let number = node.attr("DataType").and_then(|s| s.trim().parse::<i32>().ok());
        let data_type = match number {
            None | Some(-1) => None,
            Some(number) => match data_type(api, number, u32::try_from(size).ok().filter(|s| *s > 0)) {
                Some(data_type) => data_type,
                None => {
                    let code = codes::DTS_E_SQLTASKCONN_ERR_PARAM_DATA_TYPE;
                    let message = format!("Unsupported data type {number} on parameter binding \"{name}\".");
                    fail(spec, cx, code, message);
                    continue;
                }
            },
        };
        named.push((name, Binding { name: None, direction, variable, variable_type, data_type }));
    }
    let ordinals: Vec<Option<u32>> = named.iter().map(|(name, _)| name.parse().ok()).collect();
    if api == Api::AdoNet {
        return named.into_iter().map(|(name, binding)| Binding { name: Some(at_sign(name)), ..binding }).collect();
    }
    // ADO takes any names, by their order; so does this task for OLE DB and ODBC where no name is an ordinal, which
    // the original leaves to the provider.
    if ordinals.iter().all(Option::is_none) {
        return named.into_iter().map(|(_, binding)| binding).collect();
    }
    if ordinals.iter().any(Option::is_none) {
        let code = codes::DTS_E_SQLTASKCONN_ERR_PARAM_NAME_MIX;
        fail(spec, cx, code, code.message(&[]));
        return Vec::new();
    }
    let mut sorted: Vec<(Option<u32>, Binding)> = ordinals.into_iter().zip(named.into_iter().map(|n| n.1)).collect();
    sorted.sort_by_key(|(ordinal, _)| *ordinal);
    let returns = sorted.iter().skip(1).any(|(_, b)| b.direction == Direction::ReturnValue);
    if returns {
        let code = codes::DTS_E_SQLTASK_MULTIPLERETURNVALUEPARAM;
        fail(spec, cx, code, code.message(&[]));
    }
    sorted.into_iter().map(|(_, binding)| binding).collect()
}

fn at_sign(name: &str) -> String {
    if name.starts_with('@') { name.to_owned() } else { format!("@{name}") }
}

/// The type of a parameter by the number that packages store: a DBTYPE for OLE DB, a SQL type for ODBC, a DataTypeEnum
/// for ADO, a DbType for ADO.NET. `Some(None)`: the type is that of the value (a variant). Text types without a size hold
/// whatever the variable holds; SSIS's own limit of 4000 or 8000 is that of the server.
pub(super) fn data_type(api: Api, number: i32, size: Option<u32>) -> Option<Option<DataType>> {
    let wide = |limit: u32| Some(DataType::WStr { len: size.unwrap_or(limit).min(limit) });
    // Text of the ANSI types goes to the driver in Unicode, and through its code page there.
    let text = || if size.is_some_and(|s| s <= 4000) { wide(4000) } else { Some(DataType::NText) };
    let bytes = || match size {
        Some(len) if len <= 8000 => Some(DataType::Bytes { len }),
        _ => Some(DataType::Image),
    };
    const NUMERIC: DataType = DataType::Numeric { precision: 38, scale: NUMERIC_SCALE };
    Some(match api {
        Api::OleDb | Api::Ado => match number {
            2 => Some(DataType::I2),
            3 => Some(DataType::I4),
            4 => Some(DataType::R4),
            5 => Some(DataType::R8),
            6 => Some(DataType::Cy),
            7 | 135 => Some(DataType::DbTimeStamp),
            8 | 129 | 130 | 200..=203 => text(),
            11 => Some(DataType::Bool),
            14 | 131 | 139 => Some(NUMERIC),
            12 | 138 => None,
            16 => Some(DataType::I1),
            17 => Some(DataType::UI1),
            18 => Some(DataType::UI2),
            19 => Some(DataType::UI4),
            20 => Some(DataType::I8),
            21 => Some(DataType::UI8),
            64 => Some(DataType::FileTime),
            72 => Some(DataType::Guid),
            128 | 204 | 205 => bytes(),
            133 => Some(DataType::DbDate),
            134 => Some(DataType::DbTime),
            145 => Some(DataType::DbTime2 { scale: 7 }),
            146 => Some(DataType::DbTimeStampOffset { scale: 7 }),
            _ => return None,
        },
        Api::Odbc => match number {
            1 | 12 | -1 | -8 | -9 | -10 => text(),
            2 | 3 => Some(NUMERIC),
            4 => Some(DataType::I4),
            5 => Some(DataType::I2),
            -6 => Some(DataType::UI1),
            -5 => Some(DataType::I8),
            6 | 8 => Some(DataType::R8),
            7 => Some(DataType::R4),
            -7 => Some(DataType::Bool),
            9 | 91 => Some(DataType::DbDate),
            10 | 92 => Some(DataType::DbTime),
            11 | 93 => Some(DataType::DbTimeStamp),
            -154 => Some(DataType::DbTime2 { scale: 7 }),
            -155 => Some(DataType::DbTimeStampOffset { scale: 7 }),
            -11 => Some(DataType::Guid),
            -4..=-2 => bytes(),
            _ => return None,
        },
        Api::AdoNet => match number {
            0 | 16 | 22 | 23 | 25 => text(),
            1 => bytes(),
            2 => Some(DataType::UI1),
            3 => Some(DataType::Bool),
            4 => Some(DataType::Cy),
            5 => Some(DataType::DbDate),
            6 | 26 => Some(DataType::DbTimeStamp2 { scale: 7 }),
            7 | 21 => Some(NUMERIC),
            8 => Some(DataType::R8),
            9 => Some(DataType::Guid),
            10 => Some(DataType::I2),
            11 => Some(DataType::I4),
            12 => Some(DataType::I8),
            13 => None,
            14 => Some(DataType::I1),
            15 => Some(DataType::R4),
            17 => Some(DataType::DbTime2 { scale: 7 }),
            18 => Some(DataType::UI2),
            19 => Some(DataType::UI4),
            20 => Some(DataType::UI8),
            27 => Some(DataType::DbTimeStampOffset { scale: 7 }),
            _ => return None,
        },
    })
}

/// The scale of decimal parameters, which packages do not store: enough for money and rates, with room for 28 digits
/// before the point.
const NUMERIC_SCALE: u8 = 10;
