//! Every size that has a bound, in one place. The unit is in the name.

/// Prompt text, or the canonical JSON of a chat.
pub const CONTENT_MAX_BYTES: usize = 512 * 1024;
/// A version's model configuration, or a prompt's metadata, as JSON.
pub const JSON_MAX_BYTES: usize = 64 * 1024;
/// A model's name.
pub const MODEL_MAX_BYTES: usize = 256;
/// Tools of one configuration.
pub const TOOLS_MAX: usize = 128;
/// A tool's name.
pub const TOOL_NAME_MAX_BYTES: usize = 64;
/// Levels of brackets in a JSON Schema.
pub const SCHEMA_DEPTH_MAX: usize = 64;
/// Subschemas of all JSON Schemas of one configuration.
pub const SCHEMAS_MAX: usize = 2000;
/// A commit message.
pub const MESSAGE_MAX_BYTES: usize = 64 * 1024;
/// A prompt key.
pub const KEY_MAX_BYTES: usize = 1024;
/// A label.
pub const LABEL_MAX_BYTES: usize = 64;
/// A tag.
pub const TAG_MAX_BYTES: usize = 128;
/// Tags of one prompt.
pub const TAGS_MAX: usize = 64;
/// Labels of one prompt.
pub const LABELS_MAX: usize = 256;
/// Open branches of one prompt, `main` left out.
pub const BRANCHES_MAX: usize = 64;
/// The display name of a tenant or a principal.
pub const NAME_MAX_BYTES: usize = 256;
/// A claimed author's pseudonym.
pub const AUTHOR_MAX_BYTES: usize = 64;
/// An `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_MAX_BYTES: usize = 255;
/// Commands in one request.
pub const COMMANDS_PER_REQUEST_MAX: usize = 1000;
/// The body of one request: a batch, with room for JSON's escapes.
pub const REQUEST_MAX_BYTES: usize = 16 * 1024 * 1024;
/// One ledger message. `max_payload` of the shipped server is 8 MiB; the rest is room for headers.
pub const BATCH_MAX_BYTES: usize = 6 * 1024 * 1024;
/// Items on one page of a list.
pub const PAGE_MAX: usize = 1000;
/// A search query.
pub const QUERY_MAX_BYTES: usize = 1024;
/// Words and phrases of one query.
pub const QUERY_PARTS_MAX: usize = 32;
/// Prompts on one page of a search.
pub const SEARCH_PAGE_MAX: usize = 100;
/// Languages that one tenant's prompts are searched in.
pub const SEARCH_LANGUAGES_MAX: usize = 4;
/// Suggestions of one kind.
pub const SUGGESTIONS_MAX: usize = 25;
/// How long the later pages of a search may be asked for.
pub const SEARCH_HOLD_MS: u64 = 60_000;
/// The longest that a read waits for `at_least`.
pub const AT_LEAST_WAIT_MAX_MS: u64 = 2_000;
/// A writer whose clock is further behind the tenant's last batch than this refuses to write.
pub const CLOCK_BEHIND_MAX_MS: i64 = 5_000;
/// Segments of a prefix that a right is granted on.
pub const PREFIX_SEGMENTS_MAX: usize = 16;
/// Grants of one principal or one group.
pub const GRANTS_MAX: usize = 1000;
/// Groups that one principal is a member of.
pub const GROUPS_MAX: usize = 64;
/// API keys of one principal that still open.
pub const API_KEYS_MAX: usize = 64;
/// How long an API key may open beside the one that takes its place.
pub const KEY_OVERLAP_MAX_S: u32 = 30 * 24 * 3600;
/// A token in `Authorization`.
pub const TOKEN_MAX_BYTES: usize = 8 * 1024;
/// The age of a token, by its claim `iat`: older ones open nothing, whatever their claim `exp` says.
pub const TOKEN_AGE_MAX_MS: i64 = 15 * 60 * 1000;
/// How far an issuer's clock may differ from ours.
pub const TOKEN_SKEW_MAX_MS: i64 = 30_000;
/// Groups that one token may claim.
pub const TOKEN_CLAIMS_MAX: usize = 256;
/// An issuer's address, an audience, the name of a claim.
pub const ISSUER_MAX_BYTES: usize = 256;
/// What an issuer calls a group.
pub const CLAIM_MAX_BYTES: usize = 256;
/// A name that a directory knows somebody or something by: `userName`, `externalId`, a group's `displayName`.
pub const DIRECTORY_NAME_MAX_BYTES: usize = 1024;
/// Members that one command adds to a group and takes out of it.
pub const MEMBERS_PER_COMMAND_MAX: usize = 5_000;
/// Users or groups on one page of the directory.
pub const DIRECTORY_PAGE_MAX: usize = 200;
/// Users or groups that are looked through for a filter that no index answers.
pub const DIRECTORY_SCAN_MAX: usize = 1_000;
/// Trusted issuers of a tenant.
pub const ISSUERS_MAX: usize = 16;
/// Groups of one issuer that mean something.
pub const CLAIMS_MAX: usize = 1000;
/// Single tokens that are revoked and not too old anyway.
pub const TOKENS_REVOKED_MAX: usize = 10_000;
/// Custom roles of a tenant.
pub const ROLES_MAX: usize = 256;
/// Protected labels and freeze windows of a tenant.
pub const PROTECTIONS_MAX: usize = 1000;
/// Approvals that a protected label may need.
pub const APPROVALS_MAX: u16 = 16;
/// Denied attempts of a tenant that are told apart in a minute.
pub const ATTEMPTS_PER_MINUTE_MAX: usize = 32;
/// Readings of a tenant's audit in a minute that are told apart by their filters.
pub const READINGS_PER_MINUTE_MAX: usize = 32;
/// Open release requests of one prompt.
pub const REQUESTS_MAX: usize = 64;
/// Versions that a label is split over.
pub const ROLLOUT_ARMS_MAX: usize = 16;
/// Runs of a rollout's table: so often its weights may change in a way that cuts it up.
pub const ROLLOUT_RUNS_MAX: usize = 1000;
/// Rollouts of one prompt at once.
pub const ROLLOUTS_MAX: usize = 16;
/// Guards of one rollout.
pub const ROLLOUT_GUARDS_MAX: usize = 8;
/// How probable a false alarm of a guard may be at least, in millionths.
pub const GUARD_FALSE_ALARM_MIN_MILLIONTHS: u32 = 100;
/// And at most.
pub const GUARD_FALSE_ALARM_MAX_MILLIONTHS: u32 = 200_000;
/// A key that says which version of a split label is served.
pub const BUCKET_KEY_MAX_BYTES: usize = 256;
/// Variables that one version declares.
pub const VARIABLES_MAX: usize = 256;
/// The name of a variable.
pub const VARIABLE_NAME_MAX_BYTES: usize = 64;
/// Words and signs between the braces of one template, and of all that one rendering brings together.
pub const TEMPLATE_TOKENS_MAX: usize = 16_384;
/// Words and signs between one pair of braces.
pub const TAG_TOKENS_MAX: usize = 2_000;
/// Values inside each other in one list or object that a template makes, and in all that are given to one rendering.
pub const TEMPLATE_VALUES_MAX: u64 = 10_000;
/// Versions of other prompts that one version includes.
pub const INCLUDES_MAX: usize = 64;
/// Includes inside each other.
pub const INCLUDE_DEPTH_MAX: usize = 8;
/// Versions that one rendering brings together.
pub const RENDER_PARTS_MAX: usize = 256;
/// The contents that one rendering brings together.
pub const RENDER_CONTENT_MAX_BYTES: usize = 4 * 1024 * 1024;
/// The values for one rendering, as JSON.
pub const RENDER_VARIABLES_MAX_BYTES: usize = 1024 * 1024;
/// What one rendering may say.
pub const RENDER_OUTPUT_MAX_BYTES: usize = 1024 * 1024;
/// Steps of one rendering; 64 bytes that are made on the way count as one, too.
pub const RENDER_STEPS_MAX: u64 = 50_000;
/// Records of one request to the usage log.
pub const USAGE_RECORDS_MAX: usize = 1000;
/// The id of a usage record, and of the execution that an outcome is about.
pub const USAGE_ID_MAX_BYTES: usize = 128;
/// Who ran a prompt, as a pseudonym.
pub const USAGE_CALLER_MAX_BYTES: usize = 128;
/// An arm, a kind of error, what is judged, and the word that it is judged with.
pub const USAGE_NAME_MAX_BYTES: usize = 64;
/// Scores of one usage record.
pub const USAGE_SCORES_MAX: usize = 16;
/// How long an execution may take: a day.
pub const USAGE_LATENCY_MAX_US: u64 = 24 * 3600 * 1_000_000;
/// Tokens of one execution, each way.
pub const USAGE_TOKENS_MAX: u64 = 1_000_000_000;
/// What one execution may cost, in billionths: a million units.
pub const USAGE_COST_MAX_NANOS: u64 = 1_000_000_000_000_000;
/// A score that is a number, in millionths: a billion either way.
pub const USAGE_SCORE_MAX_MILLIONTHS: u64 = 1_000_000_000_000_000;
/// How far ahead of the server's clock a usage record may be.
pub const USAGE_AHEAD_MAX_MS: i64 = 300_000;
/// A trace export, unpacked.
pub const OTLP_BODY_MAX_BYTES: usize = 8 * 1024 * 1024;
/// Spans of one trace export.
pub const OTLP_SPANS_MAX: usize = 10_000;
/// A span as it comes.
pub const OTLP_SPAN_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Attributes of a span.
pub const OTLP_ATTRIBUTES_MAX: usize = 1024;
/// Groups of one answer about usage.
pub const USAGE_GROUPS_MAX: usize = 10_000;
/// What is kept of a text that was searched for and not found.
pub const EMPTY_SEARCH_MAX_BYTES: usize = 256;
/// Such texts of a day.
pub const EMPTY_SEARCHES_KEPT: usize = 1000;
/// Outcomes that may wait for one execution.
pub const USAGE_WAITING_MAX: usize = 64;
