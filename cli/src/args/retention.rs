//! `--keep-*`: a retention policy as options, with restic's names and meanings.

use super::values::{GroupBy, TagList, count, keep_span};
use clap::Args;
use jiff::Span;
use service::removal::Retention;
use service::retain::{Bucket, Count, Policy, PolicyError, Rule};

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Retention policy")]
pub struct KeepArgs {
    /// Keep the last N snapshots (here and below, -1 or unlimited: all)
    #[arg(short = 'l', long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_last: Option<Count>,
    /// Keep the newest snapshot of each of the last N hours that have one
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_hourly: Option<Count>,
    /// Keep the newest snapshot of each of the last N days that have one
    #[arg(short = 'd', long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_daily: Option<Count>,
    /// Keep the newest snapshot of each of the last N weeks (Monday to Sunday) that have one
    #[arg(short = 'w', long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_weekly: Option<Count>,
    /// Keep the newest snapshot of each of the last N months that have one
    #[arg(short = 'm', long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_monthly: Option<Count>,
    /// Keep the newest snapshot of each of the last N years that have one
    #[arg(short = 'y', long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_yearly: Option<Count>,
    /// Keep all snapshots within this time before the newest, such as 1y6M14d
    #[arg(long, value_name = "DURATION", value_parser = keep_span)]
    pub keep_within: Option<Span>,
    /// Keep hourly snapshots within this time before the newest
    #[arg(long, value_name = "DURATION", value_parser = keep_span)]
    pub keep_within_hourly: Option<Span>,
    /// Keep daily snapshots within this time before the newest
    #[arg(long, value_name = "DURATION", value_parser = keep_span)]
    pub keep_within_daily: Option<Span>,
    /// Keep weekly snapshots within this time before the newest
    #[arg(long, value_name = "DURATION", value_parser = keep_span)]
    pub keep_within_weekly: Option<Span>,
    /// Keep monthly snapshots within this time before the newest
    #[arg(long, value_name = "DURATION", value_parser = keep_span)]
    pub keep_within_monthly: Option<Span>,
    /// Keep yearly snapshots within this time before the newest
    #[arg(long, value_name = "DURATION", value_parser = keep_span)]
    pub keep_within_yearly: Option<Span>,
    /// Keep snapshots with all of these tags (may be given several times)
    #[arg(long, value_name = "TAG[,TAG]")]
    pub keep_tag: Vec<TagList>,
    /// Show what the policy would keep at the end of DATE if backups go on as often as before; change nothing
    #[arg(long, value_name = "DATE")]
    pub simulate: Option<String>,
    /// Continue even if the policy keeps no snapshot of some group
    #[arg(long)]
    pub allow_empty: bool,
    /// Apply the policy to each group of snapshots with the same host, paths or tags; '' puts all in one group
    #[arg(short, long, value_name = "host,paths,tags", default_value = "host,paths")]
    pub group_by: GroupBy,
}

impl KeepArgs {
    /// `None` where no rule was given; an error where those given keep nothing.
    pub fn retention(&self) -> Result<Option<Retention>, PolicyError> {
        let policy = self.policy()?;
        Ok(policy.map(|policy| Retention {
            policy,
            group_by: self.group_by.0.clone(),
            tags: self.keep_tag.iter().map(|list| list.0.clone()).collect(),
            allow_empty: self.allow_empty,
        }))
    }

    /// The rules alone.
    fn policy(&self) -> Result<Option<Policy>, PolicyError> {
        let rules = self.rules();
        if rules.is_empty() {
            Ok(None)
        } else {
            Policy::new(rules).map(Some)
        }
    }

    fn rules(&self) -> Vec<Rule> {
        let counted = [
            (Bucket::EACH, self.keep_last),
            (Bucket::HOUR, self.keep_hourly),
            (Bucket::DAY, self.keep_daily),
            (Bucket::WEEK, self.keep_weekly),
            (Bucket::MONTH, self.keep_monthly),
            (Bucket::YEAR, self.keep_yearly),
        ];
        let within = [
            (Bucket::EACH, self.keep_within),
            (Bucket::HOUR, self.keep_within_hourly),
            (Bucket::DAY, self.keep_within_daily),
            (Bucket::WEEK, self.keep_within_weekly),
            (Bucket::MONTH, self.keep_within_monthly),
            (Bucket::YEAR, self.keep_within_yearly),
        ];
        let counted = counted
            .into_iter()
            .filter_map(|(bucket, n)| n.map(|count| Rule::Newest { bucket, count }));
        let within = within
            .into_iter()
            .filter_map(|(bucket, s)| s.map(|span| Rule::Within { bucket, span }));
        let tags = self.keep_tag.iter().map(|list| Rule::Tags(list.0.clone()));
        counted.chain(within).chain(tags).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::args::{Cli, Command};
    use clap::Parser;
    use service::retain::PolicyError;

    fn rules(text: &str) -> Result<String, PolicyError> {
        let cli =
            Cli::try_parse_from(["dedup", "forget"].into_iter().chain(text.split_whitespace())).unwrap();
        let Command::Forget(forget) = cli.command else {
            panic!("not forget")
        };
        let policy = forget.keep.policy()?;
        Ok(policy.map_or("none".to_string(), |policy| format!("{policy:?}")))
    }

    #[test]
    fn every_option_is_its_rule() {
        let rows = [
            ("--keep-last 3", "EACH Limited(3)"),
            ("-l 3", "EACH Limited(3)"),
            ("--keep-hourly -1", "HOUR Unlimited"),
            ("-d 7", "DAY Limited(7)"),
            ("-w unlimited", "WEEK Unlimited"),
            ("-m 12", "MONTH Limited(12)"),
            ("-y 1", "YEAR Limited(1)"),
            ("--keep-within 2d", "EACH 2d"),
            ("--keep-within-hourly 2d", "HOUR 2d"),
            ("--keep-within-daily 2d", "DAY 2d"),
            ("--keep-within-weekly 2d", "WEEK 2d"),
            ("--keep-within-monthly 2d", "MONTH 2d"),
            ("--keep-within-yearly 2d", "YEAR 2d"),
        ];
        use service::retain::Bucket;
        let buckets = [
            ("EACH", Bucket::EACH),
            ("HOUR", Bucket::HOUR),
            ("DAY", Bucket::DAY),
            ("WEEK", Bucket::WEEK),
            ("MONTH", Bucket::MONTH),
            ("YEAR", Bucket::YEAR),
        ];
        for (options, want) in rows {
            let (name, value) = want.split_once(' ').unwrap();
            let bucket = buckets.iter().find(|b| b.0 == name).unwrap().1;
            let got = rules(options).unwrap();
            assert!(got.contains(&format!("{bucket:?}")), "{options}: {got}");
            assert!(
                got.contains(value) || got.to_lowercase().contains(value),
                "{options}: {got}"
            );
            assert_eq!(got.matches("bucket:").count(), 1, "{options}: {got}");
        }
        let tags = rules("--keep-tag a,b --keep-tag c").unwrap();
        assert!(
            tags.contains(r#"Tags(["a", "b"])"#) && tags.contains(r#"Tags(["c"])"#),
            "{tags}"
        );
    }

    #[test]
    fn none_and_empty_are_not_the_same() {
        assert_eq!(rules("").unwrap(), "none");
        assert_eq!(rules("--keep-last 0").unwrap_err(), PolicyError::Empty);
        assert_eq!(
            rules("--keep-within 0d --keep-daily 0").unwrap_err(),
            PolicyError::Empty
        );
    }
}
