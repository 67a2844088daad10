//! Files that runs which died have not completed, and that this run can go on with: what is right in them is not fetched
//! again (`reuse`).

use std::collections::HashMap;

/// New files that are remembered. There are as many as a run writes at the same time; further ones are removed.
const MOST: usize = 1 << 12;

/// How a file comes to its content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Writing {
    /// It is new, and can be made again from nothing.
    New,
    /// It was there, and is changed: nothing else has what the user had there.
    InPlace,
}

pub(super) struct Partial {
    /// Of the file, in the target.
    pub path: Vec<u8>,
    pub how: Writing,
    /// This run has completed the file from something else.
    pub is_spare: bool,
}

/// By their temporary names, which differ whatever directory they are in.
#[derive(Default)]
pub(super) struct Partials {
    found: HashMap<Vec<u8>, Partial>,
}

impl Partials {
    /// What was changed in place is always remembered: it must not be removed.
    pub fn add(&mut self, temporary: Vec<u8>, path: Vec<u8>, how: Writing) {
        if how == Writing::InPlace || self.found.len() < MOST {
            let partial = Partial {
                path,
                how,
                is_spare: false,
            };
            self.found.insert(temporary, partial);
        }
    }

    /// The temporary name of what there is of the file at `path`.
    pub fn of(&self, path: &[u8]) -> Option<&Vec<u8>> {
        let of_path = self.found.iter().filter(|(_, partial)| partial.path == path);
        let best = of_path.max_by_key(|(_, partial)| partial.how == Writing::InPlace);
        best.map(|(temporary, _)| temporary)
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub fn how(&self, temporary: &[u8]) -> Option<Writing> {
        self.found.get(temporary).map(|partial| partial.how)
    }

    pub fn holds(&self, temporary: &[u8]) -> bool {
        self.found.contains_key(temporary)
    }

    /// It has another name now.
    pub fn remove(&mut self, temporary: &[u8]) {
        self.found.remove(temporary);
    }

    /// The file is complete without it.
    pub fn spare(&mut self, temporary: &[u8]) {
        if let Some(partial) = self.found.get_mut(temporary) {
            partial.is_spare = true;
        }
    }

    /// Those that nothing will come of, of files in the directory `dir`: all that will be restored there is.
    pub fn take_idle(&mut self, dir: &[u8]) -> Vec<Vec<u8>> {
        let is_idle = |partial: &mut Partial| {
            let is_needed = partial.how == Writing::InPlace && !partial.is_spare;
            !is_needed && parent(&partial.path) == dir
        };
        let idle = self.found.extract_if(|_, partial| is_idle(partial));
        idle.map(|(temporary, _)| temporary).collect()
    }

    pub fn take_all(&mut self) -> HashMap<Vec<u8>, Partial> {
        std::mem::take(&mut self.found)
    }
}

/// The directory of what is at `path`.
pub(super) fn parent(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|byte| *byte == b'/');
    path.get(..slash.unwrap_or(0)).unwrap_or_default()
}
