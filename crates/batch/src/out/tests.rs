//! Rows as other programs read them, and files that are gone on with.

use serde_json::Value;

use super::*;
use crate::findings::Severity;

const ENVELOPE: &str = r#"{"status":"success","data":{"identity":{"kind":"elf","description":"ELF <b>"},
 "entropy":{"file":7.5,"high_regions":[{"offset":10,"length":50,"entropy":7.9}]}},"metadata":{}}"#;

fn finding() -> Finding {
    Finding {
        severity: Severity::High,
        what: "packed".to_owned(),
        evidence: "<script>alert(1)</script> {0}".to_owned(),
        tool: "triage".to_owned(),
        offset: Some(16),
    }
}

fn row<'a>(path: &'a str, findings: &'a [Finding]) -> Row<'a> {
    Row {
        path,
        parent: None,
        content: Content::parse(&"ab".repeat(32)),
        size: 100,
        state: State::Done,
        evidence: None,
        results: &[("triage", ENVELOPE)],
        findings,
    }
}

fn written(format: Format, rows: &[Row<'_>]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    let mut out = Out::create(&path, format).unwrap();
    for row in rows {
        out.row(row).unwrap();
    }
    out.complete(&Tally::default()).unwrap();
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_json_line_holds_the_envelope_as_it_came() {
    let text = written(Format::JsonLines, &[row("a\n\"b", &[])]);
    assert_eq!(text.lines().count(), 1, "{text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["path"], "a\n\"b");
    assert_eq!(value["sha256"], "ab".repeat(32));
    assert_eq!(
        value["results"]["triage"]["data"]["identity"]["kind"],
        "elf"
    );
}

#[test]
fn a_cell_is_never_a_formula_and_always_one_cell() {
    let text = written(
        Format::Csv,
        &[row("=cmd|' /C calc'!A0,\"x\"", &[finding()])],
    );
    let line = text.lines().nth(1).unwrap();
    assert!(
        line.starts_with("\"'=cmd|' /C calc'!A0,\"\"x\"\"\","),
        "{line}"
    );
    assert!(line.contains(",high,1,packed,"), "{line}");
}

#[test]
fn sarif_is_json_with_a_result_a_finding() {
    let findings = [finding(), finding()];
    let rows = [
        row("/a b", &findings),
        row("/none", &[]),
        row("/c", &findings),
    ];
    let value: Value = serde_json::from_str(&written(Format::Sarif, &rows)).unwrap();
    let results = value["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 4);
    let location = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(location["artifactLocation"]["uri"], "file:///a%20b");
    assert_eq!(location["region"]["byteOffset"], 16);
    assert_eq!(results[0]["ruleId"], "triage/packed");
    assert!(
        results[0]["message"]["text"]
            .as_str()
            .unwrap()
            .ends_with("{{0}}")
    );
    // Without any it is whole too.
    let value: Value = serde_json::from_str(&written(Format::Sarif, &[])).unwrap();
    assert_eq!(value["runs"][0]["results"], Value::Array(Vec::new()));
}

#[test]
fn nothing_of_a_file_is_markup() {
    let text = written(
        Format::Html,
        &[row("<img src=x onerror=\"x\">", &[finding()])],
    );
    for hostile in ["<img", "<script>alert", "ELF <b>"] {
        assert!(!text.contains(hostile), "{hostile}");
    }
    assert!(text.contains("&lt;script&gt;alert(1)"));
    assert!(
        text.contains("x=\"12.0\" width=\"60.0\""),
        "the strip: {text}"
    );
    assert_eq!(text.matches("<script>").count(), 1);
    assert!(!text.contains(" style=") && !text.contains(" onclick="));
}

#[test]
fn a_file_is_gone_on_with_where_it_was_vouched_for() {
    let directory = tempfile::tempdir().unwrap();
    for format in [Format::JsonLines, Format::Csv, Format::Sarif, Format::Html] {
        let findings = [finding()];
        let path = directory.path().join("out");
        let mut out = Out::create(&path, format).unwrap();
        out.row(&row("/one", &findings)).unwrap();
        let length = out.flush().unwrap();
        out.row(&row("/lost", &findings)).unwrap();
        out.flush().unwrap();
        drop(out);
        let mut out = Out::resume(&path, format, length).unwrap().unwrap();
        out.row(&row("/two", &findings)).unwrap();
        out.complete(&Tally::default()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("/one") && text.contains("/two"));
        assert!(!text.contains("/lost"));
        if format == Format::Sarif {
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["runs"][0]["results"].as_array().unwrap().len(), 2);
        }
        // One that is shorter than it should be was not written by us.
        assert!(Out::resume(&path, format, 1 << 30).unwrap().is_none());
        std::fs::remove_file(&path).unwrap();
        assert!(Out::resume(&path, format, length).unwrap().is_none());
    }
}
