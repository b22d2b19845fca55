//! Where a tenant's index lies: in one of two folders. In the other one it is built anew in other languages, while the first
//! serves; then it takes its place, and the first is taken away.
//!
//! An index is there once it has a checkpoint, and it is committed once, whole: whatever ends the process on the way, one of
//! the two can serve, and which one is known by its languages.

use std::path::{Path, PathBuf};

use promptory_events::Incarnation;
use promptory_events::event::Languages;

use super::VIEW;
use crate::views::search::SearchError;
use crate::views::search::index::Index;

/// The two.
#[derive(Debug)]
pub(super) struct Folders([PathBuf; 2]);

impl Folders {
    /// Those of a tenant, below its folder.
    pub(super) fn below(tenant: &Path) -> Self {
        Self([tenant.join(VIEW), tenant.join(format!("{VIEW}-other"))])
    }

    /// The index that is to serve, and how far it is: the one in these languages; else the one that there is, until it is
    /// built in them; else a new one.
    pub(super) fn open(
        &self,
        languages: Languages,
        incarnation: Incarnation,
    ) -> Result<(Index, Option<u64>), SearchError> {
        let mut found = Vec::new();
        for path in &self.0 {
            found.extend(Index::open(path, incarnation)?);
        }
        let fits = found.iter().position(|(index, _)| index.languages() == languages).unwrap_or_default();
        if found.is_empty() {
            return Ok((Index::create(&self.0[0], languages)?, None));
        }
        let (index, checkpoint) = found.swap_remove(fits);
        for (other, _) in found {
            Index::discard(other.path())?;
        }
        Ok((index, Some(checkpoint.index)))
    }

    /// The one in which an index is not.
    pub(super) fn beside(&self, index: &Index) -> &Path {
        let [one, other] = &self.0;
        if index.path() == one { other } else { one }
    }

    /// Takes both away.
    pub(super) fn discard(&self) -> Result<(), SearchError> {
        self.0.iter().try_for_each(|path| Index::discard(path))
    }
}

#[cfg(test)]
mod tests {
    use promptory_events::event::Language;

    use super::*;
    use crate::views::search::index::WRITER_MIN_BYTES;

    const LIFE: Incarnation = Incarnation([1; 8]);

    fn built(path: &Path, languages: &[Language], index: u64) {
        let there = Index::create(path, Languages::of(languages)).unwrap();
        let mut writer = there.writer(WRITER_MIN_BYTES).unwrap();
        writer.commit(index, LIFE).unwrap();
        writer.finish().unwrap();
    }

    #[test]
    fn the_index_in_the_right_languages_serves_and_the_other_one_goes() {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders::below(dir.path());
        built(&folders.0[0], &[Language::English], 3);
        built(&folders.0[1], &[Language::German], 5);
        let (index, at) = folders.open(Languages::of(&[Language::German]), LIFE).unwrap();
        assert_eq!((index.path(), at), (&*folders.0[1], Some(5)));
        assert!(!folders.0[0].exists());
        assert_eq!(folders.beside(&index), folders.0[0]);
    }

    #[test]
    fn what_is_there_serves_until_the_other_one_has_a_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders::below(dir.path());
        built(&folders.0[0], &[Language::English], 3);
        let begun = Index::create(&folders.0[1], Languages::of(&[Language::German])).unwrap();
        drop(begun);
        let (index, at) = folders.open(Languages::of(&[Language::German]), LIFE).unwrap();
        assert_eq!((index.path(), index.languages(), at), (&*folders.0[0], Languages::default(), Some(3)));
        assert!(!folders.0[1].exists(), "a beginning is of no use");
        let another = Incarnation([2; 8]);
        drop(index);
        let (index, at) = folders.open(Languages::default(), another).unwrap();
        assert_eq!((index.path(), at), (&*folders.0[0], None), "of another life");
    }
}
