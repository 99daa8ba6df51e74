//! Copies of the script's functions, with nodes in place of calls.

use std::{cmp::Ordering, collections::HashSet};

use rhai::{
    AST, ASTFlags, ASTNode, BinaryExpr, CustomExpr, Dynamic, Expr, FlowControl, FnCallExpr, ImmutableString, Namespace,
    Position, Stmt, StmtBlock, Token,
};

use super::{
    Body, NODE, Step,
    natives::{Native, Natives, getter},
    site::{ARGUMENTS_MAX, PLACES, RECEIVER, Site, Word},
};

/// Words of which the language has namesakes, for values of certain types: those go first, and Rhai knows them.
const NAMESAKES: [&str; 6] = ["bytes", "get", "len", "parse_json", "print", "to_json"];

/// A function of the script, as it was read.
pub(super) struct Function {
    pub(super) name: ImmutableString,
    params: Box<[ImmutableString]>,
    statements: Vec<Stmt>,
    start: Position,
    end: Position,
    /// The body as Rhai shows it.
    shown: String,
}

/// The functions of a script, closures among them. Rhai tells where a body is, and not what it is: its statements
/// are found again by their places.
pub(super) fn functions(ast: &AST) -> Vec<Function> {
    let mut functions: Vec<Function> = ast
        .iter_fn_def()
        .filter(|function| function.this_type.is_none())
        .map(|function| Function {
            name: function.name.clone(),
            params: function.params.iter().cloned().collect(),
            statements: Vec::new(),
            start: function.body.start_position(),
            end: function.body.end_position(),
            shown: format!("{:?}", function.body),
        })
        .collect();
    let mut roots = 0;
    let top_level = ast.statements().len();
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let [ASTNode::Stmt(statement)] = path {
            roots += 1;
            if roots > top_level
                && let Some(function) = innermost(&mut functions, statement.position())
            {
                function.statements.push((*statement).clone());
            }
        }
        true
    });
    functions.retain(|function| {
        // What was found must be what Rhai has; and what a function imports, Rhai alone forgets at its end.
        let imports = |statement: &Stmt| matches!(statement, Stmt::Import(..) | Stmt::Export(..));
        format!("Statements({:?})", function.block()) == function.shown && !function.statements.iter().any(imports)
    });
    functions
}

impl Function {
    fn block(&self) -> StmtBlock {
        StmtBlock::new(self.statements.iter().cloned(), self.start, self.end)
    }
}

/// The innermost function that has a statement at a place.
fn innermost(functions: &mut [Function], at: Position) -> Option<&mut Function> {
    let holds = |function: &Function| match function.end.is_none() {
        // A closure without braces: one statement.
        true => function.start == at,
        false => function.start <= at && at <= function.end,
    };
    functions.iter_mut().filter(|function| holds(function)).max_by_key(|function| function.start)
}

/// Makes the copies.
pub(super) struct Rewriter<'a> {
    natives: &'a Natives,
    functions: &'a [Function],
    /// All functions of the script: what is called as one of them is no word.
    names: HashSet<&'a str>,
    /// What its nodes stand for, by their numbers.
    pub(super) sites: Vec<Site>,
}

impl<'a> Rewriter<'a> {
    pub(super) fn new(ast: &'a AST, natives: &'a Natives, functions: &'a [Function]) -> Self {
        let names = ast.iter_fn_def().map(|function| function.name.as_str()).collect();
        Self { natives, functions, names, sites: Vec::new() }
    }

    /// The copy of a function.
    pub(super) fn body(&mut self, function: &Function) -> Body {
        let mut block = function.block();
        self.block(&mut block);
        let steps = block.statements_mut().drain(..).map(step).collect();
        Body { name: function.name.clone(), params: function.params.clone(), steps }
    }

    fn block(&mut self, block: &mut StmtBlock) {
        block.statements_mut().iter_mut().for_each(|statement| self.statement(statement));
    }

    fn flow(&mut self, flow: &mut FlowControl) {
        self.expression(&mut flow.expr);
        self.block(&mut flow.body);
        self.block(&mut flow.branch);
    }

    fn statement(&mut self, statement: &mut Stmt) {
        match statement {
            Stmt::If(flow, _) | Stmt::While(flow, _) | Stmt::Do(flow, ..) | Stmt::TryCatch(flow, _) => self.flow(flow),
            Stmt::For(parts, _) => self.flow(&mut parts.2),
            Stmt::Var(parts, ..) => self.expression(&mut parts.1),
            // What is assigned to stays: a node is no place.
            Stmt::Assignment(parts) => self.expression(&mut parts.1.rhs),
            Stmt::FnCall(call, at) => {
                let mut expression = Expr::FnCall(call.clone(), *at);
                self.expression(&mut expression);
                *statement = match expression {
                    Expr::FnCall(call, at) => Stmt::FnCall(call, at),
                    node => Stmt::Expr(Box::new(node)),
                };
            }
            Stmt::Block(block) => self.block(block),
            Stmt::Expr(expression) => self.expression(expression),
            Stmt::BreakLoop(Some(expression), ..) | Stmt::Return(Some(expression), ..) => self.expression(expression),
            // Others are rare in what users do again and again: Rhai has them as they are.
            _ => {}
        }
    }

    fn expressions<'e>(&mut self, all: impl IntoIterator<Item = &'e mut Expr>) {
        all.into_iter().for_each(|expression| self.expression(expression));
    }

    fn expression(&mut self, expression: &mut Expr) {
        match expression {
            Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => self.expressions(parts.iter_mut()),
            Expr::Map(map, _) => self.expressions(map.0.iter_mut().map(|(_, value)| value)),
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => self.expressions(parts.iter_mut()),
            Expr::Stmt(block) => self.block(block),
            Expr::FnCall(call, at) => {
                let at = *at;
                let original = (**call).clone();
                self.expressions(call.args.iter_mut());
                if let Some(site) = self.call(&original, &call.args, at) {
                    *expression = self.node(site, at);
                }
            }
            Expr::Dot(parts, flags, at) => {
                let at = *at;
                let original = Expr::Dot(parts.clone(), *flags, at);
                self.chain(&mut parts.rhs);
                match self.method(parts, *flags, original) {
                    Some(site) => *expression = self.node(site, at),
                    None => self.expression(&mut parts.lhs),
                }
            }
            Expr::Index(parts, ..) => {
                self.expression(&mut parts.lhs);
                self.chain(&mut parts.rhs);
            }
            _ => {}
        }
    }

    /// What follows a dot or a bracket: of the calls in it only the arguments are expressions of their own.
    fn chain(&mut self, expression: &mut Expr) {
        match expression {
            Expr::MethodCall(call, _) => self.expressions(call.args.iter_mut()),
            Expr::Property(..) => {}
            Expr::Dot(parts, ..) | Expr::Index(parts, ..) => {
                self.chain(&mut parts.lhs);
                self.chain(&mut parts.rhs);
            }
            other => self.expression(other),
        }
    }

    /// A node for what it is to do.
    pub(super) fn node(&mut self, site: Site, at: Position) -> Expr {
        let number = self.sites.len() as i64;
        self.sites.push(site);
        let node = CustomExpr {
            inputs: Default::default(),
            tokens: std::iter::once(ImmutableString::from(NODE)).collect(),
            state: Dynamic::from(number),
            scope_may_be_changed: false,
            self_terminated: false,
        };
        Expr::Custom(Box::new(node), at)
    }

    /// `function(…)`: of the script, or a word that does not want its first argument's own place.
    fn call(&self, original: &FnCallExpr, arguments: &[Expr], at: Position) -> Option<Site> {
        if let Some(operator) = &original.op_token {
            return comparison(operator, original, arguments, at);
        }
        let count = arguments.len();
        if !original.namespace.is_empty() || original.capture_parent_scope || count > ARGUMENTS_MAX {
            return None;
        }
        let named = |function: &Function| function.name == original.name && function.params.len() == count;
        if let Some(body) = self.functions.iter().position(named) {
            let original = Expr::FnCall(Box::new(original.clone()), at);
            return Some(Site::Function { body, arguments: arguments.to_vec(), original, at });
        }
        if self.names.contains(original.name.as_str()) {
            return None;
        }
        let natives = self.natives.of(&original.name, count);
        if NAMESAKES.contains(&original.name.as_str()) && !natives.iter().all(Native::is_exact) {
            return None;
        }
        let by_value = !matches!(arguments.first(), Some(Expr::Variable(..) | Expr::ThisPtr(_)));
        let fit = !natives.is_empty() && (by_value || natives.iter().all(|native| !native.is_method));
        fit.then(|| {
            let placed = Expr::FnCall(Box::new(placed(original)), at);
            Site::Word(Word::new(original.name.clone(), natives, arguments.to_vec(), placed, at))
        })
    }

    /// `variable.word(…)` or `variable.word`, and what follows.
    fn method(&self, parts: &BinaryExpr, flags: ASTFlags, original: Expr) -> Option<Site> {
        let Expr::Variable(variable, ..) = &parts.lhs else { return None };
        if !variable.2.is_empty() || flags.contains(ASTFlags::NEGATED) {
            return None;
        }
        let mut link = &parts.rhs;
        let mut receiver = &*variable.1;
        let mut next = |expression| self.link(std::mem::replace(&mut receiver, RECEIVER), expression);
        let mut words = Vec::new();
        while let Expr::Dot(parts, flags, _) = link {
            if flags.contains(ASTFlags::NEGATED) {
                return None;
            }
            words.push(next(&parts.lhs)?);
            link = &parts.rhs;
        }
        words.push(next(link)?);
        let rest = words.split_off(1);
        let word = words.pop()?;
        Some(Site::Method { variable: variable.1.clone(), word, rest, original })
    }

    /// One word of a chain, and the name of the variable that it is called on.
    fn link(&self, receiver: &str, expression: &Expr) -> Option<Word> {
        let (name, arguments, placed, at) = match expression {
            Expr::MethodCall(call, at) => {
                (call.name.clone(), call.args.to_vec(), Expr::MethodCall(Box::new(placed(call)), *at), *at)
            }
            Expr::Property(property, at) => (getter(&property.2).into(), Vec::new(), expression.clone(), *at),
            _ => return None,
        };
        let parts = BinaryExpr { lhs: variable(receiver, at), rhs: placed };
        let placed = Expr::Dot(Box::new(parts), ASTFlags::empty(), at);
        let mut natives = self.natives.of(&name, arguments.len() + 1);
        natives.retain(Native::has_receiver);
        let known = !natives.is_empty() && arguments.len() <= ARGUMENTS_MAX && !self.names.contains(name.as_str());
        known.then(|| Word::new(name, natives, arguments, placed, at))
    }
}

fn step(statement: Stmt) -> Step {
    match statement {
        Stmt::Expr(expression) => Step::Value(*expression),
        // One that takes the place of another of its name is Rhai's.
        Stmt::Var(parts, flags, at) if flags.is_empty() && parts.2.is_none() => {
            let (name, value, _) = *parts;
            Step::Let(name.name, value, at)
        }
        other => {
            let at = other.position();
            Step::Other(Expr::Stmt(Box::new(StmtBlock::new([other], at, Position::NONE))))
        }
    }
}

/// `a == b` and its kin.
fn comparison(operator: &Token, call: &FnCallExpr, sides: &[Expr], at: Position) -> Option<Site> {
    let holds: fn(Ordering) -> bool = match operator {
        Token::EqualsTo => Ordering::is_eq,
        Token::NotEqualsTo => Ordering::is_ne,
        Token::LessThan => Ordering::is_lt,
        Token::LessThanEqualsTo => Ordering::is_le,
        Token::GreaterThan => Ordering::is_gt,
        Token::GreaterThanEqualsTo => Ordering::is_ge,
        _ => return None,
    };
    let [left, right] = sides else { return None };
    let placed = Expr::FnCall(Box::new(placed(call)), at);
    Some(Site::Comparison { holds, sides: [left.clone(), right.clone()], placed })
}

/// A variable that is found by its name, wherever in the scope it is.
fn variable(name: &str, at: Position) -> Expr {
    Expr::Variable(Box::new((None, name.into(), Namespace::default(), 0)), None, at)
}

/// A call with the values in [`PLACES`] for arguments.
fn placed(call: &FnCallExpr) -> FnCallExpr {
    let places = call.args.iter().zip(PLACES).map(|(argument, name)| variable(name, argument.position()));
    FnCallExpr { args: places.collect(), ..call.clone() }
}
