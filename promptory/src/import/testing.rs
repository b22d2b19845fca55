//! What several tests of the import share: real edits, and a server that does what it is told.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use promptory_platform::ApiKey;
use serde_json::{Value, json};

use super::edit::{Change, Edit, Found, Origin};
use super::jsonl::Files;

/// The bundled history, which is always there.
pub fn slice() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/awesome-slice.jsonl.gz")
}

/// The whole histories if they lie beside the checkout, else the bundled one.
pub fn histories() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("{} is not there: only the bundled slice is used", folder.display());
        return vec![slice()];
    };
    let files = entries.map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = files.filter(|path| path.to_string_lossy().ends_with(".jsonl.gz")).collect();
    assert!(!files.is_empty(), "no histories in {}", folder.display());
    files
}

/// All edits of a file without a bad line.
pub fn edits(file: &Path) -> Vec<Edit> {
    let reads = Files::open(vec![file.to_owned()]).unwrap().0;
    let edits: Vec<Edit> = reads
        .map(|read| match read.found {
            Found::Edit(edit) => *edit,
            found => panic!("{}: {found:?}", read.place),
        })
        .collect();
    assert!(edits.len() > 500);
    edits
}

/// An edit like many.
pub fn edit(path: &str, change: Change) -> Edit {
    Edit {
        path: path.into(),
        change,
        title: None,
        time: "2024-05-03T14:00:00Z".parse().unwrap(),
        author: Some("0507fc8c4eba".parse().unwrap()),
        message: Some("why".into()),
        origin: Origin { repo: "r".into(), commit: "c1".into(), seq: 1 },
    }
}

/// An API key of the right form.
pub fn key() -> ApiKey {
    format!("pk_acme_{}_{}", "03".repeat(8), "a".repeat(51) + "q").parse().unwrap()
}

/// What the fake server does with its next request.
#[derive(Clone, Debug)]
pub enum Act {
    /// It does the commands, except those whose `prompt` or `key` begins with `bad`.
    Do,
    /// It does the first so many commands and is not available for the others.
    DoSome(usize),
    /// It is not available for one command but does the others.
    Miss(usize),
    /// It does the commands; the answer gets lost.
    LoseAnswer,
    /// It answers with a status and a problem document.
    Say(u16),
    /// It answers with something else than results.
    Babble,
}

/// A server that does what it is told, then [`Act::Do`]. Remembers idempotency keys as the real one does.
#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    acts: VecDeque<Act>,
    /// Commands of a request that are too many.
    too_many: Option<usize>,
    requests: Vec<Vec<Value>>,
    done: Vec<Value>,
    receipts: HashMap<String, usize>,
}

impl Fake {
    pub fn acting(acts: impl IntoIterator<Item = Act>) -> Self {
        let fake = Self::default();
        fake.0.lock().unwrap().acts.extend(acts);
        fake
    }

    pub fn refuse_more_than(&self, commands: usize) {
        self.0.lock().unwrap().too_many = Some(commands);
    }

    /// Serves on a free port until the test's process ends; gives the address.
    pub fn serve(&self) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/v1/commands", post(commands)).with_state(self.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await.unwrap();
            });
        });
        url
    }

    /// What was done, in order.
    pub fn done(&self) -> Vec<Value> {
        self.0.lock().unwrap().done.clone()
    }

    /// How many commands each request had.
    pub fn request_sizes(&self) -> Vec<usize> {
        self.0.lock().unwrap().requests.iter().map(Vec::len).collect()
    }
}

async fn commands(State(fake): State<Fake>, body: String) -> Response {
    let body: Value = serde_json::from_str(&body).unwrap();
    let commands = body["commands"].as_array().unwrap().clone();
    let mut inside = fake.0.lock().unwrap();
    inside.requests.push(commands.clone());
    if inside.too_many.is_some_and(|max| commands.len() > max) {
        return problem(413).into_response();
    }
    match inside.acts.pop_front().unwrap_or(Act::Do) {
        Act::Do => results(inside.answers(&commands, |_| true)),
        Act::DoSome(count) => results(inside.answers(&commands, |n| n < count)),
        Act::Miss(which) => results(inside.answers(&commands, |n| n != which)),
        Act::LoseAnswer => {
            inside.answers(&commands, |_| true);
            let broken = futures::stream::iter([Ok("{\"resul"), Err(std::io::Error::other("lost"))]);
            axum::body::Body::from_stream(broken).into_response()
        }
        Act::Say(status) => problem(status).into_response(),
        Act::Babble => "<html>hello</html>".into_response(),
    }
}

impl Inside {
    fn answers(&mut self, commands: &[Value], available: impl Fn(usize) -> bool) -> Vec<Value> {
        let answer = |(n, command)| if available(n) { self.answer(command) } else { problem_line(503) };
        commands.iter().enumerate().map(answer).collect()
    }

    fn answer(&mut self, command: &Value) -> Value {
        let id = command["idempotency_key"].as_str().unwrap().to_owned();
        if let Some(index) = self.receipts.get(&id) {
            return json!({"status": 200, "command_id": format!("cmd_{index}"), "position": "x-1", "replayed": true});
        }
        let name = command["prompt"].as_str().or(command["key"].as_str()).unwrap();
        match name {
            "forbidden" => return problem_line(403),
            name if name.starts_with("bad") => return problem_line(409),
            _ => {}
        }
        let index = self.done.len();
        self.receipts.insert(id, index);
        self.done.push(command.clone());
        json!({"status": 201, "command_id": format!("cmd_{index}"), "position": format!("x-{index}")})
    }
}

fn problem(status: u16) -> (StatusCode, String) {
    (StatusCode::from_u16(status).unwrap(), json!({"code": "a-code", "detail": "a detail"}).to_string())
}

fn problem_line(status: u16) -> Value {
    json!({"status": status, "problem": {"code": "a-code", "detail": "a detail"}})
}

fn results(results: Vec<Value>) -> Response {
    axum::Json(json!({ "results": results })).into_response()
}
