//! `tag`: other tags on snapshots. A snapshot gets a new id by it.

use crate::args::TagArgs;
use crate::args::values::TagList;
use crate::exit;
use crate::render::text;
use crate::terminal::Terminal;
use crate::{output, signals};
use engine::facts::Facts;
use engine::monitor::Quiet;
use engine::{Error, StoreError, restate};
use serde_json::json;
use service::{Failure, Status};
use service::{listing, resolve};

pub fn run(terminal: &Terminal, args: &TagArgs) -> Result<Status, Failure> {
    let filter = args.filter.filter()?;
    let repo = terminal.open()?;
    let all = listing::read(&terminal.context, &repo, terminal)?;
    let chosen = all.chosen(&args.snapshots, &filter)?;
    let host = terminal.context.host()?;
    signals::catch()?;
    let mut code = all.status();
    let mut changed = 0u64;
    for facts in chosen {
        if signals::interrupted() {
            return Err(Error::Interrupted.into());
        }
        let tags = changed_tags(&facts.tags, args);
        if tags == facts.tags {
            continue;
        }
        let new = match args.dry_run {
            true => None,
            false => restate::run(
                &repo,
                facts.id,
                &host,
                terminal.context.now_secs(),
                &|manifest| {
                    manifest.tags = changed_tags(&manifest.tags, args);
                    true
                },
                &Quiet,
            )
            .map(Some)
            .or_else(|e| match e {
                // Gone since it was listed.
                Error::Store(StoreError::Missing { .. }) | Error::NoSnapshot(_) => {
                    code = code.max(Status::Incomplete);
                    output::say(&exit::line(&Failure::from(e), terminal.json()));
                    Ok(None)
                }
                e => Err(e),
            })?
            .flatten(),
        };
        if args.dry_run || new.is_some() {
            changed += 1;
            tell(terminal, facts, new, &tags)?;
        }
    }
    if terminal.json() {
        output::object(
            &json!({ "message_type": "summary", "changed_snapshots": changed, "dry_run": args.dry_run }),
        )?;
    } else if terminal.talks() {
        let snapshots = text::count(changed, "snapshot");
        output::line(&match args.dry_run {
            true => format!("Dry run: {snapshots} would be changed"),
            false => format!("Changed {snapshots}"),
        })?;
    }
    Ok(code)
}

fn tell(
    terminal: &Terminal,
    facts: &Facts,
    new: Option<engine::SessionId>,
    tags: &[String],
) -> Result<(), Failure> {
    let old = facts.id.to_hex();
    if terminal.json() {
        return output::object(&json!({
            "message_type": "changed",
            "old_snapshot_id": old,
            "new_snapshot_id": new.map(|id| id.to_hex()),
            "tags": tags,
        }));
    }
    if !terminal.talks() {
        return Ok(());
    }
    let now = new.map_or(String::new(), |id| {
        format!(" is now {}", text::short(&id.to_hex()))
    });
    output::line(&format!("{}{now}: [{}]", text::short(&old), text::names(tags)))
}

fn changed_tags(tags: &[String], args: &TagArgs) -> Vec<String> {
    let named = |lists: &[TagList]| -> Vec<String> {
        let all = lists.iter().flat_map(|list| list.0.iter());
        all.filter(|tag| !tag.is_empty()).cloned().collect()
    };
    let removed = named(&args.remove);
    let (from, added) = match args.set.is_empty() {
        true => (tags.to_vec(), named(&args.add)),
        false => (Vec::new(), named(&args.set)),
    };
    let mut result: Vec<String> = Vec::new();
    for tag in from.into_iter().filter(|tag| !removed.contains(tag)).chain(added) {
        if !result.contains(&tag) {
            result.push(tag);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    #[test]
    fn changes() {
        let rows = [
            ("--add c,a", "a,b,c"),
            ("--remove a", "b"),
            ("--remove a --add d", "b,d"),
            ("--set x,y,x", "x,y"),
            ("--set=", ""),
            ("--add b", "a,b"),
        ];
        for (options, want) in rows {
            let words = ["dedup", "tag"].into_iter().chain(options.split_whitespace());
            let Command::Tag(args) = Cli::try_parse_from(words).unwrap().command else {
                panic!("not tag")
            };
            let tags = changed_tags(&["a".to_string(), "b".to_string()], &args);
            assert_eq!(tags.join(","), want, "{options}");
        }
    }
}
