//! Options of `init`.

use super::repair;
use clap::{Args, ValueEnum};

#[derive(Args, Clone, Debug)]
pub struct InitArgs {
    /// Create no recovery phrase: without the password or key file nothing can be restored
    #[arg(long)]
    pub no_recovery: bool,
    /// With --json: create a recovery phrase and print it (by default it isn't, as the output of programs is often kept)
    #[arg(long, requires = "json", conflicts_with = "no_recovery")]
    pub print_recovery_phrase: bool,
    /// How files are cut into chunks; it can't be changed later
    #[arg(long, value_enum, default_value_t = Chunker::Default)]
    pub chunker: Chunker,
    /// Store this much parity with each pack, such as 5%; damage of up to that share can be repaired
    #[arg(long, value_name = "N%", value_parser = repair::percent)]
    pub parity: Option<u8>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chunker {
    /// 128 KiB to 2 MiB, about 512 KiB
    Default,
    /// 16 to 256 KiB, about 64 KiB: for databases and disk images; more memory and requests
    Fine,
}
