//! The command line of the import.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, value_parser};

use crate::server::Server;

/// A history in, over HTTP.
#[derive(Args, Clone, Debug)]
pub struct ImportArgs {
    /// Where the history comes from.
    #[command(subcommand)]
    pub source: Source,
}

/// Where a history comes from.
#[derive(Subcommand, Clone, Debug)]
pub enum Source {
    /// Files of edits, one JSON object a line.
    ///
    /// Fields: op (create, edit, rename, delete), path, from (of a rename), content (not of a delete), content_sha256,
    /// title, time (RFC 3339), author_id (a pseudonym), message, repo, commit, seq. The last three and the path must
    /// tell every edit from every other.
    Jsonl(JsonlArgs),
    /// The first-parent history of a git repository.
    Git(GitArgs),
    /// The whole history of another tenant, as `promptory export ndjson` wrote it.
    ///
    /// Prompts, versions, branches, forks, merges, labels, tags, metadata, archive and restore, with their messages and
    /// what was claimed. Rights, keys, protections, releases, comments and rollouts are not carried and are told.
    Ndjson(NdjsonArgs),
    /// The prompts of a Langfuse project: versions, labels, tags, configurations, from its public API or a file of what that
    /// answers. The key file has `public key:secret key`.
    Langfuse(OtherArgs),
    /// The prompts of an MLflow registry: versions, aliases, configurations, from its REST API or a file of model versions. The
    /// key file, if it needs one, has `user:password`.
    Mlflow(OtherArgs),
    /// PromptLayer's templates, from a file of what its API answers.
    PromptlayerJson(FileArgs),
    /// A CSV file with a header: a version a row. Columns: key (or name, act), text (or content, prompt); labels, tags (with
    /// `;` between them), message, time, author, config, template.
    Csv(FileArgs),
    /// A folder of files: what is no prompt yet becomes one, what says something else a version.
    Dir(DirArgs),
}

/// Files of edits.
#[derive(Args, Clone, Debug)]
pub struct JsonlArgs {
    /// The files, plain or compressed with gzip; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where the edits go.
    #[command(flatten)]
    pub to: Target,
}

/// A git repository.
#[derive(Args, Clone, Debug)]
pub struct GitArgs {
    /// The repository's folder.
    pub dir: PathBuf,
    /// Which paths are prompts: `prompts/**/*.md`. `*` stays within a folder, `**` does not.
    #[arg(long, required = true, num_args = 1..)]
    pub glob: Vec<String>,
    /// The revision whose history it is.
    #[arg(long, default_value = "HEAD")]
    pub rev: String,
    /// The salt of the authors' pseudonyms, made if it is not there; GIT_DIR/promptory-author-salt if not given. Another
    /// salt makes other edits of the same history.
    #[arg(long, value_name = "FILE")]
    pub author_salt_file: Option<PathBuf>,
    /// Where the edits go.
    #[command(flatten)]
    pub to: Target,
}

/// An exported history.
#[derive(Args, Clone, Debug)]
pub struct NdjsonArgs {
    /// The file, plain or compressed with gzip; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Claims the recorded time and the actor's pseudonym where the history claims nothing. The times stay what they
    /// were; the history digest becomes another one.
    #[arg(long)]
    pub claim_recorded: bool,
    /// Where it goes.
    #[command(flatten)]
    pub to: Target,
}

/// Another product.
#[derive(Args, Clone, Debug)]
pub struct OtherArgs {
    /// A file of JSON: versions in a list, or one a line.
    #[arg(value_name = "FILE", required_unless_present = "from", conflicts_with = "from")]
    pub file: Option<PathBuf>,
    /// The product's address, to read from it instead.
    #[arg(long, value_name = "URL")]
    pub from: Option<String>,
    /// A file with what it lets in: two words with a colon between them.
    #[arg(long, value_name = "FILE", requires = "from", conflicts_with = "file")]
    pub from_key_file: Option<PathBuf>,
    /// Where it goes.
    #[command(flatten)]
    pub to: Target,
}

/// A file of another product.
#[derive(Args, Clone, Debug)]
pub struct FileArgs {
    /// The file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where it goes.
    #[command(flatten)]
    pub to: Target,
}

/// A folder of files.
#[derive(Args, Clone, Debug)]
pub struct DirArgs {
    /// The folder.
    pub dir: PathBuf,
    /// Which paths in it are prompts: `**/*.md`. `*` stays within a folder, `**` does not.
    #[arg(long, default_value = "**/*", num_args = 1..)]
    pub glob: Vec<String>,
    /// What a path ends with and its key does not; that of a chat then loses `.json`.
    #[arg(long, value_name = "SUFFIX")]
    pub strip_suffix: Option<String>,
    /// Why.
    #[arg(long)]
    pub message: Option<String>,
    /// Labels that go to what is new.
    #[arg(long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
    /// Where it goes. A dry run needs the server and the key, too: it says what differs.
    #[command(flatten)]
    pub to: Target,
}

/// Where edits go.
#[derive(Args, Clone, Debug)]
pub struct Target {
    /// The server that they go to.
    #[command(flatten)]
    pub server: Server,
    /// Put before every path to make the key.
    #[arg(long, default_value = "")]
    pub prefix: String,
    /// A file that gets a line for each acknowledged edit, once its answer has arrived.
    #[arg(long, value_name = "FILE")]
    pub ack_log: Option<PathBuf>,
    /// Edits in one request.
    #[arg(long, default_value_t = 500, value_parser = value_parser!(u16).range(1..1000))]
    pub batch: u16,
    /// For how many seconds a server that is away or busy is tried again.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub patience: u64,
    /// Reads everything, says what would be sent, and sends nothing: no server and no key are needed.
    #[arg(long)]
    pub dry_run: bool,
}

impl ImportArgs {
    /// Files into the tenant whose key is in a file, everything else as usual.
    #[must_use]
    pub fn jsonl(files: Vec<PathBuf>, url: &str, key_file: &Path) -> Self {
        Self { source: Source::Jsonl(JsonlArgs { files, to: Target::new(url, key_file) }) }
    }

    /// The history of HEAD into the tenant whose key is in a file, everything else as usual.
    #[must_use]
    pub fn git(dir: &Path, glob: &[&str], url: &str, key_file: &Path) -> Self {
        let glob = glob.iter().map(ToString::to_string).collect();
        let (dir, to) = (dir.to_owned(), Target::new(url, key_file));
        Self { source: Source::Git(GitArgs { dir, glob, rev: "HEAD".into(), author_salt_file: None, to }) }
    }

    /// An exported history into the tenant whose key is in a file, everything else as usual.
    #[must_use]
    pub fn ndjson(file: &Path, url: &str, key_file: &Path) -> Self {
        let (file, to) = (file.to_owned(), Target::new(url, key_file));
        Self { source: Source::Ndjson(NdjsonArgs { file, claim_recorded: false, to }) }
    }

    /// Where the edits go.
    #[must_use]
    pub fn target(&mut self) -> &mut Target {
        match &mut self.source {
            Source::Jsonl(args) => &mut args.to,
            Source::Git(args) => &mut args.to,
            Source::Ndjson(args) => &mut args.to,
            Source::Langfuse(args) | Source::Mlflow(args) => &mut args.to,
            Source::PromptlayerJson(args) | Source::Csv(args) => &mut args.to,
            Source::Dir(args) => &mut args.to,
        }
    }
}

impl Target {
    fn new(url: &str, key_file: &Path) -> Self {
        let server = Server::new(url, key_file);
        Self { server, prefix: String::new(), ack_log: None, batch: 500, patience: 120, dry_run: false }
    }
}
