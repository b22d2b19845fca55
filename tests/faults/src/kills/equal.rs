//! Whether two processes say the same of a tenant, as of one event: digests of the models, rows of the catalog, every event
//! once, answers of the search index, and records of the audit.

use std::thread::sleep;
use std::time::{Duration, Instant};

use promptory_tests::{Answer, Client};
use serde_json::Value;

use super::load::WORDS;
use crate::meaning::{ANSWERED_WITHIN, PATIENCE, Request};

const PAUSE: Duration = Duration::from_millis(20);

/// A caller of one process.
pub(super) fn client(url: &str, key: &str) -> Client {
    Client::with_patience(url, key, Some(ANSWERED_WITHIN))
}

fn get(client: &Client, path: &str) -> Result<Answer, String> {
    Request { method: "GET", path, idempotency_key: None, body: None, good: 200 }.until_done(client)
}

/// Compares what both say, from `end` on. Gives how many events there are.
pub(super) fn check(old: &Client, new: &Client, end: &str, audit: bool) -> Result<u64, String> {
    let index = models(old, new, end)?;
    let mut paths = vec![
        format!("/v1/prompts?limit=1000&as_of={index}"),
        format!("/v1/changes?limit=1000&from={}&to={index}", index / 2),
        format!("/v1/search?limit=100&sort=key&facets=true&at_least={end}"),
    ];
    let words = WORDS.iter().map(|word| promptory_tests::client::segment(word));
    for word in words {
        paths.push(format!("/v1/search?q={word}%20&limit=100&facets=true&at_least={end}"));
        paths.push(format!("/v1/suggest?q={word}&at_least={end}"));
    }
    paths.push(format!("/v1/search?q=lnux%20term*&limit=100&at_least={end}"));
    paths.push(format!("/v1/search?q=guide&label=production&limit=100&at_least={end}"));
    for path in paths {
        at_one_event(old, new, &path)?;
    }
    let events = [once(old, index)?, once(new, index)?];
    if events[0] != events[1] {
        return Err("the two give other events".to_owned());
    }
    if audit {
        // Not further than all that was compared: reading it is written down, too.
        same(old, new, &format!("/v1/audit?limit=1000&to={index}"))?;
        for client in [old, new] {
            let count = get(client, &format!("/v1/audit/count?to={index}"))?.json["count"].clone();
            if count != index + 1 {
                return Err(format!("{} records of {} events in the audit of {}", count, index + 1, client.url));
            }
        }
    }
    Ok(index + 1)
}

fn index_of(position: &str) -> Option<u64> {
    position.rsplit_once('-')?.1.parse().ok()
}

/// The digests of both at one event, which they are compared at: what was read of the audit may be noted a little later.
fn models(old: &Client, new: &Client, end: &str) -> Result<u64, String> {
    let (since, at_least) = (Instant::now(), index_of(end).ok_or_else(|| format!("{end:?} is no position"))?);
    loop {
        let path = format!("/v1/models?at_least={end}");
        let said = [get(old, &path)?.json["models"].clone(), get(new, &path)?.json["models"].clone()];
        let positions = || said.iter().filter_map(Value::as_array).flatten().map(|model| &model["position"]);
        let first = positions().next().and_then(Value::as_str).and_then(index_of);
        if first.is_some_and(|first| first >= at_least) && positions().all(|other| Some(other) == positions().next()) {
            let views = said[0].as_array().map(Vec::len);
            let stopped = || said.iter().filter_map(Value::as_array).flatten().any(|model| model["stopped"] != false);
            if said[0] != said[1] || views != Some(2) || stopped() {
                return Err(format!("the models are {}, and of a new process {}", said[0], said[1]));
            }
            return first.ok_or_else(|| "no position".to_owned());
        }
        if since.elapsed() > PATIENCE {
            return Err(format!("the models do not come to one event: {} and {}", said[0], said[1]));
        }
        sleep(PAUSE);
    }
}

/// One answer of each, as of the same event: a command whose outcome was not known in time may be recorded a little later, and two
/// indexes need not be at one event when they have what was asked for.
fn at_one_event(old: &Client, new: &Client, path: &str) -> Result<(), String> {
    let since = Instant::now();
    let as_of = |client| get(client, path).map(|answer| answer.header("promptory-position").to_owned());
    loop {
        let before = (as_of(old)?, as_of(new)?);
        let compared = same(old, new, path);
        let after = (as_of(old)?, as_of(new)?);
        if before == after && before.0 == before.1 {
            return compared.map_err(|wrong| format!("{wrong}, both as of {}", before.0));
        }
        if since.elapsed() > PATIENCE {
            return Err(format!("{path}: the two do not come to one event: {after:?}"));
        }
        sleep(PAUSE);
    }
}

/// One answer, without what is each process's own: how to go on, and the last event of all when a page was read that ends
/// before it.
fn same(old: &Client, new: &Client, path: &str) -> Result<(), String> {
    let ask = |client| {
        let mut json = get(client, path)?.json;
        if let Some(object) = json.as_object_mut() {
            object.remove("next_cursor");
            object.remove("index");
        }
        Ok::<_, String>(json)
    };
    match difference(&ask(old)?, &ask(new)?) {
        None => Ok(()),
        Some(difference) => Err(format!("{path}: a new process says otherwise: {difference}")),
    }
}

/// The first place where two differ, and what is there.
fn difference(old: &Value, new: &Value) -> Option<String> {
    let within = |place: String, pair: (&Value, &Value)| {
        difference(pair.0, pair.1).map(|difference| format!("{place}/{difference}"))
    };
    match (old, new) {
        _ if old == new => None,
        (Value::Object(one), Value::Object(other)) if one.keys().eq(other.keys()) => {
            one.iter().find_map(|(name, value)| within(name.clone(), (value, &other[name])))
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.iter().zip(other).enumerate().find_map(|(n, pair)| within(n.to_string(), pair))
        }
        _ => Some(format!(" {old}, and not {new}")),
    }
}

/// The events up to an index: each there, once, in order.
fn once(client: &Client, last: u64) -> Result<Vec<Value>, String> {
    let (mut events, mut from) = (Vec::new(), 0);
    while from <= last {
        let page = get(client, &format!("/v1/events?from={from}&limit=1000"))?.json;
        let page = page["events"].as_array().cloned().unwrap_or_default();
        for event in page.into_iter().filter(|event| event["index"].as_u64().is_some_and(|index| index <= last)) {
            if event["index"] != from {
                return Err(format!("{}: event {} where {from} is due", client.url, event["index"]));
            }
            from += 1;
            events.push(event);
        }
        if from <= last && events.last().is_none_or(|event| event["index"] != from - 1) {
            return Err(format!("{}: there is no event {from} of {last}", client.url));
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_difference_is_told_with_its_place() {
        let old = json!({"hits": [{"key": "a", "number": 1}, {"key": "b", "number": 2}], "total": 2});
        assert_eq!(difference(&old, &old.clone()), None);
        let mut new = old.clone();
        new["hits"][1]["number"] = json!(3);
        assert_eq!(difference(&old, &new).unwrap(), "hits/1/number/ 2, and not 3");
        new["hits"] = json!([]);
        assert!(difference(&old, &new).unwrap().starts_with("hits/ [{"));
    }
}
