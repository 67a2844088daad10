//! The rules of a filter by number: what each is called, and how much it has left out.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A rule as the option that makes it, without its dashes, and the option's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExcludeRule {
    pub option: &'static str,
    pub value: String,
}

/// How many entries a rule left out. What is in a directory that was left out is not counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleHits {
    pub rule: ExcludeRule,
    pub entries: u64,
}

/// What left an entry out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exclusion {
    /// The number of the rule.
    pub(super) rule: usize,
    /// The ignore file and its line, if it is one.
    pub line: Option<String>,
}

impl Exclusion {
    pub(super) fn by(rule: usize) -> Exclusion {
        Exclusion { rule, line: None }
    }

    pub(super) fn in_file(rule: usize, file: &Path, line: &str) -> Exclusion {
        Exclusion {
            rule,
            line: Some(format!("{}: {line}", file.display())),
        }
    }
}

/// All rules, those of one option together.
#[derive(Default)]
pub(super) struct Rules(Vec<(ExcludeRule, AtomicU64)>);

impl Rules {
    /// Adds a rule for each value, and returns the number of the first.
    pub(super) fn add<T: ToString>(
        &mut self,
        option: &'static str,
        values: impl IntoIterator<Item = T>,
    ) -> usize {
        let first = self.0.len();
        self.0.extend(values.into_iter().map(|value| {
            let value = value.to_string();
            (ExcludeRule { option, value }, AtomicU64::new(0))
        }));
        first
    }

    pub(super) fn get(&self, exclusion: &Exclusion) -> Option<&ExcludeRule> {
        self.0.get(exclusion.rule).map(|(rule, _)| rule)
    }

    pub(super) fn count(&self, exclusion: &Exclusion) {
        if let Some((_, hits)) = self.0.get(exclusion.rule) {
            hits.fetch_add(1, Relaxed);
        }
    }

    /// The rules that left something out.
    pub(super) fn hits(&self) -> Vec<RuleHits> {
        let hits = self.0.iter().map(|(rule, hits)| RuleHits {
            rule: rule.clone(),
            entries: hits.load(Relaxed),
        });
        hits.filter(|hits| hits.entries > 0).collect()
    }
}
