//! The only mapping of what the read side refuses to problem documents.

use promptory_events::event::Action;
use promptory_platform::problem_set;
use promptory_platform::{Problem, ProblemType};
use promptory_projection::ask::{AskError, NotRendered};
use promptory_template::Refusal;
use promptory_template::render::Place;
use serde_json::json;

/// The problem that a refusal is for the caller.
pub fn problem(error: AskError) -> Problem {
    let detail = error.to_string();
    match error {
        AskError::Unauthenticated | AskError::TokenRefused(_) => Problem::new(ProblemType::UNAUTHENTICATED, detail),
        AskError::Forbidden => Problem::new(ProblemType::FORBIDDEN, detail),
        AskError::AccessHidden(_) => {
            Problem::new(ProblemType::FORBIDDEN, detail).with("right", Action::ReadAccess.name())
        }
        AskError::AnalyticsHidden(_) => {
            Problem::new(ProblemType::FORBIDDEN, detail).with("right", Action::ReadAnalytics.name())
        }
        AskError::TooManyGroups => {
            Problem::new(ProblemType::TOO_MANY_GROUPS, detail).with("limit", promptory_events::limits::USAGE_GROUPS_MAX)
        }
        AskError::PrincipalNotFound => Problem::new(ProblemType::PRINCIPAL_NOT_FOUND, detail),
        AskError::Suspended => Problem::new(ProblemType::TENANT_SUSPENDED, detail),
        AskError::PromptNotFound => Problem::new(ProblemType::PROMPT_NOT_FOUND, detail),
        AskError::VersionNotFound(number) => {
            Problem::new(ProblemType::VERSION_NOT_FOUND, detail).with("version", number)
        }
        AskError::LabelNotFound(label) => {
            Problem::new(ProblemType::LABEL_NOT_FOUND, detail).with("label", label.as_str())
        }
        AskError::BranchNotFound(branch) => {
            Problem::new(ProblemType::BRANCH_NOT_FOUND, detail).with("branch", branch.as_str())
        }
        AskError::NotRendered(refused) => not_rendered(*refused, detail),
        AskError::KindMismatch => Problem::new(ProblemType::KIND_MISMATCH, detail),
        AskError::ForeignCursor => super::cursor::foreign(),
        AskError::IndexBeyondEnd(index) => Problem::new(ProblemType::INDEX_BEYOND_END, detail).with("index", index),
        AskError::Erased => Problem::new(ProblemType::ERASED, detail),
        AskError::Behind(position) => Problem::new(ProblemType::BEHIND, detail).with("at_least", position.to_string()),
        AskError::SearchBehind { wanted, reached } => {
            let told = [("at_least", wanted), ("reached", reached)];
            told.into_iter().fold(Problem::new(ProblemType::BEHIND, detail), |problem, (name, position)| match position
            {
                Some(position) => problem.with(name, position.to_string()),
                None => problem,
            })
        }
        AskError::QueryInvalid(fault) => Problem::field("q", fault.reason).with("position", fault.position),
        AskError::NoPreviousModel => Problem::new(ProblemType::NO_PREVIOUS_MODEL, detail),
        AskError::CursorExpired => Problem::new(ProblemType::CURSOR_EXPIRED, detail),
        AskError::OtherIncarnation(position) => {
            Problem::new(ProblemType::OTHER_INCARNATION, detail).with("position", position.to_string())
        }
        AskError::Busy => Problem::new(ProblemType::OVERLOADED, detail),
        AskError::Nobody(_)
        | AskError::CatchingUp(_)
        | AskError::NoAnswer
        | AskError::IssuerAway
        | AskError::Unrecorded => Problem::new(ProblemType::UNAVAILABLE, detail),
        AskError::Unavailable(reason) => {
            // The reason is ours to read: it may name files and tenants.
            tracing::error!(reason, "the read model is not available");
            Problem::new(ProblemType::UNAVAILABLE, "the read model is not available; GET /readyz says more")
        }
    }
}

/// Why a version says nothing, with what is to blame: variables, a place in a content, an include, a limit.
fn not_rendered(refused: NotRendered, detail: String) -> Problem {
    let problem = match refused.refusal {
        Refusal::Variables(faults) => {
            let faults = faults.iter().map(|fault| {
                json!({ "field": format!("/variables/{}", fault.name), "problem": fault.kind, "detail": fault.detail })
            });
            Problem::new(ProblemType::VARIABLES_INVALID, detail).with("fields", faults.collect::<Vec<_>>())
        }
        Refusal::Failed { place, .. } => at(Problem::new(ProblemType::RENDER_FAILED, detail), place),
        Refusal::NotIncluded { place, written } => {
            at(Problem::new(ProblemType::INCLUDE_NOT_FOUND, detail).with("include", written), place)
        }
        Refusal::Limit { max, .. } => Problem::new(ProblemType::RENDER_LIMIT, detail).with("limit", max),
    };
    match refused.included {
        Some(part) => problem.with("prompt", part.key.as_str()).with("version", part.version.number),
        None => problem,
    }
}

fn at(problem: Problem, place: Place) -> Problem {
    let numbers = [("line", place.line), ("message", place.message)];
    numbers.into_iter().fold(problem, |problem, (name, number)| match number {
        Some(number) => problem.with(name, number),
        None => problem,
    })
}

problem_set! {
    /// What a version says.
    pub RenderProblems = [
        MALFORMED_REQUEST, INVALID_FIELD, UNAUTHENTICATED, FORBIDDEN, TENANT_SUSPENDED, PROMPT_NOT_FOUND,
        VERSION_NOT_FOUND, LABEL_NOT_FOUND, BRANCH_NOT_FOUND, REQUEST_TIMEOUT, ERASED, TOO_LARGE, URI_TOO_LONG,
        UNSUPPORTED_MEDIA_TYPE, INCLUDE_NOT_FOUND, VARIABLES_INVALID, RENDER_FAILED, RENDER_LIMIT, INDEX_BEYOND_END,
        OTHER_INCARNATION, OVERLOADED, INTERNAL, UNAVAILABLE, BEHIND,
    ];
    /// What every read of a tenant can be refused with.
    pub ReadProblems = [
        INVALID_FIELD, UNAUTHENTICATED, FORBIDDEN, TENANT_SUSPENDED, URI_TOO_LONG, OTHER_INCARNATION, OVERLOADED,
        INTERNAL, UNAVAILABLE, BEHIND,
    ];
    /// What is counted of usage.
    pub AnalyticsProblems = [
        INVALID_FIELD, TOO_MANY_GROUPS, UNAUTHENTICATED, FORBIDDEN, TENANT_SUSPENDED, PROMPT_NOT_FOUND, URI_TOO_LONG,
        OTHER_INCARNATION, OVERLOADED, INTERNAL, UNAVAILABLE, BEHIND,
    ];
    /// Going back to the store that was replaced.
    pub RollbackProblems = [
        INVALID_FIELD, UNAUTHENTICATED, FORBIDDEN, TENANT_SUSPENDED, NO_PREVIOUS_MODEL, URI_TOO_LONG, OTHER_INCARNATION,
        OVERLOADED, INTERNAL, UNAVAILABLE, BEHIND,
    ];
    /// A list, now or as of then.
    pub ListProblems = [
        INVALID_FIELD, UNAUTHENTICATED, FORBIDDEN, TENANT_SUSPENDED, URI_TOO_LONG, INDEX_BEYOND_END,
        OTHER_INCARNATION, OVERLOADED, INTERNAL, UNAVAILABLE, BEHIND,
    ];
    /// A search.
    pub SearchProblems = [
        INVALID_FIELD, UNAUTHENTICATED, FORBIDDEN, TENANT_SUSPENDED, CURSOR_EXPIRED, URI_TOO_LONG, OTHER_INCARNATION,
        OVERLOADED, INTERNAL, UNAVAILABLE, BEHIND,
    ];
    /// One prompt with a version's text.
    pub PromptProblems = [
        INVALID_FIELD, UNAUTHENTICATED, FORBIDDEN, TENANT_SUSPENDED, PROMPT_NOT_FOUND, VERSION_NOT_FOUND,
        LABEL_NOT_FOUND, BRANCH_NOT_FOUND, ERASED, URI_TOO_LONG, INDEX_BEYOND_END, OTHER_INCARNATION, OVERLOADED, INTERNAL, UNAVAILABLE,
        BEHIND,
    ];
    /// What differs between two versions.
    pub DiffProblems = [
        INVALID_FIELD, UNAUTHENTICATED, FORBIDDEN, TENANT_SUSPENDED, PROMPT_NOT_FOUND, VERSION_NOT_FOUND,
        LABEL_NOT_FOUND, BRANCH_NOT_FOUND, KIND_MISMATCH, ERASED, URI_TOO_LONG, INDEX_BEYOND_END, OTHER_INCARNATION,
        OVERLOADED, INTERNAL, UNAVAILABLE, BEHIND,
    ];
    /// What one principal may do.
    pub HoldingsProblems = [
        INVALID_FIELD, UNAUTHENTICATED, FORBIDDEN, TENANT_SUSPENDED, PRINCIPAL_NOT_FOUND, URI_TOO_LONG, INDEX_BEYOND_END,
        OTHER_INCARNATION, OVERLOADED, INTERNAL, UNAVAILABLE, BEHIND,
    ];
    /// Something about one prompt.
    pub HistoryProblems = [
        INVALID_FIELD, UNAUTHENTICATED, FORBIDDEN, TENANT_SUSPENDED, PROMPT_NOT_FOUND, LABEL_NOT_FOUND, URI_TOO_LONG,
        INDEX_BEYOND_END, OTHER_INCARNATION, OVERLOADED, INTERNAL, UNAVAILABLE, BEHIND,
    ];
}

#[cfg(test)]
mod tests {
    use promptory_events::{Incarnation, Position};
    use promptory_projection::ask::search::QueryFault;

    use super::*;

    #[test]
    fn every_refusal_has_its_problem_and_the_route_that_reads_text_documents_it() {
        let position = Position { incarnation: Incarnation([1; 8]), index: 7 };
        let label = "production".parse().unwrap();
        let expected = [
            (AskError::Unauthenticated, "unauthenticated"),
            (AskError::TokenRefused("it is old".into()), "unauthenticated"),
            (AskError::IssuerAway, "unavailable"),
            (AskError::Unrecorded, "unavailable"),
            (AskError::Forbidden, "forbidden"),
            (AskError::Suspended, "tenant-suspended"),
            (AskError::PromptNotFound, "prompt-not-found"),
            (AskError::VersionNotFound(3), "version-not-found"),
            (AskError::LabelNotFound(label), "label-not-found"),
            (AskError::BranchNotFound("try".parse().unwrap()), "branch-not-found"),
            (AskError::IndexBeyondEnd(9), "index-beyond-end"),
            (AskError::Erased, "erased"),
            (AskError::ForeignCursor, "invalid-field"),
            (AskError::Behind(position), "behind"),
            (AskError::OtherIncarnation(position), "other-incarnation"),
            (AskError::Unavailable("/secret/path".into()), "unavailable"),
        ];
        for (error, code) in expected {
            let problem = problem(error);
            assert_eq!(problem.kind.code, code);
            assert!(PromptProblems::ALL.contains(&problem.kind), "{code}");
            assert!(!problem.document().to_string().contains("/secret"));
        }
    }

    #[test]
    fn a_search_that_is_refused_says_where_and_how_far_it_is() {
        let position = |index| Some(Position { incarnation: Incarnation([1; 8]), index });
        let behind = problem(AskError::SearchBehind { wanted: position(9), reached: position(7) });
        assert_eq!((behind.kind.status, behind.kind.code), (504, "behind"));
        assert_eq!(behind.document()["reached"], "0101010101010101-7");
        let fault = problem(AskError::QueryInvalid(QueryFault { position: 4, reason: "no end".into() }));
        assert_eq!((&fault.document()["field"], &fault.document()["position"]), (&json!("q"), &json!(4)));
        assert_eq!(problem(AskError::CursorExpired).kind.code, "cursor-expired");
    }

    #[test]
    fn more_groups_than_one_answer_has_are_a_problem() {
        let problem = problem(AskError::TooManyGroups);
        assert_eq!((problem.kind.code, &problem.members["limit"]), ("too-many-groups", &10_000.into()));
        let hidden = super::problem(AskError::AnalyticsHidden(promptory_events::Prefix::tenant()));
        assert_eq!((hidden.kind.code, &hidden.members["right"]), ("forbidden", &"read-analytics".into()));
    }
}
