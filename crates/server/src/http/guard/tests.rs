//! Each check with what it lets through and what it stops.

use http::HeaderValue;

use super::*;
use crate::config;

fn guard(address: &str) -> Guard {
    let config = config::load(config::Sources::default()).unwrap().config;
    let mut settings = HttpSettings::from(&config);
    settings.address = address.parse().unwrap();
    settings.allowed_hosts = vec!["tools.example.org".into(), "other.example.org:8443".into()];
    settings.allowed_origins = vec!["https://app.example.org".into()];
    Guard::new(&settings, settings.address)
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
    let guard = guard("192.0.2.7:8700");
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
    let guard = guard("0.0.0.0:8700");
    assert_eq!(
        judge(&guard, &[("host", "0.0.0.0:8700")]),
        Err(Refusal::Host)
    );
}

#[test]
fn known_origins_pass_and_others_do_not() {
    let guard = guard("192.0.2.7:8700");
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
