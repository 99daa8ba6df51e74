//! The Rhai engine, with every limit set: equal in debug and release builds, whatever Rhai's defaults are.

use std::rc::Rc;

use rhai::{Engine, OptimizationLevel};

use super::{modules::Resolver, quantity, state::ScriptState, words};

/// Operations of one evaluation: of the top level, or of one call of a closure.
pub const OPERATIONS_MAX: u64 = 10_000_000;
/// Nested calls.
pub const CALL_LEVELS_MAX: usize = 32;
/// Nested expressions, at the top level and in functions alike.
pub const EXPR_DEPTH_MAX: usize = 48;
/// Bytes of a text.
pub const STRING_BYTES_MAX: usize = 8 << 20;
/// Items of an array, and entries of a map, nested ones counted.
pub const ITEMS_MAX: usize = 50_000;
/// Variables in a scope.
pub const VARIABLES_MAX: usize = 2_000;
/// Functions of a script, closures counted.
const FUNCTIONS_MAX: usize = 2_000;
/// Imported modules.
const MODULES_MAX: usize = 100;

/// An engine that knows every word of the plan stage.
pub(super) fn build(state: &Rc<ScriptState>) -> Engine {
    let mut engine = Engine::new();
    engine
        .set_optimization_level(OptimizationLevel::Simple)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_max_operations(OPERATIONS_MAX)
        .set_max_call_levels(CALL_LEVELS_MAX)
        .set_max_expr_depths(EXPR_DEPTH_MAX, EXPR_DEPTH_MAX)
        .set_max_string_size(STRING_BYTES_MAX)
        .set_max_array_size(ITEMS_MAX)
        .set_max_map_size(ITEMS_MAX)
        .set_max_variables(VARIABLES_MAX)
        .set_max_functions(FUNCTIONS_MAX)
        .set_max_modules(MODULES_MAX)
        .disable_symbol("eval");
    engine.set_module_resolver(Resolver::new(state));
    let printer = state.clone();
    engine.on_print(move |text| printer.print(text));
    let printer = state.clone();
    engine.on_debug(move |text, source, position| {
        printer.print(&format!("{}:{position:?}: {text}", source.unwrap_or("script")));
    });
    quantity::register(&mut engine);
    words::register(&mut engine, state);
    engine
}
