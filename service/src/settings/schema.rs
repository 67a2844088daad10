//! Every key of the settings file, and its documentation, from which `docs/settings.md` is generated.

/// One key, or a table.
pub struct KeyInfo {
    /// From the top of the file; `NAME` is chosen by the user.
    pub path: &'static str,
    /// Its type, in words.
    pub kind: &'static str,
    /// Its default; empty if the key is required.
    pub default: &'static str,
    pub example: &'static str,
    pub meaning: &'static str,
}

/// Types of values.
mod kind {
    pub const TEXT: &str = "string";
    pub const TEXTS: &str = "array of strings";
    pub const PATH: &str = "path: absolute, or below the home directory with `~/`";
    pub const PATHS: &str = "array of paths";
    pub const YES_NO: &str = "`true` or `false`";
    pub const SIZE: &str = "size, such as `\"500G\"`";
    pub const AGE: &str = "duration, such as `\"3d\"`";
    pub const TIME: &str = "duration, such as `\"10m\"`";
    pub const PERCENT: &str = "whole number from 1 to 100";
    pub const RATE: &str =
        "bytes a second, `\"unlimited\"`, or by time of day `\"08:00=1M,18:00=unlimited\"`";
    pub const COMMAND: &str = "shell command";
}
use kind::{AGE, COMMAND, PATH, PATHS, PERCENT, RATE, SIZE, TEXT, TEXTS, TIME, YES_NO};

/// The default of keys that have no effect unless set.
const NONE: &str = "none";

const fn key(
    path: &'static str,
    kind: &'static str,
    default: &'static str,
    example: &'static str,
    meaning: &'static str,
) -> KeyInfo {
    KeyInfo {
        path,
        kind,
        default,
        example,
        meaning,
    }
}

/// In the order of the documentation, those of one table together.
#[rustfmt::skip]
pub const KEYS: &[KeyInfo] = &[
    key("host", TEXT, "the system's host name", "\"alpha\"", "Name of this machine in snapshots; it stands before the first table. `DEDUP_HOST` and `--host` override it. `dedup takeover` sets it to the name of the machine that was taken over."),
    key("remotes.NAME.url", "URL or path", "", "\"/mnt/backup/repo\"", "Location of the repository."),
    key("remotes.NAME.password-file", PATH, NONE, "\"~/.config/dedup/password\"", "File whose first line is the password. Cannot be combined with `password-command`."),
    key("remotes.NAME.password-command", COMMAND, NONE, "\"secret-tool lookup dedup main\"", "Command whose first line of output is the password."),
    key("remotes.NAME.key-file", PATH, NONE, "\"/etc/dedup/main.key\"", "Key file that opens the repository. Tried before the password."),
    key("remotes.NAME.quota", SIZE, NONE, "\"500G\"", "Maximum size of the repository. A backup ends before it would exceed this, with exit code 14; pruning is never refused."),
    key("remotes.NAME.append-only", YES_NO, "`false`", "true", "Whether this machine removes nothing from the repository: `dedup prune`, `forget` and `purge` refuse to, the retention of sets is not applied to it, and `[maintenance]` only checks it. The storage itself does not enforce this, and other machines may still remove snapshots; see docs/remotes.md."),
    key("sets.NAME.sources", PATHS, "", "[\"~/Documents\", \"~/Pictures\"]", "Files and directories to back up."),
    key("sets.NAME.exclude", TEXTS, NONE, "[\"*.tmp\", \"!keep.tmp\"]", "Patterns to exclude; a leading `!` includes again."),
    key("sets.NAME.exclude-extensions", TEXTS, NONE, "[\"iso\"]", "File name extensions to exclude."),
    key("sets.NAME.ignore-files", TEXTS, NONE, "[\".dedupignore\"]", "Names of files that list, by the rules of `.gitignore`, what is left out of their directory and below it, such as `.dedupignore` or `.gitignore`."),
    key("sets.NAME.exclude-if-xattr", TEXTS, NONE, "[\"user.xdg.robots.backup=false\"]", "Extended attributes, `NAME` or `NAME=VALUE`: what has one is left out."),
    key("sets.NAME.standard-excludes", YES_NO, "`true`", "false", "Whether to leave out caches, trash, swap and temporary files (`dedup help excludes` lists the patterns). `exclude` comes after them, so `!PATTERN` includes it again."),
    key("sets.NAME.hidden", YES_NO, "`true`", "false", "Whether to back up hidden files."),
    key("sets.NAME.source-snapshot", "`\"auto\"`, `\"required\"` or `\"off\"`", "`\"off\"`", "\"auto\"", "Read the sources in a snapshot of their file system, so that all files are of one moment: `\"auto\"` where that is possible, and otherwise as they are, with a warning; `\"required\"` fails the run where it is not. On btrfs, ZFS and LVM, as root; see docs/running.md."),
    key("sets.NAME.destinations", "array of names of remotes", "", "[\"main\"]", "Remotes that receive each snapshot. It is made at the first and replicated to the others, which are replicas of the whole repository, also of what other sets store there."),
    key("sets.NAME.priority", "whole number", "`0`", "10", "Sets with a higher priority run first."),
    key("sets.NAME.schedule", "`\"daily 12:30\"`, `\"mon,thu 22:00\"`, `\"every 15m mon..fri 09:00-18:00\"`, `\"cron 0 3 * * *\"` or `\"manual\"`", "`\"manual\"`", "\"daily 12:30\"", "When `dedup run --due` runs the set."),
    key("sets.NAME.tags", TEXTS, NONE, "[\"office\"]", "Tags of its snapshots."),
    key("sets.NAME.run-before", COMMAND, NONE, "\"pg_dump app > /var/tmp/app.sql\"", "Runs before the backup. If it fails there is no backup; if it exits with code 75 the run is skipped."),
    key("sets.NAME.run-after", COMMAND, NONE, "\"rm /var/tmp/app.sql\"", "Runs after a backup that completed."),
    key("sets.NAME.run-failed", COMMAND, NONE, "\"logger backup failed\"", "Runs after a backup that did not complete."),
    key("sets.NAME.run-finally", COMMAND, NONE, "\"umount /mnt/usb\"", "Runs last, whatever happened."),
    key("sets.NAME.run-timeout", TIME, "`\"1h\"`", "\"10m\"", "Time limit of each of these commands; one that takes longer is killed and has failed."),
    key("sets.NAME.former-names", "array of names of sets", NONE, "[\"papers\"]", "Names that the set had before. Its older snapshots and history carry them; retention, `dedup drill` and `dedup history` count these as the set's. Renaming a set in the console writes it."),
    key("sets.NAME.commands.NAME", COMMAND, NONE, "\"pg_dump app\"", "Command whose output becomes the file `/commands/NAME` of each snapshot. If it fails, or takes longer than `run-timeout`, that file has no content and the run is incomplete. A set with commands may have no `sources`."),
    key("sets.NAME.retention.tiers", "array of tables", NONE, "[{ until = \"7d\", keep-every = \"1h\" }, { keep-every = \"1M\" }]", "How many snapshots are kept by age, youngest tier first. `dedup prune` applies it to the snapshots that this machine made by running the set, and so does `[maintenance]`."),
    key("sets.NAME.retention.tiers[].until", AGE, "for ever", "\"7d\"", "Age up to which the tier applies; only the last tier may omit it."),
    key("sets.NAME.retention.tiers[].keep-every", "period, such as `\"1d\"`", "", "\"1h\"", "Keep one snapshot per period."),
    key("sets.NAME.retention.deleted-files", "duration, or `\"forever\"`", "`\"forever\"`", "\"90d\"", "How long files are kept that the source no longer has. The time begins with the first snapshot without the file and ends with the newest snapshot. Then `dedup prune`, and `[maintenance]`, take the file out of the older snapshots, but not out of those that are protected or have a tag to keep; see docs/running.md."),
    key("sets.NAME.retention.max-generations", "whole number, at least 1", NONE, "1000", "Maximum number of snapshots: the oldest go first, but never those that have a tag to keep or are protected. Alone, it keeps the newest."),
    key("sets.NAME.retention.keep-tags", TEXTS, NONE, "[\"keep\"]", "Always keep snapshots with one of these tags. Without `tiers` or `max-generations`, no snapshot is removed."),
    key("maintenance.light", AGE, NONE, "\"1d\"", "How often `dedup run` applies the retention of the sets and collects garbage, at each destination of the sets it has run."),
    key("maintenance.full", AGE, NONE, "\"30d\"", "The time within which all stored data is read and checked. `dedup run` does it in 30 parts, as many as are due, at each destination of the sets it has run. Once in that time it also runs a drill there: it restores some files, compares and removes them."),
    key("limits.upload", RATE, "`\"unlimited\"`", "\"10M\"", "Upload rate limit for repositories on a network. `--limit-upload` overrides it."),
    key("limits.download", RATE, "`\"unlimited\"`", "\"10M\"", "Download rate limit for repositories on a network. `--limit-download` overrides it."),
    key("limits.upload-idle", RATE, "as `upload`", "\"unlimited\"", "Upload rate limit while nobody uses the machine."),
    key("limits.download-idle", RATE, "as `download`", "\"unlimited\"", "Download rate limit while nobody uses the machine."),
    key("limits.upload-lan", RATE, "as for other servers", "\"20M\"", "Upload rate limit for servers in the local network."),
    key("limits.download-lan", RATE, "as for other servers", "\"20M\"", "Download rate limit for servers in the local network."),
    key("limits.upload-lan-idle", RATE, "as `upload-lan`", "\"unlimited\"", "Upload rate limit for servers in the local network while nobody uses the machine."),
    key("limits.download-lan-idle", RATE, "as `download-lan`", "\"unlimited\"", "Download rate limit for servers in the local network while nobody uses the machine."),
    key("limits.cpu-active", PERCENT, NONE, "30", "Percentage of all processors to use while somebody uses the machine."),
    key("limits.cpu-idle", PERCENT, NONE, "80", "Percentage of all processors to use while nobody uses the machine."),
    key("limits.battery-min", PERCENT, NONE, "20", "Do not run on battery power below this charge, in percent."),
    key("limits.skip-wifi", TEXTS, NONE, "[\"Tethering\"]", "Do not run while connected to one of these wireless networks."),
    key("limits.skip-interfaces", TEXTS, NONE, "[\"wwan0\"]", "Do not run while other networks are reached over one of these interfaces."),
    key("limits.skip-metered", YES_NO, "`false`", "true", "Do not run while NetworkManager says that the network is metered."),
    key("limits.proxy", "URL, `http` or `https`", NONE, "\"http://proxy:8080\"", "HTTP proxy for repositories on a network, except SFTP. A `proxy` in the URL of a remote overrides it."),
    key("notify.on", "`\"failure\"`, `\"always\"` or `\"never\"`", "`\"failure\"`", "\"failure\"", "Which runs send a message: those that did not complete, all, or none. One message per run, and one when a set works again."),
    key("notify.overdue-after", AGE, NONE, "\"3d\"", "Warn when the last backup of a set is older than this."),
    key("notify.overdue-again", AGE, NONE, "\"7d\"", "Repeat the warning once, this long after the first."),
    key("notify.monthly-usage", YES_NO, "`false`", "true", "Send a report of storage usage at the first `dedup run --due` of each month."),
    key("notify.desktop", YES_NO, "`false`", "true", "Show messages on the desktop of the user who runs `dedup`, over the session's D-Bus. They wait while that user is not logged in."),
    key("notify.mail.server", "name or address of a host", "", "\"smtp.example.jp\"", "SMTP server."),
    key("notify.mail.port", "whole number from 1 to 65535", "`587`", "587", "SMTP port."),
    key("notify.mail.tls", "`\"starttls\"`, `\"implicit\"` or `\"none\"`", "`\"starttls\"`", "\"starttls\"", "How the connection is secured. `\"none\"` sends the password readably, too."),
    key("notify.mail.user", TEXT, NONE, "\"backup@example.jp\"", "SMTP user name."),
    key("notify.mail.password-file", PATH, NONE, "\"/etc/dedup/smtp\"", "File whose first line is the SMTP password."),
    key("notify.mail.from", "mail address", "", "\"backup@example.jp\"", "Sender address."),
    key("notify.mail.to", "array of mail addresses, at least one", "", "[\"a@example.jp\", \"b@example.jp\"]", "Recipient addresses."),
    key("notify.webhook.url", "URL, `http` or `https`", "", "\"https://hooks.example.jp/x\"", "URL that messages are posted to."),
    key("notify.webhook.preset", "`\"json\"`, `\"ntfy\"`, `\"slack\"`, `\"discord\"` or `\"gotify\"`", "`\"json\"`", "\"ntfy\"", "What the receiver understands. `\"json\"` is an object with `event`, `level`, `host`, `set`, `title`, `text` and `run`."),
    key("notify.ping.url", "URL, `http` or `https`", "", "\"https://hc-ping.com/ping-key/{set}\"", "URL that is called when a run ends, with `/start` when it begins and `/fail` if it does not complete (healthchecks.io). `{set}` stands for the set's name."),
    key("notify.prometheus.textfile", PATH, "", "\"/var/lib/node_exporter/dedup.prom\"", "File for the textfile collector of Prometheus' node exporter."),
    key("console.listen", "address and port, or `\"unix:/path\"`", "`\"127.0.0.1:4280\"`", "\"127.0.0.1:4280\"", "Where the console listens: an address, or a Unix socket. An address that other machines can reach needs `tls-certificate`, and the console's password. `--listen` overrides it."),
    key("console.allowed-hosts", TEXTS, NONE, "[\"backup.example.jp\"]", "Names and addresses by which browsers may call the console, beside the address it listens on. Required if that is `0.0.0.0` or `[::]`."),
    key("console.tls-certificate", PATH, NONE, "\"/etc/dedup/console.pem\"", "Certificate of the console, and those that it was issued by, in PEM. With it, the console speaks TLS only, except on a Unix socket. A replaced file takes effect at once."),
    key("console.tls-key", PATH, "the file of the certificate", "\"/etc/dedup/console.key\"", "Private key of the certificate, in PEM, without a password."),
    key("console.lang", "`\"en\"` or `\"ja\"`", "the environment's", "\"ja\"", "Language of notifications, and of the console. `--lang` overrides it."),
    key("update.url", "URL, `https`", NONE, "\"https://example.jp/dedup/version\"", "Where `dedup version --check` asks for the newest version: plain text such as `1.2.3`, or JSON with `version`. Nothing is asked without it."),
];

/// The parts of a key's path; tiers are tables in an array.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('.').map(|part| part.trim_end_matches("[]"))
}

/// The keys at a place, given by the parts of its path: what comes next in the paths of those below it.
pub fn below(place: &[&str]) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = Vec::new();
    for key in KEYS {
        let mut parts = parts(key.path);
        if place.iter().all(|part| parts.next() == Some(part))
            && let Some(next) = parts.next()
            && !found.contains(&next)
        {
            found.push(next);
        }
    }
    found
}

/// The text of `docs/settings.md`.
pub fn page() -> String {
    let mut page = String::from(include_str!("settings.md.in"));
    let mut table = "";
    for key in KEYS {
        let (parent, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        if parent != table {
            table = parent;
            page += &match parent.strip_suffix("[]") {
                Some(array) => format!("\n## Each table in the array `{array}`\n"),
                None => format!("\n## `[{parent}]`\n"),
            };
        }
        let default = match key.default {
            "" => "required".to_string(),
            default => format!("default: {default}"),
        };
        page += &format!(
            "\n- **`{name}`** — {} ({}; {default}).\n\n      {name} = {}\n",
            key.meaning.trim_end_matches('.'),
            key.kind,
            key.example
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::super::tables::{self, fields};
    use super::*;
    use std::path::Path;

    #[test]
    fn places() {
        assert_eq!(
            below(&[]),
            [
                "host",
                "remotes",
                "sets",
                "maintenance",
                "limits",
                "notify",
                "console",
                "update"
            ]
        );
        assert_eq!(
            below(&["sets", "NAME", "retention", "tiers"]),
            ["until", "keep-every"]
        );
        assert!(below(&["remotes", "NAME", "url"]).is_empty());
    }

    /// A field that no key describes would be refused; a key without a field, too.
    #[test]
    fn every_field_is_described() {
        let rows = [
            ("", fields::of::<tables::Tables>()),
            ("remotes.NAME", fields::of::<tables::RemoteTable>()),
            ("sets.NAME", fields::of::<tables::SetTable>()),
            ("sets.NAME.retention", fields::of::<tables::RetentionTable>()),
            ("sets.NAME.retention.tiers", fields::of::<tables::TierTable>()),
            ("maintenance", fields::of::<tables::MaintenanceTable>()),
            ("limits", fields::of::<tables::LimitsTable>()),
            ("notify", fields::of::<tables::NotifyTable>()),
            ("notify.mail", fields::of::<tables::MailTable>()),
            ("notify.webhook", fields::of::<tables::WebhookTable>()),
            ("notify.ping", fields::of::<tables::PingTable>()),
            ("notify.prometheus", fields::of::<tables::PrometheusTable>()),
            ("console", fields::of::<tables::ConsoleTable>()),
            ("update", fields::of::<tables::UpdateTable>()),
        ];
        let mut described = 0;
        for (place, fields) in rows {
            let place: Vec<&str> = place.split('.').filter(|part| !part.is_empty()).collect();
            let (mut want, mut got) = (fields.to_vec(), below(&place));
            want.sort_unstable();
            got.sort_unstable();
            assert_eq!(got, want, "{place:?}");
            described += want.len();
        }
        // Every key, and the tables that are keys themselves.
        let tables = [
            "remotes",
            "sets",
            "commands",
            "retention",
            "maintenance",
            "limits",
            "notify",
            "mail",
            "webhook",
        ];
        // `commands.NAME` is a key that no field has.
        assert_eq!(
            described + 1,
            KEYS.len() + tables.len() + ["ping", "prometheus", "console", "update"].len()
        );
    }

    /// `DEDUP_WRITE_DOCS=1 cargo test -p dedup-service settings::schema` writes it anew.
    #[test]
    fn the_page_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
        if std::env::var_os("DEDUP_WRITE_DOCS").is_some() {
            std::fs::write(&path, page()).unwrap();
        }
        assert!(
            std::fs::read_to_string(&path).unwrap() == page(),
            "write docs/settings.md anew"
        );
    }
}
