//! Events about users and groups of the directory: a row each, without a name in the clear.

use promptory_events::event::{Event, GroupSet, UserSet};
use promptory_events::{GroupId, PrincipalId};

use super::Broken;
use super::access::write;
use super::apply::Step;
use super::row::DirectoryRow;
use super::stage::Staged;
use crate::hot::Hot;
use crate::store::key::Key;

/// The rows of an event of this family; the state is the caller's business.
pub(super) fn apply(hot: &mut Hot, staged: &mut Staged, step: &Step<'_>) -> Result<(), Broken> {
    match step.event {
        Event::UserSet(UserSet { user, name, external, active, created_at, changed_at, .. }) => {
            let (set, created_at, changed_at) = (step.index, *created_at, *changed_at);
            let row = DirectoryRow {
                name: *name,
                external: *external,
                active: *active,
                set,
                created_at,
                changed_at,
                removed: None,
            };
            put_user(hot, staged, *user, row);
        }
        Event::GroupSet(GroupSet { group, name, external, created_at, changed_at, .. }) => {
            let (set, created_at, changed_at) = (step.index, *created_at, *changed_at);
            let row = DirectoryRow {
                name: *name,
                external: *external,
                active: true,
                set,
                created_at,
                changed_at,
                removed: None,
            };
            put_group(hot, staged, *group, row);
        }
        Event::UserRemoved(event) => {
            let before = hot.access.users.get(&event.user).cloned();
            let before = before.ok_or_else(|| step.broken("there was no such user"))?;
            put_user(hot, staged, event.user, DirectoryRow { removed: Some(step.index), ..before });
        }
        Event::GroupRemoved(event) => {
            let before = hot.access.listed.get(&event.group).cloned();
            let before = before.ok_or_else(|| step.broken("the directory had no such group"))?;
            put_group(hot, staged, event.group, DirectoryRow { removed: Some(step.index), ..before });
        }
        _ => {}
    }
    Ok(())
}

fn put_user(hot: &mut Hot, staged: &mut Staged, user: PrincipalId, row: DirectoryRow) {
    let before = hot.access.users.get(&user).cloned();
    write(hot, staged, &Key::User(user), before.as_ref(), &row);
    hot.access.users.insert_mut(user, row);
}

fn put_group(hot: &mut Hot, staged: &mut Staged, group: GroupId, row: DirectoryRow) {
    let before = hot.access.listed.get(&group).cloned();
    write(hot, staged, &Key::Listed(group), before.as_ref(), &row);
    hot.access.listed.insert_mut(group, row);
}
