//! A tenant is answered as if there were no other: whatever order tenants are written in, whatever they share in keys and
//! words, and however few of their models are open at once.

use std::collections::BTreeMap;

use promptory_events::event::*;
use promptory_events::{PromptId, TenantId};
use proptest::prelude::*;

use super::Shelf;
use crate::ask::search::{Filters, Search, Sort};
use crate::ask::*;
use crate::testing::Scribe;
use crate::testing::world::{World, ask, by_key, newest};

const TENANTS: [&str; 4] = ["mark0q", "mark1q", "mark2q", "mark3q"];
const KEYS: [&str; 3] = ["same/a", "same/b", "other"];

/// Something that a tenant does.
#[derive(Clone, Copy, Debug)]
struct Op {
    tenant: usize,
    key: usize,
    what: What,
    /// What is brought further after it.
    follows: Follows,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Write,
    Label(bool),
    Tag,
    Archive,
}

/// Nothing may depend on when which model follows.
#[derive(Clone, Copy, Debug)]
enum Follows {
    Nothing,
    Catalog,
    Search,
    /// Somebody asks, which opens and closes models.
    Question,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let what = prop_oneof![
        4 => Just(What::Write),
        2 => any::<bool>().prop_map(What::Label),
        1 => Just(What::Tag),
        1 => Just(What::Archive),
    ];
    let follows =
        prop_oneof![Just(Follows::Nothing), Just(Follows::Catalog), Just(Follows::Search), Just(Follows::Question),];
    let op = (0..TENANTS.len(), 0..KEYS.len(), what, follows);
    proptest::collection::vec(op.prop_map(|(tenant, key, what, follows)| Op { tenant, key, what, follows }), 4..40)
}

/// A prompt of a tenant, under a key that others have, too.
#[derive(Clone, Copy)]
struct Prompt {
    id: PromptId,
    versions: u32,
}

/// Tells one thing, and appends it. All that is written holds the tenant's name.
async fn tell(world: &World, scribe: &mut Scribe, prompts: &mut BTreeMap<usize, Prompt>, op: Op) {
    let (name, key) = (scribe.tenant.to_string(), KEYS[op.key]);
    let text = |n: u32| format!("shared words of {name}, and so {n}");
    match (op.what, prompts.get_mut(&op.key)) {
        (_, None) => {
            let id = scribe.create(key, &text(1));
            prompts.insert(op.key, Prompt { id, versions: 1 });
        }
        (What::Write, Some(prompt)) => {
            prompt.versions += 1;
            let version = scribe.version(prompt.id, prompt.versions, &text(prompt.versions));
            scribe.commit_with(None, Some(&format!("{name} wrote")), vec![version]);
        }
        (What::Label(own), Some(prompt)) => {
            let label = if own { name.as_str() } else { "production" }.parse().unwrap();
            let set = LabelSet { prompt: prompt.id, label, before: None, after: prompt.versions };
            scribe.commit_with(None, Some(&format!("{name} set")), vec![Event::LabelSet(set)]);
        }
        (What::Tag, Some(prompt)) => {
            let set = TagsSet { prompt: prompt.id, before: vec![], after: vec![name.parse().unwrap()] };
            scribe.commit(None, vec![Event::TagsSet(set)]);
        }
        (What::Archive, Some(prompt)) => {
            let archived = PromptArchived { prompt: prompt.id, key: key.parse().unwrap() };
            scribe.commit_with(None, Some(&format!("{name} archived")), vec![Event::PromptArchived(archived)]);
            prompts.remove(&op.key);
        }
    }
    scribe.append(&world.ledger).await;
}

fn search(query: &str, label: &str) -> Question {
    Question::Search(Box::new(Search {
        query: query.to_owned(),
        label: label.parse().unwrap(),
        filters: Filters::default(),
        sort: Sort::Relevance,
        facets: true,
        limit: 100,
        after: None,
    }))
}

fn questions(tenant: &str) -> Vec<Question> {
    let filter =
        |words: Option<&str>| Box::new(AuditFilter { words: words.map(ToOwned::to_owned), ..AuditFilter::default() });
    let audit = |message| Question::Audit {
        filter: filter(message),
        end: None,
        from: None,
        order: Order::OldestFirst,
        limit: 1000,
        form: AuditForm::List,
    };
    let suggest = |text: &str| Question::Suggest { text: text.to_owned(), label: "latest".parse().unwrap(), limit: 25 };
    let list = Question::List { prefix: String::new(), after: None, limit: 1000, as_of: AsOf::Now };
    let mut all = vec![list, Question::Events { from: 0, limit: 1000 }, Question::Status, Question::Quotas];
    for key in KEYS {
        all.push(newest(key));
        let (prompt, as_of) = (by_key(key), AsOf::Now);
        all.push(Question::Versions { prompt, below: None, limit: 1000, as_of });
    }
    all.extend([
        search("shared words", "latest"),
        search("mark*", "latest"),
        search("", tenant),
        search("wrods", "production"),
    ]);
    all.extend([suggest("mark"), suggest("shared wo")]);
    all.extend([
        audit(None),
        audit(Some("wrote")),
        Question::AuditCount { filter: filter(None), end: None, from: None },
    ]);
    all
}

/// All answers of a shelf, as text.
async fn answers(shelf: &Shelf, tenant: &str) -> Vec<String> {
    let mut all = Vec::new();
    for question in questions(tenant) {
        all.push(format!("{:?}", shelf.answer(ask(tenant, question)).await));
    }
    all
}

async fn bring(shelf: &Shelf, tenant: &TenantId) {
    shelf.catalog().catch_up(tenant).await.unwrap();
    shelf.audit().catch_up(tenant).await.unwrap();
    shelf.index(tenant).await.unwrap();
}

async fn check(ops: &[Op]) {
    let mut world = World::new(2);
    let mut told: Vec<_> = TENANTS.iter().map(|name| (world.scribe(name), BTreeMap::new())).collect();
    for op in ops {
        let (scribe, prompts) = &mut told[op.tenant];
        tell(&world, scribe, prompts, *op).await;
        let tenant = scribe.tenant.clone();
        match op.follows {
            Follows::Nothing => {}
            Follows::Catalog => world.shelf.catalog().catch_up(&tenant).await.unwrap(),
            Follows::Search => world.shelf.index(&tenant).await.unwrap(),
            Follows::Question => drop(world.ask(tenant.as_str(), Question::Status).await.unwrap()),
        }
    }
    let there: Vec<_> = told.iter().map(|(scribe, _)| scribe).filter(|scribe| !scribe.batches.is_empty()).collect();
    let mut together = Vec::new();
    for scribe in &there {
        bring(&world.shelf, &scribe.tenant).await;
    }
    for scribe in &there {
        together.push(answers(&world.shelf, scribe.tenant.as_str()).await);
    }
    for (scribe, together) in there.iter().zip(together) {
        // The same ledger, where nobody ever asks for another tenant.
        world.alone().await;
        bring(&world.shelf, &scribe.tenant).await;
        let alone = answers(&world.shelf, scribe.tenant.as_str()).await;
        for (question, (together, alone)) in questions(scribe.tenant.as_str()).iter().zip(together.iter().zip(&alone)) {
            assert_eq!(together, alone, "{question:?}");
            let others = TENANTS.iter().filter(|other| **other != scribe.tenant.as_str());
            for other in others {
                assert!(!together.contains(other), "{other} in what {} is told: {together}", scribe.tenant);
            }
        }
        assert!(together.iter().any(|answer| answer.contains(scribe.tenant.as_str())));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_tenant_is_answered_as_if_there_were_no_other(ops in ops()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(&ops));
    }
}
