//! Fields of JSON that are found without a tree, in arbitrary bytes (see [`crate::fuzz`]).

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::json::{Part, find, parse_path};

/// Takes the first line as a path, and looks it up in the rest.
///
/// Holds: in what serde reads, the value found is the one that the path names.
pub fn json(data: &[u8]) {
    let at = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (path, json) = (&data[..at], data.get(at + 1..).unwrap_or_default());
    let Some(parts) = std::str::from_utf8(path).ok().and_then(|path| parse_path(path).ok()) else { return };
    let found = find(json, &parts);
    let Ok(node) = serde_json::from_slice::<Node>(json) else { return };
    let found = found.map(|text| serde_json::from_slice::<Node>(text).expect("a value of JSON is JSON"));
    assert_eq!(found.as_ref(), named(&node, &parts), "{parts:?}");
}

/// A value in which objects keep what they have twice.
#[derive(Debug, PartialEq)]
enum Node {
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Leaf(Value),
}

/// The first value that the path names, found in the tree.
fn named<'a>(node: &'a Node, path: &[Part<'_>]) -> Option<&'a Node> {
    let Some((first, rest)) = path.split_first() else { return Some(node) };
    let member = |name: &str| match node {
        Node::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
        _ => None,
    };
    match (first, node) {
        (Part::Name(name), _) => named(member(name)?, rest),
        (Part::Index(index), Node::Array(items)) => {
            let back = || items.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?);
            let at = usize::try_from(*index).ok().or_else(back)?;
            named(items.get(at)?, rest)
        }
        (Part::Index(_), _) => None,
        (Part::Anywhere(name), _) => member(name).and_then(|value| named(value, rest)).or_else(|| match node {
            Node::Object(members) => members.iter().find_map(|(_, value)| named(value, path)),
            Node::Array(items) => items.iter().find_map(|value| named(value, path)),
            Node::Leaf(_) => None,
        }),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut read = Vec::new();
        while let Some(item) = items.next_element()? {
            read.push(item);
        }
        Ok(Node::Array(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut read = Vec::new();
        while let Some(member) = members.next_entry()? {
            read.push(member);
        }
        Ok(Node::Object(read))
    }
}
