//! What the engine does when something of its own goes wrong.

use reversecore_exec::{Engine, EngineConfig, ExecError, StartError};
use tokio_util::sync::CancellationToken;

use crate::support::hostile;

#[tokio::test]
async fn a_launcher_that_does_not_exist_is_named() {
    let config = EngineConfig::new("/no/such/launcher", "/tmp");
    let error = Engine::start(config).unwrap_err();
    assert!(matches!(error, StartError::Launch { .. }));
    assert!(error.to_string().contains("/no/such/launcher"));
}

/// A program that is no launcher ends, or says nothing: an error, not a wait.
#[tokio::test]
async fn a_launcher_that_ends_at_once_is_an_error_not_a_wait() {
    // Whether it is noticed at the start or later is a matter of microseconds.
    let engine = match Engine::start(EngineConfig::new("/bin/true", "/tmp")) {
        Ok(engine) => engine,
        Err(error) => {
            assert!(matches!(error, StartError::Launch { .. }), "{error}");
            return;
        }
    };
    assert!(matches!(
        engine.mechanisms().await,
        Err(StartError::NoGreeting)
    ));
    let error = engine
        .run(hostile(&["exit", "0"]), &CancellationToken::new())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ExecError::LauncherDied | ExecError::Start(StartError::Launch { .. })
        ),
        "{error}"
    );
}
