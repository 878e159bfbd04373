//! The control plane dies after each single commit of a stack's life, or its journal fails there, and goes on.

use std::time::Duration;

use region::cloudformation::StackStatus as S;
use rehearsal::web_tier::{self, STACK, TEMPLATE};
use rehearsal::{Rehearsal, checks};

use crate::life::Life;

const LIMIT: Duration = Duration::from_secs(600);
/// A stack's creation or deletion takes far fewer commits than this.
const COMMITS_MAX: u64 = 2_000;

/// Creates the stack, waits for its end, and for its instances to serve.
fn create(life: &mut Life, parameters: &[(&str, &str)]) {
    web_tier::create(&mut life.region, STACK, TEMPLATE, parameters).unwrap();
    web_tier::settle(&mut life.region, STACK, LIMIT);
}

fn expect(life: &mut Life, status: S) {
    if life.status() != Some(status) {
        let told = web_tier::failures(&mut life.region, STACK).join("\n");
        life.region.breach(format!("expected {}, the stack is {:?}:\n{told}", status.name(), life.status()));
    }
}

fn serves(life: &mut Life) {
    life.region.run_for(Duration::from_secs(60));
    if let Err(broken) = checks::at_rest(life.region.state(), life.region.model()) {
        life.region.breach(broken);
    }
}

/// Runs `act` with a disturbance at each of the commits it makes, until it makes none that late; then `check`.
fn at_every_commit(disturb: fn(&mut Rehearsal, u64), prepare: fn(&mut Life), act: fn(&mut Life), check: fn(&mut Life)) {
    for nth in 1..COMMITS_MAX {
        let mut life = Life::new(11);
        prepare(&mut life);
        life.region.reconciled_max = 1;
        let at = life.region.commits + nth;
        disturb(&mut life.region, at);
        act(&mut life);
        let reached = life.region.commits >= at;
        life.region.fail_at = None;
        check(&mut life);
        if !reached {
            assert!(nth > 4, "only {nth} commits: too few to have tested anything");
            return;
        }
    }
    panic!("more than {COMMITS_MAX} commits");
}

fn crash(region: &mut Rehearsal, at: u64) {
    region.crash_at = Some(at);
}

fn fail_journal(region: &mut Rehearsal, at: u64) {
    region.fail_at = Some(at);
}

fn nothing(_: &mut Life) {}

fn created(life: &mut Life) {
    expect(life, S::CreateComplete);
    serves(life);
}

fn delete(life: &mut Life) {
    web_tier::delete(&mut life.region, STACK).unwrap();
    web_tier::settle(&mut life.region, STACK, LIMIT);
}

fn deleted(life: &mut Life) {
    expect(life, S::DeleteComplete);
    life.end();
}

/// Every boot fails, so that the group fails and all is rolled back.
fn create_in_vain(life: &mut Life) {
    life.region.faults.broken_boot = 1_000;
    create(life, &[]);
}

fn rolled_back(life: &mut Life) {
    expect(life, S::RollbackComplete);
    life.region.faults.broken_boot = 0;
    life.end();
}

/// Another port replaces the target group; the instance type gives the launch template a new version.
fn update(life: &mut Life) {
    let template = TEMPLATE.replace("Port: 8080", "Port: 8081");
    web_tier::update(&mut life.region, STACK, &template, &[("InstanceType", "t3.small")]).unwrap();
    web_tier::settle(&mut life.region, STACK, LIMIT);
}

fn updated(life: &mut Life) {
    expect(life, S::UpdateComplete);
    serves(life);
    life.end();
}

/// Another block of addresses would replace the VPC; its internet gateway cannot be attached twice, here as at AWS,
/// so all is rolled back.
fn update_in_vain(life: &mut Life) {
    web_tier::update(&mut life.region, STACK, TEMPLATE, &[("VpcCidr", "10.9.0.0/16")]).unwrap();
    web_tier::settle(&mut life.region, STACK, LIMIT);
}

fn as_before(life: &mut Life) {
    expect(life, S::UpdateRollbackComplete);
    serves(life);
    life.end();
}

#[test]
fn creation_survives_a_crash_at_every_commit() {
    at_every_commit(crash, nothing, |life| create(life, &[]), created);
}

#[test]
fn deletion_survives_a_crash_at_every_commit() {
    at_every_commit(crash, |life| create(life, &[]), delete, deleted);
}

#[test]
fn rollback_survives_a_crash_at_every_commit() {
    at_every_commit(crash, nothing, create_in_vain, rolled_back);
}

#[test]
fn an_update_that_replaces_survives_a_crash_at_every_commit() {
    at_every_commit(crash, |life| create(life, &[]), update, updated);
}

#[test]
fn the_rollback_of_an_update_survives_a_crash_at_every_commit() {
    at_every_commit(crash, |life| create(life, &[]), update_in_vain, as_before);
}

/// Asks again where the journal could not be written, as clients do: the request itself is the first commit.
fn until_taken(life: &mut Life, mut ask: impl FnMut(&mut Rehearsal) -> Result<(), base::Fault>) {
    if let Err(fault) = ask(&mut life.region) {
        assert_eq!(fault.http, 503, "{fault}");
        ask(&mut life.region).unwrap();
    }
    web_tier::settle(&mut life.region, STACK, LIMIT);
}

#[test]
fn creation_survives_a_full_disk_at_every_commit() {
    let create = |life: &mut Life| until_taken(life, |r| web_tier::create(r, STACK, TEMPLATE, &[]));
    at_every_commit(fail_journal, nothing, create, created);
}

#[test]
fn deletion_survives_a_full_disk_at_every_commit() {
    let delete = |life: &mut Life| until_taken(life, |r| web_tier::delete(r, STACK));
    at_every_commit(fail_journal, |life| create(life, &[]), delete, deleted);
}

#[test]
fn an_update_that_replaces_survives_a_full_disk_at_every_commit() {
    let update = |life: &mut Life| {
        let template = TEMPLATE.replace("Port: 8080", "Port: 8081");
        until_taken(life, |r| web_tier::update(r, STACK, &template, &[("InstanceType", "t3.small")]));
    };
    at_every_commit(fail_journal, |life| create(life, &[]), update, updated);
}

#[test]
fn rollbacks_survive_a_full_disk_at_every_commit() {
    let in_vain = |life: &mut Life| {
        life.region.faults.broken_boot = 1_000;
        until_taken(life, |r| web_tier::create(r, STACK, TEMPLATE, &[]));
    };
    at_every_commit(fail_journal, nothing, in_vain, rolled_back);
    let update = |life: &mut Life| until_taken(life, |r| web_tier::update(r, STACK, TEMPLATE, &[("VpcCidr", "10.9.0.0/16")]));
    at_every_commit(fail_journal, |life| create(life, &[]), update, as_before);
}
