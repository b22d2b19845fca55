//! The directory as it is now: what SCIM shows. It is asked where the commands are decided, so that whoever has written sees
//! at once what he wrote, and so that a patch is of what is there.

use std::sync::Arc;

use promptory_domain::Rejection;
use promptory_domain::access::directory::{Directory, Entry};
use promptory_domain::access::{Action, Rights};
use promptory_events::{Event, GroupId, PrincipalId, Sealed, TenantId, limits};
use promptory_ledger::{KeyStore, KeyStoreError, Ledger, Name, seal};
use promptory_platform::apikey::Presented as Shown;
use promptory_scim::{Error, Filter, Kind, Object};

use super::execute::gathering;
use super::{Service, refresh};
use crate::failure::Failure;
use crate::gather::recorded_event;
use crate::load::Confirmed;

/// A directory at a moment.
#[derive(Debug)]
pub struct Look {
    state: Arc<Confirmed>,
    ledger: Ledger,
    keys: KeyStore,
}

/// A user or a group at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A user.
    User(PrincipalId, Entry),
    /// A group.
    Group(GroupId, Entry),
}

impl Who {
    /// What is known of it.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        match self {
            Self::User(_, entry) | Self::Group(_, entry) => entry,
        }
    }

    /// Its id as text.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::User(id, _) => id.to_string(),
            Self::Group(id, _) => id.to_string(),
        }
    }
}

impl Service {
    /// Looks into the directory of the caller's tenant, if he may read access in it.
    ///
    /// # Errors
    /// The caller is not let in or may not; the ledger can't be read.
    pub async fn directory(&self, shown: &Shown) -> Result<Look, Failure> {
        let caller = self.admit(shown).await?;
        if shown.tenant().is_system() {
            return Err(Rejection::NotInThisLedger(shown.tenant().clone()).into());
        }
        if self.system.shared {
            refresh(&caller.writer).await; // another replica may have written
        }
        let state = caller.writer.published.load_full();
        self.may(&caller, &state, Action::ReadAccess, "").await?;
        Ok(Look { state, ledger: self.ledger.clone(), keys: self.keys.clone() })
    }
}

impl Look {
    fn tenant(&self) -> &TenantId {
        self.state.state.id()
    }

    fn rights(&self) -> &Rights {
        self.state.state.rights()
    }

    fn directory(&self) -> &Directory {
        self.rights().directory()
    }

    /// A user by id.
    #[must_use]
    pub fn user(&self, id: &str) -> Option<Who> {
        let id: PrincipalId = id.parse().ok()?;
        self.directory().users().get(&id).map(|entry| Who::User(id, *entry))
    }

    /// A group by id.
    #[must_use]
    pub fn group(&self, id: &str) -> Option<Who> {
        let id: GroupId = id.parse().ok()?;
        self.directory().groups().get(&id).map(|entry| Who::Group(id, *entry))
    }

    /// The users in a group that the directory knows, by id.
    pub fn members(&self, group: GroupId) -> impl Iterator<Item = PrincipalId> + '_ {
        self.rights().members(group).filter(|member| self.directory().users().contains_key(member))
    }

    /// The groups of a user that the directory knows, by id.
    pub fn groups_of(&self, user: PrincipalId) -> impl Iterator<Item = GroupId> + '_ {
        self.rights().groups_of(user).filter(|group| self.directory().groups().contains_key(group))
    }

    /// All users, by id.
    pub fn users(&self) -> impl Iterator<Item = Who> + '_ {
        self.directory().users().iter().map(|(id, entry)| Who::User(*id, *entry))
    }

    /// All groups, by id.
    pub fn groups(&self) -> impl Iterator<Item = Who> + '_ {
        self.directory().groups().iter().map(|(id, entry)| Who::Group(*id, *entry))
    }

    /// The users that a filter may mean: the one that it names, or all if they are not too many to look through.
    ///
    /// # Errors
    /// Too many; the key store can't give keys.
    pub async fn users_for(&self, filter: &Filter) -> Result<Result<Vec<Who>, Error>, Failure> {
        if let Some(id) = filter.must_be("id") {
            return Ok(Ok(self.user(id).into_iter().collect()));
        }
        let named = match filter.must_be("userName") {
            Some(name) => Some(self.directory().named(self.keyed(Name::User, name).await?)),
            None => match filter.must_be("externalId") {
                Some(name) => Some(self.directory().known_as(self.keyed(Name::UserExternal, name).await?)),
                None => None,
            },
        };
        Ok(match named {
            Some(user) => Ok(user.and_then(|user| self.user(&user.to_string())).into_iter().collect()),
            None => few(self.directory().users().size(), self.users()),
        })
    }

    /// The same of groups.
    ///
    /// # Errors
    /// As [`Look::users_for`].
    pub async fn groups_for(&self, filter: &Filter) -> Result<Result<Vec<Who>, Error>, Failure> {
        if let Some(id) = filter.must_be("id") {
            return Ok(Ok(self.group(id).into_iter().collect()));
        }
        if let Some(name) = filter.must_be("displayName") {
            let name = self.keyed(Name::Group, name).await?;
            return Ok(Ok(self.groups().filter(|group| group.entry().name == name).collect()));
        }
        if let Some(name) = filter.must_be("externalId") {
            let name = Some(self.keyed(Name::GroupExternal, name).await?);
            return Ok(Ok(self.groups().filter(|group| group.entry().external == name).collect()));
        }
        Ok(few(self.directory().groups().size(), self.groups()))
    }

    async fn keyed(&self, kind: Name, text: &str) -> Result<promptory_events::NameId, Failure> {
        let (keys, tenant, text) = (self.keys.clone(), self.tenant().clone(), text.to_owned());
        let asks_a_server = !keys.is_at_hand(&tenant, 0);
        Ok(gathering(asks_a_server, move || keys.name(&tenant, kind, &text)).await??)
    }

    /// The profiles of some, in their order; an empty one where it was erased.
    ///
    /// # Errors
    /// The ledger or the key store can't be read.
    pub async fn profiles(&self, all: &[Who]) -> Result<Vec<Object>, Failure> {
        let mut sealed = Vec::with_capacity(all.len());
        for who in all {
            sealed.push(self.sealed(who).await?);
        }
        let (keys, tenant) = (self.keys.clone(), self.tenant().clone());
        let heavy = !keys.is_local() || all.len() > 16;
        let open = move || sealed.iter().map(|(aad, sealed)| opened(&keys, &tenant, aad, sealed)).collect();
        gathering(heavy, open).await?
    }

    /// A profile as the ledger has it, and what it is bound to.
    async fn sealed(&self, who: &Who) -> Result<(Vec<u8>, Sealed), Failure> {
        let index = who.entry().profile;
        let (command_id, event) = recorded_event(&self.ledger, self.tenant(), index).await?;
        let profile = match (event, who) {
            (Event::UserSet(set), Who::User(id, _)) if set.user == *id => set.profile,
            (Event::GroupSet(set), Who::Group(id, _)) if set.group == *id => set.profile,
            _ => return Err(Failure::Unavailable(format!("event {index} carries another profile"))),
        };
        Ok((seal::aad::name(self.tenant(), command_id), profile))
    }
}

fn few(count: usize, all: impl Iterator<Item = Who>) -> Result<Vec<Who>, Error> {
    if count > limits::DIRECTORY_SCAN_MAX {
        let max = limits::DIRECTORY_SCAN_MAX;
        let detail = format!("there are {count}, and at most {max} are looked through; filter by a name or an id");
        return Err(Error::new(Kind::TooMany, detail));
    }
    Ok(all.collect())
}

fn opened(keys: &KeyStore, tenant: &TenantId, aad: &[u8], sealed: &Sealed) -> Result<Object, Failure> {
    match keys.open_sealed(tenant, aad, sealed) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|_| Failure::Unavailable("a profile is no object".into())),
        Err(KeyStoreError::Erased(_)) => Ok(Object::new()),
        Err(error) => Err(error.into()),
    }
}
