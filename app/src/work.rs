//! Work on demand: burns processor time on threads of their own, so that scaling has something to measure.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::limits::WORK_WAITING_MAX;

/// Work gives way to the thread that answers requests, so that health checks stay quick under load.
const NICENESS: i32 = 5;
/// Rounds of arithmetic between two looks at the clock; about 20 us.
const ROUNDS: u32 = 20_000;

/// How many requests burn at the same time; each takes a thread.
pub fn threads_max() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What was burnt.
#[derive(Debug, Serialize)]
pub struct Burnt {
    /// Processor time of the thread, in ms.
    pub cpu_ms: u64,
    /// Time on the clock, waiting for a thread included, in ms.
    pub elapsed_ms: u64,
}

/// Too many requests wait for work already.
#[derive(Debug)]
pub struct Busy;

pub struct Work {
    threads: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Default for Work {
    fn default() -> Self {
        Self { threads: Arc::new(Semaphore::new(threads_max())), waiting: AtomicUsize::new(0) }
    }
}

/// Counts one who waits for as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Ends the burning of a request whose client has gone away.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Work {
    /// Burns `cpu_ms` of processor time, which may take longer on the clock. Dropping the future ends the burning.
    pub async fn burn(&self, cpu_ms: u64) -> Result<Burnt, Busy> {
        let began = Instant::now();
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WORK_WAITING_MAX {
            return Err(Busy);
        }
        let permit = self.threads.clone().acquire_owned().await.map_err(|_| Busy)?;
        drop(waiting);
        let stop = StopOnDrop(Arc::default());
        let stopped = stop.0.clone();
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            burn(Duration::from_millis(cpu_ms), &stopped)
        });
        let burnt = task.await.map_err(|_| Busy)?;
        Ok(Burnt { cpu_ms: in_ms(burnt), elapsed_ms: in_ms(began.elapsed()) })
    }
}

fn in_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn burn(wanted: Duration, stopped: &AtomicBool) -> Duration {
    // On Linux this is the priority of the calling thread alone. Without it the work is done all the same.
    rustix::process::setpriority_process(None, NICENESS).ok();
    let began = cpu_time();
    let mut x: u64 = 0x9e37_79b9_7f4a_7c15;
    loop {
        for _ in 0..ROUNDS {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
        }
        std::hint::black_box(x);
        let burnt = cpu_time().saturating_sub(began);
        if burnt >= wanted || stopped.load(Ordering::Relaxed) {
            return burnt;
        }
    }
}

/// Processor time of the calling thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
