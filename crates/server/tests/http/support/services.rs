//! What the tools work with, for a server in this process.

use std::path::Path;
use std::sync::Arc;

use reversecore_exec::{Engine, EngineConfig, PoolConfig, WorkerPool};
use reversecore_tools::{ProgramSettings, Programs, Services, Workspace, WorkspaceSettings};

/// The launcher is a program that never answers: what needs no child process
/// works, and a call that needs one runs until it is cancelled.
pub(crate) fn services(workspace: &Path) -> Arc<Services> {
    let engine =
        Engine::start(EngineConfig::new("/bin/cat", workspace)).expect("it starts nothing yet");
    let settings = WorkspaceSettings {
        root: workspace.to_path_buf(),
        read_dirs: Vec::new(),
        rule_dirs: Vec::new(),
    };
    let mut workers = PoolConfig::new("/bin/cat");
    workers.min = 0;
    let workers = WorkerPool::start(&engine, workers).expect("there are none yet");
    let workspace = Workspace::open(&settings).expect("the directory is there");
    Arc::new(Services {
        programs: Programs::new(ProgramSettings {
            strings: Some("/bin/cat".into()),
            ..ProgramSettings::default()
        }),
        ..Services::new(engine, workers, workspace)
    })
}
