//! The connection to the control plane: takes orders one by one and answers each. Orders that wait are in the socket, whose
//! buffers are bounded.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;

use world::{Effect, Frame, FrameReader, Observation, Want};

use crate::Authority;

pub(crate) fn open(authority: Authority, stream: UnixStream) -> io::Result<()> {
    let started = thread::Builder::new().name("authority".into()).spawn(move || {
        if let Err(e) = serve(&authority, stream) {
            tracing::info!(%e, "the authority's connection ended");
        }
    });
    started.map(|_| ())
}

fn serve(authority: &Authority, mut stream: UnixStream) -> io::Result<()> {
    // It keeps nothing: whatever is wanted is told anew.
    tell(&mut stream, &Frame::Hello { version: env!("CARGO_PKG_VERSION").into(), applied: Vec::new() })?;
    let (mut reader, mut buffer) = (FrameReader::default(), vec![0; 16 * 1024]);
    loop {
        let n = match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            n => n?,
        };
        reader.push(&buffer[..n]);
        while let Some(frame) = reader.next_frame().map_err(io::Error::other)? {
            match frame {
                Frame::Effect(effect) => {
                    for observation in carry_out(authority, effect) {
                        tell(&mut stream, &Frame::Observation(observation))?;
                    }
                }
                Frame::Shutdown { .. } => return Ok(()),
                // It has no slots that outlive their answer, and nothing to report.
                Frame::Sync { .. } | Frame::Report { .. } | Frame::Hello { .. } | Frame::Observation(_) => {}
            }
        }
    }
}

fn tell(stream: &mut UnixStream, frame: &Frame) -> io::Result<()> {
    stream.write_all(&frame.encode().map_err(io::Error::other)?)
}

/// Issues what is asked for. An order that comes twice is carried out twice: the control plane takes the first answer.
fn carry_out(authority: &Authority, effect: Effect) -> Vec<Observation> {
    let Effect { slot, version, want } = effect;
    let refused = |slot, reason| vec![Observation::Refused { slot, version, reason }];
    let order = match want {
        None => return vec![Observation::Applied { slot, version }],
        Some(Want::Certificate(order)) if order.id == slot.id => order,
        Some(_) => return refused(slot, "an authority issues certificates only".into()),
    };
    match authority.issue(&order) {
        Ok(issued) => {
            let (certificate, generation) = (order.id, order.generation);
            let issued = Observation::Issued { certificate, generation, issued: Box::new(issued) };
            vec![issued, Observation::Applied { slot, version }]
        }
        Err(e) => {
            tracing::error!(certificate = order.id, %e, "a certificate was not issued");
            refused(slot, e.to_string())
        }
    }
}
