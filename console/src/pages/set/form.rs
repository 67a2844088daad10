//! The form of a set: from fields to values, and from values to a draft of the settings file.

use super::tree::TickedPaths;
use crate::fields::Fields;
use service::catalogue::{Cause, Lang};
use service::settings::edit::{Draft, KeyValues, save_set};
use service::settings::form::{SetForm, command, fault};
use service::settings::{Settings, is_name};
use service::{Context, Failure};
use std::path::PathBuf;

/// Lines or items of one field; more are left out.
const ITEMS_MAX: usize = 500;

/// What was typed, and about which set.
pub struct TypedSet {
    pub name: String,
    /// What it is called in the file; empty for a new one.
    pub was: String,
    pub is_new: bool,
    /// Which text of the file the page was made of.
    pub mark: String,
    pub form: SetForm,
    pub open: Vec<PathBuf>,
}

/// What is wrong, and at which field.
#[derive(Clone, Debug)]
pub struct Wrong {
    pub field: String,
    pub text: String,
}

/// The change that the form is.
pub struct Change {
    pub draft: Draft,
    pub settings: Settings,
    /// The same as a command.
    pub command: String,
}

fn lines(fields: &Fields, name: &str) -> Vec<String> {
    items(fields, name, |c| c == '\n')
}

/// Words between commas or spaces.
fn words(fields: &Fields, name: &str) -> Vec<String> {
    items(fields, name, |c| c == ',' || c.is_whitespace())
}

fn items(fields: &Fields, name: &str, ends: fn(char) -> bool) -> Vec<String> {
    let text = fields.text(name).unwrap_or_default();
    let items = text.split(ends).map(str::trim).filter(|item| !item.is_empty());
    items.take(ITEMS_MAX).map(String::from).collect()
}

fn texts(fields: &Fields, name: &str) -> Vec<String> {
    let values = fields.all(name).take(ITEMS_MAX);
    values
        .map(|value| String::from_utf8_lossy(value).trim().to_string())
        .collect()
}

impl TypedSet {
    pub fn of(fields: &Fields) -> TypedSet {
        let text = |name| fields.text(name).unwrap_or_default().trim().to_string();
        let was = text("was");
        let tiers = texts(fields, "until").into_iter().zip(texts(fields, "every"));
        let form = SetForm {
            sources: lines(fields, "sources"),
            exclude: lines(fields, "exclude"),
            exclude_extensions: words(fields, "exclude-extensions"),
            standard_excludes: fields.text("standard-excludes").is_some(),
            hidden: fields.text("hidden").is_some(),
            destinations: texts(fields, "destination"),
            priority: text("priority"),
            schedule: text("schedule"),
            tags: words(fields, "tags"),
            run_before: text("run-before"),
            run_after: text("run-after"),
            run_failed: text("run-failed"),
            run_finally: text("run-finally"),
            run_timeout: text("run-timeout"),
            tiers: tiers
                .filter(|(until, every)| !until.is_empty() || !every.is_empty())
                .collect(),
            deleted_files: text("deleted-files"),
            max_generations: text("max-generations"),
            keep_tags: words(fields, "keep-tags"),
        };
        TypedSet {
            is_new: was.is_empty(),
            name: match text("name") {
                name if name.is_empty() => was.clone(),
                name => name,
            },
            was,
            mark: text("mark"),
            form,
            open: texts(fields, "open").into_iter().map(PathBuf::from).collect(),
        }
    }

    /// A set of the settings, or a new one.
    pub fn from_settings(context: &Context, name: Option<&str>) -> Result<TypedSet, Failure> {
        let draft = Draft::open(&context.env)?;
        let form = match name {
            Some(name) => {
                context.settings.named_set(name)?;
                SetForm::of(&draft, name).unwrap_or_default()
            }
            None => SetForm {
                destinations: match &context.settings.remotes[..] {
                    [only] => vec![only.name.clone()],
                    _ => Vec::new(),
                },
                schedule: "daily 12:30".to_string(),
                ..SetForm::default()
            },
        };
        let home = context.env.home().ok();
        Ok(TypedSet {
            name: name.unwrap_or_default().to_string(),
            was: name.unwrap_or_default().to_string(),
            is_new: name.is_none(),
            mark: draft.mark(),
            form,
            open: home.map(PathBuf::from).into_iter().collect(),
        })
    }

    /// It is to have another name than in the file.
    pub fn is_renamed(&self) -> bool {
        !self.is_new && self.name != self.was
    }

    pub fn picked(&self) -> TickedPaths {
        TickedPaths {
            sources: self.form.sources.clone(),
            exclude: self.form.exclude.clone(),
        }
    }

    /// Destinations stay in the file's order while they are the same.
    fn settled(&self, before: &SetForm) -> SetForm {
        let mut form = self.form.clone();
        let sorted = |names: &[String]| {
            let mut names = names.to_vec();
            names.sort();
            names
        };
        if sorted(&form.destinations) == sorted(&before.destinations) {
            form.destinations = before.destinations.clone();
        }
        form
    }

    /// The keys that change.
    fn changes(&self, context: &Context) -> Result<(KeyValues, KeyValues), Failure> {
        let before = match self.is_new {
            true => SetForm::default(),
            false => SetForm::of(&Draft::open(&context.env)?, &self.was).unwrap_or_default(),
        };
        Ok(self.settled(&before).changes(&before))
    }

    /// The change, if its result is valid.
    pub fn change(&self, context: &Context) -> Result<Change, Failure> {
        if !is_name(&self.name) {
            let text = self.name.clone();
            return Err(Cause::NotAName { text }.into());
        }
        let changes = self.changes(context)?;
        let known = if self.is_new { &self.name } else { &self.was };
        let mut draft = save_set(&context.env, known, self.is_new, &changes)?;
        if self.is_renamed() {
            draft = draft.renamed(&self.was, &self.name)?;
        }
        let settings = draft.check(&context.env)?;
        Ok(Change {
            draft,
            settings,
            command: match changes.0.is_empty() && changes.1.is_empty() && !self.is_new {
                true => String::new(),
                false => command(known, self.is_new, &changes),
            },
        })
    }
}

/// What is wrong, for the field that it is about.
pub fn wrong(lang: Lang, failure: &Failure) -> Wrong {
    let (field, failure) = fault(failure);
    Wrong {
        // The keys of a tier are fields of their own.
        field: match field.as_deref() {
            Some("until" | "keep-every") => "tiers".to_string(),
            Some(field) => field.to_string(),
            None => String::new(),
        },
        text: failure.text(lang),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_values() {
        let fields = Fields::parse(
            b"was=&name=+docs+&sources=~/a%0D%0A%0D%0A+/b&exclude=*.tmp&hidden=on&destination=x&destination=y\
            &tags=a,+b&until=7d&every=1h&until=&every=&until=&every=1M&max-generations=5&open=/home",
        );
        let typed = TypedSet::of(&fields);
        assert!(typed.is_new && typed.name == "docs" && !typed.is_renamed());
        let named = |text: &str| TypedSet::of(&Fields::parse(text.as_bytes()));
        assert!(named("was=docs&name=papers").is_renamed() && !named("was=docs").is_renamed());
        assert_eq!(typed.form.sources, ["~/a", "/b"]);
        assert!(typed.form.hidden && !typed.form.standard_excludes);
        assert_eq!((typed.form.destinations.len(), typed.form.tags.len()), (2, 2));
        assert_eq!(
            typed.form.tiers,
            [
                ("7d".to_string(), "1h".to_string()),
                (String::new(), "1M".to_string())
            ]
        );
        assert_eq!(typed.open, [PathBuf::from("/home")]);
    }
}
