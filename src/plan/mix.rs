//! Weighted choices.

use serde::Serialize;

use super::{FlowId, Place, TemplateId};

/// What an iteration does, chosen by weight.
#[derive(Debug, Clone, Serialize)]
pub struct Mix {
    /// The choices; never empty.
    pub entries: Vec<MixEntry>,
    /// How they are dealt.
    pub deal: Deal,
    /// Where it was declared.
    #[serde(skip)]
    pub at: Place,
}

/// One choice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MixEntry {
    /// Any positive number.
    pub weight: f64,
    /// What is done.
    pub step: Step,
}

/// What an iteration may consist of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Step {
    /// One native request.
    Template(TemplateId),
    /// A closure.
    Flow(FlowId),
}

/// How a mix is dealt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Deal {
    /// From a seeded shuffled deck: exact over every whole deck.
    Deck,
    /// Each draw on its own.
    Random,
}
