//! Configurations and the files of a project: any text.
#![no_main]

use dtsx_loader::configuration::{ConfigurationFile, SqlServerConfiguration};
use dtsx_loader::dtsx::LoadOptions;
use dtsx_loader::project::{Project, read_parameters};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::OnceLock;

/// A folder of this process, in memory where there is such a place.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let shm = PathBuf::from("/dev/shm");
        let base = if shm.is_dir() { shm } else { std::env::temp_dir() };
        let folder = base.join(format!("dtsx-fuzz-project-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    let options = LoadOptions { max_bytes: 1 << 20, max_depth: 64 };
    match (kind % 4, std::str::from_utf8(rest)) {
        (0, Ok(text)) => {
            let _ = ConfigurationFile::parse(text, &options);
        }
        (1, Ok(text)) => {
            let _ = SqlServerConfiguration::parse(text);
        }
        (2, _) => {
            let file = folder().join("Project.params");
            std::fs::write(&file, rest).expect("a file");
            let _ = read_parameters(&file, &options);
            let _ = std::fs::remove_file(&file);
        }
        _ => {
            let file = folder().join("a.dtproj");
            std::fs::write(&file, rest).expect("a file");
            let _ = Project::open(&file, &options);
        }
    }
});
