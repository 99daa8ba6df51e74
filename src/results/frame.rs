//! The container: gzip members one after the other, each whole in itself.
//!
//! `gzip -dc FILE` prints what is in them. Each member says in an extra field how long it is, as those of BGZF do, so
//! that a reader can step over one whose content is damaged; gzip's own CRC-32 and length tell that it is. Where the
//! length itself is damaged, the next member is found by its head.

use std::io::{self, Read, Seek, SeekFrom, Write};

use flate2::{Compression, GzBuilder, bufread::GzDecoder};

/// gzip, deflate, with an extra field, no time, no name; what stands in the next two bytes says nothing.
const HEAD: [u8; 8] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0];
/// Eight bytes of extra fields: one, named `lr`, of four bytes.
const EXTRA: [u8; 6] = [8, 0, b'l', b'r', 4, 0];
/// Where the extra field begins, and where the length stands in it.
const EXTRA_AT: usize = 10;
const LENGTH_AT: usize = 16;
const HEAD_BYTES: usize = 20;
/// No second of a run comes near; a damaged length does.
const MEMBER_BYTES_MAX: u64 = 64 << 20;
const CONTENT_BYTES_MAX: u64 = 256 << 20;

/// One member that holds `content`.
///
/// # Errors
/// The content is beyond every limit of a run: 64 MiB when compressed.
pub(super) fn member(content: &[u8]) -> io::Result<Vec<u8>> {
    let extra = [b'l', b'r', 4, 0, 0, 0, 0, 0];
    let mut gzip = GzBuilder::new().extra(extra).mtime(0).write(Vec::new(), Compression::default());
    gzip.write_all(content)?;
    let mut bytes = gzip.finish()?;
    let length = u32::try_from(bytes.len()).ok().filter(|&n| u64::from(n) <= MEMBER_BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::other("a second's figures are larger than 64 MiB"))?;
    bytes[LENGTH_AT..HEAD_BYTES].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// The members of a file that can be read, in order, and what is wrong with the rest.
#[derive(Debug)]
pub(super) struct Members<R> {
    file: R,
    at: u64,
    /// Members, or stretches between two, that could not be read.
    pub(super) damaged: u64,
    /// The last one is not whole.
    pub(super) cut: bool,
}

enum Next {
    Content(Vec<u8>, u64),
    /// Not readable; the next member is here, if the head can be trusted.
    Damaged(Option<u64>),
    /// The file ends within this one.
    Cut,
    End,
}

impl<R: Read + Seek> Members<R> {
    /// From the start of `file`.
    pub(super) fn new(file: R) -> Self {
        Self { file, at: 0, damaged: 0, cut: false }
    }

    /// The content of the next member that is whole; none at the end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            match self.look()? {
                Next::Content(content, end) => {
                    self.at = end;
                    return Ok(Some(content));
                }
                Next::End => return Ok(None),
                Next::Damaged(Some(end)) => {
                    self.damaged += 1;
                    self.at = end;
                }
                Next::Damaged(None) => {
                    self.damaged += 1;
                    match self.find(self.at + 1)? {
                        Some(at) => self.at = at,
                        None => return self.end(),
                    }
                }
                Next::Cut => match self.find(self.at + 1)? {
                    // A length that reaches beyond the end, and yet there is another: the length was damaged.
                    Some(at) => {
                        self.damaged += 1;
                        self.at = at;
                    }
                    None => {
                        self.cut = true;
                        return self.end();
                    }
                },
            }
        }
    }

    fn end(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.at = self.file.seek(SeekFrom::End(0))?;
        Ok(None)
    }

    fn look(&mut self) -> io::Result<Next> {
        self.file.seek(SeekFrom::Start(self.at))?;
        let mut bytes = Vec::new();
        (&mut self.file).take(HEAD_BYTES as u64).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            return Ok(Next::End);
        }
        if bytes.len() < HEAD_BYTES {
            let begun = HEAD.starts_with(&bytes[..bytes.len().min(HEAD.len())]);
            return Ok(if begun { Next::Cut } else { Next::Damaged(None) });
        }
        if !is_head(&bytes) {
            return Ok(Next::Damaged(None));
        }
        let length = bytes[LENGTH_AT..].iter().rev().fold(0u64, |sum, &byte| sum << 8 | u64::from(byte));
        if length <= HEAD_BYTES as u64 || length > MEMBER_BYTES_MAX {
            return Ok(Next::Damaged(None));
        }
        (&mut self.file).take(length - HEAD_BYTES as u64).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < length {
            return Ok(Next::Cut);
        }
        let mut rest = bytes.as_slice();
        let mut content = Vec::new();
        let whole = GzDecoder::new(&mut rest).take(CONTENT_BYTES_MAX).read_to_end(&mut content).is_ok();
        let end = self.at + length;
        if whole && rest.is_empty() {
            return Ok(Next::Content(content, end));
        }
        // The length may be what is damaged: it is right if a member, or nothing, is where it leads.
        self.file.seek(SeekFrom::Start(end))?;
        let mut following = Vec::new();
        (&mut self.file).take(HEAD_BYTES as u64).read_to_end(&mut following)?;
        let trusted = following.is_empty() || is_head(&following);
        Ok(Next::Damaged(trusted.then_some(end)))
    }

    /// The place of the first head from `from` on.
    fn find(&mut self, from: u64) -> io::Result<Option<u64>> {
        const BLOCK: usize = 64 << 10;
        let mut at = from;
        loop {
            self.file.seek(SeekFrom::Start(at))?;
            let mut block = Vec::new();
            (&mut self.file).take(BLOCK as u64).read_to_end(&mut block)?;
            if let Some(found) = block.windows(LENGTH_AT).position(is_head) {
                return Ok(Some(at + found as u64));
            }
            if block.len() < BLOCK {
                return Ok(None);
            }
            // A head may lie across two blocks.
            at += (BLOCK - LENGTH_AT) as u64;
        }
    }
}

fn is_head(bytes: &[u8]) -> bool {
    bytes.starts_with(&HEAD) && bytes.get(EXTRA_AT..LENGTH_AT) == Some(&EXTRA)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use flate2::read::MultiGzDecoder;
    use proptest::prelude::*;

    use super::*;

    fn contents() -> Vec<Vec<u8>> {
        (0..5u8).map(|n| format!("member {n} {}\n", "x".repeat(usize::from(n) * 50)).into_bytes()).collect()
    }

    fn file() -> Vec<u8> {
        contents().iter().flat_map(|content| member(content).expect("small")).collect()
    }

    fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, u64, bool) {
        let mut members = Members::new(Cursor::new(bytes));
        let mut all = Vec::new();
        while let Some(content) = members.next().expect("memory") {
            all.push(content);
        }
        (all, members.damaged, members.cut)
    }

    #[test]
    fn it_is_a_gzip_file() {
        let mut plain = Vec::new();
        MultiGzDecoder::new(file().as_slice()).read_to_end(&mut plain).expect("gzip");
        assert_eq!(plain, contents().concat());
    }

    #[test]
    fn every_prefix_gives_the_members_that_are_whole_in_it() {
        let whole = file();
        let ends: Vec<usize> = contents()
            .iter()
            .scan(0, |end, content| {
                *end += member(content).expect("small").len();
                Some(*end)
            })
            .collect();
        for length in 0..=whole.len() {
            let (read, damaged, cut) = read(&whole[..length]);
            let fitting = ends.iter().filter(|&&end| end <= length).count();
            assert_eq!(read, contents()[..fitting], "{length}");
            assert_eq!(damaged, 0, "{length}");
            assert_eq!(cut, length != 0 && !ends.contains(&length), "{length}");
        }
    }

    #[test]
    fn a_damaged_member_costs_no_other() {
        let whole = file();
        let first = member(&contents()[0]).expect("small").len();
        let second = member(&contents()[1]).expect("small").len();
        // Every byte of the second member.
        for at in first..first + second {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            let (read, damaged, cut) = read(&bytes);
            assert!(!cut);
            // What gzip does not look at (flags of the compressor, the system) harms nothing.
            if damaged == 0 {
                assert_eq!(read, contents());
            } else {
                assert_eq!(damaged, 1, "{at}");
                assert_eq!(read, [&contents()[..1], &contents()[2..]].concat(), "{at}");
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic_or_run_on(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0usize..300) {
            read(&bytes);
            let mut mixed = file();
            let at = at.min(mixed.len());
            mixed.splice(at..at, bytes);
            let (read, _, _) = read(&mixed);
            prop_assert!(read.iter().all(|content| contents().contains(content)));
        }
    }
}
