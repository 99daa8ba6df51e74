//! The tables against the engine: each word works as its row says, and nothing is without a row.

use std::{any::TypeId, cell::RefCell, collections::BTreeSet, rc::Rc};

use rhai::{Engine, FLOAT, INT};

use super::*;
use crate::{
    clock::{Clock, Origin},
    measure::Recorder,
    protocol::BufferPool,
    script::tests::loaded,
};

/// A registered function: name, the receiver it takes first (if it takes one), number of further arguments.
type Entry = (String, Option<Receiver>, usize);

/// What an engine knows beyond the language itself. Rhai calls the getter of a property `get$name`.
fn registered(engine: &Engine) -> BTreeSet<Entry> {
    let receivers = [
        (TypeId::of::<INT>(), Receiver::Number),
        (TypeId::of::<FLOAT>(), Receiver::Number),
        (TypeId::of::<Span>(), Receiver::Duration),
        (TypeId::of::<run::Vu>(), Receiver::Vu),
        (TypeId::of::<run::Response>(), Receiver::Response),
        (TypeId::of::<run::Element>(), Receiver::Element),
        (TypeId::of::<run::WebSocket>(), Receiver::WebSocket),
        (TypeId::of::<run::Message>(), Receiver::Message),
        (TypeId::of::<run::Events>(), Receiver::Events),
        (TypeId::of::<run::Event>(), Receiver::Event),
    ];
    let receiver_of = |id: &TypeId| {
        let of_tables = Receiver::METHODS.iter().copied().find(|receiver| type_id(*receiver) == Some(*id));
        of_tables.or_else(|| receivers.iter().find(|(known, _)| known == id).map(|&(_, receiver)| receiver))
    };
    let entries = engine.collect_fn_metadata(
        None,
        |info| {
            let metadata = info.metadata;
            let receiver = metadata.param_types.first().and_then(receiver_of);
            let rest = metadata.num_params - usize::from(receiver.is_some());
            Some((metadata.name.to_string(), receiver, rest))
        },
        false,
    );
    entries.into_iter().collect()
}

/// What needs no row: operators, texts of values, indexers, and Rhai's `sleep` refused.
fn is_plumbing(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_alphabetic())
        || matches!(name, "to_string" | "to_debug" | "sleep")
        || name.starts_with("index$")
}

fn rows(of: impl Fn(&Word) -> bool) -> BTreeSet<Entry> {
    words()
        .filter(|word| of(word))
        .flat_map(|word| {
            let (least, most) = word.args();
            let receiver = (word.on != Receiver::Global).then_some(word.on);
            let name = match word.form {
                Form::Call => word.name.to_owned(),
                Form::Property => format!("get${}", word.name),
            };
            (least..=most).map(move |count| (name.clone(), receiver, count))
        })
        .collect()
}

/// What the engine of a worker knows: it has both stages.
fn registered_by_a_worker() -> BTreeSet<Entry> {
    let text = "target(\"http://h\"); phase(\"p\").run(get(\"/\")).users(1).during(1.s);";
    loaded(text, |loaded| {
        let clock = Clock::real(Origin::now());
        let recorder = Rc::new(RefCell::new(Recorder::new()));
        let runtime = run::Runtime::new(loaded, clock, recorder, BufferPool::default(), 0);
        registered(runtime.engine())
    })
}

#[test]
fn each_row_is_registered_as_it_says_and_nothing_is_without_a_row() {
    let registered = registered_by_a_worker();
    let promised = rows(|word| !matches!(word.run, Run::Language));
    let missing: Vec<&Entry> = promised.difference(&registered).collect();
    assert!(missing.is_empty(), "rows that the engine does not know (name, receiver, arguments): {missing:?}");
    let extra: Vec<&Entry> = registered.difference(&promised).filter(|(name, ..)| !is_plumbing(name)).collect();
    assert!(extra.is_empty(), "functions of the engine without a row: {extra:?}");
}

#[test]
fn what_only_a_virtual_user_can_do_is_unknown_at_the_top_level() {
    let text = "target(\"http://h\"); phase(\"p\").run(get(\"/\")).users(1).during(1.s);";
    let registered = loaded(text, |loaded| registered(&loaded.engine));
    let stage = rows(|word| word.stages == Stages::Run);
    assert!(stage.len() > 30, "{stage:?}");
    assert_eq!(stage.intersection(&registered).collect::<Vec<_>>(), Vec::<&Entry>::new());
}

#[test]
fn each_row_has_a_signature_a_sentence_and_an_example() {
    let mut seen = BTreeSet::new();
    for word in words() {
        let shown = word.signature();
        assert!(word.about.ends_with('.') && !word.about.starts_with(char::is_lowercase), "{shown}: {}", word.about);
        assert!(word.usage.contains('`') && word.usage.contains(word.name), "{shown}: {}", word.usage);
        assert!(seen.insert((word.on.type_name(), word.name)), "{shown} is there twice");
        let params = word.params();
        assert_eq!(params.is_empty(), word.takes.is_empty(), "{shown}");
        let needed = params.iter().position(|param| param.optional).unwrap_or(params.len());
        assert!(params[needed..].iter().all(|param| param.optional), "{shown}: what may be left out comes last");
        let is_known = |name: &str| TYPES.iter().any(|(known, _)| *known == name);
        for param in &params {
            let closure = |name: &str| name.starts_with("Fn(") && name.ends_with(')');
            assert!(param.types.iter().all(|name| closure(name) || is_known(name)), "{shown}");
        }
        assert!(is_known(word.gives), "{shown}");
        assert!(word.form == Form::Call || params.is_empty(), "{shown}");
    }
    let used = |name: &str| words().any(|word| word.gives == name || word.takes.contains(name));
    let unused: Vec<&str> = TYPES.iter().map(|(name, _)| *name).filter(|name| !used(name)).collect();
    assert!(unused.is_empty(), "types of no signature: {unused:?}");
}
