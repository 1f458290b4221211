//! What the engine does when something of its own goes wrong.

use reversecore_exec::{Containment, Engine, EngineConfig, ExecError, StartError};
use reversecore_testkit::fixture;
use tokio_util::sync::CancellationToken;

use crate::support::{
    TestEngine, again_as_ordinary_user, assert_gone, hostile, launcher, mark, milliseconds, times,
};

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

/// Container engines and service managers refuse `clone3`, whose flags no filter can
/// read. No process is born into a cgroup then; the next rung holds.
#[tokio::test]
async fn without_clone3_the_next_rung_holds() {
    let engine = TestEngine::start(|config| {
        config.launcher = fixture("hostile");
        config.launcher_args = vec!["without-clone3".into(), launcher().into()];
    });
    let mechanisms = engine.engine.mechanisms().await.unwrap();
    assert_eq!(mechanisms.containment, Containment::PidNamespace);
    let cgroup = mechanisms.list.iter().find(|one| one.name == "cgroup");
    assert!(cgroup.is_some_and(|one| one.detail.contains("clone3")));
    assert_eq!(engine.lines(hostile(&["echo", "here"])).await, ["here"]);
    let mark = mark();
    let limits = times(milliseconds(400), milliseconds(50));
    let bad = hostile(&["grandchild", "setsid-ignore-term", &mark]).limits(limits);
    assert!(!engine.run(bad).await.success());
    assert_gone(&mark, "without clone3");
    again_as_ordinary_user("recovery::without_clone3_the_next_rung_holds");
}
