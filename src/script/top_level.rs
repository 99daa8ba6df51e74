//! The top level of a script, statement by statement: what fails leaves a stand-in behind, so that the
//! statements after it are still judged and one evaluation shows every mistake.

use std::{collections::HashSet, rc::Rc};

use rhai::{AST, ASTNode, Caches, Dynamic, Engine, EvalAltResult, EvalContext, Expr, Expression, Module};
use rhai::{GlobalRuntimeState, Position, Scope, Stmt, StmtBlock};

use super::{
    Fallible,
    explain::{self, explain},
    state::ScriptState,
    words::phase::PhaseHandle,
};

/// Stands for a value whose making failed. Every word takes it without another message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Poison;

/// Its name in Rhai's own messages, by which an error is known as a consequence of another.
pub(super) const POISON: &str = "(what failed before)";

/// Statements that run into the limit of operations before the rest is given up: each may take a second.
const ENDLESS_MAX: usize = 3;

/// Evaluates all statements; mistakes go to the state's list. Says whether every statement went well.
pub(super) fn evaluate(engine: &Engine, ast: &AST, state: &Rc<ScriptState>) -> bool {
    let mut run = TopLevel {
        engine,
        state,
        global: engine.new_global_runtime_state(),
        caches: Caches::new(),
        scope: Scope::new(),
        poisoned: HashSet::new(),
    };
    run.global.lib.push(ast.shared_lib().clone());
    let (mut all_well, mut endless) = (true, 0);
    for statement in ast.statements() {
        let phases = state.phases.borrow().len();
        let variables = run.scope.len();
        let Err(error) = run.evaluate(statement) else { continue };
        if explain::is_exit(&error) {
            break;
        }
        all_well = false;
        if !run.follows(&error, statement) {
            state.problem(explain(&error, state, None));
        }
        run.clean_up(statement, phases, variables);
        if matches!(explain::innermost(&error), EvalAltResult::ErrorTooManyOperations(_)) {
            run.global.num_operations = 0;
            endless += 1;
            if endless == ENDLESS_MAX {
                break;
            }
        }
    }
    all_well
}

struct TopLevel<'a> {
    engine: &'a Engine,
    state: &'a Rc<ScriptState>,
    global: GlobalRuntimeState,
    caches: Caches,
    scope: Scope<'static>,
    /// Variables and modules that stand for something that failed.
    poisoned: HashSet<String>,
}

impl TopLevel<'_> {
    fn evaluate(&mut self, statement: &Stmt) -> Fallible<Dynamic> {
        let block = StmtBlock::new([statement.clone()], statement.position(), Position::NONE);
        let expression = Expr::Stmt(Box::new(block));
        let mut context = EvalContext::new(self.engine, &mut self.global, &mut self.caches, &mut self.scope, None);
        #[expect(deprecated, reason = "not deprecated, says its note, but without a promise to stay as it is")]
        context.eval_expression_tree_raw(&Expression::from(&expression), false)
    }

    /// Whether an error only shows that something failed before.
    fn follows(&self, error: &EvalAltResult, statement: &Stmt) -> bool {
        let innermost = explain::innermost(error);
        if innermost.to_string().contains(POISON) {
            return true;
        }
        let module = match innermost {
            EvalAltResult::ErrorFunctionNotFound(name, _)
            | EvalAltResult::ErrorModuleNotFound(name, _)
            | EvalAltResult::ErrorVariableNotFound(name, _) => name.split("::").next(),
            // These do not name the type they found.
            EvalAltResult::ErrorFor(_) => return names(statement).iter().any(|name| self.poisoned.contains(name)),
            _ => None,
        };
        module.is_some_and(|name| self.poisoned.contains(name))
    }

    /// Leaves stand-ins for what a failed statement should have made, and marks what it was making.
    fn clean_up(&mut self, statement: &Stmt, phases_before: usize, variables_before: usize) {
        self.scope.rewind(variables_before);
        match statement {
            Stmt::Var(declared, ..) => {
                // Variables are found by their position: there must be one.
                self.scope.push(declared.0.name.to_string(), Poison);
                self.poisoned.insert(declared.0.name.to_string());
            }
            Stmt::Import(import, _) => {
                self.global.push_import(import.1.name.clone(), Module::new());
                self.poisoned.insert(import.1.name.to_string());
            }
            _ => {}
        }
        for name in assigned(statement) {
            if let Some(value) = self.scope.get_mut(&name) {
                *value = Dynamic::from(Poison);
                self.poisoned.insert(name);
            }
        }
        for draft in self.state.phases.borrow().iter().skip(phases_before) {
            draft.borrow_mut().broken = true;
        }
        for name in names(statement) {
            let value = self.scope.get(&name).map(Dynamic::flatten_clone);
            if let Some(PhaseHandle(draft)) = value.and_then(Dynamic::try_cast::<PhaseHandle>) {
                draft.borrow_mut().broken = true;
            }
        }
    }
}

/// The variables that a statement reads.
fn names(statement: &Stmt) -> HashSet<String> {
    let mut names = HashSet::new();
    statement.walk(&mut Vec::new(), &mut |path| {
        if let Some(ASTNode::Expr(Expr::Variable(variable, ..))) = path.last() {
            names.insert(variable.1.to_string());
        }
        true
    });
    names
}

/// The variables that a statement assigns to, in its blocks too.
fn assigned(statement: &Stmt) -> HashSet<String> {
    let mut names = HashSet::new();
    statement.walk(&mut Vec::new(), &mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Assignment(assignment))) = path.last()
            && let Expr::Variable(variable, ..) = &assignment.1.lhs
        {
            names.insert(variable.1.to_string());
        }
        true
    });
    names
}
