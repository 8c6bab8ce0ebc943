//! `dtsx`: runs, checks, explains, reads and saves packages.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    dtsx_cli::args::main(std::env::args_os()).into()
}
