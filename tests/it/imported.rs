//! The law over a real history: whoever imports it had the right to each event and to what it claims.

use std::path::Path;

use promptory::import::{self, ImportArgs};
use promptory_tests::World;

use crate::rights::lawful;

#[test]
fn an_imported_history_breaks_no_rule() {
    let mut world = World::new();
    let owner = world.acme();
    let issued = owner.post("/v1/keys", &serde_json::json!({"role": "importer"})).expect(201).json;
    owner.wait_for(issued["position"].as_str().unwrap());
    let key = world.folder.path().join("importer.key");
    std::fs::write(&key, issued["key"].as_str().unwrap()).unwrap();
    let slice = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("promptory/demo/awesome-slice.jsonl.gz");
    let report = import::run(ImportArgs::jsonl(vec![slice], &owner.url, &key)).unwrap();
    assert_eq!(report.failed, 0, "{report}");
    assert!(lawful(&mut world) > report.added, "at least an event a line: {report}");
}
