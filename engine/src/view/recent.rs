//! What was used last, as many as there is room for.

use std::collections::VecDeque;

/// So few that looking through all of them costs less than what they save.
pub(super) struct Recent<K, V> {
    /// Used last first.
    items: VecDeque<(K, V)>,
    room: usize,
}

impl<K: Eq + Clone, V: Clone> Recent<K, V> {
    pub fn new(room: usize) -> Self {
        Recent {
            items: VecDeque::with_capacity(room),
            room,
        }
    }

    pub fn get(&mut self, key: &K) -> Option<V> {
        let at = self.items.iter().position(|(known, _)| known == key)?;
        let item = self.items.remove(at)?;
        let value = item.1.clone();
        self.items.push_front(item);
        Some(value)
    }

    /// Whether it is there; that it is asked for does not count as use.
    pub fn holds(&self, key: &K) -> bool {
        self.items.iter().any(|(known, _)| known == key)
    }

    pub fn clear(&mut self) {
        self.items.clear();
    }

    pub fn put(&mut self, key: K, value: V) {
        self.items.retain(|(known, _)| *known != key);
        self.items.truncate(self.room.saturating_sub(1));
        self.items.push_front((key, value));
    }

    /// What is there, or else what is made and put there.
    pub fn get_or(&mut self, key: &K, make: impl FnOnce() -> V) -> V {
        if let Some(known) = self.get(key) {
            return known;
        }
        let made = make();
        self.put(key.clone(), made.clone());
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_goes() {
        let mut recent = Recent::new(2);
        recent.put(1, 'a');
        recent.put(2, 'b');
        assert_eq!(recent.get(&1), Some('a'));
        recent.put(3, 'c');
        assert_eq!(
            (recent.get(&1), recent.get(&2), recent.get(&3)),
            (Some('a'), None, Some('c'))
        );
        recent.put(3, 'd');
        assert_eq!((recent.get_or(&3, || 'x'), recent.get_or(&4, || 'e')), ('d', 'e'));
        assert_eq!(recent.items.len(), 2);
    }
}
