//! Who does not belong to the tenant: the issuer of tokens, and operators.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use promptory_command::wire;
use promptory_domain::state::TenantStatus;
use promptory_events::{Batch, KeyId, TenantId};
use promptory_ledger::KeyStore;
use promptory_platform::apikey::Presented;
use promptory_platform::{BearerToken, Problem};
use serde_json::{Value, json};

use super::{Sent, World};
use crate::draw::{AUDIENCES, SUBJECTS};
use crate::issuer::Issuer;
use crate::plain::Call;

/// Whoever signs the tokens.
pub static ISSUER: LazyLock<Issuer> = LazyLock::new(Issuer::start);

impl World {
    /// Two groups of the issuer, of which one may write and the other may everything.
    pub(super) async fn groups_mean_something(&mut self) {
        let (key, issuer) = (self.keys[0].clone(), self.model.issuers.keys().next().unwrap().clone());
        for (value, role, prefix) in [("writers", "editor", "team/"), ("bosses", "owner", "")] {
            let known: Vec<String> = self.model.groups.keys().cloned().collect();
            let one = |body| Call { key: key.clone(), forged: false, body, idempotency_key: None };
            let sent = |body| vec![Sent { replica: 0, calls: vec![one(body)] }];
            self.send(sent(json!({"type": "create_group"}))).await;
            let group = self.model.groups.keys().find(|group| !known.contains(group)).unwrap().clone();
            self.send(sent(json!({"type": "grant_role", "group": group, "role": role, "prefix": prefix}))).await;
            self.send(sent(json!({"type": "map_claim", "issuer": issuer, "value": value, "group": group}))).await;
        }
    }

    /// An operator does something in the ledger of the system. Over the embedded ledger nobody tells the other replica, so it
    /// is asked for the same.
    pub async fn operate(&mut self, replica: usize, body: Value) {
        let expected = self.model.operate(&body);
        for (asked, nth) in (0..self.replicas.len()).zip(replica..) {
            let service = self.replicas[nth % self.replicas.len()].0.clone();
            let Value::Object(object) = body.clone() else { panic!("no object: {body}") };
            let request = wire::Request::from_object(&object).unwrap();
            let answer = service.execute(&self.operator, vec![request]).await.unwrap().remove(0);
            let told = match &answer {
                Ok(outcome) => Ok(outcome.events.first().map(|(_, name)| name.to_string())),
                Err(failure) => Err(Problem::from(failure.clone()).kind.code),
            };
            let again = match (expected, body["type"].as_str()) {
                (Ok(_), Some("create_tenant")) => Err("tenant-exists"),
                (Ok(_), _) => Ok(None),
                (Err(code), _) => Err(code),
            };
            let expected = if asked == 0 { expected } else { again };
            let expected = expected.map(|event| event.map(ToOwned::to_owned));
            self.told.push(format!(
                "operator: {body} -> {}",
                told.clone().map_or_else(ToOwned::to_owned, Option::unwrap_or_default)
            ));
            if told != expected {
                self.fail(&[], &format!("an operator was told {told:?}, the model says {expected:?}"));
            }
        }
        for (tenant, suspended) in &self.model.tenants {
            let status = self.replicas[replica].0.tenant_status(&tenant.parse().unwrap()).await.unwrap();
            let expected = if *suspended { TenantStatus::Suspended } else { TenantStatus::Active };
            assert_eq!(status, Some(expected), "{tenant}");
        }
    }

    /// Sees to it that every replica knows whose tokens are whose: one that has not heard of it refuses a good token, once.
    pub(super) async fn all_hear(&self) {
        let nobody = Presented::ApiKey { tenant: self.tenant.clone(), key: KeyId([0; 8]), secret_hash: [0; 32] };
        for (service, _) in &self.replicas {
            assert!(service.execute(&nobody, Vec::new()).await.is_err());
        }
    }

    /// Who made an event.
    pub(super) async fn actor(&self, index: u64) -> String {
        let recorded = self.ledger.get(&self.tenant, index).await.unwrap().unwrap();
        let batch = Batch::parse(recorded.bytes).unwrap();
        let (_, commit) = batch.indexed().find(|(first, _)| *first == index).unwrap();
        commit.header.actor.to_string()
    }
}

/// Whom the tokens of the issuer are of.
pub fn subjects(stores: &KeyStore, tenant: &TenantId) -> BTreeMap<(String, String), String> {
    let all = AUDIENCES.iter().flat_map(|audience| SUBJECTS.iter().map(move |subject| (*audience, *subject)));
    let url = ISSUER.url().parse().unwrap();
    let pseudonym =
        |audience: &str, subject| stores.principal(tenant, &url, &audience.parse().unwrap(), subject).unwrap();
    all.map(|(audience, subject)| ((audience.to_owned(), subject.to_owned()), pseudonym(audience, subject).to_string()))
        .collect()
}

/// A token that says this, signed by its issuer or by nobody.
pub fn token(tenant: &TenantId, claims: &Value, forged: bool) -> BearerToken {
    let signed = ISSUER.sign(claims);
    let (said, _) = signed.rsplit_once('.').unwrap();
    let text = if forged { format!("{said}.{}", "A".repeat(86)) } else { signed };
    BearerToken::new(tenant.clone(), &text).unwrap()
}
