use std::fs;
use std::sync::Mutex;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Uri};
use serde_json::json;

use super::*;
use crate::asking::Asking;

/// What a file with this text has, as commands and notes.
fn told(read: impl Fn(&std::path::Path) -> std::io::Result<Vec<Item>>, text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, text).unwrap();
    shown(reads("test", "f", read(&path).unwrap(), "p/"))
}

fn shown(reads: Vec<Read>) -> Vec<String> {
    let show = |read: Read| match read.found {
        Found::Command(command) => {
            let mut command = serde_json::to_value(&*command).unwrap();
            assert!(command.as_object_mut().unwrap().remove("idempotency_key").is_some());
            format!("{} {command}", read.place)
        }
        Found::Bad(why) => format!("{} bad: {why}", read.place),
        Found::Skipped(why) => format!("{} skipped: {why}", read.place),
        Found::Edit(edit) => panic!("{edit:?}"),
    };
    reads.into_iter().map(show).collect()
}

/// A version as Langfuse has it.
fn langfuse_version(number: u64, labels: &[&str], prompt: Value) -> Value {
    let kind = if prompt.is_array() { "chat" } else { "text" };
    json!({"name": "team/greet", "version": number, "type": kind, "prompt": prompt, "labels": labels, "tags": ["a"],
        "config": {"model": "m"}, "commitMessage": null, "createdAt": "2025-01-02T03:04:05.678Z", "createdBy": "ada@example.org"})
}

#[test]
fn langfuse_versions_come_in_their_order_with_labels_and_what_has_no_place_is_told() {
    let mut odd = langfuse_version(1, &[], json!("see @@@langfusePrompt:name=x|label=y@@@"));
    (odd["labels"], odd["config"], odd["createdBy"]) = (json!(["latest", "Not One"]), json!([1]), json!("cl123"));
    let text =
        json!([langfuse_version(3, &["production"], json!("three")), odd, {"name": "x", "version": 1}]).to_string();
    let three = json!({"type": "add_version", "prompt": "p/team/greet", "text": "three", "config": {"model": "m"},
        "labels": ["production"], "occurred_at": "2025-01-02T03:04:05.678Z"});
    let one = json!({"type": "create_prompt", "key": "p/team/greet", "text": "see @@@langfusePrompt:name=x|label=y@@@",
        "config": {"value": [1]}, "tags": ["a"], "occurred_at": "2025-01-02T03:04:05.678Z", "author": "cl123"});
    let lost =
        "it includes another prompt in Langfuse's way, which is plain text here; \"Not One\" can't be a label here";
    let expected = [
        "f:3 bad: `prompt` is no text".to_owned(),
        format!("f:2 {one}"),
        format!("f:2 skipped: {lost}"),
        format!("f:1 {three}"),
    ];
    assert_eq!(told(langfuse::file, &text), expected);
    let lines =
        [langfuse_version(1, &[], json!("a")), langfuse_version(1, &[], json!("b"))].map(|v| v.to_string()).join("\n");
    let told = told(langfuse::file, &(lines + "\n{"));
    assert!(told[0].contains("version 1 of its prompt is at 1 already"), "{told:?}");
    assert!(told[1].contains("f:3 bad: from line 3"), "{told:?}");
}

#[test]
fn chats_of_every_product_become_messages() {
    let chat = json!([{"role": "system", "content": "Hi"}, {"type": "placeholder", "name": "history"}]);
    let layer = json!({"items": [{"prompt_name": "c", "version": 2, "commit_message": "why", "release_labels": ["prod"],
        "metadata": {"model": {"provider": "openai", "name": "m", "parameters": {"temperature": 0}}, "owner": "x"},
        "prompt_template": {"type": "chat", "messages": [
            {"role": "system", "content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}], "template_format": "jinja2"},
            {"role": "placeholder", "name": "history"}]}}]});
    let flow = json!({"model_versions": [{"name": "c", "version": "2", "description": "why", "aliases": ["prod"],
        "creation_timestamp": 1_700_000_000_123_i64, "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"},
        {"key": "mlflow.prompt.text", "value": r#"[{"role": "user", "content": "Hi {{ name }}"}]"#},
        {"key": "_mlflow_prompt_type", "value": "chat"},
        {"key": "_mlflow_prompt_model_config", "value": r#"{"model_name": "m", "provider": "p"}"#},
        {"key": "_mlflow_prompt_response_format", "value": r#"{"type": "object"}"#}]}, {"name": "m", "version": "1"}]});
    let langfuse = told(langfuse::file, &langfuse_version(1, &[], chat.clone()).to_string());
    assert!(langfuse[0].contains(&format!("\"messages\":{chat}")), "{langfuse:?}");
    let command = |mut body: Value| {
        (body["type"], body["key"]) = ("create_prompt".into(), "p/c".into());
        (body["message"], body["labels"]) = ("why".into(), json!(["prod"]));
        format!("f:1 {body}")
    };
    let config =
        json!({"model": "m", "provider": "openai", "parameters": {"temperature": 0}, "metadata": {"owner": "x"}});
    let expected = command(json!({"messages": chat, "config": config, "template": "jinja"}));
    assert_eq!(told(promptlayer::file, &layer.to_string()), [expected]);
    let config = json!({"model": "m", "provider": "p", "output_schema": {"type": "object"}});
    let messages = json!([{"role": "user", "content": "Hi {{ name }}"}]);
    let expected = command(json!({"messages": messages, "config": config, "occurred_at": "2023-11-14T22:13:20.123Z"}));
    let told = told(mlflow::file, &flow.to_string());
    assert_eq!(told[1], expected);
    assert!(told[0].contains("f:2 bad: it has no tag"), "{told:?}");
}

#[test]
fn a_table_has_a_version_a_row() {
    let text = "act,Prompt,labels,tags,time,config\nPoet,\"one\nline\",,x; y,2024-05-03T14:00:00Z,\nPoet,two,production,,,\"{\"\"model\"\": \"\"m\"\"}\"\n\
                Bad,three,,,yesterday,\nShort,row\n";
    let one = json!({"type": "create_prompt", "key": "p/Poet", "text": "one\nline", "tags": ["x", "y"],
        "occurred_at": "2024-05-03T14:00:00Z"});
    let two = json!({"type": "add_version", "prompt": "p/Poet", "text": "two", "labels": ["production"], "config": {"model": "m"}});
    let expected = [
        "f:3 bad: `time` is no RFC 3339 time".to_owned(),
        "f:4 bad: it has 2 fields; the header has 6".into(),
        format!("f:1 {one}"),
        format!("f:2 {two}"),
    ];
    assert_eq!(told(table::file, text), expected);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "a,b\n1,2\n").unwrap();
    assert!(table::file(&folder.path().join("file")).is_err());
}

type Log = Arc<Mutex<Vec<String>>>;

/// Serves answers by path and query on a free port until the test's process ends; gives the address.
fn serve(log: &Log, answers: fn(&str) -> Value) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |State(log): State<Log>, uri: Uri, RawQuery(_): RawQuery, headers: HeaderMap| async move {
        let authorization = headers.get("authorization").map_or("", |value| value.to_str().unwrap());
        log.lock().unwrap().push(authorization.to_owned());
        axum::Json(answers(&uri.to_string()))
    };
    let router = axum::Router::new().fallback(answer).with_state(Arc::clone(log));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await.unwrap();
        });
    });
    url
}

#[test]
fn a_langfuse_project_is_read_page_by_page_and_version_by_version() {
    let log = Log::default();
    let url = serve(&log, |path| match path {
        "/api/public/v2/prompts?page=1&limit=100" => {
            json!({"data": [{"name": "team/greet", "versions": [1, 2]}], "meta": {"page": 1, "totalPages": 2}})
        }
        "/api/public/v2/prompts?page=2&limit=100" => json!({"data": [], "meta": {"page": 2, "totalPages": 2}}),
        "/api/public/v2/prompts/team%2Fgreet?version=1&resolve=false" => langfuse_version(1, &[], json!("1")),
        "/api/public/v2/prompts/team%2Fgreet?version=2&resolve=false" => langfuse_version(2, &["latest"], json!("2")),
        path => panic!("{path}"),
    });
    let asking = Asking::with_basic(&url, Some("pk-lf-1:sk-lf-2"));
    let items = langfuse::live(&asking, std::time::Duration::ZERO).unwrap();
    let texts: Vec<_> =
        items.iter().map(|(place, item)| (*place, item.as_ref().unwrap().text.clone().unwrap())).collect();
    assert_eq!(texts, [(1, "1".into()), (2, "2".into())]);
    let basic = "Basic cGstbGYtMTpzay1sZi0y";
    assert!(log.lock().unwrap().iter().all(|authorization| authorization == basic), "{log:?}");
}

#[test]
fn an_mlflow_registry_is_read_with_its_filters_and_tokens() {
    let log = Log::default();
    let url = serve(&log, |path| {
        let text = json!([{"key": "mlflow.prompt.text", "value": "hi"}]);
        let is_prompt = "tags%2E%60mlflow%2Eprompt%2Eis%5Fprompt%60%20%3D%20%27true%27";
        let models = format!("/api/2.0/mlflow/registered-models/search?filter={is_prompt}&max_results=100");
        let versions = format!(
            "/api/2.0/mlflow/model-versions/search?filter=name%20%3D%20%27greet%27%20AND%20{is_prompt}&max_results=100"
        );
        match path {
            path if path == models => json!({"next_page_token": "n=1"}),
            path if path.strip_prefix(&models) == Some("&page_token=n%3D1") => {
                json!({"registered_models": [{"name": "greet"}]})
            }
            path if path == versions => json!({"model_versions": [{"name": "greet", "version": "1", "tags": text}]}),
            path => panic!("{path}"),
        }
    });
    let items = mlflow::live(&Asking::with_basic(&url, None), std::time::Duration::ZERO).unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].1.as_ref().unwrap().text.as_deref(), Some("hi"));
    assert!(log.lock().unwrap().iter().all(String::is_empty), "no key was given: {log:?}");
}
