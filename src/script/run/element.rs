//! HTML in a response: elements by CSS selector.

use std::rc::Rc;

use ego_tree::NodeId;
use rhai::{Array, Dynamic, Engine, ImmutableString};
use scraper::{ElementRef, Selector};

use super::{
    extract,
    response::Response,
    shared::{Failed, Shared},
};
use crate::{
    engine::flow::Reply,
    script::{
        direct::Registrar,
        words::{
            Form::{Call, Property},
            Receiver, Run, Stages, Word,
        },
    },
};

/// An element of a page. The page stays with its response.
#[derive(Debug, Clone)]
pub(in crate::script) struct Element {
    reply: Rc<Reply>,
    node: NodeId,
}

impl Element {
    fn of(reply: &Rc<Reply>, element: ElementRef<'_>) -> Dynamic {
        Dynamic::from(Self { reply: reply.clone(), node: element.id() })
    }

    /// Asks the element something.
    fn ask<R>(&self, question: impl FnOnce(ElementRef<'_>) -> R) -> Result<R, Failed> {
        let node = extract::html(&self.reply)?.tree.get(self.node);
        let element = node.and_then(ElementRef::wrap).ok_or("internal error: an element of no page")?;
        Ok(question(element))
    }
}

/// The text of an element and all within, without the space around it.
pub(super) fn text(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().trim().to_owned()
}

fn first(reply: &Rc<Reply>, selector: &Selector) -> Result<Dynamic, Failed> {
    let element = extract::html(reply)?.select(selector).next();
    Ok(element.map_or(Dynamic::UNIT, |element| Element::of(reply, element)))
}

fn all(reply: &Rc<Reply>, selector: &Selector) -> Result<Array, Failed> {
    Ok(extract::html(reply)?.select(selector).map(|element| Element::of(reply, element)).collect())
}

const fn method(
    on: Receiver,
    name: &'static str,
    (takes, gives): (&'static str, &'static str),
    usage: &'static str,
    about: &'static str,
    register: fn(&mut Registrar<'_>, &'static str, &Rc<Shared>),
) -> Word {
    Word { name, on, form: Call, takes, gives, usage, about, stages: Stages::Run, run: Run::Stage(register) }
}

const fn property(
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    register: fn(&mut Registrar<'_>, &'static str, &Rc<Shared>),
) -> Word {
    let (on, run) = (Receiver::Element, Run::Stage(register));
    Word { name, on, form: Property, takes: "", gives: "string", usage, about, stages: Stages::Run, run }
}

/// What a script may ask a page and its elements.
pub(in crate::script) const WORDS: &[Word] = &[
    method(
        Receiver::Response,
        "find",
        ("css: string", "Element"),
        "`res.find(\"h1\").text`",
        "The first element of an HTML body that a CSS selector fits; `()` without one.",
        |engine, name, shared| {
            let with = shared.clone();
            engine
                .register_fn(name, move |res: &mut Response, css: &str| first(&res.0, &*with.patterns.selector(css)?));
        },
    ),
    method(
        Receiver::Response,
        "find_all",
        ("css: string", "list"),
        "`res.find_all(\"li\").len()`",
        "All elements of an HTML body that a CSS selector fits.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |res: &mut Response, css: &str| all(&res.0, &*with.patterns.selector(css)?));
        },
    ),
    method(
        Receiver::Element,
        "find",
        ("css: string", "Element"),
        "`form.find(\"input\")`",
        "The first element within that a CSS selector fits; `()` without one.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |this: &mut Element, css: &str| {
                let selector = with.patterns.selector(css)?;
                this.ask(|element| {
                    element.select(&selector).next().map_or(Dynamic::UNIT, |found| Element::of(&this.reply, found))
                })
            });
        },
    ),
    method(
        Receiver::Element,
        "find_all",
        ("css: string", "list"),
        "`list.find_all(\"li\")`",
        "All elements within that a CSS selector fits.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |this: &mut Element, css: &str| {
                let selector = with.patterns.selector(css)?;
                this.ask(|element| {
                    element.select(&selector).map(|found| Element::of(&this.reply, found)).collect::<Array>()
                })
            });
        },
    ),
    method(
        Receiver::Element,
        "attr",
        ("name: string", "string"),
        "`input.attr(\"value\")`",
        "An attribute of the element; `()` without it.",
        |engine, name, _| {
            engine.register_fn(name, |this: &mut Element, name: &str| {
                this.ask(|element| element.attr(name).map_or(Dynamic::UNIT, |value| value.into()))
            });
        },
    ),
    property(
        "text",
        "`res.find(\"h1\").text`",
        "The text of the element and all within, without the space around it.",
        |engine, name, _| {
            engine.register_get(name, |this: &mut Element| this.ask(|element| ImmutableString::from(text(element))));
        },
    ),
    property("html", "`res.find(\"main\").html`", "The HTML within the element.", |engine, name, _| {
        engine.register_get(name, |this: &mut Element| this.ask(|element| element.inner_html()));
    }),
    property("tag", "`element.tag`", "The name of the element, such as `a`.", |engine, name, _| {
        engine.register_get(name, |this: &mut Element| this.ask(|element| element.value().name().to_owned()));
    }),
];

/// Registers what is no word: the text of the type.
pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("to_string", |this: &mut Element| this.ask(|element| element.html()));
}
