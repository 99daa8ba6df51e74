//! The functions behind words, for who calls them without the engine.

use std::{any::TypeId, collections::HashMap, rc::Rc};

use rhai::{Dynamic, Engine, EvalContext, ImmutableString, NativeCallContext, Position, RhaiNativeFunc, Variant};

use super::code::put;
use crate::script::Fallible;

/// A function as Rhai calls it.
pub type Function = dyn Fn(Option<NativeCallContext<'_>>, &mut [&mut Dynamic]) -> Fallible<Dynamic>;

/// The type of an argument of any type.
fn any() -> TypeId {
    TypeId::of::<Dynamic>()
}

/// One of the functions behind a word: the one for arguments of certain types.
#[derive(Clone)]
pub struct Native {
    types: Box<[TypeId]>,
    /// It takes its first argument by reference.
    pub(super) is_method: bool,
    pub(super) has_context: bool,
    function: Rc<Function>,
}

/// The functions behind words, by name.
#[derive(Debug, Default)]
pub struct Natives(HashMap<String, Vec<Native>>);

impl std::fmt::Debug for Native {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Native").field("arguments", &self.types.len()).finish_non_exhaustive()
    }
}

impl Natives {
    /// Adds a function that gets its context and copies what it keeps of its arguments.
    pub fn add(&mut self, name: &str, types: &[TypeId], function: Rc<Function>) {
        self.push(name, Native { types: types.into(), is_method: true, has_context: true, function });
    }

    fn push(&mut self, name: &str, native: Native) {
        self.0.entry(name.to_owned()).or_default().push(native);
    }

    /// Those of a name that take so many arguments, in the order in which Rhai tries them: of two that take the same
    /// arguments, the one goes first that takes an earlier one by its type.
    pub(super) fn of(&self, name: &str, arguments: usize) -> Vec<Native> {
        let all = self.0.get(name).map_or(&[][..], Vec::as_slice);
        let mut fit: Vec<Native> = all.iter().filter(|native| native.types.len() == arguments).cloned().collect();
        fit.sort_by_key(|native| native.types.iter().map(|&wanted| wanted == any()).collect::<Vec<bool>>());
        fit
    }
}

impl Native {
    /// Whether it takes each of its arguments by its type.
    pub(super) fn is_exact(&self) -> bool {
        !self.types.contains(&any())
    }

    /// Whether it is a method of a type, and no function of anything.
    pub(super) fn has_receiver(&self) -> bool {
        self.types.first().is_some_and(|&first| first != any())
    }

    /// Whether the first argument may be of a type.
    pub(super) fn takes_first(&self, first: TypeId) -> bool {
        self.types.first().is_some_and(|&wanted| fits(wanted, first))
    }

    /// Whether it is the function for arguments of these types.
    pub(super) fn takes(&self, types: impl Iterator<Item = TypeId>) -> bool {
        self.types.iter().zip(types).all(|(&wanted, given)| fits(wanted, given))
    }

    /// Calls it, and puts what it gives into `out`, which holds nothing yet. What went wrong is at `at`, unless the
    /// function says where.
    pub(super) fn call(
        &self,
        context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        name: &str,
        arguments: &mut [&mut Dynamic],
        at: Position,
        out: &mut Dynamic,
    ) -> Fallible<()> {
        let engine = context.engine();
        // As deep as Rhai calls it.
        context.global_runtime_state_mut().level += 1;
        let result = {
            let about = self.has_context.then(|| (engine, name, None, context.global_runtime_state(), at).into());
            (self.function)(about, arguments)
        };
        context.global_runtime_state_mut().level -= 1;
        given(result, at, out)
    }

    /// As [`Self::call`], of a function that does not look at its context.
    pub(super) fn call_alone(&self, arguments: &mut [&mut Dynamic], at: Position, out: &mut Dynamic) -> Fallible<()> {
        given((self.function)(None, arguments), at, out)
    }
}

fn given(result: Fallible<Dynamic>, at: Position, out: &mut Dynamic) -> Fallible<()> {
    match result {
        Ok(value) => {
            put(value, out);
            Ok(())
        }
        Err(mut error) => {
            if error.position().is_none() {
                error.set_position(at);
            }
            Err(error)
        }
    }
}

fn fits(wanted: TypeId, given: TypeId) -> bool {
    wanted == given || wanted == any()
}

/// Registers words in an engine, and keeps their functions.
pub struct Registrar<'a> {
    engine: &'a mut Engine,
    natives: &'a mut Natives,
}

impl<'a> Registrar<'a> {
    /// For an engine.
    pub fn new(engine: &'a mut Engine, natives: &'a mut Natives) -> Self {
        Self { engine, natives }
    }

    /// As [`Engine::register_fn`].
    pub fn register_fn<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool, T>(
        &mut self,
        name: &str,
        function: T,
    ) -> &mut Self
    where
        T: RhaiNativeFunc<A, N, X, R, F> + Clone + 'static,
    {
        self.engine.register_fn(name, function.clone());
        let types = T::param_types().map(|given| {
            let is_text = given == TypeId::of::<&str>() || given == TypeId::of::<String>();
            if is_text { TypeId::of::<ImmutableString>() } else { given }
        });
        let function = function.into_rhai_function(false, false);
        if let Some(call) = function.get_native_fn() {
            let native = Native {
                types: types.into(),
                is_method: function.is_method(),
                has_context: function.has_context(),
                function: call.clone(),
            };
            self.natives.push(name, native);
        }
        self
    }

    /// As [`Engine::register_get`].
    pub fn register_get<A: 'static, const X: bool, R: Variant + Clone, const F: bool, T>(
        &mut self,
        property: &str,
        function: T,
    ) -> &mut Self
    where
        T: RhaiNativeFunc<A, 1, X, R, F> + Clone + 'static,
    {
        self.register_fn(&getter(property), function)
    }
}

/// What Rhai calls the function that reads a property.
pub(super) fn getter(property: &str) -> String {
    format!("get${property}")
}
