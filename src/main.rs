//! The `loadr` command.

/// Scripts allocate a handful of small values for every request; glibc's allocator spends twice as long on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    loadr::cli::main(std::env::args_os())
}
