//! Options of `repair`.

use clap::{Args, Subcommand};

/// In this order each makes the next mend more.
#[derive(Subcommand, Clone, Debug)]
pub enum RepairCommand {
    /// Repair damaged packs from their parity; needs no password or key
    Parity(RepairParityArgs),
    /// Add packs to the index that no sound index segment lists
    Index(RepairArgs),
    /// Copy what is intact in damaged packs; the next backup stores the rest again if its source still has it
    Packs(RepairPacksArgs),
    /// Create a successor of each snapshot that lost something, without the lost paths; the old one stays
    #[command(visible_alias = "manifests")]
    Snapshots(RepairSnapshotsArgs),
}

#[derive(Args, Clone, Debug)]
pub struct RepairArgs {
    /// Only show what would be done
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug)]
pub struct RepairPacksArgs {
    /// Packs that 'check' named (default: read all data and find them)
    #[arg(value_name = "PACK")]
    pub packs: Vec<String>,
    #[command(flatten)]
    pub how: RepairArgs,
}

#[derive(Args, Clone, Debug)]
pub struct RepairSnapshotsArgs {
    /// Snapshots to repair (default: all)
    #[arg(value_name = "SNAPSHOT")]
    pub snapshots: Vec<String>,
    #[command(flatten)]
    pub how: RepairArgs,
}

#[derive(Args, Clone, Debug)]
pub struct RepairParityArgs {
    /// Also add parity to packs that have none, such as 5%
    #[arg(long, value_name = "N%", value_parser = percent)]
    pub add: Option<u8>,
    /// Also add it to the packs of later backups; needs a password or key
    #[arg(long, requires = "add")]
    pub new_packs: bool,
    #[command(flatten)]
    pub how: RepairArgs,
}

/// A whole percentage, 1 to 100, with or without its sign.
pub fn percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse::<u8>();
    match number {
        Ok(percent @ 1..=100) => Ok(percent),
        _ => Err("give 1% to 100%".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn percentages() {
        assert_eq!(percent("5%"), Ok(5));
        assert_eq!(percent("100"), Ok(100));
        for bad in ["", "%", "0", "101%", "-1", "5%%", "1.5%"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
    }
}
