//! The tables of the settings file as serde reads them. Their keys are documented in [`super::schema`]; a test compares
//! the two.

use super::schedule::Schedule;
use super::values::{
    AbsolutePath, Age, Host, Language, Lapse, Lasting, Listen, MailAddress, MailTls, Many, Name, NotifyOn,
    Percent, Period, Port, Size, SourceSnapshot, WebUrl, WebhookPreset,
};
use crate::rates::RateSchedule;
use engine::retain::{Bucket, Count, Policy, PolicyError, Rule, Tier};
use jiff::Span;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use toml::Spanned;

/// The whole file.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table"
)]
pub struct Tables {
    pub host: Option<Spanned<String>>,
    pub remotes: Named<RemoteTable>,
    pub sets: Named<SetTable>,
    pub maintenance: MaintenanceTable,
    pub limits: LimitsTable,
    pub notify: NotifyTable,
    pub console: ConsoleTable,
    pub update: UpdateTable,
}

/// `[remotes.NAME]`: a repository.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table"
)]
pub struct RemoteTable {
    pub url: Option<Spanned<String>>,
    pub password_file: Option<Spanned<AbsolutePath>>,
    pub password_command: Option<Spanned<String>>,
    pub key_file: Option<Spanned<AbsolutePath>>,
    pub quota: Option<Size>,
    pub append_only: bool,
}

/// `[sets.NAME]`: what is backed up together.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table"
)]
pub struct SetTable {
    pub sources: Vec<AbsolutePath>,
    pub exclude: Vec<String>,
    pub exclude_extensions: Vec<String>,
    pub ignore_files: Vec<String>,
    pub exclude_if_xattr: Vec<String>,
    pub standard_excludes: Option<bool>,
    pub hidden: Option<bool>,
    pub source_snapshot: Option<SourceSnapshot>,
    pub destinations: Vec<Spanned<Name>>,
    pub priority: i32,
    pub schedule: Option<Schedule>,
    pub tags: Vec<String>,
    pub run_before: Option<String>,
    pub run_after: Option<String>,
    pub run_failed: Option<String>,
    pub run_finally: Option<String>,
    pub run_timeout: Option<Lapse>,
    pub commands: Named<String>,
    pub former_names: Vec<Spanned<Name>>,
    pub retention: RetentionTable,
}

/// `[sets.NAME.retention]`: which of a set's snapshots are kept.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table"
)]
pub struct RetentionTable {
    pub tiers: Option<Spanned<Vec<TierTable>>>,
    pub deleted_files: Option<Spanned<Lasting>>,
    pub max_generations: Option<Many>,
    pub keep_tags: Vec<String>,
}

impl RetentionTable {
    /// `None` if it does not say how many are kept: tags alone would remove whatever has none.
    pub fn policy(&self) -> Result<Option<Policy>, PolicyError> {
        let mut rules = Vec::new();
        if let Some(tiers) = &self.tiers {
            let each = tiers.get_ref().iter().map(|tier| Tier {
                until: tier.until.map(|age| age.0),
                every: tier.keep_every.0,
            });
            rules.push(Rule::Tiers(each.collect()));
        }
        if let Some(most) = self.max_generations.and_then(|many| NonZeroU32::new(many.0)) {
            if rules.is_empty() {
                // Beside tags, a maximum alone would keep nothing else.
                rules.push(Rule::Newest {
                    bucket: Bucket::EACH,
                    count: Count::Unlimited,
                });
            }
            rules.push(Rule::MaxGenerations(most));
        }
        if rules.is_empty() {
            return Ok(None);
        }
        let tags = self.tags_to_keep();
        rules.extend(tags.map(|tag| Rule::Tags(vec![tag.clone()])));
        Policy::new(rules).map(Some)
    }

    /// Snapshots with one of them are kept as they are.
    pub fn tags_to_keep(&self) -> impl Iterator<Item = &String> {
        self.keep_tags.iter().filter(|tag| !tag.is_empty())
    }

    /// How long deleted files are kept; `None` for ever.
    pub fn deleted_files_for(&self) -> Option<Span> {
        match self.deleted_files.as_ref()?.get_ref() {
            Lasting::For(span) => Some(*span),
            Lasting::Forever => None,
        }
    }
}

/// Up to this age, one snapshot of each period.
#[derive(Deserialize, Clone, Debug)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, expecting = "a table")]
pub struct TierTable {
    pub until: Option<Age>,
    pub keep_every: Period,
}

/// `[maintenance]`: how often it is done.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table"
)]
pub struct MaintenanceTable {
    pub light: Option<Age>,
    pub full: Option<Age>,
}

/// `[limits]`: what a run may use of machine and network.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table"
)]
pub struct LimitsTable {
    pub upload: Option<RateSchedule>,
    pub download: Option<RateSchedule>,
    pub upload_idle: Option<RateSchedule>,
    pub download_idle: Option<RateSchedule>,
    pub upload_lan: Option<RateSchedule>,
    pub download_lan: Option<RateSchedule>,
    pub upload_lan_idle: Option<RateSchedule>,
    pub download_lan_idle: Option<RateSchedule>,
    pub cpu_active: Option<Percent>,
    pub cpu_idle: Option<Percent>,
    pub battery_min: Option<Percent>,
    pub skip_wifi: Vec<String>,
    pub skip_interfaces: Vec<String>,
    pub skip_metered: bool,
    pub proxy: Option<WebUrl>,
}

/// `[notify]`: who is told of what.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table"
)]
pub struct NotifyTable {
    pub on: Option<NotifyOn>,
    pub overdue_after: Option<Age>,
    pub overdue_again: Option<Age>,
    pub monthly_usage: bool,
    pub desktop: bool,
    pub mail: Option<MailTable>,
    pub webhook: Option<WebhookTable>,
    pub ping: Option<PingTable>,
    pub prometheus: Option<PrometheusTable>,
}

/// `[notify.mail]`.
#[derive(Deserialize, Clone, Debug)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, expecting = "a table")]
pub struct MailTable {
    pub server: Host,
    pub port: Option<Port>,
    pub tls: Option<MailTls>,
    pub user: Option<String>,
    pub password_file: Option<AbsolutePath>,
    pub from: MailAddress,
    pub to: Spanned<Vec<MailAddress>>,
}

/// `[notify.webhook]`.
#[derive(Deserialize, Clone, Debug)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, expecting = "a table")]
pub struct WebhookTable {
    pub url: WebUrl,
    pub preset: Option<WebhookPreset>,
}

/// `[notify.ping]`.
#[derive(Deserialize, Clone, Debug)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, expecting = "a table")]
pub struct PingTable {
    pub url: WebUrl,
}

/// `[notify.prometheus]`.
#[derive(Deserialize, Clone, Debug)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, expecting = "a table")]
pub struct PrometheusTable {
    pub textfile: AbsolutePath,
}

/// `[console]`.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table"
)]
pub struct ConsoleTable {
    pub listen: Option<Listen>,
    pub allowed_hosts: Vec<Host>,
    pub tls_certificate: Option<AbsolutePath>,
    pub tls_key: Option<Spanned<AbsolutePath>>,
    pub lang: Option<Language>,
}

/// `[update]`.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table"
)]
pub struct UpdateTable {
    pub url: Option<WebUrl>,
}

/// Tables with names of the user's choice, in the file's order.
#[derive(Clone, Debug)]
pub struct Named<T>(pub Vec<(Spanned<Name>, T)>);

impl<T> Default for Named<T> {
    fn default() -> Named<T> {
        Named(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Inner<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Inner<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table with a table of its own for each NAME")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut tables = Vec::new();
                while let Some(table) = map.next_entry()? {
                    tables.push(table);
                }
                Ok(Named(tables))
            }
        }
        deserializer.deserialize_map(Inner(PhantomData))
    }
}

#[cfg(test)]
pub(super) mod fields {
    //! The names of a type's fields, as serde knows them.

    use serde::de::value::Error;
    use serde::de::{Deserialize, Deserializer, Error as _, Visitor};

    struct Ask<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Ask<'_> {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(Error::custom("only its fields are asked for"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Error> {
            *self.0 = fields;
            self.deserialize_any(visitor)
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    pub fn of<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
        let mut fields: &'static [&'static str] = &[];
        assert!(T::deserialize(Ask(&mut fields)).is_err());
        fields
    }
}
