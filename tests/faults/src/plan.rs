//! Which faults come in which order: from a seed, so that a plan can be run again.

/// What can be done to a cluster of three, and to processes that use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// -9 to the leader of the stream.
    KillLeader,
    /// -9 to another.
    KillFollower,
    /// -9 to all at once, then all start.
    KillAll,
    /// Each in turn is ended in order and started.
    RestartInTurn,
    /// SIGSTOP to the leader: alive and deaf.
    PauseLeader,
    /// SIGSTOP to another.
    PauseFollower,
    /// SIGSTOP to all for some seconds.
    PauseAll,
    /// The leader is cut off from both others.
    CutLeader,
    /// What the leader says arrives nowhere; it hears the others.
    MuteLeader,
    /// The leader hears nobody; the others hear it.
    DeafenLeader,
    /// Two servers don't reach each other; the third reaches both.
    CutPair,
    /// The leader loses its power.
    PowerLeader,
    /// All lose their power at once.
    PowerAll,
    /// One is down, another loses its power while the leader is paused; then the first comes back.
    PowerBehindPause,
    /// A bit flips in a block of a stopped server.
    FlippedBit,
    /// A block of a stopped server is gone.
    MissingBlock,
    /// -9 to one of the command processes.
    KillCommand,
    /// -9 to one of the projection processes.
    KillProjection,
    /// -9 to the query process, which is started again at once.
    KillQuery,
    /// SIGSTOP to one of the command processes.
    PauseCommand,
}

impl Fault {
    /// Those of the servers.
    pub const OF_SERVERS: [Self; 16] = [
        Self::KillLeader,
        Self::PowerAll,
        Self::CutLeader,
        Self::FlippedBit,
        Self::PauseLeader,
        Self::KillAll,
        Self::MuteLeader,
        Self::PowerBehindPause,
        Self::KillFollower,
        Self::RestartInTurn,
        Self::PauseFollower,
        Self::DeafenLeader,
        Self::MissingBlock,
        Self::PowerLeader,
        Self::CutPair,
        Self::PauseAll,
    ];

    /// Those of processes.
    pub const OF_PROCESSES: [Self; 4] = [Self::KillCommand, Self::PauseCommand, Self::KillProjection, Self::KillQuery];

    /// Whether it is about a process.
    #[must_use]
    pub fn is_of_a_process(self) -> bool {
        Self::OF_PROCESSES.contains(&self)
    }

    /// Whether two servers go on that reach each other: service comes back while the fault lasts.
    #[must_use]
    pub fn leaves_a_majority(self) -> bool {
        !matches!(self, Self::KillAll | Self::PauseAll | Self::PowerAll | Self::PowerBehindPause)
    }
}

/// Numbers that look random and are not: splitmix64.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The numbers of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One below `end`, which is at least 1.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// The faults of a plan, without end: each of its kinds once, in an order that the seed gives, then again in another.
#[derive(Clone, Debug)]
pub struct Plan {
    numbers: Numbers,
    left: Vec<Fault>,
    kinds: Vec<Fault>,
}

impl Plan {
    /// A plan of some kinds, at least one.
    #[must_use]
    pub fn new(seed: u64, kinds: &[Fault]) -> Self {
        Self { numbers: Numbers::new(seed), left: Vec::new(), kinds: kinds.to_vec() }
    }
}

impl Iterator for Plan {
    type Item = Fault;

    fn next(&mut self) -> Option<Fault> {
        if self.left.is_empty() {
            self.left.clone_from(&self.kinds);
        }
        let n = self.numbers.below(self.left.len() as u64);
        Some(self.left.swap_remove(usize::try_from(n).unwrap()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_is_a_plan_and_every_kind_comes() {
        let all = [&Fault::OF_SERVERS[..], &Fault::OF_PROCESSES[..]].concat();
        let plan = |seed| Plan::new(seed, &all).take(40).collect::<Vec<_>>();
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
        let kinds: BTreeSet<_> = plan(7).into_iter().take(all.len()).collect();
        assert_eq!(kinds, all.into_iter().collect());
    }
}
