//! Encodings, digests and signed tokens: what requests need computed.

use base64::{
    Engine as _,
    alphabet::{STANDARD as STANDARD_ALPHABET, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};
use hmac::{Hmac, KeyInit, Mac};
use rhai::{Blob, Dynamic, ImmutableString, Map};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{CheckedFn, Form::Call as Written, Receiver::Global, Run, Stages::Both, Word};
use crate::{
    plan::suggest,
    script::{Fallible, body, call::Call, text::has_mark},
};

const fn word(
    name: &'static str,
    takes: &'static str,
    gives: &'static str,
    usage: &'static str,
    about: &'static str,
    run: CheckedFn,
) -> Word {
    Word { name, on: Global, form: Written, takes, gives, usage, about, stages: Both, run: Run::Checked(run) }
}

pub(super) const WORDS: &[Word] = &[
    word(
        "base64",
        "data: string | bytes",
        "string",
        "`base64(\"user:password\")`",
        "The data in base64, padded.",
        |call, _, args| text(bytes(call, &args[0]).map(|data| general_purpose::STANDARD.encode(data))),
    ),
    word(
        "base64_url",
        "data: string | bytes",
        "string",
        "`base64_url(\"…\")`",
        "The data in the URL-safe form of base64, without padding.",
        |call, _, args| text(bytes(call, &args[0]).map(|data| general_purpose::URL_SAFE_NO_PAD.encode(data))),
    ),
    word(
        "base64_decode",
        "text: string",
        "string",
        "`base64_decode(\"aGk=\")`",
        "The text that a base64 stands for, in either alphabet, padded or not.",
        |call, _, args| {
            let bytes = decode(call, &args[0]);
            text(bytes.and_then(|bytes| {
                let wrong = |_| call.wrong("the base64 holds no text (UTF-8)", "use `base64_decode_bytes`");
                String::from_utf8(bytes).map_err(wrong).ok()
            }))
        },
    ),
    word(
        "base64_decode_bytes",
        "text: string",
        "bytes",
        "`base64_decode_bytes(\"aGk=\")`",
        "The bytes that a base64 stands for, in either alphabet, padded or not.",
        |call, _, args| Dynamic::from_blob(decode(call, &args[0]).unwrap_or_default()),
    ),
    word(
        "sha256",
        "data: string | bytes, form?: string",
        "any",
        "`sha256(\"…\")`",
        "The SHA-256 digest in hexadecimal, or as \"base64\", \"base64url\" or \"bytes\".",
        |call, _, args| match bytes(call, &args[0]) {
            Some(data) => digest(call, &Sha256::digest(&data), args.get(1)),
            None => "".into(),
        },
    ),
    word(
        "hmac_sha256",
        "key: string | bytes, data: string | bytes, form?: string",
        "any",
        "`hmac_sha256(key, \"…\")`",
        "The HMAC with SHA-256 in hexadecimal, or as \"base64\", \"base64url\" or \"bytes\".",
        |call, _, args| match bytes(call, &args[0]).zip(bytes(call, &args[1])) {
            Some((key, data)) => digest(call, &hmac::<Hmac<Sha256>>(&key, &data), args.get(2)),
            None => "".into(),
        },
    ),
    word(
        "jwt",
        "claims: map, secret: string | bytes, options?: map",
        "string",
        "`jwt(#{ sub: \"ann\", exp: now() / 1000 + 60 }, secret(\"KEY\"))`",
        "A JSON Web Token signed with HS256, or by `alg` of the options; their `header` is added to its header.",
        |call, _, mut args| {
            let options = (args.len() > 2).then(|| args.remove(2));
            text(jwt(call, &args[0], &args[1], options))
        },
    ),
    word(
        "url_decode",
        "text: string",
        "string",
        "`url_decode(\"a%20b\")`",
        "A text without its percent-encoding.",
        |call, _, args| {
            let decoded =
                |text: ImmutableString| percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into();
            text(call.text(&args[0]).map(decoded))
        },
    ),
    Word {
        name: "parse_json",
        on: Global,
        form: Written,
        takes: "text: string",
        gives: "any",
        usage: "`parse_json(\"[1, 2]\")`",
        about: "The value that a JSON text stands for.",
        stages: Both,
        // By exact types, or the language's own would be found, which takes objects alone.
        run: Run::Exact(|engine, name| {
            engine.register_fn(name, |text: &str| -> Fallible<Dynamic> {
                serde_json::from_str(text).map_err(|error| format!("the text is not JSON: {error}").into())
            });
        }),
    },
    word("to_json", "value: any", "string", "`to_json(#{ a: 1 })`", "A value as JSON text.", |call, _, args| {
        text(fixed_json(call, &args[0]))
    }),
];

/// What went wrong has been reported; an empty text stands in.
fn text(text: Option<String>) -> Dynamic {
    text.unwrap_or_default().into()
}

fn refuse_drawn(call: &Call<'_>) {
    call.wrong(
        format!("`{}` cannot work on a value that is drawn for each request", call.word.name),
        "draw the value within a flow, and compute there",
    );
}

fn bytes(call: &Call<'_>, value: &Dynamic) -> Option<Blob> {
    if let Some(bytes) = value.read_lock::<Blob>() {
        return Some(bytes.clone());
    }
    let Some(text) = value.read_lock::<ImmutableString>() else {
        return call.mismatch("a text or bytes", value);
    };
    if has_mark(&text) {
        refuse_drawn(call);
        return None;
    }
    Some(text.as_bytes().to_vec())
}

fn decode(call: &Call<'_>, value: &Dynamic) -> Option<Blob> {
    let text = call.text(value)?;
    let alphabet = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD_ALPHABET };
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let decoded = GeneralPurpose::new(&alphabet, lenient).decode(text.trim());
    decoded.map_err(|error| call.wrong(format!("the text is not base64: {error}"), "")).ok()
}

fn hmac<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    // An HMAC takes keys of any length.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

const FORMS: [&str; 4] = ["hex", "base64", "base64url", "bytes"];

fn digest(call: &Call<'_>, digest: &[u8], form: Option<&Dynamic>) -> Dynamic {
    let form = match form.map(|form| call.text(form)) {
        None => "hex".into(),
        Some(None) => return "".into(),
        Some(Some(form)) => form,
    };
    match form.as_str() {
        "hex" => digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
        "base64" => general_purpose::STANDARD.encode(digest).into(),
        "base64url" => general_purpose::URL_SAFE_NO_PAD.encode(digest).into(),
        "bytes" => Dynamic::from_blob(digest.to_vec()),
        other => {
            call.wrong(format!("a digest has no form {other:?}"), suggest(other, FORMS, "form"));
            "".into()
        }
    }
}

fn fixed_json(call: &Call<'_>, value: &Dynamic) -> Option<String> {
    let json = body::json(call, value)?.as_literal();
    if json.is_none() {
        refuse_drawn(call);
    }
    json
}

/// RFC 7519 in the compact form of RFC 7515.
fn jwt(call: &Call<'_>, claims: &Dynamic, secret: &Dynamic, options: Option<Dynamic>) -> Option<String> {
    const OPTIONS: [&str; 2] = ["alg", "header"];
    const ALGORITHMS: [&str; 3] = ["HS256", "HS384", "HS512"];
    if !claims.is_map() {
        return call.mismatch("a map of claims", claims);
    }
    let secret = bytes(call, secret)?;
    let mut algorithm = ImmutableString::from("HS256");
    let mut header = Map::from([("typ".into(), "JWT".into())]);
    for (name, value) in options.map_or(Some(Map::new()), |options| call.map(options, "a map of options"))? {
        match name.as_str() {
            "alg" => algorithm = call.text(&value)?,
            "header" => header.extend(call.map(value, "a map of header fields")?),
            other => {
                call.wrong(format!("`jwt` has no option `{other}`"), suggest(other, OPTIONS, "option"));
                return None;
            }
        }
    }
    header.insert("alg".into(), algorithm.clone().into());
    let part = |json: String| general_purpose::URL_SAFE_NO_PAD.encode(json);
    let header = fixed_json(call, &header.into()).map(part)?;
    let message = format!("{header}.{}", fixed_json(call, claims).map(part)?);
    let signature = match algorithm.as_str() {
        "HS256" => hmac::<Hmac<Sha256>>(&secret, message.as_bytes()),
        "HS384" => hmac::<Hmac<Sha384>>(&secret, message.as_bytes()),
        "HS512" => hmac::<Hmac<Sha512>>(&secret, message.as_bytes()),
        other => {
            call.wrong(format!("`jwt` does not sign with {other:?}"), suggest(other, ALGORITHMS, "algorithm"));
            return None;
        }
    };
    Some(format!("{message}.{}", general_purpose::URL_SAFE_NO_PAD.encode(signature)))
}

#[cfg(test)]
mod tests {
    use crate::script::tests::loaded;

    /// What the top level prints as its notes.
    fn notes(script: &str) -> Vec<String> {
        let text =
            format!("{script}\ntarget(\"http://127.0.0.1:1\"); phase(\"p\").run(get(\"/\")).users(1).during(1.s);");
        loaded(&text, |loaded| loaded.plan.notes.clone())
    }

    #[test]
    fn encodings_agree_with_their_standards() {
        // RFC 4648 section 10, FIPS 180-2 appendix B.1, RFC 4231 section 4.3.
        let given = notes(
            r#"note(base64("foob")); note(base64_url("\xFB\xEF\xFF")); note(base64_decode("Zm9v"));
            note(base64_decode("Zm9vYg")); note(`${base64_decode_bytes("--__") == base64_decode_bytes("++//")}`);
            note(sha256("abc")); note(sha256("abc", "base64"));
            note(hmac_sha256("Jefe", "what do ya want for nothing?"));
            note(hmac_sha256("Jefe", "what do ya want for nothing?", "base64url"));
            note(hmac_sha256(base64_decode_bytes("SmVmZQ=="), "what do ya want for nothing?"));
            note(url_decode("a%20b%26c")); note(`${parse_json("[1, {\"a\": 2.5}]")[1].a}`);
            note(to_json(#{ b: [1, 2.5, "x\"", ()], a: true }));"#,
        );
        assert_eq!(
            given,
            [
                "Zm9vYg==",
                "w7vDr8O_",
                "foo",
                "foob",
                "true",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
                "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
                "a b&c",
                "2.5",
                r#"{"a":true,"b":[1,2.5,"x\"",null]}"#,
            ]
        );
    }

    #[test]
    fn a_token_is_accepted_by_another_implementation() {
        use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
        let tokens = notes(
            r#"let claims = #{ sub: "ann", exp: 4102444800, roles: ["admin"] };
            note(jwt(claims, "key"));
            note(jwt(claims, "key", #{ alg: "HS512", header: #{ kid: "k1" } }));"#,
        );
        for (token, algorithm) in tokens.iter().zip([Algorithm::HS256, Algorithm::HS512]) {
            let key = |key: &[u8]| {
                decode::<serde_json::Value>(token, &DecodingKey::from_secret(key), &Validation::new(algorithm))
            };
            let decoded = key(b"key").expect("a valid token");
            assert_eq!((&decoded.claims["sub"], &decoded.claims["roles"][0]), (&"ann".into(), &"admin".into()));
            assert!(key(b"another key").is_err());
        }
        assert_eq!(decode_header(&tokens[1]).expect("a header").kid.as_deref(), Some("k1"));
    }
}
