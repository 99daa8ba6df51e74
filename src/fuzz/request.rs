//! Requests whose parts come from elsewhere: a data file, an environment, an answer.

use url::Url;

use crate::{
    engine::{render::Compiled, user::User},
    http::{Proxy, ProxyKind},
    script::{Loaded, fuzz::with_script},
};

/// Names for the parts of an input, in their order; a NUL stands between two.
const PARTS: [&str; 7] = ["VALUE", "NAME", "PATH", "FIELD", "COOKIE", "TARGET", "METHOD"];

const SCRIPT: &str = r##"
    target(env("TARGET", "http://127.0.0.1:8080/base"));
    let number = int(1, 9);
    let request = request(env("METHOD", "POST"), `/${env("PATH", "a")}/${number}`)
        .name("it")
        .query(env("NAME", "k"), env("VALUE", ""))
        .header(env("FIELD", "x-own"), env("VALUE", ""))
        .cookie("c", env("COOKIE", "d"))
        .json(#{ value: env("VALUE", ""), number: number });
    phase("p").run(request).iterations(1);
"##;

/// Writes a request from a template into which the bytes are put at each place that has rules of its own.
///
/// Holds: whatever is accepted makes one request of the fields that the script gave, and a query and a body that say
/// what was put into them.
pub fn request(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // The marks that stand for generators are text of the script's own.
    if text.contains('\u{e000}') {
        return;
    }
    let given = PARTS.into_iter().zip(text.split('\0')).filter(|(_, value)| !value.is_empty());
    let env: Vec<(String, String)> = given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let value = |name: &str, default: &str| {
        env.iter().find(|(of, _)| of == name).map_or_else(|| default.to_owned(), |(_, value)| value.clone())
    };
    let (value, name, field) = (value("VALUE", ""), value("NAME", "k"), value("FIELD", "x-own"));
    let Some((wire, body_at)) = with_script(SCRIPT, env.clone(), |loaded| loaded.ok().map(|loaded| written(&loaded)))
    else {
        return;
    };
    let (head, body) = wire.split_at(body_at);
    let shown = String::from_utf8_lossy(head).into_owned();
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut request = httparse::Request::new(&mut fields);
    assert_eq!(request.parse(head), Ok(httparse::Status::Complete(head.len())), "{shown}");
    let known = ["host", "user-agent", "accept", "cookie", "content-type", "content-length"];
    for found in request.headers.iter() {
        let is_own = found.name.eq_ignore_ascii_case(&field);
        assert!(is_own || known.iter().any(|name| found.name.eq_ignore_ascii_case(name)), "{shown}");
    }
    let path = request.path.unwrap_or_default();
    let url = Url::parse(&format!("http://host{path}")).unwrap_or_else(|error| panic!("{error}: {shown}"));
    let pair = url.query_pairs().last().map(|(name, value)| (name.into_owned(), value.into_owned()));
    assert_eq!(pair, Some((name, value.clone())), "{shown}");
    let body: serde_json::Value = serde_json::from_slice(body).expect("the body is JSON");
    assert_eq!(body["value"], value);
    assert!(body["number"].is_i64());
}

fn written(loaded: &Loaded) -> (Vec<u8>, usize) {
    let compiled = Compiled::new(&loaded.plan.templates[0], &loaded.plan);
    let user = User::new(1, 7);
    let (mut wire, mut scratch) = (Vec::new(), Vec::new());
    let body_at = user.draw(0, |context| compiled.write(&mut wire, &mut scratch, &user, &loaded.drawers, context));
    (wire, body_at.expect("there is no data set that could end"))
}

/// Takes the bytes as the address of a proxy.
///
/// Holds: what is accepted can be written without its password, and names the same proxy then.
pub fn proxy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(proxy) = Proxy::parse(text) else { return };
    let scheme = match proxy.kind {
        ProxyKind::Http => "http",
        ProxyKind::Socks5 => "socks5",
        ProxyKind::Socks5h => "socks5h",
    };
    let host = if proxy.host.contains(':') { format!("[{}]", proxy.host) } else { proxy.host.clone() };
    let again = Proxy::parse(&format!("{scheme}://{host}:{}", proxy.port));
    assert_eq!(again, Ok(Proxy { login: None, ..proxy.clone() }), "{text}");
    if let Some((user, password)) = proxy.login.as_ref().filter(|(_, password)| password.len() > 8) {
        assert!(
            !format!("{proxy} {proxy:?}").contains(password.as_str()) || host.contains(password.as_str()),
            "{user}"
        );
    }
}
