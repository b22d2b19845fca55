//! RFC 9457 problem documents. Every refusal has a stable `type`; this table is the only place that lists them.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

/// A kind of problem, with its stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProblemType {
    /// The stable code; the `type` is `https://promptory.dev/problems/<code>`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What it is, the same for every occurrence.
    pub title: &'static str,
}

/// How a caller that was not let in may come back.
const CHALLENGES: &str = r#"Bearer, Basic realm="promptory", charset="UTF-8""#;
/// The member that says after how many seconds to come again, if that is another time than 1; the header `Retry-After` too.
pub const RETRY_AFTER_S: &str = "retry_after_s";

/// Begins every `type`.
pub const TYPE_BASE: &str = "https://promptory.dev/problems/";

macro_rules! problem_types {
    ($($(#[$doc:meta])* $name:ident = $status:literal, $code:literal, $title:literal;)*) => {
        impl ProblemType {
            $($(#[$doc])* pub const $name: Self = Self { code: $code, status: $status, title: $title };)*

            /// All of them, for the docs and the test that every one is reached.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

problem_types! {
    /// The request can't be understood.
    MALFORMED_REQUEST = 400, "malformed-request", "The request can't be understood";
    /// A field has a value that is not allowed.
    INVALID_FIELD = 400, "invalid-field", "A field has a value that is not allowed";
    /// Records of usage that can't be taken.
    RECORDS_INVALID = 400, "records-invalid", "Some of the records can't be taken";
    /// More groups than one answer has.
    TOO_MANY_GROUPS = 400, "too-many-groups", "There are more groups than one answer has";
    /// No key, or one that opens nothing.
    UNAUTHENTICATED = 401, "unauthenticated", "What was shown lets nobody in";
    /// The caller's roles don't allow it.
    FORBIDDEN = 403, "forbidden", "The caller's roles do not allow this";
    /// A right is handed on that the caller does not hold.
    DELEGATION_EXCEEDS = 403, "delegation-exceeds", "Nobody hands on more than he holds";
    /// Nobody approves his own work.
    OWN_RELEASE = 403, "own-release", "Nobody approves what he asked for or made himself";
    /// Only its author withdraws it.
    RELEASE_NOT_YOURS = 403, "release-not-yours", "Only who opened a release request withdraws it";
    /// The tenant is suspended.
    TENANT_SUSPENDED = 403, "tenant-suspended", "The tenant is suspended";
    /// No such path.
    NOT_FOUND = 404, "not-found", "There is nothing at this path";
    /// No such prompt.
    PROMPT_NOT_FOUND = 404, "prompt-not-found", "There is no such prompt";
    /// No such version.
    VERSION_NOT_FOUND = 404, "version-not-found", "The prompt has no such version";
    /// No such label.
    LABEL_NOT_FOUND = 404, "label-not-found", "The prompt has no such label";
    /// No such branch.
    BRANCH_NOT_FOUND = 404, "branch-not-found", "The prompt has no such branch";
    /// No such principal.
    PRINCIPAL_NOT_FOUND = 404, "principal-not-found", "There is no such principal";
    /// No such key.
    KEY_NOT_FOUND = 404, "key-not-found", "There is no such API key";
    /// No such custom role.
    ROLE_NOT_FOUND = 404, "role-not-found", "There is no such role";
    /// No such group.
    GROUP_NOT_FOUND = 404, "group-not-found", "There is no such group";
    /// No such issuer.
    ISSUER_NOT_FOUND = 404, "issuer-not-found", "There is no such trusted issuer";
    /// No such release request.
    RELEASE_NOT_FOUND = 404, "release-not-found", "There is no such release request";
    /// The label has no such rollout.
    ROLLOUT_NOT_FOUND = 404, "rollout-not-found", "The label has no such rollout";
    /// No such freeze window.
    FREEZE_NOT_FOUND = 404, "freeze-not-found", "There is no such freeze window";
    /// No such tenant.
    TENANT_NOT_FOUND = 404, "tenant-not-found", "There is no such tenant";
    /// Not with this method.
    METHOD_NOT_ALLOWED = 405, "method-not-allowed", "This path does not take this method";
    /// Took too long to arrive.
    REQUEST_TIMEOUT = 408, "request-timeout", "The request took too long";
    /// The key is held by another prompt.
    KEY_TAKEN = 409, "key-taken", "Another prompt holds this key";
    /// The branch is there already.
    BRANCH_EXISTS = 409, "branch-exists", "The prompt has such a branch already";
    /// The tenant is there already.
    TENANT_EXISTS = 409, "tenant-exists", "There is such a tenant already";
    /// The prompt is archived.
    PROMPT_ARCHIVED = 409, "prompt-archived", "The prompt is archived";
    /// The prompt is not archived.
    PROMPT_NOT_ARCHIVED = 409, "prompt-not-archived", "The prompt is not archived";
    /// The prompt is of the other kind.
    KIND_MISMATCH = 409, "kind-mismatch", "The prompt holds the other kind of content";
    /// Both sides of a merge changed the same.
    MERGE_CONFLICT = 409, "merge-conflict", "Both versions changed the same";
    /// There is nothing that both sides of a merge come from.
    UNRELATED_VERSIONS = 409, "unrelated-versions", "The two versions do not come from a common one";
    /// The label is protected.
    LABEL_PROTECTED = 409, "label-protected", "The label moves only by an approved release request";
    /// The label is not protected.
    LABEL_NOT_PROTECTED = 409, "label-not-protected", "The label is not protected";
    /// Labels are frozen.
    FROZEN = 409, "frozen", "Labels do not move now";
    /// Something would include itself.
    INCLUDE_CYCLE = 409, "include-cycle", "A version would come to include itself";
    /// The request is closed.
    RELEASE_CLOSED = 409, "release-closed", "The release request is closed";
    /// The request has expired.
    RELEASE_EXPIRED = 409, "release-expired", "The release request has expired";
    /// The label has moved meanwhile.
    RELEASE_STALE = 409, "release-stale", "The label has moved since the release was asked for";
    /// There is nowhere to go back to.
    NOTHING_TO_ROLL_BACK = 409, "nothing-to-roll-back", "The label did not point elsewhere before";
    /// A rollout runs.
    ROLLOUT_RUNS = 409, "rollout-runs", "The label has a rollout";
    /// Not a version of the rollout.
    NOT_AN_ARM = 409, "not-an-arm", "The version is not of this rollout";
    /// The last owner would be gone.
    LAST_OWNER = 409, "last-owner", "The tenant would be left without an owner";
    /// The issuer is trusted for the audience.
    ISSUER_EXISTS = 409, "issuer-exists", "The issuer is trusted for this audience already";
    /// Another user of the directory has the name.
    NAME_TAKEN = 409, "name-taken", "Another user of the directory has this name";
    /// The key is revoked.
    KEY_REVOKED = 409, "key-revoked", "The API key is revoked";
    /// The ledger has been bootstrapped.
    ALREADY_BOOTSTRAPPED = 409, "already-bootstrapped", "The system was set up already";
    /// The idempotency key was used with another body.
    IDEMPOTENCY_MISMATCH = 409, "idempotency-mismatch", "The idempotency key was used with another body";
    /// Keys are not given in the clear.
    NO_BACKUP_KEY = 409, "no-backup-key", "This server has no backup key";
    /// No store was kept.
    NO_PREVIOUS_MODEL = 409, "no-previous-model", "No store of this read model was kept to go back to";
    /// The text was erased.
    ERASED = 410, "erased", "The text has been erased";
    /// The pages of a search are no longer held.
    CURSOR_EXPIRED = 410, "cursor-expired", "The pages of this search are no longer held";
    /// If-Match does not hold.
    PRECONDITION_FAILED = 412, "precondition-failed", "If-Match does not hold";
    /// Over a size limit.
    TOO_LARGE = 413, "too-large", "Something is over its size limit";
    /// The path or query is over its limit.
    URI_TOO_LONG = 414, "uri-too-long", "The path or query is too long";
    /// Not JSON.
    UNSUPPORTED_MEDIA_TYPE = 415, "unsupported-media-type", "The body is not JSON";
    /// Another process serves this.
    MISDIRECTED = 421, "misdirected", "Another role of the system serves this";
    /// Too many of something.
    LIMIT_REACHED = 422, "limit-reached", "There are as many of these as are allowed";
    /// As much as the tenant may have.
    QUOTA_EXCEEDED = 422, "quota-exceeded", "The tenant has as much of this as it may have";
    /// The label `latest` can't be moved.
    LABEL_RESERVED = 422, "label-reserved", "The label `latest` is reserved";
    /// The branch `main` can't be closed.
    BRANCH_RESERVED = 422, "branch-reserved", "The branch `main` is always there";
    /// The claimed time is later than the recorded one.
    OCCURRED_IN_FUTURE = 422, "occurred-in-future", "The claimed time lies in the future";
    /// What ends must end later than now.
    EXPIRY_IN_PAST = 422, "expiry-in-past", "What ends must end later than now";
    /// A window ends before it begins.
    EMPTY_WINDOW = 422, "empty-window", "The window ends before it begins";
    /// A content is no template of the syntax that it is said to have.
    TEMPLATE_INVALID = 422, "template-invalid", "The content is no template of this syntax";
    /// What is included is not there.
    INCLUDE_NOT_FOUND = 422, "include-not-found", "What is included is not there";
    /// What is included is no text.
    INCLUDE_NOT_TEXT = 422, "include-not-text", "Only texts can be included";
    /// Values that a rendering can't do with.
    VARIABLES_INVALID = 422, "variables-invalid", "Variables are missing, unknown or of another type";
    /// A content can't be rendered with these values.
    RENDER_FAILED = 422, "render-failed", "The content can't be rendered with these values";
    /// A rendering takes or says too much.
    RENDER_LIMIT = 422, "render-limit", "Rendering goes over a limit";
    /// The role makes no sense in this ledger.
    ROLE_NOT_HERE = 422, "role-not-here", "The role does not exist in this ledger";
    /// The command belongs into another kind of ledger.
    NOT_IN_THIS_LEDGER = 422, "not-in-this-ledger", "This ledger does not take this command";
    /// `as_of` is beyond the end of the ledger.
    INDEX_BEYOND_END = 422, "index-beyond-end", "The ledger does not reach that index";
    /// A position of another ledger.
    OTHER_INCARNATION = 422, "other-incarnation", "The position is of another life of the ledger";
    /// Too much at once.
    OVERLOADED = 429, "overloaded", "Too much at once; try again";
    /// More commands than the tenant's quota allows.
    RATE_LIMITED = 429, "rate-limited", "The tenant sends more commands a minute than it may";
    /// A defect of ours.
    INTERNAL = 500, "internal", "Something went wrong on our side";
    /// Not now.
    UNAVAILABLE = 503, "unavailable", "Not available now; try again";
    /// The clock of this server is wrong.
    CLOCK_BEHIND = 503, "clock-behind", "This server's clock is behind the tenant's last batch";
    /// The model did not reach the position in time.
    BEHIND = 504, "behind", "The read model has not reached the position in time";
}

/// One occurrence of a problem.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Its kind.
    pub kind: ProblemType,
    /// What happened here, and what to do about it.
    pub detail: String,
    /// Extension members: `field`, `limit`, …
    pub members: Map<String, Value>,
}

impl Problem {
    /// A problem of a kind, with what happened here.
    #[must_use]
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), members: Map::new() }
    }

    /// An [`ProblemType::INVALID_FIELD`] for one field: a JSON pointer, a query parameter or a header.
    #[must_use]
    pub fn field(field: &str, detail: impl Into<String>) -> Self {
        Self::new(ProblemType::INVALID_FIELD, detail).with("field", field)
    }

    /// A [`ProblemType::TOO_LARGE`] for a whole request.
    #[must_use]
    pub fn too_large() -> Self {
        let limit = promptory_events::limits::REQUEST_MAX_BYTES;
        Self::new(ProblemType::TOO_LARGE, format!("a request may have {limit} bytes; send it in parts"))
            .with("limit", limit)
    }

    /// A [`ProblemType::INTERNAL`] that says nothing more: what went wrong is in the logs.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(ProblemType::INTERNAL, "this is a defect of ours; the logs of the server say more")
    }

    /// Adds an extension member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The document as JSON: `type`, `title`, `status`, `detail`, `code` and the extension members.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut document = self.members.clone();
        document.insert("type".into(), format!("{TYPE_BASE}{}", self.kind.code).into());
        document.insert("title".into(), self.kind.title.into());
        document.insert("status".into(), self.kind.status.into());
        document.insert("detail".into(), self.detail.clone().into());
        document.insert("code".into(), self.kind.code.into());
        Value::Object(document)
    }
}

/// The document's shape, for OpenAPI.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ProblemDocument {
    /// Stable address of the kind of problem.
    pub r#type: String,
    /// What kind of problem it is.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened here, and what to do about it.
    pub detail: String,
    /// The last part of `type`.
    pub code: String,
    /// Which field, if one is to blame.
    pub field: Option<String>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = self.document().to_string();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.kind.status {
            401 => drop(headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGES))),
            429 | 503 | 504 => {
                let seconds = self.members.get(RETRY_AFTER_S).and_then(Value::as_u64).unwrap_or(1);
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_plain() {
        let mut codes: Vec<_> = ProblemType::ALL.iter().map(|t| t.code).collect();
        codes.sort_unstable();
        let count = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert!(codes.iter().all(|c| c.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    }

    #[test]
    fn a_document_has_the_members_of_the_rfc() {
        let document = Problem::field("/key", "must not be empty").document();
        assert_eq!(document["type"], "https://promptory.dev/problems/invalid-field");
        assert_eq!((&document["status"], &document["field"]), (&400.into(), &"/key".into()));
    }
}
