//! What targets of databases have in common: addresses with logins, and the names of their rows.

use rhai::Dynamic;

use super::target::TargetHandle;
use crate::{
    plan::{Login, Piece, Protocol, Target, Text},
    protocol::TargetId,
    script::call::Call,
};

/// An address, taken apart.
pub(super) struct Given {
    /// With its port; without user and password.
    pub(super) url: url::Url,
    login: Login,
}

impl Given {
    /// Reads `host:port`, `host` or a whole address. Mistakes are told without the password.
    pub(super) fn parse(call: &Call<'_>, protocol: Protocol, address: &str) -> Option<Self> {
        let row = protocol.row();
        if address.is_empty() && !call.state.problems.borrow().is_empty() {
            // A variable without value, which is reported.
            return None;
        }
        let help = || format!("write {}", call.word.usage);
        let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let text = if address.contains("://") { address.to_owned() } else { format!("{}://{address}", row.schemes[0]) };
        let mut url = match url::Url::parse(&text) {
            Ok(mut url) => {
                if row.secure.is_none() && asks_for_no_tls(&url) {
                    url.set_query(None);
                }
                url
            }
            Err(error) => {
                call.wrong(format!("this is no address of {}: {error}", row.name), help());
                return None;
            }
        };
        // Before anything is told of the address.
        let password = url.password().map(decode);
        if let Some(password) = &password {
            call.state.redactor.add(password);
        }
        let wrong = match &url {
            url if Protocol::of(url) != protocol || !row.schemes.contains(&url.scheme()) => {
                format!("the address has the scheme `{}`, not `{}`", url.scheme(), row.schemes[0])
            }
            url if url.host_str().unwrap_or_default().is_empty() => "the address has no host".to_owned(),
            url if row.secure.is_none() && asks_for_tls(url) => {
                format!("the address asks for TLS, and loadr speaks {} in cleartext only", row.name)
            }
            url if url.query().is_some() || url.fragment().is_some() => {
                "the address has a query: options have words of their own, such as `.timeout(5.s)`".to_owned()
            }
            _ => String::new(),
        };
        if !wrong.is_empty() {
            call.wrong(wrong, help());
            return None;
        }
        let user = Some(decode(url.username())).filter(|user| !user.is_empty());
        // Fails only for addresses without a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let _ = url.set_port(Some(url.port().unwrap_or(row.port)));
        Some(Self { url, login: Login { user, password } })
    }
}

/// The options of an address, in the words of the drivers of databases.
fn options(url: &url::Url) -> impl Iterator<Item = (String, String)> {
    url.query_pairs().map(|(key, value)| (key.to_lowercase().replace('-', ""), value.to_lowercase()))
}

fn asks_for_tls(url: &url::Url) -> bool {
    options(url).any(|(key, _)| key.contains("ssl") || key.contains("tls"))
}

/// All that it says is that there need be no TLS, which is so in any case.
fn asks_for_no_tls(url: &url::Url) -> bool {
    const FINE: &[&str] = &["disable", "disabled", "allow", "prefer", "preferred", "false"];
    options(url).all(|(key, value)| ["sslmode", "tls", "ssl"].contains(&key.as_str()) && FINE.contains(&&*value))
}

/// Adds a target to the plan; a stand-in where the address was no good, which has been reported.
pub(super) fn declare(call: &Call<'_>, given: Option<Given>, protocol: Protocol) -> Dynamic {
    let mut plan = call.state.plan.borrow_mut();
    if plan.targets.len() >= usize::from(u16::MAX) {
        drop(plan);
        call.wrong("a script has at most 65535 targets", "");
        return Dynamic::from(TargetHandle(TargetId(0)));
    }
    let stand_in = || {
        let url = url::Url::parse(&format!("{}://127.0.0.1", protocol.row().schemes[0])).ok()?;
        Some(Given { url, login: Login::default() })
    };
    if let Some(Given { url, login }) = given.or_else(stand_in) {
        plan.targets.push(Target { login, cookies: false, ..Target::new(url, call.place()) });
    }
    Dynamic::from(TargetHandle(TargetId((plan.targets.len() - 1) as u16)))
}

/// Tells where a word is used on a target that speaks something else.
pub(super) fn expect_protocol(call: &Call<'_>, target: TargetHandle, wanted: Protocol) {
    let found = spoken(call, target);
    if found != wanted {
        misplaced(call, found, wanted.row().name, &format!("`{}`", wanted.row().usage));
    }
}

/// Tells where a word of SQL is used on a target that does not speak it. Gives what it speaks, or stands for that.
pub(super) fn expect_sql(call: &Call<'_>, target: TargetHandle) -> Protocol {
    let (postgres, mysql) = (Protocol::Postgres.row(), Protocol::Mysql.row());
    let found = spoken(call, target);
    if [postgres.protocol, mysql.protocol].contains(&found) {
        return found;
    }
    misplaced(call, found, "SQL", &format!("`{}` or `{}`", postgres.usage, mysql.usage));
    postgres.protocol
}

fn spoken(call: &Call<'_>, target: TargetHandle) -> Protocol {
    call.state.plan.borrow().targets[usize::from(target.0.0)].protocol()
}

fn misplaced(call: &Call<'_>, found: Protocol, wanted: &str, usage: &str) {
    let help = match found {
        Protocol::Http => format!("ask it by `get(\"/path\")` and its kin, or declare {usage}"),
        _ => format!("declare {usage}"),
    };
    let found = found.row().name;
    call.wrong(format!("`.{}` is of {wanted}, and this target speaks {found}", call.word.name), help);
}

/// A name for the rows of a key that is known only when a closure runs: parts with digits are shown as `{…}`, or each
/// key would be a row of its own.
pub(super) fn pattern(key: &Text) -> Text {
    let Text(pieces) = key;
    let shown = pieces.iter().map(|piece| match piece {
        Piece::Literal(text) => text.as_str(),
        Piece::Draw(..) => "0",
    });
    let text: String = shown.collect();
    let mut out = String::new();
    for part in text.split_inclusive([':', '/', '.', '|', ' ']) {
        let name = part.trim_end_matches([':', '/', '.', '|', ' ']);
        let has_digit = name.bytes().any(|byte| byte.is_ascii_digit());
        out.push_str(if has_digit || name.chars().count() > 40 { "{…}" } else { name });
        out.push_str(&part[name.len()..]);
    }
    Text::literal(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_addresses_ask_for_tls_or_not() {
        for (query, tls, none) in [
            ("", false, true),
            ("?sslmode=disable", false, true),
            ("?ssl-mode=PREFERRED", false, true),
            ("?sslmode=require", true, false),
            ("?tls=true&x=1", true, false),
            ("?connect_timeout=5", false, false),
        ] {
            let url = url::Url::parse(&format!("postgres://host/db{query}")).expect("an address");
            assert_eq!((asks_for_tls(&url) && !asks_for_no_tls(&url), asks_for_no_tls(&url)), (tls, none), "{query}");
        }
    }

    #[test]
    fn keys_of_one_kind_make_one_row() {
        for (key, shown) in [
            ("item:17", "item:{…}"),
            ("user:ab12:cart", "user:{…}:cart"),
            ("config", "config"),
            ("a/b.7 x", "a/b.{…} x"),
            ("", ""),
            (":", ":"),
        ] {
            assert_eq!(pattern(&Text::literal(key)), Text::literal(shown));
        }
    }
}
