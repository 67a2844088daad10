//! `set`: the tables `[sets.NAME]` of the settings, as options.

use clap::{Args, Subcommand};
use service::Failure;
use service::sets::source;
use service::settings::edit::{KeyValue, KeyValues};
use service::settings::form::tier_of;
use std::ffi::OsString;

/// Sets of files that are backed up together, in dedup.toml.
#[derive(Subcommand, Clone, Debug)]
pub enum SetCommand {
    /// List the sets, and when they run
    List,
    /// Add a set to the settings
    Add(SetAddArgs),
    /// Change keys of a set; without options, edit the settings file
    Edit(SetEditArgs),
    /// Remove a set from the settings; its snapshots stay
    Remove(SetRemoveArgs),
}

#[derive(Args, Clone, Debug)]
pub struct SetAddArgs {
    /// Its name: letters, digits, - and _
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Files and directories to back up
    #[arg(value_name = "SOURCE")]
    pub sources: Vec<OsString>,
    #[command(flatten)]
    pub keys: SetKeyArgs,
    /// Show the change as a diff; write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "A list replaces the one that is there, and an empty value ('') removes the key, so that its default \
    holds."
)]
pub struct SetEditArgs {
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Files and directories to back up (may be given several times)
    #[arg(long, value_name = "SOURCE")]
    pub source: Vec<OsString>,
    #[command(flatten)]
    pub keys: SetKeyArgs,
    /// Show the change as a diff; write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug)]
pub struct SetRemoveArgs {
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Don't ask
    #[arg(long)]
    pub yes: bool,
    /// Show the change as a diff; write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// The keys of a set; docs/settings.md has their meaning.
#[derive(Args, Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // switches that clap reads
pub struct SetKeyArgs {
    /// Remote that gets each snapshot (may be given several times; default: the only one there is)
    #[arg(long, value_name = "REMOTE")]
    pub destination: Vec<String>,
    /// When it runs: 'daily 12:30', 'mon,thu 22:00', 'every 15m', 'cron 0 3 * * *' or manual
    #[arg(long, value_name = "WHEN")]
    pub schedule: Option<String>,
    /// Pattern to exclude; a leading '!' includes again (may be given several times)
    #[arg(short, long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub exclude: Vec<String>,
    /// File name extension to exclude (may be given several times)
    #[arg(long, value_name = "EXT[,EXT]", value_delimiter = ',')]
    pub exclude_extension: Vec<String>,
    /// Name of files in the tree that list what to leave out, as .gitignore does (may be given several times)
    #[arg(long, value_name = "NAME")]
    pub ignore_file: Vec<String>,
    /// Extended attribute of what to leave out (may be given several times)
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub exclude_if_xattr: Vec<String>,
    /// Leave out caches, trash, swap and temporary files (the default)
    #[arg(long, overrides_with = "no_standard_excludes")]
    pub standard_excludes: bool,
    /// Save caches, trash, swap and temporary files, too
    #[arg(long)]
    pub no_standard_excludes: bool,
    /// Save hidden files (the default)
    #[arg(long, overrides_with = "no_hidden")]
    pub hidden: bool,
    /// Leave out hidden files
    #[arg(long)]
    pub no_hidden: bool,
    /// Read the sources in a snapshot of their file system: auto, required or off
    #[arg(long, value_name = "MODE")]
    pub source_snapshot: Option<String>,
    /// Sets with a higher priority run first
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub priority: Option<String>,
    /// Tag of its snapshots (may be given several times)
    #[arg(long, value_name = "TAG[,TAG]", value_delimiter = ',')]
    pub tag: Vec<String>,
    /// Shell command to run before the backup
    #[arg(long, value_name = "COMMAND")]
    pub run_before: Option<String>,
    /// Shell command to run after a backup that completed
    #[arg(long, value_name = "COMMAND")]
    pub run_after: Option<String>,
    /// Shell command to run after a backup that did not complete
    #[arg(long, value_name = "COMMAND")]
    pub run_failed: Option<String>,
    /// Shell command to run last
    #[arg(long, value_name = "COMMAND")]
    pub run_finally: Option<String>,
    /// How long each of these commands may take
    #[arg(long, value_name = "DURATION")]
    pub run_timeout: Option<String>,
    #[command(flatten)]
    pub retention: SetRetentionArgs,
}

/// The keys of a set's retention.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Retention")]
pub struct SetRetentionArgs {
    /// Up to AGE keep one snapshot per PERIOD, such as 7d=1h; without an age, such as 1M, for ever (may be given several times,
    /// youngest first)
    #[arg(long, value_name = "[AGE=]PERIOD")]
    pub tier: Vec<String>,
    /// How long files are kept that were deleted from the sources, such as 90d, or forever (the default)
    #[arg(long, value_name = "DURATION")]
    pub deleted_files: Option<String>,
    /// Keep at most N snapshots
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub max_generations: Option<String>,
    /// Always keep snapshots with this tag (may be given several times)
    #[arg(long, value_name = "TAG[,TAG]", value_delimiter = ',')]
    pub keep_tag: Vec<String>,
}

impl SetRetentionArgs {
    /// What was given, in the order of the documentation.
    pub fn values(&self) -> KeyValues {
        let mut keys = KeyValues::new();
        let filled = |texts: &[String]| -> Vec<String> {
            texts.iter().filter(|text| !text.is_empty()).cloned().collect()
        };
        if !self.tier.is_empty() {
            let tiers: Vec<_> = filled(&self.tier).iter().map(|text| tier_of(text)).collect();
            keys.push((
                "tiers",
                match tiers.is_empty() {
                    true => KeyValue::Unset,
                    false => KeyValue::Tables(tiers),
                },
            ));
        }
        match self.deleted_files.as_deref() {
            None => {}
            Some("") => keys.push(("deleted-files", KeyValue::Unset)),
            Some(text) => keys.push(("deleted-files", KeyValue::Text(text.to_string()))),
        }
        if let Some(text) = &self.max_generations {
            keys.push(("max-generations", number(text)));
        }
        if !self.keep_tag.is_empty() {
            let tags = filled(&self.keep_tag);
            keys.push((
                "keep-tags",
                match tags.is_empty() {
                    true => KeyValue::Unset,
                    false => KeyValue::Texts(tags),
                },
            ));
        }
        keys
    }
}

/// Another text is refused with the words of the settings' check.
fn number(text: &str) -> KeyValue {
    match text.is_empty() {
        true => KeyValue::Unset,
        false => text
            .parse()
            .map_or_else(|_| KeyValue::Text(text.to_string()), KeyValue::Number),
    }
}

impl SetKeyArgs {
    pub fn is_empty(&self) -> bool {
        self.retention.values().is_empty() && self.values().is_ok_and(|keys| keys.is_empty())
    }

    /// What was given, in the order of the documentation.
    pub fn values(&self) -> Result<KeyValues, Failure> {
        let mut keys = KeyValues::new();
        let mut list = |key: &'static str, texts: &[String]| {
            let filled: Vec<String> = texts.iter().filter(|text| !text.is_empty()).cloned().collect();
            match (texts.is_empty(), filled.is_empty()) {
                (true, _) => {}
                (false, true) => keys.push((key, KeyValue::Unset)),
                (false, false) => keys.push((key, KeyValue::Texts(filled))),
            }
        };
        list("exclude", &self.exclude);
        list("exclude-extensions", &self.exclude_extension);
        list("ignore-files", &self.ignore_file);
        list("exclude-if-xattr", &self.exclude_if_xattr);
        list("destinations", &self.destination);
        list("tags", &self.tag);
        let switches = [
            (
                "standard-excludes",
                self.standard_excludes,
                self.no_standard_excludes,
            ),
            ("hidden", self.hidden, self.no_hidden),
        ];
        for (key, on, off) in switches {
            match (on, off) {
                (_, true) => keys.push((key, KeyValue::Flag(false))),
                (true, false) => keys.push((key, KeyValue::Flag(true))),
                (false, false) => {}
            }
        }
        if let Some(text) = &self.priority {
            keys.push(("priority", number(text)));
        }
        let texts = [
            ("schedule", &self.schedule),
            ("source-snapshot", &self.source_snapshot),
            ("run-before", &self.run_before),
            ("run-after", &self.run_after),
            ("run-failed", &self.run_failed),
            ("run-finally", &self.run_finally),
            ("run-timeout", &self.run_timeout),
        ];
        for (key, text) in texts {
            match text.as_deref() {
                None => {}
                Some("") => keys.push((key, KeyValue::Unset)),
                Some(text) => keys.push((key, KeyValue::Text(text.to_string()))),
            }
        }
        Ok(keys)
    }
}

/// Sources as the first key.
pub fn with_sources(sources: &[OsString], keys: KeyValues) -> Result<KeyValues, Failure> {
    if sources.is_empty() {
        return Ok(keys);
    }
    let sources: Vec<String> = sources
        .iter()
        .map(|path| source(path))
        .collect::<Result<_, _>>()?;
    let first = ("sources", KeyValue::Texts(sources));
    Ok(std::iter::once(first).chain(keys).collect())
}
