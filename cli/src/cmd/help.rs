//! `help`: a command's long help, or one of the topics that belong to none.

use crate::args::{HelpArgs, parser};
use crate::exit;
use crate::output;
use service::backup::standard;
use service::catalogue::Cause;
use service::env;
use service::{Failure, Status};

pub fn run(args: &HelpArgs) -> Result<Status, Failure> {
    output::write(text(&args.topic)?.as_bytes())
}

fn text(topic: &[String]) -> Result<String, Failure> {
    match topic {
        [one] if one == "env" => return Ok(env::help()),
        [one] if one == "excludes" => return Ok(standard::help()),
        [one] if one == "exit-codes" => return Ok(exit::help()),
        _ => {}
    }
    let mut root = parser();
    let mut command = &mut root;
    for word in topic {
        let unknown = || Cause::NoHelp {
            topic: topic.join(" "),
        };
        command = command.find_subcommand_mut(word).ok_or_else(unknown)?;
    }
    Ok(command.render_long_help().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(topic: &str) -> Result<String, Failure> {
        let words: Vec<String> = topic.split_whitespace().map(String::from).collect();
        text(&words)
    }

    #[test]
    fn topics() {
        assert!(help("").unwrap().contains("dedup help exit-codes"));
        assert!(help("env").unwrap().contains("DEDUP_PASSWORD_FD"));
        assert!(help("excludes").unwrap().contains(".cache/*"));
        assert!(help("exit-codes").unwrap().contains("130"));
        assert!(help("key add").unwrap().contains("dedup key add"));
        assert!(help("list").unwrap().contains("dedup snapshots"));
        for topic in ["frobnicate", "backup add", "env env"] {
            assert_eq!(help(topic).unwrap_err().status, Status::BadSettings, "{topic}");
        }
    }
}
