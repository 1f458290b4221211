//! How long work tells its caller how far it has got, and can be ended early.
//! Engines have no clock of their own; the caller has one.

/// Is told how many bytes of the file are done, every few megabytes; answers
/// whether to go on. After the first "no" the work ends there, and its report
/// says where.
pub type Watch<'a> = &'a mut dyn FnMut(u64) -> bool;

/// Nobody watches.
pub(crate) fn unwatched(_done: u64) -> bool {
    true
}
