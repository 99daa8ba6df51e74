//! Exchanges that are kept whole: of each row the slowest that were answered as expected, and the first of each way
//! of failing.

use serde::{Deserialize, Serialize};

use super::{
    FailureKind, Sample, Witness,
    errors::clean_text,
    mask::{self, Credentials, mask},
    rewrite::Rewrites,
};
use crate::{clock::Nanos, protocol::Stamps};

/// How many of either are kept of a row.
pub const EXEMPLARS_MAX: usize = 3;
/// Longer fields and bodies of requests are not kept, in bytes.
pub const REQUEST_BYTES_MAX: usize = 4_096;
/// A larger head is not kept at all, in bytes.
const HEAD_BYTES_MAX: usize = 16_384;

/// A request and what it got. Secrets and credentials have been taken out: `***` stands for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Exemplar {
    /// When it was due, on the run's clock.
    pub planned: Nanos,
    /// When it was sent.
    pub started: Nanos,
    /// When the last byte of the request was handed to the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<Nanos>,
    /// When the first byte of the answer was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<Nanos>,
    /// When it was over.
    pub end: Nanos,
    /// The class of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The status code, or 0.
    pub status: u16,
    /// The word of the way of failing; none where it was answered as expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was sent.
    pub request: SentRequest,
    /// The start of the answer's body, at most 200 bytes; empty where nobody read it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub answer: String,
}

/// What was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct SentRequest {
    /// Which of the plan's targets it went to.
    pub target: u16,
    /// The method.
    pub method: String,
    /// The path with its query; empty where the head was too large to be kept.
    pub path: String,
    /// The header fields in their order, but for `content-length`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(String, String)>,
    /// The body, where it is text and not too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Its length.
    pub body_bytes: u64,
    /// Redirects that it followed at most.
    #[serde(skip_serializing_if = "is_zero")]
    pub redirects: u32,
    /// It went over HTTP/2.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub http2: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Exemplar {
    /// From due to over.
    pub const fn response(&self) -> Nanos {
        self.end.saturating_sub(self.planned)
    }

    /// From sent to over.
    pub const fn service(&self) -> Nanos {
        self.end.saturating_sub(self.started)
    }

    /// Passes each text through `rewrite`, such as one that takes secrets out.
    pub fn rewrite_texts(&mut self, rewrite: &dyn Fn(&str) -> String) {
        let fields = self.request.fields.iter_mut().flat_map(|(name, value)| [name, value]);
        let texts = fields.chain(&mut self.class).chain(&mut self.request.body);
        texts.chain([&mut self.request.path, &mut self.answer]).for_each(|text| *text = rewrite(text));
    }

    /// The slowest first.
    fn by_slowness(&self, other: &Self) -> std::cmp::Ordering {
        other.response().cmp(&self.response()).then_with(|| self.cmp(other))
    }
}

/// The exemplars of a row. Adding two is exact, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exemplars {
    slowest: Vec<Exemplar>,
    failing: Vec<Exemplar>,
}

impl Exemplars {
    /// Adds one.
    pub fn add(&mut self, exemplar: Exemplar) {
        if exemplar.error.is_some() {
            self.failing.push(exemplar)
        } else {
            self.slowest.push(exemplar)
        }
        self.trim();
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        if !other.is_empty() {
            self.slowest.extend_from_slice(&other.slowest);
            self.failing.extend_from_slice(&other.failing);
            self.trim();
        }
    }

    fn trim(&mut self) {
        self.slowest.sort_unstable_by(Exemplar::by_slowness);
        self.slowest.dedup();
        self.slowest.truncate(EXEMPLARS_MAX);
        self.failing.sort_unstable_by(|a, b| a.end.cmp(&b.end).then_with(|| a.cmp(b)));
        // The first of each way to fail: three of one kind tell no more than one.
        let mut seen: Vec<(Option<String>, u16)> = Vec::with_capacity(EXEMPLARS_MAX);
        self.failing.retain(|exemplar| {
            let way = (exemplar.error.clone(), exemplar.status);
            let is_new = !seen.contains(&way);
            seen.push(way);
            is_new
        });
        self.failing.truncate(EXEMPLARS_MAX);
    }

    /// The slowest that were answered as expected, the slowest first.
    pub fn slowest(&self) -> &[Exemplar] {
        &self.slowest
    }

    /// The first of each kind of failure and status, in the order of time.
    pub fn failing(&self) -> &[Exemplar] {
        &self.failing
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Exemplar> {
        self.slowest.iter().chain(&self.failing)
    }

    /// There are none.
    pub const fn is_empty(&self) -> bool {
        self.slowest.is_empty() && self.failing.is_empty()
    }
}

/// The bytes of an exchange, copied while it mattered: most are pushed out by others before anybody reads them.
#[derive(Debug, Default)]
pub(super) struct Kept {
    planned: Nanos,
    stamps: Stamps,
    status: u16,
    failure: Option<FailureKind>,
    target: u16,
    /// It was no HTTP: the head is all of it.
    is_bare: bool,
    head: Vec<u8>,
    body: Vec<u8>,
    body_bytes: u64,
    redirects: u32,
    http2: bool,
    answer: Vec<u8>,
}

impl Kept {
    /// Takes the place of what was kept here.
    pub(super) fn fill(&mut self, sample: &Sample, witness: &Witness<'_>) {
        // What is no HTTP has no head: all of it is what was asked.
        let body_at = if witness.body_at == 0 { witness.wire.len() } else { witness.body_at };
        let (head, body) = witness.wire.split_at(body_at.min(witness.wire.len()));
        self.is_bare = witness.body_at == 0;
        self.planned = sample.planned;
        self.stamps = Stamps { start: sample.started, end: sample.end, ..witness.stamps };
        self.status = witness.status;
        self.failure = sample.result.failure();
        self.target = witness.target;
        self.head.clear();
        self.head.extend_from_slice(if head.len() > HEAD_BYTES_MAX { &[] } else { head });
        self.body.clear();
        self.body.extend_from_slice(if body.len() > REQUEST_BYTES_MAX { &[] } else { body });
        self.body_bytes = body.len() as u64;
        self.redirects = witness.redirects;
        self.http2 = witness.http2;
        self.answer.clear();
        self.answer.extend_from_slice(&witness.answer[..witness.answer.len().min(super::witness::ANSWER_BYTES_MAX)]);
    }

    pub(super) fn response(&self) -> Nanos {
        self.stamps.end.saturating_sub(self.planned)
    }

    /// As text, without secrets.
    pub(super) fn exemplar(&self, class: Option<&str>, rewrites: &Rewrites) -> Exemplar {
        let witness = Witness {
            target: self.target,
            wire: &self.head,
            body_at: if self.is_bare { 0 } else { self.head.len() },
            redirects: self.redirects,
            http2: self.http2,
            status: self.status,
            error: None,
            stamps: self.stamps,
            answer: &self.answer,
        };
        let fields_of: &[u8] = if self.is_bare { &[] } else { &self.head };
        let credentials = Credentials::of(fields_of);
        let conceal = |text: &str| mask(&rewrites.whole(text), &credentials).into_owned();
        let (method, path) = witness.request_line();
        let fields = mask::fields(fields_of).filter(|(name, value)| {
            !name.eq_ignore_ascii_case("content-length") && name.len() + value.len() <= REQUEST_BYTES_MAX
        });
        // A body that is not of its length was too long to be kept.
        let is_whole = self.body.len() as u64 == self.body_bytes && !self.body.is_empty();
        let body = is_whole.then(|| std::str::from_utf8(&self.body).ok()).flatten();
        Exemplar {
            planned: self.planned,
            started: self.stamps.start,
            sent: self.stamps.sent,
            first_byte: self.stamps.first_byte,
            end: self.stamps.end,
            class: class.map(|class| clean_text(&rewrites.whole(class))),
            status: self.status,
            error: self.failure.map(|kind| kind.word().to_owned()),
            request: SentRequest {
                target: self.target,
                method: clean_text(&method),
                path: if path.len() > REQUEST_BYTES_MAX { String::new() } else { conceal(&path) },
                fields: fields
                    .map(|(name, value)| {
                        // By its name first: what is left is searched for what nobody named.
                        let value = conceal(&mask::field(&name, &rewrites.whole(&value)));
                        (rewrites.whole(&name), value)
                    })
                    .collect(),
                body: body.map(conceal),
                body_bytes: self.body_bytes,
                redirects: self.redirects,
                http2: self.http2,
            },
            answer: clean_text(&mask(&rewrites.start(&witness.answer_text()), &credentials)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exemplar(planned: Nanos, end: Nanos, error: Option<&str>, status: u16) -> Exemplar {
        Exemplar { planned, end, status, error: error.map(Into::into), ..Exemplar::default() }
    }

    #[test]
    fn the_slowest_stay_and_the_first_of_each_failure() {
        let mut all = Exemplars::default();
        for ms in [3, 9, 1, 7, 5] {
            all.add(exemplar(ms, ms * 10, None, 200));
        }
        for (end, error, status) in [
            (50, "failed_status", 500),
            (40, "reset", 0),
            (60, "failed_status", 500),
            (70, "failed_status", 503),
            (80, "timeout", 0),
        ] {
            all.add(exemplar(1, end, Some(error), status));
        }
        let slowest: Vec<_> = all.slowest().iter().map(Exemplar::response).collect();
        assert_eq!(slowest, [81, 63, 45]);
        let failing: Vec<_> = all.failing().iter().map(|it| (it.end, it.status)).collect();
        assert_eq!(failing, [(40, 0), (50, 500), (70, 503)]);
    }

    #[test]
    fn what_is_kept_has_no_credentials_and_can_be_sent_again() {
        let wire = b"POST /a?x=1 HTTP/1.1\r\nhost: shop.test\r\nauthorization: Bearer abcdef123\r\n\
            cookie: sid=secret-sid\r\nx-key: hunter2\r\ncontent-type: application/json\r\ncontent-length: 41\r\n\r\n\
            {\"password\": \"hush\", \"note\": \"abcdef123\"}";
        let body_at = wire.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        let stamps = Stamps { start: 20, sent: Some(25), first_byte: Some(90), end: 100, ..Stamps::default() };
        let witness = Witness {
            target: 1,
            wire,
            body_at,
            redirects: 2,
            http2: false,
            status: 500,
            error: None,
            stamps,
            answer: b"sid=secret-sid is not known\x07",
        };
        let sample = Sample {
            phase: 0,
            name: crate::measure::NameId(0),
            class: crate::measure::ClassId::NONE,
            result: crate::measure::SampleResult::FailedStatus,
            status: 500,
            planned: 10,
            started: 20,
            first_byte: Some(90),
            end: 100,
            bytes_sent: 0,
            bytes_received: 0,
        };
        let mut kept = Kept::default();
        kept.fill(&sample, &witness);
        let exemplar = kept.exemplar(Some("miss"), &Rewrites::without("hunter2"));
        assert_eq!(
            (exemplar.response(), exemplar.service(), exemplar.error.as_deref()),
            (90, 80, Some("failed_status"))
        );
        assert_eq!(exemplar.answer, "sid=*** is not known");
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            exemplar.request,
            SentRequest {
                target: 1,
                method: "POST".into(),
                path: "/a?x=1".into(),
                fields: vec![
                    field("host", "shop.test"),
                    field("authorization", "Bearer ***"),
                    field("cookie", "sid=***"),
                    field("x-key", "***"),
                    field("content-type", "application/json"),
                ],
                body: Some("{\"password\": \"***\", \"note\": \"***\"}".into()),
                body_bytes: 41,
                redirects: 2,
                http2: false,
            }
        );
        let long = [wire.as_slice(), &[b'x'; REQUEST_BYTES_MAX]].concat();
        kept.fill(&sample, &Witness { wire: &long, ..witness });
        let request = kept.exemplar(None, &Rewrites::default()).request;
        assert_eq!((request.body, request.body_bytes), (None, 41 + REQUEST_BYTES_MAX as u64));
    }

    proptest! {
        #[test]
        fn the_sum_does_not_depend_on_the_order(parts in prop::collection::vec(
            prop::collection::vec((0..50u64, 0..20u64, 0..4usize), 0..8), 0..5), cut in 0..5usize) {
            let kinds = [None, Some("reset"), Some("timeout"), Some("failed_status")];
            let of = |part: &Vec<(u64, u64, usize)>| {
                let mut all = Exemplars::default();
                for &(planned, took, kind) in part {
                    all.add(exemplar(planned, planned + took, kinds[kind], if kind == 3 { 500 + took as u16 % 2 } else { 0 }));
                }
                all
            };
            let sum = |parts: &mut dyn Iterator<Item = &Vec<(u64, u64, usize)>>| {
                let mut all = Exemplars::default();
                parts.for_each(|part| all.merge(&of(part)));
                all
            };
            let cut = cut.min(parts.len());
            let (mut left, right) = (sum(&mut parts[..cut].iter()), sum(&mut parts[cut..].iter()));
            left.merge(&right);
            prop_assert_eq!(&left, &sum(&mut parts.iter().rev()));
            prop_assert_eq!(left, of(&parts.concat()));
        }
    }
}
