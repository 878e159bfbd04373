#![allow(clippy::unwrap_used)]

use proptest::prelude::{any, prop, proptest};

use super::{Broken, Decoder, Fields, field, status};

const MANY: usize = 1 << 16;

fn text(fields: &Fields) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    fields.iter().map(|(name, value)| (text(name), text(value))).collect()
}

fn decode(decoder: &mut Decoder, block: &[u8]) -> Vec<(String, String)> {
    let mut fields = Fields::default();
    decoder.decode(block, &mut fields, MANY).unwrap();
    text(&fields)
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|b| *b != b' ').collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// RFC 7541, C.4: three requests, one after the other, with Huffman's code and a table that grows.
#[test]
fn the_standards_requests_are_read() {
    let mut decoder = Decoder::default();
    let first = decode(&mut decoder, &bytes("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"));
    let pairs = |more: &[(&str, &str)]| -> Vec<(String, String)> {
        more.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect()
    };
    let begin = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];
    assert_eq!(first, pairs(&begin));
    let second = decode(&mut decoder, &bytes("8286 84be 5886 a8eb 1064 9cbf"));
    assert_eq!(second, pairs(&[&begin[..], &[("cache-control", "no-cache")]].concat()));
    let third = decode(&mut decoder, &bytes("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"));
    let wanted = [(":method", "GET"), (":scheme", "https"), (":path", "/index.html"), begin[3], ("custom-key", "custom-value")];
    assert_eq!(third, pairs(&wanted));
}

/// RFC 7541, C.6: answers, whose entries push each other out of a table of 256 bytes.
#[test]
fn the_standards_answers_are_read() {
    let mut decoder = Decoder::default();
    let first = "3fe1 01 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad \
                 1718 63c7 8f0b 97c8 e9ae 82ae 43d3";
    let first = decode(&mut decoder, &bytes(first));
    assert_eq!(first[0], (":status".into(), "302".into()));
    assert_eq!(first[3], ("location".into(), "https://www.example.com".into()));
    let second = decode(&mut decoder, &bytes("4883 640e ffc1 c0bf"));
    assert_eq!(second[0], (":status".into(), "307".into()));
    assert_eq!(second[1..], first[1..]);
    let third = "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 \
                 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07";
    let third = decode(&mut decoder, &bytes(third));
    assert_eq!(third[4], ("content-encoding".into(), "gzip".into()));
    assert_eq!(third[5].1, "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1");
}

#[test]
fn what_breaks_the_rules_is_refused() {
    let broken = [
        ("an index that is not there", "ff7f"),
        ("the index 0", "80"),
        ("half an integer", "ff"),
        ("an integer without end", "ffffffffffff7f"),
        ("half a name", "0005 6161"),
        ("no value", "0001 61"),
        ("a table larger than was agreed on", "3fe2 1f"),
        ("a size behind a field", "8220"),
        ("padding of more than seven bits", "0001 6182 ffff"),
    ];
    for (what, block) in broken {
        assert_eq!(Decoder::default().decode(&bytes(block), &mut Fields::default(), MANY), Err(Broken), "{what}");
    }
    assert_eq!(decode(&mut Decoder::default(), &bytes("3fe1 1f20 82")).len(), 1, "4,096 bytes, none, and a field");
}

#[test]
fn fields_beyond_the_limit_are_left_out_and_remembered() {
    let mut decoder = Decoder::default();
    let mut fields = Fields::default();
    let block = [&[0x40, 1, b'a', 4][..], b"once", &[0x40, 1, b'b', 5], b"twice", &[0xbf]].concat();
    decoder.decode(&block, &mut fields, 80).unwrap();
    assert!(fields.is_over());
    assert_eq!(text(&fields), [("a".into(), "once".into()), ("b".into(), "twice".into())]);
    assert_eq!(decode(&mut decoder, &[0xbe, 0xbf])[0], ("b".into(), "twice".into()));
}

/// Each byte may stand for an entry that fills the table.
#[test]
fn who_names_a_large_entry_again_and_again_is_not_read_to_the_end() {
    let mut decoder = Decoder::default();
    let begin = [&[0x40, 1, b'a', 0x7f, 0x80, 0x1e][..], &[b'x'; 3_967]].concat();
    assert_eq!(decode(&mut decoder, &begin)[0].1.len(), 3_967);
    let mut fields = Fields::default();
    assert_eq!(decoder.decode(&[0xbe; 100], &mut fields, 4_096), Err(Broken));
    assert_eq!(decoder.decode(&[0xbe; 4], &mut Fields::default(), 4_096), Ok(()));
}

#[test]
fn a_table_of_no_bytes_remembers_nothing() {
    let mut decoder = Decoder::default();
    assert_eq!(decode(&mut decoder, &[0x20, 0x40, 1, b'a', 1, b'b']).len(), 1);
    assert_eq!(decoder.decode(&[0xbe], &mut Fields::default(), MANY), Err(Broken));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        code in 100_u16..1000,
        many in prop::collection::vec(("[a-zA-Z0-9-]{1,40}", prop::collection::vec(any::<u8>(), 0..300)), 0..20),
    ) {
        let mut block = Vec::new();
        status(&mut block, code);
        many.iter().for_each(|(name, value)| field(&mut block, name.as_bytes(), value));
        field(&mut block, b"Content-Type", b"text/plain");
        let (mut decoder, mut fields) = (Decoder::default(), Fields::default());
        decoder.decode(&block, &mut fields, MANY).unwrap();
        let mut read = fields.iter();
        assert_eq!(read.next().unwrap(), (&b":status"[..], code.to_string().as_bytes()));
        for (name, value) in &many {
            assert_eq!(read.next().unwrap(), (name.to_ascii_lowercase().as_bytes(), value.as_slice()));
        }
        assert_eq!(read.next().unwrap(), (&b"content-type"[..], &b"text/plain"[..]));
    }

    #[test]
    fn nonsense_is_refused_or_read_and_nothing_else(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 1..8)) {
        let mut decoder = Decoder::default();
        for block in blocks {
            let mut fields = Fields::default();
            if decoder.decode(&block, &mut fields, 1_000).is_err() {
                break;
            }
            assert!(fields.iter().map(|(name, value)| name.len() + value.len() + 32).sum::<usize>() <= 1_000);
        }
        assert!(decoder.bytes() <= 4_096);
    }
}
