//! Keys: which headers carry them, and whose they are.

use std::str::FromStr;

use super::*;
use crate::config::{ApiKey, ClientName, KeyHash};

fn keys(of: &[(&str, &str)]) -> Vec<(Client, [u8; 32])> {
    of.iter()
        .map(|(name, key)| {
            let hash = ApiKey::from_str(key).unwrap().hash();
            let name: ClientName = name.parse().unwrap();
            let hash: KeyHash = hash.to_string().parse().unwrap();
            (Client(name.as_str().into()), *hash.bytes())
        })
        .collect()
}

fn auth(of: &[(&str, &str)]) -> Auth {
    Auth(Arc::new(Inner {
        keys: keys(of),
        tokens: None,
    }))
}

fn judge(auth: &Auth, headers: &[(&'static str, &str)]) -> Result<Option<String>, Denied> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    auth.judge(&map)
        .map(|client| client.map(|client| client.name().to_owned()))
}

#[test]
fn the_key_is_taken_from_either_header_and_names_its_owner() {
    let auth = auth(&[("alice", "correct-horse"), ("bob", "battery-staple")]);
    for (name, value, owner) in [
        ("authorization", "Bearer correct-horse", "alice"),
        ("authorization", "bearer battery-staple", "bob"),
        ("x-api-key", "battery-staple", "bob"),
    ] {
        assert_eq!(judge(&auth, &[(name, value)]), Ok(Some(owner.to_owned())));
    }
    for (name, value) in [
        ("authorization", "Bearer "),
        ("authorization", "Bearer correct-hors"),
        ("authorization", "Bearer correct-horse "),
        ("x-api-key", "Bearer correct-horse"),
        ("x-api-key", ""),
    ] {
        let judged = judge(&auth, &[(name, value)]);
        assert_eq!(judged, Err(Denied::Wrong), "{name}: {value}");
    }
    for (name, value) in [
        ("authorization", "correct-horse"),
        ("authorization", "Basic correct-horse"),
        ("accept", "*/*"),
    ] {
        let judged = judge(&auth, &[(name, value)]);
        assert_eq!(judged, Err(Denied::Nothing), "{name}: {value}");
    }
}

#[test]
fn two_keys_are_as_bad_as_none() {
    let auth = auth(&[("alice", "correct-horse")]);
    for second in [
        ("x-api-key", "correct-horse"),
        ("authorization", "Bearer x"),
    ] {
        let both = [("authorization", "Bearer correct-horse"), second];
        assert_eq!(judge(&auth, &both), Err(Denied::Nothing));
    }
}

#[test]
fn without_keys_nobody_has_a_name() {
    let auth = auth(&[]);
    assert_eq!(judge(&auth, &[("x-api-key", "anything")]), Ok(None));
}

#[test]
fn all_keys_are_compared_whichever_is_right() {
    let keys = keys(&[("a", "first"), ("b", "second"), ("c", "third")]);
    for (given, owner) in [("first", "a"), ("second", "b"), ("third", "c")] {
        assert_eq!(key_owner(&keys, given.as_bytes()).unwrap().name(), owner);
    }
    assert_eq!(key_owner(&keys, b"fourth"), None);
}
