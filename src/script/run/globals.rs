//! Plain functions of the run stage.

use std::rc::Rc;

use rhai::{Dynamic, Engine, ImmutableString};

use super::shared::{Failed, Shared};
use crate::script::Span;

/// Registers them.
pub(super) fn register(engine: &mut Engine, shared: &Rc<Shared>) {
    let with = shared.clone();
    engine.register_fn("check", move |name: &str, passed: Dynamic| -> Result<bool, Failed> {
        let Ok(passed) = passed.as_bool() else {
            return Err(format!("check(\"{name}\", …) takes true or false; found {}", passed.type_name()).into());
        };
        let user = with.user()?;
        with.recorder.borrow_mut().check(user.ledger.get(), name, passed);
        Ok(passed)
    });
    let with = shared.clone();
    engine.register_fn("count", move |name: &str, n: i64| with.count(name, n));
    let with = shared.clone();
    engine.register_fn("count", move |name: &str| with.count(name, 1));
    let with = shared.clone();
    engine.register_fn("gauge", move |name: &str, value: f64| with.gauge(name, value));
    let with = shared.clone();
    engine.register_fn("gauge", move |name: &str, value: i64| with.gauge(name, value as f64));
    let with = shared.clone();
    engine.register_fn("timing", move |name: &str, span: Span| -> Result<(), Failed> {
        let user = with.user()?;
        with.recorder.borrow_mut().timing(user.ledger.get(), name, span.0.as_nanos() as u64);
        Ok(())
    });
    let with = shared.clone();
    engine.register_fn("data", move || with.data.borrow().clone());
    let with = shared.clone();
    engine.register_fn("now", move || with.state.wall_ms() as i64);
    engine.register_fn("url_encode", |text: ImmutableString| {
        percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC).to_string()
    });
}

impl Shared {
    fn count(&self, name: &str, n: i64) -> Result<(), Failed> {
        let n = u64::try_from(n).map_err(|_| format!("count(\"{name}\", {n}): a counter only grows"))?;
        let user = self.user()?;
        self.recorder.borrow_mut().count(user.ledger.get(), name, n);
        Ok(())
    }

    fn gauge(&self, name: &str, value: f64) -> Result<(), Failed> {
        let user = self.user()?;
        self.recorder.borrow_mut().gauge(user.ledger.get(), name, value, self.clock.now());
        Ok(())
    }
}
