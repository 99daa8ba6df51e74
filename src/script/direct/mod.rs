//! Calls of words made directly.
//!
//! Rhai looks a function up by its name and the types of its arguments each time it is called: for the short closures of
//! virtual users, most of what a script costs. So the bodies of the script's functions are copied for the run as trees of
//! [`Code`], in which each call of a word, and of another function of the script, knows what it calls. Where a call meets
//! anything but what it was made for, a map for instance where a response was expected, it does what Rhai would have done:
//! it holds the expression that it stands for.
//!
//! Expressions and statements of other kinds are Rhai's, and within them calls are nodes of a syntax that no text can
//! write. Variables stay where Rhai has them, in its scope, so that code of both kinds works on the same.

mod code;
mod natives;
mod rewrite;
mod word;

use std::rc::Rc;

use rhai::{AST, Dynamic, Engine, EvalContext, Expr, ImmutableString, Position};

pub use self::natives::{Function, Natives, Registrar};
use self::{
    code::{Code, Foreign},
    rewrite::{Rewriter, functions},
};
use super::{Fallible, state::Closure};

/// What the nodes' syntax begins with: no token of the language does.
const NODE: &str = "\0direct";

/// A function of the script, as it runs for virtual users.
#[derive(Debug)]
struct Body {
    name: ImmutableString,
    params: Box<[ImmutableString]>,
    steps: Vec<Step>,
}

/// A statement of a function itself; those within it are in expressions of Rhai's.
#[derive(Debug)]
enum Step {
    /// `let name = …;`
    Let(ImmutableString, Code, Position),
    /// An expression.
    Value(Code),
    /// Any other, as a block that leaves its variables behind.
    Other(Expr),
}

/// What code refers to by number.
#[derive(Debug)]
struct Table {
    nodes: Vec<Code>,
    /// A node for [`Code::Placed`].
    sized: Foreign,
    bodies: Vec<Body>,
}

/// A closure whose calls are direct.
#[derive(Debug, Clone)]
pub struct Linked {
    table: Rc<Table>,
    body: usize,
}

impl Linked {
    /// Whether it takes so many values, those that it captured among them.
    pub fn takes(&self, values: usize) -> bool {
        self.table.bodies[self.body].params.len() == values
    }

    /// Runs it with the values that it captured and those that it is given, which it takes. The scope is empty, or the one
    /// that an earlier call left.
    ///
    /// # Errors
    /// What the script throws, or a limit.
    pub fn call(&self, context: &mut EvalContext<'_, '_, '_, '_, '_, '_>, values: &mut [Dynamic]) -> Fallible<Dynamic> {
        let mut value = Dynamic::UNIT;
        self.table.bodies[self.body].call_in_own_scope(context, &self.table, values, &mut value)?;
        Ok(value)
    }
}

/// Lets closures of a script make their calls directly. Once an engine, when all words are registered.
pub fn link(engine: &mut Engine, ast: &AST, natives: &Natives, closures: &mut [Closure]) {
    let functions = functions(ast);
    let mut rewriter = Rewriter::new(ast, natives, &functions);
    let bodies = functions.iter().map(|function| rewriter.body(function)).collect();
    let sized = Foreign(rewriter.node(Code::Placed, Position::NONE));
    let table = Rc::new(Table { nodes: rewriter.nodes, sized, bodies });
    for closure in closures {
        // Closures of modules have functions of their own.
        if closure.is_of(ast.shared_lib()) {
            let body = functions.iter().position(|function| function.name == closure.ptr.fn_name());
            closure.linked = body.map(|body| Linked { table: table.clone(), body });
        }
    }
    engine.register_custom_syntax_with_state_raw(
        NODE,
        |_, _, _| Ok(None),
        false,
        move |context, _, number| {
            let node = number.as_int().ok().and_then(|number| table.nodes.get(usize::try_from(number).ok()?));
            let node = node.ok_or("internal error: a call that is not linked")?;
            let mut value = Dynamic::UNIT;
            node.eval(context, &table, &mut value)?;
            Ok(value)
        },
    );
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::script::{LoadOptions, load};

    /// What is not found would run as before, only slower: nothing else would tell.
    #[test]
    fn each_function_of_the_examples_is_found() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
        let worker = std::thread::Builder::new().stack_size(64 << 20).spawn(move || {
            let mut seen = 0;
            for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
                // Some may not be loaded without leave to start a program.
                let Ok(loaded) = load(&entry, &LoadOptions::default()) else { continue };
                let all = loaded.ast.iter_fn_def().filter(|function| function.this_type.is_none()).count();
                assert_eq!(functions(&loaded.ast).len(), all, "{}", entry.display());
                seen += all;
            }
            seen
        });
        let seen = worker.expect("a thread").join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        assert!(seen > 50, "{seen} functions");
    }

    #[test]
    fn closures_of_the_script_are_linked_and_those_of_modules_are_not() {
        let text = "import \"std/auth\" as auth;\n\
            let api = target(\"http://127.0.0.1:1\");\n\
            auth::login_each_user(api, #{ credentials: #{} });\n\
            let main = flow(\"f\", |vu| { vu.get(\"/a\"); });\n\
            phase(\"p\").run(main).iterations(1);";
        let worker = std::thread::Builder::new().stack_size(64 << 20).spawn(move || {
            let loaded = crate::script::load_source("test.rhai", text, &LoadOptions::default());
            let mut loaded = loaded.unwrap_or_else(|error| panic!("{}", error.render(false)));
            let natives = loaded.shared.natives.take();
            link(&mut loaded.engine, &loaded.ast, &natives, &mut loaded.closures);
            loaded.closures.iter().map(|closure| closure.linked.is_some()).collect::<Vec<_>>()
        });
        let linked = worker.expect("a thread").join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        assert_eq!(linked, [false, true]);
    }
}
