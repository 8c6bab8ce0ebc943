//! The examples of the reference, and those of the functions.

use super::{Names, result, type_of};
use crate::expr::{FunctionDef, Gives, NoNames, Takes, compile, functions};
use crate::types::scalar::array_of;
use crate::types::{DataType, Value};

fn names() -> Names {
    let n = |precision, scale| DataType::Numeric { precision, scale };
    let w = |len| DataType::WStr { len };
    let one = |ty: DataType, value: Value| Some(array_of(&value, &ty, 1).unwrap());
    Names {
        columns: vec![
            ("d", DataType::DbDate, one(DataType::DbDate, Value::Days(19787))),
            ("x", DataType::I4, one(DataType::I4, Value::I4(7))),
            ("zero", DataType::I4, one(DataType::I4, Value::I4(0))),
            ("cy", DataType::Cy, one(DataType::Cy, Value::Decimal(125_000, 4))),
            ("i1", DataType::I1, one(DataType::I1, Value::I1(1))),
            ("i2", DataType::I2, one(DataType::I2, Value::I2(3))),
            ("i4", DataType::I4, one(DataType::I4, Value::I4(9))),
            ("ui2", DataType::UI2, one(DataType::UI2, Value::UI2(5))),
            ("num", n(8, 2), one(n(8, 2), Value::Null)),
            ("date", DataType::Date, one(DataType::Date, Value::Timestamp(0))),
            (
                "str50",
                DataType::Str { len: 50, code_page: 1252 },
                one(DataType::Str { len: 50, code_page: 1252 }, Value::text("12345678")),
            ),
            (
                "str250",
                DataType::Str { len: 250, code_page: 1252 },
                one(DataType::Str { len: 250, code_page: 1252 }, Value::text("abcdefgh,i")),
            ),
            ("wstr50", w(50), one(w(50), Value::text("abc"))),
            ("wstr80", w(80), one(w(80), Value::text("abc"))),
            ("null50", w(50), one(w(50), Value::Null)),
            ("r8", DataType::R8, one(DataType::R8, Value::R8(53.99))),
        ],
        variables: vec![
            ("User::Count", DataType::I4, Value::I4(10)),
            ("MyNamespace::Count", DataType::I4, Value::I4(2)),
            ("Value", DataType::I4, Value::I4(3)),
        ],
        ..Names::default()
    }
}

/// Number in the reference, expression, result. Where the reference contradicts itself the comment says what is taken.
#[rustfmt::skip]
const REFERENCE: &[(u16, &str, &str)] = &[
    (1, r#"ABS(-1.23)"#, "1.23"),
    (2, r#"ABS(1.23)"#, "1.23"),
    (3, r#"CEILING(123.74)"#, "124.00"),
    (4, r#"CEILING(-124.27)"#, "-124.00"),
    (5, r#"CEILING(0.00)"#, "0.00"),
    (6, r#"FLOOR(123.45)"#, "123.00"),
    (7, r#"FLOOR(-123.45)"#, "-124.00"),
    (8, r#"FLOOR(0.00)"#, "0.00"),
    (9, r#"EXP(74)"#, "1.373382979540176E+32"),
    (10, r#"EXP(-27)"#, "1.879528816539083E-12"),
    (11, r#"EXP(0)"#, "1"),
    (12, r#"LN(42)"#, "3.737669618283368"),
    (13, r#"LN(r8)"#, "3.9887988442302"),
    // The documents print 3.737766961828337 for 12 and 5.45774126708797 for 14, which are no logarithms of these numbers.
    (14, r#"LN(234.567)"#, "5.457741261363495"),
    (15, r#"LOG(97.34)"#, "1.988291341907488"),
    (16, r#"LOG(101.24)"#, "2.005352136486217"),
    (17, r#"LOG(234.567)"#, "2.370266913465859"),
    (18, r#"POWER(4,3)"#, "64"),
    (19, r#"POWER(8,2)"#, "64"),
    (20, r#"ROUND(137.1574,3)"#, "137.1570"),
    (21, r#"ROUND(137.1575,3)"#, "137.1580"),
    (22, r#"SIGN(-123.45)"#, "-1"),
    (23, r#"SQRT(144)"#, "12"),
    (24, r#"SQRT(SQUARE(3) + SQUARE(4))"#, "5"),
    (25, r#"SQUARE(12)"#, "144"),
    (26, r#"SQUARE(12 - 4)"#, "64"),
    (27, r#"CODEPOINT("Mountain Bike")"#, "77"),
    (28, r#"CODEPOINT("Touring Front Wheel")"#, "84"),
    (29, r#"CODEPOINT("")"#, "NULL"),
    (30, r#"FINDSTRING("New York, NY, NY","NY",1)"#, "11"),
    (31, r#"FINDSTRING("New York, NY, NY","NY",3)"#, "0"),
    (32, r#"FINDSTRING("Anderson","n",2)"#, "8"),
    (33, r#"FINDSTRING("Mountain,500Red,42","42",1)"#, "17"),
    (34, r#"HEX(400)"#, "190"),
    (35, r#"HEX((DT_I2)750)"#, "2EE"),
    (36, r#"HEX(1033)"#, "409"),
    (37, r#"LEFT("Mountain Bike",8)"#, "Mountain"),
    (38, r#"LEFT("abc",0)"#, ""),
    (39, r#"LEFT("abc",10)"#, "abc"),
    (40, r#"LEFT("abc",-1)"#, "error 0xC00470E7"),
    (41, r#"LEN("Ball Bearing")"#, "12"),
    (42, r#"LEN("ab  ")"#, "4"),
    (43, r#"LOWER("New York")"#, "new york"),
    (44, r#"LTRIM("    Hello")"#, "Hello"),
    (45, r#"LTRIM("\tHello")"#, "\tHello"),
    (46, r#"RTRIM("Hello   ")"#, "Hello"),
    (47, r#"TRIM("   New York   ")"#, "New York"),
    (48, r#"REPLACE("Mountain Bike","Mountain","All Terrain")"#, "All Terrain Bike"),
    (49, r#"REPLACE((DT_WSTR,8)6,"6","5")"#, "5"),
    (50, r#"REPLICATE("Mountain Bike",3)"#, "Mountain BikeMountain BikeMountain Bike"),
    (51, r#"REPLICATE("Helmet",2)"#, "HelmetHelmet"),
    (52, r#"REPLICATE("a",0)"#, ""),
    (53, r#"REPLICATE("a",-1)"#, "error 0xC00470E8"),
    (54, r#"REVERSE("Mountain Bike")"#, "ekiB niatnuoM"),
    (55, r#"REVERSE("Touring Bike")"#, "ekiB gniruoT"),
    (56, r#"RIGHT("Mountain Bike",4)"#, "Bike"),
    (57, r#"RIGHT("Touring Front Wheel",5)"#, "Wheel"),
    (58, r#"RIGHT("Touring Front Wheel",(DT_I2)4.32)"#, "heel"),
    (59, r#"SUBSTRING("elephant",4,2)"#, "ph"),
    (60, r#"SUBSTRING("elephant",4,50)"#, "phant"),
    (61, r#"SUBSTRING("Redmond",4,0)"#, ""),
    (62, r#"SUBSTRING("abc",0,1)"#, "error 0xC004708C"),
    (63, r#"SUBSTRING("abc",1,-1)"#, "error 0xC004708B"),
    (64, r#"LOWER(SUBSTRING("YELLOW",2,15))"#, "ellow"),
    (65, r#"UPPER(SUBSTRING("yellow",1,1)) + LOWER(SUBSTRING("yellow",2,15))"#, "Yellow"),
    (66, r#"TOKEN("a little white dog"," ",1)"#, "a"),
    (67, r#"TOKEN("a:little|white dog","| ,.:",4)"#, "dog"),
    // The remark's NULL and not the example's "".
    (68, r#"TOKEN("a little white dog"," ",99)"#, "NULL"),
    (69, r#"TOKEN("a little white dog","|",1)"#, "a little white dog"),
    (70, r#"TOKEN("        a little white dog"," ",1)"#, "a"),
    (71, r#"TOKEN("2009/01/01","/",1)"#, "2009"),
    (72, r#"TOKEN("c:\\program files\\data\\myfile.txt","\\",TOKENCOUNT("c:\\program files\\data\\myfile.txt","\\"))"#, "myfile.txt"),
    (73, r#"TOKENCOUNT("01/12/2011","/")"#, "3"),
    (74, r#"TOKENCOUNT("a little white dog"," ")"#, "4"),
    (75, r#"TOKENCOUNT("a little white dog","|")"#, "1"),
    (76, r#"TOKENCOUNT("a:little|white dog","| ,.:")"#, "4"),
    (77, r#"TOKENCOUNT("        a little white dog"," ")"#, "4"),
    (78, r#"TOKENCOUNT(NULL(DT_WSTR,10)," ")"#, "0"),
    (79, r#"TOKENCOUNT("c:\\program files\\data\\myfile.txt","\\")"#, "4"),
    (80, r#"DATEPART("month",(DT_DBTIMESTAMP)"11/04/2002")"#, "11"),
    (81, r#"DATEPART("mm",(DT_DBTIMESTAMP)"2002-11-04")"#, "11"),
    (82, r#"DATEPART("dw",(DT_DBTIMESTAMP)"2024-01-07")"#, "1"),
    (83, r#"DATEPART("weekday",(DT_DBTIMESTAMP)"2024-01-08")"#, "2"),
    (84, r#"DATEPART("q",(DT_DBTIMESTAMP)"2024-05-01")"#, "2"),
    (85, r#"DATEDIFF("dd",(DT_DBTIMESTAMP)"8/1/2003",(DT_DBTIMESTAMP)"8/8/2003")"#, "7"),
    (86, r#"DATEDIFF("yy",(DT_DBDATE)"2023-12-31",(DT_DBDATE)"2024-01-01")"#, "1"),
    (87, r#"DATEDIFF("mm",(DT_DBDATE)"2024-01-31",(DT_DBDATE)"2024-02-01")"#, "1"),
    (88, r#"DATEDIFF("dd",(DT_DBDATE)"2024-01-02",(DT_DBDATE)"2024-01-01")"#, "-1"),
    (89, r#"DATEADD("yyyy",2,(DT_DBTIMESTAMP)"8/6/2003")"#, "2005-08-06 00:00:00"),
    (90, r#"DATEADD("day",21,(DT_DBTIMESTAMP)"2003-08-01")"#, "2003-08-22 00:00:00"),
    (91, r#"DATEADD("mm",1,(DT_DBTIMESTAMP)"2024-01-31")"#, "2024-02-29 00:00:00"),
    (92, r#"DATEDIFF("day",(DT_DBTIMESTAMP)"1900-01-01",(DT_DBTIMESTAMP)((DT_DATE)2))"#, "0"),
    (93, r#"DAY((DT_DBTIMESTAMP)"11/23/2002")"#, "23"),
    (94, r#"MONTH((DT_DBTIMESTAMP)"11/23/2002")"#, "11"),
    (95, r#"YEAR((DT_DBTIMESTAMP)"11/23/2002")"#, "2002"),
    (96, r#"DAY((DT_DBTIMESTAMP2,3)"2002-11-23 00:00:00")"#, "error 0xC0047089"),
    (97, r#"ISNULL(NULL(DT_I4))"#, "True"),
    (98, r#"ISNULL(NULL(DT_I4) + 5)"#, "True"),
    (99, r#"ISNULL("")"#, "False"),
    (100, r#"ISNULL(NULL(DT_WSTR,5)) ? "Unknown last name" : "x""#, "Unknown last name"),
    (101, r#"REPLACENULL(NULL(DT_WSTR,10),"1900-01-01")"#, "1900-01-01"),
    (102, r#"REPLACENULL(num,0)"#, "0.00"),
    (103, r#"NULL(DT_STR,10,1252)"#, "NULL"),
    (104, r#"NULL(DT_DATE)"#, "NULL"),
    (105, r#"NULL(DT_BOOL)"#, "NULL"),
    (106, r#"(DT_STR,1,1252)5"#, "5"),
    (107, r#"(DT_WSTR,3)"Cat""#, "Cat"),
    (108, r#"(DT_DECIMAL,2)500"#, "500.00"),
    (109, r#"(DT_NUMERIC,7,3)4000"#, "4000.000"),
    (110, r#"(DT_BOOL)"True""#, "True"),
    (111, r#"(DT_BOOL)("0")"#, "False"),
    (112, r#"(DT_BOOL)1"#, "True"),
    (113, r#"(DT_DBDATE)"1999-10-11""#, "1999-10-11"),
    (114, r#"(DT_DBTIME2,5)"16:34:52.12345""#, "16:34:52.12345"),
    (115, r#"(DT_DBTIMESTAMP2,4)"1999-10-11 16:34:52.1234""#, "1999-10-11 16:34:52.1234"),
    (116, r#"(DT_DBTIMESTAMPOFFSET,7)"1999-10-11 16:34:52.1234567 + 5:35""#, "1999-10-11 16:34:52.1234567 +05:35"),
    (117, r#"(DT_DBTIMESTAMPOFFSET,3)"1999-10-11 20:34:52.123 -3:30" != (DT_DBDATE)"1999-10-12""#, "True"),
    (118, r#"(DT_I4)3.57"#, "3"),
    (119, r#"(DT_WSTR,30)(DT_DBDATE)"2006-01-15""#, "2006-01-15"),
    (120, r#"(DT_WSTR,10)TRUE"#, "True"),
    (121, r#"(DT_I4) TRUE"#, "-1"),
    (122, r#"LEFT((DT_WSTR,28)(DT_DBTIMESTAMP)"2024-03-05",10)"#, "2024-03-05"),
    (123, r#"REPLACE(LEFT((DT_WSTR,28)(DT_DBTIMESTAMP)"2024-03-05",10),"-","")"#, "20240305"),
    (124, r#"YEAR(d)*10000 + MONTH(d)*100 + DAY(d)"#, "20240305"),
    (125, r#"RIGHT("0" + (DT_STR,2,1252)DATEPART("mm",(DT_DBDATE)"2024-03-05"),2)"#, "03"),
    (126, r#"42 % 13"#, "3"),
    (127, r#"3 & 5"#, "1"),
    (128, r#"3 & 7"#, "3"),
    (129, r#"10 & 8"#, "8"),
    (130, r#"3 ^ 5"#, "6"),
    (131, r#"3 ^ 7"#, "4"),
    (132, r#"10 ^ 8"#, "2"),
    (133, r#"3 | 5"#, "7"),
    (134, r#"3 | 9"#, "11"),
    (135, r#"10 | 8"#, "10"),
    // The document prints -170, and the bits of -171.
    (136, r#"~ 170"#, "-171"),
    (137, r#"25 / 5"#, "5"),
    (138, r#"7 / 2"#, "3"),
    (139, r#"7 / 2.0"#, "3.500000"),
    (140, r#"5 + 6.09 + 7.0"#, "18.09"),
    (141, r#"5 - 6.09"#, "-1.09"),
    (142, r#"5 * 6.09"#, "30.45"),
    (143, r#"1 / 0"#, "error 0xC004707B"),
    (144, r#"x / zero"#, "error 0xC004707B"),
    (145, r#"2147483647 + 1"#, "error 0xC004707E"),
    (146, r#"2147483647 + 1L"#, "2147483648"),
    (147, r#"3000000000"#, "error 0xC004707C"),
    (148, r#"3000000000L"#, "3000000000"),
    (149, r#"0xFF0A"#, "65290"),
    (150, r#"4E8L"#, "400000000"),
    (151, r#"13e-2f"#, "0.13"),
    (152, r#"TRUE && NULL(DT_BOOL)"#, "NULL"),
    (153, r#"FALSE && NULL(DT_BOOL)"#, "False"),
    (154, r#"TRUE || NULL(DT_BOOL)"#, "True"),
    (155, r#"FALSE || NULL(DT_BOOL)"#, "NULL"),
    (156, r#"!NULL(DT_BOOL)"#, "NULL"),
    (157, r#"!("blue" == "red")"#, "True"),
    (158, r#"NULL(DT_I4) == NULL(DT_I4)"#, "NULL"),
    (159, r#"NULL(DT_BOOL) ? 1 : 2"#, "NULL"),
    (160, r#"TRUE ? 1 : NULL(DT_I4)"#, "1"),
    (161, r#"FALSE ? 1 : NULL(DT_I4)"#, "NULL"),
    (162, r#""ABC" == "abc""#, "False"),
    (163, r#""abc" == "abc ""#, "False"),
    (164, r#""a" + NULL(DT_WSTR,5)"#, "NULL"),
    (165, r#""a" + 5"#, "error 0xC0047080"),
    (166, r#"@[User::Count] > @[MyNamespace::Count]"#, "True"),
    (167, r#"@Value % 2 == 0 ? "even" : "odd""#, "odd"),
    (168, r#""Elephant" == "Elephant" ? "savannah" : "unknown""#, "savannah"),
    (169, r#"1 == 1 ? 1 : 2.2046226"#, "1.0000000"),
    (182, r#"UPPER("é")"#, "É"),
    (183, r#"'abc'"#, "error 0xC00470D6"),
    (184, r#"x = zero"#, "error 0xC00470D7"),
    (185, r#""\q""#, "error 0xC00470B8"),
    (186, r#""C:\\temp\n""#, "C:\\temp\n"),
    (187, r#""\x0041""#, "A"),
    (188, r#"DATEPART("xx",GETDATE())"#, "error 0xC004708F"),
    (189, r#"SQRT(-1)"#, "error 0xC00470DF"),
    (190, r#"LN(0)"#, "error 0xC00470E0"),
    (191, r#"POWER(0,-1)"#, "error 0xC00470E2"),
];

/// Number in the reference, expression, type.
#[rustfmt::skip]
const TYPES: &[(u16, &str, &str)] = &[
    (84, r#"DATEPART("q",(DT_DBTIMESTAMP)"2024-05-01")"#, "DT_I4"),
    (102, r#"REPLACENULL(num,0)"#, "DT_NUMERIC(8,2)"),
    (103, r#"NULL(DT_STR,10,1252)"#, "DT_STR(10,1252)"),
    (104, r#"NULL(DT_DATE)"#, "DT_DATE"),
    (124, r#"YEAR(d)*10000 + MONTH(d)*100 + DAY(d)"#, "DT_I4"),
    (146, r#"2147483647 + 1L"#, "DT_I8"),
    (150, r#"4E8L"#, "DT_R8"),
    (151, r#"13e-2f"#, "DT_R4"),
    (169, r#"1 == 1 ? 1 : 2.2046226"#, "DT_NUMERIC(17,7)"),
    (170, r#"cy * 0.02"#, "DT_NUMERIC(23,6)"),
    (171, r#"i2 * cy"#, "DT_NUMERIC(25,4)"),
    (172, r#"i4 * cy"#, "DT_NUMERIC(30,4)"),
    (173, r#"cy / cy"#, "DT_CY"),
    (174, r#"ui2 * 100"#, "DT_I4"),
    (175, r#"i4 / i2"#, "DT_I4"),
    (176, r#""19" + SUBSTRING(str50,5,2) + "/" + SUBSTRING(str50,1,2) + "/" + SUBSTRING(str50,3,2)"#, "DT_WSTR(10)"),
    (177, r#"SUBSTRING(str250,5,FINDSTRING(str250,",",1) - 5)"#, "DT_WSTR(246)"),
    (178, r#""X" + LTRIM(str50) + "-KOSU""#, "DT_WSTR(56)"),
    (179, r#"REPLACENULL(wstr50,wstr50)"#, "DT_WSTR(102)"),
    (180, r#"i1 == 1 ? date : NULL(DT_DBDATE)"#, "DT_DBTIMESTAMP"),
    (181, r#"(DT_STR,2000,1252)wstr80 + "^""#, "DT_WSTR(2001)"),
    // Literals as written.
    (0, "0.0", "DT_NUMERIC(2,1)"),
    (0, "0.02", "DT_NUMERIC(3,2)"),
    (0, "0.00001", "DT_NUMERIC(6,5)"),
    (0, "1.00000", "DT_NUMERIC(6,5)"),
    (0, "2.2046226", "DT_NUMERIC(8,7)"),
    (0, ".9", "DT_NUMERIC(1,1)"),
    (0, r#""""#, "DT_WSTR(0)"),
    // Lengths.
    (0, "str50", "DT_WSTR(50)"),
    (0, "(str50)", "DT_WSTR(50)"),
    (0, "SUBSTRING(str250,i4,i4)", "DT_WSTR(250)"),
    (0, "LEFT(wstr50,4)", "DT_WSTR(4)"),
    (0, "LEFT(wstr50,i4)", "DT_WSTR(50)"),
    (0, r#"REPLACE(wstr50,"ab","")"#, "DT_WSTR(50)"),
    (0, r#"TOKEN(wstr50,",",2)"#, "DT_WSTR(50)"),
    (0, "(DT_STR,7,1252)wstr50", "DT_STR(7,1252)"),
    (0, r#"x == 1 ? wstr50 : "abc""#, "DT_WSTR(50)"),
    (0, r#"REPLACENULL(wstr50,"") + REPLACENULL(wstr50,"") + REPLACENULL(wstr50,"") + "ab""#, "DT_WSTR(308)"),
    (0, "REPLICATE(wstr50,3)", "DT_WSTR(150)"),
    (0, "REPLICATE(wstr80,3000)", "DT_WSTR(4000)"),
];

#[test]
fn examples_of_the_reference() {
    let names = names();
    let mut wrong = Vec::new();
    for (number, text, expected) in REFERENCE {
        let got = result(text, &names);
        let close = || {
            let (Ok(a), Ok(b)) = (got.parse::<f64>(), expected.parse::<f64>()) else { return false };
            expected.contains(['E', '.']) && expected.len() > 12 && ((a - b) / b).abs() < 1e-13
        };
        if got != *expected && !close() {
            wrong.push(format!("{number}: {text} is {got}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn types_that_packages_store() {
    let names = names();
    for (number, text, expected) in TYPES {
        assert_eq!(type_of(text, &names), *expected, "{number}: {text}");
    }
}

#[test]
fn every_function_is_documented_and_does_what_its_examples_say() {
    for f in functions() {
        assert!(!f.doc.is_empty() && !f.examples.is_empty(), "{}", f.name);
        assert!(f.syntax.starts_with(f.name), "{}", f.name);
        for example in f.examples {
            assert_eq!(result(example.text, &names()), example.result, "{}", example.text);
        }
    }
    let mut all: Vec<&str> = functions().iter().map(|f| f.name).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), functions().len());
}

/// One type of each kind, as `NULL(…)` takes it.
const EVERY_TYPE: [&str; 25] = [
    "DT_I1",
    "DT_I2",
    "DT_I4",
    "DT_I8",
    "DT_UI1",
    "DT_UI2",
    "DT_UI4",
    "DT_UI8",
    "DT_R4",
    "DT_R8",
    "DT_CY",
    "DT_DECIMAL,2",
    "DT_NUMERIC,8,2",
    "DT_BOOL",
    "DT_WSTR,5",
    "DT_STR,5,1252",
    "DT_BYTES,5",
    "DT_GUID",
    "DT_DATE",
    "DT_DBDATE",
    "DT_DBTIME2,3",
    "DT_DBTIMESTAMPOFFSET,3",
    "DT_NTEXT",
    "DT_TEXT,1252",
    "DT_IMAGE",
];

/// A call whose argument `i` is NULL of a type, and the others are what they must be.
fn call_with(f: &FunctionDef, i: usize, ty: &str) -> String {
    let null = format!("NULL({ty})");
    let others = f.types.takes.iter().enumerate().map(|(n, takes)| match takes {
        _ if n == i => null.clone(),
        Takes::Text | Takes::TextOrBlob => "\"a\"".to_owned(),
        Takes::Number | Takes::SignedNumber | Takes::Integer => "1".to_owned(),
        Takes::Date => "GETDATE()".to_owned(),
        Takes::DatePart => "\"day\"".to_owned(),
        // The two of REPLACENULL must go together.
        Takes::Any | Takes::NoBlob | Takes::TypeName => null.clone(),
    });
    format!("{}({})", f.name, others.collect::<Vec<_>>().join(","))
}

#[test]
fn arguments_are_of_the_types_that_are_documented() {
    for f in functions() {
        assert_eq!(f.types.takes.len(), f.arity, "{}", f.name);
        for (i, takes) in f.types.takes.iter().enumerate().filter(|(_, takes)| **takes != Takes::TypeName) {
            for ty in EVERY_TYPE {
                let data_type = compile(&format!("NULL({ty})"), &NoNames).unwrap().data_type();
                let call = call_with(f, i, ty);
                assert_eq!(compile(&call, &NoNames).is_ok(), takes.accepts(&data_type), "{call}");
            }
        }
    }
}

#[test]
fn results_are_of_the_types_that_are_documented() {
    for f in functions() {
        let mut calls: Vec<(String, Option<DataType>)> = f.examples.iter().map(|e| (e.text.to_owned(), None)).collect();
        if f.types.gives == Gives::First || matches!(f.types.gives, Gives::FirstOrText(_) | Gives::Named) {
            for ty in EVERY_TYPE {
                let first = compile(&format!("NULL({ty})"), &NoNames).unwrap().data_type();
                let call = if f.types.gives == Gives::Named { format!("NULL({ty})") } else { call_with(f, 0, ty) };
                calls.push((call, Some(first)));
            }
        }
        for (call, first) in calls {
            let Ok(program) = compile(&call, &NoNames) else { continue };
            let (ty, is_text) = (program.data_type(), matches!(program.data_type(), DataType::WStr { .. }));
            let as_documented = match (f.types.gives, first) {
                (Gives::Always(documented), _) => ty == documented,
                (Gives::Text(_), _) => is_text,
                (Gives::FirstOrText(_), Some(first)) if first.is_string() => is_text,
                (Gives::First | Gives::FirstOrText(_) | Gives::Named, Some(first)) => ty == first,
                (Gives::First | Gives::FirstOrText(_) | Gives::Named, None) => true,
            };
            // Examples may combine calls: what they show is the type of the outermost.
            assert!(as_documented || !call.starts_with(f.name), "{call} is {ty}, not {}", f.types.gives);
        }
    }
}

/// The lengths that the table says in words.
#[test]
fn texts_are_as_long_as_documented() {
    for (text, expected) in [
        ("SUBSTRING(wstr50,i4,3)", 3),
        ("SUBSTRING(wstr50,11,i4)", 40),
        ("SUBSTRING(wstr50,i4,i4)", 50),
        ("LEFT(wstr50,60)", 60),
        ("RIGHT(wstr50,i4)", 50),
        ("TRIM(wstr50)", 50),
        ("REVERSE(str50)", 50),
        ("REPLACE(wstr50,\"ab\",\"c\")", 50),
        ("REPLACE(wstr50,\"ab\",\"xyz\")", 75),
        ("REPLICATE(wstr50,3)", 150),
        ("REPLICATE(wstr50,i4)", 4000),
        ("TOKEN(wstr50,\",\",1)", 50),
        ("HEX(i1)", 2),
        ("HEX(i2)", 4),
        ("HEX(i4)", 8),
        ("HEX(7L)", 16),
        ("REPLACENULL(wstr50,\"\")", 102),
    ] {
        assert_eq!(type_of(text, &names()), format!("DT_WSTR({expected})"), "{text}");
    }
}
