//! The program as tests run it: built with them, so never an old one.

fn main() -> std::process::ExitCode {
    cli::main()
}
