//! Read models against a rebuild: what each projection process says of each tenant is what the ledger says, folded anew in
//! memory (`promptory verify`), and what a process says that built its models from nothing.

use std::collections::BTreeMap;

use promptory_tests::Client;
use serde_json::Value;

use crate::clients::Tenant;
use crate::meaning::{ANSWERED_WITHIN, Request};
use crate::processes::{PROJECTIONS, Processes};

/// Who builds everything anew.
const FRESH: &str = "fresh";

/// Compares the model digests of all tenants. Nobody may write meanwhile. Returns when all processes are as before.
///
/// # Errors
/// What is not equal.
pub fn check<'t>(processes: &Processes, tenants: impl Iterator<Item = &'t Tenant>) -> Result<(), String> {
    let folded = folded(processes)?;
    let keys: BTreeMap<_, _> = tenants.map(|tenant| (tenant.name.clone(), tenant.key().to_owned())).collect();
    let mut wrong = Vec::new();
    for name in PROJECTIONS.into_iter().chain([FRESH]) {
        let _fresh = processes.alone(name);
        let system = ("_system".to_owned(), processes.operator());
        for (tenant, key) in keys.clone().into_iter().chain([system]) {
            let Some((end, digest)) = folded.get(&tenant) else {
                return Err(format!("verify does not know the tenant {tenant}"));
            };
            // "Later" is no other answer: on a busy machine a model may open, or come as far, only after a while.
            let client = Client::with_patience(&processes.query().url(), &key, Some(ANSWERED_WITHIN));
            let path = format!("/v1/status?at_least={end}");
            let request = Request { method: "GET", path: &path, idempotency_key: None, body: None, good: 200 };
            let said = request.until_done(&client).map_err(|wrong| format!("{tenant} at {name}: {wrong}"))?;
            if said.json["model_digest"] != digest.as_str() || said.json["position"] != end.as_str() {
                wrong.push(format!("{tenant}: {name} says {}, and folded anew it is {digest} at {end}", said.json));
            }
        }
    }
    processes.undo();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Where each tenant ends and its model digest there, by `promptory verify`, which follows every chain on its way.
fn folded(processes: &Processes) -> Result<BTreeMap<String, (String, String)>, String> {
    let output = processes.deployment().run("verify", &[]);
    let said = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(&said).unwrap_or_default();
    if !output.status.success() || report["holds"] != true {
        return Err(format!("verify: {said}{}", String::from_utf8_lossy(&output.stderr)));
    }
    let tenants = report["tenants"].as_array().into_iter().flatten();
    let folded = tenants.filter_map(|tenant| {
        let (name, digest) = (tenant["tenant"].as_str()?, tenant["model_digest"].as_str()?);
        let end = format!("{}-{}", report["incarnation"].as_str()?, tenant["events"].as_u64()? - 1);
        Some((name.to_owned(), (end, digest.to_owned())))
    });
    Ok(folded.collect())
}
