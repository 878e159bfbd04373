//! Reads header blocks.

use std::collections::VecDeque;

use super::fixed::ENTRIES;
use super::{Broken, FIELD_OVERHEAD_BYTES, huffman};

/// Bytes that the table may count: what HTTP/2 begins with (RFC 9113, 6.5.2), and we ask for no other.
const TABLE_BYTES_MAX: usize = 4_096;
/// Fields may count so many times their limit before they are not read any more.
const OVER_TIMES_MAX: usize = 4;
/// Continuation bytes of an integer; none that is needed has more.
const INTEGER_BYTES_MAX: usize = 4;

/// Fields of one block, in their order.
#[derive(Debug, Default)]
pub struct Fields {
    text: Vec<u8>,
    /// Lengths of names and values.
    spans: Vec<(usize, usize)>,
    /// What they count, as the limit does.
    bytes: usize,
    /// There were more than the limit allows, which are not here.
    over: bool,
}

impl Fields {
    pub fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
        (self.bytes, self.over) = (0, false);
    }

    pub fn is_over(&self) -> bool {
        self.over
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.text.as_slice();
        self.spans.iter().map(move |(name_bytes, value_bytes)| {
            let (name, behind) = rest.split_at(*name_bytes);
            let (value, behind) = behind.split_at(*value_bytes);
            rest = behind;
            (name, value)
        })
    }

    /// Takes in a field whose name and value have been appended to the text.
    fn end_field(&mut self, begin: usize, name_bytes: usize, bytes_max: usize) {
        let bytes = self.text.len() - begin;
        self.bytes += bytes + FIELD_OVERHEAD_BYTES;
        if self.bytes > bytes_max {
            self.over = true;
            self.text.truncate(begin);
        } else {
            self.spans.push((name_bytes, bytes - name_bytes));
        }
    }
}

/// What the blocks of one connection build up.
#[derive(Debug)]
pub struct Decoder {
    /// The newest first.
    entries: VecDeque<Entry>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Entry {
    text: Box<[u8]>,
    name_bytes: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { entries: VecDeque::new(), bytes: 0, bytes_max: TABLE_BYTES_MAX }
    }
}

impl Decoder {
    /// Appends the fields of a block, as long as they count no more than `bytes_max` together; those beyond are read all the
    /// same, for the sake of the table.
    pub fn decode(&mut self, block: &[u8], fields: &mut Fields, bytes_max: usize) -> Result<(), Broken> {
        let mut block = Block(block);
        let mut begun = false;
        while let Some(first) = block.0.first().copied() {
            match first {
                0x80.. => {
                    let index = block.integer(7)?;
                    let begin = fields.text.len();
                    let name_bytes = self.append(index, &mut fields.text, true)?;
                    fields.end_field(begin, name_bytes, bytes_max);
                }
                // Sizes may only change ahead of all fields (RFC 7541, 4.2).
                0x20..=0x3f if begun => return Err(Broken),
                0x20..=0x3f => {
                    self.bytes_max = Some(block.integer(5)?).filter(|bytes| *bytes <= TABLE_BYTES_MAX).ok_or(Broken)?;
                    self.make_room(0);
                    continue;
                }
                0x40..=0x7f => self.literal(&mut block, 6, true, fields, bytes_max)?,
                0x00..=0x1f => self.literal(&mut block, 4, false, fields, bytes_max)?,
            }
            // One byte may stand for an entry of 4 KiB: whoever goes far beyond the limit is not read to the end.
            if fields.bytes / OVER_TIMES_MAX > bytes_max {
                return Err(Broken);
            }
            begun = true;
        }
        Ok(())
    }

    fn literal(
        &mut self,
        block: &mut Block<'_>,
        index_bits: u8,
        remembered: bool,
        fields: &mut Fields,
        bytes_max: usize,
    ) -> Result<(), Broken> {
        let begin = fields.text.len();
        let name_bytes = match block.integer(index_bits)? {
            0 => {
                block.string(&mut fields.text)?;
                fields.text.len() - begin
            }
            index => self.append(index, &mut fields.text, false)?,
        };
        block.string(&mut fields.text)?;
        if remembered {
            self.remember(&fields.text[begin..], name_bytes);
        }
        fields.end_field(begin, name_bytes, bytes_max);
        Ok(())
    }

    /// Appends the name of an entry, and its value where it is wanted; how long the name is.
    fn append(&self, index: usize, to: &mut Vec<u8>, whole: bool) -> Result<usize, Broken> {
        let index = index.checked_sub(1).ok_or(Broken)?;
        if let Some((name, value)) = ENTRIES.get(index) {
            to.extend_from_slice(name.as_bytes());
            to.extend_from_slice(if whole { value.as_bytes() } else { &[] });
            return Ok(name.len());
        }
        let entry = self.entries.get(index - ENTRIES.len()).ok_or(Broken)?;
        to.extend_from_slice(if whole { &entry.text } else { &entry.text[..entry.name_bytes] });
        Ok(entry.name_bytes)
    }

    /// What the table counts.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn remember(&mut self, text: &[u8], name_bytes: usize) {
        let bytes = text.len() + FIELD_OVERHEAD_BYTES;
        self.make_room(bytes);
        // One that is larger than the table leaves it empty (RFC 7541, 4.4).
        if bytes <= self.bytes_max {
            self.bytes += bytes;
            self.entries.push_front(Entry { text: text.into(), name_bytes });
        }
    }

    fn make_room(&mut self, bytes: usize) {
        while self.bytes + bytes > self.bytes_max
            && let Some(oldest) = self.entries.pop_back()
        {
            self.bytes -= oldest.text.len() + FIELD_OVERHEAD_BYTES;
        }
    }
}

/// What is left of a block.
struct Block<'a>(&'a [u8]);

impl Block<'_> {
    fn byte(&mut self) -> Result<u8, Broken> {
        let (first, rest) = self.0.split_first().ok_or(Broken)?;
        self.0 = rest;
        Ok(*first)
    }

    /// An integer that begins in the low bits of the next byte (RFC 7541, 5.1).
    fn integer(&mut self, bits: u8) -> Result<usize, Broken> {
        let most = usize::from(u8::MAX >> (8 - bits));
        let mut value = usize::from(self.byte()?) & most;
        if value < most {
            return Ok(value);
        }
        for at in 0..INTEGER_BYTES_MAX {
            let byte = self.byte()?;
            value += usize::from(byte & 127) << (7 * at);
            if byte < 128 {
                return Ok(value);
            }
        }
        Err(Broken)
    }

    /// Appends a string (RFC 7541, 5.2).
    fn string(&mut self, to: &mut Vec<u8>) -> Result<(), Broken> {
        let is_coded = self.0.first().ok_or(Broken)? & 0x80 != 0;
        let length = self.integer(7)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Broken)?;
        self.0 = rest;
        if is_coded {
            return huffman::decode(text, to);
        }
        to.extend_from_slice(text);
        Ok(())
    }
}
