//! Who reads: what was acknowledged is there from its position on, as it was written, for ever; or the answer says "later".

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use promptory_tests::{Answer, Client};

use super::{ANSWERED_WITHIN, Common, Known, PROMPT, Tenant};
use crate::meaning::Meaning;

const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Reader {
    common: Arc<Common>,
    client: Client,
    name: String,
    n: usize,
    of: usize,
    /// Since when it has got nothing but "later".
    since: Option<Instant>,
}

/// A question about something that was acknowledged, and whether an answer agrees.
struct Question {
    query: String,
    agrees: fn(&Answer, &Known) -> bool,
}

fn number(answer: &Answer) -> u64 {
    answer.json["version"]["number"].as_u64().unwrap_or_default()
}

fn is_it(answer: &Answer, known: &Known) -> bool {
    answer.json["text"] == known.text.as_str() && number(answer) == known.number
}

fn questions(known: &Known) -> [Question; 3] {
    let Known { number: n, index, position, .. } = known;
    [
        Question { query: format!("version={n}&at_least={position}"), agrees: is_it },
        Question { query: format!("as_of={index}&at_least={position}"), agrees: is_it },
        Question { query: format!("at_least={position}"), agrees: |answer, known| number(answer) >= known.number },
    ]
}

impl Reader {
    /// The `n`th of some; it reads its share of the tenants, and the hot one.
    pub(super) fn new(common: Arc<Common>, n: usize, of: usize) -> Self {
        let name = format!("reader {n}");
        common.oracle.expect_served(&name);
        Self { common, client: Client::with_patience("", "", Some(ANSWERED_WITHIN)), name, n, of, since: None }
    }

    pub(super) fn run(mut self) {
        let (common, mut count) = (self.common.clone(), 0);
        common.repeat(|| {
            self.read(count);
            count += 1;
        });
    }

    fn read(&mut self, count: usize) {
        let place = if count.is_multiple_of(2) { 0 } else { (self.n + self.of * count) % self.common.tenants.len() };
        let tenant = self.common.tenants[place].clone();
        let Some(known) = tenant.last() else { return };
        let question = &questions(&known)[count % 3];
        let began = *self.since.get_or_insert_with(Instant::now);
        let client = self.client.with_key(&tenant.key).at(&self.common.query.url());
        let path = format!("/v1/prompts/{PROMPT}?{}", question.query);
        match Meaning::of(client.try_send("GET", &path, &[], None), 200) {
            Meaning::Done(answer) if (question.agrees)(&answer, &known) => {
                self.since = None;
                self.common.oracle.served(&self.name, began);
                self.common.counted.reads.fetch_add(1, Ordering::Relaxed);
            }
            Meaning::Done(answer) => self.says(&tenant, &known, &format!("{path}: {answer:?}")),
            Meaning::Later(what) => {
                self.common.oracle.later(&self.name, what);
                self.common.counted.again.fetch_add(1, Ordering::Relaxed);
                thread::sleep(PAUSE);
            }
            Meaning::Wrong(what) => self.says(&tenant, &known, &format!("{path}: {what}")),
        }
    }

    fn says(&self, tenant: &Tenant, known: &Known, what: &str) {
        self.common.oracle.wrong(format!("{known:?} was acknowledged in {}, and {what}", tenant.name));
    }
}
