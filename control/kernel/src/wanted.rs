use serde::{Deserialize, Serialize};
use world::{Effect, Slot, Want};

use crate::row::Row;

/// The outbox: the newest wish for each slot of the world, and whether the world has answered it. Unanswered wishes
/// are sent again after a crash; answered ones are kept so that an executor that lost everything can be told anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    pub slot: Slot,
    pub version: u64,
    pub want: Option<Want>,
    /// The executor has reported this version as applied.
    pub applied: bool,
    /// The executor has given up on this version, for this reason.
    #[serde(default)]
    pub refused: Option<String>,
}

impl Wanted {
    pub fn effect(&self) -> Effect {
        Effect { slot: self.slot.clone(), version: self.version, want: self.want.clone() }
    }
}

impl Row for Wanted {
    const TABLE: &'static str = "kernel.wanted";
    type Key = Slot;
    fn key(&self) -> Slot {
        self.slot.clone()
    }
}

/// The last number drawn by `Tx::next_sequence`. There is one row, with key 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sequence {
    pub(crate) last: u64,
}

impl Row for Sequence {
    const TABLE: &'static str = "kernel.sequence";
    type Key = u8;
    fn key(&self) -> u8 {
        0
    }
}
