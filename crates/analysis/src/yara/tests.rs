//! Rules that match, rules that are wrong, and the bounds of reports.

use std::sync::Arc;
use std::time::Duration;

use super::*;

fn source(text: &str) -> RuleSource {
    RuleSource {
        namespace: "default".to_owned(),
        text: text.to_owned(),
        origin: "test.yar".to_owned(),
    }
}

fn set(text: &str) -> Compiled {
    compile(&[source(text)], &CompileOptions::default()).unwrap()
}

fn errors(text: &str) -> Vec<Diagnostic> {
    match compile(&[source(text)], &CompileOptions::default()) {
        Err(CompileError::Rules { errors }) => errors,
        other => panic!("{other:?}"),
    }
}

fn names(report: &ScanReport) -> Vec<&str> {
    report
        .matches
        .iter()
        .map(|found| found.rule.as_str())
        .collect()
}

#[test]
fn a_match_says_everything() {
    let rules = set(r#"
        rule found : one two {
            meta:
                author = "me"
                score = -3
                sure = true
            strings:
                $a = "needle"
                $x = "secret" xor(1-255)
            condition: all of them
        }"#);
    let mut data = b"..needle..needle..".to_vec();
    data.extend(b"secret".map(|byte| byte ^ 0x41));
    let report = scan(&rules, &data, &ScanOptions::default());
    let [found] = report.matches.as_slice() else {
        panic!("{report:?}");
    };
    assert_eq!(
        (found.rule.as_str(), found.namespace.as_str()),
        ("found", "default")
    );
    assert_eq!(found.tags, ["one", "two"]);
    let values: Vec<_> = found.meta.iter().map(|meta| &meta.value).collect();
    assert_eq!(
        values,
        [
            &MetaValue::String("me".to_owned()),
            &MetaValue::Int(-3),
            &MetaValue::Bool(true)
        ]
    );
    let places: Vec<_> = found
        .strings
        .iter()
        .map(|place| {
            (
                place.identifier.as_str(),
                place.offset,
                place.length,
                place.xor_key,
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            ("$a", 2, 6, None),
            ("$a", 10, 6, None),
            ("$x", 18, 6, Some(0x41))
        ]
    );
    assert_eq!(found.strings[0].data, "6e6565646c65");
    assert_eq!(found.strings[0].text, "needle");
    assert!(report.warnings.is_empty());
}

#[test]
fn private_rules_are_left_out_and_global_ones_govern_their_namespace() {
    let other = RuleSource {
        namespace: "other".to_owned(),
        ..source("rule free { condition: true }")
    };
    let governed = source(
        "private rule hidden { condition: true }
         global rule never { condition: filesize > 100 }
         rule bound { condition: hidden }",
    );
    let rules = compile(&[governed, other], &CompileOptions::default()).unwrap();
    assert_eq!(
        names(&scan(&rules, b"short", &ScanOptions::default())),
        ["free"]
    );
    let report = scan(&rules, &[0; 200], &ScanOptions::default());
    assert_eq!(names(&report), ["never", "bound", "free"]);
}

#[test]
fn all_errors_are_told_with_their_places() {
    let found = errors("rule a {\n condition: nothing\n}\nrule b {\n condition: 1 +\n}\n");
    assert!(!found.is_empty());
    let first = found
        .iter()
        .find(|error| error.rule.as_deref() == Some("a"));
    let first = first.unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!((first.line, first.column), (2, 13));
    assert_eq!(first.origin, "test.yar");
    assert!(first.message.contains("nothing"), "{first}");
    assert!(
        found
            .iter()
            .all(|error| !error.message.contains(['\u{1b}', '\n']))
    );
    let wrong = [
        source("rule x { condition: y }"),
        source("rule z { condition: w }"),
    ];
    let Err(CompileError::Rules { errors }) = compile(&wrong, &CompileOptions::default()) else {
        panic!("two wrong sources compile");
    };
    assert_eq!(errors.len(), 2);
}

#[test]
fn includes_are_refused() {
    let found = errors("include \"/etc/hostname\"\nrule a { condition: true }");
    assert!(found[0].message.contains("include"), "{found:?}");
}

#[test]
fn regular_expressions_are_read_as_yara_reads_them() {
    // A brace that opens no repetition is a literal to yara.
    let rules = set(r"rule a { strings: $a = /x{abc}/ condition: $a }");
    assert_eq!(
        names(&scan(&rules, b"x{abc}", &ScanOptions::default())),
        ["a"]
    );
}

#[test]
fn externals_are_defined_and_set() {
    let define = |value| CompileOptions {
        externals: vec![("level".to_owned(), value)],
    };
    let text = [source("rule high { condition: level > 5 }")];
    let rules = compile(&text, &define(ExternalValue::Int(1))).unwrap();
    assert!(
        scan(&rules, b"", &ScanOptions::default())
            .matches
            .is_empty()
    );
    let mut options = ScanOptions {
        externals: vec![("level".to_owned(), ExternalValue::Int(9))],
        ..ScanOptions::default()
    };
    assert_eq!(names(&scan(&rules, b"", &options)), ["high"]);
    options.externals = vec![("level".to_owned(), ExternalValue::String("9".to_owned()))];
    assert!(!scan(&rules, b"", &options).warnings.is_empty());

    let id = |value| rule_set_id(&text, &define(value));
    assert_eq!(id(ExternalValue::Int(1)), id(ExternalValue::Int(2)));
    assert_ne!(id(ExternalValue::Int(1)), id(ExternalValue::Float(1.0)));
    assert_eq!(rules.id(), &id(ExternalValue::Int(3)));
    let bad = CompileOptions {
        externals: vec![("9x".to_owned(), ExternalValue::Bool(true))],
    };
    assert!(matches!(
        compile(&[], &bad),
        Err(CompileError::External { .. })
    ));
}

#[test]
fn what_is_left_out_is_said() {
    let rules = set("rule a { strings: $a = \"x\" condition: #a == 50 }");
    let options = ScanOptions {
        max_matches_per_pattern: 10,
        ..ScanOptions::default()
    };
    let report = scan(&rules, &[b'x'; 50], &options);
    assert_eq!(report.matches[0].strings.len(), 10);
    assert_eq!(report.matches[0].strings_total, 50);
    assert!(!report.warnings.is_empty());
}

#[test]
fn an_endless_rule_runs_out_of_time() {
    let rules =
        set("rule slow { condition: for all i in (0..100000000000) : (uint8(i % 7) != 1) }");
    let options = ScanOptions {
        timeout: Some(Duration::from_millis(100)),
        ..ScanOptions::default()
    };
    assert!(scan(&rules, &[0; 64], &options).timed_out);
}

#[test]
fn a_rule_that_takes_too_long_does_not_cost_the_verdicts_of_others() {
    let rules = set("rule before { condition: true }
         global rule endless { condition: for all i in (0..100000000000) : (uint8(i % 7) != 1) }
         rule refers { condition: endless }
         rule after { strings: $a = \"abc\" condition: $a }");
    let each = Duration::from_millis(500);
    let left = || Duration::from_secs(8);
    let (define, options) = (CompileOptions::default(), ScanOptions::default());
    let data = [b"abc".as_slice(), &[0; 64]].concat();
    let report = scan_patiently(&rules, &define, &data, &options, each, &left);
    assert_eq!(names(&report), ["before", "after"]);
    assert!(!report.timed_out);
    assert_eq!(report.given_up.len(), 1);
    assert_eq!(report.given_up[0].rule, "endless");
    assert!(report.given_up[0].condition >= each);
}

#[test]
fn a_rule_that_is_alone_has_all_the_time() {
    let rules =
        set("rule slow { condition: for all i in (0..100000000000) : (uint8(i % 7) != 1) }");
    let (define, options) = (CompileOptions::default(), ScanOptions::default());
    let asked = std::cell::Cell::new(0);
    let left = || {
        asked.set(asked.get() + 1);
        Duration::from_secs(1)
    };
    let each = Duration::from_millis(100);
    let report = scan_patiently(&rules, &define, &[0; 64], &options, each, &left);
    assert!(report.timed_out && report.given_up.is_empty());
    // For the plan and for the one scan.
    assert_eq!(asked.get(), 2);
}

#[test]
fn the_modules_of_the_field_are_there() {
    for module in [
        "pe", "elf", "macho", "dotnet", "math", "hash", "string", "time", "console", "lnk",
        "cuckoo", "dex",
    ] {
        set(&format!("import \"{module}\" rule a {{ condition: true }}"));
    }
    let rules = set("import \"elf\" rule a { condition: elf.number_of_sections > 5 }");
    let data = std::fs::read("/bin/ls").unwrap();
    assert_eq!(names(&scan(&rules, &data, &ScanOptions::default())), ["a"]);
}

#[test]
fn the_cache_keeps_what_was_used_last() {
    let sets: Vec<_> = (0..3)
        .map(|number| Arc::new(set(&format!("rule r{number} {{ condition: true }}"))))
        .collect();
    let mut cache = Cache::new(2, 1000);
    cache.insert(Arc::clone(&sets[0]));
    cache.insert(Arc::clone(&sets[1]));
    assert!(cache.get(sets[0].id()).is_some());
    cache.insert(Arc::clone(&sets[2]));
    assert!(cache.get(sets[1].id()).is_none());
    assert!(cache.get(sets[0].id()).is_some());
    assert_eq!(cache.len(), 2);
    // Each is 27 bytes long.
    let mut small = Cache::new(9, 60);
    for set in &sets {
        small.insert(Arc::clone(set));
    }
    assert_eq!(small.len(), 2);
    let mut tiny = Cache::new(9, 10);
    tiny.insert(Arc::clone(&sets[0]));
    assert!(tiny.is_empty());
}

#[test]
fn damaged_executables_do_not_panic() {
    let rules = set(
        "import \"pe\" import \"elf\" import \"macho\" import \"dotnet\" import \"lnk\" import \"dex\"
         rule a { condition: pe.is_pe or elf.type == elf.ET_DYN or macho.filetype == 2
                  or dotnet.is_dotnet or lnk.is_lnk or dex.is_dex }",
    );
    let file = std::fs::read("/bin/ls").unwrap();
    let file = &file[..file.len().min(16 << 10)];
    let mut state = 5_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..300 {
        let mut data = file.to_vec();
        for _ in 0..8 {
            let at = next() as usize % if next() % 2 == 0 { 64 } else { data.len() };
            data[at] = [0, 0xff, 0x7f, next() as u8][next() as usize % 4];
        }
        data.truncate(next() as usize % data.len() + 1);
        assert!(!scan(&rules, &data, &ScanOptions::default()).timed_out);
    }
}
