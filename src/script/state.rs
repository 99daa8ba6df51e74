//! What the words of a script share while it runs: the plan under construction, the mistakes found so far,
//! the stage, and the random numbers of the virtual user that has the floor.

use std::{
    cell::{Cell, RefCell},
    path::PathBuf,
    rc::Rc,
    sync::Arc,
};

use rhai::{
    Caches, Dynamic, Engine, EvalContext, FnArgsVec, FnPtr, GlobalRuntimeState, Module, NativeCallContext, Position,
    Scope,
};

use super::{
    Fallible,
    data_cache::DataCache,
    direct::{Linked, Natives},
    processes::Processes,
    redact::Redactor,
    render::Sources,
    words::data::DataHandle,
    words::phase::PhaseDraft,
};
use crate::{
    clock::{Clock, MILLISECOND},
    engine::user::User,
    plan::{ClosureId, DrawContext, DrawError, Drawers, Generator, GeneratorId, Place, Plan, Problem, Table, Value},
};

/// Which of its two lives a script is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The top level runs and declares; generators are kept.
    Plan,
    /// Closures run for virtual users; generators are drawn.
    Run,
}

/// A closure of the script, with the surroundings it was made in.
#[derive(Debug, Clone)]
pub struct Closure {
    /// The function and the values it captured.
    pub ptr: FnPtr,
    /// How many arguments it takes beyond those it captured; `None` for a native function.
    pub arity: Option<usize>,
    /// Where it was handed over.
    pub place: Place,
    /// Functions and imports of the file it was written in, so that it runs as it did there.
    surroundings: Rc<GlobalRuntimeState>,
    /// As virtual users run it; none where Rhai runs it as it is.
    pub(super) linked: Option<Linked>,
    /// What earlier calls left to be used again, most recently used last.
    #[expect(clippy::vec_box, reason = "each call takes one out and puts it back: a pointer moves, not 1.3 KiB")]
    warm: Rc<RefCell<Vec<Box<Warm>>>>,
}

/// What a call runs in. Rhai looks functions up by name and types on every call; a cache that has seen the
/// script before makes that a single probe.
#[derive(Debug)]
struct Warm {
    global: GlobalRuntimeState,
    caches: Caches,
    scope: Scope<'static>,
}

/// More idle surroundings than this are given back to the allocator.
const WARM_MAX: usize = 256;

impl Closure {
    /// Takes a function pointer out of a running call.
    pub fn new(mut ptr: FnPtr, ctx: &NativeCallContext<'_>, place: Place) -> Self {
        super::run::own_users(&mut ptr);
        let mut surroundings = ctx.global_runtime_state().clone();
        // Each call starts with its whole allowance of operations and levels.
        surroundings.num_operations = 0;
        surroundings.level = 0;
        let captured = ptr.curry().len();
        // Rhai allows far more parameters, but no word of loadr hands over more than a few.
        let arity = (0..=8).find(|&arity| {
            surroundings.lib.iter().any(|lib| lib.get_script_fn(ptr.fn_name(), arity + captured).is_some())
        });
        Self { ptr, arity, place, surroundings: Rc::new(surroundings), linked: None, warm: Rc::default() }
    }

    /// Whether its functions are those of a script, and of no module.
    pub fn is_of(&self, functions: &Rc<Module>) -> bool {
        self.surroundings.lib.last().is_some_and(|own| Rc::ptr_eq(own, functions))
    }

    /// Runs it.
    ///
    /// # Errors
    /// What the script throws, or a limit.
    pub fn call(&self, engine: &Engine, args: impl IntoIterator<Item = Dynamic>) -> Fallible<Dynamic> {
        if self.arity.is_none() {
            return self.call_of_unknown_arity(engine, args.into_iter().collect());
        }
        let idle = self.warm.borrow_mut().pop();
        let mut warm = idle.unwrap_or_else(|| self.warm_up());
        let mut values: FnArgsVec<Dynamic> = FnArgsVec::new();
        // Faster than to collect them.
        for value in self.ptr.curry() {
            values.push(value.clone());
        }
        for value in args {
            values.push(value);
        }
        let mut context = EvalContext::new(engine, &mut warm.global, &mut warm.caches, &mut warm.scope, None);
        let result = match self.linked.as_ref().filter(|linked| linked.takes(values.len())) {
            Some(linked) => linked.call(&mut context, &mut values),
            None => {
                let mut places: FnArgsVec<&mut Dynamic> = values.iter_mut().collect();
                context.call_fn_raw(self.ptr.fn_name(), false, false, &mut places)
            }
        };
        // After an error, or if the call is dropped in the middle, nobody knows what state they are in.
        if result.is_ok() {
            warm.global.num_operations = 0;
            warm.global.level = 0;
            let mut idle = self.warm.borrow_mut();
            if idle.len() < WARM_MAX {
                idle.push(warm);
            }
        }
        result
    }
}

// What is rare is not part of `call`: its frame lies below everything a script does, on every user's stack.
impl Closure {
    #[cold]
    #[inline(never)]
    fn warm_up(&self) -> Box<Warm> {
        Box::new(Warm { global: (*self.surroundings).clone(), caches: Caches::new(), scope: Scope::new() })
    }

    #[cold]
    #[inline(never)]
    fn call_of_unknown_arity(&self, engine: &Engine, mut args: FnArgsVec<Dynamic>) -> Fallible<Dynamic> {
        let source = self.surroundings.source.as_deref();
        let ctx: NativeCallContext<'_> =
            (engine, self.ptr.fn_name(), source, &*self.surroundings, Position::NONE).into();
        self.ptr.call_raw(&ctx, None, &mut args)
    }
}

/// Where `print` goes.
type Printer = Box<dyn Fn(&str)>;

/// See the module. One per engine, shared by every word registered in it.
pub struct ScriptState {
    pub(super) stage: Cell<Stage>,
    pub(super) problems: RefCell<Vec<Problem>>,
    pub(super) plan: RefCell<Plan>,
    pub(super) phases: RefCell<Vec<Rc<RefCell<PhaseDraft>>>>,
    pub(super) closures: RefCell<Vec<Closure>>,
    /// The functions behind words that check their arguments themselves.
    pub(super) natives: RefCell<Natives>,
    pub(super) tables: RefCell<Vec<Arc<Table>>>,
    pub(super) sources: RefCell<Sources>,
    pub(super) redactor: Redactor,
    pub(super) env: Vec<(String, String)>,
    pub(super) folder: PathBuf,
    pub(super) allow_read: Vec<PathBuf>,
    pub(super) data_cache: Arc<DataCache>,
    pub(super) processes: Processes,
    /// See [`super::LoadOptions::of_run`].
    pub(super) of_run: Option<Arc<[String]>>,
    /// Places of `plan.generators`, for messages.
    pub(super) generator_places: RefCell<Vec<Place>>,
    drawers: RefCell<Rc<Drawers>>,
    /// Milliseconds since 1970 at the run's origin, and the run's clock.
    wall: RefCell<Option<(u64, Clock)>>,
    printer: RefCell<Printer>,
    nobody: Rc<User>,
}

impl std::fmt::Debug for ScriptState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScriptState").field("stage", &self.stage.get()).finish_non_exhaustive()
    }
}

impl ScriptState {
    pub(super) fn new(options: &super::LoadOptions, folder: PathBuf, sources: Sources) -> Self {
        Self {
            stage: Cell::new(Stage::Plan),
            problems: RefCell::default(),
            plan: RefCell::default(),
            phases: RefCell::default(),
            closures: RefCell::default(),
            natives: RefCell::default(),
            tables: RefCell::default(),
            sources: RefCell::new(sources),
            redactor: options.secrets.clone(),
            env: options.env.clone(),
            folder,
            allow_read: options.allow_read.clone(),
            data_cache: options.data_cache.clone(),
            processes: options.processes.clone(),
            of_run: options.of_run.clone(),
            generator_places: RefCell::default(),
            drawers: RefCell::default(),
            wall: RefCell::default(),
            printer: RefCell::new(Box::new(|text| eprintln!("{text}"))),
            nobody: User::new(1, 0),
        }
    }

    /// The stage the script is in.
    pub fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// Ends the plan stage: from here on generators are drawn from `drawers`.
    pub(super) fn enter_run(&self, drawers: Rc<Drawers>) {
        *self.drawers.borrow_mut() = drawers;
        self.stage.set(Stage::Run);
    }

    /// The prepared generators and data of the plan; empty before the run stage.
    pub fn drawers(&self) -> Rc<Drawers> {
        self.drawers.borrow().clone()
    }

    /// The wall clock from now on: milliseconds since 1970 at the clock's origin.
    pub(super) fn set_wall(&self, epoch_ms: u64, clock: Clock) {
        // Runs that start within the same millisecond share no cache, or are parts of one run.
        self.drawers.borrow().set_run(epoch_ms);
        *self.wall.borrow_mut() = Some((epoch_ms, clock));
    }

    /// Milliseconds since 1970; 0 before the run.
    pub(super) fn wall_ms(&self) -> u64 {
        self.wall.borrow().as_ref().map_or(0, |(epoch_ms, clock)| epoch_ms + clock.now() / MILLISECOND)
    }

    /// As [`Self::wall_ms`], when the time was read last: mostly when the script got the floor.
    pub(super) fn recent_wall_ms(&self) -> u64 {
        self.wall.borrow().as_ref().map_or(0, |(epoch_ms, clock)| epoch_ms + clock.recent() / MILLISECOND)
    }

    /// Does something with the random numbers of the virtual user that has the floor; without one, with those
    /// of a user that is in no run.
    ///
    /// # Errors
    /// What `work` says.
    pub fn with_drawing<R>(
        &self,
        work: impl FnOnce(&Drawers, &mut DrawContext<'_>) -> Result<R, DrawError>,
    ) -> Result<R, DrawError> {
        let drawers = self.drawers();
        let user = super::run::current_user().unwrap_or_else(|| self.nobody.clone());
        user.draw(self.recent_wall_ms(), |context| work(&drawers, context))
    }

    /// Draws from one of the plan's generators.
    ///
    /// # Errors
    /// A `.unique()` data set has no row left.
    pub fn draw(&self, id: GeneratorId) -> Result<Value, DrawError> {
        self.with_drawing(|drawers, ctx| drawers.draw(id, ctx))
    }

    /// Where `print` goes from now on; the text is redacted already.
    pub fn set_printer(&self, printer: impl Fn(&str) + 'static) {
        *self.printer.borrow_mut() = Box::new(printer);
    }

    pub(super) fn print(&self, text: &str) {
        let text = self.redactor.redact(text).into_owned();
        (self.printer.borrow())(&text);
    }

    /// Knows the values of `secret(…)`, to take them out of any text.
    pub fn redactor(&self) -> Redactor {
        self.redactor.clone()
    }

    pub(super) fn problem(&self, problem: Problem) {
        // A mistake in a loop would drown the others.
        const PROBLEMS_MAX: usize = 50;
        let mut problems = self.problems.borrow_mut();
        if problems.len() < PROBLEMS_MAX && !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// Notes a problem, unless there is one at its place already.
    pub(super) fn unless_known(&self, problem: Problem) {
        let known = self.problems.borrow().iter().any(|known| known.at == problem.at);
        if !known {
            self.problem(problem);
        }
    }

    pub(super) fn add_generator(&self, generator: Generator, place: &Place) -> GeneratorId {
        let mut plan = self.plan.borrow_mut();
        plan.generators.push(generator);
        self.generator_places.borrow_mut().push(place.clone());
        GeneratorId((plan.generators.len() - 1) as u32)
    }

    pub(super) fn add_closure(&self, closure: Closure) -> ClosureId {
        let mut closures = self.closures.borrow_mut();
        let id = ClosureId(closures.len() as u32);
        let sets = closure.ptr.curry().iter().filter_map(|value| Some(value.read_lock::<DataHandle>()?.0));
        self.plan.borrow_mut().captured.extend(sets.map(|data| (id, data)));
        closures.push(closure);
        id
    }
}
