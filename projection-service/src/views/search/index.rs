//! One tenant's index in its folder: opened as if it had been written by an enemy, written in commits that say how far they
//! go.
//!
//! The checkpoint is the commit's own payload, so it never lies: tantivy replaces one small file to make a commit true. What
//! is damaged, of another format or another life of the ledger is discarded and built again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use promptory_events::event::Languages;
use promptory_events::{Incarnation, PromptId};
use serde::{Deserialize, Serialize};
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{IndexReader, IndexWriter, ReloadPolicy, Searcher, TantivyDocument, Term};

use super::document::Document;
use super::schema::{Fields, LEXER, schema};
use super::words::Lexer;
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
    /// The languages of its stems.
    pub languages: Languages,
    /// The life of the ledger.
    pub incarnation: Incarnation,
    /// It has every prompt as it was after this event.
    pub index: u64,
}

/// What every format of a checkpoint has.
#[derive(Deserialize)]
struct Written {
    format: u32,
}

/// An open index.
pub struct Index {
    path: PathBuf,
    index: tantivy::Index,
    reader: IndexReader,
    fields: Fields,
    languages: Languages,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Index({})", self.path.display())
    }
}

impl Index {
    /// Opens the index in a folder, with all its bytes checked. What is of no use is taken away; a beginning that was never
    /// committed is, too. Blocks.
    ///
    /// # Errors
    /// The folder can't be used.
    pub fn open(path: &Path, incarnation: Incarnation) -> Result<Option<(Self, Checkpoint)>, SearchError> {
        if !path.exists() {
            return Ok(None);
        }
        match Self::verified(path, incarnation) {
            Ok(Some(opened)) => return Ok(Some(opened)),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a search index is discarded and built again");
                metrics::counter!("promptory_search_discarded_total").increment(1);
            }
        }
        Self::discard(path)?;
        Ok(None)
    }

    /// An empty index in the languages of its tenant; what is in the folder is taken away. Blocks.
    ///
    /// # Errors
    /// The folder can't be used.
    pub fn create(path: &Path, languages: Languages) -> Result<Self, SearchError> {
        Self::discard(path)?;
        std::fs::create_dir_all(path)?;
        guarded(|| Self::of(path, tantivy::Index::create_in_dir(path, schema().0)?, languages))
    }

    /// Takes an index's folder away, if it is there. The next opening builds it again.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn discard(path: &Path) -> Result<(), SearchError> {
        if path.exists() { Ok(store::discard(path)?) } else { Ok(()) }
    }

    fn verified(path: &Path, incarnation: Incarnation) -> Result<Option<(Self, Checkpoint)>, SearchError> {
        let unusable = |reason: &str| SearchError::Index(reason.to_owned());
        guarded(|| {
            let index = tantivy::Index::open_in_dir(path)?;
            if index.schema() != schema().0 {
                return Err(unusable("it has other fields"));
            }
            let meta = index.load_metas()?;
            let Some(payload) = meta.payload else {
                // It was made, and nothing was committed yet.
                return if meta.segments.is_empty() { Ok(None) } else { Err(unusable("it has no checkpoint")) };
            };
            let written: Written = serde_json::from_str(&payload).map_err(|_| unusable("it has no checkpoint"))?;
            if written.format != FORMAT {
                return Err(unusable("it is of another format"));
            }
            let checkpoint: Checkpoint =
                serde_json::from_str(&payload).map_err(|_| unusable("it has no checkpoint"))?;
            if checkpoint.incarnation != incarnation {
                return Err(unusable("it is of another life of the ledger"));
            }
            if !index.validate_checksum()?.is_empty() {
                return Err(unusable("it is damaged"));
            }
            Ok(Some((Self::of(path, index, checkpoint.languages)?, checkpoint)))
        })
    }

    fn of(path: &Path, index: tantivy::Index, languages: Languages) -> Result<Self, SearchError> {
        index.tokenizers().register(LEXER, TextAnalyzer::from(Lexer::new(languages)));
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { path: path.to_owned(), index, reader, fields: schema().1, languages })
    }

    /// Its folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The languages of its stems.
    #[must_use]
    pub fn languages(&self) -> Languages {
        self.languages
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
        Lexer::new(self.languages)
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
        let checkpoint = Checkpoint { format: FORMAT, languages: self.index.languages, incarnation, index };
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
