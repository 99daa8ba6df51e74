//! Copies of the script's functions as code, and within what stays Rhai's, nodes in place of calls.

use std::{cmp::Ordering, collections::HashSet};

use rhai::{
    AST, ASTFlags, ASTNode, BinaryExpr, CustomExpr, Dynamic, Expr, FlowControl, FnCallExpr, Ident, ImmutableString,
    Namespace, Position, Stmt, StmtBlock, Token,
};

use super::{
    Body, NODE, Step,
    code::{Call, Code, Comparison, Foreign, If, Part, Truth},
    natives::{Native, Natives, getter},
    word::{ARGUMENTS_MAX, Method, PLACES, RECEIVER, Word},
};
use crate::script::ITEMS_MAX;

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
        format!("Statements({:?})", function.block()) == function.shown && !function.statements.iter().any(imports)
    });
    functions
}

fn imports(statement: &Stmt) -> bool {
    matches!(statement, Stmt::Import(..) | Stmt::Export(..))
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
    pub(super) nodes: Vec<Code>,
}

/// What a call calls.
enum Callee {
    /// A function of the script, by its number.
    Function(usize),
    Words(Vec<Native>),
    Comparison(fn(Ordering) -> bool),
}

impl<'a> Rewriter<'a> {
    pub(super) fn new(ast: &'a AST, natives: &'a Natives, functions: &'a [Function]) -> Self {
        let names = ast.iter_fn_def().map(|function| function.name.as_str()).collect();
        Self { natives, functions, names, nodes: Vec::new() }
    }

    /// The copy of a function.
    pub(super) fn body(&mut self, function: &Function) -> Body {
        let steps = self.steps(&function.statements);
        Body { name: function.name.clone(), params: function.params.clone(), steps }
    }

    fn steps(&mut self, statements: &[Stmt]) -> Vec<Step> {
        statements.iter().map(|statement| self.step(statement)).collect()
    }

    fn step(&mut self, statement: &Stmt) -> Step {
        match statement {
            // What a block imports, Rhai alone forgets at its end.
            Stmt::If(flow, _) if !flow.body.iter().chain(flow.branch.iter()).any(imports) => {
                let condition = self.truth(&flow.expr);
                let (then, otherwise) = (self.steps(flow.body.statements()), self.steps(flow.branch.statements()));
                Step::Value(Code::If(Box::new(If { condition, then, otherwise })))
            }
            Stmt::Expr(expression) => Step::Value(self.code(expression)),
            Stmt::FnCall(call, at) => Step::Value(self.code(&Expr::FnCall(call.clone(), *at))),
            // One that takes the place of another of its name is Rhai's.
            Stmt::Var(parts, flags, at) if flags.is_empty() && parts.2.is_none() => {
                Step::Let(parts.0.name.clone(), self.code(&parts.1), *at)
            }
            other => {
                let mut block = StmtBlock::new([other.clone()], other.position(), Position::NONE);
                self.block(&mut block);
                Step::Other(Expr::Stmt(Box::new(block)))
            }
        }
    }

    /// An expression that is evaluated directly, as far as that goes.
    fn code(&mut self, expression: &Expr) -> Code {
        if let Some(code) = self.direct(expression) {
            return code;
        }
        match expression {
            Expr::StringConstant(text, _) => Code::Constant(text.clone().into()),
            Expr::IntegerConstant(number, _) => Code::Constant((*number).into()),
            Expr::FloatConstant(number, _) => Code::Constant((**number).into()),
            Expr::BoolConstant(truth, _) => Code::Constant((*truth).into()),
            Expr::Unit(_) => Code::Constant(Dynamic::UNIT),
            Expr::DynamicConstant(value, _) => Code::Constant((**value).clone()),
            Expr::Variable(parts, ..) if parts.2.is_empty() => {
                Code::Variable(parts.1.clone(), Foreign(expression.clone()))
            }
            Expr::And(parts, _) => Code::Either(false, parts.iter().map(|part| self.truth(part)).collect()),
            Expr::Or(parts, _) => Code::Either(true, parts.iter().map(|part| self.truth(part)).collect()),
            Expr::InterpolatedString(parts, _) => Code::Text(parts.iter().map(|part| self.part(part)).collect()),
            Expr::Map(parts, _) if parts.0.len() < ITEMS_MAX => {
                let item = |(key, value): &(Ident, Expr)| (key.name.as_str().into(), self.code(value));
                Code::Map(parts.0.iter().map(item).collect())
            }
            other => {
                let mut expression = other.clone();
                self.within(&mut expression);
                Code::Foreign(Foreign(expression))
            }
        }
    }

    fn truth(&mut self, expression: &Expr) -> Truth {
        let at = expression.position();
        let wrong = Expr::And(Box::new(std::iter::once(variable(PLACES[0], at)).collect()), at);
        Truth { code: self.code(expression), wrong: Foreign(wrong) }
    }

    fn part(&mut self, expression: &Expr) -> Part {
        let at = expression.position();
        let shown = Expr::InterpolatedString(std::iter::once(variable(PLACES[0], at)).collect(), at);
        Part { code: self.code(expression), shown: Foreign(shown) }
    }

    /// A call that knows what it calls; none of anything else.
    fn direct(&mut self, expression: &Expr) -> Option<Code> {
        match expression {
            Expr::FnCall(call, at) => {
                let callee = self.callee(call)?;
                let arguments = call.args.iter().map(|argument| self.code(argument)).collect();
                Some(self.call(callee, call, arguments, *at))
            }
            Expr::Dot(parts, flags, _) => self.method(parts, *flags, expression),
            _ => None,
        }
    }

    fn callee(&self, call: &FnCallExpr) -> Option<Callee> {
        if let Some(operator) = &call.op_token {
            return comparison(operator).filter(|_| call.args.len() == 2).map(Callee::Comparison);
        }
        let count = call.args.len();
        if !call.namespace.is_empty() || call.capture_parent_scope || count > ARGUMENTS_MAX {
            return None;
        }
        let named = |function: &Function| function.name == call.name && function.params.len() == count;
        if let Some(body) = self.functions.iter().position(named) {
            return Some(Callee::Function(body));
        }
        if self.names.contains(call.name.as_str()) {
            return None;
        }
        let natives = self.natives.of(&call.name, count);
        if NAMESAKES.contains(&call.name.as_str()) && !natives.iter().all(Native::is_exact) {
            return None;
        }
        // One that wants its first argument's own place is Rhai's.
        let by_value = !matches!(call.args.first(), Some(Expr::Variable(..) | Expr::ThisPtr(_)));
        let fit = !natives.is_empty() && (by_value || natives.iter().all(|native| !native.is_method));
        fit.then_some(Callee::Words(natives))
    }

    fn call(&self, callee: Callee, call: &FnCallExpr, arguments: Vec<Code>, at: Position) -> Code {
        let placed = |call| Foreign(Expr::FnCall(Box::new(placed(call)), at));
        match callee {
            Callee::Function(body) => {
                let original = Foreign(Expr::FnCall(Box::new(call.clone()), at));
                Code::Function(Box::new(Call { body, arguments, original, at }))
            }
            Callee::Words(natives) => {
                let name = call.name.clone();
                Code::Word(Box::new(Word { name, natives, arguments, placed: placed(call), at }))
            }
            Callee::Comparison(holds) => {
                let mut sides = arguments.into_iter();
                let mut side = || sides.next().unwrap_or(Code::Constant(Dynamic::UNIT));
                Code::Comparison(Box::new(Comparison { holds, sides: [side(), side()], placed: placed(call) }))
            }
        }
    }

    /// `variable.word(…)` or `variable.word`, and what follows.
    fn method(&mut self, parts: &BinaryExpr, flags: ASTFlags, original: &Expr) -> Option<Code> {
        let Expr::Variable(variable, ..) = &parts.lhs else { return None };
        if !variable.2.is_empty() || flags.contains(ASTFlags::NEGATED) {
            return None;
        }
        let mut link = &parts.rhs;
        let mut chain = Vec::new();
        while let Expr::Dot(parts, flags, _) = link {
            if flags.contains(ASTFlags::NEGATED) {
                return None;
            }
            chain.push((&parts.lhs, self.natives_of(&parts.lhs)?));
            link = &parts.rhs;
        }
        chain.push((link, self.natives_of(link)?));
        let mut receiver = variable.1.as_str();
        let mut words = Vec::new();
        for (link, natives) in chain {
            words.push(self.word(std::mem::replace(&mut receiver, RECEIVER), link, natives)?);
        }
        let rest = words.split_off(1);
        let word = words.pop()?;
        let variable = variable.1.clone();
        let original = Foreign(original.clone());
        Some(Code::Method(Box::new(Method { variable, word, rest, original })))
    }

    /// The functions behind one word of a chain.
    fn natives_of(&self, link: &Expr) -> Option<Vec<Native>> {
        let (name, arguments) = match link {
            Expr::MethodCall(call, _) => (call.name.clone(), call.args.len()),
            Expr::Property(property, _) => (getter(&property.2).into(), 0),
            _ => return None,
        };
        let mut natives = self.natives.of(&name, arguments + 1);
        natives.retain(Native::has_receiver);
        let known = !natives.is_empty() && arguments <= ARGUMENTS_MAX && !self.names.contains(name.as_str());
        known.then_some(natives)
    }

    /// One word of a chain, of a variable of this name.
    fn word(&mut self, receiver: &str, link: &Expr, natives: Vec<Native>) -> Option<Word> {
        let (name, arguments, rhs, at) = match link {
            Expr::MethodCall(call, at) => {
                let arguments = call.args.iter().map(|argument| self.code(argument)).collect();
                (call.name.clone(), arguments, Expr::MethodCall(Box::new(placed(call)), *at), *at)
            }
            Expr::Property(property, at) => (getter(&property.2).into(), Vec::new(), link.clone(), *at),
            _ => return None,
        };
        let placed = Expr::Dot(Box::new(BinaryExpr { lhs: variable(receiver, at), rhs }), ASTFlags::empty(), at);
        Some(Word { name, natives, arguments, placed: Foreign(placed), at })
    }

    /// A node for what it is to do.
    pub(super) fn node(&mut self, code: Code, at: Position) -> Expr {
        let number = self.nodes.len() as i64;
        self.nodes.push(code);
        let node = CustomExpr {
            inputs: Default::default(),
            tokens: std::iter::once(ImmutableString::from(NODE)).collect(),
            state: Dynamic::from(number),
            scope_may_be_changed: false,
            self_terminated: false,
        };
        Expr::Custom(Box::new(node), at)
    }

    // Within what is Rhai's, nodes take the places of calls.

    fn block(&mut self, block: &mut StmtBlock) {
        block.statements_mut().iter_mut().for_each(|statement| self.statement(statement));
    }

    fn flow(&mut self, flow: &mut FlowControl) {
        self.within(&mut flow.expr);
        self.block(&mut flow.body);
        self.block(&mut flow.branch);
    }

    fn statement(&mut self, statement: &mut Stmt) {
        match statement {
            Stmt::If(flow, _) | Stmt::While(flow, _) | Stmt::Do(flow, ..) | Stmt::TryCatch(flow, _) => self.flow(flow),
            Stmt::For(parts, _) => self.flow(&mut parts.2),
            Stmt::Var(parts, ..) => self.within(&mut parts.1),
            // What is assigned to stays: a node is no place.
            Stmt::Assignment(parts) => self.within(&mut parts.1.rhs),
            Stmt::FnCall(call, at) => {
                let mut expression = Expr::FnCall(call.clone(), *at);
                self.within(&mut expression);
                *statement = match expression {
                    Expr::FnCall(call, at) => Stmt::FnCall(call, at),
                    node => Stmt::Expr(Box::new(node)),
                };
            }
            Stmt::Block(block) => self.block(block),
            Stmt::Expr(expression) => self.within(expression),
            Stmt::BreakLoop(Some(expression), ..) | Stmt::Return(Some(expression), ..) => self.within(expression),
            // Others are rare in what users do again and again: Rhai has them as they are.
            _ => {}
        }
    }

    fn all_within<'e>(&mut self, all: impl IntoIterator<Item = &'e mut Expr>) {
        all.into_iter().for_each(|expression| self.within(expression));
    }

    fn within(&mut self, expression: &mut Expr) {
        if let Some(code) = self.direct(expression) {
            *expression = self.node(code, expression.position());
            return;
        }
        match expression {
            Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => self.all_within(parts.iter_mut()),
            Expr::Map(map, _) => self.all_within(map.0.iter_mut().map(|(_, value)| value)),
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => self.all_within(parts.iter_mut()),
            Expr::Stmt(block) => self.block(block),
            Expr::FnCall(call, _) => self.all_within(call.args.iter_mut()),
            Expr::Dot(parts, ..) | Expr::Index(parts, ..) => {
                self.within(&mut parts.lhs);
                self.chain(&mut parts.rhs);
            }
            _ => {}
        }
    }

    /// What follows a dot or a bracket: of the calls in it only the arguments are expressions of their own.
    fn chain(&mut self, expression: &mut Expr) {
        match expression {
            Expr::MethodCall(call, _) => self.all_within(call.args.iter_mut()),
            Expr::Property(..) => {}
            Expr::Dot(parts, ..) | Expr::Index(parts, ..) => {
                self.chain(&mut parts.lhs);
                self.chain(&mut parts.rhs);
            }
            other => self.within(other),
        }
    }
}

/// What an operator that compares makes of an order.
fn comparison(operator: &Token) -> Option<fn(Ordering) -> bool> {
    Some(match operator {
        Token::EqualsTo => Ordering::is_eq,
        Token::NotEqualsTo => Ordering::is_ne,
        Token::LessThan => Ordering::is_lt,
        Token::LessThanEqualsTo => Ordering::is_le,
        Token::GreaterThan => Ordering::is_gt,
        Token::GreaterThanEqualsTo => Ordering::is_ge,
        _ => return None,
    })
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
