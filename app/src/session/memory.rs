//! Sessions in the memory of this one instance: other instances do not see them, and they end with it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::limits::{SESSION_IDLE_MAX, SESSIONS_MAX};
use crate::session::{Change, Pending, Session, SessionId, SessionStore, StoreError, Task, Title};

#[derive(Default)]
pub struct MemoryStore(Mutex<Sessions>);

#[derive(Default)]
struct Sessions {
    all: HashMap<SessionId, Entry>,
    /// The sessions by their last use, oldest first. The number is the entry's `used`.
    by_use: BTreeMap<u64, SessionId>,
    /// Counts uses.
    clock: u64,
}

struct Entry {
    session: Session,
    used: u64,
    used_at: Instant,
}

impl Sessions {
    /// The session, made if need be, as the one that was used last.
    fn touch(&mut self, id: &SessionId, now: Instant) -> &mut Session {
        self.expire(now);
        if !self.all.contains_key(id) && self.all.len() >= SESSIONS_MAX {
            self.drop_oldest();
        }
        self.clock += 1;
        let used = self.clock;
        let entry = self.all.entry(id.clone()).or_insert(Entry { session: Session::default(), used, used_at: now });
        self.by_use.remove(&entry.used);
        self.by_use.insert(used, id.clone());
        (entry.used, entry.used_at) = (used, now);
        &mut entry.session
    }

    /// The session if there is one, as the one that was used last.
    fn find(&mut self, id: &SessionId, now: Instant) -> Option<&mut Session> {
        self.expire(now);
        self.all.contains_key(id).then(|| self.touch(id, now))
    }

    fn remove(&mut self, id: &SessionId) {
        if let Some(entry) = self.all.remove(id) {
            self.by_use.remove(&entry.used);
        }
    }

    fn expire(&mut self, now: Instant) {
        let is_idle = |entry: &Entry| now.saturating_duration_since(entry.used_at) > SESSION_IDLE_MAX;
        while self.by_use.first_key_value().and_then(|(_, id)| self.all.get(id)).is_some_and(is_idle) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, id)) = self.by_use.pop_first() {
            self.all.remove(&id);
        }
    }
}

impl MemoryStore {
    /// No operation can panic halfway, so a poisoned lock guards whole sessions all the same.
    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T: Send + 'static>(
        &self,
        id: &SessionId,
        change: impl FnOnce(&mut Session) -> Result<T, StoreError>,
    ) -> Pending<'static, T> {
        let outcome = change(self.sessions().touch(id, Instant::now()));
        Box::pin(std::future::ready(outcome))
    }

    /// For operations on a task, which an unknown session does not have.
    fn with_task<T: Send + 'static>(
        &self,
        id: &SessionId,
        task: u64,
        change: impl FnOnce(&mut Session) -> Result<T, StoreError>,
    ) -> Pending<'static, T> {
        let outcome = self.sessions().find(id, Instant::now()).map_or(Err(StoreError::NoTask(task)), change);
        Box::pin(std::future::ready(outcome))
    }
}

impl SessionStore for MemoryStore {
    fn read<'a>(&'a self, id: &'a SessionId) -> Pending<'a, Session> {
        let session = self.sessions().find(id, Instant::now()).cloned().unwrap_or_default();
        Box::pin(std::future::ready(Ok(session)))
    }

    fn visit<'a>(&'a self, id: &'a SessionId) -> Pending<'a, Session> {
        self.with(id, |session| {
            session.visit();
            Ok(session.clone())
        })
    }

    fn add_task<'a>(&'a self, id: &'a SessionId, title: Title) -> Pending<'a, Task> {
        self.with(id, |session| session.add_task(title))
    }

    fn change_task<'a>(&'a self, id: &'a SessionId, task: u64, change: Change) -> Pending<'a, Task> {
        self.with_task(id, task, |session| session.change_task(task, change))
    }

    fn remove_task<'a>(&'a self, id: &'a SessionId, task: u64) -> Pending<'a, ()> {
        self.with_task(id, task, |session| session.remove_task(task))
    }

    fn forget<'a>(&'a self, id: &'a SessionId) -> Pending<'a, ()> {
        self.sessions().remove(id);
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::{Duration, Instant};

    use super::Sessions;
    use crate::limits::{SESSION_IDLE_MAX, SESSIONS_MAX, TASKS_MAX, TITLE_BYTES_MAX};
    use crate::session::{Change, Session, SessionId, StoreError, Title};

    fn id(number: usize) -> SessionId {
        SessionId::parse(&format!("{number:032x}")).unwrap()
    }

    #[test]
    fn the_one_unused_for_longest_makes_place() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        for number in 0..SESSIONS_MAX {
            sessions.touch(&id(number), now).visit();
        }
        sessions.touch(&id(0), now).visit();
        sessions.touch(&id(SESSIONS_MAX), now).visit();
        assert_eq!((sessions.all.len(), sessions.by_use.len()), (SESSIONS_MAX, SESSIONS_MAX));
        assert_eq!(sessions.find(&id(0), now).unwrap().views, 2, "it was used again");
        assert!(sessions.find(&id(1), now).is_none(), "it was the oldest");
        sessions.remove(&id(2));
        assert_eq!((sessions.all.len(), sessions.by_use.len()), (SESSIONS_MAX - 1, SESSIONS_MAX - 1));
    }

    #[test]
    fn an_idle_session_is_forgotten() {
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        sessions.touch(&id(1), start).visit();
        sessions.touch(&id(2), start + Duration::from_secs(1)).visit();
        let later = start + SESSION_IDLE_MAX + Duration::from_millis(500);
        assert!(sessions.find(&id(1), later).is_none());
        assert!(sessions.find(&id(2), later).is_some());
        assert_eq!((sessions.all.len(), sessions.by_use.len()), (1, 1));
    }

    #[test]
    fn tasks_are_bounded_and_their_ids_never_come_again() {
        let title = || Title::parse(" milk ").unwrap();
        let mut session = Session::default();
        assert_eq!(session.add_task(title()).unwrap().title, "milk");
        session.remove_task(1).unwrap();
        assert_eq!(session.add_task(title()).unwrap().id, 2);
        assert_eq!(session.remove_task(1), Err(StoreError::NoTask(1)));
        assert!(session.change_task(2, Change { done: Some(true), title: None }).unwrap().done);
        assert!(session.change_task(2, Change { title: Some(title()), done: None }).unwrap().done, "what is not named stays");
        while session.tasks.len() < TASKS_MAX {
            session.add_task(title()).unwrap();
        }
        assert_eq!(session.add_task(title()), Err(StoreError::TooManyTasks));
        for bad in ["", "  ", "a\nb", "\0", &"é".repeat(TITLE_BYTES_MAX / 2 + 1)] {
            assert!(Title::parse(bad).is_err(), "{bad:?}");
        }
    }
}
