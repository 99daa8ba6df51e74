//! What reads and writes a connection's frames: a task of its own, and who has to know at once that something was sent.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use super::wire::{Traffic, Wire};

type Frames = ::h2::client::Connection<Wire, Bytes>;

/// A connection's frames.
#[derive(Debug)]
pub struct Driver {
    /// Nothing once the connection has ended.
    frames: RefCell<Option<Frames>>,
    /// Of the task: whoever else drives does it in the task's name, so that it is woken by the socket.
    waker: RefCell<Waker>,
    traffic: Rc<Traffic>,
}

impl Driver {
    /// Starts the task, which lasts until the connection ends, or nobody holds it any more.
    pub fn start(frames: Frames, traffic: Rc<Traffic>) -> Rc<Self> {
        let waker = RefCell::new(Waker::noop().clone());
        let driver = Rc::new(Self { frames: RefCell::new(Some(frames)), waker, traffic });
        let task = driver.clone();
        tokio::task::spawn_local(poll_fn(move |cx| {
            let mut waker = task.waker.borrow_mut();
            if !waker.will_wake(cx.waker()) {
                waker.clone_from(cx.waker());
            }
            drop(waker);
            task.poll(cx)
        }));
        driver
    }

    /// Reads what has come and writes what is to go, as far as that needs no waiting.
    pub fn turn(&self) {
        let waker = self.waker.borrow().clone();
        if self.poll(&mut Context::from_waker(&waker)).is_ready() {
            // The task has nothing left to do, and would not notice.
            waker.wake();
        }
    }

    /// The connection has ended.
    pub fn has_ended(&self) -> bool {
        self.frames.borrow().is_none()
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut slot = self.frames.borrow_mut();
        let Some(frames) = slot.as_mut() else { return Poll::Ready(()) };
        // Why it ended, its streams know.
        let outcome = Pin::new(frames).poll(cx).map(drop);
        self.traffic.note_written();
        if outcome.is_ready() {
            *slot = None;
        }
        outcome
    }
}
