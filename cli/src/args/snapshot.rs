//! Which snapshots a command is about: filters and a time.

use super::values::TagList;
use clap::Args;
use jiff::Zoned;
use service::Failure;
use service::listing::Among;
use service::paths::absolute;
use service::select::Filter;
use service::when;
use std::path::PathBuf;

/// Which snapshots are looked at.
#[derive(Args, Clone, Debug, Default)]
pub struct FilterArgs {
    /// Only snapshots of this host (may be given several times)
    #[arg(short = 'H', long, value_name = "HOST")]
    pub host: Vec<String>,
    /// Only snapshots with these tags, separated by commas (given several times: with any of the lists)
    #[arg(long, value_name = "TAG[,TAG]")]
    pub tag: Vec<TagList>,
    /// Only snapshots that have this source (given several times: all of them)
    #[arg(long, value_name = "PATH")]
    pub path: Vec<PathBuf>,
}

impl FilterArgs {
    /// Paths become absolute, as they are recorded.
    pub fn filter(&self) -> Result<Filter, Failure> {
        Ok(Filter {
            hosts: self.host.clone(),
            paths: self
                .path
                .iter()
                .map(|path| absolute(path))
                .collect::<Result<_, _>>()?,
            tags: self.tag.iter().map(|list| list.0.clone()).collect(),
            sets: Vec::new(),
        })
    }
}

/// One snapshot by filters and time.
#[derive(Args, Clone, Debug, Default)]
#[allow(rustdoc::broken_intra_doc_links)] // the text is what --help prints
pub struct ChoiceArgs {
    /// As of TIME: the newest snapshot made by then. TIME is 'YYYY-MM-DD[ HH:MM[:SS]]', RFC 3339, an age such as 2h
    /// or '3d ago', or 'yesterday 18:00'; a date alone means the end of that day
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    #[command(flatten)]
    pub filter: FilterArgs,
}

impl ChoiceArgs {
    /// Paths become absolute, times are those of `now`.
    pub fn among(&self, now: &Zoned) -> Result<Among, Failure> {
        let at = self.at.as_deref().filter(|text| !text.is_empty());
        Ok(Among {
            at: at.map(|text| when::as_of(text, now)).transpose()?,
            filter: self.filter.filter()?,
        })
    }
}
