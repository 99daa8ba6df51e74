//! One place where a word or a function is called.

use std::{any::TypeId, cmp::Ordering};

use rhai::{Dynamic, EvalAltResult, EvalContext, Expr, Expression, ImmutableString, Position};

use super::{Body, Step, Table, natives::Native};
use crate::script::{
    Fallible,
    engine::{CALL_LEVELS_MAX, STRING_BYTES_MAX, VARIABLES_MAX},
};

/// Calls with more arguments are Rhai's.
pub(super) const ARGUMENTS_MAX: usize = 4;

/// Names of variables for values that Rhai is to do something with; no script has such.
pub(super) const PLACES: [&str; ARGUMENTS_MAX] = ["\0a", "\0b", "\0c", "\0d"];
/// Of one more, whose word it is.
pub(super) const RECEIVER: &str = "\0it";

/// The values of arguments; `()` where there are fewer.
type Values = [Dynamic; ARGUMENTS_MAX];

/// See the module.
#[derive(Debug)]
pub(super) enum Site {
    /// `variable.word(…)`, or `variable.word`; and what follows, of what that gives.
    Method {
        variable: ImmutableString,
        word: Word,
        rest: Vec<Word>,
        /// What the node stands for.
        original: Expr,
    },
    /// `word(…)`.
    Word(Word),
    /// `function(…)` of the script.
    Function {
        /// Its number among the bodies.
        body: usize,
        arguments: Vec<Expr>,
        original: Expr,
        at: Position,
    },
    /// The value in the first of [`PLACES`].
    Placed,
    /// Two values held against each other.
    Comparison {
        /// Whether it holds, of numbers and of texts.
        holds: fn(Ordering) -> bool,
        sides: [Expr; 2],
        /// The same of the values in [`PLACES`].
        placed: Expr,
    },
}

/// A word and what it is given.
#[derive(Debug)]
pub(super) struct Word {
    /// Rhai's name of its function.
    name: ImmutableString,
    natives: Vec<Native>,
    arguments: Vec<Expr>,
    /// Its arguments can be looked at again: they are constants, and variables.
    is_plain: bool,
    /// The same call with the values in [`PLACES`] for arguments, of a variable or of the value in [`RECEIVER`].
    placed: Expr,
    at: Position,
}

impl Site {
    /// What the expression gives that it stands for.
    pub(super) fn eval(&self, context: &mut EvalContext<'_, '_, '_, '_, '_, '_>, table: &Table) -> Fallible<Dynamic> {
        match self {
            Self::Method { variable, word, rest, original } if rest.is_empty() && word.is_plain => {
                let mut values = word.values(context, table)?;
                match word.call_on_variable(context, variable, &mut values) {
                    Some(result) => result,
                    None => context.eval_expression_tree(&Expression::from(original)),
                }
            }
            Self::Method { variable, word, rest, original } => {
                if !word.fits(context, variable) {
                    return context.eval_expression_tree(&Expression::from(original));
                }
                // The arguments of all come before the first call.
                let mut values = word.values(context, table)?;
                let more = rest.iter().map(|word| word.values(context, table)).collect::<Fallible<Vec<_>>>()?;
                let mut value = match word.call_on_variable(context, variable, &mut values) {
                    Some(result) => result?,
                    None => by_rhai(context, &word.placed, &mut values[..word.arguments.len()], None)?,
                };
                for (word, mut values) in rest.iter().zip(more) {
                    value = word.call_on(context, value, &mut values)?;
                }
                Ok(value)
            }
            Self::Word(word) => {
                let mut values = word.values(context, table)?;
                let given = &mut values[..word.arguments.len()];
                let native = word.natives.iter().find(|native| native.takes(given.iter().map(Dynamic::type_id)));
                let Some(native) = native else { return by_rhai(context, &word.placed, given, None) };
                let [a, b, c, d] = &mut values;
                native.call(context, &word.name, &mut [a, b, c, d][..word.arguments.len()], word.at)
            }
            Self::Function { body, arguments, original, at } => match table.bodies.get(*body) {
                Some(body) if context.this_ptr().is_none() => {
                    let mut values = evaluated(context, table, arguments)?;
                    body.call(context, table, &mut values[..arguments.len()], *at)
                }
                _ => context.eval_expression_tree(&Expression::from(original)),
            },
            Self::Placed => Ok(context.scope_mut().get_mut(PLACES[0]).map(std::mem::take).unwrap_or_default()),
            Self::Comparison { holds, sides: [left, right], placed } => {
                let (left, right) = (value(context, table, left)?, value(context, table, right)?);
                match order(&left, &right) {
                    Some(order) => Ok(holds(order).into()),
                    None => by_rhai(context, placed, &mut [left, right], None),
                }
            }
        }
    }
}

/// How two numbers or two texts are ordered.
fn order(left: &Dynamic, right: &Dynamic) -> Option<Ordering> {
    if let (Ok(left), Ok(right)) = (left.as_int(), right.as_int()) {
        return Some(left.cmp(&right));
    }
    let (left, right) = (left.as_immutable_string_ref().ok()?, right.as_immutable_string_ref().ok()?);
    Some(left.as_str().cmp(right.as_str()))
}

impl Word {
    pub(super) fn new(
        name: ImmutableString,
        natives: Vec<Native>,
        arguments: Vec<Expr>,
        placed: Expr,
        at: Position,
    ) -> Self {
        let is_plain = arguments.iter().all(|argument| match argument {
            Expr::StringConstant(..) | Expr::IntegerConstant(..) | Expr::BoolConstant(..) => true,
            Expr::Variable(variable, ..) => variable.2.is_empty(),
            _ => false,
        });
        Self { name, natives, arguments, is_plain, placed, at }
    }

    fn values(&self, context: &mut EvalContext<'_, '_, '_, '_, '_, '_>, table: &Table) -> Fallible<Values> {
        evaluated(context, table, &self.arguments)
    }

    /// Whether a variable holds something that it is a word of.
    fn fits(&self, context: &mut EvalContext<'_, '_, '_, '_, '_, '_>, variable: &str) -> bool {
        let value = context.scope_mut().get_mut(variable);
        value.is_some_and(|value| {
            !value.is_shared() && self.natives.iter().any(|native| native.takes_first(value.type_id()))
        })
    }

    fn native(&self, receiver: TypeId, values: &[Dynamic]) -> Option<&Native> {
        let types = std::iter::once(receiver).chain(values[..self.arguments.len()].iter().map(Dynamic::type_id));
        self.natives.iter().find(|native| native.takes(types.clone()))
    }

    /// Calls it on the value of a variable; `None` where that is nothing that it knows.
    fn call_on_variable(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        variable: &str,
        values: &mut Values,
    ) -> Option<Fallible<Dynamic>> {
        let place = context.scope_mut().get_mut(variable).filter(|value| !value.is_shared())?;
        let native = self.native(place.type_id(), values)?;
        // Taken out of the scope while it is used: the function may want to look at the context. One that is no method
        // takes what it gets.
        let (mut receiver, is_lent) = match native.is_method {
            true => (std::mem::take(place), true),
            false => (place.clone(), false),
        };
        let [a, b, c, d] = values;
        let all = &mut [&mut receiver, a, b, c, d][..=self.arguments.len()];
        let result = native.call(context, &self.name, all, self.at);
        if is_lent && let Some(place) = context.scope_mut().get_mut(variable) {
            *place = receiver;
        }
        Some(result)
    }

    /// Calls it on a value that is in no variable.
    fn call_on(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        mut receiver: Dynamic,
        values: &mut Values,
    ) -> Fallible<Dynamic> {
        let Some(native) = self.native(receiver.type_id(), values) else {
            return by_rhai(context, &self.placed, &mut values[..self.arguments.len()], Some(receiver));
        };
        let [a, b, c, d] = values;
        native.call(context, &self.name, &mut [&mut receiver, a, b, c, d][..=self.arguments.len()], self.at)
    }
}

/// Has Rhai do what no word was found for, or what it alone knows to do, with values that are there already.
#[cold]
fn by_rhai(
    context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
    placed: &Expr,
    values: &mut [Dynamic],
    receiver: Option<Dynamic>,
) -> Fallible<Dynamic> {
    let before = context.scope().len();
    for (name, value) in PLACES.iter().zip(values) {
        context.scope_mut().push_dynamic(*name, std::mem::take(value));
    }
    if let Some(receiver) = receiver {
        context.scope_mut().push_dynamic(RECEIVER, receiver);
    }
    let result = context.eval_expression_tree(&Expression::from(placed));
    context.scope_mut().rewind(before);
    result
}

/// The arguments' values, in their order.
fn evaluated(context: &mut EvalContext<'_, '_, '_, '_, '_, '_>, table: &Table, arguments: &[Expr]) -> Fallible<Values> {
    let mut values = Values::default();
    for (place, argument) in values.iter_mut().zip(arguments) {
        *place = value(context, table, argument)?;
    }
    Ok(values)
}

fn value(context: &mut EvalContext<'_, '_, '_, '_, '_, '_>, table: &Table, expression: &Expr) -> Fallible<Dynamic> {
    match expression {
        Expr::StringConstant(text, _) => return Ok(text.clone().into()),
        Expr::IntegerConstant(number, _) => return Ok((*number).into()),
        Expr::Variable(variable, ..) if variable.2.is_empty() => {
            if let Some(value) = context.scope().get(&variable.1) {
                return Ok(value.flatten_clone());
            }
        }
        Expr::Custom(node, _) => {
            if let Some(site) = table.site(&node.state) {
                let value = site.eval(context, table)?.flatten();
                // Rhai looks at the size of what its nodes give.
                let is_long = value.as_immutable_string_ref().is_ok_and(|text| text.len() > STRING_BYTES_MAX);
                let may_be_large = is_long || value.is_array() || value.is_map() || value.is_blob();
                return if may_be_large { by_rhai(context, &table.sized, &mut [value], None) } else { Ok(value) };
            }
        }
        _ => {}
    }
    context.eval_expression_tree(&Expression::from(expression)).map(Dynamic::flatten)
}

impl Body {
    /// Runs the function with what it is given, which it takes.
    pub(super) fn call(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        table: &Table,
        values: &mut [Dynamic],
        at: Position,
    ) -> Fallible<Dynamic> {
        let before = context.scope().len();
        if context.call_level() >= CALL_LEVELS_MAX {
            return Err(EvalAltResult::ErrorStackOverflow(at).into());
        }
        if before + self.params.len() > VARIABLES_MAX {
            return Err(EvalAltResult::ErrorTooManyVariables(at).into());
        }
        self.fill(context, values);
        let result = self.run(context, table, at);
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
    ) -> Fallible<Dynamic> {
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
            self.fill(context, values);
        }
        let result = self.run(context, table, Position::NONE);
        context.scope_mut().rewind(params);
        for name in &self.params {
            if let Some(place) = context.scope_mut().get_mut(name) {
                *place = Dynamic::UNIT;
            }
        }
        result
    }

    /// Makes variables of what it is given.
    fn fill(&self, context: &mut EvalContext<'_, '_, '_, '_, '_, '_>, values: &mut [Dynamic]) {
        let values = values.iter_mut().map(std::mem::take);
        context.scope_mut().extend(self.params.iter().cloned().zip(values));
    }

    fn run(&self, context: &mut EvalContext<'_, '_, '_, '_, '_, '_>, table: &Table, at: Position) -> Fallible<Dynamic> {
        context.global_runtime_state_mut().level += 1;
        context.global_runtime_state_mut().scope_level += 1;
        let result = self.steps(context, table, at);
        context.global_runtime_state_mut().scope_level -= 1;
        context.global_runtime_state_mut().level -= 1;
        result.or_else(|error| self.returned(context, error, at))
    }

    /// Its statements, one after the other; the value of the last.
    fn steps(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        table: &Table,
        at: Position,
    ) -> Fallible<Dynamic> {
        // An operation, as Rhai counts them: functions that call each other without end are found out by it.
        let mut result = context.eval_expression_tree(&Expression::from(&Expr::Unit(at)))?;
        for step in &self.steps {
            result = match step {
                Step::Value(expression) => value(context, table, expression)?,
                Step::Let(name, expression, at) => {
                    if context.scope().len() >= VARIABLES_MAX {
                        return Err(EvalAltResult::ErrorTooManyVariables(*at).into());
                    }
                    let value = value(context, table, expression)?;
                    context.scope_mut().extend([(name.clone(), value)]);
                    Dynamic::UNIT
                }
                #[expect(deprecated, reason = "not deprecated, says its note, but without a promise to stay as it is")]
                Step::Other(statement) => context.eval_expression_tree_raw(&Expression::from(statement), false)?,
            };
        }
        Ok(result)
    }

    /// What an error within it is outside.
    #[cold]
    fn returned(
        &self,
        context: &EvalContext<'_, '_, '_, '_, '_, '_>,
        mut error: Box<EvalAltResult>,
        at: Position,
    ) -> Fallible<Dynamic> {
        match *error {
            EvalAltResult::Return(value, _) => Ok(value),
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
