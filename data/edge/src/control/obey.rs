//! What `serve` says, and how it is done: load balancers come and go whole, their targets one by one. What changes of targets
//! leave to do is put off until all that has been said is read, so that a thousand of them are published once.

use std::collections::BTreeSet;
use std::iter;
use std::sync::Arc;

use tokio::sync::mpsc;
use world::{Effect, Frame, Observation, RegisteredTarget, SlotKind, Want};

use super::flows::OpenedDoors;
use super::link::LinkEvent;
use super::targets::Changed;
use super::{Control, EVENTS_MAX, Purge};
use crate::EdgeError;
use crate::clock::wall;
use crate::target::Target;

/// What the last changes of targets leave to do.
pub(super) struct Unsettled {
    /// The workers route by them already.
    pub(super) is_published: bool,
    answers: Vec<Observation>,
    pub(super) gone: Vec<Arc<Target>>,
}

impl Default for Unsettled {
    fn default() -> Self {
        Self { is_published: true, answers: Vec::new(), gone: Vec::new() }
    }
}

impl Control {
    /// Does all that `serve` has said so far, and then settles it; tells whether to end.
    pub(super) async fn hear_serve(
        &mut self,
        first: LinkEvent,
        more: &mut mpsc::Receiver<LinkEvent>,
    ) -> Result<Option<Purge>, EdgeError> {
        // What is taken out is heard: the rest waits for the next time.
        let said = iter::once(first).chain(iter::from_fn(|| more.try_recv().ok()));
        for event in said.take(EVENTS_MAX) {
            match event {
                LinkEvent::Connected(link) => {
                    self.settle().await?;
                    self.connected(link);
                }
                LinkEvent::Frame(number, frame) if self.link.as_ref().is_some_and(|l| l.number == number) => {
                    if let Some(purge) = self.obey(frame).await? {
                        return Ok(Some(purge));
                    }
                }
                LinkEvent::Frame(..) => {}
            }
        }
        self.settle().await?;
        Ok(None)
    }

    /// Does what `serve` says; tells whether to end.
    async fn obey(&mut self, frame: Frame) -> Result<Option<Purge>, EdgeError> {
        match frame {
            Frame::Effect(effect) => self.apply(effect).await?,
            Frame::Sync { slots } => {
                let of = |kind| slots.iter().filter(move |s| s.kind == kind).map(|s| s.id.as_str()).collect::<BTreeSet<_>>();
                let (balancers, targets) = (of(SlotKind::LoadBalancer), of(SlotKind::Target));
                for id in self.targets.strays(|id| targets.contains(id)) {
                    self.deregister(&id);
                }
                let stray: Vec<String> = self.balancers.keys().filter(|id| !balancers.contains(id.as_str())).cloned().collect();
                for id in stray {
                    self.remove(&id).await?;
                }
            }
            Frame::Report { every_ms } => self.traffic.periods.set(every_ms, wall()),
            Frame::Shutdown { purge } => {
                self.leave_nothing();
                return Ok(Some(if purge { Purge::Yes } else { Purge::No }));
            }
            Frame::Hello { .. } | Frame::Observation(_) => tracing::warn!("serve sent a frame that only executors send"),
        }
        Ok(None)
    }

    async fn apply(&mut self, effect: Effect) -> Result<(), EdgeError> {
        let Effect { slot, version, want } = effect;
        let known = match slot.kind {
            SlotKind::Target => self.targets.version(&slot.id),
            _ => self.balancers.get(&slot.id).map(|served| served.version),
        };
        let known = known.unwrap_or(0);
        if version < known {
            return Ok(());
        }
        let is_named = want.as_ref().is_none_or(|want| want.slot() == slot);
        let outcome = match want {
            _ if version == known && known > 0 => Ok(Vec::new()),
            None if slot.kind == SlotKind::Target => Ok(self.deregister(&slot.id)),
            None => self.remove(&slot.id).await.map(|()| Ok(Vec::new()))?,
            Some(Want::LoadBalancer(balancer)) if is_named => self.adopt(version, *balancer, false).await?,
            Some(Want::Target(told)) if is_named => self.register(version, told),
            Some(_) => Err("this slot does not hold what it names".to_string()),
        };
        let answers = &mut self.unsettled.answers;
        match outcome {
            Ok(observations) => {
                answers.push(Observation::Applied { slot, version });
                answers.extend(observations);
            }
            Err(reason) => {
                tracing::warn!(%slot, version, "refused: {reason}");
                answers.push(Observation::Refused { slot, version, reason });
            }
        }
        Ok(())
    }

    fn register(&mut self, version: u64, told: RegisteredTarget) -> Result<Vec<Observation>, String> {
        let balancer = self.balancers.get(told.load_balancer.as_str()).map(|served| &served.balancer);
        let Changed { reports, gone } = self.targets.register(version, told.clone(), balancer)?;
        if let Some(balancer) = balancer {
            self.targets.log_check(balancer, &told, &self.logs);
        }
        self.unsettled.gone.extend(gone);
        self.unsettled.is_published = false;
        Ok(reports)
    }

    fn deregister(&mut self, slot: &str) -> Vec<Observation> {
        self.unsettled.gone.extend(self.targets.deregister(slot));
        self.unsettled.is_published = false;
        Vec::new()
    }

    /// Puts the changes of targets in force, and only then says so.
    async fn settle(&mut self) -> Result<(), EdgeError> {
        if !self.unsettled.is_published {
            self.publish(OpenedDoors::default()).await?;
        }
        let Unsettled { answers, gone, .. } = std::mem::take(&mut self.unsettled);
        self.let_go(gone).await;
        answers.into_iter().for_each(|answer| self.report(answer));
        self.report_drained();
        Ok(())
    }
}
