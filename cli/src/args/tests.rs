use super::*;
use clap::CommandFactory;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("dedup").chain(line.split_whitespace()))
}

#[test]
fn definitions_hold_together() {
    Cli::command().debug_assert();
}

/// Every command and its names, as product and documentation promise them: nothing more shows in --help.
#[test]
fn commands() {
    let command = Cli::command();
    let names = |c: &clap::Command| {
        c.get_subcommands()
            .map(|s| s.get_name().to_string())
            .collect::<Vec<_>>()
    };
    let want = "init backup run status doctor support-bundle set setup schedule console tray agent notify config history pause resume \
        stop takeover snapshots ls find versions diff dump mount serve restore forget undelete tag protect unprotect purge \
        prune check drill repair remote replicate heal copy key stats space cache bench completions complete unlock version about help";
    assert_eq!(names(&command).join(" "), want);
    let key = command.find_subcommand("key").unwrap();
    assert_eq!(names(key).join(" "), "add list remove passwd export recovery");
    assert_eq!(
        names(command.find_subcommand("cache").unwrap()).join(" "),
        "info clear"
    );
    for alias in ["list", "generations"] {
        assert_eq!(command.find_subcommand(alias).unwrap().get_name(), "snapshots");
    }
}

#[test]
fn everything_has_a_help_text() {
    fn walk(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for arg in command.get_arguments().filter(|a| !a.is_positional()) {
            assert!(
                arg.get_help().is_some(),
                "{} --{}",
                command.get_name(),
                arg.get_id()
            );
        }
        command.get_subcommands().for_each(walk);
    }
    walk(&Cli::command());
}

#[test]
fn no_option_takes_a_password_itself() {
    fn walk(command: &clap::Command) {
        for arg in command.get_arguments() {
            let long = arg.get_long().unwrap_or_default();
            let secret = ["password", "phrase", "key"]
                .iter()
                .any(|word| long.contains(word));
            assert!(
                !secret
                    || !arg.get_action().takes_values()
                    || long.ends_with("-file")
                    || long.ends_with("-command"),
                "--{long}"
            );
        }
        command.get_subcommands().for_each(walk);
    }
    walk(&Cli::command());
}

#[test]
fn what_is_accepted() {
    let lines = [
        "init",
        "init -r /x --no-recovery --chunker fine --key-file k",
        "--repo /x backup /a",
        "backup /a --repo /x --json",
        "snapshots",
        "list --latest 1 --group-by host",
        "generations -H h --tag a,b --path /p abc",
        "ls",
        "ls -l latest /a",
        "ls --at yesterday --recursive",
        "find *.txt -i -l -s latest -O 2026-01-01 -N 2h",
        "diff latest~1 latest:/a --metadata",
        "diff latest",
        "diff latest:/a -e *.o --ignore-file .dedupignore --exclude-if-xattr user.skip --content",
        "ls -l --human-readable --sort size --reverse",
        "ls --ncdu",
        "find * --larger-than 1M --smaller-than 2G --by-snapshot",
        "versions /a",
        "versions /a --all-hosts --restore-all d -n",
        "restore --to original -n",
        "restore --to x --delete --deleted-since 7d --iinclude A --iexclude B --include-file f --exclude-file g",
        "dump latest /a",
        "dump /a -t x",
        "dump --at 2h latest /a -a tar",
        "dump latest /a --archive zip",
        "mount /mnt --tag a --allow-other",
        "serve",
        "serve --listen 127.0.0.1:0 --tag a",
        "restore -t /x",
        "restore --target /x latest~1:/a b",
        "restore -t /x --at 2h -i a -i b -e c --overwrite if-newer --permissions current --verify -n -H h",
        "restore -t /x --in-place",
        "restore -t /x --inplace",
        "forget abc def -n",
        "forget --unreadable 0123abcd --yes",
        "forget --keep-daily 7 --keep-tag a --group-by= --prune --yes",
        "undelete",
        "takeover alpha --dry-run",
        "takeover alpha --yes",
        "backup --source-snapshot required a",
        "undelete abc",
        "tag --add a,b --remove c",
        "tag --set a abc -n",
        "protect abc latest -n",
        "unprotect abc",
        "purge /home/u/secret *.key -n --force-protected --keep-trash 0s --yes",
        "prune",
        "prune --keep-last -1 --no-gc --keep-trash 0s -n",
        "prune --gc-only --max-unused unlimited --max-repack 2G",
        "check",
        "check --read-data",
        "check --read-data-subset 1/7",
        "check --max-age 30d",
        "check latest --max-age 30d --read-data-subset 5G",
        "drill",
        "drill documents --sample 5%",
        "drill latest --sample 50 --scratch /tmp",
        "key add --new-password-file f",
        "key list",
        "key remove abc --yes",
        "key passwd",
        "key export f",
        "key recovery",
        "stats",
        "space",
        "space /home/u -v",
        "space --by snapshot --json",
        "cache info",
        "cache clear",
        "completions zsh",
        "version",
        "help",
        "help key add",
        "help env",
        "-vv check",
    ];
    for line in lines {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn what_is_refused() {
    let lines = [
        "frobnicate",
        "backup",
        "restore",
        "restore latest",
        "restore -t x --to y",
        "ls --reverse",
        "ls --ncdu --long",
        "versions",
        "versions /a -n",
        "versions /a --all-hosts -H h",
        "diff latest latest~1 --content",
        "ls --at",
        "dump",
        "dump a b c",
        "find",
        "init --chunker coarse",
        "snapshots --latest 0",
        "forget abc --keep-last 1",
        "forget abc --group-by host",
        "forget --keep-last -2",
        "forget --keep-within 6m",
        "prune --gc-only --no-gc",
        "prune --keep-trash soon",
        "prune --gc-only --keep-last 1",
        "prune --max-unused 101%",
        "prune --max-repack 1X",
        "prune abc",
        "purge",
        "purge a --keep-trash 1d",
        "space --by user",
        "space /a --by set",
        "check --read-data --read-data-subset 10%",
        "check --read-data --max-age 30d",
        "drill --sample 0",
        "drill a b",
        "check --read-data-subset 0/7",
        "tag abc",
        "protect",
        "tag --set a --add b",
        "key",
        "key frobnicate",
        "key add --new-password-file f --new-key-file k",
        "cache",
        "completions tcsh",
        "-q -v check",
        "check --repo a --repository-file b",
        "check -p a --password-command b",
        "restore -t x --overwrite no",
        "check --password secret",
        "ls --group-by x",
        "snapshots --group-by hots",
    ];
    for line in lines {
        let error = parse(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn global_options_may_stand_anywhere() {
    for line in [
        "-r /x --json -q snapshots",
        "snapshots -r /x --json -q",
        "-r /x snapshots --json -q",
    ] {
        let global = parse(line).unwrap().global;
        assert!(
            global.repo.is_some_and(|r| r == "/x") && global.json && global.quiet,
            "{line}"
        );
    }
    assert_eq!(parse("-v ls -v").unwrap().global.verbose, 1);
    assert_eq!(parse("ls -vv").unwrap().global.verbose, 2);
}

#[test]
fn defaults() {
    let Command::Prune(prune) = parse("prune").unwrap().command else {
        panic!("not prune")
    };
    assert_eq!(prune.keep_trash.fieldwise(), Span::new().days(7).fieldwise());
    assert_eq!(prune.max_unused, MaxUnused::Share(500));
    assert_eq!(prune.keep.group_by.0, service::facts::GroupKey::DEFAULT);
    let Command::Restore(restore) = parse("restore -t x").unwrap().command else {
        panic!("not restore")
    };
    assert_eq!(
        (restore.overwrite, restore.permissions),
        (Overwrite::Always, Permissions::Original)
    );
}
