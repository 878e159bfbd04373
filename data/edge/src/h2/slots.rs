//! The exchanges of one connection, side by side within its task: only those that were woken run, and what they leave to be sent
//! goes out in one piece. It knows nothing of HTTP.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Futures at a time; their flags fill two words.
pub const SLOTS_MAX: usize = 128;
const WORD: usize = 64;

/// Futures that wake one by one.
pub struct Slots<F> {
    slots: Vec<Slot<F>>,
    /// Numbers of slots that are free.
    free: Vec<usize>,
    signals: Arc<Signals>,
}

struct Slot<F> {
    /// Its place stays for the next one.
    work: Pin<Box<Option<F>>>,
    waker: Waker,
}

/// Who was woken, and whose task that is.
#[derive(Debug, Default)]
struct Signals {
    woken: [AtomicU64; SLOTS_MAX / WORD],
    task: Mutex<Option<Waker>>,
}

struct Signal {
    number: usize,
    signals: Arc<Signals>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let bit = 1 << (self.number % WORD);
        if self.signals.woken[self.number / WORD].fetch_or(bit, Ordering::AcqRel) & bit == 0 {
            let task = self.signals.task.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(task) = &*task {
                task.wake_by_ref();
            }
        }
    }
}

impl<F> Default for Slots<F> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), signals: Arc::default() }
    }
}

impl<F: Future<Output = ()>> Slots<F> {
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn is_full(&self) -> bool {
        self.len() == SLOTS_MAX
    }

    /// Begins what `make` gives for the number of its slot; it first runs when [`Slots::run`] is called next.
    pub fn begin(&mut self, make: impl FnOnce(usize) -> F) {
        assert!(!self.is_full(), "a future more than there are slots");
        let number = self.free.pop().unwrap_or_else(|| {
            let number = self.slots.len();
            let waker = Arc::new(Signal { number, signals: self.signals.clone() }).into();
            self.slots.push(Slot { work: Box::pin(None), waker });
            number
        });
        self.slots[number].work.set(Some(make(number)));
        self.mark(number);
    }

    /// Has this one run again.
    pub fn mark(&self, number: usize) {
        self.signals.woken[number / WORD].fetch_or(1 << (number % WORD), Ordering::AcqRel);
    }

    /// Whether one was woken that has not run since.
    pub fn has_woken(&self) -> bool {
        self.signals.woken.iter().any(|word| word.load(Ordering::Acquire) != 0)
    }

    /// Runs all that were woken; the task of `cx` is told of those that will be.
    pub fn run(&mut self, cx: &Context<'_>) {
        {
            let mut task = self.signals.task.lock().unwrap_or_else(PoisonError::into_inner);
            if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
                *task = Some(cx.waker().clone());
            }
        }
        for word in 0..self.signals.woken.len() {
            let mut woken = self.signals.woken[word].swap(0, Ordering::AcqRel);
            while woken != 0 {
                let number = word * WORD + woken.trailing_zeros() as usize;
                woken &= woken - 1;
                self.run_one(number);
            }
        }
    }

    fn run_one(&mut self, number: usize) {
        let Some(slot) = self.slots.get_mut(number) else { return };
        let Some(work) = slot.work.as_mut().as_pin_mut() else { return };
        if work.poll(&mut Context::from_waker(&slot.waker)) == Poll::Ready(()) {
            slot.work.set(None);
            self.free.push(number);
        }
    }

    /// Ends all of them where they are.
    pub fn clear(&mut self) {
        (self.slots, self.free) = (Vec::new(), Vec::new());
    }

    /// Gives the memory of free slots back.
    pub fn trim(&mut self) {
        if self.is_empty() {
            self.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::{Cell, RefCell};
    use std::future::poll_fn;
    use std::rc::Rc;
    use std::task::{Context, Poll, Waker};

    use super::{SLOTS_MAX, Slots};

    #[test]
    fn only_those_that_were_woken_run() {
        let (runs, wakers) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(Vec::new())));
        let mut slots = Slots::default();
        for _ in 0..SLOTS_MAX {
            let (runs, wakers, mut first) = (runs.clone(), wakers.clone(), true);
            slots.begin(|_| {
                poll_fn(move |cx| {
                    runs.set(runs.get() + 1);
                    wakers.borrow_mut().push(cx.waker().clone());
                    if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }
                })
            });
        }
        assert!(slots.is_full());
        let cx = Context::from_waker(Waker::noop());
        slots.run(&cx);
        assert_eq!((runs.get(), slots.len(), slots.has_woken()), (SLOTS_MAX, SLOTS_MAX, false));
        let woken: Vec<Waker> = [3, 70, 127].map(|n: usize| wakers.borrow()[n].clone()).into();
        woken.iter().for_each(Waker::wake_by_ref);
        woken[0].wake_by_ref();
        slots.run(&cx);
        assert_eq!((runs.get(), slots.len()), (SLOTS_MAX + 3, SLOTS_MAX - 3));
        woken[1].wake_by_ref();
        slots.run(&cx);
        assert_eq!(runs.get(), SLOTS_MAX + 3, "one that has ended does not run again");
    }
}
