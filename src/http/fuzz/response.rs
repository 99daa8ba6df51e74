//! Any bytes as a response of HTTP/1.1.

use httparse::Status;

use super::{BODY_BYTES_MAX, Read, read};
use crate::protocol::{ErrorKind, Keep};

/// Reads the bytes after the first as a response; the first one says to what request, and how they are cut.
///
/// Holds: the verdict is the same however the bytes are cut; what is accepted, httparse accepts with the same status;
/// what it refuses is refused as no HTTP; a body of a plain length is that many bytes.
pub fn response(data: &[u8]) {
    let Some((&flags, bytes)) = data.split_first() else { return };
    let is_head = flags & 1 == 1;
    let keep = [Keep::Nothing, Keep::Head, Keep::Body][usize::from(flags >> 1) % 3];
    let whole = read(std::iter::once(bytes), is_head, keep);
    for size in [1, 2 + usize::from(flags >> 3), 700] {
        let cut = read(bytes.chunks(size), is_head, keep);
        assert_eq!(cut.verdict, whole.verdict, "in pieces of {size}");
        if whole.verdict.is_ok() {
            // Bytes behind the end are seen only if they came with it.
            assert_eq!(whole.reusable, cut.reusable && cut.used == whole.used, "in pieces of {size}");
        }
    }
    agrees_with_httparse(bytes, is_head, keep, &whole);
}

fn agrees_with_httparse(bytes: &[u8], is_head: bool, keep: Keep, read: &Read) {
    let mut at = 0;
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut head = httparse::Response::new(&mut fields);
        let len = match head.parse(&bytes[at..]) {
            Ok(Status::Complete(len)) => len,
            Ok(Status::Partial) => {
                let why = read.verdict.as_ref().expect_err("a head that is not whole is no response");
                let known = [ErrorKind::Closed, ErrorKind::TruncatedHead, ErrorKind::HeadTooLarge, ErrorKind::Protocol];
                assert!(known.contains(why), "{why}");
                return;
            }
            Err(_) => {
                let why = read.verdict.as_ref().expect_err("what is no head is no response");
                assert!(matches!(why, ErrorKind::Protocol | ErrorKind::HeadTooLarge), "{why}");
                return;
            }
        };
        let status = head.code.expect("a whole head has a status");
        at += len;
        if matches!(status, 100 | 102..=199) {
            continue;
        }
        let Ok(whole) = &read.verdict else { return };
        assert_eq!(whole.status, status);
        if keep > Keep::Nothing || whole.sets_cookies {
            assert_eq!(whole.head, &bytes[at - len..at]);
        }
        if keep == Keep::Body && !is_head && !matches!(status, 101 | 204 | 304) {
            plain_length(&head, &bytes[at..], &whole.body);
        }
        return;
    }
}

/// The body of a head that frames it by one length and nothing else.
fn plain_length(head: &httparse::Response<'_, '_>, after: &[u8], body: &[u8]) {
    let is = |name: &'static str| move |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case(name);
    if head.headers.iter().any(|field| is("transfer-encoding")(&field)) {
        return;
    }
    let mut lengths = head.headers.iter().filter(is("content-length"));
    let (Some(length), None) = (lengths.next(), lengths.next()) else { return };
    let Ok(length) = String::from_utf8_lossy(length.value).parse::<usize>() else { return };
    assert!(length as u64 <= BODY_BYTES_MAX);
    assert_eq!(body, &after[..length]);
}
