//! A site for browsers: a login form with a CSRF token, a session cookie, and a page behind it.

use std::{num::NonZeroUsize, sync::Mutex};

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use lru::LruCache;
use rand::{TryRng, rngs::SysRng};
use serde::Deserialize;

use super::{
    error::LabError,
    routes::Endpoint,
    state::{Shared, lock},
};

/// Sessions remembered; beyond it the longest unused are forgotten.
const SESSIONS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99_999);
/// The name of the cookie.
const COOKIE: &str = "lab_session";

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        methods: "GET, POST",
        path: "/login",
        example: "/login",
        doc: "a login form in HTML with a CSRF token and a session cookie; POST {email, password, csrf} as a form",
        route: || get(form).post(login),
    },
    Endpoint {
        methods: "GET",
        path: "/account",
        example: "/account",
        doc: "a page in HTML for who is logged in by the form; 303 to /login for others",
        route: || get(account),
    },
];

/// A visitor's session.
#[derive(Debug, Clone)]
struct Session {
    csrf: String,
    email: Option<String>,
}

/// The sessions, by the value of their cookie.
#[derive(Debug)]
pub(super) struct Site {
    sessions: Mutex<LruCache<String, Session>>,
}

impl Default for Site {
    fn default() -> Self {
        Self { sessions: Mutex::new(LruCache::new(SESSIONS_MAX)) }
    }
}

impl Site {
    /// The session of a request's cookie.
    fn of(&self, headers: &HeaderMap) -> Option<(String, Session)> {
        let id = cookie(headers)?;
        let session = lock(&self.sessions).get(&id).cloned()?;
        Some((id, session))
    }

    /// A new session, with a new cookie: a login must never keep the one from before it.
    fn open(&self, email: Option<String>) -> Result<(String, Session), LabError> {
        let (id, session) = (random()?, Session { csrf: random()?, email });
        lock(&self.sessions).put(id.clone(), session.clone());
        Ok((id, session))
    }
}

fn random() -> Result<String, LabError> {
    let mut bytes = [0; 16];
    SysRng.try_fill_bytes(&mut bytes).map_err(|error| {
        LabError::new(StatusCode::INTERNAL_SERVER_ERROR, "random", format!("failed to make a session: {error}"))
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned()).next()
}

fn set_cookie(id: &str) -> (HeaderName, String) {
    (header::SET_COOKIE, format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Lax"))
}

/// A page; what visitors typed is escaped.
fn page(title: &str, body: &str) -> Html<String> {
    Html(format!("<!doctype html>\n<html><head><title>{title}</title></head>\n<body>\n{body}\n</body></html>\n"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

async fn form(State(state): State<Shared>, headers: HeaderMap) -> Result<Response, LabError> {
    let (id, session) = match state.site.of(&headers) {
        Some(known) => known,
        None => state.site.open(None)?,
    };
    let body = format!(
        "<form method=\"post\" action=\"/login\">\n\
         <input type=\"hidden\" name=\"csrf\" value=\"{}\">\n\
         <input type=\"email\" name=\"email\"> <input type=\"password\" name=\"password\">\n\
         <button>Log in</button>\n</form>",
        session.csrf
    );
    Ok(([set_cookie(&id)], page("Log in", &body)).into_response())
}

#[derive(Debug, Deserialize)]
struct Filled {
    email: String,
    password: String,
    #[serde(default)]
    csrf: String,
}

async fn login(
    State(state): State<Shared>,
    headers: HeaderMap,
    filled: Result<Form<Filled>, FormRejection>,
) -> Result<Response, LabError> {
    let Form(filled) = filled.map_err(|error| LabError::new(error.status(), "bad_form", error.body_text()))?;
    // An unknown cookie is no better than a forged form.
    if state.site.of(&headers).is_none_or(|(_, session)| session.csrf != filled.csrf) {
        return Err(LabError::new(StatusCode::FORBIDDEN, "csrf", "the form's csrf is not that of the session"));
    }
    if filled.password != state.options.password || filled.email.is_empty() {
        let body = "<p class=\"error\">Email or password is wrong.</p>\n<a href=\"/login\">Try again</a>";
        return Ok((StatusCode::UNAUTHORIZED, page("Log in", body)).into_response());
    }
    let (id, _) = state.site.open(Some(filled.email))?;
    Ok((StatusCode::SEE_OTHER, [set_cookie(&id), (header::LOCATION, "/account".to_owned())]).into_response())
}

async fn account(State(state): State<Shared>, headers: HeaderMap) -> Response {
    match state.site.of(&headers).and_then(|(_, session)| session.email) {
        Some(email) => {
            let body = format!("<h1>Account</h1>\n<p id=\"email\">{}</p>", escaped(&email));
            page("Account", &body).into_response()
        }
        None => (StatusCode::SEE_OTHER, [(header::LOCATION, "/login")]).into_response(),
    }
}
