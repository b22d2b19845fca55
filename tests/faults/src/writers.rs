//! Writers straight to the ledger, as the command service writes: guarded, the same bytes again while the outcome is open,
//! after a conflict a look at who was first. Each reads what it wrote; others follow every partition.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use promptory_events::TenantId;
use promptory_ledger::jetstream::{JetStream, Options};
use promptory_ledger::{AppendError, Head, Recorded};
use tokio::task::JoinSet;

use crate::oracle::{Id, Oracle, Place};
use crate::support::{Draft, header, tenant};

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// A writer reads what it wrote after each such number of appends.
const READS_EVERY: u64 = 4;

/// How many write, how many tenants they share, and how long each rests between two appends.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Writers; half of them over one pair of connections, half over another, as two processes are.
    pub writers: usize,
    /// Tenants; more writers than tenants contend.
    pub tenants: usize,
    /// Rest between two appends of a writer.
    pub rest: Duration,
}

/// Writers at work.
pub struct Writers {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
    followers: Vec<Arc<Follower>>,
}

/// The id in a batch, as the oracle knows it.
fn id_of(batch: &Recorded) -> Id {
    let id = header(&batch.bytes).batch_id.0;
    u64::from_be_bytes(id[..8].try_into().unwrap())
}

impl Writers {
    /// Starts them on a ledger. Everything that they are told goes to the oracle.
    pub async fn start(options: &Options, shape: Shape, oracle: &Arc<Oracle>) -> Self {
        let ledgers = [JetStream::open(options).await.unwrap(), JetStream::open(options).await.unwrap()];
        let (stop, ids) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(1)));
        let mut tasks = JoinSet::new();
        for n in 0..shape.writers {
            let tenant = tenant(&format!("t{}", n % shape.tenants));
            oracle.expect(tenant.as_str());
            let (ledger, stop, ids, oracle) =
                (ledgers[n * 2 / shape.writers].clone(), stop.clone(), ids.clone(), oracle.clone());
            tasks.spawn(Writer { ledger, tenant, oracle, ids, stop, rest: shape.rest }.run());
        }
        let mut followers = Vec::new();
        for partition in 0..ledgers[0].partitions() {
            let follower = Arc::new(Follower::default());
            followers.push(follower.clone());
            tasks.spawn(follow(ledgers[1].clone(), partition, follower, stop.clone(), oracle.clone()));
        }
        Self { stop, tasks, followers }
    }

    /// Lets each writer finish what it began. Gives what the followers saw: by partition, tenant, id and place.
    pub async fn stop(self) -> Vec<Vec<(String, Id, Place)>> {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
        let placed = |(tenant, id, sequence)| (tenant, id, (sequence, None));
        self.followers.iter().map(|follower| follower.seen().into_iter().map(placed).collect()).collect()
    }

    /// How far each partition's follower has come.
    #[must_use]
    pub fn followed(&self) -> Vec<u64> {
        self.followers.iter().map(|follower| follower.seen().last().map_or(0, |(_, _, sequence)| *sequence)).collect()
    }
}

struct Writer {
    ledger: JetStream,
    tenant: TenantId,
    oracle: Arc<Oracle>,
    ids: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    rest: Duration,
}

/// What came of one draft.
enum Outcome {
    Appended(u64),
    Lost,
}

impl Writer {
    async fn run(self) {
        while !self.stop.load(Ordering::Relaxed) {
            // After a conflict, and at first: where does the tenant end?
            let head = self.head().await;
            let mut draft = match head {
                None => Draft::first(self.ledger.incarnation(), &self.tenant),
                Some(Head { position, cursor, .. }) => {
                    let (incarnation, first) = (self.ledger.incarnation(), position.index + 1);
                    Draft::new(incarnation, &self.tenant, first, 1, cursor.sequence)
                }
            };
            while !self.stop.load(Ordering::Relaxed) {
                let (id, began) = (self.ids.fetch_add(1, Ordering::Relaxed), Instant::now());
                draft = draft.id(id);
                match self.append(&draft, id).await {
                    Outcome::Appended(sequence) => {
                        self.oracle.acknowledged(self.tenant.as_str(), id, (sequence, None), began);
                        if id % READS_EVERY == 0 {
                            self.reads_its_own(&draft, id, sequence).await;
                        }
                        draft = draft.then(1, sequence);
                    }
                    Outcome::Lost => {
                        self.oracle.refused(self.tenant.as_str(), id);
                        break;
                    }
                }
                tokio::time::sleep(self.rest).await;
            }
        }
    }

    async fn head(&self) -> Option<Head> {
        loop {
            match self.ledger.head(&self.tenant).await {
                Ok(head) => return head,
                Err(_) => tokio::time::sleep(LONGEST_PAUSE).await,
            }
        }
    }

    async fn append(&self, draft: &Draft, id: Id) -> Outcome {
        let (bytes, mut pause) = (draft.encode(), FIRST_PAUSE);
        loop {
            match self.ledger.append(&self.tenant, draft.header.prev, bytes.clone()).await {
                Ok(cursor) => return Outcome::Appended(cursor.sequence),
                Err(AppendError::Conflict) => return self.after_conflict(draft, id).await,
                Err(AppendError::Busy | AppendError::Unknown(_)) => {}
                Err(AppendError::Invalid(why)) => {
                    self.oracle.wrong(format!("{}: a batch of ours is said to be none: {why}", self.tenant));
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The batch that was first may be our own.
    async fn after_conflict(&self, draft: &Draft, id: Id) -> Outcome {
        loop {
            match self.ledger.get(&self.tenant, draft.header.first_index).await {
                Ok(Some(batch)) if id_of(&batch) == id => return Outcome::Appended(batch.cursor.sequence),
                Ok(Some(_)) => return Outcome::Lost,
                // A leader that has not applied yet what it refused us for.
                Ok(None) | Err(_) => tokio::time::sleep(FIRST_PAUSE * 10).await,
            }
        }
    }

    /// What was acknowledged is there, or there is an error: never something else.
    async fn reads_its_own(&self, draft: &Draft, id: Id, sequence: u64) {
        match self.ledger.get(&self.tenant, draft.header.first_index).await {
            Ok(Some(batch)) if id_of(&batch) == id && batch.cursor.sequence == sequence => {}
            Ok(other) => {
                let found = other.map(|batch| (id_of(&batch), batch.cursor.sequence));
                self.oracle.wrong(format!("{}: asked for {id} at {sequence}, got {found:?}", self.tenant));
            }
            Err(_) => {}
        }
        match self.ledger.head(&self.tenant).await {
            Ok(Some(head)) if head.cursor.sequence >= sequence => {}
            Ok(head) => {
                self.oracle.wrong(format!("{}: {sequence} was acknowledged, the head is {head:?}", self.tenant))
            }
            Err(_) => {}
        }
    }
}

/// What somebody saw who follows a partition.
#[derive(Default)]
struct Follower {
    seen: Mutex<Vec<(String, Id, u64)>>,
}

impl Follower {
    fn seen(&self) -> Vec<(String, Id, u64)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn follow(ledger: JetStream, partition: u16, into: Arc<Follower>, stop: Arc<AtomicBool>, oracle: Arc<Oracle>) {
    let mut cursor = None;
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut tail) = ledger.tail(partition, cursor).await else {
            tokio::time::sleep(LONGEST_PAUSE).await;
            continue;
        };
        while !stop.load(Ordering::Relaxed) {
            let page = match tokio::time::timeout(LONGEST_PAUSE, tail.next()).await {
                Ok(Ok(page)) => page,
                Ok(Err(_)) => break, // a damaged replica: it stops, and says so
                Err(_) => continue,
            };
            let mut seen = into.seen.lock().unwrap_or_else(PoisonError::into_inner);
            for batch in page {
                let last = seen.last().map_or(0, |(_, _, sequence)| *sequence);
                if batch.cursor.sequence != last + 1 {
                    oracle.wrong(format!("partition {partition}: {} follows {last}", batch.cursor.sequence));
                }
                let tenant = header(&batch.bytes).tenant.to_string();
                seen.push((tenant, id_of(&batch), batch.cursor.sequence));
                cursor = Some(batch.cursor);
            }
        }
    }
}
