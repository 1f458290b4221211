//! Where `include` is found, what is refused, and where lines come from.

use std::collections::BTreeMap;

use super::*;

struct Files(BTreeMap<&'static str, &'static str>);

impl Source for Files {
    fn open(&mut self, name: &str, _: Option<&str>) -> Result<Included, ToolError> {
        match self.0.get(name) {
            Some(text) => Ok(Included {
                name: name.into(),
                text: text.as_bytes().to_vec(),
            }),
            None => Err(ToolError::new(ErrorCode::PathNotAllowed, name, "")),
        }
    }
}

fn flat(text: &str, files: &[(&'static str, &'static str)]) -> Result<Flat, ToolError> {
    let mut files = Files(files.iter().copied().collect());
    flatten(text.as_bytes(), None, &mut files)
}

#[test]
fn includes_are_found_where_yara_finds_them() {
    for text in [
        "include \"x\"",
        "include\t \"x\"",
        "/* c */include \"x\"",
        "// c\ninclude \"x\"",
        "rule a{condition:true}include \"x\"",
        "rule a{strings:$a=\"\\\"\" condition:$a} include \"x\"",
        "rule a{strings:$a=/\\/\"/ condition:$a} include \"x\"",
        "rule a{strings:$a={00 /* \" */ 01} condition:$a} include \"x\"",
        "\"a\"include \"x\"",
        "$ include \"x\"",
    ] {
        let error = flat(text, &[]).expect_err(text);
        assert_eq!(
            (error.code, &*error.message),
            (ErrorCode::PathNotAllowed, "x")
        );
    }
}

#[test]
fn what_versions_of_yara_read_differently_is_refused() {
    for text in [
        "5include \"x\"",
        "5KBinclude \"x\"",
        "0xainclude \"x\"",
        "0o7include \"x\"",
        // YARA 4 ends the hex string inside the comment.
        "rule a{strings:$a={41 // } include \"x\"\n condition:$a",
        "0xinclude \"x\"",
    ] {
        let error = flat(text, &[("x", "rule x{condition:true}")]).expect_err(text);
        assert_eq!(error.code, ErrorCode::ParseError, "{text}");
        assert!(error.message.contains("read differently"), "{error}");
    }
}

#[test]
fn what_yara_takes_for_something_else_stays() {
    for text in [
        "// include \"x\"",
        "/* include \"x\" */",
        "$a = \"include \\\"x\\\"\"",
        "$a = /include \"x\"/",
        "myinclude \"x\"",
        "$include \"x\"",
        "#include \"x\"",
        "include_ \"x\"",
        "include\n\"x\"",
        "include\"x\"",
    ] {
        assert_eq!(flat(text, &[]).expect(text).text, text.as_bytes(), "{text}");
    }
}

#[test]
fn text_is_put_in_place_and_lines_keep_their_origin() {
    let files = [("a", "rule a\n{}\ninclude \"b\"\nrule a2"), ("b", "rule b")];
    let flat = flat("rule x\ninclude \"a\" rule y\nrule z", &files).unwrap();
    let text = String::from_utf8(flat.text.clone()).unwrap();
    assert!(!text.contains("include"));
    for (word, origin) in [
        ("rule x", (None, 1)),
        ("rule a\n", (Some("a"), 1)),
        ("rule b", (Some("b"), 1)),
        ("rule a2", (Some("a"), 4)),
        ("rule y", (None, 2)),
        ("rule z", (None, 3)),
    ] {
        let at = text.find(word).unwrap();
        let line = 1 + text.split_at(at).0.matches('\n').count();
        assert_eq!(flat.origin(line), origin, "{word} in {text:?}");
    }
}

#[test]
fn line_zero_is_the_last_line() {
    assert_eq!(
        flat("rule x\n{\ncondition:", &[]).unwrap().origin(0),
        (None, 3)
    );
}

#[test]
fn an_include_can_not_be_put_together_from_two_files() {
    let files = [("a", "include "), ("b", "/* open")];
    let made = flat("include \"a\"\"/etc/passwd\"", &files).unwrap();
    let again = flatten(&made.text, None, &mut Files(BTreeMap::new())).unwrap();
    assert_eq!(again.text, made.text);
    let error = flat("include \"b\" */", &files).unwrap_err();
    assert_eq!(error.code, ErrorCode::ParseError);
    assert_eq!(error.message, "`b`, line 1: unterminated comment");
}

#[test]
fn circles_and_floods_end() {
    let error = flat("include \"a\"", &[("a", "include \"a\"")]).unwrap_err();
    assert!(error.message.contains("too deeply"), "{error}");
    let error = flat(&"include \"a\"\n".repeat(2000), &[("a", "")]).unwrap_err();
    assert!(error.message.contains("too many"), "{error}");
    let long = "x".repeat(MOST_BYTES + 1);
    assert_eq!(flat(&long, &[]).unwrap_err().code, ErrorCode::ResourceLimit);
    assert_eq!(flat("a\0", &[]).unwrap_err().code, ErrorCode::ParseError);
}
