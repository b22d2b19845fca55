//! What lies between the servers of a cluster: each route runs through a proxy of ours, which knows who sends to whom and
//! can hold it back.
//!
//! What is held back is not lost: a connection that is cut off and comes back delivers what was sent, as TCP does. New
//! connections are taken and say nothing, like those whose packets get lost.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How soon what was held back goes on after healing.
const LOOK: Duration = Duration::from_millis(10);
const BUFFER_BYTES: usize = 64 * 1024;

/// The routes between `count` servers.
#[derive(Debug)]
pub(crate) struct Routes {
    count: usize,
    cut: Arc<Cuts>,
    /// By from and to, the port that leads there.
    ports: Vec<Vec<u16>>,
}

/// Whether what one server sends to another is held back.
#[derive(Debug)]
struct Cuts {
    pairs: Vec<Vec<AtomicBool>>,
    /// The cluster is gone, and with it the threads.
    ended: AtomicBool,
}

impl Routes {
    /// Proxies to the servers that listen on these ports, a way of its own from each to each other.
    pub(crate) fn between(targets: &[u16]) -> Self {
        let count = targets.len();
        let pairs = (0..count).map(|_| (0..count).map(|_| AtomicBool::new(false)).collect()).collect();
        let cut = Arc::new(Cuts { pairs, ended: AtomicBool::new(false) });
        let port = |from: usize, to: usize| {
            if from == to { 0 } else { listen(Way { from, to, cut: cut.clone() }, targets[to]) }
        };
        let ports = (0..count).map(|from| (0..count).map(|to| port(from, to)).collect()).collect();
        Self { count, cut, ports }
    }

    /// Where a server finds the others.
    pub(crate) fn from(&self, server: usize) -> Vec<u16> {
        (0..self.count).filter(|to| *to != server).map(|to| self.ports[server][to]).collect()
    }

    /// Holds back what one sends to another, or lets it go on.
    pub(crate) fn cut(&self, from: usize, to: usize, cut: bool) {
        self.cut.pairs[from][to].store(cut, Ordering::Relaxed);
    }
}

impl Drop for Routes {
    fn drop(&mut self) {
        self.cut.ended.store(true, Ordering::Relaxed);
        // Those that wait for connections look when one comes.
        for port in self.ports.iter().flatten().filter(|port| **port != 0) {
            drop(TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], *port))));
        }
    }
}

/// One direction.
#[derive(Clone)]
struct Way {
    from: usize,
    to: usize,
    cut: Arc<Cuts>,
}

impl Way {
    fn back(&self) -> Self {
        Self { from: self.to, to: self.from, cut: self.cut.clone() }
    }

    /// Returns when it is open; false if it never will be.
    fn wait_open(&self) -> bool {
        while self.cut.pairs[self.from][self.to].load(Ordering::Relaxed) {
            if self.has_ended() {
                return false;
            }
            thread::sleep(LOOK);
        }
        !self.has_ended()
    }

    fn has_ended(&self) -> bool {
        self.cut.ended.load(Ordering::Relaxed)
    }

    /// Copies until one side ends.
    fn copy(&self, mut source: TcpStream, mut sink: TcpStream) {
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Ok(len @ 1..) = source.read(&mut buffer) {
            if !self.wait_open() || sink.write_all(&buffer[..len]).is_err() {
                break;
            }
        }
        // The end of a connection crosses no cut either: the other side must find out by itself.
        self.wait_open();
        let _ = (source.shutdown(Shutdown::Both), sink.shutdown(Shutdown::Both)); // one of them is gone already
    }
}

/// Takes connections for one way; returns the port.
fn listen(way: Way, target: u16) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((source, _)) = listener.accept() {
            if way.has_ended() {
                return;
            }
            let way = way.clone();
            thread::spawn(move || connect(&way, source, target));
        }
    });
    port
}

fn connect(way: &Way, source: TcpStream, target: u16) {
    if !way.wait_open() || !way.back().wait_open() {
        return;
    }
    let Ok(sink) = TcpStream::connect(("127.0.0.1", target)) else { return };
    let _ = (source.set_nodelay(true), sink.set_nodelay(true)); // only slower without
    let (Ok(source_too), Ok(sink_too)) = (source.try_clone(), sink.try_clone()) else { return };
    let (there, back) = (way.clone(), way.back());
    let thread = thread::spawn(move || back.copy(sink_too, source_too));
    there.copy(source, sink);
    let _ = thread.join(); // it has nothing to say
}
