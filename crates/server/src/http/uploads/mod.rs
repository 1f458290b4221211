//! Files that clients send, to be named by their content in calls of tools.
//!
//! ```text
//! POST, PUT /upload ─> receive ─> store ─> WORKSPACE/uploads/<SHA-256>
//! GET /files, GET and DELETE /files/{sha256}, GET /files/{sha256}/content
//! ```
//!
//! | file | knows |
//! |---|---|
//! | `receive` | how a file comes: raw or in a form, piece by piece |
//! | `store` | where files are kept, whose they are, and how much there may be |
//! | `index` | what is known of each file, in memory and as a journal on disk |
//! | `list` | what clients are told of their files |
//!
//! A name that a client gives is a label and never part of a path. A client sees
//! and deletes its own files; tools open a file of anybody who knows its hash,
//! as they open all that lies in the workspace.

mod index;
mod list;
mod receive;
mod store;

pub(super) use list::{content, delete, entry, list};
pub(super) use receive::{Uploads, receive};
pub(super) use store::Store;
