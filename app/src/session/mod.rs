//! Sessions: what the application remembers about one browser. They live behind [`SessionStore`], so that a store that
//! all instances share can take the place of the memory of one.

mod cookie;
mod memory;

use std::future::Future;
use std::io;
use std::pin::Pin;

use rustix::rand::{GetRandomFlags, getrandom};
use serde::Serialize;

use crate::limits::{TASKS_MAX, TITLE_BYTES_MAX};

pub use cookie::{find as find_cookie, set as set_cookie};
pub use memory::MemoryStore;

/// Names a session: 32 hexadecimal digits that nobody can guess.
///
/// An id that the client shows is taken as it is, also when this instance has never seen it: another one may have
/// made it. A session guards nothing but its own tasks, so choosing an id gains nobody anything.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(String);

impl SessionId {
    pub fn generate() -> io::Result<Self> {
        let mut bytes = [0; 16];
        // So few come whole or not at all, and no descriptor has to be free for them.
        getrandom(&mut bytes, GetRandomFlags::empty())?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    pub fn parse(text: &str) -> Option<Self> {
        let is_ours = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_ours.then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a session holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Session {
    /// How often the page was seen.
    pub views: u64,
    /// Oldest first.
    pub tasks: Vec<Task>,
    #[serde(skip)]
    last_task: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Task {
    /// Unique in its session and never given again.
    pub id: u64,
    pub title: String,
    pub done: bool,
}

/// A task's title: one line, not blank, of at most [`TITLE_BYTES_MAX`] bytes.
pub struct Title(String);

impl Title {
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let title = text.trim();
        let fits = !title.is_empty() && title.len() <= TITLE_BYTES_MAX && !title.contains(char::is_control);
        if fits { Ok(Self(title.into())) } else { Err(StoreError::BadTitle) }
    }
}

/// What is to change of a task; nothing where it is none.
#[derive(Default)]
pub struct Change {
    pub title: Option<Title>,
    pub done: Option<bool>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum StoreError {
    BadTitle,
    NoTask(u64),
    TooManyTasks,
}

/// The answer of a store, which may lie across a network.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Keeps sessions. Each operation is whole or not at all, also beside others on the same session; one on an unknown
/// session finds it empty.
pub trait SessionStore: Send + Sync {
    /// The session as it is. Looking does not make one.
    fn read<'a>(&'a self, id: &'a SessionId) -> Pending<'a, Session>;
    /// Counts a view and gives the session with it.
    fn visit<'a>(&'a self, id: &'a SessionId) -> Pending<'a, Session>;
    fn add_task<'a>(&'a self, id: &'a SessionId, title: Title) -> Pending<'a, Task>;
    /// Gives the task as it is then.
    fn change_task<'a>(&'a self, id: &'a SessionId, task: u64, change: Change) -> Pending<'a, Task>;
    fn remove_task<'a>(&'a self, id: &'a SessionId, task: u64) -> Pending<'a, ()>;
    /// Ends the session and all it holds.
    fn forget<'a>(&'a self, id: &'a SessionId) -> Pending<'a, ()>;
}

impl Session {
    fn visit(&mut self) {
        self.views += 1;
    }

    fn add_task(&mut self, title: Title) -> Result<Task, StoreError> {
        if self.tasks.len() >= TASKS_MAX {
            return Err(StoreError::TooManyTasks);
        }
        self.last_task += 1;
        let task = Task { id: self.last_task, title: title.0, done: false };
        self.tasks.push(task.clone());
        Ok(task)
    }

    fn change_task(&mut self, id: u64, change: Change) -> Result<Task, StoreError> {
        let task = self.tasks.iter_mut().find(|t| t.id == id).ok_or(StoreError::NoTask(id))?;
        if let Some(title) = change.title {
            task.title = title.0;
        }
        task.done = change.done.unwrap_or(task.done);
        Ok(task.clone())
    }

    fn remove_task(&mut self, id: u64) -> Result<(), StoreError> {
        let at = self.tasks.iter().position(|t| t.id == id).ok_or(StoreError::NoTask(id))?;
        self.tasks.remove(at);
        Ok(())
    }
}
