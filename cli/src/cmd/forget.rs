//! `forget`: snapshots to the trash, by id or by a policy. Their data goes with a later prune.

use crate::args::ForgetArgs;
use crate::args::retention::KeepArgs;
use crate::cmd::prune;
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::listing::{self, Listing};
use crate::output::Lines;
use crate::render::text;
use crate::{confirm, output};
use engine::facts::{Facts, group_by};
use engine::forget::{self, Action, PolicyDecision};
use engine::repo::Repo;
use engine::retain::Policy;
use engine::select::{self, Filter};
use engine::units::escape;
use engine::{Error, StoreError};
use serde_json::json;

pub fn run(context: &Context, args: &ForgetArgs) -> Result<Code, Failure> {
    let filter = args.filter.filter()?;
    let policy = args.keep.policy()?;
    if args.snapshots.is_empty() && policy.is_none() {
        return Err(Failure::usage(
            "say which snapshots to remove, or give a --keep-* rule that says which to keep; nothing was removed",
        ));
    }
    let repo = context.open()?;
    if args.unreadable {
        return give_up(context, &repo, args);
    }
    let all = listing::read(context, &repo)?;
    let decisions = match &policy {
        Some(policy) => by_policy(context, &all, policy, &args.keep, &filter),
        None => named(&all, &args.snapshots, &filter)?,
    };
    print(context, &decisions, &args.keep, args.dry_run)?;
    let removed = remove(context, &repo, &decisions, args.dry_run, args.yes)?;
    let mut code = removed.code.max(all.code());
    if args.prune {
        let options = prune::gc_only(context, args.dry_run)?;
        code = code.max(prune::collect(
            context,
            &repo,
            &options,
            args.yes || removed.count > 0,
            &removed,
        )?);
    } else {
        summary(context, &decisions, &removed, args.dry_run)?;
    }
    Ok(code)
}

/// Ends snapshots that can't be read, so that a prune is possible again.
fn give_up(context: &Context, repo: &Repo, args: &ForgetArgs) -> Result<Code, Failure> {
    let (_, damaged) = repo.snapshots()?;
    let mut chosen = Vec::new();
    for wanted in &args.snapshots {
        let meant = damaged.iter().filter(|(id, _)| id.to_hex().starts_with(wanted));
        match meant.collect::<Vec<_>>()[..] {
            [(id, _)] => chosen.push(*id),
            [] => {
                let why =
                    format!("no snapshot that can't be read matches '{wanted}'; 'dedup check' names them");
                return Err(Failure::new(Code::Failed, why));
            }
            [_, _, ..] => return Err(Failure::usage(format!("'{wanted}' matches several snapshots"))),
        }
    }
    if !args.dry_run {
        let what = text::count(chosen.len() as u64, "unreadable snapshot");
        confirm::ask(context, args.yes, &format!("Give up {what} for good"))?;
    }
    for id in chosen {
        let kept = match args.dry_run {
            true => None,
            false => Some(forget::end_unreadable(repo, id)?),
        };
        let short = text::short(&id.to_hex());
        match (context.json(), &kept) {
            (true, _) => output::object(&json!({
                "message_type": "given_up",
                "id": id.to_hex(),
                "kept_at": kept.as_ref().map(|path| path.to_string_lossy()),
                "dry_run": args.dry_run,
            }))?,
            (false, Some(kept)) => output::line(&format!(
                "Gave up {short}. What is left of it is kept in {}",
                escape(kept.as_os_str().as_encoded_bytes())
            ))?,
            (false, None) => output::line(&format!(
                "Dry run: {short} would be given up; nothing was changed"
            ))?,
        }
    }
    Ok(Code::Ok)
}

/// What a policy decides on the snapshots that pass the filter.
pub fn by_policy(
    context: &Context,
    all: &Listing,
    policy: &Policy,
    keep: &KeepArgs,
    filter: &Filter,
) -> Vec<PolicyDecision> {
    let zone = context.now.time_zone();
    let now = context.now.timestamp();
    forget::plan(&all.snapshots, policy, &keep.group_by.0, filter, zone, now)
}

fn named(all: &Listing, texts: &[String], filter: &Filter) -> Result<Vec<PolicyDecision>, Failure> {
    let chosen = select::choose_all(&all.facts, texts, filter)?;
    let decisions = chosen.into_iter().map(|facts| PolicyDecision {
        facts: facts.clone(),
        action: Action::Remove,
        reasons: vec!["named".to_string()],
    });
    Ok(decisions.collect())
}

fn removals(decisions: &[PolicyDecision]) -> impl Iterator<Item = &PolicyDecision> {
    decisions.iter().filter(|d| d.action == Action::Remove)
}

/// Says of each snapshot what becomes of it, and why.
pub fn print(
    context: &Context,
    decisions: &[PolicyDecision],
    keep: &KeepArgs,
    dry_run: bool,
) -> Result<(), Failure> {
    let mut out = Lines::new();
    if context.json() {
        for d in decisions {
            out.object(&json!({
                "message_type": "policy",
                "id": d.facts.id.to_hex(),
                "action": d.action,
                "reasons": d.reasons,
            }));
        }
    } else if context.talks() {
        let facts: Vec<&Facts> = decisions.iter().map(|d| &d.facts).collect();
        for group in group_by(&facts, &keep.group_by.0) {
            let members = group
                .members
                .iter()
                .filter_map(|facts| decisions.iter().find(|d| d.facts.id == facts.id));
            let members: Vec<&PolicyDecision> = members.collect();
            for (action, word) in [(Action::Keep, "Keep"), (Action::Remove, "Remove")] {
                let word = if dry_run && action == Action::Remove {
                    "Would remove"
                } else {
                    word
                };
                table(&mut out, &members, action, word);
            }
        }
    }
    out.finish()
}

fn table(out: &mut Lines, members: &[&PolicyDecision], action: Action, word: &str) {
    let rows: Vec<Vec<String>> = members
        .iter()
        .filter(|d| d.action == action)
        .map(|d| {
            vec![
                text::short(&d.facts.id.to_hex()),
                text::time(d.facts.time),
                escape(d.facts.host.as_bytes()),
                text::names(&d.facts.tags),
                d.reasons.join(", "),
                text::paths(&d.facts.paths),
            ]
        })
        .collect();
    if !rows.is_empty() {
        out.line(&format!("{word} {}:", text::count(rows.len() as u64, "snapshot")));
        let table = text::table(&["ID", "Time", "Host", "Tags", "Reasons", "Paths"], &[], &rows);
        out.line(&table);
    }
}

/// What [`remove`] did.
pub struct Removed {
    pub count: u64,
    pub failed: u64,
    pub code: Code,
}

/// Asks, and moves what was decided to the trash. What can't be removed is said; the rest is removed.
pub fn remove(
    context: &Context,
    repo: &Repo,
    decisions: &[PolicyDecision],
    dry_run: bool,
    yes: bool,
) -> Result<Removed, Failure> {
    let mut removed = Removed {
        count: 0,
        failed: 0,
        code: Code::Ok,
    };
    let wanted = removals(decisions).count() as u64;
    if wanted == 0 {
        return Ok(removed);
    }
    if dry_run {
        removed.count = wanted;
        return Ok(removed);
    }
    confirm::ask(
        context,
        yes,
        &format!("Remove {}", text::count(wanted, "snapshot")),
    )?;
    for decision in removals(decisions) {
        match forget::apply(repo, &[decision.facts.id], context.now_secs()) {
            Ok(()) => removed.count += 1,
            Err(Error::Store(e @ (StoreError::Refused(_) | StoreError::Corrupt { .. }))) => {
                removed.failed += 1;
                removed.code = Code::Incomplete;
                let failure = Failure::from(e);
                output::say(&failure.line(context.json()));
            }
            // Somebody else removed it meanwhile.
            Err(Error::Store(StoreError::Missing { .. }) | Error::NoSnapshot(_)) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(removed)
}

fn summary(
    context: &Context,
    decisions: &[PolicyDecision],
    removed: &Removed,
    dry_run: bool,
) -> Result<(), Failure> {
    let kept = decisions.len() as u64 - removals(decisions).count() as u64;
    if context.json() {
        return output::object(&json!({
            "message_type": "summary",
            "kept": kept,
            "removed": removed.count,
            "failed": removed.failed,
            "dry_run": dry_run,
        }));
    }
    if !context.talks() {
        return Ok(());
    }
    let what = text::count(removed.count, "snapshot");
    match (removed.count, dry_run) {
        (0, _) => output::line("Nothing to remove"),
        (_, true) => output::line(&format!("Dry run: {what} would be removed; nothing was changed")),
        (_, false) => output::line(&format!(
            "Removed {what}. 'dedup undelete' brings them back until 'dedup prune' ends them, a week from now or later"
        )),
    }
}
