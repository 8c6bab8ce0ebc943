//! Lexer and parser: any text. What is read is printed and read again, and an error can be shown.
#![no_main]

use dtsx_engine::expr::{NoNames, compile, parse, parse_assignment};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse_assignment(text) {
        Ok(ast) => {
            let printed = ast.to_string();
            let again = parse_assignment(&printed);
            assert_eq!(again.as_ref(), Ok(&ast), "{printed}");
        }
        Err(error) => {
            let (line, column) = error.position();
            assert!(line > 0 && column > 0 && !error.to_string().is_empty());
            assert!(error.text.get(error.span.clone()).is_some(), "{:?} of {text:?}", error.span);
        }
    }
    let _ = parse(text);
    if let Err(error) = compile(text, &NoNames) {
        assert!(error.text.get(error.span.clone()).is_some(), "{:?} of {text:?}", error.span);
    }
});
