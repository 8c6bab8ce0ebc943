//! `dtexec`: the command line of SQL Server's package utility.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    dtsx_cli::dtexec::main(std::env::args_os().skip(1)).into()
}
