//! `dedup`; all of it is in the library, so that the tests can run the same.

fn main() -> std::process::ExitCode {
    cli::main()
}
