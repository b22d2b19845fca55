//! What a scrub found, and how it is said.

use std::fmt;

use promptory_events::Incarnation;

/// Ranges that are told one by one; what is more is counted.
const RANGES_MAX: usize = 100;

/// Sequences, as ranges with both ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    ranges: Vec<(u64, u64)>,
    /// How many sequences there are, also those beyond the ranges that are kept.
    pub count: u64,
}

impl Ranges {
    /// Adds a sequence that is larger than all before.
    pub(super) fn add(&mut self, sequence: u64) {
        self.count += 1;
        let adjoins = |range: &&mut (u64, u64)| range.1 + 1 == sequence;
        if let Some((_, last)) = self.ranges.last_mut().filter(adjoins) {
            *last = sequence;
        } else if self.ranges.len() < RANGES_MAX {
            self.ranges.push((sequence, sequence));
        }
    }

    /// The ranges, first and last sequence of each; the first hundred of them.
    #[must_use]
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.ranges
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = 0;
        for (n, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            if first == last {
                write!(f, "{comma}{first}")?
            } else {
                write!(f, "{comma}{first} to {last}")?
            }
            told += last - first + 1;
        }
        if told < self.count {
            write!(f, " and {} more", self.count - told)?;
        }
        Ok(())
    }
}

/// What one replica holds of a stream.
#[derive(Clone, Debug)]
pub struct ReplicaReport {
    /// The server.
    pub name: String,
    /// Messages that it gave.
    pub read: u64,
    /// What it does not have, up to the end of the stream.
    pub missing: Ranges,
    /// What it has otherwise than most others.
    pub differs: Ranges,
    /// Why it could not be read to the end. Nothing is known of the rest.
    pub unread: Option<String>,
}

/// What was found of one stream.
#[derive(Clone, Debug)]
pub struct StreamReport {
    /// Its name.
    pub stream: String,
    /// Its last sequence when the scrub began; later ones were not looked at.
    pub end: u64,
    /// How many replicas it should have.
    pub expected_replicas: usize,
    /// Each of its replicas.
    pub replicas: Vec<ReplicaReport>,
    /// Messages that are no batch in any copy, or break a tenant's chain: the sequence and why. The first hundred.
    pub broken: Vec<(u64, String)>,
    /// How many there are.
    pub broken_count: u64,
}

impl StreamReport {
    pub(super) fn new(
        stream: String,
        end: u64,
        expected_replicas: usize,
        replicas: impl Iterator<Item = String>,
    ) -> Self {
        let replica = |name| ReplicaReport {
            name,
            read: 0,
            missing: Ranges::default(),
            differs: Ranges::default(),
            unread: None,
        };
        let replicas = replicas.map(replica).collect();
        Self { stream, end, expected_replicas, replicas, broken: Vec::new(), broken_count: 0 }
    }

    pub(super) fn breaks(&mut self, sequence: u64, why: String) {
        self.broken_count += 1;
        if self.broken.len() < RANGES_MAX {
            self.broken.push((sequence, why));
        }
    }

    /// Whether every replica was read, and holds everything, and all chains hold.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let whole = |replica: &ReplicaReport| {
            replica.unread.is_none() && replica.missing.count == 0 && replica.differs.count == 0
        };
        self.replicas.len() == self.expected_replicas && self.replicas.iter().all(whole) && self.broken_count == 0
    }
}

/// What a scrub found.
#[derive(Clone, Debug)]
pub struct ScrubReport {
    /// Which life of the ledger it was.
    pub incarnation: Incarnation,
    /// Each partition's stream.
    pub streams: Vec<StreamReport>,
}

impl ScrubReport {
    /// Whether nothing was found, and nothing left unread.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.streams.iter().all(StreamReport::is_whole)
    }
}

impl fmt::Display for ScrubReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "incarnation  {}", self.incarnation)?;
        for stream in &self.streams {
            write!(f, "\n{stream}")?;
        }
        Ok(())
    }
}

impl fmt::Display for StreamReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, end, .. } = self;
        let names: Vec<_> = self.replicas.iter().map(|replica| replica.name.as_str()).collect();
        let names = names.join(", ");
        if self.is_whole() {
            return write!(f, "{stream:<12} 1 to {end} whole and equal on {names}");
        }
        write!(f, "{stream:<12} 1 to {end} NOT WHOLE on {names}")?;
        if self.replicas.len() != self.expected_replicas {
            let (found, expected) = (self.replicas.len(), self.expected_replicas);
            write!(f, "\n{stream:<12} has {found} replicas, expected {expected}")?;
        }
        for replica in &self.replicas {
            let name = &replica.name;
            if replica.missing.count > 0 {
                let (missing, count) = (&replica.missing, replica.missing.count);
                write!(f, "\n{stream:<12} {name} lacks {count}: {missing}")?;
            }
            if replica.differs.count > 0 {
                let (differs, count) = (&replica.differs, replica.differs.count);
                write!(f, "\n{stream:<12} {name} has other bytes than the others in {count}: {differs}")?;
            }
            if let Some(why) = &replica.unread {
                write!(f, "\n{stream:<12} {name} could not be read {why}")?;
            }
        }
        for (sequence, why) in &self.broken {
            write!(f, "\n{stream:<12} {sequence}: {why}")?;
        }
        if self.broken_count > self.broken.len() as u64 {
            write!(f, "\n{stream:<12} and {} more", self.broken_count - self.broken.len() as u64)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(sequences: impl IntoIterator<Item = u64>) -> Ranges {
        let mut ranges = Ranges::default();
        sequences.into_iter().for_each(|sequence| ranges.add(sequence));
        ranges
    }

    #[test]
    fn what_is_missing_is_told_in_ranges() {
        assert_eq!(ranges([3, 4, 5, 9, 11, 12]).to_string(), "3 to 5, 9, 11 to 12");
        let many = ranges((1..=400).step_by(2));
        assert_eq!((many.ranges().len(), many.count), (100, 200));
        assert!(many.to_string().ends_with(", 199 and 100 more"), "{many}");
    }

    #[test]
    fn a_stream_is_whole_if_every_replica_was_read_and_lacks_nothing() {
        let stream = || StreamReport::new("LEDGER-0".into(), 7, 2, ["n0", "n1"].into_iter().map(Into::into));
        assert!(stream().is_whole());
        assert_eq!(stream().to_string(), "LEDGER-0     1 to 7 whole and equal on n0, n1");
        let mut lacks = stream();
        lacks.replicas[1].missing.add(4);
        assert!(!lacks.is_whole() && lacks.to_string().contains("n1 lacks 1: 4"), "{lacks}");
        let mut differs = stream();
        differs.replicas[0].differs.add(4);
        assert!(!differs.is_whole() && differs.to_string().contains("n0 has other bytes than the others in 1: 4"));
        let mut unread = stream();
        unread.replicas[0].unread = Some("from 1 on: offline".into());
        assert!(!unread.is_whole() && unread.to_string().contains("n0 could not be read from 1 on: offline"));
        let mut broken = stream();
        broken.breaks(5, "the chain is broken".into());
        assert!(!broken.is_whole() && broken.to_string().contains("5: the chain is broken"));
        assert!(!StreamReport { expected_replicas: 3, ..stream() }.is_whole());
    }
}
