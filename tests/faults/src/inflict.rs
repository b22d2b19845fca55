//! Faults, done to a real cluster, and to processes that use it, and undone.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use promptory_test_nats::{Cluster, Server, User, flip_bit};

use crate::plan::{Fault, Numbers};
use crate::processes::Processes;

/// How long what stops everything lasts.
const STOPPED: Duration = Duration::from_secs(2);

/// A fault that has been done.
#[derive(Debug)]
pub struct Inflicted {
    /// From when service is expected back: the fault itself if a majority goes on, else when the servers may go on.
    pub since: Instant,
    /// The server that it was about, if it was one.
    pub server: Option<usize>,
    /// What it was about, in a word.
    pub about: String,
    /// Whether its store was damaged.
    pub damaged: bool,
}

impl Inflicted {
    fn now(server: Option<usize>, damaged: bool) -> Self {
        let about = server.map_or_else(|| "all".to_owned(), |server| format!("n{server}"));
        Self { since: Instant::now(), server, about, damaged }
    }
}

/// A cluster and whose streams on it are meant.
pub struct Target<'c> {
    /// The servers.
    pub cluster: &'c Cluster,
    /// Whose streams.
    pub user: &'c User,
    /// The stream whose leader is looked for, and whose blocks are damaged.
    pub stream: &'c str,
    /// The processes, if the plan has faults of them.
    pub processes: Option<&'c Processes>,
}

impl Target<'_> {
    /// Does a fault. `leader` is the server that leads the stream. Blocks.
    pub fn inflict(&self, fault: Fault, leader: usize, numbers: &mut Numbers) -> Inflicted {
        let servers = self.cluster.servers();
        let follower = (leader + 1 + usize::try_from(numbers.below(2)).unwrap()) % 3;
        let third = 3 - leader - follower;
        let about = |server| Inflicted::now(Some(server), false);
        match fault {
            Fault::KillLeader => self.then(leader, Server::kill),
            Fault::KillFollower => self.then(follower, Server::kill),
            Fault::PauseLeader => self.then(leader, Server::pause),
            Fault::PauseFollower => self.then(follower, Server::pause),
            Fault::PowerLeader => self.then(leader, Server::lose_power),
            Fault::CutLeader => {
                self.cut(leader, follower, true, true);
                self.cut(leader, third, true, true);
                about(leader)
            }
            Fault::MuteLeader => {
                self.cut(leader, follower, true, false);
                self.cut(leader, third, true, false);
                about(leader)
            }
            Fault::DeafenLeader => {
                self.cut(follower, leader, true, false);
                self.cut(third, leader, true, false);
                about(leader)
            }
            Fault::CutPair => {
                self.cut(leader, follower, true, true);
                about(leader)
            }
            Fault::KillAll => {
                servers.iter().for_each(Server::kill);
                self.all_start()
            }
            Fault::PowerAll => {
                self.cluster.lose_power();
                self.all_start()
            }
            Fault::PauseAll => {
                servers.iter().for_each(Server::pause);
                sleep(STOPPED);
                servers.iter().for_each(Server::resume);
                Inflicted::now(None, false)
            }
            Fault::RestartInTurn => {
                for server in servers {
                    server.stop();
                    server.restart();
                }
                Inflicted::now(None, false)
            }
            Fault::PowerBehindPause => self.power_behind_pause(leader, follower, third),
            Fault::FlippedBit | Fault::MissingBlock => self.damage(fault, follower, numbers),
            Fault::KillCommand | Fault::PauseCommand | Fault::KillProjection | Fault::KillQuery => {
                let processes = self.processes.expect("a plan with faults of processes is for a drill with processes");
                let (since, about) = processes.inflict(fault, numbers);
                Inflicted { since, server: None, about, damaged: false }
            }
        }
    }

    fn then(&self, server: usize, what: impl Fn(&Server)) -> Inflicted {
        what(&self.cluster.servers()[server]);
        Inflicted::now(Some(server), false)
    }

    fn all_start(&self) -> Inflicted {
        let done = Inflicted::now(None, false);
        self.cluster.start_all();
        done
    }

    /// The shape that lost acknowledged messages elsewhere: the two that have them are one paused and one that lost its
    /// power, and the third, which never had them, comes back.
    fn power_behind_pause(&self, leader: usize, follower: usize, third: usize) -> Inflicted {
        let servers = self.cluster.servers();
        servers[third].kill();
        sleep(STOPPED); // the other two go on
        servers[leader].pause();
        servers[follower].lose_power();
        servers[third].launch();
        servers[follower].launch();
        // The two that are left may elect one of them, and be written to.
        sleep(Duration::from_secs(8));
        servers[leader].resume();
        Inflicted::now(None, false)
    }

    fn damage(&self, fault: Fault, server: usize, numbers: &mut Numbers) -> Inflicted {
        let server_of = &self.cluster.servers()[server];
        server_of.stop();
        let blocks = server_of.blocks(self.user, self.stream);
        let block = &blocks[usize::try_from(numbers.below(blocks.len() as u64)).unwrap()];
        if fault == Fault::MissingBlock {
            fs::remove_file(block).unwrap();
        } else {
            let len = fs::metadata(block).unwrap().len();
            let byte = numbers.below(len.max(1));
            flip_bit(block, usize::try_from(byte).unwrap(), u8::try_from(numbers.below(8)).unwrap());
        }
        server_of.restart();
        Inflicted::now(Some(server), true)
    }

    /// Undoes whatever there is to undo; returns when all servers are healthy and all processes answer.
    pub fn undo(&self) {
        for from in 0..3 {
            for to in (0..3).filter(|to| *to != from) {
                self.cluster.cut(from, to, false);
            }
        }
        self.cluster.servers().iter().filter(|server| server.is_running()).for_each(Server::resume);
        self.cluster.start_all();
        if let Some(processes) = self.processes {
            processes.undo();
        }
    }

    /// Makes a damaged replica whole, as the operations page says.
    pub fn heal(&self, server: usize) {
        self.cluster.servers()[server].renew(self.user, self.stream);
    }

    fn cut(&self, one: usize, other: usize, cut: bool, both_ways: bool) {
        self.cluster.cut(one, other, cut);
        if both_ways {
            self.cluster.cut(other, one, cut);
        }
    }
}
