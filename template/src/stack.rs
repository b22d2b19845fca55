//! A stack of its own for the engine. It walks templates and values by recursion, and so does dropping them.

/// A value can be made as deep as a template has tokens for it ([`crate::bounds`]): this is some kilobytes for each of them.
/// The pages are only there once they are used.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// The engine panicked, or no thread could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

/// Does something with a large stack, and waits for it.
pub fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Broken> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("template".into()).stack_size(STACK_BYTES);
        // What was made there is moved out and not dropped there; nothing deep is in it.
        thread.spawn_scoped(scope, work).map_err(|_| Broken)?.join().map_err(|_| Broken)
    })
}
