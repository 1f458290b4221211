//! The model of a program whose source is known, and of programs made for a case.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail like the tests themselves"
)]

mod common;

use common::model;
use reversecore_code::{
    BytePattern, CallGraphOptions, Direction, Exit, FlowEdgeKind, Kind, Options, Pattern, Program,
    Query, ReferenceKind, SearchOptions, Source, Stopped, TargetKind, diff,
};

fn ls() -> (Vec<u8>, Program) {
    let data = std::fs::read("/bin/ls").unwrap();
    let program = model(&data, &Options::default()).unwrap();
    (data, program)
}

#[test]
fn imports_are_found_through_their_stubs() {
    let (data, program) = ls();
    let abort = program.find("abort").unwrap();
    assert_eq!((abort.kind, abort.returns), (Kind::ImportThunk, false));
    let targets = program.resolve(&data, "abort");
    let kinds: Vec<_> = targets.iter().map(|target| target.kind).collect();
    assert_eq!(kinds, [TargetKind::ImportThunk, TargetKind::ImportSlot]);
    let calls = program.references().to(abort.address);
    let calls = calls.filter(|reference| reference.kind == ReferenceKind::Call);
    let mut count = 0;
    for call in calls {
        count += 1;
        // Nothing returns from it, so a block ends there.
        let function = program.function_with(call.from).unwrap();
        let mut blocks = program.blocks(function).iter();
        let block = blocks.find(|block| (block.start..block.end()).contains(&call.from));
        assert_eq!(block.unwrap().exit, Exit::NoReturn);
    }
    assert!(count > 3);
    assert!(program.callers(abort).count() > 3);
}

#[test]
fn strings_lead_to_the_code_that_uses_them() {
    let (data, program) = ls();
    let targets = program.resolve(&data, "Try '%s --help' for more information.");
    assert_eq!(targets.len(), 1);
    let used: Vec<_> = program
        .references()
        .to_range(targets[0].range())
        .filter(|reference| reference.kind == ReferenceKind::Address)
        .collect();
    assert_eq!(used.len(), 1);
    assert!(program.function_with(used[0].from).is_some());
}

#[test]
fn the_entry_leads_to_everything() {
    let (_, program) = ls();
    let entry = program.find("entry0").unwrap();
    assert_eq!((entry.kind, entry.source), (Kind::Entry, Source::Entry));
    let graph = program.call_graph(Some(entry), &CallGraphOptions::default());
    assert_eq!(graph.nodes[0].name, "entry0");
    assert!(
        graph
            .nodes
            .iter()
            .any(|node| node.name == "__libc_start_main")
    );
    let whole = program.call_graph(
        None,
        &CallGraphOptions {
            direction: Direction::Both,
            depth: 0,
            most_nodes: 10,
            most_edges: 5,
        },
    );
    assert!(whole.truncated && whole.nodes.len() == 10 && whole.edges.len() <= 5);
    let error = program.find("entry").unwrap_err();
    assert_eq!(error.similar, ["entry0"]);
}

#[test]
fn switches_are_followed() {
    let (_, program) = ls();
    let switches: Vec<_> = program
        .functions()
        .iter()
        .filter(|function| {
            let mut blocks = program.blocks(function).iter();
            blocks.any(|block| block.exit == Exit::Switch)
        })
        .collect();
    assert!(switches.len() >= 3, "{}", switches.len());
    let graph = program.flow_graph(switches[0], usize::MAX);
    let cases = graph
        .edges
        .iter()
        .filter(|edge| edge.kind == FlowEdgeKind::Switch);
    assert!(cases.count() > 2);
    // The rest of the code is found otherwise.
    let coverage = program.coverage();
    assert!(coverage.functions * 100 > coverage.executable * 90);
    assert!(coverage.unknown * 50 < coverage.executable, "{coverage:?}");
}

#[test]
fn searches_find_what_the_disassembly_shows() {
    let (data, program) = ls();
    let options = SearchOptions::default();
    let search = |query| program.search(&data, &query, &options, &mut |_| true);
    let bytes = search(Query::Bytes(
        BytePattern::parse("f3 0f 1e fa 31 ed").unwrap(),
    ));
    assert!(bytes.hits.len() <= 1);
    let bytes = search(Query::Bytes(
        BytePattern::parse("31 ed 49 89 d1 5e").unwrap(),
    ));
    assert_eq!(bytes.hits.len(), 1);
    assert_eq!(bytes.hits[0].name.as_deref(), Some("entry0"));
    let start = search(Query::Instructions(
        Pattern::parse("xor ebp, ebp; mov r9, rdx; pop rsi; mov *, rsp; and rsp, *").unwrap(),
    ));
    assert_eq!(start.hits.len(), 1);
    assert_eq!(start.hits[0].address, bytes.hits[0].address);
    assert_eq!(start.hits[0].text, "xor ebp, ebp");
    // The default block size of ls.
    assert!(!search(Query::Constant(0x200)).hits.is_empty());
    let few = SearchOptions {
        most_hits: 3,
        ..SearchOptions::default()
    };
    let query = Query::Instructions(Pattern::parse("mov").unwrap());
    let found = program.search(&data, &query, &few, &mut |_| true);
    assert!(found.truncated && found.hits.len() == 3);
}

#[test]
fn the_same_bytes_give_the_same_model() {
    let (data, first) = ls();
    let second = model(&data, &Options::default()).unwrap();
    assert_eq!(first.functions(), second.functions());
    assert_eq!(first.references().all(), second.references().all());
    let same = diff(&first, &second, 10, &mut |_| true);
    assert_eq!(same.unchanged, first.functions().len());
    assert_eq!((same.changed_count, same.similarity), (0, 1.0));
}

#[test]
fn one_changed_instruction_changes_one_function() {
    let (mut data, old) = ls();
    // `xor ebp, ebp` of the entry becomes `xor eax, eax`.
    let entry = old.find("entry0").unwrap();
    let place = old.memory_map().offset(entry.address).unwrap() as usize;
    let at = place + data[place..].iter().position(|&byte| byte == 0xed).unwrap();
    data[at] = 0xc0;
    let new = model(&data, &Options::default()).unwrap();
    let found = diff(&old, &new, 10, &mut |_| true);
    assert_eq!(
        (found.changed_count, found.added_count, found.removed_count),
        (1, 0, 0)
    );
    assert_eq!(found.changed[0].old.name, "entry0");
    assert!(found.changed[0].similarity < 1.0 && found.similarity > 0.99);
}

#[test]
fn work_ends_when_it_should() {
    let data = std::fs::read("/bin/bash").unwrap();
    let few = Options {
        most_instructions: 10_000,
        ..Options::default()
    };
    let program = model(&data, &few).unwrap();
    assert_eq!(program.coverage().stopped, Some(Stopped::Instructions));
    assert!(program.coverage().unknown > 0);
    let parsed = reversecore_analysis::binary::parse(&data, &Default::default());
    let mut asked = 0;
    let program = Program::analyze(&data, &parsed.images[0], &Options::default(), &mut |_| {
        asked += 1;
        asked < 3
    })
    .unwrap();
    assert_eq!(
        (asked, program.coverage().stopped),
        (3, Some(Stopped::Caller))
    );
}
