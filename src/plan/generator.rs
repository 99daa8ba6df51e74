//! Sources of values: drawn natively for every request, from the iteration's own random numbers.

use std::sync::Arc;

use serde::Serialize;

use super::{DataId, GeneratorId, TimestampForm};

/// A value that fits a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// Text.
    Text(String),
    /// Bytes, which are no text.
    Bytes(Vec<u8>),
}

/// How to draw a value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Generator {
    /// A random UUID, version 4.
    Uuid,
    /// A number that no other iteration of the run gets; counts from 1.
    Seq,
    /// A whole number, both ends included.
    Int(i64, i64),
    /// A number from the first (included) to the second (excluded).
    Float(f64, f64),
    /// That many letters and digits.
    Alnum(usize),
    /// That many hexadecimal digits, lower case.
    Hex(usize),
    /// One of these, each as likely.
    Pick(Vec<Value>),
    /// One of these, by weight.
    PickWeighted(Vec<(f64, Value)>),
    /// A key from 1 to `n`: key k with a probability proportional to k^-s.
    Zipf {
        /// Number of keys.
        n: u64,
        /// Exponent; 0 is uniform.
        s: f64,
    },
    /// A key from 1 to `n`: the first `hot_fraction` of the keys get `hot_share` of the draws.
    HotSet {
        /// Number of keys.
        n: u64,
        /// Share of the keys that are hot, from 0 to 1.
        hot_fraction: f64,
        /// Share of the draws that go to them, from 0 to 1.
        hot_share: f64,
    },
    /// A key from 1 to `n`, where the highest is the most popular: Zipf from the end.
    Latest {
        /// Number of keys.
        n: u64,
        /// Exponent of the Zipf law.
        s: f64,
    },
    /// Keys from 1 to that number one after the other, by the iteration's number, and from the start again.
    Scan(u64),
    /// The keys of another generator, from 1 to `n`, under other names: a fixed permutation.
    Scrambled {
        /// What draws them.
        of: GeneratorId,
        /// Number of keys.
        n: u64,
    },
    /// A number that is the same in the whole run, and in no other.
    RunId,
    /// A normally distributed number.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        sd: f64,
    },
    /// An exponentially distributed number.
    Exponential {
        /// Mean.
        mean: f64,
    },
    /// The time of the draw.
    Timestamp(TimestampForm),
    /// Something made up, of one of the kinds of [`fake_kinds`](super::fake_kinds).
    Fake(String),
    /// So many bytes of any value.
    Bytes(usize),
    /// What the virtual user that sends the request has kept under a name; see [`Kept`](super::Kept).
    Saved(Arc<str>),
    /// A column of a row of a data set. All columns of one row have the same slot, so a request that names two
    /// of them gets both from the same row.
    Column {
        /// The data set.
        data: DataId,
        /// The column's number.
        column: usize,
        /// Which of the rows that the data set gives to an iteration; see [`DataSet::slots`](super::DataSet::slots).
        slot: u32,
    },
}

impl Generator {
    /// The same law over another number of keys, where it draws keys from 1 on and from no other generator.
    pub fn resized(&self, keys: u64) -> Option<Self> {
        Some(match *self {
            Self::Zipf { s, .. } => Self::Zipf { n: keys, s },
            Self::Latest { s, .. } => Self::Latest { n: keys, s },
            Self::HotSet { hot_fraction, hot_share, .. } => Self::HotSet { n: keys, hot_fraction, hot_share },
            Self::Scan(_) => Self::Scan(keys),
            Self::Int(1, _) => Self::Int(1, i64::try_from(keys).ok()?),
            _ => return None,
        })
    }

    /// How many keys it draws from, where it draws keys from 1 on.
    pub const fn keys(&self) -> Option<u64> {
        match *self {
            Self::Zipf { n, .. } | Self::HotSet { n, .. } | Self::Latest { n, .. } | Self::Scan(n) => Some(n),
            Self::Scrambled { n, .. } => Some(n),
            Self::Int(1, high) if high >= 1 => Some(high as u64),
            _ => None,
        }
    }
}
