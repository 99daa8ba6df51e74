//! Login, refresh and bearer tokens: real JSON Web Tokens (RFC 7519), signed with HS256.

use std::{
    fmt, io,
    num::NonZeroUsize,
    sync::{Mutex, atomic::AtomicU64, atomic::Ordering::Relaxed},
    time::Duration,
};

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    routing::{get, post},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, get_current_timestamp};
use lru::LruCache;
use rand::{TryRng, rngs::SysRng};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    error::{JsonBody, LabError},
    options::LabOptions,
    routes::Endpoint,
    state::{Shared, lock},
};

/// How long a refresh token is valid.
const REFRESH_TTL: Duration = Duration::from_secs(30 * 86_400);
/// Logged out tokens remembered; beyond it the oldest are valid again until they expire.
const REVOKED_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99_999);

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        methods: "POST",
        path: "/api/auth/login",
        example: "/api/auth/login",
        doc: "tokens for {email, password}; any email, the password is `demo`; `ttl_s` makes them short-lived",
        route: || post(login),
    },
    Endpoint {
        methods: "POST",
        path: "/api/auth/refresh",
        example: "/api/auth/refresh",
        doc: "new tokens for {refresh_token}",
        route: || post(refresh),
    },
    Endpoint {
        methods: "POST",
        path: "/api/auth/logout",
        example: "/api/auth/logout",
        doc: "makes the bearer token of the request invalid",
        route: || post(logout),
    },
    Endpoint {
        methods: "GET",
        path: "/api/me",
        example: "/api/me",
        doc: "the account of the bearer token",
        route: || get(me),
    },
];

/// Issues and checks tokens.
pub(super) struct Auth {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    /// Tokens that were logged out, by their number.
    revoked: Mutex<LruCache<u64, ()>>,
    /// Numbers of tokens.
    next: AtomicU64,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auth(secret withheld)")
    }
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Use {
    /// Requests.
    Access,
    /// New tokens alone.
    Refresh,
}

/// The claims of a token.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    /// The account: its email.
    pub(super) sub: String,
    #[serde(rename = "use")]
    purpose: Use,
    /// Its number: no two tokens of a lab are alike.
    jti: u64,
    iat: u64,
    exp: u64,
}

impl Auth {
    /// # Errors
    /// The system gives no random numbers for a secret.
    pub(super) fn new(options: &LabOptions) -> io::Result<Self> {
        let mut random = [0; 32];
        SysRng.try_fill_bytes(&mut random).map_err(io::Error::other)?;
        let secret = options.jwt_secret.as_ref().map_or(random.as_slice(), |secret| secret.as_bytes());
        let mut validation = Validation::new(Algorithm::HS256);
        // The library forgives a minute by default, which would make a short lifetime untrue.
        validation.leeway = 0;
        Ok(Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
            revoked: Mutex::new(LruCache::new(REVOKED_MAX)),
            next: AtomicU64::new(1),
        })
    }

    fn issue(&self, email: &str, purpose: Use, ttl: Duration) -> Result<String, LabError> {
        let iat = get_current_timestamp();
        let jti = self.next.fetch_add(1, Relaxed);
        let claims = Claims { sub: email.to_owned(), purpose, jti, iat, exp: iat + whole_seconds(ttl) };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).map_err(|error| {
            LabError::new(StatusCode::INTERNAL_SERVER_ERROR, "token", format!("failed to sign a token: {error}"))
        })
    }

    fn check(&self, token: &str, purpose: Use) -> Result<Claims, LabError> {
        let claims = decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|error| unauthorized(format!("the token is not valid: {error}")))?
            .claims;
        if claims.purpose != purpose {
            return Err(unauthorized("the token is of the wrong kind"));
        }
        if lock(&self.revoked).contains(&claims.jti) {
            return Err(unauthorized("the token was logged out"));
        }
        Ok(claims)
    }

    /// An access token alone, as OAuth 2.0 answers it.
    pub(super) fn access(&self, subject: &str, ttl: Duration) -> Result<Value, LabError> {
        let token = self.issue(subject, Use::Access, ttl)?;
        Ok(json!({ "access_token": token, "token_type": "Bearer", "expires_in": whole_seconds(ttl) }))
    }

    fn pair(&self, email: &str, ttl: Duration) -> Result<Json<Value>, LabError> {
        Ok(Json(json!({
            "access_token": self.issue(email, Use::Access, ttl)?,
            "refresh_token": self.issue(email, Use::Refresh, REFRESH_TTL)?,
            "token_type": "Bearer",
            "expires_in": whole_seconds(ttl),
        })))
    }
}

/// Tokens live for whole seconds, one at least and no longer than a refresh token.
fn whole_seconds(ttl: Duration) -> u64 {
    ttl.as_secs().clamp(1, REFRESH_TTL.as_secs())
}

fn unauthorized(message: impl Into<String>) -> LabError {
    LabError::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// The account of a request that carries a valid bearer token; others are answered 401.
#[derive(Debug)]
pub(super) struct Bearer(pub(super) Claims);

impl FromRequestParts<Shared> for Bearer {
    type Rejection = LabError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, LabError> {
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| unauthorized("a bearer token is needed; POST /api/auth/login gives one"))?;
        state.auth.check(token, Use::Access).map(Self)
    }
}

/// Lets a request through: all of them, or with `--require-login` those with a valid bearer token.
#[derive(Debug)]
pub(super) struct Admitted;

impl FromRequestParts<Shared> for Admitted {
    type Rejection = LabError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, LabError> {
        if state.options.require_login {
            Bearer::from_request_parts(parts, state).await?;
        }
        Ok(Self)
    }
}

#[derive(Debug, Deserialize)]
struct Credentials {
    email: String,
    password: String,
    ttl_s: Option<u64>,
}

async fn login(
    State(state): State<Shared>,
    JsonBody(credentials): JsonBody<Credentials>,
) -> Result<Json<Value>, LabError> {
    if credentials.email.is_empty() || credentials.email.len() > 320 {
        return Err(LabError::invalid("an email has from 1 to 320 characters"));
    }
    if credentials.password != state.options.password {
        return Err(LabError::new(StatusCode::UNAUTHORIZED, "bad_credentials", "email or password is wrong"));
    }
    let ttl = credentials.ttl_s.map_or(state.options.token_ttl, Duration::from_secs);
    state.auth.pair(&credentials.email, ttl)
}

#[derive(Debug, Deserialize)]
struct Refresh {
    refresh_token: String,
}

async fn refresh(State(state): State<Shared>, JsonBody(body): JsonBody<Refresh>) -> Result<Json<Value>, LabError> {
    let claims = state.auth.check(&body.refresh_token, Use::Refresh)?;
    state.auth.pair(&claims.sub, state.options.token_ttl)
}

async fn logout(State(state): State<Shared>, Bearer(claims): Bearer) -> StatusCode {
    lock(&state.auth.revoked).put(claims.jti, ());
    StatusCode::NO_CONTENT
}

async fn me(Bearer(claims): Bearer) -> Json<Value> {
    Json(json!({ "email": claims.sub, "issued_at": claims.iat, "expires_at": claims.exp }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(options: &LabOptions) -> Auth {
        Auth::new(options).expect("random numbers")
    }

    #[test]
    fn a_token_is_valid_for_its_own_use_until_it_expires() {
        let auth = new(&LabOptions::default());
        let ttl = Duration::from_secs(60);
        let token = auth.issue("a@b.c", Use::Access, ttl).expect("it can be signed");
        assert_eq!(auth.check(&token, Use::Access).expect("valid").sub, "a@b.c");
        assert!(auth.check(&token, Use::Refresh).is_err());
        assert!(new(&LabOptions::default()).check(&token, Use::Access).is_err(), "each start has its own secret");

        let now = get_current_timestamp();
        let past = Claims { sub: "a".to_owned(), purpose: Use::Access, jti: 0, iat: now - 10, exp: now - 2 };
        let expired = encode(&Header::new(Algorithm::HS256), &past, &auth.encoding).expect("it can be signed");
        assert!(auth.check(&expired, Use::Access).is_err());
    }

    #[test]
    fn a_secret_of_ones_own_outlives_a_restart() {
        let options = LabOptions { jwt_secret: Some("s".repeat(32)), ..LabOptions::default() };
        let token = new(&options).issue("a", Use::Access, Duration::from_secs(9)).expect("it can be signed");
        assert!(new(&options).check(&token, Use::Access).is_ok());
        let none = Header { alg: Algorithm::HS512, ..Header::default() };
        let claims = Claims { sub: "a".to_owned(), purpose: Use::Access, jti: 0, iat: 0, exp: u64::MAX / 2 };
        let key = EncodingKey::from_secret("s".repeat(32).as_bytes());
        let other = encode(&none, &claims, &key).expect("it can be signed");
        assert!(new(&options).check(&other, Use::Access).is_err(), "only HS256 is accepted");
    }
}
