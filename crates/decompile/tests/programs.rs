//! Programs of the machine: everything in them has a text, within bounds, and
//! the same one every time.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail like the tests themselves"
)]

mod common;

use common::{Subject, in_worker};
use reversecore_decompile::{Cut, Failure, Options};

fn ls() -> Subject {
    Subject::of(&std::fs::read("/bin/ls").unwrap()).unwrap()
}

#[test]
fn every_function_has_a_text() {
    in_worker(|| {
        let mut subject = ls();
        let names: Vec<String> = subject
            .program
            .functions()
            .iter()
            .map(|function| format!("{:#x}", function.address))
            .collect();
        assert!(names.len() > 100, "{}", names.len());
        let mut all = String::new();
        for name in &names {
            let found = subject.decompile(name).unwrap();
            assert_eq!(found.cut, None, "{name}");
            assert!(found.text.trim_end().ends_with('}'), "{}", found.text);
            all.push_str(&found.text);
        }
        // Names of imports and texts, and no calls of their stubs by address.
        for known in [
            "setlocale(",
            "exit(",
            "\"Try \\'%s --help\\' for more information.\\n\"",
        ] {
            assert!(all.contains(known), "{known}");
        }
    });
}

#[test]
fn what_was_asked_before_does_not_show() {
    in_worker(|| {
        let mut fresh = ls();
        let mut used = ls();
        let functions: Vec<String> = used
            .program
            .functions()
            .iter()
            .skip(100)
            .take(20)
            .map(|function| format!("{:#x}", function.address))
            .collect();
        for name in &functions {
            used.decompile(name).unwrap();
        }
        for name in functions.iter().rev().take(5) {
            assert_eq!(used.decompile(name), fresh.decompile(name));
        }
    });
}

#[test]
fn work_ends_when_it_should() {
    in_worker(|| {
        let mut subject = ls();
        let largest = subject
            .program
            .functions()
            .iter()
            .max_by_key(|function| function.instructions)
            .unwrap();
        let (name, instructions) = (format!("{:#x}", largest.address), largest.instructions);
        assert!(instructions > 200);
        let few = Options {
            most_instructions: 50,
            ..Options::default()
        };
        let found = subject.within(&name, &few).unwrap();
        assert_eq!(found.cut, Some(Cut::Instructions));
        assert_eq!(found.instructions, instructions);
        assert!(!found.warnings.is_empty());
        let short = Options {
            most_text: 500,
            ..Options::default()
        };
        let found = subject.within(&name, &short).unwrap();
        assert_eq!(found.cut, Some(Cut::Text));
        assert!(found.text.len() <= 500 && found.text.ends_with('\n'));

        let mut asked = 0;
        let function = subject.program.find(&name).unwrap();
        let result = subject.decompiler.decompile(
            &subject.program,
            function,
            &Options::default(),
            &mut |_| {
                asked += 1;
                asked < 5
            },
        );
        assert_eq!((asked, result), (5, Err(Failure::OutOfTime)));
        // And it is as good as new.
        assert_eq!(subject.decompile(&name).unwrap().cut, None);
    });
}
