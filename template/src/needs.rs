//! What a template needs, read from its syntax tree: the variables that it does not set itself, and what it includes.
//!
//! It also bounds how large the values are that a template makes. The engine's steps pay for making a list, not for walking
//! all that is inside of it when two are compared; and one that holds another twice, some fifty times over, is never
//! walked to its end. So every expression gets an upper bound of the values in it, and those that go over a limit are refused.

use std::collections::{BTreeMap, HashMap, HashSet};

use minijinja::machinery::ast::{BinOpKind, Call, CallArg, Expr, Filter, ForLoop, IfCond, Include, Stmt, UnaryOpKind};
use minijinja::value::ValueKind;
use promptory_events::limits::TEMPLATE_VALUES_MAX;

/// What was found.
#[derive(Debug, Default)]
pub struct Needs {
    /// Variables by name, and whether nothing can be said without them.
    pub variables: BTreeMap<String, bool>,
    /// What is included: the words between the quotes and their line.
    pub includes: Vec<(String, usize)>,
    /// The largest value that each name is set to: included parts see them.
    pub made: Sizes,
    /// What can't be read so, with its line. The first one counts.
    pub refused: Option<Refused>,
}

/// What is no template here.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub reason: String,
    /// Where.
    pub line: usize,
    /// It makes a value that is too large with these sizes.
    pub too_large: bool,
}

/// How many values there are in the values of some names; 1 if a name is not here.
pub type Sizes = BTreeMap<String, u64>;

/// As much as a list that is made of a text counts for. Making it costs steps for each item, so there are not many more.
const LIST_OF_A_TEXT: u64 = TEMPLATE_VALUES_MAX / 4;

/// What a template needs. `given` says how large the values are that it does not set itself.
pub fn needs(template: &Stmt<'_>, given: &Sizes) -> Needs {
    let mut walk = Walk {
        found: Needs::default(),
        given,
        scopes: vec![HashMap::new()],
        maybe: HashSet::new(),
        conditions: 0,
        line: 0,
    };
    walk.statement(template);
    walk.found
}

struct Walk<'a, 'g> {
    found: Needs,
    given: &'g Sizes,
    /// What is set around here, from the outermost scope on, and how large it is.
    scopes: Vec<HashMap<&'a str, u64>>,
    /// What is set somewhere under a condition.
    maybe: HashSet<&'a str>,
    /// Under how many conditions this is.
    conditions: usize,
    /// Of the statement that is looked at.
    line: usize,
}

/// Whether a value that is not there fails, or is only asked about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Needed,
    Asked,
}
use Use::{Asked, Needed};

impl<'a> Walk<'a, '_> {
    fn variable(&mut self, name: &str, how: Use) -> u64 {
        let set = self.scopes.iter().rev().find_map(|scope| scope.get(name).copied());
        // Of what is set only under a condition, or sees a scope that has ended, the name tells the most.
        let given = self.given.get(name).copied().unwrap_or(1);
        if let Some(size) = set {
            return size;
        }
        let required = how == Needed && self.conditions == 0 && !self.maybe.contains(name);
        *self.found.variables.entry(name.to_owned()).or_default() |= required;
        given.max(self.found.made.get(name).copied().unwrap_or(1))
    }

    fn set(&mut self, target: &Expr<'a>, size: u64) {
        match target {
            Expr::Var(variable) => {
                self.maybe.insert(variable.id);
                if let Some(scope) = self.scopes.last_mut() {
                    scope.insert(variable.id, size);
                }
                let made = self.found.made.entry(variable.id.to_owned()).or_insert(size);
                *made = size.max(*made);
            }
            Expr::List(list) => list.items.iter().for_each(|item| self.set(item, size)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.set(item, size)),
            _ => self.refuse("only names can be set here", self.line),
        }
    }

    fn refuse(&mut self, reason: &str, line: usize) {
        let refused = Refused { reason: reason.to_owned(), line, too_large: false };
        self.found.refused.get_or_insert(refused);
    }

    fn bounded(&mut self, size: u64) -> u64 {
        if size > TEMPLATE_VALUES_MAX {
            let reason = format!("it makes a list or an object with more than {TEMPLATE_VALUES_MAX} values in it");
            self.found.refused.get_or_insert(Refused { reason, line: self.line, too_large: true });
            return TEMPLATE_VALUES_MAX; // what is made of it is no worse
        }
        size
    }

    /// Statements that come in order and have names of their own.
    fn body(&mut self, statements: &[Stmt<'a>], own: &[&'a str]) {
        self.scopes.push(own.iter().map(|name| (*name, 1)).collect());
        statements.iter().for_each(|statement| self.statement(statement));
        self.scopes.pop();
    }

    /// The same, if it comes to that.
    fn perhaps(&mut self, statements: &[Stmt<'a>], own: &[&'a str]) {
        self.conditions += 1;
        self.body(statements, own);
        self.conditions -= 1;
    }

    fn statement(&mut self, statement: &Stmt<'a>) {
        match statement {
            Stmt::Template(template) => template.children.iter().for_each(|child| self.statement(child)),
            Stmt::EmitExpr(emit) => {
                self.line = emit.span().start_line.into();
                self.expression(&emit.expr, Needed);
            }
            Stmt::EmitRaw(_) => {}
            Stmt::ForLoop(each) => {
                self.line = each.span().start_line.into();
                self.each(each);
            }
            Stmt::IfCond(condition) => {
                self.line = condition.span().start_line.into();
                self.condition(condition);
            }
            Stmt::WithBlock(with) => {
                self.line = with.span().start_line.into();
                self.scopes.push(HashMap::new());
                for (target, value) in &with.assignments {
                    let size = self.expression(value, Asked);
                    self.set(target, size);
                }
                self.body(&with.body, &[]);
                self.scopes.pop();
            }
            Stmt::Set(set) => {
                self.line = set.span().start_line.into();
                let size = self.expression(&set.expr, Asked);
                self.set(&set.target, size);
            }
            other => self.block(other),
        }
    }

    fn block(&mut self, statement: &Stmt<'a>) {
        let inherits = "there is no inheritance here; include instead";
        let imports = "nothing can be imported here; include instead";
        match statement {
            Stmt::SetBlock(block) => {
                self.line = block.span().start_line.into();
                if let Some(filter) = &block.filter {
                    self.expression(filter, Needed);
                }
                self.body(&block.body, &[]);
                self.set(&block.target, LIST_OF_A_TEXT); // a filter may have made a list of it
            }
            Stmt::AutoEscape(block) => {
                self.line = block.span().start_line.into();
                self.expression(&block.enabled, Asked);
                self.body(&block.body, &[]);
            }
            Stmt::FilterBlock(block) => {
                self.line = block.span().start_line.into();
                self.expression(&block.filter, Needed);
                self.body(&block.body, &[]);
            }
            Stmt::Block(e) => self.refuse(inherits, e.span().start_line.into()),
            Stmt::Extends(e) => self.refuse(inherits, e.span().start_line.into()),
            Stmt::Import(e) => self.refuse(imports, e.span().start_line.into()),
            Stmt::FromImport(e) => self.refuse(imports, e.span().start_line.into()),
            Stmt::Include(include) => self.include(include, include.span().start_line.into()),
            Stmt::Do(call) => {
                self.line = call.span().start_line.into();
                self.call(&call.call);
            }
            // All others were looked at before.
            _ => self.refuse("this statement is not known here", self.line),
        }
    }

    fn each(&mut self, each: &ForLoop<'a>) {
        if each.recursive {
            self.refuse("a loop can't be recursive here", self.line);
        }
        let size = self.expression(&each.iter, Needed);
        self.conditions += 1;
        self.scopes.push(HashMap::from([("loop", 1)]));
        self.set(&each.target, size);
        if let Some(filter) = &each.filter_expr {
            self.expression(filter, Asked);
        }
        self.body(&each.body, &[]);
        self.scopes.pop();
        self.body(&each.else_body, &[]);
        self.conditions -= 1;
    }

    fn condition(&mut self, condition: &IfCond<'a>) {
        self.expression(&condition.expr, Asked);
        self.perhaps(&condition.true_body, &[]);
        self.perhaps(&condition.false_body, &[]);
    }

    /// Only what is named in so many words can be known before it is rendered.
    fn include(&mut self, include: &Include<'a>, line: usize) {
        let name = match &include.name {
            Expr::Const(name) => name.value.as_str().map(ToOwned::to_owned),
            _ => None,
        };
        match name {
            Some(name) => self.found.includes.push((name, line)),
            None => self.refuse("an include names one prompt, in quotes", line),
        }
    }

    fn arguments(&mut self, arguments: &[CallArg<'a>]) -> u64 {
        let one = |argument: &CallArg<'a>| match argument {
            CallArg::Pos(value) | CallArg::Kwarg(_, value) | CallArg::PosSplat(value) | CallArg::KwargSplat(value) => {
                self.expression(value, Asked)
            }
        };
        arguments.iter().map(one).sum()
    }

    fn expressions<'e>(&mut self, all: impl IntoIterator<Item = &'e Expr<'a>>) -> u64
    where
        'a: 'e,
    {
        all.into_iter().map(|one| self.expression(one, Asked)).sum()
    }

    /// An expression that is evaluated only if another one says so.
    fn either(&mut self, expression: &Expr<'a>) -> u64 {
        self.conditions += 1;
        let size = self.expression(expression, Asked);
        self.conditions -= 1;
        size
    }

    /// Notes what an expression needs, and gives how many values there are in it at most.
    fn expression(&mut self, expression: &Expr<'a>, how: Use) -> u64 {
        let size = match expression {
            Expr::Var(variable) => self.variable(variable.id, how),
            Expr::Const(constant) => match constant.value.kind() {
                // A text has a length, too, and is one value.
                ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => 1 + constant.value.len().unwrap_or(0) as u64,
                _ => 1,
            },
            Expr::Slice(slice) => {
                self.expressions(slice.start.iter().chain(&slice.stop).chain(&slice.step));
                self.expression(&slice.expr, Needed)
            }
            Expr::UnaryOp(unary) => {
                let how = if matches!(unary.op, UnaryOpKind::Not) { Asked } else { Needed };
                self.expression(&unary.expr, how)
            }
            Expr::BinOp(binary) => self.binary(binary.op, &binary.left, &binary.right),
            Expr::Compare(compare) => {
                self.expression(&compare.expr, Asked);
                self.expressions(compare.ops.iter().map(|op| &op.expr));
                1
            }
            Expr::IfExpr(either) => {
                self.expression(&either.test_expr, Asked);
                let size = self.either(&either.true_expr);
                size + either.false_expr.as_ref().map_or(0, |other| self.either(other))
            }
            Expr::Filter(filter) => self.filter(filter),
            Expr::Test(test) => {
                self.expression(&test.expr, Asked);
                self.arguments(&test.args);
                1
            }
            Expr::GetAttr(get) => self.expression(&get.expr, Needed),
            Expr::GetItem(get) => {
                self.expression(&get.subscript_expr, Asked);
                self.expression(&get.expr, Needed)
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => 1 + self.expressions(&list.items),
            Expr::Tuple(tuple) => 1 + self.expressions(&tuple.items),
            Expr::Map(map) => 1 + self.expressions(map.keys.iter().chain(&map.values)),
        };
        self.bounded(size)
    }

    fn binary(&mut self, op: BinOpKind, left: &Expr<'a>, right: &Expr<'a>) -> u64 {
        let (our, their) = match op {
            BinOpKind::ScAnd | BinOpKind::ScOr => (self.expression(left, Asked), self.either(right)),
            _ => (self.expression(left, Asked), self.expression(right, Asked)),
        };
        match op {
            BinOpKind::ScAnd | BinOpKind::ScOr | BinOpKind::Add => our + their,
            // A list can be repeated, as often as a number says.
            BinOpKind::Mul if our > 1 || their > 1 => TEMPLATE_VALUES_MAX + 1,
            _ => 1,
        }
    }

    fn filter(&mut self, filter: &Filter<'a>) -> u64 {
        let how = if matches!(filter.name, "default" | "d") { Asked } else { Needed };
        let size = filter.expr.as_ref().map_or(1, |value| self.expression(value, how));
        let arguments = self.arguments(&filter.args);
        match filter.name {
            "upper" | "lower" | "title" | "capitalize" | "replace" | "length" | "count" | "trim" | "join" | "round"
            | "abs" | "int" | "float" | "string" | "bool" | "tojson" | "pprint" | "indent" | "format" | "escape"
            | "e" | "safe" => 1,
            "first" | "last" | "min" | "max" | "reverse" | "sort" | "unique" | "select" | "reject" | "selectattr"
            | "rejectattr" => size,
            "split" | "lines" | "list" => size.max(LIST_OF_A_TEXT),
            // What stays puts items beside or into each other.
            _ => 2 * size + arguments + 1,
        }
    }

    fn call(&mut self, call: &Call<'a>) -> u64 {
        let arguments = self.arguments(&call.args);
        match &call.expr {
            // A function's name.
            Expr::Var(function) if function.id == "range" => LIST_OF_A_TEXT,
            Expr::Var(_) => 1 + arguments,
            callee => 2 * self.expression(callee, Needed) + arguments + 1,
        }
    }
}
