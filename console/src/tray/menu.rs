//! The menu of the icon, by the protocol `com.canonical.dbusmenu`, which is what panels understand.

use super::state::TrayState;
use service::catalogue::Lang;
use service::catalogue::report::tray as texts;
use std::collections::HashMap;
use zbus::Variant;

/// Sets that are listed; the console has the others.
const SETS_MAX: usize = 12;

/// What an entry does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrayAction {
    Open,
    /// For so many hours.
    Pause(i64),
    Resume,
    Stop,
    Quit,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub id: i32,
    /// A line without a text divides the menu.
    label: Option<String>,
    pub action: Option<TrayAction>,
}

/// Properties of an entry, by their names.
pub type Properties = HashMap<&'static str, Variant<'static>>;
/// An entry with its properties and those below it.
pub type Layout = (i32, Properties, Vec<Variant<'static>>);

/// Ids of what can be chosen stay the same, whatever else is in the menu.
const CHOICES: [(i32, TrayAction); 7] = [
    (101, TrayAction::Open),
    (102, TrayAction::Pause(1)),
    (103, TrayAction::Pause(4)),
    (104, TrayAction::Pause(24)),
    (105, TrayAction::Resume),
    (106, TrayAction::Stop),
    (107, TrayAction::Quit),
];

pub fn entries(lang: Lang, state: &TrayState) -> Vec<Entry> {
    let lines = [&state.sentence, &state.below].into_iter();
    let lines = lines.chain(state.sets.iter().take(SETS_MAX));
    let lines = lines.filter(|line| !line.is_empty());
    let mut entries: Vec<Entry> = lines
        .zip(1..)
        .map(|(line, id)| Entry {
            id,
            label: Some(line.clone()),
            action: None,
        })
        .collect();
    let divider = |id| Entry {
        id,
        label: None,
        action: None,
    };
    entries.push(divider(100));
    for (id, action) in CHOICES {
        let is_there = match action {
            TrayAction::Resume => state.is_paused,
            TrayAction::Pause(_) => !state.is_paused,
            TrayAction::Stop => state.is_running,
            TrayAction::Open | TrayAction::Quit => true,
        };
        if !is_there {
            continue;
        }
        if action == TrayAction::Quit {
            entries.push(divider(110));
        }
        entries.push(Entry {
            id,
            label: Some(label(lang, state, action).to_string()),
            action: Some(action),
        });
    }
    entries
}

fn label(lang: Lang, state: &TrayState, action: TrayAction) -> &'static str {
    match action {
        TrayAction::Open if state.console.is_none() => texts::not_running(lang),
        TrayAction::Open => texts::open(lang),
        TrayAction::Pause(hours) => texts::pause(lang, hours),
        TrayAction::Resume => texts::resume(lang),
        TrayAction::Stop => texts::stop(lang),
        TrayAction::Quit => texts::quit(lang),
    }
}

impl Entry {
    fn properties(&self) -> Properties {
        match &self.label {
            None => HashMap::from([("type", "separator".into())]),
            // An underscore would mark the letter after it.
            Some(label) => HashMap::from([
                ("label", label.replace('_', "__").into()),
                ("enabled", self.action.is_some().into()),
            ]),
        }
    }
}

/// Of the entry with this id, or of the whole menu for 0.
pub fn layout(entries: &[Entry], id: i32, depth: i32) -> Option<Layout> {
    if id != 0 {
        let entry = entries.iter().find(|entry| entry.id == id)?;
        return Some((id, entry.properties(), Vec::new()));
    }
    let below = entries.iter().filter(|_| depth != 0).map(|entry| {
        let layout: Layout = (entry.id, entry.properties(), Vec::new());
        Variant::from(layout)
    });
    let root = HashMap::from([("children-display", "submenu".into())]);
    Some((0, root, below.collect()))
}

/// Of the entries with these ids, or of all.
pub fn properties(entries: &[Entry], ids: &[i32]) -> Vec<(i32, Properties)> {
    let asked = entries
        .iter()
        .filter(|entry| ids.is_empty() || ids.contains(&entry.id));
    asked.map(|entry| (entry.id, entry.properties())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::icon::Badge;
    use super::*;

    #[test]
    fn what_can_be_chosen() {
        let mut state = TrayState {
            badge: Badge::None,
            sentence: "All is well.".to_string(),
            below: String::new(),
            sets: vec!["my_docs: completed".to_string(); 20],
            is_paused: false,
            is_running: false,
            console: None,
        };
        let of = |state: &TrayState| entries(Lang::En, state);
        let chosen = |state: &TrayState| {
            of(state)
                .iter()
                .filter_map(|entry| entry.action)
                .collect::<Vec<_>>()
        };
        use TrayAction::{Open, Pause, Quit, Resume, Stop};
        assert_eq!(chosen(&state), [Open, Pause(1), Pause(4), Pause(24), Quit]);
        assert_eq!(of(&state).len(), 1 + SETS_MAX + 2 + 5);
        let mut ids: Vec<i32> = of(&state).iter().map(|entry| entry.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), of(&state).len(), "each has an id of its own");
        (state.is_paused, state.is_running) = (true, true);
        assert_eq!(chosen(&state), [Open, Resume, Stop, Quit]);
        let all = of(&state);
        let (id, _, below) = layout(&all, 0, -1).unwrap();
        assert_eq!((id, below.len()), (0, all.len()));
        assert!(layout(&all, 0, 0).unwrap().2.is_empty());
        assert!(layout(&all, 9999, -1).is_none());
        assert_eq!(
            properties(&all, &[2])[0].1["label"],
            Variant::from("my__docs: completed")
        );
    }
}
