#![allow(clippy::unwrap_used)]
use ::h2::Reason;

use super::{OUT_BYTES_MAX, PAYLOAD_BYTES_MAX, Piece, Streams};

fn begun(many: u32) -> Streams {
    let mut streams = Streams::default();
    (0..many).for_each(|number| streams.begin(number as usize, 1 + 2 * number, false, None));
    streams
}

#[test]
fn bodies_in_tiny_pieces_are_put_together() {
    let mut streams = begun(1);
    for _ in 0..100_000 {
        streams.receive_any(1).unwrap();
        streams.receive(0, b"x", 1, false).unwrap();
    }
    let mut pieces = Vec::new();
    while let Piece::Data(piece) = streams.take(0) {
        pieces.push(piece.len());
    }
    assert_eq!((pieces.iter().sum::<usize>(), pieces.len()), (100_000, 100_000_usize.div_ceil(PAYLOAD_BYTES_MAX)));
}

#[test]
fn streams_that_wait_have_their_turns() {
    let mut streams = begun(10);
    streams.widen_connection(10_000_000).unwrap();
    streams.set_first_window(1_000_000).unwrap();
    let (much, mut sent) = (vec![0; 100_000], [0_usize; 10]);
    for _ in 0..20 {
        let mut granted: Vec<usize> = if sent[0] == 0 { (0..10).collect() } else { Vec::new() };
        streams.grant(|slot| granted.push(slot));
        granted.sort_unstable();
        for slot in granted {
            while let bytes @ 1.. = streams.send(slot, &much, false).unwrap() {
                sent[slot] += bytes;
            }
        }
        assert!(streams.out.len() < OUT_BYTES_MAX + 2 * PAYLOAD_BYTES_MAX, "{}", streams.out.len());
        streams.out.clear();
    }
    // The first one had all the room as long as it was alone.
    let (least, most) = (sent[1..].iter().min().unwrap(), sent[1..].iter().max().unwrap());
    assert!(*least > 0 && most - least <= PAYLOAD_BYTES_MAX, "{sent:?}");
}

#[test]
fn a_window_that_shrinks_below_what_was_sent_holds_until_it_is_made_up() {
    let mut streams = begun(1);
    assert_eq!(streams.send(0, &[0; 10_000], false).unwrap(), 10_000);
    streams.set_first_window(4_000).unwrap();
    streams.widen(0, 6_000).unwrap();
    assert_eq!(streams.send(0, &[0; 10], false).unwrap(), 0);
    assert!(!streams.grant(|_| {}));
    streams.widen(0, 5).unwrap();
    assert!(streams.grant(|slot| assert_eq!(slot, 0)));
    assert_eq!(streams.send(0, &[0; 10], false).unwrap(), 5);
}

#[test]
fn what_nobody_takes_leaves_its_room() {
    let mut streams = begun(3);
    for round in 0..100 {
        for slot in 0..3 {
            streams.receive_any(10_000).unwrap();
            streams.receive(slot, &[0; 9_000], 10_000, false).unwrap();
            streams.reset(slot, Reason::CANCEL);
            streams.end(slot);
            streams.begin(slot, 7 + 6 * round + 2 * u32::try_from(slot).unwrap(), false, None);
        }
    }
}

#[test]
fn a_reset_behind_a_whole_answer_breaks_nothing_off() {
    let mut streams = begun(2);
    streams.send_headers(0, true, |_| {}).unwrap();
    (0..2).for_each(|slot| streams.forget(slot));
    assert_eq!((streams.is_reset(0), streams.is_reset(1)), (false, true));
    assert!(streams.send_end(0).is_err());
    assert!(matches!(streams.take(0), Piece::Broken));
}
