use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::{Connection, Result, fail};

/// Clients that each keep a connection and send the next request when the answer to the last has come.
#[derive(Clone, Copy)]
pub struct Load {
    pub address: SocketAddr,
    pub clients: usize,
    /// Measured periods, after one that is not measured.
    pub rounds: usize,
    pub round: Duration,
}

/// Answers per second, one sample a round. `request` makes the next request of a client (by its number, and how many
/// it has sent before); every answer must be 200, else the measurement fails.
pub fn rate<R>(load: Load, request: R) -> Result<Vec<f64>>
where
    R: Fn(usize, u64) -> Result<Vec<u8>> + Sync,
{
    let begin = Instant::now() + load.round;
    let end = begin + load.round * u32::try_from(load.rounds)?;
    let counts = thread::scope(|scope| {
        let clients: Vec<_> = (0..load.clients)
            .map(|client| {
                scope.spawn({
                    let request = &request;
                    move || one_client(load, client, (begin, end), request)
                })
            })
            .collect();
        clients.into_iter().map(|c| c.join().unwrap_or_else(|_| fail("a client panicked"))).collect::<Result<Vec<_>>>()
    })?;
    let seconds = load.round.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts of some seconds")]
    let rates = (0..load.rounds).map(|round| counts.iter().map(|c| c[round]).sum::<u64>() as f64 / seconds);
    Ok(rates.collect())
}

fn one_client<R>(load: Load, client: usize, (begin, end): (Instant, Instant), request: &R) -> Result<Vec<u64>>
where
    R: Fn(usize, u64) -> Result<Vec<u8>>,
{
    let mut counts = vec![0; load.rounds];
    let mut connection = Connection::open(load.address)?;
    let mut sent = 0;
    while Instant::now() < end {
        let answer = connection.send(&request(client, sent)?)?;
        sent += 1;
        if answer.status != 200 {
            return fail(format!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body)));
        }
        let Some(since) = Instant::now().checked_duration_since(begin) else { continue };
        let round = usize::try_from(since.as_nanos() / load.round.as_nanos())?;
        if let Some(count) = counts.get_mut(round) {
            *count += 1;
        }
    }
    Ok(counts)
}
