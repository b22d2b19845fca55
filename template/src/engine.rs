//! The engine, as it is used everywhere here: no files, no functions of ours, whitespace as it is written.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use promptory_events::limits::INCLUDE_DEPTH_MAX;

/// What an include costs of the recursion limit, in the engine.
const INCLUDE_COST: usize = 10;
/// Loops and conditions inside each other, besides includes.
const NESTING: usize = 100;

const RECURSION: usize = INCLUDE_DEPTH_MAX * INCLUDE_COST + NESTING;
/// No more includes fit inside each other than this, whatever happens.
pub const INCLUDES_DEEP: usize = RECURSION / INCLUDE_COST;

/// The syntax: nothing is trimmed, so a text without braces says what it is.
pub fn syntax() -> SyntaxConfig {
    let built = SyntaxConfig::builder().keep_trailing_newline(true).build();
    built.unwrap_or_default() // the delimiters are the usual ones, so it builds
}

/// An environment without templates.
pub fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::new();
    environment.set_syntax(syntax());
    environment.set_auto_escape_callback(|_| AutoEscape::None); // a prompt is no web page
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_recursion_limit(RECURSION);
    environment.set_debug(true); // for the expression that is undefined
    // With it a loop could make a value deeper each time round.
    environment.remove_global("namespace");
    environment.remove_global("debug");
    environment
}
