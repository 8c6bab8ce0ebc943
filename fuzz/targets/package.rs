//! The reader of packages: any bytes. What is read is written, and read again as the same; and it compiles, or says why
//! not.
#![no_main]

use dtsx_loader::compile::{CompileOptions, compile};
use dtsx_loader::dtsx::{LoadOptions, load_bytes, to_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let options = LoadOptions { max_bytes: 1 << 20, max_depth: 64 };
    let package = match load_bytes(data.to_vec(), None, &options) {
        Ok(package) => package,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let written = to_bytes(&package);
    let again = load_bytes(written.clone(), None, &options).expect("what is written can be read");
    assert_eq!(to_bytes(&again), written, "what is read is written again");
    let _ = compile(&package, None, &CompileOptions::default());
});
