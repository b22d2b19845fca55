//! One version, small: a tenant may have millions.

use promptory_events::event::{VersionAdded, VersionRef};
use promptory_events::{ContentId, PrincipalId, PromptId, VersionId};
use serde::{Deserialize, Serialize};

/// One version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its identity.
    pub id: VersionId,
    /// Its content.
    pub content: ContentId,
    /// The event that added it: there is everything else.
    pub index: u64,
    /// Who added it.
    pub author: PrincipalId,
    parents: Parents,
}

/// What a version was made from. Nearly all have one parent, of the same prompt: that takes no more than a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Parents {
    None,
    One(u32),
    Several(Box<Several>),
}

/// Behind one pointer, so that it takes no room in those that have one parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Several(Vec<(PromptId, u32)>);

impl Version {
    pub(super) fn new(index: u64, author: PrincipalId, event: &VersionAdded) -> Self {
        let parents = Parents::new(event.prompt, &event.parents);
        Self { id: event.version, content: event.content.id, index, author, parents }
    }

    /// What it was made from: prompt and number. `own` is the prompt that it is a version of.
    pub fn parents(&self, own: PromptId) -> impl Iterator<Item = (PromptId, u32)> + '_ {
        let (one, several) = match &self.parents {
            Parents::None => (None, None),
            Parents::One(number) => (Some((own, *number)), None),
            Parents::Several(all) => (None, Some(&all.0)),
        };
        one.into_iter().chain(several.into_iter().flatten().copied())
    }
}

impl Parents {
    fn new(own: PromptId, parents: &[VersionRef]) -> Self {
        match parents {
            [] => Self::None,
            [one] if one.prompt == own => Self::One(one.number),
            several => {
                let all = several.iter().map(|parent| (parent.prompt, parent.number)).collect();
                Self::Several(Box::new(Several(all)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_takes_little_memory() {
        assert_eq!(size_of::<Version>(), 88, "there may be millions");
    }
}
