//! The issuers' keys. They are fetched by a task in the background, one at a time for an issuer; a token with a key that is
//! not known makes it fetch again, but not more often than allowed, whatever is shown. Looking a key up takes no lock that
//! anybody holds while he waits.

use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use lru::LruCache;
use promptory_events::IssuerUrl;
use serde_json::Value;
use tokio::sync::watch;

use crate::verify::ACCEPTED;
use crate::{Config, Refused, fetch};

/// Issuers whose keys are remembered.
const ISSUERS: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");
/// Keys of one issuer; more are not looked at.
const KEYS_MAX: usize = 64;
/// Keys that are older are fetched again while they still serve: so long a key that its issuer took back may serve.
const REFRESH: Duration = Duration::from_secs(5 * 60);
/// Keys that are older serve no more, if their issuer does not answer.
const STALE: Duration = Duration::from_secs(60 * 60);
/// How long a token waits for its issuer.
const WAIT: Duration = Duration::from_secs(8);

/// The keys of all issuers that were asked for lately.
pub struct KeySets {
    config: Config,
    entries: Mutex<LruCache<IssuerUrl, Arc<Entry>>>,
}

struct Entry {
    url: IssuerUrl,
    set: ArcSwapOption<KeySet>,
    /// When the last fetch began, and whether it is under way.
    fetching: Mutex<(Option<Instant>, bool)>,
    /// Counts the fetches that have ended.
    ended: watch::Sender<u64>,
}

struct KeySet {
    keys: Vec<Key>,
    fetched: Instant,
}

struct Key {
    kid: Option<String>,
    algorithm: Option<Algorithm>,
    key: DecodingKey,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl KeySets {
    pub fn new(config: Config) -> Self {
        Self { config, entries: Mutex::new(LruCache::new(ISSUERS)) }
    }

    /// The key that an issuer says a token is signed with.
    pub async fn find(&self, url: &IssuerUrl, kid: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, Refused> {
        let entry = self.entry(url);
        if let Some(set) = entry.serving() {
            if set.fetched.elapsed() > REFRESH {
                self.begin(&entry);
            }
            if let Some(key) = set.find(kid, algorithm) {
                return Ok(key);
            }
        }
        // Subscribe before the fetch begins: its end is then not missed.
        let mut ended = entry.ended.subscribe();
        if self.begin(&entry) {
            let _ = tokio::time::timeout(WAIT, ended.changed()).await;
        }
        let set = entry.serving().ok_or(Refused::Unavailable)?;
        set.find(kid, algorithm).ok_or(Refused::UnknownKey)
    }

    fn entry(&self, url: &IssuerUrl) -> Arc<Entry> {
        let new = || {
            let (set, fetching, ended) = (ArcSwapOption::empty(), Mutex::default(), watch::Sender::new(0));
            Arc::new(Entry { url: url.clone(), set, fetching, ended })
        };
        lock(&self.entries).get_or_insert(url.clone(), new).clone()
    }

    /// Sees to it that a fetch is under way. False: the last one was too short a time ago.
    fn begin(&self, entry: &Arc<Entry>) -> bool {
        let mut fetching = lock(&entry.fetching);
        match *fetching {
            (_, true) => return true,
            (Some(begun), false) if begun.elapsed() < self.config.refetch_after => return false,
            _ => *fetching = (Some(Instant::now()), true),
        }
        drop(fetching);
        tokio::spawn(entry.clone().fetch(self.config.loopback_http));
        true
    }
}

impl Entry {
    async fn fetch(self: Arc<Self>, loopback_http: bool) {
        let url = self.url.clone();
        let fetched = tokio::task::spawn_blocking(move || fetch::keys(&url, loopback_http)).await;
        let outcome = match fetched {
            Ok(Ok(keys)) => {
                let keys = keys.iter().take(KEYS_MAX).filter_map(Key::read).collect();
                self.set.store(Some(Arc::new(KeySet { keys, fetched: Instant::now() })));
                "ok"
            }
            Ok(Err(error)) => {
                tracing::warn!(issuer = %self.url, %error, "the keys of an issuer can't be had");
                "failed"
            }
            Err(error) => {
                tracing::error!(issuer = %self.url, %error, "fetching the keys of an issuer failed inside");
                "failed"
            }
        };
        metrics::counter!("promptory_issuer_key_fetches_total", "outcome" => outcome).increment(1);
        lock(&self.fetching).1 = false;
        self.ended.send_modify(|count| *count += 1);
    }

    fn serving(&self) -> Option<Arc<KeySet>> {
        self.set.load_full().filter(|set| set.fetched.elapsed() <= STALE)
    }
}

impl KeySet {
    /// By its id; without one only if there is no choice.
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let fits = |key: &&Key| {
            key.key.family() == algorithm.family()
                && key.algorithm.is_none_or(|only| only == algorithm)
                && kid.is_none_or(|kid| key.kid.as_deref() == Some(kid))
        };
        let mut fitting = self.keys.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Some(key.key.clone()),
            _ => None,
        }
    }
}

impl Key {
    /// A public key for signatures by an algorithm that is accepted; others are none of our business.
    fn read(json: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json.clone()).ok()?;
        let common = &jwk.common;
        if common.public_key_use.as_ref().is_some_and(|kind| *kind != PublicKeyUse::Signature) {
            return None;
        }
        let algorithm = match &common.key_algorithm {
            None => None,
            Some(named) => Some(Algorithm::from_str(&named.to_string()).ok()?),
        };
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        let accepted = |family| ACCEPTED.iter().any(|one| one.family() == family);
        accepted(key.family()).then(|| Self { kid: common.key_id.clone(), algorithm, key })
    }
}
