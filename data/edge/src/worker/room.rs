//! Memory for the futures of exchanges, which a worker keeps and lends: one a request, taken from the allocator and given back
//! each time, would cost more than what it is for.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll};

/// What an exchange needs while it waits.
type Room = [u128; 64];
/// As many exchanges under way as buffers are kept for.
const KEPT_MAX: usize = 256;

/// The rooms that nobody has.
#[expect(clippy::vec_box, reason = "each is lent as it lies")]
#[derive(Debug, Default)]
pub struct Rooms(RefCell<Vec<Box<MaybeUninit<Room>>>>);

impl Rooms {
    /// Puts what `make` makes into a room of its own.
    pub fn house<F: Future>(&self, make: impl FnOnce() -> F) -> Housed<'_, F> {
        const { assert!(size_of::<F>() <= size_of::<Room>() && align_of::<F>() <= align_of::<Room>()) };
        let mut room = self.0.borrow_mut().pop().unwrap_or_else(Box::new_uninit);
        // SAFETY: the room is large enough and aligned for it, as is asserted above, and nobody else has it.
        unsafe { room.as_mut_ptr().cast::<F>().write(make()) };
        Housed { room: Some(room), rooms: self, of: PhantomData }
    }

    /// Gives the memory back to the machine.
    pub fn trim(&self) {
        self.0.take();
    }
}

/// A future that lives in a room, where it stays when this moves.
#[derive(Debug)]
pub struct Housed<'r, F> {
    /// Holds an `F` from the beginning to the end.
    room: Option<Box<MaybeUninit<Room>>>,
    rooms: &'r Rooms,
    of: PhantomData<F>,
}

impl<F> Housed<'_, F> {
    fn future(&mut self) -> Option<*mut F> {
        self.room.as_mut().map(|room| room.as_mut_ptr().cast())
    }
}

impl<F: Future> Future for Housed<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(future) = self.get_mut().future() else { return Poll::Pending };
        // SAFETY: it is there until this is dropped, which drops it where it is.
        unsafe { Pin::new_unchecked(&mut *future) }.poll(cx)
    }
}

/// It may move: what it holds does not move with it.
impl<F> Unpin for Housed<'_, F> {}

impl<F> Drop for Housed<'_, F> {
    fn drop(&mut self) {
        if let Some(future) = self.future() {
            // SAFETY: it is there, and nobody uses it afterwards: the room goes back without it.
            unsafe { ptr::drop_in_place(future) };
        }
        let mut kept = self.rooms.0.borrow_mut();
        if kept.len() < KEPT_MAX {
            kept.extend(self.room.take());
        }
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
