//! A request and the redirects it follows. Each exchange is a row of its own, beside the request's, which holds
//! the whole: from the first exchange's start to the last one's end.

use url::Url;

use super::{
    cookies::CookieScope,
    iteration::{Unfinished, count_connection},
    redirect::{self, Hop},
    vu::Vu,
    worker::Worker,
};
use crate::{
    clock::Nanos,
    measure::{ClassId, NameId, Sample, SampleResult},
    protocol::{ErrorKind, Exchange, Failure, Origin, Outcome, Transport},
};

/// How a request follows redirects.
struct Following {
    /// How many.
    redirects: u32,
    /// Cookies that the request has of its own, beside the jar's.
    own_cookies: Vec<u8>,
    /// The target's cookies are kept and sent.
    jar: bool,
}

impl<T: Transport> Worker<T> {
    /// Carries a request, and follows up to `redirects` redirects. What it returns is the last exchange's, but for
    /// what is of the whole: the start and the bytes.
    pub(super) async fn request(
        &self,
        ledger: u16,
        name: NameId,
        vu: &Vu<T>,
        planned: Nanos,
        exchange: &Exchange<'_>,
        redirects: u32,
    ) -> Box<Outcome> {
        // What the request has of its own stays with it; what the jar gave may change with each answer.
        let scope = if redirects == 0 { None } else { self.scope_of(exchange) };
        let from_jar = scope
            .filter(|_| !vu.user.has_no_cookies())
            .map(|scope| scope.pairs(&vu.user, self.wall_ms(), exchange.wire, &[]));
        let mut unfinished = Unfinished { worker: self, ledger, name, planned, finished: false };
        let outcome = self.transport.exchange(&vu.session, *exchange).await;
        unfinished.finished = true;
        self.note_exchange(ledger, name, vu, exchange, &outcome);
        if redirects == 0 || location(&outcome).is_none() {
            return outcome;
        }
        let sent = redirect::cookies(&exchange.wire[..exchange.body_at]);
        let own_cookies = redirect::pairs_without(sent, from_jar.as_deref().unwrap_or_default());
        let following = Following { redirects, own_cookies, jar: scope.is_some() };
        // On the heap, or every virtual user would have room for it, also while it only waits.
        Box::pin(self.follow(ledger, name, vu, exchange, following, outcome)).await
    }

    async fn follow(
        &self,
        ledger: u16,
        name: NameId,
        vu: &Vu<T>,
        exchange: &Exchange<'_>,
        mut following: Following,
        first: Box<Outcome>,
    ) -> Box<Outcome> {
        let start = first.stamps.start;
        let deadline = start.saturating_add(exchange.timeout);
        let Some(mut url) = redirect::url_of(&self.plan.targets[usize::from(exchange.target.0)].url, exchange.wire)
        else {
            return first;
        };
        let mut target = exchange.target;
        let mut outcome = first;
        let mut hop: Option<Hop> = None;
        let (mut sent, mut received) = (outcome.bytes_sent, outcome.bytes_received);
        for n in 1.. {
            self.file_hop(ledger, name, n, &outcome);
            let Some(location) = location(&outcome) else { break };
            if n > following.redirects {
                let shown = String::from_utf8_lossy(location).into_owned();
                outcome.failure = Some(Failure::new(
                    ErrorKind::RedirectLimit,
                    format!("more than {} redirects; the last leads to {shown:?}", following.redirects),
                ));
                self.explain(ledger, name, &outcome);
                break;
            }
            let (wire, body_at) =
                hop.as_ref().map_or((exchange.wire, exchange.body_at), |hop| (hop.wire.as_slice(), hop.body_at));
            let next = redirect::next(&url, wire, body_at, outcome.status, location)
                .and_then(|next| Ok((self.target_of(target, &url, &next.url)?, next)));
            match next {
                Ok((to, mut next)) => {
                    // Only the last exchange's connection is counted by who files the request.
                    count_connection(&mut self.recorder.borrow_mut(), ledger, &outcome);
                    target = to;
                    url.clone_from(&next.url);
                    if next.leaves {
                        following.own_cookies.clear();
                    }
                    let scope = following.jar.then(|| CookieScope::of(&url)).flatten();
                    next.set_cookies(&self.cookies(&following, scope.as_ref(), vu, &next.wire));
                    let next_exchange = Exchange {
                        target,
                        wire: &next.wire,
                        body_at: next.body_at,
                        is_head: exchange.is_head && next.wire.starts_with(b"HEAD "),
                        timeout: deadline.saturating_sub(self.host.now()),
                        ..*exchange
                    };
                    let mut unfinished = Unfinished { worker: self, ledger, name, planned: start, finished: false };
                    outcome = self.transport.exchange(&vu.session, next_exchange).await;
                    unfinished.finished = true;
                    self.note_exchange(ledger, name, vu, &next_exchange, &outcome);
                    if let Some(scope) = scope.filter(|_| usize::from(target.0) >= self.scopes.len()) {
                        self.keep_cookies_in(&scope, ledger, &vu.user, &next.wire, &outcome);
                    }
                    sent += outcome.bytes_sent;
                    received += outcome.bytes_received;
                    hop = Some(next);
                }
                Err(failure) => {
                    outcome.failure = Some(failure);
                    self.explain(ledger, name, &outcome);
                    break;
                }
            }
        }
        outcome.stamps.start = start;
        (outcome.bytes_sent, outcome.bytes_received) = (sent, received);
        if outcome.failure.is_some() {
            outcome.status = 0;
        }
        outcome
    }

    /// The cookies of a request that follows a redirect.
    fn cookies(&self, following: &Following, scope: Option<&CookieScope>, vu: &Vu<T>, wire: &[u8]) -> Vec<u8> {
        let jar = scope.map(|scope| scope.pairs(&vu.user, self.wall_ms(), wire, &[])).unwrap_or_default();
        let own = redirect::pairs_without(&following.own_cookies, &jar);
        [own, jar].into_iter().filter(|pairs| !pairs.is_empty()).collect::<Vec<_>>().join(&b"; "[..])
    }

    /// The target of a redirect's address.
    fn target_of(
        &self,
        target: crate::protocol::TargetId,
        from: &Url,
        to: &Url,
    ) -> Result<crate::protocol::TargetId, Failure> {
        if from.origin() == to.origin() {
            return Ok(target);
        }
        let host = to.host_str().unwrap_or_default();
        let port = to.port_or_known_default().unwrap_or(80);
        self.transport.elsewhere(target, &Origin { secure: to.scheme() == "https", host, port })
    }

    fn file_hop(&self, ledger: u16, request: NameId, n: u32, outcome: &Outcome) {
        let mut recorder = self.recorder.borrow_mut();
        let name = recorder.hop(request, n);
        recorder.record(&Sample {
            phase: ledger,
            name,
            class: ClassId::NONE,
            result: outcome.failure.as_ref().map_or(SampleResult::Ok, |failure| SampleResult::Error(failure.kind)),
            status: outcome.status,
            planned: outcome.stamps.start,
            started: outcome.stamps.start,
            first_byte: outcome.stamps.first_byte,
            end: outcome.stamps.end,
            bytes_sent: outcome.bytes_sent,
            bytes_received: outcome.bytes_received,
        });
    }

    /// Keeps the example of a failure that is no exchange's.
    fn explain(&self, ledger: u16, name: NameId, outcome: &Outcome) {
        if let Some(failure) = &outcome.failure {
            self.recorder.borrow_mut().error_example(ledger, name, failure.kind, &failure.detail);
        }
    }
}

/// Where an exchange was redirected to.
fn location(outcome: &Outcome) -> Option<&[u8]> {
    if outcome.failure.is_some() || !redirect::leads_on(outcome.status) {
        return None;
    }
    outcome.response.as_ref()?.field("location")
}
