//! Exchanges that were kept whole, as the page's template takes them.

use serde::Serialize;

use crate::{
    measure::{clean_text, plain_text},
    report::{
        ExemplarSummary, PhaseSummary,
        words::{self, row_name},
    },
};

/// Those of a row.
#[derive(Debug, Serialize)]
pub(super) struct Exhibit {
    name: String,
    exchanges: Vec<Exchange>,
}

#[derive(Debug, Serialize)]
struct Exchange {
    is_failing: bool,
    text: String,
    curl: String,
}

pub(super) fn exhibits(phase: &PhaseSummary) -> Vec<Exhibit> {
    let exchange = |is_failing: bool| {
        move |it: &ExemplarSummary| Exchange {
            is_failing,
            text: format!("{}: {}", if is_failing { "failing" } else { "slow" }, words::exemplar(it)),
            curl: plain_text(&it.curl),
        }
    };
    let rows = phase.requests.iter().filter(|row| !row.slowest.is_empty() || !row.failing.is_empty());
    rows.map(|row| Exhibit {
        name: clean_text(&row_name(row)),
        exchanges: row.failing.iter().map(exchange(true)).chain(row.slowest.iter().map(exchange(false))).collect(),
    })
    .collect()
}
