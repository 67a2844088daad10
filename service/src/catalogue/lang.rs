//! Which language a person reads.

use crate::env::Env;

/// A language that every text exists in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Lang {
    #[default]
    En,
    Ja,
}

impl Lang {
    pub const ALL: [Lang; 2] = [Lang::En, Lang::Ja];

    /// The code of ISO 639: what `--lang` takes.
    pub fn code(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Ja => "ja",
        }
    }

    pub fn from_code(code: &str) -> Option<Lang> {
        Lang::ALL.into_iter().find(|lang| lang.code() == code)
    }

    /// The language of the locale (POSIX, "Internationalization Variables"): `ja_JP.UTF-8` is Japanese. The first of the
    /// three variables that is set decides; English for every language that there are no texts in.
    pub fn of_locale(env: &Env) -> Lang {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .find_map(|name| env.get(name));
        let locale = set.and_then(|locale| locale.to_str()).unwrap_or_default();
        let language = locale.split(['_', '.', '@']).next().unwrap_or_default();
        Lang::from_code(&language.to_ascii_lowercase()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides() {
        let rows = [
            (&[("LANG", "ja_JP.UTF-8")][..], Lang::Ja),
            (&[("LANG", "ja")], Lang::Ja),
            (&[("LANG", "ja_JP.UTF-8"), ("LC_ALL", "C")], Lang::En),
            (&[("LANG", "C"), ("LC_MESSAGES", "ja_JP.eucJP")], Lang::Ja),
            (&[("LANG", "ja_JP.UTF-8"), ("LC_ALL", "")], Lang::Ja),
            (&[("LANG", "de_DE.UTF-8")], Lang::En),
            (&[("LANG", "jaunty")], Lang::En),
            (&[], Lang::En),
        ];
        for (vars, want) in rows {
            assert_eq!(Lang::of_locale(&Env::of(vars)), want, "{vars:?}");
        }
    }
}
