//! `tag`: other tags on snapshots. A snapshot gets a new id by it.

use crate::args::TagArgs;
use crate::args::values::TagList;
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::render::text;
use crate::{listing, output, resolve, signals};
use engine::facts::Facts;
use engine::monitor::Quiet;
use engine::{Error, StoreError, restate};
use serde_json::json;

pub fn run(context: &Context, args: &TagArgs) -> Result<Code, Failure> {
    let filter = args.filter.filter()?;
    let repo = context.open()?;
    let all = listing::read(context, &repo)?;
    let chosen = all.chosen(&args.snapshots, &filter)?;
    let host = resolve::host(None, &context.env)?;
    signals::catch()?;
    let mut code = all.code();
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
                context.now_secs(),
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
                    code = code.max(Code::Incomplete);
                    output::say(&Failure::from(e).line(context.json()));
                    Ok(None)
                }
                e => Err(e),
            })?
            .flatten(),
        };
        if args.dry_run || new.is_some() {
            changed += 1;
            tell(context, facts, new, &tags)?;
        }
    }
    if context.json() {
        output::object(
            &json!({ "message_type": "summary", "changed_snapshots": changed, "dry_run": args.dry_run }),
        )?;
    } else if context.talks() {
        let snapshots = text::count(changed, "snapshot");
        output::line(&match args.dry_run {
            true => format!("Dry run: {snapshots} would be changed"),
            false => format!("Changed {snapshots}"),
        })?;
    }
    Ok(code)
}

fn tell(
    context: &Context,
    facts: &Facts,
    new: Option<engine::SessionId>,
    tags: &[String],
) -> Result<(), Failure> {
    let old = facts.id.to_hex();
    if context.json() {
        return output::object(&json!({
            "message_type": "changed",
            "old_snapshot_id": old,
            "new_snapshot_id": new.map(|id| id.to_hex()),
            "tags": tags,
        }));
    }
    if !context.talks() {
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
