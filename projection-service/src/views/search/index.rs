//! One tenant's index in its folder: opened as if it had been written by an enemy, written in commits that say how far they
//! go.
//!
//! The checkpoint is the commit's own payload, so it never lies: tantivy replaces one small file to make a commit true. What
//! is damaged, of another format, language or life of the ledger is discarded and built again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use promptory_events::{Incarnation, PromptId};
use serde::{Deserialize, Serialize};
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{IndexReader, IndexWriter, ReloadPolicy, Searcher, TantivyDocument, Term};

use super::document::Document;
use super::schema::{Fields, LEXER, schema};
use super::words::{Language, Lexer};
use super::{FORMAT, SearchError};
use crate::points::{self, Point};
use crate::store;

/// The least memory that tantivy takes for a writer.
pub const WRITER_MIN_BYTES: usize = 15_000_000;

/// How far an index is, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// [`FORMAT`] of whoever wrote it.
    pub format: u32,
    /// The language of its stems.
    pub language: Language,
    /// The life of the ledger.
    pub incarnation: Incarnation,
    /// It has every prompt as it was after this event.
    pub index: u64,
}

/// An open index.
pub struct Index {
    path: PathBuf,
    index: tantivy::Index,
    reader: IndexReader,
    fields: Fields,
    language: Language,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Index({})", self.path.display())
    }
}

impl Index {
    /// Opens the index in a folder, with all its bytes checked; makes an empty one if there is none, or none of use. Blocks.
    ///
    /// # Errors
    /// The folder can't be used.
    pub fn open(
        path: &Path,
        language: Language,
        incarnation: Incarnation,
    ) -> Result<(Self, Option<Checkpoint>), SearchError> {
        if path.exists() {
            match Self::verified(path, language, incarnation) {
                Ok(opened) => return Ok(opened),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a search index is discarded and built again");
                    metrics::counter!("promptory_search_discarded_total").increment(1);
                    store::discard(path)?;
                }
            }
        }
        Ok((Self::create(path, language)?, None))
    }

    /// Takes an index's folder away. The next opening builds it again.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn discard(path: &Path) -> Result<(), SearchError> {
        Ok(store::discard(path)?)
    }

    fn create(path: &Path, language: Language) -> Result<Self, SearchError> {
        std::fs::create_dir_all(path)?;
        guarded(|| Self::of(path, tantivy::Index::create_in_dir(path, schema().0)?, language))
    }

    fn verified(
        path: &Path,
        language: Language,
        incarnation: Incarnation,
    ) -> Result<(Self, Option<Checkpoint>), SearchError> {
        let unusable = |reason: &str| SearchError::Index(reason.to_owned());
        let (opened, checkpoint) = guarded(|| {
            let index = tantivy::Index::open_in_dir(path)?;
            if index.schema() != schema().0 {
                return Err(unusable("it has other fields"));
            }
            let checkpoint = match index.load_metas()?.payload {
                None => None, // it was made, and nothing was committed yet
                Some(payload) => Some(serde_json::from_str(&payload).map_err(|_| unusable("it has no checkpoint"))?),
            };
            if !index.validate_checksum()?.is_empty() {
                return Err(unusable("it is damaged"));
            }
            Ok((Self::of(path, index, language)?, checkpoint))
        })?;
        match checkpoint {
            Some(Checkpoint { format: FORMAT, language: of, incarnation: life, .. })
                if (of, life) == (language, incarnation) =>
            {
                Ok((opened, checkpoint))
            }
            Some(_) => Err(unusable("it is of another format, language or life of the ledger")),
            None if opened.searcher().num_docs() > 0 => Err(unusable("it has no checkpoint")),
            None => Ok((opened, None)),
        }
    }

    fn of(path: &Path, index: tantivy::Index, language: Language) -> Result<Self, SearchError> {
        index.tokenizers().register(LEXER, TextAnalyzer::from(Lexer::new(language)));
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { path: path.to_owned(), index, reader, fields: schema().1, language })
    }

    /// What is searched in, as of the last [`Index::reload`].
    #[must_use]
    pub fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    /// The fields.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Cuts texts as the index does.
    #[must_use]
    pub fn lexer(&self) -> Lexer {
        Lexer::new(self.language)
    }

    /// Makes what was committed visible to [`Index::searcher`].
    ///
    /// # Errors
    /// It can't be read.
    pub fn reload(&self) -> Result<(), SearchError> {
        guarded(|| Ok(self.reader.reload()?))
    }

    /// Begins to write, with at most so many bytes of memory. One at a time.
    ///
    /// # Errors
    /// The index can't be written.
    pub fn writer(&self, bytes: usize) -> Result<Writer<'_>, SearchError> {
        let writer = guarded(|| Ok(self.index.writer_with_num_threads(1, bytes.max(WRITER_MIN_BYTES))?))?;
        Ok(Writer { index: self, writer })
    }
}

/// Writes to an index. What is not committed is gone when it is dropped.
pub struct Writer<'a> {
    index: &'a Index,
    writer: IndexWriter<TantivyDocument>,
}

impl std::fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Writer({:?})", self.index)
    }
}

impl Writer<'_> {
    /// Takes everything out.
    ///
    /// # Errors
    /// The index can't be written.
    pub fn clear(&self) -> Result<(), SearchError> {
        guarded(|| Ok(self.writer.delete_all_documents().map(drop)?))
    }

    /// Puts a prompt's documents in the place of those that it has.
    ///
    /// # Errors
    /// The index can't be written.
    pub fn replace(&self, prompt: PromptId, documents: &[Document]) -> Result<(), SearchError> {
        guarded(|| {
            self.writer.delete_term(Term::from_field_bytes(self.index.fields.prompt, &prompt.0));
            self.add(documents)
        })
    }

    /// Adds documents of a prompt that has none.
    ///
    /// # Errors
    /// The index can't be written.
    pub fn add(&self, documents: &[Document]) -> Result<(), SearchError> {
        for document in documents {
            self.writer.add_document(document.indexed(&self.index.fields)?)?;
        }
        Ok(())
    }

    /// Makes all of it true at once, and durable, together with how far it goes.
    ///
    /// # Errors
    /// The index can't be written: it is as it was.
    pub fn commit(&mut self, index: u64, incarnation: Incarnation) -> Result<(), SearchError> {
        let checkpoint = Checkpoint { format: FORMAT, language: self.index.language, incarnation, index };
        let payload = serde_json::to_string(&checkpoint).map_err(|error| SearchError::Index(error.to_string()))?;
        guarded(|| {
            points::pass(Point::BeforeIndexCommit);
            let mut commit = self.writer.prepare_commit()?;
            commit.set_payload(&payload);
            points::pass(Point::WithinIndexCommit);
            commit.commit()?;
            points::pass(Point::AfterIndexCommit);
            Ok(())
        })
    }

    /// Waits for the merging of segments that the commit has begun; without it they stay many.
    ///
    /// # Errors
    /// The index can't be written.
    pub fn finish(self) -> Result<(), SearchError> {
        guarded(|| Ok(self.writer.wait_merging_threads()?))
    }
}

/// Runs something of tantivy's and makes its panics errors: a damaged file may be met anywhere.
pub fn guarded<T>(call: impl FnOnce() -> Result<T, SearchError>) -> Result<T, SearchError> {
    // A panic leaves only tantivy's own state in doubt, and after an error the index is opened again.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(SearchError::Index("it panicked".to_owned())))
}
