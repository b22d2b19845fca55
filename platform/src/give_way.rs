//! Long work in small pieces: a thread that computes keeps its core until the kernel's next tick, 4 ms at the usual 250 Hz, and
//! whoever answers a read waits behind it. So what goes through thousands of things lets go of the core between them.

/// So many pieces are done in one go: some 50 to 100 µs.
const PIECES: u32 = 16;

/// Work that gives way.
#[derive(Clone, Copy, Debug, Default)]
pub struct GiveWay {
    done: u32,
}

impl GiveWay {
    /// Another piece is done. If it was time to, whoever waits for this core has had it when this returns.
    pub fn after_a_piece(&mut self) {
        self.done += 1;
        if self.done == PIECES {
            self.now();
        }
    }

    /// The same after a large piece.
    pub fn now(&mut self) {
        self.done = 0;
        std::thread::yield_now();
    }
}
