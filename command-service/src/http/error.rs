//! Failure -> problem document: the only mapping.

use promptory_domain::Rejection;
use promptory_platform::problem::{Problem, ProblemType, RETRY_AFTER_S};

use crate::failure::Failure;

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let detail = failure.to_string();
        match failure {
            Failure::Malformed(problem) => *problem,
            Failure::TooLarge { bytes, max } => {
                Self::new(ProblemType::TOO_LARGE, detail).with("bytes", bytes).with("limit", max)
            }
            Failure::RateLimited { limit, retry_after_s } => {
                metrics::counter!("promptory_rate_limited_total").increment(1);
                Self::new(ProblemType::RATE_LIMITED, detail).with("limit", limit).with(RETRY_AFTER_S, retry_after_s)
            }
            Failure::InBatch { command, why } => Self { detail, ..Self::from(*why).with("command", command) },
            Failure::Rejected(rejection) => rejected(&rejection, detail),
            Failure::IdempotencyMismatch => {
                Self::new(ProblemType::IDEMPOTENCY_MISMATCH, detail).with("field", "Idempotency-Key")
            }
            Failure::NoBackupKey => Self::new(ProblemType::NO_BACKUP_KEY, detail),
            Failure::Suspended => Self::new(ProblemType::TENANT_SUSPENDED, detail),
            Failure::Overloaded => Self::new(ProblemType::OVERLOADED, detail),
            Failure::ClockBehind { .. } => Self::new(ProblemType::CLOCK_BEHIND, detail),
            Failure::Unavailable(_) | Failure::OutcomeUnknown => {
                tracing::warn!(%detail, "a command can't be done now");
                Self::new(ProblemType::UNAVAILABLE, detail)
            }
            Failure::Internal(error) => {
                tracing::error!(%error, "a command failed inside");
                Self::new(ProblemType::INTERNAL, "the error is in the server's log")
            }
        }
    }
}

fn rejected(rejection: &Rejection, detail: String) -> Problem {
    match rejection {
        Rejection::Unauthenticated => Problem::new(ProblemType::UNAUTHENTICATED, detail),
        Rejection::Forbidden(action) => Problem::new(ProblemType::FORBIDDEN, detail).with("right", action.name()),
        Rejection::NotInThisLedger(_) => Problem::new(ProblemType::NOT_IN_THIS_LEDGER, detail),
        Rejection::PromptNotFound(_) => Problem::new(ProblemType::PROMPT_NOT_FOUND, detail).with("field", "/prompt"),
        Rejection::PromptArchived => Problem::new(ProblemType::PROMPT_ARCHIVED, detail),
        Rejection::PromptNotArchived => Problem::new(ProblemType::PROMPT_NOT_ARCHIVED, detail),
        Rejection::KeyTaken(_) => Problem::new(ProblemType::KEY_TAKEN, detail).with("field", "/key"),
        Rejection::KindMismatch { .. } => Problem::new(ProblemType::KIND_MISMATCH, detail),
        Rejection::VersionNotFound { newest, .. } => {
            Problem::new(ProblemType::VERSION_NOT_FOUND, detail).with("field", "/version").with("newest", *newest)
        }
        Rejection::LabelNotFound(_) => Problem::new(ProblemType::LABEL_NOT_FOUND, detail).with("field", "/label"),
        Rejection::LabelReserved => Problem::new(ProblemType::LABEL_RESERVED, detail).with("field", "/label"),
        Rejection::PreconditionFailed { current } => {
            let current = current.map(|version| version.to_string());
            Problem::new(ProblemType::PRECONDITION_FAILED, detail).with("field", "If-Match").with("current", current)
        }
        Rejection::TagsMoved => Problem::new(ProblemType::PRECONDITION_FAILED, detail).with("field", "/from"),
        Rejection::OccurredInFuture => {
            Problem::new(ProblemType::OCCURRED_IN_FUTURE, detail).with("field", "/occurred_at")
        }
        Rejection::LimitReached { max, .. } => Problem::new(ProblemType::LIMIT_REACHED, detail).with("limit", *max),
        Rejection::PrincipalNotFound(_) => Problem::new(ProblemType::PRINCIPAL_NOT_FOUND, detail),
        Rejection::ApiKeyNotFound(_) => Problem::new(ProblemType::KEY_NOT_FOUND, detail),
        Rejection::RoleNotHere(_) => Problem::new(ProblemType::ROLE_NOT_HERE, detail).with("field", "/role"),
        Rejection::LastOwner => Problem::new(ProblemType::LAST_OWNER, detail),
        Rejection::TenantExists(_) => Problem::new(ProblemType::TENANT_EXISTS, detail).with("field", "/tenant"),
        Rejection::TenantNotFound(_) => Problem::new(ProblemType::TENANT_NOT_FOUND, detail).with("field", "/tenant"),
        Rejection::BranchNotFound(branch) => {
            Problem::new(ProblemType::BRANCH_NOT_FOUND, detail).with("branch", branch.as_str())
        }
        Rejection::BranchExists(_) => Problem::new(ProblemType::BRANCH_EXISTS, detail).with("field", "/branch"),
        Rejection::BranchReserved => Problem::new(ProblemType::BRANCH_RESERVED, detail).with("field", "/branch"),
        Rejection::NameTaken(attribute) => {
            Problem::new(ProblemType::NAME_TAKEN, detail).with("field", format!("/profile/{attribute}"))
        }
        Rejection::DirectoryMoved { current } => {
            Problem::new(ProblemType::PRECONDITION_FAILED, detail).with("current_index", *current)
        }
        Rejection::MergeConflict => Problem::new(ProblemType::MERGE_CONFLICT, detail),
        Rejection::UnrelatedVersions => Problem::new(ProblemType::UNRELATED_VERSIONS, detail).with("field", "/from"),
        Rejection::IncludeNotFound(written) => {
            Problem::new(ProblemType::INCLUDE_NOT_FOUND, detail).with("include", written.to_string())
        }
        Rejection::IncludeNotText(written) => {
            Problem::new(ProblemType::INCLUDE_NOT_TEXT, detail).with("include", written.to_string())
        }
        Rejection::IncludeCycle(written) => {
            Problem::new(ProblemType::INCLUDE_CYCLE, detail).with("include", written.to_string())
        }
        Rejection::QuotaExceeded { quota, limit, used, .. } => {
            metrics::counter!("promptory_quota_refusals_total", "quota" => quota.name()).increment(1);
            let problem = Problem::new(ProblemType::QUOTA_EXCEEDED, detail).with("quota", quota.name());
            problem.with("limit", *limit).with("used", *used)
        }
        // Gathered, and decided again: a caller meets it only in a command that is not meant to rest on contents.
        Rejection::ContentsWanted(_) => Problem::new(ProblemType::UNAVAILABLE, detail),
        Rejection::DelegationExceeds(action) => {
            Problem::new(ProblemType::DELEGATION_EXCEEDS, detail).with("right", action.name())
        }
        Rejection::RoleNotFound(_) => Problem::new(ProblemType::ROLE_NOT_FOUND, detail).with("field", "/role"),
        Rejection::GroupNotFound(_) => Problem::new(ProblemType::GROUP_NOT_FOUND, detail).with("field", "/group"),
        Rejection::ApiKeyRevoked(_) => Problem::new(ProblemType::KEY_REVOKED, detail).with("field", "/key"),
        Rejection::ExpiryInPast => Problem::new(ProblemType::EXPIRY_IN_PAST, detail).with("field", "/expires_at"),
        Rejection::LabelProtected { approvals, .. } => {
            Problem::new(ProblemType::LABEL_PROTECTED, detail).with("field", "/label").with("approvals", *approvals)
        }
        Rejection::LabelNotProtected(_) => {
            Problem::new(ProblemType::LABEL_NOT_PROTECTED, detail).with("field", "/label")
        }
        Rejection::Frozen { until } => Problem::new(ProblemType::FROZEN, detail).with("until", until.to_string()),
        Rejection::FreezeNotFound(_) => Problem::new(ProblemType::FREEZE_NOT_FOUND, detail).with("field", "/freeze"),
        Rejection::EmptyWindow => Problem::new(ProblemType::EMPTY_WINDOW, detail).with("field", "/until"),
        Rejection::ReleaseNotFound(_) => Problem::new(ProblemType::RELEASE_NOT_FOUND, detail).with("field", "/release"),
        Rejection::ReleaseClosed(_) => Problem::new(ProblemType::RELEASE_CLOSED, detail),
        Rejection::ReleaseExpired => Problem::new(ProblemType::RELEASE_EXPIRED, detail),
        Rejection::ReleaseStale => Problem::new(ProblemType::RELEASE_STALE, detail),
        Rejection::OwnRelease => Problem::new(ProblemType::OWN_RELEASE, detail),
        Rejection::ReleaseNotYours => Problem::new(ProblemType::RELEASE_NOT_YOURS, detail),
        Rejection::RolloutNotFound(_) => Problem::new(ProblemType::ROLLOUT_NOT_FOUND, detail).with("field", "/rollout"),
        Rejection::RolloutRuns { rollout, .. } => {
            Problem::new(ProblemType::ROLLOUT_RUNS, detail).with("rollout", rollout.to_string())
        }
        Rejection::NotAnArm { .. } => Problem::new(ProblemType::NOT_AN_ARM, detail).with("field", "/version"),
        Rejection::NothingToRollBack => Problem::new(ProblemType::NOTHING_TO_ROLL_BACK, detail),
        Rejection::IssuerNotFound(_) => Problem::new(ProblemType::ISSUER_NOT_FOUND, detail).with("field", "/issuer"),
        Rejection::IssuerExists(issuer) => {
            Problem::new(ProblemType::ISSUER_EXISTS, detail).with("issuer", issuer.to_string())
        }
        Rejection::AlreadyBootstrapped => Problem::new(ProblemType::ALREADY_BOOTSTRAPPED, detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_route_leads_to_has_its_code_all_the_same() {
        let code = |rejection: Rejection| Problem::from(Failure::Rejected(rejection)).kind.code;
        assert_eq!(code(Rejection::AlreadyBootstrapped), "already-bootstrapped");
        assert_eq!(code(Rejection::ContentsWanted(Vec::new())), "unavailable");
    }
}
