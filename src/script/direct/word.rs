//! Calls of words.

use std::any::TypeId;

use rhai::{Dynamic, EvalContext, ImmutableString, Position};

use super::{
    Table,
    code::{Code, Foreign, fill},
    natives::Native,
};
use crate::script::Fallible;

/// Calls with more arguments are Rhai's.
pub(super) const ARGUMENTS_MAX: usize = 4;

/// Names of variables for values that Rhai is to do something with; no script has such.
pub(super) const PLACES: [&str; ARGUMENTS_MAX] = ["\0a", "\0b", "\0c", "\0d"];
/// Of one more, whose word it is.
pub(super) const RECEIVER: &str = "\0it";

/// A word and what it is given.
#[derive(Debug)]
pub(super) struct Word {
    /// Rhai's name of its function.
    pub(super) name: ImmutableString,
    pub(super) natives: Vec<Native>,
    pub(super) arguments: Vec<Code>,
    /// The same call with the values in [`PLACES`] for arguments, of a variable or of the value in [`RECEIVER`].
    pub(super) placed: Foreign,
    pub(super) at: Position,
}

/// `variable.word(…)`, or `variable.word`; and what follows, of what that gives.
#[derive(Debug)]
pub(super) struct Method {
    pub(super) variable: ImmutableString,
    pub(super) word: Word,
    pub(super) rest: Vec<Word>,
    /// What it stands for.
    pub(super) original: Foreign,
}

impl Word {
    /// Whether its arguments can be looked at again: they are constants, and variables.
    fn is_plain(&self) -> bool {
        self.arguments.iter().all(|argument| matches!(argument, Code::Constant(_) | Code::Variable(..)))
    }

    fn is_constant(&self) -> bool {
        self.arguments.iter().all(|argument| matches!(argument, Code::Constant(_)))
    }

    fn native(&self, receiver: Option<TypeId>, values: &[Dynamic]) -> Option<&Native> {
        let types = receiver.into_iter().chain(values.iter().map(Dynamic::type_id));
        self.natives.iter().find(|native| native.takes(types.clone()))
    }

    /// The values of its arguments.
    fn values(&self, context: &mut EvalContext<'_, '_, '_, '_, '_, '_>, table: &Table) -> Fallible<Vec<Dynamic>> {
        let mut values = vec![Dynamic::UNIT; self.arguments.len()];
        fill(&mut values, &self.arguments, context, table)?;
        Ok(values)
    }

    /// Does something with the values of its arguments, which have no more room than they need.
    #[inline]
    fn with_values(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        table: &Table,
        then: impl FnOnce(&mut EvalContext<'_, '_, '_, '_, '_, '_>, &mut [Dynamic]) -> Fallible<()>,
    ) -> Fallible<()> {
        match self.arguments.len() {
            0 => then(context, &mut []),
            1 => self.with_values_in::<1>(context, table, then),
            2 => self.with_values_in::<2>(context, table, then),
            _ => self.with_values_in::<ARGUMENTS_MAX>(context, table, then),
        }
    }

    #[inline]
    fn with_values_in<const N: usize>(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        table: &Table,
        then: impl FnOnce(&mut EvalContext<'_, '_, '_, '_, '_, '_>, &mut [Dynamic]) -> Fallible<()>,
    ) -> Fallible<()> {
        let mut values = [const { Dynamic::UNIT }; N];
        let values = &mut values[..self.arguments.len()];
        fill(values, &self.arguments, context, table)?;
        then(context, values)
    }

    /// Calls it as a function.
    #[inline(never)]
    pub(super) fn call(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        table: &Table,
        out: &mut Dynamic,
    ) -> Fallible<()> {
        self.with_values(context, table, |context, values| match self.native(None, values) {
            Some(native) => self.invoke(native, context, None, values, out),
            None => self.placed.eval_with(context, values, None, out),
        })
    }

    /// Calls it on the value in `out`, which is in no variable, and puts there what it gives.
    fn call_on(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        values: &mut [Dynamic],
        out: &mut Dynamic,
    ) -> Fallible<()> {
        let mut receiver = std::mem::take(out);
        match self.native(Some(receiver.type_id()), values) {
            Some(native) => self.invoke(native, context, Some(&mut receiver), values, out),
            None => self.placed.eval_with(context, values, Some(receiver), out),
        }
    }

    fn invoke(
        &self,
        native: &Native,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        receiver: Option<&mut Dynamic>,
        values: &mut [Dynamic],
        out: &mut Dynamic,
    ) -> Fallible<()> {
        with_all(receiver, values, |all| native.call(context, &self.name, all, self.at, out))
    }
}

/// Calls with all arguments in one list.
#[inline]
fn with_all<R>(
    receiver: Option<&mut Dynamic>,
    values: &mut [Dynamic],
    call: impl FnOnce(&mut [&mut Dynamic]) -> R,
) -> R {
    match (receiver, values) {
        (None, []) => call(&mut []),
        (None, [a]) => call(&mut [a]),
        (None, [a, b]) => call(&mut [a, b]),
        (None, values) => call(&mut values.iter_mut().collect::<Vec<_>>()),
        (Some(it), []) => call(&mut [it]),
        (Some(it), [a]) => call(&mut [it, a]),
        (Some(it), [a, b]) => call(&mut [it, a, b]),
        (Some(it), values) => call(&mut std::iter::once(it).chain(values).collect::<Vec<_>>()),
    }
}

impl Method {
    #[inline(never)]
    pub(super) fn eval(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        table: &Table,
        out: &mut Dynamic,
    ) -> Fallible<()> {
        let Self { word, rest, original, .. } = self;
        let is_plain = rest.is_empty() && word.is_plain();
        if !is_plain && !self.fits(context) {
            return original.eval(context, out);
        }
        word.with_values(context, table, |context, values| {
            if rest.is_empty() {
                return match self.call_on_variable(context, values, out) {
                    Some(result) => result,
                    None if is_plain => original.eval(context, out),
                    None => word.placed.eval_with(context, values, None, out),
                };
            }
            // The arguments of all come before the first call; where they are constants, nobody can tell.
            let mut more = Vec::new();
            if !rest.iter().all(Word::is_constant) {
                for word in rest {
                    more.push(word.values(context, table)?);
                }
            }
            match self.call_on_variable(context, values, out) {
                Some(result) => result?,
                None => word.placed.eval_with(context, values, None, out)?,
            }
            let mut more = more.into_iter();
            for word in rest {
                match more.next() {
                    Some(mut values) => word.call_on(context, &mut values, out)?,
                    None => word.with_values(context, table, |context, values| word.call_on(context, values, out))?,
                }
            }
            Ok(())
        })
    }

    /// Whether the variable holds something that the word is of.
    fn fits(&self, context: &mut EvalContext<'_, '_, '_, '_, '_, '_>) -> bool {
        let value = context.scope_mut().get_mut(&self.variable);
        value.is_some_and(|value| {
            !value.is_shared() && self.word.natives.iter().any(|native| native.takes_first(value.type_id()))
        })
    }

    /// Calls the word on the value of the variable; `None` where that is nothing that it knows.
    fn call_on_variable(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        values: &mut [Dynamic],
        out: &mut Dynamic,
    ) -> Option<Fallible<()>> {
        let place = context.scope_mut().get_mut(&self.variable).filter(|value| !value.is_shared())?;
        let native = self.word.native(Some(place.type_id()), values)?;
        // One that is no method takes what it gets.
        if !native.is_method {
            let mut receiver = place.clone();
            return Some(self.word.invoke(native, context, Some(&mut receiver), values, out));
        }
        if !native.has_context {
            return Some(with_all(Some(place), values, |all| native.call_alone(all, self.word.at, out)));
        }
        // Taken from the scope while it is used: the function may want to look at the context.
        let mut receiver = std::mem::take(place);
        let result = self.word.invoke(native, context, Some(&mut receiver), values, out);
        if let Some(place) = context.scope_mut().get_mut(&self.variable) {
            *place = receiver;
        }
        Some(result)
    }
}
