//! Made-up values that look like those of people and companies. Each is a function of the iteration's random numbers
//! alone. None can belong to anybody: mail goes to `example.com`, telephone numbers are those reserved for
//! fiction, card numbers are the ones that payment providers publish for tests.

use fake::{
    Fake,
    faker::{
        address::en::{BuildingNumber, CityName, CountryCode, CountryName, StateName, StreetName},
        company::en::{Buzzword, CatchPhrase, CompanyName, Industry},
        internet::en::UserAgent,
        job::en::Title,
        lorem::en::{Paragraph, Sentence, Word},
        name::en::{FirstName, LastName},
    },
};
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

/// Makes one value.
pub(super) type Make = fn(&mut Xoshiro256PlusPlus) -> String;

/// Every kind: its name, and how it is made. In the order of the guide.
const KINDS: &[(&str, Make)] = &[
    ("name", |rng| format!("{} {}", first(rng), last(rng))),
    ("first_name", |rng| first(rng).to_owned()),
    ("last_name", |rng| last(rng).to_owned()),
    ("username", |rng| format!("{}{}", plain(first(rng)), rng.random_range(1..10_000))),
    ("email", |rng| format!("{}.{}{}@example.com", plain(first(rng)), plain(last(rng)), rng.random_range(1..10_000))),
    ("password", |rng| (0..14).map(|_| char::from(PASSWORD[rng.random_range(0..PASSWORD.len())])).collect()),
    ("phone", |rng| format!("+1-{}-555-01{:02}", rng.random_range(200..1000), rng.random_range(0..100))),
    ("address", |rng| format!("{}, {} {}", street(rng), CityName().fake_with_rng::<String, _>(rng), zip(rng))),
    ("street", street),
    ("city", |rng| CityName().fake_with_rng(rng)),
    ("state", |rng| StateName().fake_with_rng(rng)),
    ("zip", zip),
    ("country", |rng| CountryName().fake_with_rng(rng)),
    ("country_code", |rng| CountryCode().fake_with_rng(rng)),
    ("latitude", |rng| format!("{:.6}", rng.random_range(-90.0..=90.0_f64))),
    ("longitude", |rng| format!("{:.6}", rng.random_range(-180.0..=180.0_f64))),
    ("company", |rng| CompanyName().fake_with_rng(rng)),
    ("industry", |rng| Industry().fake_with_rng(rng)),
    ("job", |rng| Title().fake_with_rng(rng)),
    ("catch_phrase", |rng| CatchPhrase().fake_with_rng(rng)),
    ("product", |rng| format!("{} {}", Buzzword().fake_with_rng::<String, _>(rng), word(rng))),
    ("word", word),
    ("sentence", |rng| Sentence(5..12).fake_with_rng(rng)),
    ("paragraph", |rng| Paragraph(3..7).fake_with_rng(rng)),
    ("domain", |rng| format!("{}-{}.example.com", word(rng), word(rng))),
    ("url", |rng| format!("https://{}.example.com/{}", word(rng), word(rng))),
    ("ipv4", |rng| {
        let [_, b, c, d] = rng.random::<[u8; 4]>();
        // Neither this network, nor this host, nor multicast.
        let a = rng.random_range(1..224_u8);
        format!("{}.{b}.{c}.{d}", if a == 127 { 126 } else { a })
    }),
    ("ipv6", |rng| std::net::Ipv6Addr::from(0x2001_0db8 << 96 | u128::from(rng.random::<u64>())).to_string()),
    ("user_agent", |rng| UserAgent().fake_with_rng(rng)),
    ("credit_card", |rng| CARDS[rng.random_range(0..CARDS.len())].to_owned()),
    ("date", |rng| {
        // The days of a month that every month has.
        let (year, month, day) = (rng.random_range(1940..2006), rng.random_range(1..=12), rng.random_range(1..=28));
        format!("{year}-{month:02}-{day:02}")
    }),
];

/// Without characters that look alike.
const PASSWORD: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789!#%+-_=";

/// Numbers that payment providers publish for tests; their check digits are right.
const CARDS: &[&str] = &[
    "4242424242424242",
    "4111111111111111",
    "4012888888881881",
    "4000056655665556",
    "5555555555554444",
    "5105105105105100",
    "2223003122003222",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "3566002020360505",
    "30569309025904",
];

/// The names of all kinds.
pub fn fake_kinds() -> impl Iterator<Item = &'static str> + Clone {
    KINDS.iter().map(|(name, _)| *name)
}

/// How a kind is made, if there is such a kind.
pub(super) fn maker(kind: &str) -> Option<Make> {
    KINDS.iter().find(|(name, _)| *name == kind).map(|(_, make)| *make)
}

fn first(rng: &mut Xoshiro256PlusPlus) -> &'static str {
    FirstName().fake_with_rng(rng)
}

fn last(rng: &mut Xoshiro256PlusPlus) -> &'static str {
    LastName().fake_with_rng(rng)
}

fn word(rng: &mut Xoshiro256PlusPlus) -> String {
    Word().fake_with_rng(rng)
}

fn street(rng: &mut Xoshiro256PlusPlus) -> String {
    let number: String = BuildingNumber().fake_with_rng(rng);
    format!("{number} {}", StreetName().fake_with_rng::<String, _>(rng))
}

fn zip(rng: &mut Xoshiro256PlusPlus) -> String {
    format!("{:05}", rng.random_range(501..99_951))
}

/// Letters only, lower case: fit for the name of an account.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn of(kind: &str, seed: u64) -> String {
        maker(kind).expect("a kind")(&mut Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    #[test]
    fn every_kind_is_a_function_of_its_seed() {
        for kind in fake_kinds() {
            let values: Vec<String> = (0..50).map(|seed| of(kind, seed)).collect();
            assert_eq!(values, (0..50).map(|seed| of(kind, seed)).collect::<Vec<_>>(), "{kind}");
            assert!(values.iter().all(|value| !value.is_empty()), "{kind}");
            assert!(values.iter().any(|value| *value != values[0]), "{kind} is always {}", values[0]);
        }
    }

    /// A library whose words change would change the traffic of a seed without a word.
    #[test]
    fn a_seed_keeps_its_values_from_version_to_version() {
        let shown: Vec<String> = fake_kinds().map(|kind| format!("{kind}: {}", of(kind, 7))).collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn nothing_made_up_belongs_to_anybody() {
        for seed in 0..500 {
            let (email, phone) = (of("email", seed), of("phone", seed));
            assert!(email.ends_with("@example.com"), "{email}");
            assert!(email.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".@".contains(&byte)), "{email}");
            assert!(phone.len() == 15 && phone[6..13] == *"-555-01", "{phone}");
            assert!(luhn(&of("credit_card", seed)));
            assert!(of("ipv4", seed).parse::<std::net::Ipv4Addr>().is_ok_and(|ip| !ip.is_loopback()));
            assert!(of("ipv6", seed).starts_with("2001:db8:"));
        }
    }

    fn luhn(number: &str) -> bool {
        let sum: u32 = number
            .bytes()
            .rev()
            .enumerate()
            .map(|(at, digit)| match (u32::from(digit - b'0'), at % 2) {
                (digit, 0) => digit,
                (digit, _) => digit * 2 / 10 + digit * 2 % 10,
            })
            .sum();
        sum.is_multiple_of(10)
    }
}
