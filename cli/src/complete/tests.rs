use super::Wanted::{Files, Folders, Hosts, Profiles, Remotes, Sets, Snapshots, Tags};
use super::*;
use crate::args::parser;

/// What comes next in a line, its last word unfinished.
fn at(line: &str) -> Place {
    let words: Vec<String> = line.split(' ').map(String::from).collect();
    place(&parser(), &words)
}

fn texts(place: &Place) -> Vec<&str> {
    place.words.iter().map(|word| word.text.as_str()).collect()
}

#[test]
fn values_are_what_their_names_say() {
    let rows: &[(&str, &[&str], &[Wanted])] = &[
        ("run ", &[], &[Sets]),
        ("run documents ", &[], &[Sets]),
        ("stop x", &[], &[Sets]),
        ("set edit ", &[], &[Sets]),
        ("set edit documents ", &[], &[]),
        ("set edit --destination=", &[], &[Remotes]),
        ("history --set ", &[], &[Sets]),
        ("drill ", &["latest"], &[Sets, Snapshots]),
        ("remote remove ", &[], &[Remotes]),
        ("replicate --to ", &[], &[Remotes, Folders]),
        ("-r ", &[], &[Remotes, Folders]),
        ("snapshots -r disk ", &["latest"], &[Snapshots]),
        (
            "snapshots --repo=disk --group-by ",
            &["host", "paths", "tags"],
            &[],
        ),
        ("ls ", &["latest"], &[Snapshots, Files]),
        ("restore -t out ", &["latest"], &[Snapshots, Files]),
        ("restore --to ", &["original", "desktop", "downloads"], &[Folders]),
        ("restore -t ", &[], &[Folders]),
        (
            "restore -t out --overwrite ",
            &["always", "if-changed", "if-newer", "never", "rename"],
            &[],
        ),
        ("diff a1 ", &["latest"], &[Snapshots]),
        ("diff a1 b2 ", &[], &[]),
        ("forget -n ", &["latest"], &[Snapshots]),
        ("forget --host ", &[], &[Hosts]),
        ("forget --tag ", &[], &[Tags]),
        ("--profile ", &[], &[Profiles]),
        ("backup -v ", &[], &[Files]),
        ("backup -- -x", &[], &[Files]),
        ("--lang ", &["en", "ja"], &[]),
        (
            "help key a",
            &["add", "list", "remove", "passwd", "export", "recovery"],
            &[],
        ),
        ("key nothing ", &[], &[]),
        ("prune --no-such=", &[], &[]),
    ];
    for (line, words, wanted) in rows {
        let place = at(line);
        assert_eq!(
            (texts(&place), &place.wanted[..]),
            (words.to_vec(), *wanted),
            "{line}"
        );
    }
}

#[test]
fn commands_come_before_options() {
    let commands = at("");
    assert!(texts(&commands).contains(&"undelete") && !texts(&commands).contains(&"unlock"));
    assert!(texts(&commands).iter().all(|word| !word.starts_with('-')));
    assert!(texts(&at("help ")).contains(&"exit-codes"));
    assert_eq!(texts(&at("ke"))[..], texts(&commands)[..], "the caller chooses");
    let options = at("forget -");
    let of = |name: &str| texts(&options).iter().position(|word| *word == name).unwrap();
    assert!(of("--keep-daily") < of("--repo"));
    assert!(
        at("forget --keep-daily")
            .words
            .iter()
            .all(|word| !word.help.is_empty())
    );
}

#[test]
fn lists_and_options_keep_what_stands_before() {
    for (line, before, begun) in [
        ("snapshots --group-by host,pa", "host,", "pa"),
        ("snapshots --group-by=host,pa", "--group-by=host,", "pa"),
        ("set edit --destination=d", "--destination=", "d"),
        ("run d", "", "d"),
    ] {
        let place = at(line);
        assert_eq!(
            (place.before.as_str(), place.begun.as_str()),
            (before, begun),
            "{line}"
        );
    }
}

#[test]
fn the_repository_is_the_one_of_the_line() {
    let place =
        at("-vr disk -pfile --key-file=key -P office ls --password-command ask --recovery-phrase-file p ");
    let repository = place.repository;
    assert_eq!(repository.repo.unwrap(), "disk");
    assert_eq!(repository.password_file.unwrap(), "file");
    assert_eq!(repository.key_file.unwrap(), "key");
    assert_eq!(repository.password_command.unwrap(), "ask");
    assert_eq!(repository.recovery_phrase_file.unwrap(), "p");
    assert_eq!(place.profile.unwrap(), "office");
}
