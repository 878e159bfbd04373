/// Seeded randomness. The same seed gives the same sequence, so that a simulation can be repeated.
/// Never use it for secrets.
#[derive(Clone, Debug)]
pub struct Rng(fastrand::Rng);

const HEX: &[u8; 16] = b"0123456789abcdef";

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    pub fn u64(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// A number in `0..bound`; `bound` must not be zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.u64(..bound)
    }

    /// `digits` lower-case hexadecimal digits, as in the ids of EC2.
    pub fn hex(&mut self, digits: usize) -> String {
        (0..digits).map(|_| char::from(HEX[self.0.usize(..16)])).collect()
    }

    /// `length` capital letters and digits of base 32, as in the ids of IAM and CloudFormation's suffixes.
    pub fn base32(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        (0..length).map(|_| char::from(ALPHABET[self.0.usize(..32)])).collect()
    }

    /// A version 4 UUID in its usual form.
    pub fn uuid(&mut self) -> String {
        uuid((u128::from(self.u64()) << 64) | u128::from(self.u64()))
    }
}

/// A version 4 UUID (RFC 9562) of these bits, 122 of which count.
pub fn uuid(bits: u128) -> String {
    let (a, b) = ((bits >> 64) as u64, bits as u64);
    let (a, b) = ((a & !0xf000) | 0x4000, (b & !(0b11 << 62)) | (0b10 << 62));
    format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xffff, b >> 48, b & 0xffff_ffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn same_seed_same_sequence_and_uuid_is_version_4() {
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        assert_eq!(a.hex(17), b.hex(17));
        let uuid = a.uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    }
}
