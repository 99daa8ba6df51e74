//! Connections as requests found them.

use std::collections::BTreeMap;

use super::{Distribution, tally::Tally};
use crate::{
    clock::Nanos,
    protocol::{Negotiated, Stamps},
};

/// Connections of one phase, over any stretch of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Connections {
    /// Requests that opened one.
    pub opened: u64,
    /// Requests that found one open.
    pub reused: u64,
    /// What was agreed on, and how many of `opened` agreed so; 0 where such a connection was only reused.
    pub negotiated: BTreeMap<Negotiated, u64>,
    /// From the host's address being known to TCP standing, of those that were opened.
    pub connect: Distribution,
    /// From TCP standing to the end of the TLS handshake.
    pub tls: Distribution,
}

impl Connections {
    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.opened += other.opened;
        self.reused += other.reused;
        for (&negotiated, opened) in &other.negotiated {
            *self.negotiated.entry(negotiated).or_default() += opened;
        }
        self.connect.merge(&other.connect);
        self.tls.merge(&other.tls);
    }
}

/// What a worker notes of them.
#[derive(Debug, Default)]
pub(super) struct ConnectionTally {
    opened: u64,
    reused: u64,
    negotiated: BTreeMap<Negotiated, u64>,
    /// The one looked up last: most requests find a connection like the one before.
    last: Option<Negotiated>,
    connect: Tally,
    tls: Tally,
}

impl ConnectionTally {
    #[inline]
    pub(super) fn reused(&mut self, negotiated: Negotiated) {
        self.reused += 1;
        if self.last != Some(negotiated) {
            self.last = Some(negotiated);
            self.negotiated.entry(negotiated).or_default();
        }
    }

    pub(super) fn opened(&mut self, stamps: &Stamps, negotiated: Negotiated) {
        self.opened += 1;
        *self.negotiated.entry(negotiated).or_default() += 1;
        let Some(connected) = stamps.connected else { return };
        self.connect.record(since(stamps.resolved.unwrap_or(stamps.start), connected));
        if let Some(secured) = stamps.secured {
            self.tls.record(since(connected, secured));
        }
    }

    pub(super) fn take(&mut self) -> Connections {
        self.last = None;
        Connections {
            opened: std::mem::take(&mut self.opened),
            reused: std::mem::take(&mut self.reused),
            negotiated: std::mem::take(&mut self.negotiated),
            connect: self.connect.take(),
            tls: self.tls.take(),
        }
    }
}

fn since(from: Nanos, to: Nanos) -> Nanos {
    to.saturating_sub(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{CipherSuite, HttpVersion, Security, TlsVersion};

    fn secured(http: HttpVersion) -> Negotiated {
        let security = Security { version: TlsVersion::Tls13, cipher: CipherSuite(0x1301), resumed: false };
        Negotiated { http, security: Some(security) }
    }

    #[test]
    fn what_was_agreed_on_is_counted_by_connection_and_adds_up() {
        let stamps = Stamps {
            start: 1_000,
            resolved: Some(1_000_000),
            connected: Some(3_000_000),
            secured: Some(8_000_000),
            ..Stamps::default()
        };
        let mut tally = ConnectionTally::default();
        tally.opened(&stamps, secured(HttpVersion::Http2));
        tally.reused(secured(HttpVersion::Http2));
        tally.reused(secured(HttpVersion::Http1));
        let mut sum = tally.take();
        assert_eq!((sum.opened, sum.reused), (1, 2));
        assert_eq!(
            sum.negotiated,
            BTreeMap::from([(secured(HttpVersion::Http1), 0), (secured(HttpVersion::Http2), 1)])
        );
        assert_eq!((sum.connect.quantile(500_000), sum.tls.quantile(500_000)), (Some(2_000), Some(5_000)));
        assert_eq!(tally.take(), Connections::default());

        tally.opened(&stamps, secured(HttpVersion::Http2));
        sum.merge(&tally.take());
        assert_eq!(sum.negotiated[&secured(HttpVersion::Http2)], 2);
    }
}
