//! Memory for the futures of exchanges, which a worker keeps and lends: one a request, taken from the allocator and given back
//! each time, would cost more than what it is for.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll};

/// What an exchange needs while it waits.
type Room = MaybeUninit<[u128; 64]>;
/// As many exchanges under way as buffers are kept for.
const KEPT_MAX: usize = 256;

/// The rooms that nobody has: boxes, held by their addresses because what lives in one may point into it.
#[derive(Debug, Default)]
pub struct Rooms(RefCell<Vec<NonNull<Room>>>);

impl Rooms {
    /// Puts what `make` makes into a room of its own.
    pub fn house<F: Future>(&self, make: impl FnOnce() -> F) -> Housed<'_, F> {
        const { assert!(size_of::<F>() <= size_of::<Room>() && align_of::<F>() <= align_of::<Room>()) };
        let kept = self.0.borrow_mut().pop();
        let future = kept.unwrap_or_else(|| NonNull::from(Box::leak(Box::new(Room::uninit())))).cast::<F>();
        // SAFETY: the room is large enough and aligned for it, as is asserted above, and nobody else has it.
        unsafe { future.write(make()) };
        Housed { future, rooms: self, of: PhantomData }
    }

    fn give_back(&self, room: NonNull<Room>) {
        let mut kept = self.0.borrow_mut();
        if kept.len() < KEPT_MAX { kept.push(room) } else { free(room) }
    }

    /// Gives the memory back to the machine.
    pub fn trim(&self) {
        self.0.take().into_iter().for_each(free);
    }
}

impl Drop for Rooms {
    fn drop(&mut self) {
        self.trim();
    }
}

fn free(room: NonNull<Room>) {
    // SAFETY: it was a box, and whoever had it has given it back.
    drop(unsafe { Box::from_raw(room.as_ptr()) });
}

/// A future that lives in a room, where it stays when this moves.
#[derive(Debug)]
pub struct Housed<'r, F> {
    /// It is there from the beginning to the end.
    future: NonNull<F>,
    rooms: &'r Rooms,
    of: PhantomData<F>,
}

impl<F: Future> Future for Housed<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: nobody else reaches it, and it stays where it is until this is dropped, which drops it there.
        unsafe { Pin::new_unchecked(self.future.as_mut()) }.poll(cx)
    }
}

/// It may move: what it holds does not move with it.
impl<F> Unpin for Housed<'_, F> {}

impl<F> Drop for Housed<'_, F> {
    fn drop(&mut self) {
        // SAFETY: it is there, and nobody uses it afterwards: the room goes back without it.
        unsafe { ptr::drop_in_place(self.future.as_ptr()) };
        self.rooms.give_back(self.future.cast());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::Cell;
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::rc::Rc;
    use std::task::Waker;

    use super::*;

    fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_it_holds_is_dropped_once_and_the_room_is_used_again() {
        let (rooms, held) = (Rooms::default(), Rc::new(Cell::new(0)));
        for _ in 0..3 {
            let mine = held.clone();
            let housed = rooms.house(|| async move {
                mine.set(mine.get() + 1);
                pending::<()>().await;
                drop(mine);
            });
            assert_eq!(Rc::strong_count(&held), 2);
            assert!(poll_once(housed).is_pending());
            assert_eq!((Rc::strong_count(&held), rooms.0.borrow().len()), (1, 1));
        }
        assert_eq!(held.get(), 3);
        rooms.trim();
        assert_eq!(rooms.0.borrow().len(), 0);
    }

    #[test]
    fn several_live_side_by_side() {
        let rooms = Rooms::default();
        let housed: Vec<_> = (0..KEPT_MAX + 3).map(|n| rooms.house(move || ready(n))).collect();
        for (n, housed) in housed.into_iter().enumerate() {
            assert_eq!(poll_once(housed), Poll::Ready(n));
        }
        assert_eq!(rooms.0.borrow().len(), KEPT_MAX);
    }
}
