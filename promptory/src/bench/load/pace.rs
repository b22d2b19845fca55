//! When requests are due, evenly at a rate. A thread of its own tells them: the runtime's timers tick in milliseconds,
//! and thirty requests at each tick would be another load than thirty thousand a second.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

/// Moments that may wait for one client. When it is full the thread waits; the moments stay as they were due.
const WAITING: usize = 256;

/// Starts the thread. Client after client gets the moments at which its requests are due.
///
/// # Errors
/// The system has no threads left.
pub fn start(rate: f64, time: Duration, clients: usize) -> io::Result<Vec<mpsc::Receiver<Instant>>> {
    let (outlets, due): (Vec<_>, Vec<_>) = (0..clients).map(|_| mpsc::channel(WAITING)).unzip();
    thread::Builder::new().name(format!("{}pace", super::THREADS)).spawn(move || pace(rate, time, &outlets))?;
    Ok(due)
}

fn pace(rate: f64, time: Duration, outlets: &[mpsc::Sender<Instant>]) {
    let began = Instant::now();
    for (offset, outlet) in offsets(rate, time).zip(outlets.iter().cycle()) {
        let due = began + offset;
        let wait = due.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            thread::sleep(wait);
        }
        if outlet.blocking_send(due).is_err() {
            return; // its client failed and has told so
        }
    }
}

/// How many requests are due in a time at a rate.
#[must_use]
pub fn requests(rate: f64, time: Duration) -> usize {
    offsets(rate, time).count()
}

/// At least one.
fn offsets(rate: f64, time: Duration) -> impl Iterator<Item = Duration> {
    let rate = rate.max(1.0);
    let at = move |n: u32| Duration::from_secs_f64(f64::from(n) / rate);
    (0..).map(at).take_while(move |offset| offset.is_zero() || *offset < time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_due_evenly() {
        let due: Vec<_> = offsets(100.0, Duration::from_millis(50)).collect();
        assert_eq!(due, [0, 10, 20, 30, 40].map(Duration::from_millis));
        assert_eq!(offsets(0.001, Duration::from_millis(1)).count(), 1, "never none");
    }

    #[tokio::test]
    async fn clients_take_turns_and_none_is_left_out() {
        let mut due = start(10_000.0, Duration::from_millis(10), 3).unwrap();
        let mut counts = [0; 3];
        for (client, count) in due.iter_mut().zip(&mut counts) {
            while client.recv().await.is_some() {
                *count += 1;
            }
        }
        assert_eq!(counts, [34, 33, 33]);
    }
}
