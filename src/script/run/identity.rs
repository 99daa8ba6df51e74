//! What a virtual user sends of itself with its requests: fields and cookies.

use std::rc::Rc;

use rhai::Dynamic;

use super::{
    shared::{Failed, Shared},
    vu::Vu,
};
use crate::{
    http::{COOKIE_BYTES_MAX, COOKIES_PER_HOST_MAX, JAR_BYTES_MAX, Refused},
    protocol::TargetId,
    script::{
        TargetHandle, base64,
        direct::Registrar,
        draft,
        words::{Form::Call, Receiver, Run, Stages, Word},
    },
};

const fn word(
    name: &'static str,
    takes: &'static str,
    usage: &'static str,
    about: &'static str,
    register: fn(&mut Registrar<'_>, &'static str, &Rc<Shared>),
) -> Word {
    let run = Run::Stage(register);
    Word { name, on: Receiver::Vu, form: Call, takes, gives: "Vu", usage, about, stages: Stages::Run, run }
}

/// What a script may do with `vu` about fields and cookies. Without a target they are for the one that the user's
/// requests go to.
pub(in crate::script) const WORDS: &[Word] = &[
    word(
        "bearer",
        "token: string, other?: Target",
        "`vu.bearer(token)`",
        "Sends the token as authorization with each request to the target from now on.",
        |engine, name, _| {
            let bearer = |vu: &Vu, target, token: &str| {
                vu.0.set_field(target, "authorization", &format!("Bearer {token}"));
                vu.clone()
            };
            engine.register_fn(name, move |vu: &mut Vu, token: &str| bearer(vu, vu.0.target.get(), token));
            engine.register_fn(name, move |vu: &mut Vu, token: &str, to: TargetHandle| bearer(vu, to.0, token));
        },
    ),
    word(
        "basic",
        "user: string, password: string, other?: Target",
        "`vu.basic(\"user\", \"password\")`",
        "Sends name and password as authorization with each request to the target from now on.",
        |engine, name, _| {
            engine.register_fn(name, |vu: &mut Vu, user: &str, password: &str| {
                basic(vu, vu.0.target.get(), user, password)
            });
            engine.register_fn(name, |vu: &mut Vu, user: &str, password: &str, to: TargetHandle| {
                basic(vu, to.0, user, password)
            });
        },
    ),
    word(
        "header",
        "name: string, value: any, other?: Target",
        "`vu.header(\"accept\", \"text/html\")`",
        "Sends the field with each request to the target from now on; `()` takes it away.",
        |engine, name, _| {
            engine.register_fn(name, |vu: &mut Vu, name: &str, value: Dynamic| {
                header(vu, vu.0.target.get(), name, &value)
            });
            engine.register_fn(name, |vu: &mut Vu, name: &str, value: Dynamic, to: TargetHandle| {
                header(vu, to.0, name, &value)
            });
        },
    ),
    word(
        "cookie",
        "name: string, value: any, other?: Target",
        "`vu.cookie(\"session\", \"abc\")`",
        "Puts a cookie for the target's host into its jar; `()` takes it away.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |vu: &mut Vu, name: &str, value: Dynamic| {
                cookie(&with, vu, vu.0.target.get(), name, &value)
            });
            let with = shared.clone();
            engine.register_fn(name, move |vu: &mut Vu, name: &str, value: Dynamic, to: TargetHandle| {
                cookie(&with, vu, to.0, name, &value)
            });
        },
    ),
    word("clear_cookies", "", "`vu.clear_cookies()`", "Empties its cookie jar, of all hosts.", |engine, name, _| {
        engine.register_fn(name, |vu: &mut Vu| {
            vu.0.clear_cookies();
            vu.clone()
        });
    }),
];

fn basic(vu: &Vu, target: TargetId, user: &str, password: &str) -> Result<Vu, Failed> {
    if user.contains(':') {
        return Err("the name of Basic authorization has no colon (RFC 7617)".into());
    }
    let pair = base64(format!("{user}:{password}").as_bytes());
    vu.0.set_field(target, "authorization", &format!("Basic {pair}"));
    Ok(vu.clone())
}

fn header(vu: &Vu, target: TargetId, name: &str, value: &Dynamic) -> Result<Vu, Failed> {
    if !draft::is_token(name) {
        return Err(format!("`{name}` is not a header's name").into());
    }
    if value.is_unit() {
        vu.0.remove_field(target, name)
    } else {
        vu.0.set_field(target, name, &value.to_string())
    }
    Ok(vu.clone())
}

fn cookie(shared: &Shared, vu: &Vu, target: TargetId, name: &str, value: &Dynamic) -> Result<Vu, Failed> {
    let plan = shared.state.plan.borrow();
    let target = &plan.targets[usize::from(target.0)];
    let host = target.url.host_str().unwrap_or_default();
    if !target.cookies {
        return Err("the target says `.cookies(false)`: leave that out, or write `vu.header(\"cookie\", …)`".into());
    }
    if value.is_unit() {
        vu.0.remove_cookie(host, name);
        return Ok(vu.clone());
    }
    let value = value.to_string();
    if let Some(wrong) = draft::wrong_cookie(name, &value) {
        return Err(wrong.into());
    }
    vu.0.set_cookie(host, name, &value, shared.state.wall_ms()).map_err(|refused| match refused {
        Refused::TooMany => format!(
            "the cookie `{name}` does not fit: a jar holds {COOKIES_PER_HOST_MAX} cookies of a host and {JAR_BYTES_MAX} bytes"
        ),
        _ => format!("the cookie `{name}` is longer than {COOKIE_BYTES_MAX} bytes"),
    })?;
    Ok(vu.clone())
}
