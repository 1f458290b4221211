//! The page of a scan in a real browser: its own script runs and sorts, nothing of a
//! file does, and the policy stops what is not the page's. `scripts/setup-tools`
//! installs the browser.

use std::path::Path;
use std::process::Command;

use crate::Scene;

const BROWSER: &str = "/usr/bin/chromium-headless-shell";
/// As a file's name, and in its content.
const HOSTILE: &str = "<img src=x onerror=document.documentElement.dataset.owned=1>";
const RULE: &str = r#"rule Shown { strings: $a = /<img[^\n]{0,80}/ condition: $a }"#;

/// The page as the browser has it after its script has run, and what it complained of.
fn opened(page: &Path, profile: &Path) -> (String, String) {
    assert!(
        Path::new(BROWSER).exists(),
        "the browser is missing (run `scripts/setup-tools`)"
    );
    let output = Command::new(BROWSER)
        .args(["--no-sandbox", "--disable-gpu", "--enable-logging=stderr"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_page_sorts_itself_and_nothing_of_a_file_runs() {
    let scene = Scene::new();
    scene.files.write("a-quiet", b"nothing");
    scene
        .files
        .write(HOSTILE.replace('/', ""), HOSTILE.as_bytes());
    scene.files.write("z-quiet", b"nothing else");
    let rules = scene.files.write("rules.yar", RULE.as_bytes());
    let rules = rules.to_str().unwrap().to_owned();
    scene.scan("html", &["--rules", &rules]);
    let page = scene.out("html");
    let (dom, said) = opened(&page, &scene.data().join("profile"));
    assert!(dom.contains("data-ready=\"yes\""), "{said}\n{dom}");
    assert!(
        !dom.contains("data-owned") && !dom.contains("<img"),
        "{dom}"
    );
    assert!(!said.contains("Content Security Policy"), "{said}");
    // The worst is first, whatever it is called.
    let first = dom.find("<tr class=\"s2\"").expect("a row with a finding");
    let quiet = dom.find("a-quiet").unwrap();
    assert!(first < quiet, "{dom}");
    assert!(dom.contains("Shown"), "{dom}");

    // What somebody adds to the page later does not run either.
    let text = std::fs::read_to_string(&page).unwrap();
    let added = "<script>document.documentElement.dataset.owned=1</script></body>";
    std::fs::write(&page, text.replace("</body>", added)).unwrap();
    let (dom, said) = opened(&page, &scene.data().join("profile"));
    assert!(!dom.contains("data-owned"), "{dom}");
    assert!(said.contains("Content Security Policy"), "{said}");
}
