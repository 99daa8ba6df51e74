//! Messages that have come and wait for who asks, and how their channel ended.

use std::{
    collections::VecDeque,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use crate::{
    clock::Nanos,
    protocol::{Ended, ErrorKind, Failure, Incoming},
};

/// With so many waiting messages nothing more is read.
const WAITING_MAX: usize = 256;
/// With so many waiting bytes nothing more is read.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    messages: VecDeque<Incoming>,
    bytes: usize,
    /// The pong that came last: its number, and when.
    pong: Option<(u64, Nanos)>,
    ended: Option<Rc<Ended>>,
    /// Who waits for a message or a pong.
    reader: Option<Waker>,
    /// Who waits for room.
    filler: Option<Waker>,
}

impl Inbox {
    /// Ready while there is room for another message.
    pub(super) fn poll_room(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.messages.len() < WAITING_MAX && self.bytes < WAITING_BYTES_MAX {
            return Poll::Ready(());
        }
        self.filler = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn push(&mut self, message: Incoming) {
        self.bytes += message.bytes.len();
        self.messages.push_back(message);
        self.wake();
    }

    pub(super) fn pong(&mut self, ping: u64, at: Nanos) {
        self.pong = Some((ping, at));
        self.wake();
    }

    /// Notes how the channel ended; the first word holds.
    pub(super) fn end(&mut self, ended: Ended) {
        self.ended.get_or_insert_with(|| Rc::new(ended));
        self.wake();
    }

    pub(super) fn ended(&self) -> Option<Rc<Ended>> {
        self.ended.clone()
    }

    pub(super) fn waiting(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Result<Incoming, Rc<Ended>>> {
        if let Some(message) = self.messages.pop_front() {
            self.bytes -= message.bytes.len();
            if let Some(filler) = self.filler.take() {
                filler.wake();
            }
            return Poll::Ready(Ok(message));
        }
        self.or_ended(cx)
    }

    pub(super) fn poll_pong(&mut self, ping: u64, cx: &Context<'_>) -> Poll<Result<Nanos, Rc<Ended>>> {
        match self.pong {
            Some((number, at)) if number == ping => Poll::Ready(Ok(at)),
            _ => self.or_ended(cx),
        }
    }

    fn or_ended<T>(&mut self, cx: &Context<'_>) -> Poll<Result<T, Rc<Ended>>> {
        match &self.ended {
            Some(ended) => Poll::Ready(Err(ended.clone())),
            None => {
                self.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// An end that is nobody's wish.
pub(super) fn broken(at: Nanos, failure: Failure) -> Ended {
    Ended { at, failure, is_clean: false, code: None, reason: String::new() }
}

/// An end in good order.
pub(super) fn clean(at: Nanos, detail: &'static str) -> Ended {
    let failure = Failure::new(ErrorKind::ChannelClosed, detail);
    Ended { at, failure, is_clean: true, code: None, reason: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Payload;

    fn message(bytes: usize) -> Incoming {
        Incoming { at: 0, what: Payload::Binary, bytes: vec![0; bytes] }
    }

    #[test]
    fn what_waits_is_bounded_by_number_and_by_bytes() {
        let cx = Context::from_waker(Waker::noop());
        for (size, fits) in [(1, WAITING_MAX), (WAITING_BYTES_MAX / 4, 4)] {
            let mut inbox = Inbox::default();
            let mut count = 0;
            while inbox.poll_room(&cx).is_ready() {
                inbox.push(message(size));
                count += 1;
            }
            assert_eq!((count, inbox.waiting()), (fits, fits));
            assert!(matches!(inbox.poll_next(&cx), Poll::Ready(Ok(_))));
            assert!(inbox.poll_room(&cx).is_ready());
        }
    }

    #[test]
    fn what_came_before_the_end_comes_first_and_the_first_end_holds() {
        let cx = Context::from_waker(Waker::noop());
        let mut inbox = Inbox::default();
        inbox.push(message(1));
        inbox.end(clean(7, "whole"));
        inbox.end(broken(8, Failure::new(ErrorKind::Reset, "late")));
        assert!(matches!(inbox.poll_next(&cx), Poll::Ready(Ok(_))));
        let Poll::Ready(Err(ended)) = inbox.poll_next(&cx) else { panic!("it has ended") };
        assert!(ended.is_clean && ended.at == 7);
        assert!(matches!(inbox.poll_pong(1, &cx), Poll::Ready(Err(_))));
    }
}
