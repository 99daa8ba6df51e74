//! What client and target agreed on.

use super::NegotiatedSummary;
use crate::measure::Connections;

/// What was agreed on, the most frequent first. Whether a handshake was resumed makes no row of its own.
pub(super) fn negotiated(connections: &Connections) -> Vec<NegotiatedSummary> {
    let mut rows: Vec<NegotiatedSummary> = Vec::new();
    for (negotiated, &opened) in &connections.negotiated {
        let security = negotiated.security;
        let row = NegotiatedSummary {
            protocol: negotiated.http.name(),
            tls: security.map(|security| security.version.name()),
            cipher: security.map(|security| security.cipher.to_string()),
            connections: opened,
            resumed: if security.is_some_and(|security| security.resumed) { opened } else { 0 },
        };
        let same = |other: &&mut NegotiatedSummary| {
            (other.protocol, other.tls, &other.cipher) == (row.protocol, row.tls, &row.cipher)
        };
        match rows.iter_mut().find(same) {
            Some(known) => {
                known.connections += row.connections;
                known.resumed += row.resumed;
            }
            None => rows.push(row),
        }
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.connections));
    rows
}
