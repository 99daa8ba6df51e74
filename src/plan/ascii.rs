//! Drawn text that no place needs escaped, and drawn bytes: written straight where they go.

use rand::{Rng, RngExt};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Short text on the stack, or what is drawn straight into its place.
pub(super) enum Ascii {
    /// Of a UUID.
    Uuid([u8; 36]),
    /// So many letters and digits.
    Alnum(usize),
    /// So many hexadecimal digits.
    Hex(usize),
    /// So many bytes of any value: not text at all, and incompressible.
    Bytes(usize),
}

impl Ascii {
    /// A random UUID (RFC 9562 section 5.4): 122 random bits, the version 4 and the variant 0b10.
    pub(super) fn uuid(rng: &mut Xoshiro256PlusPlus) -> Self {
        let bits = (u128::from(rng.next_u64()) << 64) | u128::from(rng.next_u64());
        let bits = bits & !(0xf << 76) | (0x4 << 76);
        let bits = bits & !(0x3 << 62) | (0x2 << 62);
        let mut text = [b'-'; 36];
        let mut shift = 128;
        for (position, byte) in text.iter_mut().enumerate() {
            if !matches!(position, 8 | 13 | 18 | 23) {
                shift -= 4;
                *byte = HEX[((bits >> shift) & 15) as usize];
            }
        }
        Self::Uuid(text)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>, rng: &mut Xoshiro256PlusPlus) {
        match *self {
            Self::Uuid(ref text) => out.extend_from_slice(text),
            Self::Alnum(length) => out.extend((0..length).map(|_| ALNUM[rng.random_range(0..ALNUM.len())])),
            Self::Hex(length) => {
                let mut bits = 0;
                out.extend((0..length).map(|position| {
                    bits = if position % 16 == 0 { rng.next_u64() } else { bits >> 4 };
                    HEX[(bits & 15) as usize]
                }));
            }
            Self::Bytes(length) => {
                let from = out.len();
                out.resize(from + length, 0);
                rng.fill_bytes(&mut out[from..]);
            }
        }
    }
}

const ALNUM: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &[u8; 16] = b"0123456789abcdef";
