//! `forget`: snapshots to the trash, by id or by a policy. Their data goes with a later prune.

use crate::args::ForgetArgs;
use crate::cmd::prune;
use crate::output;
use crate::removal::{self, Removed, removals};
use crate::render::text;
use crate::terminal::Terminal;
use engine::SessionId;
use engine::forget::{self, Action, PolicyDecision};
use engine::repo::Repo;
use engine::select::{self, Filter};
use engine::units::escape;
use serde_json::json;
use service::face::confirm;
use service::listing::{self, Listing};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &ForgetArgs) -> Result<Status, Failure> {
    let filter = args.filter.filter()?;
    let policy = args.keep.policy()?;
    if args.lost {
        return accept_loss(terminal, args);
    }
    if args.snapshots.is_empty() && policy.is_none() {
        return Err(Failure::usage(
            "say which snapshots to remove, or give a --keep-* rule that says which to keep; nothing was removed",
        ));
    }
    let repo = terminal.open()?;
    if args.unreadable {
        return give_up(terminal, &repo, args);
    }
    let all = listing::read(&terminal.context, &repo, terminal)?;
    let decisions = match &policy {
        Some(policy) => removal::by_policy(terminal, &all, policy, &args.keep, &filter),
        None => named(&all, &args.snapshots, &filter)?,
    };
    if !terminal.json() {
        removal::print(terminal, &decisions, &args.keep, args.dry_run)?;
    }
    if policy.is_some() {
        removal::check(terminal, &decisions, &args.keep)?;
    }
    let removed = removal::remove(terminal, &repo, &decisions, args.dry_run, args.yes)?;
    let mut code = removed.status.max(all.status());
    if terminal.json() {
        output::object(&removal::groups(&all, &decisions, &args.keep))?;
    }
    if args.prune {
        let mut options = prune::gc_only(terminal, args.dry_run)?;
        if args.dry_run {
            options.assume_gone = removals(&decisions).map(|gone| gone.facts.id).collect();
        }
        code = code.max(prune::collect(
            terminal,
            &repo,
            &options,
            args.yes || removed.count > 0,
            &removed,
        )?);
    } else if terminal.talks() {
        summary(&removed, args.dry_run)?;
    }
    Ok(code)
}

/// Stops expecting snapshots that are gone from the storage.
fn accept_loss(terminal: &Terminal, args: &ForgetArgs) -> Result<Status, Failure> {
    let repo = terminal.open()?;
    let mut lost = repo.survey()?.lost?;
    if let Some(wanted) = args
        .snapshots
        .iter()
        .find(|wanted| !lost.iter().any(|id| id.to_hex().starts_with(*wanted)))
    {
        let why = format!("no snapshot that is gone matches '{wanted}'");
        return Err(Failure::new(Status::Failed, why));
    }
    let is_named = |id: &SessionId| {
        args.snapshots
            .iter()
            .any(|wanted| id.to_hex().starts_with(wanted))
    };
    lost.retain(|id| args.snapshots.is_empty() || is_named(id));
    let what = text::count(lost.len() as u64, "snapshot");
    if !lost.is_empty() && !args.dry_run {
        confirm(
            terminal,
            args.yes,
            &format!("Accept that {what} cannot be restored any more"),
        )?;
        forget::accept_loss(&repo, &lost)?;
    }
    if terminal.json() {
        return output::object(&json!({
            "message_type": "summary",
            "accepted": lost.iter().map(|id| id.to_hex()).collect::<Vec<_>>(),
            "dry_run": args.dry_run,
        }))
        .map(|()| Status::Completed);
    }
    output::line(&match (lost.len(), args.dry_run) {
        (0, _) => "No snapshot that this machine knows is gone".to_string(),
        (_, true) => format!("Dry run: the loss of {what} would be accepted; nothing was changed"),
        (_, false) => format!("Accepted the loss of {what}"),
    })?;
    Ok(Status::Completed)
}

/// Ends snapshots that can't be read, so that a prune is possible again.
fn give_up(terminal: &Terminal, repo: &Repo, args: &ForgetArgs) -> Result<Status, Failure> {
    let (_, damaged) = repo.snapshots()?;
    let mut chosen = Vec::new();
    for wanted in &args.snapshots {
        let meant = damaged.iter().filter(|(id, _)| id.to_hex().starts_with(wanted));
        match meant.collect::<Vec<_>>()[..] {
            [(id, _)] => chosen.push(*id),
            [] => {
                let why =
                    format!("no snapshot that can't be read matches '{wanted}'; 'dedup check' names them");
                return Err(Failure::new(Status::Failed, why));
            }
            [_, _, ..] => return Err(Failure::usage(format!("'{wanted}' matches several snapshots"))),
        }
    }
    if !args.dry_run {
        let what = text::count(chosen.len() as u64, "unreadable snapshot");
        confirm(terminal, args.yes, &format!("Give up {what} for good"))?;
    }
    for id in chosen {
        let kept = match args.dry_run {
            true => None,
            false => Some(forget::end_unreadable(repo, id)?),
        };
        let short = text::short(&id.to_hex());
        match (terminal.json(), &kept) {
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
    Ok(Status::Completed)
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

fn summary(removed: &Removed, dry_run: bool) -> Result<(), Failure> {
    let what = text::count(removed.count, "snapshot");
    let them = if removed.count == 1 { "it" } else { "them" };
    match (removed.count, dry_run) {
        (0, _) => output::line("Nothing to remove"),
        (_, true) => output::line(&format!("Dry run: {what} would be removed; nothing was changed")),
        (_, false) => output::line(&format!(
            "Removed {what}. 'dedup undelete' brings {them} back until a 'dedup prune' a week from now or later"
        )),
    }
}
