//! Every layer, what goes over what, and what a user reads when a key or a
//! value is wrong.

use std::os::unix::ffi::OsStringExt;

use reversecore_exec::Limits;

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Sources {
    Sources {
        environment: pairs
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        ..Sources::default()
    }
}

fn from_text(text: &str) -> Result<Config, ConfigError> {
    let mut layers = layers::Layers::defaults();
    layers.file(Path::new("my.toml"), text)?;
    Ok(layers.finish())
}

fn flag(name: &'static str, key: &'static str, value: &str) -> Flag {
    Flag {
        name,
        key,
        value: value.to_owned(),
    }
}

#[test]
fn the_defaults_are_those_that_are_documented() {
    let config = load(Sources::default()).unwrap().config;
    assert_eq!(config.server.transport, Transport::Stdio);
    assert!(config.server.http.0.ip().is_loopback());
    assert_eq!(config.execution.max_concurrent_requests.get(), 10);
    assert_eq!(config.execution.request_queue_size.get(), 100);
    assert_eq!(config.execution.max_subprocesses.get(), 5);
    assert_eq!(config.execution.default_timeout, None);
    let engine = Limits::default();
    let limits = config.limits;
    assert_eq!(limits.memory_mib.get() << 20, engine.memory);
    assert_eq!(limits.cpu_seconds, None);
    assert_eq!(limits.processes.get(), u64::from(engine.processes));
    assert_eq!(limits.open_files.get(), u64::from(engine.open_files));
    assert_eq!(limits.file_size_mib.get() << 20, engine.file_size);
    assert_eq!(limits.scratch_mib.get() << 20, engine.scratch_bytes);
    assert_eq!(limits.scratch_files.get(), u64::from(engine.scratch_files));
    assert_eq!(config.sandbox.mode, SandboxMode::Auto);
    assert_eq!(config.sandbox.containment, None);
    assert_eq!(config.workspace.path, None);
}

#[test]
fn a_flag_goes_over_the_environment_and_that_over_the_file() {
    let directory = std::env::temp_dir().join(format!("reversecore-config-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("layers.toml");
    std::fs::write(
        &file,
        "[log]\nlevel = \"error\"\nformat = \"json\"\n[workspace]\npath = \"/file\"\n\
         read_dirs = [\"/one\"]\n[tools.yara]\nprogram = \"/opt/yara\"\n",
    )
    .unwrap();
    let mut sources = environment(&[
        ("REVERSECORE_CONFIG", file.to_str().unwrap()),
        ("LOG_LEVEL", "DEBUG"),
        ("REVERSECORE_WORKSPACE", "/environment"),
        ("REVERSECORE_READ_DIRS", "/two:/three"),
        ("MCP_TRANSPORT", "http"),
        ("DEFAULT_TOOL_TIMEOUT", "60"),
    ]);
    sources.command = vec![flag("run", "log.level", "warn")];
    sources.flags = vec![flag("--workspace", "workspace.path", "/flag")];
    let config = load(sources).unwrap().config;
    std::fs::remove_dir_all(&directory).unwrap();

    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.log.level, LogLevel::Debug);
    assert_eq!(config.workspace.path, Some(PathBuf::from("/flag")));
    assert_eq!(
        config.workspace.read_dirs,
        [PathBuf::from("/two"), PathBuf::from("/three")]
    );
    assert_eq!(config.server.transport, Transport::Http);
    assert_eq!(config.execution.default_timeout.unwrap().get(), 60);
    assert_eq!(config.tools.yara.program, Some(PathBuf::from("/opt/yara")));
}

#[test]
fn a_bad_file_is_refused_with_the_key_named() {
    for (text, key, reason) in [
        ("colour = 1", "colour", "unknown field `colour`"),
        ("[server]\nprot = 1", "server.prot", "unknown field `prot`"),
        ("[servers]", "servers", "unknown field `servers`"),
        ("[tools.ida]", "tools.ida", "unknown field `ida`"),
        (
            "[server]\ntransport = \"sse\"",
            "server.transport",
            "unknown variant `sse`, expected `stdio` or `http`",
        ),
        (
            "[server]\nhttp = \"example.org:80\"",
            "server.http",
            "expected an address and a port",
        ),
        (
            "[http]\nmax_body_bytes = 1",
            "http.max_body_bytes",
            "an integer from 1024 to 104857600",
        ),
        (
            "[server]\nshutdown_grace_seconds = -1",
            "server.shutdown_grace_seconds",
            "an integer from 0 to 600",
        ),
        (
            "[execution]\nmax_subprocesses = 0",
            "execution.max_subprocesses",
            "an integer from 1 to 1024",
        ),
        (
            "[execution]\nmax_subprocesses = \"5\"",
            "execution.max_subprocesses",
            "an integer from 1 to 1024",
        ),
        (
            "[execution]\ndefault_timeout = 4000",
            "execution.default_timeout",
            "an integer from 1 to 3600",
        ),
        (
            "[sandbox]\nmode = \"on\"",
            "sandbox.mode",
            "expected one of `required`, `auto`, `off`",
        ),
        (
            "[sandbox]\ncontainment = \"docker\"",
            "sandbox.containment",
            "expected one of `auto`, `cgroup`, `pid-namespace`, `subreaper`",
        ),
        (
            "[sandbox]\nread = \"/opt\"",
            "sandbox.read",
            "expected a sequence",
        ),
        (
            "[tools.strings]\nprogram = \"bin/strings\"",
            "tools.strings.program",
            "expected an absolute path",
        ),
        ("[log]\nlevel = 3", "log.level", "invalid type"),
    ] {
        let error = from_text(text).unwrap_err();
        let ConfigError::Setting {
            key: found,
            layer,
            reason: why,
        } = &error
        else {
            panic!("{text}: {error}");
        };
        assert_eq!(found, key, "{text}: {error}");
        assert_eq!(layer, "file `my.toml`");
        assert!(why.contains(reason), "{text}: {why}");
    }
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_the_line() {
    let error = from_text("[server]\nhttp = \n").unwrap_err().to_string();
    assert!(error.contains("`my.toml` is not valid TOML"), "{error}");
    assert!(error.contains("line 2"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let error = load(Sources {
        file: Some(PathBuf::from("/nowhere/my.toml")),
        ..Sources::default()
    })
    .unwrap_err();
    assert!(error.to_string().contains("`/nowhere/my.toml`"), "{error}");
}

#[test]
fn a_bad_variable_is_refused_with_its_name() {
    for (name, value, message) in [
        (
            "MCP_TRANSPORT",
            "sse",
            "bad setting `server.transport` from environment variable `MCP_TRANSPORT`",
        ),
        (
            "DEFAULT_TOOL_TIMEOUT",
            "soon",
            "bad setting `execution.default_timeout` from environment variable `DEFAULT_TOOL_TIMEOUT`",
        ),
        ("LOG_LEVEL", "loud", "bad setting `log.level`"),
        (
            "REVERSECORE_WORKSAPCE",
            "/x",
            "`REVERSECORE_WORKSAPCE` (known are",
        ),
    ] {
        let error = load(environment(&[(name, value)])).unwrap_err().to_string();
        assert!(error.contains(message), "{name}: {error}");
    }
}

#[test]
fn a_variable_that_is_no_text_is_refused() {
    let error = load(Sources {
        environment: vec![(
            OsString::from("REVERSECORE_WORKSPACE"),
            OsString::from_vec(vec![b'/', 0xff]),
        )],
        ..Sources::default()
    })
    .unwrap_err();
    assert!(matches!(error, ConfigError::NotText { name } if name == "REVERSECORE_WORKSPACE"));
}

#[test]
fn a_bad_flag_is_refused_with_its_name() {
    let error = load(Sources {
        flags: vec![flag("--http", "server.http", "everywhere")],
        ..Sources::default()
    })
    .unwrap_err()
    .to_string();
    assert_eq!(
        error,
        "bad setting `server.http` from flag `--http`: `everywhere`: expected an address and a \
         port, such as `127.0.0.1:8700` or `[::1]:8700`"
    );
}

#[test]
fn the_key_stands_in_no_message_and_no_debug_form() {
    let error = load(environment(&[("MCP_API_KEY", "top secret")]))
        .unwrap_err()
        .to_string();
    assert!(error.contains("`http.api_key`"), "{error}");
    assert!(!error.contains("secret"), "{error}");
    let config = load(environment(&[("MCP_API_KEY", "topsecret")]))
        .unwrap()
        .config;
    assert!(!format!("{config:?}").contains("topsecret"));
}

#[test]
fn named_keys_are_hashes_and_a_key_in_their_place_is_not_repeated() {
    let hash = "ab".repeat(32);
    let config = from_text(&format!(
        "[http.keys]\nalice = \"sha256:{hash}\"\nbob = \"{hash}\"\n"
    ))
    .unwrap();
    let names: Vec<&str> = config.http.keys.keys().map(ClientName::as_str).collect();
    assert_eq!(names, ["alice", "bob"]);
    let error = from_text("[http.keys]\nalice = \"topsecret\"\n").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`http.keys.alice`"), "{text}");
    assert!(text.contains("SHA-256"), "{text}");
    assert!(!text.contains("topsecret"), "{text}");
}

#[test]
fn tokens_can_not_be_signed_with_a_shared_secret() {
    let with = |algorithms: &str| {
        from_text(&format!(
            "[http.oauth]\nissuer = \"i\"\nresource = \"r\"\njwks = \"/k\"\nalgorithms = {algorithms}\n"
        ))
    };
    let oauth = with("[\"ES256\"]").unwrap().http.oauth.unwrap();
    assert_eq!(oauth.algorithms, [TokenAlgorithm::ES256]);
    for wrong in ["[\"HS256\"]", "[\"none\"]"] {
        let error = with(wrong).unwrap_err().to_string();
        assert!(error.contains("`http.oauth.algorithms"), "{error}");
    }
}

#[test]
fn the_rate_is_set_by_its_variable_and_a_short_key_is_noted() {
    let loaded = load(environment(&[
        ("RATE_LIMIT", "60"),
        ("MCP_API_KEY", "short"),
        ("PATH", "/bin"),
    ]))
    .unwrap();
    assert_eq!(loaded.config.http.rate_limit.get(), 60);
    assert_eq!(loaded.notes.len(), 1, "{:?}", loaded.notes);
    assert!(!loaded.notes[0].contains("`short`"), "{:?}", loaded.notes);
    let loaded = load(environment(&[("MCP_API_KEY", "")])).unwrap();
    assert_eq!(loaded.config.http.api_key, None);
    assert!(loaded.notes.is_empty(), "{:?}", loaded.notes);
}

#[test]
fn the_switch_for_async_execution_keeps_its_words() {
    let mode = |value| {
        load(environment(&[("ENABLE_ASYNC_EXECUTION", value)]))
            .map(|loaded| loaded.config.execution.mode)
    };
    for (value, expected) in [
        ("true", ExecutionMode::Async),
        ("1", ExecutionMode::Async),
        ("False", ExecutionMode::Sync),
        ("off", ExecutionMode::Sync),
    ] {
        assert_eq!(mode(value).unwrap(), expected, "{value}");
    }
    let error = mode("perhaps").unwrap_err().to_string();
    assert!(error.contains("ENABLE_ASYNC_EXECUTION"), "{error}");
}

#[test]
fn addresses_can_be_written_short() {
    for (text, address) in [
        ("8700", "127.0.0.1:8700"),
        ("localhost:0", "127.0.0.1:0"),
        ("[::1]:80", "[::1]:80"),
        ("0.0.0.0:80", "0.0.0.0:80"),
    ] {
        let parsed: ListenAddress = text.parse().unwrap();
        assert_eq!(parsed.0, address.parse().unwrap(), "{text}");
    }
    for bad in [
        "",
        "localhost",
        "127.0.0.1",
        "70000",
        ":80",
        "evil.example:80",
    ] {
        assert!(bad.parse::<ListenAddress>().is_err(), "{bad}");
    }
}
