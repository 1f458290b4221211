//! Each check with what it lets through and what it stops.

use std::time::Duration;

use http::HeaderValue;

use super::*;

fn guard(address: &str, key: Option<&str>) -> Guard {
    let address = address.parse().unwrap();
    let settings = HttpSettings {
        address,
        allowed_hosts: vec!["tools.example.org".into(), "other.example.org:8443".into()],
        allowed_origins: vec!["https://app.example.org".into()],
        api_key: key.map(|key| key.parse().unwrap()),
        grace: Duration::ZERO,
        max_body_bytes: 0,
        max_connections: 0,
        max_sessions: 0,
    };
    Guard::new(&settings, address)
}

fn judge(guard: &Guard, headers: &[(&'static str, &str)]) -> Result<(), Refusal> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    guard.judge(&Uri::from_static("/mcp"), &map)
}

#[test]
fn known_hosts_pass_and_others_do_not() {
    let guard = guard("192.0.2.7:8700", None);
    for host in [
        "localhost",
        "LOCALHOST:8700",
        "127.0.0.1:8700",
        "[::1]:8700",
        "192.0.2.7:8700",
        "tools.example.org:1",
        "other.example.org:8443",
    ] {
        assert_eq!(judge(&guard, &[("host", host)]), Ok(()), "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "evil.example:8700@localhost",
        "other.example.org",
        "192.0.2.8:8700",
        "",
    ] {
        assert_eq!(
            judge(&guard, &[("host", host)]),
            Err(Refusal::Host),
            "{host}"
        );
    }
    assert_eq!(judge(&guard, &[]), Err(Refusal::Host));
    let two = [("host", "localhost"), ("host", "evil.example")];
    assert_eq!(judge(&guard, &two), Err(Refusal::Host));
}

#[test]
fn any_address_adds_no_host() {
    let guard = guard("0.0.0.0:8700", None);
    assert_eq!(
        judge(&guard, &[("host", "0.0.0.0:8700")]),
        Err(Refusal::Host)
    );
}

#[test]
fn known_origins_pass_and_others_do_not() {
    let guard = guard("192.0.2.7:8700", None);
    let with = |origin: &str| judge(&guard, &[("host", "localhost"), ("origin", origin)]);
    for origin in [
        "http://localhost:6274",
        "http://localhost",
        "http://[::1]:1",
        "http://192.0.2.7:8700",
        "https://app.example.org",
    ] {
        assert_eq!(with(origin), Ok(()), "{origin}");
    }
    for origin in [
        "null",
        "https://evil.example",
        "http://localhost.evil.example",
        "http://localhost:1.evil.example",
        "https://app.example.org:444",
        "http://192.0.2.7:8701",
        "",
    ] {
        assert_eq!(with(origin), Err(Refusal::Origin), "{origin}");
    }
}

#[test]
fn the_key_is_taken_from_either_header() {
    let guard = guard("127.0.0.1:8700", Some("correct-horse"));
    let with = |name, value: &str| judge(&guard, &[("host", "localhost"), (name, value)]);
    assert_eq!(with("authorization", "Bearer correct-horse"), Ok(()));
    assert_eq!(with("authorization", "bearer correct-horse"), Ok(()));
    assert_eq!(with("x-api-key", "correct-horse"), Ok(()));
    for (name, value) in [
        ("authorization", "correct-horse"),
        ("authorization", "Basic correct-horse"),
        ("authorization", "Bearer "),
        ("authorization", "Bearer correct-hors"),
        ("x-api-key", "Bearer correct-horse"),
        ("x-api-key", ""),
        ("accept", "*/*"),
    ] {
        assert_eq!(with(name, value), Err(Refusal::Key), "{name}: {value}");
    }
}
