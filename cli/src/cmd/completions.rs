//! `completions`: a shell's completion script. Those of bash, zsh and fish ask [`super::complete`] what can follow; those of
//! other shells are made from the definitions of the parser, and know no names of sets, remotes or snapshots.

use crate::args::{Cli, CompletionsArgs};
use crate::output;
use clap::CommandFactory;
use clap_complete::Shell;
use service::{Failure, Status};

pub fn run(args: &CompletionsArgs) -> Result<Status, Failure> {
    output::write(&script(args.shell))
}

fn script(shell: Shell) -> Vec<u8> {
    match shell {
        Shell::Bash => include_bytes!("../../completions/dedup.bash").to_vec(),
        Shell::Zsh => include_bytes!("../../completions/dedup.zsh").to_vec(),
        Shell::Fish => include_bytes!("../../completions/dedup.fish").to_vec(),
        other => {
            let mut script = Vec::new();
            clap_complete::generate(other, &mut Cli::command(), "dedup", &mut script);
            script
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_shell_gets_every_command() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell)).unwrap();
            for command in Cli::command().get_subcommands() {
                assert!(
                    script.contains("dedup complete ") || script.contains(command.get_name()),
                    "{shell}: {}",
                    command.get_name()
                );
            }
        }
    }
}
