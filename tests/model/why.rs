//! What the access model answers about the past, held against what the plain model said at the time: whether somebody could do
//! something, who could, and what somebody held. The plain model is the one that `decide` is held against.

use std::collections::BTreeSet;

use promptory_events::{TenantId, Timestamp};
use promptory_ledger::{KeyStore, Ledger};
use promptory_platform::Clock;
use promptory_platform::apikey::Presented;
use promptory_projection::ask::{AccessItem, AsOf, Ask, AskHoldings, AskWho, AskWhy, Place, Showing, When};
use promptory_projection::{Answer, Config, Question, Shelf};
use serde_json::Value;

use crate::plain::{ACTIONS, Model};

const PLACES: [&str; 7] = ["team/a", "free/a", "team/x/a", "team/", "free/", "", "nowhere/else"];

/// What the plain model said after an event.
#[derive(Debug)]
pub struct Probe {
    index: u64,
    at: Timestamp,
    action: &'static str,
    place: &'static str,
    principal: String,
    key: Option<String>,
    allowed: bool,
    /// Every principal that could.
    who: BTreeSet<String>,
    /// Every group of an issuer whose tokens could.
    claims: BTreeSet<(String, String)>,
    /// The events of the grants that the principal had, by itself and by its groups.
    grants: BTreeSet<u64>,
}

impl Probe {
    /// Something to ask of a state of the plain model, another thing after each event.
    pub fn of(model: &Model) -> Option<Self> {
        let index = model.events.checked_sub(1)?;
        let pick = |salt: u64, count: usize| (index.wrapping_mul(salt) >> 3) as usize % count;
        let (action, place) = (ACTIONS[pick(0x9e37_79b9, ACTIONS.len())], PLACES[pick(0x85eb_ca6b, PLACES.len())]);
        let principal = model.principals.keys().nth(pick(0xc2b2_ae35, model.principals.len()))?.clone();
        let keys: Vec<_> = model.keys.iter().filter(|(_, key)| key.principal == principal).map(|(id, _)| id).collect();
        let key = keys.get(pick(0x27d4_eb2f, keys.len() + 1)).map(|key| (*key).clone());
        let could = |principal: &String| model.could(principal, None, action, place);
        Some(Self {
            index,
            at: model.now,
            action,
            place,
            allowed: model.could(&principal, key.as_deref(), action, place),
            who: model.principals.keys().filter(|principal| could(principal)).cloned().collect(),
            claims: model.claims_that_could(action, place),
            grants: model.granted_to(&principal),
            principal,
            key,
        })
    }
}

/// Asks everything again, of a read model that knows the whole ledger, in another order.
pub async fn check(ledger: &Ledger, keys: &KeyStore, clock: &Clock, presented: &Presented, probes: &[Probe]) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        dir: folder.path().to_owned(),
        open_max: 1,
        cache_bytes: 1 << 20,
        keep: promptory_projection::shelf::KEEP,
        clock: clock.clone(),
        identity: promptory_identity::Config::default(),
        search: promptory_projection::shelf::search::Config::default(),
    };
    let shelf = Shelf::new(config, ledger.clone(), keys.clone());
    let tenant: &TenantId = presented.tenant();
    for probe in probes.iter().rev() {
        let ask = |question| Ask { tenant: tenant.clone(), caller: presented.into(), at_least: None, question };
        let (on, action): (Place, _) = (probe.place.parse().unwrap(), probe.action.parse().unwrap());
        let (principal, when) = (probe.principal.parse().unwrap(), When { as_of: AsOf::Index(probe.index), at: None });
        let showing = probe.key.as_ref().map_or(Showing::Anything, |key| Showing::Key(key.parse().unwrap()));
        let why = Question::Why(AskWhy { principal, action, on: on.clone(), when, showing });
        let Answer::Why(why) = shelf.answer(ask(why)).await.unwrap().answer else { panic!("{probe:?}") };
        let why: Value = serde_json::from_str(&why).unwrap();
        assert_eq!(why["allowed"], probe.allowed, "{probe:?}\n{why:#}");
        assert_eq!(why["at"], probe.at.to_string(), "what has expired is judged by when the event was recorded");
        let deciding = why["grants"].as_array().unwrap().iter().filter(|grant| grant["decides"] == true).count();
        assert_eq!((deciding, why["missing"].as_array().unwrap().is_empty()), (probe.allowed.into(), probe.allowed));
        let who = AskWho { on, below: false, action: Some(action), when, after: None, limit: 1000 };
        let Answer::Who(who) = shelf.answer(ask(Question::Who(who))).await.unwrap().answer else { panic!("{probe:?}") };
        let (claims, principals): (Vec<_>, Vec<_>) =
            who.items.iter().partition(|item| field(item, "principal") == "null");
        let found: BTreeSet<_> = claims.into_iter().map(|item| (field(item, "issuer"), field(item, "value"))).collect();
        assert_eq!(found, probe.claims, "{probe:?}");
        let found: BTreeSet<String> = principals.into_iter().map(|item| field(item, "principal")).collect();
        assert_eq!(found, probe.who, "{probe:?}");
        let held = Question::Holdings(AskHoldings { principal, when, after: 0, limit: 1000 });
        let Answer::Holdings(held) = shelf.answer(ask(held)).await.unwrap().answer else { panic!("{probe:?}") };
        let grants: BTreeSet<u64> =
            held.grants.iter().map(|item| field(item, "granted_index").parse().unwrap()).collect();
        assert_eq!(grants, probe.grants, "{probe:?}");
    }
    shelf.close().await;
}

fn field(item: &AccessItem, name: &str) -> String {
    let value: Value = serde_json::from_str(&item.json).unwrap();
    value[name].as_str().map_or_else(|| value[name].to_string(), ToOwned::to_owned)
}
