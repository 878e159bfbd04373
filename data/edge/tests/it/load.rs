//! Users who ask all the time, each in a thread of its own, while a test changes something beneath them.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::rig::eventually;

/// What users tell, and are told.
#[derive(Clone, Default)]
pub struct Told {
    /// They are to end.
    pub ended: Arc<AtomicBool>,
    pub served: Arc<AtomicUsize>,
    pub failures: Arc<Mutex<Vec<String>>>,
}

impl Told {
    pub fn goes_on(&self) -> bool {
        !self.ended.load(Ordering::SeqCst)
    }

    pub fn failed(&self, why: impl Into<String>) {
        self.failures.lock().unwrap().push(why.into());
    }

    pub fn has_failed(&self) -> bool {
        !self.failures.lock().unwrap().is_empty()
    }
}

/// Users at work; they end with this.
pub struct Load {
    told: Told,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts a user with each of these.
    pub fn start<T: Send + 'static>(users: impl IntoIterator<Item = T>, ask: impl Fn(T, &Told) + Clone + Send + 'static) -> Self {
        let told = Told::default();
        let start = |user| {
            let (told, ask) = (told.clone(), ask.clone());
            thread::spawn(move || ask(user, &told))
        };
        let threads = users.into_iter().map(start).collect();
        Self { told, threads }
    }

    /// Waits until so many more requests were served, or one was not.
    #[track_caller]
    pub fn await_more(&self, count: usize) {
        let wanted = self.told.served.load(Ordering::SeqCst) + count;
        eventually("users are served", || {
            (self.told.served.load(Ordering::SeqCst) >= wanted || self.told.has_failed()).then_some(())
        });
    }

    /// What has gone wrong for them.
    pub fn end(mut self) -> Vec<String> {
        self.told.ended.store(true, Ordering::SeqCst);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
        self.told.failures.lock().unwrap().clone()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.told.ended.store(true, Ordering::SeqCst);
    }
}
