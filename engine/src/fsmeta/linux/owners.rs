//! Names of users and groups and back, looked up once each: a lookup may ask a directory server.

use parking_lot::RwLock;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// Answers kept in each direction. A file server's tree has thousands of owners at most; beyond this a table starts
/// afresh, which costs lookups and bounds memory whatever a tree contains.
const KEPT: usize = 4096;

type OwnerTable<K, V> = RwLock<HashMap<K, V>>;

#[derive(Default)]
pub struct Owners {
    users: OwnerTable<u32, Arc<str>>,
    groups: OwnerTable<u32, Arc<str>>,
    uids: OwnerTable<Arc<str>, Option<u32>>,
    gids: OwnerTable<Arc<str>, Option<u32>>,
}

impl Owners {
    /// Empty where the system has no such user, or its name is not UTF-8.
    pub fn user(&self, uid: u32) -> Arc<str> {
        cached(&self.users, uid, || {
            let user = uzers::get_user_by_uid(uid);
            Arc::from(user.as_ref().and_then(|u| u.name().to_str()).unwrap_or_default())
        })
    }

    pub fn group(&self, gid: u32) -> Arc<str> {
        cached(&self.groups, gid, || {
            let group = uzers::get_group_by_gid(gid);
            Arc::from(group.as_ref().and_then(|g| g.name().to_str()).unwrap_or_default())
        })
    }

    pub fn uid_of(&self, name: &Arc<str>) -> Option<u32> {
        if name.is_empty() || name.contains('\0') {
            return None;
        }
        let look = || uzers::get_user_by_name(&**name).map(|u| u.uid());
        cached(&self.uids, name.clone(), look)
    }

    pub fn gid_of(&self, name: &Arc<str>) -> Option<u32> {
        if name.is_empty() || name.contains('\0') {
            return None;
        }
        let look = || uzers::get_group_by_name(&**name).map(|g| g.gid());
        cached(&self.gids, name.clone(), look)
    }
}

fn cached<K: Eq + Hash, V: Clone>(table: &OwnerTable<K, V>, key: K, look_up: impl FnOnce() -> V) -> V {
    if let Some(known) = table.read().get(&key) {
        return known.clone();
    }
    let value = look_up();
    let mut table = table.write();
    if table.len() >= KEPT {
        table.clear();
    }
    table.insert(key, value.clone());
    value
}
