//! What the copies of functions are made of, and how it is evaluated.

use std::cmp::Ordering;

use rhai::{
    Dynamic, EvalAltResult, EvalContext, Expr, Expression, FnArgsVec, Identifier, ImmutableString, Map, Position,
};

use super::{
    Body, Step, Table,
    word::{Method, PLACES, RECEIVER, Word},
};
use crate::script::{
    Fallible,
    engine::{CALL_LEVELS_MAX, STRING_BYTES_MAX, VARIABLES_MAX},
};

/// An expression.
#[derive(Debug)]
pub(super) enum Code {
    /// What is the same each time.
    Constant(Dynamic),
    /// A variable, and the same for Rhai.
    Variable(ImmutableString, Foreign),
    Method(Box<Method>),
    /// `word(…)`.
    Word(Box<Word>),
    /// `function(…)` of the script.
    Function(Box<Call>),
    /// Two values held against each other.
    Comparison(Box<Comparison>),
    /// `… && …`, or `… || …`: the first part of this truth decides, or else it is the other.
    Either(bool, Vec<Truth>),
    /// `` `…${…}…` ``
    Text(Vec<Part>),
    /// `#{ … }`
    Map(Vec<(Identifier, Code)>),
    /// `if … { … } else { … }`
    If(Box<If>),
    /// The value in the first of [`PLACES`].
    Placed,
    /// Any other.
    Foreign(Foreign),
}

/// What must be true or false.
#[derive(Debug)]
pub(super) struct Truth {
    pub(super) code: Code,
    /// Tells what is wrong with another value in the first of [`PLACES`].
    pub(super) wrong: Foreign,
}

/// A part of a text.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) code: Code,
    /// The value in the first of [`PLACES`] as a text.
    pub(super) shown: Foreign,
}

/// See [`Code::If`].
#[derive(Debug)]
pub(super) struct If {
    pub(super) condition: Truth,
    pub(super) then: Vec<Step>,
    pub(super) otherwise: Vec<Step>,
}

/// An expression that is Rhai's to evaluate.
#[derive(Debug)]
pub(super) struct Foreign(pub(super) Expr);

/// See [`Code::Function`].
#[derive(Debug)]
pub(super) struct Call {
    /// Its number among the bodies.
    pub(super) body: usize,
    pub(super) arguments: Vec<Code>,
    pub(super) original: Foreign,
    pub(super) at: Position,
}

/// See [`Code::Comparison`].
#[derive(Debug)]
pub(super) struct Comparison {
    /// Whether it holds, of numbers and of texts.
    pub(super) holds: fn(Ordering) -> bool,
    pub(super) sides: [Code; 2],
    /// The same of the values in [`PLACES`].
    pub(super) placed: Foreign,
}

// Values go to places, and are not handed up: moving one that was just made costs more than making it.
impl Code {
    /// Puts what the expression gives that it stands for into `out`, which holds nothing yet.
    pub(super) fn eval(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        table: &Table,
        out: &mut Dynamic,
    ) -> Fallible<()> {
        match self {
            Self::Constant(value) => copy(value, out),
            Self::Variable(variable, original) => match context.scope().get(variable) {
                Some(value) => copy(value, out),
                None => return original.eval(context, out),
            },
            Self::Method(method) => return method.eval(context, table, out),
            Self::Word(word) => return word.call(context, table, out),
            Self::Function(call) => return call.eval(context, table, out),
            Self::Comparison(comparison) => return comparison.eval(context, table, out),
            Self::Either(decisive, parts) => {
                let mut truth = !decisive;
                for part in parts {
                    truth = part.eval(context, table)?;
                    if truth == *decisive {
                        break;
                    }
                }
                put(truth.into(), out);
            }
            Self::Text(parts) => return text(parts, context, table, out),
            Self::Map(items) => return map(items, context, table, out),
            Self::If(choice) => return choice.eval(context, table, out),
            Self::Placed => {
                if let Some(place) = context.scope_mut().get_mut(PLACES[0]) {
                    std::mem::swap(place, out);
                }
            }
            Self::Foreign(foreign) => return foreign.eval(context, out),
        }
        Ok(())
    }

    /// As [`Self::eval`], for who keeps the value.
    pub(super) fn value(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        table: &Table,
        out: &mut Dynamic,
    ) -> Fallible<()> {
        self.eval(context, table, out)?;
        match self {
            Self::Constant(_) | Self::Variable(..) | Self::Comparison(_) => Ok(()),
            _ if out.is_int() || out.is_unit() || out.is_bool() => Ok(()),
            _ => self.settle(context, table, out),
        }
    }

    /// Makes a value one's own, and one of a size that is allowed: Rhai looks at what its own expressions give.
    fn settle(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        table: &Table,
        out: &mut Dynamic,
    ) -> Fallible<()> {
        if out.is_shared() {
            *out = std::mem::take(out).flatten();
        }
        let is_bounded = match self {
            // What the statements give was looked at.
            Self::Foreign(_) | Self::If(_) => true,
            Self::Map(_) => out.as_map_ref().is_ok_and(|map| !map.values().any(may_be_large)),
            _ => !may_be_large(out),
        };
        if is_bounded {
            return Ok(());
        }
        let value = std::mem::take(out);
        table.sized.eval_with(context, &mut [value], None, out)
    }
}

impl Foreign {
    /// Puts what it gives into `out`, which holds nothing yet.
    #[inline(never)]
    pub(super) fn eval(&self, context: &mut EvalContext<'_, '_, '_, '_, '_, '_>, out: &mut Dynamic) -> Fallible<()> {
        put(context.eval_expression_tree(&Expression::from(&self.0))?, out);
        Ok(())
    }

    /// As [`Self::eval`], with values that are there already in [`PLACES`], and in [`RECEIVER`].
    #[cold]
    pub(super) fn eval_with(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        values: &mut [Dynamic],
        receiver: Option<Dynamic>,
        out: &mut Dynamic,
    ) -> Fallible<()> {
        let before = context.scope().len();
        for (name, value) in PLACES.iter().zip(values) {
            context.scope_mut().push_dynamic(*name, std::mem::take(value));
        }
        if let Some(receiver) = receiver {
            context.scope_mut().push_dynamic(RECEIVER, receiver);
        }
        let result = self.eval(context, out);
        context.scope_mut().rewind(before);
        result
    }
}

/// Puts a value into a place that holds nothing.
#[inline]
pub(super) fn put(value: Dynamic, out: &mut Dynamic) {
    // Nothing is nothing to drop.
    std::mem::forget(std::mem::replace(out, value));
}

/// Puts a copy of a value into a place that holds nothing.
#[inline]
fn copy(value: &Dynamic, out: &mut Dynamic) {
    put(value.flatten_clone(), out);
}

/// Whether a value may be larger than one is allowed to be.
fn may_be_large(value: &Dynamic) -> bool {
    let is_long = || value.as_immutable_string_ref().is_ok_and(|text| text.len() > STRING_BYTES_MAX);
    value.is_string() && is_long() || value.is_array() || value.is_map() || value.is_blob()
}

impl Truth {
    fn eval(&self, context: &mut EvalContext<'_, '_, '_, '_, '_, '_>, table: &Table) -> Fallible<bool> {
        let mut value = Dynamic::UNIT;
        self.code.value(context, table, &mut value)?;
        if let Ok(truth) = value.as_bool() {
            return Ok(truth);
        }
        let mut nothing = Dynamic::UNIT;
        self.wrong.eval_with(context, &mut [value], None, &mut nothing)?;
        Ok(false)
    }
}

impl If {
    #[inline(never)]
    fn eval(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        table: &Table,
        out: &mut Dynamic,
    ) -> Fallible<()> {
        let block = if self.condition.eval(context, table)? { &self.then } else { &self.otherwise };
        if block.is_empty() {
            return Ok(());
        }
        let before = context.scope().len();
        context.global_runtime_state_mut().scope_level += 1;
        let result = steps(block, context, table, out);
        context.global_runtime_state_mut().scope_level -= 1;
        context.scope_mut().rewind(before);
        result
    }
}

#[inline(never)]
fn text(
    parts: &[Part],
    context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
    table: &Table,
    out: &mut Dynamic,
) -> Fallible<()> {
    let mut text = String::new();
    for part in parts {
        let mut value = Dynamic::UNIT;
        part.code.value(context, table, &mut value)?;
        if value.is_int() {
            text.push_str(itoa::Buffer::new().format(value.as_int().unwrap_or_default()));
            continue;
        }
        if !value.is_string() {
            let mut shown = Dynamic::UNIT;
            part.shown.eval_with(context, &mut [value], None, &mut shown)?;
            value = shown;
        }
        if let Ok(more) = value.as_immutable_string_ref() {
            text.push_str(&more);
        }
        if text.len() > STRING_BYTES_MAX {
            // Rhai tells that it is too long.
            return part.shown.eval_with(context, &mut [text.into()], None, out);
        }
    }
    put(text.into(), out);
    Ok(())
}

#[inline(never)]
fn map(
    items: &[(Identifier, Code)],
    context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
    table: &Table,
    out: &mut Dynamic,
) -> Fallible<()> {
    let mut map = Map::new();
    for (key, item) in items {
        let mut value = Dynamic::UNIT;
        item.value(context, table, &mut value)?;
        map.insert(key.clone(), value);
    }
    put(Dynamic::from_map(map), out);
    Ok(())
}

impl Call {
    #[inline(never)]
    fn eval(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        table: &Table,
        out: &mut Dynamic,
    ) -> Fallible<()> {
        match table.bodies.get(self.body) {
            Some(body) if context.this_ptr().is_none() => body.call(context, table, &self.arguments, self.at, out),
            _ => self.original.eval(context, out),
        }
    }
}

/// Evaluates expressions into places that hold nothing, in their order.
pub(super) fn fill(
    places: &mut [Dynamic],
    expressions: &[Code],
    context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
    table: &Table,
) -> Fallible<()> {
    for (place, expression) in places.iter_mut().zip(expressions) {
        expression.value(context, table, place)?;
    }
    Ok(())
}

impl Comparison {
    #[inline(never)]
    fn eval(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        table: &Table,
        out: &mut Dynamic,
    ) -> Fallible<()> {
        let mut sides = [Dynamic::UNIT, Dynamic::UNIT];
        fill(&mut sides, &self.sides, context, table)?;
        match order(&sides[0], &sides[1]) {
            Some(order) => put((self.holds)(order).into(), out),
            None => return self.placed.eval_with(context, &mut sides, None, out),
        }
        Ok(())
    }
}

/// How two numbers or two texts are ordered.
fn order(left: &Dynamic, right: &Dynamic) -> Option<Ordering> {
    if left.is_int() && right.is_int() {
        return Some(left.as_int().ok()?.cmp(&right.as_int().ok()?));
    }
    if !left.is_string() || !right.is_string() {
        return None;
    }
    let (left, right) = (left.as_immutable_string_ref().ok()?, right.as_immutable_string_ref().ok()?);
    Some(left.as_str().cmp(right.as_str()))
}

impl Body {
    /// Runs the function with arguments of its caller's.
    fn call(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        table: &Table,
        arguments: &[Code],
        at: Position,
        out: &mut Dynamic,
    ) -> Fallible<()> {
        let mut values: FnArgsVec<Dynamic> = FnArgsVec::new();
        for _ in arguments {
            values.push(Dynamic::UNIT);
        }
        fill(&mut values, arguments, context, table)?;
        let before = context.scope().len();
        if context.call_level() >= CALL_LEVELS_MAX {
            return Err(EvalAltResult::ErrorStackOverflow(at).into());
        }
        if before + self.params.len() > VARIABLES_MAX {
            return Err(EvalAltResult::ErrorTooManyVariables(at).into());
        }
        self.declare(context, &mut values);
        let result = self.run(context, table, at, out);
        context.scope_mut().rewind(before);
        result
    }

    /// As [`Self::call`], from outside of the script, in a scope that holds nothing else. The variables stay in it, without
    /// their values, for the next call.
    pub(super) fn call_in_own_scope(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        table: &Table,
        values: &mut [Dynamic],
        out: &mut Dynamic,
    ) -> Fallible<()> {
        let params = self.params.len();
        // A value that may not be changed makes its variable a constant, which those of functions are not.
        if context.scope().len() == params && !values.iter().any(Dynamic::is_read_only) {
            for (name, value) in self.params.iter().zip(values) {
                if let Some(place) = context.scope_mut().get_mut(name) {
                    *place = std::mem::take(value);
                }
            }
        } else {
            context.scope_mut().clear();
            self.declare(context, values);
        }
        let result = self.run(context, table, Position::NONE, out);
        context.scope_mut().rewind(params);
        for name in &self.params {
            if let Some(place) = context.scope_mut().get_mut(name) {
                *place = Dynamic::UNIT;
            }
        }
        result
    }

    /// Makes variables of what it is given.
    fn declare(&self, context: &mut EvalContext<'_, '_, '_, '_, '_, '_>, values: &mut [Dynamic]) {
        // Names as texts: Rhai copies one of its own twice.
        let names = self.params.iter().map(|name| name.as_str());
        context.scope_mut().extend(names.zip(values.iter_mut().map(std::mem::take)));
    }

    fn run(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        table: &Table,
        at: Position,
        out: &mut Dynamic,
    ) -> Fallible<()> {
        context.global_runtime_state_mut().level += 1;
        context.global_runtime_state_mut().scope_level += 1;
        // An operation, as Rhai counts them: functions that call each other without end are found out by it.
        let result = context.eval_expression_tree(&Expression::from(&Expr::Unit(at)));
        let result = result.and_then(|_nothing| steps(&self.steps, context, table, out));
        context.global_runtime_state_mut().scope_level -= 1;
        context.global_runtime_state_mut().level -= 1;
        match result {
            Ok(()) => Ok(()),
            Err(error) => self.returned(context, error, at, out),
        }
    }

    /// What an error within it is outside.
    #[cold]
    fn returned(
        &self,
        context: &EvalContext<'_, '_, '_, '_, '_, '_>,
        mut error: Box<EvalAltResult>,
        at: Position,
        out: &mut Dynamic,
    ) -> Fallible<()> {
        match *error {
            EvalAltResult::Return(value, _) => {
                *out = value;
                Ok(())
            }
            _ if matches!(*error, EvalAltResult::Exit(..)) || error.is_system_exception() => {
                error.set_position(at);
                Err(error)
            }
            _ => {
                let source = context.source().unwrap_or_default().to_owned();
                Err(EvalAltResult::ErrorInFunctionCall(self.name.to_string(), source, error, at).into())
            }
        }
    }
}

/// Runs statements, one after the other; `out` gets the value of the last.
fn steps(
    steps: &[Step],
    context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
    table: &Table,
    out: &mut Dynamic,
) -> Fallible<()> {
    for step in steps {
        if !out.is_unit() {
            *out = Dynamic::UNIT;
        }
        match step {
            Step::Value(code) => code.value(context, table, out)?,
            Step::Let(name, code, at) => {
                if context.scope().len() >= VARIABLES_MAX {
                    return Err(EvalAltResult::ErrorTooManyVariables(*at).into());
                }
                let mut value = Dynamic::UNIT;
                code.value(context, table, &mut value)?;
                context.scope_mut().extend([(name.as_str(), value)]);
            }
            #[expect(deprecated, reason = "not deprecated, says its note, but without a promise to stay as it is")]
            Step::Other(statement) => {
                put(context.eval_expression_tree_raw(&Expression::from(statement), false)?, out);
            }
        }
    }
    Ok(())
}
