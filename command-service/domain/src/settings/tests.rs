//! Given the languages that a tenant is searched in, when others are said, then an event with both, and only by who may.

use promptory_events::event::{Action, Language, Role};

use super::*;
use crate::command::Change;
use crate::testing::*;

fn configure(languages: &[Language]) -> Change {
    Change::ConfigureSearch { languages: Languages::of(languages) }
}

#[test]
fn languages_are_english_until_others_are_set_and_what_is_known_is_not_said_again() {
    let mut story = Story::of_acme();
    assert_eq!(story.tenant.languages(), Languages::of(&[Language::English]));
    assert_eq!(story.try_change(configure(&[Language::English])), Ok(vec![]));
    let both = Languages::of(&[Language::English, Language::German]);
    let set = SearchConfigured { before: Languages::default(), after: both };
    assert_eq!(story.accept(configure(&[Language::German, Language::English])), [Event::SearchConfigured(set)]);
    assert_eq!(story.tenant.languages(), both);
    assert_eq!(story.try_change(configure(&[Language::English, Language::German])), Ok(vec![]));
    story.accept(configure(&[]));
    assert!(story.tenant.languages().is_empty());
}

#[test]
fn owners_and_admins_set_them_and_nobody_else() {
    let mut story = Story::of_acme();
    for (role, may) in [
        (Role::Owner, true),
        (Role::Admin, true),
        (Role::Editor, false),
        (Role::Reviewer, false),
        (Role::Viewer, false),
        (Role::Auditor, false),
        (Role::Importer, false),
    ] {
        let (presented, _) = story.key_for(role);
        let answered = story.by(presented).try_change(configure(&[Language::French]));
        let expected = if may { Ok(1) } else { Err(Rejection::Forbidden(Action::ManageSettings)) };
        assert_eq!(answered.map(|events| events.len()), expected, "{role:?}");
    }
    let system = Story::of_system().try_change(configure(&[Language::French]));
    assert!(matches!(system, Err(Rejection::NotInThisLedger(_))), "{system:?}");
}
