//! The program under test: `dedup` itself, built here so that the tests know where it is.

fn main() -> std::process::ExitCode {
    cli::main()
}
