//! Files to analyse, made on the spot: deterministic, small, and free of
//! anything that would have to be stored or licensed.

mod firmware;
mod workspace;

pub use firmware::{Firmware, Part, firmware};
pub use workspace::{Workspace, system_binary};
