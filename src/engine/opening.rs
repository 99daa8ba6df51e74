//! Requests that open channels: what has to be in them, whatever else the script wants there.

use base64::Engine as _;

use crate::protocol::ChannelKind;

/// Fields of a request that opens a channel which are not the script's own business.
const WITHOUT: &[&str] = &["connection", "accept-encoding"];
const WITHOUT_SOCKET: &[&str] = &["upgrade", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"];

/// The wire of a GET request without a body as one that opens a channel. `subprotocols` are offered in their order,
/// unless there are none.
pub fn opening(wire: &[u8], kind: ChannelKind, subprotocols: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(wire.len() + 160);
    let mut lines = wire.split_inclusive(|&byte| byte == b'\n');
    out.extend_from_slice(lines.next().unwrap_or_default());
    for line in lines {
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        let is_end = line == b"\r\n";
        let goes = match kind {
            ChannelKind::WebSocket => {
                is(WITHOUT_SOCKET) || (!subprotocols.is_empty() && is(&["sec-websocket-protocol"]))
            }
            // A choice of the script's own stays.
            ChannelKind::Events => line == b"accept: */*\r\n",
        };
        if !(is_end || is(WITHOUT) || goes) {
            out.extend_from_slice(line);
        }
    }
    match kind {
        ChannelKind::WebSocket => {
            let key = base64::engine::general_purpose::STANDARD.encode(rand::random::<[u8; 16]>());
            out.extend_from_slice(b"connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n");
            out.extend_from_slice(format!("sec-websocket-key: {key}\r\n").as_bytes());
            if !subprotocols.is_empty() {
                out.extend_from_slice(format!("sec-websocket-protocol: {subprotocols}\r\n").as_bytes());
            }
        }
        ChannelKind::Events => {
            let has_accept =
                out.split(|&byte| byte == b'\n').any(|line| line.to_ascii_lowercase().starts_with(b"accept:"));
            if !has_accept {
                out.extend_from_slice(b"accept: text/event-stream\r\n");
            }
            out.extend_from_slice(b"cache-control: no-store\r\n");
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIRE: &[u8] = b"GET /ws HTTP/1.1\r\nhost: shop.test\r\naccept: */*\r\naccept-encoding: gzip\r\n\
                          connection: close\r\nUpgrade: h2c\r\nx-trace: a:b\r\n\r\n";

    #[test]
    fn an_upgrade_has_its_fields_once_and_a_key_of_its_own() {
        let wire = |subprotocols| String::from_utf8(opening(WIRE, ChannelKind::WebSocket, subprotocols)).expect("text");
        let (one, other) = (wire(""), wire("chat, superchat"));
        assert!(one.starts_with("GET /ws HTTP/1.1\r\nhost: shop.test\r\naccept: */*\r\nx-trace: a:b\r\n"), "{one}");
        assert!(one.ends_with("\r\n\r\n") && one.matches("\r\n\r\n").count() == 1, "{one}");
        for field in ["connection: Upgrade", "upgrade: websocket", "sec-websocket-version: 13", "sec-websocket-key: "] {
            assert_eq!(one.matches(field).count(), 1, "{field}: {one}");
        }
        assert!(!one.contains("h2c") && !one.contains("gzip") && !one.contains("close"), "{one}");
        assert!(!one.contains("protocol:") && other.contains("sec-websocket-protocol: chat, superchat\r\n"));
        let key = |wire: &str| wire.split("sec-websocket-key: ").nth(1).map(|rest| rest[..24].to_owned());
        assert_ne!(key(&one), key(&other));
    }

    #[test]
    fn a_stream_is_asked_for_by_its_type() {
        let wire = String::from_utf8(opening(WIRE, ChannelKind::Events, "")).expect("text");
        assert!(wire.contains("accept: text/event-stream\r\n") && !wire.contains("*/*"), "{wire}");
        let own = b"GET / HTTP/1.1\r\nAccept: application/json\r\n\r\n";
        let wire = String::from_utf8(opening(own, ChannelKind::Events, "")).expect("text");
        assert!(wire.contains("Accept: application/json\r\n") && !wire.contains("event-stream"), "{wire}");
    }
}
