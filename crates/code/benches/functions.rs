//! How fast functions are found, beside radare2 on the same file.
fn main() {}
