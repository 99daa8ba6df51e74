//! Exchanges: short ones that failures are told with, and whole ones that can be sent again.

use serde::Serialize;

use crate::{
    clock::{MICROSECOND, Nanos},
    measure::{Example, Excerpt, Exemplar},
    plan::Outline,
    protocol::word_of,
    report::curl,
};

/// A request and what it got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExcerptSummary {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The status code, or 0.
    pub status: u16,
    /// What a status of another protocol than HTTP is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_word: Option<String>,
    /// The kind of failure, where there is no whole answer.
    pub error: Option<String>,
    /// The start of the answer's body.
    pub body: String,
}

impl ExcerptSummary {
    pub(super) fn of(excerpt: &Excerpt) -> Self {
        Self {
            method: excerpt.method.clone(),
            path: excerpt.path.clone(),
            status: excerpt.status,
            status_word: word_of(excerpt.status).map(Into::into),
            error: excerpt.error.clone(),
            body: excerpt.body.clone(),
        }
    }

    pub(super) fn rewrite(&mut self, each: &dyn Fn(&mut String)) {
        each(&mut self.path);
        each(&mut self.body);
    }
}

/// The first of some messages that came after an exchange of its iteration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExampleSummary {
    /// What it said; others of its group may differ.
    pub message: String,
    /// The exchange that ended last before it.
    #[serde(flatten)]
    pub after: ExcerptSummary,
}

impl ExampleSummary {
    pub(super) fn of(example: &Example) -> Self {
        Self { message: example.message.clone(), after: ExcerptSummary::of(&example.exchange) }
    }
}

/// An exchange that is kept whole. Times are microseconds from the run's start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExemplarSummary {
    /// The class of the answer.
    pub class: Option<String>,
    /// The status code, or 0.
    pub status: u16,
    /// What a status of another protocol than HTTP is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_word: Option<String>,
    /// The way of failing; null where it was answered as expected.
    pub error: Option<String>,
    /// When it was due.
    pub planned_us: u64,
    /// When it was sent.
    pub started_us: u64,
    /// When the last byte of the request had been handed to the kernel.
    pub sent_us: Option<u64>,
    /// When the first byte of the answer was read.
    pub first_byte_us: Option<u64>,
    /// When it was over.
    pub end_us: u64,
    /// From due to over, in microseconds.
    pub response_us: u64,
    /// From sent to over, in microseconds.
    pub service_us: u64,
    /// The request as a line for a shell.
    pub curl: String,
    /// The start of the answer's body, where it was read.
    pub body: String,
}

impl ExemplarSummary {
    pub(super) fn of(exemplar: &Exemplar, outline: &Outline) -> Self {
        // Rounded as distributions are: the slowest is their maximum.
        let us = |nanos: Nanos| nanos.saturating_add(MICROSECOND / 2) / MICROSECOND;
        let target = outline.targets.get(usize::from(exemplar.request.target));
        let url = target.map_or("", String::as_str);
        let verified = !outline.unverified.iter().any(|unverified| unverified == url);
        Self {
            class: exemplar.class.clone(),
            status: exemplar.status,
            status_word: word_of(exemplar.status).map(Into::into),
            error: exemplar.error.clone(),
            planned_us: us(exemplar.planned),
            started_us: us(exemplar.started),
            sent_us: exemplar.sent.map(us),
            first_byte_us: exemplar.first_byte.map(us),
            end_us: us(exemplar.end),
            response_us: us(exemplar.response()),
            service_us: us(exemplar.service()),
            curl: curl::line(&exemplar.request, url, verified),
            body: exemplar.answer.clone(),
        }
    }

    pub(super) fn rewrite(&mut self, each: &dyn Fn(&mut String)) {
        self.class.iter_mut().for_each(each);
        each(&mut self.curl);
        each(&mut self.body);
    }
}
